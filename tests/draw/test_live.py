"""The evidence apart from its trace: the same pictures as in the whole figure, and its own paper's alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ecgimn.draw.evidence import evidence_map
from ecgimn.draw.paper import LAYOUTS
from ecgimn.draw.screen.ecg import NO_PICTURE, ecg_figure
from ecgimn.draw.screen.live import evidence_layer, framed, wave_frames
from ecgimn.draw.screen.parts import hover_samples
from ecgimn.draw.view import STYLES, View
from ecgimn.leads import lead_index
from tests.draw.conftest import make_recording

MI = View("12x1")


def images(figure):
    return {image.name: image for image in figure.layout.images}


@pytest.mark.parametrize("style", STYLES)
def test_the_layer_holds_the_pictures_of_the_whole_figure(recording, evidence, waves, style):
    view = replace(MI, style=style, cabrera=True)
    whole = images(ecg_figure(recording, evidence, view=view, waves=waves))
    apart = images(ecg_figure(recording, view=view.of_the_trace(), waves=waves, evidence_apart=True))
    layer = evidence_layer(evidence, view=view)
    assert layer["picture"] == whole["evidence"].source
    assert layer["strips"] == whole["strips"].source
    assert apart["evidence"].source == apart["strips"].source == NO_PICTURE
    for name in ("evidence", "paper", "strips"):
        place = [(item[name].x, item[name].y, item[name].sizex, item[name].sizey) for item in (whole, apart)]
        assert place[0] == place[1]
    assert apart["paper"].source == whole["paper"].source


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_pointers_answers_are_the_map_at_each_hover_point(recording, evidence, name):
    view = replace(MI, layout=name)
    layer = evidence_layer(evidence, view=view)
    drawn = evidence_map(evidence, view)
    answers = np.array(layer["hover"]["values"]) * layer["hover"]["step"]
    layout, _ = view.paper_for(recording, 45.0)
    wanted = [drawn.drawn[lead_index(panel.lead), hover_samples(panel, recording)] for panel in layout.panels]
    np.testing.assert_allclose(answers, np.concatenate(wanted), atol=0.51 * layer["hover"]["step"])
    figure = ecg_figure(recording, view=view, evidence_apart=True)
    assert sum(len(line.y) for line in figure.data if line.name.startswith("hover ")) == answers.size


@pytest.mark.parametrize(("name", "fs"), [("12x1", 500.0), ("3x4+1R", 100.0)])
def test_time_and_voltage_under_the_pointer_follow_from_the_line_drawn_there(name, fs):
    recording = make_recording(fs)
    view = View(layout=name, cabrera=True)
    bare, whole = (ecg_figure(recording, view=view, evidence_apart=apart).data for apart in (True, False))
    assert len(bare) == len(whole)
    for line, answers in zip(bare, whole, strict=True):
        if not line.name.startswith("hover "):
            continue
        told, drawn = line.meta, bare[line.meta["lead"]]
        place = np.round(np.arange(len(line.y)) * told["step"]).astype(int)
        millivolts = (drawn.y[np.minimum(place, len(drawn.y) - 1)] - told["baseline_mm"]) / told["mm_per_mv"]
        np.testing.assert_allclose(millivolts, answers.customdata[:, 0], atol=1e-4)
        np.testing.assert_array_equal(told["first_ms"] + told["step_ms"] * np.arange(len(line.y)), answers.text)


def test_views_that_differ_in_evidence_alone_draw_the_same_trace(recording, waves):
    views = [MI, replace(MI, quantity="weights", opacity=0.3, limit=0.5, overlay=False),
             replace(MI, style="blocks", show_strip=False)]  # fmt: skip
    drawn = {
        ecg_figure(recording, view=view.of_the_trace(), waves=waves, evidence_apart=True).to_json() for view in views
    }
    assert len(drawn) == 1


def test_a_layer_fits_one_recording_on_one_paper(recording, evidence, another_recording, another_evidence):
    other = another_recording(400.0)
    layers = [
        evidence_layer(evidence, view=MI),
        evidence_layer(evidence, view=replace(MI, gain=20.0)),
        evidence_layer(evidence, view=replace(MI, layout="6x2")),
        evidence_layer(another_evidence(other), view=MI),
    ]
    assert len({layer["paper"] for layer in layers}) == len(layers)
    figure = ecg_figure(recording, view=MI.of_the_trace(), evidence_apart=True)
    assert figure.layout.meta["paper"] == layers[0]["paper"]


def test_a_layer_is_a_tenth_of_a_figure(evidence):
    assert len(json.dumps(evidence_layer(evidence, view=View()))) < 60_000
    assert len(json.dumps(evidence_layer(evidence, view=replace(MI, style="band")))) < 60_000
    assert len(json.dumps(evidence_layer(evidence, view=MI))) < 75_000  # twelve rows of painted noise


def test_a_wave_is_framed_in_every_beat_of_its_leads_and_the_figure_stays_as_it_is(recording, waves):
    layout, _ = View(layout="12x1").paper_for(recording, 20.0)
    frames = wave_frames(layout, waves, ("II", "aVF"), "T")
    assert {frame["name"] for frame in frames} == {"box II", "box aVF"}
    assert len(frames) >= 2 * np.isfinite(waves.t_offset[1]).sum()
    figure = ecg_figure(recording, view=View(layout="12x1"))
    n_before = len(figure.layout.shapes)
    assert len(framed(figure, frames).layout.shapes) == n_before + len(frames)
    assert len(figure.layout.shapes) == n_before


def test_blocks_need_the_waves_of_the_recording(recording, another_evidence):
    with pytest.raises(ValueError, match="needs the waves"):
        evidence_layer(another_evidence(recording), view=replace(MI, style="blocks"))
