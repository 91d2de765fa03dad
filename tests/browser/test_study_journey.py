"""A study at two sites in a real browser: set up, trained for, read in three arms, merged, adjudicated, reported."""

from __future__ import annotations

import csv
import html
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ecgimn.draw.charts.study import words
from ecgimn.sources.composites.case import list_composites
from ecgimn.study.database import URL_VARIABLE
from ecgimn.study.definition import KIND, Audit, read_audit
from ecgimn.study.record import parse_export, record_of, study_record
from ecgimn.study.results import compute_results
from ecgimn.study.session import Reading, disputed_cases
from ecgimn.study.store import Store, open_store
from tests.browser.conftest import running_app
from tests.browser.test_audit_journey import Desk, downloaded, group, open_part, visitor
from tests.browser.visit import ARTIFACTS, WAIT_MS, Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

CASES = ("imi", "isc", "lvh")
TRAINING = "norm"
PASSPHRASE = "four loud rooks"


def set_up(visit: Visit) -> None:
    page = open_part(visit, "Set up")
    page.get_by_role("textbox", name="Name", exact=True).fill("Two sites")
    page.keyboard.press("Tab")
    visit.settle()
    visit.choose("Cases", "A list of my own (CSV)")
    visit.settle()
    listed = "case\n" + "\n".join(f"composite:{name}" for name in CASES)
    page.get_by_role("region", name="CSV with a column").locator("input[type=file]").set_input_files(
        {"name": "cases.csv", "mimeType": "text/csv", "buffer": listed.encode()}
    )
    expect(page.get_by_text("3 cases chosen")).to_be_visible(timeout=WAIT_MS)
    visit.choose("What a reader sees (each is an arm)", "answer alone, no map", "blind reading only")
    visit.settle()
    page.get_by_text("Run as a study", exact=True).click()
    visit.settle()
    title = next(card.title for card in list_composites() if card.name == TRAINING)
    visit.choose("Training cases, told afterwards", title)
    visit.settle()
    for field, value in (("made wrong", "50"), ("Right, to begin", "100")):
        page.get_by_role("spinbutton", name=field).fill(value)
        page.keyboard.press("Tab")
        visit.settle()
    page.get_by_role("textbox", name="Adjudicators").fill("Cem")
    page.keyboard.press("Tab")
    visit.settle()
    page.get_by_role("button", name="Set up the audit").click()
    expect(page.get_by_text("The audit Two sites is set up: 3 cases")).to_be_visible(timeout=WAIT_MS)
    visit.keep_screenshot("set-up")


def bring(visit: Visit, export: bytes, n_readers: int) -> None:
    page = open_part(visit, "Set up")
    page.locator("input[type=file]").last.set_input_files(
        {"name": "export.json", "mimeType": "application/json", "buffer": export}
    )
    page.get_by_role("button", name="Check the export").click()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text(f"{n_readers} new readers")).to_be_visible(timeout=WAIT_MS)


def enter(visit: Visit, name: str, passphrase: str = "") -> Page:
    page = visit.open("/audit")
    page.get_by_role("textbox", name="Pseudonym").fill(name)
    page.keyboard.press("Tab")
    if passphrase:
        page.get_by_role("textbox", name="Passphrase (optional)").fill(passphrase)
        page.keyboard.press("Tab")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=WAIT_MS)
    return page


def read(visit: Visit, store: Store, audit: Audit, name: str, answers: tuple[str, ...]) -> None:
    """Train, put the first case off, and read all in the order that the page gives."""
    desk = Desk(visit, store, audit)
    page = enter(visit, name)
    expect(page.get_by_text("Training, case 1 of 1")).to_be_visible(timeout=WAIT_MS)
    group(visit, "Main diagnosis").get_by_text("NORM", exact=True).click()
    visit.settle()
    desk.press("Submit, then see the label")
    desk.press("Begin")
    reading = desk.reading = Reading(store, audit, store.sign_in(name)[0])
    desk.press("Come back later")
    order = []
    while (place := reading.next_place()) is not None:
        if order or place == 1:
            desk.press(f"Go on with case {place}")
        expect(page.get_by_text(f"Case {place} of 3")).to_be_visible(timeout=WAIT_MS)
        case = reading.plan[place - 1].case.ref.removeprefix("composite:")
        desk.answer(answers[CASES.index(case)])
        desk.finish_case(place)
        order.append(place)
    assert order == [2, 3, 1]
    expect(page.get_by_text("All cases are finished")).to_be_visible(timeout=WAIT_MS)


