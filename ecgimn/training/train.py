"""Train an ECG-IMN on PTB-XL: folds 1-8 to learn from, fold 9 to choose by, checkpoints to resume from."""

from __future__ import annotations

import csv
import math
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ecgimn.errors import CheckpointError, SourceError
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.signal.preprocess import high_pass_matrix
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.dataset import CHOICE_FOLD, TASKS, TRAINING_FOLDS, Dataset, load_dataset
from ecgimn.training.objective import FidelitySpread, ObjectiveConfig, ThroughPreprocessing, objective, random_edit

#: Weight of a task's mean loss; the labels of the sub-classes are rarer, hence their mean loss smaller.
TASK_WEIGHT = {"superclass": 0.5, "subclass": 1.0}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run; one TOML file per run.

    Attributes
    ----------
    name : str
        Of the run; its checkpoints go to runs/NAME/seed-N.
    models : dict of str to str
        Names of the models to write and the task of each: {"superclass-v1": "superclass"}. One network serves them all.
    seeds : tuple of int
        One network is trained for each; the models written are their average.
    crops : tuple of (int, int)
        (epochs, samples) in order: short crops first make early epochs cheap.
    """

    name: str
    models: dict[str, str]
    seeds: tuple[int, ...] = (1,)
    crops: tuple[tuple[int, int], ...] = ((10, 512), (6, 960))
    batch: int = 64
    edited_share: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    average_decay: float = 0.998
    gain_jitter: float = 0.1
    lead_gain_jitter: float = 0.05
    noise_mv: float = 0.02
    limit: int | None = None
    network: NetworkConfig = field(default_factory=NetworkConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order of the network's outputs."""
        return tuple(dict.fromkeys(self.models.values()))

    @property
    def epochs(self) -> int:
        """Number of passes over the training folds."""
        return sum(n for n, _ in self.crops)

    def crop(self, epoch: int) -> int:
        """Samples per input in an epoch (counted from 0)."""
        for n, samples in self.crops:
            if epoch < n:
                return samples
            epoch -= n
        raise ValueError(f"epoch {epoch} is past the end")


def read_config(path: Path) -> TrainConfig:
    """Read a TOML file; its keys are those of `TrainConfig`, with tables [network] and [objective].

    Raises
    ------
    SourceError
        The file does not parse, or a key is unknown.
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
        network = content.pop("network", {})
        if "widths" in network:
            network["widths"] = tuple(network["widths"])
        content["crops"] = tuple(tuple(pair) for pair in content.pop("crops"))
        content["seeds"] = tuple(content.pop("seeds"))
        config = TrainConfig(
            **content
            | {"network": NetworkConfig(**network), "objective": ObjectiveConfig(**content.pop("objective", {}))}
        )
    except (OSError, tomllib.TOMLDecodeError, TypeError, KeyError) as exc:
        raise SourceError(
            f"The training configuration {path.name} cannot be used: {exc}. Compare it with models/*.toml."
        ) from exc
    n_classes = sum(len(TASKS[task]) for task in config.tasks)
    return replace(config, network=replace(config.network, n_classes=n_classes))


def macro_auroc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Mean AUROC over the classes that have both positives and negatives."""
    kept = (targets.sum(0) > 0) & (targets.sum(0) < len(targets))
    return float(np.mean([roc_auc_score(targets[:, k], scores[:, k]) for k in np.flatnonzero(kept)]))


