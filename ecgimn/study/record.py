"""The complete record of an audit: definition, readers, log and model answers; as one JSON file and back.

An import is checked field by field before anything of it is used: the shapes forbid what they do not name, convert
nothing (`true` is no 1, "3" no 3) and bound every text and list. Errors name a place in the file and never quote it.
Importing adds the new readers and events of another site and replaces nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ecgimn import __version__
from ecgimn.about import INTENDED_USE
from ecgimn.errors import RecordingError, StudyError
from ecgimn.formats.sandbox.parent import look_in_child
from ecgimn.leads import STANDARD_LEADS
from ecgimn.study.database import EventRow, EvidenceRow, ReaderRow, SiteRow, StudyRow
from ecgimn.study.definition import (
    ALLOCATIONS,
    ANSWERED,
    CONFIDENCES,
    FLAGS,
    FREE,
    KIND,
    MAX_ADJUDICATORS,
    MAX_BOXES,
    MAX_CASES,
    MAX_TEXT,
    MAX_TRAINING,
    MAX_WASHOUT_DAYS,
    METHODS,
    ONCE,
    RATINGS,
    SHOWN,
    Arm,
    Audit,
    Event,
    Reader,
    canonical,
    check_answer,
    is_unbroken,
    now,
    plan,
    read_audit,
    read_box,
)
from ecgimn.study.keys import fingerprint, is_signed, public_key, sign
from ecgimn.study.session import BIN_MS, ModelAnswer, is_adjudicator, read_answer, training_state
from ecgimn.study.store import Store, event_row

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
Key = Annotated[str, StringConstraints(pattern=r"^(composite:[a-z0-9_-]{1,60}|ptbxl:[0-9]{1,7})(@[0-9]{1,2})?$")]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{1,39}$")]
Moment = Annotated[str, StringConstraints(pattern=MOMENT), AfterValidator(_real_moment)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{0,40}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _/+.()-]{0,79}$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9 _/+.()-]{0,39}$")]
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
    earlier: bool = False


class CaseShape(_Shape):
    """A case of an audit."""

    ref: Ref
    digest: Sha
    labels: Annotated[list[Label], Field(max_length=MAX_CLASSES)]
    earlier: Ref = ""
    earlier_digest: Sha = ""


class DesignShape(_Shape):
    """How an audit is run as a study."""

    crossover: bool
    washout_days: Annotated[int, Field(ge=0, le=MAX_WASHOUT_DAYS)]
    uncertain: bool
    training: Annotated[list[CaseShape], Field(max_length=MAX_TRAINING)]
    pass_share: Share
    wrong_share: Share
    adjudicators: Annotated[list[Pseudonym], Field(max_length=MAX_ADJUDICATORS)]


class DefinitionShape(_Shape):
    """The definition of an audit; `Audit` checks how its fields go together."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    model: Name
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
    design: DesignShape | None = None


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
    """A reader paused, or put a case off."""


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


class TrainingAnswer(_Shape):
    """What was answered to a training case."""

    round: Annotated[int, Field(ge=1, le=MAX_EVENTS)]
    primary: Label
    right: bool


class Adjudication(Revision):
    """What an adjudicator decided."""

    text: Text


PAYLOADS: dict[str, type[_Shape]] = {
    "opened": Opened, "paused": Paused, "later": Paused, "draft": Draft, "blind": Blind, "model": Shown,
    "evidence": EvidenceShown, "revision": Revision, "rating": RatingGiven, "training": TrainingAnswer,
    "adjudication": Adjudication,
}  # fmt: skip


class EventShape(_Shape):
    """One event of the log; its payload is checked by `PAYLOADS`."""

    uid: Uid
    study_uid: Sha
    reader_uid: Uid
    number: Annotated[int, Field(ge=1, le=MAX_EVENTS)]
    case_id: Key
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
    model: Name
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


