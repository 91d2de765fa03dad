"""The comparison of methods in rows and sentences that follow from its figures and say so where we lose."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgimn.about import shipped
from ecgimn.errors import SourceError
from ecgimn.explain.difference import LIMITS
from ecgimn.explain.sentences import NOTHING, signed

SHARES = ("Planted ST elevation found", "Territory of infarction hit")
#: Columns of the table that are called otherwise than their figure.
COLUMN_OF = {
    "Planted ST elevation found": "Planted ST found",
    "Territory of infarction hit": "Territory hit",
    "Alike under 20 dB noise": "20 dB noise",
    "Alike after 80 ms": "80 ms shift",
    "Alike with random weights": "Random weights",
    "Alike in another seed": "Other seed",
    "Cells for 90 % of the evidence": "Cells for 90 %",
}
MANY = 100.0  # from here on decimals mean nothing
NAMED = 3  # rows named in one sentence; the rest is counted
BETTER = {"higher": "higher is better", "lower": "fewer is more compact", "near 0": "near 0 is better"}


def verdict_words(content: Mapping[str, Any]) -> list[str]:
    """Return one line per figure: who is best, and how the model's own map stands to all other methods."""
    return [_verdict(one) for one in content["verdicts"]]


def answer_words(content: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """Return the lines of the figures that stand in some columns of the table."""
    return [_verdict(one) for one in content["verdicts"] if COLUMN_OF.get(one["metric"], one["metric"]) in columns]


def _verdict(one: Mapping[str, Any]) -> str:
    metric, ours, best = one["metric"], one["ours"], one["best"]
    better = "less is better" if metric.startswith("Time") else BETTER[one["better"]]
    lines = [f"**{metric}** ({better}). Ours: {_value(metric, ours)}."]
    if _who(ours) == _who(best):
        lines[0] = f"**{metric}** ({better}). Best: ours, {_value(metric, ours)}."
    else:
        lines.append(f"Best: {_who(best)}, {_value(metric, best)}.")
    apart = "with intervals apart" if None not in ours["value"] else "without an interval"
    counts = [
        (len(one["ahead"]), f"ahead of {_of(one['ahead'], one['rivals'])} {apart}"),
        (len(one["level"]), f"level with {_named(metric, one['level'])}"),
        (len(one["behind"]), f"behind {_named(metric, one['behind'])} {apart}"),
    ]
    lines.append("Ours is " + "; ".join(words for n, words in counts if n) + ".")
    below = []
    for pair in one["same_network"]:
        own, rival = pair["own"], pair["best"]
        standing = {
            "ahead": "ahead, intervals apart", "level": "level, intervals overlap", "behind": "behind, intervals apart"
        }[pair["own_is"]]  # fmt: skip
        if None in own["value"]:
            standing = standing.split(",")[0]
        below.append(
            f"On the same network ({own['network']}) its own map, {_value(metric, own)}, against the best post-hoc "
            f"method, {rival['method']}, {_value(metric, rival)}: {standing}{_gap(rival)}."
        )
    return "\n    - ".join([" ".join(lines), *below])


def _of(rows: Sequence[Mapping[str, Any]], rivals: int) -> str:
    return f"all {rivals} others" if len(rows) == rivals else f"{len(rows)} of {rivals}"


def _named(metric: str, rows: Sequence[Mapping[str, Any]]) -> str:
    words = [f"{_who(row)}, {_value(metric, row)}{_gap(row)}" for row in rows[:NAMED]]
    more = [f"and {len(rows) - NAMED} more"] if len(rows) > NAMED else []
    return ", ".join([*words, *more])


def _gap(row: Mapping[str, Any]) -> str:
    """Return ours minus theirs on the same resamples, which tells more than whether intervals overlap."""
    gap = row.get("difference")
    if not gap:
        return ""
    value, low, high = (signed(part) for part in gap)
    return f" [record by record {value}, {low} to {high}]"


def goal_words(content: Mapping[str, Any]) -> list[str]:
    """Return one line per goal: whether it was reached, and if not, what stands in the way."""
    lines = []
    for goal in content["goals"]:
        answer = "Reached" if goal["reached"] else "Not reached"
        if "pointing" in goal:
            every = goal["pointing"]["all"]
            lines.append(
                f"{goal['goal']}. **{answer}**: {share(every['pointing'])} of {every['n']:,} plants. The logit rises "
                f"in {share(every['reacted'])} of them; where it does, {share(every['pointing_reacted'])} are found."
                + "".join(
                    f" {group.capitalize()}: rises in {share(found['reacted'])}, found {share(found['pointing'])}."
                    for group, found in goal["pointing"].items()
                    if group != "all"
                )
            )
        else:
            left = goal["not_beaten"]
            rest = f", because of {_named('', left)}" if left else ""
            lines.append(f"{goal['goal']}. **{answer}**{rest}.")
    return lines


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['method']} on {row['network']}"


