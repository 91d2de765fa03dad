"""The gallery of errors lists errors only, worst first; the twin is compared on the same records."""

from types import SimpleNamespace

import numpy as np
import pytest

from ecgimn.errors import ModelNotFoundError
from ecgimn.evaluate import report as failures
from ecgimn.sources.composites.case import list_composites
from ecgimn.sources.ptbxl_arrays import SUPERCLASSES, Dataset

N = 40


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = (rng.random((N, 5)) < 0.4).astype(np.uint8)
    return Dataset(
        np.arange(100, 100 + N),
        np.arange(N),
        np.zeros((N, 12, 64), np.float16),
        {"superclass": labels},
        (),
        np.ones(N, int),
    )


@pytest.fixture
def model():
    card = SimpleNamespace(thresholds={"youden": (0.5,) * 5})
    return SimpleNamespace(card=card, classes=SUPERCLASSES)


def test_only_records_on_the_wrong_side_of_the_operating_point_are_errors_worst_first(data, model):
    probabilities = np.random.default_rng(1).random((N, 5))
    found = failures.worst_errors(model, data, probabilities, "superclass")
    for k, name in enumerate(SUPERCLASSES):
        missed = [row["ecg_id"] - 100 for row in found[name]["missed"]]
        claimed = [row["ecg_id"] - 100 for row in found[name]["claimed"]]
        assert len(missed) <= failures.N_WORST
        assert all(data.labels["superclass"][i, k] == 1 and probabilities[i, k] < 0.5 for i in missed)
        assert all(data.labels["superclass"][i, k] == 0 and probabilities[i, k] >= 0.5 for i in claimed)
        assert list(probabilities[missed, k]) == sorted(probabilities[missed, k])
        assert list(probabilities[claimed, k]) == sorted(probabilities[claimed, k], reverse=True)


def test_a_model_without_errors_has_an_empty_gallery(data, model):
    right = data.labels["superclass"].astype(float)
    found = failures.worst_errors(model, data, right, "superclass")
    assert all(not rows for kinds in found.values() for rows in kinds.values())


def test_errors_on_composites_disagree_with_their_superclass():
    from ecgimn.model.model import load_model

    truth = {case.name: case.superclass for case in list_composites()}
    for row in failures.composite_errors(load_model()):
        called = row["probability"] >= row["threshold"]
        assert called != (truth[row["composite"]] == row["class"])
        assert row["kind"] == ("claimed" if called else "missed")


def test_without_a_twin_nothing_is_compared(data, monkeypatch):
    def absent():
        raise ModelNotFoundError("not there")

    monkeypatch.setattr(failures, "load_twin", absent)
    assert failures.beside_black_box(data, np.zeros((N, 5))) is None
