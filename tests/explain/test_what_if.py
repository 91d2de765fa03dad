"""Edits change the millivolts they name, keep the limb leads consistent, and are answered by map and network."""

import numpy as np
import pytest

from ecgimn.explain.edits import masks_from_waves, no_wave_masks
from ecgimn.explain.explanation import explain
from ecgimn.explain.what_if import (
    FLATTENED,
    LIMIT_MV,
    STEP_MV,
    Edit,
    consistent_change,
    edited,
    leads_that_follow,
    outcome,
    smallest_st_change,
    st_change_mv,
)
from ecgimn.leads import CANONICAL_PROJECTION, INDEPENDENT_LEADS, STANDARD_LEADS, TERRITORIES
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves.find import WAVE_NAMES
from tests.explain.small_cases import CLASSES, synthetic

INFERIOR, ANTERIOR = TERRITORIES["inferior"], TERRITORIES["anterior"]


def rows(*leads):
    return np.isin(STANDARD_LEADS, leads)


@pytest.fixture(scope="module")
def read():
    return read_signal(synthetic())


@pytest.fixture(scope="module")
def masks(read):
    return masks_from_waves(read.waves, read.levels)


def changed_by(read, masks, **settings):
    return edited(read.recording, masks, Edit(**settings)).signal.astype(float) - read.recording.signal


def test_the_masks_lie_on_the_waves_of_the_ledger(read, masks):
    for name, mask in (("P", masks.p), ("QRS", masks.qrs), ("T", masks.t)):
        inside = read.waves.labels == WAVE_NAMES.index(name)
        assert mask[inside].mean() > 0.85
        assert mask[~inside].mean() < 0.05
    st = read.waves.labels == WAVE_NAMES.index("ST")
    assert masks.st[st].min() > 0.99
    for mask in (masks.p, masks.q, masks.qrs, masks.late, masks.st, masks.t, masks.stt, masks.whole):
        assert mask.shape == read.recording.signal.shape
        assert mask.min() >= 0
        assert mask.max() <= 1 + 1e-12


def test_nothing_asked_changes_nothing(read, masks):
    assert edited(read.recording, masks, Edit(leads=INFERIOR, seed=4)) is read.recording


def test_st_moves_by_what_is_asked_in_the_leads_asked_for(read, masks):
    for territory in ("inferior", "anterior", "septal", "lateral"):
        change = changed_by(read, masks, leads=TERRITORIES[territory], st_mv=0.2)
        moved = st_change_mv(change, masks)
        for lead in TERRITORIES[territory]:
            assert moved[lead] == pytest.approx(0.2, abs=0.005)
        before_qrs = read.waves.labels == WAVE_NAMES.index("PR")
        assert np.abs(change[before_qrs]).max() < 0.02


def test_other_limb_leads_follow_as_electrodes_force_them_to(read, masks):
    change = changed_by(read, masks, leads=INFERIOR, st_mv=0.2)
    moved = st_change_mv(change, masks)
    assert moved["aVL"] == pytest.approx(-0.1, abs=0.005)
    assert moved["aVR"] == pytest.approx(-0.1, abs=0.005)
    assert {"aVR", "aVL"} <= set(leads_that_follow(change, INFERIOR)) <= {"I", "aVR", "aVL"}


@pytest.mark.parametrize(
    "settings",
    [
        {"leads": INFERIOR, "st_mv": -0.3},
        {"leads": ("aVR",), "t_factor": -1.0},
        {"qrs_factor": 0.5},
        {"leads": ("I", "aVL"), "flattened": tuple(FLATTENED)},
        {"removed": ("III", "V2")},
        {"exchanged": "RA and LA"},
        {"noise_mv": 0.05, "drift_mv": 0.2},
    ],
    ids=str,
)
def test_every_edit_keeps_the_limb_leads_consistent(read, masks, settings):
    signal = edited(read.recording, masks, Edit(**settings)).signal
    assert np.abs(signal - read.recording.signal).max() > 0.01
    np.testing.assert_allclose(CANONICAL_PROJECTION @ signal, signal, atol=1e-5)


def test_a_change_is_made_exactly_where_two_free_leads_allow_and_moves_the_rest_least():
    rng = np.random.default_rng(0)
    asked = rng.normal(size=(12, 5))
    made = consistent_change(asked, rows("I", "aVF", "V3"))
    np.testing.assert_allclose(made[rows("I", "aVF", "V3")], asked[rows("I", "aVF", "V3")], atol=1e-12)
    np.testing.assert_allclose(made[rows("V1", "V6")], 0.0)
    every = consistent_change(asked, rows(*STANDARD_LEADS))
    np.testing.assert_allclose(every, CANONICAL_PROJECTION @ asked, atol=1e-12)
    one = consistent_change(asked, rows("III"))
    np.testing.assert_allclose(one[2], asked[2], atol=1e-12)
    for other in rng.normal(size=(20, 2, 5)):  # any other consistent change with this III moves the limb leads more
        limb = consistent_change(np.concatenate([other, np.zeros((10, 5))]), rows("I", "II"))
        limb = limb + consistent_change(np.where(rows("III")[:, None], asked - limb, 0.0), rows("III"))
        np.testing.assert_allclose(limb[2], asked[2], atol=1e-12)
        assert np.square(limb[:6]).sum() >= np.square(one[:6]).sum() - 1e-12


