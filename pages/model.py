"""Model card: what the model answers, how it was made and measured, and what it cannot do."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from ecgimn.draw.charts.card import (
    EVERY_CLASS,
    broken_rows,
    card_figures,
    clinical_rows,
    discrimination_rows,
    does_not_words,
    error_rows,
    fidelity_figures,
    model_sheet,
    point_name,
    score_words,
    subgroup_rows,
    subgroup_words,
    taken_out_rows,
    taken_out_words,
    training_figures,
    twin_words,
    zone_rows,
)
from ecgimn.errors import EcgImnError
from ecgimn.escape import for_markdown
from ecgimn.explain.sentences import percent
from ecgimn.model import MISS_RATE
from ecgimn.model.card import ModelCard, figures_of, read_training_log
from ecgimn.model.model import MODELS_FOLDER
from pages.ui import cache as cached
from pages.ui import case_bar
from pages.ui.state import case as session
from pages.ui.state import view as view_state

session.run_under_app()

CANNOT = """
- It does not know the patient: no history, no symptoms, no earlier tracing. It cannot say whether a change is new.
- It answers for the labels of PTB-XL and nothing else. CD means conduction disturbance and HYP hypertrophy, as there.
- Adults, 12 leads, 10 seconds. Children, other lead sets and ambulatory strips are outside what it learned from.
- It works at 100 Hz: notches, pacing spikes and anything above 50 Hz do not reach it.
- The map says what moved this network's score on this tracing. It does not say what the patient has.
"""
CHART = {"displayModeBar": False}
READING_ROOM = "pages/read.py"
ERROR_KINDS = {"missed": "False negatives: labelled, not called", "claimed": "False positives: called, not labelled"}


def has_ptbxl() -> bool:
    """Whether a record of PTB-XL can be opened from here; where PTB-XL is broken, the reading room says why."""
    try:
        return cached.current_ptbxl() is not None
    except EcgImnError:
        return False


def show_errors(card: ModelCard) -> None:
    """Show the cases that the model misjudged most surely, each a click away from its evidence."""
    st.subheader("Known failures")
    chosen = st.segmented_control("Class", card.classes, key="error_class", default=card.classes[0], required=True)
    at_hand = has_ptbxl()
    for column, (kind, words) in zip(st.columns(2, gap="large"), ERROR_KINDS.items(), strict=True):
        with column:
            st.markdown(f"**{words}**")
            rows = error_rows(card.metrics, str(chosen), kind)
            if not rows:
                st.caption("None among the records measured.")
            for row in rows:
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    openable = "composite" in row or at_hand
                    key = f"error_{kind}_{row.get('composite') or row['ecg_id']}"
                    if st.button(for_markdown(row["Case"]), key=key, disabled=not openable, type="tertiary"):
                        if "composite" in row:
                            session.open_composite(row["composite"])
                        else:
                            session.open_record(row["ecg_id"], [r["ecg_id"] for r in rows if "ecg_id" in r])
                        session.choose_class(str(chosen))
                        st.switch_page(READING_ROOM)
                    st.caption(f"{percent(row['Probability'])} · {for_markdown(row['Labels'])}")
    if not at_hand:
        st.caption("Records open here once PTB-XL is set up; the Browse page says how.")


def show_zones(card: ModelCard) -> None:
    """Show the decision zones at a miss rate that the reader chooses, and where their promise fails."""
    rates = sorted({zones.miss_rate for zones in card.zones})
    st.markdown("**Decision zones** on the probability: rule out below, rule in above, uncertain between")
    rate = st.segmented_control(
        "Miss rate",
        rates,
        key="miss_rate",
        default=MISS_RATE,
        format_func=lambda rate: f"{100 * rate:g} %",
        required=True,
    )
    st.dataframe(
        zone_rows(card, float(rate), percents=not view_state.is_research()), hide_index=True, alt="Decision zones"
    )
    with figures_of(card):
        broken = broken_rows(card.metrics, float(rate))
    st.caption(
        f"Made on one half of the patients of fold 9: at most {100 * float(rate):g} % of people with the label are "
        "ruled out, and of those without it ruled in. A dash: too few people for any promise. On the other half it "
        + ("holds in every group counted." if not broken else "fails here:")
    )
    if broken:
        st.dataframe(broken, hide_index=True, alt="Where the promise fails")


def show_groups(card: ModelCard) -> None:
    """Show how well the model serves groups of people, all classes together or one that the reader chooses."""
    st.subheader("For whom")
    chosen = EVERY_CLASS
    if any("classes" in row for row in card.metrics["subgroups"]):
        chosen = str(
            st.segmented_control(
                "Class of the groups",
                [EVERY_CLASS, *card.classes],
                key="group_class",
                default=EVERY_CLASS,
                required=True,
            )
        )
    st.dataframe(
        subgroup_rows(card.metrics, chosen),
        hide_index=True,
        height="content",
        alt="Discrimination and calibration by group of people",
    )
    st.caption(
        f"{subgroup_words(card.metrics)} Intervals: 95 %, over resampled patients. "
        "Observed / expected: the share with the label over the mean probability; 1 is calibrated."
    )


def show_sheet(card: ModelCard) -> None:
    """Show the card under the headings that hospitals and journals ask for."""
    rows = model_sheet(card)
    st.table(  # whose cells break lines
        [{title: for_markdown(text) for title, text in row.items()} for row in rows],
        hide_index=True,
        alt="Model card under the headings of CHAI and TRIPOD+AI",
    )
    st.download_button(
        "Model card (CSV)",
        pd.DataFrame(rows).to_csv(index=False).encode(),
        f"{card.name}-card.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def show_figures(card: ModelCard, show: Callable[[ModelCard], None]) -> None:
    """Show a part of the card, or in a sentence that its figures are not in the form of this version."""
    try:
        with figures_of(card):
            show(card)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")


def show_training(card: ModelCard) -> None:
    """Show how training went, and its settings."""
    log = read_training_log(card, MODELS_FOLDER)
    if log is not None:
        figures = training_figures(log, dark=session.is_dark())
        for column, (title, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
            column.markdown(f"**{title}**")
            column.plotly_chart(figure, theme=None, key=f"training_{title}", config=CHART, alt=title)
    st.json(card.training)


def show_measured(card: ModelCard) -> None:
    """Show what was measured of the model, and with which command."""
    metrics, research = card.metrics, view_state.is_research()
    if not metrics:
        st.info(
            "Nothing has been measured for this card yet. With PTB-XL at hand, this command measures it:",
            icon=":material/straighten:",
        )
        st.code(f"python -m ecgimn evaluate --ptbxl DIR --fold 10 --model {card.name} --json OUT", language=None)
    else:
        fold, command = metrics.get("fold"), metrics.get("command")
        where = f"fold {for_markdown(fold)} of PTB-XL" if fold else "PTB-XL"
        st.caption(
            f"Measured on {where}, {metrics.get('n_records', 0):,} records."
            + (f" Command: {for_markdown(command)}" if command and research else "")
        )
        for words in filter(None, (score_words(metrics), twin_words(metrics))):
            st.markdown(words)
        rows = discrimination_rows(metrics) if research else clinical_rows(metrics)
        if rows:
            st.dataframe(rows, hide_index=True, alt="Discrimination by class")
        figures = card_figures(metrics, dark=session.is_dark())
        if figures:
            for column, (title, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
                column.markdown(f"**{title}**")
                column.plotly_chart(figure, theme=None, key=f"chart_{title}", config=CHART, alt=title)
        if words := taken_out_words(metrics):
            st.markdown("**Booked by the map, and taken out: share confirmed per wave · bound of a cell of 0.5 logit**")
            st.dataframe(taken_out_rows(metrics), hide_index=True, alt="Share confirmed and bound by class and wave")
            st.caption(words)
        edited = st.segmented_control(
            "Does the map predict what an edit does? Class:", metrics.get("classes", card.classes), key="fidelity_class"
        )
        if edited:
            with st.container(horizontal=True):
                for title, figure in fidelity_figures(metrics, edited, dark=session.is_dark()).items():
                    with st.container(width=380):
                        st.markdown(f"**{title[0].upper()}{title[1:]}**")
                        alt = f"Fidelity: {title}"
                        st.plotly_chart(figure, theme=None, key=f"fidelity_{title}", config=CHART, alt=alt)
        if "subgroups" in metrics:
            show_groups(card)
        if "failures" in metrics:
            show_errors(card)
        if research:
            with st.expander("All figures as JSON", on_change="rerun", key="all_metrics") as everything:
                if everything.open:
                    st.json(metrics)


try:
    card = case_bar.current_card()
except EcgImnError as exc:
    st.subheader("Model")
    st.error(str(exc), icon=":material/error:")
    st.stop()

research = view_state.is_research()
st.subheader(f"Model {for_markdown(card.name)}")
with st.container(horizontal=True):
    st.badge(
        f"{card.members} networks averaged" if card.members > 1 else "1 network", icon=":material/hub:", color="gray"
    )
    if research:
        st.badge(f"sha {card.sha256[:16]}", icon=":material/fingerprint:", color="gray")
with figures_of(card):
    does_not = does_not_words(card.metrics)
if does_not:
    st.warning(does_not, icon=":material/do_not_disturb_on:")
left, right = st.columns(2, gap="large")
with left:
    if card.purpose:
        st.markdown(f"**Chosen for.** {for_markdown(card.purpose)}")
    st.markdown(f"**Task.** {for_markdown(card.task)}: {for_markdown(', '.join(card.classes))}.")
    st.markdown(f"**Input.** {card.fs:g} Hz, {card.n_samples:,} samples; {for_markdown(card.preprocessing)}.")
    st.markdown(f"**Intended use.** {for_markdown(card.intended_use)}")
    st.markdown(f"**Licence.** {for_markdown(card.licence)}")
    st.markdown(f"**Reference.** {for_markdown(card.reference)}")
with right:
    st.markdown(f"**What it cannot do**\n{CANNOT}")

if card.thresholds:
    points = card.thresholds if research else {key: card.thresholds[key] for key in card.thresholds if key == "youden"}
    st.markdown("**Operating points** on the probability, chosen on fold 9" if research else "**Called from**")
    st.dataframe(
        [
            {
                "Point": point_name(point) if research else "threshold",
                **{
                    name: f"{value:.3f}" if research else percent(value)
                    for name, value in zip(card.classes, values, strict=True)
                },
            }
            for point, values in points.items()
        ],
        hide_index=True,
        alt="Operating points",
    )

if card.zones:
    show_zones(card)

st.subheader("Measured")
show_figures(card, show_measured)
with st.expander(
    "The same under the headings of CHAI’s applied model card and TRIPOD+AI", on_change="rerun", key="sheet"
) as sheet:
    if sheet.open:
        show_figures(card, show_sheet)
if research:
    with st.expander("Training", on_change="rerun", key="training") as training:
        if training.open:
            show_figures(card, show_training)
