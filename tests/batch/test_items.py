"""What a batch run goes through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecgimn.batch import work
from ecgimn.batch.work import Chunk, explain_chunk, kind_of, list_items, read_salt
from ecgimn.errors import SourceError
from tests.batch.conftest import tracing, write


@pytest.fixture
def folder(tmp_path):
    """A tree with a WFDB record and its annotations, a table, a hidden file and a link."""
    root = tmp_path / "ecgs"
    (root / "ward" / ".cache").mkdir(parents=True)
    for name in ("ward/a.hea", "ward/a.dat", "ward/a.atr", "b.csv", ".hidden", "ward/.cache/c.csv"):
        (root / name).write_text("x")
    (root / "link.csv").symlink_to(root / "b.csv")
    return root


def test_a_folder_is_searched_with_all_below_and_a_wfdb_record_counts_once(folder):
    assert [item.record for item in list_items(folder)] == ["b.csv", "ward/a.hea"]


def test_a_list_names_files_from_where_it_lies(tmp_path, folder):
    listed = folder / "list.txt"
    listed.write_text("# two\nward/a.hea\n\nb.csv\n")
    items = list_items(listed)
    assert [(item.record, item.path) for item in items] == [
        ("ward/a.hea", str(folder / "ward/a.hea")),
        ("b.csv", str(folder / "b.csv")),
    ]


def test_a_csv_list_may_give_age_and_sex(folder):
    listed = folder / "list.csv"
    listed.write_text("sex,path,age\nF,b.csv,61\n,ward/a.hea,\n")
    first, second = list_items(listed)
    assert (first.record, first.age, first.sex) == ("b.csv", 61, "female")
    assert (second.age, second.sex) == (None, None)


def test_with_a_salt_no_file_name_is_in_a_record_name_and_the_same_salt_gives_the_same(tmp_path, folder):
    salt = read_salt(tmp_path / "salt")
    items = list_items(folder, salt=salt)
    assert not any("a.hea" in item.record or "b" in item.record.split("-")[0] for item in items)
    assert items == list_items(folder, salt=read_salt(tmp_path / "salt"))
    assert items[0].record != list_items(folder, salt=b"x" * 32)[0].record


def test_a_short_salt_is_refused(tmp_path):
    (tmp_path / "salt").write_text("pepper")
    with pytest.raises(SourceError, match="At least 16"):
        read_salt(tmp_path / "salt")


def test_a_recording_named_twice_is_refused(folder):
    (folder / "list.txt").write_text("b.csv\nb.csv\n")
    with pytest.raises(SourceError, match="twice"):
        list_items(folder / "list.txt")


def test_a_limit_takes_the_first(folder):
    assert len(list_items(folder, limit=1)) == 1


@pytest.mark.parametrize("name", ["nowhere", "ward/a.hea"])
def test_what_is_no_source_is_refused_with_advice(folder, name):
    with pytest.raises(SourceError, match=r"neither .* explain"):
        kind_of(folder / name)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="No recording"):
        list_items(tmp_path)


def test_a_remote_folder_is_listed_like_one_of_this_machine(folder):
    import fsspec

    fs = fsspec.filesystem("memory")
    fs.put(str(folder), "/shelf", recursive=True)
    fs.pipe_file("/shelf/list.txt", b"ward/a.hea\nhttp://elsewhere/c.hea\n")
    assert [item.record for item in list_items("memory://shelf")] == ["b.csv", "link.csv", "list.txt", "ward/a.hea"]
    assert [item.path for item in list_items("memory://shelf/list.txt")] == [
        "memory:///shelf/ward/a.hea",
        "http://elsewhere/c.hea",
    ]


def test_a_patients_earlier_ecg_is_compared_and_its_parts_make_the_change(tmp_path, card, monkeypatch):
    lines = [
        "ecg_id,patient_id,recording_date,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr,"
        "NORM,MI,STTC,CD,HYP,diagnostic_subclass,rhythm,form"
    ]
    for ecg_id, patient, day in ((1, 7, 1), (2, 7, 4), (3, 8, 5)):
        write(tmp_path, f"r{ecg_id}", tracing(ecg_id))
        lines.append(f"{ecg_id},{patient},1990-01-0{day} 08:00:00,50,0,r,{{}},1,r{ecg_id},x{ecg_id},1,0,0,0,0,[],[],[]")
    (tmp_path / "ptbxl_database.csv").write_text("\n".join(lines) + "\n")
    items = list_items(tmp_path)
    assert [(item.earlier, item.days) for item in items] == [("", None), ("ptbxl-1", 3.0), ("", None)]
    chunk = Chunk(tuple(items), card.name, card.sha256, "five leads", "youden")
    read = []
    monkeypatch.setattr(work, "_read", lambda item, read_one=work._read: read.append(item.path) or read_one(item))
    rows = explain_chunk(chunk)["differences"].to_pylist()
    assert len(read) == len(set(read)) == 3  # the earlier ECG is in the same batch, and is not explained again
    alone = explain_chunk(replace(chunk, items=(items[1],)))["differences"].to_pylist()
    assert len(read) == 5
    for row, again in zip(rows, alone, strict=True):
        assert all(abs(row[name] - again[name]) < 1e-4 for name in ("logit_earlier", "voltage", "weights", "change"))
    assert [(row["record"], row["earlier"], row["class"]) for row in rows] == [
        ("ptbxl-2", "ptbxl-1", name) for name in card.classes
    ]
    for row in rows:
        assert abs(row["voltage"] + row["weights"] + row["bias"] - row["change"]) < 1e-4
        assert abs(row["logit"] - row["logit_earlier"] - row["change"]) < 1e-9
