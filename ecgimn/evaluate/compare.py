"""Every explanation method on the same records: what it predicts of an edit against what the network does; who wins.

Who wins is decided figure by figure, by whether intervals overlap, as data. Rivals of the shipped model's map are the
post-hoc methods, on whatever network, and the published maps. Controls are none: some of them win by knowing nothing (a
picture of |x| never changes under noise).
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecgimn import __version__
from ecgimn.evaluate.fidelity import KEPT_OUT, TRIALS
from ecgimn.evaluate.localisation import (
    ST_ELEVATION,
    Plant,
    find_plants,
    find_st_elevation,
    planted_in_composites,
    planted_in_records,
    territory,
)
from ecgimn.evaluate.metrics import bias_share, estimate, macro, patient_weights
from ecgimn.evaluate.stability import (
    FILLS,
    TOP,
    cells_needed,
    degradation,
    deletion_curves,
    fills_of,
    mean_over,
    stability,
)
from ecgimn.evaluate.subjects import (
    KERNEL_SAMPLES,
    OWN,
    Array,
    ComparedRecord,
    Explained,
    Sample,
    Subject,
    chosen_subjects,
    draw_sample,
    explain_case,
    methods_of,
)
from ecgimn.explain.checks import Changes, fit_changes
from ecgimn.explain.methods import CONTROLS
from ecgimn.signal.preprocess import input_change
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import SUPERCLASSES

Row = Mapping[str, Any]
Figure = Sequence[float | None]
NONE: Figure = (None, None, None)
POINTING_GOAL = 0.9
OWN_KINDS = ("own", "published")
RIVALS = ("post-hoc", "published")


@dataclass(frozen=True)
class Metric:
    """One figure of a row, and what is better.

    Attributes
    ----------
    key, name : str
        `key` is that of the paired differences, where there are some.
    read : callable
        Row to value, low, high.
    better : {"higher", "lower", "near 0"}
    """

    key: str
    name: str
    read: Callable[[Row], Figure]
    better: str = "higher"

    def rank(self, value: float) -> float:
        """Return a number that is larger for what is better."""
        return value if self.better == "higher" else -abs(value) if self.better == "near 0" else -value


def _degradation(fill: str) -> Metric:
    return Metric(f"degradation, {fill}", f"Degradation, {fill} (SD)", lambda row: row["degradation"][fill])


def _planted(key: str) -> Callable[[Row], Figure]:
    return lambda row: row["planted"].get(ST_ELEVATION, {}).get(key, NONE)


METRICS = (
    Metric("r2", "R² of changes", lambda row: row["fidelity"]["r2"]),
    Metric("r2_unseen", "R², edits not trained on", lambda row: row["fidelity"]["r2_unseen"]),
    *(_degradation(fill) for fill in FILLS),
    Metric("planted", "Planted ST elevation found", _planted("pointing")),
    Metric("territory", "Territory of infarction hit", lambda row: row["territory"].get("all", {}).get("hit", NONE)),
    Metric("noise", "Alike under 20 dB noise", lambda row: row["stability"]["noise_20_db"]),
    Metric("shift", "Alike after 80 ms", lambda row: row["stability"]["shift_80_ms"]),
    Metric("random", "Alike with random weights", lambda row: row["stability"]["random_weights"], "near 0"),
    Metric("seeds", "Alike in another seed", lambda row: row["stability"]["seeds"]),
    Metric("cells", "Cells for 90 % of the evidence", lambda row: row["cells_for_90_percent"], "lower"),
    Metric("time", "Time (ms)", lambda row: (row["cpu_ms"], None, None), "lower"),
)


def verdicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return for each metric how the first row stands to its rivals.

    Returns
    -------
    list of dict
        `metric`, `better`, `ours` and `best` (network, method, value), `rivals`, their number; `ahead`, `level` and
        `behind`: rows that are worse with intervals apart, whose intervals overlap with ours, and that are better with
        intervals apart; of figures without intervals none is level but the equal. `same_network`: the same for the
        best post-hoc method on a network with a map of its own, against that map. Entries of rows hold `difference`,
        ours minus theirs on the same resamples, where that was worked out.
    """
    return [found for found in (_verdict(metric, rows) for metric in METRICS) if found is not None]


