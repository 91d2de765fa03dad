"""The table of methods prints figures with intervals, dashes where there are none, and refuses what is not its file."""

import json

import pytest

from ecgimn.draw.comparison_table import (
    MARKS,
    NOTHING,
    comparison_rows,
    network_rows,
    read_comparison,
    with_interval,
    write_into,
)
from ecgimn.errors import SourceError

CONTENT = {
    "command": "python -m ecgimn compare-methods",
    "n": {"cases": 2},
    "networks": [
        {"network": "a", "classes": ["NORM", "MI"], "n": 1200, "macro_auroc": [0.9312, 0.92, 0.94], "bias_share": None}
    ],
    "rows": [
        {
            "network": "a",
            "method": "its own map |W|",
            "fidelity": {key: [-0.5, -0.6, 0.2] for key in ("r2", "r2_rescaled", "slope", "r2_unseen")},
            "degradation": {"isoelectric line": [1.0, None, None]},
            "top_cells": {"isoelectric line": [1.0, 0.9, 1.1]},
            "planted": {"ST elevation +0.2 mV": {"pointing": 0.9}, "T inversion": {"pointing": 0.7}},
            "territory": {"AMI": {"n": 0, "hit": None}, "IMI": {"n": 4, "hit": 0.75}},
            "stability": {"noise_20_db": 0.99, "shift_80_ms": 0.9, "random_weights": -0.01, "seeds": None},
            "cells_for_90_percent": 31.0,
            "cpu_ms": 1234.5,
        }
    ],
}


def test_a_row_prints_what_was_measured():
    (row,) = comparison_rows(CONTENT)
    assert row["R² of changes"] == "−0.50 (−0.60 to 0.20)"
    assert row["Degradation, isoelectric line (SD)"] == "1.00"
    assert row["Planted ST found"] == "90 %"
    assert row["All planted found"] == "80 %"
    assert row["Territory hit"] == "75 %"
    assert row["Other seed"] == NOTHING
    assert row["Time (ms)"] == "1,234"
    (network,) = network_rows(CONTENT)
    assert network["Macro AUROC"] == "0.931 (0.920 to 0.940)"
    assert network["Variance of the logit that is bias"] == NOTHING


def test_nothing_is_a_dash():
    assert with_interval([None, None, None]) == NOTHING


@pytest.mark.parametrize("text", [None, "{", "[]", json.dumps({"rows": []})])
def test_what_is_not_a_comparison_is_refused_with_the_command_that_makes_one(tmp_path, text):
    path = tmp_path / "faithfulness.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SourceError, match="compare-methods"):
        read_comparison(path)


def test_the_tables_of_a_document_are_made_anew_and_its_words_stay():
    content = {**CONTENT, "fold": 9, "n": {"cases": 2, "planted": 1, "stability": 1}, "interval": "95 %"}
    document = f"# Title\n\n{MARKS[0]}\nstale\n{MARKS[1]}\n\nLast words.\n"
    written = write_into(document, content)
    assert written.startswith("# Title\n")
    assert written.endswith("Last words.\n")
    assert "stale" not in written
    assert r"| a | its own map \|W\| | −0.50 (−0.60 to 0.20) |" in written
    assert write_into(written, content) == written
    with pytest.raises(SourceError, match="no place"):
        write_into("# Title\n", content)
