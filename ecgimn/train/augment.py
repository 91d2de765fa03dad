"""One training batch: soft targets, crops, noise and gains, mixtures, and edits whose effect the map must predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgimn.evaluate.fidelity import random_sign
from ecgimn.explain.edits import masks_from_landmarks
from ecgimn.signal.waves.quick import Landmarks
from ecgimn.sources.ptbxl_arrays import SUPERCLASSES, Dataset
from ecgimn.train.objective import ObjectiveConfig, ThroughPreprocessing, random_edit


@dataclass(frozen=True, eq=False)
class Targets:
    """What every record should score.

    Attributes
    ----------
    labels : ndarray of shape (n, K), float32
        0, 1, or NaN where nobody knows.
    share : ndarray of shape (K,), float32
        Weight of the teachers against the labels.
    soft_targets : mapping of int to ndarray of shape (n, n_windows, K), float16
        By the samples of a window: mean logits of the teachers at windows evenly placed over a record.
    """

    labels: NDArray[np.float32]
    share: NDArray[np.float32] = field(default_factory=lambda: np.zeros(1, np.float32))
    soft_targets: Mapping[int, NDArray[np.float16]] = field(default_factory=dict)

    def of(self, rows: NDArray[np.integer], starts: NDArray[np.integer], crop: int, last: int) -> Tensor:
        """Return the targets (B, K) of windows of `crop` samples, the last of which could start at `last`.

        They go from 0 to 1; where the label is unknown they are the teachers', or NaN without teachers.
        """
        labels = torch.from_numpy(self.labels[rows])
        if crop not in self.soft_targets:
            return labels
        said = self.soft_targets[crop]
        place = starts * ((said.shape[1] - 1) / max(1, last))
        before = place.astype(int)
        after = np.minimum(before + 1, said.shape[1] - 1)
        logits = torch.lerp(
            torch.from_numpy(said[rows, before]).float(),
            torch.from_numpy(said[rows, after]).float(),
            torch.from_numpy(place - before).float()[:, None],
        )
        soft, share = logits.sigmoid(), torch.from_numpy(self.share)
        unheard = labels.isnan() & (share == 0)
        return torch.where(labels.isnan(), soft, torch.lerp(labels, soft, share)).masked_fill(unheard, torch.nan)


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
        Index of the output that should react to each edit; -1 where nobody can say.
    """

    x: Tensor
    targets: Tensor
    edited: Tensor
    family: Tensor
    reacting: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it, in the order of the fields."""
        return self.x, self.targets, self.edited, self.family, self.reacting

    def pin_memory(self) -> Batch:
        """Return the batch in memory that a GPU copies from while it computes; PyTorch's loader asks for it."""
        return Batch(*(tensor.pin_memory() for tensor in self.tensors))

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self.tensors))


def make_batch(
    data: Dataset,
    targets: Targets,
    chosen: NDArray[np.integer],
    config: AugmentConfig,
    crop: int,
    through: ThroughPreprocessing,
    rng: np.random.Generator,
    *,
    n_edited: int = 0,
    objective: ObjectiveConfig = PLAIN,
    outputs: Sequence[str] = SUPERCLASSES,
) -> Batch:
    """Return a batch of augmented crops of `crop` samples of the records `chosen`, each cropped at its own place.

    Parameters
    ----------
    targets : Targets
        Of the whole data set.
    n_edited : int
        So many of the inputs are edited; their landmarks must be there.
    objective : ObjectiveConfig
        Which edits are drawn, and how many signs of disease are planted.
    outputs : sequence of str
        Names of the K outputs, among which that of a planted sign is looked up.
    """
    n, whole = len(chosen), data.x.shape[-1]
    starts = rng.integers(0, whole - crop + 1, n)
    windows = [slice(start, start + crop) for start in starts]
    edited_rows, plain_rows = chosen[:n_edited], chosen[n_edited:]
    long = _varied(data.x[edited_rows].astype(np.float32), config, rng)  # whole, as edits reach across a window's ends
    short = [data.x[row, :, window] for row, window in zip(plain_rows, windows[n_edited:], strict=True)]
    x = [row[:, window] for row, window in zip(long, windows[:n_edited], strict=True)]
    if short:
        x.extend(_varied(np.stack(short).astype(np.float32), config, rng))
    inputs = through.projection @ torch.from_numpy(np.stack(x))  # gains per lead broke the limb-lead relations
    edited, family, reacting = inputs[:0], torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    if n_edited:
        normal = data.norm_alone[edited_rows]
        drawn = [
            _edit(row, data.landmarks[of], bool(norm), objective, outputs, rng)
            for row, of, norm in zip(long, edited_rows, normal, strict=True)
        ]
        changes = [
            through(torch.from_numpy(change.astype(np.float32)), window)
            for (_, change, _), window in zip(drawn, windows[:n_edited], strict=True)
        ]
        edited = inputs[:n_edited] + torch.stack(changes)
        family, reacting = torch.tensor([index for index, _, _ in drawn]), torch.tensor([k for *_, k in drawn])
    wanted = targets.of(chosen, starts, crop, whole - crop)
    if config.mix:
        share = torch.from_numpy(rng.beta(config.mix, config.mix, n).astype(np.float32))
        share = torch.maximum(share, 1.0 - share)
        other = torch.from_numpy(rng.permutation(n))
        inputs = share[:, None, None] * inputs + (1.0 - share)[:, None, None] * inputs[other]
        wanted = share[:, None] * wanted + (1.0 - share)[:, None] * wanted[other]
    return Batch(inputs, wanted, edited, family, reacting)


def _varied(x: NDArray[np.float32], config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return inputs (n, 12, samples) with other gains, more noise and fewer leads; `x` itself is changed."""
    n = len(x)
    x *= rng.uniform(1 - config.gain, 1 + config.gain, (n, 1, 1)).astype(np.float32)
    x *= rng.uniform(1 - config.lead_gain, 1 + config.lead_gain, (n, 12, 1)).astype(np.float32)
    noisy = rng.random(n) < config.noisy_share
    sigma = rng.uniform(0, config.noise_mv, (int(noisy.sum()), 1, 1)).astype(np.float32)
    x[noisy] += sigma * rng.standard_normal((int(noisy.sum()), 12, x.shape[-1]), dtype=np.float32)
    if config.dropped_leads:
        x *= (rng.random((n, 12, 1)) >= config.dropped_leads) | (rng.random((n, 1, 1)) >= 0.25)
    return x


def _edit(
    x: NDArray[np.float32],
    landmarks: Landmarks,
    normal: bool,
    objective: ObjectiveConfig,
    outputs: Sequence[str],
    rng: np.random.Generator,
) -> tuple[int, NDArray[np.float64], int]:
    """Return the family of an edit of one record, the change, and the output that should react (-1 for none)."""
    if normal and objective.planted_share and rng.random() < objective.planted_share:
        family, change, superclass = random_sign(x, masks_from_landmarks(landmarks, x.shape[1]), rng)
        name = SUPERCLASSES[superclass]
        return family, change, outputs.index(name) if name in outputs else -1
    return (*random_edit(x, landmarks, rng, objective.edits), -1)
