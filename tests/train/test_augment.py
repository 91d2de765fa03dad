"""A batch keeps records, labels and edits together."""

import numpy as np
import pytest
import torch

from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.signal.preprocess import high_pass_matrix
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.ptbxl_arrays import SUBCLASSES, SUPERCLASSES, Dataset
from ecgimn.train.augment import AugmentConfig, Targets, make_batch
from ecgimn.train.objective import ObjectiveConfig, ThroughPreprocessing

N, SAMPLES = 6, 982
TARGETS = Targets(np.eye(N, 5, dtype=np.float32))
STILL = AugmentConfig(gain=0.0, lead_gain=0.0, noise_mv=0.0)


@pytest.fixture(scope="module")
def data():
    t = np.arange(SAMPLES)
    beats: np.ndarray = sum(np.exp(-0.5 * ((t - beat) / 2.0) ** 2) for beat in range(40, SAMPLES, 80))
    shape = CANONICAL_PROJECTION @ np.linspace(0.5, 1.5, 12)
    x = np.stack([(1 + 0.1 * i) * shape[:, None] * beats for i in range(N)]).astype(np.float16)
    labels = {"superclass": np.eye(N, len(SUPERCLASSES), dtype=np.uint8), "subclass": np.zeros((N, len(SUBCLASSES)))}
    landmarks = tuple(quick_landmarks(row.astype(np.float32)) for row in x)
    return Dataset(np.arange(N), np.arange(N), x, labels, landmarks, np.ones(N, int))


@pytest.fixture(scope="module")
def through():
    return ThroughPreprocessing(high_pass_matrix(SAMPLES))


def batch(data, through, config, crop=256, **options):
    return make_batch(data, TARGETS, np.arange(N), config, crop, through, np.random.default_rng(1), **options)


def test_without_augmentation_every_input_is_a_stretch_of_its_record(data, through):
    made = batch(data, through, STILL)
    assert made.x.shape == (N, 12, 256)
    for row in range(N):
        whole = data.x[row].astype(np.float32)
        distance = [np.abs(whole[:, s : s + 256] - made.x[row].numpy()).max() for s in range(SAMPLES - 255)]
        assert min(distance) < 2e-3


def test_records_of_a_batch_are_cropped_at_different_places(data, through):
    same_record = make_batch(data, TARGETS, np.zeros(8, dtype=int), STILL, 256, through, np.random.default_rng(0))
    assert len(np.unique(same_record.x.sum(-1)[:, 0].numpy())) > 3


def test_edited_copies_are_the_same_stretch_and_differ_from_it(data, through):
    made = batch(data, through, STILL, crop=SAMPLES, n_edited=4)
    assert made.edited.shape == (4, 12, SAMPLES)
    assert made.family.shape == (4,)
    difference = (made.edited - made.x[:4]).abs().amax(dim=(1, 2))
    assert int((difference > 1e-3).sum()) >= 3  # an edit of leads without that wave does little
    low = made.edited.mean(-1).abs().max()  # an edit passes the high-pass of the preprocessing, so it adds no offset
    assert float(low) < float(made.x.mean(-1).abs().max()) + 1e-3


def test_signs_of_disease_are_planted_only_in_records_labelled_norm_alone(data, through):
    every = ObjectiveConfig(planted_share=1.0)
    for seed in range(5):
        made = make_batch(
            data, TARGETS, np.arange(N), STILL, SAMPLES, through, np.random.default_rng(seed),
            n_edited=N, objective=every,
        )  # fmt: skip
        assert made.reacting[0] > 0  # the first record's only label is NORM
        assert (made.reacting[1:] == -1).all()


def test_mixed_inputs_have_labels_mixed_in_the_same_shares(data, through):
    made = batch(data, through, AugmentConfig(gain=0.0, lead_gain=0.0, noise_mv=0.0, mix=0.5), crop=SAMPLES)
    pure = torch.from_numpy(data.x.astype(np.float32))
    for row in range(5):
        rebuilt = torch.einsum("k,klt->lt", made.targets[row], pure[:5])
        if abs(float(made.targets[row].sum()) - 1.0) < 1e-6:  # none of the pair is the record without a label
            assert torch.allclose(made.x[row], rebuilt, atol=3e-3)
    assert float(made.targets.max()) < 1.0 or float(made.targets.min()) == 0.0


def test_inputs_keep_the_relations_of_the_limb_leads(data, through):
    made = batch(data, through, AugmentConfig(dropped_leads=0.3))
    projected = torch.tensor(CANONICAL_PROJECTION, dtype=torch.float32) @ made.x
    assert torch.allclose(projected, made.x, atol=1e-5)
