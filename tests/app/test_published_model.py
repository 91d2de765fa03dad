"""The published ECG-IMN can be chosen like any model: every page shows it, its bias and its z-score offset."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from ecgimn.model.card import ModelCard
from ecgimn.model.model import save_model
from ecgimn.model.published import PaperConfig, PaperImn
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import layer

CASE = "imi-st"


@pytest.fixture
def page(small_app: AppTest, models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    folder = tmp_path / "models"
    shutil.copytree(models_folder, folder)
    torch.manual_seed(0)
    card = ModelCard(
        name="paper-tiny", task="NORM against MI", classes=("NORM", "MI"), members=1, network=PaperConfig(2, "softmax"),
        kind="paper", scale=(0.01, 0.01), offset=(0.0, 0.0), sha256="", known_answer=(0.0, 0.0),
        thresholds={"youden": (0.5, 0.5)},
        metrics={"fold": 9, "n_records": 10, "n_labelled": 10, "classes": ["NORM", "MI"], "discrimination": {
            "macro_auroc": [0.9, 0.8, 1.0],
            "classes": {name: {"n": 5, "auroc": [0.9, 0.8, 1.0], "average_precision": 0.9} for name in ("NORM", "MI")},
        }},
    )  # fmt: skip
    save_model(card, [PaperImn(PaperConfig(2, "softmax")).eval()], folder)
    monkeypatch.setattr("ecgimn.model.model.MODELS_FOLDER", folder)
    small_app.query_params["composite"] = CASE
    small_app.query_params["model"] = "paper-tiny"
    return small_app.run()


def test_the_reading_room_prints_the_offset_beside_the_bias(page: AppTest) -> None:
    assert not page.exception
    sent = layer(page)
    assert "z-score offset" in sent["equation"]
    assert "z-score offset" in sent["sum"]
    assert "sums to the logit" in sent["residual"]
    assert "paper-tiny" in shown_text(page)


@pytest.mark.parametrize("name", ["model", "faithfulness", "compare", "what_if"])
def test_every_page_shows_it(page: AppTest, name: str) -> None:
    page.switch_page(f"pages/{name}.py").run()
    assert not page.exception
    assert "paper-tiny" in shown_text(page)


def test_its_map_is_compared_with_that_of_our_network(page: AppTest) -> None:
    page.switch_page("pages/compare.py").run()
    page.segmented_control(key="cmp").set_value("Models").run()
    assert not page.exception
