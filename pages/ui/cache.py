"""Cached calls between pages and library, and the next case read ahead: the only place that caches.

Caches are keyed by strings (digest, hash, name), never by arrays. Models, public records and what comes of these are
shared by all visitors; whatever comes of a visitor's own recording belongs to one session. Nothing of a visitor's own
file is read ahead, and nothing is fetched over a network before it is asked for. A page that needs a case which is just
being read waits for that one computation instead of starting a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from ecgimn.batch import cohort
from ecgimn.batch.cohort import CohortEvidence, MeanBeat
from ecgimn.batch.output import part_names
from ecgimn.draw.marks import st_marks
from ecgimn.draw.painted import GreyBeat, grey_beat
from ecgimn.draw.screen.ecg import Screen, ecg_figure
from ecgimn.draw.screen.live import ready_for_boxes
from ecgimn.draw.view import View
from ecgimn.errors import EcgImnError, SourceError
from ecgimn.explain.box import Box, BoxIntervention, box_interventions
from ecgimn.explain.case import Case, open_case
from ecgimn.explain.checks import (
    SelfCheck,
    Side,
    check_random_weights,
    check_shuffled_leads,
    check_time_shift,
    post_hoc_side,
    removal_changes,
)
from ecgimn.explain.edits import WaveMasks
from ecgimn.explain.explanation import Explanation, explain
from ecgimn.explain.measured import MeasuredLedger, measure_case, reasons_of
from ecgimn.explain.sentences import reasons_sentences
from ecgimn.explain.what_if import FlipSearch, smallest_st_change
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model import model as checkpoint
from ecgimn.model.card import ModelCard, read_card
from ecgimn.model.model import Model, randomised
from ecgimn.model.receptive_field import ReceptiveField, receptive_field, receptive_fields
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading, read_signal
from ecgimn.sources.cinc import ChallengeRecords
from ecgimn.sources.composites import case as composites
from ecgimn.sources.composites.case import CompositeCase
from ecgimn.sources.physionet import is_web, open_place, ptbxl_place
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.search import SearchTable, search_table
from pages.ui.state import server

if TYPE_CHECKING:
    from ecgimn.model.predictor import Predictor
    from ecgimn.study.cases import Collection, QuizCase
    from ecgimn.study.store import Store

# Models: shared by all visitors.


def model_names() -> tuple[str, ...]:
    """Names of the models under models/."""
    return checkpoint.list_models(checkpoint.MODELS_FOLDER)


def default_model(names: Sequence[str]) -> int:
    """Place of the default model in a list of names."""
    return list(names).index(DEFAULT_MODEL) if DEFAULT_MODEL in names else 0


def card_of(name: str) -> ModelCard:
    """Return the card of a listed model, read again when its file changes; raises `ModelError`."""
    path = checkpoint.MODELS_FOLDER / f"{name}.json"
    return _card(str(path), path.stat().st_mtime_ns if path.is_file() else 0)


@st.cache_resource(max_entries=32, show_spinner=False)
def _card(path: str, changed_ns: int) -> ModelCard:
    return read_card(Path(path))


def other_depth(card: ModelCard, before: str) -> str | None:
    """Name of the model for a reader who wants more classes than this one knows, or fewer; None where none is.

    From few classes it leads to the ECG-IMN that knows most in groups, and from there to the model that the reader came
    from (`before`), else to the default.
    """
    if card.groups:
        fewer = [name for name in (before, DEFAULT_MODEL) if name in model_names() and not card_of(name).groups]
        return fewer[0] if fewer else None
    finer = [each for each in map(card_of, model_names()) if each.kind == "ecg-imn" and each.groups]
    return max(finer, key=lambda each: len(each.classes)).name if finer else None


def published_model(classes: Sequence[str]) -> str | None:
    """Name of an installed model that is made as the published ECG-IMN and knows these classes; None where none is."""
    for name in model_names():
        if name.startswith("paper-") and set(card_of(name).classes) == set(classes):
            return name
    return None


@st.cache_resource(max_entries=2, show_spinner="Loading and checking the model")
def get_model(name: str, sha256: str) -> Model:
    """Load a model; the hash is the key, so that a replaced file is loaded again."""
    return checkpoint.load_model(name, folder=checkpoint.MODELS_FOLDER)


@st.cache_resource
def spare_what_is_loaded() -> None:
    """Keep libraries, models and data that are loaded by now out of the garbage collector's rounds; once per server.

    Streamlit collects after every run of a page. Walking through half a million objects that stay for good took 0.2 s
    each time, in which no other thread runs and nothing leaves for the browser.
    """
    server.spare_what_is_left()


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


@st.cache_resource(max_entries=1, show_spinner="Indexing the challenge records")
def get_challenge_records(folder: str) -> ChallengeRecords:
    """Open a folder of challenge records and read its headers once; raises `SourceError`."""
    records = ChallengeRecords(folder)
    len(records.table)
    return records


def get_record(place: str, ecg_id: int, fs: int) -> Recording:
    """Return one record of PTB-XL, from the folder or fetched on demand; raises `SourceError`, `RecordingError`."""
    with st.spinner("Fetching the record" if is_web(place) else "Reading the record"):
        return read_record(place, ecg_id, fs)


@st.cache_data(max_entries=64, show_spinner=False)
def read_record(place: str, ecg_id: int, fs: int) -> Recording:
    """Return one record of PTB-XL, without a word on the screen."""
    return get_ptbxl(place).recording(ecg_id, fs)


def get_best_record(ecg_id: int) -> Recording:
    """Return a record of PTB-XL at its highest rate, wherever PTB-XL is; raises `SourceError`, `RecordingError`."""
    place, ptbxl = ptbxl_place(), current_ptbxl()
    if place is None or ptbxl is None:
        raise SourceError("PTB-XL is not set up. A folder or its table is needed. The Browse page offers to fetch it.")
    return get_record(place, ecg_id, max(ptbxl.rates(ecg_id), default=500))


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

NORMAL = "norm"  # the composite of normal ECGs
PUBLIC_SOURCES = ("composite", "PTB-XL")
# Few drawings are kept for each of many readers: a trace takes 1.5 MB, a layer of one class 0.2 MB.
READERS_CASES = 3  # the one before, this one and another view of it
READERS_LAYERS = 16  # three cases of five classes


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


@st.cache_data(max_entries=8, max_size="60MB", scope="session", show_spinner="Running the model")
def _own_explanation(digest: str, model_sha256: str, _recording: Recording, _model: Model) -> Explanation:
    return explain(_recording, _model)


def get_case(recording: Recording, model: Model, *, despite_quality: bool = False) -> Case:
    """Open a case through the quality check, with what is kept of it; raises `QualityError`."""
    return open_case(
        recording,
        model,
        despite_quality=despite_quality,
        read=lambda of: get_reading(identity(of), of),
        explain=lambda of, by: get_explanation(of.digest, by.card.sha256, of, by),
    )


def model_of(case: Case) -> Model:
    """Return the model that explained a case."""
    return get_model(case.card.name, case.card.sha256)


def model_named(name: str) -> Model:
    """Return a listed model by its name; raises `ModelError`."""
    card = card_of(name)
    return get_model(card.name, card.sha256)


@st.cache_resource(max_entries=READERS_CASES, scope="session", show_spinner=False)
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


# What a reader asks of one case: boxes, beats, edits, checks, comparisons.


@st.cache_data(max_entries=32, scope="session", show_spinner="Re-running the model without the box")
def get_box_interventions(key: str, _box: Box, _case: Case) -> tuple[BoxIntervention, ...]:
    """Return what map and network say without the box; `key` names recording, model and box."""
    return box_interventions(_box, _case, model_of(_case))


def get_measured(case: Case) -> MeasuredLedger:
    """Return what taking out each cell does to every class; raises `ValueError` where no beat was found."""
    measure = _public_measured if case.recording.source in PUBLIC_SOURCES else _own_measured
    return measure(f"{identity(case.recording)} {case.card.sha256}", case)


def get_reasons(case: Case, name: str) -> tuple[str, ...]:
    """Say whether a class rests on its textbook criteria, each checked by the network re-run; empty without beats."""
    if case.reading.waves is None:
        return ()
    return reasons_sentences(reasons_of(case.of(name), get_measured(case).of(name)))


@st.cache_data(show_spinner=False)
def get_grey_beat() -> GreyBeat | None:
    """Return the mean beat of the normal composite, as the eye's reference; None where it is not installed."""
    if NORMAL not in {case.name for case in get_composites()}:
        return None
    recording = get_composite(NORMAL)
    return grey_beat(get_reading(identity(recording), recording), "normal composite")


