"""README, docs, Makefile and requirements say what is there."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from typer.core import TyperGroup

import ecgimn

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
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
    listed = {row.split()[1] for row in first_column(README, "Command line")}
    assert listed == set(command_line().commands)


@pytest.mark.parametrize("row", first_column(README, "Command line"))
def test_the_options_in_the_readme_exist(row: str) -> None:
    command = command_line().commands[row.split()[1]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", row)) <= known


def commands_of(page: Path) -> list[list[str]]:
    """Words of every call of the command line in a page's code, without its comment."""
    text = page.read_text(encoding="utf-8")
    calls = re.findall(r"(?:(?<=`)|^|/)(?:python -m )?ecgimn +([a-z][^`#\n]*)", text, flags=re.MULTILINE)
    return [call.split() for call in calls]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_documents_exists_with_its_options(page: Path) -> None:
    wrong = []
    for name, *words in commands_of(page):
        command = command_line().commands.get(name)
        if isinstance(command, TyperGroup) and words:
            command = command.commands.get(words[0])
        known = {option for parameter in command.params for option in parameter.opts} if command else set()
        options = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
        if command is None or (name != "app" and not options <= known):
            wrong.append((name, *words))
    assert wrong == []


def test_the_documents_call_the_command_line_often() -> None:
    """Else the test above looks at nothing."""
    assert len([call for page in PAGES for call in commands_of(page)]) > 30


def test_the_make_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    used = {line.split()[1] for line in shell_lines() if line.startswith("make ")}
    assert {"run", "quick", "test", "help"} <= used <= targets


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_file_that_the_documents_name_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    paths = [
        named
        for named in re.findall(r"`([\w.-]+/[\w./-]*)`", text)
        if not PLACEHOLDER.search(named)
        and not named.startswith((".venv", ".streamlit/secrets.toml", "artifacts/", "runs/"))
    ]
    homes = (ROOT, path.parent, ROOT / "ecgimn", ROOT / "tests")  # `draw/paper.py` is said of the library
    assert [named for named in links + paths if not any((home / named).exists() for home in homes)] == []


def test_every_module_that_a_comment_or_docstring_names_exists() -> None:
    missing = []
    for path in [path for part in ("ecgimn", "pages", "tests") for path in sorted((ROOT / part).rglob("*.py"))]:
        named = re.findall(r"(?<![\w/.{-])((?:[\w-]+/)+[\w-]+\.(?:py|js|md))\b", path.read_text(encoding="utf-8"))
        homes = (ROOT, path.parent, ROOT / "ecgimn")
        missing += [(path.name, name) for name in named if not any((home / name).exists() for home in homes)]
    assert missing == []


def test_the_architecture_fits_on_a_few_pages_and_shows_one_picture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert re.findall(r"!\[[^]]+\]\(([^)]+)\)", text) == ["img/layers.svg"]


def test_each_term_is_defined_once() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| ([^|]+) \|", glossary, flags=re.MULTILINE)
    names = [name.strip() for term in terms for name in term.split(",") if term not in ("term", "---")]
    assert len(names) > 40
    assert sorted(names) == sorted(set(names))


def test_the_intended_use_is_said_in_the_same_words_everywhere() -> None:
    plain = " ".join(README.replace("\n> ", " ").split())
    assert INTENDED_USE in plain
    assert INTENDED_USE in " ".join((ecgimn.__doc__ or "").split())


def test_every_library_that_the_code_imports_is_a_requirement() -> None:
    """Not one that merely comes along with another: that one may go its own way."""
    homes = packages_distributions()
    files = [*(ROOT / "ecgimn").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), *ROOT.glob("app.py")]
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


def ranges() -> dict[str, dict[str, SpecifierSet]]:
    """Version ranges by package, of the core ("") and of each extra, without what it takes over from another."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    asked = {extra: [Requirement(line) for line in lines] for extra, lines in lists.items()}
    return {
        extra: {re.sub(r"[-_.]+", "-", one.name).lower(): one.specifier for one in some if one.name != "ecgimn"}
        for extra, some in asked.items()
    }


def test_the_versions_tested_lie_within_the_ranges_that_the_package_asks_for() -> None:
    tested = pins("requirements.txt")
    asked = [(name, specifier) for some in ranges().values() for name, specifier in some.items()]
    assert [name for name, specifier in asked if name not in tested or tested[name] not in specifier] == []
    assert {name for name, _ in asked} == tested.keys()


def test_the_command_line_knows_which_extra_brings_what() -> None:
    from ecgimn.cli import EXTRA_OF

    homes = {"argon2": "argon2-cffi", "fhir": "fhir-resources", "sklearn": "scikit-learn", "yaml": "pyyaml"}
    extras = ranges()
    assert [name for name, extra in EXTRA_OF.items() if homes.get(name, name) not in extras[extra]] == []
    named = {homes.get(name, name) for name in EXTRA_OF}
    assert {name for extra, some in extras.items() if extra for name in some} == named


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
    classified = [
        name.rpartition(" ")[2] for name in settings["project"]["classifiers"] if re.search(r"Python :: 3\.\d+$", name)
    ]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["quick"]["strategy"]["matrix"]["python"] == classified
