"""How one visitor sees a case: quantity, layout, evidence, and what is marked on the trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ecgimn.explain.box import Box, march_out
from ecgimn.recording import Recording
from ecgimn.signal.measure import Reference
from pages.ui.state.widgets import put

MODES = ("clinical", "research")
QUANTITIES = ("contribution", "weights")
LAYOUT_ORDER = ("3x4+1R", "12x1", "6x2", "3x4+3R")
USUAL_OPACITY = 0.9
LEAST_OPACITY = 0.1  # less cannot be seen


def is_research() -> bool:
    """Whether logits, bias, hashes, operating points and correlations are shown; else percent, waves and words."""
    return st.session_state.get("mode") == MODES[1]


def quantity() -> str:
    """Return what is drawn behind the leads: one of `QUANTITIES`."""
    return str(st.session_state.get("quantity_chosen", QUANTITIES[0]))


def choose_quantity(name: str) -> None:
    """Draw another quantity behind the leads."""
    st.session_state["quantity_chosen"] = name


def st_reference() -> Reference:
    """Return the level that ST is measured against."""
    return "TP" if st.session_state.get("st_reference") == "TP" else "PQ"


def layout() -> str:
    """Return how the leads are laid out: one of `LAYOUT_ORDER`."""
    return str(st.session_state.get("layout", LAYOUT_ORDER[0]))


def next_layout() -> None:
    """Show the next layout."""
    put("layout", LAYOUT_ORDER[(LAYOUT_ORDER.index(layout()) + 1) % len(LAYOUT_ORDER)])


def evidence_seen() -> tuple[bool, float]:
    """Return whether the evidence is shown, and its opacity, as the browser last said, else as the link did."""
    seen = st.session_state.get("evidence", {}).get("seen") or st.session_state.get("evidence_linked", {})
    return bool(seen.get("on", True)), float(seen.get("opacity", USUAL_OPACITY))


def reach_wanted() -> bool:
    """Whether the pointer is to show how far the network looks for a weight."""
    return bool(st.session_state.get("reach", False))


def grey_wanted() -> bool:
    """Whether the normal mean beat is drawn in grey behind each mean beat."""
    return bool(st.session_state.get("grey", False))


def take_linked(link: Mapping[str, str]) -> None:
    """Take quantity, layout, opacity and switch of the evidence from a link; what makes no sense there is ignored."""
    if link.get("layout") in LAYOUT_ORDER:
        put("layout", link["layout"])
    if link.get("quantity") in QUANTITIES:
        choose_quantity(link["quantity"])
    try:
        opacity = float(link.get("opacity", USUAL_OPACITY))
    except ValueError:
        opacity = USUAL_OPACITY
    if not LEAST_OPACITY <= opacity <= 1:
        opacity = USUAL_OPACITY
    st.session_state["evidence_linked"] = {"on": link.get("evidence") != "off", "opacity": opacity}


def linked() -> dict[str, str]:
    """Return what a link says of quantity, layout, opacity and switch of the evidence: what is not as usual."""
    on, opacity = evidence_seen()
    said = {
        "quantity": quantity(), "layout": layout(), "opacity": f"{opacity:g}", "evidence": "on" if on else "off",
    }  # fmt: skip
    usual = {"quantity": QUANTITIES[0], "layout": LAYOUT_ORDER[0], "opacity": f"{USUAL_OPACITY:g}", "evidence": "on"}
    return {name: value for name, value in said.items() if value != usual[name]}


CRITERIA = "criteria_table"  # key of the table on the Read page


def marked_row(key: str) -> int | None:
    """Return the place of the row that is marked in a table, by its key; None where none is."""
    state = st.session_state.get(key)
    rows = state.get("selection", {}).get("rows", ()) if state else ()
    return int(rows[0]) if rows else None


def chosen(key: str) -> object:
    """Return the value of a widget."""
    return st.session_state.get(key)


def give_widgets(values: Mapping[str, object]) -> None:
    """Give widgets other values, by their keys; to be called from a callback."""
    st.session_state.update(values)


def box_of(recording: Recording) -> Box | None:
    """Return the box that the reader drew or typed on this recording."""
    digest, box, _ = st.session_state.get("box", ("", None, ""))
    return box if digest == recording.digest else None


def box_chart() -> str:
    """Return the figure on which the box was drawn by hand, where its frame is to be seen already; empty if none."""
    return str(st.session_state.get("box", ("", None, ""))[2])


def keep_box(recording: Recording, box: Box | None, chart: str = "") -> None:
    """Keep a box on a recording, or take it away."""
    name = f"box {recording.digest}"
    remember(name, box_of(recording))
    remember(name, box)
    st.session_state["box"] = (recording.digest, box, chart)


def drawn_boxes(chart: str) -> list[tuple[list[float], list[float]]]:
    """Return the corners, x and y, of the boxes that are drawn on a chart, by its key."""
    selection = st.session_state.get(chart, {}).get("selection", {})
    return [(list(box["x"]), list(box["y"])) for box in selection.get("box", ())]


def typed_box(which: str) -> tuple[tuple[str, ...], int, int]:
    """Return leads, start and stop in ms as they stand in the fields for typing a box; `which` is in their keys."""
    leads, start, stop = (st.session_state[f"box_{name} {which}"] for name in ("leads", "start", "stop"))
    return tuple(leads), int(start), int(stop)


def beat_of(recording: Recording, n_beats: int) -> int:
    """Return the number, from 1, of the beat that the reader looks at."""
    digest, number = st.session_state.get("beat", ("", 1))
    return min(max(int(number), 1), n_beats) if digest == recording.digest else 1


def choose_beat(recording: Recording, number: int) -> None:
    """Look at another beat."""
    st.session_state["beat"] = (recording.digest, number)


def clicked(chart: str) -> list[int]:
    """Return the places of the bars that were clicked on a chart, by its key."""
    selection = st.session_state.get(chart, {}).get("selection", {})
    return [int(place) for place in selection.get("point_indices", ())]


MOST_STEPS = 100  # back that are kept


def remember(name: str, value: object) -> None:
    """Keep a step of what can be undone, by a name; the same value again is no step."""
    steps, place = st.session_state.get(f"steps {name}", ((), -1))
    if place < 0 or steps[place] != value:
        kept = (*steps[: place + 1], value)[-MOST_STEPS:]
        st.session_state[f"steps {name}"] = (kept, len(kept) - 1)


def can_step(name: str, by: int) -> bool:
    """Whether there is a step back (-1) or forth (1)."""
    steps, place = st.session_state.get(f"steps {name}", ((), -1))
    return 0 <= place + by < len(steps)


def step(name: str, by: int) -> Any:
    """Go a step back (-1) or forth (1) and return what was there; to be called where `can_step`."""
    steps, place = st.session_state[f"steps {name}"]
    st.session_state[f"steps {name}"] = (steps, place + by)
    return steps[place + by]


def step_box(recording: Recording, by: int) -> None:
    """Undo (-1) or redo (1) a change of the box; to be called from a callback."""
    if can_step(f"box {recording.digest}", by):
        st.session_state["box"] = (recording.digest, step(f"box {recording.digest}", by), "")


def step_widgets(name: str, by: int) -> None:
    """Undo (-1) or redo (1) a change of widgets that are remembered together; to be called from a callback."""
    if can_step(name, by):
        give_widgets(step(name, by))


def box_before(recording: Recording) -> Box | None:
    """Return the last box on this recording that differs from the one that is there; None where there was none."""
    steps, place = st.session_state.get(f"steps box {recording.digest}", ((), -1))
    earlier = [box for box in steps[: max(place, 0)] if box is not None and box != steps[place]]
    return earlier[-1] if earlier else None


def caliper(recording: Recording) -> tuple[float, ...]:
    """Return the moments, in seconds, at which lines cross all leads, as the reader asked for the box that is there."""
    box = box_of(recording)
    if box is None or not st.session_state.get("box_all_leads", False):
        return ()
    marched = st.session_state.get("box_march", False)
    return march_out(box, recording.duration_s) if marched else (box.start_s, box.stop_s)
