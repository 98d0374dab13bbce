"""What can be examined, and what is known of it before it is read."""

import functools
import threading

import keras
import numpy as np
import pytest
from doctor_checks import ROWS, SIZE, YES, Items, X, good, stream

import polyhead as ph
from polyhead.doctor.reading import Worker, as_batch, read_batches, row_hashes
from polyhead.doctor.subjects import recognize


def partly(size, rows=ROWS):
    for start in range(0, rows, size):
        yield good(np.arange(start, start + size))


@pytest.mark.parametrize(
    ("obj", "kind", "length", "again"),
    [
        (stream(good), "generator function", None, True),
        (functools.partial(partly, SIZE), "generator function", None, True),
        (partly(SIZE), "generator", None, False),
        (Items(), "PyDataset", ROWS // SIZE, True),
        (lambda: Items(), "PyDataset", ROWS // SIZE, True),
        ((X, YES), "arrays", 2, True),
        (X, "arrays", 2, True),
        (zip([X], [YES], strict=True), "iterator", None, False),
        ([good(np.arange(3))], "list", None, True),
    ],
    ids=["function", "partial", "generator", "items", "maker", "arrays", "array", "zip", "list"],
)
def test_the_kind(obj, kind, length, again):
    found = recognize(obj)
    assert (found.kind, found.length, found.again) == (kind, length, again)
    assert len(as_batch(next(iter(found.open()))).parts["x"]) > 0


def test_a_generator_function_begins_anew_at_each_reading():
    made = []

    def generator():
        made.append(1)
        yield from partly(SIZE)

    found = recognize(generator)
    with Worker() as worker:
        one, two = (read_batches(found, 3, worker, 10.0) for _ in range(2))
    assert [len(rows) for rows in one.rows] == [SIZE] * 3
    assert all(np.array_equal(a, b) for a, b in zip(one.rows, two.rows, strict=True))
    assert len(made) == 2


def test_no_more_is_read_than_is_asked_for():
    asked = []

    class Counted(Items):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    with Worker() as worker:
        reading = read_batches(recognize(Counted()), 4, worker, 10.0)
        assert asked == [0, 1, 2, 3]
        assert (reading.steps, reading.ended) == (4, False)
        assert read_batches(recognize(Counted()), 6, worker, 10.0).ended


def test_a_row_has_the_same_hashes_wherever_it_stands():
    (a, _), (b, _) = (row_hashes(as_batch(good(np.array(rows)))) for rows in ([1, 2], [2, 3]))
    assert np.array_equal(a[1], b[0])
    assert len(np.unique(np.concatenate([a, b])[:, 0])) == 3
    assert not np.array_equal(a[0], a[1])


def test_a_worker_hands_over_what_it_raises_and_goes_on():
    with Worker() as worker:
        with pytest.raises(KeyError):
            worker.do(lambda: {}["a"], 1.0)
        assert worker.do(lambda: 2, 1.0) == 2


def test_no_thread_stays_behind():
    with Worker() as worker:
        worker.do(lambda: None, 1.0)
        (thread,) = [t for t in threading.enumerate() if t is worker.thread]
    thread.join(240)
    assert not thread.is_alive()


class Numbered:
    """A class like a PyDataset that is not derived from it."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        return good(np.random.default_rng(2).permutation(60)[i * 10 : i * 10 + 10])


def test_a_class_like_a_pydataset():
    report = ph.examine(Numbered(), batches=8)
    (problem,) = report.errors
    assert problem.code == "not-for-keras"
    assert str(problem).endswith(
        "got a Numbered. Derive its class from keras.utils.PyDataset, and call "
        "super().__init__() in its __init__."
    )
    names = {"dataset": Numbered()}
    exec(report.declaration, names)
    assert names["feed"].num_samples == 60


def test_a_function_that_makes_an_iterator():
    class Batches:
        def __init__(self):
            self.left = iter([good(np.arange(10)), good(np.arange(10, 20))])

        def __next__(self):
            return next(self.left)

        def __iter__(self):
            return self

    report = ph.examine(lambda: Batches())
    assert [problem.code for problem in report.errors] == ["not-for-keras"]
    assert "data = ph.from_generator(generator, length=20, names=" in report.declaration
    assert ph.examine(Batches()).declaration == ""


def test_a_torch_dataset_has_single_rows():
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")

    class Rows(data.Dataset):
        def __getitem__(self, i):
            return X[i], 0

    words = r"got a torch Rows, which has single rows. Give torch.utils.data.DataLoader\(dataset, batch_size=32\)."
    with pytest.raises(ph.ContractError, match=words):
        ph.examine(Rows())

    class Batches(data.IterableDataset):
        def __iter__(self):
            return iter([(X, X)])

    with pytest.raises(
        ph.ContractError, match=r"which may have single rows.*or batch_size=None if it yields batches"
    ):
        ph.examine(Batches())


def test_rows_of_unequal_number_are_not_compared():
    report = ph.examine(stream(lambda i: (X[i], np.stack([X[i, 0], X[i, 1]]))), batches=14, steps_per_epoch=6)
    assert [problem.code for problem in report.problems] == ["row-count"]


@pytest.mark.parametrize("base", [keras.utils.PyDataset, object])
def test_a_length_that_is_no_integer_is_a_problem_and_the_rows_are_read(base):
    class Rows(base):
        def __len__(self):
            return 25 / SIZE

        def __getitem__(self, index):
            return good(np.arange(25)[SIZE * index : SIZE * index + SIZE])

    report = ph.examine(Rows())
    (problem,) = [p for p in report.problems if p.code == "wrong-length"]
    assert str(problem) == (
        "len(dataset): expected an integer, got 2.5. Return an integer from __len__: math.ceil(rows / batch_size)."
    )
    assert (report.batches, report.rows) == (3, 25)
    assert "for i in range(3)]" in report.declaration
