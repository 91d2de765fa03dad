"""Where the files that come with the library lie: beside it in a checkout, below the environment when installed."""

from __future__ import annotations

import sysconfig
from pathlib import Path


def shipped(name: str) -> Path:
    """Return the folder `name` of the project ("models", "assets/composites").

    A checkout holds it beside the package; `pip install .` puts it below share/ecgimn of the environment.
    """
    beside = Path(__file__).resolve().parents[1] / name
    return beside if beside.is_dir() else Path(sysconfig.get_path("data"), "share", "ecgimn", name)
