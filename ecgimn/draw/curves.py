"""Curves of the model page: reliability, ROC, precision-recall, and predicted against actual change of the logit."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.charts import base_layout
from ecgimn.draw.colours import Palette, palette

#: Distinct for common colour blindness, and each with a dash of its own (Okabe & Ito 2008, https://jfly.uni-koeln.de/color).
SERIES = (
    ("#0072B2", "solid"),
    ("#D55E00", "dash"),
    ("#009E73", "dot"),
    ("#CC79A7", "dashdot"),
    ("#E69F00", "longdash"),
)
MAX_MARKERS = 400  # every SVG marker is a node

Curve = tuple[str, NDArray[np.floating], NDArray[np.floating], float]


def roc_figure(curves: Sequence[Curve], *, dark: bool = False, height_px: float = 320.0) -> go.Figure:
    """Draw ROC curves, each (name, false positive rate, true positive rate, area); the area is printed."""
    colours = palette(overlay=True, dark=dark)
    data = [_diagonal(colours), *_lines(curves, "AUROC")]
    return _figure(data, colours, height_px, "1 − specificity", "sensitivity")


def precision_recall_figure(curves: Sequence[Curve], *, dark: bool = False, height_px: float = 320.0) -> go.Figure:
    """Draw precision over recall, each curve (name, recall, precision, average precision)."""
    colours = palette(overlay=True, dark=dark)
    return _figure(_lines(curves, "AP"), colours, height_px, "recall (sensitivity)", "precision")


def reliability_figure(
    curves: Sequence[tuple[str, NDArray[np.floating], NDArray[np.floating], NDArray[np.integer]]],
    *,
    dark: bool = False,
    height_px: float = 320.0,
) -> go.Figure:
    """Draw observed frequency over mean probability, each curve (name, mean probability, observed, records per bin)."""
    colours = palette(overlay=True, dark=dark)
    data = [_diagonal(colours)]
    for place, (name, predicted, observed, counts) in enumerate(curves):
        colour, dash = SERIES[place % len(SERIES)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": html.escape(name),
                "x": np.asarray(predicted, dtype=np.float64),
                "y": np.asarray(observed, dtype=np.float64),
                "customdata": np.asarray(counts),
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "size": 6},
                "hovertemplate": "%{x:.2f} predicted, %{y:.2f} observed, n = %{customdata}<extra></extra>",
            }
        )
    return _figure(data, colours, height_px, "mean probability", "observed frequency")


def training_figure(
    curves: Sequence[tuple[str, NDArray[np.floating], NDArray[np.floating]]],
    *,
    dark: bool = False,
    height_px: float = 240.0,
) -> go.Figure:
    """Draw one quantity of a training run by epoch, each curve (name, epoch, value)."""
    colours = palette(overlay=True, dark=dark)
    data = []
    for place, (name, epoch, value) in enumerate(curves):
        colour, dash = SERIES[place % len(SERIES)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": html.escape(name),
                "x": np.asarray(epoch, dtype=np.float32),
                "y": np.asarray(value, dtype=np.float64),
                "line": {"color": colour, "dash": dash, "width": 2},
                "hovertemplate": "epoch %{x:.0f}: %{y:.4f}<extra></extra>",
            }
        )
    figure = _figure(data, colours, height_px, "epoch", "")
    return figure.update_layout(xaxis_range=None, yaxis_range=None)


def fidelity_figure(
    predicted: NDArray[np.floating],
    actual: NDArray[np.floating],
    *,
    r2: float | None = None,
    slope: float | None = None,
    dark: bool = False,
    height_px: float = 320.0,
) -> go.Figure:
    """Draw the actual change of the logit, network re-run, over the change that the map predicts.

    Parameters
    ----------
    predicted, actual : ndarray of shape (n,)
        Logit. At most 400 points are drawn, evenly taken; the title says how many of how many.
    r2, slope : float, optional
        Of all points, printed; computed by the caller.
    dark : bool
    height_px : float
    """
    colours = palette(overlay=True, dark=dark)
    n_points = len(predicted)
    taken = np.unique(np.linspace(0, max(n_points - 1, 0), min(n_points, MAX_MARKERS)).round().astype(np.intp))
    predicted, actual = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    reach = float(max(np.abs(predicted).max(initial=0.0), np.abs(actual).max(initial=0.0))) or 1.0
    words = [f"{len(taken)} of {n_points} edits drawn" if len(taken) < n_points else f"{n_points} edits"]
    words += [f"R² {r2:.2f}"] if r2 is not None else []
    words += [f"slope {slope:.2f}"] if slope is not None else []
    data = [
        {"type": "scatter", "mode": "lines", "name": "equal", "x": [-reach, reach], "y": [-reach, reach],
         "line": {"color": colours.muted, "width": 1, "dash": "dot"}, "hoverinfo": "skip", "showlegend": False},
        {"type": "scatter", "mode": "markers", "name": "edits", "x": predicted[taken], "y": actual[taken],
         "marker": {"color": SERIES[0][0], "size": 5, "opacity": 0.9 if dark else 0.55}, "showlegend": False,
         "hovertemplate": "predicted %{x:+.2f}, actual %{y:+.2f} logit<extra></extra>"},
    ]  # fmt: skip
    figure = _figure(
        data, colours, height_px, "change predicted by the map (logit)", "actual change, network re-run (logit)"
    )
    return figure.update_layout(
        xaxis_range=[-1.05 * reach, 1.05 * reach],
        yaxis_range=[-1.05 * reach, 1.05 * reach],
        title={"text": " · ".join(words), "font": {"size": 12}},
        margin_t=34,
    )


def _lines(curves: Sequence[Curve], measure: str) -> list[dict[str, Any]]:
    lines = []
    for place, (name, x, y, area) in enumerate(curves):
        colour, dash = SERIES[place % len(SERIES)]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{html.escape(name)} · {measure} {area:.3f}",
                "x": np.asarray(x, dtype=np.float32),
                "y": np.asarray(y, dtype=np.float32),
                "line": {"color": colour, "dash": dash, "width": 2},
                "hovertemplate": "%{x:.2f}, %{y:.2f}<extra></extra>",
            }
        )
    return lines


def _diagonal(colours: Palette) -> dict[str, Any]:
    line = {"color": colours.muted, "width": 1, "dash": "dot"}
    return {"type": "scatter", "mode": "lines", "name": "diagonal", "x": [0, 1], "y": [0, 1], "line": line,
            "hoverinfo": "skip", "showlegend": False}  # fmt: skip


def _figure(data: list[dict[str, Any]], colours: Palette, height_px: float, x_title: str, y_title: str) -> go.Figure:
    axis = {"range": [-0.01, 1.01], "gridcolor": colours.fine, "zeroline": False, "fixedrange": True}
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 54, "r": 10, "t": 10, "b": 46},
        "showlegend": True,
        "legend": {"font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"},
        "xaxis": axis | {"title": {"text": x_title, "font": {"size": 12}}},
        "yaxis": axis | {"title": {"text": y_title, "font": {"size": 12}}},
    }
    return go.Figure({"data": data, "layout": layout}, _validate=False)
