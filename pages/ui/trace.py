"""The figure of the ECG: its settings, the screen's calibration, and a box drawn on it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from ecgimn.draw.paper import PaperLayout
from ecgimn.draw.screen.ecg import MAX_HEADROOM_MM, Screen, is_narrow, screen_for
from ecgimn.draw.screen.live import box_at, box_frames, framed, ready_for_boxes, wave_frames
from ecgimn.draw.view import View
from ecgimn.draw.words import case as box_words
from ecgimn.explain.box import Box, box_evidence, box_measures, qtc_of_two
from ecgimn.explain.case import Case, Evidence
from ecgimn.explain.measured import reasons_of
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from pages.ui import cache as cached
from pages.ui.state import browser as screen_state
from pages.ui.state import case as session
from pages.ui.state import view as view_state

HTML = """
<div class="card" role="img" aria-label="Outline of a bank card, 85.60 mm wide"></div>
<input type="range" min="2" max="12" step="0.01" aria-label="Width of the card">
<div class="row"><output></output> <button>The card fits</button></div>
"""
CSS = """
.card { box-sizing: border-box; border: 2px solid var(--st-text-color); border-radius: 3.5% / 5.6%; max-width: none;
  background: var(--st-secondary-background-color); margin-bottom: 0.75rem; }
input { width: 100%; accent-color: var(--st-primary-color); }
.row { display: flex; justify-content: space-between; align-items: center; font-family: var(--st-font);
  font-size: 0.875rem; color: var(--st-text-color); }
