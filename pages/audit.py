"""Audits: read blind, commit, then see what the model says and why; revise, rate; results for the coordinator."""

from __future__ import annotations

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.study.definition import KIND
from pages.ui import audit_coordinator as coordinator
from pages.ui import audit_results as results
from pages.ui import audit_setup as setup
from pages.ui import cache as cached
from pages.ui.audit_reading import read_audit_page
from pages.ui.state import case as session
from pages.ui.state import server, study

session.run_under_app()

PARTS = {"read": "Read", "results": "Results", "set up": "Set up"}
NO_AUDIT = (
    "No audit is kept here yet. An audit is a list of ECGs that several readers read blind and then again with the "
    "model's answer and its evidence. Set one up, or import one from another site."
)

try:
    store = cached.get_store()
    audits = store.studies(KIND)
    study.know_again(store)
except EcgImnError as exc:
    st.error(str(exc), icon=":material/error:")
    st.stop()

with st.container(horizontal=True, vertical_alignment="center"):
    part = st.segmented_control(
        "Part", list(PARTS), default="read" if audits else "set up", format_func=PARTS.__getitem__, key="audit_part",
        label_visibility="collapsed", persist_state="session", required=True,
    )  # fmt: skip
    uid = None
    if audits and part != "set up":
        uid = st.selectbox(
            "Audit", list(audits), format_func=lambda uid: f"{audits[uid]} · {uid[:8]}", key="audit_uid",
            label_visibility="collapsed", width=380, persist_state="session",
        )  # fmt: skip
    who = study.reader()
    if who is not None:
        study.show_reader(store, who)
    if study.is_coordinator():
        st.badge("Coordinator", icon=":material/key:", color="gray", help="Set-up and results are open in this window.")
        if not server.names_coordinators():
            st.button("Leave", on_click=study.leave_as_coordinator, icon=":material/logout:", key="coordinator_leave")

if part == "set up":
    if coordinator.let_in(store):
        try:
            session.note_opened("set up", "the set-up of audits")
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
            st.stop()
        setup.show(store)
elif uid is None:
    st.info(NO_AUDIT, icon=":material/rate_review:")
elif part == "results":
    results.show(store, uid)
else:
    read_audit_page(store, uid)
