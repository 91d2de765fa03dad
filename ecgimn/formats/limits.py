"""What a file from outside may hold at most: checked before a parser sees it.

A standard 12-lead recording of 10 s at 500 Hz has 120 kB; the limits leave room for half an hour at 257 Hz (the
St Petersburg INCART records, say) and stop what no 12-lead export needs. Compare OWASP ASVS 5.0, chapter V5 (file
handling).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ecgimn.errors import RecordingFormatError

MAX_FILE_BYTES = 20_000_000  # one file of an upload, and the sum of what an archive unpacks to
MAX_HEADER_BYTES = 64 * 1024  # a WFDB header: 64 signal lines and a page of comments
MAX_SIGNALS = 64  # 12 leads and those of an electrophysiology laboratory beside them
MAX_DURATION_S = 3600.0  # longer is a Holter recording
MAX_SAMPLES = 800_000  # per lead: what 20 MB of 12 leads hold in 16 bits


def read_bounded(path: Path, limit: int = MAX_FILE_BYTES, *, what: str = "The file") -> bytes:
    """Return a regular file's bytes without following a link, refusing more than `limit` bytes before reading.

    Raises
    ------
    RecordingFormatError
        The path is missing, a link, no regular file, empty or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as exc:
        raise RecordingFormatError(f"{what} is not there. It is needed to read the ECG. Add it and try again.") from exc
    except (OSError, ValueError) as exc:  # ELOOP for a link; ValueError for a NUL byte in the name
        raise RecordingFormatError(
            f"{what} cannot be opened or is a link. An ordinary, readable file is needed. Copy the file itself."
        ) from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RecordingFormatError(
            f"{what} is a folder or a device. An ordinary file is needed. Choose the recording's file."
        )
    with os.fdopen(descriptor, "rb") as handle:
        status = os.fstat(handle.fileno())
        if status.st_size > limit:
            raise too_large(what, status.st_size, limit)
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise too_large(what, len(data), limit)
    if not data:
        raise RecordingFormatError(f"{what} is empty (0 bytes). A file with samples is needed. Export it again.")
    return data


def too_large(what: str, found: int, limit: int) -> RecordingFormatError:
    """Return the error for a file of `found` bytes where `limit` bytes are allowed."""
    return RecordingFormatError(
        f"{what} has {found:,} bytes. At most {limit:,} bytes are read. Export a shorter strip and try again."
    )


def check_length(fs: float, n_samples: int) -> None:
    """Refuse a recording longer than `MAX_DURATION_S`, before its samples are read."""
    if n_samples > MAX_SAMPLES or n_samples > MAX_DURATION_S * fs:
        raise RecordingFormatError(
            f"The recording is said to last {n_samples / fs:,.0f} s. At most {MAX_DURATION_S:g} s are read. "
            "Export a shorter strip."
        )
