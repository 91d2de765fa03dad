"""Rules for every test: no network, steady property tests, and in CI no skip that hides a missing tool.

A developer without Chromium or without the data sets skips those tests and is told why. With CI=true a skip is a
failure unless its reason is listed in `ALLOWED_IN_CI`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings

import ecgimn  # noqa: F401  - before a test imports onnxruntime, whose telemetry it switches off

pytest_plugins = ["pytester"]

ALLOWED_IN_CI = ("CUDA",)  # words of a reason; CI machines have no GPU
IN_CI = os.environ.get("CI") == "true"

# Two shared cores make single examples slow at random, so there is no deadline; CI always tries the same examples.
settings.register_profile("steady", deadline=None, derandomize=IN_CI)
settings.load_profile("steady")


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
