"""Where PTB-XL is: a folder that is set, or PhysioNet on demand, in a cache checked against SHA-256 sums.

The 3 GB of the data set stay where they are. pooch compares every file with the published SHA256SUMS.txt before it is
used, also when it was cached long ago; an interrupted download resumes where it stopped. A mirror serves as well: set
ECGIMN_PTBXL_URL to its base URL. Settings are an environment variable first, then ~/.config/ecgimn/settings.toml (below
XDG_CONFIG_HOME where that is set), which may hold ptbxl = "/path" and ptbxl_url = "https://...". The app only reads it;
no page takes a path or an address from a visitor.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from ecgimn.errors import SourceError
from ecgimn.sources.ptbxl import FOLDER_VARIABLE, PtbXl

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
        """Hand the whole file over; if its checksum is wrong, the next try starts from the beginning."""
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


BASE_URL = "https://physionet.org/files/ptb-xl/1.0.3/"
URL_VARIABLE, CACHE_VARIABLE = "ECGIMN_PTBXL_URL", "ECGIMN_CACHE"

_SUMS = "SHA256SUMS.txt"
_SUM_LINE = re.compile(r"([0-9a-f]{64})[ \t]+\*?(\S{1,200})")
_PLAIN_PATH = re.compile(r"(?:[A-Za-z0-9][\w.-]*/){0,4}[A-Za-z0-9][\w.-]*", re.ASCII)
TABLES = ("ptbxl_database.csv", "scp_statements.csv")
TABLES_MB = 15  # of these two and the list of checksums: 87,000 lines of 95 bytes
RECORD_MB = 0.12  # of one record at 500 Hz
LICENCE = "Creative Commons Attribution 4.0 (CC BY 4.0)"
CITATION = (
    "Wagner P, Strodthoff N, Bousseljot R-D, Samek W, Schaeffter T. PTB-XL, a large publicly available "
    "electrocardiography dataset, version 1.0.3. PhysioNet, doi:10.13026/kfzx-aw45; Scientific Data 7:154, 2020."
)
_RETRIES = 3  # pooch waits 1, 2 and 3 s in between


class PhysioNetFiles:
    """The files of PTB-XL below a base URL, fetched one by one into a cache folder.

    Parameters
    ----------
    cache : path, optional
        Default: the folder named by ECGIMN_CACHE, or the user's cache folder.
    base_url : str, optional
        Default: ECGIMN_PTBXL_URL, or PhysioNet.
    progress : callable, optional
        Called with a `Progress` for every piece that arrives.
    patience : Patience, optional

    Raises
    ------
    SourceError
        The base URL is no http or https address.
    """

    def __init__(
        self,
        cache: Path | str | None = None,
        *,
        base_url: str | None = None,
        progress: Callable[[Progress], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        url = base_url or os.environ.get(URL_VARIABLE, "").strip() or BASE_URL
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SourceError(
                "The base URL of PTB-XL is no web address. One that begins with https:// is needed. "
                f"Correct {URL_VARIABLE} or the setting."
            )
        self.base_url = url if url.endswith("/") else url + "/"
        self.folder = (Path(cache) if cache is not None else _default_cache()).expanduser().resolve()
        self._progress = progress
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._pooch: Any = None

    def fetch(self, relative: str) -> Path:
        """Return the path of a file in the cache, downloading it unless it is there with the right checksum.

        Parameters
        ----------
        relative : str
            Path below the base URL, as the sums and the table write it: "records100/00000/00001_lr.dat".

        Raises
        ------
        SourceError
            The file is not part of the data set, the server cannot be reached or answers with an error, or what it
            sends does not have the published checksum.
        """
        with self._lock:
            if self._pooch is None:
                self._pooch = self._with_sums()
            if relative not in self._pooch.registry:
                raise SourceError(
                    "A file that is not in the published list of PTB-XL was asked for. Only listed files are fetched. "
                    "Choose another record, or check the mirror."
                )
            return self._retrieve(self.base_url + relative, relative, self._pooch.registry[relative])

    def fetch_tables(self) -> None:
        """Fetch the list of checksums and the two tables, unless they are in the cache; raises `SourceError`."""
        for name in TABLES:
            self.fetch(name)

    @property
    def has_tables(self) -> bool:
        """Whether the list of checksums and both tables are in the cache, so that nothing need be fetched to search."""
        return all((self.folder / name).is_file() for name in (self._sums_name, *TABLES))

    @property
    def _sums_name(self) -> str:
        """Name of the list in the cache, one per base URL: a mirror's list never vouches for PhysioNet's files."""
        return f"SHA256SUMS-{hashlib.sha256(self.base_url.encode()).hexdigest()[:12]}.txt"

    def _with_sums(self) -> Any:
        """Return a pooch whose registry is the published list of checksums."""
        import pooch

        pooch.get_logger().setLevel("WARNING")
        path = self._retrieve(self.base_url + _SUMS, self._sums_name, None)
        registry = _parse_sums(path.read_bytes())
        if registry is None:
            path.unlink()
            raise SourceError(
                "The list of checksums of PTB-XL is damaged or of another data set. The published SHA256SUMS.txt is "
                f"needed. Try again, or correct {URL_VARIABLE}."
            )
        return pooch.create(path=self.folder, base_url=self.base_url, registry=registry)

    def _retrieve(self, url: str, name: str, sha256: str | None) -> Path:
        import pooch
        import requests

        target = self.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                _check_room(target.parent)
            found = pooch.core.download_action(target, sha256)[0]
            if found in ("download", "update"):
                pooch.core.stream_download(
                    url, target, sha256, Resuming(self.folder, name, self._progress, self._patience),
                    retry_if_failed=_RETRIES,
                )  # fmt: skip
        except NotThereError as exc:
            raise SourceError(
                f"The server of PTB-XL has no file {name} (404). The data set in its published layout is needed. Check "
                f"the base URL ({URL_VARIABLE})."
            ) from exc
        except requests.exceptions.Timeout as exc:
            raise SourceError(
                f"The server of PTB-XL did not send {name} in time. An answer within {self._patience.read_s:g} s is "
                "needed. Try again later: what has arrived is kept."
            ) from exc
        except requests.exceptions.HTTPError as exc:
            status = exc.response.status_code if exc.response is not None else "error"
            raise SourceError(
                f"The server of PTB-XL answered {status} for {name}. The file is needed. Try again later."
            ) from exc
        except requests.exceptions.RequestException as exc:
            raise SourceError(
                f"The server of PTB-XL cannot be reached or broke off while sending {name}. A connection is needed "
                "once per record. Connect and try again, use composite cases, or set ECGIMN_PTBXL to a local copy."
            ) from exc
        except ValueError as exc:  # pooch: the checksum differs
            raise SourceError(
                f"What the server of PTB-XL sends as {name} does not have the published checksum. An unchanged file is "
                "needed, so it was thrown away. Try again, or use another mirror."
            ) from exc
        except OSError as exc:
            raise SourceError(
                "The cache of PTB-XL cannot be written. A folder with free space is needed. "
                f"Set {CACHE_VARIABLE} to another folder."
            ) from exc
        return target


def open_physionet(
    cache: Path | str | None = None,
    *,
    base_url: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    patience: Patience | None = None,
) -> PtbXl:
    """Open PTB-XL on PhysioNet (or a mirror): the tables come at once, a record when it is asked for.

    Parameters are those of `PhysioNetFiles`.

    Raises
    ------
    SourceError
        The tables are not in the cache and cannot be fetched.
    """
    files = PhysioNetFiles(cache, base_url=base_url, progress=progress, patience=patience)
    return PtbXl(files.folder, fetch=files.fetch)


def _parse_sums(data: bytes) -> dict[str, str] | None:
    """Return {path: SHA-256}, or None when the list is cut short, malformed or of another data set."""
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError:
        return None
    registry = {}
    for line in lines:
        if not line.strip():
            continue
        match = _SUM_LINE.fullmatch(line.strip())
        if match is None:
            return None
        if _PLAIN_PATH.fullmatch(match[2]):  # a path that is not plain is never fetched
            registry[match[2]] = match[1]
    return registry if all(name in registry for name in TABLES) else None


def _default_cache() -> Path:
    import pooch

    folder = os.environ.get(CACHE_VARIABLE, "").strip()
    return (Path(folder) if folder else Path(pooch.os_cache("ecgimn"))) / "ptb-xl-1.0.3"


def _check_room(folder: Path) -> None:
    if shutil.disk_usage(folder).free < MAX_BYTES:
        raise OSError("the disk is full")


def settings_path() -> Path:
    """Return where the settings file is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME", "").strip() or str(Path.home() / ".config")
    return Path(base) / "ecgimn" / "settings.toml"


