"""Text tables (CSV, TSV): numbers by column, with lead names and units where the first lines hold them.

A semicolon or tab outranks the comma as separator, and then a comma is the decimal point. What the columns are called
decides what they hold; columns without names are asked for.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.limits import MAX_SAMPLES, MAX_SIGNALS, shown
from ecgimn.formats.table import TIME_NAMES, Table, counts_time, leads_are_open
from ecgimn.formats.traces import MILLIVOLT_PER_UNIT, counted
from ecgimn.leads import canonical_lead_name

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_EMPTY = ("", "nan", "na", "-")
_NAME_WITH_UNIT = re.compile(r"(.*?)\s*(?:[\[(]\s*(.{1,12}?)\s*[\])]|_(mv|uv|\u00b5v|\u03bcv|nv))", re.IGNORECASE)
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "milliseconds": 1e-3}
_MAX_HEADER_LINES, _MAX_LINE = 64, 4096
_UNIFORM = 0.01  # relative spread of time steps that still is one sampling frequency


@dataclass(frozen=True)
class _Layout:
    """Where the numbers begin and what stands above them."""

    separator: str  # a regular expression
    decimal: str
    first_row: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    n_comments: int


def read_csv(data: bytes) -> Table:
    """Read a text table's bytes.

    Returns
    -------
    Table
        Leads in columns; names, units and sampling frequency as far as the file states them.

    Raises
    ------
    RecordingFormatError
        The file is no text, holds anything but numbers below its header, or has too many columns or rows.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise RecordingFormatError(
            "The file is neither a known ECG format nor UTF-8 text. WFDB, DICOM, SCP-ECG, EDF, an ECG XML export or a "
            "table of numbers is needed. Export the ECG in one of these."
        ) from exc
    lines = text.splitlines()
    if len(lines) > MAX_SAMPLES + _MAX_HEADER_LINES:
        raise RecordingFormatError(
            f"The table has {len(lines):,} lines. At most {MAX_SAMPLES:,} are read. Export a shorter strip."
        )
    layout = _layout(lines)
    notes = [f"{counted(layout.n_comments, 'header comment')} hidden."] if layout.n_comments else []
    rows = [line for line in lines[layout.first_row :] if line.strip()]
    if len(rows) > 1 and len(_cells(rows[-1], layout.separator)) < len(_cells(rows[0], layout.separator)):
        rows.pop()
        notes.append("The last line is incomplete and left out: the table may be cut short.")
    values = _numbers(rows, layout)
    n_columns = values.shape[1]
    names, units = layout.names, layout.units
    if names and len(names) != n_columns:
        raise RecordingFormatError(
            f"The table names {len(names)} columns and has {n_columns}. One name per column is needed. "
            "Correct the header line."
        )
    fs = _rate_from_time(values, names, units)
    n_left_out = sum(canonical_lead_name(name) is None and not counts_time(name) for name in names)
    if n_left_out and not leads_are_open(names):
        notes.append(f"{counted(n_left_out, 'extra column')} left out.")
    return Table(values, "leads in columns", names, units, fs, notes=tuple(notes))


def _layout(lines: list[str]) -> _Layout:
    """Find separator, header and units in the first lines."""
    content = [(row, line) for row, line in enumerate(lines[:_MAX_HEADER_LINES]) if line.strip()]
    n_comments = sum(line.lstrip().startswith(("#", "%")) for _, line in content)
    content = [(row, line) for row, line in content if not line.lstrip().startswith(("#", "%"))]
    if not content:
        raise _no_table("has no line of numbers")
    if any(len(line) > _MAX_LINE for _, line in content):
        raise _no_table(f"has lines of more than {_MAX_LINE:,} characters")
    sample = content[-1][1]
    if ";" in sample or "\t" in sample:
        separator = ";" if ";" in sample else "\t"
        decimal = "," if any("," in line for line in lines[content[-1][0] :]) else "."
    elif "," in sample:
        separator, decimal = ",", "."
    else:
        separator, decimal = r"\s+", "."
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    for row, line in content[:4]:
        cells = tuple(_cells(line, separator))
        if all(_is_number(cell, decimal) for cell in cells) and any(cell not in _EMPTY for cell in cells):
            return _Layout(separator, decimal, row, names, units, n_comments)
        if not names:
            split = [_name_and_unit(cell) for cell in cells]
            names = tuple(name for name, _ in split)
            units = tuple(unit for _, unit in split)
        elif all(cell.lower() in MILLIVOLT_PER_UNIT or cell.lower() in _SECONDS or cell == "" for cell in cells):
            units = cells
        else:
            break
    raise _no_table(f"has no row of numbers below {shown(content[0][1])}")


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip().strip("\"'").strip() for cell in re.split(separator, line.strip(" "))]


def _is_number(cell: str, decimal: str) -> bool:
    text = cell.replace(decimal, ".", 1) if decimal == "," else cell
    return text.lower() in _EMPTY or _NUMBER.fullmatch(text) is not None


def _name_and_unit(cell: str) -> tuple[str, str]:
    match = _NAME_WITH_UNIT.fullmatch(cell)
    return (match[1].strip(), match[2] or match[3]) if match else (cell, "")


def _numbers(lines: list[str], layout: _Layout) -> NDArray[np.float64]:
    """Return the table below the header, (n_rows, n_columns), with NaN for empty cells."""
    import pandas as pd

    n_columns = len(_cells(lines[0], layout.separator))
    if n_columns > 2 * MAX_SIGNALS:
        raise _no_table(f"has {n_columns:,} columns, more than {2 * MAX_SIGNALS},")
    try:
        frame = pd.read_csv(
            io.StringIO("\n".join(lines)),
            sep=layout.separator,
            decimal=layout.decimal,
            header=None,
            names=list(range(n_columns)),
            index_col=False,
            dtype=np.float64,
            na_values=["NaN", "nan", "NA", "-"],
            skipinitialspace=True,
            quotechar='"',
            on_bad_lines="error",
        )
    except (ValueError, OverflowError, MemoryError) as exc:  # ParserError and EmptyDataError are ValueErrors
        raise _no_table("holds text among its numbers, or rows of different length") from exc
    values: NDArray[np.float64] = frame.to_numpy(dtype=np.float64)
    return values


def _rate_from_time(values: NDArray[np.float64], names: tuple[str, ...], units: tuple[str, ...]) -> float | None:
    """Return the rate that a named time column with a stated unit implies, or None."""
    for column, name in enumerate(names):
        plain = name.strip().lower()
        unit = _SECONDS.get(units[column].lower()) if units else None
        if "_" in plain and plain.rsplit("_", 1)[0] in TIME_NAMES:  # time_s, time_ms
            unit = unit or _SECONDS.get(plain.rsplit("_", 1)[1])
        elif plain not in TIME_NAMES:
            continue
        steps = np.diff(values[:, column])
        if unit is None or steps.size == 0 or not np.all(np.isfinite(steps)) or steps.min() <= 0:
            continue
        mean = float(np.mean(steps))
        # Rounded times alternate between two steps: judge the deviation from a straight line, in steps.
        line = values[0, column] + mean * np.arange(len(values))
        if np.max(np.abs(values[:, column] - line)) <= max(1.0, _UNIFORM * len(values)) * mean:
            return round(1 / (mean * unit), 3)
    return None


def _no_table(found: str) -> RecordingFormatError:
    return RecordingFormatError(
        f"The text file {found}. One column of numbers per lead is needed, with the leads' names in the first line. "
        "Export the ECG as such a table."
    )
