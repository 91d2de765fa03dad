"""Signs of swapped cables. "Possible lead reversal" is a hint; nothing is corrected silently.

Signs after Rosen et al. (doi:10.5195/ijms.2014.95) and Batchvarov et al. (PMC6932211); the margins are project
choices, set so that fewer than 3 in 100 normal PTB-XL records raise a hint.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import CHEST_LEADS, lead_index
from ecgimn.recording import Recording
from ecgimn.signal.measure import Measurements
from ecgimn.signal.waves import Waves

P_MV = 0.02  # a P wave below this has no sure direction
FLAT_MV = 0.06  # peak to peak of P, QRS and T in a lead between a leg and the right leg
CLEAR_QRS_MV = 0.4  # the other limb leads must show a clear QRS for one of them to stand out as flat
SWAP_GAIN = 0.25  # share by which exchanging two chest leads must smooth the row V1-V6


def p_amplitudes(measurements: Measurements) -> NDArray[np.float64]:
    """Largest departure of P from the line between its ends, signed, in mV per lead; NaN where P was not found."""
    beat = measurements.beat
    found = np.full(12, np.nan)
    if beat.signal is None or not np.isfinite(beat.common["p_onset"] + beat.common["p_offset"]):
        return found
    first, last = int(beat.common["p_onset"]), int(beat.common["p_offset"])
    if first < 0 or last - first < 3:
        return found
    span = beat.signal[:, first:last]
    chord = np.linspace(span[:, 0], span[:, -1], last - first, axis=1)
    away = span - chord
    at = np.argmax(np.abs(away), axis=1)
    return np.asarray(away[np.arange(12), at])


def _qrs_t(measurements: Measurements) -> NDArray[np.float64]:
    """QRS and T of the median beat against the PQ level, shape (12, n)."""
    beat = measurements.beat
    if beat.signal is None:
        return np.empty((12, 0))
    level = np.array([st.reference_mv for st in measurements.st])
    first = int(beat.common["qrs_onset"])
    stop = beat.common["t_offset"]
    last = int(stop) if np.isfinite(stop) else first + round(0.4 * beat.fs)
    return np.asarray(beat.signal[:, first:last] - level[:, None])


def _limb_hints(measurements: Measurements, p: NDArray[np.float64], trace: NDArray[np.float64]) -> list[str]:
    beat = measurements.beat
    length = int(beat.common["qrs_offset"] - beat.common["qrs_onset"]) + 1
    whole = (
        np.zeros(12)
        if beat.signal is None
        else np.ptp(beat.signal[:, : int(beat.common["qrs_onset"]) + trace.shape[1]], axis=1)
    )
    qrs = trace[:, :length]
    net, swing = qrs.sum(axis=1) / beat.fs, np.ptp(qrs, axis=1)
    at = {lead: lead_index(lead) for lead in ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V6")}

    def negative_p(lead: str) -> bool:
        return bool(p[at[lead]] < -P_MV)

    def positive_p(lead: str) -> bool:
        return bool(p[at[lead]] > P_MV)

    hints = []
    apart = trace - trace.mean(axis=1, keepdims=True)
    unlike_v6 = float(apart[at["I"]] @ apart[at["V6"]]) < 0
    no_p = not np.isfinite(p).any()
    legs = negative_p("II") and not positive_p("aVF")
    if net[at["I"]] < 0 < net[at["aVR"]] and not legs and (negative_p("I") or (no_p and unlike_v6)):
        shrinking = swing[at["V6"]] < 0.5 * swing[at["V1"]]
        other = " or dextrocardia (QRS shrinks towards V6)" if shrinking else ""
        hints.append(
            f"Possible lead reversal: left arm and right arm{other}; P and QRS point down in I, and QRS up in aVR."
        )
    elif net[at["II"]] < 0 < net[at["aVR"]] and negative_p("II") and positive_p("aVR"):
        hints.append("Possible lead reversal: right arm and left leg; P and QRS point down in II and up in aVR.")
    elif whole[at["II"]] < FLAT_MV and min(swing[at["I"]], swing[at["III"]]) > CLEAR_QRS_MV:
        hints.append("Possible lead reversal: right arm and right leg; II is nearly flat.")
    elif whole[at["III"]] < FLAT_MV and min(swing[at["I"]], swing[at["II"]]) > CLEAR_QRS_MV:
        hints.append("Possible lead reversal: left arm and right leg; III is nearly flat.")
    elif (
        p[at["I"]] > p[at["II"]] + P_MV
        and negative_p("III")
        and net[at["III"]] < 0 < net[at["aVL"]]
        and trace[at["III"], length:].min() < -0.1
    ):
        hints.append("Possible lead reversal: left arm and left leg; P is larger in I than in II, and III points down.")
    return hints


def _chest_hint(trace: NDArray[np.float64]) -> list[str]:
    """Two neighbours among V1-V6 whose exchange would make the row much smoother, with a dip of R between them."""
    chest = trace[[lead_index(lead) for lead in CHEST_LEADS]]
    highest = chest.max(axis=1)

    def roughness(rows: NDArray[np.float64]) -> float:
        return float(np.sqrt(np.square(np.diff(rows, axis=0)).mean(axis=1)).sum())

    before = roughness(chest)
    best: tuple[float, int] = (0.0, -1)
    for k in range(5):
        order = list(range(6))
        order[k], order[k + 1] = order[k + 1], order[k]
        gain = (before - roughness(chest[order])) / max(before, 1e-9)
        dip = any(highest[j] < min(highest[j - 1], highest[j + 1]) for j in (k, k + 1) if 0 < j < 5)
        if dip and gain > best[0]:
            best = (gain, k)
    gain, k = best
    if gain < SWAP_GAIN:
        return []
    return [f"Possible lead reversal: {CHEST_LEADS[k]} and {CHEST_LEADS[k + 1]}; R dips and recovers along V1-V6."]


def possible_lead_reversal(recording: Recording, waves: Waves, measurements: Measurements) -> tuple[str, ...]:
    """Hints at swapped cables, each one sentence; empty when there are none or nothing can be measured.

    Parameters
    ----------
    recording : Recording
    waves : Waves
    measurements : Measurements
    """
    trace = _qrs_t(measurements)
    if not measurements.st or trace.shape[1] < 4 or not np.isfinite(trace).all():
        return ()
    return (*_limb_hints(measurements, p_amplitudes(measurements), trace), *_chest_hint(trace))
