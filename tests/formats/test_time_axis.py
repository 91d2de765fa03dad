"""Times of a table: an even axis gives the rate, jumps become gaps, anything else is a question and never a rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgimn.formats import MissingFactsError, ReadingHints
from ecgimn.formats.read import read_files
from ecgimn.formats.table import read_times
from ecgimn.leads import STANDARD_LEADS

RATES = (50, 100, 125, 128, 200, 250, 256, 257, 300, 360, 400, 499.31, 500, 512, 600, 800, 1000, 2000)


@pytest.mark.parametrize("fs", RATES)
@pytest.mark.parametrize("decimals", [4, 6, 12])
def test_evenly_spaced_times_give_the_rate_however_rounded(fs, decimals):
    axis = read_times(np.round(np.arange(round(10 * fs)) / fs, decimals))
    assert axis.place is None
    assert axis.step is not None
    assert 1 / axis.step == pytest.approx(fs, abs=0.02)


@pytest.mark.parametrize("fs", [100, 125, 200, 250, 257, 360, 499.31, 500])
def test_times_in_whole_milliseconds_give_the_rate(fs):
    axis = read_times(np.round(1000 * np.arange(round(10 * fs)) / fs))
    assert axis.place is None
    assert axis.step is not None
    assert 1000 / axis.step == pytest.approx(fs, rel=1e-3)


@settings(max_examples=150, deadline=None)
@given(
    fs=st.sampled_from([100, 125, 200, 250, 256, 500, 1000]),
    losses=st.lists(st.tuples(st.integers(5, 1900), st.integers(1, 60)), min_size=1, max_size=4),
    decimals=st.sampled_from([3, 6, 9]),
    start=st.sampled_from([0.0, 12.5, 1000.0]),
)
def test_lost_samples_leave_gaps_and_the_rate_as_it_was(fs, losses, decimals, start):
    kept = np.ones(2000, dtype=bool)
    for first, length in losses:
        kept[first : min(first + length, 1995)] = False
    if decimals == 3 and 1000 % fs:
        decimals = 6
    times = np.round(start + np.arange(2000) / fs, decimals)[kept]
    axis = read_times(times)
    assert axis.step is not None
    assert 1 / axis.step == pytest.approx(fs, abs=0.02)
    assert axis.place is not None
    np.testing.assert_array_equal(axis.place, np.flatnonzero(kept))
    assert axis.n_lost == np.count_nonzero(~kept)


@pytest.mark.parametrize(
    "times",
    [
        np.cumsum(np.random.default_rng(1).exponential(0.004, 2000)),  # a clock of packets
        np.repeat(np.arange(200) * 0.04, 10),  # ten samples with one time
        np.concatenate([np.arange(1000), np.arange(1000)]) * 0.002,  # begins again
        -np.arange(2000) * 0.002,
        np.concatenate([np.arange(500) * 0.002, 9 + np.arange(500) * 0.002]),  # most is missing
        np.concatenate([np.arange(1000) * 0.002, 2 + np.arange(1000) * 0.004]),  # the rate changes
        np.r_[np.arange(500) * 0.002, np.nan, np.arange(501, 1000) * 0.002],
        np.zeros(1000),
        np.array([0.0]),
    ],
)
def test_irregular_times_give_no_rate(times):
    assert read_times(times).step is None


def table(ecg, times, header="time_s", unit="mV") -> bytes:
    lines = [",".join([header, *(f"{lead} ({unit})" for lead in STANDARD_LEADS)])]
    lines += [f"{time:.6f}," + ",".join(f"{v:.3f}" for v in row) for time, row in zip(times, ecg.T, strict=True)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(("header", "scale"), [("time_s", 1), ("Time (ms)", 1e3), ("timestamp [us]", 1e6)])
def test_a_gap_in_a_table_is_kept_and_said(make, header, scale):
    ecg = make.synthetic_ecg(200, 8)
    kept = np.r_[0:700, 716:1600]
    recording = read_files({"t": table(ecg[:, kept], kept / 200 * scale, header)})
    assert (recording.fs, recording.n_samples) == (200, 1600)
    assert np.isnan(recording.signal[:, 700:716]).all()
    np.testing.assert_allclose(recording.signal[:, kept], ecg[:, kept], atol=1e-6)
    assert any("16 samples missing" in note for note in recording.notes)


def test_a_gap_in_sample_numbers_is_kept_and_the_rate_is_asked_for(make):
    ecg = make.synthetic_ecg(200, 8)
    kept = np.r_[0:700, 716:1600]
    data = table(ecg[:, kept], kept.astype(float), "sample")
    with pytest.raises(MissingFactsError) as caught:
        read_files({"t": data})
    assert caught.value.needed == ("fs",)
    recording = read_files({"t": data}, ReadingHints(fs=200))
    assert np.isnan(recording.signal[:, 700:716]).all()
    assert recording.n_samples == 1600


def test_irregular_times_are_a_question_that_the_reader_may_answer(make):
    ecg = make.synthetic_ecg(200, 8)
    times = np.cumsum(np.random.default_rng(1).exponential(0.005, ecg.shape[1]))
    with pytest.raises(MissingFactsError, match="not evenly spaced") as caught:
        read_files({"t": table(ecg, times)})
    assert caught.value.needed == ("fs",)
    recording = read_files({"t": table(ecg, times)}, ReadingHints(fs=200))
    assert recording.fs == 200
    assert any("irregular" in note for note in recording.notes)


def test_a_rate_that_contradicts_the_times_is_used_and_said(make):
    ecg = make.synthetic_ecg(200, 8)
    recording = read_files({"t": table(ecg, np.arange(1600) / 200)}, ReadingHints(fs=250))
    assert recording.fs == 250
    assert any("200 Hz" in note for note in recording.notes)


def test_times_among_the_vectors_of_a_mat_file_give_gaps(make):
    ecg = make.synthetic_ecg(200, 8)
    kept = np.r_[0:700, 716:1600]
    leads = {f"lead_{lead}": ecg[k, kept] for k, lead in enumerate(STANDARD_LEADS)}
    recording = read_files({"t": make.mat_file(time_s=kept / 200, **leads)}, ReadingHints(unit="mV"))
    assert (recording.fs, recording.n_samples) == (200, 1600)
    assert np.isnan(recording.signal[:, 700:716]).all()
