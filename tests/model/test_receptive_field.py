"""What a weight can see follows from the network's shape, and the gradient says the same."""

import numpy as np
import pytest
import torch

from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.model.receptive_field import local_field, reach_s, receptive_field, receptive_fields, sensitivity
from tests.explain.small_cases import small_model, synthetic

SHAPES = (
    NetworkConfig(2, widths=(4, 4, 4), blocks=1, kernel=5, decoder_width=4),
    NetworkConfig(1, widths=(4, 6), blocks=2, kernel=3, decoder_width=4, head_kernel=1),
    NetworkConfig(1, widths=(3, 4, 4, 5), blocks=2, kernel=7, decoder_width=6, head_kernel=15),
)


def all_passing(config):
    """A network in which every tap counts: positive weights on positive input leave no rectifier at zero."""
    torch.manual_seed(0)
    network = EcgImn(config).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.abs() + 0.01)
    return network


@pytest.mark.parametrize("config", SHAPES)
@pytest.mark.parametrize("at_sample", [400, 401, 407, 414])
def test_the_field_is_where_the_gradient_is(config, at_sample):
    x = np.random.default_rng(1).uniform(0.1, 1.0, (12, 800))
    felt = np.flatnonzero(sensitivity(all_passing(config), x, at_sample))
    assert (felt[0], felt[-1]) == local_field(config, at_sample)


def test_at_the_edges_the_field_is_cut_off_by_the_recording():
    config = SHAPES[0]
    x = np.random.default_rng(1).uniform(0.1, 1.0, (12, 400))
    network = all_passing(config)
    for at_sample in (0, 399):
        felt = np.flatnonzero(sensitivity(network, x, at_sample))
        first, last = local_field(config, at_sample)
        assert (felt[0], felt[-1]) == (max(first, 0), min(last, 399))


def test_the_field_moves_with_the_sample_and_a_deeper_network_sees_farther():
    config = SHAPES[0]
    period = 2 ** len(config.widths)
    first, last = local_field(config, 100)
    assert local_field(config, 100 + period) == (first + period, last + period)
    assert reach_s(SHAPES[1]) < reach_s(SHAPES[0]) < reach_s(SHAPES[2]) < reach_s(NetworkConfig())


def test_without_the_context_vector_nothing_outside_the_field_counts_and_with_it_everything_does():
    config = SHAPES[1]
    network = all_passing(config)
    x = torch.rand(1, 12, 800, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x).maps[0, :, :, 200].sum(), x)
    assert (gradient[0].abs().sum(0) > 0).all()  # the whole record
    felt = np.flatnonzero(sensitivity(network, x.detach().numpy()[0], 400))
    assert len(felt) < 200


def test_several_moments_at_once_are_each_moment_by_itself():
    model, recording = small_model(), synthetic(250.0)
    moments = [1.0, 4.0, 7.3]
    assert list(receptive_fields(model, recording, moments)) == [
        receptive_field(model, recording, at) for at in moments
    ]


def test_the_close_field_lies_within_the_local_one():
    model = small_model()
    field = receptive_field(model, synthetic(250.0), 4.0)
    assert field.at_s == 4.0
    assert 0 < field.close_s <= field.reach_s == reach_s(model.networks[0].config)
    assert model.networks[0].decoder.merge[0][0].weight.grad is None
