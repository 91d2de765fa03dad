"""The black-box twin: the same encoder with a pooled linear head, which explains nothing.

It is the peer that an ECG-IMN has to match, the teacher it learns from, and the network that post-hoc methods explain.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ecgimn.errors import CheckpointError, ModelNotFoundError
from ecgimn.model.model import MODELS_FOLDER
from ecgimn.model.network import Encoder, NetworkConfig, padded
from ecgimn.signal.preprocess import Preprocessing, preprocessing

TWIN = "black-box-v1"


class BlackBox(nn.Module):
    """Encoder, mean and maximum over time, dropout, linear head; inputs (B, 12, L) at 100 Hz.

    Parameters
    ----------
    config : NetworkConfig
        That of an ECG-IMN; what concerns its decoder is not used.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.widths[-1], config.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (B, K) of a batch."""
        deepest = self.encoder(padded(x, self.config))[-1].float()
        pooled = torch.cat([deepest.mean(-1), deepest.amax(-1)], dim=1)  # (B, C, L/32) -> (B, 2C)
        return torch.as_tensor(self.head(self.dropout(pooled)))


@dataclass(frozen=True, eq=False)
class BlackBoxPredictor:
    """A black box as a `Predictor`: it answers, and writes no linear model."""

    network: BlackBox
    classes: tuple[str, ...]
    name: str = TWIN

    @property
    def key(self) -> str:
        """Tells it from other networks."""
        return self.name

    @property
    def module(self) -> nn.Module:
        """Inputs (B, 12, L) in mV to logits (B, K), differentiable."""
        return self.network

    @property
    def features(self) -> tuple[nn.Module, ...]:
        """Deepest convolutional layer."""
        return (self.network.encoder.stages[-1],)

    def preprocessing(self, fs: float, n_samples: int) -> Preprocessing:
        """Return the way from a recording of `n_samples` samples at `fs` Hz to the network's input."""
        return preprocessing(fs, n_samples)

    def logits(self, x: NDArray[np.floating], batch: int = 128) -> NDArray[np.float64]:
        """Return the logits (n, K) of inputs (n, 12, L)."""
        with torch.inference_mode():
            parts = [
                self.network(torch.as_tensor(np.asarray(x[start : start + batch], dtype=np.float32)))
                for start in range(0, len(x), batch)
            ]
        return np.concatenate([np.zeros((0, len(self.classes))), *(part.double().numpy() for part in parts)])

    def linear(self, x: NDArray[np.floating]) -> None:
        """Return None: a black box has no map of its own."""
        return


def load_twin(folder: Path = MODELS_FOLDER) -> BlackBoxPredictor:
    """Return the black-box twin; raises `ModelError` as `load_black_box` does."""
    network, classes = load_black_box(TWIN, folder)
    return BlackBoxPredictor(network, classes)


def save_black_box(network: BlackBox, classes: tuple[str, ...], name: str = TWIN, folder: Path = MODELS_FOLDER) -> Path:
    """Write a black box with its shape and classes in the header of the weights file; returns the path."""
    tensors = {key: value.contiguous() for key, value in network.state_dict().items() if value.is_floating_point()}
    path = folder / f"{name}.safetensors"
    save_file(tensors, path, {"network": json.dumps(asdict(network.config)), "classes": json.dumps(classes)})
    return path


def load_black_box(name: str = TWIN, folder: Path = MODELS_FOLDER) -> tuple[BlackBox, tuple[str, ...]]:
    """Return a black box in evaluation mode and the names of its classes.

    Raises
    ------
    ModelNotFoundError
        There is no such file.
    CheckpointError
        The file does not parse, or holds something else.
    """
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise ModelNotFoundError(
            f"The black box {name!r} is not in models/. Restore it, or train it with: "
            f"python -m ecgimn train --ptbxl DIR --recipe {name}"
        )
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dictionary
        shape = json.loads(header["network"])
        config = NetworkConfig(**shape | {"widths": tuple(shape["widths"])})
        network = BlackBox(config)
        absent, unknown = network.load_state_dict(tensors, strict=False)
        wrong = [*unknown, *(key for key in absent if not key.endswith("num_batches_tracked"))]
        if wrong:
            raise KeyError(wrong[0])
        classes = tuple(json.loads(header["classes"]))
    except (SafetensorError, RuntimeError, ValueError, TypeError, KeyError) as exc:
        raise CheckpointError(f"The black box {path.name} cannot be read ({exc}). Restore the file.") from exc
    return network.eval().requires_grad_(False), classes
