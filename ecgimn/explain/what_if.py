"""What if the ECG were another: edits of the millivolts of the trace, and what map and network say about them.

The edit is made on the raw trace at its own rate. Its map predicts the change of the logit, `<W(x), d>`; the network
is asked again about `x + d` and gives the actual one. Electrodes, not leads, carry the heart's signal: an edit asked of
some limb leads moves the others too, by the smallest change that keeps Einthoven's and Goldberger's relations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.cable_exchange import exchange_matrix
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.intervene import WaveMasks, intervention
from ecgimn.leads import INDEPENDENT_LEADS, LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.posterior import bridge_gaps

#: Waves that can be flattened, and the mask that is brought to the isoelectric level.
FLATTENED = {"P": "p", "QRS": "qrs", "ST": "st", "T": "t"}
SEEN_MV = 0.005  # a smaller change of a lead, a twentieth of a millimetre, is not spoken of

_METRIC = np.linalg.cholesky(LIMB_FROM_I_II.T @ LIMB_FROM_I_II)  # (2, 2); the size of a change over all six limb leads


@dataclass(frozen=True)
class Bench:
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
        Cables exchanged: a key of `cable_exchange.EXCHANGES`.
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
        return replace(self, leads=STANDARD_LEADS, seed=0) == Bench()


@dataclass(frozen=True, eq=False)
class Outcome:
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
        """Change of each logit when the network is asked again, shape (K,)."""
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


def edited(recording: Recording, masks: WaveMasks, bench: Bench) -> Recording:
    """Return the recording as the bench changes it.

    In this order: waves flattened, T and QRS scaled, ST shifted, leads removed, cables exchanged, noise and drift
    added. Gaps stay gaps.

    Parameters
    ----------
    recording : Recording
    masks : WaveMasks
        Of this recording.
    bench : Bench
    """
    if bench.changes_nothing:
        return recording
    original = bridge_gaps(recording.signal)
    signal = original.copy()
    chosen = np.isin(STANDARD_LEADS, bench.leads)

    def apply(family: str, amount: float, leads: NDArray[np.bool_], on: WaveMasks = masks) -> None:
        nonlocal signal
        signal = signal + consistent_change(intervention(family, signal, on, leads=leads, amount=amount), leads)

    for wave in bench.flattened:
        apply("stt_scale", 0.0, chosen, replace(masks, stt=getattr(masks, FLATTENED[wave])))
    if bench.t_factor != 1.0:
        apply("t_scale", bench.t_factor, chosen)
    if bench.qrs_factor != 1.0:
        apply("qrs_scale", bench.qrs_factor, chosen)
    if bench.st_mv != 0.0:
        apply("st_shift", bench.st_mv, chosen)
    if bench.removed:
        apply("lead_scale", 0.0, np.isin(STANDARD_LEADS, bench.removed))
    if bench.exchanged is not None:
        signal = exchange_matrix(bench.exchanged) @ signal
    independent, rng = np.isin(STANDARD_LEADS, INDEPENDENT_LEADS), np.random.default_rng(bench.seed)
    for family, amount in (("noise", bench.noise_mv), ("drift", bench.drift_mv)):
        if amount:
            added = intervention(family, signal, masks, leads=independent, amount=amount, rng=rng)
            signal = signal + consistent_change(added, independent)
    return recording.with_signal(np.where(np.isnan(recording.signal), np.nan, signal))


def outcome(recording: Recording, before: Explanation, after_edit: Recording, after: Explanation) -> Outcome:
    """Return what an edit changed, as the original's map predicts it and as the network says.

    Raises
    ------
    ValueError
        An explanation belongs to another recording.
    """
    if (before.recording_digest, after.recording_digest) != (recording.digest, after_edit.digest):
        raise ValueError("the explanations belong to other recordings")
    change = bridge_gaps(after_edit.signal) - bridge_gaps(recording.signal)
    return Outcome(change, before, after, np.einsum("kln,ln->k", before.weights, change))


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
