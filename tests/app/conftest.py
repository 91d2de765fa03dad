"""The app without a browser: Streamlit's own test runner over app.py."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import torch
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test, local_script_runner

from ecgimn.explain.case import Case
from ecgimn.explain.measured import MeasuredLedger, measure_case
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model, save_model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading, read_signal
from ecgimn.sources.composites.case import load_composite
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.study.store import Store, open_store
from pages.ui import cache as cached
from tests.sources.physionet_server import ecg_records

ROOT = Path(__file__).resolve().parents[2]


def uploads_in_memory() -> list[Recording]:
    """Return the visitors' own recordings that any object still holds, also those that the collector passes over."""
    gc.unfreeze()
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is Recording and one.source == "upload"]


@pytest.fixture(scope="session", autouse=True)
def one_server() -> Iterator[None]:
    """Look for components of other packages and compile each page once, as a server does, and not in each `AppTest`."""
    scripts = ScriptCache()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        for module in (app_test, local_script_runner):
            patch.setattr(module, "ScriptCache", lambda: scripts)
        yield


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small, untrained model: what is tested of a page must not hang on a real model's numbers."""
    folder = tmp_path_factory.mktemp("models")
    config = NetworkConfig(n_classes=5, widths=(8, 8, 8), blocks=1, decoder_width=8)
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(EcgImn(config).eval())
    card = ModelCard(
        name=DEFAULT_MODEL,
        task="five superclasses",
        classes=SUPERCLASSES,
        members=2,
        network=config,
        scale=(1.0, 1.2, 0.8, 1.0, 1.0),
        offset=(0.1, 0.0, -0.4, 0.0, 0.3),
        sha256="",
        known_answer=(0.0,) * 5,
        thresholds={"youden": (0.0, 1.0, 0.0, 1.0, 1.0)},
    )
    save_model(card, networks, folder)
    return folder


_readings: dict[str, SignalReading] = {}
_measured: dict[str, MeasuredLedger] = {}


def read_once(recording: Recording) -> SignalReading:
    """Read a public recording off once for all tests: 0.7 s for each of the same few; the key is that of the pages.

    Nothing of an upload may be kept, here neither: tests look for what is left of one.
    """
    if recording.source == "upload":
        return read_signal(recording)
    key = cached.identity(recording)
    if key not in _readings:
        _readings[key] = read_signal(recording)
    return replace(_readings[key], recording=recording)


def measure_once(case: Case, model: Model) -> MeasuredLedger:
    """Take every cell of a public case out once for all tests: 0.5 s each."""
    if case.recording.source == "upload":
        return measure_case(case, model)
    key = f"{cached.identity(case.recording)} {case.card.sha256}"
    if key not in _measured:
        _measured[key] = measure_case(case, model)
    return _measured[key]


@pytest.fixture
def small_app(app: AppTest, models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app with the small model and without a data set."""
    monkeypatch.setattr("ecgimn.model.model.MODELS_FOLDER", models_folder)
    monkeypatch.delenv("ECGIMN_PTBXL", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return app


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AppTest:
    """The app as a new visitor finds it: started in the project's folder, nothing cached, an empty home folder."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("pages.ui.cache.prefetch", lambda *_: None)  # each case of a test is read once
    monkeypatch.setattr("pages.ui.cache.read_signal", read_once)
    monkeypatch.setattr("pages.ui.cache.measure_case", measure_once)
    monkeypatch.setenv("HOME", str(tmp_path))
    st.cache_data.clear()
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has been visited before: clicks on every page arrive.

    The test runner makes a new server for each run, whose first page hands over to app.py and loses the click.
    """
    make = PagesManager.__init__

    def make_visited(self: PagesManager, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", make_visited)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A database of studies of its own, which the app uses too."""
    url = f"sqlite:///{tmp_path / 'studies.sqlite'}"
    monkeypatch.setenv("ECGIMN_DATABASE_URL", url)
    opened = open_store(url)
    yield opened
    opened.close()
    st.cache_resource.clear()


DATES = ("1987-03-02 10:00:00", "1990-01-01 08:00:00", "1991-05-05 09:00:00")
PATIENTS = (7.0, 7.0, 8.0)


@pytest.fixture
def ptbxl(small_app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Two ECGs of one patient, normal and then with inferior ST elevation, and one of another."""
    files = ecg_records([load_composite(name) for name in ("norm", "twin-ste-inferior", "norm")])
    head, *rows = files["ptbxl_database.csv"].decode().splitlines()
    dated = [f"{row},{patient},{date}" for row, patient, date in zip(rows, PATIENTS, DATES, strict=True)]
    files["ptbxl_database.csv"] = "\n".join([f"{head},patient_id,recording_date", *dated]).encode()
    for name, data in files.items():
        path = tmp_path / "ptb-xl" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.setenv("ECGIMN_PTBXL", str(tmp_path / "ptb-xl"))
    st.cache_resource.clear()
    return small_app
