"""The records found: of PTB-XL with filters by the model's answers, counts and case list; of PhysioNet's challenges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from ecgimn.batch.cohort import FOLDERS_VARIABLE, VIEWS, batch_folders
from ecgimn.batch.output import read_settings
from ecgimn.draw.charts.cohort import ages_figure, classes_figure
from ecgimn.errors import EcgImnError
from ecgimn.explain.sentences import NOTHING
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.cinc import OLDEST, SOURCE, ChallengeQuery, ChallengeRecords, in_words
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl
from ecgimn.sources.search import (
    SEEN,
    SORTS,
    SearchTable,
    counts,
    counts_by_age,
    page_of,
    random_record,
    read_case_list,
    sorted_records,
    write_case_list,
)
from pages.ui import cache as cached
from pages.ui.state import case as session


def by_models_view(found: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return the records that the model's answers leave, with probability and view of the class asked for."""
    try:
        folders = [folder for folder in batch_folders() if read_settings(folder).source.startswith("ptbxl")]
    except EcgImnError as exc:
        st.caption(str(exc))
        return found
    if not folders:
        st.caption(f"Filters by the model's answers need a batch run over PTB-XL, named in {FOLDERS_VARIABLE}.")
        return found
    with st.expander("The model's view", icon=":material/network_intelligence:"), st.container(horizontal=True):
        folder = st.selectbox("Run", folders, format_func=lambda path: path.name, key="v_run", persist_state="session")
        names = [name for name in read_settings(folder).classes if name in SUPERCLASSES]
        name = st.selectbox("Answer for", names, index=None, key="v_class", persist_state="session")
        views = st.pills("Against the label", VIEWS, selection_mode="multi", key="v_view", persist_state="session")
        leads = st.multiselect("Strongest lead (any of)", STANDARD_LEADS, key="v_lead", persist_state="session")
        waves = st.multiselect("Strongest wave (any of)", WAVE_NAMES[1:], key="v_wave", persist_state="session")
    if name is None:
        return found
    view = cached.get_model_view(cached.holds(folder), place, folder, name)
    for column, wanted in (("view", views), ("lead", leads), ("wave", waves)):
        if wanted:
            view = view[view[column].isin(list(wanted))]
    columns = {column: f"{name} {column}" for column in view.columns}
    return found[found.index.isin(view.index)].join(view.rename(columns=columns))


READING_ROOM = "pages/read.py"
ABOVE_PX, LEAST_TABLE_PX = 420, 240  # filters above the table; its least height
ROWS = 100  # of a page; next and previous in the reading room go through all that were found
CHART = {"displayModeBar": False}


def _table_px() -> int:
    """Return the height that filters and the line of buttons leave in the window."""
    return max(session.window()[1] - ABOVE_PX, LEAST_TABLE_PX)


def show_found(found: pd.DataFrame, table: SearchTable, ptbxl: PtbXl) -> None:
    """Show what was found, page by page, and let the reader open it or put it on the case list."""
    left, right = st.columns([0.74, 0.26], gap="medium")
    with right:
        _case_list(table)
        if not found.empty:
            _charts(found, table)
    with left:
        st.markdown(f"**{len(found):,} of {len(table.shown):,} records**")
        if found.empty:
            st.info("No matching ECGs. Clear a filter.", icon=":material/filter_alt_off:")
        else:
            _pages(found, table, ptbxl)


