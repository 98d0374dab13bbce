import time
import warnings
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhead.columns.values import Coded
from polyhead.errors import DataError, PolyheadWarning
from polyhead.sources import splitting
from polyhead.sources.arrays import Arrays
from polyhead.sources.source import Source
from polyhead.sources.stratify import compress

FRACTIONS = (
    "fractions: expected shares in (0, 1] that sum to at most 1, as (0.8, 0.2) or {'train': 0.8, 'val': 0.2}"
)


def message(source, fractions, **kwargs):
    with pytest.raises(DataError) as error:
        source.split(fractions, **kwargs)
    return str(error.value)


def counts(parts, values):
    """How often each part has each value: ``(parts, values)``."""
    codes = np.unique(values, return_inverse=True)[1]
    return np.stack([np.bincount(codes[part.ids], minlength=codes.max() + 1) for part in parts])


def off(parts, shares, values):
    """By how many rows the worst part is off for its worst value."""
    found = counts(parts, values)
    totals = np.unique(values, return_counts=True)[1]
    return np.abs(found - np.array(shares)[:, None] * totals).max()


# The promise that a seed makes -----------------------------------------------------------------------


def golden_source():
    return Arrays(
        {
            "class": ["a", "b", None, "a", "a", "b", "c", "a", None, "b", "a", "a", "c", "b", "a", "b"],
            "value": np.array([1, 2, np.nan, 4, 5, 6, 7, np.nan, 9, 1, 2, 3, 4, 5, 6, 7]),
            "patient": [3, 3, 3, 8, 8, 1, 1, 1, 1, 5, 6, 6, 2, 2, 2, 9],
        }
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, [[1, 2, 3, 6, 8, 11, 13, 15], [0, 4, 7, 14], [5, 9, 10, 12]]),
        ({"seed": 1}, [[2, 4, 5, 7, 9, 12, 14, 15], [0, 8, 10, 11], [1, 3, 6, 13]]),
        ({"seed": -1}, [[2, 4, 5, 7, 9, 11, 13, 15], [0, 6, 10, 14], [1, 3, 8, 12]]),
        ({"stratify": "class"}, [[0, 2, 3, 6, 9, 11, 13, 15], [1, 4, 7, 8], [5, 10, 12, 14]]),
        (
            {"stratify": ["class", "value"], "seed": 5},
            [[3, 5, 6, 7, 8, 10, 13, 15], [0, 4, 9, 12], [1, 2, 11, 14]],
        ),
        ({"group": "patient"}, [[3, 4, 5, 6, 7, 8, 10, 11], [0, 1, 2, 9], [12, 13, 14, 15]]),
        (
            {"group": "patient", "stratify": "class", "seed": 2},
            [[3, 4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2, 15], [12, 13, 14]],
        ),
    ],
)
def test_a_cut_never_changes(how, expected):
    assert [part.ids.tolist() for part in golden_source().split((0.5, 0.25, 0.25), **how)] == expected


def test_a_large_cut_never_changes():
    number = np.arange(100_000)
    source = Arrays({"a": number * 7919 % 997, "b": number * 104_729 % 1009, "g": number * 31 % 45_007})
    parts = source.split((0.9, 0.1), stratify=["a", "b"], seed=3)
    assert [int(part.ids.sum()) for part in parts] == [4502012132, 497937868]
    parts = source.split((0.9, 0.1), stratify=["a", "b"], group="g", seed=3)
    assert [int(part.ids.sum()) for part in parts] == [4499864759, 500085241]


def test_a_cut_is_the_same_however_a_column_is_kept():
    words = [None, *"abacabadab" * 7]
    codes = np.array(["dcba".find(w) if w else -1 for w in words], np.int32)
    cuts = [
        Arrays({"w": column}).split((0.6, 0.4), stratify="w", seed=2)
        for column in (words, np.array(words, object), Coded(codes, list("dcba")))
    ]
    assert all(np.array_equal(cut[0].ids, cuts[0][0].ids) for cut in cuts)


@given(st.lists(st.integers(-6, 6), min_size=1), st.sampled_from([1, 10**12]))
def test_codes_are_numbered_as_they_appear(values, factor):
    order = list(dict.fromkeys(values))
    assert compress(np.array(values) * factor).tolist() == [order.index(v) for v in values]


# Without a group -------------------------------------------------------------------------------------


@st.composite
def shares(draw):
    whole = draw(st.lists(st.integers(1, 20), min_size=1, max_size=5))
    rest = draw(st.sampled_from([0, 0, 3]))
    return [w / (sum(whole) + rest) for w in whole]


