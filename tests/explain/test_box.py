"""A box on the trace: what it measures, what evidence it holds, and what becomes of the score without it."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ecgimn.errors import LeadError
from ecgimn.explain.box import (
    FILLS,
    Box,
    box_change,
    box_evidence,
    box_interventions,
    box_measures,
    march_out,
    qtc_of_two,
)
from ecgimn.explain.case import case_of, open_case
from ecgimn.explain.explanation import explain
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.model.model import load_model
from ecgimn.signal.reading import read_signal
from ecgimn.sources.composites.case import load_composite
from tests.explain.small_cases import CLASSES, small_case, small_model, synthetic

RECORDING = synthetic(250.0)
MODEL = small_model()
CASE = small_case(RECORDING, MODEL, double=True)
READING, EXPLANATION, LEDGER = CASE.reading, CASE.explanation, CASE.ledger
END_S = RECORDING.duration_s
WHOLE = Box(STANDARD_LEADS, 0.0, END_S)

cuts = some.lists(some.floats(0.0, END_S), max_size=6).map(lambda inner: [0.0, *sorted(inner), END_S])


def evidence(box, class_name="A"):
    return box_evidence(box, CASE.of(class_name))


@settings(max_examples=25)
@given(cuts)
def test_boxes_that_tile_a_lead_sum_to_its_row_of_the_ledger(times):
    boxes = [Box(("V3",), first, last) for first, last in pairwise(times)]
    total = sum(evidence(box, "B").logit for box in boxes)
    assert total == pytest.approx(CASE.of("B").by_lead()["V3"], abs=1e-9)


@settings(max_examples=25)
@given(cuts, some.integers(1, 11))
def test_boxes_that_tile_the_recording_sum_to_the_logit(times, split):
    boxes = [
        Box(leads, first, last)
        for first, last in pairwise(times)
        for leads in (STANDARD_LEADS[:split], STANDARD_LEADS[split:])
    ]
    samples = sum(box.mask(RECORDING.fs, RECORDING.n_samples).astype(int) for box in boxes)
    assert (samples == 1).all()  # the tail too, and none twice
    for k, name in enumerate(CLASSES):
        total = sum(evidence(box, name).logit for box in boxes)
        assert total + LEDGER.baseline[k] + LEDGER.bias[k] == pytest.approx(EXPLANATION.logit[k], abs=1e-8)
        assert sum(evidence(box, name).absolute_share for box in boxes) == pytest.approx(1.0)


@settings(max_examples=25)
@given(some.sets(some.sampled_from(STANDARD_LEADS), min_size=1), some.floats(0, END_S), some.floats(0, END_S))
def test_what_the_map_predicts_without_the_box_is_minus_the_evidence_in_it(leads, one, other):
    box = Box(tuple(leads), *sorted((one, other)))
    change = box_change(box, RECORDING, READING.levels)
    for k, name in enumerate(CLASSES):
        predicted = float((EXPLANATION.weights[k] * change).sum())
        assert predicted == pytest.approx(-evidence(box, name).logit, abs=1e-9)


def test_the_box_is_set_to_the_isoelectric_level_and_nothing_else_changes():
    box = Box(("II", "V2"), 1.0, 1.4)
    edited = RECORDING.signal + box_change(box, RECORDING, READING.levels)
    inside = box.mask(RECORDING.fs, RECORDING.n_samples)
    for lead in box.leads:
        row = lead_index(lead)
        np.testing.assert_allclose(edited[row, inside[row]], READING.levels[row], atol=1e-6)
    np.testing.assert_array_equal(edited[~inside], RECORDING.signal[~inside])


def test_a_line_joins_the_samples_beside_the_box():
    box = Box(("V4",), 1.3, 1.5)
    row, span = lead_index("V4"), box.samples(RECORDING.fs, RECORDING.n_samples)
    edited = RECORDING.signal + box_change(box, RECORDING, READING.levels, "line")
    stretch = edited[row, span.start - 1 : span.stop + 1]
    np.testing.assert_allclose(np.diff(stretch, n=2), 0.0, atol=1e-6)
    assert stretch[0] == RECORDING.signal[row, span.start - 1]
    assert stretch[-1] == RECORDING.signal[row, span.stop]


def test_a_line_at_the_end_of_the_recording_runs_level_and_over_all_of_it_is_the_isoelectric_level():
    row = lead_index("I")
    edited = RECORDING.signal + box_change(Box(("I",), 9.0, END_S), RECORDING, READING.levels, "line")
    np.testing.assert_allclose(edited[row, 2250:], RECORDING.signal[row, 2249], atol=1e-6)
    edited = RECORDING.signal + box_change(Box(("I",), 0.0, END_S), RECORDING, READING.levels, "line")
    np.testing.assert_allclose(edited[row], READING.levels[row], atol=1e-6)


@pytest.mark.parametrize("box", [Box(("V1",), 2.0, 2.0), Box((), 1.0, 2.0), Box(("II",), END_S, END_S + 3)])
def test_a_box_on_nothing_holds_nothing_and_changes_nothing(box):
    assert evidence(box).logit == 0.0
    assert evidence(box).absolute_share == 0.0
    for answer in box_interventions(box, CASE, MODEL):
        assert np.abs(answer.predicted_change).max() == 0.0
        assert np.abs(answer.actual_change).max() < 1e-6
        before, predicted, actual = answer.of("A").probabilities()
        assert before == predicted
        assert before == pytest.approx(actual, abs=1e-6)


def test_map_and_network_are_asked_about_the_same_edit_and_need_not_agree():
    box = Box(STANDARD_LEADS, 1.2, 1.6)
    answers = box_interventions(box, CASE, MODEL)
    assert tuple(answer.fill for answer in answers) == FILLS
    for answer in answers:
        edited = RECORDING.signal + box_change(box, RECORDING, READING.levels, answer.fill)
        again = explain(RECORDING.with_signal(edited), MODEL)
        np.testing.assert_allclose(answer.logit + answer.actual_change, again.logit, atol=2e-5)
        assert np.abs(answer.actual_change - answer.predicted_change).max() > 1e-4


def test_the_whole_recording_removed_leaves_the_bias_by_the_map():
    answer = box_interventions(WHOLE, CASE, MODEL)[0]
    np.testing.assert_allclose(answer.logit + answer.predicted_change, EXPLANATION.bias, atol=1e-8)


def test_the_answer_for_the_difference_of_two_classes_is_the_difference_of_their_answers():
    box = Box(("II", "V2"), 1.2, 1.6)
    seen = CASE.of("A", "C")
    gap = evidence(box, "A").logit - evidence(box, "C").logit
    assert box_evidence(box, seen).logit == pytest.approx(gap, abs=1e-9)
    answer = box_interventions(box, CASE, MODEL)[0]
    both = answer.of("A", "C")
    assert both.is_difference
    assert both.name == seen.name
    assert both.logit == pytest.approx(seen.logit, abs=1e-9)
    assert both.predicted_change == pytest.approx(-gap, abs=1e-9)
    assert both.actual_change == pytest.approx(answer.actual_change[0] - answer.actual_change[2])


def test_on_a_stored_case_the_shipped_model_gives_two_numbers_near_each_other_and_not_the_same():
    """The map's own prediction never shows what the network makes of the edit; both are asked, and both are named."""
    recording, model = load_composite("imi-st"), load_model()
    case = open_case(recording, model)
    reading = case.reading
    qrs = reading.waves.global_qrs_onset[3] / recording.fs, reading.waves.global_qrs_offset[3] / recording.fs
    answer = box_interventions(Box(("II", "III", "aVF"), *qrs), case, model)[0].of("MI")
    predicted, actual = answer.predicted_change, answer.actual_change
    assert predicted < -0.05  # the evidence for MI in this inferior infarction lies there
    assert np.sign(actual) == np.sign(predicted)
    assert abs(actual - predicted) > 1e-3


