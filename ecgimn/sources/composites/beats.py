"""Mean beats of a group of patients: one median beat per record, aligned, the typical ones chosen, then averaged.

Only the eight independent leads (I, II, V1 to V6) are averaged; the other limb leads follow from them, so the limb-lead
relations hold in every mean. Millivolts on a 500 Hz grid throughout; records with 100 Hz are interpolated band-limited.

The steps are those of signal-averaged electrocardiography: QRS alignment by cross-correlation, beats that do not
correlate left out (Simson, Circulation 1981;64:235), a line through the PQ levels of all beats as baseline (after Meyer
and Keiser, Comput Biomed Res 1977;10:459).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecgimn.leads import INDEPENDENT_LEADS, LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.signal.preprocess import MODEL_FS, TRIM_START, preprocessing
from ecgimn.signal.waves.quick import quick_landmarks

BEAT_FS = 500  # Hz
BEFORE, AFTER = 260, 400  # samples of a beat before and after its fiducial point: 520 and 800 ms
INDEPENDENT_ROWS = tuple(STANDARD_LEADS.index(lead) for lead in INDEPENDENT_LEADS)
MIN_BEATS = 5
MIN_BEAT_CORRELATION = 0.9  # to the record's own median beat; below, the beat is ectopic or disturbed
PREMATURE = 0.85  # of the median RR; such a beat, and the one after it, are left out
BEAT_REACH = 10  # samples that a beat may move to meet its record's median beat: 20 ms
RECORD_REACH = 25  # samples that a record may move to meet the group: 50 ms
EDGE_FRACTION = 0.07  # of the largest spatial velocity of the mean beat: where its QRS begins and ends
PQ_LEVEL = slice(-12, -2)  # samples before QRS onset whose mean is zero volt: 24 to 4 ms
SHORTEST_KEPT_S = 0.30  # after the fiducial point, of every beat: QRS and room to shift it
STRETCHES = np.exp(np.linspace(-0.30, 0.30, 31))  # tried for PQ and for ST-T of each record
STRETCH_PENALTY = 0.6  # of correlation, per squared log stretch: flat waves stay where the heart rate puts them
MIN_MEMBERS = 30
ROUNDS = 4

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PatientBeat:
    """Median beat of one record: `beat` of shape (8, 660) in mV, PQ level at zero, and its median RR in seconds."""

    beat: Float
    rr_s: float
    n_beats: int


@dataclass(frozen=True, eq=False)
class BeatGroup:
    """Aligned median beats of several patients.

    Attributes
    ----------
    beats : ndarray of shape (n_patients, 8, 660)
        mV; column `BEFORE` is the common fiducial point of QRS. NaN where the next beat begins.
    rr_s : ndarray of shape (n_patients,)
    onset, end : int
        Columns of QRS onset and end (J point) of the mean beat.
    pq_stretch, stt_stretch : ndarray of shape (n_patients,)
        How many times longer the patient's own PQ and ST-T were than the group's.
    """

    beats: Float
    rr_s: Float
    onset: int
    end: int
    pq_stretch: Float
    stt_stretch: Float

    @property
    def n_patients(self) -> int:
        """Number of patients, one record each."""
        return len(self.beats)

    @property
    def mean(self) -> Float:
        """Mean beat, shape (8, 660), mV."""
        return _mean(self.beats)

    def lead(self, name: str) -> Float:
        """Return one of the twelve leads of every beat, shape (n_patients, 660), mV."""
        if name in INDEPENDENT_LEADS:
            return self.beats[:, INDEPENDENT_LEADS.index(name)]
        from_i, from_ii = LIMB_FROM_I_II[STANDARD_LEADS.index(name)]
        return np.asarray(from_i * self.beats[:, 0] + from_ii * self.beats[:, 1])

    def subset(self, chosen: NDArray[np.intp]) -> BeatGroup:
        """Return the same group with some of its patients."""
        arrays = {name: getattr(self, name)[chosen] for name in ("beats", "rr_s", "pq_stretch", "stt_stretch")}
        return replace(self, **arrays)


def to_beat_fs(signal: NDArray[np.floating], fs: int) -> Float:
    """Interpolate a signal to 500 Hz, band-limited; `fs` divides 500, shape (..., n) to (..., n * 500 / fs)."""
    if fs == BEAT_FS:
        return np.array(signal, dtype=np.float64)
    signal = np.asarray(signal, dtype=np.float64)
    return np.array(resample_poly(signal, BEAT_FS // fs, 1, axis=-1, padtype="line"), dtype=np.float64)


def median_beat(signal: NDArray[np.floating], fs: int) -> PatientBeat | None:
    """Return the median of a record's ordinary beats, or None when fewer than five are alike.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        mV, 10 s.
    fs : {100, 500}
        Hz.
    """
    marks = quick_landmarks(preprocessing(float(fs), signal.shape[1]).forward(signal))
    if len(marks.centres) < MIN_BEATS:
        return None
    step = round(BEAT_FS / MODEL_FS)
    x = to_beat_fs(signal[list(INDEPENDENT_ROWS)], fs)
    centres, rr = (marks.centres + TRIM_START) * step, marks.rr * step
    x = x - _baseline(x, centres - marks.qrs_before * step)
    intervals = np.diff(centres)
    ordinary = np.ones(len(centres), dtype=bool)
    early = np.flatnonzero(intervals < PREMATURE * rr) + 1
    ordinary[early] = False
    ordinary[np.minimum(early + 1, len(centres) - 1)] = False
    ordinary &= (centres >= BEFORE + BEAT_REACH) & (centres + AFTER + BEAT_REACH <= x.shape[1])
    centres = centres[ordinary]
    if len(centres) < MIN_BEATS:
        return None
    beats = _cut(x, centres)
    qrs = slice(BEFORE - 50, BEFORE + 70)
    for _ in range(2):
        shift, correlation = _best_shift(beats, np.median(beats, axis=0), qrs, BEAT_REACH)
        centres = np.clip(centres + shift, BEFORE, x.shape[1] - AFTER)
        beats = _cut(x, centres)
    alike = correlation >= MIN_BEAT_CORRELATION
    if alike.sum() < MIN_BEATS:
        return None
    return PatientBeat(np.median(beats[alike], axis=0), float(rr / BEAT_FS), int(alike.sum()))


def align(medians: list[PatientBeat], *, pq_s: float = 0.26) -> BeatGroup:
    """Align the median beats of a group: QRS by shift, PQ and ST-T by stretch from QRS onset and end.

    Amplitudes are left as they are, and the stretches have the median 1, so that the group's usual PR and QT remain.
    P is looked for in the `pq_s` seconds before QRS onset; that much before the next QRS is left out of each beat.
    """
    beats = np.stack([median.beat for median in medians])
    rr_s = np.array([median.rr_s for median in medians])
    usual_rr = float(np.median(rr_s))
    columns = np.arange(beats.shape[-1])
    last = BEFORE + np.round(np.maximum(rr_s - pq_s - 0.03, SHORTEST_KEPT_S) * BEAT_FS).astype(int)
    beats = np.where(columns < last[:, None, None], beats, np.nan)
    shift = np.zeros(len(beats), dtype=np.intp)
    window = slice(BEFORE - 50, BEFORE + 70)
    for _ in range(3):
        moved = _shifted(beats, shift)
        more, _ = _best_shift(moved, _mean(moved), window, RECORD_REACH)
        shift = shift + more
        shift = np.clip(shift - round(float(np.median(shift))), -RECORD_REACH, RECORD_REACH)
    beats = _shifted(beats, shift)
    onset, end = qrs_edges(_mean(beats))
    beats = _levelled(beats, onset)
    usual_qt = np.log(rr_s / usual_rr) / 3.0  # QT follows the cube root of RR (Fridericia)
    before, after = np.zeros(len(beats)), usual_qt
    pq = slice(max(0, onset - round(pq_s * BEAT_FS)), onset)
    stt = slice(end, min(end + 190, beats.shape[-1]))
    for _ in range(3):
        mean = _mean(_stretched(beats, np.exp(before), np.exp(after), onset, end))
        before = _best_stretch(beats, mean, onset, np.zeros(len(beats)), pq)
        after = _best_stretch(beats, mean, end, usual_qt, stt)
    before, after = np.exp(before), np.exp(after)
    return BeatGroup(_stretched(beats, before, after, onset, end), rr_s, onset, end, before, after)


def choose(group: BeatGroup, strength: Float, *, strongest: float, typical: float) -> NDArray[np.intp]:
    """Keep the patients whose hallmark is strongest and, of these, whose beats are most like their mean.

    Parameters
    ----------
    group : BeatGroup
    strength : ndarray of shape (n_patients,)
        Size of the hallmark, such as the depth of Q in the inferior leads.
    strongest, typical : float
        Shares kept in the two steps; never fewer than `MIN_MEMBERS` patients remain where there are that many.

    Returns
    -------
    ndarray of int
        Their rows in `group`, in order.
    """
    members = np.argsort(-strength, kind="stable")[: max(MIN_MEMBERS, round(strongest * group.n_patients))]
    pool = group.subset(members)
    kept = np.arange(pool.n_patients)
    size = max(min(MIN_MEMBERS, pool.n_patients), round(typical * pool.n_patients))
    for _ in range(ROUNDS):
        likeness = _likeness(pool, _mean(pool.beats[kept]))
        kept = np.sort(np.argsort(-likeness, kind="stable")[:size])
    return np.sort(members[kept])


def qrs_edges(mean: Float) -> tuple[int, int]:
    """Return the columns of QRS onset and end of a mean beat, where its spatial velocity leaves and regains quiet."""
    velocity = np.sqrt(np.square(np.gradient(mean, axis=-1)).sum(axis=0))
    velocity = np.convolve(velocity, np.ones(5) / 5.0, mode="same")
    left, right = BEFORE - 60, BEFORE + 90
    quiet = velocity < EDGE_FRACTION * np.nanmax(velocity[left:right])
    top = left + int(np.nanargmax(velocity[left:right]))
    first = np.flatnonzero(quiet[left - 30 : top])
    # Quiet for 12 ms: the pause between R and R' of a bundle branch block is no end of QRS.
    after = np.flatnonzero(np.convolve(quiet[top : right + 30], np.ones(6), mode="valid") >= 6.0)
    onset = left - 30 + int(first[-1]) + 1 if len(first) else left
    end = top + int(after[0]) if len(after) else right
    return onset, max(end, onset + 20)


def _mean(beats: Float) -> Float:
    """Mean over patients without samples left out; where fewer than a quarter of patients remain, the last value."""
    count = np.isfinite(beats[:, 0]).sum(axis=0)  # (660,)
    total = np.nansum(beats, axis=0)
    enough = np.flatnonzero(count >= max(1, len(beats) // 4))
    mean: Float = total / np.maximum(count, 1)
    mean[:, : enough[0]] = mean[:, enough[0], None]
    mean[:, enough[-1] :] = mean[:, enough[-1], None]
    return mean


def _baseline(x: Float, onsets: NDArray[np.integer]) -> Float:
    """Straight lines through the PQ level (20 ms before QRS onset) of each beat, level beyond the first and last."""
    columns = np.clip(onsets[:, None] + np.arange(-12, -2), 0, x.shape[1] - 1)
    level = x[:, columns].mean(axis=2)  # (8, n_beats)
    times = np.arange(x.shape[1])
    return np.stack([np.interp(times, onsets - 7, row) for row in level])


def _cut(x: Float, centres: NDArray[np.integer]) -> Float:
    return np.moveaxis(x[:, centres[:, None] + np.arange(-BEFORE, AFTER)], 1, 0)


def _best_shift(beats: Float, reference: Float, window: slice, reach: int) -> tuple[NDArray[np.intp], Float]:
    """Return, per beat, the shift within `reach` that correlates best with the reference, and that correlation."""
    target = _unit(reference[:, window].reshape(1, -1))
    start, stop = window.start, window.stop
    scores = np.stack(
        [
            (_unit(beats[:, :, start + lag : stop + lag].reshape(len(beats), -1)) * target).sum(axis=1)
            for lag in range(-reach, reach + 1)
        ]
    )
    return scores.argmax(axis=0) - reach, scores.max(axis=0)


def _unit(rows: Float) -> Float:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _shifted(beats: Float, shift: NDArray[np.intp]) -> Float:
    columns = np.clip(np.arange(beats.shape[-1]) + shift[:, None], 0, beats.shape[-1] - 1)
    return np.take_along_axis(beats, columns[:, None, :], axis=2)


def _levelled(beats: Float, onset: int) -> Float:
    return np.asarray(beats - beats[:, :, onset + PQ_LEVEL.start : onset + PQ_LEVEL.stop].mean(axis=2, keepdims=True))


def _stretched(beats: Float, before: Float, after: Float, onset: int, end: int) -> Float:
    """Stretch what precedes QRS onset and what follows its end; QRS itself stays as it is."""
    columns = np.arange(beats.shape[-1])
    return np.concatenate(
        [
            _resampled(beats, onset + (columns[:onset] - onset) * before[:, None]),
            beats[:, :, onset:end],
            _resampled(beats, end + (columns[end:] - end) * after[:, None]),
        ],
        axis=2,
    )


def _resampled(beats: Float, positions: Float) -> Float:
    """Interpolate each beat at its own positions, shape (n_patients, m), between neighbouring samples."""
    positions = np.clip(positions, 0, beats.shape[-1] - 1)
    low = np.minimum(positions.astype(np.intp), beats.shape[-1] - 2)
    part = (positions - low)[:, None, :]
    patients, leads = np.arange(len(beats))[:, None, None], np.arange(beats.shape[1])[None, :, None]
    left, right = beats[patients, leads, low[:, None, :]], beats[patients, leads, low[:, None, :] + 1]
    return np.asarray(np.where(part == 0.0, left, left + part * (right - left)))


def _best_stretch(beats: Float, mean: Float, fixed: int, prior: Float, region: slice) -> Float:
    """Return the log stretch from column `fixed`, around the prior, that makes a region most like that of the mean."""
    target = _unit(mean[:, region].reshape(1, -1))
    columns = np.arange(region.start, region.stop)
    scores = []
    for stretch in np.log(STRETCHES):
        tried = _resampled(beats, fixed + (columns - fixed) * np.exp(prior + stretch)[:, None])
        likeness = (_unit(np.where(np.isnan(tried), 0.0, tried).reshape(len(beats), -1)) * target).sum(axis=1)
        scores.append(likeness - STRETCH_PENALTY * stretch**2)
    best = prior + np.log(STRETCHES)[np.argmax(scores, axis=0)]
    return np.asarray(best - np.median(best))


def _likeness(group: BeatGroup, mean: Float) -> Float:
    """Correlation with the mean beat: that of PQ, QRS and ST-T apart, so that QRS does not decide alone."""
    parts = ((slice(group.onset - 120, group.onset), 0.2), (slice(group.onset, group.end), 0.4),
             (slice(group.end, group.end + 180), 0.4))  # fmt: skip
    total = np.zeros(group.n_patients)
    for region, share in parts:
        rows = np.nan_to_num(group.beats[:, :, region], nan=0.0).reshape(group.n_patients, -1)
        total += share * (_unit(rows) * _unit(mean[:, region].reshape(1, -1))).sum(axis=1)
    return total
