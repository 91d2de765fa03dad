"""A reader's journeys through the running app, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from ecgimn.sources.composites.case import list_composites
from tests.browser.conftest import running_app
from tests.browser.measuring import server_memory_mb, server_process
from tests.browser.visit import ARTIFACTS, ROOT, VIEWPORT, WAIT_MS, Visit

pytestmark = pytest.mark.browser

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py") if not path.name.startswith("_"))
DEFAULT_PAGE = "read"
INTENDED_USE = "For research, teaching and qualitative audit of ECG explanations. Not a medical device"
MAX_CHART_NODES = 600


def test_a_new_reader_sees_an_ecg_with_evidence_above_the_fold_and_no_question(visit: Visit) -> None:
    page = visit.open()
    chart = visit.chart()
    box = visit.box(chart)
    assert box["y"] + box["height"] <= VIEWPORT[1]  # all leads
    assert box["width"] > VIEWPORT[0] / 2
    expect(page.get_by_text(INTENDED_USE).first).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert chart.locator("*").count() <= MAX_CHART_NODES
    visit.keep_screenshot()


def test_the_page_follows_a_dark_desktop(dark_visit: Visit) -> None:
    page = dark_visit.open()
    dark_visit.chart()
    background = page.get_by_test_id("stApp").evaluate("element => getComputedStyle(element).backgroundColor")
    assert background == "rgb(20, 24, 29)"  # theme.dark.backgroundColor of .streamlit/config.toml
    dark_visit.keep_screenshot()


def test_every_page_opens_by_its_address_can_be_read_and_does_not_scroll_sideways(visit: Visit) -> None:
    for name in PAGES:  # each by a load and a session of its own; the browser has compiled the scripts once
        page = visit.open("/" if name == DEFAULT_PAGE else f"/{name}")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_text("Page not found")).to_have_count(0)
        expect(page.get_by_text(INTENDED_USE).first).to_be_visible()
        main = page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth <= element.clientWidth"), name
        assert visit.faint_texts() == [], name
        visit.keep_screenshot(name)


def test_a_link_to_a_page_and_a_press_on_a_page_from_before_may_be_the_first_that_a_server_hears(
    browser: Browser, tmp_path: Path
) -> None:
    with running_app(tmp_path, ARTIFACTS / "fresh-server.log") as address:
        visit = Visit(browser.new_page(), address, "restart")
        visit.page.set_default_timeout(WAIT_MS)
        visit.listen()
        page = visit.open(f"/{next(name for name in PAGES if name != DEFAULT_PAGE)}")
        expect(page.get_by_text(INTENDED_USE).first).to_be_visible()
        visit.open("/?composite=norm&class=NORM")
        visit.chart()
        assert visit.errors == []
    app = page.get_by_test_id("stApp")
    expect(app).not_to_have_attribute("data-test-connection-state", "CONNECTED")
    with running_app(tmp_path, ARTIFACTS / "restarted-server.log", address=address):
        expect(app).to_have_attribute("data-test-connection-state", "CONNECTED", timeout=WAIT_MS)
        page.keyboard.press("k")  # in a fragment of the page
        page.keyboard.press("ArrowRight")
        page.wait_for_url(re.compile("composite=(?!norm&).*class=(?!NORM)"), timeout=WAIT_MS)
        page.close()
    assert visit.outside == []


def test_another_host_name_is_not_answered(visit: Visit) -> None:
    """A page of another site that resolves to this machine (DNS rebinding) gets no session."""
    status = visit.page.request.get(
        f"{visit.address}/_stcore/stream",
        headers={
            "Host": "evil.example",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    ).status
    assert status == 403


def run_page(socket: ClientConnection, query: str) -> None:
    """Ask for a run of the page, as a browser does, and wait until it has reached its end."""
    asked = BackMsg()
    asked.rerun_script.query_string = query
    socket.send(asked.SerializeToString())
    said = ForwardMsg()
    while said.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY or said.WhichOneof("type") != "script_finished":
        said.ParseFromString(socket.recv(timeout=WAIT_MS / 1000))  # type: ignore[arg-type]


def test_a_visitor_who_asks_22_times_to_empty_the_caches_costs_neither_memory_nor_computing(server: str) -> None:
    query, spent, taken = "composite=lafb", [], []  # a case that no other test opens
    emptied = BackMsg()
    emptied.clear_cache = True
    stream = server.replace("http", "ws") + "/_stcore/stream"
    with connect(stream, subprotocols=[Subprotocol("streamlit")], origin=Origin(server), max_size=None) as socket:
        for n_asked in (0, 0, 0, 11, 11):  # the case is new at first, then known
            for _ in range(n_asked):
                socket.send(emptied.SerializeToString())
            before = server_process(server).cpu_times()
            run_page(socket, query)
            after = server_process(server).cpu_times()
            spent.append(after.user + after.system - before.user - before.system)
            taken.append(server_memory_mb(server))
    _, *known, once, twice = spent
    assert max(once, twice) < 4 * max(known)  # emptied caches take twenty times as much
    assert max(taken[-2:]) < max(taken[1:3]) + 100.0


def open_numbers(page: Page) -> None:
    """Open sum and ledger, which take the place of the mean beat."""
    page.get_by_role("tab", name="Ledger").click()


def test_a_reader_picks_a_case_and_switches_the_class(visit: Visit) -> None:
    page = visit.open("/?mode=research")
    visit.chart()
    visit.choose("Composite case", re.compile("^normal ECG"))
    expect(page.get_by_role("button", name=re.compile("^NORM"))).to_be_visible(timeout=WAIT_MS)
    expect(page).to_have_url(re.compile("composite=norm"), timeout=WAIT_MS)
    visit.settle()
    open_numbers(page)
    page.get_by_role("button", name=re.compile("^HYP")).click()
    expect(page.get_by_text("HYP logit")).to_be_visible(timeout=WAIT_MS)
    expect(page).to_have_url(re.compile("class=HYP"), timeout=WAIT_MS)
    visit.settle()
    expect(page.get_by_text("sums to the logit")).to_be_visible()
    visit.keep_screenshot()


def test_the_keys_move_between_cases_classes_and_layouts(visit: Visit) -> None:
    page = visit.open("/?composite=norm&class=NORM")
    visit.chart()
    page.keyboard.press("k")
    wait_for_evidence(page, "MI")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"composite=(?!norm&)"))
    visit.settle()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile(r"composite=norm&"))
    visit.settle()
    page.keyboard.press("l")
    page.wait_for_url(re.compile(r"layout=12x1"))  # the first layout is three rows of four
    visit.settle()
    page.keyboard.press("h")
    expect(page.get_by_role("dialog")).to_contain_text("previous and next case", timeout=WAIT_MS)
    visit.keep_screenshot()


def test_a_key_pressed_while_a_case_is_still_drawn_goes_on_from_that_case(visit: Visit) -> None:
    page = visit.open("/?composite=norm&class=NORM")
    visit.chart()
    names = [case.name for case in list_composites()]
    place = names.index("norm")
    for key, step in [("ArrowRight", 1), ("ArrowRight", 1), ("ArrowLeft", -1), ("ArrowRight", 1), ("ArrowRight", 1)]:
        place = (place + step) % len(names)
        page.keyboard.press(key)
        page.wait_for_url(re.compile(rf"composite={names[place]}&"))  # written before anything is drawn
    page.keyboard.press("k")
    page.wait_for_url(re.compile(rf"composite={names[place]}&class=(?!NORM)"))
    for _ in range(2):
        page.keyboard.press("l")
        page.keyboard.press("ArrowRight")
        place = (place + 1) % len(names)
        page.wait_for_url(re.compile(rf"composite={names[place]}&"))
    visit.settle()
    expect(page).to_have_url(re.compile(rf"composite={names[place]}&class=(?!NORM)"))
    expect(page).to_have_url(re.compile(r"layout=6x2"))  # the third


def evidence_on_the_page(page: Page) -> list[str]:
    """What the chart says lies under it, and the pictures of evidence and of paper that are painted."""
    return page.evaluate("""() => {
        const chart = document.querySelector('.st-key-ecg .js-plotly-plot')
        const painted = name => [...chart.querySelectorAll('.imagelayer image')].find(
            node => chart.layout.images[node.__data__._index].name === name
        ).getAttributeNS('http://www.w3.org/1999/xlink', 'href')
        return [chart.dataset.evidence, painted('evidence'), painted('paper')]
    }""")


def wait_for_evidence(page: Page, name: str) -> None:
    page.wait_for_function(
        "name => document.querySelector('.st-key-ecg .js-plotly-plot')?.dataset.evidence === name",
        arg=name,
        timeout=WAIT_MS,
    )


def test_class_and_key_change_the_evidence_under_the_same_trace(visit: Visit) -> None:
    page = visit.open("/?composite=norm&class=NORM&mode=research")
    visit.chart()
    wait_for_evidence(page, "NORM")
    _, norm, grey_paper = evidence_on_the_page(page)
    page.evaluate("document.querySelector('.st-key-ecg .js-plotly-plot').dataset.seen = 'once'")
    page.keyboard.press("k")
    wait_for_evidence(page, "MI")
    _, mi, _ = evidence_on_the_page(page)
    assert norm != mi
    page.keyboard.press("o")
    wait_for_evidence(page, "")
    _, hidden, red_paper = evidence_on_the_page(page)
    assert len(hidden) < 200
    assert red_paper != grey_paper
    open_numbers(page)
    expect(page.get_by_text("MI logit")).to_be_hidden()  # read first, then reveal
    page.keyboard.press("o")
    wait_for_evidence(page, "MI")
    expect(page.get_by_text("MI logit")).to_be_visible()
    assert evidence_on_the_page(page) == ["MI", mi, grey_paper]
    visit.settle()
    assert page.evaluate("document.querySelector('.st-key-ecg .js-plotly-plot').dataset.seen") == "once"


def test_a_press_shows_the_next_class_before_the_server_has_answered(visit: Visit) -> None:
    page = visit.open("/?composite=norm&class=NORM")
    visit.chart()
    wait_for_evidence(page, "NORM")
    page.wait_for_function("globalThis.ecgImnAhead", timeout=WAIT_MS)
    open_numbers(page)
    shown = page.evaluate("""() => {
        const key = {key: 'k', code: 'KeyK', bubbles: true, composed: true}
        document.body.dispatchEvent(new KeyboardEvent('keydown', key))
        document.body.dispatchEvent(new KeyboardEvent('keyup', key))
        return document.querySelector('.st-key-ecg .js-plotly-plot').dataset.evidence
    }""")
    assert shown == "MI"  # within the press itself
    expect(page.get_by_text("Ledger of MI").first).to_be_visible()
    page.wait_for_url(re.compile("class=MI"))  # the server has heard the press too
    visit.settle()
    expect(page.get_by_text("Ledger of MI").first).to_be_visible()
    assert evidence_on_the_page(page)[0] == "MI"


def test_a_cell_of_the_ledger_marks_its_stretches_on_the_trace(visit: Visit) -> None:
    page = visit.open("/?composite=imi-st&class=MI&layout=12x1&mode=research")
    visit.chart()
    wait_for_evidence(page, "MI")
    page.wait_for_function("globalThis.ecgImnAhead", timeout=WAIT_MS)
    open_numbers(page)
    page.wait_for_function("globalThis.ecgImnMeasured", timeout=WAIT_MS)
    cell = page.get_by_role("row", name="III").get_by_role("gridcell").nth(3)
    cell.click()
    told = page.get_by_role("status").filter(has_text="QRS of III")
    words = r"QRS of III: booked \+\d\.\d\d( ± \d\.\d\d)?, taken out \+\d\.\d\d: confirmed, \d+ stretches marked\."
    expect(told).to_have_text(re.compile(words))
    marks = page.locator(".st-key-ecg svg.ledger-marks rect")
    assert 8 <= marks.count() <= 16
    share = page.evaluate("""() => {  // in one go: the page may still be scrolling
        const [lead, mark] = ['.nsewdrag', 'svg.ledger-marks rect'].map(
            part => document.querySelector(`.st-key-ecg ${part}`).getBoundingClientRect())
        return (mark.y - lead.y) / lead.height
    }""")
    assert 0 < share < 1 / 3  # the third row of twelve
    visit.keep_screenshot()
    url = page.url
    page.keyboard.press("ArrowRight")  # inside the ledger the arrow keys go from cell to cell
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="ST of III")).to_be_visible()
    page.keyboard.press("Escape")
    expect(marks).to_have_count(0)
    assert page.url == url
    page.locator(".sum tr", has_text="inferior").click()
    expect(page.locator(".sum tr.chosen")).to_have_count(1)
    assert marks.count() == 3  # the whole of three leads
    page.get_by_role("tab", name="Mean beat").click()
    assert page.locator(".beats .cell.chosen").count() >= 9
    page.locator(".beats .cell[data-lead=V3][data-wave=T]").click()
    expect(told.or_(page.get_by_role("status").filter(has_text="T of V3"))).to_have_text(re.compile("T of V3: booked"))
    assert 8 <= marks.count() <= 16


def test_without_colours_there_is_no_answer_until_they_are_shown_again(visit: Visit) -> None:
    page = visit.open("/?composite=imi-st&class=MI")
    visit.chart()
    wait_for_evidence(page, "MI")
    answer, chip = page.locator(".st-key-answer"), page.get_by_role("button", name=re.compile("^NORM"))
    expect(answer).to_contain_text("above its threshold")
    expect(chip).to_be_visible()
    page.keyboard.press("o")
    expect(answer).not_to_be_visible()
    expect(chip).not_to_be_visible()
    expect(page.locator(".beats .trace").first).to_be_visible()  # the tracing itself stays
    page.keyboard.press("o")
    expect(answer).to_be_visible()


def test_copy_link_takes_the_very_view_along(visit: Visit) -> None:
    page = visit.open("/?composite=norm&class=CD&quantity=weights&style=line&scale=fixed&limit_weights=0.15&gain=20.0")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.chart()
    wait_for_evidence(page, "CD")
    page.locator(".st-key-evidence input.opacity").evaluate(
        "slider => { slider.value = 0.5; slider.dispatchEvent(new Event('input')) }"
    )
    page.wait_for_url(re.compile("opacity=0.5"))
    visit.settle()
    before = evidence_on_the_page(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.url
    page = visit.open(copied.removeprefix(visit.address))
    wait_for_evidence(page, "CD")
    assert evidence_on_the_page(page) == before
    opacity = page.locator(".st-key-ecg .imagelayer image").first.evaluate("image => image.style.opacity")
    assert opacity == "0.5"
    assert page.url == copied


def test_the_pointer_is_answered_with_voltage_and_evidence(visit: Visit) -> None:
    page = visit.open("/?composite=imi-st&class=MI")
    visit.chart()
    wait_for_evidence(page, "MI")
    paper = visit.box(page.locator(".st-key-ecg .nsewdrag").first)
    page.mouse.move(paper["x"] + 0.5 * paper["width"], paper["y"] + 0.3 * paper["height"])
    answer = page.locator(".st-key-ecg .hoverlayer")
    expect(answer).to_contain_text(re.compile(r"\d\.\d\d mV"), timeout=WAIT_MS)
    expect(answer).to_contain_text("contribution · MI")
    expect(answer).to_contain_text(re.compile(r"[+−]\d\.\d{4} logit per 40 ms"))
    visit.keep_screenshot()


def test_the_pointer_shows_how_far_the_network_looks_for_the_weight_there(visit: Visit) -> None:
    page = visit.open("/?composite=imi-st&class=MI&reach=true&layout=12x1")
    visit.chart()
    wait_for_evidence(page, "MI")
    page.wait_for_function("globalThis.ecgImnAhead", timeout=WAIT_MS)
    paper = visit.box(page.locator(".st-key-ecg .nsewdrag").first)
    page.mouse.move(paper["x"] + 0.5 * paper["width"], paper["y"] + 0.3 * paper["height"])
    told = page.get_by_text(re.compile(r"Here the model looks at \d+\.\d s of all leads \(90 %\)"))
    expect(told).to_be_visible(timeout=WAIT_MS)
    stretches = page.locator(".st-key-ecg svg.reach-marks rect")
    expect(stretches).to_have_count(12)
    box = visit.box(stretches.first)
    seconds = float(told.get_attribute("data-seconds") or "nan")
    assert f"{seconds:.1f} s" in told.inner_text()
    per_s = page.evaluate("(({meta}) => meta.px_per_mm * meta.speed_mm_per_s)"
                          "(document.querySelector('.st-key-ecg .js-plotly-plot').layout)")  # fmt: skip
    assert abs(box["width"] - seconds * per_s) < 4
    visit.keep_screenshot()
    page.mouse.move(5, 5)
    expect(stretches).to_have_count(0)


def test_evidence_goes_with_its_case(visit: Visit) -> None:
    page = visit.open("/?composite=norm&class=NORM")
    visit.chart()
    wait_for_evidence(page, "NORM")
    token = "document.querySelector('.st-key-ecg .js-plotly-plot').layout.meta.paper"
    before, pictures = page.evaluate(token), evidence_on_the_page(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"before => {token} !== before", arg=before, timeout=WAIT_MS)
    wait_for_evidence(page, "NORM")
    assert evidence_on_the_page(page)[1] != pictures[1]


def test_a_bank_card_makes_a_millimetre_a_millimetre_and_the_browser_remembers(visit: Visit) -> None:
    page = visit.open("/?composite=norm&class=NORM")
    visit.chart()
    page.get_by_role("button", name="View").click()
    page.get_by_text("Calibrate the screen with a bank card").click()
    slider = page.get_by_role("slider", name="Width of the card")
    slider.evaluate("slider => { slider.value = 3.2; slider.dispatchEvent(new Event('input')) }")
    card = visit.box(page.get_by_role("img", name="Outline of a bank card"))
    assert abs(card["width"] - 85.6 * 3.2) < 1
    page.get_by_role("button", name="The card fits").click()
    meta = "document.querySelector('.st-key-ecg .js-plotly-plot')?.layout.meta"
    page.wait_for_function(f"{meta}?.px_per_mm === 3.2", timeout=WAIT_MS)
    assert "screen calibrated with a bank card" in page.evaluate(f"{meta}.footer")
    visit.keep_screenshot()
    page = visit.open("/?composite=norm&class=NORM")
    page.wait_for_function(f"{meta}?.footer.includes('screen calibrated with a bank card')", timeout=WAIT_MS)


def test_the_trace_fills_a_large_screen(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1920, "height": 1080})
    page = visit.open()
    chart = visit.chart()
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.clientWidth > 1050")
    box, beats = visit.box(chart), visit.box(page.locator(".beats svg").first)
    assert box["y"] + box["height"] <= 1080
    assert beats["x"] >= box["x"] + box["width"]  # beside it
    assert beats["width"] + box["width"] > 0.9 * 1920  # and nothing of the window is empty
    visit.keep_screenshot()


def test_every_page_can_be_read_in_the_dark(dark_visit: Visit) -> None:
    for name in PAGES:
        dark_visit.open("/" if name == DEFAULT_PAGE else f"/{name}")
        assert dark_visit.faint_texts() == [], name
