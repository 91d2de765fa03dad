"""The model card: everything that must be known before a model's weights are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pandas as pd

from ecgimn.about import INTENDED_USE
from ecgimn.errors import CheckpointError
from ecgimn.model import ANY_AGE, MISS_RATE, RULE_IN, RULE_OUT, UNCERTAIN
from ecgimn.model.network import NetworkConfig
from ecgimn.model.published import PaperConfig
from ecgimn.signal.preprocess import HIGH_PASS_HZ, MODEL_FS, MODEL_SAMPLES, TRIM_END, TRIM_START

_RESAMPLING = (
    f"limb leads projected onto their relations; band-limited interpolation to {MODEL_FS:g} Hz "
    f"without the first {10 * TRIM_START} and the last {10 * TRIM_END} ms; "
)
#: What the preprocessing of each kind of model does, in words; a card written for another preprocessing is refused.
PREPROCESSING = {
    "ecg-imn": f"{_RESAMPLING}zero-phase {HIGH_PASS_HZ:g} Hz smoothness-prior high-pass; millivolts, "
    "no per-record scaling",
    "paper": f"{_RESAMPLING}no filter; every lead of every recording set to mean 0 and standard deviation 1",
}
#: Shape of the network of each kind: this project's ECG-IMN, and the published one.
CONFIGS: dict[str, type[NetworkConfig] | type[PaperConfig]] = {"ecg-imn": NetworkConfig, "paper": PaperConfig}

#: Names and words of classes stand in sentences, tables, addresses and figures: nothing that any of these interprets.
PLAIN = re.compile(r"[\w .,;:'/()+%&-]{1,200}")
MOST_CLASSES, MOST_CHANNELS, MOST_OF_A_KIND = 1_000, 4_096, 64  # members, stages, blocks, taps: no network has more
MAX_CARD_BYTES = 10_000_000


CHILD_AGE = 18  # no zone below: children were not taught


@dataclass(frozen=True)
class Zones:
    """Limits on the probability of each class between rule out, uncertain and rule in, at a stated miss rate.

    Attributes
    ----------
    miss_rate : float
        At most this share of people with the label falls under `below`, and of those without it reaches `above`.
    ages : (int, int)
        First year of the age group and first year beyond it; `ANY_AGE` where age is not known.
    below : tuple of float
        Per class; a lower probability is "rule out". 0 where too few people with the label promise it.
    above : tuple of float
        Per class; a higher probability is "rule in". 1 where too few people without the label promise it.
    """

    miss_rate: float
    ages: tuple[int, int]
    below: tuple[float, ...]
    above: tuple[float, ...]

    def words(self, column: int, probability: float) -> str:
        """Return the word for a probability of one class; where both limits are passed, neither is promised."""
        out, within = probability < self.below[column], probability > self.above[column]
        return UNCERTAIN if out == within else RULE_OUT if out else RULE_IN


#: The five superclasses of PTB-XL in words.
SUPERCLASS_WORDS = {
    "NORM": "normal ECG",
    "MI": "myocardial infarction",
    "STTC": "ST-T changes",
    "CD": "conduction disturbance",
    "HYP": "hypertrophy",
}


@dataclass(frozen=True)
class ModelCard:
    """A model's card, stored as JSON beside its weights.

    Attributes
    ----------
    name : str
    task : str
        What the classes are, in words.
    classes : tuple of str
    purpose : str
        What the model is chosen for, where several serve one task.
    fs, n_samples : float, int
        Of the network's input.
    preprocessing : str
    members : int
        Networks whose weight maps are averaged.
    network : NetworkConfig or PaperConfig
    kind : {"ecg-imn", "paper"}
        This project's network, or the published one.
    scale, offset : tuple of float
        Calibration per class: calibrated logit = scale * logit + offset; weights scale alike, so it stays exact.
    thresholds : dict of str to tuple of float
        Operating points on the probability per class, chosen on fold 9: "youden", "sensitivity_90".
    zones : tuple of Zones
        By miss rate and age group, made on one half of fold 9 by `python -m ecgimn evaluate --card`.
    words : dict of str to str
        What each class means, where its name does not say so.
    groups : dict of str to tuple of str
        Classes by what they speak of, in the order in which they are offered; none where the classes are few.
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
    network: NetworkConfig | PaperConfig
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    sha256: str
    known_answer: tuple[float, ...]
    thresholds: dict[str, tuple[float, ...]] = field(default_factory=dict)
    zones: tuple[Zones, ...] = ()
    words: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fs: float = MODEL_FS
    n_samples: int = MODEL_SAMPLES
    kind: str = "ecg-imn"
    purpose: str = ""
    preprocessing: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    intended_use: str = f"{INTENDED_USE} Adult 12-lead 10-second ECGs like those of PTB-XL."
    licence: str = "CC BY 4.0; trained on PTB-XL 1.0.3 (CC BY 4.0, doi:10.13026/kfzx-aw45)"
    reference: str = "Thambawita et al., arXiv:2602.09566; Hammer et al., arXiv:2606.29951"

    def __post_init__(self) -> None:
        spoken = (*self.classes, *self.words.values(), *self.groups)
        if not all(PLAIN.fullmatch(name) and "://" not in name for name in spoken):
            raise CheckpointError(
                "The card of a model gives its classes names or words with signs that are not shown as they stand. "
                "Letters, digits and plain punctuation are needed. Restore the card that belongs to the weights."
            )
        if len(set(self.classes)) != len(self.classes) or not 1 <= len(self.classes) <= MOST_CLASSES:
            raise CheckpointError(
                f"The card of a model names {len(self.classes)} classes, of which {len(set(self.classes))} differ. "
                f"1 to {MOST_CLASSES}, each once, are needed. Restore the card that belongs to the weights."
            )
        given = {"scale": self.scale, "offset": self.offset, "known_answer": self.known_answer, **self.thresholds}
        for name, values in given.items():
            if len(values) != len(self.classes):
                raise CheckpointError(
                    f"The card of model {self.name!r} has {len(values)} values of {name} "
                    f"for {len(self.classes)} classes. Restore the card that belongs to the weights."
                )
        for zones in self.zones:
            if {len(zones.below), len(zones.above)} != {len(self.classes)}:
                raise CheckpointError(
                    f"The card of model {self.name!r} has decision zones for another number of classes than its "
                    f"{len(self.classes)}. Measure it again with evaluate --card."
                )
        if unknown := {*self.words, *(name for group in self.groups.values() for name in group)} - {*self.classes}:
            raise CheckpointError(
                f"The card of model {self.name!r} speaks of {', '.join(sorted(unknown))}, unknown to the model. "
                "Restore the card that belongs to the weights."
            )
        if not isinstance(self.network, CONFIGS.get(self.kind, ())):
            raise CheckpointError(
                f"The card of model {self.name!r} says that it is of the kind {self.kind!r} and describes another "
                f"network. One of {', '.join(CONFIGS)} is needed. Restore the card that belongs to the weights."
            )
        if not self.preprocessing:
            object.__setattr__(self, "preprocessing", PREPROCESSING[self.kind])
        if self.preprocessing != PREPROCESSING[self.kind]:
            raise CheckpointError(
                f"Model {self.name!r} was trained with another preprocessing than this version applies. "
                "Install the version that its card names, or train it again."
            )

    def meaning(self, name: str) -> str:
        """Return a class in words: those of the card, of the superclasses, or its name."""
        return self.words.get(name) or SUPERCLASS_WORDS.get(name, name)

    @property
    def high_pass(self) -> bool:
        """Whether the model's input is freed of its baseline; the published network reads it as it is."""
        return self.kind != "paper"

    def zones_for(self, age: int | None, miss_rate: float = MISS_RATE) -> Zones | None:
        """Return the zones for a person of an age, or None where the card has none, or the person is a child."""
        if age is not None and age < CHILD_AGE:
            return None
        fitting = [zones for zones in self.zones if zones.miss_rate == miss_rate]
        own = [zones for zones in fitting if age is not None and zones.ages != ANY_AGE and age in range(*zones.ages)]
        return next(iter([*own, *(zones for zones in fitting if zones.ages == ANY_AGE)]), None)


