"""Writes the code of a feed of the same data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from polyhead.doctor.column_survey import ColumnDescription
from polyhead.doctor.feed_code import Guess, as_literal, feed_code
from polyhead.doctor.kind_guess import guess_head, guess_input
from polyhead.doctor.leaf_statistics import NONE, Odd
from polyhead.doctor.model_signature import ExaminedTensor, Matches, in_order, nesting_form
from polyhead.doctor.reading import LeafPath, Reading
from polyhead.doctor.subjects import ARRAY_BATCH, Subject
from polyhead.doctor.value_checks import class_a_step
from polyhead.keras_bridge.structure import Path, rebuild

IN_MEMORY = "an epoch in memory"
"""The remark on code that reads one epoch of a dataset."""


@dataclass(frozen=True)
class _DeclaredColumn:
    """A column of the declaration.

    Attributes:
        column: the column of a head, if an input has the name of the head.
    """

    name: str
    leaf_path: LeafPath
    guess: Guess
    column: str = ""

    @property
    def key(self) -> str:
        """The name of its column in the data."""
        return self.column or self.name


def declaration(
    subject: Subject, reading: Reading, matches: Matches, rows: int | None, steps: int | None
) -> str:
    """Return a complete program that makes the feed; empty if it cannot be derived.

    Args:
        subject: what was read; code uses its name.
        matches: the matching tensors of the model, for names.
        rows: the number of rows in an epoch, if its end was seen.
        steps: the number of batches in an epoch, if its end was seen.
    """
    if subject.kind == "feed" or not subject.declared:
        return ""
    streams = subject.makes_generators
    if any(isinstance(leaf, Odd) and leaf is not NONE for _, leaf in reading.first.arrays()):
        return ""
    inputs = _declared_columns("x", reading, matches, streams)
    heads = [_with_own_column(head, inputs) for head in _declared_columns("y", reading, matches, streams)]
    if not inputs or not heads or any(steps_of(reading, matches)):
        return ""
    weighs = _weights_of_heads(heads, reading)
    weights = list({column.leaf_path: column for column in weighs.values()}.values())
    heads = [
        replace(c, guess=c.guess.saying("sample_weight", weighs[c.name].name)) if c.name in weighs else c
        for c in heads
    ]
    say_more = "weights: say class_weight=, given= or missing= on a head, which makes them"
    return feed_code(
        _data(subject, [*inputs, *heads, *weights], reading, rows, steps),
        {c.name: c.guess for c in inputs},
        {c.name: c.guess for c in heads},
        batch_size=ARRAY_BATCH if subject.whole is not None else len(reading.rows[0]),
        shuffle=not streams,
        remarks=[say_more] * (reading.first.parts.get("w") is not None and not weights),
    )


def steps_of(reading: Reading, matches: Matches) -> Iterator[str]:
    """Return the outputs with a class for each step of a sequence, for which there is no head."""
    for _, slot, stats in matches.labels(reading):
        if stats.rows and class_a_step(slot, stats):
            yield slot.name


def _with_own_column(head: _DeclaredColumn, inputs: list[_DeclaredColumn]) -> _DeclaredColumn:
    """Give a head's labels a column of another name if an input has its name."""
    taken = {column.name for column in inputs}
    if head.name not in taken:
        return head
    column = f"{head.name}_label"
    while column in taken:
        column += "_"
    return replace(head, column=column, guess=head.guess.saying("column", column))


def _weights_of_heads(heads: list[_DeclaredColumn], reading: Reading) -> dict[str, _DeclaredColumn]:
    """Return the weight column of each head with weights, which may be one for all; empty if not all weights fit.

    A head takes one weight a row, a mask or map also one a pixel. A dict of weights next to a tuple of labels has them
    by name.
    """
    columns: dict[str, _DeclaredColumn] = {}
    arrays = reading.first.arrays()
    weights = {leaf_path for leaf_path, leaf in arrays if leaf_path[0] == "w" and leaf is not NONE}
    for head in heads:
        paths: list[LeafPath] = [("w", path) for path in ((), head.leaf_path[1], (head.name,))]
        leaf_path = next((leaf_path for leaf_path in paths if leaf_path in weights), None)
        if leaf_path is None:
            continue
        stats = reading.stats.get(leaf_path)
        sides = reading.stats[head.leaf_path].shape[:2] if head.guess.kind in ("Mask", "Map") else ()
        if stats is None or stats.shape not in ((), (1,), sides, (*sides, 1), (1,) * len(sides)):
            return {}
        name = f"weight_{head.name}" if leaf_path[1] or len(heads) == 1 else "weight"
        columns[head.name] = _DeclaredColumn(name, leaf_path, Guess(""))
    return columns if {column.leaf_path for column in columns.values()} == weights else {}


