"""What a batch run goes through: the records of PTB-XL, the files of a folder, or those that a list names."""

from __future__ import annotations

import csv
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from ecgimn.errors import SourceError
from ecgimn.recording import Sex
from ecgimn.sources.ptbxl import PtbXl

Kind = Literal["ptbxl", "folder", "list"]

TABLE = "ptbxl_database.csv"
LIST_SUFFIXES = (".txt", ".csv", ".tsv", ".lst")
MIN_SALT_BYTES = 16
MAX_LIST_BYTES = 200_000_000
PATH_COLUMNS = ("path", "file", "filename")
PTBXL_RATES = (500, 100)  # Hz, the better one first


@dataclass(frozen=True)
class Item:
    """One recording to explain.

    Attributes
    ----------
    record : str
        Its name in every table: "ptbxl-123", the path inside the source, or a salted hash of it.
    path : str
        Where this process reads it.
    age : int or None
        Years; chooses the ST thresholds only, as `sex` does.
    sex : {"male", "female"} or None
    source : str
        "PTB-XL" or "file".
    """

    record: str
    path: str
    age: int | None = None
    sex: Sex | None = None
    source: str = "file"


def read_salt(path: Path) -> bytes:
    """Return the salt in a file; a new one is drawn and written when the file is not there.

    Raises
    ------
    SourceError
        The file cannot be read or written, or holds too little.
    """
    try:
        if not path.exists():
            with path.open("xb") as handle:
                os.chmod(path, 0o600)
                handle.write(secrets.token_hex(32).encode())
        salt = path.read_bytes().strip()
    except OSError as exc:
        raise SourceError(f"The salt file cannot be used ({exc.strerror}). Name a file that may be written.") from exc
    if len(salt) < MIN_SALT_BYTES:
        raise SourceError(
            f"The salt has {len(salt)} bytes. At least {MIN_SALT_BYTES} are needed. Name a file that is not there yet, "
            "and one is drawn."
        )
    return salt


def kind_of(source: Path) -> Kind:
    """Tell what a source is.

    Raises
    ------
    SourceError
        There is no such folder or list.
    """
    if source.is_dir():
        return "ptbxl" if (source / TABLE).is_file() else "folder"
    if source.is_file() and source.suffix.lower() in LIST_SUFFIXES:
        return "list"
    raise SourceError(
        f"{source.name!r} is neither a folder nor a list of files ({', '.join(LIST_SUFFIXES)}). A PTB-XL folder, a "
        "folder of ECG files or a list of their paths is needed. To explain one file, use: python -m ecgimn explain"
    )


def list_items(
    source: Path, *, fs: int | None = None, limit: int | None = None, salt: bytes | None = None
) -> list[Item]:
    """List the recordings of a source, in a fixed order.

    Parameters
    ----------
    source : Path
        A PTB-XL folder; a folder, searched with all folders below it; or a list, see `_from_list`.
    fs : {100, 500}, optional
        Rate of PTB-XL records; without it the better one that is here.
    limit : int, optional
        Only the first so many.
    salt : bytes, optional
        Names become hashes with this salt, so that no file name stands in a table.

    Raises
    ------
    SourceError
        The source cannot be listed, or holds no recording.
    """
    kind = kind_of(source)
    if kind == "ptbxl":
        found = _of_ptbxl(source, (fs,) if fs else PTBXL_RATES)
    else:
        found = _of_folder(source) if kind == "folder" else _from_list(source)
    items = [item for item, _ in zip(found, range(limit), strict=False)] if limit is not None else list(found)
    if not items:
        raise SourceError(f"No recording is in {source.name!r}. At least one is needed. Choose another source.")
    if salt is not None and kind != "ptbxl":
        items = [replace(item, record=_salted(item.record, salt)) for item in items]
    if len({item.record for item in items}) < len(items):
        raise SourceError(f"{source.name!r} names a recording twice. Each is needed once. Take the double out.")
    return items


def _of_ptbxl(folder: Path, rates: tuple[int, ...]) -> Iterator[Item]:
    """Records whose files are here; the paths of the table are kept inside the folder."""
    table = PtbXl(folder).table
    root = folder.resolve()
    columns = {500: "filename_hr", 100: "filename_lr"}
    if not set(rates) <= columns.keys():
        raise SourceError("PTB-XL is published at 100 and 500 Hz. One of these is needed. Choose 100 or 500.")
    sexes: dict[object, Sex] = {0: "male", 1: "female"}
    names = table[[columns[rate] for rate in rates]].to_numpy()
    for ecg_id, age, sex, row in zip(table.index, table["age"], table["sex"], names, strict=True):
        for name in row:
            header = root / f"{name}.hea"
            if not Path(os.path.normpath(header)).is_relative_to(root):
                raise SourceError("The PTB-XL table names a file outside its folder. Download the table again.")
            if header.is_file() and header.with_suffix(".dat").is_file():
                years = None if pd.isna(age) else round(float(age))
                yield Item(f"ptbxl-{ecg_id}", str(header), years, sexes.get(sex), "PTB-XL")
                break


def _of_folder(folder: Path) -> Iterator[Item]:
    """All files but hidden ones, links, and what belongs to a WFDB header beside it: samples and annotations."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        headers = {Path(name).stem for name in files if name.lower().endswith(".hea")}
        for name in sorted(files):
            path = Path(place, name)
            beside = Path(name).stem in headers and not name.lower().endswith(".hea")
            if not (name.startswith(".") or beside or path.is_symlink()):
                yield Item(path.relative_to(folder).as_posix(), str(path))


def _from_list(path: Path) -> Iterator[Item]:
    """Paths, one a line, relative to the list's folder; or a CSV with a column "path" and maybe "age" and "sex"."""
    if path.stat().st_size > MAX_LIST_BYTES:
        raise SourceError(f"The list has {path.stat().st_size:,} bytes; at most {MAX_LIST_BYTES:,} are read. Split it.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
            handle.seek(0)
            delimiter = "\t" if "\t" in first else ","
            columns = [name.strip().lower() for name in first.split(delimiter)]
            named = next((name for name in PATH_COLUMNS if name in columns), None)
            if named is None:
                lines = (line.strip() for line in handle)
                yield from (_listed(line, path) for line in lines if line and not line.startswith("#"))
                return
            for row in csv.DictReader(handle, fieldnames=columns, delimiter=delimiter):
                value = (row[named] or "").strip()
                if value and value.lower() != named:
                    yield _listed(value, path, row.get("age"), row.get("sex"))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise SourceError(f"{path.name!r} cannot be read as a list ({exc}). UTF-8 text with a path a line.") from exc


def _listed(name: str, path: Path, age: str | None = None, sex: str | None = None) -> Item:
    sexes: dict[str, Sex] = {"male": "male", "m": "male", "female": "female", "f": "female"}
    years = round(float(age)) if age and age.strip().replace(".", "", 1).isdecimal() else None
    return Item(
        name,
        str(path.parent / name),
        years if years is None or years <= 150 else None,
        sexes.get((sex or "").strip().lower()),
    )


def _salted(name: str, salt: bytes) -> str:
    return f"file-{hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()[:16]}"
