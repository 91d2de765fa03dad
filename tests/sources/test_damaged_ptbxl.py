"""A PTB-XL folder that is damaged in many ways: whatever is asked of it is answered, or refused in a sentence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgimn.errors import EcgImnError
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl
from ecgimn.sources.ptbxl_arrays import statement_labels
from ecgimn.sources.search import (
    Query,
    counts,
    find_records,
    label_lines,
    neighbour,
    random_record,
    search_table,
    sorted_records,
)
from tests.sources.test_ptbxl import HEADER, ROWS, STATEMENTS, write_record

TABLE, CODES = "ptbxl_database.csv", "scp_statements.csv"
LR, HR = "records100/00000/00001_lr", "records500/00000/00001_hr"
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three records in the table, with dates and what cardiologists noted; two of them here at both rates."""
    folder = tmp_path_factory.mktemp("whole")
    lines = [f"{HEADER},recording_date,heart_axis,pacemaker,validated_by_human,burst_noise"]
    for number, row in enumerate(ROWS, 1):
        names = f"records100/00000/{number:05d}_lr,records500/00000/{number:05d}_hr"
        lines.append(f"{row}{names},198{number}-01-02 03:04:05,LAD,,True,V1")
    (folder / TABLE).write_text("\n".join(lines) + "\n")
    (folder / CODES).write_text(STATEMENTS)
    for number in (1, 2):
        write_record(folder, f"records100/00000/{number:05d}_lr", 1000, 100, number)
        write_record(folder, f"records500/00000/{number:05d}_hr", 5000, 500, number)
    return folder


def ask_everything(folder: Path) -> int:
    """Ask what pages, batch and command line ask; each answer may be refused in a sentence. Return how many are."""
    refused = 0

    def ask(question: Callable[[], object]) -> object:
        nonlocal refused
        try:
            return question()
        except EcgImnError as exc:
            said = str(exc)
            assert said.endswith("."), said
            assert 30 < len(said) < 500, said
            assert not any(word in said for word in ("Traceback", "Error(", "nan", str(folder))), said
            refused += 1
            return None

    ptbxl = ask(lambda: PtbXl(folder))
    if not isinstance(ptbxl, PtbXl):
        return refused
    ids = [int(one) for one in ptbxl.table.index]
    for question in (
        lambda: ptbxl.folds,
        lambda: ptbxl.ids([9, 10]),
        lambda: ptbxl.ids(fs=100),
        lambda: ptbxl.labels(ids),
        lambda: statement_labels(ptbxl, np.array(ids)),
        lambda: ptbxl.pairs(range(1, 10)),
        lambda: ptbxl.signals(ids[:1], 100),
        lambda: random_record(ptbxl, ids, np.random.default_rng(0)),
    ):
        ask(question)
    for one in ids:
        for question in (
            lambda one=one: ptbxl.rates(one),
            lambda one=one: ptbxl.recording(one, 100).window(0.0),
            lambda one=one: ptbxl.recording(one, 500).window(0.0),
            lambda one=one: ptbxl.seen_in_training(one),
            lambda one=one: ptbxl.earlier(one),
            lambda one=one: ptbxl.date(one),
            lambda one=one: ptbxl.days_between(ids[0], one),
            lambda one=one: label_lines(ptbxl, one),
            lambda one=one: neighbour(ptbxl, ids, one, 1),
        ):
            ask(question)
    table = ask(lambda: search_table(ptbxl))
    if table is not None:
        found = ask(lambda: find_records(table, Query()))
        ask(lambda: counts(found))
        ask(lambda: sorted_records(found, "age"))
    return refused


def rewrite(name: str, *pairs: tuple[str, str]) -> Damage:
    """Replace text in a file."""

    def damage(folder: Path) -> None:
        text = (folder / name).read_text()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        (folder / name).write_text(text)

    return damage


def put(name: str, content: bytes | str) -> Damage:
    """Write another file in a file's place."""

    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def all_of(*damages: Damage) -> Damage:
    def damage(folder: Path) -> None:
        for one in damages:
            one(folder)

    return damage


def recoded(name: str, encoding: str) -> Damage:
    return lambda folder: put(name, (folder / name).read_text().encode(encoding))(folder)


