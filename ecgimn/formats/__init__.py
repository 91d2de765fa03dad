"""Reads 12-lead ECG files: the format is picked by content, the leads by name, the unit from the file.

`read_recording` reads a file of one's own in this process. `read_foreign` reads a file and `read_upload` the bytes of a
stranger in a child process with limits on time and memory. All raise `MissingFactsError` for a table that does not say
everything, and read it once `ReadingHints` do.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ecgimn.formats.detect import detect_format
from ecgimn.formats.limits import read_bounded
from ecgimn.formats.read import read_files
from ecgimn.formats.sandbox.parent import read_in_child, read_path_in_child, start_reader
from ecgimn.formats.table import MissingFactsError, Preview, ReadingHints, UnusedFactError
from ecgimn.formats.wfdb_record import read_wfdb
from ecgimn.recording import Recording, Sex

__all__ = [
    "MissingFactsError",
    "Preview",
    "ReadingHints",
    "UnusedFactError",
    "read_foreign",
    "read_recording",
    "read_upload",
    "read_wfdb",
    "start_reader",
]


def read_recording(
    path: Path | str,
    *,
    age: int | None = None,
    sex: Sex | None = None,
    source: str = "file",
    hints: ReadingHints | None = None,
) -> Recording:
    """Read an ECG file.

    Parameters
    ----------
    path : path
        A WFDB header (or its .dat or .mat file with the header beside it), DICOM, SCP-ECG, EDF, ISHNE, GE MUSE, Philips
        or aECG XML, CSV, NPY, NPZ, MAT, or a ZIP archive with one recording, each also packed with
        gzip. The content decides, not the name.
    age : int, optional
        Years; used for thresholds only. Outranks what the file states, as `sex` does.
    sex : {"male", "female"}, optional
    source : str, default="file"
        Where the recording comes from, as shown to the reader.
    hints : ReadingHints, optional
        Facts that the file does not state.

    Raises
    ------
    MissingFactsError
        The file is a table of numbers and more must be known; `.needed` says what.
    RecordingFormatError, LeadError, SignalError
        The file cannot be read as a 12-lead ECG.

    Examples
    --------
    >>> recording = read_recording("ecg.csv", hints=ReadingHints(fs=500, unit="uV"))  # doctest: +SKIP
    """
    path = Path(path)
    beside = path.parent / f"{path.stem}.hea"
    if path.suffix.lower() in (".dat", ".mat", "") and not os.path.isdir(path) and os.path.isfile(beside):
        path = beside  # the samples of a WFDB record, or its record name
    data = read_bounded(path)
    if path.suffix.lower() == ".hea" or (data[:2] != b"\x1f\x8b" and detect_format(data) == "WFDB"):
        return read_wfdb(path, age=age, sex=sex, source=source, hints=hints)
    return read_files({path.name: data}, hints, age=age, sex=sex, source=source)


def read_upload(
    files: Mapping[str, bytes],
    *,
    age: int | None = None,
    sex: Sex | None = None,
    hints: ReadingHints | None = None,
) -> Recording:
    """Read the files of one upload in a child process with limits, and forget their names.

    Parameters
    ----------
    files : mapping of str to bytes
        What the visitor chose, by name: one file, a WFDB header with its .dat file, or a ZIP archive of either.
    age, sex, hints
        As in `read_recording`.

    Returns
    -------
    Recording
        With a random name ("case-3f9a1c") and the source "upload".

    Raises
    ------
    MissingFactsError
        The file is a table of numbers and more must be known; `.needed` says what.
    RecordingFormatError, LeadError, SignalError
        The files cannot be read as one 12-lead ECG, or reading them took too much time or memory.
    """
    recording = read_in_child(files, hints, age=age, sex=sex)
    return replace(recording, record_name=f"case-{secrets.token_hex(3)}", source="upload")


def read_foreign(
    path: Path | str,
    *,
    age: int | None = None,
    sex: Sex | None = None,
    source: str = "file",
    hints: ReadingHints | None = None,
) -> Recording:
    """Read a file of this machine as `read_recording` does, in a child process with limits.

    For files that others made. The child starts with the first file, which takes about 2 s. On a system without forks
    the file is read in this process.

    Parameters
    ----------
    path, age, sex, source, hints
        As in `read_recording`.

    Raises
    ------
    MissingFactsError, RecordingFormatError, LeadError, SignalError
        As in `read_recording`; also when reading took too much time or memory.
    """
    if not hasattr(os, "fork"):
        return read_recording(path, age=age, sex=sex, source=source, hints=hints)
    return read_path_in_child(Path(path), hints, age=age, sex=sex, source=source)