def decide(visit: Visit, store: Store, audit: Audit) -> int:
    """Decide for the label on every case on which readers differ."""
    desk = Desk(visit, store, audit)
    page = enter(visit, "Cem", PASSPHRASE)
    open_ones = disputed_cases(audit, store.readers(), store.events(audit.uid))
    for done, one in enumerate(open_ones):
        expect(page.get_by_text(f"{done} of {len(open_ones)} decided")).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_text("Reader 2:")).to_be_visible(timeout=WAIT_MS)
        assert not page.get_by_text("Ada").count()
        for question, choice in (("Decision", one.case.labels[0]), ("Confidence", "5 certain")):
            group(visit, question).get_by_text(choice, exact=True).click()
            visit.settle()
        desk.press("Submit the decision")
    expect(page.get_by_text("Nothing to decide")).to_be_visible(timeout=WAIT_MS)
    return len(open_ones)


def test_a_study_at_two_sites_from_set_up_to_report(chromium_path: str, browser: Browser, tmp_path: Path) -> None:
    homes, urls, logs = [], [], []
    for site in ("here", "there"):
        (tmp_path / site).mkdir()
        homes.append(tmp_path / site)
        urls.append(f"sqlite:///{tmp_path / site}.sqlite")
        logs.append(ARTIFACTS / f"study-server-{site}.log")
    here, there = (open_store(url) for url in urls)
    with (
        running_app(homes[0], logs[0], **{URL_VARIABLE: urls[0]}) as at_home,
        running_app(homes[1], logs[1], **{URL_VARIABLE: urls[1]}) as elsewhere,
    ):
        with visitor(at_home, browser, "study-set-up") as coordinator:
            set_up(coordinator)
        (uid,) = here.studies(KIND)
        audit = read_audit(here.definition(uid))
        assert (len(audit.arms), audit.design.wrong_share, audit.design.adjudicators) == (3, 0.5, ("Cem",))
        with visitor(at_home, browser, "study-export") as coordinator:
            empty = downloaded(open_part(coordinator, "Results"), "Export (JSON)", tmp_path)
        with visitor(elsewhere, browser, "study-import") as coordinator:
            bring(coordinator, empty, 0)
        with visitor(at_home, browser, "study-Ada") as ada:
            read(ada, here, audit, "Ada", ("MI", "STTC", "uncertain"))
        with visitor(elsewhere, browser, "study-Ben") as ben:
            read(ben, there, audit, "Ben", ("NORM", "STTC", "HYP"))
        with visitor(elsewhere, browser, "study-send") as coordinator:
            sent = downloaded(open_part(coordinator, "Results"), "Export (JSON)", tmp_path)
        with visitor(at_home, browser, "study-merge") as coordinator:
            bring(coordinator, sent, 1)
        here.sign_in("Cem", PASSPHRASE)
        with visitor(at_home, browser, "study-Cem") as cem:
            n_decided = decide(cem, here, audit)
        with visitor(at_home, browser, "study-results") as coordinator:
            page = open_part(coordinator, "Results")
            expect(page.get_by_text("Reliance on the model").first).to_be_visible(timeout=WAIT_MS)
            coordinator.keep_screenshot()
            export = downloaded(page, "Export (JSON)", tmp_path)
            report = downloaded(page, "Report (HTML)", tmp_path).decode()
            checklist = downloaded(page, "Checklist (CSV)", tmp_path).decode()
    results = compute_results(study_record(here, uid))
    here.close()
    there.close()
    assert compute_results(record_of(parse_export(export))) == results
    assert [(row["reader"], row["finished"]) for row in results["progress"]] == [("Ada", 3), ("Ben", 3)]
    assert len({row["site"] for row in results["progress"]}) == 2
    outcomes = results["outcomes"]
    assert outcomes["made_wrong"]["n_shown"] == 4  # two readers, two arms that show the model's answer, a case in each
    assert outcomes["made_wrong"]["n_made_wrong"] >= 1
    assert outcomes["adjudication"]["n_decided"] == n_decided >= 1
    assert outcomes["adjudication"]["with_label"][0] == 1.0
    told = html.unescape(report)
    for key in ("right_followed", "wrong_refused", "appropriate"):
        assert words(outcomes["reliance"][0][key]) in told
    rows = list(csv.DictReader(checklist.splitlines()))
    assert {row["Guideline"] for row in rows} == {"DECIDE-AI", "TRIPOD+AI"}
    assert any("2 readers at 2 sites" in row["In this study"] for row in rows)
