"""From the bytes of one or more files to a recording: finds the format and hands over to its reader."""

from __future__ import annotations

import contextlib
import logging
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from ecgimn.errors import NotAnEcgError, RecordingError, RecordingFormatError
from ecgimn.formats.arrays import read_mat, read_npy, read_npz
from ecgimn.formats.detect import Format, detect_format
from ecgimn.formats.dicom import read_dicom
from ecgimn.formats.edf import read_edf
from ecgimn.formats.ishne import read_ishne
from ecgimn.formats.limits import MAX_FILE_BYTES, too_large, unzip
from ecgimn.formats.scp import read_scp
from ecgimn.formats.table import ReadingHints, traces_from_table
from ecgimn.formats.text_table import read_text_table
from ecgimn.formats.traces import Traces, assemble
from ecgimn.formats.wfdb_header import WfdbSegments, parse_any_header
from ecgimn.formats.wfdb_record import read_wfdb_record
from ecgimn.formats.xml_ecg import read_xml
from ecgimn.recording import Recording, Sex

_MAX_FILES = 64

_PARSERS: dict[Format, Callable[[bytes, ReadingHints], Traces]] = {
    "DICOM": read_dicom,
    "SCP-ECG": read_scp,
    "EDF": read_edf,
    "ISHNE": read_ishne,
    "XML": read_xml,
}


