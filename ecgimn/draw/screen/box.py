"""From a box drawn on the paper, in millimetres, to leads and seconds, and back to a frame on the paper.

A box is meant for the leads whose trace runs through it: those of which at least half of the samples between its two
sides lie between its foot and its top, else the one with most. Tall complexes reach into the next row, so the nearest
baseline decides only where no trace is inside. Columns follow one another on the paper but need not in time; a box is
read in the column that holds most of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ecgimn.draw.colours import palette
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.explain.box import Box
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecgimn.recording import Recording


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


def ready_for_boxes(figure: go.Figure, frames: Sequence[dict[str, Any]] = (), *, dark: bool = False) -> go.Figure:
    """Return a figure on which a drag draws a box like a frame, with the frames given; the figure stays as it is."""
    whole = figure.to_dict()
    layout = whole["layout"]
    layout["shapes"] = [*layout.get("shapes", ()), *frames]
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
