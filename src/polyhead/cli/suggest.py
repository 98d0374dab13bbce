"""Guesses which columns are inputs of a model, and which it predicts, such as coordinates and entries of boxes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from polyhead.cli.related_columns import beside_images, guessed_each, word_lists
from polyhead.cli.unusable import holds_names, why_unusable
from polyhead.doctor.column_survey import ColumnDescription
from polyhead.doctor.feed_code import Guess, as_literal, feed_code
from polyhead.doctor.kind_guess import (
    balance_argument,
    guess_head,
    guess_input,
    has_word,
    holds_files,
    holds_pictures,
)
from polyhead.errors import listed
from polyhead.kinds.value_advice import ids_as_text

_HEAD = re.compile(
    r"labels?|targets?|y\d*|class(es)?|category|categories|kind|species|outcome|survived|survival|diagnosis|diabetes"
    r"|grade|rating|score|stars|quality|price|box(es)?|bbox(es)?|masks?|segmentation|keypoints?|landmarks?|tags?|topics?"
    r"|answer|present|presence|digit|intent|sentiment|toxic|insult|threat|spam|fraud|anomaly|malware|churn(ed)?"
    r"|default|click(ed)?|watch|bought|purchased|sold|converted|income|revenue|sales|satisfied|helpful"
)
_HEAD_OF_IMAGE = re.compile(r"age|sex|gender")
"""Names of what is predicted from pictures, and an input elsewhere."""

_LARGEST_RATIO = 10
"""The largest ratio of the largest id to the number of distinct ids for which an Embedding layer is suggested."""

_UNIT = 10.0
"""The largest number that a model takes without scaling."""

_GUESS = "# A guess from names and values: decide yourself what goes in and what is predicted."


@dataclass
class Suggestion:
    """The suggested inputs and heads, the columns that are left out, with reasons, and code that changes columns.

    Attributes:
        frame: the expression that reads the data as a frame, to change its columns.
    """

    inputs: dict[str, Guess] = field(default_factory=dict)
    heads: dict[str, Guess] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    frame: str = ""

    def code(self, data: str, imports: str = "") -> str:
        """Return a program that makes the feed; ``data`` is a Python expression."""
        before = [imports, ""] if imports else ["import pandas as pd"] * bool(self.changes)
        before += ["import polyhead as ph", ""]
        if self.changes:
            before += [f"frame = {self.frame}"]
            for name, code in self.changes.items():
                column = f"frame[{as_literal(name)}]"
                before += [f"{column} = {code.replace('in column]', f'in {column}]')}"]
            data = "ph.read_table(frame)"
        before += [f"data = {data}", _GUESS]
        left_out = [f"left out: {name}: {why}" for name, why in self.left_out.items()]
        return feed_code(before, self.inputs, self.heads, remarks=left_out)


def suggest(columns: list[ColumnDescription], frame: str = "") -> Suggestion:
    """Suggest inputs and heads for these columns. Either may be empty if no column is suitable.

    Args:
        frame: the expression that reads the data as a frame of pandas, to change its texts; empty if none does.
    """
    suggestion = Suggestion(frame=frame)
    usable, beside = [], beside_images(columns)
    coordinates, taken = _coordinates(columns, suggestion)
    taken |= _give_words(columns, suggestion)
    for column in columns:
        if column.name in taken:
            continue
        unusable = why_unusable(column)
        if unusable.change and frame:
            suggestion.changes[column.name], kind = unusable.change
            (suggestion.heads if kind.kind == "MultiLabel" else suggestion.inputs)[column.name] = kind
        elif why := beside.get(column.name) or unusable.why:
            suggestion.left_out[column.name] = why
        else:
            usable.append(column)
    named = {column.name: column for column in columns}
    heads = _suggested_heads(usable, not coordinates and not suggestion.heads, bool(suggestion.inputs))
    each, left_out = guessed_each(usable, heads)
    heads = {name: guess for name, guess in heads.items() if name not in each and name not in left_out}
    suggestion.left_out |= left_out
    scalars = []
    for column in usable:
        if column.name in heads or column.name in each or column.name in left_out:
            continue
        is_id = column.whole and column.shape == () and holds_names(column)
        guess = _guess_ids(column) if is_id else guess_input(column)
        if isinstance(guess, str):
            suggestion.left_out[column.name] = guess
        elif column.form == "numbers" and column.shape == () and not is_id:
            scalars.append(column)
        else:
            suggestion.inputs[column.name] = guess
    suggestion.heads |= {name: _scaled(named[name], guess) for name, guess in heads.items()}
    _add_given(suggestion, [named[name] for name in heads], scalars)
    suggestion.heads |= each
    suggestion.inputs |= _side_by_side(scalars, set(named))
    if any(guess.kind == "Image" for guess in suggestion.inputs.values()):
        suggestion.heads = {name: _in_shares(named[name], guess) for name, guess in suggestion.heads.items()}
    suggestion.heads |= coordinates
    return suggestion


def _give_words(columns: list[ColumnDescription], draft: Suggestion) -> set[str]:
    """Suggest inputs and heads for lists of words and of their tags; return the names of their columns."""
    inputs, heads, changes = word_lists(columns)
    if draft.frame:
        draft.inputs |= inputs
        draft.heads |= heads
        draft.changes |= changes
    else:
        unequal = "lists of words of unequal lengths; make them equal"
        draft.left_out |= {name: f"{unequal}: {changes[name]}" for name in inputs}
        draft.left_out |= {
            name: f"{guess.remark}; for {guess.code()}, give {changes[name]}" for name, guess in heads.items()
        }
    return set(changes)


def _coordinates(columns: list[ColumnDescription], draft: Suggestion) -> tuple[dict[str, Guess], set[str]]:
    """Suggest heads of boxes and points in columns of their own, beside pictures; return also these columns."""
    if not any(holds_pictures(column) or holds_files(column) for column in columns):
        return {}, set()
    heads, taken = guessed_coordinates(columns)
    if heads and any(holds_files(c) and max((c.texts or {"": 1}).values()) > 1 for c in columns):
        why = "an image has several rows; join them, as by frame.groupby(..., as_index=False).agg(list)"
        draft.left_out[", ".join(sorted(taken))] = why
        return {}, taken
    return heads, taken


def _suggested_heads(usable: list[ColumnDescription], last: bool, fed: bool) -> dict[str, Guess]:
    """Suggest heads: columns named like one, or words if there are pictures, else the ``last`` suitable column.

    At least one input is left, unless the model is ``fed`` others.
    """
    able = [
        (column, guess)
        for column in usable
        if (guess := guess_head(column)) is not None and not (column.whole and holds_names(column))
    ]
    pictures = any(holds_pictures(column) or holds_files(column) for column in usable)
    heads = {
        column.name: guess
        for column, guess in able
        if (has_word(_HEAD, column.name) and not holds_pictures(column))
        or (pictures and (column.form in ("text", "lists") or has_word(_HEAD_OF_IMAGE, column.name)))
    }
    if not heads and last:
        heads = {column.name: guess for column, guess in able[-1:]}
    inputs = [column.name for column in usable if not isinstance(guess_input(column), str)]
    if inputs and not fed and all(name in heads for name in inputs):
        del heads[inputs[0]]
    return heads


def _guess_ids(column: ColumnDescription) -> Guess | str:
    """Return the input for integer ids, which are not quantities, or the reason why the column is not an input."""
    low, high = (int(end[0]) for end in (column.statistics.low, column.statistics.high))
    if not column.present.all() or low < 0 or high > _LARGEST_RATIO * len(column.counts or ()):
        as_text = ids_as_text(gaps=not column.present.all())
        fix = f'for ph.Array(vocabulary="auto"), turn them into text: {as_text}'
        return f"integer ids, which are not quantities; {fix}"
    return Guess("Array", (), f"ids, not quantities: keras.layers.Embedding({high + 1}, ...)")


def _scaled(column: ColumnDescription, guess: Guess) -> Guess:
    """Scale the numbers of a head that are far from unit scale."""
    far = guess.kind == "Regression" and column.form == "numbers" and _is_far(column)
    return replace(guess, args=(*guess.args, 'scale="standard"')) if far else guess


def _is_far(column: ColumnDescription) -> bool:
    numbers = column.statistics
    return bool(max(abs(numbers.low[0]), abs(numbers.high[0])) > _UNIT and numbers.low[0] < numbers.high[0])


def _in_shares(column: ColumnDescription, guess: Guess) -> Guess:
    """Let the model predict coordinates in 0–1 if the column of a head is in pixels."""
    if guess.kind not in ("Boxes", "Keypoints") or "normalized=True" in guess.args:
        return guess
    if not any(np.nanmax(np.asarray(row, float)[..., :2], initial=0) > 1 for row in column.values):
        return guess
    args = (*guess.args, "normalized=True", "column_normalized=False")
    remark = "pixels in the column; the model predicts 0–1"
    return replace(guess, args=args, remark=f"{guess.remark}; {remark}" if guess.remark else remark)


def _side_by_side(scalars: list[ColumnDescription], taken: set[str]) -> dict[str, Guess]:
    """Combine columns of single numbers into one input, a vector."""
    if not scalars:
        return {}
    gaps = [c.name for c in scalars if not c.complete]
    args: tuple[str, ...] = ("fill=0.0",) if gaps else ()
    if any(map(_is_far, scalars)):
        args = (*args, 'scale="standard"')
    elif all(c.whole for c in scalars):
        args = ('dtype="float32"', *args)
    remark = f"0.0 where a number is missing, in {listed(gaps, 3)}" if gaps else ""
    if len(scalars) == 1:
        return {scalars[0].name: Guess("Array", args, remark)}
    name = "features" if "features" not in taken else "numbers"
    return {name: Guess("Array", (_columns_argument(scalars), *args), remark)}


def _add_given(draft: Suggestion, heads: list[ColumnDescription], scalars: list[ColumnDescription]) -> None:
    """Add ``given=`` to heads whose labels are missing wherever a binary column is 0; that column becomes a head."""
    for column in heads:
        if column.present.all():
            continue
        binary = [c for c in heads if c is not column and draft.heads[c.name].kind == "Binary"]
        for other in [*binary, *(c for c in scalars if c.statistics.zero_one)]:
            if not _explains(other, column):
                continue
            if other.name not in draft.heads:
                if len(scalars) == 1 and not draft.inputs:
                    continue
                scalars.remove(other)
                draft.heads = {other.name: Guess("Binary", balance_argument(other)), **draft.heads}
            draft.heads[column.name] = draft.heads[column.name].saying("given", other.name)
            break


def _explains(binary: ColumnDescription, column: ColumnDescription) -> bool:
    """Return whether a column is missing in every row where the binary one is 0, and present in most where it is 1."""
    rows = min(len(binary.present), len(column.present))
    if not binary.present[:rows].all():
        return False
    ones = np.asarray(binary.values[:rows]).astype(bool).reshape(rows)
    present = column.present[:rows]
    return bool(ones.any() and not ones.all() and not present[~ones].any() and present[ones].mean() >= 0.5)


_BOX_COLUMNS = {
    ("xmin", "ymin", "xmax", "ymax"): "",
    ("x_min", "y_min", "x_max", "y_max"): "",
    ("x0", "y0", "x1", "y1"): "",
    ("x1", "y1", "x2", "y2"): "",
    ("left", "top", "right", "bottom"): "",
    ("x", "y", "w", "h"): "xywh",
    ("x", "y", "width", "height"): "xywh",
}
"""The names of the columns of a box, perhaps after a prefix, and their format."""

_POINT_COLUMN = re.compile(r"(.+?)[_ .]?x", re.IGNORECASE)


def guessed_coordinates(columns: list[ColumnDescription]) -> tuple[dict[str, Guess], set[str]]:
    """Guess heads of boxes and points from columns of single numbers; also return the names of these columns."""
    numbers = {c.name.lower(): c for c in columns if c.form == "numbers" and c.shape == ()}
    heads: dict[str, Guess] = {}
    taken: set[str] = set()
    for edges, form in _BOX_COLUMNS.items():
        for prefix in [name.removesuffix(edges[0]) for name in numbers if name.endswith(edges[0])]:
            parts = [numbers.get(prefix + edge) for edge in edges]
            coordinates = [part for part in parts if part is not None and part.name not in taken]
            if len(coordinates) == 4:
                arguments = ("1", _columns_argument(coordinates), *([f'format="{form}"'] if form else []))
                remark = "cxcywh if x and y are the center" if form else ""
                name = prefix.strip("_ .") or "box"
                heads[name] = _normalized_guess("Boxes", arguments, remark, coordinates)
                taken |= {part.name for part in coordinates}
    points: dict[str, list[ColumnDescription]] = {}
    for name, column in numbers.items():
        match = _POINT_COLUMN.fullmatch(name)
        other = numbers.get(f"{name[:-1]}y")
        if match and other is not None and not taken & {column.name, other.name}:
            points[match[1]] = [column, other]
    if points:
        coordinates = [column for pair in points.values() for column in pair]
        names = f"point_names={as_literal(list(points))}"
        arguments = (str(len(points)), _columns_argument(coordinates), names)
        heads["points"] = _normalized_guess("Keypoints", arguments, "", coordinates)
        taken |= {column.name for column in coordinates}
    return heads, taken


def _columns_argument(columns: list[ColumnDescription]) -> str:
    return f"column={as_literal([column.name for column in columns])}"


def _normalized_guess(
    kind: str, arguments: tuple[str, ...], remark: str, columns: list[ColumnDescription]
) -> Guess:
    """Let the model predict coordinates in 0–1, also if the columns are in pixels."""
    most = max(c.statistics.high[0] for c in columns)
    shares = ("normalized=True",) if most <= 1 else ("normalized=True", "column_normalized=False")
    pixels = "" if most <= 1 else "pixels in the columns; the model predicts 0–1"
    return Guess(kind, (*arguments, *shares), "; ".join(filter(None, (remark, pixels))))
