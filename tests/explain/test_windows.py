"""Long recordings: the windows tile them, and each window's logit is that of the window read by itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from ecgimn.explain.case import SHORTEST_S, explain_windows, tile
from ecgimn.explain.explanation import explain
from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.recording import WINDOW_S, Recording


@pytest.fixture(scope="module")
def model() -> Model:
    config = NetworkConfig(n_classes=2, widths=(8, 8, 8), blocks=1, decoder_width=8)
    torch.manual_seed(0)
    card = ModelCard("tiny", "two classes", ("A", "B"), 1, config, (1.5, 0.7), (0.1, -0.4), "0" * 64, (0.0,) * 2)
    return Model(card, (EcgImn(config).eval(),), torch.device("cpu"))


def strip(duration_s: float, fs: float = 100.0) -> Recording:
    """Beats at 75 per minute that grow with time, so that no two windows are alike."""
    time = np.arange(round(duration_s * fs)) / fs
    beat = np.exp(-0.5 * (((time + 0.4) % 0.8 - 0.4) / 0.02) ** 2) * (1 + time / 20)
    eight = np.linspace(0.4, 1.4, 8)[:, None] * beat
    return Recording(np.concatenate([LIMB_FROM_I_II @ eight[:2], eight[2:]]), fs)


@pytest.mark.parametrize("fs", [100.0, 257.0, 500.0])
@pytest.mark.parametrize("duration_s", [2.0, 8.77, 10.0, 10.01, 14.99, 15.0, 20.0, 21.3, 38.4, 47.0])
def test_the_windows_tile_the_recording(duration_s: float, fs: float) -> None:
    recording = Recording(np.ones((12, round(duration_s * fs))), fs)
    windows = tile(recording)
    parts = [recording.window(window.start_s, window.duration_s).n_samples for window in windows]
    assert sum(parts) == recording.n_samples
    assert windows[0].start_s == 0
    assert all(before.stop_s == after.start_s for before, after in pairwise(windows))
    assert all(window.duration_s <= WINDOW_S for window in windows)
    assert len(windows) == 1 or all(window.duration_s >= SHORTEST_S - 1 / fs for window in windows)


def test_a_standard_recording_is_one_window_and_a_longer_one_as_few_as_possible() -> None:
    assert [len(tile(strip(duration_s))) for duration_s in (9, 10, 11, 20, 21, 60)] == [1, 1, 2, 2, 3, 6]


def test_each_window_has_the_logit_of_that_window_read_by_itself(model: Model) -> None:
    recording = strip(33.0)
    found = explain_windows(recording, model)
    assert found.logit.shape == found.probability.shape == (4, 2)
    for window, logit in zip(found.windows, found.logit, strict=True):
        own = recording.window(window.start_s, window.duration_s)
        alone = explain(own, model)
        np.testing.assert_array_equal(logit, alone.logit)
        total = (alone.weights * own.signal.astype(float)).sum(axis=(1, 2)) + alone.bias
        np.testing.assert_allclose(total, logit, atol=1e-4)
    assert found.completeness_error.max() < 1e-4
    assert found.strongest("A") == int(found.logit[:, 0].argmax())


def test_a_window_of_bad_quality_gets_no_number_and_its_reason(model: Model) -> None:
    recording = strip(30.0)
    signal = recording.signal.copy()
    signal[STANDARD_LEADS.index("V4"), 1000:2000] = 0.0
    found = explain_windows(recording.with_signal(signal), model)
    assert [bool(refusals) for refusals in found.refusals] == [False, True, False]
    assert "V4" in found.refusals[1][0]
    assert np.isnan(found.logit[1]).all()
    assert np.isfinite(found.logit[[0, 2]]).all()


def test_where_no_window_is_good_none_is_strongest(model: Model) -> None:
    recording = strip(20.0)
    found = explain_windows(recording.with_signal(np.where(np.arange(12)[:, None] == 6, 0, recording.signal)), model)
    assert found.strongest("A") is None
    assert found.highest_class == "A"


def test_progress_is_told_window_by_window(model: Model) -> None:
    seen: list[tuple[int, int]] = []
    explain_windows(strip(30.0), model, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
