"""PTB-XL in a local folder: both kinds of table, one record, many records, and untrusted paths."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from ecgimn.errors import RecordingFormatError, SourceError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl, open_ptbxl

STATEMENTS = """,description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass
NORM,normal ECG,1.0,,,NORM,NORM
IMI,inferior,1.0,,,MI,IMI
LVH,hypertrophy,1.0,,,HYP,LVH
NDT,non-diagnostic T,1.0,1.0,,STTC,STTC
LVOLT,low voltage,,1.0,,,
SR,sinus rhythm,,,1.0,,
"""
HEADER = "ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr"
ROWS = (
    "1,11.0,56.0,1,sinusrhythmus,\"{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}\",3,",
    "2,12.0,300.0,0,,\"{'IMI': 35.0, 'LVH': 0.0, 'NDT': 50.0, 'SR': 0.0}\",9,",
    "3,13.0,,0,,{},10,",
)


def write_record(folder: Path, name: str, n_samples: int, fs: int, seed: int, **changes: str) -> np.ndarray:
    """Write one record as PTB-XL publishes it; return its samples in microvolts, (12, n_samples)."""
    samples = np.random.default_rng(seed).integers(-900, 900, (n_samples, 12)).astype("<i2")
    path = folder / f"{name}.dat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(samples.tobytes())
    checksums = samples.astype(np.int64).sum(axis=0) & 0xFFFF
    lines = [f"{path.stem} 12 {fs} {n_samples}"]
    for row, lead in enumerate(STANDARD_LEADS):
        lines.append(f"{path.name} 16 1000.0(0)/mV 16 0 {samples[0, row]} {checksums[row]} 0 {lead.upper()}")
    text = "\n".join(lines) + "\n"
    for old, new in changes.items():
        text = text.replace(old, new)
    path.with_suffix(".hea").write_text(text)
    return samples.T


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three records in the table, the published columns; records 1 and 2 at 100 Hz, record 1 at 500 Hz."""
    files = [f"records100/00000/{i:05d}_lr,records500/00000/{i:05d}_hr" for i in (1, 2, 3)]
    lines = [HEADER, *(row + name for row, name in zip(ROWS, files, strict=True))]
    (tmp_path / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "scp_statements.csv").write_text(STATEMENTS)
    for ecg_id in (1, 2):
        write_record(tmp_path, f"records100/00000/{ecg_id:05d}_lr", 1000, 100, ecg_id)
    write_record(tmp_path, "records500/00000/00001_hr", 5000, 500, 1)
    return tmp_path


def test_labels_follow_from_the_published_statements(folder):
    source = PtbXl(folder)
    np.testing.assert_array_equal(source.labels([1, 2, 3]), [[1, 0, 0, 0, 0], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]])
    assert source.table.at[2, "diagnostic_subclass"] == ("IMI", "LVH", "STTC")
    assert source.table.at[1, "rhythm"] == ("SR",)
    assert source.table.at[1, "form"] == ("LVOLT",)
    assert source.table.at[2, "scp_codes"] == {"IMI": 35.0, "LVH": 0.0, "NDT": 50.0, "SR": 0.0}


def test_complete_label_columns_are_trusted_over_statements(folder):
    path = folder / "ptbxl_database.csv"
    lines = path.read_text().splitlines()
    lines[0] += ",NORM,MI,STTC,CD,HYP,diagnostic_subclass,rhythm,form"
    lines[1] += ",0,0,0,1,0,\"['CLBBB']\",['SR'],"
    lines[2] += ",0,1,0,0,0,\"['IMI', 'ISC']\",,['STD']"
    lines[3] += ",1,0,0,0,0,['NORM'],,"
    path.write_text("\n".join(lines))
    source = PtbXl(folder)
    np.testing.assert_array_equal(source.labels([1, 3]), [[0, 0, 0, 1, 0], [1, 0, 0, 0, 0]])
    assert source.table.at[1, "diagnostic_subclass"] == ("CLBBB",)
    assert source.table.at[2, "rhythm"] == ()
    assert source.table.at[2, "diagnostic_subclass"] == ("IMI", "ISC_")  # the published spelling
    assert source.table.at[2, "form"] == ("STD_",)


def test_a_recording_has_age_sex_and_name(folder):
    recording = PtbXl(folder).recording(1, 500)
    assert (recording.fs, recording.n_samples, recording.source) == (500, 5000, "PTB-XL")
    assert (recording.age, recording.sex, recording.record_name) == (56, "female", "PTB-XL 1 (500 Hz)")


