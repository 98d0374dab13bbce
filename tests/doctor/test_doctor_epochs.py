"""Epochs: their end, their rows, their order; on streams and datasets that are right or wrong in one way."""

import itertools

import numpy as np
import pytest
from doctor_checks import ROWS, SIZE, VALUE, YES, Items, X, good, stream

import polyhead as ph
from polyhead.doctor.epoch_checks import period

STEPS = ROWS // SIZE


def examine(obj, batches=20, steps=STEPS):
    return ph.examine(obj, batches=batches, steps_per_epoch=steps)


def said(report):
    return [(p.code, f"{'(perhaps) ' * p.warning}{p}") for p in report.problems]


def in_order():
    while True:
        for start in range(0, ROWS, SIZE):
            yield good(np.arange(start, start + SIZE))


def epochs(draw):
    """An endless generator; ``draw(rng)`` gives the ids of each batch of an epoch."""

    def generator():
        rng = np.random.default_rng(3)
        while True:
            for ids in draw(rng):
                yield good(ids)

    return generator


def cut(order, size=SIZE, overlap=0):
    return [order[start : start + size + overlap] for start in range(0, len(order), size)]


def test_a_stream_that_is_shuffled_each_epoch_is_right():
    report = examine(stream(good))
    assert report.problems == ()
    assert "an epoch is 6 batches, 60 rows: then rows repeat" in report.notes


def test_a_stream_may_drop_the_last_rows_of_each_epoch():
    report = examine(epochs(lambda rng: cut(rng.permutation(ROWS), 13)[:4]), steps=4)
    assert report.problems == ()
    assert "an epoch is 4 batches, 52 rows: then rows repeat" in report.notes


def test_noise_on_the_inputs_does_not_hide_that_labels_come_in_a_new_order():
    noise = np.random.default_rng(0)

    def noisy(ids):
        x, y = good(ids)
        return x + noise.normal(size=x.shape).astype("float32"), y

    assert examine(stream(noisy)).problems == ()

    def noisy_in_order():
        for x, y in in_order():
            yield x + noise.normal(size=x.shape).astype("float32"), y

    assert [code for code, _ in said(examine(noisy_in_order))] == ["not-shuffled"]


@pytest.mark.parametrize(
    ("obj", "steps", "code", "message"),
    [
        (
            stream(good),
            None,
            "endless",
            "(perhaps) generator function: expected an end, or a number of steps for an epoch, got no end. Say "
            "fit(steps_per_epoch=6), else the first epoch never ends; here: examine(steps_per_epoch=...).",
        ),
        (
            stream(good),
            4,
            "steps",
            "(perhaps) steps_per_epoch=4: expected 6, after which every row was read once, got 4: the last "
            "rows are left for the next epoch. Say steps_per_epoch=6.",
        ),
        (
            stream(good),
            8,
            "steps",
            "(perhaps) steps_per_epoch=8: expected 6, after which every row was read once, got 8: rows come "
            "twice. Say steps_per_epoch=6.",
        ),
        (
            Items(),
            4,
            "steps",
            "(perhaps) steps_per_epoch=4: expected 6, after which every row was read once, got 4: the last "
            "rows are left for the next epoch. Say steps_per_epoch=6.",
        ),
        (
            lambda: itertools.islice(in_order(), STEPS),
            STEPS,
            "not-for-keras",
            "examine(iterator): expected what fit takes: a generator, a PyDataset, a tf.data, torch or grain "
            "dataset, or arrays, got an iterator. Wrap it in a generator function: for batch in it: yield batch.",
        ),
        (
            in_order,
            STEPS,
            "not-shuffled",
            "(perhaps) order of the rows: expected a new order in each epoch, got the same order in two epochs. For "
            "training, shuffle: order = rng.permutation(rows) at the start of each epoch.",
        ),
        (
            epochs(lambda rng: rng.permutation(cut(np.arange(ROWS)))),
            STEPS,
            "batches-shuffled",
            "(perhaps) order of the rows: expected different batches in each epoch, got the same rows in each "
            "batch, in every epoch. Shuffle the rows before they are cut into batches.",
        ),
        (
            Items(shuffle=False),
            None,
            "batches-shuffled",
            "(perhaps) order of the rows: expected different batches in each epoch, got the same rows in each "
            "batch, in every epoch. fit(shuffle=True) changes only the order of the batches. Draw a new "
            "order of the rows in on_epoch_end and cut the batches from it.",
        ),
        (
            epochs(lambda rng: cut(np.argsort(np.arange(ROWS) + rng.uniform(0, 4, ROWS)))),
            STEPS,
            "not-shuffled",
            "(perhaps) order of the rows: expected a new order in each epoch, got rows that move by 2% of the epoch "
            "on average, where 33% are usual. Shuffle with a larger buffer, best one of all rows, or before "
            "batching.",
        ),
        (
            epochs(lambda rng: cut(rng.permutation(ROWS), overlap=1)),
            STEPS,
            "repeated-rows",
            "(perhaps) batch 1, row 0: expected each row once in an epoch, got the row of batch 0, row 10, again (5 "
            "rows twice in all). Cut the batches from one permutation of the rows, without overlap.",
        ),
    ],
    ids=[
        "endless",
        "too few steps",
        "too many steps",
        "too few steps of a dataset",
        "iterator",
        "in order",
        "batches",
        "items",
        "small buffer",
        "overlap",
    ],
)
def test_what_is_wrong_with_an_epoch(obj, steps, code, message):
    obj = obj() if code == "not-for-keras" else obj
    assert said(examine(obj, steps=steps)) == [(code, message)]


