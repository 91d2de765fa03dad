"""What sets a recording apart from the training data is named, and an ordinary one is not remarked upon."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_ecg import Tracing

from ecgimn.explain.as_json import measured_json
from ecgimn.signal.findings import Finding
from ecgimn.signal.quality import ECTOPY_TAUGHT_BY, MOST_UNLIKE, TAUGHT_BY, scope_of
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves.openecg import resample
from ecgimn.sources.ptbxl_arrays import STATEMENTS


@pytest.fixture(scope="module")
def reading():
    return read_signal(Tracing().recording())


@pytest.mark.parametrize("age", [None, 18, 60, 90])
def test_an_adult_recording_of_ten_seconds_is_in_scope(reading, age: int | None) -> None:
    scope = scope_of(replace(reading, recording=replace(reading.recording, age=age)))
    assert (scope.within, scope.reasons) == (True, ())


def test_limb_leads_computed_from_i_and_ii_are_what_the_models_learned_from(reading) -> None:
    assert scope_of(replace(reading, recording=replace(reading.recording, derived_leads=("III", "aVR")))).within


def test_a_child_and_a_short_strip_are_named(reading) -> None:
    short = replace(reading.recording.window(0.0, 7.0), age=11)
    named = scope_of(replace(reading, recording=short)).reasons
    assert len(named) == 2
    assert "Age 11" in named[0]
    assert "7.0 s" in named[1]


@pytest.mark.parametrize("kind", ["atrial fibrillation", "possible flutter", "paced", "ectopic atrial"])
def test_a_rhythm_outside_sinus_is_named(reading, kind) -> None:
    scope = scope_of(replace(reading, rhythm=replace(reading.rhythm, kind=kind, statement=f"{kind}, more")))
    assert (scope.within, scope.names) == (False, (kind,))
    assert "sinus rhythm" in scope.reasons[0]


@pytest.mark.parametrize(
    ("kind", "statement"),
    [("atrial fibrillation", "AFIB"), ("possible flutter", "AFLT"), ("paced", "PACE"), ("AV block", "3AVB")],
)
def test_a_rhythm_is_within_the_scope_of_a_model_that_names_it_and_of_no_other(reading, kind, statement) -> None:
    scope = scope_of(replace(reading, rhythm=replace(reading.rhythm, kind=kind, statement=kind)))
    assert scope.of_model(("NORM", statement)).within
    assert scope.of_model(("NORM", "MI", "SR")) == scope
    child = replace(reading.recording, age=11)
    both = scope_of(replace(reading, recording=child, rhythm=replace(reading.rhythm, kind=kind, statement=kind)))
    assert both.of_model((statement,)).names == ("age 11",)


def test_a_rhythm_that_no_statement_names_is_outside_the_scope_of_every_model(reading) -> None:
    for kind in ("undetermined", "junctional", "ectopic atrial"):
        scope = scope_of(replace(reading, rhythm=replace(reading.rhythm, kind=kind, statement=kind, grounds=("why",))))
        assert not scope.of_model(STATEMENTS).within


def test_every_statement_that_teaches_a_rhythm_is_one_of_ptbxl() -> None:
    assert {*sum(TAUGHT_BY.values(), ()), *ECTOPY_TAUGHT_BY} <= set(STATEMENTS)


def test_frequent_ectopic_beats_are_outside_and_single_ones_within(reading) -> None:
    for beats, within in [((4,), True), ((1, 3, 5, 7), False)]:
        scope = scope_of(replace(reading, rhythm=replace(reading.rhythm, ventricular=beats)))
        assert scope.within is within
        assert scope.of_model(("PVC",)).within


def test_a_refused_recording_and_a_suspected_reversal_are_named(reading) -> None:
    refused = replace(reading.quality, refusals=("Lead V4 is flat.",))
    hint = Finding("lead reversal", "Possible lead reversal: V1 and V2.", (), "note")
    findings = replace(reading.findings, items=(*reading.findings.items, hint))
    scope = scope_of(replace(reading, quality=refused, findings=findings))
    assert scope.names == ("poor quality", "possible lead reversal")
    assert "Lead V4 is flat." in scope.reasons[0]


def test_rhythm_and_scope_are_in_the_measured_values() -> None:
    rr = np.random.default_rng(1).uniform(0.55, 1.15, 11)
    waves = {lead: (0.0, *heights[1:]) for lead, heights in Tracing().waves.items()}
    tracing = Tracing(beats_at=tuple(np.cumsum([0.4, *rr])), waves=waves)
    said = measured_json(read_signal(tracing.recording()))
    assert said["rhythm"]["statement"].startswith("atrial fibrillation")
    assert said["rhythm"]["grounds"]
    assert 0.5 <= said["rhythm"]["af_score"] <= 1.0
    assert said["scope"]["within"] is False
    assert "trial fibrillation" in said["scope"]["reasons"][0]
    assert said["intervals"]["pr"]["value"] is None
    criteria = {item["name"]: item for item in said["criteria"]}
    assert criteria["Left atrial enlargement"]["verdict"] == "not measurable"
    assert "no P waves" in criteria["Left atrial enlargement"]["reason"]
    assert criteria["LVH, Sokolow-Lyon"]["verdict"] in ("met", "not met")


@pytest.mark.parametrize("made", ["noise", "sine", "ten times the voltage", "one lead"])
def test_what_is_no_ecg_like_those_of_the_training_is_far_away_and_said_to_be_so(reading, made) -> None:
    time = np.arange(5000) / 500.0
    signal = {
        "noise": np.random.default_rng(0).normal(0.0, 0.3, (12, 5000)),
        "sine": np.tile(np.sin(2 * np.pi * 1.3 * time), (12, 1)),
        "ten times the voltage": reading.recording.signal * 10.0,
        "one lead": np.tile(reading.recording.signal[1], (12, 1)),
    }[made]
    scope = scope_of(replace(reading, recording=reading.recording.with_signal(signal)))
    assert scope.distance > MOST_UNLIKE
    assert "unlike the training data" in scope.names


def test_the_distance_is_the_same_at_every_rate_and_in_the_json(reading) -> None:
    slow = reading.recording.with_signal(reading.recording.signal)
    slow = replace(slow, signal=resample(slow.signal, 500.0, 100.0), fs=100.0)
    found = [scope_of(replace(reading, recording=recording)).distance for recording in (reading.recording, slow)]
    assert found[0] == pytest.approx(found[1], abs=0.05)
    assert measured_json(reading)["scope"]["distance"] == pytest.approx(found[0])
