"""The network's logit is the sum of its weights times its input, whatever the input."""

import numpy as np
import pytest
import torch

from ecgimn.model.network import EcgImn, NetworkConfig, double_rate, fold_input

TINY = NetworkConfig(n_classes=3, widths=(8, 8, 8), blocks=1, decoder_width=8)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return EcgImn(TINY).eval()


@pytest.mark.parametrize("length", [1000, 960, 730, 352])
def test_shapes_are_as_documented(network, length):
    out = network(torch.randn(2, 12, length))
    assert out.logit.shape == (2, 3)
    assert out.maps.shape == (2, 3, 12, length // 2)
    assert double_rate(out.maps).shape == (2, 3, 12, length)


def test_weights_times_input_plus_bias_are_the_logit(network):
    x = torch.randn(4, 12, 1000)
    with torch.inference_mode():
        out = network(x)
        total = (double_rate(out.maps) * x[:, None]).sum((2, 3)) + network.bias
    torch.testing.assert_close(total, out.logit, atol=1e-4, rtol=0)


def test_folding_is_the_adjoint_of_spreading():
    maps, x = torch.randn(1, 5, 12, 500, dtype=torch.float64), torch.randn(1, 12, 1000, dtype=torch.float64)
    there = (double_rate(maps) * x[:, None]).sum()
    back = (maps * fold_input(x)[:, None]).sum()
    assert abs(float(there - back)) < 1e-10


def test_the_bias_is_the_same_for_every_record(network):
    with torch.inference_mode():
        silent = network(torch.zeros(3, 12, 1000)).logit
    torch.testing.assert_close(silent, network.bias.expand(3, -1).detach())


def test_a_weight_sees_the_whole_record(network):
    x = torch.randn(1, 12, 1000)
    other = x.clone()
    other[..., 900:] *= -1
    with torch.inference_mode():
        change = (network(x).maps - network(other).maps).abs()
    assert float(change[..., :100].max()) > 0


def test_the_average_of_networks_is_itself_linear_in_the_input(network):
    torch.manual_seed(1)
    second = EcgImn(TINY).eval()
    x = torch.randn(1, 12, 1000)
    with torch.inference_mode():
        a, b = network(x), second(x)
        mean_map = double_rate((a.maps + b.maps) / 2)
        total = (mean_map * x[:, None]).sum((2, 3)) + (network.bias + second.bias) / 2
    np.testing.assert_allclose(total.numpy(), ((a.logit + b.logit) / 2).numpy(), atol=1e-4)


def test_the_maps_of_a_window_do_not_drift_against_those_of_a_longer_one(network):
    x = torch.randn(1, 12, 1000)
    with torch.inference_mode():
        long, short = network(x).maps * 1000, network(x[..., :982]).maps * 982
    # the context vector differs a little; a drift by half a sample would decorrelate white-noise maps altogether
    a, b = long[..., 100:380].flatten(), short[..., 100:380].flatten()
    assert float(torch.corrcoef(torch.stack([a, b]))[0, 1]) > 0.99


def test_edited_copies_share_the_dropout_of_their_originals():
    torch.manual_seed(0)
    network = EcgImn(NetworkConfig(n_classes=2, widths=(8, 8, 8), blocks=1, decoder_width=8, dropout=0.5))
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()
    x = torch.randn(4, 12, 256)
    seen = torch.cat([x, x[:2]])
    logit = network.read(network.features(seen, copies=2), seen)
    torch.testing.assert_close(logit[:2], logit[4:], atol=1e-5, rtol=1e-5)
