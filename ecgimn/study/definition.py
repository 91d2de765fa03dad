"""An audit: its cases, its arms, who reads what, what a reader answers, and the record of it.

An answer is checked before it is committed. What a reader did is one frozen record after the other; each covers the one
before it, so a changed log shows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import numpy as np

from ecgimn.errors import StudyError
from ecgimn.leads import STANDARD_LEADS

#: Steps of a case, each committed once and then frozen.
ONCE = ("blind", "model", "evidence", "revision", "rating", "adjudication")
FREE = ("opened", "draft", "paused", "later", "training", "quiz")  # may happen again and again


@dataclass(frozen=True)
class Reader:
    """A reader: a pseudonym at a site."""

    uid: str
    pseudonym: str
    site_uid: str


@dataclass(frozen=True)
class Event:
    """One thing that a reader did.

    Attributes
    ----------
    uid : str
        Unique among all sites.
    study_uid, reader_uid, case_id : str
    number : int
        Counts the reader's events in this study from 1, without a gap.
    kind : str
        One of `ONCE` or `FREE`.
    payload : dict
        What was answered or shown, as JSON values.
    at : str
        UTC, ISO 8601 with milliseconds.
    app_version : str
    digest : str
        SHA-256 over the event and the digest of the reader's event before.
    """

    uid: str
    study_uid: str
    reader_uid: str
    number: int
    case_id: str
    kind: str
    payload: dict[str, Any]
    at: str
    app_version: str
    digest: str

    @property
    def seconds(self) -> float:
        """Return the moment in seconds."""
        return datetime.fromisoformat(self.at).timestamp()

    def expected_digest(self, before: str) -> str:
        """Return the digest that this event must have after one with the digest `before`."""
        parts = [before, self.uid, self.study_uid, self.reader_uid, self.number, self.case_id, self.kind]
        return hashlib.sha256(canonical([*parts, self.payload, self.at, self.app_version]).encode()).hexdigest()


def canonical(content: object) -> str:
    """Return JSON that is the same wherever it is written; floats that are no numbers are refused."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def now() -> str:
    """Return the present moment as kept in the log."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def is_unbroken(events: Iterable[Event]) -> bool:
    """Whether the events of one reader in one study are complete and as they were written."""
    before = ""
    for number, event in enumerate(sorted(events, key=lambda event: event.number), start=1):
        if event.number != number or event.digest != event.expected_digest(before):
            return False
        before = event.digest
    return True


ANSWERED = ("blind", "revision", "rating")  # the steps that a reader answers; the others reveal
CONFIDENCES = (1, 2, 3, 4, 5)  # from a guess to certain
RATINGS = (-3, -2, -1, 0, 1, 2, 3)  # Riek et al. 2024, doi:10.1016/j.jelectrocard.2024.153792
ITEMS = ("relevant", "helpful", "trust")
UNCERTAIN = "uncertain"  # a diagnosis that a reader of a study may give in place of a label
FLAGS = ("poor quality", "label doubtful", "possible lead reversal")
MAX_TEXT, MAX_BOXES = 2000, 60


@dataclass(frozen=True)
class MarkedBox:
    """A stretch of one lead, in milliseconds of the recording, with what the reader saw there."""

    lead: str
    start_ms: float
    stop_ms: float
    note: str = ""

    @property
    def words(self) -> str:
        """The box in words: "V2, 1.20 to 1.44 s: raised ST"."""
        place = f"{self.lead}, {self.start_ms / 1000:.2f} to {self.stop_ms / 1000:.2f} s"
        return f"{place}: {self.note}" if self.note else place


def read_box(content: Mapping[str, Any]) -> MarkedBox:
    """Return a box, checked; raises `StudyError`."""
    try:
        box = MarkedBox(str(content["lead"]), round(float(content["start_ms"]), 1), round(float(content["stop_ms"]), 1),
                  str(content.get("note", ""))[:80])  # fmt: skip
    except (KeyError, TypeError, ValueError) as exc:
        raise StudyError("A region cannot be read. Lead, start and end are needed. Draw it again.") from exc
    if box.lead not in STANDARD_LEADS or not (math.isfinite(box.stop_ms) and 0 <= box.start_ms < box.stop_ms):
        raise StudyError(
            f"The region {box.words} cannot be used. A standard lead and an end after the start are needed. "
            "Draw it again."
        )
    return box


def repeat_over_beats(box: MarkedBox, r_ms: Sequence[float], duration_ms: float) -> tuple[MarkedBox, ...]:
    """Return the same stretch at every beat, each at its distance from the beat's R; cut at the recording's ends."""
    if not len(r_ms):
        return (box,)
    middle = (box.start_ms + box.stop_ms) / 2
    nearest = min(r_ms, key=lambda r: abs(r - middle))
    moved = [(max(box.start_ms + r - nearest, 0.0), min(box.stop_ms + r - nearest, duration_ms)) for r in r_ms]
    return tuple(
        MarkedBox(box.lead, round(start, 1), round(stop, 1), box.note) for start, stop in moved if start < stop
    )


def check_answer(audit: Audit, arm: Arm, step: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a step as it is kept.

    Parameters
    ----------
    audit : Audit
    arm : Arm
    step : {"blind", "revision", "rating", "adjudication"}
    content : mapping
        blind: primary, also, confidence, boxes, flags. revision: primary, also, confidence. rating: the `ITEMS` that
        apply, text, missed, invented, flags. adjudication: primary, also, confidence, text.

    Raises
    ------
    StudyError
        Something is missing or cannot be used; the sentence says what.
    """
    if step == "rating":
        return _rating(arm, content)
    answer: dict[str, Any] = _diagnosis(audit, content)
    if step == "blind":
        answer |= {"boxes": _boxes(content.get("boxes", ())), "flags": _flags(content)}
    if step == "adjudication":
        answer["text"] = _remark(content)
    return answer


