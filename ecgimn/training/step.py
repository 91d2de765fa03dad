"""One step of training: loss, gradients, weights and their running average.

A network of this size asks a GPU for about a thousand short computations per step, and launching them takes longer than
they do. On CUDA a step is therefore recorded once for each length of window and replayed as one graph.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ecgimn.model.blackbox import BlackBox
from ecgimn.model.network import EcgImn
from ecgimn.training.augment import Batch
from ecgimn.training.config import TrainConfig
from ecgimn.training.objective import FidelitySpread, Loss, label_loss, objective

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
    config : TrainConfig
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
        config: TrainConfig,
        network: Network,
        average: Averager,
        optimizer: torch.optim.Optimizer,
        spread: FidelitySpread,
        class_weight: Tensor,
    ) -> None:
        self.config, self.network, self.average = config, network, average
        self.optimizer, self.spread, self.class_weight = optimizer, spread, class_weight
        self.device = class_weight.device
        self.sums = torch.zeros(3, device=self.device)
        self._gamma, self._pace = torch.zeros((), device=self.device), torch.ones((), device=self.device)
        self._recorded: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Batch]] = {}
        self._warm: dict[tuple[int, ...], int] = {}

    def __call__(self, batch: Batch, step: int, progress: float) -> None:
        """Learn from a batch, as step number `step` (from 0), with `progress` of the training behind it."""
        rate = self.config.learning_rate * one_cycle(progress, self.config.warm_up)
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self._gamma.fill_(self.config.objective.gamma * min(1.0, progress / self.config.objective.ramp))
        self._pace.fill_(1.0 - min(self.config.average_decay, (2 + step) / (11 + step)))  # fast in the first steps
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
        with torch.autocast(self.device.type, torch.bfloat16):
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
            self.spread, self.config.objective, gamma_now=self._gamma,
        )  # fmt: skip


def one_cycle(progress: float, warm_up: float) -> float:
    """Return the learning rate as a share of its peak: up in a line, then down along a cosine."""
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up))) + 1e-4
