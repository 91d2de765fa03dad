"""ST elevation, ST depression and T inversion: the documented vectors, 1 microvolt on either side, the wording."""

from __future__ import annotations

import pytest

from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.conduction import Voltages
from ecgimn.signal.criteria import possible_groups
from ecgimn.signal.findings import (
    Caveats,
    lvh_voltage,
    st_depression,
    st_elevation,
    st_levels_uv,
    t_inversion,
    t_inversion_candidates,
)
from ecgimn.signal.measure import StMeasurement, TWave, st_shape

FORBIDDEN = ("STEMI", "infarct", "ischaemia", "ischemia", "normal heart", "critical")


def st(levels_mv, slope_mv_per_s=0.0):
    """ST measurements with the given levels at J, 0 elsewhere."""
    return tuple(
        StMeasurement(lead, levels_mv.get(lead, 0.0), levels_mv.get(lead, 0.0), levels_mv.get(lead, 0.0),
                      slope_mv_per_s, st_shape(slope_mv_per_s), "PQ", 0.0, 10)
        for lead in STANDARD_LEADS
    )  # fmt: skip


def elevation(levels_mv, sex, age, caveats=None):
    return st_elevation(st_levels_uv(st(levels_mv)), possible_groups(sex, age), caveats or Caveats())


MAN_45, MAN_38, WOMAN_60 = ("male", 45), ("male", 38), ("female", 60)


@pytest.mark.parametrize(
    ("levels_mv", "who", "verdict", "leads"),
    [
        ({"V2": 0.20, "V3": 0.20}, MAN_45, "meets", ("V2", "V3")),
        ({"V2": 0.199, "V3": 0.20}, MAN_45, "does not meet", ()),
        ({"V2": 0.24, "V3": 0.26}, MAN_38, "does not meet", ()),
        ({"V2": 0.25, "V3": 0.26}, MAN_38, "meets", ("V2", "V3")),
        ({"V2": 0.15, "V3": 0.15}, WOMAN_60, "meets", ("V2", "V3")),
        ({"V2": 0.149, "V3": 0.15}, WOMAN_60, "does not meet", ()),
        ({"V3": 0.20, "V4": 0.10}, MAN_45, "meets", ("V3", "V4")),
        ({"V3": 0.20, "V4": 0.099}, MAN_45, "does not meet", ()),
        ({"III": 0.10, "aVF": 0.10, "II": 0.10, "I": 0.0}, MAN_45, "meets", ("II", "aVF", "III")),
        ({"I": 0.11, "aVL": 0.10, "II": 0.02, "III": -0.09}, MAN_45, "meets", ("aVL", "I")),
        ({"III": 0.12, "I": -0.06, "II": 0.06, "aVF": 0.09}, MAN_45, "does not meet", ()),
        ({"V1": 0.10, "V3": 0.25, "V2": 0.10}, MAN_45, "does not meet", ()),
        ({"V1": 0.10, "V2": 0.20}, MAN_45, "meets", ("V1", "V2")),
        ({"aVR": -0.10, "I": 0.10}, WOMAN_60, "meets", ("I", "-aVR")),
        ({"aVR": -0.099, "I": 0.10}, WOMAN_60, "does not meet", ()),
        ({"aVR": 0.30, "I": 0.10}, WOMAN_60, "does not meet", ()),
    ],
)
def test_st_elevation_is_judged_lead_by_lead_among_neighbours(levels_mv, who, verdict, leads):
    finding = elevation(levels_mv, *who)
    assert (finding.verdict, finding.leads) == (verdict, leads)


