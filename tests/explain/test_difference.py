"""The earlier ECG: exact parts, swapped signs, nothing from nothing, and planted changes named first."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgimn.explain.case import case_of, open_case, open_cases
from ecgimn.explain.difference import BINS, LIMITS, N_BINS, difference, difference_sentences
from ecgimn.explain.edits import intervention, masks_from_landmarks, masks_from_waves
from ecgimn.explain.explanation import explain_many
from ecgimn.explain.ledger import cell_partition
from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.model import load_model
from ecgimn.recording import Recording
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves.find import QRS, ST, TP, WAVE_NAMES, P, T
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.composites.case import load_composite
from ecgimn.sources.ptbxl import open_ptbxl
from tests.explain.small_cases import CLASSES, small_case, small_model, synthetic

TOLERANCE = 1e-4  # logit


@pytest.fixture(scope="module")
def trained():
    return load_model(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def composite(trained):
    cases = {}

    def opened(name):
        if name not in cases:
            cases[name] = open_case(load_composite(name), trained, despite_quality=True)
        return cases[name]

    return opened


@pytest.fixture(scope="module")
def two():
    """Two ECGs with other amplitudes and another length."""
    return small_case(synthetic(seed=1), double=True), small_case(synthetic(seed=2, duration_s=9.0), double=True)


def test_the_parts_add_up_to_the_change_of_every_logit(two):
    found = difference(*two)
    parts = found.voltage.sum(axis=(1, 2)) + found.weights.sum(axis=(1, 2)) + found.bias + found.baseline
    np.testing.assert_allclose(parts, two[1].explanation.logit - two[0].explanation.logit, atol=1e-8)
    assert found.residual < 1e-8
    assert found.voltage.shape == (len(CLASSES), 12, N_BINS) == (len(CLASSES), 12, sum(BINS))


@pytest.mark.parametrize("name", CLASSES)
def test_the_cells_are_the_difference_of_the_two_ledgers(two, name):
    found = difference(*two)
    np.testing.assert_allclose(found.cells(name), two[1].ledger.of(name) - two[0].ledger.of(name), atol=1e-9)
    np.testing.assert_allclose(found.cells(name, "voltage") + found.cells(name, "weights"), found.cells(name))


@settings(max_examples=8)
@given(st.integers(0, 50), st.integers(0, 50), st.sampled_from([100.0, 250.0, 500.0]), st.sampled_from([7.0, 10.0]))
def test_swapping_the_two_negates_every_part(first, second, fs, duration_s):
    model = small_model()
    one, other = small_case(synthetic(seed=first), model), small_case(synthetic(fs, duration_s, second), model)
    there, back = difference(one, other), difference(other, one)
    for part in ("voltage", "weights", "bias", "baseline", "logit"):
        np.testing.assert_array_equal(getattr(back, part), -getattr(there, part))
    assert [change.change and -change.change for change in back.changes] == [c.change for c in there.changes]
    assert [change.beyond for change in back.changes] == [change.beyond for change in there.changes]
    assert there.residual < TOLERANCE
    assert {mimic.kind for mimic in there.mimics} == {mimic.kind for mimic in back.mimics}


def test_a_swap_turns_what_is_new_into_what_is_gone(composite):
    there, back = difference(composite("norm"), composite("imi")), difference(composite("imi"), composite("norm"))
    assert [(one.kind, one.leads) for one in there.named] == [(one.kind, one.leads) for one in back.named]
    assert there.named[0].is_new
    assert not back.named[0].is_new
    assert "No longer there since the earlier ECG: Q in II, III and aVF" in " ".join(difference_sentences(back, "MI"))


def test_two_identical_records_give_zeros_and_no_words():
    case = small_case()
    found = difference(case, case)
    for part in (found.voltage, found.weights, found.bias, found.baseline, found.logit):
        assert not part.any()
    assert found.named == ()
    assert found.mimics == ()
    assert all(change.change in (0.0, None) for change in found.changes)
    np.testing.assert_array_equal(found.beats.earlier_mv, found.beats.later_mv)
    assert "No measured change" in difference_sentences(found, "A")[1]


def test_other_weights_on_the_same_tracing_are_no_change_of_voltage():
    case = small_case()
    turned = replace(
        case.explanation,
        weights=np.roll(case.explanation.weights, 1, axis=0),
        bias=np.roll(case.explanation.bias, 1),
        logit=np.roll(case.explanation.logit, 1),
    )
    found = difference(case, case_of(case.reading, turned, case.card))
    assert not found.voltage.any()
    np.testing.assert_allclose(
        found.weights.sum(axis=(1, 2)) + found.bias + found.baseline, found.logit, atol=TOLERANCE
    )


def test_other_voltages_under_even_weights_are_all_voltage():
    """Weights that do not vary within a bin have no covariance, so the weights' part is nothing."""
    case = small_case()
    even = np.ones_like(case.explanation.weights) * 0.001
    taller = replace(case.recording, signal=case.recording.signal * np.float32(1.5))
    reading = replace(
        case.reading, recording=taller, isoelectric=replace(case.reading.isoelectric, mv=1.5 * case.reading.levels)
    )

    def with_even(reading, recording):
        logit = (even * recording.signal).sum(axis=(1, 2)) + case.explanation.bias
        return case_of(
            reading,
            replace(case.explanation, weights=even.copy(), logit=logit, recording_digest=recording.digest),
            case.card,
        )

    found = difference(with_even(case.reading, case.recording), with_even(reading, taller))
    assert np.abs(found.voltage).sum() > 0.1
    np.testing.assert_allclose(found.weights, 0.0, atol=1e-9)


