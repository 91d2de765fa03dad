"""What makes ST and T secondary (bundle branch block, pre-excitation, pacing, voltage); signs of swapped electrodes.

Block criteria: AHA/ACCF/HRS 2009, part III (doi:10.1016/j.jacc.2008.12.013); voltage: part V
(doi:10.1016/j.jacc.2008.12.015). They are screens that withhold verdicts, not diagnoses. Signs of swapped electrodes
after Rosen et al. (doi:10.5195/ijms.2014.95) and Batchvarov et al. (PMC6932211); their margins are project choices.
How often each swap is suspected in normal records is counted by `python -m ecgimn reversals`: docs/criteria.md.
Left arm and left leg swapped look like another normal ECG, and V5 and V6 look alike. Nothing is corrected silently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import CHEST_LEADS, lead_index
from ecgimn.recording import Recording, Sex, bridge_gaps
from ecgimn.signal.criteria import CORNELL_UV, SOKOLOW_LYON_UV, WIDE_QRS_MS
from ecgimn.signal.measure import Measurements, QrsShape, SlowStart, whole_microvolts
from ecgimn.signal.waves.find import Waves

BROAD_R_MS = 80.0  # project choice for "broad R"
BROAD_S_MS = 40.0  # S wider than this, or than R, in I and V6 (part III)
PREEXCITATION_PR_MS, PREEXCITATION_QRS_MS = 120.0, 110.0
#: A delta wave (project choice, set on folds 1 to 9): QRS begins this slowly, and so soon after the onset of P. The
#: wave finder begins QRS behind a delta wave, so that PR alone is too long.
DELTA_MS, DELTA_PR_MS = 40.0, 150.0
MIN_FS_FOR_SPIKES = 400.0  # Hz; a 1-2 ms spike is not resolved below
SPIKE_LEADS = ("II", "V1", "V2", "V3", "V5")
MIN_SPIKE_LEADS = 2
SPIKE_BEFORE_S, SPIKE_AFTER_S = 0.3, 0.1  # of QRS onset
SPIKE_AGREEMENT_S = 0.01  # between leads
SPIKE_S, SPIKE_SURROUND_S, SPIKE_STEEPNESS = 0.008, 0.032, 0.8  # see `_there_and_back`
MIN_PACED_BEATS = 3


@dataclass(frozen=True)
class Voltages:
    """Sums of the voltage screens in microvolts."""

    sokolow_lyon_uv: int
    cornell_uv: int

    def met(self, sex: Sex) -> tuple[str, ...]:
        """Names of the screens that are met."""
        names = []
        if self.sokolow_lyon_uv >= SOKOLOW_LYON_UV:
            names.append("Sokolow-Lyon")
        if self.cornell_uv > CORNELL_UV[sex]:
            names.append("Cornell")
        return tuple(names)


def voltages(shapes: dict[str, QrsShape]) -> Voltages:
    """SV1 + max(RV5, RV6), and RaVL + SV3, from the QRS of each lead."""
    sokolow = -shapes["V1"].deepest_s_mv + max(shapes["V5"].highest_r_mv, shapes["V6"].highest_r_mv)
    cornell = shapes["aVL"].highest_r_mv - shapes["V3"].deepest_s_mv
    return Voltages(whole_microvolts(sokolow), whole_microvolts(cornell))


def is_lbbb(qrs_ms: float, shapes: dict[str, QrsShape]) -> bool:
    """QRS >= 120 ms with a broad R in I or aVL and in V5 or V6, no q in I, V5 and V6, and no R' in V1."""
    if round(qrs_ms) < WIDE_QRS_MS:
        return False

    def broad(lead: str) -> bool:
        shape = shapes[lead]
        return shape.r_ms + shape.r2_ms >= BROAD_R_MS and shape.highest_r_mv > -shape.s_mv

    no_q = all(shapes[lead].q_mv == 0.0 and shapes[lead].r_mv > 0.0 for lead in ("I", "V5", "V6"))
    falls_in_v1 = -shapes["V1"].deepest_s_mv > shapes["V1"].highest_r_mv
    return (broad("I") or broad("aVL")) and (broad("V5") or broad("V6")) and no_q and falls_in_v1


