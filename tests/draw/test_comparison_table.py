"""The table of methods prints figures with intervals, dashes where there are none, and refuses what is not its file."""

import json
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ecgimn.draw.words.methods import (
    COMPARISON,
    MARKS,
    NOTHING,
    QUESTIONS,
    answer_rows,
    answer_words,
    comparison_rows,
    goal_words,
    network_rows,
    planted_rows,
    read_comparison,
    verdict_words,
    with_interval,
    write_into,
)
from ecgimn.errors import SourceError
from ecgimn.evaluate.compare import METRICS, goals, standing, verdicts
from ecgimn.evaluate.localisation import ST_ELEVATION
from ecgimn.evaluate.stability import FILLS

ROOT = Path(__file__).resolve().parents[2]

PLANT = {
    "class": "MI", "n": 12, "pointing": [0.9, 0.8, 1.0], "pointing_within": [0.5, 0.2, 0.7], "mass": [0.6, 0.5, 0.7],
    "sign": [1.0, 1.0, 1.0], "reacted": [0.75, 0.5, 0.9], "pointing_reacted": [1.0, 1.0, 1.0],
}  # fmt: skip


def row(network, method, kind, r2, **changed):
    figures = {
        "network": network,
        "method": method,
        "kind": kind,
        "fidelity": {"r2": r2, "r2_unseen": r2, "r2_rescaled": r2, "slope": r2},
        "degradation": {fill: r2 for fill in FILLS},
        "top_cells": {fill: r2 for fill in FILLS},
        "planted": {ST_ELEVATION: PLANT, "T inversion": {**PLANT, "n": 4, "pointing": [0.5, 0.4, 0.6]}},
        "planted_in_composites": {ST_ELEVATION: {**PLANT, "n": 5, "pointing": [0.8, None, None]}},
        "territory": {"all": {"n": 4, "hit": [0.75, 0.5, 1.0]}},
        "stability": {
            "noise_20_db": [0.99, 0.98, 1.0], "shift_80_ms": [0.9, 0.8, 0.95], "random_weights": [-0.01, -0.1, 0.1],
            "seeds": [None, None, None],
        },
        "cells_for_90_percent": [31.2, 29.8, 33.4],
        "cpu_ms": 1234.5,
        "shipped_minus_this": None,
        "own_map_minus_this": None,
    }  # fmt: skip
    return {**figures, **changed}


GAP = {"r2": [0.05, 0.02, 0.08]}
ROWS = [
    row("a", "its own map |W|", "own", [0.9, 0.85, 0.95]),
    row("a", "gradient x input", "post-hoc", [0.85, 0.8, 0.9], shipped_minus_this=GAP, own_map_minus_this=GAP),
    row("b", "occlusion", "post-hoc", [-0.5, -0.6, 0.2], cpu_ms=2.0),
    row("b", "random", "control", [2.0, 1.9, 2.1]),
]
NETWORKS = [
    {"network": "a", "classes": ["NORM", "MI"], "n": 1200, "macro_auroc": [0.9312, 0.92, 0.94],
     "bias_share": [None] * 3, "planted_st": {"all": {**PLANT, "n": 600}, "inferior": {**PLANT, "n": 200}}},
    {"network": "b", "classes": ["NORM", "MI"], "n": 1200, "macro_auroc": [0.9, 0.89, 0.92],
     "bias_share": [0.4, 0.3, 0.5], "planted_st": None},
]  # fmt: skip
CONTENT = {
    "command": "python -m ecgimn compare-methods",
    "fold": 9,
    "seed": 0,
    "interval": "95 %",
    "n": {"records": 2000, "cases": 2, "planted": 1, "stability": 1},
    "networks": NETWORKS,
    "rows": ROWS,
    "verdicts": verdicts(ROWS),
    "goals": goals(ROWS, NETWORKS),
}


def test_a_row_prints_what_was_measured():
    with_seeds = {**ROWS[2]["stability"], "seeds": [0.8, 0.7, 0.9]}
    rows = [*ROWS[:2], {**ROWS[2], "stability": with_seeds}, ROWS[3]]
    first, _, rival, control = comparison_rows({**CONTENT, "rows": rows})
    assert rival["Other seed"] == "0.800 (0.700 to 0.900)"
    assert rival["R² of changes"] == "−0.50 (−0.60 to 0.20)"
    assert first["Planted ST found"] == "90 % (80 to 100)"
    assert first["All planted found"] == "80 %"  # 12 times 90 % and 4 times 50 %
    assert first["Planted in composites found"] == "80 %"
    assert first["Territory hit"] == "75 % (50 to 100)"
    assert first["Other seed"] == NOTHING
    assert first["Cells for 90 %"] == "31 (30 to 33)"
    assert first["Time (ms)"] == "1,234"
    assert control["Explained by"] == "random (control)"
    network, other = network_rows(CONTENT)
    assert network["Macro AUROC"] == "0.931 (0.920 to 0.940)"
    assert network["Variance of the logit that is bias"] == NOTHING
    assert other["Variance of the logit that is bias"] == "40.00 % (30.00 to 50.00)"


