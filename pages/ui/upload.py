"""The reader's own file, the facts it does not state, and the offer to fetch PTB-XL."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ecgimn.errors import EcgImnError
from ecgimn.escape import for_markdown
from ecgimn.formats import MissingFactsError, Preview, ReadingHints, read_upload
from ecgimn.formats.sandbox.wall import overwrite_what_is_freed
from ecgimn.formats.table import counts_time
from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS, canonical_lead_name
from ecgimn.recording import MAX_FS, MIN_FS, PLAUSIBLE_MV, Recording
from ecgimn.sources.physionet import CITATION, LICENCE, RECORD_MB, TABLES_MB, PhysioNetFiles, Progress, ptbxl_url
from pages.ui.state import case as session
from pages.ui.state import upload as own

NO_LEAD = "no lead"
UNITS = ("mV", "uV", "V", "nV")
QUESTIONS_PER_ROW = 8


def ask_for_facts(missing: MissingFactsError, files: str) -> None:
    """Ask for exactly the facts that the files with this hash do not state, and keep them once they are confirmed."""
    preview = missing.preview
    with st.container(border=True):
        st.markdown("**Some information is missing from this file.**")
        st.text(str(missing))
        _show(preview)
        given: dict[str, object] = {}
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if "variable" in missing.needed:
                chosen = st.selectbox(
                    "Which array holds the ECG?", preview.variables, index=None, key="fact_variable", width=260
                )
                given["variable"] = str(preview.variables.index(chosen) + 1) if chosen else None
            if "orientation" in missing.needed:
                given["orientation"] = st.radio(
                    "How does the table lie?", ["leads in columns", "leads in rows"], index=None,
                    key="fact_orientation", horizontal=True,
                )  # fmt: skip
            if "fs" in missing.needed:
                given["fs"] = _ask_for_fs(preview)
            if "unit" in missing.needed:
                given["unit"] = _ask_for_unit(preview)
        if "leads" in missing.needed:
            given["leads"] = _ask_for_leads(preview)
        st.button(
            "Open ECG", type="primary", icon=":material/check:", key="confirm_facts",
            on_click=own.give_facts, args=(files, ReadingHints(**given)), disabled=None in given.values(),
        )  # fmt: skip
        st.caption("What you give is named beside the tracing. It can be corrected afterwards.")


def _show(preview: Preview) -> None:
    """Show the beginning of each signal, one row each, so that the reader can answer from it."""
    if not preview.first:
        return
    rows = [
        {
            "signal": f"{place + 1} {name}".strip(),
            "beginning": sketch,
            "lowest": lowest,
            "highest": highest,
            "first numbers": ", ".join(f"{row[place]:g}" for row in preview.first),
        }
        for place, (name, sketch, lowest, highest) in enumerate(
            zip(_names(preview), preview.sketch, preview.lowest, preview.highest, strict=True)
        )
    ]
    st.caption(f"{preview.n_signals:,} signals of {preview.n_samples:,} numbers, in the file's own unit.")
    st.dataframe(
        rows,
        hide_index=True,
        height=min(35 * (len(rows) + 1) + 3, 320),
        column_config={
            "beginning": st.column_config.LineChartColumn("beginning", width="large"),
            "first numbers": st.column_config.TextColumn("first numbers", width="medium"),
        },
        alt="The beginning of each signal of the file",
    )


def _ask_for_fs(preview: Preview) -> float | None:
    fs: float | None = st.number_input(
        "Sampling frequency (Hz)", MIN_FS, MAX_FS, value=None, key="fact_fs", width=190, placeholder="500, 250, 100 …"
    )
    if fs:
        st.caption(f"The recording then lasts {preview.n_samples / fs:.1f} s.", width="content")
    return fs


def _ask_for_unit(preview: Preview) -> str | None:
    unit: str | None = st.selectbox("Unit of the numbers", UNITS, index=None, key="fact_unit", width=160)
    if unit:
        span, (low, high) = preview.typical_span_mv(unit), PLAUSIBLE_MV
        fits = ":material/check:" if low <= span <= high else ":material/warning:"
        st.caption(
            f"{fits} A typical signal then spans {span:.3g} mV; an ECG spans {low:g} to {high:g} mV.", width="content"
        )
    return unit


def _ask_for_leads(preview: Preview) -> tuple[str, ...] | None:
    """Ask which lead each signal is; None until the eight independent leads are named, each once."""
    names = _names(preview)
    keys = [f"fact_lead_{place}" for place in range(len(names))]
    st.markdown("Which lead is each signal?")
    options = (NO_LEAD, *STANDARD_LEADS)
    chosen: list[str | None] = []
    for place, name in enumerate(names):
        if place % QUESTIONS_PER_ROW == 0:
            row = st.columns(QUESTIONS_PER_ROW, gap="small")
        said = canonical_lead_name(name) or (NO_LEAD if name and counts_time(name) else None)
        chosen.append(
            row[place % QUESTIONS_PER_ROW].selectbox(
                for_markdown(f"{place + 1} {name}"),
                options,
                index=options.index(said) if said else None,
                key=keys[place],
                placeholder="choose",
            )
        )
    with st.container(horizontal=True):
        for first in range(max(len(names) - len(STANDARD_LEADS), -1) + 1):
            order = [NO_LEAD] * len(names)
            order[first : first + len(STANDARD_LEADS)] = STANDARD_LEADS
            st.button(f"They are I, II, III, aVR, aVL, aVF, V1 to V6, from signal {first + 1} on", key=f"order_{first}",
                      on_click=own.choose_leads, args=(keys, order), type="tertiary")  # fmt: skip
    leads = [lead for lead in chosen if lead not in (None, NO_LEAD)]
    twice = [lead for lead, number in Counter(leads).items() if number > 1]
    open_leads = [lead for lead in INDEPENDENT_LEADS if lead not in leads]
    if twice:
        st.error(f"{', '.join(map(str, twice))}: chosen more than once.", icon=":material/error:")
    elif open_leads:
        st.caption(f"Still to name: {', '.join(open_leads)}. III, aVR, aVL and aVF may be missing; they follow.")
    if twice or open_leads or None in chosen:
        return None
    return tuple("" if lead == NO_LEAD else str(lead) for lead in chosen)


def _names(preview: Preview) -> tuple[str, ...]:
    return preview.names or ("",) * len(preview.sketch)


SET_UP = """ECGIMN_PTBXL=/path/to/ptb-xl make run

