"""DICOM: only ECG waveform objects in plain encodings, scaled by what each channel states."""

from __future__ import annotations

import copy
import io
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from ecgimn.errors import LeadError, RecordingFormatError, SignalError
from ecgimn.formats.export import write_dicom
from ecgimn.formats.read import read_files
from ecgimn.recording import Recording


@pytest.fixture
def dataset(tmp_path, ecg):
    """An ECG object in memory, to be changed by a test."""
    original = Recording(ecg, 500, age=56, sex="female")
    return pydicom.dcmread(write_dicom(original, tmp_path / "ecg.dcm", with_age_and_sex=True))


def read(dataset) -> Recording:
    """Write the object and read it as an upload would be."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(buffer)
    return read_files({"ecg.dcm": buffer.getvalue()})


def test_a_12_lead_object_is_read(dataset, ecg):
    recording = read(dataset)
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert (recording.age, recording.sex) == (56, "female")


def test_patient_and_institution_are_counted_and_left_behind(dataset):
    dataset.PatientName, dataset.PatientID, dataset.InstitutionName = "Doe^Jane", "4711", "Clinic Doe"
    recording = read(dataset)
    assert "4 identifying fields hidden." in recording.notes  # two names, number and clinic; the date is a stand-in
    assert "Doe" not in repr(recording)


def test_an_object_that_is_no_ecg_is_named(dataset):
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    with pytest.raises(RecordingFormatError, match="not an image or a report"):
        read(dataset)


def test_a_deflated_object_is_not_unpacked(dataset):
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(RecordingFormatError, match="transfer syntax"):
        read(dataset)


def test_implicit_encoding_is_read(dataset, ecg):
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    np.testing.assert_allclose(read(dataset).signal, ecg, atol=1e-6)


def test_sensitivity_correction_baseline_and_unit_are_applied(dataset, ecg):
    for channel in dataset.WaveformSequence[0].ChannelDefinitionSequence:
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = "0.0005", "2"
        channel.ChannelBaseline = "0.25"
        unit = channel.ChannelSensitivityUnitsSequence[0]
        unit.CodeValue, unit.CodeMeaning = "mV", "millivolt"
    np.testing.assert_allclose(read(dataset).signal, ecg + 0.25, atol=1e-6)


def test_leads_are_taken_by_code_and_not_by_position(dataset, ecg):
    channels = dataset.WaveformSequence[0].ChannelDefinitionSequence
    first, second = channels[0].ChannelSourceSequence, channels[1].ChannelSourceSequence
    channels[0].ChannelSourceSequence, channels[1].ChannelSourceSequence = second, first
    recording = read(dataset)
    np.testing.assert_allclose(recording.lead("I"), ecg[1], atol=1e-6)
    np.testing.assert_allclose(recording.lead("II"), ecg[0], atol=1e-6)


@pytest.mark.parametrize("unit", ["mmHg", "", "1"])
def test_a_channel_without_a_voltage_unit_is_refused(dataset, unit):
    item = dataset.WaveformSequence[0].ChannelDefinitionSequence[3].ChannelSensitivityUnitsSequence[0]
    item.CodeValue = item.CodeMeaning = unit
    with pytest.raises(SignalError, match="no scale in volts"):
        read(dataset)


@pytest.mark.parametrize("sensitivity", ["0", "-1"])
def test_a_scale_of_zero_or_less_is_refused(dataset, sensitivity):
    dataset.WaveformSequence[0].ChannelDefinitionSequence[3].ChannelSensitivity = sensitivity
    with pytest.raises(SignalError, match="positive number"):
        read(dataset)


def test_a_lead_that_is_there_twice_is_refused(dataset):
    channels = dataset.WaveformSequence[0].ChannelDefinitionSequence
    channels[7].ChannelSourceSequence, channels[7].ChannelLabel = channels[6].ChannelSourceSequence, "Lead V1"
    with pytest.raises(LeadError, match="V1 is there twice"):
        read(dataset)


def test_fewer_samples_than_announced_are_refused(dataset):
    dataset.WaveformSequence[0].NumberOfWaveformSamples = 6000
    with pytest.raises(RecordingFormatError, match="decoded"):
        read(dataset)


def test_an_object_without_waveforms_is_refused(dataset):
    del dataset.WaveformSequence
    with pytest.raises(RecordingFormatError, match="decoded"):
        read(dataset)


def test_a_rate_that_is_no_whole_number_is_kept(dataset):
    dataset.WaveformSequence[0].SamplingFrequency = "498.5"
    assert read(dataset).fs == 498.5


@pytest.mark.parametrize("beat_first", [True, False])
@pytest.mark.parametrize("label", [None, "RHYTHM", "MEDIAN BEAT"])
def test_the_original_rhythm_is_read_wherever_the_median_beat_lies(dataset, ecg, beat_first, label):
    rhythm, beat = dataset.WaveformSequence[0], copy.deepcopy(dataset.WaveformSequence[0])
    beat.WaveformOriginality = "DERIVED"
    beat.NumberOfWaveformSamples = 600
    beat.WaveformData = beat.WaveformData[: 600 * 12 * 2]
    if label == "MEDIAN BEAT":
        beat.MultiplexGroupLabel = label
    elif label:
        rhythm.MultiplexGroupLabel = label
    dataset.WaveformSequence = [beat, rhythm] if beat_first else [rhythm, beat]
    recording = read(dataset)
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    place = 2 if beat_first else 1
    assert any(f"Waveform {place} of 2" in note and "original" in note for note in recording.notes)


def test_the_longest_of_several_originals_is_read(dataset, ecg):
    short = copy.deepcopy(dataset.WaveformSequence[0])
    short.NumberOfWaveformSamples = 1500
    short.WaveformData = short.WaveformData[: 1500 * 12 * 2]
    dataset.WaveformSequence = [short, dataset.WaveformSequence[0]]
    assert read(dataset).n_samples == ecg.shape[1]


def test_groups_of_three_leads_one_after_the_other_are_refused_for_what_they_are(dataset):
    groups = []
    for turn in range(4):
        group = copy.deepcopy(dataset.WaveformSequence[0])
        leads, times = slice(3 * turn, 3 * turn + 3), slice(1250 * turn, 1250 * (turn + 1))
        steps = np.frombuffer(group.WaveformData, "<i2").reshape(-1, 12)[times, leads]
        group.ChannelDefinitionSequence = list(group.ChannelDefinitionSequence)[leads]
        group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 3, 1250
        group.WaveformData = steps.tobytes()
        groups.append(group)
    dataset.WaveformSequence = groups
    with pytest.raises(RecordingFormatError, match=r"2\.5 s .* one after the other"):
        read(dataset)


def test_a_second_waveform_group_is_left_out_and_noted(dataset):
    dataset.WaveformSequence.append(dataset.WaveformSequence[0])
    assert "Further waveforms in the file left out." in read(dataset).notes
