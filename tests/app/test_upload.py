"""One's own file: what it does not say is asked for and confirmed, and a long one is explained window by window."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.explain.explanation import explain
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.model import load_model
from ecgimn.recording import Recording
from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import labelled, shown_text
from tests.app.test_reading_room import NORMAL, as_upload, button, class_of, equation, longer, opened_with, printed

TIMELINE = 0  # the first chart of the page, above the ECG


def table(*, header: str = "", extra_column: bool = False) -> tuple[str, bytes, str]:
    """The normal composite as a CSV in mV."""
    signal = load_composite(NORMAL).signal.T
    if extra_column:
        signal = np.column_stack([np.arange(len(signal)), signal])
    text = io.StringIO()
    np.savetxt(text, signal, delimiter=",", header=header, comments="", fmt="%.6f")
    return "table.csv", text.getvalue().encode(), "text/csv"


def test_only_what_a_table_does_not_say_is_asked_for_and_nothing_is_read_before_it_is_confirmed(
    small_app: AppTest,
) -> None:
    opened_with(small_app, [table(header=",".join(STANDARD_LEADS))])
    assert not small_app.get("plotly_chart")
    assert not [item for item in small_app.selectbox if item.key.startswith("fact_lead")]
    assert button(small_app, "Open ECG").disabled
    small_app.number_input(key="fact_fs").set_value(500.0).run()
    small_app.selectbox(key="fact_unit").set_value("mV").run()
    assert "lasts 10.0 s" in shown_text(small_app)
    assert ":material/check: A typical signal then spans" in shown_text(small_app)
    assert not small_app.get("plotly_chart")
    button(small_app, "Open ECG").click().run()
    assert not small_app.exception
    assert "= bias" in equation(small_app)
    assert "Given by the reader" in shown_text(small_app)


def test_a_unit_that_no_ecg_has_is_doubted_and_then_refused_and_can_be_corrected(small_app: AppTest) -> None:
    opened_with(small_app, [table(header=",".join(STANDARD_LEADS))])
    small_app.number_input(key="fact_fs").set_value(500.0).run()
    small_app.selectbox(key="fact_unit").set_value("V").run()
    assert ":material/warning: A typical signal then spans" in shown_text(small_app)
    button(small_app, "Open ECG").click().run()
    assert "peak to peak" in small_app.error[0].value
    assert not small_app.get("plotly_chart")
    small_app.button(key="correct_facts").click().run()
    small_app.selectbox(key="fact_unit").set_value("mV").run()
    button(small_app, "Open ECG").click().run()
    assert "= bias" in equation(small_app)


def test_leads_are_named_one_by_one_or_in_the_usual_order_and_each_once(small_app: AppTest) -> None:
    opened_with(small_app, [table(extra_column=True)])
    small_app.number_input(key="fact_fs").set_value(500.0).run()
    small_app.selectbox(key="fact_unit").set_value("mV").run()
    assert "Still to name: I, II, V1" in shown_text(small_app)
    small_app.button(key="order_1").click().run()
    assert small_app.selectbox(key="fact_lead_0").value == "no lead"
    assert small_app.selectbox(key="fact_lead_12").value == "V6"
    small_app.selectbox(key="fact_lead_12").set_value("V5").run()
    assert "V5: chosen more than once." in small_app.error[0].value
    assert button(small_app, "Open ECG").disabled
    small_app.selectbox(key="fact_lead_12").set_value("V6").run()
    button(small_app, "Open ECG").click().run()
    assert "= bias" in equation(small_app)


def test_what_lies_outside_the_scope_of_the_models_is_named(small_app: AppTest, tmp_path: Path) -> None:
    recording = load_composite(NORMAL)
    opened_with(small_app, as_upload(recording.with_signal(recording.signal[:, :4000]), tmp_path))
    small_app.number_input(key="upload_age").set_value(11).run()
    text = shown_text(small_app)
    assert "Age 11 is outside the scope" in text
    assert "8.0 s are outside the scope" in text


def test_a_longer_recording_is_read_window_by_window(small_app: AppTest, tmp_path: Path) -> None:
    opened_with(small_app, as_upload(longer(load_composite(NORMAL), 3), tmp_path))
    assert not small_app.exception
    assert labelled(small_app.slider, "Start of the window (s)") == 0
    button(small_app, "Next").click().run()
    assert labelled(small_app.slider, "Start of the window (s)") == 10
    assert "= bias" in equation(small_app)


def test_all_windows_are_explained_and_each_logit_is_that_of_the_window(
    small_app: AppTest, models_folder: Path, tmp_path: Path
) -> None:
    whole = longer(load_composite(NORMAL), 2)
    whole = whole.with_signal(whole.signal[:, : round(17 * whole.fs)] * np.linspace(1, 1.5, round(17 * whole.fs)))
    small_app.session_state["mode"] = "research"
    opened_with(small_app, as_upload(whole, tmp_path))
    small_app.toggle(key="all_windows").set_value(True).run()
    assert not small_app.exception
    spec = json.loads(small_app.get("plotly_chart")[TIMELINE].proto.spec)
    assert spec["layout"]["xaxis"]["range"] == [0, 17]
    shown = class_of(small_app)
    rows = small_app.dataframe[0].value
    assert list(rows["Window"]) == ["0 to 10 s", "10 to 17 s"]
    model = load_model(folder=models_folder)
    for place, (start, length) in enumerate([(0, 10), (10, 7)]):
        explanation = explain(whole.window(start, length), model)
        logit = float(explanation.logit[explanation.index(shown)])
        assert float(rows[shown][place].replace("−", "-")) == pytest.approx(logit, abs=0.011)
    small_app.session_state["window_start"] = 10.0  # what a click on the last window does
    small_app.session_state["window_s"] = 7.0
    small_app.run()
    assert "Shown: 10 to 17 s of 17 s." in shown_text(small_app)
    assert printed(equation(small_app), "logit") == pytest.approx(logit, abs=0.011)


def upload_of(name: str, folder: Path) -> list[tuple[str, bytes, str]]:
    """A composite as the visitor's own file, under the name of a patient."""
    recording = load_composite(name)
    (folder / name).mkdir()
    files = as_upload(replace(recording, record_name=name), folder / name)
    return [(f"{name}{Path(file).suffix}", data, kind) for file, data, kind in files]


