"""A generator brought along: begun anew, bounded, safe for threads, and checked on the way."""

import functools
import gc
import threading

import keras
import numpy as np
import pytest

import polyhead as ph

ROWS = 50


def batches(rows=ROWS, size=8, started=None):
    if started is not None:
        started.append(threading.get_ident())
    for start in range(0, rows, size):
        ids = np.arange(start, min(start + size, rows))
        x = np.stack([ids, ids**2], 1).astype("float32")
        yield x, ((ids % 2)[:, None], np.where(ids % 5, ids / 10, np.nan))


def endless():
    while True:
        yield from batches()


NAMES = ("x", ("odd", "size"))
HEADS = {"odd": ph.Binary(), "size": ph.Regression()}


def ids_of(feed, epochs=1):
    return [x["x"][:, 0].astype(int).tolist() for _ in range(epochs) for x, *_ in feed]


@pytest.mark.parametrize("function", [batches, endless])
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_every_epoch_is_the_whole_and_no_more(function, workers):
    feed = ph.Feed(
        ph.from_generator(function, length=ROWS, names=NAMES),
        inputs="x",
        heads=HEADS,
        batch_size=20,
        workers=workers,
    )
    wanted = [list(range(20)), list(range(20, 40)), list(range(40, 50))]
    assert ids_of(feed, epochs=3) == wanted * 3
    assert feed.epoch == 3
    (x, y, w), *_ = feed
    np.testing.assert_array_equal(x["x"][:, 1], np.arange(20.0) ** 2)
    assert y["odd"].tolist() == [[float(i % 2)] for i in range(20)]
    assert w["size"].tolist() == [float(i % 5 > 0) for i in range(20)]
    assert (w["odd"] == 1).all()


def test_the_same_batches_as_from_arrays():
    (x, (odd, size)) = (
        np.concatenate([b[0] for b in batches()]),
        [np.concatenate([b[1][i] for b in batches()]) for i in range(2)],
    )
    arrays = ph.Feed({"x": x, "odd": odd, "size": size}, inputs="x", heads=HEADS, batch_size=7)
    stream = arrays.on(ph.from_generator(endless, length=ROWS, names=NAMES))
    for mine, other in zip(stream.batches(), arrays.batches(), strict=True):
        np.testing.assert_array_equal(mine.ids, other.ids)
        for part in ("inputs", "labels", "weights"):
            for name, values in getattr(other, part).items():
                np.testing.assert_array_equal(getattr(mine, part)[name], values, strict=True)


def test_it_is_begun_anew_for_each_epoch_alone():
    started = []
    source = ph.from_generator(lambda: batches(started=started), length=ROWS, names=NAMES)
    feed = ph.Feed(source, inputs="x", heads=HEADS, batch_size=10)
    looked = len(started)
    assert looked == 1
    ids_of(feed, epochs=4)
    assert len(started) == looked + 4


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_reading_ends_before_the_next_begins(wrapped):
    """As a query whose connection has a single open result."""
    events = []

    def result():
        events.append("open")
        try:
            yield from endless()
        finally:
            events.append("close")

    function = (lambda: map(tuple, result())) if wrapped else result  # a map has no weak references
    feed = ph.Feed(
        ph.from_generator(function, length=ROWS, names=NAMES),
        inputs="x",
        heads=HEADS,
        batch_size=20,
        workers=0,
    )
    assert ids_of(feed, epochs=2)[3:] == [list(range(20)), list(range(20, 40)), list(range(40, 50))]
    gc.collect()
    if wrapped:
        assert events.count("open") - events.count("close") == 1  # the latest
    else:
        assert events == ["open", "close"] * 3


def test_two_readings_side_by_side_do_not_disturb_each_other():
    started = []
    source = ph.from_generator(lambda: batches(started=started), length=ROWS, names=NAMES)
    one = ph.Feed(source, inputs="x", heads=HEADS, batch_size=5)
    two = one.on(source, batch_size=10)
    pairs = list(zip(iter(one), iter(two), strict=False))
    assert [x["x"][0, 0] for (x, *_), _ in pairs] == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert [x["x"][0, 0] for _, (x, *_) in pairs] == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert len(started) == 3


