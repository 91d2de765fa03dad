"""What the reading page costs in a real browser: `make bench-ui`. Prints medians; run it on a quiet machine.

From the key press to the painted next case (not seen before in this server; read ahead while the last one was looked
at), from the key press to the painted next class of the same case, bytes sent for each, and nodes of the chart.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, find_browser, running_app
from tests.browser.visit import ARTIFACTS, VIEWPORT, Visit

N_CASES, N_CLASSES = 12, 12
# Starts the clock at the key press, looks at every frame for another evidence picture under a chart that says whose it
# is, and stops two frames later.
WATCH = """
() => {
  const shown = () => {
    const chart = document.querySelector('.st-key-ecg .js-plotly-plot');
    const images = [...(chart?.querySelectorAll('.imagelayer image') ?? [])];
    const sources = images.map(image => image.getAttributeNS('http://www.w3.org/1999/xlink', 'href'));
    return chart?.dataset.evidence && [chart.layout.meta.paper, ...sources].join('|');
  };
  const before = shown();
  window.paintedAfter = null;
  window.addEventListener('keydown', () => {
    const start = performance.now();
    const look = () => {
      const now = shown();
      if (now && now !== before) {
        requestAnimationFrame(() => requestAnimationFrame(() => { window.paintedAfter = performance.now() - start; }));
      } else { requestAnimationFrame(look); }
    };
    look();
  }, {once: true, capture: true});
}
"""
LOOK_S = 1.5  # a reader looks at a case at least this long; meanwhile the next one is read ahead


def seconds_to_paint(page: Page, key: str) -> float:
    """Press a key and return the seconds until another evidence picture is painted."""
    page.evaluate(WATCH)
    page.keyboard.press(key)
    page.wait_for_function("window.paintedAfter !== null", timeout=60_000)
    return float(page.evaluate("window.paintedAfter")) / 1000.0


def main() -> None:
    """Run the measurements and print them."""
    browser_path = find_browser()
    if browser_path is None:
        raise SystemExit("No Chromium or Chrome was found. Set CHROMIUM to its path.")
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home), ARTIFACTS / "bench.log") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        page = browser.new_page(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]})
        received: list[int] = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
        visit = Visit(page, address, "bench")
        started = time.perf_counter()
        visit.open()
        visit.chart()
        first = time.perf_counter() - started
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
        browser.close()
    print(f"first page of a new server  {first:6.2f} s")
    for name, times in (("case", cases), ("class", classes)):
        spread = f"{statistics.median(times):6.2f} s median of {len(times)}, {max(times):.2f} longest"
        print(f"key press to next {name:5s}     {spread}")
    print(f"sent per case               {statistics.median(sizes):6.2f} MB median, {max(sizes):.2f} largest")
    print(f"sent per class              {statistics.median(class_sizes):6.2f} MB median")
    print(f"nodes in the chart          {nodes:6d}")


if __name__ == "__main__":
    main()
