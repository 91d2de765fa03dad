"""Whatever set of labels a recipe learns, unknown ones teach nothing, and no output is special for its place."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.signal.preprocess import high_pass_matrix
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.ptbxl_arrays import (
    DIAGNOSTIC,
    FORM,
    GROUPS,
    RHYTHM,
    STATEMENTS,
    SUBCLASS_OF,
    SUBCLASSES,
    TASKS,
    Dataset,
    statement_labels,
    subclass_labels,
)
from ecgimn.train.augment import AugmentConfig, Targets, make_batch
from ecgimn.train.loop import train
from ecgimn.train.objective import FidelitySpread, ObjectiveConfig, ThroughPreprocessing, label_loss, objective
from ecgimn.train.recipe import Recipe

SAMPLES = 982
TINY = NetworkConfig(n_classes=7, widths=(8, 8, 8), blocks=1, decoder_width=8, dropout=0.0)
EVERY_EDIT_PLANTED = ObjectiveConfig(planted_share=1.0)


def records(n):
    rng = np.random.default_rng(5)
    t = np.arange(SAMPLES)
    beats = sum(np.exp(-0.5 * ((t - beat) / 2.0) ** 2) for beat in range(40, SAMPLES, 80))
    x = (rng.normal(size=(n, 12, 1)) * beats).astype(np.float16)
    labels = {task: (rng.random((n, len(names))) < 0.3).astype(np.uint8) for task, names in TASKS.items()}
    labels["superclass"] = np.tile([[1, 0, 0, 0, 0]], (n, 1)).astype(np.uint8)
    marks = tuple(quick_landmarks(row.astype(np.float32)) for row in x)
    return Dataset(np.arange(n), np.arange(n), x, labels, marks, np.arange(n) % 8 + 1)


def loss_of(network, order):
    """The whole loss with the outputs in another order."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(4, 12, 256, generator=rng)
    edited = x + 0.1 * torch.randn(4, 12, 256, generator=rng)
    targets = torch.rand(4, 7, generator=rng)
    reacting = torch.tensor([order.index(6), -1, order.index(0), -1])
    config = ObjectiveConfig(evidence=1.0, reaction=1.0, log_floor=0.05)
    loss = objective(
        network, x, edited, torch.arange(4), reacting, targets[:, order], torch.ones(7) / 7, FidelitySpread(7), config,
        gamma_now=1.0,
    )  # fmt: skip
    return [float(part.detach()) for part in (loss.total, loss.labels, loss.fidelity, loss.evidence)]


def test_no_output_counts_for_more_because_of_its_place():
    torch.manual_seed(0)
    network = EcgImn(TINY)
    order = [6, 2, 4, 0, 1, 5, 3]
    moved = EcgImn(TINY)
    state = network.state_dict()
    for key in ("head.weight", "head.bias", "bias"):
        state = state | {key: state[key].unflatten(0, (7, -1))[order].flatten(0, 1)}
    moved.load_state_dict(state)
    assert loss_of(moved, order) == pytest.approx(loss_of(network, list(range(7))), rel=1e-5)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [(("NORM", "MI", "STTC", "CD", "HYP"), {1, 2, 3}), (("x", "CD", "y", "MI", "STTC"), {1, 3, 4}), (("x", "y"), {-1})],
)
def test_a_planted_sign_is_expected_of_the_output_of_its_name(outputs, expected):
    data = records(24)
    made = make_batch(
        data, Targets(np.zeros((24, len(outputs)), np.float32)), np.arange(24), AugmentConfig(), 256,
        ThroughPreprocessing(high_pass_matrix(SAMPLES)), np.random.default_rng(0), n_edited=24,
        objective=EVERY_EDIT_PLANTED, outputs=outputs,
    )  # fmt: skip
    assert set(made.reacting.tolist()) == expected


