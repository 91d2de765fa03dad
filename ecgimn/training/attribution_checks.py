"""Checks of explanations: under noise and shift, of random weights, between seeds, and where infarctions show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgimn.explain.cells import cell_sums
from ecgimn.leads import STANDARD_LEADS
from ecgimn.training.localisation import EXPECTED_LEADS
from ecgimn.training.metrics import patient_weights, ratio_estimate
from ecgimn.training.sanity import NOISE_DB, SHIFT_SAMPLES, correlation
from ecgimn.training.subjects import Array, Case, Explained, explain_case

Figure = list[float | None]  # value, and the ends of its interval


def mean_over(cases: Sequence[Case], values: ArrayLike) -> Figure:
    """Return the mean of one value per case with its interval over patients; without cases, nothing."""
    if not cases:
        return [None] * 3
    weights = patient_weights(np.array([case.patient for case in cases]))
    return ratio_estimate(np.asarray(values, dtype=np.float64), np.ones(len(cases)), weights).as_list()


def stability(explained: Explained, cases: list[Case], *, seed: int = 0) -> dict[str, Figure]:
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

    def against(other: Explained, theirs: list[Case], mine: Array = ledgers) -> Figure:
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


def _noise(case: Case, rng: np.random.Generator) -> Array:
    power = (case.x**2).mean() * 10 ** (-NOISE_DB / 10)
    return np.asarray(rng.standard_normal(case.x.shape) * np.sqrt(power))


def _shift_agreement(explained: Explained, case: Case) -> float:
    """Correlate, in cells, the map of a record with that of its part from 80 ms on, where both see the same samples."""
    late = case.window(SHIFT_SAMPLES, case.x.shape[-1])
    there = explain_case(explained.subject, explained.method, late).attribution
    here, wave = explained.attribution(case)[..., SHIFT_SAMPLES:], case.wave[SHIFT_SAMPLES:]
    return float(correlation(cell_sums(here, wave)[None], cell_sums(there, wave)[None]).mean())


def territory(explained: Explained, cases: dict[str, list[Case]]) -> dict[str, Any]:
    """Share of records with one kind of infarction whose strongest lead for MI lies in its territory.

    Returns
    -------
    dict
        One entry per kind with `n` and `hit`, and `all` together; empty where the network does not know MI.
    """
    if "MI" not in explained.subject.classes:
        return {}
    k, result = explained.subject.classes.index("MI"), {}
    everyone: list[Case] = []
    every_hit: list[bool] = []
    for name, found in cases.items():
        leads = [STANDARD_LEADS[int(explained.of_class(case, k).sum(-1).argmax())] for case in found]
        hits = [lead in EXPECTED_LEADS[name] for lead in leads]
        result[name] = {"n": len(hits), "hit": mean_over(found, hits)}
        everyone, every_hit = everyone + found, every_hit + hits
    return {**result, "all": {"n": len(every_hit), "hit": mean_over(everyone, every_hit)}}


def cells_for(ledgers: NDArray[np.floating], share: float = 0.9) -> NDArray[np.float64]:
    """Return how many of the 60 cells hold a share of the absolute evidence: (n, K, 12, 5) to (n,), mean of classes."""
    size = np.sort(np.abs(ledgers.reshape(*ledgers.shape[:2], -1)), axis=-1)[..., ::-1]
    needed = (np.cumsum(size, axis=-1) < share * size.sum(axis=-1, keepdims=True)).sum(axis=-1) + 1
    return np.asarray(needed.mean(axis=1), dtype=np.float64)
