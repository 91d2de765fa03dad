"""Facts that some files do not state: what is missing is asked for, never guessed.

A table of numbers (CSV, NPY, NPZ, MAT) may say nothing about its leads, unit or sampling frequency, an EDF file may
call its signals "ch1" to "ch12". The reader then raises `MissingFactsError` with the facts it needs and a preview, and
reads again once `ReadingHints` supplies them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import LeadError, RecordingFormatError
from ecgimn.formats.traces import Traces, counted, millivolt_factor
from ecgimn.leads import INDEPENDENT_LEADS, canonical_lead_name
from ecgimn.recording import Sex

Orientation = Literal["leads in columns", "leads in rows"]
Fact = Literal["leads", "fs", "unit", "orientation", "variable"]

#: Each missing fact as the reader is asked for it.
QUESTIONS: dict[Fact, str] = {
    "variable": "which array holds the ECG",
    "orientation": "whether leads are rows or columns",
    "leads": "which lead each column is",
    "fs": "the sampling frequency",
    "unit": "the unit of the samples",
}
TIME_NAMES = ("time", "t", "elapsed time", "seconds")
INDEX_NAMES = ("", "index", "sample", "samples", "n", "#")
_PREVIEW_ROWS, _PREVIEW_COLUMNS = 5, 32
_SKETCH_SAMPLES, _SKETCH_POINTS = 2000, 250
_SIGNALS_AT_MOST, _SAMPLES_AT_LEAST = 32, 100  # an axis below or above these cannot be the other one


@dataclass(frozen=True)
class ReadingHints:
    """What the reader knows about a file; a fact given here outranks what the file says.

    Attributes
    ----------
    fs : float, optional
        Hz.
    unit : str, optional
        V, mV, uV or nV, of every lead.
    leads : tuple of str, optional
        One name per signal in the file's order; an empty name leaves the signal out (an index or time column, say).
    orientation : {"leads in columns", "leads in rows"}, optional
    variable : str, optional
        The array to read from an NPZ or MAT file.
    """

    fs: float | None = None
    unit: str | None = None
    leads: tuple[str, ...] | None = None
    orientation: Orientation | None = None
    variable: str | None = None


@dataclass(frozen=True)
class Preview:
    """The beginning of a table, for the reader to answer from.

    Attributes
    ----------
    n_samples, n_signals : int
        Size, taking the longer axis for time where the file does not say.
    names : tuple of str
        Signal names as the file spells them, "" where it names none.
    first : tuple of tuple of float
        The first samples of each signal, one inner tuple per time.
    lowest, highest : tuple of float
        Range of each signal in the file's own unit.
    variables : tuple of str
        Arrays to choose from, with their shapes: "val (12, 5000)".
    sketch : tuple of tuple of float
        The beginning of each signal in the file's own unit, thinned so that its peaks stay: enough to tell leads apart.
    """

    n_samples: int
    n_signals: int
    names: tuple[str, ...] = ()
    first: tuple[tuple[float, ...], ...] = ()
    lowest: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()
    variables: tuple[str, ...] = ()
    sketch: tuple[tuple[float, ...], ...] = ()

    def typical_span_mv(self, unit: str) -> float:
        """Return what a typical signal spans, in mV, if its numbers are in `unit`; compare `PLAUSIBLE_MV`."""
        spans = [high - low for low, high in zip(self.lowest, self.highest, strict=True) if high > low]
        return float(np.median(spans)) * millivolt_factor(unit) if spans else 0.0


class MissingFactsError(RecordingFormatError):
    """The file can be read once the facts in `needed` are given as `ReadingHints`."""

    def __init__(self, needed: tuple[Fact, ...], preview: Preview) -> None:
        self.needed = needed
        self.preview = preview
        questions = ", ".join(QUESTIONS[fact] for fact in needed)
        super().__init__(
            f"The file holds numbers but does not say {questions}. These facts are needed. Give them and read again."
        )

    def __reduce__(self) -> tuple[type[MissingFactsError], tuple[tuple[Fact, ...], Preview]]:
        """Rebuild from the two arguments, so that copies keep them."""
        return MissingFactsError, (self.needed, self.preview)


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers as a file holds them, with the facts it states.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_signals) or its transpose
        In the file's own unit.
    orientation : Orientation or None
        None where both axes could be time.
    names : tuple of str
        One per signal, or empty.
    units : tuple of str
        One per signal (an empty one is unknown), or empty.
    """

    values: NDArray[np.float64]
    orientation: Orientation | None = None
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    fs: float | None = None
    age: int | None = None
    sex: Sex | None = None
    notes: tuple[str, ...] = ()


def leads_are_open(names: Sequence[str]) -> bool:
    """Whether leads are missing by name while enough signals with other names are there to be them: then ask.

    A time or index column cannot be a lead. Without enough other signals, a missing lead is missing.
    """
    known = {canonical_lead_name(name) for name in names}
    n_missing = sum(lead not in known for lead in INDEPENDENT_LEADS)
    n_other = sum(canonical_lead_name(name) is None and not counts_time(name) for name in names)
    return len(names) >= len(INDEPENDENT_LEADS) and 0 < n_missing <= n_other