def test_many_threads_may_read_it():
    source = ph.from_generator(batches, length=ROWS, names=NAMES)
    found = {}

    def read(start):
        found[start] = source.read(np.arange(start, start + 10))["x"][:, 0].tolist()

    threads = [threading.Thread(target=read, args=(start,)) for start in range(0, 50, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert found == {start: list(map(float, range(start, start + 10))) for start in range(0, 50, 10)}


def test_rows_come_in_the_order_asked_and_a_feed_goes_on_where_it_stood():
    source = ph.from_generator(batches, length=ROWS, names=NAMES)
    assert source.read(np.array([30, 4, 4, 17]))["x"][:, 0].tolist() == [30, 4, 4, 17]
    assert source.read(np.array([], np.int64))["x"].shape == (0, 2)
    feed = ph.Feed(source, inputs="x", heads=HEADS, batch_size=10)
    iterator = iter(feed)
    next(iterator), next(iterator)
    fresh = ph.Feed(source, inputs="x", heads=HEADS, batch_size=10).restore(feed.state())
    assert ids_of(fresh) == [list(range(s, s + 10)) for s in (20, 30, 40)]


def test_shards_take_their_rows():
    source = ph.from_generator(endless, length=ROWS, names=NAMES)
    parts = [
        ids_of(ph.Feed(source, inputs="x", heads=HEADS, batch_size=5, shard=(rank, 2))) for rank in range(2)
    ]
    assert sorted(row for part in parts for ids in part for row in ids) == list(range(50))


@pytest.mark.once
def test_it_trains_and_each_row_counts_once():
    source = ph.from_generator(endless, length=ROWS, names=NAMES)
    feed = ph.Feed(source, inputs="x", heads=HEADS, batch_size=16)
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, ph.outputs(inputs, feed))
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    rows = np.arange(ROWS)
    x = np.stack([rows, rows**2], 1).astype("float32")
    pred = model.predict(x, verbose=0)["size"][:, 0]
    there = rows % 5 > 0
    wanted = ((pred - rows / 10)[there] ** 2).mean()
    history = model.fit(feed, validation_data=feed.on(source), epochs=2, verbose=0).history
    assert np.allclose(history["size_loss"], wanted, rtol=1e-4)
    assert np.allclose(history["val_size_loss"], wanted, rtol=1e-4)
    with pytest.raises(
        ph.ContractError, match="The rows of a generator can't be split: write a generator for"
    ):
        model.fit(feed, validation_split=0.2, verbose=0)


@pytest.mark.parametrize(
    ("batch", "names", "columns"),
    [
        (np.ones((3, 2)), None, ("x",)),
        ((np.ones((3, 2)), np.ones(3)), None, ("x", "y")),
        ((np.ones((3, 2)), (np.ones(3), np.ones(3))), None, ("x", "y0", "y1")),
        ((np.ones((3, 2)), [np.ones(3), np.ones(3)]), None, ("x", "y0", "y1")),
        (([np.ones(3), np.ones(3)], np.ones(3)), None, ("x0", "x1", "y")),
        (({"a": np.ones(3), "b": np.ones(3)}, {"c": ["u", "v", "w"]}), None, ("a", "b", "c")),
        ((np.ones(3), {"y": np.ones(3), "z": np.ones(3)}), ("x", {"y": "p", "z": "q"}), ("x", "p", "q")),
        ((np.ones(3), np.ones(3), np.ones(3)), ("x", "y", "w"), ("x", "y", "w")),
    ],
)
def test_columns_are_named_by_keys_by_place_or_as_told(batch, names, columns):
    source = ph.from_generator(lambda: iter([batch]), length=3, names=names)
    assert source.columns == columns
    assert all(len(values) == 3 for values in source.read(np.arange(3)).values())


def wrong(batch_of, length=ROWS, names=NAMES):
    def generator():
        for number, batch in enumerate(batches()):
            yield batch_of(number, batch)

    source = ph.from_generator(generator, length=length, names=names)
    with pytest.raises(ph.DataError) as error:
        source.read(np.arange(length))
    return str(error.value)


def test_an_end_that_comes_too_early():
    assert wrong(lambda n, b: b, length=60) == (
        "generator `generator`: expected 60 rows, as given by length=, got 50. Set length=50, or yield "
        "more rows."
    )
    empty = ph.from_generator(lambda: iter(()), length=5)
    with pytest.raises(ph.DataError, match=r"expected 5 rows, .* got 0. It must yield batches"):
        _ = empty.columns


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda n, b: None if n == 2 else b,
            "generator `generator`, batch 2: expected a batch (x, y), got None. Remove the yield, or yield a "
            "batch.",
        ),
        (
            lambda n, b: (b[0], b[1][0]) if n == 3 else b,
            "generator `generator`, batch 3: expected the structure of batch 0, [0], [1][0], [1][1], got [0], [1].",
        ),
        (
            lambda n, b: (b[0][:-1], b[1]) if n == 1 else b,
            "generator `generator`, batch 1: expected parts of one length, got `x` 7, `odd` 8, `size` 8.",
        ),
        (
            lambda n, b: (b[0], (np.float32(1), b[1][1])) if n == 1 else b,
            "generator `generator`, batch 1, column `odd`: expected an array (B, ...), got a single value. Yield "
            "batches: arrays with one entry per row.",
        ),
        (
            lambda n, b: (b[0][:0], (b[1][0][:0], b[1][1][:0])) if n == 1 else b,
            "generator `generator`, batch 1: expected at least one row, got none. Don't yield empty batches.",
        ),
        (
            lambda n, b: [][n] if n == 4 else b,
            "generator `generator`, batch 4: expected a batch, got IndexError: list index out of range.",
        ),
    ],
)
def test_what_is_wrong_with_a_batch_is_named(change, words):
    assert wrong(change) == words


