"""What every network is asked in the same way: a model with maps, its black-box twin, one member, a randomised copy.

Whoever writes a network of their own only has to offer this to have it explained, compared and measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

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