FORMAT, FORMAT_VERSION = "ecgimn-study", 2
UNSIGNED_VERSION = 1  # of exports that were made before there were signatures
MAX_BYTES = 96 * 2**20
MAX_MAPS_BYTES = 64 * 2**20  # of all maps unpacked: 2,000 cases, five classes, 10 s


@dataclass(frozen=True, eq=False)
class StudyRecord:
    """All there is to know about an audit.

    Attributes
    ----------
    audit : Audit
    readers : dict of str to Reader
        By uid.
    events : tuple of Event
        Each reader's in order.
    evidence : dict of str to ModelAnswer
        By case.
    """

    audit: Audit
    readers: dict[str, Reader]
    events: tuple[Event, ...]
    evidence: dict[str, ModelAnswer]

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions of the app that wrote the log."""
        return tuple(sorted({event.app_version for event in self.events} | {self.audit.app_version} - {""}))

    @property
    def log_digest(self) -> str:
        """SHA-256 over the last digest of every reader: equal logs have equal digests."""
        last = {event.reader_uid: event.digest for event in self.events}
        return hashlib.sha256(canonical(sorted(last.items())).encode()).hexdigest()


def export_study(store: Store, uid: str) -> dict[str, Any]:
    """Return the record of an audit as JSON values, with a digest and the signature of this site.

    Passphrases are not in it, and of readers only pseudonym and site.
    """
    private_key = store.signing_key()
    site = {"uid": store.site_uid, "public_key": public_key(private_key)}
    content = {**_content(store, uid), "site": site}
    digest = _digest(content)
    return {**content, "digest": digest, "signature": sign(private_key, digest)}


def _content(store: Store, uid: str) -> dict[str, Any]:
    events = store.events(uid)
    here = {event.reader_uid for event in events}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "intended_use": INTENDED_USE,
        "app_version": __version__,
        "exported_at": now(),
        "definition": json.loads(store.definition(uid)),
        "readers": [asdict(reader) for reader in store.readers() if reader.uid in here],
        "events": [asdict(event) for event in events],
        "evidence": store.evidence(uid),
    }


def parse_export(data: bytes) -> dict[str, Any]:
    """Return an export as JSON values, checked to be whole, unchanged and in every field as this app writes it.

    Raises
    ------
    StudyError
        It is no export, of another version, cut off, changed, or signed by another key than it names.
    """
    if len(data) > MAX_BYTES:
        raise StudyError(f"The file has {len(data) >> 20} MB. An export has less than {MAX_BYTES >> 20} MB.")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise _no_export("it is no JSON") from exc
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _no_export("it was not written by this app")
    version = content.get("format_version")
    if version not in (FORMAT_VERSION, UNSIGNED_VERSION) or isinstance(version, bool):
        raise StudyError(
            f"The export has a version that this app does not know; version {FORMAT_VERSION} is needed. "
            "Export the study with the same version of the app."
        )
    stated, signature = content.pop("digest", None), content.pop("signature", None)
    try:
        digest = _digest(content)
    except (ValueError, RecursionError) as exc:  # a number that is none, half a letter, or no end of brackets
        raise _no_export("it holds what JSON cannot hold") from exc
    if stated != digest:
        raise _no_export("it was changed after it was written")
    fault = fault_of(content)
    if fault is not None:
        raise _no_export(fault)
    if version == UNSIGNED_VERSION:
        if signature is not None or "site" in content:
            raise _no_export("an export of that version has no signature")
        return {**content, "digest": digest}
    if content.get("site") is None or not isinstance(signature, str):
        raise _no_export("its signature is missing")
    if not is_signed(content["site"]["public_key"], digest, signature):
        raise _no_export("its signature does not fit, so it was changed after it was signed")
    return {**content, "digest": digest, "signature": signature}


def read_export(data: bytes) -> dict[str, Any]:
    """Return an export from outside as `parse_export` does, after the limited child process has read all of it.

    Raises
    ------
    StudyError
        As `parse_export` and `record_of` raise it, or it takes more computing or memory than an export of its size.
    """
    if len(data) > MAX_BYTES:
        return parse_export(data)
    try:
        look_in_child(f"{__name__}:look_at_export", data)
    except RecordingError as exc:
        raise StudyError(
            "Reading the export took more computing or memory than an export of its size needs, so it was stopped. "
            "An export as written is needed. Export it again."
        ) from exc
    return parse_export(data)


def look_at_export(data: bytes) -> int:
    """Read all of an export and return how many events it holds; raises `StudyError`. For the child process."""
    return len(record_of(parse_export(data)).events)


@dataclass(frozen=True)
class Signer:
    """Who signed an export: the site, its public key, and whether that key is known here as that site's.

    `standing` is "known", "new" (the site is not known here yet) or "other" (the site has another key here).
    """

    site_uid: str
    public_key: str
    standing: str

    @property
    def fingerprint(self) -> str:
        """Return what to compare with the site."""
        return fingerprint(self.public_key)


def signer_of(content: Mapping[str, Any], known: Mapping[str, str]) -> Signer | None:
    """Return who signed a parsed export, or None for one without a signature.

    Parameters
    ----------
    content : mapping
        Of `parse_export`.
    known : mapping of str to str
        Public keys by site, of `Store.known_keys`.
    """
    site = content.get("site")
    if site is None:
        return None
    kept = known.get(site["uid"])
    standing = "new" if kept is None else "known" if kept == site["public_key"] else "other"
    return Signer(site["uid"], site["public_key"], standing)


def record_of(content: Mapping[str, Any]) -> StudyRecord:
    """Return the record that an export holds; raises `StudyError` where its log has gaps or was changed."""
    fault = fault_of({name: value for name, value in content.items() if name not in ("digest", "signature")})
    if fault is not None:
        raise _no_export(fault)
    audit = read_audit(canonical(content["definition"]))
    refs = {case.ref for case in audit.cases}
    readers = {row["uid"]: Reader(**row) for row in content["readers"]}
    if len({(reader.site_uid, reader.pseudonym) for reader in readers.values()}) < len(content["readers"]):
        raise _no_export("a reader is in it twice")
    events = tuple(Event(**row) for row in content["events"])
    if len({event.uid for event in events}) < len(events):
        raise _no_export("an event is in it twice")
    arms = {uid: {planned.key: planned.arm for planned in plan(audit, uid)} for uid in readers}
    labels = {case.ref: case.labels for case in audit.design.training} if audit.design is not None else {}
    by_reader: dict[str, list[Event]] = {uid: [] for uid in readers}
    for event in events:
        reader = readers.get(event.reader_uid)
        if reader is None or event.study_uid != audit.uid:
            raise _no_export("an event belongs to no reader, case or step of it")
        by_reader[event.reader_uid].append(event)
        if event.kind == "training" and event.case_id in labels:
            if event.payload["right"] != (event.payload["primary"] in labels[event.case_id]):
                raise _no_export("a training answer is not as this app writes it")
            continue
        if is_adjudicator(audit, reader):
            judged = event.kind == "adjudication" and event.case_id in refs
            if not judged or check_answer(audit, audit.arms[0], event.kind, event.payload) != event.payload:
                raise _no_export("an adjudicator did what none does")
            continue
        arm = arms[event.reader_uid].get(event.case_id)
        if arm is None or event.kind == "training" or event.kind not in (*arm.steps, *FREE):
            raise _no_export("an event belongs to no reader, case or step of it")
        if not _is_possible(audit, arm, event):
            raise _no_export("an answer is not as this app writes it")
    for uid, log in by_reader.items():
        if not is_unbroken(log):
            raise _no_export(f"the log of {readers[uid].pseudonym} has a gap or was changed")
        if not is_adjudicator(audit, readers[uid]) and not (_in_order(arms[uid], log) and _was_trained(audit, log)):
            raise _no_export(f"the log of {readers[uid].pseudonym} has steps in an order that cannot be")
    if not set(content["evidence"]) <= refs:
        raise _no_export("the model answers a case that is none of it")
    if sum(2 * math.prod(answer["shape"]) for answer in content["evidence"].values()) > MAX_MAPS_BYTES:
        raise _no_export(f"its maps take more than {MAX_MAPS_BYTES >> 20} MB")
    evidence = {ref: read_answer(answer) for ref, answer in content["evidence"].items()}
    for answer in evidence.values():
        if answer.classes != audit.classes or answer.model_sha256 != audit.model_sha256:
            raise _no_export("another model than the audit's answers in it")
    return StudyRecord(audit, readers, events, evidence)


def _is_possible(audit: Audit, arm: Arm, event: Event) -> bool:
    """Whether an event's payload is one that the app would have kept in this arm."""
    try:
        if event.kind in ANSWERED:
            return check_answer(audit, arm, event.kind, event.payload) == event.payload
        if event.kind == "model":
            return event.payload["called"] in audit.classes and set(event.payload["probability"]) == set(audit.classes)
        if event.kind == "evidence":
            return bool(event.payload["method"] == arm.method)
        if event.kind == "draft":
            named = (event.payload["content"].get("primary"), *(event.payload["content"].get("also") or ()))
            for field in ("boxes", "missed", "invented"):
                for box in event.payload["content"].get(field) or ():
                    read_box(box)
            return set(named) - {None} <= set(audit.diagnoses)
    except StudyError:
        return False
    return True