def test_the_share_is_of_the_total_and_has_its_sign():
    box = Box(("V5",), 0.0, END_S)
    found = evidence(box)
    assert found.total == pytest.approx(LEDGER.of("A").sum())
    assert found.share == pytest.approx(found.logit / found.total)
    assert found.sample_share == pytest.approx(1 / 12)
    opposite = dataclasses.replace(EXPLANATION, weights=-EXPLANATION.weights)
    turned = box_evidence(box, case_of(READING, opposite, CASE.card).of("A"))
    assert turned.logit == pytest.approx(-found.logit)
    assert turned.share == pytest.approx(found.share)


def test_a_total_of_zero_has_no_parts_in_per_cent():
    none = dataclasses.replace(EXPLANATION, weights=0 * EXPLANATION.weights)
    found = box_evidence(WHOLE, case_of(READING, none, CASE.card).of("A"))
    assert found.share is None
    assert found.absolute_share == 0.0


@pytest.mark.parametrize(("width_s", "rate"), [(0.8, 75.0), (0.2, 300.0), (3.0, 20.0)])
def test_a_width_taken_as_rr_gives_the_rate(width_s, rate):
    assert box_measures(Box(("II",), 1.0, 1.0 + width_s), READING).rate.value == pytest.approx(rate)


@pytest.mark.parametrize("width_s", [0.199, 3.01])
def test_a_width_that_cannot_be_an_rr_gives_a_reason_and_no_rate(width_s):
    rate = box_measures(Box(("II",), 1.0, 1.0 + width_s), READING).rate
    assert rate.value is None
    assert "RR" in rate.reason