def read_files(
    files: Mapping[str, bytes],
    hints: ReadingHints | None = None,
    *,
    age: int | None = None,
    sex: Sex | None = None,
    source: str = "file",
) -> Recording:
    """Read one recording from the bytes of its files.

    Parameters
    ----------
    files : mapping of str to bytes
        File names and contents: one file, a WFDB header with its .dat or .mat files, or a ZIP archive of either; each
        may be packed with gzip. Names serve only to find the files that a header names.
    hints : ReadingHints, optional
        Facts that the file does not state.
    age, sex
        As the reader enters them; they outrank what a file states.
    source : str, default="file"

    Raises
    ------
    MissingFactsError
        The file is a table of numbers and more must be known.
    RecordingFormatError, LeadError, SignalError
        The files cannot be read as one 12-lead ECG.
    """
    with _silenced():
        return _read(files, hints or ReadingHints(), age=age, sex=sex, source=source)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep the libraries' own warnings and log lines to themselves: they quote the file."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "ecgdatakit", "wfdb")]
    before = [logger.disabled for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, disabled in zip(loggers, before, strict=True):
                logger.disabled = disabled


def _read(
    files: Mapping[str, bytes], hints: ReadingHints, *, age: int | None, sex: Sex | None, source: str
) -> Recording:
    plain = {name: _unpacked(data) for name, data in _plain_names(files).items()}
    formats = {name: _format_or_none(data, n_files=len(plain)) for name, data in plain.items()}
    archives = [name for name, kind in formats.items() if kind == "ZIP"]
    if len(plain) == 1 and archives:
        plain = {name: _unpacked(data) for name, data in _plain_names(unzip(plain[archives[0]])).items()}
        formats = {name: _format_or_none(data, n_files=len(plain)) for name, data in plain.items()}
        archives = [name for name, kind in formats.items() if kind == "ZIP"]
    if archives:
        raise RecordingFormatError(
            "A ZIP archive lies among other files or inside another archive. One recording is needed. "
            "Unpack it and choose the files of one recording."
        )
    headers = [name for name, kind in formats.items() if kind == "WFDB"]
    if not headers:
        headers = [name for name in plain if name.lower().endswith(".hea")]  # damaged, and its reader says how
    if headers:
        return _wfdb(plain, headers, hints, age=age, sex=sex, source=source)
    known = [name for name, kind in formats.items() if kind is not None]
    if len(known) != 1:
        raise (RecordingFormatError if known else NotAnEcgError)(
            f"{len(plain)} files are given and {len(known)} of them look like an ECG. One recording is needed: one "
            "file, or a WFDB header with its .dat file. Choose these and try again."
        )
    return _single(plain[known[0]], formats[known[0]], hints, age=age, sex=sex, source=source)


def _single(
    data: bytes, kind: Format | None, hints: ReadingHints, *, age: int | None, sex: Sex | None, source: str
) -> Recording:
    """Read a file that is a recording by itself."""
    if kind in _PARSERS:
        hints.refuse_all_but(("leads", "fs", "unit"), "a file of this format")
        traces = _PARSERS[kind](data, hints)
    elif kind == "NPY":
        hints.refuse_all_but(("leads", "fs", "unit", "orientation"), "a file with one array")
        traces = traces_from_table(read_npy(data), hints)
    elif kind == "NPZ":
        traces = traces_from_table(read_npz(data, hints), hints)
    elif kind == "MAT":
        traces = traces_from_table(read_mat(data, hints), hints)
    else:
        hints.refuse_all_but(("leads", "fs", "unit", "orientation"), "a text table")
        traces = traces_from_table(read_text_table(data), hints)
    return assemble(traces, age=age, sex=sex, source=source)


def _wfdb(
    files: Mapping[str, bytes],
    headers: list[str],
    hints: ReadingHints,
    *,
    age: int | None,
    sex: Sex | None,
    source: str,
) -> Recording:
    """Read a WFDB record of which header and signal files are all among the files."""

    def among(name: str) -> bytes:
        if name in files:
            return files[name]
        raise RecordingFormatError(
            f"The {PurePosixPath(name).suffix} file that the WFDB header names is not among the files. Both are needed "
            "together. Choose header and .dat file and try again."
        )

    whole = [name for name in headers if _is_of_segments(files[name])]
    if len(headers) > 1 and len(whole) != 1:
        raise RecordingFormatError(
            f"{len(headers)} WFDB headers are among the files. One recording is needed. "
            "Choose one .hea file and its .dat file."
        )
    header = whole[0] if whole else headers[0]
    stem = PurePosixPath(header).stem
    return read_wfdb_record(files[header], stem, among, hints, age=age, sex=sex, source=source)


def _is_of_segments(header: bytes) -> bool:
    """Whether a header is that of a record of segments."""
    try:
        return isinstance(parse_any_header(header), WfdbSegments)
    except RecordingError:
        return False


def _unpacked(data: bytes) -> bytes:
    """Return what a file packed with gzip holds, up to the limit, and any other file as it is."""
    if data[:2] != b"\x1f\x8b":
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(data, MAX_FILE_BYTES + 1)
    except zlib.error as exc:
        raise RecordingFormatError(
            "The gzip file is cut short or damaged. A complete one is needed. Unpack it, or pack it again."
        ) from exc
    if len(plain) > MAX_FILE_BYTES:
        raise too_large("The unpacked file", len(plain), MAX_FILE_BYTES)
    if not unpacker.eof or not plain:
        raise RecordingFormatError(
            "The gzip file is cut short or empty. A complete one is needed. Unpack it, or pack it again."
        )
    return plain


def _plain_names(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files by the last part of their names, after checking number and sizes."""
    if not 1 <= len(files) <= _MAX_FILES:
        raise RecordingFormatError(
            f"{len(files)} files are given. 1 to {_MAX_FILES} are read at once. Choose the files of one recording."
        )
    total = sum(len(data) for data in files.values())
    if total > MAX_FILE_BYTES:
        raise too_large("The recording", total, MAX_FILE_BYTES)
    plain = {PurePosixPath(name.replace("\\", "/")).name: data for name, data in files.items()}
    if len(plain) != len(files):
        raise RecordingFormatError("Two files have the same name. Each name is needed once. Choose one recording.")
    if not any(plain.values()):
        raise RecordingFormatError("The file is empty (0 bytes). A file with samples is needed. Export it again.")
    return plain


def _format_or_none(data: bytes, *, n_files: int) -> Format | None:
    """Return the format; among several files, one of no known format (a .dat file, say) is None and no error."""
    try:
        return detect_format(data)
    except RecordingFormatError:
        if n_files == 1:
            raise
        return None
