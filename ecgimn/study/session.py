"""One reader in one audit: which case is next, what was committed, what may be shown.

Per case: read blind, commit, then see what the arm allows, revise, rate. Nothing is shown before the step that reveals
it was committed to the log, and what was committed stays as it is. What the model said about a case is kept small
enough to travel with the study: logits, and maps in bins of 40 ms. Boxes are always compared with these kept maps, so
that a report made from an export gives the same numbers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import StudyError
from ecgimn.study.definition import (
    ANSWERED,
    ONCE,
    Audit,
    AuditCase,
    Event,
    PlannedCase,
    Reader,
    check_answer,
    main_diagnosis,
    now,
    plan,
    read_audit,
)
from ecgimn.study.store import Store

if TYPE_CHECKING:
    from ecgimn.explain.case import Case

BIN_MS = 40.0  # one small box of the paper at 25 mm/s, the unit of the colour scale


@dataclass(frozen=True, eq=False)
class ModelAnswer:
    """The model's answer to a case.

    Attributes
    ----------
    classes : tuple of str
    logit, probability, bias : tuple of float
        Per class.
    maps : ndarray of shape (K, 12, n_bins)
        Contribution about the isoelectric level, in logit per 40 ms; kept to three digits (float16).
    model_name, model_sha256 : str
    completeness_error : float
        Of the full maps.
    """

    classes: tuple[str, ...]
    logit: tuple[float, ...]
    probability: tuple[float, ...]
    bias: tuple[float, ...]
    maps: NDArray[np.float16]
    model_name: str
    model_sha256: str
    completeness_error: float

    @property
    def called(self) -> str:
        """The class with the highest probability."""
        return self.classes[int(np.argmax(self.probability))]

    def map_of(self, class_name: str) -> NDArray[np.float64]:
        """Return the map of a class, shape (12, n_bins)."""
        return np.asarray(self.maps[self.classes.index(class_name)], dtype=np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return the answer as JSON values; the maps as zlib-packed little-endian float16 in base64."""
        packed = zlib.compress(np.ascontiguousarray(self.maps, dtype="<f2").tobytes(), 9)
        return {
            "classes": list(self.classes),
            "logit": list(self.logit),
            "probability": list(self.probability),
            "bias": list(self.bias),
            "model": self.model_name,
            "model_sha256": self.model_sha256,
            "completeness_error": self.completeness_error,
            "bin_ms": BIN_MS,
            "shape": list(self.maps.shape),
            "maps": base64.b64encode(packed).decode(),
        }


