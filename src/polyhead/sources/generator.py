"""Rows from a generator, such as an existing hand-written feed."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from polyhead.columns.frames import family_of
from polyhead.columns.values import Values, alike, objects
from polyhead.errors import DataError, Problem, as_list, counted, is_size, shown
from polyhead.foreign_errors import quoted_error
from polyhead.sources.arrays import require_one_order
from polyhead.sources.batch_parts import (
    batch_parts,
    columns_of_rows,
    default_name,
    default_names,
    outline,
    part_array,
    read_by_number,
    rows_of_batch,
)
from polyhead.sources.source import OwnSource, Source

CURSORS = 3
"""The most simultaneous readings of one generator, such as those of a training and a validation feed."""

PROBE_ROWS = 32


def from_generator(function: Callable[[], Any], *, length: int, names: Any = None) -> Source:
    """Use a generator of batches ``(x, y)`` or ``x`` as a source.

    Each epoch calls the function again and reads ``length`` rows, so the generator may be finite or endless, and its
    batches may have any size. One thread at a time runs it. Rows come in the order of the generator: a feed can't
    shuffle them, but the generator can.

    Args:
        function: takes no arguments and returns an iterator: a generator function, or ``lambda: batches(path)``.
        length: rows in an epoch.
        names: names for the parts of a batch, nested like the batch: ``("image", ("presence", "box"))``. Tuples and
            lists are equivalent. By default the keys of dicts, else ``x`` and ``y``, or ``x0``, ``x1`` … and ``y0``,
            ``y1`` … if there are several; a DataFrame has its columns. A third part, the weights, needs names; a head
            reads it with ``sample_weight=``. A part that is None, such as weights that a head does not have, has no
            name, or None.

    Raises:
        DataError: while reading, if there are fewer rows than ``length``, a batch has another structure than the first,
            its parts differ in length, or the generator raises. The message gives the number of the batch. Also if the
            function returns an iterator that an earlier call returned.

    >>> def batches():
    ...     for start in range(0, 6, 3):
    ...         yield np.arange(start, start + 3.0), (np.array([0, 1, 0]), np.ones(3))
    >>> rows = from_generator(batches, length=6, names=("x", ("yes", "size")))
    >>> rows
    Stream(6 rows: x, yes, size)
    >>> rows.read(np.array([2, 3]))["x"].tolist()
    [2.0, 3.0]
    """
    if not callable(function):
        fix = "Pass a function that returns it, as lambda: loader."
        if isinstance(function, Iterator) and not read_by_number(function):
            fix = "A generator can run only once: pass the function itself, without calling it."
        expected = "a function that returns an iterator"
        raise DataError(Problem("from_generator()", expected, shown(function), fix))
    if needed := required_arguments(function):
        expected, found = "a function that takes no arguments", f"one that needs {', '.join(needed)}"
        raise DataError(Problem("from_generator()", expected, found, "Pass lambda: batches(...) instead."))
    if not is_size(length):
        expected = "the rows of an epoch, an integer of at least 1"
        raise DataError(Problem("from_generator(length=)", expected, shown(length)))
    if (
        not isinstance(names, (list, tuple)) and (listed := as_list(names)) is not None
    ):  # an array or an index
        names = listed
    return Stream(_Generator(function, int(length), names))


def required_arguments(function: Any) -> list[str]:
    """Return the arguments of a function that have no default.

    >>> required_arguments(lambda path, size=2: None)
    ['path']
    """
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


class Stream(OwnSource):
    """The rows of a generator, in its order; see `from_generator`."""

    sequential = True

    def __init__(self, generator: _Generator, columns: Sequence[str] | None = None) -> None:
        self._generator = generator
        self._names = tuple(columns) if columns is not None else None

    def __len__(self) -> int:
        return self._generator.length

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._generator.first()) if self._names is None else self._names

    def only(self, columns: Sequence[str]) -> Stream:
        self._require(columns)
        return Stream(self._generator, columns)

    def first_rows(self, name: str, rows: int = PROBE_ROWS) -> Values:
        return self._generator.first()[name][:rows]

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows = self._generator.read(ids)
        return {name: rows[name] for name in self._names or rows}

    def _refuse(self, where: str) -> NoReturn:
        fix = "Give an array or a table, or write one generator function for each part."
        raise DataError(Problem(where, "rows that can be read in any order", "those of a generator", fix))

    def head(self, n: int = 5) -> Source:
        generator = self._generator
        length = len(range(generator.length)[:n])
        return Stream(_Generator(generator.function, length, generator.names), self._names)

    def select(self, rows: Any) -> Source:
        self._refuse("select()")

    def split(self, fractions: Any, *, stratify: Any = None, group: Any = None, seed: int = 0) -> Any:
        self._refuse("split()")

    def mix(
        self, *others: Source, weights: Sequence[float], length: int | None = None, join: str = "exact"
    ) -> Source:
        self._refuse("mix()")

    def concat(self, *others: Source, join: str = "exact") -> Source:
        self._refuse("concat()")


class _Generator:
    """A generator function, and its readings in progress."""

    def __init__(self, function: Callable[[], Any], length: int, names: Any) -> None:
        self.function, self.length, self.names = function, length, names
        self.name = getattr(function, "__name__", type(function).__name__)
        self._cursors: list[_Cursor] = []
        self._lock = threading.RLock()
        self._first: dict[str, np.ndarray] | None = None
        self._latest: Callable[[], Iterator[Any] | None] = lambda: None
        self._name_of: dict[tuple[Any, ...], str] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the function, which then starts again."""
        return _Generator, (self.function, self.length, self.names)

    def first(self) -> dict[str, np.ndarray]:
        """Return the first few rows, read once by a separate reading."""
        with self._lock:
            if self._first is None:
                self._first = _Cursor(self).take(np.arange(min(PROBE_ROWS, self.length)))
            return self._first

    def read(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return the rows at ``ids``, continuing the reading that is closest before them."""
        if not len(ids):
            return {name: values[:0] for name, values in self.first().items()}
        order = np.argsort(ids, kind="stable")
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        with self._lock:
            begin = int(ids[order[0]])
            near = [c for c in self._cursors if c.position <= begin and not c.broken]
            cursor = max(near, key=lambda c: c.position) if near else _Cursor(self)
            self._cursors = [c for c in self._cursors if c is not cursor and not c.broken][1 - CURSORS :]
            self._cursors.append(cursor)
            rows = cursor.take(ids[order])
            if cursor.position >= self.length:  # its generator can end, and close its files
                self._cursors.remove(cursor)
        return {name: values[back] for name, values in rows.items()}

    def begin(self) -> Iterator[Any]:
        """Call the function; raise a `DataError` if it returns an iterator of an earlier reading."""
        returned = self.function()
        if returned is None:
            fix = "It must yield batches (x, y)."
            raise DataError(Problem(f"generator `{self.name}`", "an iterator", "None", fix))
        # a flow of `ImageDataGenerator` is also an iterator, which goes on where it was
        batches = (returned[i] for i in range(len(returned))) if read_by_number(returned) else iter(returned)
        begins_anew = inspect.isfunction(type(batches).__iter__)  # as an iterator written in Python may
        again = batches is self._latest()
        if again and not begins_anew:
            fix = "Make it in the function: lambda: batches(...), or a generator function."
            found = f"the same {type(batches).__name__} again, of which rows were read before"
            raise DataError(Problem(f"generator `{self.name}`", "a new iterator from each call", found, fix))
        if again:  # it is one object: the readings before end here
            for cursor in self._cursors:
                cursor.broken = True
        self._latest = _reference(batches)
        return batches

    def columns(self, batch: Any, number: int) -> dict[str, np.ndarray]:
        """Convert a batch to columns of one length; raise a `DataError` if its structure is not that of the first."""
        where = f"generator `{self.name}`, batch {number}"
        if batch is None:
            raise DataError(Problem(where, "a batch (x, y)", "None", "Remove the yield, or yield a batch."))
        if isinstance(batch, list) and (fix := columns_of_rows(batch, self.names)):
            raise DataError(Problem(where, "a batch (x, y), or a dict of columns", "a list of rows", fix))
        # a frame, or a table of Arrow
        if self.names is None and hasattr(batch, "columns") and hasattr(batch, "shape"):
            names = batch.schema.names if family_of(batch)[0] == "pyarrow" else batch.columns
            batch = {name: batch[name] for name in names}
        leaves = dict(batch_parts(batch, like=self.names, rows=rows_of_batch(batch)))
        if self._name_of is None:
            self._name_of = self._named(batch, list(leaves), where)
        if leaves.keys() != self._name_of.keys():
            expected = f"the structure of batch 0, {outline(list(self._name_of))}"
            raise DataError(Problem(where, expected, outline(list(leaves))))
        parts = {self._name_of[path]: leaf for path, leaf in leaves.items()}
        require_one_order(parts, f"{where}, ", warns=number == 0)
        columns = {name: part_array(f"{where}, column `{name}`", leaf) for name, leaf in parts.items()}
        scalars = [name for name, values in columns.items() if not values.ndim]
        if scalars:
            fix = "Yield batches: arrays with one entry per row."
            at = f"{where}, column `{scalars[0]}`"
            raise DataError(Problem(at, "an array (B, ...)", "a single value", fix))
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"`{name}` {n}" for name, n in lengths.items())
            fix = "If these are single rows, yield batches: x[None], y[None] is one of 1 row."
            raise DataError(Problem(where, "parts of one length", found, "" if number else fix))
        if 0 in lengths.values():
            raise DataError(Problem(where, "at least one row", "none", "Don't yield empty batches."))
        return columns

    def _named(self, batch: Any, paths: list[tuple[Any, ...]], where: str) -> dict[tuple[Any, ...], str]:
        """Name the column of each part of a batch."""
        # a DataLoader yields lists
        whole = isinstance(batch, tuple) or (isinstance(batch, list) and paths != [()])
        parts = sum(part is not None for part in batch) if whole else 1
        named = dict(batch_parts(self.names, like=self.names)) if self.names is not None else {}
        if self.names is not None and named.keys() != set(paths):
            fix = f"Nest the names like the batches: names={default_names(batch, paths)!r}."
            expected = f"names for {outline(paths)}"
            raise DataError(Problem("from_generator(names=)", expected, shown(self.names), fix))
        if parts >= 3 and not named:
            fix = 'Name all parts: names=("x", ("a", "b"), ("weight_a", "weight_b")); use sample_weight= of a head.'
            fix = f'{fix} If they are x, y1, y2: names=("x", "y1", "y2").'
            fix = fix if parts == 3 else 'Name each part: names=("x", "y1", "y2", ...).'
            raise DataError(Problem(where, "(x, y)", counted(parts, "part"), fix))
        in_tuple = paths if whole else [(0, *path) for path in paths]
        names = [named[path] for path in paths] if named else [default_name(p, in_tuple) for p in in_tuple]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            fix = "Give names=, nested like the batches."
            raise DataError(Problem(where, "distinct names for its parts", f"`{twice[0]}` twice", fix))
        return dict(zip(paths, map(str, names), strict=True))


class _Cursor:
    """One reading of a generator, and its position."""

    def __init__(self, generator: _Generator) -> None:
        self._generator = generator
        self._batches: Iterator[Any] | None = None
        self._pieces: list[dict[str, np.ndarray]] = []  # rows from ``position`` on that have been yielded
        self._number = 0
        self.position = 0
        self.broken = False

    def take(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return the rows at ``ids``, which are ascending and not before ``position``."""
        self.broken = True  # until this returns
        begin, end = int(ids[0]), int(ids[-1]) + 1
        have = sum(_rows(piece) for piece in self._pieces)
        while self.position + have < end:
            piece = self._next()
            self._pieces.append(piece)
            have += _rows(piece)
            while self._pieces and self.position + _rows(self._pieces[0]) <= begin:
                passed = _rows(self._pieces.pop(0))
                self.position, have = self.position + passed, have - passed
        names = list(self._pieces[0])
        whole = {name: _joined_pieces([piece[name] for piece in self._pieces]) for name in names}
        rows = {name: values[ids - self.position] for name, values in whole.items()}
        self._pieces = [{name: values[end - self.position :] for name, values in whole.items()}]
        self.position = end
        self.broken = False
        return rows

    def _next(self) -> dict[str, np.ndarray]:
        generator = self._generator
        number, self._number = self._number, self._number + 1
        try:
            if self._batches is None:
                self._batches = generator.begin()
            batch = next(self._batches)
        except StopIteration:
            rows = self.position + sum(_rows(piece) for piece in self._pieces)
            fix = f"Set length={rows}, or yield more rows." if rows else "It must yield batches (x, y)."
            expected = f"{counted(generator.length, 'row')}, as given by length="
            where = f"generator `{generator.name}`"
            raise DataError(Problem(where, expected, f"{rows:,}", fix)) from None
        except DataError:
            raise
        except Exception as error:
            where = f"generator `{generator.name}`, batch {number}"
            raise DataError(Problem(where, "a batch", quoted_error(error))) from error
        return generator.columns(batch, number)


def _reference(batches: Iterator[Any]) -> Callable[[], Iterator[Any] | None]:
    """Return a function that returns an iterator as long as something else keeps it, if its type allows that."""
    try:
        return weakref.ref(batches)
    except TypeError:
        return lambda: batches


def _rows(piece: dict[str, np.ndarray]) -> int:
    return len(next(iter(piece.values())))


def _joined_pieces(pieces: list[np.ndarray]) -> np.ndarray:
    if len(pieces) == 1:
        return pieces[0]
    if not alike(pieces) or any(piece.dtype == object for piece in pieces):
        return objects([row for piece in pieces for row in piece])
    return np.concatenate(pieces)