def counts_time(name: str) -> bool:
    """Whether a column is called time or index, and so is no signal."""
    plain = name.strip().lower()
    return plain in INDEX_NAMES or plain in TIME_NAMES or plain.rsplit("_", 1)[0] in TIME_NAMES


def evident_orientation(shape: Sequence[int]) -> Orientation | None:
    """Return how a 2-D array lies when one axis is too short for time and the other too long for leads."""
    rows, columns = shape
    if columns <= _SIGNALS_AT_MOST and rows >= _SAMPLES_AT_LEAST:
        return "leads in columns"
    if rows <= _SIGNALS_AT_MOST and columns >= _SAMPLES_AT_LEAST:
        return "leads in rows"
    return None


def traces_from_table(table: Table, hints: ReadingHints) -> Traces:
    """Join what a table states with what the reader says.

    Raises
    ------
    MissingFactsError
        Leads, unit, sampling frequency or orientation are known from neither.
    RecordingFormatError, LeadError, SignalError
        A hint does not fit the table, or a unit is unknown.
    """
    orientation = hints.orientation or table.orientation
    by_time = table.values if _time_is_first(table.values, orientation) else table.values.T
    n_signals = by_time.shape[1]
    names = hints.leads if hints.leads is not None else table.names
    if hints.leads is None and leads_are_open(names):
        names = ()
    if orientation is not None and n_signals < len(INDEPENDENT_LEADS):
        raise LeadError(
            f"The table holds {counted(n_signals, 'signal')}. I, II and V1 to V6 at least are needed. "
            "Export all 12 leads and try again."
        )
    units = (hints.unit,) * n_signals if hints.unit is not None else table.units
    fs = hints.fs if hints.fs is not None else table.fs
    used = [column for column, name in enumerate(names) if canonical_lead_name(name)]
    needed: list[Fact] = []
    if orientation is None:
        needed.append("orientation")
    if not names:
        needed.append("leads")
    if fs is None:
        needed.append("fs")
    if not units or any(not units[column] for column in used if column < len(units)):
        needed.append("unit")
    if needed:
        raise MissingFactsError(tuple(needed), preview_of(by_time, table.names))
    if len(names) != n_signals:
        raise LeadError(
            f"{len(names)} lead names are given for {n_signals} signals. One name per signal is needed, empty for one "
            "to leave out. Name each signal."
        )
    given = {"leads": hints.leads, "fs": hints.fs, "unit": hints.unit, "orientation": hints.orientation}
    by_reader = [name for name, value in given.items() if value is not None]
    notes = table.notes
    if by_reader:
        notes = (*notes, f"Given by the reader, not by the file: {', '.join(by_reader)}.")
    if not used:
        raise no_standard_lead(n_signals)
    rows = np.array([by_time[:, column] * millivolt_factor(units[column]) for column in used])
    return Traces(rows, tuple(names[column] for column in used), float(fs or 0), table.age, table.sex, notes)


def no_standard_lead(n_signals: int) -> LeadError:
    """Return the error for a file in which no signal is named as a standard lead."""
    return LeadError(
        f"None of the {counted(n_signals, 'signal')} carries the name of a standard lead. I, II, V1 to V6 at least are "
        "needed. Name the leads and try again."
    )


def preview_of(by_time: NDArray[np.float64], names: tuple[str, ...] = (), variables: tuple[str, ...] = ()) -> Preview:
    """Return the preview of an array of shape (n_samples, n_signals)."""
    shown = by_time[:, :_PREVIEW_COLUMNS]
    finite = np.where(np.isfinite(shown), shown, np.nan)
    known = [column[~np.isnan(column)] for column in finite.T]
    return Preview(
        by_time.shape[0],
        by_time.shape[1],
        tuple(name[:24] for name in names[:_PREVIEW_COLUMNS]),
        tuple(tuple(float(value) for value in row) for row in shown[:_PREVIEW_ROWS]),
        tuple(float(column.min()) if column.size else float("nan") for column in known),
        tuple(float(column.max()) if column.size else float("nan") for column in known),
        variables,
        tuple(_sketch(column) for column in finite.T),
    )


def _sketch(column: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the first samples of a signal, of each few the one farthest from the middle."""
    start = column[:_SKETCH_SAMPLES]
    start = np.nan_to_num(start, nan=float(np.median(start[~np.isnan(start)])) if not np.isnan(start).all() else 0.0)
    per_point = -(-len(start) // _SKETCH_POINTS) or 1
    padded = np.pad(start, (0, -len(start) % per_point), mode="edge") if len(start) else start
    groups = padded.reshape(-1, per_point)
    farthest = np.abs(groups - np.median(start)).argmax(axis=1) if len(groups) else np.zeros(0, dtype=int)
    return tuple(float(f"{value:.6g}") for value in groups[np.arange(len(groups)), farthest])


def _time_is_first(values: NDArray[np.float64], orientation: Orientation | None) -> bool:
    if orientation is None:
        return bool(values.shape[0] >= values.shape[1])
    return orientation == "leads in columns"
