"""The coordinator's door: set-up, labels, results, exports and imports of audits lie behind it."""

from __future__ import annotations

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.study.keys import MAX_LENGTH, MIN_LENGTH
from ecgimn.study.store import Store
from pages.ui.state import server, study

WIDTH_PX = 460


def let_in(store: Store) -> bool:
    """Whether this window is the coordinator's; else ask for the passphrase, or for a first one to be chosen."""
    if study.is_coordinator():
        return True
    st.subheader("Coordinator")
    if server.names_coordinators():
        st.info(
            "Set-up, case labels, results, exports and imports belong to the coordinators of this site. Your account "
            "is a reader's. Whoever runs the app names coordinators.",
            icon=":material/lock:",
        )
        return False
    if store.has_coordinator():
        _ask(store)
    else:
        _choose(store)
    return False


def _ask(store: Store) -> None:
    st.caption("Set-up, case labels, results, exports and imports belong to the coordinator of this site.")
    with st.form("coordinator", width=WIDTH_PX):
        passphrase = st.text_input(
            "Coordinator's passphrase", type="password", max_chars=MAX_LENGTH, key="coordinator_passphrase"
        )
        wanted = st.form_submit_button("Enter", type="primary", icon=":material/lock_open:")
    if not wanted:
        return
    try:
        if store.is_coordinator(passphrase):
            study.enter_as_coordinator()
            st.rerun()
        st.error(
            "The passphrase does not fit. The one chosen for this site is needed. Whoever runs the app can set "
            "another: python -m ecgimn study coordinator.",
            icon=":material/error:",
        )
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")


def _choose(store: Store) -> None:
    st.caption(
        "This site has no coordinator yet. Choose a passphrase: set-up, case labels, results, exports and imports then "
        "open only with it, those of audits that are kept here already too. Tell it to nobody who reads."
    )
    with st.form("coordinator_new", width=WIDTH_PX):
        passphrase, again = (
            st.text_input(label, type="password", max_chars=MAX_LENGTH, key=key, help=help_text)
            for label, key, help_text in (
                ("New coordinator's passphrase", "coordinator_new", f"{MIN_LENGTH} characters or more."),
                ("The same again", "coordinator_again", None),
            )
        )
        wanted = st.form_submit_button("Become the coordinator", type="primary", icon=":material/lock:")
    if not wanted:
        return
    if passphrase != again:
        st.error("The two passphrases differ. The same one twice is needed. Type both again.", icon=":material/error:")
        return
    try:
        store.set_coordinator(passphrase)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
    else:
        study.enter_as_coordinator()
        st.rerun()
