"""What the map books is held against what is lost without it, and the bound on the card covers what it says."""

from types import SimpleNamespace

import numpy as np
import pytest

from ecgimn.draw.charts.card import taken_out_rows, taken_out_words
from ecgimn.evaluate.fidelity import COVERS, TakenOut, booked_against_measured, drawn_leads, measure_taken_out, take_out
from ecgimn.explain.case import open_case
from ecgimn.explain.measured import margins, measure_case
from ecgimn.signal.waves.find import WAVE_NAMES
from tests.explain.small_cases import CLASSES, small_model, synthetic

QRS = WAVE_NAMES.index("QRS")


def taken(n=400, classes=2, seed=0, share=0.3):
    """Cells whose measured size is off by a share of the booked one that differs from wave to wave."""
    rng = np.random.default_rng(seed)
    booked = rng.normal(scale=0.6, size=(n, classes, 12, len(WAVE_NAMES)))
    off = share * (1 + np.arange(len(WAVE_NAMES))) * rng.normal(size=booked.shape) * (0.1 + np.abs(booked))
    return TakenOut(np.arange(n) // 2, booked, booked + off)  # two records a patient


def test_the_bound_covers_nine_tenths_of_the_cells_of_other_patients():
    found = booked_against_measured(taken(), ("A", "B"))
    assert found["covered"] == pytest.approx(COVERS, abs=0.02)
    for row in found["classes"].values():
        for wave in WAVE_NAMES:
            assert row["covered"][wave] == pytest.approx(COVERS, abs=0.03)


def test_a_wave_that_is_off_by_more_has_a_wider_bound():
    bounds = list(booked_against_measured(taken(), ("A", "B"))["classes"]["A"]["bound"].values())
    assert bounds == sorted(bounds)
    assert bounds[-1] > 4 * bounds[0]


def test_all_records_of_a_patient_are_on_one_side():
    """The half that is checked is off by ten times as much: were a patient on both sides, the bound would know it."""
    rows = taken(n=40)
    one = TakenOut(np.where(np.arange(40) < 20, 1, 2), rows.booked, rows.measured)
    found = booked_against_measured(one, ("A", "B"))
    assert (found["n_bound"], found["n_checked"]) == (20, 20)


def test_the_share_confirmed_counts_cells_within_a_fifth_or_a_tenth_of_a_logit():
    booked = np.full((4, 1, 12, len(WAVE_NAMES)), np.nan)
    measured = booked.copy()
    booked[:, 0, 0, QRS], measured[:, 0, 0, QRS] = (1.0, 1.0, -0.02, -0.5), (1.19, 0.5, 0.07, 0.5)
    row = booked_against_measured(TakenOut(np.arange(4), booked, measured), ("A",))["classes"]["A"]
    assert row["confirmed"]["QRS"] == 0.5
    assert row["confirmed_strong"]["QRS"] == pytest.approx(1 / 3, abs=1e-4)
    assert row["n_strong"]["QRS"] == 3
    assert row["confirmed"]["T"] is None
    assert row["bound"]["QRS"] is None  # two records give no bound for nine in ten


def test_the_waves_of_the_drawn_leads_are_taken_out_as_on_the_page():
    case = open_case(synthetic(), small_model())
    booked, measured = take_out(case.reading, small_model(), [0, 7])
    whole = measure_case(case, small_model())
    np.testing.assert_allclose(measured[:, [0, 7]], whole.cells[:, [0, 7]], atol=1e-5)
    there = np.isfinite(whole.cells[:, [0, 7]])
    np.testing.assert_allclose(booked[:, [0, 7]][there], case.ledger.cells[:, [0, 7]][there], atol=1e-9)
    assert np.isnan(booked[:, [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]]).all()


def test_the_leads_drawn_differ_from_record_to_record_and_not_from_run_to_run():
    assert drawn_leads(3) == drawn_leads(3)
    assert len({tuple(drawn_leads(number)) for number in range(20)}) > 15


class Folder:
    """A PTB-XL folder with synthetic records of one fold."""

    def __init__(self, n):
        self.n = n
        self.table = SimpleNamespace(loc={(number, "patient_id"): number for number in range(n)})

    def ids(self, folds, *, fs):
        assert list(folds) == [9]
        return np.arange(self.n)

    def recording(self, ecg_id, fs):
        return synthetic(fs=float(fs), seed=ecg_id)


def test_a_bound_is_stored_so_that_a_reader_finds_it_and_says_so_in_words():
    found = measure_taken_out(small_model(), Folder(6), 4)
    assert found["n"] == 4
    metrics = {"taken_out": found}
    model = small_model()
    card = SimpleNamespace(metrics=metrics)
    cells = open_case(synthetic(), model).ledger.of("A")
    bound = found["classes"]["A"]["bound"]["QRS"]
    wanted = bound * (found["floor"] + abs(cells[2, QRS]))
    assert margins(card, "A", cells)[2, QRS] == pytest.approx(wanted)
    assert np.isnan(margins(card, "A − B", cells)).all()
    assert np.isnan(margins(SimpleNamespace(metrics={}), "A", cells)).all()
    assert "4 records of fold 9" in taken_out_words(metrics)
    rows = taken_out_rows(metrics)
    assert [row["Class"] for row in rows] == list(CLASSES)
    assert "±" in rows[0]["QRS"]
    assert taken_out_words({}) == ""
    assert taken_out_rows({}) == []


def test_without_such_records_nothing_is_said():
    assert measure_taken_out(small_model(), Folder(0), 4) is None
