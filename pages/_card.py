"""Calibration of the screen: the reader fits a drawn bank card to a real one, and true size is true from then on."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages import _session_screen as screen_state

HTML = """
<div class="card" role="img" aria-label="Outline of a bank card, 85.60 mm wide"></div>
<input type="range" min="2" max="12" step="0.01" aria-label="Width of the card">
<div class="row"><output></output> <button>The card fits</button></div>
"""
CSS = """
.card { box-sizing: border-box; border: 2px solid var(--st-text-color); border-radius: 3.5% / 5.6%; max-width: none;
  background: var(--st-secondary-background-color); margin-bottom: 0.75rem; }
input { width: 100%; accent-color: var(--st-primary-color); }
.row { display: flex; justify-content: space-between; align-items: center; font-family: var(--st-font);
  font-size: 0.875rem; color: var(--st-text-color); }
button { font: inherit; padding: 0.25rem 0.75rem; color: inherit; cursor: pointer;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); }
"""
SCRIPT = (Path(__file__).parent / "card.js").read_text(encoding="utf-8")


def calibrate() -> None:
    """Let the reader fit the drawn card to a real one."""
    st.caption(
        "Hold a bank card against the screen and move the slider until the outline is as wide (85.60 mm, ISO/IEC 7810 "
        "ID-1). This browser keeps the result, at every zoom."
    )
    card = st.components.v2.component("bank_card", html=HTML, css=CSS, js=SCRIPT)
    card(data={"scale": screen_state.screen_scale()}, key="bank_card", on_fits_change=screen_state.take_card)
