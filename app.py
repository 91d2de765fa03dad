"""ECG-IMN Reader: page settings, navigation, what all pages share, and the intended use on every page."""

import streamlit as st

from pages.ui import preload

preload.wait()  # before anything else is imported

from ecgimn.about import INTENDED_USE, shipped  # noqa: E402
from pages.ui import cache as cached  # noqa: E402
from pages.ui import case_bar  # noqa: E402
from pages.ui.state import case as session  # noqa: E402
from pages.ui.state import server  # noqa: E402

READER_NOTE = (
    "The model answers only the question on its card, on adult 12-lead 10-second ECGs like those of PTB-XL; it does "
    "not know the patient. A qualified reader must judge the tracing itself."
)

st.set_page_config(
    page_title="ECG-IMN Reader",
    page_icon=str(shipped("assets/logo.svg")),
    layout="wide",
    initial_sidebar_state="collapsed",
    menu_items={"About": f"ECG-IMN Reader\n\n{INTENDED_USE} {READER_NOTE}"},
)
if not session.is_of_this_browser():  # before anything of the session is shown
    st.error("This window belongs to another browser. Open the app again.", icon=":material/lock:")
    st.stop()
if not server.door():
    st.stop()
session.note_back()
page = st.navigation(
    [
        st.Page("pages/read.py", title="Read", icon=":material/ecg_heart:", default=True),
        st.Page("pages/browse.py", title="Browse", icon=":material/table_rows:"),
        st.Page("pages/what_if.py", title="What if", icon=":material/tune:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
        st.Page("pages/faithfulness.py", title="Faithfulness", icon=":material/experiment:"),
        st.Page("pages/cohort.py", title="Cohort", icon=":material/groups:"),
        st.Page("pages/teach.py", title="Teach", icon=":material/school:"),
        st.Page("pages/audit.py", title="Audit", icon=":material/rate_review:"),
        st.Page("pages/model.py", title="Model", icon=":material/badge:"),
    ],
    position="top",
)

with st.sidebar:
    st.subheader("Shared by all pages")
    names = cached.model_names()
    if names:
        st.selectbox(
            "Model", names, index=cached.default_model(names), key="model", bind="query-params",
            help="What each is chosen for, and how well it does, stands on the page Model.",
        )  # fmt: skip
    else:
        st.warning("No model is installed in models/.", icon=":material/error:")
    st.caption(cached.device_words())
    st.subheader("Data")
    st.caption(cached.data_words())
    st.subheader("Intended use")
    st.caption(READER_NOTE)

body, foot = st.container(), st.container()
with foot:  # before the page runs: a page may stop early
    st.caption(INTENDED_USE)
    session.watch_window()
    case_bar.mode_switch()
    case_bar.legible_text()
with body:
    page.run()
cached.spare_what_is_loaded()
