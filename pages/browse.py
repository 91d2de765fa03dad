"""PTB-XL and challenge records: find them by class, code, report, age, sex, fold or quality, and open them to read."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.sources.cinc import SOURCE, challenge_folder
from ecgimn.sources.physionet import ptbxl_place
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.sources.ptbxl_arrays import WORDS
from ecgimn.sources.search import OLDEST, QUALITY_NOTES, Query, find_records
from pages.ui import cache as cached
from pages.ui.records import by_models_view, show_challenge, show_found
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.upload import offer_ptbxl

session.run_under_app()

READING_ROOM = "pages/read.py"
NO_FILTER: dict[str, object] = {
    **{f"f_{name}": [] for name in ("class", "codes", "sub", "sex", "fold", "axis", "notes")},
    **{f"f_{name}": False for name in ("clean", "valid", "earlier", "changed")},
    "f_words": "", "f_age": (0, OLDEST), "f_pace": None,
}  # fmt: skip
FOLDS = tuple(range(1, 11))
PACEMAKER = {None: "with and without", True: "with a pacemaker", False: "without a pacemaker"}


def statement_words(code: str) -> str:
    """Return a statement as a reader knows it: "IMI inferior myocardial infarction"."""
    return f"{code} {WORDS[code].lower()}" if code in WORDS else code


if (folder := challenge_folder()) is not None:
    data_set = st.segmented_control(
        "Data set", ("PTB-XL", SOURCE), default="PTB-XL", required=True, key="data_set", persist_state="session"
    )
    if data_set == SOURCE:
        show_challenge(folder)
        st.stop()

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

KEPT: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    superclasses = st.pills("Class (any of)", SUPERCLASSES, selection_mode="multi", key="f_class", **KEPT)
    codes = st.multiselect(
        "SCP statement (any of)", table.codes, key="f_codes", width=260, format_func=statement_words, **KEPT
    )
    subclasses = st.multiselect("Sub-class (any of)", table.subclasses, key="f_sub", width=190, **KEPT)
    words = st.text_input("Search report text", key="f_words", width=180, **KEPT)
    with st.popover("More filters", icon=":material/filter_alt:"):
        axes = st.multiselect("Heart axis, as PTB-XL codes it (any of)", table.axes, key="f_axis", **KEPT)
        notes = st.multiselect("Note on signal quality (any of)", list(QUALITY_NOTES.values()), key="f_notes", **KEPT)
        clean = st.toggle("Without a note on quality", key="f_clean", **KEPT)
        pacemaker = st.selectbox(
            "Pacemaker noted", list(PACEMAKER), format_func=PACEMAKER.__getitem__, key="f_pace", **KEPT
        )
        validated = st.toggle("Validated by a human", key="f_valid", **KEPT)
        has_earlier = st.toggle(
            "Has an earlier ECG", key="f_earlier", help="Of the same patient, as the table says.", **KEPT
        )
        class_changed = st.toggle("Superclass changed since the ECG before", key="f_changed", **KEPT)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    sexes = st.pills("Sex", ["female", "male"], selection_mode="multi", key="f_sex", **KEPT)
    ages = st.slider("Age in years (90 stands for 90+)", 0, OLDEST, (0, OLDEST), key="f_age", width=220, **KEPT)
    folds = st.multiselect(
        "Fold", FOLDS, key="f_fold", width=200, **KEPT,
        help="The models here learned from folds 1 to 8. Fold 9 chose, fold 10 reports.",
    )  # fmt: skip
    st.button("Clear filters", icon=":material/filter_alt_off:", on_click=view_state.give_widgets, args=(NO_FILTER,))

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