def _page_number(n_found: int, key: str) -> int:
    """Let the reader turn the pages of what was found; return the number of the one shown, from 1."""
    n_pages = -(-n_found // ROWS)
    number = min(st.pagination(n_pages, key=key), n_pages)
    first, last = (number - 1) * ROWS + 1, min(number * ROWS, n_found)
    st.caption(f"Records {first:,} to {last:,} of {n_found:,}", width="content")
    return int(number)


def _pages(found: pd.DataFrame, table: SearchTable, ptbxl: PtbXl) -> None:
    buttons = st.container(horizontal=True, vertical_alignment="bottom")
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.selectbox("Sorted by", list(SORTS), format_func=SORTS.__getitem__, key="sort_by", width=150,
                          persist_state="session")  # fmt: skip
        descending = st.toggle("Descending", key="sort_down", persist_state="session")
        found = sorted_records(found, by, descending=descending)
        number = _page_number(len(found), "page")
    page = page_of(found, number, ROWS)
    chosen = place.dataframe(
        page,
        key=f"found {by} {descending} {page.index[0]} {page.index[-1]} {len(found)}",
        on_select="rerun",
        selection_mode="multi-row",
        height=_table_px(),
        column_config={
            "ecg_id": st.column_config.NumberColumn("record", format="%d"),
            "age": st.column_config.NumberColumn("age (y)", format="%d"),
            "report": st.column_config.TextColumn("report", width="large"),
            SEEN: st.column_config.MultiselectColumn("badge", options=[SEEN], color=["orange"]),
        },
        alt="Records found",
    )
    marked = [int(page.index[row]) for row in chosen.selection.rows]
    with buttons:
        _actions(marked, found, ptbxl)
    if len(marked) == 1:
        _timeline(marked[0], table, ptbxl)


def _timeline(ecg_id: int, table: SearchTable, ptbxl: PtbXl) -> None:
    """Show all ECGs of a record's patient in the order of time, where there is more than one."""
    records = [record for record in ptbxl.same_patient(ecg_id) if record in table.shown.index]
    if len(records) < 2:
        return
    columns = ["age", "classes", "statements", "report"]
    rows = table.shown.loc[records, columns]
    rows.insert(0, "date", [ptbxl.date(record) or NOTHING for record in records])
    st.markdown(f"**{len(records)} ECGs of this patient** in the order of time")
    st.dataframe(
        rows,
        height="content",
        column_config={
            "ecg_id": st.column_config.NumberColumn("record", format="%d"),
            "age": st.column_config.NumberColumn("age (y)", format="%d"),
            "report": st.column_config.TextColumn("report", width="large"),
        },
        alt="All ECGs of the patient in the order of time",
    )
    if st.button("Read them in order", icon=":material/history:", key="read_patient"):
        session.open_record(records[0], records)
        st.switch_page(READING_ROOM)


def _actions(marked: list[int], found: pd.DataFrame, ptbxl: PtbXl) -> None:
    if st.button(
        f"Read record {marked[0]}" if marked else "Select an ECG to open it",
        icon=":material/ecg_heart:", type="primary",
        disabled=not marked, key="read_marked",
    ):  # fmt: skip
        session.open_record(marked[0], found.index)
        st.switch_page(READING_ROOM)
    if st.button("Read a random one", icon=":material/casino:", key="read_random"):
        drawn = random_record(ptbxl, found.index, np.random.default_rng())
        if drawn is None:
            st.warning("None of these records has its files in the PTB-XL folder.", icon=":material/warning:")
        else:
            session.open_record(drawn, found.index)
            st.switch_page(READING_ROOM)
    st.button(
        f"Add {len(marked)} to worklist", icon=":material/playlist_add:", disabled=not marked, key="list_marked",
        on_click=session.add_to_case_list, args=(marked,),
    )  # fmt: skip
    st.button(
        f"Add all {len(found):,} to worklist", icon=":material/playlist_add_check:", key="list_all",
        on_click=session.add_to_case_list, args=(found.index.to_list(),),
    )  # fmt: skip


def _charts(found: pd.DataFrame, table: SearchTable) -> None:
    dark = session.is_dark()
    number, whole = counts(found), counts(table.shown)
    st.plotly_chart(
        classes_figure(number, whole, dark=dark), theme=None, key="classes_found", config=CHART,
        alt="Records found per class: " + ", ".join(f"{name} {n:,}" for name, n in number.items()),
    )  # fmt: skip
    st.plotly_chart(
        ages_figure(counts_by_age(found), dark=dark), theme=None, key="ages_found", config=CHART,
        alt="Records found per ten years of age, women and men",
    )  # fmt: skip


def _case_list(table: SearchTable) -> None:
    listed = session.case_list()
    with st.container(border=True, gap="small"):
        st.markdown(f"**Worklist**: {len(listed):,} record{'' if len(listed) == 1 else 's'}")
        with st.container(horizontal=True, gap="small"):
            if st.button("Read", icon=":material/ecg_heart:", disabled=not listed, key="read_list"):
                session.open_record(listed[0], listed)
                st.switch_page(READING_ROOM)
            st.download_button(
                "CSV", lambda: write_case_list(listed, table), file_name="ecg-imn-session.csv", mime="text/csv",
                icon=":material/download:", disabled=not listed, on_click="ignore", key="save_list",
            )  # fmt: skip
            with st.popover("Load", icon=":material/upload_file:"):
                file = st.file_uploader("A list of record numbers, one per line (CSV)", key="case_list_file")
                if file is not None and st.button("Use this list", key="use_list"):
                    try:
                        session.set_case_list(read_case_list(file.getvalue(), table.shown.index))
                    except EcgImnError as exc:
                        st.error(str(exc), icon=":material/error:")
                    else:
                        st.rerun()
            st.button("Clear", disabled=not listed, on_click=session.set_case_list, args=((),), key="clear_list")
        st.caption("Next and previous in the reading room then follow the list. The CSV holds no label.")


def show_challenge(folder: str) -> None:
    """Show filters and the records found, and let the reader open one."""
    st.subheader(SOURCE)
    try:
        records = cached.get_challenge_records(folder)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    found = records.find(_challenge_query(records))
    st.markdown(f"**{len(found):,} of {len(records.table):,} records**")
    if records.n_unreadable:
        st.caption(f"{records.n_unreadable:,} headers of the folder cannot be read and are left out.")
    if found.empty:
        st.info("No matching ECGs. Clear a filter.", icon=":material/filter_alt_off:")
        return
    _challenge_page(records, found)
    st.caption("The diagnoses are the files' own statements (SNOMED CT), from many readers and machines.")


def _challenge_query(records: ChallengeRecords) -> ChallengeQuery:
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


def _challenge_page(records: ChallengeRecords, found: pd.DataFrame) -> None:
    buttons, place = st.container(horizontal=True), st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = _page_number(len(found), "c_page")
    page = found.iloc[(number - 1) * ROWS : number * ROWS]
    shown = page.assign(diagnoses=[", ".join(in_words(codes)) for codes in page["codes"]]).drop(columns="codes")
    chosen = place.dataframe(
        shown,
        key=f"c_found {len(found)} {page.index[0]}",
        on_select="rerun",
        selection_mode="single-row",
        height=_table_px(),
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
        _open_challenge(records, marked[0])


def _open_challenge(records: ChallengeRecords, record: str) -> None:
    try:
        recording = records.recording(record)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    session.open_own(recording, f"{SOURCE} {record}")
    st.switch_page(READING_ROOM)
