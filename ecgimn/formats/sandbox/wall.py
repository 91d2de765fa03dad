"""The wall about the process that reads uploads: Landlock for files, seccomp for system calls; neither needs root.

Landlock (Linux 5.13 and later; landlock(7)) leaves a process the folders it is given and nothing else of the file
system, and no process outside of its walls can be traced or, from Linux 6.12 on, signalled. A seccomp filter
(seccomp(2)) refuses sockets, programs, other processes' memory and what else reading a file never needs. Both hold for
all descendants and cannot be taken down again. Where a kernel lacks one, `Walls` says so, and the Python audit hook of
`ecgimn.formats.sandbox.child` is what is left.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
_TRIM, _OPTION = (getattr(_LIBC, name, None) for name in ("malloc_trim", "mallopt"))  # of the GNU C library alone
_PERTURB = -6  # M_PERTURB of mallopt(3)
_POOLED_BYTES, _WASHED_BYTES = 512, 1 << 21  # Python keeps pools for objects up to that size; overwritten of each size
_LEAST_CHUNK, _LARGEST_KEPT_CHUNK = 24, 1032  # bytes in the chunks that the GNU C library keeps for each thread

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_READ_FILE, _READ_DIR, _EXECUTE, _IOCTL_DEV = 1 << 2, 1 << 3, 1 << 0, 1 << 15
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
#: How many kinds of access to files each version of Landlock knows, from version 1 on.
_FILE_RIGHTS = (13, 14, 15, 15, 16)
_NETWORK_FROM, _SCOPE_FROM = 4, 6


@dataclass(frozen=True)
class Walls:
    """What holds about the process: version of Landlock (0 without it), and whether system calls are filtered."""

    landlock: int
    seccomp: bool

    @property
    def missing(self) -> str | None:
        """What this kernel lacks, in words; None where both walls stand."""
        lacking = [name for name, there in (("Landlock", self.landlock > 0), ("seccomp", self.seccomp)) if not there]
        if not lacking:
            return None
        return (
            f"This kernel lacks {' and '.join(lacking)}, so limits and checks in Python alone hold the process that "
            "reads uploads. Linux 5.13 or later on x86-64 or arm64 is needed for both walls. Run the app in a "
            "container or service of its own (docs/deployment.md)."
        )


# Landlock.


def landlock_version() -> int:
    """Return the version of Landlock that this kernel has, 0 for none."""
    if _LIBC is None or platform.system() != "Linux":
        return 0
    return max(int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)), 0)


def restrict_files(*, read: Iterable[str], write: Iterable[str]) -> int:
    """Leave this process some files and folders; return the version of Landlock, 0 where nothing was restricted.

    Parameters
    ----------
    read : iterable of str
        Files and folders that may be read; those that are not there are left out.
    write : iterable of str
        Files and folders in which everything may be done but running a program.
    """
    version = landlock_version()
    if version == 0 or _LIBC is None:
        return 0
    rights = (1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1
    attributes = struct.pack("=Q", rights)
    attributes += struct.pack("=Q", 0b11) if version >= _NETWORK_FROM else b""  # neither bind nor connect
    attributes += struct.pack("=Q", 0b11) if version >= _SCOPE_FROM else b""  # no signals or sockets beyond the wall
    rules = _LIBC.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return 0
    try:
        for paths, allowed in ((read, _READ_FILE | _READ_DIR), (write, rights & ~(_EXECUTE | _IOCTL_DEV))):
            for path in paths:
                _allow(_LIBC, rules, path, allowed)
        _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return 0 if _LIBC.syscall(_RESTRICT_SELF, rules, 0) else version
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, allowed: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            allowed &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        libc.syscall(_ADD_RULE, rules, 1, struct.pack("=Qi", allowed, opened), 0)
    finally:
        os.close(opened)


def code_folders(root: Path) -> list[str]:
    """Return what this process may need to load more code: Python's folders, this package, shared libraries."""
    import sysconfig

    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {str(root / "ecgimn")}
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        maps = []
    folders |= {str(Path(line.split()[-1]).parent) for line in maps if ".so" in line and line.split()[-1][0] == "/"}
    return [*sorted(folders), "/etc/ld.so.cache", "/dev/urandom", "/usr/share/zoneinfo", "/etc/localtime"]


# seccomp.

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _ALL_BITS, _RETURN = (
    0x20,
    0x15,
    0x35,
    0x45,
    0x06,
)  # BPF_LD|W|ABS, JEQ, JGE, JSET, RET, each |K
_NR, _ARCH, _ARGUMENT = 0, 4, 16  # offsets in seccomp_data
_CLONE_THREAD = 0x00010000
#: Calls with a higher number did not exist when this list was made: whatever they do, they are answered with "no such
#: call", upon which the C library falls back to older ones. 446 is landlock_restrict_self; x32 calls lie above, too.
_LAST_KNOWN = 446

