"""Signs of disease that can be planted in a normal ECG, and the class whose logit should rise for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.intervene import FAMILIES, LEAD_GROUPS, WaveMasks, intervention
from ecgimn.sources.ptbxl import SUPERCLASSES

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
