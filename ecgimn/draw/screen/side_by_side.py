"""Two ECGs in one figure: side by side on the same scales, or an edited one over its original."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.draw.charts.ledger import base_layout
from ecgimn.draw.colours import css, evidence_colours, evidence_index, palette
from ecgimn.draw.evidence import evidence_map
from ecgimn.draw.painted import BOX_MV, BOX_S, PAINT_POWER, ROWS, TWO_ROWS
from ecgimn.draw.screen.ecg import MAX_HEADROOM_MM, Screen, ecg_figure
from ecgimn.draw.screen.mean_beat import mean_beat_svg
from ecgimn.draw.view import View
from ecgimn.escape import for_html, for_plotly
from ecgimn.explain.checks import Side
from ecgimn.explain.sentences import percent, signed
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.draw.colours import Palette
    from ecgimn.draw.painted import GreyBeat, MeanBeatEvidence
    from ecgimn.draw.paper import Panel, PaperLayout
    from ecgimn.explain.case import Evidence
    from ecgimn.explain.what_if import EditResult


PANE_TITLE_PX, KEY_PX, PANE_GAP_PX = 24.0, 24.0, 14.0
LEAST_PANE_PX = 560.0  # side by side; in a narrower room the beats stand one under the other
LEAST_BEAT_PX = 190.0  # height of a beat with two rows of leads
UPPER_SHARE = 0.54  # of the height, for two beats above their difference


@dataclass(frozen=True, eq=False)
class Pane:
    """A painted mean beat in a comparison.

    Attributes
    ----------
    title : str
    name : str
        Class, or difference, whose evidence it is.
    beat : MeanBeatEvidence
    grey : GreyBeat, optional
        Drawn in grey behind it.
    called : int
        Cells that are called out at most.
    """

    title: str
    name: str
    beat: MeanBeatEvidence
    grey: GreyBeat | None = None
    called: int = 3


def beats_picture(
    panes: Sequence[Pane],
    below: Pane | None = None,
    *,
    size_px: tuple[float, float],
    limit: float | None = None,
    own_scales: bool = False,
    numbers: bool = True,
    dark: bool = False,
) -> str:
    """Draw painted mean beats side by side, at one scale of time, voltage and colour, and one below both.

    Parameters
    ----------
    panes : sequence of Pane
        One or two.
    below : Pane, optional
        What is drawn over the whole width below, on the colours of the panes: their difference.
    size_px : tuple of float
        Width and height in CSS pixels; where the width has no room for two, they stand one under the other and the
        picture is taller.
    limit : float, optional
        End of the colour scale, per 40 ms; the largest value shown when None.
    own_scales : bool
        One scale of colour for each pane, for methods whose evidence has no unit.
    numbers : bool
        Print the ends of the scale, in logit per 40 ms.
    dark : bool

    Returns
    -------
    str
        HTML with one SVG element per pane.
    """
    width, height = size_px
    beside = len(panes) > 1 and (width - PANE_GAP_PX) / len(panes) >= LEAST_PANE_PX
    drawn = [*panes, *([below] if below is not None else [])]
    limits = [pane.beat.paint.largest for pane in drawn]
    if not own_scales:
        limits = [limit or max(limits)] * len(drawn)
    tall = height - KEY_PX
    upper = tall * UPPER_SHARE if below is not None else tall
    room_mv = np.concatenate([pane.beat.paint.above_mv for pane in panes], axis=1) if len(panes) > 1 else None
    parts = []
    for place, (pane, end) in enumerate(zip(drawn, limits, strict=True)):
        last = pane is below
        across = (width - PANE_GAP_PX) / 2 if beside and not last else width
        own = max((tall - upper if last else upper) - PANE_TITLE_PX, LEAST_BEAT_PX)
        if not beside and across < LEAST_PANE_PX:
            own = across  # 3 x 4 panels, nearly square
        svg = mean_beat_svg(
            pane.beat,
            name=pane.name,
            size_px=(across, own),
            limit=end,
            grey=pane.grey,
            called=pane.called,
            show_marks=False,
            show_words=False,
            room_mv=None if last else room_mv,
            rows=TWO_ROWS if below is not None and across >= LEAST_PANE_PX else ROWS,
            dark=dark,
        )
        grey = "" if pane.grey is None else f" <small>· grey: {for_html(pane.grey.name)}</small>"
        parts.append(
            f"<figure data-pane='{place}' style='width:{across:g}px'>"
            f"<figcaption><b>{for_html(pane.title)}</b>{grey}</figcaption>{svg}</figure>"
        )
    scale = evidence_colours(dark=dark, paint=True)
    steps = [css(colour) for colour in scale[evidence_index(np.linspace(-1, 1, 17), 1.0, PAINT_POWER)]]
    ends = (f"lowers −{limits[0]:g}", f"raises +{limits[0]:g} logit per 40 ms")
    if own_scales or not numbers:
        ends = ("lowers", "raises, each to its own largest value" if own_scales else "raises")
    key = (
        f"<p class='key'>{ends[0]} <span class='bar' style='background:linear-gradient(to right,{','.join(steps)})'>"
        f"</span> {ends[1]} · boxes {BOX_S:g} s, {BOX_MV:g} mV · beside each lead its sum</p>"
    )
    return f"<div class='panes'>{''.join(parts)}</div>{key}"


GAP_PX, TITLE_PX, BAR = 18.0, 24.0, "colour bar"
NO_LIMIT_PX = 5000.0  # the width decides, so that both sides have the same scale


def side_by_side_figure(
    first: Side, second: Side, *, view: View, width_px: float, own_scales: bool = False, numbers: bool = True
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
    numbers : bool
        Whether limits and their unit are printed.

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
        screen=Screen(width_px, NO_LIMIT_PX, switch=False, numbers=numbers),
    )
    margin = probe.layout.margin
    room = (width_px - margin.l - margin.r - GAP_PX) / 2
    screen = Screen(room + margin.l + margin.r, NO_LIMIT_PX, switch=False, numbers=numbers)
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
    titles = [for_plotly(side.title) for side in (first, second)]
    if own_scales and numbers:
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
            if own_scales and bar["ticktext"][0]:
                bar["ticktext"] = ["limit", *bar["ticktext"][1:-1], "limit"]
        traces.append(trace | {"xaxis": "x2", "yaxis": "y2"})
    return {"data": traces, "layout": layout}


def _plain(axis: dict[str, Any]) -> dict[str, Any]:
    """Return an axis without the tie to the other axis of its own side: the sizes are exact, and time alone zooms."""
    return {name: value for name, value in axis.items() if name not in ("scaleanchor", "scaleratio", "constrain")}


LINE_FS = 250.0  # points per second that are drawn, a tenth of a millimetre apart; two ECGs are to weigh what one does
GREY_FS = 125.0  # of the line in the background
SAME_MV = 0.01  # nearer than this, a tenth of a millimetre, the grey line lies under the black one
MANY_CLASSES = 8
ROW_PX = 27.0
NUMBERS_AT = 3.1  # right end of the second panel, in units of its reach: the numbers stand beside the bars


def what_if_figure(
    before: Evidence,
    after: Evidence,
    *,
    view: View,
    screen: Screen | None = None,
) -> go.Figure:
    """Draw an edited ECG with its own evidence, and the original in grey behind it.

    Parameters
    ----------
    before, after : Evidence
        Of the original and of the edited recording, of the same length and rate; waves are those of the original. The
        colour scale is that of `before`, so that evidence that comes or goes is seen.
    view : View
    screen : Screen, optional

    Returns
    -------
    plotly.graph_objects.Figure
        As `ecg_figure`, its lines thinned to `LINE_FS` with all peaks kept; traces named "before II" and the like hold
        the original where it differs.
    """
    original, edited, waves = before.recording, after.recording, before.reading.waves
    if waves is None and view.style == "blocks":
        view = replace(view, style="painted")  # without waves there are no blocks
    if view.limit is None and view.overlay:
        view = replace(view, limit=evidence_map(before, view).limit)
    figure = ecg_figure(edited, after, view=view, waves=waves, screen=screen)
    layout, _ = view.paper_for(edited, MAX_HEADROOM_MM)
    colours = palette(overlay=view.overlay, dark=view.dark)
    drawn_figure = figure.to_dict()
    grey = []
    for place, panel in enumerate(layout.panels):
        drawn = panel.samples(original.fs, original.n_samples)
        old, new = (of.signal[lead_index(panel.lead), drawn] for of in (original, edited))
        if original.fs >= 2 * LINE_FS:
            drawn_figure["data"][place] |= _line(layout, panel, new, edited.fs, LINE_FS)
        if np.nanmax(np.abs(old - new), initial=0.0) < SAME_MV:
            continue
        grey.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"before {panel.label}",
                "line": {"color": colours.muted, "width": 1.3},
                "opacity": 0.55,
                "hoverinfo": "skip",
                "x0": float(layout.time_mm(panel, drawn.start / original.fs)),
            }
            | _line(layout, panel, old, original.fs, GREY_FS)
        )
    words = ""
    if original.fs >= 2 * LINE_FS:
        words += f"  drawn with {LINE_FS:g} points a second, peaks kept"
    if grey:
        words += f'  <span style="color:{colours.muted}">▬ before the edit</span>'
    drawn_figure["layout"]["annotations"][0]["text"] += words
    drawn_figure["data"] = [*grey, *drawn_figure["data"]]  # the first traces lie at the back
    return go.Figure(drawn_figure, _validate=False)


def _line(layout: PaperLayout, panel: Panel, row: NDArray[np.floating], fs: float, points_fs: float) -> dict[str, Any]:
    """Return the places of a lead's line with about `points_fs` points a second."""
    step = max(1, int(fs // points_fs))
    height = np.asarray(layout.voltage_mm(panel, extremes(row, step)), dtype=np.float32)
    return {"dx": step * layout.speed / fs, "y": height}


def extremes(row: NDArray[np.floating], step: int) -> NDArray[np.float64]:
    """Return one point for `step` samples of a row: of every two steps the least and the greatest, as they came.

    No peak is cut off, and no point lies more than two steps from its sample. A gap in a stretch leaves a gap.
    """
    if step == 1:
        return np.asarray(row, dtype=np.float64)
    n_pairs = math.ceil(len(row) / (2 * step))
    whole = np.pad(np.asarray(row, dtype=np.float64), (0, 2 * step * n_pairs - len(row)), mode="edge")
    stretches = whole.reshape(n_pairs, 2 * step)
    places = np.sort(np.stack([stretches.argmin(axis=1), stretches.argmax(axis=1)], axis=1), axis=1)
    return np.asarray(np.take_along_axis(stretches, places, axis=1).ravel()[: math.ceil(len(row) / step)])


def outcome_figure(
    result: EditResult,
    *,
    shown: str,
    thresholds: Sequence[float] = (),
    dark: bool = False,
    logits: bool = True,
) -> go.Figure:
    """Draw the probability of every class before and after an edit, beside predicted and actual change of its logit.

    Parameters
    ----------
    result : EditResult
    shown : str
        The class in bold. Of more than eight classes it is kept with those that change most.
    thresholds : sequence of float
        Operating point on the probability of each class; empty when there is none.
    dark : bool
    logits : bool
        Draw the changes of the logit. Else the probabilities take the room, with what the map expects and in percent.

    Returns
    -------
    plotly.graph_objects.Figure
        `layout.meta` holds the classes drawn.
    """
    colours, scale = palette(overlay=True, dark=dark), evidence_colours(dark=dark)
    kept = _kept_classes(result, shown)
    names = [result.before.classes[k] for k in kept]
    before, after = result.before.probability[kept], result.after.probability[kept]
    actual, predicted = result.actual[kept], result.predicted[kept]
    rows = list(range(len(kept)))
    reach = 1.15 * max(float(np.abs(actual).max()), float(np.abs(predicted).max()), 0.1)
    tints = [css(scale[-1] if value >= 0 else scale[0]) for value in actual]
    data: list[dict[str, Any]] = [
        {"mode": "lines", "x": _pairs(before, after), "y": [y for row in rows for y in (row, row, None)],
         "line": {"color": colours.muted, "width": 3}, "hoverinfo": "skip", "name": "moved"},
        {"mode": "markers", "x": before, "y": rows, "name": "before", "hovertemplate": "before %{x:.3f}<extra></extra>",
         "marker": {"symbol": "circle-open", "size": 10, "color": colours.muted, "line": {"width": 2}}},
        {"mode": "markers", "x": after, "y": rows, "name": "after", "hovertemplate": "after %{x:.3f}<extra></extra>",
         "marker": {"symbol": "circle", "size": 9, "color": colours.text}},
    ]  # fmt: skip
    if len(thresholds):
        data.append(
            {"mode": "markers", "x": [thresholds[k] for k in kept], "y": rows, "name": "operating point",
             "marker": {"symbol": "line-ns-open", "size": 11, "color": colours.outline, "line": {"width": 2}},
             "hovertemplate": "operating point %{x:.2f}<extra></extra>"}
        )  # fmt: skip
    data = [{"type": "scatter"} | trace for trace in data]
    data += [
        {"type": "bar", "orientation": "h", "name": "network", "xaxis": "x2", "yaxis": "y", "y": rows, "x": actual,
         "marker": {"color": tints, "pattern": {"shape": ["/" if value < 0 else "" for value in actual],
                                                "fgcolor": colours.paper}},
         "hovertemplate": "network %{x:+.3f} logit<extra></extra>"},
        {"type": "scatter", "mode": "markers", "name": "map", "xaxis": "x2", "yaxis": "y", "y": rows, "x": predicted,
         "marker": {"symbol": "diamond-open", "size": 10, "color": colours.text, "line": {"width": 2}},
         "hovertemplate": "map alone %{x:+.3f} logit<extra></extra>"},
        {"type": "scatter", "mode": "text", "name": "numbers", "xaxis": "x2", "yaxis": "y", "y": rows,
         "x": [NUMBERS_AT * reach] * len(rows), "textposition": "middle left", "hoverinfo": "skip",
         "text": [f"{signed(float(a))} / {signed(float(p))}" for a, p in zip(actual, predicted, strict=True)],
         "textfont": {"size": 11, "color": colours.text}},
    ]  # fmt: skip
    if not logits:
        data = data[:-3] + _in_percent(result, kept, colours)
    labels = [f"<b>{for_plotly(name)}</b>" if name == shown else for_plotly(name) for name in names]
    axis = {"fixedrange": True, "gridcolor": colours.fine, "zeroline": False, "tickfont": {"size": 10}}
    title = {"font": {"size": 11, "color": colours.text}, "showarrow": False, "align": "left", "xref": "paper",
             "yref": "paper", "y": 1.0, "yanchor": "bottom", "xanchor": "left"}  # fmt: skip
    tick = f'<span style="color:{colours.outline}">❘</span> operating point' if len(thresholds) else ""
    tick_at = float(f"{0.8 * reach:.1g}")
    layout: dict[str, Any] = base_layout(colours, height_px=len(kept) * ROW_PX + 78.0) | {
        "margin": {"l": 58, "r": 6, "t": 34, "b": 44},
        "bargap": 0.45,
        "xaxis": axis | {"domain": [0.0, 0.38], "range": [-0.04, 1.04], "dtick": 0.5,
                         "title": {"text": "probability", "font": {"size": 11}, "standoff": 4}},
        "xaxis2": axis | {"domain": [0.44, 1.0], "range": [-reach, NUMBERS_AT * reach], "anchor": "y", "zeroline": True,
                          "zerolinecolor": colours.muted, "tickvals": [-tick_at, 0, tick_at],
                          "title": {"text": "change of logit", "font": {"size": 11}, "standoff": 4}},
        "yaxis": axis | {"range": [len(kept) - 0.45, -0.55], "tickvals": rows, "ticktext": labels,
                         "tickfont": {"size": 12}, "showgrid": False},
        "annotations": [
            title | {"x": 0.0, "text": f"○ before ● after<br>{tick}"},
            title | {"x": 0.44, "text": "bar: network re-run<br>◇ map of the original alone"},
        ],
        "meta": {"classes": names},
    }  # fmt: skip
    if not logits:
        layout["xaxis"] |= {"domain": [0.0, 0.68], "tickformat": ".0%"}
        layout["xaxis2"] |= {"domain": [0.7, 1.0], "range": [0, 1], "visible": False}
        words = f"○ before ● after, re-run ◇ map alone<br>{tick.replace('operating point', 'threshold')}"
        layout["annotations"] = [layout["annotations"][0] | {"text": words}]
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def _in_percent(result: EditResult, kept: list[int], colours: Palette) -> list[dict[str, Any]]:
    """Return what the map expects as a probability, and before and after in percent beside it."""
    rows, expected = list(range(len(kept))), expit(result.before.logit + result.predicted)
    numbers = [
        f"{percent(float(result.before.probability[k]))} → {percent(float(result.after.probability[k]))}" for k in kept
    ]
    return [
        {"type": "scatter", "mode": "markers", "name": "map", "y": rows, "x": [float(expected[k]) for k in kept],
         "marker": {"symbol": "diamond-open", "size": 10, "color": colours.text, "line": {"width": 1.5}},
         "hovertemplate": "map alone %{x:.3f}<extra></extra>"},
        {"type": "scatter", "mode": "text", "name": "numbers", "xaxis": "x2", "yaxis": "y", "y": rows,
         "x": [1.0] * len(rows), "textposition": "middle left", "hoverinfo": "skip", "text": numbers,
         "textfont": {"size": 12, "color": colours.text}},
    ]  # fmt: skip


def _kept_classes(result: EditResult, shown: str) -> list[int]:
    """Rows of the classes to draw, in the order of the model; all when there are few."""
    n_classes = len(result.before.classes)
    if n_classes <= MANY_CLASSES:
        return list(range(n_classes))
    size = np.abs(result.actual)
    size[result.before.index(shown)] = np.inf
    return sorted(np.argsort(-size, kind="stable")[:MANY_CLASSES].tolist())


def _pairs(before: NDArray[np.floating], after: NDArray[np.floating]) -> list[float | None]:
    return [value for pair in zip(before.tolist(), after.tolist(), strict=True) for value in (*pair, None)]
