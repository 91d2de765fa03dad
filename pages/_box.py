"""A box on the trace: drawn with the pointer or typed in, and its three answers beside the trace."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from ecgimn.draw import box_words
from ecgimn.draw.box import box_at, box_frames, ready_for_boxes
from ecgimn.draw.ecg import MAX_HEADROOM_MM
from ecgimn.draw.paper import PaperLayout
from ecgimn.draw.view import View
from ecgimn.explain.box import Box, box_evidence, box_measures
from ecgimn.explain.box_intervention import BoxIntervention, box_interventions
from ecgimn.explain.explanation import Explanation, contrast
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.card import ModelCard
from ecgimn.model.checkpoint import Model
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from pages import _cached as cached
from pages import _session_view as view_state

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
    # Where the reader drew the box by hand, the browser shows it already; a frame would draw the whole chart anew.
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


def answers(
    reading: SignalReading, explanation: Explanation, card: ModelCard, first: str, second: str | None = None
) -> None:
    """Show what the box says, once there is one: caliper, evidence inside, the score without it.

    Of one class, or of the difference of two.
    """
    recording = reading.recording
    box = view_state.box_of(recording)
    if box is None:
        return
    measures = box_measures(box, reading)
    without = _interventions(
        f"{recording.digest} {card.sha256} {box}", box, explanation, reading, cached.get_model(card.name, card.sha256)
    )
    shown, seen = first, explanation
    if second is not None:
        seen = contrast(explanation, first, second)
        shown, without = seen.classes[0], tuple(answer.contrast(first, second) for answer in without)
    evidence = box_evidence(box, seen, recording, reading.levels, shown)
    with st.container(border=True, gap="xsmall", key="box_answers"):
        st.markdown(f"**Box** {box_words.title(box)}")
        st.markdown(f":material/straighten: {box_words.caliper_words(measures)}")
        st.markdown(f":material/balance: {box_words.evidence_words(evidence)}")
        st.markdown(box_words.lead_words(evidence, measures))
        st.markdown(f":material/ink_eraser: {box_words.without_words(without, shown)}", help=WITHOUT)
        st.markdown(box_words.without_table(without, shown))


@st.cache_data(max_entries=32, scope="session", show_spinner="Asking the model without the box")
def _interventions(
    key: str, _box: Box, _explanation: Explanation, _reading: SignalReading, _model: Model
) -> tuple[BoxIntervention, ...]:
    """Ask map and network what the score is without the box; `key` names recording, model and box."""
    return box_interventions(_box, _explanation, _reading.recording, _reading.levels, _model)


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
