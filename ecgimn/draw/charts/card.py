"""The charts of a model card, from metrics as `python -m ecgimn evaluate` writes them; what is missing is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn import __version__
from ecgimn.draw.charts.ledger import base_layout
from ecgimn.draw.colours import Palette, palette
from ecgimn.draw.words.methods import with_interval
from ecgimn.escape import for_plotly
from ecgimn.explain.sentences import percent, signed
from ecgimn.model import ANY_AGE, MISS_RATE, RULE_IN, RULE_OUT

if TYPE_CHECKING:
    from ecgimn.model.card import ModelCard

#: Distinct for common colour blindness, and each with a dash of its own (Okabe & Ito 2008, https://jfly.uni-koeln.de/color).
SERIES = (
    ("#0072B2", "solid"),
    ("#D55E00", "dash"),
    ("#009E73", "dot"),
    ("#CC79A7", "dashdot"),
    ("#E69F00", "longdash"),
)
MAX_MARKERS = 400  # every SVG marker is a node

Curve = tuple[str, NDArray[np.floating], NDArray[np.floating], float]


def roc_figure(curves: Sequence[Curve], *, dark: bool = False, height_px: float = 320.0) -> go.Figure:
    """Draw ROC curves, each (name, false positive rate, true positive rate, area); the area is printed."""
    colours = palette(overlay=True, dark=dark)
    data = [_diagonal(colours), *_lines(curves, "AUROC")]
    return _figure(data, colours, height_px, "1 − specificity", "sensitivity")


def precision_recall_figure(curves: Sequence[Curve], *, dark: bool = False, height_px: float = 320.0) -> go.Figure:
    """Draw precision over recall, each curve (name, recall, precision, average precision)."""
    colours = palette(overlay=True, dark=dark)
    return _figure(_lines(curves, "AP"), colours, height_px, "recall (sensitivity)", "precision")


def reliability_figure(
    curves: Sequence[tuple[str, NDArray[np.floating], NDArray[np.floating], NDArray[np.integer]]],
    *,
    dark: bool = False,
    height_px: float = 320.0,
) -> go.Figure:
    """Draw observed frequency over mean probability, each curve (name, mean probability, observed, records per bin)."""
    colours = palette(overlay=True, dark=dark)
    data = [_diagonal(colours)]
    for place, (name, predicted, observed, counts) in enumerate(curves):
        colour, dash = SERIES[place % len(SERIES)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": for_plotly(name),
                "x": np.asarray(predicted, dtype=np.float64),
                "y": np.asarray(observed, dtype=np.float64),
                "customdata": np.asarray(counts),
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"color": colour, "size": 6},
                "hovertemplate": "%{x:.2f} predicted, %{y:.2f} observed, n = %{customdata}<extra></extra>",
            }
        )
    return _figure(data, colours, height_px, "mean probability", "observed frequency")


def training_figure(
    curves: Sequence[tuple[str, NDArray[np.floating], NDArray[np.floating]]],
    *,
    dark: bool = False,
    height_px: float = 240.0,
) -> go.Figure:
    """Draw one quantity of a training run by epoch, each curve (name, epoch, value)."""
    colours = palette(overlay=True, dark=dark)
    data = []
    for place, (name, epoch, value) in enumerate(curves):
        colour, dash = SERIES[place % len(SERIES)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": for_plotly(name),
                "x": np.asarray(epoch, dtype=np.float32),
                "y": np.asarray(value, dtype=np.float64),
                "line": {"color": colour, "dash": dash, "width": 2},
                "hovertemplate": "epoch %{x:.0f}: %{y:.4f}<extra></extra>",
            }
        )
    figure = _figure(data, colours, height_px, "epoch", "")
    return figure.update_layout(xaxis_range=None, yaxis_range=None)


def fidelity_figure(
    predicted: NDArray[np.floating],
    actual: NDArray[np.floating],
    *,
    r2: float | None = None,
    slope: float | None = None,
    dark: bool = False,
    height_px: float = 320.0,
) -> go.Figure:
    """Draw the actual change of the logit, network re-run, over the change that the map predicts.

    Parameters
    ----------
    predicted, actual : ndarray of shape (n,)
        Logit. At most 400 points are drawn, evenly taken; the title says how many of how many.
    r2, slope : float, optional
        Of all points, printed; computed by the caller.
    dark : bool
    height_px : float
    """
    colours = palette(overlay=True, dark=dark)
    n_points = len(predicted)
    taken = np.unique(np.linspace(0, max(n_points - 1, 0), min(n_points, MAX_MARKERS)).round().astype(np.intp))
    predicted, actual = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    reach = float(max(np.abs(predicted).max(initial=0.0), np.abs(actual).max(initial=0.0))) or 1.0
    words = [f"{len(taken)} of {n_points} edits drawn" if len(taken) < n_points else f"{n_points} edits"]
    words += [f"R² {r2:.2f}"] if r2 is not None else []
    words += [f"slope {slope:.2f}"] if slope is not None else []
    data = [
        {"type": "scatter", "mode": "lines", "name": "equal", "x": [-reach, reach], "y": [-reach, reach],
         "line": {"color": colours.muted, "width": 1, "dash": "dot"}, "hoverinfo": "skip", "showlegend": False},
        {"type": "scatter", "mode": "markers", "name": "edits", "x": predicted[taken], "y": actual[taken],
         "marker": {"color": SERIES[0][0], "size": 5, "opacity": 0.9 if dark else 0.55}, "showlegend": False,
         "hovertemplate": "predicted %{x:+.2f}, actual %{y:+.2f} logit<extra></extra>"},
    ]  # fmt: skip
    figure = _figure(
        data, colours, height_px, "change predicted by the map (logit)", "actual change, network re-run (logit)"
    )
    return figure.update_layout(
        xaxis_range=[-1.05 * reach, 1.05 * reach],
        yaxis_range=[-1.05 * reach, 1.05 * reach],
        title={"text": " · ".join(words), "font": {"size": 12}},
        margin_t=34,
    )


def _lines(curves: Sequence[Curve], measure: str) -> list[dict[str, Any]]:
    lines = []
    for place, (name, x, y, area) in enumerate(curves):
        colour, dash = SERIES[place % len(SERIES)]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{for_plotly(name)} · {measure} {area:.3f}",
                "x": np.asarray(x, dtype=np.float32),
                "y": np.asarray(y, dtype=np.float32),
                "line": {"color": colour, "dash": dash, "width": 2},
                "hovertemplate": "%{x:.2f}, %{y:.2f}<extra></extra>",
            }
        )
    return lines


def _diagonal(colours: Palette) -> dict[str, Any]:
    line = {"color": colours.muted, "width": 1, "dash": "dot"}
    return {"type": "scatter", "mode": "lines", "name": "diagonal", "x": [0, 1], "y": [0, 1], "line": line,
            "hoverinfo": "skip", "showlegend": False}  # fmt: skip


def _figure(data: list[dict[str, Any]], colours: Palette, height_px: float, x_title: str, y_title: str) -> go.Figure:
    axis = {"range": [-0.01, 1.01], "gridcolor": colours.fine, "zeroline": False, "fixedrange": True}
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 54, "r": 10, "t": 10, "b": 46},
        "showlegend": True,
        "legend": {"font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"},
        "xaxis": axis | {"title": {"text": x_title, "font": {"size": 12}}},
        "yaxis": axis | {"title": {"text": y_title, "font": {"size": 12}}},
    }
    return go.Figure({"data": data, "layout": layout}, _validate=False)


#: Columns of a training log that are drawn, and their words.
TRAINING_CURVES = {
    "label_loss": "Loss of the labels",
    "fidelity_loss": "Error of predicted changes, 1 − R²",
    "auroc_superclass": "Macro AUROC, fold 9, superclasses",
    "auroc_subclass": "Macro AUROC, fold 9, sub-classes",
}
POINTS = {"youden": "Youden index", "sensitivity_90": "sensitivity 90 %"}
MEASURES = {"f1": "F1"}  # where the key of a measure is not its name


def card_figures(metrics: Mapping[str, Any], *, dark: bool = False) -> dict[str, go.Figure]:
    """Return a figure per title: ROC, precision-recall, calibration.

    Parameters
    ----------
    metrics : mapping
        Of a model card; may be empty.
    dark : bool
    """
    classes = metrics.get("discrimination", {}).get("classes", {})
    curves = {
        name: row["curves"] for name, row in classes.items() if "curves" in row and _first(row["auroc"]) is not None
    }
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

    The title of a kind that training never saw says so.

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
            title = name if row["in_training"] else f"{name}, never trained"
            figures[title] = fidelity_figure(predicted, actual, r2=row["r2"][k], slope=row["slope"][k], dark=dark)
    return figures


def training_figures(log: pd.DataFrame, *, dark: bool = False) -> dict[str, go.Figure]:
    """Return a figure per title of how training went: losses and macro AUROC by epoch, one curve per network.

    Parameters
    ----------
    log : DataFrame
        As `python -m ecgimn train` writes it beside the weights: a row per network and epoch.
    dark : bool
    """
    figures = {}
    for column, title in TRAINING_CURVES.items():
        if column in log.columns and log[column].abs().max() > 0:
            curves = [
                (str(network), rows["epoch"].to_numpy(float), rows[column].to_numpy(float))
                for network, rows in log.groupby("network")
            ]
            figures[title] = training_figure(curves, dark=dark)
    return figures


def error_rows(metrics: Mapping[str, Any], class_name: str, kind: str) -> list[dict[str, Any]]:
    """Return records and composites that a model misjudged most surely, as rows for a table.

    Parameters
    ----------
    metrics : mapping
        Of a model card.
    class_name : str
    kind : str
        "missed": labelled and not called. "claimed": called and not labelled.

    Returns
    -------
    list of dict
        "Case", "Probability", "Labels" in PTB-XL or made of, and "ecg_id" or "composite" to open it by.
    """
    failures = metrics.get("failures", {})
    rows: list[dict[str, Any]] = [
        {
            "Case": f"PTB-XL record {row['ecg_id']}",
            "Probability": row["probability"],
            "Labels": ", ".join(row["labels"]) or "none of these",
            "ecg_id": row["ecg_id"],
        }
        for row in failures.get("records", {}).get(class_name, {}).get(kind, ())
    ]
    rows += [
        {
            "Case": f"composite · {row['title']}",
            "Probability": row["probability"],
            "Labels": "made of one superclass",
            "composite": row["composite"],
        }
        for row in failures.get("composites", ())
        if row["class"] == class_name and row["kind"] == kind
    ]
    return rows


def score_words(metrics: Mapping[str, Any]) -> str:
    """Say how the model scores, and its networks alone where it averages several; nothing where it was not measured."""
    found = metrics.get("discrimination", {})
    if found.get("macro_auroc") is None:
        return ""
    words = f"**Macro AUROC** {interval_words(found['macro_auroc'])}; 95 % interval over resampled patients."
    each = found.get("macro_auroc_of_networks", ())
    return words + (f" Its networks alone: {', '.join(map(interval_words, each))}." if len(each) > 1 else "")


def twin_words(metrics: Mapping[str, Any]) -> str:
    """Say how the model scores beside its black-box twin, or nothing where that was not measured."""
    twin = metrics.get("black_box_twin")
    if not twin:
        return ""
    value, low, high = twin["macro_auroc_gain"]
    return (
        f"The black-box twin (same encoder, pooled linear head, no map) scores {interval_words(twin['macro_auroc'])} "
        f"on the same records. Difference, model minus twin: {signed(value, 4)} "
        f"({signed(low, 4)} to {signed(high, 4)})."
    )


CLINICAL_MEASURES = ("sensitivity", "specificity", "precision")


def clinical_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row of text per class: records, AUROC with its interval, and in percent what its threshold does."""
    rows = []
    for name, row in metrics.get("discrimination", {}).get("classes", {}).items():
        values = row.get("operating_points", {}).get("youden", {})
        rows.append(
            {"Class": name, "Records": f"{row['n']:,}", "AUROC (95 % interval)": interval_words(row["auroc"])}
            | {
                f"{measure[0].upper()}{measure[1:]} at its threshold": percent(values[measure])
                for measure in CLINICAL_MEASURES
                if isinstance(values.get(measure), float)
            }
        )
    return rows


