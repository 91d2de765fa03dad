"""The bridge to ecgdatakit: runs one of its parsers on bytes that passed a guard and takes over samples, not patients.

ecgdatakit reads leniently: it shortens a truncated file, rounds the sampling frequency and renames a doubled lead. What
it warns about is an error or a note here, never silence. Identifying fields are counted and left behind.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import LeadError, RecordingFormatError, SignalError
from ecgimn.formats.table import MissingFactsError, ReadingHints, leads_are_open, no_standard_lead, preview_of
from ecgimn.formats.traces import Traces, check_signal_count, counted
from ecgimn.leads import INDEPENDENT_LEADS, canonical_lead_name
from ecgimn.recording import Sex, millivolt_factor

_DOUBLED = re.compile(r"(.{1,80})_\d{1,3}")  # how ecgdatakit renames the second lead of one name
_LOSSY_WARNINGS = ("truncated", "gaps between data")
_PARTIAL_WARNINGS = ("multiplex group", "waveform ignored", "rhythm series found", "sequence sets in the rhythm")
_PATIENT_FIELDS = (
    "patient_id", "first_name", "last_name", "birth_date", "race", "weight", "height", "medications",
    "clinical_history",
)  # fmt: skip
_RECORDING_FIELDS = ("date", "end_date", "technician", "referring_physician", "room", "location")
_DEVICE_FIELDS = ("name", "serial_number", "institution", "department")


def read_with_ecgdatakit(
    data: bytes,
    parser: str,
    format_name: str,
    hints: ReadingHints,
    *,
    exact_fs: Callable[[Any], float | None] = lambda record: None,
    gap_step: float | None = None,
    inverted: bool = False,
) -> Traces:
    """Parse a file's bytes.

    Parameters
    ----------
    data : bytes
        A file that passed its format's guard.
    parser : str
        Name of the ecgdatakit parser that must recognise the file.
    format_name : str
        As the reader knows it: "SCP-ECG".
    hints : ReadingHints
        Leads, sampling frequency and unit that outrank what the file states.
    exact_fs : callable, optional
        Takes ecgdatakit's record and returns the sampling frequency in Hz before rounding, or None.
    gap_step : float, optional
        The stored step that marks a gap.
    inverted : bool, default=False
        Whether a negative scale is legal in this format (EDF).

    Raises
    ------
    MissingFactsError
        The signals are there but not named as leads.
    RecordingFormatError
        The file does not parse, or loses samples when it does.
    LeadError
        No standard lead is among the signals.
    SignalError
        A lead has no voltage unit or no scale.
    """
    record, remarks, in_parts = _parse(data, parser, format_name)
    check_signal_count(len(record.leads), f"The {format_name} file")
    all_names = _names(record, hints)
    named = [(lead, name) for lead, name in zip(record.leads, all_names, strict=True) if canonical_lead_name(name)]
    if not named:
        raise no_standard_lead(len(record.leads))
    known = {canonical_lead_name(name) for _, name in named}
    if in_parts and not known.issuperset(INDEPENDENT_LEADS):
        raise RecordingFormatError(
            f"The leads of the {format_name} file lie in several parts, as leads recorded one after the other do. "
            "12 leads recorded at the same time are needed. Export a simultaneous 12-lead strip."
        )
    leads, names = [lead for lead, _ in named], tuple(name for _, name in named)
    starts = {lead.annotations.get("start_sample", "1") for lead in leads}
    lengths = {len(lead.samples) for lead in leads}
    rates = {lead.sampling_rate for lead in leads}
    if len(lengths) > 1 or len(rates) > 1 or len(starts) > 1:
        raise RecordingFormatError(
            f"The leads of this {format_name} file differ in start, length or rate. Leads recorded at the same time "
            "are needed. Export a simultaneous 12-lead strip."
        )
    rows = np.array(
        [
            _millivolts(lead, canonical_lead_name(name) or "", format_name, gap_step, inverted, hints.unit)
            for lead, name in named
        ]
    )
    fs = hints.fs or exact_fs(record) or float(rates.pop())
    notes = [*remarks, *_hidden(record)]
    notes += hints.note()
    n_left_out = len(record.leads) - len(leads)
    return Traces(rows, names, fs, _age(record.patient.age), _sex(record.patient.sex), tuple(notes), n_left_out)


def _parse(data: bytes, parser: str, format_name: str) -> tuple[Any, list[str], bool]:
    """Return ecgdatakit's record with raw steps, what its warnings mean for the reader, and whether parts are left."""
    from ecgdatakit import ChecksumWarning, ECGDataKitError, FileParser

    # The parser itself raises only these: whatever else it meets, it re-raises as one of its own errors.
    parser_errors = (ECGDataKitError, OSError, ValueError, ArithmeticError, LookupError, MemoryError, RecursionError)
    with tempfile.TemporaryDirectory(prefix="ecgimn-") as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = Path(folder) / "recording"  # a name of our own: no parser may decide by the file's name
        path.write_bytes(data)
        try:
            record = FileParser.parse(path, auto_scale=False)
        except parser_errors as exc:
            raise damaged(format_name) from exc
    if record.file_format.parser != parser:
        raise damaged(format_name)
    remarks = []
    for warning in caught:
        text = str(warning.message)
        if any(word in text for word in _LOSSY_WARNINGS):
            raise RecordingFormatError(
                f"The {format_name} file is cut short or has gaps between its parts. One unbroken recording is needed. "
                "Copy or export the whole file again."
            )
        if issubclass(warning.category, ChecksumWarning):
            remarks.append("A checksum in the file does not fit its content: compare the trace with the original.")
        elif any(word in text for word in _PARTIAL_WARNINGS):
            remarks.append("Further waveforms in the file left out.")
        elif "not closed by the recorder" in text or "number of data records is -1" in text:
            remarks.append("The recorder did not close the file: all complete parts of it are read.")
        elif "not applied" in text:
            remarks.append("The file states a baseline per lead that its format does not define: not applied.")
    in_parts = any(any(word in str(warning.message) for word in _PARTIAL_WARNINGS) for warning in caught)
    return record, list(dict.fromkeys(remarks)), in_parts


