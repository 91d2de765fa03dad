"""Soft targets: what black boxes, the teachers, make of each record, worked out once before the training.

A black box knows the labels of the records that it learned from, mistakes included, and would pass them on. Where
teachers leave folds out (`held_out`), each record gets the mean logits of those that have not seen it (cross-fitting:
Dao et al., arXiv:2104.09732), at windows about a second apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgimn.errors import CheckpointError
from ecgimn.model.blackbox import BlackBox
from ecgimn.model.model import mixed_precision
from ecgimn.model.network import NetworkConfig
from ecgimn.sources.ptbxl_arrays import TASKS, Dataset
from ecgimn.train.augment import Targets
from ecgimn.train.export import STATE, keep_tasks, read_state
from ecgimn.train.recipe import Recipe

SPACING = 96  # samples between windows, at most
CHUNK = 512  # records that a teacher is asked about at once


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained black box, and the folds that it has not seen; it teaches those, or all if there are none."""

    network: BlackBox
    unseen: tuple[int, ...]


def make_targets(data: Dataset, recipe: Recipe, runs: Path, device: torch.device) -> Targets:
    """Return what a recipe learns from the records; soft targets that runs/NAME holds already are taken from there.

    Parameters
    ----------
    data : Dataset
    recipe : Recipe
    runs : Path
        Folder of all runs.
    device : torch.device
        Where the teachers work.

    Raises
    ------
    CheckpointError
        A run of teachers is not there, or a record has no teacher.
    """
    labels = data.targets(recipe.tasks)
    if not recipe.teachers:
        return Targets(labels)
    path = runs / recipe.name / "soft_targets.npz"
    soft_targets = _held(path, data, recipe)
    if soft_targets is None:
        teachers = read_teachers(runs / recipe.teachers, recipe.tasks)
        soft_targets = {crop: ask(data, teachers, crop, device) for crop in {samples for _, samples in recipe.crops}}
        path.parent.mkdir(parents=True, exist_ok=True)
        key = {"ids": data.ids, "tasks": recipe.tasks, "teachers": recipe.teachers}
        unfinished = path.with_suffix(".tmp.npz")
        np.savez(unfinished, **key, **{str(crop): said for crop, said in soft_targets.items()})  # type: ignore[arg-type]
        unfinished.replace(path)
    return Targets(labels, share_of_teachers(labels, recipe), soft_targets)


def _held(path: Path, data: Dataset, recipe: Recipe) -> dict[int, NDArray[np.float16]] | None:
    """Return the soft targets that were written before, if they are those of this recipe."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        same = (
            np.array_equal(file["ids"], data.ids)
            and tuple(file["tasks"]) == recipe.tasks
            and str(file["teachers"]) == recipe.teachers
            and all(str(samples) in file for _, samples in recipe.crops)
        )
        return {samples: file[str(samples)] for _, samples in recipe.crops} if same else None


def ask(data: Dataset, teachers: Sequence[Teacher], crop: int, device: torch.device) -> NDArray[np.float16]:
    """Return the mean logits (n, n_windows, K) of the teachers of each record at windows of `crop` samples.

    Raises
    ------
    CheckpointError
        A record has no teacher.
    """
    last = data.x.shape[-1] - crop
    starts = np.linspace(0, last, 1 - (-last // SPACING)).round().astype(int)
    said = np.zeros((len(data), len(starts), teachers[0].network.config.n_classes), np.float32)
    heard = np.zeros(len(data), int)
    for teacher in teachers:
        network = teacher.network.to(device)
        rows = np.flatnonzero(np.isin(data.folds, teacher.unseen)) if teacher.unseen else np.arange(len(data))
        heard[rows] += 1
        for part in np.array_split(rows, max(1, len(rows) // CHUNK)):
            x = torch.from_numpy(data.x[part]).to(device).float()
            with torch.inference_mode(), mixed_precision(device):
                logits = torch.stack([network(x[..., start : start + crop]) for start in starts], dim=1)
            said[part] += logits.float().cpu().numpy()
    if not heard.all():
        folds = ", ".join(str(fold) for fold in np.unique(data.folds[heard == 0]))
        raise CheckpointError(
            f"No teacher has left out the folds {folds}. Give their recipe at least "
            "as many seeds as `held_out` has groups."
        )
    return (said / heard[:, None, None]).astype(np.float16)


def share_of_teachers(labels: NDArray[np.floating], recipe: Recipe) -> NDArray[np.float32]:
    """Return the weight of the teachers against the labels for each class, (K,), from the labels, (n, K)."""
    return np.asarray(recipe.teacher_share * (np.nansum(labels, axis=0) >= recipe.teacher_least), np.float32)


def read_teachers(folder: Path, tasks: tuple[str, ...]) -> list[Teacher]:
    """Return the averaged networks of a finished run of black boxes, one per seed, for some tasks.

    Raises
    ------
    CheckpointError
        The run is not there, or is not of black boxes, or has not learned a task.
    """
    states = sorted(folder.glob(f"seed-*/{STATE}"))
    try:
        if not states:
            raise KeyError("no state was found")
        return [_teacher(read_state(path), tasks) for path in states]
    except (ValueError, KeyError, TypeError, RuntimeError) as exc:
        raise CheckpointError(
            f"The run {folder.name!r} cannot teach ({exc}). "
            f"Train it first: python -m ecgimn train --ptbxl DIR --recipe {folder.name}"
        ) from exc


def _teacher(state: dict[str, Any], tasks: tuple[str, ...]) -> Teacher:
    n_classes = sum(len(TASKS[task]) for task in tasks)
    network = BlackBox(replace(NetworkConfig(**state["config"]), n_classes=n_classes))
    network.load_state_dict(keep_tasks(state["average"], state["tasks"], tasks))
    return Teacher(network.eval().requires_grad_(False), tuple(state["unseen"]))
