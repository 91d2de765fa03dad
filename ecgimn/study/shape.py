"""What an export of an audit must look like, field by field, checked before anything of it is used.

The models forbid what they do not name, convert nothing (`true` is no 1, "3" no 3) and bound every text and list.
Errors name a place in the file and never quote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ecgimn.leads import STANDARD_LEADS
from ecgimn.study.answers import CONFIDENCES, FLAGS, MAX_BOXES, MAX_TEXT, RATINGS
from ecgimn.study.definition import ALLOCATIONS, MAX_CASES, METHODS, SHOWN
from ecgimn.study.evidence import BIN_MS

MAX_READERS, MAX_EVENTS, MAX_CLASSES, MAX_ARMS = 1000, 1_000_000, 100, 20
MAX_BINS = 256  # of `BIN_MS`: the 10 s that are read, and some
MAX_MS = 3_600_000.0
MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$"


def _real_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Uid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Ref = Annotated[str, StringConstraints(pattern=r"^(composite:[a-z0-9_-]{1,60}|ptbxl:[0-9]{1,7})$")]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{1,39}$")]
Moment = Annotated[str, StringConstraints(pattern=MOMENT), AfterValidator(_real_moment)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{0,40}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ArmShape(_Shape):
    """An arm of an audit."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    model: bool
    method: Literal[METHODS]  # type: ignore[valid-type]


class CaseShape(_Shape):
    """A case of an audit."""

    ref: Ref
    digest: Sha
    labels: Annotated[list[Label], Field(max_length=MAX_CLASSES)]


class DefinitionShape(_Shape):
    """The definition of an audit; `Audit` checks how its fields go together."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    model_sha256: Sha
    classes: Annotated[list[Label], Field(min_length=1, max_length=MAX_CLASSES)]
    cases: Annotated[list[CaseShape], Field(min_length=1, max_length=MAX_CASES)]
    selection: Annotated[str, StringConstraints(max_length=1000)]
    arms: Annotated[list[ArmShape], Field(min_length=1, max_length=MAX_ARMS)]
    allocation: Literal[ALLOCATIONS]  # type: ignore[valid-type]
    blocks: bool
    shows: Annotated[list[Literal[SHOWN]], Field(max_length=len(SHOWN))]  # type: ignore[valid-type]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    app_version: Version


class ReaderShape(_Shape):
    """A reader: pseudonym and site."""

    uid: Uid
    pseudonym: Pseudonym
    site_uid: Uid


class BoxShape(_Shape):
    """A stretch of one lead."""

    lead: Literal[STANDARD_LEADS]  # type: ignore[valid-type]
    start_ms: Annotated[float, Field(ge=0, le=MAX_MS)]
    stop_ms: Annotated[float, Field(ge=0, le=MAX_MS)]
    note: Annotated[str, StringConstraints(max_length=80)] = ""


Boxes = Annotated[list[BoxShape], Field(max_length=MAX_BOXES * len(STANDARD_LEADS))]
Flags = Annotated[list[Literal[FLAGS]], Field(max_length=len(FLAGS))]  # type: ignore[valid-type]
Labels = Annotated[list[Label], Field(max_length=MAX_CLASSES)]
Confidence = Literal[CONFIDENCES]  # type: ignore[valid-type]
Rating = Literal[RATINGS]  # type: ignore[valid-type]


class Opened(_Shape):
    """A case was opened."""

    place: Annotated[int, Field(ge=1, le=MAX_CASES)] | None = None
    arm: Annotated[str, StringConstraints(max_length=80)] | None = None


class Paused(_Shape):
    """A reader paused."""


class DraftContent(_Shape):
    """What was entered so far; any part may be missing."""

    primary: Label | None = None
    also: Labels | None = None
    confidence: Confidence | None = None
    boxes: Boxes | None = None
    flags: Flags | None = None
    relevant: Rating | None = None
    helpful: Rating | None = None
    trust: Rating | None = None
    text: Text | None = None
    missed: Boxes | None = None
    invented: Boxes | None = None


class Draft(_Shape):
    """An answer that is not committed yet."""

    step: Literal["blind", "revision", "rating", ""]
    content: DraftContent


class Shown(_Shape):
    """The model's answer was shown."""

    called: Label
    probability: Annotated[dict[Label, Share], Field(max_length=MAX_CLASSES)]


