"""What is compared: one class of one recording as one method explains one network, in a form that all methods share.

The exact map and every post-hoc method (`posthoc.METHODS`) come out alike: evidence in logit per sample of the trace,
its sums over lead and wave, and the change that the method predicts when a cell is removed. Post-hoc methods explain
the network's 100 Hz input; their weights are carried back to the trace by the same adjoint as the exact map's, so
their predictions lose nothing on the way, and their pictures are spread over the trace's samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.checks import cell_sums
from ecgimn.explain.explanation import Explanation, one_class
from ecgimn.explain.ledger import isoelectric_attribution
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.preprocess import MODEL_FS, TRIM_START, Preprocessing, preprocessing
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.signal.waves.quick import quick_landmarks

if TYPE_CHECKING:
    from ecgimn.explain.methods import Target
    from ecgimn.model.model import Model

EXACT = "exact map"


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two that are compared.

    Attributes
    ----------
    title : str
    reading : SignalReading
    explanation : Explanation
        Of one class. Its attribution is evidence about the isoelectric level in logit per sample; its bias is all of
        the logit that the method books nowhere.
    predicted : ndarray of shape (12, n_waves)
        Change of the logit that the method predicts when a cell of lead by wave is removed.
    exact : bool
        Whether evidence and bias are the network's own sum, and not a method's account of it.
    """

    title: str
    reading: SignalReading
    explanation: Explanation
    predicted: NDArray[np.float64]
    exact: bool

    @property
    def recording(self) -> Recording:
        """The samples explained."""
        return self.reading.recording

    @property
    def class_name(self) -> str:
        """The class explained."""
        return self.explanation.classes[0]

    @property
    def evidence(self) -> NDArray[np.float64]:
        """Logit per sample, shape (12, n_samples)."""
        return np.asarray(self.explanation.attribution[0])

    @cached_property
    def cells(self) -> NDArray[np.float64]:
        """Evidence by lead and wave, shape (12, n_waves); all of it "unassigned" where no beat was found."""
        if self.reading.waves is None:
            cells = np.zeros((12, len(WAVE_NAMES)))
            cells[:, 0] = self.evidence.sum(axis=1)
            return cells
        return cell_sums(self.evidence, self.reading.waves)


@dataclass(frozen=True, eq=False)
class ComparedNetwork:
    """A network that methods explain.

    Attributes
    ----------
    name : str
    key : str
        Tells this network from others, for caches.
    classes : tuple of str
    logits : callable
        Inputs (n, 12, L) to logits (n, K).
    target : callable
        Makes what `posthoc.attribute` explains; PyTorch and captum are loaded then and not before.
    prepare : callable
        Rate and samples of a recording to its preprocessing.
    """

    name: str
    key: str
    classes: tuple[str, ...]
    logits: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    target: Callable[[], Target]
    prepare: Callable[[float, int], Preprocessing]


def network_of(model: Model) -> ComparedNetwork:
    """Return a listed model as a network to be explained by any method."""

    def target() -> Target:
        from ecgimn.explain.methods import model_target

        return model_target(model)

    return ComparedNetwork(model.card.name, model.card.sha256, model.classes, model.logits, target, model.preprocessing)


def twin_network() -> ComparedNetwork:
    """Return the black-box twin, which has no map of its own.

    Raises
    ------
    ModelNotFoundError
        It is not installed.
    """
    from ecgimn.explain.methods import twin_logits, twin_target
    from ecgimn.model import model as checkpoint
    from ecgimn.model.blackbox import TWIN, load_black_box

    network, classes = load_black_box(TWIN, checkpoint.MODELS_FOLDER)
    return ComparedNetwork(
        TWIN,
        TWIN,
        classes,
        lambda x: twin_logits(network, x),
        lambda: twin_target(network, len(classes)),
        preprocessing,
    )


def method_names() -> tuple[str, ...]:
    """Return the post-hoc methods there are, by their names on screen."""
    from ecgimn.explain.methods import METHODS

    return tuple(METHODS)


def exact_side(explanation: Explanation, reading: SignalReading, class_name: str, title: str) -> Side:
    """Return the exact map of one class, counted from the isoelectric level."""
    own = one_class(explanation, class_name)
    evidence = isoelectric_attribution(own, reading.recording, reading.levels)
    booked = _with_evidence(own, evidence, own.weights)
    side = Side(title, reading, booked, np.empty(0), exact=True)
    return Side(title, reading, booked, -side.cells, exact=True)


def post_hoc_side(method: str, network: ComparedNetwork, reading: SignalReading, class_name: str, title: str) -> Side:
    """Explain one class of a recording by a post-hoc method.

    Parameters
    ----------
    method : str
        One of `method_names()`.
    network : ComparedNetwork
    reading : SignalReading
        With waves: occlusion by cells, KernelSHAP and the controls need them.
    class_name : str
    title : str

    Raises
    ------
    ValueError
        The method is unknown, or the recording holds no beat.
    """
    from ecgimn.explain.methods import Input, attribute
    from ecgimn.explain.methods import one_class as one_class_of

    recording, waves = reading.recording, reading.waves
    if waves is None:
        raise ValueError("post-hoc methods need the waves of the recording")
    prepare = network.prepare(recording.fs, recording.n_samples)
    x, k = prepare.forward(bridge_gaps(recording.signal)), network.classes.index(class_name)
    times_s = (TRIM_START + np.arange(x.shape[-1])) / MODEL_FS
    at = np.minimum(np.round(times_s * recording.fs).astype(np.intp), recording.n_samples - 1)
    cells = np.arange(12)[:, None] * len(WAVE_NAMES) + waves.labels[:, at]
    record = Input(x, quick_landmarks(x).level, cells)
    said = attribute(method, one_class_of(network.target(), k), record)
    logit = float(network.logits(x[None])[0, k])
    weights = prepare.adjoint(said.weights)
    booked = _with_evidence(
        Explanation(
            recording_digest=recording.digest,
            fs=recording.fs,
            classes=(class_name,),
            weights=weights,
            attribution=np.zeros_like(weights),
            bias=np.zeros(1),
            logit=np.array([logit]),
            probability=np.array([expit(logit)]),
            completeness_error=0.0,
            model_name=f"{method} on {network.name}",
            model_sha256=network.key,
        ),
        spread_over_trace(said.attribution, times_s, recording),
        weights,
    )
    above = bridge_gaps(recording.signal) - reading.levels[:, None]
    return Side(title, reading, booked, -cell_sums(weights[0] * above, waves), exact=False)


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


def _with_evidence(
    explanation: Explanation, evidence: NDArray[np.float64], weights: NDArray[np.float64]
) -> Explanation:
    """Return an explanation whose evidence is this; what it leaves of the logit is its bias."""
    rest = explanation.logit - evidence.sum(axis=(1, 2))
    return Explanation(
        recording_digest=explanation.recording_digest,
        fs=explanation.fs,
        classes=explanation.classes,
        weights=np.asarray(weights),
        attribution=evidence,
        bias=rest,
        logit=explanation.logit,
        probability=explanation.probability,
        completeness_error=explanation.completeness_error,
        model_name=explanation.model_name,
        model_sha256=explanation.model_sha256,
    )