def _in_order(arms: Mapping[str, Arm], log: Iterable[Event]) -> bool:
    """Whether each case's steps were committed once and in the order of its arm."""
    done: dict[str, int] = dict.fromkeys(arms, 0)
    for event in sorted(log, key=lambda event: event.number):
        if event.kind in ONCE:
            if event.kind != (*arms[event.case_id].steps, None)[done[event.case_id]]:
                return False
            done[event.case_id] += 1
    return True


def _was_trained(audit: Audit, log: Sequence[Event]) -> bool:
    """Whether the training was passed before the first step of a case."""
    first = min((event.number for event in log if event.kind in ONCE), default=None)
    return first is None or training_state(audit, (event for event in log if event.number < first)).passed


def study_record(store: Store, uid: str) -> StudyRecord:
    """Return the record of an audit in a store, by the same way as from an export."""
    return record_of(_content(store, uid))


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(content)).encode()).hexdigest()


def _no_export(found: str) -> StudyError:
    return StudyError(
        f"The file is no usable export of a study: {found}. An export as written is needed. Export it again."
    )


@dataclass(frozen=True)
class Merged:
    """What an import added, and how many readers of third sites it left out; `signer` is None without a signature."""

    study_uid: str
    name: str
    new_study: bool
    n_readers: int
    n_events: int
    n_left_out: int
    signer: Signer | None