@st.cache_data(max_entries=64, show_spinner=False)
def _public_measured(key: str, _case: Case) -> MeasuredLedger:
    return measure_case(_case, model_of(_case))


@st.cache_data(max_entries=16, scope="session", show_spinner=False)
def _own_measured(key: str, _case: Case) -> MeasuredLedger:
    return measure_case(_case, model_of(_case))


@st.cache_data(max_entries=128, scope="session", show_spinner=False)
def get_field(key: str, _case: Case, _at_s: float) -> ReceptiveField | None:
    """Return how far the network looks about a moment; `key` names recording, model and moment."""
    return receptive_field(model_of(_case), _case.recording, _at_s)


@st.cache_data(max_entries=8, scope="session", show_spinner="Measuring how far the network looks")
def get_reach(key: str, _case: Case, _step_s: float) -> dict[str, Any] | None:
    """Return how far the network looks when it writes the weights at evenly spaced moments; `key` names both."""
    moments = np.arange(_step_s / 2, _case.recording.duration_s, _step_s).tolist()
    fields = receptive_fields(model_of(_case), _case.recording, moments)
    if not fields:
        return None
    return {"first_s": moments[0], "step_s": _step_s, "close_s": [field.close_s for field in fields]}


@st.cache_data(max_entries=8, max_size="150MB", scope="session", show_spinner=False)
def get_edited(digest: str, sha256: str, _recording: Recording, _model: Model) -> Explanation:
    """Re-run the network on an edited ECG; what comes of it stays with the visitor who edited it."""
    return explain(_recording, _model)


