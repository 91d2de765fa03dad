"""The folder of a batch run: Parquet tables in numbered parts, and what every part was made with.

    DIR/run.json                    what every part was made with; a run with other settings is refused
    DIR/TABLE/part-000065.parquet   the rows of one chunk of recordings
    DIR/TABLE/part-000001-000064.parquet   the rows of 64 chunks, merged
    DIR/fhir/NAME.json, DIR/dicom-sr/NAME.dcm   a file a window, where asked for

The folder is on this machine or on any file system that fsspec knows. A file is written whole or not at all, and the
file of `records` last: a part is there when its records are, so a process that is killed leaves at most files without
records, which the next run removes. Small parts are merged as the run goes on; a merged file is written before those
that it replaces are removed, and its name says which they are. Each file holds units, meanings and settings.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.quality import MOST_UNLIKE

if TYPE_CHECKING:
    from ecgimn.hospital import HospitalKind

_WORD = pa.dictionary(pa.int32(), pa.string())


def _column(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    """Return a column that carries its unit and its meaning into every file."""
    return pa.field(name, kind, metadata={"unit": unit, "meaning": meaning} if unit else {"meaning": meaning})


_RECORD = _column("record", pa.string(), "name of the recording: ptbxl-ID, its path in the source, or a salted hash")
_START = _column("start_s", pa.float32(), "start of the window in the recording", "s")
_CLASS = _column("class", _WORD, "class of the model")
_LEAD = _column("lead", _WORD, "one of the twelve standard leads")

#: Columns of each table, with type, meaning and unit; a missing number is null.
SCHEMAS: dict[str, pa.Schema] = {
    "records": pa.schema(
        [
            _RECORD,
            _column("status", _WORD, "explained, refused by the quality check, failed, or skipped as no ECG"),
            _column("windows", pa.int16(), "windows of at most ten seconds"),
            _column("rhythm", pa.string(), "rhythm statements of its windows"),
            _column("af_score", pa.float32(), "atrial fibrillation score, highest of its windows, 0 to 1"),
            _column("within_scope", pa.bool_(), "whether all its windows are within the scope of the models"),
            _column("distance", pa.float32(), f"largest from the training data of its windows; limit {MOST_UNLIKE:g}"),
            _column("criteria", pa.string(), "textbook criteria met in some window; ? where they may be secondary"),
        ]
    ),
    "predictions": pa.schema(
        [
            _RECORD, _START, _CLASS,
            _column("logit", pa.float64(), "of the class", "logit"),
            _column("probability", pa.float64(), "sigmoid of the logit; classes do not exclude each other"),
            _column("bias", pa.float64(), "what the ledger's rows add up to the logit with", "logit"),
            _column("completeness_error", pa.float32(), "largest difference between the sum and the logit", "logit"),
            _column("zone", _WORD, "rule out, uncertain, rule in, or outside what the model was taught"),
            _column("reasons", _WORD, "whether a textbook criterion on the ECG is used, as booked"),
        ]
    ),
    "ledger": pa.schema(
        [
            _RECORD, _START, _CLASS, _LEAD,
            _column("wave", _WORD, "wave of the beat, or all where no waves were looked for"),
            _column("logit", pa.float32(), "contribution of the lead's wave to the logit of the class", "logit"),
        ]
    ),
    "st": pa.schema(
        [
            _RECORD, _START, _LEAD,
            _column("j_mv", pa.float32(), "voltage at J against the PQ level", "mV"),
            _column("j60_mv", pa.float32(), "voltage 60 ms after J", "mV"),
            _column("j80_mv", pa.float32(), "voltage 80 ms after J", "mV"),
            _column("slope_mv_per_s", pa.float32(), "slope of the ST segment", "mV/s"),
            _column("shape", _WORD, "shape of the ST segment"),
            _column("t_mv", pa.float32(), "amplitude of the T wave", "mV"),
            _column("t_grade", _WORD, "T wave in words"),
        ]
    ),
    "intervals": pa.schema(
        [
            _RECORD, _START,
            _column("heart_rate", pa.float32(), "heart rate", "1/min"),
            _column("rr_ms", pa.float32(), "RR interval", "ms"),
            _column("pr_ms", pa.float32(), "PR interval", "ms"),
            _column("qrs_ms", pa.float32(), "QRS duration", "ms"),
            _column("qt_ms", pa.float32(), "QT interval", "ms"),
            _column("qtc_bazett_ms", pa.float32(), "QT interval corrected by Bazett", "ms"),
            _column("qtc_fridericia_ms", pa.float32(), "QT interval corrected by Fridericia", "ms"),
            _column("qtc_framingham_ms", pa.float32(), "QT interval corrected by Framingham", "ms"),
            _column("qtc_hodges_ms", pa.float32(), "QT interval corrected by Hodges", "ms"),
            _column("axis_deg", pa.float32(), "frontal QRS axis", "degree"),
            _column("beats", pa.int16(), "beats found"),
            _column("beats_used", pa.int16(), "beats of the median beat"),
            _column("st_elevation_leads", pa.string(), "leads beyond their ST-elevation threshold"),
            _column("waves", _WORD, "how the waves were found"),
            _column("reason", pa.string(), "why nothing was measured"),
        ]
    ),
    "quality": pa.schema(
        [
            _RECORD, _START,
            _column("duration_s", pa.float32(), "length of the window", "s"),
            _column("fs", pa.float32(), "sampling frequency", "Hz"),
            _column("usable", pa.bool_(), "whether the quality check lets the model run"),
            _column("refusals", pa.string(), "why not"),
            _column("warnings", pa.string(), "what the reader should know"),
            _column("einthoven_residual_mv", pa.float32(), "deviation from the limb-lead relations", "mV"),
            _column("gap_share", pa.float32(), "share of samples that are missing, 0 to 1"),
            _column("wander_mv", pa.float32(), "baseline wander", "mV"),
            _column("hum_mv", pa.float32(), "power-line hum", "mV"),
            _column("muscle_mv", pa.float32(), "muscle noise", "mV"),
            _column("digest", pa.string(), "SHA-256 of the samples; PTB-XL only"),
        ]
    ),
    "errors": pa.schema(
        [
            _RECORD,
            _column("kind", _WORD, "kind of the error"),
            _column("reason", pa.string(), "what was found, what is needed, what to do"),
            _column("retry", pa.bool_(), "true where the cause is not the file: tried again when the run is resumed"),
        ]
    ),
    "differences": pa.schema(
        [
            _RECORD,
            _column("earlier", pa.string(), "the same patient's ECG before"),
            _column("days", pa.float32(), "days between the two; empty where a date is missing"),
            _CLASS,
            _column("logit_earlier", pa.float64(), "of the earlier ECG", "logit"),
            _column("logit", pa.float64(), "of this ECG", "logit"),
            _column("change", pa.float64(), "voltage, weights and bias add up to it", "logit"),
            _column("voltage", pa.float64(), "part of the change that came from the voltage", "logit"),
            _column("weights", pa.float64(), "part that came from the weights", "logit"),
            _column("bias", pa.float64(), "change of bias and baseline term", "logit"),
            _column("first", pa.string(), "kind of the change named first"),
            _column("named", pa.string(), "changes beyond day-to-day variability, in words"),
            _column("mimics", pa.string(), "what may mimic a change"),
            _column("completeness_error", pa.float32(), "largest deviation of the parts' sum", "logit"),
        ]
    ),
    "beats": pa.schema(
        [
            _CLASS, _LEAD,
            _column("ms", pa.int16(), "start of the 10 ms, from R", "ms"),
            _column("records", pa.int32(), "recordings summed"),
            _column("mv_sum", pa.float64(), "sum of their voltages about the isoelectric level", "mV"),
            _column("logit_sum", pa.float64(), "sum of their contributions to the logit", "logit"),
        ]
    ),
}  # fmt: skip

Tables = dict[str, pa.Table]
REPORTS = "reports"  # on the way to the folder: path and content of files
LONGEST_NAME = 200  # bytes; most file systems allow 255
BEAT_MS = np.arange(-300, 500, 10)  # start of each 10 ms of the mean beat, from R


class Rows:
    """Rows of all tables of one chunk, collected in order."""

    def __init__(self) -> None:
        self._columns: dict[str, dict[str, list[Any]]] = {
            name: {column: [] for column in schema.names} for name, schema in SCHEMAS.items()
        }
        self._beats: dict[str, list[NDArray[np.float64]]] = {}
        self._reports: list[tuple[str, bytes]] = []

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

    def add_report(self, kind: HospitalKind, record: str, start_s: float, content: bytes) -> None:
        """Add a file of a window, named after its recording; of a later window, with its start in seconds."""
        from ecgimn.hospital import HOSPITAL_SUFFIXES

        name = quote(record, safe=" ")
        if len(name) > LONGEST_NAME:
            name = hashlib.sha256(record.encode()).hexdigest()
        window = f"-{start_s:g}s" if start_s else ""
        self._reports.append((f"{kind}/{name}{window}{HOSPITAL_SUFFIXES[kind]}", content))

    def tables(self) -> Tables:
        """Return the rows as Arrow tables; with those of REPORTS where there are files."""
        tables = self._written()
        if self._reports:
            paths, contents = zip(*self._reports, strict=True)
            tables[REPORTS] = pa.table({"path": pa.array(paths), "content": pa.array(contents, pa.large_binary())})
        return tables

    def _written(self) -> Tables:
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
LAYOUT = 3  # of the tables; a folder of another layout can be read, and not gone on with
MERGED = 64  # chunks in a merged part: some hundred thousand rows of the ledger
_PART = re.compile(r"part-(\d{6,})(?:-(\d{6,}))?\.parquet")


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
    reports : str
        Files a window: "", "fhir", "dicom-sr" or both with a space.
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
    reports: str = ""


@dataclass(frozen=True)
class Place:
    """A folder or file, here or on a remote file system.

    Attributes
    ----------
    fs : fsspec.AbstractFileSystem
    path : str
        Within the file system.
    local : bool
    """

    fs: Any
    path: str
    local: bool

    def __truediv__(self, name: str) -> Place:
        return Place(self.fs, f"{self.path}/{name}", self.local)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def names(self) -> list[str]:
        """Return the names of what lies in the folder, sorted; empty where there is no such folder."""
        try:
            found = self.fs.ls(self.path, detail=False, refresh=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

    def write(self, content: bytes) -> None:
        """Write a file, whole or not at all."""
        if not self.local:
            self.fs.pipe_file(self.path, content)  # an object store shows a file once it is complete
            return
        path = Path(self.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent / f".unfinished-{path.name}"
        with unfinished.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        unfinished.replace(path)

    def remove(self) -> None:
        """Remove a file that may be gone already."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.path)