@pytest.mark.parametrize("batch_size", [3, 8, 20])
def test_a_generator_may_fill_the_same_arrays_again(batch_size):
    x, odd, size = np.empty((8, 2), "float32"), np.empty((8, 1)), np.empty(8)

    def filling():
        for inputs, (one, other) in batches(rows=48):
            x[:], odd[:], size[:] = inputs, one, other
            yield x, (odd, size)

    def rows(function):
        source = ph.from_generator(function, length=48, names=NAMES)
        feed = ph.Feed(source, inputs="x", heads=HEADS, batch_size=batch_size)
        feed.peek()
        return [np.concatenate([batch.inputs["x"][:, 1] for batch in feed.batches()])] + [
            np.concatenate([batch.labels[name] for batch in feed.batches()]) for name in HEADS
        ]

    for got, wanted in zip(rows(filling), rows(lambda: batches(rows=48)), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_generator_may_fill_the_same_arrays_of_unequal_size_again():
    small, large = np.empty((4, 2)), np.empty((4, 3))

    def filling():
        for value in range(3):
            small[:], large[:] = value, 10 + value
            yield {"x": [small, large]}, np.full(2, value)

    rows = ph.from_generator(filling, length=6).read(np.arange(6))
    assert [row[0, 0] for row in rows["x"]] == [0, 10, 1, 11, 2, 12]


@pytest.mark.parametrize(
    "started",
    [batches(), endless(), zip(np.ones((5, 2)), np.ones((5, 2)), strict=True)],
    ids=["ends", "endless", "zip"],
)
def test_an_iterator_that_was_begun_before_is_refused(started):
    source = ph.from_generator(lambda: started, length=2, names=None)
    assert len(source.columns) > 1
    with pytest.raises(
        ph.DataError, match="generator `<lambda>`: expected a new iterator from each call, got the same"
    ):
        source.read(np.arange(2))


def test_an_iterator_that_begins_anew_by_itself():
    class Batches:
        def __iter__(self):
            self.left = batches()
            return self

        def __next__(self):
            return next(self.left)

    made = Batches()
    feed = ph.Feed(
        ph.from_generator(lambda: made, length=ROWS, names=NAMES), inputs="x", heads=HEADS, batch_size=ROWS
    )
    assert ids_of(feed, epochs=2) == [list(range(ROWS))] * 2


def test_two_readings_of_an_iterator_that_begins_anew_do_not_mix():
    class Batches:
        def __iter__(self):
            self.left = batches(size=5)
            return self

        def __next__(self):
            return next(self.left)

    made = Batches()
    source = ph.from_generator(lambda: made, length=ROWS, names=NAMES)
    one = ph.Feed(source, inputs="x", heads=HEADS, batch_size=10, workers=0)
    pairs = zip(iter(one), iter(one.on(source)), strict=True)
    assert [[int(x["x"][0, 0]) for x, *_ in pair] for pair in pairs] == [[i, i] for i in range(0, 50, 10)]


def test_a_dataset_that_is_also_an_iterator_begins_with_its_first_batch():
    class Flow(keras.utils.PyDataset):  # as those of `ImageDataGenerator`
        def __len__(self):
            return 5

        def __getitem__(self, i):
            return np.arange(i * 10.0, i * 10.0 + 10), np.zeros(10)

        def __iter__(self):
            return self

        def __next__(self):
            self.at = getattr(self, "at", -1) + 1
            return self[self.at % 5]

    flow = Flow()
    source = ph.from_generator(lambda: flow, length=50)
    assert source.first_rows("x").tolist() == list(range(32))
    assert [source.read(np.arange(50))["x"].tolist() for _ in range(2)] == [list(range(50))] * 2
    with pytest.raises(ph.DataError, match="Pass a function that returns it, as lambda: loader"):
        ph.from_generator(flow, length=50)


def test_more_labels_in_a_row_are_named_one_by_one():
    batch = [np.ones(2), np.zeros(2), np.full(2, 3), np.full(2, 4)]
    rows = ph.from_generator(lambda: iter([batch]), length=2, names=("x", "a", "b", "c"))
    assert {name: values[0] for name, values in rows.read(np.arange(2)).items()} == {
        "x": 1,
        "a": 0,
        "b": 3,
        "c": 4,
    }


def test_parts_that_are_none():
    x, odd, size = np.ones(4), np.zeros(4), np.arange(4.0)
    read = {"x": x.tolist(), "odd": odd.tolist(), "size": size.tolist()}
    for batch, names, more in (
        ((x, {"odd": odd, "size": size}, None), None, {}),
        ((x, (odd, size), None), ("x", ("odd", "size"), None), {}),
        ((x, (odd, size), None), ("x", ("odd", "size")), {}),
        ((x, (odd, size), (None, size)), ("x", ("odd", "size"), (None, "weight")), {"weight": size.tolist()}),
        ((x, [odd, size], [None, size]), ("x", ["odd", "size"], [None, "weight"]), {"weight": size.tolist()}),
    ):
        rows = ph.from_generator(lambda batch=batch: iter([batch]), length=4, names=names).read(np.arange(4))
        assert {name: values.tolist() for name, values in rows.items()} == read | more


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, 2, 3, 4], [1, None, 3, 4]),
        ([0.5, 2, 3, 4], [0.5, None, 3, 4]),
        (list("abcd"), ["a", None, "c", "d"]),
    ],
)
def test_what_a_masked_array_masks_is_missing(values, wanted):
    masked = np.ma.array(values, mask=[0, 1, 0, 0])
    rows = ph.from_generator(lambda: iter([(np.ones(4), masked)]), length=4).read(np.arange(4))
    assert [None if value is None or value != value else value for value in rows["y"]] == wanted


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_such_as_the_chunks_of_a_file(library):
    frames = pytest.importorskip(library)
    columns = {"a": [1.0, 2.0], "kind": ["u", "v"]}
    rows = ph.from_generator(lambda: iter([frames.DataFrame(columns)] * 2), length=4).read(np.arange(4))
    assert {name: list(values) for name, values in rows.items()} == {"a": [1, 2, 1, 2], "kind": list("uvuv")}


