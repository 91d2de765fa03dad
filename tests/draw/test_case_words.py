"""Tables, exports and card charts say what was measured, with units, and nothing of a file's name."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ecgimn.draw.charts.card import card_figures, clinical_rows, discrimination_rows, fidelity_figures
from ecgimn.draw.print.case import case_export, recording_hash
from ecgimn.draw.screen.ecg import column_shares, is_narrow, screen_for
from ecgimn.draw.view import View
from ecgimn.draw.words.case import interval_values, st_grid, st_rows, subject_words
from ecgimn.explain.case import Case, open_case
from ecgimn.explain.sentences import class_chips, evidence_over_beats, sum_of_evidence
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from ecgimn.sources.composites.case import load_composite


@pytest.fixture(scope="module")
def case() -> Case:
    """A composite, read and explained by a small untrained network."""
    config = NetworkConfig(n_classes=2, widths=(8, 8, 8), blocks=1, decoder_width=8)
    torch.manual_seed(0)
    card = ModelCard("tiny", "two classes", ("A", "B"), 1, config, (1.5, 1.0), (0.1, 0.0), "0" * 64, (0.0, 0.0))
    model = Model(card, (EcgImn(config).eval(),), torch.device("cpu"))
    return open_case(load_composite("norm"), model)


def test_the_sum_is_the_logit(case: Case) -> None:
    for k, name in enumerate(case.classes):
        total = sum_of_evidence(case.of(name))
        assert total.bias + total.evidence == pytest.approx(case.explanation.logit[k], abs=1e-4)
        assert total.exact


def test_a_sum_that_does_not_hold_is_called_so(case: Case) -> None:
    off = replace(case, ledger=replace(case.ledger, cells=case.ledger.cells + 0.01))
    assert not sum_of_evidence(off.of("A")).exact


def test_a_chip_is_starred_from_its_operating_point_on(case: Case) -> None:
    limits = (float(case.explanation.probability[0]), 1.0)
    judged = replace(case, card=replace(case.card, thresholds={"youden": limits}))
    assert [text.endswith(" *") for text in class_chips(judged).values()] == [True, False]
    assert not any("*" in text for text in class_chips(judged, starred=False).values())
    assert not any("*" in text for text in class_chips(case).values())  # its card has no operating point


def test_the_mean_beat_and_the_remainder_make_the_evidence(case: Case) -> None:
    beats, reading = evidence_over_beats(case.of("A")), case.reading
    assert beats is not None
    assert reading.measurements is not None
    windows = reading.measurements.beat.windows
    inside = np.zeros(reading.recording.n_samples, dtype=bool)
    for start in windows.start[windows.used]:
        inside[max(0, start) : start + windows.length] = True
    evidence = case.explanation.weights[0] * (reading.recording.signal - reading.levels[:, None])
    assert beats.remainder + evidence[:, inside].sum() == pytest.approx(case.ledger.cells[0].sum(), abs=1e-6)


def test_levels_are_printed_in_mv_and_in_mm_of_standard_paper(case: Case) -> None:
    reading = case.reading
    rows = st_rows(reading)
    assert [row["Lead"] for row in rows] == list(STANDARD_LEADS)
    for row in rows:
        mv, mm = row["J+60"].split(", ")
        in_mv, in_mm = (float(text.split()[0].replace("−", "-")) for text in (mv, mm))
        assert mv.endswith(" mV")
        assert mm.endswith(" mm")
        assert in_mm == pytest.approx(10 * in_mv, abs=0.06)


def test_the_grid_holds_every_lead_once(case: Case) -> None:
    reading = case.reading
    words = st_grid(reading).replace("*", " ").replace("|", " ").split()
    assert [word for word in words if word in STANDARD_LEADS] == list(STANDARD_LEADS)


def test_intervals_have_units_or_say_why_not(case: Case) -> None:
    reading = case.reading
    for value in interval_values(reading):
        unit = value.text.partition(",")[0][-1]  # the axis is named behind its degrees
        assert value.note if value.text == "—" else unit in "ns°"  # /min, ms, degrees


@pytest.mark.parametrize(
    ("age", "sex", "words"),
    [
        (None, None, "sex and age unknown"),
        (30, None, "30 y, sex unknown"),
        (95, "male", "male, 90+ y"),
        (None, "female", "female"),
    ],
)
def test_the_subject_of_the_thresholds_is_named(case: Case, age: Any, sex: Any, words: str) -> None:
    reading = case.reading
    recording = Recording(reading.recording.signal, 500, age=age, sex=sex)
    changed = SignalReading(recording, reading.quality, None, None, None, reading.isoelectric)
    assert subject_words(changed) == words


def test_the_csv_sums_to_the_logit(case: Case) -> None:
    text = case_export("csv", case, class_name="A", view=View()).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    for k, name in enumerate(case.classes):
        values = {row["wave"]: float(row["logit"]) for row in rows if row["class"] == name and not row["lead"]}
        cells = sum(float(row["logit"]) for row in rows if row["class"] == name and row["lead"])
        assert cells + values["baseline"] + values["bias"] == pytest.approx(case.explanation.logit[k], abs=1e-4)
    assert "Not a medical device" in text


def test_an_export_of_an_upload_holds_a_salted_hash_and_the_view(case: Case) -> None:
    recording = case.recording
    content = json.loads(case_export("json", case, class_name="A", view=View(layout="6x2"), salt=b"grain"))
    assert content["recording"]["digest"] == recording_hash(recording, b"grain")
    assert recording.digest not in json.dumps(content)
    assert View(**content["view"]) == View(layout="6x2")


def test_an_empty_card_draws_nothing() -> None:
    assert card_figures({}) == {}
    assert fidelity_figures({}, "MI") == {}
    assert discrimination_rows({}) == []


def test_a_card_is_drawn_as_it_was_measured() -> None:
    curve = {"false_positive_rate": [0.0, 1.0], "sensitivity": [0.5, 1.0], "precision": [1.0, 0.5]}
    edit = {"r2": [0.5], "slope": [0.7], "points": [[[0.1, 0.2], [0.1, 0.3]]]}
    metrics = {
        "classes": ["MI"],
        "discrimination": {
            "classes": {"MI": {"n": 1200, "auroc": [0.9, 0.88, 0.92], "average_precision": 0.8, "curves": curve}}
        },
        "calibration": {"MI": {"ece": 0.02, "predicted": [0.1, 0.9], "observed": [0.1, 0.8]}},
        "fidelity": {"families": {"ST": edit | {"in_training": True}, "P": edit | {"in_training": False}}},
    }
    assert list(card_figures(metrics)) == ["ROC", "Precision and recall", "Calibration"]
    assert discrimination_rows(metrics)[0]["AUROC (95 % interval)"] == "0.900 (0.880 to 0.920)"
    metrics["discrimination"]["classes"]["MI"]["operating_points"] = {"youden": {"threshold": 0.2, "f1": 0.75}}
    assert discrimination_rows(metrics)[0]["At Youden index"] == "threshold 0.20, F1 0.75"
    metrics["discrimination"]["classes"]["MI"]["operating_points"]["youden"] |= {
        "sensitivity": 0.868,
        "specificity": 0.85,
    }
    row = clinical_rows(metrics)[0]
    assert (row["Sensitivity at its threshold"], row["Specificity at its threshold"]) == ("87 %", "85 %")
    assert not any("Youden" in name or "Average precision" in name for name in row)
    assert list(fidelity_figures(metrics, "MI")) == ["ST", "P, never trained"]


def test_a_class_of_no_record_or_of_all_has_a_dash_and_no_curve() -> None:
    curve = {"false_positive_rate": [0.0, 1.0], "sensitivity": [0.0, 0.0], "precision": [0.0, 0.0]}
    row = {"n": 0, "auroc": [None, None, None], "average_precision": None, "curves": curve}
    metrics = {"discrimination": {"classes": {"WPW": row, "NORM": row | {"n": 40, "average_precision": 1.0}}}}
    assert card_figures(metrics) == {}  # no record is anything but normal, either
    absent, alone = discrimination_rows(metrics)
    assert (absent["AUROC (95 % interval)"], absent["Average precision"]) == ("—", "—")
    assert (alone["AUROC (95 % interval)"], alone["Average precision"]) == ("—", "1.000")


@pytest.mark.parametrize("window", [(1366, 768), (1920, 1080), (683, 384), (2560, 1440)])
def test_the_trace_leaves_room_for_the_numbers(window: tuple[int, int]) -> None:
    screen = screen_for(window)
    left, right = column_shares(screen.width_px, window)
    assert right >= 330
    assert screen.height_px <= max(window[1] - 150, 380)
    assert left > screen.width_px


def test_at_twice_the_zoom_of_a_laptop_the_trace_has_the_width_to_itself() -> None:
    window = (1366 // 2, 768 // 2)
    assert is_narrow(window)
    assert 600 < screen_for(window, beside=False).width_px < window[0]
