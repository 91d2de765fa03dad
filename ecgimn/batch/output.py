"""The folder of a batch run: numbered parts, each written whole or not at all, and the settings they share.

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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ecgimn.batch.tables import SCHEMAS, Tables
from ecgimn.errors import SourceError

SETTINGS = "run.json"
LAYOUT = 1  # of the tables; a folder of another layout cannot be gone on with


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
        A key of `ecgimn.batch.tables.SCHEMAS`.
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
