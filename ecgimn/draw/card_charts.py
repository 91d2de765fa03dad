"""The charts of a model card, from metrics as `python -m ecgimn evaluate` writes them; what is missing is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ecgimn.draw.curves import fidelity_figure, precision_recall_figure, reliability_figure, roc_figure


def card_figures(metrics: Mapping[str, Any], *, dark: bool = False) -> dict[str, go.Figure]:
    """Return a figure per title: ROC, precision-recall, calibration.

    Parameters
    ----------
    metrics : mapping
        Of a model card; may be empty.
    dark : bool
    """
    classes = metrics.get("discrimination", {}).get("classes", {})
    curves = {name: row["curves"] for name, row in classes.items() if "curves" in row}
    figures: dict[str, go.Figure] = {}
    if curves:
        figures["ROC"] = roc_figure(
            [
                (name, np.array(c["false_positive_rate"]), np.array(c["sensitivity"]), _first(classes[name]["auroc"]))
                for name, c in curves.items()
            ],
            dark=dark,
        )
        figures["Precision and recall"] = precision_recall_figure(
            [
                (name, np.array(c["sensitivity"]), np.array(c["precision"]), classes[name]["average_precision"])
                for name, c in curves.items()
            ],
            dark=dark,
        )
    bins = {name: row for name, row in metrics.get("calibration", {}).items() if row.get("predicted")}
    if bins:
        figures["Calibration"] = reliability_figure(
            [
                (
                    f"{name} · ECE {row['ece']:.3f}",
                    np.array(row["predicted"]),
                    np.array(row["observed"]),
                    np.array(row.get("counts", [0] * len(row["predicted"]))),
                )
                for name, row in bins.items()
            ],
            dark=dark,
        )
    return figures


def fidelity_figures(metrics: Mapping[str, Any], class_name: str, *, dark: bool = False) -> dict[str, go.Figure]:
    """Return per kind of edit the actual change of one class's logit over the change that its map predicts.

    Parameters
    ----------
    metrics : mapping
        Of a model card.
    class_name : str
        One of `metrics["classes"]`.
    dark : bool
    """
    families = metrics.get("fidelity", {}).get("families", {})
    classes = list(metrics.get("classes", ()))
    if class_name not in classes:
        return {}
    k = classes.index(class_name)
    figures = {}
    for name, row in families.items():
        if "points" in row:
            predicted, actual = (np.array(values) for values in row["points"][k])
            figures[name] = fidelity_figure(predicted, actual, r2=row["r2"][k], slope=row["slope"][k], dark=dark)
    return figures


def discrimination_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row of text per class: records, AUROC with its interval, average precision, operating points."""
    rows = []
    for name, row in metrics.get("discrimination", {}).get("classes", {}).items():
        line = {
            "Class": name,
            "Records": f"{row['n']:,}",
            "AUROC (95 % interval)": interval_words(row["auroc"]),
            "Average precision": f"{row['average_precision']:.3f}",
        }
        for point, values in row.get("operating_points", {}).items():
            line[f"At {point.replace('_', ' ')}"] = ", ".join(
                f"{key.replace('_', ' ')} {value:.2f}" for key, value in values.items() if isinstance(value, float)
            )
        rows.append(line)
    return rows


def interval_words(estimate: Any) -> str:
    """Return "0.931 (0.927 to 0.935)" of an estimate stored as [value, low, high] or as a number."""
    if isinstance(estimate, list | tuple) and len(estimate) >= 3:
        value, low, high = estimate[:3]
        return f"{value:.3f} ({low:.3f} to {high:.3f})"
    return f"{_first(estimate):.3f}"


def _first(estimate: Any) -> float:
    return float(estimate[0] if isinstance(estimate, list | tuple) else estimate)
