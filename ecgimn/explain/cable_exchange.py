"""Exchanged cables: what the twelve leads become when two electrodes are plugged into each other's place.

Leads are differences of electrode potentials, so an exchange is one matrix over the leads. Limb leads follow from the
exchanged potentials; chest leads are taken against the mean of RA, LA and LL (Wilson), which moves only when the right
leg takes part. The right leg's potential is taken for the left leg's, as it nearly is
(doi:10.5195/ijms.2014.95, PMC6932211).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import CHEST_LEADS, LIMB_FROM_I_II, lead_index

#: Electrode potentials as combinations of I and II, with the right arm as zero.
_POTENTIALS: dict[str, tuple[float, float]] = {"RA": (0, 0), "LA": (1, 0), "LL": (0, 1), "RL": (0, 1)}
_TERMINAL = ("RA", "LA", "LL")  # Wilson's central terminal is their mean

#: What the reader may exchange, by name: limb cables first, then every pair of chest electrodes.
EXCHANGES: dict[str, tuple[str, str]] = {
    f"{first} and {second}": (first, second)
    for first, second in (
        ("RA", "LA"),
        ("RA", "LL"),
        ("LA", "LL"),
        ("RA", "RL"),
        ("LA", "RL"),
        *combinations(CHEST_LEADS, 2),
    )
}


def exchange_matrix(name: str) -> NDArray[np.float64]:
    """Return the (12, 12) matrix that turns the leads as they should be into the leads with two cables exchanged.

    Parameters
    ----------
    name : str
        A key of `EXCHANGES`.

    Raises
    ------
    ValueError
        There is no such exchange.
    """
    if name not in EXCHANGES:
        raise ValueError(f"name is {name!r}; one of {', '.join(EXCHANGES)} is needed")
    first, second = EXCHANGES[name]
    if first in CHEST_LEADS:
        matrix = np.eye(12)
        rows = [lead_index(first), lead_index(second)]
        matrix[rows] = matrix[rows[::-1]]
        return matrix
    right = {electrode: np.array(value, dtype=np.float64) for electrode, value in _POTENTIALS.items()}
    wrong = right | {first: right[second], second: right[first]}
    matrix = np.zeros((12, 12))
    matrix[:6, :2] = LIMB_FROM_I_II @ np.stack([wrong["LA"] - wrong["RA"], wrong["LL"] - wrong["RA"]])
    matrix[6:, 6:] = np.eye(6)
    matrix[6:, :2] = np.mean([right[place] - wrong[place] for place in _TERMINAL], axis=0)
    return matrix
