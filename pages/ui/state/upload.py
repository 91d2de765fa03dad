"""What one visitor said about a file of their own, which window of it is shown, and what the model says about all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import streamlit as st

from ecgimn.explain.case import WindowLogits, tile
from ecgimn.formats import ReadingHints, start_reader
from ecgimn.recording import WINDOW_S, Recording
from pages.ui.state import case as session


def given_facts(files: str) -> ReadingHints:
    """Return what the visitor said about files, by their hash."""
    known_files, hints = st.session_state.get("own_facts", ("", ReadingHints()))
    return hints if known_files == files else ReadingHints()


def give_facts(files: str, hints: ReadingHints | None) -> None:
    """Keep what the visitor said about files, beside what was said before; None takes all of it back."""
    before, said = given_facts(files), {} if hints is None else asdict(hints)
    kept = (
        None if hints is None else replace(before, **{name: value for name, value in said.items() if value is not None})
    )
    st.session_state["own_facts"] = (files, kept or ReadingHints())


def take_back_facts(files: str) -> None:
    """Forget what the visitor said about files, so that they are asked again."""
    give_facts(files, None)
    session.drop_own(files)


def begin_upload() -> None:
    """Make ready for what was just put into the box: age and sex of another file are not its own."""
    start_reader()
    if session.own_recording() is not None:
        st.session_state.update(upload_age=None, upload_sex=None)


def earlier_recording(files: str) -> Recording | None:
    """Return the earlier ECG that the visitor paired with their own, by the hash of its files."""
    known_files, recording = st.session_state.get("own_earlier", ("", None))
    return recording if known_files == files else None


def keep_earlier(files: str, recording: Recording) -> None:
    """Keep the earlier ECG, whole."""
    st.session_state["own_earlier"] = (files, recording)


def choose_leads(keys: Sequence[str], leads: Sequence[str]) -> None:
    """Choose a lead for each of the questions with these keys, at the visitor's request."""
    st.session_state.update(zip(keys, leads, strict=True))


def own_window(whole: Recording) -> Recording:
    """Return the window of the visitor's own recording that is on the screen."""
    return whole.window(session.window_start(), float(st.session_state.get("window_s", WINDOW_S)))


def last_start(whole: Recording) -> float:
    """Latest start of any window in seconds: the last of those that tile the recording may be shorter than 10 s."""
    return max(session.last_window(whole), tile(whole)[-1].start_s)


def take_full_window(key: str) -> None:
    """Show 10 s from the start that was chosen."""
    session.take("window_start", key)
    st.session_state["window_s"] = WINDOW_S


def keep_windows(found: WindowLogits, digest: str) -> None:
    """Keep what the model says about all windows of the visitor's own recording."""
    st.session_state["own_windows"] = (digest, found)


def kept_windows(digest: str, model_sha256: str) -> WindowLogits | None:
    """Return what was kept about all windows, if it is of this recording and this model."""
    known, found = st.session_state.get("own_windows") or ("", None)
    return found if known == digest and found is not None and found.model_sha256 == model_sha256 else None


def open_window(widget: str, found: WindowLogits) -> None:
    """Show the window that was clicked, in a chart or in a table of windows; to be called from a callback."""
    selection = st.session_state[widget]["selection"]
    places = [point["customdata"] for point in selection.get("points", ())] or list(selection.get("rows", ()))
    if places:
        place = places[0][0] if isinstance(places[0], list) else places[0]
        window = found.windows[int(place)]
        session.show_window(window.start_s, window.duration_s)
