import base64
import json
import time
from dataclasses import replace
from itertools import product
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from ecgimn.draw.marks import t_lines
from ecgimn.draw.paper import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S
from ecgimn.draw.screen.ecg import Screen, ecg_figure
from ecgimn.draw.screen.parts import HOVER_S
from ecgimn.draw.view import QUANTITIES, STYLES, View
from ecgimn.leads import STANDARD_LEADS

MI = View("12x1")
SVG = "{http://www.w3.org/2000/svg}"


def trace(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def image(figure, name):
    return next((image for image in figure.layout.images if image.name == name), None)


def svg_of(figure, name="paper"):
    return ElementTree.fromstring(unquote(image(figure, name).source.split(",", 1)[1]))


def millivolts(figure, view, recording, label, sign=1):
    panel = next(p for p in view.paper_for(recording, 45.0)[0].panels if p.label == label and not p.rhythm)
    return sign * (np.asarray(trace(figure, label).y, dtype=float) - panel.baseline_mm) / view.gain


def test_twelve_named_traces_hold_the_files_millivolts(recording, evidence):
    figure = ecg_figure(recording, evidence, view=MI)
    for row, lead in enumerate(STANDARD_LEADS):
        np.testing.assert_allclose(millivolts(figure, MI, recording, lead), recording.signal[row], atol=2e-6)
        assert trace(figure, lead).dx * 500 == pytest.approx(25.0)


@pytest.mark.parametrize(("layout", "speed", "gain"), list(product(LAYOUTS, SPEEDS_MM_PER_S, GAINS_MM_PER_MV)))
def test_px_per_mv_and_per_second_are_equal_in_all_leads_and_axes(recording, layout, speed, gain):
    view = View(layout, speed=speed, gain=gain, overlay=False)
    figure = ecg_figure(recording, view=view)
    assert len({round(line.dx, 9) for line in figure.data if line.name in STANDARD_LEADS}) == 1
    assert trace(figure, "I").dx * recording.fs == pytest.approx(speed, rel=0.005)
    corners = np.asarray(trace(figure, "calibration pulse").y, dtype=float)[:6]
    assert np.ptp(corners) == pytest.approx(gain, rel=0.005)
    for panel in view.paper_for(recording, 45.0)[0].panels:
        if not panel.rhythm:
            in_file = recording.lead(panel.lead)[panel.samples(recording.fs, recording.n_samples)]
            drawn = np.ptp(np.asarray(trace(figure, panel.label).y, dtype=float))
            assert drawn / np.ptp(in_file) == pytest.approx(gain, rel=0.005)
    across = np.ptp(figure.layout.xaxis.range) * figure.layout.meta["px_per_mm"]
    up = np.ptp(figure.layout.yaxis.range) * figure.layout.meta["px_per_mm"]
    assert across + figure.layout.margin.l + figure.layout.margin.r == pytest.approx(figure.layout.width)
    assert up + figure.layout.margin.t + figure.layout.margin.b == pytest.approx(figure.layout.height)
    assert (figure.layout.yaxis.scaleanchor, figure.layout.yaxis.scaleratio) == ("x", 1)


@pytest.mark.parametrize(("layout", "style", "quantity"), list(product(LAYOUTS, STYLES, QUANTITIES)))
def test_every_layout_style_and_quantity_draws(recording, case, waves, st, layout, style, quantity):
    view = View(layout, style=style, quantity=quantity, cabrera=True, show_uncertainty=True)
    figure = ecg_figure(recording, case.of("MI", "NORM"), view=view, waves=waves, st=st)
    assert image(figure, "evidence") is not None
    assert len(figure.to_json()) < 500_000


def test_every_default_path_runs(recording, evidence):
    assert ecg_figure(recording).layout.meta["shown"] is None
    assert 0.2 < ecg_figure(recording, evidence).layout.meta["shown"] < 0.5
    assert ecg_figure(recording, evidence, view=MI).layout.meta["shown"] == pytest.approx(1.0)


def test_without_an_explanation_there_is_no_evidence_at_all(recording, waves, st):
    figure = ecg_figure(recording, waves=waves, st=st)
    assert [picture.name for picture in figure.layout.images] == ["paper"]
    assert not [line for line in figure.data if line.name == "colour bar"]
    assert "logit" not in figure.to_json()


def test_a_full_page_at_500_hz_is_under_half_a_megabyte(recording, evidence, waves, st):
    for style in STYLES:
        view = View(style=style)
        assert len(ecg_figure(recording, evidence, view=view, waves=waves, st=st).to_json()) < 500_000


def test_the_figure_is_built_in_less_than_150_ms_of_processor_time(recording, evidence, waves, st):
    seconds = []
    for _ in range(5):
        start = time.process_time()
        ecg_figure(recording, evidence, view=View(), waves=waves, st=st)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.15


def test_the_grid_is_one_and_five_millimetres_and_grey_under_evidence(recording, evidence):
    plain, covered = ecg_figure(recording), ecg_figure(recording, evidence, view=MI)
    for figure in (plain, covered):
        box = [float(length) for length in svg_of(figure).get("viewBox").split()]
        per_mm = box[2] / np.ptp(figure.layout.xaxis.range)
        for step in (1, 5):
            for way in ("upright", "level"):
                line = next(
                    path for path in svg_of(figure).iter(f"{SVG}path") if path.get("id") == f"grid {step} mm {way}"
                )
                dash, gap = map(float, line.get("stroke-dasharray").split())
                assert (dash + gap) / per_mm == pytest.approx(step)
                red, _, blue = (int(line.get("stroke")[i : i + 2], 16) for i in (1, 3, 5))
                assert (red - blue > 10) == (figure is plain)
    assert figure.layout.meta["grid_mm"] == [1.0, 5.0]


def test_a_gap_stays_a_gap(recording, evidence):
    signal = recording.signal.copy()
    signal[6, 1000:1100] = np.nan
    with_gap = recording.with_signal(signal)
    figure = ecg_figure(with_gap, evidence, view=MI)
    drawn = np.asarray(trace(figure, "V1").y)
    assert np.isnan(drawn[1000:1100]).all()
    assert np.isfinite(drawn[:1000]).all()
    assert trace(figure, "V1").connectgaps is False


def test_hover_answers_every_20_ms_with_time_voltage_and_contribution(recording, evidence):
    figure = ecg_figure(recording, evidence, view=replace(MI, style="band"))
    hover = trace(figure, "hover V3")
    assert hover.dx == pytest.approx(HOVER_S * 25)
    assert hover.opacity == 0
    np.testing.assert_array_equal(hover.text, np.arange(0, 10_000, 20))
    np.testing.assert_allclose(hover.customdata[:, 0], recording.signal[8, ::10], atol=1e-6)
    window = evidence.contribution[8, 990:1011]
    expected = window[1:-1].sum() + (window[0] + window[-1]) / 2  # 40 ms about the middle of sample 1000
    assert hover.customdata[100, 1] == pytest.approx(expected, abs=1e-6)
    assert "contribution · MI" in hover.hovertemplate


def test_minus_avr_is_drawn_upside_down_and_its_contribution_is_not(recording, evidence):
    view = View("3x4+1R", cabrera=True)
    figure = ecg_figure(recording, evidence, view=view)
    np.testing.assert_allclose(millivolts(figure, view, recording, "-aVR"), -recording.signal[3, :1250], atol=2e-6)
    hover = trace(figure, "hover -aVR")
    assert hover.customdata[50, 0] == pytest.approx(-recording.signal[3, 500], abs=1e-6)
    upright = ecg_figure(recording, evidence, view=View("12x1"))
    assert hover.customdata[50, 1] == pytest.approx(trace(upright, "hover aVR").customdata[50, 1], abs=1e-6)


def test_labels_and_names_of_the_record_change_no_byte_of_the_figure(another_recording, evidence, waves, st):
    one = another_recording(record_name="00001_hr", source="PTB-XL", age=60, sex="male", notes=("label MI",))
    two = another_recording(record_name="normal", source="upload")
    pages = [ecg_figure(each, evidence, view=MI, waves=waves, st=st).to_json() for each in (one, two)]
    assert pages[0] == pages[1]
    assert "00001_hr" not in pages[0]


def test_plus_and_minus_differ_in_picture_and_in_strip(recording, evidence, opposite):
    one, two = (ecg_figure(recording, maps, view=MI) for maps in (evidence, opposite))
    assert image(one, "evidence").source != image(two, "evidence").source
    strips = [next(path for path in svg_of(figure, "strips").iter(f"{SVG}path") if path.get("id") == "strips").get("d")
              for figure in (one, two)]  # fmt: skip
    assert strips[0] != strips[1]


def test_the_colour_bar_is_symmetric_and_prints_limit_and_unit(recording, evidence):
    figure = ecg_figure(recording, evidence, view=MI)
    marker = trace(figure, "colour bar").marker
    assert marker.cmin == -marker.cmax
    assert marker.cmax == figure.layout.meta["limit"]
    assert "per 40 ms" in marker.colorbar.title.text
    assert f"+{marker.cmax:g}" in marker.colorbar.ticktext
    assert marker.colorscale[len(marker.colorscale) // 2][1] == "#FFFFFF"


def test_a_cut_layout_says_how_much_evidence_it_shows(recording, evidence):
    footer = ecg_figure(recording, evidence, view=View("3x4+1R")).layout.meta["footer"]
    assert any(part.startswith("shown: ") and part.endswith("% of the evidence") for part in footer)


def test_the_footer_prints_the_effective_scale_unless_the_size_is_true(recording):
    fitted = ecg_figure(recording, screen=Screen(900, 560)).layout.meta
    assert any("effective" in part for part in fitted["footer"])
    true = ecg_figure(recording, screen=Screen(px_per_mm=4.2, true_size=True)).layout
    assert true.meta["px_per_mm"] == 4.2
    assert not any("effective" in part for part in true.meta["footer"])
    assert np.ptp(true.xaxis.range) * 4.2 + true.margin.l + true.margin.r == pytest.approx(true.width)


def test_twelve_leads_fit_900_by_560_pixels(recording, evidence, waves, st):
    figure = ecg_figure(recording, evidence, view=MI, waves=waves, st=st, screen=Screen(900, 560))
    assert figure.layout.width <= 900.5
    assert figure.layout.height <= 560.5
    assert figure.layout.meta["px_per_mm"] > 2.5


def test_leads_beyond_the_threshold_are_outlined_and_marked_in_words(recording, waves, st):
    figure = ecg_figure(recording, waves=waves, st=st, view=View("12x1"))
    assert len(figure.layout.shapes) == len(st.outlined)
    marked = [word for word in trace(figure, "labels").text if "ST ▲" in word]
    assert len(marked) == 3
    assert len(ecg_figure(recording, view=View("3x4+3R"), st=st).layout.shapes) <= 12


def test_st_segments_and_t_waves_take_the_colour_of_their_leads_verdict(recording, waves, st):
    names = {path.get("id") for path in svg_of(ecg_figure(recording, waves=waves, st=st)).iter(f"{SVG}path")}
    assert {"ST 0", "ST 1", "ST 2", "J points", "T wave", "T inverted"} <= names
    hidden = svg_of(ecg_figure(recording, waves=waves, st=st, view=View(show_st=False, show_t=False)))
    assert not [path for path in hidden.iter(f"{SVG}path") if path.get("id", "").startswith(("ST", "T ", "J"))]


def test_an_explanation_of_other_samples_is_refused(another_recording, evidence):
    with pytest.raises(ValueError, match="very samples"):
        ecg_figure(another_recording(duration_s=8.0), evidence)


def test_text_is_escaped_and_nothing_is_fetched(recording, evidence):
    hostile = replace(evidence, name="<img src=x onerror=alert(1)>")
    figure = ecg_figure(recording, hostile, view=View(style="band", filter_name="<script>alert(1)</script>"))
    page = json.dumps(json.loads(figure.update_layout(meta=None).to_json()))  # to_json itself would hide a "<"
    assert "&lt;img" in page
    assert "<img" not in page
    assert "<script" not in page
    sources = [picture["source"] for picture in json.loads(page)["layout"]["images"]]
    assert all(source.startswith("data:image/") for source in sources)
    assert base64.b64decode(sources[0].split(",")[1])[8:12] == b"WEBP"


@pytest.mark.parametrize("fs", [100.0, 257.0, 1000.0])
@pytest.mark.parametrize("duration_s", [2.5, 8.0, 10.0])
def test_any_rate_and_length_draws(another_recording, another_evidence, fs, duration_s):
    recording = another_recording(fs, duration_s)
    for layout in LAYOUTS:
        figure = ecg_figure(recording, another_evidence(recording), view=View(layout))
        assert trace(figure, "I").dx == pytest.approx(25 / fs)


def test_without_numbers_the_evidence_has_words_alone(recording, evidence):
    shown, words = (
        ecg_figure(recording, evidence, view=MI, screen=Screen(numbers=numbers)).to_json() for numbers in (True, False)
    )
    assert "logit" in shown
    assert "logit" not in words
    assert "raises" in words


def test_the_switch_dims_the_evidence_and_leaves_the_paper(recording, evidence):
    figure = ecg_figure(recording, evidence, view=MI)
    off = figure.layout.updatemenus[0].buttons[0].args[0]
    names = {figure.layout.images[int(key[7])].name for key in off}
    assert names == {"evidence", "strips"}
    assert set(off.values()) == {0.0}
    assert not ecg_figure(recording, evidence, view=MI, screen=Screen(switch=False)).layout.updatemenus


def test_dark_mode_draws_light_lines_on_dark_paper(recording, evidence):
    figure = ecg_figure(recording, evidence, view=View(dark=True))
    assert figure.layout.plot_bgcolor == "#14181D"
    assert trace(figure, "I").line.color == "#F4F4F4"


def test_t_waves_are_marked_by_the_verdict_and_not_by_how_they_are_drawn(recording, waves, st):
    def marked(label, *, cabrera):
        layout = View("12x1", cabrera=cabrera).paper(10.0)
        only = replace(layout, panels=tuple(panel for panel in layout.panels if panel.label == label))
        return set(t_lines(only, recording, waves, st))

    assert marked("aVR", cabrera=False) == {False}
    assert marked("-aVR", cabrera=True) == {False}
    assert marked("aVL", cabrera=False) == {True}
