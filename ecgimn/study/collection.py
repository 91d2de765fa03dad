"""Teaching collections: small YAML files that name cases, what is to be seen on them, and what to remember."""

from __future__ import annotations

import hashlib
from collections.abc import Collection as AnyCollection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ecgimn.about import shipped
from ecgimn.errors import SourceError
from ecgimn.leads import LIMB_FROM_I_II, LIMB_LEADS, STANDARD_LEADS, lead_index
from ecgimn.recording import Recording
from ecgimn.study.events import canonical

FOLDER = shipped("assets/collections")
KINDS = ("typical", "subtle", "mimics", "model errors", "poor quality")
ARTEFACTS = ("baseline wander", "mains hum", "muscle tremor", "loose electrode")
MAINS_HZ = 50.0


@dataclass(frozen=True)
class Artefact:
    """A disturbance that is added to a case: of `ARTEFACTS`, its size in mV (peak), and the leads that have it."""

    kind: str
    amount_mv: float
    leads: tuple[str, ...] = STANDARD_LEADS


@dataclass(frozen=True)
class QuizCase:
    """A case of a collection.

    Attributes
    ----------
    ref : str
        "composite:NAME" or "ptbxl:ECG_ID".
    answers : tuple of str
        The right ones among the collection's options.
    hints : tuple of (str, str)
        A lead, and what to look for in it; given one by one.
    points : tuple of str
        What to remember.
    artefact : Artefact or None
    question : str
    """

    ref: str
    answers: tuple[str, ...]
    hints: tuple[tuple[str, str], ...]
    points: tuple[str, ...]
    artefact: Artefact | None = None
    question: str = ""


@dataclass(frozen=True)
class Collection:
    """A collection: name of its file, title, one of `KINDS`, a remark, the options of its questions, its cases."""

    name: str
    title: str
    kind: str
    remark: str
    options: tuple[str, ...]
    cases: tuple[QuizCase, ...]


@dataclass(frozen=True)
class Score:
    """What was chosen: correct, correct but missed, and wrong (as in EKGaction's demonstration)."""

    correct: tuple[str, ...]
    missed: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def full(self) -> bool:
        """Whether everything was found and nothing else."""
        return not (self.missed or self.wrong)


def score(case: QuizCase, chosen: AnyCollection[str]) -> Score:
    """Return the score of a choice; answers in the order of the collection."""
    return Score(
        tuple(answer for answer in case.answers if answer in chosen),
        tuple(answer for answer in case.answers if answer not in chosen),
        tuple(option for option in chosen if option not in case.answers),
    )


def list_collections(folder: Path = FOLDER) -> tuple[Collection, ...]:
    """Return all collections, the typical ones first; raises `SourceError` where a file cannot be used."""
    found = [read_collection(path) for path in sorted(folder.glob("*.yml"))]
    return tuple(sorted(found, key=lambda collection: (KINDS.index(collection.kind), collection.title)))


def read_collection(path: Path) -> Collection:
    """Read a collection.

    Raises
    ------
    SourceError
        The file is no YAML, a field is missing, or an answer is none of the options.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        collection = Collection(
            path.stem, str(content["title"]), str(content["kind"]), str(content["remark"]).strip(),
            tuple(str(option) for option in content["options"]), tuple(_case(case) for case in content["cases"]),
        )  # fmt: skip
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as exc:
        raise _unusable(path, "it does not parse, or a field is missing") from exc
    if collection.kind not in KINDS:
        raise _unusable(path, f"its kind {collection.kind!r} is none of {', '.join(KINDS)}")
    if not collection.cases:
        raise _unusable(path, "it has no case")
    for case in collection.cases:
        strange = set(case.answers) - set(collection.options)
        if strange or not case.answers:
            raise _unusable(path, f"the answers of {case.ref} are not among its options: {', '.join(sorted(strange))}")
        leads = {lead for lead, _ in case.hints} | set(case.artefact.leads if case.artefact else ())
        if leads - set(STANDARD_LEADS):
            raise _unusable(path, f"{case.ref} names a lead that is none of the twelve")
        if case.artefact is not None and case.artefact.kind not in ARTEFACTS:
            raise _unusable(path, f"the artefact {case.artefact.kind!r} is none of {', '.join(ARTEFACTS)}")
    return collection


def disturb(recording: Recording, artefact: Artefact) -> Recording:
    """Return the recording with an artefact added; the same each time.

    Baseline wander moves below 0.5 Hz, mains hum is a 50 Hz sine, muscle tremor is noise above 20 Hz, a loose electrode
    leaves its leads flat but for steps.
    """
    seed = hashlib.sha256(f"{recording.digest} {artefact}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(seed, dtype="<u4"))
    time = np.arange(recording.n_samples) / recording.fs
    signal = recording.signal.astype(np.float64)
    for lead in artefact.leads:
        row, phase = lead_index(lead), rng.uniform(0, 2 * np.pi, 3)
        if artefact.kind == "baseline wander":
            waves = [np.sin(2 * np.pi * f * time + p) for f, p in zip((0.12, 0.23, 0.41), phase, strict=True)]
            signal[row] += artefact.amount_mv * np.mean(waves, axis=0)
        elif artefact.kind == "mains hum":
            signal[row] += artefact.amount_mv * np.sin(2 * np.pi * MAINS_HZ * time + phase[0])
        elif artefact.kind == "muscle tremor":
            noise = rng.normal(size=len(time))
            smooth = np.convolve(
                noise, np.ones(max(int(recording.fs / 20), 1)) / max(int(recording.fs / 20), 1), "same"
            )
            signal[row] += artefact.amount_mv / 3 * (noise - smooth)  # nine tenths and more within the amount
        else:
            steps = rng.choice([0.0, 1.0], p=[1 - 1 / recording.fs, 1 / recording.fs], size=len(time)).cumsum() % 2
            signal[row] = artefact.amount_mv * steps + rng.normal(0, 0.004, len(time))
    if set(LIMB_LEADS) <= set(artefact.leads):  # three electrodes make all six, so their relations hold
        signal[:6] = LIMB_FROM_I_II @ signal[:2]
    return replace(recording.with_signal(signal), notes=())


def collection_text(collection: Collection) -> str:
    """Return a collection as JSON that is the same wherever it is read."""
    return canonical(asdict(collection))


def attempt_of(case: QuizCase, result: Score, hints: int) -> dict[str, Any]:
    """Return an attempt as it is kept."""
    return {
        "case": case.ref,
        "correct": list(result.correct),
        "missed": list(result.missed),
        "wrong": list(result.wrong),
        "hints": hints,
    }


def _case(content: dict[str, Any]) -> QuizCase:
    artefact = content.get("artefact")
    return QuizCase(
        ref=str(content["case"]),
        answers=tuple(str(answer) for answer in content["answers"]),
        hints=tuple((str(lead), str(text)) for hint in content["hints"] for lead, text in hint.items()),
        points=tuple(str(point) for point in content["points"]),
        artefact=None
        if artefact is None
        else Artefact(
            str(artefact["kind"]), float(artefact["amount_mv"]), tuple(artefact.get("leads", STANDARD_LEADS))
        ),
        question=str(content.get("question", "")),
    )


def _unusable(path: Path, found: str) -> SourceError:
    return SourceError(f"The collection {path.name} cannot be used: {found}. Correct the file, or take it away.")