def discrimination_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row of text per class: records, AUROC with its interval, average precision, operating points."""
    rows = []
    for name, row in metrics.get("discrimination", {}).get("classes", {}).items():
        line = {
            "Class": name,
            "Records": f"{row['n']:,}",
            "AUROC (95 % interval)": interval_words(row["auroc"]),
            "Average precision": interval_words(row["average_precision"]),
        }
        for point, values in row.get("operating_points", {}).items():
            line[f"At {point_name(point)}"] = ", ".join(
                f"{MEASURES.get(key, key)} {value:.2f}" for key, value in values.items() if isinstance(value, float)
            )
        rows.append(line)
    return rows


AT_LOGIT = 0.5  # the size of a cell for which a bound is printed; it grows with the cell


def taken_out_words(metrics: Mapping[str, Any]) -> str:
    """Say how often the network re-run confirms what the map books, or nothing where that was not measured."""
    found = metrics.get("taken_out")
    if not found or found.get("covered") is None:
        return ""
    strong = found.get("confirmed_strong")
    words = (
        f"Every wave of {found['leads_per_record']} leads of {found['n']} records of fold {found['fold']} was taken "
        f"out and the network re-run: it confirms {_whole(found['confirmed'])} of the cells"
    )
    if strong is not None:
        words += f", {_whole(strong)} of those of at least {found['strong_from']:g} logit"
    held = f"{100 * found['covered']:.1f} %"
    return (
        f"{words}. In {_whole(found['covers'])} of cells what is measured lies within the bound printed as ±; "
        f"checked on {found['n_checked']} records of other patients, it held for {held} of their cells"
        + (f" and {100 * found['covered_strong']:.1f} % of the stronger ones." if found.get("covered_strong") else ".")
    )


def taken_out_rows(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row of text per class: per wave the share confirmed, and the bound of a cell of 0.5 logit."""
    found = metrics.get("taken_out", {})
    rows = []
    for name, row in found.get("classes", {}).items():
        line = {"Class": name}
        for wave, share in row["confirmed"].items():
            if share is not None:
                bound = row["bound"][wave]
                line[wave] = _whole(share) + ("" if bound is None else f" · ±{bound * (found['floor'] + AT_LOGIT):.2f}")
        rows.append(line)
    return rows


