"""The same data as a feed: a declaration to paste, derived from what was read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from polyhead.doctor.leaf_statistics import LeafStatistics, is_none
from polyhead.doctor.places import Places
from polyhead.doctor.reading import Odd, Place, Reading
from polyhead.doctor.sides import Slot, in_order
from polyhead.doctor.subjects import ARRAY_BATCH, Subject
from polyhead.doctor.values import class_a_step
from polyhead.keras_bridge.structure import Path, rebuild

_FEW = 20

_SIDE = 8
"""Numbers of so many rows and columns, with channels, are taken for those of pixels."""


@dataclass(frozen=True)
class _Column:
    """One column of the declaration.

    Attributes:
        name: of the input or head.
        place: where a batch has it.
        kind: the call that declares it.
        change: what is done to the values, as written after them.
        remark: what the reader should know.
        column: the column of a head, where an input has its name.
    """

    name: str
    place: Place
    kind: str
    change: str = ""
    remark: str = ""
    column: str = ""

    @property
    def key(self) -> str:
        """The name of its column in the data."""
        return self.column or self.name


def declaration(
    subject: Subject, reading: Reading, places: Places, rows: int | None, steps: int | None
) -> str:
    """A program that makes the feed and runs as it stands, or nothing where that cannot be derived.

    Args:
        subject: what was read; code calls it by its name.
        reading: the first one.
        places: the names that the model gives.
        rows: in an epoch, where that was seen.
        steps: batches in an epoch, where that was seen.
    """
    first = reading.first
    if first is None or subject.kind == "feed" or not subject.declared:
        return ""
    streams = subject.makes_generators
    for (part, _), leaf in first.arrays():
        left_out = (
            part == "x" and is_none(leaf) and not streams
        )  # a source of a generator has an array in each place
        if isinstance(leaf, Odd) and not left_out:
            return ""
    inputs = _columns("x", reading, places)
    heads = [_apart(head, inputs) for head in _columns("y", reading, places)]
    if not inputs or not heads or steps_of(reading, places):
        return ""
    weights = _weights(heads, reading)
    heads = [replace(c, kind=_weighted(c, weights)) for c in heads] if weights else heads
    columns = [*inputs, *heads, *weights]
    if streams:
        columns = [_unchanged(column) for column in columns]
    lines = _data(subject, columns, reading, rows, steps)
    lines += ["feed = ph.Feed(", "    data,"]
    for word, part in (("inputs", "x"), ("heads", "y")):
        lines += [f"    {word}={{"]
        for column in columns:
            if column.place[0] == part:
                remark = f"  # {column.remark}" if column.remark else ""
                lines += [f"        {json.dumps(column.name)}: {column.kind},{remark}"]
        lines += ["    },"]
    size = ARRAY_BATCH if subject.whole is not None else len(reading.rows[0])
    lines += [f"    batch_size={size},", *([] if streams else ["    shuffle=True,"]), ")"]
    if first.parts.get("w") is not None and not weights:
        lines += ["# weights: say class_weight=, given= or missing= on a head, which makes them"]
    return "\n".join(lines)


def steps_of(reading: Reading, places: Places) -> list[str]:
    """The outputs that have a class for each step of a sequence, for which there is no head."""
    found = []
    for path, slot in places.outputs.items():
        stats = reading.stats.get(("y", path))
        if stats is not None and stats.rows and class_a_step(slot, stats):
            found.append(slot.name)
    return found


def _apart(head: _Column, inputs: list[_Column]) -> _Column:
    """A head whose labels have a column of their own, where an input has its name."""
    taken = {column.name for column in inputs}
    if head.name not in taken:
        return head
    column = f"{head.name}_label"
    while column in taken:
        column += "_"
    return replace(head, column=column, kind=_with(head.kind, "column", column))


def _with(kind: str, argument: str, value: str) -> str:
    """A call with one more argument.

    >>> _with("ph.Binary()", "column", "sold")
    'ph.Binary(column="sold")'
    """
    return f"{kind[:-1]}{', ' * (kind[-2] != '(')}{argument}={json.dumps(value)})"


def _weights(heads: list[_Column], reading: Reading) -> list[_Column]:
    """A column for the weights of each head, where there is one weight a row for every head; else none."""
    first = reading.first
    assert first is not None
    columns = []
    for head in heads:
        place: Place = ("w", head.place[1])
        stats = reading.stats.get(place)
        if stats is None or stats.shape not in ((), (1,)):
            return []
        columns.append(_Column(f"weight_{head.name}", place, ""))
    return columns


def _weighted(column: _Column, weights: list[_Column]) -> str:
    name = next(w.name for w in weights if w.place[1] == column.place[1])
    return _with(column.kind, "sample_weight", name)


def _columns(part: str, reading: Reading, places: Places) -> list[_Column]:
    first = reading.first
    nested = first.parts.get(part) if first is not None else None
    if nested is None:
        return []
    slots = places.inputs if part == "x" else places.outputs
    paths = [path for path, leaf in in_order(nested) if not is_none(leaf)]
    found: list[_Column] = []
    for i, path in enumerate(paths):
        stats = reading.stats.get((part, path))
        if stats is None or not stats.rows:
            return []
        name = _name(path, slots.get(path), part, i, len(paths))
        while any(name == column.name for column in found):
            name += "_"
        kind, change, remark = _input(stats) if part == "x" else _head(stats, slots.get(path))
        found.append(_Column(name, (part, path), kind, change, remark))
    return found


def _name(path: Path, slot: Slot | None, part: str, i: int, count: int) -> str:
    if slot is not None and not re.fullmatch(
        r"(keras_tensor|input_layer|dense|conv2d|output)[_ ]?\d*", slot.name
    ):
        return slot.name
    keys = [str(key) for key in path if isinstance(key, str)]
    return keys[-1] if keys else part if count == 1 else f"{part}{i}"


def _input(stats: LeafStatistics) -> tuple[str, str, str]:
    shape = stats.shape
    if len(shape) == 3 and shape[2] in (1, 3, 4) and stats.numbers:
        size = ", ".join(map(str, shape))
        if stats.dtype == "uint8":
            return f'ph.Image({size}, dtype="uint8")', "", ""
        if (
            stats.dtype.startswith("float")
            and stats.low[0] >= 0
            and stats.high[0] <= 1
            and not stats.not_finite
        ):
            return f"ph.Image({size})", "", ""
    if stats.nan is not None:
        return "ph.Array(fill=0.0)", "", "0.0 in the place of NaN"
    return "ph.Array()", "", ""


def _head(stats: LeafStatistics, slot: Slot | None) -> tuple[str, str, str]:
    """The kind of a head, what is done to its labels, and a remark."""
    shape = stats.shape
    if len(shape) in (2, 3):
        found = _mask(stats, slot)
        if found is not None:
            return found
    classes = slot.classes if slot is not None else None
    if shape in ((), (1,)):
        flat = "[:, 0]" if shape else ""
        linear = (
            slot is not None
            and slot.activation == "linear"
            and slot.loss not in (None, "binary_crossentropy")
        )
        if classes in (None, 1) and stats.zero_one and not linear:
            return "ph.Binary()", "", ""
        few = (
            stats.distinct is not None and len(stats.distinct) <= _FEW and not stats.dtype.startswith("float")
        )
        ids = _ids(stats, classes) if (classes or 1) > 1 or (slot is None and few) else None
        if ids is not None:
            return f"ph.Categorical({ids[0]})", flat, ids[1]
        return "ph.Regression()", "", ""
    if slot is not None and len(slot.shape) == 2 and classes == 1 and len(shape) == 1:
        return f"ph.Regression({(*shape, 1)})", "", ""
    if len(shape) == 1 and stats.zero_one:
        sigmoid = slot is not None and slot.activation == "sigmoid"
        if stats.one_hot and not sigmoid:
            as_they_are = slot is not None and slot.one_hot
            remark = "made one-hot again from ids" if as_they_are else "ids in place of one-hot labels"
            kind = f"ph.Categorical({shape[0]}{', one_hot=True' * as_they_are})"
            return kind, ".argmax(-1)", remark
        return f"ph.MultiLabel({shape[0]})", "", ""
    if len(shape) == 3 and min(shape[:2]) >= _SIDE:
        return f"ph.Map({shape[2]})", "", "numbers for each pixel"
    return f"ph.Regression({shape[0] if len(shape) == 1 else shape})", "", ""


def _ids(stats: LeafStatistics, classes: int | None) -> tuple[str, str] | None:
    """The arguments of a head for class ids, and a remark; None for numbers that are no ids.

    Args:
        stats: of the labels.
        classes: how many the output has, None where there is no model.
    """
    if not stats.whole or not stats.numbers:
        return None
    low, top, held = int(stats.low[0]), int(stats.high[0]), stats.distinct or {}
    if len([v for v in held if v < 0]) > 1:
        return None
    missing = f", missing={low}" if low < 0 else ""
    if classes is None:
        return f"{max(2, top + 1)}{missing}", "classes by the ids that were seen"
    if [v for v in held if v >= classes] == [255] and not missing:
        return f"{classes}, missing=255", ""
    if top >= classes:
        return f"{top + 1}{missing}", f"ids up to {top} were seen, the layer has {classes} units"
    return f"{max(2, classes)}{missing}", ""


def _mask(stats: LeafStatistics, slot: Slot | None) -> tuple[str, str, str] | None:
    shape = stats.shape
    if slot is not None and len(slot.shape) == 2 == len(shape):
        return None  # a number for each place, not a class
    channels = shape[2] if len(shape) == 3 else 1
    size = f"size={shape[:2]}"
    values = "values=(0, 255), " if stats.distinct is not None and stats.distinct.keys() == {0, 255} else ""
    if (stats.zero_one or values) and (slot is None or slot.classes in (1, channels)):
        many = f"{channels}, multi=True, " if channels > 1 else ""
        return f"ph.Mask({many}{values}{size})", "", ""
    classes = slot.classes if slot is not None else None
    few = stats.distinct is not None or (classes or 1) > 1
    ids = _ids(stats, classes) if few and channels == 1 and classes != 1 else None
    return None if ids is None else (f"ph.Mask({ids[0]}, {size})", "", "")


def _unchanged(column: _Column) -> _Column:
    """A column of a stream, whose values cannot be changed on the way."""
    if column.change == ".argmax(-1)":
        kind = column.kind.replace(", one_hot=True", "").replace("ph.Categorical(", "ph.MultiLabel(")
        return replace(column, kind=kind, change="", remark="yield ids to say ph.Categorical")
    return replace(column, change="")  # of ids (B, 1), which a head takes too


def _data(
    subject: Subject, columns: list[_Column], reading: Reading, rows: int | None, steps: int | None
) -> list[str]:
    """The lines that make ``data``."""
    if subject.makes_generators:
        names = {column.place: column.key for column in columns}
        assert reading.first is not None
        parts = reading.first.parts
        for i, (path, _) in enumerate(in_order(parts.get("w"))):
            names.setdefault(("w", path), f"weight{i}")

        def named(part: str) -> Any:
            return rebuild(parts[part], lambda path, _: names[part, path])

        nested = tuple(named(part) for part in ("x", "y", "w") if parts.get(part) is not None)
        lines = [f"data = ph.from_generator({subject.name}, length={rows}, names={nested!r})"]
        if rows is None:
            seen = sum(map(len, reading.rows))
            lines = [
                "data = ph.from_generator(",
                f"    {subject.name},",
                f"    length={seen},  # as many rows as were read: say how many an epoch has",
            ]
            lines += [f"    names={nested!r},", ")"]
        return ["import polyhead as ph", "", *lines]
    if subject.whole is not None:
        lines = [f"    {json.dumps(c.key)}: {_at('arrays', c.place)}{c.change}," for c in columns]
        return ["import polyhead as ph", "", "data = {", *lines, "}"]
    read, remark = f"list({subject.name})", "an epoch in memory"
    imports = ["import numpy as np", "", "import polyhead as ph", ""]
    if subject.item is not None:
        read = f"[{subject.name}[i] for i in range({subject.name}.num_batches)]"
    if subject.endless or (not reading.ended and subject.length is None):
        read = f"list(itertools.islice({subject.name}, {steps or reading.steps}))"
        remark = remark if steps else "as many batches as were read: say how many an epoch has"
        imports = ["import itertools", "", *imports]
    lines = []
    for column in columns:
        values = f"np.concatenate([np.asarray({_at('batch', column.place)}) for batch in batches])"
        lines.append(f"    {json.dumps(column.key)}: {values}{column.change},")
    return [*imports, f"batches = {read}  # {remark}", "data = {", *lines, "}"]


def _at(name: str, place: Place) -> str:
    part, path = place
    return f"{name}[{'xyw'.index(part)}]" + "".join(f"[{_key(key)}]" for key in path)


def _key(key: object) -> str:
    return json.dumps(key) if isinstance(key, str) else repr(key)
