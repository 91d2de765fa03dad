"""The median beat of each lead at the recording's own rate, and the alignment that contributions are averaged on.

Beats are aligned on QRS by cross-correlation over all leads; beats whose QRS correlates with the median of their
largest family by less than 0.9 are left out (ectopic or noisy). Fewer than three alike: no median beat, and the reason
why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ecgimn.leads import INDEPENDENT_LEADS, lead_index
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.waves.find import Waves, common_edges, outer_edge
from ecgimn.signal.waves.openecg import resample
from ecgimn.signal.waves.spans import LANDMARKS

MIN_CORRELATION = 0.9  # project choice; below, a beat is ectopic or noisy
MIN_BEATS = 3
QRS_HALF_S = 0.12  # the stretch around R that is compared
MAX_LAG_S = 0.03
NARROWER_S, NARROW_SHARE = 0.03, 0.5  # a family narrower by 30 ms leads if it is half as large (project choice)
ALIGN_FS = 250.0  # Hz; slower recordings are aligned on a finer grid
PQ_S = 0.02  # the PQ level is the median of the last 20 ms before QRS onset
#: Without P waves (atrial fibrillation above all) the wave finder takes fibrillation waves behind T for T. There T ends
#: no later than this behind the tangent of its last flank: the median of 69 normal records of PTB-XL (standard
#: deviation 8 ms). Where that is more than the second number earlier than what was found, the end of T is unsure.
BEHIND_TANGENT_S, UNSURE_T_END_S = 0.02, 0.1
ST_BEGINS_S, T_SMOOTH_S, BEHIND_T_S = 0.04, 0.024, 0.04  # of the stretch that the tangent is sought in


@dataclass(frozen=True, eq=False)
class BeatWindows:
    """Equal windows around every beat, aligned on QRS.

    Attributes
    ----------
    start : ndarray of shape (n_beats,), int64
        First sample of each beat's window in the recording; may lie before the recording.
    length : int
        Samples per window.
    r_index : int
        Position of R in a window.
    used : ndarray of shape (n_beats,), bool
        Beats that go into the median beat.
    correlation : ndarray of shape (n_beats,), float64
        Of each beat's QRS with the median beat's, over all leads.
    left_out : tuple of str
        Per beat, why it does not go into the median beat; empty where it does.
    """

    start: NDArray[np.int64]
    length: int
    r_index: int
    used: NDArray[np.bool_]
    correlation: NDArray[np.float64]
    left_out: tuple[str, ...]

    def cut(self, values: NDArray[np.floating], *, all_beats: bool = False) -> NDArray[np.float64]:
        """Cut an array along its last axis into the windows of the used beats (or of all).

        Parameters
        ----------
        values : ndarray of shape (..., n_samples)
            A signal, or an attribution, at the recording's rate.

        Returns
        -------
        windows : ndarray of shape (n_windows, ..., length)
            NaN where a window reaches beyond the recording.
        """
        n = values.shape[-1]
        starts = self.start if all_beats else self.start[self.used]
        windows = np.full((len(starts), *values.shape[:-1], self.length), np.nan)
        for window, start in zip(windows, starts, strict=True):
            first, last = max(0, int(start)), min(n, int(start) + self.length)
            if last > first:
                window[..., first - start : last - start] = values[..., first:last]
        return windows


@dataclass(frozen=True, eq=False)
class MedianBeat:
    """Median over the used beats.

    Attributes
    ----------
    fs : float
    windows : BeatWindows
    signal : ndarray of shape (12, length), float64, or None
        Millivolts on the recording's own scale: beats are shifted to a common PQ level before the median is taken.
    landmarks : dict of str to ndarray of shape (12,)
        Keys of `segments.LANDMARKS`, samples within the window; NaN where fewer than half of the beats show the wave.
    common : dict of str to float
        The same over leads: earliest onset and latest offset that two leads reach. Without P waves T ends where the
        tangent of its last flank says, if that is earlier; NaN where the two are too far apart.
    j : float
        The J point of all leads: the latest QRS offset over leads. ST is read where no lead is still in its QRS.
    reason : str
        Why there is no median beat; empty when there is one.
    """

    fs: float
    windows: BeatWindows
    signal: NDArray[np.float64] | None
    landmarks: dict[str, NDArray[np.float64]]
    common: dict[str, float]
    j: float
    reason: str

    @property
    def beats_text(self) -> str:
        """Text like "9 of 10 beats used"."""
        used = self.windows.used
        return f"{int(used.sum())} of {len(used)} beats used"


def _correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of each row of a (n, k) with b (k,) or with each row of b (m, k); rows come centred per lead."""
    scale = np.linalg.norm(a, axis=1)[:, None] * np.atleast_1d(np.linalg.norm(np.atleast_2d(b), axis=1))
    out = a @ np.atleast_2d(b).T / np.maximum(scale, 1e-12)
    return np.asarray(out[:, 0] if b.ndim == 1 else out)


