"""Beat by beat: one beat of twelve leads, the way to the next, and what each beat says."""

from __future__ import annotations

import streamlit as st

from ecgimn.draw import single_beat
from ecgimn.draw.window import screen_for
from ecgimn.explain.beats import BeatByBeat, beat_by_beat, beat_trace
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger
from ecgimn.model.card import ModelCard
from ecgimn.model.checkpoint import Model
from ecgimn.model.receptive_field import ReceptiveField, receptive_field
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from pages import _cached as cached
from pages import _session as session
from pages import _session_view as view_state

CHART = {"displayModeBar": False}
BARS = "beat_bars"


def beats(reading: SignalReading, seen: Explanation, table: Ledger, card: ModelCard, *, dark: bool) -> None:
    """Show one beat and the evidence of all; `seen` and `table` are of the one class, or difference, that is shown.

    B steps to the next beat, Shift and B back: arrow keys belong to the cases, and to the row of details once clicked.
    """
    name, recording = seen.classes[0], reading.recording
    evidence = beat_by_beat(reading, table, name)
    if evidence is None:
        st.markdown(f"Beats — ({reading.reason})")
        return
    n_beats = len(evidence.beats)
    beat = evidence.beats[view_state.beat_of(recording, n_beats) - 1]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        step_to(recording, "Previous beat", "Shift+B", beat.number - 1, n_beats)
        step_to(recording, "Next beat", "B", beat.number + 1, n_beats)
        st.markdown(single_beat.beat_words(beat, n_beats, name), width="content")
    st.caption(single_beat.median_words(beat))
    width_px = screen_for(session.window()).width_px
    if beat.stop > beat.start:
        figure = single_beat.single_beat_figure(
            beat_trace(beat, reading, seen, name),
            name=name,
            longest=max(one.stop - one.start for one in evidence.beats),
            frame_mv=recording.signal,
            dark=dark,
            width_px=width_px,
        )
        alt = f"Beat {beat.number} of {n_beats} in each lead with its contribution to {name}"
        st.plotly_chart(figure, width="content", theme=None, key="single_beat", config=CHART, alt=alt)
    st.plotly_chart(
        single_beat.beats_figure(evidence, beat.number, dark=dark, width_px=width_px),
        width="content",
        theme=None,
        key=BARS,
        config=CHART,
        alt=f"Contribution to {name} of each beat; beat {beat.number} is marked",
        on_select=lambda: _take(recording, evidence),
        selection_mode="points",
    )
    st.caption(single_beat.sum_words(evidence))
    model = cached.get_model(card.name, card.sha256)
    field = _field(f"{recording.digest} {card.sha256} {beat.r_s}", recording, model, beat.r_s)
    st.caption(single_beat.field_words(field))


def step_to(recording: Recording, label: str, shortcut: str, number: int, n_beats: int) -> None:
    """Show a button, with a key, that goes to a beat; none before the first and behind the last."""
    st.button(
        label,
        shortcut=shortcut,
        on_click=view_state.choose_beat,
        args=(recording, number),
        disabled=not 1 <= number <= n_beats,
    )


def _take(recording: Recording, evidence: BeatByBeat) -> None:
    places = view_state.clicked(BARS)
    if places:
        view_state.choose_beat(recording, evidence.beats[places[0]].number)


@st.cache_data(max_entries=128, scope="session", show_spinner=False)
def _field(key: str, _recording: Recording, _model: Model, _at_s: float) -> ReceptiveField | None:
    """Measure how far the network looks about a moment; `key` names recording, model and moment."""
    return receptive_field(_model, _recording, _at_s)
