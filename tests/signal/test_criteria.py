"""Every border of the threshold tables, one microvolt on either side."""

from __future__ import annotations

import pytest

from ecgimn.signal import criteria as thresholds
from ecgimn.signal.criteria import contiguous_runs, lead_list, possible_groups, st_elevation_threshold_uv
from ecgimn.signal.measure import later_st_point, st_shape

OTHER_LEADS = ("I", "II", "III", "aVL", "aVF", "V1", "V4", "V5", "V6", "-aVR")


@pytest.mark.parametrize(
    ("leads", "sex", "age", "threshold_uv"),
    [
        (("V2", "V3"), "male", 39, 250),
        (("V2", "V3"), "male", 40, 200),
        (("V2", "V3"), "male", 90, 200),
        (("V2", "V3"), "female", 20, 150),
        (("V2", "V3"), "female", 60, 150),
        (OTHER_LEADS, "male", 20, 100),
        (OTHER_LEADS, "male", 60, 100),
        (OTHER_LEADS, "female", 60, 100),
        (("V7", "V8", "V9"), "male", 39, 100),
        (("V7", "V8", "V9"), "male", 40, 50),
        (("V7", "V8", "V9"), "female", 30, 50),
        (("V3R", "V4R"), "male", 29, 100),
        (("V3R", "V4R"), "male", 30, 50),
        (("V3R", "V4R"), "female", 20, 50),
    ],
)
def test_the_st_elevation_table_holds_for_every_lead_sex_and_age(leads, sex, age, threshold_uv):
    assert {st_elevation_threshold_uv(lead, sex, age) for lead in leads} == {threshold_uv}


@pytest.mark.parametrize(
    ("sex", "age", "labels"),
    [
        ("female", None, ("woman",)),
        ("female", 30, ("woman",)),
        ("male", 39, ("man < 40",)),
        ("male", 40, ("man >= 40",)),
        ("male", None, ("man < 40", "man >= 40")),
        (None, 39, ("woman", "man < 40")),
        (None, 40, ("woman", "man >= 40")),
        (None, None, ("woman", "man < 40", "man >= 40")),
    ],
)
def test_unknown_sex_or_age_keeps_every_group_that_could_apply(sex, age, labels):
    assert tuple(group.label for group in possible_groups(sex, age)) == labels


@pytest.mark.parametrize(
    ("leads", "runs"),
    [
        (("V1", "V2"), (("V1", "V2"),)),
        (("V1", "V3"), ()),
        (("V6", "V5", "V4"), (("V4", "V5", "V6"),)),
        (("III", "aVF"), (("aVF", "III"),)),
        (("aVL", "I"), (("aVL", "I"),)),
        (("I", "-aVR"), (("I", "-aVR"),)),
        (("-aVR", "II"), (("-aVR", "II"),)),
        (("I", "II"), ()),
        (("I", "aVR", "II"), ()),
        (("aVL", "III"), ()),
        (("V6", "I"), ()),
        (("II", "aVF", "V1", "V2", "V4"), (("II", "aVF"), ("V1", "V2"))),
    ],
)
def test_only_neighbours_are_contiguous(leads, runs):
    assert contiguous_runs(leads) == runs


def test_runs_are_written_as_readers_write_them():
    assert lead_list((("II", "aVF", "III"), ("V2", "V3", "V4"))) == "II, III, aVF, V2-V4"
    assert lead_list((("aVL", "I"),)) == "I, aVL"
    assert lead_list((("I", "-aVR", "II"),)) == "I, II, -aVR"
    assert lead_list((("V2", "V3"),)) == "V2, V3"


@pytest.mark.parametrize(
    ("slope_mv_per_s", "shape"),
    [
        (-0.501, "down-sloping"),
        (-0.5, "horizontal"),
        (0.5, "horizontal"),
        (0.501, "slow up-sloping"),
        (1.0, "slow up-sloping"),
        (1.001, "rapid up-sloping"),
    ],
)
def test_a_slope_on_a_border_belongs_to_the_flatter_shape(slope_mv_per_s, shape):
    assert st_shape(slope_mv_per_s) == shape


@pytest.mark.parametrize(("heart_rate", "point"), [(60.0, "J+80"), (120.0, "J+80"), (120.5, "J+60")])
def test_the_later_st_point_changes_above_120_per_minute(heart_rate, point):
    assert later_st_point(heart_rate) == point


@pytest.mark.parametrize(
    ("qtc_ms", "sex", "verdict"),
    [
        (449.9, "male", "within limits"),
        (450.0, "male", "prolonged"),
        (459.9, "female", "within limits"),
        (460.0, "female", "prolonged"),
        (360.0, "male", "short (<= 360 ms)"),
        (360.1, "female", "within limits"),
        (390.0, "male", "within limits"),
        (499.9, "female", "prolonged"),
        (500.0, "male", "prolonged, >= 500 ms"),
        (500.0, None, "prolonged, >= 500 ms"),
        (455.0, None, "prolonged if man; within limits if woman"),
        (460.0, None, "prolonged"),
        (400.0, None, "within limits"),
    ],
)
def test_qtc_limits_depend_on_sex(qtc_ms, sex, verdict):
    assert thresholds.qtc_verdict(qtc_ms, sex) == verdict


@pytest.mark.parametrize(
    ("qrs_ms", "verdict"), [(109, "normal"), (110, "borderline"), (119, "borderline"), (120, "wide")]
)
def test_qrs_duration_borders(qrs_ms, verdict):
    assert thresholds.qrs_verdict(qrs_ms) == verdict
