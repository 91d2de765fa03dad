"""Train a network on PTB-XL: folds 1-8 to learn from, fold 9 to choose by, checkpoints to resume from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ecgimn.errors import CheckpointError
from ecgimn.model.blackbox import BlackBox
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.signal.preprocess import high_pass_matrix
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.augment import Batch, make_batch
from ecgimn.training.config import TrainConfig
from ecgimn.training.dataset import CHOICE_FOLD, TASKS, TRAINING_FOLDS, Dataset, load_dataset
from ecgimn.training.heads import keep_tasks, outputs
from ecgimn.training.metrics import macro
from ecgimn.training.objective import FidelitySpread, Loss, ThroughPreprocessing, label_loss, objective
from ecgimn.training.run_state import LOG, STATE, Part, append_row, read_state, take_up, write_state

#: Weight of a task's mean loss: the rarer its labels, the smaller their mean loss.
TASK_WEIGHT = {"superclass": 0.5, "subclass": 1.0, "statement": 1.5}

Network = EcgImn | BlackBox


def make_network(config: TrainConfig) -> Network:
    """Return the untrained network of a configuration."""
    return EcgImn(config.network) if config.kind == "ecg-imn" else BlackBox(config.network)


def predict_logits(network: Network, x: np.ndarray, batch: int = 128) -> np.ndarray:
    """Return logits (n, K) of preprocessed inputs (n, 12, L)."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            _logit(network, torch.from_numpy(x[i : i + batch].astype(np.float32)).to(device)).cpu().numpy()
            for i in range(0, len(x), batch)
        ]
    return np.concatenate(parts)


def _logit(network: Network, x: Tensor) -> Tensor:
    return torch.as_tensor(network(x).logit if isinstance(network, EcgImn) else network(x))


class Averager:
    """Exponential moving average of a network, buffers included."""

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self.network = type(network)(network.config)
        self.network.load_state_dict(network.state_dict())
        self.network.requires_grad_(False)

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Move towards the network; fast in the first steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1.0 - decay)
            else:
                mine.copy_(theirs)


