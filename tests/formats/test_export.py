"""Exports: what goes out comes back within one quantisation step, and nothing but samples, leads and rate goes out."""

from __future__ import annotations

import tempfile

import numpy as np
import pydicom
import pytest

from ecgimn.formats import read_recording, read_upload
from ecgimn.formats.export import (
    INTENDED_USE,
    SAMPLE_KINDS,
    file_stem,
    samples_bytes,
    write_csv,
    write_dicom,
    write_wfdb,
)
from ecgimn.formats.read import read_files
from ecgimn.recording import Recording

STEP_MV = 0.001


def exported(recording, folder, kind):
    """Write the recording in one format; return the file to read back."""
    if kind == "WFDB":
        return write_wfdb(recording, folder)
    if kind == "CSV":
        return write_csv(recording, folder / "ecg.csv")
    return write_dicom(recording, folder / "ecg.dcm")


@pytest.mark.parametrize("kind", ["WFDB", "CSV", "DICOM"])
@pytest.mark.parametrize("fs", [100, 250, 257, 500, 1000])
def test_an_export_reads_back_within_one_step(tmp_path, make, kind, fs):
    rng = np.random.default_rng(3)
    signal = make.synthetic_ecg(fs) + 0.0004 * rng.standard_normal((12, 10 * fs))
    original = Recording(signal, fs, "case-000000", "upload")
    back = read_recording(exported(original, tmp_path, kind))
    assert back.fs == pytest.approx(fs, abs=1e-6)
    assert np.abs(back.signal - original.signal).max() <= STEP_MV


@pytest.mark.parametrize("kind", ["WFDB", "CSV", "DICOM"])
def test_gaps_survive_an_export(tmp_path, ecg, kind):
    ecg[2, 50:60] = np.nan
    back = read_recording(exported(Recording(ecg, 500), tmp_path, kind))
    np.testing.assert_array_equal(np.isnan(back.signal), np.isnan(ecg))


@pytest.mark.parametrize("kind", ["WFDB", "CSV", "DICOM"])
def test_amplitudes_beyond_16_bits_of_a_microvolt_are_kept(tmp_path, ecg, kind):
    ecg[7, 1000:1010] = 150.0  # mV: an electrode that comes off
    original = Recording(ecg, 500)
    back = read_recording(exported(original, tmp_path, kind))
    assert np.abs(back.signal - original.signal).max() <= 8 * STEP_MV


def test_long_recordings_become_a_general_ecg_object(tmp_path, make):
    original = Recording(make.synthetic_ecg(500, 60), 500)
    path = write_dicom(original, tmp_path / "ecg.dcm")
    assert pydicom.dcmread(path).SOPClassUID.name == "General ECG Waveform Storage"
    assert read_recording(path).n_samples == 30_000


def test_the_dicom_object_is_a_12_lead_ecg_without_a_patient(tmp_path, ecg):
    original = Recording(ecg, 500, "case-000000", "upload", 56, "female")
    dataset = pydicom.dcmread(write_dicom(original, tmp_path / "ecg.dcm"))
    assert dataset.SOPClassUID.name == "12-lead ECG Waveform Storage"
    assert str(dataset.PatientName) == dataset.PatientID == dataset.PatientSex == ""
    assert "PatientAge" not in dataset
    assert dataset.PatientIdentityRemoved == "YES"
    assert dataset.AcquisitionDateTime.startswith("1900")
    array = dataset.waveform_array(0)  # microvolts, by pydicom's own arithmetic
    np.testing.assert_allclose(array.T / 1000, ecg, atol=STEP_MV)


def test_age_and_sex_go_along_only_when_asked_for(tmp_path, ecg):
    original = Recording(ecg, 500, "case-000000", "upload", 97, "female")
    back = read_recording(write_dicom(original, tmp_path / "ecg.dcm", with_age_and_sex=True))
    assert (back.age, back.sex) == (90, "female")


def test_exports_carry_the_intended_use_and_no_source_text(tmp_path, make, ecg):
    files = {name: data for name, data in make.wfdb_files(ecg, name="DOE_1950", comments=("Name: Doe",)).items()}
    recording = read_upload(files)
    header = write_wfdb(recording, tmp_path).read_text()
    table = write_csv(recording, tmp_path / "ecg.csv").read_text()
    dicom = write_dicom(recording, tmp_path / "ecg.dcm").read_bytes()
    for text in (header, table):
        assert INTENDED_USE in text
        assert recording.digest in text
    assert b"not for patient care" in dicom
    assert not any("doe" in text.lower() for text in (header, table, dicom.decode("latin-1")))


@pytest.mark.parametrize("kind", SAMPLE_KINDS)
def test_the_bytes_of_an_export_read_back_as_an_upload_and_leave_nothing_on_disk(tmp_path, ecg, monkeypatch, kind):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    original = Recording(ecg, 500, "case-000000", "upload", 56, "female")
    data = samples_bytes(kind, original)
    assert not list(tmp_path.iterdir())
    back = read_files({"anything": data})
    assert np.abs(back.signal - original.signal).max() <= STEP_MV
    assert (back.age, back.sex) == (None, None)


def test_equal_recordings_give_equal_archives(ecg):
    assert samples_bytes("wfdb", Recording(ecg, 500)) == samples_bytes("wfdb", Recording(ecg, 500))


def test_file_names_are_plain(ecg):
    assert file_stem(Recording(ecg, 500, "PTB-XL 123 (100 Hz)")) == "PTB-XL-123-100-Hz"
    assert file_stem(Recording(ecg, 500, "../../etc/passwd")) == "etc-passwd"
    assert file_stem(Recording(ecg, 500, "///")) == "case"
