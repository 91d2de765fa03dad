"""Takes the export of another site into the own store: new readers and events are added, nothing is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ecgimn.errors import StudyError
from ecgimn.study.definition import KIND
from ecgimn.study.events import now
from ecgimn.study.record import StudyRecord, record_of
from ecgimn.study.store import Store, event_row
from ecgimn.study.tables import EventRow, ReaderRow, SiteRow


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
