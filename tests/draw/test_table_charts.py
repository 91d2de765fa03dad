"""Charts of what was found: every number is drawn, and no sex is told by colour alone."""

from __future__ import annotations

import numpy as np

from ecgimn.draw.charts.cohort import ages_figure, classes_figure


def test_classes_are_drawn_over_the_whole_table_with_their_numbers() -> None:
    figure = classes_figure({"NORM": 3, "M<I": 1200}, {"NORM": 9, "M<I": 5000})
    whole, found = figure.data
    assert list(whole.x) == [9, 5000]
    assert list(found.x) == [3, 1200]
    assert list(found.y) == ["NORM", "M&lt;I"]
    assert list(found.text) == ["3", "1,200"]


def test_ages_are_drawn_by_decade_and_the_last_is_open() -> None:
    numbers = {"female": np.array([1, 0, 2]), "male": np.array([0, 4, 1])}
    figure = ages_figure(numbers)
    assert list(figure.data[0].x) == ["0", "10", "20+"]
    assert [list(trace.y) for trace in figure.data] == [[1, 0, 2], [0, 4, 1]]
    assert figure.data[0].marker.pattern.shape != figure.data[1].marker.pattern.shape
    assert figure.layout.barmode == "stack"
