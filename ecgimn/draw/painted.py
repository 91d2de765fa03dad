"""Painted evidence: the area between trace and isoelectric line, in the colour of what it contributes; the mean beat.

A contribution is weight times voltage about the isoelectric level, so the coloured area is the voltage that spoke and
the colour says how loudly; where there is no voltage there is nothing to paint. The colour of a column is the mean
contribution per 40 ms over the column's own time, smoothed within its deflection only: nothing passes a zero of the
voltage or the border of a wave, so every lead, wave and deflection keeps its sum to the last digit. The scale is
steeper about 0 (a power of 0.4) and ends at the largest value of the record: an ST segment of 1 mm is seen, nothing
is cut off, and the sums can be read back off the picture.

Every beat in the mean beat lends its samples' contributions to the places in the beat where they lie. The sum beside
each lead is all that the lead says, whether on the beat or not; what the picture leaves out is given as a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.colours import N_STEPS, TRANSPARENT, evidence_index
from ecgimn.draw.marks import LEVEL, StMarks, st_marks
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.explain.difference import FIRST_BIN, mean_beats
from ecgimn.explain.sentences import signed, with_bound
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.signal.waves.find import PR, QRS, ST, TP, WAVE_NAMES, P, T

if TYPE_CHECKING:
    from ecgimn.draw.colours import Palette
    from ecgimn.draw.paper import Panel, PaperLayout
    from ecgimn.explain.difference import CaseDifference
    from ecgimn.signal.beat import MedianBeat
    from ecgimn.signal.reading import SignalReading


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


ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))  # as on any 3x4 print
TWO_ROWS = (STANDARD_LEADS[:6], STANDARD_LEADS[6:])
ST_POINT_S = 0.06  # ST is read at J+60
BOX_MV, BOX_S = 0.5, 0.2  # the grid: big boxes of ECG paper
BORDERS = ("p_onset", "p_offset", "qrs_onset", "qrs_offset", "t_onset", "t_offset")
LEAST_LOGIT = 0.05  # a weaker cell is not called out


@dataclass(frozen=True, eq=False)
class MeanBeatEvidence:
    """A mean beat with the evidence of one class, ready to be drawn.

    Attributes
    ----------
    fs : float
        Hz.
    paint : Paint
        Voltage about the isoelectric level, and mean contribution of a beat per 40 ms, each (12, length).
    labels : ndarray of shape (12, length), int
        Wave of each sample, an index into `WAVE_NAMES`.
    r_index : int
        Sample of R.
    j : float
        J point of all leads, in samples; NaN where it was not found.
    st_mv : ndarray of shape (12,)
        ST level at J+60; NaN where it was not measured.
    st : StMarks
        Leads whose ST or T meets its threshold.
    cells : ndarray of shape (12, n_waves)
        Evidence of the whole recording by lead and wave, in logit; waves in the order of `WAVE_NAMES`.
    shown : float
        Evidence of the whole recording that the beat shows, in logit: the mean of a beat times its beats.
    n_used, n_found : int
        Beats in the mean beat, and beats found.
    left_out : tuple of str
        Beats that were left out, each with the reason.
    """

    fs: float
    paint: Paint
    labels: NDArray[np.int8]
    r_index: int
    j: float
    st_mv: NDArray[np.float64]
    st: StMarks
    cells: NDArray[np.float64]
    shown: float
    n_used: int
    n_found: int
    left_out: tuple[str, ...]

    @property
    def length(self) -> int:
        """Samples of the beat."""
        return int(self.paint.rate.shape[1])

    @property
    def sums(self) -> NDArray[np.float64]:
        """Evidence of each lead over the whole recording, (12,)."""
        return np.asarray(self.cells.sum(axis=1))

    @property
    def elsewhere(self) -> float:
        """Evidence that the beat does not show, in logit."""
        return float(self.cells.sum()) - self.shown

    def hatched(self, confirmed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Return which samples lie in a cell that is not confirmed, (12, length); None where all count."""
        if confirmed is None:
            return None
        return ~np.take_along_axis(np.asarray(confirmed, dtype=bool), self.labels.astype(np.intp), axis=1)


