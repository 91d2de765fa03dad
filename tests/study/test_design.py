"""An audit run as a study: periods, training, wrong answers, adjudication, and outcomes as other libraries count."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from ecgimn.draw.charts.study import BY_AUTHORS, checklist_csv, reporting_checklist, study_html
from ecgimn.errors import StudyError
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.study.definition import UNCERTAIN, Arm, Audit, AuditCase, Design, plan, read_audit
from ecgimn.study.record import export_study, import_study, parse_export, record_of, study_record
from ecgimn.study.results import clustered, compute_results, contrast, rows_of, study_csv
from ecgimn.study.session import Reading, adjudicate, disputed_cases, shown_answer
from ecgimn.study.store import Store, open_store
from tests.study.study_worlds import box, keep, made_up_answer, small_audit

ARMS = (Arm("with map"), Arm("model only", method="none"), Arm("alone", model=False, method="none"))
TRAINING = (AuditCase("composite:norm", "a" * 64, ("NORM",)), AuditCase("composite:imi", "b" * 64, ("MI",)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'studies.sqlite'}")
    yield opened
    opened.close()


def test_a_definition_without_a_design_is_the_same_text_as_before_there_were_any() -> None:
    audit = small_audit()
    assert "design" not in json.loads(audit.text)
    assert read_audit(audit.text) == audit
    with_one = replace(audit, design=Design(crossover=True, washout_days=14, training=TRAINING, adjudicators=("Cem",)))
    assert read_audit(with_one.text) == with_one
    assert with_one.uid != audit.uid


def with_earlier(audit: Audit) -> Audit:
    """The same audit with an earlier ECG for every case and an arm that shows it."""
    cases = tuple(replace(case, earlier=f"ptbxl:{100 + i}", earlier_digest="e" * 64)
                  for i, case in enumerate(audit.cases))  # fmt: skip
    return replace(audit, cases=cases, arms=(Arm("alone", False, "none"), Arm("earlier", False, "none", earlier=True)))


def test_an_audit_without_earlier_ecgs_is_known_by_the_same_digest_as_before_there_were_any() -> None:
    audit = small_audit(2)
    assert audit.uid == "e79dffd6473cf3d36fc582b5ba52561193ea0ad74fca6ee0877b22651aa41716"
    study = replace(audit, design=Design(crossover=True, training=TRAINING[:1]))
    assert study.uid == "9243f37e1f00aac4365e6a0f73503ab237ca7f4cb921baa828c510c3fe9faaad"
    assert '"earlier' not in study.text
    shown = with_earlier(audit)
    assert read_audit(shown.text) == shown
    assert json.loads(shown.text)["arms"] == [
        {"method": "none", "model": False, "name": "alone"},
        {"earlier": True, "method": "none", "model": False, "name": "earlier"},
    ]


def test_an_arm_with_the_earlier_ecg_needs_one_for_each_case_and_none_that_is_read_itself() -> None:
    shown = with_earlier(small_audit(8))
    bare = tuple(replace(case, earlier="", earlier_digest="") for case in shown.cases[:7])
    with pytest.raises(StudyError, match=r"7 of 8 cases have no earlier ECG .*: ptbxl:1, .* and others"):
        replace(shown, cases=(*bare, shown.cases[7]))
    twice = replace(shown.cases[0], earlier="ptbxl:2")
    with pytest.raises(StudyError, match="ptbxl:2 is a case, and the earlier ECG of another"):
        replace(shown, cases=(twice, *shown.cases[1:]))
    training = AuditCase("ptbxl:100", "a" * 64, ("NORM",))
    with pytest.raises(StudyError, match="ptbxl:100 is a case, and the earlier ECG of another"):
        replace(shown, design=Design(training=(training,)))


def test_arms_with_and_without_the_earlier_ecg_travel_in_an_export_and_are_compared_like_any_two(store: Store) -> None:
    audit = keep(store, replace(with_earlier(small_audit(10)), design=Design(crossover=True)))
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    for planned in reading.plan:  # right with the earlier ECG, wrong without it
        reading.open(planned.place)
        wrong = next(name for name in SUPERCLASSES if name not in planned.case.labels)
        primary = planned.case.labels[0] if planned.arm.earlier else wrong
        reading.commit(planned.place, "blind", {"primary": primary, "also": [], "confidence": 4})
    record = record_of(parse_export(json.dumps(export_study(store, audit.uid)).encode()))
    assert record.audit == audit
    results = compute_results(record)
    assert [arm["earlier"] for arm in results["study"]["arms"]] == [False, True]
    (compared,) = results["outcomes"]["arms"]
    assert (compared["arm"], compared["against"]) == ("earlier", "alone")
    assert compared["final_right"][0] == pytest.approx(1.0)
    assert "earlier (model hidden, map: no map, earlier ECG shown)" in str(reporting_checklist(results))
    assert "alone (model hidden, map: none); earlier (model hidden, map: none, earlier ECG shown)" in study_html(
        results, made="a test"
    )


def test_in_a_crossover_each_case_is_read_once_in_every_arm_and_once_a_period() -> None:
    audit = small_audit(10, arms=ARMS, design=Design(crossover=True))
    for uid in ("a" * 32, "b" * 32):
        listed = plan(audit, uid)
        assert [one.place for one in listed] == list(range(1, 31))
        assert [one.period for one in listed] == [1] * 10 + [2] * 10 + [3] * 10
        seen = Counter((one.case.ref, one.arm.name) for one in listed)
        assert set(seen.values()) == {1}
        assert len(seen) == 30
        assert len({one.key for one in listed}) == 30
    assert [one.key for one in plan(audit, "a" * 32)] != [one.key for one in plan(audit, "b" * 32)]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
def test_the_planned_share_of_answers_is_made_wrong_evenly_over_the_arms_that_show_one(share: float) -> None:
    audit = small_audit(30, arms=ARMS, design=Design(crossover=True, wrong_share=share))
    listed = plan(audit, "a" * 32)
    wrong = Counter(one.arm.name for one in listed if one.wrong)
    assert sum(wrong.values()) == round(share * 60)
    assert wrong["alone"] == 0
    assert abs(wrong["with map"] - wrong["model only"]) <= 1
    plain = small_audit(30, arms=ARMS)
    same = replace(plain, design=None)
    assert plan(plain, "a" * 32) == plan(same, "a" * 32)


def test_an_answer_made_wrong_names_a_label_that_the_case_does_not_carry_and_keeps_the_chances() -> None:
    audit = small_audit(20, arms=ARMS[:1], design=Design(wrong_share=1.0))
    changed = 0
    for planned in plan(audit, "a" * 32):
        answer = made_up_answer(int(planned.case.ref.split(":")[1]))
        called, chances = shown_answer(planned, answer)
        assert called not in planned.case.labels
        assert called == max(chances, key=chances.__getitem__)
        assert sorted(chances.values()) == sorted(answer.probability)
        changed += called != answer.called
        assert shown_answer(replace(planned, wrong=False), answer)[0] == answer.called
    assert 0 < changed < 20  # those that were wrong of themselves stay as they are


def begin(store: Store, audit: Audit, name: str) -> Reading:
    return Reading(store, audit, store.sign_in(name)[0])


def finish(reading: Reading, place: int, blind: str, revised: str) -> None:
    reading.open(place)
    while (step := reading.state(place).step) is not None:
        if step in ("model", "evidence"):
            reading.reveal(place, step, made_up_answer(int(reading.plan[place - 1].case.ref.split(":")[1])))
        elif step == "rating":
            reading.commit(place, step, {"relevant": 1, "helpful": 1, "trust": 1})
        else:
            primary = blind if step == "blind" else revised
            boxes = [box()] if step == "blind" else []
            reading.commit(place, step, {"primary": primary, "also": [], "confidence": 3, "boxes": boxes})


def test_no_case_opens_before_the_training_is_passed_and_a_failed_round_is_read_again(store: Store) -> None:
    audit = keep(store, small_audit(2, design=Design(training=TRAINING, pass_share=1.0)))
    reading = begin(store, audit, "Ada")
    with pytest.raises(StudyError, match="training cases come first"):
        reading.open(1)
    with pytest.raises(StudyError, match="training cases come first"):
        reading.commit(1, "blind", {"primary": "MI", "also": [], "confidence": 3})
    labels = {case.ref: case.labels[0] for case in TRAINING}
    first = reading.next_training()
    assert first is not None
    assert not reading.answer_training(first.ref, UNCERTAIN)
    with pytest.raises(StudyError, match="not due"):
        reading.answer_training(first.ref, labels[first.ref])
    second = reading.next_training()
    assert reading.answer_training(second.ref, labels[second.ref])
    assert (reading.training().passed, reading.training().round, reading.training().rounds) == (False, 2, (0.5,))
    while (case := reading.next_training()) is not None:
        assert reading.answer_training(case.ref, labels[case.ref])
    assert reading.training().passed
    reading.open(1)
    record = record_of(parse_export(json.dumps(export_study(store, audit.uid)).encode()))
    told = compute_results(record)["outcomes"]["training"]
    assert told == [{"reader": "Ada", "rounds": [0.5, 1.0], "passed": True}]


def test_an_export_in_which_a_case_was_read_before_the_training_is_refused(store: Store) -> None:
    audit = keep(store, small_audit(2, design=Design(training=TRAINING, pass_share=1.0)))
    reader, _ = store.sign_in("Ada")
    answer = {"primary": "MI", "also": [], "confidence": 3, "boxes": [], "flags": []}
    store.append(audit.uid, reader.uid, plan(audit, reader.uid)[0].key, "blind", answer)
    with pytest.raises(StudyError, match="order that cannot be"):
        record_of(export_study(store, audit.uid))


def test_the_second_period_opens_when_the_washout_is_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = keep(store, small_audit(2, arms=ARMS[1:], design=Design(crossover=True, washout_days=14)))
    reading = begin(store, audit, "Ada")
    for place in (1, 2):
        finish(reading, place, "MI", "MI")
    assert reading.next_place() == 3
    with pytest.raises(StudyError, match="The next period begins on"):
        reading.open(3)
    monkeypatch.setattr("ecgimn.study.session.now", lambda: "2999-01-01T00:00:00.000+00:00")
    reading.open(3)
    assert reading.plan[2].key.endswith("@2")


def test_a_case_put_off_comes_last_and_its_time_stands_still(store: Store) -> None:
    audit = keep(store, small_audit(3, arms=ARMS[2:], design=Design()))
    reading = begin(store, audit, "Ada")
    reading.open(1)
    reading.put_off(1)
    assert reading.next_place() == 2
    finish(reading, 2, "MI", "MI")
    finish(reading, 3, UNCERTAIN, "MI")
    assert reading.next_place() == 1
    finish(reading, 1, "MI", "MI")
    assert reading.next_place() is None
    record_of(export_study(store, audit.uid))


def test_uncertain_is_no_answer_in_an_audit_without_a_design(store: Store) -> None:
    reading = begin(store, keep(store, small_audit(1)), "Ada")
    with pytest.raises(StudyError, match="No main diagnosis is chosen"):
        reading.commit(1, "blind", {"primary": UNCERTAIN, "also": [], "confidence": 3})


def test_only_a_named_and_guarded_adjudicator_decides_and_only_where_readers_differ(store: Store) -> None:
    audit = keep(store, small_audit(2, arms=ARMS[2:], design=Design(adjudicators=("Cem",))))
    for name, answers in (("Ada", ("MI", "CD")), ("Ben", ("MI", "NORM"))):
        reading = begin(store, audit, name)
        for one in reading.plan:
            finish(reading, one.place, answers[int(one.case.ref[-1]) - 1], "MI")
    (disputed,) = disputed_cases(audit, store.readers(), store.events(audit.uid))
    assert disputed.case.ref == "ptbxl:2"
    assert {one["primary"] for one in disputed.opinions} == {"CD", "NORM"}
    verdict = {"primary": "MI", "also": [], "confidence": 5, "text": "Q in III"}
    ada = store.sign_in("Ada")[0]
    with pytest.raises(StudyError, match="Only the adjudicators"):
        adjudicate(store, audit, ada, "ptbxl:2", verdict)
    cem = store.sign_in("Cem")[0]
    with pytest.raises(StudyError, match="needs a passphrase"):
        adjudicate(store, audit, cem, "ptbxl:2", verdict)
    store.protect(cem, "three dull herons")
    with pytest.raises(StudyError, match="does not read"):
        Reading(store, audit, cem).open(1)
    with pytest.raises(StudyError, match="do not differ"):
        adjudicate(store, audit, cem, "ptbxl:1", verdict)
    adjudicate(store, audit, cem, "ptbxl:2", verdict)
    with pytest.raises(StudyError, match="already submitted"):
        adjudicate(store, audit, cem, "ptbxl:2", verdict)
    results = compute_results(record_of(export_study(store, audit.uid)))
    judged = results["outcomes"]["adjudication"]
    assert (judged["n_disputed"], judged["n_decided"], judged["with_label"][0]) == (1, 1, 1.0)
    assert [row["reader"] for row in results["progress"]] == ["Ada", "Ben"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Store, Audit]]:
    """Two sites, three arms, a fifth of the answers made wrong, three readers with a mind of their own, and Cem."""
    here, there = (open_store(f"sqlite:///{tmp_path / name}.sqlite") for name in ("here", "there"))
    design = Design(wrong_share=0.2, adjudicators=("Cem",))
    audit = small_audit(20, arms=ARMS, design=design, seed=5)
    rng = np.random.default_rng(11)
    for store, names in ((here, ("Ada", "Ben")), (there, ("Dan",))):
        keep(store, audit)
        for name in names:
            reading = begin(store, audit, name)
            for one in reading.plan:
                called, _ = shown_answer(one, made_up_answer(int(one.case.ref.split(":")[1])))
                truth = one.case.labels[0]
                blind = truth if rng.random() < 0.6 else str(rng.choice([*SUPERCLASSES, UNCERTAIN]))
                finish(reading, one.place, blind, called if rng.random() < 0.5 else blind)
    import_study(here, parse_export(json.dumps(export_study(there, audit.uid)).encode()))
    cem = here.sign_in("Cem", "three dull herons")[0]
    for one in disputed_cases(audit, here.readers(), here.events(audit.uid))[:3]:
        adjudicate(here, audit, cem, one.case.ref, {"primary": one.case.labels[0], "also": [], "confidence": 5})
    yield here, audit
    here.close()
    there.close()


@pytest.mark.no_cover
def test_the_outcomes_equal_those_that_pandas_and_scikit_learn_count(world: tuple[Store, Audit]) -> None:
    store, audit = world
    record = study_record(store, audit.uid)
    results = compute_results(record)
    outcomes = results["outcomes"]
    table = pd.DataFrame(
        [
            {"label": row.labels[0], "blind": row.primary("blind"), "final": row.primary("revision"),
             "called": row.called, "shown": row.state.sees("model"), "planned": row.planned.wrong}
            for row in rows_of(record)
        ]
    )  # fmt: skip
    assert len(table) == 60
    told = table[table["shown"]].assign(
        right=lambda t: t["called"] == t["label"], agrees=lambda t: t["final"] == t["called"]
    )
    whole = outcomes["reliance"][0]
    shares = told.groupby("right")["agrees"].mean()
    assert (whole["n"], whole["n_right"]) == (len(told), int(told["right"].sum()))
    assert whole["right_followed"][0] == pytest.approx(shares[True], abs=1e-6)
    assert whole["wrong_refused"][0] == pytest.approx(1 - shares[False], abs=1e-6)
    assert whole["appropriate"][0] == pytest.approx((told["agrees"] == told["right"]).mean(), abs=1e-6)
    wrong = told[~told["right"]]
    assert outcomes["made_wrong"]["n_made_wrong"] == int(wrong["planned"].sum())
    assert outcomes["made_wrong"]["n_wrong_of_itself"] == int((~wrong["planned"]).sum())
    revised = table.dropna(subset=["final"])
    by_key = {(row["by"], row["class"], row["when"]): row for row in outcomes["accuracy"] if row["by"] == "all"}
    for name in SUPERCLASSES:
        for when, part, column in (("before", table, "blind"), ("after", revised, "final")):
            found, truth = by_key["all", name, when], part["label"] == name
            said = part[column] == name
            assert found["sensitivity"][0] == pytest.approx(recall_score(truth, said), abs=1e-6)
            assert found["specificity"][0] == pytest.approx(recall_score(~truth, ~said), abs=1e-6)
    assert outcomes["adjudication"]["n_decided"] == 3
    assert {row["by"] for row in outcomes["reliance"]} == {"all", "arm", "reader"}
    again = compute_results(record_of(parse_export(json.dumps(export_study(store, audit.uid)).encode())))
    assert again == results


def test_intervals_over_cases_are_those_of_a_plain_resampling() -> None:
    rng = np.random.default_rng(4)
    answers = [(f"case {i}", float(rng.random() < 0.3 + 0.5 * (i % 2))) for i in range(40) for _ in range(1 + i % 3)]
    frame = pd.DataFrame(answers, columns=["case", "value"])
    groups = [part["value"].to_numpy() for _, part in frame.groupby("case")]
    drawn = [np.concatenate([groups[i] for i in rng.integers(0, 40, 40)]).mean() for _ in range(4000)]
    value, low, high = clustered(answers)
    assert value == pytest.approx(frame["value"].mean(), abs=1e-6)
    assert (low, high) == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))), abs=0.02)
    wide = contrast(answers, [(case, 1 - value) for case, value in answers])
    assert wide[0] == pytest.approx(1 - 2 * frame["value"].mean(), abs=1e-6)
    assert (wide[2] - wide[1]) == pytest.approx(2 * (high - low), abs=0.06)


def test_few_answers_give_no_interval_and_none_no_figure() -> None:
    assert clustered([]) is None
    assert clustered([("one", 1.0), ("one", 0.0)]) == [0.5, None, None]
    assert clustered([("one", 1.0), ("two", 1.0)]) == [1.0, 1.0, 1.0]
    assert contrast([], [("one", 1.0)]) is None


#: Items of the published checklists, with the number of their lettered parts.
PARTS_OF_DECIDE_AI = dict.fromkeys(map(str, range(1, 18)), 0) | dict.fromkeys(
    ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"), 0
)
PARTS_OF_DECIDE_AI |= {"2": 2, "3": 3, "4": 3, "5": 2, "6": 2, "9": 2, "10": 2, "13": 2, "14": 2}
PARTS_OF_TRIPOD_AI = dict.fromkeys(map(str, range(1, 28)), 0)
PARTS_OF_TRIPOD_AI |= {"3": 3, "5": 2, "6": 3, "8": 3, "9": 3, "12": 7, "18": 6, "20": 3, "23": 2, "27": 3}


def test_the_checklist_is_filled_from_the_study_and_travels_with_the_report(world: tuple[Store, Audit]) -> None:
    store, audit = world
    record = study_record(store, audit.uid)
    results = compute_results(record)
    rows: dict[tuple[str, str], str] = {
        (row["Guideline"], row["Item"]): row["In this study"] for row in reporting_checklist(results)
    }
    assert {name for name, _ in rows} == {"DECIDE-AI", "TRIPOD+AI"}
    parts = {"DECIDE-AI": PARTS_OF_DECIDE_AI, "TRIPOD+AI": PARTS_OF_TRIPOD_AI}
    for guideline, wanted in parts.items():
        found: dict[str, str] = {}
        for name, item in rows:
            number, first, last = re.fullmatch(r"(\d+|[IVX]+)([a-g]?)(?:-([a-g]))?", item).groups()  # type: ignore[union-attr]
            letters = "abcdefg"["abcdefg".index(first) : "abcdefg".index(last or first) + 1] if first else ""
            if name == guideline:
                found[number] = found.get(number, "") + letters
        assert {number: len(letters) for number, letters in found.items()} == wanted
        assert all(letters == "abcdefg"[: len(letters)] for letters in found.values())
    assert "3 readers at 2 sites" in rows["DECIDE-AI", "9b"]
    assert f"planned share {audit.design.wrong_share:.2f}" in rows["DECIDE-AI", "13a"]
    assert rows["TRIPOD+AI", "17"] == BY_AUTHORS
    report: Any = study_html(results, made="a test")
    assert "Reporting checklist" in report
    assert "Reliance on the model" in report
    assert checklist_csv(results).count("\n") > 50
    assert "made_wrong" in study_csv(record).splitlines()[0]
