"""Checks of maps without ground truth: deletion and insertion, random weights, noise, shifts, agreement of seeds.

Deletion re-runs the network: for each class the logit falls as the most supporting cells go first (MoRF) and rises as
the most opposing go first (LeRF). The area between the two curves over the share of cells gone is the degradation
score. Read backwards, LeRF is insertion: the state in which the most supporting cells are all that is left. Samek et
al., arXiv:1509.06321.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgimn.evaluate.metrics import patient_weights, ratio_estimate, rounded
from ecgimn.evaluate.subjects import Array, ComparedRecord, Explained, Subject, explain_case, model_subject
from ecgimn.explain.edits import masks_from_landmarks
from ecgimn.explain.ledger import N_CELLS, cell_evidence, cell_partition, cell_sums, lead_wave_cells
from ecgimn.model.model import Model, randomised
from ecgimn.signal.preprocess import preprocessing
from ecgimn.signal.waves.quick import Landmarks, quick_landmarks
from ecgimn.sources.composites.case import load_composite
from ecgimn.sources.ptbxl_arrays import Dataset

FILLS = ("isoelectric line", "composite NORM beat")
SHARES = (0.05, 0.1, 0.2, 0.4, 0.7)  # of the cells, gone
TOP = 1  # the place in SHARES of "the top cells": 6 of 60
TENTHS = tuple(step / 10 for step in range(1, 11))
NORM_COMPOSITE = "norm"


def fills_of(case: ComparedRecord) -> Array:
    """Return what takes the place of a cell, shape (2, 12, n): the isoelectric line, and a NORM beat in its time."""
    line = np.broadcast_to(case.landmarks.level[:, None], case.x.shape)
    return np.stack([line, norm_beats(case.landmarks, case.x.shape[-1])])


@cache
def _norm_beat() -> tuple[Array, NDArray[np.int64], Array]:
    """Return the knots, the phases in samples and the mean beat (12, n) about its level of the composite NORM case."""
    recording = load_composite(NORM_COMPOSITE)
    x = preprocessing(recording.fs, recording.n_samples).forward(recording.signal)
    norm = quick_landmarks(x)
    there = _knots(norm)
    inner = norm.centres[(norm.centres + there[0] >= 0) & (norm.centres + there[-1] < x.shape[1] - 1)]
    phase = np.arange(int(np.floor(there[0])), int(np.ceil(there[-1])) + 1)
    beat = np.mean([x[:, np.clip(centre + phase, 0, x.shape[1] - 1)] for centre in inner], axis=0)
    return there, phase, beat - norm.level[:, None]


def norm_beats(marks: Landmarks, n_samples: int) -> Array:
    """Return the beat of the composite NORM case, wave by wave stretched to a record's beats, on its level, (12, n)."""
    there, phase, beat = _norm_beat()
    here = _knots(marks)
    filled = np.zeros((12, n_samples))
    for centre in marks.centres:
        start, stop = max(0, int(centre + here[0])), min(n_samples, int(centre + here[-1]) + 1)
        place = np.interp(np.arange(start, stop) - centre, here, there)
        filled[:, start:stop] = [np.interp(place, phase, lead) for lead in beat]
    return np.asarray(filled + marks.level[:, None])


def _knots(marks: Landmarks) -> Array:
    """Return onset of P, of QRS, centre, end of QRS, of T, and of the cycle, in samples about the centre."""
    p_onset = -marks.qrs_before - min(20.0, 0.35 * marks.rr)
    t_end = max(float(marks.t_end), marks.qrs_after + 2.0)
    points = [p_onset, -marks.qrs_before, 0.0, marks.qrs_after, t_end, max(t_end + 1.0, marks.rr + p_onset)]
    return np.asarray(points, dtype=np.float64)


def deletion_curves(
    subject: Subject,
    case: ComparedRecord,
    cells: NDArray[np.floating],
    fills: Array,
    shares: Sequence[float] = SHARES,
) -> Array:
    """Return the change in logit as cells go, shape (fills, 2 orders, K, 1 + len(shares)), of one record.

    Parameters
    ----------
    cells : ndarray of shape (K, 60)
        Evidence per lead x wave cell, by which the cells are ordered; MoRF is the first order, LeRF the second.
    fills : ndarray of shape (fills, 12, n)
        What takes the place of a cell, from `fills_of`.
    shares : sequence of float
        Of the cells, gone.
    """
    n_classes = len(cells)
    base = subject.input(case)
    of_sample = lead_wave_cells(case.wave)
    rank = np.argsort(np.argsort(np.stack([-cells, cells]), axis=-1), axis=-1)  # (2, K, 60)
    gone = np.stack([rank < round(share * N_CELLS) for share in shares], axis=2)  # (2, K, steps, 60)
    removed = gone[..., of_sample].reshape(-1, *case.x.shape)
    before = subject.logits(base[None])[0]
    own_class = np.broadcast_to(np.arange(n_classes)[None, :, None], gone.shape[:3]).ravel()
    curves = np.zeros((len(fills), *gone.shape[:2], 1 + len(shares)))
    for number, fill in enumerate(fills):
        after = subject.logits((base + removed * (fill - case.x)).astype(np.float32))
        change = after[np.arange(len(after)), own_class] - before[own_class]
        curves[number, ..., 1:] = change.reshape(gone.shape[:3])
    return curves


def degradation(curves: Array) -> Array:
    """Return the area between LeRF and MoRF over the share of cells gone, (..., 2, K, steps) -> (..., K).

    When all cells are gone both orders have met, so the area closes there.
    """
    gap = curves[..., 1, :, :] - curves[..., 0, :, :]
    closed = np.concatenate([gap, np.zeros((*gap.shape[:-1], 1))], axis=-1)
    return np.asarray(np.trapezoid(closed, [0.0, *SHARES, 1.0], axis=-1))


def deletion(model: Model, data: Dataset, ledgers: NDArray[np.floating], *, seed: int = 0) -> dict[str, Any]:
    """Remove lead x wave cells (to the isoelectric line), a tenth at a time, in the order of the map's evidence.

    Controls are a random order and the order of |x|. Curves are means over the records, per class.

    Parameters
    ----------
    ledgers : ndarray of shape (n, K, 12, n_waves + 1)
    """
    rng = np.random.default_rng(seed)
    subject = model_subject(model)
    cases = [
        ComparedRecord(x.astype(np.float64), x.astype(np.float64), marks)
        for x, marks in zip(data.x, data.landmarks, strict=True)
    ]
    amplitude = np.stack([cell_sums(np.abs(case.u)[None], case.wave) for case in cases])
    orders = {
        "map": ledgers,
        "random": rng.standard_normal(ledgers.shape),
        "amplitude": np.broadcast_to(amplitude, ledgers.shape),
    }
    result: dict[str, Any] = {}
    for name, ranking in orders.items():
        curves = np.mean(
            [
                deletion_curves(subject, case, cells.reshape(len(cells), -1), fills_of(case)[:1], TENTHS)[0]
                for case, cells in zip(cases, ranking, strict=True)
            ],
            axis=0,
        )  # (2 orders, K, steps)
        most, least = curves.transpose(0, 2, 1)
        result[name] = {
            "morf": [rounded(row) for row in most],
            "lerf": [rounded(row) for row in least],
            "degradation": rounded((least - most).mean(axis=0)),
        }
    return result


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