def predict_logits(network: EcgImn, x: np.ndarray, batch: int = 128) -> np.ndarray:
    """Return logits (n, K) of preprocessed inputs (n, 12, L)."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(x[i : i + batch].astype(np.float32)).to(device)).logit.cpu().numpy()
            for i in range(0, len(x), batch)
        ]
    return np.concatenate(parts)


class Averager:
    """Exponential moving average of a network, buffers included."""

    def __init__(self, network: EcgImn, decay: float) -> None:
        self.decay = decay
        self.network = EcgImn(network.config)
        self.network.load_state_dict(network.state_dict())
        self.network.requires_grad_(False)

    @torch.no_grad()
    def update(self, network: EcgImn, step: int) -> None:
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
        self.network = EcgImn(config.network)
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
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "spread": self.spread.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
        }
        torch.save(state, self.folder / "state.tmp")
        (self.folder / "state.tmp").replace(self.folder / "state.pt")

    def resume(self) -> None:
        """Load the state of the run.

        Raises
        ------
        CheckpointError
            There is no state, or it belongs to another configuration.
        """
        path = self.folder / "state.pt"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.network.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.spread.load_state_dict(state["spread"])
        except (OSError, RuntimeError, KeyError) as exc:
            raise CheckpointError(
                f"The run {self.config.name!r} cannot be resumed: {exc}. Start it anew without --resume."
            ) from exc
        self.epoch, self.step = state["epoch"], state["step"]


def train(
    ptbxl: PtbXl,
    config: TrainConfig,
    seed: int,
    folder: Path,
    *,
    resume: bool = False,
    report: Callable[[dict[str, float]], None] = lambda row: None,
) -> EcgImn:
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
            x, edited, family = _batch(learn, chosen, config, run.epoch, through, rng)
            with torch.autocast("cpu", torch.bfloat16):
                loss = objective(
                    run.network, x, edited, family, targets[torch.from_numpy(chosen)], class_weight, run.spread,
                    config.objective, gamma_now=config.objective.gamma * min(1.0, progress / config.objective.ramp),
                )  # fmt: skip
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
        _append_log(folder / "log.csv", row)
        report(row)
    return run.average.network


def _one_cycle(progress: float, warm_up: float) -> float:
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up))) + 1e-4


def _batch(
    data: Dataset,
    chosen: np.ndarray,
    config: TrainConfig,
    epoch: int,
    through: ThroughPreprocessing,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs (B, 12, crop), edited copies of the first of them, and the families of the edits."""
    x = data.x[chosen].astype(np.float32)
    x *= rng.uniform(1 - config.gain_jitter, 1 + config.gain_jitter, (len(x), 1, 1)).astype(np.float32)
    x *= rng.uniform(1 - config.lead_gain_jitter, 1 + config.lead_gain_jitter, (len(x), 12, 1)).astype(np.float32)
    noisy = rng.random(len(x)) < 0.4
    sigma = rng.uniform(0, config.noise_mv, (int(noisy.sum()), 1, 1))
    x[noisy] += (sigma * rng.standard_normal((int(noisy.sum()), 12, x.shape[-1]))).astype(np.float32)
    edits = [random_edit(x[i], data.landmarks[chosen[i]], rng) for i in range(round(config.edited_share * len(x)))]
    family = torch.tensor([index for index, _ in edits])
    change = through(torch.from_numpy(np.stack([change for _, change in edits]).astype(np.float32)))
    inputs = through.projection @ torch.from_numpy(x)  # gains per lead broke the limb-lead relations
    edited = inputs[: len(edits)] + change
    length = config.crop(epoch)
    start = int(rng.integers(0, x.shape[-1] - length + 1))
    return (
        inputs[..., start : start + length].contiguous(),
        edited[..., start : start + length].contiguous(),
        family,
    )


def _epoch_row(run: Run, choose: Dataset, losses: np.ndarray, seconds: float) -> dict[str, float]:
    logits = predict_logits(run.average.network, choose.x)
    row: dict[str, float] = dict(
        epoch=run.epoch, label_loss=losses[0], fidelity_loss=losses[1], evidence=losses[2], seconds=seconds
    )
    start = 0
    labelled = choose.labels["superclass"].any(axis=1)
    for task in run.config.tasks:
        stop = start + len(TASKS[task])
        row[f"auroc_{task}"] = macro_auroc(choose.labels[task][labelled], logits[labelled, start:stop])
        start = stop
    return {key: round(float(value), 5) for key, value in row.items()}


def _append_log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def describe(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as plain values, for the model card."""
    return asdict(config)
