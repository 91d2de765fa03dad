"""Several readers at once: `python -m tests.browser.load [SESSIONS CASES]`, part of `make bench` and not of the tests.

`make bench READERS=4 CASES=10` is a short one; 20 readers of 200 cases each take some hours. Each session opens the app
in a browser context of its own and goes through cases with the right arrow key, all sessions in turn. Printed are
errors, the time to each next case (median, 95 %, longest), and the memory of the server with its child processes: at
the beginning, after every tenth of the cases, and its most. The browsers need as much of the machine as the server; the
times are therefore upper bounds. Ends with 1 where anything went wrong in a browser, or the memory reached its bound.
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

MOST_MB = 1200  # of the server with 20 readers who have read 200 cases each


def main() -> None:
    """Open the sessions, go through the cases in turn, and print what it took."""
    parser = argparse.ArgumentParser(description="Several readers at once.")
    parser.add_argument("sessions", nargs="?", type=int, default=20)
    parser.add_argument("cases", nargs="?", type=int, default=200)
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
        memory, times = [server_memory_mb(address)], []
        for case in range(1, asked.cases + 1):
            times += [seconds_to_paint(visit.page, "ArrowRight") for visit in visits]
            if case % max(asked.cases // 10, 1) == 0:
                memory.append(server_memory_mb(address))
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
    print(f"memory of the server in MB: {' '.join(f'{one:.0f}' for one in memory)}; at most {max(memory):.0f}")
    if max(memory) >= MOST_MB:
        errors.append(f"The server took {max(memory):.0f} MB. Less than {MOST_MB} MB is needed.")
    if errors:
        raise SystemExit("\n".join(errors[:10]))


if __name__ == "__main__":
    main()
