"""A step of training does the same on every device, and a run may move from one to the other."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.model.network import NetworkConfig
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.ptbxl_arrays import TASKS, Dataset
from ecgimn.train.augment import Batch, Targets
from ecgimn.train.export import STATE
from ecgimn.train.loop import Averager, Batches, Run, make_network, one_cycle, train
from ecgimn.train.objective import ObjectiveConfig
from ecgimn.train.recipe import Recipe

SAMPLES = 982
NETWORK = NetworkConfig(n_classes=5, widths=(8, 8, 8), blocks=1, decoder_width=8, dropout=0.0)
CONFIG = Recipe(
    "quick", {"quick": "superclass"}, crops=((2, 256), (1, 512)), batch=16, network=NETWORK,
    objective=ObjectiveConfig(reaction=0.02, planted_share=0.5, log_floor=0.05),
)  # fmt: skip
TARGETS = Targets(np.eye(96, 5, dtype=np.float32))
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def records(n: int) -> Dataset:
    rng = np.random.default_rng(5)
    t = np.arange(SAMPLES)
    beats = sum(np.exp(-0.5 * ((t - beat) / 2.0) ** 2) for beat in range(40, SAMPLES, 80))
    x = (CANONICAL_PROJECTION @ rng.normal(size=(n, 12, 1)) * beats).astype(np.float16)
    superclass = (np.arange(n)[:, None] % 5 == np.arange(5)).astype(np.uint8)
    labels = {task: np.zeros((n, len(names)), dtype=np.uint8) for task, names in TASKS.items()}
    landmarks = tuple(quick_landmarks(row.astype(np.float32)) for row in x)
    return Dataset(np.arange(n), np.arange(n), x, labels | {"superclass": superclass}, landmarks, np.arange(n) % 8 + 1)


@pytest.fixture(scope="module")
def data():
    return records(96)


def trained(data, folder, device, monkeypatch, **options):
    monkeypatch.setenv("ECGIMN_DEVICE", device)
    rows = []
    train(data, data, CONFIG, 1, folder / "quick" / "seed-1", workers=0, report=rows.append, **options)
    return rows


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # from Python 3.12 on
def test_a_batch_is_the_same_whoever_makes_it(data):
    batches = Batches(data, TARGETS, CONFIG, 3)
    alone = [batches[step] for step in (7, 8)]
    for made, again in zip(batches.loader(7, workers=2, pinned=False), alone, strict=False):
        for here, there in zip(made.tensors, again.tensors, strict=True):
            torch.testing.assert_close(here, there, rtol=0, atol=0)


def test_every_record_is_learned_from_once_per_epoch(data):
    numbered = Targets(np.arange(96, dtype=np.float32)[:, None])
    batches = Batches(data, numbered, replace(CONFIG, kind="black-box", batch=32), 3)
    assert len(batches) == 9
    for epoch in range(3):
        seen = torch.cat([batches[step].targets[:, 0] for step in range(3 * epoch, 3 * epoch + 3)])
        assert sorted(seen.int().tolist()) == list(range(96))


def test_a_seed_never_sees_the_folds_that_it_holds_out(data):
    numbered = Targets(data.folds[:, None].astype(np.float32))
    config = replace(CONFIG, kind="black-box", held_out=4)
    for seed, unseen in ((1, {1, 5}), (4, {4, 8}), (6, {2, 6})):
        assert set(config.unseen(seed)) == unseen
        batches = Batches(data, numbered, config, seed)
        seen = {int(fold) for step in range(batches.per_epoch) for fold in batches[step].targets[:, 0]}
        assert seen == set(range(1, 9)) - unseen


def test_the_average_moves_by_its_pace_and_takes_over_counters():
    torch.manual_seed(0)
    here, there = make_network(CONFIG), make_network(CONFIG)
    average = Averager(here)
    there.encoder.stem[1].num_batches_tracked.fill_(7)
    average.update(there, torch.tensor(0.25))
    for mine, first, last in zip(
        average.network.state_dict().values(), here.state_dict().values(), there.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(mine, first.lerp(last, 0.25) if mine.is_floating_point() else last)


def test_the_rate_rises_to_its_peak_and_ends_near_zero():
    assert one_cycle(0.1, 0.1) == pytest.approx(1.0, abs=1e-3)
    assert one_cycle(0.0, 0.1) < 0.05
    assert one_cycle(1.0, 0.1) < 1e-3


def test_training_lowers_the_loss(data, tmp_path, monkeypatch):
    rows = trained(data, tmp_path, "cpu", monkeypatch)
    assert rows[-1]["label_loss"] < rows[0]["label_loss"]


@needs_cuda
def test_cuda_learns_what_the_processor_learns(data, tmp_path, monkeypatch):
    here = trained(data, tmp_path / "cpu", "cpu", monkeypatch)
    there = trained(data, tmp_path / "cuda", "cuda", monkeypatch)
    for mine, theirs in zip(here, there, strict=True):
        for part in ("label_loss", "fidelity_loss", "evidence"):
            assert theirs[part] == pytest.approx(mine[part], rel=0.1)


@needs_cuda
@pytest.mark.parametrize(("first", "then"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_run_goes_on_on_another_device(data, tmp_path, monkeypatch, first, then):
    folder = tmp_path / "quick" / "seed-1"
    run = Run(CONFIG, 1, folder, torch.device(first))
    x = torch.zeros(2, 12, 256, device=first)
    run.network.logits(x).sum().backward()
    run.optimizer.step()
    run.epoch, run.step = 1, 6
    run.save()
    assert (folder / STATE).is_file()
    rows = trained(data, tmp_path, then, monkeypatch, resume=True)
    assert [row["epoch"] for row in rows] == [2, 3]
    assert all(np.isfinite(list(row.values())).all() for row in rows)


@needs_cuda
def test_a_batch_goes_to_the_gpu_whole(data):
    batch: Batch = Batches(data, TARGETS, CONFIG, 3)[0].pin_memory().to(torch.device("cuda"))
    assert all(tensor.is_cuda for tensor in batch.tensors)
