"""The figures of an audit, from its record alone: an export gives the same numbers as the store it came from.

Agreement between readers is beyond chance, and intervals come from resampling cases. Each figure takes optional
weights, how often every case counts, one row per bootstrap sample; all are computed at once.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap, rankdata

from ecgimn.about import INTENDED_USE
from ecgimn.escape import for_csv
from ecgimn.evaluate.metrics import N_BOOTSTRAPS, patient_weights, plain, ratio
from ecgimn.evaluate.metrics import estimate as interval
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.study.definition import ITEMS, UNCERTAIN, Audit, Design, Event, PlannedCase, plan, read_box
from ecgimn.study.record import StudyRecord
from ecgimn.study.session import (
    BIN_MS,
    CaseState,
    ModelAnswer,
    case_state,
    disputed_cases,
    is_adjudicator,
    training_state,
)

SEED = 20260
DIGITS = 6  # of every figure that is printed or compared

Array = NDArray[np.float64]
Figure = Callable[[Array], Array]


def cohen_kappa(first: Sequence[str], second: Sequence[str], weights: Array | None = None) -> Array:
    """Return Cohen's kappa of two readers of the same cases (Cohen 1960, doi:10.1177/001316446002000104).

    Parameters
    ----------
    first, second : sequence of str
        One category per case.
    weights : ndarray of shape (m, n), optional

    Returns
    -------
    ndarray of shape (m,)
        NaN where both readers used one and the same category throughout. Without weights m is 1.
    """
    names = sorted({*first, *second})
    a = np.array([[name == given for name in names] for given in first], dtype=np.float64)
    b = np.array([[name == given for name in names] for given in second], dtype=np.float64)
    w = _weights(weights, len(first))
    total = w.sum(axis=1)
    observed = w @ (a * b).sum(axis=1) / total
    expected = ((w @ a) * (w @ b)).sum(axis=1) / total**2
    return _beyond(observed, expected)


def count_table(ratings: Sequence[Sequence[str | None]], categories: Sequence[str]) -> Array:
    """Return how many readers put each case into each category, shape (n_cases, n_categories); None is no rating."""
    return np.array([[sum(r == name for r in row) for name in categories] for row in ratings], dtype=np.float64)


def fleiss_kappa(counts: Array, weights: Array | None = None) -> Array:
    """Return Fleiss' kappa of any number of readers (Fleiss 1971, doi:10.1037/h0031619).

    Where cases have different numbers of readers, agreement is taken over cases with two or more, and the use of the
    categories is the mean of each case's own shares (Gwet, Handbook of Inter-Rater Reliability, 4th ed., 2014).

    Parameters
    ----------
    counts : ndarray of shape (n_cases, n_categories)
        Of `count_table`.
    weights : ndarray of shape (m, n_cases), optional
    """
    observed, used = _observed_and_used(counts, weights)
    return _beyond(observed, (used**2).sum(axis=1))


def gwet_ac1(counts: Array, weights: Array | None = None) -> Array:
    """Return Gwet's AC1, which stays sensible where nearly all cases fall into one category.

    Gwet 2008, doi:10.1348/000711006X126600. Parameters as of `fleiss_kappa`.
    """
    observed, used = _observed_and_used(counts, weights)
    return _beyond(observed, (used * (1 - used)).sum(axis=1) / (counts.shape[1] - 1))


def bootstrap_weights(n: int, *, n_samples: int = N_BOOTSTRAPS, seed: int = SEED) -> Array:
    """Return how often each of `n` cases counts in each bootstrap sample, shape (n_samples, n)."""
    return patient_weights(np.arange(n), n_samples, seed)


def estimate(figure: Figure, n: int) -> list[float | None] | None:
    """Return a figure over `n` cases with its 95 % percentile interval: [value, low, high]; None where undefined."""
    if n == 0:
        return None
    found = interval(figure, bootstrap_weights(n))
    if not np.isfinite(found.value):
        return None
    return [plain(value, DIGITS) for value in (found.value, found.low, found.high)]


def _weights(weights: Array | None, n: int) -> Array:
    return np.ones((1, n)) if weights is None else weights


def _beyond(observed: Array, expected: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = (observed - expected) / (1 - expected)
    return np.asarray(np.where(np.abs(1 - expected) < 1e-12, np.nan, kappa))


def _observed_and_used(counts: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return observed agreement, shape (m,), and the share of each category, shape (m, n_categories)."""
    w = _weights(weights, len(counts))
    n_readers = counts.sum(axis=1)
    rated, paired = n_readers >= 1, n_readers >= 2
    pairs = n_readers * (n_readers - 1)
    agreement = np.divide((counts**2).sum(axis=1) - n_readers, pairs, out=np.zeros(len(counts)), where=paired)
    shares = np.divide(counts, n_readers[:, None], out=np.zeros_like(counts), where=rated[:, None])
    return ratio(agreement * paired, paired.astype(np.float64), w), (w @ shares) / np.maximum(
        w @ rated.astype(np.float64), 1e-300
    )[:, None]


