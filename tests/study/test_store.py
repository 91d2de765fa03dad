"""The log: append-only, once where once is meant, safe against kills and against two windows at the same time."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ecgimn.errors import StudyError
from ecgimn.study.database import URL_VARIABLE, database_url, database_words, open_engine
from ecgimn.study.events import is_unbroken
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
    with pytest.raises(StudyError, match="already committed"):
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


@pytest.mark.parametrize("name", ["", "a", "=SUM(A1)", "x" * 41, "Dr. Müller <b>"])
def test_a_pseudonym_is_plain(store: Store, name: str) -> None:
    with pytest.raises(StudyError, match="pseudonym"):
        store.sign_in(name)


def test_results_may_lie_behind_a_passphrase(store: Store) -> None:
    audit = small_audit()
    assert store.add_study(audit.uid, audit.name, "audit", audit.text, passphrase="chief")
    assert not store.add_study(audit.uid, audit.name, "audit", audit.text)
    assert store.asks_passphrase(audit.uid)
    assert not store.opens_results(audit.uid, "")
    assert store.opens_results(audit.uid, "chief")


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
    assert "secret" not in f"{caught.value}{database_words(url)}"


def test_a_database_of_a_newer_app_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    store = open_store(url)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StudyError, match="newer version"):
        open_store(url)


def test_the_migrations_make_the_tables_that_the_code_maps(any_store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from ecgimn.study.database import Base

    with any_store.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
