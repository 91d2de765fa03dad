"""Finds PTB-XL records by class, code, report, age, sex, fold, axis, pacemaker and quality, and keeps a list of them.

A case list is a small CSV for a teaching round or an audit that another site can read back. It holds numbers and folds
and no label, so that readers who get the file stay blind to the answers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgimn.about import INTENDED_USE
from ecgimn.errors import SourceError
from ecgimn.recording import Sex
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl

MAX_BYTES = 1_000_000  # all 21,799 records take 0.4 MB
_COLUMNS = ("ecg_id", "fold", "seen_in_training")


def write_case_list(ids: Sequence[int], table: SearchTable) -> bytes:
    """Return a case list as CSV: record, fold, and whether the models were trained on it."""
    text = io.StringIO()
    text.write(f"# {INTENDED_USE}\n# PTB-XL 1.0.3, doi:10.13026/kfzx-aw45, CC BY 4.0\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    chosen = table.shown.loc[list(ids)]
    for ecg_id, fold, seen in zip(chosen.index, chosen["fold"], chosen[SEEN], strict=True):
        rows.writerow((int(ecg_id), int(fold), "yes" if seen else "no"))
    return text.getvalue().encode("ascii")


def read_case_list(data: bytes, known: Collection[int]) -> tuple[int, ...]:
    """Return the records of a case list, in its order and each once.

    Parameters
    ----------
    data : bytes
        CSV or plain lines; the first cell of each line is a record's number. Comments (#) and one header line are
        passed over.
    known : collection of int
        Numbers of the records in the table.

    Raises
    ------
    SourceError
        The list is too large, is no text, holds no number or one that is not in the table.
    """
    if len(data) > MAX_BYTES:
        raise SourceError(
            f"The case list has {len(data):,} bytes. At most {MAX_BYTES:,} are read. Choose a list of record numbers."
        )
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise SourceError("The case list is no text. One record number per line is needed. Choose a CSV file.") from exc
    cells = [line.replace(";", ",").split(",")[0].strip(" \t\"'") for line in lines]
    cells = [cell for cell in cells if cell and not cell.startswith("#")]
    if cells and not cells[0].isdecimal():
        del cells[0]  # names of the columns
    wrong = [place for place, cell in enumerate(cells) if not (cell.isdecimal() and len(cell) <= 6)]
    if not cells or wrong:
        found = "no record number" if not cells else f"{len(wrong):,} lines that do not begin with a record number"
        raise SourceError(f"The case list holds {found}. One number per line is needed. Correct the list.")
    ids = tuple(dict.fromkeys(int(cell) for cell in cells))
    unknown = [ecg_id for ecg_id in ids if ecg_id not in known]
    if unknown:
        raise SourceError(
            f"{len(unknown):,} of {len(ids):,} records of the case list are not in this table, the first is "
            f"{unknown[0]}. Numbers of this PTB-XL table are needed. Correct the list, or use the complete table."
        )
    return ids


OLDEST = 90  # stands for 90 and more
SEEN = "seen in training"
#: Columns by which records can be sorted, and what that is called.
SORTS = {"ecg_id": "record", "age": "age", "fold": "fold", "classes": "classes", "axis": "heart axis"}
AGE_STEP = 10  # years, of the counts by age
#: Columns of the published table that hold a note on signal quality, and what they are called here.
QUALITY_NOTES = {
    "baseline_drift": "baseline drift",
    "static_noise": "static noise",
    "burst_noise": "burst noise",
    "electrodes_problems": "electrode problems",
}


@dataclass(frozen=True)
class Query:
    """What to look for; an empty field asks nothing.

    Attributes
    ----------
    superclasses, subclasses, codes : tuple of str
        A record must have at least one of each field that is not empty.
    words : str
        Must occur in the report, case ignored.
    ages : tuple of (int, int)
        Youngest and oldest, years; 90 includes all above. Records without age only pass the full range.
    sexes : tuple of {"male", "female"}
    folds : tuple of int
    validated : bool
        Only records that a human validated.
    without_notes : bool
        Only records without a note on signal quality.
    notes : tuple of str
        A record must have at least one of these notes on quality, named as in `QUALITY_NOTES`.
    axes : tuple of str
        Heart axis, in PTB-XL's own codes ("MID", "LAD" and the like).
    pacemaker : bool or None
        Only records with (True) or without (False) a note of a pacemaker.
    has_earlier : bool
        Only records of patients of whom there is an earlier ECG.
    class_changed : bool
        Only records whose superclasses are not those of the patient's ECG before.
    """

    superclasses: tuple[str, ...] = ()
    subclasses: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    words: str = ""
    ages: tuple[int, int] = (0, OLDEST)
    sexes: tuple[Sex, ...] = ()
    folds: tuple[int, ...] = ()
    validated: bool = False
    without_notes: bool = False
    notes: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    pacemaker: bool | None = None
    has_earlier: bool = False
    class_changed: bool = False


@dataclass(frozen=True, eq=False)
class SearchTable:
    """The table of PTB-XL, made ready for searching.

    Attributes
    ----------
    shown : DataFrame
        What is shown, indexed by ecg_id, ages 90 and more as 90.
    keys : DataFrame
        Lower-case report, codes and sub-classes as text between bars, and whether the patient has an earlier ECG and
        other superclasses since.
    codes, subclasses, axes : tuple of str
        All that occur, the most frequent first.
    """

    shown: pd.DataFrame
    keys: pd.DataFrame
    codes: tuple[str, ...]
    subclasses: tuple[str, ...]
    axes: tuple[str, ...] = ()


def search_table(ptbxl: PtbXl) -> SearchTable:
    """Make the table of a PTB-XL folder ready for searching; about half a second, once."""
    table = ptbxl.table
    labels = table[list(SUPERCLASSES)].to_numpy(dtype=bool)
    names = np.array(SUPERCLASSES)
    codes, subclasses = table["scp_codes"].map(list), table["diagnostic_subclass"].map(list)
    notes = [column for column in QUALITY_NOTES if column in table.columns]
    noted = table[notes].notna() if notes else pd.DataFrame(index=table.index)
    report = _text_column(table, "report")
    validated = table["validated_by_human"] == True if "validated_by_human" in table.columns else False  # noqa: E712
    axis = _text_column(table, "heart_axis")
    shown = pd.DataFrame(
        {
            "age": table["age"].astype(float).clip(upper=OLDEST),
            "sex": table["sex"].map({0: "male", 1: "female"}),
            "classes": [" ".join(names[row]) for row in labels],
            "statements": codes.map(" ".join),
            "report": report,
            "fold": table["strat_fold"].astype(int),
            SEEN: table["seen_in_training"].astype(bool),
            "axis": axis,
            "pacemaker": _text_column(table, "pacemaker") != "",
            "validated": validated,
            "quality notes": [
                ", ".join(QUALITY_NOTES[c] for c in noted.columns[row]) for row in noted.to_numpy(dtype=bool)
            ]
            if notes
            else "",
        },
        index=table.index,
    )
    keys = pd.DataFrame(
        {
            "report": report.str.lower(),
            "codes": codes.map(_barred),
            "subclasses": subclasses.map(_barred),
            "has_earlier": False,
            "class_changed": False,
        },
        index=table.index,
    )
    pairs = ptbxl.pairs()
    earlier, later = ([pair[k] for pair in pairs] for k in (0, 1))
    keys.loc[later, "has_earlier"] = True
    keys.loc[later, "class_changed"] = (ptbxl.labels(earlier) != ptbxl.labels(later)).any(axis=1)
    axes = tuple(str(name) for name in axis[axis != ""].value_counts().index)
    return SearchTable(shown, keys, _by_frequency(codes), _by_frequency(subclasses), axes)


def find_records(table: SearchTable, query: Query) -> pd.DataFrame:
    """Return the rows of `table.shown` that a query finds, in order of ecg_id."""
    shown, keys = table.shown, table.keys
    found = np.ones(len(shown), dtype=bool)
    if query.superclasses:
        found &= _has_any(" " + shown["classes"] + " ", [f" {name} " for name in query.superclasses])
    if query.subclasses:
        found &= _has_any(keys["subclasses"], [f"|{name}|" for name in query.subclasses])
    if query.codes:
        found &= _has_any(keys["codes"], [f"|{name}|" for name in query.codes])
    for word in query.words.lower().split():
        found &= keys["report"].str.contains(word, regex=False).to_numpy(dtype=bool)
    if query.ages != (0, OLDEST):
        found &= shown["age"].between(*query.ages).to_numpy(dtype=bool)
    if query.sexes:
        found &= shown["sex"].isin(query.sexes).to_numpy(dtype=bool)
    if query.folds:
        found &= shown["fold"].isin(query.folds).to_numpy(dtype=bool)
    if query.validated:
        found &= shown["validated"].to_numpy(dtype=bool)
    if query.without_notes:
        found &= (shown["quality notes"] == "").to_numpy(dtype=bool)
    if query.notes:
        found &= _has_any(shown["quality notes"], query.notes)
    if query.axes:
        found &= shown["axis"].isin(query.axes).to_numpy(dtype=bool)
    if query.has_earlier:
        found &= keys["has_earlier"].to_numpy(dtype=bool)
    if query.class_changed:
        found &= keys["class_changed"].to_numpy(dtype=bool)
    if query.pacemaker is not None:
        found &= shown["pacemaker"].to_numpy(dtype=bool) == query.pacemaker
    return shown[found]


def counts(found: pd.DataFrame) -> dict[str, int]:
    """Return how many of the records found belong to each superclass; classes overlap."""
    padded = " " + found["classes"] + " "
    return {name: int(padded.str.contains(f" {name} ", regex=False).sum()) for name in SUPERCLASSES}


def counts_by_age(found: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Return how many women and men were found per `AGE_STEP` years of age, from 0 on; the last holds 90 and more."""
    edges = np.arange(0, OLDEST + 2 * AGE_STEP, AGE_STEP)
    return {sex: np.histogram(found.loc[found["sex"] == sex, "age"].dropna(), edges)[0] for sex in ("female", "male")}


