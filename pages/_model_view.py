"""Filters by what a batch run found: answers right, wrong or uncertain, and where their strongest support lies."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ecgimn.batch.cohort import FOLDERS_VARIABLE, VIEWS, batch_folders
from ecgimn.batch.output import read_settings
from ecgimn.errors import EcgImnError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves import WAVE_NAMES
from ecgimn.sources.ptbxl import SUPERCLASSES
from pages import _cached_cohort as runs


def by_models_view(found: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return the records that the model's answers leave, with probability and view of the class asked for."""
    try:
        folders = [folder for folder in batch_folders() if read_settings(folder).source.startswith("ptbxl")]
    except EcgImnError as exc:
        st.caption(str(exc))
        return found
    if not folders:
        st.caption(f"Filters by the model's answers need a batch run over PTB-XL, named in {FOLDERS_VARIABLE}.")
        return found
    with st.expander("The model's view", icon=":material/network_intelligence:"), st.container(horizontal=True):
        folder = st.selectbox("Run", folders, format_func=lambda path: path.name, key="v_run", persist_state="session")
        names = [name for name in read_settings(folder).classes if name in SUPERCLASSES]
        name = st.selectbox("Answer for", names, index=None, key="v_class", persist_state="session")
        views = st.pills("Against the label", VIEWS, selection_mode="multi", key="v_view", persist_state="session")
        leads = st.multiselect("Strongest lead (any of)", STANDARD_LEADS, key="v_lead", persist_state="session")
        waves = st.multiselect("Strongest wave (any of)", WAVE_NAMES[1:], key="v_wave", persist_state="session")
    if name is None:
        return found
    view = runs.get_model_view(runs.holds(folder), place, folder, name)
    for column, wanted in (("view", views), ("lead", leads), ("wave", waves)):
        if wanted:
            view = view[view[column].isin(list(wanted))]
    columns = {column: f"{name} {column}" for column in view.columns}
    return found[found.index.isin(view.index)].join(view.rename(columns=columns))
