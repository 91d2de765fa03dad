"""Makes the pictures of docs/tour.md from the running app: `make screenshots`. Composite cases only, never a patient.

PTB-XL is taken out of the server's environment. The cohort page shows a batch run over the composite cases, made here.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from ecgimn.batch.run import Request, run_batch
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import read_card
from ecgimn.model.model import MODELS_FOLDER
from tests.browser.measuring import app_and_browser, new_page, write_composites
from tests.browser.visit import ROOT, Visit

PICTURES = ROOT / "docs" / "img"
QUALITY = 80  # of WebP: lines stay sharp and shades true, at a third of the bytes of a PNG
SETTLED_MS = 2500  # charts are painted a moment after the script has ended


@dataclass(frozen=True)
class Stop:
    """One picture: its name, the page's address, and a word on the page that is scrolled to the top, if any."""

    name: str
    path: str
    scroll_to: str = ""


STOPS = (
    Stop("read", "/?composite=imi-st&class=MI"),
    Stop("what-if", "/what_if?composite=norm&edit_st=0.2"),
    Stop("compare", "/compare?composite=imi-st"),
    Stop("faithfulness", "/faithfulness?composite=imi-st"),
    Stop("cohort", "/cohort"),
    Stop("teach", "/teach"),
    Stop("audit", "/audit"),
    Stop("model", "/model"),
)


def main() -> None:
    """Visit the pages and keep a picture of each."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cases, run = Path(folder) / "composites", Path(folder) / "run"
        cases.mkdir()
        write_composites(cases)
        card = read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
        run_batch(Request(source=cases, out=run, card=card, workers=0))
        nowhere = {"ECGIMN_PTBXL": "", "ECGIMN_PTBXL_URL": "", "ECGIMN_CACHE": "", "ECGIMN_DATABASE_URL": ""}
        with app_and_browser("tour", **nowhere, ECGIMN_BATCH=str(run)) as (address, browser, _):
            visit = Visit(new_page(browser), address, "tour")
            for stop in STOPS:
                visit.open(stop.path)
                visit.page.wait_for_timeout(SETTLED_MS)
                if stop.scroll_to:
                    visit.page.get_by_text(stop.scroll_to).first.scroll_into_view_if_needed()
                keep(visit.page, PICTURES / f"{stop.name}.webp")


def keep(page: Page, path: Path) -> None:
    """Keep what the visitor sees."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=QUALITY, method=6)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
