"""Everything measured on a recording: intervals, and per lead the ST levels, the T wave and the QRS deflections.

ST and T are measured on the median beat of the unfiltered signal, against the PQ level (median of the last 20 ms before
QRS onset) or, on request, against the TP level (median of the quiet stretch from T end to the next P, at least 80 ms).
J is the latest QRS offset over leads, one for all leads; each lead's own J is an option. T grades follow the
AHA/ACCF/HRS 2009 recommendations, part IV (doi:10.1016/j.jacc.2008.12.014); a value on a limit belongs to the milder
grade. Compared in whole microvolts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS, lead_index
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.beat import PQ_S, MedianBeat, median_beat
from ecgimn.signal.intervals import Intervals, Measured, measure_intervals
from ecgimn.signal.waves.find import Waves

MIN_DEFLECTION_MV = 0.03  # smaller lobes are noise or a rounding of the border
MIN_SHARE = 0.04  # of the QRS peak-to-peak; lobes below count as noise too


@dataclass(frozen=True)
class QrsShape:
    """QRS of one lead against the reference level.

    Attributes
    ----------
    lead : str
    q_mv, r_mv, s_mv, r2_mv : float
        Negative lobe before the first R, first R, deepest negative lobe after it (all of it for QS, with r_mv 0), and a
        positive lobe after that S (R'); 0 where absent. q and s are negative or 0.
    q_ms, r_ms, s_ms, r2_ms : float
        Durations of those lobes between crossings of the reference level.
    last_is_positive : bool
        The last lobe of the QRS points up.
    """

    lead: str
    q_mv: float = 0.0
    r_mv: float = 0.0
    s_mv: float = 0.0
    r2_mv: float = 0.0
    q_ms: float = 0.0
    r_ms: float = 0.0
    s_ms: float = 0.0
    r2_ms: float = 0.0
    last_is_positive: bool = False

    @property
    def deepest_s_mv(self) -> float:
        """The deepest negative lobe, Q or S or QS."""
        return min(self.q_mv, self.s_mv)

    @property
    def highest_r_mv(self) -> float:
        """The taller of R and R'."""
        return max(self.r_mv, self.r2_mv)

    @property
    def widest_r_ms(self) -> float:
        """The wider of R and R'."""
        return max(self.r_ms, self.r2_ms)


@dataclass(frozen=True)
class _Lobe:
    peak_mv: float
    duration_ms: float


def _lobes(span: NDArray[np.float64], fs: float) -> list[_Lobe]:
    """Lobes of one sign in the order of time, noise left out, neighbours of the same sign joined.

    A last stretch that still grows where QRS ends is the beginning of a shifted ST segment, not a deflection.
    """
    floor = max(MIN_DEFLECTION_MV, MIN_SHARE * float(np.ptp(span)))
    sign = span > 0
    borders = np.flatnonzero(np.diff(sign.astype(np.int8))) + 1
    lobes: list[_Lobe] = []
    parts = np.split(span, borders)
    if len(parts) > 1 and np.argmax(np.abs(parts[-1])) == len(parts[-1]) - 1:
        parts = parts[:-1]
    for part in parts:
        peak = float(part[np.argmax(np.abs(part))])
        if abs(peak) < floor:
            continue
        lobe = _Lobe(peak, len(part) / fs * 1000.0)
        if lobes and (lobes[-1].peak_mv > 0) == (peak > 0):
            top = max(lobes[-1].peak_mv, peak, key=abs)
            lobes[-1] = _Lobe(top, lobes[-1].duration_ms + lobe.duration_ms)
        else:
            lobes.append(lobe)
    return lobes


def qrs_shape(lead: str, trace: NDArray[np.float64], onset: float, offset: float, fs: float) -> QrsShape:
    """Name the lobes of a QRS.

    Parameters
    ----------
    lead : str
    trace : ndarray of shape (length,)
        Median beat against the reference level, in mV.
    onset, offset : float
        QRS borders in samples.
    fs : float
    """
    lobes = _lobes(trace[int(onset) : int(offset) + 1], fs)
    positive = [k for k, lobe in enumerate(lobes) if lobe.peak_mv > 0]
    none = _Lobe(0.0, 0.0)
    if not positive:
        deepest = min(lobes, key=lambda lobe: lobe.peak_mv, default=none)
        return QrsShape(lead, s_mv=deepest.peak_mv, s_ms=deepest.duration_ms)
    first = positive[0]
    q = lobes[first - 1] if first > 0 else none
    after = lobes[first + 1 :]
    s = min((lobe for lobe in after if lobe.peak_mv < 0), key=lambda lobe: lobe.peak_mv, default=none)
    r2 = max((lobes[k] for k in positive[1:]), key=lambda lobe: lobe.peak_mv, default=none)
    return QrsShape(
        lead, q.peak_mv, lobes[first].peak_mv, s.peak_mv, r2.peak_mv,
        q.duration_ms, lobes[first].duration_ms, s.duration_ms, r2.duration_ms, lobes[-1].peak_mv > 0,
    )  # fmt: skip


@dataclass(frozen=True)
class SlowStart:
    """How slowly QRS begins, all leads together.

    Attributes
    ----------
    length_ms : float
        From where the leads leave the level before P until they are half way to their largest departure, and until
        they are half as steep as they become; the shorter of the two.
    pr_ms : float
        From the onset of P to where they begin to be steep. A delta wave lies before the onset that PR is measured to.
    """

    length_ms: float
    pr_ms: float


def slow_start(beat: MedianBeat) -> SlowStart | None:
    """Return how slowly QRS begins; None without a median beat or P wave.

    A wave begins where a track falls to a tenth of its peak, searched back no further than 40 ms before the end of P.
    """
    marks = [beat.common[name] for name in ("p_onset", "p_offset", "qrs_onset", "qrs_offset")]
    if beat.signal is None or not np.isfinite(marks).all():
        return None
    fs = beat.fs
    p_onset, p_offset, onset, offset = (int(mark) for mark in marks)
    x = beat.signal[[lead_index(lead) for lead in INDEPENDENT_LEADS]]
    half, before = max(1, round(0.01 * fs)), max(1, round(0.03 * fs))
    if p_onset < before or offset + half >= x.shape[1] or offset <= onset:
        return None
    if not np.isfinite(x[:, p_onset - before : offset + half + 1]).all():
        return None
    level = x[:, p_onset - before : p_onset + 1].mean(axis=1, keepdims=True)
    away = np.sqrt(np.square(x - level).sum(axis=0))
    steep = np.zeros_like(away)
    steep[half:-half] = np.sqrt(np.square(x[:, 2 * half :] - x[:, : -2 * half]).sum(axis=0))
    earliest = max(p_offset - round(0.04 * fs), 0)
    lengths, start = [], onset
    for track in (away, steep):
        peak = float(track[onset : offset + 1].max())
        middle = onset + int(np.argmax(track[onset : offset + 1] >= 0.5 * peak))
        start = middle
        while start > earliest and track[start] > 0.1 * peak:
            start -= 1
        lengths.append((middle - start) / fs * 1000.0)
    return SlowStart(min(lengths), (start - beat.common["p_onset"]) / fs * 1000.0)


FLAT_UV = 100  # within +/-0.1 mV
INVERTED_UV = -100  # below: inverted
DEEP_UV = -500  # below: deep inverted
GIANT_UV = -1000  # below: giant inverted
LOW_SHARE_OF_R = 0.1  # a positive T below 10 % of R is low, where R dominates
FLAT_LEADS = ("I", "II", "aVL", "V4", "V5", "V6")  # in the others a small T is "near zero" and has no grade
ALWAYS_NEGATIVE = ("aVR",)
MAY_BE_NEGATIVE = ("III", "aVL", "V1")
V2_NEGATIVE_UNTIL_AGE = 20


def negative_is_usual(lead: str, age: int | None) -> bool:
    """Whether a negative T wave is a normal exception in this lead (V2 only up to about age 20)."""
    young = age is not None and age <= V2_NEGATIVE_UNTIL_AGE
    return lead in ALWAYS_NEGATIVE + MAY_BE_NEGATIVE or (lead == "V2" and young)


def grade_t(
    lead: str, positive_mv: float, negative_mv: float, *, positive_first: bool, shape: QrsShape | None, age: int | None
) -> str:
    """Grade a T wave.

    Parameters
    ----------
    lead : str
    positive_mv, negative_mv : float
        Highest and lowest level of the T wave against the reference, in mV; 0 where there is no such lobe.
    positive_first : bool
        Order of the lobes.
    shape : QrsShape or None
        Of the same lead, for the share of R.
    age : int or None

    Returns
    -------
    grade : str
        "positive", "low", "flat", "near zero", "inverted", "deep inverted", "giant inverted", "biphasic +/-",
        "biphasic -/+", or "negative, usual in this lead".
    """
    up, down = round(max(positive_mv, 0.0) * 1000), round(min(negative_mv, 0.0) * 1000)
    if up > FLAT_UV and down < INVERTED_UV:
        return "biphasic +/-" if positive_first else "biphasic -/+"
    if up >= -down:
        if up <= FLAT_UV:
            return "flat" if lead in FLAT_LEADS else "near zero"
        dominant_r = shape is not None and shape.r_mv > abs(shape.s_mv) and shape.r_mv > abs(shape.q_mv)
        if dominant_r and shape is not None and up < round(LOW_SHARE_OF_R * shape.r_mv * 1000):
            return "low"
        return "positive"
    if down >= INVERTED_UV:
        return "flat" if lead in FLAT_LEADS else "near zero"
    if negative_is_usual(lead, age):
        return "negative, usual in this lead"
    if down >= DEEP_UV:
        return "inverted"
    return "deep inverted" if down >= GIANT_UV else "giant inverted"


@dataclass(frozen=True)
class TWave:
    """T wave of one lead on the median beat.

    Attributes
    ----------
    lead : str
    amplitude_mv : float or None
        The larger lobe against the reference level, with its sign; None when no T wave was found.
    positive_mv, negative_mv : float
        Highest and lowest level, 0 where there is no such lobe.
    grade : str
        As from `grade_t`; empty when no T wave was found.
    reason : str
        Why there is no value.
    """

    lead: str
    amplitude_mv: float | None
    positive_mv: float
    negative_mv: float
    grade: str
    reason: str = ""


def t_wave(
    lead: str, trace: NDArray[np.float64], onset: float, offset: float, shape: QrsShape | None, age: int | None
) -> TWave:
    """Measure and grade the T wave of one lead.

    Parameters
    ----------
    lead : str
    trace : ndarray of shape (length,)
        Median beat of the lead against the reference level, in mV.
    onset, offset : float
        Borders of T in samples; NaN when not found.
    shape : QrsShape or None
    age : int or None
    """
    if not np.isfinite(onset + offset) or offset - onset < 2 or offset > len(trace):
        return TWave(lead, None, 0.0, 0.0, "", "no T wave was found")
    span = trace[int(onset) : int(offset)]
    if not np.isfinite(span).all():
        return TWave(lead, None, 0.0, 0.0, "", "the T wave lies in a gap")
    high, low = max(float(span.max()), 0.0), min(float(span.min()), 0.0)
    grade = grade_t(
        lead, high, low, positive_first=bool(span.argmax() < span.argmin()), shape=shape, age=age
    )  # fmt: skip
    return TWave(lead, high if high >= -low else low, high, low, grade)


Reference = Literal["PQ", "TP"]
JPoint = Literal["global", "lead"]

MIN_TP_S = 0.08  # a shorter quiet stretch is no reference (above about 130/min there is none)
TP_MARGIN_S = 0.02  # kept clear of the T end and of the P onset
LEVEL_HALF_S = 0.004  # a level is the mean over 4 ms to either side: one sample at 100 Hz, five at 500 Hz
RATE_FOR_J60 = 120.0  # per minute; above it J+60 is read instead of J+80 (Mindray; GE Carescape switches at 120)
#: Slope from J to J+80 in mV/s; borders belong to the flatter shape (project choice).
DOWN_SLOPING, HORIZONTAL, SLOW_UP_SLOPING = -0.5, 0.5, 1.0
SLOPE_SHAPES = ("down-sloping", "horizontal", "slow up-sloping", "rapid up-sloping")


def whole_microvolts(value_mv: float) -> int:
    """Round to whole microvolts, the unit in which thresholds are compared."""
    return round(value_mv * 1000.0)


def st_shape(slope_mv_per_s: float) -> str:
    """Name the shape of an ST segment from its slope J to J+80, compared in whole microvolts per second."""
    slope = whole_microvolts(slope_mv_per_s)
    if slope < DOWN_SLOPING * 1000:
        return SLOPE_SHAPES[0]
    if slope <= HORIZONTAL * 1000:
        return SLOPE_SHAPES[1]
    return SLOPE_SHAPES[2] if slope <= SLOW_UP_SLOPING * 1000 else SLOPE_SHAPES[3]


def later_st_point(heart_rate: float) -> Literal["J+60", "J+80"]:
    """Name the later ST point in use: J+80 up to 120/min, J+60 above."""
    return "J+80" if heart_rate <= RATE_FOR_J60 else "J+60"


@dataclass(frozen=True)
class StMeasurement:
    """ST segment of one lead on the median beat.

    Attributes
    ----------
    lead : str
    j_mv, j60_mv, j80_mv : float
        Level at J, J+60 ms and J+80 ms against the reference, in mV (1 mm = 0.1 mV).
    slope_mv_per_s : float
        From J to J+80.
    shape : str
        One of `SLOPE_SHAPES`.
    reference : {"PQ", "TP"}
    reference_mv : float
        Level of the reference on the recording's own scale.
    n_beats : int
        Beats in the median beat.
    """

    lead: str
    j_mv: float
    j60_mv: float
    j80_mv: float
    slope_mv_per_s: float
    shape: str
    reference: Reference
    reference_mv: float
    n_beats: int


@dataclass(frozen=True, eq=False)
class Measurements:
    """Measurements of one recording.

    Attributes
    ----------
    intervals : Intervals
    st : tuple of StMeasurement
        One per lead in standard order; empty when nothing can be measured, see `reason`.
    t_waves : tuple of TWave
    qrs_shapes : tuple of QrsShape
    reference : {"PQ", "TP"}
    later_point : {"J+60", "J+80"}
        The later ST point for this heart rate.
    n_beats, n_beats_found : int
        Beats in the median beat, and beats found.
    reason : str
        Why ST, T and amplitudes could not be measured; empty when they could.
    beat : MedianBeat
    """

    intervals: Intervals
    st: tuple[StMeasurement, ...]
    t_waves: tuple[TWave, ...]
    qrs_shapes: tuple[QrsShape, ...]
    reference: Reference
    later_point: Literal["J+60", "J+80"]
    n_beats: int
    n_beats_found: int
    reason: str
    beat: MedianBeat

    def st_of(self, lead: str) -> StMeasurement | None:
        """ST of one lead, or None when it could not be measured."""
        return next((st for st in self.st if st.lead == lead), None)

    @property
    def heart_rate(self) -> Measured:
        """Heart rate per minute."""
        return self.intervals.heart_rate


def _level(row: NDArray[np.float64], at: float, fs: float) -> float:
    """Mean of a lead within `LEVEL_HALF_S` of a sample; NaN beyond the window."""
    half = int(LEVEL_HALF_S * fs)
    middle = round(at)
    first, last = middle - half, middle + half + 1
    return float(row[first:last].mean()) if first >= 0 and last <= len(row) else float("nan")


def _pq_level(beat: NDArray[np.float64], qrs_onset: float, fs: float) -> NDArray[np.float64]:
    stop = int(qrs_onset)
    return np.asarray(np.median(beat[:, max(0, stop - max(1, round(PQ_S * fs))) : stop], axis=1))


def _tp_minus_pq(recording: Recording, waves: Waves, used: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Median over beats of the TP level before a beat minus its PQ level, shape (12,); None without quiet stretches."""
    signal, fs = bridge_gaps(recording.signal), recording.fs
    margin = round(TP_MARGIN_S * fs)
    differences = []
    for k in range(1, waves.n_beats):
        first = waves.global_t_offset[k - 1] + margin
        last = waves.global_p_onset[k] - margin
        onset = waves.global_qrs_onset[k]
        if used[k] and np.isfinite(first + last + onset) and last - first >= MIN_TP_S * fs:
            quiet = np.median(signal[:, int(first) : int(last)], axis=1)
            pq = np.median(signal[:, int(onset) - max(1, round(PQ_S * fs)) : int(onset)], axis=1)
            differences.append(quiet - pq)
    return np.median(differences, axis=0) if len(differences) >= 3 else None


def measure(
    recording: Recording,
    waves: Waves,
    *,
    beat: MedianBeat | None = None,
    reference: Reference = "PQ",
    j_point: JPoint = "global",
) -> Measurements:
    """Measure intervals, ST, T and QRS amplitudes.

    Parameters
    ----------
    recording : Recording
        Unfiltered.
    waves : Waves
        Of the same recording.
    beat : MedianBeat or None
        When it is at hand already.
    reference : {"PQ", "TP"}
    j_point : {"global", "lead"}
        One J for all leads (latest QRS offset), or each lead's own.
    """
    beat = median_beat(recording, waves) if beat is None else beat
    intervals = measure_intervals(recording, waves, beat)
    rate = intervals.heart_rate.value
    later = later_st_point(rate) if rate is not None else "J+80"
    n_used, n_found = int(beat.windows.used.sum()), waves.n_beats

    def nothing(reason: str) -> Measurements:
        return Measurements(intervals, (), (), (), reference, later, n_used, n_found, reason, beat)

    if beat.signal is None:
        return nothing(beat.reason)
    onset, j_global = beat.common["qrs_onset"], beat.j
    if not np.isfinite(onset + j_global) or onset < 1:
        return nothing("QRS borders are unsure in more than half of the leads.")
    if not np.isfinite(beat.signal[:, : int(j_global + 0.08 * recording.fs)]).all():
        return nothing("The recording has gaps in every beat.")
    level = _pq_level(beat.signal, onset, recording.fs)
    if reference == "TP":
        shift = _tp_minus_pq(recording, waves, beat.windows.used)
        if shift is None:
            return nothing("No quiet stretch of 80 ms between T and P was found in three beats; use the PQ reference.")
        level = level + shift
    st, t_waves, shapes = [], [], []
    for row, lead in enumerate(STANDARD_LEADS):
        trace = beat.signal[row] - level[row]
        own = beat.landmarks["qrs_offset"][row]
        j = own if j_point == "lead" and np.isfinite(own) else j_global
        at_j, at_60, at_80 = (_level(trace, j + after * recording.fs, recording.fs) for after in (0.0, 0.06, 0.08))
        slope = (at_80 - at_j) / 0.08
        st.append(StMeasurement(lead, at_j, at_60, at_80, slope, st_shape(slope), reference, float(level[row]), n_used))
        shape = qrs_shape(lead, trace, onset, j_global, recording.fs)
        shapes.append(shape)
        t_on, t_off = beat.landmarks["t_onset"][row], beat.landmarks["t_offset"][row]
        t_waves.append(t_wave(lead, trace, t_on, t_off, shape, recording.age))
    return Measurements(
        intervals, tuple(st), tuple(t_waves), tuple(shapes), reference, later, n_used, n_found, "", beat
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class IsoelectricLevels:
    """One isoelectric level per lead, on the recording's own scale.

    Attributes
    ----------
    mv : ndarray of shape (12,), float64
    method : str
        How it was found: "PQ" (median over beats of the level before QRS), or "median" of the whole lead.
    n_beats : int
        Beats it rests on.
    """

    mv: NDArray[np.float64]
    method: Literal["PQ", "median"]
    n_beats: int


def isoelectric(recording: Recording, waves: Waves | None) -> IsoelectricLevels:
    """One isoelectric level per lead: median over beats of the PQ level, or the lead's median without beats.

    Parameters
    ----------
    recording : Recording
    waves : Waves or None
        None when no beat was found.
    """
    levels = []
    if waves is not None:
        length = max(1, round(PQ_S * recording.fs))
        for onset in waves.global_qrs_onset[np.isfinite(waves.global_qrs_onset)].astype(int):
            stretch = recording.signal[:, max(0, onset - length) : onset]
            if stretch.shape[1] and np.isfinite(stretch).all():
                levels.append(np.median(stretch, axis=1))
    if levels:
        return IsoelectricLevels(np.median(levels, axis=0).astype(np.float64), "PQ", len(levels))
    return IsoelectricLevels(np.nanmedian(recording.signal, axis=1).astype(np.float64), "median", 0)
