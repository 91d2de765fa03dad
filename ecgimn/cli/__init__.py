"""The command line: `python -m ecgimn COMMAND`.

Exit codes: 0 done, 2 bad input (one plain sentence on stderr), 1 a bug.
"""

from __future__ import annotations

import typer

from ecgimn.cli.batch import batch
from ecgimn.cli.explain import explain
from ecgimn.cli.measure import bench, compare_methods, evaluate
from ecgimn.cli.study import studies
from ecgimn.cli.terminal import refuse
from ecgimn.cli.train import composites, models, train
from ecgimn.errors import EcgImnError

app = typer.Typer(
    help="Read a 12-lead ECG and show exactly which millivolts in which lead and wave the network's answer is made of. "
    "For research, teaching and qualitative audit; not for diagnosis or patient care.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (explain, batch, evaluate, compare_methods, bench, train, composites, models):
    app.command()(command)
app.add_typer(studies, name="study")


def main() -> None:
    """Run the command line; what a reader can mend ends with 2 and one sentence."""
    try:
        app()
    except EcgImnError as exc:
        refuse(str(exc))
