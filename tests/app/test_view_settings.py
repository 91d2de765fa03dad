"""The settings of the picture: every one reaches the trace, the evidence, the exports' view state or the footer."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.draw.screen.parts import FOOTER_LINE_PX
from ecgimn.signal.reading import read_signal, with_reference
from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import ECG, NORMAL, as_upload, figure, layer, opened_with


@pytest.fixture
def normal(small_app: AppTest) -> AppTest:
    small_app.query_params["composite"] = NORMAL
    return small_app.run()


def test_every_style_and_scale_of_the_evidence_can_be_chosen(normal: AppTest) -> None:
    trace = normal.get("plotly_chart")[ECG].proto.spec
    pictures = [layer(normal)["picture"]]
    normal.toggle(key="unsure").set_value(True).run()
    pictures.append(layer(normal)["picture"])
    normal.selectbox(key="style").set_value("blocks").run()
    pictures.append(layer(normal)["picture"])
    normal.selectbox(key="scale").set_value("fixed").run()
    normal.number_input(key="limit_contribution").set_value(0.004).run()
    assert (layer(normal)["limit"], layer(normal)["limit_source"]) == (0.004, "fixed")
    pictures.append(layer(normal)["picture"])
    assert len(set(pictures)) == len(pictures)
    normal.toggle(key="strip").set_value(False).run()
    assert layer(normal)["strips"] == ""
    assert normal.get("plotly_chart")[ECG].proto.spec == trace  # none of this draws the trace anew
    assert not normal.exception


def test_a_coloured_line_takes_the_place_of_the_marks_on_the_trace(normal: AppTest) -> None:
    assert "ST elevation" in figure(normal, ECG)["layout"]["annotations"][0]["text"]
    normal.selectbox(key="style").set_value("line").run()
    assert "ST elevation" not in figure(normal, ECG)["layout"]["annotations"][0]["text"]


def test_the_cabrera_order_turns_avr_over_and_says_so(normal: AppTest) -> None:
    normal.toggle(key="cabrera").set_value(True).run()
    spec = figure(normal, ECG)
    leads = [trace["name"] for trace in spec["data"]][:6]
    assert leads == ["aVL", "I", "-aVR", "II", "aVF", "III"]
    assert "3x4+1R Cabrera" in spec["layout"]["meta"]["footer"]


def test_st_is_measured_from_the_level_that_is_named(normal: AppTest) -> None:
    assert "reference PQ" in shown_text(normal)
    normal.selectbox(key="st_reference").set_value("TP").run()
    reading = with_reference(read_signal(load_composite(NORMAL)), "TP")
    assert "reference TP" in shown_text(normal)
    assert "ST reference: TP" in figure(normal, ECG)["layout"]["meta"]["footer"]
    assert f"{reading.j_mv['V2']:+.2f}" in shown_text(normal)


def test_a_fitted_bank_card_makes_true_size_true(normal: AppTest) -> None:
    assert "screen not calibrated" in figure(normal, ECG)["layout"]["meta"]["footer"]
    normal.session_state["screen_scale"] = 4.5
    normal.selectbox(key="size").set_value("true size").run()
    meta = figure(normal, ECG)["layout"]["meta"]
    assert meta["px_per_mm"] == 4.5
    assert "screen calibrated with a bank card" in meta["footer"]
    assert not any(part.startswith("drawn at") for part in meta["footer"])
    normal.selectbox(key="size").set_value("fits the window").run()
    meta = figure(normal, ECG)["layout"]["meta"]
    share = meta["px_per_mm"] / 4.5
    assert f"drawn at {100 * share:.0f} %: effective {25 * share:.1f} mm/s, {10 * share:.1f} mm/mV" in meta["footer"]


def test_the_legend_stays_where_the_footer_is_long(small_app: AppTest, tmp_path: Path) -> None:
    recording = load_composite(NORMAL)
    slow = type(recording)(recording.signal[:, ::5], 100)
    opened_with(small_app, as_upload(slow, tmp_path))
    layout = figure(small_app, ECG)["layout"]
    lines = layout["annotations"][0]["text"].split("<br>")
    assert any("J point and intervals" in line for line in lines)
    assert "ST elevation" in lines[-1]
    assert layout["margin"]["b"] >= len(lines) * FOOTER_LINE_PX
