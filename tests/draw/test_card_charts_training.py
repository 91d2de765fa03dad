"""The model page's training curves, error gallery and twin read what the tools write."""

from copy import deepcopy

import pandas as pd

from ecgimn.draw.charts.card import (
    NOT_STATED,
    error_rows,
    model_sheet,
    score_words,
    subgroup_rows,
    subgroup_words,
    training_figures,
    twin_words,
)
from ecgimn.model.card import read_card
from ecgimn.model.model import MODELS_FOLDER

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


GROUPS = {
    "subgroups": [
        {
            "factor": "Sex", "group": "women", "n": 1050, "n_classes": 1,
            "macro_auroc": [0.92, 0.91, 0.93], "difference": [-0.02, -0.03, -0.01],
            "classes": {
                "MI": {
                    "with": 120, "auroc": [0.9, 0.88, 0.92], "difference": [-0.03, -0.05, -0.01],
                    "sensitivity": [0.8, 0.75, 0.85], "specificity": [0.9, 0.88, 0.92],
                    "observed_over_expected": [1.1, 0.9, 1.3],
                }
            },
        },
        {"factor": "Device", "group": "not given", "n": 7, "n_classes": 0, "classes": {}},
    ]
}  # fmt: skip


def test_groups_of_people_are_listed_with_intervals_and_small_ones_without():
    women, unknown = subgroup_rows(GROUPS)
    assert women["AUROC (95 % interval)"] == "0.920 (0.910 to 0.930)"
    assert women["Difference from all others"] == "−0.020 (−0.030 to −0.010)"
    assert (unknown["Records"], unknown["AUROC (95 % interval)"]) == ("7", "too few records")
    women, unknown = subgroup_rows(GROUPS, "MI")
    assert (women["With the label"], women["Observed / expected"]) == ("120", "1.10 (0.90 to 1.30)")
    assert (unknown["With the label"], unknown["Sensitivity at its threshold"]) == ("too few", "—")
    assert subgroup_rows({}) == []


def test_a_group_is_named_only_where_it_differs_beyond_chance():
    words = subgroup_words(GROUPS)
    assert "Lower AUROC beyond chance: women (MI). Higher: none." in words
    by_chance = deepcopy(GROUPS)
    by_chance["subgroups"][0]["classes"]["MI"]["difference"] = [-0.03, -0.05, 0.01]
    assert "Lower AUROC beyond chance: none." in subgroup_words(by_chance)
    assert subgroup_words({}) == ""


def test_every_shipped_card_fills_the_headings_of_the_chai_model_card():
    sections = ["Basic information", "Release information", "Model summary", "Uses and directions", "Warnings",
                "Trust ingredients", "Key metrics", "Resources"]  # fmt: skip
    cards = sorted(MODELS_FOLDER.glob("*.json"))
    assert cards
    for path in cards:
        card = read_card(path)
        rows = model_sheet(card)
        assert list(dict.fromkeys(row["Section"] for row in rows)) == sections
        assert all(row["In this model"] for row in rows)
        told = {row["Item"]: row["In this model"] for row in rows}
        assert card.sha256[:16] in told["Model name"]
        if card.kind == "ecg-imn":
            left = {item for item, text in told.items() if text == NOT_STATED}
            assert left == {"Funding source", "Stakeholders consulted"}