def test_a_factor_of_minus_one_turns_t_over_and_spares_qrs(read, masks):
    signal = edited(read.recording, masks, Edit(leads=ANTERIOR, t_factor=-1.0)).signal
    row, k = STANDARD_LEADS.index("V3"), 5
    level, peak, r = read.levels[row], int(read.waves.t_peak[row, k]), int(read.waves.r_samples[k])
    assert signal[row, peak] - level == pytest.approx(level - read.recording.signal[row, peak], abs=0.005)
    assert signal[row, r] == pytest.approx(read.recording.signal[row, r], abs=1e-6)


@pytest.mark.parametrize("wave", FLATTENED)
def test_a_flattened_wave_lies_on_the_isoelectric_level(read, masks, wave):
    signal = edited(read.recording, masks, Edit(leads=ANTERIOR, flattened=(wave,))).signal
    row = STANDARD_LEADS.index("V4")
    full = getattr(masks, FLATTENED[wave])[row] > 1 - 1e-9
    assert full.any()
    np.testing.assert_allclose(signal[row, full], read.levels[row], atol=1e-5)


def test_a_removed_lead_is_flat_and_chest_leads_leave_the_others_alone(read, masks):
    signal = edited(read.recording, masks, Edit(removed=("V2",))).signal
    row = STANDARD_LEADS.index("V2")
    np.testing.assert_allclose(signal[row], read.levels[row], atol=1e-6)
    others = np.arange(12) != row
    np.testing.assert_allclose(signal[others], read.recording.signal[others], atol=1e-6)


def test_noise_has_the_root_mean_square_asked_for_and_repeats(read, masks):
    change = changed_by(read, masks, noise_mv=0.05)
    independent = rows(*INDEPENDENT_LEADS)
    np.testing.assert_allclose(change[independent].std(axis=1), 0.05, rtol=0.06)
    np.testing.assert_array_equal(change, changed_by(read, masks, noise_mv=0.05))


def test_gaps_stay_gaps(read, masks):
    signal = np.array(read.recording.signal)
    signal[2, 100:120] = np.nan
    other = edited(read.recording.with_signal(signal), masks, Edit(st_mv=0.1)).signal
    np.testing.assert_array_equal(np.isnan(other), np.isnan(signal))


def test_without_a_beat_leads_can_be_removed_and_waves_stay(read):
    none = no_wave_masks(500.0, read.recording.n_samples, read.levels)
    assert np.abs(changed_by(read, none, st_mv=0.3, t_factor=-1.0, flattened=("QRS",))).max() == 0
    assert np.abs(changed_by(read, none, removed=("V1",))).max() > 0.1


def test_the_map_predicts_by_weights_times_change_and_the_network_is_asked_again(model, read, masks):
    before = explain(read.recording, model)
    other = edited(read.recording, masks, Edit(leads=INFERIOR, t_factor=0.2))
    result = outcome(read.recording, before, other, explain(other, model))
    np.testing.assert_allclose(result.predicted, (before.weights * result.change).sum((1, 2)))
    np.testing.assert_allclose(before.logit + result.actual, explain(other, model).logit, atol=1e-9)
    same = outcome(read.recording, before, read.recording, before)
    assert np.abs(same.predicted).max() == 0
    assert np.abs(same.actual).max() == 0
    with pytest.raises(ValueError, match="other recordings"):
        outcome(other, before, other, before)


def st_search(model, read, masks, threshold, name=CLASSES[1]):
    before = explain(read.recording, model)
    return smallest_st_change(
        model, read.recording, masks, before, name, threshold=threshold, leads=TERRITORIES["anterior"]
    )


def test_the_smallest_st_change_flips_and_one_step_less_does_not(model, read, masks):
    before = explain(read.recording, model)
    k = before.index(CLASSES[1])

    def probability(st_mv):
        other = edited(read.recording, masks, Edit(leads=TERRITORIES["anterior"], st_mv=st_mv))
        return float(explain(other, model).probability[k])

    threshold = (probability(0.0) + probability(0.31)) / 2  # lies on the way up or down
    search = st_search(model, read, masks, threshold)
    assert search.called == (before.probability[k] >= threshold)
    flip = search.raised.network_mv
    assert flip is not None
    assert 0 < flip <= 0.35
    assert round(flip / STEP_MV, 6) == round(flip / STEP_MV)
    assert (probability(flip) >= threshold) != search.called
    assert (probability(flip - STEP_MV) >= threshold) == search.called
    assert search.raised.farthest_probability == pytest.approx(probability(flip), abs=1e-5)


def test_the_maps_own_flip_lies_where_its_line_meets_the_threshold(model, read, masks):
    before = explain(read.recording, model)
    k = before.index(CLASSES[1])
    other = edited(read.recording, masks, Edit(leads=TERRITORIES["anterior"], st_mv=0.2))
    predicted = float(outcome(read.recording, before, other, explain(other, model)).predicted[k])
    threshold = 1 / (1 + np.exp(-(before.logit[k] + predicted)))
    search = st_search(model, read, masks, threshold)
    assert search.raised.map_mv == pytest.approx(0.2, abs=1e-3)
    assert search.lowered.map_mv is None


def test_a_call_that_no_st_change_flips_is_said_not_to_flip(model, read, masks):
    search = st_search(model, read, masks, threshold=1e-9)
    assert search.called
    assert search.raised.network_mv is None
    assert search.lowered.network_mv is None
    other = edited(read.recording, masks, Edit(leads=TERRITORIES["anterior"], st_mv=LIMIT_MV))
    at_limit = float(explain(other, model).probability[1])
    assert search.raised.farthest_probability == pytest.approx(at_limit, abs=1e-5)


def test_settings_say_whether_they_change_anything():
    assert Edit().changes_nothing
    assert not Edit(drift_mv=0.1).changes_nothing