def main_diagnosis(audit: Audit, chosen: object) -> str:
    """Return the main diagnosis that was chosen; raises `StudyError` where it is none of the audit's."""
    if chosen not in audit.diagnoses:
        raise StudyError("No main diagnosis is chosen. One is needed. Choose it.")
    return str(chosen)


def _diagnosis(audit: Audit, content: Mapping[str, Any]) -> dict[str, Any]:
    also, confidence = tuple(content.get("also") or ()), content.get("confidence")
    primary = main_diagnosis(audit, content.get("primary"))
    if not set(also) <= set(audit.classes):
        raise StudyError("A further label is none of the model's. Choose among those listed.")
    if confidence not in CONFIDENCES:
        raise StudyError("No confidence is chosen. 1 (a guess) to 5 (certain) is needed. Choose one.")
    return {
        "primary": primary,
        "also": [name for name in audit.classes if name in also and name != primary],
        "confidence": confidence,
    }


def _rating(arm: Arm, content: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    for item in items_of(arm):
        if content.get(item) not in RATINGS or isinstance(content.get(item), bool):
            raise StudyError(f"The rating {item!r} is missing. A whole number from -3 to +3 is needed. Choose one.")
        answer[item] = content[item]
    answer["text"] = _remark(content)
    for field in ("missed", "invented"):
        answer[field] = _boxes(content.get(field, ()))
    return answer | {"flags": _flags(content)}


def _remark(content: Mapping[str, Any]) -> str:
    return str(content.get("text") or "").strip()[:MAX_TEXT]


def items_of(arm: Arm) -> tuple[str, ...]:
    """Return the rating items of an arm: without a map only trust in the model, without the model only the map."""
    items = ITEMS[:2] if arm.method != "none" else ()
    return (*items, ITEMS[2]) if arm.model or arm.method != "none" else items


def _boxes(listed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if len(listed) > MAX_BOXES * len(STANDARD_LEADS):
        raise StudyError(f"{len(listed)} regions are marked. Up to {MAX_BOXES * len(STANDARD_LEADS)} can be kept.")
    return [asdict(read_box(box)) for box in listed]


def _flags(content: Mapping[str, Any]) -> list[str]:
    return [flag for flag in FLAGS if flag in (content.get("flags") or ())]


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
    earlier : bool
        Whether the patient's earlier ECG, and how the measurements changed since, are shown from the start.
    """

    name: str
    model: bool = True
    method: Method = "isoelectric"
    earlier: bool = False

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
    earlier, earlier_digest : str
        Reference and digest of the patient's earlier ECG; empty where no arm shows one. Its labels are never shown.
    """

    ref: str
    digest: str
    labels: tuple[str, ...]
    earlier: str = ""
    earlier_digest: str = ""


MAX_WASHOUT_DAYS, MAX_TRAINING, MAX_ADJUDICATORS = 365, 50, 10


@dataclass(frozen=True)
class Design:
    """How an audit is run as a study.

    Attributes
    ----------
    crossover : bool
        Each case is read in every arm, one arm in each of as many periods; else in one arm only.
    washout_days : int
        Between two periods, from the last step of the one to the first of the next.
    uncertain : bool
        Whether "uncertain" may stand in place of a label.
    training : tuple of AuditCase
        Read first, each with its label told afterwards; none of them is a case of the audit.
    pass_share : float
        Share of the training cases to be read rightly before the first case of the audit.
    wrong_share : float
        Share of the model's answers shown that are made wrong on purpose; readers are told that there are some.
    adjudicators : tuple of str
        Pseudonyms of those who see all readers' answers to the cases on which they differ, and decide.

    Raises
    ------
    StudyError
        A field cannot be used.
    """

    crossover: bool = False
    washout_days: int = 0
    uncertain: bool = True
    training: tuple[AuditCase, ...] = ()
    pass_share: float = 0.0
    wrong_share: float = 0.0
    adjudicators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.washout_days <= MAX_WASHOUT_DAYS:
            raise StudyError(
                f"The washout is {self.washout_days} days. 0 to {MAX_WASHOUT_DAYS} are needed. Correct it."
            )
        if self.washout_days and not self.crossover:
            raise StudyError(
                "A washout lies between periods, and this design has one. Let each case be read in all arms."
            )
        for name, share in (("to pass", self.pass_share), ("of wrong answers", self.wrong_share)):
            if not 0 <= share <= 1:
                raise StudyError(f"The share {name} is {share:g}. 0 to 1 is needed. Correct it.")
        refs = [case.ref for case in self.training]
        if len(refs) > MAX_TRAINING or len(set(refs)) < len(refs) or not all(case.labels for case in self.training):
            raise StudyError(
                f"The {len(refs)} training cases cannot be used. Up to {MAX_TRAINING} different ones with a label are "
                "needed. Choose others."
            )
        if len(self.adjudicators) > MAX_ADJUDICATORS or len(set(self.adjudicators)) < len(self.adjudicators):
            raise StudyError(f"Up to {MAX_ADJUDICATORS} different pseudonyms of adjudicators are needed. Correct them.")


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
    design : Design or None
        Where it is run as a study.

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
    design: Design | None = None

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
        if any(arm.earlier for arm in self.arms):
            self._check_earlier()
        allowed = (("allocation", {self.allocation}, ALLOCATIONS), ("shows", set(self.shows), SHOWN),
                   ("method", {arm.method for arm in self.arms}, METHODS))  # fmt: skip
        for field, found, choices in allowed:
            if not found <= set(choices):
                raise StudyError(f"{field} {found - set(choices)} is not known. One of {', '.join(choices)} is needed.")
        trained = {case.ref for case in self.design.training} & set(refs) if self.design is not None else set()
        if trained:
            raise StudyError(
                f"{min(trained)} is a training case and a case. Readers would know it. Remove it from one."
            )

    def _check_earlier(self) -> None:
        """See that each case has an earlier ECG, and that no earlier ECG is a case itself; raises `StudyError`."""
        without = [case.ref for case in self.cases if not (case.earlier and case.earlier_digest)]
        if without:
            raise no_earlier(without, len(self.cases))
        read = {case.ref for case in (*self.cases, *(self.design.training if self.design is not None else ()))}
        doubled = sorted(read & {case.earlier for case in self.cases})
        if doubled:
            raise StudyError(
                f"{doubled[0]} is a case, and the earlier ECG of another case. Readers would see it twice. Remove one."
            )

    @property
    def text(self) -> str:
        """Return the definition as JSON that is the same at every site.

        What came later (a design, earlier ECGs) is left out where it is not used, so that the text, and with it the
        identity, of an audit stays as it was.
        """
        content = asdict(self)
        listed = list(content["cases"])
        if self.design is None:
            del content["design"]
        else:
            listed += content["design"]["training"]
        for case in listed:
            if not case["earlier"]:
                del case["earlier"], case["earlier_digest"]
        for arm in content["arms"]:
            if not arm["earlier"]:
                del arm["earlier"]
        return canonical(content)

    @property
    def diagnoses(self) -> tuple[str, ...]:
        """Return what a reader chooses from."""
        return (*self.classes, UNCERTAIN) if self.design is not None and self.design.uncertain else self.classes

    @property
    def uid(self) -> str:
        """Return the SHA-256 of the definition: the identity of the audit."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def case(self, ref: str) -> AuditCase:
        """Return a case by its reference."""
        return next(case for case in self.cases if case.ref == ref)


def no_earlier(without: Sequence[str], n_cases: int) -> StudyError:
    """Return what to say where an arm shows the earlier ECG and some cases have none."""
    named = ", ".join(without[:5]) + (" and others" if len(without) > 5 else "")
    return StudyError(
        f"{len(without)} of {n_cases} cases have no earlier ECG of the same patient: {named}. An arm with the earlier "
        "ECG needs one for each case. Take these cases out, or that arm."
    )


def read_audit(text: str) -> Audit:
    """Return the audit that a definition describes; raises `StudyError`."""
    try:
        content: dict[str, Any] = json.loads(text)
        content["cases"] = _listed(content["cases"])
        if content.get("design") is not None:
            design = dict(content["design"])
            design |= {"training": _listed(design["training"]), "adjudicators": tuple(design["adjudicators"])}
            content["design"] = Design(**design)
        content["arms"] = tuple(Arm(**arm) for arm in content["arms"])
        for field in ("classes", "shows"):
            content[field] = tuple(content[field])
        return Audit(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise StudyError(
            "The definition of the audit cannot be read. A definition as this app writes it is needed. Export it again."
        ) from exc


def _listed(cases: Sequence[Mapping[str, Any]]) -> tuple[AuditCase, ...]:
    return tuple(AuditCase(**{**case, "labels": tuple(case["labels"])}) for case in cases)


@dataclass(frozen=True)
class PlannedCase:
    """A case of one reader's list.

    Attributes
    ----------
    case : AuditCase
    place : int
        In the list, from 1.
    arm : Arm
    period : int
        From 1; only a crossover has more than one.
    wrong : bool
        Whether the model's answer is made wrong on purpose.
    """

    case: AuditCase
    place: int
    arm: Arm
    period: int = 1
    wrong: bool = False

    @property
    def key(self) -> str:
        """Under what the log keeps this reading: the case, and the period from the second one on."""
        return self.case.ref if self.period == 1 else f"{self.case.ref}@{self.period}"


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
    listed: list[tuple[int, int, int]] = []  # case, arm, period
    for period in range(n_arms if audit.design is not None and audit.design.crossover else 1):
        order = [int(i) for i in rng.permutation(len(audit.cases))]
        if audit.blocks:
            rank = rng.permutation(n_arms)
            order.sort(key=lambda i: int(rank[arm_of[i]]))
        listed += [(i, (arm_of[i] + period) % n_arms, period + 1) for i in order]
    wrong = _made_wrong(audit, listed, rng)
    return tuple(
        PlannedCase(audit.cases[i], place, audit.arms[arm], period, place in wrong)
        for place, (i, arm, period) in enumerate(listed, start=1)
    )


def _made_wrong(audit: Audit, listed: Sequence[tuple[int, int, int]], rng: np.random.Generator) -> set[int]:
    """Return the places of the answers that are made wrong, drawn, and spread evenly over the arms that show one."""
    share = audit.design.wrong_share if audit.design is not None else 0.0
    shown = [place for place, (_, arm, _) in enumerate(listed, start=1) if audit.arms[arm].model]
    n_wrong = round(share * len(shown))
    if n_wrong == 0:
        return set()
    mixed = [shown[int(i)] for i in rng.permutation(len(shown))]
    by_arm = sorted(mixed, key=lambda place: listed[place - 1][1])  # stable: random within an arm
    return {by_arm[int((k + 0.5) * len(shown) / n_wrong)] for k in range(n_wrong)}
