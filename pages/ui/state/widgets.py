"""Values that a widget shows and a key press may change."""

from __future__ import annotations

import streamlit as st


def widget_key(name: str) -> str:
    """Return the key of the widget that shows a value, another one after each change.

    A browser sends the values of its widgets with every press, and while a page is still drawn they are those from
    before the press that asked for it: under the same key, a second press would take the first one back.
    """
    return f"{name}_{st.session_state.get(f'{name}_turn', 0)}"


def put(name: str, value: object) -> None:
    """Keep a value that a widget shows."""
    turn = f"{name}_turn"
    st.session_state.update({name: value, turn: st.session_state.get(turn, 0) + 1})


def take(name: str, key: str) -> None:
    """Keep what the reader has just entered in the widget of a value; what an outdated widget says is nobody's wish."""
    if key == widget_key(name):
        put(name, st.session_state[key])
