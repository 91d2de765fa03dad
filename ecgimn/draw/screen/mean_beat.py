"""Beats on the screen: the painted mean beat of twelve leads as one SVG, one beat alone, and all beats as bars.

The mean beat is plain SVG of a size given in pixels, one path per lead and one picture for all that is painted: about
two hundred nodes. Every panel is a group with `data-lead`, every stretch of a wave a clear rectangle with `data-lead`,
`data-wave` and `data-logit`, so that a page can point from a cell of the ledger to its stretch and back.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.charts.ledger import base_layout
from ecgimn.draw.colours import FONT, Palette, css, evidence_colours, evidence_index, palette
from ecgimn.draw.evidence import painted_png
from ecgimn.draw.painted import (
    BOX_MV,
    BOX_S,
    PAINT_POWER,
    ROWS,
    ST_POINT_S,
    DifferenceBeat,
    GreyBeat,
    MeanBeatEvidence,
    StrongCell,
    bars_of,
    beat_layout,
    beats_words,
    painted_indices,
    strongest_cells,
    strongest_words,
)
from ecgimn.draw.paper import STANDARD_GAIN_MM_PER_MV, STANDARD_SPEED_MM_PER_S, Panel, PaperLayout
from ecgimn.escape import for_html, for_plotly
from ecgimn.explain.ledger import Beat, BeatByBeat, BeatTrace
from ecgimn.explain.sentences import NOTHING, signed
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.signal.waves.find import ST, WAVE_NAMES, P, T

if TYPE_CHECKING:
    from ecgimn.model.receptive_field import ReceptiveField


HEAD_PX, GAP_PX, MARGIN_PX = 20.0, 10.0, 4.0
LINE_PX, WRAPPED_PX = 15.0, 5.4  # of the words below; a letter takes 4.6 px on average
LETTER_PX = 6.4  # of the words beside a framed cell, with room about them
NARROW_PX = 460.0  # below, the words of the keys take two lines
LEAST_NAMED_PX, LEAST_SIDE_PX = 90.0, 130.0  # width of a panel in which a framed cell has its words; in a comparison
DOTS_PER_PX = 2  # of the painted areas, for screens with fine pixels
LEAST_PX = 2.0
LEAST_BOX_PX = 2.0
POINTS_FS = 250.0  # of a line
SHOWN_WAVES = (P, 2, 3, ST, T)  # stretches that can be pointed at


def mean_beat_svg(
    beat: MeanBeatEvidence,
    *,
    name: str,
    size_px: tuple[float, float],
    limit: float | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    margins: NDArray[np.floating] | None = None,
    grey: GreyBeat | None = None,
    show_evidence: bool = True,
    show_marks: bool = True,
    show_words: bool = True,
    numbers: bool = True,
    called: int = 3,
    room_mv: NDArray[np.floating] | None = None,
    rows: Sequence[Sequence[str]] = ROWS,
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
    margins : ndarray of shape (12, n_waves), optional
        How far taking a cell out may lie from it, printed as "±" after a cell that is called out.
    grey : GreyBeat, optional
    show_evidence, show_marks : bool
        The two layers: painted areas, sums and called cells; J points, ST levels and T waves.
    show_words : bool
        Lines and keys below the panels; without them the beats of a comparison have one key in common.
    called : int
        Cells that are called out at most.
    numbers : bool
        Print the ends of the colour scale, in logit per 40 ms.
    room_mv : ndarray of shape (12, n), optional
        What the rows must have room for besides: another beat on the same scale.
    rows : sequence of sequences of str
        Leads, row by row.
    dark : bool
    """
    colours = palette(overlay=True, dark=dark)
    limit = limit or beat.paint.largest
    strong = strongest_cells(beat.cells, confirmed, margins=margins, most=called) if show_evidence else ()
    called_out = _wrapped_lines([strongest_words(strong, name)] if strong else [], size_px[0])
    words = [*called_out, *_words(beat, size_px[0], confirmed, grey, show_evidence=show_evidence)]
    narrow = size_px[0] < NARROW_PX
    foot = (len(words) + (show_evidence + show_marks) * (1 + narrow)) * LINE_PX + 4 if show_words else 4.0
    room = (size_px[0] - 2 * MARGIN_PX, max(size_px[1] - foot - MARGIN_PX, 120.0))
    others = [part for part in (room_mv, None if grey is None else grey.above_mv) if part is not None]
    others_mv = np.concatenate(others, axis=1) if others else None
    reach_mv = np.concatenate([beat.paint.above_mv, *others], axis=1)
    layout = beat_layout(beat, room, rows=rows, head=HEAD_PX, gap=GAP_PX, others_mv=others_mv)
    left = MARGIN_PX + max((room[0] - layout.width_mm) / 2, 0.0)
    height = layout.height_mm + foot + MARGIN_PX
    parts = [_grid(layout, colours)]
    if show_evidence:
        parts.append(_picture(beat, layout, limit, confirmed, dark=dark))
    if grey is not None:  # in front of what is painted: between the two lines both are seen
        parts += [_grey_line(layout, panel, beat, grey, colours) for panel in layout.panels]
    ends = evidence_colours(dark=dark, paint=True)
    tints = {True: css(ends[-1]), False: css(ends[0])}
    for panel in layout.panels:
        named = layout.panel_width_mm(panel) >= (LEAST_NAMED_PX if show_words else LEAST_SIDE_PX)
        parts.append(
            _panel(
                beat,
                layout,
                panel,
                colours,
                strong,
                tints,
                reach_mv=reach_mv,
                evidence=show_evidence,
                marks=show_marks,
                named=named,
            )
        )
    lines = [
        f"<text class='note' x='{MARGIN_PX:g}' y='{layout.height_mm + LINE_PX * (place + 1):.1f}' "
        f"fill='{colours.text if place < len(called_out) else colours.muted}'>{for_html(line)}</text>"
        for place, line in enumerate(words)
        if show_words
    ]
    if show_evidence and show_words:
        y = layout.height_mm + LINE_PX * (len(words) + 0.35)
        lines.append(_key(y, limit if numbers else None, colours, narrow=narrow, dark=dark))
    if show_marks and show_words:
        above = len(words) + show_evidence * (1 + narrow) + 1
        lines.append(_marks_key(layout.height_mm + LINE_PX * above, colours, narrow=narrow))
    said = for_html("; ".join(words))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' class='mean-beat' width='{size_px[0]:g}' height='{height:.0f}' "
        f"viewBox='0 0 {size_px[0]:g} {height:.0f}' role='img' aria-label='Mean beat of twelve leads. {said}' "
        f"data-px-per-mv='{layout.gain:.2f}' data-px-per-s='{layout.speed:.2f}' font-family='{FONT}' font-size='12'>"
        f"<g transform='translate({left:.1f} 0)' stroke-linejoin='round'>{''.join(parts)}</g>{''.join(lines)}</svg>"
    )


