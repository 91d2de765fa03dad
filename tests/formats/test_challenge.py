"""Records as the PhysioNet/CinC challenges of 2020 and 2021 hold them are read to half a microvolt."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ecgimn.errors import RecordingFormatError
from ecgimn.formats import read_recording
from ecgimn.formats.read import read_files
from ecgimn.leads import STANDARD_LEADS

#: Rate, steps per mV, first line's date, how comments and gain are spelled, samples: one row per source set.
STYLES = {
    "CPSC": (500, 1000, "12-May-2020 12:33:59", "#Age: {}", "{:g}/mV"),
    "INCART": (257, 1000, "05-Feb-2020 11:39:16", "#Age: {}", "{:g}/mV"),
    "PTB": (1000, 2000, "21-Aug-2020 18:30:00", "#Age: {}", "{:g}/mV"),
    "PTB-XL": (500, 1000, "20-May-2020 12:48:50", "#Age: {}", "{:g}/mV"),
    "Georgia": (500, 4880, "01-Apr-2020 00:00:00", "#Age: {}", "{:g}/mV"),
    "Chapman": (500, 1000, "26-Nov-2021 14:59:02", "# Age: {}", "{:.1f}(0)/mV"),
    "no date": (500, 1000, "", "#Age: {}", "{:g}(0)/mV"),
}
N_RECORDS = 200


def challenge_files(signal_mv, name: str, style: str, *, age="61", sex="Male", dx="426783006,270492004"):
    """Return header and .mat file: MAT version 4 with `val`, which WFDB reads as format 16 behind 24 bytes."""
    fs, gain, date, age_line, gain_text = STYLES[style]
    steps = np.where(np.isnan(signal_mv), -32768, np.round(signal_mv * gain)).astype("<i2")
    lines = [f"{name} 12 {fs} {steps.shape[1]} {date}".rstrip()]
    for lead, row in zip(STANDARD_LEADS, steps, strict=True):
        checksum = int(np.int64(row).sum()) & 0xFFFF
        checksum -= 0x10000 * (checksum > 0x7FFF)
        lines.append(f"{name}.mat 16+24 {gain_text.format(gain)} 16 0 {row[0]} {checksum} 0 {lead}")
    mark = age_line.split("Age")[0]
    lines += [age_line.format(age), f"{mark}Sex: {sex}", f"{mark}Dx: {dx}", f"{mark}Rx: Unknown", f"{mark}Hx: Unknown"]
    matrix = struct.pack("<5i", 30, 12, steps.shape[1], 0, 4) + b"val\x00" + steps.T.tobytes()
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode(), f"{name}.mat": matrix}


def test_two_hundred_records_are_read_to_half_a_microvolt(make):
    rng = np.random.default_rng(2021)
    for number in range(N_RECORDS):
        style = list(STYLES)[number % len(STYLES)]
        fs, gain = STYLES[style][:2]
        ecg = make.synthetic_ecg(fs, float(rng.integers(6, 12)), heart_rate=float(rng.uniform(50, 120)))
        ecg = np.round(ecg * gain) / gain
        if number % 5 == 0:
            ecg[rng.integers(12), 100:104] = np.nan
        age, sex = int(rng.integers(1, 100)), ("Male", "Female", "M", "F")[number % 4]
        recording = read_files(challenge_files(ecg, f"A{number:04d}", style, age=str(age), sex=sex))
        assert np.array_equal(np.isnan(recording.signal), np.isnan(ecg))
        assert np.nanmax(np.abs(recording.signal - ecg)) < 0.0005
        assert recording.fs == fs
        assert recording.age == min(age, 90)
        assert recording.sex == {"M": "male", "F": "female"}[sex[0]]
        assert "1 statement of the file hidden." in recording.notes
        assert not any("426783006" in note for note in recording.notes)


@pytest.mark.parametrize("asked", ["A1.hea", "A1.mat", "A1"])
def test_a_record_opens_by_its_header_its_samples_or_its_name(tmp_path, make, ecg, asked):
    for name, data in challenge_files(ecg, "A1", "CPSC").items():
        (tmp_path / name).write_bytes(data)
    np.testing.assert_allclose(read_recording(tmp_path / asked).signal, ecg, atol=5e-4)


def test_the_matrix_alone_is_a_table_that_asks_for_what_it_lacks(make, ecg):
    from ecgimn.formats import MissingFactsError, ReadingHints

    data = challenge_files(ecg, "A1", "CPSC")["A1.mat"]
    with pytest.raises(MissingFactsError) as caught:
        read_files({"A1.mat": data})
    assert caught.value.needed == ("leads", "fs", "unit")
    recording = read_files({"A1.mat": data}, ReadingHints(fs=500, unit="uV", leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize(
    ("comments", "age", "sex"),
    [
        (("Age: 61", "Sex: Male"), 61, "male"),
        (("Age: NaN", "Sex: Unknown"), None, None),
        ((" <age>: 52  <sex>: F  <diagnoses>: none",), 52, "female"),
        (("age: 81", "sex: female", "ECG date: 01/10/1990"), 81, "female"),
        (("Age: 3 months", "Gender: f"), None, "female"),
        (("Page: 12", "Dosage 40", "Sexton"), None, None),
        (("Age: 999",), None, None),
        (("Age: 104",), 90, None),
    ],
)
def test_age_and_sex_are_taken_from_the_comments_and_nothing_else(make, ecg, comments, age, sex):
    recording = read_files(make.wfdb_files(ecg, comments=comments))
    assert (recording.age, recording.sex) == (age, sex)
    assert read_files(make.wfdb_files(ecg, comments=comments), age=33, sex="male").age == 33


def test_a_matrix_that_is_cut_short_is_refused(make, ecg):
    files = challenge_files(ecg, "A1", "CPSC")
    with pytest.raises(RecordingFormatError, match=r"119,900 bytes.*120,024"):
        read_files({**files, "A1.mat": files["A1.mat"][:119_900]})
