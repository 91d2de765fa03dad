"""One reader in one audit: which case is next, what was committed, what may be shown.

Per case: read blind, commit, then see what the arm allows, revise, rate. Nothing is shown before the step that reveals
it was committed to the log, and what was committed stays as it is. What the model said about a case is kept small
enough to travel with the study: logits, and maps in bins of 40 ms. Boxes are always compared with these kept maps, so
that a report made from an export gives the same numbers.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import StudyError
from ecgimn.study.definition import ANSWERED, Audit, Event, PlannedCase, Reader, check_answer, plan, read_audit
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
    """

    planned: PlannedCase
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    draft: dict[str, Any] = field(default_factory=dict)

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
    for event in events:
        if event.kind == "draft":
            drafts[str(event.payload.get("step"))] = dict(event.payload.get("content", {}))
        elif event.kind in planned.arm.steps:
            done[event.kind] = event.payload
    state = CaseState(planned, done)
    return CaseState(planned, done, drafts.get(state.step or "", {}))


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
        return tuple(case_state(planned, by_case.get(planned.case.ref, ())) for planned in self.plan)

    def state(self, place: int) -> CaseState:
        """Return where the reader stands in the case at a place of the list, from 1."""
        planned = self.plan[place - 1]
        return case_state(planned, self.store.events(self.audit.uid, self.reader.uid, planned.case.ref))

    def next_place(self, states: Sequence[CaseState] | None = None) -> int | None:
        """Return the place of the first case that is not finished, or None when all are."""
        listed = self.states() if states is None else states
        return next((state.planned.place for state in listed if not state.finished), None)

    def open(self, place: int) -> None:
        """Note that the reader opens a case, or comes back to it: the clock goes on from here."""
        self._append(place, "opened", {"place": place, "arm": self.plan[place - 1].arm.name})

    def pause(self, place: int) -> None:
        """Note that the reader stops for now: the clock stands still until the case is opened again."""
        self._append(place, "paused", {})

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
        shown = {"called": answer.called, "probability": dict(zip(answer.classes, answer.probability, strict=True))}
        method = {"method": planned.arm.method, "view": dict(view or {})}
        self._append(place, step, shown if step == "model" else method)
        return self.state(place)

    def may_see_results(self, states: Sequence[CaseState] | None = None) -> bool:
        """Whether the reader may look at results: not while own cases are open."""
        return all(state.finished for state in (self.states() if states is None else states))

    def _must_be_due(self, place: int, step: str, allowed: Sequence[str]) -> None:
        if not 1 <= place <= len(self.plan):
            raise StudyError(f"There is no case {place}. 1 to {len(self.plan)} are in the list. Choose one.")
        due = self.state(place).step
        if step not in allowed or step != due:
            raise StudyError(f"The step {step!r} is not due in case {place}; {due or 'nothing'} is. Go on from there.")

    def _append(self, place: int, kind: str, payload: Mapping[str, Any]) -> None:
        self.store.append(self.audit.uid, self.reader.uid, self.plan[place - 1].case.ref, kind, payload)


def start_reading(store: Store, audit_uid: str, reader: Reader) -> Reading:
    """Return a reader's work on an audit of the store; raises `StudyError`."""
    return Reading(store, read_audit(store.definition(audit_uid)), reader)
