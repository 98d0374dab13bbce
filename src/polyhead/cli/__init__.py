"""The command line, one file per command."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from polyhead import __version__
from polyhead.cli.demo_command import run_demo
from polyhead.cli.evaluate_command import run_evaluate
from polyhead.cli.examine_command import run_examine
from polyhead.cli.inspect_command import run_inspect
from polyhead.cli.keras_backend import choose_backend
from polyhead.cli.messages import WRONG_DATA, show_warnings_plainly
from polyhead.cli.migrate_command import run_migrate
from polyhead.cli.pack_command import run_pack
from polyhead.cli.predict_command import run_predict
from polyhead.cli.preview_command import run_preview
from polyhead.cli.profile_command import run_profile

app = typer.Typer(
    name="polyhead",
    help="Feeds data to multi-output Keras models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"polyhead {__version__}")
        raise typer.Exit


@app.callback(
    epilog="The exit status is 0 for success, 1 for problems in the data or what was examined, 2 for wrong arguments, "
    "and 130 after Ctrl-C."
)
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None: ...


app.command("demo")(run_demo)
app.command("evaluate")(run_evaluate)
app.command("examine")(run_examine)
app.command("inspect")(run_inspect)
app.command("migrate")(run_migrate)
app.command("pack")(run_pack)
app.command("predict")(run_predict)
app.command("preview")(run_preview)
app.command("profile")(run_profile)


def main() -> None:
    """Run the command ``polyhead``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's notes on processors
    choose_backend()
    show_warnings_plainly()
    try:
        app(prog_name="polyhead")
    except OSError as error:  # of stdout: those of files are reported by the commands
        if error.filename is not None:
            raise
        # what it still holds would fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        typer.echo(f"polyhead: the result cannot be printed: {error.strerror or error}.", err=True)
        sys.exit(WRONG_DATA)
