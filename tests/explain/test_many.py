"""Many recordings at once are explained by the same sums as one."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.explain.explanation import explain, explain_many, lead_evidence
from ecgimn.model.model import load_model
from ecgimn.recording import Recording


@pytest.fixture(scope="module")
def model():
    return load_model()


def recordings(fs, n):
    rng = np.random.default_rng(5)
    return [Recording(rng.normal(scale=0.3, size=(12, n)), fs) for _ in range(3)]


@pytest.mark.parametrize(("fs", "n"), [(100.0, 1000), (500.0, 4400)])
def test_a_batch_is_explained_as_one_by_one(model, fs, n):
    batch = recordings(fs, n)
    for recording, many in zip(batch, explain_many(batch, model), strict=True):
        one = explain(recording, model)
        np.testing.assert_allclose(many.weights * recording.signal, one.weights * recording.signal, atol=1e-6)
        np.testing.assert_allclose(many.logit, one.logit, atol=1e-4)
        assert many.completeness_error < 1e-4
        assert many.recording_digest == recording.digest


@pytest.mark.parametrize(("fs", "n"), [(100.0, 1000), (500.0, 5000)])
def test_lead_sums_need_no_map_on_the_raw_trace(model, fs, n):
    batch = recordings(fs, n)
    sums = np.stack(
        [
            (explanation.weights * recording.signal).sum(axis=2)
            for recording, explanation in zip(batch, explain_many(batch, model), strict=True)
        ]
    )
    evidence = lead_evidence(batch, model)
    np.testing.assert_allclose(evidence.leads, sums, atol=1e-9)
    assert (evidence.completeness_error < 1e-4).all()


def test_recordings_of_different_length_are_no_batch(model):
    with pytest.raises(ValueError, match="one rate and length"):
        lead_evidence([*recordings(100.0, 1000), *recordings(100.0, 800)], model)
