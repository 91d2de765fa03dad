"""Train a network on PTB-XL: folds 1-8 to learn from, fold 9 to choose by, checkpoints to resume from.

Each batch is made from its number alone: the same whoever makes it, and wherever a run resumes. A network of this size
asks a GPU for about a thousand short computations per step, and launching them takes longer than they do. On CUDA a
step is therefore recorded once for each length of window and replayed as one graph.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from ecgimn.errors import CheckpointError
from ecgimn.evaluate.metrics import macro
from ecgimn.model.blackbox import BlackBox
from ecgimn.model.model import choose_device, mixed_precision
from ecgimn.model.network import EcgImn
from ecgimn.signal.preprocess import high_pass_matrix
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import CHOICE_FOLD, TASKS, TRAINING_FOLDS, Dataset, load_dataset
from ecgimn.train.augment import Batch, Targets, make_batch
from ecgimn.train.export import LOG, STATE, Part, append_row, keep_tasks, outputs, read_state, take_up, write_state
from ecgimn.train.objective import FidelitySpread, Loss, ThroughPreprocessing, label_loss, objective
from ecgimn.train.recipe import Recipe
from ecgimn.train.teachers import make_targets

AHEAD = 4  # batches that each worker process may be ahead


class Batches(TorchDataset[Batch]):
    """Batch number `step` of a run.

    Parameters
    ----------
    data : Dataset
        The records to learn from; those of folds that this seed holds out are left out.
    targets : Targets
        Of all of them.
    recipe : Recipe
    seed : int
    """

    def __init__(self, data: Dataset, targets: Targets, recipe: Recipe, seed: int) -> None:
        self.data, self.targets, self.recipe, self.seed = data, targets, recipe, seed
        self.rows = np.flatnonzero(~np.isin(data.folds, recipe.unseen(seed)))
        self.per_epoch = len(self.rows) // recipe.batch
        self.through = ThroughPreprocessing(high_pass_matrix(data.x.shape[-1]))
        self.n_edited = round(recipe.edited_share * recipe.batch) if recipe.kind == "ecg-imn" else 0

    def __len__(self) -> int:
        return self.per_epoch * self.recipe.epochs

    def __getitem__(self, step: int) -> Batch:
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        return make_batch(
            self.data, self.targets, order[place * self.recipe.batch :][: self.recipe.batch], self.recipe.augment,
            self.recipe.crop(epoch), self.through, np.random.default_rng([self.seed, epoch, place]),
            n_edited=self.n_edited, objective=self.recipe.objective, outputs=self.recipe.outputs,
        )  # fmt: skip

    def loader(self, first: int, *, workers: int, pinned: bool) -> DataLoader[Batch]:
        """Return the batches from step `first` on, made ahead by so many worker processes."""
        return DataLoader(
            self, batch_size=None, sampler=range(first, len(self)), num_workers=workers, pin_memory=pinned,
            prefetch_factor=AHEAD if workers else None,
        )  # fmt: skip


WARM_UP_STEPS = 3  # before a step is recorded, so that the optimiser and the libraries have what they allocate once
LARGEST_GRADIENT = 2.0  # norm over all weights

Network = EcgImn | BlackBox


class Averager:
    """Exponential moving average of a network, buffers included."""

    def __init__(self, network: Network) -> None:
        self.network = type(network)(network.config)
        self.network.load_state_dict(network.state_dict())
        self.network.requires_grad_(False)

    @torch.no_grad()
    def update(self, network: Network, pace: float | Tensor) -> None:
        """Move towards the network by a share of the distance."""
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        mine, theirs = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
        distance = torch._foreach_sub(theirs, mine)
        torch._foreach_mul_(distance, pace)
        torch._foreach_add_(mine, distance)
        for counter, current in pairs:
            if not counter.is_floating_point():
                counter.copy_(current)


class TrainingStep:
    """The step that a run repeats, on the device of its network.

    Parameters
    ----------
    recipe : Recipe
    network, average, optimizer, spread
        What the step changes.
    class_weight : Tensor of shape (K,)

    Attributes
    ----------
    sums : Tensor of shape (3,)
        Losses of labels, fidelity and evidence, summed over the steps since it was last set to zero.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        average: Averager,
        optimizer: torch.optim.Optimizer,
        spread: FidelitySpread,
        class_weight: Tensor,
    ) -> None:
        self.recipe, self.network, self.average = recipe, network, average
        self.optimizer, self.spread, self.class_weight = optimizer, spread, class_weight
        self.device = class_weight.device
        self.sums = torch.zeros(3, device=self.device)
        self._gamma, self._pace = torch.zeros((), device=self.device), torch.ones((), device=self.device)
        self._recorded: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Batch]] = {}
        self._warm: dict[tuple[int, ...], int] = {}

    def __call__(self, batch: Batch, step: int, progress: float) -> None:
        """Learn from a batch, as step number `step` (from 0), with `progress` of the training behind it."""
        rate = self.recipe.learning_rate * one_cycle(progress, self.recipe.warm_up)
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self._gamma.fill_(self.recipe.objective.gamma * min(1.0, progress / self.recipe.objective.ramp))
        self._pace.fill_(1.0 - min(self.recipe.average_decay, (2 + step) / (11 + step)))  # fast in the first steps
        if self.device.type == "cuda":
            self._replay(batch)
        else:
            self._learn(batch)

    def _replay(self, batch: Batch) -> None:
        shape = tuple(batch.x.shape)
        if shape in self._recorded:
            graph, held = self._recorded[shape]
            for mine, theirs in zip(held.tensors, batch.tensors, strict=True):
                mine.copy_(theirs, non_blocking=True)
            graph.replay()
            return
        held = batch.to(self.device)
        if self._warm.setdefault(shape, 0) < WARM_UP_STEPS:
            self._warm[shape] += 1
            aside = torch.cuda.Stream(self.device)
            aside.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(aside):
                self._learn(held)
            torch.cuda.current_stream(self.device).wait_stream(aside)
            return
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)  # gradients are to lie in the graph's own memory
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # a loader's thread goes on pinning memory
            self._learn(held)
        self._recorded[shape] = graph, held
        graph.replay()

    def _learn(self, batch: Batch) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with mixed_precision(self.device):
            loss = self._loss(batch)
        loss.total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        self.average.update(self.network, self._pace)
        self.sums += torch.stack([loss.labels, loss.fidelity, loss.evidence])

    def _loss(self, batch: Batch) -> Loss:
        if isinstance(self.network, BlackBox):
            labels = label_loss(self.network(batch.x), batch.targets, self.class_weight)
            return Loss(labels, labels.detach(), torch.zeros_like(labels), torch.zeros_like(labels))
        return objective(
            self.network, batch.x, batch.edited, batch.family, batch.reacting, batch.targets, self.class_weight,
            self.spread, self.recipe.objective, gamma_now=self._gamma,
        )  # fmt: skip


