"""Everything that is measured of a model on one fold of PTB-XL, as plain values, and what an explanation costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn import __version__
from ecgimn.errors import ModelNotFoundError, SourceError
from ecgimn.evaluate.fidelity import N_TAKEN_OUT, fidelity, measure_taken_out
from ecgimn.evaluate.localisation import planted_evidence, territory_hits, wave_shares
from ecgimn.evaluate.metrics import (
    N_BINS,
    N_BOOTSTRAPS,
    auroc,
    bias_share,
    conformal_limits,
    discrimination,
    estimate,
    macro,
    mean,
    operating_point,
    patient_weights,
    plain,
    ratio_estimate,
    reliability,
    rounded,
    wilson,
)
from ecgimn.evaluate.stability import cells_needed, deletion, quick_ledgers, sanity
from ecgimn.explain.case import case_of, open_cases
from ecgimn.explain.difference import Change, difference
from ecgimn.explain.edits import intervention, masks_from_landmarks
from ecgimn.explain.explanation import explain, lead_evidence
from ecgimn.explain.ledger import N_CELLS, cell_partition, lead_wave_cells
from ecgimn.explain.methods import IG_STEPS, KERNEL_SHAP_SAMPLES, METHODS, Input
from ecgimn.explain.sentences import Concordance, case_concordance
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model import ANY_AGE, RULE_IN, RULE_OUT
from ecgimn.model.blackbox import load_twin
from ecgimn.model.card import CHILD_AGE, Zones
from ecgimn.model.model import Model, Network
from ecgimn.recording import Recording
from ecgimn.signal.preprocess import MODEL_SAMPLES, input_change
from ecgimn.signal.quality import assess_quality
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.composites.case import list_composites, load_composite
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import (
    DIAGNOSTIC,
    FORM,
    RHYTHM,
    STATEMENTS,
    SUBCLASS_OF,
    SUBCLASSES,
    SUPERCLASSES,
    TASKS,
    Dataset,
    load_dataset,
)

N_FIDELITY = 512  # records that are edited and re-run
LEAST_POSITIVES = 10  # of a statement, for its AUROC to count in a mean; and of either kind of pair
N_POINTS = 60  # of them in a scatter plot, per family and class
N_DELETION = 96
N_PAIRS = 500  # pairs of ECGs compared in full, two delineations each
PAIR_BATCH = 64
N_CONCORDANCE = 100  # records that are delineated, half a second each
N_NATIVE = 40  # records explained whole at their own rate for the completeness error
CURVE_POINTS = 100


def evaluate(
    model: Model,
    ptbxl: PtbXl,
    fold: int,
    *,
    limit: int | None = None,
    only_decisions: bool = False,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Measure a model on a fold.

    Parameters
    ----------
    model : Model
        Of the superclasses, the sub-classes or the statements.
    ptbxl : PtbXl
    fold : int
        1 to 10.
    limit : int, optional
        Only the first records of the fold, for a quick look.
    only_decisions : bool
        Measure nothing but decision zones, groups of people and what the model does not do, a few minutes instead of
        an hour.
    report : callable
        Called with the name of each part as it begins.

    Raises
    ------
    SourceError
        The model is the published one, or the folder holds no record of the fold at 100 Hz.
    """
    if model.card.kind != "ecg-imn":
        raise SourceError(
            f"The model {model.card.name!r} is the published ECG-IMN, which reads another input. "
            "Measure it beside the others with: python -m ecgimn compare-methods"
        )
    ids = ptbxl.ids([fold], fs=100)[:limit]
    if len(ids) == 0:
        raise SourceError(
            f"No record of fold {fold} at 100 Hz is in this PTB-XL folder. Folds with records are needed; "
            "choose another fold or complete the download."
        )
    task = next((task for task, names in TASKS.items() if names == model.classes), None)
    if task is None:
        raise SourceError(
            f"The classes of the model {model.card.name!r} are those of no task of PTB-XL. A model of the "
            "superclasses, the sub-classes or the statements is needed."
        )
    report("reading records")
    everything = load_dataset(ptbxl, ids)
    known = everything.known_labels(task)
    labelled = np.asarray((known if task == "statement" else everything.labels["superclass"]).any(axis=1))
    if not labelled.any():
        raise SourceError(
            f"None of the {len(everything)} records of fold {fold} that were read carries a diagnostic label. Records "
            "with labels are needed; read more of them, or choose another fold."
        )
    data = everything.select(labelled)
    report("predicting")
    of_networks = np.stack([network.logits(everything.x) for network in model.members()])
    logits = of_networks.mean(axis=0)
    if only_decisions:
        report("decision zones and groups of people")
        return decisions(model, ptbxl, everything, logits, task)
    result: dict[str, Any] = {
        "model": model.card.name,
        "sha256": model.card.sha256,
        "version": __version__,
        "fold": fold,
        "seen_in_training": fold <= 8,
        "n_records": len(everything),
        "n_labelled": len(data),
        "classes": list(model.classes),
        "bootstraps": N_BOOTSTRAPS,
        "discrimination": discrimination_of_model(model, data, of_networks[:, labelled], task),
        "discrimination_all_records": {
            "macro_auroc": plain(macro(everything.labels[task], logits, known=known)[0]),
            "auroc": [
                plain(auroc(everything.labels[task][known[:, k], k], logits[known[:, k], k])[0])
                for k in range(len(model.classes))
            ],
        },
        "calibration": calibration(everything.labels[task], expit(logits), model.classes, known),
    }
    report("decision zones and groups of people")
    result |= decisions(model, ptbxl, everything, logits, task)
    report("worst errors")
    result["failures"] = {
        "records": worst_errors(model, data, expit(logits[labelled]), task),
        "composites": composite_errors(model),
    }
    if task == "superclass" and (twin := beside_black_box(data, logits[labelled])):
        result["black_box_twin"] = twin
    report("completeness")
    result["completeness"] = completeness(model, ptbxl, ids)
    rng = np.random.default_rng(0)
    sample = data.select(np.sort(rng.permutation(len(data))[:N_FIDELITY]))
    report("bias")
    result["bias"] = bias_alone(model, sample, task)
    report("fidelity under edits")
    points = N_POINTS if task == "superclass" else 0
    result["fidelity"] = {"n": len(sample), "families": fidelity(model, sample, points=points)}
    report("booked against measured, fold 9")
    if taken := measure_taken_out(model, ptbxl, min(limit or N_TAKEN_OUT, N_TAKEN_OUT)):
        result["taken_out"] = taken
    report("ledgers")
    if task == "superclass":
        ledgers = quick_ledgers(model, data)
        threshold = model.card.thresholds.get("youden", (0.5,) * len(model.classes))[model.classes.index("MI")]
        result["localisation"] = {
            "territory": territory_hits(model, data, ledgers, threshold=threshold),
            "wave_shares": wave_shares(data, ledgers),
            "planted": planted_evidence(model, data),
            "cells_for_90_percent": {"of": N_CELLS, "median": rounded(np.median(cells_needed(ledgers), axis=0), 5)},
        }
        report("concordance with measured ST and T")
        chosen = np.flatnonzero(
            data.labels["superclass"][:, [SUPERCLASSES.index("MI"), SUPERCLASSES.index("STTC")]].any(1)
        )
        chosen = np.sort(rng.permutation(chosen)[:N_CONCORDANCE])
        result["concordance"] = concordance(model, ptbxl, data.ids[chosen], data.labels["superclass"][chosen])
        report("sanity")
        result["sanity"] = sanity(model, sample, quick_ledgers(model, sample))
        report("deletion")
        few = sample.select(np.arange(min(N_DELETION, len(sample))))
        result["deletion"] = deletion(model, few, quick_ledgers(model, few))
    report("cost")
    result["cost"] = cost(model)
    return result


