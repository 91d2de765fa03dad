"""Evidence as a picture: one transparent raster behind the leads, strips of signed area, one scale for all leads.

Everything here is read off the full-resolution map: a 40 ms bin is the sum of its samples, and the bins of a lead that
is drawn whole add up to the lead's contribution. Colours come from `ecgimn.draw.colours`; the limit of the scale is the
99th percentile of |evidence| over the bins of all leads, one number for the record, printed beside the colours.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ecgimn.draw.colours import N_STEPS, TRANSPARENT, evidence_colours, evidence_index
from ecgimn.draw.painted import (
    PAINT_COLUMNS_PER_MM,
    PAINT_POWER,
    PAINT_ROWS_PER_MM,
    Paint,
    make_paint,
    painted_indices,
    rounded_up,
)
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.draw.view import View
from ecgimn.explain.ledger import contribution
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.explain.case import Evidence
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


BIN_S = 0.04  # one small box at 25 mm/s; the unit of the scale is "per 40 ms"
LIMIT_PERCENTILE = 99.0
COLUMNS_PER_MM = 4  # 10 ms at 25 mm/s: 1,000 columns over 250 mm lose nothing a screen can show
ROWS_PER_MM = 2  # bands are flat from top to bottom, so few rows do
HATCH_COLUMNS = 12  # stripes 1.5 mm wide, unlike the 1 mm grid
LINE_DOTS_PER_MM = (3, 3)  # rows and columns; a winding line compresses less well than a band
LINE_COLOUR_STEP = N_STEPS / 10  # ten steps on each side of 0
LINE_HALF_MM = 0.9  # half width of the coloured line
WEBP_METHOD, WEBP_EFFORT = 3, 60  # slower settings save nothing more
PNG_LEVEL = 6
HEAVY_BYTES = 32_000  # a larger PNG is worth the time that a WebP takes
MAX_BAND_MM = 15.0  # a band follows its lead; wide rows keep white paper between them
UNCERTAIN_FROM = 0.25  # hatch only what catches the eye: from a quarter of the limit


@dataclass(frozen=True, eq=False)
class EvidenceMap:
    """What is drawn of an explanation, at the recording's own rate.

    Attributes
    ----------
    values : ndarray of shape (12, n_samples)
        Logit per sample, or logit per mV per sample for weights.
    fs : float
        Hz.
    limit : float
        End of the symmetric colour scale, per 40 ms.
    limit_source : str
        How the limit was found, for the colour bar.
    name : str
        The class, or the two classes of a difference.
    quantity : str
        The quantity, as printed.
    unit : str
        "logit per 40 ms" or "logit per mV per 40 ms".
    signed_by_lead : bool
        Whether a lead drawn upside down (-aVR) changes the sign: weights do, contributions do not.
    uncertain : ndarray of shape (12, n_samples), bool, or None
        Where the spread over seeds is larger than the value, or the fill is hatched for another reason.
    paint : Paint or None
        What the "painted" style draws; None in every other.
    """

    values: NDArray[np.float64]
    fs: float
    limit: float
    limit_source: str
    name: str
    quantity: str
    unit: str
    signed_by_lead: bool
    uncertain: NDArray[np.bool_] | None = None
    paint: Paint | None = None

    @property
    def power(self) -> float:
        """Power of the colour scale: below 1 it is steeper about 0."""
        return 1.0 if self.paint is None else PAINT_POWER

    @property
    def drawn(self) -> NDArray[np.float64]:
        """What the colours show and the pointer is answered, per 40 ms at each sample, (12, n_samples)."""
        return self.density if self.paint is None else self.paint.rate

    @property
    def strip_limit(self) -> float:
        """The sum over 40 ms at the edge of a strip."""
        return self.limit if self.paint is None else robust_limit(self.values, self.fs)

    @cached_property
    def density(self) -> NDArray[np.float64]:
        """Sum over the 40 ms around each sample, (12, n_samples)."""
        return moving_sum(self.values, self.fs)

    def sign(self, panel: Panel) -> int:
        """Return -1 where this panel shows the map upside down."""
        return panel.sign if self.signed_by_lead else 1

    def panel_bins(self, panel: Panel) -> NDArray[np.float64]:
        """Return the sums of the disjoint 40 ms bins of a panel; together they are the sum of its samples."""
        drawn = panel.samples(self.fs, self.values.shape[1])
        row = self.values[lead_index(panel.lead), drawn]
        return self.sign(panel) * np.add.reduceat(row, bin_starts(row.size, self.fs)) if row.size else row

    def shown_share(self, layout: PaperLayout) -> float:
        """Return the part of the total |evidence| that a layout shows, 0 to 1; 1 when there is no evidence at all."""
        total = float(np.abs(self.values).sum())
        shown = float(np.abs(self.values[layout.mask(self.fs, self.values.shape[1])]).sum())
        return shown / total if total > 0 else 1.0


def evidence_map(evidence: Evidence, view: View) -> EvidenceMap:
    """Return what a view draws of the evidence for a class: its `quantity`, `style`, `limit` and `show_uncertainty`."""
    if view.is_painted:
        reading = evidence.reading
        drawn = painted_map(
            reading.recording,
            evidence.contribution,
            reading.levels,
            reading.waves,
            name=evidence.name,
            limit=view.limit,
        )
    else:
        weights = view.quantity == "weights"
        values = evidence.weights if weights else evidence.contribution
        drawn = EvidenceMap(
            values=values,
            fs=evidence.recording.fs,
            limit=view.limit if view.limit is not None else robust_limit(values, evidence.recording.fs),
            limit_source="fixed" if view.limit is not None else "99th percentile of this record",
            name=evidence.name,
            quantity=view.quantity,
            unit="logit per mV per 40 ms" if weights else "logit per 40 ms",
            signed_by_lead=weights,
        )
    if not view.show_uncertainty:
        return drawn
    # Of what is coloured; the ends of a painted scale lie at the largest value and say nothing about the others.
    limit = drawn.limit if drawn.paint is None else robust_limit(drawn.values, drawn.fs)
    return replace(drawn, uncertain=_uncertain(evidence, view, drawn.values, limit))


def painted_map(
    recording: Recording,
    contribution: NDArray[np.floating],
    isoelectric_mv: NDArray[np.floating],
    waves: Waves | None = None,
    *,
    name: str,
    limit: float | None = None,
    hatched: NDArray[np.bool_] | None = None,
) -> EvidenceMap:
    """Return what is painted of one class.

    Parameters
    ----------
    recording : Recording
    contribution : ndarray of shape (12, n_samples)
        Weight times voltage about the isoelectric level, in logit per sample.
    isoelectric_mv : ndarray of shape (12,)
        The level of each lead in mV.
    waves : Waves, optional
        Colours do not pass from one wave to the next.
    name : str
        The class, or the two of a difference.
    limit : float, optional
        End of the colour scale per 40 ms; the largest value of this record when None.
    hatched : ndarray of shape (12, n_samples), bool, optional
        Where the fill is striped.
    """
    labels = None if waves is None else waves.labels
    paint = make_paint(contribution, recording.signal, isoelectric_mv, recording.fs, labels)
    return EvidenceMap(
        values=np.asarray(contribution, dtype=np.float64),
        fs=recording.fs,
        limit=paint.largest if limit is None else limit,
        limit_source="largest of this record" if limit is None else "fixed",
        name=name,
        quantity="contribution",
        unit="logit per 40 ms",
        signed_by_lead=False,
        uncertain=hatched,
        paint=paint,
    )


def robust_limit(values: NDArray[np.floating], fs: float) -> float:
    """Return the 99th percentile of |sums over 40 ms| of all leads, rounded up to two digits; 1 for an empty map.

    Parameters
    ----------
    values : ndarray of shape (12, n_samples)
    fs : float
        Hz.
    """
    bins = np.add.reduceat(values, bin_starts(values.shape[1], fs), axis=1)
    limit = float(np.percentile(np.abs(bins), LIMIT_PERCENTILE))
    if not limit > 0:
        limit = float(np.abs(bins).max())  # evidence in less than one bin of a hundred
    return rounded_up(limit)


def bin_starts(n_samples: int, fs: float) -> NDArray[np.intp]:
    """Return the first sample of each disjoint 40 ms bin; the bins cover all samples."""
    n_bins = max(1, math.ceil(n_samples / (BIN_S * fs) - 1e-9))
    return np.unique(np.minimum(np.round(np.arange(n_bins) * BIN_S * fs), n_samples - 1).astype(np.intp))


def moving_sum(values: NDArray[np.floating], fs: float) -> NDArray[np.float64]:
    """Return the sum over the 40 ms around each sample's middle, (12, n_samples); nothing lies beyond the ends."""
    n_samples = values.shape[1]
    running = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)
    half = BIN_S * fs / 2
    middle = np.arange(n_samples) + 0.5

    def at(position: NDArray[np.floating]) -> NDArray[np.float64]:
        position = np.clip(position, 0, n_samples)
        left = np.minimum(position.astype(np.intp), n_samples - 1)
        part = position - left
        return np.asarray(running[:, left] * (1 - part) + running[:, left + 1] * part, dtype=np.float64)

    return np.asarray(at(middle + half) - at(middle - half))


