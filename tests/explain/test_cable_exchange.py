"""Exchanged cables give the leads that textbooks describe, and the limb leads stay consistent."""

import numpy as np
import pytest

from ecgimn.explain.what_if import EXCHANGES, exchange_matrix
from ecgimn.leads import CANONICAL_PROJECTION, CHEST_LEADS, LIMB_FROM_I_II, STANDARD_LEADS


@pytest.fixture
def leads():
    rng = np.random.default_rng(0)
    return np.concatenate([LIMB_FROM_I_II @ rng.normal(size=(2, 30)), rng.normal(size=(6, 30))])


def lead(signal, name):
    return signal[STANDARD_LEADS.index(name)]


def test_exchanged_arms_turn_i_over_and_exchange_ii_with_iii_and_avr_with_avl(leads):
    swapped = exchange_matrix("RA and LA") @ leads
    np.testing.assert_allclose(lead(swapped, "I"), -lead(leads, "I"))
    for one, other in (("II", "III"), ("III", "II"), ("aVR", "aVL"), ("aVL", "aVR"), ("aVF", "aVF"), ("V1", "V1")):
        np.testing.assert_allclose(lead(swapped, one), lead(leads, other), atol=1e-12)


def test_left_arm_and_left_leg_exchange_i_with_ii_and_turn_iii_over(leads):
    swapped = exchange_matrix("LA and LL") @ leads
    for one, other in (("I", "II"), ("II", "I"), ("aVL", "aVF"), ("aVF", "aVL")):
        np.testing.assert_allclose(lead(swapped, one), lead(leads, other), atol=1e-12)
    np.testing.assert_allclose(lead(swapped, "III"), -lead(leads, "III"), atol=1e-12)


def test_right_arm_and_left_leg_turn_ii_over_and_exchange_avr_with_avf(leads):
    swapped = exchange_matrix("RA and LL") @ leads
    np.testing.assert_allclose(lead(swapped, "II"), -lead(leads, "II"), atol=1e-12)
    np.testing.assert_allclose(lead(swapped, "aVR"), lead(leads, "aVF"), atol=1e-12)


def test_an_arm_exchanged_with_the_right_leg_leaves_one_lead_flat_and_shifts_the_chest_leads(leads):
    right, left = exchange_matrix("RA and RL") @ leads, exchange_matrix("LA and RL") @ leads
    np.testing.assert_allclose(lead(right, "II"), 0.0, atol=1e-12)
    np.testing.assert_allclose(lead(left, "III"), 0.0, atol=1e-12)
    np.testing.assert_allclose(lead(right, "V4"), lead(leads, "V4") - lead(leads, "II") / 3, atol=1e-12)
    np.testing.assert_allclose(lead(left, "V4"), lead(leads, "V4") - lead(leads, "III") / 3, atol=1e-12)


@pytest.mark.parametrize("name", EXCHANGES)
def test_limb_leads_stay_consistent_and_exchanging_twice_undoes_it(name, leads):
    matrix = exchange_matrix(name)
    swapped = matrix @ leads
    np.testing.assert_allclose(CANONICAL_PROJECTION @ swapped, swapped, atol=1e-12)
    if "RL" not in name:
        np.testing.assert_allclose(matrix @ swapped, leads, atol=1e-12)


def test_chest_cables_exchange_two_leads_and_no_other(leads):
    swapped = exchange_matrix("V2 and V5") @ leads
    np.testing.assert_array_equal(lead(swapped, "V2"), lead(leads, "V5"))
    np.testing.assert_array_equal(lead(swapped, "V5"), lead(leads, "V2"))
    assert sum(np.any(swapped[i] != leads[i]) for i in range(12)) == 2
    assert sum(name.split(" and ")[0] in CHEST_LEADS for name in EXCHANGES) == 15


def test_an_unknown_exchange_is_named():
    with pytest.raises(ValueError, match="one of"):
        exchange_matrix("I and II")
