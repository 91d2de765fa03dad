"""All windows of a recording longer than the model reads at once: their logits over time; a click opens a window."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ecgimn.draw.timeline import timeline_figure, window_rows
from ecgimn.explain.windows import WindowLogits, explain_windows
from ecgimn.model.card import ModelCard
from ecgimn.model.checkpoint import Model
from ecgimn.recording import Recording
from pages import _session as session
from pages import _session_upload as own

FEW_WINDOWS = 6  # fit a table without scrolling


def all_windows(card: ModelCard, model: Model) -> None:
    """Offer to explain all windows of the visitor's own recording, where it has more than one."""
    whole = session.own_recording()
    if whole is None or session.last_window(whole) == 0:
        return
    start, stop = session.window_start(), session.window_start() + own.own_window(whole).duration_s
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.toggle("All windows", key="all_windows", persist_state="session")
        st.caption(f"Shown: {start:.4g} to {stop:.4g} s of {whole.duration_s:.4g} s.", width="content")
    if asked:
        _show(_found(whole, card, model), start, stop)


def _found(whole: Recording, card: ModelCard, model: Model) -> WindowLogits:
    found = own.kept_windows(whole.digest, card.sha256)
    if found is None:
        bar = st.progress(0.0, "Explaining all windows")
        found = explain_windows(
            whole, model, progress=lambda done, of: bar.progress(done / of, f"Window {done} of {of}")
        )
        bar.empty()
        own.keep_windows(found, whole.digest)
    return found


def _show(found: WindowLogits, start: float, stop: float) -> None:
    shown = session.chosen_class(found.classes, found.highest_class)
    place = next(
        (place for place, window in enumerate(found.windows) if (window.start_s, window.stop_s) == (start, stop)), None
    )
    st.plotly_chart(
        timeline_figure(found, shown=shown, chosen=place, dark=session.is_dark()),
        theme=None,
        key="timeline",
        on_select=partial(own.open_window, "timeline", found),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"Logit of {shown} and other classes over the windows of the recording",
    )
    st.dataframe(
        window_rows(found),
        key="window_table",
        on_select=partial(own.open_window, "window_table", found),
        selection_mode="single-row",
        hide_index=True,
        height="content" if len(found.windows) <= FEW_WINDOWS else 220,
        alt="Logit of every class in every window",
    )
    strongest = found.strongest(shown)
    where = f" {shown} is highest from {found.windows[strongest].words}." if strongest is not None else ""
    st.caption(f"The windows tile the recording; each logit is exact for its own window.{where} Click one to open it.")
