"""EDF and EDF+ (https://www.edfplus.info/specs/edf.html): one rate, unbroken, its length checked first."""

from __future__ import annotations

from typing import Any

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.ecgdatakit import damaged, read_with_ecgdatakit
from ecgimn.formats.limits import MAX_DURATION_S, MAX_SIGNALS
from ecgimn.formats.table import ReadingHints
from ecgimn.formats.traces import Traces
from ecgimn.leads import canonical_lead_name

_FORMAT = "EDF"
_HEADER_BYTES = 256  # the fixed part, and once more per signal


def read_edf(data: bytes, hints: ReadingHints) -> Traces:
    """Read the bytes of an EDF or EDF+ file.

    Raises
    ------
    RecordingFormatError
        The file is BDF, discontinuous (EDF+D), longer than a strip, cut short or damaged.
    MissingFactsError
        The signals are not named as leads, and `hints` do not name them.
    LeadError, SignalError
        No standard lead is named, or one has no voltage unit.
    """
    if data[:8] == b"\xffBIOSEMI":
        raise RecordingFormatError("The file is BDF with 24 bits. EDF with 16 bits is needed. Export the ECG as EDF.")
    if len(data) < 2 * _HEADER_BYTES:
        raise damaged(_FORMAT)
    if data[192:197] == b"EDF+D":
        raise RecordingFormatError(
            "The EDF file is marked as discontinuous (EDF+D). One unbroken recording is needed. Export a single strip."
        )
    n_records, n_signals = _number(data[236:244]), _number(data[252:256])
    duration_s = _number(data[244:252]) * max(n_records, 0)
    if not 1 <= n_signals <= MAX_SIGNALS:
        raise RecordingFormatError(
            f"The EDF file announces {n_signals:g} signals. 1 to {MAX_SIGNALS} are read. Export the 12 leads only."
        )
    if duration_s > MAX_DURATION_S:
        raise RecordingFormatError(
            f"The EDF file lasts {duration_s:,.0f} s. At most {MAX_DURATION_S:g} s are read. Export a shorter strip."
        )
    return read_with_ecgdatakit(data, "EDFParser", _FORMAT, hints, exact_fs=_exact_fs, inverted=True)


def _number(field: bytes) -> float:
    try:
        return float(field.decode("ascii"))
    except ValueError as exc:
        raise damaged(_FORMAT) from exc


def _exact_fs(record: Any) -> float | None:
    """Return the leads' rate where it is no whole number, which ecgdatakit keeps apart."""
    rates = record.raw_metadata.get("exact_sampling_rates", {})
    return next((float(rate) for label, rate in rates.items() if canonical_lead_name(label)), None)
