"""Damaged files of every format, seeded: each is read or refused in one plain sentence, in time, within bounds.

2,640 files (120 of each of 22 kinds) are read in this process, where nothing hides a parser's bug: any error but our
own fails the test. 330 more go through the child process as an upload does, where a crash would be reported and fail
too: 2,970 in all. With ECGIMN_FUZZ_FILES=1000 it is 22,000 and 2,750. Values of options: tests/test_cli_options.py.
Time is what a reader computes, not what the clock says: other work on the machine is not the reader's.
"""

from __future__ import annotations

import copy
import gzip
import io
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from test_challenge import challenge_files

import ecgimn.formats.sandbox.child as child
import ecgimn.formats.sandbox.parent as parent
from ecgimn.errors import RecordingError
from ecgimn.formats import ReadingHints
from ecgimn.formats.read import read_files
from ecgimn.leads import STANDARD_LEADS

FORMATS = ("WFDB", "DICOM", "EDF", "ISHNE", "SCP-ECG", "MUSE", "Philips", "aECG", "CSV", "NPY", "NPZ", "MAT", "ZIP")
VARIANTS = (
    "challenge", "segments", "DICOM groups", "clock table", "spreadsheet", "thousands", "lead rows", "vectors", "gzip",
)  # fmt: skip
PER_FORMAT = int(os.environ.get("ECGIMN_FUZZ_FILES", "120"))  # 22 kinds of files: 2,640
PER_FORMAT_IN_CHILD = PER_FORMAT // 8  # a fork each: 20 to 50 ms
MAX_COMPUTING_S, MAX_MEMORY_BYTES = 5, 500_000_000
HINTS = ReadingHints(fs=250, unit="mV", leads=STANDARD_LEADS)
FACTS = {
    "clock table": ReadingHints(unit="mV"),
    "spreadsheet": ReadingHints(fs=250),
    "thousands": ReadingHints(fs=250, unit="uV"),
    "lead rows": ReadingHints(fs=250, unit="mV"),
}
TOKENS = (b"-1", b"0", b"nan", b"1e400", b"99999999999", b"../../x", b"%s%n", b"\x00", b"\xff\xff\xff\xff")


@pytest.fixture(scope="module")
def corpus(make, tmp_path_factory):
    """A small file set of each format: 250 Hz, 2.4 s."""
    from ecgimn.formats.export import write_dicom
    from ecgimn.recording import Recording

    files = make.every_format(250, 3)
    signal = make.synthetic_ecg(250, 3)
    path = write_dicom(Recording(signal, 250), tmp_path_factory.mktemp("fuzz") / "ecg.dcm")
    dicom = path.read_bytes()
    return {**files, **variants(make, dicom), "DICOM": {"ecg.dcm": dicom}, "NPY": {"ecg.npy": make.npy_file(signal)}}


