"""The log: append-only, once where once is meant, safe against kills and against two windows at the same time."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from ecgimn.errors import StudyError
from ecgimn.study.database import URL_VARIABLE, StudyRow, database_url, open_engine
from ecgimn.study.definition import is_unbroken, read_audit
from ecgimn.study.keys import FREE_GUESSES, hash_passphrase, wait_s
from ecgimn.study.store import Store, open_store
from tests.study.study_worlds import keep, small_audit

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """The same promises hold for both databases."""
    return request.getfixturevalue("store" if request.param == "sqlite" else "postgresql_store")


def test_what_was_written_cannot_be_changed_or_removed(any_store: Store) -> None:
    audit = keep(any_store, small_audit(name_of=any_store))
    reader, _ = any_store.sign_in("Ada")
    any_store.append(audit.uid, reader.uid, "ptbxl:1", "draft", {"a": 1})
    for statement in ("DELETE FROM event", "UPDATE event SET payload = '{}'", "UPDATE study SET definition = ''"):
        with pytest.raises(DBAPIError, match="append-only"), any_store.engine.begin() as connection:
            connection.execute(text(statement))
    assert len(any_store.events(audit.uid)) == 1


def test_a_step_is_committed_once(any_store: Store) -> None:
    audit = keep(any_store, small_audit(name_of=any_store))
    reader, _ = any_store.sign_in("Ada")
    any_store.append(audit.uid, reader.uid, "ptbxl:1", "blind", {"primary": "MI"})
    with pytest.raises(StudyError, match="already submitted"):
        any_store.append(audit.uid, reader.uid, "ptbxl:1", "blind", {"primary": "NORM"})
    assert [event.payload for event in any_store.events(audit.uid)] == [{"primary": "MI"}]


def test_two_windows_of_one_reader_lose_nothing(any_store: Store) -> None:
    audit = keep(any_store, small_audit(name_of=any_store))
    reader, _ = any_store.sign_in("Ada")
    failed: list[BaseException] = []

    def window(name: str) -> None:
        try:
            for i in range(15):
                any_store.append(audit.uid, reader.uid, "ptbxl:1", "draft", {"window": name, "i": i})
        except StudyError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=window, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = any_store.events(audit.uid)
    assert failed == []
    assert [event.number for event in events] == list(range(1, 31))
    assert is_unbroken(events)


def test_a_changed_event_breaks_the_chain(store: Store) -> None:
    audit = keep(store, small_audit())
    reader, _ = store.sign_in("Ada")
    for i in range(3):
        store.append(audit.uid, reader.uid, "ptbxl:1", "draft", {"i": i})
    events = list(store.events(audit.uid))
    assert is_unbroken(events)
    assert not is_unbroken(events[1:])
    events[1].payload["i"] = 7
    assert not is_unbroken(events)


KILLED = """
import os, sys
from ecgimn.study.store import open_store
store = open_store(sys.argv[1])
for i in range(10**6):
    event = store.append(sys.argv[2], sys.argv[3], "ptbxl:1", "draft", {"i": i})
    print(event.number, flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.sqlite'}"
    store = open_store(url)
    audit = keep(store, small_audit())
    reader, _ = store.sign_in("Ada")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url, audit.uid, reader.uid], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().splitlines() if line.strip()]
    process.stdout.close()
    process.wait()
    store.close()
    again = open_store(url)
    kept = again.events(audit.uid)
    again.close()
    assert len(kept) >= len(acknowledged) >= 20
    assert is_unbroken(kept)


