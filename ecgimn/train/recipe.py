"""The settings of a training run: one TOML file per run under models/."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ecgimn.errors import SourceError
from ecgimn.model.network import NetworkConfig
from ecgimn.sources.ptbxl_arrays import TASKS, TRAINING_FOLDS
from ecgimn.train.augment import AugmentConfig
from ecgimn.train.objective import ObjectiveConfig

KINDS = ("ecg-imn", "black-box")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run; one TOML file per run.

    Attributes
    ----------
    name : str
        Of the run; its checkpoints go to runs/NAME/seed-N.
    models : dict of str to str
        Names of the models to write and the task of each: {"superclass-v9": "superclass"}. One network serves them all;
        a run that only teaches writes none.
    kind : str
        One of `KINDS`.
    purpose : str
        What its models are chosen for, where several serve one task.
    also_learn : tuple of str
        Tasks that are learned beside those of the models and cut off when a model is written.
    seeds : tuple of int
        One network is trained for each; the models written are their average.
    averaged_with : dict of str to tuple of int
        Seeds of other runs whose networks belong to that average, by run.
    crops : tuple of (int, int)
        (epochs, samples) in order: short crops make early epochs cheap, and say where in a record the evidence is.
    edited_share : float
        Share of a batch whose edited copies are learned beside it, by an ECG-IMN.
    continue_from : str
        An earlier run of the same network that learned at least this run's tasks; each seed goes on from that seed's
        averaged weights.
    bias : tuple of float
        b of each output of an ECG-IMN, held there for the whole run; learned from the labels where none is given.
    held_out : int
        Of a run of black boxes that teach: the training folds are dealt into so many groups, and each seed learns from
        all of them but one, in turn. 0 where every seed learns from all.
    teachers : tuple of str
        Runs of black boxes, all seeds of each, whose mean logits are learned beside the labels.
    teacher_share : float
        Weight of the teachers against the labels, 0 to 1.
    teacher_least : int
        Records a class needs in the training folds for its teachers to be heard; rarer ones learn from labels alone.
    """

    name: str
    models: dict[str, str]
    kind: str = "ecg-imn"
    purpose: str = ""
    also_learn: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1,)
    averaged_with: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    crops: tuple[tuple[int, int], ...] = ((10, 512), (6, 960))
    batch: int = 64
    edited_share: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    average_decay: float = 0.998
    continue_from: str = ""
    bias: tuple[float, ...] = ()
    held_out: int = 0
    teachers: tuple[str, ...] = ()
    teacher_share: float = 0.5
    teacher_least: int = 0
    limit: int | None = None
    network: NetworkConfig = field(default_factory=NetworkConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order of the network's outputs: superclasses first, where they are learned."""
        return tuple(task for task in TASKS if task in {*self.models.values(), *self.also_learn})

    @property
    def others(self) -> tuple[tuple[str, int], ...]:
        """Run and seed of every network in the models that another run trains."""
        return tuple((run, seed) for run, seeds in self.averaged_with.items() for seed in seeds)

    @property
    def members(self) -> tuple[tuple[str, int], ...]:
        """Run and seed of every network in the models, this run's own first."""
        return (*((self.name, seed) for seed in self.seeds), *self.others)

    def unseen(self, seed: int) -> tuple[int, ...]:
        """Training folds that a seed does not learn from."""
        return TRAINING_FOLDS[(seed - 1) % self.held_out :: self.held_out] if self.held_out else ()

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
    """Read a TOML file; its keys are those of `TrainConfig`, with tables for network, objective and augment.

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
        objective = content.pop("objective", {})
        if "edits" in objective:
            objective["edits"] = {family: (odds, low, high) for family, (odds, low, high) in objective["edits"].items()}
        content["crops"] = tuple(tuple(pair) for pair in content.pop("crops"))
        content["averaged_with"] = {run: tuple(seeds) for run, seeds in content.get("averaged_with", {}).items()}
        for key in ("seeds", "also_learn", "bias", "teachers"):
            if key in content:
                content[key] = tuple(content[key])
        parts = {
            "network": NetworkConfig(**network),
            "objective": ObjectiveConfig(**objective),
            "augment": AugmentConfig(**content.pop("augment", {})),
        }
        config = TrainConfig(**content | parts)
        if unknown := {*config.models.values(), *config.also_learn} - {*TASKS}:
            raise KeyError(f"task {', '.join(sorted(unknown))}, not one of {', '.join(TASKS)}")
        if config.kind not in KINDS:
            raise KeyError(f"kind {config.kind!r}, not one of {', '.join(KINDS)}")
        if config.objective.planted_share and config.tasks[0] != "superclass":
            raise ValueError("planted signs speak for superclasses, which must be learned, too")
        n_classes = sum(len(TASKS[task]) for task in config.tasks)
        if len(config.bias) not in (0, n_classes):
            raise ValueError(f"bias has {len(config.bias)} values for {n_classes} outputs")
    except (OSError, tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as exc:
        raise SourceError(
            f"The training configuration {path.name} cannot be used: {exc}. Compare it with models/*.toml."
        ) from exc
    return replace(config, network=replace(config.network, n_classes=n_classes))


def stages(path: Path, seed: int | None = None) -> list[tuple[TrainConfig, int]]:
    """Return every run and seed that a configuration needs, in order, the configuration's own last.

    Parameters
    ----------
    path : Path
        Of the TOML file; those of the runs it builds on lie beside it.
    seed : int, optional
        Only this seed of the configuration.
    """
    run = read_config(path)
    seeds = run.seeds if seed is None else (seed,)
    found = [stage for name in run.teachers for stage in stages(_beside(path, name))]
    if seed is None:
        found += [stage for name, each in run.others for stage in stages(_beside(path, name), each)]
    if run.continue_from:
        found += [stage for each in seeds for stage in stages(_beside(path, run.continue_from), each)]
    found += [(run, each) for each in seeds]
    return list({(stage.name, each): (stage, each) for stage, each in found}.values())


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{name}.toml")