def difference_svg(
    beat: DifferenceBeat,
    *,
    name: str | None,
    size_px: tuple[float, float],
    earlier: str = "earlier",
    later: str = "later",
    numbers: bool = True,
    dark: bool = False,
) -> str:
    """Draw the earlier mean beat under the later one, with the area between them in the colour of what it changed.

    Parameters
    ----------
    beat : DifferenceBeat
    name : str or None
        Class; None where nothing is painted, and neither words nor key speak of paint then.
    size_px : tuple of float
        Width and most height in CSS pixels.
    earlier, later : str
        How the two are called: their dates, where these are known.
    numbers : bool
        Print the change of each lead, in logit.
    dark : bool
    """
    colours, scale = palette(overlay=True, dark=dark), evidence_colours(dark=dark, paint=True)
    limit, narrow = beat.paint.largest, size_px[0] < NARROW_PX
    left_out = float(beat.voltage.sum()) - beat.shown
    told = [f"full line: {later} · dashed: {earlier}, fitted wave by wave"]
    if name is None:
        told.append(f"boxes {BOX_S:g} s, {BOX_MV:g} mV")
    else:
        told.append(
            f"painted: voltage {signed(float(beat.voltage.sum()))} of {signed(float(beat.total.sum()))} for {name}, "
            f"not on this beat {signed(left_out)}"
            if numbers
            else f"painted: where the change of the tracing raises (orange) or lowers (blue) {name}"
        )
    words = _wrapped_lines(told, size_px[0])
    foot = (len(words) + (1 + narrow if name is not None else 0)) * LINE_PX + 4
    room = (size_px[0] - 2 * MARGIN_PX, max(size_px[1] - foot - MARGIN_PX, 120.0))
    layout = beat_layout(beat, room, head=HEAD_PX, gap=GAP_PX, others_mv=beat.earlier_mv, stretch=4.0)
    left = MARGIN_PX + max((room[0] - layout.width_mm) / 2, 0.0)
    tints = {True: css(scale[-1]), False: css(scale[0])}
    parts = [_grid(layout, colours)]
    for panel in layout.panels:
        lead, line = lead_index(panel.lead), layout.height_mm - panel.baseline_mm
        rows = np.concatenate([beat.paint.above_mv, beat.earlier_mv], axis=1)[_row_leads(layout, panel)]
        top, width = line - layout.gain * max(float(np.nanmax(rows)), 0.2), layout.panel_width_mm(panel)
        shapes = [f"<path d='M{panel.x0_mm:.1f} {line:.1f}h{width:.1f}' stroke='{colours.muted}' stroke-width='0.6'/>"]
        for colour, inside in beat.stretches(lead, limit):
            x = panel.x0_mm + np.arange(inside.start, inside.stop) / beat.fs * layout.speed
            one, two = (line - layout.gain * row[lead, inside] for row in (beat.paint.above_mv, beat.earlier_mv))
            thin = np.abs(one - two) < LEAST_PX
            one = np.where(thin, (one + two - LEAST_PX) / 2, one)
            two = np.where(thin, one + LEAST_PX, two)
            outline = zip(np.concatenate([x, x[::-1]]), np.concatenate([one, two[::-1]]), strict=True)
            points = " ".join(f"{across:.1f},{down:.1f}" for across, down in outline)
            shapes.append(f"<polygon points='{points}' fill='{css(scale[colour])}'/>")
        for row, style in (
            (beat.earlier_mv[lead], f"stroke='{colours.muted}' stroke-width='11' stroke-dasharray='40 25'"),
            (beat.paint.above_mv[lead], f"stroke='{colours.trace}' stroke-width='15'"),
        ):
            path = _line(layout, panel, row, beat.fs)
            shapes.append(f"<path d='{path}' fill='none' {style} transform='scale(.1)'/>")
        total = float(beat.total[lead])
        shapes.append(
            f"<text x='{panel.x0_mm + 1:.1f}' y='{top - 5:.1f}' font-weight='bold' font-size='13' "
            f"fill='{colours.text}'>{panel.label}</text>"
        )
        if numbers and name is not None:
            shapes.append(
                f"<text class='sum' x='{panel.x0_mm + width - 1:.1f}' y='{top - 5:.1f}' text-anchor='end' "
                f"font-size='13' fill='{_sum_colour(total, tints, colours)}'>{signed(total)}</text>"
            )
        parts.append(f"<g class='beat' data-lead='{panel.lead}'>{''.join(shapes)}</g>")
    lines = [
        f"<text class='note' x='{MARGIN_PX:g}' y='{layout.height_mm + LINE_PX * (place + 1):.1f}' "
        f"fill='{colours.muted}'>{for_html(line)}</text>"
        for place, line in enumerate(words)
    ]
    if name is not None:
        ends, y = limit if numbers else None, layout.height_mm + LINE_PX * (len(words) + 0.35)
        lines.append(_key(y, ends, colours, narrow=narrow, dark=dark))
    said = for_html("; ".join(words))
    height = layout.height_mm + foot + MARGIN_PX
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' class='difference' width='{size_px[0]:g}' height='{height:.0f}' "
        f"viewBox='0 0 {size_px[0]:g} {height:.0f}' role='img' aria-label='Two mean beats of twelve leads. {said}' "
        f"font-family='{FONT}' font-size='12'><g transform='translate({left:.1f} 0)' stroke-linejoin='round'>"
        f"{''.join(parts)}</g>{''.join(lines)}</svg>"
    )


