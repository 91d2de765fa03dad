"""PTB-XL in a local folder: its table with labels, single recordings, and the samples of many.

Wagner et al., Scientific Data 7:154 (2020), doi:10.13026/kfzx-aw45, version 1.0.3. Labels follow the benchmark of
Strodthoff et al. (doi:10.1109/JBHI.2020.3022989): every diagnostic statement counts, whatever its likelihood; folds
1 to 8 train, 9 chooses, 10 tests.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgimn.errors import RecordingError, RecordingFormatError, SourceError
from ecgimn.formats.limits import MAX_FILE_BYTES, MAX_HEADER_BYTES, read_bounded
from ecgimn.formats.wfdb_header import WfdbHeader, parse_header
from ecgimn.formats.wfdb_record import wfdb_recording
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording, Sex

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
TRAINING_FOLDS = tuple(range(1, 9))
FOLDER_VARIABLE = "ECGIMN_PTBXL"

_AGE_90_OR_OLDER = 300  # how the publisher stores ages above 89
_NEEDED_COLUMNS = ("age", "sex", "strat_fold", "scp_codes", "filename_lr", "filename_hr")
#: Columns of names, and the kind of statement in scp_statements.csv that each lists.
_LISTS = {"diagnostic_subclass": "diagnostic", "rhythm": "rhythm", "form": "form"}
#: Some copies of the table write these names without the published underscore.
_PUBLISHED_SPELLING = {name.strip("_"): name for name in ("_AVB", "ISC_", "NST_", "NT_", "STD_", "STE_", "TAB_")}
_STATEMENT_COLUMNS = ("diagnostic", "form", "rhythm", "diagnostic_class", "diagnostic_subclass")


def read_table(path: Path | None, find_statements: Callable[[], Path | None]) -> pd.DataFrame:
    """Read ptbxl_database.csv.

    Parameters
    ----------
    path : path or None
        None when the table is not there.
    find_statements : callable
        Returns the path of scp_statements.csv, or None; called only when labels must be derived.

    Returns
    -------
    DataFrame
        Indexed by ecg_id, the published columns, with `age` 300 written as 90, `scp_codes` as {statement: likelihood},
        and added where they are not there: the five superclasses (0 or 1), `diagnostic_subclass`, `rhythm` and `form`
        (tuples of names in the published spelling) and `seen_in_training` (folds 1 to 8).

    Raises
    ------
    SourceError
        The table or the statements are missing, or do not have the published columns and values.
    """
    if path is None:
        raise SourceError(
            "ptbxl_database.csv is not in the PTB-XL folder. The published table is needed. "
            f"Set {FOLDER_VARIABLE} to the folder that holds it."
        )
    table = _read_csv(path, ("ecg_id", *_NEEDED_COLUMNS)).set_index("ecg_id").sort_index()
    if table.index.has_duplicates or not pd.api.types.is_integer_dtype(table.index):
        raise SourceError(
            "The ecg_id column of ptbxl_database.csv holds doubles or no numbers. One number per record is needed. "
            "Download the table again."
        )
    for column in ("age", "strat_fold", *(name for name in SUPERCLASSES if name in table.columns)):
        _check_numbers(table, column)
    codes = [_codes(text) for text in table["scp_codes"]]
    table["scp_codes"] = pd.Series(codes, index=table.index, dtype=object)
    table["age"] = table["age"].where(table["age"] != _AGE_90_OR_OLDER, 90.0)
    for column in _LISTS:
        if column in table.columns:
            table[column] = pd.Series([_names(text) for text in table[column]], index=table.index, dtype=object)
    if any(name not in table.columns for name in (*SUPERCLASSES, *_LISTS)):
        _derive_labels(table, codes, _statements(find_statements()))
    table = table.astype(dict.fromkeys(SUPERCLASSES, "uint8"))
    table["seen_in_training"] = table["strat_fold"].isin(TRAINING_FOLDS)
    return table


def _derive_labels(table: pd.DataFrame, codes: list[dict[str, float]], statements: pd.DataFrame) -> None:
    """Add the label columns that the table does not have, from its statements."""
    for column, kind in _LISTS.items():
        if column not in table.columns:
            named = statements[statements[kind] == 1]
            target = named["diagnostic_subclass"] if column == "diagnostic_subclass" else named.index.to_series()
            names = target.dropna().to_dict()
            values = [_mapped(record, names) for record in codes]
            table[column] = pd.Series(values, index=table.index, dtype=object)
    if any(name not in table.columns for name in SUPERCLASSES):
        classes = statements.loc[statements["diagnostic"] == 1, "diagnostic_class"].dropna().to_dict()
        found = [_mapped(record, classes) for record in codes]
        for name in SUPERCLASSES:
            table[name] = [name in record for record in found]


def _statements(path: Path | None) -> pd.DataFrame:
    if path is None:
        raise SourceError(
            "scp_statements.csv is not in the PTB-XL folder. It turns statements into the five classes. "
            "Put it beside ptbxl_database.csv."
        )
    statements = _read_csv(path, _STATEMENT_COLUMNS)
    return statements.set_index(statements.columns[0])


def _read_csv(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a table and see that it has the published columns."""
    try:
        table = pd.read_csv(path, low_memory=False)
    except (OSError, ValueError) as exc:
        raise SourceError(f"{path.name} cannot be read. The published table is needed. Download it again.") from exc
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise SourceError(
            f"{path.name} has no column {', '.join(missing)}. The published columns are needed. Download it again."
        )
    return table