@pytest.mark.parametrize("task", ["subclass", "statement"])
def test_a_recipe_of_other_labels_than_the_superclasses_trains(task, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGIMN_DEVICE", "cpu")
    data = records(64)
    known = {task: np.random.default_rng(1).random(data.labels[task].shape) < 0.7}
    data = replace(data, known=known)
    recipe = Recipe(
        "finer", {"a": task}, crops=((3, 256),), batch=16, network=replace(TINY, n_classes=len(TASKS[task]))
    )
    assert recipe.outputs[0] == f"{task} {TASKS[task][0]}"
    rows = []
    network = train(data, data, recipe, 1, tmp_path / "finer" / "seed-1", report=rows.append)
    assert rows[-1]["label_loss"] < rows[0]["label_loss"]
    assert np.isfinite([value for row in rows for value in row.values()]).all()
    assert network.logits(torch.zeros(1, 12, 256)).shape == (1, len(TASKS[task]))


def test_an_unknown_label_teaches_nothing():
    logit = torch.zeros(3, 2, requires_grad=True)
    targets = torch.tensor([[1.0, torch.nan], [torch.nan, torch.nan], [0.0, torch.nan]])
    loss = label_loss(logit, targets, torch.ones(2))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(np.log(2))  # the mean over the two records that are known
    assert logit.grad.tolist() == [[-0.25, 0.0], [0.0, 0.0], [0.25, 0.0]]


def test_of_an_unknown_label_the_teachers_are_heard_alone():
    soft = {100: np.full((1, 1, 3), np.log(3), np.float16)}  # a probability of 3/4
    targets = Targets(np.array([[np.nan, np.nan, 1.0]], np.float32), np.array([0.5, 0.0, 0.5], np.float32), soft)
    found = targets.of(np.zeros(1, int), np.zeros(1, int), 100, 0)[0]
    assert found[0] == pytest.approx(0.75, abs=1e-3)
    assert torch.isnan(found[1])
    assert found[2] == pytest.approx(0.875, abs=1e-3)


TABLE = pd.DataFrame(
    {
        "scp_codes": [{"IMI": 100.0, "SR": 0.0}, {}, {}, {}],
        "diagnostic_subclass": [("IMI",), ("AMI", "LVH"), (), ("NORM",)],
        "rhythm": [("SR",), ("AFIB",), (), ()],
        "form": [(), (), ("NDT", "PVC"), ()],
    },
    index=[1, 2, 3, 4],
)


def test_what_the_table_does_not_tell_is_unknown():
    labels, known = statement_labels(SimpleNamespace(table=TABLE), np.array([1, 2, 3, 4]))

    def told(row):
        return {name for name, there in zip(STATEMENTS, known[row], strict=True) if there}

    def present(row):
        return {name for name, there in zip(STATEMENTS, labels[row], strict=True) if there}

    assert told(0) == set(STATEMENTS)
    assert present(0) == {"IMI", "SR"}
    of_ami = {name for name, subclass in SUBCLASS_OF.items() if subclass == "AMI"}
    assert told(1) == (set(RHYTHM) | set(DIAGNOSTIC)) - of_ami  # which anterior infarction it is, nobody says
    assert present(1) == {"AFIB", "LVH"}
    assert told(2) == set(FORM)
    assert present(2) == {"PVC"}
    assert told(3) == set(DIAGNOSTIC)
    assert present(3) == {"NORM"}


def test_an_empty_cell_of_sub_classes_is_unknown_unless_the_statements_are_there():
    labels, known = subclass_labels(SimpleNamespace(table=TABLE), np.array([1, 2, 3, 4]))
    assert known.all(axis=1).tolist() == [True, True, False, True]
    assert labels[1].sum() == 2
    assert labels.shape == (4, len(SUBCLASSES))


def test_every_statement_has_one_place():
    assert DIAGNOSTIC + FORM + RHYTHM == STATEMENTS
    assert set(SUBCLASS_OF.values()) == set(SUBCLASSES)
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(STATEMENTS)
    assert len(STATEMENTS) == 71
