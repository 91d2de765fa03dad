"""Waves of tracings whose landmarks are known, and what happens where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_ecg import ORDINARY, Tracing, fibrillating

from ecgimn.errors import SignalError
from ecgimn.leads import LIMB_FROM_I_II
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.waves import find as waves_module
from ecgimn.signal.waves import neurokit as second_opinion
from ecgimn.signal.waves import openecg as posterior
from ecgimn.signal.waves.find import QRS, ST, TP, UNASSIGNED, WAVE_NAMES, P, T, find_waves, outer_edge
from ecgimn.signal.waves.openecg import DelineatorMissingError, resample


def r_error_ms(waves, tracing, margin_s=0.2):
    """Largest distance of a beat that lies wholly in the recording to the nearest R found, in ms."""
    inside = [r for r in tracing.r_times() if margin_s < r < tracing.duration_s - margin_s]
    return max(float(np.abs(waves.r_samples / waves.fs - r).min()) for r in inside) * 1000.0


def test_every_beat_is_found_where_it_is_edges_of_the_recording_included(ordinary, waves):
    assert waves.method == "openecg"
    assert waves.n_beats == len(ordinary.r_times())
    assert r_error_ms(waves, ordinary) <= 10.0


@pytest.mark.parametrize(
    ("fs", "duration_s", "rr_s"),
    [
        (50, 10, 0.85),
        (100, 10, 0.85),
        (257.3, 4, 0.6),
        (2000, 3, 0.85),
        (500, 2, 0.85),
        (500, 10, 0.4),
        (250, 23.3, 1.1),
    ],
)
def test_beats_are_found_at_any_rate_and_length(fs, duration_s, rr_s):
    tracing = Tracing(fs=fs, duration_s=duration_s, rr_s=rr_s)
    waves = find_waves(tracing.recording())
    assert r_error_ms(waves, tracing) <= 40.0
    assert waves.n_beats <= len([r for r in tracing.r_times() if r < duration_s])


def test_landmarks_follow_each_other_in_every_lead_and_beat(waves):
    order = np.stack([waves.p_onset, waves.p_offset, waves.qrs_onset, waves.qrs_offset, waves.t_onset, waves.t_peak,
                      waves.t_offset])  # fmt: skip
    steps = np.diff(order, axis=0)
    assert (steps[np.isfinite(steps)] >= 0).all()
    assert np.isfinite(waves.t_offset[:, :-1]).mean() > 0.95


def test_labels_agree_with_landmarks(waves):
    k = 3
    for lead in range(12):
        middle = {
            P: (waves.p_onset, waves.p_offset),
            QRS: (waves.qrs_onset, waves.qrs_offset),
            ST: (waves.qrs_offset, waves.t_onset),
            T: (waves.t_onset, waves.t_offset),
            TP: (waves.t_offset, np.roll(waves.p_onset, -1, axis=1)),
        }
        for wave, (start, stop) in middle.items():
            at = int((start[lead, k] + stop[lead, k]) / 2)
            assert WAVE_NAMES[waves.labels[lead, at]] == WAVE_NAMES[wave]


def test_shapes_and_types_are_as_documented(recording, waves):
    assert waves.labels.shape == (12, recording.n_samples)
    assert waves.labels.dtype == np.int8
    assert waves.beat.shape == (recording.n_samples,)
    assert waves.beat.dtype == np.int16
    assert waves.qrs_offset.shape == (12, waves.n_beats)
    assert waves.global_t_offset.shape == (waves.n_beats,)
    assert not waves.labels.flags.writeable


def test_every_r_lies_in_the_beat_of_its_number(waves):
    assert waves.beat[waves.r_samples].tolist() == list(range(waves.n_beats))


def test_the_same_recording_gives_the_same_waves(recording, waves):
    again = find_waves(recording)
    np.testing.assert_array_equal(again.labels, waves.labels)
    np.testing.assert_array_equal(again.t_offset, waves.t_offset)


@pytest.fixture(scope="module")
def whole_microvolts(recording):
    """The ordinary tracing as a file would hold it, at 1 microvolt per bit."""
    return recording.with_signal(np.round(recording.signal.astype(np.float64), 3))


def test_a_constant_added_to_a_lead_changes_no_label(whole_microvolts):
    shifted = whole_microvolts.with_signal(whole_microvolts.signal + np.linspace(-2, 2, 12)[:, None])
    np.testing.assert_array_equal(find_waves(shifted).labels, find_waves(whole_microvolts).labels)


def test_limb_leads_derived_anew_change_no_label(whole_microvolts):
    signal = whole_microvolts.signal.astype(np.float64)
    derived = np.concatenate([LIMB_FROM_I_II @ signal[:2], signal[6:]])
    assert np.abs(derived - signal).max() > 0.0
    again = find_waves(whole_microvolts.with_signal(derived))
    np.testing.assert_array_equal(again.labels, find_waves(whole_microvolts).labels)


def test_a_gap_is_unassigned_and_holds_no_landmark(ordinary, recording):
    signal = recording.signal.copy()
    signal[6, 2000:2700] = np.nan
    waves = find_waves(recording.with_signal(signal))
    assert (waves.labels[6, 2000:2700] == UNASSIGNED).all()
    marks = waves.qrs_onset[6]
    assert not ((marks >= 2000) & (marks < 2700)).any()
    assert waves.n_beats == len(ordinary.r_times())


def test_a_gap_in_all_leads_takes_its_beats_with_it(ordinary, recording):
    signal = recording.signal.copy()
    signal[:, 2000:2700] = np.nan
    waves = find_waves(recording.with_signal(signal))
    assert not ((waves.r_samples > 2000) & (waves.r_samples < 2700)).any()
    assert waves.n_beats < len(ordinary.r_times())


def test_a_lead_without_signal_follows_the_other_leads(recording, waves):
    signal = recording.signal.copy()
    signal[9] = 0.0
    masked = find_waves(recording.with_signal(signal))
    assert any("V4" in note for note in masked.notes)
    assert np.isfinite(masked.qrs_offset[9]).all()
    assert np.nanmax(np.abs(masked.qrs_offset[9] - waves.qrs_offset[9])) < 0.04 * masked.fs


def test_one_t_wave_per_beat_even_in_a_fast_rhythm():
    waves = find_waves(Tracing(rr_s=0.42).recording())
    length = waves.t_offset - waves.t_onset
    assert np.nanmax(length) < 0.42 * waves.fs


NO_HEART = {
    "flat": np.zeros((12, 5000)),
    "white noise": np.random.default_rng(0).normal(0, 0.1, (12, 5000)),
    "the same noise in all leads": np.tile(np.random.default_rng(1).normal(0, 0.3, (1, 5000)), (12, 1)),
    "drift": np.cumsum(np.random.default_rng(2).normal(0, 0.02, (12, 5000)), axis=1),
    "sine": np.tile(np.sin(np.arange(5000) / 500 * 2 * np.pi * 1.2), (12, 1)),
    "hum": np.tile(np.sin(np.arange(5000) / 500 * 2 * np.pi * 50), (12, 1)),
}


@pytest.mark.parametrize("kind", NO_HEART)
def test_no_beat_is_ever_invented(kind):
    with pytest.raises(SignalError, match=r"No heart beat was found .* needed\. Check"):
        find_waves(Recording(NO_HEART[kind], 500.0))


def missing(*_args, **_options):
    raise DelineatorMissingError("openecg")


def test_without_openecg_neurokit_finds_the_same_beats(monkeypatch, ordinary, recording):
    pytest.importorskip("neurokit2", reason="neurokit2 is optional")
    monkeypatch.setattr(waves_module, "wave_posterior", missing)
    waves = find_waves(recording)
    assert waves.method == "neurokit2"
    assert any("openecg is not installed" in note for note in waves.notes)
    assert r_error_ms(waves, ordinary, margin_s=0.8) <= 20.0


def test_neurokit_invents_no_beat_either(monkeypatch):
    pytest.importorskip("neurokit2", reason="neurokit2 is optional")
    monkeypatch.setattr(waves_module, "wave_posterior", missing)
    with pytest.raises(SignalError, match="No heart beat"):
        find_waves(Recording(NO_HEART["the same noise in all leads"], 500.0))


def test_without_any_delineator_the_reader_is_told(monkeypatch, recording):
    monkeypatch.setattr(waves_module, "wave_posterior", missing)
    monkeypatch.setattr(second_opinion, "_neurokit", lambda: None)
    with pytest.raises(SignalError, match="openecg"):
        find_waves(recording)


def test_an_outer_edge_needs_two_leads_and_ignores_strays():
    onset = np.full((12, 1), 100.0)
    onset[0], onset[1], onset[2] = 20.0, 94.0, 96.0
    assert outer_edge("qrs_onset", onset, 500.0)[0] == 96.0
    offset = np.full((12, 1), 150.0)
    offset[0], offset[1], offset[2] = 300.0, 157.0, 155.0
    assert outer_edge("qrs_offset", offset, 500.0)[0] == 155.0


def test_a_landmark_seen_in_fewer_than_half_of_the_leads_has_no_outer_edge():
    onset = np.full((12, 1), np.nan)
    onset[:5] = 100.0
    assert np.isnan(outer_edge("p_onset", onset, 500.0)[0])


def test_gaps_are_bridged_by_straight_lines():
    signal = np.array([[0.0, np.nan, np.nan, 3.0]])
    np.testing.assert_allclose(bridge_gaps(signal), [[0.0, 1.0, 2.0, 3.0]])


@pytest.mark.parametrize("fs", [50.0, 100.0, 257.3, 500.0, 1000.0, 2000.0])
def test_resampling_keeps_a_slow_wave_in_place(fs):
    time = np.arange(round(4 * fs)) / fs
    at_500 = resample(np.sin(2 * np.pi * 3 * time)[None], fs, posterior.NETWORK_FS)[0]
    inner = slice(250, 1750)
    expected = np.sin(2 * np.pi * 3 * np.arange(len(at_500)) / 500.0)
    assert np.abs(at_500[inner] - expected[inner]).max() < 0.02


def test_ventricular_beats_among_others_are_beats_too():
    heights = {lead: (0.0, 0.0, 1.5 * r, s, -t) for lead, (_p, _q, r, s, t) in ORDINARY.items()}
    normal = Tracing(beats_at=(0.5, 1.3, 2.1, 2.9, 4.7, 5.5, 6.3, 7.1, 7.9, 8.7))
    early = Tracing(beats_at=(3.5,), waves=heights, stretch_qrs=2.2, noise_mv=0.0)
    waves = find_waves(Recording(normal.signal() + early.signal(), 500.0))
    assert waves.n_beats == 11


def qrs_ms(recording):
    waves = find_waves(recording)
    return 2.0 * float(np.median(waves.global_qrs_offset - waves.global_qrs_onset)), waves


@pytest.mark.parametrize("seed", [0, 1])
def test_qrs_is_as_narrow_in_atrial_fibrillation_as_in_the_same_beats_with_p_waves(seed):
    fibrillation, sinus = fibrillating(1.0, seed)
    (without_p, waves), (with_p, _) = qrs_ms(fibrillation), qrs_ms(sinus)
    assert np.isnan(waves.global_p_onset).all()
    assert without_p == pytest.approx(with_p, abs=12.0)


def test_a_wide_qrs_stays_wide_in_atrial_fibrillation():
    assert qrs_ms(fibrillating(1.8, 0)[0])[0] >= 120.0
