"""Rules for every test: no network, steady property tests, groups that run together, no skip in CI that hides a tool.

A developer without Chromium or without the data sets skips those tests and is told why. With CI=true a skip is a
failure unless its reason is listed in `ALLOWED_IN_CI`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import ecgimn  # noqa: F401  - before a test imports onnxruntime, whose telemetry it switches off

pytest_plugins = ["pytester"]

ALLOWED_IN_CI = ("CUDA",)  # words of a reason; CI machines have no GPU
IN_CI = os.environ.get("CI") == "true"

TESTS = Path(__file__).parent
#: What `--quick` runs: layers, documents, and functions that answer in milliseconds. None of it imports PyTorch.
QUICK = {
    "evaluate/test_metrics.py",
    "formats/test_archive.py",
    "formats/test_dicom.py",
    "formats/test_wfdb_record.py",
    "signal/test_criteria.py",
    "signal/test_preprocess.py",
    "signal/test_quick_landmarks.py",
    "signal/test_scope.py",
    "signal/test_t_wave.py",
    "signal/test_verdicts.py",
    "sources/test_case_list.py",
    "sources/test_ptbxl.py",
    "sources/test_search.py",
    "study/test_agreement.py",
    "study/test_collection.py",
    "test_ci_rules.py",
    "test_deployment.py",
    "test_docs.py",
    "test_layering.py",
}
HEAVY = ("torch", "streamlit", "playwright", "captum")
#: Tests that share a server, or take long, by folder or file: the first that fits. Each group is run by one process, in
#: this order. All other tests of a file run together, for their module's fixtures.
GROUPS = {
    "browser/test_study_journey.py": "study journey",  # these start servers of their own
    "browser/test_own_data.py": "own data",
    "browser/test_audit_journey.py": "audit journey",
    "browser/test_foreign_text.py": "foreign text",
    "browser/test_passphrases.py": "passphrases",
    "browser/": "browser",
    "draw/test_ecg_browser.py": "browser",
    "test_no_network.py": "network",
    "train/": "train",
    "batch/": "batch",
    "study/": "study",
    "app/test_reading_room.py": "reading room",
    "explain/test_difference.py": "difference",
    "draw/test_painted.py": "painted",
    "draw/test_marks.py": "marks",
    "signal/test_ptbxl_rates.py": "rates",
}

#: Under --cov these are not traced, which would take them as long again: the library's own tests reach what they reach,
#: and a server is a process of its own that is never traced. A single test says the same by its mark no_cover.
UNTRACED = (
    "app/",
    "browser/",
    "draw/test_ecg_browser.py",
    "signal/test_ludb.py",
    "signal/test_ptbxl_rates.py",
    "study/test_load.py",
    "test_no_network.py",
    "test_notebooks.py",
)

# Two shared cores make single examples slow at random, so there is no deadline; CI always tries the same examples.
settings.register_profile("steady", deadline=None, derandomize=IN_CI)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only tests that answer in seconds, without PyTorch")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --quick, leave out every file that is not listed, and folders without one: their conftest.py may be slow."""
    if not config.getoption("--quick") or not collection_path.is_relative_to(TESTS) or collection_path == TESTS:
        return None
    path = collection_path.relative_to(TESTS).as_posix()
    return not any(listed == path or listed.startswith(f"{path}/") for listed in QUICK) or None


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else item.path.name


def _group(item: pytest.Item) -> str:
    """Return the name of the tests that one process must run together with this one."""
    path = _path(item)
    return next((group for start, group in GROUPS.items() if path.startswith(start)), path)


class Parallel:
    """What pytest-xdist has to know; each of its processes makes the same groups in the same order."""

    @pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.add_marker(pytest.mark.xdist_group(_group(item)))


@pytest.hookimpl(trylast=True)  # after pytest-randomly; a long group that begins last would be waited for alone
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        order = {group: place for place, group in enumerate(GROUPS.values())}
        items.sort(key=lambda item: order.get(_group(item), len(order)))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "xdist_group(name): tests that one process of pytest-xdist runs together")
    config.pluginmanager.register(Parallel(), "parallel")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Trace neither the tests of `UNTRACED` nor their fixtures; the mark of pytest-cov stops for the call alone."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    tracer = plugin and plugin.cov_controller
    if tracer is None or not _path(item).startswith(UNTRACED):
        return (yield)
    tracer.pause()
    try:
        return (yield)
    finally:
        tracer.resume()


_loaded: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """With --quick, fail the first test that finds one of the heavy libraries loaded."""
    yield
    if item.config.getoption("--quick"):
        loaded = (set(HEAVY) & sys.modules.keys()) - _loaded
        _loaded.update(loaded)
        assert not loaded, f"--quick must stay quick, and {sorted(loaded)} are imported; take the file off QUICK"


def _fail_a_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure when it hides something in CI; an expected failure stays what it is."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(word in reason for word in ALLOWED_IN_CI):
        report.outcome = "failed"
        report.longrepr = f"Skipped in CI, where everything a test needs must be there. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_a_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_a_skip(report)
    return report


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine: no test needs one, and the app must not make one."""
    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        # Datagram sockets send nothing on connect; dask finds its own address that way.
        stays = self.family == socket.AF_UNIX or self.type == socket.SOCK_DGRAM
        if not stays and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"A test tried to connect to {address[0]}; tests stay on this machine.")
        real_connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield
