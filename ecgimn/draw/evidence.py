"""Evidence as a picture: one transparent raster behind the leads, strips of signed area, one scale for all leads.

Everything here is read off the full-resolution map: a 40 ms bin is the sum of its samples, and the bins of a lead that
is drawn whole add up to the lead's contribution. Colours come from `ecgimn.draw.colours`; the limit of the scale is the
99th percentile of |evidence| over the bins of all leads, one number for the record, printed beside the colours.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ecgimn.draw.colours import N_STEPS, evidence_colours, evidence_index
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.draw.view import View
from ecgimn.explain.ledger import contribution
from ecgimn.leads import STANDARD_LEADS, lead_index

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
TRANSPARENT = 2 * N_STEPS + 1  # palette entry after the colours of the scale
WEBP_METHOD, WEBP_EFFORT = 3, 60  # slower settings save nothing more
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
        Where the spread over seeds is larger than the value.
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
    """Return what a view draws of the evidence for a class: its `quantity`, `limit` and `show_uncertainty` decide."""
    weights = view.quantity == "weights"
    values = evidence.weights if weights else evidence.contribution
    fs = evidence.recording.fs
    limit = view.limit if view.limit is not None else robust_limit(values, fs)
    return EvidenceMap(
        values=values,
        fs=fs,
        limit=limit,
        limit_source="fixed" if view.limit is not None else "99th percentile of this record",
        name=evidence.name,
        quantity=view.quantity,
        unit="logit per mV per 40 ms" if weights else "logit per 40 ms",
        signed_by_lead=weights,
        uncertain=_uncertain(evidence, view, values, limit) if view.show_uncertainty else None,
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
    if not limit > 0:
        return 1.0
    digit = 10.0 ** (math.floor(math.log10(limit)) - 1)
    return float(f"{math.ceil(limit / digit - 1e-9) * digit:.2g}")


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
    strip_half = 2.0 if layout.pitch_mm <= 15 else 3.0
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
) -> NDArray[np.uint8]:
    """Return the raster of a page as rows of the evidence scale, top row first, or `TRANSPARENT`.

    It covers the paper from the beginning of the signal (`origin_mm`) to the right border.

    Raises
    ------
    ValueError
        The style is "blocks" and no waves are given.
    """
    if view.style == "blocks" and waves is None:
        raise ValueError("The style 'blocks' needs the waves of the recording. Give waves, or choose 'band'.")
    density = block_density(evidence.values, waves) if view.style == "blocks" and waves else evidence.density
    line = view.style == "line"
    rows_per_mm, columns_per_mm = LINE_DOTS_PER_MM if line else (ROWS_PER_MM, COLUMNS_PER_MM)
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


def overlay_webp(raster: NDArray[np.uint8], *, dark: bool = False) -> bytes:
    """Return a raster of `overlay_indices` as a lossless WebP, a quarter smaller than a PNG with a palette.

    Equal rasters give equal bytes.
    """
    opaque = np.pad(evidence_colours(dark=dark), ((0, 0), (0, 1)), constant_values=255)
    colours = np.concatenate([opaque, np.zeros((1, 4), np.uint8)])  # one row per entry, the last is TRANSPARENT
    file = io.BytesIO()
    Image.fromarray(colours[raster]).save(file, "WEBP", lossless=True, quality=WEBP_EFFORT, method=WEBP_METHOD)
    return file.getvalue()


def webp_uri(webp: bytes) -> str:
    """Return a WebP as a data URI."""
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")


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


def lead_sums(evidence: EvidenceMap) -> dict[str, float]:
    """Return the sum of the map over each lead, the same numbers as the ledger's lead totals."""
    return {lead: float(total) for lead, total in zip(STANDARD_LEADS, evidence.values.sum(axis=1), strict=True)}
