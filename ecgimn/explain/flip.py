"""The smallest ST change that flips a call: how far ST would have to move for the model to decide otherwise.

The network is re-run; the map's own prediction stands beside it. Both directions are sought on a coarse grid first and
narrowed by bisection, because the network's answer need not be monotonic in ST.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.explanation import Explanation
from ecgimn.explain.intervene import WaveMasks, intervention
from ecgimn.explain.what_if import consistent_change
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.posterior import bridge_gaps

if TYPE_CHECKING:
    from ecgimn.model.checkpoint import Model

LIMIT_MV = 0.5  # beyond five millimetres an edited ST no longer looks like an ECG
STEP_MV = 0.01  # a tenth of a millimetre, finer than a reader sees
COARSE_STEPS = 5  # of `STEP_MV`: every half millimetre is asked, a flip and back within one is not seen


@dataclass(frozen=True)
class Flip:
    """Where the call flips in one direction.

    Attributes
    ----------
    network_mv : float or None
        Smallest ST change found with the network re-run, in whole hundredths of a mV with its sign; None: no flip
        within ±`LIMIT_MV`.
    map_mv : float or None
        ST change at which the map of the original alone would cross the threshold; None: not within ±`LIMIT_MV`.
    farthest_probability : float
        The probability with the network re-run at `network_mv`, or at the limit where there is no flip.
    """

    network_mv: float | None
    map_mv: float | None
    farthest_probability: float


@dataclass(frozen=True)
class FlipSearch:
    """What ST change flips the call of a class in a group of leads.

    Attributes
    ----------
    class_name : str
    leads : tuple of str
    threshold : float
        On the probability; the class is called at or above it.
    called : bool
        Whether the original is called.
    probability : float
        Of the original.
    raised, lowered : Flip
    """

    class_name: str
    leads: tuple[str, ...]
    threshold: float
    called: bool
    probability: float
    raised: Flip
    lowered: Flip


def smallest_st_change(
    model: Model,
    recording: Recording,
    masks: WaveMasks,
    explanation: Explanation,
    class_name: str,
    *,
    threshold: float,
    leads: tuple[str, ...],
) -> FlipSearch:
    """Search the smallest shift of ST in some leads that moves a class across its threshold.

    About 26 runs of the network; other limb leads follow as in `what_if.consistent_change`.

    Parameters
    ----------
    model : Model
    recording : Recording
        At most 10 s.
    masks : WaveMasks
        Of the recording; only `st` is used.
    explanation : Explanation
        Of the recording, by the model.
    class_name : str
    threshold : float
        On the probability.
    leads : tuple of str
    """
    chosen = np.isin(STANDARD_LEADS, leads)
    signal = bridge_gaps(recording.signal)
    unit = consistent_change(intervention("st_shift", signal, masks, leads=chosen, amount=1.0), chosen)
    prepare = model.preprocessing(recording.fs, recording.n_samples)
    x, dx, k = prepare.forward(signal), prepare.forward(unit), explanation.index(class_name)

    def probabilities(steps: NDArray[np.int64]) -> NDArray[np.float64]:
        logits = model.logits(x + (STEP_MV * steps)[:, None, None] * dx)[:, k]
        return np.asarray(expit(logits))

    n_steps = round(LIMIT_MV / STEP_MV)
    grid = np.arange(-n_steps, n_steps + 1, COARSE_STEPS)
    answers = dict(zip(grid.tolist(), probabilities(grid).tolist(), strict=True))
    called = answers[0] >= threshold
    slope = float((explanation.weights[k] * unit).sum())
    crossing = _linear_crossing(float(explanation.logit[k]), slope, threshold)

    def search(sign: int) -> Flip:
        predicted = crossing if crossing is not None and crossing * sign > 0 else None
        inside, outside = 0, None
        for step in range(COARSE_STEPS, n_steps + 1, COARSE_STEPS):
            if (answers[sign * step] >= threshold) != called:
                outside = step
                break
            inside = step
        if outside is None:
            return Flip(None, predicted, answers[sign * n_steps])
        found = answers[sign * outside]
        while outside - inside > 1:
            middle = (inside + outside) // 2
            here = float(probabilities(np.array([sign * middle]))[0])
            if (here >= threshold) != called:
                outside, found = middle, here
            else:
                inside = middle
        return Flip(round(sign * outside * STEP_MV, 2), predicted, found)

    return FlipSearch(class_name, tuple(leads), threshold, called, answers[0], search(1), search(-1))


def _linear_crossing(logit: float, slope: float, threshold: float) -> float | None:
    """ST change in mV at which `logit + slope * change` meets the threshold; None beyond the limit or for no slope."""
    if not 0.0 < threshold < 1.0 or slope == 0.0:
        return None
    change = (math.log(threshold / (1.0 - threshold)) - logit) / slope
    return change if abs(change) <= LIMIT_MV else None
