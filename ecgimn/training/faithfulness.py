"""Every explanation method on the same records: what it predicts of an edit against what the network then does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgimn import __version__
from ecgimn.explain.cells import cell_sums
from ecgimn.explain.posthoc import CONTROLS
from ecgimn.signal.preprocess import input_change
from ecgimn.training.attribution_checks import cells_for, planted, stability, territory
from ecgimn.training.comparison_sample import Sample
from ecgimn.training.dataset import SUPERCLASSES
from ecgimn.training.deletion import FILLS, TOP, degradation, deletion_curves
from ecgimn.training.fidelity import TRIALS
from ecgimn.training.metrics import estimate, macro, patient_weights
from ecgimn.training.subjects import KERNEL_SAMPLES, OWN, Array, Case, Subject, explain_case, methods_of

LEAST_RECORDS = 50  # for an AUROC with an interval


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says: logits of all records, and what every family of edits does, (families, n, K)."""

    logits: Array
    changes: list[Array]
    actual: Array


class Comparison:
    """Networks and the records they are compared on; what belongs to a network is worked out once.

    Parameters
    ----------
    sample : Sample
    subjects : list of (Subject, bool)
        Networks, and whether the post-hoc methods are run on them.
    """

    def __init__(self, sample: Sample, subjects: list[tuple[Subject, bool]]) -> None:
        self.sample, self.subjects = sample, subjects
        self._answers: dict[int, Answers] = {}

    def tasks(self) -> list[tuple[int, str]]:
        """Return what there is to measure: the place of a network, and a method."""
        return [(i, method) for i, (one, post_hoc) in enumerate(self.subjects) for method in methods_of(one, post_hoc)]

    def answers(self, place: int) -> Answers:
        """Return a network's answers to the records and to the edits."""
        if place not in self._answers:
            subject = self.subjects[place][0]
            changes = [input_change(edit, high_pass=subject.high_pass) for edit in self.sample.edits.values()]
            self._answers[place] = Answers(
                logits=_all_logits(subject, self.sample.everything),
                changes=changes,
                actual=_actual_changes(subject, self.sample.cases, changes),
            )
        return self._answers[place]

    def network(self, place: int) -> dict[str, Any]:
        """Measure what holds of a network whatever explains it."""
        return _network(self.subjects[place][0], self.sample, self.answers(place).logits)

    def row(self, place: int, method: str) -> dict[str, Any]:
        """Measure one method on one network."""
        return _row(self.subjects[place][0], method, self.sample, self.answers(place))

    def result(self, networks: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Put everything together as plain values for JSON."""
        sample = self.sample
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
                "planted": len(sample.normal),
                **{name: len(found) for name, found in sample.infarctions.items()},
            },
            "networks": networks,
            "rows": rows,
        }


def _all_logits(subject: Subject, cases: list[Case]) -> Array:
    return np.concatenate([subject.logits(subject.inputs(cases[i : i + 64])) for i in range(0, len(cases), 64)])


def _network(subject: Subject, sample: Sample, logits: Array) -> dict[str, Any]:
    """Return what holds of a network whatever explains it: discrimination and the share of its bias."""
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
    if subject.bias is None:
        share = 0.0 if subject.maps else None  # one constant per class
    else:
        biases = np.stack([subject.bias(subject.input(case)) for case in sample.cases])
        own = subject.logits(subject.inputs(sample.cases))
        share = float((biases.var(axis=0) / np.maximum(own.var(axis=0), 1e-12)).mean())
    result["bias_share"] = None if share is None else round(share, 5)
    return result


def _actual_changes(subject: Subject, cases: list[Case], changes: list[Array]) -> Array:
    """Return what every edit does, (families, n, K)."""
    x = subject.inputs(cases)
    before = subject.logits(x)
    return np.stack([subject.logits(x + change) - before for change in changes])


def _row(subject: Subject, method: str, sample: Sample, answers: Answers) -> dict[str, Any]:
    actual, changes, spread = answers.actual, answers.changes, answers.logits.std(axis=0)
    said, seconds = [], []
    for case in sample.cases:
        started = time.process_time()
        said.append(explain_case(subject, method, case))
        seconds.append(time.process_time() - started)
    ledgers = np.stack([cell_sums(one.attribution, case.wave) for one, case in zip(said, sample.cases, strict=True)])
    predicted = np.stack([np.einsum("nklt,nlt->nk", np.stack([one.weights for one in said]), d) for d in changes])
    weights = patient_weights(sample.patients)
    curves = np.stack(
        [
            deletion_curves(subject, case, cells.reshape(len(cells), -1))
            for case, cells in zip(sample.cases, ledgers, strict=True)
        ]
    )  # (n, fills, orders, K, steps)
    scores = degradation(curves) / spread  # (n, fills, K), in standard deviations of the logit
    top = -curves[:, :, 0, :, 1 + TOP] / spread
    stable = stability(subject, method, sample.stable, ledgers[: len(sample.stable)])
    return {
        "network": subject.name,
        "method": method,
        "kind": "own" if method == OWN else "control" if method in CONTROLS else "post-hoc",
        "fidelity": fidelity_figures(actual, predicted, weights),
        "degradation": {fill: _mean_estimate(scores[:, i], weights) for i, fill in enumerate(FILLS)},
        "top_cells": {fill: _mean_estimate(top[:, i], weights) for i, fill in enumerate(FILLS)},
        "stability": {key: None if value is None else round(value, 4) for key, value in stable.items()},
        "planted": planted(subject, method, sample.normal),
        "territory": territory(subject, method, sample.infarctions),
        "cells_for_90_percent": round(cells_for(ledgers), 1),
        "cpu_ms": round(1e3 * float(np.median(seconds)), 1),
    }


def _mean_estimate(values: Array, weights: Array) -> list[float | None]:
    """Return the mean over records and classes of (n, K) with its interval."""
    per_record = values.mean(axis=1)

    def figure(w: Array | None) -> Array:
        w = np.ones((1, len(per_record))) if w is None else w
        return np.asarray(w @ per_record / w.sum(axis=1))

    return estimate(figure, weights).as_list()


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
    edits = [i for i, trial in enumerate(TRIALS.values()) if not trial.nuisance]
    unseen = [i for i in edits if not TRIALS[names[i]].in_training]
    result: dict[str, Any] = {}
    for key, rows, part in (("r2", edits, 0), ("r2_rescaled", edits, 1), ("slope", edits, 2), ("r2_unseen", unseen, 0)):

        def figure(w: Array | None, rows: list[int] = rows, part: int = part) -> Array:
            return _fit(actual[rows], predicted[rows], w)[part]

        result[key] = estimate(figure, weights).as_list()
    result["families"] = {
        names[i]: [round(float(part[0]), 4) for part in _fit(actual[[i]], predicted[[i]], None)] for i in edits
    }
    result["nuisance_rms"] = {
        names[i]: [round(float(np.sqrt((values[i] ** 2).mean())), 4) for values in (actual, predicted)]
        for i in range(len(names))
        if i not in edits
    }
    return result


def _fit(actual: Array, predicted: Array, w: Array | None) -> tuple[Array, Array, Array]:
    """Return R2, R2 after the best line, and slope of actual on predicted, each (m,), mean over classes."""
    w = np.ones((1, actual.shape[1])) if w is None else w
    count = w.sum(axis=1, keepdims=True) * len(actual)

    def total(values: Array) -> Array:  # (families, n, K) -> (m, K)
        return np.asarray(w @ values.sum(axis=0))

    a, p = total(actual) / count, total(predicted) / count
    error = total((actual - predicted) ** 2)
    aa = total(actual**2) - count * a**2
    pp = total(predicted**2) - count * p**2
    ap = total(actual * predicted) - count * a * p
    tiny = 1e-12
    r2 = 1.0 - error / np.maximum(aa, tiny)
    rescaled = ap**2 / np.maximum(aa * pp, tiny)
    return r2.mean(axis=1), rescaled.mean(axis=1), (ap / np.maximum(pp, tiny)).mean(axis=1)
