"""The exact explanation of a recording: per class weights in logit per mV of the raw trace, and their sum.

`explain_many` gives the same for many recordings of one length and rate, with one pass through the network per batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.errors import ModelError, SignalError
from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.recording import WINDOW_S, Recording, bridge_gaps
from ecgimn.signal.preprocess import Preprocessing

if TYPE_CHECKING:
    from ecgimn.model.model import LinearModels, Model
    from ecgimn.model.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a model says about a recording of at most 10 s, and why, exactly.

    Attributes
    ----------
    recording_digest : str
    fs : float
        Hz, the recording's own rate.
    classes : tuple of str
    weights : ndarray of shape (K, 12, n_samples)
        Logit per mV on the raw trace. Over a lead they sum to zero: a constant added to a lead changes nothing.
    bias, logit, probability : ndarray of shape (K,)
        `(weights * signal).sum((1, 2)) + bias` is `logit`; the probability is its sigmoid. Classes are not exclusive.
    completeness_error : float
        Largest difference between that sum and the logit as the network itself computed it.
    model_name, model_sha256 : str
    spread : ndarray of shape (K, 12, n_samples) or None
        Standard deviation of the weights over the model's members.
    offset : ndarray of shape (K, 12) or None
        Of a model that z-scores each lead of each recording: what the centring adds to the logit, per lead. It is part
        of the sum, `(weights * signal).sum((1, 2)) + offset.sum(1) + bias`, and belongs to no sample; the weights of
        such a model do not sum to zero over a lead.
    """

    recording_digest: str
    fs: float
    classes: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    logit: NDArray[np.float64]
    probability: NDArray[np.float64]
    completeness_error: float
    model_name: str
    model_sha256: str
    spread: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.classes), 12, self.weights.shape[-1])
        if self.weights.shape != shape:
            raise ValueError(f"weights has shape {self.weights.shape}; {shape} is needed")
        self.weights.setflags(write=False)

    def index(self, class_name: str) -> int:
        """Row of a class."""
        return self.classes.index(class_name)


def explain(recording: Recording, model: Model | Predictor, *, double: bool = False) -> Explanation:
    """Explain a recording of at most 10 s.

    Parameters
    ----------
    recording : Recording
        Gaps are bridged by straight lines for the model; use `Recording.window` on longer ones.
    model : Model or Predictor
        A model of this project, or any network that writes a linear model: `TorchPredictor` in
        `ecgimn.model.predictor` makes one of a torch module of your own.
    double : bool
        Run a `Model` in float64, for checks of exactness.

    Raises
    ------
    SignalError
        The recording is longer than the model reads at once.
    ModelError
        The network writes no linear model.
    """
    if recording.n_samples > round(WINDOW_S * recording.fs):
        raise SignalError(
            f"The recording lasts {recording.duration_s:.1f} s. The model reads {WINDOW_S:g} s at once. "
            "Choose a window of the recording."
        )
    signal = bridge_gaps(recording.signal)
    prepare = model.preprocessing(recording.fs, recording.n_samples)
    x = prepare.forward(signal)
    written = cast("Model", model).write_linear_model(x, double=True) if double else model.linear(x)
    if written is None:
        raise ModelError(
            f"The network {model.name!r} writes no linear model, so there is no exact explanation of it. A network "
            "that does is needed. Use a post-hoc method, or wrap it in ecgimn.model.predictor.TorchPredictor."
        )
    members = prepare.adjoint(written.member_weights)
    weights = members.mean(axis=0)
    total = np.einsum("kln,ln->k", weights, signal) + written.bias
    if written.offset is not None:
        total = total + written.offset.sum(axis=1)
    return Explanation(
        recording_digest=recording.digest,
        fs=recording.fs,
        classes=model.classes,
        weights=weights,
        bias=written.bias,
        logit=written.logit,
        probability=expit(written.logit),
        completeness_error=float(np.max(np.abs(total - written.logit))),
        model_name=model.name,
        model_sha256=model.key,
        spread=members.std(axis=0, ddof=1) if len(members) > 1 else None,
        offset=written.offset,
    )


@dataclass(frozen=True, eq=False)
class LeadEvidence:
    """What each lead adds to each logit, for a batch of recordings.

    Attributes
    ----------
    leads : ndarray of shape (B, K, 12)
        Logit; the model's own centring of a lead, if it has one, included.
    bias, logit : ndarray of shape (B, K)
    completeness_error : ndarray of shape (B,)
        Largest difference between `leads.sum(2) + bias` and the logit as the network itself computed it.
    """

    leads: NDArray[np.float64]
    bias: NDArray[np.float64]
    logit: NDArray[np.float64]
    completeness_error: NDArray[np.float64]


def explain_many(recordings: Sequence[Recording], model: Model) -> list[Explanation]:
    """Explain recordings that share rate and length, 10 s at most; without the spread over the model's members."""
    signals, prepare = _signals(recordings, model)
    written = _write(model, prepare.forward(signals))
    explanations = []
    for row, recording in enumerate(recordings):
        weights = prepare.adjoint(written.weights[row])
        bias, logit = written.bias[row], written.logit[row]
        offset = None if written.offset is None else written.offset[row]
        total = np.einsum("kln,ln->k", weights, signals[row]) + bias + (0.0 if offset is None else offset.sum(axis=1))
        explanations.append(
            Explanation(
                recording_digest=recording.digest,
                fs=recording.fs,
                classes=model.classes,
                weights=weights,
                bias=bias,
                logit=logit,
                probability=expit(logit),
                completeness_error=float(np.max(np.abs(total - logit))),
                model_name=model.card.name,
                model_sha256=model.card.sha256,
                offset=offset,
            )
        )
    return explanations


def lead_evidence(recordings: Sequence[Recording], model: Model) -> LeadEvidence:
    """Return the evidence per lead of recordings that share rate and length, without carrying maps to the raw trace.

    With P = H R C, a lead's contribution is `<(P' w)_l, s_l> = <(C w)_l, (H R s)_l>`: C is its own adjoint, and H and R
    treat every lead alike. So the maps stay at 100 Hz, and the network's input is `C (H R s)`.
    """
    signals, prepare = _signals(recordings, model)
    alone = prepare.each_lead(signals)  # (B, 12, n) without the projection
    written = _write(model, CANONICAL_PROJECTION @ alone)
    leads = np.einsum("bklt,blt->bkl", CANONICAL_PROJECTION @ written.weights, alone)
    if written.offset is not None:
        leads = leads + written.offset
    error = np.abs(leads.sum(axis=2) + written.bias - written.logit).max(axis=1)
    return LeadEvidence(leads, written.bias, written.logit, error)


def _signals(recordings: Sequence[Recording], model: Model) -> tuple[NDArray[np.float64], Preprocessing]:
    if len({(recording.fs, recording.n_samples) for recording in recordings}) != 1:
        raise ValueError("recordings of one rate and length are needed")
    signals = np.stack([bridge_gaps(recording.signal) for recording in recordings])
    return signals, model.preprocessing(recordings[0].fs, recordings[0].n_samples)


def _write(model: Model, x: NDArray[np.float64]) -> LinearModels:
    from ecgimn.model.model import write_linear_models  # a notebook without PyTorch may import this module

    return write_linear_models(model, x)
