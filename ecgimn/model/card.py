"""The model card: everything that must be known before a model's weights are read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ecgimn.errors import CheckpointError
from ecgimn.intended_use import INTENDED_USE
from ecgimn.model.network import NetworkConfig
from ecgimn.signal.preprocess import HIGH_PASS_HZ, MODEL_FS, MODEL_SAMPLES, TRIM_END, TRIM_START

#: What the preprocessing does, in words; a card written for another preprocessing is refused.
PREPROCESSING = (
    f"limb leads projected onto their relations; band-limited interpolation to {MODEL_FS:g} Hz "
    f"without the first {10 * TRIM_START} and the last {10 * TRIM_END} ms; "
    f"zero-phase {HIGH_PASS_HZ:g} Hz smoothness-prior high-pass; millivolts, no per-record scaling"
)


@dataclass(frozen=True)
class ModelCard:
    """A model's card, stored as JSON beside its weights.

    Attributes
    ----------
    name : str
    task : str
        What the classes are, in words.
    classes : tuple of str
    fs, n_samples : float, int
        Of the network's input.
    preprocessing : str
    members : int
        Networks whose weight maps are averaged.
    network : NetworkConfig
    scale, offset : tuple of float
        Calibration per class: calibrated logit = scale * logit + offset; weights scale alike, so it stays exact.
    thresholds : dict of str to tuple of float
        Operating points on the probability per class, chosen on fold 9: "youden", "sensitivity_90".
    sha256 : str
        Of the weights file.
    known_answer : tuple of float
        Calibrated logits of the built-in test signal; checked at every load.
    training, metrics : dict
        How it was trained, and what was measured with which command.
    intended_use, licence, reference : str
    """

    name: str
    task: str
    classes: tuple[str, ...]
    members: int
    network: NetworkConfig
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    sha256: str
    known_answer: tuple[float, ...]
    thresholds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    fs: float = MODEL_FS
    n_samples: int = MODEL_SAMPLES
    preprocessing: str = PREPROCESSING
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    intended_use: str = f"{INTENDED_USE} Adult 12-lead 10-second ECGs like those of PTB-XL."
    licence: str = "CC BY 4.0; trained on PTB-XL 1.0.3 (CC BY 4.0, doi:10.13026/kfzx-aw45)"
    reference: str = "Thambawita et al., arXiv:2602.09566; Hammer et al., arXiv:2606.29951"

    def __post_init__(self) -> None:
        for name, values in (("scale", self.scale), ("offset", self.offset), ("known_answer", self.known_answer)):
            if len(values) != len(self.classes):
                raise CheckpointError(
                    f"The card of model {self.name!r} has {len(values)} values of {name} "
                    f"for {len(self.classes)} classes. Restore the card that belongs to the weights."
                )
        if self.preprocessing != PREPROCESSING:
            raise CheckpointError(
                f"Model {self.name!r} was trained with another preprocessing than this version applies. "
                "Install the version that its card names, or train it anew."
            )


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as JSON."""
    path.write_text(json.dumps(asdict(card), indent=1) + "\n")


def read_card(path: Path) -> ModelCard:
    """Read a card.

    Raises
    ------
    CheckpointError
        The file does not parse or lacks a field.
    """
    try:
        content = json.loads(path.read_text())
        network = content.pop("network")
        network["widths"] = tuple(network["widths"])
        for name in ("classes", "scale", "offset", "known_answer"):
            content[name] = tuple(content[name])
        content["thresholds"] = {name: tuple(values) for name, values in content.get("thresholds", {}).items()}
        return ModelCard(network=NetworkConfig(**network), **content)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise CheckpointError(
            f"The card {path.name} cannot be read ({exc}). Restore models/{path.name} from the project."
        ) from exc
