"""Checks of maps without ground truth: deletion and insertion, random weights, noise, shifts, agreement of seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgimn.evaluate.metrics import patient_weights, ratio_estimate, rounded
from ecgimn.evaluate.subjects import Array, ComparedRecord, Explained, explain_case
from ecgimn.explain.edits import masks_from_landmarks
from ecgimn.explain.ledger import cell_evidence, cell_partition, cell_sums
from ecgimn.model.model import Model, randomised
from ecgimn.sources.ptbxl_arrays import Dataset

DELETION_STEPS = 10
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
    return np.stack(ledgers)


def correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the Pearson correlation of two sets of ledgers, per record and class."""
    a = a.reshape(*a.shape[:2], -1)
    b = b.reshape(*b.shape[:2], -1)
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    return np.asarray((a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-12))


def deletion(model: Model, data: Dataset, ledgers: NDArray[np.floating], *, seed: int = 0) -> dict[str, Any]:
    """Remove lead x wave cells (to the isoelectric line) in the order of the map's evidence and re-run the network.

    For each class the logit falls as the most supporting cells go first (MoRF) and rises as the most opposing go first
    (LeRF); the area between the curves, in logit, is the degradation score. Controls: random order, and order of |x|.
    """
    rng = np.random.default_rng(seed)
    orders = {
        "map": ledgers,
        "random": rng.standard_normal(ledgers.shape),
        "amplitude": _amplitude_cells(data, ledgers),
    }
    result: dict[str, Any] = {}
    for name, ranking in orders.items():
        most = _curve(model, data, -ranking)
        least = _curve(model, data, ranking)
        result[name] = {
            "morf": [rounded(row) for row in most],
            "lerf": [rounded(row) for row in least],
            "degradation": rounded((least - most).mean(axis=0)),
        }
    return result


def _curve(model: Model, data: Dataset, ranking: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean change in logit, (steps + 1, K), as cells go in ascending order of `ranking`."""
    n, n_classes = ranking.shape[:2]
    flat = ranking.reshape(n, n_classes, -1).argsort(axis=-1).argsort(axis=-1)  # rank of every cell
    n_cells = flat.shape[-1]
    before = model.logits(data.x)
    curve = np.zeros((DELETION_STEPS + 1, n_classes))
    waves = [
        cell_partition(masks_from_landmarks(marks, data.x.shape[-1]), data.x.shape[-1]) for marks in data.landmarks
    ]
    levels = np.stack([marks.level for marks in data.landmarks])[:, :, None]
    x = data.x.astype(np.float32)
    for step in range(1, DELETION_STEPS + 1):
        for k in range(n_classes):
            gone = (flat[:, k] < n_cells * step / DELETION_STEPS).reshape(n, 12, -1)
            removed = np.stack([gone[i][:, waves[i]] for i in range(n)])
            edited = np.where(removed, levels, x)
            curve[step, k] = float((model.logits(edited)[:, k] - before[:, k]).mean())
    return curve


def _amplitude_cells(data: Dataset, ledgers: NDArray[np.floating]) -> NDArray[np.float64]:
    cells = np.empty((len(data), 1, *ledgers.shape[2:]))
    for i, marks in enumerate(data.landmarks):
        x = data.x[i].astype(np.float64)
        wave = cell_partition(masks_from_landmarks(marks, x.shape[-1]), x.shape[-1])
        cells[i] = cell_evidence(np.ones((1, *x.shape)), np.abs(x - marks.level[:, None]), wave)
    return np.broadcast_to(cells, ledgers.shape)


def sanity(model: Model, data: Dataset, ledgers: NDArray[np.floating], *, seed: int = 0) -> dict[str, Any]:
    """Compare ledgers with those of randomised networks, of noisy and of shifted copies, and between the members."""
    rng = np.random.default_rng(seed)
    x = data.x.astype(np.float64)
    power = (x**2).mean(axis=(1, 2), keepdims=True)
    noisy = x + rng.standard_normal(x.shape) * np.sqrt(power * 10 ** (-NOISE_DB / 10))
    result: dict[str, Any] = {
        "noise_20_db": _mean(correlation(ledgers, quick_ledgers(model, data.with_x(noisy)))),
        "shift_80_ms": _mean(_agreement_under_shift(model, x)),
        "randomised_weights": {
            part: _mean(correlation(ledgers, quick_ledgers(randomised(model, part, seed), data)))
            for part in ("head", "decoder", "encoder")
        },
    }
    members = [quick_ledgers(member, data) for member in model.members()]
    pairs = [correlation(a, b) for i, a in enumerate(members) for b in members[i + 1 :]]
    result["seed_consistency"] = _mean(np.mean(pairs, axis=0)) if pairs else None
    return result


def _agreement_under_shift(model: Model, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate the map of a window with that of the window 80 ms later, where both see the same samples."""
    length = x.shape[-1] - 2 * SHIFT_SAMPLES
    agreement = []
    for start in range(0, len(x), 32):
        part = x[start : start + 32]
        early, _ = model.weight_maps(part[..., :length])
        late, _ = model.weight_maps(part[..., SHIFT_SAMPLES : SHIFT_SAMPLES + length])
        u = part[:, None, :, SHIFT_SAMPLES:length]
        agreement.append(correlation(early[..., SHIFT_SAMPLES:] * u, late[..., : length - SHIFT_SAMPLES] * u))
    return np.concatenate(agreement)


def _mean(values: NDArray[np.floating]) -> list[float]:
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
        "noise_20_db": against(explained, [case.edited(_noise(case, rng)) for case in cases]),
        "shift_80_ms": mean_over(cases, [_shift_agreement(explained, case) for case in cases]),
        "random_weights": against(Explained(subject.randomised(seed), method), cases),
        "seeds": [None] * 3,
    }
    others = [Explained(member, method) for member in subject.members[:2]]
    if others:  # of an average its own networks are compared, of a network the other one
        mine = np.stack([others[0].of(case) for case in cases]) if len(others) > 1 else ledgers
        found["seeds"] = against(others[-1], cases, mine)
    return found


def _noise(case: ComparedRecord, rng: np.random.Generator) -> Array:
    power = (case.x**2).mean() * 10 ** (-NOISE_DB / 10)
    return np.asarray(rng.standard_normal(case.x.shape) * np.sqrt(power))


def _shift_agreement(explained: Explained, case: ComparedRecord) -> float:
    """Correlate, in cells, the map of a record with that of its part from 80 ms on, where both see the same samples."""
    late = case.window(SHIFT_SAMPLES, case.x.shape[-1])
    there = explain_case(explained.subject, explained.method, late).attribution
    here, wave = explained.attribution(case)[..., SHIFT_SAMPLES:], case.wave[SHIFT_SAMPLES:]
    return float(correlation(cell_sums(here, wave)[None], cell_sums(there, wave)[None]).mean())


def cells_for(ledgers: NDArray[np.floating], share: float = 0.9) -> NDArray[np.float64]:
    """Return how many of the 60 cells hold a share of the absolute evidence: (n, K, 12, 5) to (n,), mean of classes."""
    size = np.sort(np.abs(ledgers.reshape(*ledgers.shape[:2], -1)), axis=-1)[..., ::-1]
    needed = (np.cumsum(size, axis=-1) < share * size.sum(axis=-1, keepdims=True)).sum(axis=-1) + 1
    return np.asarray(needed.mean(axis=1), dtype=np.float64)
