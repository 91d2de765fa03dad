"""The tables of the study database, and how it is opened: SQLite in the user's data folder, or ECGIMN_DATABASE_URL.

What was answered is a log: rows of `event` are added, never changed. The database is migrated when opened. SQLite runs
with a write-ahead log and takes its write lock when a transaction begins, so two readers wait for each other for
milliseconds instead of failing, and a killed process loses nothing that was committed. The last flush is left to the
operating system (synchronous=NORMAL): after a power cut the file is whole, but the last seconds may be missing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from platformdirs import user_data_path
from sqlalchemy import (
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecgimn.errors import StudyError


class Base(DeclarativeBase):
    """Base of all tables."""


class SiteRow(Base):
    """A place where studies are read: this installation (`mine`), or one whose export was imported.

    `key` is the hash of the coordinator's passphrase and `private_key` signs exports; only this installation has them.
    `public_key` of another site is the one that signed its first import; later ones must be signed by it too.
    """

    __tablename__ = "site"
    uid: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    mine: Mapped[bool]
    key: Mapped[str | None] = mapped_column(String(200))
    private_key: Mapped[str | None] = mapped_column(String(64))
    public_key: Mapped[str | None] = mapped_column(String(64))


class StudyRow(Base):
    """An audit or a teaching collection; `uid` is the SHA-256 of its definition, so it is the same at every site.

    `key` is the hash of a passphrase of the study's own, which older versions offered at its set-up; it opens the
    results of that study. All others belong to the site's coordinator.
    """

    __tablename__ = "study"
    uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    definition: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[str] = mapped_column(String(32))


class ReaderRow(Base):
    """A reader: a pseudonym at a site; `key` is the hash of a passphrase, if one was chosen.

    `account` is a keyed hash of the name at the sign-on that the pseudonym belongs to; then nothing else opens it.
    """

    __tablename__ = "reader"
    __table_args__ = (
        UniqueConstraint("site_uid", "pseudonym"),
        Index("one_reader_an_account", "site_uid", "account", unique=True),
    )
    uid: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_uid: Mapped[str] = mapped_column(ForeignKey("site.uid"))
    pseudonym: Mapped[str] = mapped_column(String(80))
    key: Mapped[str | None] = mapped_column(String(200))
    account: Mapped[str | None] = mapped_column(String(64))
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


class GuessRow(Base):
    """Wrong passphrases in a row for one subject: the coordinator, a study's own passphrase, or a reader."""

    __tablename__ = "guess"
    subject: Mapped[str] = mapped_column(String(100), primary_key=True)
    n_wrong: Mapped[int]
    last_at: Mapped[str] = mapped_column(String(32))


class EvidenceRow(Base):
    """What the model said about a case of a study, with its maps in bins of time; the same for all readers."""

    __tablename__ = "evidence"
    study_uid: Mapped[str] = mapped_column(ForeignKey("study.uid"), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[str] = mapped_column(Text)


URL_VARIABLE = "ECGIMN_DATABASE_URL"
FILE_NAME = "studies.sqlite"
BUSY_MS = 20_000  # how long a transaction waits for another one before it gives up
READ_ONLY = {"ecgimn_read_only": True}
_MIGRATION_LOCK = 7305531  # any number that all processes agree on


def database_url() -> str:
    """Return where studies are kept on this machine."""
    named = os.environ.get(URL_VARIABLE, "").strip()
    return named or f"sqlite:///{user_data_path('ecgimn') / FILE_NAME}"


def open_engine(url: str, *, pool_size: int = 20) -> Engine:
    """Open a study database and bring it to the version that this app writes.

    Parameters
    ----------
    url : str
        "sqlite:///PATH" or "postgresql://USER:PASSWORD@HOST/NAME" (needs the psycopg package).
    pool_size : int
        Connections kept open.

    Raises
    ------
    StudyError
        The address does not parse, its driver is missing, the database does not answer or belongs to a newer app.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            _make_private_folder(parsed.database)
        engine = create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as exc:
        raise StudyError(
            f"{URL_VARIABLE} is not the address of a database. sqlite:///PATH or postgresql://USER@HOST/NAME is "
            "needed. Correct it, or unset it to keep studies in a file of your own."
        ) from exc
    except ModuleNotFoundError as exc:
        raise StudyError(
            f"The Python package {exc.name} is missing. A database server is reached through it. "
            "Install it (pip install 'psycopg[binary]'), or unset ECGIMN_DATABASE_URL."
        ) from exc
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with engine.begin() as connection:
            _migrate(connection)
    except CommandError as exc:
        raise StudyError(
            "The study database was written by a newer version of this app. Its version is needed. Update the app."
        ) from exc
    except SQLAlchemyError as exc:
        raise unreachable() from exc
    return engine


def file_of(engine: Engine) -> tuple[int, int] | None:
    """Return device and number of the file that an SQLite database has now; None without one, or for a server."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    try:
        found = os.stat(engine.url.database)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def unreachable() -> StudyError:
    """Return the error for a database that does not take a transaction."""
    return StudyError(
        "The study database does not answer, and nothing was saved. A running database, or a folder that can be "
        "written, is needed. Try again in a minute; if it stays so, look at ECGIMN_DATABASE_URL and the disk."
    )


def _make_private_folder(path: str | None) -> None:
    if not path:
        raise StudyError("The address names no database file. sqlite:///PATH is needed. Add the path.")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise unreachable() from exc


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says, not where the driver guesses
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("ecgimn_read_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    if MigrationContext.configure(connection).get_current_revision() != head:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
