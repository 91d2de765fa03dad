"""Post-hoc methods on networks small enough to know the answer: a linear one, and one that saturates."""

import numpy as np
import pytest
import torch
from torch import nn

from ecgimn.explain.edits import masks_from_landmarks
from ecgimn.explain.ledger import N_CELLS, QUICK_WAVES, cell_partition, cell_sums, lead_wave_cells
from ecgimn.explain.methods import CONTROLS, METHODS, Input, Target, attribute, model_target, one_class
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.model.published import PaperConfig, PaperImn
from ecgimn.signal.waves.quick import quick_landmarks

L = 400
CELL_METHODS = ("occlusion", "KernelSHAP")
GRADIENTS = ("gradient x input", "integrated gradients", "GradientSHAP")


def record():
    t = np.arange(L)
    beat = sum(
        np.exp(-0.5 * ((t - at) / 2.0) ** 2) + 0.3 * np.exp(-0.5 * ((t - at - 24) / 5.0) ** 2)
        for at in range(50, L, 80)
    )
    x = np.linspace(-1, 1.25, 12)[:, None] * beat + 0.1  # no lead is flat: an effect there could not be carried
    landmarks = quick_landmarks(x)
    wave = cell_partition(masks_from_landmarks(landmarks, L), L)
    return Input(x, landmarks.level, lead_wave_cells(wave)), wave


RECORD, WAVE = record()


class Linear(nn.Module):
    """Two classes; the features for Grad-CAM are the input itself."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.w = torch.randn(2, 12, L, generator=generator) / L
        self.features = nn.Identity()

    def forward(self, x):
        return torch.einsum("klt,blt->bk", self.w, self.features(x)) + torch.tensor([0.5, -1.0])


LINEAR = Linear()
TARGET = Target(LINEAR, (LINEAR.features,), 2)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_gives_a_signed_number_per_class_lead_and_sample(method):
    said = attribute(method, TARGET, RECORD, kernel_samples=200)
    assert said.attribution.shape == said.weights.shape == (2, 12, L)
    assert np.isfinite(said.attribution).all()
    assert np.isfinite(said.weights).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_method_predicts_that_removing_everything_removes_its_attribution(method):
    said = attribute(method, TARGET, RECORD, kernel_samples=200)
    predicted = (said.weights * -RECORD.u).sum((1, 2))
    np.testing.assert_allclose(predicted, -said.attribution.sum((1, 2)), atol=1e-5)


@pytest.mark.parametrize("method", GRADIENTS)
def test_of_a_linear_network_a_gradient_method_finds_the_weights(method):
    np.testing.assert_allclose(attribute(method, TARGET, RECORD).weights, LINEAR.w, atol=1e-5)


@pytest.mark.parametrize("method", CELL_METHODS)
def test_of_a_linear_network_a_cell_method_finds_what_each_cell_adds(method):
    said = cell_sums(attribute(method, TARGET, RECORD, kernel_samples=1000).attribution, WAVE)
    true = cell_sums(LINEAR.w.numpy() * RECORD.u, WAVE)
    if method == "KernelSHAP":
        np.testing.assert_allclose(said, true, atol=2e-3)
    else:  # its windows know nothing of waves, but no lead's evidence can go to another
        np.testing.assert_allclose(said.sum(-1), true.sum(-1), atol=1e-5)


@pytest.mark.parametrize("method", ["integrated gradients", "KernelSHAP"])
def test_of_a_bent_network_the_attributions_still_add_up(method):
    bent = Target(lambda x: torch.tanh(LINEAR(x)), (LINEAR.features,), 2)
    x, reference = RECORD.tensors()
    span = (bent.forward(x) - bent.forward(reference))[0].numpy()
    said = attribute(method, bent, RECORD, kernel_samples=200).attribution.sum((1, 2))
    np.testing.assert_allclose(said, span, atol=5e-3)


def test_one_class_alone_is_explained_like_among_all():
    for method in ("integrated gradients", "occlusion"):
        alone = attribute(method, one_class(TARGET, 1), RECORD)
        np.testing.assert_allclose(alone.weights[0], attribute(method, TARGET, RECORD).weights[1], atol=1e-6)


def test_methods_that_draw_at_random_repeat_with_the_seed():
    first, again, other = (attribute("random", TARGET, RECORD, seed=seed).attribution for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_the_controls_know_nothing_of_the_network_but_the_size_of_its_answer():
    turned = Target(lambda x: -LINEAR(x), (LINEAR.features,), 2)
    for method in CONTROLS:
        one, other = attribute(method, TARGET, RECORD), attribute(method, turned, RECORD)
        np.testing.assert_allclose(one.attribution, other.attribution, atol=1e-7)


@pytest.mark.parametrize(
    "network",
    [
        EcgImn(NetworkConfig(n_classes=2, widths=(8, 8, 8), blocks=1, decoder_width=8)),
        PaperImn(PaperConfig(2, "softmax")),
    ],
    ids=["ours", "published"],
)
@pytest.mark.parametrize("method", ["gradient x input", "Grad-CAM"])
def test_the_networks_of_this_project_can_be_explained(network, method):
    card = ModelCard(
        name="t", task="t", classes=("NORM", "MI"), members=1, network=network.config, scale=(2.0, 1.0),
        offset=(0.1, 0.0), sha256="", known_answer=(0.0, 0.0),
        kind="paper" if isinstance(network, PaperImn) else "ecg-imn",
    )  # fmt: skip
    model = Model(card, (network.eval().requires_grad_(False),), torch.device("cpu"))
    target = model_target(model)
    x, _ = RECORD.tensors()
    np.testing.assert_allclose(target.forward(x)[0], model.logits(RECORD.x[None])[0], atol=1e-4)
    assert np.abs(attribute(method, target, RECORD).attribution).max() > 0


def test_an_unknown_method_is_refused_with_the_names():
    with pytest.raises(ValueError, match="KernelSHAP"):
        attribute("tea leaves", TARGET, RECORD)


def test_every_sample_is_in_one_of_sixty_cells():
    assert RECORD.cells.shape == (12, L)
    assert RECORD.cells.min() >= 0
    assert RECORD.cells.max() < N_CELLS == 12 * (len(QUICK_WAVES) + 1)
    ones = cell_sums(np.ones((12, L)), WAVE)
    assert ones.sum() == 12 * L