def test_age_300_means_90_or_older_and_a_missing_age_stays_unknown(folder):
    write_record(folder, "records100/00000/00003_lr", 1000, 100, 3)
    source = PtbXl(folder)
    assert source.recording(2, 100).age == 90
    assert source.recording(2, 100).sex == "male"
    assert source.recording(3, 100).age is None


def test_bulk_reading_agrees_with_single_records(folder):
    source = PtbXl(folder)
    signals = source.signals([2, 1], 100)
    assert (signals.shape, signals.dtype) == ((2, 12, 1000), np.int16)
    for row, ecg_id in enumerate((2, 1)):
        np.testing.assert_allclose(signals[row] / 1000, source.recording(ecg_id, 100).signal, atol=1e-6)


def test_leads_are_matched_by_name_in_bulk_reading(folder):
    swap = {" AVR": " x", " AVL": " AVR", " x": " AVL"}
    samples = write_record(folder, "records100/00000/00001_lr", 1000, 100, 5, **swap)
    signals = PtbXl(folder).signals([1], 100)
    np.testing.assert_array_equal(signals[0, 3], samples[4])
    np.testing.assert_array_equal(signals[0, 4], samples[3])


def test_a_missing_rate_is_named_with_the_rate_that_is_there(folder):
    source = PtbXl(folder)
    assert source.rates(1) == (100, 500)
    assert source.rates(2) == (100,)
    with pytest.raises(SourceError, match=r"not in this folder at 500 Hz\. It is here at 100 Hz"):
        source.recording(2, 500)
    with pytest.raises(SourceError, match="fold 10"):
        source.recording(3, 100)


def test_unknown_records_and_rates_are_refused(folder):
    source = PtbXl(folder)
    with pytest.raises(SourceError, match="no PTB-XL record 99"):
        source.recording(99)
    with pytest.raises(SourceError, match="250 Hz"):
        source.recording(1, 250)
    with pytest.raises(SourceError, match="no PTB-XL record 99"):
        source.signals([1, 99])


def test_folds_tell_what_was_seen_in_training(folder):
    source = PtbXl(folder)
    assert source.folds.to_dict() == {1: 3, 2: 9, 3: 10}
    assert source.seen_in_training(1)
    assert not source.seen_in_training(2)
    np.testing.assert_array_equal(source.ids([9, 10]), [2, 3])
    np.testing.assert_array_equal(source.ids([9, 10], fs=100), [2])


@pytest.mark.parametrize("name", ["../outside/00001_lr", "/etc/passwd", "records100/../../outside/00001_lr"])
def test_a_path_of_the_table_that_leads_outside_is_refused(folder, name):
    inside = folder / "data"
    inside.mkdir()
    write_record(folder / "outside", "00001_lr", 1000, 100, 1)
    text = (folder / "ptbxl_database.csv").read_text().replace("records100/00000/00001_lr", name)
    (inside / "ptbxl_database.csv").write_text(text)
    (inside / "scp_statements.csv").write_text(STATEMENTS)
    with pytest.raises(SourceError, match="outside its folder"):
        PtbXl(inside).recording(1, 100)