def _whole(share: float) -> str:
    return f"{100 * share:.0f} %"


def point_name(point: str) -> str:
    """Return an operating point by its name in the field."""
    return POINTS.get(point, point.replace("_", " "))


def interval_words(estimate: Any) -> str:
    """Return "0.931 (0.927 to 0.935)" of an estimate stored as [value, low, high] or as a number; a dash of none."""
    return with_interval(estimate if isinstance(estimate, list | tuple) else (estimate, None, None), digits=3)


def _first(estimate: Any) -> Any:
    return estimate[0] if isinstance(estimate, list | tuple) else estimate


def does_not_words(metrics: Mapping[str, Any]) -> str:
    """Return what the model does not do, in numbers; empty where it was not measured."""
    found = metrics.get("does_not")
    if not found:
        return ""
    raised, infarctions = found["raised_st"], found["infarctions"]
    first, last = raised["steps"][0], raised["steps"][-1]
    staged = infarctions["old"] + infarctions["recent"]
    return (
        f"**It does not look for ST elevation.** {last['st_mv']:g} mV of it in {' and '.join(raised['leads'])} of "
        f"{raised['n']} normal ECGs makes it call MI in {percent(last['called_mi'])} of them "
        f"({percent(first['called_mi'])} as they were); the median probability of MI goes from "
        f"{percent(first['median_probability'])} to {percent(last['median_probability'])}. Its labels are "
        f"mostly old infarctions: of {infarctions['n']} records labelled MI, {staged} give a stage, and "
        f"{infarctions['old']} of these are healing or old."
    )


