"""Widgets that two pages or more use, and the larger ones of the reading page: case line, upload, view settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ecgimn.draw.ecg import Screen
from ecgimn.draw.view import View
from ecgimn.draw.window import screen_for
from ecgimn.errors import EcgImnError
from ecgimn.formats import MissingFactsError, ReadingHints, read_upload, start_reader
from ecgimn.formats.hints import Preview
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.card import ModelCard
from ecgimn.recording import Recording, Sex
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.search import label_lines
from ecgimn.sources.settings import ptbxl_folder
from pages import _session as session

PRIVACY = (
    "An ECG may itself identify a person. Your file stays in the memory of the machine that runs this app; its name, "
    "dates and header text are dropped while it is read, and nothing of it is put in a link, a log or a shared cache."
)
MANY_CLASSES = 8
SET_UP = """ECGIMN_PTBXL=/path/to/ptb-xl make run

# or in ~/.config/ecgimn/settings.toml:
ptbxl = "/path/to/ptb-xl"
"""


def case_line(bar: DeltaGenerator) -> Recording | None:
    """Let the reader choose a case in the line at the top; return it, or None after saying what is missing."""
    try:
        ptbxl = session.current_ptbxl()
        cases = session.get_composites()
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        ptbxl, cases = None, ()
    session.start_case(cases, ptbxl)
    with bar:
        st.selectbox(
            "Kind of case", list(session.SOURCES), format_func=session.SOURCES.__getitem__, key="source",
            label_visibility="collapsed", width=165, persist_state="session", filter_mode=None,
        )  # fmt: skip
        kind = session.source()
        if kind == "composite" and cases:
            titles = {case.name: f"{case.title} (mean of {case.n_patients})" for case in cases}
            st.selectbox(
                "Composite case", list(titles), format_func=titles.__getitem__, key="composite",
                label_visibility="collapsed", width=330, persist_state="session",
            )  # fmt: skip
        elif kind == "ptbxl" and ptbxl is not None:
            st.number_input(
                "PTB-XL record", int(ptbxl.table.index.min()), int(ptbxl.table.index.max()), key="ptbxl_id", step=None,
                label_visibility="collapsed", width=110, persist_state="session",
            )  # fmt: skip
        whole = upload_area() if kind == "file" else None
        alone = kind == "file" and (whole is None or session.last_window(whole) == 0)
        step_of = "10-second window" if kind == "file" else "case"
        st.button("Previous", shortcut="Left", on_click=session.step_case, args=(-1,), disabled=alone,
                  help=f"Previous {step_of}")  # fmt: skip
        st.button("Next", shortcut="Right", on_click=session.step_case, args=(1,), disabled=alone,
                  help=f"Next {step_of}")  # fmt: skip
    try:
        return _chosen_recording(kind, whole, ptbxl, has_composites=bool(cases))
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return None


def _chosen_recording(
    kind: str, whole: Recording | None, ptbxl: PtbXl | None, *, has_composites: bool
) -> Recording | None:
    folder = ptbxl_folder()
    if kind == "file":
        return whole.window(session.window_start()) if whole is not None else None
    if kind == "composite":
        if has_composites:
            return session.get_composite(session.composite_name())
        st.info("No composite case is installed. Open a file of your own, or choose PTB-XL.", icon=":material/info:")
    elif ptbxl is None or folder is None:
        no_ptbxl()
    else:
        rates = ptbxl.rates(session.ptbxl_id())
        return session.get_record(folder, session.ptbxl_id(), max(rates, default=500))
    return None


def no_ptbxl() -> None:
    """Say how PTB-XL is made known to the app."""
    st.info(
        "PTB-XL is not set up on this machine. It is a public set of 21,799 ECGs (doi:10.13026/kfzx-aw45). "
        "Everything else works without it.",
        icon=":material/database:",
    )
    st.markdown("Download it, then either start the app with the variable set, or write the settings file:")
    st.code(SET_UP, language="bash")


def status_line(bar: DeltaGenerator, recording: Recording, card: ModelCard | None, device: str = "") -> None:
    """Say at the end of the top line what is shown and by what it is explained."""
    model = f"{card.name} · sha {card.sha256[:8]} · {device}" if card is not None else "no model"
    if recording.source == "PTB-XL" and session.seen_in_training():
        bar.badge("seen in training", icon=":material/school:", color="orange", help="Folds 1 to 8 of PTB-XL.")
    bar.caption(f"{model} · {recording.fs:g} Hz · **research only, not for care**", width="content")


def upload_area() -> Recording | None:
    """Let the visitor open a file; ask for facts that it does not state. Return the whole recording, or None."""
    whole = session.own_recording()
    label = whole.record_name if whole is not None else "Open a file"
    with st.popover(label, icon=":material/upload_file:", width=220):
        st.caption(PRIVACY)
        files = st.file_uploader(
            "ECG file: WFDB (.hea with .dat), DICOM, SCP-ECG, EDF, ISHNE, XML, CSV, NPY, MAT, or a ZIP of one record",
            accept_multiple_files=True,
            key="upload",
            on_change=start_reader,
        )
        left, right = st.columns(2)
        age = left.number_input("Age in years (if known)", 0, 120, value=None, step=1, key="upload_age")
        sex: Sex | None = right.selectbox(
            "Sex (if known)", ["male", "female"], index=None, key="upload_sex", placeholder="unknown"
        )
        st.caption("Age and sex choose the ST thresholds and nothing else.")
        if files:
            whole = _read({file.name: file.getvalue() for file in files}, age, sex)
        elif whole is not None and st.button("Forget this file", icon=":material/delete:"):
            session.set_own_recording(None)
            st.rerun()
        if whole is not None and session.last_window(whole) > 0:
            st.slider(
                "Start of the 10-second window (s)", 0.0, session.last_window(whole), key="window_start", step=0.5
            )
    if whole is None and not files:
        st.caption("Open a 12-lead ECG file to read it here.")
    return whole


def _read(files: Mapping[str, bytes], age: int | None, sex: Sex | None) -> Recording | None:
    """Read the files once per set of facts; what is wrong with them is said in one sentence."""
    identity = hashlib.sha256(repr((age, sex)).encode())
    for name, data in sorted(files.items()):
        identity.update(hashlib.sha256(name.encode() + data).digest())
    try:
        return _read_once(files, identity.hexdigest(), age, sex, ReadingHints())
    except MissingFactsError as missing:
        hints = _missing_facts(missing)
    except EcgImnError as exc:
        session.set_own_recording(None)
        st.error(str(exc), icon=":material/error:")
        return None
    if hints is None:
        session.set_own_recording(None)
        return None
    try:
        return _read_once(files, f"{identity.hexdigest()} {hints}", age, sex, hints)
    except EcgImnError as exc:
        session.set_own_recording(None)
        st.error(str(exc), icon=":material/error:")
        return None


def _read_once(
    files: Mapping[str, bytes], key: str, age: int | None, sex: Sex | None, hints: ReadingHints
) -> Recording | None:
    if key != session.own_key():
        session.set_own_recording(read_upload(files, age=age, sex=sex, hints=hints), key)
    return session.own_recording()


def _missing_facts(missing: MissingFactsError) -> ReadingHints | None:
    """Ask for exactly the facts that the file does not state; return them once all are given."""
    preview = missing.preview
    st.warning(str(missing), icon=":material/help:")
    _show_preview(preview)
    given: dict[str, object] = {}
    if "variable" in missing.needed:
        chosen = st.selectbox("Which array holds the ECG?", preview.variables, index=None, key="fact_variable")
        given["variable"] = chosen.split(" ")[0] if chosen else None
    if "orientation" in missing.needed:
        given["orientation"] = st.radio(
            "How does the table lie?", ["leads in columns", "leads in rows"], index=None, key="fact_orientation"
        )
    if "fs" in missing.needed:
        given["fs"] = st.number_input("Sampling frequency (Hz)", 50.0, 2000.0, value=None, key="fact_fs")
    if "unit" in missing.needed:
        given["unit"] = st.selectbox("Unit of the numbers", ["mV", "uV", "V", "nV"], index=None, key="fact_unit")
    if "leads" in missing.needed:
        text = st.text_input(
            "Lead of each column, in order, separated by commas; leave a place empty for a column that is no lead",
            value=", ".join(preview.names) or ", ".join(STANDARD_LEADS),
            key="fact_leads",
        )
        confirmed = st.checkbox("I checked this order against the file", key="fact_leads_checked")
        given["leads"] = tuple(part.strip() for part in text.split(",")) if confirmed else None
    return None if None in given.values() else ReadingHints(**given)  # type: ignore[arg-type]


def _show_preview(preview: Preview) -> None:
    """Show the beginning of a table, so that the reader can answer from it."""
    st.caption(f"The file holds {preview.n_signals:,} columns of {preview.n_samples:,} numbers. The first rows:")
    if preview.first:
        st.dataframe(
            [dict(zip(_names(preview), row, strict=True)) for row in preview.first], hide_index=True, height=215
        )


def _names(preview: Preview) -> list[str]:
    return [f"{place + 1} {name}".strip() for place, name in enumerate(preview.names or ("",) * len(preview.first[0]))]


def class_chips(chips: Mapping[str, str], shown: str) -> None:
    """Let the reader choose the class shown; each chip prints the probability."""
    if len(chips) > MANY_CLASSES:
        st.selectbox(
            "Class shown, with its probability",
            list(chips),
            format_func=chips.__getitem__,
            key="class_shown",
            label_visibility="collapsed",
            on_change=session.choose_class,
            width=220,
        )
    else:
        _chip_row("class", chips, shown, session.choose_class)


def quantity_chips() -> None:
    """Let the reader choose what is drawn behind the leads."""
    quantities = {name: name.capitalize() for name in session.QUANTITIES}
    _chip_row("quantity", quantities, session.quantity(), session.choose_quantity)


def _chip_row(kind: str, chips: Mapping[str, str], shown: str, choose: Callable[[str], None]) -> None:
    """Draw one button per choice; buttons, unlike radio groups, leave the arrow keys to next and previous case."""
    with st.container(horizontal=True, gap="xxsmall", width="content"):
        for name, label in chips.items():
            look = "primary" if name == shown else "secondary"
            st.button(label, key=f"{kind}_{name}", type=look, on_click=choose, args=(name,))


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
        case = session.composite_case()
        st.markdown(f"**{case.record_name}.** {case.hallmark}")
        st.caption(f"{case.label_definition} {case.selection} {case.method}")
        if case.planted is not None:
            st.caption(f"Planted: {case.planted.change} in {', '.join(case.planted.leads)}.")
        st.caption(f"{case.attribution} Licence: {case.licence}")
    elif (ptbxl := session.current_ptbxl()) is not None:
        st.caption("As published with PTB-XL, not judged here:")
        for line in label_lines(ptbxl, session.ptbxl_id()):
            st.text(line)


def view_settings(class_index: int, *, n_members: int) -> tuple[View, Screen]:
    """Let the reader choose how the case is drawn; rarely used settings lie in a popover."""
    with st.popover("View", icon=":material/tune:"):
        left, right = st.columns(2)
        layout = left.selectbox("Layout", session.LAYOUT_ORDER, key="layout", bind="query-params")
        speed = left.selectbox("Paper speed (mm/s)", [12.5, 25.0, 50.0], index=1, key="speed", bind="query-params")
        gain = left.selectbox("Gain (mm/mV)", [5.0, 10.0, 20.0], index=1, key="gain", bind="query-params")
        size = left.selectbox("Figure", ["fits the window", "true size"], key="size", persist_state="session")
        style = right.selectbox("Evidence as", ["band", "line", "blocks"], key="style", persist_state="session")
        level = right.selectbox(
            "Contribution counts from", ["isoelectric level", "zero of the file"], key="level", persist_state="session",
            help="The ledger counts voltages from each lead's isoelectric level. The total is the same.",
        )  # fmt: skip
        opacity = right.slider("Opacity of the evidence", 0.2, 1.0, 0.9, 0.1, key="opacity", persist_state="session")
        cabrera = right.toggle("Cabrera order", key="cabrera", persist_state="session")
        strip = right.toggle("Strip of signed area", value=True, key="strip", persist_state="session")
        st_t = right.toggle("Mark ST and T", value=True, key="marks", persist_state="session")
        unsure = right.toggle("Hatch where members disagree", key="unsure", persist_state="session",
                              disabled=n_members < 2)  # fmt: skip
        screen = screen_for(session.window())
        if size == "true size":
            px_per_mm = left.number_input(
                "Pixels per mm",
                2.0,
                12.0,
                screen.px_per_mm,
                0.05,
                key="px_per_mm",
                persist_state="session",
                help="Hold a bank card (85.60 mm wide) against the screen: its width in pixels, divided by 85.6.",
            )
            screen = replace(screen, px_per_mm=px_per_mm, true_size=True)
    quantity = session.quantity()
    view = View(
        layout=layout, speed=speed, gain=gain, cabrera=cabrera, overlay=session.overlay_on(),
        quantity="isoelectric" if quantity == "contribution" and level == "isoelectric level" else quantity,
        class_index=class_index, style=style, opacity=opacity, show_strip=strip, show_st=st_t, show_t=st_t,
        show_uncertainty=unsure and n_members > 1, dark=session.is_dark(),
    )  # fmt: skip
    return view, screen


def keyboard_buttons(classes: Sequence[str]) -> None:
    """Show the buttons that also have a key."""
    st.button("Evidence", icon=":material/visibility:" if session.overlay_on() else ":material/visibility_off:",
              shortcut="O", on_click=session.switch_overlay, help="Show or hide the evidence")  # fmt: skip
    st.button("Layout", shortcut="L", on_click=session.next_layout, help="Next layout of the leads")
    st.button("Class", shortcut="K", on_click=session.next_class, args=(classes,), help="Show the next class")
