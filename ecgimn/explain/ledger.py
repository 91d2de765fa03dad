"""The evidence ledger: lead by wave, and beat by beat, in logit; its total is the logit.

With u = x - level, the voltage about each lead's isoelectric level, `logit = b + sum of cells <w, u>_cell + baseline
term`. Weights sum to zero over a lead, so the baseline term, `sum_lead level * sum_t w`, is zero up to rounding; it is
kept all the same, so that the total is the logit and not nearly so. With a model that z-scores each lead it is not
zero: the term then is `sum_lead (level - mean) * sum_t w`, the offset that no sample explains.

A beat reaches from its P wave (QRS where there is none) to the next beat's, so the beats do not overlap; what lies
before the first and after the last is the remainder, and beats and remainder add up to logit - bias. The lead by wave
cells of the network's 100 Hz input, from quick landmarks, are the features on which methods are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.edits import WaveMasks
from ecgimn.leads import STANDARD_LEADS, TERRITORIES, lead_index
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.waves.find import WAVE_NAMES, Waves

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ecgimn.explain.case import Evidence
    from ecgimn.explain.explanation import Explanation
    from ecgimn.signal.waves.find import Waves


QUICK_WAVES = ("p", "qrs", "st", "t")
N_CELLS = 12 * (len(QUICK_WAVES) + 1)


def cell_partition(masks: WaveMasks, n_samples: int) -> NDArray[np.int64]:
    """Return the wave of every sample, (n_samples,): an index into `QUICK_WAVES`, or the number after the last."""
    stacked = np.stack([np.broadcast_to(getattr(masks, wave), (n_samples,)) for wave in QUICK_WAVES])
    return np.where(stacked.max(axis=0) >= 0.5, stacked.argmax(axis=0), len(QUICK_WAVES))


def lead_wave_cells(wave: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cell of every sample of every lead, (n,) -> (12, n), numbered lead by lead from 0 to 59."""
    return np.asarray(np.arange(12)[:, None] * (len(QUICK_WAVES) + 1) + wave)


