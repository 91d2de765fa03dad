"""Two ECGs with their evidence in one figure: the same scales, one colour bar, and time axes that move together."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from ecgimn.draw.colours import palette
from ecgimn.draw.evidence import evidence_map
from ecgimn.draw.screen.ecg import Screen, ecg_figure
from ecgimn.draw.view import View
from ecgimn.explain.sides import Side

GAP_PX, TITLE_PX, BAR = 18.0, 24.0, "colour bar"
NO_LIMIT_PX = 5000.0  # the width decides, so that both sides have the same scale


def side_by_side_figure(
    first: Side, second: Side, *, view: View, width_px: float, own_scales: bool = False
) -> go.Figure:
    """Draw two sides next to each other, as wide as there is room.

    Enlarging a stretch of time in one enlarges it in the other. One limit holds for the colours of both: the larger
    of the two.

    Parameters
    ----------
    first, second : Side
    view : View
        Layout and scales; quantity and class are the sides' own.
    width_px : float
        Room in CSS pixels.
    own_scales : bool
        One limit for each side instead, printed above it; the colour bar then has words in place of numbers.

    Returns
    -------
    plotly.graph_objects.Figure
        `layout.meta` holds px_per_mm and limit of both.
    """
    alone = replace(view, quantity="contribution", limit=None, show_uncertainty=False)
    limits = [evidence_map(side.evidence, alone).limit for side in (first, second)]
    if not own_scales:
        limits = [view.limit or max(limits)] * 2
    view = replace(view, quantity="contribution", show_uncertainty=False)
    if view.style == "blocks" and None in (first.reading.waves, second.reading.waves):
        view = replace(view, style="painted")  # without waves there are no blocks
    probe = ecg_figure(
        first.recording,
        first.evidence,
        view=replace(view, style="painted"),
        screen=Screen(width_px, NO_LIMIT_PX, switch=False),
    )
    margin = probe.layout.margin
    room = (width_px - margin.l - margin.r - GAP_PX) / 2
    screen = Screen(room + margin.l + margin.r, NO_LIMIT_PX, switch=False)
    left, right = (
        ecg_figure(
            side.recording,
            side.evidence,
            view=replace(view, limit=limit),
            waves=side.reading.waves,
            screen=screen,
        ).to_dict()
        for side, limit in zip((first, second), limits, strict=True)
    )
    titles = [html.escape(side.title) for side in (first, second)]
    if own_scales:
        titles = [
            f"{title} · colours to ±{limit:g} logit per 40 ms" for title, limit in zip(titles, limits, strict=True)
        ]
    return go.Figure(_joined(left, right, titles, view, own_scales=own_scales), _validate=False)


def _joined(
    left: dict[str, Any], right: dict[str, Any], titles: list[str], view: View, *, own_scales: bool
) -> dict[str, Any]:
    one, two = left["layout"], right["layout"]
    margin = one["margin"]
    widths = [layout["width"] - margin["l"] - margin["r"] for layout in (one, two)]
    heights = [layout["height"] - margin["t"] - margin["b"] for layout in (one, two)]
    across, tall = sum(widths) + GAP_PX, max(heights)
    starts = (0.0, (widths[0] + GAP_PX) / across)
    stops = (widths[0] / across, 1.0)
    colours = palette(overlay=view.overlay, dark=view.dark)
    layout: dict[str, Any] = one | {
        "width": across + margin["l"] + margin["r"],
        "height": tall + margin["t"] + margin["b"] + TITLE_PX,
        "margin": margin | {"t": margin["t"] + TITLE_PX},
        "dragmode": "zoom",
        "uirevision": "compare",
        "meta": one["meta"] | {name: [own["meta"][name] for own in (one, two)] for name in ("px_per_mm", "limit")},
        "annotations": [],
        "images": list(one["images"]),
        "shapes": list(one["shapes"]),
    }
    for number, (own, name) in enumerate(((one, ""), (two, "2"))):
        foot = 1.0 - heights[number] / tall
        layout[f"xaxis{name}"] = _plain(own["xaxis"]) | {
            "domain": [starts[number], stops[number]],
            "anchor": f"y{name}",
        }
        layout[f"yaxis{name}"] = _plain(own["yaxis"]) | {
            "domain": [foot, 1.0], "anchor": f"x{name}", "fixedrange": True,
        }  # fmt: skip
        layout["annotations"] += [
            {"text": f"<b>{titles[number]}</b>", "xref": "paper", "yref": "paper", "x": starts[number],
             "y": 1.0, "xanchor": "left", "yanchor": "bottom", "showarrow": False, "yshift": 3,
             "font": {"size": 13, "color": colours.text}},
            *(note | {"x": starts[number], "y": foot} for note in own["annotations"]),
        ]  # fmt: skip
    layout["xaxis2"] |= {"matches": "x"}
    layout["images"] += [image | {"xref": "x2", "yref": "y2"} for image in two["images"]]
    layout["shapes"] += [shape | {"xref": "x2", "yref": "y2"} for shape in two["shapes"]]
    traces = [trace for trace in left["data"] if trace.get("name") != BAR]
    for trace in right["data"]:
        if trace.get("name") == BAR:
            bar = trace["marker"]["colorbar"]
            bar["title"]["text"] = f"<b>both</b><br>{bar['title']['text'].partition('<br>')[2]}"
            if own_scales:
                bar["ticktext"] = ["limit", *bar["ticktext"][1:-1], "limit"]
        traces.append(trace | {"xaxis": "x2", "yaxis": "y2"})
    return {"data": traces, "layout": layout}


def _plain(axis: dict[str, Any]) -> dict[str, Any]:
    """Return an axis without the tie to the other axis of its own side: the sizes are exact, and time alone zooms."""
    return {name: value for name, value in axis.items() if name not in ("scaleanchor", "scaleratio", "constrain")}
