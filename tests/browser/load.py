"""Several readers at once: `python -m tests.browser.load [SESSIONS CASES]`, 10 and 20 by default; no part of the tests.

Each session opens the app in a browser context of its own and goes through cases with the right arrow key, all sessions
in turn. Printed are errors, the time to each next case (median, 95 %, longest), and the memory of the server. Ten
browsers need as much of the machine as the server; the numbers are therefore upper bounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

from tests.browser.measuring import (
    app_and_browser,
    new_page,
    seconds_to_first_paint,
    seconds_to_paint,
    server_memory_mb,
)
from tests.browser.visit import Visit


def main() -> None:
    """Open the sessions and go through the cases in turn; ends with 1 where anything went wrong in a browser."""
    parser = argparse.ArgumentParser(description="Several readers at once.")
    parser.add_argument("sessions", nargs="?", type=int, default=10)
    parser.add_argument("cases", nargs="?", type=int, default=20)
    asked = parser.parse_args()
    with app_and_browser("load") as (address, browser, _):
        visits = []
        begun = time.perf_counter()
        for number in range(asked.sessions):
            visit = Visit(new_page(browser), address, f"load-{number}")
            visit.listen()
            visit.open()
            seconds_to_first_paint(visit.page)
            visits.append(visit)
        opened = time.perf_counter() - begun
        memory = [server_memory_mb(address)]
        times = [seconds_to_paint(visit.page, "ArrowRight") for _ in range(asked.cases) for visit in visits]
        for visit in visits:
            visit.settle()
        memory.append(server_memory_mb(address))
        errors = [error for visit in visits for error in (*visit.errors, *visit.outside)]
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{asked.sessions} sessions opened in {opened:.0f} s, {asked.cases} cases each, {len(errors)} errors")
    print(
        f"next case: median {statistics.median(times):.2f} s, 95 % {sorted(times)[int(0.95 * len(times))]:.2f} s, "
        f"longest {max(times):.2f} s"
    )
    print(f"memory of the server: {memory[0]:.0f} MB with all sessions open, {memory[1]:.0f} MB at the end")
    if errors:
        raise SystemExit("\n".join(errors[:10]))


if __name__ == "__main__":
    main()