def block_density(values: NDArray[np.floating], waves: Waves) -> NDArray[np.float64]:
    """Return the mean per 40 ms of each wave of each lead and beat, (12, n_samples)."""
    blocks = np.zeros(values.shape)
    beat = np.broadcast_to(waves.beat, values.shape)
    for row in range(values.shape[0]):
        change = np.diff(waves.labels[row]).astype(bool) | np.diff(beat[row]).astype(bool)
        starts = np.concatenate([[0], np.flatnonzero(change) + 1])
        lengths = np.diff(np.append(starts, values.shape[1]))
        means = np.add.reduceat(values[row], starts) / lengths * (BIN_S * waves.fs)
        blocks[row] = np.repeat(means, lengths)
    return blocks


@dataclass(frozen=True)
class Cell:
    """Heights in mm of what belongs to one panel: the band of evidence and, below it, the strip of signed area."""

    band_low: float
    band_high: float
    strip_zero: float
    strip_half: float


def panel_cell(layout: PaperLayout, panel: Panel, *, strip: bool = True) -> Cell:
    """Return where the band and the strip of a panel lie; cells of neighbouring rows touch and never overlap."""
    half_pitch = layout.pitch_mm / 2
    strip_half = 1.5 if layout.pitch_mm <= 15 else 2.0
    low = panel.baseline_mm - min(half_pitch, MAX_BAND_MM)
    high = panel.baseline_mm + min(half_pitch - 0.5, MAX_BAND_MM)
    band_low = low + 2 * strip_half + 0.5 if strip else low
    return Cell(band_low, high, low + strip_half, strip_half)


