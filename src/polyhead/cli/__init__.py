"""The command line, one file per command."""

from __future__ import annotations

import typer

from polyhead.cli.demo_command import run_demo
from polyhead.cli.examine_command import run_examine
from polyhead.cli.inspect_command import run_inspect
from polyhead.cli.migrate_command import run_migrate
from polyhead.cli.pack_command import run_pack
from polyhead.cli.predict_command import run_predict
from polyhead.cli.preview_command import run_preview
from polyhead.cli.profile_command import run_profile

app = typer.Typer(
    name="polyhead",
    help="Feeds data to multi-output Keras models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(run_demo)
app.command("examine")(run_examine)
app.command("inspect")(run_inspect)
app.command("migrate")(run_migrate)
app.command("pack")(run_pack)
app.command("predict")(run_predict)
app.command("preview")(run_preview)
app.command("profile")(run_profile)


def main() -> None:
    """Run the command ``polyhead``."""
    app()
