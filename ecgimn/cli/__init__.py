"""The command line: `ecgimn COMMAND`, or `python -m ecgimn COMMAND`.

Exit codes: 0 done, 2 bad input (one plain sentence on stderr), 1 a bug.
"""

from __future__ import annotations

import errno
import runpy
import sys
from typing import Annotated

import typer

from ecgimn import __version__
from ecgimn.about import shipped
from ecgimn.cli.explain import batch, difference, explain
from ecgimn.cli.measure import (
    bench,
    compare_methods,
    composites,
    criteria,
    earlier_ecg,
    evaluate,
    models,
    reversals,
    train,
)
from ecgimn.cli.study import studies
from ecgimn.cli.terminal import refuse
from ecgimn.errors import EcgImnError

#: Libraries that only an extra of pyproject.toml brings, by the name under which they are imported.
EXTRA_OF = {
    "alembic": "study",
    "argon2": "study",
    "authlib": "app",
    "captum": "compare",
    "cryptography": "study",
    "dask": "batch",
    "distributed": "batch",
    "ecgdatakit": "formats",
    "fhir": "hospital",
    "fsspec": "batch",
    "platformdirs": "study",
    "pyarrow": "batch",
    "pydantic": "study",
    "pydicom": "formats",
    "sklearn": "train",
    "sqlalchemy": "study",
    "starlette": "app",
    "streamlit": "app",
    "xarray": "tables",
    "yaml": "study",
}

#: What the system says where there is no more room to write, or none for this user; and where a path leads nowhere.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_PATH = (
    errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS,
)  # fmt: skip

app = typer.Typer(
    help="Read a 12-lead ECG and show exactly which millivolts in which lead and wave the network's answer is made of. "
    "For research, teaching and qualitative audit; not for diagnosis or patient care.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ecgimn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def start_app(options: typer.Context) -> None:
    """Start the app on http://127.0.0.1:8501; further options go to Streamlit, such as --server.port=8600."""
    folder = shipped()
    sys.path.insert(0, str(folder))
    sys.argv = ["pages", *options.args]
    runpy.run_module("pages", run_name="__main__", alter_sys=True)


app.command("app", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(start_app)
for command in (
    explain,
    difference,
    batch,
    evaluate,
    compare_methods,
    criteria,
    reversals,
    earlier_ecg,
    bench,
    train,
    composites,
    models,
):
    app.command()(command)
app.add_typer(studies, name="study")


def main() -> None:
    """Run the command line; what a reader can mend ends with 2 and one sentence."""
    try:
        app()
    except EcgImnError as exc:
        refuse(str(exc))
    except OSError as exc:
        if exc.errno in _NO_PATH:
            refuse(
                f"A file or folder that was named cannot be used ({exc.strerror}). One that may be read or written is "
                "needed. Check the paths of the command."
            )
        if exc.errno not in _NO_ROOM:
            raise
        refuse(
            "The disk is full, so what was asked for is not written, or only in part. Free room is needed. Make some, "
            "or name another place, and start the command again; a batch run goes on where it stopped."
        )
    except ModuleNotFoundError as exc:
        extra = EXTRA_OF.get((exc.name or "").partition(".")[0])
        if extra is None:
            raise
        refuse(f"{exc.name} is not installed. This command needs it. Install it with: pip install 'ecgimn[{extra}]'")
