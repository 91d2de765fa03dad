"""Checks of maps without ground truth: random weights, noise, shifts, agreement of seeds, compactness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgimn.evaluate.metrics import patient_weights, ratio_estimate, rounded
from ecgimn.evaluate.subjects import Array, ComparedRecord, Explained, explain_case
from ecgimn.explain.edits import masks_from_landmarks
from ecgimn.explain.ledger import N_CELLS, cell_evidence, cell_partition, cell_sums
from ecgimn.model.model import Model, randomised
from ecgimn.sources.ptbxl_arrays import Dataset

SHIFT_SAMPLES = 8  # 80 ms
NOISE_DB = 20.0


def quick_ledgers(model: Model, data: Dataset, batch: int = 32) -> NDArray[np.float64]:
    """Return the lead x wave ledgers of records from quick landmarks, shape (n, K, 12, 5)."""
    ledgers = []
    for start in range(0, len(data), batch):
        x = data.x[start : start + batch].astype(np.float64)
        maps, _ = model.weight_maps(x)
        for row, weights in enumerate(maps):
            landmarks = data.landmarks[start + row]
            wave = cell_partition(masks_from_landmarks(landmarks, x.shape[-1]), x.shape[-1])
            ledgers.append(cell_evidence(weights, x[row] - landmarks.level[:, None], wave))
    return np.array(ledgers).reshape(len(data), len(model.classes), 12, N_CELLS // 12)


def correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the Pearson correlation of two sets of ledgers, per record and class."""
    a = a.reshape(*a.shape[:2], -1)
    b = b.reshape(*b.shape[:2], -1)
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    return np.asarray((a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-12))


def sanity(model: Model, data: Dataset, ledgers: NDArray[np.floating], *, seed: int = 0) -> dict[str, Any]:
    """Compare ledgers with those of randomised networks, of noisy and of shifted copies, and between the members."""
    rng = np.random.default_rng(seed)
    x = data.x.astype(np.float64)
    result: dict[str, Any] = {
        "noise_20_db": _mean(correlation(ledgers, quick_ledgers(model, data.with_x(x + noise(x, rng))))),
        "shift_80_ms": _mean(_agreement_of_windows(model, x)),
        "randomised_weights": {
            part: _mean(correlation(ledgers, quick_ledgers(randomised(model, part, seed), data)))
            for part in ("head", "decoder", "encoder")
        },
    }
    members = [quick_ledgers(member, data) for member in model.members()]
    pairs = [correlation(a, b) for i, a in enumerate(members) for b in members[i + 1 :]]
    result["seed_consistency"] = _mean(np.mean(pairs, axis=0)) if pairs else None
    return result


def noise(x: NDArray[np.floating], rng: np.random.Generator) -> Array:
    """Return white noise `NOISE_DB` below the mean power of each input (..., 12, L)."""
    power = (x**2).mean(axis=(-2, -1), keepdims=True) * 10 ** (-NOISE_DB / 10)
    return np.asarray(rng.standard_normal(x.shape) * np.sqrt(power))


def _agreement_of_windows(model: Model, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate the contributions in a window with those in the window 80 ms later, per record and class."""
    length = x.shape[-1] - 2 * SHIFT_SAMPLES
    agreement = []
    for start in range(0, len(x), 32):
        part = x[start : start + 32]
        early, late = (part[..., first : first + length] for first in (0, SHIFT_SAMPLES))
        maps = [model.weight_maps(window)[0] for window in (early, late)]
        agreement.append(correlation(*_both_see(maps[0] * early[:, None], maps[1] * late[:, None])))
    return np.concatenate(agreement)


def _both_see(early: Array, late: Array) -> tuple[Array, Array]:
    """Return the parts of two windows, the second 80 ms later, that hold the same samples."""
    n = min(early.shape[-1] - SHIFT_SAMPLES, late.shape[-1])
    return early[..., SHIFT_SAMPLES : SHIFT_SAMPLES + n], late[..., :n]


def _mean(values: NDArray[np.floating]) -> list[float | None]:
    return rounded(values.mean(axis=0))


Figure = list[float | None]  # value, and the ends of its interval


def mean_over(cases: Sequence[ComparedRecord], values: ArrayLike) -> Figure:
    """Return the mean of one value per case with its interval over patients; without cases, nothing."""
    if not cases:
        return [None] * 3
    weights = patient_weights(np.array([case.patient for case in cases]))
    return ratio_estimate(np.asarray(values, dtype=np.float64), np.ones(len(cases)), weights).as_list()


def stability(explained: Explained, cases: list[ComparedRecord], *, seed: int = 0) -> dict[str, Figure]:
    """Correlate a method's ledgers with those of noisy and shifted records, of random weights and of another seed.

    Returns
    -------
    dict
        Correlation, mean over records and classes, with its interval: `noise_20_db`, `shift_80_ms` and `seeds` should
        be near 1 (`seeds` is empty where there is one network), `random_weights` near 0.
    """
    subject, method = explained.subject, explained.method
    rng = np.random.default_rng(seed)
    ledgers = np.stack([explained.of(case) for case in cases])

    def against(other: Explained, theirs: list[ComparedRecord], mine: Array = ledgers) -> Figure:
        return mean_over(cases, correlation(mine, np.stack([other.of(case) for case in theirs])).mean(axis=1))

    found: dict[str, Figure] = {
        "noise_20_db": against(explained, [case.edited(noise(case.x, rng)) for case in cases]),
        "shift_80_ms": mean_over(cases, [_agreement_in_cells(explained, case) for case in cases]),
        "random_weights": against(Explained(subject.randomised(seed), method), cases),
        "seeds": [None] * 3,
    }
    others = [Explained(member, method) for member in subject.members[:2]]
    if others:  # of an average its own networks are compared, of a network the other one
        mine = np.stack([others[0].of(case) for case in cases]) if len(others) > 1 else ledgers
        found["seeds"] = against(others[-1], cases, mine)
    return found


def _agreement_in_cells(explained: Explained, case: ComparedRecord) -> float:
    """Correlate, in cells, the map of a record with that of its part from 80 ms on."""
    late = case.window(SHIFT_SAMPLES, case.x.shape[-1])
    there = explain_case(explained.subject, explained.method, late).attribution
    both = _both_see(explained.attribution(case), there)
    return float(correlation(*(cell_sums(part, case.wave[SHIFT_SAMPLES:])[None] for part in both)).mean())


def cells_needed(ledgers: NDArray[np.floating], share: float = 0.9) -> NDArray[np.int64]:
    """Return how many of the 60 cells hold a share of the absolute evidence: ledgers (n, K, 12, 5) to (n, K)."""
    size = np.sort(np.abs(ledgers.reshape(*ledgers.shape[:2], -1)), axis=-1)[..., ::-1]
    return np.asarray((np.cumsum(size, axis=-1) < share * size.sum(axis=-1, keepdims=True)).sum(axis=-1) + 1)
