"""Text tables (CSV, TSV, rdsamp and PhysioBank exports, Excel's Unicode text): numbers by column, or one lead a row.

The lines tell how they are written: what separates cells, whether a comma is a decimal point or groups thousands, where
the numbers begin, what stands above them. What the columns are called decides what they hold; columns without names are
asked for. No text of a table is put into a message: a preface may name the patient.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import NotAnEcgError, RecordingFormatError
from ecgimn.formats.limits import MAX_SAMPLES, MAX_SIGNALS
from ecgimn.formats.table import SECONDS, Table, counts_time, is_clock, is_date, leads_are_open, seconds, split_name
from ecgimn.formats.traces import counted
from ecgimn.leads import INDEPENDENT_LEADS, canonical_lead_name
from ecgimn.recording import MAX_FS, MILLIVOLT_PER_UNIT, MIN_FS

Separator = Literal["\t", ";", ",", " "]

_NUMBER = re.compile(r"[-+]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][-+]?\d{1,4})?", re.ASCII)
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:[.,]\d{3}){1,4}", re.ASCII)
_LOOSE_GROUPS = re.compile(r"(?<=\d)['\u2019\u00a0\u202f](?=\d{3}(?!\d))")
_BRACKETED = re.compile(r"\[[^\[\]\n]{1,40}\]")
_RATE = re.compile(
    r"(?:sampl[a-z]{1,5}[ _-]{0,2}(?:rate|freq[a-z.]{0,6})|(?<![a-z])fs|sfreq)[^0-9a-z]{1,8}"
    r"(?:\(?hz\)?[^0-9a-z]{1,4})?(\d{2,5}(?:\.\d{1,4})?)[\"']?[ ,;\t]{0,4}(?:hz|hertz|samples|1/s|/s|$)"
)
_EMPTY = ("", "nan", "na", "-", "null", "none")
_COMMENT = ("#", "%", "//")
_SCANNED_LINES, _MAX_LINE, _PROBED_LINES = 200, 4096, 12
_LONG_ROW = 100  # cells; a line with more holds one lead, not one time


@dataclass(frozen=True)
class _Dialect:
    """How the numbers of a table are written."""

    separator: Separator
    decimal: str
    thousands: str | None


@dataclass(frozen=True)
class _Layout:
    """Where the numbers begin and what stands above them."""

    first_row: int
    n_columns: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    n_hidden: int
    fs: float | None  # as a line of the preface says


def read_text_table(data: bytes) -> Table:
    """Read a text table's bytes.

    Returns
    -------
    Table
        With names and units as far as the file states them; clock times become a column of seconds.

    Raises
    ------
    RecordingFormatError
        The file is no text, holds anything but numbers below its header, or has too many columns or rows.
    """
    lines = _decoded(data).replace("\u2212", "-").splitlines()  # a minus sign as typesetters write it
    if len(lines) > MAX_SAMPLES + _SCANNED_LINES:
        raise RecordingFormatError(
            f"The table has {len(lines):,} lines. At most {MAX_SAMPLES:,} are read. Export a shorter strip."
        )
    separator, lines = _announced_separator(lines)
    rows = _lead_rows(lines, separator)
    if rows is not None:
        return rows
    separator = separator or _separator(lines)
    if separator == " ":
        lines = [_BRACKETED.sub(_joined, line) if "[" in line else line for line in lines]
    layout = _layout(lines, separator)
    body = [line for line in lines[layout.first_row :] if line.strip()]
    notes = [f"{counted(layout.n_hidden, 'header comment')} hidden."] if layout.n_hidden else []
    if len(body) > 1 and len(_cells(body[-1], separator)) < layout.n_columns:
        body.pop()
        notes.append("The last line is incomplete and left out: the table may be cut short.")
    dialect, body = _dialect(body, separator)
    if dialect.thousands is not None:
        notes.append("Numbers with separators of thousands.")
    values, names, units, dated = _columns(body, dialect, layout)
    if dated:
        notes.append("Date and time hidden.")
    n_left_out = sum(canonical_lead_name(name) is None and not counts_time(name) for name in names)
    if n_left_out and not leads_are_open(names):
        notes.append(f"{counted(n_left_out, 'extra column')} left out.")
    return Table(values, "leads in columns", names, units, layout.fs, notes=tuple(notes))


def _decoded(data: bytes) -> str:
    """Return the text in UTF-8, UTF-16, or the Windows code page in which a micro sign is one byte."""
    pairs = data[:400]
    wide = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(data[:2])
    if wide is None and len(pairs) >= 8 and b"\x00" in pairs:
        wide = "utf-16-le" if not any(pairs[1::2]) else "utf-16-be" if not any(pairs[::2]) else None
    try:
        return data.decode(wide or "utf-8-sig")
    except UnicodeDecodeError as exc:
        try:
            text = "" if wide else data.decode("cp1252")
        except UnicodeDecodeError:
            text = ""
        if any(map(str.isdigit, text[:_MAX_LINE])) and all(
            char.isprintable() or char in "\t\r\n\u00a0\u00ad" for char in text[:_MAX_LINE]
        ):
            return text
        raise RecordingFormatError(
            "The file is neither a known ECG format nor UTF-8 text. WFDB, DICOM, SCP-ECG, EDF, an ECG XML export or a "
            "table of numbers is needed. Export the ECG in one of these."
        ) from exc


def _announced_separator(lines: list[str]) -> tuple[Separator | None, list[str]]:
    """Return what a first line such as "sep=;" announces, and the lines below it."""
    first = lines[0].strip().strip('"').lower() if lines else ""
    announced: dict[str, Separator] = {"sep=;": ";", "sep=,": ",", "sep=\\t": "\t", "sep=tab": "\t", "sep=": "\t"}
    found = announced.get(first)
    return found, lines[1:] if found else lines


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_COMMENT)


def _joined(match: re.Match[str]) -> str:
    return match[0].replace(" ", "T")


def _cells(line: str, separator: Separator) -> list[str]:
    """Return the cells of a line, without quotes around them."""
    if separator == " ":
        parts = line.split()
    elif '"' in line:
        parts = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    else:
        parts = line.strip(" ").split(separator)
    return [cell.strip().strip("\"'").strip() for cell in parts]


def _is_number(cell: str) -> bool:
    """Whether a cell is a number in any spelling, or an empty one."""
    if cell.lower() in _EMPTY or _NUMBER.fullmatch(cell) or _NUMBER.fullmatch(cell.replace(",", ".", 1)):
        return True
    plain = _LOOSE_GROUPS.sub("", cell)
    if plain != cell and (_NUMBER.fullmatch(plain) or _NUMBER.fullmatch(plain.replace(",", ".", 1))):
        return True
    head, comma, tail = cell.rpartition(",") if cell.rfind(",") > cell.rfind(".") else cell.rpartition(".")
    return _GROUPED.fullmatch(cell) is not None or bool(comma and tail.isdigit() and _GROUPED.fullmatch(head))


def _is_value(cell: str) -> bool:
    return _is_number(cell) or is_clock(cell) or is_date(cell)


def _separator(lines: list[str]) -> Separator:
    """Return what separates the cells of the numbers, judged by lines well below the header."""
    content = [line for line in lines[:_SCANNED_LINES] if line.strip() and not _is_comment(line)]
    if not content:
        raise _no_table("has no line of numbers")
    probes = content[-_PROBED_LINES:]
    if any(len(line) > _MAX_LINE for line in content):
        raise _no_table(f"has lines of more than {_MAX_LINE:,} characters")
    for separator in ("\t", ";"):
        if sum(separator in line for line in probes) > len(probes) // 2:
            return separator
    blank = [line.split() for line in probes]
    if all(len(cells) > 1 and all(_is_value(cell) and not cell.endswith(",") for cell in cells) for cells in blank):
        return " "
    return "," if any("," in line for line in probes) else " "


def _layout(lines: list[str], separator: Separator) -> _Layout:
    """Find the first line of numbers, and names and units among the lines above it."""
    content = [(row, line) for row, line in enumerate(lines[:_SCANNED_LINES]) if line.strip()]
    comments = [(row, line.lstrip(" #%/")) for row, line in content if _is_comment(line)]
    table = [(row, _cells(line, separator)) for row, line in content if not _is_comment(line)]
    if not table:
        raise _no_table("has no line of numbers")
    n_columns = Counter(len(cells) for _, cells in table[-_PROBED_LINES:]).most_common(1)[0][0]
    of_values = (
        len(cells) == n_columns and all(map(_is_value, cells)) and any(cell.lower() not in _EMPTY for cell in cells)
        for _, cells in table
    )
    start = next((place for place, found in enumerate(of_values) if found), None)
    if start is None:
        raise _no_table("has no row of numbers among its first lines")
    if n_columns > MAX_SIGNALS:
        raise _no_table(f"has {n_columns:,} columns, more than {MAX_SIGNALS},")
    numbered = start + 1 < len(table) and _counts_columns(table[start][1]) and not _counts_columns(table[start + 1][1])
    above = [(row, _padded(cells, table[-_PROBED_LINES:], n_columns)) for row, cells in table[:start]]
    start += numbered
    names, units = _header([cells for _, cells in above], n_columns)
    if not names and not numbered:
        names, units = _header([_cells(line, separator) for _, line in comments], n_columns, known=True)
    if not names and any(len(cells) > 1 for _, cells in above[-1:]) and len(above[-1][1]) >= len(INDEPENDENT_LEADS):
        raise RecordingFormatError(
            f"The table names {len(above[-1][1])} columns and has {n_columns}. One name per column is needed. "
            "Correct the header line, or the separator if the decimal point is written as a comma."
        )
    n_used = (1 if names else 0) + (1 if any(units) and len(above) > 1 else 0)
    n_preface = sum(any(cells) for _, cells in above) - n_used
    said = [line for row, line in content if row < table[start][0]]
    return _Layout(table[start][0], n_columns, names, units, max(n_preface, 0) + len(comments), _said_rate(said))


def _padded(cells: list[str], probes: list[tuple[int, list[str]]], n_columns: int) -> list[str]:
    """Return a line above the numbers with the name it lacks: of an index, or of what follows a last separator."""
    rows = [numbers for _, numbers in probes if len(numbers) == n_columns]
    if len(cells) != n_columns - 1 or len(rows) < 3:
        return cells
    if all(numbers[-1] == "" for numbers in rows):
        return [*cells, ""]
    index = [int(numbers[0]) if numbers[0].isdecimal() and len(numbers[0]) < 9 else -1 for numbers in rows]
    return ["", *cells] if index == list(range(index[0], index[0] + len(index))) else cells


def _said_rate(lines: list[str]) -> float | None:
    """Return the sampling frequency that a line above the table states, in Hz; None where lines differ."""
    found = set()
    for line in lines:
        match = _RATE.search(line[:200].lower())
        if match and MIN_FS <= float(match[1]) <= MAX_FS:
            found.add(float(match[1]))
    return found.pop() if len(found) == 1 else None


def _counts_columns(cells: list[str]) -> bool:
    """Whether a row numbers the columns: 0, 1, 2, ... or 1, 2, 3, ..., after an empty cell where there is an index."""
    numbers = [cell.removesuffix(".0") for cell in (cells[1:] if cells and cells[0] == "" else cells)]
    if len(numbers) < 8 or not all(cell.isdecimal() and len(cell) < 4 for cell in numbers):
        return False
    counted_up = [int(cell) for cell in numbers]
    return counted_up[0] in (0, 1) and counted_up == list(range(counted_up[0], counted_up[0] + len(counted_up)))


def _header(rows: list[list[str]], n_columns: int, *, known: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and units from the lowest lines above the numbers; only a row with a known lead, if `known`."""
    units: tuple[str, ...] = ()
    for cells in reversed(rows[-8:]):
        if len(cells) == n_columns + 1 and counts_time(" ".join(cells[:2])):  # "Elapsed time" between blanks
            cells = [" ".join(cells[:2]), *cells[2:]]
        lowered = [cell.lower().strip("()[]") for cell in cells]
        if not any(lowered):
            continue
        if len(cells) in (n_columns, n_columns - 1) and all(_is_unit(cell) for cell in lowered) and not units:
            units = ("",) * (n_columns - len(cells)) + tuple(cell.strip("()[]") for cell in cells)
            continue
        if len(cells) != n_columns or (known and not any(canonical_lead_name(split_name(c)[0]) for c in cells)):
            if known:
                continue
            return (), units
        split = [split_name(cell) for cell in cells]
        names = tuple(name for name, _ in split)
        if not units:
            units = tuple(unit for _, unit in split)
        return names, units
    return (), units