Cells = NDArray[np.bool_]
Map = NDArray[np.float64]


def cells_of(boxes: Iterable[Mapping[str, Any]], n_bins: int, bin_ms: float = BIN_MS) -> Cells:
    """Return the cells whose middle lies in a box, shape (12, n_bins); a box marks one cell at least."""
    cells = np.zeros((len(STANDARD_LEADS), n_bins), dtype=bool)
    middles = (np.arange(n_bins) + 0.5) * bin_ms
    for content in boxes:
        box = read_box(content)
        row = cells[lead_index(box.lead)]
        row |= (middles >= box.start_ms) & (middles <= box.stop_ms)
        row[min(int((box.start_ms + box.stop_ms) / 2 / bin_ms), n_bins - 1)] = True
    return cells


def point_auroc(cells: Cells, values: Map) -> float | None:
    """Return the probability that a cell inside the boxes has more evidence than one outside, ties counted half.

    The area under the ROC curve of the map's values for the marked cells (Hanley and McNeil 1982,
    doi:10.1148/radiology.143.1.7063747). None where nothing or everything is marked.
    """
    inside, n = int(cells.sum()), cells.size
    if inside in (0, n):
        return None
    ranks = rankdata(values.ravel())[cells.ravel()]
    return float((ranks.sum() - inside * (inside + 1) / 2) / (inside * (n - inside)))


def dice(first: Cells, second: Cells) -> float | None:
    """Return twice the common cells over the cells of both (Dice 1945, doi:10.2307/1932409); None if both are empty."""
    total = int(first.sum() + second.sum())
    return float(2 * (first & second).sum() / total) if total else None


def strongest(values: Map, n: int) -> Cells:
    """Return the `n` cells with the largest values; of equal ones the earlier."""
    cells = np.zeros(values.size, dtype=bool)
    cells[np.argsort(-values.ravel(), kind="stable")[:n]] = True
    return cells.reshape(values.shape)


def dice_with_map(cells: Cells, values: Map) -> float | None:
    """Return the Dice coefficient of the marked cells and as many of the map's strongest; no threshold to choose."""
    return dice(cells, strongest(values, int(cells.sum()))) if cells.any() else None


def pointing_hit(cells: Cells, values: Map) -> bool | None:
    """Return whether the cell with the largest value is marked (Zhang et al. 2018, doi:10.1007/s11263-017-1059-x)."""
    return bool(cells[np.unravel_index(int(values.argmax()), values.shape)]) if cells.any() else None


def mass_inside(cells: Cells, values: Map) -> float | None:
    """Return the share of the absolute evidence that lies in the marked cells."""
    total = float(np.abs(values).sum())
    return float(np.abs(values[cells]).sum() / total) if cells.any() and total > 0 else None


REGION_SCORES = ("auroc", "dice", "pointing", "mass")


