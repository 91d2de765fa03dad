"""The command line: `python -m ecgimn COMMAND`.

Exit codes: 0 done, 2 bad input (one plain sentence on stderr), 1 a bug.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import ecgimn
from ecgimn.errors import EcgImnError
from ecgimn.recording import WINDOW_S, Recording, Sex

app = typer.Typer(
    help="Read a 12-lead ECG and show exactly which millivolts in which lead and wave the network's answer is made of. "
    "For research, teaching and qualitative audit; not for diagnosis or patient care.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

DEFAULT_MODEL = "superclass-v1"
RUNS = Path("runs")

PtbXlOption = Annotated[Path, typer.Option("--ptbxl", help="Folder of PTB-XL.")]
ModelOption = Annotated[str, typer.Option("--model", help="Name of a model listed in models/.")]


def main() -> None:
    """Run the command line; what a reader can mend ends with 2 and one sentence."""
    try:
        app()
    except EcgImnError as exc:
        _refuse(str(exc))


def _refuse(sentence: str) -> NoReturn:
    _errors.print(sentence)
    raise SystemExit(2)


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=_errors, transient=True
    )


def _write_json(content: dict[str, Any], path: Path | None) -> None:
    text = json.dumps(content, indent=1, allow_nan=False)
    if path is None:
        typer.echo(text)
    else:
        _writable(path).write_text(text + "\n")


def _writable(path: Path) -> Path:
    if not path.parent.is_dir():
        _refuse(f"The folder of {path.name} is not there. An existing folder is needed. Create it or choose another.")
    return path


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="One recording: WFDB, DICOM, SCP, EDF, XML, CSV, NPY, MAT ...")],
    model: ModelOption = DEFAULT_MODEL,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write JSON here instead of to the screen.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the report as PNG.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the report as PDF, true to the millimetre.")] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Class drawn; the most probable by default.")
    ] = None,
    start: Annotated[float, typer.Option(help="Start of the 10 s window in seconds, for longer recordings.")] = 0.0,
    age: Annotated[int | None, typer.Option(help="Years; chooses the ST thresholds only.")] = None,
    sex: Annotated[str | None, typer.Option(help="male or female; chooses the ST thresholds only.")] = None,
    fs: Annotated[float | None, typer.Option(help="Sampling frequency in Hz, where the file does not say.")] = None,
    unit: Annotated[str | None, typer.Option(help="V, mV or uV, where the file does not say.")] = None,
    leads: Annotated[
        str | None, typer.Option(help="Names in the file's order, by comma; leave one empty to skip a column.")
    ] = None,
    double: Annotated[bool, typer.Option("--float64", help="Run the network in float64.")] = False,
    despite_quality: Annotated[bool, typer.Option(help="Ask the model although the quality check refuses.")] = False,
) -> None:
    """Explain one recording: logits, ledger, ST levels and findings as JSON, a report as PNG or PDF."""
    from ecgimn.explain.as_json import explanation_json
    from ecgimn.explain.explanation import explain as explain_recording
    from ecgimn.explain.ledger import make_ledger
    from ecgimn.formats import ReadingHints, read_recording
    from ecgimn.model.checkpoint import load_model
    from ecgimn.signal.reading import read_signal

    names = None if leads is None else tuple(name.strip() for name in leads.split(","))
    hints = ReadingHints(fs=fs, unit=unit, leads=names)
    whole = read_recording(file, age=age, sex=_sex(sex), hints=hints)
    loaded = load_model(model)
    if class_name is not None and class_name not in loaded.classes:
        _refuse(f"Class {class_name!r} is not one of {', '.join(loaded.classes)}. Name one of them.")
    recording = whole.window(start)
    reading = read_signal(recording)
    if not reading.quality.usable and not despite_quality:
        _refuse(" ".join(reading.quality.refusals))
    explanation = explain_recording(recording, loaded, double=double)
    ledger = make_ledger(explanation, recording, reading.waves, reading.levels)
    content = explanation_json(reading, explanation, ledger)
    content["window"] = {"start_s": start, "duration_s": recording.duration_s, "of_s": whole.duration_s}
    if whole.n_samples > recording.n_samples:
        content["windows"] = [_window_json(whole, at, loaded, double=double) for at in _window_starts(whole)]
    if json_path is not None or (png is None and pdf is None):
        _write_json(content, json_path)
    for path in (png, pdf):
        if path is not None:
            from ecgimn.draw.case_report import write_case_report

            shown = class_name or loaded.classes[int(explanation.probability.argmax())]
            write_case_report(_writable(path), reading, explanation, ledger, class_name=shown)


def _sex(text: str | None) -> Sex | None:
    if text is None:
        return None
    match text.strip().lower():
        case "male" | "m":
            return "male"
        case "female" | "f":
            return "female"
    _refuse(f"Sex {text!r} is not known. male or female is needed; leave it out when unknown.")


def _window_starts(whole: Recording) -> list[float]:
    n_windows = int(whole.duration_s // WINDOW_S)
    rest = whole.duration_s - n_windows * WINDOW_S
    starts = [WINDOW_S * i for i in range(n_windows)]
    return [*starts, whole.duration_s - WINDOW_S] if rest > 1e-6 else starts


def _window_json(whole: Recording, start: float, model: Any, *, double: bool) -> dict[str, Any]:
    from ecgimn.explain.explanation import explain as explain_recording

    explanation = explain_recording(whole.window(start), model, double=double)
    return {
        "start_s": round(start, 6),
        "logits": explanation.logit.tolist(),
        "probabilities": explanation.probability.tolist(),
        "completeness_error": explanation.completeness_error,
    }


@app.command()
def evaluate(
    ptbxl: PtbXlOption,
    fold: Annotated[int, typer.Option(min=1, max=10, help="Fold of PTB-XL; 9 to choose, 10 to report.")],
    json_path: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    model: ModelOption = DEFAULT_MODEL,
    limit: Annotated[int | None, typer.Option(help="Only the first records, for a quick look.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Also write the figures on the model's card.")] = False,
) -> None:
    """Measure a model on a fold: discrimination, calibration, completeness, fidelity, localisation, sanity, cost."""
    from ecgimn.model.checkpoint import load_model, write_metrics
    from ecgimn.sources.ptbxl import PtbXl
    from ecgimn.training.evaluate import evaluate as evaluate_model

    _writable(json_path)
    loaded, source = load_model(model), PtbXl(ptbxl)
    with _progress() as progress:
        task = progress.add_task("starting", total=None)
        result = evaluate_model(
            loaded, source, fold, limit=limit, report=lambda part: progress.update(task, description=part)
        )
    _write_json(result, json_path)
    if card:
        command = f"python -m ecgimn evaluate --ptbxl DIR --fold {fold} --model {model} --json FILE --card"
        write_metrics(model, {"command": command, **result})
    typer.echo(
        f"macro AUROC {result['discrimination']['macro_auroc']} on {result['n_labelled']} records of fold {fold}"
    )


@app.command()
def train(
    ptbxl: PtbXlOption,
    config: Annotated[Path, typer.Option(help="TOML file of the run.")] = Path("models/ecgimn-v1.toml"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of each seed.")] = False,
    seed: Annotated[int | None, typer.Option(help="Train only this seed, and write no model.")] = None,
) -> None:
    """Train, calibrate on fold 9, and write models/NAME.safetensors with its card; teachers first, where needed."""
    from ecgimn.sources.ptbxl import PtbXl
    from ecgimn.training.config import read_config, stages
    from ecgimn.training.export import export_models
    from ecgimn.training.paper import is_paper_config
    from ecgimn.training.train import epochs_done
    from ecgimn.training.train import train as train_network

    if is_paper_config(config):
        _train_paper(PtbXl(ptbxl), config, resume=resume)
        return
    run, source = read_config(config), PtbXl(ptbxl)
    if seed is not None and seed not in run.seeds:
        _refuse(f"Seed {seed} is not in {config.name} (found: {', '.join(map(str, run.seeds))}). Choose one of them.")
    for task_run, chosen in stages(config, seed):
        folder = RUNS / task_run.name / f"seed-{chosen}"
        done = epochs_done(folder)
        if task_run.name != run.name and done == task_run.epochs:
            continue
        with _progress() as progress:
            task = progress.add_task(f"{task_run.name}, seed {chosen}: epoch 1 of {task_run.epochs}", total=None)

            def report(
                row: dict[str, float],
                task: Any = task,
                name: str = f"{task_run.name}, seed {chosen}",
                epochs: int = task_run.epochs,
                progress: Progress = progress,
            ) -> None:
                words = f"{name}: {int(row['epoch'])} of {epochs} epochs, AUROC {row.get('auroc_superclass')}"
                progress.update(task, description=words)

            go_on = done > 0 and (resume or task_run.name != run.name)
            train_network(source, task_run, chosen, folder, resume=go_on, report=report)
    if seed is None:
        for written in export_models(source, run, RUNS):
            typer.echo(f"wrote {written}")


def _train_paper(source: Any, config: Path, *, resume: bool) -> None:
    """Train the published network, whose TOML file says kind = "paper"."""
    from ecgimn.training.paper import read_paper_config, train_paper
    from ecgimn.training.paper_export import export_paper

    run = read_paper_config(config)
    folder = RUNS / run.name
    with _progress() as progress:
        task = progress.add_task(f"{run.name}: epoch 1", total=None)
        train_paper(
            source,
            run,
            folder,
            resume=resume and (folder / "state.pt").is_file(),
            report=lambda row: progress.update(
                task, description=f"{run.name}: {int(row['epoch'])} epochs, AUROC {row['auroc']}"
            ),
        )
    typer.echo(f"wrote {export_paper(source, run, folder).card.name}")


@app.command("compare-methods")
def compare_methods(
    ptbxl: PtbXlOption,
    fold: Annotated[int, typer.Option(min=1, max=10, help="Fold of PTB-XL; 9 to choose, 10 to report.")],
    json_path: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    model: ModelOption = DEFAULT_MODEL,
    limit: Annotated[int | None, typer.Option(min=2, help="Fewer records, for a quick look.")] = None,
    document: Annotated[
        Path | None, typer.Option("--doc", help="Also write the tables into this Markdown file.")
    ] = None,
) -> None:
    """Compare the model's maps with post-hoc methods, its black-box twin and the published network, on one fold."""
    from ecgimn.model.checkpoint import load_model
    from ecgimn.training.comparison_pool import compare_methods as compare

    _writable(json_path)
    if document is not None and not document.is_file():
        _refuse(f"The document {document.name} is not there. Name an existing one, such as docs/FAITHFULNESS.md.")
    card = load_model(model).card
    with _progress() as progress:
        task = progress.add_task("starting", total=None)
        result = compare(ptbxl, fold, model, limit=limit, report=lambda part: progress.update(task, description=part))
    few = "" if limit is None else f" --limit {limit}"
    command = f"python -m ecgimn compare-methods --ptbxl DIR --fold {fold} --model {model} --json OUT{few}"
    measured = {"command": command, "model": model, "sha256": card.sha256}
    content = {**measured, **result}
    _write_json(content, json_path)
    if document is not None:
        from ecgimn.draw.comparison_table import write_into

        document.write_text(write_into(document.read_text(encoding="utf-8"), content), encoding="utf-8")
    for row in result["rows"]:
        value, low, high = row["fidelity"]["r2"]
        typer.echo(f"{row['network']}, {row['method']}: R2 of actual on predicted change {value} [{low}, {high}]")


