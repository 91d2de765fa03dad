"""The median beat: alignment, the choice of beats, and windows for whatever is averaged on them."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_ecg import ORDINARY, Tracing, fibrillating

from ecgimn.recording import Recording
from ecgimn.signal.beat import beat_windows, median_beat, tangent_end
from ecgimn.signal.waves.find import find_waves

EARLY = {lead: (0.0, 0.0, 1.5 * r, -2.0 * r, -t) for lead, (_p, _q, r, _s, t) in ORDINARY.items()}


@pytest.fixture(scope="module")
def beat(recording, waves):
    return median_beat(recording, waves)


def test_all_beats_of_a_regular_tracing_are_used(beat, waves):
    assert beat.beats_text == f"{waves.n_beats} of {waves.n_beats} beats used"
    assert beat.windows.correlation.min() > 0.99


def test_the_median_beat_is_the_beat_without_its_noise(ordinary, recording, beat):
    clean = Recording(Tracing(noise_mv=0.0).signal(), ordinary.fs).signal
    start = beat.windows.start[3]
    expected = clean[:, start : start + beat.windows.length]
    stop = round(beat.common["t_offset"])
    assert np.abs(beat.signal[:, :stop] - expected[:, :stop]).max() < 0.015
    assert np.std(recording.signal[:, :100] - clean[:, :100]) > 0.004


def test_windows_cut_any_array_on_the_same_alignment(recording, beat):
    ramp = np.broadcast_to(np.arange(recording.n_samples, dtype=float), (2, 12, recording.n_samples))
    cut = beat.windows.cut(ramp)
    assert cut.shape == (int(beat.windows.used.sum()), 2, 12, beat.windows.length)
    np.testing.assert_array_equal(cut[1, 0, 0], beat.windows.start[1] + np.arange(beat.windows.length))


def test_windows_beyond_the_recording_hold_nan(recording, beat):
    late = beat.windows.cut(recording.signal, all_beats=True)
    assert np.isnan(late[-1, 0, -1]) or beat.windows.start[-1] + beat.windows.length <= recording.n_samples


def test_r_stands_at_the_same_place_in_every_window(recording, waves):
    windows = beat_windows(recording, waves)
    np.testing.assert_allclose(windows.start + windows.r_index, waves.r_samples, atol=3)


@pytest.mark.parametrize("seed", [0, 1])
def test_t_ends_as_early_on_fibrillation_waves_as_in_the_same_beats_with_p_waves(seed):
    ends = []
    for recording in fibrillating(1.0, seed, f_mv=0.06):
        beat = median_beat(recording, find_waves(recording))
        ends.append(2.0 * (beat.common["t_offset"] - beat.common["qrs_onset"]))
        assert np.nanmax(beat.landmarks["t_offset"]) <= beat.common["t_offset"] + 25.0
    assert ends[0] == pytest.approx(ends[1], abs=20.0)


def test_the_tangent_meets_the_baseline_where_a_straight_flank_does():
    signal = np.zeros((12, 400))
    signal[:, 200:300] = np.interp(np.arange(100), [0, 60, 99], [0.0, 0.4, 0.0])
    assert tangent_end(signal, 150.0, 330.0, 500.0) == pytest.approx(299.0, abs=2.0)
    assert np.isnan(tangent_end(signal, float("nan"), 330.0, 500.0))


def test_an_ectopic_beat_is_left_out():
    normal = Tracing(beats_at=(0.5, 1.3, 2.1, 2.9, 4.7, 5.5, 6.3, 7.1, 7.9, 8.7))
    early = Tracing(beats_at=(3.5,), waves=EARLY, stretch_qrs=2.2, noise_mv=0.0)
    recording = Recording(normal.signal() + early.signal(), 500.0)
    waves = find_waves(recording)
    beat = median_beat(recording, waves)
    assert beat.beats_text == "10 of 11 beats used"
    assert abs(waves.r_samples[np.flatnonzero(~beat.windows.used)[0]] / 500.0 - 3.5) < 0.1


def test_in_bigeminy_the_narrow_beats_lead():
    narrow = Tracing(beats_at=(0.5, 2.1, 3.7, 5.3, 6.9, 8.5))
    wide = Tracing(beats_at=(1.1, 2.7, 4.3, 5.9, 7.5, 9.1), waves=EARLY, stretch_qrs=2.2, noise_mv=0.0)
    recording = Recording(narrow.signal() + wide.signal(), 500.0)
    waves = find_waves(recording)
    used = waves.r_samples[median_beat(recording, waves).windows.used] / 500.0
    assert len(used) >= 5
    assert all(np.abs(np.array(narrow.beats_at) - r).min() < 0.05 for r in used)


def test_fewer_than_three_beats_alike_give_no_median_beat_but_a_reason():
    recording = Tracing(duration_s=2.0).recording()
    beat = median_beat(recording, find_waves(recording))
    assert beat.signal is None
    assert "3 are needed" in beat.reason


def test_a_beat_in_a_gap_is_left_out(recording, waves):
    signal = recording.signal.copy()
    signal[7, waves.r_samples[4] - 20 : waves.r_samples[4] + 20] = np.nan
    gappy = recording.with_signal(signal)
    beat = median_beat(gappy, waves)
    assert not beat.windows.used[4]
    assert np.isfinite(beat.signal).all()


def test_half_a_sample_at_50_hz_does_not_make_beats_unlike():
    tracing = Tracing(fs=50.0)
    recording = tracing.recording()
    beat = median_beat(recording, find_waves(recording))
    assert beat.windows.used.mean() > 0.8