def _is_unit(cell: str) -> bool:
    return cell == "" or cell in MILLIVOLT_PER_UNIT or cell in SECONDS or set(cell) <= set("hmsdy:./- ")


def _dialect(body: list[str], separator: Separator) -> tuple[_Dialect, list[str]]:
    """Tell decimal points from separators of thousands, and return the lines without loose separators.

    A group of three digits after the mark, in numbers that never begin with 0 and stand among plain whole numbers, is
    thousands: numbers with decimals would have them everywhere.
    """
    text = "\n".join(body)
    if any(mark in text for mark in "'\u2019\u00a0\u202f"):
        text = _LOOSE_GROUPS.sub("", text)
        body = text.split("\n")
    marks = [mark for mark in ".," if mark in text and not (mark == "," and separator == "," and '"' not in text)]
    if not marks:
        return _Dialect(separator, ".", None), body
    tokens = partial(_tokens, body, separator)
    if len(marks) == 2:
        both = next((token for token in tokens() if "." in token and "," in token), None)
        if both is not None:
            decimal = "." if both.rfind(".") > both.rfind(",") else ","
            return _checked(_Dialect(separator, decimal, "," if decimal == "." else "."), tokens()), body
    for mark in reversed(marks):  # a comma first
        if not all(_GROUPED.fullmatch(token) for token in tokens() if mark in token):
            continue
        n_marked = sum(mark in token for token in tokens())
        if sum(token.lstrip("+-").isdigit() for token in tokens()) > n_marked > 0:
            return _checked(_Dialect(separator, "." if mark == "," else ",", mark), tokens()), body
        if n_marked and mark == ",":
            raise RecordingFormatError(
                "The numbers of the table have a comma that may be a decimal point or a separator of thousands. One "
                "meaning is needed. Export the table with a decimal point and without separators of thousands."
            )
    decimal = "," if "," in marks and any("," in token for token in tokens()) else "."
    return _Dialect(separator, decimal, None), body


