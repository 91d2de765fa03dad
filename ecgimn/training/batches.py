"""The batches of a run, each made from its number alone: the same whoever makes them, and wherever a run goes on."""

from __future__ import annotations

import numpy as np
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from ecgimn.signal.preprocess import high_pass_matrix
from ecgimn.training.augment import Batch, make_batch
from ecgimn.training.config import TrainConfig
from ecgimn.training.dataset import Dataset
from ecgimn.training.objective import ThroughPreprocessing
from ecgimn.training.targets import Targets

AHEAD = 4  # batches that each worker process may be ahead


class Batches(TorchDataset[Batch]):
    """Batch number `step` of a run.

    Parameters
    ----------
    data : Dataset
        The records to learn from; those of folds that this seed holds out are left out.
    targets : Targets
        Of all of them.
    config : TrainConfig
    seed : int
    """

    def __init__(self, data: Dataset, targets: Targets, config: TrainConfig, seed: int) -> None:
        self.data, self.targets, self.config, self.seed = data, targets, config, seed
        self.rows = np.flatnonzero(~np.isin(data.folds, config.unseen(seed)))
        self.per_epoch = len(self.rows) // config.batch
        self.through = ThroughPreprocessing(high_pass_matrix(data.x.shape[-1]))
        self.n_edited = round(config.edited_share * config.batch) if config.kind == "ecg-imn" else 0

    def __len__(self) -> int:
        return self.per_epoch * self.config.epochs

    def __getitem__(self, step: int) -> Batch:
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        return make_batch(
            self.data, self.targets, order[place * self.config.batch :][: self.config.batch], self.config.augment,
            self.config.crop(epoch), self.through, np.random.default_rng([self.seed, epoch, place]),
            n_edited=self.n_edited, objective=self.config.objective,
        )  # fmt: skip

    def loader(self, first: int, *, workers: int, pinned: bool) -> DataLoader[Batch]:
        """Return the batches from step `first` on, made ahead by so many worker processes."""
        return DataLoader(
            self, batch_size=None, sampler=range(first, len(self)), num_workers=workers, pin_memory=pinned,
            prefetch_factor=AHEAD if workers else None,
        )  # fmt: skip
