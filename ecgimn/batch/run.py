"""Runs a batch: chunks of recordings to worker processes or a Dask cluster, their tables into the output folder.

One process writes. Few chunks are under way at a time, so memory does not grow with the number of recordings. What goes
wrong with one recording is a row of "errors": a file that cannot be read, a fault of this program, a worker that dies;
the last two are tried again when the run is resumed. A fault of the workers is an error of the run: they are asked for
their version, model and source before the first chunk, and a run in which nothing succeeds ends.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, TypeVar

from ecgimn import __version__
from ecgimn.batch.output import Rows, Settings, Tables, done_records, is_remote, open_output
from ecgimn.batch.work import Chunk, Item, WaveSearch, check_worker, explain_chunk, kind_of, list_items
from ecgimn.errors import EcgImnError, ModelError, SourceError
from ecgimn.model.card import ModelCard

if TYPE_CHECKING:
    from distributed import Client

    from ecgimn.hospital import HospitalKind

T = TypeVar("T")
CHUNK = {"not looked for": 128, "five leads": 32, "all leads": 16}  # recordings: some seconds of work each
AHEAD = 2  # chunks under way per worker
OPERATING_POINT = "youden"
DASK_TIMEOUT_S = 30
HOPELESS = 16  # recordings that fail in a row from the start, not for their files: the workers are at fault
_LOST = ("CommClosedError", "ClosedClientError", "NoValidWorkerError")  # of distributed: the cluster is gone
#: One thread a worker: several that each start as many threads as there are cores slow each other down.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Request:
    """What to explain, and how.

    Attributes
    ----------
    source, out : Path or str
        A path, or an address of a remote file system that fsspec opens: "s3://bucket/folder".
    card : ModelCard
        Of the model, which must be under models/ wherever a worker runs.
    waves : {"all leads", "five leads", "not looked for"}
    fs : {100, 500} or None
        Rate of PTB-XL records; None for the better one that is here.
    workers : int
        Processes on this machine; 0 for this very process. With a cluster it does not matter.
    dask : str
        Address of a Dask scheduler; empty for processes.
    limit : int or None
        Only the first so many recordings of the source.
    salt : bytes or None
        File names become hashes with this salt.
    chunk : int or None
        Recordings a chunk; None for what suits `waves`.
    reports : tuple of {"fhir", "dicom-sr"}
        Files to write for each window besides the tables; needs waves.
    """

    source: Path | str
    out: Path | str
    card: ModelCard
    waves: WaveSearch = "all leads"
    fs: int | None = None
    workers: int = 1
    dask: str = ""
    limit: int | None = None
    salt: bytes | None = None
    chunk: int | None = None
    reports: tuple[HospitalKind, ...] = ()


@dataclass(frozen=True)
class RunSummary:
    """How a run ended: recordings by what became of them; `before` were done already, `skipped` are no ECG."""

    explained: int
    refused: int
    failed: int
    before: int
    skipped: int = 0


def run_batch(
    request: Request, report: Callable[[int, int, int], None] = lambda done, failed, total: None
) -> RunSummary:
    """Explain all recordings of a source that the output folder does not hold yet.

    Parameters
    ----------
    request : Request
    report : callable
        Called with recordings done, how many of them failed, and all, at the start and after every part.

    Raises
    ------
    SourceError
        The source, the output folder or the cluster cannot be used.
    ModelError
        A worker does not have the model.
    """
    items = list_items(request.source, fs=request.fs, limit=request.limit, salt=request.salt)
    with open_output(request.out, settings_of(request)) as output:
        done = done_records(request.out)
        todo = [item for item in items if item.record not in done]
        before, counts = len(items) - len(todo), {"explained": 0, "refused": 0, "failed": 0, "skipped": 0}
        report(before, 0, len(items))
        chunks = deque(_chunks(todo, request))
        with _workers(request, todo[0].path if todo else "") as pool:
            pool.hopeful = bool(output.forgotten)  # of recordings that failed before, all may fail again
            for tables in pool.results(chunks):
                output.write(tables)
                for status in tables["records"]["status"].to_pylist():
                    counts[status] += 1
                report(before + sum(counts.values()), counts["failed"], len(items))
    return RunSummary(**counts, before=before)


def settings_of(request: Request) -> Settings:
    """Return what all parts of a run share."""
    where = str(request.source if is_remote(request.source) else Path(request.source).resolve())
    place = hashlib.sha256(where.encode()).hexdigest()[:16]
    kind, card = kind_of(request.source), request.card
    return Settings(
        model=card.name,
        sha256=card.sha256,
        classes=card.classes,
        thresholds=card.thresholds.get(OPERATING_POINT, (0.5,) * len(card.classes)),
        waves=request.waves,
        fs=str(request.fs or "best") if kind == "ptbxl" else "own",
        source=f"{kind} {place}" + (" salted" if request.salt else ""),
        version=__version__,
        reports=" ".join(request.reports),
    )


def _chunks(items: list[Item], request: Request) -> Iterator[Chunk]:
    size = request.chunk or CHUNK[request.waves]
    for start in range(0, len(items), size):
        chosen = tuple(items[start : start + size])
        yield Chunk(chosen, request.card.name, request.card.sha256, request.waves, OPERATING_POINT, request.reports)


class Pool:
    """Workers that may die: a chunk that kills one is cut in halves until the recording is found.

    Where the first recordings all fail for another reason than their files, the run ends.

    Parameters
    ----------
    start : callable
        Makes an executor; called again after a worker died.
    ahead : int
        Chunks under way.
    """

    def __init__(self, start: Callable[[], Executor], ahead: int) -> None:
        self._start, self._ahead = start, ahead
        self._executor = start()
        self._under_way: dict[Future[Tables], Chunk] = {}
        self.hopeful, self._faults = False, 0  # whether faults alone do not end the run

    def results(self, chunks: deque[Chunk]) -> Iterator[Tables]:
        """Yield the tables of all chunks, as they are ready."""
        under_way = self._under_way
        suspects: deque[Chunk] = deque()  # were under way when a worker died; run one at a time
        while chunks or suspects or under_way:
            while not suspects and chunks and len(under_way) < self._ahead:
                self._submit(chunks.popleft())
            if suspects and not under_way:
                self._submit(suspects.popleft())
            alone = len(under_way) == 1
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                chunk, fault = under_way.pop(future), future.exception()
                if fault is None:
                    self.hopeful = True
                    yield future.result()
                elif isinstance(fault, ModelError):
                    raise fault
                elif isinstance(fault, ImportError | CancelledError) or type(fault).__name__ in _LOST:
                    raise SourceError(
                        f"The workers cannot do the work ({type(fault).__name__}). Workers that are reachable and have "
                        "this version of ecgimn with its extra `batch` are needed. Mend them and start the run again; "
                        "it goes on where it stopped."
                    ) from fault
                elif isinstance(fault, BrokenProcessPool) and not alone:
                    suspects.append(chunk)
                elif len(chunk.items) > 1:
                    (suspects if isinstance(fault, BrokenProcessPool) else chunks).extendleft(_halves(chunk))
                else:
                    self._faults += 1
                    if not self.hopeful and self._faults >= HOPELESS:
                        raise _hopeless(self._faults, fault) from fault
                    yield _failed(chunk.items[0], fault)
            if any(isinstance(future.exception(), BrokenProcessPool) for future in finished):
                suspects.extend(under_way.values())  # all broke with it
                under_way.clear()
                self._executor.shutdown(wait=False)
                self._executor = self._start()
        if not self.hopeful and self._faults > 1:
            raise _hopeless(self._faults, None)

    def _submit(self, chunk: Chunk) -> None:
        self._under_way[self._executor.submit(explain_chunk, chunk)] = chunk

    def close(self) -> None:
        """End the workers without waiting for what is under way."""
        for future in self._under_way:
            future.cancel()
        self._executor.shutdown(wait=False)


def _hopeless(n: int, fault: BaseException | None) -> SourceError:
    kind = f" ({type(fault).__name__})" if fault is not None else ""
    return SourceError(
        f"The first {n} recordings all failed for another reason than their files{kind}. Workers that can do the work "
        "are needed. Explain one of the recordings by itself to see the fault, and start the run again; they are tried "
        "again then."
    )


def _halves(chunk: Chunk) -> tuple[Chunk, Chunk]:
    middle = len(chunk.items) // 2
    return replace(chunk, items=chunk.items[:middle]), replace(chunk, items=chunk.items[middle:])


def _failed(item: Item, fault: BaseException) -> Tables:
    """Tables of one recording that could not be explained; a fault's own words may hold what is in the file."""
    if isinstance(fault, BrokenProcessPool) or type(fault).__name__ == "KilledWorker":
        reason = "The process that read this recording ended, as it does when memory runs out. Read it by itself."
    else:
        frames = traceback.extract_tb(fault.__traceback__)
        where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        reason = f"A fault of this program ({type(fault).__name__}{where}). Please report it."
    rows = Rows()
    rows.add("errors", record=item.record, kind=type(fault).__name__, reason=reason, retry=True)
    rows.add("records", record=item.record, status="failed", windows=0)
    return rows.tables()