def zone_rows(card: ModelCard, miss_rate: float, *, percents: bool = False) -> list[dict[str, str]]:
    """Return the decision zones of a miss rate, a row per age group; in percent as on the chips if asked for."""

    def edge(value: float) -> str:
        return percent(value) if percents else f"{value:.3f}"

    rows = []
    for zones in card.zones:
        if zones.miss_rate != miss_rate:
            continue
        low_age, high_age = zones.ages
        age = f"{low_age} to {high_age - 1}" if high_age < ANY_AGE[1] else f"{low_age} and over"
        row = {"Age": "not given" if zones.ages == ANY_AGE else age}
        for name, low, high in zip(card.classes, zones.below, zones.above, strict=True):
            row[name] = f"{f'< {edge(low)}' if low > 0 else '—'} / {f'> {edge(high)}' if high < 1 else '—'}"
        rows.append(row)
    return rows


def broken_rows(metrics: Mapping[str, Any], miss_rate: float) -> list[dict[str, str]]:
    """Return where the promise of the decision zones fails: groups whose miss rate lies above the stated one."""
    rows = []
    for row in metrics.get("zone_checks", ()):
        if row["miss_rate"] != miss_rate:
            continue
        for side, hits, of in ((RULE_OUT, "ruled_out", "with"), (RULE_IN, "ruled_in", "without")):
            if row[hits] <= miss_rate * row[of]:
                continue
            low, high = row[f"{hits}_interval"]
            rows.append({
                "Group": row["group"], "Class": row["class"],
                "Broken": f"{side}: {row[hits]} of {row[of]} {of} the label",
                "Rate": f"{percent(row[hits] / row[of])} ({percent(low)} to {percent(high)})",
                "Beyond chance": "yes" if side in row["broken"] else "no",
            })  # fmt: skip
    return sorted(rows, key=lambda row: row["Beyond chance"] == "no")


