"""Right for the right reasons: the criteria that are on an ECG beside what a model booked on their leads and waves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ecgimn.explain.case import Evidence
from ecgimn.explain.measured import PLACES, TEXTBOOK, reasons_of
from ecgimn.explain.sentences import reasons_sentences
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.criteria import CRITERIA, Criterion
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.ptbxl_arrays import STATEMENTS, SUBCLASSES, SUPERCLASSES

INFERIOR = ("II", "III", "aVF")


def evidence(criteria, booked, name="MI", probability=0.9, threshold=0.5):
    """Evidence whose cells hold `booked`, by lead and wave, on an ECG with some criteria."""
    cells = np.zeros((12, len(WAVE_NAMES)))
    for (lead, wave), value in booked.items():
        cells[STANDARD_LEADS.index(lead), WAVE_NAMES.index(wave)] = value
    none = np.zeros((12, 4))
    reading = SimpleNamespace(findings=SimpleNamespace(criteria=tuple(criteria)))
    return Evidence(reading, name, none, none, 0.0, 0.0, float(cells.sum()), probability, cells, none, 0.0, threshold)


def criterion(name="ST elevation", verdict="met", leads=INFERIOR, wave="ST", numbers="III +0.22 mV"):
    return Criterion(name, "source", numbers, verdict, "", leads, wave)


ST = {(lead, "ST"): 0.5 for lead in INFERIOR}
QRS = {(lead, "QRS"): 1.0 for lead in INFERIOR}


def test_a_criterion_that_raises_the_class_is_used():
    found = reasons_of(evidence([criterion()], ST))
    assert found.verdict == "right reasons"
    assert found.reasons[0].use == "used"
    assert found.reasons[0].booked == pytest.approx(1.5)
    assert found.reasons[0].share == pytest.approx(1.0)
    assert reasons_sentences(found) == ("Textbook criteria of MI present and used: ST elevation in II, III and aVF.",)


def test_a_mismatch_names_what_is_there_and_what_decided():
    found = reasons_of(evidence([criterion()], QRS))
    assert found.verdict == "other reasons"
    (sentence,) = reasons_sentences(found)
    assert sentence == "ST elevation (III +0.22 mV) present, not used (0.0); inferior QRS decisive (+3.0)."


def test_a_criterion_that_lowers_the_class_is_counted_against_it():
    found = reasons_of(evidence([criterion()], {("III", "ST"): -0.4, **QRS}))
    assert found.reasons[0].use == "counted against"
    assert "counted against MI (−0.4)" in reasons_sentences(found)[0]


def test_a_small_part_of_much_evidence_is_hardly_used():
    found = reasons_of(evidence([criterion()], {("III", "ST"): 0.2, ("V3", "QRS"): 4.0}))
    assert found.reasons[0].use == "hardly used"


def test_the_network_re_run_may_contradict_the_books():
    measured = np.zeros((12, len(WAVE_NAMES)))
    booked = evidence([criterion()], ST)
    assert reasons_of(booked, measured + 0.3).reasons[0].use == "used"
    against = reasons_of(booked, measured - 0.1)
    assert against.reasons[0].use == "hardly used"
    assert against.reasons[0].measured == pytest.approx(-0.3)


def test_a_called_class_without_any_criterion_says_so_and_a_class_not_called_says_nothing():
    absent = [criterion(verdict="not met")]
    assert reasons_of(evidence(absent, QRS)).verdict == "no criterion"
    assert reasons_sentences(reasons_of(evidence(absent, QRS))) == (
        "No textbook criterion of MI is on this ECG; inferior QRS decisive (+3.0).",
    )
    assert reasons_sentences(reasons_of(evidence(absent, QRS, probability=0.1))) == ()
    blind = [criterion(verdict="not measurable")]
    assert reasons_of(evidence(blind, QRS)).verdict == "not judged"


def test_only_the_criteria_of_the_class_count_and_a_secondary_sign_is_still_a_sign():
    left = criterion("LBBB", leads=("V1",), wave="QRS")
    found = reasons_of(evidence([left, criterion(verdict="may be secondary")], ST))
    assert [reason.criterion.name for reason in found.reasons] == ["ST elevation"]


def test_normal_and_the_difference_of_two_classes_have_no_criteria():
    assert reasons_of(evidence([criterion()], ST, name="NORM")) is None
    assert reasons_of(evidence([criterion()], ST, probability=None)) is None


def test_every_criterion_of_a_class_exists():
    known = {name for name, _, _ in CRITERIA}
    assert {name for names in TEXTBOOK.values() for name in names} <= known


def test_st_elevation_elsewhere_is_no_sign_of_an_inferior_infarction():
    inferior, anterior = criterion(leads=("III", "aVF")), criterion(leads=("V3", "V4"))
    assert reasons_of(evidence([inferior], ST, name="IMI")).reasons
    assert not reasons_of(evidence([anterior], ST, name="IMI")).reasons
    assert reasons_of(evidence([anterior], ST, name="AMI")).reasons


def test_a_statement_of_two_walls_takes_signs_of_both():
    inferior, lateral, anterior = (criterion(leads=leads) for leads in (("II", "III"), ("I", "aVL"), ("V3", "V4")))
    for name, found in (("ILMI", (True, True, False)), ("ALMI", (False, True, True)), ("ASMI", (False, False, True))):
        assert (
            tuple(bool(reasons_of(evidence([one], ST, name=name)).reasons) for one in (inferior, lateral, anterior))
            == found
        )


def test_every_class_that_has_a_place_or_a_criterion_is_one_that_models_know():
    assert PLACES.keys() <= TEXTBOOK.keys() <= {*SUPERCLASSES, *SUBCLASSES, *STATEMENTS}
