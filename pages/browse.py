"""PTB-XL and challenge records: find them by class, code, report, age, sex, fold or quality, and open them to read."""

from __future__ import annotations

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.sources.cinc import SOURCE, challenge_folder
from ecgimn.sources.physionet import ptbxl_place
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.sources.search import OLDEST, QUALITY_NOTES, Query, find_records
from pages.ui import cache as cached
from pages.ui.records import by_models_view, show_challenge, show_found
from pages.ui.state import case as session
from pages.ui.upload import offer_ptbxl

session.run_under_app()

READING_ROOM = "pages/read.py"
FOLDS = tuple(range(1, 11))
PACEMAKER = {None: "with and without", True: "with a pacemaker", False: "without a pacemaker"}

if (folder := challenge_folder()) is not None:
    data_set = st.segmented_control(
        "Data set", ("PTB-XL", SOURCE), default="PTB-XL", required=True, key="data_set", persist_state="session"
    )
    if data_set == SOURCE:
        show_challenge(folder)
        st.stop()

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
    words = st.text_input("Search report text", key="f_words", persist_state="session", width=200)
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
    with st.popover("More filters", icon=":material/filter_alt:"):
        axes = st.multiselect(
            "Heart axis, as PTB-XL codes it (any of)", table.axes, key="f_axis", persist_state="session"
        )
        notes = st.multiselect(
            "Note on signal quality (any of)", list(QUALITY_NOTES.values()), key="f_notes", persist_state="session"
        )
        clean = st.toggle("Without a note on quality", key="f_clean", persist_state="session")
        pacemaker = st.selectbox(
            "Pacemaker noted", list(PACEMAKER), format_func=PACEMAKER.__getitem__, key="f_pace", persist_state="session"
        )
        validated = st.toggle("Validated by a human", key="f_valid", persist_state="session")
        has_earlier = st.toggle("Has an earlier ECG", key="f_earlier", persist_state="session",
                                help="Of the same patient, as the table says.")  # fmt: skip
        class_changed = st.toggle("Superclass changed since the ECG before", key="f_changed", persist_state="session")

found = find_records(
    table,
    Query(
        tuple(superclasses),
        tuple(subclasses),
        tuple(codes),
        words,
        ages,
        tuple(sexes),
        tuple(folds),
        validated,
        clean,
        tuple(notes),
        tuple(axes),
        pacemaker,
        has_earlier,
        class_changed,
    ),
)
show_found(by_models_view(found, place), table, ptbxl)
