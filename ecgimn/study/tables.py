"""The tables of the study database. What was answered is a log: rows of `event` are added, never changed."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of all tables."""


class SiteRow(Base):
    """A place where studies are read: this installation (`mine`), or one whose export was imported."""

    __tablename__ = "site"
    uid: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    mine: Mapped[bool]


class StudyRow(Base):
    """An audit or a teaching collection; `uid` is the SHA-256 of its definition, so it is the same at every site."""

    __tablename__ = "study"
    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    definition: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[str] = mapped_column(String(32))


class ReaderRow(Base):
    """A reader: a pseudonym at a site; `key` is the scrypt hash of a passphrase, if one was chosen."""

    __tablename__ = "reader"
    __table_args__ = (UniqueConstraint("site_uid", "pseudonym"),)
    uid: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_uid: Mapped[str] = mapped_column(ForeignKey("site.uid"))
    pseudonym: Mapped[str] = mapped_column(String(80))
    key: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[str] = mapped_column(String(32))


class EventRow(Base):
    """One thing that a reader did.

    `number` counts a reader's events in a study without a gap. `once` is the kind of an event that may happen only once
    per case, else null; nulls do not collide. `digest` covers the event and the reader's one before it.
    """

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("study_uid", "reader_uid", "number"),
        UniqueConstraint("study_uid", "reader_uid", "case_id", "once"),
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("study.uid"))
    reader_uid: Mapped[str] = mapped_column(ForeignKey("reader.uid"))
    number: Mapped[int]
    case_id: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(20))
    once: Mapped[str | None] = mapped_column(String(20))
    payload: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(String(32))
    app_version: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))


class EvidenceRow(Base):
    """What the model said about a case of a study, with its maps in bins of time; the same for all readers."""

    __tablename__ = "evidence"
    study_uid: Mapped[str] = mapped_column(ForeignKey("study.uid"), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
