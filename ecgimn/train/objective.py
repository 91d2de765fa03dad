"""What an ECG-IMN is trained for: the labels, and maps that predict what happens when the ECG changes.

For an edited ECG x' the map of x must predict the logit of x', `<W(x), x'> + b = f(x')`, and the map of x' that of x:
local-fidelity regularisation (Hammer, Thambawita et al., arXiv:2606.29951), with edits that mean something to a
cardiologist, in both directions. Each family of edits and each class counts by its relative error, 1 - R2, so that
small effects are learned as faithfully as large ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ecgimn.explain.edits import FAMILIES, LEAD_GROUPS, NUISANCES, intervention, masks_from_landmarks
from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.model.network import EcgImn, fold_input
from ecgimn.signal.waves.quick import Landmarks

#: Families seen in training unless a recipe says otherwise: relative frequency and range of amounts.
TRAINING_EDITS: Mapping[str, tuple[float, float, float]] = {
    "st_shift": (3.0, -0.4, 0.4),
    "t_scale": (3.0, -1.3, 1.7),
    "stt_scale": (2.0, -0.5, 1.5),
    "qrs_scale": (2.5, 0.2, 1.7),
    "lead_scale": (2.0, 0.0, 1.6),
    "q_wave": (1.5, -0.8, 0.3),
    "wide_qrs": (2.0, 0.3, 1.0),
    "cells": (1.5, 0.05, 0.5),
    "noise": (1.0, 0.01, 0.06),
    "drift": (0.3, 0.05, 0.3),
}
P_REMOVAL = 0.25  # of scaled leads are removed altogether
P_TWO_EDITS = 0.25
REACTION_LOGIT = 0.5  # a planted sign should raise the logit of its class by this much
MAPS_FOR_EVIDENCE = 8  # of each record on average; of many outputs, the maps of a part of the batch are written
SPREAD_DECAY = 0.99
SPREAD_FLOOR = 0.05  # logit^2, keeps families without effect from dominating


def random_edit(
    x: NDArray[np.float32],
    landmarks: Landmarks,
    rng: np.random.Generator,
    edits: Mapping[str, tuple[float, float, float]] = TRAINING_EDITS,
) -> tuple[int, NDArray[np.float64]]:
    """Draw one training edit of an input (12, 982); returns the index of its (first) family and the change."""
    masks = masks_from_landmarks(landmarks, x.shape[1])
    names = list(edits)
    odds = np.array([edits[name][0] for name in names])
    change = np.zeros(x.shape)
    first = -1
    for _ in range(2 if rng.random() < P_TWO_EDITS else 1):
        family = names[rng.choice(len(names), p=odds / odds.sum())]
        _, low, high = edits[family]
        amount = float(rng.uniform(low, high))
        if family == "lead_scale" and rng.random() < P_REMOVAL:
            amount = 0.0
        change += intervention(family, x, masks, leads=_random_leads(family, rng), amount=amount, rng=rng)
        first = FAMILIES.index(family) if first < 0 else first
    return first, change


def _random_leads(family: str, rng: np.random.Generator) -> NDArray[np.bool_]:
    if family in (*NUISANCES, "cells", "gain"):
        return LEAD_GROUPS["all"]
    kind = rng.random()
    if kind < 0.6:
        return LEAD_GROUPS[list(LEAD_GROUPS)[rng.integers(len(LEAD_GROUPS))]]
    if kind < 0.85:
        return np.asarray(rng.random(12) < rng.uniform(0.1, 0.6))
    return np.asarray(np.arange(12) == rng.integers(12))


class ThroughPreprocessing:
    """The part of the preprocessing that a change of an already preprocessed input still has to pass."""

    def __init__(self, high_pass: NDArray[np.float64]) -> None:
        self.high_pass = torch.tensor(high_pass, dtype=torch.float32)
        self.projection = torch.tensor(CANONICAL_PROJECTION, dtype=torch.float32)

    def __call__(self, change: Tensor, window: slice = slice(None)) -> Tensor:
        """Map changes (..., 12, 982) in mV onto changes of the input, or of a window of it."""
        return (self.projection @ change) @ self.high_pass[:, window]


class FidelitySpread(nn.Module):
    """Running means per family of edits and class: square of the actual change in logit, and share left unexplained."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.square: Tensor
        self.unexplained: Tensor
        self.nuisance: Tensor
        self.register_buffer("nuisance", torch.tensor([name in NUISANCES for name in FAMILIES]), persistent=False)
        self.register_buffer("square", torch.ones(len(FAMILIES), n_classes))
        self.register_buffer("unexplained", torch.full((len(FAMILIES), n_classes), 0.3))

    def update(self, family: Tensor, actual: Tensor) -> Tensor:
        """Take in the changes of one batch, (B,) and (B, K); returns the scale of each, (B, K)."""
        _follow(self.square, family, actual.square())
        return self.square[family] + SPREAD_FLOOR

    def focus(self, family: Tensor, relative: Tensor, floor: float) -> Tensor:
        """Take in the relative errors of one batch, (B, K); returns each divided by floor + what is usual, (B, K)."""
        _follow(self.unexplained, family, relative.detach())
        return relative / (floor + self.unexplained[family])


def _follow(means: Tensor, family: Tensor, values: Tensor) -> None:
    """Move the running means (families, K) towards the values (B, K) of one batch, in place; absent families stay."""
    member = F.one_hot(family, len(means)).to(values.dtype)  # (B, families)
    count = member.sum(0)[:, None]
    means += (1.0 - SPREAD_DECAY) * (member.T @ values - count * means) / count.clamp(min=1.0)