def test_a_generator_that_ends_is_an_error_whichever_way_it_is_given():
    def finite():
        yield from itertools.islice(stream(good)(), STEPS)

    for obj, kind in ((finite, "generator function"), (finite(), "generator")):
        errors = examine(obj).errors
        assert [(p.code, str(p)) for p in errors] == [
            (
                "exhausted",
                f"{kind}: expected batches for as long as fit asks for them, got an end after 6 batches: a second "
                "epoch would train on the 2 batches that Keras read first. Put `while True:` round the loop "
                "and say fit(steps_per_epoch=6), or write a keras.utils.PyDataset.",
            )
        ]


def test_a_started_generator_is_read_once_and_that_is_said():
    report = examine(stream(good)(), batches=STEPS)
    assert report.problems == ()
    assert "whether a second epoch has another order: it can be read only once" in report.unseen


def test_rows_that_are_drawn_with_replacement_come_twice():
    def drawn():
        rng = np.random.default_rng(0)
        while True:
            yield good(rng.integers(0, ROWS, SIZE))

    (problem,) = examine(drawn).problems
    assert (problem.code, problem.warning) == ("repeated-rows", True)
    assert "rows of another epoch in none" in problem.found
    assert [p.code for p in examine(drawn, steps=None).problems] == ["endless", "repeated-rows"]


def test_a_few_small_whole_numbers_may_be_equal_without_being_the_same_row():
    table = np.random.default_rng(0).integers(0, 2, (ROWS, 3))

    report = examine((table, table[:, :1] ^ table[:, 1:2]), batches=5)
    assert report.problems == ()
    assert any("small numbers are the same rows, or only equal" in words for words in report.unseen)


@pytest.mark.parametrize("values", [1, 4])
def test_batches_of_one_small_number_hold_other_rows_though_they_hold_the_same_numbers(values):
    numbers = np.random.default_rng(3).integers(0, values, (ROWS, 1))

    report = examine(stream(lambda ids: (numbers[ids], (YES[ids], VALUE[ids]))))
    assert [p.code for p in report.problems] == ["constant"] * (values == 1)


def test_arrays_of_one_row_again_and_again_are_constant_and_no_more():
    report = examine((np.full((ROWS, 2), 0.5), np.arange(ROWS) % 3), steps=None)
    assert [p.code for p in report.problems] == ["constant"]


