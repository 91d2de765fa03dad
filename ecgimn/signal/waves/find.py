"""P, QRS, ST and T spans of every lead and beat, with the landmarks that measurements and the ledger stand on.

Waves are found by openecg's network with guards (`spans`); neurokit2 is asked only when openecg is not installed or
finds no beat (`neurokit`). A beat is never invented: where neither finds one, `SignalError` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.waves.neurokit import neurokit_is_installed, neurokit_spans
from ecgimn.signal.waves.openecg import (
    BEAT_KINDS,
    BEATS,
    NETWORK_FS,
    RHYTHMS,
    WAVES,
    DelineatorMissingError,
    resample,
    steady,
    wave_posterior,
)
from ecgimn.signal.waves.openecg import P as NETWORK_P
from ecgimn.signal.waves.spans import LANDMARKS, Spans, find_spans, plausible_beats, runs_of

WAVE_NAMES = ("unassigned", "P", "PR", "QRS", "ST", "T", "TP")
UNASSIGNED, P, PR, QRS, ST, T, TP = range(len(WAVE_NAMES))
MIN_SWING_MV = 0.02  # a lead that moves less than this over the recording carries no wave
LONE_P, LEAST_P_S = 0.4, 0.03  # mean probability over leads, and how long it lasts, of a P wave outside any beat
MIN_R_MV = 0.05  # root of the summed squares over leads; below, no recorder shows a beat
#: How far a lead's landmark may lie from the median over leads and still count for the outer edge, in seconds.
OUTLIER_S = {"p_onset": 0.04, "p_offset": 0.04, "qrs_onset": 0.025, "qrs_offset": 0.03, "t_onset": 0.06, "t_peak": 0.06,
             "t_offset": 0.05}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Waves:
    """Waves of one recording. Landmarks are in samples, to 2 ms; NaN where a wave was not found.

    Attributes
    ----------
    fs : float
        Sampling frequency of the recording in Hz.
    n_samples : int
    r_samples : ndarray of shape (n_beats,), int64
        Sample of the largest QRS deflection, taken over all leads together.
    labels : ndarray of shape (12, n_samples), int8
        Index into `WAVE_NAMES` for every sample. TP is the baseline between a T wave and what follows; where no P wave
        was found it reaches the QRS. Gaps in the recording, stretches before the first and after the last wave and
        spans whose borders were not found are "unassigned".
    beat : ndarray of shape (n_samples,), int16
        Number of the beat, from the onset of its P wave (or QRS) to the next beat's; -1 outside the first and last.
    p_onset, p_offset, qrs_onset, qrs_offset, t_onset, t_peak, t_offset : ndarray of shape (12, n_beats), float64
        `qrs_offset` is the J point. Offsets are the first sample after the wave.
    global_p_onset, ... : ndarray of shape (n_beats,), float64
        Outer edges over the leads: the earliest onset and latest offset that at least two leads reach.
    method : {"openecg", "neurokit2"}
    notes : tuple of str
        What the reader should know, such as leads that took the 12-lead mask.
    beat_kinds : ndarray of shape (n_beats, 6)
        openecg's probability of each of its `BEAT_KINDS` over the QRS of each beat, mean over leads; empty where it
        was not asked.
    rhythm_kinds : ndarray of shape (6,)
        Its probability of each of its `RHYTHM_KINDS`, mean over leads and time; likewise.
    p_samples : ndarray of shape (n_p,)
        Middle of every P wave that the leads together show, whether or not a QRS follows; likewise.
    """

    fs: float
    n_samples: int
    r_samples: NDArray[np.int64]
    labels: NDArray[np.int8]
    beat: NDArray[np.int16]
    p_onset: NDArray[np.float64]
    p_offset: NDArray[np.float64]
    qrs_onset: NDArray[np.float64]
    qrs_offset: NDArray[np.float64]
    t_onset: NDArray[np.float64]
    t_peak: NDArray[np.float64]
    t_offset: NDArray[np.float64]
    global_p_onset: NDArray[np.float64]
    global_p_offset: NDArray[np.float64]
    global_qrs_onset: NDArray[np.float64]
    global_qrs_offset: NDArray[np.float64]
    global_t_onset: NDArray[np.float64]
    global_t_peak: NDArray[np.float64]
    global_t_offset: NDArray[np.float64]
    method: Literal["openecg", "neurokit2"]
    notes: tuple[str, ...] = ()
    beat_kinds: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, len(BEAT_KINDS))))
    rhythm_kinds: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    p_samples: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        for name in (
            "r_samples",
            "labels",
            "beat",
            "beat_kinds",
            "rhythm_kinds",
            "p_samples",
            *LANDMARKS,
            *(f"global_{name}" for name in LANDMARKS),
        ):
            getattr(self, name).setflags(write=False)

    @property
    def n_beats(self) -> int:
        """Number of complete QRS complexes found."""
        return len(self.r_samples)

    @property
    def rr_s(self) -> NDArray[np.float64]:
        """Intervals between successive R in seconds, shape (n_beats - 1,)."""
        return np.diff(self.r_samples) / self.fs


def find_waves(recording: Recording, *, quick: bool = False) -> Waves:
    """Find the waves of every lead and beat.

    Parameters
    ----------
    recording : Recording
    quick : bool
        Let openecg read five leads only, which halves the time; see `wave_posterior`.

    Raises
    ------
    SignalError
        No beat could be found, or nothing that can find one is installed.
    """
    signal = bridge_gaps(recording.signal)
    usable = np.ptp(signal, axis=1) >= MIN_SWING_MV
    no_beat = SignalError(
        "No heart beat was found in the recording. At least one clear QRS complex is needed. "
        "Check electrodes and amplitude, and record again."
    )
    if not usable.any():
        raise no_beat
    spans: Spans | None = None
    posterior: NDArray[np.float64] | None = None
    method: Literal["openecg", "neurokit2"] = "openecg"
    notes: list[str] = []
    try:
        still = steady(signal)
        posterior = wave_posterior(still, recording.fs, usable, quick=quick)
        spans = find_spans(posterior[:, :, WAVES], usable, NETWORK_FS, resample(still, recording.fs, NETWORK_FS))
    except DelineatorMissingError:
        notes.append("openecg is not installed; waves were found by neurokit2.")
    if spans is None or len(spans.beats) == 0:
        spans = neurokit_spans(signal, recording.fs, usable)
        method = "neurokit2"
        if not notes:
            notes.append("openecg found no beat; waves were found by neurokit2.")
    if spans is None and notes and not neurokit_is_installed():
        raise SignalError(
            "Nothing that finds heart beats is installed. openecg with onnxruntime is needed. "
            "Install the requirements and try again."
        )
    if spans is None:
        raise no_beat
    rate = recording.fs / NETWORK_FS if method == "openecg" else 1.0
    waves = _to_waves(recording, signal, spans, rate, method, notes)
    if waves is None:
        raise no_beat
    return waves if posterior is None or method != "openecg" else _with_kinds(waves, posterior[usable])


def _with_kinds(waves: Waves, posterior: NDArray[np.float64]) -> Waves:
    """Add what openecg says of each beat and of the rhythm, and every P wave, those without a QRS among them."""
    mean = posterior[:, :, BEATS].mean(axis=0)
    atrial = runs_of(posterior[:, :, NETWORK_P].mean(axis=0) > LONE_P)
    atrial = atrial[np.diff(atrial, axis=1)[:, 0] >= LEAST_P_S * NETWORK_FS]
    to_network = NETWORK_FS / waves.fs
    first = (waves.global_qrs_onset * to_network).astype(int)
    last = np.maximum((waves.global_qrs_offset * to_network).astype(int), first + 1)
    kinds = np.stack([mean[start:stop].mean(axis=0) for start, stop in zip(first, last, strict=True)])
    return replace(
        waves,
        beat_kinds=kinds,
        rhythm_kinds=posterior[:, :, RHYTHMS].mean(axis=(0, 1)),
        p_samples=atrial.mean(axis=1) / to_network,
    )


def _r_peaks(signal: NDArray[np.float64], start: NDArray[np.float64], stop: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sample of the largest deflection from the QRS onset's level, over all leads together, for each beat."""
    peaks = np.empty(len(start), dtype=np.int64)
    for k, (first, last) in enumerate(zip(start.astype(int), stop.astype(int), strict=True)):
        span = signal[:, first : max(last, first + 1)]
        peaks[k] = first + int(np.argmax(np.square(span - signal[:, first : first + 1]).sum(axis=0)))
    return peaks


