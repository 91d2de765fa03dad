"""Where data sets lie on this machine: an environment variable first, then a settings file of the user's own.

The file is ~/.config/ecgimn/settings.toml (below XDG_CONFIG_HOME where that is set), with one line: ptbxl = "/path".
The app only reads it; no page takes a path from a visitor.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from ecgimn.errors import SourceError
from ecgimn.sources.ptbxl import FOLDER_VARIABLE


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
    folder = os.environ.get(FOLDER_VARIABLE, "").strip()
    if folder:
        return folder
    path = settings_path()
    if not path.is_file():
        return None
    try:
        named = tomllib.loads(path.read_text(encoding="utf-8")).get("ptbxl")
    except (OSError, ValueError) as exc:
        raise SourceError(
            'The settings file ecgimn/settings.toml cannot be read. A line ptbxl = "/path" is needed. Correct the file.'
        ) from exc
    if named is not None and not isinstance(named, str):
        raise SourceError("In ecgimn/settings.toml, ptbxl is no text. A path in quotes is needed. Correct the file.")
    return named or None
