"""What a recording holds beside a simultaneous ECG: padding with one value, leads that follow each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_TURN_SHARE = 0.1  # of the recording, for a lead to be there in turns and not merely lost
MIN_STILL_S = 0.5  # all twelve leads at rest together for longer is no diastole: noise alone moves one of them


def still_stretches(signal: NDArray[np.floating], fs: float) -> tuple[tuple[float, float], ...]:
    """Find where all leads keep exactly one value each for `MIN_STILL_S` or longer, as files are padded.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        mV; NaN for gaps, which are no padding.
    fs : float
        Hz.

    Returns
    -------
    tuple of (start_s, stop_s)
    """
    still = (np.diff(signal, axis=1) == 0).all(axis=0)
    edges = np.diff(np.concatenate([[0], still.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) + 1
    return tuple(
        (float(start / fs), float(stop / fs))
        for start, stop in zip(starts, stops, strict=True)
        if stop - start >= MIN_STILL_S * fs
    )


def padding_warning(signal: NDArray[np.floating], fs: float) -> str | None:
    """Say where a recording holds no signal, or return None."""
    found = still_stretches(signal, fs)
    if not found:
        return None
    where = ", ".join(f"{start:.1f} to {stop:.1f} s" for start, stop in found[:4]) + (" ..." if len(found) > 4 else "")
    total = sum(stop - start for start, stop in found)
    return (
        f"No signal in any lead for {total:.1f} s ({where}): all leads are flat there, as zero padding is. The model "
        "reads these seconds too. Choose a window without them."
    )


def one_after_another(signal: NDArray[np.floating]) -> bool:
    """Whether leads were recorded in turns, as a 3 x 4 print has them: at no time are all twelve there.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        mV; NaN where a lead was not recorded.
    """
    there = np.isfinite(signal)
    return not bool(there.all(axis=0).any()) and bool((there.mean(axis=1) > MIN_TURN_SHARE).all())