def test_a_width_taken_as_qt_is_corrected_with_the_recordings_own_rr():
    found = box_measures(Box(("II",), 1.0, 1.4), READING)
    assert found.width_ms == pytest.approx(400.0)
    assert found.qtc["Bazett"].value == pytest.approx(400 / np.sqrt(0.8), abs=0.5)
    assert found.qtc["Fridericia"].value == pytest.approx(400 / np.cbrt(0.8), abs=0.5)
    assert box_measures(Box(("II",), 1.0, 1.19), READING).qtc["Bazett"].value is None


def test_without_a_beat_no_rate_is_invented_for_qtc():
    flat = RECORDING.with_signal(np.where(np.arange(RECORDING.n_samples) < 3, 0.001, 0.0) * np.ones((12, 1)))
    reading = read_signal(flat)
    found = box_measures(Box(("II",), 1.0, 1.4), reading)
    assert found.qtc["Bazett"].value is None
    assert found.qtc["Bazett"].reason == reading.reason != ""


def test_the_level_inside_is_counted_from_the_isoelectric_level():
    raised = np.array(RECORDING.signal)
    raised[lead_index("V2"), 500:550] = READING.levels[lead_index("V2")] + 0.25
    reading = read_signal(RECORDING.with_signal(raised))
    found = box_measures(Box(("V2", "V3"), 2.0, 2.2, height_mv=0.3), reading)
    shift = reading.levels[lead_index("V2")] - READING.levels[lead_index("V2")]
    assert found.level_mv["V2"] == pytest.approx(0.25 - shift, abs=1e-5)
    assert found.height_mv == 0.3
    assert list(found.level_mv) == ["V2", "V3"]


def test_a_gap_is_no_voltage():
    gap = np.array(RECORDING.signal)
    gap[lead_index("V6"), 500:550] = np.nan
    reading = read_signal(RECORDING.with_signal(gap))
    assert np.isnan(box_measures(Box(("V6",), 2.0, 2.2), reading).level_mv["V6"])


def test_leads_are_kept_once_in_standard_order_and_unknown_ones_are_refused():
    assert Box(("V6", "II", "II"), 0, 1).leads == ("II", "V6")
    with pytest.raises(LeadError):
        Box(("V7",), 0, 1)
    with pytest.raises(ValueError, match="must end"):
        Box(("II",), 2, 1)
    with pytest.raises(ValueError, match="isoelectric, line"):
        box_change(WHOLE, RECORDING, READING.levels, "zero")


def test_two_marks_give_qtc_in_either_order_and_only_where_they_can_be_rr_and_qt():
    rr, qt = Box(("II",), 1.0, 1.81), Box(("V5",), 1.2, 1.6)
    found = qtc_of_two(rr, qt)
    assert found == qtc_of_two(qt, rr)
    assert (found.rr_ms, found.qt_ms) == (810.0, 400.0)
    assert found.qtc["Bazett"] == pytest.approx(400 / np.sqrt(0.81))
    assert found.qtc["Fridericia"] == pytest.approx(400 / np.cbrt(0.81))
    assert qtc_of_two(qt, qt) is None
    assert qtc_of_two(rr, Box(("II",), 1.0, 1.05)) is None
    assert qtc_of_two(qt, Box(("II",), 0.0, 9.0)) is None


@given(some.floats(0.0, 9.0), some.floats(0.05, 1.0))
@settings(deadline=None, max_examples=50)
def test_what_is_marched_out_is_evenly_spaced_holds_the_box_and_stays_in_the_recording(start, width):
    moments = march_out(Box(("II",), start, start + width), 10.0)
    assert min(abs(moment - start) for moment in moments) < 1e-5
    assert moments[0] >= -1e-6
    assert moments[-1] <= 10.0 + 1e-6
    assert moments[0] < width + 1e-5
    assert 10.0 - moments[-1] < width + 1e-5
    np.testing.assert_allclose(np.diff(moments), width, atol=1e-5)
