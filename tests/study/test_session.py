"""Blind first: what is due, what is frozen, what is shown, and in which order cases come."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgimn.errors import StudyError
from ecgimn.study.definition import Arm, Audit, AuditCase, plan, read_audit
from ecgimn.study.session import Reading
from ecgimn.study.store import Store, open_store
from tests.study.study_worlds import box, keep, made_up_answer, read_case, small_audit

BLIND = {"primary": "MI", "also": ["STTC", "MI"], "confidence": 4, "boxes": [box()], "flags": ["poor quality"]}


def reading_of(store: Store, audit: Audit, name: str = "Ada") -> Reading:
    keep(store, audit)
    return Reading(store, audit, store.sign_in(name)[0])


def test_the_steps_of_a_case_come_in_their_order(store: Store) -> None:
    reading = reading_of(store, small_audit(arms=(Arm("a"),)))
    seen = []
    while (step := reading.state(1).step) is not None:
        seen.append(step)
        if step in ("model", "evidence"):
            reading.reveal(1, step, made_up_answer(1))
        else:
            reading.commit(1, step, BLIND if step != "rating" else {"relevant": 1, "helpful": -3, "trust": 0})
    assert seen == ["blind", "model", "evidence", "revision", "rating"]
    assert reading.state(1).finished
    assert reading.next_place() == 2


def test_nothing_is_revealed_before_the_blind_reading_is_committed(store: Store) -> None:
    reading = reading_of(store, small_audit())
    for step in ("model", "evidence"):
        with pytest.raises(StudyError, match="not due"):
            reading.reveal(1, step, made_up_answer(1))
    assert store.evidence(reading.audit.uid) == {}


def test_a_committed_reading_stays_and_the_revision_is_kept_beside_it(store: Store) -> None:
    reading = reading_of(store, small_audit(arms=(Arm("a"),)))
    reading.commit(1, "blind", BLIND)
    with pytest.raises(StudyError, match="not due"):
        reading.commit(1, "blind", {**BLIND, "primary": "NORM"})
    for step in ("model", "evidence"):
        reading.reveal(1, step, made_up_answer(1))
    done = reading.commit(1, "revision", {"primary": "NORM", "confidence": 2}).done
    assert (done["blind"]["primary"], done["revision"]["primary"]) == ("MI", "NORM")
    assert done["blind"]["also"] == ["STTC"]


def test_the_answer_of_another_model_is_not_shown(store: Store) -> None:
    reading = reading_of(store, small_audit(arms=(Arm("a"),)))
    reading.commit(1, "blind", BLIND)
    with pytest.raises(StudyError, match="very same weights"):
        reading.reveal(1, "model", made_up_answer(1, sha="0" * 64))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"primary": None}, "No main diagnosis"),
        ({"primary": "XYZ"}, "No main diagnosis"),
        ({"also": ["XYZ"]}, "further label"),
        ({"confidence": None}, "No confidence"),
        ({"confidence": 6}, "No confidence"),
        ({"boxes": [{"lead": "V2"}]}, "Draw it again"),
    ],
)
def test_an_incomplete_reading_is_not_committed(store: Store, change: dict[str, Any], sentence: str) -> None:
    reading = reading_of(store, small_audit())
    with pytest.raises(StudyError, match=sentence):
        reading.commit(1, "blind", {**BLIND, **change})
    assert reading.state(1).step == "blind"


def test_ratings_have_no_preset_value(store: Store) -> None:
    reading = reading_of(store, small_audit(arms=(Arm("a"),)))
    reading.commit(1, "blind", BLIND)
    for step in ("model", "evidence"):
        reading.reveal(1, step, made_up_answer(1))
    reading.commit(1, "revision", BLIND)
    for rating in ({}, {"relevant": 1, "helpful": 1}, {"relevant": 1, "helpful": 1, "trust": 4}):
        with pytest.raises(StudyError, match=r"-3 to \+3"):
            reading.commit(1, "rating", rating)


def test_a_draft_and_a_case_survive_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    first = open_store(url)
    reading = reading_of(first, small_audit())
    reading.open(1)
    reading.commit(1, "blind", BLIND)
    reading.save_draft(2, "blind", {"primary": "CD", "boxes": [box("aVF")]})
    first.close()
    second = open_store(url)
    again = Reading(second, reading.audit, second.sign_in("Ada")[0])
    assert again.state(1).done["blind"]["primary"] == "MI"
    assert again.state(2).draft == {"primary": "CD", "boxes": [box("aVF")]}
    assert again.next_place() == 1
    second.close()


def test_order_and_arms_are_drawn_for_each_reader_and_can_be_drawn_again() -> None:
    audit = small_audit(40, seed=3)
    first, second = plan(audit, "a" * 32), plan(audit, "b" * 32)
    assert first == plan(read_audit(audit.text), "a" * 32)
    assert [p.case for p in first] != [p.case for p in second]
    assert {p.case for p in first} == set(audit.cases)
    assert [p.place for p in first] == list(range(1, 41))


def test_arms_are_spread_evenly_over_the_labels() -> None:
    planned = plan(small_audit(40), "a" * 32)
    by_label = Counter((p.case.labels, p.arm.name) for p in planned)
    assert set(by_label.values()) == {4}  # 8 cases of each of 5 labels, two arms


def test_blocks_keep_an_arm_together_and_a_reader_may_have_one_arm_only() -> None:
    blocks = [p.arm.name for p in plan(small_audit(20, blocks=True), "a" * 32)]
    assert blocks in ([*["with evidence"] * 10, *["without"] * 10], [*["without"] * 10, *["with evidence"] * 10])
    per_reader = [{p.arm.name for p in plan(small_audit(20, allocation="reader"), f"{i}" * 32)} for i in range(10)]
    assert all(len(arms) == 1 for arms in per_reader)
    assert len(set.union(*per_reader)) == 2


def test_the_clock_stands_still_during_a_pause(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgimn.study.record import study_record
    from ecgimn.study.results import rows_of

    moments = iter(f"2026-01-01T10:{minute:02d}:00.000+00:00" for minute in range(60))
    monkeypatch.setattr("ecgimn.study.store.now", lambda: next(moments))
    reading = reading_of(store, small_audit(1, arms=(Arm("a", model=False, method="none"),)))
    reading.open(1)
    reading.save_draft(1, "blind", {})  # a minute later
    reading.pause(1)  # a minute later
    reading.open(1)  # does not count
    reading.commit(1, "blind", BLIND)  # a minute later
    (row,) = rows_of(study_record(store, reading.audit.uid))
    assert row.seconds_blind == row.seconds == 180.0


def test_time_in_which_the_clock_was_set_back_is_unknown_and_not_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecgimn.study.record import study_record
    from ecgimn.study.results import rows_of

    moments = iter(f"2026-01-01T{hour}:00:00.000+00:00" for hour in ("12", "12", "12", "10", "09", "09", "09", "09"))
    monkeypatch.setattr("ecgimn.study.store.now", lambda: next(moments))
    reading = reading_of(store, small_audit(1, arms=(Arm("a", model=False, method="none"),)))
    reading.open(1)
    reading.commit(1, "blind", BLIND)
    (row,) = rows_of(study_record(store, reading.audit.uid))
    assert row.seconds_blind is row.seconds is None


def test_results_wait_until_the_reader_has_finished(store: Store) -> None:
    reading = reading_of(store, small_audit(2))
    read_case(reading, 1, np.random.default_rng(0))
    assert not reading.may_see_results()
    read_case(reading, 2, np.random.default_rng(0))
    assert reading.may_see_results()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"cases": ()},
        {"cases": (AuditCase("ptbxl:1", "d", ()), AuditCase("ptbxl:1", "d", ()))},
        {"arms": ()},
        {"arms": (Arm("a"), Arm("a"))},
        {"allocation": "coin"},
        {"shows": ("label",)},
    ],
)
def test_an_audit_that_cannot_be_read_is_refused(wrong: dict[str, Any]) -> None:
    fields = small_audit().__dict__ | wrong
    with pytest.raises(StudyError):
        Audit(**fields)