@app.command()
def bench(
    model: ModelOption = DEFAULT_MODEL,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Time the maps of all classes of one record against post-hoc methods, on one core in one run."""
    from ecgimn.model.checkpoint import load_model
    from ecgimn.sources.composites import load_composite
    from ecgimn.training.bench import bench as measure

    result = measure(load_model(model), load_composite("imi-st"))
    if json_path is not None:
        _write_json(result, json_path)
    typer.echo(f"{result['classes']} maps of one record: {1e3 * result['maps_s']:.1f} ms of one core")
    for name, ratio in result["times_slower"].items():
        typer.echo(f"{name}: {result['post_hoc_s'][name]:.2f} s, {ratio:.0f} times slower")
    typer.echo(
        f"{result['reached_gflops']:.0f} of {result['peak_gflops']:.0f} GFLOP/s of a large float32 matrix product: "
        f"{100 * result['share_of_peak']:.0f} % of peak"
    )


@app.command()
def composites(ptbxl: PtbXlOption) -> None:
    """Make the composite cases of assets/composites from PTB-XL."""
    from ecgimn.sources.composites import write_composites
    from ecgimn.sources.ptbxl import PtbXl

    with _progress() as progress:
        progress.add_task("averaging median beats", total=None)
        cases = write_composites(PtbXl(ptbxl))
    typer.echo(f"wrote {len(cases)} composite cases")


studies = typer.Typer(
    help="Audits: list, export, import and report; kept where ECGIMN_DATABASE_URL says, else in a file."
)
app.add_typer(studies, name="study")
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
    from ecgimn.study.spreadsheet import study_csv
    from ecgimn.study.store import open_store

    store = open_store()
    found = [uid for uid, name in store.studies(KIND).items() if study == name or uid.startswith(study)]
    if len(found) != 1:
        _refuse(
            f"{len(found) or 'No'} audits are called {study!r}. One is needed. List them: python -m ecgimn study list"
        )
    content = export_record(store, found[0])
    _write_json(content, out)
    if csv is not None:
        _writable(csv).write_text(study_csv(record_of(content)), encoding="utf-8")


@studies.command("import")
def import_study(file: ExportArgument) -> None:
    """Add the export of another site to the audits kept here; what is known stays as it is."""
    from ecgimn.study.merge import import_study as merge
    from ecgimn.study.record import parse_export
    from ecgimn.study.store import open_store

    merged = merge(open_store(), parse_export(_bytes_of(file)))
    typer.echo(f"{merged.name} ({merged.study_uid[:12]}): {merged.n_readers} new readers, {merged.n_events} new events")


@studies.command("report")
def report_study(
    file: ExportArgument,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here instead of to the screen.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML file.")] = None,
) -> None:
    """Compute the figures of an audit anew from its export alone."""
    from ecgimn.draw.study_report import study_html
    from ecgimn.study.record import parse_export, record_of
    from ecgimn.study.results import compute_results

    results = compute_results(record_of(parse_export(_bytes_of(file))))
    if json_path is not None or html is None:
        _write_json(results, json_path)
    if html is not None:
        made = f"python -m ecgimn study report FILE · version {ecgimn.__version__}"
        _writable(html).write_text(study_html(results, made=made), encoding="utf-8")


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        _refuse(f"{file.name} cannot be read. An export of a study is needed. Check its path.")


@app.command()
def batch(
    source: Annotated[Path, typer.Argument(help="PTB-XL, a folder of ECG files, or a list of paths (.txt, .csv).")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the Parquet files; new, or of the same run before.")],
    model: ModelOption = DEFAULT_MODEL,
    no_delineation: Annotated[bool, typer.Option("--no-delineation", help="No waves, ST or intervals: fast.")] = False,
    six_leads: Annotated[bool, typer.Option("--six-leads", help="Find waves in six leads: half the time.")] = False,
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
    from ecgimn.model.checkpoint import load_model

    if no_delineation and six_leads:
        _refuse("--no-delineation looks for no waves and --six-leads for some. Give one of them.")
    waves: WaveSearch = "not looked for" if no_delineation else "six leads" if six_leads else "all leads"
    card = load_model(model).card
    secret = None if salt is None else read_salt(salt)
    request = Request(source, out, card, waves, fs, workers or os.cpu_count() or 1, dask, limit, secret)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TimeElapsedColumn(), console=_errors, transient=True) as progress:
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


@app.command()
def models() -> None:
    """List the models at hand."""
    from ecgimn.model.checkpoint import list_models

    for name in list_models():
        typer.echo(name)


if __name__ == "__main__":
    main()
