"""Readers' boxes against a map: small examples by hand, and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sklearn.metrics import f1_score, roc_auc_score

from ecgimn.errors import StudyError
from ecgimn.study.definition import MarkedBox, repeat_over_beats
from ecgimn.study.results import cells_of, dice, dice_with_map, mass_inside, point_auroc, pointing_hit, strongest


def test_a_box_marks_the_cells_whose_middle_it_holds() -> None:
    cells = cells_of([{"lead": "V2", "start_ms": 80, "stop_ms": 160}], 10)
    assert np.flatnonzero(cells[7]).tolist() == [2, 3]
    assert cells.sum() == 2


def test_a_box_narrower_than_a_cell_marks_that_cell() -> None:
    assert np.flatnonzero(cells_of([{"lead": "I", "start_ms": 121, "stop_ms": 125}], 10)[0]).tolist() == [3]


@pytest.mark.parametrize(
    "box",
    [
        {"lead": "V9", "start_ms": 0, "stop_ms": 10},
        {"lead": "V2", "start_ms": 10, "stop_ms": 10},
        {"lead": "V2", "start_ms": -1, "stop_ms": 10},
        {"lead": "V2", "start_ms": 0, "stop_ms": float("nan")},
        {"start_ms": 0, "stop_ms": 10},
    ],
)
def test_a_box_that_lies_nowhere_is_refused(box: dict[str, object]) -> None:
    with pytest.raises(StudyError, match="Draw it again"):
        cells_of([box], 10)


@given(some.integers(0, 2**31), some.integers(1, 40))
def test_the_scores_are_those_of_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-3, 4, (12, 10)).astype(float)  # with many ties
    cells = np.zeros(120, dtype=bool)
    cells[rng.permutation(120)[:n]] = True
    cells = cells.reshape(12, 10)
    assert point_auroc(cells, values) == pytest.approx(roc_auc_score(cells.ravel(), values.ravel()))
    # Over cells, Dice is the F1 score.
    expected = f1_score(cells.ravel(), strongest(values, n).ravel())
    assert dice_with_map(cells, values) == pytest.approx(expected)


def test_scores_by_hand() -> None:
    values = np.array([[4.0, -5.0, 1.0, 0.0]])
    cells = np.array([[True, True, False, False]])
    assert point_auroc(cells, values) == 0.5  # 4 beats both outside, -5 none
    assert dice_with_map(cells, values) == 0.5  # the strongest two are 4 and 1
    assert pointing_hit(cells, values) is True
    assert mass_inside(cells, values) == 0.9
    assert dice(cells, np.array([[True, False, True, False]])) == 0.5


def test_without_boxes_there_is_no_score() -> None:
    none, values = np.zeros((12, 4), dtype=bool), np.ones((12, 4))
    assert [f(none, values) for f in (point_auroc, dice_with_map, pointing_hit, mass_inside)] == [None] * 4
    assert dice(none, none) is None


def test_a_box_repeats_at_the_same_distance_from_every_beat() -> None:
    boxes = repeat_over_beats(MarkedBox("II", 1100, 1200, "raised ST"), [200, 1000, 1950], 2000)
    assert [(b.start_ms, b.stop_ms) for b in boxes] == [(300, 400), (1100, 1200)]  # the third lies beyond the end
    assert {b.note for b in boxes} == {"raised ST"}