def _complexes(signal: NDArray[np.float64], r: NDArray[np.int64], half: int) -> NDArray[np.float64]:
    """QRS of each beat, leads centred and joined: shape (n_beats, 12 * (2 * half + 1)); edges repeat a value."""
    n = signal.shape[1]
    at = np.clip(r[:, None] + np.arange(-half, half + 1), 0, n - 1)
    cut = signal[:, at].transpose(1, 0, 2)
    return np.asarray((cut - cut.mean(axis=2, keepdims=True)).reshape(len(r), -1))


def _leading_beat(pairs: NDArray[np.float64], qrs_s: NDArray[np.float64]) -> int:
    """Beat whose family becomes the median beat: the largest, or a clearly narrower one of at least half its size.

    Runs of wide beats may outnumber the conducted ones; it is those that ST and T are read on.

    Parameters
    ----------
    pairs : ndarray of shape (n_beats, n_beats)
        Largest correlation of each pair of beats.
    qrs_s : ndarray of shape (n_beats,)
        QRS duration of each beat in seconds.
    """
    alike = pairs >= MIN_CORRELATION
    size = alike.sum(axis=0)
    largest = int(np.argmax(size + pairs.mean(axis=0)))
    width = np.array([np.median(np.nan_to_num(qrs_s[column], nan=np.inf)) for column in alike.T])
    rivals = np.flatnonzero((size >= max(MIN_BEATS, NARROW_SHARE * size[largest])) & ~alike[largest])
    rivals = rivals[width[rivals] < width[largest] - NARROWER_S]
    if len(rivals) == 0:
        return largest
    return int(rivals[np.argmax(size[rivals] + pairs.mean(axis=0)[rivals])])


def beat_windows(recording: Recording, waves: Waves) -> BeatWindows:
    """Align all beats on QRS and choose those that go into the median beat."""
    fs, n = recording.fs, recording.n_samples
    finer = max(1, int(np.ceil(ALIGN_FS / fs)))  # at 50 or 100 Hz half a sample decides whether two beats look alike
    signal = resample(bridge_gaps(recording.signal), fs, fs * finer)
    half, max_lag = round(QRS_HALF_S * fs * finer), max(1, round(MAX_LAG_S * fs * finer))
    r = waves.r_samples.astype(np.int64) * finer
    lags = np.arange(-max_lag, max_lag + 1)
    # The largest family of like beats, so that bigeminy does not give a template that is neither kind.
    here = _complexes(signal, r, half)
    by_lag = np.stack([_correlations(_complexes(signal, r + lag, half), here) for lag in lags])
    pairs = by_lag.max(axis=0)
    leader = _leading_beat(pairs, (waves.global_qrs_offset - waves.global_qrs_onset) / fs)
    family = pairs[:, leader] >= MIN_CORRELATION
    r = r + lags[np.argmax(by_lag[:, :, leader], axis=0)]
    for _ in range(2):
        template = np.median(_complexes(signal, r, half)[family], axis=0)
        by_lag = np.stack([_correlations(_complexes(signal, r + lag, half), template) for lag in lags])
        r = r + lags[np.argmax(by_lag, axis=0)]
    correlation = by_lag.max(axis=0)
    r = np.round(r / finer).astype(np.int64)
    rr = np.median(waves.rr_s) if waves.n_beats > 1 else 1.0
    p_before = (
        np.nanmax(waves.r_samples - waves.global_p_onset) / fs if np.isfinite(waves.global_p_onset).any() else 0.2
    )
    t_after = (
        np.nanmax(waves.global_t_offset - waves.r_samples) / fs if np.isfinite(waves.global_t_offset).any() else 0.45
    )
    before = round(float(np.clip(p_before + 0.05, 0.25, 0.45)) * fs)
    after = round(float(np.clip(t_after + 0.05, 0.4, max(0.4, min(0.8, rr)))) * fs)
    half = round(QRS_HALF_S * fs)
    gap = np.isnan(recording.signal)
    left_out = []
    for peak, alike in zip(r.tolist(), correlation.tolist(), strict=True):
        reasons = []
        if not alike >= MIN_CORRELATION:
            reasons.append(
                f"its QRS is unlike the median beat's (correlation {alike:.2f}, {MIN_CORRELATION:g} is needed)"
            )
        if peak - half < 0 or peak + half >= n:
            reasons.append("its QRS reaches over the edge of the recording")
        if gap[:, max(0, peak - before) : peak + after].any():
            reasons.append("there is a gap in it")
        left_out.append("; ".join(reasons))
    used = np.array([not reason for reason in left_out])
    return BeatWindows(r - before, before + after, before, used, correlation, tuple(left_out))


def _pq_levels(beats: NDArray[np.float64], onset: float, fs: float) -> NDArray[np.float64]:
    """Median of the last 20 ms before QRS onset, shape (n_beats, 12), of windows (n_beats, 12, length)."""
    stop = int(onset)
    start = max(0, stop - max(1, round(PQ_S * fs)))
    return np.asarray(np.nanmedian(beats[:, :, start : max(stop, start + 1)], axis=2))