@pytest.mark.parametrize("form", ["table", "batch"])
def test_batches_of_arrow_such_as_those_of_a_query(form):
    arrow = pytest.importorskip("pyarrow")
    columns = {
        "size": arrow.array([1.5, None]),
        "count": arrow.array([1, None]),
        "kind": arrow.array(["u", None]).dictionary_encode(),
        "box": arrow.array([[1, 2], [3, 4]], arrow.list_(arrow.int8(), 2)),
        "tags": arrow.array([["a"], []]),
    }
    batch = arrow.table(columns) if form == "table" else arrow.RecordBatch.from_pydict(columns)
    rows = ph.from_generator(lambda: iter([batch] * 2), length=4).read(np.arange(4))
    np.testing.assert_array_equal(rows["size"], [1.5, np.nan] * 2)
    np.testing.assert_array_equal(rows["count"], [1, np.nan] * 2)
    assert rows["kind"].tolist() == ["u", None] * 2
    np.testing.assert_array_equal(rows["box"], np.array([[1, 2], [3, 4]] * 2, np.int8), strict=True)
    assert rows["tags"].tolist() == [["a"], []] * 2


@pytest.mark.once
def test_parts_of_pandas_in_another_order_and_sparse_parts():
    pandas, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    y = pandas.Series([0, 2, 1])
    batch = {"x": sparse.eye(3, format="csr"), "y": y, "z": y.sort_values()}
    with pytest.raises(
        ph.DataError, match=r"^generator `.*`, batch 0, column `z`: expected the index of `y`, in its"
    ):
        ph.from_generator(lambda: iter([batch]), length=3).columns  # noqa: B018
    batch["z"] = y
    found = ph.from_generator(lambda: iter([batch]), length=3).read(np.arange(3))
    assert np.array_equal(found["x"], np.eye(3))
    batch["z"] = y.set_axis([2, 3, 4])
    with pytest.warns(ph.PolyheadWarning, match="with only 1 of its 3 labels") as warned:
        ph.from_generator(lambda: iter([batch] * 2), length=6).read(np.arange(6))
    assert len(warned) == 1


