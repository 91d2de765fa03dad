"""The child process in which uploads are read: started once, it forks for every upload and limits what the fork may do.

It takes jobs on standard input and answers on standard output, each message a JSON object and raw bytes (no pickles in
either direction). A fork begins with all libraries loaded, so a job costs milliseconds. It sees no file but code and
its own folder, and cannot open a connection, start a program or touch another process: the kernel refuses
(`ecgimn.formats.sandbox.wall`), and before it a Python audit hook that cannot be removed. It ends after one job, and
its folder with it, so nothing of one visitor's upload is left for the next.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import math
import os
import shutil
import signal
import struct
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ecgimn.errors import EcgImnError, RecordingError
from ecgimn.formats.limits import MAX_FILE_BYTES
from ecgimn.formats.read import read_files
from ecgimn.formats.sandbox.wall import Walls, code_folders, give_memory_back, refuse_calls, restrict_files
from ecgimn.formats.table import MissingFactsError, ReadingHints, UnusedFactError
from ecgimn.recording import Recording

CPU_LIMIT_S = 5  # what a parser may compute; a file that needs more is damaged or hostile
WALL_LIMIT_S = 15  # on a busy machine those seconds take longer; beyond this, the parser waits for something
MEMORY_LIMIT_BYTES = 400_000_000  # on top of what the loaded libraries map
FILE_LIMIT_BYTES = 50_000_000

MEMORY_MESSAGE = (
    "Reading the file took more memory than an ECG needs, so it was stopped. A strip of 10 s is enough. "
    "Export a shorter strip."
)
TIME_MESSAGE = (
    f"Reading the file took more than {CPU_LIMIT_S} s of computing, so it was stopped. A strip of 10 s is enough. "
    "Export a shorter strip."
)
CRASH_MESSAGE = (
    "The file made its reader stop, so it is damaged or hostile. A complete 12-lead export is needed. "
    "Export the recording again."
)

_LENGTHS = struct.Struct("<QQ")
_MAX_MESSAGE_BYTES = 100_000_000
_MAX_DESCRIPTORS = 65_536
_FORBIDDEN_EVENTS = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec",
    "os.posix_spawn", "os.fork", "os.forkpty", "os.chmod", "os.chown", "os.kill", "os.putenv", "ctypes.dlopen",
)  # fmt: skip
_PATH_EVENTS = (
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _ForbiddenError(RuntimeError):
    """A parser tried what reading a file never needs."""


def write_message(stream: BinaryIO, header: Mapping[str, Any], body: bytes = b"") -> None:
    """Write one message: both lengths, the JSON header, the body."""
    encoded = json.dumps(header).encode()
    left = memoryview(_LENGTHS.pack(len(encoded), len(body)) + encoded + body)
    while left:  # a stream without a buffer may take less than it is given
        left = left[stream.write(left) :]
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read one message; None at the end of the stream, or when it is cut short or too long."""
    prefix = _read_all(stream, _LENGTHS.size)
    if len(prefix) < _LENGTHS.size:
        return None
    n_header, n_body = _LENGTHS.unpack(prefix)
    if n_header + n_body > _MAX_MESSAGE_BYTES:
        return None
    header, body = _read_all(stream, n_header), _read_all(stream, n_body)
    if len(header) < n_header or len(body) < n_body:
        return None
    return json.loads(header), body


def _read_all(stream: BinaryIO, n_bytes: int) -> bytes:
    """Read so many bytes, fewer only at the end of the stream; one without a buffer gives them in parts."""
    parts = []
    while n_bytes > 0 and (part := stream.read(n_bytes)):
        parts.append(part)
        n_bytes -= len(part)
    return b"".join(parts)


@dataclass(frozen=True)
class Sealed:
    """A message as it came, header and body. Only the process that it is meant for opens it.

    What nobody has opened is in no object of Python, so that it can be wiped.
    """

    header: bytearray
    body: bytearray

    def open(self) -> tuple[dict[str, Any], bytes]:
        """Return the header's JSON object and the body."""
        return json.loads(self.header), bytes(self.body)

    def wipe(self) -> None:
        """Overwrite all of it."""
        for part in (self.header, self.body):
            part[:] = bytes(len(part))


def seal(header: Mapping[str, Any]) -> Sealed:
    """Return a message without a body."""
    return Sealed(bytearray(json.dumps(header).encode()), bytearray())


def _pass_on(stream: BinaryIO, message: Sealed) -> None:
    """Write a message as it came."""
    for part in (_LENGTHS.pack(len(message.header), len(message.body)), message.header, message.body):
        with memoryview(part) as left:
            done = 0
            while done < len(left):
                done += stream.write(left[done:])


