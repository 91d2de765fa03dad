"""What teachers say of a record comes from those that have not seen it, at the window that is learned from."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from ecgimn.errors import CheckpointError
from ecgimn.model.blackbox import BlackBox
from ecgimn.model.network import NetworkConfig
from ecgimn.sources.ptbxl_arrays import SUPERCLASSES, Dataset
from ecgimn.train.augment import Targets
from ecgimn.train.export import STATE, write_state
from ecgimn.train.recipe import Recipe
from ecgimn.train.teachers import Teacher, ask, make_targets

CPU = torch.device("cpu")
NETWORK = NetworkConfig(n_classes=5, widths=(8, 8, 8), blocks=1, dropout=0.0)
N, SAMPLES = 8, 400


@pytest.fixture
def data():
    x = np.random.default_rng(0).standard_normal((N, 12, SAMPLES)).astype(np.float16)
    labels = {"superclass": (np.arange(N)[:, None] % 5 == np.arange(5)).astype(np.uint8)}
    return Dataset(np.arange(N), np.arange(N), x, labels, (), np.arange(N) % 4 + 1)


def saying(value: float, unseen: tuple[int, ...]) -> Teacher:
    network = BlackBox(NETWORK).eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(value)
    return Teacher(network, unseen)


def test_a_record_is_taught_only_by_those_that_have_not_seen_it(data):
    teachers = [saying(1.0, (1, 3)), saying(2.0, (2, 4)), saying(5.0, (2, 4))]
    said = ask(data, teachers, 256, CPU)
    np.testing.assert_array_equal(said[:, 0, 0], [1.0, 3.5, 1.0, 3.5, 1.0, 3.5, 1.0, 3.5])


def test_a_teacher_that_held_nothing_out_teaches_all(data):
    assert (ask(data, [saying(2.0, ())], 256, CPU) == 2.0).all()


def test_a_record_that_every_teacher_has_seen_is_an_error(data):
    with pytest.raises(CheckpointError, match="folds 3, 4"):
        ask(data, [saying(1.0, (1, 2))], 256, CPU)


def test_a_window_is_taught_as_the_windows_around_it_in_proportion():
    soft_targets = {200: np.array([[[0.0], [2.0], [-2.0]]], np.float16)}  # at samples 0, 100, 200
    targets = Targets(np.zeros((1, 1), np.float32), np.ones(1, np.float32), soft_targets)
    rows, starts = np.zeros(4, int), np.array([0, 50, 100, 200])
    found = targets.of(rows, starts, 200, 200).logit()[:, 0]
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 2.0, -2.0]))


def test_the_share_of_the_teachers_is_that_of_each_class():
    soft_targets = {100: np.zeros((1, 1, 2), np.float16)}
    targets = Targets(np.ones((1, 2), np.float32), np.array([0.5, 0.0], np.float32), soft_targets)
    assert targets.of(np.zeros(1, int), np.zeros(1, int), 100, 0).tolist() == [[0.75, 1.0]]


def test_a_window_of_another_length_has_labels_alone():
    targets = Targets(np.ones((1, 1), np.float32), np.ones(1, np.float32), {100: np.zeros((1, 1, 1), np.float16)})
    assert targets.of(np.zeros(1, int), np.zeros(1, int), 50, 10).tolist() == [[1.0]]


def test_teachers_are_asked_once_and_again_only_for_other_records(data, tmp_path):
    network = saying(3.0, ()).network
    state = {"average": network.state_dict(), "config": asdict(NETWORK), "tasks": ["superclass"], "unseen": []}
    write_state(tmp_path / "teacher" / "seed-1" / STATE, state)
    recipe = Recipe("pupil", {"a": "superclass"}, crops=((1, 256),), teachers="teacher", network=NETWORK)
    first = make_targets(data, recipe, tmp_path, CPU)
    assert first.soft_targets[256].shape == (N, 3, len(SUPERCLASSES))
    assert (first.soft_targets[256] == 3.0).all()
    (tmp_path / "teacher" / "seed-1" / STATE).unlink()
    again = make_targets(data, recipe, tmp_path, CPU)
    np.testing.assert_array_equal(again.soft_targets[256], first.soft_targets[256])
    with pytest.raises(CheckpointError, match="cannot teach"):
        make_targets(data.select(np.arange(4)), recipe, tmp_path, CPU)