button { font: inherit; padding: 0.25rem 0.75rem; color: inherit; cursor: pointer;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); }
"""
SCRIPT = (Path(__file__).parent / "card.js").read_text(encoding="utf-8")


def calibrate() -> None:
    """Let the reader fit the drawn card to a real one."""
    st.caption(
        "Hold a bank card against the screen and move the slider until the outline is as wide (85.60 mm, ISO/IEC 7810 "
        "ID-1). This browser keeps the result, at every zoom."
    )
    card = st.components.v2.component("bank_card", html=HTML, css=CSS, js=SCRIPT)
    card(data={"scale": screen_state.screen_scale()}, key="bank_card", on_fits_change=screen_state.take_card)


PICTURE_CSS = """
div, p { font-family: var(--st-font); font-size: 0.875rem; color: var(--st-text-color); }
.panes { display: flex; flex-wrap: wrap; gap: 0 14px; }
figure { margin: 0; min-width: 0; }
figcaption { height: 24px; line-height: 24px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
svg { display: block; max-width: 100%; height: auto; }
.key { margin: 0; font-size: 0.75rem; min-height: 24px; }
.key .bar { display: inline-block; width: 90px; height: 10px; border: 1px solid var(--st-border-color); }
"""
PICTURE_SCRIPT = """
export default ({ data, parentElement }) => { parentElement.querySelector(".picture").innerHTML = data }
"""
SEEN = ("mean beat", "whole trace")


def offer_marks(evidence: Evidence, key: str) -> None:
    """Offer the textbook criteria on this ECG of the class shown; the one chosen is marked on the trace."""
    said = reasons_of(evidence)
    if said is not None and said.reasons and evidence.reading.waves is not None:
        names = [reason.criterion.name for reason in said.reasons]
        st.pills("Mark on the trace", names, key=key)


def with_marks(figure: Any, evidence: Evidence, view: View, name: object) -> Any:
    """Return the figure with the waves of a criterion that `offer_marks` offered framed; as it is where none is."""
    said, waves = reasons_of(evidence), evidence.reading.waves
    chosen = [reason.criterion for reason in said.reasons if reason.criterion.name == name] if said else []
    if not chosen or waves is None:
        return figure
    layout, _ = view.paper_for(evidence.reading.recording, MAX_HEADROOM_MM)
    return framed(figure, wave_frames(layout, waves, chosen[0].leads, chosen[0].wave, dark=view.dark))


def picture(markup: str, key: str) -> None:
    """Show painted mean beats or another drawing: markup made by `ecgimn.draw`, of numbers and escaped names."""
    html = '<div class="picture"></div>'
    show = st.components.v2.component("beats_picture", html=html, css=PICTURE_CSS, js=PICTURE_SCRIPT)
    show(data=markup, key=key)


def seen_choice(*, has_beat: bool) -> str:
    """Let the reader choose between the painted mean beat and the whole trace; return which one is shown."""
    if not has_beat:
        return SEEN[1]
    chosen = st.segmented_control(
        "Shown", SEEN, default=SEEN[0], required=True, key="seen", bind="query-params", label_visibility="collapsed"
    )
    return str(chosen or SEEN[0])


USUAL_LIMIT = {"contribution": 0.03, "weights": 0.2}  # superclass-v10 in the composites: medians 0.028, 0.14
USUAL_UNIT = {"contribution": "logit per 40 ms", "weights": "logit per mV per 40 ms"}


def view_settings(*, n_members: int, room: Screen | None = None) -> tuple[View, Screen]:
    """Let the reader choose how the case is drawn; rarely used settings lie in a popover."""
    with st.popover("View", icon=":material/tune:"):
        if st.toggle("Calibrate the screen with a bank card", key="calibrate"):
            calibrate()
        left, right = st.columns(2)
        left.selectbox(
            "Layout", view_state.LAYOUT_ORDER, view_state.LAYOUT_ORDER.index(view_state.layout()),
            key=(key := session.widget_key("layout")), on_change=session.take, args=("layout", key),
        )  # fmt: skip
        speed = left.selectbox("Paper speed (mm/s)", [12.5, 25.0, 50.0], index=1, key="speed", bind="query-params")
        gain = left.selectbox("Gain (mm/mV)", [5.0, 10.0, 20.0], index=1, key="gain", bind="query-params")
        size = left.selectbox(
            "Figure", ["fits the window", screen_state.TRUE_SIZE], key="size", persist_state="session"
        )
        style = right.selectbox("Evidence as", ["painted", "band", "line", "blocks"], key="style", bind="query-params")
        scale = right.selectbox(
            "Ends of the colour scale", ["of this record", "fixed"], key="scale", bind="query-params",
            help="99th percentile of this record, or the same for every case.",
        )  # fmt: skip
        limit = None
        if scale == "fixed":
            limit = right.number_input(
                f"± {USUAL_UNIT[view_state.quantity()]}", 0.0001, 100.0, USUAL_LIMIT[view_state.quantity()],
                key=f"limit_{view_state.quantity()}", bind="query-params", format="%.4f",
            )  # fmt: skip
        cabrera = right.toggle("Cabrera order", key="cabrera", bind="query-params")
        strip = right.toggle(
            "Strip under each lead", value=True, key="strip", bind="query-params",
            help="The evidence as height above and below a line, for print without colour.",
        )  # fmt: skip
        st_t = right.toggle("Mark ST and T", value=True, key="marks", bind="query-params")
        unsure = right.toggle("Stripes where networks disagree", key="unsure", bind="query-params",
                              disabled=n_members < 2,
                              help="Where the members' spread is larger than their mean.")  # fmt: skip
        if room is not None:  # mean beats stand beside the trace
            right.toggle(
                "Normal beat in grey", key="grey", bind="query-params",
                help="The mean beat of the normal composite behind each mean beat, as the eye's reference.",
            )  # fmt: skip
        left.selectbox(
            "ST measured from", ["PQ", "TP"], key="st_reference", bind="query-params",
            help="Level just before QRS, or the quiet stretch from T to the next P.",
        )  # fmt: skip
        window = screen_state.window()
        screen = replace(
            room or screen_for(window, beside=not is_narrow(window)), px_per_mm=screen_state.screen_scale(),
            calibrated=screen_state.is_calibrated(),
            true_size=size == screen_state.TRUE_SIZE,
        )  # fmt: skip
    quantity, (overlay, opacity) = view_state.quantity(), view_state.evidence_seen()
    view = View(
        layout=view_state.layout(), speed=speed, gain=gain, cabrera=cabrera, overlay=overlay, limit=limit,
        quantity=quantity, style=style, opacity=opacity, show_strip=strip, show_st=st_t, show_t=st_t,
        show_uncertainty=unsure and n_members > 1, dark=session.is_dark(),
    )  # fmt: skip
    return view, screen


CHART = {"displayModeBar": False}
KEY = "ecg"
HOW = "Drag a box on the trace, or type one here. A double click on the trace takes it away, as Clear does."
WITHOUT = (
    "The map predicts with the weights of this ECG held. The network re-run reads the changed ECG and writes new ones."
)


def trace(figure: Any, recording: Recording, view: View, alt: str) -> None:
    """Show the ECG, a figure ready for boxes; a box drawn on it is kept for this recording."""
    layout, _ = view.paper_for(recording, MAX_HEADROOM_MM)
    chart = f"{recording.digest} {view} {figure.layout.width}"
    box = view_state.box_of(recording)
    # Where the reader drew the box by hand, the browser shows it already; a frame would draw the whole chart again.
    frames = box_frames(layout, box, dark=view.dark) if box is not None and view_state.box_chart() != chart else []
    st.plotly_chart(
        ready_for_boxes(figure, frames, dark=view.dark) if frames else figure,
        width="content",
        theme=None,
        key=KEY,
        config=CHART,
        alt=alt,
        on_select=partial(_take, recording, layout, "" if frames else chart),
        selection_mode="box",
    )


def _take(recording: Recording, layout: PaperLayout, chart: str) -> None:
    drawn = view_state.drawn_boxes(KEY)
    view_state.keep_box(recording, box_at(layout, recording, *drawn[-1]) if drawn else None, chart)


def answers(case: Case, name: str, minus: str | None) -> None:
    """Show what the box says, once there is one: caliper, evidence inside, the score without it.

    Of one class, or of the difference of two.
    """
    recording = case.recording
    box = view_state.box_of(recording)
    if box is None:
        if any(view_state.can_step(f"box {recording.digest}", by) for by in (-1, 1)):
            undo_box(recording)
        return
    measures, evidence = box_measures(box, case.reading), box_evidence(box, case.of(name, minus))
    interventions = cached.get_box_interventions(f"{recording.digest} {case.card.sha256} {box}", box, case)
    without = [intervention.of(name, minus) for intervention in interventions]
    with st.container(border=True, gap="xsmall", key="box_answers"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(f"**Box** {box_words.title(box)}", width="content")
            undo_box(recording)
        st.markdown(f":material/straighten: {box_words.caliper_words(measures)}")
        before = view_state.box_before(recording)
        two_marks = qtc_of_two(before, box) if before is not None else None
        if two_marks is not None:
            st.markdown(f":material/straighten: {box_words.two_marks_words(two_marks)}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            across = st.toggle("Lines through all leads", key="box_all_leads", persist_state="session")
            st.toggle("March out", key="box_march", persist_state="session", disabled=not across,
                      help="The same distance again and again, before and after.")  # fmt: skip
        research = view_state.is_research()
        st.markdown(f":material/balance: {box_words.evidence_words(evidence, logits=research)}")
        st.markdown(box_words.lead_words(evidence, measures))
        st.markdown(f":material/ink_eraser: {box_words.without_words(without)}", help=WITHOUT)
        st.markdown(box_words.without_table(without, logits=research))


def undo_box(recording: Recording) -> None:
    """Show the buttons, with keys, that take the last change of the box back and make it again."""
    for label, keys, by in (("Undo", "Mod+Z", -1), ("Redo", "Mod+Y", 1)):
        st.button(
            label, shortcut=keys, on_click=view_state.step_box, args=(recording, by), key=f"box_{label.lower()}",
            disabled=not view_state.can_step(f"box {recording.digest}", by), type="tertiary",
        )  # fmt: skip


def by_numbers(recording: Recording) -> None:
    """Let the reader type a box; the fields show the one that is there, also where it was drawn."""
    box = view_state.box_of(recording)
    longest, which = round(1000 * recording.duration_s), str(box)
    st.caption(HOW)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect("Leads", STANDARD_LEADS, box.leads if box else ["II"], key=f"box_leads {which}", width=330)
        start = round(1000 * box.start_s) if box else 0
        st.number_input("From (ms)", 0, longest, start, 10, key=f"box_start {which}", width=130)
        stop = round(1000 * box.stop_s) if box else 400
        st.number_input("To (ms)", 0, longest, stop, 10, key=f"box_stop {which}", width=130)
        leads, start_ms, stop_ms = view_state.typed_box(which)
        empty = not leads or start_ms >= stop_ms
        st.button("Show the box", on_click=_type, args=(recording, which), disabled=empty)
        st.button("Clear", on_click=view_state.keep_box, args=(recording, None), disabled=box is None)
    if empty:
        st.caption("The box is empty: it needs a lead, and an end after its beginning.")


def _type(recording: Recording, which: str) -> None:
    leads, start_ms, stop_ms = view_state.typed_box(which)
    view_state.keep_box(recording, Box(leads, start_ms / 1000, stop_ms / 1000))
