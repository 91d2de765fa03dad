"""Faithfulness: every explanation method on the same records, and sanity checks of the map on the open case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ecgimn.draw.painted import in_one_frame, mean_beat_evidence
from ecgimn.draw.screen.ecg import NARROW_SIDES_PX, SIDES_PX, Screen, ecg_figure, is_narrow
from ecgimn.draw.screen.side_by_side import Pane, beats_picture
from ecgimn.draw.words.case import check_view, check_words, logit_rows
from ecgimn.draw.words.methods import (
    QUESTIONS,
    answer_rows,
    answer_words,
    goal_words,
    network_rows,
    planted_rows,
    read_comparison,
    sample_words,
)
from ecgimn.errors import EcgImnError
from ecgimn.explain.case import Case
from ecgimn.explain.checks import MOST_SHIFT_S, SelfCheck
from pages.ui import cache as cached
from pages.ui import case_bar as widgets
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.trace import SEEN, picture, seen_choice

session.run_under_app()

CHART = {"displayModeBar": False}
CASE, TABLE = "This case", "All methods compared"
GOALS = "Goals and networks"
PLANTED = (
    "ST raised by 0.2 mV from J on, in tracings labelled NORM alone. Found: the cell whose evidence for MI grows most "
    "lies in the changed leads, at the end of QRS, in ST or in T. Where the network's own logit does not rise, a true "
    "map has no growth to show."
)
RANDOM, LEADS, SHIFT = "Random weights", "Shuffled chest leads", "Time shift"
PARTS = {"head": "last layer", "decoder": "decoder and last layer", "encoder": "the whole network"}
LEAST_HEIGHT_PX = 430.0  # of a tracing
HEAD_PX, ABOVE_PX = 340.0, 330.0  # above the tracings, and above the beats
HELP = """
**Random weights.** Part of the network, from its last layer inwards, gets random weights. A map that stays the same
was a picture of the ECG and not of what the network learned. Rank correlation should be near 0.

**Shuffled chest leads.** V1 to V6 change places; the limb leads stay, they are bound to one another. What follows the
shape of a trace moves with it, what the network knows about a place stays. Both correlations are printed; the score
itself should change.

**Time shift.** The same tracing, cut a moment later. The map should move with it: where both see the same samples, rank
correlation should be near 1.

