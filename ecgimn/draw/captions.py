"""The words of the figure on the screen: leads' names, seconds, colour bar, footer, frames of outlined leads."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgimn.draw.colours import Palette, blended, css, evidence_colours
from ecgimn.draw.marks import StMarks
from ecgimn.draw.overlay import EvidenceMap
from ecgimn.draw.paper import PaperLayout
from ecgimn.draw.view import View

if TYPE_CHECKING:
    from ecgimn.signal.waves import Waves

FOOTER_PX, FOOTER_LINE_PX, FOOTER_CHAR_PX = 11, 15, 5.6
N_COLOUR_STOPS = 17

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


def _second_marks(layout: PaperLayout) -> list[tuple[str, float]]:
    """Return where to print the time: each second of a single column, otherwise where each column begins."""
    bottom = [panel for panel in layout.panels if panel.row == max(p.row for p in layout.panels)]
    if len(bottom) > 1:
        return [(f"{panel.start_s:g} s", panel.x0_mm) for panel in bottom]
    panel = bottom[0]
    seconds = np.arange(np.ceil(panel.start_s), panel.stop_s - 0.3)
    return [(f"{second:g} s", float(layout.time_mm(panel, second))) for second in seconds]


def colour_bar_trace(evidence: EvidenceMap, view: View, colours: Palette) -> dict[str, Any]:
    """Return an empty trace that carries the colour bar, in the colours as they look at the view's opacity."""
    scale = evidence_colours(dark=view.dark)
    stops = np.linspace(0, len(scale) - 1, N_COLOUR_STOPS).round().astype(int)
    seen = [
        [i / (N_COLOUR_STOPS - 1), css(blended(scale[s], view.opacity, dark=view.dark))] for i, s in enumerate(stops)
    ]
    limit = evidence.limit
    what = html.escape(evidence.quantity).replace(", ", "<br>")
    title = f"<b>{html.escape(evidence.name)}</b><br>{what}<br>{evidence.unit.replace(' per ', '<br>per ')}<br> "
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
                "title": {"text": title, "font": {"size": 11}},
                "thickness": 12,
                "len": 0.62,
                "y": 0.5,
                "x": 1.0,
                "xpad": 8,
                "tickvals": [-limit, -limit / 2, 0, limit / 2, limit],
                "ticktext": [f"−{limit:g}", "lowers", "0", "raises", f"+{limit:g}"],
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
    """Return the words that explain the marks, each in its colour, as markup."""
    if waves is None:
        return ""

    def word(text: str, colour: str) -> str:
        return f'<span style="color:{colour}">▬ {text}</span>'

    words = []
    if view.show_st:
        levels = (0, 4) if st.level_mv else (2,)
        names = {0: "ST lowered", 2: "ST segment", 4: "ST raised"}
        words += [word(names[step], colours.st_levels[step]) for step in levels]
        if st.level_mv:
            words.append(f"at {html.escape(st.point)}, steps 0.05 and 0.1 mV")
        words.append("| J point")
    if view.show_t:
        words += [word("T upright", colours.t_upright), word("T inverted", colours.t_inverted)]
    return "  ".join(words)


def footer_lines(parts: list[str], words: str, width_px: float) -> list[str]:
    """Return the lines of the footer: its parts, escaped and wrapped between parts, then the words about the marks."""
    lines, line = [], ""
    for part in map(html.escape, parts):
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
