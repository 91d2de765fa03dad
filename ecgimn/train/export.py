"""From runs to shipped models: average the seeds, calibrate and choose thresholds on fold 9, write card and weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import torch

from ecgimn.errors import SourceError
from ecgimn.evaluate.metrics import calibrate
from ecgimn.model.blackbox import BlackBox, save_black_box
from ecgimn.model.card import ModelCard
from ecgimn.model.model import MODELS_FOLDER, STORED, Model, save_model
from ecgimn.model.network import EcgImn
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import CHOICE_FOLD, TASKS, Dataset, load_dataset
from ecgimn.sources.statements import GROUPS, WORDS
from ecgimn.train.heads import LOG, STATE, keep_tasks, read_state
from ecgimn.train.recipe import Recipe

AnyNetwork = TypeVar("AnyNetwork", EcgImn, BlackBox)
TASK_WORDS = {
    "superclass": "five diagnostic superclasses of PTB-XL, not exclusive",
    "subclass": "23 diagnostic sub-classes of PTB-XL, not exclusive",
    "statement": "71 SCP-ECG statements of PTB-XL: diagnoses, form and rhythm, not exclusive",
}


def export_models(ptbxl: PtbXl, recipe: Recipe, runs: Path, *, folder: Path = MODELS_FOLDER) -> tuple[str, ...]:
    """Write the models of a recipe from its finished (or last saved) networks, and the log of its training.

    Returns
    -------
    tuple of str
        Names of the models.

    Raises
    ------
    SourceError
        A network of the models has no checkpoint.
    """
    places = [runs / recipe.name / f"seed-{seed}" for seed in recipe.seeds]
    missing = [place.name for place in places if not (place / STATE).is_file()]
    if missing:
        raise SourceError(f"There is no checkpoint for {recipe.name} {', '.join(missing)}. Train these seeds first.")
    saved = [read_state(place / STATE) for place in places]
    choose = load_dataset(ptbxl, ptbxl.ids([CHOICE_FOLD], fs=100), landmarks=False)
    folder.mkdir(parents=True, exist_ok=True)
    for name, task in recipe.models.items():
        if recipe.kind == "black-box":
            (state,) = saved
            save_black_box(_network(BlackBox, state, recipe, task), TASKS[task], name, folder)
            continue
        networks = [_network(EcgImn, state, recipe, task) for state in saved]
        n = len(TASKS[task])
        card = ModelCard(
            name=name,
            task=TASK_WORDS[task],
            classes=TASKS[task],
            purpose=recipe.purpose,
            members=len(networks),
            network=networks[0].config,
            scale=(1.0,) * n,
            offset=(0.0,) * n,
            words=WORDS if task == "statement" else {},
            groups=GROUPS if task == "statement" else {},
            sha256="",
            known_answer=(0.0,) * n,
            training={
                "data": "PTB-XL 1.0.3, folds 1-8, 100 Hz; calibrated and thresholds chosen on fold 9",
                "command": f"python -m ecgimn train --ptbxl DIR --recipe {recipe.name}",
                "epochs": [int(state["epoch"]) for state in saved],
                **asdict(recipe),
            },
        )
        raw = Model(card, tuple(networks), torch.device("cpu"))
        save_model(calibrated(raw, choose, task), networks, folder)
    logs = [place / LOG for place in places if (place / LOG).is_file()]
    if logs:
        rows = pd.concat([pd.read_csv(log).assign(network=log.parent.name.replace("-", " ")) for log in logs])
        rows.to_csv(folder / f"{recipe.name}.log.csv", index=False)
    return tuple(recipe.models)


def calibrated(model: Model, choose: Dataset, task: str) -> ModelCard:
    """Return the model's card with an affine calibration of each logit and operating points, chosen on `choose`."""
    logits, targets = model.logits(choose.x), choose.labels[task]
    found = calibrate(targets, logits, known=choose.known_labels(task))
    return replace(model.card, scale=found.scale, offset=found.offset, thresholds=found.thresholds)


def _network(kind: type[AnyNetwork], state: dict[str, Any], recipe: Recipe, task: str) -> AnyNetwork:
    """Return the averaged network of a run with only the outputs of one task, as precise as it will be stored."""
    network = kind(replace(recipe.network, n_classes=len(TASKS[task]), dropout=0.0))
    network.load_state_dict(keep_tasks(state["average"], state["tasks"], (task,)))
    return network.to(STORED).float().eval()
