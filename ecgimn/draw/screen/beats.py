"""Beats of twelve leads with their contributions: the median beat, one beat alone, all beats as bars."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.charts.ledger import base_layout
from ecgimn.draw.colours import css, evidence_colours, palette
from ecgimn.draw.paper import STANDARD_GAIN_MM_PER_MV, STANDARD_SPEED_MM_PER_S
from ecgimn.explain.ledger import Beat, BeatByBeat, BeatTrace
from ecgimn.explain.sentences import NOTHING, signed
from ecgimn.leads import STANDARD_LEADS

if TYPE_CHECKING:
    from ecgimn.model.receptive_field import ReceptiveField


GAP_MM = 6.0
STRIP_MM, STRIP_HALF_MM = 6.0, 5.0  # height of the strip's zero within a row, and its half height
BELOW_MM, ABOVE_MM = 8.0, 14.0  # least room between the strip and 0 mV, and above 0 mV
COLUMNS = 6  # limb leads above, chest leads below


def median_beat_figure(
    beat_mv: NDArray[np.floating],
    fs: float,
    contribution: NDArray[np.floating] | None = None,
    spread: NDArray[np.floating] | None = None,
    *,
    landmarks_s: Mapping[str, float] | None = None,
    beats_used: tuple[int, int] | None = None,
    remainder: float | None = None,
    name: str = "",
    what: str = "mean contribution",
    limit: float | None = None,
    frame_mv: NDArray[np.floating] | None = None,
    dark: bool = False,
    width_px: float = 900.0,
) -> go.Figure:
    """Draw a beat of twelve leads at 25 mm/s and 10 mm/mV, one scale for all, one axis pair in mm.

    Parameters
    ----------
    beat_mv : ndarray of shape (12, n)
        Median beat, mV.
    fs : float
        Hz.
    contribution : ndarray of shape (12, n), optional
        Mean contribution of the beats used, logit per sample.
    spread : ndarray of shape (12, n), optional
        Its standard deviation over beats, drawn as a band.
    landmarks_s : mapping of str to float, optional
        Seconds from the first sample; "QRS onset", "J", "J+60", "T offset" and the like, drawn as upright lines.
    beats_used : tuple of (n, m), optional
        "n of m beats used".
    remainder : float, optional
        What the mean beat leaves of the contribution: excluded beats, TP, edges.
    name : str
        Class whose contribution is shown.
    what : str
        How the contribution is named below the figure.
    limit : float, optional
        Contribution per sample at the edge of the strips; the 99th percentile of |contribution| when None.
    frame_mv : ndarray of shape (12, m), optional
        What the rows must have room for; the beat itself when None.
    """
    colours = palette(overlay=True, dark=dark)
    scale = evidence_colours(dark=dark)
    n_samples = beat_mv.shape[1]
    beat_mm = n_samples / fs * STANDARD_SPEED_MM_PER_S
    width_mm = COLUMNS * (beat_mm + GAP_MM) + GAP_MM
    rows = len(STANDARD_LEADS) // COLUMNS
    feet, zeros, height_mm = _rows(beat_mv if frame_mv is None else frame_mv, rows)
    if contribution is not None and limit is None:
        limit = float(np.percentile(np.abs(contribution), 99)) or float(np.abs(contribution).max()) or 1.0
    time_mm = np.arange(n_samples) / fs * STANDARD_SPEED_MM_PER_S
    data: list[dict[str, Any]] = []
    marks: tuple[list[float | None], list[float | None]] = ([], [])
    labels: tuple[list[float], list[float], list[str]] = ([], [], [])
    for place, lead in enumerate(STANDARD_LEADS):
        row, column = divmod(place, COLUMNS)
        left = GAP_MM + column * (beat_mm + GAP_MM)
        foot, row_mm = feet[row]
        labels[0].append(left)
        labels[1].append(foot + row_mm - 3)
        labels[2].append(f"<b>{lead}</b>")
        if contribution is not None and limit is not None:
            band = None if spread is None else spread[place]
            ends = css(scale[-1]), css(scale[0])
            data += _strip(left, foot + STRIP_MM, time_mm, contribution[place], band, limit, *ends, lead)
        for at_s in (landmarks_s or {}).values():
            if np.isfinite(at_s):
                x = left + at_s * STANDARD_SPEED_MM_PER_S
                marks[0].extend([x, x, None])
                marks[1].extend([foot + 1, foot + row_mm - 5, None])
        y = (foot + zeros[row] + STANDARD_GAIN_MM_PER_MV * beat_mv[place]).astype(np.float32)
        custom = [beat_mv[place]] if contribution is None else [beat_mv[place], contribution[place]]
        hover = f"{lead}<br>%{{customdata[0]:.2f}} mV"
        hover += "" if contribution is None else "<br>%{customdata[1]:+.5f} logit"
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": lead,
                "x0": left,
                "dx": STANDARD_SPEED_MM_PER_S / fs,
                "y": y,
                "line": {"color": colours.trace, "width": 1.4, "simplify": False},
                "customdata": np.stack(custom, axis=1).astype(np.float32),
                "hovertemplate": hover + "<extra></extra>",
            }
        )
    data.insert(0, {"type": "scatter", "mode": "lines", "name": "landmarks", "x": marks[0], "y": marks[1],
                    "line": {"color": colours.muted, "width": 0.8, "dash": "dot"}, "hoverinfo": "skip"})  # fmt: skip
    data.append({"type": "scatter", "mode": "text", "name": "labels", "x": labels[0], "y": labels[1], "text": labels[2],
                 "textposition": "middle right", "hoverinfo": "skip"})  # fmt: skip
    words = ["25 mm/s · 10 mm/mV, enlarged"]
    words += [f"{beats_used[0]} of {beats_used[1]} beats used"] if beats_used else []
    if contribution is not None and limit is not None:
        words.append(f"strip: {what} to {html.escape(name)}, ±{1000 * limit:.2g} · 10⁻³ logit per sample")
        words += ["band: standard deviation over beats"] if spread is not None else []
    words += [f"not in the mean beat: {remainder:+.2f} logit"] if remainder is not None else []
    words += [f"lines: {', '.join(html.escape(mark) for mark in landmarks_s)}"] if landmarks_s else []
    caption = "<br>".join(" · ".join(line) for line in (words[:4], words[4:]) if line)
    px_per_mm = (width_px - 16) / width_mm
    axis = {"showgrid": True, "dtick": 5, "tick0": 0, "gridcolor": colours.fine, "zeroline": False,
            "showticklabels": False, "ticks": ""}  # fmt: skip
    layout = base_layout(colours, height_px=height_mm * px_per_mm + 48) | {
        "width": width_px,
        "margin": {"l": 8, "r": 8, "t": 4, "b": 44},
        "hovermode": "closest",
        "xaxis": axis | {"range": [0, width_mm]},
        "yaxis": axis | {"range": [0, height_mm], "scaleanchor": "x", "scaleratio": 1, "constrain": "domain"},
        "annotations": [{"text": caption, "xref": "paper", "yref": "paper", "x": 0, "y": 0, "yshift": -6,
                         "xanchor": "left", "yanchor": "top", "showarrow": False, "align": "left",
                         "font": {"size": 11, "color": colours.muted}}],
    }  # fmt: skip
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def _rows(beat_mv: NDArray[np.floating], n_rows: int) -> tuple[list[tuple[float, float]], list[float], float]:
    """Return foot and height of each row, the height of 0 mV within it, and the height of all: nothing is cut."""
    mm = STANDARD_GAIN_MM_PER_MV * np.nan_to_num(beat_mv.reshape(n_rows, -1))
    zeros = [STRIP_MM + STRIP_HALF_MM + 2 + max(BELOW_MM, -low) for low in mm.min(axis=1).tolist()]
    heights = [zero + max(ABOVE_MM, high + 2) for zero, high in zip(zeros, mm.max(axis=1).tolist(), strict=True)]
    total = sum(heights)
    return [(total - sum(heights[: row + 1]), heights[row]) for row in range(n_rows)], zeros, total


def _strip(
    left: float,
    zero: float,
    time_mm: NDArray[np.floating],
    contribution: NDArray[np.floating],
    spread: NDArray[np.floating] | None,
    limit: float,
    raises: str,
    lowers: str,
    lead: str,
) -> list[dict[str, Any]]:
    """Return the area of the mean contribution about its zero line, and the band of its spread."""
    step = float(time_mm[1] - time_mm[0])

    def height(values: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(zero + STRIP_HALF_MM * np.clip(values / limit, -1, 1), dtype=np.float32)

    area = {
        "type": "scatter",
        "mode": "lines",
        "name": f"contribution {lead}",
        "x0": left - step,
        "dx": step,
        "y": np.concatenate([[zero], height(contribution), [zero]]).astype(np.float32),
        "fill": "toself",
        "fillgradient": {
            "type": "vertical",
            "start": zero - STRIP_HALF_MM,
            "stop": zero + STRIP_HALF_MM,
            "colorscale": [[0, lowers], [0.5, lowers], [0.5, raises], [1, raises]],
        },
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    if spread is None:
        return [area]
    x = np.concatenate([left + time_mm, left + time_mm[::-1]]).astype(np.float32)
    y = np.concatenate([height(contribution + spread), height(contribution - spread)[::-1]])
    band = {"type": "scatter", "mode": "lines", "name": f"spread {lead}", "x": x, "y": y, "fill": "toself",
            "fillcolor": "rgba(128,128,128,0.35)", "line": {"width": 0}, "hoverinfo": "skip"}  # fmt: skip
    return [area, band]


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
        f"A weight at {field.at_s:.2f} s looks closely at {field.close_s:.1f} s about it (90 % of what it depends on), "
        f"can reach {field.reach_s:.0f} s through its convolutions, and sees the whole record through the context "
        "vector."
    )


def _hover_words(beat: Beat) -> str:
    return "in the median beat" if beat.used else beat.left_out.replace("; ", "<br>")


def _tick_words(numbers: Sequence[str], framed: Sequence[bool]) -> list[str]:
    return [f"<b>▲ {number}</b>" if here else number for number, here in zip(numbers, framed, strict=True)]
