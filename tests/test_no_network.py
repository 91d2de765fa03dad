"""Reading and explaining an ECG contacts nobody and leaves nothing behind, native code of the libraries included.

Each program runs in a network namespace of its own, with no interface but loopback. The kernel counts there what had no
route (`OutNoRoutes`), whoever asked: a look-up by the C library and a TLS client inside onnxruntime count like Python's
own sockets. Home, cache, temporary and working folder are empty at the start and listed at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.test_cli import synthetic_uv, write

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("home", "cache", "tmp", "work")
NAMESPACE = ("unshare", "--net", "--mount", "--map-root-user")
#: Runs in the namespace: name servers without a route, loopback if asked for. Its last line counts what had no route.
INSIDE = """
import fcntl, pathlib, socket, struct, subprocess, sys
resolver, loopback, *command = sys.argv[1:]
subprocess.run(["mount", "--bind", resolver, "/etc/resolv.conf"], check=True)
if loopback == "up":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
status = subprocess.run(command).returncode
names, values = (line.split() for line in pathlib.Path("/proc/net/snmp").read_text().splitlines() if line[:3] == "Ip:")
six = pathlib.Path("/proc/net/snmp6")
counts = dict(line.split() for line in six.read_text().splitlines()) if six.exists() else {}
print(int(values[names.index("OutNoRoutes")]) + int(counts.get("Ip6OutNoRoutes", 0)))
sys.exit(status)
"""
READ_AND_EXPLAIN = """
import time
from ecgimn import load_composite, load_model, make_ledger, read_signal
from ecgimn.explain.explanation import explain
recording = load_composite("imi")
reading = read_signal(recording)
assert reading.measurements is not None  # waves were found, so onnxruntime was at work
make_ledger(explain(recording, load_model()), recording, reading.waves, reading.levels)
time.sleep(8)  # a thread of onnxruntime's own looks names up, some seconds after it was imported
"""
#: One visitor who opens every page of the app, and one page of another site that tries to talk to it.
VISIT = """
import subprocess, sys, time, urllib.request
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
app = subprocess.Popen([sys.executable, "-m", "pages", "--server.port=8765"], cwd=sys.argv[1])
for _ in range(600):
    try:
        urllib.request.urlopen("http://127.0.0.1:8765/_stcore/health", timeout=5)
        break
    except OSError:
        time.sleep(0.1)
address = "ws://127.0.0.1:8765/_stcore/stream"
try:
    connect(address, origin="https://elsewhere.example", proxy=None)
except InvalidStatus:
    pass
else:
    sys.exit("a page of another site may talk to the app")
seen = {}
with connect(address, origin="http://127.0.0.1:8765", max_size=None, proxy=None) as visitor:
    def draw(page):
        ask = BackMsg()
        ask.rerun_script.page_script_hash = page
        visitor.send(ask.SerializeToString())
        drawn, pages = b"", []
        while True:
            message = ForwardMsg.FromString(data := visitor.recv(timeout=300))
            kind = message.WhichOneof("type")
            if kind == "navigation":
                pages = list(message.navigation.app_pages)
            elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
                sys.exit("a page ended in an error: " + message.delta.new_element.exception.message)
            elif kind == "script_finished":
                return drawn, pages
            drawn += data
    drawn, pages = draw("")
    assert b"QTc" in drawn  # the case was read and its intervals are on the page
    for page in pages:
        seen[page.url_pathname or "read"] = len(draw(page.page_script_hash)[0])
print("PAGES", *sorted(seen), flush=True)
assert min(seen.values()) > 5_000, seen
time.sleep(8)
app.terminate()
sys.exit(app.wait(20) not in (0, -15))
"""


#: In every Python that reads its site: names what its own sockets are asked to reach, beside what the kernel counts.
ASKED = """
import os, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        asked = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        host = str(asked[0] if isinstance(asked, tuple) else asked or "")
        local = host in ("", "127.0.0.1", "::1", "localhost", "0.0.0.0", "::", os.uname().nodename)
        if not local and not host.startswith(("/", "b'")):
            with open(os.environ["ASKED"], "a") as handle:
                handle.write(f"{event} {host}\\n")
