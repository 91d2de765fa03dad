"""Libraries, model and first case, loaded as the server starts, so that the first visitor need not wait.

Libraries come before the server: an address that answers at once and shows nothing for seconds helps nobody, and two
threads that import the same large libraries would hold each other up. Model and first case follow beside its start; the
first page waits for the rest of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit import net_util, runtime

from pages.ui.state import server  # noqa: F401  prepares the server before it starts

# When a page of another site tries to talk to the app, Streamlit compares its origin with this machine's addresses too,
# and asks a web service (checkip.amazonaws.com) for the outer one. Visitors are never let in by these; config.toml and
# --server.allowedHosts name who is.
net_util.get_internal_ip = net_util.get_external_ip = lambda: None

RUNTIME_S = 30.0  # patience with the start of the server, whose caches are filled; without it nothing is lost

_NO_SESSION = "streamlit.runtime.scriptrunner_utils.script_run_context"
_thread: threading.Thread | None = None


def libraries() -> None:
    """Import the large libraries of the first page, and return when they are there."""
    import ecgimn.draw.screen.ecg
    import ecgimn.model.model
    import ecgimn.signal.reading  # noqa: F401


def begin() -> None:
    """Begin to load model and first case, and return at once."""
    global _thread
    _thread = threading.Thread(target=_load, name="preload", daemon=True)
    _thread.start()


def wait() -> None:
    """Wait until everything is loaded; at once where nothing was begun."""
    if _thread is not None:
        _thread.join()


def _load() -> None:
    from ecgimn.errors import EcgImnError
    from ecgimn.model import DEFAULT_MODEL
    from ecgimn.model.card import read_card
    from ecgimn.model.model import MODELS_FOLDER

    deadline = time.monotonic() + RUNTIME_S
    while not runtime.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    # Not earlier: a cache that is made before the server is another one than its visitors'.
    from pages.ui import cache, case_bar, details, evidence, trace  # noqa: F401
    from pages.ui.state import case as session

    try:
        card = read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
        with _without_session():
            model = cache.get_model(card.name, card.sha256)
        cache.read_ahead("composite", session.FIRST_CASE, model)
    except EcgImnError:
        return  # the page says what is missing


@contextmanager
def _without_session() -> Iterator[None]:
    """Keep Streamlit from warning that a spinner has no screen to turn on."""
    logger = logging.getLogger(_NO_SESSION)
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False