def discrimination_of_model(model: Model, data: Dataset, of_networks: NDArray[np.float64], task: str) -> dict[str, Any]:
    """AUROC with patient-bootstrap intervals, average precision, operating points, curves, and MI against NORM.

    Logits are those of each network, (members, n, K); their mean is the model's.
    """
    logits = of_networks.mean(axis=0)
    targets, probabilities, known = data.labels[task], expit(logits), data.known_labels(task)
    least = LEAST_POSITIVES if task == "statement" else 1
    found = discrimination(targets, logits, data.patients, model.classes, known=known, least=least)
    for k, name in enumerate(model.classes):
        here = known[:, k]
        found["classes"][name] |= {
            "operating_points": {
                point: operating_point(targets[here, k], probabilities[here, k], values[k])
                for point, values in model.card.thresholds.items()
            },
            "curves": curves(targets[here, k], probabilities[here, k]),
        }
    of_each = rounded(np.array([macro(targets, each, known=known, least=least)[0] for each in of_networks]), 5)
    result: dict[str, Any] = {
        "macro_auroc": found["macro_auroc"],
        "macro_auroc_of_networks": of_each,
        "classes": found["classes"],
    }
    if task == "superclass":
        result["mi_against_norm"] = mi_against_norm(data, logits)
    if task == "statement":
        result["groups"] = statement_groups(data, logits)
    return result


def statement_groups(data: Dataset, logits: NDArray[np.float64]) -> dict[str, Any]:
    """Macro AUROC over the statements of each kind, and over the sub-classes, as the published benchmark takes them.

    Of each kind, records that carry at least one of its statements count (Strodthoff et al.,
    doi:10.1109/JBHI.2020.3022989), and statements with at least `LEAST_POSITIVES` of them. The logit of a sub-class is
    the largest of those of its statements.
    """
    targets, known = data.labels["statement"], data.known_labels("statement")
    kinds = {
        "diagnostic": DIAGNOSTIC,
        "form": (*DIAGNOSTIC[:4], *FORM),  # the first four statements are both
        "rhythm": RHYTHM,
    }
    result = {}
    for kind, names in kinds.items():
        columns = [STATEMENTS.index(name) for name in names]
        rows = ((targets[:, columns] == 1) & known[:, columns]).any(axis=1)
        result[kind] = _macro_of(targets[rows][:, columns], logits[rows][:, columns], data.patients[rows],
                                 known[rows][:, columns])  # fmt: skip
    of_subclass = [
        logits[:, [STATEMENTS.index(name) for name, subclass in SUBCLASS_OF.items() if subclass == each]].max(axis=1)
        for each in SUBCLASSES
    ]
    rows = data.labels["subclass"].any(axis=1)
    result["subclass"] = _macro_of(data.labels["subclass"][rows], np.stack(of_subclass, axis=1)[rows],
                                   data.patients[rows], data.known_labels("subclass")[rows])  # fmt: skip
    return result