def mean_beat_evidence(reading: SignalReading, contribution: NDArray[np.floating]) -> MeanBeatEvidence | None:
    """Fold the evidence of a recording onto its mean beat; None where there is no mean beat.

    Parameters
    ----------
    reading : SignalReading
    contribution : ndarray of shape (12, n_samples)
        Of one class, about the isoelectric level, in logit per sample.
    """
    waves, measured = reading.waves, reading.measurements
    if waves is None or measured is None:
        return None
    beat = measured.beat
    if beat.signal is None:
        return None
    windows = beat.windows
    total = np.zeros((12, windows.length))
    owner = waves.beat
    for number in np.flatnonzero(windows.used).tolist():
        start = int(windows.start[number])
        first, last = max(start, 0), min(start + windows.length, contribution.shape[1])
        own = (owner[first:last] == number) | (owner[first:last] < 0)
        total[:, first - start : last - start] += np.where(own, contribution[:, first:last], 0.0)
    n_used = int(windows.used.sum())
    labels = beat_labels(beat)
    about = beat.signal - reading.levels[:, None]
    booked = np.zeros((12, len(WAVE_NAMES)))
    for lead in range(12):
        booked[lead] = np.bincount(waves.labels[lead], weights=contribution[lead], minlength=len(WAVE_NAMES))
    return MeanBeatEvidence(
        fs=beat.fs,
        paint=make_paint(total / n_used, about, None, beat.fs, labels),
        labels=labels,
        r_index=windows.r_index,
        j=beat.j,
        st_mv=np.array([st.j60_mv for st in measured.st] or [np.nan] * 12),
        st=st_marks(reading),
        cells=booked,
        shown=float(total.sum()),
        n_used=n_used,
        n_found=len(windows.used),
        left_out=tuple(f"beat {number + 1} ({_short(why)})" for number, why in enumerate(windows.left_out) if why),
    )


def paint_mean(
    above_mv: NDArray[np.floating], contribution: NDArray[np.floating], fs: float, r_index: int, n_records: int
) -> MeanBeatEvidence:
    """Return a mean beat of many recordings, of which no borders of waves are known.

    Parameters
    ----------
    above_mv : ndarray of shape (12, n)
        Mean voltage about the isoelectric level.
    contribution : ndarray of shape (12, n)
        Mean contribution of one beat, in logit per sample.
    fs : float
        Hz.
    r_index : int
    n_records : int
    """
    cells = np.zeros((12, len(WAVE_NAMES)))
    cells[:, 0] = np.asarray(contribution).sum(axis=1)
    return MeanBeatEvidence(
        fs=fs,
        paint=make_paint(contribution, above_mv, None, fs),
        labels=np.zeros(np.shape(above_mv), dtype=np.int8),
        r_index=r_index,
        j=math.nan,
        st_mv=np.full(12, np.nan),
        st=StMarks(),
        cells=cells,
        shown=float(cells.sum()),
        n_used=n_records,
        n_found=n_records,
        left_out=(),
    )


def beat_labels(beat: MedianBeat) -> NDArray[np.int8]:
    """Return the wave of each sample of a median beat, (12, length); common borders where a lead has none."""
    labels = np.zeros((12, beat.windows.length), dtype=np.int8)
    for lead in range(12):
        edges = [beat.landmarks[name][lead] for name in BORDERS]
        edges = [
            beat.common[name] if not np.isfinite(edge) else edge for name, edge in zip(BORDERS, edges, strict=True)
        ]
        if np.isfinite(edges[-1]):
            labels[lead, max(round(edges[-1]), 0) :] = TP
        first = next((edge for edge in edges if np.isfinite(edge)), 0.0)
        labels[lead, : max(round(first), 0)] = TP
        for wave, (start, stop) in zip((P, PR, QRS, ST, T), pairwise(edges), strict=True):
            if np.isfinite(start) and np.isfinite(stop):
                labels[lead, max(round(start), 0) : max(round(stop), 0)] = wave
    return labels


def bars_of(beat: MeanBeatEvidence, lead: int, colours: Palette) -> list[tuple[int, str]]:
    """Return wave and colour of the bars under a lead, of ST and T, where a verdict says raised, lowered, inverted."""
    bars = []
    step = beat.st.step(STANDARD_LEADS[lead])
    if step != LEVEL:
        bars.append((int(ST), colours.st_levels[step]))
    if STANDARD_LEADS[lead] in beat.st.inverted:
        bars.append((int(T), colours.t_inverted))
    return bars


