"""Reads contributions back off the colours of a picture."""

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.colours import N_STEPS


def evidence_value(index: NDArray[np.integer], limit: float, power: float = 1.0) -> NDArray[np.float64]:
    """Return the value that a row of the evidence scale stands for: `evidence_index` undone, but for its rounding."""
    steps = (np.asarray(index, dtype=np.float64) - N_STEPS) / N_STEPS
    return np.asarray(np.sign(steps) * np.abs(steps) ** (1.0 / power) * limit)
