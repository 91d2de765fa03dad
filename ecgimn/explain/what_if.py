"""What if the ECG were different: edits of the trace, swapped electrodes, the smallest ST change that changes the call.

The edit is made on the raw trace at its own rate. The map predicts the change of the logit, `<W(x), d>`; the network is
re-run on `x + d` and gives the actual one. Electrodes, not leads, carry the heart's signal: an edit of some limb leads
moves the others too, by the smallest change that keeps Einthoven's and Goldberger's relations.

Leads are differences of electrode potentials, so swapping two electrodes is one matrix over the leads. Limb leads
follow from the swapped potentials; chest leads are taken against the mean of RA, LA and LL (Wilson), which moves only
when the right leg takes part. The right leg's potential is taken for the left leg's, as it nearly is
(doi:10.5195/ijms.2014.95, PMC6932211).

The smallest ST change is sought in both directions on a coarse grid first and narrowed by bisection, because the
network's answer need not be monotonic in ST.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.edits import WaveMasks, intervention
from ecgimn.explain.explanation import Explanation
from ecgimn.leads import CHEST_LEADS, INDEPENDENT_LEADS, LIMB_FROM_I_II, STANDARD_LEADS, lead_index
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.beat import same_beat

if TYPE_CHECKING:
    from ecgimn.model.model import Model
    from ecgimn.signal.reading import SignalReading


#: Electrode potentials as combinations of I and II, with the right arm as zero.
_POTENTIALS: dict[str, tuple[float, float]] = {"RA": (0, 0), "LA": (1, 0), "LL": (0, 1), "RL": (0, 1)}
_TERMINAL = ("RA", "LA", "LL")  # Wilson's central terminal is their mean

#: What the reader may exchange, by name: limb electrodes first, then every pair of chest electrodes.
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
    """Return the (12, 12) matrix that turns the leads as they should be into the leads with two electrodes swapped.

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


#: Waves that can be flattened, and the mask that is brought to the isoelectric level.
FLATTENED = {"P": "p", "QRS": "qrs", "ST": "st", "T": "t"}
SEEN_MV = 0.005  # a smaller change of a lead, a twentieth of a millimetre, is not spoken of

_METRIC = np.linalg.cholesky(LIMB_FROM_I_II.T @ LIMB_FROM_I_II)  # (2, 2); the size of a change over all six limb leads


@dataclass(frozen=True)
class Edit:
    """What is changed about an ECG; the default changes nothing.

    Attributes
    ----------
    leads : tuple of str
        Leads whose waves are changed.
    st_mv : float
        Added to ST, in mV.
    t_factor, qrs_factor : float
        T and QRS about the isoelectric level times this; -1 turns a wave over.
    flattened : tuple of str
        Waves, keys of `FLATTENED`, brought to the isoelectric level.
    removed : tuple of str
        Leads brought to their isoelectric level for the whole recording.
    exchanged : str or None
        Electrodes swapped: a key of `EXCHANGES`.
    noise_mv, drift_mv : float
        White noise (root mean square) and slow sine drift (amplitude) added to I, II and V1 to V6, in mV.
    seed : int
        Of noise and drift, so that the same settings give the same ECG.
    """

    leads: tuple[str, ...] = STANDARD_LEADS
    st_mv: float = 0.0
    t_factor: float = 1.0
    qrs_factor: float = 1.0
    flattened: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    exchanged: str | None = None
    noise_mv: float = 0.0
    drift_mv: float = 0.0
    seed: int = 0

    @property
    def changes_nothing(self) -> bool:
        """Whether these settings leave every ECG as it is."""
        return replace(self, leads=STANDARD_LEADS, seed=0) == Edit()


@dataclass(frozen=True, eq=False)
class EditResult:
    """What an edit does to the model's answer.

    Attributes
    ----------
    change : ndarray of shape (12, n_samples)
        In mV, edited minus original.
    before, after : Explanation
        Of the original and, network re-run, of the edited ECG.
    predicted : ndarray of shape (K,)
        Change of each logit that the original's map alone predicts.
    """

    change: NDArray[np.float64]
    before: Explanation
    after: Explanation
    predicted: NDArray[np.float64]

    @property
    def actual(self) -> NDArray[np.float64]:
        """Change of each logit when the network is re-run, shape (K,)."""
        return np.asarray(self.after.logit - self.before.logit)


