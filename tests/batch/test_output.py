"""Parts are written whole or not at all, and all of a run's parts come from the same settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecgimn.batch.output import Rows, Settings, done_records, open_output, read_settings, read_table
from ecgimn.errors import SourceError

SETTINGS = Settings("m", "abc", ("MI",), (0.5,), "not looked for", "own", "folder 1", "0.1.0")


def part(*names):
    rows = Rows()
    for name in names:
        rows.add("records", record=name, status="explained", windows=1)
    return rows.tables()


def test_what_is_done_follows_from_the_parts(tmp_path):
    with open_output(tmp_path / "out", SETTINGS) as output:
        output.write(part("a", "b"))
    with open_output(tmp_path / "out", SETTINGS) as output:
        output.write(part("c"))
    assert done_records(tmp_path / "out") == {"a", "b", "c"}
    assert read_settings(tmp_path / "out") == SETTINGS


def test_an_unfinished_part_does_not_count_and_is_removed(tmp_path):
    left = tmp_path / "out" / "parts" / "unfinished-000001"
    with open_output(tmp_path / "out", SETTINGS):
        pass
    left.mkdir(parents=True)
    (left / "records.parquet").write_bytes(b"half a file")
    assert done_records(tmp_path / "out") == set()
    with open_output(tmp_path / "out", SETTINGS) as output:
        assert not left.exists()
        output.write(part("a"))
    assert done_records(tmp_path / "out") == {"a"}


@pytest.mark.parametrize(("field", "value"), [("sha256", "def"), ("waves", "all leads"), ("source", "folder 2")])
def test_other_settings_are_refused(tmp_path, field, value):
    with open_output(tmp_path / "out", SETTINGS):
        pass
    with (
        pytest.raises(SourceError, match=f"other settings.*{field}"),
        open_output(tmp_path / "out", replace(SETTINGS, **{field: value})),
    ):
        pass


def test_two_runs_at_once_are_refused(tmp_path):
    with (
        open_output(tmp_path / "out", SETTINGS),
        pytest.raises(SourceError, match="Another batch run"),
        open_output(tmp_path / "out", SETTINGS),
    ):
        pass


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(SourceError, match="holds other files"), open_output(tmp_path, SETTINGS):
        pass
    with pytest.raises(SourceError, match="not that of a batch run"):
        read_settings(tmp_path)


def test_numbers_that_are_none_are_null(tmp_path):
    rows = Rows()
    rows.add("st", record="a", lead="I", j_mv=float("nan"), j60_mv=0.1)
    table = rows.tables()["st"]
    assert table["j_mv"].null_count == 1
    assert table["j60_mv"].to_pylist() == pytest.approx([0.1])


def test_the_columns_can_be_chosen_and_no_part_gives_an_empty_table(tmp_path):
    assert read_table(tmp_path, "ledger", columns=["record", "logit"]).num_rows == 0
