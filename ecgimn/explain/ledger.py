"""The evidence ledger: lead by wave, in logit; its total is the logit.

With u = x - level, the voltage about each lead's isoelectric level, `logit = b + sum of cells <w, u>_cell + baseline
term`. Weights sum to zero over a lead, so the baseline term, `sum_lead level * sum_t w`, is zero up to rounding; it is
kept all the same, so that the total is the logit and not nearly so. With a model that z-scores each lead it is not
zero: the term then is `sum_lead (level - mean) * sum_t w`, the offset that no sample explains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.explanation import Explanation, contrast_name
from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS, TERRITORIES
from ecgimn.recording import Recording
from ecgimn.signal.posterior import bridge_gaps
from ecgimn.signal.waves import WAVE_NAMES, Waves


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
    is_contrast : bool
        Whether its one class is the difference of two, which has no probability.
    """

    classes: tuple[str, ...]
    cells: NDArray[np.float64]
    beats: NDArray[np.float64]
    baseline: NDArray[np.float64]
    bias: NDArray[np.float64]
    logit: NDArray[np.float64]
    is_contrast: bool = False

    @property
    def residual(self) -> float:
        """Largest difference between the ledger's total and the logit."""
        return float(np.max(np.abs(self.cells.sum(axis=(1, 2)) + self.baseline + self.bias - self.logit)))

    def of(self, class_name: str) -> NDArray[np.float64]:
        """Return the cells of one class, shape (12, n_waves)."""
        return np.asarray(self.cells[self.classes.index(class_name)])

    def by_lead(self, class_name: str) -> dict[str, float]:
        """Return the evidence of a class per lead."""
        return dict(zip(STANDARD_LEADS, self.of(class_name).sum(axis=1).tolist(), strict=True))

    def by_wave(self, class_name: str) -> dict[str, float]:
        """Return the evidence of a class per wave."""
        return dict(zip(WAVE_NAMES, self.of(class_name).sum(axis=0).tolist(), strict=True))

    def by_territory(self, class_name: str) -> dict[str, float]:
        """Return the evidence of a class per territory; together they hold every lead once."""
        leads = self.by_lead(class_name)
        return {name: sum(leads[lead] for lead in members) for name, members in TERRITORIES.items()}

    def for_and_against(self, class_name: str) -> tuple[float, float]:
        """Return the sums of the positive and of the negative cells of a class."""
        cells = self.of(class_name)
        return float(cells[cells > 0].sum()), float(cells[cells < 0].sum())

    def contrast(self, first: str, second: str) -> Ledger:
        """Return the ledger of the difference of two classes, cell by cell, with the difference of their logits."""
        j, k = self.classes.index(first), self.classes.index(second)

        def gap(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(values[j] - values[k])[None]

        return Ledger(
            classes=(contrast_name(first, second),),
            cells=gap(self.cells),
            beats=gap(self.beats),
            baseline=gap(self.baseline),
            bias=gap(self.bias),
            logit=gap(self.logit),
            is_contrast=True,
        )

    def rows(self) -> tuple[LedgerRow, ...]:
        """Return all cells in long form; per class they sum to logit - bias - baseline."""
        return tuple(
            LedgerRow(class_name, lead, wave, float(self.cells[k, row, column]))
            for k, class_name in enumerate(self.classes)
            for row, lead in enumerate(STANDARD_LEADS)
            for column, wave in enumerate(WAVE_NAMES)
        )


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
    evidence = isoelectric_attribution(explanation, recording, levels)
    shape = recording.signal.shape
    labels, beat, n_beats = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64), 0
    if waves is not None:
        labels, n_beats = waves.labels.astype(np.int64), len(waves.r_samples)
        beat = np.broadcast_to(waves.beat, shape).astype(np.int64)
    baseline = (explanation.weights.sum(axis=2) * levels).sum(axis=1)
    if explanation.offset is not None:
        baseline = baseline + explanation.offset.sum(axis=1)
    return Ledger(
        classes=explanation.classes,
        cells=_book(evidence, labels, len(WAVE_NAMES)),
        beats=_book(evidence, np.where(beat < 0, n_beats, beat), n_beats + 1),
        baseline=np.asarray(baseline),
        bias=explanation.bias,
        logit=explanation.logit,
    )


def isoelectric_attribution(
    explanation: Explanation, recording: Recording, levels: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return weights times voltage about the isoelectric level, in logit per sample, shape (K, 12, n_samples)."""
    return explanation.weights * (bridge_gaps(recording.signal) - np.asarray(levels, dtype=np.float64)[:, None])


def _book(evidence: NDArray[np.float64], columns: NDArray[np.int64], n_columns: int) -> NDArray[np.float64]:
    booked = np.zeros((*evidence.shape[:2], n_columns))
    for k in range(evidence.shape[0]):
        for lead in range(evidence.shape[1]):
            booked[k, lead] = np.bincount(columns[lead], weights=evidence[k, lead], minlength=n_columns)
    return booked


def fold_to_independent_leads(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Carry the weights of III, aVR, aVL and aVF over to I and II, (..., 12, n) -> (..., 8, n): I, II, V1-V6.

    The folded weights have the same effect on every ECG that satisfies the limb-lead relations.
    """
    limb = np.einsum("li,...lt->...it", LIMB_FROM_I_II, weights[..., :6, :])
    return np.concatenate([limb, weights[..., 6:, :]], axis=-2)
