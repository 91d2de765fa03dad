"""Marks, boxes, tables and sentences against the verdicts, on drawn figures of composites and PTB-XL records."""

from __future__ import annotations

import re
from urllib.parse import unquote

import numpy as np
import pytest

from ecgimn.draw.colours import palette
from ecgimn.draw.marks import RAISED, st_marks
from ecgimn.draw.screen.ecg import ecg_figure
from ecgimn.draw.view import View
from ecgimn.draw.words.case import st_grid
from ecgimn.explain.case import Evidence
from ecgimn.explain.sentences import st_sentences
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.reading import read_signal
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


def test_every_mark_on_500_ptbxl_records_agrees_with_its_verdict():
    folder = open_ptbxl()
    if folder is None:
        pytest.skip(f"{FOLDER_VARIABLE} is not set")
    for ecg_id in np.random.default_rng(29).permutation(folder.ids(range(1, 10), fs=100))[:500]:
        reading = read_signal(folder.recording(int(ecg_id), fs=100), quick=True)
        if reading.waves is not None:
            assert_agrees(reading)


def test_the_colours_of_lowered_level_and_raised_differ():
    for dark in (False, True):
        assert len(set(palette(overlay=False, dark=dark).st_levels)) == RAISED + 1
