"""Masks of an ECG's waves as they were measured, lead by lead and beat by beat, for edits that the reader sees.

The quick masks of training (`intervene.masks_from_landmarks`) are the same for all leads; these follow the labels of
the ledger, at the recording's own rate, so an edited wave is the wave whose cell the ledger prints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ecgimn.explain.intervene import WaveMasks
from ecgimn.signal.waves import WAVE_NAMES, Waves

SOFT_S = 0.02  # masks rise and fall over this long, so that an edit leaves no step
# As in training: ST moves from 20 ms before J on, and runs out over the first 60 % of T.
ST_RISE_S, ST_FADE_SHARE = 0.02, 0.6
Q_AFTER_ONSET_S, Q_WIDTH_S = 0.02, 0.013
LATE_BEFORE_J_S, LATE_WIDTH_S = 0.01, 0.02


def masks_from_waves(waves: Waves, levels: NDArray[np.floating]) -> WaveMasks:
    """Build masks from measured waves; a wave that was not found in a lead has no mask there.

    Parameters
    ----------
    waves : Waves
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.
    """
    width = max(1, round(SOFT_S * waves.fs))

    def soft(*names: str) -> NDArray[np.float64]:
        inside = np.isin(waves.labels, [WAVE_NAMES.index(name) for name in names])
        return np.asarray(uniform_filter1d(inside.astype(np.float64), width, axis=1))

    onset = _seen(waves.qrs_onset, waves.global_qrs_onset)
    j = _seen(waves.qrs_offset, waves.global_qrs_offset)
    return WaveMasks(
        fs=waves.fs,
        level=np.asarray(levels, dtype=np.float64),
        p=soft("P"),
        q=_bumps(onset + Q_AFTER_ONSET_S * waves.fs, Q_WIDTH_S * waves.fs, waves.n_samples),
        qrs=soft("QRS"),
        late=_bumps(j - LATE_BEFORE_J_S * waves.fs, LATE_WIDTH_S * waves.fs, waves.n_samples),
        st=_st_plateaus(waves, j),
        t=soft("T"),
        stt=soft("ST", "T"),
        whole=np.ones(waves.labels.shape),
    )


def no_wave_masks(fs: float, n_samples: int, levels: NDArray[np.floating]) -> WaveMasks:
    """Return the masks of an ECG in which no beat was found: whole leads can be edited, waves cannot."""
    none = np.zeros((12, n_samples))
    level = np.asarray(levels, dtype=np.float64)
    return WaveMasks(fs, level, none, none, none, none, none, none, none, np.ones((12, n_samples)))


def _seen(per_lead: NDArray[np.float64], common: NDArray[np.float64]) -> NDArray[np.float64]:
    """Landmarks per lead and beat; the common one where a lead has none."""
    return np.where(np.isfinite(per_lead), per_lead, common[None, :])


def _st_plateaus(waves: Waves, j: NDArray[np.float64]) -> NDArray[np.float64]:
    """One from J to the onset of T, running out over T; zero for a beat whose T was not seen."""
    onset, offset = _seen(waves.t_onset, waves.global_t_onset), _seen(waves.t_offset, waves.global_t_offset)
    mask = np.zeros(waves.labels.shape)
    for lead, beat in np.argwhere(np.isfinite(j + onset + offset)):
        start, plateau = j[lead, beat] - ST_RISE_S * waves.fs, max(onset[lead, beat], j[lead, beat])
        stop = plateau + max(ST_FADE_SHARE * (offset[lead, beat] - plateau), 1.0)
        at = np.arange(max(0, int(start)), min(waves.n_samples, int(stop) + 1))
        corners = np.maximum.accumulate(np.array([start, j[lead, beat], plateau, stop])) + np.arange(4) * 1e-6
        mask[lead, at] = np.maximum(mask[lead, at], np.interp(at, corners, [0.0, 1.0, 1.0, 0.0]))
    return mask


def _bumps(centres: NDArray[np.float64], width: float, n_samples: int) -> NDArray[np.float64]:
    """Gaussian bumps around the centres of each lead's beats."""
    mask = np.zeros((len(centres), n_samples))
    reach = 4 * width
    for lead, beat in np.argwhere(np.isfinite(centres)):
        centre = centres[lead, beat]
        at = np.arange(max(0, int(centre - reach)), min(n_samples, int(centre + reach) + 1))
        mask[lead, at] = np.maximum(mask[lead, at], np.exp(-0.5 * ((at - centre) / width) ** 2))
    return mask
