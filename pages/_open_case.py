"""The open case on pages beside the reading room: chosen in the same line, read and explained once for all pages."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger, make_ledger
from ecgimn.model.card import ModelCard
from ecgimn.model.checkpoint import Model
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from pages import _cached as cached
from pages import _session as session
from pages import _widgets as widgets

READING_ROOM = "pages/read.py"


@dataclass(frozen=True, eq=False)
class OpenCase:
    """A case on the screen with everything that is known about it."""

    reading: SignalReading
    explanation: Explanation
    card: ModelCard
    model: Model

    @property
    def recording(self) -> Recording:
        """The samples."""
        return self.reading.recording

    def ledger(self) -> Ledger:
        """Lead by wave, in logit."""
        return make_ledger(self.explanation, self.recording, self.reading.waves, self.reading.levels)


def open_case() -> OpenCase:
    """Let the reader choose a case; stop the page with a reason where there is none or no model may speak."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    recording = widgets.case_line(bar)
    if recording is None:
        session.write_link(None)
        st.stop()
    try:
        card, model = session.current_card(), session.current_model()
    except EcgImnError as exc:
        widgets.status_line(bar, recording, None)
        st.error(str(exc), icon=":material/error:")
        st.stop()
    widgets.status_line(bar, recording, card, cached.device_name(model.device.type))
    return explained(recording, card, model)


def explained(recording: Recording, card: ModelCard, model: Model) -> OpenCase:
    """Read and explain a recording, or stop the page where its quality forbids a prediction."""
    reading = cached.get_reading(cached.identity(recording), recording)
    if not reading.quality.usable and not session.has_gone_on(recording):
        for refusal in reading.quality.refusals:
            st.warning(refusal, icon=":material/block:")
        st.page_link(READING_ROOM, label="See the tracing in the reading room", icon=":material/ecg_heart:")
        st.stop()
    return OpenCase(reading, cached.get_explanation(recording.digest, card.sha256, recording, model), card, model)
