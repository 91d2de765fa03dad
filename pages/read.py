"""Reading room: one ECG, what the model says about it, and which millivolts of which lead and wave said it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ecgimn.draw.beat import median_beat_figure
from ecgimn.draw.case_export import EXPORT_KINDS, case_export
from ecgimn.draw.case_report import st_marks
from ecgimn.draw.charts import ledger_figure, waterfall_figure
from ecgimn.draw.ecg import ecg_figure
from ecgimn.draw.polar import polar_figure
from ecgimn.draw.tables import interval_values, st_grid, st_rows, subject_words
from ecgimn.draw.view import View
from ecgimn.draw.window import column_shares, screen_for
from ecgimn.errors import EcgImnError
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger, make_ledger
from ecgimn.explain.narrative import describe_evidence
from ecgimn.explain.summary import EvidenceSum, class_chips, evidence_over_beats, most_probable, sum_of_evidence
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.card import ModelCard
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves import WAVE_NAMES
from pages import _box as box
from pages import _cached as cached
from pages import _session as session
from pages import _widgets as widgets
from pages._view_settings import view_settings
from pages._windows import all_windows

session.run_under_app()

BADGES = {
    "meets": (":material/priority_high:", "violet"),
    "depends": (":material/help:", "orange"),
    "withheld": (":material/block:", "orange"),
    "note": (":material/info:", "blue"),
    "does not meet": (":material/remove:", "gray"),
}
CHART = {"displayModeBar": False}
ST_WIDTHS = {"Lead": 45, "J": 125, "J+60": 125, "J+80": 125, "Slope (mV/s)": 85, "ST shape": 110, "T (mV)": 60}
DETAILS = ("ST and T table", "Median beat", "Box", "Polar view", "Export")
MIME = {
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "json": "application/json",
    "csv": "text/csv",
}
HELP = """
**Keys.** ← → previous and next case · O evidence on and off · L layout · K next class · H this help.

**The trace** is paper: lines at 1 mm and 5 mm, a pulse of 1 mV and 200 ms, one scale for all leads. The footer names
speed, gain, filter, and how much of the evidence a layout leaves out.

**The evidence.** For this very recording the network wrote a linear model. Orange behind a lead raises the score of the
class shown, blue lowers it; the strip below each lead says the same by area above and below its line. All contributions
and the bias add up to the printed logit, and the badge says how closely.

**Contribution** is weight times voltage. **Weights** say what a millivolt would do there, whatever the voltage is.

**The ledger** books every sample under its lead and wave. Its total and the bias make the logit.

**ST and T** are measured on the median beat of the unfiltered signal. Thresholds are those of the Fourth Universal
Definition (2018). A verdict says "meets" or "does not meet" a threshold and nothing more; it is withheld, with the
reason, where QRS is wide, voltage is high, the rhythm is paced or quality is poor.

