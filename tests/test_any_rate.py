"""Every rate from 50 to 2000 Hz and every length from 2 to 60 s goes the whole way from the file to the figure."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecgimn.draw.screen.ecg import ecg_figure
from ecgimn.draw.view import View
from ecgimn.explain.case import open_case, tile
from ecgimn.formats import read_recording
from ecgimn.formats.export import write_wfdb
from ecgimn.leads import INDEPENDENT_LEADS, order_leads
from ecgimn.recording import Recording
from ecgimn.signal.quality import assess_quality
from ecgimn.signal.waves.openecg import resample
from tests.explain.small_cases import small_model

sys.path.insert(0, str(Path(__file__).parent / "signal"))

from synthetic_ecg import CENTRES_S, ORDINARY, WIDTHS_S

MODEL = small_model()
#: Rates at which a second, a tenth of it or a step of the network's 500 Hz is no whole number of samples.
ODD_RATES = (62.7, 128.0, 175.0, 256.0, 257.0, 499.31, 500.05, 977.0, 1999.7)
rates = st.sampled_from(ODD_RATES) | st.floats(50.0, 2000.0) | st.floats(50.0, 300.0)


def tracing(fs: float, duration_s: float) -> Recording:
    """Return a beat every 0.85 s for at least this time, with noise of 5 µV."""
    phase = np.arange(int(np.ceil(duration_s * fs))) / fs % 0.85 - 0.4
    waves = np.stack(
        [np.exp(-0.5 * ((phase - at) / width) ** 2) for at, width in zip(CENTRES_S, WIDTHS_S, strict=True)]
    )
    heights = np.array([ORDINARY[lead] for lead in INDEPENDENT_LEADS])
    rows = heights @ waves + np.random.default_rng(0).normal(0.0, 0.005, (len(heights), len(phase)))
    return Recording(order_leads(rows, INDEPENDENT_LEADS)[0], fs)


@settings(max_examples=5)
@given(fs=rates, duration_s=st.floats(2.0, 60.0))
@example(fs=128.0, duration_s=10.0)
@example(fs=499.31, duration_s=10.0)
@example(fs=50.0, duration_s=2.0)
@example(fs=2000.0, duration_s=12.0)
def test_a_file_of_any_rate_and_length_is_read_measured_explained_booked_and_drawn(fs, duration_s):
    with tempfile.TemporaryDirectory() as folder:
        whole = read_recording(write_wfdb(tracing(fs, duration_s), folder))
    assert whole.fs == pytest.approx(fs, rel=1e-6)
    assert assess_quality(whole).refusals == ()
    place = tile(whole)[-1]  # ten seconds, or a rest of any length from five on
    case = open_case(whole.window(place.start_s, place.duration_s), MODEL)
    waves = case.reading.waves
    assert waves is not None
    assert case.ledger.residual < 1e-6
    figure = ecg_figure(case.recording, case.of("A"), waves=waves, view=View(style="blocks"))
    assert figure.layout.meta["shown"] is not None


@given(fs=rates)
@settings(max_examples=20)
def test_a_loose_electrode_is_seen_at_any_rate(fs):
    plain = tracing(fs, 10.0)
    signal = plain.signal.astype(np.float64)
    signal[11, signal.shape[1] // 2 :] += 0.8
    assert any("steps" in words and "V6" in words for words in assess_quality(plain.with_signal(signal)).warnings)
    assert not any("steps" in words for words in assess_quality(plain).warnings)


@given(fs=rates)
@settings(max_examples=10)
def test_an_instant_keeps_its_place_within_a_sample_after_a_minute_at_any_rate(fs):
    at_s = 59.0
    time = np.arange(round(60 * fs)) / fs
    bump = np.exp(-0.5 * ((time - at_s) / 0.05) ** 2)[None]
    there = resample(bump, fs, 500.0)[0]
    assert np.argmax(there) / 500.0 == pytest.approx(at_s, abs=0.003)
