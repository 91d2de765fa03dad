"""Tracings with known waves, read once for all tests of this folder, and the folders of real data if any."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tracings beside this file, whatever pytest's import mode

from synthetic_ecg import Tracing

from ecgimn.recording import Recording
from ecgimn.signal.measure import Measurements, measure
from ecgimn.signal.waves.find import Waves, find_waves


@pytest.fixture(scope="session")
def ordinary() -> Tracing:
    return Tracing()


@pytest.fixture(scope="session")
def recording(ordinary: Tracing) -> Recording:
    return ordinary.recording()


@pytest.fixture(scope="session")
def waves(recording: Recording) -> Waves:
    return find_waves(recording)


@pytest.fixture(scope="session")
def measurements(recording: Recording, waves: Waves) -> Measurements:
    return measure(recording, waves)


def _folder(variable: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def fixtures_folder() -> Path:
    return _folder("ECGIMN_FIXTURES")
