"""Checks what the app stands on: licences always, known vulnerabilities where the service that lists them answers.

    python .ci/audit.py [--offline] [--report FILE]

Ends with 1 when a required package is under a licence that is not listed here, a vulnerability is known, or a package
could not be looked up: what nobody looked for was not found absent. --offline looks at licences alone and says so.
--report writes what is printed into a file as well.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from sbom import licence_of

ROOT = Path(__file__).resolve().parents[1]
#: Words of licences that let this project be used and passed on under MIT; weak copyleft only for unchanged libraries.
ALLOWED = (
    "mit", "bsd", "apache", "psf", "python software foundation", "isc", "mpl", "mozilla", "unlicense", "cc0", "zlib",
    "hpnd", "historical permission", "lgpl", "lesser general public", "cnri", "0bsd", "boost", "bsl",
)  # fmt: skip
#: Packages whose metadata names no licence, read by hand.
READ_BY_HAND: dict[str, str] = {}
NOT_AUDITED = "could not be audited"  # in pip-audit's line of a package that its service does not know
OFFLINE_WORDS = ("ConnectionError", "Max retries", "Name or service", "Temporary failure", "timed out", "ProxyError")


def pinned(name: str) -> list[str]:
    """Return the packages of a requirements file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line.split("==")[0].strip() for line in lines if "==" in line and not line.startswith("#")]


def unknown_licences() -> list[str]:
    """Return the locked packages here whose licence is not one of `ALLOWED`."""
    strange = []
    for name in pinned("constraints.txt"):
        try:
            licence = READ_BY_HAND.get(name) or licence_of(metadata(name))
        except PackageNotFoundError:
            continue  # not needed on this machine
        words = re.sub(r"[-_]", " ", licence.lower())
        if not any(word in words for word in ALLOWED):
            strange.append(f"{name}: {licence}")
    return strange


def known_vulnerabilities() -> tuple[bool, str]:
    """Ask pip-audit: (whether every package was looked up and nothing is known, what it said)."""
    tools = ROOT / ".venv-docs" / "bin" / "python"  # made by `make docs` or `make audit`
    command = [
        str(tools) if tools.exists() else sys.executable,
        "-m",
        "pip_audit",
        "--no-deps",
        "--disable-pip",
        "-r",
        "constraints.txt",
    ]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = answer.stdout + answer.stderr
    if "No module named pip_audit" in said:
        return False, "pip-audit is not installed; vulnerabilities were not looked up."
    if any(word in said for word in OFFLINE_WORDS):
        return False, "The service that lists vulnerabilities does not answer; they were not looked up."
    unknown, total = said.count(NOT_AUDITED), len(pinned("constraints.txt"))
    if unknown == total:
        return False, "The service knows none of the packages (a mirror?); vulnerabilities were not looked up."
    told = "\n".join(line for line in said.strip().splitlines() if NOT_AUDITED not in line)
    if unknown:
        told += f"\n{unknown} of {total} packages could not be looked up."
    return answer.returncode == 0 and not unknown, told


def main() -> int:
    """Print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--report", type=Path)
    asked = parser.parse_args()
    strange = unknown_licences()
    lines = [f"licence not listed: {line}" for line in strange]
    lines.append(f"{len(pinned('constraints.txt'))} locked packages, {len(strange)} with a licence that is not listed")
    clean, said = (True, "Vulnerabilities were not looked up.") if asked.offline else known_vulnerabilities()
    text = "\n".join([*lines, said, ""])
    print(text, end="")
    if asked.report is not None:
        asked.report.parent.mkdir(parents=True, exist_ok=True)
        asked.report.write_text(text, encoding="utf-8")
    return 1 if strange or not clean else 0


if __name__ == "__main__":
    sys.exit(main())
