"""The complete record of an audit: definition, readers, log and model answers; as one JSON file and back.

Importing adds the new readers and events of another site and replaces nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ecgimn import __version__
from ecgimn.about import INTENDED_USE
from ecgimn.errors import StudyError
from ecgimn.study.answers import ANSWERED, check_answer
from ecgimn.study.database import EventRow, ReaderRow, SiteRow
from ecgimn.study.definition import KIND, Audit, plan, read_audit
from ecgimn.study.events import FREE, Event, Reader, canonical, is_unbroken, now
from ecgimn.study.evidence import ModelAnswer, read_answer
from ecgimn.study.store import Store, event_row

FORMAT, FORMAT_VERSION = "ecgimn-study", 1
MAX_BYTES = 256 * 2**20


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
    """Return the record of an audit as JSON values, with a digest of its own.

    Passphrases are not in it, and of readers only pseudonym and site.
    """
    events = store.events(uid)
    here = {event.reader_uid for event in events}
    content = {
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
    return {**content, "digest": _digest(content)}


def parse_export(data: bytes) -> dict[str, Any]:
    """Return an export as JSON values, checked to be whole and unchanged.

    Raises
    ------
    StudyError
        It is no export, of another version, cut off or changed.
    """
    if len(data) > MAX_BYTES:
        raise StudyError(f"The file has {len(data) >> 20} MB. An export has less than {MAX_BYTES >> 20} MB.")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise _no_export("it is no JSON") from exc
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _no_export("it was not written by this app")
    if content.get("format_version") != FORMAT_VERSION:
        raise StudyError(
            f"The export has version {content.get('format_version')!r}; version {FORMAT_VERSION} is needed. "
            "Export the study with the same version of the app."
        )
    stated = content.pop("digest", None)
    if stated != _digest(content):
        raise _no_export("it was changed after it was written")
    return {**content, "digest": stated}


def record_of(content: Mapping[str, Any]) -> StudyRecord:
    """Return the record that an export holds; raises `StudyError` where its log has gaps or was changed."""
    try:
        audit = read_audit(canonical(content["definition"]))
        readers = {row["uid"]: Reader(**row) for row in content["readers"]}
        events = tuple(Event(**row) for row in content["events"])
        evidence = {str(ref): read_answer(answer) for ref, answer in content["evidence"].items()}
    except (KeyError, TypeError, AttributeError) as exc:
        raise _no_export("a part is missing") from exc
    arms = {uid: {planned.case.ref: planned.arm for planned in plan(audit, uid)} for uid in readers}
    for uid in readers:
        if not is_unbroken(event for event in events if event.reader_uid == uid):
            raise _no_export(f"the log of {readers[uid].pseudonym} has a gap or was changed")
    for event in events:
        arm = arms.get(event.reader_uid, {}).get(event.case_id)
        if arm is None or event.study_uid != audit.uid or event.kind not in (*arm.steps, *FREE):
            raise _no_export("an event belongs to no reader, case or step of it")
        if event.kind in ANSWERED and check_answer(audit, arm, event.kind, event.payload) != event.payload:
            raise _no_export("an answer is not as this app writes it")
    return StudyRecord(audit, readers, events, evidence)


def study_record(store: Store, uid: str) -> StudyRecord:
    """Return the record of an audit in a store, by the same way as from an export."""
    return record_of(export_study(store, uid))


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(content)).encode()).hexdigest()


def _no_export(found: str) -> StudyError:
    return StudyError(
        f"The file is no usable export of a study: {found}. An export as written is needed. Export it again."
    )


@dataclass(frozen=True)
class Merged:
    """What an import added."""

    study_uid: str
    name: str
    new_study: bool
    n_readers: int
    n_events: int


def import_study(store: Store, content: Mapping[str, Any]) -> Merged:
    """Add an export to a store, in one transaction; importing it again adds nothing.

    Parameters
    ----------
    store : Store
    content : mapping
        Of `parse_export`.

    Raises
    ------
    StudyError
        The export cannot be used, or holds another history of a reader that is known here.
    """
    record = record_of(content)
    audit = record.audit
    is_new = store.add_study(audit.uid, audit.name, KIND, audit.text)
    try:
        with store.write() as session:
            n_readers = _add_readers(session, record)
            n_events = _add_events(session, record)
    except IntegrityError as exc:
        raise StudyError(
            "The export names a reader or an answer that is known here under another identity. Exports of other sites "
            "or of this very database are needed. Nothing was imported."
        ) from exc
    for ref, answer in record.evidence.items():
        store.keep_evidence(audit.uid, ref, answer.as_json())
    return Merged(audit.uid, audit.name, is_new, n_readers, n_events)


def _add_readers(session: Session, record: StudyRecord) -> int:
    n_new = 0
    for reader in record.readers.values():
        if session.get(SiteRow, reader.site_uid) is None:
            session.add(SiteRow(uid=reader.site_uid, name=f"site {reader.site_uid[:6]}", mine=False))
            session.flush()
        if session.get(ReaderRow, reader.uid) is None:
            session.add(
                ReaderRow(
                    uid=reader.uid, site_uid=reader.site_uid, pseudonym=reader.pseudonym, key=None, created_at=now()
                )
            )
            n_new += 1
    session.flush()
    return n_new


def _add_events(session: Session, record: StudyRecord) -> int:
    """Add what each reader did beyond what is known; both histories must agree as far as both go."""
    n_new = 0
    for uid, reader in record.readers.items():
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
