"""The top line of every page: choose a case, open it through the quality check, say what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ecgimn.draw.screen.ecg import column_shares, is_narrow
from ecgimn.errors import EcgImnError, ModelNotFoundError, QualityError
from ecgimn.explain.case import Case
from ecgimn.explain.sentences import class_chips as class_texts
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.recording import WINDOW_S, Recording
from ecgimn.sources.composites.case import CompositeCase
from ecgimn.sources.physionet import ptbxl_place
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.search import label_lines, neighbour
from pages.ui import cache as cached
from pages.ui.state import case as session
from pages.ui.state import upload as own
from pages.ui.state import view as view_state
from pages.ui.upload import offer_ptbxl, upload_area

READING_ROOM = "pages/read.py"
# The switch stands in the header, at its right end, where the header has room for it; its words are its address.
MODE_STYLE = """
.st-key-mode_switch button { text-transform: capitalize; min-height: 1.9rem; padding: 0.1rem 0.6rem; }
@media (min-width: 1020px) {
  .st-key-mode_switch { position: fixed; width: auto; top: 0.55rem; right: 4rem; z-index: 999991; }
}
"""

# What Streamlit draws too faint for WCAG 2.1 AA: captions, keys on buttons, the dots between pages, and in the dark
# what is chosen; tests/browser/contrast.js measures it.
LEGIBLE = """
.stApp [data-testid="stCaptionContainer"] {{ color: color-mix(in srgb, {text} 78%, transparent); }}
.stApp [data-testid="stCaptionContainer"], .stApp [data-testid="stCaptionContainer"] * {{ opacity: 1; }}
.stApp kbd, .stApp [data-testid="stPaginationEllipsis"] {{ opacity: 1; color: inherit; }}
.stApp [data-testid="stButtonGroup"] button[data-selected="true"],
.stApp [data-testid="stSliderThumbValue"] {{ color: {chosen} !important; }}
"""


def opened_case() -> Case:
    """Let the reader choose a case; stop the page with a reason where there is none or no model may speak."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    recording = case_line(bar)
    if recording is None:
        session.write_link(None)
        st.stop()
    try:
        model = current_model()
    except EcgImnError as exc:
        status_line(bar, recording, None)
        st.error(str(exc), icon=":material/error:")
        st.stop()
    status_line(bar, recording, model.card, cached.device_name(model.device.type))
    return explained(recording, model)


def explained(recording: Recording, model: Model) -> Case:
    """Read and explain a recording, or stop the page where its quality forbids a prediction."""
    try:
        return cached.get_case(recording, model, despite_quality=session.has_gone_on(recording))
    except QualityError as exc:
        for refusal in exc.refusals:
            st.warning(refusal, icon=":material/block:")
        st.page_link(READING_ROOM, label="See the tracing in the reading room", icon=":material/ecg_heart:")
        st.stop()


def current_card() -> ModelCard:
    """Card of the model in use; raises `ModelError` in the reader's words where there is none."""
    names = cached.model_names()
    name = session.model_name() or DEFAULT_MODEL
    if name not in names:
        raise ModelNotFoundError(
            f"The model {name} is not in models/. Without a model no evidence and no number is shown. "
            "Put its .safetensors and .json files there, or train one with: python -m ecgimn train --ptbxl DIR"
        )
    return cached.card_of(name)


def current_model() -> Model:
    """Return the model in use, loaded and checked against its card; raises `ModelError`."""
    card = current_card()
    return cached.get_model(card.name, card.sha256)


def seen_in_training() -> bool:
    """Whether the models of this project were trained on the PTB-XL record chosen."""
    ptbxl = cached.current_ptbxl()
    return ptbxl is not None and ptbxl.seen_in_training(session.ptbxl_id())


def composite_case() -> CompositeCase:
    """Card of the composite chosen."""
    return next(case for case in cached.get_composites() if case.name == session.composite_name())


