"""evaluate, compare-methods, criteria, reversals, bench, train, composites and models: making and measuring them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from ecgimn.cli.terminal import FoldOption, ModelOption, PtbXlOption, progress_bar, refuse, writable, write_json
from ecgimn.model import DEFAULT_MODEL

if TYPE_CHECKING:
    from ecgimn.model.model import Model
    from ecgimn.sources.ptbxl import PtbXl


def evaluate(
    ptbxl: PtbXlOption,
    fold: FoldOption,
    json_path: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    model: ModelOption = DEFAULT_MODEL,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first records, for a quick look.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Also write the figures on the model's card.")] = False,
    taken_out: Annotated[
        bool,
        typer.Option("--taken-out", help="Only booked against measured on fold 9; other figures on the card stay."),
    ] = False,
    decisions: Annotated[
        bool,
        typer.Option(
            "--decisions",
            help="Only decision zones, groups of people and what the model does not do; the rest is kept.",
        ),
    ] = False,
) -> None:
    """Measure a model on a fold: discrimination, calibration, completeness, fidelity, localisation, sanity, cost."""
    from ecgimn.evaluate.report import evaluate as evaluate_model
    from ecgimn.model.model import load_model, write_metrics
    from ecgimn.sources.ptbxl import PtbXl

    writable(json_path)
    loaded, source = load_model(model), PtbXl(ptbxl)
    if taken_out:
        _evaluate_taken_out(loaded, source, json_path, limit, card=card)
        return
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)
        result = evaluate_model(
            loaded,
            source,
            fold,
            limit=limit,
            only_decisions=decisions,
            report=lambda part: progress.update(task, description=part),
        )
    write_json(result, json_path)
    if decisions:
        if card:
            write_metrics(model, {**loaded.card.metrics, **result})
        broken = sum(bool(row["broken"]) for row in result["zone_checks"])
        typer.echo(f"{len(result['zones'])} decision zones; {broken} of {len(result['zone_checks'])} checks broken")
        return
    if card:
        command = f"python -m ecgimn evaluate --ptbxl DIR --fold {fold} --model {model} --json FILE --card"
        write_metrics(model, {"command": command, **result})
    typer.echo(
        f"macro AUROC {result['discrimination']['macro_auroc']} on {result['n_labelled']} records of fold {fold}"
    )


def _evaluate_taken_out(model: Model, ptbxl: PtbXl, json_path: Path, limit: int | None, *, card: bool) -> None:
    """Measure booked against measured alone; on the card it takes its place beside the other figures."""
    from ecgimn.evaluate.fidelity import BOUND_FOLD, N_TAKEN_OUT, measure_taken_out
    from ecgimn.model.model import write_metrics

    with progress_bar() as progress:
        progress.add_task("taking waves out", total=None)
        found = measure_taken_out(model, ptbxl, min(limit or N_TAKEN_OUT, N_TAKEN_OUT))
    if found is None:
        refuse(
            f"No usable record of fold {BOUND_FOLD} at 100 Hz is in this PTB-XL folder. Such records are needed; "
            "complete the download."
        )
    name = model.card.name
    few = "" if limit is None else f" --limit {limit}"
    command = (
        f"python -m ecgimn evaluate --ptbxl DIR --fold {BOUND_FOLD} --model {name}{few} --taken-out --json FILE --card"
    )
    found = {"command": command, **found}
    write_json(found, json_path)
    if card:
        write_metrics(name, {**model.card.metrics, "taken_out": found})
    typer.echo(
        f"{100 * found['confirmed']:.0f} % of the cells of {found['n']} records confirmed; "
        f"the bound holds for {100 * found['covered']:.1f} % of the cells of the other half"
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
    _check_document(document, "docs/FAITHFULNESS.md")
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


def earlier_ecg(
    ptbxl: PtbXlOption,
    json_path: Annotated[Path, typer.Option("--json", help="Where the figures go.")],
    model: ModelOption = DEFAULT_MODEL,
    limit: Annotated[int | None, typer.Option(min=2, help="Only the first pairs, for a quick look.")] = None,
    document: Annotated[
        Path | None, typer.Option("--doc", help="Also write the tables into this Markdown file.")
    ] = None,
) -> None:
    """Ask over all pairs of ECGs of one patient whether the score changes more where the label changed."""
    from ecgimn.evaluate.report import earlier_ecg as evaluate_pairs
    from ecgimn.model.model import load_model
    from ecgimn.sources.ptbxl import PtbXl

    writable(json_path)
    _check_document(document, "docs/earlier-ecg.md")
    loaded = load_model(model)
    with progress_bar() as progress:
        task = progress.add_task("starting", total=None)
        found = evaluate_pairs(
            loaded, PtbXl(ptbxl), limit=limit, report=lambda part: progress.update(task, description=part)
        )
    few = "" if limit is None else f" --limit {limit}"
    command = f"python -m ecgimn earlier-ecg --ptbxl DIR --model {model} --json OUT --doc docs/earlier-ecg.md{few}"
    content = {"command": command, "model": model, "sha256": loaded.card.sha256, **found}
    write_json(content, json_path)
    if document is not None:
        from ecgimn.draw.words.methods import write_earlier_ecg_into

        text = write_earlier_ecg_into(document.read_text(encoding="utf-8"), content)
        document.write_text(text, encoding="utf-8")
    for row in found["classes"]:
        value, low, high = row["folds_1_to_9"]["logit"]
        typer.echo(f"{row['class']}: AUROC {value} [{low}, {high}], {row['n_changed']} pairs with another label")


def _check_document(document: Path | None, example: str) -> None:
    """End the command before the work begins where the document that takes its tables is not there."""
    if document is not None and not document.is_file():
        refuse(f"The document {document.name} is not there. Name an existing one, such as {example}.")


def criteria(
    ptbxl: PtbXlOption,
    json_path: Annotated[Path, typer.Option("--json", help="Where the counts go.")],
    limit: Annotated[
        int | None, typer.Option(min=2, help="Size of the random sample; without it all records, which takes hours.")
    ] = None,
    least: Annotated[
        int, typer.Option(min=1, help="Records with a criterion's statements that its sensitivity rests on at least.")
    ] = 30,
    document: Annotated[
        Path | None, typer.Option("--doc", help="Also write the table into this Markdown file.")
    ] = None,
) -> None:
    """Judge the textbook criteria on folds 1-9 of PTB-XL and count how they agree with its statements."""
    from ecgimn.draw.words.methods import write_criteria_into
    from ecgimn.evaluate.localisation import criteria_against_statements
    from ecgimn.sources.ptbxl import PtbXl

    writable(json_path)
    _check_document(document, "docs/criteria.md")
    with progress_bar() as progress:
        task = progress.add_task("judging criteria", total=None)
        content = criteria_against_statements(
            PtbXl(ptbxl), range(1, 10), limit=limit, least=least,
            report=lambda done, of: progress.update(task, description=f"record {done} of {of}"),
        )  # fmt: skip
    write_json(content, json_path)
    few = "" if limit is None else f" --limit {limit} --least {least}"
    command = f"python -m ecgimn criteria --ptbxl DIR --json OUT --doc docs/criteria.md{few}"
    if document is not None:
        text = write_criteria_into(document.read_text(encoding="utf-8"), content, command)
        document.write_text(text, encoding="utf-8")
    typer.echo(f"judged {len(content['rows'])} criteria on {content['records']} records")


def reversals(
    ptbxl: PtbXlOption,
    json_path: Annotated[Path, typer.Option("--json", help="Where the counts go.")],
    limit: Annotated[int, typer.Option(min=2, help="Size of the random sample of normal records.")] = 500,
    fold: Annotated[int, typer.Option(min=1, max=10, help="Fold of the records.")] = 9,
    document: Annotated[
        Path | None, typer.Option("--doc", help="Also write the table into this Markdown file.")
    ] = None,
) -> None:
    """Swap the electrodes of normal records of PTB-XL by computation and count how often that is suspected."""
    from ecgimn.draw.words.methods import write_reversals_into
    from ecgimn.evaluate.localisation import reversals_found
    from ecgimn.sources.ptbxl import PtbXl

    writable(json_path)
    _check_document(document, "docs/criteria.md")
    with progress_bar() as progress:
        task = progress.add_task("swapping electrodes", total=None)
        content = reversals_found(
            PtbXl(ptbxl), [fold], limit=limit,
            report=lambda done, of: progress.update(task, description=f"record {done} of {of}"),
        )  # fmt: skip
    write_json(content, json_path)
    if document is not None:
        few = ("" if limit == 500 else f" --limit {limit}") + ("" if fold == 9 else f" --fold {fold}")
        command = f"python -m ecgimn reversals --ptbxl DIR --json OUT --doc docs/criteria.md{few}"
        text = write_reversals_into(document.read_text(encoding="utf-8"), content, command)
        document.write_text(text, encoding="utf-8")
    typer.echo(f"swapped the electrodes of {content['records']} normal records")


def bench(
    model: ModelOption = DEFAULT_MODEL,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Time the maps of all classes of one record against post-hoc methods, on one core in one run."""
    from ecgimn.evaluate.report import bench as measure
    from ecgimn.model.model import load_model
    from ecgimn.sources.composites.case import load_composite

    if json_path is not None:
        writable(json_path)
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


