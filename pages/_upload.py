"""The reader's own file: opened, asked about where it does not state a fact, read once, forgotten on request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.formats import MissingFactsError, ReadingHints, read_upload, start_reader
from ecgimn.formats.hints import Preview
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording, Sex
from pages import _session as session

PRIVACY = (
    "An ECG may itself identify a person. Your file stays in the memory of the machine that runs this app; its name, "
    "dates and header text are dropped while it is read, and nothing of it is put in a link, a log or a shared cache."
)


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
