"""What the commands share: options, refusals, progress and files that are written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

PtbXlOption = Annotated[Path, typer.Option("--ptbxl", help="Folder of PTB-XL.")]
ModelOption = Annotated[str, typer.Option("--model", help="Name of a model listed in models/.")]
FoldOption = Annotated[int, typer.Option(min=1, max=10, help="Fold of PTB-XL; 9 to choose, 10 to report.")]


def refuse(sentence: str) -> NoReturn:
    """Say what the reader can mend, and end with exit code 2."""
    errors.print(sentence)
    raise SystemExit(2)


def progress_bar() -> Progress:
    """Return a spinner with a description and the time it takes, gone when done."""
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=errors, transient=True
    )


def write_json(content: dict[str, Any], path: Path | None) -> None:
    """Write JSON to a file, or to the screen where there is none."""
    text = json.dumps(content, indent=1, allow_nan=False)
    if path is None:
        typer.echo(text)
    else:
        try:
            writable(path).write_text(text + "\n")
        except OSError:
            refuse(f"{path.name[:60]} cannot be written. Another name or folder is needed. Choose one.")


def writable(path: Path) -> Path:
    """Return the path of a file to write; its folder must be there, and it may be written."""
    if not os.path.isdir(path.parent):
        refuse(f"The folder of {path.name} is not there. An existing folder is needed. Create it or choose another.")
    try:
        new = not path.exists()
    except (OSError, ValueError):  # a name that no file can have
        refuse("The file cannot be written under this name. A shorter, plain one is needed. Choose another.")
    if os.path.isdir(path) or not os.access(path.parent if new else path, os.W_OK):
        refuse(f"{path.name or 'The file'} cannot be written. A file that may be written is needed. Choose another.")
    return path


def read_bytes(file: Path) -> bytes:
    """Return what an export of a study holds."""
    try:
        return file.read_bytes()
    except OSError:
        refuse(f"{file.name} cannot be read. An export of a study is needed. Check its path.")
