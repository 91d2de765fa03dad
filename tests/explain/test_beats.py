"""Beat by beat: the beats and what lies outside of them make the evidence, and each says why it is left out."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from ecgimn.explain.box import Box, box_evidence
from ecgimn.explain.ledger import beat_by_beat, beat_trace
from ecgimn.leads import STANDARD_LEADS
from tests.explain.small_cases import CLASSES, small_case, synthetic


@pytest.fixture(scope="module")
def recording():
    """A beat every 0.8 s; the QRS of the fifth is upside down, and V1 has a gap in the eighth."""
    signal = np.array(synthetic(250.0).signal)
    t = np.arange(signal.shape[1]) / 250.0
    at = 0.5 + 4 * 0.8
    signal[:, np.abs(t - at) < 0.08] *= -1.0
    signal[6, (t > 0.5 + 7 * 0.8 + 0.1) & (t < 0.5 + 7 * 0.8 + 0.16)] = np.nan
    return synthetic(250.0).with_signal(signal)


@pytest.fixture(scope="module")
def case(recording, model):
    return small_case(recording, model, double=True)


@pytest.mark.parametrize("name", CLASSES)
def test_beats_and_remainder_add_up_to_logit_minus_bias(case, name):
    table, k = beat_by_beat(case.of(name)), case.explanation.index(name)
    total = sum(beat.logit for beat in table.beats) + table.remainder
    assert total == pytest.approx(case.explanation.logit[k] - case.explanation.bias[k], abs=1e-8)
    assert table.evidence == pytest.approx(total, abs=1e-8)


def test_what_is_drawn_of_a_beat_is_its_own_stretch_of_the_file_and_its_own_evidence(case, recording):
    reading, evidence = case.reading, case.of("B")
    table = beat_by_beat(evidence)
    assert len(table.beats) == reading.waves.n_beats >= 10
    for beat in table.beats:
        trace = beat_trace(beat, evidence)
        np.testing.assert_array_equal(trace.signal, recording.signal[:, beat.start : beat.stop])
        assert trace.contribution.sum() == pytest.approx(beat.logit, abs=1e-9)
        assert beat.start <= beat.r_s * recording.fs < beat.stop
        span = Box(STANDARD_LEADS, beat.start / recording.fs, beat.stop / recording.fs)
        found = box_evidence(span, evidence)
        assert found.logit == pytest.approx(beat.logit, abs=1e-9)


def test_beats_follow_one_another_and_do_not_overlap(case):
    beats = beat_by_beat(case.of("A")).beats
    assert [beat.number for beat in beats] == list(range(1, len(beats) + 1))
    assert all(one.stop == other.start for one, other in pairwise(beats))


def test_the_rr_before_a_beat_is_printed_for_all_but_the_first(case):
    beats = beat_by_beat(case.of("A")).beats
    assert beats[0].rr_before_s is None
    assert [beat.rr_before_s for beat in beats[1:]] == pytest.approx([0.8] * (len(beats) - 1), abs=0.08)
    gaps = np.diff([beat.r_s for beat in beats])
    assert [beat.rr_before_s for beat in beats[1:]] == pytest.approx(gaps)


def test_a_beat_left_out_of_the_median_beat_says_why(case):
    beats = beat_by_beat(case.of("A")).beats
    out = {beat.number: beat.left_out for beat in beats if not beat.used}
    strange = min(beats, key=lambda beat: abs(beat.r_s - 3.7))
    gapped = min(beats, key=lambda beat: abs(beat.r_s - 6.1))
    assert "unlike" in out[strange.number]
    assert strange.correlation < 0.9
    assert "gap" in out[gapped.number]
    assert all(beat.left_out == "" for beat in beats if beat.used)
    assert sum(beat.used for beat in beats) == case.reading.measurements.n_beats


def test_all_beats_share_one_scale(case):
    evidence = case.of("C")
    beats = beat_by_beat(evidence).beats
    limits = {beat_trace(beat, evidence).limit for beat in beats}
    assert len(limits) == 1
    assert limits.pop() > 0


def test_without_a_beat_there_is_no_table(recording, model):
    flat = recording.with_signal(np.where(np.arange(recording.n_samples) < 3, 0.001, 0.0) * np.ones((12, 1)))
    case = small_case(flat, model)
    assert beat_by_beat(case.of("A")) is None
    assert case.reading.reason


def test_without_measurements_the_beats_stay_and_say_that_they_were_not_compared(case):
    unmeasured = dataclasses.replace(case.reading, measurements=None)
    table = beat_by_beat(dataclasses.replace(case.of("A"), reading=unmeasured))
    assert not any(beat.used for beat in table.beats)
    assert table.beats[0].left_out == "beats were not compared"