def test_chunks_of_pandas_give_the_values_of_the_whole_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "flag": pandas.Series([True, None, False, True], dtype="boolean"),
            "kind": pandas.Series(["u", None, "v", "u"], dtype="category"),
            "word": pandas.Series(["u", None, "v", "u"], dtype="string"),
            "bin": pandas.cut([1, 5, np.nan, 5], [0, 2, 9]),
        }
    )
    chunks = ph.from_generator(lambda: (frame[i : i + 2] for i in (0, 2)), length=4).read(np.arange(4))
    whole = ph.read_table(frame).read(np.arange(4))
    for name in frame:
        assert [None if v != v else v for v in chunks[name]] == [None if v != v else v for v in whole[name]]


def test_what_is_masked_or_a_tensor_in_a_list():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    masked = [np.ma.array([1.0, 2.0], mask=[0, 1]), np.ma.array([3.0, 4.0])]
    tensors = [torch.ones(2).bfloat16(), torch.zeros(2, requires_grad=True)]
    rows = ph.from_generator(lambda: iter([(tensors, masked)]), length=2, names=("x", "y")).read(np.arange(2))
    np.testing.assert_array_equal(rows["x"], [[1, 1], [0, 0]])
    np.testing.assert_array_equal(rows["y"], [[1, np.nan], [3, 4]])


def test_tensors_with_a_gradient_and_of_bfloat16():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def tensors():
        yield torch.ones(2, 3, requires_grad=True), torch.ones(2).bfloat16()

    rows = ph.from_generator(tensors, length=2).read(np.arange(2))
    assert (rows["x"].tolist(), rows["y"].tolist()) == ([[1] * 3] * 2, [1, 1])


