"""What is laid on a trace already drawn: the evidence of one class, where each wave lies, boxes drawn by the reader.

The trace is four fifths of a figure's bytes and of the work of drawing it, and it does not change with the class. Here
is what changes: the raster and the strips for the empty places that `ecg_figure(..., evidence_apart=True)` leaves, the
values that answer the pointer, and the numbers of the colour scale. `paper` names the recording and the paper that it
belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ecgimn.draw.colours import css, palette
from ecgimn.draw.evidence import EvidenceMap, evidence_map, overlay_indices, panel_cell, picture_uri
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.draw.screen.ecg import MAX_HEADROOM_MM, paper_token
from ecgimn.draw.screen.parts import colour_stops, hover_samples, strips_left_mm, strips_svg, svg_uri
from ecgimn.draw.view import View
from ecgimn.explain.box import Box
from ecgimn.leads import lead_index
from ecgimn.signal.waves.find import WAVE_NAMES, Waves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecgimn.explain.case import Evidence
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


HOVER_STEPS = 4095  # from zero to the largest of the pointer's answers: finer than the four decimals that are shown


def evidence_layer(evidence: Evidence, *, view: View) -> dict[str, Any]:
    """Return the evidence for a class as plain values for JSON.

    Parameters
    ----------
    evidence : Evidence
    view : View
        Its paper must be the paper of the figure underneath.

    Returns
    -------
    dict
        `paper`, the token of the figure underneath; `picture` and `strips`, data URIs ("" where there are none);
        `name`, `quantity`, `unit`, `limit`, `limit_source`, `shown` (0 to 1), `opacity`; `stops`, the colours from the
        lowest to the highest value; `hover`, the map summed over 40 ms at `hover_samples` of each panel in turn, as
        integers times `step`; `grid`, the paper's colours with and without evidence.

    Raises
    ------
    ValueError
        The "blocks" style is asked for where no beat was found.
    """
    recording, waves = evidence.recording, evidence.reading.waves
    layout, _ = view.paper_for(recording, MAX_HEADROOM_MM)
    drawn = evidence_map(evidence, view)
    raster = overlay_indices(drawn, layout, view, recording, waves)
    colours, red = (palette(overlay=overlay, dark=view.dark) for overlay in (True, False))
    strips = ""
    if view.show_strip:
        strips = svg_uri(strips_svg(layout, drawn, view, colours, left_mm=strips_left_mm(layout)))
    return {
        "paper": paper_token(recording, layout),
        "picture": picture_uri(drawn, raster, dark=view.dark),
        "strips": strips,
        "name": drawn.name,
        "quantity": drawn.quantity,
        "unit": drawn.unit,
        "limit": drawn.limit,
        "limit_source": drawn.limit_source,
        "shown": drawn.shown_share(layout),
        "opacity": view.opacity,
        "stops": [css(colour) for colour in colour_stops(drawn, dark=view.dark)],
        "hover": _hover(drawn, layout, recording),
        "grid": [[colours.fine, red.fine], [colours.bold, red.bold]],
    }


def _hover(evidence: EvidenceMap, layout: PaperLayout, recording: Recording) -> dict[str, Any]:
    rows = [
        evidence.sign(panel) * evidence.drawn[lead_index(panel.lead), hover_samples(panel, recording)]
        for panel in layout.panels
    ]
    values = np.concatenate(rows)
    step = float(np.abs(values).max(initial=0.0)) / HOVER_STEPS or 1.0
    return {"step": step, "values": np.round(values / step).astype(int).tolist()}


PER_MM = 10  # places are sent in tenths of a millimetre


def wave_regions(layout: PaperLayout, recording: Recording, waves: Waves | None) -> list[dict[str, Any]]:
    """Return the stretches of every wave in each panel, as plain values for JSON.

    Parameters
    ----------
    layout : PaperLayout
    recording : Recording
    waves : Waves or None
        None when no beat was found: all samples are then "unassigned".

    Returns
    -------
    list of dict
        Per panel `lead`, `label`, `start_s`, `x` (first and last place), `y` (foot and top), all places in tenths of a
        millimetre from the lower left corner of the paper, and `waves`: by wave, in the order of `WAVE_NAMES`, first
        and last place of each stretch in turn. Together the stretches cover the panel once.
    """
    regions = []
    for panel in layout.panels:
        drawn = panel.samples(recording.fs, recording.n_samples)
        labels = np.zeros(drawn.stop - drawn.start) if waves is None else waves.labels[lead_index(panel.lead), drawn]
        edges = np.unique(np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [labels.size]]))
        places = np.round(PER_MM * (panel.x0_mm + edges / recording.fs * layout.speed)).astype(int).tolist()
        stretches: list[list[int]] = [[] for _ in WAVE_NAMES]
        for place, edge in enumerate(edges[:-1].astype(int)):
            stretches[int(labels[edge])] += places[place : place + 2]
        cell = panel_cell(layout, panel)
        regions.append(
            {
                "lead": panel.lead,
                "label": panel.label,
                "start_s": panel.start_s,
                "x": [places[0], places[-1]],
                "y": [round(PER_MM * cell.band_low), round(PER_MM * cell.band_high)],
                "waves": stretches,
            }
        )
    return regions


THROUGH = 0.5  # share of a trace's samples inside from which the box is meant for that lead
SAME_TIME_S = 1e-6
FRAME_PX, FILL_OPACITY = 1.5, 0.12
ROW_SHARE = 0.46  # of the row pitch, above and below the baseline: the frame of a box without a height


@dataclass(frozen=True)
class _Crossing:
    """What a box covers of one panel: its times, and the share of the samples there that lie inside the box."""

    panel: Panel
    start_s: float
    stop_s: float
    share: float


def box_at(
    layout: PaperLayout, recording: Recording, x_mm: Sequence[float], y_mm: Sequence[float], *, least_mm: float = 0.25
) -> Box | None:
    """Return what a box drawn on the paper means, or None where it covers no lead.

    Parameters
    ----------
    layout : PaperLayout
        The paper it was drawn on.
    recording : Recording
        The recording drawn there.
    x_mm, y_mm : sequence of float
        Two opposite corners, in either order.
    least_mm : float
        A narrower box is a slip of the hand.
    """
    left, right = min(x_mm), max(x_mm)
    foot, top = min(y_mm), max(y_mm)
    crossings = [c for panel in layout.panels if (c := _crossing(layout, panel, recording, left, right, foot, top))]
    if right - left < least_mm or not crossings:
        return None
    middle = (foot + top) / 2

    def fits(crossing: _Crossing) -> tuple[float, float]:
        length = crossing.stop_s - crossing.start_s
        return crossing.share * length, -abs(crossing.panel.baseline_mm - middle)

    widest = max(crossing.stop_s - crossing.start_s for crossing in crossings)
    best = max((c for c in crossings if c.stop_s - c.start_s >= widest / 2), key=fits)
    leads = {best.panel.lead}
    for other in crossings:
        same_time = abs(_at_zero_s(layout, other.panel) - _at_zero_s(layout, best.panel)) < SAME_TIME_S
        covers = other.start_s <= best.start_s + SAME_TIME_S and other.stop_s >= best.stop_s - SAME_TIME_S
        if other.share >= THROUGH and same_time and covers:
            leads.add(other.panel.lead)
    return Box(tuple(leads), best.start_s, best.stop_s, (top - foot) / layout.gain)


def box_frames(layout: PaperLayout, box: Box, *, dark: bool = False) -> list[dict[str, Any]]:
    """Return frames, as Plotly shapes, around a box on the paper: one per stretch of lead drawn there."""
    half = ROW_SHARE * layout.pitch_mm
    frames = []
    for panel in layout.panels:
        start_s, stop_s = max(box.start_s, panel.start_s), min(box.stop_s, panel.stop_s)
        if panel.lead in box.leads and stop_s > start_s:
            frames.append(
                {
                    "type": "rect",
                    "name": f"box {panel.label}",
                    "x0": float(layout.time_mm(panel, start_s)),
                    "x1": float(layout.time_mm(panel, stop_s)),
                    "y0": panel.baseline_mm - half,
                    "y1": panel.baseline_mm + half,
                    "line": _frame_line(dark),
                    "fillcolor": f"rgba(128,128,128,{FILL_OPACITY})",
                    "layer": "above",
                }
            )
    return frames


def wave_frames(
    layout: PaperLayout, waves: Waves, leads: Sequence[str], wave: str, *, dark: bool = False
) -> list[dict[str, Any]]:
    """Return frames, as Plotly shapes, around a wave of `WAVE_NAMES` in some leads, in every beat."""
    frames = []
    for lead in leads:
        here = np.concatenate([[False], waves.labels[lead_index(lead)] == WAVE_NAMES.index(wave), [False]])
        borders = np.flatnonzero(np.diff(here.astype(np.int8))).reshape(-1, 2) / waves.fs
        for start_s, stop_s in borders.tolist():
            frames.extend(box_frames(layout, Box((lead,), start_s, stop_s), dark=dark))
    return frames


def framed(figure: go.Figure, frames: Sequence[dict[str, Any]]) -> go.Figure:
    """Return a figure with the frames given laid over it; the figure stays as it is."""
    whole = figure.to_dict()
    whole["layout"]["shapes"] = [*whole["layout"].get("shapes", ()), *frames]
    return go.Figure(whole, _validate=False)


def ready_for_boxes(figure: go.Figure, frames: Sequence[dict[str, Any]] = (), *, dark: bool = False) -> go.Figure:
    """Return a figure on which a drag draws a box like a frame, with the frames given; the figure stays as it is."""
    whole = framed(figure, frames).to_dict()
    layout = whole["layout"]
    layout["dragmode"] = "select"
    layout["newselection"] = {"line": _frame_line(dark)}
    return go.Figure(whole, _validate=False)


def _frame_line(dark: bool) -> dict[str, Any]:
    return {"color": palette(overlay=True, dark=dark).text, "width": FRAME_PX, "dash": "dot"}


def _at_zero_s(layout: PaperLayout, panel: Panel) -> float:
    """Return the time that a panel would show at x = 0: panels that agree show the same moment at the same x."""
    return panel.start_s - panel.x0_mm / layout.speed


def _crossing(
    layout: PaperLayout, panel: Panel, recording: Recording, left: float, right: float, foot: float, top: float
) -> _Crossing | None:
    """Return what the box covers of a panel, or None."""
    zero_s = _at_zero_s(layout, panel)
    start_s, stop_s = max(zero_s + left / layout.speed, panel.start_s), min(zero_s + right / layout.speed, panel.stop_s)
    if stop_s <= start_s:
        return None
    inside = Box((panel.lead,), start_s, stop_s).samples(recording.fs, recording.n_samples)
    trace = np.asarray(layout.voltage_mm(panel, recording.signal[lead_index(panel.lead), inside]), dtype=np.float64)
    trace = trace[np.isfinite(trace)]
    share = float(((trace >= foot) & (trace <= top)).mean()) if trace.size else 0.0
    return _Crossing(panel, start_s, stop_s, share)
