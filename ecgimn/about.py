"""What every page, export and card repeats: version, intended use, and where the shipped files lie."""

from __future__ import annotations

import sysconfig
from pathlib import Path

INTENDED_USE = (
    "For research, teaching and qualitative audit of ECG explanations. "
    "Not a medical device; not for diagnosis, triage, monitoring or patient care."
)


def shipped(name: str) -> Path:
    """Return the folder `name` of the project ("models", "assets/composites").

    A checkout holds it beside the package; `pip install .` puts it below share/ecgimn of the environment.
    """
    beside = Path(__file__).resolve().parents[1] / name
    return beside if beside.is_dir() else Path(sysconfig.get_path("data"), "share", "ecgimn", name)
