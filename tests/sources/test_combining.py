import itertools
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyhead as ph
from polyhead.columns.values import Coded
from polyhead.errors import DataError
from polyhead.sources.arrays import Arrays
from polyhead.sources.combining import Concat, Mix, Rows
from polyhead.sources.selection import row_numbers
from polyhead.sources.source import Source

WHAT_ROWS = "rows: expected row numbers, a boolean array, a slice, or a function of the columns, got "

WAYS = (
    'Use concat(other, join="outer") to have missing labels where a source lacks a column, or join="inner" to keep '
    "only the columns that all sources have."
)


class Disk(Source):
    """A source that has nothing in memory, and counts what is read."""

    def __init__(self, rows, start=0):
        self.rows, self.start, self.read_ids = rows, start, []

    def __len__(self):
        return self.rows

    def read(self, ids):
        self.read_ids.append(ids)
        return {"x": ids + self.start, "y": (ids + self.start) * 0.5}


def ids(*values):
    return np.array(values, np.int64)


def message(call, *args, **kwargs):
    with pytest.raises(DataError) as error:
        call(*args, **kwargs)
    return str(error.value)


# Rows ----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 19), max_size=30), st.data())
def test_rows_of_rows_equal_numpy_indexing(first, data):
    values = np.arange(20) * 3
    second = data.draw(st.lists(st.integers(0, max(len(first) - 1, 0)), max_size=30 if first else 0))
    view = Rows(Rows(Arrays({"x": values}), ids(*first)), ids(*second))
    expected = values[ids(*first)][ids(*second)]
    assert len(view) == len(expected)
    assert np.array_equal(view.read(np.arange(len(view)))["x"], expected)
    assert np.array_equal(view.column("x"), expected)


def test_rows_of_rows_are_one_view():
    source = Disk(10)
    view = source.select(slice(2, 10)).select([3, 1])
    assert view._source is source
    assert view.ids.tolist() == [5, 3]


def test_rows_of_a_disk_have_no_column():
    assert Disk(10).select([1, 2]).column("x") is None


def test_a_run_of_rows_gives_a_column_without_a_copy():
    values = np.arange(10)
    column = Arrays({"x": values}).select(slice(3, 7)).column("x")
    assert column.tolist() == [3, 4, 5, 6]
    assert np.shares_memory(column, values)


def test_a_column_is_copied_once():
    view = Arrays({"x": np.arange(10)}).select([3, 1, 2])
    assert view.column("x") is view.column("x")
    assert view.only(["x"]).column("x") is view.column("x")


def test_a_large_column_is_not_copied():
    images = np.broadcast_to(np.zeros((), np.uint8), (1000, 512, 512))
    view = Arrays({"image": images}).select(np.arange(0, 1000, 2))
    assert view.column("image") is None
    assert view.read(ids(3))["image"].shape == (1, 512, 512)
    assert Concat([view, view]).column("image") is None
    assert Mix([Arrays({"image": images})], [1]).column("image") is None


def test_only_reaches_the_source_under_a_view():
    rows = Arrays({"x": np.arange(4), "y": np.arange(4)})
    for view in (rows.select([1]), Concat([rows, rows]), Mix([rows, rows], [1, 1])):
        assert view.only(["y"]).columns == ("y",)
        assert list(view.only(["y"]).read(ids(0))) == ["y"]
        assert (
            message(view.only, ["z"])
            == "column `z`: expected a column of the data (x, y), got no such column."
        )


def test_views_without_rows():
    rows = Arrays({"x": np.arange(4)})
    empty = rows.select([])
    assert len(empty) == 0
    assert empty.columns == ("x",)
    assert empty.read(ids())["x"].tolist() == []
    assert empty.column("x").tolist() == []
    assert len(Concat([empty, empty])) == 0
    assert Concat([empty, rows]).read(ids(3))["x"].tolist() == [3]


def test_views_can_be_pickled():
    a = Arrays({"x": Coded(ids(0, 1), ["a", "b"])})
    b = Arrays({"x": Coded(ids(0, -1), ["c"])})
    view = pickle.loads(pickle.dumps(Mix([a, b], [1, 1]).select([3, 2, 1, 0])))
    assert view.read(np.arange(4))["x"] == [None, "b", "c", "a"]


