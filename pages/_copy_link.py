"""A button that puts the address of this very view on the clipboard; of an upload there is none."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ecgimn.recording import Recording

HTML = '<button title="Case, class and view as an address">Copy link</button> <span role="status"></span>'
CSS = """
button, span { font: inherit; font-family: var(--st-font); font-size: 0.875rem; color: var(--st-text-color); }
button { padding: 0.45rem 0.75rem; cursor: pointer; background: transparent; border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); }
"""
SCRIPT = (Path(__file__).parent / "copy_link.js").read_text(encoding="utf-8")


def copy_link(recording: Recording) -> None:
    """Offer the address of this view of a public case."""
    if recording.source != "upload":
        st.components.v2.component("copy_link", html=HTML, css=CSS, js=SCRIPT)(key="copy_link", width="content")
