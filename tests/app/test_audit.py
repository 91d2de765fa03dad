"""An audit on its page: nothing leaks before a reader commits, every entry is kept, and results wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import read_card
from ecgimn.sources.composites.case import list_composites
from ecgimn.study.cases import audit_case
from ecgimn.study.definition import KIND, Arm, Audit, AuditCase, read_audit
from ecgimn.study.keys import fingerprint, public_key
from ecgimn.study.record import export_study
from ecgimn.study.session import Reading
from ecgimn.study.store import Store, open_store
from pages.ui import cache as cached
from tests.app.test_pages import ROOT, shown_text
from tests.study.study_worlds import box

pytestmark = pytest.mark.usefixtures("visited")

CASES = ("composite:imi", "composite:lvh")


@pytest.fixture
def audit(store: Store, models_folder: Path) -> Audit:
    return keep(store, models_folder)


def keep(store: Store, models_folder: Path, cases: tuple[AuditCase, ...] = (), **settings: Any) -> Audit:
    card = read_card(models_folder / f"{DEFAULT_MODEL}.json")
    listed = cases or tuple(audit_case(ref, None) for ref in CASES)
    audit = Audit(
        "Two cases", card.name, settings.pop("sha256", card.sha256), card.classes, listed,
        arms=settings.pop("arms", (Arm("with evidence"),)), **settings,
    )  # fmt: skip
    store.add_study(audit.uid, audit.name, KIND, audit.text)
    return audit


WORDS = "three dull herons"


def as_coordinator(app: AppTest, part: str = "set up") -> AppTest:
    """Open the audit page in a window of the coordinator, at one of its parts."""
    app.run()
    app.switch_page("pages/audit.py").run()
    app.button_group(key="audit_part").set_value(part).run()
    fields = [item for item in app.text_input if str(item.key).startswith("coordinator_")]
    for field in fields:
        field.set_value(WORDS)
    return button(app, "Enter" if len(fields) == 1 else "Become the coordinator").click().run()


def button(app: AppTest, label: str) -> Any:
    return next(item for item in app.button if item.label.startswith(label))


def signed_in(app: AppTest, name: str = "Ada") -> AppTest:
    app.run()
    app.switch_page("pages/audit.py").run()
    app.text_input[0].set_value(name)
    return button(app, "Sign in").click().run()


def begun(app: AppTest, name: str = "Ada") -> AppTest:
    signed_in(app, name)
    return button(app, "Begin").click().run()


def answer(app: AppTest, key: str, value: Any) -> AppTest:
    """Set a group of pills or segments by the end of its key."""
    group = next(item for item in app.button_group if str(item.key).endswith(key))
    return group.set_value(value).run()


def sent(app: AppTest) -> str:
    """All that the server has sent for this page: every element and every block, as text."""

    def walk(node: Any) -> Iterator[str]:
        proto = getattr(node, "proto", None)
        if proto is not None:
            yield str(proto)
        for child in getattr(node, "children", {}).values():
            yield from walk(child)

    return "\n".join(walk(app._tree))


def test_a_reader_goes_through_a_case(small_app: AppTest, audit: Audit, store: Store) -> None:
    app = begun(small_app)
    assert not app.exception
    answer(app, "blind_primary", "MI")
    answer(app, "blind_confidence", 4)
    button(app, "Submit").click().run()
    assert "Read blind: **MI**" in shown_text(app)
    assert "Model: **" in shown_text(app)
    button(app, "Show the evidence").click().run()
    answer(app, "revision_primary", "CD")
    button(app, "Submit").click().run()
    for item in ("relevant", "helpful", "trust"):
        answer(app, f"rating_{item}", -2)
    button(app, "Submit").click().run()
    assert "This case is finished" in "".join(str(item.value) for item in app.success)
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    done = reading.state(1).done
    assert [done[step]["primary"] for step in ("blind", "revision")] == ["MI", "CD"]
    assert done["rating"]["helpful"] == -2
    button(app, "Go on with case 2").click().run()
    assert "Case 2 of 2" in shown_text(app)
    assert not app.exception


@pytest.mark.parametrize("method", ["isoelectric", "none"])
def test_reasons_are_said_after_the_last_commit_and_only_where_evidence_was_shown(
    small_app: AppTest, store: Store, models_folder: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(cached, "get_reasons", lambda case, name: (f"Textbook criteria of {name} present and used.",))
    keep(store, models_folder, arms=(Arm("an arm", method=method),))
    app = begun(small_app)
    for step in ("blind", "revision"):
        answer(app, f"{step}_primary", "MI")
        answer(app, f"{step}_confidence", 4)
        button(app, "Submit").click().run()
        assert "Textbook criteria" not in sent(app)
        if step == "blind" and method != "none":
            button(app, "Show the evidence").click().run()
            assert "Textbook criteria" not in sent(app)
    for item in ("relevant", "helpful", "trust") if method != "none" else ("trust",):
        answer(app, f"rating_{item}", 2)
    button(app, "Submit").click().run()
    assert not app.exception
    assert "This case is finished" in "".join(str(item.value) for item in app.success)
    assert ("Textbook criteria of" in shown_text(app)) == (method != "none")
    offered = [item for item in app.button_group if item.label == "Mark on the trace"]
    assert bool(offered) == (method != "none")
    for pills in offered:
        pills.set_value(pills.options[0]).run()
        spec = json.loads(app.get("plotly_chart")[0].proto.spec)
        assert any(str(shape.get("name")).startswith("box ") for shape in spec["layout"]["shapes"])


def test_swapping_labels_changes_nothing_that_is_sent_before_the_commit(
    small_app: AppTest, store: Store, models_folder: Path
) -> None:
    """Whatever reached the browser could not depend on the label, then."""
    listed = audit_case("composite:imi", None)
    pages = []
    audits = [
        keep(store, models_folder, (AuditCase(listed.ref, listed.digest, labels),)) for labels in (("MI",), ("NORM",))
    ]
    signed_in(small_app)
    for audit in audits:
        small_app.selectbox(key="audit_uid").set_value(audit.uid).run()
        page = sent(button(small_app, "Begin").click().run())
        for name in (name for other in audits for name in (other.uid, other.uid[:8])):
            page = page.replace(name, "UID")
        pages.append(page)
    assert "Case 1 of 1" in shown_text(small_app)
    first, second = (sorted(set(page.splitlines())) for page in pages)
    assert first == second


def test_neither_name_label_model_nor_others_answers_are_sent_before_the_commit(
    small_app: AppTest, audit: Audit, store: Store
) -> None:
    other = Reading(store, audit, store.sign_in("Ben")[0])
    for planned in other.plan:
        answer_of_ben = {"primary": "HYP", "confidence": 5, "boxes": [box("aVR")], "flags": ["label doubtful"]}
        other.commit(planned.place, "blind", answer_of_ben)
        other.save_draft(planned.place, "revision", {"text": "zebra"})
    app = begun(small_app)
    cards = {f"composite:{card.name}": card for card in list_composites()}
    told = [word for ref in CASES for word in (ref, cards[ref].title, cards[ref].hallmark, cards[ref].record_name)]
    told += [case.digest for case in audit.cases] + ["zebra", "Ben", "probability", audit.model_sha256[:8], "logit"]
    page = sent(app)
    assert [word for word in told if word in page] == []
    assert "Main diagnosis" in page
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert {image["name"] for image in spec["layout"]["images"]} == {"paper"}
    answer(app, "blind_primary", "MI")
    page = sent(app)
    assert [word for word in told if word in page] == []


def test_what_was_entered_is_there_after_a_restart(small_app: AppTest, audit: Audit, store: Store) -> None:
    app = begun(small_app)
    answer(app, "blind_primary", "CD")
    app.multiselect(key="answer_leads_1").set_value(["V1", "V2"]).run()
    button(app, "Add this box").click().run()
    assert len(app.get("plotly_chart")) == 1
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)  # another window, nothing in its session
    begun_again = signed_in(again)
    button(begun_again, "Begin").click().run()
    group = next(item for item in again.button_group if str(item.key).endswith("blind_primary"))
    assert group.value == "CD"
    leads = {box["lead"] for box in Reading(store, audit, store.sign_in("Ada")[0]).state(1).draft["boxes"]}
    assert leads == {"V1", "V2"}


def test_results_stay_closed_to_a_reader_with_cases_to_read(small_app: AppTest, audit: Audit) -> None:
    app = begun(small_app)
    app.button_group(key="audit_part").set_value("results").run()
    assert "Results open when you have finished" in shown_text(app)
    assert not app.get("download_button")


def test_an_audit_is_set_up_on_the_page(small_app: AppTest, store: Store) -> None:
    as_coordinator(small_app)
    small_app.text_input(key="audit_name").set_value("Spring").run()
    small_app.selectbox(key="audit_list").set_value("sample").run()
    small_app.number_input(key="audit_per_class").set_value(1).run()
    button(small_app, "Set up the audit").click().run()
    (uid,) = store.studies(KIND)
    made = read_audit(store.definition(uid))
    assert (made.name, len(made.cases), made.seed) == ("Spring", 5, 1)
    assert sorted(case.labels for case in made.cases) == [("CD",), ("HYP",), ("MI",), ("NORM",), ("STTC",)]
    assert "seed 1" in made.selection
    button(small_app, "Set up the audit").click().run()
    assert "kept already" in "".join(str(item.value) for item in small_app.info)
    assert store.is_coordinator(WORDS)
    assert store.opens_results(uid, WORDS)


@pytest.mark.parametrize("chosen_before", [True, False])
def test_from_a_window_without_the_coordinators_passphrase_no_label_export_or_result_can_be_reached(
    small_app: AppTest, audit: Audit, store: Store, chosen_before: bool
) -> None:
    """A reader who is still blind opens another window, signs in to nothing, and tries every part of the page."""
    if chosen_before:
        store.set_coordinator(WORDS)
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    reading.commit(1, "blind", {"primary": "HYP", "confidence": 5, "boxes": [], "flags": []})
    small_app.run()
    small_app.switch_page("pages/audit.py").run()
    pages = []
    for part in ("read", "results", "set up"):
        pages.append(sent(small_app.button_group(key="audit_part").set_value(part).run()))
        if part != "read" and chosen_before:
            for wrong in ("", "wrong one"):
                small_app.text_input(key="coordinator_passphrase").set_value(wrong)
                pages.append(sent(button(small_app, "Enter").click().run()))
                assert "does not fit" in "".join(str(item.value) for item in small_app.error)
        assert not small_app.get("download_button")
        assert not small_app.get("file_uploader")
        assert not small_app.get("dataframe")
        assert not small_app.multiselect
    told = [case.ref for case in audit.cases] + [case.digest for case in audit.cases]
    told += [card.title for card in list_composites()] + ["Set up the audit", "Fleiss", "Ada", reading.reader.uid]
    assert [word for page in pages for word in told if word in page] == []
    assert store.has_coordinator() is chosen_before


def test_with_the_coordinators_passphrase_results_and_export_open_until_the_window_is_left(
    small_app: AppTest, audit: Audit, store: Store
) -> None:
    store.set_coordinator(WORDS)
    app = as_coordinator(small_app, "results")
    assert {item.proto.label for item in app.get("download_button")} >= {"Export (JSON)", "Answers (CSV)"}
    app.button(key="coordinator_leave").click().run()
    assert not app.get("download_button")
    assert [item.label for item in app.text_input] == ["Coordinator's passphrase"]


def test_the_first_coordinator_has_to_type_a_long_passphrase_twice(
    small_app: AppTest, audit: Audit, store: Store
) -> None:
    small_app.run()
    small_app.switch_page("pages/audit.py").run()
    small_app.button_group(key="audit_part").set_value("results").run()
    for first, second, said in (("short", "short", "8 to 200 are needed"), (WORDS, WORDS + "x", "differ")):
        small_app.text_input(key="coordinator_new").set_value(first)
        small_app.text_input(key="coordinator_again").set_value(second)
        button(small_app, "Become the coordinator").click().run()
        assert said in "".join(str(item.value) for item in small_app.error)
    assert not store.has_coordinator()


def test_an_export_is_checked_before_it_is_imported_and_its_fingerprint_shown(
    small_app: AppTest, store: Store, tmp_path: Path, models_folder: Path
) -> None:
    other = open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    audit = keep(other, models_folder)
    Reading(other, audit, other.sign_in("Ada")[0]).open(1)
    export, mark = json.dumps(export_study(other, audit.uid)).encode(), fingerprint(public_key(other.signing_key()))
    other.close()
    store.set_coordinator(WORDS)
    app = as_coordinator(small_app)
    app.file_uploader(key="audit_import").set_value(("export.json", export, "application/json")).run()
    assert store.studies(KIND) == {}
    app.button(key="audit_import_check").click().run()
    assert mark in shown_text(app)
    assert store.studies(KIND) == {}
    app.button(key="audit_import_now").click().run()
    assert "1 new readers" in "".join(str(item.value) for item in app.success)
    assert list(store.studies(KIND)) == [audit.uid]


def test_no_passphrase_is_asked_for_outside_of_a_form(small_app: AppTest, audit: Audit, store: Store) -> None:
    """A field that is left by Tab sends nothing: the eye beside it takes the focus and the field never ends."""
    small_app.run()
    fields = []
    for page, part in (("audit", "set up"), ("audit", "results"), ("audit", "read"), ("teach", None)):
        small_app.switch_page(f"pages/{page}.py").run()
        if part is not None:
            small_app.button_group(key="audit_part").set_value(part).run()
        fields += [item.proto for item in small_app.text_input if item.proto.type == item.proto.PASSWORD]
    assert len(fields) == 6  # twice the two of a new coordinator's, and one for each reader's sign-in
    assert len({field.form_id for field in fields}) == 3
    assert all(field.form_id for field in fields)


@pytest.mark.parametrize(
    ("passphrase", "said"), [("mine alone", "Opens only with its passphrase"), ("", "no passphrase")]
)
def test_who_is_signed_in_sees_whether_the_pseudonym_is_protected(
    small_app: AppTest, audit: Audit, store: Store, passphrase: str, said: str
) -> None:
    small_app.run()
    small_app.switch_page("pages/audit.py").run()
    small_app.text_input(key="study_pseudonym").set_value("Ada")
    small_app.text_input(key="study_passphrase").set_value(passphrase)
    button(small_app, "Sign in").click().run()
    assert said in sent(small_app)
    assert store.is_guarded(store.sign_in("Ada", passphrase)[0].uid) is bool(passphrase)
