"""Painted evidence read back off the picture: colour times width is the contribution, to the ledger's last cell."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ecgimn import list_composites, load_composite, load_model, open_ptbxl, read_signal
from ecgimn.draw.colours import N_STEPS, TRANSPARENT, evidence_colours
from ecgimn.draw.evidence import EvidenceMap, evidence_map, overlay_indices, painted_png
from ecgimn.draw.painted import LEAST_MM, PAINT_COLUMNS_PER_MM, PAINT_POWER, PAINT_ROWS_PER_MM, UNIT_S, make_paint
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.draw.screen.ecg import ecg_figure
from ecgimn.draw.view import View
from ecgimn.explain.case import Evidence, case_of, open_case
from ecgimn.explain.explanation import explain
from ecgimn.leads import lead_index
from ecgimn.signal.waves.find import WAVE_NAMES
from tests.draw.colour_values import evidence_value
from tests.draw.conftest import make_evidence, make_recording, make_waves

TWELVE = View("12x1", gain=5.0)  # every sample, and no lead reaches as far as the next


def picture_of(evidence: Evidence, view: View) -> np.ndarray:
    """Return the painted picture of a figure as rows of the scale, from the bytes that a browser gets."""
    figure = ecg_figure(evidence.recording, evidence, view=view, waves=evidence.reading.waves)
    source = next(image for image in figure.layout.images if image.name == "evidence").source
    rgba = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGBA"))
    known = {int(r) << 16 | int(g) << 8 | int(b): step for step, (r, g, b) in enumerate(evidence_colours(paint=True))}
    painted = rgba[..., 3] > 0
    colour = rgba[painted].astype(np.uint32)
    codes, place = np.unique(colour[:, 0] << 16 | colour[:, 1] << 8 | colour[:, 2], return_inverse=True)
    index = np.full(painted.shape, TRANSPARENT, dtype=np.uint8)
    index[painted] = np.array([known[code] for code in codes.tolist()], dtype=np.uint8)[place]
    return index


def steps_of(
    picture: np.ndarray, layout: PaperLayout, panel: Panel, evidence: Evidence
) -> tuple[np.ndarray, np.ndarray]:
    """Return the step of the scale in each column of a panel, of the dot that touches its isoelectric line on the side
    of the trace, and the middle of each column in seconds."""
    lead, fs = lead_index(panel.lead), evidence.recording.fs
    level = float(evidence.reading.levels[lead])
    line = round((layout.height_mm - float(layout.voltage_mm(panel, level))) * PAINT_ROWS_PER_MM)
    left = round((panel.x0_mm - layout.origin_mm) * PAINT_COLUMNS_PER_MM)
    n_columns = round(layout.panel_width_mm(panel) * PAINT_COLUMNS_PER_MM)
    middle_s = panel.start_s + (np.arange(n_columns) + 0.5) * (panel.stop_s - panel.start_s) / n_columns
    drawn = panel.samples(fs, evidence.recording.n_samples)
    row = np.asarray(evidence.recording.signal[lead, drawn], dtype=np.float64) - level
    upward = panel.sign * np.nan_to_num(np.interp(middle_s * fs - drawn.start, np.arange(row.size), row)) >= 0
    columns = np.arange(left, left + n_columns)
    steps = picture[np.where(upward, line - 1, line), columns]
    return np.where(steps == TRANSPARENT, N_STEPS, steps).astype(int), middle_s


def by_wave(wave: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.bincount(wave, weights=values, minlength=len(WAVE_NAMES))


def read_back(evidence: Evidence, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the ledger off a painted figure: sums by lead and wave, and how far rounding can take each.

    Colours are rounded to a step of the scale, and a column across the border of two waves counts for the one at its
    middle. The third array is the contribution of the samples that the picture shows, by lead and wave.
    """
    reading, recording = evidence.reading, evidence.recording
    layout, _ = view.paper_for(recording, 45.0)
    picture = picture_of(evidence, view)
    limit = evidence_map(evidence, view).limit
    found, slack, wanted = (np.zeros((12, len(WAVE_NAMES))) for _ in range(3))
    for panel in layout.panels:
        lead, drawn = lead_index(panel.lead), panel.samples(recording.fs, recording.n_samples)
        steps, middle_s = steps_of(picture, layout, panel, evidence)
        labels, exact = reading.waves.labels[lead, drawn], evidence.contribution[lead, drawn]
        value = evidence_value(steps, limit, PAINT_POWER)
        half = np.max([np.abs(evidence_value(steps + way, limit, PAINT_POWER) - value) for way in (-0.5, 0.5)], axis=0)
        width_s = (panel.stop_s - panel.start_s) / steps.size
        wave = labels[np.clip(np.round(middle_s * recording.fs).astype(int) - drawn.start, 0, labels.size - 1)]
        found[lead] += by_wave(wave, value * width_s / UNIT_S)
        slack[lead] += by_wave(wave, half * width_s / UNIT_S)
        wanted[lead] += by_wave(labels, exact)
        near = int(np.ceil(width_s * recording.fs)) + 1
        for border in np.flatnonzero(np.diff(labels)) + 1:
            edge = np.abs(exact[max(border - near, 0) : border + near]).sum()
            slack[lead, labels[border - 1]] += edge
            slack[lead, labels[border]] += edge
    return found, slack, wanted


