"""The ECG on the screen: a Plotly figure in millimetres of paper, and how a browser's window is shared out.

One pair of axes, one unit a millimetre. Traces are SVG lines with `x0` and `dx`; behind them lie the evidence, one
PNG, and grid and marks, one SVG (as ticks the grid alone would be 450 nodes). Twelve leads at 500 Hz stay under half a
megabyte and 600 nodes. Hover answers from a sparse invisible line with a point every 20 ms. A figure is never given
more room than its place on the page has: a browser that has to squeeze a chart makes a lie of the scale printed under
it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ecgimn.draw.colours import FONT, palette
from ecgimn.draw.evidence import evidence_map, overlay_indices, picture_uri
from ecgimn.draw.marks import StMarks
from ecgimn.draw.paper import BOLD_MM, FINE_MM, PaperLayout, footer_parts
from ecgimn.draw.screen.parts import (
    FOOTER_LINE_PX,
    beat_trace,
    colour_bar_trace,
    evidence_switch,
    footer,
    footer_lines,
    hover_traces,
    label_trace,
    lead_traces,
    legend,
    outline_shapes,
    paper_svg,
    pulse_trace,
    strips_left_mm,
    strips_svg,
    svg_uri,
)
from ecgimn.draw.view import View

if TYPE_CHECKING:
    from ecgimn.explain.case import Evidence
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


CSS_PX_PER_MM = 96 / 25.4  # what a browser calls a millimetre, until the reader has calibrated the screen
COLOUR_BAR_PX = 126  # also holds the switch; what needs more would make Plotly shrink the paper
MAX_HEADROOM_MM = 45.0  # room for the tallest wave of the first and last row; what passes it is named in the footer
NO_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # one clear dot


@dataclass(frozen=True)
class Screen:
    """Room on the screen.

    Attributes
    ----------
    width_px, height_px : float
        What the figure may fill, in CSS pixels.
    px_per_mm : float
        CSS pixels of one true millimetre, as calibrated with a bank card (85.60 mm); 96 dpi until then.
    calibrated : bool
        Whether the reader has fitted the bank card to this screen.
    true_size : bool
        Draw one millimetre as one millimetre, whatever room that takes, instead of fitting the room.
    switch : bool
        Buttons below the colour bar that dim or hide the evidence in the browser, without asking the server.
    numbers : bool
        Values and unit at the colour bar and under the pointer; without, words alone.
    """

    width_px: float = 900.0
    height_px: float = 560.0
    px_per_mm: float = CSS_PX_PER_MM
    calibrated: bool = False
    true_size: bool = False
    switch: bool = True
    numbers: bool = True


def ecg_figure(
    recording: Recording,
    evidence: Evidence | None = None,
    *,
    view: View | None = None,
    waves: Waves | None = None,
    st: StMarks | None = None,
    screen: Screen | None = None,
    evidence_apart: bool = False,
) -> go.Figure:
    """Draw a recording on millimetre paper, with the evidence behind it.

    Parameters
    ----------
    recording : Recording
        The samples drawn, in mV, as they are.
    evidence : Evidence, optional
        Of the same samples; without it there is no overlay.
    view : View, optional
        Layout, scales, quantity, style.
    waves : Waves, optional
        For ST segments, T waves, J points and the "blocks" style.
    st : StMarks, optional
        Leads whose ST or T meets its threshold; beats and pauses to name over the rhythm strip.
    screen : Screen, optional
        Room; px per mm are equal in x and y. Show the figure at its own width and height.
    evidence_apart : bool
        Draw grey paper with empty places for the pictures of `ecgimn.draw.screen.live`, which then change without
        the trace being drawn again; the page also fills in the pointer's answers.

    Returns
    -------
    plotly.graph_objects.Figure
        `layout.meta` holds speed, gain, px_per_mm, true_px_per_mm (of a true millimetre on this screen) and scale (the
        words about it in the footer, or none), so that a page that has to squeeze the figure can put them right; shown
        (share of the evidence, or None), the footer's parts, and `paper`, which tells this paper with this recording
        from all others.

    Raises
    ------
    ValueError
        The evidence is about another recording, or the view needs waves that are not given.
    """
    view, st, screen = view or View(), st or StMarks(), screen or Screen()
    layout, beyond = view.paper_for(recording, MAX_HEADROOM_MM)
    drawn = None
    if evidence is not None and view.overlay:
        _check_same(recording, evidence)
        drawn = evidence_map(evidence, view)
    view = view.with_marks_for(evidence=drawn is not None)
    colours = palette(overlay=drawn is not None or evidence_apart, dark=view.dark)

    traces = lead_traces(layout, recording, colours)
    traces.append(pulse_trace(layout, colours))
    traces += hover_traces(layout, recording, drawn, bare=evidence_apart, numbers=screen.numbers)
    traces.append(label_trace(layout, st, colours))
    traces += beat_trace(layout, recording, st, colours)
    if drawn is not None:
        traces.append(colour_bar_trace(drawn, view, colours, numbers=screen.numbers))

    shown = drawn.shown_share(layout) if drawn is not None else None
    beyond_words = [f"the trace leaves the grid in {', '.join(beyond)}"] if beyond else []

    def words(px_per_mm: float) -> list[str]:
        scale = px_per_mm / screen.px_per_mm
        reference = st.reference if st.measured else ""
        parts = footer_parts(
            layout,
            recording.fs,
            filter_name=view.filter_name,
            reference=reference,
            scale=scale,
            calibrated=screen.calibrated,
        )
        return [*parts, *([f"shown: {100 * shown:.0f} % of the evidence"] if shown is not None else []),
                *beyond_words]  # fmt: skip

    left, right, top = 6, (COLOUR_BAR_PX if drawn is not None else 6), 4
    marks = legend(view, waves, st, colours)
    n_lines = 2
    while True:  # a taller footer leaves less room for the paper, and a narrower paper may need a taller footer
        footer_room = n_lines * FOOTER_LINE_PX + 6
        px_per_mm = screen.px_per_mm if screen.true_size else min(
            (screen.width_px - left - right) / layout.width_mm,
            (screen.height_px - top - footer_room) / layout.height_mm,
        )  # fmt: skip
        width_px = layout.width_mm * px_per_mm + left + right
        parts = words(px_per_mm)
        lines = footer_lines(parts, marks, width_px - right)  # not under the colour bar, where another figure may stand
        if len(lines) <= n_lines:
            break
        n_lines = len(lines)
    images = []
    if drawn is not None:
        raster = overlay_indices(drawn, layout, view, recording, waves)
        source = picture_uri(drawn, raster, dark=view.dark)
        images.append(_image(layout, source, "evidence", left_mm=layout.origin_mm, opacity=view.opacity))
    elif evidence_apart:
        images.append(_image(layout, NO_PICTURE, "evidence", left_mm=layout.origin_mm))
    images.append(_image(layout, svg_uri(paper_svg(layout, recording, view, colours, waves=waves, st=st)), "paper"))
    left_mm = strips_left_mm(layout)
    if evidence_apart:
        images.append(_image(layout, NO_PICTURE, "strips", left_mm=left_mm))
    elif drawn is not None and view.show_strip:
        strips = svg_uri(strips_svg(layout, drawn, view, colours, left_mm=left_mm))
        images.append(_image(layout, strips, "strips", left_mm=left_mm))
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "fixedrange": False}
    return go.Figure(
        {
            "data": traces,
            "layout": {
                "template": {},
                "width": width_px,
                "height": layout.height_mm * px_per_mm + top + footer_room,
                "margin": {"l": left, "r": right, "t": top, "b": footer_room, "pad": 0},
                "xaxis": axis | {"range": [0, layout.width_mm], "dtick": BOLD_MM, "minor": {"dtick": FINE_MM}},
                "yaxis": axis
                | {
                    "range": [0, layout.height_mm],
                    "dtick": BOLD_MM,
                    "minor": {"dtick": FINE_MM},
                    "scaleanchor": "x",
                    "scaleratio": 1,
                    "constrain": "domain",
                },
                "images": images,
                "updatemenus": [evidence_switch(images, colours)] if drawn is not None and screen.switch else [],
                "shapes": outline_shapes(layout, st, colours),
                "annotations": [footer(lines, colours)],
                "font": {"family": FONT, "color": colours.text},
                "paper_bgcolor": "rgba(0,0,0,0)",
                "plot_bgcolor": colours.paper,
                "hovermode": "closest",
                "hoverdistance": 60,
                "hoverlabel": {"bgcolor": colours.paper, "bordercolor": colours.bold, "font": {"color": colours.text}},
                "showlegend": False,
                "dragmode": "select",
                "uirevision": "ecg",
                "meta": {
                    "speed_mm_per_s": layout.speed,
                    "gain_mm_per_mv": layout.gain,
                    "grid_mm": [FINE_MM, BOLD_MM],
                    "px_per_mm": px_per_mm,
                    "true_px_per_mm": screen.px_per_mm,
                    "scale": next((part for part in parts if part.startswith("drawn at ")), ""),
                    "paper": paper_token(recording, layout),
                    "shown": shown,
                    "limit": drawn.limit if drawn is not None else None,
                    "footer": parts,
                },
            },
        },
        _validate=False,
    )


def paper_token(recording: Recording, layout: PaperLayout) -> str:
    """Return what tells this recording on this paper from all others, so that no evidence lands on another trace."""
    return hashlib.sha256(f"{recording.digest} {layout}".encode()).hexdigest()[:16]


def _check_same(recording: Recording, evidence: Evidence) -> None:
    of = evidence.recording
    if of.n_samples != recording.n_samples or abs(of.fs - recording.fs) > 1e-9:
        raise ValueError(
            f"The evidence is about {of.n_samples} samples at {of.fs:g} Hz, the recording has {recording.n_samples} "
            f"at {recording.fs:g} Hz. Draw the evidence of these very samples."
        )


def _image(
    layout: PaperLayout, source: str, name: str, *, left_mm: float = 0.0, opacity: float = 1.0
) -> dict[str, Any]:
    """Return an image under the traces that covers the paper to the right of `left_mm`.

    Plotly tells images apart by their place and size: two that cover the same rectangle would be drawn as one.
    """
    return {
        "name": name,
        "source": source,
        "xref": "x",
        "yref": "y",
        "x": left_mm,
        "y": layout.height_mm,
        "sizex": layout.width_mm - left_mm,
        "sizey": layout.height_mm,
        "sizing": "stretch",
        "layer": "below",
        "opacity": opacity,
    }


USUAL_WINDOW = (1366, 768)  # until the browser has said otherwise
ABOVE_PX, BELOW_PX = 154.0, 39.0  # header, case line and chips above the trace; the first sentence below
SIDES_PX = 140.0  # margins of the page
TRACE_SHARE = 0.695  # of the width, at most; the rest is for sum, measurements and ledger
LEAST_PX = (520.0, 380.0)
NUMBERS_PX = 330.0  # least width of the numbers
NARROW_PX = 900  # below, as on a laptop at 200 % zoom, the numbers stand below the trace
NARROW_SIDES_PX = 36.0
BESIDE_FROM_PX = 1366  # from here the mean beat stands beside the trace
BEATS_SHARE = 0.38  # of the width; the trace is two and a half times as wide as it is tall, the beats nearly square
BEATS_GAP_PX = 16.0  # between the two
BEATS_WORDS_PX = 120.0  # of the words below them
BEATS_ASPECT = 0.82  # height of the beats for their width where they stand alone
BEATS_WIDEST_PX = 1100.0  # larger beats say no more


@dataclass(frozen=True)
class Rooms:
    """Room for the trace and the mean beat.

    Attributes
    ----------
    trace : Screen
    beats_px : tuple of float
        Width and most height of the mean beat.
    beside : bool
        Whether the two stand side by side; else the beats come first and the trace below.
    """

    trace: Screen
    beats_px: tuple[float, float]
    beside: bool


def rooms_for(window: tuple[int, int], *, sidebar_px: float = 0.0, above_px: float = ABOVE_PX) -> Rooms:
    """Share a window of (width, height) between trace and mean beat.

    Parameters
    ----------
    window : tuple of int
    sidebar_px : float
        What a sidebar takes of the width.
    above_px : float
        Height of what stands above both.
    """
    width, height = window[0] - sidebar_px, window[1]
    tall = max(height - above_px - BELOW_PX, LEAST_PX[1])
    if width < BESIDE_FROM_PX:
        own = width - (NARROW_SIDES_PX if width < NARROW_PX else SIDES_PX)
        beats = min(own, BEATS_WIDEST_PX)
        beats_tall = min(BEATS_ASPECT * beats + BEATS_WORDS_PX, max(tall, beats))
        return Rooms(Screen(width_px=own, height_px=tall), (beats, beats_tall), beside=False)
    own = width - SIDES_PX
    beats = min(BEATS_SHARE * own, BEATS_WIDEST_PX)
    return Rooms(Screen(width_px=own - beats - BEATS_GAP_PX, height_px=tall), (beats, tall), beside=True)


def is_narrow(window: tuple[int, int]) -> bool:
    """Whether a window of (width, height) has no room for trace and numbers side by side."""
    return window[0] < NARROW_PX


def screen_for(window: tuple[int, int], *, beside: bool = True, sidebar_px: float = 0.0) -> Screen:
    """Return the room for the trace: all leads above the fold of a window of (width, height).

    Parameters
    ----------
    window : tuple of int
    beside : bool
        Whether numbers stand beside the trace; else it has the width to itself.
    sidebar_px : float
        What a sidebar takes of the width.
    """
    width, height = window[0] - sidebar_px, window[1]
    own = TRACE_SHARE * (width - SIDES_PX) if beside else width - NARROW_SIDES_PX
    return Screen(
        width_px=min(max(own, LEAST_PX[0]), width - NARROW_SIDES_PX),
        height_px=max(height - ABOVE_PX - BELOW_PX, LEAST_PX[1]),
    )


def column_shares(figure_px: float, window: tuple[int, int]) -> tuple[float, float]:
    """Return the relative widths of trace and numbers: the trace takes what it needs, the numbers the rest."""
    return figure_px + 8.0, max(window[0] - SIDES_PX - figure_px - 22.0, NUMBERS_PX)