# Which rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([3, 3, 0], [3, 3, 0]),
        (range(1, 3), [1, 2]),
        ((True, False, False, True), [0, 3]),
        (np.array([False, True, True, False]), [1, 2]),
        (np.array([2, 1], np.uint8), [2, 1]),
        (np.array([True, False, True, False], object), [0, 2]),
        (np.array([2, 1], object), [2, 1]),
        (slice(None, None, -2), [3, 1]),
        ([], []),
        (lambda c: c["x"] >= 2, [2, 3]),
        (lambda c: c["name"] == "a", [0, 2]),
        (lambda c: c["list"] == "u", [1]),
        (lambda c: np.argsort(-c["x"]), [3, 2, 1, 0]),
        (lambda c: np.where(c["x"] >= 2), [2, 3]),
        (lambda c: [i for i, name in enumerate(c) if name in c], [0, 1, 2]),
        (lambda c: [len(c)], [3]),
    ],
)
def test_rows_can_be_said_in_many_ways(rows, expected):
    source = Arrays(
        {"x": np.arange(4), "name": Coded(ids(0, 1, 0, -1), ["a", "b"]), "list": ["t", "u", None, "v"]}
    )
    found = row_numbers(source, rows)
    assert found.tolist() == expected
    assert found.dtype == np.int64


def test_frames_say_rows():
    pandas = pytest.importorskip("pandas")
    source = Arrays({"x": np.arange(3)})
    assert row_numbers(source, pandas.Series([True, False, True])).tolist() == [0, 2]
    assert row_numbers(source, pandas.Series([True, False, True], dtype="boolean")).tolist() == [0, 2]


def test_a_function_reads_only_the_columns_it_asks_for():
    source = Disk(20_000)
    assert len(source.select(lambda c: c["x"] % 2 == 0)) == 10_000
    assert sum(len(r) for r in source.read_ids if len(r) > 1) == 20_000


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([0, 4], "rows: expected row numbers from 0 to 3, got 4 at position 1."),
        ([-1], "rows: expected row numbers from 0 to 3, got -1 at position 0."),
        ([True, False], "rows: expected one boolean for each of 4 rows, got 2 booleans."),
        (
            2,
            WHAT_ROWS + "2. For one row, use [2].",
        ),
        (
            [0.5],
            WHAT_ROWS + "[0.5].",
        ),
        (
            "train",
            WHAT_ROWS + "'train'.",
        ),
        (
            [[0], [1]],
            WHAT_ROWS + "[[0], [1]].",
        ),
        (
            [[0], [1, 2]],
            WHAT_ROWS + "[[0], [1, 2]].",
        ),
        (
            np.array(2),
            WHAT_ROWS + "2.",
        ),
        (
            lambda c: lambda: 0,
            "rows: expected a function that returns row numbers or booleans, got another function.",
        ),
        (
            lambda c: c["z"],
            "column `z`: expected a column of the data (x), got no such column.",
        ),
    ],
)
def test_wrong_rows_are_an_error(rows, expected):
    assert message(Arrays({"x": np.arange(4)}).select, rows) == expected


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ([1, 0] * 5, "0 or 1 for each row"),
        ([True, None] * 5, "array([ 1., nan,  1., nan,  1., nan,  1., nan,  1., nan])"),
    ],
)
def test_a_column_of_flags_is_no_list_of_row_numbers(flags, found):
    source = Arrays({"x": np.arange(10.0), "flag": flags})
    with pytest.raises(DataError, match=re.escape(f"got {found}. Give booleans without gaps; ")) as error:
        source.select(lambda columns: columns["flag"])
    code = str(error.value).split("for a column of 0 and 1: ")[1].removesuffix(".").replace("name", "flag")
    assert source.select(eval(code)).read(range(5))["x"].tolist() == [0, 2, 4, 6, 8]
    assert source.select([1, 0] * 4).read(range(2))["x"].tolist() == [1, 0]
    assert source.select([0] * 10).read(range(2))["x"].tolist() == [0, 0]


def test_rows_of_an_empty_source_are_an_error():
    empty = Arrays({"x": np.zeros(0)})
    assert message(empty.select, [0]) == (
        "rows: expected no row numbers, as there are no rows, got 0 at position 0."
    )


# Concat --------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any), st.data())
@settings(deadline=None)
def test_concat_equals_numpy(lengths, data):
    numbers = [np.arange(n) + 100 * i for i, n in enumerate(lengths)]
    words = [[f"w{v}" for v in part] for part in numbers]
    shaped = [np.stack([part, part], 1) for part in numbers]
    both = Concat([Arrays({"x": x, "w": w, "s": s}) for x, w, s in zip(numbers, words, shaped, strict=True)])
    rows = ids(*data.draw(st.lists(st.integers(0, sum(lengths) - 1), max_size=20)))
    found = both.read(rows)
    assert np.array_equal(found["x"], np.concatenate(numbers)[rows])
    assert np.array_equal(found["s"], np.concatenate(shaped)[rows])
    assert list(found["w"]) == np.concatenate(words)[rows].tolist()
    assert np.array_equal(both.column("x"), np.concatenate(numbers))


