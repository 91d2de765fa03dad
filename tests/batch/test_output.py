"""Parts are written whole or not at all, and all of a run's parts come from the same settings."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import asdict, replace
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ecgimn.batch.output import (
    BEAT_MS,
    MERGED,
    SCHEMAS,
    Rows,
    Settings,
    done_records,
    open_output,
    part_names,
    read_settings,
    read_table,
)
from ecgimn.errors import SourceError

ROOT = Path(__file__).resolve().parents[2]
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
    with open_output(tmp_path / "out", SETTINGS):
        pass
    left = (
        tmp_path / "out" / "ledger" / "part-000001.parquet",
        tmp_path / "out" / "records" / ".unfinished-part-000001.parquet",
    )
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half a file")
    assert done_records(tmp_path / "out") == set()
    with open_output(tmp_path / "out", SETTINGS) as output:
        assert not any(path.exists() for path in left)
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


def rich_part(number):
    """A part with a row of the ledger, and a beat of which every sum is the part's number."""
    rows = Rows()
    rows.add("records", record=f"r{number:03d}", status="explained", windows=1)
    rows.add(
        "ledger",
        **{"record": f"r{number:03d}", "start_s": 0.0, "class": "MI", "lead": "II", "wave": "QRS", "logit": 1.0},
    )
    beat = np.full((12, len(BEAT_MS)), float(number))
    rows.sum_beat("MI", beat, beat, np.ones(len(BEAT_MS), dtype=bool))
    return rows.tables()


@pytest.fixture(scope="module", params=["local", "memory"])
def long_run(request, tmp_path_factory):
    """A run of 70 parts on this machine and on a remote file system, and the parts there were before it ended."""
    out = tmp_path_factory.mktemp("long") / "out" if request.param == "local" else "memory://long/out"
    with open_output(out, SETTINGS) as output:
        for number in range(1, 71):
            output.write(rich_part(number))
        under_way = part_names(out)
    return out, under_way


@pytest.mark.parametrize("as_before", [False, True])
def test_the_rows_of_a_class_are_read_from_parts_cut_by_class_and_from_those_of_before(tmp_path, as_before):
    with open_output(tmp_path, replace(SETTINGS, classes=("NORM", "MI"))) as output:
        for record in "ab":
            rows = Rows()
            rows.add("records", record=record, status="explained", windows=1)
            for name, logit in (("NORM", -1.0), ("MI", 1.0)):
                rows.add("predictions", record=record, start_s=0.0, logit=logit, **{"class": name})
            output.write(rows.tables())
    (path,) = (tmp_path / "predictions").glob("*.parquet")
    assert pq.ParquetFile(path).num_row_groups == 2
    if as_before:  # one group of rows, and a column that came later
        pq.write_table(pq.read_table(path).sort_by("record").drop_columns(["reasons"]), path)
    table = read_table(tmp_path, "predictions", columns=["record", "logit", "reasons"], class_name="MI")
    assert table.to_pydict() == {"record": ["a", "b"], "logit": [1.0, 1.0], "reasons": [None, None]}
    assert read_table(tmp_path, "predictions", class_name="CD").num_rows == 0


def test_small_parts_are_merged_as_the_run_goes_on_and_at_its_end(long_run):
    out, under_way = long_run
    assert under_way == [f"part-000001-{MERGED:06d}", *(f"part-{n:06d}" for n in range(65, 71))]
    assert part_names(out) == ["part-000001-000064", "part-000065-000070"]


def test_merging_keeps_every_row_in_order_and_adds_up_the_beats(long_run):
    out, _ = long_run
    assert read_table(out, "ledger")["record"].to_pylist() == [f"r{n:03d}" for n in range(1, 71)]
    beats = read_table(out, "beats").to_pandas()
    assert len(beats) == 2 * 12 * len(BEAT_MS)
    assert beats["ms"].tolist() == BEAT_MS.tolist() * 24
    assert beats.groupby(["lead", "ms"], observed=True)["mv_sum"].sum().unique() == [sum(range(1, 71))]


def test_a_run_stopped_while_it_merges_counts_no_row_twice(tmp_path):
    out = tmp_path / "out"
    with open_output(out, SETTINGS) as output:
        for number in (1, 2, 3):
            output.write(rich_part(number))
        before = {path: path.read_bytes() for path in out.glob("*/*.parquet")}
    assert part_names(out) == ["part-000001-000003"]
    for path, content in before.items():  # as if those that were merged had not been removed yet
        path.write_bytes(content)
    assert len(read_table(out, "ledger")) == 3
    with open_output(out, SETTINGS):
        assert len(list(out.glob("ledger/*"))) == 1
    assert len(read_table(out, "ledger")) == 3


