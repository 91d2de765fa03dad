"""Records of the PhysioNet challenges: found by diagnosis code, age, sex and set, and opened in the reading room."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.sources.cinc import OLDEST, SOURCE, ChallengeQuery, ChallengeRecords, in_words
from pages.ui import cache as cached
from pages.ui.state import case as session

READING_ROOM = "pages/read.py"
ROWS = 100  # of a page


def show_challenge(folder: str) -> None:
    """Show filters and the records found, and let the reader open one."""
    st.subheader(SOURCE)
    try:
        records = cached.get_challenge_records(folder)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    found = records.find(_query(records))
    st.markdown(f"**{len(found):,} of {len(records.table):,} records**")
    if records.n_unreadable:
        st.caption(f"{records.n_unreadable:,} headers of the folder cannot be read and are left out.")
    if found.empty:
        st.info("No matching ECGs. Clear a filter.", icon=":material/filter_alt_off:")
        return
    _page(records, found)
    st.caption("The diagnoses are the files' own statements (SNOMED CT), from many readers and machines.")


def _query(records: ChallengeRecords) -> ChallengeQuery:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        codes = st.multiselect(
            "Diagnosis (any of)", records.codes, format_func=lambda code: in_words((code,))[0], key="c_codes",
            persist_state="session", width=360,
        )  # fmt: skip
        sets = st.multiselect("Set", records.sets, key="c_sets", persist_state="session", width=220)
        sexes = st.pills("Sex", ["female", "male"], selection_mode="multi", key="c_sex", persist_state="session")
        ages = st.slider(
            "Age in years (90 stands for 90+)", 0, OLDEST, (0, OLDEST), key="c_age", persist_state="session", width=220
        )
    return ChallengeQuery(tuple(codes), ages, tuple(sexes), tuple(sets))


def _page(records: ChallengeRecords, found: pd.DataFrame) -> None:
    buttons, place = st.container(horizontal=True), st.container()
    n_pages = -(-len(found) // ROWS)
    number = min(st.pagination(n_pages, key="c_page"), n_pages)
    page = found.iloc[(number - 1) * ROWS : number * ROWS]
    shown = page.assign(diagnoses=[", ".join(in_words(codes)) for codes in page["codes"]]).drop(columns="codes")
    chosen = place.dataframe(
        shown,
        key=f"c_found {number} {len(found)} {page.index[0]}",
        on_select="rerun",
        selection_mode="single-row",
        height=430,
        column_config={
            "age": st.column_config.NumberColumn("age (y)", format="%d"),
            "fs": st.column_config.NumberColumn("rate (Hz)", format="%g"),
            "duration_s": st.column_config.NumberColumn("length (s)", format="%.1f"),
            "diagnoses": st.column_config.TextColumn("the file's own statement", width="large"),
        },
        alt="Challenge records found",
    )
    marked = [str(page.index[row]) for row in chosen.selection.rows]
    if buttons.button(
        f"Read record {marked[0].rpartition('/')[2]}" if marked else "Select an ECG to open it",
        icon=":material/ecg_heart:", type="primary", disabled=not marked, key="c_read",
    ):  # fmt: skip
        _open(records, marked[0])


def _open(records: ChallengeRecords, record: str) -> None:
    try:
        recording = records.recording(record)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    session.open_own(recording, f"{SOURCE} {record}")
    st.switch_page(READING_ROOM)
