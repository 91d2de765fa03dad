"""Mistakes seen in other ECG explanation apps, each shown not to be made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from ecgimn.explain.box import Box, box_interventions
from ecgimn.explain.case import open_case
from ecgimn.formats.export import write_wfdb
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.model.model import load_model
from ecgimn.recording import Recording
from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import ECG, NORMAL, as_upload, figure, layer, numbers, opened_with


def drawn_mv(app: AppTest, lead: str) -> np.ndarray:
    """Samples of a lead as the chart holds them, referred to their mean, in mV."""
    spec = figure(app, ECG)
    line = next(trace for trace in spec["data"] if trace["name"] == lead)
    y = numbers(line["y"]).astype(float)
    return (y - y.mean()) / spec["layout"]["meta"]["gain_mm_per_mv"]


def test_the_uploaded_samples_are_drawn_and_not_those_of_a_public_record_of_the_same_name(
    small_app: AppTest, tmp_path: Path
) -> None:
    altered = load_composite(NORMAL).signal * 0.5
    altered[6:] += 0.2 * np.sin(np.arange(altered.shape[1]) / 40)
    small_app.query_params["layout"] = "12x1"  # every moment of every lead
    opened_with(small_app, as_upload(Recording(altered, 500, record_name="00001_lr"), tmp_path))
    assert not small_app.error
    for lead in ("V1", "V6"):
        wanted = altered[lead_index(lead)]
        np.testing.assert_allclose(drawn_mv(small_app, lead), wanted - wanted.mean(), atol=2e-3)


def test_a_header_without_its_samples_is_refused_in_plain_words(small_app: AppTest, tmp_path: Path) -> None:
    header = write_wfdb(Recording(load_composite(NORMAL).signal, 500, record_name="00001_lr"), tmp_path)
    opened_with(small_app, [(header.name, header.read_bytes(), "application/octet-stream")])
    assert not small_app.exception
    assert len(small_app.error) == 1
    assert ".dat" in small_app.error[0].value
    assert not small_app.get("plotly_chart")


def test_the_trace_is_the_file_in_millivolts_and_no_lead_is_scaled_for_itself(small_app: AppTest) -> None:
    small_app.query_params.update({"composite": NORMAL, "layout": "12x1"})
    small_app.run()
    signal = load_composite(NORMAL).signal
    for row, lead in enumerate(STANDARD_LEADS):
        np.testing.assert_allclose(drawn_mv(small_app, lead), signal[row] - signal[row].mean(), atol=1e-3)


def test_no_heart_rate_is_made_up_where_there_is_no_beat(small_app: AppTest, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hum = Recording(0.08 * np.sin(2 * np.pi * 0.7 * np.arange(5000) / 500) + rng.normal(0, 0.02, (12, 5000)), 500)
    opened_with(small_app, as_upload(hum, tmp_path))
    assert not small_app.exception
    asked = [item for item in small_app.button if item.label.startswith("Run the model anyway")]
    if asked:
        asked[0].click().run()
    assert "Measurements —" in shown_text(small_app)
    assert "/min" not in shown_text(small_app)


def test_held_weights_and_the_network_run_again_are_two_answers_and_differ(models_folder: Path) -> None:
    """An "ablation" that zeroes the displayed weights would print the first number twice."""
    model = load_model(folder=models_folder)
    without = box_interventions(Box(("II", "V3"), 1.0, 2.0), open_case(load_composite(NORMAL), model), model)
    assert without
    for answer in without:
        assert np.abs(answer.predicted_change - answer.actual_change).max() > 1e-4


def test_no_label_of_a_case_reaches_chart_evidence_or_address_before_it_is_asked_for(small_app: AppTest) -> None:
    small_app.query_params["composite"] = "imi-st"
    small_app.run()
    sent = "".join(chart.proto.spec + chart.proto.alt for chart in small_app.get("plotly_chart")) + str(
        layer(small_app)
    )
    assert "inferior MI" not in sent
    assert "infarction" not in sent.lower()
