"""Do two maps put the same things first? Spearman's rank correlation, over cells of lead by wave and over samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

LEAST_VALUES = 8


@dataclass(frozen=True)
class RankAgreement:
    """Rank correlation of two maps.

    Attributes
    ----------
    cells, samples : float or None
        Spearman's rho; None where it cannot be computed, and `reason` says why for the samples.
    n_cells, n_samples : int
        Values compared.
    same_sign : float or None
        Share of the first map's absolute evidence that lies in cells where the second has the same sign.
    reason : str
    """

    cells: float | None
    samples: float | None
    n_cells: int
    n_samples: int
    same_sign: float | None
    reason: str = ""


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float | None:
    """Return Spearman's rho of two arrays of the same shape; None for too few values or for a constant."""
    first, second = np.ravel(first), np.ravel(second)
    if first.size < LEAST_VALUES or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def rank_agreement(
    first_cells: NDArray[np.floating],
    second_cells: NDArray[np.floating],
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    *,
    same_recording: bool,
) -> RankAgreement:
    """Compare two maps.

    Parameters
    ----------
    first_cells, second_cells : ndarray of shape (12, n_waves)
        Sums over lead and wave; cells that are zero in both, waves that neither recording holds, are left out.
    first, second : ndarray of shape (12, n_samples)
        Contribution per sample.
    same_recording : bool
        Samples are compared on one recording only: those of two hold different moments.
    """
    held = (first_cells != 0) | (second_cells != 0)
    weight = np.abs(first_cells[held])
    same = weight[np.sign(first_cells[held]) == np.sign(second_cells[held])].sum()
    return RankAgreement(
        cells=spearman(first_cells[held], second_cells[held]),
        samples=spearman(first, second) if same_recording else None,
        n_cells=int(held.sum()),
        n_samples=int(first.size) if same_recording else 0,
        same_sign=float(same / weight.sum()) if weight.sum() > 0 else None,
        reason="" if same_recording else "two recordings share no moment",
    )
