"""What is compared: one class of one recording as one method explains one network, in a form that all methods share.

The exact map and every post-hoc method (`methods.METHODS`) come out alike: evidence in logit per sample of the trace,
its sums over lead and wave, and the change that the method predicts when a cell is removed. Post-hoc methods explain
the network's 100 Hz input; their weights are carried back to the trace by the same adjoint as the exact map's, so
their predictions lose nothing on the way, and their pictures are spread over the trace's samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.case import Case, Evidence
from ecgimn.explain.ledger import book, contribution
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.preprocess import MODEL_FS, TRIM_START
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.signal.waves.quick import quick_landmarks

if TYPE_CHECKING:
    from ecgimn.model.predictor import Predictor

EXACT = "exact map"


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two that are compared.

    Attributes
    ----------
    title : str
    evidence : Evidence
        Of one class. Its bias is all of the logit that the method books nowhere.
    predicted : ndarray of shape (12, n_waves)
        Change of the logit that the method predicts when a cell of lead by wave is removed.
    exact : bool
        Whether evidence and bias are the network's own sum, and not a method's account of it.
    network : str
        `key` of the network explained.
    """

    title: str
    evidence: Evidence
    predicted: NDArray[np.float64]
    exact: bool
    network: str

    @property
    def reading(self) -> SignalReading:
        """The recording explained, read."""
        return self.evidence.reading

    @property
    def recording(self) -> Recording:
        """The samples explained."""
        return self.evidence.recording


def method_names() -> tuple[str, ...]:
    """Return the post-hoc methods there are, by their names on screen."""
    from ecgimn.explain.methods import METHODS

    return tuple(METHODS)


def exact_side(case: Case, class_name: str, title: str) -> Side:
    """Return the exact map of one class."""
    evidence = case.of(class_name)
    return Side(title, evidence, -evidence.cells, exact=True, network=case.card.sha256)


def post_hoc_side(method: str, network: Predictor, reading: SignalReading, class_name: str, title: str) -> Side:
    """Explain one class of a recording by a post-hoc method.

    Parameters
    ----------
    method : str
        One of `method_names()`.
    network : Predictor
    reading : SignalReading
        With waves: occlusion by cells, KernelSHAP and the controls need them.
    class_name : str
    title : str

    Raises
    ------
    ValueError
        The recording holds no beat.
    """
    from ecgimn.explain.methods import METHODS, Input

    recording, waves = reading.recording, reading.waves
    if waves is None:
        raise ValueError("post-hoc methods need the waves of the recording")
    prepare = network.preprocessing(recording.fs, recording.n_samples)
    x, k = prepare.forward(bridge_gaps(recording.signal)), network.classes.index(class_name)
    times_s = (TRIM_START + np.arange(x.shape[-1])) / MODEL_FS
    at = np.minimum(np.round(times_s * recording.fs).astype(np.intp), recording.n_samples - 1)
    cells = np.arange(12)[:, None] * len(WAVE_NAMES) + waves.labels[:, at]
    record = Input(x, quick_landmarks(x).level, cells)
    said = METHODS[method].attribute(network, record, only=k)
    logit = float(network.logits(x[None])[0, k])
    weights = prepare.adjoint(said.weights)
    contributions = spread_over_trace(said.attribution, times_s, recording)[0]
    booked, beats = book(contributions, waves)
    evidence = Evidence(
        reading=reading,
        name=class_name,
        weights=weights[0],
        contribution=contributions,
        bias=logit - float(contributions.sum()),
        baseline=0.0,
        logit=logit,
        probability=float(expit(logit)),
        cells=booked,
        beats=beats,
        residual=0.0,
    )
    predicted, _ = book(contribution(weights[0], recording, reading.levels), waves)
    return Side(title, evidence, -predicted, exact=False, network=network.key)


def spread_over_trace(
    attribution: NDArray[np.floating], times_s: NDArray[np.floating], recording: Recording
) -> NDArray[np.float64]:
    """Spread a map over the network's input, (..., 12, L), over the samples of the trace; lead sums stay the same."""
    edges_s = np.concatenate([times_s - 0.5 / MODEL_FS, times_s[-1:] + 0.5 / MODEL_FS])
    own_s = (np.arange(recording.n_samples + 1) - 0.5) / recording.fs
    own_s[0], own_s[-1] = min(own_s[0], edges_s[0]), max(own_s[-1], edges_s[-1])
    spread = np.empty((*attribution.shape[:-1], recording.n_samples))
    for place in np.ndindex(attribution.shape[:-1]):
        running = np.concatenate([[0.0], np.cumsum(attribution[place])])
        spread[place] = np.diff(np.interp(own_s, edges_s, running))
    return spread
