"""The parts of the ECG on the screen: lines, words, and the SVG images under the trace.

In Plotly every tick and every stroke of a line with gaps is a node of its own: four hundred for the grid, four hundred
for the marked waves of twelve leads. As images they are one node each, sharp at every zoom, and need no more bytes.
Their unit is a twentieth of a millimetre.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.colours import Palette, blended, css, evidence_colours, evidence_index
from ecgimn.draw.evidence import BIN_S, EvidenceMap, panel_cell
from ecgimn.draw.marks import LEVEL, LOWERED, RAISED, StMarks, beat_words, j_ticks, st_lines, t_lines
from ecgimn.draw.paper import BOLD_MM, FINE_MM, Panel, PaperLayout
from ecgimn.draw.view import View
from ecgimn.escape import for_plotly
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


FOOTER_PX, FOOTER_LINE_PX, FOOTER_CHAR_PX = 11, 15, 5.6
N_COLOUR_STOPS = 33  # the painted scale is steep about 0

SWITCH_TEXT, SWITCH_BACKGROUND = "#1F2328", "#C3CBD2"  # contrast 9.6 : 1, and 15 : 1 on Plotly's active button


def label_trace(layout: PaperLayout, st: StMarks, colours: Palette) -> dict[str, Any]:
    """Return the leads' names at the left of their stretch, and the seconds along the foot, as one text trace."""
    xs, ys, texts, tints = [], [], [], []
    for panel in layout.panels:
        marked = panel.lead in st.outlined
        xs.append(panel.x0_mm + 0.6)
        ys.append(panel.baseline_mm + min(layout.pitch_mm * 0.36, 9.0))
        texts.append(f"<b>{panel.label}</b>" + (" <b>ST ▲</b>" if marked else ""))
        tints.append(colours.outline if marked else colours.text)
    for second, x_mm in _second_marks(layout):
        xs.append(x_mm)
        ys.append(1.6)
        texts.append(second)
        tints.append(colours.muted)
    return {
        "type": "scatter",
        "mode": "text",
        "name": "labels",
        "x": xs,
        "y": ys,
        "text": texts,
        "textposition": "middle right",
        "textfont": {"size": 12, "color": tints},
        "selected": {"textfont": {"color": colours.text}},  # else a box on the trace would fade the names outside it
        "hoverinfo": "skip",
    }


def beat_trace(layout: PaperLayout, recording: Recording, st: StMarks, colours: Palette) -> list[dict[str, Any]]:
    """Return the letters of beats and the lengths of pauses over the rhythm strip as one text trace, or nothing."""
    words = beat_words(layout, recording, st)
    if not words:
        return []
    return [
        {
            "type": "scatter",
            "mode": "text",
            "name": "beats",
            "x": [x for x, _, _ in words],
            "y": [y for _, y, _ in words],
            "text": [f"<b>{word}</b>" for _, _, word in words],
            "textposition": "top center",
            "textfont": {"size": 12, "color": colours.outline},
            "selected": {"textfont": {"color": colours.outline}},
            "hoverinfo": "skip",
        }
    ]


def _second_marks(layout: PaperLayout) -> list[tuple[str, float]]:
    """Return where to print the time: each second of a single column, otherwise where each column begins."""
    bottom = [panel for panel in layout.panels if panel.row == max(p.row for p in layout.panels)]
    if len(bottom) > 1:
        return [(f"{panel.start_s:g} s", panel.x0_mm) for panel in bottom]
    panel = bottom[0]
    seconds = np.arange(np.ceil(panel.start_s), panel.stop_s - 0.3)
    return [(f"{second:g} s", float(layout.time_mm(panel, second))) for second in seconds]


def colour_stops(evidence: EvidenceMap, *, dark: bool) -> NDArray[np.uint8]:
    """Return the colours of evenly spaced values from the lowest to the highest, (33, 3) bytes."""
    values = np.linspace(-1.0, 1.0, N_COLOUR_STOPS)
    return evidence_colours(dark=dark, paint=evidence.paint is not None)[evidence_index(values, 1.0, evidence.power)]


def colour_bar_trace(evidence: EvidenceMap, view: View, colours: Palette, *, numbers: bool = True) -> dict[str, Any]:
    """Return an empty trace that carries the colour bar, in the colours as they look at the view's opacity."""
    seen = [
        [place / (N_COLOUR_STOPS - 1), css(blended(colour, view.opacity, dark=view.dark))]
        for place, colour in enumerate(colour_stops(evidence, dark=view.dark))
    ]
    limit = evidence.limit
    what = for_plotly(evidence.quantity).replace(", ", "<br>")
    if numbers:
        words, ends = f"{what}<br>{evidence.unit.replace(' per ', '<br>per ')}", (f"−{limit:g}", "0", f"+{limit:g}")
    else:
        words, ends = what.replace("contribution", "evidence"), ("", "none", "")
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "colour bar",
        "x": [None],
        "y": [None],
        "hoverinfo": "skip",
        "marker": {
            "color": [0],
            "cmin": -limit,
            "cmax": limit,
            "colorscale": seen,
            "showscale": True,
            "colorbar": {
                "title": {"text": f"<b>{for_plotly(evidence.name)}</b><br>{words}<br> ", "font": {"size": 11}},
                "thickness": 12,
                "len": 0.62,
                "y": 0.5,
                "x": 1.0,
                "xpad": 8,
                "tickvals": [-limit, -limit / 2, 0, limit / 2, limit],
                "ticktext": [ends[0], "lowers", ends[1], "raises", ends[2]],
                "tickfont": {"size": 11},
                "outlinewidth": 1,
                "outlinecolor": colours.bold,
            },
        },
    }