def neighbour_case(step: int) -> tuple[str, str | int]:
    """Return kind and name of the public case that is `step` (1 or -1) away; of one's own file no other is known."""
    if session.source() == "composite" and cached.get_composites():
        names = [case.name for case in cached.get_composites()]
        return "composite", names[(names.index(session.composite_name()) + step) % len(names)]
    if session.source() == "ptbxl" and (ptbxl := cached.current_ptbxl()) is not None:
        return "ptbxl", neighbour(ptbxl, session.record_list(), session.ptbxl_id(), step) or session.ptbxl_id()
    return "", ""


def step_case(step: int) -> None:
    """Go to the next (1) or previous (-1) case: composite, PTB-XL record, window of an own file or another own file."""
    kind, name = neighbour_case(step)
    if kind:
        session.put("composite" if kind == "composite" else "ptbxl_id", name)
    elif (whole := session.own_recording()) is not None:
        ends = session.window_start() >= session.last_window(whole) if step > 0 else session.window_start() <= 0
        if ends and len(session.own_files()) > 1:
            session.step_own(step)
            return
        session.show_window(
            min(max(session.window_start() + step * WINDOW_S, 0.0), session.last_window(whole)), WINDOW_S
        )


MANY_CLASSES, LIKELY = 8, 3


def case_line(bar: DeltaGenerator) -> Recording | None:
    """Let the reader choose a case in the line at the top; return it, or None after saying what is missing."""
    ptbxl: PtbXl | None = None
    cases: tuple[CompositeCase, ...] = ()
    try:
        cases = cached.get_composites()
        ptbxl = cached.current_ptbxl()  # may fail by itself: the composites stay
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
    session.start_case(cases, ptbxl)
    body = st.container()  # of the page, for what does not fit the line
    with bar:
        st.selectbox(
            "Kind of case", list(session.SOURCES), format_func=session.SOURCES.__getitem__, key="source",
            label_visibility="collapsed", width=165, persist_state="session", filter_mode=None,
        )  # fmt: skip
        kind = session.source()
        if kind == "composite" and cases:
            titles = {case.name: f"{case.title} (mean of {case.n_patients})" for case in cases}
            st.selectbox(
                "Composite case", list(titles), list(titles).index(session.composite_name()), titles.__getitem__,
                key=(key := session.widget_key("composite")), on_change=session.take, args=("composite", key),
                label_visibility="collapsed", width=330,
            )  # fmt: skip
        elif kind == "ptbxl" and ptbxl is not None:
            st.number_input(
                "PTB-XL record", int(ptbxl.table.index.min()), int(ptbxl.table.index.max()), session.ptbxl_id(),
                key=(key := session.widget_key("ptbxl_id")), on_change=session.take, args=("ptbxl_id", key), step=None,
                label_visibility="collapsed", width=110,
            )  # fmt: skip
            rates = ptbxl.rates(session.ptbxl_id()) if session.ptbxl_id() in ptbxl.table.index else ()
            if len(rates) > 1:
                st.selectbox(
                    "Sampling frequency", sorted(rates, reverse=True), format_func="{} Hz".format, key="ptbxl_fs",
                    label_visibility="collapsed", width=100, persist_state="session", filter_mode=None,
                )  # fmt: skip
        whole = upload_area(body) if kind == "file" else None
        several = kind == "file" and len(session.own_files()) > 1
        alone = kind == "file" and (whole is None or (session.last_window(whole) == 0 and not several))
        step_of = "10-second window or file" if several else "10-second window" if kind == "file" else "case"
        st.button("Previous", shortcut="Left", on_click=step_case, args=(-1,), disabled=alone,
                  help=f"Previous {step_of}")  # fmt: skip
        st.button("Next", shortcut="Right", on_click=step_case, args=(1,), disabled=alone,
                  help=f"Next {step_of}")  # fmt: skip
    try:
        recording = _chosen_recording(kind, whole, ptbxl, has_composites=bool(cases))
        if recording is not None:
            session.note_opened("case", session.what_is_open(recording))
        return recording
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return None