#: System calls that reading a file never needs, with their numbers (x86-64, arm64); None where there is no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # connections
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "recvfrom": (45, 207), "recvmsg": (47, 212), "recvmmsg": (299, 243),
    # programs
    "execve": (59, 221), "execveat": (322, 281), "memfd_create": (319, 279), "uselib": (134, None),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # memory and queues shared with others
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181),
    # the kernel's less trodden paths
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "modify_ldt": (154, None), "personality": (135, 92), "vmsplice": (278, 75),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18), "nfsservctl": (180, 42), "remap_file_pages": (216, 234), "syslog": (103, 116),
    # the machine
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "mount_setattr": (442, 442), "quotactl_fd": (443, 443), "process_madvise": (440, 440),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "reboot": (169, 142),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, None),
    "ioperm": (173, None), "mknod": (133, None), "mknodat": (259, 33),
}  # fmt: skip
#: Refused on top of that to a fork that has a file in hand: processes, signals, and its own limits.
_REFUSED_TO_A_FORK: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None), "vfork": (58, None), "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "setrlimit": (160, 164), "setitimer": (38, 103),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "chmod": (90, None), "fchmodat": (268, 53),
    "chown": (92, None), "lchown": (94, None), "fchownat": (260, 54), "setsid": (112, 157), "setpgid": (109, 154),
}  # fmt: skip
_CLONE, _CLONE3, _PRLIMIT = (56, 220), (435, 435), (302, 261)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH


def refuse_calls(*, a_fork: bool) -> bool:
    """Refuse system calls from now on; return whether the kernel took the filter.

    Parameters
    ----------
    a_fork : bool
        Also refuse new processes, signals and other limits; threads stay allowed.
    """
    if (
        _LIBC is None
        or platform.system() != "Linux"
        or platform.machine() not in _MACHINES
        or struct.calcsize("P") != 8
    ):
        return False
    program = _filter(platform.machine(), a_fork)
    code = ctypes.create_string_buffer(b"".join(program), 8 * len(program))
    wanted = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(_LIBC.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, wanted, 0, 0) == 0)


def _filter(machine: str, a_fork: bool) -> Sequence[bytes]:
    """Return the filter as instructions of classic BPF."""
    column, arch = _MACHINES[machine]
    listed = {**_REFUSED, **(_REFUSED_TO_A_FORK if a_fork else {})}
    numbers = sorted(number for pair in listed.values() if (number := pair[column]) is not None)
    no, none = _step(_RETURN, _ERRNO | _EPERM), _step(_RETURN, _ERRNO | _ENOSYS)
    program = [
        _step(_LOAD, _ARCH), _step(_EQUAL, arch, 1, 0), _step(_RETURN, _KILL),
        _step(_LOAD, _NR), _step(_AT_LEAST, _LAST_KNOWN + 1, 0, 1), none,
    ]  # fmt: skip
    for number in numbers:
        program += [_step(_EQUAL, number, 0, 1), no]
    if a_fork:
        program += [
            _step(_EQUAL, _CLONE3[column], 0, 1),
            none,
        ]  # its flags lie in memory; the C library then uses clone
        program += [
            _step(_EQUAL, _CLONE[column], 0, 4), _step(_LOAD, _ARGUMENT), _step(_ALL_BITS, _CLONE_THREAD, 1, 0), no,
            _step(_LOAD, _NR),
        ]  # fmt: skip
        program += [
            _step(_EQUAL, _PRLIMIT[column], 0, 5), _step(_LOAD, _ARGUMENT + 16), _step(_EQUAL, 0, 0, 2),
            _step(_LOAD, _ARGUMENT + 20), _step(_EQUAL, 0, 1, 0), no,
        ]  # fmt: skip
    return [*program, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def overwrite_what_is_freed() -> None:
    """Let the C library overwrite memory as it is freed, from now on; costs a twentieth of the computing, or less.

    Chunks of up to a kilobyte, of which each thread keeps a few at hand, and Python's own pools are left as they are:
    `overwrite_what_was_freed` is for these.
    """
    if _OPTION is not None:
        _OPTION(_PERTURB, 0xA5)


def overwrite_what_was_freed() -> None:
    """Overwrite what freed objects left in Python's pools, the last freed first, and in chunks that threads keep.

    Of each size, 2 MB of the pools are overwritten, which takes 50 ms. Chunks are those of this thread and, with the
    next thing that it does, of the main thread, in which a server takes uploads apart.
    """
    for size in range(64, _POOLED_BYTES + 1, 16):
        blocks = [bytes(size - bytes.__basicsize__) for _ in range(_WASHED_BYTES // size)]
        del blocks
    _overwrite_chunks(None)
    if threading.current_thread() is not threading.main_thread():
        ctypes.pythonapi.Py_AddPendingCall(_FROM_MAIN_THREAD, None)


def _overwrite_chunks(_: int | None) -> int:
    """Take and overwrite more chunks of each size than the C library keeps for this thread (seven), and free them."""
    if _LIBC is None or _OPTION is None:
        return 0
    take = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(("malloc", _LIBC))
    for size in range(_LEAST_CHUNK, _LARGEST_KEPT_CHUNK + 1, 16):
        for chunk in [take(size) for _ in range(8)]:
            if chunk:
                ctypes.memset(chunk, 0, size)
                _LIBC.free(ctypes.c_void_p(chunk))
    return 0


_FROM_MAIN_THREAD = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_overwrite_chunks)


def give_memory_back() -> None:
    """Return what was freed to the system, which gives it to nobody unwiped; the C library would keep it as it is."""
    if _TRIM is not None:
        _TRIM(0)
