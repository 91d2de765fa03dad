"""What lies one click below the trace: ST table, median beat, polar view, box by numbers, exports."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ecgimn.draw.beat import median_beat_figure
from ecgimn.draw.case_export import EXPORT_KINDS, case_export
from ecgimn.draw.polar import polar_figure
from ecgimn.draw.tables import st_rows
from ecgimn.draw.window import screen_for
from ecgimn.explain.concordance import case_concordance, describe_concordance
from ecgimn.explain.summary import evidence_over_beats
from pages import _box as box
from pages import _session as session
from pages import _session_view as view_state
from pages import _widgets as widgets
from pages._beats import beats
from pages._copy_link import copy_link
from pages._samples import samples_export
from pages._shown import Shown

CHART = {"displayModeBar": False}
ST_WIDTHS = {"Lead": 45, "J": 125, "J+60": 125, "J+80": 125, "Slope (mV/s)": 85, "ST shape": 110, "T (mV)": 60}
DETAILS = ("ST and T table", "Median beat", "Beats", "Box", "Polar view", "Export")
MIME = {
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "json": "application/json",
    "csv": "text/csv",
}


def show_details(case: Shown) -> None:
    """Let the reader open one more thing about the case, below the trace."""
    reading = case.reading
    with st.container(horizontal=True, vertical_alignment="center"):
        detail = st.segmented_control("More", DETAILS, key="detail", label_visibility="collapsed")
        widgets.about_case_toggle(reading.recording)
        st.toggle(
            "Reach of weights", key="reach", bind="query-params",
            help="Under the pointer: the stretch of all leads that holds 90 % of what the weights there hang on.",
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
        st.caption(describe_concordance(case_concordance(reading, case.table, case.name)))
    elif detail == "Median beat":
        show_median_beat(case)
    elif detail == "Beats":
        beats(reading, case.seen, case.table, case.card, dark=case.view.dark)
    elif detail == "Box":
        box.by_numbers(reading.recording)
    elif detail == "Polar view":
        st.plotly_chart(
            polar_figure(
                reading.j60_mv, case.table.by_lead(case.name), st_name="ST level at J+60", dark=case.view.dark
            ),
            theme=None,
            key="polar",
            config=CHART,
            alt=f"ST level and contribution to {case.name} by lead",
        )
    elif detail == "Export":
        show_export(case)


def show_median_beat(case: Shown) -> None:
    """Show the median beat of each lead with the mean contribution to it."""
    reading = case.reading
    evidence = evidence_over_beats(case.seen, reading, case.name)
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
        name=case.name,
        dark=case.view.dark,
        width_px=screen_for(session.window()).width_px,
        beats_used=(reading.measurements.n_beats, reading.measurements.n_beats_found),
    )
    alt = f"Median beat of each lead with the mean contribution to {case.name}"
    st.plotly_chart(figure, width="content", theme=None, key="beat", config=CHART, alt=alt)


def show_export(case: Shown) -> None:
    """Offer the case as files."""
    salt = session.export_salt(case.reading.recording)
    with st.container(horizontal=True):
        for kind in EXPORT_KINDS:
            st.download_button(
                "Ledger CSV" if kind == "csv" else kind.upper(),
                partial(
                    case_export,
                    kind,
                    case.reading,
                    case.explanation,
                    case.ledger,
                    class_name=case.first,
                    against=case.second,
                    view=case.view,
                    salt=salt,
                ),
                file_name=f"ecg-imn-reading.{kind}",
                mime=MIME[kind],
                key=f"export_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
    st.caption(
        "PDF, PNG and SVG are A4 and true to the millimetre. No export holds the name of a file. The address of this "
        "page is a link to this view of a public case, and Copy link takes it along; a file of your own is never in it."
    )
    samples_export(case.reading.recording)
    with st.expander("View state"):
        st.json(
            session.case_in_link()
            | {"model": case.card.name, "class": case.first, "against": case.second}
            | {"st_reference": view_state.st_reference()}
            | case.view.as_dict()
        )
