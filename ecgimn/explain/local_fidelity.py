"""Is a map true to this one recording? Every cell of its ledger is removed in turn and the network asked again.

An edit sets one wave of one lead, on every beat, to the lead's isoelectric level. A map predicts that the logit then
loses what the map booked there; the network says what it really loses. Fold-wide figures are on the model's card
(`training.fidelity`); these are for the tracing on the screen, and for any method that claims to explain it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.changes import Changes, r_squared, slope
from ecgimn.recording import Recording
from ecgimn.signal.posterior import bridge_gaps
from ecgimn.signal.preprocess import Preprocessing
from ecgimn.signal.waves import WAVE_NAMES, Waves

LEAST_EDITS = 8  # fewer say nothing about agreement


@dataclass(frozen=True)
class LocalFidelity:
    """How well predicted changes agree with actual ones on one recording and one class.

    Attributes
    ----------
    n_edits : int
        Cells of lead by wave that were removed.
    r2 : float
        1 - SSE / SST of the actual change given the predicted one; below 0 the mean would have been the better guess.
    slope : float
        Of actual on predicted change, least squares; 1 where the size is right.
    rms_predicted, rms_actual : float
        Logit.
    """

    n_edits: int
    r2: float
    slope: float
    rms_predicted: float
    rms_actual: float


def cell_sums(values: NDArray[np.floating], waves: Waves) -> NDArray[np.float64]:
    """Return the sums of a map, (12, n_samples), over every lead and wave, (12, n_waves)."""
    return np.stack(
        [
            np.bincount(labels, weights=row, minlength=len(WAVE_NAMES))
            for labels, row in zip(waves.labels.astype(np.int64), values, strict=True)
        ]
    )


def removal_changes(
    logits: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    prepare: Preprocessing,
    recording: Recording,
    waves: Waves,
    levels: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return the actual change of every logit when one cell is removed: up to 84 runs of the network.

    Parameters
    ----------
    logits : callable
        The network: inputs (n, 12, L) to logits (n, K).
    prepare : Preprocessing
        From this recording to the network's input.
    recording : Recording
    waves : Waves
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.

    Returns
    -------
    ndarray of shape (12, n_waves, K)
        NaN for cells that hold no sample.
    """
    signal = bridge_gaps(recording.signal)
    x, above = prepare.forward(signal), signal - np.asarray(levels, dtype=np.float64)[:, None]
    before = logits(x[None])[0]
    changes = np.full((*signal.shape[:1], len(WAVE_NAMES), len(before)), np.nan)
    for lead in range(len(signal)):
        present = np.unique(waves.labels[lead])
        edits = np.zeros((len(present), *signal.shape))
        for place, wave in enumerate(present):
            edits[place, lead] = np.where(waves.labels[lead] == wave, -above[lead], 0.0)
        changes[lead, present] = logits(x + prepare.forward(edits)) - before
    return changes


def local_fidelity(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> LocalFidelity | None:
    """Return how well a method predicted what removing each cell does; None where there are too few cells.

    Parameters
    ----------
    predicted, actual : ndarray of shape (12, n_waves)
        Changes of one class in logit; cells that are NaN in `actual` are left out.
    """
    made = np.isfinite(actual)
    if made.sum() < LEAST_EDITS:
        return None
    changes = Changes(np.asarray(predicted)[made][:, None], np.asarray(actual)[made][:, None])
    return LocalFidelity(
        n_edits=int(made.sum()),
        r2=float(r_squared(changes)[0]),
        slope=float(slope(changes)[0]),
        rms_predicted=float(np.sqrt((changes.predicted**2).mean())),
        rms_actual=float(np.sqrt((changes.actual**2).mean())),
    )
