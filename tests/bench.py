"""What the program costs: `make bench`. Medians, spread and ratios; run it on a quiet machine, it prints the load.

Rates of a batch run are measured in one process by its own CPU time, which other programs disturb least, and given for
two cores. With ECGIMN_PTBXL set they are of PTB-XL's records, else of the composite cases. Times of the app are
measured in browsers by `make bench-ui`; memory with many readers by `tests.browser.load`, which `make bench` runs last.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ecgimn.batch.work import Chunk, Item, WaveSearch, explain_chunk, list_items
from ecgimn.explain.case import open_case
from ecgimn.explain.explanation import explain
from ecgimn.model.model import Model, load_model
from ecgimn.recording import Recording
from ecgimn.signal.quality import assess_quality
from ecgimn.signal.waves.find import find_waves
from ecgimn.sources.composites.case import load_composite
from tests.browser.measuring import write_composites

REPEATS = 5
CORES = 2  # that the rates are given for
ROOT = Path(__file__).resolve().parents[1]


def cpu_ms(work: Callable[[], object], per: int = 1) -> tuple[float, float]:
    """Median and largest CPU milliseconds of this thread, after one warming run."""
    work()
    times = []
    for _ in range(REPEATS):
        begun = time.thread_time()
        work()
        times.append((time.thread_time() - begun) * 1000.0 / per)
    return statistics.median(times), max(times)


def start_s(code: str) -> float:
    """Median seconds of a fresh interpreter that runs some code."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def some_items(folder: Path) -> list[Item]:
    """Return records of PTB-XL where they are, else the composite cases, written as files into a folder."""
    ptbxl = os.environ.get("ECGIMN_PTBXL")
    if ptbxl:
        return list_items(Path(ptbxl), fs=100, limit=128)
    write_composites(folder)
    return list_items(folder)


def main() -> None:
    """Measure and print a table."""
    model, recording = load_model(), load_composite("imi-st")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| step, one recording | CPU ms, median | largest |\n|---|---|---|")
    steps = {
        "quality": lambda: assess_quality(recording),
        "waves, all leads": lambda: find_waves(recording),
        "waves, five leads": lambda: find_waves(recording, quick=True),
        "explanation": lambda: explain(recording, model),
        "everything the reading page computes": lambda: read_page(recording, model),
    }
    for name, step in steps.items():
        median, most = cpu_ms(step)
        print(f"| {name} | {median:.1f} | {most:.1f} |")
    print(f"\n| batch | CPU ms per recording | recordings per second on {CORES} cores |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        items = some_items(Path(folder))
        waves: WaveSearch
        for waves, number in (("not looked for", 128), ("five leads", 16), ("all leads", 16)):
            chosen = tuple(items[:number])
            chunk = Chunk(chosen, model.card.name, model.card.sha256, waves, "youden")
            if not explain_chunk(chunk)["predictions"].num_rows:
                raise SystemExit("None of the recordings could be explained: there is no rate to print.")
            median, _ = cpu_ms(lambda chunk=chunk: explain_chunk(chunk), per=len(chosen))
            print(f"| waves: {waves} | {median:.1f} | {CORES * 1000.0 / median:.0f} |")
    print("\n| start of a fresh interpreter | s, median |\n|---|---|")
    for name, code in (
        ("import ecgimn", "import ecgimn"),
        ("first explanation", "import ecgimn as e; from ecgimn.explain.explanation import explain; "
         "explain(e.load_composite('imi-st'), e.load_model())"),
    ):  # fmt: skip
        print(f"| {name} | {start_s(code):.2f} |")


def read_page(recording: Recording, model: Model) -> None:
    """Compute what the reading page shows of one recording."""
    open_case(recording, model)


if __name__ == "__main__":
    main()
