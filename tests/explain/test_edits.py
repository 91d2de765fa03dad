"""Interventions do what their names say, where they say it, and nothing elsewhere."""

import numpy as np
import pytest

from ecgimn.explain.edits import FAMILIES, LEAD_GROUPS, intervention, masks_from_landmarks
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves.quick import quick_landmarks


@pytest.fixture(scope="module")
def ecg():
    t = np.arange(1000)
    x = np.zeros((12, 1000))
    for beat in range(60, 960, 80):
        x += np.exp(-0.5 * ((t - beat) / 2.0) ** 2) + 0.25 * np.exp(-0.5 * ((t - beat - 22) / 4.0) ** 2)
    return x


@pytest.fixture(scope="module")
def masks(ecg):
    return masks_from_landmarks(quick_landmarks(ecg), 1000)


@pytest.mark.parametrize("family", FAMILIES)
def test_leads_outside_the_group_stay_as_they_are(family, ecg, masks):
    leads = LEAD_GROUPS["inferior"]
    change = intervention(family, ecg, masks, leads=leads, amount=0.5, rng=np.random.default_rng(0))
    assert change.shape == ecg.shape
    assert np.abs(change[leads]).max() > 0
    assert np.abs(change[~leads]).max() == 0


def test_st_shift_moves_the_segment_after_qrs_by_its_amount(ecg, masks):
    change = intervention("st_shift", ecg, masks, leads=LEAD_GROUPS["all"], amount=0.2)
    after_qrs = 60 + 7
    assert change[0, after_qrs] == pytest.approx(0.2, abs=0.01)
    assert change[0, 60 - 8] == 0.0
    assert np.abs(change[0, 60]) < 0.05


def test_t_inversion_turns_the_t_wave_over_and_spares_qrs(ecg, masks):
    edited = ecg + intervention("t_scale", ecg, masks, leads=LEAD_GROUPS["all"], amount=-1.0)
    assert edited[4, 60 + 22] == pytest.approx(-ecg[4, 60 + 22], abs=0.02)
    assert edited[4, 60] == pytest.approx(ecg[4, 60], abs=0.02)


def test_a_removed_lead_lies_on_its_isoelectric_level(ecg, masks):
    leads = np.asarray(np.array(STANDARD_LEADS) == "V2")
    edited = ecg + intervention("lead_scale", ecg, masks, leads=leads, amount=0.0)
    np.testing.assert_allclose(edited[7], masks.level[7], atol=1e-12)


def test_a_widened_qrs_is_wider_and_lower(ecg, masks):
    edited = ecg + intervention("wide_qrs", ecg, masks, leads=LEAD_GROUPS["all"], amount=1.0)
    beat, before = edited[0, 48:72], ecg[0, 48:72]
    assert beat.max() < before.max()
    assert (beat > 0.1).sum() > (before > 0.1).sum()


def test_no_beat_means_no_change_for_waves():
    flat = np.zeros((12, 1000))
    masks = masks_from_landmarks(quick_landmarks(flat), 1000)
    for family in ("st_shift", "q_wave", "t_scale", "qrs_scale"):
        assert np.abs(intervention(family, flat, masks, leads=LEAD_GROUPS["all"], amount=0.3)).max() == 0


def test_an_unknown_family_and_a_missing_generator_are_named(ecg, masks):
    with pytest.raises(ValueError, match="one of"):
        intervention("magic", ecg, masks, leads=LEAD_GROUPS["all"], amount=1.0)
    with pytest.raises(ValueError, match="needs rng"):
        intervention("noise", ecg, masks, leads=LEAD_GROUPS["all"], amount=1.0)
