"""What `import ecgimn` offers: the listed names, all of them, and quickly."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ecgimn

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ecgimn.__all__)
def test_every_listed_name_can_be_used(name: str) -> None:
    assert getattr(ecgimn, name) is not None
    assert name in dir(ecgimn)


def test_a_type_checker_sees_the_same_names_as_the_interpreter() -> None:
    tree = ast.parse(Path(ecgimn.__file__).read_text(encoding="utf-8"))
    seen = {
        (alias.name, node.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname is not None  # the others serve signatures
    }
    assert seen == set(ecgimn._HOME.items())
    assert set(ecgimn.__all__) == {name for name, _ in seen} | {"__version__", "open_ecg"}


def test_each_public_name_says_what_it_is() -> None:
    documented = [name for name in ecgimn.__all__ if callable(getattr(ecgimn, name))]
    assert [name for name in documented if not getattr(ecgimn, name).__doc__] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        ecgimn.no_such_name  # noqa: B018


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", ecgimn.__version__)


def test_importing_the_package_needs_no_library_at_all() -> None:
    code = "import sys, ecgimn; print(sorted({'numpy', 'pandas', 'torch', 'streamlit', 'plotly'} & sys.modules.keys()))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
