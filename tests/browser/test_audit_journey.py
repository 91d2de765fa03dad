"""Two readers go through an audit in a real browser, the server is killed on the way, the export counts the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import read_card
from ecgimn.model.model import MODELS_FOLDER
from ecgimn.study.cases import audit_case
from ecgimn.study.database import URL_VARIABLE
from ecgimn.study.definition import KIND, Arm, Audit, items_of
from ecgimn.study.record import parse_export, record_of, study_record
from ecgimn.study.results import compute_results
from ecgimn.study.session import Reading
from ecgimn.study.store import Store, open_store
from tests.browser.conftest import running_app
from tests.browser.visit import ARTIFACTS, VIEWPORT, WAIT_MS, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

STEP_WORDS = {"blind": "Read blind", "evidence": "The evidence", "revision": "Revise", "rating": "Rate"}
QUESTIONS = {"relevant": "is relevant", "helpful": "helped me", "trust": "confidence in the model's answer"}
CASES = ("norm", "imi", "crbbb")  # one in each arm
ARMS = (Arm("with evidence"), Arm("answer only", method="none"), Arm("blind only", model=False, method="none"))


def new_audit(store: Store) -> Audit:
    card = read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
    listed = tuple(audit_case(f"composite:{name}", None) for name in CASES)
    audit = Audit("Three cases", card.name, card.sha256, card.classes, listed, "three composite cases", ARMS, seed=8)
    store.add_study(audit.uid, audit.name, KIND, audit.text)
    return audit


@contextmanager
def visitor(address: str, browser: Browser, name: str) -> Iterator[Visit]:
    """Somebody in front of a browser; fails on errors there, and on requests that leave."""
    context = browser.new_context(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    seen = Visit(page, address, f"audit-{name}")
    seen.listen()
    try:
        yield seen
    except BaseException:
        seen.keep_screenshot("failed")
        raise
    finally:
        context.close()
    assert seen.errors == []
    assert seen.outside == []


SETTLED_MS = 200
PRESS_AGAIN_MS = 10_000


@dataclass
class Desk:
    """A visitor of an audit, and the log in which every step must arrive."""

    visit: Visit
    store: Store
    audit: Audit
    reading: Reading | None = None

    def saved(self, act: Callable[[], None]) -> None:
        """Do something and wait until it is in the log and the page has answered."""
        before = self.store.n_events(self.audit.uid)
        act()
        for _ in range(WAIT_MS // 100):
            if self.store.n_events(self.audit.uid) > before:
                break
            self.visit.page.wait_for_timeout(100)
        assert self.store.n_events(self.audit.uid) > before
        self.visit.settle()
        self.visit.page.wait_for_timeout(SETTLED_MS)  # what was just sent replaces what is on the page
        self.visit.settle()

    def press(self, label: str) -> None:
        """Press a button; once more, as a reader would, if it was replaced under the pointer and nothing happened."""
        button = self.visit.page.get_by_role("button", name=label).first
        before = self.store.n_events(self.audit.uid)

        def act() -> None:
            button.click()
            for _ in range(PRESS_AGAIN_MS // 100):
                if self.store.n_events(self.audit.uid) > before:
                    return
                self.visit.page.wait_for_timeout(100)
            button.click()

        self.saved(act)

    def pick(self, question: str, choice: str) -> None:
        self.saved(group(self.visit, question).get_by_text(choice, exact=True).click)

    def sign_in(self, name: str) -> None:
        page = self.visit.open("/audit")
        page.get_by_role("textbox", name="Pseudonym").fill(name)
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Sign in").click()
        self.press("Begin")
        self.reading = Reading(self.store, self.audit, self.store.sign_in(name)[0])

    def answer(self, label: str) -> None:
        self.pick("Main diagnosis", label)
        self.pick("Confidence", "4")

    def finish_case(self, place: int) -> None:
        """Go from the answered questions through the steps of this reader's arm, whichever it is."""
        page = self.visit.page
        while (step := self.reading.state(place).step) is not None:
            if step == "model":  # shown without being asked for
                page.wait_for_timeout(100)
                continue
            expect(page.locator("strong").get_by_text(STEP_WORDS[step], exact=True)).to_be_visible(timeout=WAIT_MS)
            if step == "rating":
                for item in items_of(self.reading.plan[place - 1].arm):
                    self.pick(QUESTIONS[item], "+2")
            self.press("Show the evidence" if step == "evidence" else "Submit")

    def read_all(self, label: str, first: int) -> None:
        for place in range(first, len(CASES) + 1):
            if place > 1:
                self.press(f"Go on with case {place}")
            expect(self.visit.page.get_by_text(f"Case {place} of {len(CASES)}")).to_be_visible(timeout=WAIT_MS)
            self.answer(label)
            self.finish_case(place)


