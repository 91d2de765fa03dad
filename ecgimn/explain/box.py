"""A box on the trace: caliper, the evidence inside it, and the score without it, as the map predicts and as re-run.

The evidence inside a box is the contribution of exactly its samples, so boxes that tile a recording add up to the
ledger's total. Setting a box to the isoelectric level takes exactly the evidence inside away from the linear model; the
re-run network's answer stands beside it, and the two need not agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.case import difference_name
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.recording import bridge_gaps
from ecgimn.signal.intervals import QTC_FORMULAS, Measured

if TYPE_CHECKING:
    from ecgimn.explain.case import Case, Evidence
    from ecgimn.model.model import Model
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
    """Evidence for one class, or the difference of two, inside a box, in logit.

    Attributes
    ----------
    class_name : str
    by_lead : dict of str to float
        Contribution of the samples inside, per lead of the box.
    logit : float
        Their sum.
    total : float
        Contribution of the whole recording: the total of the ledger's cells.
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


@dataclass(frozen=True)
class CaliperQtc:
    """QTc of two marks on the trace: the longer one as RR, the shorter one as QT.

    Attributes
    ----------
    rr_ms, qt_ms : float
    qtc : dict of str to float
        "Bazett" and "Fridericia", in ms.
    """

    rr_ms: float
    qt_ms: float
    qtc: dict[str, float]


def qtc_of_two(first: Box, second: Box) -> CaliperQtc | None:
    """Return QTc from two boxes; None where their widths cannot be an RR and a QT interval.

    Parameters
    ----------
    first, second : Box
        In any order and in any leads; only their widths count.
    """
    qt_ms, rr_ms = sorted(round(1000.0 * (box.stop_s - box.start_s), 6) for box in (first, second))
    if qt_ms == rr_ms or not (QT_MS[0] <= qt_ms <= QT_MS[1] and RR_MS[0] <= rr_ms <= RR_MS[1]):
        return None
    return CaliperQtc(rr_ms, qt_ms, {name: QTC_FORMULAS[name](qt_ms, rr_ms / 1000.0) for name in QTC_SHOWN})


def march_out(box: Box, duration_s: float) -> tuple[float, ...]:
    """Return the ends of a box and of equal boxes before and after it, in seconds, over a whole recording."""
    width = box.stop_s - box.start_s
    if width <= 0:
        return ()
    first, last = math.ceil(-box.start_s / width - 1e-9), math.floor((duration_s - box.start_s) / width + 1e-9)
    return tuple(round(box.start_s + step * width, 6) for step in range(first, last + 1))


def box_evidence(box: Box, evidence: Evidence) -> BoxEvidence:
    """Add up the evidence inside a box."""
    values, recording = evidence.contribution, evidence.recording
    inside = box.mask(recording.fs, recording.n_samples)
    by_lead = {lead: float(values[row, inside[row]].sum()) for lead, row in box.rows.items()}
    logit, total = sum(by_lead.values()), float(values.sum())
    size = np.abs(values)
    return BoxEvidence(
        class_name=evidence.name,
        by_lead=by_lead,
        logit=logit,
        total=total,
        share=logit / total if abs(total) >= NO_TOTAL else None,
        absolute_share=float(size[inside].sum() / size.sum()) if size.any() else 0.0,
        sample_share=float(inside.mean()),
    )


Fill = Literal["isoelectric", "line"]
FILLS: tuple[Fill, ...] = get_args(Fill)


@dataclass(frozen=True)
class BoxAnswer:
    """What becomes of one logit, or of the difference of two, when the signal in a box is replaced.

    Attributes
    ----------
    fill : {"isoelectric", "line"}
        The isoelectric level of each lead, or a straight line between the samples beside the box.
    name : str
        As printed: the class, or the two classes of a difference.
    logit : float
        Of the recording as it is.
    predicted_change : float
        By this recording's own linear model, its weights held.
    actual_change : float
        By the network re-run on the edited recording, for which it writes new weights.
    is_difference : bool
        Whether two logits are subtracted; a difference has no probability.
    """

    fill: Fill
    name: str
    logit: float
    predicted_change: float
    actual_change: float
    is_difference: bool = False

    def probabilities(self) -> tuple[float, float, float]:
        """Return the probability as it is, as the map predicts it, and as the network gives it."""
        before, predicted, actual = expit(self.logit + np.array([0.0, self.predicted_change, self.actual_change]))
        return float(before), float(predicted), float(actual)