RUNS = Path("runs")


def train(
    ptbxl: PtbXlOption,
    recipe: Annotated[
        str, typer.Option(help="Name of a recipe in models/recipes, such as superclass, or the path of one.")
    ] = "superclass",
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint of each network that is not finished.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Train only this network, and write no model.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that make batches ahead; by default none, or with CUDA one per core."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the checkpoints.")] = RUNS,
    out: Annotated[Path | None, typer.Option(help="Where the models go; models/ by default.")] = None,
) -> None:
    """Train by a recipe, what it needs first; calibrate on fold 9, and write models/NAME.safetensors with its card.

    What is finished of the latter is used as it is. On CUDA where there is one; ECGIMN_DEVICE forces cpu or cuda. The
    published network is trained on the processor.
    """
    from ecgimn.model.model import MODELS_FOLDER
    from ecgimn.sources.ptbxl import PtbXl
    from ecgimn.train.export import epochs_done, export_models
    from ecgimn.train.loop import load_folds
    from ecgimn.train.loop import train as train_network
    from ecgimn.train.published import is_published_recipe
    from ecgimn.train.recipe import find_recipe, in_order, refuse_too_little

    path, source, folder = find_recipe(recipe), PtbXl(ptbxl), out or MODELS_FOLDER
    if is_published_recipe(path):
        _train_published(source, path, runs, folder, resume=resume)
        return
    order = in_order(path)
    wanted = order[-1]
    if seed is not None and seed not in wanted.seeds:
        refuse(f"Seed {seed} is not in {path.name} (found: {', '.join(map(str, wanted.seeds))}). Choose one of them.")
    refuse_too_little(source, order)
    folds: dict[int | None, tuple[Any, Any]] = {}  # read once for all of them
    for step in order:
        for chosen in (seed,) if seed is not None and step is wanted else step.seeds:
            place = runs / step.name / f"seed-{chosen}"
            done = epochs_done(place)
            if done == step.epochs and (resume or step is not wanted):
                continue
            with progress_bar() as progress:
                name = f"{step.name}, network {chosen}"
                task = progress.add_task(f"{name}: epoch {done + 1} of {step.epochs}", total=None)

                def report(row: dict[str, float], task: Any = task, words: str = f"{name}: %d of {step.epochs} epochs",
                           progress: Progress = progress) -> None:  # fmt: skip
                    scores = ", ".join(f"{key[6:]} {value}" for key, value in row.items() if key.startswith("auroc_"))
                    progress.update(task, description=f"{words % row['epoch']}, AUROC {scores}")

                learn, choose = folds.get(step.limit) or folds.setdefault(step.limit, load_folds(source, step.limit))
                train_network(
                    learn, choose, step, chosen, place, resume=done > 0 and (resume or step is not wanted),
                    workers=workers, report=report,
                )  # fmt: skip
    if seed is None:
        for written in export_models(source, wanted, runs, folder=folder):
            typer.echo(f"wrote {written}")


