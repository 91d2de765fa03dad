"""PTB-XL where it is not on this machine: an offer to fetch its table, and records later, one by one; or a folder."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.sources.download import Progress
from ecgimn.sources.physionet import CITATION, LICENCE, RECORD_MB, TABLES_MB, PhysioNetFiles
from ecgimn.sources.settings import ptbxl_url

SET_UP = """ECGIMN_PTBXL=/path/to/ptb-xl make run

# or in ~/.config/ecgimn/settings.toml:
ptbxl = "/path/to/ptb-xl"
"""
MIRROR = """ECGIMN_PTBXL_URL=https://mirror.example/ptb-xl/1.0.3/ make run   # another server in the same layout
ECGIMN_CACHE=/path/to/cache make run                                 # where fetched files are kept
"""


def offer_ptbxl() -> None:
    """Say what PTB-XL is; fetch its table on request, or say how a folder of one's own is named."""
    try:
        url = ptbxl_url()
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    host = urlsplit(url).hostname or url
    st.info(
        "PTB-XL is not on this machine yet. It is a public set of 21,799 ECGs of 10 s from 18,869 patients. "
        "Everything else works without it.",
        icon=":material/database:",
    )
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown("**Fetch what you open**")
        st.markdown(
            f"The table, once: about {TABLES_MB} MB from {host}. Then each record when you open it: {RECORD_MB:g} MB. "
            "Every file is checked against the published SHA-256 sums and kept, so that it is fetched once. Nothing "
            "of yours is sent."
        )
        st.caption(f"Licence of PTB-XL: {LICENCE}. {CITATION}")
        if st.button(f"Fetch the table ({TABLES_MB} MB)", icon=":material/download:", type="primary", key="fetch"):
            _fetch(url)
    with right, st.container(border=True):
        st.markdown("**Use a copy of your own**")
        st.markdown("Start the app with the folder named, or write the settings file:")
        st.code(SET_UP, language="bash")
        with st.expander("Mirror and cache"):
            st.code(MIRROR, language="bash")


def _fetch(url: str) -> None:
    """Fetch the tables with a bar; what has arrived is kept when the network breaks off."""
    bar = st.progress(0.0, "Asking the server")
    shown = {"percent": -1}

    def progress(step: Progress) -> None:
        arrived = step.n_bytes / 1e6
        part = min(step.n_bytes / step.total_bytes, 1.0) if step.total_bytes else 0.0
        if round(100 * part) != shown["percent"] or not step.total_bytes:
            shown["percent"] = round(100 * part)
            of = f" of {step.total_bytes / 1e6:.1f}" if step.total_bytes else ""
            what = "list of checksums" if step.name.startswith("SHA256SUMS") else step.name
            bar.progress(part, f"{what}: {arrived:.1f}{of} MB")

    try:
        PhysioNetFiles(base_url=url, progress=progress).fetch_tables()
    except EcgImnError as exc:
        bar.empty()
        st.error(str(exc), icon=":material/cloud_off:")
        return
    st.rerun()
