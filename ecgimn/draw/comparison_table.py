"""The comparison of methods, as `python -m ecgimn compare-methods` writes it, in rows for the screen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgimn.errors import SourceError
from ecgimn.places import shipped

COMPARISON = shipped("docs") / "faithfulness.json"
NOTHING = "—"
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
        if not isinstance(content, dict) or not {"rows", "networks", "command", "n"} <= content.keys():
            raise ValueError("it holds something else")
    except (OSError, ValueError) as exc:
        raise SourceError(
            f"No comparison of methods is at hand: {path.name} cannot be read ({exc}). Measure it with: "
            "python -m ecgimn compare-methods --ptbxl DIR --fold 10 --json docs/faithfulness.json"
        ) from exc
    return content


def comparison_rows(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row per network and method; each figure with its 95 % interval where it has one."""
    return [
        {
            "Network": row["network"],
            "Explained by": row["method"],
            "R² of changes": with_interval(row["fidelity"]["r2"]),
            "R² after the best line": with_interval(row["fidelity"]["r2_rescaled"]),
            "Slope": with_interval(row["fidelity"]["slope"]),
            "R², edits not trained on": with_interval(row["fidelity"]["r2_unseen"]),
            **{f"Degradation, {fill} (SD)": with_interval(value) for fill, value in row["degradation"].items()},
            **{f"Top 6 cells gone, {fill} (SD)": with_interval(value) for fill, value in row["top_cells"].items()},
            "Planted ST found": _share(row["planted"].get("ST elevation +0.2 mV", {}).get("pointing")),
            "All planted found": _share(_mean([plant["pointing"] for plant in row["planted"].values()])),
            "Territory hit": _share(_mean([place["hit"] for place in row["territory"].values()])),
            "20 dB noise": _number(row["stability"]["noise_20_db"]),
            "80 ms shift": _number(row["stability"]["shift_80_ms"]),
            "Random weights": _number(row["stability"]["random_weights"]),
            "Other seed": _number(row["stability"]["seeds"]),
            "Cells for 90 %": f"{row['cells_for_90_percent']:.0f}",
            "Time (ms)": f"{row['cpu_ms']:,.0f}",
        }
        for row in content["rows"]
    ]


def network_rows(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return one row per network: what holds of it whatever explains it."""
    return [
        {
            "Network": row["network"],
            "Classes": ", ".join(row["classes"]),
            "Records": f"{row['n']:,}",
            "Macro AUROC": with_interval(row["macro_auroc"], digits=3),
            "Variance of the logit that is bias": _share(row["bias_share"], digits=2),
        }
        for row in content["networks"]
    ]


def write_into(document: str, content: Mapping[str, Any]) -> str:
    """Return a Markdown document with the tables between its two marks made anew.

    Raises
    ------
    SourceError
        The document does not hold the marks.
    """
    start, _, rest = document.partition(MARKS[0])
    _, found, end = rest.partition(MARKS[1])
    if not found:
        raise SourceError(f"The document holds no place for the tables. The lines {' and '.join(MARKS)} are needed.")
    n = content["n"]
    words = (
        f"`{content['command']}`\n\n"
        f"Fold {content['fold']}, model {content.get('model')}, sha256 {str(content.get('sha256'))[:16]}; "
        f"{n['cases']} records edited and emptied, {n['planted']} planted in, {n['stability']} for noise, shift and "
        f"random weights; intervals: {content['interval']}."
    )
    tables = "\n\n".join(_markdown(rows) for rows in (comparison_rows(content), network_rows(content)))
    return f"{start}{MARKS[0]}\n\n{words}\n\n{tables}\n\n{MARKS[1]}{end}"


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def with_interval(values: Sequence[float | None], digits: int = 2) -> str:
    """Return "0.91 (0.88 to 0.93)", with true minus signs; a dash where there is no value."""
    if values[0] is None:
        return NOTHING
    value, low, high = (_number(part, digits) for part in values)
    return value if NOTHING in (low, high) else f"{value} ({low} to {high})"


def _number(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", "−")


def _share(value: float | None, digits: int = 0) -> str:
    return NOTHING if value is None else f"{100 * value:.{digits}f} %"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