def _short(reason: str) -> str:
    return "QRS unlike the others" if "unlike" in reason else "at the edge" if "edge" in reason else reason


@dataclass(frozen=True, eq=False)
class GreyBeat:
    """A beat drawn in grey behind each panel, as the eye's reference.

    Attributes
    ----------
    above_mv : ndarray of shape (12, n)
        Voltage about the isoelectric level.
    fs : float
        Hz.
    r_index : int
        Sample of R, laid over the R of the beat in front.
    name : str
        Whose beat it is: "normal composite".
    """

    above_mv: NDArray[np.float64]
    fs: float
    r_index: int
    name: str


def grey_of(beat: MeanBeatEvidence, name: str) -> GreyBeat:
    """Return a mean beat as the grey one behind another."""
    return GreyBeat(beat.paint.above_mv, beat.fs, beat.r_index, name)


def in_one_frame(first: MeanBeatEvidence, second: MeanBeatEvidence) -> tuple[MeanBeatEvidence, MeanBeatEvidence]:
    """Return two mean beats as wide as each other with R at the same place; what one lacks is empty."""
    before_s = max(beat.r_index / beat.fs for beat in (first, second))
    after_s = max((beat.length - beat.r_index) / beat.fs for beat in (first, second))
    one, two = (_padded(beat, before_s, after_s) for beat in (first, second))
    return one, two


def _padded(beat: MeanBeatEvidence, before_s: float, after_s: float) -> MeanBeatEvidence:
    left = max(round(before_s * beat.fs) - beat.r_index, 0)
    right = max(round(after_s * beat.fs) - (beat.length - beat.r_index), 0)
    sides = ((0, 0), (left, right))
    above = np.pad(beat.paint.above_mv, sides, constant_values=np.nan)
    return replace(
        beat,
        paint=replace(beat.paint, above_mv=above, rate=np.pad(beat.paint.rate, sides)),
        labels=np.pad(beat.labels, sides),
        r_index=beat.r_index + left,
        j=beat.j + left,
    )


def difference_of(first: MeanBeatEvidence, second: MeanBeatEvidence) -> MeanBeatEvidence:
    """Return the first beat, painted with its contribution minus the second's, R over R.

    Beats of two recordings are compared beat by beat; the sums are those of the whole recordings.

    Parameters
    ----------
    first, second : MeanBeatEvidence
        Of any two recordings, classes, models or methods. The second is taken at the first one's rate.
    """
    times = (np.arange(first.length) - first.r_index) / first.fs * second.fs + second.r_index
    places = np.arange(second.length)
    inside = (times >= 0) & (times <= second.length - 1)
    other = np.stack([np.where(inside, np.interp(times, places, row), 0.0) for row in second.paint.rate])
    return replace(
        first,
        paint=replace(first.paint, rate=first.paint.rate - other),
        cells=first.cells - second.cells,
        shown=first.shown - second.shown,
    )


def grey_beat(reading: SignalReading, name: str) -> GreyBeat | None:
    """Return the mean beat of a recording to be drawn behind others; None where it has none."""
    beat = reading.measurements.beat if reading.measurements is not None else None
    if beat is None or beat.signal is None:
        return None
    return GreyBeat(beat.signal - reading.levels[:, None], beat.fs, beat.windows.r_index, name)


@dataclass(frozen=True)
class StrongCell:
    """A cell of lead by wave that is called out."""

    lead: str
    wave: str
    logit: float
    margin: float = np.nan


