"""Every page opens through app.py for a visitor who has brought nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import cache as cached

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.name for path in (ROOT / "pages").glob("*.py") if not path.name.startswith("_"))
INTENDED_USE = "For research, teaching and qualitative audit of ECG explanations. Not a medical device"


def shown_text(app: AppTest) -> str:
    """All words of a page that are not inside a chart."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "text", "info", "warning", "error")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def labelled(widgets: Iterable[Any], label: str) -> Any:
    """Value of the widget with this label."""
    return next(widget.value for widget in widgets if widget.label == label)


def test_the_app_opens_with_an_ecg(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert not app.error
    assert app.get("plotly_chart")


def test_what_is_loaded_is_spared_the_rounds_of_the_garbage_collector(app: AppTest) -> None:
    """Streamlit collects after each run of a page; over all libraries that holds up every message by 0.2 s."""
    cached.spare_what_is_loaded.clear()
    app.run()
    assert gc.get_freeze_count() > 10 * len(gc.get_objects(generation=0))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_without_an_exception_and_says_what_it_is_for(app: AppTest, page: str) -> None:
    app.run()
    app.switch_page(f"pages/{page}").run()
    assert not app.exception
    assert INTENDED_USE in shown_text(app)


def test_the_model_page_says_what_the_model_is_chosen_for(app: AppTest) -> None:
    app.run()
    app.switch_page("pages/model.py").run()
    assert "**Chosen for.** Of the networks whose score is within .004 of the black box" in shown_text(app)


def test_the_model_page_marks_edits_that_training_never_saw(app: AppTest) -> None:
    app.session_state["fidelity_class"] = "MI"
    app.run()
    app.switch_page("pages/model.py").run()
    assert "**P +0.1 mV, never trained**" in shown_text(app)
    assert "**ST +0.2 mV in a territory**" in shown_text(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_without_data_set_and_model(
    small_app: AppTest, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgimn.model.model.MODELS_FOLDER", tmp_path)
    small_app.run()
    small_app.switch_page(f"pages/{page}").run()
    assert not small_app.exception
    assert INTENDED_USE in shown_text(small_app)


def test_every_page_file_is_in_the_navigation() -> None:
    listed = (ROOT / "app.py").read_text(encoding="utf-8")
    assert [page for page in PAGES if f"pages/{page}" not in listed] == []


def test_the_start_file_stays_short() -> None:
    assert len((ROOT / "app.py").read_text(encoding="utf-8").splitlines()) <= 80
