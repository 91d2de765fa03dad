"""The cases of audits and collections: found by reference, listed in a CSV, or drawn at random with a seed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ecgimn.errors import SourceError, StudyError
from ecgimn.recording import Recording
from ecgimn.sources.composites.case import list_composites, load_composite
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl
from ecgimn.study.definition import AuditCase

COMPOSITE, PTBXL = "composite", "ptbxl"
COLUMNS = ("case", "ref", "ecg_id", "record")


@dataclass(frozen=True, eq=False)
class StudyCase:
    """A case, found: its recording under a name that tells nothing, its labels and its own name."""

    ref: str
    recording: Recording
    labels: tuple[str, ...]
    title: str


def find_case(ref: str, ptbxl: PtbXl | None) -> StudyCase:
    """Return the case of a reference.

    Parameters
    ----------
    ref : str
        "composite:NAME" or "ptbxl:ECG_ID".
    ptbxl : PtbXl or None
        The folder of PTB-XL, where there is one.

    Raises
    ------
    StudyError
        The reference names no case that is here.
    """
    kind, _, name = ref.partition(":")
    if kind == COMPOSITE:
        card = next((card for card in list_composites() if card.name == name), None)
        if card is None:
            raise StudyError(f"There is no composite case {name!r}. One that came with the app is needed. Correct it.")
        return StudyCase(ref, _nameless(load_composite(name)), (card.superclass,), card.title)
    if kind != PTBXL or not name.isdecimal():
        raise StudyError(f"{ref!r} names no case. composite:NAME or ptbxl:ECG_ID is needed. Correct the list.")
    if ptbxl is None:
        raise StudyError(
            f"The case {ref} is a PTB-XL record, and PTB-XL is not set up here. Its folder is needed. "
            "Set ECGIMN_PTBXL, or choose composite cases."
        )
    try:
        rates = ptbxl.rates(int(name))
        recording = ptbxl.recording(int(name), max(rates, default=500))
    except SourceError as exc:
        raise StudyError(str(exc)) from exc
    row = ptbxl.table.loc[int(name)]
    return StudyCase(ref, _nameless(recording), tuple(c for c in SUPERCLASSES if row[c]), f"PTB-XL {name}")


def audit_case(ref: str, ptbxl: PtbXl | None) -> AuditCase:
    """Return a case as an audit lists it: reference, digest, labels."""
    case = find_case(ref, ptbxl)
    return AuditCase(ref, case.recording.digest, case.labels)


def read_audit_case(listed: AuditCase, ptbxl: PtbXl | None) -> StudyCase:
    """Return the case that an audit lists; raises `StudyError` when its samples are others here."""
    case = find_case(listed.ref, ptbxl)
    if case.recording.digest != listed.digest:
        raise StudyError(
            f"The samples of {listed.ref} differ from those that the audit was made with. The same data set at the "
            "same rate is needed. Compare the PTB-XL folders and the versions of the app."
        )
    return case


def refs_from_csv(text: str) -> tuple[str, ...]:
    """Return the references that a CSV lists.

    A column named "case" or "ref" holds references; "ecg_id" or "record", or a lone column, may hold PTB-XL numbers.
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if not rows:
        raise StudyError("The list is empty. One case per line is needed. Choose another file.")
    head = [cell.strip().lower() for cell in rows[0]]
    column = next((head.index(name) for name in COLUMNS if name in head), None)
    if column is None and len(head) > 1:
        raise StudyError(
            f"The list has no column of cases (found: {', '.join(head[:6])}). A column named case, with entries like "
            "composite:norm or ptbxl:21837, or one named ecg_id is needed. Name the column."
        )
    cells = [row[column or 0].strip() for row in (rows if column is None else rows[1:]) if len(row) > (column or 0)]
    return tuple(f"{PTBXL}:{int(cell)}" if cell.isdecimal() else cell for cell in cells if cell)


def draw_cases(labels: Mapping[str, Iterable[str]], per_class: int, seed: int) -> tuple[str, ...]:
    """Draw a random sample that holds each class equally often, as far as there are cases.

    Parameters
    ----------
    labels : mapping of str to iterable of str
        Classes of every case that may be drawn, by reference.
    per_class : int
        Cases drawn for each class; a case with several classes is drawn once.
    seed : int
    """
    rng = np.random.default_rng(seed)
    carried = {ref: set(classes) for ref, classes in labels.items()}
    drawn: list[str] = []
    for name in SUPERCLASSES:
        free = sorted(ref for ref, classes in carried.items() if name in classes and ref not in drawn)
        drawn += [free[int(i)] for i in rng.permutation(len(free))[:per_class]]
    return tuple(drawn)


def drawable(ptbxl: PtbXl | None, *, folds: Iterable[int] = (9, 10)) -> dict[str, tuple[str, ...]]:
    """Return the labels of all cases that may be drawn: PTB-XL records of some folds, or else all composites."""
    if ptbxl is None:
        return {f"{COMPOSITE}:{card.name}": (card.superclass,) for card in list_composites()}
    table = ptbxl.table[ptbxl.table["strat_fold"].isin(list(folds))]
    classes = np.array(SUPERCLASSES)
    flags = table[list(SUPERCLASSES)].to_numpy(dtype=bool)
    return {
        f"{PTBXL}:{int(ecg_id)}": tuple(str(name) for name in classes[row])
        for ecg_id, row in zip(table.index, flags, strict=True)
        if ptbxl.rates(int(ecg_id))
    }


def _nameless(recording: Recording) -> Recording:
    """Return the recording without its name and notes, which may tell what it is."""
    return replace(recording, record_name="case", source="case", notes=())