sys.addaudithook(hook)
"""


@dataclass(frozen=True)
class Seen:
    """What a program did: tries to reach something that is not on this machine, files that it left, what it said.

    `asked` names the hosts that Python's own sockets were asked for; the kernel's count holds native code too.
    """

    tries: int
    left: list[str]
    asked: tuple[str, ...] = ()
    said: str = field(default="", compare=False)


@pytest.fixture
def namespace() -> None:
    """Skip where no network namespace can be made."""
    if shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here (unshare --net)")


def watch(folder: Path, *command: str | Path, loopback: str = "down") -> Seen:
    """Run a program in a namespace of its own, for a user who has telemetry of onnxruntime switched on."""
    for name in FOLDERS:
        (folder / name).mkdir()
    (folder / "resolv.conf").write_text("nameserver 192.0.2.53\n")  # TEST-NET-1, never routed (RFC 5737)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache"),
        "TMPDIR": str(folder / "tmp"), "PYTHONPATH": f"{folder / 'site'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "0", "ASKED": str(folder / "asked"),
    }  # fmt: skip  # and no CI=true, which silences onnxruntime by itself
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(ASKED)
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", INSIDE, folder / "resolv.conf", loopback, *command],
        cwd=folder / "work", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    left = sorted(path.relative_to(folder).as_posix() for name in FOLDERS for path in (folder / name).rglob("*"))
    asked = (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []
    return Seen(int(done.stdout.splitlines()[-1]), left, tuple(asked), done.stdout)


@pytest.mark.usefixtures("namespace")
def test_the_namespace_shows_look_ups_connections_and_files(tmp_path: Path) -> None:
    code = """
import contextlib, os, socket
for act in (
    lambda: socket.getaddrinfo("example.org", 443),
    lambda: socket.create_connection(("192.0.2.1", 443)),
    lambda: socket.create_connection(("2001:db8::1", 443)),
):
    with contextlib.suppress(OSError):
        act()
open(os.path.expanduser("~/left"), "w").close()
"""
    seen = watch(tmp_path, sys.executable, "-c", code)
    assert seen.tries >= 3
    assert {line.split()[1] for line in seen.asked} == {"example.org", "192.0.2.1", "2001:db8::1"}
    assert seen.left == ["home/left"]


@pytest.mark.usefixtures("namespace")
def test_reading_and_explaining_a_composite_contacts_nobody_and_leaves_no_file(tmp_path: Path) -> None:
    assert watch(tmp_path, sys.executable, "-c", READ_AND_EXPLAIN) == Seen(0, [])


@pytest.mark.usefixtures("namespace")
def test_the_workers_of_a_batch_run_contact_nobody(tmp_path: Path) -> None:
    (source := tmp_path / "source").mkdir()
    write(source, synthetic_uv())
    batch = ("batch", source, "--out", tmp_path / "out", "--workers", "2")
    assert watch(tmp_path, sys.executable, "-m", "ecgimn", *batch) == Seen(0, [])
    assert list((tmp_path / "out").rglob("*.parquet"))


@pytest.mark.usefixtures("namespace")
def test_a_visit_of_every_page_contacts_nobody_and_writes_in_its_own_folders(tmp_path: Path) -> None:
    seen = watch(tmp_path, sys.executable, "-c", VISIT, ROOT, loopback="up")
    assert (seen.tries, seen.asked) == (0, ())
    opened = next(line for line in seen.said.splitlines() if line.startswith("PAGES ")).split()[1:]
    assert len(opened) == len(list((ROOT / "pages").glob("[!_]*.py")))
    own = [name for name in seen.left if "ecgimn" in name]  # the study database among them
    assert [name for name in seen.left if name not in own and not own[0].startswith(f"{name}/")] == []
