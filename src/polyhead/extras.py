"""Imports optional packages on demand, with a helpful error if one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polyhead.errors import PolyheadError, Problem


@contextmanager
def requiring(where: str, package: str, install: str) -> Iterator[None]:
    """Raise an error that says what to install if an optional package is missing.

    Args:
        where: what needs the package.
        package: its name on the package index.
        install: the argument for ``pip install``.

    Raises:
        PolyheadError: if the import inside fails.
    """
    try:
        yield
    except ImportError as error:
        found = f"{package} cannot be imported ({error})"
        raise PolyheadError(Problem(where, "", found, f"Install it with: pip install {install}.")) from error