def strongest_cells(
    cells: NDArray[np.floating],
    confirmed: NDArray[np.bool_] | None = None,
    *,
    margins: NDArray[np.floating] | None = None,
    most: int = 3,
) -> tuple[StrongCell, ...]:
    """Return the cells that say most in the direction of the whole, the strongest first.

    Parameters
    ----------
    cells : ndarray of shape (12, n_waves)
        Logit.
    confirmed : ndarray of shape (12, n_waves), bool, optional
        Others are not called out.
    margins : ndarray of shape (12, n_waves), optional
        How far taking a cell out may lie from it, in logit; NaN where not known.
    most : int
    """
    sign = 1.0 if cells.sum() >= 0 else -1.0
    size = sign * np.asarray(cells, dtype=np.float64)
    if confirmed is not None:
        size = np.where(confirmed, size, -np.inf)
    order = np.argsort(-size, axis=None, kind="stable")[:most]
    return tuple(
        StrongCell(
            STANDARD_LEADS[lead],
            WAVE_NAMES[wave],
            float(cells[lead, wave]),
            np.nan if margins is None else float(margins[lead, wave]),
        )
        for lead, wave in (np.unravel_index(at, cells.shape) for at in order.tolist())
        if size[lead, wave] >= LEAST_LOGIT
    )


def strongest_words(cells: Sequence[StrongCell], name: str) -> str:
    """Return "III QRS +1.19 ± 0.42, strongest for MI; then aVL QRS +0.69 ± 0.27"; empty where nothing is strong."""
    if not cells:
        return ""
    first, *others = (f"{cell.lead} {cell.wave} {with_bound(cell.logit, cell.margin)}" for cell in cells)
    way = "for" if cells[0].logit >= 0 else "against"
    return f"{first}, strongest {way} {name}" + (f"; then {', '.join(others)}" if others else "")


def beats_words(beat: MeanBeatEvidence) -> str:
    """Say how many beats were averaged, which were left out, and what of the evidence the picture does not show."""
    words = f"mean of {beat.n_used} of {beat.n_found} beats"
    if beat.left_out:
        named = "; ".join(beat.left_out[:3])
        more = len(beat.left_out) - 3
        words += f" · left out: {named}" + (f" and {more} more" if more > 0 else "")
    return f"{words} · not on this beat: {signed(beat.elsewhere)}"


@dataclass(frozen=True, eq=False)
class DifferenceBeat:
    """Two mean beats over one another, and what the change of voltage between them did to one class.

    Attributes
    ----------
    paint : Paint
        The later beat about its isoelectric level, and the voltage's part of the change per 40 ms, (12, length).
    earlier_mv : ndarray of shape (12, length)
        The earlier beat, fitted to the later one's wave borders; NaN where it was not recorded.
    labels : ndarray of shape (12, length), int
        Wave of each sample of the later beat.
    voltage, total : ndarray of shape (12,)
        Change of each lead, in logit: the voltage's part, and all of it.
    shown : float
        Voltage's part that the beat shows, in logit.
    """

    paint: Paint
    earlier_mv: NDArray[np.float64]
    labels: NDArray[np.int8]
    voltage: NDArray[np.float64]
    total: NDArray[np.float64]
    shown: float

    @property
    def fs(self) -> float:
        """Hz."""
        return self.paint.fs

    @property
    def length(self) -> int:
        """Samples of the beat."""
        return int(self.paint.rate.shape[1])

    def stretches(self, lead: int, limit: float) -> list[tuple[int, slice]]:
        """Return the painted stretches of a lead: row of the evidence scale, and the samples, both ends included."""
        colour = evidence_index(self.paint.rate[lead], limit, PAINT_POWER)
        there = np.isfinite(self.earlier_mv[lead] + self.paint.above_mv[lead])
        colour = np.where(there & (np.abs(colour.astype(int) - N_STEPS) >= SEEN_STEP), colour, TRANSPARENT)
        edges = np.concatenate([[0], np.flatnonzero(np.diff(colour)) + 1, [colour.size]]).tolist()
        return [
            (int(colour[start]), slice(start, min(stop + 1, colour.size)))
            for start, stop in pairwise(edges)
            if colour[start] != TRANSPARENT
        ]


def overlaid_beat(earlier: SignalReading, later: SignalReading) -> DifferenceBeat | None:
    """Lay the later mean beat over the earlier one, without a model and nothing painted; None without a mean beat."""
    beats, measured = mean_beats(earlier, later), later.measurements
    if beats is None or measured is None:
        return None
    nothing = Paint(beats.later_mv, np.zeros(12), np.zeros_like(beats.later_mv), beats.fs)
    return DifferenceBeat(nothing, beats.earlier_mv, beat_labels(measured.beat), np.zeros(12), np.zeros(12), 0.0)


