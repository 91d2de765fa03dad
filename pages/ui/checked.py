"""Cached sanity checks of the open case."""

from __future__ import annotations

import streamlit as st

from ecgimn.explain.checks import SelfCheck, check_random_weights, check_shuffled_leads, check_time_shift
from ecgimn.model.model import randomised
from pages.ui.case_bar import OpenCase


@st.cache_data(max_entries=4, scope="session", show_spinner="Drawing weights anew and asking again")
def random_weights(digest: str, sha256: str, part: str, seed: int, class_name: str, _case: OpenCase) -> SelfCheck:
    """Explain the case by the network with weights drawn anew."""
    changed = randomised(_case.model, part, seed)
    return check_random_weights(_case.recording, _case.model, changed, class_name)


@st.cache_data(max_entries=4, scope="session", show_spinner="Exchanging leads and asking again")
def shuffled_leads(digest: str, sha256: str, seed: int, class_name: str, _case: OpenCase) -> SelfCheck:
    """Explain the case with its chest leads exchanged."""
    return check_shuffled_leads(_case.recording, _case.model, class_name, seed=seed)


@st.cache_data(max_entries=4, scope="session", show_spinner="Shifting and asking again")
def time_shift(digest: str, sha256: str, shift_s: float, class_name: str, _case: OpenCase) -> SelfCheck:
    """Explain two windows of the case."""
    return check_time_shift(_case.recording, _case.model, class_name, shift_s=shift_s)
