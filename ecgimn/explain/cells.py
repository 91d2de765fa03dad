"""Lead by wave cells of the network's 100 Hz input, from quick landmarks: the features that methods are compared on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.intervene import WaveMasks

QUICK_WAVES = ("p", "qrs", "st", "t")
N_CELLS = 12 * (len(QUICK_WAVES) + 1)


def cell_partition(masks: WaveMasks, n_samples: int) -> NDArray[np.int64]:
    """Return the wave of every sample, (n_samples,): an index into `QUICK_WAVES`, or the number after the last."""
    stacked = np.stack([np.broadcast_to(getattr(masks, wave), (n_samples,)) for wave in QUICK_WAVES])
    return np.where(stacked.max(axis=0) >= 0.5, stacked.argmax(axis=0), len(QUICK_WAVES))


def lead_wave_cells(wave: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cell of every sample of every lead, (n,) -> (12, n), numbered lead by lead from 0 to 59."""
    return np.asarray(np.arange(12)[:, None] * (len(QUICK_WAVES) + 1) + wave)


def cell_evidence(maps: NDArray[np.floating], u: NDArray[np.floating], wave: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the evidence per lead and wave, shape (K, 12, n_waves + 1), of one record.

    Parameters
    ----------
    maps : ndarray of shape (K, 12, n)
    u : ndarray of shape (12, n)
        Voltage about the isoelectric level.
    wave : ndarray of shape (n,)
    """
    return cell_sums(maps * u, wave)


def cell_sums(attribution: NDArray[np.floating], wave: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums of (..., 12, n) over the waves, shape (..., 12, n_waves + 1)."""
    one_hot = (wave[:, None] == np.arange(len(QUICK_WAVES) + 1)).astype(np.float64)
    return np.asarray(attribution @ one_hot)
