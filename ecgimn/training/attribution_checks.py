"""Checks of any method's explanations: noise, shift, random weights, other seeds, planted and expected evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.cells import QUICK_WAVES, cell_sums
from ecgimn.explain.intervene import LEAD_GROUPS, intervention, masks_from_landmarks
from ecgimn.leads import STANDARD_LEADS
from ecgimn.training.localisation import EXPECTED_LEADS, PLANTED
from ecgimn.training.sanity import NOISE_DB, SHIFT_SAMPLES, correlation
from ecgimn.training.subjects import Array, Case, Subject, explain_case


def ledger(subject: Subject, method: str, case: Case, *, only: int | None = None) -> Array:
    """Return a method's evidence per lead x wave cell, (K, 12, n_waves + 1)."""
    return cell_sums(explain_case(subject, method, case, only=only).attribution, case.wave)


def stability(subject: Subject, method: str, cases: list[Case], ledgers: Array, *, seed: int = 0) -> dict[str, Any]:
    """Correlate a method's ledgers with those of noisy and shifted records, of random weights and of another seed.

    Parameters
    ----------
    cases : list of Case
    ledgers : ndarray of shape (n, K, 12, n_waves + 1)
        Of these cases.

    Returns
    -------
    dict
        Mean correlation over records and classes: `noise_20_db`, `shift_80_ms` and `seeds` should be near 1 (`seeds` is
        None where there is one network), `random_weights` near 0.
    """
    rng = np.random.default_rng(seed)
    noisy = [case.edited(_noise(case, rng)) for case in cases]
    changed = subject.randomised(seed)
    other = subject.members[:2] if len(subject.members) > 1 else ()
    seeds = [np.stack([ledger(member, method, case) for case in cases]) for member in other]
    return {
        "noise_20_db": _mean_correlation(ledgers, np.stack([ledger(subject, method, case) for case in noisy])),
        "shift_80_ms": float(np.mean([_shift_agreement(subject, method, case) for case in cases])),
        "random_weights": _mean_correlation(ledgers, np.stack([ledger(changed, method, case) for case in cases])),
        "seeds": _mean_correlation(*seeds) if seeds else None,
    }


def _noise(case: Case, rng: np.random.Generator) -> Array:
    power = (case.x**2).mean() * 10 ** (-NOISE_DB / 10)
    return np.asarray(rng.standard_normal(case.x.shape) * np.sqrt(power))


def _mean_correlation(a: Array, b: Array) -> float:
    return float(correlation(a, b).mean())


def _shift_agreement(subject: Subject, method: str, case: Case) -> float:
    """Correlate, sample by sample in cells, the maps of two windows 80 ms apart where both see the same samples."""
    length = case.x.shape[-1] - 2 * SHIFT_SAMPLES
    early = explain_case(subject, method, case.window(0, length)).attribution[..., SHIFT_SAMPLES:]
    late = explain_case(subject, method, case.window(SHIFT_SAMPLES, SHIFT_SAMPLES + length)).attribution
    wave = case.wave[SHIFT_SAMPLES:length]
    sums = [cell_sums(part, wave)[None] for part in (early, late[..., : length - SHIFT_SAMPLES])]
    return float(correlation(*sums).mean())


def planted(subject: Subject, method: str, cases: list[Case], *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Plant changes in NORM records and see whether the evidence that appears lies in their leads and wave.

    `pointing`: share of records whose cell of largest growth lies in the planted leads and waves. `mass`: share of the
    growth of positive evidence that lies there. `sign`: share of records in which the evidence there grows. Plants
    whose reacting class the network does not have are left out.
    """
    rng = np.random.default_rng(seed)
    result: dict[str, dict[str, Any]] = {}
    reacting_classes = {plant[3] for plant in PLANTED.values()} & set(subject.classes)
    before = {
        name: [ledger(subject, method, case, only=subject.classes.index(name)) for case in cases]
        for name in reacting_classes
    }
    for name, (family, amount, groups, reacting, waves) in PLANTED.items():
        chosen = [groups[int(rng.integers(len(groups)))] for _ in cases]
        if reacting not in subject.classes:
            continue
        k, hits, signs, inside, total = subject.classes.index(reacting), 0, 0, 0.0, 0.0
        for case, group, untouched in zip(cases, chosen, before[reacting], strict=True):
            masks = masks_from_landmarks(case.landmarks, case.x.shape[-1])
            change = intervention(family, case.x, masks, leads=LEAD_GROUPS[group], amount=amount)
            after = case.edited(change)
            growth = (ledger(subject, method, after, only=k) - untouched)[0]
            region = LEAD_GROUPS[group][:, None] & np.isin((*QUICK_WAVES, "other"), waves)
            hits += bool(region.ravel()[growth.argmax()])
            signs += bool(growth[region].sum() > 0)
            inside += float(np.clip(growth, 0, None)[region].sum())
            total += float(np.clip(growth, 0, None).sum())
        n = len(cases)
        result[name] = {
            "class": reacting,
            "n": n,
            "pointing": round(hits / n, 4),
            "mass": round(inside / max(total, 1e-9), 4),
            "sign": round(signs / n, 4),
        }
    return result


def territory(subject: Subject, method: str, cases: dict[str, list[Case]]) -> dict[str, dict[str, Any]]:
    """Share of records with one kind of infarction whose strongest lead for MI lies in its territory."""
    if "MI" not in subject.classes:
        return {}
    k, result = subject.classes.index("MI"), {}
    for name, found in cases.items():
        leads = [STANDARD_LEADS[int(ledger(subject, method, c, only=k)[0].sum(-1).argmax())] for c in found]
        hits = [lead in EXPECTED_LEADS[name] for lead in leads]
        result[name] = {"n": len(hits), "hit": round(float(np.mean(hits)), 4) if hits else None}
    return result


def cells_for(ledgers: NDArray[np.floating], share: float = 0.9) -> float:
    """Return how many of the 60 cells hold a share of the absolute evidence: mean over classes of the median."""
    size = np.sort(np.abs(ledgers.reshape(*ledgers.shape[:2], -1)), axis=-1)[..., ::-1]
    needed = (np.cumsum(size, axis=-1) < share * size.sum(axis=-1, keepdims=True)).sum(axis=-1) + 1
    return float(np.median(needed, axis=0).mean())
