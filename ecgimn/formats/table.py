"""Tables of samples: what a reader may add to them, and what their time column says.

Evenly spaced times give the sampling frequency. Where they jump forward, the samples between were lost: they become
gaps, and the rate is that of the stretches between the jumps. Any other times are irregular, and then the rate is asked
for; a mean over lost samples would close the gap and give a rate that no recorder had.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import LeadError, RecordingFormatError, SignalError
from ecgimn.formats.limits import MAX_SAMPLES, MAX_SIGNALS
from ecgimn.formats.traces import Traces, check_signal_count, counted
from ecgimn.leads import INDEPENDENT_LEADS, canonical_lead_name
from ecgimn.recording import MAX_FS, MILLIVOLT_PER_UNIT, MIN_FS, Sex, millivolt_factor

MAX_LOST_SHARE = 0.25  # of all samples; with more missing, the times are no longer those of one recording
_JUMP = 1.5  # typical steps; a longer one means lost samples
_COARSE_SHARE = 0.02  # of steps twice as long as the others, from which on they come from rounding
_OFF_LINE = 1.0  # steps by which a time may lie off the straight line: rounded times alternate

_CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)(\d{1,2}(?:[.,]\d{1,9})?)", re.ASCII)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[- ](?:[A-Za-z]{3})[- ]\d{2,4}", re.ASCII)
_DAY_S = 86_400.0


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """What times say.

    Attributes
    ----------
    step : float or None
        From one sample to the next, in the unit of the times; None where the times are irregular.
    place : ndarray of int or None
        Place of each row on the even axis, where rows are missing.
    """

    step: float | None
    place: NDArray[np.int64] | None = None

    @property
    def n_lost(self) -> int:
        """Number of samples that are missing between the rows."""
        return 0 if self.place is None else int(self.place[-1]) + 1 - len(self.place)


def read_times(times: NDArray[np.float64]) -> TimeAxis:
    """Find step and gaps of a column of times.

    Parameters
    ----------
    times : ndarray of shape (n_samples,)
        In any unit.
    """
    steps = np.diff(times)
    if len(steps) < 2 or not np.isfinite(times).all() or steps.min() <= 0:
        return TimeAxis(None)
    typical = float(np.median(steps))
    # Times rounded to nearly a whole step alternate between one and two steps; nothing is lost there.
    coarse = float(np.mean((steps > _JUMP * typical) & (steps <= (1 + _JUMP) * typical))) > _COARSE_SHARE
    jumps = np.flatnonzero(steps > (_JUMP + coarse) * typical)
    even = np.delete(steps, jumps)
    step = _snapped(float(even.mean()), float(np.ptp(even)) * (len(jumps) + 1) / len(even))
    edges = [0, *(jumps + 1), len(times)]
    if any(_off_line(times[a:b], step) > _OFF_LINE for a, b in pairwise(edges)):
        return TimeAxis(None)
    if not len(jumps):
        return TimeAxis(step)
    moves = np.ones(len(steps), dtype=np.int64)
    moves[jumps] = np.maximum(np.round(steps[jumps] / step), 1).astype(np.int64)
    place = np.concatenate([[0], np.cumsum(moves)])
    axis = TimeAxis(step, place)
    return axis if axis.n_lost <= MAX_LOST_SHARE * (place[-1] + 1) else TimeAxis(None)


def with_gaps(values: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a table (n_rows, n_columns) with rows of NaN where `place` skips samples."""
    filled = np.full((int(place[-1]) + 1, values.shape[1]), np.nan)
    filled[place] = values
    return filled


def is_clock(cell: str) -> bool:
    """Whether a cell is a time of day or an elapsed time with colons, with or without a date beside it."""
    return any(_CLOCK.fullmatch(part) for part in _parts(cell)) and all(
        _CLOCK.fullmatch(part) or _DATE.fullmatch(part) or _is_zone(part) for part in _parts(cell)
    )


def is_date(cell: str) -> bool:
    """Whether a cell is a date without a time."""
    return len(cell) <= 24 and _DATE.fullmatch(cell.strip("[]() ")) is not None


def seconds(cells: list[str]) -> NDArray[np.float64]:
    """Return clock times in seconds from the first one; NaN for what is none. A clock that passes midnight goes on."""
    values = np.array([_seconds(cell) for cell in cells])
    turns = np.concatenate([[0.0], np.diff(values)]) < -_DAY_S / 2
    return np.asarray(values + _DAY_S * np.cumsum(turns))


def _parts(cell: str) -> list[str]:
    """Return date and time of a cell: "[10:00:00.000 01/01/2000]", "2000-01-01T10:00:00.000Z"."""
    text = cell.strip("[]()'\" ")
    if len(text) > 40:
        return []
    if "T" in text and ":" in text and text[:1].isdigit():
        text = text.replace("T", " ", 1)
    return text.removesuffix("Z").split()


