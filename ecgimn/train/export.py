"""From a training run to a model on disk: checkpoints and logs, outputs of a task, calibration, weights and card."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pandas as pd
import torch
from torch import Tensor

from ecgimn.errors import CheckpointError, SourceError
from ecgimn.evaluate.metrics import calibrate
from ecgimn.model.blackbox import BlackBox, save_black_box
from ecgimn.model.card import ModelCard
from ecgimn.model.model import MODELS_FOLDER, STORED, Model, save_model
from ecgimn.model.network import EcgImn
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import (
    CHOICE_FOLD,
    GROUPS,
    SUBCLASS_GROUPS,
    SUBCLASS_WORDS,
    TASKS,
    WORDS,
    Dataset,
    load_dataset,
)
from ecgimn.train.recipe import Recipe

#: Weights with one row, or several in turn, for each output.
HEADS = ("head.weight", "head.bias", "bias", "voltage")


def outputs(tasks: Sequence[str], task: str) -> slice:
    """Return which outputs of a network that serves `tasks`, in their order, are those of one of them."""
    start = sum(len(TASKS[earlier]) for earlier in tasks[: tasks.index(task)])
    return slice(start, start + len(TASKS[task]))


def keep_tasks(weights: dict[str, Tensor], held: Sequence[str], wanted: Sequence[str]) -> dict[str, Tensor]:
    """Return the weights of a network with only the outputs of some of its tasks.

    Parameters
    ----------
    weights : dict of str to Tensor
        State of an ECG-IMN or a black box.
    held, wanted : sequence of str
        Tasks of that network, and those to keep, each in the order of the outputs.

    Raises
    ------
    CheckpointError
        A task is wanted that the network has not learned.
    """
    if missing := [task for task in wanted if task not in held]:
        raise CheckpointError(
            f"A network that learned {', '.join(held)} has no outputs for {', '.join(missing)}. "
            "Take a network that learned them."
        )
    order = torch.arange(sum(len(TASKS[task]) for task in held))
    kept = torch.cat([order[outputs(held, task)] for task in wanted])
    own = dict(weights)
    for key in HEADS:
        if key in weights:
            own[key] = weights[key].unflatten(0, (len(order), -1))[kept].flatten(0, 1)
    return own


STATE, BEST, LOG = "state.pt", "best.pt", "log.csv"


class Part(Protocol):
    """A part of a run that takes up a state: a network, an optimiser, an average."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take up a state."""


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state, replacing the last one in one move, so that a killed run leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state), path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """Return a state on the processor; nothing but tensors and plain values is unpickled."""
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def take_up(folder: Path, name: str, parts: Mapping[str, Part], counters: tuple[str, ...]) -> list[Any]:
    """Let the parts of a run take up its state by their keys, and return its counters.

    Raises
    ------
    CheckpointError
        There is no state, or it belongs to another recipe.
    """
    try:
        state = read_state(folder / STATE)
        for key, part in parts.items():
            part.load_state_dict(state[key])
        return [state[counter] for counter in counters]
    except (OSError, EOFError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as exc:
        raise CheckpointError(f"The run {name!r} cannot be resumed: {exc}. Start it again without --resume.") from exc


def epochs_done(folder: Path) -> int:
    """Return how many epochs the state in a folder has behind it; 0 where there is none."""
    path = folder / STATE
    return int(read_state(path)["epoch"]) if path.is_file() else 0


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Add a row to a log; a new log gets its header."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


AnyNetwork = TypeVar("AnyNetwork", EcgImn, BlackBox)
TASK_WORDS = {
    "superclass": "five diagnostic superclasses of PTB-XL, not exclusive",
    "subclass": "23 diagnostic sub-classes of PTB-XL, not exclusive",
    "statement": "71 SCP-ECG statements of PTB-XL: diagnoses, form and rhythm, not exclusive",
}
CLASS_WORDS = {"subclass": SUBCLASS_WORDS, "statement": WORDS}
CLASS_GROUPS = {"subclass": SUBCLASS_GROUPS, "statement": GROUPS}


def export_models(ptbxl: PtbXl, recipe: Recipe, runs: Path, *, folder: Path = MODELS_FOLDER) -> tuple[str, ...]:
    """Write the models of a recipe from its finished (or last saved) networks, and the log of its training.

    Returns
    -------
    tuple of str
        Names of the models.

    Raises
    ------
    SourceError
        A network of the models has no checkpoint.
    """
    places = [runs / recipe.name / f"seed-{seed}" for seed in recipe.seeds]
    missing = [place.name for place in places if not (place / STATE).is_file()]
    if missing:
        raise SourceError(f"There is no checkpoint for {recipe.name} {', '.join(missing)}. Train these seeds first.")
    saved = [read_state(place / STATE) for place in places]
    choose = load_dataset(ptbxl, ptbxl.ids([CHOICE_FOLD], fs=100), landmarks=False)
    folder.mkdir(parents=True, exist_ok=True)
    for name, task in recipe.models.items():
        if recipe.kind == "black-box":
            (state,) = saved
            save_black_box(_network(BlackBox, state, recipe, task), TASKS[task], name, folder)
            continue
        networks = [_network(EcgImn, state, recipe, task) for state in saved]
        n = len(TASKS[task])
        card = ModelCard(
            name=name,
            task=TASK_WORDS[task],
            classes=TASKS[task],
            purpose=recipe.purpose,
            members=len(networks),
            network=networks[0].config,
            scale=(1.0,) * n,
            offset=(0.0,) * n,
            words=CLASS_WORDS.get(task, {}),
            groups=CLASS_GROUPS.get(task, {}),
            sha256="",
            known_answer=(0.0,) * n,
            training={
                "data": "PTB-XL 1.0.3, folds 1-8, 100 Hz; calibrated and thresholds chosen on fold 9",
                "command": f"python -m ecgimn train --ptbxl DIR --recipe {recipe.name}",
                "epochs": [int(state["epoch"]) for state in saved],
                **asdict(recipe),
            },
        )
        raw = Model(card, tuple(networks), torch.device("cpu"))
        save_model(calibrated(raw, choose, task), networks, folder)
    logs = [place / LOG for place in places if (place / LOG).is_file()]
    if logs:
        rows = pd.concat([pd.read_csv(log).assign(network=log.parent.name.replace("-", " ")) for log in logs])
        rows.to_csv(folder / f"{recipe.name}.log.csv", index=False)
    return tuple(recipe.models)


def calibrated(model: Model, choose: Dataset, task: str) -> ModelCard:
    """Return the model's card with an affine calibration of each logit and operating points, chosen on `choose`."""
    logits, targets = model.logits(choose.x), choose.labels[task]
    found = calibrate(targets, logits, known=choose.known_labels(task))
    return replace(model.card, scale=found.scale, offset=found.offset, thresholds=found.thresholds)


def _network(kind: type[AnyNetwork], state: dict[str, Any], recipe: Recipe, task: str) -> AnyNetwork:
    """Return the averaged network of a run with only the outputs of one task, as precise as it will be stored."""
    network = kind(replace(recipe.network, n_classes=len(TASKS[task]), dropout=0.0))
    network.load_state_dict(keep_tasks(state["average"], state["tasks"], (task,)))
    return network.to(STORED).float().eval()
