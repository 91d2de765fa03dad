"""The table browser's search, the neighbours in a list, and where the data folder is named."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgimn.errors import SourceError
from ecgimn.sources.physionet import ptbxl_folder, ptbxl_url, settings_path
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.search import (
    Query,
    SearchTable,
    counts,
    counts_by_age,
    find_records,
    label_lines,
    neighbour,
    page_of,
    search_table,
    sorted_records,
)

STATEMENTS = """,description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass
NORM,normal ECG,1.0,,,NORM,NORM
IMI,inferior,1.0,,,MI,IMI
ILMI,inferolateral,1.0,,,MI,IMI
LVH,hypertrophy,1.0,,,HYP,LVH
SR,sinus rhythm,,,1.0,,
"""
COLUMNS = "ecg_id,age,sex,report,scp_codes,strat_fold,validated_by_human,static_noise,heart_axis,pacemaker"
TABLE = f"""{COLUMNS},filename_lr,filename_hr
1,56.0,1,sinusrhythmus normal,"{{'NORM': 100.0, 'SR': 0.0}}",3,True,"I-V1",MID,,a,a
2,300.0,0,Inferiorer Infarkt,"{{'IMI': 35.0, 'LVH': 0.0, 'SR': 0.0}}",9,True,,LAD,"ja, pacemaker",b,b
5,,0,,"{{'ILMI': 80.0}}",10,False,,LAD,,c,c
9,30.0,1,,{{}},1,,,,,d,d
"""


@pytest.fixture
def ptbxl(tmp_path: Path) -> PtbXl:
    (tmp_path / "ptbxl_database.csv").write_text(TABLE)
    (tmp_path / "scp_statements.csv").write_text(STATEMENTS)
    for name in ("a", "c", "d"):
        (tmp_path / f"{name}.hea").touch()
        (tmp_path / f"{name}.dat").touch()
    return PtbXl(tmp_path)


@pytest.fixture
def table(ptbxl: PtbXl) -> SearchTable:
    return search_table(ptbxl)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), [1, 2, 5, 9]),
        (Query(superclasses=("MI",)), [2, 5]),
        (Query(superclasses=("NORM", "HYP")), [1, 2]),
        (Query(codes=("IMI",)), [2]),  # and not ILMI
        (Query(subclasses=("IMI",)), [2, 5]),
        (Query(words="INFARKT inferior"), [2]),
        (Query(words="(("), []),  # words are no pattern
        (Query(ages=(40, 90)), [1, 2]),
        (Query(ages=(90, 90)), [2]),
        (Query(sexes=("male",)), [2, 5]),
        (Query(folds=(1, 10)), [5, 9]),
        (Query(validated=True), [1, 2]),
        (Query(without_notes=True), [2, 5, 9]),
        (Query(superclasses=("MI",), folds=(9,)), [2]),
        (Query(notes=("static noise", "baseline drift")), [1]),
        (Query(axes=("LAD",)), [2, 5]),
        (Query(pacemaker=True), [2]),
        (Query(pacemaker=False), [1, 5, 9]),
    ],
)
def test_a_query_finds_the_records_that_fit(table: SearchTable, query: Query, found: list[int]) -> None:
    assert find_records(table, query).index.to_list() == found


def test_counts_are_of_the_records_found_and_overlap(table: SearchTable) -> None:
    assert counts(find_records(table, Query())) == {"NORM": 1, "MI": 2, "STTC": 0, "CD": 0, "HYP": 1}


@pytest.mark.bench
def test_a_filter_over_a_table_of_the_full_size_takes_less_than_a_fifth_of_a_second(table: SearchTable) -> None:
    many = np.tile(np.arange(4), 5450)
    large = SearchTable(
        table.shown.iloc[many].set_index(pd.RangeIndex(len(many))),
        table.keys.iloc[many].set_index(pd.RangeIndex(len(many))),
        table.codes,
        table.subclasses,
    )
    query = Query(
        ("MI", "NORM"), ("IMI",), ("IMI", "LVH"), "infarkt", (20, 90), ("male",), (9,), True, True, axes=("LAD",),
        pacemaker=True,
    )  # fmt: skip
    durations = []
    for _ in range(5):
        start = time.process_time()  # what it takes, whatever else the machine does
        found = find_records(large, query)
        counts(found)
        counts_by_age(found)
        sorted_records(found, "age", descending=True)
        durations.append(time.process_time() - start)
    assert len(large.shown) > 21_799
    assert len(found) == 5450
    assert min(durations) < 0.2


def test_ages_are_counted_by_decade_and_sex_without_those_unknown(table: SearchTable) -> None:
    by_age = counts_by_age(table.shown)
    assert {sex: np.flatnonzero(numbers).tolist() for sex, numbers in by_age.items()} == {"female": [3, 5], "male": [9]}


def test_records_are_sorted_with_the_unknown_last(table: SearchTable) -> None:
    assert sorted_records(table.shown, "age").index.to_list() == [9, 1, 2, 5]
    assert sorted_records(table.shown, "age", descending=True).index.to_list() == [2, 1, 9, 5]
    assert sorted_records(table.shown, descending=True).index.to_list() == [9, 5, 2, 1]


def test_a_page_holds_its_rows_and_a_badge_where_a_record_was_seen_in_training(table: SearchTable) -> None:
    assert page_of(table.shown, 2, 3).index.to_list() == [9]
    assert page_of(table.shown, 1, 3)["seen in training"].to_list() == [["seen in training"], [], []]


def test_next_and_previous_follow_the_order_of_a_list(ptbxl: PtbXl) -> None:
    assert neighbour(ptbxl, (9, 2, 1, 5), 9, 1) == 1
    assert neighbour(ptbxl, (9, 2, 1, 5), 1, 1) == 5
    assert neighbour(ptbxl, (9, 2, 1, 5), 5, 1) is None
    assert neighbour(ptbxl, (9, 2, 1, 5), 1, -1) == 9


def test_next_and_previous_skip_records_that_are_not_here(ptbxl: PtbXl) -> None:
    assert neighbour(ptbxl, (), 1, 1) == 5
    assert neighbour(ptbxl, (), 5, -1) == 1
    assert neighbour(ptbxl, (), 9, 1) is None
    assert neighbour(ptbxl, (1, 9), 1, 1) == 9


def test_labels_are_said_as_published(ptbxl: PtbXl) -> None:
    lines = label_lines(ptbxl, 2)
    assert lines[0] == "Classes: MI, HYP"
    assert "IMI 35 %, LVH, SR" in lines[1]
    assert "Report: Inferiorer Infarkt" in lines
    assert label_lines(ptbxl, 1)[-1] == "Quality notes: static noise"


def test_the_folder_comes_from_the_environment_first_and_then_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ECGIMN_PTBXL", raising=False)
    assert ptbxl_folder() is None
    settings_path().parent.mkdir()
    settings_path().write_text('ptbxl = "/from/settings"\n')
    assert ptbxl_folder() == "/from/settings"
    monkeypatch.setenv("ECGIMN_PTBXL", "/from/environment")
    assert ptbxl_folder() == "/from/environment"


def test_the_mirror_comes_from_the_environment_first_and_then_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ECGIMN_PTBXL_URL", raising=False)
    assert ptbxl_url() == "https://physionet.org/files/ptb-xl/1.0.3/"
    settings_path().parent.mkdir()
    settings_path().write_text('ptbxl_url = "https://mirror.example/ptb-xl/"\n')
    assert ptbxl_url() == "https://mirror.example/ptb-xl/"
    monkeypatch.setenv("ECGIMN_PTBXL_URL", "https://other.example/")
    assert ptbxl_url() == "https://other.example/"


@pytest.mark.parametrize("text", ["ptbxl = 3", "ptbxl /unquoted"])
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ECGIMN_PTBXL", raising=False)
    settings_path().parent.mkdir()
    settings_path().write_text(text)
    with pytest.raises(SourceError, match=r"settings\.toml"):
        ptbxl_folder()


def test_an_earlier_ecg_and_a_changed_superclass_can_be_asked_for(tmp_path) -> None:
    lines = [
        "ecg_id,patient_id,recording_date,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr,"
        "NORM,MI,STTC,CD,HYP,diagnostic_subclass,rhythm,form"
    ]
    for ecg_id, patient, day, mi in ((1, 7, 1, 0), (2, 7, 2, 1), (3, 7, 3, 1), (4, 8, 4, 0)):
        lines.append(f"{ecg_id},{patient},1990-01-0{day} 08:00:00,50,0,r,{{}},1,x,x,{1 - mi},{mi},0,0,0,[],[],[]")
    (tmp_path / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    table = search_table(PtbXl(tmp_path))
    assert find_records(table, Query(has_earlier=True)).index.to_list() == [2, 3]
    assert find_records(table, Query(class_changed=True)).index.to_list() == [2]
