"""Waves by neurokit2's discrete wavelet method, asked only when openecg is missing or finds no beat.

neurokit2 (MIT, Makowski et al. 2021, doi:10.3758/s13428-020-01516-y) finds "peaks" in noise as readily as in an ECG, so
its beats count only where several leads agree on them and the beats look alike.
"""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import INDEPENDENT_LEADS, lead_index
from ecgimn.signal.waves.spans import LANDMARKS, MIN_LIKENESS, Spans, beats_alike

AGREEMENT_S = 0.06  # R peaks of two leads within this are one beat
MIN_AGREEING = 4  # of the 8 independent leads
_COLUMNS = {"p_onset": "ECG_P_Onsets", "p_offset": "ECG_P_Offsets", "qrs_onset": "ECG_R_Onsets",
            "qrs_offset": "ECG_R_Offsets", "t_onset": "ECG_T_Onsets", "t_offset": "ECG_T_Offsets"}  # fmt: skip
#: What neurokit2 0.2 raises on signals it cannot handle; anything else is a bug and must surface.
_NEUROKIT_FAILURES = (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError)


def _neurokit() -> ModuleType | None:
    try:
        import neurokit2
    except ImportError:
        return None
    return neurokit2  # type: ignore[no-any-return]


def neurokit_is_installed() -> bool:
    """Whether the second opinion can be asked; neurokit2 is optional."""
    return _neurokit() is not None


def _agreed_peaks(peaks: list[NDArray[np.float64]], fs: float) -> NDArray[np.int64]:
    """R peaks that at least `MIN_AGREEING` leads share, as the median over those leads."""
    pooled = np.sort(np.concatenate(peaks)) if peaks else np.empty(0)
    agreed: list[int] = []
    for group in np.split(pooled, np.flatnonzero(np.diff(pooled) > AGREEMENT_S * fs) + 1):
        if len(group) >= MIN_AGREEING and np.ptp(group) <= 2 * AGREEMENT_S * fs:
            agreed.append(round(float(np.median(group))))
    return np.array(agreed, dtype=np.int64)


def neurokit_spans(signal: NDArray[np.float64], fs: float, usable: NDArray[np.bool_]) -> Spans | None:
    """Waves by neurokit2, or None when it is not installed or finds nothing that leads and beats agree on.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        Millivolts, without NaN.
    fs : float
    usable : ndarray of shape (12,), bool
        Leads with a signal.
    """
    nk = _neurokit()
    if nk is None:
        return None
    rate = round(fs)
    peaks: list[NDArray[np.float64]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for lead in INDEPENDENT_LEADS:
            if not usable[lead_index(lead)]:
                continue
            try:
                cleaned = nk.ecg_clean(signal[lead_index(lead)], sampling_rate=rate)
                peaks.append(np.asarray(nk.ecg_peaks(cleaned, sampling_rate=rate)[1]["ECG_R_Peaks"], dtype=np.float64))
            except _NEUROKIT_FAILURES:
                continue
        r = _agreed_peaks(peaks, fs)
        if len(r) < 3 or not beats_alike(signal, r, fs) >= MIN_LIKENESS:
            return None
        marks = {name: np.full((12, len(r)), np.nan) for name in LANDMARKS}
        for row in np.flatnonzero(usable):
            try:
                found = nk.ecg_delineate(
                    nk.ecg_clean(signal[row], sampling_rate=rate), r, sampling_rate=rate, method="dwt"
                )[1]
            except _NEUROKIT_FAILURES:
                continue
            for name, column in _COLUMNS.items():
                values = np.asarray(found[column], dtype=np.float64)
                if len(values) == len(r):
                    marks[name][row] = values
    return _complete(marks, r, fs)


def _complete(marks: dict[str, NDArray[np.float64]], r: NDArray[np.int64], fs: float) -> Spans | None:
    """Take the median over leads where a lead's QRS was missed, and drop beats no lead delineates."""
    for name in ("qrs_onset", "qrs_offset"):
        sign = -1 if name == "qrs_onset" else 1
        away = sign * (marks[name] - r)
        marks[name][(away <= 0) | (away > 0.15 * fs)] = np.nan
    found = np.isfinite(marks["qrs_onset"]).any(axis=0) & np.isfinite(marks["qrs_offset"]).any(axis=0)
    if not found.any():
        return None
    marks = {name: values[:, found] for name, values in marks.items()}
    for name in ("qrs_onset", "qrs_offset"):
        common = np.nanmedian(marks[name], axis=0)
        marks[name] = np.where(np.isnan(marks[name]), common, marks[name])
    next_onset = np.append(np.nanmin(marks["qrs_onset"], axis=0)[1:], np.inf)
    wrong_t = ~((marks["t_onset"] >= marks["qrs_offset"]) & (marks["t_offset"] > marks["t_onset"]))
    wrong_t |= ~(marks["t_offset"] <= next_onset)
    marks["t_onset"][wrong_t] = marks["t_offset"][wrong_t] = np.nan
    previous_t = np.concatenate([np.full((12, 1), -np.inf), np.nan_to_num(marks["t_offset"][:, :-1], nan=-np.inf)], 1)
    wrong_p = ~((marks["p_offset"] <= marks["qrs_onset"]) & (marks["p_offset"] > marks["p_onset"]))
    wrong_p |= ~(marks["p_onset"] >= previous_t)
    marks["p_onset"][wrong_p] = marks["p_offset"][wrong_p] = np.nan
    beats = np.stack([np.nanmedian(marks["qrs_onset"], 0), np.nanmedian(marks["qrs_offset"], 0)], 1).astype(np.int64)
    nothing = np.full((12, 2), np.nan)
    return Spans(beats, marks, nothing, nothing.copy(), np.zeros(12, dtype=bool))
