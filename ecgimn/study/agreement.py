"""Agreement between readers beyond chance, and intervals by resampling cases.

Each figure takes optional weights, how often every case counts, one row per bootstrap sample; all are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ecgimn.evaluate.metrics import N_BOOTSTRAPS, patient_weights, plain, ratio
from ecgimn.evaluate.metrics import estimate as interval

SEED = 20260
DIGITS = 6  # of every figure that is printed or compared

Array = NDArray[np.float64]
Figure = Callable[[Array], Array]


def cohen_kappa(first: Sequence[str], second: Sequence[str], weights: Array | None = None) -> Array:
    """Return Cohen's kappa of two readers of the same cases (Cohen 1960, doi:10.1177/001316446002000104).

    Parameters
    ----------
    first, second : sequence of str
        One category per case.
    weights : ndarray of shape (m, n), optional

    Returns
    -------
    ndarray of shape (m,)
        NaN where both readers used one and the same category throughout. Without weights m is 1.
    """
    names = sorted({*first, *second})
    a = np.array([[name == given for name in names] for given in first], dtype=np.float64)
    b = np.array([[name == given for name in names] for given in second], dtype=np.float64)
    w = _weights(weights, len(first))
    total = w.sum(axis=1)
    observed = w @ (a * b).sum(axis=1) / total
    expected = ((w @ a) * (w @ b)).sum(axis=1) / total**2
    return _beyond(observed, expected)


def count_table(ratings: Sequence[Sequence[str | None]], categories: Sequence[str]) -> Array:
    """Return how many readers put each case into each category, shape (n_cases, n_categories); None is no rating."""
    return np.array([[sum(r == name for r in row) for name in categories] for row in ratings], dtype=np.float64)


def fleiss_kappa(counts: Array, weights: Array | None = None) -> Array:
    """Return Fleiss' kappa of any number of readers (Fleiss 1971, doi:10.1037/h0031619).

    Where cases have different numbers of readers, agreement is taken over cases with two or more, and the use of the
    categories is the mean of each case's own shares (Gwet, Handbook of Inter-Rater Reliability, 4th ed., 2014).

    Parameters
    ----------
    counts : ndarray of shape (n_cases, n_categories)
        Of `count_table`.
    weights : ndarray of shape (m, n_cases), optional
    """
    observed, used = _observed_and_used(counts, weights)
    return _beyond(observed, (used**2).sum(axis=1))


def gwet_ac1(counts: Array, weights: Array | None = None) -> Array:
    """Return Gwet's AC1, which stays sensible where nearly all cases fall into one category.

    Gwet 2008, doi:10.1348/000711006X126600. Parameters as of `fleiss_kappa`.
    """
    observed, used = _observed_and_used(counts, weights)
    return _beyond(observed, (used * (1 - used)).sum(axis=1) / (counts.shape[1] - 1))


def bootstrap_weights(n: int, *, n_samples: int = N_BOOTSTRAPS, seed: int = SEED) -> Array:
    """Return how often each of `n` cases counts in each bootstrap sample, shape (n_samples, n)."""
    return patient_weights(np.arange(n), n_samples, seed)


def estimate(figure: Figure, n: int) -> list[float | None] | None:
    """Return a figure over `n` cases with its 95 % percentile interval: [value, low, high]; None where undefined."""
    if n == 0:
        return None
    found = interval(figure, bootstrap_weights(n))
    if not np.isfinite(found.value):
        return None
    return [plain(value, DIGITS) for value in (found.value, found.low, found.high)]


def _weights(weights: Array | None, n: int) -> Array:
    return np.ones((1, n)) if weights is None else weights


def _beyond(observed: Array, expected: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = (observed - expected) / (1 - expected)
    return np.asarray(np.where(np.abs(1 - expected) < 1e-12, np.nan, kappa))


def _observed_and_used(counts: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return observed agreement, shape (m,), and the share of each category, shape (m, n_categories)."""
    w = _weights(weights, len(counts))
    n_readers = counts.sum(axis=1)
    rated, paired = n_readers >= 1, n_readers >= 2
    pairs = n_readers * (n_readers - 1)
    agreement = np.divide((counts**2).sum(axis=1) - n_readers, pairs, out=np.zeros(len(counts)), where=paired)
    shares = np.divide(counts, n_readers[:, None], out=np.zeros_like(counts), where=rated[:, None])
    return ratio(agreement * paired, paired.astype(np.float64), w), (w @ shares) / np.maximum(
        w @ rated.astype(np.float64), 1e-300
    )[:, None]
