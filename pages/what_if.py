"""What if: change the ECG, and see trace, map and probabilities answer together."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from ecgimn.draw.painted import grey_of, mean_beat_evidence
from ecgimn.draw.screen.ecg import LEAST_PX, NARROW_SIDES_PX, SIDES_PX, Screen, is_narrow
from ecgimn.draw.screen.side_by_side import Pane, beats_picture, outcome_figure, what_if_figure
from ecgimn.draw.view import View
from ecgimn.explain.case import Case, case_of
from ecgimn.explain.edits import LEAD_GROUPS, WaveMasks, masks_from_waves, no_wave_masks
from ecgimn.explain.sentences import (
    answer,
    condition_words,
    describe_call,
    describe_edit,
    describe_outcome,
    flip_table,
)
from ecgimn.explain.what_if import (
    EXCHANGES,
    FLATTENED,
    Edit,
    FlipSearch,
    edited,
    outcome,
    reading_of_edit,
)
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from pages.ui import cache as cached
from pages.ui import case_bar as widgets
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.trace import SEEN, picture, seen_choice, view_settings

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
STEPS = "edit"  # what can be undone
ARMS = "RA and LA"  # the exchange that is tried beside the original
ABOVE_PX, BELOW_PX = 250.0, 60.0  # what stands above and below the mean beat
NOT_MEASURED = "Wave boundaries come from the original ECG; nothing is re-measured after an edit."
CONTROLS_PX, LEAST_BEAT_PX = 372.0, 360.0
HELP = """
**Keys.** ← → previous and next case · Ctrl Z undo · Ctrl Y redo · K next class · H this help.

**The edit** is made on the millivolts of the raw trace, at its own rate, on the waves that were measured on the
original. They are not measured again: P, QRS, ST and T keep their borders while you edit, and no ST table is printed
for an ECG that nobody recorded.

**Limb leads** are differences of three electrodes. Whatever is asked of some of them moves the others too, by the
smallest change that keeps III = II − I and its kin; what followed is named under the trace.

**Map and network.** The bar is the change of the logit when the network reads the edited ECG. The diamond is what the
map of the *original* predicts: weight times changed millivolts, summed. Where they agree, the map was true to this
change; where they differ, it was not. The evidence behind the trace is the edited ECG's own, on the original's scale.

**Smallest ST change.** ST of the leads chosen is raised and lowered, from the original and without the other edits,
until the class crosses its threshold: asked every 0.05 mV up to 0.5 mV, then narrowed to 0.01 mV.
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
                               help="0 flattens T, −1 inverts it.")  # fmt: skip
    qrs_factor = qrs_column.slider("QRS ×", 0.0, 2.0, 1.0, 0.1, key="edit_qrs", bind="query-params",
                                   disabled=not has_waves)  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        with st.popover("More", icon=":material/cable:", help="Flat leads, swapped electrodes, noise and drift"):
            removed = st.multiselect("Make leads flat", STANDARD_LEADS, key="edit_remove", bind="query-params")
            cables = st.selectbox("Swap electrodes", [NO_EXCHANGE, *EXCHANGES], key="edit_cables",
                                  bind="query-params")  # fmt: skip
            noise = st.slider("Noise (mV, root mean square)", 0.0, 0.2, 0.0, 0.01, key="edit_noise",
                              bind="query-params")  # fmt: skip
            drift = st.slider("Drift of the baseline (mV)", 0.0, 1.0, 0.0, 0.05, key="edit_drift", bind="query-params")
            st.caption("Noise and drift are added to I, II and V1 to V6; the other leads follow.")
        view_state.remember(STEPS, {key: view_state.chosen(key) for key in UNCHANGED})
        for label, keys, by in (("Undo", "Mod+Z", -1), ("Redo", "Mod+Y", 1)):
            st.button(label, shortcut=keys, on_click=view_state.step_widgets, args=(STEPS, by),
                      disabled=not view_state.can_step(STEPS, by))  # fmt: skip
        st.button("Reset", on_click=view_state.give_widgets, args=(UNCHANGED,))
    return Edit(
        leads=GROUPS[group], st_mv=st_mv, t_factor=t_factor, qrs_factor=qrs_factor, flattened=tuple(flattened),
        removed=tuple(removed), exchanged=None if cables == NO_EXCHANGE else cables, noise_mv=noise, drift_mv=drift,
    )  # fmt: skip