#: Of a group of people, each with its interval.
_MEASURES_OF_GROUP = {
    "sensitivity": "Sensitivity at its threshold",
    "specificity": "Specificity at its threshold",
    "observed_over_expected": "Observed / expected",
}


EVERY_CLASS = "all classes"


def subgroup_rows(metrics: Mapping[str, Any], class_name: str = EVERY_CLASS) -> list[dict[str, str]]:
    """Return one row of text per group of people: AUROC, its difference from all others, and calibration.

    Parameters
    ----------
    metrics : mapping
        Of a model card.
    class_name : str
        A class, or `EVERY_CLASS` for the macro AUROC alone.
    """
    rows = []
    every = class_name == EVERY_CLASS
    for row in metrics.get("subgroups", ()):
        figures = row if every else row.get("classes", {}).get(class_name, {})
        area = figures.get("macro_auroc" if every else "auroc")
        line = {"By": row["factor"], "Group": row["group"], "Records": f"{row['n']:,}"}
        if not every:
            line["With the label"] = str(figures.get("with", "too few"))
        line["AUROC (95 % interval)"] = "too few records" if area is None else interval_words(area)
        line["Difference from all others"] = "—" if area is None else _difference_words(figures["difference"])
        if not every:
            line |= {
                title: with_interval(figures[key], digits=2) if key in figures else "—"
                for key, title in _MEASURES_OF_GROUP.items()
            }
        rows.append(line)
    return rows


