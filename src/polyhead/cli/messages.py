"""How a command says what is wrong: one line, no traceback."""

from __future__ import annotations

from typing import NoReturn

import typer

WRONG_DATA = 1
WRONG_USE = 2


def fail(message: str, code: int = WRONG_DATA) -> NoReturn:
    """Print ``message`` as an error and end the command with ``code``."""
    typer.echo(f"polyhead: {message}", err=True)
    raise typer.Exit(code)