@dataclass(frozen=True, eq=False)
class BoxIntervention:
    """What becomes of every logit when the signal in a box is replaced.

    Attributes
    ----------
    fill : {"isoelectric", "line"}
        As in `BoxAnswer`.
    classes : tuple of str
    logit, predicted_change, actual_change : ndarray of shape (K,)
        As in `BoxAnswer`.
    """

    fill: Fill
    classes: tuple[str, ...]
    logit: NDArray[np.float64]
    predicted_change: NDArray[np.float64]
    actual_change: NDArray[np.float64]

    def of(self, name: str, minus: str | None = None) -> BoxAnswer:
        """Return what becomes of one logit, or of the difference of two."""
        k = self.classes.index(name)
        logit, predicted, actual = (float(of[k]) for of in (self.logit, self.predicted_change, self.actual_change))
        if minus is None or minus == name:
            return BoxAnswer(self.fill, name, logit, predicted, actual)
        other = self.of(minus)
        return BoxAnswer(
            fill=self.fill,
            name=difference_name(name, minus),
            logit=logit - other.logit,
            predicted_change=predicted - other.predicted_change,
            actual_change=actual - other.actual_change,
            is_difference=True,
        )


def box_change(
    box: Box, recording: Recording, levels: NDArray[np.floating], fill: Fill = "isoelectric"
) -> NDArray[np.float64]:
    """Return the change in mV that empties a box, shape (12, n_samples); the edited ECG is the signal plus this.

    Parameters
    ----------
    box : Box
    recording : Recording
        Gaps are bridged by straight lines, as they are for the model.
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.
    fill : {"isoelectric", "line"}
        A line has nothing to start from at an end of the recording and then runs level; over a whole lead it is the
        isoelectric level.
    """
    if fill not in FILLS:
        raise ValueError(f"fill is {fill!r}; one of {', '.join(FILLS)} is needed")
    signal = bridge_gaps(recording.signal)
    n_samples = signal.shape[1]
    span = box.samples(recording.fs, n_samples)
    change = np.zeros_like(signal)
    for row in box.rows.values():
        first, last = span.start - 1, span.stop
        ends = [float(signal[row, end]) for end in (first, last) if 0 <= end < n_samples]
        if fill == "isoelectric" or not ends:
            line = np.full(span.stop - span.start, float(levels[row]))
        else:
            line = np.interp(np.arange(span.start, span.stop), [first, last], [ends[0], ends[-1]])
        change[row, span] = line - signal[row, span]
    return change


def box_interventions(box: Box, case: Case, model: Model) -> tuple[BoxIntervention, ...]:
    """Empty a box in every way of `FILLS`: what the map predicts, and what the re-run network says.

    Parameters
    ----------
    box : Box
    case : Case
    model : Model
        The model of the case; reads the recording as it is and emptied in each way, in one batch.
    """
    recording, explanation, levels = case.recording, case.explanation, case.reading.levels
    prepare = model.preprocessing(recording.fs, recording.n_samples)
    changes = [box_change(box, recording, levels, fill) for fill in FILLS]
    signal = bridge_gaps(recording.signal)
    inputs = np.stack([prepare.forward(signal + change) for change in (np.zeros_like(signal), *changes)])
    logits = model.logits(inputs)
    return tuple(
        BoxIntervention(
            fill=fill,
            classes=explanation.classes,
            logit=explanation.logit,
            predicted_change=np.asarray((explanation.weights * change).sum(axis=(1, 2))),
            actual_change=logits[place] - logits[0],
        )
        for place, (fill, change) in enumerate(zip(FILLS, changes, strict=True), start=1)
    )
