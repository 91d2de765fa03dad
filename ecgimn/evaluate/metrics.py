"""Discrimination and calibration of scores, with intervals from resampling patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

N_BOOTSTRAPS = 1000
N_BINS = 15
MIN_POSITIVES = 10  # fewer cannot carry two parameters

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float | None]:
        """Return value, low and high, rounded; None where undefined."""
        return [None if not np.isfinite(v) else round(float(v), 5) for v in (self.value, self.low, self.high)]


def auroc(target: NDArray[np.integer], score: Array, weight: Array | None = None) -> Array:
    """Area under the ROC curve, with ties counted half.

    Parameters
    ----------
    target : ndarray of shape (n,)
        0 or 1.
    score : ndarray of shape (n,)
    weight : ndarray of shape (m, n), optional
        How often each record counts, one row per bootstrap sample.

    Returns
    -------
    ndarray of shape (m,)
        NaN where a sample lacks positives or negatives. Without weights m is 1.
    """
    weight = np.ones((1, len(target))) if weight is None else weight
    positive, negative = weight * target, weight * (1 - target)
    _, group = np.unique(score, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    p = np.add.reduceat(positive[:, order], starts, axis=1)
    n = np.add.reduceat(negative[:, order], starts, axis=1)
    below = np.cumsum(n, axis=1) - n
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((p * (below + n / 2)).sum(axis=1) / pairs)


def average_precision(target: NDArray[np.integer], score: Array) -> float:
    """Area under the precision-recall curve as the step-wise sum of precision over recall."""
    order = np.argsort(-score, kind="stable")
    hits = target[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum()) if hits.sum() else float("nan")


def patient_weights(patients: NDArray[np.integer], n: int = N_BOOTSTRAPS, seed: int = 0) -> Array:
    """Return how often each record counts in each bootstrap sample of patients, shape (n, n_records)."""
    _, patient = np.unique(patients, return_inverse=True)
    n_patients = int(patient.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size=n)
    return np.asarray(drawn[:, patient], dtype=np.float64)


def estimate(figure: Callable[[Array | None], Array], weights: Array) -> Estimate:
    """Return a figure with its percentile interval; `figure(weights)` gives one value per row of weights."""
    samples = figure(weights)
    samples = samples[np.isfinite(samples)]
    low, high = np.percentile(samples, [2.5, 97.5]) if len(samples) else (np.nan, np.nan)
    return Estimate(float(figure(None)[0]), float(low), float(high))


def ratio_estimate(part: Array, whole: Array, weights: Array) -> Estimate:
    """Return the sum of `part` over the sum of `whole`, (n,) each, with its interval; of `whole` one, a mean."""

    def figure(w: Array | None) -> Array:
        w = np.ones((1, len(part))) if w is None else w
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((w @ part) / (w @ whole))

    return estimate(figure, weights)


def macro(targets: NDArray[np.integer], scores: Array, weight: Array | None = None) -> Array:
    """Mean AUROC over classes that have positives and negatives; one value per row of weights."""
    kept = [k for k in range(targets.shape[1]) if 0 < targets[:, k].sum() < len(targets)]
    return np.asarray(np.nanmean([auroc(targets[:, k], scores[:, k], weight) for k in kept], axis=0))


def rounded(values: NDArray[np.floating]) -> list[float]:
    """Return values as plain numbers for JSON."""
    return [round(float(v), 4) for v in values]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Observed frequency against predicted probability in bins of equal mass."""

    predicted: Array
    observed: Array
    ece: float
    brier: float


def reliability(target: NDArray[np.integer], probability: Array, n_bins: int = N_BINS) -> Reliability:
    """Return the reliability curve, the expected calibration error and the Brier score."""
    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, n_bins)
    predicted = np.array([probability[b].mean() for b in bins])
    observed = np.array([target[b].mean() for b in bins])
    size = np.array([len(b) for b in bins]) / len(target)
    ece = float((size * np.abs(predicted - observed)).sum())
    return Reliability(predicted, observed, ece, float(((probability - target) ** 2).mean()))


