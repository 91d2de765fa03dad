"""Logits of a long recording, window by window: one line per class, one marker per window to be clicked."""

from __future__ import annotations

import html

import numpy as np
import plotly.graph_objects as go

from ecgimn.draw.charts.ledger import base_layout
from ecgimn.draw.colours import palette
from ecgimn.explain.sentences import NOTHING, signed
from ecgimn.explain.windows import WindowLogits

MANY_CLASSES = 8  # of more, the class shown and the strongest are drawn
MARKER_PX = 9
_NOTHINGES = ("solid", "dash", "dot", "dashdot", "longdash")  # a class is told by its dash and its name, not by colour


def timeline_figure(
    found: WindowLogits, *, shown: str, chosen: int | None = None, dark: bool = False, height_px: float = 200.0
) -> go.Figure:
    """Draw the logits over time, the class shown on top and strongest.

    Parameters
    ----------
    found : WindowLogits
    shown : str
        The class whose line is thick.
    chosen : int, optional
        Place of the window on the screen; it is shaded.
    dark : bool
    height_px : float

    Returns
    -------
    plotly.graph_objects.Figure
        One trace per class drawn, named after it; `customdata` of a marker is the place of its window. Windows without
        a logit are gaps, marked by a cross on the line of zero in a trace of their own.
    """
    colours = palette(overlay=True, dark=dark)
    middle = np.array([(window.start_s + window.stop_s) / 2 for window in found.windows])
    spans = [window.words for window in found.windows]
    data = []
    for place, name in enumerate(reversed(_drawn(found, shown))):
        logits = found.logit[:, found.classes.index(name)]
        bold = name == shown
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": html.escape(name),
                "x": middle,
                "y": logits,
                "customdata": list(range(len(middle))),
                "text": [f"{html.escape(name)} {_words(y)}, {span}" for y, span in zip(logits, spans, strict=True)],
                "hovertemplate": "%{text}<extra></extra>",
                "line": {"color": colours.outline if bold else colours.muted, "width": 2.5 if bold else 1.2,
                         "dash": "solid" if bold else _NOTHINGES[place % len(_NOTHINGES)]},
                "marker": {"size": MARKER_PX if bold else MARKER_PX - 3},
                "connectgaps": False,
            }
        )  # fmt: skip
    refused = [place for place, reasons in enumerate(found.refusals) if reasons]
    if refused:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "not asked",
                "x": middle[refused],
                "y": [0.0] * len(refused),
                "customdata": refused,
                "text": [f"not asked, {spans[place]}: {html.escape(found.refusals[place][0])}" for place in refused],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"symbol": "x-thin", "size": MARKER_PX, "line": {"width": 2, "color": colours.muted}},
            }
        )
    shapes = []
    if chosen is not None:
        window = found.windows[chosen]
        shapes.append(
            {"type": "rect", "xref": "x", "yref": "paper", "x0": window.start_s, "x1": window.stop_s, "y0": 0, "y1": 1,
             "fillcolor": colours.bold, "opacity": 0.4, "line": {"width": 0}, "layer": "below"}
        )  # fmt: skip
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 48, "r": 8, "t": 8, "b": 36},
        "showlegend": True,
        "legend": {"traceorder": "reversed", "font": {"size": 11}},
        "hovermode": "closest",
        "clickmode": "event+select",
        "dragmode": False,
        "xaxis": {"title": {"text": "time in the recording (s)", "font": {"size": 11}},
                  "range": [0, found.windows[-1].stop_s], "gridcolor": colours.fine, "zeroline": False,
                  "fixedrange": True},
        "yaxis": {"title": {"text": "logit", "font": {"size": 11}}, "gridcolor": colours.fine,
                  "zerolinecolor": colours.muted, "fixedrange": True},
        "shapes": shapes,
    }  # fmt: skip
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def window_rows(found: WindowLogits) -> list[dict[str, str]]:
    """Return one row of text per window: its time, its logit of every class, and why there is none."""
    return [
        {
            "Window": window.words,
            **{name: _words(logit) for name, logit in zip(found.classes, logits, strict=True)},
            "Quality": " ".join(reasons) or "usable",
        }
        for window, logits, reasons in zip(found.windows, found.logit, found.refusals, strict=True)
    ]


def _words(logit: float) -> str:
    return NOTHING if np.isnan(logit) else signed(float(logit))


def _drawn(found: WindowLogits, shown: str) -> list[str]:
    """Return the classes to draw, the one shown first, then those with the highest logit anywhere."""
    others = [name for name in found.classes if name != shown]
    if len(found.classes) > MANY_CLASSES and np.isfinite(found.logit).any():
        highest = dict(zip(found.classes, np.nanmax(found.logit, axis=0).tolist(), strict=True))
        others = sorted(others, key=highest.__getitem__, reverse=True)[: MANY_CLASSES - 1]
    return [shown, *others]
