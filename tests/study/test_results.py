"""Figures of an audit: small ones by hand, the same from an export, merged with another site, and in the report."""

from __future__ import annotations

import copy
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgimn.cli import app
from ecgimn.draw.charts.study import study_html
from ecgimn.errors import StudyError
from ecgimn.study.definition import Arm, Audit, canonical
from ecgimn.study.keys import new_key, public_key, sign
from ecgimn.study.record import export_study, import_study, parse_export, record_of, study_record
from ecgimn.study.results import compute_results, study_csv
from ecgimn.study.session import Reading
from ecgimn.study.store import Store, open_store
from tests.study.study_worlds import box, keep, made_up_answer, read_case, small_audit

FULL = (Arm("full"),)


@pytest.fixture
def read_store(store: Store) -> tuple[Store, Audit]:
    """Two readers through a whole audit of six cases, and a third who stopped after two."""
    audit = keep(store, small_audit())
    for seed, (name, n_cases) in enumerate((("Ada", 6), ("Ben", 6), ("Cleo", 2))):
        reading, rng = Reading(store, audit, store.sign_in(name)[0]), np.random.default_rng(seed)
        for place in range(1, n_cases + 1):
            read_case(reading, place, rng)
    return store, audit


def through_a_file(content: dict[str, Any]) -> dict[str, Any]:
    return parse_export(json.dumps(content, indent=1).encode())


def answered(store: Store, audit: Audit, name: str, answers: list[tuple[str, str]]) -> None:
    """A reader who says these before and after, in the order in which the audit lists its cases."""
    reading = Reading(store, audit, store.sign_in(name)[0])
    for (before, after), case in zip(answers, audit.cases, strict=True):
        place = next(p.place for p in reading.plan if p.case == case)
        reading.commit(place, "blind", {"primary": before, "confidence": 3, "boxes": [box()]})
        for step in ("model", "evidence"):
            reading.reveal(place, step, made_up_answer(int(case.ref.split(":")[1])))
        reading.commit(place, "revision", {"primary": after, "confidence": 3})
        reading.commit(place, "rating", {"relevant": 2, "helpful": -1, "trust": 0})


def test_figures_that_can_be_counted_by_hand(store: Store) -> None:
    audit = keep(store, small_audit(4, arms=FULL))  # labels NORM, MI, STTC, CD
    called = [made_up_answer(i + 1).called for i in range(4)]
    answered(store, audit, "Ada", [("NORM", "NORM"), ("NORM", "MI"), ("MI", "MI"), ("CD", "HYP")])
    answered(store, audit, "Ben", [("NORM", "NORM"), ("MI", "MI"), ("MI", "STTC"), ("CD", "CD")])
    results = compute_results(study_record(store, audit.uid))
    everyone = results["accuracy"][0]
    assert (everyone["n"], everyone["before"][0], everyone["after"][0]) == (8, 5 / 8, 6 / 8)
    assert everyone["gain"][0] == 1 / 8
    right = sum(name == case.labels[0] for name, case in zip(called, audit.cases, strict=True))
    assert everyone["model"][0] == right / 4
    by_model = {row["model_right"]: row for row in results["change"]}
    assert by_model[True]["n"] == 2 * right
    moved = [(0, "wrong_to_right", 2), (0, "right_to_wrong", 1)]
    assert [sum(row[key] for row in results["change"]) for _, key, _ in moved] == [n for _, _, n in moved]
    before = results["agreement"]["before"]
    assert before["cohen_kappa"][0]["kappa"][0] == pytest.approx((3 / 4 - 5 / 16) / (1 - 5 / 16), abs=1e-6)
    ratings = {(row["class"], row["item"]): row["mean"][0] for row in results["ratings"]}
    assert [ratings["all", item] for item in ("relevant", "helpful", "trust")] == [2, -1, 0]


def test_boxes_are_scored_with_the_map_of_the_class_that_the_reader_chose(store: Store) -> None:
    audit = keep(store, small_audit(1, arms=FULL))
    answered(store, audit, "Ada", [("MI", "MI")])  # the map of MI has its peak in V2 at 1 s, where the box lies
    answered(store, audit, "Ben", [("MI", "MI")])
    regions = compute_results(study_record(store, audit.uid))["regions"]
    assert (regions["auroc"][0], regions["pointing"][0], regions["dice"][0]) == (1, 1, 1)
    assert (regions["n"], regions["n_pairs"], regions["dice_between_readers"][0]) == (2, 1, 1)


def test_an_export_gives_the_same_numbers_anywhere(read_store: tuple[Store, Audit], tmp_path: Path) -> None:
    store, audit = read_store
    here = compute_results(study_record(store, audit.uid))
    content = through_a_file(export_study(store, audit.uid))
    assert compute_results(record_of(content)) == here
    other = open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    merged = import_study(other, content)
    assert (merged.new_study, merged.n_readers) == (True, 3)
    assert merged.n_events == store.n_events(audit.uid)
    assert compute_results(study_record(other, audit.uid)) == here
    assert import_study(other, content).n_events == 0
    other.close()


def test_two_sites_merge_into_the_same_record_either_way(tmp_path: Path) -> None:
    audit = small_audit()
    stores = [open_store(f"sqlite:///{tmp_path / name}.sqlite") for name in "ab"]
    for seed, store in enumerate(stores):
        keep(store, audit)
        reading = Reading(store, audit, store.sign_in("Ada")[0])  # the same pseudonym, another person
        for place in range(1, 7):
            read_case(reading, place, np.random.default_rng(seed))
    exports = [through_a_file(export_study(store, audit.uid)) for store in stores]
    for store, foreign in zip(stores, reversed(exports), strict=True):
        import_study(store, foreign)
    results = [compute_results(study_record(store, audit.uid)) for store in stores]
    assert results[0] == results[1]
    assert len(results[0]["progress"]) == 2
    for store in stores:
        store.close()


