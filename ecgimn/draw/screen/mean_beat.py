"""The mean beat of twelve leads as one SVG: painted panels in three rows, with sums, marks and the strongest cells.

It is plain SVG of a size given in pixels, one path per lead and one picture for all that is painted: about two hundred
nodes. Every panel is a group with `data-lead`, every stretch of a wave a clear rectangle with `data-lead`, `data-wave`
and `data-logit`, so that a page can point from a cell of the ledger to its stretch and back.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.colours import Palette, css, evidence_colours, evidence_index, palette
from ecgimn.draw.evidence import painted_png
from ecgimn.draw.marks import st_step
from ecgimn.draw.mean_beat import (
    BOX_MV,
    BOX_S,
    ST_POINT_S,
    GreyBeat,
    MeanBeatEvidence,
    StrongCell,
    bars_of,
    beat_layout,
    beats_words,
    strongest_cells,
    strongest_words,
)
from ecgimn.draw.painted import PAINT_POWER, painted_indices
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.explain.sentences import signed
from ecgimn.leads import lead_index
from ecgimn.signal.waves.find import ST, WAVE_NAMES, P, T

HEAD_PX, GAP_PX, MARGIN_PX = 20.0, 10.0, 4.0
LINE_PX, LETTER_PX = 15.0, 6.4  # of the words below
DOTS_PER_PX = 2  # of the painted areas, for screens with fine pixels
LEAST_PX = 2.0
LEAST_BOX_PX = 2.0
POINTS_FS = 250.0  # of a line
SHOWN_WAVES = (P, 2, 3, ST, T)  # stretches that can be pointed at
FONT = "Source Sans Pro, Source Sans, Helvetica, Arial, sans-serif"


def mean_beat_svg(
    beat: MeanBeatEvidence,
    *,
    name: str,
    size_px: tuple[float, float],
    limit: float | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    grey: GreyBeat | None = None,
    show_evidence: bool = True,
    show_marks: bool = True,
    dark: bool = False,
) -> str:
    """Draw the mean beat as an SVG element.

    Parameters
    ----------
    beat : MeanBeatEvidence
    name : str
        Class, or difference of two, whose evidence it is.
    size_px : tuple of float
        Width and most height in CSS pixels.
    limit : float, optional
        End of the colour scale per 40 ms: the trace's, so that both have the same colours; the beat's own largest
        value when None.
    confirmed : ndarray of shape (12, n_waves), bool, optional
        Cells that the network confirmed when they were taken out; the others are hatched and not called out.
    grey : GreyBeat, optional
    show_evidence, show_marks : bool
        The two layers: painted areas, sums and called cells; J points, ST levels and T waves.
    dark : bool
    """
    colours = palette(overlay=True, dark=dark)
    limit = limit or beat.paint.largest
    strong = strongest_cells(beat.cells, confirmed) if show_evidence else ()
    words = _words(beat, strong, name, size_px[0], confirmed, grey, show_evidence=show_evidence)
    foot = (len(words) + show_evidence + show_marks) * LINE_PX + 4
    room = (size_px[0] - 2 * MARGIN_PX, max(size_px[1] - foot - MARGIN_PX, 120.0))
    layout = beat_layout(beat, room, head=HEAD_PX, gap=GAP_PX, others_mv=None if grey is None else grey.above_mv)
    left = MARGIN_PX + max((room[0] - layout.width_mm) / 2, 0.0)
    height = layout.height_mm + foot + MARGIN_PX
    parts = [_grid(layout, colours)]
    if grey is not None:
        parts += [_grey_line(layout, panel, beat, grey, colours) for panel in layout.panels]
    if show_evidence:
        parts.append(_picture(beat, layout, limit, confirmed, dark=dark))
    ends = evidence_colours(dark=dark, paint=True)
    tints = {True: css(ends[-1]), False: css(ends[0])}
    for panel in layout.panels:
        parts.append(_panel(beat, layout, panel, colours, strong, tints, evidence=show_evidence, marks=show_marks))
    lines = [
        f"<text class='note' x='{MARGIN_PX:g}' y='{layout.height_mm + LINE_PX * (place + 1):.1f}' "
        f"fill='{colours.text if place == 0 and strong else colours.muted}'>{html.escape(line)}</text>"
        for place, line in enumerate(words)
    ]
    if show_evidence:
        lines.append(_key(layout.height_mm + LINE_PX * (len(words) + 0.35), limit, colours, dark=dark))
    if show_marks:
        lines.append(_marks_key(layout.height_mm + LINE_PX * (len(words) + show_evidence + 1), colours))
    said = html.escape("; ".join(words), quote=True)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' class='mean-beat' width='{size_px[0]:g}' height='{height:.0f}' "
        f"viewBox='0 0 {size_px[0]:g} {height:.0f}' role='img' aria-label='Mean beat of twelve leads. {said}' "
        f"data-px-per-mv='{layout.gain:.2f}' data-px-per-s='{layout.speed:.2f}' font-family='{FONT}' font-size='12'>"
        f"<g transform='translate({left:.1f} 0)' stroke-linejoin='round'>{''.join(parts)}</g>{''.join(lines)}</svg>"
    )


def _words(
    beat: MeanBeatEvidence,
    strong: Sequence[StrongCell],
    name: str,
    width_px: float,
    confirmed: NDArray[np.bool_] | None,
    grey: GreyBeat | None,
    *,
    show_evidence: bool,
) -> list[str]:
    """Return the lines below the panels, wrapped to the width."""
    lines = [strongest_words(strong, name)]
    told = [beats_words(beat)] if show_evidence else [beats_words(beat).rpartition(" · ")[0]]
    told += ["hatched: not confirmed"] if confirmed is not None and not np.all(confirmed) else []
    told += [f"grey: {grey.name}"] if grey is not None else []
    lines.append(" · ".join(told))
    room = max(int(width_px / LETTER_PX), 20)
    wrapped: list[str] = []
    for line in filter(None, lines):
        current = ""
        for word in line.split(" "):
            if current and len(current) + 1 + len(word) > room:
                wrapped.append(current)
                current = word
            else:
                current = f"{current} {word}".strip()
        wrapped.append(current)
    return wrapped


def _picture(
    beat: MeanBeatEvidence, layout: PaperLayout, limit: float, confirmed: NDArray[np.bool_] | None, *, dark: bool
) -> str:
    raster = painted_indices(
        beat.paint,
        layout,
        limit,
        hatched=beat.hatched(confirmed),
        dots_per_mm=(DOTS_PER_PX, DOTS_PER_PX),
        least_mm=LEAST_PX,
    )
    data = base64.b64encode(painted_png(raster, dark=dark)).decode("ascii")
    return (
        f"<image class='painted' x='0' y='0' width='{raster.shape[1] / DOTS_PER_PX:g}' "
        f"height='{raster.shape[0] / DOTS_PER_PX:g}' preserveAspectRatio='none' href='data:image/png;base64,{data}'/>"
    )


def _panel(
    beat: MeanBeatEvidence,
    layout: PaperLayout,
    panel: Panel,
    colours: Palette,
    strong: Sequence[StrongCell],
    tints: dict[bool, str],
    *,
    evidence: bool,
    marks: bool,
) -> str:
    lead = lead_index(panel.lead)
    line = layout.height_mm - panel.baseline_mm
    row = beat.paint.above_mv[lead]
    width = layout.panel_width_mm(panel)
    top = line - layout.gain * max(float(np.nanmax(beat.paint.above_mv[_row_leads(layout, panel)])), 0.2)
    parts = [
        f"<path d='M{panel.x0_mm:.1f} {line:.1f}h{width:.1f}' stroke='{colours.muted}' stroke-width='0.6'/>",
    ]
    if marks:
        parts += _marks(beat, layout, panel, colours)
    parts.append(
        f"<path class='trace' d='{_line(layout, panel, row, beat.fs)}' fill='none' stroke='{colours.trace}' "
        "stroke-width='15' transform='scale(.1)'/>"
    )
    parts.append(
        f"<text x='{panel.x0_mm + 1:.1f}' y='{top - 5:.1f}' font-weight='bold' font-size='13' "
        f"fill='{colours.text}'>{panel.label}</text>"
    )
    if evidence:
        total = float(beat.sums[lead])
        parts.append(
            f"<text class='sum' x='{panel.x0_mm + width - 1:.1f}' y='{top - 5:.1f}' text-anchor='end' font-size='13' "
            f"fill='{_readable(tints[total >= 0], colours)}'>{signed(total)}</text>"
        )
    for place, cell in enumerate(strong):
        if cell.lead == panel.lead:
            parts.append(_ring(beat, layout, panel, cell, place, colours))
    parts += _cells(beat, layout, panel) if evidence else []
    return f"<g class='beat' data-lead='{panel.lead}'>{''.join(parts)}</g>"


def _readable(tint: str, colours: Palette) -> str:
    """Return a tint dark (or light) enough for small words."""
    parts = np.array([int(tint[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)
    toward = np.array([int(colours.text[i : i + 2], 16) for i in (1, 3, 5)], dtype=float)
    return css(np.round(0.7 * parts + 0.3 * toward).astype(np.uint8))


def _row_leads(layout: PaperLayout, panel: Panel) -> list[int]:
    return [lead_index(other.lead) for other in layout.panels if other.row == panel.row]


def _marks(beat: MeanBeatEvidence, layout: PaperLayout, panel: Panel, colours: Palette) -> list[str]:
    """Return J, the ST level at J+60, and bars under ST and T."""
    lead, line = lead_index(panel.lead), layout.height_mm - panel.baseline_mm
    row, parts = beat.paint.above_mv[lead], []

    def y_at(sample: float) -> float:
        return line - layout.gain * float(np.nan_to_num(row[int(np.clip(round(sample), 0, row.size - 1))]))

    def x_at(sample: float) -> float:
        return panel.x0_mm + sample / beat.fs * layout.speed

    for wave, colour in bars_of(beat, lead, colours):
        inside = np.flatnonzero(beat.labels[lead] == wave)
        if inside.size:
            lowest = line - layout.gain * min(0.0, float(np.nanmin(row[inside])))
            parts.append(
                f"<path class='bar' d='M{x_at(inside[0]):.1f} {lowest + 4:.1f}H{x_at(inside[-1]):.1f}' "
                f"stroke='{colour}' stroke-width='3'/>"
            )
    if np.isfinite(beat.j):
        parts.append(
            f"<path class='j' d='M{x_at(beat.j):.1f} {y_at(beat.j) - 6:.1f}v12' stroke='{colours.text}' "
            "stroke-width='1.1'/>"
        )
        at = beat.j + ST_POINT_S * beat.fs
        if np.isfinite(beat.st_mv[lead]):
            tint = colours.st_levels[st_step(float(beat.st_mv[lead]))]
            parts.append(
                f"<circle class='st' cx='{x_at(at):.1f}' cy='{y_at(at):.1f}' r='3' fill='{tint}' "
                f"stroke='{colours.paper}' data-mv='{beat.st_mv[lead]:.3f}'/>"
            )
    return parts


def _cells(beat: MeanBeatEvidence, layout: PaperLayout, panel: Panel) -> list[str]:
    """Return a clear rectangle over each wave of a panel, to be pointed at."""
    lead = lead_index(panel.lead)
    rows = beat.paint.above_mv[_row_leads(layout, panel)]
    top = layout.height_mm - panel.baseline_mm - layout.gain * float(np.nanmax(rows)) - 2
    foot = layout.height_mm - panel.baseline_mm - layout.gain * float(np.nanmin(rows)) + 4
    parts = []
    for wave in SHOWN_WAVES:
        inside = np.flatnonzero(beat.labels[lead] == wave)
        if inside.size:
            left = panel.x0_mm + inside[0] / beat.fs * layout.speed
            width = max(inside.size / beat.fs * layout.speed, LEAST_BOX_PX)
            parts.append(
                f"<rect class='cell' data-lead='{panel.lead}' data-wave='{WAVE_NAMES[wave]}' "
                f"data-logit='{beat.cells[lead, wave]:.3f}' x='{left:.1f}' y='{top:.1f}' width='{width:.1f}' "
                f"height='{foot - top:.1f}' fill='transparent'/>"
            )
    return parts


def _ring(
    beat: MeanBeatEvidence, layout: PaperLayout, panel: Panel, cell: StrongCell, place: int, colours: Palette
) -> str:
    """Frame a cell that is called out, with its rank."""
    lead = lead_index(panel.lead)
    inside = np.flatnonzero(beat.labels[lead] == WAVE_NAMES.index(cell.wave))
    if not inside.size:
        return ""
    line = layout.height_mm - panel.baseline_mm
    row = beat.paint.above_mv[lead, inside]
    left = panel.x0_mm + inside[0] / beat.fs * layout.speed - 3
    width = inside.size / beat.fs * layout.speed + 6
    top = line - layout.gain * max(float(np.nanmax(row)), 0.0) - 4
    foot = line - layout.gain * min(float(np.nanmin(row)), 0.0) + 4
    words = f"{cell.wave} {signed(cell.logit)}"
    upright = float(np.nanmax(row)) >= -float(np.nanmin(row))
    if cell.wave == "QRS":  # beside it, half way up
        middle = line + (-0.5 if upright else 0.5) * (foot - top - 8) + 4
        fits = left + width + 4 + LETTER_PX * len(words) <= panel.x0_mm + layout.panel_width_mm(panel) + GAP_PX / 2
        x, anchor = (left + width + 3, "start") if fits else (left - 3, "end")
    else:
        x, anchor, middle = left + width / 2, "middle", top - 4 if upright else foot + 12
    dash = "" if place == 0 else " stroke-dasharray='3 2'"
    halo = f"stroke='{colours.paper}' stroke-width='3' paint-order='stroke'"
    return (
        f"<rect class='strong' x='{left:.1f}' y='{top:.1f}' width='{width:.1f}' height='{foot - top:.1f}' rx='4' "
        f"fill='none' stroke='{colours.text}' stroke-width='1.2'{dash}/>"
        f"<text x='{x:.1f}' y='{middle:.1f}' text-anchor='{anchor}' font-size='11' fill='{colours.text}' {halo}>"
        f"{words}</text>"
    )


def _line(layout: PaperLayout, panel: Panel, row: NDArray[np.floating], fs: float, first: int = 0) -> str:
    """Return a lead's line as path data in tenths of a pixel, thinned to `POINTS_FS`; a gap stays a gap."""
    step = max(1, int(fs // POINTS_FS))
    thin = row[::step]
    x = panel.x0_mm + (first + np.arange(thin.size) * step) / fs * layout.speed
    y = layout.height_mm - panel.baseline_mm - layout.gain * thin
    inside = np.isfinite(y) & (x >= panel.x0_mm - 1e-6) & (x <= panel.x0_mm + layout.panel_width_mm(panel))
    tenths = np.round(10 * np.nan_to_num(np.stack([x, y], axis=1))).astype(int).tolist()
    words, pen = [], None
    for place, seen in zip(tenths, inside.tolist(), strict=True):
        if seen:
            words.append(f"M{place[0]} {place[1]}" if pen is None else f"l{place[0] - pen[0]} {place[1] - pen[1]}")
        pen = place if seen else None
    return "".join(words)


def _grey_line(layout: PaperLayout, panel: Panel, beat: MeanBeatEvidence, grey: GreyBeat, colours: Palette) -> str:
    first = round((beat.r_index / beat.fs) * grey.fs) - grey.r_index
    data = _line(layout, panel, grey.above_mv[lead_index(panel.lead)], grey.fs, first)
    return (
        f"<path class='grey' d='{data}' fill='none' stroke='{colours.muted}' stroke-width='20' "
        "stroke-opacity='0.45' transform='scale(.1)'/>"
    )


def _grid(layout: PaperLayout, colours: Palette) -> str:
    """Return big boxes of ECG paper behind each panel, from its isoelectric line and its left end, as one path."""
    words = []
    for panel in layout.panels:
        line, width = layout.height_mm - panel.baseline_mm, layout.panel_width_mm(panel)
        lower = [other.baseline_mm for other in layout.panels if other.row == panel.row + 1]
        upper = [other.baseline_mm for other in layout.panels if other.row == panel.row - 1]
        top = line - (layout.height_mm - panel.baseline_mm if not upper else (upper[0] - panel.baseline_mm) / 2)
        foot = line + (panel.baseline_mm if not lower else (panel.baseline_mm - lower[0]) / 2)
        for x in np.arange(0.0, width + 0.01, BOX_S * layout.speed):
            words.append(f"M{panel.x0_mm + x:.1f} {top:.1f}V{foot:.1f}")
        step = BOX_MV * layout.gain
        for y in line + step * np.arange(np.ceil((top - line) / step), np.floor((foot - line) / step) + 1):
            words.append(f"M{panel.x0_mm:.1f} {y:.1f}h{width:.1f}")
    return f"<path class='grid' d='{''.join(words)}' fill='none' stroke='{colours.fine}' stroke-width='1'/>"


def _key(y: float, limit: float, colours: Palette, *, dark: bool) -> str:
    """Return the colour scale with its ends, and what the marks are."""
    scale = evidence_colours(dark=dark, paint=True)
    steps = scale[evidence_index(np.linspace(-1, 1, 17), 1.0, PAINT_POWER)]
    stops = "".join(
        f"<stop offset='{place / 16:.4g}' stop-color='{css(colour)}'/>" for place, colour in enumerate(steps)
    )
    left = 92.0
    words = f"raises +{limit:g} logit per 40 ms · boxes {BOX_S:g} s, {BOX_MV:g} mV"
    return (
        f"<linearGradient id='mean-beat-scale'>{stops}</linearGradient>"
        f"<text x='{left - 4:g}' y='{y + 9:.1f}' text-anchor='end' font-size='11' fill='{colours.muted}'>"
        f"lowers −{limit:g}</text>"
        f"<rect x='{left:g}' y='{y:.1f}' width='90' height='10' fill='url(#mean-beat-scale)' stroke='{colours.bold}'/>"
        f"<text x='{left + 94:g}' y='{y + 9:.1f}' font-size='11' fill='{colours.muted}'>{words}</text>"
    )


def _marks_key(y: float, colours: Palette) -> str:
    """Return what the marks of the rules mean, each in its colour."""
    marks = (
        ("▬ ST raised", colours.st_levels[-1]),
        ("▬ ST lowered", colours.st_levels[0]),
        ("▬ T inverted", colours.t_inverted),
        ("| J point", colours.text),
        ("● ST level at J+60", colours.text),
    )
    words = "".join(f"<tspan fill='{colour}'>{text}</tspan><tspan>  </tspan>" for text, colour in marks)
    return f"<text x='{MARGIN_PX:g}' y='{y:.1f}' font-size='11' xml:space='preserve'>{words}</text>"