def is_remote(place: Path | str) -> bool:
    """Whether a place is the address of a remote file system: "s3://bucket/folder"."""
    return "://" in str(place)


def open_place(place: Path | str) -> Place:
    """Return where a path or an address leads.

    Raises
    ------
    SourceError
        No file system of that kind is known, or its package is not installed.
    """
    if not is_remote(place):
        return Place(fsspec.filesystem("file"), os.path.abspath(place), True)
    try:
        fs, path = fsspec.core.url_to_fs(str(place))
    except (ImportError, ValueError) as exc:
        kind = str(place).partition("://")[0]
        raise SourceError(
            f"An address that begins with {kind[:20]!r} cannot be opened here. The fsspec package for it is needed "
            "(s3fs for s3, gcsfs for gs, adlfs for abfs, aiohttp for http). Install it, or name a local folder."
        ) from exc
    return Place(fs, str(path).rstrip("/"), False)


class Output:
    """A folder that parts are written to; made by `open_output`, one process at a time.

    Attributes
    ----------
    forgotten : int
        Recordings of earlier runs that failed for other reasons than their files; they are to be tried again.
    """

    def __init__(self, folder: Path | str, settings: Settings) -> None:
        self.settings = settings
        self._folder = open_place(folder)
        parts = _parts(self._folder)
        _remove_others(self._folder, parts)
        self.forgotten = self._forget_faults(parts)
        self._number = max((last for _, last in parts), default=0)

    def write(self, tables: Tables) -> None:
        """Add a part: all tables of some recordings; merge the small parts when there are many."""
        self._number += 1
        reports = tables.pop(REPORTS, None)  # before the records, without which they are written again
        for report in [] if reports is None else reports.to_pylist():
            kind, _, name = report["path"].partition("/")
            (self._folder / kind / name).write(report["content"])
        self._write_part((self._number, self._number), tables)
        if self._number % MERGED == 0:
            self.merge()

    def merge(self) -> None:
        """Merge the small parts at the end of the run so far into one."""
        parts = _parts(self._folder)
        small: list[tuple[int, int]] = []
        while parts and parts[-1][1] - parts[-1][0] + 1 < MERGED:
            small.insert(0, parts.pop())
        if len(small) < 2:
            return
        merged = {name: _merged(name, [self._read(name, part) for part in small]) for name in SCHEMAS}
        whole = (small[0][0], small[-1][1])
        self._write_part(whole, merged)
        _remove_others(self._folder, [*parts, whole])

    def _write_part(self, part: tuple[int, int], tables: Tables) -> None:
        for name in (*(name for name in tables if name != "records"), "records"):
            self._write_table(name, part, tables[name])

    def _write_table(self, name: str, part: tuple[int, int], table: pa.Table) -> None:
        about = {"ecgimn": json.dumps({"table": name, **asdict(self.settings)})}
        content, schema = io.BytesIO(), SCHEMAS[name].with_metadata(about)
        with pq.ParquetWriter(content, schema, compression="zstd") as writer:
            for group in _row_groups(name, table.cast(schema)):
                writer.write_table(group)
        (self._folder / name / _file_name(part)).write(content.getvalue())

    def _read(self, name: str, part: tuple[int, int]) -> pa.Table:
        path = (self._folder / name / _file_name(part)).path
        with _readable([path]), self._folder.fs.open(path, "rb") as handle:
            return pq.read_table(handle, schema=SCHEMAS[name])

    def _forget_faults(self, parts: Sequence[tuple[int, int]]) -> int:
        """Take out the recordings that failed for other reasons than their files, so that they are tried again."""
        n = 0
        for part in parts:
            errors = self._read("errors", part)
            again = pc.fill_null(errors["retry"], False)
            if not pc.any(again).as_py():
                continue
            names = errors.filter(again)["record"].combine_chunks()
            n += len(names)
            for name in ("records", "errors"):  # stopped in between, the next run finds the rows of errors again
                table = self._read(name, part)
                left = table.filter(pc.invert(pc.is_in(table["record"], value_set=names)))
                self._write_table(name, part, left)
        return n


