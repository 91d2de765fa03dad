"""Probability of P, QRS and T at each sample of each lead, from openecg's published network (`delineator`)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS, lead_index
from ecgimn.signal.delineator import NETWORK_FS, NETWORK_SAMPLES, load_delineator, wave_logits

EDGE_S = 1.5  # at each end of its window the network sees no beats
EDGE_LEADS = 2  # leads that are read a second time for the edges of the recording
EINTHOVEN_LIMIT_MV = 0.05  # limb leads that differ by more are taken as the file has them
OTHER, P, QRS, T = range(4)  # classes of the wave head
_EDGE_ORDER = ("II", "V2", "V5", "I", "V3", "V4", "V6", "V1", "III", "aVL")  # preferred first
_MADE_OF = {"aVR": ("I", "II"), "aVF": ("II", "III")}
#: For many records: five leads read, one of them twice. Against LUDB's marks in the eleven records of the tests,
#: standard deviations then are 13.9 ms at J and 35.0 ms at T end, instead of 13.5 and 33.1 ms.
_QUICKLY_MADE_OF = {
    "III": ("II",),
    "aVR": ("I", "II"),
    "aVL": ("I",),
    "aVF": ("II",),
    "V3": ("V2", "V5"),
    "V4": ("V5",),
    "V6": ("V5",),
}
QUICK_EDGE_LEADS = 1


def bridge_gaps(signal: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the signal with gaps (NaN) bridged by straight lines, for algorithms that need every sample.

    Parameters
    ----------
    signal : ndarray of shape (n_leads, n_samples)
        Each lead holds at least one finite sample; the recording's own check guarantees it.
    """
    bridged = np.array(signal, dtype=np.float64)
    for row in bridged:
        gap = np.isnan(row)
        if gap.any():
            row[gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), row[~gap])
    return bridged


def steady(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the signal so that waves depend on nothing but the tracing.

    Levels are taken off and the 32-bit rounding that a constant leaves is rounded away; III, aVR, aVL and aVF are made
    from I and II wherever the file's own agree with them. Adding a constant to a lead or deriving the limb leads anew
    then changes no landmark.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        Millivolts, without NaN.
    """
    centred = np.round(signal - np.median(signal, axis=1, keepdims=True), 4)
    made = LIMB_FROM_I_II @ centred[:2]
    away = centred[:6] - made
    agree = np.abs(away - np.median(away, axis=1, keepdims=True)).max(axis=1) <= EINTHOVEN_LIMIT_MV
    centred[:6][agree] = np.round(made[agree], 4)
    return np.asarray(centred)


def resample(signal: NDArray[np.floating], fs: float, to_fs: float) -> NDArray[np.float64]:
    """Resample each lead with an anti-alias filter; the first sample keeps its place in time.

    Parameters
    ----------
    signal : ndarray of shape (n_leads, n_samples)
        Without NaN.
    fs, to_fs : float
        Rates in Hz before and after.
    """
    ratio = Fraction(to_fs / fs).limit_denominator(500)
    if ratio == 1:
        return np.asarray(signal, dtype=np.float64)
    return np.asarray(resample_poly(np.asarray(signal, dtype=np.float64), ratio.numerator, ratio.denominator, axis=1,
                                    padtype="line"))  # fmt: skip


def _rank_normalised(row: NDArray[np.float64]) -> NDArray[np.float32]:
    from openecg.dsp import rank_normalize

    return np.asarray(rank_normalize(row.astype(np.float32)), dtype=np.float32)


def _window_starts(n_samples: int) -> list[int]:
    """Starts of windows whose kept parts, `EDGE_S` inside each window, cover the recording between its own edges."""
    if n_samples <= NETWORK_SAMPLES:
        return [0]
    step = NETWORK_SAMPLES - 2 * round(EDGE_S * NETWORK_FS)
    return [*range(0, n_samples - NETWORK_SAMPLES, step), n_samples - NETWORK_SAMPLES]


def _read_window(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of a stretch of at most 10 s of one lead, set in the middle of the window, its mirror image around it."""
    n = len(row)
    before = (NETWORK_SAMPLES - n) // 2
    window = np.pad(row, (before, NETWORK_SAMPLES - n - before), mode="reflect")
    return wave_logits(_rank_normalised(window))[before : before + n]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _inner_logits(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of one lead, each sample from a window in which it lies far from the ends wherever there is one."""
    n = len(row)
    edge = round(EDGE_S * NETWORK_FS)
    logits = np.zeros((n, 4))
    for start in _window_starts(n):
        stop = min(start + NETWORK_SAMPLES, n)
        keep = start if start == 0 else start + edge
        logits[keep:stop] = _read_window(row[start:stop])[keep - start :]
    return logits


def wave_posterior(
    signal: NDArray[np.floating], fs: float, usable: NDArray[np.bool_], *, quick: bool = False
) -> NDArray[np.float64]:
    """Probability of each wave at 500 Hz.

    The network was trained on recordings whose first and last beats carry no marks (LUDB), so it sees no beats near
    the ends of its window. The first and last `EDGE_S` of a recording are therefore read a second time, its end laid
    before its beginning, in `EDGE_LEADS` leads; the other leads take their mean there. aVR and aVF take the mean over
    the two leads they are made of, which changes their landmarks by less than a millisecond and saves a sixth of the
    time.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        Millivolts, without NaN; any length.
    fs : float
        Sampling frequency in Hz.
    usable : ndarray of shape (12,), bool
        Leads with a signal; the others are not read and hold (1, 0, 0, 0).
    quick : bool
        Read five leads and give the others the means of their neighbours: half the time, slightly less sure.

    Returns
    -------
    posterior : ndarray of shape (12, n_samples_500, 4)
        Softmax over (other, P, QRS, T).

    Raises
    ------
    DelineatorMissingError
        openecg, onnx or onnxruntime is not installed.
    """
    load_delineator()
    at_500 = resample(signal, fs, NETWORK_FS)
    n = at_500.shape[1]
    posterior = np.zeros((12, n, 4))
    posterior[:, :, OTHER] = 1.0
    rows = [int(row) for row in np.flatnonzero(usable)]
    made_of = {
        lead: parents
        for lead, parents in (_QUICKLY_MADE_OF if quick else _MADE_OF).items()
        if all(usable[lead_index(parent)] for parent in parents)
    }
    for row in rows:
        if STANDARD_LEADS[row] not in made_of:
            posterior[row] = _softmax(_inner_logits(at_500[row]))
    edge = min(round(EDGE_S * NETWORK_FS), n // 2)
    if (NETWORK_SAMPLES - n) // 2 < edge:
        half, n_twice = min(NETWORK_SAMPLES // 2, n // 2), QUICK_EDGE_LEADS if quick else EDGE_LEADS
        twice_read = [row for row in map(lead_index, _EDGE_ORDER) if row in rows][:n_twice] or rows[:n_twice]
        ends = np.stack([_softmax(_read_window(np.r_[at_500[row, -half:], at_500[row, :half]])) for row in twice_read])
        for row in rows:
            own = ends[twice_read.index(row)] if row in twice_read else ends.mean(axis=0)
            posterior[row, :edge], posterior[row, -edge:] = own[half : half + edge], own[half - edge : half]
    for lead, parents in made_of.items():
        if usable[lead_index(lead)]:
            posterior[lead_index(lead)] = posterior[[lead_index(parent) for parent in parents]].mean(axis=0)
    return posterior