def ptbxl_folder() -> str | None:
    """Return the folder of PTB-XL that is set, or None.

    Raises
    ------
    SourceError
        The settings file does not parse, or `ptbxl` in it is no text.
    """
    return _setting(FOLDER_VARIABLE, "ptbxl")


def ptbxl_url() -> str:
    """Return the base URL from which PTB-XL is fetched on demand: a mirror that is set, or PhysioNet.

    Raises
    ------
    SourceError
        The settings file does not parse, or `ptbxl_url` in it is no text.
    """
    return _setting(URL_VARIABLE, "ptbxl_url") or BASE_URL


def ptbxl_place() -> str | None:
    """Return where PTB-XL can be read now: a local folder, or a base URL whose tables are in the cache; else None.

    Raises
    ------
    SourceError
        The settings cannot be used.
    """
    folder = ptbxl_folder()
    if folder:
        return folder
    url = ptbxl_url()
    return url if PhysioNetFiles(base_url=url).has_tables else None


def is_web(place: str) -> bool:
    """Whether a place is a base URL, so that records are fetched from it one by one."""
    return place.startswith(("http://", "https://"))


def open_place(place: str) -> PtbXl:
    """Open PTB-XL where `ptbxl_place` says it is.

    Raises
    ------
    SourceError
        The tables are not there any more, or do not have the published columns.
    """
    return open_physionet(base_url=place) if is_web(place) else PtbXl(place)


def _setting(variable: str, name: str) -> str | None:
    """Return an environment variable, or what the settings file says, or None."""
    value = os.environ.get(variable, "").strip()
    if value:
        return value
    path = settings_path()
    if not path.is_file():
        return None
    try:
        named = tomllib.loads(path.read_text(encoding="utf-8")).get(name)
    except (OSError, ValueError) as exc:
        raise SourceError(
            f'The settings file ecgimn/settings.toml cannot be read. A line {name} = "..." is needed. Correct the file.'
        ) from exc
    if named is not None and not isinstance(named, str):
        raise SourceError(f"In ecgimn/settings.toml, {name} is no text. Text in quotes is needed. Correct the file.")
    return named or None
