"""Encodes the words of an input as ids of a vocabulary, which is part of the declaration."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, as_list, counted, is_number, shown
from polyhead.kinds.missing import even_rows, is_missing, plain
from polyhead.kinds.number_advice import times_fix

NOTHING, UNKNOWN = "", "[UNK]"
"""The words of the ids 0 and 1, as in `keras.layers.TextVectorization`: no word, and an unknown word."""

_AUTO = "auto"


def checked_vocabulary(given: Any, where: str) -> str | tuple[str, ...]:
    """Return a vocabulary as a tuple, or ``"auto"``.

    Raises:
        ContractError: for anything else.
    """
    words = None if isinstance(given, (str, bytes)) else as_list(given)
    if words is None:
        if isinstance(given, str) and given == _AUTO:
            return given
        raise ContractError(Problem(where, 'a list of words, or "auto"', shown(given)))
    odd = [word for word in words if not isinstance(word, str) or word in (NOTHING, UNKNOWN)]
    if odd:
        fix = f"The ids of {NOTHING!r} and {UNKNOWN!r} are 0 and 1; leave them out."
        raise ContractError(Problem(where, "words", shown(odd[0]), fix if isinstance(odd[0], str) else ""))
    twice = [word for word, count in Counter(words).items() if count > 1]
    if twice or not words:
        found = f"{shown(twice[0])} more than once" if twice else "none"
        raise ContractError(Problem(where, "distinct words, at least one", found))
    return tuple(words)


def learned_vocabulary(pieces: Iterable[Any]) -> tuple[str, ...]:
    """The distinct words of a column, sorted.

    Raises:
        BadValue: for a value that is not a word, or a column without words.
    """
    found: set[str] = set()
    for values in pieces:
        if hasattr(values, "codes"):
            words: Any = [values.categories[code] for code in np.unique(values.codes).tolist() if code >= 0]
            length = None
        else:
            words, length = _every_word(values)
        found.update(_one_word(word, at // (length or 1)) for at, word in enumerate(words))
    found -= {NOTHING, UNKNOWN}
    if not found:
        raise BadValue(None, "at least one word", "none")
    return tuple(sorted(found))


def word_ids(values: Any, vocabulary: Sequence[str]) -> np.ndarray:
    """Encode a column of words as int32 ids ``(B,)``, or of lists of words as ``(B, T)``.

    Raises:
        BadValue: for other values, or lists of unequal lengths.

    >>> word_ids([["the", "cat"], ["a", ""]], ["cat", "the"]).tolist()
    [[3, 2], [1, 0]]
    """
    places = {NOTHING: 0, UNKNOWN: 1} | {word: i for i, word in enumerate(vocabulary, 2)}
    if hasattr(values, "codes"):
        try:
            table = [
                *_ids_of_words([*values.categories], places, None).tolist(),
                0,
            ]  # code -1 reads the last one
            return np.array(table, np.int32)[values.codes]
        except BadValue:  # of a category, not of a row
            values = values.values()
    words, length = _every_word(values)
    ids = _ids_of_words(words, places, length)
    return ids if length is None else ids.reshape(len(values), length)


def _ids_of_words(words: list[Any], places: Mapping[str, int], length: int | None) -> np.ndarray:
    try:
        ids = np.fromiter((places.get(word, 1) for word in words), np.int32, len(words))
    except TypeError:  # for values that are not hashable, and therefore not words
        ids = np.ones(len(words), np.int32)
    for at in np.flatnonzero(ids == 1).tolist():
        if not isinstance(words[at], str):
            ids[at] = places.get(_one_word(words[at], at // (length or 1)), 1)
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
    fix = "Numbers need no vocabulary=; if they are names, turn them into text: [str(one) for one in column]."
    raise BadValue(
        row, "words", shown(value), fix if is_number(value) or isinstance(value, (bool, np.bool_)) else ""
    )


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
            one, other = (
                "a word" if n is None else f"a list of {counted(n, 'word')}" for n in (first, length)
            )
            fix = 'Make all rows of one length: [(list(row) + [""] * n)[:n] for row in column]; "" has the id 0.'
            raise BadValue(row, f"{one}, as in the first row", other, fix)
    if first is None:
        return list(values), None
    return list(itertools.chain.from_iterable(values)), first


def are_texts(words: Sequence[str], rows: int) -> bool:
    """Return whether the words of a column are whole texts: nearly every row has its own, of several words.

    >>> texts = [f"a lovely house, number {i}" for i in range(100)]
    >>> are_texts(texts, 105), are_texts(texts, 500), are_texts(["New York", "San Diego"], 2)
    (True, False, False)
    """
    few = len(words) < _FEW_TEXTS or len(words) < 0.9 * rows
    return not few and sum(len(word.split()) > 1 for word in words) >= 0.9 * len(words)


_FEW_TEXTS = 20
