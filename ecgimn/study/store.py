"""Keeps studies, readers and answers: each answer is committed once and then frozen, behind passphrases where set."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from ecgimn import __version__
from ecgimn.errors import StudyError
from ecgimn.study.database import (
    READ_ONLY,
    EventRow,
    EvidenceRow,
    GuessRow,
    ReaderRow,
    SiteRow,
    StudyRow,
    database_url,
    file_of,
    open_engine,
    unreachable,
)
from ecgimn.study.definition import ONCE, Event, Reader, canonical, now
from ecgimn.study.keys import check_new, fits, hash_passphrase, is_outdated, new_key, public_key, wait_s

PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{1,39}")


class Store:
    """Studies, readers and what they answered.

    Parameters
    ----------
    engine : Engine
        Of `ecgimn.study.database.open_engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._file = file_of(engine)
        self.site_uid = self._own_site()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction; committed at the end of the block, or not at all.

        Raises
        ------
        StudyError
            The database does not answer, or its file was taken away or replaced under the app: what SQLite then writes
            goes to a file without a name, and is gone when the app ends.
        """
        try:
            with Session(self.engine) as session, session.begin():
                yield session
            if file_of(self.engine) != self._file:
                raise StudyError(
                    "The file of the study database was taken away or replaced while the app runs, and nothing was "
                    "saved. The file that the app opened is needed. Put it back, then restart the app."
                )
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError) as exc:
            raise unreachable() from exc

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent look at the database."""
        try:
            with Session(self.engine.execution_options(**READ_ONLY)) as session:
                yield session
        except (DBAPIError, PoolTimeoutError) as exc:
            raise unreachable() from exc

    # Studies.

    def add_study(self, uid: str, name: str, kind: str, definition: str) -> bool:
        """Keep a study; return whether it is new here. A study is never changed."""
        try:
            with self.write() as session:
                if session.get(StudyRow, uid) is not None:
                    return False
                session.add(StudyRow(uid=uid, name=name, kind=kind, definition=definition, created_at=now()))
        except IntegrityError:  # somebody else added it in between
            return False
        return True

    def studies(self, kind: str) -> dict[str, str]:
        """Return names by uid, the newest study first."""
        with self.read() as session:
            rows = session.execute(
                select(StudyRow.uid, StudyRow.name).where(StudyRow.kind == kind).order_by(StudyRow.created_at.desc())
            )
            return {row.uid: row.name for row in rows}

    def definition(self, uid: str) -> str:
        """Return the definition of a study as it was written."""
        with self.read() as session:
            return self._study(session, uid).definition

    def _study(self, session: Session, uid: str) -> StudyRow:
        row = session.get(StudyRow, uid)
        if row is None:
            raise StudyError(f"There is no study {uid[:8]} here. One that was made or imported is needed. Choose one.")
        return row

    # The coordinator, to whom set-up, labels, results, exports and imports belong.

    def has_coordinator(self) -> bool:
        """Whether a coordinator's passphrase was chosen on this site."""
        return self._coordinator_key() is not None

    def set_coordinator(self, passphrase: str, *, again: bool = False) -> None:
        """Choose the coordinator's passphrase; `again` replaces the one chosen before, on the machine itself only.

        Raises
        ------
        StudyError
            It is too short, or one was chosen before.
        """
        check_new(passphrase)
        key = hash_passphrase(passphrase)
        with self.write() as session:
            _queue(session, "coordinator")
            row = session.get_one(SiteRow, self.site_uid)
            if row.key is not None and not again:
                raise StudyError("A coordinator's passphrase was chosen here before. Type it to go on.")
            row.key = key
            session.execute(delete(GuessRow).where(GuessRow.subject == "coordinator"))

    def is_coordinator(self, passphrase: str) -> bool:
        """Whether this is the coordinator's passphrase; raises `StudyError` after too many wrong ones."""
        key = self._coordinator_key()
        return key is not None and self._guess("coordinator", passphrase, key, SiteRow, self.site_uid)

    def has_own_passphrase(self, uid: str) -> bool:
        """Whether a study has a passphrase of its own, from an older version, in place of the coordinator's."""
        with self.read() as session:
            return self._study(session, uid).key is not None

    def opens_results(self, uid: str, passphrase: str) -> bool:
        """Whether a passphrase opens the results of a study; raises `StudyError` after too many wrong ones."""
        with self.read() as session:
            key = self._study(session, uid).key
        # A study is never changed, so an old hash of its own stays as it is.
        return self.is_coordinator(passphrase) if key is None else self._guess(f"study {uid}", passphrase, key)

    def _coordinator_key(self) -> str | None:
        with self.read() as session:
            return session.get_one(SiteRow, self.site_uid).key

    def _guess(
        self,
        subject: str,
        passphrase: str,
        key: str,
        kept: type[SiteRow] | type[ReaderRow] | None = None,
        uid: str = "",
    ) -> bool:
        """Whether a passphrase fits; a wrong one counts, a right one brings an old hash up to date.

        It is counted before it is looked at, so that many at the same time are not looked at for nothing.
        """
        with self.write() as session:
            _queue(session, subject)
            row = session.get(GuessRow, subject)
            left, n_wrong = 0.0, 0 if row is None else row.n_wrong
            if row is None:
                session.add(GuessRow(subject=subject, n_wrong=1, last_at=now()))
            else:
                passed = (datetime.now(UTC) - datetime.fromisoformat(row.last_at)).total_seconds()
                left = wait_s(n_wrong) - max(passed, 0.0)
                if left <= 0:
                    row.n_wrong, row.last_at = n_wrong + 1, now()
                elif passed < 0:  # the clock was set back: the wait begins again, and ends
                    row.last_at = now()
        if left > 0:
            raise StudyError(
                f"{n_wrong} wrong passphrases were typed in a row. The next one is looked at in {math.ceil(left)} s. "
                "Wait, then type it again."
            )
        if not fits(passphrase, key):
            return False
        renewed = hash_passphrase(passphrase) if kept is not None and is_outdated(key) else None
        with self.write() as session:
            session.execute(delete(GuessRow).where(GuessRow.subject == subject))
            if renewed is not None and kept is not None:
                session.execute(update(kept).where(kept.uid == uid).values(key=renewed))
        return True

    # Signatures.

    def signing_key(self) -> str:
        """Return the private key of this site, made when it is first needed."""
        with self.write() as session:
            _queue(session, "signing key")
            row = session.get_one(SiteRow, self.site_uid)
            if row.private_key is None:
                row.private_key = new_key()
                row.public_key = public_key(row.private_key)
            return row.private_key

    def known_keys(self) -> dict[str, str]:
        """Return the public keys of this site and of those that signed an import, by site."""
        with self.read() as session:
            rows = session.execute(select(SiteRow.uid, SiteRow.public_key).where(SiteRow.public_key.is_not(None)))
            return {row.uid: row.public_key for row in rows}

    # Readers.

    def sign_in(self, pseudonym: str, passphrase: str = "") -> tuple[Reader, bool]:
        """Return the reader of a pseudonym, and whether it is new; a new one keeps the passphrase, if any.

        Raises
        ------
        StudyError
            The pseudonym cannot be used, the passphrase does not fit, is too short for a new pseudonym, was guessed too
            often, or was typed for a pseudonym that has none.
        """
        pseudonym = pseudonym.strip()
        if not PSEUDONYM.fullmatch(pseudonym):
            raise StudyError(
                "The pseudonym cannot be used. 2 to 40 letters, digits, blanks, dots, dashes or underscores are "
                "needed, beginning with a letter or digit. Choose another; never your own name."
            )
        with self.read() as session:
            row = self._reader(session, pseudonym)
        if row is None:
            if passphrase:
                check_new(passphrase)
            made = ReaderRow(
                uid=uuid.uuid4().hex, site_uid=self.site_uid, pseudonym=pseudonym,
                key=hash_passphrase(passphrase) if passphrase else None, created_at=now(),
            )  # fmt: skip
            reader = Reader(made.uid, pseudonym, self.site_uid)
            try:
                with self.write() as session:
                    session.add(made)
            except IntegrityError:  # the same pseudonym signed in at this very moment
                return self.sign_in(pseudonym, passphrase)
            return reader, True
        if row.account is not None:
            raise StudyError(
                f"The pseudonym {pseudonym!r} belongs to an account of the sign-on. That account is needed. Sign on "
                "with it, or choose another pseudonym."
            )
        if row.key is None and passphrase:
            raise StudyError(
                f"The pseudonym {pseudonym!r} is in use and has no passphrase, so the one typed protects nothing. "
                "Leave the passphrase empty to go on as this reader, and protect the pseudonym then; or choose another."
            )
        if row.key is not None and not self._guess(f"reader {row.uid}", passphrase, row.key, ReaderRow, row.uid):
            raise StudyError(
                f"The passphrase does not fit the pseudonym {pseudonym!r}. The one it was first used with is needed. "
                "Type it again, or choose another pseudonym."
            )
        return Reader(row.uid, row.pseudonym, row.site_uid), False

    def account_of(self, subject: str) -> str:
        """Return what stands for a name at the sign-on in the database: a hash keyed with this site's own secret."""
        key = hashlib.sha256(b"account " + self.signing_key().encode()).digest()
        return hmac.new(key, subject.encode(), hashlib.sha256).hexdigest()

    def reader_of(self, subject: str) -> Reader | None:
        """Return the reader whom somebody known by the sign-on is here, or None before a pseudonym was chosen."""
        wanted = (ReaderRow.site_uid == self.site_uid, ReaderRow.account == self.account_of(subject))
        with self.read() as session:
            row = session.scalars(select(ReaderRow).where(*wanted)).one_or_none()
            return None if row is None else Reader(row.uid, row.pseudonym, row.site_uid)

    def join(self, subject: str, pseudonym: str, passphrase: str = "") -> Reader:
        """Give somebody known by the sign-on a pseudonym, once; nobody else can use it from then on.

        Parameters
        ----------
        subject : str
            The name at the sign-on.
        pseudonym : str
            A new one, or one that was used here before with a passphrase.
        passphrase : str
            Of a pseudonym that was used before.

        Raises
        ------
        StudyError
            As of `sign_in`; or the pseudonym was used before without a passphrase, so nobody can say whose it is.
        """
        known, account = self.reader_of(subject), self.account_of(subject)
        if known is not None:
            return known
        with self.read() as session:
            before = self._reader(session, pseudonym.strip())
        if before is not None and before.key is None and before.account is None:
            raise StudyError(
                f"The pseudonym {pseudonym.strip()!r} was used before without a passphrase, so whose it is cannot be "
                "told. A new one is needed. Choose another pseudonym."
            )
        reader, _ = self.sign_in(pseudonym, passphrase if before is not None else "")
        try:
            with self.write() as session:
                row = session.get_one(ReaderRow, reader.uid)
                if row.account is not None:
                    raise StudyError(f"The pseudonym {reader.pseudonym!r} was taken just now. Choose another.")
                row.account = account
        except IntegrityError as exc:  # the same account chose another pseudonym in another window at this moment
            raise StudyError("A pseudonym was chosen for this account in another window. Open the page again.") from exc
        return reader

    def protect(self, reader: Reader, passphrase: str) -> None:
        """Put a passphrase before a pseudonym that has none; raises `StudyError`."""
        check_new(passphrase)
        key = hash_passphrase(passphrase)
        with self.write() as session:
            row = session.get(ReaderRow, reader.uid)
            if row is None or row.key is not None or row.site_uid != self.site_uid:
                raise StudyError(
                    "This pseudonym has a passphrase already, or is none of this site. Sign in again with it."
                )
            row.key = key

    def is_guarded(self, reader_uid: str) -> bool:
        """Whether a reader's pseudonym lies behind a passphrase; False for a reader who is not kept here."""
        with self.read() as session:
            row = session.get(ReaderRow, reader_uid)
            return row is not None and (row.key is not None or row.account is not None)

    def readers(self) -> tuple[Reader, ...]:
        """Return all readers, of imported sites too."""
        with self.read() as session:
            rows = session.scalars(select(ReaderRow).order_by(ReaderRow.pseudonym, ReaderRow.uid))
            return tuple(Reader(row.uid, row.pseudonym, row.site_uid) for row in rows)

    def _reader(self, session: Session, pseudonym: str) -> ReaderRow | None:
        wanted = (ReaderRow.site_uid == self.site_uid, ReaderRow.pseudonym == pseudonym)
        return session.scalars(select(ReaderRow).where(*wanted)).one_or_none()

    # The log.

    def append(self, study_uid: str, reader_uid: str, case_id: str, kind: str, payload: Mapping[str, Any]) -> Event:
        """Add one event to the log; it is on disk when this returns.

        Raises
        ------
        StudyError
            A step that may happen once was committed before, or the database does not answer.
        """
        content = json.loads(canonical(dict(payload)))
        try:
            with self.write() as session:
                _queue(session, f"{study_uid} {reader_uid}")
                mine = (EventRow.study_uid == study_uid, EventRow.reader_uid == reader_uid)
                last = session.execute(
                    select(EventRow.number, EventRow.digest).where(*mine).order_by(EventRow.number.desc()).limit(1)
                ).first()
                number, before = (last.number + 1, last.digest) if last is not None else (1, "")
                event = Event(
                    uuid.uuid4().hex, study_uid, reader_uid, number, case_id, kind, content, now(), __version__, ""
                )
                event = replace(event, digest=event.expected_digest(before))
                session.add(event_row(event))
            return event
        except IntegrityError as exc:
            raise StudyError(
                "This answer was already submitted, in another window perhaps. A submitted answer stays as it is. "
                "Go on from there."
            ) from exc

    def events(self, study_uid: str, reader_uid: str | None = None, case_id: str | None = None) -> tuple[Event, ...]:
        """Return the log of a study, of one reader or of one case of a reader, in the order of each reader."""
        wanted = [EventRow.study_uid == study_uid]
        if reader_uid is not None:
            wanted.append(EventRow.reader_uid == reader_uid)
        if case_id is not None:
            wanted.append(EventRow.case_id == case_id)
        with self.read() as session:
            rows = session.scalars(select(EventRow).where(*wanted).order_by(EventRow.reader_uid, EventRow.number))
            return tuple(_event(row) for row in rows)

    def n_events(self, study_uid: str) -> int:
        """Return how many events the log of a study holds."""
        with self.read() as session:
            return session.scalar(select(func.count()).where(EventRow.study_uid == study_uid)) or 0

    # What the model said.

    def keep_evidence(self, study_uid: str, case_id: str, content: Mapping[str, Any]) -> None:
        """Keep what the model said about a case; the first word stands."""
        try:
            with self.write() as session:
                if session.get(EvidenceRow, (study_uid, case_id)) is None:
                    session.add(EvidenceRow(study_uid=study_uid, case_id=case_id, content=canonical(dict(content))))
        except IntegrityError:  # another reader was a moment earlier
            return

    def evidence(self, study_uid: str) -> dict[str, dict[str, Any]]:
        """Return what the model said, by case."""
        with self.read() as session:
            rows = session.scalars(select(EvidenceRow).where(EvidenceRow.study_uid == study_uid))
            return {row.case_id: json.loads(row.content) for row in rows}

    def _own_site(self) -> str:
        for _ in range(2):
            with self.read() as session:
                uid = session.scalar(select(SiteRow.uid).where(SiteRow.mine).order_by(SiteRow.uid).limit(1))
            if uid is not None:
                return uid
            with self.write() as session:
                if session.scalar(select(func.count()).where(SiteRow.mine)) == 0:
                    uid = uuid.uuid4().hex
                    session.add(SiteRow(uid=uid, name=f"site {uid[:6]}", mine=True))
        raise unreachable()


def open_store(url: str | None = None) -> Store:
    """Open the study store of this machine, or the one at an address; raises `StudyError`."""
    return Store(open_engine(url or database_url()))


def _queue(session: Session, key: str) -> None:
    """Let the windows of one reader write one after the other; in SQLite every transaction that writes does."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def event_row(event: Event) -> EventRow:
    """Return an event as a row of the log."""
    return EventRow(
        uid=event.uid, study_uid=event.study_uid, reader_uid=event.reader_uid, number=event.number,
        case_id=event.case_id, kind=event.kind, once=event.kind if event.kind in ONCE else None,
        payload=canonical(event.payload), at=event.at, app_version=event.app_version, digest=event.digest,
    )  # fmt: skip


def _event(row: EventRow) -> Event:
    return Event(
        row.uid, row.study_uid, row.reader_uid, row.number, row.case_id, row.kind, json.loads(row.payload), row.at,
        row.app_version, row.digest,
    )  # fmt: skip
