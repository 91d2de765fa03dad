"""What the map books is held against what the network says without it; the answer names only what that confirms."""

from dataclasses import replace

import numpy as np
import pytest

from ecgimn.explain.case import open_case
from ecgimn.explain.explanation import explain
from ecgimn.explain.measured import PARTS, Claim, agreement, claims_of, measure_case, parts_of
from ecgimn.explain.sentences import answer, claim_text, leads_text, percent
from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.signal.findings import Finding
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.composites.case import load_composite
from tests.explain.small_cases import CLASSES, small_model, synthetic


@pytest.fixture(scope="module")
def case():
    return open_case(synthetic(), small_model())


@pytest.fixture(scope="module")
def parts(case):
    return parts_of(case.reading)


@pytest.fixture(scope="module")
def measured(case):
    return measure_case(case, small_model())


def test_the_deflections_of_a_lead_add_up_to_its_qrs(case, parts):
    evidence = case.of("A")
    names = [PARTS.index(part) for part in ("Q", "R", "S", "R'", "QS")]
    for lead in range(12):
        total = evidence.contribution[lead][np.isin(parts[lead], names)].sum()
        assert total == pytest.approx(evidence.cells[lead, WAVE_NAMES.index("QRS")], abs=1e-9)


def test_every_other_wave_keeps_its_samples(case, parts):
    for wave in ("P", "PR", "ST", "T", "TP", "unassigned"):
        np.testing.assert_array_equal(parts == PARTS.index(wave), case.reading.waves.labels == WAVE_NAMES.index(wave))


def test_the_deflections_of_a_synthetic_beat_are_q_r_and_s(case, parts):
    """Every lead of the synthetic ECG whose R points up has a small Q before it and an S after it."""
    row = STANDARD_LEADS.index("V4")
    found = {PARTS[part] for part in np.unique(parts[row])}
    assert {"Q", "R", "S"} <= found
    assert "QS" not in found
    level = case.reading.levels[row]
    r = parts[row] == PARTS.index("R")
    assert np.median(case.recording.signal[row][r]) > level


def test_a_cell_is_measured_by_running_the_network_without_it(case, measured):
    row, column = STANDARD_LEADS.index("V3"), WAVE_NAMES.index("T")
    signal = np.array(case.recording.signal, dtype=float)
    signal[row, case.reading.waves.labels[row] == column] = case.reading.levels[row]
    without = explain(case.recording.with_signal(signal), small_model())
    lost = case.explanation.logit - without.logit
    np.testing.assert_allclose(measured.cells[:, row, column], lost, atol=1e-4)


def test_a_territory_is_taken_out_as_a_whole(case, measured):
    column, rows = WAVE_NAMES.index("QRS"), [STANDARD_LEADS.index(lead) for lead in TERRITORIES["inferior"]]
    inside = np.zeros(case.recording.signal.shape, dtype=bool)
    inside[rows] = case.reading.waves.labels[rows] == column
    signal = np.where(inside, case.reading.levels[:, None], case.recording.signal)
    without = explain(case.recording.with_signal(signal), small_model())
    place = list(TERRITORIES).index("inferior")
    np.testing.assert_allclose(
        measured.territories[:, place, column], case.explanation.logit - without.logit, atol=1e-4
    )


def test_a_difference_of_classes_is_measured_as_the_difference(measured):
    np.testing.assert_allclose(measured.of("A", "C"), measured.of("A") - measured.of("C"))


@pytest.mark.parametrize(
    ("booked", "taken_out", "wanted"),
    [
        (1.0, 0.85, "confirmed"), (1.0, 1.2, "confirmed"), (0.05, -0.04, "confirmed"), (1.0, 0.3, "about"),
        (-1.0, -3.0, "about"), (1.0, -0.2, "not confirmed"), (0.2, 0.0, "not confirmed"),
    ],
)  # fmt: skip
def test_agreement_is_a_fifth_or_a_tenth_of_a_logit_else_the_same_sign(booked, taken_out, wanted):
    assert agreement(booked, taken_out) == wanted


def test_claims_are_booked_as_the_map_has_them_and_speak_in_one_direction(case, parts):
    for name in CLASSES:
        evidence = case.of(name)
        for claim in claims_of(evidence, parts):
            rows = [STANDARD_LEADS.index(lead) for lead in claim.leads]
            inside = parts[rows] == PARTS.index(claim.part)
            assert claim.booked == pytest.approx(evidence.contribution[rows][inside].sum())
            assert claim.booked * evidence.total > 0


def test_the_answer_names_only_what_the_network_confirms(case):
    evidence = case.of("A")
    sure = Claim("R", ("III", "aVF"), 1.0, 0.9, 0.4)
    wrong = Claim("T", ("V2", "V3", "V4"), 0.8, -0.5, 0.9)
    text = " ".join(answer(evidence, (sure, wrong)).sentences)
    assert "R waves in III and aVF" in text
    assert "V2" not in text
    assert "→ 40 %" in text
    assert "No wave that the map names is confirmed" in " ".join(answer(evidence, (wrong,)).sentences)


def test_before_it_is_measured_nothing_is_named(case):
    assert answer(case.of("A"), (Claim("R", ("III",), 1.0),)).sentences == ()


def test_the_answer_gives_percent_and_threshold():
    within = open_case(load_composite("norm"), small_model())  # what lies outside is neither above nor below
    evidence = replace(within.of("A"), probability=0.954, threshold=0.23)
    assert answer(evidence, ()).text == "A 95 %, above its threshold (23 %)"
    assert answer(replace(evidence, probability=0.1), ()).text == "A 10 %, below its threshold (23 %)"


@pytest.mark.parametrize(("value", "text"), [(0.0004, "<1 %"), (0.5, "50 %"), (0.999, ">99 %"), (0.01, "1 %")])
def test_percent_never_says_never_or_always(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("leads", "text"),
    [
        (("III", "aVF"), "III and aVF"), (("aVL",), "aVL"), (("V4", "V2", "V3"), "V2–V4"),
        (("I", "aVL", "V5", "V6"), "I, aVL, V5 and V6"), (("I", "V1", "V2", "V3", "V6"), "I, V1–V3 and V6"),
        (STANDARD_LEADS[:10], "most leads"),
    ],
)  # fmt: skip
def test_leads_are_listed_as_a_reader_says_them(leads, text):
    assert leads_text(leads) == text


@pytest.mark.parametrize(
    ("part", "kind", "word"),
    [
        ("T", "T inversion", "T-wave inversion"),
        ("ST", "ST elevation", "ST elevation"),
        ("ST", "ST depression", "ST depression"),
    ],
)
def test_a_wave_is_called_raised_lowered_or_inverted_where_the_verdict_says_so(case, part, kind, word):
    reading, chest = case.reading, ("V4", "V5", "V6")
    claim, plain = Claim(part, chest, 1.0, 1.0, 0.1), "T waves" if part == "T" else "ST segments"

    def said(leads, verdict):
        items = (Finding(kind, "", leads, verdict),)
        return claim_text(claim, replace(reading, findings=replace(reading.findings, items=items)))

    assert said(chest, "meets") == f"{word} in V4–V6"
    assert said(chest[:2], "meets") == f"{plain} in V4–V6"
    assert said(chest, "withheld") == f"{plain} in V4–V6"
