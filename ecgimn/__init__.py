"""Reads a 12-lead ECG and shows which millivolts of which lead and wave a network's answer is made of.

The model is the ECG-IMN of Thambawita et al., arXiv:2602.09566: it writes a linear model for each recording, so the
answer is a sum of contributions, one per sample of the trace.

For research, teaching and qualitative audit of ECG explanations. Not a medical device; not for diagnosis, triage,
monitoring or patient care.

From a file to a figure::

    import ecgimn

    case = ecgimn.open_ecg("case.hea")  # reads it, checks the quality; waves, findings, weights, ledger
    evidence = case.of("MI")  # contribution of every sample, in logit
    print(evidence.probability, evidence.by_territory())
    ecgimn.ecg_figure(case.recording, evidence).show()

`open_case(recording, load_model(NAME))` does the same for a recording and a model of one's choice.

`import ecgimn` is quick and needs neither PyTorch nor a weights file: each name below is fetched when first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

# Read once, as onnxruntime is imported. Without it, onnxruntime sends telemetry to its vendor under a device identifier
# that it keeps in the user's cache folder; `onnxruntime.disable_telemetry_events()` comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from pathlib import Path

    from ecgimn.draw.screen.ecg import ecg_figure as ecg_figure
    from ecgimn.errors import EcgImnError as EcgImnError
    from ecgimn.explain.case import Case as Case
    from ecgimn.explain.case import Evidence as Evidence
    from ecgimn.explain.case import open_case as open_case
    from ecgimn.explain.explanation import Explanation as Explanation
    from ecgimn.explain.ledger import Ledger as Ledger
    from ecgimn.explain.ledger import make_ledger as make_ledger
    from ecgimn.formats import read_recording as read_recording
    from ecgimn.leads import STANDARD_LEADS as STANDARD_LEADS
    from ecgimn.model.model import Model as Model
    from ecgimn.model.model import list_models as list_models
    from ecgimn.model.model import load_model as load_model
    from ecgimn.recording import Recording as Recording
    from ecgimn.recording import Sex
    from ecgimn.signal.reading import SignalReading as SignalReading
    from ecgimn.signal.reading import read_signal as read_signal
    from ecgimn.sources.composites.case import list_composites as list_composites
    from ecgimn.sources.composites.case import load_composite as load_composite
    from ecgimn.sources.ptbxl import open_ptbxl as open_ptbxl

__version__ = "0.1.0"

_HOME = {
    "ecg_figure": "ecgimn.draw.screen.ecg",
    "Case": "ecgimn.explain.case",
    "EcgImnError": "ecgimn.errors",
    "Evidence": "ecgimn.explain.case",
    "Explanation": "ecgimn.explain.explanation",
    "Ledger": "ecgimn.explain.ledger",
    "Model": "ecgimn.model.model",
    "Recording": "ecgimn.recording",
    "STANDARD_LEADS": "ecgimn.leads",
    "SignalReading": "ecgimn.signal.reading",
    "list_composites": "ecgimn.sources.composites.case",
    "list_models": "ecgimn.model.model",
    "load_composite": "ecgimn.sources.composites.case",
    "load_model": "ecgimn.model.model",
    "make_ledger": "ecgimn.explain.ledger",
    "open_case": "ecgimn.explain.case",
    "open_ptbxl": "ecgimn.sources.ptbxl",
    "read_recording": "ecgimn.formats",
    "read_signal": "ecgimn.signal.reading",
}
__all__ = [*sorted(_HOME), "__version__", "open_ecg"]


def open_ecg(
    source: Path | str | Recording,
    *,
    model: Model | str | None = None,
    start_s: float = 0.0,
    age: int | None = None,
    sex: Sex | None = None,
    despite_quality: bool = False,
) -> Case:
    """Read an ECG, check its quality and explain it: from a file to a case in one call.

    Parameters
    ----------
    source : path, str or Recording
        A file of any format that `read_recording` reads, the name of a composite case, or a recording.
    model : Model or str, optional
        A loaded model or the name of one; the default model otherwise.
    start_s : float
        Start of the ten seconds that are explained, in a longer recording.
    age : int, optional
        Years; chooses thresholds only, as `sex` does.
    sex : {"male", "female"}, optional
    despite_quality : bool
        Run the model although the quality check refuses.

    Raises
    ------
    QualityError
        The quality check refuses the recording.
    EcgImnError
        The file or the model cannot be used; the message says what is needed.
    """
    from ecgimn.explain.case import open_case
    from ecgimn.formats import read_recording
    from ecgimn.model import DEFAULT_MODEL
    from ecgimn.model.model import load_model
    from ecgimn.recording import Recording
    from ecgimn.sources.composites.case import list_composites, load_composite

    if isinstance(source, Recording):
        recording = source
    elif str(source) in {case.name for case in list_composites()}:
        recording = load_composite(str(source))
    else:
        recording = read_recording(source, age=age, sex=sex)
    loaded = load_model(model or DEFAULT_MODEL) if model is None or isinstance(model, str) else model
    return open_case(recording.window(start_s), loaded, despite_quality=despite_quality)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgimn' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
