"""What if: change the ECG, and see trace, map and probabilities answer together."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ecgimn.draw.screen.side_by_side import outcome_figure, what_if_figure
from ecgimn.explain.case import Case, case_of
from ecgimn.explain.edits import LEAD_GROUPS, WaveMasks, masks_from_waves, no_wave_masks
from ecgimn.explain.sentences import class_chips, describe_call, describe_edit, describe_outcome, flip_table
from ecgimn.explain.what_if import EXCHANGES, FLATTENED, Edit, edited, outcome
from ecgimn.leads import STANDARD_LEADS
from pages.ui import cache as cached
from pages.ui import case_bar as widgets
from pages.ui.case_bar import READING_ROOM
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.trace import view_settings

session.run_under_app()

CHART = {"displayModeBar": False}
WHOLE, NO_EXCHANGE = "all leads", "none"
#: Options are written out, leads and all, because an address holds an option as it is shown.
GROUPS = {
    **{
        f"{name} {' '.join(leads)}": leads
        for name, rows in LEAD_GROUPS.items()
        if len(leads := tuple(lead for lead, of in zip(STANDARD_LEADS, rows, strict=True) if of)) < len(STANDARD_LEADS)
    },
    WHOLE: STANDARD_LEADS,
    **{lead: (lead,) for lead in STANDARD_LEADS},
}
UNCHANGED = {
    "edit_st": 0.0,
    "edit_t": 1.0,
    "edit_qrs": 1.0,
    "edit_flat": [],
    "edit_remove": [],
    "edit_cables": NO_EXCHANGE,
    "edit_noise": 0.0,
    "edit_drift": 0.0,
}
HELP = """
**The edit** is made on the millivolts of the raw trace, at its own rate, on the waves that were measured on the
original. They are not measured again: P, QRS, ST and T keep their borders while you edit, and no ST table is printed
for an ECG that nobody recorded.

**Limb leads** are differences of three electrodes. Whatever is asked of some of them moves the others too, by the
smallest change that keeps III = II − I and its kin; what followed is named under the trace.

**Map and network.** The bar is the change of the logit when the network reads the edited ECG. The diamond is what the
map of the *original* predicts: weight times changed millivolts, summed. Where they agree, the map was true to this
change; where they differ, it was not. The evidence behind the trace is the edited ECG's own, on the original's scale.

