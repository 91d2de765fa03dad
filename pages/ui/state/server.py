"""What this app changes about Streamlit's server, who its visitors are, as far as the server knows,
and the log of what they open.

It uses interfaces that Streamlit does not publish, and is imported before the server starts. `tests/app/test_server.py`
fails when an update of Streamlit moves one of them.

Who somebody is comes from one of three places: OpenID Connect where `secrets.toml` has a section [auth]; else a header
that a proxy sets, where one is named and the request bears the proxy's secret; else nobody asks, for one person at one
machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit import config
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime import caching
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner.script_runner import ScriptRunnerEvent
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from ecgimn.errors import EcgImnError
from ecgimn.formats.sandbox.wall import give_memory_back, overwrite_what_was_freed

MAX_VISITOR_BYTES = 60_000_000  # three uploads of the largest size
MAX_VISITOR_FILES = 100  # a folder of a long WFDB record has some dozens

_add_file = MemoryUploadedFileManager.add_file


def _add_within_bounds(self: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec) -> None:
    """Keep an upload, unless this visitor's would take too much memory together."""
    kept = [one for one in dict(self.file_storage.get(session_id, {})).values() if one.file_id != file.file_id]
    if len(kept) >= MAX_VISITOR_FILES or sum(len(one.data) for one in kept) + len(file.data) > MAX_VISITOR_BYTES:
        raise HTTPException(413, "Too many files are open in this window. Take some away, then open this one again.")
    _add_file(self, session_id, file)


# A browser keeps its page when the server is started again, and presses a button of it in a session that has never
# drawn that page: Streamlit calls no callback of a widget that it does not know, and drops the run of a fragment that
# it does not know. What is pressed therefore waits until the page was drawn once in the new session.

_request_rerun, _handle_event = AppSession.request_rerun, AppSession._handle_scriptrunner_event_on_event_loop
_drawn: WeakSet[AppSession] = WeakSet()
_waiting: WeakKeyDictionary[AppSession, list[ClientState]] = WeakKeyDictionary()


def _request_once_drawn(self: AppSession, client_state: ClientState | None) -> None:
    """Run the page as asked, but not for something pressed on it that this new session does not know yet."""
    if client_state is None or self in _drawn or not _is_pressed_unknown(self, client_state):
        _request_rerun(self, client_state)
        return
    is_first = self not in _waiting
    _waiting.setdefault(self, []).append(client_state)
    if is_first and self._scriptrunner is None:
        without = ClientState()
        without.CopyFrom(client_state)
        without.fragment_id = ""
        del without.widget_states.widgets[:]
        without.widget_states.widgets.extend(
            widget for widget in client_state.widget_states.widgets if not _is_press(widget)
        )
        _request_rerun(self, without)


def _is_press(widget: WidgetState) -> bool:
    """Whether a browser says of a widget that it was pressed, not which value it has."""
    kind = widget.WhichOneof("value") or ""
    return "trigger" in kind and bool(getattr(widget, kind))


def _is_pressed_unknown(session: AppSession, client_state: ClientState) -> bool:
    if client_state.is_auto_rerun:
        return False
    known = session.session_state._new_widget_state.widget_metadata
    return bool(client_state.fragment_id and not session.has_fragment(client_state.fragment_id)) or any(
        _is_press(widget) and widget.id not in known for widget in client_state.widget_states.widgets
    )


def _handle_event_then_presses(self: AppSession, sender: Any, event: ScriptRunnerEvent, *rest: Any) -> None:
    """Handle what became of a run; after the first one that reached its end, run the page for what was pressed."""
    _handle_event(self, sender, event, *rest)
    if event == ScriptRunnerEvent.SCRIPT_STOPPED_WITH_SUCCESS and sender is self._scriptrunner and self not in _drawn:
        _drawn.add(self)
        for client_state in _waiting.pop(self, ()):
            _request_rerun(self, client_state)


