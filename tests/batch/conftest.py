"""A folder of small ECG files in several formats, two of them bad."""

from __future__ import annotations

import numpy as np
import pytest
import wfdb

from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import read_card
from ecgimn.model.model import MODELS_FOLDER


def tracing(seed, fs=100, seconds=10):
    """A plain rhythm in twelve leads that obey the limb-lead relations, with noise of its own; millivolts."""
    rng = np.random.default_rng(seed)
    phase = (np.arange(round(fs * seconds)) / fs + rng.uniform()) % 0.8
    shape = sum(
        height * np.exp(-0.5 * ((phase - at) / width) ** 2)
        for at, width, height in ((0.2, 0.025, 0.15), (0.4, 0.012, 1.2), (0.43, 0.012, -0.3), (0.65, 0.05, 0.3))
    )
    independent = rng.uniform(0.5, 1.2, (8, 1)) * shape + 0.005 * rng.standard_normal((8, len(phase)))
    return np.concatenate([LIMB_FROM_I_II @ independent[:2], independent[2:]])


def write(folder, name, signal, fs=100):
    """Write a WFDB record."""
    wfdb.wrsamp(
        name, fs=fs, units=["mV"] * 12, sig_name=list(STANDARD_LEADS), p_signal=signal.T, fmt=["16"] * 12,
        adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder),
    )  # fmt: skip


@pytest.fixture(scope="session")
def ecg_folder(tmp_path_factory):
    """Nine files: six of several rates and lengths that can be explained, a flat lead, a letter, a torn file."""
    folder = tmp_path_factory.mktemp("ecgs")
    (folder / "ward").mkdir()
    for seed in range(4):
        write(folder, f"case{seed}", tracing(seed))
    write(folder / "ward", "short", tracing(7, 250, 6), 250)
    write(folder / "ward", "long", tracing(8, 100, 24))
    flat = tracing(9)
    flat[8] = 0.0
    write(folder, "flat", flat)
    (folder / "letter.pdf").write_bytes(b"%PDF-1.7 no ECG")
    (folder / "torn.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00")
    return folder


@pytest.fixture(scope="session")
def card():
    return read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
