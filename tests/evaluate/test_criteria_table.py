"""Criteria against statements: the sample, and the table in the document."""

from __future__ import annotations

import pytest

from ecgimn.draw.words.methods import CRITERIA_MARKS, REVERSALS_MARKS, write_criteria_into, write_reversals_into
from ecgimn.errors import SourceError
from ecgimn.evaluate.localisation import (
    REVERSALS,
    RHYTHM_STATEMENTS,
    STATEMENTS_OF,
    criteria_against_statements,
    criteria_sample,
    reversals_found,
)
from ecgimn.signal.criteria import CRITERIA
from ecgimn.sources.ptbxl import FOLDER_VARIABLE, open_ptbxl
from ecgimn.sources.ptbxl_arrays import STATEMENTS


def test_every_statement_and_criterion_of_the_map_exists():
    assert set(STATEMENTS_OF) <= {name for name, _, _ in CRITERIA}
    every = {**STATEMENTS_OF, **RHYTHM_STATEMENTS}
    assert {code for codes in every.values() for code in codes} <= set(STATEMENTS)


def test_a_rare_statement_gets_further_records_beyond_the_random_sample():
    statements = {i: frozenset({"WPW"} if i % 50 == 0 else {"NORM"}) for i in range(1000)}
    base, positives = criteria_sample(statements, 100, 10)
    assert len(base) == len(set(base)) == 100
    assert len(positives["Pre-excitation"]) == 10
    assert all(statements[i] == {"WPW"} for i in positives["Pre-excitation"])
    assert positives["LBBB"] == []
    everything, _ = criteria_sample(statements, None, 10)
    assert sorted(everything) == list(range(1000))


def test_the_criteria_are_counted_on_ptbxl_and_written_between_the_marks():
    folder = open_ptbxl()
    if folder is None:
        pytest.skip(f"{FOLDER_VARIABLE} is not set")
    found = criteria_against_statements(folder, range(1, 10), limit=6, least=1)
    assert [row["name"] for row in found["rows"]] == [name for name, _, _ in CRITERIA]
    for row in found["rows"]:
        for part in ("sensitivity", "specificity", "ppv", "met_in_normal"):
            counted = row[part]
            assert (counted is None) == (part != "met_in_normal" and row["name"] not in STATEMENTS_OF)
            assert counted is None or 0 <= counted["hits"] <= counted["n"] <= found["records"]
    assert [row["name"] for row in found["rhythm"]["rows"]] == list(RHYTHM_STATEMENTS)
    assert sum(row["sensitivity"]["n"] for row in found["rhythm"]["rows"]) >= len(RHYTHM_STATEMENTS) - 1
    before = f"# Head\n{CRITERIA_MARKS[0]}\nan outdated table\n{CRITERIA_MARKS[1]}\nfoot"
    written = write_criteria_into(before, found, "the command")
    assert "an outdated table" not in written
    assert written.startswith("# Head")
    assert written.endswith("foot")
    assert all(f"| {name} |" in written for name in (*(name for name, _, _ in CRITERIA), *RHYTHM_STATEMENTS))
    assert write_criteria_into(written, found, "the command") == written


def test_cables_are_exchanged_on_ptbxl_and_counted_between_the_marks():
    folder = open_ptbxl()
    if folder is None:
        pytest.skip(f"{FOLDER_VARIABLE} is not set")
    found = reversals_found(folder, [9], limit=6)
    assert [row["name"] for row in found["rows"]] == list(REVERSALS)
    assert found["false_alarms"]["hits"] <= 1
    seen = {row["name"]: row for row in found["rows"]}
    assert all(row["named"]["hits"] <= row["suspected"]["hits"] <= 6 for row in found["rows"])
    assert seen["right arm and left leg"]["named"]["hits"] >= 5
    assert seen["V1 to V6 in reverse"]["named"]["hits"] >= 5
    before = f"# Head\n{REVERSALS_MARKS[0]}\nan outdated table\n{REVERSALS_MARKS[1]}\nfoot"
    written = write_reversals_into(before, found, "the command")
    assert "an outdated table" not in written
    assert all(f"| {name} |" in written for name in REVERSALS)


@pytest.mark.parametrize("write", [write_criteria_into, write_reversals_into])
def test_a_document_without_the_marks_is_refused(write):
    rhythm = {"rows": [], "af_score_auroc": None, "of_these": 0, "ranked": 0}
    content = {"rows": [], "records": 0, "available": 0, "folds": [9], "false_alarms": None, "limit": None, "base": 0,
               "not_measured": 0, "rhythm": rhythm}  # fmt: skip
    with pytest.raises(SourceError, match="no place"):
        write("# Head", content, "the command")
