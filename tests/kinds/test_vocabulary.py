"""Words of an input as ids, by a vocabulary that is part of the declaration."""

import json
import warnings
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kind_checks import message, resolved

import polyhead as ph
from polyhead.columns.as_column import as_column
from polyhead.columns.coded import Coded, coded_flags
from polyhead.kinds import Array
from polyhead.kinds.json_form import from_json, to_json

WORDS = ["Bern", "Lima", "Oslo"]


@pytest.mark.parametrize(
    "column",
    [
        ["Lima", "Rome", None, "", "Bern"],
        np.array(["Lima", "Rome", None, "", "Bern"], object),
        np.array(["Lima", "Rome", np.nan, "", "Bern"], object),
        [b"Lima", b"Rome", None, b"", b"Bern"],
        np.array(["Lima", "Rome", "", "", "Bern"]),
        np.array([b"Lima", b"Rome", b"", b"", b"Bern"]),
        Coded(np.array([0, 2, -1, 3, 1]), ["Lima", "Bern", "Rome", ""]),
    ],
)
def test_a_word_is_its_place_from_2_on(column):
    kind = resolved(Array(vocabulary=WORDS), column)
    assert (kind.shape, kind.dtype) == ((1,), "int32")
    assert kind.names == ("", "[UNK]", *WORDS)
    ids = kind.encode(column)
    assert (ids.dtype, ids.tolist()) == (np.int32, [[3], [1], [0], [0], [2]])
    assert [kind.names[i] for i in ids[:, 0]] == ["Lima", "[UNK]", "", "", "Bern"]
    assert resolved(kind, column) == kind


@pytest.mark.parametrize(
    "column",
    [
        [["Oslo", "Lima"], ["Rome", ""]],
        [("Oslo", "Lima"), ("Rome", None)],
        np.array([["Oslo", "Lima"], ["Rome", ""]]),
        np.array([["Oslo", "Lima"], ["Rome", None]], object),
        [np.array(["Oslo", "Lima"]), np.array(["Rome", ""])],
    ],
)
def test_lists_of_words(column):
    kind = resolved(Array(vocabulary=WORDS), column)
    assert kind.shape == (2,)
    assert kind.encode(column).tolist() == [[4, 3], [1, 0]]
    assert resolved(Array(2, vocabulary=WORDS), column).shape == (2,)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["b", "a", None, "", "b", "[UNK]"], ("a", "b")),
        (Coded(np.array([2, 0, -1]), ["b", "unused", "a"]), ("a", "b")),
        ([["b", "c"], ["a", ""]], ("a", "b", "c")),
    ],
)
def test_the_words_of_the_training_rows_are_learned(column, words):
    assert resolved(Array(vocabulary="auto"), column).vocabulary == words


def test_the_list_comes_in_any_form_and_goes_through_json():
    for words in (
        WORDS,
        tuple(WORDS),
        np.array(WORDS),
        pd.Series(WORDS),
        {"Bern": 1, "Lima": 2, "Oslo": 3}.keys(),
    ):
        kind = resolved(Array(vocabulary=words), ["Lima"])
        assert kind.vocabulary == tuple(WORDS)
    assert from_json(json.loads(json.dumps(to_json(kind, "input `c`"))), "input `c`") == kind
    assert repr(kind) == "Array((1,), dtype='int32', vocabulary=('Bern', 'Lima', 'Oslo'))"


@pytest.mark.parametrize(
    "column",
    [[7, None, 12], np.array([7, np.nan, 12]), pd.Series([7, None, 12]), pd.array([7, None, 12], "Int64")],
)
def test_the_advice_on_ids_with_gaps_gives_the_words_of_ids_without(column):
    words = message(resolved, Array(vocabulary="auto"), as_column("x", column))
    code = words.split("turn them into text: ")[1].removesuffix(".")
    text = eval(code, {"pandas": pd, "column": column})
    kind = resolved(Array(vocabulary="auto"), as_column("x", text))
    assert kind.vocabulary == ("12", "7")
    assert kind.encode(as_column("x", text)).tolist() == [[3], [0], [2]]


