"""What a reader answers, checked before it is committed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ecgimn.errors import StudyError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.study.definition import Arm, Audit

ANSWERED = ("blind", "revision", "rating")  # the steps that a reader answers; the others reveal
CONFIDENCES = (1, 2, 3, 4, 5)  # from a guess to certain
RATINGS = (-3, -2, -1, 0, 1, 2, 3)  # Riek et al. 2024, doi:10.1016/j.jelectrocard.2024.153792
ITEMS = ("relevant", "helpful", "trust")
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
    step : {"blind", "revision", "rating"}
    content : mapping
        blind: primary, also, confidence, boxes, flags. revision: primary, also, confidence. rating: the `ITEMS` that
        apply, text, missed, invented, flags.

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
    return answer


def _diagnosis(audit: Audit, content: Mapping[str, Any]) -> dict[str, Any]:
    primary, also, confidence = content.get("primary"), tuple(content.get("also") or ()), content.get("confidence")
    if primary not in audit.classes:
        raise StudyError("No diagnosis is chosen. One label that fits best is needed. Choose it.")
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
    answer["text"] = str(content.get("text") or "").strip()[:MAX_TEXT]
    for field in ("missed", "invented"):
        answer[field] = _boxes(content.get(field, ()))
    return answer | {"flags": _flags(content)}


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
