"""The folder of a batch run: Parquet tables in numbered parts, each written whole or not at all, and its settings.

    DIR/run.json               what every part was made with; a run with other settings is refused
    DIR/parts/000001/*.parquet the tables of one chunk of recordings

A part is written under another name and renamed when complete, which a file system does at once. A process that is
killed leaves at most an unfinished part, which the next run removes. Which recordings are done follows from the parts.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.leads import STANDARD_LEADS

_WORD = pa.dictionary(pa.int32(), pa.string())
_AT = [("record", pa.string()), ("start_s", pa.float32())]
_INTERVALS = (
    "heart_rate", "rr_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms", "qtc_framingham_ms",
    "qtc_hodges_ms", "axis_deg",
)  # fmt: skip

#: Columns of each table. Logits are in logit, voltages in mV; a missing number is null.
SCHEMAS: dict[str, pa.Schema] = {
    "records": pa.schema(
        [("record", pa.string()), ("status", _WORD), ("windows", pa.int16()), ("rhythm", pa.string()),
         ("af_score", pa.float32()), ("within_scope", pa.bool_())]
    ),
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


SETTINGS = "run.json"
LAYOUT = 2  # of the tables; a folder of another layout cannot be gone on with


@dataclass(frozen=True)
class Settings:
    """What every part of a run was made with.

    Attributes
    ----------
    model, sha256 : str
        Name and hash of the model.
    classes : tuple of str
    thresholds : tuple of float
        Operating point per class, on the probability.
    waves : {"all leads", "five leads", "not looked for"}
    fs : str
        Rate of PTB-XL records: "100", "500" or "best".
    source : str
        Kind of the source and a hash of its place, so that two sources are not mixed up.
    version : str
        Of this program.
    layout : int
    """

    model: str
    sha256: str
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    waves: str
    fs: str
    source: str
    version: str
    layout: int = LAYOUT


class Output:
    """A folder that parts are written to; made by `open_output`, one process at a time."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings = settings
        self._parts = folder / "parts"
        self._parts.mkdir(exist_ok=True)
        for left in self._parts.glob("unfinished-*"):
            shutil.rmtree(left)
        self._number = max((int(part.name) for part in part_folders(folder)), default=0)

    def write(self, tables: Tables) -> None:
        """Add a part: all tables of some recordings, at once."""
        self._number += 1
        unfinished = self._parts / f"unfinished-{self._number:06d}"
        unfinished.mkdir()
        for name, table in tables.items():
            path = unfinished / f"{name}.parquet"
            pq.write_table(table, path, compression="zstd")
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        unfinished.rename(self._parts / f"{self._number:06d}")


@contextmanager
def open_output(folder: Path, settings: Settings) -> Iterator[Output]:
    """Open a folder for writing: a new one, or one made with the very same settings.

    Raises
    ------
    SourceError
        The folder belongs to a run with other settings, to something else, or to a run that is under way.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as exc:
        raise SourceError(f"The output folder cannot be written ({exc.strerror}). Choose another with --out.") from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the system when the process ends, killed too
        except OSError as exc:
            raise SourceError(
                "Another batch run is writing to this folder. Only one may. Wait for it, or choose another with --out."
            ) from exc
        if (folder / SETTINGS).is_file():
            _check_same(read_settings(folder), settings)
        elif any(path.name != ".lock" for path in folder.iterdir()):
            raise SourceError(
                "The output folder holds other files. An empty or new folder, or one of an earlier run, is needed. "
                "Choose another with --out."
            )
        else:
            unfinished = folder / f"{SETTINGS}.unfinished"
            unfinished.write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")
            unfinished.rename(folder / SETTINGS)
        yield Output(folder, settings)


def read_settings(folder: Path) -> Settings:
    """Read what a run was made with.

    Raises
    ------
    SourceError
        The folder is not that of a batch run.
    """
    try:
        content = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        content["classes"], content["thresholds"] = tuple(content["classes"]), tuple(content["thresholds"])
        return Settings(**content)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise SourceError(
            f"The folder {folder.name!r} is not that of a batch run ({SETTINGS} is missing or damaged). "
            "Name the folder that was given with --out."
        ) from exc


def _check_same(found: Settings, wanted: Settings) -> None:
    before, now = asdict(found), asdict(wanted)
    differing = [name for name in now if before[name] != now[name]]
    if differing:
        shown = [name for name in differing if name not in ("source", "classes", "thresholds")]
        words = "; ".join(f"{name} was {str(before[name])[:16]}, now {str(now[name])[:16]}" for name in shown)
        raise SourceError(
            f"This folder was begun with other settings ({words or ', '.join(differing) + ' differs'}). All rows of a "
            "run must come from the same. Use the same settings, or choose another folder with --out."
        )


def part_folders(folder: Path) -> list[Path]:
    """Return the complete parts of a run, in order."""
    parts = folder / "parts"
    return sorted(part for part in parts.iterdir() if part.name.isdecimal()) if parts.is_dir() else []


def read_table(folder: Path, name: str, *, columns: list[str] | None = None, filters: object = None) -> pa.Table:
    """Read one table of a run, over all its parts.

    Parameters
    ----------
    folder : Path
    name : str
        A key of `ecgimn.batch.output.SCHEMAS`.
    columns : list of str, optional
    filters : optional
        As in `pyarrow.parquet.read_table`.
    """
    paths = [part / f"{name}.parquet" for part in part_folders(folder)]
    if not paths:
        return SCHEMAS[name].empty_table().select(columns or SCHEMAS[name].names)
    return pq.read_table(paths, columns=columns, filters=filters, schema=SCHEMAS[name])


def done_records(folder: Path) -> set[str]:
    """Return the names of the recordings that some part holds, explained or not."""
    return set(read_table(folder, "records", columns=["record"])["record"].to_pylist())
