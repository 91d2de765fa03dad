"""train, composites and models: making models and composite cases, and listing the models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from ecgimn.cli.terminal import PtbXlOption, progress_bar, refuse
from ecgimn.model import DEFAULT_MODEL

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
        int | None, typer.Option(help="Processes that make batches ahead; by default none, or with CUDA one per core.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the checkpoints.")] = RUNS,
    out: Annotated[Path | None, typer.Option(help="Where the models go; models/ by default.")] = None,
) -> None:
    """Train by a recipe, its teachers first; calibrate on fold 9, and write models/NAME.safetensors with its card.

    Teachers that are finished are used as they are. On CUDA where there is one; ECGIMN_DEVICE forces cpu or cuda. The
    published network is trained on the processor.
    """
    from ecgimn.model.model import MODELS_FOLDER
    from ecgimn.sources.ptbxl import PtbXl
    from ecgimn.train.export import export_models
    from ecgimn.train.heads import epochs_done
    from ecgimn.train.loop import load_folds
    from ecgimn.train.loop import train as train_network
    from ecgimn.train.published import is_published_recipe
    from ecgimn.train.recipe import find_recipe, with_teachers

    path, source, folder = find_recipe(recipe), PtbXl(ptbxl), out or MODELS_FOLDER
    if is_published_recipe(path):
        _train_published(source, path, runs, folder, resume=resume)
        return
    order = with_teachers(path)
    wanted = order[-1]
    if seed is not None and seed not in wanted.seeds:
        refuse(f"Seed {seed} is not in {path.name} (found: {', '.join(map(str, wanted.seeds))}). Choose one of them.")
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
    """List the models that are installed: what each decides, and what it is chosen for."""
    from ecgimn.model.card import read_card
    from ecgimn.model.model import MODELS_FOLDER, list_models

    names = list_models()
    if not names:
        refuse(f"No model was found in {MODELS_FOLDER}. Train one, or install the package again.")
    for name in names:
        card = read_card(MODELS_FOLDER / f"{name}.json")
        listed = f" ({', '.join(card.classes)})" if len(card.classes) <= 5 else ""
        typer.echo(f"{name}{' [default]' if name == DEFAULT_MODEL else ''}\n    {card.task}{listed}")
        if card.purpose:
            typer.echo(f"    {card.purpose}")
