"""What is compared: networks with or without maps of their own, and the records, the same for every method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.evaluate.fidelity import TRIALS, edited_copy
from ecgimn.explain.edits import WaveMasks, masks_from_landmarks
from ecgimn.explain.ledger import cell_partition, cell_sums, lead_wave_cells
from ecgimn.explain.methods import METHODS, Attribution, Input, kernel_shap
from ecgimn.model.blackbox import TWIN, BlackBox, BlackBoxPredictor, load_black_box
from ecgimn.model.card import read_card
from ecgimn.model.model import MODELS_FOLDER, Model, list_models, load_model, randomised
from ecgimn.model.predictor import Predictor
from ecgimn.signal.preprocess import MODEL_FS, input_change, preprocessing
from ecgimn.signal.waves.quick import Landmarks, quick_landmarks
from ecgimn.sources.composites.case import load_composite
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import Dataset, load_dataset

OWN = "its own map"
KERNEL_SAMPLES = 512  # of KernelSHAP over a fold: a quarter of the usual number, to end in time
#: Methods that ask the network about every class apart; the others say something about all classes in one go.
CLASS_BY_CLASS = ("gradient x input", "integrated gradients", "GradientSHAP", "Grad-CAM")
#: Post-hoc methods that are run on the published network. Its z-scores do not feel the gain of a lead, so that nothing
#: changes on the path from the isoelectric line (integrated gradients, GradientSHAP); a pass costs five times one of
#: ours or more, too much for the hundreds of passes of occlusion and KernelSHAP; Grad-CAM was far below the gradient.
ON_PUBLISHED = ("gradient x input",)
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ComparedRecord:
    """One record at 100 Hz.

    Attributes
    ----------
    x : ndarray of shape (12, n)
        In mV, freed of its baseline; edits are defined on it.
    unfiltered : ndarray of shape (12, n)
        The same without the high-pass, for a network that reads it so.
    landmarks : Landmarks
        Of `x`.
    record : int or None
        Number of the record, as long as it is whole and unchanged.
    patient : int
        The unit of every bootstrap.
    """

    x: Array
    unfiltered: Array
    landmarks: Landmarks
    record: int | None = None
    patient: int = 0

    @cached_property
    def masks(self) -> WaveMasks:
        """Where its waves are."""
        return masks_from_landmarks(self.landmarks, self.x.shape[-1])

    @cached_property
    def wave(self) -> NDArray[np.int64]:
        """Wave of every sample, (n,)."""
        return cell_partition(self.masks, self.x.shape[-1])

    @property
    def u(self) -> Array:
        """Voltage about the isoelectric level, (12, n)."""
        return np.asarray(self.x - self.landmarks.level[:, None])

    def edited(self, change: NDArray[np.floating]) -> ComparedRecord:
        """Return the record with a change in mV, as a network would receive it; the landmarks stay."""
        return replace(
            self,
            x=self.x + input_change(change),
            unfiltered=self.unfiltered + input_change(change, high_pass=False),
            record=None,
        )

    def window(self, start: int, stop: int) -> ComparedRecord:
        """Return a part of the record."""
        centres = self.landmarks.centres - start
        kept = centres[(centres >= 0) & (centres < stop - start)]
        marks = replace(self.landmarks, centres=kept)
        return ComparedRecord(self.x[:, start:stop], self.unfiltered[:, start:stop], marks, None, self.patient)


@dataclass(frozen=True, eq=False)
class Subject:
    """A network whose answers are explained.

    Attributes
    ----------
    name : str
    classes : tuple of str
    high_pass : bool
        Which form of a record it reads.
    logits : callable
        (n, 12, L) to (n, K).
    predictor : Predictor
        The same, as the post-hoc methods ask it.
    maps : callable or None
        (12, L) to its own weights in logit per mV, (K, 12, L); None for a black box.
    bias : callable or None
        (12, L) to the bias, (K,), of a network whose bias depends on the record.
    members : tuple of Subject
        Networks of other seeds with the same classes, to compare explanations with; of an average, its own networks.
    randomised : callable
        Seed to the same network with all its weights redrawn at random.
    """

    name: str
    classes: tuple[str, ...]
    high_pass: bool
    logits: Callable[[NDArray[np.floating]], Array]
    predictor: Predictor
    maps: Callable[[NDArray[np.floating]], Array] | None
    bias: Callable[[NDArray[np.floating]], Array] | None
    members: tuple[Subject, ...]
    randomised: Callable[[int], Subject]

    def input(self, case: ComparedRecord) -> Array:
        """Return the form of a record that this network reads."""
        return case.x if self.high_pass else case.unfiltered

    def inputs(self, cases: list[ComparedRecord]) -> Array:
        """Return the inputs of several records, (n, 12, L)."""
        return np.stack([self.input(case) for case in cases])


def explain_case(subject: Subject, method: str, case: ComparedRecord, *, only: int | None = None) -> Attribution:
    """Explain one record by one method, for all classes or only one."""
    if method == OWN:
        if subject.maps is None:
            raise ValueError(f"{subject.name} has no map of its own")
        weights = subject.maps(subject.input(case))
        weights = weights if only is None else weights[only : only + 1]
        return Attribution(weights * case.u, weights)
    level = case.landmarks.level + (subject.input(case) - case.x).mean(axis=1)
    record = Input(subject.input(case), level, lead_wave_cells(case.wave))
    asked = kernel_shap(KERNEL_SAMPLES) if method == "KernelSHAP" else METHODS[method]
    return asked.attribute(subject.predictor, record, only=only)


class Explained:
    """What one method says on one network; what it said of whole, unchanged records is kept.

    Parameters
    ----------
    subject : Subject
    method : str
    """

    def __init__(self, subject: Subject, method: str) -> None:
        self.subject, self.method = subject, method
        self._kept: dict[int, Array] = {}

    def keep(self, case: ComparedRecord, said: Attribution) -> None:
        """Keep an explanation that is there already."""
        if case.record is not None:
            self._kept[case.record] = said.attribution

    def attribution(self, case: ComparedRecord) -> Array:
        """Return the attribution of all classes, (K, 12, n)."""
        if case.record in self._kept:
            return self._kept[case.record]
        said = explain_case(self.subject, self.method, case)
        self.keep(case, said)
        return said.attribution

    def of(self, case: ComparedRecord) -> Array:
        """Return the lead x wave ledger of all classes, (K, 12, n_waves + 1)."""
        return cell_sums(self.attribution(case), case.wave)

    def of_class(self, case: ComparedRecord, k: int) -> Array:
        """Return the ledger of one class, (12, n_waves + 1), at the least expense."""
        if case.record in self._kept or (case.record is not None and self.method not in CLASS_BY_CLASS):
            return np.asarray(self.of(case)[k])
        said = explain_case(self.subject, self.method, case, only=k)
        return np.asarray(cell_sums(said.attribution, case.wave)[0])


def methods_of(subject: Subject, post_hoc: tuple[str, ...]) -> tuple[str, ...]:
    """Return the methods that a network is explained by: its own map, where it writes one, and some post-hoc ones."""
    return ((OWN,) if subject.maps else ()) + post_hoc


def model_subject(model: Model, name: str = "") -> Subject:
    """Return a listed model."""

    def bias(x: NDArray[np.floating]) -> Array:
        return model.write_linear_model(x).bias

    members = model.members() if len(model.networks) > 1 else ()
    return Subject(
        name=name or model.card.name,
        classes=model.classes,
        high_pass=model.card.high_pass,
        logits=model.logits,
        predictor=model,
        maps=lambda x: np.asarray(model.weight_maps(x[None])[0][0], dtype=np.float64),
        bias=bias if model.card.kind == "paper" else None,
        members=tuple(model_subject(member, f"network {i + 1}") for i, member in enumerate(members)),
        randomised=lambda seed: model_subject(randomised(model, "encoder", seed)),
    )


def black_box_subject(network: BlackBox, classes: tuple[str, ...], name: str) -> Subject:
    """Return the black-box twin."""
    predictor = BlackBoxPredictor(network, classes, name)

    def redrawn(seed: int) -> Subject:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = BlackBox(network.config)
        return black_box_subject(fresh.eval().requires_grad_(False), classes, name)

    return Subject(name, classes, True, predictor.logits, predictor, None, None, (), redrawn)


def chosen_subjects(name: str) -> list[tuple[Subject, tuple[str, ...]]]:
    """Return what a model is compared with, and the post-hoc methods that are run on each.

    The model with its own map; of an averaged model also its first network, on which the post-hoc methods are run, as
    they would take that many times longer on the average; its black-box twin, where there is one; the published
    networks that are listed, with `ON_PUBLISHED`.
    """
    model, all_methods = load_model(name), tuple(METHODS)
    chosen: list[tuple[Subject, tuple[str, ...]]]
    if len(model.networks) > 1:
        whole = model_subject(model)
        first = replace(model_subject(model.members()[0], f"{name}, first network"), members=whole.members[1:2])
        chosen = [(whole, ()), (first, all_methods)]
    else:
        chosen = [(model_subject(model), all_methods)]
    if (MODELS_FOLDER / f"{TWIN}.safetensors").is_file():
        chosen.append((black_box_subject(*load_black_box(TWIN), TWIN), all_methods))
    for other in list_models():
        if other != name and read_card(MODELS_FOLDER / f"{other}.json").kind == "paper":
            chosen.append((model_subject(load_model(other)), ON_PUBLISHED))
    return chosen


def load_cases(ptbxl: PtbXl, data: Dataset) -> list[ComparedRecord]:
    """Return the records of a dataset in both forms."""
    prepare = preprocessing(MODEL_FS, 1000, high_pass=False)
    raw = prepare.forward(ptbxl.signals(data.ids, 100) / 1000.0)
    return [
        ComparedRecord(data.x[i].astype(np.float64), raw[i], marks, int(data.ids[i]), int(data.patients[i]))
        for i, marks in enumerate(data.landmarks)
    ]


def composite_case(name: str) -> ComparedRecord:
    """Return a composite case in both forms."""
    recording = load_composite(name)
    x = preprocessing(recording.fs, recording.n_samples).forward(recording.signal)
    raw = preprocessing(recording.fs, recording.n_samples, high_pass=False).forward(recording.signal)
    return ComparedRecord(x, raw, quick_landmarks(x))


LEAST_FOR_SPREAD = 128  # records from which the spread of the logits is taken, however quick the look


@dataclass(frozen=True)
class Sizes:
    """How many records each part is measured on; drawn with the seed, the same for every network and method."""

    cases: int = 32  # edits, deletion, compactness
    stability: int = 6
    planted: int = 10  # labelled NORM alone
    territory: int = 8  # per kind of infarction
    planted_st: int = 200  # labelled NORM alone, for the networks' own maps, which cost little

    def at_most(self, limit: int | None) -> Sizes:
        """Return sizes for a quick look."""
        if limit is None:
            return self
        return Sizes(*(max(2, min(size, limit)) for size in astuple(self)))


@dataclass(frozen=True, eq=False)
class Sample:
    """The records of one comparison.

    Attributes
    ----------
    fold, seed : int
    cases : list of ComparedRecord
        Edited, and emptied cell by cell; `patients` (n,) are theirs.
    stable, infarctions
        Cases for the checks of stability and of expected evidence.
    normal : list of ComparedRecord
        Labelled NORM alone; the first `n_planted` are planted in for every method, all of them for own maps.
    edits : dict of ndarray of shape (n, 12, L)
        What each family of edits does to each case, in mV, on the filtered record.
    everything : list of ComparedRecord
        Labelled records of the fold, with superclass `labels` (n, 5) and patients `everyone` (n,).
    """

    fold: int
    seed: int
    cases: list[ComparedRecord]
    patients: NDArray[np.int64]
    stable: list[ComparedRecord]
    normal: list[ComparedRecord]
    n_planted: int
    infarctions: dict[str, list[ComparedRecord]]
    edits: dict[str, Array]
    everything: list[ComparedRecord]
    labels: NDArray[np.uint8]
    everyone: NDArray[np.int64]


def draw_sample(ptbxl: PtbXl, fold: int, *, limit: int | None = None, seed: int = 0) -> Sample:
    """Draw the records of a comparison from the labelled records of a fold; with `limit`, fewer of each kind.

    Raises
    ------
    SourceError
        The folder holds no labelled record of the fold at 100 Hz.
    """
    sizes = Sizes().at_most(limit)
    data = load_dataset(ptbxl, ptbxl.ids([fold], fs=100))
    data = data.select(np.asarray(data.labels["superclass"].any(axis=1)))
    if len(data) == 0:
        raise SourceError(
            f"No labelled record of fold {fold} at 100 Hz is in this PTB-XL folder. Choose another fold, or complete "
            "the download."
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data))
    normal = order[data.norm_alone[order]][: sizes.planted_st]
    kinds = {name: order[data.with_infarction(name)[order]][: sizes.territory] for name in ("AMI", "IMI")}

    def cases(rows: NDArray[np.int64]) -> list[ComparedRecord]:
        return load_cases(ptbxl, data.select(rows))

    part = data.select(order[: sizes.cases])
    edits = {}
    for name, trial in TRIALS.items():
        trial_rng = np.random.default_rng(seed)
        edits[name] = np.stack([edited_copy(part, i, trial, trial_rng) for i in range(len(part))])
    shown = load_cases(ptbxl, part)
    whole = data.select(np.sort(order if limit is None else order[: max(limit, LEAST_FOR_SPREAD)]))
    return Sample(
        fold=fold,
        seed=seed,
        cases=shown,
        patients=part.patients,
        stable=shown[: sizes.stability],
        normal=cases(normal),
        n_planted=sizes.planted,
        infarctions={name: cases(rows) for name, rows in kinds.items()},
        edits=edits,
        everything=load_cases(ptbxl, whole),
        labels=whole.labels["superclass"],
        everyone=whole.patients,
    )
