"""Whether what a delineator calls beats can be heart beats at all: a beat is never invented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

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
