"""Teaching: read a case, commit, then see what was there, what the model says and where its evidence lies."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import streamlit as st

from ecgimn.draw.painted import mean_beat_evidence
from ecgimn.draw.screen.ecg import LEAST_PX, Screen, ecg_figure, screen_for
from ecgimn.draw.screen.side_by_side import Pane, beats_picture
from ecgimn.draw.view import View
from ecgimn.draw.words.case import st_rows
from ecgimn.errors import EcgImnError, QualityError
from ecgimn.escape import for_markdown
from ecgimn.explain.case import Case, Evidence
from ecgimn.explain.difference import CaseDifference, difference, difference_sentences
from ecgimn.explain.sentences import class_chips, describe_evidence
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from ecgimn.sources.physionet import ptbxl_place
from ecgimn.study.cases import (
    QUIZ,
    Collection,
    QuizCase,
    answer_source,
    attempt_of,
    collection_text,
    kept_attempts,
    score,
)
from pages.ui import cache as cached
from pages.ui import case_bar
from pages.ui.earlier import show_both_beats, show_changes, show_difference
from pages.ui.state import case as session
from pages.ui.state import study
from pages.ui.state import view as view_state
from pages.ui.trace import offer_marks, picture, with_marks

session.run_under_app()

CHART = {"displayModeBar": False}
N_ATTEMPTS = 8
BEAT_SHARE = 0.6  # of the window's height, for the mean beat below the trace
ANSWER_PX = 150.0  # of the presenter's view, for chips and sentence above what is new
LAYOUT = "3x4+1R"  # at 12x1 the chest leads of most cases run into one another
SEEN = ("Both mean beats", "Later ECG", "Earlier ECG")
HOW = "Mark all that fit, then submit. Only then the answer, the model and its evidence appear."


def show_mean_beat(evidence: Evidence, size_px: tuple[float, float], key: str) -> None:
    """Show the painted mean beat, where there is one."""
    beat = mean_beat_evidence(evidence.reading, evidence.contribution)
    if beat is not None:
        pane = Pane(f"Mean beat: evidence for {evidence.name}", evidence.name, beat)
        numbers = view_state.is_research()
        picture(beats_picture([pane], size_px=size_px, numbers=numbers, dark=session.is_dark()), key)


def words(text: str, *, large: bool) -> None:
    """Print a line, large for a room."""
    st.markdown(f"## {text}" if large else text)


def show_case(collection: Collection, state: dict[str, Any], *, large: bool) -> None:
    case = collection.cases[state["place"]]
    try:
        recording, title = cached.get_quiz_case(f"{collection.name} {state['place']} {case}", case)
        session.note_opened("teach", f"{session.what_is_open(recording)} (teaching)")
    except EcgImnError as exc:
        st.warning(f"This case cannot be shown: {exc}", icon=":material/database:")
        return
    if case.earlier:
        show_pair(collection, case, state, recording, title, large=large)
        return
    signal = cached.get_reading(cached.identity(recording), recording)
    opened = explain_after(state, recording)
    left, right = (st.container(), st.container()) if large else st.columns((0.64, 0.36), gap="small")
    with left:
        draw(state, signal, opened, len(collection.cases), large=large)
    with right:
        if state["answer"] is None:
            ask(collection, case, state, large=large)
        else:
            reveal(collection, case, state, title, large=large)
    if state["answer"] is not None:
        show_measurements(signal, opened, state, large=large)


def show_pair(
    collection: Collection, case: QuizCase, state: dict[str, Any], later: Recording, title: str, *, large: bool
) -> None:
    """Show two ECGs over one another; what is new, the model and its difference come after the answer."""
    try:
        earlier, before, since = cached.get_quiz_earlier(case.earlier)
    except EcgImnError as exc:
        st.warning(f"This case cannot be shown: {exc}", icon=":material/database:")
        return
    found = None
    if state["answer"] is not None:
        cases = [explain_after(state, recording) for recording in (earlier, later)]
        found = difference(cases[0], cases[1]) if cases[0] is not None and cases[1] is not None else None
    left, right = (st.container(), st.container()) if large else st.columns((0.64, 0.36), gap="small")
    with left:
        draw_pair(state, (earlier, later), found, since, len(collection.cases), large=large)
    with right:
        if state["answer"] is None:
            ask(collection, case, state, large=large)
        else:
            reveal(collection, case, state, f"{title}, after {before}{f' of {since}' if since else ''}", large=large)
    if found is not None and not large:  # a table is not for a room
        show_changes(found.changes)


def draw_pair(
    state: dict[str, Any], pair: tuple[Recording, Recording], found: CaseDifference | None, since: str, n_cases: int,
    *, large: bool,
) -> None:  # fmt: skip
    """Draw both mean beats or either tracing, and after the answer what the change did to a class."""
    at = f"{state['place']}_{state.get('round', 0)}"
    width, height = session.window()
    room = room_for_case((width, height), large=large)
    name = None
    if found is not None:
        name = st.segmented_control(
            "Difference for", list(found.classes), default=found.most_changed, required=True,
            key=f"answer_quiz_class_{at}", label_visibility="collapsed",
        ) or found.most_changed  # fmt: skip
        head, *sentences = difference_sentences(
            found, name, since or "the earlier ECG", logits=view_state.is_research()
        )
        if large:
            room = replace(room, height_px=max(room.height_px - ANSWER_PX, LEAST_PX[1]))
        words(f"**{for_markdown(head)}** {' '.join(for_markdown(one) for one in sentences)}", large=large)
    shown = st.segmented_control(
        "Shown", SEEN, default=SEEN[0], required=True, key=f"answer_quiz_seen_{at}", label_visibility="collapsed"
    )
    if shown in SEEN[1:]:
        recording = pair[SEEN.index(shown) == 1]
        view = View(layout=LAYOUT, dark=session.is_dark(), show_st=False, show_t=False)
        alt = f"12-lead ECG, {str(shown).lower()} of case {state['place'] + 1} of {n_cases}"
        figure = ecg_figure(recording, None, view=view, screen=room)
        st.plotly_chart(figure, width="content", theme=None, key="answer_quiz_trace", config=CHART, alt=alt)
    elif found is None or name is None:
        readings = [cached.get_reading(cached.identity(recording), recording) for recording in pair]
        show_both_beats(readings[0], readings[1], (room.width_px, room.height_px), "answer_quiz_beats")
    else:
        show_difference(found, name, since, (room.width_px, room.height_px), "answer_quiz_difference")


def room_for_case(window: tuple[int, int], *, large: bool) -> Screen:
    """Return the room for the picture: the whole window in a room of listeners."""
    room = replace(screen_for(window), numbers=view_state.is_research())
    if not large:
        return room
    return replace(room, width_px=window[0] - 160.0, height_px=max(window[1] - 170.0, 420.0))


def explain_after(state: dict[str, Any], recording: Recording) -> Case | None:
    """Run the model, once the answer is committed and not before."""
    if state["answer"] is None:
        return None
    try:
        return cached.get_case(recording, case_bar.current_model())
    except QualityError as exc:
        st.warning(f"The model is not run on this tracing. {exc}", icon=":material/block:")
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
    return None


def mark_key(state: dict[str, Any], evidence: Evidence) -> str:
    return f"answer_quiz_mark_{state['place']}_{state.get('round', 0)}_{evidence.name}"


def draw(state: dict[str, Any], signal: SignalReading, opened: Case | None, n_cases: int, *, large: bool) -> None:
    # What is revealed is the evidence alone: marks of rules beside it would say what to see in it.
    evidence, view = None, View(layout=LAYOUT, dark=session.is_dark(), show_st=False, show_t=False)
    if opened is not None:
        first, chips = opened.most_probable, class_chips(opened, starred=False)
        shown = st.segmented_control(
            "Evidence for", list(opened.classes), default=first, format_func=chips.__getitem__, required=True,
            key=f"answer_quiz_class_{state['place']}_{state.get('round', 0)}", label_visibility="collapsed",
        )  # fmt: skip
        case_bar.scope_note(opened)
        evidence = opened.of(shown or first)
    width, height = session.window()
    room = room_for_case((width, height), large=large)
    figure = ecg_figure(signal.recording, evidence, view=view, screen=room)
    if evidence is not None:
        figure = with_marks(figure, evidence, view, study.chosen(mark_key(state, evidence)))
    alt = f"12-lead ECG, case {state['place'] + 1} of {n_cases}"
    st.plotly_chart(figure, width="content", theme=None, key="answer_quiz_trace", config=CHART, alt=alt)
    if evidence is not None:
        show_mean_beat(evidence, (room.width_px, BEAT_SHARE * height), key="answer_quiz_beat")


def ask(collection: Collection, case: QuizCase, state: dict[str, Any], *, large: bool) -> None:
    asked = "What is new since the earlier ECG?" if case.earlier else "What does this tracing show?"
    words(case.question or asked, large=large)
    key = f"answer_quiz_{collection.name}_{state['place']}_{state.get('round', 0)}"
    chosen = [option for i, option in enumerate(collection.options) if st.checkbox(option, key=f"{key}_{i}")]
    if state["hints"] < len(case.hints):
        left = len(case.hints) - state["hints"]
        if st.button(f"Hint ({left} left)", icon=":material/lightbulb:", key=f"{key}_hint", shortcut="H"):
            state["hints"] += 1
            st.rerun()
    for lead, text in case.hints[: state["hints"]]:
        words(f":material/lightbulb: **{lead}** · {text}", large=large)
    if large and st.button("Reveal", icon=":material/visibility:", key=f"{key}_reveal", shortcut="A"):
        state["answer"] = []  # for a room: nobody's attempt
        st.rerun()
    if st.button("Submit", type="primary", icon=":material/lock:", key=f"{key}_commit", shortcut="Mod+Enter"):
        if not chosen:
            st.error("Nothing is marked. One statement at least is needed. Mark what you see.", icon=":material/error:")
            return
        state["answer"] = chosen
        keep_attempt(collection, case, state)
        st.rerun()


def keep_attempt(collection: Collection, case: QuizCase, state: dict[str, Any]) -> None:
    """Keep the attempt in this session, and in the store for a reader who signed in."""
    attempt = attempt_of(case, score(case, state["answer"]), state["hints"])
    state["attempts"].insert(0, attempt)
    reader = study.reader()
    if reader is not None:
        try:
            store, text = cached.get_store(), collection_text(collection)
            uid = hashlib.sha256(text.encode()).hexdigest()
            store.add_study(uid, collection.title, QUIZ, text)
            store.append(uid, reader.uid, case.ref, "quiz", attempt)
        except EcgImnError as exc:
            st.toast(str(exc), icon=":material/error:")


def reveal(collection: Collection, case: QuizCase, state: dict[str, Any], title: str, *, large: bool) -> None:
    result = score(case, state["answer"])
    words(f"**{title[:1].upper()}{title[1:]}**", large=large)
    verdicts: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
        ("check_circle", "green", "correct", result.correct),
        ("visibility_off", "orange", "missed", result.missed),
        ("cancel", "red", "wrong", result.wrong),
    )
    if not state["answer"]:  # nobody was asked
        verdicts = (("check_circle", "green", "what was there", case.answers),)
    for icon, colour, name, listed in verdicts:
        for option in listed:
            words(f":{colour}[:material/{icon}:] {option} · {name}", large=large)
    n_hints = state["hints"]
    st.caption(f"{n_hints or 'No'} hint{'' if n_hints == 1 else 's'} used. {answer_source(case)}")
    words("**To remember**", large=large)
    for point in case.points:
        words(f":material/school: {point}", large=large)
    st.button(
        "Next case", type="primary", icon=":material/arrow_forward:", key="quiz_next_after",
        on_click=study.next_quiz_case, args=(collection.name, len(collection.cases)),
    )  # fmt: skip


def show_measurements(signal: SignalReading, opened: Case | None, state: dict[str, Any], *, large: bool) -> None:
    if opened is not None:
        key = f"answer_quiz_class_{state['place']}_{state.get('round', 0)}"
        shown = study.chosen(key) or opened.most_probable
        for sentence in describe_evidence(opened.of(shown), logits=view_state.is_research()):
            words(sentence, large=large)
        for sentence in cached.get_reasons(opened, shown):
            words(sentence, large=large)
        offer_marks(opened.of(shown), mark_key(state, opened.of(shown)))
    rows = st_rows(signal)
    if large:
        return  # a table is not for a room
    if rows:
        st.dataframe(rows, hide_index=True, height="content", row_height=28, alt="ST and T by lead")
    else:
        st.caption(f"ST and T — ({signal.reason or 'not measurable'})")


def show_attempts(collection: Collection) -> None:
    """List the last attempts: of this session, or of the reader who signed in."""
    attempts = list(study.quiz(collection.name)["attempts"])
    reader = study.reader()
    if reader is not None:
        try:
            attempts = list(kept_attempts(cached.get_store(), collection, reader.uid)) or attempts
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
    if not attempts:
        return
    places = {case.ref: place for place, case in reversed(list(enumerate(collection.cases, start=1)))}
    st.markdown(f"**Last attempts** at {collection.title}")
    st.dataframe(
        [
            {
                "Case": str(places.get(attempt["case"], "—")),
                "Correct": str(len(attempt["correct"])),
                "Missed": str(len(attempt["missed"])),
                "Wrong": str(len(attempt["wrong"])),
                "Hints": str(attempt["hints"]),
            }
            for attempt in attempts[:N_ATTEMPTS]
        ],
        hide_index=True, width="content", alt="Last attempts",
    )  # fmt: skip


def sign_in_area() -> None:
    """Let a reader sign in, so that attempts are kept beyond this window."""
    with st.popover("Keep my attempts", icon=":material/person:"):
        st.caption("Under a pseudonym, never your name; attempts are then there another day too.")
        with st.form("study_quiz", border=False):
            pseudonym = st.text_input("Pseudonym", max_chars=40, key="study_quiz_pseudonym")
            passphrase = st.text_input(
                "Passphrase (optional)", type="password", max_chars=200, key="study_quiz_passphrase"
            )
            wanted = st.form_submit_button("Sign in", key="study_quiz_sign_in")
        if wanted:
            try:
                study.sign_in(cached.get_store(), pseudonym, passphrase)
            except EcgImnError as exc:
                st.error(str(exc), icon=":material/error:")
            else:
                st.rerun()


def all_collections() -> tuple[Collection, ...]:
    """Return the collections installed, and the pairs of PTB-XL after them; raises `SourceError`."""
    installed = cached.get_collections()
    try:
        place = ptbxl_place()
        pairs = cached.get_pairs(place) if place else None
    except EcgImnError:  # a broken folder is no reason to refuse what needs none
        pairs = None
    return installed if pairs is None else (*installed, pairs)


try:
    collections = all_collections()
except EcgImnError as exc:
    st.error(str(exc), icon=":material/error:")
    st.stop()
if not collections:
    st.info("No collection is installed. Put one into assets/collections/.", icon=":material/school:")
    st.stop()

by_name = {collection.name: collection for collection in collections}
with st.container(horizontal=True, vertical_alignment="center"):
    name = st.selectbox(
        "Collection", list(by_name), format_func=lambda name: by_name[name].title, key="teach_collection",
        label_visibility="collapsed", width=330, persist_state="session",
    )  # fmt: skip
    chosen_collection = by_name[str(name)]
    quiz = study.quiz(chosen_collection.name)
    n_cases = len(chosen_collection.cases)
    st.button("Previous", shortcut="Left", on_click=study.next_quiz_case, args=(chosen_collection.name, n_cases, -1))
    st.button("Next", shortcut="Right", on_click=study.next_quiz_case, args=(chosen_collection.name, n_cases))
    st.markdown(f"Case **{quiz['place'] + 1}** of {n_cases}", width="content")
    large = st.toggle(
        "Presenter view", key="teach_large", persist_state="session",
        help="Large type for a room. H gives a hint, A shows the answer, the arrow keys go to the next case and back.",
    )  # fmt: skip
    if study.is_signed_on():
        study.know_again(cached.get_store())
    who = study.reader()
    if who is None:
        sign_in_area()
    else:
        study.show_reader(cached.get_store(), who)
if not large:
    st.markdown(f":gray[{chosen_collection.remark} {HOW}]")
show_case(chosen_collection, quiz, large=large)
if not large:
    show_attempts(chosen_collection)
