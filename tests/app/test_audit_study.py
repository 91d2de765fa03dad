"""An audit that is run as a study, on its page: set-up, training, putting off, wrong answers, adjudication."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import read_card
from ecgimn.sources.ptbxl import open_ptbxl
from ecgimn.study.cases import audit_case
from ecgimn.study.definition import KIND, Arm, Audit, Design, read_audit
from ecgimn.study.session import Reading, disputed_cases
from ecgimn.study.store import Store
from tests.app.test_audit import answer, as_coordinator, begun, button, sent, signed_in
from tests.app.test_pages import shown_text

pytestmark = pytest.mark.usefixtures("visited")


def keep(
    store: Store, models_folder: Path, design: Design, *arms: Arm, cases: tuple[str, ...] = ("imi", "lvh")
) -> Audit:
    card = read_card(models_folder / f"{DEFAULT_MODEL}.json")
    listed = tuple(audit_case(f"composite:{name}", None) for name in cases)
    audit = Audit("A study", card.name, card.sha256, card.classes, listed, arms=arms, design=design)
    store.add_study(audit.uid, audit.name, KIND, audit.text)
    return audit


def test_a_study_is_set_up_with_all_that_was_asked_for(small_app: AppTest, store: Store) -> None:
    app = as_coordinator(small_app)
    app.text_input(key="audit_name").set_value("Reliance, first round")
    app.multiselect(key="audit_composites").set_value(["composite:imi", "composite:lvh"])
    app.multiselect(key="audit_arms").set_value(["evidence", "answer only", "blind"])
    app.toggle(key="audit_study").set_value(True).run()
    app.toggle(key="audit_crossover").set_value(True).run()
    app.number_input(key="audit_washout").set_value(7)
    app.multiselect(key="audit_training").set_value(["composite:norm"])
    app.number_input(key="audit_wrong").set_value(20)
    app.text_input(key="audit_adjudicators").set_value("Cem, Dora ").run()
    app.number_input(key="audit_pass").set_value(100)
    button(app, "Set up the audit").click().run()
    assert not app.exception
    (uid,) = store.studies(KIND)
    design = read_audit(store.definition(uid)).design
    assert design == Design(True, 7, True, (audit_case("composite:norm", None),), 1.0, 0.2, ("Cem", "Dora"))


def test_training_comes_first_and_tells_the_label_afterwards(
    small_app: AppTest, store: Store, models_folder: Path
) -> None:
    training = (audit_case("composite:norm", None),)
    keep(store, models_folder, Design(training=training, pass_share=1.0), Arm("alone", model=False, method="none"))
    app = signed_in(small_app)
    assert "Training, case 1 of 1" in shown_text(app)
    assert "Label: NORM" not in sent(app)
    answer(app, "_primary", "uncertain")
    button(app, "Submit, then see").click().run()
    assert "not right. Label: NORM" in app.warning[0].value
    assert "round 2" in shown_text(app)
    answer(app, "_primary", "NORM")
    button(app, "Submit, then see").click().run()
    assert not app.exception
    assert [item for item in app.button if item.label == "Begin"]


EARLIER = Arm("earlier", model=False, method="none", earlier=True)


def test_the_earlier_ecg_lies_below_the_case_from_the_start_and_no_label_of_either_is_sent(
    ptbxl: AppTest, store: Store, models_folder: Path
) -> None:
    folder = open_ptbxl()
    listed = audit_case("ptbxl:2", folder, with_earlier=True)
    card = read_card(models_folder / f"{DEFAULT_MODEL}.json")
    pages = []
    for arm in (EARLIER, Arm("alone", model=False, method="none")):
        audit = Audit("With before", card.name, card.sha256, card.classes, (listed,), arms=(arm,))
        store.add_study(audit.uid, audit.name, KIND, audit.text)
        signed_in(ptbxl) if not pages else ptbxl.run()
        ptbxl.selectbox(key="audit_uid").set_value(audit.uid).run()
        button(ptbxl, "Begin").click().run()
        assert not ptbxl.exception
        assert not ptbxl.error
        pages.append((shown_text(ptbxl), sent(ptbxl), len(ptbxl.get("plotly_chart")), len(ptbxl.dataframe)))
    (text, page, n_traces, n_tables), (bare, _, n_alone, none) = pages
    assert "**Earlier ECG of the same patient** · 2.8 years before" in text
    assert "measurements** changed beyond day-to-day variability" in text
    assert (n_traces, n_tables, n_alone, none) == (2, 1, 1, 0)
    assert "Earlier ECG" not in bare
    words = ("report 1", "report 2", "ptbxl:", "scp", "New since", "probability", "1987", "STE")
    assert [word for word in words if word in page] == []


def test_set_up_refuses_cases_without_an_earlier_ecg_by_name_and_takes_those_that_have_one(
    ptbxl: AppTest, store: Store
) -> None:
    app = as_coordinator(ptbxl)
    app.text_input(key="audit_name").set_value("With and without")
    app.multiselect(key="audit_composites").set_value(["composite:imi", "composite:lvh"])
    app.multiselect(key="audit_arms").set_value(["blind", "earlier"])
    button(app, "Set up the audit").click().run()
    said = "2 of 2 cases have no earlier ECG of the same patient: composite:imi, composite:lvh."
    assert said in app.error[0].value
    assert store.studies(KIND) == {}
    app.selectbox(key="audit_list").set_value("csv").run()
    app.file_uploader(key="audit_csv").set_value(("cases.csv", b"ecg_id\n2\n", "text/csv")).run()
    button(app, "Set up the audit").click().run()
    assert not app.exception
    (uid,) = store.studies(KIND)
    audit = read_audit(store.definition(uid))
    assert [arm.earlier for arm in audit.arms] == [False, True]
    assert [(case.ref, case.earlier) for case in audit.cases] == [("ptbxl:2", "ptbxl:1")]


def test_a_case_put_off_gives_way_to_the_next_one(small_app: AppTest, store: Store, models_folder: Path) -> None:
    audit = keep(store, models_folder, Design(), Arm("alone", model=False, method="none"))
    app = begun(small_app)
    button(app, "Come back later").click().run()
    assert "Case 2 of 2" in shown_text(app)
    answer(app, "blind_primary", "uncertain")
    answer(app, "blind_confidence", 1)
    button(app, "Submit").click().run()
    button(app, "Go on with case 1").click().run()
    assert "Case 1 of 2" in shown_text(app)
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    assert reading.state(2).done["blind"]["primary"] == "uncertain"


def test_an_answer_made_wrong_is_shown_as_the_models_and_nothing_on_the_page_tells(
    small_app: AppTest, store: Store, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = keep(store, models_folder, Design(wrong_share=1.0), Arm("with evidence"), cases=("imi",))
    right = audit.cases[0].labels[0]
    monkeypatch.setattr("ecgimn.study.session.ModelAnswer.called", property(lambda self: right))
    app = signed_in(small_app)
    assert "made wrong on purpose" in app.info[0].value
    button(app, "Begin").click().run()
    answer(app, "blind_primary", right)
    answer(app, "blind_confidence", 4)
    button(app, "Submit").click().run()
    button(app, "Show the evidence").click().run()
    assert not app.exception
    shown = Reading(store, audit, store.sign_in("Ada")[0]).state(1).done["model"]
    assert shown["called"] != right
    assert f"({shown['called']})**" in shown_text(app)
    chosen = next(item for item in app.button_group if str(item.key).startswith("answer_class_"))
    assert chosen.value == shown["called"]
    assert sorted(chosen.options) == sorted(audit.classes)  # no probability that would tell


def test_an_adjudicator_sees_both_answers_without_names_and_decides(
    small_app: AppTest, store: Store, models_folder: Path
) -> None:
    alone = Arm("alone", model=False, method="none")
    audit = keep(store, models_folder, Design(adjudicators=("Cem",)), alone, cases=("imi",))
    for name, label in (("Ada", "MI"), ("Ben", "NORM")):
        reading = Reading(store, audit, store.sign_in(name)[0])
        reading.open(1)
        reading.commit(1, "blind", {"primary": label, "also": [], "confidence": 4})
    app = signed_in(small_app, "Cem")
    assert "Put a passphrase before the pseudonym" in app.warning[0].value
    assert "Reader 1" not in sent(app)
    store.protect(store.sign_in("Cem")[0], "three dull herons")
    app.run()
    text = shown_text(app)
    assert "**MI**" in text
    assert "**NORM**" in text
    assert not {"Ada", "Ben"} & set(text.split())
    answer(app, "_primary", "MI")
    answer(app, "_confidence", 5)
    button(app, "Submit the decision").click().run()
    assert not app.exception
    assert "Nothing to decide" in app.success[0].value
    (disputed,) = disputed_cases(audit, store.readers(), store.events(audit.uid))
    assert disputed.decided["primary"] == "MI"