def test_a_column_that_nobody_has_a_figure_for_is_left_out():
    assert all("Other seed" not in row and "20 dB noise" in row for row in comparison_rows(CONTENT))
    assert comparison_rows({**CONTENT, "rows": []}) == []


def test_every_column_answers_one_question():
    columns = [column for question in QUESTIONS for column in list(answer_rows(CONTENT, question)[0])[2:]]
    assert sorted(columns) == sorted(list(comparison_rows(CONTENT)[0])[2:])
    lines = [line for columns, _ in QUESTIONS.values() for line in answer_words(CONTENT, columns)]
    assert sorted(lines) == sorted(verdict_words(CONTENT))


def test_planted_st_elevation_is_listed_by_group_of_leads_where_a_network_has_a_map():
    rows = planted_rows(CONTENT)
    assert [found["ST elevation in"] for found in rows] == ["all of these", "inferior"]
    assert {found["Network"] for found in rows} == {"a"}
    assert rows[0]["Logit of MI rises"] == "75 % (50 to 90)"


def test_who_is_ahead_follows_the_numbers_and_controls_are_no_rivals():
    r2, *_ = CONTENT["verdicts"]
    assert (r2["best"]["method"], r2["rivals"]) == ("its own map |W|", 2)
    assert [one["method"] for one in r2["level"]] == ["gradient x input"]
    assert [one["method"] for one in r2["ahead"]] == ["occlusion"]
    words = verdict_words(CONTENT)[0]
    assert "Best: ours, 0.90 (0.85 to 0.95)." in words
    assert "ahead of 1 of 2 with intervals apart" in words
    assert "level with gradient x input on a, 0.85 (0.80 to 0.90) [record by record +0.05, +0.02 to +0.08]" in words
    assert "random" not in words


def test_it_is_said_where_we_lose():
    rows = [row("a", "its own map", "own", [0.5, 0.4, 0.6]), row("b", "occlusion", "post-hoc", [0.9, 0.8, 1.0])]
    content = {**CONTENT, "rows": rows, "verdicts": verdicts(rows), "goals": goals(rows, NETWORKS)}
    words = verdict_words(content)[0]
    assert "Best: occlusion on b, 0.90 (0.80 to 1.00)." in words
    assert "Ours is behind occlusion on b" in words
    goal = goal_words(content)[0]
    assert "**Not reached**, because of occlusion on b, 0.90 (0.80 to 1.00)." in goal


def test_a_goal_says_what_it_rests_on():
    goal = next(line for line in goal_words(CONTENT) if line.startswith("Planted ST"))
    assert "**Reached**: 90 % (80 to 100) of 600 plants" in goal
    assert "Inferior: rises in 75 %" in goal
    assert not CONTENT["goals"][0]["reached"]  # gradient x input overlaps
    assert CONTENT["goals"][0]["not_beaten"][0]["method"] == "gradient x input"


def test_of_what_should_be_near_zero_the_smaller_size_is_better():
    metric = next(one for one in METRICS if one.better == "near 0")

    def alike(figure):
        stable = {**ROWS[0]["stability"], "random_weights": figure}
        return {**ROWS[0], "stability": stable}

    assert standing(metric, alike([-0.01, -0.1, 0.1]), alike([-0.6, -0.7, -0.5])) == "ahead"
    assert standing(metric, alike([0.9, 0.8, 1.0]), alike([-0.05, -0.1, 0.1])) == "behind"
    assert standing(metric, alike([0.05, -0.1, 0.2]), alike([-0.1, -0.3, 0.1])) == "level"


def test_the_comparison_travels_with_an_installed_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["ecgimn.shipped"]
    assert any(fnmatch(f"docs/{COMPARISON.name}", pattern) for pattern in patterns)
    assert COMPARISON.parent.name == "docs"


def test_nothing_is_a_dash():
    assert with_interval([None, None, None]) == NOTHING


def test_large_numbers_have_no_decimals():
    assert with_interval([-1633.514, -5334.7, 0.25]) == "−1,634 (−5,335 to 0.25)"


@pytest.mark.parametrize("text", [None, "{", "[]", json.dumps({"rows": []})])
def test_what_is_not_a_comparison_is_refused_with_the_command_that_makes_one(tmp_path, text):
    path = tmp_path / "faithfulness.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SourceError, match="compare-methods"):
        read_comparison(path)


def test_the_tables_of_a_document_are_made_anew_and_its_words_stay():
    document = f"# Title\n\n{MARKS[0]}\nstale\n{MARKS[1]}\n\nLast words.\n"
    written = write_into(document, CONTENT)
    assert written.startswith("# Title\n")
    assert written.endswith("Last words.\n")
    assert "stale" not in written
    assert r"| a | its own map \|W\| | 0.90 (0.85 to 0.95) |" in written
    assert "- **R² of changes** (higher is better). Best: ours" in written
    assert write_into(written, CONTENT) == written
    with pytest.raises(SourceError, match="no place"):
        write_into("# Title\n", CONTENT)


def test_the_shipped_document_has_a_place_for_the_tables():
    document = (ROOT / "docs" / "FAITHFULNESS.md").read_text(encoding="utf-8")
    assert write_into(document, CONTENT).count(MARKS[0]) == 1
