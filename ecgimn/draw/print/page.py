"""One page that a clinician would file, and a slide: header, painted trace, painted mean beat, answer and criteria."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

import matplotlib
import numpy as np
import segno
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as MatplotlibPath
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

import ecgimn
from ecgimn.about import INTENDED_USE
from ecgimn.draw.colours import css, evidence_colours, evidence_index, palette
from ecgimn.draw.evidence import EvidenceMap
from ecgimn.draw.marks import StMarks
from ecgimn.draw.painted import (
    BOX_MV,
    BOX_S,
    PAINT_POWER,
    ROWS,
    ST_POINT_S,
    TWO_ROWS,
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
from ecgimn.draw.paper import Panel, PaperLayout, footer_parts
from ecgimn.draw.print.ecg import A4_MM, PAINT_DOTS_PER_MM, POINTS_PER_MM, Sheet, draw_paper, print_raster
from ecgimn.draw.view import View
from ecgimn.explain.sentences import signed
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.signal.waves.find import WAVE_NAMES

if TYPE_CHECKING:
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


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
            tint = colours.st_levels[beat.st.step(STANDARD_LEADS[lead])]
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


PageKind = Literal["pdf", "svg", "png"]
SLIDE_MM = (338.67, 190.5)  # 13.333 by 7.5 inches
MM_PER_INCH = 25.4
PAGE_DPI, SLIDE_DPI = 250, 192  # a slide then has 2,560 by 1,440 dots
MARGIN_MM = 9.0
TRACE_MM = 120.0  # the most the trace takes of the height; at half the gain where it needs more
BEATS_MM = 150.0  # width of the mean beats
CODE_MM, CODE_BORDER = 15.0, 2  # side of the QR code with its margin; that in modules, on paper that is white anyway
LOOPBACK = ("localhost", "127.0.0.1", "::1")
CHAR_MM, BOLD_CHAR_MM = 0.19, 0.25  # mean width of a letter in mm, for each point of its size


@dataclass(frozen=True)
class PageText:
    """The words of a page or slide, made elsewhere.

    Attributes
    ----------
    title : str
        What it is: "Evidence for myocardial infarction (MI), 95 %".
    header : str
        Sex, age, rate, rhythm, intervals, axis.
    answer : str
        The answer in a sentence or two.
    criteria, measurements : sequence of str
        A line each.
    made_by : str
        Model and recording, as they may be named.
    link : str
        Address of this view of a public case; a QR code besides, unless it is that of this very machine.
    note : str
        The reader's own.
    """

    title: str
    header: str = ""
    answer: str = ""
    criteria: Sequence[str] = ()
    measurements: Sequence[str] = ()
    made_by: str = ""
    link: str = ""
    note: str = ""


def case_page_bytes(
    kind: PageKind,
    recording: Recording,
    evidence: EvidenceMap,
    beat: MeanBeatEvidence | None,
    text: PageText,
    *,
    waves: Waves | None = None,
    st: StMarks | None = None,
    view: View | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    margins: NDArray[np.floating] | None = None,
    grey: GreyBeat | None = None,
) -> bytes:
    """Return one A4 page, landscape, as the bytes of a PDF, SVG or PNG.

    Parameters
    ----------
    kind : {"pdf", "svg", "png"}
    recording : Recording
    evidence : EvidenceMap
        Of one class, from `painted_map`.
    beat : MeanBeatEvidence or None
        Of the same class; None where there is no mean beat.
    text : PageText
    waves, st
        For the marks of ST and T.
    view : View, optional
        Speed, gain, order of leads and marks; the layout is 3x4 with a rhythm strip. Waves too tall for the page are
        drawn at half the gain, which is printed.
    confirmed : ndarray of shape (12, n_waves), bool, optional
    margins : ndarray of shape (12, n_waves), optional
        How far taking a cell out may lie from it, printed as "±" after a cell that is named.
    grey : GreyBeat, optional
        Behind the mean beats.

    Raises
    ------
    ValueError
        Another format.
    """
    view = replace(view or View(), layout="3x4+1R", style="painted", dark=False, page=0, opacity=1.0)

    def draw(sheet: Sheet) -> None:
        _page(sheet, recording, evidence, beat, text, waves, st or StMarks(), view, confirmed, margins, grey)

    return _saved(kind, A4_MM, draw, PAGE_DPI)


def case_slide_bytes(
    kind: PageKind,
    beat: MeanBeatEvidence,
    text: PageText,
    *,
    name: str,
    limit: float | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    margins: NDArray[np.floating] | None = None,
    grey: GreyBeat | None = None,
) -> bytes:
    """Return one slide, 16:9, with the painted mean beats and the answer.

    Parameters
    ----------
    kind : {"pdf", "svg", "png"}
    beat : MeanBeatEvidence
    text : PageText
        Title, header and answer are shown.
    name : str
        Class, for the words about the strongest cells.
    limit : float, optional
        End of the colour scale; the largest value of the beat when None.
    confirmed, margins, grey
        As for `case_page_bytes`.
    """
    limit = limit or beat.paint.largest

    def draw(sheet: Sheet) -> None:
        width, height = SLIDE_MM
        edge = 14.0
        y = height - 16.0
        sheet.text(edge, y, text.title, size=_fitting(text.title, 24, width - 2 * edge), bold=True)
        y -= 8.5
        sheet.text(edge, y, text.header, size=12, color=palette(overlay=True, dark=False).muted)
        y = _paragraph(sheet, edge, y - 8.5, text.answer, size=15, width_mm=width - 2 * edge, most=3)
        foot = 22.0
        draw_mean_beat(
            sheet, (edge, y - 1.0), (width - 2 * edge, y - 1.0 - foot), beat, limit=limit, confirmed=confirmed,
            grey=grey, size=12,
        )  # fmt: skip
        strong = strongest_cells(beat.cells, confirmed, margins=margins)
        words = [strongest_words(strong, name), beats_words(beat)]
        sheet.text(edge, 15.5, " · ".join(filter(None, words)), size=9)
        _key(sheet, edge, 9.5, limit, size=9, hatched=confirmed is not None, grey=grey)
        sheet.text(edge, 5.4, " · ".join(filter(None, (INTENDED_USE, text.made_by))), size=7)
        sheet.text(edge, 2.5, text.link, size=7)

    return _saved(kind, SLIDE_MM, draw, SLIDE_DPI)


def difference_page_bytes(
    kind: PageKind,
    beat: DifferenceBeat | None,
    *,
    title: str,
    sentences: Sequence[str],
    rows: Sequence[str],
    made_by: str,
) -> bytes:
    """Return one A4 page, landscape, of two ECGs of a patient: sentences, both mean beats, changes beyond their limits.

    Parameters
    ----------
    kind : {"pdf", "svg", "png"}
    beat : DifferenceBeat or None
        None where one of the two has no mean beat.
    title : str
    sentences : sequence of str
    rows : sequence of str
        Measurements, each with its change and limit.
    made_by : str
        Model and version.
    """

    def draw(sheet: Sheet) -> None:
        width, height = A4_MM
        y = height - 11.0
        sheet.text(MARGIN_MM, y, title, size=12, bold=True)
        y -= 6.0
        for sentence in sentences[:6]:
            y = _paragraph(sheet, MARGIN_MM, y, sentence, size=8.5, width_mm=width - 2 * MARGIN_MM, most=2)
        left = MARGIN_MM
        if beat is not None:
            _draw_difference(sheet, (left, y - 2.0), (BEATS_MM, y - 20.0), beat)
            left += BEATS_MM + 6.0
            _key(sheet, MARGIN_MM, 9.0, beat.paint.largest, size=6, hatched=False, grey=None)
        _list(sheet, left, y - 4.0, "Beyond day-to-day variability", rows or ("none",),
              width_mm=width - MARGIN_MM - left, lowest_mm=16.0)  # fmt: skip
        sheet.text(MARGIN_MM, 3.8, " · ".join((INTENDED_USE, made_by)), size=5.5)

    return _saved(kind, A4_MM, draw, PAGE_DPI)


def _draw_difference(
    sheet: Sheet, corner_mm: tuple[float, float], room_mm: tuple[float, float], beat: DifferenceBeat
) -> None:
    """Draw both beats with what is painted between them, below and right of a corner."""
    colours, scale = palette(overlay=True, dark=False), evidence_colours(paint=True)
    layout = beat_layout(beat, room_mm, head=5.0, gap=3.0, others_mv=beat.earlier_mv)
    axes = sheet.axes(corner_mm[0], corner_mm[1] - layout.height_mm, layout.width_mm, layout.height_mm)
    axes.set(xlim=(0, layout.width_mm), ylim=(0, layout.height_mm))
    axes.axis("off")
    for panel in layout.panels:
        lead = lead_index(panel.lead)
        x = panel.x0_mm + np.arange(beat.length) / beat.fs * layout.speed
        later, earlier = (panel.baseline_mm + layout.gain * row[lead] for row in (beat.paint.above_mv, beat.earlier_mv))
        axes.plot(x[[0, -1]], [panel.baseline_mm] * 2, color=colours.muted, lw=0.3)
        for colour, inside in beat.stretches(lead, beat.paint.largest):
            axes.fill_between(x[inside], earlier[inside], later[inside], color=css(scale[colour]), lw=0.4)
        axes.plot(x, earlier, color=colours.muted, lw=0.7, ls=(0, (3, 2)))
        axes.plot(x, later, color=colours.trace, lw=0.9)
        top = panel.baseline_mm + layout.gain * float(np.nanmax([beat.paint.above_mv[lead], beat.earlier_mv[lead]]))
        words = f"{panel.label}  {signed(float(beat.total[lead]))}"
        sheet.text(corner_mm[0] + panel.x0_mm, corner_mm[1] - layout.height_mm + top + 1.0, words, size=7, bold=True)


def _saved(kind: PageKind, size_mm: tuple[float, float], draw: Callable[[Sheet], None], dpi: int) -> bytes:
    if kind not in get_args(PageKind):
        choices = ", ".join(repr(choice) for choice in get_args(PageKind))
        raise ValueError(f"Invalid value for the 'kind' parameter: {kind!r}. Allowed values are {choices}.")
    buffer = io.BytesIO()
    style: Any = {"svg.hashsalt": "ecgimn", "path.simplify": False, "pdf.compression": 6, "font.family": "DejaVu Sans"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(size_mm[0] / MM_PER_INCH, size_mm[1] / MM_PER_INCH), facecolor="white")
        draw(Sheet(figure, 0.0, 1))
        if kind == "pdf":
            with PdfPages(buffer, metadata={"CreationDate": None, "Title": "ECG with evidence"}) as pdf:
                pdf.savefig(figure)
        else:
            metadata: dict[str, Any] = {"Software": None}
            if kind == "svg":
                metadata = {"Date": None, "Title": "ECG with evidence"}
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def _page(
    sheet: Sheet,
    recording: Recording,
    evidence: EvidenceMap,
    beat: MeanBeatEvidence | None,
    text: PageText,
    waves: Waves | None,
    st: StMarks,
    view: View,
    confirmed: NDArray[np.bool_] | None,
    margins: NDArray[np.floating] | None,
    grey: GreyBeat | None,
) -> None:
    width, height = A4_MM
    colours = palette(overlay=True, dark=False)
    y = height - 10.0
    sheet.text(MARGIN_MM, y, text.title, size=_fitting(text.title, 12, width - 2 * MARGIN_MM), bold=True)
    sheet.text(MARGIN_MM, y - 5.2, text.header, size=8.5)
    y = _paragraph(sheet, MARGIN_MM, y - 10.0, text.answer, size=8.5, width_mm=width - 2 * MARGIN_MM, most=3)
    if text.note:
        y = _paragraph(sheet, MARGIN_MM, y, note_words(text.note), size=8.5, width_mm=width - 2 * MARGIN_MM, most=3)
    layout, beyond = view.paper_for(recording, TRACE_MM)
    if layout.height_mm > TRACE_MM and view.gain > 5:
        view = replace(view, gain=view.gain / 2)
    layout, beyond = view.paper_for(recording, TRACE_MM, TRACE_MM)
    corner = (MARGIN_MM, y - layout.height_mm)
    draw_paper(sheet, corner, layout, recording, view, evidence, waves, st)
    y = corner[1] - 3.0
    parts = list(footer_parts(layout, recording.fs, filter_name=view.filter_name))
    parts.append(f"shown: {100 * evidence.shown_share(layout):.0f} % of the evidence")
    parts += [f"the trace leaves the grid in {', '.join(beyond)}"] if beyond else []
    parts += [st.beats_key] if st.beats_key else []
    sheet.text(MARGIN_MM, y, " · ".join(parts), size=5.8, color=colours.muted)
    y -= 4.0
    foot = 15.5
    has_code = _draw_code(sheet, width - MARGIN_MM - CODE_MM, 1.5, text.link)
    left = MARGIN_MM
    if beat is not None:
        draw_mean_beat(
            sheet, (left, y), (BEATS_MM, y - foot), beat, limit=evidence.limit, rows=TWO_ROWS, confirmed=confirmed,
            grey=grey, size=6.5,
        )  # fmt: skip
        left += BEATS_MM + 6.0
        words = strongest_words(strongest_cells(beat.cells, confirmed, margins=margins), evidence.name)
        sheet.text(MARGIN_MM, 12.2, " · ".join(filter(None, (words, beats_words(beat)))), size=6)
    columns = ((left, "Criteria", text.criteria), (left + 68.0, "Measurements", text.measurements))
    for x, head, lines in columns:
        room = min(66.0, width - MARGIN_MM - x)
        _list(sheet, x, y - 2.0, head, lines, width_mm=room, lowest_mm=CODE_MM + 3.0 if has_code else foot)
    _key(sheet, MARGIN_MM, 7.6, evidence.limit, size=6, hatched=evidence.uncertain is not None or confirmed is not None,
         grey=grey, strip=view.show_strip)  # fmt: skip
    made = f"ECG-IMN Reader {ecgimn.__version__}"
    sheet.text(MARGIN_MM, 4.6, " · ".join(filter(None, (INTENDED_USE, text.made_by, made))), size=5.5)
    sheet.text(MARGIN_MM, 2.2, text.link, size=5.5)


def note_words(note: str) -> str:
    """Return a reader's note as it is printed, on one line."""
    return f"Reader's note: {' '.join(note.split())}"