def test_the_labels_that_differ_when_an_item_is_read_again_are_named():
    class Moving(Items):
        draws = np.random.default_rng(0)

        def __getitem__(self, index):
            x, (yes, value) = super().__getitem__(index)
            return x, (yes, self.draws.permutation(value))

    (problem,) = examine(Moving(), steps=None).problems
    assert (problem.code, problem.place) == ("labels-move", "target y[1], item 0")


def test_labels_of_another_dtype_have_not_moved():
    steps = itertools.count()

    def drifting(ids):
        return X[ids], (YES[ids].astype("float64" if next(steps) % 4 else "float32"), VALUE[ids])

    assert [p.code for p in examine(stream(drifting)).problems] == ["dtype-drift"]


def test_labels_that_move_apart_from_their_inputs():
    class Moving(Items):
        def __getitem__(self, index):
            x, (yes, value) = super().__getitem__(index)
            return x, (yes, np.random.default_rng(self.epoch).permutation(value))

    (problem,) = examine(Moving(), steps=None).problems
    assert problem.code == "labels-move"
    assert str(problem).endswith("rows of 60). Shuffle inputs and labels by one order: x[ids], y[ids]."), (
        problem
    )
    assert problem.expected == "the same labels for the same inputs"


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_labels_with_few_values_move_though_most_of_them_stay_the_same(share):
    rare = (np.arange(ROWS) < share * ROWS).astype("float32")[:, None]

    def apart(moves):
        rng = np.random.default_rng(2)
        for epoch in itertools.count():
            labels = rng.permutation(rare) if moves else rare
            for ids in cut(np.random.default_rng(epoch).permutation(ROWS)):
                yield X[ids], (labels[ids], VALUE[ids])

    (problem,) = examine(lambda: apart(True)).problems
    assert (problem.code, problem.warning) == ("labels-move", False)
    assert problem.place.startswith("target y[0], batch 0, row ")
    assert examine(lambda: apart(False)).problems == ()


def test_augmented_rows_in_one_order_are_not_shuffled():
    noise = np.random.default_rng(0)

    def some_are_noisy():
        while True:
            for ids in cut(np.arange(ROWS)):
                yield X[ids] + (noise.random((SIZE, 1)) < 0.3), (YES[ids], VALUE[ids])

    found = {p.code: p.found for p in examine(some_are_noisy).problems}
    assert found["not-shuffled"] == "the same order in two epochs"


def test_equal_rows_with_different_labels_have_not_moved():
    twice = np.concatenate([X[:6], X[:6], X[12:]])
    marks = (np.arange(ROWS) < 6).astype("float32")

    assert examine(stream(lambda ids: (twice[ids], marks[ids]))).problems == ()


def test_an_item_that_holds_other_rows_each_time():
    class Random(Items):
        def __init__(self):
            super().__init__()
            self.rng = np.random.default_rng(0)

        def __getitem__(self, index):
            return good(self.rng.choice(ROWS, SIZE, replace=False))

    codes = {p.code: str(p) for p in examine(Random(), steps=None).problems}
    assert set(codes) == {"rereading-differs", "repeated-rows"}
    assert codes["rereading-differs"] == (
        "item 0: expected the same rows whenever it is read in an epoch, got other rows each time. Take the rows "
        "by the index: order[index * size : (index + 1) * size], and draw the order in on_epoch_end."
    )


def test_another_choice_of_rows_in_each_epoch():
    class Part(Items):
        def on_epoch_end(self):
            self.epoch += 1
            self.order = np.random.default_rng(self.epoch).permutation(ROWS)

        def __len__(self):
            return 3

    (problem,) = examine(Part(), steps=None).problems
    assert problem.code == "rereading-differs"
    assert "of the second epoch that were not in the first" in str(problem)

    class Drifting(Part):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x, y[: 2 - index % 2]

    assert "structure-drift" in [problem.code for problem in examine(Drifting(), steps=None).problems]


