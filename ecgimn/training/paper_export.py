"""From a run of the published network to a model on disk, calibrated and measured on fold 9."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.model.card import ModelCard
from ecgimn.model.checkpoint import MODELS_FOLDER, Model, save_model
from ecgimn.model.paper import PaperImn
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.dataset import CHOICE_FOLD
from ecgimn.training.metrics import (
    auroc,
    average_precision,
    calibrate,
    estimate,
    macro,
    patient_weights,
)
from ecgimn.training.paper import PaperData, PaperTrainConfig, describe_paper, load_paper_data, predict
from ecgimn.training.run_state import BEST, read_state

REFERENCE = "Thambawita et al., arXiv:2602.09566, trained anew here; weights of its authors are not used"


def export_paper(ptbxl: PtbXl, config: PaperTrainConfig, run: Path, *, folder: Path = MODELS_FOLDER) -> Model:
    """Write the model of a run from its best epoch.

    Raises
    ------
    SourceError
        The run has no checkpoint.
    """
    if not (run / BEST).is_file():
        raise SourceError(f"The run {config.name!r} has no checkpoint. Train it first.")
    state = read_state(run / BEST)
    network = PaperImn(config.network)
    network.load_state_dict(state["network"])
    network.eval().requires_grad_(False)
    choose = load_paper_data(ptbxl, (CHOICE_FOLD,), config.classes, config.limit)
    logits, biases = predict(network, choose.x)
    n = logits.shape[1]
    classes, targets = config.classes[-n:], choose.labels[:, -n:]
    # The published logit is a bare sum of 12,000 products, at first of the order of hundreds: fitted in its own spread.
    calibration = calibrate(targets, logits, np.maximum(logits.std(axis=0), 1e-9))
    records = "records with exactly one of them" if len(config.classes) == 2 else "labels, not exclusive"
    command = f"python -m ecgimn train --ptbxl DIR --config models/{config.name}.toml"
    card = ModelCard(
        name=config.name,
        task=f"the published ECG-IMN, {' and '.join(config.classes) if n < 3 else 'five superclasses'}: {records}",
        classes=classes,
        members=1,
        network=replace(config.network, dropout=0.0),
        kind="paper",
        scale=calibration.scale,
        offset=calibration.offset,
        sha256="",
        known_answer=(0.0,) * n,
        thresholds=calibration.thresholds,
        training={
            "data": "PTB-XL 1.0.3, folds 1-8, 100 Hz; best epoch, calibration and thresholds chosen on fold 9",
            "command": command,
            "best_epoch": int(state["epoch"]),
            **describe_paper(config),
        },
        metrics={"command": command, **measure(choose, logits, biases, classes)},
        reference=REFERENCE,
    )
    return save_model(card, [network], folder)


def measure(
    data: PaperData, logits: NDArray[np.float64], biases: NDArray[np.float64], classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return discrimination with patient-bootstrap intervals, and how much of the decision the generated bias takes."""
    weights, targets = patient_weights(data.patients), data.labels[:, -len(classes) :]
    found: dict[str, Any] = {}
    for k, name in enumerate(classes):

        def figure(w: NDArray[np.float64] | None, k: int = k) -> NDArray[np.float64]:
            return auroc(targets[:, k], logits[:, k], w)

        found[name] = {
            "n": int(targets[:, k].sum()),
            "auroc": estimate(figure, weights).as_list(),
            "average_precision": round(average_precision(targets[:, k], logits[:, k]), 5),
        }
    share = biases.var(axis=0) / np.maximum(logits.var(axis=0), 1e-12)
    return {
        "fold": CHOICE_FOLD,
        "n_records": len(data),
        "n_labelled": len(data),
        "classes": list(classes),
        "discrimination": {
            "macro_auroc": estimate(lambda w: macro(targets, logits, w), weights).as_list(),
            "classes": found,
        },
        "bias": {
            "variance_share": [round(float(v), 5) for v in share],
            "auroc_of_bias_alone": [
                round(float(auroc(targets[:, k], biases[:, k])[0]), 5) for k in range(len(classes))
            ],
            "why": "the published network computes its bias from each recording, so that it can rank recordings",
        },
    }