def _value(metric: str, row: Mapping[str, Any]) -> str:
    if metric in SHARES:
        return share(row["value"])
    digits = 0 if metric.startswith(("Cells", "Time")) else 3 if metric.startswith("Alike") else 2
    return with_interval(row["value"], digits)


def with_interval(values: Sequence[float | None] | None, digits: int = 2) -> str:
    """Return "0.91 (0.88 to 0.93)", with true minus signs; a dash where there is no value."""
    if values is None or values[0] is None:
        return NOTHING
    value, low, high = (_number(part, digits) for part in values)
    return value if NOTHING in (low, high) else f"{value} ({low} to {high})"


def share(values: Sequence[float | None] | None, digits: int = 0) -> str:
    """Return "91 % (88 to 93)" of a share with its interval; a dash where there is no value."""
    if values is None or values[0] is None:
        return NOTHING
    value, low, high = (_number(None if part is None else 100.0 * part, digits) for part in values)
    return f"{value} %" if NOTHING in (low, high) else f"{value} % ({low} to {high})"


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.{digits if abs(value) < MANY else 0}f}".replace("-", "−")


#: What a method cannot say, by its name on screen; of controls, what they are for.
METHOD_LIMITS = {
    "exact map": "",
    "gradient x input": "Gradient x input holds for the smallest changes: of a wave that is taken out it says little.",
    "integrated gradients": "Integrated gradients depend on the reference, here the isoelectric line.",
    "GradientSHAP": "GradientSHAP is drawn at random: another run gives another map.",
    "occlusion": "Occlusion takes out one wave of one lead at a time: it cannot tell what waves say together.",
    "KernelSHAP": "KernelSHAP knows waves as wholes, from random samples: it cannot say where in a wave.",
    "Grad-CAM": "Grad-CAM gives every lead the same share: it can say when, never in which lead.",
    "amplitude |x|": "Amplitude |x| is a control: it knows the voltage and nothing of the network.",
    "random": "Random is a control: it is drawn by chance.",
}


