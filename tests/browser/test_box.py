"""A reader drags a box over the trace in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.visit import WAIT_MS, Visit

pytestmark = pytest.mark.browser


def test_one_drag_gives_three_answers_and_a_double_click_takes_them_away(visit: Visit) -> None:
    page = visit.open("/?composite=imi-st&class=MI&mode=research")
    visit.chart()
    page.evaluate("document.querySelector('.js-plotly-plot').dataset.seen = 'before the drag'")
    paper = visit.box(page.locator(".js-plotly-plot .nsewdrag").first)
    at = (paper["x"] + 0.33 * paper["width"], paper["y"] + 0.19 * paper["height"])
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + 20, at[1] + 10, steps=3)
    page.mouse.move(at[0] + 40, at[1] + 25, steps=3)
    page.mouse.up()
    answers = page.locator(".st-key-box_answers")
    expect(answers).to_contain_text("network re-run", timeout=WAIT_MS)
    expect(answers).to_contain_text(re.compile(r"Box .+ · [\d,]+–[\d,]+ ms"))
    expect(answers).to_contain_text(re.compile(r"\d+ ms × \d\.\d\d mV \(\d+\.\d mm\)"))
    expect(answers).to_contain_text(re.compile(r"[+−]\d\.\d\d logit of [+−]\d\.\d\d for MI"))
    visit.settle()
    kept = page.evaluate("document.querySelector('.js-plotly-plot').dataset.seen")
    assert kept == "before the drag"  # the chart was not drawn anew
    visit.keep_screenshot()
    page.mouse.dblclick(paper["x"] + 0.6 * paper["width"], paper["y"] + 0.6 * paper["height"])
    expect(answers).to_have_count(0, timeout=WAIT_MS)
