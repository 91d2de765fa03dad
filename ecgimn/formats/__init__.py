"""Reads 12-lead ECG files: the format is picked by content, the leads by name, the unit from the file."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.limits import MAX_FILE_BYTES, too_large
from ecgimn.formats.wfdb_record import read_wfdb
from ecgimn.recording import Recording, Sex

__all__ = ["read_recording", "read_upload", "read_wfdb"]


def read_recording(
    path: Path | str, *, age: int | None = None, sex: Sex | None = None, source: str = "file"
) -> Recording:
    """Read an ECG file; see `read_wfdb` for the errors.

    Parameters
    ----------
    path : path
        A WFDB header, or its .dat file with the header beside it.
    age : int, optional
        Years; used for thresholds only.
    sex : {"male", "female"}, optional
        Used for thresholds only.
    source : str, default="file"
        Where the recording comes from, as shown to the reader.
    """
    path = Path(path)
    if path.suffix.lower() == ".dat":
        path = path.with_suffix(".hea")
    return read_wfdb(path, age=age, sex=sex, source=source)


def read_upload(files: Mapping[str, bytes], *, age: int | None = None, sex: Sex | None = None) -> Recording:
    """Read the files of one upload, keyed by name, and forget their names.

    The bytes lie in a private folder that is removed before this returns. The recording gets a random name.

    Raises
    ------
    RecordingFormatError, LeadError, SignalError
        As `read_recording`; also when there is no header among the files, or more than one.
    """
    headers = [name for name in files if name.lower().endswith(".hea")]
    if len(headers) != 1:
        raise RecordingFormatError(
            f"{len(headers)} WFDB headers are among the {len(files)} uploaded files. One .hea file and its .dat file are "
            "needed. Choose both and upload again."
        )
    for data in files.values():
        if len(data) > MAX_FILE_BYTES:
            raise too_large("An uploaded file", len(data), MAX_FILE_BYTES)
    with tempfile.TemporaryDirectory(prefix="ecgimn-") as folder:
        for name, data in files.items():
            plain = Path(name.replace("\\", "/")).name
            if plain in ("", ".", ".."):
                raise RecordingFormatError("An uploaded file has no name. A named file is needed. Rename and retry.")
            (Path(folder) / plain).write_bytes(data)
        recording = read_wfdb(Path(folder) / Path(headers[0].replace("\\", "/")).name, age=age, sex=sex, source="upload")
    return replace(recording, record_name=f"case-{secrets.token_hex(3)}")
