"""The sum behind one class and the short form of every class, as the reading page prints them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger, isoelectric_attribution
from ecgimn.explain.narrative import outcome_words, signed
from ecgimn.signal.reading import SignalReading

SUM_TOLERANCE = 1e-4  # logit; a larger residual is shown as a fault


@dataclass(frozen=True)
class EvidenceSum:
    """How the logit of one class comes about.

    Attributes
    ----------
    class_name : str
    bias, evidence, logit : float
        `bias + evidence` is `logit`, with `offset` in between where there is one; the evidence is the sum of the
        ledger, its baseline term included.
    outcome : str
        What the logit comes to: the probability, or the ratio of the odds where the class is the difference of two.
    probability : float or None
        None for a difference.
    residual : float
        Largest difference between the sums and the logit that the network computed itself, in logit.
    offset : float or None
        Of a model that z-scores each lead: the ledger's baseline term, which belongs to no sample and is then no part
        of the evidence.
    """

    class_name: str
    bias: float
    evidence: float
    logit: float
    outcome: str
    probability: float | None
    residual: float
    offset: float | None = None

    @property
    def exact(self) -> bool:
        """Whether the sum is the logit up to rounding."""
        return self.residual < SUM_TOLERANCE

    @property
    def offset_line(self) -> tuple[tuple[str, float], ...]:
        """The offset as a line of a table, where there is one."""
        return () if self.offset is None else (("z-score offset", self.offset),)

    @property
    def equation(self) -> str:
        """The sum in words: "logit +2.31 = bias −1.02 + evidence +3.33"."""
        words = f"logit {signed(self.logit)} = bias {signed(self.bias)} + evidence {signed(self.evidence)}"
        return words if self.offset is None else f"{words} + z-score offset {signed(self.offset)}"


@dataclass(frozen=True, eq=False)
class BeatEvidence:
    """Evidence of one class laid over the beats of the median beat.

    Attributes
    ----------
    mean, spread : ndarray of shape (12, length)
        Mean and standard deviation over the beats used, logit per sample.
    remainder : float
        Evidence that lies in no window of a beat used: excluded beats, stretches between beats, edges. Logit.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    remainder: float


def sum_of_evidence(explanation: Explanation, ledger: Ledger, class_name: str) -> EvidenceSum:
    """Return the sum behind the logit of a class, which both have among theirs."""
    logit = float(explanation.logit[explanation.index(class_name)])
    k = ledger.classes.index(class_name)
    cells, baseline = float(ledger.cells[k].sum()), float(ledger.baseline[k])
    return EvidenceSum(
        class_name=class_name,
        bias=float(ledger.bias[k]),
        evidence=cells + baseline if explanation.offset is None else cells,
        offset=None if explanation.offset is None else baseline,
        logit=logit,
        outcome=outcome_words(logit, is_contrast=ledger.is_contrast),
        probability=None if ledger.is_contrast else float(explanation.probability[explanation.index(class_name)]),
        residual=max(explanation.completeness_error, ledger.residual),
    )


def class_chips(explanation: Explanation, thresholds: Sequence[float] = ()) -> dict[str, str]:
    """Return a short text per class, most telling first: its name, its probability, and * from the threshold on.

    Parameters
    ----------
    explanation : Explanation
    thresholds : sequence of float
        Operating point on the probability per class, in the order of the classes; empty when there is none.
    """
    limits = tuple(thresholds) or (float("inf"),) * len(explanation.classes)
    return {
        name: f"{name} {probability:.2f}" + (" *" if probability >= limit else "")
        for name, probability, limit in zip(explanation.classes, explanation.probability.tolist(), limits, strict=True)
    }


def most_probable(explanation: Explanation) -> str:
    """Return the class with the highest probability."""
    return explanation.classes[int(explanation.probability.argmax())]


def evidence_over_beats(explanation: Explanation, reading: SignalReading, class_name: str) -> BeatEvidence | None:
    """Return the evidence of a class on the alignment of the median beat; None where there is no median beat."""
    if reading.measurements is None or reading.measurements.beat.signal is None:
        return None
    evidence = isoelectric_attribution(explanation, reading.recording, reading.levels)[explanation.index(class_name)]
    windows = reading.measurements.beat.windows
    beats = windows.cut(evidence)  # (n_beats, 12, length), NaN beyond the recording
    seen = np.isfinite(beats).any(axis=0)
    mean, spread = np.zeros(seen.shape), np.zeros(seen.shape)
    mean[seen], spread[seen] = np.nanmean(beats[:, seen], axis=0), np.nanstd(beats[:, seen], axis=0)
    inside = np.zeros(evidence.shape[1], dtype=bool)
    for start in windows.start[windows.used]:
        inside[max(0, int(start)) : max(0, int(start) + windows.length)] = True
    return BeatEvidence(mean, spread, float(evidence[:, ~inside].sum()))
