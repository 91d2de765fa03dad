"""Linear models for many inputs at once: one pass through each network per batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ecgimn.model.checkpoint import Model


@dataclass(frozen=True, eq=False)
class LinearModels:
    """The linear models that a model wrote for a batch: means over its members, calibrated.

    Attributes
    ----------
    weights : ndarray of shape (B, K, 12, n), float32
        Logit per mV on the input.
    bias, logit : ndarray of shape (B, K)
    offset : ndarray of shape (B, K, 12) or None
        As in `LinearModel`.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float64]
    logit: NDArray[np.float64]
    offset: NDArray[np.float64] | None


def write_linear_models(model: Model, x: NDArray[np.floating]) -> LinearModels:
    """Return the linear models for a batch of inputs (B, 12, n); `Model.write_linear_model` does it for one."""
    batch = torch.as_tensor(np.asarray(x, dtype=np.float32), device=model.device)
    with torch.inference_mode():
        outs = [network.linear(batch) for network in model.networks]
        weights, bias, logit, offset = (
            torch.stack([getattr(out, name) for out in outs]).mean(dim=0).cpu().numpy()
            for name in ("weights", "bias", "logit", "offset")
        )
    scale, shift = np.array(model.card.scale), np.array(model.card.offset)
    return LinearModels(
        weights=weights * scale[:, None, None].astype(np.float32),
        bias=scale * bias.astype(np.float64) + shift,
        logit=scale * logit.astype(np.float64) + shift,
        offset=scale[:, None] * offset.astype(np.float64) if model.card.kind == "paper" else None,
    )