def _tokens(body: list[str], separator: Separator) -> Iterator[str]:
    """Yield the cells that are no clock times."""
    for line in body:
        yield from (cell for cell in _cells(line, separator) if ":" not in cell)


def _checked(dialect: _Dialect, tokens: Iterator[str]) -> _Dialect:
    """Refuse separators of thousands that do not stand before three digits each: they would change the number."""
    mark = dialect.thousands or ""
    for token in tokens:
        if mark in token and not _GROUPED.fullmatch(token.rpartition(dialect.decimal)[0] or token):
            raise RecordingFormatError(
                "The numbers of the table have decimal points and separators of thousands in no one order. One "
                "spelling is needed. Export the table without separators of thousands."
            )
    return dialect


def _columns(
    body: list[str], dialect: _Dialect, layout: _Layout
) -> tuple[NDArray[np.float64], tuple[str, ...], tuple[str, ...], bool]:
    """Return numbers (n_rows, n_columns) with NaN for empty cells, names, units, and whether dates were dropped."""
    import pandas as pd

    cells = _cells(body[0], dialect.separator)
    clocks = [place for place, cell in enumerate(cells) if not _is_number(cell) and is_clock(cell)]
    dates = [place for place, cell in enumerate(cells) if not _is_number(cell) and place not in clocks]
    try:
        frame = pd.read_csv(
            io.StringIO("\n".join(body)),
            sep=r"\s+" if dialect.separator == " " else dialect.separator,
            decimal=dialect.decimal,
            thousands=dialect.thousands,
            header=None,
            names=list(range(layout.n_columns)),
            index_col=False,
            dtype={place: str if place in {*clocks, *dates} else np.float64 for place in range(layout.n_columns)},
            na_values=["NaN", "nan", "NA", "-", "null", "None"],
            skipinitialspace=True,
            quotechar="'" if "'" in body[0] and '"' not in body[0] else '"',
            on_bad_lines="error",
        )
    except (ValueError, OverflowError, MemoryError) as exc:  # ParserError and EmptyDataError are ValueErrors
        raise _no_table("holds text among its numbers, or rows of different length") from exc
    names, units = list(layout.names), list(layout.units) or [""] * layout.n_columns
    for place in clocks:
        times = seconds([str(cell) for cell in frame[place]])
        if not np.isfinite(times).all():
            raise _no_table("holds something else among its clock times")
        frame[place] = times - times[0]
        units[place] = "s"
        if names and not counts_time(names[place]):
            names[place] = "time"
    kept = [place for place in range(layout.n_columns) if place not in dates]
    values: NDArray[np.float64] = frame[kept].to_numpy(dtype=np.float64)
    return (
        values,
        tuple(names[place] for place in kept) if names else (),
        tuple(units[place] for place in kept) if any(units) else (),
        bool(clocks or dates),
    )


