"""T grades on both sides of every border."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.signal.measure import QrsShape, grade_t, t_wave

R_5_MV = QrsShape("V5", r_mv=5.0)
R_1_MV = QrsShape("V5", r_mv=1.0)


@pytest.mark.parametrize(
    ("lead", "positive_mv", "negative_mv", "grade"),
    [
        ("V5", 0.1, 0.0, "flat"),
        ("V5", 0.101, 0.0, "positive"),
        ("V5", 0.0, -0.1, "flat"),
        ("V5", 0.0, -0.101, "inverted"),
        ("V5", 0.0, -0.5, "inverted"),
        ("V5", 0.0, -0.501, "deep inverted"),
        ("V5", 0.0, -1.0, "deep inverted"),
        ("V5", 0.0, -1.001, "giant inverted"),
        ("V3", 0.1, 0.0, "near zero"),
        ("V3", 0.0, -0.1, "near zero"),
        ("V3", 0.0, -0.101, "inverted"),
        ("III", 0.05, 0.0, "near zero"),
        ("aVR", 0.0, -0.3, "negative, usual in this lead"),
        ("III", 0.0, -0.3, "negative, usual in this lead"),
        ("aVL", 0.0, -0.3, "negative, usual in this lead"),
        ("V1", 0.0, -0.3, "negative, usual in this lead"),
        ("V4", 0.101, -0.101, "biphasic +/-"),
        ("V4", 0.1, -0.101, "inverted"),
        ("V4", 0.101, -0.1, "positive"),
    ],
)
def test_a_value_on_a_limit_belongs_to_the_milder_grade(lead, positive_mv, negative_mv, grade):
    assert grade_t(lead, positive_mv, negative_mv, positive_first=True, shape=None, age=50) == grade


@pytest.mark.parametrize("lead", ["I", "II", "aVL", "V4", "V5", "V6"])
def test_a_small_t_is_flat_only_in_the_leads_that_should_show_one(lead):
    assert grade_t(lead, 0.05, 0.0, positive_first=True, shape=None, age=50) == "flat"


@pytest.mark.parametrize(("age", "grade"), [(20, "negative, usual in this lead"), (21, "inverted"), (None, "inverted")])
def test_v2_may_be_negative_up_to_age_20(age, grade):
    assert grade_t("V2", 0.0, -0.3, positive_first=True, shape=None, age=age) == grade


@pytest.mark.parametrize(
    ("positive_mv", "shape", "grade"),
    [
        (0.499, R_5_MV, "low"),
        (0.5, R_5_MV, "positive"),
        (0.2, R_1_MV, "positive"),
        (0.2, QrsShape("V5", r_mv=5.0, s_mv=-6.0), "positive"),
    ],
)
def test_a_t_below_a_tenth_of_a_dominant_r_is_low(positive_mv, shape, grade):
    assert grade_t("V5", positive_mv, 0.0, positive_first=True, shape=shape, age=50) == grade


def test_the_order_of_the_lobes_is_named():
    time = np.linspace(0, 1, 200)
    wave = 0.3 * np.sin(2 * np.pi * time)
    assert t_wave("V4", wave, 0, 200, None, 50).grade == "biphasic +/-"
    assert t_wave("V4", -wave, 0, 200, None, 50).grade == "biphasic -/+"


def test_a_missing_t_wave_has_no_amplitude_but_a_reason():
    wave = t_wave("V4", np.zeros(100), np.nan, np.nan, None, 50)
    assert wave.amplitude_mv is None
    assert wave.reason