@given(st.integers(30, 400), shares(), st.integers(0, 3), st.integers(-5, 2**70))
@settings(deadline=None, max_examples=80)
def test_parts_are_disjoint_complete_and_of_their_size(rows, fractions, columns, seed):
    fractions = [max(f, 0.05) / max(1, sum(max(f, 0.05) for f in fractions)) for f in fractions]
    random = np.random.default_rng(rows)
    source = Arrays(
        {"n": np.arange(rows), **{f"c{i}": random.integers(0, 3 + i, rows) for i in range(columns)}}
    )
    parts = source.split(fractions, stratify=[f"c{i}" for i in range(columns)], seed=seed)
    ids = np.concatenate([part.ids for part in parts])
    assert len(np.unique(ids)) == len(ids)
    assert all(np.array_equal(part.ids, np.sort(part.ids)) for part in parts)
    assert all(abs(len(part) - f * rows) < 1 for part, f in zip(parts, fractions, strict=True))
    if sum(fractions) > 1 - 1e-9:
        assert len(ids) == rows
    again = source.split(fractions, stratify=[f"c{i}" for i in range(columns)], seed=seed)
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(parts, again, strict=True))


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=10, max_size=200), shares())
@settings(deadline=None, max_examples=60)
def test_one_column_is_stratified_to_within_a_row_or_two(labels, fractions):
    fractions = [max(f, 0.1) / max(1, sum(max(f, 0.1) for f in fractions)) for f in fractions]
    parts = Arrays({"y": labels}).split(fractions, stratify="y")
    assert off(parts, fractions, np.array([str(v) for v in labels])) < 2


