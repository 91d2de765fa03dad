"""ZIP archives: few entries, bounded when unpacked, no links, no paths; entries are returned, never written to disk."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import PurePosixPath

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.limits import MAX_FILE_BYTES

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
