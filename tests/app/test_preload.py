"""What the first visitor would wait for is loaded while the server starts, and no more than the first page needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READING_ROOM = "app pages.ui.trace pages.ui.details pages.ui.evidence pages.ui.cache pages.ui.case_bar"
#: Libraries of exports, audits, uploads and comparisons: seconds that the first page need not wait for.
LATER = ("alembic", "captum", "ecgdatakit", "matplotlib", "neurokit2", "pydicom", "sklearn", "sqlalchemy", "wfdb")
PRELOADED = """
from types import SimpleNamespace
from pages.ui import preload
preload.runtime = SimpleNamespace(exists=lambda: True)
preload.wait()
preload.begin()
preload.wait()
import sys
from pages.ui import cache as cached
from ecgimn.model import model as checkpoint
checkpoint.load_model = cached.read_signal = None  # called again, they would fail
case = cached.get_composite("imi-st")
assert cached.get_reading(cached.identity(case), case).waves is not None
assert cached.get_model(sys.argv[1], sys.argv[2]).classes
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_first_page_imports_nothing_that_only_other_pages_need() -> None:
    code = f"import importlib, sys\nfor name in {READING_ROOM.split()!r}: importlib.import_module(name)\n"
    loaded = set(run(code + "print(*sorted(sys.modules))").split())
    assert loaded & set(LATER) == set()


def test_model_and_first_case_are_in_the_shared_caches_before_the_first_visit() -> None:
    from ecgimn.model import DEFAULT_MODEL
    from ecgimn.model.card import read_card
    from ecgimn.model.model import MODELS_FOLDER

    run(PRELOADED, DEFAULT_MODEL, read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json").sha256)


def test_no_other_thread_is_waited_for_where_nothing_was_begun() -> None:
    from pages.ui import preload

    preload.wait()
