"""How a browser's window is shared between the trace and the numbers beside it, in CSS pixels."""

from __future__ import annotations

from ecgimn.draw.screen.ecg import Screen

USUAL_WINDOW = (1366, 768)  # until the browser has said otherwise
ABOVE_PX, BELOW_PX = 154.0, 39.0  # header, case line and chips above the trace; the first sentence below
SIDES_PX = 140.0  # margins of the page
TRACE_SHARE = 0.695  # of the width, at most; the rest is for sum, measurements and ledger
LEAST_PX = (520.0, 380.0)
NUMBERS_PX = 330.0  # least width of the numbers
NARROW_PX = 900  # below, as on a laptop at 200 % zoom, the numbers stand below the trace
NARROW_SIDES_PX = 36.0


def is_narrow(window: tuple[int, int]) -> bool:
    """Whether a window of (width, height) has no room for trace and numbers side by side."""
    return window[0] < NARROW_PX


def screen_for(window: tuple[int, int], *, beside: bool = True) -> Screen:
    """Return the room for the trace: all leads above the fold of a window of (width, height).

    Parameters
    ----------
    beside : bool
        Whether numbers stand beside the trace; else it has the width to itself.
    """
    width, height = window
    own = TRACE_SHARE * (width - SIDES_PX) if beside else width - NARROW_SIDES_PX
    return Screen(
        width_px=max(own, LEAST_PX[0]),
        height_px=max(height - ABOVE_PX - BELOW_PX, LEAST_PX[1]),
    )


def column_shares(figure_px: float, window: tuple[int, int]) -> tuple[float, float]:
    """Return the relative widths of trace and numbers: the trace takes what it needs, the numbers the rest."""
    return figure_px + 8.0, max(window[0] - SIDES_PX - figure_px - 22.0, NUMBERS_PX)
