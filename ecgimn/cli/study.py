"""study: audits as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import ecgimn
from ecgimn.cli.terminal import errors, read_bytes, refuse, writable, write_json

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
    from ecgimn.study.record import read_export
    from ecgimn.study.store import open_store

    merged = merge(open_store(), read_export(read_bytes(file)))
    typer.echo(f"{merged.name} ({merged.study_uid[:12]}): {merged.n_readers} new readers, {merged.n_events} new events")
    if merged.n_left_out:
        errors.print(f"{merged.n_left_out} readers of other sites were left out: {LEFT_OUT}")
    if merged.signer is None:
        errors.print(UNSIGNED)
    elif merged.signer.standing == "new":
        errors.print(f"Signed by a site that is new here, fingerprint {merged.signer.fingerprint}. {COMPARE}")


UNSIGNED = (
    "Not signed: anybody could have changed answers and digests. An export by a version of the app that signs is "
    "needed to be sure. Ask the site to export again."
)
LEFT_OUT = "their site signs its own exports. Import them from there."
COMPARE = "Compare it with the site; it is kept, and later exports must bear it."


@studies.command("verify")
def verify_study(
    file: ExportArgument,
    key: Annotated[
        str | None, typer.Option(help="The site's public key or its fingerprint, as python -m ecgimn study key says.")
    ] = None,
) -> None:
    """Say whether an export is whole and who signed it; exit code 0 only if the key is the one expected, else 1."""
    from ecgimn.study.record import read_export, record_of, signer_of
    from ecgimn.study.store import open_store

    content = read_export(read_bytes(file))
    record = record_of(content)
    typer.echo(
        f"{record.audit.name} ({record.audit.uid[:12]}): {len(record.readers)} readers, {len(record.events)} events"
    )
    typer.echo("Whole: digest, every field, and the chain of each reader's log.")
    signer = signer_of(content, {} if key is not None else open_store().known_keys())
    if signer is None:
        typer.echo(UNSIGNED)
        raise SystemExit(1)
    typer.echo(f"Signed by site {signer.site_uid[:6]}, key {signer.public_key}, fingerprint {signer.fingerprint}.")
    wanted = (key or "").replace(" ", "").lower()
    if key is not None:
        expected = wanted in (signer.public_key, signer.fingerprint.replace(" ", ""))
        typer.echo("That is the key given." if expected else "That is not the key given.")
    else:
        expected = signer.standing == "known"
        said = {
            "known": "That is the key known here for this site.",
            "new": "No key of this site is known here. Compare the fingerprint with the site, or give --key.",
            "other": "This site has another key here. Ask it whether it set its app up again.",
        }
        typer.echo(said[signer.standing])
    if not expected:
        raise SystemExit(1)


@studies.command("key")
def show_key() -> None:
    """Show the public key with which this site signs its exports, and the fingerprint to tell others."""
    from ecgimn.study.keys import fingerprint, public_key
    from ecgimn.study.store import open_store

    key = public_key(open_store().signing_key())
    typer.echo(f"{key}\nfingerprint {fingerprint(key)}")


@studies.command("coordinator")
def set_coordinator() -> None:
    """Choose the coordinator's passphrase of this site, or a new one where it was forgotten."""
    from ecgimn.study.store import open_store

    store = open_store()
    passphrase = typer.prompt("Coordinator's passphrase", hide_input=True, confirmation_prompt=True)
    store.set_coordinator(passphrase, again=True)
    typer.echo("The passphrase is set. Set-up, results, exports and imports open with it.")


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
    from ecgimn.study.record import read_export, record_of
    from ecgimn.study.results import compute_results

    results = compute_results(record_of(read_export(read_bytes(file))))
    if json_path is not None or html is None:
        write_json(results, json_path)
    if html is not None:
        made = f"python -m ecgimn study report FILE · version {ecgimn.__version__}"
        writable(html).write_text(study_html(results, made=made), encoding="utf-8")
