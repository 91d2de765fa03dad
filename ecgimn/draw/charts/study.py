"""The results of an audit as forest plots, charts, tables and one self-contained HTML report."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecgimn.draw.colours import FONT
from ecgimn.escape import for_csv, for_html

ROW_PX, LABEL_PX, PLOT_PX, VALUE_PX, TOP_PX = 24, 230, 300, 170, 26
CHARACTER_PX, NARROW_PLOT_PX = 7.6, 160  # of a fallback font, the widest; longer names take the room from the plot
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
    label = max([LABEL_PX, *(round(len(row.name) * CHARACTER_PX) + 8 for row in rows)])
    plot = max(PLOT_PX + LABEL_PX - label, NARROW_PLOT_PX)
    width, height = label + plot + VALUE_PX, TOP_PX + ROW_PX * max(len(rows), 1) + 8

    def x(value: float) -> float:
        share = (min(max(value, low_end), high_end) - low_end) / (high_end - low_end)
        return round(label + share * (plot - 20) + 10, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
        f'aria-label="{for_html(title)}" font-family="{FONT}" '
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
        parts.append(f'<text x="{label - 8}" y="{y + 4}" text-anchor="end">{for_html(row.name)}</text>')
        if row.estimate is not None and row.estimate[0] is not None:
            value, low, high = row.estimate
            if low is not None and high is not None:
                parts.append(
                    f'<line x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}" stroke="{colours["mark"]}" '
                    'stroke-width="2"/>'
                )
            parts.append(f'<circle cx="{x(value or 0.0)}" cy="{y}" r="4.5" fill="{colours["mark"]}"/>')
        parts.append(f'<text x="{label + plot + 8}" y="{y + 4}">{for_html(words(row.estimate))}</text>')
    return "".join([*parts, "</svg>"])


ITEM_WORDS = {"relevant": "relevant", "helpful": "helpful", "trust": "confidence in the model"}
METHOD_WORDS = {
    "none": "no map",
    "isoelectric": "contribution from the isoelectric level",
    "contribution": "contribution from the zero of the file",
    "weights": "weights",
}
EARLIER_SHOWN = ", earlier ECG shown"
SCORE_WORDS = {
    "auroc": "point AUROC",
    "dice": "Dice with the strongest cells",
    "pointing": "pointing game",
    "mass": "share of |evidence| inside",
    "dice_between_readers": "Dice between readers",
}


RELIANCE_WORDS = {
    "right_followed": "right answers followed",
    "wrong_refused": "wrong answers refused",
    "appropriate": "appropriate",
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
        ForestRow(f"{ITEM_WORDS[row['item']]} · {METHOD_WORDS[row['method']]}", row["mean"])
        for row in results["ratings"]
        if row["class"] == "all"
    ]
    outcomes = results["outcomes"]
    reliance = [
        ForestRow(f"{row['name']} · {name}", row[key])
        for row in outcomes["reliance"]
        for key, name in RELIANCE_WORDS.items()
        if row["n"] and row["by"] != "reader"
    ]
    accuracy_of = [
        ForestRow(f"{row['class']} · {name}, {row['when']}", row[name])
        for row in outcomes["accuracy"]
        for name in ("sensitivity", "specificity")
        if row["by"] == "all" and row["n_with"]
    ]
    charts = (
        ("Reliance on the model", reliance, (0.0, 1.0), None),
        ("Sensitivity and specificity", accuracy_of, (0.0, 1.0), None),
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
        **_outcome_tables(results["outcomes"]),
    }  # fmt: skip
    return {title: rows for title, rows in tables.items() if rows}


def _outcome_tables(outcomes: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    wrong, judged = outcomes["made_wrong"], outcomes["adjudication"]
    return {
        "Reliance on the model": [
            {"Of": row["name"], "Answers": str(row["n"]), "Model right": str(row["n_right"]),
             "Right followed": words(row["right_followed"]), "Wrong refused": words(row["wrong_refused"]),
             "Appropriate": words(row["appropriate"]), "Switched when right": words(row["switched_when_right"]),
             "Kept when wrong": words(row["kept_when_wrong"])}
            for row in outcomes["reliance"] if row["n"]
        ],
        "Sensitivity and specificity": [
            {"Of": row["name"], "Label": row["class"], "When": row["when"], "With it": str(row["n_with"]),
             "Sensitivity": words(row["sensitivity"]), "Without": str(row["n_without"]),
             "Specificity": words(row["specificity"])}
            for row in outcomes["accuracy"] if row["n_with"] + row["n_without"]
        ],
        "Answers of the model": [
            {"Shown": str(wrong["n_shown"]), "Made wrong on purpose": str(wrong["n_made_wrong"]),
             "Wrong of itself": str(wrong["n_wrong_of_itself"]), "Planned share": f"{wrong['planned_share']:.2f}"}
        ] if wrong["n_shown"] else [],
        "Uncertain": [
            {"Of": row["name"], "When": row["when"], "Share": words(row["share"])}
            for row in outcomes["uncertain"] if row["share"] is not None and row["share"][0]
        ],
        "Arms compared": [
            {"Arm": row["arm"], "Against": row["against"], "Final diagnosis right": words(row["final_right"])}
            for row in outcomes["arms"] if row["final_right"] is not None
        ],
        "Training": [
            {"Reader": row["reader"], "Right": ", ".join(f"{share:.0%}" for share in row["rounds"]) or "—",
             "Passed": "yes" if row["passed"] else "no"}
            for row in outcomes["training"]
        ],
        "Adjudication": [
            {"Cases on which readers differ": str(judged["n_disputed"]), "Decided": str(judged["n_decided"]),
             "Decision among the labels": words(judged["with_label"]),
             "Readers with the decision": words(judged["readers_with_it"])}
        ] if judged["n_disputed"] else [],
    }  # fmt: skip


BY_AUTHORS = "To be written by the authors."


def reporting_checklist(results: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the items of two reporting guidelines, filled with what the record of the study tells.

    DECIDE-AI (Vasey et al. 2022, doi:10.1038/s41591-022-01772-9), with its 17 items on AI and its ten general ones, for
    the clinical evaluation of decision support, and TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378), with
    its 27 items, for the evaluation of a prediction model. What no record can tell is left to the authors, in so many
    words.
    """
    study, outcomes = results["study"], results["outcomes"]
    design = study["design"] or {}
    whole = next(row for row in outcomes["reliance"] if row["by"] == "all")
    arms = "; ".join(
        f"{arm['name']} (model {'shown' if arm['model'] else 'hidden'}, map: {METHOD_WORDS[arm['method']]}"
        f"{EARLIER_SHOWN if arm['earlier'] else ''})"
        for arm in study["arms"]
    )
    readers = f"{len(results['progress'])} readers at {len({row['site'] for row in results['progress']})} sites."
    finished = (
        f"{sum(row['finished'] for row in results['progress'])} of {sum(row['of'] for row in results['progress'])}"
    )
    training = f"{design.get('n_training', 0)} training cases, {design.get('pass_share', 0.0):.0%} to be right."
    wrong = outcomes["made_wrong"]
    seeded = (
        f"{wrong['n_made_wrong']} of {wrong['n_shown']} answers shown were made wrong on purpose (planned share "
        f"{wrong['planned_share']:.2f}); {wrong['n_wrong_of_itself']} were wrong of themselves."
    )
    cases = f"{study['n_cases']} cases: {study['selection'] or 'chosen by hand'}."
    order = (
        f"{'Crossover' if design.get('crossover') else 'Each case in one arm'}; arms drawn for each "
        f"{study['allocation']}, order random for each reader, seed {study['seed']}, washout "
        f"{design.get('washout_days', 0)} days."
    )
    model = f"{study['model']}, SHA-256 {study['model_sha256']}; its card tells training data and performance."
    reliance = (
        f"Right answers followed: {words(whole['right_followed'])}; wrong ones refused: "
        f"{words(whole['wrong_refused'])}; appropriate: {words(whole['appropriate'])}, of {whole['n']} answers."
    )
    times = next(row for row in results["time"] if row["by"] == "all")
    boot = f"95 % percentile intervals from {results['bootstrap']['samples']} bootstrap samples of cases."
    labels = f"Labels of the data set ({', '.join(study['classes'])}); " + (
        f"{outcomes['adjudication']['n_decided']} cases on which readers differed were decided by an adjudicator."
        if design.get("adjudication")
        else "no adjudication."
    )
    accuracy = "; ".join(
        f"{row['class']} {row['when']}: sensitivity {words(row['sensitivity'])}, "
        f"specificity {words(row['specificity'])}"
        for row in outcomes["accuracy"]
        if row["by"] == "all" and row["n_with"]
    )
    events = "; ".join(
        f"{row['class']} {row['when']}: {row['n_with']} with it, {row['n_without']} without"
        for row in outcomes["accuracy"]
        if row["by"] == "all" and row["n_with"]
    )
    blinding = (
        "The adjudicator saw the readings." if design.get("adjudication") else "The labels were there before the study."
    )
    decide = (
        ("1", "Title: early evaluation of AI decision support", ""),
        ("I", "Abstract", ""),
        ("2a", "Intended use: condition, patients", results["intended_use"]),
        ("2b", "Intended users and place in care", "Readers of ECGs in research and teaching; no place in care."),
        ("II", "Objectives", ""),
        ("III", "Research governance: protocol, registration, ethics approval", ""),
        ("3a", "Participants: selection of cases", cases),
        ("3b", "Participants: selection of users", ""),
        ("3c", "Familiarisation and training of users", training),
        ("4a", "AI system: version and kind", model),
        (
            "4b",
            "AI system: inputs and their quality",
            "12-lead ECGs of 10 s, with the app's quality check.",
        ),
        ("4c", "AI system: outputs and how they were shown", f"Arms: {arms}."),
        ("5a", "Implementation: setting", "Reading study in the app, blind reading first, answers frozen."),
        ("5b", "Implementation: workflow and timing", order),
        ("IV", "Outcomes", "Reliance on the model, sensitivity and specificity before and after, agreement, time."),
        ("6a", "Safety and errors: how identified", "An answer is wrong when its label is none of the case's."),
        ("6b", "Safety and errors: risks to patients", "No patient's care depended on an answer."),
        ("7", "Human factors: methods", "Ratings from -3 to +3 of relevance, help and confidence; time per case."),
        ("V", "Analysis", boot),
        ("8", "Ethics: methods for an ethical aim, such as fairness", ""),
        ("VI", "Patient involvement", ""),
        ("9a", "Results: cases, their characteristics and missing input", f"{cases} Characteristics: {BY_AUTHORS}"),
        ("9b", "Results: users", f"{readers} Characteristics: {BY_AUTHORS}"),
        ("10a", "Results: exposure and adherence", f"{finished} readings finished."),
        ("10b", "Results: changes of workflow", ""),
        ("VII", "Main results", f"{reliance} {accuracy}"),
        ("VIII", "Subgroups", "By reader, arm and label in the report."),
        ("11", "Modifications of the AI system", f"None: one model throughout; app {', '.join(results['versions'])}."),
        ("12", "Human-computer agreement and changes of mind", reliance),
        ("13a", "Errors of the AI system", seeded),
        ("13b", "Harms", "None: no patient's care depended on an answer."),
        ("14a", "Usability", "See the ratings of the report."),
        ("14b", "Learning curves", "See training by round and time per case in the report."),
        ("15", "Discussion: support of the intended use", ""),
        ("16", "Discussion: safety", ""),
        ("IX", "Strengths and limitations", ""),
        ("17", "Data availability", f"Signed export of the whole record; log SHA-256 {results['log_digest']}."),
        ("X", "Conflicts of interest and funding", ""),
    )
    tripod = (
        ("1", "Title", ""), ("2", "Abstract", ""), ("3a-c", "Background, target population, health inequalities", ""),
        ("4", "Objectives", ""), ("5a", "Data: source", cases), ("5b", "Data: dates", ""),
        ("6a-c", "Participants: setting, eligibility, treatments", ""),
        ("7", "Data preparation", "As stored with the model; no step depends on a reader."),
        ("8a", "Outcome: definition", labels), ("8b", "Outcome: assessors", ""),
        ("8c", "Outcome: blinding", f"{blinding} Readers saw no label, and the model's answer after their own alone."),
        ("9a-c", "Predictors", "The samples of the 12 leads."), ("10", "Sample size", f"{cases} {readers}"),
        ("11", "Missing data", f"{finished} readings finished; figures are over those."),
        ("12a", "Analysis: use of the data", "Every case evaluates the model; none trains it in this study."),
        ("12b-c", "Analysis: predictors and building of the model", "Not part of this study; see the model's card."),
        ("12d", "Analysis: clusters", "Figures by reader and arm; all answers to a case are resampled together."),
        ("12e", "Analysis: measures", boot), ("12f", "Analysis: updating", "None."),
        ("12g", "Analysis: how predictions were made", f"By the app, from {model}"),
        ("13", "Class imbalance", f"No method against it in this study. {cases}"), ("14", "Fairness", ""),
        ("15", "Model output", "Probability by label; called is the most probable."),
        ("16", "Training versus evaluation", "See the model's card and the selection of cases."),
        ("17", "Ethical approval", ""), ("18a-c", "Funding, conflicts of interest, protocol", ""),
        ("18d", "Registration", ""), ("18e", "Data sharing", f"Export, definition SHA-256 {study['uid']}."),
        ("18f", "Code sharing", f"Version {', '.join(results['versions'])} of the app, open source."),
        ("19", "Patient and public involvement", ""), ("20a", "Participants: flow", f"{cases} {finished} read."),
        ("20b-c", "Participants: characteristics, beside those of the training data", ""),
        ("21", "Participants and events in each analysis", events), ("22", "Model specification", model),
        ("23a", "Performance with intervals", accuracy), ("23b", "Heterogeneity", "By reader and arm in the report."),
        ("24", "Model updating", "None."), ("25", "Interpretation", ""), ("26", "Limitations", ""),
        ("27a", "Use in care: input of poor quality", "Not for care. The app's quality check warns or refuses."),
        ("27b-c", "Use in care: what users must do; next steps", ""),
    )  # fmt: skip
    times_words = f" Median {_seconds(times['whole'])} s per case." if times["n"] else ""
    return [
        {"Guideline": name, "Item": item, "Topic": topic,
         "In this study": (text + (times_words if (name, item) == ("DECIDE-AI", "7") else "")) or BY_AUTHORS}
        for name, items in (("DECIDE-AI", decide), ("TRIPOD+AI", tripod))
        for item, topic, text in items
    ]  # fmt: skip


def checklist_csv(results: Mapping[str, Any]) -> str:
    """Return the reporting checklist as CSV."""
    rows = reporting_checklist(results)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: for_csv(text) for name, text in row.items()} for row in rows)
    return out.getvalue()


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
    "Fleiss' kappa and Gwet's AC1 are taken over the main diagnosis, among all classes of the model.",
    "Time leaves pauses out.",
    "Reliance is appropriate where a right answer of the model was followed and a wrong one refused. A label counts as "
    'called when it is the main diagnosis or a further one; "uncertain" calls none.',
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
            f"{arm['name']} (model {'shown' if arm['model'] else 'hidden'}, map: {arm['method']}"
            f"{EARLIER_SHOWN if arm['earlier'] else ''})"
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
    body.append("<h2>Reporting checklist</h2>" + _table(reporting_checklist(results)))
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