def of_classes(card: ModelCard, names: tuple[str, ...]) -> ModelCard:
    """Return the card of a model of which only some classes are asked, in that order."""
    rows = [card.classes.index(name) for name in names]

    def picked(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(values[row] for row in rows)

    return replace(
        card,
        classes=names,
        network=replace(card.network, n_classes=len(names)),
        scale=picked(card.scale),
        offset=picked(card.offset),
        known_answer=picked(card.known_answer),
        thresholds={point: picked(values) for point, values in card.thresholds.items()},
        zones=tuple(replace(each, below=picked(each.below), above=picked(each.above)) for each in card.zones),
        words={name: text for name, text in card.words.items() if name in names},
        groups={group: tuple(name for name in held if name in names) for group, held in card.groups.items()},
    )


def write_card(card: ModelCard, path: Path) -> None:
    """Write a card as JSON."""
    path.write_text(json.dumps(asdict(card), indent=1) + "\n")


@contextmanager
def figures_of(card: ModelCard) -> Iterator[None]:
    """Say in a sentence that the figures on a card are not in the form that the block shows them in.

    Raises
    ------
    CheckpointError
        Something inside the block looked for what the card does not hold.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as exc:
        raise CheckpointError(
            f"The figures on the card of model {card.name!r} are not in the form of this version. Figures as "
            "`python -m ecgimn evaluate` writes them are needed. Restore the card that belongs to the weights."
        ) from exc


def read_zones(rows: Iterable[Mapping[str, Any]]) -> tuple[Zones, ...]:
    """Return decision zones from their plain values."""
    return tuple(
        Zones(each["miss_rate"], (each["ages"][0], each["ages"][1]), tuple(each["below"]), tuple(each["above"]))
        for each in rows
    )


def read_training_log(card: ModelCard, folder: Path) -> pd.DataFrame | None:
    """Return the log of a model's training, a row per network and epoch, or None where it was not kept."""
    path = folder / f"{Path(str(card.training.get('name', ''))).name}.log.csv"
    return pd.read_csv(path) if path.is_file() else None


def read_card(path: Path) -> ModelCard:
    """Read a card.

    Raises
    ------
    CheckpointError
        The file does not parse or lacks a field.
    """
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ValueError("too large")
        content = json.loads(path.read_text(encoding="utf-8"))
        network = CONFIGS[content.get("kind", "ecg-imn")]
        card = ModelCard(network=network(**_typed(network, content.pop("network"))), **_typed(ModelCard, content))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as exc:
        raise CheckpointError(
            f"The card {path.name} cannot be read: a field is missing, unknown, or not of its kind. "
            f"Restore models/{path.name} from the project."
        ) from exc
    _check_size(card)
    return card


def _typed(of: type, content: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a card as they are kept, once each was found to be of its kind."""
    hints = get_type_hints(of)
    for name, value in content.items():
        if not _fits(value, hints[name]):
            raise ValueError(name)
    return {name: _frozen(value, hints[name]) for name, value in content.items()}


def _fits(value: object, hint: Any) -> bool:
    inner = get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(_fits(part, inner[0]) for part in value)
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(_fits(part, inner[1]) for part in value.values())
    if hint is Zones:
        hints = get_type_hints(Zones)
        if not isinstance(value, dict) or value.keys() != hints.keys():
            return False
        return all(_fits(value[name], hints[name]) for name in hints) and len(value["ages"]) == 2
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return hint is Any or type(value) is hint


def _frozen(value: Any, hint: Any) -> Any:
    """Return lists as tuples where a card holds tuples."""
    if get_origin(hint) is tuple:
        return read_zones(value) if get_args(hint)[0] is Zones else tuple(value)
    if get_origin(hint) is dict and get_origin(get_args(hint)[1]) is tuple:
        return {name: tuple(part) for name, part in value.items()}
    return value


def _check_size(card: ModelCard) -> None:
    """Refuse a network that nobody trains, before it takes the memory of the machine."""
    network = card.network
    sizes = [card.members]
    channels = [1]
    if isinstance(network, NetworkConfig):
        sizes += [len(network.widths), network.blocks, network.kernel, network.head_kernel]
        channels += [*network.widths, network.decoder_width]
    fits = all(1 <= size <= MOST_OF_A_KIND for size in sizes) and all(1 <= n <= MOST_CHANNELS for n in channels)
    if not fits or network.n_classes != len(card.classes) or not 0 <= network.dropout < 1:
        raise CheckpointError(
            f"The card of model {card.name!r} describes a network that fits neither its classes nor any machine. "
            f"At most {MOST_OF_A_KIND} members, stages and blocks and {MOST_CHANNELS} channels are needed. "
            "Restore the card that belongs to the weights."
        )