@st.cache_data(max_entries=32, scope="session", show_spinner="Searching the smallest ST change")
def get_flip(
    digest: str, sha256: str, class_name: str, leads: tuple[str, ...], threshold: float, _case: Case, _masks: WaveMasks
) -> FlipSearch:
    """Search how far ST of some leads would have to move for the call of a class to change."""
    return smallest_st_change(
        model_of(_case), _case.recording, _masks, _case.explanation, class_name, threshold=threshold, leads=leads
    )


@st.cache_data(max_entries=4, scope="session", show_spinner="Re-running with random weights")
def get_random_weights(digest: str, sha256: str, part: str, seed: int, class_name: str, _case: Case) -> SelfCheck:
    """Explain the case by the network with random weights."""
    return check_random_weights(_case, randomised(model_of(_case), part, seed), class_name)


@st.cache_data(max_entries=4, scope="session", show_spinner="Re-running with chest leads swapped")
def get_shuffled_leads(digest: str, sha256: str, seed: int, class_name: str, _case: Case) -> SelfCheck:
    """Explain the case with its chest leads swapped."""
    return check_shuffled_leads(_case, model_of(_case), class_name, seed=seed)


@st.cache_data(max_entries=4, scope="session", show_spinner="Re-running a moment later")
def get_time_shift(digest: str, sha256: str, shift_s: float, class_name: str, _case: Case) -> SelfCheck:
    """Explain two windows of the case."""
    return check_time_shift(_case, model_of(_case), class_name, shift_s=shift_s)


@st.cache_resource(max_entries=1, show_spinner="Loading the black-box twin")
def get_twin() -> Predictor:
    """Load the black-box twin; raises `ModelError`."""
    from ecgimn.model.blackbox import load_twin

    return load_twin(checkpoint.MODELS_FOLDER)


@st.cache_data(max_entries=16, scope="session", show_spinner="Explaining post hoc")
def get_post_hoc(
    digest: str, key: str, method: str, class_name: str, _network: Predictor, _reading: SignalReading, title: str
) -> Side:
    """Explain a recording by a post-hoc method."""
    return post_hoc_side(method, _network, _reading, class_name, title)


@st.cache_data(max_entries=16, scope="session", show_spinner="Re-running the network without each wave of each lead")
def get_removals(digest: str, key: str, _network: Predictor, _reading: SignalReading) -> NDArray[np.float64]:
    """Return what removing each cell really does to every class; raises `ValueError` where no beat was found."""
    recording, waves = _reading.recording, _reading.waves
    if waves is None:
        raise ValueError("no beat was found")
    prepare = _network.preprocessing(recording.fs, recording.n_samples)
    return removal_changes(_network.logits, prepare, recording, waves, _reading.levels)


# The evidence that the browser changes by itself: plain values, made by `pages.ui.evidence`.


@st.cache_data(max_entries=READERS_LAYERS, scope="session", show_spinner=False)
def get_packed_hover(key: str, _make: Callable[[], str]) -> str:
    """Keep what the pointer is answered."""
    return _make()


@st.cache_data(max_entries=8, scope="session", show_spinner=False)
def get_packed_layers(key: str, _make: Callable[[], bytes]) -> bytes:
    """Keep the layers of all classes."""
    return _make()


