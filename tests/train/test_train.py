"""Training stops, goes on, and writes models that load; on real records when they are at hand."""

import csv
import json
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
from ecgimn.sources.ptbxl_arrays import TASKS
from ecgimn.train.loop import Run, load_folds, train
from ecgimn.train.objective import (
    REACTION_LOGIT,
    FidelitySpread,
    ObjectiveConfig,
    ThroughPreprocessing,
    objective,
    random_edit,
)
from ecgimn.train.published import is_published_recipe
from ecgimn.train.recipe import RECIPES, Recipe, find_recipe, in_order, read_recipe
from ecgimn.train.teachers import share_of_teachers

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
#: Cards of the shipped ECG-IMNs.
CARDS = [card for card in map(read_card, sorted((ROOT / "models").glob("*.json"))) if card.kind == "ecg-imn"]
RECIPES_THAT_TRAIN = [path for path in sorted(RECIPES.glob("*.toml")) if not is_published_recipe(path)]
TINY = NetworkConfig(n_classes=28, widths=(8, 8, 8), blocks=1, decoder_width=8)


@pytest.mark.parametrize("path", RECIPES_THAT_TRAIN, ids=lambda path: path.stem)
def test_a_shipped_recipe_parses_and_says_what_it_costs_and_is_expected_to_reach(path):
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.network.n_classes == sum(len(TASKS[task]) for task in recipe.tasks)
    assert recipe.cost
    assert set(recipe.expected) <= set(recipe.tasks)
    assert all(0.8 < score < 1.0 for score in recipe.expected.values())
    needed = [name for name in (recipe.teachers, recipe.starts_from) if name]
    assert [each.name for each in in_order(path)] == [*needed, path.stem]


def test_there_are_few_recipes():
    assert len(list(RECIPES.glob("*.toml"))) <= 10
    assert not list((ROOT / "models").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES_THAT_TRAIN, ids=lambda path: path.stem)
def test_no_recipe_trains_on_the_families_that_are_kept_out(path):
    assert not set(read_recipe(path).objective.edits) & set(KEPT_OUT)


def test_a_recipe_is_found_by_its_name_or_its_path(tmp_path):
    (tmp_path / "mine.toml").write_text("")
    assert find_recipe("teachers") == RECIPES / "teachers.toml"
    assert find_recipe("mine", tmp_path) == tmp_path / "mine.toml"
    assert find_recipe(str(tmp_path / "mine.toml")) == tmp_path / "mine.toml"
    with pytest.raises(SourceError, match="found: mine"):
        find_recipe("other", tmp_path)


def test_teachers_and_starts_are_trained_once_before_the_recipe_that_names_them(tmp_path):
    crops, models = "crops = [[1, 256]]\n", '[models]\na = "superclass"\n'
    (tmp_path / "old.toml").write_text(f'{crops}kind = "black-box"\n[models]\n')
    (tmp_path / "mid.toml").write_text(f'{crops}teachers = "old"\n{models}')
    (tmp_path / "new.toml").write_text(f'{crops}teachers = "old"\nstarts_from = "mid"\n{models}')
    assert [recipe.name for recipe in in_order(tmp_path / "new.toml")] == ["old", "mid", "new"]


def test_a_run_starts_with_the_outputs_that_it_shares_with_the_network_it_goes_on_from(tmp_path):
    both = Recipe("both", {"b": "subclass"}, also_learn=("superclass",), network=TINY)
    earlier = Run(both, 2, tmp_path / "both" / "seed-2", CPU)
    earlier.save()
    few = replace(TINY, n_classes=5)
    later = Recipe("later", {"a": "superclass"}, starts_from="both", network=replace(few, dropout=0.0))
    run = Run(later, 2, tmp_path / "later" / "seed-2", CPU)
    run.start()
    x = torch.from_numpy(ecg())[None]
    with torch.inference_mode():
        expected = earlier.average.network.eval()(x).logit[:, :5]
        for network in (run.network, run.average.network):
            torch.testing.assert_close(network.eval()(x).logit, expected)
    with pytest.raises(CheckpointError, match="seed-1 is not trained"):
        Run(later, 1, tmp_path / "later" / "seed-1", CPU).start()
    wider = replace(later, network=replace(few, decoder_width=16))
    with pytest.raises(CheckpointError, match="built unlike"):
        Run(wider, 2, tmp_path / "wider" / "seed-2", CPU).start()


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text('crops = [[1, 512]]\nseeds = [1]\nspeed = 3\n[models]\na = "superclass"\n')
    with pytest.raises(SourceError, match="speed"):
        read_recipe(path)


def test_crops_follow_one_another():
    recipe = Recipe("x", {"a": "superclass"}, crops=((2, 512), (1, 960)))
    assert [recipe.crop(epoch) for epoch in range(recipe.epochs)] == [512, 512, 960]


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


