"""A guess at the feed for some columns, as code to paste."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace

import numpy as np

from polyhead.cli._survey import Column

_HEAD = re.compile(
    r"labels?|targets?|y\d*|class(es)?|category|categories|outcome|survived|diagnosis|grade|rating|score|price|age"
    r"|present|presence|digit|box(es)?|bbox(es)?|masks?|segmentation|keypoints?|landmarks?|tags?|answer"
)
_AMOUNT = re.compile(r"age|price|score|count|amount|value|size|length|year|income|rating|weight|height")
_ID = re.compile(r"id|ids|uuid|guid|index|idx|key|unnamed|row|filename|file|path|name")
_BOX = re.compile(r"box(es)?|bbox(es)?")
_MASK = re.compile(r"masks?|segmentation|seg")
_MAP = re.compile(r"depths?|disparity|heat|heatmaps?|flow")
_POINTS = re.compile(r"keypoints?|landmarks?|points")
_MOST_CLASSES = 20
_UNEVEN = 3.0


@dataclass(frozen=True)
class Guess:
    """One input or head.

    Attributes:
        kind: its class, ``Binary`` as a word.
        args: its arguments, as written.
        remark: what the user should know.
    """

    kind: str
    args: tuple[str, ...] = ()
    remark: str = ""

    def code(self) -> str:
        """The call, as written."""
        return f"ph.{self.kind}({', '.join(self.args)})"


@dataclass
class Suggestion:
    """Which columns go in, which are predicted, and which are left out."""

    inputs: dict[str, Guess] = field(default_factory=dict)
    heads: dict[str, Guess] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def code(self, data: str, imports: str = "") -> str:
        """A program that makes the feed of ``data``, a piece of Python."""
        lines = [imports, ""] if imports else []
        lines += ["import polyhead as ph", "", f"data = {data}"]
        lines += ["# A guess by names and values. What goes in and what is predicted is yours to say."]
        lines += ["feed = ph.Feed(", "    data,"]
        for word, guesses in (("inputs", self.inputs), ("heads", self.heads)):
            lines += [f"    {word}={{"]
            for name, guess in guesses.items():
                remark = f"  # {guess.remark}" if guess.remark else ""
                lines += [f"        {_quoted(name)}: {guess.code()},{remark}"]
            lines += ["    },"]
        lines += ["    batch_size=32,", "    shuffle=True,", ")"]
        lines += [f"# left out: {name}: {why}" for name, why in self.left_out.items()]
        return "\n".join(lines)


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def suggest(columns: list[Column]) -> Suggestion:
    """Inputs and heads for these columns. Either may be empty where no column can be one."""
    found = Suggestion()
    usable = []
    for column in columns:
        why = _useless(column)
        if why:
            found.left_out[column.name] = why
        else:
            usable.append(column)
    heads = _heads(usable)
    scalars = []
    for column in usable:
        if column.name in heads:
            continue
        guess = _input(column)
        if isinstance(guess, str):
            found.left_out[column.name] = guess
        elif column.shape == ():
            scalars.append(column)
        else:
            found.inputs[column.name] = guess
    found.heads = {name: guess for name, (_, guess) in heads.items()}
    _give(found, heads, scalars)
    found.inputs |= _side_by_side(scalars, {c.name for c in columns})
    return found


def _useless(column: Column) -> str:
    """Why a column is neither an input nor a head; empty where it may be one."""
    if column.form == "empty":
        return "it holds no value"
    if column.form == "other":
        return f"{column.type}, which is neither numbers nor text"
    total = int(column.there.sum())
    if column.counts is not None and len(column.counts) == 1 and column.form != "lists":
        return f"it holds one value only, {next(iter(column.counts))!r}"
    if column.form == "text" and (column.counts is None or _nearly_unique(len(column.counts), total)):
        return "nearly every row has another text, as ids and free text have"
    whole = column.form == "int" and column.shape == ()
    if whole and _named(_ID, column.name) and (column.counts is None or len(column.counts) == total):
        return "an id: every row has another number"
    if not np.isfinite([column.low or 0.0, column.high or 0.0]).all():
        return "it holds infinity"
    return ""


def _nearly_unique(distinct: int, total: int) -> bool:
    return distinct == total or (distinct > 50 and 2 * distinct > total)


def _named(pattern: re.Pattern[str], name: str) -> bool:
    """Whether one of the words of a name is in the pattern: ``bbox_left``, ``hasMask``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)).lower()
    return any(pattern.fullmatch(word) for word in re.split(r"[^a-z0-9]+", words) if word)


