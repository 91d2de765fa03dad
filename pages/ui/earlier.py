"""The earlier ECG of the same patient: chosen by the reader, laid under the later one, and what changed in numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ecgimn.draw.charts.ledger import ledger_figure
from ecgimn.draw.painted import difference_beat, overlaid_beat
from ecgimn.draw.print.case import difference_bytes
from ecgimn.draw.screen.ecg import rooms_for
from ecgimn.draw.screen.mean_beat import difference_svg
from ecgimn.draw.words.case import change_rows
from ecgimn.errors import EcgImnError
from ecgimn.escape import for_markdown
from ecgimn.explain.as_json import difference_json
from ecgimn.explain.case import Case
from ecgimn.explain.difference import CaseDifference, Change, difference, difference_sentences
from ecgimn.formats import read_upload, start_reader
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES
from pages.ui import cache as cached
from pages.ui.case_bar import explained
from pages.ui.state import case as session
from pages.ui.state import upload as own
from pages.ui.state import view as view_state
from pages.ui.trace import picture
from pages.ui.upload import identity_of

CHART = {"displayModeBar": False}
ABOVE_PX = 250.0  # what stands above both mean beats
NORMAL = "norm"
ANOTHER_FILE = "another file"
NO_BEATS = "One of the two has no mean beat, so there is no picture of both."


def compare_with_earlier(case: Case, bar: DeltaGenerator) -> None:
    """Let the reader choose the earlier ECG in the bar, and show what is new since then."""
    with bar:
        chosen = _earlier_ecg()
        if chosen is None:
            return
        recording, since = chosen
        before = explained(recording, cached.model_of(case))
        found = difference(before, case)
        name = str(
            st.selectbox(
                "Class", found.classes, found.classes.index(found.most_changed), key="cmp_new_class",
                bind="query-params", width=130,
            )
        )  # fmt: skip
        _downloads(found, name, since)
    research = view_state.is_research()
    head, *sentences = difference_sentences(found, name, since or "the earlier ECG", logits=research)
    st.markdown(f"**{for_markdown(head)}** {' '.join(for_markdown(sentence) for sentence in sentences)}")
    rooms = rooms_for(session.window(), above_px=ABOVE_PX)
    width = rooms.trace.width_px
    left, right = st.container(), st.container()
    if rooms.beside:
        left, right = st.columns([width + 8, rooms.beats_px[0] + 8], gap="small")
    with left:
        show_difference(found, name, since, (width, rooms.beats_px[1]), "difference_beats")
    with right:
        show_changes(found.changes)
    if research:
        _parts(found, name)


def _earlier_ecg() -> tuple[Recording, str] | None:
    """Return the ECG chosen as the earlier one and its date; None where there is none, which is then said."""
    kind = session.source()
    if kind == "ptbxl":
        return _of_ptbxl()
    return _own_file() if kind == "file" else _composite()


def _of_ptbxl() -> tuple[Recording, str] | None:
    ptbxl = cached.current_ptbxl()
    if ptbxl is None:
        st.info("PTB-XL is not set up.", icon=":material/info:")
        return None
    ecg_id = session.ptbxl_id()
    records = ptbxl.same_patient(ecg_id)
    before = records[: records.index(ecg_id)]
    if not before:
        later = f" Later ones: {', '.join(map(str, records[1:]))}." if len(records) > 1 else ""
        st.info(f"PTB-XL has no earlier ECG of this patient.{later}", icon=":material/history:")
        return None
    dates = {record: f"{ptbxl.date(record) or 'no date'}, record {record}" for record in reversed(before)}
    chosen = int(
        st.selectbox(
            f"Earlier ECG of the same patient (this one: {ptbxl.date(ecg_id) or 'no date'})", list(dates),
            format_func=dates.__getitem__, key=f"cmp_earlier {ecg_id}", width=330,
        )
    )  # fmt: skip
    try:
        return cached.get_best_record(chosen), ptbxl.date(chosen)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return None


def _composite() -> tuple[Recording, str]:
    titles = {one.name: f"{one.title} (mean of {one.n_patients})" for one in cached.get_composites()}
    names = list(titles)
    name = st.selectbox(
        "In place of the earlier ECG", names, names.index(NORMAL) if NORMAL in names else 0,
        format_func=titles.__getitem__, key="cmp_earlier_composite", bind="query-params", width=300,
        help="Composites are means of many patients: an exercise, and no patient's course.",
    )  # fmt: skip
    return cached.get_composite(str(name)), ""


def _own_file() -> tuple[Recording, str] | None:
    """Take another file of this visit, or read one; that it is of the same patient is the reader's to say."""
    listed = session.own_files()
    names = [name for name in listed if name != session.own_key()][::-1]
    if names:
        name = st.selectbox(
            "Earlier ECG of the same patient", [*names, ANOTHER_FILE], key=f"earlier_own {session.own_key()}",
            width=330, format_func=lambda name: name if name == ANOTHER_FILE else listed[name].record_name,
        )  # fmt: skip
        if name != ANOTHER_FILE:
            return _if_confirmed(listed[str(name)], str(name))
    files = st.file_uploader(
        "Earlier ECG of the same patient", accept_multiple_files=True, key=session.widget_key("earlier_upload"),
        on_change=start_reader, width=330,
    )  # fmt: skip
    if not files:
        st.caption("Nothing in a file is taken for who the patient is or when it was recorded.", width="content")
        return None
    named = {file.name: file.getvalue() for file in files}
    identity = identity_of(named)
    return _if_confirmed(_read(named, identity), identity)


