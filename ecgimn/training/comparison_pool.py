"""The comparison of methods over all cores: every worker draws the same records and measures method after method."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.comparison_sample import draw_sample
from ecgimn.training.faithfulness import Answers, Comparison
from ecgimn.training.subjects import chosen_subjects

#: What takes longest goes first, so that no core waits for another at the end.
SLOW_FIRST = ("KernelSHAP", "integrated gradients", "occlusion", "GradientSHAP")
_here: dict[str, Comparison] = {}


def compare_methods(
    folder: Path,
    fold: int,
    model: str,
    *,
    limit: int | None = None,
    workers: int | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Compare a model with its peers; returns plain values for JSON.

    Parameters
    ----------
    folder : Path
        Of PTB-XL.
    fold : int
    model : str
        Name of a listed model.
    limit : int, optional
        Fewer records, for a quick look.
    workers : int, optional
        Processes; one per core by default.
    report : callable
        Called with how far it is.
    """
    report("reading records")
    comparison = _comparison(folder, fold, model, limit)
    tasks = sorted(comparison.tasks(), key=lambda task: SLOW_FIRST.index(task[1]) if task[1] in SLOW_FIRST else 99)
    # A network's answers are asked for once and handed on; those whose methods take longest come first.
    order = sorted(range(len(comparison.subjects)), key=lambda place: -len(comparison.subjects[place][1]))
    with ProcessPoolExecutor(
        workers or os.cpu_count() or 1,
        multiprocessing.get_context("spawn"),
        _start,
        (str(folder), fold, model, limit),
    ) as pool:
        asked = {place: pool.submit(_answers, place) for place in order}
        rows: dict[Future[dict[str, Any]], tuple[int, str]] = {}
        networks = {}
        for place, future in asked.items():
            answers = future.result()
            rows |= {pool.submit(_row, *task, answers): task for task in tasks if task[0] == place}
            networks[place] = pool.submit(_network, place, answers)
        for done, finished in enumerate(as_completed(rows), start=1):
            place, method = rows[finished]
            finished.result()  # what went wrong in a worker is raised here
            report(f"{done} of {len(rows)}: {comparison.subjects[place][0].name}, {method}")
        by_task = {task: future.result() for future, task in rows.items()}
        return comparison.result(
            [networks[place].result() for place in sorted(networks)], [by_task[task] for task in comparison.tasks()]
        )


def _comparison(folder: Path, fold: int, model: str, limit: int | None) -> Comparison:
    return Comparison(draw_sample(PtbXl(folder), fold, limit=limit), chosen_subjects(model))


def _start(folder: str, fold: int, model: str, limit: int | None) -> None:
    torch.set_num_threads(1)
    _here["comparison"] = _comparison(Path(folder), fold, model, limit)


def _answers(place: int) -> Answers:
    return _here["comparison"].answers(place)


def _row(place: int, method: str, answers: Answers) -> dict[str, Any]:
    return _here["comparison"].row(place, method, answers)


def _network(place: int, answers: Answers) -> dict[str, Any]:
    return _here["comparison"].network(place, answers)
