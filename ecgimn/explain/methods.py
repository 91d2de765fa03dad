"""Post-hoc explanations of any network, by captum, in one form: what the compared methods say about one input.

Every method gives an attribution in logit per sample and, so that it can be held to what it claims, a linear prediction
of what an edit of the input will do: `predicted change = <weights, d>`.

- Methods that average gradients (gradient x input, integrated gradients, GradientSHAP): `weights` is the averaged
  gradient, in logit per mV, and the attribution is weights times the voltage about the isoelectric line.
- Methods that score cells (occlusion, KernelSHAP, Grad-CAM and the two controls): the effect of a cell is the sum of
  its attribution; an edit that scales what is in the cell by 1 + a is predicted to add a times the effect. Of any edit
  d, a = <u, d> / <u, u> over the cell, with u the voltage about the isoelectric line: weights = effect u / <u, u>.
- Grad-CAM and the controls have no unit: they are scaled, per class, so that their absolute sum is
  |f(x) - f(isoelectric line)|, in their favour.

Simonyan et al. arXiv:1312.6034 (gradient), Sundararajan et al. arXiv:1703.01365, Lundberg and Lee arXiv:1705.07874,
Selvaraju et al. arXiv:1610.02391, Zeiler and Fergus arXiv:1311.2901.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from captum.attr import GradientShap, IntegratedGradients, KernelShap, LayerGradCam, Occlusion, Saliency
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ecgimn.model.predictor import Predictor

IG_STEPS = 50
GRADIENT_SHAP_SAMPLES = 20
GRADIENT_SHAP_NOISE_MV = 0.05
KERNEL_SHAP_SAMPLES = 2 * 60 + 2048  # the usual number for 60 features (package shap)
OCCLUSION_SAMPLES = 25  # a window of one lead and 250 ms
INNER_BATCH = 64  # inputs per pass


@dataclass(frozen=True, eq=False)
class Attribution:
    """What one method says about one input.

    Attributes
    ----------
    attribution : ndarray of shape (K, 12, L)
        Logit per sample.
    weights : ndarray of shape (K, 12, L)
        Logit per mV: the change in logit that the method predicts for an edit d is `(weights * d).sum((1, 2))`.
    """

    attribution: NDArray[np.float64]
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Input:
    """One input and what the methods need to know about it.

    Attributes
    ----------
    x : ndarray of shape (12, L)
        mV.
    level : ndarray of shape (12,)
        Isoelectric level per lead in mV: the reference that stands for "nothing there".
    cells : ndarray of shape (12, L), int
        Lead by wave cell of every sample, from `ecgimn.explain.ledger.lead_wave_cells`.
    """

    x: NDArray[np.floating]
    level: NDArray[np.floating]
    cells: NDArray[np.integer]

    @property
    def u(self) -> NDArray[np.float64]:
        """Voltage about the isoelectric level."""
        return np.asarray(self.x - self.level[:, None], dtype=np.float64)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return the input and its isoelectric reference, each (1, 12, L) in float32."""
        reference = np.broadcast_to(self.level[:, None], self.x.shape)
        return (
            torch.tensor(np.asarray(self.x, dtype=np.float32))[None],
            torch.tensor(np.asarray(reference, dtype=np.float32))[None],
        )


class Method(Protocol):
    """A way to explain a network: the exact map, a post-hoc method, or one of your own."""

    @property
    def name(self) -> str: ...  # noqa: D102

    def attribute(self, predictor: Predictor, record: Input, *, only: int | None = None, seed: int = 0) -> Attribution:
        """Explain one input.

        Parameters
        ----------
        predictor : Predictor
        record : Input
        only : int, optional
            Index of the one class to explain; all of them otherwise.
        seed : int
            Of methods that draw at random.
        """