@contextmanager
def _workers(request: Request, first: str) -> Iterator[Pool]:
    """Open the workers; a cluster is asked whether it can do the work, and read the file `first`."""
    if request.dask:
        pool: AbstractContextManager[Pool] = _dask_pool(request, first)
    else:
        pool = _process_pool(request.workers) if request.workers else nullcontext(Pool(_HereAndNow, 1))
    with pool as opened:
        try:
            yield opened
        finally:
            opened.close()


class _HereAndNow(Executor):
    """Does the work in this process, before `submit` returns."""

    def submit(self, work: Callable[..., T], /, *args: object, **options: object) -> Future[T]:
        """Return a finished future; what the work raises is raised here."""
        future: Future[T] = Future()
        future.set_result(work(*args, **options))
        return future


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone, killed too; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _process_pool(workers: int) -> Iterator[Pool]:
    """Workers on this machine, started afresh, so that no lock or thread of this process is copied into them."""
    context, before = multiprocessing.get_context("spawn"), {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # read when NumPy and PyTorch are imported there
    try:
        yield Pool(
            lambda: ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent), AHEAD * workers
        )
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _dask_pool(request: Request, first: str) -> Iterator[Pool]:
    """Workers of a cluster; source and models/ must be readable there under the same paths."""
    from distributed import Client

    address = request.dask
    try:
        client = Client(address, timeout=DASK_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as exc:
        raise SourceError(
            f"No Dask scheduler answers at {address!r}. One is needed at the address given with --dask. "
            "Start it with: dask scheduler"
        ) from exc
    with client:
        threads = sum(client.nthreads().values())
        if threads == 0:
            raise SourceError(f"The Dask cluster at {address!r} has no worker. Start one with: dask worker {address}")
        _check_versions(client)
        _check_workers(client, request.card, first)
        yield Pool(lambda: client.get_executor(pure=False), AHEAD * threads)


def _check_versions(client: Client) -> None:
    """Refuse a cluster of which the scheduler or a worker does not have this very version of ecgimn.

    The scheduler unpacks what is handed to it, so it needs the package too. They are asked with a function of the
    standard library: one of ours could not be unpacked where ecgimn is missing.
    """
    ask = "ecgimn:__version__"
    try:
        scheduler = client.run_on_scheduler(resolve_name, ask)
    except ImportError:
        scheduler = "none"
    found = {"the scheduler": scheduler}
    for worker, answer in client.run(resolve_name, ask, on_error="return").items():
        found[f"worker {worker}"] = "none" if isinstance(answer, BaseException) else answer
    others = {who: version for who, version in found.items() if version != __version__}
    if others:
        who, version = next(iter(others.items()))
        more = f" and {len(others) - 1} others" if len(others) > 1 else ""
        raise SourceError(
            f"The Dask cluster has not the same ecgimn everywhere: {who}{more} has {version}, this machine "
            f"{__version__}. One version is needed on scheduler and workers. Install it there: "
            "pip install 'ecgimn[batch,formats]'"
        )


def _check_workers(client: Client, card: ModelCard, first: str) -> None:
    """Refuse a cluster of which a worker lacks the model or the source."""
    answers = client.run(check_worker, card.name, card.sha256, first, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, EcgImnError):
            raise SourceError(f"Worker {worker} of the Dask cluster cannot do the work. {answer}") from answer
        if isinstance(answer, BaseException):
            raise SourceError(
                f"Worker {worker} of the Dask cluster cannot do the work ({type(answer).__name__}). The libraries of "
                "ecgimn with its extras `batch` and `formats` are needed there. Install them."
            ) from answer
