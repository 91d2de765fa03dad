"""The model's own worst errors, and its black-box twin's score on the same records."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgimn.errors import ModelNotFoundError
from ecgimn.explain.explanation import explain
from ecgimn.model.blackbox import load_black_box
from ecgimn.model.checkpoint import Model
from ecgimn.sources.composites import list_composites, load_composite
from ecgimn.training.dataset import SUPERCLASSES, Dataset
from ecgimn.training.metrics import auroc, estimate, macro, patient_weights

N_WORST = 5  # of each kind and class
BATCH = 128


def worst_errors(
    model: Model, data: Dataset, probabilities: NDArray[np.float64], task: str
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the records that a model misjudges most surely.

    Parameters
    ----------
    probabilities : ndarray of shape (n, K)
        Of the records of `data`.

    Returns
    -------
    dict
        Per class "missed" (labelled, lowest probability) and "claimed" (not labelled, highest probability), records on
        the wrong side of the operating point only: [{"ecg_id", "probability", "labels"}], worst first.
    """
    targets = data.labels[task].astype(bool)
    thresholds = model.card.thresholds.get("youden", (0.5,) * len(model.classes))
    result = {}
    for k, name in enumerate(model.classes):
        called = probabilities[:, k] >= thresholds[k]
        missed = np.flatnonzero(targets[:, k] & ~called)
        claimed = np.flatnonzero(~targets[:, k] & called)
        missed = missed[np.argsort(probabilities[missed, k])][:N_WORST]
        claimed = claimed[np.argsort(-probabilities[claimed, k])][:N_WORST]
        result[name] = {
            kind: [
                {
                    "ecg_id": int(data.ids[row]),
                    "probability": round(float(probabilities[row, k]), 4),
                    "labels": [model.classes[j] for j in np.flatnonzero(targets[row])],
                }
                for row in rows
            ]
            for kind, rows in (("missed", missed), ("claimed", claimed))
        }
    return result


def composite_errors(model: Model) -> list[dict[str, Any]]:
    """Return the composite cases whose superclass a model misses, and classes it claims beyond it, surest first.

    Cases with a planted change are left out: their label is that of the case before the change.
    """
    thresholds = np.array(model.card.thresholds.get("youden", (0.5,) * len(model.classes)))
    found = []
    for case in list_composites():
        if case.planted is not None or case.superclass not in model.classes:
            continue
        probability = explain(load_composite(case.name), model).probability
        for k, name in enumerate(model.classes):
            called, labelled = bool(probability[k] >= thresholds[k]), name == case.superclass
            if called != labelled:
                found.append(
                    {
                        "composite": case.name,
                        "title": case.title,
                        "class": name,
                        "kind": "missed" if labelled else "claimed",
                        "probability": round(float(probability[k]), 4),
                        "threshold": round(float(thresholds[k]), 4),
                    }
                )
    return sorted(found, key=lambda row: -abs(row["probability"] - row["threshold"]))


def beside_black_box(data: Dataset, logits: NDArray[np.float64]) -> dict[str, Any] | None:
    """Compare logits (n, 5) of the superclasses with those of the black-box twin, or None where it is not shipped.

    Returns
    -------
    dict
        Macro AUROC and AUROC per class of the twin, and the difference of the macro AUROCs (the model's minus the
        twin's), each with its interval from resampling patients.
    """
    try:
        twin, classes = load_black_box()
    except ModelNotFoundError:
        return None
    if classes != SUPERCLASSES:
        return None
    with torch.inference_mode():
        parts = [
            twin(torch.from_numpy(data.x[i : i + BATCH].astype(np.float32))).double().numpy()
            for i in range(0, len(data), BATCH)
        ]
    theirs, targets = np.concatenate(parts), data.labels["superclass"]
    weights = patient_weights(data.patients)
    return {
        "macro_auroc": estimate(lambda w: macro(targets, theirs, w), weights).as_list(),
        "auroc": {name: round(float(auroc(targets[:, k], theirs[:, k])[0]), 5) for k, name in enumerate(SUPERCLASSES)},
        "macro_auroc_gain": estimate(
            lambda w: macro(targets, logits, w) - macro(targets, theirs, w), weights
        ).as_list(),
        "parameters": sum(p.numel() for p in twin.parameters()),
    }