def _draw_code(sheet: Sheet, x: float, y: float, link: str) -> bool:
    """Draw a link as a QR code (ISO/IEC 18004), its margin included; return whether there is one.

    A link to the machine on which the app runs opens nothing on another, so it is printed in letters alone.
    """
    if not link or urlsplit(link).hostname in LOOPBACK:
        return False
    matrix = [row for row in segno.make_qr(link, error="l").matrix_iter(border=CODE_BORDER)]
    axes = sheet.axes(x, y, CODE_MM, CODE_MM)
    axes.set(xlim=(0, len(matrix)), ylim=(len(matrix), 0))
    squares = [
        MatplotlibPath([(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1), (column, row)])
        for row, line in enumerate(matrix)
        for column, dark in enumerate(line)
        if dark
    ]
    code = PathPatch(MatplotlibPath.make_compound_path(*squares), facecolor="black", edgecolor="none", linewidth=0)
    code.set_gid("code")
    axes.add_patch(code)
    return True


def _fitting(title: str, size: float, width_mm: float) -> float:
    """Return the largest size of letters, up to `size` points, in which a title fits on its line."""
    return min(size, width_mm / (BOLD_CHAR_MM * max(len(title), 1)))


def _wrapped(words: str, size: float, width_mm: float) -> list[str]:
    return textwrap.wrap(words, max(int(width_mm / (CHAR_MM * size)), 10))