def test_what_it_raised_is_the_cause():
    def generator():
        yield np.ones(3)
        raise OSError("disk is gone")

    source = ph.from_generator(generator, length=6)
    with pytest.raises(ph.DataError, match="batch 1: expected a batch, got OSError: disk is gone") as error:
        source.read(np.arange(6))
    assert isinstance(error.value.__cause__, OSError)
    with pytest.raises(ph.DataError, match="disk is gone"):  # it is begun anew, not gone on with
        source.read(np.arange(3, 6))
    assert source.read(np.arange(3))["x"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: ph.from_generator(batches(), length=5),
            "from_generator(): expected a function that returns an iterator, got <generator",
        ),
        (
            lambda: ph.from_generator([("x", "y")], length=5),
            "from_generator(): expected a function that returns an iterator, got [('x', 'y')]. Pass a function that "
            "returns it, as lambda: loader.",
        ),
        (
            lambda: ph.from_generator(lambda: None, length=5).columns,
            "generator `<lambda>`: expected an iterator, got None. It must yield batches (x, y).",
        ),
        (
            lambda: ph.from_generator(batches, length=0),
            "from_generator(length=): expected the rows of an epoch, an integer of at least 1, got 0.",
        ),
        (
            lambda: ph.from_generator(batches, length=ROWS, names=("x", "y")).columns,
            "from_generator(names=): expected names for [0], [1][0], [1][1], got ('x', 'y'). Nest the names like the "
            "batches: names=('x', ('y0', 'y1')).",
        ),
        (
            lambda: ph.from_generator(lambda: iter([(np.ones(2),) * 3]), length=2).columns,
            "generator `<lambda>`, batch 0: expected (x, y), got 3 parts. Name all parts: "
            'names=("x", ("a", "b"), ("weight_a", "weight_b")); use sample_weight= of a head. If they are x, y1, y2: '
            'names=("x", "y1", "y2").',
        ),
        (
            lambda: ph.from_generator(lambda: iter([(np.ones(2),) * 4]), length=2).columns,
            'generator `<lambda>`, batch 0: expected (x, y), got 4 parts. Name each part: names=("x", "y1", "y2", '
            "...).",
        ),
        (
            lambda: (
                ph.from_generator(lambda: iter([(np.ones(4), (np.ones(1), np.ones(1)))]), length=2).columns
            ),
            "generator `<lambda>`, batch 0: expected parts of one length, got `x` 4, `y0` 1, `y1` 1. If these are "
            "single rows, yield batches: x[None], y[None] is one of 1 row.",
        ),
        *[
            (
                lambda rows=rows, names=names: (
                    ph.from_generator(lambda: iter([rows]), length=2, names=names).columns
                ),
                "generator `<lambda>`, batch 0: expected a batch (x, y), or a dict of columns, got a list of rows. "
                "Yield columns: np.stack([x for x, y in rows]), np.array([y for x, y in rows]).",
            )
            for rows, names in (
                ([(np.ones(4), 1.0)] * 5, None),
                ([(np.ones(4), (np.ones(1), np.ones(1)))] * 2, ("x", ("odd", "size"))),
                ([(np.ones(4), 1.0, 2.0)] * 3, ("x", "odd", "size")),
            )
        ],
        (
            lambda: ph.from_generator(lambda path, size=2: batches(), length=2),
            "from_generator(): expected a function that takes no arguments, got one that needs path. Pass lambda: "
            "batches(...) instead.",
        ),
        (
            lambda: (
                ph.from_generator(lambda: iter([({"a": np.ones(2)}, {"a": np.ones(2)})]), length=2).columns
            ),
            "generator `<lambda>`, batch 0: expected distinct names for its parts, got `a` twice. Give names=, "
            "nested like the batches.",
        ),
        *[
            (
                lambda batch=batch: ph.from_generator(lambda: iter([batch]), length=2).columns,
                "generator `<lambda>`, batch 0: expected a batch (x, y), or a dict of columns, got a list of rows. "
                "Yield columns, {name: [row[name] for row in rows] for name in rows[0]}, or a tuple (x, y).",
            )
            for batch in ([{"i": 0}, {"i": 1}], [{"i": 0}], [{"a": np.ones(2)}, {"a": np.zeros(2)}])
        ],
        (
            lambda: ph.from_generator(batches, length=ROWS).split((0.5, 0.5)),
            "split(): expected rows that can be read in any order, got those of a generator. Give an array or a "
            "table, or write one generator function for each part.",
        ),
        (
            lambda: ph.Feed(
                ph.from_generator(batches, length=ROWS, names=NAMES), inputs="x", heads=HEADS, shuffle=True
            ),
            "Feed(shuffle=): expected False, got shuffle=True, for rows that can only be read in order. Shuffle in the "
            "generator itself, or give arrays, a table or a ph.Source.",
        ),
        (
            lambda: ph.Feed(
                ph.from_generator(batches, length=ROWS, names=NAMES),
                inputs="x",
                heads=HEADS,
                shuffle="blocks",
            ),
            "Feed(shuffle=): expected False, got shuffle='blocks', for rows that can only be read in order.",
        ),
        (
            lambda: ph.Feed(batches, inputs="x", heads=HEADS),
            "data: expected a mapping of arrays, a Source, a table or a path, got 'function'. For a generator, use "
            "ph.from_generator(function, length=rows).",
        ),
    ],
)
def test_wrong_use_is_said_at_once(make, words):
    with pytest.raises(ph.PolyheadError) as error:
        make()
    assert str(error.value).startswith(words)


