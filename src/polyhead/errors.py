"""The errors and the form of their messages.

Every message says where, what was expected, what was found and what to do:
``head `age`, row 1203: expected an integer in [0, 116], got -1. If -1 means "no label", say
Regression(missing=-1).``
"""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from collections.abc import Iterable, KeysView, Sequence, ValuesView
from dataclasses import asdict, dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeGuard


def place(
    *,
    head: str | None = None,
    input: str | None = None,
    column: str | None = None,
    file: str | None = None,
    row: int | None = None,
) -> str:
    """Describe a place in words, outermost first.

    >>> place(head="age", row=1203)
    'head `age`, row 1203'
    """
    # a longer name is an encoded image
    parts = [f"file {file if len(file) <= 1024 else file[:40] + '...'}"] if file is not None else []
    parts += [
        f"{word} `{name}`"
        for word, name in (("head", head), ("input", input), ("column", column))
        if name is not None
    ]
    parts += [f"row {row}"] if row is not None else []
    return ", ".join(parts)


def shown(value: Any, limit: int = 80) -> str:
    """Format a value for an error: its ``repr``, shortened.

    >>> shown("x" * 200)[-4:]
    'x...'
    >>> shown(10**9999)
    'a whole number of 33,216 bits'
    """
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # np.float64(0.5) reads as 0.5
    text = " ".join(line.strip() for line in _start(value, limit + 1).split("\n"))
    return text if len(text) <= limit else text[: limit - 3] + "..."


_BRACKETS: dict[type, str] = {list: "[]", tuple: "()", dict: "{}", set: "{}"}


def _start(value: Any, most: int, depth: int = 0) -> str:
    """Return at least the first ``most`` characters of a ``repr``, without making the rest of a large or deep one.

    Nested lists that contain the same list several times are small in memory, but their text grows exponentially.
    """
    kind = type(value)
    if kind in (str, bytes) and len(value) > most:
        return repr(value[:most])
    if kind is int and value.bit_length() > 4 * most:
        return f"a whole number of {value.bit_length():,} bits"
    if kind.__name__ in ("DataFrame", "LazyFrame"):
        return f"a {kind.__name__} of {kind.__module__.partition('.')[0]}"
    if kind not in _BRACKETS or not value:
        return repr(value)
    if depth > 20:
        return "..."
    text = _BRACKETS[kind][0]
    for i, key in enumerate(value):
        text += (", " if i else "") + _start(key, most, depth + 1)
        text += ": " + _start(value[key], most, depth + 1) if kind is dict else ""
        if len(text) >= most:
            return text
    return text + (",)" if kind is tuple and len(value) == 1 else _BRACKETS[kind][1])


def similar(name: Any, names: Iterable[Any]) -> str:
    """Return a hint at the known name most similar to an unknown one; empty if none is similar.

    >>> similar("presense", ["presence", "box"]), similar("Box", ["presence", "box"]), similar("age", ["box"])
    ('Did you mean `presence`?', 'Did you mean `box`?', '')
    >>> similar("1", [0, 1])
    "Did you mean 1, not '1'?"
    """
    import difflib

    originals: dict[str, Any] = {}
    for candidate in names:
        originals.setdefault(str(candidate).lower(), candidate)
    matches = difflib.get_close_matches(str(name).lower(), originals, n=1)
    if not matches:
        return ""
    match = originals[matches[0]]
    if isinstance(name, str) and isinstance(match, str):
        return f"Did you mean `{match}`?"
    other_type = type(name) is not type(match) and matches[0] == str(name).lower()
    return f"Did you mean {shown(match)}, not {shown(name)}?" if other_type else ""


def listed(names: Sequence[str], most: int = 40) -> str:
    """List names for an error, shortened if there are many.

    >>> listed(["a", "b", "c"], 2)
    'a, b, … (3 in all)'
    """
    more = f", … ({len(names):,} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: int, word: str, plural: str = "") -> str:
    """Write a number with its noun, in the singular for 1.

    >>> counted(1, "row"), counted(1200, "batch"), counted(2, "class"), counted(0, "category", "categories")
    ('1 row', '1,200 batches', '2 classes', '0 categories')
    """
    several = plural or word + ("es" if word.endswith(("ch", "s", "x")) else "s")
    return f"{number:,} {word if number == 1 else several}"


def hints(*texts: str) -> str:
    """Join pieces of advice, skipping empty ones.

    >>> hints("", "Leave it out.", "Or not.")
    'Leave it out. Or not.'
    """
    return " ".join(filter(None, texts))


