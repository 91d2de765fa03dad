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
    config: Annotated[Path, typer.Option(help="TOML file of the run.")] = Path("models/ecgimn-v12.toml"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of each seed.")] = False,
    seed: Annotated[int | None, typer.Option(help="Train only this seed, and write no model.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that make batches; with CUDA one a core.")] = None,
) -> None:
    """Train, calibrate on fold 9, and write models/NAME.safetensors with its card; teachers first, where needed.

    On CUDA where there is one; ECGIMN_DEVICE forces cpu or cuda. The published network is trained on the processor.
    """
    from ecgimn.sources.ptbxl import PtbXl
    from ecgimn.train.export import export_models
    from ecgimn.train.heads import epochs_done
    from ecgimn.train.loop import load_folds
    from ecgimn.train.loop import train as train_network
    from ecgimn.train.published import is_paper_config
    from ecgimn.train.recipe import read_config, stages

    if is_paper_config(config):
        _train_paper(PtbXl(ptbxl), config, resume=resume)
        return
    run, source = read_config(config), PtbXl(ptbxl)
    if seed is not None and seed not in run.seeds:
        refuse(f"Seed {seed} is not in {config.name} (found: {', '.join(map(str, run.seeds))}). Choose one of them.")
    folds: dict[int | None, tuple[Any, Any]] = {}  # read once for all runs
    for task_run, chosen in stages(config, seed):
        folder = RUNS / task_run.name / f"seed-{chosen}"
        done = epochs_done(folder)
        if task_run.name != run.name and done == task_run.epochs:
            continue
        with progress_bar() as progress:
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
            learn, choose = folds.get(task_run.limit) or folds.setdefault(
                task_run.limit, load_folds(source, task_run.limit)
            )
            train_network(learn, choose, task_run, chosen, folder, resume=go_on, workers=workers, report=report)
    if seed is None:
        for written in export_models(source, run, RUNS):
            typer.echo(f"wrote {written}")


def _train_paper(source: Any, config: Path, *, resume: bool) -> None:
    """Train the published network, whose TOML file says kind = "paper"."""
    from ecgimn.train.published import export_paper, read_paper_config, train_paper

    run = read_paper_config(config)
    folder = RUNS / run.name
    with progress_bar() as progress:
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