def sorted_records(found: pd.DataFrame, by: str = "ecg_id", *, descending: bool = False) -> pd.DataFrame:
    """Return the records found in the order of a column of `SORTS`; what is missing comes last."""
    if by == "ecg_id":
        return found if not descending else found[::-1]
    return found.sort_values(by, ascending=not descending, kind="stable", na_position="last")


def page_of(found: pd.DataFrame, number: int, rows: int) -> pd.DataFrame:
    """Return one page of the records found, the first being 1; `SEEN` as a list that is empty or holds these words."""
    page = found.iloc[(number - 1) * rows : number * rows].copy()
    page[SEEN] = pd.Series([[SEEN] if seen else [] for seen in page[SEEN]], index=page.index, dtype=object)
    return page


def label_lines(ptbxl: PtbXl, ecg_id: int) -> tuple[str, ...]:
    """Return what the data set says about a record: classes, statements, report, quality notes."""
    row = ptbxl.table.loc[ecg_id]
    classes = [name for name in SUPERCLASSES if row[name]]
    statements = [f"{code} {likelihood:.0f} %" if likelihood else code for code, likelihood in row["scp_codes"].items()]
    lines = [
        f"Classes: {', '.join(classes) or 'none'}",
        f"Statements with likelihood: {', '.join(statements) or 'none'} (0 or missing likelihoods are not printed)",
    ]
    if isinstance(row.get("report"), str):
        lines.append(f"Report: {row['report']}")
    notes = [words for column, words in QUALITY_NOTES.items() if isinstance(row.get(column), str)]
    lines.append(f"Quality notes: {', '.join(notes) or 'none'}")
    return tuple(lines)


