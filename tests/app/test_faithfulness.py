"""The faithfulness page: its checks run on the open case; the table shows the figures at hand, or how to get them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.test_pages import shown_text
from tests.app.test_reading_room import sent_to
from tests.draw.test_comparison_table import CONTENT

PAGE, CASE = "pages/faithfulness.py", "imi-st"


@pytest.fixture
def page(small_app: AppTest) -> AppTest:
    """The page with every number."""
    small_app.query_params["composite"] = CASE
    small_app.session_state["mode"] = "research"
    small_app.run()
    return small_app.switch_page(PAGE).run()


def test_every_check_runs_on_the_open_case_and_says_how_alike_the_maps_are(page: AppTest) -> None:
    assert not page.exception
    for kind in ("Random weights", "Shuffled chest leads", "Time shift"):
        page.segmented_control(key="faithfulness_check").set_value(kind).run()
        assert not page.exception
        words = shown_text(page)
        assert "Rank correlation" in words
        assert "The logit of" in words
        assert str(sent_to(page, "beats_picture")).count("class='mean-beat'") == 2
    assert "rank correlation" in words.lower()


def test_without_figures_the_page_says_how_to_measure_them(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgimn.draw.words.methods.read_comparison.__defaults__", (Path("not-there.json"),))
    page.segmented_control(key="faithfulness_part_of_page").set_value("All methods compared").run()
    assert not page.exception
    assert "compare-methods" in shown_text(page)


def test_figures_of_other_weights_are_said_to_be_that(
    page: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = {**CONTENT, "sha256": "f" * 64, "model": "old"}
    path = tmp_path / "faithfulness.json"
    path.write_text(json.dumps(content))
    monkeypatch.setattr("ecgimn.draw.words.methods.read_comparison.__defaults__", (path,))
    page.segmented_control(key="faithfulness_part_of_page").set_value("All methods compared").run()
    assert not page.exception
    assert any("other weights" in warning.value for warning in page.warning)
    (table,) = page.dataframe
    assert list(table.value.columns[:3]) == ["Network", "Explained by", "R² of changes"]
    assert "Best: ours" in shown_text(page)
    page.segmented_control(key="faithfulness_question").set_value("Goals and networks").run()
    assert not page.exception
    assert len(page.dataframe) == 2
    assert "Not reached" in shown_text(page)


def test_a_visitor_reads_the_checks_in_percent_and_words(page: AppTest) -> None:
    page.session_state["mode"] = "clinical"
    for kind in ("Random weights", "Shuffled chest leads", "Time shift"):
        page.segmented_control(key="faithfulness_check").set_value(kind).run()
        words = shown_text(page)
        assert "goes from" in words
        assert "%" in words
        assert "logit" not in words
        assert "Rank correlation" not in words.split("**Random weights.**")[0]
