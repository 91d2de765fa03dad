"""The evidence under the trace, its colour scale, sum and ledger: the browser changes them without the server.

The chart of the trace is sent once for each case. What changes with the class is a tenth of its size and goes to
`evidence.js`, which lays it under the chart, shows it, dims it or hides it at once, and tells the server afterwards.
The other classes' evidence follows once the page is there, packed; when the reader presses the chip or the key of a
class, the browser shows that class at once, and the server's own answer comes after it and has the last word.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from ecgimn.draw.charts.ledger import ledger_html, sum_html
from ecgimn.draw.screen.ecg import MAX_HEADROOM_MM
from ecgimn.draw.screen.live import evidence_layer, wave_regions
from ecgimn.explain.sentences import sum_of_evidence
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.model import Model
from ecgimn.model.receptive_field import receptive_fields
from ecgimn.recording import Recording
from ecgimn.signal.waves.find import WAVE_NAMES
from pages.ui import cache as cached
from pages.ui.shown import Shown
from pages.ui.state import view as view_state

FOLDER = Path(__file__).parent
HTML = (FOLDER / "evidence.html").read_text(encoding="utf-8")
CSS = (FOLDER / "evidence.css").read_text(encoding="utf-8")
COMMENT_OR_INDENT = re.compile(r"^ *//.*\n|^ +", re.MULTILINE)  # a script is sent with each message of its component


def _script(*names: str) -> str:
    """Return scripts as one, without whole-line comments and indentation."""
    return COMMENT_OR_INDENT.sub("", "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names))


SCRIPT = _script("unpack.js", "chart.js", "marks.js", "evidence.js")
AHEAD_SCRIPT = _script("unpack.js", "ahead.js")
REACH_STEP_S = 0.25  # a moment every quarter of a second: 10 s take 0.8 s
MOST_AHEAD = 8  # classes; more would make a case heavier than half a megabyte


def evidence(case: Shown) -> None:
    """Lay the evidence of the class shown under the chart of the trace, and show its scale, sum and ledger here."""
    on, opacity = view_state.evidence_seen()
    lay = st.components.v2.component("evidence", html=HTML, css=CSS, js=SCRIPT)
    seen = {"on": on, "opacity": opacity, "reach": None}
    if view_state.reach_wanted():
        model = cached.get_model(case.card.name, case.card.sha256)
        recording = case.reading.recording
        seen["reach"] = _reach(f"{recording.digest} {case.card.sha256}", recording, model)
        if seen["reach"] is None:
            st.caption("Reach of weights: — (it is measured of the networks of this project alone)")
    layer = _layer_of(case)
    packed = _packed_hover(f"{_token(case)} {case.first}", layer["hover"])
    lay(data=_without_hover(layer) | {"packed": packed} | seen, key="evidence", on_seen_change=lambda: None)


def evidence_ahead(case: Shown) -> None:
    """Send the browser the evidence of every class, for the next press; call it when all else of the page is sent."""
    classes = case.explanation.classes
    if len(classes) > MOST_AHEAD:
        classes = ()  # these come one by one, from the server
    keep = st.components.v2.component("ahead", js=AHEAD_SCRIPT)
    keep(data=_all_packed(f"{_token(case)} {' '.join(classes)}", case, classes), key="ahead", height=1)


def _packed(content: dict[str, Any]) -> bytes:
    """Return plain values as `unpack.js` takes them: a quarter of their size on the way."""
    return zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)


@st.cache_data(max_entries=48, scope="session", show_spinner=False)
def _packed_hover(key: str, _hover: dict[str, Any]) -> str:
    """Return what the pointer is answered; only this of the class shown can wait until a browser has unpacked it."""
    return base64.b64encode(_packed({"hover": _hover})).decode("ascii")


def _without_hover(layer: dict[str, Any]) -> dict[str, Any]:
    return {part: value for part, value in layer.items() if part != "hover"}


@st.cache_data(max_entries=8, scope="session", show_spinner=False)
def _all_packed(key: str, _case: Shown, classes: tuple[str, ...]) -> bytes:
    """Return the layers of all classes without the pointer's answers, in order, with the waves' places, compressed.

    The token of the view goes before them, bare, so that a browser that has them already need not unpack them.
    """
    layers = [_layer_of(_case.of_class(name)) for name in classes]
    layout, _ = _case.view.paper_for(_case.reading.recording, MAX_HEADROOM_MM)
    content = {
        "layers": [_without_hover(layer) for layer in layers],
        "regions": wave_regions(layout, _case.reading.recording, _case.reading.waves),
        "wave_names": WAVE_NAMES,
    }
    return _token(_case).encode() + _packed(content)


def _layer_of(case: Shown) -> dict[str, Any]:
    return _layer(f"{_token(case)} {case.first}", case)


@st.cache_resource(max_entries=48, scope="session", show_spinner=False)
def _layer(key: str, _case: Shown) -> dict[str, Any]:
    """Return everything on the page that the class decides, as plain values. Never to be changed."""
    table, view = _case.table, _case.view
    total = sum_of_evidence(_case.seen, table, _case.name)
    layer = evidence_layer(
        _case.reading.recording,
        _case.explanation,
        view=view,
        waves=_case.reading.waves,
        isoelectric_mv=_case.reading.levels,
    )
    return layer | {
        "view": _token(_case),
        "class": _case.first,
        "equation": total.equation,
        "exact": total.exact,
        "residual": f"sums to the logit within {total.residual:.0e}, before rounding"
        if total.exact
        else f"does not sum to the logit: {total.residual:.2g} off",
        "sum": sum_html(
            total.class_name,
            total.bias,
            [*table.by_territory(_case.name).items(), *total.offset_line],
            total.logit,
            outcome=total.outcome,
            probability=total.probability,
            threshold=_case.threshold,
            dark=view.dark,
        ),
        "ledger": ledger_html(_case.name, table.of(_case.name), STANDARD_LEADS, WAVE_NAMES, dark=view.dark),
    }


@st.cache_data(max_entries=8, scope="session", show_spinner="Measuring how far the network looks")
def _reach(key: str, _recording: Recording, _model: Model) -> dict[str, Any] | None:
    """Return how far the network looks when it writes the weights at evenly spaced moments; `key` names both."""
    moments = np.arange(REACH_STEP_S / 2, _recording.duration_s, REACH_STEP_S).tolist()
    fields = receptive_fields(_model, _recording, moments)
    if not fields:
        return None
    return {"first_s": moments[0], "step_s": REACH_STEP_S, "close_s": [field.close_s for field in fields]}


def _token(case: Shown) -> str:
    """Return what decides the evidence of all classes alike: case, model, view, and the class taken away."""
    view = replace(case.view, class_index=0, opacity=1.0, overlay=True)
    parts = (cached.identity(case.reading.recording), case.card.sha256, view, case.against, view_state.st_reference())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
