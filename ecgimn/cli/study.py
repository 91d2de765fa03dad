"""study: audits as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import ecgimn
from ecgimn.cli.terminal import read_bytes, refuse, writable, write_json

studies = typer.Typer(
    help="Audits: list, export, import and report; kept where ECGIMN_DATABASE_URL says, else in a file."
)
StudyArgument = Annotated[str, typer.Argument(help="Name of an audit, or the beginning of its hash.")]
ExportArgument = Annotated[Path, typer.Argument(help="An export of a study, JSON.")]


@studies.command("list")
def list_studies() -> None:
    """List the audits kept here, with the beginning of their hash."""
    from ecgimn.study.definition import KIND
    from ecgimn.study.store import open_store

    for uid, name in open_store().studies(KIND).items():
        typer.echo(f"{uid[:12]}  {name}")


@studies.command("export")
def export_study(
    study: StudyArgument,
    out: Annotated[Path, typer.Option(help="Where the export goes, JSON.")],
    csv: Annotated[
        Path | None, typer.Option(help="Also write the answers as CSV, one line per reader and case.")
    ] = None,
) -> None:
    """Write the whole record of an audit: definition, answers, what the model said; no passphrase."""
    from ecgimn.study.definition import KIND
    from ecgimn.study.record import export_study as export_record
    from ecgimn.study.record import record_of
    from ecgimn.study.results import study_csv
    from ecgimn.study.store import open_store

    store = open_store()
    found = [uid for uid, name in store.studies(KIND).items() if study == name or uid.startswith(study)]
    if len(found) != 1:
        refuse(
            f"{len(found) or 'No'} audits are called {study!r}. One is needed. List them: python -m ecgimn study list"
        )
    content = export_record(store, found[0])
    write_json(content, out)
    if csv is not None:
        writable(csv).write_text(study_csv(record_of(content)), encoding="utf-8")


@studies.command("import")
def import_study(file: ExportArgument) -> None:
    """Add the export of another site to the audits kept here; what is known stays as it is."""
    from ecgimn.study.record import import_study as merge
    from ecgimn.study.record import parse_export
    from ecgimn.study.store import open_store

    merged = merge(open_store(), parse_export(read_bytes(file)))
    typer.echo(f"{merged.name} ({merged.study_uid[:12]}): {merged.n_readers} new readers, {merged.n_events} new events")


@studies.command("report")
def report_study(
    file: ExportArgument,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here instead of to the screen.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML file.")] = None,
) -> None:
    """Compute the figures of an audit again from its export alone."""
    from ecgimn.draw.charts.study import study_html
    from ecgimn.study.record import parse_export, record_of
    from ecgimn.study.results import compute_results

    results = compute_results(record_of(parse_export(read_bytes(file))))
    if json_path is not None or html is None:
        write_json(results, json_path)
    if html is not None:
        made = f"python -m ecgimn study report FILE · version {ecgimn.__version__}"
        writable(html).write_text(study_html(results, made=made), encoding="utf-8")
