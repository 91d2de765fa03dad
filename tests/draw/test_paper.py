from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ecgimn.draw.paper import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S, PaperLayout, footer_parts, paper_layout
from ecgimn.draw.view import View
from ecgimn.leads import STANDARD_LEADS

EVERY_SCALE = list(product(LAYOUTS, SPEEDS_MM_PER_S, GAINS_MM_PER_MV))


def all_pages(name: str, duration_s: float, **options: object) -> list[PaperLayout]:
    first = paper_layout(name, duration_s, **options)  # type: ignore[arg-type]
    return [paper_layout(name, duration_s, page=page, **options) for page in range(first.n_pages)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "speed", "gain"), EVERY_SCALE)
def test_a_second_is_speed_mm_and_a_millivolt_gain_mm_in_every_panel(name, speed, gain):
    for layout in all_pages(name, 10.0, speed=speed, gain=gain):
        for panel in layout.panels:
            second = layout.time_mm(panel, panel.start_s + 1.0) - layout.time_mm(panel, panel.start_s)
            millivolt = layout.voltage_mm(panel, 1.0) - layout.voltage_mm(panel, 0.0)
            assert second == pytest.approx(speed)
            assert abs(millivolt) == pytest.approx(gain)


@pytest.mark.parametrize(("name", "speed", "gain"), EVERY_SCALE)
def test_the_calibration_pulse_is_one_millivolt_high_and_200_ms_wide_and_fits_before_the_signal(name, speed, gain):
    layout = paper_layout(name, 10.0, speed=speed, gain=gain)
    corners = np.array(layout.pulse_mm)
    assert np.ptp(corners[:, 1]) == pytest.approx(gain)
    assert corners[3, 0] - corners[2, 0] == pytest.approx(0.2 * speed)
    assert corners[0, 0] >= 0
    assert corners[-1, 0] <= layout.origin_mm


@pytest.mark.parametrize(("name", "seconds", "width_mm"), [("12x1", 10, 250), ("3x4+1R", 2.5, 62.5),
                                                           ("3x4+3R", 2.5, 62.5), ("6x2", 5, 125)])  # fmt: skip
def test_each_lead_of_a_ten_second_record_gets_its_conventional_time(name, seconds, width_mm):
    layout = paper_layout(name, 10.0)
    for panel in layout.panels:
        if not panel.rhythm:
            assert panel.stop_s - panel.start_s == pytest.approx(seconds)
            assert layout.panel_width_mm(panel) == pytest.approx(width_mm)
        else:
            assert layout.panel_width_mm(panel) == pytest.approx(250)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_holds_each_lead_once_and_fits_a4_landscape(name):
    layout = paper_layout(name, 10.0)
    leads = [panel.lead for panel in layout.panels if not panel.rhythm]
    assert sorted(leads) == sorted(STANDARD_LEADS)
    assert layout.width_mm <= 297 - 20
    assert layout.height_mm <= 210 - 20


def test_leads_stand_where_a_cardiologist_looks_for_them():
    place = {
        panel.label: (panel.row, panel.column) for panel in paper_layout("3x4+1R", 10.0).panels if not panel.rhythm
    }
    assert [place[lead] for lead in ("I", "aVR", "V1", "V4")] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert [place[lead] for lead in ("III", "aVF", "V3", "V6")] == [(2, 0), (2, 1), (2, 2), (2, 3)]
    assert [p.label for p in paper_layout("3x4+3R", 10.0).panels if p.rhythm] == ["V1", "II", "V5"]
    assert [p.label for p in paper_layout("6x2", 10.0).panels][:6] == ["I", "II", "III", "aVR", "aVL", "aVF"]


def test_cabrera_orders_the_limb_leads_and_turns_avr_over():
    layout = paper_layout("3x4+1R", 10.0, cabrera=True)
    assert [p.label for p in layout.panels][:6] == ["aVL", "I", "-aVR", "II", "aVF", "III"]
    turned = next(panel for panel in layout.panels if panel.label == "-aVR")
    assert (turned.lead, turned.sign) == ("aVR", -1)
    assert layout.voltage_mm(turned, 1.0) == turned.baseline_mm - 10


def test_columns_follow_one_another_unless_they_are_simultaneous():
    starts = [panel.start_s for panel in paper_layout("3x4+1R", 10.0).panels if not panel.rhythm]
    assert starts == [0.0] * 3 + [2.5] * 3 + [5.0] * 3 + [7.5] * 3
    together = paper_layout("3x4+1R", 10.0, simultaneous=True)
    assert {panel.start_s for panel in together.panels} == {0.0}
    assert "columns simultaneous" in " ".join(footer_parts(together, 500.0))


