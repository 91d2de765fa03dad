"""The wall about the child: code that runs in it, as of a parser taken over by its file, tries to get out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, cast

import pytest

import ecgimn.formats.sandbox.child as child
from ecgimn.formats.sandbox.wall import _MACHINES, _REFUSED, _REFUSED_TO_A_FORK, Walls, landlock_version

ROOT = Path(child.__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(
    landlock_version() == 0 or platform.machine() not in _MACHINES, reason="this kernel has no Landlock"
)

#: Replaces the reader in a real child and answers with what it could do. It calls the C library, so no check in Python
#: stands in its way: what is refused, the kernel refuses.
TAKEN_OVER = """
import ctypes, errno, json, os, struct, sys
sys.path[:0] = [sys.argv[1]]
outside, app = sys.argv[2].encode(), int(sys.argv[3])
import ecgimn.formats.sandbox.child as child
from ecgimn.errors import RecordingError
from ecgimn.formats.sandbox.wall import _LIBC as c

def done(returned):
    if returned >= 0:
        return "done"
    return errno.errorcode[ctypes.get_errno()]

def memory_of(pid):
    buffer = ctypes.create_string_buffer(64)
    own = struct.pack("PN", ctypes.addressof(buffer), 64)
    return c.process_vm_readv(pid, own, 1, own, 1, 0)

def forked():
    child_of_fork = c.fork()
    if child_of_fork == 0:
        os._exit(0)
    return child_of_fork

def try_all(*arguments, **options):
    zygote = os.getppid()
    argv = (ctypes.c_char_p * 2)(b"true", None)
    attempts = {
        "read passwd": lambda: c.open(b"/etc/passwd", os.O_RDONLY),
        "list root": lambda: c.open(b"/", os.O_RDONLY | os.O_DIRECTORY),
        "read a file outside": lambda: c.open(outside + b"/kept.txt", os.O_RDONLY),
        "read the study database": lambda: c.open(outside + b"/studies.sqlite", os.O_RDWR),
        "write outside": lambda: c.open(outside + b"/new.txt", os.O_WRONLY | os.O_CREAT, 0o600),
        "append outside": lambda: c.open(outside + b"/kept.txt", os.O_WRONLY | os.O_APPEND),
        "truncate outside": lambda: c.truncate(outside + b"/kept.txt", 0),
        "remove outside": lambda: c.unlink(outside + b"/kept.txt"),
        "rename outside": lambda: c.rename(outside + b"/kept.txt", outside + b"/other.txt"),
        "folder outside": lambda: c.mkdir(outside + b"/folder", 0o700),
        "link outside": lambda: c.symlink(b"/etc/passwd", outside + b"/link"),
        "mode outside": lambda: c.chmod(outside + b"/kept.txt", 0o777),
        "write code": lambda: c.open(child.__file__.encode(), os.O_WRONLY),
        "app memory by file": lambda: c.open(b"/proc/%d/mem" % app, os.O_RDONLY),
        "app environment": lambda: c.open(b"/proc/%d/environ" % app, os.O_RDONLY),
        "app descriptors": lambda: c.open(b"/proc/%d/fd" % app, os.O_RDONLY),
        "zygote memory by file": lambda: c.open(b"/proc/%d/mem" % zygote, os.O_RDONLY),
        "app memory by call": lambda: memory_of(app),
        "zygote memory by call": lambda: memory_of(zygote),
        "trace the app": lambda: c.ptrace(16, app, 0, 0),
        "trace the zygote": lambda: c.ptrace(16, zygote, 0, 0),
        "signal the app": lambda: c.kill(app, 0),
        "stop the zygote": lambda: c.kill(zygote, 9),
        "udp": lambda: c.socket(2, 2, 0),
        "tcp": lambda: c.socket(2, 1, 0),
        "ipv6": lambda: c.socket(10, 2, 0),
        "unix": lambda: c.socket(1, 1, 0),
        "netlink": lambda: c.socket(16, 3, 0),
        "raw": lambda: c.socket(17, 3, 0),
        "socket pair": lambda: c.socketpair(1, 1, 0, ctypes.create_string_buffer(8)),
        "program": lambda: c.execve(b"/bin/true", argv, None),
        "python": lambda: c.execve(sys.executable.encode(), argv, None),
        "program in memory": lambda: c.memfd_create(b"x", 0),
        "fork": forked,
        "shared memory": lambda: c.shmget(0x1234, 4096, 0o1600),
        "io_uring": lambda: c.syscall(425, 1, ctypes.create_string_buffer(256)),
        "keyring": lambda: c.syscall(250 if os.uname().machine == "x86_64" else 219, 0, -3, 0),
        "namespace": lambda: c.unshare(0x10000000),
        "more time": lambda: c.setitimer(0, ctypes.create_string_buffer(32), None),
        "more memory": lambda: c.prlimit(0, 9, struct.pack("QQ", 2**62, 2**62), None),
        "a call of tomorrow": lambda: c.syscall(600),
        "32-bit call": lambda: c.syscall(0x40000000 + 41, 2, 2, 0) if os.uname().machine == "x86_64" else -1,
    }
    found = {}
    if len(sys.argv) > 4:  # without a wall, and only what does no harm
        attempts = {name: attempts[name] for name in sys.argv[4:]}
    for name, attempt in attempts.items():
        ctypes.set_errno(1)
        found[name] = done(attempt())
    own = os.path.join(child.tempfile.gettempdir(), "own.txt")
    with open(own, "w") as file:
        file.write("x")
    found["own folder"] = open(own).read()
    found["code"] = str(len(open(child.__file__).read()) > 1000)
    found["limit"] = str(c.prlimit(0, 9, None, ctypes.create_string_buffer(16)))
    found["descriptors"] = " ".join(str(fd) for fd in range(64) if c.fcntl(fd, 1) >= 0)
    found["standard input"] = str(len(os.read(0, 10)))
    raise RecordingError(json.dumps(found))

