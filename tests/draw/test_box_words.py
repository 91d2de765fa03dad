"""The three answers in words: every number with its unit and sign, both ways of asking named."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.draw.words import case as box_words
from ecgimn.explain.box import Box, BoxEvidence, BoxIntervention, BoxMeasures
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.intervals import Measured

NO_RR = Measured(None, "/min", "too short")
NO_QT = {name: Measured(None, "ms", "two beats are needed") for name in ("Bazett", "Fridericia")}
QT = {"Bazett": Measured(447.2, "ms"), "Fridericia": Measured(430.9, "ms")}


def measured(width_ms=400.0, height_mv=0.244, rate=NO_RR, qtc=QT, level_mv=None):
    return BoxMeasures(width_ms, height_mv, rate, qtc, level_mv or {"V3": 0.181, "V4": float("nan")})


def evidence(by_lead, total, share):
    return BoxEvidence("MI", by_lead, sum(by_lead.values()), total, share, 0.043, 0.0067)


def test_the_title_names_leads_and_milliseconds():
    assert box_words.title(Box(("V3", "V4"), 1.24, 1.32)) == "V3, V4 · 1,240–1,320 ms"
    assert box_words.title(Box(STANDARD_LEADS, 0, 10)) == "all 12 leads · 0–10,000 ms"


def test_the_caliper_prints_ms_mv_and_mm_of_a_tenth_of_a_millivolt():
    words = box_words.caliper_words(measured(rate=Measured(150.0, "/min")))
    assert words.startswith("**400 ms** × **0.24 mV** (2.4 mm) · as RR 150/min")
    assert "QTc 447 (Bazett), 431 (Fridericia) ms" in words


def test_a_typed_box_has_no_height_and_a_narrow_one_no_rate():
    words = box_words.caliper_words(measured(80.0, None, qtc=NO_QT))
    assert "mV" not in words
    assert "too short or too long" in words


def test_where_there_is_no_rr_qtc_is_a_dash_with_the_reason():
    words = box_words.caliper_words(measured(rate=Measured(150.0, "/min"), qtc=NO_QT))
    assert "QTc — (two beats are needed)" in words


def test_the_evidence_is_printed_with_its_sign_and_its_part_of_the_total():
    words = box_words.evidence_words(evidence({"V3": 0.30, "V4": 0.12}, 3.33, 0.126))
    assert words.startswith("**+0.42 logit** of +3.33 for MI (13 %)")
    assert "4.3 % of all |contribution| on 0.7 % of the samples" in words
    against = box_words.evidence_words(evidence({"V3": -0.42}, 3.33, -0.126))
    assert against.startswith("**−0.42 logit** of +3.33 for MI (−13 %)")
    assert (
        box_words.evidence_words(evidence({"V3": 0.42}, 3.33, 0.126), logits=False) == "**13 %** of the evidence for MI"
    )
    assert "(" not in box_words.evidence_words(evidence({"V3": 0.1}, 0.0, None)).split(";")[0]


def test_leads_come_strongest_first_and_the_rest_is_added_up():
    by_lead = {"I": 0.01, "II": -0.4, "III": 0.2, "V1": 0.1, "V2": 0.05, "V3": 0.02}
    words = box_words.lead_words(evidence(by_lead, 1.0, 0.0), measured(level_mv=dict.fromkeys(by_lead, 0.1)))
    assert words.startswith("II **−0.40** (mean +0.10 mV) · III **+0.20**")
    assert words.endswith("2 more +0.03")
    assert "mean" not in box_words.lead_words(evidence({"V4": 0.1}, 1.0, 0.1), measured()).split("V4")[1]


@pytest.mark.parametrize("fill", ["isoelectric", "line"])
def test_the_table_names_both_answers_and_their_change(fill):
    found = BoxIntervention(fill, ("NORM", "MI"), np.array([0.0, 2.0]), np.array([0.0, -1.0]), np.array([0.0, -0.5]))
    answer = found.of("MI")
    table = box_words.without_table([answer])
    assert "map predicts" in table
    assert "network re-run" in table
    assert "| **73 %** (−1.00) | **82 %** (−0.50) |" in table
    assert "| **73 %** | **82 %** |" in box_words.without_table([answer], logits=False)
    assert "MI **88 %**" in box_words.without_words([answer])
    both = found.of("MI", "NORM")
    assert f"{both.name} **+2.00**" in box_words.without_words([both])  # a difference has no probability
    assert "| **+1.00** (−1.00) | **+1.50** (−0.50) |" in box_words.without_table([both])