@dataclass(frozen=True, eq=False)
class Row:
    """One reader and one case.

    Attributes
    ----------
    reader_uid : str
    state : CaseState
    answer : ModelAnswer or None
        None where the model was not asked yet.
    scores : dict of str to float
        Of the reader's boxes against the map of the reader's own blind diagnosis; empty without boxes.
    seconds_blind, seconds : float or None
        Until the blind reading was committed, and until the last step; pauses left out.
    """

    reader_uid: str
    state: CaseState
    answer: ModelAnswer | None
    scores: dict[str, float]
    seconds_blind: float | None
    seconds: float | None

    @property
    def planned(self) -> PlannedCase:
        """Case, place and arm."""
        return self.state.planned

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes that the data set gives."""
        return self.planned.case.labels

    def primary(self, step: str) -> str | None:
        """Return the diagnosis of a step, "blind" or "revision", or None."""
        return self.state.done[step]["primary"] if step in self.state.done else None

    def right(self, step: str) -> bool | None:
        """Return whether the diagnosis of a step is among the labels; None without diagnosis or label."""
        primary = self.primary(step)
        return primary in self.labels if primary is not None and self.labels else None

    @property
    def model_right(self) -> bool | None:
        """Whether the class that the model called is among the labels; None where it was not shown or there is none."""
        if not self.labels or not self.state.sees("model"):
            return None
        return self.called in self.labels

    @property
    def called(self) -> str:
        """The label that the reader saw as the model's, or that the model gives where none was shown; else ""."""
        if self.state.sees("model"):
            return str(self.state.done["model"]["called"])
        return self.answer.called if self.answer is not None else ""

    def rating(self, item: str) -> int | None:
        """Return a rating from -3 to +3, or None."""
        value = self.state.done.get("rating", {}).get(item)
        return int(value) if value is not None else None


def rows_of(record: StudyRecord) -> tuple[Row, ...]:
    """Return all readers by all their cases, begun or not, in the order of pseudonyms and of each reader's list."""
    by_case: dict[tuple[str, str], list[Event]] = {}
    for event in record.events:
        by_case.setdefault((event.reader_uid, event.case_id), []).append(event)
    readers = sorted(record.readers.values(), key=lambda reader: (reader.pseudonym, reader.uid))
    return tuple(
        _row(reader.uid, planned, sorted(by_case.get((reader.uid, planned.key), ()), key=lambda e: e.number),
             record.evidence.get(planned.case.ref))
        for reader in readers
        if not is_adjudicator(record.audit, reader)
        for planned in plan(record.audit, reader.uid)
    )  # fmt: skip


def flat_row(record: StudyRecord, row: Row) -> dict[str, Any]:
    """Return a row as one line of a table: text and numbers only."""
    reader, done = record.readers[row.reader_uid], row.state.done
    line: dict[str, Any] = {
        "reader": reader.pseudonym,
        "reader_uid": reader.uid,
        "site": reader.site_uid,
        "place": row.planned.place,
        "case": row.planned.case.ref,
        "recording_sha256": row.planned.case.digest,
        "labels": " ".join(row.labels),
        "arm": row.planned.arm.name,
        "method": row.planned.arm.method,
        "finished": int(row.state.finished),
        "model": record.audit.model,
        "model_sha256": record.audit.model_sha256,
        "model_called": row.called if row.state.sees("model") else "",
        "period": row.planned.period,
        "made_wrong": int(row.planned.wrong),
    }
    for step in ("blind", "revision"):
        answer = done.get(step, {})
        line |= {
            f"{step}_diagnosis": answer.get("primary", ""),
            f"{step}_also": " ".join(answer.get("also", ())),
            f"{step}_confidence": answer.get("confidence", ""),
        }
    rating = done.get("rating", {})
    line |= {"regions": len(done.get("blind", {}).get("boxes", ()))}
    line |= {f"regions_{name}": row.scores.get(name, "") for name in REGION_SCORES}
    line |= {item: rating.get(item, "") for item in ITEMS}
    line |= {
        "missed": len(rating.get("missed", ())),
        "invented": len(rating.get("invented", ())),
        "flags": ", ".join([*done.get("blind", {}).get("flags", ()), *rating.get("flags", ())]),
        "text": rating.get("text", ""),
        "seconds_blind": "" if row.seconds_blind is None else row.seconds_blind,
        "seconds": "" if row.seconds is None else row.seconds,
    }
    return line


