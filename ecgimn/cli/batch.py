"""batch: thousands of recordings into Parquet."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from ecgimn.cli.terminal import ModelOption, errors, refuse
from ecgimn.model import DEFAULT_MODEL


def batch(
    source: Annotated[Path, typer.Argument(help="PTB-XL, a folder of ECG files, or a list of paths (.txt, .csv).")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the Parquet files; new, or of the same run before.")],
    model: ModelOption = DEFAULT_MODEL,
    no_delineation: Annotated[bool, typer.Option("--no-delineation", help="No waves, ST or intervals: fast.")] = False,
    five_leads: Annotated[bool, typer.Option("--five-leads", help="Find waves in five leads: half the time.")] = False,
    fs: Annotated[int | None, typer.Option(help="Rate of PTB-XL records, 100 or 500; the better one here.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core by default.")] = None,
    dask: Annotated[str, typer.Option(help="Address of a Dask scheduler, in place of processes.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first recordings, for a quick look.")] = None,
    salt: Annotated[Path | None, typer.Option(help="Write file names as hashes with this file's salt.")] = None,
) -> None:
    """Explain thousands of recordings into Parquet; goes on where it stopped when called again."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from ecgimn.batch.items import read_salt
    from ecgimn.batch.run import Request, run_batch
    from ecgimn.batch.work import WaveSearch
    from ecgimn.model.model import load_model

    if no_delineation and five_leads:
        refuse("--no-delineation looks for no waves and --five-leads for some. Give one of them.")
    waves: WaveSearch = "not looked for" if no_delineation else "five leads" if five_leads else "all leads"
    card = load_model(model).card
    secret = None if salt is None else read_salt(salt)
    request = Request(source, out, card, waves, fs, workers or os.cpu_count() or 1, dask, limit, secret)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as progress:
        task, begun, first = progress.add_task("starting workers", total=None), time.monotonic(), None

        def report(done: int, failed: int, total: int) -> None:
            nonlocal first
            first = done if first is None else first
            rate = (done - first) / max(time.monotonic() - begun, 1e-9)
            progress.update(task, completed=done, total=total, description=f"{rate:.1f}/s, {failed} failed")

        outcome = run_batch(request, report)
    seconds, new = time.monotonic() - begun, outcome.explained + outcome.refused + outcome.failed
    typer.echo(
        f"{outcome.explained} explained, {outcome.refused} refused by the quality check, {outcome.failed} failed, "
        f"{outcome.before} there before; {new / max(seconds, 1e-9):.1f}/s over {seconds:.0f} s"
    )