def _chosen_recording(
    kind: str, whole: Recording | None, ptbxl: PtbXl | None, *, has_composites: bool
) -> Recording | None:
    place = ptbxl_place()
    if kind == "file":
        return own.own_window(whole) if whole is not None else None
    if kind == "composite":
        if has_composites:
            return cached.get_composite(session.composite_name())
        st.info("No composite case is installed. Open a file of your own, or choose PTB-XL.", icon=":material/info:")
    elif ptbxl is None or place is None:
        offer_ptbxl()
    else:
        fs = session.ptbxl_fs(ptbxl.rates(session.ptbxl_id()))
        return cached.get_record(place, session.ptbxl_id(), fs)
    return None


def status_line(bar: DeltaGenerator, recording: Recording, card: ModelCard | None, device: str = "") -> None:
    """Say at the end of the top line what is shown and by what it is explained."""
    model = card.name if card is not None else "no model"
    if card is not None and view_state.is_research():
        model += f" · sha {card.sha256[:8]} · {device}"
    if recording.source == "PTB-XL" and seen_in_training():
        bar.badge("seen in training", icon=":material/school:", color="orange", help="Folds 1 to 8 of PTB-XL.")
    bar.caption(f"{model} · {recording.fs:g} Hz · **research only, not for care**", width="content")


def earlier_button(bar: DeltaGenerator) -> None:
    """Offer the patient's earlier ECG where the data set has one; of one's own files the reader knows which it is."""
    if session.source() == "file" and len(session.own_files()) > 1:
        if bar.button("Compare the two", icon=":material/history:", shortcut="E", key="earlier_ecg",
                      help="With another file of this visit as the patient's earlier ECG"):  # fmt: skip
            st.switch_page("pages/compare.py", query_params={"cmp": "Earlier ECG"})
        return
    ptbxl = cached.current_ptbxl() if session.source() == "ptbxl" else None
    earlier = None if ptbxl is None else ptbxl.earlier(session.ptbxl_id())
    if ptbxl is None or earlier is None:
        return
    if bar.button("Earlier ECG", icon=":material/history:", shortcut="E", key="earlier_ecg",
                  help=f"What is new since {ptbxl.date(earlier) or f'record {earlier}'}"):  # fmt: skip
        st.switch_page("pages/compare.py", query_params={"cmp": "Earlier ECG"})