def _check_numbers(table: pd.DataFrame, column: str) -> None:
    """See that a column holds what is published: folds 1 to 10, labels 0 or 1, ages as numbers or nothing."""
    numbers = pd.to_numeric(table[column], errors="coerce")
    if column == "age":
        fits = table[column].isna() | np.isfinite(numbers)
    else:
        fits = numbers.isin(range(1, 11) if column == "strat_fold" else (0, 1))
    if not fits.all():
        raise SourceError(
            f"The column {column} of ptbxl_database.csv holds {int((~fits).sum()):,} cells that cannot be read. "
            "Numbers as published are needed. Download the table again."
        )
    table[column] = numbers


def _mapped(record: dict[str, float], target: dict[str, str]) -> tuple[str, ...]:
    """Return what a record's codes map to, each once, in the order of the codes."""
    return tuple(dict.fromkeys(target[code] for code in record if code in target))


def _codes(text: object) -> dict[str, float]:
    """Return the statements of one cell with their likelihoods; an empty cell gives none."""
    value = _literal(text) if isinstance(text, str) else {}
    if not isinstance(value, dict):
        raise _bad_cell()
    try:
        return {str(code): float(likelihood) for code, likelihood in value.items()}
    except (TypeError, ValueError) as exc:
        raise _bad_cell() from exc


def _names(text: object) -> tuple[str, ...]:
    """Return the list of names in one cell; an empty cell gives none."""
    value = _literal(text) if isinstance(text, str) else []
    if not isinstance(value, list):
        raise _bad_cell()
    return tuple(_PUBLISHED_SPELLING.get(str(name), str(name)) for name in value)


@lru_cache(maxsize=4096)
def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as exc:
        raise _bad_cell() from exc


def _bad_cell() -> SourceError:
    return SourceError(
        "A cell of ptbxl_database.csv cannot be read. Codes as published are needed. Download the table again."
    )


__all__ = ["FOLDER_VARIABLE", "SUPERCLASSES", "PtbXl", "open_ptbxl"]

_FILE_COLUMN = {100: "filename_lr", 500: "filename_hr"}
_N_SAMPLES = {100: 1000, 500: 5000}


