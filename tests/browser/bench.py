"""What the app costs in a real browser: `make bench-ui`. Prints medians; run it on a quiet machine.

From the start of the process until the server answers; from the first navigation until the trace of the first case
has reached the browser, and until it is painted; and the latter again for a browser that has the page's scripts
already. Beside it, what a new browser needs for a page that is one chart and nothing else, on a warm server. Files are
in the disk cache (a first start is made before and not counted). Then, in a warm server: from the key press to the
painted next case (not seen before in this server; read ahead while the last one was looked at), from the key press to
the painted next class of the same case, bytes sent for each, nodes of the chart, and memory of the server.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.browser.measuring import (
    ANY_CHART,
    app_and_browser,
    new_page,
    seconds_to_first_paint,
    seconds_to_paint,
    server_memory_mb,
)
from tests.browser.visit import Visit

N_STARTS, N_CASES, N_CLASSES = 3, 12, 12
BARE_PAGE = Path(__file__).with_name("bare_page.py")
TRACE_BYTES = 50_000  # a message as large as this holds the trace of a case; no other before it does
LOOK_S = 1.5  # a reader looks at a case at least this long; meanwhile the next one is read ahead


@dataclass(frozen=True)
class Start:
    """Seconds of one start: until the server answered, then for each as the docstring of this module says."""

    answered: float
    first_sent: float
    first_painted: float
    painted_again: float


def time_starts() -> list[Start]:
    """Start the app anew and open it, several times."""
    starts = []
    for _ in range(N_STARTS + 1):
        with app_and_browser("bench") as (address, browser, answered):
            page = new_page(browser)
            arrived: list[float] = []
            page.on("websocket", lambda socket, to=arrived: socket.on("framereceived", partial(note_trace, to)))  # type: ignore[call-overload]
            begun = time.perf_counter()
            Visit(page, address, "bench").open()
            painted = seconds_to_first_paint(page)
            page.reload()
            starts.append(Start(answered, arrived[0] - begun, painted, seconds_to_first_paint(page)))
    return starts[1:]


def time_bare_page() -> list[float]:
    """Open a page that is one chart and nothing else with new browsers, on a server that has shown it before."""
    painted = []
    with app_and_browser("bench-bare", BARE_PAGE) as (address, browser, _):
        for _ in range(N_STARTS + 1):
            page = new_page(browser, ANY_CHART)
            Visit(page, address, "bench-bare").open()
            painted.append(seconds_to_first_paint(page))
            page.context.close()
    return painted[1:]


def note_trace(arrived: list[float], frame: str | bytes) -> None:
    """Keep the moment at which a frame arrived that is large enough to hold a trace."""
    if len(frame) > TRACE_BYTES:
        arrived.append(time.perf_counter())


def main() -> None:
    """Run the measurements and print them."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    starts, bare = time_starts(), time_bare_page()
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
        ("start until the server answers", [start.answered for start in starts]),
        ("first case of a new server, sent", [start.first_sent for start in starts]),
        ("first case of a new server, painted", [start.first_painted for start in starts]),
        ("a page of one chart, painted", bare),
        ("opened again by the same browser", [start.painted_again for start in starts]),
        ("key press to next case", cases),
        ("key press to next class", classes),
    ):
        print(f"{name:36s} {statistics.median(times):6.2f} s median of {len(times)}, {max(times):.2f} longest")
    print(f"{'sent per case':36s} {statistics.median(sizes):6.2f} MB median, {max(sizes):.2f} largest")
    print(f"{'sent per class':36s} {statistics.median(class_sizes):6.2f} MB median")
    print(f"{'nodes in the chart':36s} {nodes:6d}")
    print(f"{'memory of the server':36s} {memory:6.0f} MB")


if __name__ == "__main__":
    main()