def trace_and_numbers(figure_px: float) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Make room for a trace of this width and for the numbers beside it, in a narrow window below it."""
    window = session.window()
    if is_narrow(window):
        return st.container(), st.container()
    left, right = st.columns(column_shares(figure_px, window), gap="small")
    return left, right


def class_chips(case: Case, shown: str) -> None:
    """Let the reader choose the class shown; each chip prints the probability.

    Of many classes the likely ones have a chip, and all stand in a list beside them. A button leads to the model
    that names more, or fewer, classes.
    """
    chips, many = class_texts(case), len(case.classes) > MANY_CLASSES
    first = case.likely(LIKELY) if many else case.classes
    _chip_row("class", {name: chips[name] for name in first}, shown, session.choose_class, case.card.meaning)
    if many:
        groups = {name: group for group, held in case.card.groups.items() for name in held}
        listed = sorted(chips, key=list(groups).index) if groups.keys() == chips.keys() else list(chips)
        st.selectbox(
            "Class shown, with its probability",
            listed,
            listed.index(shown),
            lambda name: f"{chips[name]} · {case.card.meaning(name)}",
            key=(key := session.widget_key("class_shown")),
            on_change=session.take_class,
            args=(key,),
            label_visibility="collapsed",
            width=170,
        )
    if (other := cached.other_depth(case.card, session.model_before())) is not None:
        deeper = not case.card.groups
        asked = st.button(
            "Diagnoses" if deeper else "Overview",
            icon=":material/account_tree:" if deeper else ":material/arrow_back:",
            key="depth",
            on_click=session.choose_model,
            args=(other,),
            help=f"{'More' if deeper else 'Fewer'} classes, by another model: {cached.card_of(other).task}",
        )
        if asked:  # of the whole page, not of the part that holds the chips
            st.rerun()


def quantity_chips() -> None:
    """Let the reader choose what is drawn behind the leads."""
    quantities = {name: name.capitalize() for name in view_state.QUANTITIES}
    _chip_row("quantity", quantities, view_state.quantity(), view_state.choose_quantity)


def _chip_row(
    kind: str,
    chips: Mapping[str, str],
    shown: str,
    choose: Callable[[str], None],
    meaning: Callable[[str], str] | None = None,
) -> None:
    """Draw one button per choice; buttons, unlike radio groups, leave the arrow keys to next and previous case."""
    with st.container(horizontal=True, gap="xxsmall", width="content"):
        for name, label in chips.items():
            look = "primary" if name == shown else "secondary"
            words = meaning(name) if meaning else None
            st.button(label, key=f"{kind}_{name}", type=look, on_click=choose, args=(name,), help=words)


def about_case_toggle(recording: Recording) -> None:
    """Offer what is known about a public case; it stays hidden until asked for."""
    if recording.source == "PTB-XL":
        st.toggle("Show labels", key="about", persist_state="session")
    elif recording.source == "composite":
        st.toggle("About this composite", key="about", persist_state="session")


def about_case(recording: Recording) -> None:
    """Show what is known about a public case, once asked for."""
    if recording.source not in ("PTB-XL", "composite") or not session.about_shown():
        return
    if recording.source == "composite":
        case = composite_case()
        st.markdown(f"**{case.record_name}.** {case.hallmark}")
        st.caption(f"{case.label_definition} {case.selection} {case.method}")
        if case.planted is not None:
            st.caption(f"Planted: {case.planted.change} in {', '.join(case.planted.leads)}.")
        st.caption(f"{case.attribution} Licence: {case.licence}")
    elif (ptbxl := cached.current_ptbxl()) is not None:
        st.caption("As published with PTB-XL, not judged here:")
        for line in label_lines(ptbxl, session.ptbxl_id()):
            st.text(line)


def scope_words(case: Case) -> str:
    """Say that the ECG is none of those that the model was taught; nothing where it is."""
    return "" if case.scope.within else f"Outside what the model was taught: {', '.join(case.scope.names)}."


def scope_note(case: Case) -> None:
    """Print the scope where no badge beside the answer tells it."""
    if words := scope_words(case):
        st.caption(words)


def against_choice(classes: Sequence[str]) -> None:
    """Let the reader take another class away from the one shown."""
    st.selectbox(
        "Compared with", [session.ALONE, *(f"vs {name}" for name in classes)], key="against", bind="query-params",
        label_visibility="collapsed", width=112, filter_mode=None,
        help="The difference of two logits, with its own map, sum and ledger.",
    )  # fmt: skip


def keyboard_buttons(classes: Sequence[str]) -> None:
    """Show the buttons that also have a key."""
    st.button("Layout", shortcut="L", on_click=view_state.next_layout, help="Next layout of the leads")
    st.button("Class", shortcut="K", on_click=session.next_class, args=(classes,), help="Show the next class")


def mode_switch() -> None:
    """Let the visitor choose how much every page shows."""
    with st.container(key="mode_switch", width="content"):
        st.segmented_control(
            "How much is shown", view_state.MODES, default=view_state.MODES[0], required=True, key="mode",
            bind="query-params", label_visibility="collapsed",
            help="Clinical: percent, waves, criteria and words. Research: the sums behind them, hashes, operating "
            "points and correlations besides.",
        )  # fmt: skip
    st.html(f"<style>{MODE_STYLE}</style>")


def legible_text() -> None:
    """Give what Streamlit draws too faint the colours of the theme in use."""
    theme = f"theme.{'dark' if session.is_dark() else 'light'}"
    colours = {"text": st.get_option(f"{theme}.textColor"), "chosen": st.get_option(f"{theme}.linkColor")}
    st.html(f"<style>{LEGIBLE.format(**colours)}</style>")
