"""The sum and the ledger of a class as tables: every number printed, signs without colour, names escaped."""

import re

import numpy as np
import pytest

from ecgimn.draw.charts.ledger import _luminance, _tint, ledger_html, sum_html
from ecgimn.draw.colours import css, evidence_colours
from ecgimn.explain.sentences import signed
from ecgimn.leads import STANDARD_LEADS, TERRITORIES

WAVES = ("P", "QRS", "ST", "T")


def words(row):
    return [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]


def rows(table):
    return [words(row) for row in re.findall(r"<tr.*?</tr>", table)]


@pytest.fixture
def cells():
    return np.random.default_rng(5).normal(0, 0.4, (12, 4))


def test_the_ledger_prints_every_cell_with_its_sign_and_all_sums(cells):
    head, *body, foot = rows(ledger_html("MI", cells, STANDARD_LEADS, WAVES))
    assert head == ["", *WAVES, "sum"]
    assert [row[0] for row in body] == list(STANDARD_LEADS)
    numbers = np.array([[float(word.replace("−", "-")) for word in row[1:]] for row in body])
    np.testing.assert_allclose(numbers[:, :-1], cells, atol=0.0051)
    np.testing.assert_allclose(numbers[:, -1], cells.sum(axis=1), atol=0.0051)
    assert float(foot[-1].replace("−", "-")) == pytest.approx(cells.sum(), abs=0.0051)


def test_the_ledger_is_coloured_on_one_scale_about_zero(cells):
    cells[0, 0], cells[0, 1], cells[0, 2] = 2.0, -2.0, 0.0
    scale = evidence_colours()
    first = re.findall(r"<td.*?</td>", ledger_html("MI", cells, STANDARD_LEADS, WAVES).split("<tbody>")[1])[:3]
    assert css(scale[-1]) in first[0]
    assert css(scale[0]) in first[1]
    assert first[2] == "<td>0.00</td>"
    assert css(scale[-1]) not in ledger_html("MI", np.full((12, 4), 0.1), STANDARD_LEADS, WAVES, limit=5.0)


@pytest.mark.parametrize("dark", [False, True])
def test_the_numbers_can_be_read_on_every_colour_of_the_scale(dark):
    text = {"": 0.82 if dark else 0.016, "#FFF": 1.0, "#000": 0.0}  # luminance of the theme's own text, white, black
    for step, colour in enumerate(evidence_colours(dark=dark)):
        told = _tint(step, dark=dark).partition(";color:")[2]
        low, high = sorted((_luminance(colour), text[told]))
        assert (high + 0.05) / (low + 0.05) >= 4.5, step


def test_the_sum_goes_from_bias_to_logit_and_to_what_that_comes_to():
    parts = [("inferior", 2.4), ("lateral", -0.5)]
    table = sum_html("MI", -1.02, parts, 0.88, outcome="probability 0.71", probability=0.71, threshold=0.44)
    assert rows(table) == [
        ["bias", "", "−1.02"],
        ["inferior", "", "+2.40"],
        ["lateral", "", "−0.50"],
        ["logit", "", "+0.88"],
        ["", "probability 0.71 · threshold 0.44"],
    ]
    spans = [tuple(map(float, span)) for span in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", table)]
    per_logit = spans[1][1] / 2.4  # the bars share one scale, from -1.02 to +1.38
    assert [left for left, _ in spans[:3]] == pytest.approx([0.0, 0.0, (1.02 + 0.88) * per_logit], abs=0.1)
    assert spans[3] == pytest.approx((1.02 * per_logit, 0.88 * per_logit), abs=0.1)
    assert "width:71.0%" in table
    assert "left:44.0%" in table


def test_a_bar_that_lowers_the_score_is_hatched():
    table = sum_html("MI", -1.0, [("inferior", 2.4), ("lateral", -0.5)], 0.9, outcome="probability 0.71")
    hatched = [words(row)[0] for row in re.findall(r"<tr.*?</tr>", table) if "bar down" in row]
    assert hatched == ["bias", "lateral"]


def test_a_difference_of_logits_ends_in_words_without_a_bar():
    table = sum_html("MI − NORM", 0.0, [("inferior", 1.0)], 1.0, outcome="ratio of the odds 2.7")
    last = re.findall(r"<tr.*?</tr>", table)[-1]
    assert words(last) == ["", "ratio of the odds 2.7"]
    assert "class='bar'" not in last


def test_the_sum_names_what_its_parts_leave_open():
    table = sum_html("MI", 0.0, [("inferior", 1.0)], 1.5, outcome="probability 0.82")
    assert [row[0] for row in rows(table)] == ["bias", "inferior", "remainder", "logit", ""]


def test_names_from_outside_are_escaped(cells):
    hostile = "<img src=x>"
    pages = (
        ledger_html(hostile, cells, (hostile, *STANDARD_LEADS[1:]), WAVES),
        sum_html(hostile, 0.0, [(hostile, 1.0)], 1.0, outcome=hostile),
    )
    assert all("<img" not in page and "&lt;img" in page for page in pages)


def test_a_checked_cell_prints_booked_and_taken_out_and_an_unconfirmed_one_is_hatched(cells):
    measured, margins = cells * np.where(np.arange(4) == 1, -1.0, 1.0), np.full(cells.shape, 0.3)
    measured[0, 0] = np.nan
    table = ledger_html("MI", cells, STANDARD_LEADS, WAVES, measured=measured, margins=margins)
    body = re.findall(r"<tr.*?</tr>", table)[1:-1]
    assert [len(re.findall("<small>", row)) for row in body] == [3, *[4] * 11]
    for row, booked in zip(body, cells, strict=True):
        for column, cell in enumerate(re.findall("<td.*?</td>", row)[:4]):
            unsure = column == 1 and abs(2 * booked[1]) > max(0.2 * abs(booked[1]), 0.1)
            assert ("class='unsure'" in cell) == unsure == ("✗" in cell)
            assert signed(booked[column]) in cell
            assert ("± 0.30" in cell) == ("<small>" in cell)  # a bound for what was taken out
    assert "± for 90 % of cells like it" in table
    assert f"booked {signed(cells[1, 2])} ± 0.30, taken out {signed(cells[1, 2])}: confirmed" in table
    assert "±" not in ledger_html("MI", cells, STANDARD_LEADS, WAVES, measured=measured)


def test_rows_name_the_leads_that_they_mark():
    areas = ledger_html("MI", np.ones((5, 4)), tuple(TERRITORIES), WAVES)
    assert "data-leads='II III aVF'" in areas
    assert "logit by territory and wave" in areas
    assert "data-leads='V3'" in ledger_html("MI", np.ones((12, 4)), STANDARD_LEADS, WAVES)
    bars = sum_html("MI", 0.0, [("inferior", 1.0), ("z-score offset", 0.5)], 1.5, outcome="probability 0.82")
    assert bars.count("data-leads") == 1
