"""The shortened network against the file as openecg ships it."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from openecg.deploy import bundled_codec_onnx_path

from ecgimn.signal.waves.openecg import wave_logits


@pytest.mark.parametrize("seed", [0, 1])
def test_the_shortened_network_answers_as_the_whole_one_but_for_its_rounding(seed):
    rng = np.random.default_rng(seed)
    time = np.arange(5000) / 500.0
    beat = np.exp(-0.5 * (((time % 0.8) - 0.4) / 0.02) ** 2) + 0.2 * np.exp(-0.5 * (((time % 0.8) - 0.7) / 0.05) ** 2)
    noisy = beat + 0.01 * rng.standard_normal(5000)
    window = (noisy.argsort().argsort() / 2500.0 - 1.0).astype(np.float32)
    whole = onnxruntime.InferenceSession(str(bundled_codec_onnx_path("v6")), providers=["CPUExecutionProvider"])
    (expected,) = whole.run(["frame_logits"], {"signal": window[None]})
    found = wave_logits(window)
    assert found.shape == (5000, 4)
    # The file rounds 128 activations to eight bits before its read-out: about 0.04 of a logit with a spread of 8.
    assert np.abs(found - expected[0]).mean() < 0.01 * expected.std()
    assert np.abs(found - expected[0]).max() < 0.05 * expected.std()
    assert (found.argmax(axis=1) == expected[0].argmax(axis=1)).mean() > 0.995
