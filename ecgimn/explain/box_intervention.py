"""The score without what is in a box: what this recording's own linear model predicts, and what the network answers.

Setting a box to the isoelectric level takes exactly the evidence inside away from the linear model; what the network
says when it is asked again stands beside it, and the two need not agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.box import Box
from ecgimn.explain.explanation import contrast_name
from ecgimn.signal.posterior import bridge_gaps

if TYPE_CHECKING:
    from ecgimn.explain.explanation import Explanation
    from ecgimn.model.checkpoint import Model
    from ecgimn.recording import Recording

Fill = Literal["isoelectric", "line"]
FILLS: tuple[Fill, ...] = get_args(Fill)


@dataclass(frozen=True, eq=False)
class BoxIntervention:
    """What becomes of every class when the signal in a box is replaced.

    Attributes
    ----------
    fill : {"isoelectric", "line"}
        The isoelectric level of each lead, or a straight line between the samples beside the box.
    classes : tuple of str
    logit : ndarray of shape (K,)
        Of the recording as it is.
    predicted_change : ndarray of shape (K,)
        Change of the logit by this recording's own linear model, its weights held.
    actual_change : ndarray of shape (K,)
        Change of the logit when the network reads the edited recording and writes new weights.
    is_contrast : bool
        Whether its one class is the difference of two, which has no probability.
    """

    fill: Fill
    classes: tuple[str, ...]
    logit: NDArray[np.float64]
    predicted_change: NDArray[np.float64]
    actual_change: NDArray[np.float64]
    is_contrast: bool = False

    def contrast(self, first: str, second: str) -> BoxIntervention:
        """Return what becomes of the difference of two logits."""
        j, k = self.classes.index(first), self.classes.index(second)
        return BoxIntervention(
            fill=self.fill,
            classes=(contrast_name(first, second),),
            logit=self.logit[[j]] - self.logit[[k]],
            predicted_change=self.predicted_change[[j]] - self.predicted_change[[k]],
            actual_change=self.actual_change[[j]] - self.actual_change[[k]],
            is_contrast=True,
        )

    def probabilities(self, class_name: str) -> tuple[float, float, float]:
        """Return the probability as it is, as the map predicts it, and as the network gives it."""
        k = self.classes.index(class_name)
        changes = np.array([0.0, self.predicted_change[k], self.actual_change[k]])
        before, predicted, actual = expit(self.logit[k] + changes)
        return float(before), float(predicted), float(actual)


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


def box_interventions(
    box: Box, explanation: Explanation, recording: Recording, levels: NDArray[np.floating], model: Model
) -> tuple[BoxIntervention, ...]:
    """Empty a box in every way of `FILLS`: what the map predicts, and what the network says when asked again.

    Parameters
    ----------
    box : Box
    explanation : Explanation
        Of this very recording, by this very model.
    recording : Recording
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.
    model : Model
        Reads the recording as it is and emptied in each way, in one batch.
    """
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