def assert_sums_to_the_ledger(evidence: Evidence) -> None:
    found, slack, wanted = read_back(evidence, TWELVE)
    np.testing.assert_allclose(wanted, evidence.cells, atol=1e-9)  # 12x1 shows every sample
    assert (np.abs(found - evidence.cells) <= slack + 1e-9).all()
    # Rounding goes both ways, so whole leads and the whole are far nearer than that.
    strength = np.abs(evidence.cells).sum()
    np.testing.assert_allclose(found.sum(axis=1), evidence.cells.sum(axis=1), atol=0.01 * strength)
    assert found.sum() == pytest.approx(evidence.cells.sum(), abs=0.01 * strength)


@pytest.mark.parametrize("fs", [100.0, 257.0, 500.0, 1000.0])
@pytest.mark.parametrize("level", [0.0, 0.13])
def test_the_painted_area_times_its_colour_sums_to_the_ledger(fs, level):
    recording = make_recording(fs)
    assert_sums_to_the_ledger(make_evidence(recording, waves=make_waves(recording), levels=level))


@pytest.fixture(scope="module")
def default_model():
    return load_model()


@pytest.mark.no_cover
@pytest.mark.parametrize("name", [composite.name for composite in list_composites()])
def test_every_composite_case_sums_to_the_ledger(default_model, name):
    case = open_case(load_composite(name), default_model, despite_quality=True)
    assert_sums_to_the_ledger(case.of(case.most_probable))


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
@pytest.mark.no_cover
@pytest.mark.parametrize("tenth", range(10))
def test_fifty_records_of_ptb_xl_sum_to_the_ledger(default_model, tenth):
    ptbxl = open_ptbxl()
    usable = ptbxl.table.index[ptbxl.table["strat_fold"] < 10]
    for number in usable[:: len(usable) // 50][5 * tenth : 5 * tenth + 5].tolist():
        recording = ptbxl.recording(number, max(ptbxl.rates(number)))
        reading = read_signal(recording, quick=True)
        case = case_of(reading, explain(recording, default_model), default_model.card)
        if reading.waves is not None and np.isfinite(recording.signal).all():
            assert_sums_to_the_ledger(case.of(case.most_probable))


def test_the_cut_layout_paints_what_it_shows(evidence):
    found, slack, wanted = read_back(evidence, View("6x2", gain=5.0))
    assert (np.abs(found - wanted) <= slack + 1e-9).all()


def test_what_is_opposite_is_painted_in_the_mirror_colour(evidence, opposite):
    one, two = (picture_of(each, View()) for each in (evidence, opposite))
    painted = one != TRANSPARENT
    np.testing.assert_array_equal(painted, two != TRANSPARENT)
    np.testing.assert_array_equal(one[painted].astype(int) + two[painted], 2 * N_STEPS)


def test_the_fill_lies_between_trace_and_isoelectric_line(evidence):
    layout, _ = View().paper_for(evidence.recording, 45.0)
    picture = picture_of(evidence, View())
    panel = next(panel for panel in layout.panels if panel.lead == "V5" and not panel.rhythm)
    line = round((layout.height_mm - panel.baseline_mm) * PAINT_ROWS_PER_MM)
    left = round((panel.x0_mm - layout.origin_mm) * PAINT_COLUMNS_PER_MM)
    columns = np.arange(round(layout.panel_width_mm(panel) * PAINT_COLUMNS_PER_MM))
    at_s = panel.start_s + (columns + 0.5) / PAINT_COLUMNS_PER_MM / layout.speed
    mm = layout.gain * np.interp(at_s, np.arange(5000) / 500, evidence.recording.lead("V5"))
    own = picture[line - round(20 * PAINT_ROWS_PER_MM) : line + round(8 * PAINT_ROWS_PER_MM), left + columns]
    tall = (own != TRANSPARENT).sum(axis=0) / PAINT_ROWS_PER_MM
    seen = np.abs(mm) > LEAST_MM
    assert seen.sum() > 50
    np.testing.assert_allclose(tall[seen], np.abs(mm[seen]), atol=0.5 / PAINT_ROWS_PER_MM + 1e-6)


def test_an_st_segment_of_a_tenth_of_a_millimetre_is_still_painted_two_pixels_tall():
    recording = make_recording()
    signal = np.zeros_like(np.array(recording.signal))
    signal[:, 1000:1060] = 1.0
    signal[:, 1060:1300] = 0.01
    contribution = np.where(signal == 1.0, 2e-3, np.where(signal == 0.01, 5e-5, 0.0))
    paint = make_paint(contribution, signal, None, 500.0)
    drawn = EvidenceMap(contribution, 500.0, paint.largest, "", "MI", "contribution", "", False, paint=paint)
    layout = View().paper(10.0)
    raster = overlay_indices(drawn, layout, View(), recording)
    panel = layout.panels[0]
    column = round((1200 / 500) * layout.speed * PAINT_COLUMNS_PER_MM)
    line = round((layout.height_mm - panel.baseline_mm) * PAINT_ROWS_PER_MM)
    own = raster[line - 40 : line + 40, column]
    assert (own != TRANSPARENT).sum() == LEAST_MM * PAINT_ROWS_PER_MM
    shade = int(own[own != TRANSPARENT][0]) - N_STEPS
    assert shade >= 10  # a fortieth of the largest value still takes a sixth of the scale


def test_nothing_flows_from_one_deflection_into_the_next_or_across_the_border_of_a_wave():
    rng = np.random.default_rng(4)
    signal = np.repeat(rng.choice([-1.0, 1.0], (12, 50)), 20, axis=1)
    contribution = rng.normal(size=signal.shape) * signal
    labels = np.repeat(np.arange(20), 50)[None].repeat(12, axis=0)
    rate = make_paint(contribution, signal, None, 500.0, labels).rate / (UNIT_S * 500)
    for lead in range(12):
        cuts = np.flatnonzero((np.diff(signal[lead]) != 0) | (np.diff(labels[lead]) != 0)) + 1
        for smooth, raw in zip(np.split(rate[lead], cuts), np.split(contribution[lead], cuts), strict=True):
            assert smooth.sum() == pytest.approx(raw.sum(), abs=1e-9)
            assert np.abs(smooth).max() <= np.abs(raw).max() + 1e-12


def test_a_gap_is_not_painted(evidence):
    signal = np.array(evidence.recording.signal)
    signal[6, 1000:1200] = np.nan
    recording = evidence.recording.with_signal(signal)
    gap = make_evidence(recording, waves=evidence.reading.waves)
    layout, _ = TWELVE.paper_for(recording, 45.0)
    picture = picture_of(gap, TWELVE)
    steps, _ = steps_of(picture, layout, layout.panels[6], gap)
    columns = np.arange(1010, 1190) / 500 * layout.speed * PAINT_COLUMNS_PER_MM
    assert (steps[columns.astype(int)] == N_STEPS).all()


def test_where_seeds_disagree_the_fill_is_striped(evidence):
    plain, striped = (evidence_map(evidence, replace(View(), show_uncertainty=unsure)) for unsure in (False, True))
    layout = View().paper(10.0)
    whole, open_ = (overlay_indices(drawn, layout, View(), evidence.recording) for drawn in (plain, striped))
    gone = (whole != TRANSPARENT) & (open_ == TRANSPARENT)
    assert 0.002 < gone.sum() / (whole != TRANSPARENT).sum() < 0.5
    assert not ((whole == TRANSPARENT) & (open_ != TRANSPARENT)).any()


def test_weights_have_no_area_and_are_drawn_as_a_band(evidence):
    drawn = evidence_map(evidence, replace(View(), quantity="weights"))
    assert drawn.paint is None
    assert drawn.power == 1.0


@pytest.mark.parametrize("dark", [False, True])
def test_raising_and_lowering_differ_in_grey_and_in_every_common_colour_blindness(dark):
    ends = evidence_colours(dark=dark, paint=True)[[0, -1]].astype(float) / 255
    linear = np.where(ends <= 0.04045, ends / 12.92, ((ends + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    assert (luminance.max() + 0.05) / (luminance.min() + 0.05) > 1.5
    # Protanopia, deuteranopia and tritanopia as matrices on linear RGB (Viénot 1999, Brettel 1997).
    for matrix in (
        [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
        [[1.01277, 0.13548, -0.14826], [-0.01243, 0.86812, 0.14431], [0.07589, 0.805, 0.11911]],
    ):
        seen = np.clip(linear @ np.array(matrix).T, 0, 1)
        assert np.abs(seen[0] - seen[1]).max() > 0.15


def test_the_picture_is_exact_and_always_the_same(evidence):
    raster = overlay_indices(evidence_map(evidence, View()), View().paper(10.0), View(), evidence.recording)
    png = painted_png(raster)
    assert png == painted_png(raster.copy())
    rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    seen = raster != TRANSPARENT
    np.testing.assert_array_equal(rgba[..., 3], np.where(seen, 255, 0))
    np.testing.assert_array_equal(rgba[seen, :3], evidence_colours(paint=True)[raster[seen]])
