"""What a comparison of methods comes to, in sentences that follow from its figures and say so where we lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecgimn.explain.narrative import signed

NOTHING = "—"
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
