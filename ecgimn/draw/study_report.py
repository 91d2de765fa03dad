"""The report of an audit as one HTML file that needs nothing else: figures, tables, versions, hashes, seeds."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from ecgimn.draw.study_charts import result_charts, result_tables

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
        f"<h1>{_text(study['name'])}</h1>",
        f'<p class="use">{_text(results["intended_use"])}</p>',
        "<h2>What was read, and how</h2>",
        _table([{"": name, " ": value} for name, value in facts.items()], head=False),
    ]
    for title, svg in result_charts(results).items():
        body.append(f"<h2>{_text(title)}</h2>{svg}")
    for title, rows in result_tables(results).items():
        body.append(f"<h2>{_text(title)}</h2>{_table(rows)}")
    body.append("<h2>How to read the figures</h2>" + "".join(f"<p>{_text(note)}</p>" for note in NOTES))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{_text(study["name"])}</title><style>{STYLE}</style></head><body>'
        + "\n".join(body)
        + "</body></html>\n"
    )


def _table(rows: Sequence[Mapping[str, str]], *, head: bool = True) -> str:
    first = "".join(f"<th>{_text(name)}</th>" for name in rows[0]) if head else ""
    lines = ["<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row.values()) + "</tr>" for row in rows]
    return "<table>" + (f"<tr>{first}</tr>" if head else "") + "".join(lines) + "</table>"


def _text(text: str) -> str:
    return html.escape(text, quote=True)
