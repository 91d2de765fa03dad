"""How a browser's window is shared between the trace and what stands beside it, in CSS pixels.

A figure is never given more room than its place on the page has: a browser that has to squeeze a chart makes a lie of
the scale printed under it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecgimn.draw.screen.ecg import Screen

USUAL_WINDOW = (1366, 768)  # until the browser has said otherwise
ABOVE_PX, BELOW_PX = 154.0, 39.0  # header, case line and chips above the trace; the first sentence below
SIDES_PX = 140.0  # margins of the page
TRACE_SHARE = 0.695  # of the width, at most; the rest is for sum, measurements and ledger
LEAST_PX = (520.0, 380.0)
NUMBERS_PX = 330.0  # least width of the numbers
NARROW_PX = 900  # below, as on a laptop at 200 % zoom, the numbers stand below the trace
NARROW_SIDES_PX = 36.0
BESIDE_FROM_PX = 1366  # from here the mean beat stands beside the trace
BEATS_SHARE = 0.42  # of the width; the trace is two and a half times as wide as it is tall, the beats nearly square
BEATS_GAP_PX = 16.0  # between the two
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
        return Rooms(Screen(width_px=own, height_px=tall), (beats, min(BEATS_ASPECT * beats, tall)), beside=False)
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
