"""The tables of the report: classes, ledger, ST levels and lines of text. Each returns how far down it reached."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ecgimn.draw.colours import css, evidence_colours, evidence_index
from ecgimn.draw.print_ecg import A4_MM, Sheet
from ecgimn.draw.view import View
from ecgimn.leads import STANDARD_LEADS

if TYPE_CHECKING:
    from ecgimn.explain.explanation import Explanation

ROW_MM = 4.4
MM_PER_MV_TABLE = 10.0  # a column headed "mm" counts 0.1 mV as 1 mm whatever the gain of the picture
DASH = "—"


def draw_classes(sheet: Sheet, x_mm: float, top_mm: float, explanation: Explanation) -> float:
    """Write logit, bias and probability of every class; return the height of the last line."""
    columns = (0.0, 30.0, 52.0, 74.0)
    y = top_mm - ROW_MM
    for x, words in zip(columns, ("class", "probability", "logit", "bias"), strict=True):
        sheet.text(x_mm + x, y, words, size=7, bold=True)
    for index, name in enumerate(explanation.classes):
        y -= ROW_MM
        values = (
            name,
            f"{explanation.probability[index]:.3f}",
            _signed(explanation.logit[index]),
            _signed(explanation.bias[index]),
        )
        for x, words in zip(columns, values, strict=True):
            sheet.text(x_mm + x, y, words, size=7)
    return y


def draw_ledger(
    sheet: Sheet,
    x_mm: float,
    top_mm: float,
    rows: Sequence[tuple[str, str, float]],
    explanation: Explanation,
    view: View,
) -> float:
    """Write the lead by wave table, its lines and the sum that is the logit; return the height of the last line."""
    if not rows:
        return top_mm
    shown = view.class_index if isinstance(view.class_index, tuple) else (view.class_index,)
    name = " − ".join(explanation.classes[index] for index in shown)
    bias = _of_class(explanation.bias, view)
    logit = _of_class(explanation.logit, view)
    cells = [row for row in rows if row[0] in STANDARD_LEADS]
    waves = list(dict.fromkeys(wave for _, wave, _ in cells))
    value = {(lead, wave): amount for lead, wave, amount in cells}
    sheet.text(x_mm, top_mm, f"Contribution to {name} by lead and wave (logit)", size=8, bold=True)
    width = 17.0
    lead_x, y = x_mm, top_mm - ROW_MM - 1.0
    for place, words in enumerate((*waves, "sum")):
        sheet.text(x_mm + 14 + width * place + 8, y, words, size=6.5, bold=True, ha="center")
    limit = max((abs(amount) for _, _, amount in cells), default=0.0) or 1.0
    scale = evidence_colours()
    axes = sheet.axes(0, 0, *A4_MM)
    axes.set_zorder(-1)
    for lead in STANDARD_LEADS:
        y -= ROW_MM
        sheet.text(lead_x, y, lead, size=6.5, bold=True)
        amounts = [value.get((lead, wave), 0.0) for wave in waves]
        for place, amount in enumerate(amounts):
            colour = scale[int(evidence_index(np.asarray(amount), limit))]
            corner = (x_mm + 14 + width * place, y - 1.2)
            cell = Rectangle(corner, width - 0.6, ROW_MM - 0.4, facecolor=css(colour), edgecolor="none", linewidth=0)
            if amount < -0.02 * limit:
                cell.set_hatch("/////")
                cell.set_edgecolor("#FFFFFF")
            axes.add_patch(cell)
            sheet.text(corner[0] + 8, y, _signed(amount, 3), size=6.2, ha="center")
        sheet.text(x_mm + 14 + width * len(waves) + 8, y, _signed(sum(amounts), 3), size=6.2, bold=True, ha="center")
    y -= ROW_MM + 0.8
    sheet.text(lead_x, y, "sum", size=6.5, bold=True)
    for place, wave in enumerate(waves):
        total = sum(value.get((lead, wave), 0.0) for lead in STANDARD_LEADS)
        sheet.text(x_mm + 14 + width * place + 8, y, _signed(total, 3), size=6.2, bold=True, ha="center")
    table = sum(amount for _, _, amount in cells)
    sheet.text(x_mm + 14 + width * len(waves) + 8, y, _signed(table, 3), size=6.2, bold=True, ha="center")
    extra = [(wave, amount) for lead, wave, amount in rows if lead not in STANDARD_LEADS]
    total = table + bias + sum(amount for _, amount in extra)
    lines = "".join(f" {'+' if amount >= 0 else '−'} {abs(amount):.3f} {wave}" for wave, amount in extra)
    y -= ROW_MM + 1.0
    bias_words = f"{'+' if bias >= 0 else '−'} {abs(bias):.3f} bias"
    sheet.text(
        lead_x,
        y,
        f"{_signed(table, 3)} table {bias_words}{lines} = {_signed(total, 3)}; logit {_signed(logit, 3)}; "
        f"residual {abs(total - logit):.1e}. Colours: ±{limit:.2g} logit, largest cell.",
        size=7,
    )
    return y


def draw_st_table(
    sheet: Sheet,
    x_mm: float,
    top_mm: float,
    rows: Sequence[tuple[str, float | None, float | None, float | None, float | None]],
) -> float:
    """Write J, J+60 and J+80 in mV and mm, and the slope; return the height of the last line."""
    if not rows:
        return top_mm
    y = top_mm - ROW_MM
    columns = (0.0, 14.0, 38.0, 62.0, 88.0)
    heads = ("ST", "J mV (mm)", "J+60 mV (mm)", "J+80 mV (mm)", "slope mV/s")
    for x, words in zip(columns, heads, strict=True):
        sheet.text(x_mm + x, y, words, size=6.5, bold=True)
    for lead, j, j60, j80, slope in rows:
        y -= ROW_MM
        values = (lead, _st(j), _st(j60), _st(j80), _signed(slope, 2))
        for x, word in zip(columns, values, strict=True):
            sheet.text(x_mm + x, y, word, size=6.5)
    y -= ROW_MM
    sheet.text(x_mm, y, "1 mm is 0.1 mV here, whatever the gain. Levels come from the unfiltered signal.", size=5.8)
    return y


def draw_lines(
    sheet: Sheet,
    x_mm: float,
    top_mm: float,
    title: str,
    lines: Sequence[str],
    *,
    width_chars: int,
    lowest_mm: float,
) -> float:
    """Write lines of text, wrapped; where the sheet ends, the last line says how many did not fit."""
    if not lines:
        return top_mm
    y = top_mm
    sheet.text(x_mm, y, title, size=7.5, bold=True)
    wrapped = [part for line in lines for part in textwrap.wrap(line, width_chars, subsequent_indent="  ")]
    room = max(1, int((y - lowest_mm) / 3.4))
    if len(wrapped) > room:
        left_out = len(wrapped) - room + 1
        wrapped = [*wrapped[: room - 1], f"({left_out} more lines in the JSON export)"]
    for line in wrapped:
        y -= 3.4
        sheet.text(x_mm, y, line, size=6.2)
    return y


def _of_class(values: NDArray[np.floating], view: View) -> float:
    if isinstance(view.class_index, tuple):
        return float(values[view.class_index[0]] - values[view.class_index[1]])
    return float(values[view.class_index])


def _signed(amount: float | None, digits: int = 2) -> str:
    """Return a number with its sign, or a dash where there is none."""
    if amount is None or not math.isfinite(amount):
        return DASH
    return f"{amount:+.{digits}f}".replace("-", "−")


def _st(level_mv: float | None) -> str:
    if level_mv is None or not math.isfinite(level_mv):
        return DASH
    return f"{_signed(level_mv)} ({_signed(level_mv * MM_PER_MV_TABLE, 1)})"