def _if_confirmed(recording: Recording | None, identity: str) -> tuple[Recording, str] | None:
    """Return the earlier ECG once the reader has said that both are of one patient."""
    same = st.checkbox(
        "Both ECGs are of the same patient, and this one is the earlier",
        key=f"earlier_confirmed {session.own_key()} {identity}",  # of this pair and no other
    )
    if recording is None or not same:
        return None
    return recording.window(0.0), ""


def _read(files: Mapping[str, bytes], identity: str) -> Recording | None:
    known = own.earlier_recording(identity)
    if known is not None:
        return known
    try:
        with st.spinner("Reading the file"):
            recording = read_upload(files)
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return None
    own.keep_earlier(identity, recording)
    return recording


def _downloads(found: CaseDifference, name: str, since: str) -> None:
    with st.popover("Export", icon=":material/download:"):
        st.download_button(
            "Page (PDF)", lambda: difference_bytes("pdf", found, class_name=name, since=since),
            file_name="ecg-difference.pdf", mime="application/pdf", on_click="ignore", key="difference_pdf",
        )  # fmt: skip
        st.download_button(
            "Numbers (JSON)", lambda: json.dumps(difference_json(found, since), indent=1),
            file_name="ecg-difference.json", mime="application/json", on_click="ignore", key="difference_json",
        )  # fmt: skip


def show_difference(found: CaseDifference, name: str, since: str, size_px: tuple[float, float], key: str) -> None:
    """Show both mean beats with the change between them painted for a class."""
    beat = difference_beat(found, name)
    if beat is None:
        st.info(NO_BEATS, icon=":material/info:")
        return
    markup = difference_svg(
        beat, name=name, size_px=size_px, earlier=since or "earlier ECG", later="this ECG",
        numbers=view_state.is_research(), dark=session.is_dark(),
    )  # fmt: skip
    picture(markup, key)


def show_both_beats(earlier: SignalReading, later: SignalReading, size_px: tuple[float, float], key: str) -> None:
    """Show both mean beats over one another, without anything that a model or a data set says."""
    beat = overlaid_beat(earlier, later)
    if beat is None:
        st.info(NO_BEATS, icon=":material/info:")
        return
    markup = difference_svg(
        beat, name=None, size_px=size_px, earlier="earlier ECG", later="this ECG", dark=session.is_dark()
    )
    picture(markup, key)


def show_changes(changes: Sequence[Change]) -> None:
    """List the measurements of both ECGs, those changed beyond day-to-day variability first."""
    rows = change_rows(changes)
    if not rows:
        st.markdown("Measurements of one of the two are missing.")
        return
    n_beyond = sum(bool(row["beyond"]) for row in rows)
    st.markdown(f"**{n_beyond} of {len(rows)} measurements** changed beyond day-to-day variability")
    st.dataframe(
        rows,
        hide_index=True,
        height=430,
        column_config={
            "beyond": st.column_config.TextColumn("", width=30),
            "source": st.column_config.TextColumn("source of the limit", width="large"),
        },
        alt="Measurements of both ECGs with their change and its limit",
    )


def _parts(found: CaseDifference, name: str) -> None:
    """Show the two parts of the change by lead and wave on one scale."""
    parts = {part: found.cells(name, part) for part in ("voltage", "weights")}
    limit = max(float(abs(cells).max()) for cells in parts.values()) or 1.0
    k = found.classes.index(name)
    others = float(found.bias[k] + found.baseline[k])
    st.caption(
        f"The change of {found.logit[k]:+.2f} logit for {name} is voltage {parts['voltage'].sum():+.2f} + weights "
        f"{parts['weights'].sum():+.2f} + bias and baseline {others:+.2f}, exact to {found.residual:.0e}. Voltage: "
        "mean weights times change of voltage. Weights: the network looked at the wave in another way."
    )
    for column, (part, cells) in zip(st.columns(2, gap="medium"), parts.items(), strict=True):
        with column:
            st.markdown(f"From the {part}")
            st.plotly_chart(
                ledger_figure(cells, STANDARD_LEADS, WAVE_NAMES, limit=limit, dark=session.is_dark()),
                theme=None, key=f"difference_{part}", config=CHART,
                alt=f"Change of {name} by lead and wave that came from the {part}",
            )  # fmt: skip
