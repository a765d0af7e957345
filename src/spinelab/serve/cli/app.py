"""The list of commands, and the entry point."""

from __future__ import annotations

from typing import Annotated

import typer

from spinelab.serve.cli import experiment, look, train
from spinelab.serve.cli.door import Door

app = typer.Typer(
    name="spinelab",
    cls=Door,
    help="Spine examinations into measurements, diagnoses and evidence. Not a medical device.",
    epilog="First steps: spinelab doctor, then spinelab tasks, then spinelab compare images --data FOLDER --vary model=simple-cnn,resnet18",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from spinelab import __version__

        typer.echo(f"spinelab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")] = False,
) -> None:
    """Answer ``--version``."""


app.command("compare", rich_help_panel="Experiments")(experiment.compare)
app.command("evaluate", rich_help_panel="Experiments")(experiment.evaluate)
app.command("baselines", rich_help_panel="Experiments")(experiment.baselines)
app.command("score", rich_help_panel="Experiments")(experiment.score)
app.command("agreement", rich_help_panel="Experiments")(experiment.agreement)
app.command("fit", rich_help_panel="Models")(train.fit)
app.command("read", rich_help_panel="Models")(train.read)
app.command("explain", rich_help_panel="Models")(train.explain)
app.command("tasks", rich_help_panel="Looking round")(look.tasks)
app.command("doctor", rich_help_panel="Looking round")(look.doctor)
app.command("phantom", rich_help_panel="Looking round")(look.phantom)


def main() -> None:
    """Run the command line; the entry point ``spinelab``."""
    app(prog_name="spinelab")
