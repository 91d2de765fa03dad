"""Composite cases: how beats are averaged and repeated, and that what ships is what its cards say."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ecgimn.errors import SourceError
from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.sources.composites.beats import (
    AFTER,
    BEAT_FS,
    BEFORE,
    MIN_MEMBERS,
    BeatGroup,
    PatientBeat,
    align,
    choose,
    median_beat,
    qrs_edges,
)
from ecgimn.sources.composites.case import FOLDER, LICENCE, all_leads, list_composites, load_composite, read_composite
from ecgimn.sources.composites.kinds import KINDS
from ecgimn.sources.composites.make import (
    METHOD,
    NOISE_MV,
    TWINS,
    beat_times,
    candidates,
    make_composites,
    noise,
    random_source,
    strip,
    template,
)
from ecgimn.sources.ptbxl import PtbXl

WEIGHTS = np.array([0.8, 1.0, -0.9, 0.7, 1.2, 1.5, 1.3, 1.0])  # height of R in the eight independent leads, mV
SHIPPED = list_composites()
NAMES = [case.name for case in SHIPPED]
MEANS = [case for case in SHIPPED if case.planted is None]
PLANTED = [case for case in SHIPPED if case.planted is not None]


def bump(time_s, centre_s, width_s):
    return np.exp(-0.5 * ((time_s - centre_s) / width_s) ** 2)


def beat_at(time_s, *, pr=0.16, t_delay=0.28, height=1.0):
    """P, R and T of eight leads at times relative to R, shape (8, n), mV."""
    shape = 0.12 * bump(time_s, -pr, 0.02) + height * bump(time_s, 0.0, 0.011) + 0.3 * bump(time_s, t_delay, 0.04)
    return WEIGHTS[:, None] * shape


def synthetic_record(*, fs=100, rr_s=0.85, premature=None, offset=0.0):
    """Ten seconds of twelve leads in mV; beat number `premature` comes early, broad and upside down."""
    time_s = np.arange(10 * fs) / fs
    eight = np.full((8, len(time_s)), offset)
    for number, r in enumerate(np.arange(0.4, 10.4, rr_s)):
        if number == premature:
            eight -= 2.0 * WEIGHTS[:, None] * bump(time_s, r - 0.3, 0.05)
        else:
            eight += beat_at(time_s - r)
    return np.vstack([LIMB_FROM_I_II @ eight[:2], eight[2:]])


def synthetic_medians(n=40, *, seed=0, spread=True):
    rng = np.random.default_rng(seed)
    medians = []
    for _ in range(n):
        move, pr, t_delay, rr = (rng.uniform(-0.03, 0.03), rng.uniform(0.14, 0.19), rng.uniform(0.25, 0.31), 0.9)
        if not spread:
            move, pr, t_delay = 0.0, 0.16, 0.28
        time_s = np.arange(-BEFORE, AFTER) / BEAT_FS
        medians.append(PatientBeat(beat_at(time_s - move, pr=pr, t_delay=t_delay), rr, 10))
    return medians


def test_median_beat_has_the_amplitudes_of_the_beats():
    median = median_beat(synthetic_record(), 100)
    assert median is not None
    np.testing.assert_allclose(np.abs(median.beat).max(axis=1), np.abs(WEIGHTS), rtol=0.03)


def test_median_beat_ignores_a_premature_beat_and_an_offset():
    plain = median_beat(synthetic_record(), 100)
    disturbed = median_beat(synthetic_record(premature=5, offset=0.7), 100)
    assert plain is not None
    assert disturbed is not None
    assert disturbed.n_beats < plain.n_beats
    assert np.abs(disturbed.beat - plain.beat).max() < 0.03


def test_median_beat_is_the_same_at_100_and_500_hz():
    low, high = median_beat(synthetic_record(fs=100), 100), median_beat(synthetic_record(fs=500), 500)
    assert low is not None
    assert high is not None
    group = align([low, high])
    assert np.abs(group.beats[0] - group.beats[1])[:, group.onset - 80 : group.end + 180].max() < 0.06


def test_a_flat_record_has_no_median_beat():
    assert median_beat(np.zeros((12, 1000)), 100) is None


def test_alignment_keeps_the_amplitude_of_every_wave():
    group = align(synthetic_medians())
    r = np.abs(group.mean[:, group.onset : group.end]).max(axis=1)
    np.testing.assert_allclose(r, np.abs(WEIGHTS), rtol=0.02)
    t = np.abs(group.mean[:, group.end + 50 : group.end + 180]).max(axis=1)
    np.testing.assert_allclose(t, 0.3 * np.abs(WEIGHTS), rtol=0.04)
    p = np.abs(group.mean[:, group.onset - 100 : group.onset - 20]).max(axis=1)
    np.testing.assert_allclose(p, 0.12 * np.abs(WEIGHTS), rtol=0.08)


def test_a_plain_mean_would_lose_amplitude_that_alignment_keeps():
    medians = synthetic_medians()
    plain = np.abs(np.mean([median.beat for median in medians], axis=0)).max(axis=1)
    assert (np.abs(align(medians).mean).max(axis=1) > 1.3 * plain).all()


def test_alignment_keeps_the_usual_intervals():
    group = align(synthetic_medians(200))
    t_top = group.end + 50 + np.abs(group.mean[1, group.end + 50 : group.end + 200]).argmax()
    r_top = np.abs(group.mean[1]).argmax()
    assert (t_top - r_top) / BEAT_FS == pytest.approx(0.28, abs=0.012)


def test_the_edges_of_qrs_enclose_it():
    onset, end = qrs_edges(beat_at(np.arange(-BEFORE, AFTER) / BEAT_FS))
    assert 0.024 < (BEFORE - onset) / BEAT_FS < 0.060
    assert 0.024 < (end - BEFORE) / BEAT_FS < 0.060


def test_the_pause_between_two_peaks_of_qrs_is_not_its_end():
    time_s = np.arange(-BEFORE, AFTER) / BEAT_FS
    split = WEIGHTS[:, None] * (bump(time_s, 0.0, 0.008) + bump(time_s, 0.055, 0.010))
    assert (qrs_edges(split)[1] - BEFORE) / BEAT_FS > 0.075


def test_the_strongest_and_most_typical_patients_are_chosen_and_at_least_thirty():
    group = align(synthetic_medians(60, spread=False))
    beats = group.beats.copy()
    beats[:3] *= -1.0  # strong, but unlike all others
    group = replace(group, beats=beats)
    strength = np.arange(60)[::-1].astype(float)
    chosen = choose(group, strength, strongest=0.7, typical=0.8)
    assert len(chosen) == 34
    assert not set(chosen) & {0, 1, 2}
    assert chosen.max() < 42
    assert len(choose(group, strength, strongest=0.01, typical=0.01)) == MIN_MEMBERS


def test_every_kind_can_be_measured_on_a_group():
    group = align(synthetic_medians())
    assert isinstance(group, BeatGroup)
    for kind in KINDS:
        strength = kind.strength(group)
        assert strength.shape == (40,), kind.name
        assert np.isfinite(strength).all(), kind.name


def synthetic_template():
    mean = align(synthetic_medians(5, spread=False)).mean
    onset, end = qrs_edges(mean)
    return template(mean, onset, end, pq_s=0.26)


def test_both_ends_of_a_template_lie_on_one_baseline():
    beat = synthetic_template().beat
    np.testing.assert_allclose(beat[:, 0], beat[:, -1], atol=2e-3)


def test_beats_of_a_strip_are_copies_of_the_template_without_a_step_at_the_joins():
    beat = synthetic_template()
    times = beat_times(0.9, beat.beat.shape[1] + 20, random_source("case"))
    signal = strip(beat, times)
    assert signal.shape == (8, 5000)
    steepest = np.abs(np.diff(beat.beat[:, 5:-5], axis=1)).max(axis=1)
    assert (np.abs(np.diff(signal, axis=1)).max(axis=1) <= 1.001 * steepest).all()
    for time in times[1:-2]:
        first = int(time) - beat.r
        if first >= 0 and first + beat.beat.shape[1] <= 5000:
            np.testing.assert_array_equal(signal[:, first : first + beat.beat.shape[1]], beat.beat)


def test_beats_come_at_varied_intervals_and_never_overlap():
    intervals = np.diff(beat_times(0.9, 400, random_source("case"))) / BEAT_FS
    assert 0.01 < intervals.std() / intervals.mean() < 0.05
    assert np.diff(beat_times(0.5, 420, random_source("case"))).min() >= 420


def test_noise_is_small_and_the_same_for_the_same_name():
    first, second = noise(8, random_source("imi")), noise(8, random_source("imi"))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.std(axis=1), NOISE_MV)
    assert not np.allclose(first, noise(8, random_source("asmi")))


def test_limb_leads_follow_from_i_and_ii():
    twelve = all_leads(np.arange(16, dtype=np.int16).reshape(8, 2))
    np.testing.assert_allclose(twelve[2], twelve[1] - twelve[0], atol=1e-6)
    np.testing.assert_allclose(twelve[3:6].sum(axis=0), 0.0, atol=1e-6)


# What ships


def test_at_least_twelve_kinds_and_four_twins_ship_in_little_space():
    assert len(MEANS) >= 12
    assert len(PLANTED) >= 4
    assert [case.name for case in MEANS] == [kind.name for kind in KINDS]
    assert [case.name for case in PLANTED] == [name for name, *_ in TWINS]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


@pytest.mark.parametrize("case", SHIPPED, ids=NAMES)
def test_a_card_names_its_patients_labels_method_and_licence(case):
    assert case.n_patients >= MIN_MEMBERS
    assert str(case.n_patients) in case.record_name
    assert case.record_name.startswith("composite")
    assert case.codes
    assert case.label_definition
    assert case.selection
    assert case.hallmark
    assert METHOD in case.method
    assert "composites --ptbxl" in case.command
    assert case.licence == LICENCE
    assert "PTB-XL" in case.attribution
    assert 10 not in case.made_from["folds"]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_case_is_a_clean_ecg_of_ten_seconds(name):
    composite = read_composite(name)
    recording, case = composite.recording, composite.case
    assert recording.digest == case.digest
    assert recording.source == "composite"
    assert recording.record_name == case.record_name
    assert recording.age is None
    assert recording.sex is None
    assert recording.fs == 500.0
    assert recording.n_samples == 5000
    limb = recording.signal[:6].astype(np.float64)
    assert np.abs(limb - LIMB_FROM_I_II @ limb[:2]).max() < 0.002
    assert 0.05 < np.abs(recording.signal).max() < 4.0
    assert np.abs(np.median(recording.signal, axis=1)).max() < 0.10
    intervals = np.diff(case.r_samples) / 500.0
    assert len(case.r_samples) >= 8
    assert intervals.std() > 0.004
    assert 0.65 < intervals.mean() < 1.2


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_case_repeats_its_beat_and_adds_only_noise(name):
    composite = read_composite(name)
    r, n = composite.case.beat["r"], composite.beat.shape[1]
    whole = [time for time in composite.case.r_samples if time >= r and time - r + n <= 5000]
    assert len(whole) >= 6
    for time in whole:
        rest = composite.recording.signal[:, time - r : time - r + n] - composite.beat
        assert np.sqrt(np.mean(rest**2, axis=1)).max() < 0.012
    pause = composite.recording.signal[:, whole[1] - r - 10 : whole[1] - r + 10].mean(axis=1)
    assert np.abs(pause - composite.beat[:, 0]).max() < 0.012


def measured(name):
    composite = read_composite(name)
    marks, beat = composite.case.beat, dict(zip(STANDARD_LEADS, composite.beat, strict=True))
    return beat, marks["qrs_onset"], marks["j"]


def qrs(name, lead):
    beat, onset, j = measured(name)
    return beat[lead][onset:j]


def st(name, lead):
    """Voltage 60 ms after J against that before QRS."""
    beat, onset, j = measured(name)
    return float(beat[lead][j + 30] - beat[lead][onset - 12 : onset - 2].mean())


def t_wave(name, lead):
    beat, onset, j = measured(name)
    late = beat[lead][j + 50 : j + 160] - beat[lead][onset - 12 : onset - 2].mean()
    return float(late[np.abs(late).argmax()])


def test_the_normal_composite_has_upright_p_and_t_and_growing_r():
    beat, onset, _ = measured("norm")
    assert beat["II"][onset - 90 : onset - 15].max() > 0.08
    assert all(t_wave("norm", lead) > 0.1 for lead in ("I", "II", "V3", "V4", "V5", "V6"))
    heights = [qrs("norm", lead).max() for lead in ("V1", "V2", "V3", "V4")]
    assert heights == sorted(heights)
    assert all(abs(st("norm", lead)) < 0.1 for lead in ("I", "II", "III", "aVF", "aVL", "V5", "V6"))


def test_infarct_composites_show_q_in_their_territory():
    for lead in ("III", "aVF"):
        assert qrs("imi", lead).min() < -0.15
        assert qrs("imi", lead)[:25].min() < -0.1
    assert qrs("imi", "II")[:25].min() < qrs("norm", "II")[:25].min() - 0.03
    for lead in ("V2", "V3"):
        assert qrs("asmi", lead).max() < 0.2
        assert qrs("asmi", lead).min() < -0.8
        assert st("ami-st", lead) > 0.2
    assert st("imi-st", "III") > 0.08
    assert st("imi-st", "aVL") < -0.03


def test_bundle_branch_blocks_are_broad_and_shaped_as_named():
    for name in ("clbbb", "crbbb"):
        marks = read_composite(name).case.beat
        assert (marks["j"] - marks["qrs_onset"]) / 500.0 >= 0.12
    assert qrs("clbbb", "V6").max() > 0.5
    assert qrs("clbbb", "V6")[:25].min() > -0.05
    assert qrs("clbbb", "V1").min() < -0.8
    assert t_wave("clbbb", "V6") < -0.1
    late = len(qrs("crbbb", "V1")) // 2
    assert qrs("crbbb", "V1")[late:].max() > 0.4
    assert qrs("crbbb", "V6")[late:].min() < -0.2


def test_hypertrophy_composites_show_voltage_and_strain():
    for name in ("lvh", "lvh-volt"):
        assert -qrs(name, "V1").min() + qrs(name, "V5").max() >= 3.5  # Sokolow-Lyon, mV
    assert st("lvh", "V6") < -0.05
    assert t_wave("lvh", "V6") < -0.1
    assert qrs("rvh", "V1").max() > 0.4
    assert qrs("rvh", "V1").max() > -qrs("rvh", "V1").min()


def test_st_t_and_conduction_composites_show_their_hallmark():
    assert st("isc", "V5") < -0.05
    assert t_wave("isc", "V5") < 0.0
    assert all(t_wave("iscal", lead) < 0.0 for lead in ("V4", "V5", "V6"))
    assert st("injas", "V4") < -0.1
    for name, shorter, longer in (("avb1", 0.16, 0.30), ("wpw", 0.03, 0.12)):
        beat, onset, _ = measured(name)
        start = max(0, onset - 200)
        top = start + beat["II"][start : onset - 10].argmax()
        assert shorter < (onset - top) / 500.0 < longer, name
    assert qrs("lafb", "aVF").mean() < 0.0 < qrs("lafb", "aVL").mean()


@pytest.mark.parametrize("case", PLANTED, ids=[case.name for case in PLANTED])
def test_a_twin_differs_from_the_normal_composite_by_the_planted_change_alone(case):
    twin, normal = load_composite(case.name), load_composite(case.planted.twin_of)
    assert case.n_patients == read_composite(case.planted.twin_of).case.n_patients
    assert "planted" in case.record_name
    assert "planted change" in case.method
    difference = twin.signal.astype(np.float64) - normal.signal
    touched = {lead for lead, row in zip(STANDARD_LEADS, difference, strict=True) if np.abs(row).max() > 0.0021}
    assert touched == set(case.planted.leads) | set(case.planted.amount_mv)
    for lead, amount in case.planted.amount_mv.items():
        row = difference[STANDARD_LEADS.index(lead)]
        assert row[np.abs(row).argmax()] == pytest.approx(amount, rel=0.1, abs=0.003), lead


def test_planted_st_elevation_is_0_2_mv_at_60_ms_and_leaves_p_and_qrs_alone():
    for lead in ("V2", "V3", "V4"):
        assert st("twin-ste-v2-v4", lead) - st("norm", lead) == pytest.approx(0.2, abs=0.002)
        difference = qrs("twin-ste-v2-v4", lead)[:-5] - qrs("norm", lead)[:-5]
        assert np.abs(difference).max() < 0.0021
    assert st("twin-ste-v2-v4", "V5") == st("norm", "V5")


def test_planted_low_voltage_brings_the_limb_leads_below_half_a_millivolt():
    signal = load_composite("twin-low-voltage").signal[:6]
    assert np.ptp(signal, axis=1).max() < 0.5


def test_planted_t_inversion_reaches_its_depth():
    for lead in ("V4", "V5", "V6"):
        assert t_wave("twin-tinv-v4-v6", lead) == pytest.approx(-0.3, abs=0.07)


# Errors


def test_an_unknown_case_is_named_with_the_choices():
    with pytest.raises(SourceError, match=r"no composite case '\.\./norm'.*norm, "):
        load_composite("../norm")


def test_changed_samples_are_refused(tmp_path):
    for suffix in (".json", ".npz"):
        shutil.copy(FOLDER / f"norm{suffix}", tmp_path)
    with np.load(tmp_path / "norm.npz") as arrays:
        signal, beat = arrays["signal_uv"].copy(), arrays["beat_uv"]
    signal[0, 0] += 1
    np.savez_compressed(tmp_path / "norm.npz", signal_uv=signal, beat_uv=beat)
    with pytest.raises(SourceError, match="do not agree with its card"):
        load_composite("norm", tmp_path)


@pytest.mark.parametrize("damage", ["no samples", "no archive", "bad card", "missing field"])
def test_a_damaged_case_is_refused_in_one_sentence(tmp_path, damage):
    for suffix in (".json", ".npz"):
        shutil.copy(FOLDER / f"norm{suffix}", tmp_path)
    if damage == "no samples":
        (tmp_path / "norm.npz").unlink()
    elif damage == "no archive":
        (tmp_path / "norm.npz").write_bytes(b"PK\x03\x04 nothing")
    elif damage == "bad card":
        (tmp_path / "norm.json").write_text("{")
    else:
        card = json.loads((tmp_path / "norm.json").read_text(encoding="utf-8"))
        del card["digest"]
        (tmp_path / "norm.json").write_text(json.dumps(card))
    with pytest.raises(SourceError, match="'norm' cannot be used"):
        load_composite("norm", tmp_path)


# With PTB-XL


@pytest.fixture(scope="module")
def ptbxl():
    folder = os.environ.get("ECGIMN_PTBXL")
    if not folder:
        pytest.skip("ECGIMN_PTBXL is not set")
    return PtbXl(folder)


def test_candidates_are_one_record_per_patient_outside_fold_10(ptbxl):
    for kind in KINDS:
        ids = candidates(ptbxl, kind, set(ptbxl.ids().tolist()))
        rows = ptbxl.table.loc[ids]
        assert not rows["patient_id"].duplicated().any()
        assert (rows["strat_fold"] < 10).all()
        assert (rows[kind.superclass] == 1).all()


def test_an_unknown_kind_is_refused(ptbxl):
    with pytest.raises(SourceError, match="no kind of composite 'flu'"):
        make_composites(ptbxl, names=("flu",))


def test_a_rebuilt_composite_is_the_shipped_one(ptbxl):
    shipped = read_composite("crbbb")
    try:
        (made,) = make_composites(ptbxl, names=("crbbb",))
    except SourceError as exc:
        pytest.skip(f"this part of PTB-XL holds too few patients: {exc}")
    if (made.case.made_from["n_candidates"], made.case.made_from["n_at_500_hz"]) != (
        shipped.case.made_from["n_candidates"], shipped.case.made_from["n_at_500_hz"],
    ):  # fmt: skip
        assert made.case.n_patients >= MIN_MEMBERS
        pytest.skip("this part of PTB-XL holds other records of the kind than those of the shipped case")
    assert made.case.selection == shipped.case.selection
    assert made.case.made_from == shipped.case.made_from
    assert np.abs(made.signal_uv.astype(int) - shipped.signal_uv).max() <= 1
