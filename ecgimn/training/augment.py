"""One training batch: crops, nuisances that must not matter, mixtures, and edits whose effect the map must predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgimn.training.dataset import Dataset
from ecgimn.training.objective import TRAINING_EDITS, ThroughPreprocessing, random_edit


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
    """

    x: Tensor
    targets: Tensor
    edited: Tensor
    family: Tensor


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
    edits: Mapping[str, tuple[float, float, float]] = TRAINING_EDITS,
) -> Batch:
    """Return a batch of augmented crops of `crop` samples of the records `chosen`, each cropped at its own place.

    Parameters
    ----------
    targets : Tensor of shape (n, K)
        Of the whole data set.
    n_edited : int
        So many of the inputs are edited; their landmarks must be there.
    edits : mapping of str to (float, float, float)
        Families to draw from: relative frequency, least and largest amount.
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
    drawn = [random_edit(x[i], data.landmarks[chosen[i]], rng, edits) for i in range(n_edited)]
    inputs = through.projection @ torch.from_numpy(x)  # gains per lead broke the limb-lead relations
    edited, family = inputs[:0], torch.zeros(0, dtype=torch.long)
    if n_edited:
        change = through(torch.from_numpy(np.stack([change for _, change in drawn]).astype(np.float32)))
        family = torch.tensor([index for index, _ in drawn])
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
    return Batch(inputs, wanted, edited, family)