class Run:
    """A training run that can stop and go on: network, optimiser, average, generator and log."""

    def __init__(self, config: TrainConfig, seed: int, folder: Path) -> None:
        torch.manual_seed(seed)
        self.config, self.folder = config, folder
        self.network = make_network(config)
        if config.continue_from:
            earlier = folder.parents[1] / config.continue_from / folder.name
            state = read_state(earlier / STATE)
            self.network.load_state_dict(keep_tasks(state["average"], state["tasks"], config.tasks))
        if config.bias and isinstance(self.network, EcgImn):
            self.network.bias.requires_grad_(False).copy_(torch.tensor(config.bias))
        self.average = Averager(self.network, config.average_decay)
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        rest = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}],
            lr=config.learning_rate,
        )
        self.spread = FidelitySpread(config.network.n_classes)
        self.epoch = 0
        self.step = 0

    def save(self) -> None:
        """Write the state of the run, replacing the last one in one move."""
        state = {
            "config": asdict(self.config.network),
            "tasks": list(self.config.tasks),
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "spread": self.spread.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
        }
        write_state(self.folder / STATE, state)

    def resume(self) -> None:
        """Load the state of the run.

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


def train(
    ptbxl: PtbXl,
    config: TrainConfig,
    seed: int,
    folder: Path,
    *,
    resume: bool = False,
    report: Callable[[dict[str, float]], None] = lambda row: None,
) -> Network:
    """Train one seed until the last epoch and return its network, averaged over the last steps.

    Parameters
    ----------
    ptbxl : PtbXl
    config : TrainConfig
    folder : Path
        Of the run's checkpoint and log.csv.
    resume : bool
        Go on from the checkpoint in `folder`.
    report : callable
        Called with the log row of each epoch.
    """
    run = Run(config, seed, folder)
    if resume:
        run.resume()
    ids = ptbxl.ids(TRAINING_FOLDS, fs=100)[: config.limit]
    learn, choose = (
        load_dataset(ptbxl, ids),
        load_dataset(ptbxl, ptbxl.ids([CHOICE_FOLD], fs=100)[: config.limit], landmarks=False),
    )
    through = ThroughPreprocessing(high_pass_matrix(learn.x.shape[-1]))
    targets = torch.from_numpy(learn.targets(config.tasks).astype(np.float32))
    class_weight = torch.cat(
        [torch.full((len(TASKS[task]),), TASK_WEIGHT[task] / len(TASKS[task])) for task in config.tasks]
    )
    teachers = [_black_box(folder.parents[1] / name, config.tasks) for name in config.teachers]
    teacher_share = share_of_teachers(targets, config)
    n_edited = round(config.edited_share * config.batch) if config.kind == "ecg-imn" else 0
    steps_per_epoch = len(learn) // config.batch
    total_steps = steps_per_epoch * config.epochs
    while run.epoch < config.epochs:
        started = time.monotonic()
        rng = np.random.default_rng([seed, run.epoch])
        torch.manual_seed(seed * 1000 + run.epoch)
        run.network.train()
        order = rng.permutation(len(learn))[: steps_per_epoch * config.batch].reshape(steps_per_epoch, -1)
        sums = np.zeros(3)
        for chosen in order:
            progress = run.step / total_steps
            for group in run.optimizer.param_groups:
                group["lr"] = config.learning_rate * _one_cycle(progress, config.warm_up)
            crop = config.crop(run.epoch)
            batch = make_batch(
                learn, targets, chosen, config.augment, crop, through, rng,
                n_edited=n_edited, objective=config.objective,
            )  # fmt: skip
            with torch.autocast("cpu", torch.bfloat16):
                loss = _loss(run, batch, teachers, teacher_share, class_weight, progress)
            run.optimizer.zero_grad(set_to_none=True)
            loss.total.backward()
            torch.nn.utils.clip_grad_norm_(run.network.parameters(), 2.0)
            run.optimizer.step()
            run.step += 1
            run.average.update(run.network, run.step)
            sums += [float(loss.labels), float(loss.fidelity), float(loss.evidence)]
        run.epoch += 1
        run.save()
        row = _epoch_row(run, choose, sums / steps_per_epoch, time.monotonic() - started)
        append_row(folder / LOG, row)
        report(row)
    return run.average.network


def share_of_teachers(targets: Tensor, config: TrainConfig) -> Tensor:
    """Return the weight of the teachers against the labels for each class, (K,), from the labels to learn, (n, K)."""
    return config.teacher_share * (targets.sum(0) >= config.teacher_least)


def _loss(
    run: Run, batch: Batch, teachers: Sequence[BlackBox], teacher_share: Tensor, class_weight: Tensor, progress: float
) -> Loss:
    """Return the loss of a batch; where there are teachers, their probabilities are mixed into the targets."""
    config, targets = run.config, batch.targets
    if teachers:
        with torch.no_grad():
            taught = torch.stack([teacher(batch.x) for teacher in teachers]).float().mean(0).sigmoid()
        targets = torch.lerp(targets, taught, teacher_share)
    if isinstance(run.network, BlackBox):
        labels = label_loss(run.network(batch.x), targets, class_weight)
        return Loss(labels, labels.detach(), torch.zeros(()), torch.zeros(()))
    gamma = config.objective.gamma * min(1.0, progress / config.objective.ramp)
    return objective(
        run.network, batch.x, batch.edited, batch.family, batch.reacting, targets, class_weight, run.spread,
        config.objective, gamma_now=gamma,
    )  # fmt: skip


def _black_box(folder: Path, tasks: tuple[str, ...]) -> BlackBox:
    """Return the averaged network of a finished run of a black box, from the state of its only seed, for some tasks.

    Raises
    ------
    CheckpointError
        The run is not there, or not one black box, or has not learned a task.
    """
    states = sorted(folder.glob(f"seed-*/{STATE}"))
    try:
        (path,) = states
        state = read_state(path)
        n_classes = sum(len(TASKS[task]) for task in tasks)
        network = BlackBox(replace(NetworkConfig(**state["config"]), n_classes=n_classes))
        network.load_state_dict(keep_tasks(state["average"], state["tasks"], tasks))
    except (ValueError, KeyError, TypeError, RuntimeError) as exc:
        raise CheckpointError(
            f"The run {folder.name!r} cannot teach: {len(states)} states of a black box were found, one is needed "
            f"({exc}). Train it first: python -m ecgimn train --ptbxl DIR --config models/{folder.name}.toml"
        ) from exc
    return network.eval().requires_grad_(False)


def _one_cycle(progress: float, warm_up: float) -> float:
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up))) + 1e-4


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
