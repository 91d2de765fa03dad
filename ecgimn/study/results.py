"""The figures of an audit, from its record alone: an export gives the same numbers as the store it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from ecgimn.intended_use import INTENDED_USE
from ecgimn.study.agreement import (
    DIGITS,
    N_BOOTSTRAPS,
    SEED,
    cohen_kappa,
    count_table,
    estimate,
    fleiss_kappa,
    gwet_ac1,
    ratio,
)
from ecgimn.study.answers import ITEMS
from ecgimn.study.record import StudyRecord
from ecgimn.study.regions import cells_of, dice
from ecgimn.study.rows import REGION_SCORES, Row, rows_of

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
            "arms": [{"name": arm.name, "model": arm.model, "method": arm.method} for arm in audit.arms],
            "allocation": audit.allocation,
            "blocks": audit.blocks,
            "shows": list(audit.shows),
            "seed": audit.seed,
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
    called = row.answer.called if row.answer is not None else None
    return row.primary("blind") != called and row.primary("revision") == called


def _agreement(record: StudyRecord, rows: Sequence[Row], step: str) -> dict[str, Any]:
    given = {(row.reader_uid, row.planned.case.ref): row.primary(step) for row in rows}
    readers = sorted({uid for uid, _ in given}, key=lambda uid: (record.readers[uid].pseudonym, uid))
    refs = [case.ref for case in record.audit.cases]
    ratings = [[given.get((uid, ref)) for uid in readers] for ref in refs]
    shared = [row for row in ratings if sum(value is not None for value in row) >= 2]
    counts = count_table(shared, record.audit.classes) if shared else np.zeros((0, len(record.audit.classes)))
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
        called = [name for name in record.audit.classes if any(_called(row) == name for row in of_method)]
        for name in (ALL, *called):
            mine = [row for row in of_method if name in (ALL, _called(row))]
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


def _called(row: Row) -> str:
    return row.answer.called if row.answer is not None else ""


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
