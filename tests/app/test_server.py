"""What one visitor can do to the server and to others: bounded uploads, no emptied caches, no borrowed session."""

from __future__ import annotations

import asyncio
import json
import re
import weakref
from pathlib import Path
from types import MethodType, SimpleNamespace

import pytest
import streamlit as st
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import caching
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.state import SessionState
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from ecgimn.sources.composites.case import load_composite
from pages.ui.state import server
from tests.app.conftest import uploads_in_memory
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import NORMAL, as_upload, opened_with


def upload(number: int, n_bytes: int) -> UploadedFileRec:
    return UploadedFileRec(file_id=str(number), name="a.edf", type="", data=bytes(n_bytes))


def test_one_visitor_cannot_fill_the_memory_with_uploads_and_nobody_elses_are_touched() -> None:
    manager = MemoryUploadedFileManager("/")
    for number in range(3):
        manager.add_file("one", upload(number, 20_000_000))
    for refused in (upload(3, 1), upload(4, 20_000_000)):
        with pytest.raises(HTTPException) as caught:
            manager.add_file("one", refused)
        assert caught.value.status_code == 413
    manager.add_file("one", upload(0, 19_000_000))  # the same file again, smaller
    manager.add_file("other", upload(0, 20_000_000))
    manager.remove_file("one", "1")
    manager.add_file("one", upload(5, 20_000_000))
    for number in range(server.MAX_VISITOR_FILES):
        manager.add_file("many", upload(number, 1))
    with pytest.raises(HTTPException):
        manager.add_file("many", upload(1000, 1))


def test_a_visitor_who_asks_to_empty_the_caches_empties_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for cache in (caching.cache_data, caching.cache_resource):
        monkeypatch.setattr(cache, "clear", lambda: pytest.fail("the caches of everybody were emptied"))
    asked = BackMsg()
    asked.clear_cache = True
    session = SimpleNamespace(_session_state={"kept": 1})
    session._handle_clear_cache_request = MethodType(AppSession._handle_clear_cache_request, session)
    AppSession.handle_backmsg(session, asked)  # type: ignore[arg-type]
    assert session._session_state == {"kept": 1}


def test_an_upload_of_any_allowed_size_is_taken_apart_in_memory() -> None:
    assert MultiPartParser.spool_max_size > server.MAX_VISITOR_BYTES


@pytest.fixture
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The cookies of the browser that asks, to be changed under way."""
    jar: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda self: jar))
    return jar


def test_a_session_answers_only_the_browser_that_began_it(small_app: AppTest, cookies: dict[str, str]) -> None:
    cookies[server.XSRF_COOKIE_NAME] = generate_xsrf_token_string(b"a" * 16)
    app = small_app.run()
    assert app.get("plotly_chart")
    cookies[server.XSRF_COOKIE_NAME] = generate_xsrf_token_string(b"a" * 16)  # masked anew with every page
    assert app.run().get("plotly_chart")
    for stolen in ({}, {server.XSRF_COOKIE_NAME: generate_xsrf_token_string(b"b" * 16)}):
        cookies.clear()
        cookies.update(stolen)
        app.run()
        assert "belongs to another browser" in shown_text(app)
        assert not app.get("plotly_chart")
        assert not app.metric
    cookies[server.XSRF_COOKIE_NAME] = generate_xsrf_token_string(b"a" * 16)
    assert app.run().get("plotly_chart")  # its owner's work is untouched


def test_a_forgotten_file_is_in_no_object_and_no_cache_of_the_session(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cleared: list[str] = []
    for name in ("clear_session_data_cache", "clear_session_resource_cache"):
        real = getattr(caching, name)
        monkeypatch.setattr(caching, name, lambda session, real=real: (cleared.append(session), real(session)))
    app = opened_with(small_app, as_upload(load_composite(NORMAL), tmp_path))
    assert uploads_in_memory()
    next(button for button in app.button if button.label == "Forget this file").click().run()
    assert not app.exception
    assert len(set(cleared)) == 1
    assert len(cleared) == 2
    assert uploads_in_memory() == []


def test_what_a_session_that_cannot_come_back_had_opened_is_let_go_of_though_it_was_passed_over_and_is_held() -> None:
    class Opened:
        def __init__(self) -> None:
            self.itself = self  # a circle, which only the collector sees

    opened, fragments = Opened(), MemoryFragmentStorage()
    left = weakref.ref(opened)
    state = SessionState()
    state["own"] = opened
    fragments._fragments["fragment"] = lambda opened=opened: None
    ended: list[str] = []
    held = SimpleNamespace(
        id="one", session_state=state, _fragment_storage=fragments, shutdown=lambda: ended.append("one")
    )
    storage = MemorySessionStorage(ttl_seconds=0)
    storage.save(SessionInfo(client=None, session=held))  # type: ignore[arg-type]
    server.spare_what_is_left()
    del opened
    server.let_go_of_ended(storage)
    assert left() is None
    assert ended == ["one"]


@pytest.mark.parametrize("end", ["disconnect_session", "close_session"])
def test_a_closed_window_is_let_go_of_once_it_cannot_come_back(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Loop:
        def call_later(self, *asked: object) -> None:
            later.append(asked)

    later: list[tuple[object, ...]] = []
    monkeypatch.setattr(asyncio, "get_running_loop", Loop)
    storage = MemorySessionStorage()
    windows = WebsocketSessionManager(storage, MemoryUploadedFileManager("/"), ScriptCache(), None)
    getattr(windows, end)("one")
    assert later == [(config.get_option("server.disconnectedSessionTTL") + 1, server.let_go_of_ended, storage)]


@pytest.fixture
def access_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of who opened what, as an operator names it."""
    path = tmp_path / "access.jsonl"
    monkeypatch.setenv(server.ACCESS_VARIABLE, str(path))
    return path


