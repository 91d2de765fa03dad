"""The preprocessing is linear, has an exact adjoint, and lets no constant through."""

import numpy as np
import pytest

from ecgimn.errors import SignalError
from ecgimn.leads import CANONICAL_PROJECTION, LIMB_FROM_I_II
from ecgimn.signal.preprocess import high_pass_matrix, preprocessing, resampling_matrix

RATES = (100.0, 250.0, 257.0, 360.0, 500.0, 800.0, 1000.0)


@pytest.mark.parametrize("fs", RATES)
@pytest.mark.parametrize("duration_s", [10.0, 8.77, 3.331])
def test_adjoint_carries_weights_back_exactly(fs, duration_s):
    rng = np.random.default_rng(int(fs))
    prepare = preprocessing(fs, int(duration_s * fs) | 1 if duration_s < 10 else round(duration_s * fs))
    x = rng.standard_normal((12, prepare.n_samples))
    w = rng.standard_normal((12, prepare.n_out))
    there, back = (prepare.forward(x) * w).sum(), (x * prepare.adjoint(w)).sum()
    assert abs(there - back) < 1e-10


@pytest.mark.parametrize("fs", RATES)
def test_preprocessing_is_linear(fs):
    rng = np.random.default_rng(0)
    prepare = preprocessing(fs, round(10 * fs))
    x, y = rng.standard_normal((2, 12, prepare.n_samples))
    combined = prepare.forward(2.0 * x - 3.0 * y)
    np.testing.assert_allclose(combined, 2.0 * prepare.forward(x) - 3.0 * prepare.forward(y), atol=1e-10)


@pytest.mark.parametrize("fs", RATES)
def test_weights_on_the_raw_trace_sum_to_zero_over_a_lead(fs):
    prepare = preprocessing(fs, round(10 * fs))
    back = prepare.adjoint(np.random.default_rng(1).standard_normal((12, prepare.n_out)))
    assert np.abs(back.sum(axis=1)).max() < 1e-6
    assert np.abs(prepare.forward(np.ones((12, prepare.n_samples)))).max() < 1e-6


def test_the_ends_of_a_recording_carry_no_evidence():
    for fs, start, end in ((100.0, 6, 12), (500.0, 0, 40)):
        prepare = preprocessing(fs, round(10 * fs))
        back = prepare.adjoint(np.random.default_rng(1).standard_normal((12, prepare.n_out)))
        assert prepare.n_out == 982
        assert np.abs(back[:, prepare.n_samples - end :]).max() < (1e-12 if fs == 100 else 0.2)
        assert start == 0 or np.abs(back[:, :start]).max() < 1e-12


def test_straight_drift_is_removed_edges_included():
    high_pass = high_pass_matrix(1000)
    assert np.abs(high_pass @ np.linspace(-1, 5, 1000)).max() < 1e-6
    np.testing.assert_array_equal(high_pass, high_pass.T)


def test_high_pass_halves_its_corner_frequency_and_keeps_the_st_segment():
    times = np.arange(1000) / 100
    response = high_pass_matrix(1000)
    corner = np.sin(2 * np.pi * 0.5 * times)
    middle = slice(300, 700)
    assert np.abs((response @ corner)[middle]).max() == pytest.approx(0.5, abs=0.02)
    fast = np.sin(2 * np.pi * 5.0 * times)
    np.testing.assert_allclose((response @ fast)[middle], fast[middle], atol=1e-3)


@pytest.mark.parametrize("fs", [250.0, 257.0, 500.0, 1000.0])
def test_resampling_keeps_slow_waves_and_removes_what_100_hz_cannot_hold(fs):
    n = round(10 * fs)
    resampling = resampling_matrix(fs, n, 982)
    times, grid = np.arange(n) / fs, 0.06125 + np.arange(982) / 100
    middle = slice(50, 932)
    np.testing.assert_allclose(
        (resampling @ np.cos(2 * np.pi * 20 * times))[middle], np.cos(2 * np.pi * 20 * grid)[middle], atol=5e-3
    )
    assert np.abs((resampling @ np.cos(2 * np.pi * 60 * times))[middle]).max() < 5e-3


def test_canonical_projection_keeps_consistent_leads_and_has_least_norm():
    rng = np.random.default_rng(2)
    limb = LIMB_FROM_I_II @ rng.standard_normal((2, 50))
    signal = np.concatenate([limb, rng.standard_normal((6, 50))])
    np.testing.assert_allclose(CANONICAL_PROJECTION @ signal, signal, atol=1e-12)
    weights = rng.standard_normal((12, 50))
    canonical = CANONICAL_PROJECTION @ weights
    assert (canonical * signal).sum() == pytest.approx((weights * signal).sum())
    assert np.linalg.norm(canonical) < np.linalg.norm(weights)


def test_a_window_longer_than_ten_seconds_is_refused_in_plain_words():
    with pytest.raises(SignalError, match="At most 10 s"):
        preprocessing(500.0, 5001)
    with pytest.raises(SignalError, match="50 to 2000 Hz is needed"):
        preprocessing(20.0, 200)
