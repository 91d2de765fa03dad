"""The what-if bench: an edit moves trace, map and probabilities together, and nothing else moves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.explain.edits import masks_from_waves
from ecgimn.explain.explanation import explain
from ecgimn.explain.what_if import Edit, edited, outcome
from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.model.model import load_model
from ecgimn.signal.reading import read_signal
from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import figure, numbers, sent_to

PAGE, CASE = "pages/what_if.py", "norm"
ECG, OUTCOME = 0, 1  # charts in the order of the page


@pytest.fixture
def bench(small_app: AppTest) -> AppTest:
    """The bench with the normal composite, unchanged: whole trace, and every number."""
    small_app.query_params["composite"] = CASE
    small_app.session_state["seen"] = "whole trace"
    small_app.session_state["mode"] = "research"
    small_app.run()
    return small_app.switch_page(PAGE).run()


def trace(app: AppTest, name: str) -> np.ndarray:
    found = next(item for item in figure(app, ECG)["data"] if item.get("name") == name)
    return numbers(found["y"])


def grey_leads(app: AppTest) -> set[str]:
    """Leads behind which the original is drawn."""
    names = [str(item.get("name", "")) for item in figure(app, ECG)["data"]]
    return {name.removeprefix("before ") for name in names if name.startswith("before ")}


def evidence(app: AppTest) -> str:
    return str(next(image["source"] for image in figure(app, ECG)["layout"]["images"] if image["name"] == "evidence"))


def panel(app: AppTest, name: str) -> np.ndarray:
    found: dict[str, Any] = next(item for item in figure(app, OUTCOME)["data"] if item["name"] == name)
    return numbers(found["x"])


def test_an_edit_of_all_leads_is_not_called_unchanged(bench: AppTest) -> None:
    assert "Nothing is changed yet." in shown_text(bench)
    bench.selectbox(key="edit_leads").set_value("all leads").run()
    bench.slider(key="edit_qrs").set_value(0.0).run()
    assert grey_leads(bench) == set(STANDARD_LEADS)
    assert "Nothing is changed yet." not in shown_text(bench)


def test_the_bench_opens_on_the_ecg_as_recorded(bench: AppTest) -> None:
    assert not bench.exception
    assert grey_leads(bench) == set()
    np.testing.assert_allclose(panel(bench, "network"), 0.0)
    np.testing.assert_allclose(panel(bench, "map"), 0.0)
    np.testing.assert_array_equal(panel(bench, "before"), panel(bench, "after"))


def test_an_st_shift_moves_trace_map_and_numbers_as_the_library_says(bench: AppTest, models_folder: Path) -> None:
    before_map, v5 = evidence(bench), trace(bench, "V5")
    bench.slider(key="edit_st").set_value(0.2).run()
    assert not bench.exception
    assert grey_leads(bench) - {"I"} == {"II", "III", "aVF", "aVR", "aVL"}
    assert evidence(bench) != before_map
    np.testing.assert_array_equal(trace(bench, "V5"), v5)
    reading, model = read_signal(load_composite(CASE)), load_model(folder=models_folder)
    other = edited(
        reading.recording,
        masks_from_waves(reading.waves, reading.levels),
        Edit(leads=TERRITORIES["inferior"], st_mv=0.2),
    )
    before, after = explain(reading.recording, model), explain(other, model)
    expected = outcome(reading.recording, before, other, after)
    np.testing.assert_allclose(panel(bench, "network"), expected.actual, atol=1e-5)
    np.testing.assert_allclose(panel(bench, "map"), expected.predicted, atol=1e-5)
    np.testing.assert_allclose(panel(bench, "after"), after.probability, atol=1e-5)
    assert "II +0.20" in shown_text(bench)
    assert re.search(r"aVR, aVL follow", shown_text(bench))


def test_reset_brings_the_ecg_as_recorded_back(bench: AppTest) -> None:
    original = trace(bench, "V2")
    bench.selectbox(key="edit_leads").set_value("septal V1 V2").run()
    bench.slider(key="edit_t").set_value(-1.0).run()
    bench.multiselect(key="edit_remove").set_value(["V6"]).run()
    bench.selectbox(key="edit_cables").set_value("V1 and V2").run()
    assert grey_leads(bench) == {"V1", "V2", "V6"}
    next(item for item in bench.button if item.label == "Reset").click().run()
    assert grey_leads(bench) == set()
    np.testing.assert_array_equal(trace(bench, "V2"), original)


def test_noise_and_drift_reach_every_lead(bench: AppTest) -> None:
    bench.slider(key="edit_noise").set_value(0.05).run()
    bench.slider(key="edit_drift").set_value(0.2).run()
    assert not bench.exception
    assert grey_leads(bench) == set(STANDARD_LEADS)


def test_the_smallest_st_change_is_searched_when_asked(bench: AppTest) -> None:
    assert "raised by" not in shown_text(bench)
    bench.toggle(key="edit_flip").set_value(True).run()
    assert not bench.exception
    assert re.search(r"\| raised by \| .*mV.* \| .*mV \|", shown_text(bench))
    assert re.search(r"\| lowered by \| .*mV.* \| .*mV \|", shown_text(bench))


def test_the_page_says_that_waves_are_not_measured_anew(bench: AppTest) -> None:
    assert "nothing is re-measured after an edit" in shown_text(bench)


@pytest.mark.parametrize("path", ["pages/what_if.py", "pages/faithfulness.py"])
@pytest.mark.parametrize(("name", "outside"), [("twin-arms-exchanged", True), ("imi", False)])
def test_an_ecg_that_the_model_was_not_taught_is_named_so(
    small_app: AppTest, path: str, name: str, outside: bool
) -> None:
    small_app.query_params["composite"] = name
    small_app.run()
    page = small_app.switch_page(path).run()
    assert not page.exception
    assert ("Outside what the model was taught: possible lead reversal." in shown_text(page)) == outside


@pytest.fixture
def beats(small_app: AppTest) -> AppTest:
    """The bench as a visitor finds it: clinical, with the painted mean beat."""
    small_app.query_params["composite"] = CASE
    small_app.session_state["class_chosen"] = "MI"  # its operating point is 1: it is never called
    small_app.run()
    return small_app.switch_page(PAGE).run()


def painted(app: AppTest) -> str:
    return str(sent_to(app, "beats_picture"))


def test_a_visitor_sees_the_painted_mean_beat_and_percent_and_no_logit(beats: AppTest) -> None:
    assert not beats.exception
    assert painted(beats).count("class='beat'") == 12
    assert "class='grey'" not in painted(beats)
    text = shown_text(beats)
    assert re.search(r"As recorded: \*\*MI \d+ %, below its threshold", text)
    assert "logit" not in text.lower()
    assert "logit per" not in painted(beats)
    assert {item["name"] for item in figure(beats, 0)["data"]} >= {"before", "after", "map", "numbers"}


def test_an_edited_beat_lies_over_the_original_one(beats: AppTest) -> None:
    before = painted(beats)
    beats.slider(key="edit_t").set_value(-1.0).run()
    assert not beats.exception
    assert painted(beats).count("class='grey'") == 12
    assert painted(beats) != before
    assert re.search(r"Model re-run: MI \d+ % → \*\*\d+ %\*\*, not called", shown_text(beats))


def test_the_page_leads_with_what_no_st_change_does(beats: AppTest) -> None:
    text = shown_text(beats)
    assert "No ST change up to ±0.5 mV in II, III and aVF makes the model call MI." in text
    assert "With RA and LA swapped, no change up to ±0.5 mV does either." in text


def test_an_edit_is_undone_and_redone(beats: AppTest) -> None:
    def press(label: str) -> None:
        next(item for item in beats.button if item.label == label).click().run()

    beats.slider(key="edit_st").set_value(0.2).run()
    beats.slider(key="edit_t").set_value(0.5).run()
    press("Undo")
    assert (beats.slider(key="edit_st").value, beats.slider(key="edit_t").value) == (0.2, 1.0)
    press("Undo")
    assert beats.slider(key="edit_st").value == 0.0
    assert next(item for item in beats.button if item.label == "Undo").disabled
    press("Redo")
    press("Redo")
    assert (beats.slider(key="edit_st").value, beats.slider(key="edit_t").value) == (0.2, 0.5)
    press("Undo")
    beats.slider(key="edit_qrs").set_value(0.5).run()  # a new step takes the way forth away
    assert next(item for item in beats.button if item.label == "Redo").disabled
