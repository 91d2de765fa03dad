"""The published ECG-IMN: its size, its shapes, and how its z-scoring breaks into millivolts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgimn.errors import CheckpointError
from ecgimn.explain.case import case_of
from ecgimn.explain.explanation import explain
from ecgimn.explain.sentences import sum_of_evidence
from ecgimn.leads import LIMB_FROM_I_II
from ecgimn.model.card import ModelCard, read_card
from ecgimn.model.model import load_model, save_model
from ecgimn.model.network import NetworkConfig
from ecgimn.model.published import PaperConfig, PaperImn, z_score
from ecgimn.recording import Recording
from ecgimn.signal.measure import IsoelectricLevels
from ecgimn.signal.quality import assess_quality
from ecgimn.signal.reading import SignalReading

CPU = torch.device("cpu")


def card(config, classes):
    n = len(classes)
    return ModelCard(
        name="paper-tiny", task="t", classes=classes, members=1, network=config, kind="paper",
        scale=(1.5,) * n, offset=(0.25,) * n, sha256="", known_answer=(0.0,) * n,
    )  # fmt: skip


def network(config, seed=0):
    torch.manual_seed(seed)
    return PaperImn(config).eval()


@pytest.fixture(scope="module")
def superclass(tmp_path_factory):
    classes = ("NORM", "MI", "STTC", "CD", "HYP")
    config = PaperConfig(5, "labels")
    return save_model(card(config, classes), [network(config)], tmp_path_factory.mktemp("models"))


def ecg(fs=500.0, drift=0.4):
    t = np.arange(round(10 * fs)) / fs
    beat = np.exp(-0.5 * (((t % 0.8) - 0.3) / 0.02) ** 2) + 0.25 * np.exp(-0.5 * (((t % 0.8) - 0.55) / 0.04) ** 2)
    two = np.stack([0.6 * beat, beat]) + drift * np.stack([np.sin(0.3 * t), np.cos(0.2 * t)])
    chest = np.linspace(-0.8, 1.2, 6)[:, None] * beat + 0.3
    return Recording(np.concatenate([LIMB_FROM_I_II @ two, chest]).astype(np.float32), fs, "synthetic")


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (PaperConfig(1, "logit"), 139_490),
        (PaperConfig(2, "softmax"), 139_700),
        (PaperConfig(5, "labels"), 140_330),
    ],
)
def test_the_network_has_the_published_number_of_parameters(config, parameters):
    built = PaperImn(config)
    assert sum(p.numel() for p in built.parameters()) == parameters
    assert sum(p.numel() for p in built.encoder.parameters()) == 116_144


@pytest.mark.parametrize("length", [1000, 982, 501])
def test_maps_have_the_shape_of_the_input(length):
    out = network(PaperConfig(2, "softmax"))(torch.randn(3, 12, length))
    assert out.maps.shape == (3, 2, 12, length)
    assert out.bias.shape == out.logit.shape == (3, 2)


def test_a_weight_sees_at_most_76_samples_and_six_leads_on_either_side():
    net = network(PaperConfig(1, "logit")).double()
    z = torch.randn(1, 12, 400, dtype=torch.float64, requires_grad=True)
    net(z).maps[0, 0, 5, 201].backward()
    leads, samples = torch.nonzero(z.grad[0], as_tuple=True)
    assert int(samples.max() - samples.min()) + 1 in (72, 76)
    assert set(leads.tolist()) == set(range(12))  # aVF is one of the two leads that see all


def test_a_z_scored_lead_has_mean_zero_and_sd_one_and_a_flat_one_is_zero():
    x = torch.randn(2, 12, 300) * 3 + 5
    x[:, 4] = 0.7
    z, mean, factor = z_score(x)
    np.testing.assert_allclose(z.mean(-1), 0.0, atol=1e-5)
    np.testing.assert_allclose(z.std(-1, correction=0)[:, [0, 11]], 1.0, atol=1e-5)
    assert not z[:, 4].any()
    assert not factor[:, 4].any()
    np.testing.assert_allclose(mean[:, 4], 0.7, atol=1e-6)


@pytest.mark.parametrize("config", [PaperConfig(1, "logit"), PaperConfig(2, "softmax"), PaperConfig(5, "labels")])
def test_weights_in_millivolts_offset_and_bias_add_up_to_the_logit(config):
    x = torch.randn(3, 12, 982, dtype=torch.float64) * 0.3 + 0.5
    net = network(config).double()
    linear = net.linear(x)
    total = (linear.weights * x[:, None]).sum((2, 3)) + linear.offset.sum(2) + linear.bias
    np.testing.assert_allclose(total.detach(), linear.logit.detach(), atol=1e-9)
    np.testing.assert_allclose(net.logits(x).detach(), linear.logit.detach(), atol=1e-12)
    assert float(linear.offset.detach().abs().max()) > 0.01


def test_of_a_softmax_the_sigmoid_of_a_contrast_is_the_probability():
    net = network(PaperConfig(2, "softmax"))
    x = torch.randn(4, 12, 500) * 0.3
    probability = torch.softmax(net(z_score(x)[0]).logit, dim=1)
    np.testing.assert_allclose(torch.sigmoid(net.logits(x)).detach(), probability.detach(), atol=1e-5)


def test_gain_and_level_of_a_lead_do_not_change_the_answer():
    net = network(PaperConfig(5)).double()
    x = torch.randn(1, 12, 500, dtype=torch.float64)
    other = x.clone()
    other[:, 7] = 3.0 * other[:, 7] + 2.0
    np.testing.assert_allclose(net.logits(other).detach(), net.logits(x).detach(), atol=1e-9)


@pytest.mark.parametrize("fs", [100.0, 500.0])
def test_the_ledger_of_a_recording_adds_up_with_its_offset_line(superclass, fs):
    recording = ecg(fs)
    explanation = explain(recording, superclass, double=True)
    assert explanation.completeness_error < 1e-9
    assert explanation.offset.shape == (5, 12)
    isoelectric = IsoelectricLevels(np.linspace(-0.2, 0.3, 12), "median", 0)
    reading = SignalReading(recording, assess_quality(recording), None, None, None, isoelectric, "not looked for")
    case = case_of(reading, explanation, superclass.card)
    assert case.ledger.residual < 1e-8
    assert case.of("MI").z_scored
    total = sum_of_evidence(case.of("MI"))
    assert total.bias + total.evidence + total.offset == pytest.approx(total.logit, abs=1e-8)
    assert total.offset_line == (("z-score offset", total.offset),)
    assert "z-score offset" in total.equation


def test_a_card_keeps_its_kind_and_a_wrong_one_is_refused(superclass, tmp_path):
    save_model(superclass.card, superclass.networks, tmp_path)
    assert read_card(tmp_path / "paper-tiny.json").network == PaperConfig(5, "labels")
    assert not load_model("paper-tiny", folder=tmp_path, device=CPU).card.high_pass
    with pytest.raises(CheckpointError, match="of the kind 'paper'"):
        replace(superclass.card, network=NetworkConfig())


def test_outputs_that_do_not_fit_the_classes_are_refused():
    with pytest.raises(ValueError, match="softmax with 2"):
        PaperConfig(5, "softmax")
