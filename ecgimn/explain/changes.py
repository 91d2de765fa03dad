"""Predicted against actual changes of a logit: the measure of every claim that a map makes about edits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Changes:
    """Predicted and actual changes in logit under edits, (n, K) each."""

    predicted: NDArray[np.float64]
    actual: NDArray[np.float64]


def r_squared(changes: Changes) -> NDArray[np.float64]:
    """Return 1 - SSE / SST of the actual change given the predicted one, per class."""
    error = ((changes.actual - changes.predicted) ** 2).sum(axis=0)
    total = ((changes.actual - changes.actual.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(1.0 - error / np.maximum(total, 1e-12))


def slope(changes: Changes) -> NDArray[np.float64]:
    """Return the least-squares slope of actual on predicted change, per class."""
    predicted = changes.predicted - changes.predicted.mean(axis=0)
    actual = changes.actual - changes.actual.mean(axis=0)
    return np.asarray((predicted * actual).sum(axis=0) / np.maximum((predicted**2).sum(axis=0), 1e-12))