@dataclass(frozen=True)
class ExactMap:
    """The network's own linear model: nothing is estimated."""

    name: str = "exact map"

    def attribute(self, predictor: Predictor, record: Input, *, only: int | None = None, seed: int = 0) -> Attribution:
        """Return the map that the network writes for this input; raises `ValueError` where it writes none."""
        written = predictor.linear(record.x)
        if written is None:
            raise ValueError(f"{predictor.name} has no map of its own")
        weights = written.member_weights.mean(axis=0)[_chosen(predictor, only)]
        return Attribution(weights * record.u, weights)


@dataclass(frozen=True)
class PostHoc:
    """A method that explains a network from outside.

    Attributes
    ----------
    name : str
        As printed.
    run : callable
        Takes a differentiable function of inputs (B, 12, L), its deepest layers, the number of its classes, and the
        input.
    """

    name: str
    run: Callable[[_Target, Input], Attribution]

    def attribute(self, predictor: Predictor, record: Input, *, only: int | None = None, seed: int = 0) -> Attribution:
        """Explain one input for every class, or for only one."""
        chosen, module = _chosen(predictor, only), predictor.module
        target = _Target(lambda x: module(x)[:, chosen], predictor.features, chosen.stop - chosen.start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.run(target, record)


@dataclass(frozen=True, eq=False)
class _Target:
    """The part of a network that is explained."""

    forward: Callable[[Tensor], Tensor]
    layers: tuple[nn.Module, ...]
    n_classes: int


def _chosen(predictor: Predictor, only: int | None) -> slice:
    return slice(0, len(predictor.classes)) if only is None else slice(only, only + 1)


def _per_class(x: Tensor, target: _Target) -> tuple[Tensor, Tensor]:
    """Return one copy of the input per class, and the classes."""
    return x.repeat(target.n_classes, 1, 1), torch.arange(target.n_classes)


def _from_gradient(gradient: Tensor, record: Input) -> Attribution:
    weights = gradient.detach().double().numpy()
    return Attribution(weights * record.u, weights)


def _gradient_input(target: _Target, record: Input) -> Attribution:
    x, classes = _per_class(record.tensors()[0], target)
    return _from_gradient(Saliency(target.forward).attribute(x.requires_grad_(), classes, abs=False), record)


def _integrated_gradients(target: _Target, record: Input) -> Attribution:
    x, reference = record.tensors()
    inputs, classes = _per_class(x, target)
    method = IntegratedGradients(target.forward, multiply_by_inputs=False)
    mean = method.attribute(inputs, reference, classes, n_steps=IG_STEPS, internal_batch_size=INNER_BATCH)
    return _from_gradient(mean, record)


def _gradient_shap(target: _Target, record: Input) -> Attribution:
    x, reference = record.tensors()
    inputs, classes = _per_class(x, target)
    method = GradientShap(target.forward, multiply_by_inputs=False)
    mean = method.attribute(
        inputs, reference, n_samples=GRADIENT_SHAP_SAMPLES, stdevs=GRADIENT_SHAP_NOISE_MV, target=classes
    )
    return _from_gradient(mean, record)


def _from_cells(attribution: NDArray[np.float64], record: Input) -> Attribution:
    """Make the prediction of a method that scores cells."""
    u, cells = record.u.ravel(), np.asarray(record.cells).ravel()
    energy = np.bincount(cells, weights=u * u)
    effect = np.stack([np.bincount(cells, weights=row.ravel(), minlength=len(energy)) for row in attribution])
    weights = (effect / np.maximum(energy, 1e-12))[:, cells] * u
    return Attribution(attribution, weights.reshape(attribution.shape))


def _scaled(attribution: NDArray[np.floating], target: _Target, record: Input) -> NDArray[np.float64]:
    """Give a map without a unit the size of the logit that it explains."""
    x, reference = record.tensors()
    with torch.inference_mode():
        span = (target.forward(x) - target.forward(reference))[0].double().abs().numpy()
    total = np.abs(attribution).sum(axis=(1, 2))
    return np.asarray(attribution * (span / np.maximum(total, 1e-12))[:, None, None], dtype=np.float64)


def _grad_cam(target: _Target, record: Input) -> Attribution:
    inputs, classes = _per_class(record.tensors()[0], target)
    maps = []
    for layer in target.layers:
        coarse = LayerGradCam(target.forward, layer).attribute(inputs.requires_grad_(), classes).detach().cpu()
        if coarse.ndim == 3:  # features of all leads together: one course of time for all of them
            coarse = coarse[:, :, None].expand(-1, -1, 12, -1)
        padded = coarse.shape[-1] * -(-inputs.shape[-1] // coarse.shape[-1])  # the encoders fill up behind the end
        fine = F.interpolate(coarse, size=(12, padded), mode="bilinear", align_corners=False)
        maps.append(fine[:, 0, :, : inputs.shape[-1]].double().numpy())
    return _from_cells(_scaled(np.mean(maps, axis=0), target, record), record)


def _occlusion(target: _Target, record: Input) -> Attribution:
    x, reference = record.tensors()
    window = (1, min(OCCLUSION_SAMPLES, x.shape[-1]))
    with torch.inference_mode():
        effect = Occlusion(target.forward).attribute(
            x, window, window, reference, perturbations_per_eval=INNER_BATCH
        ).double().numpy()  # one value per window, spread over its samples  # fmt: skip
    return _from_cells(effect / window[1], record)


class _Shared:
    """A network that answers the same questions, asked in the same order for another class, from memory."""

    def __init__(self, forward: Callable[[Tensor], Tensor]) -> None:
        self.forward, self.answers, self.place = forward, list[Tensor](), 0

    def __call__(self, x: Tensor) -> Tensor:
        if self.place == len(self.answers):
            self.answers.append(self.forward(x))
        self.place += 1
        return self.answers[self.place - 1]


def _kernel_shap(target: _Target, record: Input, samples: int = KERNEL_SHAP_SAMPLES) -> Attribution:
    x, reference = record.tensors()
    _, compact = np.unique(record.cells, return_inverse=True)  # captum wants features without gaps
    mask = torch.tensor(compact.reshape(record.cells.shape))[None]
    shared, state, effects = _Shared(target.forward), torch.random.get_rng_state(), []
    size = np.bincount(compact.ravel())
    with torch.inference_mode():
        for k in range(target.n_classes):
            torch.random.set_rng_state(state)  # the same coalitions for every class
            shared.place = 0
            values = KernelShap(shared).attribute(
                x, reference, k, feature_mask=mask, n_samples=samples, perturbations_per_eval=INNER_BATCH
            )
            effects.append(values[0].double().numpy())
    return _from_cells(np.stack(effects) / size[compact.reshape(record.cells.shape)], record)


def _amplitude(target: _Target, record: Input) -> Attribution:
    same = np.broadcast_to(np.abs(record.u), (target.n_classes, *record.u.shape))
    return _from_cells(_scaled(same, target, record), record)


def _random(target: _Target, record: Input) -> Attribution:
    """One random number per cell and class, spread over the samples of the cell."""
    cells = np.asarray(record.cells)
    size = np.bincount(cells.ravel())
    value = torch.randn(target.n_classes, len(size)).double().numpy() / np.maximum(size, 1)
    return _from_cells(_scaled(value[:, cells], target, record), record)


def kernel_shap(samples: int = KERNEL_SHAP_SAMPLES) -> PostHoc:
    """Return KernelSHAP with this number of coalitions."""
    return PostHoc("KernelSHAP", partial(_kernel_shap, samples=samples))


#: Post-hoc methods by their names on screen; the last two are controls that know nothing of the network.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        PostHoc("gradient x input", _gradient_input),
        PostHoc("integrated gradients", _integrated_gradients),
        PostHoc("GradientSHAP", _gradient_shap),
        PostHoc("occlusion", _occlusion),
        kernel_shap(),
        PostHoc("Grad-CAM", _grad_cam),
        PostHoc("amplitude |x|", _amplitude),
        PostHoc("random", _random),
    )
}
CONTROLS = ("amplitude |x|", "random")
