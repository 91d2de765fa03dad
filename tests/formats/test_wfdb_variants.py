"""WFDB records as data sets have them: folders and blanks in names, several files, segments, many signals."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.errors import LeadError, RecordingFormatError
from ecgimn.formats import ReadingHints, UnusedFactError, read_recording
from ecgimn.formats.read import read_files
from ecgimn.formats.wfdb_record import read_wfdb
from ecgimn.leads import STANDARD_LEADS


def renamed(files: dict[str, bytes], old: str, new: str) -> dict[str, bytes]:
    return {
        name: data.replace(old.encode(), new.encode()) if name.endswith(".hea") else data
        for name, data in files.items()
    }


@pytest.mark.parametrize("record", ["folder/case", "a/b/case", "my own case", "case 2"])
@pytest.mark.parametrize("file", ["folder/case.dat", "case.dat", "../case.dat"])
def test_folders_and_blanks_in_names_are_understood_and_never_followed(make, ecg, record, file):
    files = make.wfdb_files(ecg)
    header = files["case.hea"].decode().replace("case.dat", file).replace("case 12 ", f"{record} 12 ", 1)
    given = {**files, "case.hea": header.encode()}
    if file.startswith(".."):
        with pytest.raises(RecordingFormatError, match="plain file name"):
            read_files(given)
        return
    np.testing.assert_allclose(read_files(given).signal, ecg, atol=1e-6)


def test_a_file_name_with_blanks_is_found(make, ecg):
    files = make.wfdb_files(ecg)
    header = files["case.hea"].replace(b"case.dat", b"my case.dat")
    np.testing.assert_allclose(
        read_files({"case.hea": header, "my case.dat": files["case.dat"]}).signal, ecg, atol=1e-6
    )


def test_a_folder_of_digits_is_not_mistaken_without_a_word(make, ecg):
    files = renamed(make.wfdb_files(ecg), "case 12 ", "records/100 12 ")
    with pytest.raises(RecordingFormatError, match="segments, or a folder of digits"):
        read_files(files)


def test_leads_in_two_files_are_read_together(make, ecg):
    limb = make.wfdb_files(ecg[:6], name="limb", leads=STANDARD_LEADS[:6])
    chest = make.wfdb_files(ecg[6:], name="chest", leads=STANDARD_LEADS[6:])
    lines = limb["limb.hea"].decode().splitlines()[1:] + chest["chest.hea"].decode().splitlines()[1:]
    header = "\n".join(["case 12 500 5000", *lines]).encode()
    files = {"case.hea": header, "limb.dat": limb["limb.dat"], "chest.dat": chest["chest.dat"]}
    np.testing.assert_allclose(read_files(files).signal, ecg, atol=1e-6)
    with pytest.raises(RecordingFormatError, match="not among the files"):
        read_files({name: data for name, data in files.items() if name != "chest.dat"})


@pytest.mark.parametrize("n_extra", [4, 7, 52])
def test_signals_of_a_laboratory_are_left_out_and_counted(make, ecg, n_extra):
    rows = np.vstack([ecg[:1].repeat(n_extra, axis=0), ecg])
    names = (*(f"CS{k}" for k in range(n_extra)), *STANDARD_LEADS)
    recording = read_files(make.wfdb_files(rows, leads=names, fs=500))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert f"{n_extra} extra signals left out." in recording.notes


def segments(make, ecg) -> dict[str, bytes]:
    """A record of two segments with a gap of a second between them; the second lacks the derived limb leads."""
    first = make.wfdb_files(ecg[:, :2000], name="case_1")
    rows = [0, 1, 6, 7, 8, 9, 10, 11]
    leads = tuple(STANDARD_LEADS[k] for k in rows)
    second = make.wfdb_files(ecg[rows, 2500:], name="case_2", leads=leads)
    master = b"case/4 12 500 5000\ncase_layout 0\ncase_1 2000\n~ 500\ncase_2 2500\n# Age: 40\n"
    layout = b"case_layout 12 500 0\n"
    return {**first, **second, "case.hea": master, "case_layout.hea": layout}


def test_segments_are_joined_with_gaps_where_they_lack_a_lead(tmp_path, make, ecg):
    for name, data in segments(make, ecg).items():
        (tmp_path / name).write_bytes(data)
    for recording in (read_files(segments(make, ecg)), read_recording(tmp_path / "case.hea")):
        np.testing.assert_allclose(recording.signal[:, :2000], ecg[:, :2000], atol=1e-6)
        assert np.isnan(recording.signal[:, 2000:2500]).all()
        np.testing.assert_allclose(recording.signal[[0, 1, 6, 11], 2500:], ecg[[0, 1, 6, 11], 2500:], atol=1e-6)
        assert np.isnan(recording.signal[2, 2500:]).all()
        assert recording.age == 40
        assert any("Joined from 3 segments" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("old", "new"),
    [("case_1 2000", "case_1 1999"), ("case/4", "case/5"), ("case_2 2500", "../case_2 2500"),
     ("case_2 2500", "case_2 x"), ("case_1 2000", "case 2000"), ("5000\n", "5001\n"), ("case/4", "case/9999")],
)  # fmt: skip
def test_segments_that_do_not_fit_are_refused(make, ecg, old, new):
    files = segments(make, ecg)
    with pytest.raises(RecordingFormatError):
        read_files({**files, "case.hea": files["case.hea"].replace(old.encode(), new.encode())})


def test_what_the_reader_gives_outranks_the_header(tmp_path, make, ecg):
    files = make.wfdb_files(ecg, fs=250)
    recording = read_files(files, ReadingHints(fs=500))
    assert recording.fs == 500
    assert any("fs" in note and "reader" in note for note in recording.notes)
    swapped = (*STANDARD_LEADS[6:], *STANDARD_LEADS[:6])
    recording = read_files(make.wfdb_files(ecg), ReadingHints(leads=swapped))
    np.testing.assert_allclose(recording.signal[6:], ecg[:6], atol=1e-6)
    unit = make.wfdb_files(ecg, gain=1, unit="/adu", baseline=0)
    steps = make.wfdb_files(ecg * 1000, gain=1, unit="/adu")
    assert unit["case.hea"] != steps["case.hea"]
    np.testing.assert_allclose(read_files(steps, ReadingHints(unit="uV")).signal, ecg, atol=1e-6)
    (tmp_path / "case.hea").write_bytes(files["case.hea"])
    (tmp_path / "case.dat").write_bytes(files["case.dat"])
    assert read_wfdb(tmp_path / "case.hea", hints=ReadingHints(fs=500)).fs == 500


def test_signals_without_names_are_read_with_the_names_the_reader_gives(make, ecg):
    files = make.wfdb_files(ecg)
    lines = files["case.hea"].decode().splitlines()
    bare = "\n".join([lines[0], *(line.rsplit(" ", 1)[0] for line in lines[1:])]).encode()
    with pytest.raises(LeadError, match="lead name"):
        read_files({**files, "case.hea": bare})
    recording = read_files({**files, "case.hea": bare}, ReadingHints(leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_a_fact_without_meaning_for_a_record_is_refused_by_name(make, ecg):
    with pytest.raises(UnusedFactError, match="orientation"):
        read_files(make.wfdb_files(ecg), ReadingHints(orientation="leads in rows"))
    with pytest.raises(UnusedFactError, match="array"):
        read_files(make.wfdb_files(ecg), ReadingHints(variable="val"))
    with pytest.raises(LeadError, match="11 lead names are given for 12"):
        read_files(make.wfdb_files(ecg), ReadingHints(leads=STANDARD_LEADS[:11]))
