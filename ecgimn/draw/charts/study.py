"""The results of an audit as forest plots, charts, tables and one self-contained HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecgimn.escape import for_html

ROW_PX, LABEL_PX, PLOT_PX, VALUE_PX, TOP_PX = 24, 230, 300, 170, 26
LIGHT = {"text": "#1f2937", "line": "#9ca3af", "mark": "#0b5cad"}
DARK = {"text": "#e5e7eb", "line": "#6b7280", "mark": "#7ab8f5"}


@dataclass(frozen=True)
class ForestRow:
    """One line: a name, and [value, low, high] or None where it is undefined."""

    name: str
    estimate: Sequence[float | None] | None


def words(estimate: Sequence[float | None] | None, digits: int = 2) -> str:
    """Return "0.61 (0.44 to 0.78)", the value alone without interval, or a dash."""
    if estimate is None or estimate[0] is None:
        return "—"
    value, low, high = (None if part is None else f"{part:.{digits}f}".replace("-", "−") for part in estimate)
    return f"{value}" if low is None or high is None else f"{value} ({low} to {high})"


def forest_svg(
    rows: Sequence[ForestRow], *, limits: tuple[float, float], title: str, at: float | None = None, dark: bool = False
) -> str:
    """Draw values with their 95 % intervals.

    Parameters
    ----------
    rows : sequence of ForestRow
    limits : tuple of (float, float)
        Ends of the axis; what passes them is cut there.
    title : str
        Read out to those who do not see it.
    at : float, optional
        Where a reference line stands.
    dark : bool

    Returns
    -------
    str
        SVG that begins with `<svg `.
    """
    colours = DARK if dark else LIGHT
    low_end, high_end = limits
    width, height = LABEL_PX + PLOT_PX + VALUE_PX, TOP_PX + ROW_PX * max(len(rows), 1) + 8

    def x(value: float) -> float:
        share = (min(max(value, low_end), high_end) - low_end) / (high_end - low_end)
        return round(LABEL_PX + share * (PLOT_PX - 20) + 10, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
        f'aria-label="{for_html(title)}" font-family="Source Sans Pro, Helvetica, Arial, sans-serif" '
        f'font-size="13" fill="{colours["text"]}">'
    ]
    marks = {low_end, high_end, *(() if at is None else (at,))}
    for mark in sorted(marks):
        dash = ' stroke-dasharray="3 3"' if mark == at else ""
        parts.append(
            f'<line x1="{x(mark)}" x2="{x(mark)}" y1="{TOP_PX - 6}" y2="{height - 4}" stroke="{colours["line"]}" '
            f'stroke-width="1"{dash}/><text x="{x(mark)}" y="{TOP_PX - 11}" text-anchor="middle" font-size="11">'
            f"{mark:g}</text>".replace(">-", ">−")
        )
    for place, row in enumerate(rows):
        y = TOP_PX + ROW_PX * place + ROW_PX / 2
        parts.append(f'<text x="{LABEL_PX - 8}" y="{y + 4}" text-anchor="end">{for_html(row.name)}</text>')
        if row.estimate is not None and row.estimate[0] is not None:
            value, low, high = row.estimate
            if low is not None and high is not None:
                parts.append(
                    f'<line x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}" stroke="{colours["mark"]}" '
                    'stroke-width="2"/>'
                )
            parts.append(f'<circle cx="{x(value or 0.0)}" cy="{y}" r="4.5" fill="{colours["mark"]}"/>')
        parts.append(f'<text x="{LABEL_PX + PLOT_PX + 8}" y="{y + 4}">{for_html(words(row.estimate))}</text>')
    return "".join([*parts, "</svg>"])


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


STYLE = """
body { font: 15px/1.45 "Source Sans Pro", Helvetica, Arial, sans-serif; color: #1f2937; margin: 2rem auto;
       max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; } th, td { padding: .25rem .7rem; text-align: left;
       border-bottom: 1px solid #d1d5db; vertical-align: top; } th { font-weight: 600; }
.use { border-left: 4px solid #9ca3af; padding-left: .8rem; } code { font-size: .85em; word-break: break-all; }
@media print { body { margin: 0; } h2, svg { break-inside: avoid; break-after: avoid; } }
"""
NOTES = (
    "Every figure is a mean over answers with its 95 % percentile interval from resampling cases, all answers to a "
    "case going together.",
    "A diagnosis counts as right when it is among the labels of the data set; those labels are opinions too.",
    "Regions are compared over cells of one lead by 40 ms with the map of the class that the reader diagnosed blind: "
    "point AUROC of the map for the marked cells; Dice of the marked cells and as many of the map's strongest; whether "
    "the strongest cell is marked.",
    "Fleiss' kappa and Gwet's AC1 are taken over the one label that fits best, among all classes of the model.",
    "Time leaves pauses out.",
)


def study_html(results: Mapping[str, Any], *, made: str) -> str:
    """Return the report.

    Parameters
    ----------
    results : mapping
        Of `ecgimn.study.results.compute_results`.
    made : str
        What made the report: the command and the version of the app.
    """
    study = results["study"]
    facts = {
        "Model": f"{study['model']} · SHA-256 {study['model_sha256']}",
        "Cases": f"{study['n_cases']} · {study['selection'] or 'chosen by hand'}",
        "Arms": "; ".join(
            f"{arm['name']} (model {'shown' if arm['model'] else 'hidden'}, map: {arm['method']})"
            for arm in study["arms"]
        ),
        "Arms drawn": f"once per {study['allocation']}{', in blocks' if study['blocks'] else ', mixed'}",
        "Shown from the start": ", ".join(study["shows"]) or "the tracing alone",
        "Seed of order and arms": str(study["seed"]),
        "Bootstrap": f"{results['bootstrap']['samples']} samples of cases, seed {results['bootstrap']['seed']}",
        "Definition": f"SHA-256 {study['uid']}",
        "Log": f"SHA-256 {results['log_digest']}",
        "Written by app version": ", ".join(results["versions"]) or "—",
        "Made by": made,
    }
    body = [
        f"<h1>{for_html(study['name'])}</h1>",
        f'<p class="use">{for_html(results["intended_use"])}</p>',
        "<h2>What was read, and how</h2>",
        _table([{"": name, " ": value} for name, value in facts.items()], head=False),
    ]
    for title, svg in result_charts(results).items():
        body.append(f"<h2>{for_html(title)}</h2>{svg}")
    for title, rows in result_tables(results).items():
        body.append(f"<h2>{for_html(title)}</h2>{_table(rows)}")
    body.append("<h2>How to read the figures</h2>" + "".join(f"<p>{for_html(note)}</p>" for note in NOTES))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{for_html(study["name"])}</title><style>{STYLE}</style></head><body>'
        + "\n".join(body)
        + "</body></html>\n"
    )


def _table(rows: Sequence[Mapping[str, str]], *, head: bool = True) -> str:
    first = "".join(f"<th>{for_html(name)}</th>" for name in rows[0]) if head else ""
    lines = ["<tr>" + "".join(f"<td>{for_html(cell)}</td>" for cell in row.values()) + "</tr>" for row in rows]
    return "<table>" + (f"<tr>{first}</tr>" if head else "") + "".join(lines) + "</table>"
