"""The picture of two ECGs: what is painted between the beats is the voltage's part of the change."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ecgimn.draw.painted import UNIT_S, difference_beat, overlaid_beat
from ecgimn.draw.print.case import difference_bytes
from ecgimn.draw.screen.mean_beat import difference_svg
from ecgimn.explain.difference import FIRST_BIN, change_line, difference
from ecgimn.signal.waves.find import WAVE_NAMES
from tests.explain.small_cases import small_case, small_model, synthetic

SHOWN = ("P", "PR", "QRS", "ST", "T")


@pytest.fixture(scope="module")
def found():
    model = small_model()
    return difference(small_case(synthetic(seed=1), model), small_case(synthetic(seed=2), model))


def test_the_painted_area_is_the_voltage_part_of_the_waves_on_the_beat(found):
    beat = difference_beat(found, "B")
    painted = beat.paint.rate.sum(axis=1) / (UNIT_S * beat.fs)
    for lead in range(12):
        waves = [WAVE_NAMES.index(name) for name in SHOWN if WAVE_NAMES.index(name) in beat.labels[lead]]
        booked = sum(found.voltage[1, lead, FIRST_BIN[wave] : FIRST_BIN[wave + 1]].sum() for wave in waves)
        assert painted[lead] == pytest.approx(booked, abs=1e-12)
    assert beat.shown == pytest.approx(painted.sum())
    np.testing.assert_allclose(beat.total, found.cells("B").sum(axis=1))


def test_nothing_is_painted_between_two_identical_beats():
    case = small_case()
    beat = difference_beat(difference(case, case), "A")
    assert not beat.paint.rate.any()
    assert all(beat.stretches(lead, beat.paint.largest) == [] for lead in range(12))


@pytest.mark.parametrize("dark", [False, True])
def test_the_svg_holds_twelve_panels_with_their_sums_and_both_dates(found, dark):
    beat = difference_beat(found, "A")
    svg = difference_svg(beat, name="A", size_px=(900, 600), earlier="1987-03-02", later="1990-01-01", dark=dark)
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    panels = [group for group in root.iter(f"{space}g") if group.get("data-lead")]
    assert len(panels) == 12
    assert sum(len(list(panel.iter(f"{space}polygon"))) for panel in panels) > 12
    assert "dashed: 1987-03-02" in root.get("aria-label")
    assert "nan" not in svg


def test_without_a_class_both_beats_are_drawn_and_nothing_is_painted_or_summed(found):
    beat = overlaid_beat(found.earlier.reading, found.later.reading)
    np.testing.assert_array_equal(beat.earlier_mv, difference_beat(found, "A").earlier_mv)
    svg = difference_svg(beat, name=None, size_px=(900, 600))
    assert svg.count("data-lead=") == 12
    assert svg.count("<path d='") == 12 * 3  # the level and two beats each
    for word in ("polygon", "class='sum'", "painted", "raises", "lowers", "nan"):
        assert word not in svg


def test_a_page_is_printed_with_and_without_a_painted_beat(found):
    assert difference_bytes("pdf", found, class_name="A", since="1987-03-02").startswith(b"%PDF")


def test_a_line_of_the_table_has_both_values_the_change_and_the_limit(found):
    row = next(row for row in found.changes if row.kind == "ST" and row.lead == "V2")
    assert change_line(row).startswith(f"ST in V2 {row.earlier:.2f}".replace("-", "−"))
    assert "(limit 0.10)" in change_line(row)
