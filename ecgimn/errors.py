"""The errors of the library, each worded for the reader's screen: what was found, what was needed, what to do.

EcgImnError
├── RecordingError            the file or signal cannot be used
│   ├── RecordingFormatError    header or data do not parse, or disagree
│   │   └── NotAnEcgError         a picture, a letter, a program: no ECG at all
│   ├── LeadError               a standard lead is missing, doubled or unknown
│   └── SignalError             too short, flat, not finite, unknown unit
├── ModelError                the weights cannot be used
│   ├── ModelNotFoundError
│   └── CheckpointError         hash, keys or shapes do not match the model card
├── SourceError               a data set, a case or a study file cannot be used
└── StudyError                an audit or a quiz cannot go on like this
"""


class EcgImnError(Exception):
    """Base of every error that a reader may see; `str(exc)` is shown as it is."""


class RecordingError(EcgImnError):
    """A file or signal cannot be used as a 12-lead ECG."""


class RecordingFormatError(RecordingError):
    """Header or data do not parse, or disagree with each other."""


class NotAnEcgError(RecordingFormatError):
    """The file is of a kind that holds no ECG; in a folder that is searched it is skipped."""


class LeadError(RecordingError):
    """A standard lead is missing, doubled or unknown."""


class SignalError(RecordingError):
    """The signal is too short, flat, not finite, or of unknown unit."""


class QualityError(RecordingError):
    """The quality check refuses to run the model on a recording; what was measured can still be shown.

    Attributes
    ----------
    refusals : tuple of str
        Why, one sentence each.
    """

    def __init__(self, refusals: tuple[str, ...]) -> None:
        super().__init__(" ".join(refusals))
        self.refusals = refusals


class ModelError(EcgImnError):
    """The weights of a model cannot be used."""


class ModelNotFoundError(ModelError):
    """No model of that name is listed under models/."""


class CheckpointError(ModelError):
    """Hash, keys or shapes do not match the model card, or the self-test failed."""


class SourceError(EcgImnError):
    """A data set, a composite case or a study file cannot be used."""


class StudyError(EcgImnError):
    """An answer, a sign-in, a definition or a database of an audit or a quiz cannot be used."""
