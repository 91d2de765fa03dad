"""A folder of challenge records is indexed once, found by code, age and sex, and opened as its headers say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import ecgimn.sources.cinc as cinc
from ecgimn.errors import RecordingError, SourceError
from ecgimn.sources.cinc import DIAGNOSES, ChallengeQuery, ChallengeRecords, in_words
from tests.formats.synthetic_files import synthetic_ecg
from tests.formats.test_challenge import challenge_files

SINUS, FIRST_DEGREE, FIBRILLATION = "426783006", "270492004", "164889003"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three records in two sets, a damaged header, and a link to a folder outside."""
    ecg = synthetic_ecg(500, 10)
    for place, name, age, sex, dx in (
        ("cpsc/g1", "A0001", "61", "Male", f"{SINUS},{FIRST_DEGREE}"),
        ("cpsc/g1", "A0002", "NaN", "Unknown", FIBRILLATION),
        ("georgia", "E0001", "97", "Female", f"{SINUS},999999999"),
    ):
        (tmp_path / "data" / place).mkdir(parents=True, exist_ok=True)
        for file, data in challenge_files(ecg, name, "CPSC", age=age, sex=sex, dx=dx).items():
            (tmp_path / "data" / place / file).write_bytes(data)
    (tmp_path / "data" / "georgia" / "broken.hea").write_bytes(b"broken\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "B1.hea").write_bytes(b"B1 12 500 5000\n")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "data"


def test_the_index_says_what_the_headers_say(folder):
    records = ChallengeRecords(folder)
    assert list(records.table.index) == ["cpsc/g1/A0001", "cpsc/g1/A0002", "georgia/E0001"]
    assert records.table.loc["georgia/E0001", "age"] == 90
    assert np.isnan(records.table.loc["cpsc/g1/A0002", "age"])
    assert records.table["duration_s"].tolist() == [10.0] * 3
    assert records.codes[0] == SINUS
    assert records.sets == ("cpsc", "georgia")
    assert records.n_unreadable == 1


def test_the_headers_are_read_once(folder, monkeypatch):
    records = ChallengeRecords(folder)
    assert len(records.find(ChallengeQuery())) == 3
    monkeypatch.setattr(cinc, "read_bounded", lambda *arguments: pytest.fail("read again"))
    assert len(records.find(ChallengeQuery(codes=(SINUS,)))) == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ChallengeQuery(), 3),
        (ChallengeQuery(codes=(FIBRILLATION, FIRST_DEGREE)), 2),
        (ChallengeQuery(ages=(60, 70)), 1),
        (ChallengeQuery(ages=(90, 90)), 1),
        (ChallengeQuery(sexes=("female",)), 1),
        (ChallengeQuery(sets=("cpsc",)), 2),
        (ChallengeQuery(codes=(SINUS,), sexes=("male",), sets=("georgia",)), 0),
    ],
)
def test_records_are_found_by_what_is_asked(folder, query, found):
    assert len(ChallengeRecords(folder).find(query)) == found


def test_a_record_opens_with_age_and_sex_and_without_its_diagnoses(folder):
    records = ChallengeRecords(folder)
    recording = records.recording("cpsc/g1/A0001")
    assert (recording.age, recording.sex, recording.record_name) == (61, "male", "A0001")
    assert recording.source == "PhysioNet challenge"
    assert not any(SINUS in note for note in recording.notes)
    assert records.statements("cpsc/g1/A0001") == ("sinus rhythm", "first-degree AV block")
    assert records.statements("georgia/E0001") == ("sinus rhythm", "SNOMED CT 999999999")


def test_what_is_not_there_is_said(folder, tmp_path):
    with pytest.raises(SourceError, match="not there"):
        ChallengeRecords(tmp_path / "no")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no challenge record"):
        len(ChallengeRecords(tmp_path / "empty").table)
    with pytest.raises(SourceError, match="no such"):
        ChallengeRecords(folder).recording("../elsewhere/B1")
    (folder / "cpsc/g1/A0001.mat").unlink()
    with pytest.raises(RecordingError, match=r"\.mat file"):
        ChallengeRecords(folder).recording("cpsc/g1/A0001")


def test_every_code_has_words_of_its_own():
    assert len(DIAGNOSES) == len(set(DIAGNOSES.values())) > 130
    assert all(code.isdecimal() and 6 <= len(code) <= 18 for code in DIAGNOSES)
    assert in_words(("1234567",)) == ("SNOMED CT 1234567",)
