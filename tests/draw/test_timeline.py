"""The timeline of a long recording: every logit where it belongs, gaps where the model was not asked."""

from __future__ import annotations

import numpy as np

from ecgimn.draw.charts.ledger import timeline_figure, window_rows
from ecgimn.explain.case import Window, WindowLogits


def found(n_classes: int = 3) -> WindowLogits:
    """Three windows, of which the model was not asked about the second."""
    logit = np.arange(3.0 * n_classes).reshape(3, n_classes) - 2
    logit[1] = np.nan
    return WindowLogits(
        classes=tuple("ABCDEFGHIJKL"[:n_classes]),
        windows=(Window(0, 10), Window(10, 20), Window(20, 27.5)),
        logit=logit,
        probability=1 / (1 + np.exp(-logit)),
        completeness_error=np.zeros(3),
        refusals=((), ("Lead V4 is flat <b>.",), ()),
        model_name="tiny",
        model_sha256="0" * 64,
    )


def test_each_marker_lies_in_the_middle_of_its_window_at_its_logit() -> None:
    figure = timeline_figure(found(), shown="B", chosen=2)
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["B"].x) == [5.0, 15.0, 23.75]
    np.testing.assert_array_equal(np.asarray(traces["B"].y, dtype=float), found().logit[:, 1])
    assert list(traces["B"].customdata) == [0, 1, 2]
    assert figure.layout.shapes[0].x0 == 20
    assert figure.layout.shapes[0].x1 == 27.5


def test_a_window_that_was_not_asked_is_a_gap_with_its_reason_escaped() -> None:
    figure = timeline_figure(found(), shown="A")
    refused = next(trace for trace in figure.data if trace.name == "model not run")
    assert list(refused.customdata) == [1]
    assert "&lt;b&gt;" in refused.text[0]
    assert all(not trace.connectgaps for trace in figure.data if trace.name in "ABC")


def test_the_class_shown_is_the_thickest_line_and_drawn_last() -> None:
    figure = timeline_figure(found(), shown="B")
    lines = [trace for trace in figure.data if trace.name in "ABC"]
    assert lines[-1].name == "B"
    assert lines[-1].line.width > max(line.line.width for line in lines[:-1])


def test_of_many_classes_the_shown_and_the_strongest_are_drawn() -> None:
    names = [trace.name for trace in timeline_figure(found(12), shown="A").data if trace.name != "model not run"]
    assert len(names) == 8
    assert {"A", "L", "K"} <= set(names)


def test_the_table_prints_every_logit_and_why_there_is_none() -> None:
    rows = window_rows(found())
    assert rows[0] == {"Window": "0 to 10 s", "A": "−2.00", "B": "−1.00", "C": "0.00", "Quality": "usable"}
    assert rows[1]["A"] == "—"
    assert rows[1]["Quality"].startswith("Lead V4")
    assert rows[2]["Window"] == "20 to 27.5 s"


def test_in_percent_the_timeline_says_the_probability_of_each_window_and_no_logit() -> None:
    figure = timeline_figure(found(), shown="B", logits=False)
    trace = next(trace for trace in figure.data if trace.name == "B")
    np.testing.assert_allclose(np.asarray(trace.y, dtype=float), 100 * found().probability[:, 1])
    assert trace.text[0] == "B 27 %, 0 to 10 s"
    assert "logit" not in figure.to_json()
    rows = window_rows(found(), logits=False)
    assert (rows[0]["B"], rows[1]["B"]) == ("27 %", "—")
