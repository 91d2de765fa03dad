"""What an audit is: model and hash, cases, arms, order, and what a reader may see. It is never changed once made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from ecgimn.errors import StudyError
from ecgimn.study.events import canonical

Method = Literal["none", "isoelectric", "contribution", "weights"]
Allocation = Literal["case", "reader"]
Shown = Literal["age and sex", "measurements"]

METHODS: tuple[Method, ...] = get_args(Method)
ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)
SHOWN: tuple[Shown, ...] = get_args(Shown)
KIND = "audit"
MAX_CASES = 2000


@dataclass(frozen=True)
class Arm:
    """One way in which a case is read.

    Attributes
    ----------
    name : str
    model : bool
        Whether the model's answer is shown after the blind reading.
    method : {"none", "isoelectric", "contribution", "weights"}
        Which map is then laid behind the leads.
    """

    name: str
    model: bool = True
    method: Method = "isoelectric"

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the steps of a case in this arm, in their order."""
        evidence = ("evidence",) if self.method != "none" else ()
        if not (self.model or evidence):
            return ("blind",)
        return ("blind", *(("model",) if self.model else ()), *evidence, "revision", "rating")


@dataclass(frozen=True)
class AuditCase:
    """One case of an audit.

    Attributes
    ----------
    ref : str
        "composite:NAME" or "ptbxl:ECG_ID".
    digest : str
        Of the recording that is read, so that every site reads the same samples.
    labels : tuple of str
        Classes that the data set gives it; never shown before a reader has committed.
    """

    ref: str
    digest: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """An audit.

    Attributes
    ----------
    name : str
    model, model_sha256 : str
    classes : tuple of str
        Of the model; the diagnoses that readers choose from.
    cases : tuple of AuditCase
    selection : str
        How the cases were chosen, in words, with the seed of a random sample.
    arms : tuple of Arm
    allocation : {"case", "reader"}
        Whether arms are drawn for each case of a reader, balanced over labels, or once for each reader.
    blocks : bool
        One arm after the other, in a random order, instead of mixed.
    shows : tuple of {"age and sex", "measurements"}
        What a reader sees beside the trace from the start.
    seed : int
        Of order and arms.
    app_version : str
        Of the app that made it.

    Raises
    ------
    StudyError
        A field cannot be used.
    """

    name: str
    model: str
    model_sha256: str
    classes: tuple[str, ...]
    cases: tuple[AuditCase, ...]
    selection: str = ""
    arms: tuple[Arm, ...] = (Arm("with evidence"),)
    allocation: Allocation = "case"
    blocks: bool = False
    shows: tuple[Shown, ...] = ()
    seed: int = 0
    app_version: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name.strip()) <= 120:
            raise StudyError("The audit has no name, or a very long one. 1 to 120 letters are needed. Name it.")
        refs = [case.ref for case in self.cases]
        if not 1 <= len(refs) <= MAX_CASES:
            raise StudyError(f"The audit has {len(refs)} cases. 1 to {MAX_CASES:,} are needed. Choose others.")
        doubled = sorted({ref for ref in refs if refs.count(ref) > 1}) if len(set(refs)) < len(refs) else []
        if doubled:
            raise StudyError(f"The case {doubled[0]} is listed twice. Each case is read once. Remove the second one.")
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) < len(names) or not all(name.strip() for name in names):
            raise StudyError("The arms need names of their own, and there must be one at least. Name them.")
        allowed = (("allocation", {self.allocation}, ALLOCATIONS), ("shows", set(self.shows), SHOWN),
                   ("method", {arm.method for arm in self.arms}, METHODS))  # fmt: skip
        for field, found, choices in allowed:
            if not found <= set(choices):
                raise StudyError(f"{field} {found - set(choices)} is not known. One of {', '.join(choices)} is needed.")

    @property
    def text(self) -> str:
        """Return the definition as JSON that is the same at every site."""
        return canonical(asdict(self))

    @property
    def uid(self) -> str:
        """Return the SHA-256 of the definition: the identity of the audit."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def case(self, ref: str) -> AuditCase:
        """Return a case by its reference."""
        return next(case for case in self.cases if case.ref == ref)


def read_audit(text: str) -> Audit:
    """Return the audit that a definition describes; raises `StudyError`."""
    try:
        content: dict[str, Any] = json.loads(text)
        content["cases"] = tuple(AuditCase(**{**case, "labels": tuple(case["labels"])}) for case in content["cases"])
        content["arms"] = tuple(Arm(**arm) for arm in content["arms"])
        for field in ("classes", "shows"):
            content[field] = tuple(content[field])
        return Audit(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise StudyError(
            "The definition of the audit cannot be read. A definition as this app writes it is needed. Export it again."
        ) from exc


@dataclass(frozen=True)
class PlannedCase:
    """A case of one reader's list: which, where in the list (from 1), and in which arm."""

    case: AuditCase
    place: int
    arm: Arm


def plan(audit: Audit, reader_uid: str) -> tuple[PlannedCase, ...]:
    """Return the cases of a reader in the order drawn for that reader.

    Order and arms follow from the audit, its seed and the reader alone, so any site can draw them again. Within a
    reader, arms are spread evenly over the labels.
    """
    seed = hashlib.sha256(f"{audit.uid} {audit.seed} {reader_uid}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(seed, dtype="<u4"))
    n_arms = len(audit.arms)
    drawn = [int(i) for i in rng.permutation(len(audit.cases))]
    by_label = sorted(drawn, key=lambda i: audit.cases[i].labels)  # stable: random within a label
    first = int(rng.integers(n_arms))
    step = 1 if audit.allocation == "case" else 0
    arm_of = {i: (first + step * k) % n_arms for k, i in enumerate(by_label)}
    order = [int(i) for i in rng.permutation(len(audit.cases))]
    if audit.blocks:
        rank = rng.permutation(n_arms)
        order.sort(key=lambda i: int(rank[arm_of[i]]))
    return tuple(PlannedCase(audit.cases[i], place, audit.arms[arm_of[i]]) for place, i in enumerate(order, start=1))
