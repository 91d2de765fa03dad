"""DICOM waveform objects (PS3.3 A.34): only ECG objects, only plain transfer syntaxes, never the patient module."""

from __future__ import annotations

import io
import struct
from typing import Any

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.ecgdatakit import damaged, read_with_ecgdatakit
from ecgimn.formats.limits import shown
from ecgimn.formats.table import ReadingHints
from ecgimn.formats.traces import Traces

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
            f"The DICOM file has the transfer syntax {shown(syntax)}. An uncompressed one is needed (explicit or "
            "implicit little endian). Export the waveform uncompressed."
        )
    if sop_class not in _ECG_OBJECTS:
        raise RecordingFormatError(
            f"The DICOM file is an object of the class {shown(sop_class, 40)}. An ECG waveform object is needed. "
            "Export the 12-lead ECG itself, not an image or a report of it."
        )
    return read_with_ecgdatakit(data, "DICOMWaveformParser", _FORMAT, hints, exact_fs=_exact_fs)


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
