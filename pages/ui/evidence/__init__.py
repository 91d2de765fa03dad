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
from numpy.typing import NDArray

from ecgimn.draw.charts.ledger import ledger_html, sum_html
from ecgimn.draw.painted import mean_beat_evidence
from ecgimn.draw.screen.ecg import MAX_HEADROOM_MM
from ecgimn.draw.screen.live import evidence_layer, wave_regions
from ecgimn.draw.screen.mean_beat import mean_beat_svg
from ecgimn.draw.view import View
from ecgimn.draw.words.case import criteria_in_order
from ecgimn.escape import for_html
from ecgimn.explain.case import Case, Evidence
from ecgimn.explain.ledger import territory_cells
from ecgimn.explain.measured import AGREEMENTS, MeasuredLedger, agreements, margins
from ecgimn.explain.sentences import sum_of_evidence
from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES
from pages.ui import cache as cached
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
MEASURED_SCRIPT = _script("unpack.js", "measured.js")
REACH_STEP_S = 0.25  # a moment every quarter of a second: 10 s take 0.8 s
MOST_AHEAD = 8  # classes; more would make a case heavier than half a megabyte


def show_evidence(case: Case, name: str, minus: str | None, view: View, beats_px: tuple[float, float]) -> None:
    """Lay the evidence for the class shown under the chart of the trace, and show its scale, sum and ledger here."""
    on, opacity = view_state.evidence_seen()
    lay = st.components.v2.component("evidence", html=HTML, css=CSS, js=SCRIPT)
    seen: dict[str, Any] = {"on": on, "opacity": opacity, "reach": None}
    seen |= {"research": view_state.is_research(), "caliper": list(view_state.caliper(case.recording))}
    if view_state.reach_wanted():
        seen["reach"] = cached.get_reach(f"{case.recording.digest} {case.card.sha256}", case, REACH_STEP_S)
        if seen["reach"] is None:
            st.caption("Reach of weights: — (it is measured of the networks of this project alone)")
    seen["criterion"] = _criterion_cells(case.reading)
    layer = _layer_of(case, name, minus, view, beats_px)
    packed = cached.get_packed_hover(
        f"{_token(case, minus, view, beats_px)} {name}",
        lambda: base64.b64encode(_packed({"hover": layer["hover"]})).decode("ascii"),
    )  # only this of the class shown can wait until a browser has unpacked it
    lay(data=_without_hover(layer) | {"packed": packed} | seen, key="evidence", on_seen_change=lambda: None)


def _criterion_cells(reading: SignalReading) -> list[tuple[str, int]]:
    """Return lead and wave, as places in `WAVE_NAMES`, of the criterion whose row is marked; empty where none is."""
    place = view_state.marked_row(view_state.CRITERIA) if view_state.chosen("detail") == "Criteria" else None
    items = criteria_in_order(reading)
    if place is None or place >= len(items):
        return []
    return [(lead, WAVE_NAMES.index(items[place].wave)) for lead in items[place].leads]


def send_ahead(case: Case, minus: str | None, view: View, beats_px: tuple[float, float]) -> None:
    """Send the browser the evidence of every class, for the next press; call it when all else of the page is sent."""
    # with many classes they come one by one, from the server
    classes = case.classes if len(case.classes) <= MOST_AHEAD else ()
    keep = st.components.v2.component("ahead", js=AHEAD_SCRIPT)
    key = f"{_token(case, minus, view, beats_px)} {' '.join(classes)}"
    keep(
        data=cached.get_packed_layers(key, lambda: _all_packed(case, classes, minus, view, beats_px)),
        key="ahead",
        height=1,
    )


def show_measured(
    case: Case, measured: MeasuredLedger, name: str, minus: str | None, view: View, beats_px: tuple[float, float]
) -> None:
    """Send what the network says without each cell of the class shown; ledger and mean beat take it in."""
    token = _token(case, minus, view, beats_px)
    keep = st.components.v2.component("measured", js=MEASURED_SCRIPT)
    key = f"{token} {name} measured"
    keep(
        data=cached.get_packed_layers(
            key, lambda: token.encode() + _packed(_measured(case, measured, name, minus, view, beats_px))
        ),
        key="measured",
        height=1,
    )


