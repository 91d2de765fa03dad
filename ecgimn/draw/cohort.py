"""Charts of many recordings together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.charts import base_layout
from ecgimn.draw.colours import css, evidence_colours, palette

QUANTILES = (5.0, 25.0, 50.0, 75.0, 95.0)  # per cent: whiskers, box and middle
SIDE = 16  # steps from the middle of the scale, for the fill of a box


def spread_figure(
    sums: NDArray[np.floating], names: Sequence[str], *, dark: bool = False, height_px: float = 330.0
) -> go.Figure:
    """Draw how evidence differs between recordings: one box per lead or wave, on one scale about zero.

    Parameters
    ----------
    sums : ndarray of shape (n_recordings, n_names)
        Logit.
    names : sequence of str
        Of the rows, top to bottom.
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
        "xaxis": {"title": {"text": "logit; box: middle half, line: 5 to 95 % of recordings"}, "zeroline": True,
                  "zerolinecolor": colours.text, "gridcolor": colours.fine, "fixedrange": True},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "showgrid": False},
        "meta": {"quantiles": np.stack([low, first, middle, third, high], axis=1).tolist()},
    }  # fmt: skip
    return go.Figure({"data": boxes, "layout": layout}, _validate=False)
