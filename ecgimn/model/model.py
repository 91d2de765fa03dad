"""Models on disk and in memory: models/NAME.safetensors with its card models/NAME.json, checked whole before use.

A model is the average of one or more ECG-IMNs, and is itself one: its weight map is the mean of theirs, its bias the
mean of theirs, exactly; their spread says how sure the map is. Also here: linear models for many inputs in one pass,
and a copy with some weights randomised, which no explanation should survive (Adebayo et al., arXiv:1810.03292).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ecgimn.about import shipped
from ecgimn.errors import CheckpointError, ModelNotFoundError
from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import ModelCard, of_classes, read_card, read_zones, write_card
from ecgimn.model.network import EcgImn
from ecgimn.model.published import PaperConfig, PaperImn
from ecgimn.signal.preprocess import MODEL_FS, MODEL_SAMPLES, Preprocessing, preprocessing

MODELS_FOLDER = shipped("models")
KNOWN_ANSWER_TOLERANCE = 1e-4  # logit
STORED = torch.float16  # of weights on disk, which halves the files; everything is computed in float32 or float64

#: A network that writes a linear model in millivolts for each input: `linear(x)` returns it, `logits(x)` its answer.
Network = EcgImn | PaperImn


@dataclass(frozen=True, eq=False)
class LinearModel:
    """The linear model that was written for one input.

    Attributes
    ----------
    member_weights : ndarray of shape (members, K, 12, n), float64
        Logit per mV on the input, one map per network; the model's map is their mean.
    bias : ndarray of shape (K,)
    logit : ndarray of shape (K,)
        As the networks themselves summed it.
    offset : ndarray of shape (K, 12) or None
        Of a network that centres its input: what that adds to the sum, per lead.
    """

    member_weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    logit: NDArray[np.float64]
    offset: NDArray[np.float64] | None = None


class _Averaged(nn.Module):
    """The calibrated mean of a model's logits as one differentiable module; inputs and answers on the CPU."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.networks, self.device = nn.ModuleList(model.networks), model.device
        self.scale, self.offset = torch.tensor(model.card.scale), torch.tensor(model.card.offset)

    def forward(self, x: Tensor) -> Tensor:
        there = x.to(self.device)
        mean = torch.stack([network.logits(there) for network in self.networks]).mean(0)  # type: ignore[operator]
        return torch.as_tensor((mean * self.scale.to(mean) + self.offset.to(mean)).to(x.device))


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model: its card and its networks, in evaluation mode on one device. It is a `Predictor`."""

    card: ModelCard
    networks: tuple[Network, ...]
    device: torch.device

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.card.classes

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.card.name

    @property
    def key(self) -> str:
        """SHA-256 of the weights."""
        return self.card.sha256

    @cached_property
    def module(self) -> nn.Module:
        """Inputs (B, 12, L) in mV to calibrated logits (B, K), differentiable."""
        return _Averaged(self)

    @property
    def features(self) -> tuple[nn.Module, ...]:
        """Deepest convolutional layer of each network."""
        return tuple(
            network.encoder.blocks[-1] if isinstance(network, PaperImn) else network.encoder.stages[-1]
            for network in self.networks
        )

    def linear(self, x: NDArray[np.floating]) -> LinearModel:
        """Return the linear model for an input, shape (12, n) with even n at 100 Hz."""
        return self.write_linear_model(x)

    def preprocessing(self, fs: float, n_samples: int) -> Preprocessing:
        """Return the way from a recording of `n_samples` samples at `fs` Hz to this model's input."""
        return preprocessing(fs, n_samples, high_pass=self.card.high_pass)

    @cached_property
    def _double(self) -> tuple[Network, ...]:
        copies = []
        for network in self.networks:
            copy = type(network)(network.config)  # type: ignore[arg-type]
            copy.load_state_dict(network.state_dict())
            copies.append(copy.double().to(self.device).eval().requires_grad_(False))
        return tuple(copies)

    def write_linear_model(self, x: NDArray[np.floating], *, double: bool = False) -> LinearModel:
        """Return the linear model for an input, shape (12, n) with even n at 100 Hz.

        Parameters
        ----------
        x : ndarray of shape (12, n)
            Preprocessed signal in mV.
        double : bool
            Run the network in float64.
        """
        dtype = torch.float64 if double else torch.float32
        batch = torch.as_tensor(np.array(x, dtype=np.float64), dtype=dtype, device=self.device)[None]
        with torch.inference_mode():
            outs = [network.linear(batch) for network in (self._double if double else self.networks)]
        weights, bias, logit, offset = (
            np.stack([getattr(out, name)[0].double().cpu().numpy() for out in outs])
            for name in ("weights", "bias", "logit", "offset")
        )
        scale = np.array(self.card.scale)
        return LinearModel(
            member_weights=weights * scale[:, None, None],
            bias=scale * bias.mean(axis=0) + np.array(self.card.offset),
            logit=scale * logit.mean(axis=0) + np.array(self.card.offset),
            offset=scale[:, None] * offset.mean(axis=0) if self.card.kind == "paper" else None,
        )

    def logits(self, x: NDArray[np.floating], batch: int = 128) -> NDArray[np.float64]:
        """Return the calibrated logits (n, K) of inputs (n, 12, L), without maps."""
        parts = [np.zeros((0, len(self.classes)))]
        with torch.inference_mode():
            for start in range(0, len(x), batch):
                part = torch.as_tensor(np.asarray(x[start : start + batch], dtype=np.float32), device=self.device)
                outs = [network.logits(part).double() for network in self.networks]
                parts.append(torch.stack(outs).mean(0).cpu().numpy())
        return np.asarray(np.concatenate(parts) * np.array(self.card.scale) + np.array(self.card.offset))

    def weight_maps(self, x: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return canonical weight maps (n, K, 12, L) and logits (n, K) of a small batch of inputs (n, 12, L)."""
        batch = torch.as_tensor(np.asarray(x, dtype=np.float32), device=self.device)
        projection = torch.tensor(CANONICAL_PROJECTION, dtype=torch.float32, device=self.device)
        with torch.inference_mode():
            outs = [network.linear(batch) for network in self.networks]
            maps = projection @ torch.stack([out.weights for out in outs]).mean(0)
            logit = torch.stack([out.logit for out in outs]).double().mean(0).cpu().numpy()
        scale = np.array(self.card.scale)
        return (
            maps.cpu().numpy() * scale[:, None, None].astype(np.float32),
            logit * scale + np.array(self.card.offset),
        )

    def constant(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what belongs to no sample of inputs (n, 12, L), (n, K): the bias, and a term of the amplitude if any.

        Of the published network, which computes its bias from the recording, only the calibration's offset.
        """
        scale, offset = np.array(self.card.scale), np.array(self.card.offset)
        batch = torch.as_tensor(np.asarray(x, dtype=np.float32), device=self.device)
        with torch.inference_mode():
            parts = [net.constant(batch).double().cpu().numpy() for net in self.networks if isinstance(net, EcgImn)]
        return np.asarray(scale * (np.mean(parts, axis=0) if parts else np.zeros((len(x), 1))) + offset)

    def of_classes(self, names: Sequence[str]) -> Model:
        """Return a model that is asked about some of the classes only, so that no other maps are written.

        Raises
        ------
        ModelNotFoundError
            A class is not one of the model's.
        """
        if unknown := [name for name in names if name not in self.classes]:
            raise ModelNotFoundError(
                f"Model {self.card.name!r} does not know {', '.join(unknown)}. Choose among {', '.join(self.classes)}."
            )
        rows = [self.classes.index(name) for name in names]
        networks = [network.of_outputs(rows) for network in self.networks if isinstance(network, EcgImn)]
        if len(networks) < len(self.networks):
            raise ModelNotFoundError(
                f"Model {self.card.name!r} is the published network, which is asked about all its classes at once."
            )
        return Model(of_classes(self.card, tuple(names)), tuple(networks), self.device)

    def members(self) -> tuple[Model, ...]:
        """Return the model's networks as models of their own, for comparing them."""
        return tuple(Model(self.card, (network,), self.device) for network in self.networks)


def choose_device() -> torch.device:
    """Return ECGIMN_DEVICE if set, else CUDA where there is one, else the CPU.

    Raises
    ------
    CheckpointError
        ECGIMN_DEVICE names a device that PyTorch does not have here.
    """
    wanted = os.environ.get("ECGIMN_DEVICE", "").strip() or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as exc:
        raise CheckpointError(
            f"ECGIMN_DEVICE is {wanted!r}, which is not available here. Set it to cpu, or leave it out."
        ) from exc
    return device


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return the context in which networks are trained: bfloat16 where the device computes in it, else float32.

    On a processor without AVX-512, bfloat16 is emulated and takes ten times as long as float32.
    """
    fast = device.type == "cuda" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def list_models(folder: Path = MODELS_FOLDER) -> tuple[str, ...]:
    """Return the names of the models that have both card and weights."""
    return tuple(sorted(path.stem for path in folder.glob("*.json") if path.with_suffix(".safetensors").is_file()))


def load_model(name: str = DEFAULT_MODEL, *, folder: Path = MODELS_FOLDER, device: torch.device | None = None) -> Model:
    """Load a listed model; hash, keys, shapes and the known answer must all match its card.

    Raises
    ------
    ModelNotFoundError
        No such model is listed.
    CheckpointError
        Weights and card do not belong together.
    """
    listed = list_models(folder)
    if name not in listed:
        raise ModelNotFoundError(
            f"Model {name!r} is not there (found: {', '.join(listed) or 'none'}). Choose a listed model, or train one."
        )
    card = read_card(folder / f"{name}.json")
    data = (folder / f"{name}.safetensors").read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != card.sha256:
        raise CheckpointError(
            f"The weights of model {name!r} have SHA-256 {found[:12]}…, its card says {card.sha256[:12]}…. "
            "Restore both files from the project."
        )
    device = device or choose_device()
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # sums must agree with the CPU's
    model = Model(card, _networks(card, data, device), device)
    answer = known_answer(model)
    if not np.allclose(answer, card.known_answer, rtol=0, atol=KNOWN_ANSWER_TOLERANCE):
        worst = float(np.max(np.abs(answer - np.array(card.known_answer))))
        raise CheckpointError(
            f"Model {name!r} fails its self-test: a logit is off by {worst:.2g}. "
            "Restore its files, or use another machine."
        )
    return model


def save_model(card: ModelCard, networks: Sequence[Network], folder: Path = MODELS_FOLDER) -> Model:
    """Write weights and card; the card's hash and known answer are filled in. Returns the model as loaded back."""
    tensors = {
        f"{member}.{key}": value.detach().cpu().to(STORED).contiguous()
        for member, network in enumerate(networks)
        for key, value in network.state_dict().items()
        if value.is_floating_point()  # the counters of batch normalisation play no part in evaluation
    }
    data = save(tensors)
    card = replace(card, sha256=hashlib.sha256(data).hexdigest())
    device = torch.device("cpu")
    answer = known_answer(Model(card, _networks(card, data, device), device))
    card = replace(card, known_answer=tuple(float(value) for value in answer))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{card.name}.safetensors").write_bytes(data)
    write_card(card, folder / f"{card.name}.json")
    return load_model(card.name, folder=folder, device=device)


def write_metrics(name: str, metrics: dict[str, Any], folder: Path = MODELS_FOLDER) -> None:
    """Put what was measured of a model on its card, its decision zones in their own place; the weights stay."""
    path = folder / f"{name}.json"
    kept = {key: value for key, value in metrics.items() if key != "zones"}
    card = replace(read_card(path), metrics=kept)
    write_card(replace(card, zones=read_zones(metrics["zones"])) if "zones" in metrics else card, path)


def known_answer(model: Model) -> NDArray[np.float64]:
    """Return the logits of a fixed synthetic input: 12 leads of decaying oscillations at 75 per minute."""
    times = np.arange(MODEL_SAMPLES) / MODEL_FS
    phase = (times * 1.25) % 1.0
    leads = np.arange(1, 13)[:, None]
    x = np.exp(-12.0 * phase) * np.sin(2 * np.pi * (4.0 + leads / 3.0) * phase + leads) * (0.4 + 0.05 * leads)
    return model.write_linear_model(x).logit


def _networks(card: ModelCard, data: bytes, device: torch.device) -> tuple[Network, ...]:
    try:
        tensors = load(data)
    except SafetensorError as exc:
        raise CheckpointError(f"The weights of model {card.name!r} do not parse ({exc}). Restore the file.") from exc
    networks: list[Network] = []
    for member in range(card.members):
        network: Network = PaperImn(card.network) if isinstance(card.network, PaperConfig) else EcgImn(card.network)
        wanted = {key: value for key, value in network.state_dict().items() if value.is_floating_point()}
        mine = {key.split(".", 1)[1]: tensors.pop(key) for key in list(tensors) if key.startswith(f"{member}.")}
        wrong = sorted(set(wanted) ^ set(mine)) or [key for key in wanted if wanted[key].shape != mine[key].shape]
        if wrong:
            raise CheckpointError(
                f"The weights of model {card.name!r} do not fit its card at {wrong[0]!r} ({len(wrong)} differences). "
                "Restore both files from the project."
            )
        network.load_state_dict(mine, strict=False)  # strictness was checked above; only counters are absent
        networks.append(network.to(device).eval().requires_grad_(False))
    if tensors:
        raise CheckpointError(
            f"The weights of model {card.name!r} hold {len(tensors)} unknown tensors. Restore the file."
        )
    return tuple(networks)


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


#: Parts of a network from its output inwards; each is redrawn at random together with all that comes after it.
CASCADE = {
    "head": ("head", "bias_head"),
    "decoder": ("head", "bias_head", "decoder"),
    "encoder": ("head", "bias_head", "decoder", "encoder"),
}


def randomised(model: Model, part: str, seed: int) -> Model:
    """Return the model with the weights of `part` and of all that comes after it redrawn at random.

    Parameters
    ----------
    model : Model
    part : {"head", "decoder", "encoder"}
        "encoder" leaves nothing of what was learned.
    seed : int
    """
    networks: list[Network] = []
    with torch.random.fork_rng(devices=[]):
        for number, network in enumerate(model.networks):
            torch.manual_seed(seed + number)
            fresh: Network = type(network)(network.config).to(model.device)  # type: ignore[arg-type]
            kept = {key: value for key, value in network.state_dict().items() if key.split(".")[0] not in CASCADE[part]}
            fresh.load_state_dict(fresh.state_dict() | kept)
            networks.append(fresh.eval().requires_grad_(False))
    return Model(model.card, tuple(networks), model.device)