def _train_published(source: Any, path: Path, runs: Path, out: Path, *, resume: bool) -> None:
    """Train the published network, whose recipe says kind = "paper"."""
    from ecgimn.train.published import export_published, read_published_recipe, train_published

    recipe = read_published_recipe(path)
    folder = runs / recipe.name
    with progress_bar() as progress:
        task = progress.add_task(f"{recipe.name}: epoch 1", total=None)
        train_published(
            source,
            recipe,
            folder,
            resume=resume and (folder / "state.pt").is_file(),
            report=lambda row: progress.update(
                task, description=f"{recipe.name}: {int(row['epoch'])} epochs, AUROC {row['auroc']}"
            ),
        )
    typer.echo(f"wrote {export_published(source, recipe, folder, folder=out).card.name}")


def composites(ptbxl: PtbXlOption) -> None:
    """Make the composite cases of assets/composites from PTB-XL."""
    from ecgimn.sources.composites.make import write_composites
    from ecgimn.sources.ptbxl import PtbXl

    with progress_bar() as progress:
        progress.add_task("averaging median beats", total=None)
        cases = write_composites(PtbXl(ptbxl))
    typer.echo(f"wrote {len(cases)} composite cases")


def models() -> None:
    """List the models that are installed: classes, AUROC, size, and what each is chosen for."""
    from ecgimn.model.card import read_card
    from ecgimn.model.model import MODELS_FOLDER, list_models

    names = list_models()
    if not names:
        refuse(f"No model was found in {MODELS_FOLDER}. Train one, or install the package again.")
    rows = [("model", "classes", "AUROC", "MB", "chosen for")]
    for name in names:
        card = read_card(MODELS_FOLDER / f"{name}.json")
        classes = ", ".join(card.classes) if len(card.classes) <= 5 else f"{len(card.classes)} classes"
        area = card.metrics.get("discrimination", {}).get("macro_auroc")
        value = area[0] if isinstance(area, list) else area
        fold = card.metrics.get("fold")
        size = (MODELS_FOLDER / f"{name}.safetensors").stat().st_size / 1e6
        mark = " (default)" if name == DEFAULT_MODEL else ""
        measured = "" if value is None else f"{value:.3f} (fold {fold})"
        rows.append((f"{name}{mark}", classes, measured, f"{size:.1f}", card.purpose or card.task))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