def _receive(stream: BinaryIO) -> Sealed | None:
    """Read one message and leave it closed; None as for `read_message`."""
    prefix = _read_all(stream, _LENGTHS.size)
    if len(prefix) < _LENGTHS.size:
        return None
    lengths = _LENGTHS.unpack(prefix)
    if sum(lengths) > _MAX_MESSAGE_BYTES:
        return None
    message = Sealed(*map(bytearray, lengths))
    for part in (message.header, message.body):
        with memoryview(part) as left:
            done = 0
            while done < len(left):
                got = cast(io.RawIOBase, stream).readinto(left[done:])
                if not got:
                    message.wipe()
                    return None
                done += got
    return message


def answer(header: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Read one job's files; return the recording as a message, or the error that its reader raised."""
    if "task" in header:
        return _look(header["task"], body)
    try:
        recording = _read(header, body)
    except MissingFactsError as exc:
        preview = {key: getattr(exc.preview, key) for key in exc.preview.__dataclass_fields__}
        return {"error": "MissingFactsError", "needed": exc.needed, "preview": preview, "why": exc.why}, b""
    except UnusedFactError as exc:
        return {"error": "UnusedFactError", "fact": exc.fact, "what": exc.what}, b""
    except RecordingError as exc:
        return {"error": type(exc).__name__, "message": str(exc)}, b""
    except MemoryError:
        return {"error": "RecordingFormatError", "message": MEMORY_MESSAGE}, b""
    described = _described(recording)
    if "path" not in header:
        described["record_name"] = "upload"  # what a file or its header calls it stays here
    return described, recording.signal.tobytes()


def _read(header: Mapping[str, Any], body: bytes) -> Recording:
    files, position = {}, 0
    for name, size in header.get("files", ()):
        files[name] = body[position : position + size]
        position += size
    hints = header.get("hints") or {}
    if hints.get("leads") is not None:
        hints["leads"] = tuple(hints["leads"])
    given, age, sex = ReadingHints(**hints), header.get("age"), header.get("sex")
    if "path" in header:
        from ecgimn.formats import read_recording  # the package is loaded by now; it imports this module

        return read_recording(header["path"], hints=given, source=header["source"], age=age, sex=sex)
    return read_files(files, given, age=age, sex=sex)


def _look(task: str, data: bytes) -> tuple[dict[str, Any], bytes]:
    """Let a function of this package, named "module:function", look at data from outside; it returns JSON values."""
    module, _, function = task.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)(data)
    except EcgImnError as exc:
        return {"error": type(exc).__name__, "message": str(exc)}, b""
    except MemoryError:
        return {"error": "RecordingFormatError", "message": MEMORY_MESSAGE}, b""
    return {"found": found}, b""


def scale_of(n_bytes: int) -> float:
    """Return by how much the limits grow for a job larger than the largest recording; 1 for all recordings."""
    return max(1.0, n_bytes / MAX_FILE_BYTES)


def _described(recording: Recording) -> dict[str, Any]:
    return {
        "fs": recording.fs,
        "record_name": recording.record_name,
        "source": recording.source,
        "n_samples": recording.n_samples,
        "age": recording.age,
        "sex": recording.sex,
        "derived_leads": recording.derived_leads,
        "notes": recording.notes,
    }