def _heads(usable: list[Column]) -> dict[str, tuple[Column, Guess]]:
    """The heads: columns named like one, else the last that can be one; an input is always left."""
    able = [(column, guess) for column in usable if (guess := _head(column)) is not None]
    named = [pair for pair in able if _named(_HEAD, pair[0].name) and not _is_picture(pair[0])]
    chosen = named or able[-1:]
    feeds = [c for c in usable if not isinstance(_input(c), str)]
    rest = [c for c in feeds if all(c is not head for head, _ in chosen)]
    if feeds and not rest:
        chosen = [pair for pair in chosen if pair[0] is not feeds[0]]
    return {column.name: (column, guess) for column, guess in chosen}


def _head(column: Column) -> Guess | None:
    if column.form == "ragged":
        fits = all(row.size == 0 or (row.ndim == 2 and row.shape[1] == 4) for row in column.values)
        return (
            _boxes(column, max(len(row) for row in column.values))
            if fits and _named(_BOX, column.name)
            else None
        )
    if column.form == "lists":
        return Guess("MultiLabel") if column.counts is not None and column.counts else None
    if len(column.shape) == 0:
        return _single(column)
    if _named(_BOX, column.name) and column.shape[-1] == 4 and len(column.shape) <= 2:
        return _boxes(column, 1 if len(column.shape) == 1 else column.shape[0])
    if _named(_POINTS, column.name) and len(column.shape) == 2 and column.shape[1] in (2, 3):
        return Guess("Keypoints", (str(column.shape[0]),))
    if _named(_MASK, column.name) and len(column.shape) in (2, 3):
        return _mask(column)
    if _named(_MAP, column.name) and len(column.shape) in (2, 3):
        channels = column.shape[2] if len(column.shape) == 3 else 1
        return Guess("Map", (str(channels),) if channels > 1 else ())
    if len(column.shape) == 1:
        size = column.shape[0]
        if column.form in ("bool", "int") and column.low == 0 and column.high == 1 and size > 1:
            one_hot = column.complete and bool((column.values.sum(axis=1) == 1).all())
            remark = (
                "one-hot: one class a row is ph.Categorical() of column.argmax(axis=1)" if one_hot else ""
            )
            return Guess("MultiLabel", (str(size),), remark)
        return Guess("Regression", (str(size),))
    return None


def _single(column: Column) -> Guess:
    counts = column.counts
    if column.form == "bool" or (counts is not None and set(counts) == {0, 1}):
        return Guess("Binary", _balance(column))
    total = int(column.there.sum())
    if column.form == "text":
        return Guess("Categorical", _balance(column))
    few = counts is not None and len(counts) <= _MOST_CLASSES and not _nearly_unique(len(counts), total)
    if column.form == "int" and few and not _named(_AMOUNT, column.name):
        remark = 'if -1 means "no label", say missing=-1' if column.low == -1 else ""
        return Guess("Categorical", _balance(column), remark)
    return Guess("Regression")


def _balance(column: Column) -> tuple[str, ...]:
    times = list((column.counts or {}).values())
    return ('class_weight="balanced"',) if times and max(times) >= _UNEVEN * min(times) else ()


def _boxes(column: Column, places: int) -> Guess:
    rows = column.values if isinstance(column.values, list) else [column.values.reshape(-1, 4)]
    flat = np.concatenate([np.asarray(row, float).reshape(-1, 4) for row in rows])
    flat = flat[~np.isnan(flat).any(axis=1)]
    args, remark = [str(max(1, places))], ""
    if len(flat) and ((flat[:, 2] < flat[:, 0]) | (flat[:, 3] < flat[:, 1])).any():
        args.append('format="xywh"')
        remark = "no xyxy, as some corners would be turned; cxcywh and yxyx are possible too"
    if (
        len(flat)
        and flat.min() >= 0
        and flat.max() <= 1
        and (not remark or (flat[:, :2] + flat[:, 2:]).max() <= 1)
    ):
        args.append("normalized=True")
    return Guess("Boxes", tuple(args), remark)


