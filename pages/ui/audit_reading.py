"""One reader's audit: the tracing, the answers, and what is revealed after each of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

import streamlit as st

from ecgimn.draw.charts.study import ITEM_WORDS
from ecgimn.draw.painted import mean_beat_evidence
from ecgimn.draw.paper import PaperLayout
from ecgimn.draw.screen.ecg import MAX_HEADROOM_MM, SIDES_PX, ecg_figure, screen_for
from ecgimn.draw.screen.live import box_at, box_frames, ready_for_boxes
from ecgimn.draw.screen.side_by_side import Pane, beats_picture
from ecgimn.draw.view import View
from ecgimn.draw.words import case as box_words
from ecgimn.draw.words.case import interval_values, st_grid
from ecgimn.errors import EcgImnError, StudyError
from ecgimn.escape import for_markdown
from ecgimn.explain.box import Box as Stretch
from ecgimn.explain.box import box_measures
from ecgimn.explain.case import Case, Evidence
from ecgimn.explain.difference import measured_changes
from ecgimn.explain.sentences import class_chips, percent
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.model import Model
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from ecgimn.study.cases import time_before
from ecgimn.study.definition import CONFIDENCES, FLAGS, RATINGS, Audit, MarkedBox, items_of, read_box, repeat_over_beats
from ecgimn.study.session import (
    CaseState,
    Disputed,
    Reading,
    Training,
    adjudicate,
    disputed_cases,
    is_adjudicator,
    model_answer,
    start_reading,
)
from ecgimn.study.store import Store
from pages.ui import cache as cached
from pages.ui import case_bar
from pages.ui.earlier import show_both_beats, show_changes
from pages.ui.state import case as session
from pages.ui.state import study
from pages.ui.state import view as view_state
from pages.ui.trace import offer_marks, picture, with_marks

CONFIDENCE_WORDS = {1: "1 guess", 2: "2", 3: "3", 4: "4", 5: "5 certain"}
SCALE_WORDS = {rating: f"{rating:+d}".replace("-", "−").replace("+0", "0") for rating in RATINGS}
QUESTIONS = {
    "relevant": "The evidence shown is relevant for the diagnosis",
    "helpful": "The evidence shown helped me",
    "trust": "I have confidence in the model's answer",
}
CLASS_WORDS = {
    "NORM": "normal ECG",
    "MI": "myocardial infarction",
    "STTC": "ST/T change",
    "CD": "conduction disturbance",
    "HYP": "hypertrophy",
}


def show_committed(audit: Audit, state: CaseState) -> None:
    """Show what the reader committed, and of the model what was revealed."""
    blind = state.done.get("blind")
    if blind is None:
        return
    also = f", also {', '.join(blind['also'])}" if blind["also"] else ""
    st.markdown(f":material/lock: Read blind: **{blind['primary']}**{also}, confidence {blind['confidence']} of 5")
    model = state.done.get("model")
    if model is not None:
        called = str(model["called"])
        words = f"{CLASS_WORDS[called]} ({called})" if called in CLASS_WORDS else called
        st.markdown(f":material/smart_toy: Model: **{for_markdown(words)}**")
        st.caption(" · ".join(f"{name} {percent(float(model['probability'][name]))}" for name in audit.classes))
        st.caption("The model was taught PTB-XL's labels; its answer is not a reading of this ECG by anybody.")
    revised = state.done.get("revision")
    if revised is not None:
        st.markdown(f":material/lock: Revised: **{revised['primary']}**, confidence {revised['confidence']} of 5")


def ask_diagnosis(reading: Reading, state: CaseState) -> None:
    """Ask for the diagnosis, blind or revised; the revision begins with the blind one."""
    place, step = state.planned.place, state.step or "blind"
    given: dict[str, Any] = {**state.done.get("blind", {}), **state.draft} if step == "revision" else state.draft
    key = f"answer_{place}_{step}"
    classes = reading.audit.classes
    primary = st.pills("Main diagnosis", reading.audit.diagnoses, default=given.get("primary"), key=f"{key}_primary")
    st.caption(" · ".join(f"{name} {CLASS_WORDS[name]}" for name in classes if name in CLASS_WORDS))
    also = st.pills(
        "Also present", classes, selection_mode="multi", default=[c for c in given.get("also", ()) if c in classes],
        key=f"{key}_also",
    )  # fmt: skip
    confidence = st.segmented_control(
        "Confidence", CONFIDENCES, default=given.get("confidence"), format_func=CONFIDENCE_WORDS.__getitem__,
        key=f"{key}_confidence",
    )  # fmt: skip
    content: dict[str, Any] = {"primary": primary, "also": list(also), "confidence": confidence}
    if step == "blind":
        flags = st.pills("Flags", FLAGS, selection_mode="multi", default=given.get("flags", []), key=f"{key}_flags")
        content |= {"flags": list(flags), "boxes": state.draft.get("boxes", [])}
    _keep(reading, state, content, given)
    label = (
        "Submit, then see the model's answer" if step == "blind" and "model" in state.planned.arm.steps else "Submit"
    )
    _commit(reading, state, content, label)


def ask_rating(reading: Reading, state: CaseState) -> None:
    """Ask for the ratings that apply in this arm."""
    place, given = state.planned.place, state.draft
    content: dict[str, Any] = {}
    for item in items_of(state.planned.arm):
        content[item] = st.segmented_control(
            QUESTIONS[item], RATINGS, default=given.get(item), format_func=SCALE_WORDS.__getitem__,
            key=f"answer_{place}_rating_{item}", help=f"−3 not at all, +3 fully ({ITEM_WORDS[item]})",
        )  # fmt: skip
    content["text"] = st.text_area(
        "Remarks (optional)", given.get("text", ""), max_chars=2000, height=80, key=f"answer_{place}_rating_text",
        help="No names and nothing else that identifies a person.",
    )  # fmt: skip
    flags = st.pills(
        "Flags", FLAGS, selection_mode="multi", default=given.get("flags", []), key=f"answer_{place}_rating_flags"
    )
    content |= {"flags": list(flags), "missed": given.get("missed", []), "invented": given.get("invented", [])}
    _keep(reading, state, content, given)
    _commit(reading, state, content, "Submit the rating")


def _keep(reading: Reading, state: CaseState, content: dict[str, Any], given: dict[str, Any]) -> None:
    """Save what was entered as soon as it differs from what the questions began with."""
    known = {name: given.get(name) for name in content}
    if content != known and any(content.values()):
        try:
            reading.save_draft(state.planned.place, state.step or "", content)
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")


def _commit(reading: Reading, state: CaseState, content: dict[str, Any], label: str) -> None:
    key = f"answer_{state.planned.place}_{state.step}_commit"  # a second click must not commit the next step
    if st.button(label, type="primary", icon=":material/lock:", shortcut="Mod+Enter", help="Ctrl and Enter", key=key):
        try:
            reading.commit(state.planned.place, state.step or "", content)
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
        else:
            st.rerun()


CHART = {"displayModeBar": False}
NOTES = ("ST", "T wave", "Q or QRS", "P or PR", "rhythm", "other")
MARKS = {"boxes": "What I saw", "missed": "The map missed this", "invented": "The map invented this"}
USES = ("mark", "measure")  # what a box is for
GAINS = (5.0, 10.0, 20.0)
BEAT_SHARE = 0.6  # of the window's height, for the mean beat below the trace
HEAD_PX = 60.0  # more above the trace than in the reading room


def draw_trace(reading: Reading, state: CaseState, signal: SignalReading, opened: Case | None, n_cases: int) -> None:
    """Draw the case; without what the model says nothing about it is in the picture."""
    place, method = state.planned.place, state.planned.arm.method
    # What is revealed is the evidence alone: marks of rules beside it would be a second opinion.
    evidence, view = None, _paper_chosen(place)
    if opened is not None and method != "none":
        design, called = reading.audit.design, state.done.get("model", {}).get("called", "")
        wrong_ones = design is not None and design.wrong_share > 0
        evidence = opened.of(_class_shown(opened, place, called, wrong_ones=wrong_ones))
        if not wrong_ones:
            case_bar.scope_note(opened)
        view = replace(view, quantity="weights" if method == "weights" else "contribution")
    fields = _fields(state)
    room = screen_for(session.window(), beside=not _is_full(place))
    screen = replace(room, height_px=room.height_px - HEAD_PX, numbers=False)
    if _is_full(place):
        width = session.window()[0] - SIDES_PX
        screen = replace(screen, width_px=width, height_px=10 * width)
    figure = ecg_figure(signal.recording, evidence, view=view, screen=screen)
    if evidence is not None:
        figure = with_marks(figure, evidence, view, study.chosen(_mark_key(state, evidence)))
    layout, _ = view.paper_for(signal.recording, MAX_HEADROOM_MM)
    content = dict(state.draft)
    boxes = [read_box(box) for field in fields for box in content.get(field, ())]
    if not fields and "blind" in state.done:
        boxes = [read_box(box) for box in state.done["blind"]["boxes"]]
    frames = [
        frame
        for box in boxes
        for frame in box_frames(layout, Stretch((box.lead,), box.start_ms / 1000, box.stop_ms / 1000), dark=view.dark)
    ]
    alt = f"12-lead ECG, case {place} of {n_cases}" + (", with evidence" if evidence is not None else "")
    key = f"answer_trace_{place}_{state.step}_{len(boxes)}"
    settings: dict[str, Any] = {"width": "content", "theme": None, "config": CHART, "alt": alt, "key": key}
    if fields:
        settings |= {"on_select": partial(_take, reading, place, layout, signal, key), "selection_mode": "box"}
    st.plotly_chart(ready_for_boxes(figure, frames, dark=view.dark), **settings)
    if fields:
        _tools(reading, state, signal, fields)
    if evidence is not None and method != "weights":
        _show_mean_beat(evidence, screen.width_px)


def _show_mean_beat(evidence: Evidence, width_px: float) -> None:
    """Show the painted mean beat of what was revealed, where there is one."""
    beat = mean_beat_evidence(evidence.reading, evidence.contribution)
    if beat is not None:
        pane = Pane(f"Mean beat: evidence for {evidence.name}", evidence.name, beat)
        size = (width_px, BEAT_SHARE * session.window()[1])
        picture(beats_picture([pane], size_px=size, numbers=False, dark=session.is_dark()), "answer_beat")


def paper_controls(place: int) -> None:
    """Let the reader choose paper and size of the tracing; nothing of it is an answer."""
    st.selectbox("Layout", view_state.LAYOUT_ORDER, key=f"answer_layout_{place}", label_visibility="collapsed",
                 width=105)  # fmt: skip
    st.selectbox("Gain", GAINS, index=1, key=f"answer_gain_{place}", format_func=lambda gain: f"{gain:g} mm/mV",
                 label_visibility="collapsed", width=115)  # fmt: skip
    st.toggle("Full width", key=f"answer_full_{place}")


def _paper_chosen(place: int) -> View:
    layout = study.chosen(f"answer_layout_{place}") or view_state.LAYOUT_ORDER[0]
    gain = float(study.chosen(f"answer_gain_{place}") or GAINS[1])
    return View(layout=str(layout), gain=gain, dark=session.is_dark(), show_st=False, show_t=False)


def _is_full(place: int) -> bool:
    return bool(study.chosen(f"answer_full_{place}"))


def _fields(state: CaseState) -> tuple[str, ...]:
    """Return what boxes may be drawn for in this step."""
    if state.step == "blind":
        return ("boxes",)
    return ("missed", "invented") if state.step == "rating" and state.sees("evidence") else ()


def _tools(reading: Reading, state: CaseState, signal: SignalReading, fields: tuple[str, ...]) -> None:
    """Say what the next box is, let it be typed, and list those that are there."""
    place = state.planned.place
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(":material/select: **Drag a box** over what you see", width="content")
        if len(fields) > 1:
            st.segmented_control(
                "The box is", fields, default=fields[0], format_func=MARKS.__getitem__, key=f"answer_mark_{place}",
                label_visibility="collapsed", required=True,
            )  # fmt: skip
        st.segmented_control(
            "Use of the box", USES, default=USES[0], key=f"answer_use_{place}", required=True,
            label_visibility="collapsed", help="A measurement is a caliper: it is shown below and not kept.",
        )  # fmt: skip
        st.selectbox("Finding", NOTES, key=f"answer_note_{place}", label_visibility="collapsed", width=130)
        st.toggle("Mark every beat", key=f"answer_every_{place}", value=True, disabled=signal.waves is None)
        with st.popover("Type a box"):
            st.multiselect("Leads", STANDARD_LEADS, key=f"answer_leads_{place}")
            left, right = st.columns(2)
            longest = round(1000 * signal.recording.duration_s)
            left.number_input("From (ms)", 0, longest, 0, 10, key=f"answer_start_{place}")
            right.number_input("To (ms)", 0, longest, 400, 10, key=f"answer_stop_{place}")
            st.button("Add this box", on_click=_typed, args=(reading, place, signal))
    measured = study.chosen(f"answer_caliper_{place}")
    if isinstance(measured, Stretch):
        words = box_words.caliper_words(box_measures(measured, signal))
        st.markdown(f":material/straighten: {box_words.title(measured)}: {words}")
    for field in fields:
        listed = state.draft.get(field, ())
        if listed:
            _list(reading, place, field, listed)


def _list(reading: Reading, place: int, field: str, listed: list[dict[str, Any]]) -> None:
    """List boxes, those of one drag together, with a button that takes them away."""
    groups: dict[tuple[str, str], int] = {}
    for content in listed:
        box = read_box(content)
        groups[box.lead, box.note] = groups.get((box.lead, box.note), 0) + 1
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption(MARKS[field], width="content")
        for lead, note in groups:
            number = groups[lead, note]
            label = f"{lead} {note}" + (f" ×{number}" if number > 1 else "")
            st.button(
                label, key=f"answer_drop_{place}_{field}_{lead}_{note}", icon=":material/close:", type="tertiary",
                help="Take this away", on_click=_drop, args=(reading, place, field, lead, note),
            )  # fmt: skip


def _class_shown(opened: Case, place: int, called: str, *, wrong_ones: bool) -> str:
    if wrong_ones:  # the probabilities would tell which answers were made wrong
        chips, first = {name: name for name in opened.classes}, called or opened.most_probable
    else:
        chips, first = class_chips(opened, starred=False), opened.most_probable
    chosen = st.segmented_control(
        "Evidence for", list(opened.classes), default=first, format_func=chips.__getitem__,
        key=f"answer_class_{place}", required=True, label_visibility="collapsed",
    )  # fmt: skip
    return str(chosen or first)


def _take(reading: Reading, place: int, layout: PaperLayout, signal: SignalReading, key: str) -> None:
    drawn = view_state.drawn_boxes(key)
    stretch = box_at(layout, signal.recording, *drawn[-1]) if drawn else None
    if stretch is None:
        return
    if study.chosen(f"answer_use_{place}") == USES[1]:
        study.choose(f"answer_caliper_{place}", stretch)
    else:
        _add(reading, place, signal, stretch)


def _typed(reading: Reading, place: int, signal: SignalReading) -> None:
    leads = tuple(study.chosen(f"answer_leads_{place}") or ())
    start, stop = study.chosen(f"answer_start_{place}"), study.chosen(f"answer_stop_{place}")
    if not leads or start >= stop:
        st.toast("The box is empty: it needs a lead, and an end after its beginning.", icon=":material/error:")
        return
    _add(reading, place, signal, Stretch(leads, start / 1000, stop / 1000))


def _add(reading: Reading, place: int, signal: SignalReading, stretch: Stretch) -> None:
    """Keep a box, in the log, before anything else happens."""
    state = reading.state(place)
    fields = _fields(state)
    if not fields or state.step is None:
        return
    field = study.chosen(f"answer_mark_{place}") if len(fields) > 1 else fields[0]
    note = str(study.chosen(f"answer_note_{place}") or "")
    boxes = [MarkedBox(lead, 1000 * stretch.start_s, 1000 * stretch.stop_s, note) for lead in stretch.leads]
    if study.chosen(f"answer_every_{place}") and signal.waves is not None:
        recording = signal.recording
        r_ms = [1000.0 * int(r) / recording.fs for r in signal.waves.r_samples]
        boxes = [one for box in boxes for one in repeat_over_beats(box, r_ms, 1000 * recording.duration_s)]
    kept = [*state.draft.get(field or fields[0], ()), *(asdict(read_box(asdict(box))) for box in boxes)]
    _save(reading, place, {**state.draft, field or fields[0]: kept})


def _drop(reading: Reading, place: int, field: str, lead: str, note: str) -> None:
    draft = reading.state(place).draft
    kept = [box for box in draft.get(field, ()) if (box["lead"], box["note"]) != (lead, note)]
    _save(reading, place, {**draft, field: kept})


def _save(reading: Reading, place: int, content: dict[str, Any]) -> None:
    try:
        reading.save_draft(place, reading.state(place).step or "", content)
    except EcgImnError as exc:
        st.toast(str(exc), icon=":material/error:")


HOW = (
    "You read each ECG blind and submit your answer. Only then the model's answer and, where planned, its evidence are "
    "shown; you may revise, and you rate what you saw. Submitted answers cannot be changed. Every entry is saved at "
    "once: you may close the window and go on another day."
)
SOME_WRONG = (
    "Some of the model's answers in this audit were made wrong on purpose. Which ones is not told; the evidence shown "
    "is always the model's own, for the label shown."
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
    if is_adjudicator(reading.audit, reader):
        _adjudication_room(reading)
    elif (training := reading.training()).passed is False:
        _training_room(reading, training)
    elif place is None:
        _waiting_room(reading, states)
    else:
        _case(reading, reading.state(place), len(states))


def _sign_in(store: Store) -> None:
    st.caption(HOW)
    with st.form("study_sign_in", width=460):
        pseudonym = st.text_input(
            "Pseudonym", max_chars=40, key="study_pseudonym", help="Not your name. The same one brings you back."
        )
        passphrase = st.text_input(
            "Passphrase (optional)", type="password", max_chars=200, key="study_passphrase",
            help="Only of a pseudonym that you used here before." if study.is_signed_on() else None,
        )  # fmt: skip
        if st.form_submit_button("Sign in", type="primary", icon=":material/login:"):
            try:
                study.sign_in(store, pseudonym, passphrase)
            except EcgImnError as exc:
                st.error(str(exc), icon=":material/error:")
            else:
                st.rerun()
    if study.is_signed_on():
        st.caption("The pseudonym is bound to your account: nobody else can answer under it, and it cannot be changed.")
    else:
        st.caption("A passphrase keeps others from answering under your pseudonym. It cannot be recovered.")


def _waiting_room(reading: Reading, states: tuple[CaseState, ...]) -> None:
    done, following = sum(state.finished for state in states), reading.next_place(states)
    st.subheader(for_markdown(reading.audit.name))
    st.progress(done / len(states), text=f"{done} of {len(states)} cases finished")
    if following is None:
        st.success("All cases are finished. Thank you.", icon=":material/task_alt:")
        return
    over = reading.opens_at(following)
    if over is not None:
        st.info(
            f"The next period begins on {over:%d %B %Y at %H:%M} UTC, so that the cases are forgotten by then.",
            icon=":material/hourglass:",
        )
        return
    st.caption(HOW)
    design = reading.audit.design
    if design is not None and design.wrong_share > 0:
        st.info(SOME_WRONG, icon=":material/info:")
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
        recording = cached.get_audit_recording(state.planned.case.ref, state.planned.case.digest)
        session.note_opened("audit", f"case {place} of audit {audit.uid[:8]}", reader=reading.reader.pseudonym)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    signal = cached.get_reading(cached.identity(recording), recording)
    opened = None
    if "blind" in state.done and len(state.planned.arm.steps) > 1:
        try:
            # Cases were checked when the audit was set up; one that is refused by now is still answered as planned.
            opened = cached.get_case(recording, _model(audit), despite_quality=True)
            if state.step == "model":
                state = reading.reveal(place, "model", model_answer(opened))
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
            return
    _head(reading, state, n_cases)
    full = _is_full(place)
    left, right = (st.container(), st.container()) if full else st.columns((0.64, 0.36), gap="small")
    with left:
        draw_trace(reading, state, signal, opened if state.sees("evidence") else None, n_cases)
        _beside(audit, signal)
        if state.planned.arm.earlier:
            _show_earlier(state, signal)
    with right:
        show_committed(audit, state)
        if state.step == "evidence" and opened is not None:
            _offer_evidence(reading, place, opened)
        elif state.step in ("blind", "revision"):
            ask_diagnosis(reading, state)
        elif state.step == "rating":
            ask_rating(reading, state)
        else:
            _finished(reading, state)
            if opened is not None:
                _show_reasons(audit, state, opened)


def _show_reasons(audit: Audit, state: CaseState, opened: Case) -> None:
    """Say whether the class shown rests on its textbook criteria, once the last answer of the case is committed.

    Only where the arm painted the evidence: criteria are a second opinion. A study adds nothing, since its cases may
    be read again and answers made wrong must not be told.
    """
    if audit.design is None and state.sees("evidence") and state.planned.arm.method not in ("none", "weights"):
        shown = study.chosen(f"answer_class_{state.planned.place}") or opened.most_probable
        for sentence in cached.get_reasons(opened, str(shown)):
            st.markdown(sentence)
        offer_marks(opened.of(str(shown)), _mark_key(state, opened.of(str(shown))))


def _mark_key(state: CaseState, evidence: Evidence) -> str:
    """Return the key of the mark on the trace; it is offered where the case is finished, and only there."""
    return f"answer_mark_{state.planned.place}_{state.step}_{evidence.name}"


def _head(reading: Reading, state: CaseState, n_cases: int) -> None:
    steps = state.planned.arm.steps
    words = [f"**{STEP_WORDS[step]}**" if step == state.step else f":gray[{STEP_WORDS[step]}]" for step in steps]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Case {state.planned.place} of {n_cases}**  ·  " + " → ".join(words), width="content")
        paper_controls(state.planned.place)
        if st.button("Pause", icon=":material/pause:", help="The clock stops. Everything entered is kept."):
            reading.pause(state.planned.place)
            study.go_to(reading.audit.uid, None)
            st.rerun()
        if (
            reading.audit.design is not None
            and not state.finished
            and st.button("Come back later", icon=":material/schedule:", help="This case goes to the end of the list.")
        ):
            reading.put_off(state.planned.place)
            following = reading.next_place()
            study.go_to(reading.audit.uid, None)
            if following is not None and following != state.planned.place:
                _open(reading, following)
            st.rerun()


def _plain_trace(recording: Recording, key: str, alt: str) -> None:
    room = screen_for(session.window())
    screen = replace(room, height_px=room.height_px - HEAD_PX)
    figure = ecg_figure(recording, view=View(dark=session.is_dark()), screen=screen)
    st.plotly_chart(figure, width="content", theme=None, config=CHART, alt=alt, key=key)


def _training_room(reading: Reading, training: Training) -> None:
    """Read the training cases, each with its label told afterwards, until enough are right."""
    design, case = reading.audit.design, reading.next_training(training)
    if design is None or case is None:
        return
    told_key = f"study_training_told {reading.audit.uid}"
    n = len(design.training)
    st.markdown(
        f"**Training, case {len(training.answered) + 1} of {n}**  ·  {design.pass_share:.0%} right opens the audit"
        + (f"  ·  round {training.round}; before: {training.rounds[-1]:.0%} right" if training.rounds else "")
    )
    told = study.chosen(told_key)
    if told:
        (st.success if told[0] else st.warning)(told[1], icon=":material/school:")
    try:
        recording = cached.get_audit_recording(case.ref, case.digest)
        at = f"training case {len(training.answered) + 1} of audit {reading.audit.uid[:8]}"
        session.note_opened("audit", at, reader=reading.reader.pseudonym)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    key = f"answer_training_{training.round}_{len(training.answered)}"
    left, right = st.columns((0.64, 0.36), gap="small")
    with left:
        _plain_trace(recording, f"{key}_trace", "12-lead ECG, a training case")
    with right:
        primary = st.pills("Main diagnosis", reading.audit.diagnoses, key=f"{key}_primary")
        if st.button("Submit, then see the label", type="primary", icon=":material/lock:", key=f"{key}_commit"):
            try:
                is_right = reading.answer_training(case.ref, primary)
            except EcgImnError as exc:
                st.error(str(exc), icon=":material/error:")
                return
            labels = ", ".join(case.labels)
            study.choose(
                told_key, (is_right, f"The case before: {'right' if is_right else 'not right'}. Label: {labels}.")
            )
            st.rerun()


def _adjudication_room(reading: Reading) -> None:
    """Decide on the cases on which readers differ; who answered what is not told."""
    audit, store = reading.audit, reading.store
    if not store.is_guarded(reading.reader.uid):
        st.warning(
            "An adjudicator sees what readers answered. Put a passphrase before the pseudonym first: Protect, above.",
            icon=":material/lock_open:",
        )
        return
    try:
        disputed = disputed_cases(audit, store.readers(), store.events(audit.uid))
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    left_over = [one for one in disputed if one.decided is None]
    st.subheader(f"Adjudication: {for_markdown(audit.name)}")
    if not left_over:
        st.success(
            f"Nothing to decide: {len(disputed)} cases on which readers differ so far.", icon=":material/task_alt:"
        )
        return
    st.progress(1 - len(left_over) / len(disputed), f"{len(disputed) - len(left_over)} of {len(disputed)} decided")
    _decide(reading, left_over[0])


def _decide(reading: Reading, one: Disputed) -> None:
    audit, key = reading.audit, f"answer_adjudication_{one.case.ref}"
    try:
        recording = cached.get_audit_recording(one.case.ref, one.case.digest)
        session.note_opened("audit", f"adjudication in audit {audit.uid[:8]}", reader=reading.reader.pseudonym)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    left, right = st.columns((0.64, 0.36), gap="small")
    with left:
        _plain_trace(recording, f"{key}_trace", "12-lead ECG on which readers differ")
    with right:
        for number, opinion in enumerate(one.opinions, start=1):
            beside = f", also {', '.join(opinion['also'])}" if opinion["also"] else ""
            st.markdown(f"Reader {number}: **{opinion['primary']}**{beside}, confidence {opinion['confidence']} of 5")
        primary = st.pills("Decision", audit.diagnoses, key=f"{key}_primary")
        also = st.pills("Also present", audit.classes, selection_mode="multi", key=f"{key}_also")
        confidence = st.segmented_control(
            "Confidence", CONFIDENCES, format_func=CONFIDENCE_WORDS.__getitem__, key=f"{key}_confidence"
        )
        text = st.text_area("Reasons (optional)", max_chars=2000, height=80, key=f"{key}_text",
                            help="No names and nothing else that identifies a person.")  # fmt: skip
        if st.button("Submit the decision", type="primary", icon=":material/gavel:", key=f"{key}_commit"):
            content = {"primary": primary, "also": list(also), "confidence": confidence, "text": text}
            try:
                adjudicate(reading.store, audit, reading.reader, one.case.ref, content)
            except EcgImnError as exc:
                st.error(str(exc), icon=":material/error:")
            else:
                st.rerun()


def _offer_evidence(reading: Reading, place: int, opened: Case) -> None:
    if st.button("Show the evidence", type="primary", icon=":material/visibility:", shortcut="Mod+Enter"):
        try:
            reading.reveal(place, "evidence", model_answer(opened))
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
        st.markdown(f"**ST at J** in mV, reference {signal.measurements.reference}")
        st.markdown(st_grid(signal) or f"— ({signal.measurements.reason})")
    for warning in signal.quality.warnings:
        st.caption(warning)


def _show_earlier(state: CaseState, signal: SignalReading) -> None:
    """Show the patient's earlier ECG and what changed in numbers; nothing that a data set or a model says of either."""
    case, place = state.planned.case, state.planned.place
    try:
        recording = cached.get_audit_recording(case.earlier, case.earlier_digest)
        since = time_before(case, cached.current_ptbxl())
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    st.markdown("**Earlier ECG of the same patient**" + (f" · {since}" if since else ""))
    _plain_trace(recording, f"answer_earlier_{place}", f"12-lead ECG, the earlier one of case {place}")
    before = cached.get_reading(cached.identity(recording), recording)
    width = screen_for(session.window()).width_px
    show_both_beats(before, signal, (width, BEAT_SHARE * session.window()[1]), "answer_earlier_beats")
    show_changes(measured_changes(before, signal))


def _model(audit: Audit) -> Model:
    """Return the very model that the audit names."""
    if audit.model in cached.model_names():
        card = cached.card_of(audit.model)
        if card.sha256 == audit.model_sha256:
            return cached.get_model(card.name, card.sha256)
    raise StudyError(
        f"The model {audit.model} with the hash {audit.model_sha256[:8]} is not installed here. The audit was made "
        "with it, and no other may answer. Put its files into models/."
    )
