"""What this app changes about Streamlit's server, in one place: it uses interfaces that Streamlit does not publish.

Imported before the server starts. `tests/app/test_server.py` fails when an update of Streamlit moves one of them.
"""

from __future__ import annotations

import gc
import hashlib
from dataclasses import replace

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit.runtime import caching
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

MAX_VISITOR_BYTES = 60_000_000  # three uploads of the largest size
MAX_VISITOR_FILES = 100  # a folder of a long WFDB record has some dozens

_add_file = MemoryUploadedFileManager.add_file


def _add_within_bounds(self: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec) -> None:
    """Keep an upload, unless this visitor's would take too much memory together."""
    kept = [one for one in dict(self.file_storage.get(session_id, {})).values() if one.file_id != file.file_id]
    if len(kept) >= MAX_VISITOR_FILES or sum(len(one.data) for one in kept) + len(file.data) > MAX_VISITOR_BYTES:
        raise HTTPException(413, "Too many files are open in this window. Take some away, then open this one again.")
    _add_file(self, session_id, file)


def prepare() -> None:
    """Bound what one visitor can do to all others, and keep uploads off the disk."""
    MemoryUploadedFileManager.add_file = _add_within_bounds  # type: ignore[method-assign]
    # Any visitor's browser may ask for it, and it would empty the caches of everybody.
    AppSession._handle_clear_cache_request = lambda self: None  # type: ignore[method-assign]
    MultiPartParser.spool_max_size = 2 * MAX_VISITOR_BYTES  # beyond it, what is uploaded would go to a temporary file


def forget_derived() -> None:
    """Forget everything that was computed from this visitor's recordings.

    Beside the caches, parts of the last run of the page still hold them: Streamlit keeps its fragments and the
    callbacks of its widgets until a later run reaches its end, which a page that stops early does not.
    """
    context = get_script_run_ctx()
    if context is not None:
        caching.clear_session_data_cache(context.session_id)
        caching.clear_session_resource_cache(context.session_id)
        context.fragment_storage.clear()
        widgets = context.session_state._state._new_widget_state.widget_metadata
        for key, widget in widgets.items():
            widgets[key] = replace(widget, callback=None, callback_args=None, callback_kwargs=None)
    gc.collect()


def browser_secret() -> str:
    """Return a hash of the secret in this browser's cookie, "" for one that keeps none.

    The secret is the token that Streamlit gives each browser against requests from other sites. It stays the same for
    as long as the browser keeps it, and stands in no address.
    """
    token, _ = decode_xsrf_token_string(st.context.cookies.get(XSRF_COOKIE_NAME, ""))
    return hashlib.sha256(token).hexdigest() if token else ""


prepare()