def spare_what_is_left() -> None:
    """Collect what nothing refers to any more, also of what was spared, and keep what is left out of later rounds."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def let_go_of_ended(storage: MemorySessionStorage) -> None:
    """Let go of the sessions whose windows were closed too long ago to come back, and of what was opened in them.

    Streamlit drops them when somebody else comes or leaves; its loop holds on to the one it served last, so each is
    emptied. One that began before `spare_what_is_left` is among what the collector passes over: all is looked at
    once more.
    """
    for _, ended in storage._cache.expire():  # type: ignore[attr-defined]
        ended.session.shutdown()
        ended.session.session_state.clear()
        ended.session._fragment_storage.clear()
    spare_what_is_left()


_End = Callable[[WebsocketSessionManager, str], None]


def _then_let_go(end: _End) -> _End:
    """Return `end`, which also keeps the session of a closed window while the window may come back, and no longer."""

    def end_and_let_go(self: WebsocketSessionManager, session_id: str) -> None:
        end(self, session_id)
        wait_s = config.get_option("server.disconnectedSessionTTL") + 1
        with contextlib.suppress(RuntimeError):  # no server runs
            asyncio.get_running_loop().call_later(wait_s, let_go_of_ended, self._session_storage)

    return end_and_let_go


def prepare() -> None:
    """Bound what one visitor can do to all others, keep uploads off the disk, and let no press on a page be lost."""
    MemoryUploadedFileManager.add_file = _add_within_bounds  # type: ignore[method-assign]
    # Any visitor's browser may ask for it, and it would empty the caches of everybody.
    AppSession._handle_clear_cache_request = lambda self: None  # type: ignore[method-assign]
    MultiPartParser.spool_max_size = 2 * MAX_VISITOR_BYTES  # beyond it, what is uploaded would go to a temporary file
    AppSession.request_rerun = _request_once_drawn  # type: ignore[method-assign]
    AppSession._handle_scriptrunner_event_on_event_loop = _handle_event_then_presses  # type: ignore[method-assign, assignment]
    for end in ("disconnect_session", "close_session"):
        setattr(WebsocketSessionManager, end, _then_let_go(getattr(WebsocketSessionManager, end)))


def forget_derived() -> None:
    """Forget the files that this visitor opened and everything that was computed from them.

    Streamlit keeps an upload until its session ends, also where its widget was left for another page. Beside that and
    the caches, parts of the last run of the page still hold what came of it: fragments and the callbacks of widgets are
    kept until a later run reaches its end, which a page that stops early does not.
    """
    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_session_files(context.session_id)
        caching.clear_session_data_cache(context.session_id)
        caching.clear_session_resource_cache(context.session_id)
        context.fragment_storage.clear()
        widgets = context.session_state._state._new_widget_state.widget_metadata
        for key, widget in widgets.items():
            widgets[key] = replace(widget, callback=None, callback_args=None, callback_kwargs=None)
    spare_what_is_left()
    overwrite_what_was_freed()
    give_memory_back()


def is_history_step() -> bool:
    """Whether this run was asked for by a step back or forth in the browser's history."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def browser_secret() -> str:
    """Return a hash of the secret in this browser's cookie, "" for one that keeps none.

    The secret is the token that Streamlit gives each browser against requests from other sites. It stays the same for
    as long as the browser keeps it, and stands in no address.
    """
    token, _ = decode_xsrf_token_string(st.context.cookies.get(XSRF_COOKIE_NAME, ""))
    return hashlib.sha256(token).hexdigest() if token else ""


HEADER_VARIABLE, SECRET_VARIABLE = "ECGIMN_TRUSTED_HEADER", "ECGIMN_PROXY_SECRET_FILE"
COORDINATORS_VARIABLE = "ECGIMN_COORDINATORS"
SECRET_HEADER = "X-Ecgimn-Proxy"
MIN_SECRET_BYTES = 32  # 128 bits as hexadecimal digits

SignOn = Literal["account", "proxy", "nobody asks"]


def sign_on() -> SignOn:
    """Return by what means visitors are told apart."""
    if "is_logged_in" in st.user:  # only where secrets.toml has a section [auth]
        return "account"
    return "proxy" if os.environ.get(HEADER_VARIABLE, "").strip() else "nobody asks"


def subject() -> str | None:
    """Return who asks: a name at the sign-on, "" where nobody asks for one, None for somebody who is not signed on."""
    match sign_on():
        case "nobody asks":
            return ""
        case "account":
            if not st.user.is_logged_in:
                return None
            return f"{st.user.get('iss', '')} {st.user['sub']}" if st.user.get("sub") else None
    secrets, names = (st.context.headers.get_all(name) for name in (SECRET_HEADER, os.environ[HEADER_VARIABLE].strip()))
    secret = _proxy_secret()
    if secret is None or len(secrets) != 1 or not hmac.compare_digest(secrets[0].encode(), secret):
        return None  # whoever asks came past the proxy
    return f"proxy {names[0]}" if len(names) == 1 and names[0].strip() else None