def _verdict(metric: Metric, rows: Sequence[Row]) -> dict[str, Any] | None:
    ours = rows[0]
    rivals = [row for row in rows[1:] if row["kind"] in RIVALS and metric.read(row)[0] is not None]
    if metric.read(ours)[0] is None or not rivals:
        return None
    groups: dict[str, list[dict[str, Any]]] = {"ahead": [], "level": [], "behind": []}
    for row in sorted(rivals, key=lambda row: -metric.rank(_value(metric, row))):
        groups[standing(metric, ours, row)].append(_entry(metric, row, "shipped_minus_this"))
    best = max([ours, *rivals], key=lambda row: metric.rank(_value(metric, row)))
    return {
        "metric": metric.name,
        "better": metric.better,
        "ours": _entry(metric, ours),
        "best": _entry(metric, best),
        "rivals": len(rivals),
        **groups,
        "same_network": _same_network(metric, rows),
    }


def _same_network(metric: Metric, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Compare the map of each network that also has post-hoc rows with the best of these."""
    found = []
    for own in (row for row in rows if row["kind"] in OWN_KINDS and metric.read(row)[0] is not None):
        others = [
            row
            for row in rows
            if row["network"] == own["network"] and row["kind"] == "post-hoc" and metric.read(row)[0] is not None
        ]
        if others:
            best = max(others, key=lambda row: metric.rank(_value(metric, row)))
            entry = _entry(metric, best, "own_map_minus_this")
            found.append({"own": _entry(metric, own), "best": entry, "own_is": standing(metric, own, best)})
    return found


def standing(metric: Metric, ours: Row, row: Row) -> str:
    """Return "ahead", "level" (the intervals overlap) or "behind", as ours stands to another row."""
    mine, theirs = metric.read(ours), metric.read(row)
    if None in mine or None in theirs:
        if theirs[0] == mine[0]:
            return "level"
    elif _span(metric, mine)[0] <= _span(metric, theirs)[1] and _span(metric, theirs)[0] <= _span(metric, mine)[1]:
        return "level"
    return "ahead" if metric.rank(_value(metric, ours)) > metric.rank(_value(metric, row)) else "behind"


def _span(metric: Metric, figure: Figure) -> tuple[float, float]:
    """Return the ends of an interval; of what should be near 0, those of its size."""
    _, low, high = (float(value or 0.0) for value in figure)
    if metric.better != "near 0":
        return low, high
    return (0.0 if low <= 0.0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _value(metric: Metric, row: Row) -> float:
    return float(metric.read(row)[0] or 0.0)


def _entry(metric: Metric, row: Row, difference: str = "") -> dict[str, Any]:
    gap = (row.get(difference) or {}).get(metric.key) if difference else None
    return {
        "network": row["network"],
        "method": row["method"],
        "value": list(metric.read(row)),
        **({"difference": gap} if gap else {}),
    }


def goals(rows: Sequence[Row], networks: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what was set out to be reached, and whether it was.

    Returns
    -------
    list of dict
        `goal` in words, `reached`, and what the answer rests on: for goals against other methods those that are not
        `beaten`, for planted ST elevation the figures of the shipped model's map per group of leads.
    """
    result = []
    for metric in METRICS:
        if metric.key == "r2" or metric.key.startswith("degradation"):
            others = [row for row in rows[1:] if row["kind"] == "post-hoc"]
            left = [_entry(metric, row) for row in others if standing(metric, rows[0], row) != "ahead"]
            words = f"{metric.name}: above every post-hoc method, intervals apart"
            result.append({"goal": words, "reached": bool(others) and not left, "not_beaten": left})
    found = networks[0].get("planted_st")
    if found:
        words = f"Planted ST elevation: at least {100 * POINTING_GOAL:.0f} % pointing hits for MI"
        value = found["all"]["pointing"][0]
        result.append({"goal": words, "reached": value >= POINTING_GOAL, "pointing": found})
    return result


LEAST_RECORDS = 50  # for an AUROC with an interval
SAMPLES = "samples"  # of a row: its bootstrap samples, kept until rows are compared


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says: logits of all records, (n, K), and what every edit does to the cases, (families, n, K)."""

    logits: Array
    actual: Array


class Comparison:
    """Networks and the records they are compared on; what all of them need is worked out once.

    Parameters
    ----------
    sample : Sample
    subjects : list of (Subject, tuple of str)
        Networks, and the post-hoc methods that are run on each.
    """

    def __init__(self, sample: Sample, subjects: Sequence[tuple[Subject, tuple[str, ...]]]) -> None:
        self.sample, self.subjects = sample, subjects
        self._changes: dict[bool, list[Array]] = {}

    def tasks(self) -> list[tuple[int, str]]:
        """Return what there is to measure: the place of a network, and a method."""
        return [(i, method) for i, (one, post_hoc) in enumerate(self.subjects) for method in methods_of(one, post_hoc)]

    @cached_property
    def fills(self) -> list[Array]:
        """What takes the place of a cell, for every case."""
        return [fills_of(case) for case in self.sample.cases]

    @cached_property
    def plants(self) -> tuple[list[Plant], list[Plant]]:
        """Changes planted in records and in composite cases."""
        return planted_in_records(self.sample.normal[: self.sample.n_planted]), planted_in_composites()

    def changes(self, high_pass: bool) -> list[Array]:
        """Return what every family of edits changes in the inputs of the cases, each (n, 12, L)."""
        if high_pass not in self._changes:
            self._changes[high_pass] = [input_change(edit, high_pass=high_pass) for edit in self.sample.edits.values()]
        return self._changes[high_pass]

    def answers(self, place: int) -> Answers:
        """Return a network's answers to the records and to the edits."""
        subject = self.subjects[place][0]
        x = subject.inputs(self.sample.cases)
        before = subject.logits(x)
        actual = [subject.logits(x + change) - before for change in self.changes(subject.high_pass)]
        return Answers(_all_logits(subject, self.sample.everything), np.stack(actual))

    def network(self, place: int, answers: Answers) -> dict[str, Any]:
        """Measure what holds of a network whatever post-hoc method explains it."""
        subject = self.subjects[place][0]
        return {
            **_network(subject, self.sample, answers.logits),
            "planted_st": find_st_elevation(subject, self.sample.normal),
        }

    def row(self, place: int, method: str, answers: Answers) -> dict[str, Any]:
        """Measure one method on one network."""
        subject, sample = self.subjects[place][0], self.sample
        explained, spread, started = Explained(subject, method), answers.logits.std(axis=0), time.process_time()
        said, seconds = [], []
        for case in sample.cases:
            began = time.process_time()
            said.append(explain_case(subject, method, case))
            seconds.append(time.process_time() - began)
            explained.keep(case, said[-1])
        ledgers = np.stack([explained.of(case) for case in sample.cases])
        maps = np.stack([one.weights for one in said])
        predicted = np.stack([np.einsum("nklt,nlt->nk", maps, d) for d in self.changes(subject.high_pass)])
        curves = np.stack(
            [
                deletion_curves(subject, case, cells.reshape(len(cells), -1), fills)
                for case, cells, fills in zip(sample.cases, ledgers, self.fills, strict=True)
            ]
        )  # (n, fills, orders, K, steps)
        scores = (degradation(curves) / spread).mean(axis=2)  # (n, fills), in standard deviations of the logit
        top = (-curves[:, :, 0, :, 1 + TOP] / spread).mean(axis=2)
        weights = patient_weights(sample.patients)
        in_records, in_composites = self.plants
        return {
            "network": subject.name,
            "method": method,
            "kind": _kind(subject, method),
            "fidelity": fidelity_figures(answers.actual, predicted, weights),
            "degradation": {fill: mean_over(sample.cases, scores[:, i]) for i, fill in enumerate(FILLS)},
            "top_cells": {fill: mean_over(sample.cases, top[:, i]) for i, fill in enumerate(FILLS)},
            "stability": stability(explained, sample.stable),
            "planted": find_plants(explained, in_records),
            "planted_in_composites": find_plants(explained, in_composites),
            "territory": territory(explained, sample.infarctions),
            "cells_for_90_percent": mean_over(sample.cases, cells_needed(ledgers).mean(axis=1)),
            "cpu_ms": round(1e3 * float(np.median(seconds)), 1),
            "cpu_s_of_this_row": round(time.process_time() - started, 1),
            SAMPLES: _samples(answers.actual, predicted, scores, weights),
        }

    def result(self, networks: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Put everything together as plain values for JSON; the first row is the model as shipped."""
        sample, shipped = self.sample, rows[0]
        same = {row["network"]: row for row in rows if row["kind"] in OWN_KINDS}
        finished = []
        for row in rows:
            plain = {key: value for key, value in row.items() if key != SAMPLES}
            plain["shipped_minus_this"] = None if row is shipped else _difference(shipped, row)
            mine = same.get(row["network"])
            plain["own_map_minus_this"] = None if mine is None or mine is row else _difference(mine, row)
            finished.append(plain)
        return {
            "version": __version__,
            "fold": sample.fold,
            "seen_in_training": sample.fold <= 8,
            "seed": sample.seed,
            "kernel_shap_samples": KERNEL_SAMPLES,
            "interval": "95 %, 1,000 bootstraps of patients",
            "n": {
                "records": len(sample.everything),
                "cases": len(sample.cases),
                "stability": len(sample.stable),
                "planted": sample.n_planted,
                "planted_st": len(sample.normal),
                **{name: len(found) for name, found in sample.infarctions.items()},
            },
            "goals": goals(finished, networks),
            "verdicts": verdicts(finished),
            "networks": networks,
            "rows": finished,
        }


def _kind(subject: Subject, method: str) -> str:
    """Return whose row it is; a bias that depends on the record tells the published network from ours."""
    if method == OWN:
        return "own" if subject.bias is None else "published"
    return "control" if method in CONTROLS else "post-hoc"


def _all_logits(subject: Subject, cases: list[ComparedRecord]) -> Array:
    return np.concatenate([subject.logits(subject.inputs(cases[i : i + 64])) for i in range(0, len(cases), 64)])


def _network(subject: Subject, sample: Sample, logits: Array) -> dict[str, Any]:
    """Return a network's discrimination and the share of its bias."""
    columns = [SUPERCLASSES.index(name) for name in subject.classes]
    targets, patients = sample.labels[:, columns], sample.everyone
    if len(columns) == 2:  # the published task: records with exactly one of the two
        kept = targets.sum(axis=1) == 1
        targets, patients, logits = targets[kept], patients[kept], logits[kept]
    result: dict[str, Any] = {"network": subject.name, "classes": list(subject.classes), "n": len(targets)}
    if len(targets) < LEAST_RECORDS:
        result["macro_auroc"] = [None] * 3
    else:
        weights = patient_weights(patients)
        result["macro_auroc"] = estimate(lambda w: macro(targets, logits, w), weights).as_list()
    result["bias_share"] = _bias_share(subject, sample)
    return result


def _bias_share(subject: Subject, sample: Sample) -> list[float | None]:
    """Return the share of the bias in the variance of the logit, mean over classes, with its interval."""
    if subject.bias is None:
        return [0.0 if subject.maps else None, None, None]  # one constant per class
    biases = np.stack([subject.bias(subject.input(case)) for case in sample.cases])
    logits = subject.logits(subject.inputs(sample.cases))
    weights = patient_weights(sample.patients)
    return estimate(lambda w: bias_share(biases, logits, w).mean(axis=1), weights).as_list()


def _edits() -> tuple[list[int], list[int]]:
    """Return the places in `TRIALS` of all edits but nuisances, and of those of them that are kept out of training."""
    trials = list(TRIALS.values())
    edits = [i for i, trial in enumerate(trials) if not trial.nuisance]
    return edits, [i for i in edits if trials[i].family in KEPT_OUT]


def _samples(actual: Array, predicted: Array, scores: Array, weights: Array) -> dict[str, Array]:
    """Return figures by which rows are compared, each (1 + m,): of all records, then of the bootstrap samples."""
    w = np.concatenate([np.ones((1, weights.shape[1])), weights])
    edits, unseen = _edits()
    return {
        "r2": _fit(actual[edits], predicted[edits], w)[0],
        "r2_unseen": _fit(actual[unseen], predicted[unseen], w)[0],
        **{f"degradation, {fill}": w @ scores[:, i] / w.sum(axis=1) for i, fill in enumerate(FILLS)},
    }


def _difference(one: dict[str, Any], other: dict[str, Any]) -> dict[str, list[float]]:
    """Return by how much one row is above another, on the same bootstraps of the same patients, with intervals."""
    found = {}
    for key, values in one[SAMPLES].items():
        gap = values - other[SAMPLES][key]
        low, high = np.percentile(gap[1:], [2.5, 97.5])
        found[key] = [round(float(v), 5) for v in (gap[0], low, high)]
    return found


def fidelity_figures(actual: Array, predicted: Array, weights: Array) -> dict[str, Any]:
    """Return R2 and slope of actual on predicted change, pooled over families of edits and mean over classes.

    Parameters
    ----------
    actual, predicted : ndarray of shape (families, n, K)
        In the order of `TRIALS`.
    weights : ndarray of shape (m, n)
        Bootstrap samples of the records.
    """
    names = list(TRIALS)
    edits, unseen = _edits()
    result: dict[str, Any] = {}
    for key, rows, part in (("r2", edits, 0), ("r2_rescaled", edits, 1), ("slope", edits, 2), ("r2_unseen", unseen, 0)):

        def figure(w: Array, rows: list[int] = rows, part: int = part) -> Array:
            return _fit(actual[rows], predicted[rows], w)[part]

        result[key] = estimate(figure, weights).as_list()
    result["families"] = {
        names[i]: [round(float(part[0]), 4) for part in _fit(actual[[i]], predicted[[i]])] for i in edits
    }
    result["nuisance_rms"] = {
        names[i]: [round(float(np.sqrt((values[i] ** 2).mean())), 4) for values in (actual, predicted)]
        for i in range(len(names))
        if i not in edits
    }
    return result


def _fit(actual: Array, predicted: Array, w: Array | None = None) -> tuple[Array, Array, Array]:
    """Return R2, R2 after the best line, and slope, (m,) each, over families and classes, (families, n, K)."""
    pooled = Changes(*(values.reshape(-1, values.shape[-1]) for values in (predicted, actual)))
    found = fit_changes(pooled, None if w is None else np.tile(w, (1, len(actual))))
    return found.r2.mean(axis=1), found.r2_rescaled.mean(axis=1), found.slope.mean(axis=1)


#: What takes longest goes first, so that no core waits for another at the end.
SLOW_FIRST = ("KernelSHAP", "integrated gradients", "occlusion", "GradientSHAP")
_here: dict[str, Comparison] = {}


def compare_methods(
    folder: Path,
    fold: int,
    model: str,
    *,
    limit: int | None = None,
    workers: int | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Compare a model with its peers; returns plain values for JSON.

    Parameters
    ----------
    folder : Path
        Of PTB-XL.
    fold : int
    model : str
        Name of a listed model.
    limit : int, optional
        Fewer records, for a quick look.
    workers : int, optional
        Processes; one per core by default.
    report : callable
        Called with how far it is.
    """
    report("reading records")
    comparison = _comparison(folder, fold, model, limit)
    tasks = sorted(comparison.tasks(), key=lambda task: SLOW_FIRST.index(task[1]) if task[1] in SLOW_FIRST else 99)
    # A network's answers are asked for once and handed on; those whose methods take longest come first.
    order = sorted(range(len(comparison.subjects)), key=lambda place: -len(comparison.subjects[place][1]))
    with ProcessPoolExecutor(
        workers or os.cpu_count() or 1,
        multiprocessing.get_context("spawn"),
        _start,
        (str(folder), fold, model, limit),
    ) as pool:
        asked = {place: pool.submit(_answers, place) for place in order}
        rows: dict[Future[dict[str, Any]], tuple[int, str]] = {}
        networks = {}
        for place, future in asked.items():
            answers = future.result()
            rows |= {pool.submit(_method_row, *task, answers): task for task in tasks if task[0] == place}
            networks[place] = pool.submit(_network_row, place, answers)
        for done, finished in enumerate(as_completed(rows), start=1):
            place, method = rows[finished]
            finished.result()  # what went wrong in a worker is raised here
            report(f"{done} of {len(rows)}: {comparison.subjects[place][0].name}, {method}")
        by_task = {task: future.result() for future, task in rows.items()}
        return comparison.result(
            [networks[place].result() for place in sorted(networks)], [by_task[task] for task in comparison.tasks()]
        )


def _comparison(folder: Path, fold: int, model: str, limit: int | None) -> Comparison:
    return Comparison(draw_sample(PtbXl(folder), fold, limit=limit), chosen_subjects(model))


def _start(folder: str, fold: int, model: str, limit: int | None) -> None:
    torch.set_num_threads(1)
    _here["comparison"] = _comparison(Path(folder), fold, model, limit)


def _answers(place: int) -> Answers:
    return _here["comparison"].answers(place)


def _method_row(place: int, method: str, answers: Answers) -> dict[str, Any]:
    return _here["comparison"].row(place, method, answers)


def _network_row(place: int, answers: Answers) -> dict[str, Any]:
    return _here["comparison"].network(place, answers)
