"""The results of an audit: figures, exports, report; closed to a reader who has not finished."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import streamlit as st

from ecgimn import __version__
from ecgimn.draw.charts.study import checklist_csv, result_charts, result_tables, study_html
from ecgimn.errors import EcgImnError
from ecgimn.escape import for_markdown
from ecgimn.study.keys import fingerprint, public_key
from ecgimn.study.record import export_study, study_record
from ecgimn.study.results import study_csv
from ecgimn.study.session import start_reading
from ecgimn.study.store import Store
from pages.ui import audit_coordinator as coordinator
from pages.ui import cache as cached
from pages.ui.state import case as session
from pages.ui.state import study
from pages.ui.trace import picture

FILE_NAME = "ecg-imn-audit"


def show(store: Store, uid: str) -> None:
    """Show the results of an audit to whoever may see them."""
    try:
        if not _may_enter(store, uid):
            return
        session.note_opened("results", f"results of audit {uid[:8]}")
        found = cached.get_results(uid, store.n_events(uid), store)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    facts = found["study"]
    selection, model = for_markdown(facts["selection"]), for_markdown(facts["model"])
    st.caption(
        f"{facts['n_cases']} cases · {selection} · model {model} {facts['model_sha256'][:8]} · "
        f"seed {facts['seed']} · log {found['log_digest'][:8]}"
    )
    _exports(store, uid, found)
    tables = result_tables(found)
    st.dataframe(tables.pop("Progress", []), hide_index=True, alt="Progress of the readers", width="content")
    charts = result_charts(found, dark=session.is_dark())
    if not charts:
        st.info("Figures appear once readers have answered.", icon=":material/info:")
        return
    left, right = st.columns(2, gap="medium")
    for place, (title, svg) in enumerate(charts.items()):
        with (left, right)[place % 2]:
            st.markdown(f"**{title}**")
            picture(svg, f"result_{place}")
    st.caption("Means over answers with 95 % intervals from resampling cases. A label is an opinion too.")
    chosen = st.segmented_control("Table", list(tables), key="audit_table", label_visibility="collapsed")
    if chosen:
        st.dataframe(tables[chosen], hide_index=True, alt=chosen, width="content")


def _may_enter(store: Store, uid: str) -> bool:
    reader = study.reader()
    if reader is not None and not start_reading(store, uid, reader).may_see_results():
        st.info("You have cases to read in this audit. Results open when you have finished.", icon=":material/lock:")
        return False
    if not store.has_own_passphrase(uid):
        return coordinator.let_in(store)
    if not study.opens_results(uid):
        with st.form("study_results", width=coordinator.WIDTH_PX):
            passphrase = st.text_input(
                "Passphrase of this audit", type="password", max_chars=200, key="study_own_passphrase",
                help="It was chosen when the audit was set up, with an older version of the app.",
            )  # fmt: skip
            if st.form_submit_button("Open the results", icon=":material/lock_open:"):
                if store.opens_results(uid, passphrase):
                    study.open_results(uid)
                    st.rerun()
                st.error(
                    "The passphrase does not fit. The one chosen at the set-up is needed.", icon=":material/error:"
                )
        return False
    return True


def _exports(store: Store, uid: str, found: dict[str, Any]) -> None:
    noted = partial(session.noting_export, what=f"audit {uid[:8]}")
    with st.container(horizontal=True):
        st.download_button(
            "Export (JSON)", noted(lambda: json.dumps(export_study(store, uid), indent=1)),
            f"{FILE_NAME}-{uid[:8]}.json", "application/json", on_click="ignore", icon=":material/download:",
            key="audit_export_json",
        )  # fmt: skip
        st.download_button(
            "Answers (CSV)", noted(lambda: study_csv(study_record(store, uid))),
            f"{FILE_NAME}-{uid[:8]}.csv", "text/csv", on_click="ignore", icon=":material/download:",
            key="audit_export_csv",
        )  # fmt: skip
        st.download_button(
            "Report (HTML)", noted(lambda: study_html(found, made=f"ECG-IMN Reader {__version__}")),
            f"{FILE_NAME}-{uid[:8]}.html", "text/html", on_click="ignore", icon=":material/download:",
            key="audit_export_html",
        )  # fmt: skip
        st.download_button(
            "Checklist (CSV)", noted(lambda: checklist_csv(found)), f"{FILE_NAME}-{uid[:8]}-checklist.csv", "text/csv",
            on_click="ignore", icon=":material/checklist:", key="audit_export_checklist",
            help="DECIDE-AI and TRIPOD+AI, filled with what the record tells; the rest is marked for the authors.",
        )  # fmt: skip
    st.caption(
        "The export holds everything another site needs, labels too, and is signed with this site's key "
        f"({fingerprint(public_key(store.signing_key()))}). python -m ecgimn study report FILE gives equal figures, "
        "study verify FILE says who signed it."
    )
