"""What a real Chromium makes of the figure: its nodes, its pixels per millimetre, and what it asks the network for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from ecgimn.draw.paper import LAYOUTS
from ecgimn.draw.screen.ecg import Screen, ecg_figure
from ecgimn.draw.view import View
from tests.browser.conftest import FLAGS, find_browser

pytestmark = pytest.mark.browser
LOOK = """() => {
    const chart = document.querySelector('.js-plotly-plot');
    const {xaxis, yaxis} = chart._fullLayout;
    return {
        nodes: chart.querySelectorAll('*').length,
        images: document.querySelectorAll('.imagelayer image').length,
        across: xaxis._length / (xaxis.range[1] - xaxis.range[0]),
        up: yaxis._length / (yaxis.range[1] - yaxis.range[0]),
    };
}"""


def look(page_file: Path, browser_path: str) -> dict[str, Any]:
    """Open a page in a thread of its own, since another test may hold Playwright's loop."""

    def visit() -> dict[str, Any]:
        errors: list[str] = []
        requests: list[str] = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("request", lambda request: requests.append(request.url))
            page.goto(page_file.as_uri())
            page.wait_for_selector(".js-plotly-plot .main-svg", state="attached")
            page.wait_for_function("() => document.querySelectorAll('.imagelayer image').length > 0")
            seen = page.evaluate(LOOK)
            page.click("text=off")
            seen["dimmed"] = page.evaluate(
                "() => Object.fromEntries(document.querySelector('.js-plotly-plot')._fullLayout.images"
                ".map(image => [image.name, image.opacity]))"
            )
            browser.close()
        outside = [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
        return {**seen, "errors": errors, "outside": outside}

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(visit).result(timeout=90)


@pytest.fixture(scope="module")
def browser_path() -> str:
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium or Chrome found (set CHROMIUM to its path)")
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_full_page_has_under_600_nodes_and_equal_px_per_mm_and_asks_nobody(
    recording, evidence, waves, st, layout, tmp_path, browser_path
):
    figure = ecg_figure(recording, evidence, view=View(layout), waves=waves, st=st, screen=Screen(900, 560))
    page_file = tmp_path / "page.html"
    figure.write_html(page_file, include_plotlyjs=True)
    seen = look(page_file, browser_path)
    assert seen["errors"] == []
    assert seen["outside"] == []
    assert seen["images"] == 3
    assert seen["nodes"] < 600
    assert seen["dimmed"] == {"evidence": 0, "paper": 1, "strips": 0}
    assert seen["across"] == pytest.approx(seen["up"], rel=0.005)
    assert seen["across"] == pytest.approx(figure.layout.meta["px_per_mm"], rel=0.005)
