"""Suggests inputs for lists of words, and heads for lists with a tag for each word."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from polyhead.doctor.column_description import ColumnDescription
from polyhead.doctor.feed_code import Guess, as_literal
from polyhead.doctor.kind_guess import WORDS, has_word

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