def damaged(format_name: str) -> RecordingFormatError:
    """Return the error for a file that is of this format but does not parse."""
    return RecordingFormatError(
        f"The {format_name} file cannot be decoded: it is damaged or of a variant that is not read. "
        "A complete 12-lead export is needed. Export the recording again, or as DICOM or WFDB."
    )


def _millivolts(
    lead: Any, name: str, format_name: str, gap_step: float | None, inverted: bool, given_unit: str | None
) -> NDArray[np.float64]:
    """Return one lead in mV from its stored steps, scale, offset and unit."""
    scaled = lead.is_raw or given_unit is not None
    unit = given_unit or (lead.resolution_unit if scaled else lead.units)
    scale, offset = (float(lead.resolution), float(lead.offset)) if scaled else (1.0, 0.0)
    if not unit:
        raise SignalError(
            f"Lead {name} of the {format_name} file has no scale in volts. Steps without a unit cannot be "
            "shown in millivolts. Export the recording with its amplitude unit."
        )
    if not (np.isfinite(scale) and np.isfinite(offset) and (scale > 0 or (inverted and scale < 0))):
        raise SignalError(
            f"Lead {name} of the {format_name} file has the scale {scale:g} per step. "
            "A positive number is needed. Export the recording again."
        )
    samples = np.asarray(lead.samples, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # huge values fail the amplitude check
        signal_mv: NDArray[np.float64] = (samples * scale + offset) * millivolt_factor(unit)
    if gap_step is not None:
        signal_mv[samples == gap_step] = np.nan
    return signal_mv


def _names(record: Any, hints: ReadingHints) -> tuple[str, ...]:
    """Return one name per signal of the file: the reader's, or the file's own if they can be the leads."""
    own = tuple(_undoubled(lead.label) for lead in record.leads)
    if hints.leads is not None and len(hints.leads) != len(own):
        raise LeadError(
            f"{len(hints.leads)} lead names are given for {len(own)} signals. One name per signal is needed, empty for "
            "one to leave out. Name each signal."
        )
    if hints.leads is not None:
        return hints.leads
    if leads_are_open(own):
        n_samples = min(len(lead.samples) for lead in record.leads)
        by_time = np.array([lead.samples[:n_samples] * lead.resolution + lead.offset for lead in record.leads]).T
        raise MissingFactsError(("leads",), preview_of(by_time, own))
    return own


def _undoubled(label: str) -> str:
    """Return the name a doubled lead had in the file, so that it is refused as doubled."""
    match = _DOUBLED.fullmatch(label)
    return match[1] if match and canonical_lead_name(match[1]) else label


def _hidden(record: Any) -> list[str]:
    """Count what is left behind: identifying fields, and the device's own statements and measurements."""
    parts = (
        (record.patient, _PATIENT_FIELDS),
        (record.recording, _RECORDING_FIELDS),
        (record.recording.device, _DEVICE_FIELDS),
    )
    values = [getattr(part, name) for part, names in parts for name in names]
    # 1900 stands for a date that was removed before.
    n_fields = sum(bool(value) and getattr(value, "year", 0) != 1900 for value in values)
    n_statements = len(record.interpretation.statements) + len(record.annotations)
    notes = []
    if n_fields:
        notes.append(f"{counted(n_fields, 'identifying field')} hidden.")
    if n_statements:
        notes.append(f"{counted(n_statements, 'statement')} of the device hidden.")
    return notes


def _age(years: int | None) -> int | None:
    return years if years is not None and 0 <= years <= 150 else None


def _sex(letter: str) -> Sex | None:
    sexes: dict[str, Sex] = {"M": "male", "F": "female"}
    return sexes.get(letter)