def is_rbbb(qrs_ms: float, shapes: dict[str, QrsShape]) -> bool:
    """QRS >= 120 ms with rsR' (or a QRS that ends upright) in V1 or V2 and a broad S in I and V6."""
    if round(qrs_ms) < WIDE_QRS_MS:
        return False
    late_r = any(
        (shapes[lead].r2_mv > shapes[lead].r_mv > 0)
        or (shapes[lead].last_is_positive and shapes[lead].highest_r_mv > 0.2)
        for lead in ("V1", "V2")
    )
    broad_s = all(
        shapes[lead].s_mv < 0 and shapes[lead].s_ms > min(BROAD_S_MS, max(shapes[lead].widest_r_ms, 1.0))
        for lead in ("I", "V6")
    )
    return late_r and broad_s


def is_preexcited(pr_ms: float | None, qrs_ms: float) -> bool:
    """Screen for a delta wave: PR < 120 ms with QRS >= 110 ms (project choice)."""
    return pr_ms is not None and round(pr_ms) < PREEXCITATION_PR_MS and round(qrs_ms) >= PREEXCITATION_QRS_MS


def has_delta_wave(start: SlowStart | None) -> bool:
    """Whether QRS begins as slowly, and as soon after P, as with an accessory pathway."""
    return start is not None and start.length_ms >= DELTA_MS and start.pr_ms < DELTA_PR_MS


def _there_and_back(row: NDArray[np.float64], at: int, fs: float) -> bool:
    """Whether a lead leaves and returns within 8 ms of a sample about as steeply as anywhere within 32 ms of it.

    The corner of a narrow QRS is as sudden as a spike, but the trace goes on in its new direction. Over 60 normal
    records of PTB-XL at 500 Hz the ratio stayed below .7 where openecg's detector fired on QRS; at spikes of paced
    records it was 1 to 40.
    """
    near, around = round(SPIKE_S * fs), round(SPIKE_SURROUND_S * fs)
    steps = np.diff(row[max(0, at - around) : at + around + 1])
    middle = min(at, around)
    inner = steps[max(0, middle - near) : middle + near]
    outer = np.abs(np.concatenate([steps[: max(0, middle - near)], steps[middle + near :]]))
    if not len(inner) or not len(outer):
        return False
    return bool(min(inner.max(), -inner.min()) >= SPIKE_STEEPNESS * outer.max())


def paced_beats(recording: Recording, waves: Waves) -> NDArray[np.bool_] | None:
    """Beats with a pacing spike in at least two leads; None when the rate is too low to show spikes.

    A spike counts from 300 ms before QRS onset (atrial pacing) to 100 ms after it: the delineator may begin QRS at
    the spike or before it, and the second spike of biventricular pacing falls into QRS. Spikes are those of openecg's
    center-surround detector (`openecg.detect_pacings`) that go there and back.
    """
    if recording.fs < MIN_FS_FOR_SPIKES:
        return None
    try:
        from openecg import detect_pacings
    except ImportError:
        return None
    signal, fs = bridge_gaps(recording.signal), recording.fs
    spikes = []
    for lead in SPIKE_LEADS:
        row = signal[lead_index(lead)]
        found = detect_pacings(row, round(fs))
        spikes.append(np.array([at for at in found.tolist() if _there_and_back(row, at, fs)], dtype=float))
    together = [
        at
        for at in np.concatenate(spikes)
        if sum(bool((np.abs(row - at) <= SPIKE_AGREEMENT_S * fs).any()) for row in spikes) >= MIN_SPIKE_LEADS
    ]
    after = (np.array(together)[:, None] - waves.global_qrs_onset) / fs  # (n_spikes, n_beats)
    return np.asarray(((after >= -SPIKE_BEFORE_S) & (after <= SPIKE_AFTER_S)).any(axis=0))


def is_paced(paced: NDArray[np.bool_] | None) -> bool:
    """Whether a recording counts as paced: spikes in a third of its beats, and in at least three (project choice)."""
    return paced is not None and bool(paced.sum() >= max(MIN_PACED_BEATS, len(paced) / 3))