@pytest.mark.parametrize(
    ("levels_mv", "sex", "age", "text"),
    [
        ({"V2": 0.18, "V3": 0.18}, None, None, "ST-elevation threshold in V2, V3: met if woman; not met if man"),
        ({"V2": 0.18, "V3": 0.18}, None, 38, "ST-elevation threshold in V2, V3: met if woman; not met if man < 40"),
        ({"V2": 0.22, "V3": 0.22}, None, None,
         "ST-elevation threshold in V2, V3: met if woman or man >= 40; not met if man < 40"),
        ({"V2": 0.22, "V3": 0.22}, "male", None,
         "ST-elevation threshold in V2, V3: not met if man < 40; met if man >= 40"),
        ({"V2": 0.30, "V3": 0.30}, None, None, "meets ST-elevation threshold in V2, V3"),
        ({"V2": 0.20, "V3": 0.20, "V4": 0.10}, "male", 45, "meets ST-elevation threshold in V2-V4 (men >= 40 y)"),
        ({}, "female", 60, "does not meet ST-elevation threshold (women)"),
        ({}, None, None, "does not meet ST-elevation threshold"),
    ],
)  # fmt: skip
def test_the_sentence_says_for_whom_a_threshold_is_met(levels_mv, sex, age, text):
    assert elevation(levels_mv, sex, age).text == text


def test_every_st_verdict_says_that_new_cannot_be_judged():
    assert "new cannot be judged" in elevation({"V2": 0.3, "V3": 0.3}, "male", 45).reason


def test_a_reason_to_withhold_leaves_the_leads_but_no_verdict():
    finding = elevation({"V2": 0.3, "V3": 0.3}, "male", 45, Caveats(reasons=("LBBB criteria met",)))
    assert (finding.verdict, finding.leads) == ("withheld", ("V2", "V3"))
    assert "LBBB criteria met" in finding.text


def test_a_condition_that_moves_st_is_said_beside_the_verdict_and_withholds_nothing():
    finding = elevation({"V2": 0.3, "V3": 0.3}, "male", 45, Caveats(secondary=("left bundle branch block",)))
    assert (finding.verdict, finding.leads) == ("meets", ("V2", "V3"))
    assert finding.text.endswith("in V2, V3 (men >= 40 y), but may be secondary to left bundle branch block")


def test_a_threshold_that_is_not_met_needs_no_cause():
    finding = elevation({}, "male", 45, Caveats(secondary=("left bundle branch block",)))
    assert finding.text == "does not meet ST-elevation threshold (men >= 40 y)"


def test_high_voltage_for_one_sex_is_said_for_that_sex_only():
    caveats = Caveats(secondary_groups=(("woman", "high voltage"),))
    finding = elevation({"V4": 0.2, "V5": 0.2}, None, 60, caveats)
    assert finding.verdict == "meets"
    assert finding.text.endswith("in V4, V5, but may be secondary to high voltage (if woman)")
    assert "secondary" not in elevation({"V4": 0.2, "V5": 0.2}, "male", 60, caveats).text


def test_right_bundle_branch_block_is_a_cause_in_v1_to_v3_only():
    caveats = Caveats(secondary_leads=(("right bundle branch block", ("V1", "V2", "V3")),))
    assert "secondary to right bundle branch block in V1, V2, V3" in elevation({"V2": 0.3, "V3": 0.3}, "male", 45,
                                                                               caveats).text  # fmt: skip
    finding = elevation({"V4": 0.1, "V5": 0.1}, "male", 45, caveats)
    assert (finding.verdict, "secondary" in finding.text) == ("meets", False)


@pytest.mark.parametrize(
    ("levels_mv", "slope", "verdict", "leads"),
    [
        ({"V4": -0.05, "V5": -0.05}, 0.0, "meets", ("V4", "V5")),
        ({"V4": -0.049, "V5": -0.05}, 0.0, "does not meet", ()),
        ({"V4": -0.05, "V5": -0.05}, -0.6, "meets", ("V4", "V5")),
        ({"V4": -0.05, "V6": -0.05}, 0.0, "does not meet", ()),
        ({"V4": -0.10, "V5": -0.10}, 0.6, "does not meet", ()),
        ({"I": -0.10, "aVR": -0.10}, 0.0, "does not meet", ()),
    ],
)
def test_st_depression_needs_two_neighbours_that_do_not_rise(levels_mv, slope, verdict, leads):
    finding = st_depression(st(levels_mv, slope), possible_groups("male", 45), Caveats())[0]
    assert (finding.verdict, finding.leads) == (verdict, leads)