def test_weights_that_it_yields_are_those_of_heads():
    def weighted():
        for x, (odd, size) in batches():
            yield x, (odd, np.nan_to_num(size)), (np.full(len(x), 2.0), (~np.isnan(size)) * 0.5)

    source = ph.from_generator(weighted, length=ROWS, names=("x", ("odd", "size"), ("w_odd", "w_size")))
    heads = {"odd": ph.Binary(sample_weight="w_odd"), "size": ph.Regression(sample_weight="w_size")}
    for batch in ph.Feed(source, inputs="x", heads=heads, batch_size=20).batches():
        np.testing.assert_array_equal(
            batch.weights["odd"], np.full(len(batch.ids), 2.0, "float32"), strict=True
        )
        wanted = np.where(batch.ids % 5, 0.5, 0).astype("float32")
        np.testing.assert_array_equal(batch.weights["size"], wanted, strict=True)


@pytest.mark.parametrize(
    ("batch", "names"),
    [
        ((np.ones(4), [np.zeros(4), np.full(4, 2)]), ("x", ["a", "b"])),
        ((np.ones(4), [np.zeros(4), np.full(4, 2)]), ["x", ("a", "b")]),
        ((np.ones(4), (np.zeros(4), np.full(4, 2))), ["x", ["a", "b"]]),
        ([np.ones(4), [np.zeros(4), np.full(4, 2)]], ("x", ("a", "b"))),
        ([np.ones(4), [[0, 0, 0, 0], [2, 2, 2, 2]]], ("x", ["a", "b"])),  # lists of values, by their names
        ((np.ones(4), {"q": np.full(4, 2), "p": np.zeros(4)}), ("x", {"p": "a", "q": "b"})),
        ([np.ones(4), {"a": np.zeros(4), "b": np.full(4, 2)}], None),  # as a DataLoader gives it
        ([{"x": np.ones(4)}, {"a": np.zeros(4), "b": np.full(4, 2)}], None),
    ],
)
def test_lists_name_what_tuples_do(batch, names):
    rows = ph.from_generator(lambda: iter([batch]), length=4, names=names).read(np.arange(4))
    plain = {name: np.asarray(values).tolist() for name, values in rows.items()}
    assert plain == {"x": [1] * 4, "a": [0] * 4, "b": [2] * 4}


def test_a_list_of_values_is_one_column():
    values = [[0, 1], [2, 3]]
    rows = ph.from_generator(lambda: iter([(np.ones(2), values)]), length=2, names=("x", "y"))
    assert rows.read(np.arange(2))["y"].tolist() == values


def test_the_keys_of_a_batch_may_come_in_another_order():
    parts = [{"a": np.zeros(2), "b": np.ones(2)}, {"b": np.ones(2), "a": np.zeros(2)}]
    rows = ph.from_generator(lambda: iter(parts), length=4).read(np.arange(4))
    assert rows["a"].tolist() == [0] * 4
    assert rows["b"].tolist() == [1] * 4


