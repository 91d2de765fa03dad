"""How a case is drawn: the settings of the picture, from which a page makes a `View` and the `Screen` it is for."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ecgimn.draw.ecg import Screen
from ecgimn.draw.view import View
from ecgimn.draw.window import is_narrow, screen_for
from pages import _session as session
from pages import _session_screen as screen_state
from pages import _session_view as view_state
from pages._card import calibrate

USUAL_LIMIT = {"contribution": 0.03, "weights": 0.2}  # superclass-v9 in the composites: medians 0.028, 0.15
USUAL_UNIT = {"contribution": "logit per 40 ms", "weights": "logit per mV per 40 ms"}


def view_settings(class_index: int | tuple[int, int], *, n_members: int) -> tuple[View, Screen]:
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
        style = right.selectbox("Evidence as", ["band", "line", "blocks"], key="style", bind="query-params")
        level = right.selectbox(
            "Contribution counts from", ["isoelectric level", "zero of the file"], key="level", bind="query-params",
            help="The ledger counts voltages from each lead's isoelectric level. The total is the same.",
        )  # fmt: skip
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
        strip = right.toggle("Strip of signed area", value=True, key="strip", bind="query-params")
        st_t = right.toggle("Mark ST and T", value=True, key="marks", bind="query-params")
        unsure = right.toggle("Hatch where unsure", key="unsure", bind="query-params",
                              disabled=n_members < 2,
                              help="Where the members' spread is larger than their mean.")  # fmt: skip
        left.selectbox(
            "ST measured from", ["PQ", "TP"], key="st_reference", bind="query-params",
            help="Level just before QRS, or the quiet stretch from T to the next P.",
        )  # fmt: skip
        window = screen_state.window()
        screen = replace(
            screen_for(window, beside=not is_narrow(window)), px_per_mm=screen_state.screen_scale(),
            calibrated=screen_state.is_calibrated(),
            true_size=size == screen_state.TRUE_SIZE,
        )  # fmt: skip
    quantity, (overlay, opacity) = view_state.quantity(), view_state.evidence_seen()
    view = View(
        layout=view_state.layout(), speed=speed, gain=gain, cabrera=cabrera, overlay=overlay, limit=limit,
        quantity="isoelectric" if quantity == "contribution" and level == "isoelectric level" else quantity,
        class_index=class_index, style=style, opacity=opacity, show_strip=strip, show_st=st_t, show_t=st_t,
        show_uncertainty=unsure and n_members > 1, dark=session.is_dark(),
    )  # fmt: skip
    return view, screen
