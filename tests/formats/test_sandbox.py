"""Uploads are read in a child process: limits hold, nothing is left behind, visitors never meet."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import ecgimn.formats as formats
import ecgimn.formats.read as read
import ecgimn.formats.sandbox.child as child
import ecgimn.formats.sandbox.parent as parent
from ecgimn.errors import LeadError, RecordingFormatError, SignalError
from ecgimn.formats import MissingFactsError, ReadingHints, read_upload
from ecgimn.formats.sandbox.wall import landlock_version
from ecgimn.leads import STANDARD_LEADS

MARKER = b"SYNTHETIC-MARKER-" + b"7391"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="uploads are read in a fork, which this system lacks")


@pytest.fixture(scope="module", autouse=True)
def started_child():
    """Start the child once for this module and end it afterwards."""
    parent.stop_reader()
    parent._start_quietly()
    yield
    parent.stop_reader()


def test_an_upload_has_a_random_name_and_the_samples_of_its_file(make, ecg):
    names = set()
    for _ in range(3):
        recording = read_upload(make.wfdb_files(ecg))
        np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
        assert recording.source == "upload"
        names.add(recording.record_name)
    assert len(names) == 3
    assert all(re.fullmatch(r"case-[0-9a-f]{6}", name) for name in names)


def test_an_upload_with_the_name_of_a_public_record_keeps_its_own_samples(make, ecg):
    first = read_upload(make.wfdb_files(ecg, name="00001_lr"))
    second = read_upload(make.wfdb_files(ecg * 2, name="00001_lr"))
    np.testing.assert_allclose(second.signal, 2 * first.signal, atol=1e-6)


def test_errors_cross_the_process_with_their_type_and_sentence(make, ecg):
    with pytest.raises(LeadError, match="found 3 of 12"):
        read_upload(make.wfdb_files(ecg[:3], leads=STANDARD_LEADS[:3]))
    files = make.wfdb_files(ecg)
    with pytest.raises(SignalError, match="0 Hz"):
        read_upload({**files, "case.hea": files["case.hea"].replace(b"case 12 500", b"case 12 0")})
    with pytest.raises(RecordingFormatError, match="PDF"):
        read_upload({"ecg.pdf": b"%PDF-1.7"})


def test_questions_and_answers_cross_the_process(make, ecg):
    files = {"ecg.csv": make.csv_file(ecg, header=False)}
    with pytest.raises(MissingFactsError) as caught:
        read_upload(files)
    assert caught.value.needed == ("leads", "fs", "unit")
    assert caught.value.preview.first[0] == tuple(np.round(ecg[:, 0] * 1000))
    recording = read_upload(
        files, hints=ReadingHints(fs=np.int64(500), unit="uV", leads=STANDARD_LEADS), age=44, sex="female"
    )
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert (recording.age, recording.sex) == (44, "female")


def test_nothing_of_an_upload_stays_on_disk(make, ecg, tmp_path, monkeypatch):
    monkeypatch.setattr(parent, "_MEMORY_FOLDER", tmp_path)  # the child's private folder goes here
    parent.stop_reader()
    for files in (make.wfdb_files(ecg), {"a.edf": make.edf_file(ecg)}, {"a.xml": b"<RestingECG/>"}):
        with contextlib.suppress(RecordingFormatError):
            read_upload(files)
        (folder,) = tmp_path.iterdir()
        assert not list(folder.iterdir())
    parent.stop_reader()
    assert not list(tmp_path.iterdir())


def test_uploads_of_many_threads_do_not_meet(make, ecg):
    def read(factor: int) -> float:
        recording = read_upload(make.wfdb_files(ecg * factor))
        return float(np.abs(recording.signal - ecg * factor).max())

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert max(pool.map(read, [1, 2, 3, 4] * 4)) < 1e-5


@pytest.mark.bench
def test_a_warm_child_answers_quickly(make, ecg):
    files = make.wfdb_files(ecg)
    read_upload(files)
    start = time.perf_counter()
    for _ in range(5):
        read_upload(files)
    assert (time.perf_counter() - start) / 5 < 1.0


def test_too_much_is_refused_before_it_is_sent():
    with pytest.raises(RecordingFormatError, match="At most 20,000,000"):
        read_upload({"ecg.csv": b"1" * 20_000_001})


def test_a_file_named_by_its_path_is_read_as_in_this_process(make, ecg, tmp_path):
    files = {**make.wfdb_files(ecg), "a.edf": make.edf_file(ecg), "a.csv": make.csv_file(ecg, header=False)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "link.edf").symlink_to(tmp_path / "a.edf")
    for name in ("case.hea", "case.dat", "a.edf"):
        there, here = (reader(tmp_path / name, age=40) for reader in (formats.read_foreign, formats.read_recording))
        np.testing.assert_array_equal(there.signal, here.signal)
        assert (there.fs, there.record_name, there.source, there.age, there.notes) == (
            here.fs, here.record_name, here.source, here.age, here.notes,
        )  # fmt: skip
    for name in ("a.csv", "none.hea", "link.edf", "."):
        said = []
        for reader in (formats.read_foreign, formats.read_recording):
            with pytest.raises(RecordingFormatError) as caught:
                reader(tmp_path / name)
            said.append((type(caught.value), str(caught.value)))
        assert said[0] == said[1]


@pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_parser_of_a_named_file_sees_the_folder_of_that_file_and_no_other(monkeypatch, tmp_path):
    for folder in ("own", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text(folder)

    def look_around() -> None:
        said = [(tmp_path / "own" / "a.csv").read_text()]
        for path in (tmp_path / "other" / "a.csv", Path("/etc/passwd")):
            with pytest.raises(PermissionError):
                path.read_text()
        with pytest.raises(PermissionError):
            (tmp_path / "own" / "b.csv").write_text("x")
        raise RecordingFormatError(f"saw {said}")

    header = in_fork(monkeypatch, look_around, path=tmp_path / "own" / "a.csv")
    assert header["message"] == "saw ['own']"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_stopped_parser_leaves_nothing_of_its_file(monkeypatch):
    def spill_and_hang() -> None:
        Path(tempfile.gettempdir(), "spilled").write_bytes(MARKER * 1000)
        time.sleep(60)

    assert in_fork(monkeypatch, spill_and_hang, wall_s=1)["message"] == child.TIME_MESSAGE


def test_folders_of_apps_that_were_killed_are_removed_at_the_next_start(monkeypatch, tmp_path):
    monkeypatch.setattr(parent, "_MEMORY_FOLDER", tmp_path)
    living, held = parent._make_folder()
    killed, lock = parent._make_folder()
    (Path(killed) / "spilled").write_bytes(MARKER)
    assert lock is not None
    os.close(lock)  # as the system does when a process is killed
    _, own = parent._make_folder()
    assert Path(living).is_dir()
    assert not Path(killed).exists()
    for descriptor in (held, own):
        assert descriptor is not None
        os.close(descriptor)


def test_a_child_that_is_gone_is_replaced(make, ecg):
    parent._start_quietly()
    assert "uploads" in parent._children
    parent._children["uploads"].process.kill()
    parent._children["uploads"].process.wait()
    assert read_upload(make.wfdb_files(ecg)).n_samples == 5000


def test_a_child_whose_app_is_gone_ends_and_leaves_nothing_in_its_folder():
    running = parent._Child()
    assert running.receive(60) is not None
    (Path(running.folder) / "spilled").write_bytes(MARKER)
    running.jobs.close()  # as when the app is killed
    assert running.process.wait(10) == 0
    assert not list(Path(running.folder).iterdir())  # the folder itself lies outside the child's walls
    running.stop()
    assert not Path(running.folder).exists()


# --- what the fork itself may not do: jobs that stand for a parser taken over by its file ----------


def room(folder: Path) -> child._Room:
    """What the child gives its forks, for a fork of this process."""
    code = child.code_folders(Path(child.__file__).resolve().parents[3])
    return child._Room(str(folder), code, os.open(os.devnull, os.O_RDWR), child._open_size())


def in_fork(
    monkeypatch: pytest.MonkeyPatch, work, *, wall_s: float = 120, cpu_s: int = 5, path: Path | None = None
) -> dict[str, object]:
    """Answer a job in a fork of this process whose reader is replaced by `work`."""
    for module, name in ((child, "read_files"), (formats, "read_recording")):
        monkeypatch.setattr(module, name, lambda *arguments, **options: work())
    monkeypatch.setattr(child, "WALL_LIMIT_S", wall_s)
    monkeypatch.setattr(child, "CPU_LIMIT_S", cpu_s)
    with tempfile.TemporaryDirectory() as folder:
        given = room(Path(folder))
        job = {"files": []} if path is None else {"path": str(path), "source": "file"}
        header, _ = child._in_fork(child.seal(job), given).open()
        assert not list(Path(folder).iterdir())
    for descriptor in (given.nowhere, given.size):
        if descriptor is not None:
            os.close(descriptor)
    return header


def compute_for_ever() -> None:
    """Stand for a parser that a file keeps busy."""
    while True:
        sum(range(10_000))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_parser_that_hangs_is_stopped(monkeypatch):
    header = in_fork(monkeypatch, lambda: time.sleep(60), wall_s=1)
    assert header["message"] == child.TIME_MESSAGE


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_parser_that_computes_too_long_is_stopped_by_what_it_used_and_not_by_the_clock(monkeypatch):
    """Limits on computing are strict: on a busy machine the same work takes longer and is still allowed."""
    assert child.CPU_LIMIT_S <= 5 < child.WALL_LIMIT_S
    before = os.times()
    header = in_fork(monkeypatch, compute_for_ever, wall_s=300, cpu_s=1)
    after = os.times()
    assert header["message"] == child.TIME_MESSAGE
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert 0.5 < used < 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_parser_that_takes_memory_is_stopped(monkeypatch):
    header = in_fork(monkeypatch, lambda: bytearray(1_000_000_000))
    assert header["message"] == child.MEMORY_MESSAGE


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_parser_that_crashes_is_reported_as_such(monkeypatch):
    assert in_fork(monkeypatch, lambda: os._exit(3))["message"] == child.CRASH_MESSAGE
    assert in_fork(monkeypatch, lambda: 1 / 0)["message"] == child.CRASH_MESSAGE


HOOK_CHECK = """
import os, pathlib, socket, subprocess, sys, tempfile
sys.path[:0] = [sys.argv[1]]
import ecgimn.formats.sandbox.child as child
inside, outside = tempfile.gettempdir(), sys.argv[2]
child._forbid_side_effects(os.path.realpath(inside))
pathlib.Path(inside, "own.txt").write_text("allowed")
(pathlib.Path(inside) / "own.txt").unlink()
open(sys.argv[1] + "/ecgimn/errors.py").close()
attempts = {
    "write": lambda: open(outside + "/new.txt", "w"),
    "append": lambda: open(outside + "/kept.txt", "a"),
    "os.open": lambda: os.open(outside + "/new.txt", os.O_WRONLY | os.O_CREAT),
    "remove": lambda: os.remove(outside + "/kept.txt"),
    "rename": lambda: os.rename(outside + "/kept.txt", outside + "/other.txt"),
    "mkdir": lambda: os.mkdir(outside + "/folder"),
    "climb": lambda: open(inside + "/../" + os.path.basename(outside) + "/new.txt", "w"),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: os.system("true"),
    "fork": lambda: os.fork(),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except child._ForbiddenError:
        continue
    print("allowed:", name)
print("checked", len(attempts))
"""


def test_the_child_cannot_write_outside_its_folder_connect_or_start_programs(tmp_path):
    import subprocess
    import sys

    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    root = str(Path(child.__file__).resolve().parents[3])
    result = subprocess.run(
        [sys.executable, "-I", "-c", HOOK_CHECK, root, str(outside)],
        capture_output=True, text=True, env={**os.environ, "TMPDIR": str(inside)}, check=True,
    )  # fmt: skip
    assert result.stdout.strip() == "checked 11"
    assert [path.name for path in outside.iterdir()] == ["kept.txt"]


def test_the_reader_in_the_child_is_the_reader_tested_here():
    assert child.read_files is read.read_files
