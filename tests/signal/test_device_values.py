"""Intervals against those that recorders print into their files, where the fixture folder is at hand."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.formats import read_recording
from ecgimn.signal.beat import median_beat
from ecgimn.signal.intervals import measure_intervals
from ecgimn.signal.waves.find import find_waves

#: File, then PR, QRS and QT in ms and the QRS axis in degrees as the recorder printed them.
PRINTED = {
    "aecg_hl7_example_same_as_scp.xml": (148, 120, 420, -61),
    "dicom_pydicom_normal_1000hz.dcm": (161, 75, 368, 52),
    "muse_guangxi_early_repol_500hz.xml": (122, 74, 328, 63),
    "philips_1.04.01_sinus.xml": (164, 102, 399, 22),
    "philips_1.04_LVH_anterior_STE_demo_patient.xml": (144, 84, 352, 78),
}


@pytest.fixture(scope="module")
def differences(fixtures_folder):
    """Measured minus printed, shape (5 files, 4 values)."""
    rows = []
    for name, printed in PRINTED.items():
        recording = read_recording(fixtures_folder / name).window(0.0)
        waves = find_waves(recording)
        found = measure_intervals(recording, waves, median_beat(recording, waves))
        values = [found.pr.value, found.qrs.value, found.qt.value, found.axis.value]
        rows.append(np.array(values, dtype=float) - printed)
    return np.array(rows)


def test_intervals_lie_within_15_ms_of_the_recorders_in_the_median(differences):
    assert np.median(np.abs(differences[:, :3])) < 15.0
    assert np.abs(differences[:, :3]).max() < 25.0


def test_the_axis_lies_within_15_degrees_of_the_recorders(differences):
    assert np.abs(differences[:, 3]).max() < 15.0
