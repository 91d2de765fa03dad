"""The work of a comparison is shared out, slow methods first, and put together in the order of the networks."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgimn.errors import SourceError
from ecgimn.evaluate import compare as comparison_pool
from ecgimn.evaluate.compare import compare_methods

TASKS = [(0, "its own map"), (0, "random"), (0, "KernelSHAP"), (1, "its own map"), (1, "integrated gradients")]


class Comparison:
    subjects = ((SimpleNamespace(name="ours"), ("random",)), (SimpleNamespace(name="twin"), ("random", "KernelSHAP")))

    def tasks(self):
        return TASKS

    def answers(self, place):
        return f"answers of {place}"

    def network(self, place, answers):
        assert answers == f"answers of {place}"
        return {"network": place}

    def row(self, place, method, answers):
        assert answers == f"answers of {place}"
        if method == "broken":
            raise SourceError("A record is gone.")
        return {"row": (place, method)}

    def result(self, networks, rows):
        return {"networks": networks, "rows": rows}


class OneProcess:
    """A pool that works in this process and remembers the order."""

    order: list[tuple] = []

    def __init__(self, workers, context, initializer, arguments):
        initializer(*arguments)

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        return None

    def submit(self, work, *arguments):
        self.order.append(arguments)
        future: Future = Future()
        try:
            future.set_result(work(*arguments))
        except SourceError as exc:
            future.set_exception(exc)
        return future


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.setattr(comparison_pool, "ProcessPoolExecutor", OneProcess)
    monkeypatch.setattr(comparison_pool, "_comparison", lambda *_: Comparison())
    monkeypatch.setattr(comparison_pool.torch, "set_num_threads", lambda n: None)
    monkeypatch.setattr(OneProcess, "order", [])


def test_rows_come_back_in_the_order_of_the_networks_and_slow_methods_start_first():
    said = []
    found = compare_methods(Path("x"), 9, "ours", workers=1, report=said.append)
    assert [row["row"] for row in found["rows"]] == TASKS
    assert [row["network"] for row in found["networks"]] == [0, 1]
    asked = [arguments[:2] for arguments in OneProcess.order]
    assert asked[:2] == [(1,), (0,)]  # answers, first those of the network with most methods
    assert asked.index((1, "integrated gradients")) < asked.index((1, "its own map"))
    assert asked.index((0, "KernelSHAP")) < asked.index((0, "random"))
    assert any("5 of 5" in words for words in said)


def test_what_goes_wrong_in_a_worker_is_raised_here(monkeypatch):
    monkeypatch.setattr(Comparison, "tasks", lambda self: [(0, "broken")])
    with pytest.raises(SourceError, match="record is gone"):
        compare_methods(Path("x"), 9, "ours", workers=1)
