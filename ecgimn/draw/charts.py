"""Small charts beside the ECG: ledger, class probabilities. Plain numbers in, Plotly figures out."""

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