def _words(
    beat: MeanBeatEvidence,
    width_px: float,
    confirmed: NDArray[np.bool_] | None,
    grey: GreyBeat | None,
    *,
    show_evidence: bool,
) -> list[str]:
    """Return what is said of the beat below the panels, wrapped to the width."""
    told = [beats_words(beat)] if show_evidence else [beats_words(beat).rpartition(" · ")[0]]
    told += ["hatched: not confirmed"] if confirmed is not None and not np.all(confirmed) else []
    told += [f"grey: {grey.name}"] if grey is not None else []
    return _wrapped_lines([" · ".join(told)], width_px)


def _wrapped_lines(lines: Sequence[str], width_px: float) -> list[str]:
    room = max(int(width_px / WRAPPED_PX), 20)
    wrapped: list[str] = []
    for line in lines:
        current = ""
        for word in line.replace(" ± ", "\u00a0±\u00a0").split(" "):
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
    reach_mv: NDArray[np.floating],
    evidence: bool,
    marks: bool,
    named: bool,
) -> str:
    lead = lead_index(panel.lead)
    line = layout.height_mm - panel.baseline_mm
    row = beat.paint.above_mv[lead]
    width = layout.panel_width_mm(panel)
    top = line - layout.gain * max(float(np.nanmax(reach_mv[_row_leads(layout, panel)])), 0.2)
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
            f"fill='{_sum_colour(total, tints, colours)}'>{signed(total)}</text>"
        )
    for place, cell in enumerate(strong):
        if cell.lead == panel.lead:
            parts.append(_ring(beat, layout, panel, cell, place, colours, named=named))
    parts += _cells(beat, layout, panel) if evidence else []
    return f"<g class='beat' data-lead='{panel.lead}'>{''.join(parts)}</g>"


