"""The results of an audit as charts and tables, from figures as `ecgimn.study.results` returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecgimn.draw.forest import ForestRow, forest_svg, words

ITEM_WORDS = {"relevant": "relevant", "helpful": "helpful", "trust": "confidence in the model"}
METHOD_WORDS = {
    "none": "no map",
    "isoelectric": "contribution from the isoelectric level",
    "contribution": "contribution from the zero of the file",
    "weights": "weights",
}
SCORE_WORDS = {
    "auroc": "point AUROC",
    "dice": "Dice with the strongest cells",
    "pointing": "pointing game",
    "mass": "share of |evidence| inside",
    "dice_between_readers": "Dice between readers",
}


def result_charts(results: Mapping[str, Any], *, dark: bool = False) -> dict[str, str]:
    """Return an SVG per title; charts without any figure are left out."""
    accuracy = [
        ForestRow(f"{row['arm']} · {name}", row[key])
        for row in results["accuracy"]
        for key, name in (("before", "before"), ("after", "after"), ("model", "the model"))
        if row["n"]
    ]
    change = [
        ForestRow(f"{name}, model {'right' if row['model_right'] else 'wrong'}", row[key])
        for row in results["change"]
        for key, name in (("changed", "changed"), ("changed_to_model", "to the model's label"))
        if row["n"]
    ]
    agreement = [
        ForestRow(f"{name}, {when}", results["agreement"][when][key])
        for key, name in (("fleiss_kappa", "Fleiss' kappa"), ("gwet_ac1", "Gwet's AC1"))
        for when in ("before", "after")
        if results["agreement"][when]["n_cases"]
    ]
    regions = [
        ForestRow(name, results["regions"][key])
        for key, name in SCORE_WORDS.items()
        if results["regions"][key] is not None
    ]
    ratings = [
        ForestRow(f"{ITEM_WORDS[row['item']]} · {row['method']}", row["mean"])
        for row in results["ratings"]
        if row["class"] == "all"
    ]
    charts = (
        ("Diagnosis among the labels", accuracy, (0.0, 1.0), None),
        ("Changes of mind", change, (0.0, 1.0), None),
        ("Agreement between readers", agreement, (-1.0, 1.0), 0.0),
        ("Readers' regions and the map", regions, (0.0, 1.0), 0.5),
        ("Ratings from −3 to +3", ratings, (-3.0, 3.0), 0.0),
    )
    return {
        title: forest_svg(rows, limits=limits, title=title, at=at, dark=dark)
        for title, rows, limits, at in charts
        if rows
    }


def result_tables(results: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Return rows of text per title."""
    tables = {
        "Progress": [
            {"Reader": row["reader"], "Site": row["site"][:6], "Read blind": str(row["blind"]),
             "Finished": f"{row['finished']} of {row['of']}"}
            for row in results["progress"]
        ],
        "Diagnosis among the labels, before and after": [
            {"Arm": row["arm"], "Answers": str(row["n"]), "Before": words(row["before"]), "After": words(row["after"]),
             "Gain": words(row["gain"]), "Model": words(row["model"])}
            for row in results["accuracy"]
        ],
        "Changes of mind caused by the model": [
            {"Model": "right" if row["model_right"] else "wrong", "Answers": str(row["n"]),
             "Changed": words(row["changed"]), "To the model's label": words(row["changed_to_model"]),
             "Wrong to right": str(row["wrong_to_right"]), "Right to wrong": str(row["right_to_wrong"])}
            for row in results["change"]
        ],
        "Agreement between readers": [
            {"When": when, "Readers": str(row["n_readers"]), "Cases": str(row["n_cases"]),
             "Fleiss' kappa": words(row["fleiss_kappa"]), "Gwet's AC1": words(row["gwet_ac1"])}
            for when, row in results["agreement"].items()
        ],
        "Pairs of readers": [
            {"When": when, "Readers": " and ".join(pair["readers"]), "Cases": str(pair["n"]),
             "Cohen's kappa": words(pair["kappa"])}
            for when, row in results["agreement"].items()
            for pair in row["cohen_kappa"]
        ],
        "Readers' regions and the map": [
            {"Score": name, "Mean": words(results["regions"][key])} for key, name in SCORE_WORDS.items()
        ],
        "Ratings": [
            {"Map": METHOD_WORDS[row["method"]], "Class called": row["class"], "Item": ITEM_WORDS[row["item"]],
             "Answers": str(row["n"]), "Mean": words(row["mean"]),
             "SD": "—" if row["sd"] is None else f"{row['sd']:.2f}"}
            for row in results["ratings"]
        ],
        "Time per case (median, seconds)": [
            {"Of": row["name"], "Finished": str(row["n"]), "Blind reading": _seconds(row["blind"]),
             "Whole case": _seconds(row["whole"])}
            for row in results["time"]
        ],
    }  # fmt: skip
    return {title: rows for title, rows in tables.items() if rows}


def _seconds(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"
