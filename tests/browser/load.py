"""Several readers at once: `python -m tests.browser.load [SESSIONS CASES]`, 10 and 20 by default; no part of the tests.

Each session opens the app in a browser context of its own and goes through cases with the right arrow key. Printed are
errors, the time to each next case (median and 95 %), and the memory of the server. Ten browsers need as much of the
machine as the server; the numbers are therefore upper bounds.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.bench import seconds_to_paint
from tests.browser.conftest import FLAGS, find_browser, running_app
from tests.browser.visit import ARTIFACTS, VIEWPORT, Visit


def server_memory_mb(address: str) -> float:
    """Resident memory of the process that listens at an address, in MB; 0 where the system does not tell."""
    port = address.rsplit(":", 1)[1].strip("/")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            if "streamlit" in words and f"--server.port={port}" in words:
                status = (process / "status").read_text()
                return float(status.split("VmRSS:")[1].split()[0]) / 1024
        except (OSError, IndexError):
            continue
    return 0.0


def main() -> None:
    """Open the sessions and go through the cases in turn."""
    sessions, cases = (int(word) for word in (*sys.argv[1:], "10", "20")[:2]) if len(sys.argv) > 2 else (10, 20)
    browser_path = find_browser()
    if browser_path is None:
        raise SystemExit("No Chromium or Chrome was found. Set CHROMIUM to its path.")
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home), ARTIFACTS / "load.log") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        visits = []
        begun = time.perf_counter()
        for number in range(sessions):
            context = browser.new_context(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]})
            visit = Visit(context.new_page(), address, f"load-{number}")
            visit.listen()
            visit.open()
            visit.chart()
            visits.append(visit)
        opened = time.perf_counter() - begun
        times = [seconds_to_paint(visit.page, "ArrowRight") for _ in range(cases) for visit in visits]
        errors = [error for visit in visits for error in (*visit.errors, *visit.outside)]
        memory = server_memory_mb(address)
        browser.close()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{sessions} sessions opened in {opened:.0f} s, {cases} cases each, {len(errors)} errors")
    print(f"next case: median {statistics.median(times):.2f} s, 95 % {sorted(times)[int(0.95 * len(times))]:.2f} s")
    print(f"memory of the server: {memory:.0f} MB")
    if errors:
        raise SystemExit("\n".join(errors[:10]))


if __name__ == "__main__":
    main()
