"""One beat of twelve leads with its contributions, and the evidence of all beats as bars with that beat marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.beat import median_beat_figure
from ecgimn.draw.charts import base_layout
from ecgimn.draw.colours import css, evidence_colours, palette
from ecgimn.draw.tables import NOTHING
from ecgimn.explain.beats import Beat, BeatByBeat, BeatTrace
from ecgimn.explain.narrative import signed

if TYPE_CHECKING:
    from ecgimn.model.receptive_field import ReceptiveField

BARS_PX = 130.0


def single_beat_figure(
    trace: BeatTrace,
    *,
    name: str,
    longest: int,
    frame_mv: NDArray[np.floating],
    dark: bool = False,
    width_px: float = 900.0,
) -> go.Figure:
    """Draw one beat of twelve leads, on the scale and in the room of every beat of the recording.

    Parameters
    ----------
    trace : BeatTrace
    name : str
        Class whose contribution is shown.
    longest : int
        Samples of the longest beat: all beats are drawn as wide, so that stepping does not change the scale.
    frame_mv : ndarray of shape (12, n_samples)
        The whole recording, for the height of the rows.
    dark : bool
    width_px : float
    """
    after = longest - trace.signal.shape[1]
    return median_beat_figure(
        np.pad(trace.signal, ((0, 0), (0, after)), constant_values=np.nan),
        trace.fs,
        np.pad(trace.contribution, ((0, 0), (0, after))),
        landmarks_s=trace.landmarks_s,
        name=name,
        what="contribution",
        limit=trace.limit,
        frame_mv=frame_mv,
        dark=dark,
        width_px=width_px,
    )


def beats_figure(
    table: BeatByBeat, chosen: int, *, dark: bool = False, width_px: float = 900.0, height_px: float = BARS_PX
) -> go.Figure:
    """Draw the evidence of each beat as a bar; the chosen one is framed, those left out of the median beat are crossed.

    Parameters
    ----------
    table : BeatByBeat
    chosen : int
        Number of the beat shown, from 1.
    """
    colours = palette(overlay=True, dark=dark)
    scale = evidence_colours(dark=dark)
    values = [beat.logit for beat in table.beats]
    numbers = [str(beat.number) for beat in table.beats]
    framed = [beat.number == chosen for beat in table.beats]
    bars: dict[str, Any] = {
        "type": "bar",
        "name": "beats",
        "x": numbers,
        "y": values,
        "marker": {
            "color": [css(scale[-1] if value >= 0 else scale[0]) for value in values],
            "line": {"color": colours.text, "width": [2.5 if here else 0 for here in framed]},
            "pattern": {"shape": ["" if beat.used else "x" for beat in table.beats], "fgcolor": colours.paper},
        },
        "text": [f"<b>{signed(v)}</b>" if here else "" for v, here in zip(values, framed, strict=True)],
        "textposition": "outside",
        "textfont": {"size": 11, "color": colours.text},
        "cliponaxis": False,
        "customdata": [_hover_words(beat) for beat in table.beats],
        "hovertemplate": "beat %{x}: %{y:+.2f} logit<br>%{customdata}<extra></extra>",
        "unselected": {"marker": {"opacity": 1}},
    }
    low, high = min(0.0, *values), max(0.0, *values)
    margin = 0.3 * (high - low or 1.0)
    layout = base_layout(colours, height_px=height_px) | {
        "width": width_px,
        "margin": {"l": 52, "r": 8, "t": 4, "b": 34},
        "bargap": 0.35,
        "hovermode": "x",  # a click anywhere in its column chooses a beat
        "xaxis": {"type": "category", "fixedrange": True, "title": {"text": "beat", "font": {"size": 11}},
                  "tickvals": numbers, "ticktext": _tick_words(numbers, framed)},
        "yaxis": {"range": [low - margin, high + margin], "title": {"text": "logit", "font": {"size": 11}},
                  "gridcolor": colours.fine, "zerolinecolor": colours.muted, "fixedrange": True},
        "meta": {"sum": float(np.sum(values)) + table.remainder},
    }  # fmt: skip
    return go.Figure({"data": [bars], "layout": layout}, _validate=False)


def beat_words(beat: Beat, n_beats: int, class_name: str) -> str:
    """Say where a beat stands, what came before it, and what it says for the class."""
    before = f"{1000 * beat.rr_before_s:.0f} ms" if beat.rr_before_s is not None else f"{NOTHING} (first beat)"
    return (
        f"Beat **{beat.number}** of {n_beats} · R at {beat.r_s:.2f} s · RR before {before} · "
        f"{class_name} **{signed(beat.logit)}** logit"
    )


def median_words(beat: Beat) -> str:
    """Say whether a beat is in the median beat, and why not where it is not."""
    if not beat.used:
        return f"Not in the median beat: {beat.left_out}."
    return f"In the median beat (correlation {beat.correlation:.2f})."


def sum_words(table: BeatByBeat) -> str:
    """Return how beats and remainder make the evidence, and which beats the median beat leaves out."""
    total = sum(beat.logit for beat in table.beats)
    out = [str(beat.number) for beat in table.beats if not beat.used]
    words = (
        f"{len(table.beats)} beats {signed(total)}, outside of them {signed(table.remainder)}: "
        f"evidence {signed(table.evidence)} logit. A beat reaches from its P wave to the next beat's. "
    )
    return words + (f"Crossed, not in the median beat: {', '.join(out)}." if out else "All are in the median beat.")


def field_words(field: ReceptiveField | None) -> str:
    """Say how far around a moment the network looks when it writes the weights there; nothing where that is unknown."""
    if field is None:
        return ""
    return (
        f"A weight at {field.at_s:.2f} s looks closely at {field.close_s:.1f} s about it (90 % of what it hangs on), "
        f"can reach {field.reach_s:.0f} s through its convolutions, and sees the whole record through the context "
        "vector."
    )


def _hover_words(beat: Beat) -> str:
    return "in the median beat" if beat.used else beat.left_out.replace("; ", "<br>")


def _tick_words(numbers: Sequence[str], framed: Sequence[bool]) -> list[str]:
    return [f"<b>▲ {number}</b>" if here else number for number, here in zip(numbers, framed, strict=True)]
