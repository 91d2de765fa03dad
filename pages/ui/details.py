"""What is one click below the trace: ST table, beats, polar view, box by numbers, windows, exports, link."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st

from ecgimn.draw.charts.ledger import polar_figure, timeline_figure, window_rows
from ecgimn.draw.print.case import EXPORT_KINDS, CaseSheet, case_export, case_sheet
from ecgimn.draw.screen import mean_beat as single_beat
from ecgimn.draw.screen.ecg import screen_for
from ecgimn.draw.screen.mean_beat import median_beat_figure
from ecgimn.draw.view import View
from ecgimn.draw.words.case import criteria_rows, st_rows
from ecgimn.explain.case import Case, Evidence, WindowLogits, explain_windows
from ecgimn.explain.ledger import BeatByBeat, beat_by_beat, beat_trace
from ecgimn.explain.measured import reasons_of
from ecgimn.explain.sentences import case_concordance, describe_concordance, evidence_over_beats
from ecgimn.formats.export import SAMPLE_KINDS, file_stem, samples_bytes
from ecgimn.hospital import HOSPITAL_KINDS, HOSPITAL_SUFFIXES, SubjectFacts, hospital_bytes
from ecgimn.model.model import Model
from ecgimn.recording import Recording
from pages.ui import cache as cached
from pages.ui import case_bar as widgets
from pages.ui import trace as box
from pages.ui.state import case as session
from pages.ui.state import upload as own
from pages.ui.state import view as view_state

#: One page to print or file, and a slide.
SHEETS: tuple[tuple[str, CaseSheet, Literal["pdf", "svg", "png"]], ...] = (
    ("Page PDF (print)", "page", "pdf"),
    ("Page SVG", "page", "svg"),
    ("Page PNG", "page", "png"),
    ("Slide PNG", "slide", "png"),
    ("Slide SVG", "slide", "svg"),
)
FILES = {
    "wfdb": ("WFDB", "zip", "application/zip"),
    "dicom": ("DICOM", "dcm", "application/dicom"),
    "csv": ("Samples CSV", "csv", "text/csv"),
}


def samples_export(recording: Recording) -> None:
    """Offer the recording on the screen without patient, dates and header text."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for kind in SAMPLE_KINDS:
            label, suffix, mime = FILES[kind]
            st.download_button(
                label,
                session.noting_export(
                    partial(samples_bytes, kind, recording), f"samples of {session.what_is_open(recording)}"
                ),
                file_name=f"{file_stem(recording)}.{suffix}",
                mime=mime,
                key=f"samples_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
        st.caption("The samples, de-identified: leads, rate and millivolts, and nothing about the patient.")


REPORTS = {"fhir": ("FHIR R4", "application/fhir+json"), "dicom-sr": ("DICOM SR", "application/dicom")}


def hospital_export(case: Case) -> None:
    """Offer measurements and answer as a FHIR bundle and as a DICOM report, without the patient."""
    with st.container(horizontal=True, vertical_alignment="center"):
        told = SubjectFacts(age_and_sex=st.toggle("With age and sex", key="hospital_age_and_sex"))
        for kind in HOSPITAL_KINDS:
            label, mime = REPORTS[kind]
            st.download_button(
                label,
                session.noting_export(
                    partial(hospital_bytes, kind, case.reading, case, subject=told),
                    f"{label} report of {session.what_is_open(case.recording)}",
                ),
                file_name=f"ecg-imn-report{HOSPITAL_SUFFIXES[kind]}", mime=mime, key=f"export_{kind}",
                on_click="ignore", icon=":material/download:",
            )  # fmt: skip
        st.caption(
            "Preliminary, for research: samples (FHIR), measurements, findings, the model's answer. No identifier."
        )


HTML = '<button title="Case, class and view as an address">Copy link</button> <span role="status"></span>'
CSS = """
button, span { font: inherit; font-family: var(--st-font); font-size: 0.875rem; color: var(--st-text-color); }
button { padding: 0.45rem 0.75rem; cursor: pointer; background: transparent; border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); }
"""
SCRIPT = (Path(__file__).parent / "copy_link.js").read_text(encoding="utf-8")


def copy_link(recording: Recording) -> None:
    """Offer the address of this view of a public case."""
    if recording.source != "upload":
        st.components.v2.component("copy_link", html=HTML, css=CSS, js=SCRIPT)(key="copy_link", width="content")


FEW_WINDOWS = 6  # fit a table without scrolling


def all_windows(model: Model) -> None:
    """Offer to explain all windows of the visitor's own recording, where it has more than one."""
    whole = session.own_recording()
    if whole is None or session.last_window(whole) == 0:
        return
    start, stop = session.window_start(), session.window_start() + own.own_window(whole).duration_s
    with st.container(horizontal=True, vertical_alignment="center"):
        asked = st.toggle("All windows", key="all_windows", persist_state="session")
        st.caption(f"Shown: {start:.4g} to {stop:.4g} s of {whole.duration_s:.4g} s.", width="content")
    if asked:
        _show(_found(whole, model), start, stop)


def _found(whole: Recording, model: Model) -> WindowLogits:
    found = own.kept_windows(whole.digest, model.card.sha256)
    if found is None:
        bar = st.progress(0.0, "Explaining all windows")
        found = explain_windows(
            whole, model, progress=lambda done, of: bar.progress(done / of, f"Window {done} of {of}")
        )
        bar.empty()
        own.keep_windows(found, whole.digest)
    return found


def _show(found: WindowLogits, start: float, stop: float) -> None:
    shown, logits = session.chosen_class(found.classes, found.highest_class), view_state.is_research()
    place = next(
        (place for place, window in enumerate(found.windows) if (window.start_s, window.stop_s) == (start, stop)), None
    )
    st.plotly_chart(
        timeline_figure(found, shown=shown, chosen=place, logits=logits, dark=session.is_dark()),
        theme=None,
        key="timeline",
        on_select=partial(own.open_window, "timeline", found),
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"{'Logit' if logits else 'Probability'} of {shown} and other classes over the windows of the recording",
    )
    st.dataframe(
        window_rows(found, logits=logits),
        key="window_table",
        on_select=partial(own.open_window, "window_table", found),
        selection_mode="single-row",
        hide_index=True,
        height="content" if len(found.windows) <= FEW_WINDOWS else 220,
        alt=f"{'Logit' if logits else 'Probability'} of every class in every window",
    )
    strongest = found.strongest(shown)
    where = f" {shown} is highest from {found.windows[strongest].words}." if strongest is not None else ""
    how = "each logit is exact for its own window" if logits else "the model reads each by itself"
    st.caption(f"The windows tile the recording; {how}.{where} Click one to open it.")


CHART = {"displayModeBar": False}
BARS = "beat_bars"


def beats(case: Case, seen: Evidence, *, dark: bool) -> None:
    """Show one beat and the evidence of all.

    B steps to the next beat, Shift and B back: arrow keys belong to the cases, and to the row of details once clicked.
    """
    name, recording, research = seen.name, case.recording, view_state.is_research()
    evidence = beat_by_beat(seen)
    if evidence is None:
        st.markdown(f"Beats — ({case.reading.reason})")
        return
    n_beats = len(evidence.beats)
    beat = evidence.beats[view_state.beat_of(recording, n_beats) - 1]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        step_to(recording, "Previous beat", "Shift+B", beat.number - 1, n_beats)
        step_to(recording, "Next beat", "B", beat.number + 1, n_beats)
        st.markdown(single_beat.beat_words(beat, n_beats, name, logits=research), width="content")
    st.caption(single_beat.median_words(beat, correlation=research))
    width_px = screen_for(session.window()).width_px
    if beat.stop > beat.start:
        figure = single_beat.single_beat_figure(
            beat_trace(beat, seen),
            name=name,
            longest=max(one.stop - one.start for one in evidence.beats),
            frame_mv=recording.signal,
            numbers=research,
            dark=dark,
            width_px=width_px,
        )
        alt = f"Beat {beat.number} of {n_beats} in each lead with its contribution to {name}"
        st.plotly_chart(figure, width="content", theme=None, key="single_beat", config=CHART, alt=alt)
    st.plotly_chart(
        single_beat.beats_figure(evidence, beat.number, logits=research, dark=dark, width_px=width_px),
        width="content",
        theme=None,
        key=BARS,
        config=CHART,
        alt=f"Contribution to {name} of each beat; beat {beat.number} is marked",
        on_select=lambda: _take(recording, evidence),
        selection_mode="points",
    )
    st.caption(single_beat.sum_words(evidence, logits=research))
    field = cached.get_field(f"{recording.digest} {case.card.sha256} {beat.r_s}", case, beat.r_s)
    st.caption(single_beat.field_words(field, research=research))


def step_to(recording: Recording, label: str, shortcut: str, number: int, n_beats: int) -> None:
    """Show a button, with a key, that goes to a beat; none before the first and behind the last."""
    st.button(
        label,
        shortcut=shortcut,
        on_click=view_state.choose_beat,
        args=(recording, number),
        disabled=not 1 <= number <= n_beats,
    )


def _take(recording: Recording, evidence: BeatByBeat) -> None:
    places = view_state.clicked(BARS)
    if places:
        view_state.choose_beat(recording, evidence.beats[places[0]].number)


ST_WIDTHS = {"Lead": 45, "J": 125, "J+60": 125, "J+80": 125, "Slope (mV/s)": 85, "ST shape": 110, "T (mV)": 60}
CRITERIA_WIDTHS = {"Criterion": 210, "Verdict": 110, "Measured": 260, "Leads": 130, "Wave": 55}
DETAILS = ("ST and T table", "Criteria", "Median beat", "Beats", "Box", "Polar view", "Note", "Export")
MIME = {
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "json": "application/json",
    "csv": "text/csv",
}


def show_details(case: Case, name: str, minus: str | None, view: View) -> None:
    """Let the reader open one more thing about the case, below the trace."""
    reading, evidence = case.reading, case.of(name, minus)
    with st.container(horizontal=True, vertical_alignment="center"):
        detail = st.segmented_control("More", DETAILS, key="detail", label_visibility="collapsed")
        widgets.about_case_toggle(reading.recording)
        st.toggle(
            "Reach of weights", key="reach", bind="query-params",
            help="Under the pointer: the stretch of all leads that holds 90 % of what the weights there depend on.",
        )  # fmt: skip
        copy_link(reading.recording)
    widgets.about_case(reading.recording)
    if detail == "ST and T table":
        st.dataframe(
            st_rows(reading),
            hide_index=True,
            height="content",
            row_height=30,
            alt="ST and T by lead",
            column_config={name: st.column_config.Column(width=width) for name, width in ST_WIDTHS.items()},
        )
        reference = view_state.st_reference()
        st.caption(f"Measured on the median beat of the unfiltered signal, against the {reference} level.")
        if view_state.is_research():
            st.caption(describe_concordance(case_concordance(evidence)))
    elif detail == "Criteria":
        show_criteria(evidence)
    elif detail == "Median beat":
        show_median_beat(evidence, dark=view.dark)
    elif detail == "Beats":
        beats(case, evidence, dark=view.dark)
    elif detail == "Box":
        box.by_numbers(reading.recording)
    elif detail == "Polar view":
        st.plotly_chart(
            polar_figure(reading.j60_mv, evidence.by_lead(), st_name="ST level at J+60", dark=view.dark),
            theme=None,
            key="polar",
            config=CHART,
            alt=f"ST level and contribution to {evidence.name} by lead",
        )
    elif detail == "Note":
        write_note(reading.recording)
    elif detail == "Export":
        show_export(case, name, minus, view)


def show_criteria(evidence: Evidence) -> None:
    """Show every textbook criterion, with what the model made of those of the class; a marked row marks its waves."""
    rows = criteria_rows(evidence.reading, reasons_of(evidence))
    if not rows:
        st.markdown(f"Criteria — ({evidence.reading.reason})")
        return
    st.dataframe(
        rows,
        key=view_state.CRITERIA,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=420,
        row_height=30,
        alt="Textbook criteria on this ECG",
        column_config={name: st.column_config.Column(width=width) for name, width in CRITERIA_WIDTHS.items()},
    )
    st.caption(
        "Select a row to see its waves on the trace. How often each agrees with PTB-XL's statements: docs/criteria.md."
    )


def show_median_beat(evidence: Evidence, *, dark: bool) -> None:
    """Show the median beat of each lead with the mean contribution to it."""
    reading, over_beats = evidence.reading, evidence_over_beats(evidence)
    if over_beats is None or reading.measurements is None or reading.measurements.beat.signal is None:
        st.markdown(f"Median beat — ({reading.measurements.beat.reason if reading.measurements else reading.reason})")
        return
    beat = reading.measurements.beat
    figure = median_beat_figure(
        beat.signal,
        beat.fs,
        over_beats.mean,
        over_beats.spread,
        remainder=over_beats.remainder,
        name=evidence.name,
        numbers=view_state.is_research(),
        dark=dark,
        width_px=screen_for(session.window()).width_px,
        beats_used=(reading.measurements.n_beats, reading.measurements.n_beats_found),
    )
    alt = f"Median beat of each lead with the mean contribution to {evidence.name}"
    st.plotly_chart(figure, width="content", theme=None, key="beat", config=CHART, alt=alt)


def write_note(recording: Recording) -> None:
    """Let the reader note something on the case; it is kept in this visit and nowhere else."""
    key = f"note {recording.digest}"
    st.text_area(
        "Note on this case", session.note_on(recording), key=key, max_chars=session.MAX_NOTE, height=100,
        on_change=session.take_note, args=(recording, key), placeholder="What you see; a question; a second opinion",
    )  # fmt: skip
    st.caption(
        "Kept while this window is open, then gone; never stored with the case, sent or put into a link. Export adds "
        "it to page, report and JSON if you ask for it there. Write nothing that says who the patient is."
    )


def show_export(case: Case, name: str, minus: str | None, view: View) -> None:
    """Offer the case as files: a page and a slide to show, then the whole report, values and samples."""
    salt = session.export_salt(case.recording)
    measured = cached.get_measured(case) if case.reading.waves is not None else None
    has_beat = case.reading.measurements is not None and case.reading.measurements.beat.signal is not None
    link = session.link_of(name) if case.recording.source != "upload" else ""
    grey = cached.get_grey_beat() if view_state.grey_wanted() else None
    written = session.note_on(case.recording)
    if written:
        st.toggle("With my note", key="export_note", help="On the page, in the report and in the JSON.")
    note = written if view_state.chosen("export_note") else ""
    with st.container(horizontal=True):
        for label, sheet, form in SHEETS:
            st.download_button(
                label,
                session.noting_export(
                    partial(
                        case_sheet, sheet, form, case, class_name=name, against=minus, measured=measured, view=view,
                        salt=salt, link=link, note=note, grey=grey,
                    ),
                    f"{label} of {session.what_is_open(case.recording)}",
                ),
                file_name=f"ecg-imn-{sheet}.{form}",
                mime=MIME[form],
                key=f"export_{sheet}_{form}",
                on_click="ignore",
                disabled=sheet == "slide" and not has_beat,
                icon=":material/print:" if sheet == "page" else ":material/co_present:",
            )  # fmt: skip
    with st.container(horizontal=True):
        for kind in EXPORT_KINDS:
            st.download_button(
                "Ledger CSV" if kind == "csv" else "JSON" if kind == "json" else f"Report {kind.upper()}",
                session.noting_export(
                    partial(
                        case_export,
                        kind,
                        case,
                        class_name=name,
                        against=minus,
                        view=view,
                        salt=salt,
                        measured=measured,
                        note=note,
                    ),
                    f"{kind.upper()} of {session.what_is_open(case.recording)}",
                ),
                file_name=f"ecg-imn-reading.{kind}",
                mime=MIME[kind],
                key=f"export_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
    st.caption(
        "The page to print or file is one A4 sheet: header, trace, mean beats, answer, criteria, measurements and key. "
        "Page and report are true to the millimetre; the slide is 16:9. No export holds the name of a file. The "
        "address of this page is a link to this view of a public case, and Copy link takes it along; a file of your "
        "own is never in it."
    )
    samples_export(case.recording)
    hospital_export(case)
    if not view_state.is_research():
        return
    with st.expander("View state"):
        st.json(
            session.case_in_link()
            | {"model": case.card.name, "class": name, "against": minus}
            | {"st_reference": view_state.st_reference()}
            | view.as_dict()
        )
