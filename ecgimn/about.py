"""What every page, export and card repeats: version, intended use, and where the shipped files are."""

from __future__ import annotations

from pathlib import Path

INTENDED_USE = (
    "For research, teaching and qualitative audit of ECG explanations. "
    "Not a medical device; not for diagnosis, triage, monitoring or patient care."
)
_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str = "") -> Path:
    """Return where a folder or file of the project is: "models", "assets/composites", "" for the folder of app.py.

    An installed package carries them in its own folder `shipped/` (pyproject.toml); in a checkout they are beside it.
    """
    inside = _PACKAGE / "shipped"
    return (inside if inside.is_dir() else _PACKAGE.parent) / name