def own_recording_of(app: AppTest) -> Recording:
    """The visitor's file that is open."""
    return app.session_state["own_files"][app.session_state["own_key"]]


def test_a_second_file_joins_a_list_that_previous_and_next_go_through(small_app: AppTest, tmp_path: Path) -> None:
    first, second = (upload_of(name, tmp_path) for name in ("norm", "imi-st"))
    opened_with(small_app, first)
    small_app.number_input(key="upload_age").set_value(71).run()
    assert button(small_app, "Next").disabled
    assert "Compare the two" not in {item.label for item in small_app.button}
    one = own_recording_of(small_app).digest
    small_app.file_uploader(key="upload_0").set_value(second).run()
    two = own_recording_of(small_app).digest
    assert not small_app.exception
    assert one != two
    assert small_app.number_input(key="upload_age").value is None  # the age of the first is not that of the second
    assert "71 y" not in shown_text(small_app)
    button(small_app, "Next").click().run()
    assert own_recording_of(small_app).digest == one
    assert "71 y" in shown_text(small_app)
    assert small_app.number_input(key="upload_age").value == 71
    button(small_app, "Previous").click().run()
    assert own_recording_of(small_app).digest == two
    listed = next(item for item in small_app.selectbox if item.label == "ECGs of this visit (2)")
    listed.set_value(listed.options[0]).run()
    assert own_recording_of(small_app).digest == one
    small_app.file_uploader(key="upload_0").set_value(None).run()
    button(small_app, "Forget this file").click().run()
    assert [kept.digest for kept in small_app.session_state["own_files"].values()] == [two]
    assert "= bias" in equation(small_app)
    button(small_app, "Forget this file").click().run()
    assert "own_files" not in small_app.session_state


def test_two_ecgs_chosen_at_once_are_two_and_the_pair_is_offered_for_comparison(
    small_app: AppTest, tmp_path: Path
) -> None:
    both = [*upload_of("norm", tmp_path), *upload_of("twin-ste-inferior", tmp_path)]
    opened_with(small_app, both)
    assert not small_app.error
    assert len(small_app.session_state["own_files"]) == 2
    earlier, later = small_app.session_state["own_files"].values()
    assert own_recording_of(small_app) is later
    assert "Compare the two" in {item.label for item in small_app.button}
    page = small_app.switch_page("pages/compare.py").run()
    page.segmented_control(key="cmp").set_value("Earlier ECG").run()
    chosen = next(item for item in page.selectbox if item.label == "Earlier ECG of the same patient")
    assert chosen.options == [earlier.record_name, "another file"]
    assert "New since" not in shown_text(page)  # that both are of one patient is the reader's to say
    next(box for box in page.checkbox if box.label.startswith("Both ECGs are of the same patient")).check().run()
    assert "New since the earlier ECG: ST elevation in II, III and aVF" in shown_text(page)


def test_a_file_that_cannot_be_read_takes_no_other_with_it(small_app: AppTest, tmp_path: Path) -> None:
    good = upload_of("norm", tmp_path)
    opened_with(small_app, good)
    small_app.file_uploader(key="upload_0").set_value([*good, ("scan.pdf", b"%PDF-1.7 x", "application/pdf")]).run()
    assert "The file is a PDF" in small_app.error[0].value
    assert not small_app.get("plotly_chart")
    small_app.file_uploader(key="upload_0").set_value(good).run()
    assert not small_app.error
    assert "= bias" in equation(small_app)
