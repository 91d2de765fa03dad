"""Imports point one way: pages -> draw, study -> explain -> signal, model -> recording -> leads, errors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import ecgimn

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "ecgimn").rglob("*.py"))
SCREENS = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
SCREENS = [path for path in SCREENS if path.exists()]

_BORDER = {"about", "errors", "escape", "leads", "recording"}
_MODEL = _BORDER | {"signal", "model"}
_FILES = {"formats", "sources"}
#: What each part of the library may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "about": set(),
    "escape": set(),
    "leads": {"errors"},
    "recording": {"errors", "leads"},
    "formats": _BORDER,
    "sources": _BORDER | {"formats", "signal"},  # a composite case is made of measured beats
    "signal": _BORDER,
    "model": _BORDER | {"signal"},  # a checkpoint names its preprocessing, which is signal/preprocess.py
    "explain": _MODEL,
    "draw": _MODEL | {"explain"},
    "hospital": _MODEL | _FILES | {"explain"},
    "batch": _MODEL | _FILES | {"explain", "hospital"},
    "study": _MODEL | _FILES | {"explain", "evaluate"},  # one set of measures
    "evaluate": _MODEL | _FILES | {"explain"},
    "train": _MODEL | _FILES | {"explain", "evaluate"},
    "screens": _MODEL | _FILES | {"explain", "hospital", "draw", "study", "batch"},
}
ANYTHING = {"cli", "__main__", "__init__"}

#: The files of the library that may import a third-party package; a folder ends in a slash.
HOME_OF: dict[str, tuple[str, ...]] = {
    "streamlit": (),
    "plotly": ("draw/",),
    "matplotlib": ("draw/",),
    "segno": ("draw/print/",),
    "torch": ("model/", "train/", "evaluate/", "explain/methods.py"),
    "captum": ("explain/methods.py",),
    "safetensors": ("model/", "train/"),
    "wfdb": ("formats/",),
    "ecgdatakit": ("formats/",),
    "pydicom": ("formats/", "hospital.py"),
    "fhir": ("hospital.py",),
    "openecg": ("signal/",),
    "onnx": ("signal/",),
    "onnxruntime": ("signal/",),
    "neurokit2": ("signal/",),
    "pooch": ("sources/",),
    "requests": ("sources/",),
    "sklearn": ("evaluate/", "train/", "study/"),
    "sqlalchemy": ("study/",),
    "alembic": ("study/",),
    "platformdirs": ("study/",),
    "yaml": ("study/",),
    "pydantic": ("study/",),
    "argon2": ("study/keys.py",),
    "cryptography": ("study/keys.py",),
    "pyarrow": ("batch/",),
    "fsspec": ("batch/",),
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


def module_name(path: Path) -> str:
    """Dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


KNOWN = {module_name(path) for path in LIBRARY + SCREENS}


def loaded_modules(path: Path) -> Iterator[str]:
    """Dotted names of the project's modules that are imported when a file is loaded."""
    for node in nodes(path)[0].body:  # type: ignore[attr-defined]  # of the file itself
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names} & KNOWN
            yield from whole or {node.module}


def part_of(path: Path) -> str:
    """Name of the part of the library that a file belongs to: its folder, or the module itself."""
    return path.relative_to(ROOT / "ecgimn").with_suffix("").parts[0]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_library_imports_one_way() -> None:
    assert min(len(LIBRARY), len(SCREENS)) > 10  # found at all
    for path in LIBRARY:
        part = part_of(path)
        if part in ANYTHING:
            continue
        assert part in MAY_IMPORT, f"ecgimn/{part} is new: say in MAY_IMPORT and docs/architecture.md where it stands"
        used = {module.split(".")[1] for module in imported_modules(path) if module.startswith("ecgimn.")}
        assert used - {part} <= MAY_IMPORT[part], name(path)


def test_a_third_party_library_stays_in_its_place() -> None:
    for path in LIBRARY:
        where = path.relative_to(ROOT / "ecgimn").as_posix()
        strays = {
            package
            for package in {module.split(".")[0] for module in imported_modules(path)} & HOME_OF.keys()
            if not any(where == home or (home.endswith("/") and where.startswith(home)) for home in HOME_OF[package])
        }
        assert not strays, name(path)


