"""One training batch: crops, nuisances that must not matter, mixtures, and edits whose effect the map must predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgimn.explain.intervene import masks_from_landmarks
from ecgimn.signal.landmarks import Landmarks
from ecgimn.training.dataset import Dataset
from ecgimn.training.objective import ObjectiveConfig, ThroughPreprocessing, random_edit
from ecgimn.training.signs import random_sign

PLAIN = ObjectiveConfig()


@dataclass(frozen=True)
class AugmentConfig:
    """How much inputs are varied while training.

    Attributes
    ----------
    gain, lead_gain : float
        Largest relative change of all leads together, and of each lead.
    noise_mv : float
        Largest standard deviation of white noise in mV, on `noisy_share` of the inputs.
    dropped_leads : float
        Share of leads set to zero, on a quarter of the inputs.
    mix : float
        Alpha of the beta distribution by which pairs of inputs and their labels are mixed (mixup, Zhang et al.,
        arXiv:1710.09412); 0 for none.
    """

    gain: float = 0.1
    lead_gain: float = 0.05
    noise_mv: float = 0.02
    noisy_share: float = 0.4
    dropped_leads: float = 0.0
    mix: float = 0.0


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from.

    Attributes
    ----------
    x : Tensor of shape (B, 12, crop)
    targets : Tensor of shape (B, K)
    edited : Tensor of shape (E, 12, crop)
        Edited copies of the first E inputs.
    family : Tensor of shape (E,)
        Index of the family of each edit.
    reacting : Tensor of shape (E,)
        Index of the superclass that should react to each edit; -1 where nobody can say.
    """

    x: Tensor
    targets: Tensor
    edited: Tensor
    family: Tensor
    reacting: Tensor


def make_batch(
    data: Dataset,
    targets: Tensor,
    chosen: NDArray[np.integer],
    config: AugmentConfig,
    crop: int,
    through: ThroughPreprocessing,
    rng: np.random.Generator,
    *,
    n_edited: int = 0,
    objective: ObjectiveConfig = PLAIN,
) -> Batch:
    """Return a batch of augmented crops of `crop` samples of the records `chosen`, each cropped at its own place.

    Parameters
    ----------
    targets : Tensor of shape (n, K)
        Of the whole data set.
    n_edited : int
        So many of the inputs are edited; their landmarks must be there.
    objective : ObjectiveConfig
        Which edits are drawn, and how many signs of disease are planted.
    """
    n, whole = len(chosen), data.x.shape[-1]
    starts = rng.integers(0, whole - crop + 1, n)
    if n_edited:
        x = data.x[chosen].astype(np.float32)
    else:
        x = np.stack([data.x[row, :, s : s + crop] for row, s in zip(chosen, starts, strict=True)]).astype(np.float32)
    x *= rng.uniform(1 - config.gain, 1 + config.gain, (n, 1, 1)).astype(np.float32)
    x *= rng.uniform(1 - config.lead_gain, 1 + config.lead_gain, (n, 12, 1)).astype(np.float32)
    noisy = rng.random(n) < config.noisy_share
    sigma = rng.uniform(0, config.noise_mv, (int(noisy.sum()), 1, 1)).astype(np.float32)
    x[noisy] += sigma * rng.standard_normal((int(noisy.sum()), 12, x.shape[-1]), dtype=np.float32)
    if config.dropped_leads:
        x *= (rng.random((n, 12, 1)) >= config.dropped_leads) | (rng.random((n, 1, 1)) >= 0.25)
    normal = data.norm_alone[chosen]
    drawn = [_edit(x[i], data.landmarks[chosen[i]], bool(normal[i]), objective, rng) for i in range(n_edited)]
    inputs = through.projection @ torch.from_numpy(x)  # gains per lead broke the limb-lead relations
    edited, family, reacting = inputs[:0], torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    if n_edited:
        change = through(torch.from_numpy(np.stack([change for _, change, _ in drawn]).astype(np.float32)))
        family, reacting = torch.tensor([index for index, _, _ in drawn]), torch.tensor([k for *_, k in drawn])
        place = torch.from_numpy(starts)[:, None, None] + torch.arange(crop)
        edited = torch.gather(inputs[:n_edited] + change, 2, place[:n_edited].expand(-1, 12, -1))
        inputs = torch.gather(inputs, 2, place.expand(-1, 12, -1))
    wanted = targets[torch.from_numpy(chosen)]
    if config.mix:
        share = torch.from_numpy(rng.beta(config.mix, config.mix, n).astype(np.float32))
        share = torch.maximum(share, 1.0 - share)
        other = torch.from_numpy(rng.permutation(n))
        inputs = share[:, None, None] * inputs + (1.0 - share)[:, None, None] * inputs[other]
        wanted = share[:, None] * wanted + (1.0 - share)[:, None] * wanted[other]
    return Batch(inputs, wanted, edited, family, reacting)


def _edit(
    x: NDArray[np.float32], landmarks: Landmarks, normal: bool, objective: ObjectiveConfig, rng: np.random.Generator
) -> tuple[int, NDArray[np.float64], int]:
    """Return the family of an edit of one record, the change, and the superclass that should react (-1 for none)."""
    if normal and objective.planted_share and rng.random() < objective.planted_share:
        return random_sign(x, masks_from_landmarks(landmarks, x.shape[1]), rng)
    return (*random_edit(x, landmarks, rng, objective.edits), -1)
