"""Calibration pulses are cut from what is read, in every format and place, and no heartbeat is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgimn.formats.read import read_files
from ecgimn.formats.traces import find_calibration
from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS
from ecgimn.signal.quality import assess_quality, still_stretches

ROWS = [STANDARD_LEADS.index(lead) for lead in INDEPENDENT_LEADS]


def pulse(fs: float, *, width_s: float = 0.2, before_s: float = 0.3, after_s: float = 0.5) -> np.ndarray:
    """Twelve leads with a rectangle of 1 mV between two pieces of baseline."""
    parts = [np.zeros(round(before_s * fs)), np.ones(round(width_s * fs)), np.zeros(round(after_s * fs))]
    return np.tile(np.concatenate(parts), (12, 1))


@pytest.mark.parametrize("name", ["WFDB", "EDF", "Philips", "aECG", "CSV", "NPZ", "MAT", "MUSE"])
def test_a_pulse_behind_the_ecg_is_cut_in_every_format(make, monkeypatch, name):
    ecg = make.synthetic_ecg(500, 10)
    whole = np.hstack([ecg, pulse(500)])
    monkeypatch.setattr(make, "synthetic_ecg", lambda *arguments, **options: whole)
    recording = read_files(make.every_format(500, 11)[name])
    assert recording.n_samples == pytest.approx(5000, abs=5)
    np.testing.assert_allclose(recording.signal[ROWS, :4990], ecg[ROWS, :4990], atol=2e-3)
    assert any("Calibration pulse" in note for note in recording.notes)


@pytest.mark.parametrize("where", ["before", "after", "both", "between"])
@pytest.mark.parametrize("offset", [0.0, 0.4])
def test_a_pulse_is_found_wherever_it_is(make, where, offset):
    ecg, mark = make.synthetic_ecg(250, 10), pulse(250)
    parts = {"before": [mark, ecg], "after": [ecg, mark], "both": [mark, ecg, mark], "between": [ecg, mark, ecg]}[where]
    recording = read_files(make.wfdb_files(np.hstack(parts) + offset, fs=250))
    if where == "between":
        assert recording.n_samples == 5250
        assert np.isnan(recording.signal[:, 2510:2740]).all()
    else:
        assert recording.n_samples == pytest.approx(2500, abs=10)
        assert np.isfinite(recording.signal).all()
    assert np.nanmax(recording.signal[1]) > 0.5
    assert any("Calibration pulse" in note for note in recording.notes)


@settings(max_examples=40, deadline=None)
@given(
    fs=st.sampled_from([100, 250, 257, 500, 1000]),
    width_s=st.floats(0.1, 0.5),
    size_mv=st.floats(0.9, 1.1),
    noise_mv=st.floats(0, 0.01),
)
def test_pulses_of_any_width_with_noise_are_found(fs, width_s, size_mv, noise_mv):
    rng = np.random.default_rng(3)
    mark = size_mv * pulse(fs, width_s=width_s)[ROWS]
    mark += noise_mv * rng.standard_normal(mark.shape)
    found = find_calibration(np.hstack([0.3 * rng.standard_normal((8, 4 * fs)), mark]), fs)
    assert len(found) == 1
    assert found[0].start <= 4.3 * fs
    assert found[0].stop >= (4.3 + width_s) * fs


@settings(max_examples=60, deadline=None)
@given(fs=st.sampled_from([100, 250, 500]), rate=st.floats(40, 180), size=st.floats(0.3, 4.0), seed=st.integers(0, 99))
def test_no_heartbeat_is_a_calibration_pulse(fs, rate, size, seed):
    from tests.formats.synthetic_files import synthetic_ecg

    ecg = size * synthetic_ecg(fs, 10, heart_rate=rate)
    ecg = ecg + 0.02 * np.random.default_rng(seed).standard_normal(ecg.shape)
    assert find_calibration(ecg[ROWS], fs) == ()
    assert find_calibration(np.tile(ecg[1], (8, 1)), fs) == ()  # not even in all leads alike


@pytest.mark.parametrize(("before_s", "after_s"), [(0, 3), (3, 0), (1.6, 1.6)])
@pytest.mark.parametrize("value", [0.0, -0.5])
def test_padding_is_warned_of(make, before_s, after_s, value):
    ecg = make.synthetic_ecg(200, 7)
    padded = np.pad(ecg, ((0, 0), (round(200 * before_s), round(200 * after_s))), constant_values=value)
    quality = assess_quality(read_files(make.wfdb_files(padded, fs=200)))
    assert any("No signal in any lead" in warning and "zero padding" in warning for warning in quality.warnings)


def test_quiet_seconds_between_beats_are_no_padding(make):
    ecg = np.round(make.synthetic_ecg(500, 10, heart_rate=40) * 200) / 200  # steps of 5 uV
    assert still_stretches(ecg, 500) == ()
