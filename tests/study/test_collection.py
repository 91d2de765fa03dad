"""The collections that come with the app, and the artefacts that are added to their cases."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from ecgimn.errors import SourceError, StudyError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.sources.composites.case import load_composite
from ecgimn.sources.ptbxl import PtbXl, open_ptbxl
from ecgimn.study.cases import (
    ARTEFACTS,
    KINDS,
    QUIZ,
    Artefact,
    QuizCase,
    answer_source,
    attempt_of,
    audit_case,
    collection_text,
    disturb,
    draw_cases,
    drawable,
    find_case,
    kept_attempts,
    list_collections,
    pairs_of_ptbxl,
    read_audit_case,
    read_collection,
    refs_from_csv,
    score,
    time_before,
)
from ecgimn.study.definition import AuditCase
from ecgimn.study.store import Store
from tests.sources.physionet_server import ecg_records

GOOD = """
title: T
kind: typical
remark: R
options: [a, b, c]
cases:
  - case: composite:norm
    answers: [a, b]
    hints: [{II: look}]
    points: [p]
"""


def test_every_kind_of_collection_comes_with_the_app_and_needs_no_data_set() -> None:
    found = list_collections()
    assert {collection.kind for collection in found} == set(KINDS)
    for collection in found:
        for case in collection.cases:
            assert find_case(case.ref, None).recording.source == "case"
            assert case.hints
            assert case.points
            assert not case.earlier or find_case(case.earlier, None).recording.source == "case"
    pairs = [case for collection in found if collection.kind == "what is new" for case in collection.cases]
    assert all(case.earlier for case in pairs)
    assert len({case.ref for case in pairs}) == len(pairs) > 10


def test_a_collection_without_pairs_keeps_the_text_under_which_attempts_are_stored(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text(GOOD)
    assert collection_text(read_collection(tmp_path / "x.yml")) == (
        '{"cases":[{"answers":["a","b"],"artefact":null,"hints":[["II","look"]],"points":["p"],"question":"",'
        '"ref":"composite:norm"}],"kind":"typical","name":"x","options":["a","b","c"],"remark":"R","title":"T"}'
    )
    (tmp_path / "x.yml").write_text(f"{GOOD}    earlier: composite:imi\n")
    pair = read_collection(tmp_path / "x.yml")
    assert pair.cases[0].earlier == "composite:imi"
    assert '"earlier":"composite:imi"' in collection_text(pair)


def test_pairs_of_ptbxl_are_asked_for_what_the_later_record_alone_says(tmp_path: Path) -> None:
    said = {  # two records of folds 9 and 10 for each patient; the others stand alone
        9: ("{'NORM': 100.0}", 1), 10: ("{'IMI': 100.0, 'AFIB': 0.0}", 1),
        19: ("{'NORM': 100.0}", 2), 20: ("{'IMI': 50.0}", 2),
        29: ("{'NORM': 100.0, 'SR': 0.0}", 3), 30: ("{'NORM': 100.0, 'SR': 0.0}", 3),
        39: ("{'IMI': 100.0}", 4), 40: ("{'ILMI': 100.0}", 4),
        1: ("{'NORM': 100.0}", 5), 2: ("{'IMI': 100.0}", 5),
    }  # fmt: skip
    files = ecg_records([load_composite("norm")] * 40)
    head, *rows = files["ptbxl_database.csv"].decode().splitlines()
    lines = [f"{head},patient_id,recording_date"]
    for number, row in enumerate(rows, start=1):
        codes, patient = said.get(number, ("{'NORM': 100.0}", 100 + number))
        named = row.replace("{'NORM': 100.0}", f'"{codes}"')
        lines.append(f"{named},{patient}.0,19{number + 10}-03-02 10:00:00")
    files["ptbxl_database.csv"] = "\n".join(lines).encode()
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = pairs_of_ptbxl(PtbXl(tmp_path))
    asked = {(case.earlier, case.ref): case.answers for case in found.cases}
    assert asked == {
        ("ptbxl:9", "ptbxl:10"): ("Infarction, inferior", "Atrial fibrillation"),
        ("ptbxl:29", "ptbxl:30"): ("Nothing new",),
    }
    assert all(set(case.answers) <= set(found.options) and case.hints and case.points for case in found.cases)
    assert find_case(found.cases[0].earlier, PtbXl(tmp_path)).recording.source == "case"


def test_a_case_with_an_earlier_ecg_is_a_patients_last_and_carries_the_earlier_ones_digest(tmp_path: Path) -> None:
    """Records 9, 10, 19 and 20 are of one patient, 29 and 30 of another; all others stand alone."""
    files = ecg_records([load_composite("norm"), load_composite("imi")] * 15)
    head, *rows = files["ptbxl_database.csv"].decode().splitlines()
    patient = {9: 1, 10: 1, 19: 1, 20: 1, 29: 2, 30: 2}
    dated = [f"{row},{patient.get(n, 100 + n)}.0,{1950 + n}-03-02 10:00:00" for n, row in enumerate(rows, start=1)]
    files["ptbxl_database.csv"] = "\n".join([f"{head},patient_id,recording_date", *dated]).encode()
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    ptbxl = PtbXl(tmp_path)
    assert set(drawable(ptbxl, with_earlier=True)) == {"ptbxl:20", "ptbxl:30"}
    assert drawable(None, with_earlier=True) == {}
    case = audit_case("ptbxl:20", ptbxl, with_earlier=True)
    assert (case.earlier, case.earlier_digest) == ("ptbxl:19", find_case("ptbxl:19", ptbxl).recording.digest)
    assert time_before(case, ptbxl) == "12 months before"
    assert time_before(case, None) == ""
    assert audit_case("ptbxl:20", ptbxl).earlier == ""
    for ref in ("ptbxl:9", "ptbxl:8", "composite:norm"):
        with pytest.raises(StudyError, match=f"1 of 1 cases have no earlier ECG of the same patient: {ref}"):
            audit_case(ref, ptbxl, with_earlier=True)


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
def test_ptbxl_itself_gives_pairs_of_most_options_and_none_more_often_than_asked_for() -> None:
    ptbxl = open_ptbxl()
    found = pairs_of_ptbxl(ptbxl)
    given = [answer for case in found.cases for answer in case.answers]
    assert len(set(given)) > len(found.options) / 2
    for case in found.cases:
        earlier, later = (int(ref.partition(":")[2]) for ref in (case.earlier, case.ref))
        assert ptbxl.earlier(later) == earlier


def test_attempts_under_earlier_names_of_the_options_are_still_read(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    reader, _ = store.sign_in("owl")
    other, _ = store.sign_in("lynx")
    for text, chosen in ((GOOD, "a"), (GOOD.replace("[a, b", "[Inferior ST elevation, b"), "Inferior ST elevation")):
        path.write_text(text)
        collection = read_collection(path)
        content = collection_text(collection)
        uid = hashlib.sha256(content.encode()).hexdigest()
        store.add_study(uid, collection.title, QUIZ, content)
        case = collection.cases[0]
        for who in (reader, other):
            store.append(uid, who.uid, case.ref, "quiz", attempt_of(case, score(case, [chosen]), 0))
    kept = kept_attempts(store, collection, reader.uid)
    assert [attempt["correct"] for attempt in kept] == [["Inferior ST elevation"], ["a"]]
    path.rename(tmp_path / "y.yml")
    assert kept_attempts(store, read_collection(tmp_path / "y.yml"), reader.uid) == ()


def test_a_score_names_what_was_correct_missed_and_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text(GOOD)
    result = score(read_collection(tmp_path / "x.yml").cases[0], ["b", "c"])
    assert (result.correct, result.missed, result.wrong) == (("b",), ("a",), ("c",))
    assert not result.full


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("answers: [a, b]", "answers: [a, z]"),
        ("answers: [a, b]", "answers: []"),
        ("kind: typical", "kind: odd"),
        ("{II: look}", "{V9: look}"),
        ("title: T", ""),
        ("options: [a, b, c]", "options: [a, b"),
        ("points: [p]", "points: [p]\n    artefact: {kind: gremlin, amount_mv: 1}"),
    ],
)
def test_a_collection_that_cannot_be_used_says_why(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "x.yml").write_text(GOOD.replace(old, new))
    with pytest.raises(SourceError, match=r"x\.yml cannot be used"):
        list_collections(tmp_path)


@pytest.mark.parametrize("kind", ARTEFACTS)
def test_an_artefact_is_the_same_each_time_and_stays_in_its_leads(kind: str) -> None:
    recording = load_composite("norm")
    artefact = Artefact(kind, 0.3, ("V3",))
    first, second = disturb(recording, artefact), disturb(recording, artefact)
    assert first.digest == second.digest != recording.digest
    change = np.abs(first.signal - recording.signal).max(axis=1)
    assert {lead for lead, size in zip(STANDARD_LEADS, change, strict=True) if size > 0} == {"V3"}
    if kind != "loose electrode":
        assert 0.1 < change.max() < 0.6


def test_tremor_of_all_limb_leads_keeps_their_relations() -> None:
    signal = disturb(load_composite("norm"), Artefact("muscle tremor", 0.3, STANDARD_LEADS[:6])).signal
    assert np.abs(signal[0] + signal[2] - signal[1]).max() < 1e-3


def test_a_case_does_not_carry_its_name() -> None:
    case = find_case("composite:imi", None)
    assert (case.recording.record_name, case.recording.notes) == ("case", ())
    assert case.labels == ("MI",)


@pytest.mark.parametrize("ref", ["composite:none", "ptbxl:1", "ptbxl:x", "file:/etc/passwd", ""])
def test_a_reference_to_nothing_is_refused(ref: str) -> None:
    with pytest.raises(StudyError, match="is needed"):
        find_case(ref, None)


def test_other_samples_under_a_known_name_are_refused() -> None:
    with pytest.raises(StudyError, match="differ from those"):
        read_audit_case(AuditCase("composite:imi", "0" * 64, ("MI",)), None)


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        ("case\ncomposite:norm\nptbxl:7\n", ("composite:norm", "ptbxl:7")),
        ("age,ecg_id\n50,12\n60,13\n", ("ptbxl:12", "ptbxl:13")),
        ("5\n6\n", ("ptbxl:5", "ptbxl:6")),
    ],
)
def test_a_csv_lists_cases(text: str, refs: tuple[str, ...]) -> None:
    assert refs_from_csv(text) == refs


@pytest.mark.parametrize("text", ["", "age,sex\n50,male\n"])
def test_a_csv_without_cases_is_refused(text: str) -> None:
    with pytest.raises(StudyError, match="is needed"):
        refs_from_csv(text)


def test_a_sample_holds_each_class_and_can_be_drawn_again() -> None:
    labels = drawable(None)
    drawn = draw_cases(labels, 2, seed=5)
    assert drawn == draw_cases(labels, 2, seed=5) != draw_cases(labels, 2, seed=6)
    assert sorted(labels[ref][0] for ref in drawn) == sorted(["NORM", "MI", "STTC", "CD", "HYP"] * 2)


def test_ptbxl_records_are_cases_too_and_are_drawn_from_folds_that_no_model_learned_from(tmp_path: Path) -> None:
    for name, data in ecg_records([load_composite("norm")] * 10).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    ptbxl = PtbXl(tmp_path)
    case = find_case("ptbxl:9", ptbxl)
    assert (case.labels, case.recording.fs, case.recording.record_name) == (("NORM",), 500.0, "case")
    assert drawable(ptbxl) == {"ptbxl:9": ("NORM",), "ptbxl:10": ("NORM",)}
    with pytest.raises(StudyError, match="no PTB-XL record 11"):
        find_case("ptbxl:11", ptbxl)


def test_the_source_of_an_answer_is_said_as_it_is():
    cases = {case.ref: case for collection in list_collections() for case in collection.cases if case.earlier}
    planted, mean = answer_source(cases["composite:twin-ste-inferior"]), answer_source(cases["composite:clbbb"])
    assert "planted by this app" in planted
    assert "PTB-XL" not in planted
    assert "planted" not in mean
    assert all("not one patient's course" in words for words in (planted, mean))
    disturbed = answer_source(cases["composite:norm"])
    assert disturbed.startswith("Added by this app: muscle artefact of 0.12 mV in all leads.")
    record = answer_source(QuizCase("ptbxl:8", ("NORM",), (), (), earlier="ptbxl:9"))
    assert record == "Labels are those of PTB-XL, one opinion each."
