"""Reading room: one ECG, what the model says about it, and which millivolts of which lead and wave said it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ecgimn.draw.screen.ecg import ecg_figure, is_narrow, rooms_for, screen_for
from ecgimn.draw.view import View
from ecgimn.draw.words.case import header_words, interval_values, st_grid, subject_words
from ecgimn.errors import EcgImnError, QualityError
from ecgimn.explain.case import Case, Evidence
from ecgimn.explain.sentences import answer, describe_evidence, outcome_text
from ecgimn.recording import Recording
from ecgimn.signal.quality import Scope
from ecgimn.signal.reading import SignalReading, with_reference
from pages.ui import cache as cached
from pages.ui import case_bar as widgets
from pages.ui import trace as box
from pages.ui.cache import prefetch
from pages.ui.details import all_windows, show_details
from pages.ui.evidence import send_ahead, show_evidence, show_measured
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.trace import view_settings

session.run_under_app()

BADGES = {
    "meets": (":material/priority_high:", "violet"),
    "depends": (":material/help:", "orange"),
    "withheld": (":material/block:", "orange"),
    "note": (":material/info:", "blue"),
    "does not meet": (":material/remove:", "gray"),
}
CHART = {"displayModeBar": False}
ABOVE_PX = 232.0  # header, case line, chips, answer and the line above the trace
SCALE_PX, LEAST_BEATS_PX = 40.0, 340.0  # colour scale above the mean beat; least height of that
READABLE_PX = 760.0  # width of a trace of 3 x 4 leads and a rhythm strip, at 3 px per mm
SCROLLING = """
.st-key-trace_room { overflow-x: auto; }
.st-key-trace_room > *, .st-key-trace_room .stElementContainer, .st-key-trace_room .stPlotlyChart {
  min-width: max-content; max-width: none; flex-shrink: 0; }
"""
HELP = """
**Keys.** ← → previous and next case · O colours and answer on and off · L layout · K next class · B and Shift B next
and previous beat, once Beats is open · H this help.

**The trace** is paper: lines at 1 mm and 5 mm, a pulse of 1 mV and 200 ms, one scale for all leads. The footer names
speed, gain and filter; the line under the colours says how much of the evidence the layout shows.

**The evidence.** For this very recording the network wrote a linear model. Orange behind a lead raises the score of the
class shown, blue lowers it; the strip below each lead says the same by area above and below its line. All contributions
and the bias add up to the printed logit, and the badge says how closely.

**Contribution** is weight times voltage. **Weights** say what a millivolt would do there, whatever the voltage is.

**vs** takes another class away from the one shown: MI − NORM is what speaks for MI rather than NORM, exactly. It ends
in the ratio of the two odds, since labels are not exclusive and a difference has no probability.

**View** holds paper, layout, style of the evidence, the level that ST is measured from (PQ or TP), and the calibration
of the screen with a bank card, after which "true size" is true to the millimetre.

**A box** dragged on the trace, or typed in under Box, has three answers: what it measures (ms, mV, the rate if it is
an RR, QTc if it is a QT), the evidence inside it, and the score without what is in it, once as the map predicts and
once as the network answers when it is re-run. Its handles change it; a double click takes it away.

**The ledger**, beside the mean beat, books every sample under its lead and wave. Its total and the bias make the logit.
Below each number stands what the network says once that wave is taken out and it is re-run: ✓ confirmed (within 20 %
or 0.1 logit), ~ about (same sign), ✗ not confirmed, hatched here and in the mean beat. ± is the bound for 90 % of cells
like it, found on fold 9. A cell, a territory, a stretch of the mean beat and one of the trace mark each other; a second
click takes the marks away; Tab and the arrow keys reach the cells too.

**O** hides colours and answer: read first, then reveal. View hides the marks of ST and T, and lays the mean beat of a
normal ECG in grey behind each mean beat.

**Reach of weights**, below the trace, lets the pointer show the stretch of all leads that holds 90 % of what the
weights there depend on, as measured on this recording. Its context vector shows the network the whole record besides.

**ST and T** are measured on the median beat of the unfiltered signal. Thresholds are those of the Fourth Universal
Definition (2018). A verdict says "meets" or "does not meet" a threshold and nothing more. Where QRS is wide or voltage
high, or the rhythm paced, it says that the change may be secondary; it is withheld, with the reason, where ST cannot
be judged: poor quality, possible lead reversal, limb leads that contradict each other, age under 18.

