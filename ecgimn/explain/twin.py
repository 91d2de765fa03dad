"""The black-box twin as a network that post-hoc methods explain."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ecgimn.explain.posthoc import Target
from ecgimn.model.blackbox import BlackBox


def twin_target(network: BlackBox, n_classes: int) -> Target:
    """Return the black box as a network to be explained."""
    return Target(network, (network.encoder.stages[-1],), n_classes)


def twin_logits(network: BlackBox, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the logits (n, K) of inputs (n, 12, L)."""
    with torch.inference_mode():
        return np.asarray(network(torch.as_tensor(np.asarray(x, dtype=np.float32))).double().numpy())
