"""Caches between the pages and the output of batch runs; shared by all visitors, keyed by folder and what it holds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from ecgimn.batch import cohort
from ecgimn.batch.cohort import Evidence, MeanBeat
from ecgimn.batch.output import part_folders
from pages import _cached as cached


def holds(folder: Path) -> str:
    """Return what a folder holds, as part of a key: a run may still be going on."""
    return f"{folder} {len(part_folders(folder))}"


@st.cache_data(max_entries=4, show_spinner="Reading the ledgers of the run")
def get_evidence(key: str, _folder: Path, class_name: str) -> Evidence:
    """Return the ledgers of a class; `key` is what the folder holds."""
    return cohort.class_evidence(_folder, class_name)


@st.cache_data(max_entries=16, show_spinner=False)
def get_mean_beat(key: str, _folder: Path, class_name: str) -> MeanBeat | None:
    """Return the mean beat of a class."""
    return cohort.mean_beat(_folder, class_name)


@st.cache_data(max_entries=4, show_spinner="Comparing the runs")
def get_drift(before: str, after: str, _before: Path, _after: Path) -> pd.DataFrame:
    """Compare two runs."""
    return cohort.drift(_before, _after)


@st.cache_data(max_entries=8, show_spinner="Reading what the model said")
def get_model_view(key: str, place: str, _folder: Path, class_name: str) -> pd.DataFrame:
    """Return how the model's answers stand to PTB-XL's labels."""
    return cohort.model_view(_folder, class_name, cached.get_ptbxl(place).table[class_name].astype(bool))
