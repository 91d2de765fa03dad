"""A box on the paper is read as the leads and the moments that are drawn there, in every layout."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.draw.paper import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S, Panel, PaperLayout, paper_layout
from ecgimn.draw.screen.ecg import ecg_figure
from ecgimn.draw.screen.live import box_at, box_frames, ready_for_boxes
from ecgimn.draw.view import View
from ecgimn.explain.box import Box
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.recording import Recording


def quiet(signal: np.ndarray | None = None, fs: float = 100.0) -> Recording:
    """A recording on its baseline, but for what is put there."""
    flat = np.zeros((12, round(10 * fs)), dtype=np.float32)
    return Recording(flat if signal is None else signal, fs)


def around(layout: PaperLayout, panel: Panel, start_s: float, stop_s: float, half_mm: float = 2.0) -> tuple:
    """Corners of a box about a stretch of a panel's baseline."""
    x = [float(layout.time_mm(panel, time)) for time in (start_s, stop_s)]
    return x, [panel.baseline_mm - half_mm, panel.baseline_mm + half_mm]


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("cabrera", [False, True])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_box_about_a_lead_is_read_as_that_lead_and_its_time(name: str, cabrera: bool, simultaneous: bool) -> None:
    recording = quiet()
    layout = paper_layout(name, 10.0, cabrera=cabrera, simultaneous=simultaneous)
    assert {panel.lead for panel in layout.panels} == set(STANDARD_LEADS)
    for panel in layout.panels:
        start_s, stop_s = panel.start_s + 0.3, panel.start_s + 0.7
        box = box_at(layout, recording, *around(layout, panel, start_s, stop_s))
        assert box is not None
        assert box.leads == (panel.lead,)  # "-aVR" is drawn, aVR is meant
        assert box.start_s == pytest.approx(start_s)
        assert box.stop_s == pytest.approx(stop_s)


@pytest.mark.parametrize("gain", GAINS_MM_PER_MV)
@pytest.mark.parametrize("speed", SPEEDS_MM_PER_S)
def test_width_and_height_are_millimetres_over_speed_and_gain(speed: float, gain: float) -> None:
    layout = paper_layout("12x1", 10.0, speed=speed, gain=gain)
    panel = layout.panels[7]
    left = layout.time_mm(panel, 1.0)
    box = box_at(layout, quiet(), [left + 10, left], [panel.baseline_mm + 4, panel.baseline_mm - 1])  # any corner first
    assert box is not None
    assert box.stop_s - box.start_s == pytest.approx(10 / speed)
    assert box.height_mv == pytest.approx(5 / gain)


def test_a_box_on_the_second_sheet_is_read_in_its_own_time() -> None:
    layout = paper_layout("12x1", 10.0, speed=50.0, page=1)
    panel = layout.panels[0]
    assert panel.start_s == 5.0
    box = box_at(layout, quiet(), *around(layout, panel, 7.0, 7.5))
    assert box is not None
    assert (box.start_s, box.stop_s) == (pytest.approx(7.0), pytest.approx(7.5))


def test_a_box_over_several_rows_means_every_lead_whose_trace_runs_through_it() -> None:
    layout = paper_layout("12x1", 10.0)
    rows = {panel.lead: panel.baseline_mm for panel in layout.panels}
    box = box_at(layout, quiet(), [60, 80], [rows["V4"] - 3, rows["V1"] + 3])
    assert box is not None
    assert box.leads == ("V1", "V2", "V3", "V4")


def test_a_tall_wave_in_the_next_row_is_read_as_its_own_lead() -> None:
    """A T wave of 12 mm ends nearer to the baseline above it than to its own."""
    signal = np.zeros((12, 1000), dtype=np.float32)
    signal[lead_index("V3"), 200:240] = 1.1
    layout = paper_layout("12x1", 10.0)
    panel = next(panel for panel in layout.panels if panel.lead == "V3")
    x = [float(layout.time_mm(panel, time)) for time in (2.0, 2.4)]
    box = box_at(layout, quiet(signal), x, [panel.baseline_mm + 7, panel.baseline_mm + 14])
    assert box is not None
    assert box.leads == ("V3",)