def test_what_failed_for_another_reason_than_its_file_is_to_do_again(tmp_path):
    rows = Rows()
    for name, retry in (("torn", False), ("unlucky", True)):
        rows.add("errors", record=name, kind="x", reason="y", retry=retry)
        rows.add("records", record=name, status="failed", windows=0)
    with open_output(tmp_path / "out", SETTINGS) as output:
        output.write(rows.tables())
    assert done_records(tmp_path / "out") == {"torn", "unlucky"}
    with open_output(tmp_path / "out", SETTINGS) as output:
        assert output.forgotten == 1
        assert done_records(tmp_path / "out") == {"torn"}
    assert read_table(tmp_path / "out", "errors")["record"].to_pylist() == ["torn"]


def test_pandas_and_duckdb_read_the_folder_of_a_table(long_run, tmp_path):
    import duckdb

    out, _ = long_run
    if isinstance(out, str):
        fs = fsspec.filesystem("memory")
        fs.get("/long/out", str(tmp_path / "out"), recursive=True)
        out = tmp_path / "out"
    assert len(pd.read_parquet(out / "ledger")) == 70
    ((total,),) = duckdb.sql(f"select sum(logit) from '{out}/ledger/*.parquet' where class = 'MI'").fetchall()
    assert total == pytest.approx(70.0)


def test_every_file_says_units_meanings_and_what_it_was_made_with(tmp_path):
    with open_output(tmp_path / "out", SETTINGS) as output:
        output.write(rich_part(1))
    for name in SCHEMAS:
        (file,) = (tmp_path / "out" / name).glob("*.parquet")
        schema = pq.read_schema(file)
        assert json.loads(schema.metadata[b"ecgimn"])["sha256"] == SETTINGS.sha256
        assert all(b"meaning" in schema.field(column).metadata for column in schema.names)
    schema = pq.read_schema(next((tmp_path / "out" / "st").iterdir()))
    assert schema.field("j60_mv").metadata[b"unit"] == b"mV"


def test_the_schema_in_the_documents_is_the_one_written():
    listed = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \| (\S+) \| (\S*) ?\|", (ROOT / "docs" / "batch.md").read_text(), re.MULTILINE
    )
    written = [
        (
            name,
            field.name,
            "word" if "dictionary" in str(field.type) else str(field.type),
            field.metadata.get(b"unit", b"").decode(),
        )
        for name, schema in SCHEMAS.items()
        for field in schema
    ]
    assert listed == written


def test_a_run_of_the_layout_before_can_still_be_read(tmp_path):
    folder = tmp_path / "out"
    (folder / "parts" / "000001").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(asdict(replace(SETTINGS, layout=2))))
    for name, table in rich_part(1).items():
        pq.write_table(table, folder / "parts" / "000001" / f"{name}.parquet")
    assert read_table(folder, "ledger")["record"].to_pylist() == ["r001"]
    assert part_names(folder) == ["000001"]
    with pytest.raises(SourceError, match="layout was 2"), open_output(folder, SETTINGS):
        pass


def test_an_address_of_no_known_kind_is_refused_with_what_to_install(tmp_path):
    with pytest.raises(SourceError, match="s3fs"):
        read_table("nonsense://bucket/run", "ledger")


@pytest.mark.parametrize("content", [b"", b"half a file", b"PAR1" + bytes(200) + b"PAR1", None])
@pytest.mark.parametrize("table", ["records", "ledger"])
def test_a_damaged_part_is_named_with_what_to_do_and_can_be_made_again(tmp_path, table, content):
    folder = tmp_path / "out"
    for names in (("a", "b"), ("c",)):
        with open_output(folder, SETTINGS) as output:
            output.write(part(*names))
            output.merge = lambda: None
    path = folder / table / "part-000002.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(SourceError, match=r"cannot be read .*part-000002.*Delete"):
        read_table(folder, table)
    with pytest.raises(SourceError, match="cannot be read"), open_output(folder, SETTINGS) as output:
        output.merge()
    for damaged in folder.rglob("part-000002.parquet"):
        damaged.unlink()
    assert done_records(folder) == {"a", "b"}
    with open_output(folder, SETTINGS) as output:
        output.write(part("c"))
    assert done_records(folder) == {"a", "b", "c"}


def test_a_full_disk_stops_a_run_which_goes_on_once_there_is_room(tmp_path, monkeypatch):
    with open_output(tmp_path / "out", SETTINGS) as output:
        output.write(part("a"))

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, open_output(tmp_path / "out", SETTINGS) as output:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            output.write(part("b"))
        output.merge = lambda: None  # as where the error ends the run
    assert done_records(tmp_path / "out") == {"a"}
    with open_output(tmp_path / "out", SETTINGS) as output:
        output.write(part("b"))
    assert done_records(tmp_path / "out") == {"a", "b"}
    assert not list((tmp_path / "out").rglob(".unfinished-*"))