def without_records(*names: str) -> Damage:
    return all_of(*(lambda folder, name=name: shutil.rmtree(folder / name) for name in names))


def cut(name: str, share: float) -> Damage:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(share * len(data))])

    return damage


def gone(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def as_folder(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def link(name: str, target: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        os.symlink(target, folder / name)

    return damage


def column(name: str, value: str) -> Damage:
    """Write one value into a column of every row."""

    def damage(folder: Path) -> None:
        table = pd.read_csv(folder / TABLE, dtype=str, keep_default_na=False)
        table[name] = value
        table.to_csv(folder / TABLE, index=False)

    return damage


DAMAGES: dict[str, Damage] = {
    # the table as a file
    "no table": gone(TABLE),
    "an empty table": put(TABLE, b""),
    "a table of one byte": put(TABLE, b"\x00"),
    "a table of line ends": put(TABLE, b"\n\n\n\n"),
    "a header alone": put(TABLE, HEADER + "\n"),
    "a folder for a table": as_folder(TABLE),
    "a table that links to itself": link(TABLE, TABLE),
    "half a table": cut(TABLE, 0.5),
    "a table without its last sign": cut(TABLE, 0.99),
    "a table in UTF-16": recoded(TABLE, "utf-16"),
    "a table with bytes of no text": put(TABLE, HEADER.encode() + b"\n1,1,50,0,\xff\xfe,{},3,a,b\n"),
    "a quote that never ends": rewrite(TABLE, ("sinusrhythmus", '"sinus')),
    "more cells than columns": rewrite(TABLE, ("sinusrhythmus", "a,b,c,d,e,f,g")),
    "fewer cells than columns": rewrite(TABLE, ("3,13.0,,0,", "3\n4,13.0,,0,")),
    "semicolons": rewrite(TABLE, (",", ";")),
    "two columns of one name": rewrite(TABLE, ("report", "age")),
    "a page of a web server": put(TABLE, "<!DOCTYPE html><html><body>404, not found</body></html>"),
    "a pointer of Git LFS": put(TABLE, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "a table that is compressed": put(TABLE, b"\x1f\x8b\x08\x00" + bytes(50)),
    # its cells
    "numbers that are words": column("ecg_id", "x"),
    "numbers that are the same": column("ecg_id", "7"),
    "numbers that are broken": column("ecg_id", "1.5"),
    "numbers beyond 64 bits": rewrite(TABLE, ("\n3,", "\n99999999999999999999999,")),
    "numbers below zero": rewrite(TABLE, ("\n3,", "\n-3,")),
    "ages that are words": column("age", "old"),
    "ages beyond all": column("age", "1e300"),
    "ages without end": column("age", "inf"),
    "ages below zero": column("age", "-5"),
    "sexes that are words": column("sex", "f"),
    "folds that are words": column("strat_fold", "nine"),
    "folds that are missing": column("strat_fold", ""),
    "folds that are broken": column("strat_fold", "9.5"),
    "folds without end": column("strat_fold", "inf"),
    "codes that are missing": column("scp_codes", ""),
    "codes that are a list": column("scp_codes", "['NORM']"),
    "codes that are a number": column("scp_codes", "5"),
    "codes without end": column("scp_codes", "{'NORM': " + "[" * 3000),
    "codes that call": column("scp_codes", "__import__('os').getcwd()"),
    "likelihoods that are words": column("scp_codes", "{'NORM': 'much'}"),
    "codes nobody knows": column("scp_codes", "{'XYZ': 100.0, '': 0.0}"),
    "names that are missing": column("filename_lr", ""),
    "names that are numbers": column("filename_lr", "5"),
    "names of folders": column("filename_lr", "records100/00000"),
    "names with a zero byte": column("filename_lr", "a\x00b"),
    "names that are too long": column("filename_lr", "a" * 5000),
    "names that climb": column("filename_hr", "../../../../etc/passwd"),
    "names from the root": column("filename_hr", "/etc/passwd"),
    "names of nothing": column("filename_hr", "."),
    "dates that are words": column("recording_date", "yesterday"),
    "dates of another age": column("recording_date", "9999999-01-01"),
    "dates that are missing": column("recording_date", ""),
    "dates with and without a zone": rewrite(TABLE, ("1982-01-02 03:04:05", "1982-01-02T03:04:05+02:00")),
    "patients that are words": column("patient_id", "A-1"),
    "patients of two kinds": rewrite(TABLE, (",12.0,", ",B,")),
    "axes that are numbers": column("heart_axis", "5"),
    "a judge who is a word": column("validated_by_human", "perhaps"),
    "labels that are words": column("NORM", "yes"),
    "labels that are missing": all_of(*(column(name, "") for name in SUPERCLASSES)),
    "labels beyond a byte": all_of(*(column(name, "700") for name in SUPERCLASSES)),
    "sub-classes that are words": column("diagnostic_subclass", "AMI"),
    "sub-classes that are missing": column("diagnostic_subclass", ""),
    # the statements
    "no statements": gone(CODES),
    "empty statements": put(CODES, b""),
    "a folder for statements": as_folder(CODES),
    "half of the statements": cut(CODES, 0.5),
    "statements without columns": put(CODES, "a,b\n1,2\n"),
    "statements without a name": rewrite(CODES, ("\nNORM,", "\n,")),
    "a statement twice": rewrite(CODES, ("\nIMI,", "\nNORM,")),
    "kinds that are words": rewrite(CODES, ("1.0", "yes")),
    "classes that are numbers": rewrite(CODES, (",MI,IMI", ",5,6")),
    # the records
    "no records": without_records("records100", "records500"),
    "a file for the folder of records": all_of(without_records("records100"), put("records100", b"x")),
    "no header": gone(f"{LR}.hea"),
    "no samples": gone(f"{LR}.dat"),
    "an empty header": put(f"{LR}.hea", b""),
    "empty samples": put(f"{LR}.dat", b""),
    "half of the samples": cut(f"{LR}.dat", 0.5),
    "samples to the last byte but one": cut(f"{HR}.dat", 0.99995),
    "half of the header": cut(f"{LR}.hea", 0.5),
    "a folder for a header": as_folder(f"{LR}.hea"),
    "a folder for samples": as_folder(f"{LR}.dat"),
    "a link that leads outside": link(f"{LR}.dat", "/etc/passwd"),
    "a link that leads nowhere": link(f"{LR}.hea", "nothing"),
    "a header of another record": rewrite(f"{LR}.hea", ("00001_lr.dat", "00002_lr.dat")),
    "a header that names a file outside": rewrite(f"{LR}.hea", ("00001_lr.dat", "../../../outside.dat")),
    "a header that names a folder": rewrite(f"{LR}.hea", ("00001_lr.dat", ".")),
    "a header of bytes": put(f"{LR}.hea", bytes(range(256))),
    "a header without end": put(f"{LR}.hea", b"a 12 100 1000\n" * 500_000),
    "a rate of nothing": rewrite(f"{LR}.hea", ("00001_lr 12 100 1000", "00001_lr 12 0 1000")),
    "samples beyond number": rewrite(f"{LR}.hea", ("00001_lr 12 100 1000", "00001_lr 12 100 99999999999999")),
    "leads of other names": rewrite(f"{LR}.hea", (" AVR", " X1"), (" V6", " V5")),
    "a gain of nothing": rewrite(f"{LR}.hea", ("1000.0(0)/mV", "0(0)/mV")),
    "a gain of no number": rewrite(f"{LR}.hea", ("1000.0(0)/mV", "nan(0)/mV")),
    "another unit": rewrite(f"{LR}.hea", ("/mV", "/psi")),
    "a record in several parts": rewrite(f"{LR}.hea", ("00001_lr 12 100 1000", "00001_lr/2 12 100 1000")),
}


def test_only_the_record_that_is_not_here_is_refused_where_nothing_is_damaged(whole):
    assert ask_everything(whole) == 2  # record 3, at either rate
    assert len(DAMAGES) >= 90


@pytest.mark.parametrize("name", DAMAGES)
def test_whatever_is_asked_of_a_damaged_folder_is_answered_or_refused_in_a_sentence(whole, tmp_path, name):
    folder = tmp_path / "ptbxl"
    shutil.copytree(whole, folder)
    DAMAGES[name](folder)
    ask_everything(folder)
