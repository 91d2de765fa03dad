"""The mean beat of twelve leads in print: the panels of the screen, drawn by matplotlib in millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray

from ecgimn.draw.colours import css, evidence_colours, palette
from ecgimn.draw.marks import st_step
from ecgimn.draw.mean_beat import (
    BOX_MV,
    BOX_S,
    ROWS,
    ST_POINT_S,
    GreyBeat,
    MeanBeatEvidence,
    StrongCell,
    bars_of,
    beat_layout,
    strongest_cells,
)
from ecgimn.draw.painted import painted_indices
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.draw.print.ecg import PAINT_DOTS_PER_MM, POINTS_PER_MM, Sheet, print_raster
from ecgimn.explain.sentences import signed
from ecgimn.leads import lead_index
from ecgimn.signal.waves.find import WAVE_NAMES

OPACITY = 1.0


def draw_mean_beat(
    sheet: Sheet,
    corner_mm: tuple[float, float],
    room_mm: tuple[float, float],
    beat: MeanBeatEvidence,
    *,
    limit: float,
    rows: Sequence[Sequence[str]] = ROWS,
    confirmed: NDArray[np.bool_] | None = None,
    grey: GreyBeat | None = None,
    size: float = 7.0,
    called: int = 3,
) -> PaperLayout:
    """Draw the panels with the upper left corner at `corner_mm`, inside `room_mm`; return where they lie.

    Parameters
    ----------
    sheet : Sheet
    corner_mm, room_mm : tuple of float
        Left and upper edge on the sheet; width and height.
    beat : MeanBeatEvidence
    limit : float
        End of the colour scale per 40 ms.
    rows : sequence of sequences of str
    confirmed : ndarray of shape (12, n_waves), bool, optional
        The other cells are hatched.
    grey : GreyBeat, optional
    size : float
        Of the letters, in points; lines follow it.
    called : int
        How many cells are framed.
    """
    head = 1.5 * size / POINTS_PER_MM
    others = None if grey is None else grey.above_mv
    layout = beat_layout(beat, room_mm, rows=rows, head=head, gap=0.5 * head, others_mv=others)
    left = corner_mm[0] + max((room_mm[0] - layout.width_mm) / 2, 0.0)
    axes = sheet.axes(left, corner_mm[1] - layout.height_mm, layout.width_mm, layout.height_mm)
    raster = painted_indices(
        beat.paint,
        layout,
        limit,
        hatched=beat.hatched(confirmed),
        dots_per_mm=(PAINT_DOTS_PER_MM, PAINT_DOTS_PER_MM),
        least_mm=0.08 * size,
    )
    axes.imshow(
        print_raster(raster, PAINT_DOTS_PER_MM, PAINT_DOTS_PER_MM, OPACITY, paint=True),
        extent=(0, raster.shape[1] / PAINT_DOTS_PER_MM, layout.height_mm - raster.shape[0] / PAINT_DOTS_PER_MM,
                layout.height_mm),
        aspect="auto",
        interpolation="none",
        zorder=2,
    )  # fmt: skip
    strong = strongest_cells(beat.cells, confirmed, most=called)
    for panel in layout.panels:
        _draw_panel(axes, layout, panel, beat, grey, strong, size)
    axes.set_xlim(0, layout.width_mm)
    axes.set_ylim(0, layout.height_mm)
    return layout


def _draw_panel(
    axes: Any,  # matplotlib Axes
    layout: PaperLayout,
    panel: Panel,
    beat: MeanBeatEvidence,
    grey: GreyBeat | None,
    strong: Sequence[StrongCell],
    size: float,
) -> None:
    colours = palette(overlay=True, dark=False)
    lead, line = lead_index(panel.lead), panel.baseline_mm
    row, fs = beat.paint.above_mv[lead], beat.fs
    width = layout.panel_width_mm(panel)
    mates = [lead_index(other.lead) for other in layout.panels if other.row == panel.row]
    high = line + layout.gain * max(float(np.nanmax(beat.paint.above_mv[mates])), 0.2)
    low = line + layout.gain * min(float(np.nanmin(beat.paint.above_mv[mates])), -0.2)

    def x_at(sample: float) -> float:
        return panel.x0_mm + sample / fs * layout.speed

    style: dict[str, Any] = {"solid_capstyle": "butt", "clip_on": False}
    thin = 0.055 * size  # points
    for second in np.arange(0.0, width / layout.speed + 1e-6, BOX_S):
        upright = panel.x0_mm + second * layout.speed
        axes.plot([upright, upright], [low, high], color=colours.fine, linewidth=thin, zorder=1, **style)
    box = BOX_MV * layout.gain
    for y in line + box * np.arange(np.ceil((low - line) / box), (high - line) / box + 1e-6):
        axes.plot([panel.x0_mm, panel.x0_mm + width], [y, y], color=colours.fine, linewidth=thin, zorder=1, **style)
    axes.plot([panel.x0_mm, panel.x0_mm + width], [line, line], color=colours.muted, linewidth=thin, zorder=3, **style)
    if grey is not None:
        first = round(beat.r_index / fs * grey.fs) - grey.r_index
        places = panel.x0_mm + (first + np.arange(grey.above_mv.shape[1])) / grey.fs * layout.speed
        seen = (places >= panel.x0_mm) & (places <= panel.x0_mm + width)
        axes.plot(places[seen], line + layout.gain * grey.above_mv[lead, seen], color=colours.muted, alpha=0.4,
                  linewidth=0.2 * size, zorder=3)  # fmt: skip
    below = 0.16 * size
    for wave, colour in bars_of(beat, lead, colours):
        inside = np.flatnonzero(beat.labels[lead] == wave)
        if inside.size:
            y = line + layout.gain * min(0.0, float(np.nanmin(row[inside]))) - below
            ends_x = [x_at(inside[0]), x_at(inside[-1])]
            axes.plot(ends_x, [y, y], color=colour, linewidth=0.24 * size, zorder=4, **style)
    x = panel.x0_mm + np.arange(row.size) / fs * layout.speed
    axes.plot(x, line + layout.gain * row, color=colours.trace, linewidth=0.13 * size, zorder=6)
    if np.isfinite(beat.j):
        y = line + layout.gain * float(np.nan_to_num(row[min(round(beat.j), row.size - 1)]))
        tick = [y - 0.14 * size, y + 0.14 * size]
        axes.plot([x_at(beat.j)] * 2, tick, color=colours.text, linewidth=0.1 * size, zorder=7)
        at = beat.j + ST_POINT_S * fs
        if np.isfinite(beat.st_mv[lead]) and at < row.size:
            tint = colours.st_levels[st_step(float(beat.st_mv[lead]))]
            y = line + layout.gain * float(np.nan_to_num(row[round(at)]))
            axes.plot(x_at(at), y, marker="o", color=tint, markersize=0.4 * size, zorder=7)
    words: dict[str, Any] = {"fontsize": size, "zorder": 8, "parse_math": False}
    axes.text(panel.x0_mm, high + 0.1 * size, panel.label, fontweight="bold", color=colours.text, **words)
    total = float(beat.sums[lead])
    ends = evidence_colours(paint=True)
    axes.text(panel.x0_mm + width, high + 0.1 * size, signed(total), ha="right",
              color=css((0.7 * ends[-1 if total >= 0 else 0] + 9).astype(np.uint8)), **words)  # fmt: skip
    for place, cell in enumerate(strong):
        inside = np.flatnonzero(beat.labels[lead] == WAVE_NAMES.index(cell.wave))
        if cell.lead != panel.lead or not inside.size:
            continue
        pad = 0.08 * size
        top = line + layout.gain * max(float(np.nanmax(row[inside])), 0.0) + pad
        foot = line + layout.gain * min(float(np.nanmin(row[inside])), 0.0) - pad
        frame = FancyBboxPatch(
            (x_at(inside[0]) - pad, foot), x_at(inside[-1]) - x_at(inside[0]) + 2 * pad, top - foot, fill=False,
            boxstyle=f"round,pad=0,rounding_size={0.12 * size:.2f}", edgecolor=colours.text, linewidth=0.11 * size,
            linestyle="-" if place == 0 else (0, (3, 2)), zorder=7, clip_on=False,
        )  # fmt: skip
        axes.add_patch(frame)
