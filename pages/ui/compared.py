"""Cached calls of the compare page: other models, the twin, post-hoc maps, and the networks' answers to edits."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ecgimn.draw.screen.window import SIDES_PX
from ecgimn.explain.checks import removal_changes
from ecgimn.explain.sides import ComparedNetwork, Side, post_hoc_side, twin_network
from ecgimn.model import model as checkpoint
from ecgimn.model.card import read_card
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from ecgimn.sources.settings import ptbxl_folder
from pages.ui import cache as cached
from pages.ui.case_bar import OpenCase, explained
from pages.ui.state import case as session


def explained_by(name: str, recording: Recording) -> OpenCase:
    """Explain a recording by another listed model; raises `ModelError`."""
    card = read_card(checkpoint.MODELS_FOLDER / f"{name}.json")
    return explained(recording, card, cached.get_model(card.name, card.sha256))


def get_record(ecg_id: int) -> Recording:
    """Return a PTB-XL record at its highest rate; raises `SourceError`."""
    ptbxl, folder = cached.current_ptbxl(), ptbxl_folder() or ""
    rates = ptbxl.rates(ecg_id) if ptbxl is not None else ()
    return cached.get_record(folder, ecg_id, max(rates, default=500))


@st.cache_resource(max_entries=1, show_spinner="Loading the black-box twin")
def get_twin() -> ComparedNetwork:
    """Load the black-box twin; raises `ModelError`."""
    return twin_network()


@st.cache_data(max_entries=16, scope="session", show_spinner="Explaining post hoc")
def post_hoc(
    digest: str, key: str, method: str, class_name: str, _network: ComparedNetwork, _reading: SignalReading, title: str
) -> Side:
    """Explain a recording by a post-hoc method, once."""
    return post_hoc_side(method, _network, _reading, class_name, title)


@st.cache_data(max_entries=16, scope="session", show_spinner="Asking the network again, without each wave of each lead")
def removals(digest: str, key: str, _network: ComparedNetwork, _reading: SignalReading) -> NDArray[np.float64]:
    """Return what removing each cell really does to every class, once per recording and network."""
    recording, waves = _reading.recording, _reading.waves
    if waves is None:
        raise ValueError("no beat was found")
    prepare = _network.prepare(recording.fs, recording.n_samples)
    return removal_changes(_network.logits, prepare, recording, waves, _reading.levels)


def room_px() -> float:
    """Width for both figures together in CSS pixels."""
    return max(session.window()[0] - SIDES_PX, 900.0)
