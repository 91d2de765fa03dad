"""The model page tells for whom the model was measured, and the whole card as hospitals and journals ask for it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from ecgimn.draw.charts.card import EVERY_CLASS
from tests.app.test_pages import shown_text


def tables(page: AppTest) -> dict[str, list[dict[str, str]]]:
    """Return the tables of the page by their first column's name."""
    return {str(frame.value.columns[0]): frame.value.to_dict("records") for frame in page.dataframe}


def test_a_reader_sees_for_whom_the_model_was_measured_and_for_which_class(app: AppTest) -> None:
    page = app.run().switch_page("pages/model.py").run()
    assert not page.exception
    groups = tables(page)["By"]
    assert {row["By"] for row in groups} == {"Age", "Sex", "Device", "Signal quality"}
    assert "Sensitivity at its threshold" not in groups[0]
    assert "Comparisons of a group with all other records" in shown_text(page)
    chosen = page.segmented_control(key="group_class")
    assert chosen.value == EVERY_CLASS
    chosen.set_value("MI").run()
    women = next(row for row in tables(page)["By"] if row["Group"] == "women")
    assert women["Sensitivity at its threshold"].endswith(")")
    assert int(women["With the label"]) > 50


def test_the_card_is_told_under_the_headings_of_chai_when_it_is_asked_for(app: AppTest) -> None:
    page = app.run().switch_page("pages/model.py").run()
    assert not page.table
    page.session_state["sheet"] = True
    page.run()
    assert not page.exception
    told = {row["Item"]: row["In this model"] for row in page.table[0].value.to_dict("records")}
    assert "beyond chance" in told["Fairness, equity"]
    assert told["Regulatory approval"].startswith("None")
