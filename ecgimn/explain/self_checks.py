"""Sanity checks of the map on one recording: what must destroy it, what must move it, and what must leave it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.explain.explanation import Explanation, explain
from ecgimn.explain.rank_agreement import spearman
from ecgimn.leads import CHEST_LEADS, STANDARD_LEADS
from ecgimn.model.checkpoint import Model
from ecgimn.recording import Recording

BIN_S = 0.04  # one small square: maps are compared in sums over it, lead by lead
MOST_SHIFT_S = 0.5


@dataclass(frozen=True, eq=False)
class SelfCheck:
    """One check: two recordings, their explanations, and how alike the maps are.

    Attributes
    ----------
    before, after : Recording
        Of the same length.
    first, second : Explanation
        Of `before` by the model, and of `after` by the model or by what was made of it.
    agreement : float or None
        Spearman's rank correlation of the two maps of the class asked for, sample against the sample it should be.
    in_place : float or None
        The same, lead against lead of the same name, where leads were exchanged.
    """

    before: Recording
    after: Recording
    first: Explanation
    second: Explanation
    agreement: float | None
    in_place: float | None = None


def check_random_weights(recording: Recording, model: Model, changed: Model, class_name: str) -> SelfCheck:
    """Compare the map with that of the same network with weights drawn anew: it should not survive."""
    first, second = explain(recording, model), explain(recording, changed)
    k = first.index(class_name)
    return SelfCheck(
        recording, recording, first, second, _alike(first.attribution[k], second.attribution[k], recording.fs)
    )


def check_shuffled_leads(recording: Recording, model: Model, class_name: str, *, seed: int) -> SelfCheck:
    """Exchange the chest leads at random and explain again.

    The limb leads stay: they are bound to one another. Evidence that follows the shape of a trace moves with it; what
    the network knows of each place on the chest stays.
    """
    order = shuffled_chest(seed)
    after = recording.with_signal(recording.signal[order])
    first, second = explain(recording, model), explain(after, model)
    k = first.index(class_name)
    chest = [STANDARD_LEADS.index(lead) for lead in CHEST_LEADS]
    old, new = first.attribution[k], second.attribution[k]
    return SelfCheck(
        recording,
        after,
        first,
        second,
        agreement=_alike(old[order][chest], new[chest], recording.fs),
        in_place=_alike(old[chest], new[chest], recording.fs),
    )


def shuffled_chest(seed: int) -> NDArray[np.int64]:
    """Return rows of a 12-lead signal with the chest leads in another order; none stays in its place."""
    rng, chest = np.random.default_rng(seed), np.arange(6, 12)
    order = rng.permutation(chest)
    while (order == chest).any():
        order = rng.permutation(chest)
    return np.concatenate([np.arange(6), order])


def check_time_shift(recording: Recording, model: Model, class_name: str, *, shift_s: float) -> SelfCheck:
    """Explain a window and the same window a moment later: the map should move with the trace.

    Raises
    ------
    SignalError
        The shift leaves too little of the recording.
    """
    shift = round(shift_s * recording.fs)
    if not 0 < shift <= round(MOST_SHIFT_S * recording.fs):
        raise SignalError(f"The shift is {shift_s:g} s. More than 0 and at most {MOST_SHIFT_S:g} s is needed.")
    length = recording.n_samples - shift
    before = recording.with_signal(recording.signal[:, :length])
    after = recording.with_signal(recording.signal[:, shift:])
    first, second = explain(before, model), explain(after, model)
    k = first.index(class_name)
    same_old, same_new = first.attribution[k][:, shift:], second.attribution[k][:, : length - shift]
    return SelfCheck(before, after, first, second, _alike(same_old, same_new, recording.fs))


def _alike(first: NDArray[np.floating], second: NDArray[np.floating], fs: float) -> float | None:
    """Return the rank correlation of two maps (n_leads, n) in sums over small squares."""
    width = max(1, round(BIN_S * fs))
    n = first.shape[-1] // width * width
    sums = [part[:, :n].reshape(len(part), -1, width).sum(axis=-1) for part in (first, second)]
    return spearman(*sums)