def test_a_wave_that_only_one_has_is_a_change_of_voltage(composite):
    """Without P waves the P columns of the earlier ECG hold nothing; all that P says later is voltage."""
    later = composite("norm")
    waves = later.reading.waves
    labels = np.where(waves.labels == WAVE_NAMES.index("P"), WAVE_NAMES.index("TP"), waves.labels).astype(np.int8)
    earlier = case_of(replace(later.reading, waves=replace(waves, labels=labels)), later.explanation, later.card)
    found = difference(earlier, later)
    column = WAVE_NAMES.index("P")
    np.testing.assert_allclose(found.cells("MI", "voltage")[:, column], later.ledger.of("MI")[:, column], atol=1e-12)
    assert not found.cells("MI", "weights")[:, column].any()


def test_cases_of_two_models_are_refused(trained):
    case = small_case()
    other = replace(case, card=replace(case.card, sha256="1" * 64))
    with pytest.raises(ValueError, match="different models"):
        difference(case, other)


@pytest.mark.parametrize(
    ("later", "kind", "leads", "words"),
    [
        ("twin-ste-v2-v4", "ST", {"V2", "V3", "V4"}, "ST elevation in V2–V4"),
        ("twin-ste-inferior", "ST", {"II", "III", "aVF"}, "ST elevation in II, III and aVF"),
        ("twin-std-v4-v6", "ST", {"V4", "V5", "V6"}, "ST depression in V4–V6"),
        ("twin-tinv-v4-v6", "T", {"V4", "V5", "V6"}, "T inversion in V4–V6"),
        ("clbbb", "conduction", set(STANDARD_LEADS), "left bundle branch block pattern"),
        ("crbbb", "conduction", set(STANDARD_LEADS), "right bundle branch block pattern"),
        ("imi", "Q", {"II", "III", "aVF"}, "Q in II, III and aVF"),
        ("avb1", "PR", set(STANDARD_LEADS), "longer PR"),
    ],
)
def test_a_planted_change_is_named_first(composite, later, kind, leads, words):
    found = difference(composite("norm"), composite(later))
    assert found.residual < TOLERANCE
    first = found.named[0]
    assert (first.kind, set(first.leads), first.is_new) == (kind, leads, True)
    sentences = difference_sentences(found, found.most_changed, "1987-03-02")
    assert any(sentence.startswith(f"New since 1987-03-02: {words}") for sentence in sentences)


def test_clinical_words_hold_percent_and_no_logit(composite):
    found = difference(composite("norm"), composite("imi-st"))
    words = " ".join(difference_sentences(found, "MI", "1987-03-02", logits=False))
    assert "logit" not in words
    assert "New since 1987-03-02: Q in III and aVF (" in words
    assert "% of the change for MI)" in words


@pytest.mark.parametrize("later", ["imi-st", "clbbb", "lvh-volt"])
def test_shares_that_do_not_add_up_say_why(composite, later):
    found = difference(composite("norm"), composite(later))
    explained = 0
    for name in found.classes:
        words = " ".join(difference_sentences(found, name, logits=False))
        shares = [int(share) for share in re.findall(r"\((\d+) % of the change", words)]
        if sum(shares) > 100:
            assert "overlap and do not add up" in words or "the other way" in words, words
            explained += 1
    if later == "imi-st":  # Q waves and the axis are made of the same QRS
        assert explained


def test_a_planted_q_wave_is_named_first(composite, trained):
    normal = composite("norm")
    recording = normal.recording
    leads = np.isin(STANDARD_LEADS, ("II", "III", "aVF"))
    masks = masks_from_waves(normal.reading.waves, normal.reading.levels)
    change = intervention("q_wave", recording.signal, masks, leads=leads, amount=-0.6)
    change[:6] = LIMB_FROM_I_II @ np.linalg.lstsq(LIMB_FROM_I_II[leads[:6]], change[:6][leads[:6]], rcond=None)[0]
    edited = Recording((recording.signal + change).astype(np.float32), recording.fs)
    found = difference(normal, open_case(edited, trained, despite_quality=True))
    assert (found.named[0].kind, found.named[0].is_new) == ("Q", True)
    assert {"III", "aVF"} <= set(found.named[0].leads)


