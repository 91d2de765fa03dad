"""A batch run: every recording once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal as signals
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgimn.batch import run
from ecgimn.batch.output import SCHEMAS, Rows, part_names, read_table
from ecgimn.batch.run import Pool, Request, RunSummary, run_batch
from ecgimn.errors import SourceError
from ecgimn.explain.case import open_case
from ecgimn.explain.measured import reasons_of
from ecgimn.formats import read_recording
from ecgimn.model.model import load_model
from ecgimn.signal.quality import scope_of
from tests.batch.conftest import tracing, write

ROOT = Path(__file__).resolve().parents[2]
FAST = "not looked for"
RUN_AND_WAIT = """
import sys, time
from pathlib import Path
from ecgimn.batch import run
from ecgimn.model.card import read_card
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.model import MODELS_FOLDER

if __name__ == "__main__":
    card = read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
    request = run.Request(Path(sys.argv[1]), Path(sys.argv[2]), card, "not looked for", workers=0, chunk=1)
    run.run_batch(request, lambda done, failed, total: time.sleep(0.05))
"""


def everything(folder):
    """All rows of all tables but the sums over chunks, sorted, so that two runs can be compared."""
    tables = {name: read_table(folder, name) for name in SCHEMAS if name != "beats"}
    return {name: sorted(map(str, table.to_pylist())) for name, table in tables.items()}


@pytest.fixture(scope="module")
def fast_run(ecg_folder, card, tmp_path_factory):
    """A run without waves, one recording at a time, and how it ended."""
    out = tmp_path_factory.mktemp("fast") / "out"
    return out, run_batch(Request(ecg_folder, out, card, FAST, workers=0, chunk=1))  # as in RUN_AND_WAIT


@pytest.fixture(scope="module")
def wave_run(ecg_folder, card, tmp_path_factory):
    """A run with waves over the first recordings."""
    out = tmp_path_factory.mktemp("waves") / "out"
    run_batch(Request(ecg_folder, out, card, "all leads", workers=0, limit=3))
    return out


def test_each_window_is_reported_to_a_hospital_where_asked_for(ecg_folder, card, tmp_path):
    listed = tmp_path / "some.txt"
    listed.write_text("".join(f"{ecg_folder / name}\n" for name in ("ward/long.hea", "flat.hea")))
    out, salt = tmp_path / "out", b"a salt of sixteen bytes"
    request = Request(listed, out, card, "five leads", workers=0, salt=salt, reports=("fhir", "dicom-sr"))
    run_batch(request)
    records = {row["status"]: row["record"] for row in read_table(out, "records").to_pylist()}
    starts, long, flat = ("", "-10s", "-17s"), records["explained"], records["refused"]
    names = sorted([f"{flat}.json", *(f"{long}{start}.json" for start in starts)])
    assert sorted(path.name for path in (out / "fhir").iterdir()) == names
    assert {path.stem for path in (out / "dicom-sr").iterdir()} == {Path(name).stem for name in names}
    said = [row for row in read_table(out, "predictions").to_pylist() if row["start_s"] == 10.0]
    told = json.loads((out / "fhir" / f"{long}-10s.json").read_text())
    answers = {
        entry["resource"]["code"]["coding"][0]["code"]: entry["resource"]["valueQuantity"]["value"]
        for entry in told["entry"]
        if "Probability" in entry["resource"].get("code", {}).get("text", "")
    }
    assert answers == pytest.approx({f"probability-{row['class']}": row["probability"] for row in said}, abs=1e-4)
    assert "robability" not in (out / "fhir" / f"{flat}.json").read_text()  # a refused ECG has no answer
    before = {path: path.read_bytes() for path in out.glob("*/*.*")}
    assert run_batch(request).before == 2
    assert {path: path.read_bytes() for path in out.glob("*/*.*")} == before
    with pytest.raises(SourceError, match="reports was fhir dicom-sr, now"):
        run_batch(replace(request, reports=()))


def test_a_name_too_long_for_a_file_becomes_a_hash(tmp_path):
    rows = Rows()
    for record in ("ward/é/" + "x" * 300, "ward/short"):
        rows.add_report("fhir", record, 0.0, b"{}")
    first, second = rows.tables()["reports"]["path"].to_pylist()
    assert re.fullmatch(r"fhir/[0-9a-f]{64}\.json", first)
    assert second == "fhir/ward%2Fshort.json"


def test_every_recording_is_counted_once(fast_run):
    out, outcome = fast_run
    assert outcome == RunSummary(explained=6, refused=1, failed=1, before=0, skipped=1)
    assert read_table(out, "records")["record"].to_pylist().count("ward/long.hea") == 1


def test_a_bad_file_is_a_row_with_its_reason(fast_run):
    rows = {row["record"]: row for row in read_table(fast_run[0], "errors").to_pylist()}
    assert set(rows) == {"letter.pdf", "torn.dcm"}
    assert rows["letter.pdf"]["kind"] == "NotAnEcgError"
    assert rows["torn.dcm"]["kind"] == "RecordingFormatError"
    assert not rows["torn.dcm"]["retry"]
    assert "is a PDF" in rows["letter.pdf"]["reason"]


def test_a_refused_recording_has_no_prediction_but_its_reason(fast_run):
    quality = {row["record"]: row for row in read_table(fast_run[0], "quality").to_pylist()}
    assert not quality["flat.hea"]["usable"]
    assert "Lead V3 is flat" in quality["flat.hea"]["refusals"]
    assert "flat.hea" not in read_table(fast_run[0], "predictions")["record"].to_pylist()


def test_a_long_recording_is_explained_window_by_window(fast_run):
    rows = [row for row in read_table(fast_run[0], "predictions").to_pylist() if row["record"] == "ward/long.hea"]
    assert sorted({row["start_s"] for row in rows}) == [0.0, 10.0, 17.0]


def test_the_ledger_and_the_bias_add_up_to_each_logit(fast_run, wave_run):
    for out in (fast_run[0], wave_run):
        key = ["record", "start_s", "class"]
        sums = read_table(out, "ledger").to_pandas().groupby(key, observed=True)["logit"].sum()
        said = read_table(out, "predictions").to_pandas().set_index(key)
        np.testing.assert_allclose((said["bias"] + sums.reindex(said.index)).to_numpy(), said["logit"], atol=1e-4)
        assert (said["completeness_error"] < 1e-4).all()


def test_rows_are_those_of_the_reading_room(wave_run, ecg_folder):
    recording = read_recording(ecg_folder / "case1.hea")
    case = open_case(recording, load_model())
    reading, ledger = case.reading, case.ledger
    rows = [row for row in read_table(wave_run, "ledger").to_pylist() if row["record"] == "case1.hea"]
    found = np.array([row["logit"] for row in rows]).reshape(ledger.cells.shape)
    np.testing.assert_allclose(found, ledger.cells, atol=1e-4)
    st = {row["lead"]: row["j60_mv"] for row in read_table(wave_run, "st").to_pylist() if row["record"] == "case1.hea"}
    assert st == pytest.approx(reading.j60_mv, abs=1e-6)
    (intervals,) = [row for row in read_table(wave_run, "intervals").to_pylist() if row["record"] == "case1.hea"]
    assert intervals["heart_rate"] == pytest.approx(reading.measurements.heart_rate.value, rel=1e-5)
    (about,) = [row for row in read_table(wave_run, "records").to_pylist() if row["record"] == "case1.hea"]
    assert about["rhythm"] == reading.rhythm.statement
    assert about["af_score"] == pytest.approx(reading.rhythm.af_score, rel=1e-5)
    assert about["within_scope"] is scope_of(reading).within
    met = [item for item in reading.findings.criteria if item.present]
    assert about["criteria"] == "; ".join(item.name + ("" if item.verdict == "met" else "?") for item in met)
    reasons = {row["class"]: row["reasons"] for row in read_table(wave_run, "predictions").to_pylist()
               if row["record"] == "case1.hea"}  # fmt: skip
    found = {name: reasons_of(case.of(name)) for name in case.classes}
    assert reasons == {name: None if one is None else one.verdict for name, one in found.items()}


def test_mean_beats_hold_no_more_recordings_than_were_said(wave_run, card):
    beats = read_table(wave_run, "beats").to_pandas()
    said = read_table(wave_run, "predictions").to_pandas()
    limits = dict(zip(card.classes, card.thresholds[run.OPERATING_POINT], strict=True))
    positive = said[said["probability"] >= said["class"].astype(str).map(limits)]["class"].value_counts()
    for name, rows in beats.groupby("class", observed=True):
        assert rows.groupby(["lead", "ms"], observed=True)["records"].sum().max() <= positive[name]


def test_no_name_age_or_digest_of_an_own_file_is_written(fast_run):
    assert read_table(fast_run[0], "quality")["digest"].null_count == len(read_table(fast_run[0], "quality"))
    columns = {column for schema in SCHEMAS.values() for column in schema.names}
    assert not columns & {"age", "sex", "name", "path", "date"}


def test_a_run_that_is_done_does_nothing_again(fast_run, ecg_folder, card):
    out, _ = fast_run
    parts = part_names(out)
    assert run_batch(Request(ecg_folder, out, card, FAST, workers=0)) == RunSummary(0, 0, 0, before=9)
    assert part_names(out) == parts


def test_killed_three_times_and_resumed_gives_the_rows_of_a_clean_run(fast_run, ecg_folder, tmp_path):
    rng, out = np.random.default_rng(), tmp_path / "out"
    command = [sys.executable, "-c", RUN_AND_WAIT, str(ecg_folder), str(out)]
    for parts in (1, 3, 5):  # at some moment after so many parts
        process = subprocess.Popen(command, cwd=ROOT)
        while process.poll() is None and len(part_names(out)) < parts:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.08))
        process.send_signal(signals.SIGKILL)
        process.wait()
    subprocess.run(command, cwd=ROOT, check=True)
    assert everything(out) == everything(fast_run[0])


@pytest.mark.no_cover  # a tracer takes memory of its own
def test_memory_does_not_grow_with_the_number_of_recordings(card, tmp_path):
    peaks = []
    for n in (8, 8, 48):  # the first fills the caches
        folder = tmp_path / f"{len(peaks)}"
        folder.mkdir()
        for seed in range(n):
            write(folder, f"case{seed}", tracing(seed))
        tracemalloc.start()
        run_batch(Request(folder, tmp_path / f"out{len(peaks)}", card, FAST, workers=0, chunk=4))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 250_000  # bytes for forty recordings more; the maps of a single one have 236,000


def test_worker_processes_give_the_same_rows(fast_run, ecg_folder, card, tmp_path):
    before = dict(os.environ)
    run_batch(Request(ecg_folder, tmp_path / "out", card, FAST, workers=1, chunk=4))
    rows, alone = everything(tmp_path / "out"), everything(fast_run[0])
    assert rows.keys() == alone.keys()
    assert rows["records"] == alone["records"]
    assert rows["errors"] == alone["errors"]
    assert close(tmp_path / "out", fast_run[0])
    assert dict(os.environ) == before


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_a_dask_cluster_gives_the_same_rows(fast_run, ecg_folder, card, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        run_batch(Request(ecg_folder, tmp_path / "out", card, FAST, dask=address, chunk=4))
    assert close(tmp_path / "out", fast_run[0])


def close(one, other):
    """Whether two runs hold the same predictions; a batch of another size rounds the last digits differently."""
    key = ["record", "start_s", "class"]
    first, second = (read_table(out, "predictions").to_pandas().set_index(key).sort_index() for out in (one, other))
    return first.index.equals(second.index) and np.allclose(first["logit"], second["logit"], atol=1e-5)


class Mortal(Executor):
    """Workers of which one dies of the recording named "deadly"."""

    def submit(self, work, chunk):
        future = Future()
        names = [item.record for item in chunk.items]
        if "deadly" in names:
            future.set_exception(BrokenProcessPool())
        elif "buggy" in names:
            future.set_exception(ZeroDivisionError("patient Doe"))
        else:
            rows = Rows()
            for name in names:
                rows.add("records", record=name, status="explained", windows=1)
            future.set_result(rows.tables())
        return future


@pytest.mark.parametrize("bad", ["deadly", "buggy"])
def test_a_recording_that_kills_its_worker_or_meets_a_bug_fails_alone(bad):
    from collections import deque

    from ecgimn.batch.work import Chunk, Item

    names = [f"r{i}" for i in range(20)]
    names[11] = bad
    chunks = deque(
        Chunk(tuple(Item(name, "nowhere") for name in names[i : i + 5]), "m", "abc", FAST, "youden")
        for i in range(0, 20, 5)
    )
    tables = list(Pool(Mortal, 2).results(chunks))
    status = {row["record"]: row["status"] for part in tables for row in part["records"].to_pylist()}
    assert status == {name: "failed" if name == bad else "explained" for name in names}
    (error,) = [row for part in tables for row in part["errors"].to_pylist()]
    assert error["record"] == bad
    assert "Doe" not in error["reason"]  # what a fault says may come from the file


class Broken(Executor):
    """Workers that can do nothing: each call ends with the same fault."""

    def __init__(self, fault):
        self.fault = fault

    def submit(self, work, chunk):
        future = Future()
        future.set_exception(self.fault)
        return future


def chunks_of(n, size=5):
    from collections import deque

    from ecgimn.batch.work import Chunk, Item

    items = tuple(Item(f"r{i}", "nowhere") for i in range(n))
    return deque(Chunk(items[i : i + size], "m", "abc", FAST, "youden") for i in range(0, n, size))


@pytest.mark.parametrize("fault", [ModuleNotFoundError("No module named 'ecgimn'"), CancelledError()])
def test_workers_that_are_gone_or_lack_the_package_are_an_error_of_the_run(fault):
    with pytest.raises(SourceError, match="workers cannot do the work"):
        list(Pool(lambda: Broken(fault), 2).results(chunks_of(10)))


@pytest.mark.parametrize("n", [2, 60])
def test_a_run_in_which_nothing_succeeds_ends_with_an_error(n):
    with pytest.raises(SourceError, match=f"first {min(n, run.HOPELESS)} recordings all failed"):
        list(Pool(lambda: Broken(RuntimeError("patient Doe")), 2).results(chunks_of(n)))


#: A cluster whose scheduler and worker cannot import ecgimn, until its standard input closes.
FOREIGN_CLUSTER = """
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ecgimn":
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Refuse())
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=1, processes=False, protocol="tcp", dashboard_address=None) as made:
        print(made.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_a_cluster_without_the_package_is_refused_before_the_first_recording(ecg_folder, card, tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", FOREIGN_CLUSTER], text=True, cwd=tmp_path, **pipes) as cluster:
        address = cluster.stdout.readline().strip()
        try:
            with pytest.raises(SourceError, match="has not the same ecgimn everywhere"):
                run_batch(Request(ecg_folder, tmp_path / "out", card, FAST, dask=address))
        finally:
            cluster.stdin.close()
    assert part_names(tmp_path / "out") == []


def test_a_remote_source_and_a_remote_output_give_the_same_rows(fast_run, ecg_folder, card):
    import fsspec

    fs = fsspec.filesystem("memory")
    fs.put(str(ecg_folder), "/archive", recursive=True)
    outcome = run_batch(Request("memory://archive", "memory://results/run", card, FAST, workers=0, chunk=1))
    assert outcome == RunSummary(explained=6, refused=1, failed=1, before=0, skipped=1)
    assert close("memory://results/run", fast_run[0])
    assert run_batch(Request("memory://archive", "memory://results/run", card, FAST, workers=0)).before == 9


def test_recordings_are_fetched_from_a_web_server_and_what_is_not_there_yet_is_tried_again(ecg_folder, card, tmp_path):
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    site = tmp_path / "site"
    shutil.copytree(ecg_folder, site)
    (site / "case1.dat").rename(tmp_path / "later.dat")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "list.txt").write_text(f"{at}/case0.hea\n{at}/case1.hea\n{at}/letter.pdf\n")
        request = Request(tmp_path / "list.txt", tmp_path / "out", card, FAST, workers=0)
        assert run_batch(request) == RunSummary(explained=1, refused=0, failed=2, before=0)
        (tmp_path / "later.dat").rename(site / "case1.dat")
        assert run_batch(request) == RunSummary(explained=1, refused=0, failed=0, before=2)
        server.shutdown()