def read_answer(content: Mapping[str, Any]) -> ModelAnswer:
    """Return a kept answer; raises `StudyError` where it cannot be read."""
    try:
        shape = tuple(int(n) for n in content["shape"])
        size = 2 * shape[0] * shape[1] * shape[2]
        if len(shape) != 3 or shape[1] != 12 or not 0 < size <= 4_000_000:
            raise ValueError("shape")
        packed = base64.b64decode(content["maps"], validate=True)
        raw = zlib.decompressobj().decompress(packed, size + 1)  # never more than the shape allows
        if len({shape[0], *(len(content[name]) for name in ("classes", "logit", "probability", "bias"))}) > 1:
            raise ValueError("number of classes")
        maps = np.frombuffer(raw, dtype="<f2").reshape(shape)
        if not np.isfinite(maps).all():
            raise ValueError("no numbers")
        return ModelAnswer(
            classes=tuple(str(name) for name in content["classes"]),
            logit=tuple(float(value) for value in content["logit"]),
            probability=tuple(float(value) for value in content["probability"]),
            bias=tuple(float(value) for value in content["bias"]),
            maps=maps,
            model_name=str(content["model"]),
            model_sha256=str(content["model_sha256"]),
            completeness_error=float(content["completeness_error"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, binascii.Error, zlib.error) as exc:
        raise StudyError(
            "What the model said about a case cannot be read. An export as this app writes it is needed. "
            "Export the study again."
        ) from exc


def model_answer(case: Case) -> ModelAnswer:
    """Return what the model says about a case."""
    from ecgimn.explain.ledger import contribution  # so that reading an export loads nothing that measures ECGs

    explanation, recording = case.explanation, case.recording
    evidence = contribution(explanation.weights, recording, case.reading.levels)
    bins = (np.arange(recording.n_samples) / recording.fs * 1000.0 / BIN_MS + 1e-9).astype(np.intp)
    starts = np.searchsorted(bins, np.arange(bins[-1] + 1))
    return ModelAnswer(
        classes=explanation.classes,
        logit=_rounded(explanation.logit),
        probability=_rounded(explanation.probability),
        bias=_rounded(explanation.bias),
        maps=np.add.reduceat(evidence, starts, axis=2).astype(np.float16),
        model_name=explanation.model_name,
        model_sha256=explanation.model_sha256,
        completeness_error=float(f"{explanation.completeness_error:.3g}"),
    )


def _rounded(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


REVEALS = ("model", "evidence")


@dataclass(frozen=True)
class CaseState:
    """Where a reader stands in a case.

    Attributes
    ----------
    planned : PlannedCase
    done : dict of str to dict
        Payload of each committed step.
    draft : dict
        What was entered for the next step and not yet committed.
    later : bool
        Whether the reader put it off and has not come back yet.
    """

    planned: PlannedCase
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    draft: dict[str, Any] = field(default_factory=dict)
    later: bool = False

    @property
    def step(self) -> str | None:
        """The next step, or None when the case is finished."""
        return next((step for step in self.planned.arm.steps if step not in self.done), None)

    @property
    def finished(self) -> bool:
        """Whether all steps are committed."""
        return self.step is None

    def sees(self, what: str) -> bool:
        """Whether "model" or "evidence" was revealed to the reader."""
        return what in self.done


def case_state(planned: PlannedCase, events: Iterable[Event]) -> CaseState:
    """Return where a reader stands in a case, from the events of that reader in that case."""
    done: dict[str, dict[str, Any]] = {}
    drafts: dict[str, dict[str, Any]] = {}
    later = False
    for event in events:
        later = event.kind == "later" or (later and event.kind != "opened")
        if event.kind == "draft":
            drafts[str(event.payload.get("step"))] = dict(event.payload.get("content", {}))
        elif event.kind in planned.arm.steps:
            done[event.kind] = event.payload
    state = CaseState(planned, done)
    return CaseState(planned, done, drafts.get(state.step or "", {}), later)


@dataclass(frozen=True)
class Training:
    """Where a reader stands in the training cases.

    Attributes
    ----------
    round : int
        From 1; one after which too few were right is followed by another.
    answered : dict of str to dict
        What was answered in this round, by case.
    n_right : int
        In this round.
    rounds : tuple of float
        Share that was right in each finished round.
    passed : bool
        Whether the cases of the audit are open.
    """

    round: int
    answered: dict[str, dict[str, Any]]
    n_right: int
    rounds: tuple[float, ...]
    passed: bool


def training_state(audit: Audit, events: Iterable[Event]) -> Training:
    """Return where a reader stands in the training cases, from the reader's events in an audit."""
    design = audit.design
    if design is None or not design.training:
        return Training(1, {}, 0, (), True)
    answered: dict[str, dict[str, Any]] = {}
    rounds: list[float] = []
    for event in sorted(events, key=lambda event: event.number):
        if event.kind == "training" and event.case_id not in answered:
            answered[event.case_id] = event.payload
            if len(answered) == len(design.training):
                rounds.append(sum(bool(one["right"]) for one in answered.values()) / len(design.training))
                answered = {}
    passed = max(rounds, default=-1.0) >= design.pass_share - 1e-9
    n_right = sum(bool(one["right"]) for one in answered.values())
    return Training(len(rounds) + 1, answered, n_right, tuple(rounds), passed)


def shown_answer(planned: PlannedCase, answer: ModelAnswer) -> tuple[str, dict[str, float]]:
    """Return the label and the probabilities that a reader sees as the model's.

    They are the model's own; in a reading that is to be wrong, and where the model is right, the label called has
    changed places with the most probable one that the case does not carry.
    """
    chances = dict(zip(answer.classes, answer.probability, strict=True))
    others = [name for name in answer.classes if name not in planned.case.labels]
    if not planned.wrong or answer.called not in planned.case.labels or not others:
        return answer.called, chances
    wrong = max(others, key=chances.__getitem__)
    return wrong, chances | {wrong: chances[answer.called], answer.called: chances[wrong]}


@dataclass(frozen=True)
class Disputed:
    """A case on which readers differ.

    Attributes
    ----------
    case : AuditCase
    opinions : tuple of dict
        What each reader committed last, without a name: primary, also, confidence.
    decided : dict or None
        What an adjudicator committed.
    """

    case: AuditCase
    opinions: tuple[dict[str, Any], ...]
    decided: dict[str, Any] | None


def disputed_cases(audit: Audit, readers: Collection[Reader], events: Iterable[Event]) -> tuple[Disputed, ...]:
    """Return the cases that two readers or more have finished with different diagnoses, in their first period.

    Opinions stand in an order that does not tell readers apart from case to case.
    """
    names = audit.design.adjudicators if audit.design is not None else ()
    judges = {reader.uid for reader in readers if reader.pseudonym in names}
    last: dict[str, dict[str, dict[str, Any]]] = {}
    decided: dict[str, dict[str, Any]] = {}
    steps = {reader.uid: {one.key: one.arm.steps for one in plan(audit, reader.uid)} for reader in readers}
    for event in events:
        if event.kind == "adjudication":
            decided.setdefault(event.case_id, event.payload)
        if event.reader_uid in judges or event.kind not in ("blind", "revision"):
            continue
        final = "revision" if "revision" in steps[event.reader_uid].get(event.case_id, ()) else "blind"
        if event.kind == final:
            last.setdefault(event.case_id, {})[event.reader_uid] = event.payload
    found = []
    for case in audit.cases:
        given = last.get(case.ref, {})
        if len({one["primary"] for one in given.values()}) > 1:
            order = sorted(given, key=lambda uid: hashlib.sha256(f"{case.ref} {uid}".encode()).digest())
            opinions = tuple({name: given[uid][name] for name in ("primary", "also", "confidence")} for uid in order)
            found.append(Disputed(case, opinions, decided.get(case.ref)))
    return tuple(found)


@dataclass(frozen=True)
class Reading:
    """A reader at work on an audit.

    Attributes
    ----------
    store : Store
    audit : Audit
    reader : Reader
    """

    store: Store
    audit: Audit
    reader: Reader

    @cached_property
    def plan(self) -> tuple[PlannedCase, ...]:
        """The reader's cases in the reader's order."""
        return plan(self.audit, self.reader.uid)

    def states(self) -> tuple[CaseState, ...]:
        """Return where the reader stands in every case."""
        by_case: dict[str, list[Event]] = {}
        for event in self.store.events(self.audit.uid, self.reader.uid):
            by_case.setdefault(event.case_id, []).append(event)
        return tuple(case_state(planned, by_case.get(planned.key, ())) for planned in self.plan)

    def state(self, place: int) -> CaseState:
        """Return where the reader stands in the case at a place of the list, from 1."""
        planned = self.plan[place - 1]
        return case_state(planned, self.store.events(self.audit.uid, self.reader.uid, planned.key))

    def next_place(self, states: Sequence[CaseState] | None = None) -> int | None:
        """Return the place of the first case that is not finished, or None when all are; those put off come last.

        All cases of a period come before those of the next.
        """
        listed = [state for state in (self.states() if states is None else states) if not state.finished]
        listed.sort(key=lambda state: (state.planned.period, state.later))  # stable
        return listed[0].planned.place if listed else None

    def training(self) -> Training:
        """Return where the reader stands in the training cases."""
        if self.audit.design is None or not self.audit.design.training:
            return training_state(self.audit, ())
        return training_state(self.audit, self.store.events(self.audit.uid, self.reader.uid))

    def next_training(self, training: Training | None = None) -> AuditCase | None:
        """Return the training case that is due, in an order drawn for each reader and round; None when passed."""
        state, design = self.training() if training is None else training, self.audit.design
        if state.passed or design is None:
            return None
        left = [case for case in design.training if case.ref not in state.answered]
        drawn = f"{self.reader.uid} {state.round}"
        return min(left, key=lambda case: hashlib.sha256(f"{drawn} {case.ref}".encode()).digest())

    def answer_training(self, ref: str, primary: str | None) -> bool:
        """Commit the answer to a training case; return whether it is right.

        Raises
        ------
        StudyError
            No main diagnosis is chosen, or another case is due.
        """
        state = self.training()
        due = self.next_training(state)
        if due is None or due.ref != ref:
            raise StudyError("This training case is not due. Open the audit again and go on from there.")
        primary = main_diagnosis(self.audit, primary)
        right = primary in due.labels
        payload = {"round": state.round, "primary": primary, "right": right}
        self.store.append(self.audit.uid, self.reader.uid, ref, "training", payload)
        return right

    def opens_at(self, place: int) -> datetime | None:
        """Return when the washout before a case is over, or None where it is not waited for."""
        planned, design = self.plan[place - 1], self.audit.design
        if design is None or design.washout_days == 0 or planned.period == 1:
            return None
        before = {one.key for one in self.plan if one.period == planned.period - 1}
        ends = [event.at for event in self.store.events(self.audit.uid, self.reader.uid)
                if event.case_id in before and event.kind in ONCE]  # fmt: skip
        if not ends:
            return None
        over = datetime.fromisoformat(max(ends)) + timedelta(days=design.washout_days)
        return over if over > datetime.fromisoformat(now()) else None

    def open(self, place: int) -> None:
        """Note that the reader opens a case, or comes back to it: the clock goes on from here.

        Raises
        ------
        StudyError
            Training is not passed, the washout is not over, or the reader is an adjudicator of this audit.
        """
        if self.audit.design is not None:
            if self.reader.pseudonym in self.audit.design.adjudicators:
                raise StudyError("An adjudicator of this audit does not read in it. Sign in as a reader.")
            if not self.training().passed:
                raise StudyError("The training cases come first. Read them, then begin.")
            over = self.opens_at(place)
            if over is not None:
                raise StudyError(
                    f"The next period begins on {over:%d %B %Y at %H:%M} UTC, so that the cases are forgotten by then. "
                    "Come back then."
                )
        self._append(place, "opened", {"place": place, "arm": self.plan[place - 1].arm.name})

    def pause(self, place: int) -> None:
        """Note that the reader stops for now: the clock stands still until the case is opened again."""
        self._append(place, "paused", {})

    def put_off(self, place: int) -> None:
        """Note that the reader comes back to a case later: it goes to the list's end, and the clock stands still."""
        self._append(place, "later", {})

    def save_draft(self, place: int, step: str, content: Mapping[str, Any]) -> None:
        """Keep what was entered so far, unchecked, so that a killed process loses nothing."""
        self._append(place, "draft", {"step": step, "content": dict(content)})

    def commit(self, place: int, step: str, content: Mapping[str, Any]) -> CaseState:
        """Commit an answer; it can never be changed. Returns where the reader stands then.

        Raises
        ------
        StudyError
            The answer is incomplete, another step is due, or this one was committed before.
        """
        self._must_be_due(place, step, ANSWERED)
        self._append(place, step, check_answer(self.audit, self.plan[place - 1].arm, step, content))
        return self.state(place)

    def reveal(self, place: int, step: str, answer: ModelAnswer, view: Mapping[str, Any] | None = None) -> CaseState:
        """Note that the model's answer or its map is shown from now on, and keep what the model said.

        Parameters
        ----------
        place : int
        step : {"model", "evidence"}
        answer : ModelAnswer
            Of the model that the audit names.
        view : mapping, optional
            State of the picture.

        Raises
        ------
        StudyError
            The blind reading is not committed, or the answer is of another model.
        """
        self._must_be_due(place, step, REVEALS)
        if answer.model_sha256 != self.audit.model_sha256:
            raise StudyError(
                f"The model here has the hash {answer.model_sha256[:8]}, the audit was made with "
                f"{self.audit.model_sha256[:8]}. The very same weights are needed. Install them under models/."
            )
        planned = self.plan[place - 1]
        self.store.keep_evidence(self.audit.uid, planned.case.ref, answer.as_json())
        called, probability = shown_answer(planned, answer)
        shown = {"called": called, "probability": probability}
        method = {"method": planned.arm.method, "view": dict(view or {})}
        self._append(place, step, shown if step == "model" else method)
        return self.state(place)

    def may_see_results(self, states: Sequence[CaseState] | None = None) -> bool:
        """Whether the reader may look at results: not while own cases are open."""
        if is_adjudicator(self.audit, self.reader):
            return True
        return all(state.finished for state in (self.states() if states is None else states))

    def _must_be_due(self, place: int, step: str, allowed: Sequence[str]) -> None:
        if not 1 <= place <= len(self.plan):
            raise StudyError(f"There is no case {place}. 1 to {len(self.plan)} are in the list. Choose one.")
        if self.audit.design is not None and not self.training().passed:
            raise StudyError("The training cases come first. Read them, then begin.")
        due = self.state(place).step
        if step not in allowed or step != due:
            raise StudyError(f"The step {step!r} is not due in case {place}; {due or 'nothing'} is. Go on from there.")

    def _append(self, place: int, kind: str, payload: Mapping[str, Any]) -> None:
        self.store.append(self.audit.uid, self.reader.uid, self.plan[place - 1].key, kind, payload)


def is_adjudicator(audit: Audit, reader: Reader) -> bool:
    """Whether a reader decides on the cases of an audit on which others differ."""
    return audit.design is not None and reader.pseudonym in audit.design.adjudicators


def adjudicate(store: Store, audit: Audit, reader: Reader, ref: str, content: Mapping[str, Any]) -> None:
    """Commit what an adjudicator decides on a case.

    Raises
    ------
    StudyError
        The reader is no adjudicator, the pseudonym is open to all, readers do not differ, or the answer is incomplete.
    """
    if not is_adjudicator(audit, reader):
        raise StudyError("Only the adjudicators named at the set-up decide. Sign in as one of them.")
    if not store.is_guarded(reader.uid):
        raise StudyError(
            "An adjudicator sees what readers answered, so the pseudonym needs a passphrase. Protect it, then go on."
        )
    disputed = disputed_cases(audit, store.readers(), store.events(audit.uid))
    if ref not in {one.case.ref for one in disputed}:
        raise StudyError("Readers do not differ on this case. Choose one of those listed.")
    answer = check_answer(audit, audit.arms[0], "adjudication", content)
    store.append(audit.uid, reader.uid, ref, "adjudication", answer)


def start_reading(store: Store, audit_uid: str, reader: Reader) -> Reading:
    """Return a reader's work on an audit of the store; raises `StudyError`."""
    return Reading(store, read_audit(store.definition(audit_uid)), reader)
