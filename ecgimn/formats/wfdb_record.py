"""Reads a WFDB record (PhysioNet's .hea and .dat): the guard reads the header, then wfdb reads the samples.

wfdb never sees the file's own header. It gets one written from what the guard understood, in a private folder, beside a
copy of the samples; so no field of a file from outside reaches a path or the network.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.limits import MAX_FILE_BYTES, MAX_HEADER_BYTES, read_bounded, shown
from ecgimn.formats.traces import Traces, assemble, counted, millivolt_factor
from ecgimn.formats.wfdb_header import FORMATS, WfdbHeader, parse_header
from ecgimn.recording import Recording, Sex


def read_wfdb(
    header_path: Path | str, *, age: int | None = None, sex: Sex | None = None, source: str = "file"
) -> Recording:
    """Read a WFDB record from its header and the .dat file beside it.

    Parameters
    ----------
    header_path : path
        The .hea file. The .dat file it names must lie in the same folder; links are not followed.
    age : int, optional
        Years. Comments in the header are never used.
    sex : {"male", "female"}, optional
    source : str, default="file"

    Returns
    -------
    Recording
        Named "case-" and six digits of its digest: a file's name may identify a patient.

    Raises
    ------
    RecordingFormatError, LeadError, SignalError
        See `parse_header` and `wfdb_recording`.
    """
    header_path = Path(header_path)
    header = parse_header(read_bounded(header_path, MAX_HEADER_BYTES, what="The WFDB header"))
    data = read_bounded(header_path.with_name(header.data_file), MAX_FILE_BYTES, what="The .dat file of this header")
    recording = wfdb_recording(header, data, age=age, sex=sex, source=source)
    if header_path.stem != header.record_name:
        note = "The record's name in the header differs from the header's file name."
        recording = replace(recording, notes=(*recording.notes, note))
    return recording


def wfdb_recording(
    header: WfdbHeader, data: bytes, *, age: int | None = None, sex: Sex | None = None, source: str = "file"
) -> Recording:
    """Turn a header that passed the guard and the bytes of its .dat file into a recording.

    Raises
    ------
    RecordingFormatError
        The size, a first value or a checksum does not agree with the header.
    LeadError
        A standard lead is missing or doubled.
    SignalError
        A unit is unknown, or the amplitude is not that of an ECG.
    """
    if len(data) != header.n_data_bytes:
        raise RecordingFormatError(
            f"The .dat file has {len(data):,} bytes. The header promises {header.n_data_bytes:,} "
            f"({len(header.stored)} signals of {header.n_samples:,} samples). Copy or upload the whole file again."
        )
    digital = _digital_samples(header, data)  # (n_signals, n_samples)
    notes = _check_samples(header, digital)
    rows = [row for row, signal in enumerate(header.stored) if signal.lead is not None]
    signal_mv = np.empty((len(rows), header.n_samples))
    unit_missing = False
    for target, row in enumerate(rows):
        line = header.stored[row]
        unit_missing |= line.unit is None
        factor = millivolt_factor(line.unit or "mV")
        signal_mv[target] = (digital[row] - float(line.baseline)) * (factor / line.gain)
        signal_mv[target, digital[row] == FORMATS[line.storage][1]] = np.nan
    if unit_missing:
        notes.append("The header names no unit: millivolts, as the WFDB format defines.")
    if header.n_comments:
        notes.append(f"{counted(header.n_comments, 'header comment')} hidden.")
    if header.has_date:
        notes.append("Date and time hidden.")
    names = tuple(header.stored[row].name for row in rows)
    traces = Traces(signal_mv, names, header.fs, notes=tuple(notes), n_left_out=len(header.signals) - len(rows))
    return assemble(traces, age=age, sex=sex, source=source)


def _digital_samples(header: WfdbHeader, data: bytes) -> NDArray[np.int64]:
    """Return the stored steps, (n_signals, n_samples), as wfdb reads them."""
    if all(signal.storage == "16" for signal in header.stored):  # PTB-XL's: plain interleaved integers, no decoding
        samples = np.frombuffer(data, dtype="<i2").reshape(header.n_samples, len(header.stored))
        return np.ascontiguousarray(samples.T, dtype=np.int64)
    import wfdb  # pulls in matplotlib and pandas: only when a record is read

    with tempfile.TemporaryDirectory(prefix="ecgimn-") as folder:
        stem = Path(folder) / "record"
        stem.with_suffix(".hea").write_text(header.rewritten("record"), encoding="ascii")
        stem.with_suffix(".dat").write_bytes(data)
        try:
            record = wfdb.rdrecord(str(stem), physical=False)
        except (OSError, ValueError, IndexError, TypeError, KeyError, RecursionError, MemoryError) as exc:
            raise RecordingFormatError(
                "The samples of the WFDB record cannot be decoded. A .dat file that fits its header is needed. "
                "Export the record again."
            ) from exc
    return np.ascontiguousarray(record.d_signal.T, dtype=np.int64)


def _check_samples(header: WfdbHeader, digital: NDArray[np.int64]) -> list[str]:
    """Compare first values and checksums, which wfdb does not; return what the reader should know."""
    if all(signal.first_value == 0 and signal.checksum == 0 for signal in header.stored):
        return ["The header gives no first values and no checksums, so the samples could not be verified."]
    for signal, samples in zip(header.stored, digital, strict=True):
        found = int(samples.sum()) & 0xFFFF
        if signal.checksum & 0xFFFF != found:
            raise RecordingFormatError(
                f"The checksum of lead {shown(signal.name)} is {found}, the header says {signal.checksum & 0xFFFF}. "
                "They must agree, or the samples are not those of this header. Copy or upload the record again."
            )
        if signal.first_value != int(samples[0]):
            raise RecordingFormatError(
                f"Lead {shown(signal.name)} begins with {samples[0]}, the header says {signal.first_value}. "
                "They must agree, or the samples are not those of this header. Copy or upload the record again."
            )
    return []
