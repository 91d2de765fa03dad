"""DICOM waveform objects (PS3.3 A.34): only ECG objects, only plain transfer syntaxes, never the patient module."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from typing import Any

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.ecgdatakit import damaged, read_with_ecgdatakit
from ecgimn.formats.table import ReadingHints
from ecgimn.formats.traces import Traces
from ecgimn.leads import INDEPENDENT_LEADS

_FORMAT = "DICOM"
_PREAMBLE_BYTES, _META_GROUP = 132, 2
_PLAIN_TRANSFER_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_ECG_OBJECTS = {
    "1.2.840.10008.5.1.4.1.1.9.1.1": "12-lead ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.2": "general ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.3": "ambulatory ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.4": "general 32-bit ECG",
}


def read_dicom(data: bytes, hints: ReadingHints) -> Traces:
    """Read the bytes of a DICOM file.

    Raises
    ------
    RecordingFormatError
        The object is no ECG waveform, is compressed, or is damaged.
    MissingFactsError
        The signals are not named as leads, and `hints` do not name them.
    LeadError, SignalError
        A standard lead is missing, or one has no voltage unit.
    """
    syntax, sop_class = _syntax_and_class(data)
    if syntax not in _PLAIN_TRANSFER_SYNTAXES:
        raise RecordingFormatError(
            "The DICOM file is compressed or of an unknown transfer syntax. An uncompressed one is needed (explicit or "
            "implicit little endian). Export the waveform uncompressed."
        )
    if sop_class not in _ECG_OBJECTS:
        raise RecordingFormatError(
            "The DICOM file holds no ECG waveform but an object of another class. An ECG waveform object is needed. "
            "Export the 12-lead ECG itself, not an image or a report of it."
        )
    data, note = _with_one_group(data)
    traces = read_with_ecgdatakit(data, "DICOMWaveformParser", _FORMAT, hints, exact_fs=_exact_fs)
    return replace(traces, notes=(*note, *traces.notes))


def _with_one_group(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the file with the one waveform group that is the ECG by what it says of itself, whatever its place.

    That is an original recording rather than a derived one such as a median beat, with all leads, and the longest.

    Raises
    ------
    RecordingFormatError
        The leads are spread over several groups, so they were not recorded at the same time.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        dataset = dcmread(io.BytesIO(data))
        groups = list(dataset.get("WaveformSequence") or [])
        if len(groups) < 2:
            return data, ()
        facts = [_facts_of(group) for group in groups]
        whole = [place for place, fact in enumerate(facts) if fact.n_channels >= len(INDEPENDENT_LEADS)]
        if not whole:
            if sum(fact.n_channels for fact in facts) < len(INDEPENDENT_LEADS):
                return data, ()
            raise RecordingFormatError(
                f"The leads of the DICOM file lie in {len(groups)} waveform groups of {facts[0].duration_s:.1f} s with "
                f"{facts[0].n_channels} leads each, recorded one after the other. 12 leads recorded at the same time "
                "are needed. Export a simultaneous 12-lead strip."
            )
        best = max(whole, key=lambda place: (*facts[place].rank, -place))
        dataset.WaveformSequence = [groups[best]]
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    except (ValueError, LookupError, OSError, TypeError, AttributeError, NotImplementedError, ArithmeticError,
            RecursionError, struct.error, InvalidDicomError) as exc:  # fmt: skip
        raise damaged(_FORMAT) from exc
    kind = "the longest original one" if facts[best].original else "the longest one, derived from a recording,"
    note = f"Waveform {best + 1} of {len(groups)} in the file read: {kind} with {facts[best].n_channels} channels."
    return buffer.getvalue(), (note, "Further waveforms in the file left out.")


@dataclass(frozen=True)
class _Group:
    """What a waveform group says of itself."""

    original: bool
    beat: bool  # a median or average beat
    n_channels: int
    duration_s: float

    @property
    def rank(self) -> tuple[bool, bool, float, int]:
        """Larger for what is more likely the ECG itself."""
        return not self.beat, self.original, self.duration_s, self.n_channels


def _facts_of(group: Any) -> _Group:
    fs, n_samples = float(group.get("SamplingFrequency") or 0), int(group.get("NumberOfWaveformSamples") or 0)
    label = str(group.get("MultiplexGroupLabel") or "").upper()
    return _Group(
        original=str(group.get("WaveformOriginality") or "ORIGINAL").upper() == "ORIGINAL",
        beat=any(word in label for word in ("MEDIAN", "REPRESENTATIVE", "AVERAGE")),
        n_channels=len(group.get("ChannelDefinitionSequence") or ()),
        duration_s=n_samples / fs if fs > 0 else 0.0,
    )


def _syntax_and_class(data: bytes) -> tuple[str, str]:
    """Return transfer syntax and object class from the file meta information, which is never compressed."""
    from pydicom.filereader import read_dataset

    try:
        meta = read_dataset(
            io.BytesIO(data[_PREAMBLE_BYTES:]), False, True, stop_when=lambda tag, vr, length: tag.group != _META_GROUP
        )
        return str(meta.get("TransferSyntaxUID", "")), str(meta.get("MediaStorageSOPClassUID", ""))
    except (ValueError, LookupError, OSError, TypeError, AttributeError, NotImplementedError, struct.error) as exc:
        raise damaged(_FORMAT) from exc


def _exact_fs(record: Any) -> float | None:
    """Return the group's sampling frequency, which ecgdatakit rounds for its leads."""
    lead = record.leads[0]
    for group in record.raw_metadata.get("multiplex_groups", ()):
        fs = float(group["sampling_frequency"])
        if group["samples"] == len(lead.samples) and round(fs) == lead.sampling_rate:
            return fs
    return None
