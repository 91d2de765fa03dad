"""Beat by beat on the reading page: next and previous, what each beat says, and the sum that stays the logit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.draw.screen import mean_beat as single_beat
from ecgimn.explain.case import open_case
from ecgimn.explain.ledger import beat_by_beat
from ecgimn.model.model import load_model
from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import NORMAL, button, class_of, figure, numbers

BEAT, BARS = -2, -1  # charts counted from the end of those below the trace


def below_the_trace(app: AppTest, place: int) -> dict:
    """A chart of the beats; the ledger and the waterfall stand beside the trace and come after them."""
    specs = [figure(app, at) for at in range(len(app.get("plotly_chart")))]
    found = [spec for spec in specs if any(trace.get("name") in ("beats", "landmarks") for trace in spec["data"])]
    return found[place]


@pytest.fixture
def stepping(small_app: AppTest) -> AppTest:
    """The reading page with the beats open."""
    small_app.query_params["composite"] = NORMAL
    small_app.run()
    return small_app.get("button_group")[0].set_value("Beats").run()


def test_a_reader_steps_through_the_beats_whose_sum_is_the_evidence(stepping: AppTest, models_folder: Path) -> None:
    assert not stepping.exception
    case = open_case(load_composite(NORMAL), load_model(folder=models_folder))
    table = beat_by_beat(case.of(class_of(stepping)))
    assert table is not None
    n_beats = len(table.beats)
    assert button(stepping, "Previous beat").disabled
    assert single_beat.beat_words(table.beats[0], n_beats, table.class_name, logits=False) in shown_text(stepping)
    bars = below_the_trace(stepping, BARS)
    assert numbers(bars["data"][0]["y"]) == pytest.approx([beat.logit for beat in table.beats], abs=1e-9)
    assert bars["layout"]["meta"]["sum"] == pytest.approx(table.evidence, abs=1e-4)
    first = below_the_trace(stepping, BEAT)
    assert "logit" not in json.dumps([bars, first])  # the clinical view, the usual one
    button(stepping, "Next beat").click().run()
    assert single_beat.beat_words(table.beats[1], n_beats, table.class_name, logits=False) in shown_text(stepping)
    second = below_the_trace(stepping, BEAT)
    assert first["layout"]["xaxis"] == second["layout"]["xaxis"]
    assert first["data"] != second["data"]
    assert re.search(r"At this beat the model looks at \d+\.\d s of all leads", shown_text(stepping))
    assert single_beat.sum_words(table, logits=False) in shown_text(stepping)
    button(stepping, "Next").click().run()  # another case begins with its first beat
    assert "Beat **1** of" in shown_text(stepping)