def test_concat_of_concat_and_of_disks():
    both = Disk(3).concat(Disk(2, 10)).concat(Disk(2, 20))
    assert both.read(ids(6, 0, 4, 4))["x"].tolist() == [21, 0, 11, 11]
    assert both.column("x") is None


def test_concat_of_parts_of_a_frame_has_their_index():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": range(4)}, index=pd.Index([7, 5, 6, 4], name="house"))
    first, last = ph.read_table(frame[2:]), ph.read_table(frame[:2])
    assert first.concat(last).pandas_index(np.array([3, 0])).equals(frame.index[[1, 2]])
    assert first.concat(last).pandas_index(np.array([3])).name == "house"
    assert first.concat(first).pandas_index(np.array([3])) is None
    assert first.concat(ph.read_table({"x": [1]})).pandas_index(np.array([0])) is None


def test_concat_takes_columns_in_the_order_of_the_first():
    a, b = Arrays({"x": np.zeros(1), "y": np.ones(1)}), Arrays({"y": np.ones(1), "x": np.zeros(1)})
    assert a.concat(b).columns == ("x", "y")
    assert b.concat(a).read(ids(1))["x"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("first", "second", "dtype"),
    [("int8", "int32", "int32"), ("float32", "int64", "float64"), ("bool", "uint8", "uint8")],
)
def test_numbers_have_one_type_whichever_source_they_come_from(first, second, dtype):
    both = Concat([Arrays({"x": np.ones(2, first)}), Arrays({"x": np.ones(2, second)})])
    for rows in (ids(0), ids(3), ids(0, 3)):
        assert both.read(rows)["x"].dtype == dtype
    assert both.column("x").dtype == dtype


def test_a_wider_type_than_at_first_is_kept():
    class Widening(Source):
        def __len__(self):
            return 2

        def read(self, ids):
            return {"x": ids if ids.tolist() == [0] else ids * 0.5}

    assert Concat([Widening(), Widening()]).read(ids(1, 3))["x"].tolist() == [0.5, 0.5]


def test_words_of_other_lengths_are_not_cut():
    both = Concat([Arrays({"x": np.array(["a"])}), Arrays({"x": np.array(["longer"])})])
    assert list(both.read(ids(1, 0))["x"]) == ["longer", "a"]


def test_categories_are_merged():
    a = Arrays({"x": Coded(ids(0, 1, -1), ["cat", "dog"])})
    b = Arrays({"x": Coded(ids(0, 1), ["dog", "fox"])})
    both = Concat([a, b])
    found = both.coded(ids(4, 3, 2, 0))["x"]
    assert list(found.categories) == ["cat", "dog", "fox"]
    assert found.codes.tolist() == [2, 1, -1, 0]
    alone = both.coded(ids(3))["x"]
    assert alone.categories is found.categories
    assert alone.codes.tolist() == [1]
    assert both.column("x").codes.tolist() == [0, 1, -1, 1, 2]


@pytest.mark.parametrize(
    ("second", "expected", "ordered"),
    [
        (["low", "high"], ["low", "mid", "high"], True),
        (["high", "low"], ["low", "mid", "high"], False),
        (["low", "top"], ["low", "mid", "high", "top"], False),
    ],
)
def test_an_order_of_categories_is_kept_where_it_can_be(second, expected, ordered):
    a = Arrays({"x": Coded(ids(0, 1, 2), ["low", "mid", "high"], ordered=True)})
    b = Arrays({"x": Coded(ids(0, 1), second, ordered=True)})
    found = Concat([a, b]).coded(ids(3, 0))["x"]
    assert (list(found.categories), found.ordered) == (expected, ordered)
    assert found.values().tolist() == [second[0], "low"]


def test_a_category_that_comes_later_is_kept_as_a_plain_value():
    class Growing(Source):
        def __len__(self):
            return 2

        def read(self, ids):
            return {"x": Coded(np.zeros(len(ids), np.int32), ["a"] if ids.tolist() == [0] else ["new"])}

    found = Concat([Growing(), Growing()]).read(ids(0, 3))["x"]
    assert found == ["a", "new"]