def _declared_columns(part: str, reading: Reading, matches: Matches, streams: bool) -> list[_DeclaredColumn]:
    nested = reading.first.parts.get(part)
    slots = matches.inputs if part == "x" else matches.outputs
    paths = [path for path, leaf in in_order(nested) if nested is not None and leaf is not NONE]
    columns: list[_DeclaredColumn] = []
    for i, path in enumerate(paths):
        stats, slot = reading.stats[part, path], slots.get(path)
        if not stats.rows:
            return []
        name = _column_name(path, slot, part, i, len(paths))
        while any(name == column.name for column in columns):
            name += "_"
        # `_converting` has a place for each label
        changeable = not streams or nesting_form(nested) != "nested"
        output = slot if part == "y" else None
        column = ColumnDescription(name, statistics=stats, encoded=True, changeable=changeable, output=output)
        guess = guess_input(column) if part == "x" else guess_head(column)
        if not isinstance(guess, Guess):
            return []
        columns.append(_DeclaredColumn(name, (part, path), guess))
    return columns


def _column_name(path: Path, slot: ExaminedTensor | None, part: str, i: int, count: int) -> str:
    if slot is not None and not re.fullmatch(
        r"(keras_tensor|input_layer|dense|conv2d|output)[_ ]?\d*", slot.name
    ):
        return slot.name
    keys = [str(key) for key in path if isinstance(key, str)]
    return keys[-1] if keys else part if count == 1 else f"{part}{i}"


def _data(
    subject: Subject, columns: list[_DeclaredColumn], reading: Reading, rows: int | None, steps: int | None
) -> list[str]:
    """Return the lines of code that make ``data``."""
    if subject.makes_generators:
        names = {column.leaf_path: column.key for column in columns}
        parts = reading.first.parts
        for i, (path, _) in enumerate(in_order(parts.get("w"))):
            names.setdefault(("w", path), f"weight{i}")

        def named(part: str) -> Any:
            return rebuild(parts[part], lambda path, leaf: None if leaf is NONE else names[part, path])

        nested = tuple(named(part) for part in ("x", "y", "w") if parts.get(part) is not None)
        function = _converting(subject.name, columns, parts.get("y"))
        code = f"data = ph.from_generator({function}, length={rows}, names={nested!r})"
        if rows is None:
            remark = "as many rows as were read: say how many an epoch has"
            code = (
                f"data = ph.from_generator(\n    {function},\n    length={reading.row_count},  # {remark}\n"
            )
            code += f"    names={nested!r},\n)"
        return ["import polyhead as ph", "", code]
    lines = []
    for column in columns:
        values = _index_code(subject.name if subject.whole is not None else "batch", column.leaf_path)
        if subject.whole is None:
            values = f"np.concatenate([np.asarray({values}) for batch in batches])"
        lines.append(f"    {as_literal(column.key)}: {values}{column.guess.change},")
    lines = ["data = {", *lines, "}"]
    if subject.whole is not None:
        return ["import polyhead as ph", "", *lines]
    read, remark = subject.listed or f"list({subject.name})", IN_MEMORY
    imports = ["import numpy as np", "", "import polyhead as ph", ""]
    if not reading.ended and subject.length is None:
        read = f"list(itertools.islice({subject.name}, {steps or reading.steps}))"
        remark = remark if steps else "as many batches as were read: say how many an epoch has"
        imports = ["import itertools", "", *imports]
    return [*imports, f"batches = {read}  # {remark}", *lines]


def _converting(name: str, columns: list[_DeclaredColumn], y: Any) -> str:
    """Return code for a generator function whose labels are converted as the guesses of their columns say.

    >>> column = _DeclaredColumn("kind", ("y", (1,)), Guess("Categorical", change=".argmax(-1)"))
    >>> _converting("rows", [column], (0, 0))
    'lambda: ((x, (y0, y1.argmax(-1)), *w) for x, (y0, y1), *w in rows())'
    """
    changes = {c.leaf_path[1]: c.guess.change for c in columns if c.guess.change and c.leaf_path[0] == "y"}
    if not changes:
        return name
    if isinstance(y, dict):
        converted = ", ".join(
            f"{as_literal(path[0])}: y[{as_literal(path[0])}]{change}" for path, change in changes.items()
        )
        unpacked, converted = "y", f"{{**y, {converted}}}"
    elif isinstance(y, (list, tuple)):
        names = [f"y{i}" for i in range(len(y))]
        parts = [f"{name}{changes.get((i,), '')}" for i, name in enumerate(names)]
        unpacked, converted = (f"({', '.join(texts)}{',' * (len(y) == 1)})" for texts in (names, parts))
    else:
        unpacked, converted = "y", f"y{changes[()]}"
    called = name.removeprefix("lambda: ") if name.startswith("lambda: ") else f"{name}()"
    return f"lambda: ((x, {converted}, *w) for x, {unpacked}, *w in {called})"


def _index_code(name: str, leaf_path: LeafPath) -> str:
    part, path = leaf_path
    return f"{name}[{'xyw'.index(part)}]" + "".join(f"[{as_literal(key)}]" for key in path)