def _row_groups(name: str, table: pa.Table) -> list[pa.Table]:
    """Cut a table by class, so that a reader of one class passes over the others; windows stay in their order."""
    if name not in ("predictions", "ledger"):
        return [table]
    words = table["class"].cast(pa.string())
    return [table.filter(pc.equal(words, one)) for one in pc.unique(words)]


def _file_name(part: tuple[int, int]) -> str:
    first, last = part
    return f"part-{first:06d}.parquet" if first == last else f"part-{first:06d}-{last:06d}.parquet"


def _parts(folder: Place) -> list[tuple[int, int]]:
    """Return first and last chunk of each part that is complete and not merged into another, in order."""
    found = [_PART.fullmatch(name) for name in (folder / "records").names()]
    spans = sorted(
        ((int(match[1]), int(match[2] or match[1])) for match in found if match), key=lambda at: (at[0], -at[1])
    )
    parts: list[tuple[int, int]] = []
    for span in spans:
        if not parts or span[0] > parts[-1][1]:
            parts.append(span)
    return parts


def _remove_others(folder: Place, parts: Sequence[tuple[int, int]]) -> None:
    """Remove the files that belong to no complete part: unfinished ones, and those that were merged."""
    kept = {_file_name(part) for part in parts}
    for name in ("records", *(name for name in SCHEMAS if name != "records")):
        for file in (folder / name).names():
            if file not in kept and (_PART.fullmatch(file) or file.startswith(".unfinished-")):
                (folder / name / file).remove()