child.read_files = try_all
child._load_libraries = lambda: None
if len(sys.argv) > 4:
    child.restrict_files, child.refuse_calls = (lambda **settings: 0), (lambda **settings: False)
child.main()
"""


def test_code_that_runs_in_the_child_reaches_no_file_process_connection_or_program(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    for name in ("kept.txt", "studies.sqlite"):
        (outside / name).write_text("kept")
    process = subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", TAKEN_OVER, str(ROOT), str(outside), str(os.getpid())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(inside)}, cwd=inside,
    )  # fmt: skip
    jobs, answers = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    assert process.stderr is not None
    ready = child.read_message(answers)
    for _ in range(2):  # the second visitor's job is answered by the same child, as if nothing had happened
        child.write_message(jobs, {"files": []})
        answered = child.read_message(answers)
        assert answered is not None, process.stderr.read().decode()
        found = json.loads(answered[0]["message"])

        done = {name for name, what in found.items() if what == "done"}
        assert done == set()
        assert found["own folder"] == "x"
        assert found["code"] == "True"
        assert found["limit"] == "0"
        assert len(found["descriptors"].split()) == 4  # in, out and error, which lead nowhere, and the way to answer
        assert found["standard input"] == "0"
    jobs.close()
    assert process.wait(20) == 0
    for stream in (answers, process.stderr):
        stream.close()
    assert ready is not None
    assert Walls(ready[0]["landlock"], ready[0]["seccomp"]).missing is None
    assert sorted((path.name, path.read_text()) for path in outside.iterdir()) == [
        ("kept.txt", "kept"), ("studies.sqlite", "kept"),
    ]  # fmt: skip


def test_without_the_wall_the_same_attempts_succeed(tmp_path: Path) -> None:
    """So it is the wall that refuses them."""
    harmless = ["read passwd", "list root", "read a file outside", "app environment", "udp",
                "socket pair", "fork", "program in memory"]  # fmt: skip
    (tmp_path / "kept.txt").write_text("kept")
    arguments = [sys.executable, "-I", "-B", "-c", TAKEN_OVER, str(ROOT), str(tmp_path), str(os.getpid()), *harmless]
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
    )
    jobs, answers = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    ready = child.read_message(answers)
    child.write_message(jobs, {"files": []})
    answered = child.read_message(answers)
    jobs.close()
    process.wait(20)
    answers.close()
    assert ready is not None
    assert Walls(ready[0]["landlock"], ready[0]["seccomp"]).missing is not None
    assert answered is not None
    found = json.loads(answered[0]["message"])
    assert {name: found[name] for name in harmless if found[name] != "done"} == {}


def test_what_a_kernel_lacks_is_said() -> None:
    assert Walls(7, True).missing is None
    for walls, words in ((Walls(0, True), "lacks Landlock,"), (Walls(0, False), "lacks Landlock and seccomp,")):
        assert words in str(walls.missing)
        assert "is needed" in str(walls.missing)


@pytest.mark.parametrize("listed", [_REFUSED, _REFUSED_TO_A_FORK])
def test_no_number_of_a_system_call_is_listed_twice(listed: dict[str, tuple[int | None, int | None]]) -> None:
    for column in (0, 1):
        numbers = [pair[column] for pair in listed.values() if pair[column] is not None]
        assert len(set(numbers)) == len(numbers)
