"""Figures of edited and of compared ECGs."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from ecgimn.draw.painted import difference_of, grey_of, in_one_frame, mean_beat_evidence
from ecgimn.draw.screen.side_by_side import (
    Pane,
    beats_picture,
    extremes,
    outcome_figure,
    side_by_side_figure,
    what_if_figure,
)
from ecgimn.draw.view import View
from ecgimn.explain.checks import exact_side
from ecgimn.explain.what_if import outcome, reading_of_edit
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.reading import read_signal
from tests.draw.conftest import make_case, make_evidence, make_explanation, make_recording, make_waves


def numbers(value):
    """A row of numbers, or what Plotly packs it into."""
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
    return np.asarray(value)


def read_case(recording, seed=3):
    """A case with the waves and levels that are found in the recording."""
    reading = read_signal(recording)
    return make_case(recording, seed, waves=reading.waves, levels=reading.levels)


@pytest.fixture(scope="module")
def original():
    return make_recording()


@pytest.fixture(scope="module")
def edited(original):
    signal = np.array(original.signal)
    signal[7] *= 1.5
    return original.with_signal(signal)


def test_the_original_lies_in_grey_behind_the_lead_that_was_edited(original, edited):
    before, after = make_evidence(original, waves=make_waves(original)), make_evidence(edited)
    figure = what_if_figure(before, after, view=View("12x1"))
    names = [trace.name for trace in figure.data]
    assert [name for name in names if name.startswith("before")] == ["before V2"]
    assert names.index("before V2") < names.index("V2")
    grey, black = (figure.data[names.index(name)] for name in ("before V2", "V2"))
    assert grey.x0 == black.x0
    shown, hidden = numbers(black.y), numbers(grey.y)
    assert len(hidden) * (grey.dx / black.dx) == pytest.approx(len(shown))
    assert np.ptp(shown) / np.ptp(hidden) == pytest.approx(1.5, rel=1e-4)
    assert "before the edit" in figure.layout.annotations[0].text


@pytest.mark.parametrize("layout", ["12x1", "3x4+3R"])
def test_with_every_lead_edited_a_case_stays_under_half_a_megabyte(original, layout):
    edited = original.with_signal(np.asarray(original.signal) * 1.5)
    before, after = make_evidence(original, waves=make_waves(original)), make_evidence(edited)
    figure = what_if_figure(before, after, view=View(layout=layout))
    assert sum(trace.name.startswith("before") for trace in figure.data) >= 12
    assert len(figure.to_json()) < 480_000  # the rest of the page takes less than 20,000


def test_the_grey_line_keeps_every_peak_within_two_steps_of_its_place():
    rng = np.random.default_rng(2)
    row = rng.normal(size=1003)
    row[500] = 9.0
    kept = extremes(row, 4)
    assert len(kept) == 251
    assert abs(4 * int(kept.argmax()) - 500) <= 8
    for first in range(0, 1000, 8):
        stretch = row[first : first + 8]
        assert set(kept[first // 4 : first // 4 + 2]) == {stretch.min(), stretch.max()}
    np.testing.assert_array_equal(extremes(row, 1), row)


def test_a_gap_leaves_a_gap_in_the_grey_line():
    row = np.zeros(64)
    row[16:32] = np.nan
    np.testing.assert_array_equal(np.isnan(extremes(row, 4)), np.repeat([False, True, False, False], 4))


def test_the_colours_of_an_edited_ecg_keep_the_scale_of_the_original(original, edited):
    before, after = make_evidence(original), make_evidence(edited, sign=5.0)
    kept = what_if_figure(before, before, view=View("12x1"))
    figure = what_if_figure(before, after, view=View("12x1"))
    assert figure.layout.meta["limit"] == kept.layout.meta["limit"]


def test_probabilities_and_changes_are_drawn_as_given(original, edited):
    before, after = make_explanation(original), make_explanation(edited, seed=4)
    result = outcome(original, before, edited, after)
    figure = outcome_figure(result, shown="MI", thresholds=(0.5,) * 5)
    traces = {trace.name: trace for trace in figure.data}
    np.testing.assert_allclose(traces["before"].x, before.probability)
    np.testing.assert_allclose(traces["after"].x, after.probability)
    np.testing.assert_allclose(traces["network"].x, result.actual)
    np.testing.assert_allclose(traces["map"].x, result.predicted)
    assert "<b>MI</b>" in figure.layout.yaxis.ticktext
    patterns = traces["network"].marker.pattern.shape
    assert [shape == "/" for shape in patterns] == [value < 0 for value in result.actual]


def test_without_waves_bands_are_drawn_where_blocks_were_chosen(original, edited):
    before, after = make_evidence(original), make_evidence(edited)
    figure = what_if_figure(before, after, view=View(style="blocks"))
    assert {"evidence", "paper"} <= {image.name for image in figure.layout.images}


@pytest.mark.parametrize("layout", ["12x1", "3x4+1R", "6x2"])
def test_both_sides_have_the_same_scales_and_their_times_move_together(layout):
    first, second = (
        exact_side(read_case(make_recording(duration_s=duration)), name, f"{name} & more")
        for duration, name in ((10.0, "MI"), (9.0, "CD"))
    )
    figure = side_by_side_figure(first, second, view=View(layout=layout), width_px=1226.0)
    assert figure.layout.width == pytest.approx(1226.0, abs=1.0)
    scales = figure.layout.meta["px_per_mm"]
    assert figure.layout.xaxis2.matches == "x"
    plot_px = figure.layout.width - figure.layout.margin.l - figure.layout.margin.r
    tall_px = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    for number, axes in enumerate(
        ((figure.layout.xaxis, figure.layout.yaxis), (figure.layout.xaxis2, figure.layout.yaxis2))
    ):
        for axis, room in zip(axes, (plot_px, tall_px), strict=True):
            mm = axis.range[1] - axis.range[0]
            assert (axis.domain[1] - axis.domain[0]) * room / mm == pytest.approx(scales[number], rel=0.005)
    for lead in STANDARD_LEADS:
        assert {trace.xaxis or "x" for trace in figure.data if trace.name == lead} == {"x", "x2"}
    titles = [note.text for note in figure.layout.annotations if note.text.startswith("<b>")]
    assert titles == ["<b>MI &amp; more</b>", "<b>CD &amp; more</b>"]
    assert len([image for image in figure.layout.images if image.xref == "x2"]) == 3


def test_each_side_may_have_its_own_limit_which_is_printed_above_it():
    first, second = (exact_side(read_case(make_recording(), seed), "MI", "map") for seed in (3, 4))
    shared = side_by_side_figure(first, second, view=View(), width_px=1226.0)
    own = side_by_side_figure(first, second, view=View(), width_px=1226.0, own_scales=True)
    limits = own.layout.meta["limit"]
    assert limits[0] != limits[1]
    assert shared.layout.meta["limit"] == [max(limits)] * 2
    titles = [note.text for note in own.layout.annotations if note.text.startswith("<b>")]
    assert [f"±{limit:g}" in title for limit, title in zip(limits, titles, strict=True)] == [True, True]


@pytest.fixture(scope="module")
def measured_case(original):
    """A case whose mean beat was measured."""
    return make_case_of(read_signal(original))


def make_case_of(reading, seed=3):
    case = make_case(reading.recording, seed, waves=reading.waves, levels=reading.levels)
    return replace(case, reading=reading)


def beat(case, name, minus=None):
    evidence = case.of(name, minus)
    return mean_beat_evidence(evidence.reading, evidence.contribution)


def test_the_difference_of_two_painted_beats_is_the_beat_of_the_exact_difference(measured_case):
    found = difference_of(beat(measured_case, "MI"), beat(measured_case, "NORM"))
    exact = beat(measured_case, "MI", "NORM")
    np.testing.assert_allclose(found.paint.rate, exact.paint.rate, atol=1e-9)
    np.testing.assert_allclose(found.sums, exact.sums, atol=1e-9)
    assert found.elsewhere == pytest.approx(exact.elsewhere, abs=1e-9)


def test_beats_of_two_recordings_get_one_frame_and_keep_their_paint(measured_case):
    long = beat(measured_case, "MI")
    cut = slice(20, long.length - 50)
    short = replace(
        long,
        paint=replace(long.paint, above_mv=long.paint.above_mv[:, cut], rate=long.paint.rate[:, cut]),
        labels=long.labels[:, cut],
        r_index=long.r_index - 20,
        j=long.j - 20,
    )
    one, two = in_one_frame(long, short)
    assert (one.length, one.r_index, one.j) == (two.length, two.r_index, two.j)
    np.testing.assert_allclose(two.paint.rate.sum(axis=1), short.paint.rate.sum(axis=1), atol=1e-12)
    np.testing.assert_array_equal(np.nanmax(two.paint.above_mv, axis=1), short.paint.above_mv.max(axis=1))
    np.testing.assert_allclose(difference_of(one, two).paint.rate[:, 20 : long.length - 50], 0.0, atol=1e-12)


@pytest.mark.parametrize("width_px", [1226.0, 360.0])
def test_beats_side_by_side_share_their_scales(measured_case, edited, width_px):
    other = make_case_of(reading_of_edit(measured_case.reading, edited))
    one, two = in_one_frame(beat(measured_case, "MI"), beat(other, "MI"))
    markup = beats_picture(
        [Pane("one", "MI", one), Pane("<two>", "MI", two, grey_of(one, "one"))],
        Pane("difference", "MI", difference_of(one, two)),
        size_px=(width_px, 540.0),
    )
    scales = re.findall(r"data-px-per-mv='([\d.]+)' data-px-per-s='([\d.]+)'", markup)
    assert len(scales) == 3
    assert scales[0] == scales[1]
    assert "<two>" not in markup
    assert markup.count("class='grey'") == 12
    heights = [float(number) for number in re.findall(r"<svg[^>]* height='(\d+)'", markup)]
    if width_px > 1000:
        assert heights[0] + heights[2] + 2 * 24 + 24 <= 540 + 2


def test_a_beat_between_the_same_borders_is_the_original_one_where_nothing_was_edited(measured_case, original, edited):
    same = reading_of_edit(measured_case.reading, original)
    before = measured_case.reading.measurements.beat.signal
    np.testing.assert_array_equal(same.measurements.beat.signal, before)
    then = reading_of_edit(measured_case.reading, edited).measurements
    assert then.st == ()
    changed = np.abs(then.beat.signal - before).max(axis=1) > 1e-3
    assert [STANDARD_LEADS[row] for row in np.flatnonzero(changed)] == ["V2"]


def test_what_a_visitor_sees_of_an_edit_is_in_percent(measured_case, edited):
    case = make_case_of(reading_of_edit(measured_case.reading, edited))
    result = outcome(measured_case.recording, measured_case.explanation, edited, case.explanation)
    figure = outcome_figure(result, shown="MI", logits=False)
    traces = {trace.name: trace for trace in figure.data}
    assert "network" not in traces
    expected = 1 / (1 + np.exp(-(result.before.logit + result.predicted)))
    np.testing.assert_allclose(traces["map"].x, expected)
    assert all("%" in text for text in traces["numbers"].text)
