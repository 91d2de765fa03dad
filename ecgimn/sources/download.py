"""One file over http into a folder, resumable and bounded: what pooch is given to download with."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAX_BYTES = 50_000_000  # the largest file that is asked for, the list of checksums, has 8 MB
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Progress:
    """How far one download is: `total_bytes` is None where the server does not say."""

    name: str
    n_bytes: int
    total_bytes: int | None


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds: to connect, between two pieces, and for one file in all."""

    connect_s: float = 10.0
    read_s: float = 20.0
    file_s: float = 180.0


class NotThereError(Exception):
    """404 or 410: trying again is no use."""


class Resuming:
    """A pooch downloader that keeps what has arrived and goes on from there."""

    def __init__(
        self, folder: Path, name: str, progress: Callable[[Progress], None] | None, patience: Patience
    ) -> None:
        self._name = name
        self._progress = progress
        self._patience = patience
        self._part = folder / ".partial" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.part"

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Download `url` into `output_file`; raises errors of requests, which pooch answers with another try."""
        import requests

        self._part.parent.mkdir(parents=True, exist_ok=True)
        n_there = self._part.stat().st_size if self._part.exists() else 0
        headers = {"Accept-Encoding": "identity", "User-Agent": "ecgimn"}
        if n_there:
            headers["Range"] = f"bytes={n_there}-"
        deadline = time.monotonic() + self._patience.file_s
        wait = (self._patience.connect_s, self._patience.read_s)
        with requests.get(url, stream=True, timeout=wait, headers=headers) as response:
            if response.status_code in (404, 410):
                raise NotThereError(self._name)
            if response.status_code == 416:  # nothing is left to send, or the file has shrunk: the checksum decides
                self._finish(output_file)
                return
            response.raise_for_status()
            goes_on = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(
                f"bytes {n_there}-"
            )
            with open(self._part, "ab" if goes_on else "wb") as part:
                self._receive(response, part, n_there if goes_on else 0, deadline)
        self._finish(output_file)

    def _receive(self, response: Any, part: BinaryIO, n_before: int, deadline: float) -> None:
        import requests

        length = response.headers.get("Content-Length", "")
        total = n_before + int(length) if length.isdigit() else None
        n_bytes = n_before
        while piece := _next_piece(response):
            part.write(piece)
            n_bytes += len(piece)
            if self._progress is not None:
                self._progress(Progress(self._name, n_bytes, total))
            if n_bytes > MAX_BYTES:
                raise requests.exceptions.ContentDecodingError("more bytes than any file of the data set has")
            if time.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout("the file does not arrive in time")
        if total is not None and n_bytes < total:
            raise requests.exceptions.ConnectionError("the server broke off")

    def _finish(self, output_file: str) -> None:
        """Hand the whole file over; if its checksum is wrong, the next try begins anew."""
        shutil.move(self._part, output_file)


def _next_piece(response: Any) -> bytes:
    """Return what has arrived, at most a chunk: waiting for a full one would hide how slow a server is."""
    import requests
    import urllib3.exceptions

    try:
        return bytes(response.raw.read1(_CHUNK_BYTES))
    except urllib3.exceptions.ReadTimeoutError as exc:
        raise requests.exceptions.ReadTimeout("no piece in time") from exc
    except urllib3.exceptions.HTTPError as exc:
        raise requests.exceptions.ConnectionError("the server broke off") from exc
