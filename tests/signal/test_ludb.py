"""Landmarks and ST levels against a cardiologist's marks (LUDB), where the fixture folder is at hand."""

from __future__ import annotations

import numpy as np
import pytest
import wfdb

from ecgimn.leads import STANDARD_LEADS, lead_index, order_leads
from ecgimn.recording import Recording
from ecgimn.signal.measure import measure
from ecgimn.signal.waves.find import find_waves
from ecgimn.signal.waves.openecg import resample

RECORDS = ("1", "7", "8", "10", "20", "21", "24", "55", "56", "86", "95")
NEAR = 50  # samples at 500 Hz; first and last beats carry no marks, so beats are matched by R


def wave_marks(path, lead):
    """Symbol, onset, peak and end of each marked wave; NaN where a mark is missing."""
    annotation = wfdb.rdann(str(path), lead.lower())
    samples, symbols = annotation.sample, annotation.symbol
    waves = []
    for k, symbol in enumerate(symbols):
        if symbol in "pNt":
            onset = samples[k - 1] if k > 0 and symbols[k - 1] == "(" else np.nan
            offset = samples[k + 1] if k + 1 < len(symbols) and symbols[k + 1] == ")" else np.nan
            waves.append((symbol, float(onset), float(samples[k]), float(offset)))
    return waves


def marks(path, lead):
    """Onset, R, J, T onset and T end of each marked beat; NaN where a mark is missing."""
    waves = wave_marks(path, lead)
    beats = []
    for k, (symbol, onset, r, j) in enumerate(waves):
        if symbol == "N":
            t = waves[k + 1] if k + 1 < len(waves) and waves[k + 1][0] == "t" else ("t", np.nan, np.nan, np.nan)
            beats.append((onset, r, j, t[1], t[3]))
    return np.array(beats).reshape(-1, 5)


@pytest.fixture(scope="module")
def ludb(fixtures_folder):
    """Recording, waves and marks by lead of each record."""
    read = {}
    for name in RECORDS:
        record = wfdb.rdrecord(str(fixtures_folder / "wfdb" / name))
        signal, _ = order_leads(record.p_signal.T, record.sig_name)
        recording = Recording(signal, record.fs, record_name=name)
        by_lead = [marks(fixtures_folder / "wfdb" / name, lead) for lead in STANDARD_LEADS]
        read[name] = (recording, find_waves(recording), by_lead)
    return read


def matched(ludb):
    """Rows of (J found, J marked, T end found, T end marked) over all leads and marked beats."""
    rows = []
    for _recording, waves, by_lead in ludb.values():
        for lead, beats in enumerate(by_lead):
            for _onset, r, j, _t_onset, t_end in beats:
                k = int(np.argmin(np.abs(waves.r_samples - r)))
                assert abs(waves.r_samples[k] - r) <= NEAR
                rows.append((waves.qrs_offset[lead, k], j, waves.t_offset[lead, k], t_end))
    return np.array(rows)


def test_j_points_scatter_by_less_than_20_ms_about_the_cardiologists(ludb):
    found = matched(ludb)
    assert np.nanstd(found[:, 0] - found[:, 1]) * 2.0 < 20.0


def test_t_ends_scatter_by_less_than_35_ms_about_the_cardiologists(ludb):
    found = matched(ludb)
    assert np.nanstd(found[:, 2] - found[:, 3]) * 2.0 < 35.0


def test_five_leads_alone_place_j_and_t_end_nearly_as_well(ludb):
    quick = {
        name: (recording, find_waves(recording, quick=True), by_lead)
        for name, (recording, _waves, by_lead) in ludb.items()
    }
    found = matched(quick)
    assert np.nanstd(found[:, 0] - found[:, 1]) * 2.0 < 20.0
    assert np.nanstd(found[:, 2] - found[:, 3]) * 2.0 < 36.0


def test_the_stretch_from_j_to_t_end_overlaps_by_more_than_85_percent(ludb):
    j, j_marked, t_end, t_end_marked = matched(ludb)[np.isfinite(matched(ludb)[:, 3])].T
    overlap = np.minimum(t_end, t_end_marked) - np.maximum(j, j_marked)
    union = np.maximum(t_end, t_end_marked) - np.minimum(j, j_marked)
    assert np.nan_to_num(overlap / union).mean() > 0.85