def _proxy_secret() -> bytes | None:
    """Return what the proxy must send along, or None where no usable file holds it."""
    named = os.environ.get(SECRET_VARIABLE, "").strip()
    try:
        secret = Path(named).read_bytes().strip() if named else b""
    except OSError:
        return None
    return secret if len(secret) >= MIN_SECRET_BYTES else None


def names_coordinators() -> bool:
    """Whether the coordinators are named by the sign-on, so that no passphrase makes one."""
    return sign_on() != "nobody asks" and bool(_coordinators())


def is_named_coordinator() -> bool:
    """Whether whoever asks is one of the coordinators that were named."""
    who = subject()
    if not who:
        return False
    names = {who.removeprefix("proxy ")} if sign_on() == "proxy" else {str(st.user["sub"])}
    if sign_on() == "account" and st.user.get("email_verified") is True:
        names.add(str(st.user.get("email", "")))
    return bool(names & _coordinators())


def _coordinators() -> set[str]:
    return {name.strip() for name in os.environ.get(COORDINATORS_VARIABLE, "").split(",")} - {""}


def door() -> bool:
    """Whether a visitor may come in; else say how."""
    if subject() is not None:
        return True
    if sign_on() == "account":
        st.subheader("ECG-IMN Reader")
        st.button("Sign on", on_click=st.login, type="primary", icon=":material/login:")
    else:
        st.error(
            "This app is reached through its sign-on only, and this request did not come from there. Open the address "
            "that your hospital gave you.",
            icon=":material/lock:",
        )
    return False


# Who opened what: nothing is written unless the operator names a file.

ACCESS_VARIABLE = "ECGIMN_ACCESS_LOG"
_UNWRITABLE = (
    "The log of who opens what cannot be written, so nothing is opened. A file that the app may write is needed. "
    f"Whoever runs the app must look at {ACCESS_VARIABLE} and the disk."
)
_Made = TypeVar("_Made")


def note_opened(place: str, what: str, *, reader: str = "") -> None:
    """Write into the access log, where there is one, that this visitor opened something.

    Parameters
    ----------
    place : str
        Where on the pages. What is open there already is not written again with each run of a page.
    what : str
        A public record by its name; "own file" for an upload, whatever its name and content.
    reader : str
        The pseudonym of a reader in an audit, who stands in the log by it alone.

    Raises
    ------
    EcgImnError
        The log cannot be written.
    """
    noted = st.session_state.setdefault("access_noted", {})
    if os.environ.get(ACCESS_VARIABLE) and noted.get(place) != (what, reader):
        _write_access(f"reader {reader}" if reader else _visitor(), f"opened {what}")
        noted[place] = (what, reader)


def noting_export(make: Callable[[], _Made], what: str) -> Callable[[], _Made]:
    """Return what makes a file to download, and has that written into the access log once it is asked for."""
    if not os.environ.get(ACCESS_VARIABLE):
        return make
    try:
        who = _visitor()  # now: a download is made outside of the run of a page
    except EcgImnError:
        who = "visitor unknown"  # nothing can be written then, and the download says so

    def noted() -> _Made:
        _write_access(who, f"exported {what}")
        return make()

    return noted


def _visitor() -> str:
    """Return the visitor's pseudonym: a keyed hash of the name at the sign-on, else of the browser's secret."""
    name = subject()
    known = f"name {name}" if name else f"browser {browser_secret()}"
    return f"visitor {hmac.new(_access_key(), known.encode(), hashlib.sha256).hexdigest()[:16]}"


def _access_key() -> bytes:
    """Return the key of the pseudonyms: a file beside the log, made with its first line."""
    path = f"{os.environ[ACCESS_VARIABLE]}.key"
    try:
        if not os.path.exists(path):
            new = f"{path}.{secrets.token_hex(4)}"
            _append(new, secrets.token_hex(32))
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(new, path)
            os.unlink(new)
        return Path(path).read_text(encoding="ascii").encode()
    except OSError as exc:
        raise EcgImnError(_UNWRITABLE) from exc


def _write_access(who: str, did: str) -> None:
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "who": who, "did": did}
    try:
        _append(os.environ[ACCESS_VARIABLE], json.dumps(line) + "\n")
    except OSError as exc:
        raise EcgImnError(_UNWRITABLE) from exc


def _append(path: str, text: str) -> None:
    """Add text to a file that only the app's user may read; in one piece, so that lines of two processes do not mix."""
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(opened, text.encode()) != len(text.encode()):
            raise OSError("the disk is full")
    finally:
        os.close(opened)


prepare()
