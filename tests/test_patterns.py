"""No regular expression takes longer than in proportion to what it reads, whatever that is.

A pattern that tries a run of signs in every way it can be parted takes four times as long for twice the text, or
worse, and 47 bytes have stopped a batch that way. Each pattern of the project is timed, by what the processor does, on
runs of many kinds that end in something that fits nowhere.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "ecgimn").rglob("*.py"))
METHODS = ("match", "fullmatch", "search", "sub", "split", "findall", "finditer")
#: What the runs are made of: signs on which patterns of headers, numbers, names and tables feed.
RUNS = (
    " ", "\t", "\n", "a", "A", "0", "9.", "0,", ".", ",", ";", ":", "/", "\\", "-", "_", "(", ")", "[", "]", "{", "<",
    "#", "%", "*", "=", '"', "'", "a ", "a,", "a/", "a.", "1 ", "1e", "-1 ", "0:", "a=1 ", "16x", "200(0)/mV ",
    "\u00b5", "\x00", "\r\n", "# \n", "I,", "V1 ", "<a>", "&a;", "{%", "1-1-", "Lead ",
)  # fmt: skip
TAILS = ("", "\x00", "!", "\n\u2028")
SHORT, LONG = 250, 16_000
ENOUGH_S = 0.02  # of the processor: less is no growth that anybody could measure
MOST = 3.0  # twice the text: 2 in proportion, 4 for a square


def uses() -> Iterator[tuple[str, str, str, int]]:
    """Module, method, name and line of every use; a pattern without a name has no module and stands there itself."""
    for path in FILES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                continue
            owner, method = node.func.value, node.func.attr
            if isinstance(owner, ast.Name) and owner.id == "re":
                if isinstance(node.args[0], ast.Constant):
                    yield "", method, node.args[0].value, node.lineno
            elif isinstance(owner, ast.Name) and owner.id.isupper():
                yield module, method, owner.id, node.lineno


def patterns() -> list[tuple[str, re.Pattern[str] | re.Pattern[bytes], str]]:
    """Every pattern with the way it is used, and its name."""
    found = []
    for module, method, what, line in uses():
        pattern = getattr(importlib.import_module(module), what, None) if module else re.compile(what)
        if isinstance(pattern, re.Pattern):
            found.append((f"{module or 're'}:{what}:{method}:{line}", pattern, method))
    return found


PATTERNS = patterns()


def seconds(pattern: re.Pattern[str] | re.Pattern[bytes], method: str, text: str) -> float:
    """Seconds of the processor that one use takes, the least of three."""
    data = text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text
    work = getattr(pattern, method)
    times = []
    for _ in range(3):
        begun = time.thread_time()
        done = work(b"" if isinstance(data, bytes) else "", data) if method == "sub" else work(data)
        if method == "finditer":
            list(done)
        times.append(time.thread_time() - begun)
        if times[-1] < ENOUGH_S:
            break
    return min(times)


def test_the_patterns_of_the_project_are_found() -> None:
    assert len(PATTERNS) > 40
    assert {method for _, _, method in PATTERNS} >= {"fullmatch", "sub", "search"}


@pytest.mark.parametrize(
    ("pattern", "method"), [(re.compile(r"(\s*a?\s*)+!"), "match"), (re.compile(r"\s+$"), "search")]
)
def test_a_pattern_that_takes_longer_is_noticed(pattern: re.Pattern[str], method: str) -> None:
    with pytest.raises(AssertionError, match="times as long"):
        assert_in_proportion(pattern, method)


def assert_in_proportion(pattern: re.Pattern[str] | re.Pattern[bytes], method: str) -> None:
    for run in RUNS:
        for tail in TAILS:
            length, before = (12 if method in ("match", "fullmatch") else SHORT), 0.0
            while length <= LONG:
                took = seconds(pattern, method, (run * (length // len(run) + 1))[:length] + tail)
                if took >= ENOUGH_S:
                    assert took < MOST * max(before, ENOUGH_S / 4), (
                        f"{took / max(before, 1e-9):.1f} times as long for twice of {run!r}, then {tail!r}"
                    )
                length, before = 2 * length, took


@pytest.mark.parametrize(("pattern", "method"), [found[1:] for found in PATTERNS], ids=[found[0] for found in PATTERNS])
def test_a_pattern_takes_as_long_as_its_text_is(pattern: re.Pattern[str] | re.Pattern[bytes], method: str) -> None:
    assert_in_proportion(pattern, method)
