"""The model page's training curves, error gallery and twin read what the tools write."""

import pandas as pd

from ecgimn.draw.charts.card import error_rows, score_words, training_figures, twin_words

LOG = pd.DataFrame(
    {
        "epoch": [1, 2, 1, 2],
        "label_loss": [0.5, 0.4, 0.6, 0.5],
        "fidelity_loss": [0.0, 0.0, 0.0, 0.0],
        "auroc_superclass": [0.8, 0.9, 0.7, 0.85],
        "network": ["a seed-1", "a seed-1", "b seed-1", "b seed-1"],
    }
)
METRICS = {
    "failures": {
        "records": {"MI": {"missed": [{"ecg_id": 7, "probability": 0.02, "labels": ["MI", "CD"]}], "claimed": []}},
        "composites": [
            {"composite": "imi", "title": "inferior MI", "class": "MI", "kind": "missed", "probability": 0.1}
        ],
    },
    "black_box_twin": {"macro_auroc": [0.934, 0.927, 0.941], "macro_auroc_gain": [0.001, -0.001, 0.003]},
}


def test_training_is_drawn_with_one_curve_per_network_and_without_losses_that_were_not_asked_for():
    figures = training_figures(LOG)
    assert list(figures) == ["Loss of the labels", "Macro AUROC, fold 9, superclasses"]
    assert [trace.name for trace in figures["Loss of the labels"].data] == ["a seed-1", "b seed-1"]


def test_errors_of_a_class_list_records_and_composites_each_with_what_opens_it():
    rows = error_rows(METRICS, "MI", "missed")
    assert [row.get("ecg_id") or row["composite"] for row in rows] == [7, "imi"]
    assert rows[0]["Labels"] == "MI, CD"
    assert error_rows(METRICS, "MI", "claimed") == []
    assert error_rows({}, "MI", "missed") == []


def test_the_twin_is_named_with_the_difference_and_its_interval():
    words = twin_words(METRICS)
    assert "0.934 (0.927 to 0.941)" in words
    assert "+0.0010 (−0.0010 to +0.0030)" in words
    assert twin_words({}) == ""


def test_the_score_is_told_with_that_of_each_network_of_an_average():
    found = {"macro_auroc": [0.9345, 0.9278, 0.9409], "macro_auroc_of_networks": [0.9351, 0.9258]}
    words = "**Macro AUROC** 0.934 (0.928 to 0.941); 95 % interval over resampled patients."
    assert score_words({"discrimination": found | {"macro_auroc_of_networks": [0.9345]}}) == words
    assert score_words({"discrimination": found}) == words + " Its networks alone: 0.935, 0.926."
    assert score_words({}) == ""
