"""What lies under the trace on the screen, as SVG images: grid with ST, T and J marks, and strips of signed area.

In Plotly every tick and every stroke of a line with gaps is a node of its own: four hundred for the grid, four hundred
for the marked waves of twelve leads. As images they are one node each, sharp at every zoom, and need no more bytes.
Their unit is a twentieth of a millimetre.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.colours import Palette, css, evidence_colours
from ecgimn.draw.marks import LEVEL, StMarks, j_ticks, st_lines, t_lines
from ecgimn.draw.overlay import BIN_S, EvidenceMap, panel_cell
from ecgimn.draw.paper import BOLD_MM, FINE_MM, PaperLayout
from ecgimn.draw.view import View

if TYPE_CHECKING:
    from ecgimn.recording import Recording
    from ecgimn.signal.waves import Waves

UNITS_PER_MM = 20  # 0.05 mm, a seventh of a pixel: short numbers keep the figure small
FINE_LINE_MM, BOLD_LINE_MM = 0.18, 0.3  # line widths of the grid
UNSEEN_UNITS = 1  # a step of 0.05 mm is no step to the eye, and a strip of noise is full of them
TICK_MM = 2.5  # half height of the tick where one lead ends and the next begins


def paper_svg(
    layout: PaperLayout,
    recording: Recording,
    view: View,
    colours: Palette,
    *,
    waves: Waves | None,
    st: StMarks,
) -> str:
    """Return the grid of a page with the marks of its waves as SVG text of the paper's size."""
    parts = [
        grid_lines(layout, FINE_MM, colours.fine, FINE_LINE_MM),
        grid_lines(layout, BOLD_MM, colours.bold, BOLD_LINE_MM),
        _path(_ticks(layout), colours.muted, 0.3, "lead changes"),
    ]
    if waves is not None and view.show_t:
        for down, (x, y) in t_lines(layout, recording, waves).items():
            colour, name = (colours.t_inverted, "T inverted") if down else (colours.t_upright, "T upright")
            parts.append(_path(stroke_path(layout, x, y), colour, 1.0, name, opacity=0.6))
    if waves is not None and view.show_st:
        for step, (x, y) in st_lines(layout, recording, waves, st).items():
            # A level ST segment is the rule and stays quiet.
            width, opacity = (1.1, 0.6) if step == LEVEL else (1.7, 0.85)
            parts.append(
                _path(stroke_path(layout, x, y), colours.st_levels[step], width, f"ST {step}", opacity=opacity)
            )
        x, y = j_ticks(layout, recording, waves)
        parts.append(_path(stroke_path(layout, x, y), colours.text, 0.3, "J points", opacity=0.8))
    return _svg(layout, 0.0, parts)


def strips_left_mm(layout: PaperLayout) -> float:
    """Return where the image of the strips begins: a place of its own, since Plotly tells images apart by theirs."""
    return layout.origin_mm / 2


def strips_svg(layout: PaperLayout, evidence: EvidenceMap, view: View, colours: Palette, *, left_mm: float) -> str:
    """Return the strips of signed area under the leads as SVG text that covers the paper right of `left_mm`."""
    parts = [
        _strip_fill(layout, view),
        f"<path id='strips' d='{strip_path(layout, evidence)}' fill='url(#sign)'/>",
        _path(_zero_lines(layout), colours.muted, 0.15, "zero lines", opacity=0.6),
    ]
    return _svg(layout, left_mm, parts)


def _svg(layout: PaperLayout, left_mm: float, parts: list[str]) -> str:
    left, width, height = (round(mm * UNITS_PER_MM) for mm in (left_mm, layout.width_mm - left_mm, layout.height_mm))
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='{left} 0 {width} {height}'"
    size = f"width='{width}' height='{height}' preserveAspectRatio='none' stroke-linejoin='round'"
    return f"{head} {size}>{''.join(parts)}</svg>"


def svg_uri(svg: str) -> str:
    """Return an SVG as a data URI, percent-encoded: a third shorter than base64."""
    return "data:image/svg+xml," + quote(svg, safe=" ='/:,()-.")


def grid_lines(layout: PaperLayout, step_mm: float, colour: str, line_mm: float) -> str:
    """Return the grid lines of one step as two dashed strokes.

    A stroke as wide as the paper, in dashes as long as a line is thick, is a set of parallel lines: two short elements
    in place of four hundred moves.
    """
    width, height = layout.width_mm * UNITS_PER_MM, layout.height_mm * UNITS_PER_MM
    line, step = line_mm * UNITS_PER_MM, step_mm * UNITS_PER_MM
    dashes = f"stroke='{colour}' stroke-dasharray='{line:g} {step - line:g}' stroke-dashoffset='{line / 2:g}'"
    name = f"grid {step_mm:g} mm"
    return (
        f"<path id='{name} upright' d='M0 {height / 2:g}H{width:g}' stroke-width='{height:g}' {dashes}/>"
        f"<path id='{name} level' d='M{width / 2:g} 0V{height:g}' stroke-width='{width:g}' {dashes}/>"
    )


