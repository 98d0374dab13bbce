"""Says why a column is neither an input nor a head as it stands, and what to make of it."""

from __future__ import annotations

import re
from typing import NamedTuple

from polyhead.doctor.column_survey import ColumnDescription
from polyhead.doctor.feed_code import Guess
from polyhead.doctor.kind_guess import has_word, holds_files, nearly_unique, words_of
from polyhead.kinds.value_advice import (
    conversion_fix,
    labels_mark,
    leaving_gaps,
    lists_fix,
    means_no_number,
    split_labels,
    times_fix,
)
from polyhead.kinds.vocabulary import are_texts

_ID = re.compile(r"id|ids|uuid|guid|index|idx|key|unnamed|row|filename|file|path|name|respondent")
_TIME = re.compile(r"ts|time|timestamps?|date|datetime|created|updated|epoch|unix")
_PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "holdout"}
_SINCE_1970 = 1e8
"""The smallest number that is taken for seconds since 1970."""

_WORDS = '[(text.lower().split() + [""] * 20)[:20] for text in column]'
_SAMPLE = 1000


class Unusable(NamedTuple):
    """The reason why a column is neither an input nor a head, and what to make of it.

    Attributes:
        why: the reason; empty for a column that may be one.
        change: code that turns the texts of ``column`` into lists of words or labels, and the kind for these.
    """

    why: str = ""
    change: tuple[str, Guess] | None = None


def why_unusable(column: ColumnDescription) -> Unusable:
    """Return why a column is neither an input nor a head, and what to make of it."""
    single, counts = column.shape == (), column.counts
    if column.form == "empty":
        return Unusable("it holds no value")
    if column.form == "other":
        fix = conversion_fix(column.values[0])
        fix = fix if column.present.all() else leaving_gaps(fix)
        why = "times" if times_fix(column.values[0]) else f"{column.type}, which is neither numbers nor text"
        return Unusable("; ".join(filter(None, (why, _continued(fix)))))
    if single and counts and len(counts) == 1 and column.form != "lists":
        return Unusable(f"it holds one value only, {next(iter(counts))!r}")
    if column.form == "text" and not holds_files(column):
        return _unusable_text(column)
    if single and column.form == "numbers":
        return Unusable(_unusable_number(column))
    return Unusable("it holds infinity" if column.statistics.infinite is not None else "")


def _unusable_text(column: ColumnDescription) -> Unusable:
    total, texts = int(column.present.sum()), column.texts
    adapted = str if column.present.all() else leaving_gaps
    sample = list(texts or dict.fromkeys(column.values[:_SAMPLE]))[:_SAMPLE]
    words = [text for text in sample if not means_no_number(text)]
    fixes = [fix for text in words if (fix := conversion_fix(text))]
    if words and 2 * len(fixes) >= len(words) and not holds_names(column):
        kind = {lists_fix(words[0]): "lists", times_fix(words[0]): "times"}.get(fixes[0], "numbers")
        fix = adapted(max(fixes, key=len))  # which also turns the simpler texts into numbers
        none = next((text for text in sample if means_no_number(text)), None)
        if none is not None and set(fixes) == {conversion_fix("0")}:
            fix = conversion_fix(none)
        elif none is not None:
            none = f"column = [None if one == {none!r} else one for one in column]"
            fix = f"after {none}, {_continued(leaving_gaps(fix))}"
        return Unusable(f"{kind} that are text; {_continued(fix)}")
    mark = labels_mark(sample)
    if mark:
        code = adapted(split_labels(mark))
        why = f"several labels in a text; for ph.MultiLabel(), split the labels: {code}"
        return Unusable(why, None if texts is None else (code, Guess("MultiLabel")))
    if texts is not None and set(map(str.lower, texts)) <= _PARTS:
        return Unusable("the parts of the data; select the rows of each: data.select(lambda columns: ...)")
    if texts is not None and are_texts(list(texts), total) and not has_word(_ID, column.name):
        code = _WORDS if column.present.all() else leaving_gaps(_WORDS, '[""] * 20')
        why = f'free text; for ph.Array(vocabulary="auto"), split it into lists of words: {code}'
        return Unusable(why, (code, Guess("Array", ('vocabulary="auto"',), "20 words of each text, as ids")))
    if texts is None or nearly_unique(len(texts), total):
        return Unusable("nearly every row has a different text, as with ids")
    return Unusable()


def _unusable_number(column: ColumnDescription) -> str:
    counts, numbers = column.counts, column.statistics
    if numbers.infinite is not None:
        return "it holds infinity"
    if has_word(_TIME, column.name) and numbers.low[0] >= _SINCE_1970:
        return "times since 1970; as an input, make days, weekdays or hours of them"
    if re.fullmatch(r"(sample|row|instance)_?weights?", column.name.lower()):
        return f'weights of the rows; as sample_weight="{column.name}" of a head they weigh its loss'
    if not column.whole:
        return ""
    name = has_word(_ID, column.name) or not column.name.strip() or holds_names(column)
    if name and (counts is None or len(counts) == numbers.numbers):
        return "an id: every row has a different number"
    if holds_names(column) and nearly_unique(len(counts or {}), numbers.numbers):
        return "an id: nearly every row has a different number"
    return ""


_NAMES = re.compile(
    r"ids?|uuid|guid|idx|key|code|zip|zipcode|postcode|postal|phone|account|user|customer|client|item|movie|product"
    r"|session|patient|respondent|device|sku|isbn|ssn"
)


def holds_names(column: ColumnDescription) -> bool:
    """Return whether numbers are named like ids and codes, which are not quantities: by the last word of the name.

    >>> holds_names(ColumnDescription("user_id")), holds_names(ColumnDescription("items_per_user_count"))
    (True, False)
    """
    words = words_of(column.name)
    if len(words) > 1 and words[-1] in ("number", "no", "nr"):
        words = words[:-1]
    return bool(words) and _NAMES.fullmatch(words[-1]) is not None


def _continued(sentence: str) -> str:
    """A sentence as the end of another one."""
    return f"{sentence[:1].lower()}{sentence[1:].removesuffix('.')}"
