"""What the measurements and the pictures share: a server and a browser of their own, clocks in the page, memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from ecgimn.formats.export import write_csv
from ecgimn.sources.composites.case import list_composites, load_composite
from tests.browser.conftest import FLAGS, find_browser, running_app
from tests.browser.visit import ARTIFACTS, VIEWPORT

PAINT_MS = 60_000
# An evidence picture under a chart that says whose it is; null while there is none.
_SHOWN = """
  const shown = () => {
    const chart = document.querySelector('.st-key-ecg .js-plotly-plot');
    const images = [...(chart?.querySelectorAll('.imagelayer image') ?? [])];
    const sources = images.map(image => image.getAttributeNS('http://www.w3.org/1999/xlink', 'href'));
    return chart?.dataset.evidence && [chart.layout.meta.paper, ...sources].join('|');
  };
"""
# Starts the clock at the key press, looks at every frame for another picture, and stops two frames later.
_WATCH_KEY = f"""
() => {{
  {_SHOWN}
  const before = shown();
  window.paintedAfter = null;
  window.addEventListener('keydown', () => {{
    const start = performance.now();
    const look = () => {{
      const now = shown();
      if (now && now !== before) {{
        const painted = () => {{ window.paintedAfter = performance.now() - start; }};
        requestAnimationFrame(() => requestAnimationFrame(painted));
      }} else {{ requestAnimationFrame(look); }}
    }};
    look();
  }}, {{once: true, capture: true}});
}}
"""
# In every document from its first line on; performance.now() counts from the navigation.
_WATCH_FIRST = """
window.firstPaintedAt = null;
{
  SHOWN
  const look = () => {
    if (shown()) {
      requestAnimationFrame(() => requestAnimationFrame(() => { window.firstPaintedAt = performance.now(); }));
    } else { requestAnimationFrame(look); }
  };
  look();
}
"""
ANY_CHART = "const shown = () => document.querySelector('.js-plotly-plot .main-svg');"


@contextmanager
def app_and_browser(name: str, script: Path | None = None, **variables: str) -> Iterator[tuple[str, Browser, float]]:
    """Start the app, or a script in its place, in an empty home folder, and Chromium.

    Yields the app's address, the browser, and the seconds from the start of the process until the server answered.
    Further variables are set in the server's environment; an empty one is taken out.
    """
    browser_path = find_browser()
    if browser_path is None:
        raise SystemExit("No Chromium or Chrome was found. Set CHROMIUM to its path.")
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home), ARTIFACTS / f"{name}.log", script, **variables) as address,
    ):
        started = time.perf_counter() - begun
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
            yield address, browser, started
            browser.close()


def new_page(browser: Browser, shown: str = _SHOWN) -> Page:
    """Open a page of its own visitor, on a laptop's screen; `shown` is the JavaScript that knows its first paint."""
    context = browser.new_context(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]})
    context.add_init_script(_WATCH_FIRST.replace("SHOWN", shown))
    return context.new_page()


def seconds_to_first_paint(page: Page) -> float:
    """Return the seconds from the navigation until what the page was opened for was painted; waits for it."""
    page.wait_for_function("window.firstPaintedAt !== null", timeout=PAINT_MS)
    return float(page.evaluate("window.firstPaintedAt")) / 1000.0


def seconds_to_paint(page: Page, key: str) -> float:
    """Press a key and return the seconds until another evidence picture is painted."""
    page.evaluate(_WATCH_KEY)
    page.keyboard.press(key)
    page.wait_for_function("window.paintedAfter !== null", timeout=PAINT_MS)
    return float(page.evaluate("window.paintedAfter")) / 1000.0


def server_process(address: str) -> psutil.Process:
    """Return the process of the server at an address."""
    port = f"--server.port={address.rsplit(':', 1)[1].strip('/')}"
    return next(process for process in psutil.process_iter(["cmdline"]) if port in (process.info["cmdline"] or ()))


def server_memory_mb(address: str) -> float:
    """Return the resident memory of the server at an address and of its child processes, in MB."""
    server = server_process(address)
    return sum(process.memory_info().rss for process in (server, *server.children(recursive=True))) / 2**20


def write_composites(folder: Path) -> list[Path]:
    """Write the composite cases into a folder, as files that anybody might have."""
    paths = [folder / f"{case.name}.csv" for case in list_composites()]
    for path in paths:
        write_csv(load_composite(path.stem), path)
    return paths
