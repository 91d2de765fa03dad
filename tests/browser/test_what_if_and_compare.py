"""Journeys through the what-if bench and the compare page, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.visit import WAIT_MS, Visit

pytestmark = pytest.mark.browser

RANGES = """() => { const layout = document.querySelector('.js-plotly-plot')._fullLayout;
  return [layout.xaxis.range, layout.xaxis2.range] }"""


def test_a_link_opens_an_edit_a_key_changes_it_and_reset_takes_it_back(visit: Visit) -> None:
    page = visit.open("/what_if?composite=imi-st&class=MI&edit_leads=anterior+V3+V4&edit_st=0.2")
    expect(page.locator("svg.mean-beat .grey").first).to_be_attached(timeout=WAIT_MS)
    expect(page.get_by_text("V3 +0.20, V4 +0.20")).to_be_visible(timeout=WAIT_MS)
    slider = page.get_by_role("slider", name="ST (mV)")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("V3 +0.21, V4 +0.21")).to_be_visible(timeout=WAIT_MS)
    visit.settle()
    assert "edit_st=0.21" in page.url
    visit.keep_screenshot()
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_text("Nothing is changed yet.")).to_be_visible(timeout=WAIT_MS)
    visit.settle()
    assert "edit_st" not in page.url
    assert "edit_leads=anterior" in page.url


def test_the_bench_answers_in_the_dark_and_without_sideways_scrolling(dark_visit: Visit) -> None:
    page = dark_visit.open("/what_if?composite=norm&class=MI&edit_t=-1")
    expect(page.get_by_text(re.compile("No ST change up to|makes the model call MI"))).to_be_visible(timeout=WAIT_MS)
    page.get_by_text("Smallest ST change in numbers").click()
    expect(page.get_by_text("lowered by")).to_be_visible(timeout=WAIT_MS)
    dark_visit.settle()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
    dark_visit.keep_screenshot()


def test_two_records_keep_in_step_when_time_is_enlarged(visit: Visit) -> None:
    page = visit.open("/compare?composite=imi-st&cmp_composite=lmi&cmp_class=MI&seen=whole+trace&mode=research")
    visit.chart()
    expect(page.get_by_text("Rank correlation (Spearman)")).to_be_visible(timeout=WAIT_MS)
    assert "cmp_composite=lmi" in page.url
    before = page.evaluate(RANGES)
    box = visit.box(page.locator(".js-plotly-plot .nsewdrag").first)
    page.mouse.move(box["x"] + 150, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 110, steps=5)
    page.mouse.up()
    page.wait_for_function(f"before => String(({RANGES})()) !== String(before)", arg=before)
    one, two = page.evaluate(RANGES)
    assert one == pytest.approx(two)
    assert one[1] - one[0] < before[0][1] - before[0][0]
    visit.keep_screenshot()


def test_the_exact_map_stands_beside_a_post_hoc_method_on_a_large_screen(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1920, "height": 1080})
    shown = "seen=whole+trace&mode=research"
    page = visit.open(f"/compare?composite=imi-st&cmp=Methods&cmp_class=MI&cmp_method_b=Grad-CAM&{shown}")
    visit.chart()
    expect(page.get_by_text("not booked")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_function("document.querySelector('.js-plotly-plot').clientWidth > 1500")
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
    visit.keep_screenshot()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/what_if?composite=norm&class=MI&edit_leads=anterior+V3+V4", "No ST change up to"),
        ("/compare?composite=imi-st", "This ECG"),
        ("/faithfulness?composite=imi-st&class=MI", "With random weights: the map"),
    ],
)
def test_answer_and_painted_beats_are_seen_without_scrolling(visit: Visit, address: str, words: str) -> None:
    visit.page.set_viewport_size({"width": 1366, "height": 768})
    page = visit.open(address)
    expect(page.get_by_text(words).first).to_be_visible(timeout=WAIT_MS)
    visit.settle()
    for item in (page.get_by_text(words).first, page.locator("svg.mean-beat").last):
        box = visit.box(item)
        assert box["y"] + box["height"] <= 768
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
    visit.keep_screenshot(words.split()[0].lower())


def test_the_browser_goes_back_to_the_case_before(visit: Visit) -> None:
    page = visit.open("/?composite=norm")
    visit.chart()
    visit.settle()
    page.get_by_role("button", name="Next").click()
    page.wait_for_url(re.compile(r"composite=(?!norm\b)"), timeout=WAIT_MS)
    visit.settle()
    page.go_back()
    page.wait_for_url(re.compile(r"composite=norm\b(?!.*back=)"), timeout=WAIT_MS)
    visit.settle()
    expect(page.get_by_role("combobox", name="Composite case")).to_have_value(re.compile("normal ECG"), timeout=WAIT_MS)
