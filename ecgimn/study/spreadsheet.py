"""The answers of an audit as CSV, one line per reader and case, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

from ecgimn.study.record import StudyRecord
from ecgimn.study.rows import flat_row, rows_of

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell of text that begins so would be run as a formula


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
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
