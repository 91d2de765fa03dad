"""Training stops, goes on, and writes models that load; on real records when they are at hand."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgimn.errors import CheckpointError, SourceError
from ecgimn.evaluate.fidelity import KEPT_OUT, SIGNS, TRIALS, random_sign
from ecgimn.evaluate.metrics import macro
from ecgimn.explain.edits import FAMILIES, masks_from_landmarks
from ecgimn.model.card import read_card
from ecgimn.model.model import load_model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.signal.preprocess import high_pass_matrix
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.train.heads import STATE, write_state
from ecgimn.train.loop import Run, load_folds, train
from ecgimn.train.objective import (  # fmt: skip
    REACTION_LOGIT,
    FidelitySpread,
    ObjectiveConfig,
    ThroughPreprocessing,
    objective,
    random_edit,
)
from ecgimn.train.published import is_paper_config
from ecgimn.train.recipe import TrainConfig, read_config, stages
from ecgimn.train.teachers import share_of_teachers

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
#: Cards of the shipped ECG-IMNs, and the configurations that trained them.
CARDS = [card for card in map(read_card, sorted((ROOT / "models").glob("*.json"))) if card.kind == "ecg-imn"]
SHIPPED = sorted({card.training["name"] for card in CARDS})
TINY = NetworkConfig(n_classes=28, widths=(8, 8, 8), blocks=1, decoder_width=8)


def test_shipped_configurations_parse():
    for path in (ROOT / "models").glob("*.toml"):
        if is_paper_config(path):  # the published network has its own settings
            continue
        config = read_config(path)
        assert config.network.n_classes in ((5, 28) if config.kind == "ecg-imn" else (28, 99))
        assert sum(run.epochs for run, _ in stages(path)) >= 5


def test_a_configuration_with_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text('name = "x"\ncrops = [[1, 512]]\nseeds = [1]\nspeed = 3\n[models]\na = "superclass"\n')
    with pytest.raises(SourceError, match="speed"):
        read_config(path)


def test_crops_follow_one_another():
    config = TrainConfig("x", {"a": "superclass"}, crops=((2, 512), (1, 960)))
    assert [config.crop(epoch) for epoch in range(config.epochs)] == [512, 512, 960]


def ecg():
    t = np.arange(1000)
    x = np.zeros((12, 1000), dtype=np.float32)
    for beat in range(60, 960, 80):
        x += np.exp(-0.5 * ((t - beat) / 2.0) ** 2) + 0.25 * np.exp(-0.5 * ((t - beat - 22) / 4.0) ** 2)
    return x


def test_a_random_edit_changes_something_and_names_its_family():
    x = ecg()
    rng = np.random.default_rng(0)
    for _ in range(20):
        family, change = random_edit(x, quick_landmarks(x), rng)
        assert 0 <= family < len(FAMILIES)
        assert np.isfinite(change).all()


def test_a_run_draws_the_edits_of_its_own_configuration(tmp_path):
    path = tmp_path / "own.toml"
    text = 'name = "x"\ncrops = [[1, 512]]\n[models]\na = "superclass"\n[objective.edits]\n'
    path.write_text(text + "gain = [1.0, 1.2, 1.2]\n")
    edits = read_config(path).objective.edits
    family, change = random_edit(ecg(), quick_landmarks(ecg()), np.random.default_rng(0), edits)
    assert FAMILIES[family] == "gain"
    beat = ecg()[:, 60] - quick_landmarks(ecg()).level
    times = change[:, 60] / (0.2 * beat)
    np.testing.assert_allclose(times, round(times[0]), atol=1e-5)
    assert round(times[0]) in (1, 2)  # two edits may meet
    path.write_text(text + "magic = [1.0, 1.2, 1.2]\n")
    with pytest.raises(SourceError, match="magic"):
        read_config(path)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_model_is_trained_on_the_families_that_are_kept_out(name):
    runs = [run for run, _ in stages(ROOT / "models" / f"{name}.toml") if run.kind == "ecg-imn"]
    seen = {family for run in runs for family in run.objective.edits}
    assert not seen & set(KEPT_OUT)
    told = set(read_config(ROOT / "models" / f"{name}.toml").objective.edits)
    assert seen == told  # no earlier stage saw more than the card tells


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_tells_which_families_its_training_saw(card):
    told = {TRIALS[name].family for name, row in card.metrics["fidelity"]["families"].items() if row["in_training"]}
    assert told == set(card.training["objective"]["edits"]) & {trial.family for trial in TRIALS.values()}
    assert not told & set(KEPT_OUT)


def test_a_perfectly_linear_network_has_no_fidelity_loss():
    torch.manual_seed(0)
    network = EcgImn(replace(TINY, dropout=0.0))
    with torch.no_grad():
        network.head.weight.zero_()  # maps are then the head's constant bias: one linear model for all
    x = torch.from_numpy(np.stack([ecg()] * 4))
    edited = x[:2] + 0.1 * torch.randn(2, 12, 1000)
    loss = objective(
        network, x, edited, torch.tensor([0, 1]), torch.tensor([-1, -1]), torch.zeros(4, 28), torch.full((28,), 1 / 28),
        FidelitySpread(28), ObjectiveConfig(), gamma_now=1.0,
    )  # fmt: skip
    assert float(loss.fidelity) < 1e-8
    assert float(loss.labels) > 0


def test_what_reaches_the_score_is_a_share_of_the_gradient_and_not_of_the_loss():
    torch.manual_seed(0)
    network = EcgImn(replace(TINY, dropout=0.0)).eval()
    x = torch.from_numpy(np.stack([ecg()] * 3))
    edited = x + 0.05 * torch.randn(3, 12, 1000)

    def asked(share):
        network.zero_grad()
        total = objective(
            network, x, edited, torch.tensor([0, 1, 2]), torch.tensor([-1, -1, -1]), torch.zeros(3, 28),
            torch.ones(28), FidelitySpread(28), ObjectiveConfig(to_score=share), gamma_now=100.0,
        ).total  # fmt: skip
        total.backward()
        return float(total.detach()), torch.cat([weight.grad.flatten() for weight in network.parameters()])

    (loss_none, none), (loss_half, half), (loss_whole, whole) = (asked(share) for share in (0.0, 0.5, 1.0))
    assert loss_none == pytest.approx(loss_whole) == pytest.approx(loss_half)
    torch.testing.assert_close(half, (none + whole) / 2)
    assert not torch.allclose(none, whole)


def test_with_a_floor_an_edit_that_is_nearly_foretold_counts_for_more_than_one_that_cannot_be():
    spread, family = FidelitySpread(1), torch.tensor([0, 1])
    relative = torch.tensor([[0.04], [1.2]])
    for _ in range(1000):
        pressing = spread.focus(family, relative, 0.05)
    assert (pressing / relative).flatten().tolist() == pytest.approx([1 / 0.09, 1 / 1.25], rel=1e-3)


def test_a_run_goes_on_from_an_earlier_one_that_had_more_outputs(tmp_path):
    earlier = EcgImn(TINY)
    state = {"average": earlier.state_dict(), "tasks": ["superclass", "subclass"]}
    write_state(tmp_path / "earlier" / "seed-1" / STATE, state)
    x = torch.from_numpy(ecg())[None]
    for task, kept in (("superclass", slice(5)), ("subclass", slice(5, 28))):
        n_classes = kept.stop - (kept.start or 0)
        config = TrainConfig("later", {"a": task}, continue_from="earlier", network=replace(TINY, n_classes=n_classes))
        later = Run(config, 1, tmp_path / "later" / "seed-1", CPU).network.eval()
        torch.testing.assert_close(later.logits(x), earlier.eval().logits(x)[:, kept])


def test_a_run_cannot_go_on_from_one_that_has_not_learned_its_task(tmp_path):
    state = {"average": EcgImn(replace(TINY, n_classes=5)).state_dict(), "tasks": ["superclass"]}
    write_state(tmp_path / "earlier" / "seed-1" / STATE, state)
    config = TrainConfig("later", {"a": "subclass"}, continue_from="earlier", network=replace(TINY, n_classes=23))
    with pytest.raises(CheckpointError, match="has no outputs for subclass"):
        Run(config, 1, tmp_path / "later" / "seed-1", CPU)


def test_a_rare_class_learns_from_labels_alone():
    config = TrainConfig("x", {"a": "superclass"}, teacher_share=0.75, teacher_least=2)
    assert share_of_teachers(np.array([[1.0, 1, 0], [1, 0, 0], [0, 0, 0]]), config).tolist() == [0.75, 0.0, 0.0]


def test_a_bias_that_is_held_does_not_move(tmp_path):
    network = replace(TINY, n_classes=5)
    config = TrainConfig("held", {"a": "superclass"}, bias=(0.0, -1.0, 0.5, -2.0, -5.0), network=network)
    run = Run(config, 1, tmp_path, CPU)
    run.network.logits(torch.from_numpy(ecg())[None]).sum().backward()
    run.optimizer.step()
    run.average.update(run.network, 0.5)
    for each in (run.network, run.average.network):
        assert each.bias.tolist() == [0.0, -1.0, 0.5, -2.0, -5.0]


@pytest.mark.parametrize(
    "line", ["bias = [0.1, 0.2]", "[objective]\nplanted_share = 0.4", "[objective]\nto_score = 1.2"]
)
def test_a_configuration_that_contradicts_itself_is_refused(tmp_path, line):
    path = tmp_path / "wrong.toml"
    path.write_text(f'name = "x"\ncrops = [[1, 512]]\nmodels = {{a = "subclass"}}\n{line}\n')
    with pytest.raises(SourceError, match=r"bias has 2 values for 23 outputs|planted signs|to_score is 1.2"):
        read_config(path)


def test_a_planted_sign_costs_what_its_class_falls_short_of_rising():
    network = EcgImn(replace(TINY, dropout=0.0)).eval()
    x = torch.from_numpy(np.stack([ecg()] * 3))
    edited = x.clone()  # nothing changes, so no logit rises
    parts = {
        weight: objective(
            network, x, edited, torch.tensor([0, 0, 1]), torch.tensor([1, -1, 3]), torch.zeros(3, 28),
            torch.full((28,), 1 / 28), FidelitySpread(28), ObjectiveConfig(reaction=weight), gamma_now=0.0,
        ).total.detach()
        for weight in (0.0, 1.0)
    }  # fmt: skip
    assert float(parts[1.0] - parts[0.0]) == pytest.approx(REACTION_LOGIT, abs=1e-5)


def test_a_random_sign_is_one_of_the_signs_and_names_the_class_that_should_react():
    x = ecg()
    landmarks = quick_landmarks(x)
    rng = np.random.default_rng(0)
    drawn = [random_sign(x, masks_from_landmarks(landmarks, 1000), rng) for _ in range(40)]
    pairs = {(FAMILIES[family], SUPERCLASSES[reacting]) for family, _, reacting in drawn}
    assert pairs == {(sign.family, sign.reacting) for sign in SIGNS.values()}
    assert all(np.abs(change).max() > 0.05 for _, change, _ in drawn)


def test_edits_pass_the_same_preprocessing_as_the_recording():
    through = ThroughPreprocessing(high_pass_matrix(1000))
    constant = torch.ones(1, 12, 1000) * torch.randn(1, 12, 1)
    assert float(through(constant).abs().max()) < 1e-4


def test_macro_auroc_leaves_out_classes_without_positives():
    targets = np.array([[0, 0], [1, 0], [1, 0], [0, 0]])
    assert macro(targets, np.array([[0.1, 5], [0.9, 5], [0.8, 5], [0.2, 5]]))[0] == 1.0


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
def test_a_stopped_run_goes_on_and_writes_models_that_load(tmp_path):
    from ecgimn.evaluate.report import evaluate
    from ecgimn.sources.ptbxl import open_ptbxl
    from ecgimn.train.export import export_models

    ptbxl = open_ptbxl()
    models = {"quick-super": "superclass", "quick-sub": "subclass"}
    config = TrainConfig("quick", models, seeds=(3,), crops=((2, 256),), batch=16, limit=64, network=TINY)
    folder = tmp_path / "quick" / "seed-3"
    learn, choose = load_folds(ptbxl, config.limit)
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        train(learn, choose, config, 3, folder, resume=True)
    train(learn, choose, replace(config, crops=((1, 256),)), 3, folder)
    rows = []
    train(learn, choose, config, 3, folder, resume=True, report=rows.append)
    assert [row["epoch"] for row in rows] == [2]
    assert len(list(csv.DictReader((folder / "log.csv").read_text().splitlines()))) == 2
    written = export_models(ptbxl, config, tmp_path, folder=tmp_path / "models")
    assert written == tuple(models)
    model = load_model("quick-super", folder=tmp_path / "models", device=torch.device("cpu"))
    result = evaluate(model, ptbxl, 9, limit=40)
    assert result["completeness"]["100_hz"]["largest_error"] < 1e-4
    assert set(result) >= {
        "discrimination",
        "calibration",
        "fidelity",
        "localisation",
        "sanity",
        "deletion",
        "concordance",
        "cost",
        "bias",
    }
    assert result["bias"]["variance_share"] == [0.0] * 5
    assert result["bias"]["auroc_of_bias_alone"] == 0.5
    assert result["discrimination"]["macro_auroc_of_networks"] == [result["discrimination"]["macro_auroc"][0]]
    assert result["sanity"]["seed_consistency"] is None
    model = load_model("quick-sub", folder=tmp_path / "models", device=torch.device("cpu"))
    finer = evaluate(model, ptbxl, 9, limit=40)
    absent = [name for name, row in finer["discrimination"]["classes"].items() if row["n"] == 0]
    assert absent  # in forty records
    assert all(finer["discrimination"]["classes"][name]["average_precision"] is None for name in absent)
    assert json.loads(json.dumps(finer, allow_nan=False)) == finer


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
def test_networks_of_another_run_belong_to_the_average_where_a_configuration_says_so(tmp_path):
    from ecgimn.sources.ptbxl import open_ptbxl
    from ecgimn.train.export import export_models

    ptbxl, folder = open_ptbxl(), tmp_path / "models"
    alone = TrainConfig(
        "alone", {"one": "superclass"}, crops=((1, 256),), batch=16, limit=64, network=replace(TINY, n_classes=5)
    )
    mixed = replace(alone, name="mixed", models={"two": "superclass"}, seeds=(4,), averaged_with={"alone": (1,)})
    learn, choose = load_folds(ptbxl, alone.limit)
    for config in (alone, mixed):
        with pytest.raises(SourceError, match=f"{config.name} seed-{config.seeds[0]}"):
            export_models(ptbxl, config, tmp_path, folder=folder)
        train(learn, choose, config, config.seeds[0], tmp_path / config.name / f"seed-{config.seeds[0]}")
        export_models(ptbxl, config, tmp_path, folder=folder)
    one, two = (load_model(name, folder=folder, device=CPU) for name in ("one", "two"))
    assert (one.card.members, two.card.members) == (1, 2)
    theirs, mine = one.networks[0].state_dict(), two.networks[1].state_dict()
    assert all(torch.equal(theirs[key], mine[key]) for key in theirs)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_configuration_is_trained_after_the_runs_that_it_builds_on(name):
    order = [(run.name, seed) for run, seed in stages(ROOT / "models" / f"{name}.toml")]
    assert len(order) == len(set(order))
    for run, seed in stages(ROOT / "models" / f"{name}.toml"):
        before = order[: order.index((run.name, seed))]
        assert set(run.teachers) <= {name for name, _ in before}
        assert not run.continue_from or (run.continue_from, seed) in before
    assert set(read_config(ROOT / "models" / f"{name}.toml").members) <= set(order)
