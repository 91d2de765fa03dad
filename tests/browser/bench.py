"""What the app costs in a real browser: `make bench-ui`. Prints medians; run it on a quiet machine.

From the start of the process until the server answers, and from the navigation to the painted first case, with files in
the disk cache (a first start is made before and not counted). Then, in a warm server: from the key press to the painted
next case (not seen before in this server; read ahead while the last one was looked at), from the key press to the
painted next class of the same case, bytes sent for each, nodes of the chart, and memory of the server.
"""

from __future__ import annotations

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

N_STARTS, N_CASES, N_CLASSES = 3, 12, 12
LOOK_S = 1.5  # a reader looks at a case at least this long; meanwhile the next one is read ahead


def time_starts() -> tuple[list[float], list[float]]:
    """Start the app anew and open it, several times: seconds until it answers, seconds to the first painted case."""
    starts, firsts = [], []
    for _ in range(N_STARTS + 1):
        with app_and_browser("bench") as (address, browser, started):
            page = new_page(browser)
            Visit(page, address, "bench").open()
            starts.append(started)
            firsts.append(seconds_to_first_paint(page))
    return starts[1:], firsts[1:]


def main() -> None:
    """Run the measurements and print them."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    starts, firsts = time_starts()
    with app_and_browser("bench") as (address, browser, _):
        page = new_page(browser)
        received: list[int] = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
        visit = Visit(page, address, "bench")
        visit.open()
        seconds_to_first_paint(page)
        for _ in range(2):  # warm: imports, model and delineator are loaded, JavaScript is compiled
            seconds_to_paint(page, "ArrowRight")
            visit.settle()
            time.sleep(LOOK_S)
        cases, sizes = [], []
        for _ in range(N_CASES):
            received.clear()
            cases.append(seconds_to_paint(page, "ArrowRight"))
            visit.settle()
            sizes.append(sum(received) / 1e6)
            time.sleep(LOOK_S)
        classes, class_sizes = [], []
        for _ in range(N_CLASSES):
            received.clear()
            classes.append(seconds_to_paint(page, "k"))
            visit.settle()
            class_sizes.append(sum(received) / 1e6)
        nodes = visit.chart().locator("*").count()
        memory = server_memory_mb(address)
    for name, times in (
        ("start until the server answers", starts),
        ("first case of a new server", firsts),
        ("key press to next case", cases),
        ("key press to next class", classes),
    ):
        print(f"{name:30s} {statistics.median(times):6.2f} s median of {len(times)}, {max(times):.2f} longest")
    print(f"{'sent per case':30s} {statistics.median(sizes):6.2f} MB median, {max(sizes):.2f} largest")
    print(f"{'sent per class':30s} {statistics.median(class_sizes):6.2f} MB median")
    print(f"{'nodes in the chart':30s} {nodes:6d}")
    print(f"{'memory of the server':30s} {memory:6.0f} MB")


if __name__ == "__main__":
    main()