def _measured(
    case: Case, measured: MeasuredLedger, name: str, minus: str | None, view: View, beats_px: tuple[float, float]
) -> dict[str, Any]:
    """Return the checked ledger of a class, by lead and by territory, and its mean beat with unsure cells hatched."""
    evidence = case.of(name, minus)
    cells, areas = measured.of(name, minus), measured.of_territories(name, minus)
    confirmed = agreements(evidence.cells, cells) != AGREEMENTS.index("not confirmed")
    bounds = margins(case.card, evidence.name, evidence.cells)
    limit = _layer_of(case, name, minus, view, beats_px)["limit"]
    tables = (
        (evidence.cells, STANDARD_LEADS, cells, bounds),
        (territory_cells(evidence.cells), tuple(TERRITORIES), areas, None),
    )
    return {
        "class": name,
        "beats": _beats(evidence, view, limit, beats_px, confirmed=confirmed | ~np.isfinite(cells), bounds=bounds),
        "ledger": "".join(
            ledger_html(evidence.name, table, rows, WAVE_NAMES, measured=taken, margins=bound, dark=view.dark)
            for table, rows, taken, bound in tables
        ),
    }


def _packed(content: dict[str, Any]) -> bytes:
    """Return plain values as `unpack.js` takes them: a quarter of their size on the way."""
    return zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)


def _without_hover(layer: dict[str, Any]) -> dict[str, Any]:
    return {part: value for part, value in layer.items() if part != "hover"}


def _all_packed(
    case: Case, classes: tuple[str, ...], minus: str | None, view: View, beats_px: tuple[float, float]
) -> bytes:
    """Return the layers of all classes without the pointer's answers, in order, with the waves' places, compressed.

    The token of the view goes before them, bare, so that a browser that has them already need not unpack them.
    """
    layers = [_layer_of(case, name, minus, view, beats_px) for name in classes]
    layout, _ = view.paper_for(case.recording, MAX_HEADROOM_MM)
    content = {
        "layers": [_without_hover(layer) for layer in layers],
        "regions": wave_regions(layout, case.recording, case.reading.waves),
        "wave_names": WAVE_NAMES,
    }
    return _token(case, minus, view, beats_px).encode() + _packed(content)


def _layer_of(case: Case, name: str, minus: str | None, view: View, beats_px: tuple[float, float]) -> dict[str, Any]:
    token = _token(case, minus, view, beats_px)
    return cached.get_layer(f"{token} {name}", lambda: _layer(case.of(name, minus), name, view, token, beats_px))


def _layer(evidence: Evidence, name: str, view: View, token: str, beats_px: tuple[float, float]) -> dict[str, Any]:
    """Return everything on the page that the class decides, as plain values."""
    total = sum_of_evidence(evidence)
    layer = evidence_layer(evidence, view=view)
    return layer | {
        "view": token,
        "beats": _beats(evidence, view, layer["limit"], beats_px),
        "checkable": evidence.reading.waves is not None,
        "class": name,
        "equation": total.equation,
        "exact": total.exact,
        "residual": f"sums to the logit within {total.residual:.0e}, before rounding"
        if total.exact
        else f"does not sum to the logit: {total.residual:.2g} off",
        "sum": sum_html(
            total.class_name,
            total.bias,
            [*evidence.by_territory().items(), *total.offset_line],
            total.logit,
            outcome=total.outcome,
            probability=total.probability,
            threshold=evidence.threshold,
            dark=view.dark,
        ),
        "ledger": ledger_html(evidence.name, evidence.cells, STANDARD_LEADS, WAVE_NAMES, dark=view.dark),
    }


def _beats(
    evidence: Evidence,
    view: View,
    limit: float,
    beats_px: tuple[float, float],
    confirmed: NDArray[np.bool_] | None = None,
    bounds: NDArray[np.float64] | None = None,
) -> str:
    """Return the painted mean beat as an SVG element, in the colours of the trace; a reason where there is none."""
    beat = mean_beat_evidence(evidence.reading, evidence.contribution)
    if beat is None:
        measured = evidence.reading.measurements
        return f"<p>Mean beat — ({for_html(measured.beat.reason if measured else evidence.reading.reason)})</p>"
    return mean_beat_svg(
        beat,
        name=evidence.name,
        size_px=beats_px,
        limit=limit if view.quantity == "contribution" else None,
        confirmed=confirmed,
        margins=bounds,
        grey=cached.get_grey_beat() if view_state.grey_wanted() else None,
        show_marks=view.show_st,
        numbers=view_state.is_research(),
        dark=view.dark,
    )


def _token(case: Case, minus: str | None, view: View, beats_px: tuple[float, float]) -> str:
    """Return what decides the evidence of all classes alike: case, model, view, and the class taken away."""
    view = replace(view, opacity=1.0, overlay=True)
    asked = (view_state.st_reference(), view_state.grey_wanted(), view_state.is_research())
    parts = (cached.identity(case.recording), case.card.sha256, view, beats_px, minus, *asked)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
