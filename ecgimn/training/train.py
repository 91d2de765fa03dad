"""Train a network on PTB-XL: folds 1-8 to learn from, fold 9 to choose by, checkpoints to resume from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ecgimn.model.blackbox import BlackBox
from ecgimn.model.checkpoint import choose_device
from ecgimn.model.network import EcgImn
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.batches import Batches
from ecgimn.training.config import TrainConfig
from ecgimn.training.dataset import CHOICE_FOLD, TASKS, TRAINING_FOLDS, Dataset, load_dataset
from ecgimn.training.heads import keep_tasks, outputs
from ecgimn.training.lessons import make_targets
from ecgimn.training.metrics import macro
from ecgimn.training.objective import FidelitySpread
from ecgimn.training.run_state import LOG, STATE, Part, append_row, read_state, take_up, write_state
from ecgimn.training.step import Averager, Network, TrainingStep

#: Weight of a task's mean loss: the rarer its labels, the smaller their mean loss.
TASK_WEIGHT = {"superclass": 0.5, "subclass": 1.0, "statement": 1.5}


def make_network(config: TrainConfig) -> Network:
    """Return the untrained network of a configuration."""
    return EcgImn(config.network) if config.kind == "ecg-imn" else BlackBox(config.network)


def predict_logits(network: Network, x: np.ndarray, batch: int = 128) -> np.ndarray:
    """Return logits (n, K) of preprocessed inputs (n, 12, L)."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            _logit(network, torch.from_numpy(x[i : i + batch]).to(device).float()).cpu().numpy()
            for i in range(0, len(x), batch)
        ]
    return np.concatenate(parts)


def _logit(network: Network, x: Tensor) -> Tensor:
    return torch.as_tensor(network(x).logit if isinstance(network, EcgImn) else network(x))


class Run:
    """A training run that can stop and go on: network, optimiser, average and log, on one device."""

    def __init__(self, config: TrainConfig, seed: int, folder: Path, device: torch.device) -> None:
        torch.manual_seed(seed)
        self.config, self.seed, self.folder, self.device = config, seed, folder, device
        self.network = make_network(config)
        if config.continue_from:
            earlier = folder.parents[1] / config.continue_from / folder.name
            state = read_state(earlier / STATE)
            self.network.load_state_dict(keep_tasks(state["average"], state["tasks"], config.tasks))
        if config.bias and isinstance(self.network, EcgImn):
            self.network.bias.requires_grad_(False).copy_(torch.tensor(config.bias))
        self.average = Averager(self.network)
        for network in (self.network, self.average.network):
            network.to(device)
        self.optimizer = torch.optim.AdamW(self._groups(), **self._options())
        self.spread = FidelitySpread(config.network.n_classes).to(device)
        self.epoch = 0
        self.step = 0

    def _groups(self) -> list[dict[str, object]]:
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        rest = [p for p in self.network.parameters() if p.ndim <= 1]
        return [{"params": decayed, "weight_decay": self.config.weight_decay}, {"params": rest, "weight_decay": 0.0}]

    def _options(self) -> dict[str, Any]:
        """How the optimiser works on this device; in a recorded step it must find its rate in a tensor."""
        if self.device.type != "cuda":
            return {"lr": self.config.learning_rate, "fused": None, "capturable": False}
        return {"lr": torch.tensor(self.config.learning_rate, device=self.device), "fused": True, "capturable": True}

    def save(self) -> None:
        """Write the state of the run, replacing the last one in one move."""
        state = {
            "config": asdict(self.config.network),
            "tasks": list(self.config.tasks),
            "unseen": list(self.config.unseen(self.seed)),
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "spread": self.spread.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
        }
        write_state(self.folder / STATE, state)

    def resume(self) -> None:
        """Load the state of the run, from whatever device it was on.

        Raises
        ------
        CheckpointError
            There is no state, or it belongs to another configuration.
        """
        parts: dict[str, Part] = {
            "network": self.network,
            "average": self.average.network,
            "optimizer": self.optimizer,
            "spread": self.spread,
        }
        self.epoch, self.step = take_up(self.folder, self.config.name, parts, ("epoch", "step"))
        for group in self.optimizer.param_groups:
            group.update(self._options())
        for moments in self.optimizer.state.values():
            moments["step"] = moments["step"].to(self.device)


def load_folds(ptbxl: PtbXl, limit: int | None = None) -> tuple[Dataset, Dataset]:
    """Return the records to learn from and those to choose by, `limit` of each at most."""
    learn, choose = ptbxl.ids(TRAINING_FOLDS, fs=100)[:limit], ptbxl.ids([CHOICE_FOLD], fs=100)[:limit]
    return load_dataset(ptbxl, learn), load_dataset(ptbxl, choose, landmarks=False)


def train(
    learn: Dataset,
    choose: Dataset,
    config: TrainConfig,
    seed: int,
    folder: Path,
    *,
    resume: bool = False,
    workers: int | None = None,
    report: Callable[[dict[str, float]], None] = lambda row: None,
) -> Network:
    """Train one seed until the last epoch and return its network, averaged over the last steps.

    Parameters
    ----------
    learn, choose : Dataset
        As `load_folds` returns them.
    config : TrainConfig
    folder : Path
        Of the run's checkpoint and log.csv.
    resume : bool
        Go on from the checkpoint in `folder`.
    workers : int, optional
        Processes that make batches ahead; without it one per processor beside a GPU, else none.
    report : callable
        Called with the log row of each epoch.
    """
    device = choose_device()
    run = Run(config, seed, folder, device)
    if resume:
        run.resume()
    on_gpu = device.type == "cuda"
    batches = Batches(learn, make_targets(learn, config, folder.parents[1], device), config, seed)
    step = TrainingStep(
        config, run.network, run.average, run.optimizer, run.spread, class_weights(config.tasks).to(device)
    )
    if workers is None:
        workers = os.cpu_count() or 1 if on_gpu else 0
    made = iter(batches.loader(run.step, workers=workers, pinned=on_gpu))
    while run.epoch < config.epochs:
        started = time.monotonic()
        torch.manual_seed(seed * 1000 + run.epoch)
        run.network.train()
        step.sums.zero_()
        for batch in islice(made, batches.per_epoch):
            step(batch, run.step, run.step / len(batches))
            run.step += 1
        run.epoch += 1
        run.save()
        row = _epoch_row(run, choose, step.sums.cpu().numpy() / batches.per_epoch, time.monotonic() - started)
        append_row(folder / LOG, row)
        report(row)
    return run.average.network


def class_weights(tasks: tuple[str, ...]) -> Tensor:
    """Return the weight of each output in the loss, (K,)."""
    return torch.cat([torch.full((len(TASKS[task]),), TASK_WEIGHT[task] / len(TASKS[task])) for task in tasks])


def _epoch_row(run: Run, choose: Dataset, losses: np.ndarray, seconds: float) -> dict[str, float]:
    logits = predict_logits(run.average.network, choose.x)
    row: dict[str, float] = dict(
        epoch=run.epoch, label_loss=losses[0], fidelity_loss=losses[1], evidence=losses[2], seconds=seconds
    )
    labelled = choose.labels["superclass"].any(axis=1)
    for task in run.config.tasks:
        row[f"auroc_{task}"] = macro(choose.labels[task][labelled], logits[labelled, outputs(run.config.tasks, task)])[
            0
        ]
    return {key: round(float(value), 5) for key, value in row.items()}
