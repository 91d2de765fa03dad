"""Makes the pictures of docs/tour.md from the running app: `make screenshots`.

The cohort page shows a batch run where ECGIMN_BATCH names one, else how to make one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, find_browser, running_app
from tests.browser.visit import ARTIFACTS, ROOT, VIEWPORT, Visit

PICTURES = ROOT / "docs" / "img"
#: Name of the picture, address of the page.
STOPS = (
    ("read", "/?composite=imi-st&class=MI"),
    ("what-if", "/what_if"),
    ("compare", "/compare"),
    ("cohort", "/cohort"),
    ("audit", "/audit"),
    ("model", "/model"),
)
SETTLED_MS = 1500  # charts are painted a moment after the script has ended


def main() -> None:
    """Visit the pages and keep a picture of each."""
    browser_path = find_browser()
    if browser_path is None:
        raise SystemExit("No Chromium or Chrome was found. Set CHROMIUM to its path.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home), ARTIFACTS / "tour.log") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
        page = browser.new_page(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]})
        visit = Visit(page, address, "tour")
        for name, path in STOPS:
            visit.open(path)
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=PICTURES / f"{name}.png")
            print(f"docs/img/{name}.png")


if __name__ == "__main__":
    main()
