"""SCP-ECG (EN 1064): sizes that the parser would allocate unseen are checked first."""

from __future__ import annotations

import struct
from typing import Any

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.ecgdatakit import damaged, read_with_ecgdatakit
from ecgimn.formats.limits import MAX_SAMPLES, MAX_SIGNALS, too_large
from ecgimn.formats.table import ReadingHints
from ecgimn.formats.traces import Traces

_FORMAT = "SCP-ECG"
_MAX_BYTES = 2_000_000  # 10 s of 12 leads have 30 to 120 kB; Huffman decoding takes about a second per 100 kB
_MIN_INTERVAL_US = 500  # 2,000 Hz
_PREAMBLE_BYTES, _SECTION_HEADER_BYTES, _POINTER_BYTES = 6, 16, 10


def read_scp(data: bytes, hints: ReadingHints) -> Traces:
    """Read the bytes of an SCP-ECG file.

    Raises
    ------
    RecordingFormatError
        The file is too large, announces impossible sizes, is cut short or damaged.
    MissingFactsError
        The signals are not named as leads, and `hints` do not name them.
    LeadError, SignalError
        A standard lead is missing, or the amplitude multiplier is 0.
    """
    if len(data) > _MAX_BYTES:
        raise too_large("The SCP-ECG file", len(data), _MAX_BYTES)
    try:
        sections = _sections(data)
        for number in (5, 6):
            if sections.get(number) and struct.unpack_from("<H", sections[number], 2)[0] < _MIN_INTERVAL_US:
                raise damaged(_FORMAT)
        _check_leads(sections.get(3, b""), len(data))
    except struct.error as exc:
        raise damaged(_FORMAT) from exc
    return read_with_ecgdatakit(data, "SCPECGParser", _FORMAT, hints, exact_fs=_exact_fs)


def _sections(data: bytes) -> dict[int, bytes]:
    """Return the bodies of the numbered sections that lie within the file."""
    (length,) = struct.unpack_from("<I", data, _PREAMBLE_BYTES + 4)
    bodies = {}
    end = min(_PREAMBLE_BYTES + length, len(data)) - _POINTER_BYTES
    for position in range(_PREAMBLE_BYTES + _SECTION_HEADER_BYTES, end + 1, _POINTER_BYTES):
        number, size, index = struct.unpack_from("<HII", data, position)
        bodies[number] = data[index - 1 + _SECTION_HEADER_BYTES : index - 1 + size] if index else b""
    return bodies


def _check_leads(section3: bytes, n_bytes: int) -> None:
    """Refuse more leads or samples than the file could hold: one sample takes a bit at least."""
    n_leads = section3[0] if section3 else 0
    if not 1 <= n_leads <= MAX_SIGNALS:
        raise RecordingFormatError(
            f"The SCP-ECG file announces {n_leads} leads. 1 to {MAX_SIGNALS} are read. Export a 12-lead recording."
        )
    for lead in range(n_leads):
        first, last = struct.unpack_from("<II", section3, 2 + 9 * lead)
        if not first <= last or last - first >= min(MAX_SAMPLES, 8 * n_bytes):
            raise RecordingFormatError(
                f"The SCP-ECG file announces {last - first + 1:,} samples in a lead, which do not fit into it. "
                "A whole file is needed. Export it again."
            )


def _exact_fs(record: Any) -> float | None:
    interval_us = record.raw_metadata.get("rhythm_sample_interval_us")
    return 1e6 / interval_us if interval_us else None
