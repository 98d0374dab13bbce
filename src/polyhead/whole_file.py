"""Writes a file completely or not at all, and checks the ending of its name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyhead.errors import ContractError, DataError, Problem, as_path, place, shown


@contextlib.contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Yield a temporary path, which is renamed to ``file`` at the end, or deleted on an error.

    Raises:
        DataError: if the file cannot be written.
    """
    where, temporary = place(file=str(file)), file.with_name(f".{file.name}.{os.getpid()}")
    try:
        _require_folder(file)
        if file.exists() and not file.is_file():
            found = "a folder" if file.is_dir() else "something that is no file"
            raise DataError(Problem(where, "a file, or a name that is free", found))
        yield temporary
        os.replace(temporary, file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        found = error.strerror or str(error)
        raise DataError(Problem(where, "a file that can be written", found)) from error


def path_with_ending(path: Any, where: str, *endings: str) -> tuple[Path, str]:
    """Return the path of a file to write and its ending, one of ``endings``; ``.htm`` counts as ``.html``.

    Raises:
        ContractError: for another ending.
        DataError: if it is not a path, or its folder does not exist.
    """
    file = as_path(path, where)
    ending = ".html" if file.suffix.lower() == ".htm" else file.suffix.lower()
    if ending not in endings:
        words = " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))
        raise ContractError(Problem(where, f"the name of a file that ends in {words}", shown(str(path))))
    _require_folder(file)
    return file, ending


def _require_folder(file: Path) -> None:
    if not file.parent.is_dir():
        where = place(file=str(file))
        raise DataError(Problem(where, "a folder that exists", "none", "Make the folder first."))