def shapes_by_lead(measurements: Measurements) -> dict[str, QrsShape]:
    """QRS shapes keyed by lead."""
    return {shape.lead: shape for shape in measurements.qrs_shapes}


P_MV = 0.02  # a P wave below this has no sure direction
FLAT_MV = 0.06  # peak to peak of P, QRS and T in a lead between a leg and the right leg
CLEAR_QRS_MV = 0.4  # the other limb leads must show a clear QRS for one of them to stand out as flat
SWAP_GAIN = 0.12  # share by which exchanging two chest leads must smooth the row V1-V6, each lead of equal size
REVERSED_ROW = 0.3  # by how much more V1 than V6 must be like lead I (correlations), for the row to be reversed


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
    t_area = trace[:, length:].sum(axis=1)
    unlike_v6 = float(apart[at["I"]] @ apart[at["V6"]]) < 0
    legs = negative_p("II") and not positive_p("aVF")
    arms_turned = sum((bool(net[at["I"]] < 0), bool(t_area[at["I"]] < 0), unlike_v6))
    arms = not legs and (arms_turned >= 2 if negative_p("I") else arms_turned == 3 and not positive_p("I"))
    leg_turned = sum(bool(up * area[at[lead]] > 0) for lead, up in (("II", -1), ("aVR", 1)) for area in (net, t_area))
    leg = leg_turned >= 2 if negative_p("II") else leg_turned >= 3 and not positive_p("II")
    if arms:
        shrinking = swing[at["V6"]] < 0.5 * swing[at["V1"]]
        other = " or dextrocardia (QRS shrinks towards V6)" if shrinking else ""
        hints.append(f"Possible lead reversal: left arm and right arm{other}; P, QRS and T point down in I, unlike V6.")
    if leg:
        hints.append("Possible lead reversal: right arm and left leg; P, QRS and T point down in II and up in aVR.")
    if hints:
        return hints
    if whole[at["II"]] < FLAT_MV and min(swing[at["I"]], swing[at["III"]]) > CLEAR_QRS_MV:
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
    """V1 to V6 in reverse, or two neighbours among them whose exchange would make the row much smoother.

    Each lead counts with its shape only, so that a tall V3 does not hide an exchange of V1 and V2. V1 to V6 in reverse
    shows by V1 being like lead I, which looks at the heart from the left as V6 does.
    """
    chest = trace[[lead_index(lead) for lead in CHEST_LEADS]]
    shapes = np.concatenate([trace[[lead_index("I")]], chest])
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    shapes /= np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-9)
    if float(shapes[0] @ (shapes[1] - shapes[6])) > REVERSED_ROW:
        return ["Possible lead reversal: V1 to V6 in reverse order; V1 and not V6 is like lead I."]
    row = chest / np.maximum(np.linalg.norm(chest, axis=1, keepdims=True), 1e-9)

    def roughness(rows: NDArray[np.float64]) -> float:
        return float(np.sqrt(np.square(np.diff(rows, axis=0)).mean(axis=1)).sum())

    before = roughness(row)
    gains = []
    for k in range(5):
        order = list(range(6))
        order[k], order[k + 1] = order[k + 1], order[k]
        gains.append((before - roughness(row[order])) / max(before, 1e-9))
    k = int(np.argmax(gains))
    if gains[k] < SWAP_GAIN:
        return []
    names = f"{CHEST_LEADS[k]} and {CHEST_LEADS[k + 1]}"
    return [f"Possible lead reversal: {names}; swapped back, V1 to V6 would change more evenly from lead to lead."]


def possible_lead_reversal(recording: Recording, waves: Waves, measurements: Measurements) -> tuple[str, ...]:
    """Hints at swapped electrodes, each one sentence; empty when there are none or nothing can be measured.

    Parameters
    ----------
    recording : Recording
    waves : Waves
    measurements : Measurements
    """
    trace = _qrs_t(measurements)
    if not measurements.st or trace.shape[1] < 4 or not np.isfinite(trace).all():
        return ()
    limb = _limb_hints(measurements, p_amplitudes(measurements), trace)
    return (*limb, *([] if limb else _chest_hint(trace)))