def neighbour(ptbxl: PtbXl, ids: Sequence[int], current: int, step: int) -> int | None:
    """Return the next (step 1) or previous (step -1) record of a list whose files are here, or None at its end.

    Parameters
    ----------
    ptbxl : PtbXl
    ids : sequence of int
        In any order; empty for all records.
    current : int
        Where it is not in the list, its place is the one it would have in order.
    step : {1, -1}
    """
    listed = np.asarray(ids, dtype=np.int64) if len(ids) else ptbxl.table.index.to_numpy(dtype=np.int64)
    here = np.flatnonzero(listed == current)
    if len(here):
        ahead = listed[here[0] + 1 :] if step > 0 else listed[: here[0]][::-1]
    else:
        ahead = listed[listed > current] if step > 0 else listed[listed < current][::-1]
    return next((int(ecg_id) for ecg_id in ahead if ptbxl.rates(int(ecg_id))), None)


def random_record(ptbxl: PtbXl, ids: Sequence[int], rng: np.random.Generator) -> int | None:
    """Return a random record of a list whose files are here, or None when there is none."""
    return next((int(ecg_id) for ecg_id in rng.permutation(np.asarray(ids)) if ptbxl.rates(int(ecg_id))), None)


def _text_column(table: pd.DataFrame, name: str) -> pd.Series[str]:
    """Return a column as text, empty where nothing is written or the column is not there."""
    return table[name].fillna("").astype(str) if name in table.columns else pd.Series("", index=table.index)


def _barred(names: Sequence[str]) -> str:
    return f"|{'|'.join(names)}|"


def _by_frequency(lists: pd.Series[object]) -> tuple[str, ...]:
    return tuple(str(name) for name in lists.explode().dropna().value_counts().index)


def _has_any(text: pd.Series[str], wanted: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    found = np.zeros(len(text), dtype=bool)
    for name in wanted:
        found |= text.str.contains(name, regex=False).to_numpy(dtype=bool)
    return found
