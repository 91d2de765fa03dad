"""One door from a recording to a model, with the quality check in it, and one kind of evidence behind it."""

from dataclasses import replace

import numpy as np
import pytest

from ecgimn.errors import QualityError, RecordingError
from ecgimn.explain.as_json import explanation_json
from ecgimn.explain.case import OUTSIDE, case_of, difference_name, open_case, open_cases
from ecgimn.explain.explanation import explain
from ecgimn.explain.ledger import book
from ecgimn.explain.sentences import answer, class_chips
from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.model.card import Zones
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.reading import read_signal
from ecgimn.signal.rhythm import Rhythm
from tests.explain.small_cases import CLASSES, small_case, synthetic

SHOWN = [(name, None) for name in CLASSES] + [("A", "B"), ("C", "A")]


@pytest.fixture(scope="module")
def case(model):
    return small_case(synthetic(), model, double=True)


@pytest.fixture(scope="module")
def flat():
    """V4 holds nothing."""
    signal = np.array(synthetic().signal)
    signal[STANDARD_LEADS.index("V4")] = 0.0
    return synthetic().with_signal(signal)


def on_a_baseline(recording, mv):
    """The same recording on another baseline in every electrode's lead, the limb leads consistent."""
    level = np.concatenate([LIMB_FROM_I_II @ [mv, mv], np.full(6, mv)])
    return Recording(np.asarray(recording.signal, dtype=np.float64) + level[:, None], recording.fs), level


def test_a_recording_that_the_quality_check_refuses_is_not_explained_and_the_error_says_why(flat, model):
    asked = []

    def never(recording, model):
        asked.append(recording)
        return explain(recording, model)

    with pytest.raises(QualityError, match="V4") as refused:
        open_case(flat, model, explain=never)
    assert asked == []
    assert refused.value.refusals == read_signal(flat).quality.refusals
    assert all(refusal in str(refused.value) for refusal in refused.value.refusals)
    assert isinstance(refused.value, RecordingError)


def test_a_reader_may_open_it_in_spite_of_the_quality_check(flat, model):
    case = open_case(flat, model, despite_quality=True)
    assert not case.reading.quality.usable
    for name in CLASSES:
        shown = case.of(name)
        assert shown.total + shown.baseline + shown.bias == pytest.approx(shown.logit, abs=1e-4)


def test_one_bad_recording_of_a_batch_is_refused_too(flat, model):
    readings = [read_signal(recording) for recording in (synthetic(), flat)]
    with pytest.raises(QualityError, match="V4"):
        open_cases(readings, model)


def test_what_a_caller_keeps_of_a_recording_is_not_computed_again(case, model):
    kept = open_case(case.recording, model, read=lambda _: case.reading, explain=lambda *_: case.explanation)
    assert kept.reading is case.reading
    assert kept.explanation is case.explanation
    np.testing.assert_array_equal(kept.ledger.cells, case.ledger.cells)


@pytest.mark.parametrize(("name", "minus"), SHOWN)
def test_cells_baseline_and_bias_are_the_logit(case, name, minus):
    shown = case.of(name, minus)
    assert shown.cells.sum() + shown.baseline + shown.bias == pytest.approx(shown.logit, abs=1e-8)
    assert shown.beats.sum() == pytest.approx(shown.cells.sum(), abs=1e-9)
    assert shown.residual < 1e-8
    cells, beats = book(shown.contribution, case.reading.waves)
    np.testing.assert_allclose(cells, shown.cells, atol=1e-10)
    np.testing.assert_allclose(beats, shown.beats, atol=1e-10)


@pytest.mark.parametrize(("name", "minus"), SHOWN)
def test_a_contribution_is_weight_times_voltage_about_the_isoelectric_level(case, name, minus):
    shown = case.of(name, minus)
    about = bridge_gaps(case.recording.signal) - case.reading.levels[:, None]
    np.testing.assert_allclose(shown.contribution, shown.weights * about, atol=1e-12)


def test_the_evidence_of_a_difference_is_the_difference(case):
    one, other, gap = case.of("A"), case.of("B"), case.of("A", "B")
    for part in ("weights", "contribution", "bias", "baseline", "logit", "cells", "beats"):
        np.testing.assert_allclose(getattr(gap, part), getattr(one, part) - getattr(other, part), atol=1e-12)
    for parts in ("by_lead", "by_wave", "by_territory"):
        minus = {name: value - getattr(other, parts)()[name] for name, value in getattr(one, parts)().items()}
        assert getattr(gap, parts)() == pytest.approx(minus)
    np.testing.assert_array_equal(gap.spread, one.spread + other.spread)
    assert gap.residual == one.residual + other.residual
    assert gap.name == difference_name("A", "B") == "A − B"
    assert gap.is_difference
    assert not one.is_difference
    assert gap.probability is gap.threshold is None


def test_a_constant_added_to_a_lead_changes_no_contribution(case, model):
    row = STANDARD_LEADS.index("V3")
    signal = np.array(case.recording.signal, dtype=np.float64)
    signal[row] += 0.4
    levels = case.reading.levels.copy()
    levels[row] += 0.4
    moved = case.recording.with_signal(signal)
    reading = replace(case.reading, recording=moved, isoelectric=replace(case.reading.isoelectric, mv=levels))
    after = case_of(reading, explain(moved, model, double=True), model.card)
    for name in CLASSES:
        before = case.of(name).contribution
        np.testing.assert_allclose(after.of(name).contribution, before, atol=1e-5 * np.abs(before).max())


