"""What a file does not say, asked for with a preview of its numbers; nothing is guessed, all of it is confirmed."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from ecgimn.formats import MissingFactsError, Preview, ReadingHints
from ecgimn.formats.table import counts_time
from ecgimn.formats.traces import PLAUSIBLE_MV
from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS, canonical_lead_name
from ecgimn.recording import MAX_FS, MIN_FS
from pages import _session_upload as own

NO_LEAD = "no lead"
UNITS = ("mV", "uV", "V", "nV")
QUESTIONS_PER_ROW = 8


def ask_for_facts(missing: MissingFactsError, files: str) -> None:
    """Ask for exactly the facts that the files with this hash do not state, and keep them once they are confirmed."""
    preview = missing.preview
    with st.container(border=True):
        st.markdown("**This file does not say everything.**")
        st.text(str(missing))
        _show(preview)
        given: dict[str, object] = {}
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if "variable" in missing.needed:
                chosen = st.selectbox(
                    "Which array holds the ECG?", preview.variables, index=None, key="fact_variable", width=260
                )
                given["variable"] = chosen.split(" ")[0] if chosen else None
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
            "Read the file with these facts", type="primary", icon=":material/check:", key="confirm_facts",
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
                f"{place + 1} {name}".strip(),
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