def test_a_column_that_is_missing_at_first_may_be_anything():
    both = Concat([Arrays({"x": np.array([np.nan, np.nan])}), Arrays({"x": Coded(ids(0), ["a"])})])
    assert both.read(ids(2, 0))["x"][0] == "a"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([], "sources: expected at least one source, got none."),
        (
            [Arrays({"x": [1]}), {"x": [1]}],
            "source 1: expected a Source, got 'dict'. Read it with read_table, or subclass Source.",
        ),
        (
            [Arrays({"image": [1], "label": [1]}), Arrays({"image": [1], "lable": [1]})],
            "source 1: expected the columns of source 0 (image, label), got no `label` and `lable` in "
            f"addition. Did you mean `lable`? {WAYS}",
        ),
        (
            [Arrays({"x": [1]}), Arrays({"x": [1], "y": [1]})],
            f"source 1: expected the columns of source 0 (x), got `y` in addition. {WAYS}",
        ),
        (
            [Arrays({"x": np.zeros((1, 8, 8))}), Arrays({"x": np.zeros((1, 9, 9))})],
            "column `x`: expected one shape in all sources, (8, 8) as in source 0, got (9, 9) in source 1. "
            "Bring the arrays to one shape, or give lists of arrays.",
        ),
        (
            [Arrays({"x": [1, 2]}), Arrays({"x": ["1", "2"]})],
            "column `x`: expected numbers in all sources, as in source 0, got text in source 1 ('1'). "
            "Convert the column in one of them.",
        ),
        (
            [
                Arrays({"x": np.array(["2020-01-01"], "M8[D]"), "y": [1.0]}),
                Arrays({"x": [5], "y": Coded(ids(0), ["a"])}),
            ],
            "2 problems:\n"
            "  1. column `x`: expected dates in all sources, as in source 0, got numbers in source 1 (5). "
            "Convert the column in one of them.\n"
            "  2. column `y`: expected numbers in all sources, as in source 0, got text in source 1 ('a'). "
            "Convert the column in one of them.",
        ),
    ],
)
def test_sources_that_do_not_fit_are_an_error(sources, expected):
    assert message(Concat, sources) == expected


def test_a_source_whose_columns_change_is_an_error():
    class Changing(Source):
        def __len__(self):
            return 5

        def read(self, ids):
            return {"x": ids} if ids.tolist() == [0] else {}

    both = Concat([Changing(), Changing()])
    assert message(both.read, ids(3)) == (
        "Changing.read, column `x`: expected the same columns in every call, got no such column this time."
    )


# Mix -----------------------------------------------------------------------------------------------

weights = st.lists(st.floats(0.001, 1000), min_size=1, max_size=8)


def numbered(lengths):
    return [Arrays({"s": np.full(n, i), "k": np.arange(n)}) for i, n in enumerate(lengths)]


def test_the_mixture_never_changes():
    mixed = Mix(numbered([5, 3, 4]), [0.5, 0.3, 0.2], 20)
    found = mixed.read(np.arange(20))
    assert found["s"].tolist() == [0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 1, 0, 2, 0, 1, 0, 2, 0, 1]
    assert found["k"].tolist() == [0, 0, 1, 0, 2, 1, 3, 1, 4, 2, 0, 0, 1, 2, 2, 1, 3, 3, 4, 2]


@given(weights, st.integers(0, 10**9), st.integers(1, 400))
@settings(deadline=None)
def test_any_stretch_of_a_mixture_has_the_right_proportions(weights, start, rows):
    mixed = Mix(numbered([7] * len(weights)), weights, 2 * 10**9)
    found = np.bincount(mixed.read(np.arange(start, start + rows))["s"], minlength=len(weights))
    off = np.abs(found - rows * np.array(weights) / sum(weights)).max()
    assert off <= (1.001 if len(weights) < 3 else 3.001)
    if start == 0:
        assert off <= 2.001


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000), st.integers(1, 200))
def test_any_stretch_of_two_sources_is_within_a_row(first, second, start, rows):
    mixed = Mix(numbered([3, 3]), [first, second], 10_000)
    found = int((mixed.read(np.arange(start, start + rows))["s"] == 0).sum())
    assert abs(found - rows * first / (first + second)) <= 1 + 1e-9