def plain_scalar(value: Any) -> Any:
    """Convert a NumPy scalar, or an array without axes, to a Python object; anything else is unchanged.

    >>> import numpy as np
    >>> plain_scalar(np.int64(3)), plain_scalar(np.array(0.5)), plain_scalar("a")
    (3, 0.5, 'a')
    """
    if not hasattr(value, "item") or getattr(value, "shape", None) != ():
        return value
    # dates have a unit, which Python's do not
    dates = getattr(getattr(value, "dtype", None), "kind", "") in "mM"
    return value if dates else value.item()


def as_list(values: Any) -> list[Any] | None:
    """Return an ordered collection as a list of Python objects; None for anything else.

    Collections are lists, tuples, ranges, arrays, indexes, series, and the keys or values of a dict.

    >>> import numpy as np
    >>> as_list(np.array([1, 2])), as_list(("a", "b")), as_list({"a": "b"}.values()), as_list("ab"), as_list({1: 2})
    ([1, 2], ['a', 'b'], ['b'], None, None)
    """
    if isinstance(values, (str, bytes, dict, set, frozenset)) or getattr(values, "shape", None) == ():
        return None
    for method in ("tolist", "to_list", "to_pylist"):  # NumPy and pandas, polars, Arrow
        if callable(getattr(values, method, None)):
            items = getattr(values, method)()
            return items if isinstance(items, list) else None
    ordered = isinstance(values, (Sequence, KeysView, ValuesView))
    return [plain_scalar(value) for value in values] if ordered else None


def as_path(path: Any, where: str, expected: str = "a path", code: str = "") -> Path:
    """Return a path on a disk as a `Path`, with ``~`` expanded.

    Raises:
        DataError: if it is not a path, or an address such as ``s3://...``.
    """
    text = str(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else ""
    if not text or "\0" in text:
        raise DataError(Problem(where, expected, shown(path), code=code))
    if re.match(r"[A-Za-z][\w+.-]+:/", text):  # a Path keeps one slash of s3://
        fix = "Give the plain path." if text[:5] == "file:" else "Copy it to a disk, or mount it as a folder."
        raise DataError(Problem(where, "a path on a disk", shown(text), fix, code))
    return Path(path).expanduser()


def is_integer(value: Any) -> TypeGuard[int]:
    """Return whether a value is a Python or NumPy integer, but not a bool.

    >>> is_integer(3), is_integer(3.0), is_integer(True)
    (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_size(value: Any, least: int = 1) -> TypeGuard[int]:
    """Return whether a value is an integer of at least ``least`` that fits in 64 bits.

    >>> is_size(1), is_size(0), is_size(10**30)
    (True, False, False)
    """
    return is_integer(value) and least <= value < 2**63


def require_size(where: str, value: Any, least: int = 1, fix: str = "") -> None:
    """Raise a `ContractError` unless a value is an integer of at least ``least``."""
    if not is_size(value, least):
        raise ContractError(Problem(where, f"an integer of at least {least}", shown(value), fix))


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a finite Python or NumPy number, but not a bool or text.

    >>> is_number(0.5), is_number(3), is_number("3"), is_number(True), is_number(float("nan"))
    (True, True, False, False, False)
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    return real and abs(value) <= sys.float_info.max


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        place: where it is, in the form of `place`.
        expected: what is expected; empty if nothing is compared and ``found`` is the whole message.
        found: what was found.
        fix: what to do, in whole sentences; may be empty.
        code: an identifier of this kind of mistake for programs, stable across versions.
        warning: it may be intended: a report with only warnings is still ok.
        rows: the ids of the affected rows, if known; a thousand at most.
        also: the places of further rows with the same problem, in words.

    >>> print(Problem("head `age`", "a number", "'old'", "Drop the row."))
    head `age`: expected a number, got 'old'. Drop the row.
    """

    place: str
    expected: str
    found: str
    fix: str = ""
    code: str = ""
    warning: bool = False
    rows: tuple[int, ...] = field(default=(), compare=False, repr=False)
    also: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def finding(self) -> str:
        """The mistake, without the place and the fix."""
        return f"expected {self.expected}, got {self.found}" if self.expected else self.found

    def __str__(self) -> str:
        text = hints(f"{self.place}: {self.finding}.", self.fix)
        return f"{text} Likewise {'; '.join(self.also)}." if self.also else text


def other_choice(where: str, value: Any, choices: Sequence[str], expected: str = "") -> list[Problem]:
    """Return a list with the problem if a value is not one of the choices; else an empty list.

    >>> [str(one) for one in other_choice("Image(fit=)", "contian", ("stretch", "contain"))]
    ["Image(fit=): expected one of stretch, contain, got 'contian'. Did you mean `contain`?"]
    """
    if isinstance(value, str) and value in choices:
        return []
    return [Problem(where, expected or f"one of {', '.join(choices)}", shown(value), similar(value, choices))]


def require_choice(where: str, value: Any, choices: Sequence[str], expected: str = "") -> None:
    """Raise a `ContractError` unless a value is one of the choices."""
    if problems := other_choice(where, value, choices, expected):
        raise ContractError(*problems)


@dataclass(frozen=True)
class Report:
    """Everything that a check found, worst first.

    Attributes:
        problems: errors, then warnings.
        notes: what fits, what was assumed, what was measured, what could not be checked.

    >>> report = Report((Problem("head `age`", "a number", "'old'", code="text"),), ("head `sex` fits",))
    >>> print(report)
    1 problem:
      1. head `age`: expected a number, got 'old'.
      head `sex` fits
    >>> report.ok, report.as_dict()["problems"][0]["code"]
    (False, 'text')
    """

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "problems", tuple(sorted(self.problems, key=lambda p: p.warning)))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are certainly mistakes."""
        return tuple(p for p in self.problems if not p.warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that may be mistakes."""
        return tuple(p for p in self.problems if p.warning)

    @property
    def ok(self) -> bool:
        """True if there are no errors."""
        return not self.errors

    def as_dict(self) -> dict[str, Any]:
        """Return the report as objects that can be saved as JSON."""
        return {"ok": self.ok, "problems": [asdict(p) for p in self.problems], "notes": list(self.notes)}

    def _repr_html_(self) -> str:
        from polyhead.notebook import html_table

        rows = [("perhaps" if p.warning else "problem", p.place, p.finding, p.fix) for p in self.problems]
        title = "Nothing is wrong" if not rows else str(self).splitlines()[0].rstrip(":")
        return html_table(title, ("", "where", "what", "fix"), rows, "\n".join(self.notes))

    def __str__(self) -> str:
        groups = {"problem": self.errors, "warning": self.warnings}
        totals = [counted(len(problems), word) for word, problems in groups.items() if problems]
        lines = [", ".join(totals) + ":" if totals else "ok"]
        lines += [f"  {i}. {'(perhaps) ' * p.warning}{p}" for i, p in enumerate(self.problems, 1)]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