def _row(reader_uid: str, planned: PlannedCase, events: list[Event], answer: ModelAnswer | None) -> Row:
    state = case_state(planned, events)
    blind = state.done.get("blind")
    scores = (
        _scores(blind["boxes"], answer, blind["primary"])
        if blind is not None and answer is not None and blind["primary"] in answer.classes
        else {}
    )
    return Row(
        reader_uid, state, answer, scores, _active_seconds(events, ("blind",)),
        _active_seconds(events, planned.arm.steps) if state.finished else None,
    )  # fmt: skip


def _scores(boxes: list[dict[str, Any]], answer: ModelAnswer, diagnosis: str) -> dict[str, float]:
    values = answer.map_of(diagnosis)
    cells = cells_of(boxes, values.shape[1])
    found = {
        "auroc": point_auroc(cells, values),
        "dice": dice_with_map(cells, values),
        "pointing": pointing_hit(cells, values),
        "mass": mass_inside(cells, values),
    }
    return {name: round(float(value), DIGITS) for name, value in found.items() if value is not None}


def _active_seconds(events: Iterable[Event], until: tuple[str, ...]) -> float | None:
    """Return the time from opening to the last of the steps in `until`; what passes before a return does not count.

    None where none of them was reached, or the clock was set back on the way: how long that took is not known.
    """
    total, reached, before = 0.0, None, None
    for event in events:
        if before is not None and event.kind != "opened":
            if event.seconds < before:
                return reached
            total += event.seconds - before
        before = event.seconds
        if event.kind in until:
            reached = round(total, 3)
    return reached


MAX_PAIRS = 300  # pairs of readers listed with their own kappa
ALL = "all"


def compute_results(record: StudyRecord) -> dict[str, Any]:
    """Return all figures as JSON values.

    Intervals are 95 % percentiles over bootstrap samples of the cases, all answers to a case going with it; figures
    are [value, low, high], None where undefined. "Right" means that the diagnosis is among the labels of the data set.
    """
    rows = rows_of(record)
    audit = record.audit
    return {
        "study": {
            "name": audit.name,
            "uid": audit.uid,
            "model": audit.model,
            "model_sha256": audit.model_sha256,
            "classes": list(audit.classes),
            "n_cases": len(audit.cases),
            "selection": audit.selection,
            "arms": [
                {"name": arm.name, "model": arm.model, "method": arm.method, "earlier": arm.earlier}
                for arm in audit.arms
            ],
            "allocation": audit.allocation,
            "blocks": audit.blocks,
            "shows": list(audit.shows),
            "seed": audit.seed,
            "design": None if audit.design is None else _design(audit.design),
        },
        "versions": list(record.versions),
        "log_digest": record.log_digest,
        "bootstrap": {"samples": N_BOOTSTRAPS, "seed": SEED, "unit": "case"},
        "intended_use": INTENDED_USE,
        "progress": _progress(record, rows),
        "accuracy": _accuracy(record, rows),
        "change": _change(rows),
        "agreement": {
            when: _agreement(record, [row for row in rows if row.primary(step)], step)
            for when, step in (("before", "blind"), ("after", "revision"))
        },
        "regions": _regions(rows),
        "ratings": _ratings(record, rows),
        "time": _times(record, rows),
        "outcomes": _outcomes(record, rows),
    }


def _progress(record: StudyRecord, rows: Sequence[Row]) -> list[dict[str, Any]]:
    found = []
    for uid, mine in _grouped(rows, lambda row: row.reader_uid).items():
        reader = record.readers[uid]
        done = sum(row.state.finished for row in mine)
        blind = sum("blind" in row.state.done for row in mine)
        found.append({"reader": reader.pseudonym, "site": reader.site_uid, "blind": blind, "finished": done,
                      "of": len(mine)})  # fmt: skip
    return found