def test_up_sloping_depression_is_listed_without_a_verdict():
    found = st_depression(st({"V4": -0.10, "V5": -0.10}, 0.6), possible_groups("male", 45), Caveats())
    assert [(item.verdict, item.leads) for item in found[1:]] == [("note", ("V4", "V5"))]


def t(amplitudes_mv):
    return tuple(
        TWave(lead, amplitudes_mv.get(lead, 0.2), 0.0, min(amplitudes_mv.get(lead, 0.2), 0.0), "")
        for lead in STANDARD_LEADS
    )


@pytest.mark.parametrize(
    ("amplitudes_mv", "age", "verdict", "leads"),
    [
        ({"V4": -0.101, "V5": -0.101}, 50, "meets", ("V4", "V5")),
        ({"V4": -0.1, "V5": -0.2}, 50, "does not meet", ()),
        ({"III": -0.3}, 50, "does not meet", ()),
        ({"V1": -0.3}, 50, "does not meet", ()),
        ({"aVR": -0.3, "I": -0.3}, 50, "does not meet", ()),
        ({"III": -0.3, "aVF": -0.3}, 50, "meets", ("aVF", "III")),
        ({"V1": -0.3, "V2": -0.3}, 50, "does not meet", ()),
        ({"V1": -0.3, "V2": -0.3, "V3": -0.2}, 50, "meets", ("V1", "V2", "V3")),
        ({"V2": -0.3, "V3": -0.45, "V4": -0.4, "aVL": -0.12}, 50, "meets", ("V2", "V3", "V4")),
        ({"V2": -0.3, "V3": -0.3}, 20, "does not meet", ()),
        ({"V2": -0.3, "V3": -0.3}, 21, "meets", ("V2", "V3")),
    ],
)
def test_t_inversion_needs_two_neighbours_outside_the_usual_exceptions(amplitudes_mv, age, verdict, leads):
    candidates = t_inversion_candidates(t(amplitudes_mv), age)
    finding = t_inversion(candidates, possible_groups("male", age), Caveats())
    assert (finding.verdict, finding.leads) == (verdict, leads)


@pytest.mark.parametrize(
    ("sokolow_uv", "cornell_uv", "sex", "verdict"),
    [
        (3499, 0, "male", "does not meet"),
        (3500, 0, "male", "meets"),
        (0, 2800, "male", "does not meet"),
        (0, 2801, "male", "meets"),
        (0, 2000, "female", "does not meet"),
        (0, 2001, "female", "meets"),
        (0, 2500, None, "depends"),
        (0, 2801, None, "meets"),
        (3500, 2500, None, "meets"),
    ],
)
def test_voltage_screens_on_both_sides_of_their_borders(sokolow_uv, cornell_uv, sex, verdict):
    assert lvh_voltage(Voltages(sokolow_uv, cornell_uv), possible_groups(sex, 60)).verdict == verdict


def test_voltage_is_not_judged_where_its_limits_do_not_hold():
    finding = lvh_voltage(Voltages(4000, 3000), possible_groups("male", 60), "LBBB criteria met")
    assert finding.verdict == "withheld"
    assert "LBBB criteria met" in finding.text
    assert "4.00 mV" in finding.text


def test_voltage_that_depends_on_sex_says_so():
    finding = lvh_voltage(Voltages(0, 2500), possible_groups(None, 60))
    assert "met if woman; not met if man" in finding.text


def test_no_verdict_names_a_disease():
    sentences = [
        elevation({"V2": 0.3, "V3": 0.3}, sex, age).text + elevation({}, sex, age).reason
        for sex, age in [("male", 45), ("female", 60), (None, None)]
    ]
    assert not [word for word in FORBIDDEN for sentence in sentences if word.lower() in sentence.lower()]
