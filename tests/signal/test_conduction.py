"""Screens for block, pre-excitation, pacing and swapped cables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from synthetic_ecg import ORDINARY, Tracing

from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS, order_leads
from ecgimn.recording import Recording
from ecgimn.signal.conduction import (
    has_delta_wave,
    is_lbbb,
    is_paced,
    is_preexcited,
    is_rbbb,
    paced_beats,
    possible_lead_reversal,
    voltages,
)
from ecgimn.signal.measure import QrsShape, SlowStart, measure, qrs_shape
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves.find import find_waves
from ecgimn.signal.waves.openecg import resample


def bump(time, centre, height, width=0.010):
    return height * np.exp(-0.5 * ((time - centre) / width) ** 2)


TIME = np.arange(100) / 500.0


def shape_of(*lobes):
    trace = sum(bump(TIME, centre, height) for centre, height in lobes)
    return qrs_shape("V1", trace, 5, 90, 500.0)


def test_q_r_s_and_a_second_r_are_told_apart():
    shape = shape_of((0.03, -0.2), (0.06, 1.0), (0.10, -0.6), (0.14, 0.8))
    assert shape.q_mv == pytest.approx(-0.2, abs=0.05)
    assert shape.r_mv == pytest.approx(1.0, abs=0.05)
    assert shape.s_mv == pytest.approx(-0.6, abs=0.05)
    assert shape.r2_mv == pytest.approx(0.8, abs=0.05)
    assert shape.last_is_positive


def test_a_qs_complex_is_all_s():
    shape = shape_of((0.08, -1.5))
    assert (shape.q_mv, shape.r_mv) == (0.0, 0.0)
    assert shape.s_mv == pytest.approx(-1.5, abs=0.01)


def test_a_rising_st_segment_is_no_second_r():
    trace = bump(TIME, 0.08, -1.5) + np.where(TIME > 0.12, (TIME - 0.12) * 5.0, 0.0)
    shape = qrs_shape("V1", trace, 5, 90, 500.0)
    assert (shape.r_mv, shape.r2_mv) == (0.0, 0.0)
    assert shape.deepest_s_mv < -1.4


LBBB = {lead: QrsShape(lead, r_mv=1.0, r_ms=120.0) for lead in STANDARD_LEADS} | {
    "V1": QrsShape("V1", s_mv=-1.5, s_ms=120.0)
}
RBBB = {lead: QrsShape(lead, r_mv=1.0, r_ms=50.0, s_mv=-0.3, s_ms=60.0) for lead in STANDARD_LEADS} | {
    "V1": QrsShape("V1", r_mv=0.2, s_mv=-0.3, r2_mv=0.9, last_is_positive=True)
}


@pytest.mark.parametrize(("qrs_ms", "met"), [(119.0, False), (120.0, True)])
def test_block_needs_a_qrs_of_120_ms(qrs_ms, met):
    assert is_lbbb(qrs_ms, LBBB) is met
    assert is_rbbb(qrs_ms, RBBB) is met
    assert not is_rbbb(qrs_ms, LBBB)
    assert not is_lbbb(qrs_ms, RBBB)


@pytest.mark.parametrize("lead", ["I", "V5", "V6"])
def test_a_q_speaks_against_left_bundle_branch_block(lead):
    assert not is_lbbb(140.0, LBBB | {lead: QrsShape(lead, q_mv=-0.1, r_mv=1.0, r_ms=120.0)})


def with_delta(fs, delta_s):
    """Draw broad beats soon after P, whose QRS begins with a slow ramp of this length."""
    tracing = Tracing(stretch_qrs=1.6, waves={lead: (0.0, 0.0, *row[2:]) for lead, row in ORDINARY.items()})
    time = np.arange(round(tracing.duration_s * tracing.fs)) / tracing.fs
    rows = np.zeros((len(INDEPENDENT_LEADS), len(time)))
    for r in tracing.r_times():
        ramp = np.clip((time - (r - 0.03 - delta_s)) / max(delta_s, 1e-9), 0.0, 1.0) * expit((r - time) / 0.008)
        for row, lead in zip(rows, INDEPENDENT_LEADS, strict=True):
            p, _, height = ORDINARY[lead][:3]
            row += p * np.exp(-0.5 * ((time - r + 0.150) / 0.022) ** 2)
            row += 0.5 * height * ramp if delta_s else 0.0
    signal = tracing.signal() + order_leads(rows, INDEPENDENT_LEADS)[0]
    return Recording(resample(signal, tracing.fs, fs), fs)


@pytest.mark.parametrize("fs", [500.0, 100.0])
def test_a_qrs_that_begins_slowly_soon_after_p_is_pre_excitation(fs):
    found = read_signal(with_delta(fs, 0.07)).findings
    assert "delta wave" in found.of("pre-excitation")[0].text
    assert found.of("LBBB criteria") == ()
    criteria = {item.name: item for item in found.criteria}
    assert criteria["Pre-excitation"].verdict == "met"
    assert "QRS begins over" in criteria["Pre-excitation"].numbers
    assert read_signal(with_delta(fs, 0.0)).findings.of("pre-excitation") == ()


@pytest.mark.parametrize(
    ("length_ms", "pr_ms", "met"), [(60.0, 110.0, True), (39.0, 110.0, False), (60.0, 160.0, False)]
)
def test_a_delta_wave_is_slow_and_near_p(length_ms, pr_ms, met):
    assert has_delta_wave(SlowStart(length_ms, pr_ms)) is met
    assert not has_delta_wave(None)


@pytest.mark.parametrize(
    ("pr_ms", "qrs_ms", "met"), [(119, 110, True), (120, 110, False), (119, 109, False), (None, 130, False)]
)
def test_preexcitation_is_a_short_pr_with_a_broad_qrs(pr_ms, qrs_ms, met):
    assert is_preexcited(pr_ms, qrs_ms) is met


def test_voltages_add_the_documented_deflections():
    shapes = {lead: QrsShape(lead) for lead in STANDARD_LEADS} | {
        "V1": QrsShape("V1", s_mv=-1.5),
        "V3": QrsShape("V3", s_mv=-1.2),
        "V5": QrsShape("V5", r_mv=2.0),
        "V6": QrsShape("V6", r_mv=1.9),
        "aVL": QrsShape("aVL", r_mv=0.9),
    }
    sums = voltages(shapes)
    assert (sums.sokolow_lyon_uv, sums.cornell_uv) == (3500, 2100)
    assert sums.met("male") == ("Sokolow-Lyon",)
    assert sums.met("female") == ("Sokolow-Lyon", "Cornell")


def test_pacing_spikes_before_every_beat_are_seen_and_their_absence_too(ordinary, recording, waves):
    spiky = recording.signal.copy()
    for r in waves.r_samples:
        spiky[:, max(0, r - 40) : max(0, r - 39)] += 2.0
    assert paced_beats(recording.with_signal(spiky), waves).mean() > 0.5
    assert not paced_beats(recording, waves).any()


#: Height of a spike in each lead, as share of the largest: the field of a pacing lead in the right ventricle.
FIELD = {"I": 0.6, "II": 1.0, "V1": -0.4, "V2": 0.5, "V3": 0.6, "V4": 0.7, "V5": 0.8, "V6": 0.7}
#: Per kind of pacing: each spike's time from R in s, its phases in mV of 2 ms each, and how wide the QRS is.
SPIKES = {
    "unipolar": ([(-0.05, (2.0, 2.0))], 1.6),
    "bipolar": ([(-0.05, (0.4, -0.4))], 1.6),
    "narrow": ([(-0.05, (0.5,))], 1.6),
    "atrial": ([(-0.23, (0.5,))], 1.0),
    "biventricular": ([(-0.05, (0.5,)), (-0.02, (0.5,))], 1.6),
    "seen late, within QRS": ([(-0.005, (2.0,))], 1.6),
}


def paced_tracing(kind, fs):
    spikes, stretch = SPIKES[kind]
    tracing = Tracing(fs=fs, stretch_qrs=stretch)
    phase = round(0.002 * fs)
    wave = np.zeros(round(tracing.duration_s * fs))
    for r in tracing.r_times()[:-1]:
        for at, phases in spikes:
            for k, height in enumerate(phases):
                first = round((r + at) * fs) + k * phase
                wave[first : first + phase] += height
    rows = np.stack([FIELD[lead] * wave for lead in INDEPENDENT_LEADS])
    return Recording(tracing.signal() + order_leads(rows, INDEPENDENT_LEADS)[0], fs)


@pytest.mark.parametrize("fs", [500.0, 1000.0])
@pytest.mark.parametrize("kind", SPIKES)
def test_pacing_is_seen_whatever_the_kind_of_spike(kind, fs):
    recording = paced_tracing(kind, fs)
    paced = paced_beats(recording, find_waves(recording))
    assert paced.mean() > 0.9
    assert is_paced(paced)


def test_a_narrow_tall_qrs_is_no_spike():
    recording = Tracing(stretch_qrs=0.55, noise_mv=0.001).recording()
    assert not paced_beats(recording, find_waves(recording)).any()


def test_pacing_is_not_judged_where_spikes_cannot_be_seen():
    recording = Tracing(fs=100.0).recording()
    assert paced_beats(recording, find_waves(recording)) is None


def swap(signal, **rows):
    """Rows of a signal exchanged: lead = (sign, lead it is taken from)."""
    swapped = np.array(signal)
    for lead, (sign, source) in rows.items():
        swapped[STANDARD_LEADS.index(lead)] = sign * signal[STANDARD_LEADS.index(source)]
    return swapped


SWAPS = {
    "left arm and right arm": {"I": (-1, "I"), "II": (1, "III"), "III": (1, "II"), "aVR": (1, "aVL"),
                               "aVL": (1, "aVR")},
    "right arm and left leg": {"I": (-1, "III"), "II": (-1, "II"), "III": (-1, "I"), "aVR": (1, "aVF"),
                               "aVF": (1, "aVR")},
    "V2 and V3": {"V2": (1, "V3"), "V3": (1, "V2")},
    "V3 and V4": {"V3": (1, "V4"), "V4": (1, "V3")},
    "V1 to V6 in reverse": {f"V{k}": (1, f"V{7 - k}") for k in range(1, 7)},
}  # fmt: skip


@pytest.mark.parametrize("names", SWAPS)
def test_swapped_cables_are_suspected_by_name(names, recording):
    swapped = recording.with_signal(swap(recording.signal, **SWAPS[names]))
    waves = find_waves(swapped)
    hints = possible_lead_reversal(swapped, waves, measure(swapped, waves))
    assert any(hint.startswith("Possible lead reversal") and names in hint for hint in hints)


def test_an_ordinary_tracing_raises_no_suspicion(recording, waves, measurements):
    assert possible_lead_reversal(recording, waves, measurements) == ()


def test_a_limb_lead_to_the_right_leg_is_nearly_flat(ordinary):
    heights = dict(ordinary.waves)
    heights["I"] = heights["II"]
    recording = Recording(Tracing(waves=heights, noise_mv=0.002).signal(), 500.0)
    waves = find_waves(recording)
    hints = possible_lead_reversal(recording, waves, measure(recording, waves))
    assert any("III is nearly flat" in hint for hint in hints)