def test_a_baseline_of_three_tenths_of_a_millivolt_is_no_evidence(case, model):
    moved, level = on_a_baseline(case.recording, 0.3)
    after = open_case(moved, model)
    np.testing.assert_allclose(after.reading.levels - case.reading.levels, level, atol=1e-4)
    for name in CLASSES:
        before, shown = case.of(name), after.of(name)
        assert np.abs(shown.contribution).sum() == pytest.approx(np.abs(before.contribution).sum(), rel=1e-3)
        raw = np.abs(shown.weights * moved.signal).sum()  # of the file's own zero
        assert raw > 1.2 * np.abs(before.contribution).sum()


def test_cases_opened_together_are_the_cases_opened_one_by_one(model):
    readings = [read_signal(synthetic(seed=seed)) for seed in range(3)]
    for reading, many in zip(readings, open_cases(readings, model), strict=True):
        one = open_case(reading.recording, model)
        assert many.reading is reading
        assert many.card is one.card is model.card
        np.testing.assert_allclose(many.explanation.logit, one.explanation.logit, atol=1e-4)
        np.testing.assert_allclose(many.ledger.cells, one.ledger.cells, atol=1e-4)
        for name in CLASSES:
            np.testing.assert_allclose(many.of(name).contribution, one.of(name).contribution, atol=1e-6)
            assert many.of(name).spread is None  # of the networks averaged, only the mean is carried to the trace


def test_the_card_gives_the_thresholds_and_the_highest_probability_the_class_shown_first(case):
    assert case.thresholds == {}
    assert case.of("A").threshold is None
    judged = replace(case, card=replace(case.card, thresholds={"youden": (0.2, 0.3, 0.4)}))
    assert judged.thresholds == {"A": 0.2, "B": 0.3, "C": 0.4}
    assert judged.of("B").threshold == 0.3
    assert case.most_probable == max(CLASSES, key=lambda name: case.of(name).probability)


def test_classes_that_are_called_come_first_then_the_most_probable(case):
    said = {name: case.of(name).probability for name in CLASSES}
    by_probability = sorted(CLASSES, key=said.__getitem__, reverse=True)
    assert list(case.likely(2)) == by_probability[:2]
    last = by_probability[-1]
    called = replace(case.card, thresholds={"youden": tuple(0.0 if name == last else 1.0 for name in CLASSES)})
    assert list(replace(case, card=called).likely(3)) == [last, *by_probability[:2]]


def test_sinus_rhythm_is_offered_after_whatever_else_is_called_and_never_shown_first(case):
    said = dict(zip(CLASSES, case.explanation.probability, strict=True))
    by_probability = sorted(CLASSES, key=said.__getitem__, reverse=True)
    names = {name: name for name in CLASSES} | {by_probability[0]: "SR"}
    card = replace(case.card, thresholds={"youden": (0.0, 0.0, 0.0)})
    renamed = replace(
        case, explanation=replace(case.explanation, classes=tuple(names[name] for name in CLASSES)), card=card
    )
    assert renamed.most_probable == "SR"
    assert renamed.likely(3) == (by_probability[1], by_probability[2], "SR")
    assert renamed.most_telling == by_probability[1]
    nothing_called = replace(renamed, card=replace(card, thresholds={"youden": (1.0, 1.0, 1.0)}))
    assert nothing_called.likely(3)[-1] == "SR"
    assert nothing_called.most_telling == by_probability[1]


def test_a_class_is_called_in_the_words_of_the_card(case):
    assert replace(case, card=replace(case.card, words={"A": "Any"})).of("A").meaning == "Any"
    assert case.of("B").meaning == "B"


def test_a_class_that_the_model_does_not_know_is_refused(case):
    with pytest.raises(ValueError, match="not in"):
        case.of("WPW")


def test_a_class_lies_in_its_decision_zone_and_outside_what_was_taught_in_none(case):
    limits = Zones(0.05, (0, 200), (1.1, 0.0, 0.0), (1.2, -0.1, 1.0))
    sinus = replace(case.reading, rhythm=Rhythm("sinus", "sinus rhythm", ()), findings=None)
    card = replace(case.card, zones=(limits,), thresholds={"youden": (0.0, 0.0, 0.0)})
    judged = replace(case, reading=sinus, card=card)
    assert judged.zones() == {"A": "rule out", "B": "rule in", "C": "uncertain"}
    assert "rule in" in answer(judged.of("B"), ()).text
    child = replace(judged, reading=replace(sinus, recording=replace(case.recording, age=11)))
    assert set(child.zones().values()) == {OUTSIDE}
    assert answer(child.of("B"), ()).text.endswith("outside what the model was taught")
    chips = class_chips(child)
    assert not any("*" in chip for chip in chips.values())
    assert explanation_json(child)["zones"] == {"miss_rate": 0.05, "classes": dict.fromkeys(CLASSES, OUTSIDE)}
