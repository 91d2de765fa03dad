"""What a table's time column says: a sampling frequency, and where samples were lost.

Times that are evenly spaced give the rate. Where they jump forward, the samples between were lost: they become gaps,
and the rate is that of the stretches between the jumps. Any other times are irregular, and then the rate is asked for;
a mean over lost samples would close the gap and give a rate that no recorder had.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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
