"""What a file from outside may hold at most, checked before a parser sees it; ZIP archives within these limits.

A standard 12-lead recording of 10 s at 500 Hz has 120 kB; the limits leave room for half an hour at 257 Hz (the
St Petersburg INCART records, say) and stop what no 12-lead export needs. Compare OWASP ASVS 5.0, chapter V5 (file
handling). Archives hold few entries, no links and no paths; they are unpacked in memory and never to disk.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

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


MAX_ENTRIES = 8
_MAX_LISTED = 64  # folders and what file managers add count here only
_MAX_RATIO = 100
_RATIO_FLOOR_BYTES = 100_000  # below this size, a ratio says nothing
_IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db")


def unzip(data: bytes, max_files: int = MAX_ENTRIES) -> dict[str, bytes]:
    """Return the files of an archive by their plain names, at most `max_files`.

    Raises
    ------
    RecordingFormatError
        The archive is damaged, encrypted, holds too much, a link, a path that leads outside, or one name twice.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _files(archive, max_files)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
            LookupError, OverflowError) as exc:  # fmt: skip
        raise RecordingFormatError(
            "The ZIP archive is damaged, encrypted or of an unknown kind. A plain one is needed. Pack the files again."
        ) from exc


def _files(archive: zipfile.ZipFile, max_files: int) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > _MAX_LISTED:
        raise _refused(f"has {len(entries):,} entries", f"At most {max_files} files are read")
    for entry in entries:
        _check_entry(entry)
    wanted = [entry for entry in entries if not entry.is_dir() and not _is_clutter(entry.filename)]
    if len(wanted) > max_files:
        raise _refused(f"has {len(wanted)} files", f"At most {max_files} are read")
    total = sum(entry.file_size for entry in wanted)
    if total > MAX_FILE_BYTES:
        raise _refused(f"unpacks to {total:,} bytes", f"At most {MAX_FILE_BYTES:,} are read")
    files: dict[str, bytes] = {}
    room = MAX_FILE_BYTES
    for entry in wanted:
        name = PurePosixPath(entry.filename).name
        if name in files:
            raise _refused("holds one name twice", "Each name is needed once")
        with archive.open(entry) as handle:
            files[name] = handle.read(room + 1)  # the declared size may be a lie
        room -= len(files[name])
        if room < 0:
            raise _refused(f"unpacks to more than {MAX_FILE_BYTES:,} bytes", "Less is needed")
    return files


def _check_entry(entry: zipfile.ZipInfo) -> None:
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0]:
        raise _refused("holds a path that leads elsewhere", "Plain names are needed")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _refused("holds a link", "The files themselves are needed")
    if entry.flag_bits & 0x1:
        raise _refused("is encrypted", "A plain archive is needed")
    if entry.file_size > _RATIO_FLOOR_BYTES and entry.file_size > _MAX_RATIO * max(entry.compress_size, 1):
        raise _refused(f"is packed more than {_MAX_RATIO} times", "Samples do not shrink that far: an ECG is needed")


def _is_clutter(name: str) -> bool:
    return any(part in _IGNORED or part.startswith("._") for part in PurePosixPath(name).parts)


def _refused(found: str, needed: str) -> RecordingFormatError:
    return RecordingFormatError(f"The ZIP archive {found}. {needed}. Pack the files of one recording and try again.")
