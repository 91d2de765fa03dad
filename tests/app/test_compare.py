"""The compare page: each of its four ways opens, both sides share scales, and the numbers are the library's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.explain.case import open_case
from ecgimn.explain.checks import exact_side, rank_agreement
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.model import load_model
from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import figure, sent_to

PAGE, CASE = "pages/compare.py", "norm"
BOTH, FIRST_LEDGER, SECOND_LEDGER = 0, 1, 2  # charts in the order of the page


@pytest.fixture
def page(small_app: AppTest) -> AppTest:
    """The page with whole traces and every number."""
    small_app.query_params["composite"] = CASE
    small_app.session_state["seen"] = "whole trace"
    small_app.session_state["mode"] = "research"
    small_app.run()
    return small_app.switch_page(PAGE).run()


def chosen(app: AppTest, kind: str) -> AppTest:
    app.segmented_control(key="cmp").set_value(kind).run()
    assert not app.exception
    return app


def test_two_records_lie_side_by_side_on_one_scale(page: AppTest) -> None:
    page.selectbox(key="cmp_case").set_value("imi-st").run()
    assert not page.exception
    spec = figure(page, BOTH)
    named = [(trace["name"], trace.get("xaxis", "x")) for trace in spec["data"]]
    for lead in STANDARD_LEADS:
        assert {axis for name, axis in named if name == lead} == {"x", "x2"}
    layout = spec["layout"]
    assert layout["xaxis2"]["matches"] == "x"
    assert layout["meta"]["px_per_mm"][0] == layout["meta"]["px_per_mm"][1]
    assert sum(trace["name"] == "colour bar" for trace in spec["data"]) == 1
    limits = [figure(page, place)["layout"]["meta"]["limit"] for place in (FIRST_LEDGER, SECOND_LEDGER)]
    assert limits[0] == limits[1]
    assert "share no moment" in shown_text(page)


def test_two_classes_are_compared_by_rank_as_the_library_says(page: AppTest, models_folder: Path) -> None:
    chosen(page, "Classes")
    page.selectbox(key="cmp_class").set_value("MI").run()
    page.selectbox(key="cmp_class_b").set_value("HYP").run()
    case = open_case(load_composite(CASE), load_model(folder=models_folder))
    first, second = (exact_side(case, name, name).evidence for name in ("MI", "HYP"))
    expected = rank_agreement(first.cells, second.cells, first.contribution, second.contribution, same_recording=True)
    text = shown_text(page).replace("−", "-")
    assert expected.cells is not None
    assert f"{expected.cells:+.2f}** over {expected.n_cells} cells" in text
    np.testing.assert_allclose(figure(page, FIRST_LEDGER)["layout"]["meta"]["total"], first.cells.sum(), atol=1e-5)
    np.testing.assert_allclose(figure(page, SECOND_LEDGER)["layout"]["meta"]["total"], second.cells.sum(), atol=1e-5)


def test_a_second_model_is_needed_to_compare_models(page: AppTest) -> None:
    chosen(page, "Models")
    assert any("Only one model" in item.value for item in page.info)


def test_the_exact_map_is_compared_with_a_post_hoc_method_and_both_are_measured(page: AppTest) -> None:
    chosen(page, "Methods")
    page.selectbox(key="cmp_method_b").set_value("occlusion").run()
    assert "occlusion on" in shown_text(page)
    assert "not booked" in shown_text(page)
    page.toggle(key="cmp_measure").set_value(True).run()
    assert not page.exception
    assert shown_text(page).count("Faithfulness on this record: R²") == 2


def test_a_twin_that_is_not_there_is_said_to_be_missing(page: AppTest) -> None:
    chosen(page, "Methods")
    page.selectbox(key="cmp_network").set_value("black-box twin").run()
    assert not page.exception
    assert any("not in models/" in item.value for item in page.warning) or "black-box-v1" in shown_text(page)


@pytest.fixture
def beats(small_app: AppTest) -> AppTest:
    """The page as a visitor finds it: clinical, with painted mean beats."""
    small_app.query_params["composite"] = "imi-st"
    small_app.run()
    return small_app.switch_page(PAGE).run()


def test_a_visitor_sees_this_ecg_beside_the_normal_one_and_the_difference_painted_below(beats: AppTest) -> None:
    assert not beats.exception
    assert beats.selectbox(key="cmp_case").value == "norm"
    markup = str(sent_to(beats, "beats_picture"))
    assert markup.count("class='mean-beat'") == 3
    assert "minus the second" in markup
    text = shown_text(beats)
    assert "This ECG: **" in text
    assert "normal ECG (mean of 332): **" in text
    for word in ("logit", "Spearman", "bias"):
        assert word not in text


def test_a_class_is_compared_with_norm_to_begin_with(beats: AppTest) -> None:
    chosen(beats, "Classes")
    first, second = (beats.selectbox(key=key).value for key in ("cmp_class", "cmp_class_b"))
    assert first != "NORM"
    assert second == "NORM"
    assert f"{first} − NORM" in str(sent_to(beats, "beats_picture"))


def test_methods_open_each_on_its_own_scale_and_grad_cam_is_said_to_know_no_lead(beats: AppTest) -> None:
    chosen(beats, "Methods")
    beats.selectbox(key="cmp_method_b").set_value("Grad-CAM").run()
    assert not beats.exception
    assert "never in which lead" in shown_text(beats)
    markup = str(sent_to(beats, "beats_picture"))
    assert markup.count("class='mean-beat'") == 2
    beats.toggle(key="cmp_scales_Methods").set_value(False).run()
    assert str(sent_to(beats, "beats_picture")).count("class='mean-beat'") == 3
