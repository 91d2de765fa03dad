"""Removing cells, asking the network again, and comparing what two maps say."""

import numpy as np
import pytest

from ecgimn.errors import ModelNotFoundError
from ecgimn.explain.checks import (
    EXACT,
    exact_side,
    local_fidelity,
    method_names,
    post_hoc_side,
    rank_agreement,
    removal_changes,
    spearman,
    spread_over_trace,
)
from ecgimn.explain.explanation import explain
from ecgimn.explain.ledger import book
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.preprocess import preprocessing
from ecgimn.signal.waves.find import WAVE_NAMES
from tests.explain.small_cases import CLASSES, small_case, synthetic


@pytest.fixture(scope="module")
def case(model):
    return small_case(synthetic(), model)


@pytest.fixture(scope="module")
def read(case):
    return case.reading


@pytest.fixture(scope="module")
def explanation(case):
    return case.explanation


def test_the_cells_of_an_exact_side_are_the_cells_of_the_ledger(case):
    side = exact_side(case, CLASSES[0], EXACT)
    evidence, ledger = side.evidence, case.ledger
    assert side.exact
    np.testing.assert_allclose(evidence.cells, ledger.of(CLASSES[0]), atol=1e-12)
    np.testing.assert_allclose(book(evidence.contribution, case.reading.waves)[0], ledger.of(CLASSES[0]), atol=1e-12)
    np.testing.assert_allclose(side.predicted, -ledger.of(CLASSES[0]), atol=1e-12)
    assert evidence.contribution.sum() + evidence.baseline + evidence.bias == pytest.approx(evidence.logit)


def linear_network(weights, bias=0.3):
    """A network whose map is the same for every input: every prediction of its map must come true."""

    def logits(x):
        return np.stack([(np.asarray(x) * weights).sum(axis=(1, 2)) + bias, np.zeros(len(x))], axis=1)

    return logits


def test_the_map_of_a_linear_network_predicts_every_removal_exactly(read):
    recording = read.recording
    prepare = preprocessing(recording.fs, recording.n_samples)
    weights = np.random.default_rng(1).normal(size=(12, prepare.n_out))
    actual = removal_changes(linear_network(weights), prepare, recording, read.waves, read.levels)
    carried = prepare.adjoint(weights)
    predicted = -book(carried * (recording.signal - read.levels[:, None]), read.waves)[0]
    made = np.isfinite(actual[:, :, 0])
    assert made.sum() >= 60
    np.testing.assert_allclose(actual[:, :, 0][made], predicted[made], atol=1e-8)
    found = local_fidelity(predicted, actual[:, :, 0])
    assert found.n_edits == made.sum()
    assert found.r2 == pytest.approx(1.0)
    assert found.slope == pytest.approx(1.0)


def test_a_prediction_of_half_the_size_has_slope_two_and_a_wrong_sign_a_negative_r2(read):
    actual = np.random.default_rng(0).normal(size=(12, len(WAVE_NAMES)))
    half, wrong = local_fidelity(actual / 2, actual), local_fidelity(-actual, actual)
    assert half.slope == pytest.approx(2.0)
    assert 0 < half.r2 < 1
    assert wrong.r2 < 0
    assert wrong.slope == pytest.approx(-1.0)
    assert half.rms_predicted == pytest.approx(half.rms_actual / 2)


def test_too_few_cells_give_no_figure():
    actual = np.full((12, len(WAVE_NAMES)), np.nan)
    actual[0, :5] = 1.0
    assert local_fidelity(actual, actual) is None


def test_the_network_is_asked_about_the_ecg_without_the_cell(model, read, explanation):
    network = model
    prepare = network.preprocessing(read.recording.fs, read.recording.n_samples)
    actual = removal_changes(network.logits, prepare, read.recording, read.waves, read.levels)
    lead, wave = STANDARD_LEADS.index("V3"), WAVE_NAMES.index("T")
    signal = np.array(read.recording.signal, dtype=float)
    signal[lead, read.waves.labels[lead] == wave] = read.levels[lead]
    without = explain(read.recording.with_signal(signal), model)
    np.testing.assert_allclose(actual[lead, wave], without.logit - explanation.logit, atol=1e-4)