# or in ~/.config/ecgimn/settings.toml:
ptbxl = "/path/to/ptb-xl"
"""
MIRROR = """ECGIMN_PTBXL_URL=https://mirror.example/ptb-xl/1.0.3/ make run   # another server in the same layout
ECGIMN_CACHE=/path/to/cache make run                                 # where fetched files are kept
"""


def offer_ptbxl() -> None:
    """Say what PTB-XL is; fetch its table on request, or say how a folder of one's own is named."""
    try:
        url = ptbxl_url()
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    host = urlsplit(url).hostname or url
    st.info(
        "PTB-XL is not on this machine yet. It is a public set of 21,799 ECGs of 10 s from 18,869 patients. "
        "Everything else works without it.",
        icon=":material/database:",
    )
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown("**Fetch what you open**")
        st.markdown(
            f"The table, once: about {TABLES_MB} MB from {host}. Then each record when you open it: {RECORD_MB:g} MB. "
            "Every file is checked against the published SHA-256 sums and kept, so that it is fetched once. Nothing "
            "of yours is sent."
        )
        st.caption(f"Licence of PTB-XL: {LICENCE}. {CITATION}")
        if st.button(f"Fetch the table ({TABLES_MB} MB)", icon=":material/download:", type="primary", key="fetch"):
            _fetch(url)
    with right, st.container(border=True):
        st.markdown("**Use a copy of your own**")
        st.markdown("Start the app with the folder named, or write the settings file:")
        st.code(SET_UP, language=None)
        with st.expander("Mirror and cache"):
            st.code(MIRROR, language=None)


def _fetch(url: str) -> None:
    """Fetch the tables with a bar; what has arrived is kept when the network breaks off."""
    bar = st.progress(0.0, "Asking the server")
    shown = {"percent": -1}

    def progress(step: Progress) -> None:
        arrived = step.n_bytes / 1e6
        part = min(step.n_bytes / step.total_bytes, 1.0) if step.total_bytes else 0.0
        if round(100 * part) != shown["percent"] or not step.total_bytes:
            shown["percent"] = round(100 * part)
            of = f" of {step.total_bytes / 1e6:.1f}" if step.total_bytes else ""
            what = "list of checksums" if step.name.startswith("SHA256SUMS") else step.name
            bar.progress(part, f"{what}: {arrived:.1f}{of} MB")

    try:
        PhysioNetFiles(base_url=url, progress=progress).fetch_tables()
    except EcgImnError as exc:
        bar.empty()
        st.error(str(exc), icon=":material/cloud_off:")
        return
    st.rerun()


PRIVACY = (
    "An ECG may itself identify a person. Your file stays in the memory of the machine that runs this app; its name, "
    "dates and header text are dropped while it is read, and nothing of it is put in a link, a log or a shared cache."
)


