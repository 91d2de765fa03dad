"""Charts of many recordings: spreads of evidence, and counts per class, age and sex of the records found in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.charts.ledger import base_layout
from ecgimn.draw.colours import css, evidence_colours, palette
from ecgimn.escape import for_plotly

QUANTILES = (5.0, 25.0, 50.0, 75.0, 95.0)  # per cent: whiskers, box and middle
SIDE = 16  # steps from the middle of the scale, for the fill of a box


def spread_figure(
    sums: NDArray[np.floating],
    names: Sequence[str],
    *,
    unit: str = "logit",
    dark: bool = False,
    height_px: float = 330.0,
) -> go.Figure:
    """Draw how evidence differs between recordings: one box per lead or wave, on one scale about zero.

    Parameters
    ----------
    sums : ndarray of shape (n_recordings, n_names)
        Logit.
    names : sequence of str
        Of the rows, top to bottom.
    unit : str
        Of the axis.
    dark : bool
    height_px : float

    Returns
    -------
    plotly.graph_objects.Figure
        `layout.meta["quantiles"]` holds the five per row.
    """
    colours, scale = palette(overlay=True, dark=dark), evidence_colours(dark=dark)
    low, first, middle, third, high = np.percentile(np.asarray(sums, dtype=np.float64), QUANTILES, axis=0)
    boxes = [
        {
            "type": "box",
            "orientation": "h",
            "y": [name],
            "lowerfence": [float(low[row])],
            "q1": [float(first[row])],
            "median": [float(middle[row])],
            "q3": [float(third[row])],
            "upperfence": [float(high[row])],
            "fillcolor": css(scale[(len(scale) - 1) // 2 + (SIDE * 2 if middle[row] >= 0 else -SIDE * 2)]),
            "line": {"color": colours.text, "width": 1},
            "showlegend": False,
            "hoverinfo": "x",
        }
        for row, name in enumerate(names)
    ]
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 70, "r": 10, "t": 8, "b": 40},
        "xaxis": {"title": {"text": f"{unit}; box: middle half, line: 5 to 95 % of recordings"}, "zeroline": True,
                  "zerolinecolor": colours.text, "gridcolor": colours.fine, "fixedrange": True},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "showgrid": False},
        "meta": {"quantiles": np.stack([low, first, middle, third, high], axis=1).tolist()},
    }  # fmt: skip
    return go.Figure({"data": boxes, "layout": layout}, _validate=False)


AGE_STEP = 10  # years per bar


def classes_figure(
    found: Mapping[str, int], whole: Mapping[str, int], *, dark: bool = False, height_px: float = 150.0
) -> go.Figure:
    """Draw how many records of each class were found, with the number in the whole table as an outline behind it."""
    colours = palette(overlay=True, dark=dark)
    names = [for_plotly(name) for name in found]
    shared = {"type": "bar", "orientation": "h", "y": names, "textposition": "outside", "cliponaxis": False}
    bars = [
        shared
        | {
            "name": "in the table",
            "x": list(whole.values()),
            "marker": {"color": "rgba(0,0,0,0)", "line": {"color": colours.muted, "width": 1}},
            "hovertemplate": "%{y}: %{x:,} in the table<extra></extra>",
        },
        shared
        | {
            "name": "found",
            "x": list(found.values()),
            "marker": {"color": colours.muted},
            "text": [f"{number:,}" for number in found.values()],
            "textfont": {"size": 11, "color": colours.text},
            "hovertemplate": "%{y}: %{x:,} found<extra></extra>",
        },
    ]
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 48, "r": 44, "t": 22, "b": 4},
        "title": {"text": "Records per class (classes overlap)", "font": {"size": 12}, "x": 0, "y": 0.98},
        "barmode": "overlay",
        "bargap": 0.25,
        "xaxis": {"visible": False, "fixedrange": True, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "ticks": ""},
    }
    return go.Figure({"data": bars, "layout": layout}, _validate=False)


def ages_figure(
    by_age: Mapping[str, NDArray[np.integer]], *, dark: bool = False, height_px: float = 150.0
) -> go.Figure:
    """Draw how many records were found per ten years of age, one kind of bar per sex, told apart by hatching too.

    Parameters
    ----------
    by_age : mapping of str to ndarray
        Per sex, numbers for 0 to 9 years, 10 to 19 and so on; the last one is open.
    dark : bool
    height_px : float
    """
    colours = palette(overlay=True, dark=dark)
    n_bars = max((len(numbers) for numbers in by_age.values()), default=0)
    names = [f"{AGE_STEP * place}" + ("+" if place == n_bars - 1 else "") for place in range(n_bars)]
    bars = [
        {
            "type": "bar",
            "name": for_plotly(sex),
            "x": names,
            "y": numbers.tolist(),
            "marker": {
                "color": colours.muted,
                "pattern": {"shape": "/" if place else "", "fillmode": "overlay", "fgcolor": colours.paper},
            },
            "hovertemplate": f"{for_plotly(sex)}, from %{{x}} y: %{{y:,}}<extra></extra>",
        }
        for place, (sex, numbers) in enumerate(by_age.items())
    ]
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 40, "r": 4, "t": 22, "b": 30},
        "title": {"text": "Records per age", "font": {"size": 12}, "x": 0, "y": 0.98},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.22, "font": {"size": 11}},
        "bargap": 0.15,
        "barmode": "stack",
        "xaxis": {"type": "category", "title": {"text": "age (years)", "font": {"size": 11}}, "fixedrange": True},
        "yaxis": {"gridcolor": colours.fine, "fixedrange": True, "nticks": 4},
    }
    return go.Figure({"data": bars, "layout": layout}, _validate=False)