def group(visit: Visit, question: str) -> Locator:
    return visit.page.get_by_test_id("stButtonGroup").filter(has_text=question)


def kill_server(address: str) -> None:
    """End the server of this address as an out-of-memory killer would."""
    port = address.rsplit(":", 1)[1]
    for child in psutil.Process().children():
        if any(port in part for part in child.cmdline()):
            child.kill()
            child.wait(20)


def downloaded(page: Page, label: str, folder: Path) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.read_bytes()


COORDINATOR = "three dull herons"


def open_part(visit: Visit, part: str) -> Page:
    """Open a part of the audit page as the coordinator, who chooses a passphrase where there is none."""
    page = visit.open("/audit")
    group(visit, part).get_by_text(part, exact=True).click()
    field = page.get_by_role("textbox", name="oordinator's passphrase").first
    expect(field).to_be_visible(timeout=WAIT_MS)
    field.fill(COORDINATOR)
    again = page.get_by_role("textbox", name="The same again")
    if again.count():
        again.fill(COORDINATOR)
    page.get_by_role("button", name="Become the coordinator" if again.count() else "Enter").click()
    expect(page.get_by_role("button", name="Leave")).to_be_visible(timeout=WAIT_MS)
    return page


def results_of(visit: Visit, folder: Path) -> tuple[bytes, bytes]:
    """Export and report, as the coordinator takes them from the page."""
    page = open_part(visit, "Results")
    expect(page.get_by_text("Diagnosis among the labels").first).to_be_visible(timeout=WAIT_MS)
    visit.keep_screenshot("results")
    return downloaded(page, "Export (JSON)", folder), downloaded(page, "Report (HTML)", folder)


def test_an_audit_by_two_readers_survives_a_kill_and_counts_the_same_elsewhere(
    chromium_path: str, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = (f"sqlite:///{tmp_path / name}.sqlite" for name in ("here", "elsewhere"))
    store = open_store(here)
    audit = new_audit(store)
    monkeypatch.setenv(URL_VARIABLE, here)

    with running_app(tmp_path, ARTIFACTS / "audit-server-1.log") as address:
        context = browser.new_context(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]})
        desk = Desk(Visit(context.new_page(), address, "audit-killed"), store, audit)
        desk.visit.page.set_default_timeout(WAIT_MS)
        desk.sign_in("Ada")
        desk.visit.chart()
        desk.answer("MI")
        assert "?" not in desk.visit.page.url
        kill_server(address)  # in the middle of the case, before the commit
        context.close()

    reading = Reading(store, audit, store.sign_in("Ada")[0])
    assert (reading.state(1).draft["primary"], reading.state(1).draft["confidence"]) == ("MI", 4)
    with running_app(tmp_path, ARTIFACTS / "audit-server-2.log") as address:
        with visitor(address, browser, "Ada") as ada:
            desk = Desk(ada, store, audit)
            desk.sign_in("Ada")
            desk.finish_case(1)  # what was entered before the kill is still there
            assert reading.state(1).done["blind"]["primary"] == "MI"
            desk.read_all("MI", first=2)
            ada.keep_screenshot()
        with visitor(address, browser, "Ben") as ben:
            desk = Desk(ben, store, audit)
            desk.sign_in("Ben")
            desk.read_all("NORM", first=1)
        with visitor(address, browser, "coordinator") as coordinator:
            export, report = results_of(coordinator, tmp_path)
    results = compute_results(study_record(store, audit.uid))
    store.close()
    assert [(row["reader"], row["finished"]) for row in results["progress"]] == [
        ("Ada", len(CASES)),
        ("Ben", len(CASES)),
    ]
    assert compute_results(record_of(parse_export(export))) == results

    monkeypatch.setenv(URL_VARIABLE, elsewhere)
    with (
        running_app(tmp_path, ARTIFACTS / "audit-server-3.log") as address,
        visitor(address, browser, "elsewhere") as other,
    ):
        page = open_part(other, "Set up")
        page.locator("input[type=file]").last.set_input_files(
            {"name": "export.json", "mimeType": "application/json", "buffer": export}
        )
        page.get_by_role("button", name="Check the export").click()
        expect(page.get_by_text("a site that is new here")).to_be_visible(timeout=WAIT_MS)
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_text("2 new readers")).to_be_visible(timeout=WAIT_MS)
        assert results_of(other, tmp_path)[1] == report
