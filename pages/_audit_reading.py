"""Reading an audit: sign in, then case by case. What is not revealed yet is neither computed nor sent."""

from __future__ import annotations

import streamlit as st

from ecgimn.draw.tables import interval_values, st_grid
from ecgimn.errors import EcgImnError, StudyError
from ecgimn.explain.explanation import Explanation
from ecgimn.model import checkpoint
from ecgimn.model.card import read_card
from ecgimn.model.checkpoint import Model
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from ecgimn.study.cases import read_audit_case
from ecgimn.study.definition import Audit, AuditCase
from ecgimn.study.evidence import model_answer
from ecgimn.study.session import CaseState, Reading, start_reading
from ecgimn.study.store import Store
from pages import _cached as cached
from pages import _session_study as study
from pages._audit_answers import ask_diagnosis, ask_rating, show_committed
from pages._audit_trace import draw_trace

HOW = (
    "You read each ECG blind and commit your answer. Only then the model's answer and, where planned, its evidence are "
    "shown; you may revise, and you rate what you saw. Committed answers stay as they are. Every entry is saved at "
    "once: you may close the window and go on another day."
)
STEP_WORDS = {
    "blind": "Read blind",
    "model": "The model's answer",
    "evidence": "The evidence",
    "revision": "Revise",
    "rating": "Rate",
}


def read_audit_page(store: Store, uid: str) -> None:
    """Let a visitor sign in and read."""
    reader = study.reader()
    if reader is None:
        _sign_in(store)
        return
    try:
        reading = start_reading(store, uid, reader)
        states = reading.states()
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    place = study.place(uid)
    if place is None:
        _waiting_room(reading, states)
    else:
        _case(reading, reading.state(place), len(states))


def _sign_in(store: Store) -> None:
    st.caption(HOW)
    with st.container(border=True, width=460):
        pseudonym = st.text_input(
            "Pseudonym", max_chars=40, key="study_pseudonym", help="Not your name. The same one brings you back."
        )
        passphrase = st.text_input("Passphrase (optional)", type="password", max_chars=200, key="study_passphrase")
        if st.button("Sign in", type="primary", icon=":material/login:", shortcut="Mod+Enter"):
            try:
                study.sign_in(store.sign_in(pseudonym, passphrase)[0])
            except EcgImnError as exc:
                st.error(str(exc), icon=":material/error:")
            else:
                st.rerun()
    st.caption("A passphrase keeps others from answering under your pseudonym. It cannot be recovered.")


def _waiting_room(reading: Reading, states: tuple[CaseState, ...]) -> None:
    done, following = sum(state.finished for state in states), reading.next_place(states)
    st.subheader(reading.audit.name)
    st.progress(done / len(states), text=f"{done} of {len(states)} cases finished")
    if following is None:
        st.success("All cases are finished. Thank you.", icon=":material/task_alt:")
        return
    st.caption(HOW)
    label = "Begin" if done == 0 and not states[following - 1].done else f"Go on with case {following}"
    if st.button(label, type="primary", icon=":material/play_arrow:", shortcut="Right"):
        _open(reading, following)


def _open(reading: Reading, place: int) -> None:
    try:
        reading.open(place)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    study.go_to(reading.audit.uid, place)
    st.rerun()


def _case(reading: Reading, state: CaseState, n_cases: int) -> None:
    audit, place = reading.audit, state.planned.place
    try:
        recording = _recording(audit, state.planned.case)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    signal = cached.get_reading(cached.identity(recording), recording)
    explanation = None
    if "blind" in state.done and len(state.planned.arm.steps) > 1:
        try:
            explanation = _explanation(audit, recording)
            if state.step == "model":
                answer = model_answer(explanation, recording, signal.levels)
                state = reading.reveal(place, "model", answer)
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
            return
    _head(reading, state, n_cases)
    left, right = st.columns((0.64, 0.36), gap="small")
    with left:
        draw_trace(reading, state, signal, explanation if state.sees("evidence") else None, n_cases)
        _beside(audit, signal)
    with right:
        show_committed(audit, state)
        if state.step == "evidence" and explanation is not None:
            _offer_evidence(reading, place, signal, explanation)
        elif state.step in ("blind", "revision"):
            ask_diagnosis(reading, state)
        elif state.step == "rating":
            ask_rating(reading, state)
        else:
            _finished(reading, state)


def _head(reading: Reading, state: CaseState, n_cases: int) -> None:
    steps = state.planned.arm.steps
    words = [f"**{STEP_WORDS[step]}**" if step == state.step else f":gray[{STEP_WORDS[step]}]" for step in steps]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Case {state.planned.place} of {n_cases}**  ·  " + " → ".join(words), width="content")
        if st.button("Pause", icon=":material/pause:", help="The clock stops. Everything entered is kept."):
            reading.pause(state.planned.place)
            study.go_to(reading.audit.uid, None)
            st.rerun()


def _offer_evidence(reading: Reading, place: int, signal: SignalReading, explanation: Explanation) -> None:
    if st.button("Show the evidence", type="primary", icon=":material/visibility:", shortcut="Mod+Enter"):
        try:
            reading.reveal(place, "evidence", model_answer(explanation, signal.recording, signal.levels))
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
        else:
            st.rerun()


def _finished(reading: Reading, state: CaseState) -> None:
    following = reading.next_place()
    if following is None:
        st.success("All cases are finished. Thank you.", icon=":material/task_alt:")
        return
    st.success("This case is finished.", icon=":material/check:")
    if st.button(f"Go on with case {following}", type="primary", shortcut="Right", icon=":material/arrow_forward:"):
        _open(reading, following)


def _beside(audit: Audit, signal: SignalReading) -> None:
    """Show what the audit lets a reader see from the start, none of which depends on label or model."""
    recording = signal.recording
    if "age and sex" in audit.shows:
        age = "—" if recording.age is None else "90+ years" if recording.age >= 90 else f"{recording.age} years"
        st.caption(f"Age {age} · sex {recording.sex or '—'}")
    if "measurements" in audit.shows and signal.measurements is not None:
        st.markdown(" · ".join(f"{value.name} **{value.text}**" for value in interval_values(signal)))
        st.markdown(f"**ST at J+60** in mV, reference {signal.measurements.reference}")
        st.markdown(st_grid(signal) or f"— ({signal.measurements.reason})")
    for warning in signal.quality.warnings:
        st.caption(warning)


@st.cache_data(max_entries=32, show_spinner="Opening the case")
def _get_recording(ref: str, digest: str) -> Recording:
    return read_audit_case(AuditCase(ref, digest, ()), cached.current_ptbxl()).recording


def _recording(audit: Audit, case: AuditCase) -> Recording:
    return _get_recording(case.ref, case.digest)


def _explanation(audit: Audit, recording: Recording) -> Explanation:
    return cached.get_explanation(recording.digest, audit.model_sha256, recording, _model(audit))


def _model(audit: Audit) -> Model:
    """Return the very model that the audit names."""
    if audit.model in cached.model_names():
        card = read_card(checkpoint.MODELS_FOLDER / f"{audit.model}.json")
        if card.sha256 == audit.model_sha256:
            return cached.get_model(card.name, card.sha256)
    raise StudyError(
        f"The model {audit.model} with the hash {audit.model_sha256[:8]} is not installed here. The audit was made "
        "with it, and no other may answer. Put its files into models/."
    )
