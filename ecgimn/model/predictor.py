"""What every network is asked in the same way: a model with maps, its black-box twin, one member, a randomised copy.

Whoever writes a network of their own only has to offer this to have it explained, compared and measured;
`TorchPredictor` offers it for a torch module.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

    from ecgimn.model.model import LinearModel
    from ecgimn.signal.preprocess import Preprocessing


class Predictor(Protocol):
    """A network that answers with logits, and perhaps with the linear model behind them.

    Attributes
    ----------
    name : str
        As printed.
    key : str
        Tells this network from others: the SHA-256 of its weights, where they are on a card.
    classes : tuple of str
    module : nn.Module
        Inputs (B, 12, L) in mV to logits (B, K), differentiable; for methods that need gradients.
    features : tuple of nn.Module
        Deepest convolutional layer of each network averaged, for Grad-CAM: (B, C, L') or (B, C, 12, L').
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def module(self) -> nn.Module: ...  # noqa: D102
    @property
    def features(self) -> tuple[nn.Module, ...]: ...  # noqa: D102

    def preprocessing(self, fs: float, n_samples: int) -> Preprocessing:
        """Return the way from a recording of `n_samples` samples at `fs` Hz to this network's input."""

    def logits(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the logits (n, K) of inputs (n, 12, L)."""

    def linear(self, x: NDArray[np.floating]) -> LinearModel | None:
        """Return the linear model written for one input (12, L), or None where the network writes none."""


@dataclass(frozen=True, eq=False)
class TorchPredictor:
    """A torch module of one's own as a `Predictor`; its linear model is the tangent at each input.

    Of a module of linear layers, convolutions, ReLU and max pooling the tangent is the computation itself at this
    input: such a module is linear around it. Of any other it is a first-order explanation: weights and bias still sum
    to the logit, because the bias is the rest, and how far it holds is to be measured.

    Attributes
    ----------
    module : nn.Module
        Inputs (B, 12, L) in mV at 100 Hz to logits (B, K), differentiable; put it in evaluation mode first.
    classes : tuple of str
    name : str
        As printed.
    high_pass : bool
        Whether the module's input is freed of its baseline.
    features : tuple of nn.Module
        Deepest convolutional layer, for Grad-CAM.
    """

    module: nn.Module
    classes: tuple[str, ...]
    name: str = "torch module"
    high_pass: bool = True
    features: tuple[nn.Module, ...] = ()

    @property
    def key(self) -> str:
        """SHA-256 of the module's parameters and buffers."""
        digest = hashlib.sha256()
        for name, value in sorted(self.module.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    def preprocessing(self, fs: float, n_samples: int) -> Preprocessing:
        """Return the way from a recording of `n_samples` samples at `fs` Hz to the module's input."""
        from ecgimn.signal.preprocess import preprocessing

        return preprocessing(fs, n_samples, high_pass=self.high_pass)

    def logits(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the logits (n, K) of inputs (n, 12, L)."""
        import torch

        with torch.inference_mode():
            answer = self.module(torch.as_tensor(np.asarray(x, dtype=np.float32)))
        return np.asarray(answer.double().numpy())

    def linear(self, x: NDArray[np.floating]) -> LinearModel:
        """Return the tangent at one input (12, L): gradients as weights, what they do not explain as bias."""
        import torch

        from ecgimn.model.model import LinearModel

        at = torch.as_tensor(np.array(x, dtype=np.float32))[None].requires_grad_()
        logit = self.module(at)[0]
        if logit.shape != (len(self.classes),):
            raise ModelError(
                f"The module answers with {logit.numel()} numbers a recording, and {len(self.classes)} classes "
                "are named. One logit per class is needed. Name as many classes."
            )
        rows = [torch.autograd.grad(one, at, retain_graph=True)[0][0] for one in logit]
        weights = torch.stack(rows).double().numpy()
        values = logit.detach().double().numpy()
        return LinearModel(weights[None], values - np.einsum("klt,lt->k", weights, np.asarray(x)), values)
