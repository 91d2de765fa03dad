"""Agreement beyond chance: worked examples of the literature, and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sklearn.metrics import cohen_kappa_score

from ecgimn.evaluate.metrics import ratio
from ecgimn.study.results import bootstrap_weights, cohen_kappa, count_table, estimate, fleiss_kappa, gwet_ac1

# Fleiss 1971, Table 1: 30 patients, 6 psychiatrists, 5 diagnoses; kappa .430. As data set "diagnoses" of the R package
# irr, whose kappam.fleiss gives 0.4302445.
FLEISS_1971 = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444
224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333
555555"""
# 100 pregnancies and two abstractors, Gwet 2014: kappa2.table and gwet.ac1.table of the R package irrCAC 1.0 give
# 0.7964094 and 0.8493305.
GWET_2014 = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
# 12 units, 4 readers, some ratings missing, Gwet 2014 (cac.raw4raters of irrCAC): AC1 0.77544, Fleiss' kappa 0.76117.
MISSING = "11-1 2232 3333 3333 2222 1234 4444 1121 2222 -555 --11 --3-"
# 125 cases, two readers, nearly all positive: the paradox that AC1 is meant for. Kappa is below zero by its formula.
PARADOX = [[118, 5], [2, 0]]


def spread(table: list[list[int]]) -> tuple[list[str], list[str]]:
    """Ratings of two readers that a table counts."""
    cells = [(str(i), str(j)) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return [a for a, _ in cells], [b for _, b in cells]


def test_cohens_kappa_of_a_published_table() -> None:
    first, second = spread(GWET_2014)
    assert cohen_kappa(first, second)[0] == pytest.approx(0.7964094, abs=5e-8)


def test_gwets_ac1_of_a_published_table() -> None:
    counts = count_table(list(zip(*spread(GWET_2014), strict=True)), ["0", "1", "2"])
    assert gwet_ac1(counts)[0] == pytest.approx(0.8493305, abs=5e-8)


def test_fleiss_kappa_of_his_own_example() -> None:
    counts = count_table([list(row) for row in FLEISS_1971.split()], list("12345"))
    assert fleiss_kappa(counts)[0] == pytest.approx(0.4302445, abs=5e-8)


def test_missing_ratings_are_left_out_as_gwet_does() -> None:
    ratings = [[None if mark == "-" else mark for mark in unit] for unit in MISSING.split()]
    counts = count_table(ratings, list("12345"))
    assert gwet_ac1(counts)[0] == pytest.approx(0.77544, abs=5e-6)
    assert fleiss_kappa(counts)[0] == pytest.approx(0.76117, abs=5e-6)


def test_ac1_stays_high_where_nearly_all_cases_are_alike_and_kappa_does_not() -> None:
    first, second = spread(PARADOX)
    counts = count_table(list(zip(first, second, strict=True)), ["0", "1"])
    share = 243 / 250  # of "0" among all 250 ratings
    chance = 2 * share * (1 - share)
    assert gwet_ac1(counts)[0] == pytest.approx((118 / 125 - chance) / (1 - chance))
    assert gwet_ac1(counts)[0] > 0.94
    assert cohen_kappa(first, second)[0] < 0


@given(some.lists(some.tuples(some.sampled_from("ABC"), some.sampled_from("ABC")), min_size=2, max_size=40))
def test_cohens_kappa_is_that_of_scikit_learn(ratings: list[tuple[str, str]]) -> None:
    first, second = [a for a, _ in ratings], [b for _, b in ratings]
    if len({*first, *second}) > 1:
        assert cohen_kappa(first, second)[0] == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_kappa_is_undefined_where_only_one_category_was_used() -> None:
    assert estimate(lambda w: cohen_kappa(["A"] * 5, ["A"] * 5, w), 5) is None


def test_weights_repeat_cases() -> None:
    first, second = list("AABBC"), list("ABBBA")
    weights = np.array([[2.0, 1.0, 0.0, 3.0, 1.0]])
    repeated = [i for i, n in enumerate([2, 1, 0, 3, 1]) for _ in range(n)]
    expected = cohen_kappa([first[i] for i in repeated], [second[i] for i in repeated])
    assert cohen_kappa(first, second, weights) == pytest.approx(expected)
    counts = count_table(list(zip(first, second, strict=True)), list("ABC"))
    assert fleiss_kappa(counts, weights) == pytest.approx(fleiss_kappa(counts[repeated]))
    assert gwet_ac1(counts, weights) == pytest.approx(gwet_ac1(counts[repeated]))


def test_an_interval_holds_the_value_and_narrows_with_more_cases() -> None:
    widths = []
    for n in (20, 200):
        hits = np.arange(n) % 2 + 0.0
        value, low, high = estimate(lambda w, hits=hits: ratio(hits, np.ones(len(hits)), w), n) or (0, 0, 0)
        assert low < value == 0.5 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    # The standard error of a proportion of 1/2 over 200 cases is .035; 95 % are 3.92 of them.
    assert widths[1] == pytest.approx(3.92 * (0.25 / 200) ** 0.5, rel=0.15)


def test_the_bootstrap_is_the_same_each_time() -> None:
    assert np.array_equal(bootstrap_weights(7), bootstrap_weights(7))
    assert (bootstrap_weights(7).sum(axis=1) == 7).all()