class EvidenceShown(_Shape):
    """The map was shown."""

    method: Literal[METHODS]  # type: ignore[valid-type]
    view: Annotated[dict[Label, str | bool | int | float | None], Field(max_length=20)]


class Revision(_Shape):
    """A diagnosis."""

    primary: Label
    also: Labels
    confidence: Confidence


class Blind(Revision):
    """A blind diagnosis with what was marked."""

    boxes: Boxes
    flags: Flags


class RatingGiven(_Shape):
    """Ratings; which of the three apply depends on the arm."""

    relevant: Rating | None = None
    helpful: Rating | None = None
    trust: Rating | None = None
    text: Text
    missed: Boxes
    invented: Boxes
    flags: Flags


PAYLOADS: dict[str, type[_Shape]] = {
    "opened": Opened, "paused": Paused, "draft": Draft, "blind": Blind, "model": Shown, "evidence": EvidenceShown,
    "revision": Revision, "rating": RatingGiven,
}  # fmt: skip


class EventShape(_Shape):
    """One event of the log; its payload is checked by `PAYLOADS`."""

    uid: Uid
    study_uid: Sha
    reader_uid: Uid
    number: Annotated[int, Field(ge=1, le=MAX_EVENTS)]
    case_id: Ref
    kind: Literal[tuple(PAYLOADS)]  # type: ignore[valid-type]
    payload: dict[str, Any]
    at: Moment
    app_version: Version
    digest: Sha


class AnswerShape(_Shape):
    """What the model said about a case."""

    classes: Annotated[list[Label], Field(min_length=1, max_length=MAX_CLASSES)]
    logit: Annotated[list[Number], Field(max_length=MAX_CLASSES)]
    probability: Annotated[list[Share], Field(max_length=MAX_CLASSES)]
    bias: Annotated[list[Number], Field(max_length=MAX_CLASSES)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    model_sha256: Sha
    completeness_error: Number
    bin_ms: Annotated[float, Field(ge=BIN_MS, le=BIN_MS)]
    shape: Annotated[list[Annotated[int, Field(ge=1, le=MAX_BINS)]], Field(min_length=3, max_length=3)]
    maps: Annotated[str, StringConstraints(max_length=4 * MAX_CLASSES * 12 * MAX_BINS)]


class SiteShape(_Shape):
    """The site that made an export, with the key that signs it."""

    uid: Uid
    public_key: Sha


class ExportShape(_Shape):
    """An export without its digest and signature."""

    format: str
    format_version: int
    intended_use: Annotated[str, StringConstraints(max_length=2000)]
    app_version: Version
    exported_at: Moment
    definition: DefinitionShape
    readers: Annotated[list[ReaderShape], Field(max_length=MAX_READERS)]
    events: Annotated[list[EventShape], Field(max_length=MAX_EVENTS)]
    evidence: Annotated[dict[Ref, AnswerShape], Field(max_length=MAX_CASES)]
    site: SiteShape | None = None


def fault_of(content: Mapping[str, Any]) -> str | None:
    """Return what of an export does not look as this app writes it, without a word of the file; None if all does."""
    try:
        ExportShape.model_validate(content)
        for place, event in enumerate(content["events"]):
            try:
                PAYLOADS[event["kind"]].model_validate(event["payload"])
            except ValidationError as exc:
                return f"entry {place + 1} of its log holds {_where(exc, PAYLOADS[event['kind']])}"
    except (ValidationError, RecursionError) as exc:
        return f"it holds {_where(exc, ExportShape)}"
    return None


def _where(exc: ValidationError | RecursionError, shape: type[_Shape]) -> str:
    if isinstance(exc, RecursionError):
        return "values within values without end"
    first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    known = first["loc"][0] if first["loc"] and first["loc"][0] in shape.model_fields else None
    at = f" {first['loc'][1] + 1}" if len(first["loc"]) > 1 and isinstance(first["loc"][1], int) else ""
    if known is None:
        return "a field that this app does not write"
    missing = first["type"] == "missing"
    return f"no {known!r}" if missing and len(first["loc"]) == 1 else f"an unusable value in {known!r}{at}"
