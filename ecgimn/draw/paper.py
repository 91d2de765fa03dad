"""ECG paper in millimetres: where each lead, pulse and line lies. Every picture, on screen or in print, starts here.

Coordinates: x to the right and y upwards in mm, (0, 0) at the lower left corner of the grid. A time t of a panel is at
`x0_mm + (t - start_s) * speed`, a voltage v at `baseline_mm + sign * v * gain`. Conventions: AHA/ACC/HRS 2007
recommendations for the standardization of the electrocardiogram, part I (doi:10.1161/CIRCULATIONAHA.106.180200).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import CHEST_LEADS, CONTIGUOUS_LIMB, LIMB_LEADS, STANDARD_LEADS

LayoutName = Literal["12x1", "3x4+1R", "3x4+3R", "6x2"]

LAYOUTS: tuple[LayoutName, ...] = ("12x1", "3x4+1R", "3x4+3R", "6x2")
SPEEDS_MM_PER_S = (12.5, 25.0, 50.0)  # the speeds of clinical recorders; 25 is usual
GAINS_MM_PER_MV = (5.0, 10.0, 20.0)  # half, standard and double gain
STANDARD_SPEED_MM_PER_S = 25.0
STANDARD_GAIN_MM_PER_MV = 10.0

FINE_MM, BOLD_MM = 1.0, 5.0  # the grid is paper: 1 and 5 mm at every speed and gain
PULSE_MV, PULSE_S = 1.0, 0.2  # calibration pulse: 1 mV high, 200 ms wide
PULSE_LEAD_MM = 1.5  # flat line before and after the pulse
PAGE_SIGNAL_MM = 250.0  # 10 s at 25 mm/s; with 10 mm for the pulse it fits A4 landscape (297 mm)
MARGIN_RIGHT_MM = 5.0
BLOCK_S = 10.0  # a standard recording; longer ones are laid out block by block
LOW_FS_HZ = 100.0  # at or below, one sample is 0.25 mm at 25 mm/s

_PITCH_MM: dict[LayoutName, float] = {"12x1": 15.0, "3x4+1R": 40.0, "3x4+3R": 25.0, "6x2": 25.0}
#: Between these the distance of the rows follows the tallest waves of the recording.
PITCH_RANGE_MM: dict[LayoutName, tuple[float, float]] = {
    "12x1": (15.0, 15.0),  # twelve rows that kept clear of one another would be half as large
    "3x4+1R": (25.0, 65.0),
    "3x4+3R": (20.0, 50.0),
    "6x2": (20.0, 45.0),
}
_COLUMNS: dict[LayoutName, int] = {"12x1": 1, "3x4+1R": 4, "3x4+3R": 4, "6x2": 2}
_RHYTHM: dict[LayoutName, tuple[str, ...]] = {"12x1": (), "3x4+1R": ("II",), "3x4+3R": ("V1", "II", "V5"), "6x2": ()}


@dataclass(frozen=True)
class Panel:
    """One stretch of one lead on the paper.

    Attributes
    ----------
    lead : str
        Standard lead whose samples are drawn.
    label : str
        What is printed: the lead, or "-aVR" in the Cabrera order.
    sign : {1, -1}
        -1 where the lead is drawn upside down; voltage and weight change sign, a contribution does not.
    row, column : int
        Place in the layout, counted from the top left; a rhythm strip has column 0.
    x0_mm, baseline_mm : float
        Where `start_s` and 0 mV lie.
    start_s, stop_s : float
        The stretch of the recording that is drawn, in seconds from its beginning.
    rhythm : bool
        Whether it is a rhythm strip.
    """

    lead: str
    label: str
    sign: int
    row: int
    column: int
    x0_mm: float
    baseline_mm: float
    start_s: float
    stop_s: float
    rhythm: bool = False

    def samples(self, fs: float, n_samples: int) -> slice:
        """Return the samples drawn: from the first at or after `start_s` up to, not including, `stop_s`."""
        first = math.ceil(self.start_s * fs - 1e-6)
        last = math.ceil(self.stop_s * fs - 1e-6)
        return slice(min(first, n_samples), min(last, n_samples))


@dataclass(frozen=True)
class PaperLayout:
    """A page of ECG paper; make one with `paper_layout`.

    Attributes
    ----------
    name : {"12x1", "3x4+1R", "3x4+3R", "6x2"} or str
        Another name where it holds one beat.
    speed, gain : float
        mm/s and mm/mV.
    cabrera, simultaneous : bool
        Cabrera order of the limb leads; all columns from the same moment instead of one after the other.
    panels : tuple of Panel
    width_mm, height_mm : float
        Size of the grid, whole multiples of 5 mm.
    pitch_mm : float
        Distance of the rows.
    origin_mm : float
        Where the signal begins, to the right of the calibration pulse.
    page, n_pages : int
        Pages of a recording that needs more than one sheet; `page` counts from 0.
    """

    name: str
    speed: float
    gain: float
    cabrera: bool
    simultaneous: bool
    panels: tuple[Panel, ...]
    width_mm: float
    height_mm: float
    pitch_mm: float
    origin_mm: float
    page: int = 0
    n_pages: int = 1

    def time_mm(self, panel: Panel, time_s: float | NDArray[np.floating]) -> float | NDArray[np.floating]:
        """Return x in mm of a time of a panel."""
        return panel.x0_mm + (time_s - panel.start_s) * self.speed

    def voltage_mm(self, panel: Panel, voltage_mv: float | NDArray[np.floating]) -> float | NDArray[np.floating]:
        """Return y in mm of a voltage of a panel."""
        return panel.baseline_mm + panel.sign * self.gain * voltage_mv

    def panel_width_mm(self, panel: Panel) -> float:
        """Return the width of a panel in mm."""
        return (panel.stop_s - panel.start_s) * self.speed

    @cached_property
    def baselines_mm(self) -> tuple[float, ...]:
        """Height of 0 mV of each row, from the top row down."""
        rows = {panel.row: panel.baseline_mm for panel in self.panels}
        return tuple(rows[row] for row in sorted(rows))

    @cached_property
    def pulse_mm(self) -> tuple[tuple[float, float], ...]:
        """Corners of the calibration pulse (x, height above the baseline), drawn at the left of every row."""
        width, height = PULSE_S * self.speed, PULSE_MV * self.gain
        left = (self.origin_mm - width) / 2
        return (
            (left - PULSE_LEAD_MM, 0.0),
            (left, 0.0),
            (left, height),
            (left + width, height),
            (left + width, 0.0),
            (left + width + PULSE_LEAD_MM, 0.0),
        )

    def at_mm(self, x_mm: float, y_mm: float) -> tuple[Panel, float, float] | None:
        """Return panel, time in s and voltage in mV of a point of the paper, or None outside every panel.

        The row with the nearest baseline is meant, since tall complexes reach into the next row.
        """
        inside = [p for p in self.panels if p.x0_mm <= x_mm <= p.x0_mm + self.panel_width_mm(p)]
        if not inside:
            return None
        panel = min(inside, key=lambda p: abs(p.baseline_mm - y_mm))
        time_s = panel.start_s + (x_mm - panel.x0_mm) / self.speed
        return panel, time_s, panel.sign * (y_mm - panel.baseline_mm) / self.gain

    def mask(self, fs: float, n_samples: int) -> NDArray[np.bool_]:
        """Return which samples are drawn, (12, n_samples) in the order of `STANDARD_LEADS`, each counted once."""
        drawn = np.zeros((12, n_samples), dtype=bool)
        for panel in self.panels:
            drawn[STANDARD_LEADS.index(panel.lead), panel.samples(fs, n_samples)] = True
        return drawn


def paper_layout(
    name: LayoutName,
    duration_s: float,
    *,
    speed: float = STANDARD_SPEED_MM_PER_S,
    gain: float = STANDARD_GAIN_MM_PER_MV,
    cabrera: bool = False,
    simultaneous: bool = False,
    page: int = 0,
    headroom_mm: tuple[float, float] = (0.0, 0.0),
    pitch_mm: float | None = None,
) -> PaperLayout:
    """Lay a recording out on paper.

    A page holds at most 250 mm of signal; what is longer (10 s at 50 mm/s, recordings over 10 s) goes on further pages
    at the same scale, never squeezed.

    Parameters
    ----------
    name : {"12x1", "3x4+1R", "3x4+3R", "6x2"}
    duration_s : float
        Length of the recording in seconds; columns share a recording shorter than 10 s evenly.
    speed : {12.5, 25, 50}
        mm/s.
    gain : {5, 10, 20}
        mm/mV.
    cabrera : bool
        Limb leads as aVL, I, -aVR, II, aVF, III.
    simultaneous : bool
        All columns begin at the same moment instead of following one another.
    page : int
        Which page, from 0; a page past the last gives the last.
    headroom_mm : tuple of float
        How far the trace reaches above the first and below the last baseline; the paper grows to hold it.
    pitch_mm : float, optional
        Distance of the rows, a multiple of 5 mm; the usual one of the layout when None.

    Returns
    -------
    PaperLayout

    Raises
    ------
    ValueError
        Unknown layout, speed or gain, or a duration that is not positive.
    """
    _check("layout", name, LAYOUTS)
    _check("speed", speed, SPEEDS_MM_PER_S)
    _check("gain", gain, GAINS_MM_PER_MV)
    if not duration_s > 0:
        raise ValueError(f"Invalid value for the 'duration_s' parameter: {duration_s!r}. It must be positive.")
    pitch = _PITCH_MM[name] if pitch_mm is None else pitch_mm
    origin = max(10.0, up_to_bold(PULSE_S * speed + 2 * PULSE_LEAD_MM))
    block_s = max(BLOCK_S, PAGE_SIGNAL_MM / speed)
    n_blocks = max(1, math.ceil(duration_s / block_s - 1e-9))
    cuts = [
        (block, cut)
        for block in range(n_blocks)
        for cut in range(max(1, math.ceil(min(block_s, duration_s - block * block_s) * speed / PAGE_SIGNAL_MM - 1e-9)))
    ]
    page = min(max(page, 0), len(cuts) - 1)
    block, cut = cuts[page]
    start_s = block * block_s
    panels = _block_panels(
        name, start_s, min(block_s, duration_s - start_s), speed, cabrera=cabrera, simultaneous=simultaneous
    )
    panels = _cut_panels(panels, cut * PAGE_SIGNAL_MM, speed)

    n_rows = 1 + max(panel.row for panel in panels)
    half = min(pitch, _PITCH_MM[name]) / 2
    top = up_to_bold(max(half + BOLD_MM, headroom_mm[0]))
    bottom = up_to_bold(max(half, headroom_mm[1]))
    first = bottom + (n_rows - 1) * pitch
    placed = tuple(
        replace(panel, x0_mm=origin + panel.x0_mm, baseline_mm=first - panel.row * pitch) for panel in panels
    )
    signal_mm = max(panel.x0_mm + (panel.stop_s - panel.start_s) * speed for panel in panels)
    return PaperLayout(
        name=name,
        speed=float(speed),
        gain=float(gain),
        cabrera=cabrera,
        simultaneous=simultaneous,
        panels=placed,
        width_mm=up_to_bold(origin + signal_mm + MARGIN_RIGHT_MM - 1e-6),
        height_mm=first + top,
        pitch_mm=pitch,
        origin_mm=origin,
        page=page,
        n_pages=len(cuts),
    )


def footer_parts(
    layout: PaperLayout,
    fs: float,
    *,
    filter_name: str = "none",
    reference: str = "",
    scale: float | None = None,
    calibrated: bool = False,
) -> tuple[str, ...]:
    """Return what must be printed under every ECG: scales, filter, rate, layout, times, reference, effective scale.

    Parameters
    ----------
    layout : PaperLayout
    fs : float
        Sampling frequency in Hz.
    filter_name : str
        The display filter with its corner frequencies, or "none".
    reference : str
        Reference level of the ST measurement ("PQ" or "TP"); left out when empty.
    scale : float, optional
        Drawn size over true size. Printed, with the effective mm/s and mm/mV, unless it is 1.
    calibrated : bool
        Whether the true size is that of a screen calibrated with a bank card; said wherever there is a `scale`.
    """
    parts = [
        f"{layout.speed:g} mm/s",
        f"{layout.gain:g} mm/mV",
        f"filter: {filter_name}",
        f"{fs:g} Hz",
        layout.name + (" Cabrera" if layout.cabrera else ""),
        _time_span(layout),
        f"1 mm = {1000 * FINE_MM / layout.speed:g} ms, {FINE_MM / layout.gain:g} mV",
    ]
    if layout.n_pages > 1:
        parts.append(f"page {layout.page + 1} of {layout.n_pages}")
    if reference:
        parts.append(f"ST reference: {reference}")
    if fs <= LOW_FS_HZ:
        parts.append("fine notching and pacing spikes not resolvable; J point and intervals ±10 ms")
    if scale is not None and abs(scale - 1) > 0.005:
        parts.append(
            f"drawn at {100 * scale:.0f} %: effective {layout.speed * scale:.1f} mm/s, {layout.gain * scale:.1f} mm/mV"
        )
    if scale is not None:
        parts.append("screen calibrated with a bank card" if calibrated else "screen not calibrated")
    return tuple(parts)


def _time_span(layout: PaperLayout) -> str:
    """Say which seconds each lead shows."""
    leads = [panel for panel in layout.panels if not panel.rhythm]
    spans = sorted({round(panel.stop_s - panel.start_s, 3) for panel in leads})
    lengths = " or ".join(f"{span:g}" for span in spans)
    first, last = min(p.start_s for p in leads), max(p.stop_s for p in leads)
    text = f"{lengths} s per lead ({first:g}–{last:g} s)"
    if rhythm := [panel for panel in layout.panels if panel.rhythm]:
        text += f", rhythm {rhythm[0].stop_s - rhythm[0].start_s:g} s"
    if any(panel.column for panel in leads):
        text += ", columns simultaneous" if layout.simultaneous else ", columns consecutive"
    return text


def _block_panels(
    name: LayoutName, start_s: float, length_s: float, speed: float, *, cabrera: bool, simultaneous: bool
) -> list[Panel]:
    """Panels of one block, x measured from the beginning of the signal; baselines are set later."""
    columns = _COLUMNS[name]
    leads = (*(CONTIGUOUS_LIMB if cabrera else LIMB_LEADS), *CHEST_LEADS)
    rows = len(leads) // columns
    span_s = length_s / columns
    panels = []
    for place, label in enumerate(leads):
        column, row = divmod(place, rows)
        begin_s = start_s + (0.0 if simultaneous else column * span_s)
        panels.append(_panel(label, row, column, column * span_s * speed, begin_s, begin_s + span_s))
    for extra, label in enumerate(_RHYTHM[name]):
        panels.append(_panel(label, rows + extra, 0, 0.0, start_s, start_s + length_s, rhythm=True))
    return panels


def _panel(
    label: str, row: int, column: int, x0_mm: float, start_s: float, stop_s: float, *, rhythm: bool = False
) -> Panel:
    lead, sign = (label[1:], -1) if label.startswith("-") else (label, 1)
    return Panel(lead, label, sign, row, column, x0_mm, 0.0, start_s, stop_s, rhythm)


def _cut_panels(panels: list[Panel], left_mm: float, speed: float) -> list[Panel]:
    """Keep what lies on the sheet that begins at `left_mm`."""
    right_mm = left_mm + PAGE_SIGNAL_MM
    kept = []
    for panel in panels:
        begin_mm = max(panel.x0_mm, left_mm)
        end_mm = min(panel.x0_mm + (panel.stop_s - panel.start_s) * speed, right_mm)
        if end_mm - begin_mm > 1e-6:
            start_s = panel.start_s + (begin_mm - panel.x0_mm) / speed
            stop_s = start_s + (end_mm - begin_mm) / speed
            kept.append(replace(panel, x0_mm=begin_mm - left_mm, start_s=start_s, stop_s=stop_s))
    return kept


def up_to_bold(length_mm: float) -> float:
    """Return the next multiple of 5 mm, so that baselines and borders lie on bold lines."""
    return BOLD_MM * math.ceil(length_mm / BOLD_MM - 1e-9)


def _check(parameter: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise ValueError(f"Invalid value for the {parameter!r} parameter: {value!r}. Allowed values are {choices}.")
