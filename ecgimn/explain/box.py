"""A box on the trace as a caliper and as a measure of the evidence inside it; `box_intervention` empties it.

The evidence inside a box is the isoelectric contribution of exactly its samples, so boxes that tile a recording add up
to the ledger's total.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.ledger import isoelectric_attribution
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.signal.intervals import QTC_FORMULAS, Measured

if TYPE_CHECKING:
    from ecgimn.explain.explanation import Explanation
    from ecgimn.recording import Recording
    from ecgimn.signal.reading import SignalReading

RR_MS = (60_000 / 300, 60_000 / 20)  # a width outside 20 to 300 per minute is no RR (project choice)
QT_MS = (200.0, 700.0)  # a width outside is no QT (project choice)
QTC_SHOWN = ("Bazett", "Fridericia")
NO_TOTAL = 0.005  # logit; what prints as 0.00 has no parts in per cent


@dataclass(frozen=True)
class Box:
    """A stretch of time in some leads.

    Attributes
    ----------
    leads : tuple of str
        Standard leads; put into standard order, each once.
    start_s, stop_s : float
        Seconds from the beginning of the recording; the sample at `stop_s` is outside, so boxes may tile.
    height_mv : float or None
        Height of the box in mV where it was drawn; None where only times are known.

    Raises
    ------
    ValueError
        The times are not finite or in the wrong order. An unknown lead raises `LeadError`.
    """

    leads: tuple[str, ...]
    start_s: float
    stop_s: float
    height_mv: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.stop_s) and self.start_s <= self.stop_s):
            raise ValueError(f"A box from {self.start_s!r} to {self.stop_s!r} s is none: it must end after it begins.")
        rows = sorted({lead_index(lead) for lead in self.leads})
        object.__setattr__(self, "leads", tuple(STANDARD_LEADS[row] for row in rows))

    @property
    def rows(self) -> dict[str, int]:
        """Place of each of its leads among the twelve."""
        return {lead: lead_index(lead) for lead in self.leads}

    def samples(self, fs: float, n_samples: int) -> slice:
        """Return the samples inside: from the first at or after `start_s` up to, not including, `stop_s`."""
        ends = [min(max(math.ceil(time * fs - 1e-6), 0), n_samples) for time in (self.start_s, self.stop_s)]
        return slice(*ends)

    def mask(self, fs: float, n_samples: int) -> NDArray[np.bool_]:
        """Return which samples lie inside, shape (12, n_samples)."""
        inside = np.zeros((len(STANDARD_LEADS), n_samples), dtype=bool)
        inside[list(self.rows.values()), self.samples(fs, n_samples)] = True
        return inside


@dataclass(frozen=True)
class BoxMeasures:
    """The box as a caliper.

    Attributes
    ----------
    width_ms : float
    height_mv : float or None
    rate : Measured
        Per minute, if the width is one RR interval; without a value outside 20 to 300 per minute.
    qtc : dict of str to Measured
        "Bazett" and "Fridericia" in ms, if the width is a QT interval, with the RR of the recording.
    level_mv : dict of str to float
        Mean voltage of each lead inside, about its isoelectric level; NaN where there is no sample.
    """

    width_ms: float
    height_mv: float | None
    rate: Measured
    qtc: dict[str, Measured]
    level_mv: dict[str, float]


@dataclass(frozen=True)
class BoxEvidence:
    """Evidence of one class inside a box, in logit.

    Attributes
    ----------
    class_name : str
    by_lead : dict of str to float
        Isoelectric contribution of the samples inside, per lead of the box.
    logit : float
        Their sum.
    total : float
        Isoelectric contribution of the whole recording: the total of the ledger's cells.
    share : float or None
        `logit / total`, negative where the box speaks against the rest; None where the total is nearly zero.
    absolute_share : float
        Sum of |contribution| inside over that of the whole recording.
    sample_share : float
        Samples inside over all samples of twelve leads: what evidence spread evenly would give.
    """

    class_name: str
    by_lead: dict[str, float]
    logit: float
    total: float
    share: float | None
    absolute_share: float
    sample_share: float


def box_measures(box: Box, reading: SignalReading) -> BoxMeasures:
    """Read a box as a caliper.

    QTc by Bazett (1920) and Fridericia (1920), see `ecgimn.signal.intervals`.
    """
    width_ms = round(1000.0 * (box.stop_s - box.start_s), 6)
    recording = reading.recording
    inside = recording.signal[:, box.samples(recording.fs, recording.n_samples)].astype(np.float64)
    level_mv = {}
    for lead, place in box.rows.items():
        row = inside[place]
        row = row[np.isfinite(row)]
        level_mv[lead] = float(row.mean() - reading.levels[place]) if row.size else float("nan")
    rate = Measured(None, "/min", "too short or too long for an RR interval")
    if RR_MS[0] <= width_ms <= RR_MS[1]:
        rate = Measured(60_000.0 / width_ms, "/min")
    return BoxMeasures(width_ms, box.height_mv, rate, _corrected(width_ms, reading), level_mv)


def _corrected(width_ms: float, reading: SignalReading) -> dict[str, Measured]:
    """Correct the width for the recording's heart rate, as if it were a QT interval."""
    rr = reading.measurements.intervals.rr if reading.measurements else Measured(None, "ms", reading.reason)
    if not QT_MS[0] <= width_ms <= QT_MS[1]:
        return dict.fromkeys(QTC_SHOWN, Measured(None, "ms", "too short or too long for a QT interval"))
    if rr.value is None:
        return dict.fromkeys(QTC_SHOWN, Measured(None, "ms", rr.reason))
    return {name: Measured(QTC_FORMULAS[name](width_ms, rr.value / 1000.0), "ms", note=rr.note) for name in QTC_SHOWN}


def box_evidence(
    box: Box, explanation: Explanation, recording: Recording, levels: NDArray[np.floating], class_name: str
) -> BoxEvidence:
    """Add up the evidence of a class inside a box.

    Parameters
    ----------
    box : Box
    explanation : Explanation
        Of this very recording.
    recording : Recording
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.
    class_name : str
    """
    evidence = isoelectric_attribution(explanation, recording, levels)[explanation.index(class_name)]
    inside = box.mask(recording.fs, recording.n_samples)
    by_lead = {lead: float(evidence[row, inside[row]].sum()) for lead, row in box.rows.items()}
    logit, total = sum(by_lead.values()), float(evidence.sum())
    size = np.abs(evidence)
    return BoxEvidence(
        class_name=class_name,
        by_lead=by_lead,
        logit=logit,
        total=total,
        share=logit / total if abs(total) >= NO_TOTAL else None,
        absolute_share=float(size[inside].sum() / size.sum()) if size.any() else 0.0,
        sample_share=float(inside.mean()),
    )