def _merged(name: str, tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables as one; the sums of beats are added up, class by class."""
    table = pa.concat_tables(tables).cast(SCHEMAS[name])
    if name != "beats" or not table.num_rows:
        return table.unify_dictionaries()
    size, summed = len(STANDARD_LEADS) * len(BEAT_MS), []  # each part holds whole beats, in the order of leads and time
    for class_name in pc.unique(table["class"].cast(pa.string())).to_pylist():
        rows = table.filter(pc.equal(table["class"].cast(pa.string()), class_name))
        columns = {column: rows[column].slice(0, size) for column in ("class", "lead", "ms")}
        for column in ("records", "mv_sum", "logit_sum"):
            columns[column] = pa.array(rows[column].to_numpy().reshape(-1, size).sum(axis=0))
        summed.append(pa.table(columns).cast(SCHEMAS[name]))
    return pa.concat_tables(summed).unify_dictionaries()


@contextmanager
def open_output(folder: Path | str, settings: Settings) -> Iterator[Output]:
    """Open a folder for writing: a new one, or one made with the very same settings; small parts are merged at the end.

    On this machine a second run that writes to the same folder is refused; a remote file system knows no such lock.

    Raises
    ------
    SourceError
        The folder belongs to a run with other settings, to something else, or to a run that is under way.
    """
    place = open_place(folder)
    try:
        place.fs.makedirs(place.path, exist_ok=True)
        lock = (Path(place.path) / ".lock").open("w") if place.local else None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or type(exc).__name__
        raise SourceError(
            f"The output folder cannot be written ({reason}). A folder that may be written is needed. Choose another "
            "with --out."
        ) from exc
    with lock or nullcontext():
        if lock is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the system when the process ends
            except OSError as exc:
                raise SourceError(
                    "Another batch run is writing to this folder. Only one may. Wait for it, or choose another with "
                    "--out."
                ) from exc
        there = place.names()
        if SETTINGS in there:
            _check_same(read_settings(folder), settings)
        elif any(name not in (".lock", f".unfinished-{SETTINGS}") for name in there):
            raise SourceError(
                "The output folder holds other files. An empty or new folder, or one of an earlier run, is needed. "
                "Choose another with --out."
            )
        else:
            (place / SETTINGS).write((json.dumps(asdict(settings), indent=1) + "\n").encode())
        output = Output(folder, settings)
        yield output
        output.merge()


def read_settings(folder: Path | str) -> Settings:
    """Read what a run was made with.

    Raises
    ------
    SourceError
        The folder is not that of a batch run.
    """
    place = open_place(folder)
    try:
        content = json.loads(place.fs.cat_file((place / SETTINGS).path))
        content["classes"], content["thresholds"] = tuple(content["classes"]), tuple(content["thresholds"])
        return Settings(**content)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise SourceError(
            f"The folder {place.name!r} is not that of a batch run ({SETTINGS} is missing or damaged). "
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


def part_names(folder: Path | str) -> list[str]:
    """Return the names of the complete parts of a run, in order: "part-000001-000064"."""
    place = open_place(folder)
    return [_file_name(part).removesuffix(".parquet") for part in _parts(place)] or _old_parts(place)


def read_table(
    folder: Path | str, name: str, *, columns: list[str] | None = None, class_name: str | None = None
) -> pa.Table:
    """Read one table of a run, over all its parts.

    Parameters
    ----------
    folder : Path or str
        Of this machine, or the address of one that fsspec opens.
    name : str
        A key of `ecgimn.batch.output.SCHEMAS`.
    columns : list of str, optional
    class_name : str, optional
        Only the rows of this class.
    """
    place = open_place(folder)
    attempts = 3
    while True:
        attempts -= 1
        paths = [(place / name / _file_name(part)).path for part in _parts(place)]
        if not paths and name != "differences":  # which layout 2 had not
            paths = [(place / "parts" / part / f"{name}.parquet").path for part in _old_parts(place)]
        if not paths:
            return SCHEMAS[name].empty_table().select(columns or SCHEMAS[name].names)
        try:
            with _readable(paths):
                if class_name is not None:
                    wanted = pa.schema([SCHEMAS[name].field(column) for column in columns or SCHEMAS[name].names])
                    return pa.concat_tables([_of_class(place, path, wanted, class_name) for path in paths])
                return pq.read_table(paths, columns=columns, schema=SCHEMAS[name], filesystem=place.fs)
        except FileNotFoundError:  # a run that is under way has merged parts since they were listed
            if not attempts:
                raise


def _of_class(place: Place, path: str, wanted: pa.Schema, class_name: str) -> pa.Table:
    """Read the rows of a class; pass over groups of rows that cannot hold it, which pyarrow does not do for words."""
    with place.fs.open(path, "rb") as handle:
        file = pq.ParquetFile(handle)
        at, groups = file.schema_arrow.get_field_index("class"), []
        for number in range(file.num_row_groups):
            known = file.metadata.row_group(number).column(at).statistics
            if known is None or not known.has_min_max or known.min <= class_name <= known.max:
                groups.append(number)
        here = [name for name in dict.fromkeys(["class", *wanted.names]) if name in file.schema_arrow.names]
        table = file.read_row_groups(groups, columns=here)
    table = table.filter(pc.equal(table["class"].cast(pa.string()), class_name))
    columns = [
        table[field.name].cast(field.type) if field.name in here else pa.nulls(len(table), field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)


@contextmanager
def _readable(paths: Sequence[str]) -> Iterator[None]:
    """Name the parts of which one is damaged where a table cannot be read; one that is gone stays a missing file."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, KeyError) as exc:
        first, last = (path.rpartition("/")[2] for path in (paths[0], paths[-1]))
        which = first if first == last else f"one of {first} to {last}"
        raise SourceError(
            f"A part of this run cannot be read ({which}). Whole parts "
            "are needed. Delete that file from every folder of the run and start the run again: its recordings are "
            "explained again."
        ) from exc


def _old_parts(place: Place) -> list[str]:
    """Return the parts of a folder of layout 2, which had one folder a part."""
    return [name for name in (place / "parts").names() if name.isdecimal()]


def done_records(folder: Path | str) -> set[str]:
    """Return the names of the recordings that some part holds, explained or not."""
    return set(read_table(folder, "records", columns=["record"])["record"].to_pylist())