def main(work: str = "uploads") -> None:
    """Answer jobs until standard input closes.

    Parameters
    ----------
    work : {"uploads", "paths"}
        Whether jobs bring the bytes of files, or name files of this machine that may then be opened.
    """
    # Without buffers: these would keep a part of the last message.
    jobs = cast(BinaryIO, os.fdopen(os.dup(0), "rb", buffering=0))
    answers = cast(BinaryIO, os.fdopen(os.dup(1), "wb", buffering=0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, sys.stdout.fileno())  # nothing a library prints may mix with answers
    _load_libraries()
    folder = os.path.realpath(tempfile.gettempdir())
    code = code_folders(Path(__file__).resolve().parents[3])
    room = _Room(folder, code, nowhere, _open_size())
    _forbid_side_effects(folder)
    gc.freeze()  # the libraries' objects stay shared with every fork
    seen = ["/"] if work == "paths" else code  # in the first case each fork takes back all but one folder
    walls = Walls(restrict_files(read=seen, write=[folder, os.devnull]), refuse_calls(a_fork=False))
    write_message(answers, {"ready": True, **asdict(walls)})
    while _answer_next(jobs, answers, room):
        give_memory_back()  # nothing of a file waits here for the next one, or lies before it
    shutil.rmtree(folder, ignore_errors=True)  # the app is gone; what is left is an empty folder until its next start


def _answer_next(jobs: BinaryIO, answers: BinaryIO, room: _Room) -> bool:
    """Answer one job; False when there is none any more."""
    job = _receive(jobs)
    if job is None:
        return False
    if b'"task": ' in job.header:  # code of this package, loaded once and outside of the fork's limits
        importlib.import_module(json.loads(job.header)["task"].partition(":")[0])
    answered = _in_fork(job, room)
    job.wipe()
    _pass_on(answers, answered)
    answered.wipe()
    return True


def _load_libraries() -> None:
    """Import what the readers import late, so that no fork has to."""
    import ecgdatakit.parsing.parser
    import pandas  # noqa: F401
    import pydicom.filereader  # noqa: F401
    import scipy.io  # noqa: F401
    import wfdb  # noqa: F401

    ecgdatakit.parsing.parser.FileParser.supported_formats()


@dataclass(frozen=True)
class _Room:
    """What the forks are given: the private folder, the folders of code, /dev/null, and a file that says their size."""

    folder: str
    code: list[str]
    nowhere: int
    size: int | None


def _in_fork(job: Sealed, room: _Room) -> Sealed:
    """Answer one job in a fork with limits and a folder of its own; say so when the fork does not live to answer."""
    folder = tempfile.mkdtemp(dir=room.folder)
    try:
        return _answer_in_fork(job, room, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # also what a stopped parser left


def _answer_in_fork(job: Sealed, room: _Room, folder: str) -> Sealed:
    receiving, sending = os.pipe()
    child = _fork()
    if child == 0:
        status = 1
        try:
            _limit(scale_of(len(job.body)), room.size)
            header, body = job.open()
            tempfile.tempdir = folder
            os.chdir(folder)
            os.dup2(room.nowhere, 0)  # where the next visitor's job comes in
            os.closerange(3, sending)
            os.closerange(sending + 1, _MAX_DESCRIPTORS)
            own = [os.path.dirname(header["path"])] if "path" in header else []  # WFDB has several files
            restrict_files(read=[*room.code, *own], write=[folder, os.devnull])
            refuse_calls(a_fork=True)
            with os.fdopen(sending, "wb") as stream:
                write_message(stream, *answer(header, body))
            status = 0
        finally:
            os._exit(status)  # whatever happened: no clean-up of the parent's state, no traceback with values in it
    os.close(sending)
    with os.fdopen(receiving, "rb", buffering=0) as stream:
        message = _receive(cast(BinaryIO, stream))
    _, status = os.waitpid(child, 0)
    if message is not None:
        return message
    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    late = killed_by in (signal.SIGALRM, getattr(signal, "SIGXCPU", 0), signal.SIGKILL)
    text = TIME_MESSAGE if late else CRASH_MESSAGE
    return seal({"error": "RecordingFormatError", "message": text, "crashed": not late})


def _limit(scale: float, size: int | None) -> None:
    """Limit this process: wall time, CPU time, memory, file size, no core dump."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process even inside a C loop
    signal.setitimer(signal.ITIMER_REAL, WALL_LIMIT_S * scale)
    import resource

    for name, limit in (
        ("RLIMIT_CPU", math.ceil(CPU_LIMIT_S * scale)),
        ("RLIMIT_AS", _mapped_bytes(size) + int(MEMORY_LIMIT_BYTES * scale)),
        ("RLIMIT_FSIZE", FILE_LIMIT_BYTES),
        ("RLIMIT_CORE", 0),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (limit, limit))
        except (ValueError, OSError):  # macOS knows RLIMIT_AS and refuses to set it
            continue


def _open_size() -> int | None:
    """Open what the system says of this process's size; later the file could not be opened any more."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None


def _mapped_bytes(size: int | None) -> int:
    """Return the size of the address space that a fork begins with, or a generous guess where the system is silent."""
    try:
        return 2_000_000_000 if size is None else int(os.pread(size, 200, 0).split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 2_000_000_000


_forking = False


def _fork() -> int:
    """Fork past the audit hook, which refuses forks to everyone else."""
    global _forking
    _forking = True
    try:
        return os.fork()
    finally:
        _forking = False


def _forbid_side_effects(folder: str) -> None:
    """Refuse connections, programs and writing outside `folder` from now on; the hook cannot be removed."""

    def inside(path: object) -> bool:
        if isinstance(path, int):
            return True  # an open descriptor
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        return text == os.devnull or os.path.realpath(text).startswith(folder + os.sep) or text == folder

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            by_mode = any(letter in (mode or "r") for letter in "wax+")
            writes = bool(flags & _WRITING) if isinstance(flags, int) else by_mode
            forbidden = writes and not inside(path)
        elif event in _PATH_EVENTS:
            forbidden = not all(inside(path) for path in arguments[:2] if isinstance(path, (str, bytes, os.PathLike)))
        else:
            forbidden = event in _FORBIDDEN_EVENTS and not (event == "os.fork" and _forking)
        if forbidden:
            raise _ForbiddenError(event)

    sys.addaudithook(hook)
