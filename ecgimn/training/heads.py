"""Which outputs of a network belong to a task, and the weights of a network with only some of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ecgimn.errors import CheckpointError
from ecgimn.training.dataset import TASKS

#: Weights with one row, or several in turn, for each output.
HEADS = ("head.weight", "head.bias", "bias")


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
            "Go on from a run that learned them."
        )
    order = torch.arange(sum(len(TASKS[task]) for task in held))
    kept = torch.cat([order[outputs(held, task)] for task in wanted])
    own = dict(weights)
    for key in HEADS:
        if key in weights:
            own[key] = weights[key].unflatten(0, (len(order), -1))[kept].flatten(0, 1)
    return own
