"""The quality gate: what is refused, what is warned of, and that good tracings pass."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_ecg import Tracing

from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.quality import (
    assess_quality,
    einthoven_residual_mv,
    is_clipped,
    scope_of,
    without_heartbeat,
)
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves.find import find_waves
from ecgimn.signal.waves.openecg import EINTHOVEN_LIMIT_MV

FS = 500.0
TIME = np.arange(5000) / FS


def changed(recording, row, values):
    signal = recording.signal.astype(np.float64).copy()
    signal[row] = values
    return recording.with_signal(signal)


def test_a_good_tracing_passes_without_a_word(recording):
    quality = assess_quality(recording)
    assert quality.usable
    assert quality.refusals == ()
    assert quality.warnings == ()


@pytest.mark.parametrize("fs", [50.0, 100.0, 1000.0, 2000.0])
def test_a_good_tracing_passes_at_every_rate(fs):
    assert assess_quality(Tracing(fs=fs, duration_s=5.0).recording()).refusals == ()


@pytest.mark.parametrize(("missing", "usable"), [(50, True), (51, False)])
def test_more_than_one_percent_of_gaps_is_refused(recording, missing, usable):
    row = recording.signal[6].astype(float)
    row[1000 : 1000 + missing] = np.nan
    quality = assess_quality(changed(recording, 6, row))
    assert quality.usable is usable
    assert usable or "V1 has gaps in 1.0 %" in quality.refusals[0]


@pytest.mark.parametrize(
    ("swing_mv", "usable", "word"),
    [(0.049, False, "flat"), (0.051, True, ""), (19.9, True, ""), (20.1, False, "swings by 20.1 mV")],
)
def test_a_swing_outside_005_to_20_mv_is_refused(recording, swing_mv, usable, word):
    row = recording.signal[8].astype(float)
    row = (row - row.min()) / np.ptp(row) * swing_mv
    quality = assess_quality(changed(recording, 8, row))
    assert quality.usable is usable
    assert usable or word in quality.refusals[0]


def test_a_flat_lead_is_refused_in_words_that_say_what_to_do(recording):
    refusal = assess_quality(changed(recording, 9, 0.0)).refusals[0]
    assert refusal == (
        "Lead V4 is flat (0.00 mV peak to peak). A swing of at least 0.05 mV is needed. "
        "Check the electrode and record again."
    )


def test_a_lead_that_falls_off_for_most_of_the_time_is_flat(recording):
    row = recording.signal[9].astype(float)
    row[2000:] = row[2000]
    assert "V4 is flat" in assess_quality(changed(recording, 9, row)).refusals[0]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_clipped_lead_is_refused(recording, sign):
    row = sign * recording.signal[6].astype(float)
    quality = assess_quality(changed(recording, 6, np.minimum(row, 0.6 * row.max()) * sign))
    assert "V1 is cut off" in quality.refusals[0]


def test_round_peaks_in_coarse_steps_are_not_clipping(recording):
    coarse = np.round(recording.signal.astype(float) / 0.005) * 0.005
    assert assess_quality(recording.with_signal(coarse)).usable


#: A record with deep, smooth T waves of small leads, as an infarction has them, and with the rest of an ordinary one.
DEEP_T = {lead: (p, q, 0.25 * r, 0.25 * s, -1.2 * t) for lead, (p, q, r, s, t) in Tracing().waves.items()}


@pytest.mark.parametrize("fs", [250.0, 500.0, 1000.0])
@pytest.mark.parametrize("step_mv", [0.00244, 0.005, 0.01])
@pytest.mark.parametrize("scale", [0.3, 0.6, 1.0])
def test_a_smooth_nadir_in_coarse_steps_is_not_clipping(fs, step_mv, scale):
    for noise in (0.0, 0.002):
        signal = scale * Tracing(fs=fs, waves=DEEP_T, noise_mv=noise).signal()
        coarse = Recording(np.round(signal / step_mv) * step_mv, fs)
        assert not any("cut off" in words for words in assess_quality(coarse).refusals)


@pytest.mark.parametrize("fs", [250.0, 500.0, 1000.0])
@pytest.mark.parametrize("step_mv", [0.00244, 0.005, 0.01])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_lead_cut_at_the_recorders_range_is_refused_in_any_steps(fs, step_mv, sign):
    steps = np.round(sign * Tracing(fs=fs).signal()[10] / step_mv)  # V5, with R of 1.2 mV
    row = sign * step_mv * np.minimum(steps, np.round(0.6 * steps.max()))
    assert is_clipped(row.astype(np.float32), fs)


def test_a_calibration_pulse_and_one_cut_beat_are_not_a_recorder_at_its_range(recording):
    row = recording.signal[6].astype(np.float64)
    assert not is_clipped(np.where((TIME > 0.02) & (TIME < 0.22), 1.0, np.minimum(row, 0.95)), FS)
    peak = int(np.argmax(row))
    once = row.copy()
    once[peak - 5 : peak + 5] = row[peak]
    assert not is_clipped(once, FS)


@pytest.mark.parametrize(("residual_mv", "warned"), [(0.045, False), (0.055, True)])
def test_contradicting_limb_leads_are_warned_of(residual_mv, warned):
    clean = Tracing(noise_mv=0.0).recording()
    signal = clean.signal.astype(np.float64)
    signal[2, 100] += residual_mv
    quality = assess_quality(clean.with_signal(signal))
    assert quality.usable
    assert any("contradict" in warning for warning in quality.warnings) is warned
    assert (quality.einthoven_residual_mv > EINTHOVEN_LIMIT_MV) is warned


def test_the_residual_is_that_of_both_relations():
    signal = np.zeros((12, 10))
    signal[5, 3] = 0.2
    assert einthoven_residual_mv(signal) == pytest.approx(0.2)
    signal[0, 4] = -0.3
    assert einthoven_residual_mv(signal) == pytest.approx(0.3)


def test_baseline_wander_is_warned_of(recording):
    quality = assess_quality(changed(recording, 7, recording.signal[7] + 0.6 * np.sin(2 * np.pi * 0.25 * TIME)))
    assert any("Baseline wander" in warning and "V2" in warning for warning in quality.warnings)
    assert quality.usable


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_power_line_interference_is_warned_of_with_its_frequency(recording, mains):
    quality = assess_quality(changed(recording, 7, recording.signal[7] + 0.05 * np.sin(2 * np.pi * mains * TIME)))
    assert any(f"interference at {mains:.0f} Hz" in warning and "V2" in warning for warning in quality.warnings)


def test_muscle_noise_is_warned_of(recording):
    noise = np.random.default_rng(0).normal(0.0, 0.15, 5000)
    quality = assess_quality(changed(recording, 10, recording.signal[10] + noise))
    assert any("Muscle noise in V5" in warning for warning in quality.warnings)


def test_a_loose_electrode_is_warned_of_but_a_tall_t_wave_is_not(recording):
    quality = assess_quality(changed(recording, 11, recording.signal[11] + 0.8 * (TIME > 5.0)))
    assert any("steps" in warning and "V6" in warning for warning in quality.warnings)
    tall = Tracing(waves={lead: (*heights[:4], 1.2) for lead, heights in Tracing().waves.items()})
    assert not any("steps" in warning for warning in assess_quality(tall.recording()).warnings)


def test_a_heart_rate_out_of_range_is_warned_of():
    slow = Tracing(rr_s=2.3).recording()
    warnings = assess_quality(slow, find_waves(slow)).warnings
    assert any("heart rate is 26/min, outside 30-220/min" in warning for warning in warnings)


def test_a_recording_of_two_seconds_is_assessed():
    assert isinstance(assess_quality(Recording(Tracing(duration_s=2.0).signal(), FS)).usable, bool)


def steps_and_noise(n_samples, height_mv, seed=0):
    rng = np.random.default_rng(seed)
    return height_mv * (np.cumsum(rng.random(n_samples) < 1 / 500) % 2) + rng.normal(0, 0.004, n_samples)


@pytest.mark.parametrize("height_mv", [0.1, 0.4, 2.0])
@pytest.mark.parametrize("lead", [1, 4, 6, 9, 11])
def test_a_lead_that_carries_only_steps_shows_no_heartbeat(recording, lead, height_mv):
    row = steps_and_noise(recording.n_samples, height_mv)
    (refusal,) = assess_quality(changed(recording, lead, row)).refusals
    assert refusal.startswith(f"{STANDARD_LEADS[lead]} shows no heartbeat")


@pytest.mark.parametrize("share", [0.2, 0.05])
@pytest.mark.parametrize("lead", [1, 4, 6, 9, 11])
def test_a_low_lead_still_shows_its_heartbeat(lead, share):
    signal = Tracing(noise_mv=0.002).signal()
    signal[lead] *= share
    assert not without_heartbeat(signal, 500.0).any()


def test_without_beats_in_any_lead_no_single_lead_is_blamed():
    signal = np.random.default_rng(0).normal(0, 0.01, (12, 5000))
    assert not without_heartbeat(signal, 500.0).any()


@pytest.mark.parametrize("fs", [100.0, 500.0])
@pytest.mark.parametrize(("rise_s", "loose"), [(0.02, True), (0.1, True), (1.2, False), (2.0, False)])
def test_a_baseline_that_wanders_is_no_loose_electrode(fs, rise_s, loose):
    signal = np.array(Tracing(fs=fs).signal())
    time = np.arange(signal.shape[1]) / fs
    signal[8] += 1.5 * np.clip((time - 4.6) / rise_s, 0.0, 1.0)
    warnings = assess_quality(Recording(signal, fs)).warnings
    assert any("loose electrode" in words for words in warnings) is loose


def test_breathing_is_no_loose_electrode():
    signal = np.array(Tracing(duration_s=20.0).signal())
    time = np.arange(signal.shape[1]) / 500.0
    for rate in (0.1, 0.15, 0.2, 0.25, 0.3):
        wandering = signal + 1.2 * np.sin(2 * np.pi * rate * time)
        assert not any("loose electrode" in words for words in assess_quality(Recording(wandering, 500.0)).warnings)


def test_limb_leads_that_contradict_each_other_withhold_axis_and_verdicts():
    signal = np.array(Tracing().signal())
    signal[2] *= 1.5
    reading = read_signal(Recording(signal, 500.0))
    assert reading.measurements.intervals.axis.value is None
    assert "contradict" in reading.measurements.intervals.axis.reason
    assert any("contradict" in reason for reason in reading.findings.withheld)
    assert scope_of(reading).names == ("contradicting limb leads",)