@pytest.mark.parametrize("name", LAYOUTS)
def test_baselines_and_borders_lie_on_bold_lines(name):
    layout = paper_layout(name, 10.0, headroom_mm=(33.3, 21.0))
    assert all(length % 5 == 0 for length in (*layout.baselines_mm, layout.width_mm, layout.height_mm))
    assert layout.height_mm - max(layout.baselines_mm) >= 33.3
    assert min(layout.baselines_mm) >= 21.0


def test_fifty_mm_per_second_takes_two_pages_and_never_squeezes():
    pages = all_pages("3x4+1R", 10.0, speed=50.0)
    assert len(pages) == 2
    shown = np.zeros((12, 5000), dtype=int)
    for page in pages:
        shown += page.mask(500.0, 5000)
        assert page.width_mm <= 297 - 20
    one_page = paper_layout("3x4+1R", 10.0).mask(500.0, 5000)
    np.testing.assert_array_equal(shown, one_page)


@pytest.mark.parametrize("speed", SPEEDS_MM_PER_S)
@pytest.mark.parametrize("duration_s", [2.0, 8.0, 10.0, 14.5, 60.0])
def test_all_samples_of_any_length_are_drawn_in_12x1_once(duration_s, speed):
    n_samples = round(500 * duration_s)
    count = sum(page.mask(500.0, n_samples).astype(int) for page in all_pages("12x1", duration_s, speed=speed))
    np.testing.assert_array_equal(count, 1)


@given(duration_s=some.floats(2.0, 30.0), fs=some.sampled_from([100.0, 257.0, 360.0, 500.0, 1000.0]))
def test_consecutive_panels_never_share_or_lose_a_sample(duration_s, fs):
    n_samples = int(duration_s * fs)
    for page in all_pages("6x2", duration_s):
        left, right = (next(panel for panel in page.panels if panel.column == column) for column in (0, 1))
        assert left.samples(fs, n_samples).stop == right.samples(fs, n_samples).start


def test_a_point_of_the_paper_leads_back_to_lead_time_and_voltage():
    layout = paper_layout("3x4+1R", 10.0, cabrera=True)
    panel = next(panel for panel in layout.panels if panel.label == "-aVR")
    x, y = layout.time_mm(panel, panel.start_s + 0.7), layout.voltage_mm(panel, 0.3)
    found, time_s, voltage = layout.at_mm(float(x), float(y))
    assert found is panel
    assert (time_s, voltage) == (pytest.approx(panel.start_s + 0.7), pytest.approx(0.3))
    assert layout.at_mm(2.0, 50.0) is None


def test_the_footer_names_scales_filter_rate_layout_time_reference_and_effective_scale():
    parts = footer_parts(paper_layout("6x2", 10.0, cabrera=True), 500.0, reference="PQ", scale=0.8)
    for words in ("25 mm/s", "10 mm/mV", "filter: none", "500 Hz", "6x2 Cabrera", "5 s per lead (0–10 s)",
                  "1 mm = 40 ms, 0.1 mV", "ST reference: PQ", "effective 20.0 mm/s, 8.0 mm/mV"):  # fmt: skip
        assert any(words in part for part in parts), words
    assert not any("effective" in part for part in footer_parts(paper_layout("6x2", 10.0), 500.0, scale=1.0))


def test_the_footer_of_a_100_hz_record_says_what_cannot_be_seen():
    assert any("J point and intervals ±10 ms" in part for part in footer_parts(paper_layout("12x1", 10.0), 100.0))
    assert not any("±10 ms" in part for part in footer_parts(paper_layout("12x1", 10.0), 500.0))


@pytest.mark.parametrize(("parameter", "value"), [("speed", 30.0), ("gain", 7.0)])
def test_an_unknown_scale_is_refused_with_the_allowed_values(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter: {value}.*Allowed values"):
        paper_layout("12x1", 10.0, **{parameter: value})
    with pytest.raises(ValueError, match=f"'{parameter}' parameter: {value}.*Allowed values"):
        View(**{parameter: value})


def test_a_view_survives_the_way_through_plain_values():
    view = View("6x2", speed=50.0, quantity="weights", style="line", limit=0.2)
    assert View(**view.as_dict()) == view


def test_the_paper_grows_to_hold_a_tall_wave_and_names_what_still_leaves_it(another_recording):
    signal = another_recording().signal.copy()
    signal[0, 100] = 4.0  # lead I, top row: 40 mm
    tall = another_recording().with_signal(signal)
    layout, beyond = View().paper_for(tall, 60.0)
    assert layout.height_mm - max(layout.baselines_mm) >= 40
    assert beyond == ()
    assert View().paper_for(tall, 0.0)[1] == ("I",)
    assert View().paper_for(tall, 60.0, 190.0)[0].height_mm <= 190
