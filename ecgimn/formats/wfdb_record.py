"""Reads a WFDB record (PhysioNet's .hea with .dat or .mat): the guard reads the header, then wfdb reads the samples.

wfdb never sees the file's own header. It gets one written from what the guard understood, in a private folder, beside a
copy of the samples; so no field of a file from outside reaches a path or the network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.limits import MAX_FILE_BYTES, MAX_HEADER_BYTES, read_bounded
from ecgimn.formats.table import ReadingHints
from ecgimn.formats.traces import Traces, assemble, counted
from ecgimn.formats.wfdb_header import FORMATS, Comments, WfdbHeader, WfdbSegments, parse_any_header, parse_header
from ecgimn.leads import canonical_lead_name
from ecgimn.recording import Recording, Sex, millivolt_factor

FACTS = ("fs", "unit", "leads")  # what a reader's hints may say about a WFDB record


def read_wfdb(
    header_path: Path | str,
    *,
    age: int | None = None,
    sex: Sex | None = None,
    source: str = "file",
    hints: ReadingHints | None = None,
) -> Recording:
    """Read a WFDB record from its header and the signal files beside it.

    Parameters
    ----------
    header_path : path
        The .hea file. The files it names must lie in the same folder; links are not followed.
    age : int, optional
        Years; outranks what the header's comments say, as `sex` does.
    sex : {"male", "female"}, optional
    source : str, default="file"
    hints : ReadingHints, optional
        `fs`, `unit` and `leads` outrank what the header says.

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

    def beside(name: str) -> bytes:
        what, limit = f"The {name[-4:]} file of this header", MAX_FILE_BYTES
        if name.endswith(".hea"):
            what, limit = "The header of a segment", MAX_HEADER_BYTES
        return read_bounded(header_path.with_name(name), limit, what=what)

    data = read_bounded(header_path, MAX_HEADER_BYTES, what="The WFDB header")
    return read_wfdb_record(data, header_path.stem, beside, hints, age=age, sex=sex, source=source)


def read_wfdb_record(
    header_data: bytes,
    name: str,
    get: Callable[[str], bytes],
    hints: ReadingHints | None = None,
    *,
    age: int | None = None,
    sex: Sex | None = None,
    source: str = "file",
) -> Recording:
    """Read a record of one or more segments.

    Parameters
    ----------
    header_data : bytes
    name : str
        Of the header's file, without extension.
    get : callable
        Returns the bytes of a file beside the header, by its plain name, or raises `RecordingFormatError`.
    hints, age, sex, source
        As in `read_wfdb`.
    """
    hints = hints or ReadingHints()
    hints.refuse_all_but(FACTS, "a WFDB record")
    header = parse_any_header(header_data, hints)
    if isinstance(header, WfdbSegments):
        traces = _joined(header, get, hints)
    else:
        traces = wfdb_traces(header, {file: get(file) for file in header.data_files}, hints)
    recording = assemble(traces, age=age, sex=sex, source=source)
    if name != header.record_name:
        note = "The record's name in the header differs from the header's file name."
        recording = replace(recording, notes=(*recording.notes, note))
    return recording


def wfdb_recording(
    header: WfdbHeader, data: bytes, *, age: int | None = None, sex: Sex | None = None, source: str = "file"
) -> Recording:
    """Turn a header that passed the guard and the bytes of its one signal file into a recording; see `wfdb_traces`."""
    return assemble(wfdb_traces(header, {header.data_file: data}), age=age, sex=sex, source=source)


def wfdb_traces(header: WfdbHeader, files: Mapping[str, bytes], hints: ReadingHints | None = None) -> Traces:
    """Turn a header that passed the guard and the bytes of its signal files into rows in millivolts.

    Raises
    ------
    RecordingFormatError
        The size, a first value or a checksum does not agree with the header.
    SignalError
        A unit is unknown.
    """
    hints = hints or ReadingHints()
    rows, names, notes = [], [], []
    unit_missing = False
    for file in header.data_files:
        _check_size(header, file, files[file])
        digital = _digital_samples(header, file, files[file])  # (n_signals, n_samples)
        notes += _check_samples(header, file, digital)
        for line, samples in zip(header.stored_in(file), digital, strict=True):
            if line.lead is None:
                continue
            unit_missing |= line.unit is None and hints.unit is None
            factor = millivolt_factor(hints.unit or line.unit or "mV")
            signal_mv = (samples - float(line.baseline)) * (factor / line.gain)
            signal_mv[samples == FORMATS[line.storage][1]] = np.nan
            rows.append(signal_mv)
            names.append(line.name)
    if unit_missing:
        notes.append("The header names no unit: millivolts, as the WFDB format defines.")
    notes += [*_hidden(header.comments, has_date=header.has_date), *hints.note()]
    n_left_out = len(header.signals) - len(rows)
    age, sex = header.comments.age, header.comments.sex
    return Traces(np.array(rows), tuple(names), header.fs, age, sex, tuple(dict.fromkeys(notes)), n_left_out)