COMPARISON = shipped("docs") / "faithfulness.json"
ST_ELEVATION = "ST elevation +0.2 mV"
NEEDED = {"rows", "networks", "command", "n", "goals", "verdicts"}
QUESTIONS = {
    "Does it predict what an edit does?": (
        ("R² of changes", "R², edits not trained on", "R² after the best line", "Slope"),
        "The ECG is edited, wave by wave and lead group by lead group, and the network is re-run. **R²** says how "
        "well the predicted change of the logit fits the actual one: 1 is perfect, at 0 the "
        "mean would have been as good, below 0 better. *After the best line* forgives a wrong size, and *slope* says "
        "how wrong it was: 1 is right. *Edits not trained on* are families that no training of this project used.",
    ),
    "Do its strongest cells matter?": (
        (
            "Degradation, isoelectric line (SD)", "Degradation, composite NORM beat (SD)",
            "Top 6 cells gone, isoelectric line (SD)", "Top 6 cells gone, composite NORM beat (SD)",
        ),
        "Cells (one wave in one lead) are taken away, most supporting first and most opposing first. **Degradation** "
        "is the area between the two curves of the logit, in its standard deviations (SD); larger is better, chance is "
        "near 0. *Top 6 cells gone*: by how much the logit falls without the six strongest of 60. What takes the place "
        "of a cell matters, so there are two fills: a flat line, and the same wave of a normal composite beat.",
    ),
    "Does it point at the right place?": (
        ("Planted ST found", "All planted found", "Planted in composites found", "Territory hit", "Cells for 90 %"),
        "ST elevation, T inversion, Q waves and a wide QRS are **planted** in tracings labelled NORM alone, and in the "
        "normal composite. Found: the cell whose evidence grows most lies in the leads and wave of the plant. "
        "**Territory**: the strongest lead for MI, in records of anterior and of inferior infarction, lies where it "
        "should. *Cells for 90 %*: how many of 60 hold nine tenths of the evidence.",
    ),
    "Is it stable, and what does it cost?": (
        ("20 dB noise", "80 ms shift", "Other seed", "Random weights", "Time (ms)"),
        "Correlation of two explanations of the same tracing: with **noise**, cut **80 ms** later, and where a "
        "model averages several networks, by one of **another seed**: should be near 1. With **random weights** it "
        "should be near 0: what stays was a picture of the ECG and not of what the network learned. *Time* is "
        "processor time for all classes of one tracing.",
    ),
}  # fmt: skip
MARKS = ("<!-- tables: written by compare-methods -->", "<!-- end of tables -->")


def read_comparison(path: Path = COMPARISON) -> dict[str, Any]:
    """Read the figures that were shipped or measured.

    Raises
    ------
    SourceError
        The file is not there or does not parse.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not content.keys() >= NEEDED:
            raise ValueError("it holds something else")
    except (OSError, ValueError) as exc:
        raise SourceError(
            f"No comparison of methods is at hand: {path.name} cannot be read ({exc}). Measure it with: "
            "python -m ecgimn compare-methods --ptbxl DIR --fold 10 --json docs/faithfulness.json"
        ) from exc
    return content


def comparison_rows(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row per network and method, without columns that no row has a figure for; 95 % intervals beside."""
    rows = [
        {
            "Network": row["network"],
            "Explained by": row["method"] + (" (control)" if row["kind"] == "control" else ""),
            "R² of changes": with_interval(row["fidelity"]["r2"]),
            "R² after the best line": with_interval(row["fidelity"]["r2_rescaled"]),
            "Slope": with_interval(row["fidelity"]["slope"]),
            "R², edits not trained on": with_interval(row["fidelity"]["r2_unseen"]),
            **{f"Degradation, {fill} (SD)": with_interval(value) for fill, value in row["degradation"].items()},
            **{f"Top 6 cells gone, {fill} (SD)": with_interval(value) for fill, value in row["top_cells"].items()},
            "Planted ST found": share(row["planted"].get(ST_ELEVATION, {}).get("pointing")),
            "All planted found": share(_pooled(row["planted"])),
            "Planted in composites found": share(_pooled(row["planted_in_composites"])),
            "Territory hit": share(row["territory"].get("all", {}).get("hit")),
            "20 dB noise": with_interval(row["stability"]["noise_20_db"], digits=3),
            "80 ms shift": with_interval(row["stability"]["shift_80_ms"], digits=3),
            "Random weights": with_interval(row["stability"]["random_weights"], digits=3),
            "Other seed": with_interval(row["stability"]["seeds"], digits=3),
            "Cells for 90 %": with_interval(row["cells_for_90_percent"], digits=0),
            "Time (ms)": f"{row['cpu_ms']:,.0f}",
        }
        for row in content["rows"]
    ]
    measured = [name for name in rows[0] if any(row[name] != NOTHING for row in rows)] if rows else []
    return [{name: row[name] for name in measured} for row in rows]