def _is_zone(part: str) -> bool:
    return part in ("AM", "PM", "UTC", "GMT") or (part[:1] in "+-" and part[1:].replace(":", "").isdigit())


def _seconds(cell: str) -> float:
    for part in _parts(cell):
        match = _CLOCK.fullmatch(part)
        if match:
            hours, minutes, rest = int(match[1] or 0), int(match[2]), float(match[3].replace(",", "."))
            return 3600.0 * hours + 60.0 * minutes + rest
    return float("nan")


def _off_line(times: NDArray[np.float64], step: float) -> float:
    """Return by how many steps a time lies off the best parallel line at most."""
    away = times - step * np.arange(len(times))
    return float((away.max() - away.min()) / 2 / step)


def _snapped(step: float, doubt: float) -> float:
    """Return a step of which the inverse, or a thousandth of it, is whole where rounding leaves that open."""
    for scale in (1.0, 1e3, 1e6):
        rate = scale / step
        if rate >= 1 and abs(scale / max(round(rate), 1) - step) <= max(doubt, 1e-9 * step):
            return float(scale / round(rate))
    return step


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
_FACT_NAMES: dict[Fact, str] = {
    "variable": "The array to read",
    "orientation": "The orientation of the table",
    "leads": "The leads' names",
    "fs": "The sampling frequency",
    "unit": "The unit",
}
TIME_NAMES = (
    "time",
    "t",
    "elapsed time",
    "elapsed",
    "seconds",
    "timestamp",
    "time stamp",
    "datetime",
    "date time",
    "clock",
)
INDEX_NAMES = ("", "index", "sample", "samples", "n", "#", "sample #", "sample no", "no", "nr", "unnamed: 0")
SECONDS = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3,
    "us": 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "min": 60.0, "minutes": 60.0,
}  # fmt: skip
_NAME_WITH_UNIT = re.compile(r"([^\[\](){}]{0,60})[\[({]([^\[\](){}]{1,14})[\])}]\s{0,3}")
_NAME_AND_SUFFIX = re.compile(r"(.{1,60})[_/ ](mv|uv|\u00b5v|\u03bcv|nv|ms|us|s)", re.IGNORECASE)
_SAME_RATE = 0.01  # relative difference between a rate given and the rate of the times
_PREVIEW_ROWS, _PREVIEW_COLUMNS = 5, MAX_SIGNALS
_SKETCH_SAMPLES, _SKETCH_POINTS = 2000, 250
_SIGNALS_AT_MOST, _SAMPLES_AT_LEAST = MAX_SIGNALS, 100  # an axis below or above these cannot be the other one


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
        The array to read from an NPZ or MAT file: its name, or its place among those that may be the ECG, from "1".

    Raises
    ------
    SignalError
        `fs` is no rate of an ECG, or `unit` is no unit of voltage.
    """

    fs: float | None = None
    unit: str | None = None
    leads: tuple[str, ...] | None = None
    orientation: Orientation | None = None
    variable: str | None = None

    def __post_init__(self) -> None:
        if self.fs is not None and not MIN_FS <= self.fs <= MAX_FS:  # also for NaN
            raise SignalError(
                f"The sampling frequency given is {self.fs:g} Hz. {MIN_FS:g} to {MAX_FS:g} Hz is needed. Correct it."
            )
        if self.unit is not None:
            millivolt_factor(self.unit)

    def refuse_all_but(self, used: Sequence[str], what: str) -> None:
        """Refuse a fact that has no meaning for a file, so that none is dropped without a word.

        Raises
        ------
        UnusedFactError
            A fact is given that is not among those in `used`.
        """
        for fact in _FACT_NAMES:
            if getattr(self, fact) is not None and fact not in used:
                raise UnusedFactError(fact, what)

    def note(self) -> tuple[str, ...]:
        """Say which facts about leads, rate, unit and orientation are the reader's."""
        given = [fact for fact in ("leads", "fs", "unit", "orientation") if getattr(self, fact) is not None]
        return (f"Given by the reader, not by the file: {', '.join(given)}.",) if given else ()


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


class UnusedFactError(RecordingFormatError):
    """A fact is given that has no meaning for the file; `fact` names it."""

    def __init__(self, fact: Fact, what: str) -> None:
        self.fact = fact
        self.what = what
        super().__init__(
            f"{_FACT_NAMES[fact]} is given, but {what} leaves no choice of it. Only what the file leaves open can be "
            "given. Leave it out."
        )

    def __reduce__(self) -> tuple[type[UnusedFactError], tuple[Fact, str]]:
        """Rebuild from its arguments, so that copies keep them."""
        return UnusedFactError, (self.fact, self.what)