def test_no_lead_is_left_without_beats_in_record_7(ludb):
    waves = ludb["7"][1]
    assert waves.n_beats >= 8
    assert np.isfinite(waves.qrs_offset).all()
    assert (np.isfinite(waves.t_offset).sum(axis=1) >= 8).all()


def test_st_at_j60_is_that_of_the_marks_within_0025_mv(ludb):
    errors = []
    for recording, waves, by_lead in ludb.values():
        measurements = measure(recording, waves)
        for lead, beats in enumerate(by_lead):
            levels = [
                recording.signal[lead, int(j) + 30] - np.median(recording.signal[lead, int(onset) - 10 : int(onset)])
                for onset, _r, j, _t_onset, _t_end in beats
                if np.isfinite(onset + j)
            ]
            if levels:
                errors.append(abs(measurements.st[lead].j60_mv - np.median(levels)))
    assert np.mean(errors) < 0.025


def test_qt_of_the_median_beat_scatters_by_less_than_20_ms_about_the_marks(ludb, fixtures_folder):
    errors = []
    for name, (recording, waves, _by_lead) in ludb.items():
        every = [wave_marks(fixtures_folder / "wfdb" / name, lead) for lead in STANDARD_LEADS]
        marked = []
        for r in (r for symbol, _, r, _ in every[lead_index("II")] if symbol == "N"):
            onset, _ = second_outermost(every, "N", r - 40, r + 40)
            marked.append(2.0 * (second_outermost(every, "t", r + 20, r + 330)[1] - onset))
        errors.append(measure(recording, waves).intervals.qt.value - np.nanmean(marked))
    assert np.std(errors) < 20.0
    assert np.max(np.abs(errors)) < 50.0


@pytest.fixture(scope="module", params=[500.0, 100.0])
def durations(request, fixtures_folder):
    """Durations found minus those of the second-outermost marks in ms: a row per record of QRS, P and QT."""
    rows = []
    for name in RECORDS:
        record = wfdb.rdrecord(str(fixtures_folder / "wfdb" / name))
        signal, _ = order_leads(record.p_signal.T, record.sig_name)
        recording = Recording(resample(signal, record.fs, request.param), request.param)
        waves = find_waves(recording)
        every = [wave_marks(fixtures_folder / "wfdb" / name, lead) for lead in STANDARD_LEADS]
        r_marked = [r for symbol, _, r, _ in every[lead_index("II")] if symbol == "N"]
        of_beats = []
        for r in r_marked:
            k = int(np.argmin(np.abs(waves.r_samples * record.fs / request.param - r)))
            edge = {
                key: second_outermost(every, symbol, r + first, r + last)
                for key, symbol, first, last in (("p", "p", -250, 0), ("qrs", "N", -40, 40), ("t", "t", 20, 330))
            }
            marked = [edge["qrs"][1] - edge["qrs"][0], edge["p"][1] - edge["p"][0], edge["t"][1] - edge["qrs"][0]]
            found = [
                waves.global_qrs_offset[k] - waves.global_qrs_onset[k],
                waves.global_p_offset[k] - waves.global_p_onset[k],
                waves.global_t_offset[k] - waves.global_qrs_onset[k],
            ]
            of_beats.append(1000.0 * (np.array(found) / request.param - np.array(marked) / record.fs))
        known = np.array(of_beats)
        rows.append([np.nan if np.isnan(column).all() else np.nanmean(column) for column in known.T])
    return np.array(rows)


def second_outermost(every, symbol, first, last):
    """Second earliest onset and second latest end of a wave over the leads, where at least six leads mark it."""
    near = [[mark for mark in marks if mark[0] == symbol and first <= mark[2] <= last] for marks in every]
    found = np.array([(mark[-1][1], mark[-1][3]) for mark in near if mark], dtype=float).reshape(-1, 2)
    onset, offset = (np.sort(column[np.isfinite(column)]) for column in found.T)
    return (onset[1], offset[-2]) if min(len(onset), len(offset)) >= 6 else (np.nan, np.nan)


def test_p_lasts_as_long_as_the_second_outermost_marks_to_8_ms_and_qt_to_10(durations):
    qrs, p, qt = np.nanmean(durations, axis=0)
    assert -20.0 <= qrs <= 0.0  # recorders measure shorter than these marks: see test_device_values
    assert abs(p) <= 8.0
    assert abs(qt) <= 10.0
    assert np.nanstd(durations[:, 0]) <= 12.0
    assert np.nanstd(durations[:, 1]) <= 12.0
