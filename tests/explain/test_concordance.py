"""Concordance is 1 where all evidence lies on abnormal leads, and undefined where there is nothing to compare."""

from types import SimpleNamespace

import numpy as np
import pytest

from ecgimn.explain.case import Evidence
from ecgimn.explain.sentences import Concordance, abnormal_leads, case_concordance, describe_concordance
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves.find import WAVE_NAMES


def reading(levels, inverted=()):
    return SimpleNamespace(
        j60_mv=dict(zip(STANDARD_LEADS, levels, strict=True)), findings=SimpleNamespace(t_inversion_leads=inverted)
    )


def evidence(read, st_by_lead):
    cells = np.zeros((12, len(WAVE_NAMES)))
    cells[:, WAVE_NAMES.index("ST")] = st_by_lead
    none = np.zeros((12, 1))
    return Evidence(read, "MI", none, none, 0.0, 0.0, float(cells.sum()), 0.5, cells, none, 0.0)


def test_an_elevation_a_depression_and_an_inverted_t_are_abnormal():
    levels = np.zeros(12)
    levels[7], levels[2] = 0.1, -0.12
    found = abnormal_leads(reading(levels, inverted=("V6",)))
    assert [lead for lead, abnormal in zip(STANDARD_LEADS, found, strict=True) if abnormal] == ["III", "V2", "V6"]


def test_evidence_on_abnormal_leads_only_is_full_concordance():
    levels = np.where(np.isin(STANDARD_LEADS, ("V2", "V3")), 0.2, 0.0)
    case = case_concordance(evidence(reading(levels), levels * 5 - 0.1))
    assert case == Concordance("MI", ("V2", "V3"), 1.0, pytest.approx(2 / 12), 1.0)


def test_evidence_without_order_ranks_the_leads_by_chance():
    levels = np.where(np.isin(STANDARD_LEADS, ("V2", "V3")), 0.2, 0.0)
    case = case_concordance(evidence(reading(levels), np.ones(12)))
    assert case.auroc == 0.5
    assert case.share == pytest.approx(case.expected)


def test_the_comparison_is_told_with_its_chance_or_not_at_all():
    words = describe_concordance(Concordance("MI", ("II", "III"), 0.634, 2 / 12, 0.81))
    assert "63 % lies on the leads" in words
    assert "(II, III), 17 % of the leads" in words
    assert "AUROC 0.81 (chance 0.50)" in words
    assert describe_concordance(None) == ""


def test_without_abnormal_leads_or_evidence_there_is_nothing_to_compare():
    assert case_concordance(evidence(reading(np.zeros(12)), np.ones(12))) is None
    levels = np.where(np.isin(STANDARD_LEADS, ("V2",)), 0.2, 0.0)
    assert case_concordance(evidence(reading(levels), -np.ones(12))) is None
