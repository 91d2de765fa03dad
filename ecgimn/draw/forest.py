"""Figures with their intervals, one below the other, as SVG: for the screen and for a report without any library."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

ROW_PX, LABEL_PX, PLOT_PX, VALUE_PX, TOP_PX = 24, 230, 300, 170, 26
LIGHT = {"text": "#1f2937", "line": "#9ca3af", "mark": "#0b5cad"}
DARK = {"text": "#e5e7eb", "line": "#6b7280", "mark": "#7ab8f5"}


@dataclass(frozen=True)
class ForestRow:
    """One line: a name, and [value, low, high] or None where it is undefined."""

    name: str
    estimate: Sequence[float | None] | None


def words(estimate: Sequence[float | None] | None, digits: int = 2) -> str:
    """Return "0.61 (0.44 to 0.78)", the value alone without interval, or a dash."""
    if estimate is None or estimate[0] is None:
        return "—"
    value, low, high = (None if part is None else f"{part:.{digits}f}".replace("-", "−") for part in estimate)
    return f"{value}" if low is None or high is None else f"{value} ({low} to {high})"


def forest_svg(
    rows: Sequence[ForestRow], *, limits: tuple[float, float], title: str, at: float | None = None, dark: bool = False
) -> str:
    """Draw values with their 95 % intervals.

    Parameters
    ----------
    rows : sequence of ForestRow
    limits : tuple of (float, float)
        Ends of the axis; what passes them is cut there.
    title : str
        Read out to those who do not see it.
    at : float, optional
        Where a reference line stands.
    dark : bool

    Returns
    -------
    str
        SVG that begins with `<svg `.
    """
    colours = DARK if dark else LIGHT
    low_end, high_end = limits
    width, height = LABEL_PX + PLOT_PX + VALUE_PX, TOP_PX + ROW_PX * max(len(rows), 1) + 8

    def x(value: float) -> float:
        share = (min(max(value, low_end), high_end) - low_end) / (high_end - low_end)
        return round(LABEL_PX + share * (PLOT_PX - 20) + 10, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
        f'aria-label="{html.escape(title, quote=True)}" font-family="Source Sans Pro, Helvetica, Arial, sans-serif" '
        f'font-size="13" fill="{colours["text"]}">'
    ]
    marks = {low_end, high_end, *(() if at is None else (at,))}
    for mark in sorted(marks):
        dash = ' stroke-dasharray="3 3"' if mark == at else ""
        parts.append(
            f'<line x1="{x(mark)}" x2="{x(mark)}" y1="{TOP_PX - 6}" y2="{height - 4}" stroke="{colours["line"]}" '
            f'stroke-width="1"{dash}/><text x="{x(mark)}" y="{TOP_PX - 11}" text-anchor="middle" font-size="11">'
            f"{mark:g}</text>".replace(">-", ">−")
        )
    for place, row in enumerate(rows):
        y = TOP_PX + ROW_PX * place + ROW_PX / 2
        parts.append(f'<text x="{LABEL_PX - 8}" y="{y + 4}" text-anchor="end">{html.escape(row.name)}</text>')
        if row.estimate is not None and row.estimate[0] is not None:
            value, low, high = row.estimate
            if low is not None and high is not None:
                parts.append(
                    f'<line x1="{x(low)}" x2="{x(high)}" y1="{y}" y2="{y}" stroke="{colours["mark"]}" '
                    'stroke-width="2"/>'
                )
            parts.append(f'<circle cx="{x(value or 0.0)}" cy="{y}" r="4.5" fill="{colours["mark"]}"/>')
        parts.append(f'<text x="{LABEL_PX + PLOT_PX + 8}" y="{y + 4}">{html.escape(words(row.estimate))}</text>')
    return "".join([*parts, "</svg>"])