**Smallest ST change.** ST of the leads chosen is raised and lowered, from the original and without the other edits,
until the class crosses its operating point: asked every 0.05 mV up to 0.5 mV, then narrowed to 0.01 mV.
"""


@st.dialog("How to read this page", width="large")
def show_help() -> None:
    st.markdown(HELP)


def edit_controls(*, has_waves: bool) -> Edit:
    """Let the reader change the ECG."""
    one, two = st.columns([5, 6], gap="small")
    group = one.selectbox("Leads to change", GROUPS, key="edit_leads", bind="query-params")
    flattened = two.pills("Flatten", FLATTENED, selection_mode="multi", key="edit_flat", bind="query-params",
                          disabled=not has_waves)  # fmt: skip
    st_column, t_column, qrs_column = st.columns(3, gap="small")
    st_mv = st_column.slider("ST (mV)", -0.5, 0.5, 0.0, 0.01, format="%+.2f", key="edit_st", bind="query-params",
                             disabled=not has_waves)  # fmt: skip
    t_factor = t_column.slider("T ×", -2.0, 2.0, 1.0, 0.1, key="edit_t", bind="query-params", disabled=not has_waves,
                               help="0 flattens T, −1 turns it over.")  # fmt: skip
    qrs_factor = qrs_column.slider("QRS ×", 0.0, 2.0, 1.0, 0.1, key="edit_qrs", bind="query-params",
                                   disabled=not has_waves)  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.popover("Leads, cables, noise", icon=":material/cable:"):
            removed = st.multiselect("Make leads flat", STANDARD_LEADS, key="edit_remove", bind="query-params")
            cables = st.selectbox("Swap electrodes", [NO_EXCHANGE, *EXCHANGES], key="edit_cables",
                                  bind="query-params")  # fmt: skip
            noise = st.slider("Noise (mV, root mean square)", 0.0, 0.2, 0.0, 0.01, key="edit_noise",
                              bind="query-params")  # fmt: skip
            drift = st.slider("Drift of the baseline (mV)", 0.0, 1.0, 0.0, 0.05, key="edit_drift", bind="query-params")
            st.caption("Noise and drift are added to I, II and V1 to V6; the other leads follow.")
        st.button("Reset", icon=":material/restart_alt:", on_click=view_state.give_widgets, args=(UNCHANGED,))
        if st.button("Help", shortcut="H"):
            show_help()
    return Edit(
        leads=GROUPS[group], st_mv=st_mv, t_factor=t_factor, qrs_factor=qrs_factor, flattened=tuple(flattened),
        removed=tuple(removed), exchanged=None if cables == NO_EXCHANGE else cables, noise_mv=noise, drift_mv=drift,
    )  # fmt: skip


@st.fragment
def edit_page(case: Case, masks: WaveMasks) -> None:
    shown = session.chosen_class(case.classes, case.most_probable)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        widgets.class_chips(class_chips(case), shown)
        widgets.quantity_chips()
        widgets.keyboard_buttons(case.classes)
        view, screen = view_settings(n_members=case.card.members)
        st.page_link(READING_ROOM, label="Reading room", icon=":material/ecg_heart:")
    session.write_link(shown)
    left, right = widgets.trace_and_numbers(screen.width_px)
    with right:
        edit = edit_controls(has_waves=case.reading.waves is not None)
    other = edited(case.recording, masks, edit)
    untouched = other.digest == case.recording.digest
    after = case
    if not untouched:  # the waves of the original: an edited ECG is not measured
        explanation = cached.get_edited(other.digest, case.card.sha256, other, cached.model_of(case))
        after = case_of(replace(case.reading, recording=other), explanation, case.card)
    result = outcome(case.recording, case.explanation, other, after.explanation)
    with left:
        figure = what_if_figure(case.of(shown), after.of(shown), view=view, screen=screen)
        text = "as recorded" if edit.changes_nothing else "edited, the original in grey behind it"
        alt = f"12-lead ECG, {text}, with the evidence for {shown} behind the leads"
        st.plotly_chart(figure, width="content", theme=None, key="what_if_ecg", config=CHART, alt=alt)
        st.caption("Nothing is changed yet." if untouched else " ".join(describe_edit(result, masks, edit)))
    with right:
        st.markdown(describe_outcome(result, shown))
        st.plotly_chart(
            outcome_figure(result, shown=shown, thresholds=tuple(case.thresholds.values()), dark=view.dark),
            theme=None,
            key="outcome",
            config=CHART,
            alt="Probability of every class before and after the edit, and predicted and actual change of the logit",
        )
        show_flip(case, masks, edit, shown)
        st.caption("Wave boundaries come from the original ECG; nothing is re-measured after an edit.")


def show_flip(case: Case, masks: WaveMasks, edit: Edit, shown: str) -> None:
    """Search, when asked, how far ST would have to move for the call to change."""
    threshold = case.thresholds.get(shown)
    if threshold is None or case.reading.waves is None:
        reason = "no operating point on the card" if case.reading.waves is not None else case.reading.reason
        st.caption(f"Smallest ST change that changes the call of {shown}: — ({reason})")
        return
    if st.toggle(f"Smallest ST change that changes the call of {shown}", key="edit_flip", persist_state="session"):
        search = cached.get_flip(case.recording.digest, case.card.sha256, shown, edit.leads, threshold, case, masks)
        st.markdown(f"{describe_call(search)}\n\n{flip_table(search)}")


case = widgets.opened_case()
reading = case.reading
if reading.waves is None:
    st.info(f"Waves cannot be edited: {reading.reason}", icon=":material/info:")
    masks = no_wave_masks(reading.recording.fs, reading.recording.n_samples, reading.levels)
else:
    masks = masks_from_waves(reading.waves, reading.levels)
edit_page(case, masks)
