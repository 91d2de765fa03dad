"""One row per reader and case, flat: what was answered before and after, what the model said, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ecgimn.study.agreement import DIGITS
from ecgimn.study.answers import ITEMS
from ecgimn.study.definition import PlannedCase, plan
from ecgimn.study.events import Event
from ecgimn.study.evidence import ModelAnswer
from ecgimn.study.record import StudyRecord
from ecgimn.study.regions import cells_of, dice_with_map, mass_inside, point_auroc, pointing_hit
from ecgimn.study.session import CaseState, case_state

REGION_SCORES = ("auroc", "dice", "pointing", "mass")


@dataclass(frozen=True, eq=False)
class Row:
    """One reader and one case.

    Attributes
    ----------
    reader_uid : str
    state : CaseState
    answer : ModelAnswer or None
        None where the model was not asked yet.
    scores : dict of str to float
        Of the reader's boxes against the map of the reader's own blind diagnosis; empty without boxes.
    seconds_blind, seconds : float or None
        Until the blind reading was committed, and until the last step; pauses left out.
    """

    reader_uid: str
    state: CaseState
    answer: ModelAnswer | None
    scores: dict[str, float]
    seconds_blind: float | None
    seconds: float | None

    @property
    def planned(self) -> PlannedCase:
        """Case, place and arm."""
        return self.state.planned

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes that the data set gives."""
        return self.planned.case.labels

    def primary(self, step: str) -> str | None:
        """Return the diagnosis of a step, "blind" or "revision", or None."""
        return self.state.done[step]["primary"] if step in self.state.done else None

    def right(self, step: str) -> bool | None:
        """Return whether the diagnosis of a step is among the labels; None without diagnosis or label."""
        primary = self.primary(step)
        return primary in self.labels if primary is not None and self.labels else None

    @property
    def model_right(self) -> bool | None:
        """Whether the class that the model called is among the labels; None where it was not shown or there is none."""
        if self.answer is None or not self.labels or not self.state.sees("model"):
            return None
        return self.answer.called in self.labels

    def rating(self, item: str) -> int | None:
        """Return a rating from -3 to +3, or None."""
        value = self.state.done.get("rating", {}).get(item)
        return int(value) if value is not None else None


def rows_of(record: StudyRecord) -> tuple[Row, ...]:
    """Return all readers by all their cases, begun or not, in the order of pseudonyms and of each reader's list."""
    by_case: dict[tuple[str, str], list[Event]] = {}
    for event in record.events:
        by_case.setdefault((event.reader_uid, event.case_id), []).append(event)
    readers = sorted(record.readers.values(), key=lambda reader: (reader.pseudonym, reader.uid))
    return tuple(
        _row(reader.uid, planned, sorted(by_case.get((reader.uid, planned.case.ref), ()), key=lambda e: e.number),
             record.evidence.get(planned.case.ref))
        for reader in readers
        for planned in plan(record.audit, reader.uid)
    )  # fmt: skip


def flat_row(record: StudyRecord, row: Row) -> dict[str, Any]:
    """Return a row as one line of a table: text and numbers only."""
    reader, done = record.readers[row.reader_uid], row.state.done
    line: dict[str, Any] = {
        "reader": reader.pseudonym,
        "reader_uid": reader.uid,
        "site": reader.site_uid,
        "place": row.planned.place,
        "case": row.planned.case.ref,
        "recording_sha256": row.planned.case.digest,
        "labels": " ".join(row.labels),
        "arm": row.planned.arm.name,
        "method": row.planned.arm.method,
        "finished": int(row.state.finished),
        "model": record.audit.model,
        "model_sha256": record.audit.model_sha256,
        "model_called": row.answer.called if row.answer is not None and row.state.sees("model") else "",
    }
    for step in ("blind", "revision"):
        answer = done.get(step, {})
        line |= {
            f"{step}_diagnosis": answer.get("primary", ""),
            f"{step}_also": " ".join(answer.get("also", ())),
            f"{step}_confidence": answer.get("confidence", ""),
        }
    rating = done.get("rating", {})
    line |= {"regions": len(done.get("blind", {}).get("boxes", ()))}
    line |= {f"regions_{name}": row.scores.get(name, "") for name in REGION_SCORES}
    line |= {item: rating.get(item, "") for item in ITEMS}
    line |= {
        "missed": len(rating.get("missed", ())),
        "invented": len(rating.get("invented", ())),
        "flags": ", ".join([*done.get("blind", {}).get("flags", ()), *rating.get("flags", ())]),
        "text": rating.get("text", ""),
        "seconds_blind": "" if row.seconds_blind is None else row.seconds_blind,
        "seconds": "" if row.seconds is None else row.seconds,
    }
    return line


def _row(reader_uid: str, planned: PlannedCase, events: list[Event], answer: ModelAnswer | None) -> Row:
    state = case_state(planned, events)
    blind = state.done.get("blind")
    scores = _scores(blind["boxes"], answer, blind["primary"]) if blind and answer is not None else {}
    return Row(
        reader_uid, state, answer, scores, _active_seconds(events, ("blind",)),
        _active_seconds(events, planned.arm.steps) if state.finished else None,
    )  # fmt: skip


def _scores(boxes: list[dict[str, Any]], answer: ModelAnswer, diagnosis: str) -> dict[str, float]:
    values = answer.map_of(diagnosis)
    cells = cells_of(boxes, values.shape[1])
    found = {
        "auroc": point_auroc(cells, values),
        "dice": dice_with_map(cells, values),
        "pointing": pointing_hit(cells, values),
        "mass": mass_inside(cells, values),
    }
    return {name: round(float(value), DIGITS) for name, value in found.items() if value is not None}


def _active_seconds(events: Iterable[Event], until: tuple[str, ...]) -> float | None:
    """Return the time from opening to the last of the steps in `until`; what passes before a return does not count."""
    total, reached, before = 0.0, None, None
    for event in events:
        if before is not None and event.kind != "opened":
            total += max(event.seconds - before, 0.0)
        before = event.seconds
        if event.kind in until:
            reached = round(total, 3)
    return reached
