"""Edits of an ECG that mean something to a cardiologist, and the masks of the waves they change.

Every edit returns the change `d` of the signal, so the edited ECG is `x + d`. Training and evaluation use the 100 Hz
input with quick landmarks, the same for all leads (`masks_from_landmarks`); the what-if page uses the recording itself
with the waves measured lead by lead and beat by beat (`masks_from_waves`), so an edited wave is the wave whose cell the
ledger prints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.signal.preprocess import MODEL_FS
from ecgimn.signal.waves.find import WAVE_NAMES, Waves
from ecgimn.signal.waves.quick import Landmarks

#: The lead groups that interventions act on.
LEAD_GROUPS: dict[str, NDArray[np.bool_]] = {
    name: np.isin(STANDARD_LEADS, leads)
    for name, leads in {
        **{name: leads for name, leads in TERRITORIES.items() if name != "aVR"},
        "anteroseptal": ("V1", "V2", "V3", "V4"),
        "anterolateral": ("V3", "V4", "V5", "V6", "I", "aVL"),
        "all": STANDARD_LEADS,
    }.items()
}

#: Families that add a wave of `amount` mV, and the mask they add.
ADDED = {"st_shift": "st", "q_wave": "q", "late_r": "late", "raised_t": "t", "raised_p": "p"}
#: Families that scale a wave about the isoelectric level by the factor `amount`, and its mask.
SCALED = {
    "t_scale": "t",
    "stt_scale": "stt",
    "qrs_scale": "qrs",
    "p_scale": "p",
    "lead_scale": "whole",
    "gain": "whole",
}
#: Families that should change neither the logit nor the map.
NUISANCES = ("noise", "drift")
FAMILIES = (*ADDED, *SCALED, "wide_qrs", "cells", "bumps", *NUISANCES)

CELL_S = 0.5  # length of a cell of the family "cells"
WIDE_QRS_S = 0.09  # moving average that widens QRS


@dataclass(frozen=True, eq=False)
class WaveMasks:
    """Where an ECG's waves are, as soft masks.

    Attributes
    ----------
    fs : float
        Hz.
    level : ndarray of shape (12,)
        Isoelectric level per lead in mV.
    p, q, qrs, late, st, t, stt, whole : ndarray of shape (n_samples,) or (12, n_samples)
        Values from 0 to 1; `q` is a bump at the start of QRS, `late` one at its end, `st` a plateau from the J point to
        the onset of T that fades over the first half of T, `whole` is one everywhere.
    """

    fs: float
    level: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    qrs: NDArray[np.float64]
    late: NDArray[np.float64]
    st: NDArray[np.float64]
    t: NDArray[np.float64]
    stt: NDArray[np.float64]
    whole: NDArray[np.float64]


def masks_from_landmarks(landmarks: Landmarks, n_samples: int) -> WaveMasks:
    """Build masks for the 100 Hz input from quick landmarks; the same for all leads."""
    fs = MODEL_FS
    before, after, t_end = landmarks.qrs_before, landmarks.qrs_after, landmarks.t_end
    span = t_end - after
    t_onset = after + 0.35 * span
    pr = min(0.20 * fs, 0.35 * landmarks.rr)
    reach = int(max(before + pr, t_end)) + 20  # from the centre of a beat to where its last mask has faded
    offsets = np.arange(-reach, reach + 1)
    around = (landmarks.centres[:, None] + reach + offsets).ravel()  # of each beat, in samples counted from -reach

    def at_every_beat(mask: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = np.zeros(n_samples + 2 * reach)
        np.maximum.at(whole, around, np.tile(mask, len(landmarks.centres)))
        return whole[reach : reach + n_samples]

    def place(*points: float) -> NDArray[np.float64]:
        xs = np.maximum.accumulate(np.asarray(points) + np.array([0.0, 1e-6, 2e-6, 3e-6]))
        return at_every_beat(np.interp(offsets, xs, [0.0, 1.0, 1.0, 0.0]))

    def bump(centre: float, width: float) -> NDArray[np.float64]:
        return at_every_beat(np.exp(-0.5 * ((offsets - centre) / width) ** 2))

    stt = place(after - 1, after + 1, t_end - 3, t_end + 2)
    return WaveMasks(
        fs=fs,
        level=landmarks.level,
        p=place(-before - pr, -before - pr + 3, -before - 4, -before - 1),
        q=bump(-before + 2.0, 1.3),
        qrs=place(-before - 2, -before, after, after + 2),
        late=bump(after - 1.0, 2.0),
        st=place(after - 2, after, t_onset, after + 0.75 * span),
        t=place(t_onset - 4, t_onset + 2, t_end - 3, t_end + 2),
        stt=stt,
        whole=np.ones(n_samples),
    )


def intervention(
    family: str,
    x: NDArray[np.floating],
    masks: WaveMasks,
    *,
    leads: NDArray[np.bool_],
    amount: float,
    rng: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """Return the change that one intervention makes to an ECG.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    x : ndarray of shape (12, n_samples)
        The ECG in mV.
    masks : WaveMasks
        Its waves.
    leads : ndarray of shape (12,), bool
        The leads to act on.
    amount : float
        mV for added waves, bumps, noise (standard deviation) and drift; a factor for scaled waves (0 removes, -1
        inverts); 0 to 1 for `wide_qrs`; the share of cells set to the isoelectric level for `cells`.
    rng : numpy.random.Generator
        Needed by `cells`, `bumps`, `noise` and `drift`.

    Returns
    -------
    ndarray of shape (12, n_samples)
        The change in mV; the edited ECG is `x` plus this.

    Raises
    ------
    ValueError
        The family is unknown, or a random family was given no generator.
    """
    chosen = leads[:, None].astype(float)
    if family in ADDED:
        return np.asarray(chosen * amount * np.broadcast_to(getattr(masks, ADDED[family]), x.shape))
    if family in SCALED:
        return np.asarray(chosen * (amount - 1.0) * getattr(masks, SCALED[family]) * (x - masks.level[:, None]))
    if family == "wide_qrs":
        smooth = uniform_filter1d(np.asarray(x, dtype=float), max(3, round(WIDE_QRS_S * masks.fs)), axis=1)
        around = np.clip(masks.qrs + masks.late + masks.q, 0.0, 1.0)
        return np.asarray(chosen * amount * around * (smooth - x))
    if family not in FAMILIES:
        raise ValueError(f"family is {family!r}; one of {', '.join(FAMILIES)} is needed")
    if rng is None:
        raise ValueError(f"the family {family!r} is random and needs rng")
    n_samples = x.shape[1]
    if family == "cells":
        length = round(CELL_S * masks.fs)
        cells = rng.random((12, -(-n_samples // length))) < amount
        removed = np.repeat(cells, length, axis=1)[:, :n_samples] * chosen
        return np.asarray(-removed * (x - masks.level[:, None]))
    if family == "noise":
        return np.asarray(chosen * rng.standard_normal(x.shape) * amount)
    times = np.arange(n_samples) / masks.fs
    if family == "drift":
        phase, rate = rng.uniform(0, 2 * np.pi, (12, 1)), rng.uniform(0.05, 0.4, (12, 1))
        return np.asarray(chosen * amount * np.sin(2 * np.pi * rate * times + phase))
    d = np.zeros(x.shape)  # bumps: three smooth Gaussian waves per lead, anywhere
    for _ in range(3):
        centre, width = rng.uniform(0, times[-1], (12, 1)), rng.uniform(0.03, 0.2, (12, 1))
        d += rng.normal(0.0, amount, (12, 1)) * np.exp(-0.5 * ((times - centre) / width) ** 2)
    return np.asarray(chosen * d)


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
