"""One beat on the screen: the file's millivolts on one scale for all leads and beats, and every beat as a bar."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.draw.paper import STANDARD_GAIN_MM_PER_MV
from ecgimn.draw.screen import mean_beat as single_beat
from ecgimn.explain.ledger import Beat, BeatByBeat, BeatTrace
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.receptive_field import ReceptiveField
from tests.draw.conftest import make_recording

RECORDING = make_recording(250.0)


def beat(number: int, logit: float, left_out: str = "") -> Beat:
    start, rr = 200 * number, 0.8 if number > 1 else None
    return Beat(number, start, start + 200, 0.8 * number + 0.3, rr, not left_out, left_out, 0.97, logit)


TABLE = BeatByBeat("MI", (beat(1, 0.4), beat(2, -0.2, "its QRS is unlike"), beat(3, 0.5)), 0.1, 0.8)


def drawn(start: int, length: int, sign: float = 1.0) -> object:
    contribution = sign * np.linspace(-1e-3, 2e-3, length) * np.ones((12, 1))
    signal = RECORDING.signal[:, start : start + length].astype(float)
    trace = BeatTrace(250.0, signal, contribution, 2e-3, {"J": 0.36})
    return single_beat.single_beat_figure(trace, name="MI", longest=240, frame_mv=RECORDING.signal)


def test_the_trace_is_the_files_millivolts_on_one_scale_for_all_leads() -> None:
    figure = drawn(200, 200)
    for row, lead in enumerate(STANDARD_LEADS):
        trace = next(trace for trace in figure.data if trace.name == lead)
        height = np.asarray(trace.y, dtype=float)
        np.testing.assert_allclose(
            np.diff(height[:200]), STANDARD_GAIN_MM_PER_MV * np.diff(RECORDING.signal[row, 200:400]), atol=1e-4
        )
        assert np.isnan(height[200:]).all()  # a shorter beat leaves its room empty
        assert trace.dx == pytest.approx(25 / 250)


def test_stepping_changes_neither_scale_nor_room() -> None:
    one, other = drawn(200, 200), drawn(400, 170)
    for name in ("width", "height"):
        assert getattr(one.layout, name) == getattr(other.layout, name)
    assert one.layout.xaxis.range == other.layout.xaxis.range
    assert one.layout.yaxis.range == other.layout.yaxis.range


def test_the_sign_of_the_evidence_is_seen_as_height_not_only_as_colour() -> None:
    strips = [next(t for t in drawn(200, 200, sign).data if t.name == "contribution V2") for sign in (1.0, -1.0)]
    zero = strips[0].y[0]
    np.testing.assert_allclose(np.asarray(strips[0].y) - zero, zero - np.asarray(strips[1].y), atol=1e-5)


def test_the_caption_says_contribution_and_not_mean() -> None:
    words = drawn(200, 200).layout.annotations[0].text
    assert "strip: contribution to MI" in words
    assert "lines: J" in words


def test_every_beat_is_a_bar_and_bars_and_remainder_are_the_evidence() -> None:
    figure = single_beat.beats_figure(TABLE, 3)
    (bars,) = figure.data
    assert list(bars.x) == ["1", "2", "3"]
    assert list(bars.y) == [0.4, -0.2, 0.5]
    assert figure.layout.meta["sum"] == pytest.approx(TABLE.evidence)


def test_the_chosen_beat_is_framed_and_those_left_out_are_crossed() -> None:
    figure = single_beat.beats_figure(TABLE, 3)
    (bars,) = figure.data
    assert [width > 0 for width in bars.marker.line.width] == [False, False, True]
    assert list(bars.marker.pattern.shape) == ["", "x", ""]
    assert figure.layout.xaxis.ticktext[2] == "<b>▲ 3</b>"
    assert "unlike" in bars.customdata[1]


def test_the_words_say_where_the_beat_stands_and_why_it_is_left_out() -> None:
    assert single_beat.beat_words(TABLE.beats[0], 3, "MI") == (
        "Beat **1** of 3 · R at 1.10 s · RR before — (first beat) · MI **+0.40** logit"
    )
    assert "RR before 800 ms · MI **−0.20** logit" in single_beat.beat_words(TABLE.beats[1], 3, "MI")
    assert single_beat.median_words(TABLE.beats[1]) == "Not in the median beat: its QRS is unlike."
    assert "correlation 0.97" in single_beat.median_words(TABLE.beats[2])
    words = single_beat.sum_words(TABLE)
    assert words.startswith("3 beats +0.70, outside of them +0.10: evidence +0.80 logit.")
    assert words.endswith("not in the median beat: 2.")


def test_without_logits_the_words_name_waves_beats_and_numbers_alone() -> None:
    field = ReceptiveField(5.0, 0.51, 10.15)
    words = [
        single_beat.beat_words(TABLE.beats[0], 3, "MI", logits=False),
        single_beat.median_words(TABLE.beats[2], correlation=False),
        single_beat.sum_words(TABLE, logits=False),
        single_beat.field_words(field, research=False),
        single_beat.beats_figure(TABLE, 3, logits=False).to_json(),
    ]
    assert "for MI **+0.40**" in words[0]
    assert words[1] == "In the median beat."
    assert words[3] == "At this beat the model looks at 0.5 s of all leads (90 %)."
    assert not [text for text in words if "logit" in text or "correlation" in text or "context vector" in text]


def test_the_field_is_told_in_seconds_or_not_at_all() -> None:
    words = single_beat.field_words(ReceptiveField(5.0, 0.51, 10.15))
    assert "looks closely at 0.5 s" in words
    assert "10 s" in words
    assert "whole record" in words
    assert single_beat.field_words(None) == ""