class PolyheadError(Exception):
    """Base of all errors that polyhead raises on purpose.

    Attributes:
        problems: all problems that were found, worst first.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        lines = [counted(len(problems), "problem") + ":"]
        lines += [f"  {i}. {p}" for i, p in enumerate(problems, 1)]
        super().__init__(str(problems[0]) if len(problems) == 1 else "\n".join(lines))


class ContractError(PolyheadError, ValueError):
    """A feed and a model, or a feed and its declaration, do not fit together."""


class DataError(PolyheadError, ValueError):
    """The data is not what was declared: a column, a row, a value."""


class StoreError(PolyheadError):
    """A store on disk is incomplete, damaged or of another version."""


class PolyheadWarning(UserWarning):
    """A possible mistake, reported once before the first step."""


WARNINGS = threading.RLock()
"""Held while warnings are being caught, which in Python affects all threads: other warnings wait for it."""


def warn(problem: Problem) -> None:
    """Emit a warning of a problem, at the line of the user's program that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        level, frame = level + 1, frame.f_back
    with WARNINGS:
        warnings.warn(str(problem), PolyheadWarning, stacklevel=level)


_INSIDE = ("polyhead", "keras", "tensorflow", "torch", "jax")


class BadValue(Exception):
    """A bad value, raised by a kind; callers that know the row and name convert it to a `DataError`.

    Attributes:
        index: the position of the value among the values given to the kind, or None for the column as a whole.
    """

    def __init__(self, index: int | None, expected: str, found: str, fix: str = "") -> None:
        super().__init__(expected)
        self.index, self.expected, self.found, self.fix = index, expected, found, fix

    def located(self, *, row: int | None = None, file: str | None = None, **names: str | None) -> DataError:
        """Return the public error for this value at a named place."""
        where = ", ".join(filter(None, (place(row=row, **names), place(file=file))))
        rows = () if row is None else (row,)
        return DataError(Problem(where, self.expected, self.found, self.fix, rows=rows))