def test_a_passphrase_guards_a_pseudonym_and_is_not_kept_in_the_clear(store: Store, tmp_path: Path) -> None:
    reader, is_new = store.sign_in("Ada", "open sesame")
    assert is_new
    assert store.sign_in("Ada", "open sesame") == (reader, False)
    for wrong in ("", "open"):
        with pytest.raises(StudyError, match="does not fit"):
            store.sign_in("Ada", wrong)
    assert all(b"sesame" not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("short", ["x", "1234567", " " * 20, "x" * 201])
def test_a_new_passphrase_is_long_enough(store: Store, short: str) -> None:
    for choose in (store.set_coordinator, lambda passphrase: store.sign_in("Ada", passphrase)):
        with pytest.raises(StudyError, match="8 to 200 are needed"):
            choose(short)
    assert store.readers() == ()
    assert not store.has_coordinator()


def test_a_passphrase_typed_for_a_pseudonym_that_has_none_is_refused_and_one_can_be_put_before_it(store: Store) -> None:
    reader, _ = store.sign_in("Ada")
    with pytest.raises(StudyError, match="protects nothing"):
        store.sign_in("Ada", "open sesame")
    store.protect(reader, "open sesame")
    with pytest.raises(StudyError, match="does not fit"):
        store.sign_in("Ada")
    assert store.sign_in("Ada", "open sesame") == (reader, False)
    with pytest.raises(StudyError, match="has a passphrase already"):
        store.protect(reader, "another sesame")


def test_wrong_passphrases_have_to_wait_and_the_right_one_too(any_store: Store) -> None:
    reader, _ = any_store.sign_in(f"Ada {id(any_store)}", "open sesame")

    def guess(passphrase: str) -> str:
        try:
            any_store.sign_in(reader.pseudonym, passphrase)
        except StudyError as exc:
            return "wait" if "is looked at in" in str(exc) else "wrong"
        return "in"

    def put(**values: object) -> None:
        with any_store.engine.begin() as connection:
            for name, value in values.items():
                where = {"value": value, "subject": f"reader {reader.uid}"}
                connection.execute(text(f"UPDATE guess SET {name} = :value WHERE subject = :subject"), where)

    assert [guess("wrong one") for _ in range(5)] == ["wrong"] * 5
    put(n_wrong=20)  # so many that a slow machine does not wait them out
    assert [guess(passphrase) for passphrase in ("wrong one", "open sesame")] == ["wait", "wait"]
    put(last_at="2020-01-01T00:00:00.000+00:00")
    assert guess("wrong one") == "wrong"
    assert guess("open sesame") == "wait"
    put(last_at="2020-01-01T00:00:00.000+00:00")
    assert guess("open sesame") == "in"
    assert [guess("wrong one") for _ in range(5)] == ["wrong"] * 5  # counted from the beginning again


def test_a_clock_that_was_set_back_neither_opens_nor_locks_for_good(store: Store) -> None:
    store.sign_in("Ada", "open sesame")
    for _ in range(FREE_GUESSES):
        with pytest.raises(StudyError, match="does not fit"):
            store.sign_in("Ada", "wrong one")
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE guess SET last_at = '2999-01-01T00:00:00.000+00:00'"))
    with pytest.raises(StudyError, match="is looked at in 2 s"):
        store.sign_in("Ada", "open sesame")
    with store.read() as session:
        assert session.scalar(text("SELECT last_at FROM guess")) < "2999"


def test_the_wait_doubles_up_to_five_minutes() -> None:
    assert [wait_s(n) for n in (0, 4, 5, 6, 7, 12, 1000)] == [0, 0, 2, 4, 8, 256, 300]


def test_a_hash_of_an_older_version_still_opens_and_is_replaced(store: Store) -> None:
    reader, _ = store.sign_in("Ada", "open sesame")
    salt = bytes(range(16))
    stored = hashlib.scrypt(b"x", salt=salt, n=2**14, r=8, p=1, dklen=32)  # one letter was enough then
    with store.engine.begin() as connection:
        old = {"key": f"scrypt${salt.hex()}${stored.hex()}"}
        connection.execute(text("UPDATE reader SET key = :key"), old)
        connection.execute(text("UPDATE site SET key = :key"), old)
    for wrong in ("y", "open sesame"):
        with pytest.raises(StudyError, match="does not fit"):
            store.sign_in("Ada", wrong)
    assert not store.is_coordinator("y")
    assert store.sign_in("Ada", "x") == (reader, False)
    assert store.is_coordinator("x")
    with store.read() as session:
        for table in ("reader", "site"):
            assert session.scalar(text(f"SELECT key FROM {table}")).startswith("$argon2id$")
    assert store.sign_in("Ada", "x") == (reader, False)
    assert store.is_coordinator("x")


@pytest.mark.parametrize("name", ["", "a", "=SUM(A1)", "x" * 41, "Dr. Müller <b>"])
def test_a_pseudonym_is_plain(store: Store, name: str) -> None:
    with pytest.raises(StudyError, match="pseudonym"):
        store.sign_in(name)


def test_results_belong_to_the_coordinator_of_the_site(store: Store) -> None:
    audit = keep(store, small_audit())
    assert not store.has_coordinator()
    assert not store.opens_results(audit.uid, "")
    assert not store.opens_results(audit.uid, "three dull herons")
    store.set_coordinator("three dull herons")
    assert store.has_coordinator()
    assert not store.opens_results(audit.uid, "")
    assert store.opens_results(audit.uid, "three dull herons")
    with pytest.raises(StudyError, match="was chosen here before"):
        store.set_coordinator("two grey owls fly")
    store.set_coordinator("two grey owls fly", again=True)
    assert (store.is_coordinator("three dull herons"), store.is_coordinator("two grey owls fly")) == (False, True)


def test_a_study_with_a_passphrase_of_its_own_still_opens_with_that_one_only(store: Store) -> None:
    store.set_coordinator("three dull herons")
    audit = small_audit()
    with store.write() as session:
        session.add(
            StudyRow(
                uid=audit.uid, name=audit.name, kind="audit", definition=audit.text, key=hash_passphrase("chief"),
                created_at="2025-01-01T00:00:00.000+00:00",
            )
        )  # fmt: skip
    assert store.has_own_passphrase(audit.uid)
    assert not store.opens_results(audit.uid, "three dull herons")
    assert store.opens_results(audit.uid, "chief")


def test_a_store_of_the_version_before_gets_the_new_tables_and_keeps_its_answers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    store = open_store(url)
    audit = keep(store, small_audit())
    reader, _ = store.sign_in("Ada")
    store.append(audit.uid, reader.uid, "ptbxl:1", "draft", {"step": "blind", "content": {}})
    with store.engine.begin() as connection:
        for column in ("key", "private_key", "public_key"):
            connection.execute(text(f"ALTER TABLE site DROP COLUMN {column}"))
        connection.execute(text("DROP TABLE guess"))
        connection.execute(text("DROP INDEX one_reader_an_account"))
        connection.execute(text("ALTER TABLE reader DROP COLUMN account"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    store.close()
    again = open_store(url)
    assert again.sign_in("Ada") == (reader, False)
    assert len(again.events(audit.uid)) == 1
    assert read_audit(again.definition(audit.uid)) == audit
    assert not again.has_coordinator()
    assert again.join("proxy ada", "Another") != reader  # nobody's account yet
    again.close()


def test_the_file_lies_in_a_private_folder_of_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_store()
    store.close()
    file = Path(database_url().removeprefix("sqlite:///"))
    assert file.is_file()
    assert file.is_relative_to(tmp_path)
    if os.name == "posix":
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("url", ["no address", "sqlite://", "nosuchbase://x/y"])
def test_an_address_that_is_none_is_refused_in_words(url: str) -> None:
    with pytest.raises(StudyError, match="is needed"):
        open_engine(url)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    url = "postgresql://me:secret@127.0.0.1:1/x"
    with pytest.raises(StudyError, match="does not answer") as caught:
        open_engine(url)
    assert "secret" not in str(caught.value)


def test_a_database_of_a_newer_app_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    store = open_store(url)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StudyError, match="newer version"):
        open_store(url)


@pytest.mark.parametrize("replaced", [False, True])
def test_an_answer_is_not_acknowledged_when_the_file_was_taken_away_under_the_app(
    store: Store, tmp_path: Path, replaced: bool
) -> None:
    audit = keep(store, small_audit())
    reader, _ = store.sign_in("Ada")
    file = tmp_path / "studies.sqlite"
    file.rename(tmp_path / "moved.sqlite")
    if replaced:
        file.write_bytes(b"")
    with pytest.raises(StudyError, match="nothing was saved"):
        store.append(audit.uid, reader.uid, "ptbxl:1", "blind", {"primary": "MI"})


def test_an_answer_is_not_acknowledged_when_the_disk_is_full_and_later_ones_are(store: Store) -> None:
    audit = keep(store, small_audit())
    reader, _ = store.sign_in("Ada")
    with store.engine.connect() as connection:
        room = {"pages": connection.execute(text("PRAGMA page_count")).scalar_one()}
    event.listen(
        store.engine, "checkout", lambda dbapi, *_: dbapi.execute(f"PRAGMA max_page_count={room['pages']}").close()
    )
    long = {"primary": "MI", "note": "x" * 50_000}
    with pytest.raises(StudyError, match="nothing was saved"):
        store.append(audit.uid, reader.uid, "ptbxl:1", "blind", long)
    assert store.events(audit.uid) == ()
    room["pages"] = 1_000_000
    store.append(audit.uid, reader.uid, "ptbxl:1", "blind", long)
    assert len(store.events(audit.uid)) == 1


def test_the_migrations_make_the_tables_that_the_code_maps(any_store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from ecgimn.study.database import Base

    with any_store.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