def test_what_is_no_word():
    kind = resolved(Array(vocabulary=WORDS), ["Lima"])
    numbers = (
        "Numbers need no vocabulary=; if they are ids, turn them into text: [str(one) for one in column]."
    )
    for column in (["Lima", 3.5], np.array(["Lima", 3.5], object)):
        assert message(kind.encode, column) == f"head `h`, row 1: expected words, got 3.5. {numbers}"
        assert message(resolved, Array(vocabulary="auto"), column) == (
            f"head `h`, row 1: expected words, got 3.5. {numbers}"
        )
    flags = coded_flags(np.array([False, True]), np.array([True, False]))  # missing, and True
    for call, given in ((kind.encode, (flags,)), (resolved, (Array(vocabulary="auto"), flags))):
        assert message(call, *given) == f"head `h`, row 1: expected words, got True. {numbers}"
    assert message(kind.encode, ["Lima", {"a": 1}]) == "head `h`, row 1: expected words, got {'a': 1}."
    assert message(kind.encode, ["Lima", PurePosixPath("Rome")]) == (
        "head `h`, row 1: expected words, got PurePosixPath('Rome'). Give text: [str(one) for one in column]."
    )
    dates = message(resolved, Array(vocabulary="auto"), np.array(["2020-01-01"], "datetime64[D]"))
    assert "Leave out vocabulary=. Turn times into numbers, as days: " in dates
    assert message(kind.encode, [b"\xff"]) == "head `h`, row 0: expected words in UTF-8, got b'\\xff'."
    assert (
        message(resolved, Array(vocabulary="auto"), [None, ""])
        == "head `h`: expected at least one word, got none."
    )
    assert message(resolved, Array(vocabulary=WORDS), [["Lima", "Oslo"], ["Lima"]]) == (
        "head `h`, row 1: expected a list of 2 words, as in the first row, got a list of 1 word. "
        'Make all rows of one length: [(list(row) + [""] * n)[:n] for row in column]; "" has the id 0.'
    )
    assert message(resolved, Array(vocabulary=WORDS), [["Lima"], "Oslo"]).startswith(
        "head `h`, row 1: expected a list of 1 word, as in the first row, got a word."
    )
    assert message(resolved, Array(3, vocabulary=WORDS), [["Lima", "Oslo"]]) == (
        "head `h`: expected rows of shape (3,), got rows of shape (2,)."
    )


def test_missing_rows_are_not_listed_beside_wrong_ones():
    data = {"c": [None, True, False], "y": [0.0, 1.0, 2.0]}
    with pytest.raises(ph.DataError) as caught:
        ph.Feed(data, inputs={"c": Array(vocabulary="auto")}, heads={"y": ph.Regression()})
    assert str(caught.value) == (
        "input `c`, row 1: expected words, got True. Numbers need no vocabulary=; if they are ids, turn them into "
        "text: [str(one) if one is not None else None for one in column]. Likewise row 2."
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"vocabulary": "Bern"}, "Array(vocabulary=): expected a list of words, or \"auto\", got 'Bern'."),
        ({"vocabulary": 7}, 'Array(vocabulary=): expected a list of words, or "auto", got 7.'),
        ({"vocabulary": []}, "Array(vocabulary=): expected distinct words, at least one, got none."),
        ({"vocabulary": ["a", "b", "a"]}, "expected distinct words, at least one, got 'a' more than once."),
        ({"vocabulary": ["a", 3]}, "Array(vocabulary=): expected words, got 3."),
        (
            {"vocabulary": ["", "a"]},
            "expected words, got ''. The ids of '' and '[UNK]' are 0 and 1; leave them out.",
        ),
        (
            {"vocabulary": WORDS, "scale": "log"},
            "expected no scale= beside it, as words become int32 ids, got both.",
        ),
        (
            {"vocabulary": WORDS, "dtype": "float32"},
            "expected no dtype= beside it, as words become int32 ids, got both.",
        ),
        (
            {"vocabulary": WORDS, "column": ["a", "b"]},
            "expected one column, got 2. Make an input for each column;",
        ),
    ],
)
def test_wrong_arguments(arguments, expected):
    with pytest.raises(ph.ContractError) as error:
        Array(**arguments)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    "table",
    [
        lambda data: data,
        pd.DataFrame,
        lambda data: pd.DataFrame(data).astype({"city": "category"}),
        pa.table,
        lambda data: ph.read_table(data).select([0, 1, 2, 3]),
    ],
)
def test_feeds_of_words(table):
    rows = {"city": ["Oslo", "Bern", None, "Oslo"], "price": [1.0, 2.0, 3.0, 4.0]}
    inputs, heads = {"city": ph.Array(vocabulary="auto")}, {"price": ph.Regression()}
    feed = ph.Feed(table(rows), inputs=inputs, heads=heads, batch_size=4)
    assert feed.peek()[0]["city"].tolist() == [[3], [2], [0], [3]]
    other = feed.on(table({"city": ["Rome", "Oslo", "Bern", "Bern"], "price": [1.0, 2, 3, 4]}))
    assert other.peek()[0]["city"].tolist() == [[1], [3], [2], [2]]
    assert (
        ph.Feed(rows, inputs=inputs, heads=heads).state() == ph.Feed(rows, inputs=inputs, heads=heads).state()
    )
    words = {"city": ph.Array(vocabulary=["Bern", "Rome"])}
    assert ph.Feed(rows, inputs=words, heads=heads).state()["declaration"] != feed.state()["declaration"]