def _sum_colour(total: float, tints: dict[bool, str], colours: Palette) -> str:
    """Return the colour of a lead's sum; what is printed as 0.00 neither raises nor lowers."""
    return colours.muted if signed(total) == signed(0.0) else _readable(tints[total >= 0], colours)


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
            tint = colours.st_levels[beat.st.step(STANDARD_LEADS[lead])]
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
    beat: MeanBeatEvidence,
    layout: PaperLayout,
    panel: Panel,
    cell: StrongCell,
    place: int,
    colours: Palette,
    *,
    named: bool,
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
    dash = "" if place == 0 else " stroke-dasharray='3 2'"
    frame = (
        f"<rect class='strong' x='{left:.1f}' y='{top:.1f}' width='{width:.1f}' height='{foot - top:.1f}' rx='4' "
        f"fill='none' stroke='{colours.text}' stroke-width='1.2'{dash}/>"
    )
    if not named:  # a small panel leaves the words to the line below
        return frame
    words = f"{cell.wave} {signed(cell.logit)}"
    upright = float(np.nanmax(row)) >= -float(np.nanmin(row))
    wide, right = LETTER_PX * len(words), panel.x0_mm + layout.panel_width_mm(panel)
    middle = line + (-0.5 if upright else 0.5) * (foot - top - 8) + 4
    if cell.wave == "QRS" and left + width + 3 + wide <= right + GAP_PX / 2:  # beside it, half way up
        x, anchor = left + width + 3, "start"
    elif cell.wave == "QRS" and left - 3 - wide >= panel.x0_mm:
        x, anchor = left - 3, "end"
    else:
        above = upright or foot + 12 > layout.height_mm  # else it would lie in the words below the panels
        x, anchor, middle = left + width / 2, "middle", top - 4 if above else foot + 12
        x = float(np.clip(x, wide / 2, layout.width_mm - wide / 2))
    halo = f"stroke='{colours.paper}' stroke-width='3' paint-order='stroke'"
    return (
        f"{frame}<text class='strong' x='{x:.1f}' y='{middle:.1f}' text-anchor='{anchor}' font-size='11' "
        f"fill='{colours.text}' {halo}>{words}</text>"
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


def _key(y: float, limit: float | None, colours: Palette, *, narrow: bool, dark: bool) -> str:
    """Return the colour scale with its ends, and what the marks are."""
    scale = evidence_colours(dark=dark, paint=True)
    steps = scale[evidence_index(np.linspace(-1, 1, 17), 1.0, PAINT_POWER)]
    stops = "".join(
        f"<stop offset='{place / 16:.4g}' stop-color='{css(colour)}'/>" for place, colour in enumerate(steps)
    )
    left = 92.0
    boxes = f"boxes {BOX_S:g} s, {BOX_MV:g} mV"
    low, high, unit = "lowers", "raises", boxes if narrow else f"· {boxes}"
    if limit is not None:
        low, high, unit = f"lowers −{limit:g}", f"raises +{limit:g}", f"logit per 40 ms · {boxes}"
    words, below = (high, unit) if narrow else (f"{high} {unit}", "")
    return (
        f"<linearGradient id='mean-beat-scale'>{stops}</linearGradient>"
        f"<text x='{left - 4:g}' y='{y + 9:.1f}' text-anchor='end' font-size='11' fill='{colours.muted}'>"
        f"{low}</text>"
        f"<rect x='{left:g}' y='{y:.1f}' width='90' height='10' fill='url(#mean-beat-scale)' stroke='{colours.bold}'/>"
        f"<text x='{left + 94:g}' y='{y + 9:.1f}' font-size='11' fill='{colours.muted}'>{words}</text>"
        f"<text x='{MARGIN_PX:g}' y='{y + 9 + LINE_PX:.1f}' font-size='11' fill='{colours.muted}'>{below}</text>"
    )


def _marks_key(y: float, colours: Palette, *, narrow: bool) -> str:
    """Return what the marks of the rules mean, each in its colour."""
    marks = (
        ("▬ ST elevation", colours.st_levels[-1]),
        ("▬ ST depression", colours.st_levels[0]),
        ("▬ T inversion", colours.t_inverted),
        ("| J point", colours.text),
        ("● ST level at J+60", colours.text),
    )
    lines = [marks[:3], marks[3:]] if narrow else [marks]
    return "".join(
        f"<text x='{MARGIN_PX:g}' y='{y + place * LINE_PX:.1f}' font-size='11' xml:space='preserve'>"
        + "".join(f"<tspan fill='{colour}'>{text}</tspan><tspan>  </tspan>" for text, colour in line)
        + "</text>"
        for place, line in enumerate(lines)
    )


GAP_MM = 6.0
STRIP_MM, STRIP_HALF_MM = 6.0, 5.0  # height of the strip's zero within a row, and its half height
BELOW_MM, ABOVE_MM = 8.0, 14.0  # least room between the strip and 0 mV, and above 0 mV
COLUMNS = 6  # limb leads above, chest leads below


def median_beat_figure(
    beat_mv: NDArray[np.floating],
    fs: float,
    contribution: NDArray[np.floating] | None = None,
    spread: NDArray[np.floating] | None = None,
    *,
    landmarks_s: Mapping[str, float] | None = None,
    beats_used: tuple[int, int] | None = None,
    remainder: float | None = None,
    name: str = "",
    what: str = "mean contribution",
    limit: float | None = None,
    frame_mv: NDArray[np.floating] | None = None,
    numbers: bool = True,
    dark: bool = False,
    width_px: float = 900.0,
) -> go.Figure:
    """Draw a beat of twelve leads at 25 mm/s and 10 mm/mV, one scale for all, one axis pair in mm.

    Parameters
    ----------
    beat_mv : ndarray of shape (12, n)
        Median beat, mV.
    fs : float
        Hz.
    contribution : ndarray of shape (12, n), optional
        Mean contribution of the beats used, logit per sample.
    spread : ndarray of shape (12, n), optional
        Its standard deviation over beats, drawn as a band.
    landmarks_s : mapping of str to float, optional
        Seconds from the first sample; "QRS onset", "J", "J+60", "T offset" and the like, drawn as upright lines.
    beats_used : tuple of (n, m), optional
        "n of m beats used".
    remainder : float, optional
        What the mean beat leaves of the contribution: excluded beats, TP, edges.
    name : str
        Class whose contribution is shown.
    what : str
        How the contribution is named below the figure.
    limit : float, optional
        Contribution per sample at the edge of the strips; the 99th percentile of |contribution| when None.
    frame_mv : ndarray of shape (12, m), optional
        What the rows must have room for; the beat itself when None.
    numbers : bool
        Print contributions in logit.
    """
    colours = palette(overlay=True, dark=dark)
    scale = evidence_colours(dark=dark)
    n_samples = beat_mv.shape[1]
    beat_mm = n_samples / fs * STANDARD_SPEED_MM_PER_S
    width_mm = COLUMNS * (beat_mm + GAP_MM) + GAP_MM
    rows = len(STANDARD_LEADS) // COLUMNS
    feet, zeros, height_mm = _rows(beat_mv if frame_mv is None else frame_mv, rows)
    if contribution is not None and limit is None:
        limit = float(np.percentile(np.abs(contribution), 99)) or float(np.abs(contribution).max()) or 1.0
    time_mm = np.arange(n_samples) / fs * STANDARD_SPEED_MM_PER_S
    data: list[dict[str, Any]] = []
    marks: tuple[list[float | None], list[float | None]] = ([], [])
    labels: tuple[list[float], list[float], list[str]] = ([], [], [])
    for place, lead in enumerate(STANDARD_LEADS):
        row, column = divmod(place, COLUMNS)
        left = GAP_MM + column * (beat_mm + GAP_MM)
        foot, row_mm = feet[row]
        labels[0].append(left)
        labels[1].append(foot + row_mm - 3)
        labels[2].append(f"<b>{lead}</b>")
        if contribution is not None and limit is not None:
            band = None if spread is None else spread[place]
            ends = css(scale[-1]), css(scale[0])
            data += _strip(left, foot + STRIP_MM, time_mm, contribution[place], band, limit, *ends, lead)
        for at_s in (landmarks_s or {}).values():
            if np.isfinite(at_s):
                x = left + at_s * STANDARD_SPEED_MM_PER_S
                marks[0].extend([x, x, None])
                marks[1].extend([foot + 1, foot + row_mm - 5, None])
        y = (foot + zeros[row] + STANDARD_GAIN_MM_PER_MV * beat_mv[place]).astype(np.float32)
        custom = [beat_mv[place]] if contribution is None else [beat_mv[place], contribution[place]]
        hover = f"{lead}<br>%{{customdata[0]:.2f}} mV"
        hover += "<br>%{customdata[1]:+.5f} logit" if contribution is not None and numbers else ""
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": lead,
                "x0": left,
                "dx": STANDARD_SPEED_MM_PER_S / fs,
                "y": y,
                "line": {"color": colours.trace, "width": 1.4, "simplify": False},
                "customdata": np.stack(custom, axis=1).astype(np.float32),
                "hovertemplate": hover + "<extra></extra>",
            }
        )
    data.insert(0, {"type": "scatter", "mode": "lines", "name": "landmarks", "x": marks[0], "y": marks[1],
                    "line": {"color": colours.muted, "width": 0.8, "dash": "dot"}, "hoverinfo": "skip"})  # fmt: skip
    data.append({"type": "scatter", "mode": "text", "name": "labels", "x": labels[0], "y": labels[1], "text": labels[2],
                 "textposition": "middle right", "hoverinfo": "skip"})  # fmt: skip
    words = ["25 mm/s · 10 mm/mV, enlarged"]
    words += [f"{beats_used[0]} of {beats_used[1]} beats used"] if beats_used else []
    if contribution is not None and limit is not None:
        scale_words = f", ±{1000 * limit:.2g} · 10⁻³ logit per sample" if numbers else ""
        words.append(f"strip: {what} to {for_plotly(name)}{scale_words}")
        words += ["band: standard deviation over beats"] if spread is not None else []
    words += [f"not in the mean beat: {remainder:+.2f} logit"] if remainder is not None and numbers else []
    words += [f"lines: {', '.join(for_plotly(mark) for mark in landmarks_s)}"] if landmarks_s else []
    caption = "<br>".join(" · ".join(line) for line in (words[:4], words[4:]) if line)
    px_per_mm = (width_px - 16) / width_mm
    axis = {"showgrid": True, "dtick": 5, "tick0": 0, "gridcolor": colours.fine, "zeroline": False,
            "showticklabels": False, "ticks": ""}  # fmt: skip
    layout = base_layout(colours, height_px=height_mm * px_per_mm + 48) | {
        "width": width_px,
        "margin": {"l": 8, "r": 8, "t": 4, "b": 44},
        "hovermode": "closest",
        "xaxis": axis | {"range": [0, width_mm]},
        "yaxis": axis | {"range": [0, height_mm], "scaleanchor": "x", "scaleratio": 1, "constrain": "domain"},
        "annotations": [{"text": caption, "xref": "paper", "yref": "paper", "x": 0, "y": 0, "yshift": -6,
                         "xanchor": "left", "yanchor": "top", "showarrow": False, "align": "left",
                         "font": {"size": 11, "color": colours.muted}}],
    }  # fmt: skip
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def _rows(beat_mv: NDArray[np.floating], n_rows: int) -> tuple[list[tuple[float, float]], list[float], float]:
    """Return foot and height of each row, the height of 0 mV within it, and the height of all: nothing is cut."""
    mm = STANDARD_GAIN_MM_PER_MV * np.nan_to_num(beat_mv.reshape(n_rows, -1))
    zeros = [STRIP_MM + STRIP_HALF_MM + 2 + max(BELOW_MM, -low) for low in mm.min(axis=1).tolist()]
    heights = [zero + max(ABOVE_MM, high + 2) for zero, high in zip(zeros, mm.max(axis=1).tolist(), strict=True)]
    total = sum(heights)
    return [(total - sum(heights[: row + 1]), heights[row]) for row in range(n_rows)], zeros, total


