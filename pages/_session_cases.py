"""One visitor's list of PTB-XL cases, for a teaching round or an audit."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st


def case_list() -> tuple[int, ...]:
    """Return the records on the list, in the order in which they were added."""
    return tuple(st.session_state.get("case_list", ()))


def set_case_list(ids: Iterable[int]) -> None:
    """Make these records the list."""
    st.session_state["case_list"] = tuple(int(ecg_id) for ecg_id in ids)


def add_to_case_list(ids: Iterable[int]) -> None:
    """Add records that are not on the list yet, at its end."""
    set_case_list(dict.fromkeys((*case_list(), *map(int, ids))))