def fit_affine(target: NDArray[np.integer], logit: Array) -> tuple[float, float]:
    """Return scale and offset of the logit that minimise the log loss (Platt scaling, without regularisation).

    The scale stays positive: a class with too few positives, or one that would be turned over, keeps (1, 0).
    """
    if target.sum() < MIN_POSITIVES:
        return 1.0, 0.0
    scale, offset = 1.0, 0.0
    for _ in range(50):
        p = expit(scale * logit + offset)
        gradient = np.array([((p - target) * logit).sum(), (p - target).sum()])
        w = p * (1 - p) + 1e-9
        hessian = np.array([[(w * logit * logit).sum() + 1e-6, (w * logit).sum()], [(w * logit).sum(), w.sum()]])
        step = np.linalg.solve(hessian, gradient)
        scale, offset = scale - step[0], offset - step[1]
        if np.abs(step).max() < 1e-10:
            break
    return (float(scale), float(offset)) if 0.05 < scale < 20.0 else (1.0, 0.0)


def youden_threshold(target: NDArray[np.integer], probability: Array) -> float:
    """Return the probability at which sensitivity + specificity is largest."""
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(target[order]) / max(1, target.sum())
    false = np.cumsum(1 - target[order]) / max(1, (1 - target).sum())
    last_of_ties = np.append(np.diff(probability[order]) != 0, True)
    return float(probability[order][int(np.argmax(np.where(last_of_ties, hits - false, -np.inf)))])


def sensitivity_threshold(target: NDArray[np.integer], probability: Array, sensitivity: float = 0.9) -> float:
    """Return the largest probability at which at least `sensitivity` of the positives are found."""
    found = np.sort(probability[target == 1])[::-1]
    if len(found) == 0:
        return 0.5
    return float(found[int(np.ceil(sensitivity * len(found))) - 1])


@dataclass(frozen=True)
class Calibration:
    """The affine change of each logit and the operating points on its probability, one value per class."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    thresholds: dict[str, tuple[float, ...]]


def calibrate(targets: NDArray[np.integer], logits: Array, unit: Array | None = None) -> Calibration:
    """Fit scale and offset of logits (n, K) to targets (n, K), and choose thresholds on what they give.

    Parameters
    ----------
    unit : ndarray of shape (K,), optional
        Logits are fitted in this unit, for those that are of another order than one; the result is for the logits.
    """
    unit = np.ones(logits.shape[1]) if unit is None else unit
    columns = range(logits.shape[1])
    scale, offset = np.array([fit_affine(targets[:, k], logits[:, k] / unit[k]) for k in columns]).T
    scale = scale / unit
    probability = expit(scale * logits + offset)
    return Calibration(
        scale=tuple(scale.tolist()),
        offset=tuple(offset.tolist()),
        thresholds={
            "youden": tuple(youden_threshold(targets[:, k], probability[:, k]) for k in columns),
            "sensitivity_90": tuple(sensitivity_threshold(targets[:, k], probability[:, k]) for k in columns),
        },
    )


def operating_point(target: NDArray[np.integer], probability: Array, threshold: float) -> dict[str, float]:
    """Return sensitivity, specificity, precision and F1 at a threshold."""
    called = probability >= threshold
    tp, fp = float((called & (target == 1)).sum()), float((called & (target == 0)).sum())
    fn, tn = float((~called & (target == 1)).sum()), float((~called & (target == 0)).sum())
    return {
        "threshold": round(threshold, 5),
        "sensitivity": round(tp / max(1.0, tp + fn), 5),
        "specificity": round(tn / max(1.0, tn + fp), 5),
        "precision": round(tp / max(1.0, tp + fp), 5),
        "f1": round(2 * tp / max(1.0, 2 * tp + fp + fn), 5),
    }
