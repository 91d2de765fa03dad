"""evaluate, compare-methods and bench: what a model and its maps are worth, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgimn.cli.terminal import FoldOption, ModelOption, PtbXlOption, progress_bar, refuse, writable, write_json
from ecgimn.model import DEFAULT_MODEL


def evaluate(
    ptbxl: PtbXlOption,
    fold: FoldOption,
    json_path: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    model: ModelOption = DEFAULT_MODEL,
    limit: Annotated[int | None, typer.Option(help="Only the first records, for a quick look.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Also write the figures on the model's card.")] = False,
) -> None:
    """Measure a model on a fold: discrimination, calibration, completeness, fidelity, localisation, sanity, cost."""
    from ecgimn.evaluate.report import evaluate as evaluate_model
    from ecgimn.model.model import load_model, write_metrics
    from ecgimn.sources.ptbxl import PtbXl

    writable(json_path)
    loaded, source = load_model(model), PtbXl(ptbxl)
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)
        result = evaluate_model(
            loaded, source, fold, limit=limit, report=lambda part: progress.update(task, description=part)
        )
    write_json(result, json_path)
    if card:
        command = f"python -m ecgimn evaluate --ptbxl DIR --fold {fold} --model {model} --json FILE --card"
        write_metrics(model, {"command": command, **result})
    typer.echo(
        f"macro AUROC {result['discrimination']['macro_auroc']} on {result['n_labelled']} records of fold {fold}"
    )


def compare_methods(
    ptbxl: PtbXlOption,
    fold: FoldOption,
    json_path: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    model: ModelOption = DEFAULT_MODEL,
    limit: Annotated[int | None, typer.Option(min=2, help="Fewer records, for a quick look.")] = None,
    document: Annotated[
        Path | None, typer.Option("--doc", help="Also write the tables into this Markdown file.")
    ] = None,
) -> None:
    """Compare the model's maps with post-hoc methods, its black-box twin and the published network, on one fold."""
    from ecgimn.evaluate.compare import compare_methods as compare
    from ecgimn.model.model import load_model

    writable(json_path)
    if document is not None and not document.is_file():
        refuse(f"The document {document.name} is not there. Name an existing one, such as docs/FAITHFULNESS.md.")
    card = load_model(model).card
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)
        result = compare(ptbxl, fold, model, limit=limit, report=lambda part: progress.update(task, description=part))
    few = "" if limit is None else f" --limit {limit}"
    command = f"python -m ecgimn compare-methods --ptbxl DIR --fold {fold} --model {model} --json OUT{few}"
    measured = {"command": command, "model": model, "sha256": card.sha256}
    content = {**measured, **result}
    write_json(content, json_path)
    if document is not None:
        from ecgimn.draw.words.methods import write_into

        document.write_text(write_into(document.read_text(encoding="utf-8"), content), encoding="utf-8")
    for row in result["rows"]:
        value, low, high = row["fidelity"]["r2"]
        typer.echo(f"{row['network']}, {row['method']}: R2 of actual on predicted change {value} [{low}, {high}]")


def bench(
    model: ModelOption = DEFAULT_MODEL,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Time the maps of all classes of one record against post-hoc methods, on one core in one run."""
    from ecgimn.evaluate.bench import bench as measure
    from ecgimn.model.model import load_model
    from ecgimn.sources.composites.case import load_composite

    result = measure(load_model(model), load_composite("imi-st"))
    if json_path is not None:
        write_json(result, json_path)
    typer.echo(f"{result['classes']} maps of one record: {1e3 * result['maps_s']:.1f} ms of one core")
    for name, ratio in result["times_slower"].items():
        typer.echo(f"{name}: {result['post_hoc_s'][name]:.2f} s, {ratio:.0f} times slower")
    typer.echo(
        f"{result['reached_gflops']:.0f} of {result['peak_gflops']:.0f} GFLOP/s of a large float32 matrix product: "
        f"{100 * result['share_of_peak']:.0f} % of peak"
    )
