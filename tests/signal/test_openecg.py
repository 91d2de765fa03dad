"""The shortened network against the file as openecg ships it."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from openecg.deploy import bundled_codec_onnx_path

from ecgimn.signal.waves.openecg import BEATS, RHYTHMS, WAVES, sample_logits


@pytest.mark.parametrize("seed", [0, 1])
def test_the_shortened_network_answers_as_the_whole_one_but_for_its_rounding(seed):
    rng = np.random.default_rng(seed)
    time = np.arange(5000) / 500.0
    beat = np.exp(-0.5 * (((time % 0.8) - 0.4) / 0.02) ** 2) + 0.2 * np.exp(-0.5 * (((time % 0.8) - 0.7) / 0.05) ** 2)
    noisy = beat + 0.01 * rng.standard_normal(5000)
    window = (noisy.argsort().argsort() / 2500.0 - 1.0).astype(np.float32)
    whole = onnxruntime.InferenceSession(str(bundled_codec_onnx_path("v6")), providers=["CPUExecutionProvider"])
    expected = np.concatenate(whole.run(["frame_logits", "beat_logits", "rhythm_logits"], {"signal": window[None]}), 2)
    found = sample_logits(window)
    assert found.shape == (5000, 16)
    for head in (WAVES, BEATS, RHYTHMS):
        own, file = found[:, head], expected[0, :, head]
        # The file rounds 128 activations to eight bits before its read-out: about 0.04 of a logit with a spread of 8.
        assert np.abs(own - file).mean() < 0.01 * file.std()
        assert np.abs(own - file).max() < (0.05 if head is WAVES else 0.08) * file.std()
    same = found[:, WAVES].argmax(axis=1) == expected[0, :, WAVES].argmax(axis=1)
    assert same.mean() > 0.995
