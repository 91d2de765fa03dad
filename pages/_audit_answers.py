"""The questions of an audit's case: diagnosis, confidence, ratings. Nothing is preset; every entry is saved at once."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ecgimn.draw.study_charts import ITEM_WORDS
from ecgimn.errors import EcgImnError
from ecgimn.study.answers import CONFIDENCES, FLAGS, RATINGS, items_of
from ecgimn.study.definition import Audit
from ecgimn.study.session import CaseState, Reading

CONFIDENCE_WORDS = {1: "1 guess", 2: "2", 3: "3", 4: "4", 5: "5 certain"}
SCALE_WORDS = {rating: f"{rating:+d}".replace("-", "−").replace("+0", "0") for rating in RATINGS}
QUESTIONS = {
    "relevant": "The evidence shown is relevant for the diagnosis",
    "helpful": "The evidence shown helped me",
    "trust": "I have confidence in the model's answer",
}
CLASS_WORDS = {
    "NORM": "normal ECG",
    "MI": "myocardial infarction",
    "STTC": "ST/T change",
    "CD": "conduction disturbance",
    "HYP": "hypertrophy",
}


def show_committed(audit: Audit, state: CaseState) -> None:
    """Show what the reader committed, and of the model what was revealed."""
    blind = state.done.get("blind")
    if blind is None:
        return
    also = f", also {', '.join(blind['also'])}" if blind["also"] else ""
    st.markdown(f":material/lock: Read blind: **{blind['primary']}**{also}, confidence {blind['confidence']} of 5")
    model = state.done.get("model")
    if model is not None:
        st.markdown(f":material/smart_toy: The model calls **{model['called']}**, as labelled in PTB-XL")
        st.caption(" · ".join(f"{name} {model['probability'][name]:.2f}" for name in audit.classes))
    revised = state.done.get("revision")
    if revised is not None:
        st.markdown(f":material/lock: Revised: **{revised['primary']}**, confidence {revised['confidence']} of 5")


def ask_diagnosis(reading: Reading, state: CaseState) -> None:
    """Ask for the diagnosis, blind or revised; the revision begins with the blind one."""
    place, step = state.planned.place, state.step or "blind"
    given: dict[str, Any] = {**state.done.get("blind", {}), **state.draft} if step == "revision" else state.draft
    key = f"answer_{place}_{step}"
    classes = reading.audit.classes
    primary = st.pills("Label that fits best", classes, default=given.get("primary"), key=f"{key}_primary")
    st.caption(" · ".join(f"{name} {CLASS_WORDS[name]}" for name in classes if name in CLASS_WORDS))
    also = st.pills(
        "Also present", classes, selection_mode="multi", default=[c for c in given.get("also", ()) if c in classes],
        key=f"{key}_also",
    )  # fmt: skip
    confidence = st.segmented_control(
        "Confidence", CONFIDENCES, default=given.get("confidence"), format_func=CONFIDENCE_WORDS.__getitem__,
        key=f"{key}_confidence",
    )  # fmt: skip
    content: dict[str, Any] = {"primary": primary, "also": list(also), "confidence": confidence}
    if step == "blind":
        flags = st.pills("Flags", FLAGS, selection_mode="multi", default=given.get("flags", []), key=f"{key}_flags")
        content |= {"flags": list(flags), "boxes": state.draft.get("boxes", [])}
    _keep(reading, state, content, given)
    label = (
        "Commit, then see the model's answer" if step == "blind" and "model" in state.planned.arm.steps else "Commit"
    )
    _commit(reading, state, content, label)


def ask_rating(reading: Reading, state: CaseState) -> None:
    """Ask for the ratings that apply in this arm."""
    place, given = state.planned.place, state.draft
    content: dict[str, Any] = {}
    for item in items_of(state.planned.arm):
        content[item] = st.segmented_control(
            QUESTIONS[item], RATINGS, default=given.get(item), format_func=SCALE_WORDS.__getitem__,
            key=f"answer_{place}_rating_{item}", help=f"−3 not at all, +3 fully ({ITEM_WORDS[item]})",
        )  # fmt: skip
    content["text"] = st.text_area(
        "Remarks (optional)", given.get("text", ""), max_chars=2000, height=80, key=f"answer_{place}_rating_text",
        help="No names and nothing else that identifies a person.",
    )  # fmt: skip
    flags = st.pills(
        "Flags", FLAGS, selection_mode="multi", default=given.get("flags", []), key=f"answer_{place}_rating_flags"
    )
    content |= {"flags": list(flags), "missed": given.get("missed", []), "invented": given.get("invented", [])}
    _keep(reading, state, content, given)
    _commit(reading, state, content, "Commit the rating")


def _keep(reading: Reading, state: CaseState, content: dict[str, Any], given: dict[str, Any]) -> None:
    """Save what was entered as soon as it differs from what the questions began with."""
    known = {name: given.get(name) for name in content}
    if content != known and any(content.values()):
        try:
            reading.save_draft(state.planned.place, state.step or "", content)
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")


def _commit(reading: Reading, state: CaseState, content: dict[str, Any], label: str) -> None:
    key = f"answer_{state.planned.place}_{state.step}_commit"  # a second click must not commit the next step
    if st.button(label, type="primary", icon=":material/lock:", shortcut="Mod+Enter", help="Ctrl and Enter", key=key):
        try:
            reading.commit(state.planned.place, state.step or "", content)
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
        else:
            st.rerun()
