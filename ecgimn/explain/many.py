"""Explanations of many recordings of one length and rate: the sums of `explain`, the network asked once a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.explanation import Explanation
from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.recording import Recording
from ecgimn.signal.posterior import bridge_gaps
from ecgimn.signal.preprocess import Preprocessing

if TYPE_CHECKING:
    from ecgimn.model.checkpoint import Model
    from ecgimn.model.many import LinearModels


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
        attribution = weights * signals[row]
        bias, logit = written.bias[row], written.logit[row]
        offset = None if written.offset is None else written.offset[row]
        total = attribution.sum(axis=(1, 2)) + bias + (0.0 if offset is None else offset.sum(axis=1))
        explanations.append(
            Explanation(
                recording_digest=recording.digest,
                fs=recording.fs,
                classes=model.classes,
                weights=weights,
                attribution=attribution,
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
    from ecgimn.model.many import write_linear_models  # a notebook without PyTorch may import this module

    return write_linear_models(model, x)
