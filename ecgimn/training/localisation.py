"""Does the evidence lie where cardiologists look? Territories of infarction, waves by class, planted changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.cells import QUICK_WAVES
from ecgimn.explain.intervene import LEAD_GROUPS, intervention, masks_from_landmarks
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.checkpoint import Model
from ecgimn.signal.preprocess import input_change
from ecgimn.training.dataset import SUBCLASSES, SUPERCLASSES, Dataset
from ecgimn.training.sanity import quick_ledgers
from ecgimn.training.signs import SIGNS

#: Leads in which evidence for each kind of infarction is expected (CLINICAL teaching convention).
EXPECTED_LEADS = {
    "AMI": ("V1", "V2", "V3", "V4", "V5"),
    "IMI": ("II", "III", "aVF"),
    "LMI": ("I", "aVL", "V5", "V6"),
}


def territory_hits(model: Model, data: Dataset, ledgers: NDArray[np.floating], *, threshold: float) -> dict[str, Any]:
    """Share of AMI, IMI and LMI records called MI whose strongest MI lead lies in the expected territory."""
    mi = model.classes.index("MI")
    called = expit(model.logits(data.x)[:, mi]) >= threshold
    by_lead = ledgers[:, mi].sum(axis=-1)
    result: dict[str, Any] = {}
    for name, expected in EXPECTED_LEADS.items():
        chosen = called & (data.labels["subclass"][:, SUBCLASSES.index(name)] == 1)
        if name != "LMI":  # a case with both anterior and inferior infarction has no single territory
            other = "IMI" if name == "AMI" else "AMI"
            chosen &= data.labels["subclass"][:, SUBCLASSES.index(other)] == 0
        strongest = np.array(STANDARD_LEADS)[by_lead[chosen].argmax(axis=1)] if chosen.any() else np.array([])
        positive = np.clip(by_lead[chosen], 0, None)
        inside = positive[:, np.isin(STANDARD_LEADS, expected)].sum(1) / np.maximum(positive.sum(1), 1e-9)
        result[name] = {
            "n": int(chosen.sum()),
            "hit": round(float(np.isin(strongest, expected).mean()), 4) if chosen.any() else None,
            "chance": round(len(expected) / 12, 4),
            "share_of_positive_evidence": round(float(inside.mean()), 4) if chosen.any() else None,
            "strongest_lead": {
                lead: int((strongest == lead).sum()) for lead in STANDARD_LEADS if (strongest == lead).any()
            },
        }
    return result


def wave_shares(data: Dataset, ledgers: NDArray[np.floating]) -> dict[str, dict[str, float]]:
    """Mean share of absolute lead x wave evidence per wave, over the records that carry each superclass."""
    waves = (*QUICK_WAVES, "other")
    result = {}
    for k, name in enumerate(SUPERCLASSES):
        chosen = np.abs(ledgers[data.labels["superclass"][:, k] == 1, k])
        share = chosen.sum(axis=1) / chosen.sum(axis=(1, 2))[:, None]
        result[name] = {wave: round(float(v), 4) for wave, v in zip(waves, share.mean(axis=0), strict=True)}
    return result


def planted_evidence(model: Model, data: Dataset, *, limit: int = 200, seed: int = 0) -> dict[str, Any]:
    """Plant a change in NORM records and see whether the evidence that appears lies in its leads and wave.

    `pointing`: the cell (lead x wave) whose evidence grew most lies in the planted leads and wave. `mass`: share of the
    growth of positive evidence that lies there. `sign`: the logit of the class that should react rises.
    """
    normal = np.flatnonzero(data.norm_alone)[:limit]
    rng = np.random.default_rng(seed)
    part = data.select(normal)
    before, logit_before = quick_ledgers(model, part), model.logits(part.x)
    result: dict[str, Any] = {}
    for name, sign in SIGNS.items():
        k = model.classes.index(sign.reacting)
        chosen = [sign.groups[int(rng.integers(len(sign.groups)))] for _ in normal]
        x = part.x.astype(np.float64)
        for i, group in enumerate(chosen):
            masks = masks_from_landmarks(part.landmarks[i], x.shape[-1])
            change = intervention(sign.family, x[i], masks, leads=LEAD_GROUPS[group], amount=sign.amount)
            x[i] += input_change(change)
        edited = part.with_x(x)
        growth = (quick_ledgers(model, edited) - before)[:, k]
        wave_mask = np.isin((*QUICK_WAVES, "other"), sign.waves)
        region = np.stack([LEAD_GROUPS[group][:, None] & wave_mask for group in chosen])
        top = growth.reshape(len(growth), -1).argmax(axis=1)
        positive = np.clip(growth, 0, None)
        result[name] = {
            "class": sign.reacting,
            "n": len(normal),
            "pointing": round(float(region.reshape(len(growth), -1)[np.arange(len(growth)), top].mean()), 4),
            "mass": round(float((positive * region).sum() / max(positive.sum(), 1e-9)), 4),
            "sign": round(float((model.logits(edited.x)[:, k] > logit_before[:, k]).mean()), 4),
        }
    return result
