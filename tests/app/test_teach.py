"""The quiz: commit before reveal, hints one by one, a score with what was correct, missed and wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ecgimn.sources.composites.case import list_composites
from ecgimn.study.cases import list_collections
from pages.ui import cache as cached
from tests.app.test_audit import button, sent
from tests.app.test_pages import shown_text

pytestmark = pytest.mark.usefixtures("visited")


@pytest.fixture
def teach(small_app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ECGIMN_DATABASE_URL", f"sqlite:///{tmp_path / 'studies.sqlite'}")
    small_app.run()
    small_app.switch_page("pages/teach.py").run()
    yield small_app
    st.cache_resource.clear()


def mark(app: AppTest, option: str) -> None:
    next(item for item in app.checkbox if item.label == option).check()


def test_a_case_is_read_hinted_committed_and_explained(teach: AppTest) -> None:
    collection = list_collections()[0]
    case = collection.cases[1]
    button(teach, "Next").click().run()
    card = next(card for card in list_composites() if f"composite:{card.name}" == case.ref)
    hidden = [card.title, card.hallmark, card.record_name, case.ref, *case.points, "Evidence for", "probability"]
    hidden += [text for _, text in case.hints]
    page = sent(teach)
    assert [word for word in hidden if word in page] == []
    button(teach, "Hint").click().run()
    assert case.hints[0][1] in shown_text(teach)
    assert case.hints[1][1] not in shown_text(teach)
    mark(teach, case.answers[0])
    mark(teach, "Left axis deviation")
    button(teach, "Submit").click().run()
    words = shown_text(teach)
    assert not teach.exception
    assert f"{case.answers[0]} · correct" in words
    assert "Left axis deviation · wrong" in words
    assert f"{card.title[0].upper()}{card.title[1:]}" in words
    assert case.points[0] in words
    assert "1 hint used" in words
    assert "Outside what the model was taught" not in words
    assert "logit" not in teach.get("plotly_chart")[0].proto.spec  # the clinical view, the usual one
    assert len(teach.dataframe) == 2  # ST and T, and the last attempts
    attempts = teach.dataframe[1].value
    assert attempts.iloc[0].to_dict() == {"Case": "2", "Correct": "1", "Missed": "0", "Wrong": "1", "Hints": "1"}


def test_two_ecgs_of_a_pair_are_compared_by_eye_and_the_models_difference_comes_after_the_answer(
    teach: AppTest,
) -> None:
    collection = next(one for one in list_collections() if one.kind == "what is new")
    case = collection.cases[0]
    teach.selectbox(key="teach_collection").set_value(collection.name).run()
    page = sent(teach)
    assert "What is new since the earlier ECG?" in page
    hidden = ["→", "New since", "Difference for", "painted", "changed beyond", case.ref, case.earlier, *case.points]
    assert [word for word in hidden if word in page] == []
    for seen in ("Later ECG", "Earlier ECG"):
        next(item for item in teach.button_group if item.label == "Shown").set_value(seen).run()
        assert len(teach.get("plotly_chart")) == 1
        assert [word for word in hidden if word in sent(teach)] == []
    next(item for item in teach.button_group if item.label == "Shown").set_value("Both mean beats").run()
    mark(teach, case.answers[0])
    button(teach, "Submit").click().run()
    assert not teach.exception
    text = shown_text(teach)
    assert f"{case.answers[0]} · correct" in text
    assert "New since the earlier ECG: ST elevation in II, III and aVF" in text
    rows = teach.dataframe[0].value
    assert {"ST in II", "ST in III", "ST in aVF"} <= set(rows[rows["beyond"] == "●"]["measurement"])
    assert teach.dataframe[1].value.iloc[0]["Correct"] == "1"


def test_every_pair_that_comes_with_the_app_opens_before_and_after_the_answer(teach: AppTest) -> None:
    collection = next(one for one in list_collections() if one.kind == "what is new")
    teach.selectbox(key="teach_collection").set_value(collection.name).run()
    teach.toggle(key="teach_large").set_value(True).run()
    for case in collection.cases:
        button(teach, "Reveal").click().run()
        assert not teach.exception
        assert not teach.warning
        assert f"{case.answers[0]} · what was there" in shown_text(teach)
        button(teach, "Next case").click().run()


def test_whether_the_model_is_right_for_the_right_reasons_is_said_after_the_commit(
    teach: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "get_reasons", lambda case, name: (f"Textbook criteria of {name} present and used.",))
    teach.run()
    assert "Textbook criteria" not in sent(teach)
    mark(teach, list_collections()[0].options[0])
    button(teach, "Submit").click().run()
    assert not teach.exception
    assert "Textbook criteria of" in shown_text(teach)


def test_a_criterion_of_the_class_shown_marks_its_waves_on_the_trace_after_the_commit(
    teach: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "get_reasons", lambda case, name: ())
    collection = list_collections()[0]
    place = next(k for k, case in enumerate(collection.cases) if case.ref == "composite:ami-st")
    for _ in range(place):
        button(teach, "Next").click().run()
    assert "Mark on the trace" not in sent(teach)
    mark(teach, collection.options[0])
    button(teach, "Submit").click().run()
    next(item for item in teach.button_group if str(item.key).startswith("answer_quiz_class_")).set_value("MI").run()
    before = json.loads(teach.get("plotly_chart")[0].proto.spec)["layout"].get("shapes", [])
    next(item for item in teach.button_group if item.label == "Mark on the trace").set_value("ST elevation").run()
    assert not teach.exception
    after = json.loads(teach.get("plotly_chart")[0].proto.spec)["layout"]["shapes"]
    marked = {shape["name"] for shape in after if str(shape.get("name")).startswith("box ")}
    assert {"box V2", "box V3"} <= marked
    assert len(after) > len(before)


def test_nothing_is_revealed_without_a_mark(teach: AppTest) -> None:
    button(teach, "Submit").click().run()
    assert "Nothing is marked" in "".join(str(item.value) for item in teach.error)
    assert "To remember" not in shown_text(teach)


def test_the_presenter_view_speaks_in_headings(teach: AppTest) -> None:
    teach.toggle(key="teach_large").set_value(True).run()
    assert any(str(item.value).startswith("## ") for item in teach.markdown)


def test_a_broken_ptbxl_folder_refuses_no_composite(teach: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGIMN_PTBXL", "nowhere")
    button(teach, "Next").click().run()
    assert not teach.exception
    assert [item.value for item in teach.warning if "cannot be shown" in str(item.value)] == []
    assert teach.get("plotly_chart")
