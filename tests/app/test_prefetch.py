"""The next public case is ready before it is asked for; nothing of a visitor's own is read ahead."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.errors import StreamlitAPIException

from ecgimn.model.model import load_model
from ecgimn.recording import Recording
from ecgimn.signal.reading import read_signal
from ecgimn.sources.composites.case import load_composite
from pages.ui import cache
from pages.ui import cache as cached

NORMAL = "norm"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Digests of all recordings that are read."""
    st.cache_data.clear()
    seen: list[str] = []

    def read(recording: Recording) -> object:
        seen.append(recording.digest)
        return read_signal(recording)

    monkeypatch.setattr(cached, "read_signal", read)
    return seen


def test_a_case_read_ahead_is_not_read_again(reads: list[str], models_folder: Path) -> None:
    model, recording = load_model(folder=models_folder), load_composite(NORMAL)
    cache.read_ahead("composite", NORMAL, model)
    assert reads == [recording.digest]
    reading = cached.get_reading(cached.identity(recording), recording)
    explanation = cached.get_explanation(recording.digest, model.card.sha256, recording, model)
    assert reads == [recording.digest]
    assert reading.recording.digest == explanation.recording_digest == recording.digest


def test_only_the_last_case_asked_for_is_read(monkeypatch: pytest.MonkeyPatch, models_folder: Path) -> None:
    model, read = load_model(folder=models_folder), []
    monkeypatch.setattr(cache, "read_ahead", lambda kind, name, model: read.append(name))
    worker = cache._Worker()
    for name in ("a", "b", "c"):
        worker.ask("composite", name, model)
    worker._pool.shutdown(wait=True)
    assert read == ["c"]


def test_nothing_is_read_ahead_of_ones_own_file_or_over_a_network(
    reads: list[str], models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, asked = load_model(folder=models_folder), []
    monkeypatch.setattr(cache, "_worker", lambda: asked.append(1))
    cache.prefetch(("", ""), model)
    assert asked == []
    monkeypatch.setattr(cache, "ptbxl_place", lambda: "https://physionet.org/files/ptb-xl/1.0.3/")
    cache.read_ahead("ptbxl", 1, model)
    assert reads == []


def test_what_comes_of_an_upload_has_a_cache_that_only_its_session_reaches(reads: list[str]) -> None:
    own = Recording(load_composite(NORMAL).signal, 500, source="upload")
    with pytest.raises(StreamlitAPIException, match="session-scoped"):
        cached.get_reading(cached.identity(own), own)
    assert reads == []