@pytest.mark.once
@pytest.mark.parametrize("kept", [slice(0, 45), slice(None)], ids=["some of the rows", "all rows, augmented"])
def test_images_come_with_other_labels_if_they_are_other_rows(kept):
    images = np.tile(X[:, None, :, None], (1, 2, 1, 1))
    draw = np.random.default_rng(0)

    def epoch():
        for ids in cut(draw.permutation(ROWS)[kept], 5):
            noise = (draw.random((5, 1, 1, 1)) < 0.3) * draw.random() * (kept == slice(None))
            yield images[ids] + noise, (ids // 2, VALUE[ids] + noise[..., 0, 0])

    class Epochs(Items):
        def on_epoch_end(self):
            self.batches = list(epoch())

        def __len__(self):
            return len(self.batches)

        def __getitem__(self, index):
            return self.batches[index]

    data = Epochs()
    data.on_epoch_end()
    report = examine(data, steps=None)
    assert [p.code for p in report.problems] == ["rereading-differs"] * (kept != slice(None))
    assert ("differ, as augmented ones do" in str(report.unseen)) == (kept == slice(None))


@pytest.mark.once
def test_rows_one_by_one_are_shuffled_with_the_batches():
    class Single(Items):
        def __len__(self):
            return ROWS

        def __getitem__(self, index):
            return good(np.array([index]))

    assert examine(Single(), steps=None, batches=ROWS).problems == ()


@pytest.mark.filterwarnings("ignore:os.fork")  # of JAX, in the process of other tests
def test_workers_that_each_read_all_rows_of_an_iterable_dataset():
    data = pytest.importorskip("torch").utils.data

    class Rows(data.IterableDataset):
        def __iter__(self):
            return iter(zip(X, VALUE, strict=True))

    order, repeats = ph.examine(data.DataLoader(Rows(), 10, num_workers=2)).problems
    assert order.fix.endswith("shuffle: order = rng.permutation(rows) at the start of each epoch.")
    assert (repeats.code, repeats.found) == (
        "repeated-rows",
        "the row of batch 0, row 0, again (60 rows twice in all)",
    )
    assert repeats.fix == (
        "Each worker reads all rows: give it a share in __iter__, by torch.utils.data.get_worker_info()."
    )


def test_a_length_that_is_not_so():
    torch = pytest.importorskip("torch")

    class Rows(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter([(np.float32(i), np.float32(i)) for i in range(20)])

        def __len__(self):
            return 40

    loader = torch.utils.data.DataLoader(Rows(), 10)
    errors = ph.examine(loader).errors
    assert [str(p) for p in errors if p.code == "wrong-length"] == [
        "len(loader): expected 2, as many batches as it gives, got 4. Keras trusts the length: return the right one."
    ]


@pytest.mark.parametrize(
    ("shuffle", "size", "dropped"), [(False, 8, True), (True, 8, False), (False, 10, False)]
)
def test_rows_that_a_loader_drops_in_each_epoch(shuffle, size, dropped):
    torch = pytest.importorskip("torch")
    numbers = torch.arange(20.0)
    data = torch.utils.data.TensorDataset(numbers, numbers / 2)
    loader = torch.utils.data.DataLoader(data, size, shuffle=shuffle, drop_last=True)
    for same in (loader, torch.utils.data.DataLoader(data, batch_sampler=loader.batch_sampler)):
        assert [str(p) for p in ph.examine(same).problems if p.code == "dropped-rows"] == [
            "DataLoader(drop_last=True): expected each row in some epoch, got an epoch without the last 4 rows, "
            "each time. Say shuffle=True for training, and drop_last=False to evaluate."
        ] * dropped


@pytest.mark.parametrize(
    ("batches", "length"),
    [
        ([[0, 1], [2, 3], [1, 2], [3, 0]], 2),
        ([[0, 1], [2, 3], [3, 1]], 2),
        ([[0, 0], [1, 1], [0, 1], [1, 0]], 2),
        ([[0, 1], [2, 3]], None),
        ([[0, 1], [1, 2], [3, 4], [5, 6]], None),
    ],
)
def test_the_period_of_a_stream(batches, length):
    assert period([np.array(batch) for batch in batches]) == length