def cell_evidence(maps: NDArray[np.floating], u: NDArray[np.floating], wave: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the evidence per lead and wave, shape (K, 12, n_waves + 1), of one record.

    Parameters
    ----------
    maps : ndarray of shape (K, 12, n)
    u : ndarray of shape (12, n)
        Voltage about the isoelectric level.
    wave : ndarray of shape (n,)
    """
    return cell_sums(maps * u, wave)


def cell_sums(attribution: NDArray[np.floating], wave: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums of (..., 12, n) over the waves, shape (..., 12, n_waves + 1)."""
    one_hot = (wave[:, None] == np.arange(len(QUICK_WAVES) + 1)).astype(np.float64)
    return np.asarray(attribution @ one_hot)


def territory_cells(cells: NDArray[np.floating]) -> NDArray[np.float64]:
    """Add up cells (12, n_waves) over the leads of each of the `TERRITORIES`: (n_territories, n_waves)."""
    return np.stack([cells[[lead_index(lead) for lead in leads]].sum(axis=0) for leads in TERRITORIES.values()])


@dataclass(frozen=True)
class LedgerRow:
    """One cell of the ledger: a class, a lead, a wave and its contribution in logit."""

    class_name: str
    lead: str
    wave: str
    logit: float


@dataclass(frozen=True, eq=False)
class Ledger:
    """Where the logit comes from.

    Attributes
    ----------
    classes : tuple of str
    cells : ndarray of shape (K, 12, n_waves)
        Logit per class, lead and wave; waves in the order of `WAVE_NAMES`.
    beats : ndarray of shape (K, 12, n_beats + 1)
        The same evidence by beat; the last column is what belongs to no beat.
    baseline : ndarray of shape (K,)
        What the isoelectric levels themselves add, zero up to rounding; with a model that z-scores each lead, the
        levels about the means.
    bias, logit : ndarray of shape (K,)
        `cells.sum((1, 2)) + baseline + bias` is `logit`.
    """

    classes: tuple[str, ...]
    cells: NDArray[np.float64]
    beats: NDArray[np.float64]
    baseline: NDArray[np.float64]
    bias: NDArray[np.float64]
    logit: NDArray[np.float64]

    @property
    def residual(self) -> float:
        """Largest difference between the ledger's total and the logit."""
        return float(np.max(np.abs(self.cells.sum(axis=(1, 2)) + self.baseline + self.bias - self.logit)))

    def of(self, class_name: str) -> NDArray[np.float64]:
        """Return the cells of one class, shape (12, n_waves)."""
        return np.asarray(self.cells[self.classes.index(class_name)])

    def rows(self) -> tuple[LedgerRow, ...]:
        """Return all cells in long form; per class they sum to logit - bias - baseline."""
        return tuple(
            LedgerRow(class_name, lead, wave, float(self.cells[k, row, column]))
            for k, class_name in enumerate(self.classes)
            for row, lead in enumerate(STANDARD_LEADS)
            for column, wave in enumerate(WAVE_NAMES)
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return all cells in long form: columns class, lead, wave and logit.

        Per class the logits sum to logit - bias - baseline.
        """
        import pandas as pd

        rows = [(row.class_name, row.lead, row.wave, row.logit) for row in self.rows()]
        return pd.DataFrame(rows, columns=["class", "lead", "wave", "logit"])

    def to_xarray(self) -> xr.Dataset:
        """Return cells (class, lead, wave), bias, baseline and logit (class) with their names and units."""
        import xarray as xr

        named = {"class": list(self.classes), "lead": list(STANDARD_LEADS), "wave": list(WAVE_NAMES)}
        values = {"cells": (("class", "lead", "wave"), self.cells)} | {
            name: (("class",), getattr(self, name)) for name in ("bias", "baseline", "logit")
        }
        unit = {"units": "logit"}
        return xr.Dataset({name: (*value, unit) for name, value in values.items()}, coords=named)


def make_ledger(
    explanation: Explanation, recording: Recording, waves: Waves | None, levels: NDArray[np.floating]
) -> Ledger:
    """Book every sample's contribution under its lead, wave and beat.

    Parameters
    ----------
    explanation : Explanation
        Of this very recording.
    recording : Recording
    waves : Waves or None
        None when no beat was found: all evidence is then "unassigned".
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.

    Raises
    ------
    ValueError
        The explanation belongs to another recording.
    """
    if explanation.recording_digest != recording.digest:
        raise ValueError("the explanation belongs to another recording")
    cells, beats = book(contribution(explanation.weights, recording, levels), waves)
    baseline = (explanation.weights.sum(axis=2) * levels).sum(axis=1)
    if explanation.offset is not None:
        baseline = baseline + explanation.offset.sum(axis=1)
    return Ledger(
        classes=explanation.classes,
        cells=cells,
        beats=beats,
        baseline=np.asarray(baseline),
        bias=explanation.bias,
        logit=explanation.logit,
    )


def contribution(
    weights: NDArray[np.floating], recording: Recording, levels: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return weight times voltage about the isoelectric level, in logit per sample, shape (..., 12, n_samples).

    Parameters
    ----------
    weights : ndarray of shape (..., 12, n_samples)
        Logit per mV on the raw trace.
    recording : Recording
        Gaps are bridged by straight lines, as they are for the model.
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.
    """
    return np.asarray(weights * (bridge_gaps(recording.signal) - np.asarray(levels, dtype=np.float64)[:, None]))


def book(contributions: NDArray[np.floating], waves: Waves | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum contributions by lead and wave, and by lead and beat.

    Parameters
    ----------
    contributions : ndarray of shape (..., 12, n_samples)
    waves : Waves or None
        None when no beat was found: all is then "unassigned", and belongs to no beat.

    Returns
    -------
    cells : ndarray of shape (..., 12, n_waves)
    beats : ndarray of shape (..., 12, n_beats + 1)
        The last column is what belongs to no beat.
    """
    shape = contributions.shape[-2:]
    labels, beat, n_beats = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64), 0
    if waves is not None:
        labels, n_beats = waves.labels.astype(np.int64), len(waves.r_samples)
        beat = np.broadcast_to(np.where(waves.beat < 0, n_beats, waves.beat), shape).astype(np.int64)
    maps = contributions.reshape(-1, *shape)
    cells, beats = (
        np.array(
            [[np.bincount(c, row, size) for c, row in zip(columns, one, strict=True)] for one in maps], dtype=np.float64
        )
        for columns, size in ((labels, len(WAVE_NAMES)), (beat, n_beats + 1))
    )
    return cells.reshape(*contributions.shape[:-1], -1), beats.reshape(*contributions.shape[:-1], -1)


SCALE_PERCENTILE = 99.0  # of |contribution| over the recording: one scale for all of its beats
MARKS = {"qrs_onset": "QRS onset", "qrs_offset": "J", "t_offset": "T end"}


@dataclass(frozen=True)
class Beat:
    """One beat of a recording.

    Attributes
    ----------
    number : int
        From 1, as printed.
    start, stop : int
        Its samples; `stop` is the first sample of the next beat, or of the stretch after the last one.
    r_s : float
        Time of its R in seconds from the beginning of the recording.
    rr_before_s : float or None
        Interval from the R before; None for the first beat.
    used : bool
        Whether it is in the median beat.
    left_out : str
        Why it is not; empty when it is.
    correlation : float or None
        Of its QRS with the median beat's; None where beats were not compared.
    logit : float
        Evidence of the class on this beat.
    """

    number: int
    start: int
    stop: int
    r_s: float
    rr_before_s: float | None
    used: bool
    left_out: str
    correlation: float | None
    logit: float


@dataclass(frozen=True)
class BeatByBeat:
    """Evidence of one class over the beats of a recording.

    Attributes
    ----------
    class_name : str
    beats : tuple of Beat
    remainder : float
        Evidence before the first and behind the last beat, and the ledger's baseline term. Logit.
    evidence : float
        `logit - bias`: the sum of beats and remainder.
    """

    class_name: str
    beats: tuple[Beat, ...]
    remainder: float
    evidence: float


@dataclass(frozen=True, eq=False)
class BeatTrace:
    """Signal and evidence of one beat, as they are drawn.

    Attributes
    ----------
    fs : float
        Hz.
    signal : ndarray of shape (12, length)
        mV, as in the recording; NaN in gaps.
    contribution : ndarray of shape (12, length)
        Logit per sample; its sum is the beat's logit.
    limit : float
        Contribution per sample at the end of a scale that is the same for all beats of the recording.
    landmarks_s : dict of str to float
        "QRS onset", "J", "T end", in seconds from the first sample; only those that were found.
    """

    fs: float
    signal: NDArray[np.float64]
    contribution: NDArray[np.float64]
    limit: float
    landmarks_s: dict[str, float]


def beat_by_beat(evidence: Evidence) -> BeatByBeat | None:
    """Return the evidence beat by beat; None where no beat was found."""
    reading = evidence.reading
    waves = reading.waves
    if waves is None:
        return None
    logits = evidence.beats.sum(axis=0)  # (n_beats + 1,)
    windows = reading.measurements.beat.windows if reading.measurements else None
    starts = _starts(waves)
    beats = tuple(
        Beat(
            number=place + 1,
            start=start,
            stop=stop,
            r_s=float(waves.r_samples[place] / waves.fs),
            rr_before_s=float(waves.rr_s[place - 1]) if place else None,
            used=windows is not None and bool(windows.used[place]),
            left_out=windows.left_out[place] if windows is not None else "beats were not compared",
            correlation=float(windows.correlation[place]) if windows is not None else None,
            logit=float(logits[place]),
        )
        for place, (start, stop) in enumerate(starts)
    )
    remainder = float(logits[-1] + evidence.baseline)
    return BeatByBeat(evidence.name, beats, remainder, evidence.logit - evidence.bias)


def beat_trace(beat: Beat, evidence: Evidence) -> BeatTrace:
    """Return signal and contributions of one beat of the recording that the evidence is about."""
    recording, waves, values = evidence.recording, evidence.reading.waves, evidence.contribution
    marks = {}
    for name, words in MARKS.items():
        at = float(getattr(waves, f"global_{name}")[beat.number - 1]) - beat.start
        if np.isfinite(at) and 0 <= at <= beat.stop - beat.start:
            marks[words] = at / recording.fs
    span = slice(beat.start, beat.stop)
    limit = float(np.percentile(np.abs(values), SCALE_PERCENTILE)) or float(np.abs(values).max()) or 1.0
    return BeatTrace(recording.fs, recording.signal[:, span].astype(np.float64), values[:, span], limit, marks)


def _starts(waves: Waves) -> list[tuple[int, int]]:
    """Return the samples of each beat; none for one whose place another took."""
    spans = []
    for place in range(waves.n_beats):
        inside = np.flatnonzero(waves.beat == place)
        spans.append((int(inside[0]), int(inside[-1]) + 1) if inside.size else (int(waves.r_samples[place]),) * 2)
    return spans