def test_a_page_draws_with_the_library_and_no_library_below_it() -> None:
    for path in SCREENS:
        modules = set(imported_modules(path))
        parts = {module.split(".")[1] for module in modules if module.startswith("ecgimn.")}
        assert parts <= MAY_IMPORT["screens"], name(path)
        below = {"torch", "plotly", "matplotlib", "wfdb", "sqlalchemy"}
        assert not {module.split(".")[0] for module in modules} & below, name(path)


def test_no_bug_is_swallowed_and_no_user_data_is_asserted() -> None:
    for path in LIBRARY + SCREENS:
        for node in nodes(path):
            assert not isinstance(node, ast.Assert), (
                f"{name(path)}, line {node.lineno}: raise an error in the reader's words"
            )
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                assert caught not in ("", "Exception", "BaseException"), (
                    f"{name(path)}, line {node.lineno}: name what is caught"
                )


def test_no_call_opens_a_door_for_foreign_code() -> None:
    for path in LIBRARY + SCREENS:
        for node in nodes(path):
            if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
                doors = (("unsafe_allow_html", True), ("allow_pickle", True), ("weights_only", False))
                assert (node.arg, node.value.value) not in doors, f"{name(path)}, line {node.value.lineno}"


def test_foreign_text_is_escaped_in_one_place() -> None:
    for path in [path for path in LIBRARY + SCREENS if path.stem != "escape"]:
        assert not {"html", "xml.sax.saxutils", "markupsafe"} & set(imported_modules(path)), name(path)


def touches(path: Path, name: str) -> bool:
    """Whether a file uses an attribute of `st` that begins so, as in `st.session_state` or `st.cache_data`."""
    return any(
        isinstance(node, ast.Attribute) and node.attr.startswith(name) and ast.unparse(node.value) == "st"
        for node in nodes(path)
    )


def test_only_the_rooms_of_state_touch_the_session() -> None:
    for path in [path for path in SCREENS if "state" not in path.parts]:
        assert not touches(path, "session_state"), name(path)


def test_only_one_file_caches() -> None:
    for path in [path for path in SCREENS if path != ROOT / "pages/ui/cache.py"]:
        assert not touches(path, "cache_"), name(path)


def test_state_knows_no_cache_and_no_other_part_of_a_page() -> None:
    rooms = sorted((ROOT / "pages/ui/state").glob("*.py"))
    assert rooms
    for path in rooms:
        pages = {module for module in imported_modules(path) if module.startswith("pages")}
        assert {module for module in pages if not module.startswith("pages.ui.state")} == set(), name(path)


def test_every_reader_meets_a_model_through_the_quality_check() -> None:
    """`open_case` and `open_cases` check; whoever calls the explanation itself is listed here."""
    listed = {"pages/ui/cache.py", "ecgimn/cli/explain.py"}  # one keeps what comes of it, the other asks for float64
    for path in [
        path for path in LIBRARY + SCREENS if path in SCREENS or part_of(path) in ("batch", "cli", "draw", "study")
    ]:
        direct = {
            alias.name
            for node in nodes(path)
            if isinstance(node, ast.ImportFrom) and node.module == "ecgimn.explain.explanation"
            for alias in node.names
        }
        assert not direct & {"explain", "explain_many"} or name(path) in listed, name(path)


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    """Counts what is imported when a module is loaded; an import inside a function or for type checkers is none."""
    graph = {module_name(path): set(loaded_modules(path)) for path in LIBRARY + SCREENS}
    graph = {module: used & graph.keys() - {module} for module, used in graph.items()}
    while free := {module for module, used in graph.items() if not used}:
        graph = {module: used - free for module, used in graph.items() if module not in free}
    assert graph == {}


def test_no_class_name_has_two_meanings() -> None:
    names = Counter(node.name for path in LIBRARY + SCREENS for node in nodes(path) if isinstance(node, ast.ClassDef))
    assert [name for name, n in names.items() if n > 1] == []


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert not [path.name for path in LIBRARY + SCREENS if path.stem in ("utils", "common", "misc", "helpers")]


def test_reading_measuring_and_drawing_start_without_torch_or_streamlit() -> None:
    modules = "ecgimn.formats, ecgimn.signal.waves.find, ecgimn.explain.ledger, ecgimn.draw.screen.ecg"
    code = f"import sys, {modules}; print(sorted({{'torch', 'streamlit', 'captum'}} & sys.modules.keys()))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "[]", answer.stderr
