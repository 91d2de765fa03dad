"""The records of one comparison of methods, drawn once: the same for every network and every method."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.dataset import SUBCLASSES, load_dataset
from ecgimn.training.fidelity import TRIALS, edited_copy
from ecgimn.training.subjects import Array, Case, load_cases

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
    cases : list of Case
        Edited, and emptied cell by cell; `patients` (n,) are theirs.
    stable, infarctions
        Cases for the checks of stability and of expected evidence.
    normal : list of Case
        Labelled NORM alone; the first `n_planted` are planted in for every method, all of them for own maps.
    edits : dict of ndarray of shape (n, 12, L)
        What each family of edits does to each case, in mV, on the filtered record.
    everything : list of Case
        Labelled records of the fold, with superclass `labels` (n, 5) and patients `everyone` (n,).
    """

    fold: int
    seed: int
    cases: list[Case]
    patients: NDArray[np.int64]
    stable: list[Case]
    normal: list[Case]
    n_planted: int
    infarctions: dict[str, list[Case]]
    edits: dict[str, Array]
    everything: list[Case]
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
    subclass = data.labels["subclass"][order]
    normal = order[data.norm_alone[order]][: sizes.planted_st]
    kinds = {}
    for name, other in (("AMI", "IMI"), ("IMI", "AMI")):
        chosen = (subclass[:, SUBCLASSES.index(name)] == 1) & (subclass[:, SUBCLASSES.index(other)] == 0)
        kinds[name] = order[chosen][: sizes.territory]

    def cases(rows: NDArray[np.int64]) -> list[Case]:
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