def test_st_and_t_of_a_new_block_are_called_secondary(composite):
    found = difference(composite("norm"), composite("clbbb"))
    assert all(one.secondary for one in found.named if one.kind in ("ST", "T"))
    assert "With the changed conduction" in " ".join(difference_sentences(found, "CD"))


@pytest.mark.parametrize(
    ("later", "kind", "words"),
    [
        ("twin-arms-exchanged", "lead placement", "RA and LA swapped in one of the two would explain"),
        ("twin-low-voltage", "gain", "0.30 times the height"),
    ],
)
def test_what_mimics_a_change_is_named(composite, later, kind, words):
    found = difference(composite("norm"), composite(later))
    assert words in " ".join(mimic.text for mimic in found.mimics if mimic.kind == kind)
    assert words in difference_sentences(found, "MI")[1]


def test_other_rates_of_sampling_and_length_are_named():
    model = small_model()
    found = difference(small_case(synthetic(), model), small_case(synthetic(100.0, 8.0), model))
    assert {"sampling rate", "length"} <= {mimic.kind for mimic in found.mimics}


def test_every_limit_has_a_source_and_a_change_within_it_is_not_named(composite):
    assert all(limit.source for limit in LIMITS.values())
    found = difference(composite("norm"), composite("twin-ste-v2-v4"))
    for change in found.changes:
        assert change.beyond == (change.limit is not None and abs(change.change or 0.0) > change.limit)
    beyond = {change.name for change in found.changes if change.beyond}
    assert {"ST in V2", "ST in V3", "ST in V4"} <= beyond
    assert "ST in II" not in beyond


def read_by_landmarks(recording, like):
    """A reading whose waves come from quick landmarks: what the parts rest on, at a hundredth of the cost."""
    landmarks, n = quick_landmarks(recording.signal), recording.n_samples
    wave = np.array([TP, P, QRS, ST, T])[(cell_partition(masks_from_landmarks(landmarks, n), n) + 1) % 5]
    waves = replace(
        like.waves, r_samples=landmarks.centres, labels=np.tile(wave.astype(np.int8), (12, 1)),
        beat=np.full(n, -1, np.int16), n_samples=n,
    )  # fmt: skip
    levels = replace(like.isoelectric, mv=landmarks.level)
    return replace(like, recording=recording, waves=waves, isoelectric=levels, measurements=None, findings=None)


@pytest.fixture(scope="module")
def pairs():
    ptbxl = open_ptbxl()
    here = set(ptbxl.ids(range(1, 10), fs=100).tolist())
    return ptbxl, [pair for pair in ptbxl.pairs() if here.issuperset(pair)]


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
@pytest.mark.timeout(900)
@pytest.mark.no_cover
def test_the_parts_of_five_hundred_pairs_of_ptbxl_sum_to_the_change_of_their_logits_and_turn_with_a_swap(
    trained, pairs
):
    """The real model on real tracings; waves by landmarks, since the sum has to hold however waves are cut."""
    ptbxl, listed = pairs
    chosen = listed[:: len(listed) // 500][:500]
    assert len(chosen) == 500
    like = read_signal(ptbxl.recording(chosen[0][0], 100), quick=True)
    worst = 0.0
    for start in range(0, 500, 20):
        recordings = [ptbxl.recording(ecg_id, 100) for pair in chosen[start : start + 20] for ecg_id in pair]
        cases = [
            case_of(read_by_landmarks(recording, like), explanation, trained.card)
            for recording, explanation in zip(recordings, explain_many(recordings, trained), strict=True)
        ]
        for earlier, later in zip(cases[::2], cases[1::2], strict=True):
            found, back = difference(earlier, later), difference(later, earlier)
            worst = max(worst, found.residual)
            for part in ("voltage", "weights", "bias", "baseline", "logit"):
                np.testing.assert_array_equal(getattr(back, part), -getattr(found, part))
            assert np.abs(found.voltage).sum() > 0
            assert np.abs(found.weights).sum() > 0
        same = difference(cases[0], cases[0])
        assert not any(part.any() for part in (same.voltage, same.weights, same.bias, same.baseline, same.logit))
    assert worst < TOLERANCE


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
@pytest.mark.timeout(900)
@pytest.mark.no_cover
def test_the_parts_of_delineated_pairs_of_ptbxl_sum_to_the_change_of_their_logits(trained, pairs):
    """Twenty pairs the whole way, waves and measurements included; `python -m ecgimn earlier-ecg` does five hundred."""
    ptbxl, listed = pairs
    n = 0
    for pair in listed[::60][:20]:
        recordings = [ptbxl.recording(ecg_id, 100) for ecg_id in pair]
        readings = [read_signal(recording, quick=True) for recording in recordings]
        if not all(reading.quality.usable for reading in readings):
            continue
        earlier, later = open_cases(readings, trained)
        assert difference(earlier, later).residual < TOLERANCE
        n += 1
    assert n > 15