def consistent_change(change: NDArray[np.floating], leads: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the change that does to some leads what is asked and leaves the limb leads consistent.

    Over the limb leads asked for, the change is met as closely as two free leads allow (least squares; exactly for the
    inferior and the high lateral leads); among the changes that do, the one that moves all six least is taken.

    Parameters
    ----------
    change : ndarray of shape (12, n_samples)
        In mV; rows outside `leads` are not looked at.
    leads : ndarray of shape (12,), bool

    Returns
    -------
    ndarray of shape (12, n_samples)
    """
    change = np.asarray(change, dtype=np.float64)
    made = np.where(leads[:, None], change, 0.0)
    limb = leads[:6]
    if limb.any():
        scaled = np.linalg.solve(_METRIC, LIMB_FROM_I_II[limb].T).T  # rows asked for, in units of equal size
        i_ii = np.linalg.solve(_METRIC.T, np.linalg.pinv(scaled) @ change[:6][limb])
        made[:6] = LIMB_FROM_I_II @ i_ii
    return made


def edited(recording: Recording, masks: WaveMasks, edit: Edit) -> Recording:
    """Return the recording as the edit changes it.

    In this order: waves flattened, T and QRS scaled, ST shifted, leads removed, electrodes swapped, noise and drift
    added. Gaps stay gaps.

    Parameters
    ----------
    recording : Recording
    masks : WaveMasks
        Of this recording.
    edit : Edit
    """
    if edit.changes_nothing:
        return recording
    original = bridge_gaps(recording.signal)
    signal = original.copy()
    chosen = np.isin(STANDARD_LEADS, edit.leads)

    def apply(family: str, amount: float, leads: NDArray[np.bool_], on: WaveMasks = masks) -> None:
        nonlocal signal
        signal = signal + consistent_change(intervention(family, signal, on, leads=leads, amount=amount), leads)

    for wave in edit.flattened:
        apply("stt_scale", 0.0, chosen, replace(masks, stt=getattr(masks, FLATTENED[wave])))
    if edit.t_factor != 1.0:
        apply("t_scale", edit.t_factor, chosen)
    if edit.qrs_factor != 1.0:
        apply("qrs_scale", edit.qrs_factor, chosen)
    if edit.st_mv != 0.0:
        apply("st_shift", edit.st_mv, chosen)
    if edit.removed:
        apply("lead_scale", 0.0, np.isin(STANDARD_LEADS, edit.removed))
    if edit.exchanged is not None:
        signal = exchange_matrix(edit.exchanged) @ signal
    independent, rng = np.isin(STANDARD_LEADS, INDEPENDENT_LEADS), np.random.default_rng(edit.seed)
    for family, amount in (("noise", edit.noise_mv), ("drift", edit.drift_mv)):
        if amount:
            added = intervention(family, signal, masks, leads=independent, amount=amount, rng=rng)
            signal = signal + consistent_change(added, independent)
    return recording.with_signal(np.where(np.isnan(recording.signal), np.nan, signal))


def reading_of_edit(reading: SignalReading, other: Recording) -> SignalReading:
    """Return the reading of an edited ECG: its own median beat between the borders of the original, not measured.

    Parameters
    ----------
    reading : SignalReading
        Of the original.
    other : Recording
        The edited ECG.
    """
    measured = reading.measurements
    if measured is not None:
        beat = same_beat(measured.beat, other)
        measured = replace(measured, st=(), t_waves=(), beat=beat, reason="An edited ECG is not measured.")
    return replace(reading, recording=other, measurements=measured, findings=None)


def outcome(recording: Recording, before: Explanation, after_edit: Recording, after: Explanation) -> EditResult:
    """Return what an edit changed, as the original's map predicts it and as the network says.

    Raises
    ------
    ValueError
        An explanation belongs to another recording.
    """
    if (before.recording_digest, after.recording_digest) != (recording.digest, after_edit.digest):
        raise ValueError("the explanations belong to other recordings")
    change = bridge_gaps(after_edit.signal) - bridge_gaps(recording.signal)
    return EditResult(change, before, after, np.einsum("kln,ln->k", before.weights, change))


def st_change_mv(change: NDArray[np.floating], masks: WaveMasks) -> dict[str, float]:
    """Return by how many mV ST was moved in each lead that moved: the mean where the ST mask is full."""
    moved = {}
    for row, lead in enumerate(STANDARD_LEADS):
        full = np.broadcast_to(masks.st, change.shape)[row] > 1.0 - 1e-3
        if full.any() and abs(value := float(change[row, full].mean())) >= SEEN_MV:
            moved[lead] = value
    return moved


def leads_that_follow(change: NDArray[np.floating], asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the leads that an edit moved although they were not asked for."""
    moved = np.abs(change).max(axis=1) >= SEEN_MV
    return tuple(lead for lead, here in zip(STANDARD_LEADS, moved, strict=True) if here and lead not in asked)


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