def answer_rows(content: Mapping[str, Any], question: str) -> list[dict[str, str]]:
    """Return the columns of `comparison_rows` that answer one of `QUESTIONS`."""
    columns = ("Network", "Explained by", *QUESTIONS[question][0])
    return [{name: row[name] for name in columns if name in row} for row in comparison_rows(content)]


def planted_rows(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row per network with a map of its own and group of leads: an ST elevation planted in many records."""
    return [
        {
            "Network": network["network"],
            "ST elevation in": "all of these" if group == "all" else group,
            "Plants": f"{found['n']:,}",
            f"Logit of {found['class']} rises": share(found["reacted"]),
            "Found": share(found["pointing"]),
            "Found where it rises": share(found["pointing_reacted"]),
            "Found in ST or T": share(found["pointing_within"]),
            "Growth inside": share(found["mass"]),
        }
        for network in content["networks"]
        for group, found in (network.get("planted_st") or {}).items()
    ]


def network_rows(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row per network: what holds of it whatever explains it."""
    return [
        {
            "Network": row["network"],
            "Classes": ", ".join(row["classes"]),
            "Records": f"{row['n']:,}",
            "Macro AUROC": with_interval(row["macro_auroc"], digits=3),
            "Variance of the logit that is bias": share(row["bias_share"], digits=2),
        }
        for row in content["networks"]
    ]


def sample_words(content: Mapping[str, Any]) -> str:
    """Return what the figures were measured on, and how sure they are."""
    n = content["n"]
    return (
        f"Fold {content['fold']} of PTB-XL: {n['records']:,} labelled records; {n['cases']} of them edited and "
        f"emptied, {n['planted']} planted in, {n['stability']} for noise, shift and random weights; drawn by seed "
        f"{content['seed']}, the same for every row. Intervals: {content['interval']}."
    )


def write_into(document: str, content: Mapping[str, Any]) -> str:
    """Return a Markdown document with the words and tables between its two marks rewritten.

    Raises
    ------
    SourceError
        The document does not hold the marks.
    """
    before, behind = _around(document, MARKS)
    parts = [
        f"`{content['command']}`",
        f"Model {content.get('model')}, sha256 {str(content.get('sha256'))[:16]}. {sample_words(content)}",
        "### What was set out to be reached",
        _bullets(goal_words(content)),
        "### Who is ahead",
        _bullets(verdict_words(content)),
        "### Every method",
        _markdown(comparison_rows(content)),
        "### ST elevation planted in many records",
        _markdown(planted_rows(content)),
        "### The networks themselves",
        _markdown(network_rows(content)),
    ]
    return before + "\n\n".join(part for part in parts if part) + behind


def _around(document: str, marks: tuple[str, str]) -> tuple[str, str]:
    """Return what stands before and behind the text between two marks, the marks included."""
    start, _, rest = document.partition(marks[0])
    _, found, end = rest.partition(marks[1])
    if not found:
        raise SourceError(f"The document holds no place for the tables. The lines {' and '.join(marks)} are needed.")
    return f"{start}{marks[0]}\n\n", f"\n\n{marks[1]}{end}"


EARLIER_MARKS = ("<!-- tables: written by earlier-ecg -->", "<!-- end of tables -->")


def write_earlier_ecg_into(document: str, content: Mapping[str, Any]) -> str:
    """Return a Markdown document with what `earlier-ecg` measured between its two marks; raises like `write_into`."""
    before, behind = _around(document, EARLIER_MARKS)
    exact = content["exactness"]

    def area(figure: Sequence[float | None]) -> str:
        value, low, high = figure
        if value is None:
            return NOTHING
        return f"{value:.2f}" + ("" if low is None or high is None else f" [{low:.2f}, {high:.2f}]")

    scores = [
        {
            "class": row["class"],
            "pairs with another label": f"{row['n_changed']:,}",
            "AUROC of the change in logit": area(row["folds_1_to_9"]["logit"]),
            "in probability": area(row["folds_1_to_9"]["probability"]),
            f"fold 9 alone ({row['fold_9']['n']:,} pairs), logit": area(row["fold_9"]["logit"]),
            "score moved the label's way": NOTHING if row["right_way"] is None else f"{100 * row['right_way']:.0f} %",
        }
        for row in content["classes"]
    ]
    measured = exact["day_to_day"]
    limits = [
        {
            "measurement": kind,
            "limit in use": _limit_words(kind),
            "95 % of changes within": _within(measured.get(kind)),
            "of the mean of the two": _share_words(measured.get(kind) if limit.share else None),
            "source of the limit": limit.source,
        }
        for kind, limit in LIMITS.items()
    ]
    residuals = "No pair could be compared in full."
    if exact["n"]:
        residuals = (
            f"Over {exact['n']:,} pairs the parts and the change of the logit differ by at most "
            f"{exact['largest_residual']:.1e} logit. A part and the same part of the swapped pair add up to at most "
            f"{exact['largest_sum_of_swapped']:.1e}."
        )
    parts = [
        f"`{content['command']}`",
        f"Model {content['model']}, sha256 {content['sha256'][:16]}.",
        "### Are the parts exact?",
        residuals,
        "### Does the change of the score tell pairs whose label changed from the others?",
        f"{content['n_pairs']:,} pairs of successive ECGs of {content['n_patients']:,} patients (folds 1 to 9, "
        f"100 Hz, passed by the quality check); in {content['n_any_label_changed']:,} a superclass changed. AUROC of "
        f"the size of the change, with 95 % intervals from {content['bootstraps']:,} bootstrap samples of patients. "
        "The models were trained on folds 1 to 8 with these labels, so the first columns flatter them; fold 9 only "
        "chose.",
        _markdown(scores),
        "PTB-XL's labels were given to each tracing, not to the pair: some change from one reader's words to "
        "another's while the tracing stays, and the other way round.",
        "### What changes from day to day?",
        f"Changes over {exact['n_normal']:,} pairs of successive ECGs of one patient, both labelled normal and nothing "
        "else, at 100 Hz, waves sought in five leads. Years may lie between the two, electrodes were placed again, and "
        "100 Hz is coarse: two tracings of one week differ less.",
        _markdown(limits),
    ]
    return before + "\n\n".join(parts) + behind


def _within(row: Mapping[str, Any] | None) -> str:
    if row is None or row["percentile_95"] is None:
        return NOTHING
    return f"{row['percentile_95']:.{2 if row['unit'] == 'mV' else 0}f} {row['unit']}"


def _share_words(row: Mapping[str, Any] | None) -> str:
    return NOTHING if row is None or row["share_95"] is None else f"{100 * row['share_95']:.0f} %"


def _limit_words(kind: str) -> str:
    limit, digits = LIMITS[kind], 2 if kind in ("voltage", "Q", "R", "S", "ST", "T") else 0
    words = f"{limit.value:.{digits}f}"
    return f"{words}, or {100 * limit.share:.0f} %" if limit.share else words


CRITERIA_MARKS = ("<!-- tables: written by criteria -->", "<!-- end of tables -->")


REVERSALS_MARKS = ("<!-- table: written by reversals -->", "<!-- end of the table -->")


def _counted(counted: Mapping[str, Any] | None) -> str:
    """Write a share with its interval and the counts behind it."""
    if counted is None or not counted["n"]:
        return NOTHING
    value, low, high = (100 * share for share in counted["share"])
    return f"{value:.0f} % ({low:.0f}-{high:.0f}; {counted['hits']}/{counted['n']})"


def criteria_table(content: Mapping[str, Any], command: str) -> str:
    """Return what textbook criteria are worth against PTB-XL's statements, as Markdown."""
    whole = content["limit"] is None
    sample = (
        f"All {content['base']:,} records"
        if whole
        else f"A random sample of {content['base']:,} of the {content['available']:,} records, and for sensitivity "
        f"further random records up to {content['least']} with a criterion's statements, {content['records']:,} in all"
    )
    folds = content["folds"]
    rows = [
        {
            "Criterion": row["name"],
            "Statements": ", ".join(row["statements"]) or NOTHING,
            "Sensitivity": _counted(row["sensitivity"]),
            "Specificity": _counted(row["specificity"]),
            "PPV": _counted(row["ppv"]),
            "Met in NORM": _counted(row["met_in_normal"]),
            "Source": row["source"],
        }
        for row in content["rows"]
    ]
    words = (
        f"{sample}, of folds {folds[0]}-{folds[-1]} with at least one statement, at 100 Hz with waves found in five "
        f"leads; on {content['not_measured']} no beat was found. 95 % intervals after Wilson, then hits/records."
    )
    rhythm = content["rhythm"]
    rhythms = [
        {
            "Rhythm": row["name"],
            "Statements": ", ".join(row["statements"]),
            "Sensitivity": _counted(row["sensitivity"]),
            "Specificity": _counted(row["specificity"]),
            "PPV": _counted(row["ppv"]),
        }
        for row in rhythm["rows"]
    ]
    area = NOTHING if rhythm["af_score_auroc"] is None else f"{rhythm['af_score_auroc']:.3f}".removeprefix("0")
    score = (
        f"The score of atrial fibrillation or flutter ranks {rhythm['of_these']} records with AFIB or AFLT among "
        f"{rhythm['ranked']:,} with an area under the ROC curve of {area}."
    )
    near = [
        f"{row['name']} in {_counted(row['borderline'])}, and in {_counted(row['borderline_in_normal'])} of NORM"
        for row in content["rows"]
        if row["borderline"]["hits"]
    ]
    close = f"Within 10 ms of a limit: {'; '.join(near)}.\n\n" if near else ""
    return f"`{command}`\n\n{words}\n\n{_markdown(rows)}\n\n{close}{score}\n\n{_markdown(rhythms)}"


def write_criteria_into(document: str, content: Mapping[str, Any], command: str) -> str:
    """Return a Markdown document with the table between its two marks rewritten; raises like `write_into`."""
    before, behind = _around(document, CRITERIA_MARKS)
    return before + criteria_table(content, command) + behind


def write_reversals_into(document: str, content: Mapping[str, Any], command: str) -> str:
    """Return a Markdown document with the table of swapped electrodes rewritten between its marks; raises alike."""
    before, behind = _around(document, REVERSALS_MARKS)
    rows = [
        {"Swapped": row["name"], "Suspected": _counted(row["suspected"]), "Named rightly": _counted(row["named"])}
        for row in content["rows"]
    ]
    folds = ", ".join(map(str, content["folds"]))
    words = (
        f"{content['records']:,} of the {content['available']:,} normal records of fold {folds}, at 100 Hz with waves "
        "found in five leads, each with its electrodes swapped by computation. Suspected in the records as they are: "
        f"{_counted(content['false_alarms'])}. 95 % intervals after Wilson, then hits/records."
    )
    return f"{before}`{command}`\n\n{words}\n\n{_markdown(rows)}{behind}"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return NOTHING
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _pooled(plants: Mapping[str, Mapping[str, Any]]) -> list[float | None]:
    """Return the share of all plants that were found, without an interval: kinds differ in number."""
    hits = [(plant["n"], plant["pointing"][0]) for plant in plants.values() if plant["pointing"][0] is not None]
    total = sum(n for n, _ in hits)
    return [sum(n * value for n, value in hits) / total if total else None, None, None]