def test_a_link_that_leads_outside_is_refused(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_record(other, "00002_lr", 1000, 100, 2)
    (folder / "records100/00000/00002_lr.dat").unlink()
    os.symlink(other / "00002_lr.dat", folder / "records100/00000/00002_lr.dat")
    with pytest.raises(SourceError, match="outside its folder"):
        PtbXl(folder).recording(2, 100)


def test_damaged_records_are_refused(folder):
    path = folder / "records100/00000/00001_lr.dat"
    data = bytearray(path.read_bytes())
    data[100] ^= 4
    path.write_bytes(data)
    with pytest.raises(RecordingFormatError, match="checksum"):
        PtbXl(folder).recording(1, 100)
    with pytest.raises(SourceError, match=r"record 1.*checksums"):
        PtbXl(folder).signals([1], 100)
    path.write_bytes(data[:-2])
    with pytest.raises(SourceError, match="bytes"):
        PtbXl(folder).signals([1], 100)


def test_cells_that_are_no_literals_are_refused_and_never_run(folder):
    path = folder / "ptbxl_database.csv"
    path.write_text(path.read_text().replace("{}", "__import__('os').getcwd()"))
    with pytest.raises(SourceError, match="cannot be read"):
        PtbXl(folder)


def test_a_folder_without_the_table_is_named(tmp_path):
    with pytest.raises(SourceError, match="table is needed"):
        PtbXl(tmp_path)


def test_a_table_without_its_columns_is_refused(folder):
    (folder / "ptbxl_database.csv").write_text("ecg_id,age\n1,2\n")
    with pytest.raises(SourceError, match="strat_fold"):
        PtbXl(folder)


def test_statements_are_needed_only_when_labels_are_not_in_the_table(folder):
    (folder / "scp_statements.csv").unlink()
    with pytest.raises(SourceError, match="five classes"):
        PtbXl(folder)


def test_every_file_is_asked_for_when_a_fetcher_is_given(folder):
    asked = []

    def fetch(name: str) -> None:
        asked.append(name)
        if name.endswith(".hea"):
            write_record(folder, name.removesuffix(".hea"), 1000, 100, 3)

    source = PtbXl(folder, fetch=fetch)
    assert source.rates(3) == (100, 500)
    assert source.recording(3, 100).record_name == "PTB-XL 3 (100 Hz)"
    record = "records100/00000/00003_lr"
    assert asked == ["ptbxl_database.csv", "scp_statements.csv", f"{record}.hea", f"{record}.dat"]


def test_the_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.delenv("ECGIMN_PTBXL", raising=False)
    assert open_ptbxl() is None
    monkeypatch.setenv("ECGIMN_PTBXL", str(folder))
    source = open_ptbxl()
    assert source is not None
    assert len(source.table) == 3


def test_real_ptbxl_reads_in_bulk():
    source = open_ptbxl()
    if source is None:
        pytest.skip("ECGIMN_PTBXL names no PTB-XL folder")
    ids = source.ids([9], fs=100)[:1000]
    assert source.signals(ids, 100).shape == (len(ids), 12, 1000)
    assert source.labels(ids).shape == (len(ids), len(SUPERCLASSES))


@pytest.mark.bench
def test_17_000_real_records_are_read_in_40_seconds():
    source = open_ptbxl()
    if source is None:
        pytest.skip("ECGIMN_PTBXL names no PTB-XL folder")
    ids = source.ids([9], fs=100)[:1000]
    start = time.perf_counter()
    source.signals(ids, 100)
    assert time.perf_counter() - start < 40 * len(ids) / 17_000 + 2


def with_dates(folder: Path, dates: dict[int, str], patients: dict[int, float]) -> PtbXl:
    """Give the records of the folder's table other patients and dates."""
    path = folder / "ptbxl_database.csv"
    head, *rows = path.read_text().splitlines()
    changed = []
    for row in rows:
        ecg_id, _, rest = row.split(",", 2)
        changed.append(f"{ecg_id},{patients[int(ecg_id)]},{rest},{dates[int(ecg_id)]}")
    path.write_text("\n".join([f"{head},recording_date", *changed]) + "\n")
    return PtbXl(folder)


def test_records_of_one_patient_come_in_the_order_of_time(folder: Path) -> None:
    dates = {1: "1990-02-01 08:00:00", 2: "1987-03-02 09:30:00", 3: "1988-01-01 00:00:00"}
    ptbxl = with_dates(folder, dates, {1: 7.0, 2: 7.0, 3: 8.0})
    assert ptbxl.same_patient(1) == ptbxl.same_patient(2) == (2, 1)
    assert (ptbxl.earlier(1), ptbxl.earlier(2), ptbxl.earlier(3)) == (2, None, None)
    assert ptbxl.date(2) == "1987-03-02"
    assert ptbxl.pairs() == [(2, 1)]
    assert ptbxl.pairs(folds=[9]) == []


def test_numbers_order_records_without_a_date_only_where_the_dates_rise_with_them(folder: Path) -> None:
    before = (folder / "ptbxl_database.csv").read_text()
    same = {1: 7.0, 2: 7.0, 3: 7.0}
    ptbxl = with_dates(folder, {1: "1987-03-02 09:30:00", 2: "", 3: "1990-02-01 08:00:00"}, same)
    assert ptbxl.same_patient(2) == (1, 2, 3)
    assert ptbxl.date(2) == ""
    (folder / "ptbxl_database.csv").write_text(before)
    ptbxl = with_dates(folder, {1: "1990-02-01 08:00:00", 2: "", 3: "1987-03-02 09:30:00"}, same)
    assert ptbxl.same_patient(1) == (3, 1)
    assert ptbxl.same_patient(2) == (2,)


def test_a_patient_is_never_guessed(folder: Path) -> None:
    """Without dates or numbers of patients in the table every record stands alone."""
    ptbxl = PtbXl(folder)
    assert ptbxl.same_patient(1) == (1,)
    assert ptbxl.earlier(1) is None
    assert ptbxl.date(1) == ""
    assert ptbxl.pairs() == []