def test_rank_correlation_knows_order_and_not_size():
    values = np.random.default_rng(0).normal(size=(12, 7))
    assert spearman(values, np.exp(values)) == pytest.approx(1.0)
    assert spearman(values, -values) == pytest.approx(-1.0)
    assert spearman(values, np.ones_like(values)) is None
    assert spearman(values[0, :4], values[0, :4]) is None


def test_two_recordings_are_compared_by_cell_and_not_by_sample():
    rng = np.random.default_rng(0)
    cells, other = rng.normal(size=(12, 7)), rng.normal(size=(12, 7))
    cells[:, 0] = other[:, 0] = 0.0
    found = rank_agreement(cells, other, rng.normal(size=(12, 50)), rng.normal(size=(12, 60)), same_recording=False)
    assert found.n_cells == 72
    assert found.samples is None
    assert "moment" in found.reason
    same = rank_agreement(cells, cells, cells, cells, same_recording=True)
    assert same.cells == pytest.approx(1.0)
    assert same.same_sign == pytest.approx(1.0)
    assert rank_agreement(cells, -cells, cells, cells, same_recording=True).same_sign == 0


@pytest.mark.parametrize("fs", [100.0, 257.0, 500.0])
def test_spreading_over_the_trace_keeps_the_sum_of_every_lead(fs):
    recording = synthetic(fs)
    n_out = preprocessing(fs, recording.n_samples).n_out
    values = np.random.default_rng(0).normal(size=(2, 12, n_out))
    times_s = (6 + np.arange(n_out)) / 100.0
    spread = spread_over_trace(values, times_s, recording)
    assert spread.shape == (2, 12, recording.n_samples)
    np.testing.assert_allclose(spread.sum(axis=2), values.sum(axis=2), atol=1e-9)


@pytest.mark.parametrize("method", ["integrated gradients", "occlusion", "Grad-CAM", "amplitude |x|"])
def test_a_post_hoc_method_comes_out_like_the_exact_map(model, read, explanation, method):
    assert method in method_names()
    side = post_hoc_side(method, model, read, CLASSES[2], method)
    assert side.evidence.contribution.shape == read.recording.signal.shape
    assert side.predicted.shape == side.evidence.cells.shape == (12, len(WAVE_NAMES))
    assert side.evidence.logit == pytest.approx(explanation.logit[2], abs=1e-4)
    assert side.evidence.contribution.sum() + side.evidence.bias == pytest.approx(side.evidence.logit)
    assert not side.exact


def test_a_black_box_is_explained_post_hoc_once_it_is_there(read, tmp_path):
    from ecgimn.model.blackbox import BlackBox, load_twin, save_black_box
    from ecgimn.model.network import NetworkConfig

    with pytest.raises(ModelNotFoundError, match="black"):
        load_twin(tmp_path)
    box = BlackBox(NetworkConfig(n_classes=2, widths=(8, 8, 8), blocks=1, decoder_width=8)).eval()
    save_black_box(box, ("A", "B"), folder=tmp_path)
    twin = load_twin(tmp_path)
    assert twin.classes == ("A", "B")
    side = post_hoc_side("Grad-CAM", twin, read, "B", "twin")
    x = twin.preprocessing(read.recording.fs, read.recording.n_samples).forward(read.recording.signal)
    assert side.evidence.logit == pytest.approx(twin.logits(x[None])[0, 1])
    own = side.evidence.contribution
    same = own / np.maximum(np.abs(own).max(axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(same, np.broadcast_to(same[:1], same.shape), atol=1e-6)  # one course for all leads


def test_gradients_of_a_linear_network_are_its_map(read):
    """On a network that is linear, integrated gradients and the exact map are one and the same."""
    torch = pytest.importorskip("torch")
    from tests.explain.test_methods import OwnNetwork

    recording = read.recording
    prepare = preprocessing(recording.fs, recording.n_samples)
    weights = np.random.default_rng(2).normal(size=(12, prepare.n_out))
    tensor = torch.tensor(weights, dtype=torch.float32)

    class Linear(torch.nn.Module):
        def forward(self, x):
            return torch.stack([(x * tensor).sum((1, 2)), x.sum((1, 2))], dim=1)

    network = OwnNetwork(Linear(), (), ("A", "B"))
    side = post_hoc_side("integrated gradients", network, read, "A", "IG")
    actual = removal_changes(network.logits, prepare, recording, read.waves, read.levels)[:, :, 0]
    assert local_fidelity(side.predicted, actual).r2 == pytest.approx(1.0, abs=1e-4)
