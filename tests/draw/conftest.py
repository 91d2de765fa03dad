"""A synthetic ECG, its waves and a smooth explanation, all seeded: what the tests of drawing are made of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from ecgimn.draw.marks import StMarks
from ecgimn.explain.case import Case, Evidence, case_of
from ecgimn.explain.explanation import Explanation
from ecgimn.leads import LIMB_FROM_I_II
from ecgimn.model.card import ModelCard
from ecgimn.model.network import NetworkConfig
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.measure import IsoelectricLevels
from ecgimn.signal.quality import Quality
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import Waves

CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
BEAT_S = 0.8
#: Centre after the beat's beginning in s, width in s, height in mV: P, Q, R, S, T.
WAVES = ((0.15, 0.025, 0.12), (0.27, 0.008, -0.1), (0.3, 0.012, 1.2), (0.33, 0.01, -0.35), (0.55, 0.045, 0.35))


def make_recording(fs: float = 500.0, duration_s: float = 10.0, **kept: object) -> Recording:
    """Return an ECG with a beat every 0.8 s, each lead of another size, limb leads consistent, steps of 1 µV."""
    rng = np.random.default_rng(7)
    n_samples = round(duration_s * fs)
    phase = (np.arange(n_samples) / fs) % BEAT_S
    beat = sum(height * np.exp(-0.5 * ((phase - at) / width) ** 2) for at, width, height in WAVES)
    independent = rng.uniform(0.4, 1.2, 8)[:, None] * beat + rng.normal(0, 0.004, (8, n_samples))
    independent[2:4] *= -1.0  # V1 and V2 point down
    signal = np.concatenate([LIMB_FROM_I_II @ independent[:2], independent[2:]])
    return Recording(np.round(1000 * signal) / 1000, fs, **kept)  # type: ignore[arg-type]


def make_explanation(recording: Recording, seed: int = 3, sign: float = 1.0) -> Explanation:
    """Return smooth random weights of five classes and what follows from them."""
    rng = np.random.default_rng(seed)
    window = np.hanning(max(3, round(0.1 * recording.fs)))
    noise = rng.normal(size=(5, 12, recording.n_samples))
    smooth = np.stack([[np.convolve(row, window, "same") for row in maps] for maps in noise])
    weights = sign * smooth / recording.fs * rng.uniform(0.2, 1.0, (5, 12, 1))
    bias = sign * rng.normal(size=5)
    logit = (weights * bridge_gaps(recording.signal)).sum(axis=(1, 2)) + bias
    return Explanation(
        recording_digest=recording.digest,
        fs=recording.fs,
        classes=CLASSES,
        weights=weights,
        bias=bias,
        logit=logit,
        probability=1 / (1 + np.exp(-logit)),
        completeness_error=0.0,
        model_name="superclass",
        model_sha256="3f9a" * 16,
        spread=np.abs(weights) * rng.uniform(0.0, 1.5, weights.shape),
    )


def make_reading(recording: Recording, waves: Waves | None = None, levels: ArrayLike = 0.0) -> SignalReading:
    """Return a usable reading with these waves and isoelectric levels, and nothing measured."""
    isoelectric = IsoelectricLevels(np.broadcast_to(np.asarray(levels, dtype=np.float64), (12,)), "PQ", 12)
    quality = Quality((), (), 0.0, 0.0, 0.0, 0.0, 0.0)
    return SignalReading(recording, quality, waves, None, None, isoelectric, "" if waves else "No beat was looked for.")


def make_case(
    recording: Recording, seed: int = 3, sign: float = 1.0, *, waves: Waves | None = None, levels: ArrayLike = 0.0
) -> Case:
    """Return `make_explanation` about these isoelectric levels as a case."""
    card = ModelCard(
        name="superclass", task="five classes", classes=CLASSES, members=1, network=NetworkConfig(n_classes=5),
        scale=(1.0,) * 5, offset=(0.0,) * 5, sha256="3f9a" * 16, known_answer=(0.0,) * 5,
        thresholds={"youden": (0.5,) * 5},
    )  # fmt: skip
    return case_of(make_reading(recording, waves, levels), make_explanation(recording, seed, sign), card)


def make_evidence(
    recording: Recording,
    seed: int = 3,
    sign: float = 1.0,
    *,
    name: str = "MI",
    minus: str | None = None,
    waves: Waves | None = None,
    levels: ArrayLike = 0.0,
) -> Evidence:
    """Return the evidence of `make_case` for a class, or for the difference of two."""
    return make_case(recording, seed, sign, waves=waves, levels=levels).of(name, minus)


def make_waves(recording: Recording) -> Waves:
    """Return the waves that `make_recording` put there."""
    fs, n_samples = recording.fs, recording.n_samples
    starts = np.arange(0.0, recording.duration_s - BEAT_S + 1e-9, BEAT_S)
    spans = {"p_onset": 0.08, "p_offset": 0.22, "qrs_onset": 0.25, "qrs_offset": 0.36, "t_onset": 0.44,
             "t_peak": 0.55, "t_offset": 0.68}  # fmt: skip
    landmarks: dict[str, NDArray[np.float64]] = {name: np.round((starts + at) * fs) for name, at in spans.items()}
    labels = np.zeros((12, n_samples), dtype=np.int8)
    beat = np.full(n_samples, -1, dtype=np.int16)
    edges = ("p_onset", "p_offset", "qrs_onset", "qrs_offset", "t_onset", "t_offset")
    for number in range(len(starts)):
        beat[round(starts[number] * fs) : round((starts[number] + BEAT_S) * fs)] = number
        for code, (first, last) in enumerate(pairwise(edges), start=1):
            labels[:, int(landmarks[first][number]) : int(landmarks[last][number])] = code
    return Waves(
        fs=fs,
        n_samples=n_samples,
        r_samples=np.round((starts + 0.3) * fs).astype(np.int64),
        labels=labels,
        beat=beat,
        method="openecg",
        **{name: np.tile(at, (12, 1)) for name, at in landmarks.items()},
        **{f"global_{name}": at.copy() for name, at in landmarks.items()},
    )


@pytest.fixture(scope="session")
def recording() -> Recording:
    return make_recording()


@pytest.fixture(scope="session")
def case(recording: Recording, waves: Waves) -> Case:
    return make_case(recording, waves=waves)


@pytest.fixture(scope="session")
def evidence(case: Case) -> Evidence:
    """For MI."""
    return case.of("MI")


@pytest.fixture(scope="session")
def opposite(recording: Recording, waves: Waves) -> Evidence:
    """The same evidence with every sign turned."""
    return make_evidence(recording, sign=-1.0, waves=waves)


@pytest.fixture(scope="session")
def waves(recording: Recording) -> Waves:
    return make_waves(recording)


@pytest.fixture(scope="session")
def st() -> StMarks:
    return StMarks(("II", "III", "aVF"), ("V2", "V3"), ("I", "aVL"), measured=True)


@pytest.fixture(scope="session")
def another_recording() -> Callable[..., Recording]:
    return make_recording


@pytest.fixture(scope="session")
def another_evidence() -> Callable[..., Evidence]:
    return make_evidence