@pytest.mark.parametrize(
    "weights", [(0.5, 0.3, 0.2), (0.29, 0.71), (1, 2, 3, 4), (0.1,) * 10, (0.7, 0.2, 0.1)]
)
def test_whole_periods_are_exact(weights):
    mixed = Mix(numbered([3] * len(weights)), weights, 100_000)
    found = np.bincount(mixed.read(np.arange(100_000))["s"])
    assert found.tolist() == [round(100_000 * w / sum(weights)) for w in weights]


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0.01, 10)), min_size=1, max_size=5), st.randoms())
@settings(deadline=None)
def test_each_source_goes_round_from_its_first_row(parts, random):
    lengths, weights = zip(*parts, strict=True)
    mixed = Mix(numbered(lengths), weights, 300)
    found = mixed.read(np.arange(300))
    for i, length in enumerate(lengths):
        mine = found["k"][found["s"] == i]
        assert np.array_equal(mine, np.arange(len(mine)) % length)
    some = ids(*(random.randrange(300) for _ in range(50)))
    again = mixed.read(some)
    assert np.array_equal(again["s"], found["s"][some])
    assert np.array_equal(again["k"], found["k"][some])
    assert np.array_equal(mixed.column("k"), found["k"])


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.05, 10)), min_size=1, max_size=5))
@settings(deadline=None)
def test_a_mixture_is_as_long_as_gives_every_row(parts):
    lengths, weights = zip(*parts, strict=True)
    mixed = Mix(numbered(lengths), weights)
    found = np.bincount(mixed.read(np.arange(len(mixed)))["s"], minlength=len(lengths))
    shorter = np.bincount(mixed.read(np.arange(len(mixed) - 1))["s"], minlength=len(lengths))
    assert (found >= lengths).all()
    assert (shorter < lengths).any()


def test_a_mixture_through_the_source():
    mixed = Disk(4).mix(Disk(2, 100), weights=(2, 1))
    assert len(mixed) == 6
    assert mixed.columns == ("x", "y")
    assert mixed.column("x") is None
    assert mixed.read(np.arange(6))["x"].tolist() == [0, 100, 1, 2, 101, 3]
    assert Disk(4).mix(Disk(2), weights=(2, 1), length=9).read(ids(8))["x"].tolist() == [1]


@pytest.mark.parametrize(
    ("weights", "length", "expected"),
    [
        (
            (1,),
            None,
            "weights: expected 2 positive numbers, one per source, got (1,). "
            "Their ratio counts: (3, 1) takes three rows of the first source for each row of the second.",
        ),
        (
            (1, 0),
            None,
            "weights: expected 2 positive numbers, one per source, got (1, 0). "
            "Their ratio counts: (3, 1) takes three rows of the first source for each row of the second.",
        ),
        (
            (1, float("nan")),
            None,
            "weights: expected 2 positive numbers, one per source, got (1, nan). "
            "Their ratio counts: (3, 1) takes three rows of the first source for each row of the second.",
        ),
        (
            0.5,
            None,
            "weights: expected 2 positive numbers, one per source, got 0.5. "
            "Their ratio counts: (3, 1) takes three rows of the first source for each row of the second.",
        ),
        ((1, 1), 0, "length: expected a positive number of rows, got 0."),
        ((1, 1), 2.5, "length: expected a positive number of rows, got 2.5."),
        ((1, 1), "all", "length: expected a positive number of rows, got 'all'."),
    ],
)
def test_wrong_mixtures_are_an_error(weights, length, expected):
    assert message(Mix, numbered([2, 2]), weights, length) == expected


def test_an_empty_source_cannot_be_mixed_in():
    rows = Arrays({"x": np.arange(3)})
    assert message(rows.mix, rows.select([]), weights=(1, 1)) == (
        "source 1: expected at least one row to mix in, got an empty source. Leave it out."
    )


def test_rows_that_come_in_one_order_do_so_in_what_is_made_of_them():
    class Ordered(ph.Source):
        def __len__(self):
            return 6

        def read(self, ids):
            return {"x": ids * 1.0, "y": ids % 2}

    class InOrder(Ordered):
        sequential = True

    any_order = Ordered()
    for source, wanted in ((InOrder(), True), (any_order, False)):
        made = [
            source.only(["x", "y"]),
            source.select([0, 2]),
            source.select([0, 2]).only(["x"]),
            any_order.concat(source),
            any_order.mix(source, weights=(1, 1)),
            any_order.mix(source, weights=(1, 1)).select([1]),
        ]
        assert [one.sequential for one in made] == [wanted] * len(made)
    with pytest.raises(ph.ContractError, match=r"Feed\(shuffle=\): expected False"):
        ph.Feed(InOrder().select([0, 2]), inputs="x", heads={"y": ph.Binary()}, shuffle=True)


