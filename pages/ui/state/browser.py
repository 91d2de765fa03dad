"""What the visitor's browser says of itself: size of its window, pixels per millimetre, light or dark."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ecgimn.draw.screen.ecg import CSS_PX_PER_MM, USUAL_WINDOW
from pages.ui.state import server

WATCH_SCREEN = (Path(__file__).parent / "browser.js").read_text(encoding="utf-8")
TRUE_SIZE = "true size"
LEAST_PX_PER_MM, MOST_PX_PER_MM = 1.0, 40.0  # no screen lies beyond


def watch_window() -> None:
    """Let the browser say how large its window is and whether its screen is calibrated, at first and on a change."""
    watcher = st.components.v2.component("screen", js=WATCH_SCREEN)
    data = {"size": list(window()), "scale": st.session_state.get("screen_scale")}
    found = watcher(data=data, key="window", on_size_change=lambda: None, on_scale_change=_take_kept, height=1)
    size = getattr(found, "size", None)
    if isinstance(size, list) and len(size) == 2 and all(isinstance(part, int) for part in size):
        st.session_state["window_size"] = tuple(size)


def _take_kept() -> None:
    """Take over the calibration that the browser has kept, or its change with the page's zoom."""
    keep_scale(st.session_state.get("window", {}).get("scale"))


def is_calibrated() -> bool:
    """Whether the reader has fitted a bank card to this screen."""
    return "screen_scale" in st.session_state


def screen_scale() -> float:
    """Return CSS pixels per true millimetre: as calibrated, else as a browser takes them to be."""
    return float(st.session_state.get("screen_scale", CSS_PX_PER_MM))


def take_card() -> None:
    """Take over the scale at which the bank card fits, and draw true to size from now on."""
    keep_scale(st.session_state.get("bank_card", {}).get("fits"))
    st.session_state["size"] = TRUE_SIZE


def keep_scale(scale: object) -> None:
    """Keep a calibration; what no screen can have is not believed."""
    if isinstance(scale, float | int) and LEAST_PX_PER_MM <= scale <= MOST_PX_PER_MM:
        st.session_state["screen_scale"] = float(scale)


def window() -> tuple[int, int]:
    """Return width and height of the browser's window in CSS pixels."""
    return tuple(st.session_state.get("window_size", USUAL_WINDOW))


def is_dark() -> bool:
    """Whether the visitor's theme is dark."""
    return st.context.theme.type == "dark"


def note_back() -> None:
    """Keep for the page that the browser went a step back or forth: the case is then the one in the address."""
    if server.is_history_step():
        st.session_state["came_back"] = True