@pytest.mark.parametrize("length", [2.0, "2", True, None, np.float32(2)])
def test_a_length_is_an_integer(length):
    with pytest.raises(
        ph.DataError, match=r"from_generator\(length=\): expected the rows of an epoch, an integer"
    ):
        ph.from_generator(batches, length=length)
    assert len(ph.from_generator(batches, length=np.int64(5))) == 5


@pytest.mark.parametrize("nested", [lambda x, boxes: (x, {"box": boxes}), lambda x, boxes: (x, boxes)])
def test_a_list_of_one_array_for_each_row_is_one_part(nested):
    """The boxes of each image are as many arrays as there are images, and not as many parts of the batch."""
    counts = [1, 0, 2, 3]

    def batches():
        while True:
            yield nested(np.zeros((4, 3), np.float32), [np.full((n, 4), n, np.float32) for n in counts])

    source = ph.from_generator(batches, length=8)
    x, box = source.columns
    assert [len(row) for row in source.read([0, 1, 2, 3, 7])[box]] == [*counts, 3]
    assert source.read([0, 1])[x].shape == (2, 3)


@pytest.mark.parametrize(
    ("batch", "columns"),
    [
        ([np.ones((4, 2)), [np.zeros(4), np.ones((4, 3))]], ("x", "y0", "y1")),
        ([[np.ones(4), np.zeros(4)], np.ones(4)], ("x0", "x1", "y")),
        ((np.ones(4), [[np.zeros(4)], [np.zeros(4), np.ones(4)], [], [np.ones(4)]]), ("x", "y")),
    ],
    ids=["outputs", "inputs", "arrays of each row"],
)
def test_a_list_of_arrays_beside_an_array_has_parts(batch, columns):
    assert ph.from_generator(lambda: iter([batch]), length=4).columns == columns


def test_a_list_of_arrays_of_the_length_of_the_batch_has_parts():
    def batches():
        while True:
            yield np.zeros((2, 3), np.float32), [np.zeros((2, 1)), np.ones((2, 4))]

    assert ph.from_generator(batches, length=4).columns == ("x", "y0", "y1")


def test_large_ids_stay_what_they_are_beside_floats():
    batches = [{"id": np.array([2**60 + 1, 2**60 + 2])}, {"id": np.array([0.5, 1.5])}]
    rows = ph.from_generator(lambda: iter(batches), length=4).read(np.arange(4))
    assert list(rows["id"]) == [2**60 + 1, 2**60 + 2, 0.5, 1.5]


def test_numbers_stay_numbers_beside_text():
    def changing():
        yield {"x": np.ones((2, 1)), "y": np.ones(2)}
        yield {"x": np.array([["a"], ["b"]]), "y": np.ones(2)}

    source = ph.from_generator(changing, length=4)
    assert source.read(np.arange(4))["x"][0].dtype.kind == "f"
    with pytest.raises(ph.DataError) as error:
        ph.Feed(source, inputs="x", heads={"y": ph.Regression()}, batch_size=4).peek()
    assert str(error.value) == "input `x`, row 2: expected numbers, got ['a']. Likewise row 3."


def test_a_decorator_may_give_the_arguments():
    def with_path(function):
        @functools.wraps(function)
        def without():
            return function("rows")

        return without

    @with_path
    def rows_of(path):
        assert path == "rows"
        yield np.ones((2, 1)), np.zeros(2)

    assert ph.from_generator(rows_of, length=2).read([1])["y"].tolist() == [0.0]


@pytest.mark.parametrize("classes", [None, ["a", "b"]])
def test_batches_in_which_no_row_has_a_label(classes):
    def batches():
        for tags in ([[], []], [[], []], [["a"], ["b", "a"]]):
            yield np.zeros((2, 3)), tags

    rows = ph.from_generator(batches, length=6)
    feed = ph.Feed(rows, inputs="x", heads={"y": ph.MultiLabel(classes)}, batch_size=3)
    found = np.concatenate([batch.labels["y"] for batch in feed.batches()])
    assert found.tolist() == [[0, 0]] * 4 + [[1, 0], [1, 1]]
