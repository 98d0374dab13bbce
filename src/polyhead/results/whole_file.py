"""Writes a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from polyhead.errors import DataError, Problem, place


class writing:
    """A file that has another name until it is done; it is deleted on an error."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._temporary = file.with_name(f".{file.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        if not self._file.parent.is_dir():
            fix = "Make the folder first."
            raise DataError(Problem(place(file=str(self._file)), "a folder that exists", "none", fix))
        if self._file.exists() and not self._file.is_file():
            found = "a folder" if self._file.is_dir() else "something that is no file"
            raise DataError(Problem(place(file=str(self._file)), "a file, or a name that is free", found))
        return self._temporary

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            os.replace(self._temporary, self._file)
            return
        self._temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            found = error.strerror or str(error)
            raise DataError(
                Problem(place(file=str(self._file)), "a file that can be written", found)
            ) from error