def difference_beat(found: CaseDifference, name: str) -> DifferenceBeat | None:
    """Lay the voltage's part of a change over the later mean beat, phase by phase; None where there is no mean beat.

    Between T and the next P, and in waves that only the earlier ECG has, there is no place on the beat; `shown` leaves
    these out.

    Parameters
    ----------
    found : CaseDifference
    name : str
        Class.
    """
    beats, measured = found.beats, found.later.reading.measurements
    if beats is None or measured is None:
        return None
    labels = beat_labels(measured.beat)
    per_bin = found.voltage[found.classes.index(name)]
    spread = np.zeros(labels.shape)
    for lead, row in enumerate(labels):
        for wave in (P, PR, QRS, ST, T):
            inside = np.flatnonzero(row == wave)
            if inside.size:
                bins = per_bin[lead, FIRST_BIN[wave] : FIRST_BIN[wave + 1]]
                running = np.concatenate([[0.0], np.cumsum(bins)])
                edges = np.interp(
                    np.arange(inside.size + 1) / inside.size * bins.size, np.arange(bins.size + 1), running
                )
                spread[lead, inside] = np.diff(edges)
    paint = Paint(beats.later_mv, np.zeros(12), spread * (UNIT_S * beats.fs), beats.fs)
    return DifferenceBeat(
        paint, beats.earlier_mv, labels, found.cells(name, "voltage").sum(axis=1), found.cells(name).sum(axis=1),
        float(spread.sum()),
    )  # fmt: skip


def beat_layout(
    beat: MeanBeatEvidence | DifferenceBeat,
    room: tuple[float, float],
    *,
    rows: Sequence[Sequence[str]] = ROWS,
    head: float,
    gap: float,
    others_mv: NDArray[np.floating] | None = None,
    stretch: float = 2.0,
) -> PaperLayout:
    """Lay the twelve panels out: one scale in mV and one in time for all, rows as tall as their own waves.

    Parameters
    ----------
    beat : MeanBeatEvidence or DifferenceBeat
    room : tuple of float
        Width and height, in the unit of the picture.
    rows : sequence of sequences of str
        Leads, row by row.
    head : float
        Space above each row's tallest wave, for the names.
    gap : float
        Space between panels.
    others_mv : ndarray of shape (12, m), optional
        What the rows must have room for besides.
    stretch : float
        How much more room than 25 mm/s a second may take at 10 mm/mV.

    Returns
    -------
    PaperLayout
        `speed` and `gain` in units per s and per mV; as wide as `room`, as tall as needed.
    """
    above = beat.paint.above_mv if others_mv is None else np.concatenate([beat.paint.above_mv, others_mv], axis=1)
    reach = []
    for row in rows:
        seen = above[[lead_index(lead) for lead in row]]
        reach.append((max(float(np.nanmax(seen)), 0.2), max(-float(np.nanmin(seen)), 0.2)))
    seconds = beat.length / beat.fs
    columns = max(len(row) for row in rows)
    speed = (room[0] - (columns - 1) * gap) / (columns * seconds)
    foot = 0.25 * head
    tall_mv = sum(up + down for up, down in reach)
    gain = (room[1] - len(rows) * (head + foot)) / tall_mv
    gain = min(max(gain, 0.02 * speed), speed / 2.5)  # never steeper than 25 mm/s at 10 mm/mV
    speed = min(speed, stretch * 2.5 * gain)
    panels, y = [], sum(head + foot + gain * (up + down) for up, down in reach)
    height = y
    for number, (row, (up, down)) in enumerate(zip(rows, reach, strict=True)):
        baseline = y - head - gain * up
        panels += [
            Panel(lead, lead, 1, number, column, column * (seconds * speed + gap), baseline, 0.0, seconds)
            for column, lead in enumerate(row)
        ]
        y = baseline - gain * down - foot
    return PaperLayout(
        name="one beat",
        speed=speed,
        gain=gain,
        cabrera=False,
        simultaneous=True,
        panels=tuple(panels),
        width_mm=columns * seconds * speed + (columns - 1) * gap,
        height_mm=height,
        pitch_mm=2 * height,
        origin_mm=0.0,
    )