def _t_peaks(
    signal: NDArray[np.float64], onset: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sample of the largest departure from the straight line between T onset and T end."""
    peaks = np.full(onset.shape, np.nan)
    for lead, k in np.argwhere(np.isfinite(onset) & np.isfinite(offset)):
        first, last = int(onset[lead, k]), int(offset[lead, k])
        if last - first >= 3:
            span = signal[lead, first:last]
            peaks[lead, k] = first + int(np.argmax(np.abs(span - np.linspace(span[0], span[-1], len(span)))))
    return peaks


def outer_edge(name: str, marks: NDArray[np.float64], fs: float, *, agreeing: int = 2) -> NDArray[np.float64]:
    """Earliest onset or latest offset that enough leads reach, per beat; leads far from the median are left out.

    Parameters
    ----------
    name : one of `LANDMARKS`
    marks : ndarray of shape (12, n_beats)
        Samples; NaN where not found. A beat found in fewer than half of the leads has no common landmark.
    fs : float
    agreeing : int
        Leads that must reach the edge: two, so that one misread lead does not stretch an interval, or one.

    Returns
    -------
    ndarray of shape (n_beats,)
    """
    edge = np.full(marks.shape[1], np.nan)
    n_found = np.isfinite(marks).sum(axis=0)
    common = np.flatnonzero((2 * n_found >= len(marks)) & (n_found > 0))
    if not len(common):
        return edge
    found = np.sort(marks[:, common], axis=0)  # NaN last
    n_found = n_found[common]
    beat = np.arange(len(common))
    middle = (found[(n_found - 1) // 2, beat] + found[n_found // 2, beat]) / 2  # the median of those found
    near = np.abs(found - middle) <= max(OUTLIER_S[name] * fs, 1.0)  # one run of the sorted column; never NaN
    first, n_near = near.argmax(axis=0), near.sum(axis=0)
    at = first + (agreeing - 1 if name.endswith("onset") else n_near - agreeing)
    reached = found[np.clip(at, 0, len(found) - 1), beat]
    edge[common] = middle if name == "t_peak" else np.where(n_near >= agreeing, reached, middle)
    return edge


#: How far beyond the edge that two leads reach the second-outermost mark of a cardiologist lies, in seconds: of the
#: differences on eleven records of LUDB (P -17 ms, QT -20) about a half. QRS (-18 ms) stays as it is: recorders print
#: what is found here to 2-16 ms, and 14 ms more would call a third of the normal records of PTB-XL 110 ms or wider.
BEYOND_S = {"p_onset": -0.004, "p_offset": 0.006, "t_offset": 0.012}


def common_edges(marks: Mapping[str, NDArray[np.float64]], fs: float) -> dict[str, NDArray[np.float64]]:
    """Return the borders of the beat as a whole, as intervals are measured from, by name of `LANDMARKS`.

    Parameters
    ----------
    marks : mapping of str to ndarray of shape (12, n_beats)
        Of every landmark, in samples.
    fs : float
    """
    return {name: outer_edge(name, marks[name], fs) + BEYOND_S.get(name, 0.0) * fs for name in LANDMARKS}


def _to_waves(
    recording: Recording,
    signal: NDArray[np.float64],
    spans: Spans,
    rate: float,
    method: Literal["openecg", "neurokit2"],
    notes: list[str],
) -> Waves | None:
    """Carry spans to the recording's rate, drop beats in gaps or without amplitude, and label every sample."""
    n, fs = recording.n_samples, recording.fs
    gap = np.isnan(recording.signal)
    marks = {name: np.clip(values * rate, 0, n) for name, values in spans.landmarks.items()}
    onset, offset = outer_edge("qrs_onset", marks["qrs_onset"], fs), outer_edge("qrs_offset", marks["qrs_offset"], fs)
    keep = np.zeros(len(onset), dtype=bool)
    for k in range(len(onset)):
        first, last = int(onset[k]), int(offset[k])
        if first <= 0 or last >= n or last <= first:
            continue  # cut off by the recording's edge
        swing = np.sqrt(np.square(np.ptp(signal[:, first:last], axis=1)).sum())
        keep[k] = swing >= MIN_R_MV and gap[:, first:last].mean() < 0.5
    if not keep.any():
        return None
    keep[np.flatnonzero(keep)] = plausible_beats(signal, fs, onset[keep], offset[keep])
    if not keep.any():
        return None
    marks = {name: values[:, keep] for name, values in marks.items()}
    for values in marks.values():  # a landmark inside a gap was not seen
        at = np.clip(np.nan_to_num(values), 0, n - 1).astype(int)
        values[np.take_along_axis(gap, at, axis=1)] = np.nan
    marks["t_offset"][marks["t_offset"] >= n] = np.nan  # the T wave was cut off
    marks["t_peak"] = _t_peaks(signal, marks["t_onset"], marks["t_offset"])
    common = {f"global_{name}": np.clip(edge, 0, n) for name, edge in common_edges(marks, fs).items()}
    if spans.masked.any():
        leads = ", ".join(lead for lead, taken in zip(STANDARD_LEADS, spans.masked, strict=True) if taken)
        notes.append(f"Waves of {leads} follow the other leads: too few beats were found there.")
    labels = _labels(marks, spans, rate, n)
    labels[gap] = UNASSIGNED
    return Waves(
        fs=fs, n_samples=n, r_samples=_r_peaks(signal, onset[keep], offset[keep]), labels=labels,
        beat=_beat_numbers(common, n), method=method, notes=tuple(notes), **marks, **common,
    )  # fmt: skip


def _labels(marks: dict[str, NDArray[np.float64]], spans: Spans, rate: float, n: int) -> NDArray[np.int8]:
    """Paint the wave codes of every lead, in the order of time."""
    n_leads, n_beats = marks["qrs_onset"].shape
    labels = np.full((n_leads, n), UNASSIGNED, dtype=np.int8)
    edge_t, edge_p = spans.edge_t * rate, spans.edge_p * rate

    def paint(lead: int, start: float, stop: float, wave: int) -> None:
        if np.isfinite(start) and np.isfinite(stop):
            labels[lead, round(start) : round(stop)] = wave

    for lead in range(n_leads):
        quiet_from = edge_t[lead, 1]
        paint(lead, edge_t[lead, 0], edge_t[lead, 1], T)
        for k in range(n_beats):
            p_on, p_off = marks["p_onset"][lead, k], marks["p_offset"][lead, k]
            q_on, j = marks["qrs_onset"][lead, k], marks["qrs_offset"][lead, k]
            t_on, t_off = marks["t_onset"][lead, k], marks["t_offset"][lead, k]
            paint(lead, quiet_from, p_on if np.isfinite(p_on) else q_on, TP)
            paint(lead, p_on, p_off, P)
            paint(lead, p_off, q_on, PR)
            paint(lead, q_on, j, QRS)
            paint(lead, j, t_on, ST)
            paint(lead, t_on, t_off if np.isfinite(t_off) or k < n_beats - 1 else n, T)
            quiet_from = t_off
        paint(lead, quiet_from, edge_p[lead, 0] if np.isfinite(edge_p[lead, 0]) else n, TP)
        paint(lead, edge_p[lead, 0], edge_p[lead, 1], P)
        paint(lead, edge_p[lead, 1], n, PR)
    return labels


def _beat_numbers(common: dict[str, NDArray[np.float64]], n: int) -> NDArray[np.int16]:
    """Number of the beat at every sample: a beat begins with its P wave and ends where the next begins."""
    starts = np.fmin(common["global_p_onset"], common["global_qrs_onset"])
    beat = np.full(n, -1, dtype=np.int16)
    for k, start in enumerate(starts):
        stop = starts[k + 1] if k + 1 < len(starts) else common["global_t_offset"][k]
        beat[int(start) : n if np.isnan(stop) else int(stop)] = k
    return beat