def _joined(header: WfdbSegments, get: Callable[[str], bytes], hints: ReadingHints) -> Traces:
    """Return the segments of a record one after the other; a lead that a segment lacks is a gap there."""
    rows: dict[str, NDArray[np.float64]] = {}
    notes: list[str] = []
    position = n_left_out = 0
    for name, length in header.segments:
        if name is not None:
            part = parse_header(get(f"{name}.hea"), replace(hints, fs=hints.fs or header.fs))
            if part.n_samples != length:
                raise RecordingFormatError(
                    f"A segment of the WFDB record has {part.n_samples:,} samples, its record says {length:,}. They "
                    "must agree. Export the record again."
                )
            traces = wfdb_traces(part, {file: get(file) for file in part.data_files}, hints)
            notes += [note for note in traces.notes if note not in notes]
            n_left_out = max(n_left_out, traces.n_left_out)
            for lead, row in zip(map(canonical_lead_name, traces.names), traces.rows, strict=True):
                whole = rows.setdefault(str(lead), np.full(header.n_samples, np.nan))
                whole[position : position + length] = row
        position += length
    if not rows:
        raise RecordingFormatError(
            "The segments of the WFDB record hold no samples. At least one is needed. Export the record again."
        )
    notes += _hidden(header.comments, has_date=header.has_date)
    notes.append(f"Joined from {counted(len(header.segments), 'segment')}.")
    age, sex = header.comments.age, header.comments.sex
    return Traces(np.array(list(rows.values())), tuple(rows), header.fs, age, sex, tuple(notes), n_left_out)


def _hidden(comments: Comments, *, has_date: bool) -> list[str]:
    """Say what of a header was left behind."""
    notes = []
    if comments.n_statements:
        notes.append(f"{counted(comments.n_statements, 'statement')} of the file hidden.")
    if comments.n_others:
        notes.append(f"{counted(comments.n_others, 'header comment')} hidden.")
    if has_date:
        notes.append("Date and time hidden.")
    return notes


def _check_size(header: WfdbHeader, file: str, data: bytes) -> None:
    needed, n_signals = header.n_bytes_of(file), len(header.stored_in(file))
    if len(data) != needed:
        raise RecordingFormatError(
            f"The {file[-4:]} file has {len(data):,} bytes. The header promises {needed:,} "
            f"({n_signals} signals of {header.n_samples:,} samples). Copy or upload the whole file again."
        )


def _digital_samples(header: WfdbHeader, file: str, data: bytes) -> NDArray[np.int64]:
    """Return the stored steps of one file, (n_signals, n_samples), as wfdb reads them."""
    stored = header.stored_in(file)
    data = data[stored[0].byte_offset :]
    if stored[0].storage == "16":  # PTB-XL's and the challenges': plain interleaved integers, no decoding
        samples = np.frombuffer(data, dtype="<i2").reshape(header.n_samples, len(stored))
        return np.ascontiguousarray(samples.T, dtype=np.int64)
    import wfdb  # pulls in matplotlib and pandas: only when a record is read

    with tempfile.TemporaryDirectory(prefix="ecgimn-") as folder:
        stem = Path(folder) / "record"
        stem.with_suffix(".hea").write_text(header.rewritten("record", file), encoding="ascii")
        stem.with_suffix(".dat").write_bytes(data)
        try:
            record = wfdb.rdrecord(str(stem), physical=False)
        except (OSError, ValueError, IndexError, TypeError, KeyError, RecursionError, MemoryError) as exc:
            raise RecordingFormatError(
                "The samples of the WFDB record cannot be decoded. A .dat file that fits its header is needed. "
                "Export the record again."
            ) from exc
    return np.ascontiguousarray(record.d_signal.T, dtype=np.int64)


def _check_samples(header: WfdbHeader, file: str, digital: NDArray[np.int64]) -> list[str]:
    """Compare first values and checksums, which wfdb does not; return what the reader should know."""
    stored = header.stored_in(file)
    if all(signal.first_value == 0 and signal.checksum == 0 for signal in stored):
        return ["The header gives no first values and no checksums, so the samples could not be verified."]
    for signal, samples in zip(stored, digital, strict=True):
        which = f"lead {signal.lead}" if signal.lead else "an extra signal"
        found = int(samples.sum()) & 0xFFFF
        if signal.checksum & 0xFFFF != found:
            raise RecordingFormatError(
                f"The checksum of {which} is {found}, the header says {signal.checksum & 0xFFFF}. "
                "They must agree, or the samples are not those of this header. Copy or upload the record again."
            )
        if signal.first_value != int(samples[0]):
            raise RecordingFormatError(
                f"The record of {which} begins with {samples[0]}, the header says {signal.first_value}. "
                "They must agree, or the samples are not those of this header. Copy or upload the record again."
            )
    return []
