"""Reports errors of a command: on stderr, all at once, without a traceback."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import typer

from polyhead.cli.keras_backend import without_backend
from polyhead.errors import ContractError, PolyheadError, PolyheadWarning

WRONG_DATA = 1
WRONG_USE = 2
INTERRUPTED = 130


def fail(message: str, code: int = WRONG_DATA) -> NoReturn:
    """Print ``message`` as an error and end the command with ``code``."""
    typer.echo(f"polyhead: {message}", err=True)
    raise typer.Exit(code)


def show_warnings_plainly() -> None:
    """Make the process print warnings of polyhead as it prints errors, without a place in the code."""
    show = warnings.showwarning

    def show_plainly(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, PolyheadWarning):
            typer.echo(f"polyhead: warning: {message}", err=True)
        else:
            show(message, category, *place, **more)

    warnings.showwarning = show_plainly


def check_all(*checks: Callable[[], Any]) -> list[Any]:
    """Run all checks of arguments, so that every error is printed; end the command if there was one.

    Returns:
        The result of each check.
    """
    results: list[Any] = []
    failed: list[typer.Exit] = []
    for check in checks:
        try:
            results.append(check())
        except typer.Exit as ended:
            failed.append(ended)
    if failed:
        raise max(failed, key=lambda ended: ended.exit_code)
    return results


@contextlib.contextmanager
def reporting(argument: str, output: Path | None = None) -> Iterator[None]:
    """Keep stdout for the command's result, and end the command with error messages instead of a traceback."""
    with contextlib.redirect_stdout(sys.stderr):  # for the output of the user's files
        try:
            yield
        except PolyheadError as error:
            fail_for(argument, error)
        except ImportError as error:
            message = without_backend(error)
            if message is None:
                raise
            fail(message)
        except OSError as error:
            file = error.filename if isinstance(error.filename, str) else None
            if output is None or file not in (None, str(output)):
                fail(f"{file or argument}: {error.strerror or error}.", WRONG_USE)
            if not output.parent.is_dir():
                fail(f"{output}: its folder does not exist.", WRONG_USE)
            fail(f"{output}: cannot be written: {error.strerror or error}", WRONG_USE)


def fail_for(argument: str, error: PolyheadError) -> NoReturn:
    """Print all problems of an error, after the argument unless they begin with it, and end the command."""
    text = str(error) if str(error).startswith(f"file {argument}: ") else f"{argument}: {error}"
    fail(text, WRONG_USE if isinstance(error, ContractError) else WRONG_DATA)
