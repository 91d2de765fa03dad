"""The ECG of an audit's case: boxes are drawn on it, and the evidence lies behind it once it is revealed."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import streamlit as st

from ecgimn.draw.box import box_at, box_frames, ready_for_boxes
from ecgimn.draw.case_report import st_marks
from ecgimn.draw.ecg import MAX_HEADROOM_MM, Screen, ecg_figure
from ecgimn.draw.paper import PaperLayout
from ecgimn.draw.view import View
from ecgimn.draw.window import screen_for
from ecgimn.errors import EcgImnError
from ecgimn.explain.box import Box as Stretch
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.summary import class_chips
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.reading import SignalReading
from ecgimn.study.answers import Box, read_box, repeat_over_beats
from ecgimn.study.session import CaseState, Reading
from pages import _session as session
from pages import _session_study as study
from pages import _session_view as view_state

CHART = {"displayModeBar": False}
NOTES = ("ST", "T wave", "Q or QRS", "P or PR", "rhythm", "other")
MARKS = {"boxes": "What I saw", "missed": "The map missed this", "invented": "The map invented this"}
HEAD_PX = 60.0  # more above the trace than in the reading room


def draw_trace(
    reading: Reading, state: CaseState, signal: SignalReading, explanation: Explanation | None, n_cases: int
) -> None:
    """Draw the case; without an explanation nothing about the model is in the picture."""
    place, method = state.planned.place, state.planned.arm.method
    view = View(dark=session.is_dark(), show_st=False, show_t=False)
    if explanation is not None and method != "none":
        shown = _class_shown(explanation, place)
        view = View(
            dark=session.is_dark(), quantity=method, class_index=explanation.index(shown), show_st=True, show_t=True
        )
    fields = _fields(state)
    room = screen_for(session.window())
    figure = ecg_figure(
        signal.recording,
        explanation,
        view=view,
        waves=signal.waves if explanation is not None else None,
        st=st_marks(signal) if explanation is not None else None,
        screen=Screen(width_px=room.width_px, height_px=room.height_px - HEAD_PX, px_per_mm=room.px_per_mm),
        isoelectric_mv=signal.levels,
    )
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
    alt = f"12-lead ECG, case {place} of {n_cases}" + (", with evidence" if explanation is not None else "")
    key = f"answer_trace_{place}_{state.step}_{len(boxes)}"
    settings: dict[str, Any] = {"width": "content", "theme": None, "config": CHART, "alt": alt, "key": key}
    if fields:
        settings |= {"on_select": partial(_take, reading, place, layout, signal, key), "selection_mode": "box"}
    st.plotly_chart(ready_for_boxes(figure, frames, dark=view.dark), **settings)
    if fields:
        _tools(reading, state, signal, fields)


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
        st.selectbox("Finding", NOTES, key=f"answer_note_{place}", label_visibility="collapsed", width=130)
        st.toggle("Mark every beat", key=f"answer_every_{place}", value=True, disabled=signal.waves is None)
        with st.popover("Type a box"):
            st.multiselect("Leads", STANDARD_LEADS, key=f"answer_leads_{place}")
            left, right = st.columns(2)
            longest = round(1000 * signal.recording.duration_s)
            left.number_input("From (ms)", 0, longest, 0, 10, key=f"answer_start_{place}")
            right.number_input("To (ms)", 0, longest, 400, 10, key=f"answer_stop_{place}")
            st.button("Add this box", on_click=_typed, args=(reading, place, signal))
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


def _class_shown(explanation: Explanation, place: int) -> str:
    chips = class_chips(explanation)
    first = max(explanation.classes, key=lambda name: float(explanation.probability[explanation.index(name)]))
    chosen = st.segmented_control(
        "Evidence for", list(explanation.classes), default=first, format_func=chips.__getitem__,
        key=f"answer_class_{place}", required=True, label_visibility="collapsed",
    )  # fmt: skip
    return str(chosen or first)


def _take(reading: Reading, place: int, layout: PaperLayout, signal: SignalReading, key: str) -> None:
    drawn = view_state.drawn_boxes(key)
    stretch = box_at(layout, signal.recording, *drawn[-1]) if drawn else None
    if stretch is not None:
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
    boxes = [Box(lead, 1000 * stretch.start_s, 1000 * stretch.stop_s, note) for lead in stretch.leads]
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
