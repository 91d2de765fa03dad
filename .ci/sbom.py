"""Writes the software bill of materials of this environment as CycloneDX 1.5 JSON: python .ci/sbom.py [OUT]."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ecgimn import __version__
from ecgimn.about import INTENDED_USE


def component(name: str, version: str, licence: str) -> dict[str, Any]:
    """One package as CycloneDX writes it."""
    normal = re.sub(r"[-_.]+", "-", name).lower()
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{normal}@{version}",
        "name": normal,
        "version": version,
        "purl": f"pkg:pypi/{normal}@{version}",
        "licenses": [{"license": {"name": licence}}],
    }


def licence_of(metadata: Any) -> str:
    """What a package says of its licence: an expression, a classifier, or the first line of the text."""
    if metadata.get("License-Expression"):
        return str(metadata["License-Expression"])
    lines = metadata.get_all("Classifier", [])
    classifiers = [line.split(" :: ")[-1] for line in lines if line.startswith("License ::")]
    text = (metadata.get("License") or "").strip().splitlines()
    return " / ".join(classifiers) or (text[0][:80] if text else "unknown")


def bill() -> dict[str, Any]:
    """Return the bill of the environment this runs in."""
    found = {item.metadata["Name"]: item for item in distributions() if item.metadata["Name"]}
    packages = [
        component(name, item.version.split("+")[0], licence_of(item.metadata))
        for name, item in sorted(found.items(), key=lambda pair: pair[0].lower())
        if name.lower() not in ("ecgimn", "pip", "setuptools", "wheel")
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "ecgimn", "version": __version__, "description": INTENDED_USE}
        },
        "components": packages,
    }


if __name__ == "__main__":
    text = json.dumps(bill(), indent=1) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