@pytest.mark.parametrize("shape", [(3, 4, 3), (3, 4)])
def test_images_of_bytes_and_of_floats_keep_each_their_scale(shape):
    small = np.full((2, *shape), 51, np.uint8)
    parts = {"bytes": small, "floats": (small / 255).astype(np.float32)}
    kind = ph.Image(3, 4, channels=shape[2] if len(shape) == 3 else 1)
    for one, other in itertools.permutations(parts, 2):
        columns = ({"image": parts[name], "y": [0, 1]} for name in (one, other))
        first, second = (ph.read_table(rows) for rows in columns)
        outer = first.concat(second, ph.read_table({"y": [1]}), join="outer").select(range(4))
        for joined in (first.concat(second), first.mix(second, weights=(1, 1)), outer):
            feed = ph.Feed(joined, inputs={"image": kind}, heads={"y": ph.Binary()}, batch_size=3)
            for batch in feed.batches():
                assert np.allclose(batch.inputs["image"], 0.2, atol=1e-6)
            assert {str(image.dtype) for image in joined.read([0, 1, 2, 3])["image"]} == {
                str(parts[name].dtype) for name in (one, other)
            }


def test_ids_of_the_whole_are_no_rows_of_a_part():
    part = Disk(10).select([4, 8, 9])
    fix = " These are ids, which count the rows of the whole source: select them there, not in a part of it."
    for ids, said in (([8, 4], fix), ([8, 3], "")):
        with pytest.raises(ph.DataError) as error:
            part.select(ids)
        assert str(error.value) == f"rows: expected row numbers from 0 to 2, got 8 at position 0.{said}"


@pytest.mark.parametrize("other", [np.array([np.nan, 2.0]), np.array([2**63 + 1, 2], np.uint64)])
def test_large_ids_are_kept_beside_numbers_of_another_type(other):
    ids = np.array([2**60 + 1, 2**60 + 2])
    both = ph.read_table({"id": ids}).concat(ph.read_table({"id": other}))
    assert [int(one) for one in both.read([1, 0])["id"]] == [2**60 + 2, 2**60 + 1]
    assert int(both.read([3, 0])["id"][1]) == 2**60 + 1
    np.testing.assert_array_equal(both.read([3, 2])["id"], other[::-1])


def test_ids_of_signed_and_unsigned_integers_stay_integers():
    ids = np.array([16_777_217, 5])  # float32 does not hold the first
    for one, other in ((ids, ids.astype(np.uint64)), (ids.astype(np.uint64), ids)):
        first, second = ph.read_table({"id": one, "y": [0, 1]}), ph.read_table({"id": other, "y": [1, 0]})
        for both in (first.concat(second), first.mix(second, weights=(1, 1))):
            for rows in ([0, 1, 2, 3], [0, 1], [2, 3], [3]):
                assert both.read(rows)["id"].dtype == np.int64
            feed = ph.Feed(both, inputs="id", heads={"y": ph.Binary()}, batch_size=4)
            assert sorted(feed.peek()[0]["id"].ravel().tolist()) == [5, 5, 16_777_217, 16_777_217]


@pytest.mark.parametrize(
    "ids", [[2**63 + 5, -1], [2**70, 1], [2**40, 1], np.array([2**63 + 5, 1], np.uint64)]
)
def test_integers_too_large_for_an_input_are_no_floats(ids):
    with pytest.raises(
        ph.DataError, match=r"input `id`, row 0: expected a whole number that fits int32, got"
    ):
        ph.Feed({"id": ids, "y": [0, 1]}, inputs="id", heads={"y": ph.Binary()}).peek()


def test_labels_of_an_array_may_be_missing_in_a_source_of_lists():
    class Lists(Disk):
        def read(self, ids):
            return {"x": ids * 1.0, "y": [None if i == 2 else int(i % 2) for i in ids]}

    source = Arrays({"x": np.arange(4.0), "y": np.array([0, 1, 1, 0])}).concat(Lists(4))
    feed = ph.Feed(source, inputs="x", heads={"y": ph.Binary()}, batch_size=8)
    _, y, weights = feed.peek()
    assert y["y"][:, 0].tolist() == [0, 1, 1, 0, 0, 1, 0, 1]
    assert weights["y"].ravel().tolist() == [1, 1, 1, 1, 1, 1, 0, 1]
