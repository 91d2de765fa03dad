"""Tells file formats apart by their first bytes; a file's name never decides what its content is."""

from __future__ import annotations

import re
import struct
from typing import Literal

from ecgimn.errors import NotAnEcgError, RecordingFormatError

Format = Literal["WFDB", "DICOM", "SCP-ECG", "EDF", "ISHNE", "XML", "NPY", "NPZ", "MAT", "ZIP", "GZIP", "table"]

_COUNT = re.compile(rb"\d{1,9}")
_RATE = re.compile(rb"\d{1,9}(?:\.\d{0,9})?(?:/\S{1,40})?")
_STORAGE = re.compile(rb"\d{1,3}(?:[x:+]\d{1,9}){0,3}")
_XML_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[?!A-Za-z]")

#: Formats that are recognised only to say what to do instead.
_KNOWN_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x89HDF", "HDF5 or a MATLAB file of version 7.3"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
)


def detect_format(data: bytes) -> Format:
    """Return the format of a file's bytes; what looks like nothing known but is text counts as a table.

    Raises
    ------
    NotAnEcgError
        The file is of a kind that is known not to be an ECG.
    RecordingFormatError
        The file is binary of an unknown kind.
    """
    if data[128:132] == b"DICM":
        return "DICOM"
    if data[:8] in (b"ISHNE1.0", b"ANN  1.0"):
        return "ISHNE"
    if data[:8] in (b"0       ", b"\xffBIOSEMI"):
        return "EDF"
    if data[:6] == b"\x93NUMPY":
        return "NPY"
    if data[:19] == b"MATLAB 5.0 MAT-file":
        return "MAT"
    if _is_mat4(data):
        return "MAT"
    if data[:2] == b"\x1f\x8b":
        return "GZIP"
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "NPZ" if _first_member(data).endswith(b".npy") else "ZIP"
    if _XML_START.match(data) or data[:4] in (b"\xff\xfe<\x00", b"\xfe\xff\x00<", b"<\x00?\x00"):
        return "XML"
    if _is_scp(data):
        return "SCP-ECG"
    for magic, kind in _KNOWN_OTHERS:
        if data.startswith(magic):
            raise NotAnEcgError(
                f"The file is {kind}. The ECG's own samples are needed. "
                "Export it as WFDB, DICOM, SCP-ECG, EDF, XML or CSV."
            )
    if _is_wfdb(data[:4096]):
        return "WFDB"
    if b"\x00" in data[:4096] and not _is_wide_text(data[:4096]):
        raise RecordingFormatError(
            "The file is binary and of no known ECG format. WFDB (with its header), DICOM, SCP-ECG, EDF, ISHNE, XML, "
            "CSV, NPY or MAT is needed. Export the ECG in one of these."
        )
    return "table"


def _is_wfdb(start: bytes) -> bool:
    """Whether the first two lines, comments aside, are a record line and a line of a signal or a segment."""
    if b"\x00" in start:
        return False
    lines = [line.split() for line in start.split(b"\n") if line.strip() and not line.lstrip().startswith(b"#")]
    if len(lines) < 2 or b"," in lines[0][0] or b";" in lines[0][0]:
        return False
    record, signal = lines[0], lines[1]
    places = [k for k in range(1, min(len(record) - 1, 9)) if _COUNT.fullmatch(record[k])]
    is_record = any(_RATE.fullmatch(record[k + 1]) for k in places)
    named = re.search(rb"[A-Za-z~_]", b" ".join(signal[:-1])) is not None
    is_segment = len(signal) == 2 and _COUNT.fullmatch(signal[1]) is not None
    return is_record and named and (is_segment or any(_STORAGE.fullmatch(field) for field in signal[1:9]))


def _is_wide_text(start: bytes) -> bool:
    """Whether bytes are UTF-16 text, with a mark or of Latin letters only."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return len(start) >= 8 and (not any(start[1:400:2]) or not any(start[:400:2]))


def _is_scp(data: bytes) -> bool:
    """Whether the preamble and the first pointer of section 0 are those of SCP-ECG."""
    if len(data) < 32:
        return False
    section, length = struct.unpack_from("<HI", data, 8)
    pointer, index = struct.unpack_from("<H4xI", data, 22)
    return section == 0 and length >= 26 and (length - 16) % 10 == 0 and (pointer, index) == (0, 7)


def _is_mat4(data: bytes) -> bool:
    """Whether the first matrix of a MAT file of version 4 fits into the file: its header has no magic number."""
    if len(data) < 20:
        return False
    kind, n_rows, n_columns, imaginary, n_name = struct.unpack_from("<5i", data)
    size = {0: 8, 10: 4, 20: 4, 30: 2, 40: 2, 50: 1}.get(kind, 0)
    if not size or imaginary or not 1 < n_name <= 64 or n_rows < 1 or n_columns < 1:
        return False
    return data[19 + n_name : 20 + n_name] == b"\x00" and 20 + n_name + n_rows * n_columns * size <= len(data)


def _first_member(data: bytes) -> bytes:
    """Return the name of the first entry of a ZIP archive."""
    if len(data) < 30:
        return b""
    (length,) = struct.unpack_from("<H", data, 26)
    return data[30 : 30 + length]
