"""Heart rate, PR, QRS, QT, corrected QT and frontal axis: values with a unit, or a reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import lead_index
from ecgimn.recording import Recording
from ecgimn.signal.beat import MedianBeat
from ecgimn.signal.quality import still_stretches
from ecgimn.signal.waves.find import Waves

NET_AREA_NEAR_ZERO_MV_S = 0.002  # net QRS areas in I and aVF both below this give no direction
MAX_LOST_S = 0.1  # of an RR, for it to be whole
IRREGULAR_RR = 0.15  # coefficient of variation of RR above which, without P waves, the mean RR is used


@dataclass(frozen=True)
class Measured:
    """A measured value, or the reason why there is none.

    Attributes
    ----------
    value : float or None
    unit : str
    reason : str
        Empty when there is a value.
    note : str
        What to know about the value ("mean RR: irregular rhythm without P waves").
    """

    value: float | None
    unit: str
    reason: str = ""
    note: str = ""

    def text(self, digits: int = 0) -> str:
        """The value with its unit, or "—" with the reason."""
        if self.value is None:
            return f"— ({self.reason})"
        return f"{self.value:.{digits}f} {self.unit}"


def qtc_bazett(qt_ms: float, rr_s: float) -> float:
    """QT / sqrt(RR) in ms, RR in seconds (Bazett 1920); misleads at high and low rates."""
    return qt_ms / float(np.sqrt(rr_s))


def qtc_fridericia(qt_ms: float, rr_s: float) -> float:
    """QT / RR^(1/3) in ms, RR in seconds (Fridericia 1920)."""
    return qt_ms / float(np.cbrt(rr_s))


def qtc_framingham(qt_ms: float, rr_s: float) -> float:
    """QT + 154 ms * (1 - RR) in ms, RR in seconds (Sagie et al. 1992)."""
    return qt_ms + 154.0 * (1.0 - rr_s)


def qtc_hodges(qt_ms: float, rr_s: float) -> float:
    """QT + 1.75 ms * (HR - 60) in ms (Hodges et al. 1983)."""
    return qt_ms + 1.75 * (60.0 / rr_s - 60.0)


QTC_FORMULAS = {"Bazett": qtc_bazett, "Fridericia": qtc_fridericia, "Framingham": qtc_framingham, "Hodges": qtc_hodges}


def frontal_axis(net_i: float, net_avf: float) -> float:
    """Frontal axis in degrees from net areas in I and aVF: atan2(2 * aVF / sqrt(3), I)."""
    return float(np.degrees(np.arctan2(2.0 * net_avf / np.sqrt(3.0), net_i)))


def axis_class(degrees: float) -> str:
    """Name the frontal axis: normal -30 to +90, left -30 to -90, right +90 to +180, else extreme."""
    if -30.0 <= degrees <= 90.0:
        return "normal"
    if -90.0 <= degrees < -30.0:
        return "left"
    if 90.0 < degrees <= 180.0:
        return "right"
    return "extreme"


@dataclass(frozen=True, eq=False)
class Intervals:
    """Global measurements.

    Attributes
    ----------
    heart_rate : Measured
        Per minute, from the median RR (the mean in an irregular rhythm without P waves).
    rr_range : tuple of Measured
        Shortest and longest RR in ms, pauses among them; an RR with a gap of the recording in it is left out.
    rr, pr, qrs, qt : Measured
        In ms; earliest onset to latest offset over leads on the median beat.
    qtc : dict of str to Measured
        Keys "Bazett", "Fridericia", "Framingham", "Hodges"; ms.
    axis : Measured
        Frontal QRS axis in degrees.
    """

    heart_rate: Measured
    rr: Measured
    rr_range: tuple[Measured, Measured]
    pr: Measured
    qrs: Measured
    qt: Measured
    qtc: dict[str, Measured]
    axis: Measured


def _span(beat: MedianBeat, first: str, last: str, missing: str) -> Measured:
    if beat.signal is None:
        return Measured(None, "ms", beat.reason)
    length = beat.common[last] - beat.common[first]
    if not np.isfinite(length) or length <= 0:
        return Measured(None, "ms", missing)
    return Measured(float(length / beat.fs * 1000.0), "ms")


def net_qrs_area(beat: MedianBeat) -> NDArray[np.float64] | None:
    """Area of QRS above the PQ level minus the area below it, mV*s per lead (12,), or None without a median beat."""
    if beat.signal is None:
        return None
    first, last = int(beat.common["qrs_onset"]), int(beat.common["qrs_offset"])
    level = beat.signal[:, max(0, first - max(1, round(0.02 * beat.fs))) : max(first, 1)].mean(axis=1)
    return np.asarray((beat.signal[:, first : last + 1] - level[:, None]).sum(axis=1) / beat.fs)


def _axis(beat: MedianBeat) -> Measured:
    area = net_qrs_area(beat)
    if area is None:
        return Measured(None, "degrees", beat.reason)
    net_i, net_avf = float(area[lead_index("I")]), float(area[lead_index("aVF")])
    if not np.isfinite(net_i + net_avf) or max(abs(net_i), abs(net_avf)) < NET_AREA_NEAR_ZERO_MV_S:
        return Measured(None, "degrees", "QRS is near zero in both I and aVF")
    return Measured(frontal_axis(net_i, net_avf), "degrees")


def whole_rr(recording: Recording, waves: Waves) -> NDArray[np.bool_]:
    """Whether each RR holds no gap and no padding of the recording, shape (n_beats - 1,); a pause is whole."""
    fs, r = waves.fs, waves.r_samples
    lost: NDArray[np.bool_] = np.asarray(np.isnan(recording.signal).all(axis=0))
    for start_s, stop_s in still_stretches(recording.signal, fs):
        lost[round(start_s * fs) : round(stop_s * fs)] = True
    before = np.concatenate([[0], np.cumsum(lost)])
    return np.asarray(before[r[1:]] - before[r[:-1]] <= MAX_LOST_S * fs)


def measure_intervals(recording: Recording, waves: Waves, beat: MedianBeat) -> Intervals:
    """Measure rate, intervals and axis.

    Parameters
    ----------
    recording : Recording
    waves : Waves
    beat : MedianBeat
        All of the same recording.
    """
    rr = waves.rr_s[whole_rr(recording, waves)]
    note = ""
    if len(rr) == 0:
        one = "two beats are needed"
        heart_rate, rr_ms = Measured(None, "/min", one), Measured(None, "ms", one)
        rr_range = (rr_ms, rr_ms)
    else:
        no_p = np.isnan(waves.global_p_onset).mean() > 0.5
        irregular = no_p and len(rr) > 2 and rr.std() / rr.mean() > IRREGULAR_RR
        typical = float(rr.mean() if irregular else np.median(rr))
        note = "mean RR: irregular rhythm without P waves" if irregular else ""
        heart_rate = Measured(60.0 / typical, "/min", note=note)
        rr_ms = Measured(typical * 1000.0, "ms", note=note)
        rr_range = (Measured(float(rr.min()) * 1000.0, "ms"), Measured(float(rr.max()) * 1000.0, "ms"))
    qt = _span(beat, "qrs_onset", "t_offset", "the end of T is unsure, or was found in too few leads")
    qtc: dict[str, Measured] = {}
    for name, formula in QTC_FORMULAS.items():
        if qt.value is None or rr_ms.value is None:
            qtc[name] = Measured(None, "ms", qt.reason or rr_ms.reason)
        else:
            qtc[name] = Measured(formula(qt.value, rr_ms.value / 1000.0), "ms", note=note)
    return Intervals(
        heart_rate=heart_rate,
        rr=rr_ms,
        rr_range=rr_range,
        pr=_span(beat, "p_onset", "qrs_onset", "no P wave was found in at least half of the leads"),
        qrs=_span(beat, "qrs_onset", "qrs_offset", "QRS borders are unsure"),
        qt=qt,
        qtc=qtc,
        axis=_axis(beat),
    )
