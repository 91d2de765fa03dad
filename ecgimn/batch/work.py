"""One chunk of recordings, explained in a worker process: from paths to Arrow tables. Nothing here writes a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from typing import TYPE_CHECKING, Literal

import numpy as np

from ecgimn.batch.items import Item
from ecgimn.batch.output import Rows, Tables
from ecgimn.batch.rows import add_beats, add_explanation, add_lead_evidence, add_quality, add_reading
from ecgimn.errors import CheckpointError, RecordingError
from ecgimn.explain.case import open_cases
from ecgimn.explain.explanation import lead_evidence
from ecgimn.explain.windows import tile
from ecgimn.formats import read_recording
from ecgimn.recording import Recording
from ecgimn.signal.quality import assess_quality
from ecgimn.signal.reading import SignalReading, read_signal

if TYPE_CHECKING:
    from ecgimn.model.model import Model

WaveSearch = Literal["all leads", "five leads", "not looked for"]
NETWORK_BATCH = 64  # recordings in one pass of the network
EXPLAINED_AT_ONCE = 8  # of which the maps are carried back to the raw trace at a time


@dataclass(frozen=True)
class Chunk:
    """Recordings for one worker, and what to do with them.

    Attributes
    ----------
    items : tuple of Item
    model, sha256 : str
        The worker loads the model by name and refuses another hash.
    waves : {"all leads", "five leads", "not looked for"}
    operating_point : str
        Key of the card's thresholds; a class counts as said from there on.
    """

    items: tuple[Item, ...]
    model: str
    sha256: str
    waves: WaveSearch
    operating_point: str


@dataclass(frozen=True, eq=False)
class ExplainedWindow:
    """Ten seconds of one recording, on the way to the network."""

    record: str
    start_s: float
    recording: Recording
    reading: SignalReading | None


def explain_chunk(chunk: Chunk) -> Tables:
    """Explain every recording of a chunk; what cannot be read is a row of "errors".

    Raises
    ------
    ModelError
        The model is not there, or not the one the run began with.
    """
    model, rows = _model(chunk.model, chunk.sha256), Rows()
    windows = _windows(chunk, rows)
    size = NETWORK_BATCH if chunk.waves == "not looked for" else EXPLAINED_AT_ONCE
    for _, alike in groupby(windows, key=lambda window: (window.recording.fs, window.recording.n_samples)):
        for batch in _batched(alike, size):
            if chunk.waves == "not looked for":
                _book_leads(batch, model, rows)
            else:
                _book_waves(batch, model, rows, chunk.operating_point)
    return rows.tables()


@lru_cache(maxsize=1)
def _model(name: str, sha256: str) -> Model:
    from ecgimn.model.model import load_model

    model = load_model(name)
    if model.card.sha256 != sha256:
        raise CheckpointError(
            f"A worker has another model {name!r} ({model.card.sha256[:12]}) than this run ({sha256[:12]}). All must "
            "have the same. Install the same models/ everywhere."
        )
    return model


def _windows(chunk: Chunk, rows: Rows) -> Iterator[ExplainedWindow]:
    """Read the recordings one by one; those that pass the quality check go on in windows of at most ten seconds."""
    for item in chunk.items:
        try:
            whole = read_recording(item.path, age=item.age, sex=item.sex, source=item.source)
        except RecordingError as exc:
            rows.add("errors", record=item.record, kind=type(exc).__name__, reason=str(exc))
            rows.add("records", record=item.record, status="failed", windows=0)
            continue
        usable, places = 0, tile(whole)
        for place in places:
            recording = whole if len(places) == 1 else whole.window(place.start_s, place.duration_s)
            at = ExplainedWindow(item.record, place.start_s, recording, _reading(recording, chunk.waves))
            quality = assess_quality(recording) if at.reading is None else at.reading.quality
            add_quality(rows, item.record, place.start_s, recording, quality, public=item.source == "PTB-XL")
            if at.reading is not None:
                add_reading(rows, item.record, place.start_s, at.reading)
            if quality.usable:
                usable += 1
                yield at
        status = "explained" if usable else "refused"
        rows.add("records", record=item.record, status=status, windows=len(places))


def _reading(recording: Recording, waves: WaveSearch) -> SignalReading | None:
    return None if waves == "not looked for" else read_signal(recording, quick=waves == "five leads")


def _book_leads(batch: tuple[ExplainedWindow, ...], model: Model, rows: Rows) -> None:
    evidence = lead_evidence([window.recording for window in batch], model)
    for place, window in enumerate(batch):
        add_lead_evidence(rows, window.record, window.start_s, model.classes, evidence, place)


def _book_waves(batch: tuple[ExplainedWindow, ...], model: Model, rows: Rows, operating_point: str) -> None:
    thresholds = np.array(model.card.thresholds.get(operating_point, (0.5,) * len(model.classes)))
    cases = open_cases([window.reading for window in batch if window.reading is not None], model)
    for window, case in zip(batch, cases, strict=True):
        add_explanation(rows, window.record, window.start_s, case)
        add_beats(rows, case, case.explanation.probability >= thresholds)


def _batched(windows: Iterable[ExplainedWindow], size: int) -> Iterator[tuple[ExplainedWindow, ...]]:
    source = iter(windows)
    while batch := tuple(islice(source, size)):
        yield batch