def _accuracy(record: StudyRecord, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Right before and after, over the same answers, for all arms and each of them."""
    found = []
    arms = [arm.name for arm in record.audit.arms]
    for name in (ALL, *(arms if len(arms) > 1 else ())):
        mine = [row for row in rows if name in (ALL, row.planned.arm.name)]
        both = [row for row in mine if row.right("blind") is not None and row.right("revision") is not None]
        found.append(
            {
                "arm": name,
                "n_blind": sum(row.right("blind") is not None for row in mine),
                "blind": _mean(mine, lambda row: row.right("blind")),
                "n": len(both),
                "before": _mean(both, lambda row: row.right("blind")),
                "after": _mean(both, lambda row: row.right("revision")),
                "gain": _mean(both, lambda row: int(bool(row.right("revision"))) - int(bool(row.right("blind")))),
                "model": _mean(both, lambda row: row.model_right),
            }
        )
    return found


def _change(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Changes of mind after the model's answer, where it was right and where it was wrong (automation bias)."""
    found = []
    for right in (True, False):
        mine = [row for row in rows if row.model_right is right and row.primary("revision")]
        found.append(
            {
                "model_right": right,
                "n": len(mine),
                "changed": _mean(mine, lambda row: row.primary("blind") != row.primary("revision")),
                "changed_to_model": _mean(mine, _followed),
                "wrong_to_right": sum(not row.right("blind") and bool(row.right("revision")) for row in mine),
                "right_to_wrong": sum(bool(row.right("blind")) and not row.right("revision") for row in mine),
                "right_kept": sum(bool(row.right("blind")) and bool(row.right("revision")) for row in mine),
                "wrong_kept": sum(not row.right("blind") and not row.right("revision") for row in mine),
            }
        )
    return found


def _followed(row: Row) -> bool:
    return row.primary("blind") != row.called and row.primary("revision") == row.called


def _agreement(record: StudyRecord, rows: Sequence[Row], step: str) -> dict[str, Any]:
    given = {(row.reader_uid, row.planned.key): row.primary(step) for row in rows if row.planned.period == 1}
    readers = sorted({uid for uid, _ in given}, key=lambda uid: (record.readers[uid].pseudonym, uid))
    refs = [case.ref for case in record.audit.cases]
    ratings = [[given.get((uid, ref)) for uid in readers] for ref in refs]
    shared = [row for row in ratings if sum(value is not None for value in row) >= 2]
    counts = count_table(shared, record.audit.diagnoses) if shared else np.zeros((0, len(record.audit.classes)))
    pairs = [_pair(record, given, refs, first, second) for first, second in list(combinations(readers, 2))[:MAX_PAIRS]]
    return {
        "n_readers": len(readers),
        "n_cases": len(shared),
        "fleiss_kappa": estimate(lambda w: fleiss_kappa(counts, w), len(counts)),
        "gwet_ac1": estimate(lambda w: gwet_ac1(counts, w), len(counts)),
        "cohen_kappa": [pair for pair in pairs if pair["n"] > 0],
    }


def _pair(
    record: StudyRecord, given: dict[tuple[str, str], str | None], refs: Sequence[str], first: str, second: str
) -> dict[str, Any]:
    common = [(given.get((first, ref)), given.get((second, ref))) for ref in refs]
    a, b = [x for x, y in common if x and y], [y for x, y in common if x and y]
    return {
        "readers": [record.readers[uid].pseudonym for uid in (first, second)],
        "n": len(a),
        "kappa": estimate(lambda w: cohen_kappa(a, b, w), len(a)),
    }


def _regions(rows: Sequence[Row]) -> dict[str, Any]:
    """Readers' boxes against the map of the class that the reader diagnosed blind, and against each other's."""
    scored = [row for row in rows if row.scores]
    pairs: list[tuple[str, float]] = []
    for ref, mine in _grouped(scored, lambda row: row.planned.case.ref).items():
        for first, second in combinations(mine, 2):
            n_bins = first.answer.maps.shape[2] if first.answer is not None else 0
            cells = [cells_of(row.state.done["blind"]["boxes"], n_bins) for row in (first, second)]
            value = dice(cells[0], cells[1])
            if value is not None:
                pairs.append((ref, value))
    return {
        "n": len(scored),
        **{name: _mean(scored, _score(name)) for name in REGION_SCORES},
        "n_pairs": len(pairs),
        "dice_between_readers": _over_cases(pairs),
    }


def _score(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.scores.get(name)


def _ratings(record: StudyRecord, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean ratings by method and by class that the model called."""
    rated = [row for row in rows if "rating" in row.state.done and row.answer is not None]
    found = []
    for method in sorted({row.planned.arm.method for row in rated}):
        of_method = [row for row in rated if row.planned.arm.method == method]
        called = [name for name in record.audit.classes if any(row.called == name for row in of_method)]
        for name in (ALL, *called):
            mine = [row for row in of_method if name in (ALL, row.called)]
            for item in ITEMS:
                values = [value for row in mine if (value := row.rating(item)) is not None]
                if values:
                    found.append(
                        {
                            "method": method,
                            "class": name,
                            "item": item,
                            "n": len(values),
                            "mean": _mean(mine, _rated(item)),
                            "sd": round(float(np.std(values, ddof=1)), DIGITS) if len(values) > 1 else None,
                        }
                    )
    return found


def _rated(item: str) -> Callable[[Row], float | None]:
    return lambda row: row.rating(item)


def _times(record: StudyRecord, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Median seconds of work per case, pauses left out, for all, each arm and each reader."""
    groups: list[tuple[str, str, list[Row]]] = [(ALL, ALL, list(rows))]
    groups += [("arm", name, mine) for name, mine in _grouped(rows, lambda row: row.planned.arm.name).items()]
    groups += [
        ("reader", record.readers[uid].pseudonym, mine)
        for uid, mine in _grouped(rows, lambda row: row.reader_uid).items()
    ]
    return [
        {
            "by": by,
            "name": name,
            "n": sum(row.seconds is not None for row in mine),
            "blind": _median(row.seconds_blind for row in mine),
            "whole": _median(row.seconds for row in mine),
        }
        for by, name, mine in groups
    ]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 3) if known else None


def _mean(rows: Sequence[Row], value: Callable[[Row], float | None]) -> list[float | None] | None:
    """Mean over rows where there is a value, resampled by case."""
    found = ((row.planned.case.ref, value(row)) for row in rows)
    return _over_cases((ref, float(number)) for ref, number in found if number is not None)


def _over_cases(values: Iterable[tuple[str, float]]) -> list[float | None] | None:
    sums: dict[str, list[float]] = {}
    for ref, value in values:
        sums.setdefault(ref, []).append(value)
    refs = sorted(sums)
    numerators = np.array([sum(sums[ref]) for ref in refs])
    denominators = np.array([float(len(sums[ref])) for ref in refs])
    return estimate(lambda w: ratio(numerators, denominators, w), len(refs))


def _grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def clustered(values: Iterable[tuple[str, float]]) -> list[float | None] | None:
    """Return a mean over answers with its 95 % percentile interval: [mean, low, high].

    Cases are resampled with all answers to them (scipy.stats.bootstrap over the sums of each case). A single case has
    no interval; no answer at all gives None.
    """
    sums: dict[str, list[float]] = {}
    for case, value in values:
        sums.setdefault(case, []).append(value)
    if not sums:
        return None
    numerators = np.array([sum(sums[case]) for case in sorted(sums)])
    counts = np.array([float(len(sums[case])) for case in sorted(sums)])
    return _resampled(lambda n, d, axis: n.sum(axis=axis) / d.sum(axis=axis), numerators, counts)


def contrast(first: Iterable[tuple[str, float]], second: Iterable[tuple[str, float]]) -> list[float | None] | None:
    """Return the second mean minus the first, with its interval; a case takes its answers of both along."""
    sides = [list(first), list(second)]
    cases = sorted({case for side in sides for case, _ in side})
    if not all(sides):
        return None
    sums = [[sum(value for case, value in side if case == one) for one in cases] for side in sides]
    counts = [[float(sum(case == one for case, _ in side)) for one in cases] for side in sides]

    def difference(a: Array, n: Array, b: Array, m: Array, axis: int) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):  # a sample without an answer of one side
            return np.asarray(b.sum(axis=axis) / m.sum(axis=axis) - a.sum(axis=axis) / n.sum(axis=axis))

    return _resampled(difference, *(np.array(part) for pair in zip(sums, counts, strict=True) for part in pair))


def _resampled(figure: Callable[..., Array], *columns: Array) -> list[float | None]:
    value = float(figure(*columns, axis=-1))
    if len(columns[0]) < 2:
        return [plain(value, DIGITS), None, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # all cases alike: the interval is the value
        drawn = bootstrap(
            columns, figure, paired=True, vectorized=True, n_resamples=N_BOOTSTRAPS, method="percentile",
            rng=np.random.default_rng(SEED),
        ).bootstrap_distribution  # fmt: skip
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return [plain(float(part), DIGITS) for part in (value, low, high)]


def _design(design: Design) -> dict[str, Any]:
    return {
        "crossover": design.crossover,
        "washout_days": design.washout_days,
        "uncertain": design.uncertain,
        "n_training": len(design.training),
        "pass_share": design.pass_share,
        "wrong_share": design.wrong_share,
        "adjudication": bool(design.adjudicators),
    }


def _outcomes(record: StudyRecord, rows: Sequence[Row]) -> dict[str, Any]:
    """What an audit that is run as a study is about: reliance, sensitivity and specificity, arms, adjudication."""
    arms = [arm.name for arm in record.audit.arms]
    names = {uid: record.readers[uid].pseudonym for uid in record.readers}
    groups: list[tuple[str, str, Sequence[Row]]] = [(ALL, ALL, rows)]
    if len(arms) > 1:
        groups += [("arm", name, [row for row in rows if row.planned.arm.name == name]) for name in arms]
    groups += [("reader", names[uid], mine) for uid, mine in _grouped(rows, lambda row: row.reader_uid).items()]
    return {
        "reliance": [{"by": by, "name": name, **_reliance(mine)} for by, name, mine in groups],
        "made_wrong": _made_wrong(record.audit, rows),
        "accuracy": [
            {"by": by, "name": name, "class": label, "when": when, **_accuracy_of(mine, label, step)}
            for by, name, mine in groups
            for label in ((ABNORMAL,) if by == "reader" else (*record.audit.classes, ABNORMAL))
            for when, step in (("before", "blind"), ("after", "revision"))
        ],
        "uncertain": [
            {"by": by, "name": name, "when": when, "share": clustered(
                (row.planned.case.ref, float(row.primary(step) == UNCERTAIN)) for row in mine if row.primary(step))}
            for by, name, mine in groups
            for when, step in (("before", "blind"), ("after", "revision"))
        ],
        "arms": [
            {"arm": name, "against": arms[0],
             "final_right": contrast(_final_right(rows, arms[0]), _final_right(rows, name))}
            for name in arms[1:]
        ],
        "training": [
            {"reader": names[uid], "rounds": list(state.rounds), "passed": state.passed}
            for uid in _grouped(rows, lambda row: row.reader_uid)
            for state in [training_state(record.audit, (e for e in record.events if e.reader_uid == uid))]
            if record.audit.design is not None and record.audit.design.training
        ],
        "adjudication": _adjudication(record, rows),
    }  # fmt: skip


ABNORMAL = "any but NORM"  # a case with, and a diagnosis of, any label but NORM


def _reliance(rows: Sequence[Row]) -> dict[str, Any]:
    """Whether right answers of the model were followed and wrong ones refused.

    `switched_when_right` and `kept_when_wrong` are relative AI reliance and relative self-reliance (Schemmer et al.
    2023, doi:10.1145/3581641.3584066).
    """
    told = [row for row in rows if row.model_right is not None and row.primary("revision")]

    def share(chosen: Callable[[Row], bool], value: Callable[[Row], bool]) -> list[float | None] | None:
        return clustered((row.planned.case.ref, float(value(row))) for row in told if chosen(row))

    return {
        "n": len(told),
        "n_right": sum(bool(row.model_right) for row in told),
        "right_followed": share(lambda row: bool(row.model_right), _agrees),
        "wrong_refused": share(lambda row: not row.model_right, lambda row: not _agrees(row)),
        "appropriate": share(lambda row: True, lambda row: _agrees(row) == row.model_right),
        "switched_when_right": share(lambda row: bool(row.model_right) and not row.right("blind"), _agrees),
        "kept_when_wrong": share(
            lambda row: not row.model_right and bool(row.right("blind")), lambda row: bool(row.right("revision"))
        ),
    }


def _agrees(row: Row) -> bool:
    return row.primary("revision") == row.called


def _made_wrong(audit: Audit, rows: Sequence[Row]) -> dict[str, Any]:
    told = [row for row in rows if row.state.sees("model")]
    wrong = [row for row in told if row.model_right is False]
    return {
        "planned_share": 0.0 if audit.design is None else audit.design.wrong_share,
        "n_shown": len(told),
        "n_made_wrong": sum(row.planned.wrong for row in wrong),
        "n_wrong_of_itself": sum(not row.planned.wrong for row in wrong),
    }


def _accuracy_of(rows: Sequence[Row], label: str, step: str) -> dict[str, Any]:
    """Sensitivity and specificity for a label, called as main diagnosis or a further one; "uncertain" calls none."""
    hits: tuple[list[tuple[str, float]], list[tuple[str, float]]] = ([], [])
    for row in rows:
        if step not in row.state.done or not row.labels:
            continue
        given = row.state.done[step]
        named = {given["primary"], *given["also"]} - {UNCERTAIN}
        present = label in row.labels if label != ABNORMAL else bool(set(row.labels) - {"NORM"})
        called = label in named if label != ABNORMAL else bool(named - {"NORM"})
        hits[not present].append((row.planned.case.ref, float(called == present)))
    return {
        "n_with": len(hits[0]),
        "n_without": len(hits[1]),
        "sensitivity": clustered(hits[0]),
        "specificity": clustered(hits[1]),
    }


def _final(row: Row) -> str | None:
    """Return the last diagnosis of a case that is finished."""
    return (row.primary("revision") or row.primary("blind")) if row.state.finished else None


def _final_right(rows: Iterable[Row], arm: str) -> list[tuple[str, float]]:
    return [
        (row.planned.case.ref, float(_final(row) in row.labels))
        for row in rows
        if row.planned.arm.name == arm and row.labels and _final(row)
    ]


def _adjudication(record: StudyRecord, rows: Sequence[Row]) -> dict[str, Any]:
    disputed = disputed_cases(record.audit, record.readers.values(), record.events)
    decided = {one.case.ref: (one.case, one.decided["primary"]) for one in disputed if one.decided is not None}
    finals = [(row.planned.case.ref, _final(row)) for row in rows if row.planned.case.ref in decided and _final(row)]
    return {
        "n_disputed": len(disputed),
        "n_decided": len(decided),
        "with_label": clustered((ref, float(primary in case.labels)) for ref, (case, primary) in decided.items()),
        "readers_with_it": clustered((ref, float(final == decided[ref][1])) for ref, final in finals),
        "decisions": [
            {"case": ref, "decided": primary, "labels": list(case.labels)} for ref, (case, primary) in decided.items()
        ],
    }


def study_csv(record: StudyRecord) -> str:
    """Return the answers of an audit as CSV with a header line; cases not begun are left out."""
    lines = [flat_row(record, row) for row in rows_of(record) if row.state.done]
    out = io.StringIO()
    if lines:
        writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _safe(value) for name, value in line.items()} for line in lines)
    return out.getvalue()


def _safe(value: object) -> object:
    return for_csv(value) if isinstance(value, str) else value
