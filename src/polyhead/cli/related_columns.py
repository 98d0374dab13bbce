"""Recognizes columns that belong to others: to images, to the boxes in them, or to lists of words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from polyhead.doctor.column_survey import ColumnDescription
from polyhead.doctor.feed_code import Guess, as_literal
from polyhead.doctor.kind_guess import POINTS, WORDS, has_word, holds_files


def beside_images(columns: Sequence[ColumnDescription]) -> dict[str, str]:
    """Find columns that readers of annotated images add to describe images, and why a feed leaves them out."""
    files = [column for column in columns if holds_files(column)]
    if not files:
        return {}
    reasons = {}
    for column in columns:
        owner = next((file.name for file in files if _is_end_of(column, file)), "")
        if owner:
            reasons[column.name] = f"the names of the files in `{owner}`"
        elif column.name == "size" and column.shape == (2,) and column.whole:
            reasons[column.name] = "height and width of the images"
        elif column.name == "annotated" and column.statistics.dtype == "bool":
            reasons[column.name] = "which images somebody looked at; in the others labels are missing"
        elif column.name == "categories" and any(_once_each(column, other) for other in columns):
            why = "the classes in each image, once; as a head of the image they are ph.MultiLabel()"
            reasons[column.name] = why
    return reasons


def guessed_each(
    columns: Sequence[ColumnDescription], heads: Mapping[str, Guess]
) -> tuple[dict[str, Guess], dict[str, str]]:
    """Guess the heads with ``each=``; also return columns with an entry for each box that are left out, and why."""
    lists = (c for c in columns if c.name in heads and heads[c.name].kind == "Boxes")
    boxes = next((c for c in lists if c.form == "ragged" or len(c.shape) == 2), None)
    if boxes is None:
        return {}, {}
    along = [c for c in columns if c.name != boxes.name and _are_as_many(c, boxes)]
    if boxes.form == "numbers" and not any(c.form in ("lists", "masks") for c in along):
        return {}, {}  # these may be vectors that happen to have as many numbers
    guesses: dict[str, Guess] = {}
    left_out: dict[str, str] = {}
    each = f"each={as_literal(boxes.name)}"
    for column in along:
        guess = _guess_each(column, each)
        if isinstance(guess, Guess):
            guesses[column.name] = guess
        else:
            left_out[column.name] = guess
    return guesses, left_out


def _guess_each(column: ColumnDescription, each: str) -> Guess | str:
    """Guess the head of a column with an entry for each box; else return why there is none."""
    if column.form == "lists":
        if len(column.texts or {}) < 2:
            return "one class alone, which the boxes say already"
        return Guess("Categorical", (each,))
    if column.form == "masks":
        return Guess("Mask", (each,))
    row = next((np.asarray(value) for value in column.values if len(value)), np.zeros(0))
    if has_word(POINTS, column.name) and row.ndim == 3 and row.shape[2] in (2, 3):
        return Guess("Keypoints", (str(row.shape[1]), each))
    kind = "Binary" if row.dtype == bool else "Regression"
    return f"a number for each box; as a head it is ph.{kind}({each})"


def _are_as_many(column: ColumnDescription, boxes: ColumnDescription) -> bool:
    """Return whether each row of a column has as many entries as boxes."""
    several = column.form in ("lists", "masks", "ragged") or (column.form == "numbers" and column.shape != ())
    if not several:
        return False
    mine, theirs = _lengths(column), _lengths(boxes)
    rows = min(len(mine), len(theirs))
    return rows > 0 and bool((mine[:rows] == theirs[:rows]).all())


def _lengths(column: ColumnDescription) -> np.ndarray:
    """The number of entries in each row, -1 where it is missing."""
    lengths = np.full(len(column.present), -1, np.int64)
    lengths[column.present] = [len(value) for value in column.values]
    return lengths


def _is_end_of(column: ColumnDescription, paths: ColumnDescription) -> bool:
    """Return whether the values of a column are the last parts of the paths in another column."""
    if column is paths or not holds_files(column) or len(column.values) != len(paths.values):
        return False
    pairs = zip(column.values, paths.values, strict=True)
    texts = column.form == paths.form == "text"
    return texts and all(long.replace("\\", "/").endswith(f"/{short}") for short, long in pairs)


def _once_each(column: ColumnDescription, other: ColumnDescription) -> bool:
    """Return whether each row of a column lists the distinct texts of the same row of another column."""
    if column is other or not column.form == other.form == "lists" or len(column.values) != len(other.values):
        return False
    pairs = zip(column.values, other.values, strict=True)
    return all(list(once) == list(dict.fromkeys(every)) for once, every in pairs)


_TAGS = re.compile(r"tags?|labels?|ner|pos|bio|chunks?")
_NO_TAG = -100
_MOST_TAGS = 200


def word_lists(
    columns: Sequence[ColumnDescription],
) -> tuple[dict[str, Guess], dict[str, Guess], dict[str, str]]:
    """Suggest inputs for complete lists of words of unequal lengths, and heads for their tags.

    The tags of a column named like words are lists of as many texts or whole numbers.

    Returns:
        The inputs, the heads, and code that makes the lists of each column of one length.
    """
    inputs: dict[str, Guess] = {}
    heads: dict[str, Guess] = {}
    changes: dict[str, str] = {}
    for words in columns:
        if words.form != "lists" or not has_word(WORDS, words.name) or not words.present.all():
            continue
        tags = [column for column in columns if column.name != words.name and _tags_of(column, words)]
        lengths = {len(row) for row in words.values}
        if len(lengths) == 1 and not tags:
            continue
        most = max(lengths)
        changes[words.name] = f'[(list(row) + [""] * {most})[:{most}] for row in column]'
        inputs[words.name] = Guess("Array", ('vocabulary="auto"',), "words as ids, for an Embedding")
        for column in tags:
            names = sorted(column.texts or ())
            if names:
                classes, tag_ids = as_literal(names), f"[{as_literal(names)}.index(tag) for tag in row]"
            else:
                top = max(max(row) for row in column.values if len(row))
                classes, tag_ids = str(max(2, int(top) + 1)), "list(row)"
            changes[column.name] = f"[[({tag_ids} + [{_NO_TAG}] * {most})[:{most}]] for row in column]"
            remark = f"a tag for each of `{words.name}`, as a mask of height 1"
            heads[column.name] = Guess("Mask", (classes, f"missing={_NO_TAG}"), remark)
    return inputs, heads, changes


def _tags_of(column: ColumnDescription, words: ColumnDescription) -> bool:
    """Return whether a column has a text or a class id for each word in every row."""
    if column.form == "lists":
        texts, most = column.texts, _MOST_TAGS + 1 if words.texts is None else len(words.texts)
        fits = texts is not None and len(texts) <= _MOST_TAGS and len(texts) < most
        fits = fits and all(None not in row for row in column.values)
    elif column.form == "ragged" or (column.form == "numbers" and len(column.shape) == 1):
        rows = [np.asarray(row) for row in column.values]
        fits = has_word(_TAGS, column.name) and all(row.dtype.kind in "iu" for row in rows if row.size)
        fits = fits and all(row.ndim == 1 for row in rows)
        fits = fits and set(np.unique(np.concatenate(rows)).tolist()) <= {_NO_TAG, *range(_MOST_TAGS)}
    else:
        return False
    as_long = list(map(len, column.values)) == list(map(len, words.values))
    return bool(fits and column.present.all() and as_long)