def median_beat(recording: Recording, waves: Waves) -> MedianBeat:
    """Median beat of each lead, with its landmarks."""
    windows = beat_windows(recording, waves)
    used, fs = windows.used, recording.fs
    nowhere = {name: np.full(12, np.nan) for name in LANDMARKS}
    nothing = dict.fromkeys(LANDMARKS, float("nan"))
    if used.sum() < MIN_BEATS:
        reason = (
            f"Only {int(used.sum())} of {len(used)} beats look alike (correlation >= {MIN_CORRELATION:g}) and lie "
            f"wholly in the recording; {MIN_BEATS} are needed."
        )
        return MedianBeat(fs, windows, None, nowhere, nothing, float("nan"), reason)
    landmarks = {}
    for name in LANDMARKS:
        marks = getattr(waves, name)[:, used] - windows.start[used]
        seen = np.isfinite(marks).mean(axis=1) >= 0.5
        landmarks[name] = np.full(12, np.nan)
        landmarks[name][seen] = np.nanmedian(marks[seen], axis=1)
    by_name = {name: marks[:, None] for name, marks in landmarks.items()}
    common = {name: float(edge[0]) for name, edge in common_edges(by_name, fs).items()}
    signal = _median_signal(recording, windows, common["qrs_onset"])
    if np.isnan(waves.global_p_onset[used]).mean() > 0.5:
        _end_t_by_tangent(signal, landmarks, common, fs)
    j = float(outer_edge("qrs_offset", landmarks["qrs_offset"][:, None], fs, agreeing=1)[0])
    return MedianBeat(fs, windows, signal, landmarks, common, j, "")


def tangent_end(signal: NDArray[np.float64], j: float, t_offset: float, fs: float) -> float:
    """Return where the tangent of the last flank of T meets the level behind T, in samples; NaN where it does not.

    Tangent after Lepeschkin and Surawicz 1952, Circulation 6:378, on the first principal component of ST and T over the
    independent leads, in which what is not common to the leads, such as fibrillation waves, weighs little.

    Parameters
    ----------
    signal : ndarray of shape (12, length)
        A beat in mV.
    j, t_offset : float
        J point and the end of T as it was found, in samples.
    fs : float
    """
    if not np.isfinite(j + t_offset):
        return float("nan")
    first, behind = int(j + ST_BEGINS_S * fs), round(BEHIND_T_S * fs)
    rows = [lead_index(lead) for lead in INDEPENDENT_LEADS]
    x = signal[rows, first : round(t_offset + behind)]
    width = max(1, round(T_SMOOTH_S * fs))
    if x.shape[1] < 0.1 * fs or not np.isfinite(x).all():
        return float("nan")
    smooth = uniform_filter1d(x, width, axis=1, mode="nearest")
    away = smooth - smooth[:, -max(1, behind) :].mean(axis=1, keepdims=True)
    track = np.linalg.svd(away, full_matrices=False)[0][:, 0] @ away
    peak = int(np.argmax(np.abs(track)))
    track = track * np.sign(track[peak])
    slope = np.gradient(track)
    steepest = peak + int(np.argmin(slope[peak:]))
    return float(first + steepest - track[steepest] / slope[steepest]) if slope[steepest] < 0 else float("nan")


def _end_t_by_tangent(
    signal: NDArray[np.float64], landmarks: dict[str, NDArray[np.float64]], common: dict[str, float], fs: float
) -> None:
    """Move the end of T forward to where the tangent says, in every lead; see `BEHIND_TANGENT_S`."""
    latest = tangent_end(signal, common["qrs_offset"], common["t_offset"], fs)
    if not np.isfinite(latest):
        return
    if common["t_offset"] - latest > UNSURE_T_END_S * fs:
        common["t_offset"] = float("nan")
        return
    latest += BEHIND_TANGENT_S * fs
    common["t_offset"] = min(common["t_offset"], latest)
    landmarks["t_offset"] = np.where(landmarks["t_offset"] > latest, latest, landmarks["t_offset"])


def _median_signal(recording: Recording, windows: BeatWindows, qrs_onset: float) -> NDArray[np.float64]:
    """Return the median over the used beats, each shifted to their common PQ level, shape (12, length)."""
    beats = windows.cut(recording.signal)
    levels = _pq_levels(beats, qrs_onset, recording.fs)
    shifted = beats - levels[:, :, None] + np.median(levels, axis=0)[None, :, None]
    seen = np.isfinite(shifted).sum(axis=0) >= MIN_BEATS
    signal = np.full(seen.shape, np.nan)
    shown = shifted[:, seen]
    signal[seen] = np.median(shown, axis=0) if np.isfinite(shown).all() else np.nanmedian(shown, axis=0)
    signal.setflags(write=False)
    return signal


def same_beat(beat: MedianBeat, recording: Recording) -> MedianBeat:
    """Return a median beat of an edited recording, over the beats and at the borders of the original's.

    Parameters
    ----------
    beat : MedianBeat
        Of the original.
    recording : Recording
        As long as the original, at its rate.
    """
    if beat.signal is None:
        return beat
    return replace(beat, signal=_median_signal(recording, beat.windows, beat.common["qrs_onset"]))
