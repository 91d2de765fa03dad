"""Damaged files of every format, seeded: each is read or refused in one plain sentence, in time, within bounds.

More than 2,000 files go through the child process as an upload does. A file that makes a parser raise anything but our own
errors ends its fork and is reported as a crash, so a parser's bug cannot hide behind the sandbox here.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ecgimn.formats.sandbox as sandbox
import ecgimn.formats.worker as worker
from ecgimn.errors import RecordingError
from ecgimn.formats import ReadingHints
from ecgimn.leads import STANDARD_LEADS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="uploads are read in a fork, which this system lacks")

FORMATS = ("WFDB", "DICOM", "EDF", "ISHNE", "SCP-ECG", "MUSE", "Philips", "aECG", "CSV", "NPY", "NPZ", "MAT", "ZIP")
PER_FORMAT = int(os.environ.get("ECGIMN_FUZZ_FILES", "160"))  # 13 formats: 2,080 files
HINTS = ReadingHints(fs=250, unit="mV", leads=STANDARD_LEADS)
TOKENS = (b"-1", b"0", b"nan", b"1e400", b"99999999999", b"../../x", b"http://x/", b"%s%n", b"\x00", b"\xff\xff\xff\xff")


@pytest.fixture(scope="module")
def corpus(make, tmp_path_factory):
    """A small file set of each format: 250 Hz, 2.4 s."""
    from ecgimn.formats.export import write_dicom
    from ecgimn.recording import Recording

    files = make.every_format(250, 3)
    signal = make.synthetic_ecg(250, 3)
    path = write_dicom(Recording(signal, 250), tmp_path_factory.mktemp("fuzz") / "ecg.dcm")
    return {**files, "DICOM": {"ecg.dcm": path.read_bytes()}, "NPY": {"ecg.npy": make.npy_file(signal)}}


def damaged(files: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    """Return the files with one of them damaged in one to three ways; headers are hit most."""
    result = dict(files)
    name = str(rng.choice(sorted(result)))
    data = bytearray(result[name])
    for _ in range(int(rng.integers(1, 4))):
        reach = len(data) if rng.random() < 0.4 else min(len(data), 1024)
        where = int(rng.integers(0, max(reach, 1)))
        kind = int(rng.integers(0, 8))
        if kind == 0:
            for position in rng.integers(0, max(reach, 1), int(rng.integers(1, 20))):
                data[position : position + 1] = bytes([int(rng.integers(0, 256))])
        elif kind == 1:
            del data[where:]
        elif kind == 2:
            del data[where : where + int(rng.integers(1, 64))]
        elif kind == 3:
            data[where:where] = TOKENS[int(rng.integers(len(TOKENS)))]
        elif kind == 4:
            token = TOKENS[int(rng.integers(len(TOKENS)))]
            data[where : where + len(token)] = token
        elif kind == 5:
            data[where:where] = data[where : where + int(rng.integers(1, 2048))]
        elif kind == 6:
            data[where : where + 8] = rng.integers(0, 256, 8).astype(np.uint8).tobytes()
        else:
            digits = [position for position in range(min(len(data), 2048)) if 48 <= data[position] <= 57]
            if digits:
                data[digits[int(rng.integers(len(digits)))]] = 48 + int(rng.integers(0, 10))
    result[name] = bytes(data)
    return result


def child_memory_bytes() -> int:
    """Return the resident memory of the child process."""
    assert sandbox._child is not None
    with open(f"/proc/{sandbox._child.process.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_damaged_files_of_every_format_are_read_or_refused_in_one_sentence(corpus):
    rng = np.random.default_rng(20260)
    outcomes: Counter[tuple[str, str]] = Counter()
    slowest_s = 0.0
    here = sorted(Path.cwd().iterdir())
    sandbox.stop_reader()
    sandbox._start_quietly()
    for name in FORMATS:
        for _ in range(PER_FORMAT):
            files = damaged(corpus[name], rng)
            start = time.perf_counter()
            try:
                recording = sandbox.read_in_child(files, HINTS if name in ("NPY", "NPZ", "MAT") else None)
            except RecordingError as exc:
                text = str(exc)
                assert text not in (worker.CRASH_MESSAGE, worker.TIME_MESSAGE, worker.MEMORY_MESSAGE), (name, text)
                assert text.endswith(".") and "\n" not in text and 30 < len(text) < 500, text
                assert not any(word in text for word in ("Traceback", "/tmp", "Error(", "0x")), text
                outcomes[name, "refused"] += 1
            else:
                assert recording.signal.shape[0] == 12
                assert not np.isinf(recording.signal).any()
                outcomes[name, "read"] += 1
            slowest_s = max(slowest_s, time.perf_counter() - start)
    assert sum(outcomes.values()) == PER_FORMAT * len(FORMATS)
    assert slowest_s < 5
    assert sorted(Path.cwd().iterdir()) == here
    if Path("/proc/self/statm").exists():
        assert child_memory_bytes() < 500_000_000
    folder = Path(sandbox._child.folder) if sandbox._child else None
    assert folder is None or not list(folder.rglob("ecgimn-*"))
    sandbox.stop_reader()
