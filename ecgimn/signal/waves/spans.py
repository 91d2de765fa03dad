"""From probabilities to landmarks: one P, QRS and T per beat and lead, and whether the beats can be heart beats at all.

Guards, in order: a lead with fewer than half the median number of QRS takes the mean over the other leads; every lead's
probability is blended half and half with that mean; each wave is sought within its own beat only, so that a span
running over two beats is split at the beat's border and fragments of one wave are joined. A beat is never invented.

In beats without a P wave (atrial fibrillation above all) the network begins QRS some 30 ms too early and ends it some
30 ms too late: there the spatial velocity of the leads must bear its borders out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ecgimn.leads import INDEPENDENT_LEADS, lead_index
from ecgimn.signal.waves.openecg import QRS, P, T

MIN_SHARE_OF_BEATS = 0.2  # of the median beat's power at 5-25 Hz; what is weaker is no beat
#: Noise, hum, fibrillation and sine waves stay below 2.2; PTB-XL above 3.4, but for paced beats with tall spikes (1.7).
CLEAR_PROMINENCE = 2.5
MIN_PROMINENCE, MIN_LIKENESS = 1.7, 0.6  # enough where the beats also look alike
HALF_QRS_S = 0.1


def _steepness(signal: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Power at 5-25 Hz over all leads together, shape (n_samples,)."""
    band = butter(2, [5.0, min(25.0, 0.45 * fs)], "bandpass", fs=fs, output="sos")
    return np.asarray(np.square(sosfiltfilt(band, signal, axis=1)).sum(axis=0))


