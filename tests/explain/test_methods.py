"""Post-hoc methods on networks small enough to know the answer: a linear one, and one that saturates."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ecgimn.explain.edits import masks_from_landmarks
from ecgimn.explain.ledger import N_CELLS, QUICK_WAVES, cell_partition, cell_sums, lead_wave_cells
from ecgimn.explain.methods import CONTROLS, METHODS, ExactMap, Input, kernel_shap
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.model.published import PaperConfig, PaperImn
from ecgimn.signal.preprocess import preprocessing
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


@dataclass(frozen=True, eq=False)
class OwnNetwork:
    """A network of somebody else's, offered as a `Predictor`."""

    module: nn.Module
    features: tuple[nn.Module, ...] = (LINEAR.features,)
    classes: tuple[str, ...] = ("one", "two")
    name: str = "own"
    key: str = "own"

    def preprocessing(self, fs, n_samples):
        return preprocessing(fs, n_samples)

    def logits(self, x):
        return self.module(torch.tensor(x, dtype=torch.float32)).double().numpy()

    def linear(self, x):
        return None


class Changed(nn.Module):
    """A network whose answers are passed through a function."""

    def __init__(self, of):
        super().__init__()
        self.of = of

    def forward(self, x):
        return self.of(LINEAR(x))


NETWORK = OwnNetwork(LINEAR)


def explain_by(method, network=NETWORK, samples=200, **options):
    chosen = kernel_shap(samples) if method == "KernelSHAP" else METHODS[method]
    return chosen.attribute(network, RECORD, **options)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_gives_a_signed_number_per_class_lead_and_sample(method):
    said = explain_by(method)
    assert said.attribution.shape == said.weights.shape == (2, 12, L)
    assert np.isfinite(said.attribution).all()
    assert np.isfinite(said.weights).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_method_predicts_that_removing_everything_removes_its_attribution(method):
    said = explain_by(method)
    predicted = (said.weights * -RECORD.u).sum((1, 2))
    np.testing.assert_allclose(predicted, -said.attribution.sum((1, 2)), atol=1e-5)


@pytest.mark.parametrize("method", GRADIENTS)
def test_of_a_linear_network_a_gradient_method_finds_the_weights(method):
    np.testing.assert_allclose(explain_by(method).weights, LINEAR.w, atol=1e-5)


@pytest.mark.parametrize("method", CELL_METHODS)
def test_of_a_linear_network_a_cell_method_finds_what_each_cell_adds(method):
    said = cell_sums(explain_by(method, samples=1000).attribution, WAVE)
    true = cell_sums(LINEAR.w.numpy() * RECORD.u, WAVE)
    if method == "KernelSHAP":
        np.testing.assert_allclose(said, true, atol=2e-3)
    else:  # its windows know nothing of waves, but no lead's evidence can go to another
        np.testing.assert_allclose(said.sum(-1), true.sum(-1), atol=1e-5)


@pytest.mark.parametrize("method", ["integrated gradients", "KernelSHAP"])
def test_of_a_bent_network_the_attributions_still_add_up(method):
    bent = OwnNetwork(Changed(torch.tanh))
    x, reference = RECORD.tensors()
    span = (bent.module(x) - bent.module(reference))[0].numpy()
    said = explain_by(method, bent).attribution.sum((1, 2))
    np.testing.assert_allclose(said, span, atol=5e-3)


def test_one_class_alone_is_explained_like_among_all():
    for method in ("integrated gradients", "occlusion"):
        alone = explain_by(method, only=1)
        np.testing.assert_allclose(alone.weights[0], explain_by(method).weights[1], atol=1e-6)


def test_methods_that_draw_at_random_repeat_with_the_seed():
    first, again, other = (explain_by("random", seed=seed).attribution for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_the_controls_know_nothing_of_the_network_but_the_size_of_its_answer():
    turned = OwnNetwork(Changed(torch.neg))
    for method in CONTROLS:
        one, other = explain_by(method), explain_by(method, turned)
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
    x, _ = RECORD.tensors()
    np.testing.assert_allclose(model.module(x)[0], model.logits(RECORD.x[None])[0], atol=1e-4)
    assert np.abs(explain_by(method, model).attribution).max() > 0
    exact = ExactMap().attribute(model, RECORD)
    np.testing.assert_allclose(exact.weights, model.linear(RECORD.x).member_weights.mean(axis=0))


def test_a_network_without_a_map_has_no_exact_explanation():
    with pytest.raises(ValueError, match="own has no map"):
        ExactMap().attribute(NETWORK, RECORD)


def test_every_sample_is_in_one_of_sixty_cells():
    assert RECORD.cells.shape == (12, L)
    assert RECORD.cells.min() >= 0
    assert RECORD.cells.max() < N_CELLS == 12 * (len(QUICK_WAVES) + 1)
    ones = cell_sums(np.ones((12, L)), WAVE)
    assert ones.sum() == 12 * L


def test_the_method_of_the_documentation_is_one(monkeypatch):
    monkeypatch.setattr("ecgimn.explain.methods.METHODS", dict(METHODS))
    page = (Path(__file__).resolve().parents[2] / "docs" / "extend.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "Attribution" in block]
    assert len(code.splitlines()) <= 24
    names = {}
    exec(compile(code, "docs/extend.md", "exec"), names)
    said = names["WholeLeads"]().attribute(NETWORK, RECORD)
    assert said.attribution.shape == (2, 12, L)
    predicted = (said.weights * -RECORD.u).sum((1, 2))
    np.testing.assert_allclose(predicted, -said.attribution.sum((1, 2)), atol=1e-9)
    true = (LINEAR.w.numpy() * RECORD.u).sum(-1)
    np.testing.assert_allclose(said.attribution.sum(-1), true, atol=1e-5)