def test_an_import_brings_a_known_reader_up_to_date(store: Store, tmp_path: Path) -> None:
    audit = keep(store, small_audit())
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    other = open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    for place in (1, 2):
        read_case(reading, place, np.random.default_rng(place))
        import_study(other, through_a_file(export_study(store, audit.uid)))
    assert other.events(audit.uid) == store.events(audit.uid)
    other.close()


def redone(content: dict[str, Any]) -> bytes:
    """An export that somebody changed and gave a fitting digest and signature again, but no chain."""
    import hashlib

    rest = {name: value for name, value in content.items() if name not in ("digest", "signature")}
    key = new_key()
    rest["site"] = {**rest["site"], "public_key": public_key(key)}
    digest = hashlib.sha256(canonical(rest).encode()).hexdigest()
    return json.dumps({**rest, "digest": digest, "signature": sign(key, digest)}).encode()


def test_a_changed_export_is_refused(read_store: tuple[Store, Audit], tmp_path: Path) -> None:
    content = export_study(read_store[0], read_store[1].uid)
    changed = copy.deepcopy(content)
    blind = next(event for event in changed["events"] if event["kind"] == "blind")
    blind["payload"]["confidence"] = blind["payload"]["confidence"] % 5 + 1
    with pytest.raises(StudyError, match="was changed after"):
        parse_export(json.dumps(changed).encode())
    with pytest.raises(StudyError, match="has a gap or was changed"):
        record_of(parse_export(redone(changed)))
    cut = {**content, "events": content["events"][1:]}
    other = open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    with pytest.raises(StudyError, match="has a gap"):
        import_study(other, parse_export(redone(cut)))
    assert other.studies("audit") == {}
    other.close()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": "ecgimn-study"}', b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_export_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(StudyError, match=r"is needed|same version"):
        parse_export(data)


def test_another_history_of_a_known_reader_is_refused(store: Store, tmp_path: Path) -> None:
    audit = keep(store, small_audit())
    reader, _ = store.sign_in("Ada")
    store.append(audit.uid, reader.uid, "ptbxl:1", "draft", {"step": "blind", "content": {}})
    content = export_study(store, audit.uid)
    other = open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    import_study(other, content)
    other.append(audit.uid, reader.uid, "ptbxl:2", "opened", {})
    store.append(audit.uid, reader.uid, "ptbxl:3", "opened", {})
    with pytest.raises(StudyError, match="another history"):
        import_study(other, export_study(store, audit.uid))
    assert [event.case_id for event in other.events(audit.uid)] == ["ptbxl:1", "ptbxl:2"]
    other.close()


def test_an_export_holds_no_passphrase(store: Store) -> None:
    audit = keep(store, small_audit())
    store.set_coordinator("chief of all")
    reader, _ = store.sign_in("Ada", "open sesame")
    store.append(audit.uid, reader.uid, "ptbxl:1", "opened", {})
    text = canonical(export_study(store, audit.uid))
    assert not any(word in text for word in ("chief", "sesame", "scrypt", "argon2"))


def test_the_csv_has_a_line_for_each_reader_and_case_and_runs_no_formula(read_store: tuple[Store, Audit]) -> None:
    lines = list(csv.DictReader(io.StringIO(study_csv(study_record(read_store[0], read_store[1].uid)))))
    assert len(lines) == 14
    assert {line["text"] for line in lines} == {"'=cmd"}
    assert {len(line["model_sha256"]) for line in lines} == {64}
    assert all(-3 <= int(line["trust"]) <= 3 for line in lines)


def test_the_command_line_computes_the_same_numbers(
    read_store: tuple[Store, Audit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, audit = read_store
    run = CliRunner().invoke
    monkeypatch.setenv("ECGIMN_DATABASE_URL", str(store.engine.url))
    export, table, figures, page = (tmp_path / name for name in ("e.json", "e.csv", "r.json", "r.html"))
    assert audit.uid[:12] in run(app, ["study", "list"]).output
    assert run(app, ["study", "export", audit.uid[:8], "--out", str(export), "--csv", str(table)]).exit_code == 0
    monkeypatch.setenv("ECGIMN_DATABASE_URL", f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    assert "3 new readers" in run(app, ["study", "import", str(export)]).output
    assert run(app, ["study", "report", str(export), "--json", str(figures), "--html", str(page)]).exit_code == 0
    assert json.loads(figures.read_text()) == compute_results(study_record(store, audit.uid))
    assert page.read_text().startswith("<!doctype html>")
    assert run(app, ["study", "report", str(tmp_path / "none")]).exit_code == 2


def test_the_report_holds_versions_hashes_seeds_and_the_intended_use(read_store: tuple[Store, Audit]) -> None:
    store, audit = read_store
    results = compute_results(study_record(store, audit.uid))
    page = study_html({**results, "study": {**results["study"], "name": "<script>x</script>"}}, made="a test")
    for needed in (audit.uid, audit.model_sha256, results["log_digest"], "Not a medical device", "seed 20260"):
        assert needed in page
    assert "<script>" not in page
    assert page.count("<svg ") == 7
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_an_audit_that_nobody_has_read_has_no_numbers(store: Store) -> None:
    audit = keep(store, small_audit())
    results = compute_results(study_record(store, audit.uid))
    assert results["accuracy"][0]["before"] is None
    assert results["agreement"]["before"]["fleiss_kappa"] is None
    assert "<svg" not in study_html(results, made="a test")
