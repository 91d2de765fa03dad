"""Recipes: everything that decides a training, one TOML file each in models/recipes/.

A recipe trains networks in one stage, from nothing or from those of another recipe that it names; those that learn from
teachers name the recipe of the teachers. `python -m ecgimn train --recipe NAME` trains first what is named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.model.model import MODELS_FOLDER
from ecgimn.model.network import NetworkConfig
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import CHOICE_FOLD, TASKS, TRAINING_FOLDS, task_labels
from ecgimn.train.augment import AugmentConfig
from ecgimn.train.objective import ObjectiveConfig

RECIPES = MODELS_FOLDER / "recipes"
KINDS = ("ecg-imn", "black-box")


@dataclass(frozen=True)
class Recipe:
    """One training.

    Attributes
    ----------
    name : str
        That of the file; checkpoints go to runs/NAME/seed-N.
    models : dict of str to str
        Names of the models to write and the task of each: {"superclass-v10": "superclass"}. One network serves them
        all; a recipe of teachers writes none.
    kind : str
        One of `KINDS`.
    purpose : str
        What its models are chosen for, where several serve one task.
    cost : str
        What the training takes, for a person who considers it.
    expected : mapping of str to float
        Macro AUROC on fold 9 that its models reach, by task.
    also_learn : tuple of str
        Tasks that are learned beside those of the models and cut off when a model is written.
    seeds : tuple of int
        One network is trained for each; the models written are their average.
    crops : tuple of (int, int)
        (epochs, samples) in order: short crops make early epochs cheap, and say where in a record the evidence is.
    edited_share : float
        Share of a batch whose edited copies are learned beside it, by an ECG-IMN.
    bias : tuple of float
        b of each output of an ECG-IMN, held there for the whole training; learned from the labels where none is given.
    held_out : int
        Of teachers: the training folds are dealt into so many groups, and each seed learns from all of them but one, in
        turn. 0 where every seed learns from all.
    starts_from : str
        Recipe from whose networks, seed by seed, these go on, with the outputs that both serve; from nothing where it
        is empty.
    teachers : str
        Recipe of the black boxes whose mean logits are learned beside the labels; none where it is empty.
    teacher_share : float
        Weight of the teachers against the labels, 0 to 1.
    teacher_least : int
        Records a class needs in the training folds for its teachers to be heard; rarer ones learn from labels alone.
    limit : int, optional
        Records of each kind at most, for a trial.
    """

    name: str
    models: dict[str, str]
    kind: str = "ecg-imn"
    purpose: str = ""
    cost: str = ""
    expected: Mapping[str, float] = field(default_factory=dict)
    also_learn: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1,)
    crops: tuple[tuple[int, int], ...] = ((10, 512), (6, 960))
    batch: int = 64
    edited_share: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    average_decay: float = 0.998
    bias: tuple[float, ...] = ()
    held_out: int = 0
    starts_from: str = ""
    teachers: str = ""
    teacher_share: float = 0.5
    teacher_least: int = 0
    limit: int | None = None
    network: NetworkConfig = field(default_factory=NetworkConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, not one of {', '.join(KINDS)}")
        if unknown := {*self.models.values(), *self.also_learn} - {*TASKS}:
            raise ValueError(f"task {', '.join(sorted(unknown))}, not one of {', '.join(TASKS)}")
        if self.objective.planted_share and "superclass" not in self.tasks:
            raise ValueError("planted signs speak for superclasses, which must be learned, too")
        if self.name in (self.teachers, self.starts_from):
            raise ValueError("it names itself as its teachers or its start")
        if len(self.bias) not in (0, len(self.outputs)):
            raise ValueError(f"bias has {len(self.bias)} values for {len(self.outputs)} outputs")

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in the order of the network's outputs, which is that of `TASKS`."""
        return tuple(task for task in TASKS if task in {*self.models.values(), *self.also_learn})

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of each output; those of other tasks than the superclasses begin with the task."""
        return tuple(name if task == "superclass" else f"{task} {name}" for task in self.tasks for name in TASKS[task])

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


def find_recipe(name: str, folder: Path = RECIPES) -> Path:
    """Return the file of a recipe, named as in `folder` or by its path.

    Raises
    ------
    SourceError
        There is none.
    """
    for path in (Path(name), folder / f"{name}.toml"):
        if path.suffix == ".toml" and path.is_file():
            return path
    there = ", ".join(sorted(path.stem for path in folder.glob("*.toml"))) or "none"
    raise SourceError(f"There is no recipe {name!r} (found: {there}). Name one of these, or the path of a TOML file.")


def read_recipe(path: Path) -> Recipe:
    """Read a TOML file; its keys are those of `Recipe`, with tables for network, objective and augment.

    Raises
    ------
    SourceError
        The file does not parse, a key is unknown, or the recipe contradicts itself.
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        network = content.pop("network", {})
        if "widths" in network:
            network["widths"] = tuple(network["widths"])
        objective = content.pop("objective", {})
        if "edits" in objective:
            objective["edits"] = {family: (odds, low, high) for family, (odds, low, high) in objective["edits"].items()}
        content["crops"] = tuple(tuple(pair) for pair in content.pop("crops"))
        for key in ("seeds", "also_learn", "bias"):
            if key in content:
                content[key] = tuple(content[key])
        parts = {
            "network": NetworkConfig(**network),
            "objective": ObjectiveConfig(**objective),
            "augment": AugmentConfig(**content.pop("augment", {})),
        }
        recipe = Recipe(name=path.stem, **content | parts)
    except (OSError, tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as exc:
        raise SourceError(
            f"The recipe {path.name} cannot be used: {exc}. Compare it with those in models/recipes/."
        ) from exc
    return replace(recipe, network=replace(recipe.network, n_classes=len(recipe.outputs)))


def in_order(path: Path) -> tuple[Recipe, ...]:
    """Return the recipes to train for one, in order: those of its teachers and of its start, beside it, and itself."""
    recipe = read_recipe(path)
    earlier = [in_order(path.with_name(f"{name}.toml")) for name in (recipe.teachers, recipe.starts_from) if name]
    return tuple({each.name: each for each in (*chain.from_iterable(earlier), recipe)}.values())


def refuse_one_sided(where: str, classes: Sequence[str], labels: NDArray[np.uint8], known: NDArray[np.bool_]) -> None:
    """Refuse records from which a class cannot be told: at least one with it and one without it must be among them.

    Parameters
    ----------
    where : str
        Which records these are, as the sentence begins.
    classes : sequence of str
    labels, known : ndarray of shape (n, n_classes)
        As `ecgimn.sources.ptbxl_arrays.task_labels` returns them.

    Raises
    ------
    SourceError
        A class has no record with it, or none without it.
    """
    for what, present in (("with", (labels == 1) & known), ("without", (labels == 0) & known)):
        lacking = [name for name, any_there in zip(classes, present.any(axis=0), strict=True) if not any_there]
        if lacking:
            others = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
            raise SourceError(
                f"{where} hold no record {what} {', '.join(lacking[:5])}{others}, among {len(labels)}. At least one "
                "record with and one without each class is needed to learn from, and likewise in fold 9. Complete the "
                "folder of PTB-XL, or choose a recipe with fewer classes."
            )


def refuse_few(n_records: int, batch: int) -> None:
    """Refuse fewer records to learn from than one step of the training takes; raises `SourceError`."""
    if n_records < batch:
        raise SourceError(
            f"There are {n_records} records to learn from, and one step of this recipe takes {batch}. Complete the "
            "folder of PTB-XL, or raise limit or lower batch in the recipe."
        )


def refuse_too_little(ptbxl: PtbXl, order: Sequence[Recipe]) -> None:
    """Refuse a folder of PTB-XL that cannot teach the models of a recipe, by its table alone; raises `SourceError`.

    Each recipe `in_order` needs records enough for a step. Classes are asked of the last one alone, and of its models:
    of what else is learned nothing is written.
    """
    learn = ptbxl.ids(TRAINING_FOLDS, fs=100)
    for recipe in order:
        used = ptbxl.folds.loc[learn[: recipe.limit]].to_numpy()
        refuse_few(min(int((~np.isin(used, recipe.unseen(seed))).sum()) for seed in recipe.seeds), recipe.batch)
    for where, ids in (("Folds 1 to 8", learn), (f"Fold {CHOICE_FOLD}", ptbxl.ids([CHOICE_FOLD], fs=100))):
        for task in dict.fromkeys(order[-1].models.values()):
            refuse_one_sided(where, TASKS[task], *task_labels(ptbxl, ids, task))
