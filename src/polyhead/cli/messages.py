"""How a command reports errors: one line on stderr, no traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import typer

from polyhead.errors import ContractError, PolyheadError

WRONG_DATA = 1
WRONG_USE = 2


def fail(message: str, code: int = WRONG_DATA) -> NoReturn:
    """Print ``message`` as an error and end the command with ``code``."""
    typer.echo(f"polyhead: {message}", err=True)
    raise typer.Exit(code)


@contextlib.contextmanager
def reporting(given: str, output: Path | None = None) -> Iterator[None]:
    """Keep stdout for the command's result, and end the command with one line for an error."""
    with contextlib.redirect_stdout(sys.stderr):  # what the user's files print
        try:
            yield
        except ContractError as error:
            fail(f"{given}: {error}", WRONG_USE)
        except PolyheadError as error:
            fail(f"{given}: {error}")
        except OSError as error:
            if output is None:
                raise
            fail(f"{output}: cannot be written: {error.strerror or error}", WRONG_USE)