def test_errors_name_the_row_of_the_data():
    with pytest.raises(ph.DataError) as error:
        ph.Feed(
            {"city": ["Oslo", "Bern", 7], "price": [1.0, 2, 3]},
            inputs={"city": ph.Array(vocabulary="auto")},
            heads={"price": ph.Regression()},
        )
    assert str(error.value).startswith("input `city`, row 2: expected words, got 7.")


TEXTS = [f"a lovely house, number {i}" for i in range(100)]
NAMES = [f"New {name}" for name in ("York", "Delhi", "Haven")]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (TEXTS, True),
        (pd.Series(TEXTS).astype("category"), True),
        ([*TEXTS, *TEXTS[:5]], True),
        (TEXTS * 2, False),  # each of them twice
        (NAMES * 30, False),
        ([f"id-{i}" for i in range(100)], False),  # single words
        (TEXTS[:19], False),  # too few rows to tell
        ([text.split() for text in TEXTS], False),
    ],
)
def test_whole_texts_as_words_are_told(column, texts):
    data = {"text": column, "y": np.arange(len(column)) % 2}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        feed = ph.Feed(
            data, inputs={"note": Array(column="text", vocabulary="auto")}, heads={"y": ph.Binary()}
        )
        feed.on(data)
        ph.Feed(data, inputs={"note": Array(column="text", vocabulary=WORDS)}, heads={"y": ph.Binary()})
    assert [str(one.message) for one in caught] == [
        f"input `note`, column `text`: expected words that several rows share, got 100 different texts in "
        f"{len(column)} rows, each taken as one word. Split them into words, all lists of one length: "
        '[(text.lower().split() + [""] * 20)[:20] for text in column]; or leave the column out.'
    ] * texts


@pytest.mark.parametrize(
    ("vocabulary", "column", "found"),
    [
        ("auto", ["Bern", "bern", "Lima", "Lima ", "b", "B"], "'Bern' and 'bern'; 'Lima' and 'Lima '"),
        (WORDS, ["Bern", "bern", None, "Rome"], "'Bern' and 'bern'"),
        (["Bern", "bern"], ["Bern", "bern"], ""),
        ("auto", [["Bern", "bern"], ["Lima", "lima"]], ""),  # as words begin sentences
    ],
)
def test_words_that_are_spelled_in_two_ways(vocabulary, column, found):
    data = {"city": column, "y": np.arange(len(column)) % 2}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ph.Feed(data, inputs={"city": Array(vocabulary=vocabulary)}, heads={"y": ph.Binary()})
    known = (
        ""
        if vocabulary == "auto"
        else " A word that is not in the vocabulary, as one of these, has the id 1."
    )
    fix = f"If they mean the same, spell them alike, for example with .str.strip().str.lower().{known}"
    place = "input `city`, column `city`: expected words that differ in more than spaces and case"
    assert [str(one.message) for one in caught] == [f"{place}, got {found}. {fix}"] * bool(found)


def test_a_text_that_was_not_split_for_a_model_that_reads_lists():
    head = resolved(Array(2, vocabulary=WORDS), [["Bern", "Lima"]])
    assert message(head.encode, ["Bern Lima"]).endswith(
        "expected rows of shape (2,), got rows of shape (1,). Split each text into a list of words, as for training."
    )
