"""A box typed in on the reading page: three answers beside the trace, for the class shown, until it is cleared."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.draw.words import case as box_words
from ecgimn.explain.box import Box, box_evidence, box_interventions
from ecgimn.explain.case import open_case
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.model import load_model
from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import ECG, NORMAL, button, class_of, figure, sent_to


def type_box(app: AppTest, leads: list[str], start_ms: int, stop_ms: int) -> AppTest:
    app.multiselect[0].set_value(leads)
    next(item for item in app.number_input if item.label == "From (ms)").set_value(start_ms)
    next(item for item in app.number_input if item.label == "To (ms)").set_value(stop_ms)
    return button(app, "Show the box").click().run()


@pytest.fixture
def with_panel(small_app: AppTest) -> AppTest:
    """The reading page with the panel for typing a box open."""
    small_app.query_params.update({"composite": NORMAL, "layout": "12x1"})  # every moment of every lead
    small_app.session_state["mode"] = "research"
    small_app.run()
    return small_app.get("button_group")[0].set_value("Box").run()


def frames(app: AppTest) -> list[str]:
    shapes = figure(app, ECG)["layout"].get("shapes", [])
    return [shape["name"] for shape in shapes if shape.get("name", "").startswith("box ")]


def test_a_typed_box_gives_the_three_answers_of_the_library(with_panel: AppTest, models_folder: Path) -> None:
    assert "map predicts" not in shown_text(with_panel)
    type_box(with_panel, ["V3", "II"], 1200, 1600)
    assert not with_panel.exception
    model = load_model(folder=models_folder)
    case = open_case(load_composite(NORMAL), model)
    box, text, shown = Box(("II", "V3"), 1.2, 1.6), shown_text(with_panel), class_of(with_panel)
    assert "II, V3 · 1,200–1,600 ms" in text
    assert "**400 ms**" in text
    assert box_words.evidence_words(box_evidence(box, case.of(shown))) in text
    answers = [answer.of(shown) for answer in box_interventions(box, case, model)]
    assert box_words.without_table(answers) in text
    assert box_words.without_words(answers) in text
    assert frames(with_panel) == ["box II", "box V3"]


def test_the_box_stays_for_another_class_and_goes_with_the_case(with_panel: AppTest) -> None:
    type_box(with_panel, ["V3"], 1200, 1600)
    before, shown = shown_text(with_panel), class_of(with_panel)
    button(with_panel, "Class").click().run()
    assert class_of(with_panel) != shown
    assert "V3 · 1,200–1,600 ms" in shown_text(with_panel)
    assert shown_text(with_panel) != before
    button(with_panel, "Next").click().run()
    assert "map predicts" not in shown_text(with_panel)
    assert frames(with_panel) == []


def test_clear_takes_the_box_away_and_an_empty_box_is_none(with_panel: AppTest) -> None:
    type_box(with_panel, list(STANDARD_LEADS), 0, 500)
    assert "all 12 leads" in shown_text(with_panel)
    button(with_panel, "Clear").click().run()
    assert "map predicts" not in shown_text(with_panel)
    next(item for item in with_panel.number_input if item.label == "From (ms)").set_value(400).run()
    assert "it needs a lead" in shown_text(with_panel)
    assert button(with_panel, "Show the box").disabled
    assert frames(with_panel) == []


def test_a_box_is_undone_and_two_boxes_give_qtc(with_panel: AppTest) -> None:
    type_box(with_panel, ["II"], 1000, 1800)
    assert button(with_panel, "Undo").disabled is False
    type_box(with_panel, ["II"], 1000, 1400)
    assert not with_panel.exception
    assert "with the box before: RR 800 ms, QT 400 ms" in shown_text(with_panel)
    assert sent_to(with_panel, "evidence")["caliper"] == []
    with_panel.toggle(key="box_all_leads").set_value(True).run()
    assert sent_to(with_panel, "evidence")["caliper"] == [1.0, 1.4]
    with_panel.toggle(key="box_march").set_value(True).run()
    assert sent_to(with_panel, "evidence")["caliper"][:3] == [0.2, 0.6, 1.0]
    button(with_panel, "Undo").click().run()
    assert "II · 1,000–1,800 ms" in shown_text(with_panel)
    button(with_panel, "Undo").click().run()
    assert "map predicts" not in shown_text(with_panel)
    button(with_panel, "Redo").click().run()
    assert "II · 1,000–1,800 ms" in shown_text(with_panel)