**Criteria**, below the trace, holds every textbook criterion with its numbers and source: met, not met, or met but
perhaps secondary. Beside those of the class shown stands what the model made of them, booked and with the network
re-run. A mark on a row marks its waves on the trace. Nothing is judged under 18.

**Rhythm** is named from RR, P waves, the shape of each QRS and pacing spikes; the badge beside the answer holds the
grounds. Models learned mainly from sinus rhythm of adults: what lies outside is said there too.

**The chips** print the probability of each label as used in PTB-XL. Labels are not exclusive. The star marks those
at or above their threshold. **Diagnoses** leads from the five groups to finer classes, which another model knows;
**Overview** leads back.
"""


@st.dialog("How to read this page", width="large")
def show_help() -> None:
    st.markdown(HELP)


@st.fragment
def read_case(case: Case) -> None:
    first = session.chosen_class(case.classes, case.most_telling)
    rooms = rooms_for(session.window(), above_px=ABOVE_PX)
    if is_narrow(session.window()):  # readable in its own room, which scrolls sideways
        width = max(rooms.trace.width_px, READABLE_PX)
        rooms = replace(rooms, trace=replace(rooms.trace, width_px=width, height_px=max(rooms.trace.height_px, width)))
        st.html(f"<style>{SCROLLING}</style>")
    beats_px = (rooms.beats_px[0], max(rooms.beats_px[1] - SCALE_PX, LEAST_BEATS_PX))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        widgets.class_chips(case, first)
        widgets.against_choice(case.classes)
        widgets.quantity_chips()
        widgets.keyboard_buttons(case.classes)
        view, screen = view_settings(n_members=case.card.members, room=rooms.trace)
        if case.reading.waves is None:
            view = replace(view, style="band")  # without waves there are no blocks
        if st.button("Help", shortcut="H"):
            show_help()
    session.write_link(first)
    minus = session.against(case.classes)
    minus = None if minus == first else minus
    reference = view_state.st_reference()
    case = replace(case, reading=with_reference(case.reading, reference))
    evidence, plain, reading = case.of(first, minus), view.of_the_trace(), case.reading
    answer_room = st.container(gap="xxsmall", key="answer")
    figure = cached.get_trace(f"{cached.identity(case.recording)} {plain} {screen} {reference}", reading, plain, screen)
    if rooms.beside:
        left, right = st.columns([figure.layout.width + 8, rooms.beats_px[0] + 8], gap="small")
        below = right
    else:  # answer, beats, trace, measurements, one under the other
        right, left, below = st.container(), st.container(), st.container()
    with left:
        st.caption(header_words(reading, rhythm=reading.rhythm.statement))
        if note := session.note_on(reading.recording):
            st.text(f"Note: {note}")  # as it is, never Markdown
        # The words about the evidence stand beside the chart: here they would make the browser draw it again.
        alt = f"12-lead ECG, layout {view.layout}, {view.speed:g} mm/s, {view.gain:g} mm/mV"
        with st.container(key="trace_room"):
            box.trace(figure, case.recording, plain, alt)
        show_details(case, first, minus, view)
    with right:
        box.answers(case, first, minus)
        show_evidence(case, first, minus, view, beats_px)
    with below:
        show_measurements(reading)
        for text in (*case.scope.reasons, *reading.quality.warnings, *reading.recording.notes):
            st.text(text)
        send_ahead(case, minus, view, beats_px)
        checked_room = st.container()
    show_answer(answer_room, case, evidence)
    if reading.waves is not None:
        with checked_room:
            show_measured(case, cached.get_measured(case), first, minus, view, beats_px)


def show_answer(room: DeltaGenerator, case: Case, evidence: Evidence) -> None:
    """Say what the model answers and why; the reasons come last, once each was checked on this ECG."""
    with room:
        line, reasons = st.container(horizontal=True, vertical_alignment="center", gap="small"), st.empty()
    if evidence.is_difference:
        line.markdown(f"**{evidence.name}** {outcome_text(evidence)}", width="content")
        reasons.markdown("\n\n".join(describe_evidence(evidence, logits=view_state.is_research())))
        return
    said, quality = answer(evidence, ()), case.reading.quality
    line.markdown(f"**{said.text}** · {said.full_name}", width="content")
    show_rhythm_and_scope(line, case.reading, case.scope)
    if quality.warnings or not quality.usable:
        line.badge("see quality", icon=":material/warning:", color="orange")
    else:
        line.badge("quality good", icon=":material/check:", color="gray")
    if case.reading.waves is None:
        reasons.markdown("No beat was found, so the evidence cannot be named by wave.")
        return
    reasons.markdown(":gray[Checking each reason on this ECG: the network is re-run without every wave …]")
    checked = cached.get_measured(case)
    said = answer(evidence, checked.claims[evidence.name])
    said_here = " ".join((*said.sentences, *cached.get_reasons(case, evidence.name)))
    reasons.markdown(said_here.replace(" %", "\u00a0%"))  # no line begins with a percent sign


def show_rhythm_and_scope(line: DeltaGenerator, reading: SignalReading, scope: Scope) -> None:
    """Put the rhythm with its rate, and what sets the ECG apart from the training data, beside the answer."""
    rate = reading.measurements.heart_rate.value if reading.measurements else None
    words = reading.rhythm.statement + (f", {rate:.0f}/min" if rate is not None else "")
    line.badge(words, icon=":material/ecg_heart:", color="gray", help=" ".join(reading.rhythm.grounds))
    if scope.within:
        line.badge("within scope", icon=":material/check:", color="gray")
    else:
        said = f"outside what the model was taught: {', '.join(scope.names)}"
        line.badge(said, icon=":material/warning:", color="orange", help=" ".join(scope.reasons))


def show_without_model(recording: Recording) -> None:
    """Draw the ECG as it is, with all that was measured on it, where no model may speak."""
    reading = with_reference(cached.get_reading(cached.identity(recording), recording), view_state.st_reference())
    figure = ecg_figure(recording, view=View(dark=session.is_dark()), screen=screen_for(session.window()))
    line = st.container(horizontal=True, vertical_alignment="center", gap="small")
    line.caption(header_words(reading, rhythm=reading.rhythm.statement), width="content")
    show_rhythm_and_scope(line, reading, reading.scope)
    left, right = widgets.trace_and_numbers(figure.layout.width)
    alt = "12-lead ECG without evidence"
    left.plotly_chart(figure, width="content", theme=None, key="ecg", config=CHART, alt=alt)
    with right:
        show_measurements(reading)
        for text in (*reading.scope.reasons, *reading.quality.warnings, *recording.notes):
            st.text(text)


def show_measurements(reading: SignalReading) -> None:
    if reading.measurements is None:
        st.markdown(f"Measurements — ({reading.reason})")
        return
    with st.container(gap="xsmall"):
        values = interval_values(reading)
        st.markdown(" · ".join(f"{value.name} **{value.text}**" for value in values))
        for value in values:
            if value.note:
                st.caption(f"{value.name}: {value.note}")
        st.markdown(f"**ST at J** in mV (1 mm = 0.1 mV), reference {reading.measurements.reference}")
        st.markdown(st_grid(reading) or f"— ({reading.measurements.reason})")
        items = reading.findings.items if reading.findings else ()
        for item in sorted(items, key=lambda item: list(BADGES).index(item.verdict)):
            icon, colour = BADGES[item.verdict]
            st.markdown(f":{colour}[{icon}] {item.text}", help=item.reason or None)
        st.caption(f"Thresholds for: {subject_words(reading)}. One tracing cannot say whether a change is new.")


bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
recording = widgets.case_line(bar)
if recording is None:
    session.write_link(None)
    st.stop()
try:
    model = widgets.current_model()
except EcgImnError as exc:
    widgets.status_line(bar, recording, None)
    st.error(str(exc), icon=":material/error:")
    show_without_model(recording)
    st.stop()
widgets.status_line(bar, recording, model.card, cached.device_name(model.device.type))
widgets.earlier_button(bar)
if recording.source == "upload":
    all_windows(model)
try:
    opened = cached.get_case(recording, model, despite_quality=session.has_gone_on(recording))
except QualityError as exc:
    for refusal in exc.refusals:
        st.warning(refusal, icon=":material/block:")
    st.button("Run the model anyway", on_click=session.go_on, args=(recording,))
    show_without_model(recording)
    st.stop()
for refusal in opened.reading.quality.refusals:
    st.warning(refusal, icon=":material/block:")
read_case(opened)
prefetch(widgets.neighbour_case(1), model)
