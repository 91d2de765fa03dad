"""Where data sets lie on this machine: an environment variable first, then a settings file of the user's own.

The file is ~/.config/ecgimn/settings.toml (below XDG_CONFIG_HOME where that is set). It may hold ptbxl = "/path" for a
local folder and ptbxl_url = "https://..." for a mirror of PhysioNet. The app only reads it; no page takes a path or an
address from a visitor.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from ecgimn.errors import SourceError
from ecgimn.sources.physionet import BASE_URL, URL_VARIABLE, PhysioNetFiles, open_physionet
from ecgimn.sources.ptbxl import FOLDER_VARIABLE, PtbXl


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
