"""Painted evidence: the area between a trace and its isoelectric line, in the colour of what it contributes.

A contribution is weight times voltage about the isoelectric level, so the coloured area is the voltage that spoke and
the colour says how loudly; where there is no voltage there is nothing to paint. The colour of a column is the mean
contribution per 40 ms over the column's own time, smoothed within its deflection only: nothing passes a zero of the
voltage or the border of a wave, so every lead, wave and deflection keeps its sum to the last digit. The scale is
steeper about 0 (a power of 0.4) and ends at the largest value of the record: an ST segment of 1 mm is seen, nothing
is cut off, and the sums can be read back off the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.colours import N_STEPS, TRANSPARENT, evidence_index
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.draw.paper import Panel, PaperLayout

UNIT_S = 0.04  # colours are "per 40 ms", one small box at 25 mm/s
PAINT_POWER = 0.4
SPREAD_S = 0.006  # standard deviation of the smoothing, that of a moving mean over 20 ms
PAINT_ROWS_PER_MM, PAINT_COLUMNS_PER_MM = 5, 6  # under the line of the trace no step is seen up to 6 px per mm
LEAST_MM = 0.6  # two pixels at 3.3 px per mm; a contribution that has a colour is at least as tall
SEEN_STEP = 3  # colours nearer to the paper than this are no colour to the eye and stay as flat as the voltage is
HATCH_SHARES = (2.6, 1.2)  # period and gap of the hatch where the evidence is unsure, in least heights


@dataclass(frozen=True, eq=False)
class Paint:
    """What is painted: how high and in which colour, at the rate of the samples.

    Attributes
    ----------
    above_mv : ndarray of shape (12, n_samples)
        Voltage about the isoelectric level in mV; NaN where nothing was recorded.
    level_mv : ndarray of shape (12,)
        The isoelectric level of each lead in mV.
    rate : ndarray of shape (12, n_samples)
        Contribution per 40 ms, smoothed within each deflection.
    fs : float
        Hz.
    """

    above_mv: NDArray[np.float64]
    level_mv: NDArray[np.float64]
    rate: NDArray[np.float64]
    fs: float

    @property
    def largest(self) -> float:
        """The end of a scale that cuts nothing off: the largest |rate|, rounded up to two digits; 1 when all are 0."""
        return rounded_up(float(np.abs(self.rate).max(initial=0.0)))


def make_paint(
    contribution: NDArray[np.floating],
    signal: NDArray[np.floating],
    level_mv: NDArray[np.floating] | None,
    fs: float,
    labels: NDArray[np.integer] | None = None,
) -> Paint:
    """Smooth contributions within their deflections.

    Parameters
    ----------
    contribution : ndarray of shape (12, n_samples)
        Logit per sample.
    signal : ndarray of shape (12, n_samples)
        mV.
    level_mv : ndarray of shape (12,), optional
        Isoelectric level of each lead in mV; the zero of the file when None.
    fs : float
        Hz.
    labels : ndarray of shape (12, n_samples), optional
        The wave of each sample; borders of waves are kept as well as the zeros of the voltage.
    """
    level = np.zeros(len(signal)) if level_mv is None else np.asarray(level_mv, dtype=np.float64)
    above = np.asarray(signal, dtype=np.float64) - level[:, None]
    up = above > 0
    joined = up[:, 1:] == up[:, :-1]
    if labels is not None:
        joined &= labels[:, 1:] == labels[:, :-1]
    rate = smoothed(np.asarray(contribution, dtype=np.float64), joined, fs) * (UNIT_S * fs)
    return Paint(above, level, rate, fs)


def smoothed(values: NDArray[np.float64], joined: NDArray[np.bool_], fs: float) -> NDArray[np.float64]:
    """Smooth along the last axis by diffusion that passes between joined neighbours only; sums of stretches are kept.

    Parameters
    ----------
    values : ndarray of shape (12, n_samples)
    joined : ndarray of shape (12, n_samples - 1), bool
        Whether a sample and the next lie in the same stretch.
    fs : float
        Hz. A pass adds half a squared sample to the variance, up to `SPREAD_S` squared.
    """
    spread = np.array(values)
    share = 0.25 * joined
    for _ in range(math.ceil(2 * (SPREAD_S * fs) ** 2)):
        flow = np.diff(spread, axis=1)
        flow *= share
        spread[:, :-1] += flow
        spread[:, 1:] -= flow
    return spread


def rounded_up(size: float) -> float:
    """Return a size rounded up to two digits, or 1 for nothing."""
    if not size > 0:
        return 1.0
    digit = 10.0 ** (math.floor(math.log10(size)) - 1)
    return float(f"{math.ceil(size / digit - 1e-9) * digit:.2g}")


def painted_indices(
    paint: Paint,
    layout: PaperLayout,
    limit: float,
    *,
    hatched: NDArray[np.bool_] | None = None,
    dots_per_mm: tuple[int, int] = (PAINT_ROWS_PER_MM, PAINT_COLUMNS_PER_MM),
    least_mm: float = LEAST_MM,
) -> NDArray[np.uint8]:
    """Return the painted areas of a page as rows of the evidence scale, top row first, or `TRANSPARENT`.

    It covers the paper from the beginning of the signal (`origin_mm`) to the right border. Where two leads reach into
    one another, each keeps the half of the space between them that is next to its own line.

    Parameters
    ----------
    paint : Paint
    layout : PaperLayout
    limit : float
        End of the colour scale, per 40 ms.
    hatched : ndarray of shape (12, n_samples), bool, optional
        Where the fill is striped: seeds disagree, or a cell was not confirmed.
    dots_per_mm : tuple of int
        Rows and columns of the raster.
    least_mm : float
        Height that every contribution with a colour has at least.
    """
    rows_per_mm, columns_per_mm = dots_per_mm
    height = round(layout.height_mm * rows_per_mm)
    width = math.ceil((layout.width_mm - layout.origin_mm) * columns_per_mm - 1e-6)
    raster = np.full((height, width), TRANSPARENT, dtype=np.uint8)
    fills = [
        _fill(paint, layout, panel, limit, hatched, dots_per_mm, least_mm)
        for panel in layout.panels
        if panel.samples(paint.fs, paint.rate.shape[1]).stop > panel.samples(paint.fs, paint.rate.shape[1]).start
    ]
    for own_half in (False, True):
        for fill in fills:
            fill.lay(raster, round(layout.pitch_mm / 2 * rows_per_mm) if own_half else height)
    return raster


@dataclass(frozen=True, eq=False)
class _Fill:
    """The columns of one panel: colour, and the rows from `top` to `bottom` beside the isoelectric line."""

    left: int
    line: int
    top: NDArray[np.intp]
    bottom: NDArray[np.intp]
    colour: NDArray[np.uint8]
    hatched: NDArray[np.bool_] | None
    stripe: tuple[int, ...]  # period and gap in dots

    def lay(self, raster: NDArray[np.uint8], reach: int) -> None:
        """Paint into a raster as far as `reach` rows from the line."""
        first = max(int(self.top.min()), self.line - reach, 0)
        last = min(int(self.bottom.max()), self.line + reach, raster.shape[0])
        if last <= first:
            return
        rows = np.arange(first, last)[:, None]
        inside = (rows >= self.top) & (rows < self.bottom) & (self.colour != N_STEPS)
        n_columns = min(self.colour.size, raster.shape[1] - self.left)  # a last column may round over the border
        columns = slice(self.left, self.left + n_columns)
        if self.hatched is not None:
            period, gap = self.stripe
            inside &= ~(self.hatched & ((rows + np.arange(self.colour.size)) % period < gap))
        np.copyto(raster[first:last, columns], self.colour[:n_columns], where=inside[:, :n_columns])


def _fill(
    paint: Paint,
    layout: PaperLayout,
    panel: Panel,
    limit: float,
    hatched: NDArray[np.bool_] | None,
    dots_per_mm: tuple[int, int],
    least_mm: float,
) -> _Fill:
    rows_per_mm, columns_per_mm = dots_per_mm
    lead, fs = lead_index(panel.lead), paint.fs
    drawn = panel.samples(fs, paint.rate.shape[1])
    left = round((panel.x0_mm - layout.origin_mm) * columns_per_mm)
    n_columns = max(1, round(layout.panel_width_mm(panel) * columns_per_mm))
    edges_s = panel.start_s + np.linspace(0.0, panel.stop_s - panel.start_s, n_columns + 1)
    rate, above = paint.rate[lead, drawn], paint.above_mv[lead, drawn]
    # A sample stands for the half steps before and after it, and the first and last one for the rest of the panel.
    edges = np.clip(edges_s * fs + 0.5 - drawn.start, 0, rate.size)
    edges[0], edges[-1] = 0, rate.size
    running = np.concatenate([[0.0], np.cumsum(rate)])
    mean = np.diff(np.interp(edges, np.arange(rate.size + 1), running)) / (fs * np.diff(edges_s))
    colour = evidence_index(mean, limit, PAINT_POWER)
    middle = (edges_s[:-1] + edges_s[1:]) / 2 * fs - drawn.start
    mm = panel.sign * layout.gain * np.interp(middle, np.arange(above.size), above)
    gap = ~np.isfinite(mm)
    up = np.where(gap, 0.0, mm)
    seen = np.abs(colour.astype(int) - N_STEPS) >= SEEN_STEP
    tall = np.where(seen, np.maximum(np.abs(up), least_mm), np.maximum(np.abs(up), 1.0 / rows_per_mm))
    rows = np.maximum(np.round(tall * rows_per_mm), 1).astype(np.intp)
    line_mm = float(layout.voltage_mm(panel, float(paint.level_mv[lead])))
    line = round((layout.height_mm - line_mm) * rows_per_mm)
    upwards = up >= 0
    striped = None
    if hatched is not None:
        sample = np.clip(np.round(middle), 0, rate.size - 1).astype(np.intp)
        striped = hatched[lead, drawn][sample]
    return _Fill(
        left=left,
        line=line,
        top=np.where(upwards, line - rows, line),
        bottom=np.where(upwards, line, line + rows),
        colour=np.where(gap, np.uint8(N_STEPS), colour),
        hatched=striped,
        stripe=tuple(round(share * least_mm * columns_per_mm) for share in HATCH_SHARES),
    )