def overlay_indices(
    evidence: EvidenceMap,
    layout: PaperLayout,
    view: View,
    recording: Recording,
    waves: Waves | None = None,
    paint_dots: tuple[int, int] = (PAINT_ROWS_PER_MM, PAINT_COLUMNS_PER_MM),
) -> NDArray[np.uint8]:
    """Return the raster of a page as rows of the evidence scale, top row first, or `TRANSPARENT`.

    Its resolution is `raster_dots(evidence, view)`, or where areas are painted `paint_dots`, rows and columns per mm.
    It covers the paper from the beginning of the signal (`origin_mm`) to the right border.

    Raises
    ------
    ValueError
        The style is "blocks" and no waves are given.
    """
    if view.style == "blocks" and waves is None:
        raise ValueError("The style 'blocks' needs the waves of the recording. Give waves, or choose 'band'.")
    if evidence.paint is not None:
        return painted_indices(
            evidence.paint, layout, evidence.limit, hatched=evidence.uncertain, dots_per_mm=paint_dots
        )
    density = block_density(evidence.values, waves) if view.style == "blocks" and waves else evidence.density
    rows_per_mm, columns_per_mm = raster_dots(evidence, view)
    height = round(layout.height_mm * rows_per_mm)
    width = round((layout.width_mm - layout.origin_mm) * columns_per_mm)
    raster = np.full((height, width), TRANSPARENT, dtype=np.uint8)
    for panel in layout.panels:
        first = round((panel.x0_mm - layout.origin_mm) * columns_per_mm)
        n_columns = round(layout.panel_width_mm(panel) * columns_per_mm)
        column_s = panel.start_s + (np.arange(n_columns) + 0.5) / columns_per_mm / layout.speed
        sample = np.minimum((column_s * evidence.fs).astype(np.intp), evidence.values.shape[1] - 1)
        lead = lead_index(panel.lead)
        colour = evidence_index(evidence.sign(panel) * density[lead, sample], evidence.limit)
        if view.style == "line":
            colour = _coarse(colour)
            trace_mm = np.asarray(layout.voltage_mm(panel, recording.signal[lead]))
            reach = round(LINE_HALF_MM / layout.speed * evidence.fs)
            low, high = _line_extent(trace_mm, panel, evidence.fs, sample, max(reach, 1))
            top = max(math.floor((layout.height_mm - np.nanmax(high, initial=0.0)) * rows_per_mm), 0)
            bottom = math.ceil((layout.height_mm - np.nanmin(low, initial=layout.height_mm)) * rows_per_mm)
            row_mm = layout.height_mm - (np.arange(top, min(bottom, height)) + 0.5)[:, None] / rows_per_mm
            target = raster[top:bottom, first : first + n_columns]
            np.copyto(target, colour, where=(row_mm >= low) & (row_mm <= high))
            continue
        cell = panel_cell(layout, panel, strip=view.show_strip)
        top = max(round((layout.height_mm - cell.band_high) * rows_per_mm), 0)
        bottom = round((layout.height_mm - cell.band_low) * rows_per_mm)
        band = np.broadcast_to(colour, (bottom - top, n_columns)).copy()
        if evidence.uncertain is not None:
            slope = np.arange(bottom - top)[:, None] * columns_per_mm // rows_per_mm
            diagonal = (slope + np.arange(n_columns)) % HATCH_COLUMNS < HATCH_COLUMNS // 2
            band[diagonal & evidence.uncertain[lead, sample]] = TRANSPARENT
        raster[top:bottom, first : first + n_columns] = band
    return raster


