"""Many recordings together: what a batch run found, class by class, and how two runs differ."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st
from scipy.special import expit

from ecgimn.batch import cohort
from ecgimn.batch.output import read_settings
from ecgimn.draw.charts.cohort import spread_figure
from ecgimn.draw.charts.ledger import ledger_figure
from ecgimn.draw.painted import paint_mean
from ecgimn.draw.screen.ecg import NARROW_SIDES_PX, SIDES_PX, is_narrow
from ecgimn.draw.screen.side_by_side import Pane, beats_picture
from ecgimn.errors import EcgImnError
from ecgimn.leads import STANDARD_LEADS
from pages.ui import cache as runs
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.trace import picture

session.run_under_app()

READING_ROOM = "pages/read.py"
CASES = 8  # listed at either end
CHART = {"displayModeBar": False}
BEAT_FS, BEAT_R = 100.0, 30  # of the mean beats of a run: from R − 300 ms on, every 10 ms
BEAT_SHARE, LEAST_BEAT_PX = 0.62, 420.0  # height of the mean beat: part of the window's, and the least

st.subheader("Cohort")
try:
    folders = cohort.batch_folders()
except EcgImnError as exc:
    st.error(str(exc), icon=":material/error:")
    st.stop()
if not folders:
    st.info(
        "No batch run is set up. Explain a data set once, then start the app with its folder:", icon=":material/groups:"
    )
    st.code(
        "python -m ecgimn batch /path/to/ptb-xl --out /path/to/run\nECGIMN_BATCH=/path/to/run make run", language=None
    )
    st.page_link(READING_ROOM, label="Read a case instead", icon=":material/ecg_heart:")
    st.stop()


def case_table(title: str, cases: pd.DataFrame, key: str) -> None:
    if not view_state.is_research():
        cases = cases.assign(logit=expit(cases["logit"])).rename(columns={"logit": "probability"})
    st.markdown(f"**{title}**")
    chosen = st.dataframe(
        cases,
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=320,
        column_config={
            "logit": st.column_config.NumberColumn("logit", format="%+.2f"),
            "probability": st.column_config.NumberColumn("probability", format="percent"),
            "alike": st.column_config.NumberColumn("likeness", format="%.2f", help="Cosine with the mean ledger"),
            "lead": st.column_config.TextColumn("strongest lead"),
            "wave": st.column_config.TextColumn("strongest wave"),
        },
        alt=title,
    )
    marked = [str(cases["record"].iloc[row]) for row in chosen.selection.rows]
    name = marked[0].removeprefix("ptbxl-") if marked and marked[0].startswith("ptbxl-") else ""
    if st.button(
        f"Read record {name}" if name else "Select a PTB-XL record to read it", disabled=not name, key=f"{key}_open",
        icon=":material/ecg_heart:",
    ):  # fmt: skip
        ids = sorted(int(record[6:]) for record in cases["record"] if record.startswith("ptbxl-"))
        session.open_record(int(name), ids)
        st.switch_page(READING_ROOM)


def show_class(folder: Path, name: str) -> None:
    key, dark = runs.holds(folder), session.is_dark()
    evidence, beat = runs.get_evidence(key, folder, name), runs.get_mean_beat(key, folder, name)
    cells = evidence.said_cells
    st.markdown(
        f"The model calls **{name}** in **{len(cells):,}** of {len(evidence.said):,} windows of ten seconds: their "
        "probability is at or above its threshold. That is its answer, not what patients have."
    )
    if not len(cells):
        return
    if words := cohort.reasons_words(folder, name):
        st.markdown(f"**Right for the right reasons.** {words}")
    if beat is not None:
        title = f"Mean beat of {beat.n_records:,} windows, and what one beat adds to {name}"
        width, height = session.window()
        room = width - (NARROW_SIDES_PX if is_narrow((width, height)) else SIDES_PX)
        pane = Pane(title, name, paint_mean(beat.mv, beat.logit, BEAT_FS, BEAT_R, beat.n_records), called=0)
        size = (room, max(BEAT_SHARE * height, LEAST_BEAT_PX))
        picture(beats_picture([pane], size_px=size, numbers=view_state.is_research(), dark=dark), "mean_beat")
    left, right = st.columns(2, gap="medium")
    with left:
        unit = "logit" if view_state.is_research() else ""
        st.markdown(f"**Mean evidence for {name}**{unit and f', {unit}'}")
        st.plotly_chart(
            ledger_figure(cells.mean(axis=0), STANDARD_LEADS, evidence.waves, unit=unit, dark=dark),
            theme=None, key="mean_ledger", config=CHART, alt="Mean evidence of lead by wave",
        )  # fmt: skip
    with right:
        by = st.segmented_control(
            "How it differs between recordings", ["lead", "wave"], default="lead", required=True, key="spread_by"
        )
        sums, names = (cells.sum(axis=2), STANDARD_LEADS) if by == "lead" else (cells.sum(axis=1), evidence.waves)
        st.plotly_chart(
            spread_figure(sums, names, unit=unit or "evidence", dark=dark), theme=None, key="spread", config=CHART,
            alt=f"Spread of the evidence by {by} over recordings",
        )  # fmt: skip
    ranked = cohort.closeness(evidence)
    listed = min(CASES, (len(ranked) + 1) // 2)  # of few cases, none at both ends
    left, right = st.columns(2, gap="medium")
    with left:
        case_table("Most typical evidence", ranked.head(listed), "typical")
    with right:
        case_table("Most unusual evidence", ranked.tail(listed)[::-1], "unusual")


def show_drift(folder: Path) -> None:
    others = [other for other in folders if other != folder]
    if not others:
        st.caption("Name a second folder in ECGIMN_BATCH to see how two runs differ.")
        return
    other = st.selectbox("Compared with", others, format_func=lambda path: path.name, key="other_run")
    table = runs.get_drift(runs.holds(other), runs.holds(folder), other, folder)
    st.dataframe(
        table,
        column_config={
            "mean change": st.column_config.NumberColumn("mean change, logit", format="%+.3f"),
            "SD of change": st.column_config.NumberColumn("SD of change, logit", format="%.3f"),
            "decisions changed": st.column_config.NumberColumn(format="percent"),
            "said before": st.column_config.NumberColumn(format="percent"),
            "said after": st.column_config.NumberColumn(format="percent"),
            "distance": st.column_config.NumberColumn("distance of distributions", format="%.3f"),
        },
        alt="Differences between two runs",
    )
    st.caption(
        f"From {other.name} to {folder.name}. Changes are over recordings that both hold; the distance is that of "
        "Kolmogorov and Smirnov, over all of each: 0 for the same distribution of probability, 1 for none in common."
    )


with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = st.selectbox("Run", folders, format_func=lambda path: path.name, key="run", width=260)
    classes = read_settings(chosen).classes
    shown = st.pills("Class", classes, default=classes[min(1, len(classes) - 1)], key="cohort_class", required=True)
    part = st.segmented_control("Show", ["evidence", "drift"], default="evidence", required=True, key="cohort_part")
st.caption(cohort.run_words(chosen, hashes=view_state.is_research()))
try:
    if part == "drift":
        show_drift(chosen)
    else:
        show_class(chosen, shown or classes[0])
except EcgImnError as exc:
    st.error(str(exc), icon=":material/error:")
