"""Conditions that make ST and T secondary: bundle branch block, pre-excitation, pacing and high voltage.

Block criteria: AHA/ACCF/HRS 2009, part III (doi:10.1016/j.jacc.2008.12.013); voltage: part V
(doi:10.1016/j.jacc.2008.12.015). They are screens that withhold verdicts, not diagnoses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import lead_index
from ecgimn.recording import Recording, Sex
from ecgimn.signal.measure import Measurements, whole_microvolts
from ecgimn.signal.posterior import bridge_gaps
from ecgimn.signal.qrs_shape import QrsShape
from ecgimn.signal.thresholds import CORNELL_UV, SOKOLOW_LYON_UV, WIDE_QRS_MS
from ecgimn.signal.waves import Waves

BROAD_R_MS = 80.0  # project choice for "broad R"
BROAD_S_MS = 40.0  # S wider than this, or than R, in I and V6 (part III)
PREEXCITATION_PR_MS, PREEXCITATION_QRS_MS = 120.0, 110.0
MIN_FS_FOR_SPIKES = 400.0  # Hz; a 1-2 ms spike is not resolved below
SPIKE_LEADS = ("II", "V1", "V2", "V3", "V5")
MIN_SPIKE_LEADS = 2


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


def paced_beats(recording: Recording, waves: Waves) -> NDArray[np.bool_] | None:
    """Beats preceded by a pacing spike in at least two leads; None when the rate is too low to show spikes.

    Uses openecg's center-surround detector (`openecg.detect_pacings`) in the 300 ms before each QRS.
    """
    if recording.fs < MIN_FS_FOR_SPIKES:
        return None
    try:
        from openecg import detect_pacings
    except ImportError:
        return None
    signal = bridge_gaps(recording.signal)
    near = 0.01 * recording.fs
    onsets = waves.global_qrs_onset.astype(np.int64)
    per_beat: list[list[float]] = [[] for _ in onsets]
    for lead in SPIKE_LEADS:
        spikes = detect_pacings(signal[lead_index(lead)], round(recording.fs), qrs_indices=waves.r_samples)
        for k, onset in enumerate(onsets):
            close = [float(spike) for spike in spikes if -0.3 <= (spike - onset) / recording.fs <= 0.01]
            per_beat[k].extend(close)
    paced = np.zeros(len(onsets), dtype=bool)
    for k, found in enumerate(per_beat):
        paced[k] = any(sum(abs(other - spike) <= near for other in found) >= MIN_SPIKE_LEADS for spike in found)
    return paced


def shapes_by_lead(measurements: Measurements) -> dict[str, QrsShape]:
    """QRS shapes keyed by lead."""
    return {shape.lead: shape for shape in measurements.qrs_shapes}
