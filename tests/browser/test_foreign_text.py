"""A walk over every page with marked text wherever foreign text comes in: nothing of it is interpreted.

A browser asks for a picture as soon as a page names one, whoever wrote the name. So every request of every page is
looked at, and the document for elements that would lead to the marked host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import read_card
from ecgimn.model.model import MODELS_FOLDER
from ecgimn.sources.composites.case import load_composite
from ecgimn.study.cases import audit_case
from ecgimn.study.database import URL_VARIABLE
from ecgimn.study.definition import KIND, Arm, Audit
from ecgimn.study.session import Reading
from ecgimn.study.store import open_store
from tests.browser.conftest import running_app
from tests.browser.test_audit_journey import group, visitor
from tests.browser.visit import ARTIFACTS, WAIT_MS, Visit
from tests.formats.test_challenge import challenge_files
from tests.sources.physionet_server import ecg_records
from tests.test_escape import HOST

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

MARK = (
    f"![x](http://{HOST}/a.png) <img src=http://{HOST}/b.png> <svg onload=fetch('http://{HOST}/c')> "
    f"[x](http://{HOST}/d) http://{HOST}/e :red[x] $x^2$"
)
NAME = f"![x](http://{HOST}/a.png) <img src=http://{HOST}/b.png> http://{HOST}"  # as long as a name may be
WORDS = "three dull herons"
PAGES = ("/", "/browse", "/what_if", "/compare", "/faithfulness", "/cohort", "/teach", "/audit", "/model")
#: Elements that lead, load or run something of the marked host.
LEADING = f"""() => [...document.querySelectorAll('*')].filter(one => [...one.attributes].some(said =>
    ['src', 'href', 'xlink:href', 'srcset', 'style', 'action', 'data', 'poster', 'onload'].includes(said.name)
    && said.value.includes('{HOST}'))).map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def marked(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app whose data sets and study database hold marked text in every column and name."""
    home = tmp_path_factory.mktemp("home")
    recording = load_composite("norm")
    ptbxl = ecg_records([recording, load_composite("imi")])
    table = ptbxl["ptbxl_database.csv"].decode()
    quoted = '"' + MARK.replace('"', '""') + '"'
    table = re.sub(r"report \d+", lambda _: quoted, table).replace(",MID,,", f",{quoted},{quoted},")
    ptbxl["ptbxl_database.csv"] = table.encode()
    challenge = challenge_files(recording.signal, "A0001", "CPSC", age="61", dx="426783006")
    challenge = {name: data.replace(b"# Age", f"# {MARK}\n# Age".encode()) for name, data in challenge.items()}
    for folder, files in (("ptb-xl", ptbxl), ("cinc/cpsc", challenge)):
        for name, data in files.items():
            (home / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (home / folder / name).write_bytes(data)
    url = f"sqlite:///{home / 'studies.sqlite'}"
    store = open_store(url)
    card = read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
    case = audit_case("composite:imi", None)
    arms = (Arm(NAME, model=False, method="none"),)
    audit = Audit(NAME, card.name, card.sha256, card.classes, (case,), NAME, arms)
    store.add_study(audit.uid, audit.name, KIND, audit.text)
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    reading.commit(1, "blind", {"primary": "MI", "confidence": 5, "boxes": [], "flags": []})
    store.set_coordinator(WORDS)
    store.close()
    folders = {"ECGIMN_PTBXL": str(home / "ptb-xl"), "ECGIMN_CINC": str(home / "cinc"), URL_VARIABLE: url}
    with running_app(home, ARTIFACTS / "foreign-text-server.log", XDG_CONFIG_HOME="", **folders) as address:
        yield address


def assert_nothing_leads_there(visit: Visit) -> None:
    visit.settle()
    assert visit.page.evaluate(LEADING) == []
    assert visit.outside == []


def test_no_page_interprets_foreign_text_and_no_request_leaves(marked: str, browser: Browser) -> None:
    with visitor(marked, browser, "foreign-text") as visit:
        for path in PAGES:
            visit.open(path)
            assert_nothing_leads_there(visit)
        page = visit.open("/?record=1&mode=research")
        visit.chart()
        page.get_by_text("Show labels").first.click()
        expect(page.get_by_text(HOST).first).to_be_visible(timeout=WAIT_MS)
        assert_nothing_leads_there(visit)
        visit.keep_screenshot("labels")

        page = visit.open("/audit")
        group(visit, "Results").get_by_text("Results", exact=True).click()
        field = page.get_by_role("textbox", name="Coordinator's passphrase")
        field.fill(WORDS)
        field.press("Tab")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("button", name="Export (JSON)")).to_be_visible(timeout=WAIT_MS)
        assert HOST in page.get_by_test_id("stApp").inner_text()
        assert_nothing_leads_there(visit)
        visit.keep_screenshot("results")
