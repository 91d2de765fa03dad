"""Small charts beside the ECG: ledger, waterfall, class probabilities. Plain numbers in, Plotly figures out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.colours import Palette, css, evidence_colours, palette

FONT = "Source Sans Pro, Source Sans, Helvetica, Arial, sans-serif"
MINUS = "−"
N_STOPS = 17


def ledger_figure(
    cells: NDArray[np.floating],
    leads: Sequence[str],
    waves: Sequence[str],
    *,
    limit: float | None = None,
    dark: bool = False,
    height_px: float = 330.0,
) -> go.Figure:
    """Draw the ledger as a heat table with its sums; every cell prints its number, so that sign never hangs on colour.

    Parameters
    ----------
    cells : ndarray of shape (n_leads, n_waves)
        Logit.
    leads, waves : sequence of str
        Names of rows and columns.
    limit : float, optional
        End of the symmetric colour scale; the largest |cell| when None. Sums are printed and not coloured.
    dark : bool
    height_px : float

    Returns
    -------
    plotly.graph_objects.Figure
        `layout.meta["total"]` is the sum of the cells.
    """
    cells = np.asarray(cells, dtype=np.float64)
    limit = limit if limit is not None else float(np.abs(cells).max(initial=0.0)) or 1.0
    total = float(cells.sum())
    with_sums = np.vstack([np.hstack([cells, cells.sum(axis=1, keepdims=True)]), [*cells.sum(axis=0), total]])
    colours = palette(overlay=True, dark=dark)
    coloured = with_sums.copy()
    coloured[-1, :] = coloured[:, -1] = np.nan
    text = [[signed(value) for value in row] for row in with_sums]
    bold = [[f"<b>{word}</b>" if r == len(leads) or c == len(waves) else word for c, word in enumerate(row)]
            for r, row in enumerate(text)]  # fmt: skip
    names_y = [f"<b>{html.escape(lead)}</b>" for lead in leads] + ["<b>sum</b>"]
    names_x = [html.escape(wave) for wave in waves] + ["<b>sum</b>"]
    heat = {
        "type": "heatmap",
        "z": coloured,
        "x": names_x,
        "y": names_y,
        "zmin": -limit,
        "zmax": limit,
        "colorscale": colour_scale(dark=dark),
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "%{y} %{x}: %{text} logit<extra></extra>",
        "text": text,
    }
    labels = {
        "type": "scatter",
        "mode": "text",
        "x": [name for _ in names_y for name in names_x],
        "y": [name for name in names_y for _ in names_x],
        "text": [word for row in bold for word in row],
        "textfont": {"size": 11, "color": colours.text},
        "hoverinfo": "skip",
    }
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 44, "r": 4, "t": 24, "b": 4},
        "xaxis": {"side": "top", "showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "",
                  "tickfont": {"size": 11}},
        "yaxis": {"autorange": "reversed", "showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "",
                  "tickfont": {"size": 11}},
        "meta": {"total": total, "limit": limit},
    }  # fmt: skip
    return go.Figure({"data": [heat, labels], "layout": layout}, _validate=False)


def waterfall_figure(
    bias: float,
    parts: Sequence[tuple[str, float]],
    logit: float,
    *,
    outcome: str = "",
    probability: float | None = None,
    threshold: float | None = None,
    dark: bool = False,
    height_px: float = 210.0,
) -> go.Figure:
    """Draw how the logit comes about, from the bias, part by part, to the logit, and what that comes to.

    Parameters
    ----------
    bias, logit : float
    parts : sequence of (name, logit)
        Territories, say. What bias and parts leave open is drawn as a last part, "remainder", if it is not rounding.
    outcome : str
        What the logit comes to, in words, for a last row; no such row when empty.
    probability : float, optional
        Drawn in the last row on a scale of its own, 0 to 1 over the width of the chart.
    threshold : float, optional
        Operating point on the probability, a tick in the last row.
    dark : bool
    height_px : float
    """
    colours = palette(overlay=True, dark=dark)
    scale = evidence_colours(dark=dark)
    remainder = logit - bias - sum(value for _, value in parts)
    steps = [("bias", bias), *parts]
    if abs(remainder) > 1e-4:
        steps.append(("remainder", remainder))
    names = [html.escape(name) for name, _ in steps]
    values = np.array([value for _, value in steps])
    ends = np.cumsum(values)
    starts = ends - values
    tints = [css(scale[-1] if value >= 0 else scale[0]) for value in values]
    tints[0] = colours.muted
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": list(range(len(names) + 1)),
        "hovertext": [*names, "logit"],
        "base": [*starts, 0.0],
        "x": [*values, logit],
        "marker": {
            "color": [*tints, colours.text],
            # The sign also without colour: what lowers the score is hatched.
            "pattern": {"shape": ["/" if value < 0 else "" for value in (*values, 0.0)], "fgcolor": colours.paper},
        },
        "text": [*(signed(value) for value in values), f"<b>{signed(logit)}</b>"],
        "textposition": "outside",
        "textfont": {"size": 11, "color": colours.text},
        "constraintext": "none",
        "cliponaxis": False,
        "hovertemplate": "%{hovertext}: %{text} logit<extra></extra>",
    }
    links = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for end in ends for x in (end, end, None)],
        "y": [y for place in range(len(names)) for y in (place, place + 1, None)],
        "line": {"color": colours.muted, "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }
    low, high = float(min(0.0, starts.min(), ends.min())), float(max(0.0, starts.max(), ends.max()))
    margin = 0.28 * (high - low or 1.0)  # room for the numbers beside the bars
    rows = [*names, "<b>logit</b>"] + ([""] if outcome else [])
    data = [bars, links]
    if outcome:
        data += _outcome_row(len(rows) - 1, outcome, probability, threshold, colours)
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 78, "r": 8, "t": 6, "b": 32},
        "bargap": 0.3,
        "xaxis": {"range": [low - margin, high + margin], "title": {"text": "logit", "font": {"size": 11}},
                  "gridcolor": colours.fine, "zerolinecolor": colours.muted, "fixedrange": True},
        "xaxis2": {"range": [0, 1], "overlaying": "x", "visible": False, "fixedrange": True},
        "yaxis": {"range": [len(rows) - 0.3, -0.6], "fixedrange": True, "tickvals": list(range(len(rows))),
                  "ticktext": rows, "showgrid": False, "zeroline": False},
    }  # fmt: skip
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def _outcome_row(
    row: int, outcome: str, probability: float | None, threshold: float | None, colours: Palette
) -> list[dict[str, Any]]:
    """Return the last row of a waterfall: the probability as a bar over the whole width, its threshold as a tick."""
    words = html.escape(outcome) + (f" · threshold {threshold:.2f}" if threshold is not None else "")
    over = {"xaxis": "x2", "yaxis": "y", "hoverinfo": "skip"}
    parts: list[dict[str, Any]] = []
    if probability is not None:
        parts.append(
            over
            | {
                "type": "bar",
                "name": "probability",
                "orientation": "h",
                "y": [row + 0.3],
                "x": [probability],
                "width": 0.3,
                "marker": {"color": colours.bold},
            }
        )
    if threshold is not None:
        line = {"color": colours.outline, "width": 2}
        parts.append(over | {"type": "scatter", "mode": "lines", "name": "threshold", "x": [threshold] * 2,
                             "y": [row + 0.1, row + 0.5], "line": line})  # fmt: skip
    parts.append(
        over
        | {
            "type": "scatter",
            "mode": "text",
            "name": "outcome",
            "x": [0.01],
            "y": [row - 0.15],
            "text": [f"<b>{words}</b>"],
            "textposition": "middle right",
            "textfont": {"size": 11, "color": colours.text},
        }
    )
    return parts


def class_bars_figure(
    classes: Sequence[str],
    probabilities: NDArray[np.floating],
    *,
    chosen: int | None = None,
    thresholds: Sequence[float] | None = None,
    dark: bool = False,
    height_px: float = 150.0,
) -> go.Figure:
    """Draw the probability of every class, with the decision threshold as a tick where there is one."""
    colours = palette(overlay=True, dark=dark)
    names = [
        f"<b>{html.escape(name)}</b>" if index == chosen else html.escape(name) for index, name in enumerate(classes)
    ]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": names,
        "x": np.asarray(probabilities, dtype=np.float64),
        "marker": {"color": [colours.text if index == chosen else colours.muted for index in range(len(names))]},
        "text": [f"{float(p):.2f}" for p in probabilities],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{y}: %{x:.3f}<extra></extra>",
    }
    data: list[dict[str, Any]] = [bars]
    if thresholds is not None:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": list(thresholds),
                "y": names,
                "marker": {"symbol": "line-ns-open", "size": 11, "color": colours.outline, "line": {"width": 2}},
                "hovertemplate": "threshold %{x:.2f}<extra></extra>",
            }
        )
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 52, "r": 30, "t": 4, "b": 32},
        "bargap": 0.35,
        "xaxis": {"range": [0, 1], "title": {"text": "probability", "font": {"size": 11}}, "gridcolor": colours.fine,
                  "fixedrange": True},
        "yaxis": {"autorange": "reversed", "fixedrange": True},
    }  # fmt: skip
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def colour_scale(*, dark: bool = False) -> list[list[Any]]:
    """Return the evidence scale as Plotly takes it: stops from 0 to 1, the paper's colour at 0.5."""
    scale = evidence_colours(dark=dark)
    places = np.linspace(0, len(scale) - 1, N_STOPS).round().astype(int)
    return [[index / (N_STOPS - 1), css(scale[place])] for index, place in enumerate(places)]


def base_layout(colours: Palette, *, height_px: float) -> dict[str, Any]:
    """Return what all small charts share."""
    return {
        "template": {},
        "height": height_px,
        "font": {"family": FONT, "size": 12, "color": colours.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": colours.paper,
        "hoverlabel": {"bgcolor": colours.paper, "font": {"color": colours.text}},
        "showlegend": False,
        "uirevision": "chart",
    }


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign and a true minus; what rounds to zero has no sign."""
    words = f"{value:+.{digits}f}"
    return words[1:] if float(words) == 0 else words.replace("-", MINUS)