def one_cycle(progress: float, warm_up: float) -> float:
    """Return the learning rate as a share of its peak: up in a line, then down along a cosine."""
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up))) + 1e-4


#: Weight of a task's mean loss: the rarer its labels, the smaller their mean loss.
TASK_WEIGHT = {"superclass": 0.5, "subclass": 1.0, "statement": 1.5}


def make_network(recipe: Recipe) -> Network:
    """Return the untrained network of a recipe."""
    return EcgImn(recipe.network) if recipe.kind == "ecg-imn" else BlackBox(recipe.network)


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

    def __init__(self, recipe: Recipe, seed: int, folder: Path, device: torch.device) -> None:
        torch.manual_seed(seed)
        self.recipe, self.seed, self.folder, self.device = recipe, seed, folder, device
        self.network = make_network(recipe)
        if recipe.bias and isinstance(self.network, EcgImn):
            self.network.bias.requires_grad_(False).copy_(torch.tensor(recipe.bias))
        self.average = Averager(self.network)
        for network in (self.network, self.average.network):
            network.to(device)
        self.optimizer = torch.optim.AdamW(self._groups(), **self._options())
        self.spread = FidelitySpread(recipe.network.n_classes).to(device)
        self.epoch = 0
        self.step = 0

    def _groups(self) -> list[dict[str, object]]:
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        rest = [p for p in self.network.parameters() if p.ndim <= 1]
        return [{"params": decayed, "weight_decay": self.recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]

    def _options(self) -> dict[str, Any]:
        """How the optimiser works on this device; in a recorded step it must find its rate in a tensor."""
        if self.device.type != "cuda":
            return {"lr": self.recipe.learning_rate, "fused": None, "capturable": False}
        return {"lr": torch.tensor(self.recipe.learning_rate, device=self.device), "fused": True, "capturable": True}

    def save(self) -> None:
        """Write the state of the run, replacing the last one in one move."""
        state = {
            "config": asdict(self.recipe.network),
            "tasks": list(self.recipe.tasks),
            "unseen": list(self.recipe.unseen(self.seed)),
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "spread": self.spread.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
        }
        write_state(self.folder / STATE, state)

    def start(self) -> None:
        """Begin with the network of the recipe that this one starts from, where it names one.

        Raises
        ------
        CheckpointError
            That recipe has no network of this seed, or an unlike one.
        """
        if not self.recipe.starts_from:
            return
        place = self.folder.parents[1] / self.recipe.starts_from / self.folder.name / STATE
        if not place.is_file():
            raise CheckpointError(
                f"The recipe {self.recipe.name!r} goes on from {self.recipe.starts_from!r}, whose {self.folder.name} "
                "is not trained. Train it first, or leave --seed out: then it is trained on the way."
            )
        earlier = read_state(place)
        weights = keep_tasks(earlier["average"], earlier["tasks"], self.recipe.tasks)
        try:
            for network in (self.network, self.average.network):
                network.load_state_dict(weights)
        except RuntimeError as exc:
            raise CheckpointError(
                f"The network of {self.recipe.starts_from!r} is built unlike that of {self.recipe.name!r}. Both "
                "recipes need the same [network], but for dropout."
            ) from exc

    def resume(self) -> None:
        """Load the state of the run, from whatever device it was on.

        Raises
        ------
        CheckpointError
            There is no state, or it belongs to another recipe.
        """
        parts: dict[str, Part] = {
            "network": self.network,
            "average": self.average.network,
            "optimizer": self.optimizer,
            "spread": self.spread,
        }
        self.epoch, self.step = take_up(self.folder, self.recipe.name, parts, ("epoch", "step"))
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
    recipe: Recipe,
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
    recipe : Recipe
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
    run = Run(recipe, seed, folder, device)
    if resume:
        run.resume()
    else:
        run.start()
    on_gpu = device.type == "cuda"
    batches = Batches(learn, make_targets(learn, recipe, folder.parents[1], device), recipe, seed)
    step = TrainingStep(
        recipe, run.network, run.average, run.optimizer, run.spread, class_weights(recipe.tasks).to(device)
    )
    if workers is None:
        workers = os.cpu_count() or 1 if on_gpu else 0
    made = iter(batches.loader(run.step, workers=workers, pinned=on_gpu))
    while run.epoch < recipe.epochs:
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
    for task in run.recipe.tasks:
        known = choose.known_labels(task) & np.asarray(labelled)[:, None]
        row[f"auroc_{task}"] = macro(choose.labels[task], logits[:, outputs(run.recipe.tasks, task)], known=known)[0]
    return {key: round(float(value), 5) for key, value in row.items()}
