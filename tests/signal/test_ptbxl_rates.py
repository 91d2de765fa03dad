"""How often good records are refused or suspected, and how far apart they are, on PTB-XL where it is at hand."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.signal.conduction import is_paced, paced_beats, possible_lead_reversal
from ecgimn.signal.measure import measure
from ecgimn.signal.quality import MOST_UNLIKE, assess_quality, departures
from ecgimn.signal.waves.find import find_waves
from ecgimn.sources.ptbxl import FOLDER_VARIABLE, open_ptbxl


@pytest.fixture(scope="module")
def ptbxl():
    folder = open_ptbxl()
    if folder is None:
        pytest.skip(f"{FOLDER_VARIABLE} is not set")
    return folder


def sample(ptbxl, rows, count, seed):
    """Recordings of a seeded sample of rows whose file is in the folder, at 100 Hz."""
    rng = np.random.default_rng(seed)
    ids = [int(i) for i in rng.permutation(rows.index)]
    there = [i for i in ids if (ptbxl.folder / f"{rows.loc[i, 'filename_lr']}.dat").is_file()]
    return [ptbxl.recording(i, fs=100) for i in there[:count]]


def test_few_records_are_refused_and_most_pass_without_a_warning(ptbxl):
    found = [assess_quality(recording) for recording in sample(ptbxl, ptbxl.table, 300, seed=11)]
    assert np.mean([not quality.usable for quality in found]) <= 0.01
    assert np.mean([bool(quality.warnings) for quality in found]) <= 0.25


def test_lead_reversal_is_suspected_in_hardly_any_normal_record(ptbxl):
    normal = ptbxl.table[ptbxl.table["NORM"] == 1]
    hints = []
    for recording in sample(ptbxl, normal, 30, seed=12):
        waves = find_waves(recording)
        hints.append(possible_lead_reversal(recording, waves, measure(recording, waves)))
    assert sum(map(bool, hints)) <= 1


WIDE = {"CLBBB", "CRBBB", "ILBBB", "IRBBB", "IVCD", "PACE", "WPW"}  # what makes QRS wide, by code or in the report


def share_wide(recordings):
    """Share of the recordings whose QRS lasts 120 ms or longer, with waves found in five leads."""
    widths = [measure(recording, find_waves(recording, quick=True)).intervals.qrs.value for recording in recordings]
    return np.mean([width is not None and width >= 120.0 for width in widths])


def test_qrs_is_narrow_in_atrial_fibrillation_and_wide_in_bundle_branch_block(ptbxl):
    codes = ptbxl.table["scp_codes"]
    said = ptbxl.table["report"].str.contains("block|pacing|paced|schrittmacher|wpw", case=False, na=False)
    fibrillation = ptbxl.table[~said & codes.map(lambda found: "AFIB" in found and not WIDE & set(found))]
    blocks = ptbxl.table[[bool({"CLBBB", "CRBBB"} & set(found)) for found in codes]]
    assert share_wide(sample(ptbxl, fibrillation, 60, seed=13)) <= 0.05
    assert share_wide(sample(ptbxl, blocks, 20, seed=14)) >= 0.85


def test_no_record_is_called_cut_off_without_a_plateau_in_several_beats(ptbxl):
    for recording in sample(ptbxl, ptbxl.table, 300, seed=15):
        assert not any("cut off" in words for words in assess_quality(recording).refusals)


def test_no_pacing_is_seen_in_normal_records_at_500_hz(ptbxl):
    normal = ptbxl.table[ptbxl.table["NORM"] == 1]
    there = [i for i in normal.index if (ptbxl.folder / f"{normal.loc[i, 'filename_hr']}.dat").is_file()]
    for i in there[:40]:
        recording = ptbxl.recording(int(i), fs=500)
        assert not is_paced(paced_beats(recording, find_waves(recording, quick=True)))


def test_no_record_is_said_to_have_a_lead_without_heartbeat_low_voltage_among_them(ptbxl):
    low = ptbxl.table[["LVOLT" in found for found in ptbxl.table["scp_codes"]]]
    for recording in [*sample(ptbxl, ptbxl.table, 200, seed=16), *sample(ptbxl, low, 60, seed=17)]:
        assert not any("no heartbeat" in words for words in assess_quality(recording).refusals)


def test_the_distance_of_the_scope_rests_on_what_1600_records_of_folds_1_to_8_are_like(ptbxl):
    table = ptbxl.table
    ids = table.index[table["strat_fold"].isin(range(1, 9))]
    there = set(ptbxl.ids(range(1, 9), fs=100).tolist())
    drawn = [i for i in np.random.default_rng(0).permutation(ids)[:1600] if i in there]
    if len(drawn) < 30:
        pytest.skip("too few records of folds 1 to 8 are there")
    off = 0.01 if len(drawn) == 1600 else 5.0 / np.sqrt(len(drawn))  # a part of them tells less
    away = np.array([list(departures(ptbxl.recording(int(i), fs=100)).values()) for i in drawn])
    low, middle, high = np.percentile(away, [16, 50, 84], axis=0)
    assert np.abs(middle).max() < off
    assert np.abs((high - low) / 2 - 1.0).max() < off
    assert np.percentile(np.sqrt(np.square(away).mean(axis=1)), 99) == pytest.approx(MOST_UNLIKE, abs=off)
