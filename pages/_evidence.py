"""The evidence under the trace, with its colour scale, switch and opacity: the browser changes them without the server.

The chart of the trace is sent once for each case. What changes with class and quantity is a tenth of its size and goes
to `evidence.js`, which lays it under the chart, shows it, dims it or hides it at once, and tells the server afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages import _session as session

HTML = """
<div class="evidence" role="group" aria-label="Evidence behind the leads">
  <div class="row"><span><b class="name"></b> <span class="quantity"></span></span>
    <span class="tools"><input class="opacity" type="range" min="0.1" max="1" step="0.05" aria-label="Opacity"
      title="Opacity of the evidence"><button class="switch" title="Show or hide the evidence (key O)"></button></span>
  </div>
  <div class="bar"></div>
  <div class="row small"><span class="low"></span><span class="unit"></span><span class="high"></span></div>
  <div class="scale small"></div>
</div>
"""
CSS = """
.evidence { font-family: var(--st-font); font-size: 0.875rem; color: var(--st-text-color); line-height: 1.35; }
.evidence.off .bar, .evidence.off .small { visibility: hidden; }
.row { display: flex; justify-content: space-between; align-items: center; gap: 0.5rem; }
.tools { display: flex; align-items: center; gap: 0.5rem; }
.bar { height: 0.6rem; border: 1px solid var(--st-border-color); }
.small { font-size: 0.75rem; }
.opacity { width: 6rem; accent-color: var(--st-primary-color); }
.switch { font: inherit; min-width: 3.6rem; padding: 0.1rem 0.5rem; color: inherit; cursor: pointer;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); }
"""
SCRIPT = (Path(__file__).parent / "evidence.js").read_text(encoding="utf-8")


def evidence(layer: dict[str, Any]) -> None:
    """Lay evidence under the chart of the trace and show its scale here."""
    on, opacity = session.evidence_seen()
    lay = st.components.v2.component("evidence", html=HTML, css=CSS, js=SCRIPT)
    lay(data=layer | {"on": on, "opacity": opacity}, key="evidence", on_seen_change=lambda: None)
