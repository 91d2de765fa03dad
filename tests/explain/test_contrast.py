"""The difference of two classes is a linear model as exact as each of them."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecgimn.draw.print.case import case_export
from ecgimn.draw.view import View
from ecgimn.explain.explanation import contrast, contrast_name, explain, one_class
from ecgimn.explain.ledger import make_ledger
from ecgimn.explain.sentences import describe_evidence, sum_of_evidence
from ecgimn.signal.reading import read_signal
from tests.explain.small_cases import CLASSES, small_model, synthetic

PAIRS = [(j, k) for j in CLASSES for k in CLASSES if j != k]


@pytest.fixture(scope="module")
def read():
    return read_signal(synthetic())


@pytest.fixture(scope="module")
def whole(read):
    return explain(read.recording, small_model())


@pytest.fixture(scope="module")
def ledger(whole, read):
    return make_ledger(whole, read.recording, read.waves, read.levels)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_map_and_bias_of_a_contrast_add_up_to_the_difference_of_the_logits(whole, first, second):
    gap = contrast(whole, first, second)
    wanted = whole.logit[whole.index(first)] - whole.logit[whole.index(second)]
    assert gap.classes == (contrast_name(first, second),)
    assert gap.attribution.sum() + gap.bias[0] == pytest.approx(wanted, abs=1e-5)
    assert gap.logit[0] == pytest.approx(wanted, abs=1e-12)
    assert np.isnan(gap.probability[0])


@given(pair=some.sampled_from(PAIRS), scale=some.floats(-2, 2))
def test_a_contrast_is_linear_in_the_recording(whole, read, pair, scale):
    """With the weights held, any scaled ECG scores the difference of what the two classes score."""
    gap, (first, second) = contrast(whole, *pair), pair
    x = scale * read.recording.signal
    each = [float((one_class(whole, name).weights[0] * x).sum()) for name in (first, second)]
    assert float((gap.weights[0] * x).sum()) == pytest.approx(each[0] - each[1], abs=1e-6)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_turning_a_contrast_around_turns_every_sign(whole, ledger, first, second):
    there, back = contrast(whole, first, second), contrast(whole, second, first)
    np.testing.assert_array_equal(there.attribution, -back.attribution)
    np.testing.assert_array_equal(ledger.contrast(first, second).cells, -ledger.contrast(second, first).cells)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_ledger_of_a_contrast_is_the_ledger_of_the_difference(whole, ledger, read, first, second):
    booked = make_ledger(contrast(whole, first, second), read.recording, read.waves, read.levels)
    taken = ledger.contrast(first, second)
    np.testing.assert_allclose(taken.cells, booked.cells, atol=1e-9)
    np.testing.assert_allclose(taken.beats, booked.beats, atol=1e-9)
    assert taken.cells.sum() + taken.baseline[0] + taken.bias[0] == pytest.approx(float(taken.logit[0]), abs=1e-4)
    assert taken.residual < 1e-4


def test_the_spread_of_a_contrast_bounds_the_true_one(read):
    model = small_model()
    whole = explain(read.recording, model)
    members = [explain(read.recording, type(model)(model.card, (net,), model.device)) for net in model.networks]
    true = np.std([contrast(one, "A", "B").weights[0] for one in members], axis=0, ddof=1)
    assert (true <= contrast(whole, "A", "B").spread[0] + 1e-9).all()


def test_words_and_sum_of_a_contrast_name_no_probability(whole, ledger, read):
    name = contrast_name("A", "B")
    gap, taken = contrast(whole, "A", "B"), ledger.contrast("A", "B")
    total = sum_of_evidence(gap, taken, name)
    ratio = np.exp(whole.logit[0] - whole.logit[1])
    assert total.outcome == f"ratio of the odds {ratio:.2g}"
    assert total.bias + total.evidence == pytest.approx(total.logit, abs=1e-4)
    words = " ".join(describe_evidence(taken, name, read))
    assert name in words
    assert "probability" not in words


def test_exports_hold_the_contrast_that_was_on_the_screen(whole, ledger, read):
    view = View(class_index=(0, 2))
    shown = {"class_name": "A", "against": "C", "view": view}
    table = case_export("csv", read, whole, ledger, **shown).decode()
    rows = list(csv.reader(io.StringIO("".join(line for line in table.splitlines(True) if line[0] != "#"))))
    of_contrast = [row for row in rows if row[0] == contrast_name("A", "C")]
    cells = sum(float(row[3]) for row in of_contrast if row[1] or row[2] in ("baseline", "bias"))
    assert cells == pytest.approx(whole.logit[0] - whole.logit[2], abs=1e-4)
    content = case_export("json", read, whole, ledger, **shown)
    assert b'"against": "C"' in content
    assert case_export("svg", read, whole, ledger, **shown).count(b"<image") >= 1