@st.cache_resource(max_entries=READERS_LAYERS, scope="session", show_spinner=False)
def get_layer(key: str, _make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Keep everything on the page that the class decides. Never to be changed."""
    return _make()


# Studies and teaching.


def get_store() -> Store:
    """Return the study store of this machine; raises `StudyError`."""
    from ecgimn.study.database import database_url

    return _store(database_url())


@st.cache_resource(max_entries=2, show_spinner="Opening the study database", on_release=lambda store: store.close())
def _store(url: str) -> Store:
    from ecgimn.study.store import open_store

    return open_store(url)


@st.cache_data(show_spinner=False)
def get_collections() -> tuple[Collection, ...]:
    """Return the teaching collections; raises `SourceError`."""
    from ecgimn.study.cases import list_collections

    return list_collections()


@st.cache_data(max_entries=1, show_spinner="Looking for pairs of one patient")
def get_pairs(place: str) -> Collection | None:
    """Return the collection of pairs of the PTB-XL at a place; None where it has none; raises `SourceError`."""
    from ecgimn.study.cases import pairs_of_ptbxl

    return pairs_of_ptbxl(get_ptbxl(place))


@st.cache_data(max_entries=32, show_spinner="Opening the case")
def get_quiz_case(key: str, _case: QuizCase) -> tuple[Recording, str]:
    """Return the tracing of a teaching case and its title; raises `EcgImnError`."""
    from ecgimn.study.cases import disturb, find_case

    found = find_case(_case.ref, _ptbxl_of(_case.ref))
    return (found.recording if _case.artefact is None else disturb(found.recording, _case.artefact)), found.title


@st.cache_data(max_entries=32, show_spinner="Opening the earlier ECG")
def get_quiz_earlier(ref: str) -> tuple[Recording, str, str]:
    """Return the ECG that a teaching case is compared with, its title and its date; raises `EcgImnError`."""
    from ecgimn.study.cases import PTBXL, find_case

    ptbxl = _ptbxl_of(ref)
    found = find_case(ref, ptbxl)
    kind, _, name = ref.partition(":")
    return found.recording, found.title, ptbxl.date(int(name)) if ptbxl is not None and kind == PTBXL else ""


@st.cache_data(max_entries=32, show_spinner="Opening the case")
def get_audit_recording(ref: str, digest: str) -> Recording:
    """Return the tracing of an audit's case; raises `EcgImnError`."""
    from ecgimn.study.cases import read_audit_case
    from ecgimn.study.definition import AuditCase

    return read_audit_case(AuditCase(ref, digest, ()), _ptbxl_of(ref)).recording


def _ptbxl_of(ref: str) -> PtbXl | None:
    """Return PTB-XL where a case comes from it: a broken folder is no reason to refuse a composite."""
    from ecgimn.study.cases import PTBXL

    return current_ptbxl() if ref.startswith(f"{PTBXL}:") else None


@st.cache_data(max_entries=4, show_spinner="Looking for records that are here")
def get_drawable(place: str, *, with_earlier: bool = False) -> dict[str, tuple[str, ...]]:
    """Return the cases that an audit can draw, by class; of the composites where there is no PTB-XL."""
    from ecgimn.study.cases import drawable

    return drawable(current_ptbxl(), with_earlier=with_earlier)


@st.cache_data(max_entries=4, show_spinner="Computing the figures")
def get_results(uid: str, n_events: int, _store: Store) -> dict[str, Any]:
    """Return the figures of an audit."""
    from ecgimn.study.record import study_record
    from ecgimn.study.results import compute_results

    return compute_results(study_record(_store, uid))


# Batch runs: shared by all visitors, keyed by folder and what it holds.


def holds(folder: Path) -> str:
    """Return what a folder holds, as part of a key: a run may still be going on."""
    return f"{folder} {part_names(folder)[-1:]}"


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

    def ask(self, kind: str, name: str | int, model: Model) -> None:
        self._last += 1
        self._replaced.set()
        self._pool.submit(self._run, self._last, kind, name, model)

    def _run(self, number: int, kind: str, name: str | int, model: Model) -> None:
        self._replaced.clear()
        if number == self._last and not self._replaced.wait(HEAD_START_S):
            read_ahead(kind, name, model)


@st.cache_resource
def _worker() -> _Worker:
    return _Worker()


def prefetch(case: tuple[str, str | int], model: Model) -> None:
    """Begin to read a public case, by kind and name, and return at once; an empty kind is none."""
    if case[0]:
        _worker().ask(*case, model)


def read_ahead(kind: str, name: str | int, model: Model) -> None:
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
        get_case(recording, model)
    except EcgImnError:
        return  # the reader is told when the case is opened
