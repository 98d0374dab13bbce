"""The command line: one file a command."""

from __future__ import annotations

import typer

from polyhead.cli.demo_command import demo
from polyhead.cli.examine_command import examine
from polyhead.cli.inspect_command import inspect
from polyhead.cli.pack_command import pack
from polyhead.cli.preview_command import preview
from polyhead.cli.profile_command import profile

app = typer.Typer(
    name="polyhead",
    help="Feeds Keras 3 models that have many heads.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(examine)
app.command()(inspect)
app.command()(pack)
app.command()(preview)
app.command()(profile)


def main() -> None:
    """The command ``polyhead``."""
    app()
