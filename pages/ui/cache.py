"""Cached calls between pages and library, and the next case read ahead: the only place that caches.

Caches are keyed by strings (digest, hash, name), never by arrays. Models, public records and what comes of these are
shared by all visitors; whatever comes of a visitor's own recording belongs to one session. Nothing of a visitor's own
file is read ahead, and nothing is fetched over a network before it is asked for. A page that needs a case which is just
being read waits for that one computation instead of starting a second.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from ecgimn.batch import cohort
from ecgimn.batch.cohort import CohortEvidence, MeanBeat
from ecgimn.batch.output import part_folders
from ecgimn.draw.print.case import st_marks
from ecgimn.draw.screen.box import ready_for_boxes
from ecgimn.draw.screen.ecg import Screen, ecg_figure
from ecgimn.draw.view import View
from ecgimn.errors import EcgImnError
from ecgimn.explain.explanation import Explanation, explain
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model import model as checkpoint
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading, read_signal
from ecgimn.sources.composites import case as composites
from ecgimn.sources.composites.case import CompositeCase
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.search import SearchTable, search_table
from ecgimn.sources.settings import is_web, open_place, ptbxl_place

# Models: shared by all visitors.


def model_names() -> tuple[str, ...]:
    """Names of the models under models/."""
    return checkpoint.list_models(checkpoint.MODELS_FOLDER)


def default_model(names: Sequence[str]) -> int:
    """Place of the default model in a list of names."""
    return list(names).index(DEFAULT_MODEL) if DEFAULT_MODEL in names else 0


@st.cache_resource(max_entries=2, show_spinner="Loading and checking the model")
def get_model(name: str, sha256: str) -> Model:
    """Load a model; the hash is the key, so that a replaced file is loaded anew."""
    return checkpoint.load_model(name, folder=checkpoint.MODELS_FOLDER)


@st.cache_resource
def spare_what_is_loaded() -> None:
    """Keep libraries, models and data that are loaded by now out of the garbage collector's rounds; once per server.

    Streamlit collects after every run of a page. Walking through half a million objects that stay for good took 0.2 s
    each time, in which no other thread runs and nothing leaves for the browser.
    """
    gc.collect()
    gc.freeze()


@st.cache_resource
def device_words() -> str:
    """Say where the model runs."""
    try:
        return f"Runs on {device_name(checkpoint.choose_device().type)} of the machine that serves this page."
    except EcgImnError as exc:
        return str(exc)


def device_name(kind: str) -> str:
    """Return the name of a device as shown."""
    return {"cpu": "CPU", "cuda": "GPU"}.get(kind, kind)


# Public records: shared by all visitors.


@st.cache_data
def get_composites() -> tuple[CompositeCase, ...]:
    """Cards of the composite cases."""
    return composites.list_composites()


@st.cache_data(max_entries=32, show_spinner=False)
def get_composite(name: str) -> Recording:
    """Return a composite case."""
    return composites.load_composite(name)


@st.cache_resource(max_entries=1, show_spinner="Reading the table of PTB-XL")
def get_ptbxl(place: str) -> PtbXl:
    """Open PTB-XL in a folder, or at a base URL whose tables are in the cache."""
    return open_place(place)


def current_ptbxl() -> PtbXl | None:
    """Return the PTB-XL that is set up or was fetched on this machine, or None; raises `SourceError`."""
    place = ptbxl_place()
    return get_ptbxl(place) if place else None


@st.cache_resource(max_entries=1, show_spinner="Preparing the table of PTB-XL")
def get_search_table(place: str) -> SearchTable:
    """Make the table ready for searching."""
    return search_table(get_ptbxl(place))


def get_record(place: str, ecg_id: int, fs: int) -> Recording:
    """Return one record of PTB-XL, from the folder or fetched on demand; raises `SourceError`, `RecordingError`."""
    with st.spinner("Fetching the record" if is_web(place) else "Reading the record"):
        return read_record(place, ecg_id, fs)


@st.cache_data(max_entries=64, show_spinner=False)
def read_record(place: str, ecg_id: int, fs: int) -> Recording:
    """Return one record of PTB-XL, without a word on the screen."""
    return get_ptbxl(place).recording(ecg_id, fs)


def data_words() -> str:
    """Say which data are at hand."""
    try:
        place = ptbxl_place()
        there = (
            "PTB-XL is not set up; the Browse page offers to fetch it."
            if place is None
            else "PTB-XL records are fetched one by one when they are opened."
            if is_web(place)
            else "PTB-XL is set up."
        )
        return f"{len(get_composites())} composite cases. {there}"
    except EcgImnError as exc:
        return str(exc)


# What comes of one recording: of a public one, shared by all visitors; of any other, one visitor's own.

PUBLIC_SOURCES = ("composite", "PTB-XL")


def identity(recording: Recording) -> str:
    """Everything about a recording that its reading depends on, as a key."""
    return f"{recording.digest} {recording.age} {recording.sex} {recording.record_name} {'; '.join(recording.notes)}"


def get_reading(key: str, recording: Recording) -> SignalReading:
    """Read quality, waves, measurements and findings off a recording; `key` is its identity."""
    read = _public_reading if recording.source in PUBLIC_SOURCES else _own_reading
    return read(key, recording)


def get_explanation(digest: str, model_sha256: str, recording: Recording, model: Model) -> Explanation:
    """Explain a recording."""
    tell = _public_explanation if recording.source in PUBLIC_SOURCES else _own_explanation
    return tell(digest, model_sha256, recording, model)


@st.cache_data(max_entries=32, show_spinner=False)
def _public_reading(key: str, _recording: Recording) -> SignalReading:
    return read_signal(_recording)


@st.cache_data(max_entries=16, scope="session", show_spinner="Measuring the ECG")
def _own_reading(key: str, _recording: Recording) -> SignalReading:
    return read_signal(_recording)


# An explanation of 10 s at 500 Hz takes 7 MB and a twentieth of a second: few are kept.
@st.cache_data(max_entries=12, max_size="90MB", show_spinner=False)
def _public_explanation(digest: str, model_sha256: str, _recording: Recording, _model: Model) -> Explanation:
    return explain(_recording, _model)


@st.cache_data(max_entries=8, max_size="60MB", scope="session", show_spinner="Asking the model")
def _own_explanation(digest: str, model_sha256: str, _recording: Recording, _model: Model) -> Explanation:
    return explain(_recording, _model)


@st.cache_resource(max_entries=8, scope="session", show_spinner=False)
def get_trace(key: str, _reading: SignalReading, _view: View, _screen: Screen) -> Any:
    """Draw a recording without evidence; `key` is its identity, view, screen and ST reference. Never to be changed."""
    figure = ecg_figure(
        _reading.recording,
        view=_view,
        waves=_reading.waves,
        st=st_marks(_reading),
        screen=_screen,
        evidence_apart=True,
    )
    return ready_for_boxes(figure, dark=_view.dark)


def holds(folder: Path) -> str:
    """Return what a folder holds, as part of a key: a run may still be going on."""
    return f"{folder} {len(part_folders(folder))}"


@st.cache_data(max_entries=4, show_spinner="Reading the ledgers of the run")
def get_evidence(key: str, _folder: Path, class_name: str) -> CohortEvidence:
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
    return cohort.model_view(_folder, class_name, get_ptbxl(place).table[class_name].astype(bool))


HEAD_START_S = 0.25  # the page on its way to the browser comes first


class _Worker:
    """One thread for all visitors; who asks last is served, so that quick paging leaves no queue."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        self._last = 0
        self._replaced = threading.Event()

    def ask(self, kind: str, name: str | int, card: ModelCard, model: Model) -> None:
        self._last += 1
        self._replaced.set()
        self._pool.submit(self._run, self._last, kind, name, card, model)

    def _run(self, number: int, kind: str, name: str | int, card: ModelCard, model: Model) -> None:
        self._replaced.clear()
        if number == self._last and not self._replaced.wait(HEAD_START_S):
            read_ahead(kind, name, card, model)


@st.cache_resource
def _worker() -> _Worker:
    return _Worker()


def prefetch(case: tuple[str, str | int], card: ModelCard, model: Model) -> None:
    """Begin to read a public case, by kind and name, and return at once; an empty kind is none."""
    if case[0]:
        _worker().ask(*case, card, model)


def read_ahead(kind: str, name: str | int, card: ModelCard, model: Model) -> None:
    """Read and explain a public case into the shared caches."""
    try:
        if kind == "composite":
            recording = get_composite(str(name))
        else:
            place = ptbxl_place()
            if place is None or is_web(place):
                return
            rates = get_ptbxl(place).rates(int(name))
            recording = read_record(place, int(name), max(rates, default=500))
        reading = get_reading(identity(recording), recording)
        if reading.quality.usable:
            get_explanation(recording.digest, card.sha256, recording, model)
    except EcgImnError:
        return  # the reader is told when the case is opened
