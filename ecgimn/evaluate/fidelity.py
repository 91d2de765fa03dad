"""Does the map predict what happens when the ECG changes? Every edit is run through the network again.

Predicted change: `<W(x), P d>`, read off the map of the unedited ECG; where a model has a term of the amplitude, its
change is added. Actual change: `f(x + d) - f(x)`. Per family and class: R2 = 1 - SSE / SST, the slope of actual on
predicted change, and their root mean squares. Signs of disease that can be planted in a normal ECG name the class whose
logit should rise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.evaluate.metrics import rounded
from ecgimn.explain.checks import Changes, fit_changes
from ecgimn.explain.edits import FAMILIES, LEAD_GROUPS, WaveMasks, intervention, masks_from_landmarks
from ecgimn.model.model import Model
from ecgimn.signal.preprocess import input_change
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.sources.ptbxl_arrays import Dataset

#: In training a sign is planted at this range of its size.
TRAINING_SIZES = (0.6, 1.2)


@dataclass(frozen=True)
class Sign:
    """One change that a cardiologist reads as a sign of disease.

    Attributes
    ----------
    family, amount
        As `intervention` takes them.
    groups : tuple of str
        Groups of leads that it is planted in, one at a time.
    reacting : str
        The superclass whose logit should rise.
    waves : tuple of str
        Waves of `QUICK_WAVES` that the change reaches.
    """

    family: str
    amount: float
    groups: tuple[str, ...]
    reacting: str
    waves: tuple[str, ...]


SIGNS: dict[str, Sign] = {
    "ST elevation +0.2 mV": Sign("st_shift", 0.2, ("anteroseptal", "inferior", "lateral"), "MI", ("st", "t", "qrs")),
    "T inversion": Sign("t_scale", -1.0, ("anterolateral", "inferior"), "STTC", ("t", "st")),
    "Q wave -0.5 mV": Sign("q_wave", -0.5, ("anteroseptal", "inferior"), "MI", ("qrs",)),
    "wide QRS": Sign("wide_qrs", 1.0, ("all",), "CD", ("qrs",)),
}


def random_sign(
    x: NDArray[np.floating], masks: WaveMasks, rng: np.random.Generator
) -> tuple[int, NDArray[np.float64], int]:
    """Plant one of `SIGNS`, at a size of `TRAINING_SIZES`; returns its family, the change and the reacting superclass.

    Family and class are indices into `FAMILIES` and `SUPERCLASSES`.
    """
    names = list(SIGNS)
    sign = SIGNS[names[rng.integers(len(names))]]
    leads = LEAD_GROUPS[sign.groups[rng.integers(len(sign.groups))]]
    change = intervention(sign.family, x, masks, leads=leads, amount=sign.amount * float(rng.uniform(*TRAINING_SIZES)))
    return FAMILIES.index(sign.family), change, SUPERCLASSES.index(sign.reacting)


BATCH = 32
TERRITORY_GROUPS = ("inferior", "lateral", "septal", "anterior")


@dataclass(frozen=True)
class Trial:
    """One family of edits as it is measured: what is done, where and how much."""

    family: str
    groups: tuple[str, ...]
    amount: float
    nuisance: bool = False


#: Families that no shipped model is trained on; they say how far a map's truth reaches beyond its training.
KEPT_OUT = ("raised_t", "raised_p")

TRIALS: dict[str, Trial] = {
    "ST +0.2 mV in a territory": Trial("st_shift", TERRITORY_GROUPS, 0.2),
    "ST -0.2 mV in a territory": Trial("st_shift", TERRITORY_GROUPS, -0.2),
    "T inverted": Trial("t_scale", (*TERRITORY_GROUPS, "all"), -1.0),
    "T flattened": Trial("t_scale", (*TERRITORY_GROUPS, "all"), 0.0),
    "ST-T flattened": Trial("stt_scale", (*TERRITORY_GROUPS, "all"), 0.0),
    "QRS halved": Trial("qrs_scale", (*TERRITORY_GROUPS, "all"), 0.5),
    "Q wave -0.3 mV": Trial("q_wave", TERRITORY_GROUPS, -0.3),
    "QRS widened": Trial("wide_qrs", ("all",), 1.0),
    "lead group removed": Trial("lead_scale", TERRITORY_GROUPS, 0.0),
    "amplitude +20 %": Trial("gain", ("all",), 1.2),
    "late R +0.3 mV": Trial("late_r", ("septal", "lateral"), 0.3),
    "P removed": Trial("p_scale", ("all",), 0.0),
    "T +0.2 mV in a territory": Trial("raised_t", TERRITORY_GROUPS, 0.2),
    "P +0.1 mV": Trial("raised_p", ("all",), 0.1),
    "smooth bumps 0.1 mV": Trial("bumps", ("all",), 0.1),
    "white noise 0.05 mV": Trial("noise", ("all",), 0.05, nuisance=True),
    "drift 0.2 mV": Trial("drift", ("all",), 0.2, nuisance=True),
}


def edited_copy(data: Dataset, index: int, trial: Trial, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return what an edit changes in a record's network input, shape (12, 982)."""
    x = data.x[index].astype(np.float64)
    masks = masks_from_landmarks(data.landmarks[index], x.shape[1])
    group = trial.groups[int(rng.integers(len(trial.groups)))]
    return intervention(trial.family, x, masks, leads=LEAD_GROUPS[group], amount=trial.amount, rng=rng)


def measure_changes(model: Model, data: Dataset, trial: Trial, *, seed: int = 0) -> Changes:
    """Return predicted and actual changes of every record under one family of edits."""
    rng = np.random.default_rng(seed)
    predicted, actual = [], []
    for start in range(0, len(data), BATCH):
        chosen = range(start, min(start + BATCH, len(data)))
        x = data.x[start : start + BATCH].astype(np.float64)
        change = input_change(np.stack([edited_copy(data, i, trial, rng) for i in chosen]))
        maps, before = model.weight_maps(x)
        constant = model.constant(x + change) - model.constant(x)  # 0 but for a term of the amplitude
        predicted.append(np.einsum("nklt,nlt->nk", maps, change) + constant)
        actual.append(model.logits(x + change) - before)
    return Changes(np.concatenate(predicted), np.concatenate(actual))


def fidelity(model: Model, data: Dataset, *, points: int = 0) -> dict[str, Any]:
    """Measure every trial; returns plain values for JSON, with some points per family and class for a scatter plot."""
    seen = model.card.training.get("objective", {}).get("edits", {})
    result: dict[str, Any] = {}
    for name, trial in TRIALS.items():
        changes = measure_changes(model, data, trial)
        row: dict[str, Any] = {
            "in_training": trial.family in seen,
            "nuisance": trial.nuisance,
            "rms_actual": rounded(np.sqrt((changes.actual**2).mean(axis=0))),
            "rms_predicted": rounded(np.sqrt((changes.predicted**2).mean(axis=0))),
        }
        if not trial.nuisance:
            fit = fit_changes(changes)
            row["r2"], row["slope"] = rounded(fit.r2[0]), rounded(fit.slope[0])
        if points and not trial.nuisance:
            row["points"] = [
                [rounded(changes.predicted[:points, k]), rounded(changes.actual[:points, k])]
                for k in range(changes.actual.shape[1])
            ]
        result[name] = row
    return result
