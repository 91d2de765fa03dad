"""Tells file formats apart by their first bytes; a file's name never decides what its content is."""

from __future__ import annotations

import re
import struct
from typing import Literal

from ecgimn.errors import RecordingFormatError

Format = Literal["WFDB", "DICOM", "SCP-ECG", "EDF", "ISHNE", "XML", "NPY", "NPZ", "MAT", "ZIP", "table"]

_RECORD_LINE = re.compile(rb"(?:\s*(?:#[^\n]*)?\n)*[^\s,;#<]+[ \t]+\S+[ \t]*(?:[^\n,;]*)\r?\n[^\s]+[ \t]+\d[^\n,;]*")
_XML_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[?!A-Za-z]")

#: Formats that are recognised only to say what to do instead.
_KNOWN_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x89HDF", "HDF5 or a MATLAB file of version 7.3"),
    (b"\x1f\x8b", "a gzip archive"),
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
    RecordingFormatError
        The file is of a kind that is known not to be an ECG, or binary of an unknown kind.
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
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "NPZ" if _first_member(data).endswith(b".npy") else "ZIP"
    if _XML_START.match(data) or data[:4] in (b"\xff\xfe<\x00", b"\xfe\xff\x00<", b"<\x00?\x00"):
        return "XML"
    if _is_scp(data):
        return "SCP-ECG"
    for magic, kind in _KNOWN_OTHERS:
        if data.startswith(magic):
            raise RecordingFormatError(
                f"The file is {kind}. The ECG's own samples are needed. "
                "Export it as WFDB, DICOM, SCP-ECG, EDF, XML or CSV."
            )
    if _RECORD_LINE.match(data[:4096]) and b"\x00" not in data[:4096]:
        return "WFDB"
    if b"\x00" in data[:4096]:
        raise RecordingFormatError(
            "The file is binary and of no known ECG format. WFDB (with its header), DICOM, SCP-ECG, EDF, ISHNE, XML, "
            "CSV, NPY or MAT is needed. Export the ECG in one of these."
        )
    return "table"


def _is_scp(data: bytes) -> bool:
    """Whether the preamble and the first pointer of section 0 are those of SCP-ECG."""
    if len(data) < 32:
        return False
    section, length = struct.unpack_from("<HI", data, 8)
    pointer, index = struct.unpack_from("<H4xI", data, 22)
    return section == 0 and length >= 26 and (length - 16) % 10 == 0 and (pointer, index) == (0, 7)


def _first_member(data: bytes) -> bytes:
    """Return the name of the first entry of a ZIP archive."""
    if len(data) < 30:
        return b""
    (length,) = struct.unpack_from("<H", data, 26)
    return data[30 : 30 + length]
