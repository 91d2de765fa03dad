"""PTB-XL: find records by class, code, report, age, sex, fold or quality, and open them in the reading room."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.sources.search import OLDEST, Query, counts, find_records, random_record
from ecgimn.sources.settings import ptbxl_place
from pages import _cached as cached
from pages import _session as session
from pages._physionet import offer_ptbxl

session.run_under_app()

READING_ROOM = "pages/read.py"
MAX_ROWS = 1000  # shown at once; next and previous in the reading room go through all that were found
FOLDS = tuple(range(1, 11))

st.subheader("PTB-XL")
try:
    place, ptbxl = ptbxl_place(), cached.current_ptbxl()
except EcgImnError as exc:
    st.error(str(exc), icon=":material/error:")
    st.stop()
if place is None or ptbxl is None:
    offer_ptbxl()
    st.page_link(READING_ROOM, label="Read a composite case instead", icon=":material/ecg_heart:")
    st.stop()
table = cached.get_search_table(place)

with st.container(horizontal=True, vertical_alignment="bottom"):
    superclasses = st.pills(
        "Class (any of)", SUPERCLASSES, selection_mode="multi", key="f_class", persist_state="session"
    )
    codes = st.multiselect("SCP statement (any of)", table.codes, key="f_codes", persist_state="session", width=260)
    subclasses = st.multiselect("Sub-class (any of)", table.subclasses, key="f_sub", persist_state="session", width=220)
    words = st.text_input("Words of the report", key="f_words", persist_state="session", width=200)
with st.container(horizontal=True, vertical_alignment="bottom"):
    sexes = st.pills("Sex", ["female", "male"], selection_mode="multi", key="f_sex", persist_state="session")
    ages = st.slider(
        "Age in years (90 stands for 90+)", 0, OLDEST, (0, OLDEST), key="f_age", persist_state="session", width=220
    )
    folds = st.multiselect(
        "Fold",
        FOLDS,
        key="f_fold",
        persist_state="session",
        width=200,
        help="The models here learned from folds 1 to 8. Fold 9 chose, fold 10 reports.",
    )
    validated = st.toggle("Validated by a human", key="f_valid", persist_state="session")
    clean = st.toggle("Without a note on quality", key="f_clean", persist_state="session")

found = find_records(
    table,
    Query(
        tuple(superclasses), tuple(subclasses), tuple(codes), words, ages, tuple(sexes), tuple(folds), validated, clean
    ),
)
per_class = " · ".join(f"{name} {number:,}" for name, number in counts(found).items())
st.markdown(f"**{len(found):,} of {len(table.shown):,} records** — {per_class}. Classes overlap.")
if found.empty:
    st.info("No record fits. Take a filter away.", icon=":material/filter_alt_off:")
    st.stop()

buttons = st.container(horizontal=True)
chosen = st.dataframe(
    found.head(MAX_ROWS),
    key="found",
    on_select="rerun",
    selection_mode="single-row",
    height=430,
    column_config={
        "ecg_id": st.column_config.NumberColumn("record", format="%d"),
        "age": st.column_config.NumberColumn("age (y)", format="%d"),
        "report": st.column_config.TextColumn("report", width="large"),
    },
    alt="Records found",
)
if len(found) > MAX_ROWS:
    st.caption(f"The first {MAX_ROWS:,} are listed.")
rows = chosen.selection.rows
with buttons:
    opened = int(found.index[rows[0]]) if rows else None
    if st.button(
        f"Read record {opened}" if opened else "Choose a row to read it", icon=":material/ecg_heart:", type="primary",
        disabled=opened is None,
    ):  # fmt: skip
        session.open_record(opened or 0, found.index)
        st.switch_page(READING_ROOM)
    if st.button("Read a random one", icon=":material/casino:"):
        drawn = random_record(ptbxl, found.index, np.random.default_rng())
        if drawn is None:
            st.warning("None of these records has its files in the PTB-XL folder.", icon=":material/warning:")
        else:
            session.open_record(drawn, found.index)
            st.switch_page(READING_ROOM)