def subgroup_words(metrics: Mapping[str, Any]) -> str:
    """Say which groups of people differ from all others beyond chance, or nothing where that was not measured."""
    n_compared = 0
    beyond: dict[str, dict[str, list[str]]] = {"Lower": {}, "Higher": {}}
    for row in metrics.get("subgroups", ()):
        group = row["group"] if row["group"] != "not given" else f"{row['factor'].lower()} not given"
        for name, found in row.get("classes", {"": row}).items():
            _, low, high = found.get("difference", (None, None, None))
            if low is None:
                continue
            n_compared += 1
            if low > 0 or high < 0:
                beyond["Higher" if low > 0 else "Lower"].setdefault(group, []).append(name)
    if not n_compared:
        return ""

    def listed(groups: Mapping[str, Sequence[str]]) -> str:
        each = (f"{group} ({', '.join(names)})" if any(names) else group for group, names in groups.items())
        return ", ".join(each) or "none"

    return (
        f"Comparisons of a group with all other records: {n_compared}; one in 20 lies beyond chance even where nothing "
        f"differs. Lower AUROC beyond chance: {listed(beyond['Lower'])}. Higher: {listed(beyond['Higher'])}."
    )


def _difference_words(found: Sequence[float | None]) -> str:
    value, low, high = found
    if value is None:
        return "—"
    span = f" ({signed(low, 3)} to {signed(high, 3)})" if low is not None and high is not None else ""
    return f"{signed(value, 3)}{span}"


NOT_STATED = "Not stated."
MODEL_TYPES = {
    "ecg-imn": "Interpretable mesomorphic network: an encoder and a decoder write a linear model for each recording",
    "paper": "The published interpretable mesomorphic network, trained anew",
}


