"""Figures agree with another library, and intervals come from patients."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ecgimn.evaluate.metrics import (
    auroc,
    average_precision,
    conformal_limits,
    estimate,
    fit_affine,
    operating_point,
    patient_weights,
    reliability,
    sensitivity_threshold,
    wilson,
    youden_threshold,
)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    target = (rng.random(400) < 0.3).astype(np.uint8)
    return target, np.round(target + rng.standard_normal(400), 1)  # rounded, so that there are ties


def test_auroc_agrees_with_scikit_learn_ties_included(sample):
    target, score = sample
    assert auroc(target, score)[0] == pytest.approx(roc_auc_score(target, score))


def test_weighted_auroc_is_that_of_repeated_records(sample):
    target, score = sample
    weight = np.random.default_rng(1).integers(0, 3, len(target)).astype(float)
    rows = np.repeat(np.arange(len(target)), weight.astype(int))
    assert auroc(target, score, weight[None])[0] == pytest.approx(roc_auc_score(target[rows], score[rows]))


def test_average_precision_agrees_with_scikit_learn(sample):
    target, _ = sample
    score = np.random.default_rng(2).permutation(len(target)) + 50.5 * target  # no ties
    assert average_precision(target, score) == pytest.approx(average_precision_score(target, score))


def test_patients_are_drawn_whole():
    patients = np.array([7, 7, 3, 3, 3, 9])
    weights = patient_weights(patients, n=50)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, 2], weights[:, 4])
    assert (weights[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_the_interval_holds_the_value(sample):
    target, score = sample
    found = estimate(lambda w: auroc(target, score, w), patient_weights(np.arange(len(target))))
    assert found.low < found.value < found.high


def test_affine_calibration_undoes_a_wrong_scale():
    rng = np.random.default_rng(3)
    truth = rng.normal(-1.0, 2.0, 20_000)
    target = (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(np.uint8)
    scale, offset = fit_affine(target, (truth - 0.7) / 1.6)
    assert scale == pytest.approx(1.6, abs=0.1)
    assert offset == pytest.approx(0.7, abs=0.1)
    assert reliability(target, 1 / (1 + np.exp(-(scale * (truth - 0.7) / 1.6 + offset)))).ece < 0.01


def test_too_few_positives_are_left_uncalibrated():
    target = np.zeros(100, dtype=np.uint8)
    target[:3] = 1
    assert fit_affine(target, np.linspace(-1, 1, 100)) == (1.0, 0.0)


def test_thresholds_find_what_they_promise(sample):
    target, score = sample
    probability = 1 / (1 + np.exp(-score))
    found = operating_point(target, probability, sensitivity_threshold(target, probability))
    assert found["sensitivity"] >= 0.9
    best = operating_point(target, probability, youden_threshold(target, probability))
    grid = [operating_point(target, probability, t) for t in np.unique(probability)]
    assert best["sensitivity"] + best["specificity"] == pytest.approx(
        max(g["sensitivity"] + g["specificity"] for g in grid), abs=1e-4
    )


@pytest.mark.parametrize("miss_rate", [0.05, 0.1])
def test_conformal_limits_keep_their_promise_for_new_people(miss_rate):
    rng = np.random.default_rng(7)
    missed, called = [], []
    for _ in range(200):
        target = (rng.random(300) < 0.4).astype(np.uint8)
        probability = 1 / (1 + np.exp(-(2.0 * target - 1.0 + rng.standard_normal(300))))
        made = np.arange(300) < 150
        low, high = conformal_limits(target[made], probability[made], miss_rate)
        missed.append((probability[~made & (target == 1)] < low).mean())
        called.append((probability[~made & (target == 0)] > high).mean())
    for rates in (missed, called):
        assert 0.5 * miss_rate < np.mean(rates) <= miss_rate + 0.003


def test_where_too_few_are_known_no_limit_promises_anything():
    target = np.array([1] * 10 + [0] * 10, dtype=np.uint8)
    assert conformal_limits(target, np.linspace(0.9, 0.1, 20), 0.05) == (0.0, 1.0)


def test_the_interval_of_a_share_is_wilsons():
    assert wilson(5, 100) == pytest.approx((0.0215, 0.1118), abs=1e-3)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-4)  # Newcombe 1998, table I
    assert wilson(0, 40)[0] == 0.0
    assert wilson(0, 0) == (0.0, 1.0)