def test_where_no_trace_is_inside_the_nearest_row_is_meant() -> None:
    layout = paper_layout("12x1", 10.0)
    panel = next(panel for panel in layout.panels if panel.lead == "aVL")
    box = box_at(layout, quiet(), [50, 60], [panel.baseline_mm + 2, panel.baseline_mm + 5])
    assert box is not None
    assert box.leads == ("aVL",)


def test_a_box_over_a_change_of_leads_is_read_in_the_column_that_holds_most_of_it() -> None:
    layout = paper_layout("3x4+1R", 10.0)
    second = next(panel for panel in layout.panels if panel.lead == "aVR")
    x = [second.x0_mm - 2, second.x0_mm + 8]
    box = box_at(layout, quiet(), x, [second.baseline_mm - 3, second.baseline_mm + 3])
    assert box is not None
    assert box.leads == ("aVR",)
    assert (box.start_s, box.stop_s) == (pytest.approx(2.5), pytest.approx(2.5 + 8 / 25))


def test_a_box_on_the_rhythm_strip_means_its_lead_also_where_columns_are_simultaneous() -> None:
    layout = paper_layout("3x4+1R", 10.0, simultaneous=True)
    strip = next(panel for panel in layout.panels if panel.rhythm)
    box = box_at(layout, quiet(), *around(layout, strip, 6.0, 6.5))
    assert box is not None
    assert box.leads == ("II",)
    assert (box.start_s, box.stop_s) == (pytest.approx(6.0), pytest.approx(6.5))
    over_all = [strip.baseline_mm - 3, layout.height_mm]
    several = box_at(layout, quiet(), [layout.time_mm(strip, 6.0), layout.time_mm(strip, 6.4)], over_all)
    assert several is not None  # V1 to V3 show 1.0 s there, the strip shows 6 s: never both
    assert several.leads in (("II",), ("V1", "V2", "V3"))


def test_beside_the_paper_and_by_a_slip_of_the_hand_there_is_no_box() -> None:
    layout = paper_layout("12x1", 10.0)
    y = [layout.panels[0].baseline_mm - 2, layout.panels[0].baseline_mm + 2]
    assert box_at(layout, quiet(), [0.0, 5.0], y) is None  # the calibration pulse
    assert box_at(layout, quiet(), [100.0, 100.1], y) is None


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_frame_lies_where_the_box_was_read(name: str) -> None:
    layout = paper_layout(name, 10.0, cabrera=True)
    recording = quiet()
    for lead in ("aVR", "V5", "II"):
        panel = next(p for p in layout.panels if p.lead == lead and not p.rhythm)
        box = Box((lead,), panel.start_s + 0.5, panel.start_s + 0.9)
        frames = box_frames(layout, box)
        assert len(frames) == sum(p.lead == lead and p.start_s <= box.start_s < p.stop_s for p in layout.panels)
        for frame in frames:
            again = box_at(layout, recording, [frame["x0"], frame["x1"]], [frame["y0"], frame["y1"]])
            assert again is not None
            assert again.leads == box.leads
            assert (again.start_s, again.stop_s) == (pytest.approx(box.start_s), pytest.approx(box.stop_s))


def test_a_box_that_is_not_drawn_has_no_frame() -> None:
    layout = paper_layout("3x4+1R", 10.0)
    assert box_frames(layout, Box(("V1",), 0.5, 1.0)) == []  # V1 is drawn from 5 s to 7.5 s


def test_frames_are_added_to_a_copy_and_names_of_leads_are_not_faded_by_a_box() -> None:
    recording = quiet(fs=100.0)
    figure = ecg_figure(recording, view=View("12x1"))
    layout, _ = View("12x1").paper_for(recording, 45.0)
    frames = box_frames(layout, Box(("V1", "V2"), 1.0, 2.0))
    with_frames = ready_for_boxes(figure, frames)
    assert [shape.name for shape in with_frames.layout.shapes if shape.name] == ["box V1", "box V2"]
    assert len(figure.layout.shapes) == len(with_frames.layout.shapes) - 2
    assert with_frames.layout.dragmode == "select"
    labels = next(trace for trace in with_frames.data if trace.name == "labels")
    assert labels.selected.textfont.color is not None
