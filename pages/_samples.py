"""The samples themselves to take away: a de-identified copy as WFDB, DICOM or CSV."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ecgimn.formats.export import SAMPLE_KINDS, file_stem, samples_bytes
from ecgimn.recording import Recording

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
                partial(samples_bytes, kind, recording),
                file_name=f"{file_stem(recording)}.{suffix}",
                mime=mime,
                key=f"samples_{kind}",
                on_click="ignore",
                icon=":material/download:",
            )
        st.caption("The samples, de-identified: leads, rate and millivolts, and nothing about the patient.")