def qrs_prominence(
    power: NDArray[np.float64], onset: NDArray[np.float64], offset: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """How far QRS stands out at 5-25 Hz.

    A QRS is the steep part of an ECG. Networks also see "beats" in hum, sine waves and noise, where this is about 1.

    Parameters
    ----------
    power : ndarray of shape (n_samples,)
        At 5-25 Hz, all leads together.
    onset, offset : ndarray of shape (n_beats,)
        Common borders of QRS in samples.

    Returns
    -------
    prominence : float
        Root mean square within all QRS over that of the rest.
    by_beat : ndarray of shape (n_beats,)
        Root mean square of each QRS over the median of all.
    """
    inside = np.zeros(len(power), dtype=bool)
    by_beat = np.zeros(len(onset))
    for k, (first, last) in enumerate(zip(onset.astype(int), offset.astype(int), strict=True)):
        inside[first:last] = True
        by_beat[k] = np.sqrt(power[first:last].mean())
    rest = power[~inside].mean() if (~inside).any() else np.inf
    prominence = float(np.sqrt(power[inside].mean() / max(rest, 1e-12)))
    return prominence, by_beat / max(float(np.median(by_beat)), 1e-12)


def beats_alike(signal: NDArray[np.float64], peaks: NDArray[np.int64], fs: float) -> float:
    """Median correlation of the beats' QRS, all leads together, with their median; NaN for fewer than three beats."""
    half = round(HALF_QRS_S * fs)
    inside = peaks[(peaks >= half) & (peaks < signal.shape[1] - half)]
    if len(inside) < 3:
        return float("nan")
    beats = np.stack([signal[:, r - half : r + half] for r in inside])
    beats = (beats - beats.mean(axis=2, keepdims=True)).reshape(len(beats), -1)
    template = np.median(beats, axis=0)
    norms = np.linalg.norm(beats, axis=1) * np.linalg.norm(template)
    return float(np.median(beats @ template / np.maximum(norms, 1e-12)))


def plausible_beats(
    signal: NDArray[np.float64], fs: float, onset: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of the beats found can be beats; none of them where QRS does not stand out.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        Without NaN.
    fs : float
    onset, offset : ndarray of shape (n_beats,)
        Common borders of QRS in samples.
    """
    power = _steepness(signal, fs)
    keep = qrs_prominence(power, onset, offset)[1] >= MIN_SHARE_OF_BEATS
    prominence, _ = qrs_prominence(power, onset[keep], offset[keep])
    middles = ((onset[keep] + offset[keep]) / 2.0).astype(np.int64)
    alike = prominence >= MIN_PROMINENCE and beats_alike(signal, middles, fs) >= MIN_LIKENESS
    return keep if prominence >= CLEAR_PROMINENCE or alike else np.zeros(len(keep), dtype=bool)


LANDMARKS = ("p_onset", "p_offset", "qrs_onset", "qrs_offset", "t_onset", "t_peak", "t_offset")
BLEND = 0.5  # share of the 12-lead mean in each lead's probability
MIN_QRS_S = 0.03  # shorter runs are noise
REFRACTORY_S = 0.2  # two ventricular activations cannot follow each other faster
QRS_SEARCH_S = 0.06  # how far a lead's QRS may begin or end beyond the common one
P_SEARCH_S = 0.45  # how long before QRS a P wave may begin and still belong to the beat
CUT_OFF_S = 0.008  # a QRS that begins or ends this close to the recording's edge is not seen whole
LOGIT_LIMIT = 4.0  # a single sample's say in where a wave lies
#: Where probability crosses one half is too wide on both sides: mean distance to the cardiologist's marks (LUDB) and to
#: the intervals that GE, Philips and others print, in seconds; taken off every landmark.
BIAS_S = {"p_onset": -0.004, "p_offset": 0.002, "qrs_onset": -0.006, "qrs_offset": 0.006, "t_onset": -0.012,
          "t_offset": 0.008}  # fmt: skip
#: Spatial velocity, the root of the summed squares of the leads' slopes: QRS is where it passes 15 % of what it exceeds
#: for 20 ms (a pacing spike is shorter). That is narrower than the network's QRS in sinus rhythm by 10 and 8 ms, the
#: medians of 40 normal records of PTB-XL at 500 Hz. Of 207 records with atrial fibrillation and no code of a block, 7
#: then have a QRS of 120 ms or more (198 without this), 5 of them with a block in their report; of 60 with a bundle
#: branch block, 57 (58).
VELOCITY_SHARE, VELOCITY_HELD_S, VELOCITY_HALF_S = 0.15, 0.02, 0.004
VELOCITY_BEFORE_S, VELOCITY_AFTER_S = 0.010, 0.008
MIN_GAIN = {P: 12.0, QRS: 4.0, T: 12.0}  # summed log odds below which there is no wave


@dataclass(frozen=True, eq=False)
class Spans:
    """Landmarks in samples of the posterior's rate; NaN where a wave was not found.

    Attributes
    ----------
    beats : ndarray of shape (n_beats, 2)
        Start and stop of the common QRS of each beat.
    landmarks : dict of str to ndarray of shape (n_leads, n_beats)
        Keys of `LANDMARKS` but t_peak; offsets are the first sample after the wave.
    edge_t, edge_p : ndarray of shape (n_leads, 2)
        A T wave before the first beat and a P wave after the last one, whose beats were cut off by the recording.
    masked : ndarray of shape (n_leads,), bool
        Leads that took the mean over the other leads.
    """

    beats: NDArray[np.int64]
    landmarks: dict[str, NDArray[np.float64]]
    edge_t: NDArray[np.float64]
    edge_p: NDArray[np.float64]
    masked: NDArray[np.bool_]


def runs_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Start and stop of each run of True, shape (n_runs, 2)."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def _beat_runs(qrs: NDArray[np.float64], fs: float) -> NDArray[np.int64]:
    """QRS runs of a probability track: long enough, apart by the refractory time, the stronger one kept."""
    runs = runs_of(qrs > 0.5)
    if len(runs) == 0:
        return runs
    joined = [runs[0]]
    for run in runs[1:]:  # a notch may split one QRS; two are never closer than this
        if run[0] - joined[-1][1] < 0.04 * fs:
            joined[-1] = np.array([joined[-1][0], run[1]])
        else:
            joined.append(run)
    kept: list[NDArray[np.int64]] = []
    for run in joined:
        if run[1] - run[0] < MIN_QRS_S * fs:
            continue
        if kept and run.mean() - kept[-1].mean() < REFRACTORY_S * fs:
            if qrs[run[0] : run[1]].sum() > qrs[kept[-1][0] : kept[-1][1]].sum():
                kept[-1] = run
            continue
        kept.append(run)
    return np.array(kept, dtype=np.int64).reshape(-1, 2)


def _best_span(score: NDArray[np.float64], start: int, stop: int, min_gain: float) -> tuple[float, float]:
    """Start and stop of the stretch within [start, stop) whose summed log odds are greatest, or NaN."""
    if stop - start < 2:
        return np.nan, np.nan
    total = np.concatenate([[0.0], np.cumsum(score[start:stop])])
    lowest = np.minimum.accumulate(total)
    gain = total[1:] - lowest[:-1]
    last = int(np.argmax(gain))
    if gain[last] < min_gain:
        return np.nan, np.nan
    first = int(np.argmin(total[: last + 1]))
    return float(start + first), float(start + last + 1)


def _guarded(
    posterior: NDArray[np.float64], usable: NDArray[np.bool_], fs: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Blend each lead with the mean; return blended posterior, mean posterior and the leads that took the mean."""
    counts = np.array([len(_beat_runs(lead[:, QRS], fs)) for lead in posterior])
    counts[~usable] = 0
    masked = counts < 0.5 * np.median(counts[usable]) if usable.any() else np.ones(len(counts), dtype=bool)
    masked |= ~usable
    if masked.all():
        masked = ~usable
    trusted = posterior[~masked] if (~masked).any() else posterior
    mean = trusted.mean(axis=0)
    own = np.where(masked[:, None, None], mean[None], posterior)
    return (1 - BLEND) * own + BLEND * mean, mean, masked


def _spatial_velocity(signal: NDArray[np.float64], usable: NDArray[np.bool_], fs: float) -> NDArray[np.float64]:
    """Root of the summed squares of the slopes of the independent leads, mV/s, shape (n_samples,)."""
    half = round(VELOCITY_HALF_S * fs)
    rows = [lead_index(lead) for lead in INDEPENDENT_LEADS if usable[lead_index(lead)]]
    velocity = np.zeros(signal.shape[1])
    slopes = (signal[rows, 2 * half :] - signal[rows, : -2 * half]) * fs / (2 * half)
    velocity[half:-half] = np.sqrt(np.square(slopes).sum(axis=0))
    return velocity


def _narrow_without_p(
    marks: dict[str, NDArray[np.float64]], signal: NDArray[np.float64], usable: NDArray[np.bool_], fs: float
) -> None:
    """Move the borders of QRS inwards to where the leads begin and cease to be steep, in beats without a P wave.

    Borders only ever move inwards, and no further than to the first and last steep sample: slow stretches within a QRS
    of a bundle branch block change nothing.
    """
    velocity = _spatial_velocity(signal, usable, fs)
    onset, offset = marks["qrs_onset"], marks["qrs_offset"]
    held = round(VELOCITY_HELD_S * fs)
    for k in np.flatnonzero(2 * np.isfinite(marks["p_onset"]).sum(axis=0) < len(onset)):
        first, last = max(0, int(onset[:, k].min())), int(np.ceil(offset[:, k].max()))
        within = velocity[first:last]
        if len(within) <= held:
            continue
        steep = first + np.flatnonzero(within > VELOCITY_SHARE * np.partition(within, -held)[-held])
        onset[:, k] = np.maximum(onset[:, k], steep[0] - VELOCITY_BEFORE_S * fs)
        offset[:, k] = np.minimum(offset[:, k], steep[-1] + 1 + VELOCITY_AFTER_S * fs)


def find_spans(
    posterior: NDArray[np.float64], usable: NDArray[np.bool_], fs: float, signal: NDArray[np.float64]
) -> Spans:
    """Beats and their waves.

    Parameters
    ----------
    posterior : ndarray of shape (n_leads, n_samples, 4)
        As from `wave_posterior`.
    usable : ndarray of shape (n_leads,), bool
        False for leads without signal; they take the mean of the others.
    fs : float
        Rate of posterior and signal in Hz.
    signal : ndarray of shape (n_leads, n_samples)
        Millivolts, the standard leads, without NaN.
    """
    n_leads, n, _ = posterior.shape
    blended, mean, masked = _guarded(posterior, usable, fs)
    beats = _beat_runs(mean[:, QRS], fs)
    margin = round(CUT_OFF_S * fs)
    beats = beats[(beats[:, 0] >= margin) & (beats[:, 1] <= n - margin)]  # others are cut off by the recording's edge
    marks = {name: np.full((n_leads, len(beats)), np.nan) for name in LANDMARKS}
    edge_t, edge_p = np.full((n_leads, 2), np.nan), np.full((n_leads, 2), np.nan)
    if len(beats) == 0:
        return Spans(beats, marks, edge_t, edge_p, masked)
    blended = np.clip(blended, 1e-3, 1 - 1e-3)
    score = np.clip(np.log(blended) - np.log1p(-blended), -LOGIT_LIMIT, LOGIT_LIMIT)  # (n_leads, n_samples, 4)
    reach = round(QRS_SEARCH_S * fs)
    for lead in range(n_leads):
        q, p, t = score[lead, :, QRS], score[lead, :, P], score[lead, :, T]
        onset, offset = np.empty(len(beats)), np.empty(len(beats))
        for k, (start, stop) in enumerate(beats):
            low, high = max(0, start - reach), min(n, stop + reach)
            onset[k], offset[k] = _best_span(q, low, high, MIN_GAIN[QRS])
            if np.isnan(onset[k]):
                onset[k], offset[k] = start, stop
        marks["qrs_onset"][lead], marks["qrs_offset"][lead] = onset, offset
        border = 0
        for k in range(len(beats) + 1):
            here = int(onset[k]) if k < len(beats) else n
            if k == 0:
                edge_t[lead] = _best_span(t, 0, here, MIN_GAIN[T])
                border = 0 if np.isnan(edge_t[lead, 1]) else int(edge_t[lead, 1])
            else:
                found = _best_span(t, int(offset[k - 1]), here, MIN_GAIN[T])
                marks["t_onset"][lead, k - 1], marks["t_offset"][lead, k - 1] = found
                border = int(offset[k - 1]) if np.isnan(found[1]) else int(found[1])
            found = _best_span(p, max(border, here - round(P_SEARCH_S * fs)), here, MIN_GAIN[P])
            if k < len(beats):
                marks["p_onset"][lead, k], marks["p_offset"][lead, k] = found
            else:
                edge_p[lead] = found
    for wave in ("p", "qrs", "t"):
        marks[f"{wave}_onset"] -= BIAS_S[f"{wave}_onset"] * fs
        marks[f"{wave}_offset"] = np.fmax(
            marks[f"{wave}_offset"] - BIAS_S[f"{wave}_offset"] * fs, marks[f"{wave}_onset"] + 0.01 * fs
        )
    _narrow_without_p(marks, signal, usable, fs)
    return Spans(beats, marks, edge_t, edge_p, masked)
