"""Cached calls of the what-if page: what comes of an edited ECG stays in the session of the visitor who edited it."""

from __future__ import annotations

import streamlit as st

from ecgimn.explain.edits import WaveMasks
from ecgimn.explain.explanation import Explanation, explain
from ecgimn.explain.what_if import FlipSearch, smallest_st_change
from ecgimn.model.model import Model
from ecgimn.recording import Recording
from pages.ui.case_bar import OpenCase


@st.cache_data(max_entries=8, max_size="150MB", scope="session", show_spinner=False)
def explain_edit(digest: str, sha256: str, _recording: Recording, _model: Model) -> Explanation:
    """Ask the network again about an edited ECG."""
    return explain(_recording, _model)


@st.cache_data(max_entries=32, scope="session", show_spinner="Searching the smallest ST change")
def search_flip(
    digest: str,
    sha256: str,
    class_name: str,
    leads: tuple[str, ...],
    threshold: float,
    _case: OpenCase,
    _masks: WaveMasks,
) -> FlipSearch:
    """Search how far ST of some leads would have to move for the call of a class to flip."""
    return smallest_st_change(
        _case.model, _case.recording, _masks, _case.explanation, class_name, threshold=threshold, leads=leads
    )
