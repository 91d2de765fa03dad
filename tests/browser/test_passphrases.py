"""A passphrase that is typed and left by Tab, as a careful typist leaves a field, protects what it was typed for.

The visitor's first page is a link to a page, at a server that nobody has visited yet: until st.navigation has run once,
Streamlit takes the pages folder for its own and leaves app.py out.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ecgimn.errors import StudyError
from ecgimn.study.database import URL_VARIABLE
from ecgimn.study.definition import KIND
from ecgimn.study.store import open_store
from tests.browser.conftest import running_app
from tests.browser.test_audit_journey import group, visitor
from tests.browser.test_journeys import INTENDED_USE
from tests.browser.visit import ARTIFACTS, WAIT_MS

pytestmark = pytest.mark.browser

WORDS = "three dull herons"


def type_and_tab(page: Page, field: Locator, text: str) -> None:
    """Type into a field key by key and leave it by Tab, past the eye that shows what was typed."""
    field.click()
    field.press_sequentially(text)
    for _ in range(2):
        page.keyboard.press("Tab")
        page.wait_for_timeout(300)


def test_the_first_visit_may_be_a_link_to_a_page_and_passphrases_left_by_tab_protect_an_audit_and_a_pseudonym(
    chromium_path: str, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.sqlite'}"
    monkeypatch.setenv(URL_VARIABLE, url)
    store = open_store(url)
    with (
        running_app(tmp_path, ARTIFACTS / "passphrases-server.log") as address,
        visitor(address, browser, "passphrases") as visit,
    ):
        page = visit.open("/audit")
        expect(page.get_by_text(INTENDED_USE).first).to_be_visible()
        type_and_tab(page, page.get_by_role("textbox", name="New coordinator's passphrase"), WORDS)
        type_and_tab(page, page.get_by_role("textbox", name="The same again"), WORDS)
        page.get_by_role("button", name="Become the coordinator").click()
        type_and_tab(page, page.get_by_role("textbox", name="Name", exact=True), "Spring")
        page.get_by_role("button", name="Set up the audit").click()
        expect(page.get_by_text("The audit Spring is set up")).to_be_visible(timeout=WAIT_MS)
        (uid,) = store.studies(KIND)
        assert store.opens_results(uid, WORDS)

        page = visit.open("/audit")
        group(visit, "Results").get_by_text("Results", exact=True).click()
        type_and_tab(page, page.get_by_role("textbox", name="Coordinator's passphrase"), WORDS)
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("button", name="Export (JSON)")).to_be_visible(timeout=WAIT_MS)

        for path, opened_by, name in (("/audit", None, "Ada"), ("/teach", "Keep my attempts", "Ben")):
            page = visit.open(path)
            if opened_by is not None:
                page.get_by_role("button", name=opened_by).click()
            type_and_tab(page, page.get_by_role("textbox", name="Pseudonym"), name)
            type_and_tab(page, page.get_by_role("textbox", name="Passphrase (optional)"), WORDS)
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=WAIT_MS)
            with pytest.raises(StudyError, match="does not fit"):
                store.sign_in(name, "")
    store.close()
