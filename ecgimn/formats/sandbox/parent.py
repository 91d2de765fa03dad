"""Reads files from outside in a child process with limits on computing, waiting and memory, so that none does harm.

One child per app for uploads (`ecgimn.formats.sandbox.child`), shared by all visitors and used by one at a time; it
forks for every upload. It is started by `start_reader` or by the first upload, and again whenever it is gone. The
command line and each worker of a batch have one of their own for files that are named by their paths; that one may open
files, and each of its forks sees only the folder of the file that it reads.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np

import ecgimn.formats.sandbox.child as reader
from ecgimn import errors
from ecgimn.errors import EcgImnError, RecordingFormatError
from ecgimn.formats.limits import MAX_FILE_BYTES, too_large
from ecgimn.formats.sandbox.wall import Walls
from ecgimn.formats.table import MissingFactsError, Preview, ReadingHints, UnusedFactError
from ecgimn.recording import Recording, Sex

_log = logging.getLogger(__name__)

_START_LIMIT_S = 60.0  # loading the libraries takes about 2 s, much longer on a busy machine
_GRACE_S = 3.0  # beyond the child's own limit, for sending and starting
_CODE = "import sys; sys.path[:0] = [sys.argv[1]]; from ecgimn.formats.sandbox.child import main; main(sys.argv[2])"
Work = Literal["uploads", "paths"]


class _Child:
    """The running child process and its private folder."""

    def __init__(self, work: Work = "uploads") -> None:
        self.folder, self._held = _make_folder()
        self.tasks: set[str | None] = {None}  # whose code the child has loaded; None reads a recording
        root = str(Path(reader.__file__).resolve().parents[3])
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {"TMPDIR": self.folder, "HOME": self.folder, "MPLCONFIGDIR": self.folder, **threads}
        for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT"):
            if name in os.environ:
                environment[name] = os.environ[name]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _CODE, root, work],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may quote a file
            bufsize=0,  # a buffer would keep the beginning of the last upload
            cwd=self.folder,
            env=environment,
            start_new_session=True,
        )
        self.jobs = cast(BinaryIO, self.process.stdin)
        self.answers = cast(BinaryIO, self.process.stdout)

    def receive(self, limit_s: float) -> tuple[dict[str, Any], bytes] | None:
        """Return the child's next message, or None when none comes in time."""
        stream = _Timed(self.answers, time.monotonic() + limit_s)
        try:
            return reader.read_message(cast(BinaryIO, stream))
        except (TimeoutError, OSError, ValueError):
            return None

    def stop(self) -> None:
        """End the child and whatever it forked, and remove its folder."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(OSError):
            self.jobs.close()
        self.answers.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None


_PREFIX = "ecgimn-upload-"
_MEMORY_FOLDER = Path("/dev/shm")


def _make_folder() -> tuple[str, int | None]:
    """Make the child's folder, in memory where the system has such a place, and remove those whose app is gone.

    A folder is locked for as long as its app lives, so that another app on this machine knows.
    """
    inside = _MEMORY_FOLDER if os.access(_MEMORY_FOLDER, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    for left in inside.glob(f"{_PREFIX}*"):
        held = _hold(str(left))
        if held is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(held)
    while True:
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=inside)
        held = _hold(folder)
        if os.path.isdir(folder):  # else another app found it before it was locked
            return folder, held


def _hold(folder: str) -> int | None:
    """Lock a folder of this user's; None where that cannot be done, or another process holds it."""
    try:
        import fcntl

        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (ImportError, OSError):
        return None
    try:
        if os.fstat(opened).st_uid != os.geteuid():
            raise OSError("another user's")
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        return None
    return opened


class _Timed:
    """Reads a pipe up to a deadline."""

    def __init__(self, stream: BinaryIO, deadline: float) -> None:
        self._descriptor = stream.fileno()
        self._deadline = deadline

    def read(self, n_bytes: int) -> bytes:
        parts, missing = [], n_bytes
        while missing:
            left = self._deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise TimeoutError
            part = os.read(self._descriptor, min(missing, 1 << 20))
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


_lock = threading.Lock()
_children: dict[Work, _Child] = {}


def start_reader() -> None:
    """Start the child before the first upload needs it; returns at once. Call it when the app starts."""
    threading.Thread(target=_start_quietly, name="ecgimn-reader-start", daemon=True).start()


def read_in_child(
    files: Mapping[str, bytes],
    hints: ReadingHints | None = None,
    *,
    age: int | None = None,
    sex: Sex | None = None,
) -> Recording:
    """Read one recording in the child process; see `ecgimn.formats.read.read_files`.

    Raises
    ------
    MissingFactsError, RecordingFormatError, LeadError, SignalError
        As the reader in the child raises them; also when the limits on time or memory are reached.
    """
    total = sum(len(data) for data in files.values())
    if total > MAX_FILE_BYTES:
        raise too_large("The upload", total, MAX_FILE_BYTES)
    job = {"files": [(name, len(data)) for name, data in files.items()], **_facts(hints, age, sex)}
    with _lock:
        message = _ask(job, b"".join(files.values()))
    return _recording(*message)