@dataclass(frozen=True, eq=False)
class Loss:
    """The parts of the objective; `total` is what is minimised."""

    total: Tensor
    labels: Tensor
    fidelity: Tensor
    evidence: Tensor


@dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the parts of the objective.

    Attributes
    ----------
    gamma : float
        Fidelity, in units of 1 - R2, or of its logarithm.
    log_floor : float
        Above 0, log(log_floor + 1 - R2) of each family and class is what falls: a family that is nearly predicted
        counts for more than one that cannot be.
    to_score : float
        Share of the fidelity term's gradient that reaches the actual changes, from 0 to 1. Below 1 the map has more to
        learn what the score does than the score to do what the map says.
    ramp : float
        Share of the training over which gamma grows to its full value: asked for too early, it holds discrimination
        back.
    evidence : float
        Sum of absolute evidence over lead x 160 ms cells, in logit, mean over the outputs: compact maps.
    reaction : float
        What a planted sign of disease falls short of raising the logit of its class by `REACTION_LOGIT`, in logit.
    planted_share : float
        Share of the edits of records labelled NORM alone that plant one of `SIGNS`.
    edits : mapping of str to (float, float, float)
        Families of edits seen in training: relative frequency, least and largest amount.
    """

    gamma: float = 0.3
    log_floor: float = 0.0
    to_score: float = 1.0
    ramp: float = 0.7
    evidence: float = 3e-4
    reaction: float = 0.0
    planted_share: float = 0.0
    edits: Mapping[str, tuple[float, float, float]] = field(default_factory=lambda: dict(TRAINING_EDITS))

    def __post_init__(self) -> None:
        """Refuse edits that nobody can make, and shares beyond 0 to 1."""
        unknown = sorted(set(self.edits) - set(FAMILIES))
        if unknown:
            raise KeyError(f"edits {', '.join(unknown)}, not among {', '.join(FAMILIES)}")
        if not 0.0 <= self.to_score <= 1.0:
            raise ValueError(f"to_score is {self.to_score}, needed a share from 0 to 1")


def label_loss(logit: Tensor, targets: Tensor, class_weight: Tensor) -> Tensor:
    """Return the binary cross-entropy of logits and targets (B, K), weighted by class, without targets that are NaN.

    The loss of a class is the mean over the records of the batch whose target is known.
    """
    known = ~targets.isnan()
    each = F.binary_cross_entropy_with_logits(logit, targets.nan_to_num(), reduction="none") * known
    return (each.sum(0) / known.sum(0).clamp(min=1) * class_weight).sum()


def objective(
    network: EcgImn,
    x: Tensor,
    edited: Tensor,
    family: Tensor,
    reacting: Tensor,
    targets: Tensor,
    class_weight: Tensor,
    spread: FidelitySpread,
    config: ObjectiveConfig,
    *,
    gamma_now: float | Tensor,
) -> Loss:
    """Return the loss of one batch of an ECG-IMN.

    Parameters
    ----------
    x : Tensor of shape (B, 12, L)
    edited : Tensor of shape (E, 12, L)
        Edited copies of the first E inputs.
    family : Tensor of shape (E,)
        Index of each edit's family.
    reacting : Tensor of shape (E,)
        Index of the output that should rise with each edit; -1 where nobody can say.
    targets : Tensor of shape (B, K)
        From 0 to 1; NaN where nobody knows.
    class_weight : Tensor of shape (K,)
    """
    n_edited = len(edited)
    seen = torch.cat([x, edited])
    features = network.features(seen, copies=n_edited)
    logit = network.read(features, seen)
    labels = label_loss(logit[: len(x)], targets, class_weight)

    before, after = logit[:n_edited], logit[len(x) :]
    actual = after - before
    asked_of_map = actual.detach().lerp(actual, config.to_score)
    forward_error = network.read(features[:n_edited], edited) - before - asked_of_map
    backward_error = network.read(features[len(x) :], x[:n_edited]) - after + asked_of_map
    scale = spread.update(family, actual.detach())
    relative = (forward_error.square() + backward_error.square()) / (2.0 * scale)
    relative = relative + spread.nuisance[family][:, None] * actual.square() / scale
    # a single wild edit must not steer the step
    relative = relative.clamp(max=25.0)
    pressing = spread.focus(family, relative, config.log_floor) if config.log_floor else relative
    fidelity = (relative.mean(0) * class_weight).sum()

    looked_at = x[: max(1, len(x) * MAPS_FOR_EVIDENCE // logit.shape[1])]
    evidence = network.maps(features[: len(looked_at)], looked_at) * fold_input(looked_at)[:, None]
    evidence = F.avg_pool1d(evidence.flatten(0, 2), 8).abs().sum() * 8 / (len(looked_at) * logit.shape[1])
    planted = reacting >= 0
    rise = actual.gather(1, reacting.clamp(min=0)[:, None])[:, 0]
    shortfall = (F.relu(REACTION_LOGIT - rise) * planted).sum() / planted.sum().clamp(min=1)
    asked = (pressing.mean(0) * class_weight).sum()
    total = labels + gamma_now * asked + config.evidence * evidence + config.reaction * shortfall
    return Loss(total, labels.detach(), fidelity.detach(), evidence.detach())
