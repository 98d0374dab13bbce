"""Sources that lack columns of each other, joined with ``join="outer"``."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyhead as ph
from polyhead.columns.values import Coded
from polyhead.errors import ContractError, DataError
from polyhead.sources.arrays import Arrays
from polyhead.sources.source import Source

ROWS = 5
RNG = np.random.default_rng(3)


class Disk(Source):
    """Columns that are read and never in memory."""

    def __init__(self, columns):
        self._rows = Arrays(columns)

    def __len__(self):
        return len(self._rows)

    def read(self, ids):
        return self._rows.read(ids)


COLUMNS = {
    "flags": np.array([True, False, True, False, True]),
    "bytes": np.arange(ROWS, dtype=np.uint8),
    "whole": np.arange(ROWS) - 2,
    "large": np.arange(ROWS) + 2**60,
    "floats": RNG.normal(size=ROWS).astype("float32"),
    "vectors": RNG.normal(size=(ROWS, 3)),
    "many": RNG.integers(0, 2, (ROWS, 4)),
    "masks": RNG.integers(0, 2, (ROWS, 4, 4)).astype(np.uint8),
    "depth": RNG.normal(size=(ROWS, 4, 4)).astype("float32"),
    "words": ["a", "b", None, "d", "e"],
    "coded": Coded(np.array([0, 1, -1, 0, 1], np.int32), ["cat", "dog"], ordered=True),
    "lists": [[1], [], [2, 3], None, [4]],
    "dates": np.arange(ROWS).astype("M8[D]"),
    "objects": [np.zeros((k, 4)) for k in range(ROWS)],
}


def plain(value):
    """A value that can be compared; None for all that is missing."""
    if isinstance(value, np.ndarray) and value.ndim:
        if value.dtype.kind == "f" and value.size and np.isnan(value).all():
            return None
        return value.tolist()
    if value is None or (isinstance(value, (float, np.floating, np.datetime64)) and value != value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def rows_of(source, name, ids=None):
    values = source.only([name]).read(np.arange(len(source)) if ids is None else ids)[name]
    return [plain(v) for v in (values.values() if isinstance(values, Coded) else values)]


SHAPES = {
    "arrays": Arrays,
    "disk": Disk,
    "rows": lambda columns: Arrays(columns).select(np.arange(ROWS)),
    "concat": lambda columns: (
        Arrays(columns).select(slice(0, 2)).concat(Arrays(columns).select(slice(2, ROWS)))
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(("left", "right"), list(itertools.product(SHAPES, repeat=2)))
def test_a_column_that_a_source_lacks_is_missing_there(name, left, right):
    one = SHAPES[left]({"x": np.arange(ROWS), name: COLUMNS[name]})
    two = SHAPES[right]({"x": np.arange(ROWS) + 10, "other": np.arange(ROWS)})
    for both, start in ((one.concat(two, join="outer"), 0), (two.concat(one, join="outer"), ROWS)):
        there = range(start, start + ROWS)
        full = [plain(v) for v in (COLUMNS[name].values() if name == "coded" else COLUMNS[name])]
        want = [full[i - start] if i in there else None for i in range(2 * ROWS)]
        assert rows_of(both, name) == want
        order = RNG.permutation(2 * ROWS)
        assert rows_of(both, name, order) == [want[i] for i in order]
        whole = both.column(name)
        if whole is not None:
            assert rows_of(Arrays({name: whole}), name) == want
        # an array of integers or bytes would promise that no label is missing in any batch
        for i in (start, start + 1, ROWS - start):
            kind = getattr(both.read(np.array([i]))[name], "dtype", np.dtype(object)).kind
            assert kind not in "iub"


def test_the_form_of_each_gap():
    one, two = Arrays({"x": np.arange(ROWS), **COLUMNS}), Arrays({"x": np.arange(2)})
    rows = one.concat(two, join="outer").read(np.array([ROWS, 1]))
    assert {name: str(rows[name].dtype) for name in ("bytes", "whole", "floats", "vectors", "many")} == {
        "bytes": "float64",
        "whole": "float64",
        "floats": "float32",
        "vectors": "float64",
        "many": "float64",
    }
    assert plain(rows["large"][0]) is None
    assert rows["large"][1] == 2**60 + 1
    assert rows["masks"][0] is None
    assert rows["masks"][1].dtype == np.uint8
    assert rows["depth"].dtype == np.float32
    assert rows["coded"] == [None, "dog"]
    assert rows["flags"] == [None, False]
    assert one.concat(two, join="outer").coded(np.array([ROWS, 1]))["coded"].ordered
    assert rows["x"].dtype == np.int64


def test_columns_of_all_sources_in_order_and_only_some_of_them():
    sources = [Arrays({"a": [1], "b": [2]}), Arrays({"c": ["u"], "b": [3]}), Arrays({"d": [0.5]})]
    both = sources[0].concat(*sources[1:], join="outer")
    assert both.columns == ("a", "b", "c", "d")
    assert both.only(["d", "a"]).read(np.arange(3))["d"].tolist()[2] == 0.5
    assert both.only(["c"]).read(np.array([2, 1]))["c"] == [None, "u"]
    inner = sources[0].concat(sources[1], join="inner")
    assert inner.columns == ("b",)
    assert inner.read(np.arange(2))["b"].tolist() == [2, 3]


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sets(st.sampled_from("abc"), min_size=1)), min_size=2, max_size=4
    ),
    st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_a_mixture_of_partial_sources_is_the_mixture_of_their_rows(parts, seed):
    sources, start = [], 0
    for rows, names in parts:
        sources.append(Arrays({name: np.arange(start, start + rows) for name in ["id", *sorted(names)]}))
        start += rows
    weights = np.random.default_rng(seed).uniform(0.2, 3, len(parts)).tolist()
    mixed = sources[0].mix(*sources[1:], weights=weights, join="outer")
    found = mixed.read(np.arange(len(mixed)))
    owner = np.searchsorted(np.cumsum([rows for rows, _ in parts]), found["id"], side="right")
    for name in mixed.columns[1:]:
        want = [i if name in parts[s][1] else None for i, s in zip(found["id"].tolist(), owner, strict=True)]
        assert [plain(v) for v in found[name]] == want


def test_tables_keep_their_categories():
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(
        {
            "x": [1.0, 2.0],
            "size": pandas.Categorical(["S", "L"], categories=["S", "M", "L"], ordered=True),
            "count": pandas.array([1, None], dtype="Int64"),
        }
    )
    table = pyarrow.table(
        {"x": [3.0], "tags": [["a", "b"]], "kind": ["dog"], "when": pyarrow.array([0], pyarrow.date32())}
    )
    both = ph.read_table(frame).concat(ph.read_table(table), join="outer")
    assert [rows_of(both, name) for name in ("size", "count", "tags", "kind")] == [
        ["S", "L", None],
        [1.0, None, None],
        [None, None, ["a", "b"]],
        [None, None, "dog"],
    ]
    assert both.column("size").categories == ["S", "M", "L"]
    assert both.column("size").ordered
    assert rows_of(both, "when")[:2] == [None, None]
    feed = ph.Feed(both, inputs="x", heads={"size": ph.Categorical(), "tags": ph.MultiLabel()}, batch_size=3)
    assert feed.heads["size"].names == ("S", "M", "L")
    weights = feed.peek()[2]
    assert weights["size"].tolist() == [1, 1, 0]
    assert weights["tags"].tolist() == [0, 0, 1]


def test_a_folder_of_classes_and_a_file_of_boxes(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for kind in ("cat", "dog"):
        (tmp_path / "kinds" / kind).mkdir(parents=True)
        image.new("RGB", (8, 8)).save(tmp_path / "kinds" / kind / "0.png")
    (tmp_path / "found").mkdir()
    image.new("RGB", (8, 8)).save(tmp_path / "found" / "1.png")
    (tmp_path / "found.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "1.png", "width": 8, "height": 8}],
                "categories": [{"id": 1, "name": "nose"}],
                "annotations": [
                    {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3], "area": 9, "iscrowd": 0}
                ],
            }
        )
    )
    folder = ph.read_folder(tmp_path / "kinds")
    coco = ph.read_coco(tmp_path / "found.json", tmp_path / "found")
    kinds = ph.Categorical(["nose", "tail"], each="boxes")
    heads = {"label": ph.Categorical(), "boxes": ph.Boxes(2), "labels": kinds}
    for both, order in (
        (folder.concat(coco, join="outer"), [0, 1, 2]),
        (coco.concat(folder, join="outer"), [1, 2, 0]),
        (folder.mix(coco, weights=(2, 1), join="outer"), None),
    ):
        for augment in ((), [ph.Flip()]):
            feed = ph.Feed(both, inputs={"image": ph.Image(8, 8)}, heads=heads, augment=augment, batch_size=3)
            weights = feed.peek()[2]
            assert weights["label"].sum() == 2
            assert weights["boxes"].sum() == 1
            if order is not None:
                assert weights["label"][order].tolist() == [1, 1, 0]
                assert weights["boxes"][order].tolist() == [[0, 0], [0, 0], [1, 0]]
                assert weights["labels"][order].tolist() == [[0, 0], [0, 0], [1, 0]]


def test_a_store(tmp_path):
    pytest.importorskip("pyarrow")
    ph.pack(Arrays({"x": np.arange(4.0), "sold": [1, 0, 1, 1]}), tmp_path / "store")
    store = ph.open_store(tmp_path / "store")
    both = store.concat(Arrays({"x": [9.0], "price": [5.0]}), join="outer")
    heads = {"sold": ph.Binary(), "price": ph.Regression()}
    feed = ph.Feed(both, inputs="x", heads=heads, batch_size=5)
    _, labels, weights = feed.peek()
    assert weights["sold"].tolist() == [1, 1, 1, 1, 0]
    assert weights["price"].tolist() == [0, 0, 0, 0, 1]
    assert labels["price"].ravel().tolist() == [0, 0, 0, 0, 5]


HEADS = {
    "flags": ph.Binary(),
    "bytes": ph.Categorical(ROWS),
    "whole": ph.Regression(),
    "vectors": ph.Regression(3),
    "many": ph.MultiLabel(4),
    "masks": ph.Mask(),
    "ids": ph.Mask(3),
    "depth": ph.Regression((4, 4)),
    "map": ph.Map(),
    "coded": ph.Categorical(),
    "tags": ph.MultiLabel(),
    "box": ph.Boxes(1),
    "boxes": ph.Boxes(3),
    "points": ph.Keypoints(2),
    "unit": ph.Embedding(3),
}
LABELS = {
    **{name: COLUMNS[name] for name in ("flags", "bytes", "whole", "vectors", "many", "masks", "depth")},
    "ids": RNG.integers(0, 3, (ROWS, 4, 4)).astype(np.uint8),
    "map": COLUMNS["depth"],
    "coded": ["cat", "dog", "cat", "cat", "dog"],
    "tags": [["a"], [], ["b", "a"], [], ["b"]],
    "box": np.tile(np.array([0, 0, 2, 2], np.uint8), (ROWS, 1)),
    "boxes": [np.tile([0, 0, 2, 2], (1 + k % 3, 1)) for k in range(ROWS)],
    "points": RNG.integers(0, 4, (ROWS, 2, 2)),
    "unit": RNG.normal(size=(ROWS, 3)),
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", HEADS)
def test_each_head_is_missing_where_its_source_lacks_it(name, first):
    x = {"x": np.arange(ROWS, dtype="float32")}
    one, two = Disk({**x, name: LABELS[name]}), Disk(x)
    both = one.concat(two, join="outer") if first else two.concat(one, join="outer")
    alone = ph.Feed(one, inputs="x", heads={name: HEADS[name]}, batch_size=ROWS).peek()[1][name]
    feed = ph.Feed(both, inputs="x", heads={name: HEADS[name]}, batch_size=2 * ROWS)
    _, labels, weights = feed.peek()
    here, gone = (slice(0, ROWS), slice(ROWS, None)) if first else (slice(ROWS, None), slice(0, ROWS))
    assert np.array_equal(labels[name][here], alone)
    assert not weights[name][gone].any()
    assert weights[name][here].reshape(ROWS, -1).any(1).all()
    assert (labels[name][gone] == (-1 if isinstance(HEADS[name], ph.Boxes) else 0)).all()


def test_an_input_that_a_source_lacks_is_an_error_with_its_row():
    rows = {
        "numbers": (np.arange(3.0), ph.Array()),
        "vectors": (np.ones((3, 2), int), ph.Array(dtype="float32")),
        "pixels": (np.zeros((3, 4, 4, 3), np.uint8), ph.Image()),
    }
    for name, (column, kind) in rows.items():
        one = Arrays({name: column, "y": [1, 0, 1]})
        both = one.concat(Arrays({"y": [0]}), join="outer")
        with pytest.raises(DataError, match=f"input `{name}`, row 3: "):
            next(iter(ph.Feed(both, inputs={name: kind}, heads={"y": ph.Binary()}, batch_size=4)))


def test_a_strict_join_names_what_is_lacking_and_the_way_out():
    one, two = Arrays({"x": [1], "sold": [1]}), Arrays({"x": [2], "kind": ["a"]})
    with pytest.raises(
        DataError, match=r"got no `sold` and `kind` in addition\. Use concat\(other, join=\"outer\"\)"
    ):
        one.concat(two)
    with pytest.raises(DataError, match=r"Use mix\(other, weights=\.\.\., join=\"outer\"\)"):
        one.mix(two, weights=(1, 1))
    with pytest.raises(
        ContractError, match=r'concat\(join=\): expected one of "exact", "outer", "inner", got \'left\''
    ):
        one.concat(two, join="left")
    with pytest.raises(DataError, match="column `x`: expected numbers in all sources"):
        one.concat(Arrays({"x": ["a"]}), join="outer")
    with pytest.raises(DataError, match="the sources have no column in common"):
        Arrays({"a": [1]}).concat(Arrays({"b": [1]}), join="inner")


@pytest.mark.parametrize("first", ["whole", "masks"])
def test_an_error_counts_sources_without_rows_and_does_not_depend_on_their_order(first):
    second = {"whole": "masks", "masks": "whole"}[first]
    none, lacking = Arrays({"y": COLUMNS["whole"]}).select([]), Arrays({"x": np.arange(2)})
    sources = [Arrays({"y": COLUMNS[name]}) for name in (first, second)]
    with pytest.raises(DataError, match=r"as in source 1, got \(.*\) in source 2"):
        none.concat(*sources, lacking, join="outer")


@pytest.mark.parametrize(
    "joined", [lambda a, b: a.concat(b, join="outer"), lambda a, b: b.concat(a, join="outer")]
)
def test_images_without_objects_do_not_make_others_annotated(joined):
    empty = ph.read_table({"x": [0.0, 0.0], "box": np.zeros((2, 0, 4))})
    source = joined(empty, ph.read_table({"x": [1.0, 1.0, 1.0]}))
    heads = {"there": ph.Binary(each="box", column="box"), "box": ph.Boxes(1)}
    x, _, weights = ph.Feed(source, inputs="x", heads=heads).peek()
    assert (weights["there"][:, 0] == (x["x"][:, 0] == 0)).all()
