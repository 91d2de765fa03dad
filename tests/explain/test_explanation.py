"""The contributions on the raw trace and the bias are the logit, at every rate, and the ledger loses nothing."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from ecgimn.errors import SignalError
from ecgimn.explain.explanation import explain
from ecgimn.explain.ledger import contribution, make_ledger
from ecgimn.explain.sentences import describe_evidence, signed, st_elevation_share
from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.signal.reading import read_signal
from tests.explain.small_cases import CLASSES, small_case, synthetic


@pytest.mark.parametrize("fs", [100.0, 257.0, 500.0, 1000.0])
def test_contributions_and_bias_add_up_to_the_logit(model, fs):
    recording = synthetic(fs)
    for double, tolerance in ((False, 1e-4), (True, 1e-9)):
        explanation = explain(recording, model, double=double)
        assert explanation.weights.shape == (3, 12, recording.n_samples)
        total = (explanation.weights * recording.signal.astype(float)).sum(axis=(1, 2)) + explanation.bias
        assert np.abs(total - explanation.logit).max() < tolerance
        assert explanation.completeness_error < tolerance


def test_a_short_recording_is_explained_whole_and_exactly(model):
    explanation = explain(synthetic(500.0, 8.77), model)
    assert explanation.completeness_error < 1e-4


def test_the_spread_is_over_the_members_on_the_raw_trace(model):
    explanation = explain(synthetic(), model)
    single = explain(synthetic(), model.members()[0])
    assert explanation.spread.shape == explanation.weights.shape
    assert single.spread is None


def test_a_constant_added_to_a_lead_changes_no_logit(model):
    recording = synthetic()
    shifted = np.array(recording.signal)
    shifted[7] += 0.5
    before, after = explain(recording, model), explain(recording.with_signal(shifted), model)
    np.testing.assert_allclose(after.logit, before.logit, atol=1e-3)


def test_a_recording_longer_than_ten_seconds_is_refused(model):
    with pytest.raises(SignalError, match="Choose a window"):
        explain(synthetic(500.0, 12.0), model)


def test_gaps_are_bridged_for_the_model(model):
    signal = np.array(synthetic().signal)
    signal[3, 1000:1010] = np.nan
    case = small_case(synthetic().with_signal(signal), model)
    assert np.isfinite(case.explanation.weights).all()
    assert all(np.isfinite(case.of(name).contribution).all() for name in CLASSES)
    assert case.explanation.completeness_error < 1e-4


@pytest.fixture(scope="module")
def read():
    return read_signal(synthetic())


@pytest.fixture(scope="module")
def case(model):
    return small_case(synthetic(), model)


def test_the_ledger_totals_to_the_logit_in_every_arrangement(case):
    ledger = case.ledger
    assert ledger.residual < 1e-4
    np.testing.assert_allclose(ledger.beats.sum((1, 2)), ledger.cells.sum((1, 2)), atol=1e-9)
    for name in CLASSES:
        evidence, shown = ledger.of(name).sum(), case.of(name)
        assert shown.total == pytest.approx(evidence)
        assert sum(shown.by_lead().values()) == pytest.approx(evidence)
        assert sum(shown.by_wave().values()) == pytest.approx(evidence)
        assert sum(shown.by_territory().values()) == pytest.approx(evidence)
        assert sum(shown.for_and_against()) == pytest.approx(evidence)
        assert sum(row.logit for row in ledger.rows() if row.class_name == name) == pytest.approx(evidence)


def test_a_constant_added_to_a_lead_changes_no_cell(model, read):
    shifted = np.array(read.recording.signal)
    shifted[8] += 0.4
    recording = read.recording.with_signal(shifted)
    levels = read.levels.copy()
    levels[8] += 0.4
    before = make_ledger(explain(read.recording, model), read.recording, read.waves, read.levels)
    after = make_ledger(explain(recording, model), recording, read.waves, levels)
    np.testing.assert_allclose(after.cells, before.cells, atol=1e-3)


def test_rederived_limb_leads_change_no_cell(model, read):
    signal = np.round(np.array(read.recording.signal, dtype=np.float64), 3)  # 1 uV steps, as files have
    rederived = signal.copy()
    rederived[:6] = LIMB_FROM_I_II @ signal[:2]
    ledgers = [
        make_ledger(explain(recording, model), recording, read.waves, read.levels)
        for recording in (read.recording.with_signal(signal), read.recording.with_signal(rederived))
    ]
    np.testing.assert_allclose(ledgers[0].cells, ledgers[1].cells, atol=1e-3)


def test_without_beats_all_evidence_is_unassigned(model, read):
    ledger = make_ledger(explain(read.recording, model), read.recording, None, read.levels)
    np.testing.assert_array_equal(ledger.cells[:, :, 1:], 0.0)
    assert ledger.residual < 1e-4


def test_a_ledger_of_another_recording_is_refused(model, read):
    with pytest.raises(ValueError, match="another recording"):
        make_ledger(explain(synthetic(seed=5), model), read.recording, read.waves, read.levels)


def test_isoelectric_contributions_sum_to_the_same_logit(model, read):
    explanation = explain(read.recording, model)
    evidence = contribution(explanation.weights, read.recording, read.levels)
    raw = contribution(explanation.weights, read.recording, np.zeros(12))
    np.testing.assert_allclose(evidence.sum((1, 2)), raw.sum((1, 2)), atol=1e-6)
    np.testing.assert_allclose(raw.sum((1, 2)) + explanation.bias, explanation.logit, atol=1e-4)


def test_words_repeat_the_numbers_of_the_ledger_and_no_verdict(case):
    text = " ".join(describe_evidence(case.of("A")))
    assert signed(case.explanation.logit[0]) in text
    assert signed(case.explanation.bias[0]) in text
    for word in ("STEMI", "infarct", "ischaemia", "ischemia", "critical", "patient"):
        assert word not in text


def test_the_share_on_elevated_leads_counts_st_and_t_of_those_leads_only(case):
    elevated = SimpleNamespace(st_elevation_leads=("V2", "V3"))
    share = st_elevation_share(dataclasses.replace(case.of("A"), reading=elevated))
    rows = [STANDARD_LEADS.index(lead) for lead in ("V2", "V3")]
    assert share.leads == ("V2", "V3")
    assert share.logit == pytest.approx(case.ledger.of("A")[rows][:, 4:6].sum())
    assert 0.0 <= share.share_of_positive <= 1.0


def test_an_explanation_is_read_only(model, read):
    explanation = explain(read.recording, model)
    with pytest.raises(ValueError, match="read-only"):
        explanation.weights[0, 0, 0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.fs = 1.0
