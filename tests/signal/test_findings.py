"""Findings of whole tracings: drawn ST shifts end in the documented sentences, and caveats withhold them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from synthetic_ecg import ORDINARY, Tracing

from ecgimn.signal.findings import find_findings
from ecgimn.signal.measure import measure
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves.find import find_waves

SHIFT = {"V2": 0.35, "V3": 0.35, "V4": 0.25}


def findings_of(tracing, **about):
    recording = tracing.recording(**about)
    return find_findings(recording, find_waves(recording))


@pytest.fixture(scope="module")
def raised():
    recording = Tracing(st_mv=SHIFT).recording()
    return recording, find_waves(recording)


def test_an_ordinary_tracing_meets_nothing(recording, waves, measurements):
    found = find_findings(recording, waves, measurements)
    assert found.of("ST elevation")[0].verdict == "does not meet"
    assert found.of("T inversion")[0].verdict == "does not meet"
    assert found.of("LVH voltage")[0].verdict == "does not meet"
    assert (found.st_elevation_leads, found.withheld) == ((), ())


def test_a_drawn_st_elevation_is_found_in_its_leads_and_territories(raised):
    found = find_findings(*raised)
    finding = found.of("ST elevation")[0]
    assert finding.verdict == "meets"
    assert finding.leads == ("V2", "V3", "V4")
    assert finding.territories == ("septal", "anterior")
    assert found.st_elevation_leads == ("V2", "V3", "V4")


def test_a_lead_over_the_threshold_without_a_neighbour_is_listed_and_marked_nowhere():
    found = findings_of(Tracing(st_mv={"V4": 0.2}), sex="male", age=60)
    assert found.of("ST elevation")[0].verdict == "does not meet"
    assert found.st_elevation_leads == ("V4",)
    assert found.marked("ST elevation") == ()


def test_leads_over_the_threshold_of_some_groups_only_are_listed_apart():
    found = findings_of(Tracing(st_mv={"V2": 0.19, "V3": 0.19}))
    assert found.of("ST elevation")[0].verdict == "depends"
    assert found.st_elevation_leads == ()
    assert found.st_elevation_leads_depending == ("V2", "V3")


def test_a_drawn_st_depression_is_found():
    found = findings_of(Tracing(st_mv={"V4": -0.25, "V5": -0.25, "V6": -0.25}), sex="male", age=60)
    finding = found.of("ST depression")[0]
    assert finding.verdict == "meets"
    assert set(finding.leads) >= {"V4", "V5"}


def test_drawn_t_inversion_is_found():
    heights = {lead: (*wave[:4], -0.35) if lead in ("V4", "V5", "V6") else wave for lead, wave in ORDINARY.items()}
    found = findings_of(Tracing(waves=heights), sex="female", age=60)
    assert found.of("T inversion")[0].verdict == "meets"
    assert found.t_inversion_leads == ("V4", "V5", "V6")


def high_voltage():
    heights = dict(ORDINARY)
    heights["V1"] = (0.05, 0.0, 0.2, -2.2, 0.12)
    heights["V5"] = (0.08, -0.06, 2.4, -0.25, 0.32)
    return Tracing(waves=heights, st_mv=SHIFT)


def test_high_voltage_stands_beside_the_verdict_as_a_possible_cause():
    found = findings_of(high_voltage(), sex="male", age=60)
    assert found.of("LVH voltage")[0].verdict == "meets"
    assert found.of("ST elevation")[0].verdict == "meets"
    assert "may be secondary to high voltage" in found.of("ST elevation")[0].text
    assert found.withheld == ()
    assert "V4" in found.st_elevation_leads


@pytest.mark.parametrize("age", [9, 17])
def test_no_limit_of_adults_is_applied_under_18(age):
    fast_and_wide = replace(Tracing(rr_s=0.56, stretch_qrs=1.5).recording(), sex="male", age=age)
    reading = read_signal(fast_and_wide)
    assert reading.rhythm.statement == "sinus rhythm"
    assert any("not judged under 18" in ground for ground in reading.rhythm.grounds)
    assert {item.verdict for item in reading.findings.items} <= {"withheld", "note"}
    limits = {"wide QRS", "LBBB criteria", "RBBB criteria", "pre-excitation", "QTc"}
    assert not limits & {item.kind for item in reading.findings.items}
    assert {item.verdict for item in reading.findings.criteria} == {"not measurable"}
    assert reading.scope.names == (f"age {age}",)
    assert read_signal(replace(fast_and_wide, age=45)).rhythm.statement == "sinus tachycardia"


def test_voltage_is_not_judged_in_children():
    found = findings_of(high_voltage(), sex="male", age=11)
    assert found.of("LVH voltage")[0].verdict == "withheld"
    assert "age 11" in found.of("LVH voltage")[0].text
    assert "voltage" not in found.of("ST elevation")[0].text


def test_a_failed_quality_check_withholds_the_verdict(raised):
    recording, waves = raised
    signal = recording.signal.copy()
    signal[11] = 0.0
    broken = recording.with_signal(signal)
    found = find_findings(broken, waves, measure(broken, waves))
    assert found.of("ST elevation")[0].verdict == "withheld"
    assert "failed quality check" in found.withheld


def test_a_wide_qrs_stands_beside_the_verdict_as_a_possible_cause():
    found = findings_of(Tracing(stretch_qrs=1.9, st_mv={"V2": 0.9, "V3": 0.9, "V4": 0.9}), sex="male", age=60)
    assert found.of("ST elevation")[0].verdict == "meets"
    assert "may be secondary to" in found.of("ST elevation")[0].text


def test_deep_t_inversion_counts_where_r_is_small():
    heights = {lead: (*wave[:4], -0.4) if lead in ("V2", "V3", "V4") else wave for lead, wave in ORDINARY.items()}
    found = findings_of(Tracing(waves=heights), sex="female", age=60)
    assert found.of("T inversion")[0].verdict == "meets"
    assert found.of("T inversion")[0].leads == ("V2", "V3", "V4")


def test_fewer_than_three_beats_withhold_everything_with_the_reason():
    found = findings_of(Tracing(duration_s=2.0, st_mv=SHIFT), sex="male", age=60)
    assert found.of("ST elevation")[0].verdict == "withheld"
    assert "3 are needed" in found.of("ST elevation")[0].reason


def test_low_resolution_is_said():
    found = findings_of(Tracing(fs=100.0))
    assert "not resolvable" in found.of("resolution")[0].text


def test_sex_and_age_change_the_verdict_of_the_same_tracing():
    tracing = Tracing(st_mv={"V2": 0.19, "V3": 0.19})
    recording = tracing.recording()
    waves = find_waves(recording)
    verdicts = {}
    for sex, age in [("female", 60), ("male", 60), ("male", 30)]:
        about = tracing.recording(sex=sex, age=age)
        verdicts[sex, age] = find_findings(about, waves).of("ST elevation")[0].verdict
    assert verdicts == {("female", 60): "meets", ("male", 60): "does not meet", ("male", 30): "does not meet"}
