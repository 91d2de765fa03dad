"""The published network trains as published, stops, goes on, and is written as a model that loads."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgimn.errors import CheckpointError, SourceError
from ecgimn.model.published import PaperConfig, PaperImn, PaperOutput, z_score
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.train.published import (
    PublishedRecipe,
    export_published,
    is_published_recipe,
    published_objective,
    read_published_recipe,
    task_loss,
    train_published,
)

ROOT = Path(__file__).resolve().parents[2]


def test_shipped_recipes_parse():
    paths = [path for path in (ROOT / "models" / "recipes").glob("*.toml") if is_published_recipe(path)]
    assert {path.stem for path in paths} == {"paper-norm-mi", "paper-superclass", "paper-superclass-lfr"}
    recipes = {path.stem: read_published_recipe(path) for path in paths}
    assert all(recipe.name == name for name, recipe in recipes.items())
    assert recipes["paper-norm-mi"].network == PaperConfig(2, "softmax")
    assert recipes["paper-superclass-lfr"].gamma > 0


@pytest.mark.parametrize(
    ("line", "words"), [("speed = 3", "speed"), ('classes = ["NORM", "AMI"]', "classes"), ("seed = ", "Compare")]
)
def test_a_recipe_that_does_not_fit_is_refused(tmp_path, line, words):
    path = tmp_path / "paper-x.toml"
    path.write_text(f'kind = "paper"\nname = "x"\n{line}\n')
    with pytest.raises(SourceError, match=words):
        read_published_recipe(path)


def test_a_softmax_weighs_each_class_by_the_other():
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    out = PaperOutput(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.zeros(2, 2, 12, 4), torch.zeros(2, 2))
    even = task_loss(out, targets, torch.tensor([1.0, 1.0]), "softmax")
    rare = task_loss(out, targets, torch.tensor([1 / 3, 3.0]), "softmax")  # one MI for three NORM
    wrong, right = np.log1p(np.e), np.log1p(np.exp(-1))
    assert float(even) == pytest.approx((wrong + right) / 2, abs=1e-6)
    assert float(rare) == pytest.approx(0.25 * wrong + 0.75 * right, abs=1e-6)


def test_local_fidelity_costs_a_network_whose_maps_do_not_predict_its_neighbours():
    torch.manual_seed(0)
    network = PaperImn(PaperConfig(5, dropout=0.0)).eval()
    x, targets, odds = torch.randn(4, 12, 200), torch.zeros(4, 5), torch.ones(5)
    plain = PublishedRecipe("x", l1=0.0)

    def loss(recipe):
        rng = torch.Generator().manual_seed(1)
        return float(published_objective(network, x, targets, odds, recipe, rng).detach())

    assert loss(replace(plain, gamma=1.0)) > loss(plain)
    with torch.no_grad():
        network.head.weight.zero_()
        network.bias_head.weight.zero_()  # one linear model for all: it predicts everything
    assert loss(replace(plain, gamma=1.0)) == pytest.approx(loss(plain), rel=1e-4)
    assert torch.isfinite(z_score(x)[0]).all()


def test_a_run_stops_goes_on_and_becomes_a_model(tmp_path, part_of_ptbxl):
    ptbxl = PtbXl(part_of_ptbxl)
    recipe = PublishedRecipe(
        "paper-tiny", ("NORM", "MI"), epochs=1, share=0.5, batch=8, limit=48, network=PaperConfig(2, "softmax")
    )
    train_published(ptbxl, recipe, tmp_path / "run")
    train_published(ptbxl, replace(recipe, epochs=2), tmp_path / "run", resume=True)
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    model = export_published(ptbxl, recipe, tmp_path / "run", folder=tmp_path / "models")
    assert model.classes == ("NORM", "MI")
    assert model.card.metrics["fold"] == 9
    assert len(model.card.metrics["bias"]["variance_share"]) == 2
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        train_published(ptbxl, replace(recipe, network=PaperConfig(5)), tmp_path / "run", resume=True)


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match="no checkpoint"):
        export_published(None, PublishedRecipe("paper-x"), tmp_path)
