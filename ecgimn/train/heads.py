"""Which outputs of a network belong to a task, and the checkpoint and log that a training run leaves in its folder."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ecgimn.errors import CheckpointError
from ecgimn.sources.ptbxl_arrays import TASKS

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