def test_copies_of_a_row_in_two_parts_are_warned_of():
    ids = np.arange(8)
    more = Arrays({"id": ids}).select(np.concatenate([ids, [3]]))
    with pytest.warns(PolyheadWarning, match="got copies of 1 row in several parts. Split first"):
        one, two = more.split((0.5, 0.5), seed=2)
    assert {3} == {*one.column("id").tolist()} & {*two.column("id").tolist()}
    rows = Arrays({"id": ids})
    with pytest.warns(PolyheadWarning, match="got copies of 1 row in several parts. Split first"):
        rows.concat(rows.select([3])).split((0.5, 0.5), seed=2)
    few = Arrays({"id": np.array([8, 9])})
    with pytest.warns(
        PolyheadWarning, match=r"got copies of 2 rows in several parts\. Split first.*train\.mix"
    ):
        Arrays({"id": ids}).mix(few, weights=(1, 1)).split((0.5, 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        more.split((0.5, 0.5), group="id")
        Arrays({"id": ids}).mix(few, weights=(4, 1)).split((0.5, 0.5))
        Arrays({"id": ids}).select(ids[::-1]).split((0.5, 0.5))


def test_another_seed_is_another_cut():
    source = Arrays({"x": np.arange(100)})
    assert not np.array_equal(source.split((0.5, 0.5))[0].ids, source.split((0.5, 0.5), seed=1)[0].ids)


def test_rows_are_dealt_out_at_random():
    # in each of 400 cuts a row stands in the first part with chance 0.3
    source = Arrays({"y": np.arange(40) % 4})
    found = np.zeros(40)
    for seed in range(400):
        found[source.split((0.3, 0.7), stratify="y", seed=seed)[0].ids] += 1
    assert found.min() > 70
    assert found.max() < 175


def test_several_columns_at_once():
    random = np.random.default_rng(0)
    rows = 20_000
    presence = random.integers(0, 2, rows)
    kind = np.where(random.random(rows) < 0.3, -1, random.integers(0, 30, rows) // 3).astype(np.int32)
    age = np.where(random.random(rows) < 0.2, np.nan, random.normal(40, 15, rows))
    source = Arrays({"presence": presence, "kind": Coded(kind, [f"k{i}" for i in range(10)]), "age": age})
    fractions = (0.7, 0.2, 0.1)
    parts = source.split(fractions, stratify=["presence", "kind", "age"])
    assert off(parts, fractions, presence) < 3
    assert off(parts, fractions, kind) < 3
    assert off(parts, fractions, np.isnan(age)) < 3
    assert off(parts, fractions, presence * 100 + kind) < 5
    tenths = np.searchsorted(np.nanquantile(age, np.arange(1, 10) / 10, method="higher"), age, side="right")
    assert off(parts, fractions, tenths) < 3


def test_columns_with_hardly_two_rows_alike_are_still_balanced_each():
    random = np.random.default_rng(0)
    columns = {name: random.integers(0, 20, 4000) for name in "abcde"}
    parts = Arrays(columns).split((0.75, 0.25), stratify=list(columns))
    assert all(off(parts, (0.75, 0.25), values) < 3 for values in columns.values())


def test_more_left_over_rows_than_are_placed_one_by_one(monkeypatch):
    monkeypatch.setattr(splitting, "PLACED", 500)
    random = np.random.default_rng(0)
    columns = {name: random.integers(0, 20, 4000) for name in "abcde"}
    parts = Arrays(columns).split((0.749, 0.25, 0.001), stratify=list(columns))
    assert [len(part) for part in parts] == [2996, 1000, 4]
    assert off(parts, (0.749, 0.25, 0.001), columns["a"]) < 12


def test_numbers_are_cut_at_quantiles_but_classes_are_not():
    values = np.random.default_rng(0).normal(size=1000)
    parts = Arrays({"v": values}).split((0.5, 0.5), stratify="v")
    assert off(parts, (0.5, 0.5), np.argsort(np.argsort(values)) // 100) < 1
    classes = np.arange(5000) % 100
    parts = Arrays({"v": classes}).split((0.5, 0.5), stratify="v")
    assert off(parts, (0.5, 0.5), classes) < 1


@pytest.mark.parametrize("dtype", ["M8[D]", "M8[us]", "m8[s]", "f8"])
def test_times_and_decimals_in_lists_are_binned_as_in_arrays(dtype):
    array = np.random.default_rng(0).integers(0, 10**8 if dtype != "M8[D]" else 10**4, 200).astype(dtype)
    whole = Arrays({"v": array}).split((0.5, 0.5), stratify="v")[0]
    plain = [Decimal(int(v)) for v in array] if dtype == "f8" else array.tolist()
    for values in (plain, list(array)):
        assert Arrays({"v": values}).split((0.5, 0.5), stratify="v")[0].ids.tolist() == whole.ids.tolist()


@pytest.mark.parametrize(
    "column",
    [
        [None if i % 5 == 0 else np.zeros((i % 3, 4)) for i in range(100)],
        [None if i % 5 == 0 else (1.0, 2.0, 3.0, float(i)) for i in range(100)],
        np.where(np.arange(100)[:, None] % 5 == 0, np.nan, np.ones((100, 4))),
        [np.full(2 + i % 2, np.nan) if i % 5 == 0 else np.zeros(2 + i % 2) for i in range(100)],
        np.where(np.arange(100) % 5 == 0, np.nan, 1.0)[:, None],
        np.where(np.arange(100) % 5 == 0, np.datetime64("NaT"), np.datetime64("2024-01-01")),
        [np.datetime64("2024-01-01" if i % 5 else "NaT") for i in range(100)],
        ["x" if i % 5 else None for i in range(100)],
        Coded(np.where(np.arange(100) % 5 == 0, -1, 0).astype(np.int32), ["x"]),
    ],
)
def test_missing_is_a_value_of_its_own_and_arrays_are_there_or_not(column):
    parts = Arrays({"box": column}).split((0.5, 0.5), stratify="box")
    assert counts(parts, np.arange(100) % 5 == 0).tolist() == [[40, 10], [40, 10]]


TAGS = [("x", 0.05), ("y", 0.4), ("z", 0.8)]
DRAWN = np.random.default_rng(3).random((2000, 3)) < [share for _, share in TAGS]
UNKNOWN = np.arange(2000) % 8 == 0
NAMES = [[name for (name, _), here in zip(TAGS, row, strict=True) if here] for row in DRAWN]
FLAGS = np.where(UNKNOWN[:, None], np.nan, DRAWN)


@pytest.mark.parametrize(
    "column",
    [
        FLAGS,
        [None if gone else row.tolist() for row, gone in zip(DRAWN, UNKNOWN, strict=True)],
        [None if gone else names for names, gone in zip(NAMES, UNKNOWN, strict=True)],
        [None if gone else np.array(names, object) for names, gone in zip(NAMES, UNKNOWN, strict=True)],
    ],
)
def test_each_of_several_labels_is_balanced(column):
    halves = Arrays({"tags": column}).split((0.5, 0.5), stratify="tags")
    for label in (*(DRAWN.T & ~UNKNOWN), UNKNOWN):
        assert off(halves, (0.5, 0.5), label.astype(int)) < 3


@pytest.mark.parametrize("row", [[7, 12], ("x", None), {"x", 7}, [b"x"], np.array([3, 4, 5])])
def test_lists_that_are_not_balanced_by_their_labels_are_told(row):
    column = [None if i % 2 else row if i % 4 else ["x"] for i in range(40)]
    with pytest.warns(PolyheadWarning, match="only rows with and without a list are balanced. Give names"):
        Arrays({"tags": column}).split((0.5, 0.5), stratify="tags")
    names = [None if row is None else [str(one) for one in row if one is not None] for row in column]
    parts = Arrays({"tags": names}).split((0.5, 0.5), stratify="tags")
    assert counts(parts, np.arange(40) % 4).sum() == 40


def test_labels_in_pieces_and_of_few_rows():
    class Late(Source):
        def __len__(self):
            return 20_000

        def read(self, ids):
            return {"tags": [None if i < 10_000 else ["a", "b"][: i % 3] for i in ids.tolist()]}

    parts = Late().split((0.5, 0.5), stratify="tags")
    ids = np.arange(20_000)
    assert off(parts, (0.5, 0.5), np.where(ids < 10_000, 3, ids % 3)) < 2


def test_a_column_on_disk_is_read_in_pieces(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["y"] = np.arange(20_000) % 3
        file["mask"] = np.where(np.arange(20_000)[:, None, None] % 4 == 0, np.nan, np.ones((20_000, 2, 2)))
        source = Arrays({"y": file["y"], "mask": file["mask"]})
        parts = source.split((0.5, 0.5), stratify=["y", "mask"])
        assert off(parts, (0.5, 0.5), np.arange(20_000) % 3 * 2 + (np.arange(20_000) % 4 == 0)) < 2


def test_pieces_of_a_column_may_differ():
    class Late(Source):
        def __len__(self):
            return 20_000

        def read(self, ids):
            return {"box": [None if i < 10_000 else np.zeros(4) for i in ids.tolist()]}

    parts = Late().split((0.5, 0.5), stratify="box")
    assert [int((part.ids < 10_000).sum()) for part in parts] == [5000, 5000]


def test_a_dict_of_fractions_gives_a_dict():
    parts = Arrays({"x": np.arange(10)}).split({"train": 0.7, "val": 0.3})
    assert {name: len(part) for name, part in parts.items()} == {"train": 7, "val": 3}


def test_a_million_rows_are_quick():
    random = np.random.default_rng(0)
    rows = 1_000_000
    source = Arrays(
        {"a": random.integers(0, 12, rows), "b": random.normal(size=rows), "c": random.integers(0, 99, rows)}
    )
    start = time.process_time()
    parts = source.split((0.8, 0.2), stratify=["a", "b", "c"])
    assert time.process_time() - start < 15  # about 1.5 s of work, whoever else works
    assert [len(part) for part in parts] == [800_000, 200_000]


# With a group ----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), min_size=20, max_size=300), shares(), st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_a_group_stands_in_one_part(groups, fractions, seed):
    source = Arrays({"g": groups, "y": np.arange(len(groups)) % 3})
    if len(set(groups)) < len(fractions):
        return
    parts = source.split(fractions, group="g", stratify="y", seed=seed)
    found = [{groups[i] for i in part.ids} for part in parts]
    assert all(found)
    assert len(set().union(*found)) == sum(map(len, found))
    ids = np.concatenate([part.ids for part in parts])
    assert len(np.unique(ids)) == len(ids)
    if sum(fractions) > 1 - 1e-9:
        assert len(ids) == len(groups)
    for names, part in zip(found, parts, strict=True):
        assert sum(groups.count(name) for name in names) == len(part)


def test_groups_are_near_their_shares_and_strata():
    random = np.random.default_rng(0)
    patient = (random.random(20_000) ** 2 * 800).astype(int)
    ill = (random.random(20_000) < 0.1 + 0.3 * (patient % 3 == 0)).astype(int)
    source = Arrays({"patient": patient, "ill": ill})
    fractions = (0.7, 0.15, 0.15)
    parts = source.split(fractions, group="patient", stratify="ill")
    assert off(parts, fractions, np.zeros(20_000)) < 20
    assert off(parts, fractions, ill) < 20


def test_a_group_larger_than_a_part_goes_to_the_large_part():
    groups = np.repeat(np.arange(9), [60, 5, 5, 5, 5, 5, 5, 5, 5])
    train, val = Arrays({"g": groups}).split((0.8, 0.2), group="g")
    assert (len(train), len(val)) == (80, 20)
    assert groups[val.ids].min() > 0


@pytest.mark.parametrize("fractions", [(0.98, 0.01, 0.01), (0.01, 0.01, 0.01)])
def test_no_part_stays_empty_while_there_are_groups(fractions):
    parts = Arrays({"g": ["a", "a", "b", "b", "c"]}).split(fractions, group="g")
    assert all(len(part) for part in parts)


@pytest.mark.parametrize(
    "names", [["a", "b"], [2**60, 2**60 + 1], [2**70, 2**70 + 1], [0.5, 0.25], [b"a", b"b"]]
)
def test_groups_have_names_of_any_kind(names):
    parts = Arrays({"g": [names[i % 2] for i in range(10)]}).split((0.5, 0.5), group="g")
    assert {tuple(part.ids % 2) for part in parts} == {(0,) * 5, (1,) * 5}


@pytest.mark.parametrize("names", [[7, "7"], [7.0, "7"], ["a", "a "]])
def test_groups_that_are_likely_one_are_warned_of(names):
    data = {"g": names * 5}
    with pytest.warns(PolyheadWarning, match="`g`: expected groups that differ in more than spaces and type"):
        Arrays(data).split((0.5, 0.5), group="g")
    assert len(Arrays({"g": [1.0, np.inf] * 5}).split((0.5, 0.5), group="g")) == 2


# Errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        (0.8, f"{FRACTIONS}, got 0.8."),
        ("all", f"{FRACTIONS}, got 'all'."),
        ((), f"{FRACTIONS}, got none."),
        ({}, f"{FRACTIONS}, got none."),
        ((0.8, 0), f"{FRACTIONS}, got 0 for part 1."),
        ({"train": 0.8, "val": -0.2}, f"{FRACTIONS}, got -0.2 for part 'val'."),
        ((80, 20), f"{FRACTIONS}, got 80 for part 0."),
        ((0.5, float("nan")), f"{FRACTIONS}, got nan for part 1."),
        ((0.8, 0.3), f"{FRACTIONS}, got a sum of 1.1."),
        (
            (0.05,) * 13,
            "fractions: expected at least one row for each of 13 parts, got 10 rows.",
        ),
        (
            {"train": 0.99, "val": 0.01},
            "fractions: expected at least one row in each part, got none in part 'val', whose share is "
            "0.01 of 10 rows. Give it a larger fraction.",
        ),
    ],
)
def test_wrong_fractions_are_an_error(fractions, expected):
    assert message(Arrays({"x": np.arange(10)}), fractions) == expected


def test_other_mistakes_are_errors():
    source = Arrays(
        {
            "patient": ["a", "b", None, "a"],
            "coded": Coded(np.array([0, -1, 0, 0], np.int32), ["a"]),
            "number": [1.0, 2.0, 3.0, float("nan")],
            "named": ["a", float("nan"), float("nan"), "b"],
            "rounded": [1.0, 2.0**60, 3.0, None],
            "box": np.zeros((4, 4)),
            "one": [1, 1, 1, 1],
        }
    )
    fix = "Give such rows a separate group, or leave them out with select()."
    half = (0.5, 0.5)
    assert message(source, half, group="patient") == (
        f"column `patient`, row 2: expected a group for every row, got None. {fix}"
    )
    assert message(source, half, group="coded") == (
        f"column `coded`, row 1: expected a group for every row, got no value. {fix}"
    )
    assert message(source, half, group="number") == (
        f"column `number`, row 3: expected a group for every row, got nan. {fix}"
    )
    assert message(source, half, group="named") == (
        f"column `named`, row 1: expected a group for every row, got nan. {fix}"
    )
    assert message(source, half, group="rounded") == (
        "column `rounded`, row 1: expected ids that floats hold exactly, got 1.152921504606847e+18. "
        "pandas makes floats of integers beside missing ones: read them as Int64, or as text."
    )
    assert message(source, half, group="box") == (
        "column `box`: expected one number or name per row, to group by, got arrays."
    )
    assert message(source, half, group=["patient", "one"]) == (
        "split(group=): expected the name of one column, got ['patient', 'one']. Combine several columns into "
        "one column of the data first."
    )
    assert message(source, half, group="one") == (
        "fractions: expected at least one group for each of 2 parts, got 1 group in column `one`."
    )
    assert message(source, half, stratify=["ones"]) == (
        "column `ones`: expected a column of the data (patient, coded, number, named, rounded, box, one), got no such "
        "column. Did you mean `one`?"
    )
    assert message(source, half, seed=None) == "seed: expected an integer, got None."
    assert message(source.select([]), half) == "data: expected rows to split, got an empty source."