def _macro_of(
    targets: NDArray[np.integer], logits: NDArray[np.float64], patients: NDArray[np.int64], known: NDArray[np.bool_]
) -> dict[str, Any]:
    area = estimate(lambda w: macro(targets, logits, w, known=known, least=LEAST_POSITIVES), patient_weights(patients))
    counted = ((targets == 1) & known).sum(axis=0) >= LEAST_POSITIVES
    return {"n": len(targets), "classes": int(counted.sum()), "macro_auroc": area.as_list()}


def bias_alone(model: Model, data: Dataset, task: str) -> dict[str, Any]:
    """What the bias of each record carries by itself: its share of the logits' variance, and how it ranks records."""
    written = [model.write_linear_model(x) for x in data.x]
    bias, logit = (np.stack([getattr(each, part) for each in written]) for part in ("bias", "logit"))
    return {
        "n": len(data),
        "value": rounded(bias.mean(axis=0), 5),
        "variance_share": rounded(bias_share(bias, logit)[0], 5),
        "auroc_of_bias_alone": plain(macro(data.labels[task], bias)[0]),
    }


def mi_against_norm(data: Dataset, logits: NDArray[np.float64]) -> dict[str, Any]:
    """The published task, records with exactly one of MI and NORM: by the MI logit, by the contrast of the two."""
    norm, mi = SUPERCLASSES.index("NORM"), SUPERCLASSES.index("MI")
    labels = data.labels["superclass"]
    chosen = labels[:, norm] != labels[:, mi]
    weights = patient_weights(data.patients[chosen])
    target = labels[chosen, mi]
    scores = {"mi": logits[chosen, mi], "contrast": logits[chosen, mi] - logits[chosen, norm]}
    result: dict[str, Any] = {"n": int(chosen.sum()), "n_mi": int(target.sum())}
    for name, score in scores.items():

        def figure(w: NDArray[np.float64], score: Any = score) -> NDArray[np.float64]:
            return auroc(target, score, w)

        result[f"auroc_{name}"] = estimate(figure, weights).as_list()
    return result


def curves(target: NDArray[np.integer], probability: NDArray[np.float64]) -> dict[str, list[float | None]]:
    """Thinned ROC and precision-recall curves."""
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(target[order])
    kept = np.unique(np.linspace(0, len(order) - 1, CURVE_POINTS).astype(int))
    n_positive, n_negative = max(1, int(target.sum())), max(1, int((1 - target).sum()))
    return {
        "false_positive_rate": rounded((np.arange(1, len(order) + 1) - hits)[kept] / n_negative, 5),
        "sensitivity": rounded(hits[kept] / n_positive, 5),
        "precision": rounded(hits[kept] / (kept + 1), 5),
    }


def calibration(
    targets: NDArray[np.integer],
    probabilities: NDArray[np.float64],
    classes: tuple[str, ...],
    known: NDArray[np.bool_],
) -> dict[str, Any]:
    """Brier score, expected calibration error and reliability curve per class, over the records that are known."""
    result = {}
    for k, name in enumerate(classes):
        curve = reliability(targets[known[:, k], k], probabilities[known[:, k], k])
        result[name] = {
            "bins": N_BINS,
            "ece": plain(curve.ece),
            "brier": plain(curve.brier),
            "predicted": rounded(curve.predicted, 5),
            "observed": rounded(curve.observed, 5),
        }
    return result


MISS_RATES = (0.01, 0.02, 0.05, 0.1)
AGES = ((18, 50), (50, 70), (70, 200))  # years; children are no part of it
LEAST_CHECKED = 10  # people in a group, for its rate to be printed
OUTSIDE = {
    "atrial fibrillation or flutter": ("AFIB", "AFLT"),
    "paced": ("PACE",),
    "bigeminy or trigeminy": ("BIGU", "TRIGU"),
}
RAISED_ST_MV, RAISED_ST_LEADS, N_RAISED = (0.1, 0.2, 0.3, 0.5), ("V3", "V4"), 300
ACUTE_STAGES, OLD_STAGES = ("Stadium I", "Stadium I-II", "Stadium II"), ("Stadium II-III", "Stadium III")