def import_study(store: Store, content: Mapping[str, Any]) -> Merged:
    """Add an export to a store, in one transaction; importing it again adds nothing.

    Readers of this site are never touched: of them an export may only hold what is known here. The key that signs a
    site's first import is kept, and later ones must be signed by it. Readers of a third site whose key is known here
    come from that site alone; what another site's export adds to them is left out.

    Parameters
    ----------
    store : Store
    content : mapping
        Of `parse_export`.

    Raises
    ------
    StudyError
        The export cannot be used, is not signed by the key of its site, holds another history of a reader that is known
        here, or something new of a reader of this site.
    """
    record = record_of(content)
    audit, known = record.audit, store.known_keys()
    signer = signer_of(content, known)
    if signer is not None and signer.standing == "other":
        raise StudyError(
            "The export names a site that signed with another key before. The site's own key is needed. Ask the site "
            "whether it set its app up again, and compare the fingerprints: python -m ecgimn study verify FILE."
        )
    author = None if signer is None else signer.site_uid
    taken = {
        uid: reader
        for uid, reader in record.readers.items()
        if reader.site_uid in (author, store.site_uid) or reader.site_uid not in known
    }
    for uid, reader in taken.items():
        if reader.site_uid == store.site_uid:
            _refuse_new_of_own(store, record, uid)
    try:
        with store.write() as session:
            is_new = session.get(StudyRow, audit.uid) is None
            if is_new:
                session.add(
                    StudyRow(uid=audit.uid, name=audit.name, kind=KIND, definition=audit.text, created_at=now())
                )
                session.flush()
            _add_sites(session, {reader.site_uid for reader in taken.values()}, signer)
            n_readers = _add_readers(session, taken.values())
            n_events = _add_events(session, record, taken)
            for ref, answer in record.evidence.items():
                if session.get(EvidenceRow, (audit.uid, ref)) is None:
                    session.add(EvidenceRow(study_uid=audit.uid, case_id=ref, content=canonical(answer.as_json())))
    except IntegrityError as exc:
        raise StudyError(
            "The export names a reader or an answer that is known here under another identity. Exports of other sites "
            "or of this very database are needed. Nothing was imported."
        ) from exc
    return Merged(audit.uid, audit.name, is_new, n_readers, n_events, len(record.readers) - len(taken), signer)


