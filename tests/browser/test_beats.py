"""A reader steps through the beats with a key and by a click on a bar, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.visit import WAIT_MS, Visit

pytestmark = pytest.mark.browser


def test_a_key_steps_to_the_next_beat_and_a_click_on_a_bar_to_any(visit: Visit) -> None:
    page = visit.open("/?composite=imi-st&class=MI")
    visit.chart()
    page.get_by_role("radio", name="Beats").click()
    words = page.get_by_text(re.compile(r"Beat \d+ of \d+ · R at"))
    expect(words).to_contain_text("Beat 1 of", timeout=WAIT_MS)
    visit.settle()
    page.keyboard.press("b")
    expect(words).to_contain_text("Beat 2 of", timeout=WAIT_MS)
    visit.settle()
    page.keyboard.press("Shift+B")
    expect(words).to_contain_text("Beat 1 of", timeout=WAIT_MS)
    visit.settle()
    chart = page.locator(".st-key-beat_bars")
    chart.scroll_into_view_if_needed()
    bar = visit.box(chart.locator(".bars .point path").nth(4))
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    expect(words).to_contain_text("Beat 5 of", timeout=WAIT_MS)
    visit.settle()
    page.get_by_text(re.compile("outside of them")).scroll_into_view_if_needed()
    visit.keep_screenshot()