def _lead_rows(lines: list[str], separator: Separator | None) -> Table | None:
    """Return a table in which each line is one lead, with its name in the first cell or without; None for any other."""
    content = [line for line in lines if line.strip() and not _is_comment(line)]
    if not 1 <= len(content) <= MAX_SIGNALS or len(content[-1]) < 2 * _LONG_ROW:
        return None
    last = content[-1]
    marks: tuple[Separator, ...] = ("\t", ";", ",", " ")
    found: Separator = next((mark for mark in marks if mark in last), " ")
    chosen = found if separator is None else separator
    table = [_cells(line, chosen) for line in content]
    lengths = {len(cells) for cells in table if len(cells) >= _LONG_ROW}
    rows = [cells for cells in table if len(cells) >= _LONG_ROW]
    if not rows or len(lengths) > 1:
        return None
    named = [not _is_number(cells[0]) for cells in rows]
    if all(named):
        names, units = zip(*(split_name(cells[0]) for cells in rows), strict=True)
        rows = [cells[1:] for cells in rows]
    elif any(named[1:]):
        return None
    else:
        names, units = (), ()
        if named[0]:  # a header of sample numbers or times that belongs to no lead
            return None
    decimal = "," if chosen != "," and any("," in cell for cell in rows[0]) else "."
    try:
        values = np.array([[_number(cell, decimal) for cell in cells] for cells in rows], dtype=np.float64)
    except ValueError as exc:
        raise _no_table("holds text among its numbers, or rows of different length") from exc
    return Table(values, "leads in rows", tuple(names), tuple(units) if any(units) else ())


def _number(cell: str, decimal: str) -> float:
    if cell.lower() in _EMPTY:
        return float("nan")
    text = cell.replace(",", ".", 1) if decimal == "," else cell
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return float(text)


def _no_table(found: str) -> NotAnEcgError:
    return NotAnEcgError(
        f"The text file {found}. One column of numbers per lead is needed, with the leads' names in the first line. "
        "Export the ECG as such a table."
    )
