"""From runs to shipped models: average the seeds, calibrate and choose thresholds on fold 9, write card and weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ecgimn.errors import SourceError
from ecgimn.model.card import ModelCard
from ecgimn.model.checkpoint import MODELS_FOLDER, Model, save_model
from ecgimn.model.network import EcgImn
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.dataset import CHOICE_FOLD, TASKS, Dataset, load_dataset
from ecgimn.training.metrics import fit_affine, sensitivity_threshold, youden_threshold
from ecgimn.training.train import TrainConfig, describe

TASK_WORDS = {
    "superclass": "five diagnostic superclasses of PTB-XL, not exclusive",
    "subclass": "23 diagnostic sub-classes of PTB-XL, not exclusive",
}


def export_models(ptbxl: PtbXl, config: TrainConfig, runs: Path, *, folder: Path = MODELS_FOLDER) -> tuple[Model, ...]:
    """Write the models of a configuration from its finished (or last saved) runs.

    Raises
    ------
    SourceError
        No run of the configuration has a checkpoint.
    """
    states = [runs / config.name / f"seed-{seed}" / "state.pt" for seed in config.seeds]
    missing = [path.parent.name for path in states if not path.is_file()]
    if missing:
        raise SourceError(
            f"The run {config.name!r} has no checkpoint for {', '.join(missing)}. Train these seeds first."
        )
    saved = [torch.load(path, map_location="cpu", weights_only=True) for path in states]
    choose = load_dataset(ptbxl, ptbxl.ids([CHOICE_FOLD], fs=100), landmarks=False)
    models = []
    for name, task in config.models.items():
        start = sum(len(TASKS[earlier]) for earlier in config.tasks[: config.tasks.index(task)])
        networks = [_cut(state["average"], config, start, task) for state in saved]
        n = len(TASKS[task])
        card = ModelCard(
            name=name,
            task=TASK_WORDS[task],
            classes=TASKS[task],
            members=len(networks),
            network=networks[0].config,
            scale=(1.0,) * n,
            offset=(0.0,) * n,
            sha256="",
            known_answer=(0.0,) * n,
            training={
                "data": "PTB-XL 1.0.3, folds 1-8, 100 Hz; calibrated and thresholds chosen on fold 9",
                "command": f"python -m ecgimn train --ptbxl DIR --config models/{config.name}.toml",
                "epochs": [int(state["epoch"]) for state in saved],
                **describe(config),
            },
        )
        raw = Model(card, tuple(networks), torch.device("cpu"))
        models.append(save_model(calibrated(raw, choose, task), networks, folder))
    return tuple(models)


def calibrated(model: Model, choose: Dataset, task: str) -> ModelCard:
    """Return the model's card with an affine calibration of each logit and operating points, chosen on `choose`."""
    logits, targets = model.logits(choose.x), choose.labels[task]
    pairs = [fit_affine(targets[:, k], logits[:, k]) for k in range(logits.shape[1])]
    scale, offset = (np.array(values) for values in zip(*pairs, strict=True))
    probability = 1.0 / (1.0 + np.exp(-(scale * logits + offset)))
    columns = range(logits.shape[1])
    return replace(
        model.card,
        scale=tuple(scale.tolist()),
        offset=tuple(offset.tolist()),
        thresholds={
            "youden": tuple(youden_threshold(targets[:, k], probability[:, k]) for k in columns),
            "sensitivity_90": tuple(sensitivity_threshold(targets[:, k], probability[:, k]) for k in columns),
        },
    )


def _cut(state: dict[str, torch.Tensor], config: TrainConfig, start: int, task: str) -> EcgImn:
    """Return the network with only the outputs of one task."""
    n = len(TASKS[task])
    network = EcgImn(replace(config.network, n_classes=n, dropout=0.0))
    own = dict(state)
    own["bias"] = state["bias"][start : start + n]
    own["head.weight"] = state["head.weight"][12 * start : 12 * (start + n)]
    own["head.bias"] = state["head.bias"][12 * start : 12 * (start + n)]
    network.load_state_dict(own)
    return network.eval()