def upload_area(body: DeltaGenerator) -> Recording | None:
    """Let the visitor open a file; ask for facts that it does not state. Return the whole recording, or None.

    Questions and refusals are put into `body`, below the line of the case.
    """
    overwrite_what_is_freed()  # before a file comes in
    whole = session.own_recording()
    label = whole.record_name if whole is not None else "Open a file"
    with st.popover(label, icon=":material/upload_file:", width=220):
        st.caption(PRIVACY)
        files = st.file_uploader(
            "ECG file: WFDB (.hea with .dat), DICOM, SCP-ECG, EDF, ISHNE, XML, CSV, NPY, MAT, or a ZIP of one record",
            accept_multiple_files=True,
            key=session.widget_key("upload"),
            on_change=own.begin_upload,
            help="Several ECGs, at once or one after the other, make a list for this visit.",
        )
        take, opened = session.take_own_subject, (session.own_key(),)
        left, right = st.columns(2)
        left.number_input(
            "Age in years (if known)", 0, 120, value=None, step=1, key="upload_age", on_change=take, args=opened
        )
        right.selectbox(
            "Sex (if known)", ["male", "female"], index=None, key="upload_sex", placeholder="unknown", on_change=take,
            args=opened,
        )  # fmt: skip
        st.caption("Age and sex choose the ST thresholds and nothing else.")
        records = _by_record({file.name: file.getvalue() for file in files})
        with body:
            whole = _read(records)
        listed = session.own_files()
        if len(listed) > 1 and whole is not None:
            st.selectbox(
                f"ECGs of this visit ({len(listed)})", list(listed), list(listed).index(session.own_key()),
                format_func=lambda name: f"{listed[name].record_name}, {listed[name].duration_s:.0f} s",
                key=(key := session.widget_key("own_key")), on_change=session.choose_own, args=(key,),
            )  # fmt: skip
        if whole is not None:
            st.button("Forget this file", icon=":material/delete:", on_click=session.forget_own_recording)
        if whole is not None and session.last_window(whole) > 0:
            st.slider(
                "Start of the window (s)", 0.0, own.last_start(whole), session.window_start(), step=0.5,
                key=(key := session.widget_key("window_start")), on_change=own.take_full_window, args=(key,),
            )  # fmt: skip
            st.caption(f"The recording lasts {whole.duration_s:.1f} s. The model reads at most 10 s at once.")
    if whole is None and not files:
        st.caption("Open a 12-lead ECG file to read it here. Files end with the session; a reload asks for them again.")
    return whole


def _by_record(files: Mapping[str, bytes]) -> dict[str, Mapping[str, bytes]]:
    """Return files as one ECG each, by the hash of its files, as far as their names tell; else all as one."""
    stems: dict[str, dict[str, bytes]] = {}
    for name, data in files.items():
        stems.setdefault(name.rpartition(".")[0] or name, {})[name] = data
    whole = all(
        (len(of_stem) == 1 and not next(iter(of_stem)).lower().endswith((".hea", ".dat")))
        or (any(name.lower().endswith(".hea") for name in of_stem) and len(of_stem) > 1)
        for of_stem in stems.values()
    )  # a header of segments has no signal file beside it, and belongs to files of other names
    groups = stems.values() if whole else [dict(files)] if files else []
    return {identity_of(group): group for group in groups}


def _read(records: Mapping[str, Mapping[str, bytes]]) -> Recording | None:
    """Read what is not on the visitor's list yet; what is wrong with a file is said in one sentence."""
    failed = is_new = False
    put_in = session.newly_in_box(records)
    for identity, files in records.items():
        hints = own.given_facts(identity)
        if identity in session.own_files():
            if identity == session.own_key():
                _offer_to_answer_again(identity, hints)
            elif identity in put_in:  # the same file once more
                session.keep_own(identity, session.own_files()[identity])
                is_new = True
            continue
        try:
            with st.spinner("Reading the file"):
                recording = read_upload(files, hints=hints)
        except MissingFactsError as missing:
            ask_for_facts(missing, identity)
            return None  # one question at a time
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
            _offer_to_answer_again(identity, hints)
            failed = True
            continue
        session.keep_own(identity, recording)
        if len(records) == 1:
            session.take_own_subject(identity)
        is_new = True
    if failed:
        return None
    if is_new:
        st.rerun()  # with the case's name on the button, and its window closed
    return session.own_recording()


def identity_of(files: Mapping[str, bytes]) -> str:
    """Return a hash of the files, by which answers about them are kept."""
    identity = hashlib.sha256()
    for name, data in sorted(files.items()):
        identity.update(hashlib.sha256(name.encode() + data).digest())
    return identity.hexdigest()


def _offer_to_answer_again(identity: str, hints: ReadingHints) -> None:
    """Where facts came from the visitor, let them be corrected."""
    if hints != ReadingHints():
        st.button("Correct what was given about the file", icon=":material/edit:", key="correct_facts",
                  on_click=own.take_back_facts, args=(identity,))  # fmt: skip