@st.fragment
def edit_page(case: Case, masks: WaveMasks) -> None:
    shown = session.chosen_class(case.classes, case.most_telling)
    has_beat = case.reading.measurements is not None and case.reading.measurements.beat.signal is not None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        widgets.class_chips(case, shown)
        seen = seen_choice(has_beat=has_beat)
        widgets.keyboard_buttons(case.classes)
        view, _ = view_settings(n_members=case.card.members)
        if st.button("Help", shortcut="H"):
            show_help()
    session.write_link(shown)
    found = st.empty()
    window = session.window()
    narrow = is_narrow(window)
    width = window[0] - NARROW_SIDES_PX if narrow else max(window[0] - SIDES_PX - CONTROLS_PX, LEAST_PX[0])
    room = (width, max(window[1] - ABOVE_PX - BELOW_PX, LEAST_BEAT_PX))
    left, right = (st.container(), st.container()) if narrow else st.columns([width, CONTROLS_PX], gap="small")
    with right:
        edit = edit_controls(has_waves=case.reading.waves is not None)
    other = edited(case.recording, masks, edit)
    untouched = other.digest == case.recording.digest
    after = case if untouched else explain_edit(case, other)
    result = outcome(case.recording, case.explanation, other, after.explanation)
    threshold = case.thresholds.get(shown)
    research = view_state.is_research()
    said = describe_outcome(result, shown, threshold, logits=research)
    first = describe_as_recorded(case, shown) if untouched else said
    found.markdown(f"{first} :gray[Searching the smallest ST change …]")
    with left:
        show_picture(case, after, shown, view, room, seen)
        done = "Nothing is changed yet." if untouched else " ".join(describe_edit(result, masks, edit))
        st.caption(" ".join(words for words in (done, NOT_MEASURED, widgets.scope_words(case)) if words))
    with right:
        st.plotly_chart(
            outcome_figure(
                result, shown=shown, thresholds=tuple(case.thresholds.values()), dark=view.dark, logits=research
            ),
            theme=None,
            key="outcome",
            config=CHART,
            alt="Probability of every class before and after the edit, and what the map of the original expects",
        )
        searches = search_st_changes(case, masks, edit, shown)
        found.markdown(f"{first} {describe_call(*searches)}" if searches else first)
        if searches and st.toggle("Smallest ST change in numbers", key="edit_flip", persist_state="session"):
            st.markdown(flip_table(searches[0]))
        elif not searches:
            reason = "no threshold on the card" if case.reading.waves is not None else case.reading.reason
            st.caption(f"Smallest ST change that changes the call of {shown}: — ({reason})")


def explain_edit(case: Case, other: Recording) -> Case:
    """Re-run the network on the edited ECG, between the borders of the original's waves."""
    explanation = cached.get_edited(other.digest, case.card.sha256, other, cached.model_of(case))
    return case_of(reading_of_edit(case.reading, other), explanation, case.card)


def describe_as_recorded(case: Case, shown: str) -> str:
    """Return the answer for the ECG as it is."""
    return f"As recorded: **{answer(case.of(shown), ()).text}**."


def show_picture(case: Case, after: Case, shown: str, view: View, room: tuple[float, float], seen: str) -> None:
    """Show the edited ECG over the original: the painted mean beat, large, or the whole trace."""
    before, then = case.of(shown), after.of(shown)
    old = mean_beat_evidence(before.reading, before.contribution)
    new = mean_beat_evidence(then.reading, then.contribution)
    if seen == SEEN[0] and old is not None and new is not None:
        grey = None if after is case else grey_of(old, "as recorded")
        title = "As recorded" if after is case else "Edited"
        markup = beats_picture(
            [Pane(f"{title}: evidence for {shown}", shown, new, grey)], size_px=room, limit=old.paint.largest,
            numbers=view_state.is_research(), dark=view.dark,
        )  # fmt: skip
        picture(markup, "what_if_beat")
        return
    figure = what_if_figure(before, then, view=view, screen=Screen(*room, numbers=view_state.is_research()))
    text = "as recorded" if after is case else "edited, the original in grey behind it"
    alt = f"12-lead ECG, {text}, with the evidence for {shown} behind the leads"
    st.plotly_chart(figure, width="content", theme=None, key="what_if_ecg", config=CHART, alt=alt)


def search_st_changes(
    case: Case, masks: WaveMasks, edit: Edit, shown: str
) -> tuple[FlipSearch, FlipSearch, str] | None:
    """Search how far ST would have to move for the call to change: from the original, and with what else is edited.

    Where nothing else is edited, with the arm electrodes swapped.
    """
    threshold = case.thresholds.get(shown)
    if threshold is None or case.reading.waves is None:
        return None
    sha, digest = case.card.sha256, case.recording.digest
    first = cached.get_flip(digest, sha, shown, edit.leads, threshold, case, masks)
    others = replace(edit, st_mv=0.0)
    if others.changes_nothing:
        others = Edit(leads=edit.leads, exchanged=ARMS)
    changed = edited(case.recording, masks, others)
    second = cached.get_flip(changed.digest, sha, shown, edit.leads, threshold, explain_edit(case, changed), masks)
    return first, second, condition_words(others)


case = widgets.opened_case()
reading = case.reading
if reading.waves is None:
    st.info(f"Waves cannot be edited: {reading.reason}", icon=":material/info:")
    masks = no_wave_masks(reading.recording.fs, reading.recording.n_samples, reading.levels)
else:
    masks = masks_from_waves(reading.waves, reading.levels)
edit_page(case, masks)