def model_sheet(card: ModelCard) -> list[dict[str, str]]:
    """Return a model card under the headings of the CHAI applied model card, with the items of TRIPOD+AI they answer.

    Headings are those of version 0.2 of the schema (Coalition for Health AI, https://mc.chai.org/v0.2/schema.xsd), in
    their order; items are those of TRIPOD+AI (Collins et al. 2024, doi:10.1136/bmj-2023-078378). What neither the card
    nor its figures tell is said to be not stated.
    """
    metrics, training = card.metrics, card.training
    groups = subgroup_words(metrics)
    sections: dict[str, tuple[tuple[str, str, str], ...]] = {
        "Basic information": (
            ("Model name", "1", f"{card.name}, SHA-256 {card.sha256[:16]}…"),
            ("Model developer", "", "ECG-IMN Reader, an open-source project."),
            ("Developer contact", "", "The project's issue tracker."),
        ),
        "Release information": (
            ("Release stage", "", "Research. In no clinical use known to its developers."),
            ("Release version", "22", f"Measured with version {metrics.get('version', __version__)} of the app."),
            ("Global availability", "18f", f"Code and weights are public. {card.licence}."),
            ("Regulatory approval", "", "None, and none sought: not a medical device."),
        ),
        "Model summary": (
            ("Summary", "2, 4", f"{card.task}: {', '.join(card.classes)}. {card.purpose}"),
            ("Keywords", "", "ECG, 12 leads, interpretable mesomorphic network, exact explanation."),
        ),
        "Uses and directions": (
            ("Intended use and workflow", "3a", card.intended_use),
            ("Primary intended users", "3b", "Cardiologists who review, teach or audit explanations; researchers."),
            ("How to use", "27a-b", "Read the ECG first, then the answer and the evidence painted on it; check each "
             "claim by taking it out. Recordings of poor quality are warned of or refused."),
            ("Targeted patient population", "3a, 6a", "Adults; resting 12-lead ECGs of 10 s."),
            ("Cautioned out-of-scope settings", "27a", "Children; ambulatory, exercise and single-lead recordings; "
             "rhythms and devices that the app names as out of scope; any decision about a patient's care."),
        ),
        "Warnings": (
            ("Known risks and limitations", "26", does_not_words(metrics).replace("**", "")
             or "It knows no symptoms, history or earlier ECG, and answers for the labels of PTB-XL alone."),
            ("Known biases or ethical considerations", "3c, 14, 26", "All recordings of PTB-XL are of 1989 to 1996, on "
             f"devices of Schiller AG; ethnicity is not recorded. {groups}"),
            ("Clinical risk level", "", "No care may depend on it, so none was assigned."),
        ),
        "Trust ingredients": (
            ("Outcomes and outputs", "8, 15", "By class a calibrated probability, and by sample of each lead the "
             "weight with which it moved the logit: weights times signal, and a bias, add up to the logit."),
            ("Model type", "12b-c, 22", f"{MODEL_TYPES[card.kind]}. Networks averaged: {card.members}."),
            ("Foundation models", "", "None."),
            ("Input data source", "5a, 9", f"{card.n_samples:,} samples at {card.fs:g} Hz of 12 leads."),
            ("Output and input data types", "7, 9, 15", f"Signals in, numbers out. {card.preprocessing}."),
            ("Development data characterization", "5-6, 10, 12a, 16", str(training.get("data", ""))),
            ("Bias mitigation approaches", "13, 14",
             "None in training. Figures are given by age, sex, device and signal quality."),
            ("Ongoing maintenance", "24", "None beyond new versions of the project."),
            ("Security", "", "Weights and card are checked by hash and known answer at every load."),
            ("Transparency", "12g, 18", "Every explanation is the computation itself. Trained by: "
             f"{training.get('command', NOT_STATED)}"),
            ("Funding source", "18a", ""),
            ("Third-party information", "5a, 18e", "PTB-XL 1.0.3 (Wagner et al. 2020, CC BY 4.0)."),
            ("Stakeholders consulted", "19", ""),
        ),
        "Key metrics": (
            ("Usefulness, usability, efficacy", "12e, 21, 23a", _efficacy_words(metrics)),
            ("Fairness, equity", "14, 23b", groups),
            ("Safety, reliability", "12e, 23a", _safety_words(card)),
        ),
        "Resources": (
            ("Evaluation references", "23", str(metrics.get("command", ""))),
            ("Clinical trial", "18d", "None."),
            ("Peer-reviewed publications", "3a", f"{card.reference} (preprints)."),
            ("Patient consent or disclosure", "17",
             "That of PTB-XL: an ethics committee approved the open publication of its anonymous recordings."),
        ),
    }  # fmt: skip
    return [
        {"Section": section, "Item": item, "TRIPOD+AI": numbers, "In this model": text.strip() or NOT_STATED}
        for section, rows in sections.items()
        for item, numbers, text in rows
    ]


def _efficacy_words(metrics: Mapping[str, Any]) -> str:
    words = [score_words(metrics).replace("**", ""), twin_words(metrics)]
    if any(words):
        fold = metrics["fold"]
        words.append(f"{metrics['n_labelled']:,} labelled records of fold {fold} of PTB-XL.")
        if fold == 9:
            words.append("Calibration and thresholds were chosen on them, so the figures are optimistic.")
    return " ".join(filter(None, words))


def _safety_words(card: ModelCard) -> str:
    words = [taken_out_words(card.metrics)]
    if card.zones and "zone_checks" in card.metrics:
        broken = sum(row["Beyond chance"] == "yes" for row in broken_rows(card.metrics, MISS_RATE))
        words.append(
            f"Decision zones promise at most {100 * MISS_RATE:g} % missed. Counted on people who did not make them, "
            + (f"the promise fails beyond chance {broken} times." if broken else "it fails nowhere beyond chance.")
        )
    return " ".join(filter(None, words))
