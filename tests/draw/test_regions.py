"""Where the waves of each lead lie on the paper: every sample once, at the place where it is drawn."""

from itertools import pairwise

import numpy as np
import pytest

from ecgimn.draw.paper import LAYOUTS
from ecgimn.draw.screen.live import PER_MM, wave_regions
from ecgimn.draw.view import View
from ecgimn.leads import lead_index
from ecgimn.signal.waves.find import WAVE_NAMES


def pairs(places):
    return list(zip(places[::2], places[1::2], strict=True))


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_stretches_cover_each_panel_once(recording, waves, name):
    layout, _ = View(layout=name, cabrera=True).paper_for(recording, 45.0)
    regions = wave_regions(layout, recording, waves)
    assert [region["label"] for region in regions] == [panel.label for panel in layout.panels]
    for panel, region in zip(layout.panels, regions, strict=True):
        ordered = sorted(pair for places in region["waves"] for pair in pairs(places))
        assert all(left[1] == right[0] for left, right in pairwise(ordered))
        assert [ordered[0][0], ordered[-1][1]] == region["x"]
        assert region["x"][0] == pytest.approx(PER_MM * panel.x0_mm, abs=1)
        assert region["x"][1] == pytest.approx(PER_MM * (panel.x0_mm + layout.panel_width_mm(panel)), abs=1)
        assert region["y"][0] < PER_MM * panel.baseline_mm < region["y"][1]


def test_a_stretch_lies_where_its_wave_is_drawn(recording, waves):
    layout, _ = View("12x1").paper_for(recording, 45.0)
    region = wave_regions(layout, recording, waves)[1]
    labels = waves.labels[lead_index("II")] == WAVE_NAMES.index("T")
    begins = np.flatnonzero(np.diff(labels.astype(int)) == 1) + 1
    drawn = [first for first, _ in pairs(region["waves"][WAVE_NAMES.index("T")])]
    wanted = PER_MM * np.asarray(layout.time_mm(layout.panels[1], begins / recording.fs))
    np.testing.assert_allclose(drawn, wanted, atol=0.51)


def test_without_waves_all_is_unassigned(recording):
    layout, _ = View().paper_for(recording, 45.0)
    for region in wave_regions(layout, recording, None):
        assert region["waves"][0] == region["x"]
        assert not any(region["waves"][1:])
