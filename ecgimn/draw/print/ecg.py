"""The ECG in print: the same millimetres as on the screen, drawn by matplotlib; negative evidence is hatched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ecgimn.draw.colours import N_STEPS, TRANSPARENT, Palette, blended, css, evidence_colours, evidence_index, palette
from ecgimn.draw.evidence import (
    BIN_S,
    COLUMNS_PER_MM,
    ROWS_PER_MM,
    EvidenceMap,
    overlay_indices,
    panel_cell,
    raster_dots,
)
from ecgimn.draw.marks import LEVEL, StMarks, beat_words, j_ticks, st_lines, t_lines
from ecgimn.draw.paper import BOLD_MM, FINE_MM, PaperLayout
from ecgimn.draw.view import View
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


A4_MM = (297.0, 210.0)  # landscape
POINTS_PER_MM = 72 / 25.4
PRINT_DOTS_PER_MM = 8  # of the evidence; hatching needs finer dots than a band
PAINT_DOTS_PER_MM = 12  # of painted areas, 300 dpi
HATCH_DOTS, HATCH_LINE_DOTS = 10, 4  # period and width of the hatch over negative evidence
HATCH_LIGHTEN = 0.75


@dataclass(frozen=True)
class Sheet:
    """One A4 sheet on a figure that may hold several, one below the other; all positions are in mm of the sheet.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    bottom_mm : float
        Where the sheet begins on the figure.
    n_sheets : int
        Sheets on the figure.
    """

    figure: Figure
    bottom_mm: float
    n_sheets: int

    def fraction(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Return figure coordinates of a place on the sheet."""
        width, height = self.figure.get_size_inches() * 25.4
        return x_mm / width, (self.bottom_mm + y_mm) / height

    def axes(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> Any:  # matplotlib Axes
        """Return bare axes in which one unit is one millimetre."""
        left, bottom = self.fraction(x_mm, y_mm)
        right, top = self.fraction(x_mm + width_mm, y_mm + height_mm)
        axes = self.figure.add_axes((left, bottom, right - left, top - bottom))
        axes.set_xlim(0, width_mm)
        axes.set_ylim(0, height_mm)
        axes.axis("off")
        return axes

    def text(self, x_mm: float, y_mm: float, words: str, *, size: float, bold: bool = False, **style: Any) -> None:
        """Write a line of text as it is: no markup, and "?" for what the font cannot print."""
        x, y = self.fraction(x_mm, y_mm)
        weight = "bold" if bold else "normal"
        self.figure.text(x, y, printable(words), fontsize=size, fontweight=weight, parse_math=False, **style)


def printable(words: str) -> str:
    """Return text with "?" for every character that the report's font does not have."""
    return "".join(letter if ord(letter) in _glyphs() else "?" for letter in words)


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def draw_paper(
    sheet: Sheet,
    corner_mm: tuple[float, float],
    layout: PaperLayout,
    recording: Recording,
    view: View,
    evidence: EvidenceMap | None,
    waves: Waves | None,
    st: StMarks,
) -> None:
    """Draw a page of ECG paper with its lower left corner at `corner_mm` of the sheet."""
    colours = palette(overlay=evidence is not None, dark=False)
    axes = sheet.axes(*corner_mm, layout.width_mm, layout.height_mm)
    axes.add_patch(Rectangle((0, 0), layout.width_mm, layout.height_mm, facecolor=colours.paper, linewidth=0, zorder=0))
    if evidence is not None:
        rows, columns = (PAINT_DOTS_PER_MM,) * 2 if evidence.paint is not None else raster_dots(evidence, view)
        raster = overlay_indices(evidence, layout, view, recording, waves, (rows, columns))
        axes.imshow(
            print_raster(raster, rows, columns, view.opacity, paint=evidence.paint is not None),
            extent=(layout.origin_mm, layout.width_mm, 0, layout.height_mm),
            aspect="auto",
            interpolation="none",
            zorder=1,
        )
    _grid(axes, layout, colours)
    if evidence is not None and view.show_strip:
        _strips(axes, layout, evidence, colours)
    if waves is not None:
        _marks(axes, layout, recording, view, waves, st, colours)
    _traces(axes, layout, recording, colours)
    _labels(axes, layout, st, colours)
    for x, y, word in beat_words(layout, recording, st):
        style = {"fontsize": 8, "fontweight": "bold", "ha": "center", "va": "bottom", "color": colours.outline}
        axes.text(x, y, word, zorder=9, **style)
    axes.set_xlim(0, layout.width_mm)
    axes.set_ylim(0, layout.height_mm)


def print_raster(
    raster: NDArray[np.uint8], rows_per_mm: int, columns_per_mm: int, opacity: float, *, paint: bool = False
) -> NDArray[np.uint8]:
    """Return a raster of the evidence as RGBA dots.

    Negative evidence is hatched, so that grey prints keep the sign; painted areas keep it by their strength and by the
    strip, and have a hatch for what is unsure.
    """
    finer = PAINT_DOTS_PER_MM if paint else PRINT_DOTS_PER_MM
    rows = np.arange(raster.shape[0] * finer // rows_per_mm) * rows_per_mm // finer
    columns = np.arange(raster.shape[1] * finer // columns_per_mm) * columns_per_mm // finer
    dots = raster[rows][:, columns]
    rgba = np.full((TRANSPARENT + 1, 4), 255, dtype=np.uint8)  # transparent white: viewers that smooth draw no dark rim
    rgba[:TRANSPARENT, :3] = [blended(colour, opacity) for colour in evidence_colours(paint=paint)]
    rgba[TRANSPARENT, 3] = 0
    if paint:
        return np.asarray(rgba[dots])
    light = rgba.copy()
    light[:N_STEPS, :3] = np.round(HATCH_LIGHTEN * 255 + (1 - HATCH_LIGHTEN) * rgba[:N_STEPS, :3])
    stripe = (np.arange(dots.shape[0])[:, None] + np.arange(dots.shape[1])) % HATCH_DOTS < HATCH_LINE_DOTS
    return np.asarray(np.where(stripe[..., None], light[dots], rgba[dots]))


def draw_colour_bar(sheet: Sheet, x_mm: float, y_mm: float, evidence: EvidenceMap, view: View) -> None:
    """Draw the colour bar, 50 mm high, with its limits, unit and the words for both ends."""
    axes = sheet.axes(x_mm, y_mm, 5.0, 50.0)
    painted = evidence.paint is not None
    scale = evidence_index(np.linspace(1.0, -1.0, 50 * ROWS_PER_MM), 1.0, evidence.power)
    column = np.repeat(scale[:, None], 5 * COLUMNS_PER_MM, axis=1)
    axes.imshow(
        print_raster(column, ROWS_PER_MM, COLUMNS_PER_MM, view.opacity, paint=painted),
        extent=(0, 5, 0, 50),
        aspect="auto",
        interpolation="none",
    )
    axes.add_patch(Rectangle((0, 0), 5, 50, facecolor="none", edgecolor="#555555", linewidth=0.5))
    axes.set_xlim(0, 5)
    axes.set_ylim(0, 50)
    limit = f"{evidence.limit:g}"
    for height, words in ((49, f"+{limit}"), (37, "raises"), (25, "0"), (12, "lowers"), (0, f"−{limit}")):
        sheet.text(x_mm + 6.0, y_mm + height - 0.5, words, size=6.5)
    lines = [evidence.name, *evidence.quantity.split(", "), *evidence.unit.replace(" per ", "\nper ").split("\n")]
    for place, words in enumerate(reversed(lines)):
        sheet.text(x_mm, y_mm + 53.0 + 3.2 * place, words, size=6.5, bold=place == len(lines) - 1)
    kind = "strip: signed area" if painted else "hatched: negative"
    for place, words in enumerate((kind, "limit:", *_wrapped(evidence.limit_source))):
        sheet.text(x_mm, y_mm - 5.0 - 2.8 * place, words, size=5.0)


def _wrapped(words: str) -> tuple[str, ...]:
    head, _, tail = words.partition(" of ")
    return (head, f"of {tail}") if tail else (head,)


def _grid(axes: Any, layout: PaperLayout, colours: Palette) -> None:
    for step, colour, width_mm in ((FINE_MM, colours.fine, 0.08), (BOLD_MM, colours.bold, 0.2)):
        x, y = (np.arange(0, length + step / 2, step) for length in (layout.width_mm, layout.height_mm))
        segments = [((at, 0), (at, layout.height_mm)) for at in x] + [((0, at), (layout.width_mm, at)) for at in y]
        lines = LineCollection(segments, colors=colour, linewidths=width_mm * POINTS_PER_MM, zorder=2)
        lines.set_gid(f"grid-{step:g}mm")
        axes.add_collection(lines, autolim=False)


def _strips(axes: Any, layout: PaperLayout, evidence: EvidenceMap, colours: Palette) -> None:
    scale = evidence_colours()
    for panel in layout.panels:
        cell = panel_cell(layout, panel)
        bins = np.clip(evidence.panel_bins(panel) / evidence.strip_limit, -1.0, 1.0) * cell.strip_half
        edges = panel.x0_mm + np.arange(bins.size + 1) * BIN_S * layout.speed
        edges[-1] = panel.x0_mm + layout.panel_width_mm(panel)
        heights = cell.strip_zero + np.append(bins, bins[-1:])
        style: dict[str, Any] = {"step": "post", "linewidth": 0, "zorder": 3}
        above, below = np.maximum(heights, cell.strip_zero), np.minimum(heights, cell.strip_zero)
        axes.fill_between(edges, cell.strip_zero, above, color=css(scale[-1]), **style)
        axes.fill_between(edges, cell.strip_zero, below, color=css(scale[0]), **style)
        axes.plot(edges[[0, -1]], [cell.strip_zero] * 2, color=colours.muted, linewidth=0.2, alpha=0.6, zorder=3)


def _marks(
    axes: Any, layout: PaperLayout, recording: Recording, view: View, waves: Waves, st: StMarks, colours: Palette
) -> None:
    if view.show_t:
        for down, (x, y) in t_lines(layout, recording, waves, st).items():
            colour, width_mm = (colours.t_inverted, 0.7) if down else (colours.t_upright, 0.3)
            axes.plot(x, y, color=colour, linewidth=width_mm * POINTS_PER_MM, solid_capstyle="butt", zorder=4)
    if view.show_st:
        for step, (x, y) in st_lines(layout, recording, waves, st).items():
            style = {"linewidth": (0.3 if step == LEVEL else 0.7) * POINTS_PER_MM, "solid_capstyle": "butt"}
            axes.plot(x, y, color=colours.st_levels[step], **style, zorder=5)
        axes.plot(*j_ticks(layout, recording, waves), color=colours.text, linewidth=0.5, zorder=6)
    for panel in layout.panels:
        if panel.lead in st.outlined and not panel.rhythm:
            corner = (panel.x0_mm, panel.baseline_mm - layout.pitch_mm / 2)
            size = (layout.panel_width_mm(panel), layout.pitch_mm)
            axes.add_patch(
                Rectangle(corner, *size, facecolor="none", edgecolor=colours.outline, linewidth=0.9, zorder=7)
            )


def _traces(axes: Any, layout: PaperLayout, recording: Recording, colours: Palette) -> None:
    """Draw pulses and leads; nothing is clipped at the border of the paper."""
    style: dict[str, Any] = {"color": colours.trace, "solid_joinstyle": "round", "clip_on": False, "zorder": 8}
    for row, baseline in enumerate(layout.baselines_mm):
        pulse = np.array(layout.pulse_mm) + np.array([0.0, baseline])
        (line,) = axes.plot(pulse[:, 0], pulse[:, 1], linewidth=0.6, **style)
        line.set_gid(f"pulse-{row}")
    for place, panel in enumerate(layout.panels):
        drawn = panel.samples(recording.fs, recording.n_samples)
        x = layout.time_mm(panel, np.arange(drawn.start, drawn.stop) / recording.fs)
        y = layout.voltage_mm(panel, recording.signal[lead_index(panel.lead), drawn].astype(np.float64))
        (line,) = axes.plot(x, y, linewidth=0.65, **style)
        line.set_gid(f"lead-{place}-{panel.label}")
        if panel.x0_mm > layout.origin_mm:
            tick = [panel.baseline_mm - 2.5, panel.baseline_mm + 2.5]
            axes.plot([panel.x0_mm] * 2, tick, color=colours.muted, linewidth=0.5, zorder=8)


def _labels(axes: Any, layout: PaperLayout, st: StMarks, colours: Palette) -> None:
    for panel in layout.panels:
        marked = panel.lead in st.outlined
        axes.text(
            panel.x0_mm + 0.8,
            panel.baseline_mm + min(layout.pitch_mm * 0.36, 9.0),
            panel.label + (" ST ▲" if marked else ""),
            fontsize=8,
            fontweight="bold",
            color=colours.outline if marked else colours.text,
            zorder=9,
        )
