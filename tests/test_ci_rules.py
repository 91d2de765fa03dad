"""The rules of tests/conftest.py: in CI a skip fails, but not for a missing GPU, and not for a developer."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
SKIPPING = """
    import pytest

    def test_one():
        pytest.skip({reason!r})
"""
SKIPPED_MODULE = """
    import pytest

    pytest.importorskip("no_such_library_at_all")
"""


def test_the_tests_of_a_group_go_to_one_process(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        assert "PYTEST_XDIST_WORKER" not in os.environ, "run in parallel with --dist loadgroup, as make test does"
        return
    assert request.node.nodeid.endswith("@test_ci_rules.py")  # as pytest-xdist sends it to one of its processes


@pytest.mark.parametrize(
    ("ci", "reason", "outcome"),
    [
        ("true", "no Chromium found", {"failed": 1}),
        ("true", "needs CUDA", {"skipped": 1}),
        ("", "no Chromium found", {"skipped": 1}),
    ],
)
def test_a_skip_fails_in_ci_unless_a_gpu_is_missing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, reason: str, outcome: dict[str, int]
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SKIPPING.format(reason=reason))
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly").assert_outcomes(**outcome)


def test_a_skipped_module_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SKIPPED_MODULE)
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly").assert_outcomes(errors=1)


def test_a_test_cannot_leave_this_machine() -> None:
    with socket.socket() as outside, pytest.raises(AssertionError, match="stay on this machine"):
        outside.connect(("192.0.2.1", 80))  # TEST-NET-1, never routed (RFC 5737)