def raster_dots(evidence: EvidenceMap, view: View) -> tuple[int, int]:
    """Return rows and columns per mm of the raster of a map."""
    if evidence.paint is not None:
        return PAINT_ROWS_PER_MM, PAINT_COLUMNS_PER_MM
    return LINE_DOTS_PER_MM if view.style == "line" else (ROWS_PER_MM, COLUMNS_PER_MM)


def overlay_webp(raster: NDArray[np.uint8], *, dark: bool = False, paint: bool = False) -> bytes:
    """Return a raster of `overlay_indices` as a lossless WebP, a quarter smaller than a PNG with a palette.

    Equal rasters give equal bytes.
    """
    file = io.BytesIO()
    rgba = _palette(dark=dark, paint=paint)[raster]
    Image.fromarray(rgba).save(file, "WEBP", lossless=True, quality=WEBP_EFFORT, method=WEBP_METHOD)
    return file.getvalue()


def painted_png(raster: NDArray[np.uint8], *, dark: bool = False) -> bytes:
    """Return a painted raster as a PNG with a palette: mostly empty, and made in an eighth of a WebP's time."""
    file = io.BytesIO()
    picture = Image.fromarray(raster, mode="P") if raster.size else Image.new("P", (1, 1), TRANSPARENT)
    colours = _palette(dark=dark, paint=True)
    picture.putpalette(colours[:, :3].tobytes())
    picture.save(file, "PNG", transparency=colours[:, 3].tobytes(), compress_level=PNG_LEVEL)
    return file.getvalue()


def picture_uri(evidence: EvidenceMap, raster: NDArray[np.uint8], *, dark: bool = False) -> str:
    """Return the picture of a map as a data URI."""
    paint = evidence.paint is not None
    kind, content = "png", painted_png(raster, dark=dark) if paint else b""
    if not paint or len(content) > HEAVY_BYTES:
        kind, content = "webp", overlay_webp(raster, dark=dark, paint=paint)
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")


def _palette(*, dark: bool, paint: bool) -> NDArray[np.uint8]:
    """Return the colours of the entries of a raster, RGBA; the last is `TRANSPARENT`, in the colour of the paper."""
    scale = evidence_colours(dark=dark, paint=paint)
    colours = np.pad(scale, ((0, 1), (0, 1)), constant_values=255)
    colours[TRANSPARENT] = (*scale[N_STEPS], 0) if paint else 0
    return colours


def _uncertain(evidence: Evidence, view: View, values: NDArray[np.float64], limit: float) -> NDArray[np.bool_] | None:
    """Where the spread over seeds, summed as if it went one way for 40 ms, exceeds a value that is coloured."""
    if evidence.spread is None:
        return None
    deviation, fs = evidence.spread, evidence.recording.fs
    if view.quantity != "weights":
        deviation = np.abs(contribution(deviation, evidence.recording, evidence.reading.levels))
    size = np.abs(moving_sum(values, fs))
    return np.asarray((moving_sum(deviation, fs) > size) & (size > UNCERTAIN_FROM * limit))


def _coarse(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Round to 21 colours, symmetric about the middle: a winding line of all 127 makes a picture twice as heavy."""
    steps = np.round((colour.astype(int) - N_STEPS) / LINE_COLOUR_STEP)
    return np.asarray(np.clip(steps * LINE_COLOUR_STEP + N_STEPS, 0, 2 * N_STEPS), dtype=np.uint8)


def _line_extent(
    trace_mm: NDArray[np.floating], panel: Panel, fs: float, sample: NDArray[np.intp], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest mm of the coloured line in each column; NaN, which compares false, in a gap."""
    drawn = panel.samples(fs, trace_mm.size)
    padded = np.pad(trace_mm[drawn].astype(np.float64), reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    place = np.clip(sample - drawn.start, 0, windows.shape[0] - 1)
    gap = np.isnan(trace_mm[sample])
    low = np.fmin.reduce(windows, axis=1)[place] - LINE_HALF_MM
    high = np.fmax.reduce(windows, axis=1)[place] + LINE_HALF_MM
    return np.where(gap, np.nan, low), np.where(gap, np.nan, high)
