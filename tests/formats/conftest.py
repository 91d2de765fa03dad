"""Fixtures of the readers' tests: synthetic files in every format, and the folder of real files where there is one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))  # the writers beside this file, whatever pytest's import mode

import synthetic_files


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """The writers of `synthetic_files`."""
    return synthetic_files


@pytest.fixture
def ecg() -> NDArray[np.float64]:
    """Twelve leads in mV, 10 s at 500 Hz."""
    return synthetic_files.synthetic_ecg()


@pytest.fixture
def make_wfdb():
    """`wfdb_files`."""
    return synthetic_files.wfdb_files


@pytest.fixture
def make_ecg():
    """`synthetic_ecg`."""
    return synthetic_files.synthetic_ecg


@pytest.fixture
def real_files() -> Path:
    """The folder of real files named by ECGIMN_FIXTURES; the test is skipped without it."""
    folder = os.environ.get("ECGIMN_FIXTURES")
    if not folder:
        pytest.skip("ECGIMN_FIXTURES names no folder of real ECG files")
    return Path(folder)
