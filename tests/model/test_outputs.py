"""A network that is asked about some classes says of these what the whole network says, and a logit needs no map."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgimn.errors import CheckpointError, ModelNotFoundError
from ecgimn.model.card import ModelCard, read_card
from ecgimn.model.model import Model, load_model, save_model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.sources.ptbxl_arrays import GROUPS, STATEMENTS, WORDS

CPU = torch.device("cpu")
TINY = NetworkConfig(n_classes=71, widths=(8, 8, 8), blocks=1, decoder_width=8, dropout=0.0)
SHAPES = [TINY, replace(TINY, reads_shape=True), replace(TINY, reads_shape=True, voltage=True)]


def network_of(config, seed=0):
    torch.manual_seed(seed)
    network = EcgImn(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return network


def model_of(config=TINY, members=2):
    networks = [network_of(config, seed) for seed in range(members)]
    scale, offset = tuple(np.linspace(0.5, 1.5, 71).tolist()), tuple(np.linspace(-2, 2, 71).tolist())
    card = ModelCard(
        name="tiny", task="t", classes=STATEMENTS, members=members, network=config, scale=scale, offset=offset,
        sha256="", known_answer=(0.0,) * 71, thresholds={"youden": scale}, words=WORDS, groups=GROUPS,
    )  # fmt: skip
    return Model(card, tuple(networks), CPU)


def signal(n=3, length=982):
    return 0.3 * torch.randn(n, 12, length, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("config", SHAPES, ids=["voltage", "shape", "shape and a term of the amplitude"])
@pytest.mark.parametrize("length", [982, 256, 880])
def test_logits_without_maps_are_those_of_the_maps(config, length):
    network, x = network_of(config), signal(length=length)
    written = network.linear(x)
    by_hand = (written.weights * x[:, None]).sum((2, 3)) + written.bias
    torch.testing.assert_close(network.logits(x), written.logit, rtol=0, atol=1e-5)
    torch.testing.assert_close(by_hand, written.logit, rtol=0, atol=1e-5)


def test_the_linear_model_of_one_input_reads_another_without_its_maps_as_with_them():
    network, x = network_of(SHAPES[0]), signal()
    edited = x + 0.1 * signal(length=982).flip(0)
    by_hand = (network.linear(x).weights * edited[:, None]).sum((2, 3)) + network.constant(edited)
    torch.testing.assert_close(network.read(network.features(x), edited), by_hand, rtol=0, atol=1e-5)


def test_where_maps_depend_on_the_shape_alone_a_change_of_the_gain_is_predicted_exactly():
    network, x = network_of(SHAPES[2]), signal()
    before, after = network.linear(x), network.linear(1.3 * x)
    torch.testing.assert_close(before.weights, after.weights, rtol=1e-4, atol=1e-6)
    predicted = (before.weights * 0.3 * x[:, None]).sum((2, 3)) + after.bias - before.bias
    torch.testing.assert_close(predicted, after.logit - before.logit, rtol=0, atol=1e-5)
    per_doubling = network.constant(2.0 * x) - network.constant(x)
    torch.testing.assert_close(per_doubling, network.voltage.expand(3, -1), rtol=0, atol=1e-5)


def test_a_flat_recording_has_finite_logits():
    assert torch.isfinite(network_of(SHAPES[2]).logits(torch.zeros(1, 12, 982))).all()


@pytest.mark.parametrize("config", [SHAPES[0], SHAPES[2]], ids=["voltage", "shape"])
def test_a_model_of_some_classes_says_of_them_what_the_whole_model_says(config):
    whole, x = model_of(config), signal(1).numpy()
    part = whole.of_classes(("AFIB", "IMI"))
    rows = [STATEMENTS.index(name) for name in ("AFIB", "IMI")]
    everything, few = whole.write_linear_model(x[0]), part.write_linear_model(x[0])
    np.testing.assert_allclose(few.member_weights, everything.member_weights[:, rows], atol=1e-7)
    np.testing.assert_allclose(few.logit, everything.logit[rows], atol=1e-5)
    np.testing.assert_allclose(few.bias, everything.bias[rows], atol=1e-6)
    np.testing.assert_allclose(part.logits(x), whole.logits(x)[:, rows], atol=1e-5)
    np.testing.assert_allclose(part.constant(x), whole.constant(x)[:, rows], atol=1e-6)
    assert part.card.thresholds["youden"] == tuple(whole.card.thresholds["youden"][row] for row in rows)
    assert part.card.words == {"AFIB": "Atrial fibrillation", "IMI": "Inferior myocardial infarction"}
    assert part.card.groups["Rhythm"] == ("AFIB",)


def test_a_class_that_the_model_does_not_know_is_refused():
    with pytest.raises(ModelNotFoundError, match="does not know CABG"):
        model_of(members=1).of_classes(("SR", "CABG"))


def test_words_and_groups_come_back_from_the_card(tmp_path):
    model = model_of(SHAPES[2], members=1)
    save_model(model.card, model.networks, tmp_path)
    card = load_model("tiny", folder=tmp_path, device=CPU).card
    assert card.words == WORDS
    assert card.groups == GROUPS
    path = tmp_path / "tiny.json"
    path.write_text(path.read_text().replace('"SR": "Sinus rhythm"', '"XX": "Sinus rhythm"'))
    with pytest.raises(CheckpointError, match="XX"):
        read_card(path)
