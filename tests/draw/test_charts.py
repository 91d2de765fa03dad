import json

import numpy as np
import pytest

from ecgimn.draw.charts.card import (
    MAX_MARKERS,
    fidelity_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from ecgimn.draw.charts.ledger import ledger_figure, polar_figure, signed
from ecgimn.draw.screen.mean_beat import median_beat_figure
from ecgimn.leads import STANDARD_LEADS

WAVES = ("P", "QRS", "ST", "T")


@pytest.fixture
def cells():
    return np.random.default_rng(1).normal(size=(12, 4))


def test_the_ledger_prints_every_cell_and_its_sums(cells):
    figure = ledger_figure(cells, STANDARD_LEADS, WAVES)
    text = figure.data[0].text
    assert text[3][1] == signed(cells[3, 1])
    assert text[3][-1] == signed(cells[3].sum())
    assert text[-1][2] == signed(cells[:, 2].sum())
    assert text[-1][-1] == signed(cells.sum())
    assert figure.layout.meta["total"] == pytest.approx(cells.sum())


def test_the_ledgers_colours_are_symmetric_and_leave_sums_alone(cells):
    heat = ledger_figure(cells, STANDARD_LEADS, WAVES).data[0]
    assert heat.zmin == -heat.zmax == -np.abs(cells).max()
    assert np.isnan(heat.z[-1]).all()
    assert np.isnan(heat.z[:, -1]).all()
    assert ledger_figure(cells, STANDARD_LEADS, WAVES, limit=5.0).data[0].zmax == 5.0
    assert ledger_figure(np.zeros((12, 4)), STANDARD_LEADS, WAVES).data[0].zmax == 1.0


def test_names_from_outside_are_escaped(cells):
    hostile = ("<img src=x>", *STANDARD_LEADS[1:])
    pages = [
        ledger_figure(cells, hostile, WAVES),
        roc_figure([("<img src=x>", np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.5)]),
    ]
    for page in pages:
        text = json.dumps(json.loads(page.to_json()))  # Plotly writes "<" as an escape, which would hide it here
        assert "&lt;img" in text
        assert "<img" not in text


def test_a_polar_figure_turns_avr_over_for_voltage_and_not_for_contribution():
    figure = polar_figure({"aVR": -0.15, "I": 0.3}, {"aVR": 0.5, "I": -1.0}, evidence_limit=1.0)
    st, evidence = figure.data[0], figure.data[1]
    place = list(figure.layout.polar.angularaxis.ticktext).index("-aVR")
    assert st.r[place] == pytest.approx(1.5)  # -(-0.15) of a rim of 0.3, outside the ring of zero at 1
    assert evidence.r[place] == pytest.approx(1.5)
    assert evidence.r[list(figure.layout.polar.angularaxis.ticktext).index("I")] == pytest.approx(0.0)


def test_a_lead_without_a_value_breaks_its_polygon():
    figure = polar_figure({"I": 0.1}, {})
    assert np.isnan(figure.data[0].r[0])
    assert figure.data[0].connectgaps is False
    assert figure.data[0].text[0] == "aVL: —"


def test_median_beats_share_one_scale_and_lose_no_wave():
    beat = np.random.default_rng(2).normal(0, 0.5, (12, 400))
    beat[9, 100], beat[7, 120] = 3.0, -2.5
    figure = median_beat_figure(beat, 500.0, beat * 0.01, np.abs(beat) * 0.005, beats_used=(9, 11), remainder=0.12,
                                landmarks_s={"J": 0.4, "T offset": np.nan}, name="MI")  # fmt: skip
    leads = {line.name: line for line in figure.data if line.name in STANDARD_LEADS}
    assert len(leads) == 12
    low, high = figure.layout.yaxis.range
    for row, lead in enumerate(STANDARD_LEADS):
        y = np.asarray(leads[lead].y, dtype=float)
        assert np.ptp(y) == pytest.approx(10 * np.ptp(beat[row]), rel=1e-4)
        assert leads[lead].dx == pytest.approx(25 / 500)
        assert low <= y.min()
        assert y.max() <= high
    caption = figure.layout.annotations[0].text
    assert "9 of 11 beats used" in caption
    assert "not in the mean beat: +0.12 logit" in caption


def test_median_beats_draw_without_any_contribution():
    figure = median_beat_figure(np.zeros((12, 300)), 500.0)
    assert not [line for line in figure.data if line.name.startswith("contribution")]


def test_fidelity_draws_a_sample_and_says_so():
    points = np.linspace(-1, 1, 2000)
    figure = fidelity_figure(points, points, r2=1.0, slope=1.0)
    assert len(figure.data[1].x) == MAX_MARKERS
    assert f"{MAX_MARKERS} of 2000 edits drawn" in figure.layout.title.text
    assert "R² 1.00" in figure.layout.title.text
    assert "3 edits" in fidelity_figure(points[:3], points[:3]).layout.title.text
    assert "0 edits" in fidelity_figure(np.array([]), np.array([])).layout.title.text


def test_curves_print_the_area_they_were_given():
    curve = ("MI", np.array([0.0, 0.2, 1.0]), np.array([0.0, 0.8, 1.0]), 0.93)
    assert "MI · AUROC 0.930" in {line.name for line in roc_figure([curve]).data}
    assert "MI · AP 0.930" in {line.name for line in precision_recall_figure([curve]).data}


def test_reliability_shows_how_many_records_stand_behind_a_point():
    figure = reliability_figure([("MI", np.array([0.1, 0.9]), np.array([0.12, 0.8]), np.array([120, 30]))])
    np.testing.assert_array_equal(figure.data[1].customdata, [120, 30])


@pytest.mark.parametrize(("value", "words"), [(0.0, "0.00"), (-0.001, "0.00"), (-0.5, "−0.50"), (1.234, "+1.23")])
def test_numbers_carry_their_sign_and_zero_none(value, words):
    assert signed(value) == words
