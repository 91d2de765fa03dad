"""The tables of a batch run: their columns, and one chunk's rows on the way to Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ecgimn.leads import STANDARD_LEADS

_WORD = pa.dictionary(pa.int32(), pa.string())
_AT = [("record", pa.string()), ("start_s", pa.float32())]
_INTERVALS = (
    "heart_rate", "rr_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms", "qtc_framingham_ms",
    "qtc_hodges_ms", "axis_deg",
)  # fmt: skip

#: Columns of each table. Logits are in logit, voltages in mV; a missing number is null.
SCHEMAS: dict[str, pa.Schema] = {
    "records": pa.schema([("record", pa.string()), ("status", _WORD), ("windows", pa.int16())]),
    "predictions": pa.schema(
        [*_AT, ("class", _WORD), ("logit", pa.float64()), ("probability", pa.float64()), ("bias", pa.float64()),
         ("completeness_error", pa.float32())]
    ),
    "ledger": pa.schema([*_AT, ("class", _WORD), ("lead", _WORD), ("wave", _WORD), ("logit", pa.float32())]),
    "st": pa.schema(
        [
            *_AT, ("lead", _WORD), ("j_mv", pa.float32()), ("j60_mv", pa.float32()), ("j80_mv", pa.float32()),
            ("slope_mv_per_s", pa.float32()), ("shape", _WORD), ("t_mv", pa.float32()), ("t_grade", _WORD),
        ]
    ),
    "intervals": pa.schema(
        [
            *_AT, *((name, pa.float32()) for name in _INTERVALS), ("beats", pa.int16()), ("beats_used", pa.int16()),
            ("st_elevation_leads", pa.string()), ("waves", _WORD), ("reason", pa.string()),
        ]
    ),
    "quality": pa.schema(
        [
            *_AT, ("duration_s", pa.float32()), ("fs", pa.float32()), ("usable", pa.bool_()),
            ("refusals", pa.string()), ("warnings", pa.string()), ("einthoven_residual_mv", pa.float32()),
            ("gap_share", pa.float32()), ("wander_mv", pa.float32()), ("hum_mv", pa.float32()),
            ("muscle_mv", pa.float32()), ("digest", pa.string()),
        ]
    ),
    "errors": pa.schema([("record", pa.string()), ("kind", _WORD), ("reason", pa.string())]),
    "beats": pa.schema(
        [
            ("class", _WORD), ("lead", _WORD), ("ms", pa.int16()), ("records", pa.int32()), ("mv_sum", pa.float64()),
            ("logit_sum", pa.float64()),
        ]
    ),
}  # fmt: skip

Tables = dict[str, pa.Table]
BEAT_MS = np.arange(-300, 500, 10)  # start of each 10 ms of the mean beat, from R


class Rows:
    """Rows of all tables of one chunk, collected in order."""

    def __init__(self) -> None:
        self._columns: dict[str, dict[str, list[Any]]] = {
            name: {column: [] for column in schema.names} for name, schema in SCHEMAS.items()
        }
        self._beats: dict[str, list[NDArray[np.float64]]] = {}

    def add(self, table: str, **values: object) -> None:
        """Add one row; a column that is not named is null, and so is a number that is not finite."""
        for column, cells in self._columns[table].items():
            value = values.get(column)
            missing = isinstance(value, float | np.floating) and not np.isfinite(value)
            cells.append(None if missing else value)

    def extend(self, table: str, values: Mapping[str, Sequence[object] | np.ndarray[Any, Any]]) -> None:
        """Add many rows, all columns named."""
        for column, cells in self._columns[table].items():
            cells.extend(values[column])

    def sum_beat(
        self, class_name: str, mv: NDArray[np.float64], logit: NDArray[np.float64], covered: NDArray[np.bool_]
    ) -> None:
        """Add one recording's mean beat and its evidence, shape (12, len(BEAT_MS)) both, to the sums of a class.

        Both are zero beyond the beat's window; `covered`, shape (len(BEAT_MS),), says where it lies.
        """
        one = (np.broadcast_to(covered, mv.shape).astype(np.float64), mv, logit)
        sums = self._beats.setdefault(class_name, [np.zeros(mv.shape) for _ in one])
        for total, value in zip(sums, one, strict=True):
            total += value

    def tables(self) -> Tables:
        """Return the rows as Arrow tables."""
        for name, (records, mv, logit) in self._beats.items():
            self.extend(
                "beats",
                {
                    "class": [name] * mv.size,
                    "lead": [lead for lead in STANDARD_LEADS for _ in BEAT_MS],
                    "ms": BEAT_MS.tolist() * len(STANDARD_LEADS),
                    "records": records.ravel().astype(int).tolist(),
                    "mv_sum": mv.ravel(),
                    "logit_sum": logit.ravel(),
                },
            )
        self._beats.clear()
        return {
            name: pa.table({column: pa.array(cells, schema.field(column).type) for column, cells in rows.items()})
            for (name, rows), schema in zip(self._columns.items(), SCHEMAS.values(), strict=True)
        }