def _paragraph(sheet: Sheet, x: float, y: float, words: str, *, size: float, width_mm: float, most: int) -> float:
    """Write a paragraph, in smaller letters where it is long; return where the next thing begins."""
    smallest, lines = 0.8 * size, _wrapped(words, size, width_mm)
    while len(lines) > most and size > smallest:
        size -= 0.5
        lines = _wrapped(words, size, width_mm)
    if len(lines) > most:
        lines = [*lines[: most - 1], textwrap.shorten(" ".join(lines[most - 1 :]), int(width_mm / (CHAR_MM * size)))]
    step = 0.46 * size
    for line in lines:
        sheet.text(x, y, line, size=size)
        y -= step
    return y - 0.5


def _list(
    sheet: Sheet, x: float, top: float, head: str, lines: Sequence[str], *, width_mm: float, lowest_mm: float
) -> None:
    """Write a list in the letters in which it fits, from 7 to 5 points; the last line says what even then did not."""
    if not lines:
        return
    sheet.text(x, top, head, size=7.5, bold=True)
    for size in (7.0, 6.5, 6.0, 5.5, 5.0):
        step = 0.47 * size
        wrapped = [
            part
            for line in lines
            for part in textwrap.wrap(line, int(width_mm / (CHAR_MM * size)), subsequent_indent="  ")
        ]
        room = int((top - lowest_mm) / step)
        if len(wrapped) <= room:
            break
    if len(wrapped) > room:
        wrapped = [*wrapped[: room - 1], f"({len(wrapped) - room + 1} more lines in the report)"]
    for place, line in enumerate(wrapped):
        sheet.text(x, top - (place + 1) * step - 0.6, line, size=size)