class MissingFactsError(RecordingFormatError):
    """The file can be read once the facts in `needed` are given as `ReadingHints`.

    Attributes
    ----------
    needed : tuple of Fact
    preview : Preview
        For the reader's own screen only: it holds names from the file. They are not in the message.
    why : str
        A sentence about what the file says and why that is not enough, or "".
    """

    def __init__(self, needed: tuple[Fact, ...], preview: Preview, why: str = "") -> None:
        self.needed = needed
        self.preview = preview
        self.why = why
        questions = ", ".join(QUESTIONS[fact] for fact in needed)
        super().__init__(
            f"{why}{' ' if why else ''}The file holds numbers but does not say {questions}. Enter it to open the ECG."
        )

    def __reduce__(self) -> tuple[type[MissingFactsError], tuple[tuple[Fact, ...], Preview, str]]:
        """Rebuild from its arguments, so that copies keep them."""
        return MissingFactsError, (self.needed, self.preview, self.why)


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
    return _plain(name) in INDEX_NAMES or _is_time(name)


def _plain(name: str) -> str:
    return " ".join(name.strip().lower().replace("_", " ").split())


def _is_time(name: str) -> bool:
    plain = _plain(name)
    head, _, unit = plain.rpartition(" ")
    return plain in TIME_NAMES or (head in TIME_NAMES and unit in SECONDS)


def split_name(text: str) -> tuple[str, str]:
    """Return name and unit of a column: "Lead I (uV)" gives "Lead I" and "uV", "v1_mV" gives "v1" and "mV"."""
    text = text.strip()
    match = _NAME_WITH_UNIT.fullmatch(text)
    if match and (
        match[2].strip().lower() in SECONDS or match[2].strip().lower() in MILLIVOLT_PER_UNIT or _is_time(match[1])
    ):
        return match[1].strip(), match[2].strip()
    match = _NAME_AND_SUFFIX.fullmatch(text)
    if match and (
        canonical_lead_name(match[1]) if match[2].lower() in MILLIVOLT_PER_UNIT else _plain(match[1]) in TIME_NAMES
    ):
        return match[1].strip(), match[2]
    return text, ""


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
    if orientation is not None and n_signals < len(INDEPENDENT_LEADS):
        raise LeadError(
            f"The table holds {counted(n_signals, 'signal')}. I, II and V1 to V6 at least are needed. "
            "Export all 12 leads and try again."
        )
    if orientation is not None:
        check_signal_count(n_signals, "The table")
    own = table.names if len(table.names) == n_signals else ()
    by_time, time_fs, time_note, why = _by_times(by_time, own, table.units)
    names = hints.leads if hints.leads is not None else own
    if hints.leads is None and leads_are_open(names):
        names = ()
    units = (hints.unit,) * n_signals if hints.unit is not None else table.units
    fs = next((rate for rate in (hints.fs, time_fs, table.fs) if rate is not None), None)
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
        raise MissingFactsError(tuple(needed), preview_of(by_time, own), why if "fs" in needed else "")
    if len(names) != n_signals:
        raise LeadError(
            f"{len(names)} lead names are given for {n_signals} signals. One name per signal is needed, empty for one "
            "to leave out. Name each signal."
        )
    notes = [*table.notes, *time_note, *hints.note()]
    if why:
        notes.append("The times in the table are irregular: samples may be missing or out of place.")
    elif time_fs is not None and abs(time_fs - (fs or 0)) > _SAME_RATE * time_fs:
        notes.append(f"The times in the table mean {time_fs:g} Hz.")
    if not used:
        raise no_standard_lead(n_signals)
    rows = np.array([by_time[:, column] * millivolt_factor(units[column]) for column in used])
    return Traces(rows, tuple(names[column] for column in used), float(fs or 0), table.age, table.sex, tuple(notes))


def _by_times(
    values: NDArray[np.float64], names: tuple[str, ...], units: tuple[str, ...]
) -> tuple[NDArray[np.float64], float | None, tuple[str, ...], str]:
    """Let the columns of times and sample numbers say rate and gaps.

    Returns
    -------
    values : ndarray of shape (n_samples, n_columns)
        With a row of NaN for each sample that was lost.
    fs : float or None
    notes : tuple of str
    why : str
        Why times are there and give no rate, or "".
    """
    why = ""
    for column, name in enumerate(names):
        if not name.strip() or not counts_time(name):
            continue
        axis = read_times(values[:, column])
        if axis.step is None:
            if _is_time(name):
                why = "The times in the table are not evenly spaced: samples are missing or the clock was irregular."
            continue
        if axis.place is not None and axis.place[-1] >= MAX_SAMPLES:
            continue
        unit = SECONDS.get((units[column] if units else "").strip().lower()) or SECONDS.get(
            _plain(name).rpartition(" ")[2]
        )
        notes: tuple[str, ...] = ()
        if axis.place is not None:
            values = with_gaps(values, axis.place)
            notes = (f"{counted(axis.n_lost, 'sample')} missing by the file's own times: gaps in all leads.",)
        rate = round(1 / (axis.step * unit), 6) if unit is not None and _is_time(name) else None
        return values, rate, notes, ""
    return values, None, (), why


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
