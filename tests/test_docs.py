"""README, ARCHITECTURE, Makefile and requirements say what is there."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

import ecgimn

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
INTENDED_USE = (
    "For research, teaching and qualitative audit of ECG explanations. Not a medical device; not for diagnosis, "
    "triage, monitoring or patient care."
)
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")


def first_column(text: str, heading: str) -> list[str]:
    """Code in the first cells of the table below a heading."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)


def shell_lines() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def command_line() -> TyperGroup:
    from ecgimn.cli import app

    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def pins(name: str) -> dict[str, str]:
    """Versions by normalised package name (PEP 503)."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith(("#", "-r"))]
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pairs}


def test_the_table_of_modules_matches_the_tree() -> None:
    listed = first_column(README, "Where things are")
    parts = {
        f"ecgimn/{path.name}{'/' if path.is_dir() else ''}"
        for path in (ROOT / "ecgimn").iterdir()
        if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert {row for row in listed if row.startswith("ecgimn/")} == parts
    assert len(listed) == len(set(listed))
    assert [row for row in listed if not (ROOT / row).exists()] == []


def test_every_command_of_the_command_line_is_in_the_readme() -> None:
    listed = {row.split()[3] for row in first_column(README, "Command line")}
    assert listed == set(command_line().commands)


@pytest.mark.parametrize("row", first_column(README, "Command line"))
def test_the_options_in_the_readme_exist(row: str) -> None:
    command = command_line().commands[row.split()[3]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", row)) <= known


def test_the_make_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    used = {line.split()[1] for line in shell_lines() if line.startswith("make ")}
    assert {"run", "test"} <= used <= targets


@pytest.mark.parametrize("text", [README, ARCHITECTURE], ids=["README", "ARCHITECTURE"])
def test_every_file_that_the_documents_name_exists(text: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    paths = [
        path
        for path in re.findall(r"`([\w.-]+/[\w./-]*)`", text)
        if not PLACEHOLDER.search(path) and not path.startswith(".venv")
    ]
    homes = (ROOT, ROOT / "ecgimn", ROOT / "tests")  # `draw/paper.py` is said of the library
    assert [path for path in links + paths if not any((home / path).exists() for home in homes)] == []


def test_the_intended_use_is_said_in_the_same_words_everywhere() -> None:
    plain = " ".join(README.replace("\n> ", " ").split())
    assert INTENDED_USE in plain
    assert INTENDED_USE in " ".join((ecgimn.__doc__ or "").split())


def test_every_library_that_the_code_imports_is_a_requirement() -> None:
    """Not one that merely comes along with another: that one may go its own way."""
    homes = packages_distributions()
    files = [*(ROOT / "ecgimn").rglob("*.py"), *(ROOT / "pages").glob("*.py"), *ROOT.glob("app.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    foreign = imported - sys.stdlib_module_names - {"ecgimn", "pages"}
    asked = pins("requirements.txt").keys()
    missing = {
        name
        for name in foreign
        if not asked & {re.sub(r"[-_.]+", "-", home).lower() for home in homes.get(name, [name])}
    }
    assert missing == set()


def test_the_lock_holds_every_requirement_at_its_version() -> None:
    lock = pins("constraints.txt")
    asked = pins("requirements.txt") | pins("requirements-dev.txt")
    assert {package: lock.get(package) for package in asked} == asked


def test_the_lock_fits_every_kind_of_machine() -> None:
    assert [version for version in pins("constraints.txt").values() if not re.fullmatch(r"[\w.]+", version)] == []


def test_the_versions_of_code_and_citation_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {ecgimn.__version__}\n" in citation
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"] == "MIT"


def test_every_setting_file_names_the_same_python() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["requires-python"] == ">=3.11"
    assert "(3, 11)" in MAKEFILE
    assert "Python 3.11 or newer" in README