class PtbXl:
    """A PTB-XL folder, complete or in part.

    Parameters
    ----------
    folder : path
        Holds ptbxl_database.csv, scp_statements.csv, records100/ and records500/ as published. A table with the extra
        columns NORM to HYP works too; those columns are then trusted over labels derived from `scp_codes`.
    fetch : callable, optional
        Called with a path below `folder` such as "records500/00000/00001_hr.hea" before that file is read; sees to it
        that the right file is there, or raises `SourceError`. Without it, what is missing stays missing.

    Raises
    ------
    SourceError
        The table is not there or does not have the published columns.

    Attributes
    ----------
    table : DataFrame
        One row per record, indexed by ecg_id; see `ecgimn.sources.ptbxl.read_table`.
    """

    def __init__(self, folder: Path | str, *, fetch: Callable[[str], object] | None = None) -> None:
        try:
            self.folder = Path(folder).expanduser().resolve()
        except (OSError, ValueError, RuntimeError) as exc:
            raise SourceError(
                "The PTB-XL folder leads nowhere. A folder that holds ptbxl_database.csv is needed. "
                "Check its path and links."
            ) from exc
        self._fetch = fetch
        self.table = read_table(self._existing("ptbxl_database.csv"), lambda: self._existing("scp_statements.csv"))

    @cached_property
    def folds(self) -> pd.Series[int]:
        """Stratified fold (1 to 10) of each record, indexed by ecg_id."""
        return self.table["strat_fold"].astype(int)

    def ids(self, folds: Iterable[int] | None = None, *, fs: int | None = None) -> NDArray[np.int64]:
        """Return the records in the given folds (default: all), in order; with `fs`, only those here at that rate."""
        chosen = self.table if folds is None else self.table[self.folds.isin(list(folds))]
        ids: NDArray[np.int64] = chosen.index.to_numpy(dtype=np.int64)
        if fs is None:
            return ids
        column = _file_column(fs)
        here = [self._existing(f"{name}.dat", fetch=False) is not None for name in chosen[column]]
        return np.array([ecg_id for ecg_id, is_here in zip(ids, here, strict=True) if is_here], dtype=np.int64)

    def labels(self, ids: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return 0 or 1 per record and class, (N, 5), classes in the order of `SUPERCLASSES`."""
        self._check_known(ids)
        labels: NDArray[np.uint8] = self.table.loc[list(ids), list(SUPERCLASSES)].to_numpy(dtype=np.uint8)
        return labels

    def seen_in_training(self, ecg_id: int) -> bool:
        """Whether the record belongs to folds 1 to 8, on which the models of this project were trained."""
        self._check_known([ecg_id])
        return bool(self.table.at[ecg_id, "seen_in_training"])

    @cached_property
    def _in_time(self) -> pd.DataFrame:
        """Patient and time of each record, in order of patient and time; empty where the table does not say.

        Records of PTB-XL are numbered in the order of time. Where the dates of a table bear that out, the number
        gives the place of a record whose own date is missing; otherwise such a record is left out.
        """
        if not {"patient_id", "recording_date"} <= set(self.table.columns):
            return pd.DataFrame({"patient": [], "time": []}, index=pd.Index([], dtype=np.int64))
        times = pd.to_datetime(self.table["recording_date"], errors="coerce", format="ISO8601", utc=True)
        times = times.dt.tz_localize(None)
        rows = pd.DataFrame({"patient": self.table["patient_id"], "time": times}).dropna(subset="patient")
        rows["record"] = rows.index
        dated = times.dropna()
        if len(dated) > 1 and dated.is_monotonic_increasing:  # the table is in the order of its numbers
            return rows.sort_values(["patient", "record"])[["patient", "time"]]
        return rows.dropna().sort_values(["patient", "time", "record"])[["patient", "time"]]

    def same_patient(self, ecg_id: int) -> tuple[int, ...]:
        """Return the records of a record's patient in the order of time, itself among them.

        The table says who is who (`patient_id`) and when (`recording_date`, shifted by the publisher); where it does
        not, the record stands alone.
        """
        self._check_known([ecg_id])
        rows = self._in_time
        if ecg_id not in rows.index:
            return (ecg_id,)
        return tuple(int(other) for other in rows.index[rows["patient"] == rows.at[ecg_id, "patient"]])

    def earlier(self, ecg_id: int) -> int | None:
        """Return the record of the same patient before this one; None where there is none."""
        records = self.same_patient(ecg_id)
        place = records.index(ecg_id)
        return records[place - 1] if place else None

    def date(self, ecg_id: int) -> str:
        """Return the day of a record as published, "1987-03-02"; empty where it is not known."""
        rows = self._in_time
        known = ecg_id in rows.index and not pd.isna(rows.at[ecg_id, "time"])
        return f"{rows.at[ecg_id, 'time']:%Y-%m-%d}" if known else ""

    def days_between(self, earlier: int, later: int) -> float | None:
        """Return the days between two records; None where a date is missing."""
        rows = self._in_time
        if earlier not in rows.index or later not in rows.index:
            return None
        days = (rows.at[later, "time"] - rows.at[earlier, "time"]) / pd.Timedelta(days=1)
        return None if pd.isna(days) else float(days)

    def pairs(self, folds: Iterable[int] | None = None) -> list[tuple[int, int]]:
        """Return each record with the one before it of the same patient, earlier first, for all patients."""
        rows = self._in_time
        if folds is not None:
            rows = rows[self.folds.reindex(rows.index).isin(list(folds))]
        same = (rows["patient"].to_numpy()[1:] == rows["patient"].to_numpy()[:-1]).nonzero()[0]
        records = rows.index.to_numpy()
        return [(int(records[k]), int(records[k + 1])) for k in same]

    def rates(self, ecg_id: int) -> tuple[int, ...]:
        """Return the sampling frequencies, in Hz, at which the record can be read here."""
        self._check_known([ecg_id])
        if self._fetch is not None:
            return tuple(_FILE_COLUMN)
        names = {fs: str(self.table.at[ecg_id, column]) for fs, column in _FILE_COLUMN.items()}
        here = {fs: [self._existing(f"{name}.hea"), self._existing(f"{name}.dat")] for fs, name in names.items()}
        return tuple(fs for fs, paths in here.items() if all(paths))

    def recording(self, ecg_id: int, fs: int = 500) -> Recording:
        """Read one record.

        Parameters
        ----------
        ecg_id : int
        fs : {100, 500}, default=500
            Hz.

        Raises
        ------
        SourceError
            There is no such record, or its files are not there at this rate.
        RecordingError
            The files are damaged.
        """
        self._check_known([ecg_id])
        row = self.table.loc[ecg_id]
        header, data = self._files(ecg_id, fs)
        age = None if pd.isna(row["age"]) else round(float(row["age"]))
        sexes: dict[object, Sex] = {0: "male", 1: "female"}
        recording = wfdb_recording(header, data, age=age, sex=sexes.get(row["sex"]), source="PTB-XL")
        return replace(recording, record_name=f"PTB-XL {ecg_id} ({fs} Hz)")

    def signals(self, ids: Sequence[int] | NDArray[np.integer], fs: int = 100) -> NDArray[np.int16]:
        """Read the samples of many records at once, for training and evaluation.

        Parameters
        ----------
        ids : sequence of int
        fs : {100, 500}, default=100
            Hz.

        Returns
        -------
        ndarray of shape (N, 12, n_samples), int16
            Microvolts (the published step), leads in the order of `STANDARD_LEADS`; 1,000 or 5,000 samples.

        Raises
        ------
        SourceError
            A record is unknown or not there, or does not have the published layout, size, step or checksum.
        """
        self._check_known(ids)
        n_samples = _N_SAMPLES.get(fs, 0)  # an unknown rate is refused with the first record
        signals = np.empty((len(ids), 12, n_samples), dtype=np.int16)
        for position, ecg_id in enumerate(ids):
            header, data = self._files(int(ecg_id), fs)
            try:
                signals[position] = _published_samples(header, data, n_samples)
            except RecordingError as exc:
                raise SourceError(f"PTB-XL record {ecg_id}: {exc}") from exc
        return signals

    def _files(self, ecg_id: int, fs: int) -> tuple[WfdbHeader, bytes]:
        """Return the checked header and the bytes of the .dat file of one record."""
        name = str(self.table.at[ecg_id, _file_column(fs)])
        header_path = self._existing(f"{name}.hea")
        if header_path is None:
            raise self._not_here(ecg_id, fs)
        header = parse_header(read_bounded(header_path, MAX_HEADER_BYTES, what=f"The header of PTB-XL {ecg_id}"))
        data_path = self._existing(str(Path(name).with_name(header.data_file)))
        if data_path is None:
            raise self._not_here(ecg_id, fs)
        return header, read_bounded(data_path, MAX_FILE_BYTES, what=f"The .dat file of PTB-XL {ecg_id}")

    def _existing(self, relative: str, *, fetch: bool = True) -> Path | None:
        """Return a file below the folder, or None; the table's paths are untrusted, links may not lead outside."""
        try:
            path = (self.folder / relative).resolve()
        except (OSError, ValueError, RuntimeError) as exc:
            raise _outside() from exc
        if not path.is_relative_to(self.folder) or Path(relative).is_absolute():
            raise _outside()
        if fetch and self._fetch is not None:
            self._fetch(relative)
        return path if os.path.isfile(path) else None  # also where no file can have such a name

    def _not_here(self, ecg_id: int, fs: int) -> SourceError:
        rates = self.rates(ecg_id)
        if rates:
            found = f"It is here at {' and '.join(f'{rate} Hz' for rate in rates)}"
            advice = f"Choose {rates[0]} Hz, or add the missing files to the PTB-XL folder."
        else:
            found = f"It is in fold {self.folds[ecg_id]} and not here at any rate"
            advice = "Choose another record, or add its files to the PTB-XL folder."
        return SourceError(f"PTB-XL record {ecg_id} is not in this folder at {fs} Hz. {found}. {advice}")

    def _check_known(self, ids: Sequence[int] | NDArray[np.integer]) -> None:
        unknown = [int(ecg_id) for ecg_id in ids if ecg_id not in self.table.index]
        if unknown:
            raise SourceError(
                f"There is no PTB-XL record {unknown[0]}. {len(self.table):,} records from {self.table.index.min()} to "
                f"{self.table.index.max()} are in the table. Choose one of them."
            )


def open_ptbxl() -> PtbXl | None:
    """Open the folder named by the environment variable ECGIMN_PTBXL, or return None when it is not set."""
    folder = os.environ.get(FOLDER_VARIABLE, "").strip()
    return PtbXl(folder) if folder else None


def _published_samples(header: WfdbHeader, data: bytes, n_samples: int) -> NDArray[np.int16]:
    """Return the samples in microvolts, (12, n_samples), of a record in PTB-XL's own layout."""
    published = all(
        signal.storage == "16" and signal.gain == 1000 and signal.baseline == 0 and (signal.unit or "").lower() == "mv"
        for signal in header.stored
    )
    rows = {signal.lead: row for row, signal in enumerate(header.stored)}
    if not published or header.n_samples != n_samples or len(header.stored) != 12 or set(rows) != set(STANDARD_LEADS):
        raise RecordingFormatError(
            f"The header does not describe 12 leads of {n_samples:,} samples in microvolts, as published. "
            "Download the record again."
        )
    if len(data) != header.n_data_bytes:
        raise RecordingFormatError(
            f"The .dat file has {len(data):,} bytes, {header.n_data_bytes:,} are needed. Download the record again."
        )
    samples = np.frombuffer(data, dtype="<i2").reshape(n_samples, 12)
    checksums = np.array([signal.checksum for signal in header.stored]) & 0xFFFF
    if np.any((samples.sum(axis=0, dtype=np.int64) & 0xFFFF) != checksums):
        raise RecordingFormatError("The checksums do not agree with the header. Download the record again.")
    return samples.T[[rows[lead] for lead in STANDARD_LEADS]]


def _file_column(fs: int) -> str:
    if fs not in _FILE_COLUMN:
        raise SourceError(f"PTB-XL has no recordings at {fs} Hz. 100 or 500 Hz is needed. Choose one of them.")
    return _FILE_COLUMN[fs]


def _outside() -> SourceError:
    return SourceError(
        "The PTB-XL table names a file outside its folder. Only files below it are read. Download the table again."
    )