def _refuse_new_of_own(store: Store, record: StudyRecord, uid: str) -> None:
    reader = record.readers[uid]
    told = [event for event in record.events if event.reader_uid == uid]
    kept = {event.number: event.digest for event in store.events(record.audit.uid, uid)}
    if reader not in store.readers() or any(kept.get(event.number) != event.digest for event in told):
        raise StudyError(
            f"The export holds answers of {reader.pseudonym}, a reader of this site, that are not known here. Answers "
            "of this site's readers are given here and never imported. Nothing was imported."
        )


def _add_sites(session: Session, uids: set[str], signer: Signer | None) -> None:
    for uid in sorted(uids | ({signer.site_uid} if signer is not None else set())):
        if session.get(SiteRow, uid) is None:
            session.add(SiteRow(uid=uid, name=f"site {uid[:6]}", mine=False))
            session.flush()
    if signer is not None:
        site = session.get_one(SiteRow, signer.site_uid)
        if site.public_key is None:
            site.public_key = signer.public_key
    session.flush()


def _add_readers(session: Session, readers: Iterable[Reader]) -> int:
    n_new = 0
    for reader in readers:
        row = session.get(ReaderRow, reader.uid)
        if row is None:
            session.add(
                ReaderRow(
                    uid=reader.uid, site_uid=reader.site_uid, pseudonym=reader.pseudonym, key=None, created_at=now()
                )
            )
            n_new += 1
        elif (row.site_uid, row.pseudonym) != (reader.site_uid, reader.pseudonym):
            raise StudyError(
                f"The reader {reader.pseudonym} of the export has another pseudonym or site here. One identity of each "
                "reader is needed. Nothing was imported."
            )
    session.flush()
    return n_new


def _add_events(session: Session, record: StudyRecord, readers: Mapping[str, Reader]) -> int:
    """Add what each reader did beyond what is known; both histories must agree as far as both go."""
    n_new = 0
    for uid, reader in readers.items():
        mine = (EventRow.study_uid == record.audit.uid, EventRow.reader_uid == uid)
        known = {
            row.number: row.digest for row in session.execute(select(EventRow.number, EventRow.digest).where(*mine))
        }
        for event in (event for event in record.events if event.reader_uid == uid):
            if event.number not in known:
                session.add(event_row(event))
                n_new += 1
            elif known[event.number] != event.digest:
                raise StudyError(
                    f"The export holds another history of {reader.pseudonym} than the one known here. One history of "
                    "each reader is needed. Ask the site which of the two is right; nothing was imported."
                )
    return n_new
