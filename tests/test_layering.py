"""Imports point one way: pages -> draw, study -> explain -> signal, model -> recording -> leads, errors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ecgimn

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "ecgimn").rglob("*.py"))
SCREENS = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
SCREENS = [path for path in SCREENS if path.exists()]

_BORDER = {"errors", "intended_use", "leads", "places", "recording"}
_MODEL = _BORDER | {"signal", "model"}
_FILES = {"formats", "sources"}
#: What each part of the library may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "intended_use": set(),
    "places": set(),
    "leads": {"errors"},
    "recording": {"errors", "leads"},
    "formats": _BORDER,
    "sources": _BORDER | {"formats", "signal"},  # a composite case is made of measured beats
    "signal": _BORDER,
    "model": _BORDER | {"signal"},  # a checkpoint names its preprocessing, which is signal/preprocess.py
    "explain": _MODEL,
    "draw": _MODEL | {"explain"},
    "batch": _MODEL | _FILES | {"explain"},
    "study": _MODEL | _FILES | {"explain"},
    "training": _MODEL | _FILES | {"explain"},
    "screens": _MODEL | _FILES | {"explain", "draw", "study", "batch"},
}
ANYTHING = {"cli", "__main__", "__init__"}

#: The files of the library that may import a third-party package; a folder ends in a slash.
HOME_OF: dict[str, tuple[str, ...]] = {
    "streamlit": (),
    "plotly": ("draw/",),
    "matplotlib": ("draw/",),
    "torch": ("model/", "training/", "explain/posthoc.py", "explain/twin.py"),
    "captum": ("explain/posthoc.py",),
    "safetensors": ("model/", "training/"),
    "wfdb": ("formats/",),
    "ecgdatakit": ("formats/",),
    "pydicom": ("formats/",),
    "openecg": ("signal/",),
    "onnx": ("signal/",),
    "onnxruntime": ("signal/",),
    "neurokit2": ("signal/",),
    "pooch": ("sources/",),
    "requests": ("sources/",),
    "sklearn": ("training/", "study/"),
    "sqlalchemy": ("study/",),
    "alembic": ("study/",),
    "platformdirs": ("study/",),
    "yaml": ("study/",),
    "pyarrow": ("batch/",),
    "distributed": ("batch/",),
    "typer": ("cli/",),
}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported_modules(path: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, also inside functions and for type checkers only."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (above, node.module) if part)
            if module == "ecgimn":  # from ecgimn import draw, Recording
                names = [alias.name for alias in node.names if alias.name != "__version__"]
                yield from (ecgimn._HOME.get(name, f"ecgimn.{name}") for name in names)
            else:
                yield module


def part_of(path: Path) -> str:
    """Name of the part of the library that a file belongs to: its folder, or the module itself."""
    return path.relative_to(ROOT / "ecgimn").with_suffix("").parts[0]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", LIBRARY, ids=name)
def test_the_library_imports_one_way(path: Path) -> None:
    part = part_of(path)
    if part in ANYTHING:
        return
    assert part in MAY_IMPORT, f"ecgimn/{part} is new: say in MAY_IMPORT and docs/ARCHITECTURE.md where it stands"
    used = {module.split(".")[1] for module in imported_modules(path) if module.startswith("ecgimn.")}
    assert used - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("path", LIBRARY, ids=name)
def test_a_third_party_library_stays_in_its_place(path: Path) -> None:
    where = path.relative_to(ROOT / "ecgimn").as_posix()
    strays = {
        package
        for package in {module.split(".")[0] for module in imported_modules(path)} & HOME_OF.keys()
        if not any(where == home or (home.endswith("/") and where.startswith(home)) for home in HOME_OF[package])
    }
    assert not strays


@pytest.mark.parametrize("path", SCREENS, ids=name)
def test_a_page_draws_with_the_library_and_no_library_below_it(path: Path) -> None:
    modules = set(imported_modules(path))
    parts = {module.split(".")[1] for module in modules if module.startswith("ecgimn.")}
    assert parts <= MAY_IMPORT["screens"]
    assert not {module.split(".")[0] for module in modules} & {"torch", "plotly", "matplotlib", "wfdb", "sqlalchemy"}


@pytest.mark.parametrize("path", LIBRARY + SCREENS, ids=name)
def test_no_bug_is_swallowed_and_no_user_data_is_asserted(path: Path) -> None:
    for node in nodes(path):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: raise an error in the reader's words"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            assert caught not in ("", "Exception", "BaseException"), f"line {node.lineno}: name what is caught"


@pytest.mark.parametrize("path", LIBRARY + SCREENS, ids=name)
def test_no_call_opens_a_door_for_foreign_code(path: Path) -> None:
    for node in nodes(path):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            doors = (("unsafe_allow_html", True), ("allow_pickle", True), ("weights_only", False))
            assert (node.arg, node.value.value) not in doors, f"line {node.value.lineno}"


@pytest.mark.parametrize("path", [path for path in SCREENS if not path.name.startswith("_session")], ids=name)
def test_session_state_is_kept_behind_its_accessors(path: Path) -> None:
    used = [node.attr for node in nodes(path) if isinstance(node, ast.Attribute)]
    assert "session_state" not in used


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert not [path.name for path in LIBRARY + SCREENS if path.stem in ("utils", "common", "misc", "helpers")]


@pytest.mark.parametrize(
    "modules",
    ["ecgimn", "ecgimn.formats, ecgimn.recording", "ecgimn.signal.waves", "ecgimn.explain.ledger", "ecgimn.draw.ecg"],
)
def test_reading_measuring_and_drawing_start_without_torch_or_streamlit(modules: str) -> None:
    code = f"import sys, {modules}; print(sorted({{'torch', 'streamlit', 'captum'}} & sys.modules.keys()))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "[]", answer.stderr
