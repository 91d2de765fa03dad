"""WFDB records: what is read, and what is refused with one plain sentence (the table of hostile records)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgimn.errors import LeadError, RecordingError, RecordingFormatError, SignalError
from ecgimn.formats import read_wfdb
from ecgimn.formats.limits import MAX_HEADER_BYTES
from ecgimn.formats.wfdb_header import parse_header
from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS


def written(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files and return the header's path."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return next(folder / name for name in files if name.endswith(".hea"))


def edited(files: dict[str, bytes], old: str, new: str, count: int = -1) -> dict[str, bytes]:
    """Return the record with text replaced in its header."""
    header = files["case.hea"].decode()
    assert old in header
    return {**files, "case.hea": header.replace(old, new, count).encode()}


def assert_one_plain_sentence(error: BaseException) -> None:
    """Found, needed, do: short, no traceback words, no path."""
    text = str(error)
    assert 30 < len(text) < 400
    assert text.endswith(".")
    assert not any(word in text for word in ("Traceback", "Error", "/tmp", "/home", "None", "\n"))


def test_samples_come_back_in_millivolts_and_in_standard_order(tmp_path, ecg, make_wfdb):
    shuffled = tuple(reversed(STANDARD_LEADS))
    path = written(tmp_path, make_wfdb(ecg[::-1], leads=tuple(name.upper() for name in shuffled)))
    recording = read_wfdb(path)
    assert recording.fs == 500
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize("fs", [100, 250, 257, 360, 500, 800, 1000])
def test_rates_from_100_to_1000_hz_are_read_as_written(tmp_path, make_ecg, make_wfdb, fs):
    recording = read_wfdb(written(tmp_path, make_wfdb(make_ecg(fs), fs=fs)))
    assert (recording.fs, recording.n_samples) == (fs, 10 * fs)


@pytest.mark.parametrize("duration_s", [8, 60, 120])
def test_long_and_short_recordings_are_read_whole(tmp_path, make_ecg, make_wfdb, duration_s):
    recording = read_wfdb(written(tmp_path, make_wfdb(make_ecg(250, duration_s), fs=250)))
    assert recording.duration_s == duration_s


@pytest.mark.parametrize(("unit", "gain"), [("/uV", 1), ("/mV", 1000), ("/V", 1_000_000), ("/µV", 1), ("", 1000)])
def test_microvolt_millivolt_and_volt_files_agree(tmp_path, ecg, make_wfdb, unit, gain):
    files = make_wfdb(ecg, unit="/mV")
    files = edited(files, "1000(0)/mV", f"{gain}(0){unit}")
    np.testing.assert_allclose(read_wfdb(written(tmp_path, files)).signal, ecg, atol=1e-6)


def test_a_baseline_is_subtracted(tmp_path, ecg, make_wfdb):
    recording = read_wfdb(written(tmp_path, make_wfdb(ecg, baseline=-512)))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_eight_leads_give_twelve_and_name_the_derived_ones(tmp_path, ecg, make_wfdb):
    rows = [STANDARD_LEADS.index(lead) for lead in INDEPENDENT_LEADS]
    recording = read_wfdb(written(tmp_path, make_wfdb(ecg[rows], leads=INDEPENDENT_LEADS)))
    assert recording.derived_leads == ("III", "aVR", "aVL", "aVF")
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_frank_leads_are_left_out_and_counted(tmp_path, ecg, make_wfdb):
    files = make_wfdb(np.vstack([ecg, ecg[:3]]), leads=(*STANDARD_LEADS, "vx", "vy", "vz"))
    recording = read_wfdb(written(tmp_path, files))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert "3 extra signals left out." in recording.notes


def test_extra_leads_in_a_second_file_are_not_opened(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    header = files["case.hea"].decode().replace("case 12 ", "case 13 ") + "case.xyz 16 2000 16 0 1 1 0 vx\n"
    recording = read_wfdb(written(tmp_path, {**files, "case.hea": header.encode()}))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_gaps_become_nan(tmp_path, ecg, make_wfdb):
    ecg[4, 100:130] = np.nan
    recording = read_wfdb(written(tmp_path, make_wfdb(ecg)))
    assert np.isnan(recording.signal).sum() == 30
    assert np.isnan(recording.lead("aVL")[100:130]).all()


def test_a_flat_lead_is_read_for_the_quality_check_to_name(tmp_path, ecg, make_wfdb):
    ecg[7] = 0
    assert not read_wfdb(written(tmp_path, make_wfdb(ecg))).signal[7].any()


def test_comments_and_dates_are_hidden_and_counted(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg, comments=("Name: Jane Doe", "Age: 51"))
    files = edited(files, "case 12 500 5000", "case 12 500 5000 23:59:61 32/13/1990")
    recording = read_wfdb(written(tmp_path, files))
    assert recording.age == 51
    assert "1 header comment hidden." in recording.notes
    assert "Date and time hidden." in recording.notes
    assert "Doe" not in repr(recording)


def test_a_file_name_never_becomes_the_record_name(tmp_path, ecg, make_wfdb):
    recording = read_wfdb(written(tmp_path, make_wfdb(ecg, name="DOE_JANE_1950")))
    assert recording.record_name == f"case-{recording.digest[:6]}"


def test_a_differing_record_name_is_noted(tmp_path, ecg, make_wfdb):
    path = written(tmp_path, edited(make_wfdb(ecg), "case 12", "other 12"))
    assert any("differs" in note for note in read_wfdb(path).notes)


def test_a_header_without_checksums_is_noted(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    lines = files["case.hea"].decode().splitlines()
    lines[1:] = [" ".join([*line.split()[:5], "0 0 0", line.split()[-1]]) for line in lines[1:]]
    recording = read_wfdb(written(tmp_path, {**files, "case.hea": "\n".join(lines).encode()}))
    assert any("no checksums" in note for note in recording.notes)


HEADER_EDITS = [
    # (what is replaced, by what, error, word that must be in the sentence)
    ("case 12 500 5000", "case/2 12 500 5000", RecordingFormatError, "segments"),
    ("case 12 500 5000", "s3://bucket/x 12 500 5000", RecordingFormatError, "record name"),
    ("case 12 500 5000", "gs://bucket/x 12 500 5000", RecordingFormatError, "record name"),
    ("case 12 500 5000", "az://bucket/x 12 500 5000", RecordingFormatError, "record name"),
    ("case 12 500 5000", "azureml://bucket/x 12 500 5000", RecordingFormatError, "record name"),
    ("case 12 500 5000", "../case 12 500 5000", RecordingFormatError, "record name"),
    ("case 12 500 5000", "case 5000000 500 5000", RecordingFormatError, "5,000,000 signals"),
    ("case 12 500 5000", "case 0 500 5000", RecordingFormatError, "0 signals"),
    ("case 12 500 5000", "case twelve 500 5000", RecordingFormatError, "number of signals"),
    ("case 12 500 5000", "case 13 500 5000", RecordingFormatError, "describes 12"),
    ("case 12 500 5000", "case 12 0 5000", SignalError, "0 Hz"),
    ("case 12 500 5000", "case 12 -500 5000", RecordingFormatError, "sampling frequency"),
    ("case 12 500 5000", "case 12", RecordingFormatError, "sampling frequency"),
    ("case 12 500 5000", "case 12 nan 5000", RecordingFormatError, "sampling frequency"),
    ("case 12 500 5000", "case 12 1e400 5000", RecordingFormatError, "sampling frequency"),
    ("case 12 500 5000", "case 12 500", RecordingFormatError, "number of samples"),
    ("case 12 500 5000", "case 12 500 2000000000", RecordingFormatError, "4,000,000 s"),
    ("case 12 500 5000", "case 12 500 10", SignalError, "0.0 s"),
    ("case 12 500 5000", "case 12 500 5001", RecordingFormatError, "bytes"),
    ("case.dat 16", "../case.dat 16", RecordingFormatError, "plain file name"),
    ("case.dat 16", "/etc/passwd 16", RecordingFormatError, "plain file name"),
    ("case.dat 16", "http://example.org/case.dat 16", RecordingFormatError, "plain file name"),
    ("case.dat 16", "case.hea 16", RecordingFormatError, ".dat file"),
    ("case.dat 16", "case.dat 16+1000000000000", RecordingFormatError, "storage format"),
    ("case.dat 16", "case.dat 16x200000", RecordingFormatError, "storage format"),
    ("case.dat 16", "case.dat 16:3", RecordingFormatError, "storage format"),
    ("case.dat 16", "case.dat 212", RecordingFormatError, "bytes"),
    ("case.dat 16", "case.dat 61", RecordingFormatError, "checksum"),
    ("case.dat 16", "case.dat 999", RecordingFormatError, "storage format"),
    ("1000(0)/mV", "0(0)/mV", RecordingFormatError, "gain"),
    ("1000(0)/mV", "-1000(0)/mV", RecordingFormatError, "gain"),
    ("1000(0)/mV", "1e400(0)/mV", RecordingFormatError, "gain"),
    ("1000(0)/mV", "nan(0)/mV", RecordingFormatError, "gain"),
    ("1000(0)/mV ", "", RecordingFormatError, "name"),
    ("1000(0)/mV", "1000(0)/mmHg", SignalError, "unit"),
    ("1000(0)/mV", "1000(0)/mV/mm", SignalError, "unit"),
    ("1000(0)/mV", "1000(0)/V", SignalError, "peak"),
    ("1000(0)/mV", "1000(0)/uV", SignalError, "peak"),
    (" 0 V3", " 0", LeadError, "lead name"),
    (" V3", " V2", LeadError, "twice"),
    (" V3", " Vx", LeadError, "V3"),
    (" V3", " \x07V3", RecordingFormatError, "control"),
    (" 16 0 ", " x 0 ", RecordingFormatError, "whole number"),
]


@pytest.mark.parametrize(("old", "new", "error", "word"), HEADER_EDITS)
def test_a_hostile_header_is_refused_in_one_sentence(tmp_path, ecg, make_wfdb, old, new, error, word):
    path = written(tmp_path, edited(make_wfdb(ecg), old, new))
    with pytest.raises(error) as caught:
        read_wfdb(path)
    assert_one_plain_sentence(caught.value)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 300, b"\xff\xfe\xfd", b"# only a comment\n", b"\x89PNG\r\n\x1a\n" * 20, b"case\n", b"a 1\n" * 5000],
)
def test_bytes_that_are_no_header_are_refused_in_one_sentence(tmp_path, data):
    (tmp_path / "case.hea").write_bytes(data)
    with pytest.raises(RecordingError) as caught:
        read_wfdb(tmp_path / "case.hea")
    assert_one_plain_sentence(caught.value)


def test_non_utf8_bytes_are_refused(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    path = written(tmp_path, {**files, "case.hea": files["case.hea"].replace(b" V6", b" V6\xe9")})
    with pytest.raises(RecordingFormatError, match="UTF-8"):
        read_wfdb(path)


def test_a_header_of_thirty_megabytes_is_refused_before_it_is_read(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    path = written(tmp_path, {**files, "case.hea": files["case.hea"] + b"# comment\n" * 3_000_000})
    with pytest.raises(RecordingFormatError, match=f"{MAX_HEADER_BYTES:,}"):
        read_wfdb(path)


def test_a_missing_dat_file_is_named(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    (tmp_path / "case.hea").write_bytes(files["case.hea"])
    with pytest.raises(RecordingFormatError, match=r"\.dat file .* not there") as caught:
        read_wfdb(tmp_path / "case.hea")
    assert_one_plain_sentence(caught.value)


def test_a_truncated_dat_file_gives_found_and_expected_bytes(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    path = written(tmp_path, {**files, "case.dat": files["case.dat"][:77_777]})
    with pytest.raises(RecordingFormatError, match=r"77,777 bytes.*120,000"):
        read_wfdb(path)


def test_altered_samples_do_not_pass_the_checksum(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    data = bytearray(files["case.dat"])
    data[60_000] ^= 1
    with pytest.raises(RecordingFormatError, match="checksum"):
        read_wfdb(written(tmp_path, {**files, "case.dat": bytes(data)}))


def test_a_wrong_first_value_is_refused(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    lines = files["case.hea"].decode().splitlines()
    fields = lines[1].split()
    fields[5] = str(int(fields[5]) + 1)
    lines[1] = " ".join(fields)
    with pytest.raises(RecordingFormatError, match="begins with"):
        read_wfdb(written(tmp_path, {**files, "case.hea": "\n".join(lines).encode()}))


def test_three_leads_are_refused(tmp_path, ecg, make_wfdb):
    with pytest.raises(LeadError, match="found 3 of 12"):
        read_wfdb(written(tmp_path, make_wfdb(ecg[:3], leads=STANDARD_LEADS[:3])))


def test_a_lead_that_is_one_long_gap_is_refused(tmp_path, ecg, make_wfdb):
    ecg[3] = np.nan
    with pytest.raises(SignalError, match="aVR"):
        read_wfdb(written(tmp_path, make_wfdb(ecg)))


def test_a_link_is_not_followed(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    (tmp_path / "elsewhere").write_bytes(files["case.dat"])
    (tmp_path / "case.hea").write_bytes(files["case.hea"])
    os.symlink(tmp_path / "elsewhere", tmp_path / "case.dat")
    with pytest.raises(RecordingFormatError, match="link"):
        read_wfdb(tmp_path / "case.hea")


def test_a_device_or_folder_in_place_of_a_file_is_refused(tmp_path, ecg, make_wfdb):
    (tmp_path / "case.hea").write_bytes(make_wfdb(ecg)["case.hea"])
    os.mkfifo(tmp_path / "case.dat")
    with pytest.raises(RecordingFormatError, match="folder or a device"):
        read_wfdb(tmp_path / "case.hea")


@pytest.mark.parametrize("storage", ["16", "61", "160", "212", "80", "24", "32"])
def test_the_size_of_each_storage_format_is_known(ecg, make_wfdb, storage):
    header = parse_header(edited(make_wfdb(ecg), "case.dat 16", f"case.dat {storage}")["case.hea"])
    bits = {"16": 16, "61": 16, "160": 16, "212": 12, "80": 8, "24": 24, "32": 32}[storage]
    assert header.n_data_bytes == 12 * 5000 * bits // 8


@pytest.mark.parametrize(
    ("storage", "steps_per_mv"), [("16", 1000), ("212", 200), ("80", 30), ("24", 9000), ("32", 9000)]
)
def test_each_storage_format_reads_what_wfdb_wrote(tmp_path, ecg, storage, steps_per_mv):
    steps = np.round(ecg * steps_per_mv).astype(np.int64)
    wfdb.wrsamp(
        "case", fs=500, units=["mV"] * 12, sig_name=list(STANDARD_LEADS), d_signal=steps.T, fmt=[storage] * 12,
        adc_gain=[float(steps_per_mv)] * 12, baseline=[0] * 12, write_dir=str(tmp_path),
    )  # fmt: skip
    recording = read_wfdb(tmp_path / "case.hea")
    np.testing.assert_allclose(recording.signal, steps / steps_per_mv, atol=1e-6)


@pytest.mark.parametrize("error", [OSError, ValueError, IndexError, TypeError, KeyError, RecursionError, MemoryError])
def test_every_error_of_wfdb_becomes_one_of_ours(tmp_path, ecg, make_wfdb, monkeypatch, error):
    def fail(*arguments: object, **options: object) -> None:
        raise error("internals of the library")

    path = written(tmp_path, edited(make_wfdb(ecg), "case.dat 16", "case.dat 61"))  # 16 is read without wfdb
    monkeypatch.setattr(wfdb, "rdrecord", fail)
    with pytest.raises(RecordingFormatError, match="cannot be decoded") as caught:
        read_wfdb(path)
    assert_one_plain_sentence(caught.value)
    assert isinstance(caught.value.__cause__, error)


def test_comments_in_another_encoding_do_not_matter(tmp_path, ecg, make_wfdb):
    files = make_wfdb(ecg)
    path = written(tmp_path, {**files, "case.hea": files["case.hea"] + b"# Gr\xfc\xdfe\n"})
    assert "1 header comment hidden." in read_wfdb(path).notes


def test_wfdb_never_sees_the_name_or_text_of_a_file(tmp_path, ecg, make_wfdb, monkeypatch):
    seen = []
    read = wfdb.rdrecord

    def watch(name: str, **options: object) -> object:
        seen.append((name, Path(f"{name}.hea").read_text()))
        return read(name, **options)

    monkeypatch.setattr(wfdb, "rdrecord", watch)
    files = make_wfdb(ecg, name="DOE_1950", comments=("Name: Doe",))
    files["DOE_1950.hea"] = files["DOE_1950.hea"].replace(b".dat 16 ", b".dat 160 ")  # 16 is read without wfdb
    with pytest.raises(RecordingFormatError, match=r"checksum|begins|amplitude"):  # the samples are not offset binary
        read_wfdb(written(tmp_path, files))
    assert len(seen) == 1
    assert not any("doe" in text.lower() for text in seen[0])
    assert not Path(seen[0][0]).parent.exists()


def test_every_real_wfdb_record_reads(real_files):
    headers = sorted((real_files / "wfdb").glob("*.hea"))
    assert headers
    for path in headers:
        assert read_wfdb(path).signal.shape[0] == 12