**The chips** print the probability of each label as used in PTB-XL. Labels are not exclusive. The star marks those at
or above their operating point (Youden, fold 9).
"""


@st.dialog("How to read this page", width="large")
def show_help() -> None:
    st.markdown(HELP)


@st.fragment
def read_case(reading: SignalReading, explanation: Explanation, ledger: Ledger, card: ModelCard) -> None:
    shown = session.chosen_class(explanation.classes, most_probable(explanation))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        widgets.class_chips(class_chips(explanation, card.thresholds.get("youden", ())), shown)
        widgets.quantity_chips()
        widgets.keyboard_buttons(explanation.classes)
        view, screen = view_settings(explanation.index(shown), n_members=card.members)
        if st.button("Help", shortcut="H"):
            show_help()
    session.write_link(shown)
    total = sum_of_evidence(explanation, ledger, shown)
    figure = ecg_figure(
        reading.recording,
        explanation,
        view=view,
        waves=reading.waves,
        st=st_marks(reading),
        screen=screen,
        isoelectric_mv=reading.levels,
    )
    left, right = st.columns(column_shares(figure.layout.width, session.window()), gap="small")
    with left:
        what = f"{view.quantity} to {shown} behind the leads" if view.overlay else "evidence hidden"
        alt = f"12-lead ECG, layout {view.layout}, {what}; {shown} {total.equation}"
        box.trace(figure, reading.recording, view, alt)
        st.markdown("\n\n".join(describe_evidence(ledger, shown, reading)))
        show_details(reading, explanation, ledger, shown, view)
    with right:
        box.answers(reading, explanation, card, shown)
        show_sum(ledger, total, view)
        show_measurements(reading)
        st.markdown(f"**Ledger of {shown}**, logit by lead and wave")
        st.plotly_chart(
            ledger_figure(ledger.of(shown), STANDARD_LEADS, WAVE_NAMES, dark=view.dark),
            theme=None,
            key="ledger",
            config=CHART,
            alt=f"Ledger of {shown}: logit by lead and wave",
        )
        for text in (*reading.quality.warnings, *reading.recording.notes):
            st.text(text)


def draw_tracing_alone(recording: Recording) -> None:
    """Draw the ECG as it is, where no model may speak."""
    figure = ecg_figure(recording, view=View(dark=session.is_dark()), screen=screen_for(session.window()))
    st.plotly_chart(figure, width="content", theme=None, key="ecg", config=CHART, alt="12-lead ECG without evidence")


def show_sum(ledger: Ledger, total: EvidenceSum, view: View) -> None:
    with st.container(gap="xsmall"):
        st.markdown(f"**{total.class_name}** {total.equation}")
        if total.exact:
            st.badge(
                f"sums to the logit within {total.residual:.0e}, before rounding",
                icon=":material/check:",
                color="green",
            )
        else:
            st.badge(f"does not sum to the logit: {total.residual:.2g} off", icon=":material/error:", color="red")
        st.plotly_chart(
            waterfall_figure(
                total.bias,
                [*ledger.by_territory(total.class_name).items(), *total.offset_line],
                total.logit,
                dark=view.dark,
                height_px=190,
            ),
            theme=None,
            key="waterfall",
            config=CHART,
            alt=f"From bias to logit of {total.class_name} by territory",
        )


def show_measurements(reading: SignalReading) -> None:
    if reading.measurements is None:
        st.markdown(f"Measurements — ({reading.reason})")
        return
    with st.container(gap="xsmall"):
        values = interval_values(reading)
        st.markdown(" · ".join(f"{value.name} **{value.text}**" for value in values))
        for value in values:
            if value.note:
                st.caption(f"{value.name}: {value.note}")
        st.markdown(f"**ST at J+60** in mV (1 mm = 0.1 mV), reference {reading.measurements.reference}")
        st.markdown(st_grid(reading) or f"— ({reading.measurements.reason})")
        items = reading.findings.items if reading.findings else ()
        for item in sorted(items, key=lambda item: list(BADGES).index(item.verdict)):
            icon, colour = BADGES[item.verdict]
            st.markdown(f":{colour}[{icon}] {item.text}", help=item.reason or None)
        st.caption(f"Thresholds for: {subject_words(reading)}. One tracing cannot say whether a change is new.")


def show_details(reading: SignalReading, explanation: Explanation, ledger: Ledger, shown: str, view: View) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        detail = st.segmented_control("More", DETAILS, key="detail", label_visibility="collapsed")
        widgets.about_case_toggle(reading.recording)
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
        st.caption("Measured on the median beat of the unfiltered signal, against the reference level before QRS.")
    elif detail == "Median beat":
        show_median_beat(reading, explanation, shown, view)
    elif detail == "Box":
        box.by_numbers(reading.recording)
    elif detail == "Polar view":
        st.plotly_chart(
            polar_figure(reading.j60_mv, ledger.by_lead(shown), st_name="ST level at J+60", dark=view.dark),
            theme=None,
            key="polar",
            config=CHART,
            alt=f"ST level and contribution to {shown} by lead",
        )
    elif detail == "Export":
        show_export(reading, explanation, ledger, shown, view)


def show_median_beat(reading: SignalReading, explanation: Explanation, shown: str, view: View) -> None:
    evidence = evidence_over_beats(explanation, reading, shown)
    if evidence is None or reading.measurements is None or reading.measurements.beat.signal is None:
        st.markdown(f"Median beat — ({reading.measurements.beat.reason if reading.measurements else reading.reason})")
        return
    beat = reading.measurements.beat
    figure = median_beat_figure(
        beat.signal,
        beat.fs,
        evidence.mean,
        evidence.spread,
        remainder=evidence.remainder,
        name=shown,
        dark=view.dark,
        width_px=screen_for(session.window()).width_px,
        beats_used=(reading.measurements.n_beats, reading.measurements.n_beats_found),
    )
    alt = f"Median beat of each lead with the mean contribution to {shown}"
    st.plotly_chart(figure, width="content", theme=None, key="beat", config=CHART, alt=alt)


def show_export(reading: SignalReading, explanation: Explanation, ledger: Ledger, shown: str, view: View) -> None:
    salt = session.export_salt(reading.recording)
    with st.container(horizontal=True):
        for kind in EXPORT_KINDS:
            st.download_button(
                "Ledger CSV" if kind == "csv" else kind.upper(),
                partial(case_export, kind, reading, explanation, ledger, class_name=shown, view=view, salt=salt),
                file_name=f"ecg-imn-reading.{kind}",
                mime=MIME[kind],
                key=f"export_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
    st.caption(
        "PDF, PNG and SVG are A4 and true to the millimetre. No export holds the name of a file. The address of this "
        "page is a link to this view of a public case; a file of your own is never in it."
    )
    with st.expander("View state"):
        st.json(view.as_dict())


bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
recording = widgets.case_line(bar)
if recording is None:
    session.write_link(None)
    st.stop()
try:
    card = session.current_card()
    model = session.current_model()
except EcgImnError as exc:
    widgets.status_line(bar, recording, None)
    st.error(str(exc), icon=":material/error:")
    draw_tracing_alone(recording)
    st.stop()
widgets.status_line(bar, recording, card, cached.device_name(model.device.type))
if recording.source == "upload":
    all_windows(card, model)
reading = cached.get_reading(cached.identity(recording), recording)
if not reading.quality.usable:
    for refusal in reading.quality.refusals:
        st.warning(refusal, icon=":material/block:")
    if not session.has_gone_on(recording):
        st.button("Ask the model all the same", on_click=session.go_on, args=(recording,))
        draw_tracing_alone(recording)
        st.stop()
explanation = cached.get_explanation(recording.digest, card.sha256, recording, model)
ledger = make_ledger(explanation, recording, reading.waves, reading.levels)
read_case(reading, explanation, ledger, card)