def variants(make, dicom: bytes) -> dict[str, dict[str, bytes]]:
    """File sets that take the readers' less trodden paths."""
    signal = make.synthetic_ecg(250, 3)
    parts = {**make.wfdb_files(signal[:, :400], fs=250, name="a"), **make.wfdb_files(signal[:, 400:], fs=250, name="b")}
    dataset = pydicom.dcmread(io.BytesIO(dicom))
    dataset.WaveformSequence = [dataset.WaveformSequence[0], copy.deepcopy(dataset.WaveformSequence[0])]
    groups = io.BytesIO()
    dataset.save_as(groups)
    rows = [[f"{value:.3f}" for value in row] for row in signal.T]
    clock = [",".join((f"0:{k / 250:06.3f}", *row)) for k, row in enumerate(rows) if not 300 <= k < 310]
    sheet = ["sep=;", "Name;Doe", "", ";".join(f"EKG {lead} (mV)" for lead in STANDARD_LEADS)]
    sheet += [";".join(row).replace(".", ",") for row in rows]
    grouped = ["\t".join(STANDARD_LEADS), *("\t".join(f"{round(2000 * v):,}" for v in row) for row in signal.T)]
    lines = [" ".join((lead, *(f"{v:.3f}" for v in row))) for lead, row in zip(STANDARD_LEADS, signal, strict=True)]
    names = ["'Elapsed time'", *(f"'{lead}'" for lead in STANDARD_LEADS)]
    return {
        "challenge": challenge_files(signal, "A1", "CPSC"),
        "segments": {**parts, "c.hea": b"c/3 12 250 800\na 400\n~ 50\nb 350\n"},
        "DICOM groups": {"ecg.dcm": groups.getvalue()},
        "clock table": {"a.csv": "\n".join([",".join(names), ",".join(["''", *["'mV'"] * 12]), *clock]).encode()},
        "spreadsheet": {"a.csv": "\n".join(sheet).encode("utf-16")},
        "thousands": {"a.txt": "\n".join(grouped).encode()},
        "lead rows": {"a.txt": "\n".join(lines).encode()},
        "vectors": {"a.mat": make.mat_file(s={"age": 4.0}, **dict(zip(STANDARD_LEADS, signal, strict=True)))},
        "gzip": {"a.csv.gz": gzip.compress(make.csv_file(signal, 250))},
    }


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
    assert "uploads" in parent._children
    with open(f"/proc/{parent._children['uploads'].process.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def assert_plain(text: str) -> None:
    """One or more short sentences without a trace of the machinery."""
    assert text not in (child.CRASH_MESSAGE, child.TIME_MESSAGE, child.MEMORY_MESSAGE), text
    assert text.endswith("."), text
    assert "\n" not in text, text
    assert 30 < len(text) < 500, text
    assert not any(word in text for word in ("Traceback", "/tmp", "Error(", "0x")), text


def outcome(read, files: dict[str, bytes], name: str) -> str:
    """Read damaged files; return "read" or "refused" after checking what came of it."""
    start = time.process_time()
    try:
        recording = read(files, HINTS if name in ("NPY", "NPZ", "MAT", "vectors") else FACTS.get(name))
    except RecordingError as exc:
        assert_plain(str(exc))
        result = "refused"
    else:
        assert recording.signal.shape[0] == 12
        assert not np.isinf(recording.signal).any()
        result = "read"
    assert time.process_time() - start < MAX_COMPUTING_S
    return result


@pytest.fixture
def bounded_memory():
    """Let this process map at most MAX_MEMORY_BYTES more than it has: a reader that wants more gets a MemoryError."""
    if not Path("/proc/self/statm").exists():
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (child._mapped_bytes(child._open_size()) + MAX_MEMORY_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", FORMATS + VARIANTS)
@pytest.mark.usefixtures("bounded_memory")
@pytest.mark.filterwarnings("ignore")  # pydicom and ecgdatakit warn of what they then read or refuse
def test_damaged_files_are_read_or_refused_in_one_sentence(corpus, name):
    rng = np.random.default_rng([20260, (FORMATS + VARIANTS).index(name)])
    outcomes = Counter(outcome(read_files, damaged(corpus[name], rng), name) for _ in range(PER_FORMAT))
    assert outcomes.total() == PER_FORMAT
    assert outcomes["refused"] > PER_FORMAT // 4


@pytest.mark.skipif("ECGIMN_FUZZ_FILES" in os.environ, reason="the corpus was made smaller or larger by hand")
def test_the_corpus_has_at_least_two_and_a_half_thousand_files_over_all_formats():
    assert PER_FORMAT * len(FORMATS + VARIANTS) >= 2500


@pytest.mark.skipif(not hasattr(os, "fork"), reason="uploads are read in a fork, which this system lacks")
def test_damaged_uploads_end_in_the_child_without_a_trace(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(20261)
    parent.stop_reader()
    parent._start_quietly()
    assert "uploads" in parent._children
    process = parent._children["uploads"].process
    for name in FORMATS + VARIANTS:
        for _ in range(PER_FORMAT_IN_CHILD):
            outcome(parent.read_in_child, damaged(corpus[name], rng), name)
    assert parent._children["uploads"].process is process, "the child was replaced: a file stopped it"
    assert not list(tmp_path.iterdir())
    assert not list(Path(parent._children["uploads"].folder).rglob("ecgimn-*"))
    if Path("/proc/self/statm").exists():
        assert child_memory_bytes() < MAX_MEMORY_BYTES
    parent.stop_reader()
