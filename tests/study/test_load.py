"""Twenty readers at once: every answer is there, nobody meets a lock; with 200 cases each, saving is quick (bench)."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import pytest

from ecgimn.errors import EcgImnError
from ecgimn.study.definition import Arm, is_unbroken
from ecgimn.study.session import Reading
from ecgimn.study.store import Store
from tests.study.study_worlds import box, keep, small_audit

N_READERS, N_CASES, N_CASES_BENCH = 20, 50, 200
CPU_S = 0.01  # of one save; the median a reader waits is 50 ms at most on a machine with nothing else to do
WAIT_S = 1.0  # with patience for a busy one


def read_all(store: Store, n_cases: int) -> tuple[str, list[str], list[float], float]:
    """Let all readers answer all cases; return the audit, failures, seconds per save, and CPU seconds per save."""
    audit = keep(store, small_audit(n_cases, arms=(Arm("blind", model=False, method="none"),), name_of=store))
    failed: list[str] = []
    took: list[float] = []

    def read(name: str) -> None:
        try:
            reader, _ = store.sign_in(name)
            plan = Reading(store, audit, reader).plan
            for planned in plan:
                answer = {"primary": "MI", "also": [], "confidence": 3, "boxes": [box()], "flags": []}
                began = time.perf_counter()
                store.append(audit.uid, reader.uid, planned.case.ref, "blind", answer)
                took.append(time.perf_counter() - began)
                time.sleep(0.02)  # far quicker than anyone reads an ECG
        except EcgImnError as exc:
            failed.append(f"{name}: {exc}")

    cpu = time.process_time()
    threads = [threading.Thread(target=read, args=(f"Reader {i}",)) for i in range(N_READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return audit.uid, failed, took, (time.process_time() - cpu) / (N_READERS * n_cases)


@pytest.mark.parametrize("kind", ["store", "postgresql_store"])
def test_twenty_readers_at_once_lose_no_answer(kind: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(kind)
    audit_uid, failed, _, _ = read_all(store, N_CASES)
    assert failed == []
    events = store.events(audit_uid)
    assert len({(event.reader_uid, event.case_id) for event in events}) == len(events) == N_READERS * N_CASES
    for uid in {event.reader_uid for event in events}:
        assert is_unbroken(event for event in events if event.reader_uid == uid)


@pytest.mark.bench
@pytest.mark.parametrize("kind", ["store", "postgresql_store"])
def test_an_answer_of_twenty_readers_at_once_is_saved_quickly(
    kind: str, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    _, _, took, cpu = read_all(request.getfixturevalue(kind), N_CASES_BENCH)
    record_property("median_save_ms", round(1000 * statistics.median(took), 2))
    print(f"median save {1000 * statistics.median(took):.1f} ms, {1000 * cpu:.1f} ms of processor time each")
    assert cpu < CPU_S
    assert statistics.median(took) < WAIT_S
