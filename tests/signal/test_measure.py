"""ST, T, amplitudes and intervals on tracings whose levels are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_ecg import ORDINARY, Tracing

from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal import intervals as iv
from ecgimn.signal.intervals import Measured, axis_class, frontal_axis
from ecgimn.signal.measure import isoelectric, measure
from ecgimn.signal.reading import read_signal, with_reference
from ecgimn.signal.waves.find import find_waves


def measured(tracing, **options):
    recording = tracing.recording()
    return measure(recording, find_waves(recording), **options)


@pytest.mark.parametrize("shift_mv", [0.05, 0.1, 0.2, 0.4, -0.1, -0.3])
def test_a_planted_st_shift_is_recovered_within_002_mv(measurements, shift_mv):
    planted = measured(Tracing(st_mv={"V2": shift_mv, "V3": shift_mv, "V4": shift_mv}))
    for lead in ("V2", "V3", "V4"):
        for point in ("j60_mv", "j80_mv"):
            found = getattr(planted.st_of(lead), point) - getattr(measurements.st_of(lead), point)
            assert found == pytest.approx(shift_mv, abs=0.02)
    assert planted.st_of("V6").j60_mv == pytest.approx(measurements.st_of("V6").j60_mv, abs=0.01)


@pytest.mark.parametrize("fs", [100.0, 250.0, 1000.0])
def test_st_is_the_same_at_every_rate(fs):
    found = measured(Tracing(fs=fs, st_mv={"V2": 0.2, "V3": 0.2}))
    assert found.st_of("V2").j60_mv == pytest.approx(0.2, abs=0.02)


def test_a_flat_shift_is_horizontal_and_its_level_is_that_of_j(measurements):
    found = measured(Tracing(st_mv={"V2": 0.2}))
    assert found.st_of("V2").shape in ("horizontal", "slow up-sloping")
    assert found.st_of("V2").slope_mv_per_s == pytest.approx((found.st_of("V2").j80_mv - found.st_of("V2").j_mv) / 0.08)
    assert measurements.reference == "PQ"


def test_a_level_added_to_a_lead_changes_no_st_value(recording, waves, measurements):
    shifted = recording.with_signal(recording.signal + np.linspace(-2, 2, 12)[:, None])
    for before, after in zip(measurements.st, measure(shifted, waves).st, strict=True):
        assert after.j_mv == pytest.approx(before.j_mv, abs=1e-4)


def test_depressed_pq_raises_st_against_pq_but_not_against_tp():
    tracing = Tracing()
    signal = tracing.signal()
    time = np.arange(signal.shape[1]) / tracing.fs
    for r in tracing.r_times():
        signal -= 0.1 * ((time > r - 0.10) & (time < r - 0.04))
    recording = Recording(signal, tracing.fs)
    waves = find_waves(recording)
    against_pq, against_tp = measure(recording, waves), measure(recording, waves, reference="TP")
    assert against_pq.st_of("V2").j60_mv - against_tp.st_of("V2").j60_mv == pytest.approx(0.1, abs=0.03)
    assert against_tp.st_of("V2").reference == "TP"


def test_without_a_quiet_stretch_there_is_no_tp_reference_but_a_reason():
    found = measured(Tracing(rr_s=0.42), reference="TP")
    assert found.st == ()
    assert "80 ms" in found.reason


def test_a_strip_with_two_beats_has_no_st_but_a_reason():
    found = measured(Tracing(duration_s=2.0))
    assert found.st == ()
    assert "3 are needed" in found.reason
    assert found.intervals.qt.value is None
    assert found.intervals.qt.text().startswith("— (")


def test_amplitudes_are_those_that_were_drawn(measurements):
    shapes = {shape.lead: shape for shape in measurements.qrs_shapes}
    for lead in ("II", "V2", "V5"):
        _p, _q, r, s, t = ORDINARY[lead]
        assert shapes[lead].r_mv == pytest.approx(r, abs=0.08)
        assert shapes[lead].s_mv == pytest.approx(s, abs=0.08)
        wave = measurements.t_waves[STANDARD_LEADS.index(lead)]
        assert wave.amplitude_mv == pytest.approx(t, abs=0.03)
        assert wave.grade == "positive"
    assert measurements.t_waves[STANDARD_LEADS.index("aVR")].grade == "negative, usual in this lead"


def test_intervals_are_those_that_were_drawn(measurements):
    found = measurements.intervals
    assert found.heart_rate.value == pytest.approx(60 / 0.85, abs=0.5)
    assert found.rr_range[0].value == pytest.approx(850, abs=10)
    assert found.pr.value == pytest.approx(175, abs=25)  # P begins about 2.5 standard deviations before its peak
    assert found.qrs.value == pytest.approx(95, abs=15)
    assert found.qt.value == pytest.approx(410, abs=25)
    assert found.axis.value == pytest.approx(frontal_axis(0.55, 0.545), abs=15)


def test_without_p_waves_there_is_no_pr_and_an_irregular_rhythm_has_its_mean_rr():
    heights = {lead: (0.0, *rest) for lead, (_p, *rest) in ORDINARY.items()}
    beats_at = (0.4, 1.0, 1.9, 2.4, 3.5, 4.1, 4.7, 5.9, 6.4, 7.5, 8.1, 9.2)
    found = measured(Tracing(beats_at=beats_at, waves=heights)).intervals
    assert found.pr.value is None
    assert "no P wave" in found.pr.reason
    assert "irregular" in found.heart_rate.note
    assert found.heart_rate.value == pytest.approx(60 / np.diff(beats_at).mean(), rel=0.03)


@pytest.mark.parametrize(
    ("formula", "qt_ms", "rr_s", "qtc_ms"),
    [
        (iv.qtc_bazett, 400.0, 1.0, 400.0),
        (iv.qtc_bazett, 400.0, 0.64, 500.0),
        (iv.qtc_fridericia, 400.0, 1.0, 400.0),
        (iv.qtc_fridericia, 400.0, 0.512, 500.0),
        (iv.qtc_framingham, 400.0, 1.0, 400.0),
        (iv.qtc_framingham, 400.0, 0.5, 477.0),
        (iv.qtc_hodges, 400.0, 1.0, 400.0),
        (iv.qtc_hodges, 400.0, 0.5, 505.0),
    ],
)
def test_qtc_formulas_by_hand(formula, qt_ms, rr_s, qtc_ms):
    assert formula(qt_ms, rr_s) == pytest.approx(qtc_ms)


@pytest.mark.parametrize(
    ("net_i", "net_avf", "degrees"),
    [(1.0, 0.0, 0.0), (0.0, 1.0, 90.0), (1.0, np.sqrt(3) / 2, 45.0), (-1.0, 0.0, 180.0), (0.0, -1.0, -90.0)],
)
def test_the_axis_is_that_of_the_hexaxial_system(net_i, net_avf, degrees):
    assert frontal_axis(net_i, net_avf) == pytest.approx(degrees)


@pytest.mark.parametrize(
    ("degrees", "name"),
    [(-30.0, "normal"), (-30.1, "left"), (-90.0, "left"), (-90.1, "extreme"), (90.0, "normal"), (90.1, "right"),
     (180.0, "right"), (-179.9, "extreme")],
)  # fmt: skip
def test_axis_borders(degrees, name):
    assert axis_class(degrees) == name


def test_an_axis_without_net_qrs_has_a_reason():
    found = measured(Tracing(waves={lead: (p, 0.0, 0.5, -0.5, t) if lead in ("I", "II") else (p, q, r, s, t)
                                    for lead, (p, q, r, s, t) in ORDINARY.items()}))  # fmt: skip
    assert found.intervals.axis.value is None or abs(found.intervals.axis.value) <= 180
    assert Measured(None, "degrees", "near zero").text() == "— (near zero)"


def test_the_isoelectric_level_is_the_pq_level_of_each_lead(recording, waves):
    levels = np.linspace(-0.5, 0.5, 12)
    shifted = recording.with_signal(recording.signal + levels[:, None])
    np.testing.assert_allclose(isoelectric(shifted, waves).mv - isoelectric(recording, waves).mv, levels, atol=1e-6)
    assert isoelectric(recording, waves).method == "PQ"
    assert np.abs(isoelectric(recording, waves).mv).max() < 0.05


def test_without_beats_the_isoelectric_level_is_the_median_and_says_so(recording):
    found = isoelectric(recording, None)
    assert (found.method, found.n_beats) == ("median", 0)
    np.testing.assert_allclose(found.mv, np.median(recording.signal, axis=1), atol=1e-6)


def test_a_gap_in_a_lead_leaves_its_isoelectric_level_to_the_other_beats(recording, waves):
    signal = recording.signal.copy()
    signal[3, : recording.n_samples // 2] = np.nan
    gappy = replace(recording, signal=signal)
    assert np.isfinite(isoelectric(gappy, waves).mv).all()


def test_another_reference_changes_levels_by_the_difference_of_the_two_and_nothing_else():
    reading = read_signal(Tracing().recording())
    other = with_reference(reading, "TP")
    assert with_reference(reading, "PQ") is reading
    assert other.measurements.reference == "TP"
    assert other.findings is not reading.findings
    np.testing.assert_array_equal(other.levels, reading.levels)
    shift = {st.lead: st.reference_mv for st in other.measurements.st}
    for before in reading.measurements.st:
        gap = shift[before.lead] - before.reference_mv
        assert other.j60_mv[before.lead] == pytest.approx(before.j60_mv - gap, abs=1e-6)