def _strip(
    left: float,
    zero: float,
    time_mm: NDArray[np.floating],
    contribution: NDArray[np.floating],
    spread: NDArray[np.floating] | None,
    limit: float,
    raises: str,
    lowers: str,
    lead: str,
) -> list[dict[str, Any]]:
    """Return the area of the mean contribution about its zero line, and the band of its spread."""
    step = float(time_mm[1] - time_mm[0])

    def height(values: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(zero + STRIP_HALF_MM * np.clip(values / limit, -1, 1), dtype=np.float32)

    area = {
        "type": "scatter",
        "mode": "lines",
        "name": f"contribution {lead}",
        "x0": left - step,
        "dx": step,
        "y": np.concatenate([[zero], height(contribution), [zero]]).astype(np.float32),
        "fill": "toself",
        "fillgradient": {
            "type": "vertical",
            "start": zero - STRIP_HALF_MM,
            "stop": zero + STRIP_HALF_MM,
            "colorscale": [[0, lowers], [0.5, lowers], [0.5, raises], [1, raises]],
        },
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    if spread is None:
        return [area]
    x = np.concatenate([left + time_mm, left + time_mm[::-1]]).astype(np.float32)
    y = np.concatenate([height(contribution + spread), height(contribution - spread)[::-1]])
    band = {"type": "scatter", "mode": "lines", "name": f"spread {lead}", "x": x, "y": y, "fill": "toself",
            "fillcolor": "rgba(128,128,128,0.35)", "line": {"width": 0}, "hoverinfo": "skip"}  # fmt: skip
    return [area, band]


BARS_PX = 130.0


def single_beat_figure(
    trace: BeatTrace,
    *,
    name: str,
    longest: int,
    frame_mv: NDArray[np.floating],
    numbers: bool = True,
    dark: bool = False,
    width_px: float = 900.0,
) -> go.Figure:
    """Draw one beat of twelve leads, on the scale and in the room of every beat of the recording.

    Parameters
    ----------
    trace : BeatTrace
    name : str
        Class whose contribution is shown.
    longest : int
        Samples of the longest beat: all beats are drawn as wide, so that stepping does not change the scale.
    frame_mv : ndarray of shape (12, n_samples)
        The whole recording, for the height of the rows.
    numbers : bool
        Print contributions in logit.
    dark : bool
    width_px : float
    """
    after = longest - trace.signal.shape[1]
    return median_beat_figure(
        np.pad(trace.signal, ((0, 0), (0, after)), constant_values=np.nan),
        trace.fs,
        np.pad(trace.contribution, ((0, 0), (0, after))),
        landmarks_s=trace.landmarks_s,
        name=name,
        what="contribution",
        limit=trace.limit,
        frame_mv=frame_mv,
        numbers=numbers,
        dark=dark,
        width_px=width_px,
    )


def beats_figure(
    table: BeatByBeat,
    chosen: int,
    *,
    logits: bool = True,
    dark: bool = False,
    width_px: float = 900.0,
    height_px: float = BARS_PX,
) -> go.Figure:
    """Draw the evidence of each beat as a bar; the chosen one is framed, those left out of the median beat are crossed.

    Parameters
    ----------
    table : BeatByBeat
    chosen : int
        Number of the beat shown, from 1.
    logits : bool
        Name the unit.
    """
    unit = " logit" if logits else ""
    colours = palette(overlay=True, dark=dark)
    scale = evidence_colours(dark=dark)
    values = [beat.logit for beat in table.beats]
    numbers = [str(beat.number) for beat in table.beats]
    framed = [beat.number == chosen for beat in table.beats]
    bars: dict[str, Any] = {
        "type": "bar",
        "name": "beats",
        "x": numbers,
        "y": values,
        "marker": {
            "color": [css(scale[-1] if value >= 0 else scale[0]) for value in values],
            "line": {"color": colours.text, "width": [2.5 if here else 0 for here in framed]},
            "pattern": {"shape": ["" if beat.used else "x" for beat in table.beats], "fgcolor": colours.paper},
        },
        "text": [f"<b>{signed(v)}</b>" if here else "" for v, here in zip(values, framed, strict=True)],
        "textposition": "outside",
        "textfont": {"size": 11, "color": colours.text},
        "cliponaxis": False,
        "customdata": [_hover_words(beat) for beat in table.beats],
        "hovertemplate": f"beat %{{x}}: %{{y:+.2f}}{unit}<br>%{{customdata}}<extra></extra>",
        "unselected": {"marker": {"opacity": 1}},
    }
    low, high = min(0.0, *values), max(0.0, *values)
    margin = 0.3 * (high - low or 1.0)
    layout = base_layout(colours, height_px=height_px) | {
        "width": width_px,
        "margin": {"l": 52, "r": 8, "t": 4, "b": 34},
        "bargap": 0.35,
        "hovermode": "x",  # a click anywhere in its column chooses a beat
        "xaxis": {"type": "category", "fixedrange": True, "title": {"text": "beat", "font": {"size": 11}},
                  "tickvals": numbers, "ticktext": _tick_words(numbers, framed)},
        "yaxis": {"range": [low - margin, high + margin],
                  "title": {"text": "logit" if logits else "evidence", "font": {"size": 11}},
                  "gridcolor": colours.fine, "zerolinecolor": colours.muted, "fixedrange": True},
        "meta": {"sum": float(np.sum(values)) + table.remainder},
    }  # fmt: skip
    return go.Figure({"data": [bars], "layout": layout}, _validate=False)


def beat_words(beat: Beat, n_beats: int, class_name: str, *, logits: bool = True) -> str:
    """Say where a beat stands, what came before it, and what it says for the class; `logits` names the unit."""
    before = f"{1000 * beat.rr_before_s:.0f} ms" if beat.rr_before_s is not None else f"{NOTHING} (first beat)"
    return f"Beat **{beat.number}** of {n_beats} · R at {beat.r_s:.2f} s · RR before {before} · " + (
        f"{class_name} **{signed(beat.logit)}** logit" if logits else f"for {class_name} **{signed(beat.logit)}**"
    )


def median_words(beat: Beat, *, correlation: bool = True) -> str:
    """Say whether a beat is in the median beat, and why not where it is not."""
    if not beat.used:
        return f"Not in the median beat: {beat.left_out}."
    return "In the median beat" + (f" (correlation {beat.correlation:.2f})." if correlation else ".")


def sum_words(table: BeatByBeat, *, logits: bool = True) -> str:
    """Return how beats and remainder make the evidence, and which beats the median beat leaves out."""
    total = sum(beat.logit for beat in table.beats)
    out = [str(beat.number) for beat in table.beats if not beat.used]
    words = (
        f"{len(table.beats)} beats {signed(total)}, outside of them {signed(table.remainder)}: "
        f"evidence {signed(table.evidence)}{' logit' if logits else ''}. A beat reaches from its P wave to the next "
        "beat's. "
    )
    return words + (f"Crossed, not in the median beat: {', '.join(out)}." if out else "All are in the median beat.")


def field_words(field: ReceptiveField | None, *, research: bool = True) -> str:
    """Say how far around a moment the network looks when it writes the weights there; nothing where that is unknown."""
    if field is None:
        return ""
    if not research:
        return f"At this beat the model looks at {field.close_s:.1f} s of all leads (90 %)."
    return (
        f"A weight at {field.at_s:.2f} s looks closely at {field.close_s:.1f} s about it (90 % of what it depends on), "
        f"can reach {field.reach_s:.0f} s through its convolutions, and sees the whole record through the context "
        "vector."
    )


def _hover_words(beat: Beat) -> str:
    return "in the median beat" if beat.used else beat.left_out.replace("; ", "<br>")


def _tick_words(numbers: Sequence[str], framed: Sequence[bool]) -> list[str]:
    return [f"<b>▲ {number}</b>" if here else number for number, here in zip(numbers, framed, strict=True)]
