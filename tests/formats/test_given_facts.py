"""What the reader says about a file is used in every format, or refused by name: never dropped without a word."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from ecgimn.errors import RecordingFormatError, SignalError
from ecgimn.formats import MissingFactsError, ReadingHints, UnusedFactError
from ecgimn.formats.read import read_files
from ecgimn.leads import STANDARD_LEADS

FORMATS = ("WFDB", "EDF", "ISHNE", "SCP-ECG", "MUSE", "Philips", "aECG", "CSV", "NPZ", "MAT", "ZIP")
N_SIGNALS = {"SCP-ECG": 8, "MUSE": 8, "CSV": 13}


@pytest.fixture(scope="module")
def files(make):
    return make.every_format(500, 10)


@pytest.mark.parametrize("name", FORMATS)
def test_a_rate_that_is_given_outranks_the_files_own(files, name):
    recording = read_files(files[name], ReadingHints(fs=400))
    assert recording.fs == 400
    assert any("Given by the reader" in note and "fs" in note for note in recording.notes)


@pytest.mark.parametrize("name", FORMATS)
def test_a_unit_that_is_given_outranks_the_files_own(files, name):
    own, refused, scales = read_files(files[name]).signal, [], []
    large = np.abs(own) > 0.1
    for unit in ("mV", "uV", "0.5 uV"):
        try:
            given = read_files(files[name], ReadingHints(unit=unit))
        except SignalError as exc:
            refused.append(str(exc))
            continue
        assert any("unit" in note for note in given.notes)
        scales.append(float(np.median(given.signal[large] / own[large])))
    assert all("peak to peak" in text for text in refused)
    assert scales == sorted(scales, reverse=True)
    assert len(refused) + len(set(scales)) == 3


@pytest.mark.parametrize("name", FORMATS)
def test_leads_that_are_given_outrank_the_files_own(files, name):
    n_signals = N_SIGNALS.get(name, 12)
    swapped = ("II", "I", *STANDARD_LEADS[2:])
    leads = {8: ("II", "I", *STANDARD_LEADS[6:]), 12: swapped, 13: ("", *swapped)}[n_signals]
    own, given = read_files(files[name]), read_files(files[name], ReadingHints(leads=leads))
    np.testing.assert_allclose(given.signal[0], own.signal[1], atol=1e-6)
    assert any("leads" in note for note in given.notes)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("NPZ", "MAT")])
def test_an_array_is_refused_by_name_where_there_is_none_to_choose(files, name):
    with pytest.raises(UnusedFactError, match="array"):
        read_files(files[name], ReadingHints(variable="1"))


@pytest.mark.parametrize("name", ["WFDB", "EDF", "ISHNE", "SCP-ECG", "MUSE", "Philips", "aECG"])
def test_an_orientation_is_refused_by_name_where_the_file_has_one(files, name):
    with pytest.raises(UnusedFactError, match="orientation"):
        read_files(files[name], ReadingHints(orientation="leads in rows"))


@pytest.mark.parametrize("fs", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_an_impossible_rate_is_refused_before_any_file(fs):
    with pytest.raises(SignalError, match="sampling frequency"):
        ReadingHints(fs=fs)


@pytest.mark.parametrize("unit", ["", "furlong", "mmHg", "1e-4", "-1 mV", "0 mV", "1e999 V", "mV/mm"])
def test_an_impossible_unit_is_refused_before_any_file(unit):
    with pytest.raises(SignalError, match="unit"):
        ReadingHints(unit=unit)


@pytest.mark.parametrize(
    ("unit", "factor"), [("1e-4V", 0.1), ("4.88 uV", 0.00488), ("0.5*mV", 0.5), ("\u00b5V", 0.001)]
)
def test_a_unit_may_be_a_multiple(make, ecg, unit, factor):
    data = make.npy_file(ecg / factor)
    recording = read_files({"a": data}, ReadingHints(fs=500, unit=unit, leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-5)


def test_one_of_several_arrays_is_chosen_by_name_or_number(make, ecg):
    given = {"fs": 500.0, "unit": "mV", "leads": STANDARD_LEADS}
    for data in (make.npz_file(raw=ecg, filtered=ecg * 2), make.mat_file(raw=ecg, filtered=ecg * 2)):
        for variable, factor in (("raw", 1), ("filtered", 2), ("1", 1), ("2", 2)):
            recording = read_files({"a": data}, ReadingHints(**given, variable=variable))
            np.testing.assert_allclose(recording.signal, factor * ecg, atol=1e-6)
        for variable in ("0", "3", "x", "999999", "\u0663"):
            with pytest.raises(RecordingFormatError, match="no array"):
                read_files({"a": data}, ReadingHints(**given, variable=variable))
        with pytest.raises(MissingFactsError) as caught:
            read_files({"a": data})
        assert not any(name in str(caught.value) for name in ("raw", "filtered"))


def test_an_orientation_that_is_given_decides(make):
    square = make.synthetic_ecg(50, 2)[:, :100]
    for array, orientation in ((square, "leads in rows"), (square.T, "leads in columns")):
        hints = ReadingHints(fs=50, unit="mV", leads=STANDARD_LEADS, orientation=orientation)
        np.testing.assert_allclose(read_files({"a": make.npy_file(array)}, hints).signal, square, atol=1e-6)


def test_vectors_per_lead_and_structures_are_read(make, ecg):
    vectors = {f"lead_{lead}": row for lead, row in zip(STANDARD_LEADS, ecg, strict=True)}
    hints = ReadingHints(fs=500, unit="mV")
    np.testing.assert_allclose(read_files({"a": make.mat_file(**vectors)}, hints).signal, ecg, atol=1e-6)
    np.testing.assert_allclose(read_files({"a": make.npz_file(**vectors)}, hints).signal, ecg, atol=1e-6)
    data = make.mat_file(ECG={"sex": "Female", "age": 54.0, "data": ecg})
    recording = read_files({"a": data}, ReadingHints(fs=500, unit="mV", leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert (recording.age, recording.sex) == (54, "female")


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_packed_with_gzip_is_the_same_file(files, name):
    packed = {file: gzip.compress(data) if not file.endswith(".dat") else data for file, data in files[name].items()}
    np.testing.assert_array_equal(read_files(packed).signal, read_files(files[name]).signal)


@pytest.mark.parametrize(
    "data",
    [b"\x1f\x8b", b"\x1f\x8b" + b"\x00" * 50, gzip.compress(b"1,2\n" * 9)[:-6], gzip.compress(b"")],
    ids=["two bytes", "zeros", "cut off", "empty"],
)
def test_a_damaged_gzip_file_is_refused(data):
    with pytest.raises(RecordingFormatError, match="gzip"):
        read_files({"a.gz": data})


def test_a_gzip_file_that_unpacks_without_end_is_refused():
    with pytest.raises(RecordingFormatError, match="unpacked"):
        read_files({"a.gz": gzip.compress(b"0" * 30_000_000)})