def lines_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_access_log_names_visitors_by_pseudonym_and_own_files_by_nothing(
    small_app: AppTest, access_log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "subject", lambda: "proxy eve@example.org")
    recording = load_composite(NORMAL)
    app = opened_with(small_app, as_upload(recording, tmp_path)).run()
    said = lines_of(access_log)
    first, *_, last = (line["did"] for line in said)
    assert first.startswith("opened composite ")
    assert last == "opened own file"
    assert len(said) == len({line["did"] for line in said})  # once each, however often the page ran
    assert len({line["who"] for line in said}) == 1
    assert re.fullmatch(r"visitor [0-9a-f]{16}", said[0]["who"])
    written = access_log.read_text() + access_log.with_name("access.jsonl.key").read_text()
    assert not [word for word in ("eve", "example", recording.digest[:8], "case-") if word in written]
    for path in tmp_path.glob("access.jsonl*"):
        assert path.stat().st_mode & 0o077 == 0
    assert len(list(tmp_path.glob("access.jsonl*"))) == 2
    # One name is one pseudonym for as long as the key is kept, and another one without it.
    before = said[0]["who"]
    access_log.with_name("access.jsonl.key").unlink()
    app.session_state["access_noted"] = {}
    app.run()
    assert lines_of(access_log)[-1]["who"] != before


def test_an_export_stands_in_the_access_log_once_it_is_made(
    small_app: AppTest, access_log: Path, cookies: dict[str, str]
) -> None:
    small_app.run()
    n_lines = len(lines_of(access_log))
    made = server.noting_export(lambda: b"file", "PDF of composite")
    assert len(lines_of(access_log)) == n_lines
    assert made() == b"file"
    assert lines_of(access_log)[-1]["did"] == "exported PDF of composite"


def test_nothing_is_opened_when_the_access_log_cannot_be_written(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(server.ACCESS_VARIABLE, str(tmp_path / "not there" / "access.jsonl"))
    app = small_app.run()
    assert not app.exception
    assert "nothing is opened" in app.error[0].value
    assert not app.get("plotly_chart")


def test_there_is_no_access_log_unless_one_is_named(small_app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(server.ACCESS_VARIABLE, raising=False)
    monkeypatch.setattr(server, "_append", lambda *_: pytest.fail("something was written"))
    assert small_app.run().get("plotly_chart")

    def make() -> bytes:
        return b""

    assert server.noting_export(make, "PDF") is make