def evidence_switch(images: list[dict[str, Any]], colours: Palette) -> dict[str, Any]:
    """Return three buttons that set the opacity of the images of the evidence in the browser."""
    opacities = {place: image["opacity"] for place, image in enumerate(images) if image["name"] != "paper"}
    buttons = [
        {
            "label": label,
            "method": "relayout",
            "args": [{f"images[{place}].opacity": full * share for place, full in opacities.items()}],
        }
        for label, share in (("off", 0.0), ("½", 0.5), ("full", 1.0))
    ]
    return {
        "type": "buttons",
        "direction": "right",
        "active": 2,
        "buttons": buttons,
        "showactive": True,
        "x": 1.0,
        "xanchor": "left",
        "y": 0.0,  # at the foot: Plotly's own buttons lie at the top
        "yanchor": "bottom",
        "pad": {"l": 6, "t": 0},
        # Plotly paints the active button near white whatever is asked for, so the words must be dark on every button
        "font": {"size": 10, "color": SWITCH_TEXT},
        "bgcolor": SWITCH_BACKGROUND,
        "bordercolor": colours.bold,
    }


def outline_shapes(layout: PaperLayout, st: StMarks, colours: Palette) -> list[dict[str, Any]]:
    """Return one frame around each lead beyond the ST-elevation threshold, at most twelve."""
    shapes = []
    for panel in layout.panels:
        if panel.lead in st.outlined and not panel.rhythm:
            shapes.append(
                {
                    "type": "rect",
                    "x0": panel.x0_mm,
                    "x1": panel.x0_mm + layout.panel_width_mm(panel),
                    "y0": panel.baseline_mm - layout.pitch_mm / 2,
                    "y1": panel.baseline_mm + layout.pitch_mm / 2,
                    "line": {"color": colours.outline, "width": 1.4},
                    "layer": "above",
                }
            )
    return shapes


def legend(view: View, waves: Waves | None, st: StMarks, colours: Palette) -> str:
    """Return the words that explain the marks, each after a bar in its colour, as markup."""
    key = [st.beats_key] if st.beats_key else []
    if waves is None:
        return "".join(key)

    def word(text: str, colour: str) -> str:
        return f'<span style="color:{colour}">▬</span> {text}'

    words = []
    if view.show_st:
        names = {LOWERED: "ST depression", LEVEL: "ST segment", RAISED: "ST elevation"}
        words += [
            word(names[step], colours.st_levels[step]) for step in ((LOWERED, RAISED) if st.measured else (LEVEL,))
        ]
        if st.measured:
            words.append("where the threshold is met at J")
        words.append("| J point")
    if view.show_t:
        words += [word("T wave", colours.t_upright), word("T inversion", colours.t_inverted)]
    return "  ".join([*words, *key])


def footer_lines(parts: list[str], words: str, width_px: float) -> list[str]:
    """Return the lines of the footer: its parts, escaped and wrapped between parts, then the words about the marks."""
    lines, line = [], ""
    for part in map(for_plotly, parts):
        longer = f"{line} · {part}" if line else part
        if line and len(longer) * FOOTER_CHAR_PX > width_px:
            lines.append(line)
            line = part
        else:
            line = longer
    return [*lines, line, *([words] if words else [])]


def footer(lines: list[str], colours: Palette) -> dict[str, Any]:
    """Return the footer as an annotation below the paper."""
    return {
        "text": "<br>".join(lines),
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 0,
        "yshift": -4,
        "xanchor": "left",
        "yanchor": "top",
        "align": "left",
        "showarrow": False,
        "font": {"size": FOOTER_PX, "color": colours.muted},
    }


HOVER_S = 0.02  # one point of the invisible hover line every 20 ms


def lead_traces(layout: PaperLayout, recording: Recording, colours: Palette) -> list[dict[str, Any]]:
    """Return one line per panel: the samples of the file in mm, gaps left open."""
    traces = []
    for panel in layout.panels:
        drawn = panel.samples(recording.fs, recording.n_samples)
        y = np.asarray(layout.voltage_mm(panel, recording.signal[lead_index(panel.lead), drawn]), dtype=np.float32)
        x0 = float(layout.time_mm(panel, drawn.start / recording.fs))
        name = f"{panel.label} rhythm" if panel.rhythm else panel.label
        line = {"color": colours.trace, "width": 1.1, "simplify": False}
        traces.append(_line(name, line, x0=x0, dx=layout.speed / recording.fs, y=y) | {"connectgaps": False})
    return traces


