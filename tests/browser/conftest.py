"""The real server on a free loopback port and a real Chromium: no page error, nothing that leaves this machine.

Screenshots and the server's log are kept under artifacts/. Without a browser these tests are skipped for a developer
and fail in CI (tests/conftest.py).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visit import ARTIFACTS, ROOT, VIEWPORT, WAIT_MS, Visit

BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome")
MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
# Without the networking flags Chromium calls home at each start; the resolver rule makes sure that it cannot.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
START_S = 300.0


def find_browser() -> str | None:
    """Path of the Chromium or Chrome to drive; CHROMIUM in the environment names another one."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    found = next((path for path in map(shutil.which, BROWSER_NAMES) if path), None)
    return found or (MAC_CHROME if Path(MAC_CHROME).exists() else None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of the browser; asked first, so that no server starts where there is none."""
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium or Chrome found (set CHROMIUM to its path)")
    return path


@contextmanager
def running_app(home: Path, log_path: Path, script: Path | None = None, **variables: str) -> Iterator[str]:
    """Start the app as `make run` does, on a free port and with an empty home folder; yield its address.

    A script is started in place of the app. Further variables are set in its environment; an empty one is taken out.
    """
    address = f"http://127.0.0.1:{free_port()}"
    started = ["pages"] if script is None else ["streamlit", "run", str(script)]
    command = [sys.executable, "-m", *started, f"--server.port={urlsplit(address).port}"]
    log_path.parent.mkdir(exist_ok=True)
    with log_path.open("w", encoding="utf-8") as log:
        environment = {name: value for name, value in (os.environ | variables).items() if value}
        environment |= {"HOME": str(home), "MALLOC_ARENA_MAX": "2"}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + START_S
            while not _answers(f"{address}/_stcore/health"):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"The app did not start:\n{log_path.read_text(encoding='utf-8')[-3000:]}")
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=120)


@pytest.fixture(scope="session")
def server(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of one app for all journeys."""
    with running_app(tmp_path_factory.mktemp("home"), ARTIFACTS / "server.log") as address:
        yield address


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.read() == b"ok")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One Chromium per module; its event loop must not outlive the module, or tests of async code would meet it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def visit(server: str, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A fresh visitor at 1366x768. Fails at the end on a page error, a console error or a request that left."""
    yield from _visit(server, browser, request, dark=False)


@pytest.fixture
def dark_visit(server: str, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """As `visit`, in the dark theme."""
    yield from _visit(server, browser, request, dark=True)


def _visit(server: str, browser: Browser, request: pytest.FixtureRequest, *, dark: bool) -> Iterator[Visit]:
    context = browser.new_context(
        viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    seen = Visit(page, server, re.sub(r"\W+", "-", request.node.name).strip("-"))
    (ARTIFACTS / f"{seen.name}-failed.png").unlink(missing_ok=True)  # of an earlier run
    seen.listen()
    try:
        yield seen
        if getattr(request.node, "call_failed", False):
            seen.keep_screenshot("failed")
    finally:
        context.close()
    assert seen.errors == [], "errors in the browser"
    assert seen.outside == [], "requests that left this machine"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if call.when == "call":
        item.call_failed = report.failed  # type: ignore[attr-defined]
    return report