def read_path_in_child(
    path: Path,
    hints: ReadingHints | None = None,
    *,
    age: int | None = None,
    sex: Sex | None = None,
    source: str = "file",
) -> Recording:
    """Read one recording of this machine in a child process; see `ecgimn.formats.read_recording`.

    Raises
    ------
    MissingFactsError, RecordingFormatError, LeadError, SignalError
        As the reader in the child raises them; also when the limits on time or memory are reached.
    """
    with _lock:
        message = _ask({"path": os.path.abspath(path), "source": source, **_facts(hints, age, sex)}, b"", "paths")
    return _recording(*message)


def _facts(hints: ReadingHints | None, age: int | None, sex: Sex | None) -> dict[str, Any]:
    given = asdict(replace(hints, fs=None if hints.fs is None else float(hints.fs))) if hints else None
    return {"hints": given, "age": age, "sex": sex}


def look_in_child(task: str, data: bytes) -> Any:
    """Let a function of this package look at data from outside in the child process.

    Parameters
    ----------
    task : str
        "module:function"; the function takes the bytes and returns JSON values.
    data : bytes

    Raises
    ------
    EcgImnError
        As the function raises it; `RecordingFormatError` when the limits on time or memory are reached.
    """
    with _lock:
        header, _ = _ask({"files": [], "task": task}, data)
    if "error" in header:
        raise _error(header)
    return header["found"]


def stop_reader() -> None:
    """End the child processes that run."""
    with _lock:
        while _children:
            _children.popitem()[1].stop()


atexit.register(stop_reader)


def _begin_anew() -> None:
    """Leave the children of the process that this one was forked from to it."""
    global _lock
    _lock = threading.Lock()
    _children.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _start_quietly() -> None:
    with _lock, contextlib.suppress(RecordingFormatError):
        _running()


def _running(work: Work = "uploads") -> _Child:
    """Return the child, starting it when there is none or it is gone. Needs `_lock`."""
    if not hasattr(os, "fork"):
        raise RecordingFormatError(
            "This system cannot read uploads in a process of their own. Linux or macOS is needed. "
            "Read the file with `python -m ecgimn explain FILE` instead."
        )
    child = _children.get(work)
    if child is not None and child.process.poll() is None:
        return child
    if child is not None:
        _children.pop(work).stop()
    child = _Child(work)
    said = child.receive(_START_LIMIT_S)
    if said is None:
        child.stop()
        raise RecordingFormatError(
            "The process that reads uploads did not start. It is needed to open files from outside safely. "
            "Try again, or restart the app."
        )
    missing = Walls(said[0]["landlock"], said[0]["seccomp"]).missing
    if missing is not None:
        _log.warning(missing)
    _children[work] = child
    return child


def _ask(job: Mapping[str, Any], body: bytes, work: Work = "uploads") -> tuple[dict[str, Any], bytes]:
    """Send a job and return the answer; end the child and say so when it gives none. Needs `_lock`."""
    child = _running(work)
    message = None
    with contextlib.suppress(OSError):
        reader.write_message(child.jobs, job, body)
        loading_s = 0.0 if job.get("task") in child.tasks else _START_LIMIT_S
        child.tasks.add(job.get("task"))
        message = child.receive(reader.WALL_LIMIT_S * reader.scale_of(len(body)) + _GRACE_S + loading_s)
    if message is None:
        text = reader.TIME_MESSAGE if child.process.poll() is None else reader.CRASH_MESSAGE
        message = {"error": "RecordingFormatError", "message": text}, b""
        _children.pop(work).stop()
    return message


def _as_tuples(value: Any) -> Any:
    """Return what JSON gave back with tuples for its lists."""
    if isinstance(value, dict):
        return {key: _as_tuples(item) for key, item in value.items()}
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value


def _error(header: Mapping[str, Any]) -> EcgImnError:
    """Return the error that the child reports, of its own kind."""
    match header["error"]:
        case "MissingFactsError":
            return MissingFactsError(tuple(header["needed"]), Preview(**_as_tuples(header["preview"])), header["why"])
        case "UnusedFactError":
            return UnusedFactError(header["fact"], header["what"])
    kind = getattr(errors, header["error"], RecordingFormatError)
    return cast(EcgImnError, kind(header["message"]))


def _recording(header: Mapping[str, Any], body: bytes) -> Recording:
    """Turn the child's answer into a recording, or raise its error."""
    if "error" in header:
        raise _error(header)
    samples = np.frombuffer(body, dtype=np.float32).reshape(12, header["n_samples"])
    return Recording(
        samples,
        header["fs"],
        record_name=header["record_name"],
        source=header["source"],
        age=header["age"],
        sex=header["sex"],
        derived_leads=tuple(header["derived_leads"]),
        notes=tuple(header["notes"]),
    )
