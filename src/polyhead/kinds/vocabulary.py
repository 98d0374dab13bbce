"""Encodes the words of an input as ids of a vocabulary, which is part of the declaration."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, as_list, counted, is_number, shown
from polyhead.kinds.missing import even_rows, is_missing, plain
from polyhead.kinds.value_advice import ids_as_text, object_fix, times_fix

NOTHING, UNKNOWN = "", "[UNK]"
"""The words of the ids 0 and 1, as in `keras.layers.TextVectorization`: no word, and an unknown word."""


def checked_vocabulary(vocabulary: Any, where: str) -> str | tuple[str, ...]:
    """Return a vocabulary as a tuple, or ``"auto"``.

    Raises:
        ContractError: for anything else.
    """
    if isinstance(vocabulary, str) and vocabulary == "auto":
        return vocabulary
    words = as_list(vocabulary)
    if words is None:
        raise ContractError(Problem(where, 'a list of words, or "auto"', shown(vocabulary)))
    for word in words:
        if not isinstance(word, str) or word in (NOTHING, UNKNOWN):
            fix = f"The ids of {NOTHING!r} and {UNKNOWN!r} are 0 and 1; leave them out."
            raise ContractError(Problem(where, "words", shown(word), fix if isinstance(word, str) else ""))
    repeated = [word for word, count in Counter(words).items() if count > 1]
    if repeated or not words:
        found = f"{shown(repeated[0])} more than once" if repeated else "none"
        raise ContractError(Problem(where, "distinct words, at least one", found))
    return tuple(words)


def learned_vocabulary(pieces: Iterable[Any]) -> tuple[str, ...]:
    """The distinct words of a column, sorted.

    Raises:
        BadValue: for a value that is not a word, or a column without words.
    """
    vocabulary: set[str] = set()
    for values in pieces:
        if hasattr(values, "codes"):
            words: Any = [values.categories[code] for code in np.unique(values.codes).tolist() if code >= 0]
            length = None
        else:
            words, length = _every_word(values)
        vocabulary.update(_one_word(word, i // (length or 1)) for i, word in enumerate(words))
    vocabulary -= {NOTHING, UNKNOWN}
    if not vocabulary:
        raise BadValue(None, "at least one word", "none")
    return tuple(sorted(vocabulary))


def word_ids(values: Any, vocabulary: Sequence[str]) -> np.ndarray:
    """Encode a column of words as int32 ids ``(B,)``, or of lists of words as ``(B, T)``.

    Raises:
        BadValue: for other values, or lists of unequal lengths.

    >>> word_ids([["the", "cat"], ["a", ""]], ["cat", "the"]).tolist()
    [[3, 2], [1, 0]]
    """
    id_of = {NOTHING: 0, UNKNOWN: 1} | {word: i for i, word in enumerate(vocabulary, 2)}
    if hasattr(values, "codes"):
        try:
            categories = [*values.categories, NOTHING]  # code -1 is the last one
            return _ids_of_words(categories, id_of, None)[values.codes]
        except BadValue:  # of a category, not of a row
            values = values.values()
    words, length = _every_word(values)
    ids = _ids_of_words(words, id_of, length)
    return ids if length is None else ids.reshape(len(values), length)


def _ids_of_words(words: list[Any], id_of: Mapping[str, int], length: int | None) -> np.ndarray:
    try:
        ids = np.fromiter((id_of.get(word, 1) for word in words), np.int32, len(words))
    except TypeError:  # for values that are not hashable, and therefore not words
        ids = np.ones(len(words), np.int32)
    for i in np.flatnonzero(ids == 1).tolist():
        if not isinstance(words[i], str):
            ids[i] = id_of.get(_one_word(words[i], i // (length or 1)), 1)
    return ids


def _one_word(value: Any, row: int) -> str:
    """A value as a word; `NOTHING` if it is missing.

    Raises:
        BadValue: with the row, for a value that is not a word.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise BadValue(row, "words in UTF-8", shown(value)) from None
    if is_missing(value):
        return NOTHING
    if times_fix(value):
        raise BadValue(row, "words", shown(value), f"Leave out vocabulary=. {times_fix(value)}")
    as_text = ids_as_text(gaps=isinstance(value, float) and value.is_integer())
    fix = f"Numbers need no vocabulary=; if they are ids, turn them into text: {as_text}."
    number = is_number(value) or isinstance(value, (bool, np.bool_))
    raise BadValue(row, "words", shown(value), fix if number else object_fix(value))


def _every_word(values: Any) -> tuple[list[Any], int | None]:
    """Concatenate all words of a column; also return the number of words in each row, None for a single word.

    Raises:
        BadValue: for rows of unequal lengths.
    """
    values = even_rows(plain(values))
    if isinstance(values, np.ndarray) and values.dtype != object:
        if values.ndim > 2:
            raise BadValue(None, "a word or a list of words in each row", f"rows of shape {values.shape[1:]}")
        return values.reshape(-1).tolist(), None if values.ndim == 1 else values.shape[1]
    lengths = [len(row) if isinstance(row, (list, tuple, np.ndarray)) else None for row in values]
    first = lengths[0] if lengths else None
    for row, length in enumerate(lengths):
        if length != first:
            expected, found = (
                "a word" if n is None else f"a list of {counted(n, 'word')}" for n in (first, length)
            )
            fix = 'Make all rows of one length: [(list(row) + [""] * n)[:n] for row in column]; "" has the id 0.'
            raise BadValue(row, f"{expected}, as in the first row", found, fix)
    if first is None:
        return list(values), None
    return list(itertools.chain.from_iterable(values)), first


def are_texts(words: Sequence[str], rows: int) -> bool:
    """Return whether the words of a column are whole texts: nearly every row has its own, of several words.

    >>> texts = [f"a lovely house, number {i}" for i in range(100)]
    >>> are_texts(texts, 105), are_texts(texts, 500), are_texts(["New York", "San Diego"], 2)
    (True, False, False)
    """
    many = len(words) >= max(20, 0.9 * rows)
    return many and sum(len(word.split()) > 1 for word in words) >= 0.9 * len(words)