def stroke_path(layout: PaperLayout, x_mm: NDArray[np.floating], y_mm: NDArray[np.floating]) -> str:
    """Return strokes in mm, separated by NaN, as the data of one SVG path."""
    x = np.nan_to_num(x_mm * UNITS_PER_MM).round().astype(int).tolist()
    y = np.nan_to_num((layout.height_mm - y_mm) * UNITS_PER_MM).round().astype(int).tolist()
    gap = np.isnan(x_mm) | np.isnan(y_mm)
    words, before = [], None
    for here_x, here_y, missing in zip(x, y, gap.tolist(), strict=True):
        if missing:
            before = None
            continue
        if before is None:
            words.append(f"M{here_x} {here_y}")
        else:
            words.append(f"l{here_x - before[0]} {here_y - before[1]}")
        before = (here_x, here_y)
    return "".join(words)


def strip_path(layout: PaperLayout, evidence: EvidenceMap) -> str:
    """Return the strips of all panels as the data of one SVG path of steps, each closed along its zero line."""
    words = []
    step = round(BIN_S * layout.speed * UNITS_PER_MM)
    for panel in layout.panels:
        cell = panel_cell(layout, panel)
        bins = np.clip(evidence.panel_bins(panel) / evidence.limit, -1.0, 1.0)
        heights = np.round(-bins * cell.strip_half * UNITS_PER_MM).astype(int)  # upwards is negative in SVG
        left = round(panel.x0_mm * UNITS_PER_MM)
        right = round((panel.x0_mm + layout.panel_width_mm(panel)) * UNITS_PER_MM)
        zero = round((layout.height_mm - cell.strip_zero) * UNITS_PER_MM)
        at, level = left, 0
        words.append(f"M{left} {zero}")
        for place, height in enumerate(heights.tolist()):
            if abs(height - level) <= UNSEEN_UNITS and height != 0:
                continue
            if height != level:
                x = min(left + place * step, right)
                words.append((f"h{x - at}" if x > at else "") + f"v{height - level}")
                at, level = x, height
        words.append(f"H{right}V{zero}z")
    return "".join(words)


def _strip_fill(layout: PaperLayout, view: View) -> str:
    """Return a fill that is the colour of "raises" above the zero line of every row's strip, of "lowers" below it."""
    scale = evidence_colours(dark=view.dark)
    zero = round((layout.height_mm - panel_cell(layout, layout.panels[0]).strip_zero) * UNITS_PER_MM)
    half = round(layout.pitch_mm * UNITS_PER_MM / 2)
    stops = "".join(
        f"<stop offset='{offset}' stop-color='{css(colour)}'/>"
        for offset, colour in ((0, scale[-1]), (0.5, scale[-1]), (0.5, scale[0]), (1, scale[0]))
    )
    # The rows are evenly spaced, so one gradient of one row's height, repeated, fits every strip.
    return (
        f"<linearGradient id='sign' gradientUnits='userSpaceOnUse' x1='0' x2='0' y1='{zero - half}' y2='{zero + half}' "
        f"spreadMethod='repeat'>{stops}</linearGradient>"
    )


def _ticks(layout: PaperLayout) -> str:
    strokes = [
        _segment(layout, panel.x0_mm, panel.baseline_mm - TICK_MM, panel.x0_mm, panel.baseline_mm + TICK_MM)
        for panel in layout.panels
        if panel.x0_mm > layout.origin_mm
    ]
    return "".join(strokes)


def _zero_lines(layout: PaperLayout) -> str:
    strokes = []
    for panel in layout.panels:
        zero = panel_cell(layout, panel).strip_zero
        strokes.append(_segment(layout, panel.x0_mm, zero, panel.x0_mm + layout.panel_width_mm(panel), zero))
    return "".join(strokes)


def _segment(layout: PaperLayout, x0: float, y0: float, x1: float, y1: float) -> str:
    return stroke_path(layout, np.array([x0, x1]), np.array([y0, y1]))


def _path(data: str, colour: str, width_mm: float, name: str, *, opacity: float = 1.0) -> str:
    if not data:
        return ""
    return (
        f"<path id='{name}' d='{data}' fill='none' stroke='{colour}' stroke-width='{width_mm * UNITS_PER_MM:g}' "
        f"stroke-opacity='{opacity:g}'/>"
    )
