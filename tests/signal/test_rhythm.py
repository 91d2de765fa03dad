"""Drawn rhythms are named, with their grounds; pauses, ectopic beats and a long PR are counted and located."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_ecg import ORDINARY, Tracing

from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.intervals import Measured
from ecgimn.signal.reading import read_signal, with_reference
from ecgimn.signal.rhythm import af_score, find_rhythm

NO_P = {lead: (0.0, *wave[1:]) for lead, wave in ORDINARY.items()}
TURNED = {lead: -np.sign(wave[2] + wave[3]) for lead, wave in ORDINARY.items()}
WIDE = {lead: (0.0, -0.3 * up, 1.2 * up, -0.5 * up, -0.4 * up) for lead, up in TURNED.items()}


def beats(*rr, first=0.4):
    return tuple(np.cumsum([first, *rr]).tolist())


def read(tracing, **about):
    return read_signal(tracing.recording(**about))


def with_wide_beats(sinus_at, wide_at):
    """Sinus beats, and among them beats of another shape, as a ventricular ectopic beat has."""
    sinus = Tracing(beats_at=tuple(sinus_at)).signal()
    wide = Tracing(beats_at=tuple(wide_at), waves=WIDE, stretch_qrs=1.4, noise_mv=0.0).signal()
    return Recording(sinus + wide, 500.0)


@pytest.mark.parametrize(
    ("rr_s", "name"), [(0.85, "sinus rhythm"), (1.25, "sinus bradycardia"), (0.56, "sinus tachycardia")]
)
def test_a_regular_rhythm_with_p_is_sinus_rhythm_named_by_its_rate(rr_s, name):
    rhythm = read(Tracing(rr_s=rr_s)).rhythm
    assert (rhythm.kind, rhythm.statement) == ("sinus", name)
    assert rhythm.af_score < 0.2
    assert any("P wave" in ground for ground in rhythm.grounds)


def test_rr_that_comes_and_goes_with_p_is_sinus_arrhythmia():
    rr = 0.85 + 0.14 * np.sin(np.arange(11) * 2 * np.pi / 6)
    assert read(Tracing(beats_at=beats(*rr))).rhythm.statement == "sinus arrhythmia"


@pytest.fixture(scope="module")
def fibrillation():
    rr = np.random.default_rng(1).uniform(0.55, 1.15, 11)
    return read(Tracing(beats_at=beats(*rr), waves=NO_P))


def test_irregular_without_p_is_atrial_fibrillation(fibrillation):
    assert fibrillation.rhythm.kind == "atrial fibrillation"
    assert fibrillation.rhythm.af_score > 0.8
    assert fibrillation.rhythm.supraventricular == ()


@pytest.mark.parametrize("reference", ["PQ", "TP"])
def test_pr_is_not_printed_in_atrial_fibrillation(fibrillation, reference):
    pr = with_reference(fibrillation, reference).measurements.intervals.pr
    assert pr.value is None
    assert "atrial fibrillation" in pr.reason


def test_regular_at_150_without_p_is_possible_flutter():
    reading = read(Tracing(rr_s=0.4, waves=NO_P))
    assert reading.rhythm.kind == "possible flutter"
    assert "2:1" in reading.rhythm.statement
    assert "flutter" in reading.measurements.intervals.pr.reason


def test_regular_and_slow_without_p_is_not_named(recording, waves, measurements):
    nowhere = replace(waves, global_p_onset=np.full(waves.n_beats, np.nan))
    assert find_rhythm(recording, nowhere, measurements, None).kind == "undetermined"


def test_the_beat_after_a_pause_is_not_early(paused):
    assert read_signal(paused).rhythm.supraventricular == ()


def test_early_wide_beats_are_counted_as_ventricular():
    drawn = with_wide_beats((0.4, 1.25, 2.1, 3.8, 4.65, 5.5, 7.2, 8.05, 8.9), (2.65, 6.05))
    rhythm = read_signal(drawn).rhythm
    assert rhythm.kind == "sinus"
    assert (len(rhythm.ventricular), rhythm.supraventricular) == (2, ())
    assert "2 ventricular ectopic beats" in rhythm.statement


def test_every_second_beat_ventricular_is_bigeminy():
    sinus = np.arange(0.4, 9.5, 1.7)
    rhythm = read_signal(with_wide_beats(sinus, sinus[:-1] + 0.5)).rhythm
    assert "ventricular bigeminy" in rhythm.statement
    assert rhythm.often_ectopic


def test_an_early_beat_like_the_others_is_supraventricular():
    rhythm = read(Tracing(beats_at=beats(0.85, 0.85, 0.85, 0.55, 0.95, 0.85, 0.85, 0.85, 0.85, 0.85))).rhythm
    assert (rhythm.supraventricular, rhythm.ventricular) == ((4,), ())
    assert "1 supraventricular ectopic beat" in rhythm.statement


@pytest.fixture(scope="module")
def paused():
    return Tracing(beats_at=beats(0.85, 0.85, 0.85, 3.6, 0.85, 0.85, 0.85)).recording()


def test_a_pause_is_stated_and_kept_in_the_range_of_rr(paused):
    reading = read_signal(paused)
    ((start, length),) = reading.rhythm.pauses
    assert start == pytest.approx(2.95, abs=0.02)
    assert length == pytest.approx(3.6, abs=0.02)
    assert "pause of 3.6 s" in reading.rhythm.statement
    assert reading.measurements.intervals.rr_range[1].value == pytest.approx(3600, abs=20)


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_gap_of_the_recording_is_no_pause(paused, value):
    signal = paused.signal.copy()
    signal[:, round(3.6 * 500) : round(5.9 * 500)] = value
    reading = read_signal(paused.with_signal(signal))
    assert reading.rhythm.pauses == ()
    assert reading.measurements.intervals.rr_range[1].value < 1000


def test_a_missed_beat_is_no_pause(paused):
    signal = paused.signal.copy()
    at = round(4.7 * 500)
    signal[:, at : at + 25] += 1.5 * np.sin(np.linspace(0, 3 * np.pi, 25))
    assert all(length < 2.0 for _, length in read_signal(paused.with_signal(signal)).rhythm.pauses)


def test_a_long_pr_is_first_degree_av_block(monkeypatch):
    import synthetic_ecg

    centres = (-0.27, *synthetic_ecg.CENTRES_S[1:])
    monkeypatch.setattr(synthetic_ecg, "CENTRES_S", centres)
    rhythm = read(Tracing(rr_s=0.95)).rhythm
    assert "first degree AV block" in rhythm.statement


def test_a_recording_without_beats_has_no_rhythm():
    rhythm = read_signal(Recording(np.zeros((12, 5000)), 500.0)).rhythm
    assert (rhythm.kind, rhythm.af_score) == ("undetermined", None)
    assert rhythm.grounds


@pytest.mark.parametrize("coupling_s", [0.5, 0.55, 0.6])
def test_bigeminy_is_not_taken_for_fibrillation(coupling_s):
    sinus = np.arange(0.4, 9.5, 1.7)
    assert read_signal(with_wide_beats(sinus, sinus[:-1] + coupling_s)).rhythm.af_score < 0.5


def test_the_score_passes_one_half_where_the_rule_is_met():
    for p, variation, met in [(0.49, 0.061, True), (0.51, 0.2, False), (0.1, 0.059, False)]:
        assert (af_score(p, variation) >= 0.5) is met


def test_the_rhythm_of_a_slow_copy_says_that_spikes_cannot_be_seen():
    assert any("cannot be seen at 100 Hz" in ground for ground in read(replace(Tracing(), fs=100.0)).rhythm.grounds)


def strip(p_at, r_at, *, heights=ORDINARY, noise_mv=0.005):
    """P waves and QRS with T, each where they are told to be."""
    without_p = {lead: (0.0, *wave[1:]) for lead, wave in heights.items()}
    only_p = {lead: (wave[0], 0.0, 0.0, 0.0, 0.0) for lead, wave in heights.items()}
    qrs = Tracing(beats_at=tuple(r_at), waves=without_p, noise_mv=noise_mv).signal()
    atrial = Tracing(beats_at=tuple(np.asarray(p_at) + 0.17), waves=only_p, noise_mv=0.0).signal()
    return Recording(qrs + atrial, 500.0)


def test_p_waves_that_march_through_slow_qrs_are_third_degree_av_block():
    rhythm = read_signal(strip(np.arange(0.15, 10.0, 0.72), np.arange(0.6, 10.0, 1.55))).rhythm
    assert rhythm.kind == "AV block"
    assert "third degree AV block suspected" in rhythm.statement
    assert any("no P wave is tied to a QRS" in ground for ground in rhythm.grounds)


def test_every_second_p_conducted_is_2_to_1_av_block():
    p_at = np.arange(0.3, 9.9, 0.72)
    rhythm = read_signal(strip(p_at, p_at[::2] + 0.18)).rhythm
    assert (rhythm.kind, "2:1 AV block suspected" in rhythm.statement) == ("AV block", True)


def test_every_third_p_conducted_is_3_to_1_av_block_also_with_an_ectopic_beat():
    p_at = np.arange(0.3, 9.9, 0.56)
    conducted = p_at[::3] + 0.18
    assert "3:1 AV block suspected" in read_signal(strip(p_at, conducted)).rhythm.statement
    wide = Tracing(beats_at=(conducted[3] + 0.75,), waves=WIDE, stretch_qrs=2.2, noise_mv=0.0).signal()
    plain = strip(p_at, conducted)
    assert "3:1 AV block suspected" in read_signal(plain.with_signal(plain.signal + wide)).rhythm.statement


def test_pr_that_grows_until_a_beat_is_dropped_is_wenckebach():
    p_at = np.arange(0.3, 9.9, 0.8)
    conducted = [(k, p) for k, p in enumerate(p_at) if k % 4 != 3]
    reading = read_signal(strip(p_at, [p + (0.17, 0.26, 0.32)[k % 4] for k, p in conducted]))
    assert "Wenckebach" in reading.rhythm.statement
    assert reading.measurements.intervals.pr.value is None


def test_a_beat_dropped_at_a_constant_pr_is_mobitz_ii():
    p_at = np.arange(0.3, 9.9, 0.8)
    rhythm = read_signal(strip(p_at, [p + 0.17 for k, p in enumerate(p_at) if k % 4 != 3])).rhythm
    assert "Mobitz II" in rhythm.statement


def test_a_wave_like_p_that_follows_each_t_is_no_block():
    r_at = np.arange(0.6, 9.9, 0.9)
    assert read_signal(strip(np.sort([*(r_at - 0.17), *(r_at[:-1] + 0.43)]), r_at)).rhythm.kind == "sinus"


def test_an_early_p_without_qrs_is_no_block():
    r_at = np.array([0.5, 1.35, 2.2, 3.05, 4.4, 5.25, 6.1, 6.95, 7.8, 8.65, 9.5])
    assert read_signal(strip(np.sort([*(r_at - 0.17), 3.45]), r_at)).rhythm.kind == "sinus"


def test_regular_and_slow_without_any_p_is_junctional():
    rhythm = read(Tracing(rr_s=1.35, waves=NO_P)).rhythm
    assert rhythm.kind == "junctional"
    assert rhythm.statement == "junctional rhythm suspected"


def test_p_that_points_down_just_before_qrs_is_junctional_and_further_off_ectopic_atrial():
    reading = read(Tracing(waves={lead: (-2.0 * wave[0], *wave[1:]) for lead, wave in ORDINARY.items()}))
    assert reading.rhythm.kind == "ectopic atrial"
    near = replace(reading.measurements.intervals, pr=Measured(108.0, "ms"))
    rhythm = find_rhythm(reading.recording, reading.waves, replace(reading.measurements, intervals=near), None)
    assert (rhythm.kind, rhythm.statement) == ("junctional", "junctional rhythm suspected")


def test_regular_and_fast_without_p_is_supraventricular_tachycardia_where_qrs_is_narrow():
    rhythm = read(Tracing(rr_s=0.33, waves=NO_P)).rhythm
    assert rhythm.kind == "supraventricular tachycardia"


@pytest.mark.parametrize(("times", "conduction"), [(4, " with 4:1 conduction"), (None, "")])
def test_atrial_waves_of_one_rate_at_300_are_flutter(times, conduction):
    rr = np.full(12, 0.8) if times else np.random.default_rng(3).choice([0.6, 0.8, 1.0], 12)
    drawn = Tracing(beats_at=beats(*rr), waves=NO_P)
    time = np.arange(5000) / 500.0
    saw = 0.15 * np.sin(2 * np.pi * 5.0 * time) + 0.05 * np.sin(2 * np.pi * 10.0 * time)
    signal = drawn.signal()
    for lead, share in (("II", 1.0), ("V1", 0.7)):
        signal[STANDARD_LEADS.index(lead)] += share * saw
    signal[:6] = LIMB_FROM_I_II @ signal[:2]
    rhythm = read_signal(Recording(signal, 500.0)).rhythm
    assert rhythm.kind == "possible flutter"
    assert rhythm.statement.startswith(f"possible atrial flutter{conduction}")
    assert rhythm.af_score >= 0.5


def test_openecg_is_believed_less_the_more_p_waves_are_found():
    judged = np.array([0.2, 0.0, 0.0, 0.8, 0.0, 0.0])
    scores = [af_score(p, 0.1, p_in_leads=p, judged=judged) for p in (0.0, 0.5, 1.0)]
    assert scores[0] > 0.8 > scores[1] > scores[2]