def decisions(model: Model, ptbxl: PtbXl, data: Dataset, logits: NDArray[np.float64], task: str) -> dict[str, Any]:
    """Return the decision zones, how they hold, whom the model serves how well, and what it does not do."""
    zones, checks = decision_zones(ptbxl, data, expit(logits), task)
    result: dict[str, Any] = {
        "zones": [
            {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(each).items()}
            for each in zones
        ],
        "zone_checks": checks,
        "subgroups": subgroups(ptbxl, data, logits, task, model.card.thresholds.get("youden")),
    }
    if "MI" in model.classes and task == "superclass":
        result["does_not"] = does_not(model, ptbxl, data)
    return result


NOT_GIVEN = "not given"
#: Where PTB-XL's annotators noted what disturbs a signal (Wagner et al., doi:10.1038/s41597-020-0495-6).
NOISE_COLUMNS = {
    "drift noted": ("baseline_drift",),
    "noise noted": ("static_noise", "burst_noise", "electrodes_problems"),
}


def people(ptbxl: PtbXl, ids: NDArray[np.int64]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Return groups of records by age, sex, device and signal quality: which of the records each holds, (n,).

    What the table does not tell is a group of its own. Devices go by their family, the first word of their name. A
    record with drift and noise is in both groups; noise is static, in bursts or of an electrode.
    """
    table = ptbxl.table.loc[ids]
    age, sex = table["age"].to_numpy(dtype=float), table["sex"].to_numpy(dtype=float)
    ages = {f"under {CHILD_AGE} years": age < CHILD_AGE} | {
        f"{low} to {high - 1} years" if high < 200 else f"{low} years and over": (age >= low) & (age < high)
        for low, high in AGES
    }
    held = table.reindex(columns=["device", *sum(NOISE_COLUMNS.values(), ())])
    noted = held.notna() & (held.astype(str).apply(lambda column: column.str.strip()) != "")
    family = held["device"].astype(str).str.split().str[0].where(noted["device"], NOT_GIVEN)
    quality = {name: noted[list(columns)].to_numpy().any(axis=1) for name, columns in NOISE_COLUMNS.items()}
    told = all(name in table.columns for columns in NOISE_COLUMNS.values() for name in columns)
    clean = ~np.any(list(quality.values()), axis=0)
    return {
        "Age": ages | {NOT_GIVEN: np.isnan(age)},
        "Sex": {"men": sex == 0, "women": sex == 1, NOT_GIVEN: ~np.isin(sex, (0, 1))},
        "Device": {str(name): (family == name).to_numpy() for name in sorted(set(family) - {NOT_GIVEN})}
        | {NOT_GIVEN: (family == NOT_GIVEN).to_numpy()},
        "Signal quality": {"nothing noted" if told else NOT_GIVEN: clean} | quality,
    }


def subgroups(
    ptbxl: PtbXl,
    data: Dataset,
    logits: NDArray[np.float64],
    task: str,
    thresholds: Sequence[float] | None,
) -> list[dict[str, Any]]:
    """Measure the model on groups of people, as TRIPOD+AI and the CHAI model card ask.

    Parameters
    ----------
    ptbxl : PtbXl
    data : Dataset
        Records without a diagnostic label are left out.
    logits : ndarray of shape (n, K)
    task : str
    thresholds : sequence of float, optional
        On the probability, by class; none where the card has none.

    Returns
    -------
    list of dict
        By factor and group: `n` records, `macro_auroc`, and `difference` of it from that of all other records. Of the
        superclasses also `classes`: by class `with` the label, `auroc`, `difference`, `sensitivity`, `specificity` and
        `observed_over_expected`, the share with the label over the mean probability. Each figure is
        [value, low, high], 95 % over resampled patients; classes with fewer than `LEAST_CHECKED` records of either kind
        in the group are left out, also from the macro AUROC, which is compared over the same classes.
    """
    labelled = data.labels["superclass"].any(axis=1)
    target, known, logits = data.labels[task][labelled], data.known_labels(task)[labelled], logits[labelled]
    probability, weights = expit(logits), patient_weights(data.patients[labelled])

    def area(rows: NDArray[np.bool_], ks: Sequence[int], w: NDArray[np.float64]) -> NDArray[np.float64]:
        return macro(target[rows][:, ks], logits[rows][:, ks], w[:, rows], known=known[rows][:, ks])

    def areas(rows: NDArray[np.bool_], ks: Sequence[int], name: str) -> dict[str, Any]:
        return {
            name: estimate(lambda w: area(rows, ks, w), weights).as_list(),
            "difference": estimate(lambda w: area(rows, ks, w) - area(~rows, ks, w), weights).as_list(),
        }

    result = []
    for factor, groups in people(ptbxl, data.ids[labelled]).items():
        for group, rows in groups.items():
            if not rows.any():
                continue
            n_without, n_with = (((target == value) & known)[rows].sum(axis=0) for value in (0, 1))
            kept = np.flatnonzero(np.minimum(n_without, n_with) >= LEAST_CHECKED).tolist()
            line: dict[str, Any] = {"factor": factor, "group": group, "n": int(rows.sum()), "n_classes": len(kept)}
            line |= areas(rows, kept, "macro_auroc") if kept else {}
            if task == "superclass":
                line["classes"] = {}
                for k in kept:
                    y, p, w = target[rows, k].astype(float), probability[rows, k], weights[:, rows]
                    row = {"with": int(n_with[k])} | areas(rows, [k], "auroc")
                    if thresholds is not None:
                        called = p >= thresholds[k]
                        row["sensitivity"] = ratio_estimate(y * called, y, w).as_list()
                        row["specificity"] = ratio_estimate((1 - y) * ~called, 1 - y, w).as_list()
                    row["observed_over_expected"] = ratio_estimate(y, p, w).as_list()
                    line["classes"][SUPERCLASSES[k]] = row
            result.append(line)
    return result


def decision_zones(
    ptbxl: PtbXl, data: Dataset, probability: NDArray[np.float64], task: str
) -> tuple[list[Zones], list[dict[str, Any]]]:
    """Make decision zones on one half of the patients, and count on the other how often their promise is broken.

    Returns
    -------
    zones : list of Zones
        By miss rate and age group, the last of each rate for any age.
    checks : list of dict
        By miss rate, group and class: `with` the label and how many of them were ruled out, `without` and how many
        were ruled in, the interval of both, and the share left uncertain. Groups are ages, sexes and what is outside
        the scope; `broken` where the whole interval lies above the rate.
    """
    age = ptbxl.table.loc[data.ids, "age"].to_numpy(dtype=float)
    target, known = data.labels[task], data.known_labels(task)
    labelled = data.labels["superclass"].any(axis=1) & ~(age < CHILD_AGE)
    patients = np.unique(data.patients)
    first = np.random.default_rng(0).permutation(patients)[: len(patients) // 2]
    made = np.isin(data.patients, first)
    groups = [*AGES, ANY_AGE]
    zones = []
    for rate in MISS_RATES:
        for ages in groups:
            rows = made & labelled & ((age >= ages[0]) & (age < ages[1]) | (ages == ANY_AGE))
            limits = [
                conformal_limits(target[rows & known[:, k], k], probability[rows & known[:, k], k], rate)
                for k in range(target.shape[1])
            ]
            zones.append(Zones(rate, ages, *(tuple(round(limit[side], 6) for limit in limits) for side in (0, 1))))
    statements, told = data.labels["statement"], data.known_labels("statement")
    known_groups = people(ptbxl, data.ids)
    checked: dict[str, NDArray[np.bool_]] = {"everyone": labelled} | {
        name: labelled & rows
        for factor in ("Age", "Sex")
        for name, rows in known_groups[factor].items()
        if name != NOT_GIVEN
    }
    for name, codes in OUTSIDE.items():
        columns = [STATEMENTS.index(code) for code in codes]
        checked[name] = labelled & ((statements[:, columns] == 1) & told[:, columns]).any(axis=1)
    checks = []
    for rate in MISS_RATES:
        by_age = [each for each in zones if each.miss_rate == rate]
        own = np.array([next((k for k, (a, b) in enumerate(AGES) if a <= years < b), len(AGES)) for years in age])
        below, above = (np.array([getattr(each, side) for each in by_age])[own] for side in ("below", "above"))
        out, within = probability < below, probability > above
        for name, rows in checked.items():
            for k, label in enumerate(TASKS[task]):
                here = rows & ~made & known[:, k]
                positive = here & (target[:, k] == 1)
                n, n_without = int(positive.sum()), int((here & ~positive).sum())
                if min(n, n_without) < LEAST_CHECKED:
                    continue
                missed = int((out & ~within)[positive, k].sum())
                called = int((within & ~out)[here & ~positive, k].sum())
                spans = [wilson(missed, n), wilson(called, n_without)]
                checks.append({
                    "miss_rate": rate, "group": name, "class": label,
                    "with": n, "ruled_out": missed, "ruled_out_interval": rounded(np.array(spans[0])),
                    "without": n_without, "ruled_in": called, "ruled_in_interval": rounded(np.array(spans[1])),
                    "uncertain": plain((out == within)[here, k].mean(), 4),
                    "broken": [side for side, (low, _) in zip((RULE_OUT, RULE_IN), spans, strict=True) if low > rate],
                })  # fmt: skip
    return zones, checks


def does_not(model: Model, ptbxl: PtbXl, data: Dataset) -> dict[str, Any]:
    """Raise ST in two chest leads of normal ECGs and see whether MI is called; count old and recent infarctions."""
    k = model.classes.index("MI")
    threshold = model.card.thresholds.get("youden", (0.5,) * len(model.classes))[k]
    part = data.select(np.flatnonzero(data.norm_alone)[:N_RAISED])
    leads = np.isin(STANDARD_LEADS, RAISED_ST_LEADS)
    raised = []
    for amount in (0.0, *RAISED_ST_MV):
        x = part.x.astype(np.float64)
        for i in range(len(part)):
            masks = masks_from_landmarks(part.landmarks[i], x.shape[-1])
            x[i] += input_change(intervention("st_shift", x[i], masks, leads=leads, amount=amount))
        probability = expit(model.logits(x)[:, k])
        median = float(np.median(probability)) if len(part) else np.nan
        called = plain(mean(probability >= threshold), 4)
        raised.append({"st_mv": amount, "called_mi": called, "median_probability": plain(median, 4)})
    table = ptbxl.table.reindex(columns=["infarction_stadium1"]).loc[data.ids]  # not every copy has this column
    stage = table.loc[(data.labels["superclass"][:, SUPERCLASSES.index("MI")] == 1), "infarction_stadium1"].astype(str)
    return {
        "raised_st": {"n": len(part), "leads": list(RAISED_ST_LEADS), "threshold": plain(threshold), "steps": raised},
        "infarctions": {
            "n": len(stage),
            "old": int(stage.isin(OLD_STAGES).sum()),
            "recent": int(stage.isin(ACUTE_STAGES).sum()),
        },
    }


def completeness(model: Model, ptbxl: PtbXl, ids: NDArray[np.int64]) -> dict[str, Any]:
    """Largest |sum + bias - logit| over recordings explained at their own rate, and how 100 and 500 Hz agree."""
    result: dict[str, Any] = {}
    both = [int(i) for i in ids if len(ptbxl.rates(int(i))) == 2][:N_NATIVE]
    logits: dict[int, list[NDArray[np.float64]]] = {}
    for fs in (100, 500):
        there = [*both, *(int(i) for i in ids if ptbxl.rates(int(i)) == (fs,))][:N_NATIVE]
        if there:
            explained = [explain(ptbxl.recording(i, fs), model) for i in there]
            largest = max(one.completeness_error for one in explained)
            result[f"{fs}_hz"] = {"n": len(there), "largest_error": float(f"{largest:.3g}")}
            logits[fs] = [one.logit for one in explained[: len(both)]]
    if both:
        gaps = [np.abs(fast - slow).max() for fast, slow in zip(logits[500], logits[100], strict=True)]
        result["500_against_100_hz"] = {"n": len(both), "median": plain(np.median(gaps)), "largest": plain(max(gaps))}
    return result


def earlier_ecg(
    model: Model, ptbxl: PtbXl, *, limit: int | None = None, report: Callable[[str], object] = lambda part: None
) -> dict[str, Any]:
    """Ask over all pairs of ECGs of one patient whether the score changes more where the label changed.

    Each record of folds 1 to 9 is paired with the one before it of the same patient, both at 100 Hz and passed by the
    quality check. Fold 9, on which nothing was trained, is also reported alone: all records of a patient are in one
    fold. Five hundred pairs are compared in full: the largest residual of the parts, and, over the half of them with
    two normal ECGs, the 95th percentile of the changes: the day-to-day variability of this program's own measurements.

    Parameters
    ----------
    model : Model
    ptbxl : PtbXl
    limit : int, optional
        Only the first so many pairs, for a quick look.
    report : callable
        Called with what is done now.
    """
    here = set(ptbxl.ids(range(1, 10), fs=100).tolist())
    pairs = [pair for pair in ptbxl.pairs(range(1, 10)) if here.issuperset(pair)][:limit]
    ids = sorted({ecg_id for pair in pairs for ecg_id in pair})
    logits: dict[int, NDArray[np.float64]] = {}
    for start in range(0, len(ids), PAIR_BATCH):
        report(f"explaining record {start} of {len(ids)}")
        usable = [(ecg_id, ptbxl.recording(ecg_id, 100)) for ecg_id in ids[start : start + PAIR_BATCH]]
        usable = [(ecg_id, recording) for ecg_id, recording in usable if assess_quality(recording).usable]
        if usable:
            said = lead_evidence([recording for _, recording in usable], model)
            logits |= {ecg_id: row for (ecg_id, _), row in zip(usable, said.logit, strict=True)}
    pairs = [pair for pair in pairs if logits.keys() >= set(pair)]
    if not pairs:
        raise SourceError("No patient has two ECGs here at 100 Hz. Pairs of one patient are needed. Add their files.")
    first, second = ([pair[k] for pair in pairs] for k in (0, 1))
    change = np.array([logits[two] - logits[one] for one, two in pairs])
    probability = np.array([expit(logits[two]) - expit(logits[one]) for one, two in pairs])
    before, after = ptbxl.labels(first).astype(int), ptbxl.labels(second).astype(int)
    patients = ptbxl.table.loc[second, "patient_id"].to_numpy(dtype=np.int64)
    ninth = ptbxl.folds[second].to_numpy() == 9
    rows = []
    for column, name in enumerate(SUPERCLASSES):
        k = model.classes.index(name)
        changed = (before[:, column] != after[:, column]).astype(int)
        row: dict[str, Any] = {"class": name, "n_changed": int(changed.sum())}
        for fold, chosen in (("folds_1_to_9", np.ones(len(pairs), dtype=bool)), ("fold_9", ninth)):
            weights = patient_weights(patients[chosen])
            sizes = {"logit": np.abs(change[chosen, k]), "probability": np.abs(probability[chosen, k])}
            row[fold] = {
                "n": int(chosen.sum()),
                "n_changed": int(changed[chosen].sum()),
                **{kind: _separation(changed[chosen], size, weights) for kind, size in sizes.items()},
            }
        appeared = after[:, column] > before[:, column]
        vanished = after[:, column] < before[:, column]
        right = np.where(appeared, change[:, k] > 0, change[:, k] < 0)[appeared | vanished]
        row["right_way"] = plain(mean(right.astype(float)))
        rows.append(row)
    return {
        "n_pairs": len(pairs),
        "n_patients": len(np.unique(patients)),
        "n_any_label_changed": int((before != after).any(axis=1).sum()),
        "bootstraps": N_BOOTSTRAPS,
        "classes": rows,
        "exactness": _compare_pairs(model, ptbxl, pairs, before, after, report),
    }


def _separation(changed: NDArray[np.integer], size: NDArray[np.float64], weights: NDArray[np.float64]) -> Any:
    """AUROC of a size of change for a changed label, with its interval; nothing for too few pairs of either kind."""
    if not LEAST_POSITIVES <= changed.sum() <= len(changed) - LEAST_POSITIVES:
        return [None] * 3
    return estimate(lambda w: auroc(changed, size, w), weights).as_list()


def _compare_pairs(
    model: Model,
    ptbxl: PtbXl,
    pairs: list[tuple[int, int]],
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    report: Callable[[str], object],
) -> dict[str, Any]:
    """Compare pairs in full, half of them of two normal ECGs: residuals of the parts, and changes from day to day."""
    normal_only = [1] + [0] * (len(SUPERCLASSES) - 1)
    normal = ((before == normal_only) & (after == normal_only)).all(axis=1)
    residuals: list[float] = []
    swaps: list[float] = []
    changes: list[Change] = []
    n_normal = 0
    for group in (np.flatnonzero(normal), np.flatnonzero(~normal)):
        step = max(1, 2 * len(group) // N_PAIRS)
        n = 0
        for k in np.concatenate([group[start::step] for start in range(step)]):  # over all folds first, then the rest
            if n == N_PAIRS // 2:
                break
            readings = [read_signal(ptbxl.recording(ecg_id, 100), quick=True) for ecg_id in pairs[k]]
            if not all(reading.quality.usable for reading in readings):
                continue
            n += 1
            report(f"comparing pair {len(residuals) + 1} of {N_PAIRS}")
            earlier, later = open_cases(readings, model)
            found, back = difference(earlier, later), difference(later, earlier)
            residuals.append(found.residual)
            swaps.append(max(np.abs(found.voltage + back.voltage).max(), np.abs(found.weights + back.weights).max()))
            if normal[k]:
                n_normal += 1
                changes += found.changes
    limits = {}
    for kind in dict.fromkeys(row.kind for row in changes):
        sizes = [abs(row.change) for row in changes if row.kind == kind and row.change is not None]
        shares = [row.share for row in changes if row.kind == kind and row.share is not None]
        limits[kind] = {
            "unit": next(row.unit for row in changes if row.kind == kind),
            "n": len(sizes),
            "percentile_95": plain(np.percentile(sizes, 95)) if sizes else None,
            "share_95": plain(np.percentile(shares, 95)) if shares else None,
        }
    return {
        "n": len(residuals),
        "n_normal": n_normal,
        "largest_residual": float(f"{max(residuals):.3g}") if residuals else None,
        "largest_sum_of_swapped": float(f"{max(swaps):.3g}") if swaps else None,
        "day_to_day": limits,
    }


def cost(model: Model, repeats: int = 7) -> dict[str, float]:
    """Median milliseconds per record on one core for the maps of all classes, one record at a time, and parameters."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    x = np.zeros((12, MODEL_SAMPLES))
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        model.write_linear_model(x)
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return {
        "ms_per_explanation": round(1e3 * float(np.median(times)), 2),
        "members": len(model.networks),
        "parameters": sum(p.numel() for p in model.networks[0].parameters()),
    }


CLASSES = ("MI", "STTC")


def concordance(model: Model, ptbxl: PtbXl, ids: NDArray[np.int64], labels: NDArray[np.uint8]) -> dict[str, Any]:
    """Measure concordance and wave shares over records that carry MI or STTC.

    Parameters
    ----------
    model : Model
        Of the superclasses.
    ids : ndarray of shape (n,)
    labels : ndarray of shape (n, 5)
        Superclasses of the records.
    """
    rows: dict[str, list[Concordance]] = {name: [] for name in CLASSES}
    shares: dict[str, list[NDArray[np.float64]]] = {name: [] for name in CLASSES}
    for ecg_id, label in zip(ids, labels, strict=True):
        recording = ptbxl.recording(int(ecg_id), 100)
        reading = read_signal(recording)
        if reading.waves is None:
            continue
        case = case_of(reading, explain(recording, model), model.card)
        for name in CLASSES:
            if not label[model.classes.index(name)]:
                continue
            evidence = case.of(name)
            size = np.abs(evidence.cells).sum(axis=0)
            shares[name].append(size / size.sum())
            found = case_concordance(evidence)
            if found is not None:
                rows[name].append(found)
    return {name: _summary(rows[name], shares[name]) for name in CLASSES}


def _summary(rows: list[Concordance], shares: list[NDArray[np.float64]]) -> dict[str, Any]:
    summary: dict[str, Any] = {"n": len(rows), "n_waves": len(shares)}
    for key in ("share", "expected", "auroc"):
        summary[key] = plain(mean(np.array([getattr(row, key) for row in rows])), 4)
    if shares:
        summary["wave_shares"] = dict(zip(WAVE_NAMES, rounded(np.mean(shares, axis=0)), strict=True))
    return summary


N_WORST = 5  # of each kind and class


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
    targets, known = data.labels[task].astype(bool), data.known_labels(task)
    thresholds = model.card.thresholds.get("youden", (0.5,) * len(model.classes))
    result = {}
    for k, name in enumerate(model.classes):
        called = probabilities[:, k] >= thresholds[k]
        missed = np.flatnonzero(targets[:, k] & ~called & known[:, k])
        claimed = np.flatnonzero(~targets[:, k] & called & known[:, k])
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
        twin = load_twin()
    except ModelNotFoundError:
        return None
    if twin.classes != SUPERCLASSES:
        return None
    theirs, targets = twin.logits(data.x), data.labels["superclass"]
    weights = patient_weights(data.patients)
    return {
        "macro_auroc": estimate(lambda w: macro(targets, theirs, w), weights).as_list(),
        "auroc": {name: plain(auroc(targets[:, k], theirs[:, k])[0]) for k, name in enumerate(SUPERCLASSES)},
        "macro_auroc_gain": estimate(
            lambda w: macro(targets, logits, w) - macro(targets, theirs, w), weights
        ).as_list(),
        "parameters": sum(p.numel() for p in twin.network.parameters()),
    }


MATRIX_SIZE = 1024
MATRIX_REPEATS = 12
REPEATS = 9
POST_HOC = ("integrated gradients", "KernelSHAP")


def bench(model: Model, recording: Recording) -> dict[str, Any]:
    """Time the maps of all classes of one recording, on one thread.

    Returns
    -------
    dict
        Seconds of processor time: `maps_s`, the network's maps as it is used in the app, and one entry per post-hoc
        method; `times_slower`, their ratios; `gflop_per_record`, the multiplications and additions of the network's
        convolutions and products; `reached_gflops` and `peak_gflops`, the rate of the maps and that of a large float32
        matrix product; `share_of_peak`, their ratio.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x = model.preprocessing(recording.fs, recording.n_samples).forward(recording.signal)
        landmarks = quick_landmarks(x)
        wave = cell_partition(masks_from_landmarks(landmarks, x.shape[1]), x.shape[1])
        record = Input(x, landmarks.level, lead_wave_cells(wave))
        maps_s = processor_seconds(lambda: model.weight_maps(x[None]), REPEATS)
        slow = {name: processor_seconds(partial(METHODS[name].attribute, model, record), 1) for name in POST_HOC}
        peak = peak_gflops()
    finally:
        torch.set_num_threads(threads)
    work = sum(count_flop(network, x) for network in model.networks) / 1e9
    return {
        "model": model.card.name,
        "sha256": model.card.sha256,
        "networks": len(model.networks),
        "classes": len(model.classes),
        "integrated_gradients_steps": IG_STEPS,
        "kernel_shap_samples": KERNEL_SHAP_SAMPLES,
        "maps_s": round(maps_s, 5),
        "post_hoc_s": {name: round(seconds, 3) for name, seconds in slow.items()},
        "times_slower": {name: round(seconds / maps_s, 1) for name, seconds in slow.items()},
        "gflop_per_record": round(work, 4),
        "reached_gflops": round(work / maps_s, 2),
        "peak_gflops": round(peak, 2),
        "share_of_peak": round(work / maps_s / peak, 4),
    }


def processor_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the smallest processor time of some calls, after one to warm up unless it is called once only."""
    if repeats > 1:
        call()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times)


def peak_gflops() -> float:
    """Return the best measured rate of a large float32 matrix product, in 1e9 operations per second."""
    a, b = torch.rand(MATRIX_SIZE, MATRIX_SIZE), torch.rand(MATRIX_SIZE, MATRIX_SIZE)
    return 2.0 * MATRIX_SIZE**3 / 1e9 / processor_seconds(lambda: torch.mm(a, b), MATRIX_REPEATS)


def count_flop(network: Network, x: NDArray[np.floating]) -> int:
    """Return the operations of a network's convolutions and linear layers on one input, a multiply-add counted as 2."""
    total = 0

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal total
        weight = module.weight
        if isinstance(weight, torch.Tensor):
            positions = out.numel() // weight.shape[0]
            total += 2 * weight.numel() * positions

    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Linear)
    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, kinds)]
    try:
        with torch.inference_mode():
            network.linear(torch.tensor(x[None], dtype=torch.float32, device=next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return total
