"""The next public case is read and explained while the reader looks at this one, into the caches shared by all.

Nothing of a visitor's own file is read ahead, and nothing is fetched over a network before it is asked for. A page that
needs a case which is just being read waits for that one computation instead of starting a second.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.model.card import ModelCard
from ecgimn.model.checkpoint import Model
from ecgimn.sources.settings import is_web, ptbxl_place
from pages import _cached as cached

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
            recording = cached.get_composite(str(name))
        else:
            place = ptbxl_place()
            if place is None or is_web(place):
                return
            rates = cached.get_ptbxl(place).rates(int(name))
            recording = cached.read_record(place, int(name), max(rates, default=500))
        reading = cached.get_reading(cached.identity(recording), recording)
        if reading.quality.usable:
            cached.get_explanation(recording.digest, card.sha256, recording, model)
    except EcgImnError:
        return  # the reader is told when the case is opened
