"""The difference of two classes is a linear model as exact as each of them."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecgimn.draw.print.case import case_export
from ecgimn.draw.view import View
from ecgimn.explain.case import difference_name, open_case
from ecgimn.explain.ledger import book
from ecgimn.explain.sentences import describe_evidence, sum_of_evidence
from tests.explain.small_cases import CLASSES, small_case, small_model

PAIRS = [(j, k) for j in CLASSES for k in CLASSES if j != k]


@pytest.fixture(scope="module")
def case():
    return small_case()


@pytest.fixture(scope="module")
def whole(case):
    return case.explanation


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_map_and_bias_of_a_contrast_add_up_to_the_difference_of_the_logits(case, whole, first, second):
    gap = case.of(first, second)
    wanted = whole.logit[whole.index(first)] - whole.logit[whole.index(second)]
    assert gap.name == difference_name(first, second)
    assert gap.contribution.sum() + gap.baseline + gap.bias == pytest.approx(wanted, abs=1e-5)
    assert (gap.weights * case.recording.signal).sum() + gap.bias == pytest.approx(wanted, abs=1e-5)
    assert gap.logit == pytest.approx(wanted, abs=1e-12)
    assert gap.is_difference
    assert gap.probability is None
    assert gap.threshold is None


@given(pair=some.sampled_from(PAIRS), scale=some.floats(-2, 2))
def test_a_contrast_is_linear_in_the_recording(case, pair, scale):
    """With the weights held, any scaled ECG scores the difference of what the two classes score."""
    x = scale * case.recording.signal
    each = [float((case.of(name).weights * x).sum()) for name in pair]
    assert float((case.of(*pair).weights * x).sum()) == pytest.approx(each[0] - each[1], abs=1e-6)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_turning_a_contrast_around_turns_every_sign(case, first, second):
    there, back = case.of(first, second), case.of(second, first)
    for name in ("weights", "contribution", "cells", "beats"):
        np.testing.assert_array_equal(getattr(there, name), -getattr(back, name))
    assert (there.logit, there.bias, there.baseline) == (-back.logit, -back.bias, -back.baseline)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_ledger_of_a_contrast_is_the_ledger_of_the_difference(case, first, second):
    gap = case.of(first, second)
    cells, beats = book(gap.contribution, case.reading.waves)
    np.testing.assert_allclose(gap.cells, cells, atol=1e-9)
    np.testing.assert_allclose(gap.beats, beats, atol=1e-9)
    assert gap.cells.sum() + gap.baseline + gap.bias == pytest.approx(gap.logit, abs=1e-4)
    assert gap.residual < 1e-4


def test_a_class_minus_itself_or_minus_none_is_the_class(case):
    assert case.of("A", "A").logit == case.of("A", None).logit == case.of("A").logit
    assert case.of("A", "A").probability == case.of("A").probability


def test_the_spread_of_a_contrast_bounds_the_true_one(case):
    model = small_model()
    members = [open_case(case.recording, type(model)(model.card, (net,), model.device)) for net in model.networks]
    true = np.std([one.of("A", "B").weights for one in members], axis=0, ddof=1)
    assert (true <= case.of("A", "B").spread + 1e-9).all()
    assert members[0].of("A", "B").spread is None


def test_words_and_sum_of_a_contrast_name_no_probability(case, whole):
    gap = case.of("A", "B")
    total = sum_of_evidence(gap)
    ratio = np.exp(whole.logit[0] - whole.logit[1])
    assert total.outcome == f"ratio of the odds {ratio:.2g}"
    assert total.bias + total.evidence == pytest.approx(total.logit, abs=1e-4)
    words = " ".join(describe_evidence(gap))
    assert difference_name("A", "B") in words
    assert "probability" not in words


def test_exports_hold_the_contrast_that_was_on_the_screen(case, whole):
    shown = {"class_name": "A", "against": "C", "view": View()}
    table = case_export("csv", case, **shown).decode()
    rows = list(csv.reader(io.StringIO("".join(line for line in table.splitlines(True) if line[0] != "#"))))
    of_contrast = [row for row in rows if row[0] == difference_name("A", "C")]
    cells = sum(float(row[3]) for row in of_contrast if row[1] or row[2] in ("baseline", "bias"))
    assert cells == pytest.approx(whole.logit[0] - whole.logit[2], abs=1e-4)
    content = case_export("json", case, **shown)
    assert b'"against": "C"' in content
    assert case_export("svg", case, **shown).count(b"<image") >= 1
