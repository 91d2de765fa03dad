"""The reader's own file: opened, asked about where it does not state a fact, read once, forgotten on request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ecgimn.errors import EcgImnError
from ecgimn.formats import MissingFactsError, ReadingHints, read_upload, start_reader
from ecgimn.recording import Recording, Sex
from pages import _session as session
from pages import _session_upload as own
from pages._facts import ask_for_facts

PRIVACY = (
    "An ECG may itself identify a person. Your file stays in the memory of the machine that runs this app; its name, "
    "dates and header text are dropped while it is read, and nothing of it is put in a link, a log or a shared cache."
)


def upload_area(body: DeltaGenerator) -> Recording | None:
    """Let the visitor open a file; ask for facts that it does not state. Return the whole recording, or None.

    Questions and refusals are put into `body`, below the line of the case.
    """
    whole = session.own_recording()
    label = whole.record_name if whole is not None else "Open a file"
    with st.popover(label, icon=":material/upload_file:", width=220):
        st.caption(PRIVACY)
        files = st.file_uploader(
            "ECG file: WFDB (.hea with .dat), DICOM, SCP-ECG, EDF, ISHNE, XML, CSV, NPY, MAT, or a ZIP of one record",
            accept_multiple_files=True,
            key="upload",
            on_change=start_reader,
        )
        left, right = st.columns(2)
        age = left.number_input("Age in years (if known)", 0, 120, value=None, step=1, key="upload_age")
        sex: Sex | None = right.selectbox(
            "Sex (if known)", ["male", "female"], index=None, key="upload_sex", placeholder="unknown"
        )
        st.caption("Age and sex choose the ST thresholds and nothing else.")
        if files:
            with body:
                whole = _read({file.name: file.getvalue() for file in files}, age, sex)
        elif whole is not None and st.button("Forget this file", icon=":material/delete:"):
            session.set_own_recording(None)
            st.rerun()
        if whole is not None and session.last_window(whole) > 0:
            st.slider(
                "Start of the window (s)", 0.0, own.last_start(whole), session.window_start(), step=0.5,
                key=(key := session.widget_key("window_start")), on_change=own.take_full_window, args=(key,),
            )  # fmt: skip
            st.caption(f"The recording lasts {whole.duration_s:.1f} s. The model reads at most 10 s at once.")
    if whole is None and not files:
        st.caption("Open a 12-lead ECG file to read it here.")
    return whole


def _read(files: Mapping[str, bytes], age: int | None, sex: Sex | None) -> Recording | None:
    """Read the files once per set of facts; what is wrong with them is said in one sentence."""
    identity = _identity(files)
    hints = own.given_facts(identity)
    key = f"{identity} {age} {sex} {hints}"
    if key == session.own_key() and session.own_recording() is not None:
        _offer_to_answer_again(identity, hints)
        return session.own_recording()
    session.set_own_recording(None)
    try:
        with st.spinner("Reading the file"):
            whole = read_upload(files, age=age, sex=sex, hints=hints)
    except MissingFactsError as missing:
        ask_for_facts(missing, identity)
        return None
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        _offer_to_answer_again(identity, hints)
        return None
    session.set_own_recording(whole, key)
    st.rerun()  # with the case's name on the button, and its window closed


def _identity(files: Mapping[str, bytes]) -> str:
    """Return a hash of the files, by which answers about them are kept."""
    identity = hashlib.sha256()
    for name, data in sorted(files.items()):
        identity.update(hashlib.sha256(name.encode() + data).digest())
    return identity.hexdigest()


def _offer_to_answer_again(identity: str, hints: ReadingHints) -> None:
    """Where facts came from the visitor, let them be corrected."""
    if hints != ReadingHints():
        st.button("Correct what was given about the file", icon=":material/edit:", key="correct_facts",
                  on_click=own.give_facts, args=(identity, None))  # fmt: skip