def _key(
    sheet: Sheet,
    x: float,
    y: float,
    limit: float,
    *,
    size: float,
    hatched: bool,
    grey: GreyBeat | None,
    strip: bool = False,
) -> None:
    """Draw the colours with their meaning in one line."""
    colours = palette(overlay=True, dark=False)
    space = 0.4 * size

    def word(words: str, colour: str = colours.text) -> None:
        nonlocal x
        sheet.text(x, y, words, size=size, color=colour)
        x += TextPath((0, 0), words, size=size).get_extents().width / POINTS_PER_MM + space

    word(f"area painted: lowers −{limit:g}")
    wide, tall = 5.2 * size, 0.36 * size
    axes = sheet.axes(x, y - 0.06 * size, wide, tall)
    scale = evidence_index(np.linspace(-1.0, 1.0, round(wide * PAINT_DOTS_PER_MM)), 1.0, PAINT_POWER)[None]
    axes.imshow(
        print_raster(np.repeat(scale, 12, axis=0), PAINT_DOTS_PER_MM, PAINT_DOTS_PER_MM, 1.0, paint=True),
        extent=(0, wide, 0, tall), aspect="auto", interpolation="none",
    )  # fmt: skip
    x += wide + 0.5 * space
    word(f"raises +{limit:g} logit per 40 ms")
    word("▬ ST elevation", colours.st_levels[-1])
    word("▬ ST depression", colours.st_levels[0])
    word("▬ T inversion", colours.t_inverted)
    word("| J point")
    word("● ST at J+60")
    if strip:
        word("strip: sum of 40 ms", colours.muted)
    if hatched:
        word("hatched: not confirmed", colours.muted)
    if grey is not None:
        word(f"grey: {grey.name}", colours.muted)
