"""Sanity checks on one recording: equal networks agree, others do not, shifts are compared sample by sample."""

import numpy as np
import pytest
import torch

from ecgimn.draw.words.case import check_view, check_words, logit_rows
from ecgimn.errors import SignalError
from ecgimn.explain.case import open_case
from ecgimn.explain.checks import check_random_weights, check_shuffled_leads, check_time_shift, shuffled_chest
from ecgimn.model.card import ModelCard
from ecgimn.model.model import CASCADE, Model, randomised
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.sources.composites.case import load_composite

CLASSES = ("NORM", "MI")
TINY = NetworkConfig(n_classes=2, widths=(8, 8, 8), blocks=1, decoder_width=8)
RECORDING = load_composite("imi-st")


def model():
    torch.manual_seed(0)
    card = ModelCard(
        name="tiny", task="t", classes=CLASSES, members=1, network=TINY, scale=(1.0, 1.0), offset=(0.0, 0.0),
        sha256="", known_answer=(0.0, 0.0),
    )  # fmt: skip
    return Model(card, (EcgImn(TINY).eval().requires_grad_(False),), torch.device("cpu"))


MODEL = model()
CASE = open_case(RECORDING, MODEL)


def test_the_cascade_draws_anew_from_the_output_inwards():
    before = MODEL.networks[0].state_dict()
    for part, names in CASCADE.items():
        after = randomised(MODEL, part, 7).networks[0].state_dict()
        changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
        assert changed == set(names) & {key.split(".")[0] for key in before}


def test_the_same_weights_give_the_same_map_and_others_do_not():
    same = check_random_weights(CASE, MODEL, "MI")
    assert same.agreement == pytest.approx(1.0)
    other = check_random_weights(CASE, randomised(MODEL, "encoder", 3), "MI")
    assert other.agreement < 0.9
    words = check_words(same, "Random weights", "MI")
    assert "survives" in words[0][0]
    assert not words[0][1]


def test_leads_change_places_and_the_limb_leads_stay():
    order = shuffled_chest(4)
    assert sorted(order) == list(range(12))
    assert list(order[:6]) == list(range(6))
    assert (order[6:] != np.arange(6, 12)).all()
    check = check_shuffled_leads(CASE, MODEL, "MI", seed=4)
    np.testing.assert_array_equal(check.second.recording.signal, RECORDING.signal[order])
    assert -1.0 <= check.in_place <= 1.0
    assert "lead of the same name" in check_words(check, "Shuffled chest leads", "MI")[0][0]


def test_a_shift_compares_the_samples_that_both_windows_see():
    check = check_time_shift(CASE, MODEL, "MI", shift_s=0.1)
    shift = round(0.1 * RECORDING.fs)
    assert check.first.recording.n_samples == check.second.recording.n_samples == RECORDING.n_samples - shift
    np.testing.assert_array_equal(check.first.recording.signal[:, shift:], check.second.recording.signal[:, :-shift])
    assert check.agreement is not None
    assert "logit of MI" in check_words(check, "Time shift", "MI")[1][0]


def test_waves_move_with_the_trace_and_its_leads():
    shift = round(0.1 * RECORDING.fs)
    later = check_time_shift(CASE, MODEL, "MI", shift_s=0.1).second
    np.testing.assert_array_equal(later.reading.waves.labels, CASE.reading.waves.labels[:, shift:])
    at = later.reading.waves.r_samples
    at = at[(at >= 0) & (at < later.recording.n_samples)]
    whole = CASE.reading.waves.r_samples
    np.testing.assert_array_equal(later.recording.signal[:, at], RECORDING.signal[:, whole[whole >= shift]])
    order = shuffled_chest(4)
    exchanged = check_shuffled_leads(CASE, MODEL, "MI", seed=4).second.reading
    np.testing.assert_array_equal(exchanged.waves.labels, CASE.reading.waves.labels[order])
    mean, old = exchanged.measurements.beat.signal, CASE.reading.measurements.beat.signal
    np.testing.assert_allclose(mean, old[order], atol=1e-9)
    np.testing.assert_array_equal(exchanged.levels, CASE.reading.levels[order])


def test_a_shift_that_leaves_nothing_to_compare_is_refused():
    with pytest.raises(SignalError, match="at most"):
        check_time_shift(CASE, MODEL, "MI", shift_s=3.0)


def test_both_sides_are_drawn_on_one_scale_unless_sizes_mean_nothing():
    check = check_random_weights(CASE, randomised(MODEL, "encoder", 3), "MI")
    one, two = (check_view(side.of("MI"), check, own_scale=False) for side in (check.first, check.second))
    assert one.limit == two.limit
    one, two = (check_view(side.of("MI"), check, own_scale=True) for side in (check.first, check.second))
    assert one.limit != two.limit
    assert [row["Class"] for row in logit_rows(check)] == list(CLASSES)
