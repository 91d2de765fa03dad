"""Small synthetic files for the readers: a seeded 12-lead ECG written in each format, and folders of real files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS


def synthetic_ecg(fs: float = 500, duration_s: float = 10, *, heart_rate: float = 72) -> NDArray[np.float64]:
    """Return 12 consistent leads in mV, (12, n_samples): P, QRS and T as Gaussians, in whole microvolts."""
    time = np.arange(round(fs * duration_s)) / fs
    waves = ((-0.16, 0.02, 0.12), (0.0, 0.012, 1.0), (0.03, 0.012, -0.25), (0.28, 0.05, 0.3))
    beat = np.zeros_like(time)
    for r_s in np.arange(0.4, duration_s, 60 / heart_rate):
        for offset_s, width_s, size in waves:
            beat += size * np.exp(-0.5 * ((time - r_s - offset_s) / width_s) ** 2)
    rng = np.random.default_rng(12)
    scale = np.array([0.7, 1.1, -0.4, 0.3, 0.9, 1.4, 1.2, 0.9])
    independent = scale[:, None] * beat + 0.01 * rng.standard_normal((8, time.size))
    independent = 2 * np.round(independent * 500) / 1000  # even microvolts, so that half sums are whole
    limb = LIMB_FROM_I_II @ independent[:2]
    return np.vstack([limb, independent[2:]])


def wfdb_files(
    signal_mv: NDArray[np.float64] | None = None,
    *,
    fs: float = 500,
    name: str = "case",
    gain: float = 1000,
    unit: str = "/mV",
    leads: tuple[str, ...] = STANDARD_LEADS,
    baseline: int = 0,
    comments: tuple[str, ...] = (),
) -> dict[str, bytes]:
    """Return a format 16 record as {file name: bytes}; NaN becomes the gap value -32768."""
    signal_mv = synthetic_ecg(fs) if signal_mv is None else signal_mv
    steps = np.where(np.isnan(signal_mv), 0, np.round(signal_mv * gain) + baseline).astype("<i2")
    steps = np.where(np.isnan(signal_mv), np.int16(-32768), steps)
    lines = [f"{name} {len(leads)} {fs:g} {steps.shape[1]}"]
    for lead, row in zip(leads, steps, strict=True):
        checksum = int(row.astype(np.int64).sum()) & 0xFFFF
        lines.append(f"{name}.dat 16 {gain:g}({baseline}){unit} 16 0 {row[0]} {checksum} 0 {lead}")
    lines += [f"# {comment}" for comment in comments]
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode(), f"{name}.dat": steps.T.astype("<i2").tobytes()}


@pytest.fixture
def ecg() -> NDArray[np.float64]:
    """Twelve leads in mV, 10 s at 500 Hz."""
    return synthetic_ecg()


@pytest.fixture
def make_wfdb():
    """`wfdb_files`."""
    return wfdb_files


@pytest.fixture
def make_ecg():
    """`synthetic_ecg`."""
    return synthetic_ecg


@pytest.fixture
def real_files() -> Path:
    """The folder of real files named by ECGIMN_FIXTURES; the test is skipped without it."""
    folder = os.environ.get("ECGIMN_FIXTURES")
    if not folder:
        pytest.skip("ECGIMN_FIXTURES names no folder of real ECG files")
    return Path(folder)
