"""Marks, boxes, tables and sentences against the verdicts, on drawn figures of composites and PTB-XL records."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

import numpy as np
import pytest

from ecgimn.draw.colours import palette
from ecgimn.draw.evidence import evidence_map
from ecgimn.draw.marks import RAISED, StMarks, beat_words, st_marks
from ecgimn.draw.paper import LAYOUTS
from ecgimn.draw.print.page import PageText, case_page_bytes
from ecgimn.draw.print.report import report_bytes
from ecgimn.draw.screen.ecg import ecg_figure
from ecgimn.draw.view import View
from ecgimn.draw.words.case import st_grid
from ecgimn.explain.case import Evidence
from ecgimn.explain.sentences import st_sentences
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.reading import read_signal
from ecgimn.signal.rhythm import Rhythm
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.composites.case import list_composites, load_composite
from ecgimn.sources.ptbxl import FOLDER_VARIABLE, open_ptbxl

VIEW = View("12x1")


def met(reading, kind):
    """Leads of a verdict that holds for everyone or someone, straight from the finding."""
    return {
        lead for item in reading.findings.items if item.kind == kind and item.verdict in ("meets", "depends")
        for lead in item.leads
    } & set(STANDARD_LEADS)  # fmt: skip


def evidence_of(reading):
    """Evidence of which nothing but the reading matters."""
    none = np.zeros((12, len(WAVE_NAMES)))
    return Evidence(reading, "MI", none, none, 0.0, 0.0, 0.0, 0.5, none, none, 0.0)


def assert_agrees(reading):
    """Everything that is said of ST and T of one recording says the same as its verdicts."""
    marks, figure = (
        st_marks(reading),
        ecg_figure(reading.recording, waves=reading.waves, st=st_marks(reading), view=VIEW),
    )
    raised, lowered, inverted = (met(reading, kind) for kind in ("ST elevation", "ST depression", "T inversion"))
    assert set(marks.outlined) == raised
    assert set(marks.lowered) == lowered
    assert set(marks.inverted) == inverted
    drawn = {
        text.split("<b>")[1].split("</b>")[0] for trace in figure.data if trace.name == "labels"
        for text in trace.text if "ST ▲" in text
    }  # fmt: skip
    assert drawn == raised
    assert len(figure.layout.shapes) == len(raised)
    svg = unquote(next(image.source for image in figure.layout.images if image.name == "paper"))
    assert ("id='ST 2'" in svg) == _has_segment(reading, raised)
    assert ("id='ST 0'" in svg) == _has_segment(reading, lowered - raised)
    assert ("id='T inverted'" in svg) == any(
        np.isfinite(reading.waves.t_onset[STANDARD_LEADS.index(lead)]).any() for lead in inverted
    )
    assert set(re.findall(r"\*\*(\w+) ▲\*\*", st_grid(reading))) == raised
    letters = [word for trace in figure.data if trace.name == "beats" for word in trace.text]
    rhythm = reading.rhythm
    assert letters.count("<b>V</b>") == len(rhythm.ventricular)
    assert letters.count("<b>S</b>") == len(rhythm.supraventricular)
    assert letters.count("<b>P</b>") == (len(rhythm.spiked) if rhythm.kind == "paced" else 0)
    assert sum("pause" in word for word in letters) == len(rhythm.pauses)
    if not reading.measurements.st:
        return
    (words,) = st_sentences(evidence_of(reading))
    verdict = reading.findings.of("ST elevation")[0].verdict
    assert words.startswith("ST elevation in") == bool(raised)
    assert words.startswith("ST elevation not judged") == (verdict == "withheld")
    assert words.startswith("No two neighbouring") == (not raised and verdict != "withheld")


def _has_segment(reading, leads):
    rows = [STANDARD_LEADS.index(lead) for lead in leads]
    return bool(np.isfinite(reading.waves.qrs_offset[rows] + reading.waves.t_onset[rows]).any())


@pytest.mark.parametrize("name", [case.name for case in list_composites()])
def test_every_mark_on_a_composite_agrees_with_its_verdict(name):
    assert_agrees(read_signal(load_composite(name)))


@pytest.mark.no_cover
def test_every_mark_on_500_ptbxl_records_agrees_with_its_verdict():
    folder = open_ptbxl()
    if folder is None:
        pytest.skip(f"{FOLDER_VARIABLE} is not set")
    for ecg_id in np.random.default_rng(29).permutation(folder.ids(range(1, 10), fs=100))[:500]:
        reading = read_signal(folder.recording(int(ecg_id), fs=100), quick=True)
        if reading.waves is not None:
            assert_agrees(reading)


STRIP = View("3x4+1R", overlay=False)


def labelled(rhythm, recording, waves, view=STRIP):
    """Marks of these beats, and what is written over the strip in the figure and in print."""
    at_s = waves.r_samples / waves.fs
    st = StMarks(beats=tuple((float(at_s[k]), letter) for k, letter in sorted(rhythm.beat_letters.items())),
                 pauses=rhythm.pauses)  # fmt: skip
    figure = ecg_figure(recording, waves=waves, st=st, view=view)
    return figure, beat_words(view.paper_for(recording, 45.0)[0], recording, st)


def test_each_ectopic_beat_and_pause_is_named_over_the_rhythm_strip(recording, waves):
    rhythm = Rhythm("sinus", "", (), supraventricular=(2,), ventricular=(5,), pauses=((7.2, 1.6),), n_beats=12)
    figure, words = labelled(rhythm, recording, waves)
    (drawn,) = (trace for trace in figure.data if trace.name == "beats")
    assert list(drawn.text) == ["<b>S</b>", "<b>V</b>", "<b>pause 1.6 s</b>"]
    layout = STRIP.paper_for(recording, 45.0)[0]
    strip = next(panel for panel in layout.panels if panel.rhythm)
    for x, at_s in zip(drawn.x, (*(waves.r_samples[[2, 5]] / waves.fs), 8.0), strict=True):
        assert x == pytest.approx(layout.time_mm(strip, at_s))
    near = recording.lead("II")[waves.r_samples[2] - 50 : waves.r_samples[2] + 50]
    assert drawn.y[0] > layout.voltage_mm(strip, near).max()
    assert [word for _, _, word in words] == ["S", "V", "pause 1.6 s"]
    assert "beats: V ventricular, S supraventricular" in figure.layout.annotations[0].text


def test_paced_beats_are_named_only_where_the_rhythm_is_paced(recording, waves):
    every = tuple(range(waves.n_beats))
    assert [word for _, _, word in labelled(Rhythm("paced", "", (), spiked=every), recording, waves)[1]] == [
        "P" for _ in every
    ]
    figure, words = labelled(Rhythm("sinus", "", (), spiked=(3,)), recording, waves)
    assert words == []
    assert all(trace.name != "beats" for trace in figure.data)


def test_print_names_the_same_beats_in_report_and_page(recording, waves, another_evidence):
    marks = StMarks(beats=((float(waves.r_samples[4] / waves.fs), "V"),), pauses=((6.0, 2.4),))
    drawn = evidence_map(another_evidence(recording, waves=waves), View())
    for svg in (
        report_bytes("svg", recording, waves=waves, st=marks),
        case_page_bytes("svg", recording, drawn, None, PageText("A page"), waves=waves, st=marks),
    ):
        text = html.unescape(svg.decode())
        for words in ("<!-- V -->", "<!-- pause 2.4 s -->", "beats: V ventricular"):
            assert words in text


def test_every_layout_names_each_beat_once_where_the_columns_follow_one_another(recording, waves):
    for layout in LAYOUTS:
        words = labelled(Rhythm("sinus", "", (), ventricular=(1, 6, 9)), recording, waves, View(layout, overlay=False))[
            1
        ]
        assert [word for _, _, word in words] == ["V"] * 3


def test_the_colours_of_lowered_level_and_raised_differ():
    for dark in (False, True):
        assert len(set(palette(overlay=False, dark=dark).st_levels)) == RAISED + 1