def test_a_run_draws_the_edits_of_its_own_recipe(tmp_path):
    path = tmp_path / "own.toml"
    text = 'crops = [[1, 512]]\n[models]\na = "superclass"\n[objective.edits]\n'
    path.write_text(text + "gain = [1.0, 1.2, 1.2]\n")
    edits = read_recipe(path).objective.edits
    family, change = random_edit(ecg(), quick_landmarks(ecg()), np.random.default_rng(0), edits)
    assert FAMILIES[family] == "gain"
    beat = ecg()[:, 60] - quick_landmarks(ecg()).level
    times = change[:, 60] / (0.2 * beat)
    np.testing.assert_allclose(times, round(times[0]), atol=1e-5)
    assert round(times[0]) in (1, 2)  # two edits may meet
    path.write_text(text + "magic = [1.0, 1.2, 1.2]\n")
    with pytest.raises(SourceError, match="magic"):
        read_recipe(path)


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


def test_with_a_floor_an_edit_that_is_nearly_predicted_counts_for_more_than_one_that_cannot_be():
    spread, family = FidelitySpread(1), torch.tensor([0, 1])
    relative = torch.tensor([[0.04], [1.2]])
    for _ in range(1000):
        pressing = spread.focus(family, relative, 0.05)
    assert (pressing / relative).flatten().tolist() == pytest.approx([1 / 0.09, 1 / 1.25], rel=1e-3)


def test_a_rare_class_learns_from_labels_alone():
    recipe = Recipe("x", {"a": "superclass"}, teacher_share=0.75, teacher_least=2)
    assert share_of_teachers(np.array([[1.0, 1, 0], [1, np.nan, 0], [0, 0, 0]]), recipe).tolist() == [0.75, 0.0, 0.0]


def test_a_bias_that_is_held_does_not_move(tmp_path):
    network = replace(TINY, n_classes=5)
    recipe = Recipe("held", {"a": "superclass"}, bias=(0.0, -1.0, 0.5, -2.0, -5.0), network=network)
    run = Run(recipe, 1, tmp_path, CPU)
    run.network.logits(torch.from_numpy(ecg())[None]).sum().backward()
    run.optimizer.step()
    run.average.update(run.network, 0.5)
    for each in (run.network, run.average.network):
        assert each.bias.tolist() == [0.0, -1.0, 0.5, -2.0, -5.0]


@pytest.mark.parametrize(
    "line",
    ["bias = [0.1, 0.2]", 'starts_from = "wrong"', "[objective]\nplanted_share = 0.4", "[objective]\nto_score = 1.2"],
)
def test_a_recipe_that_contradicts_itself_is_refused(tmp_path, line):
    path = tmp_path / "wrong.toml"
    path.write_text(f'crops = [[1, 512]]\nmodels = {{a = "subclass"}}\n{line}\n')
    expected = r"bias has 2 values for 23 outputs|names itself|planted signs|to_score is 1.2"
    with pytest.raises(SourceError, match=expected):
        read_recipe(path)


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


@pytest.mark.no_cover
def test_a_stopped_run_goes_on_and_writes_models_that_load(tmp_path, part_of_ptbxl):
    from ecgimn.evaluate.report import evaluate
    from ecgimn.sources.ptbxl import PtbXl
    from ecgimn.train.export import export_models

    ptbxl = PtbXl(part_of_ptbxl)
    models = {"quick-super": "superclass", "quick-sub": "subclass"}
    recipe = Recipe("quick", models, seeds=(3,), crops=((2, 256),), batch=16, limit=64, network=TINY)
    folder = tmp_path / "quick" / "seed-3"
    learn, choose = load_folds(ptbxl, recipe.limit)
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        train(learn, choose, recipe, 3, folder, resume=True)
    train(learn, choose, replace(recipe, crops=((1, 256),)), 3, folder)
    rows = []
    train(learn, choose, recipe, 3, folder, resume=True, report=rows.append)
    assert [row["epoch"] for row in rows] == [2]
    assert len(list(csv.DictReader((folder / "log.csv").read_text().splitlines()))) == 2
    written = export_models(ptbxl, recipe, tmp_path, folder=tmp_path / "models")
    assert written == tuple(models)
    model = load_model("quick-super", folder=tmp_path / "models", device=torch.device("cpu"))
    result = evaluate(model, ptbxl, 9, limit=24)
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
    finer = evaluate(model, ptbxl, 9, limit=8)
    absent = [name for name, row in finer["discrimination"]["classes"].items() if row["n"] == 0]
    assert absent  # in so few records
    assert all(finer["discrimination"]["classes"][name]["average_precision"] is None for name in absent)
    assert json.loads(json.dumps(finer, allow_nan=False)) == finer