**Rank correlation** (Spearman) compares contributions in sums over 40 ms, lead by lead.
"""


def seed_chosen(key: str) -> int:
    """Let a researcher draw other weights or another order; a clinician sees the first and more of the picture."""
    if not view_state.is_research():
        return 0
    return int(st.number_input("Seed", 0, 99, 0, key=f"faithfulness_{key}", width=110))


def run_check(case: Case, kind: str, shown: str) -> SelfCheck:
    """Run the check that the reader asked for, with what it needs to know."""
    digest, sha = case.recording.digest, case.card.sha256
    if kind == RANDOM:
        part = st.segmented_control(
            "Random weights in", PARTS, format_func=PARTS.get, default="encoder", key="faithfulness_part"
        )
        return cached.get_random_weights(digest, sha, str(part or "encoder"), seed_chosen("seed"), shown, case)
    if kind == LEADS:
        return cached.get_shuffled_leads(digest, sha, seed_chosen("order"), shown, case)
    shift = st.slider("Shift (s)", 0.02, MOST_SHIFT_S, 0.1, 0.02, key="faithfulness_shift", width=260)
    return cached.get_time_shift(digest, sha, float(shift), shown, case)


@st.fragment
def check_case(case: Case) -> None:
    shown = session.chosen_class(case.classes, case.most_telling)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        widgets.class_chips(case, shown)
        kind = st.segmented_control("Check", (RANDOM, LEADS, SHIFT), default=RANDOM, key="faithfulness_check") or RANDOM
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            try:
                check = run_check(case, kind, shown)
            except EcgImnError as exc:
                st.error(str(exc), icon=":material/error:")
                return
    session.write_link(shown)
    widgets.scope_note(case)
    research = view_state.is_research()
    st.markdown(
        "  \n".join(
            f":green[:material/check:] {words}" if fine else f":orange[:material/help:] {words}"
            for words, fine in check_words(check, kind, shown, logits=research)
        )
    )
    titles = (
        "As it is",
        {
            RANDOM: "With random weights (colours to their own largest value)",
            LEADS: "Chest leads swapped",
            SHIFT: "A moment later",
        }[kind],
    )
    shown_room = st.container()
    seen = seen_choice(has_beat=True)
    with shown_room:
        if seen != SEEN[0] or not show_beats(check, titles, shown, own_scales=kind == RANDOM):
            show_traces(check, titles, shown, own_scale=kind == RANDOM)
    if kind == RANDOM:
        st.caption("Each side has its own scale of colour: with random weights sizes mean nothing, only the pattern.")
    if research:
        st.dataframe(logit_rows(check), hide_index=True, width="content", alt="Logits before and after")


def show_beats(check: SelfCheck, titles: tuple[str, str], shown: str, *, own_scales: bool) -> bool:
    """Show the painted mean beats of both side by side, where there are such."""
    evidences = [one.of(shown) for one in (check.first, check.second)]
    one, two = (mean_beat_evidence(evidence.reading, evidence.contribution) for evidence in evidences)
    if one is None or two is None:
        return False
    panes = [Pane(title, shown, beat) for title, beat in zip(titles, in_one_frame(one, two), strict=True)]
    width, height = session.window()
    room = width - (NARROW_SIDES_PX if is_narrow((width, height)) else SIDES_PX)
    markup = beats_picture(
        panes, size_px=(room, max(height - ABOVE_PX, LEAST_HEIGHT_PX)), own_scales=own_scales,
        numbers=view_state.is_research(), dark=session.is_dark(),
    )  # fmt: skip
    picture(markup, "faithfulness_beats")
    return True


def show_traces(check: SelfCheck, titles: tuple[str, str], shown: str, *, own_scale: bool) -> None:
    """Show both whole traces side by side."""
    width, height = session.window()
    screen = Screen(
        max((width - SIDES_PX) / 2, 420.0), max(height - HEAD_PX, LEAST_HEIGHT_PX), switch=False,
        numbers=view_state.is_research(),
    )  # fmt: skip
    for column, title, one in zip(st.columns(2, gap="small"), titles, (check.first, check.second), strict=True):
        with column:
            st.markdown(f"**{title}**")
            evidence = one.of(shown)
            view = check_view(evidence, check, own_scale=own_scale, dark=session.is_dark())
            figure = ecg_figure(one.recording, evidence, view=view, screen=screen)
            st.plotly_chart(
                figure, width="content", theme=None, key=f"faithfulness_{title}", config=CHART,
                alt=f"{title}: 12-lead ECG with the contribution to {shown} behind the leads",
            )  # fmt: skip


def say_whose_figures(content: Mapping[str, Any]) -> None:
    """Say what was measured, and warn where it is not the model in use."""
    st.caption(sample_words(content))
    try:
        card = widgets.current_card()
    except EcgImnError:
        card = None
    if card is None or card.sha256 != content.get("sha256"):
        st.warning(
            f"Measured on other weights than those of the model in use: {content.get('model')}, "
            f"sha {str(content.get('sha256'))[:12]}.",
            icon=":material/history:",
        )


@st.fragment
def show_table() -> None:
    try:
        content = read_comparison()
    except EcgImnError as exc:
        st.info(str(exc), icon=":material/straighten:")
        return
    say_whose_figures(content)
    questions = (*QUESTIONS, GOALS)
    question = (
        st.segmented_control("Question", questions, default=questions[0], key="faithfulness_question") or questions[0]
    )
    if question == GOALS:
        for line in goal_words(content):
            st.markdown(f"- {line}")
        st.markdown("**ST elevation planted in many records**")
        st.caption(PLANTED)
        st.dataframe(
            planted_rows(content), hide_index=True, width="content", height="content", alt="Planted ST elevation"
        )
        st.markdown("**The networks themselves**")
        st.dataframe(network_rows(content), hide_index=True, width="content", alt="Networks compared")
    else:
        columns, words = QUESTIONS[question]
        st.markdown(words)
        pinned = {name: st.column_config.Column(pinned=True) for name in ("Network", "Explained by")}
        st.dataframe(
            answer_rows(content, question),
            hide_index=True,
            height="content",
            column_config=pinned,
            alt=f"Explanation methods compared: {question}",
        )
        with st.expander("Who is ahead", icon=":material/balance:"):
            st.markdown("\n".join(f"- {line}" for line in answer_words(content, columns)))
    st.caption(f"In brackets: 95 % intervals. Measured with: {content['command']}. How, and what it does not show: "
               "docs/FAITHFULNESS.md")  # fmt: skip


part = st.segmented_control(
    "Show", (CASE, TABLE), default=CASE, key="faithfulness_part_of_page", label_visibility="collapsed"
)
if part == TABLE:
    show_table()
else:
    check_case(widgets.opened_case())
    with st.expander("How to read this page", icon=":material/help:"):
        st.markdown(HELP)