def _mask(column: Column) -> Guess | None:
    size = () if column.there.all() else (f"size={column.shape[:2]}",)  # the first rows may hold none
    if column.form == "float" or column.low is None or column.high is None or column.low < 0:
        return None
    if len(column.shape) == 3 and column.shape[2] > 1:
        return Guess("Mask", (str(column.shape[2]), "multi=True", *size)) if column.high <= 1 else None
    if column.high <= 1:
        return Guess("Mask", size)
    kept = column.values[column.values != 255]
    if column.high == 255 and (not kept.size or kept.max() == 0):
        return None  # 0 and 255: whether 255 is the object or "no label" cannot be seen
    top = int(kept.max())
    missing = ("missing=255",) if column.high == 255 and top < 254 else ()
    return Guess("Mask", (str(max(2, top + 1)), *missing, *size))


def _is_picture(column: Column) -> bool:
    """Whether a column holds pictures: bytes in rows and columns, and not called a mask."""
    pixels = isinstance(column.values, np.ndarray) and column.values.dtype == np.uint8
    fits = len(column.shape) == 2 or (len(column.shape) == 3 and column.shape[2] in (1, 3, 4))
    return pixels and fits and not _named(_MASK, column.name)


def _input(column: Column) -> Guess | str:
    """The input that a column may be, or why it is none."""
    if column.form == "text":
        return "text: turn it into numbers to give it to a model; as a head it is ph.Categorical()"
    if column.form == "lists":
        return "lists of text; as a head they are ph.MultiLabel()"
    if column.form == "ragged":
        return "its rows differ in shape"
    if not column.there.all() and column.shape:
        return "some of its rows are missing, which an input's may not be"
    if _is_picture(column):
        return Guess("Image")
    if len(column.shape) in (2, 3) and _named(_MASK, column.name) and _mask(column) is None:
        return "a mask whose values are not class ids; if 255 is the object, give mask > 127"
    return Guess("Array", () if column.complete else ("fill=0.0",))


def _side_by_side(scalars: list[Column], taken: set[str]) -> dict[str, Guess]:
    """Single numbers as one input, a vector."""
    if not scalars:
        return {}
    args: tuple[str, ...] = () if all(c.complete for c in scalars) else ("fill=0.0",)
    if all(c.form in ("bool", "int") for c in scalars):
        args = ('dtype="float32"', *args)
    if len(scalars) == 1:
        return {scalars[0].name: Guess("Array", args)}
    name = "features" if "features" not in taken else "numbers"
    return {name: Guess("Array", (f"column=[{', '.join(_quoted(c.name) for c in scalars)}]", *args))}


def _give(found: Suggestion, heads: dict[str, tuple[Column, Guess]], scalars: list[Column]) -> None:
    """Say ``given=`` where a head is missing wherever a binary column is 0; it becomes a head too."""
    for name, (column, guess) in heads.items():
        if column.there.all():
            continue
        binary = [c for c, g in heads.values() if g.kind == "Binary" and c.name != name]
        for other in [*binary, *(c for c in scalars if c.counts is not None and set(c.counts) == {0, 1})]:
            if not _explains(other, column):
                continue
            if other.name not in found.heads:
                if len(scalars) == 1 and not found.inputs:
                    continue
                scalars.remove(other)
                found.heads = {other.name: Guess("Binary", _balance(other)), **found.heads}
            found.heads[name] = replace(guess, args=(*guess.args, f"given={_quoted(other.name)}"))
            break


def _explains(binary: Column, column: Column) -> bool:
    """Whether a column is missing in every row where the binary one is 0, and there in most where it is 1."""
    rows = min(len(binary.there), len(column.there))
    if not binary.there[:rows].all():
        return False
    ones = np.asarray(binary.values[:rows]).astype(bool)
    there = column.there[:rows]
    return (
        bool((~ones).any())
        and not bool(there[~ones].any())
        and bool(ones.any())
        and float(there[ones].mean()) >= 0.5
    )
