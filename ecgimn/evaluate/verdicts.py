"""Who wins a comparison of methods, figure by figure, and whether the intervals overlap: read off the rows, as data.

Rivals of the shipped model's map are the post-hoc methods, on whatever network, and the published maps. Controls are
none: some of them win by knowing nothing (a picture of |x| never changes under noise).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecgimn.evaluate.deletion import FILLS
from ecgimn.evaluate.localisation import ST_ELEVATION

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