def pulse_trace(layout: PaperLayout, colours: Palette) -> dict[str, Any]:
    """Return the calibration pulses of all rows as one line."""
    corners = np.array(layout.pulse_mm, dtype=np.float32)  # (6, 2)
    gap = np.full((1, 2), np.nan, dtype=np.float32)
    pulses = np.concatenate(
        [part for y in layout.baselines_mm for part in (corners + np.array([0, y], np.float32), gap)]
    )
    line = {"color": colours.trace, "width": 1.0, "simplify": False}
    return _line("calibration pulse", line, x=pulses[:, 0].copy(), y=pulses[:, 1].copy())


def hover_samples(panel: Panel, recording: Recording) -> NDArray[np.intp]:
    """Return the samples of a panel at which the pointer is answered."""
    drawn = panel.samples(recording.fs, recording.n_samples)
    wanted = drawn.start / recording.fs + np.arange(0, (drawn.stop - drawn.start) / recording.fs, HOVER_S)
    return np.asarray(np.minimum(np.round(wanted * recording.fs), drawn.stop - 1), dtype=np.intp)


def hover_traces(
    layout: PaperLayout,
    recording: Recording,
    evidence: EvidenceMap | None,
    *,
    bare: bool = False,
    numbers: bool = True,
) -> list[dict[str, Any]]:
    """Return one invisible line per panel that answers the pointer: time, voltage, contribution.

    A bare line holds places only, a quarter of the bytes; its `meta` says how time and voltage follow from the panel's
    own line, the one at the place `lead`, for a page that fills the answers in.
    """
    traces: list[dict[str, Any]] = []
    for place, panel in enumerate(layout.panels):
        drawn = panel.samples(recording.fs, recording.n_samples)
        lead = lead_index(panel.lead)
        samples = hover_samples(panel, recording)
        voltage = panel.sign * recording.signal[lead, samples]
        height = np.nan_to_num(np.asarray(layout.voltage_mm(panel, recording.signal[lead, samples])), nan=-1.0)
        missing = height < 0
        height = np.where(missing, panel.baseline_mm, np.clip(height, 0, layout.height_mm))
        line = {
            "type": "scatter",
            "mode": "lines",
            "name": f"hover {panel.label}",
            "x0": float(layout.time_mm(panel, samples[0] / recording.fs)) if samples.size else panel.x0_mm,
            "dx": HOVER_S * layout.speed,
            "y": np.round(height).astype(np.uint16 if layout.height_mm > 255 else np.uint8),
            "opacity": 0,
        }
        if bare:
            words = "%{customdata[0]:.0f} ms<br>%{customdata[1]:.2f} mV"
            answers = {
                "customdata": [0],  # an array, so that Plotly looks here for what the page fills in
                "hovertemplate": f"{panel.label} · {words}<extra></extra>",
                "meta": {
                    "lead": place,
                    "first_ms": 1000 * drawn.start / recording.fs,
                    "step_ms": 1000 * HOVER_S,
                    "step": HOVER_S * recording.fs,
                    "baseline_mm": panel.baseline_mm,
                    "mm_per_mv": layout.gain,
                },
            }
            traces.append(line | answers)
            continue
        text = f"{panel.label} · %{{text}} ms<br>%{{customdata[0]:.2f}} mV"
        columns = [voltage]
        if evidence is not None and numbers:
            columns.append(evidence.sign(panel) * evidence.drawn[lead, samples])
            what = for_plotly(f"{evidence.quantity} · {evidence.name}")
            text += f"<br>{what}<br>%{{customdata[1]:+.4f}} {evidence.unit}"
        answers = {
            "text": np.round(1000 * samples / recording.fs).astype(
                np.uint32 if drawn.stop > 65 * recording.fs else np.uint16
            ),
            "customdata": np.stack(columns, axis=1).astype(np.float32),
            "hovertemplate": text + "<extra></extra>",
        }
        traces.append(line | answers)
    return traces


def _line(name: str, line: dict[str, Any], **points: Any) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "name": name, "line": line, "hoverinfo": "skip", **points}


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
        for down, (x, y) in t_lines(layout, recording, waves, st).items():
            colour, name = (colours.t_inverted, "T inverted") if down else (colours.t_upright, "T wave")
            width, opacity = (0.9, 0.9) if down else (0.4, 0.7)  # a T wave that meets no threshold stays quiet
            parts.append(_path(stroke_path(layout, x, y), colour, width, name, opacity=opacity))
    if waves is not None and view.show_st:
        for step, (x, y) in st_lines(layout, recording, waves, st).items():
            # A level ST segment is the rule and stays quiet.
            width, opacity = (0.4, 0.7) if step == LEVEL else (0.9, 1.0)
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
        bins = np.clip(evidence.panel_bins(panel) / evidence.strip_limit, -1.0, 1.0)
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
