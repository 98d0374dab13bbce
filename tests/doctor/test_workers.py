"""Workers: what processes copy, what threads spoil, and that the global random state is left alone."""

import random
import threading

import keras
import numpy as np
import pytest
from doctor_checks import ROWS, SIZE, Items, good

import polyhead as ph


class Flips(Items):
    """Inputs turned by draws from some state."""

    def __init__(self, draw, **workers):
        super().__init__(**workers)
        self.draw = draw
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x * self.draw(self, index), y


def from_numpy(self, index):
    return np.random.random()  # noqa: NPY002 the mistake


def from_python(self, index):
    return random.random()


def from_own(self, index):
    return self.rng.random()


def from_index(self, index):
    return np.random.default_rng((self.epoch, index)).random()


def found(report):
    return {p.code: str(p) for p in report.problems if p.code != "worker-replay"}


@pytest.mark.parametrize(
    ("draw", "name"), [(from_numpy, "np.random"), (from_python, "random"), (from_own, "self.rng")]
)
def test_processes_that_get_the_same_copy_of_a_random_state(draw, name):
    report = ph.examine(Flips(draw, workers=4, use_multiprocessing=True))
    assert found(report) == {
        "same-augmentation": "dataset, 4 worker processes: expected random draws of its own in each worker, got "
        f"draws from `{name}`, of which each process gets the same copy. Draw from "
        "np.random.default_rng((seed, epoch, index)) inside __getitem__."
    }


def test_draws_that_depend_on_the_index_are_right_and_so_is_one_worker():
    assert found(ph.examine(Flips(from_index, workers=4, use_multiprocessing=True))) == {}
    assert found(ph.examine(Flips(from_numpy))) == {}


def test_a_loader_seeds_its_workers_but_not_a_state_of_the_datasets_own():
    torch = pytest.importorskip("torch")

    class Rows(torch.utils.data.Dataset):
        def __init__(self, draw):
            self.draw, self.rng = draw, np.random.default_rng(0)

        def __len__(self):
            return ROWS

        def __getitem__(self, i):
            x, (yes, value) = good(np.array([i]))
            return {"x": x[0] * self.draw(self, i)}, {"yes": yes[0], "value": value[0]}

    from polyhead.doctor.examination import CheckResult
    from polyhead.doctor.reading import Worker
    from polyhead.doctor.subjects import recognize
    from polyhead.doctor.workers import check_workers

    # no worker process is started to see it
    for draw, codes in ((from_numpy, []), (from_own, ["same-augmentation"])):
        loader = torch.utils.data.DataLoader(Rows(draw), SIZE, shuffle=True, num_workers=2)
        with Worker() as worker:
            check_workers(recognize(loader), worker, 20.0, out := CheckResult())
        assert [p.code for p in out.problems] == codes


def read_alone():
    """Whether an item is read by the one thread that reads everything first."""
    return threading.current_thread().name == "examine"


def test_items_that_threads_spoil_for_each_other():
    refused = threading.Event()

    def endless():
        while True:
            if not read_alone():
                assert refused.wait(240)  # another thread asks meanwhile
            yield good(np.arange(SIZE))

    class Shared(Items):
        def __init__(self):
            super().__init__(workers=4)
            self.stream = endless()

        def __getitem__(self, index):
            try:
                return next(self.stream)
            except ValueError:
                refused.set()
                raise

    assert found(ph.examine(Shared()))["thread-unsafe"] == (
        "dataset, workers=4: expected items that threads can read at the same time, got ValueError: generator "
        "already executing. Keep nothing on self that __getitem__ changes, or say workers=1."
    )

    class Buffer(Items):
        """One buffer for all items, which four threads fill before any of them looks."""

        def __init__(self):
            super().__init__(workers=4)
            self.x = np.empty((SIZE, 4), "float32")
            self.filled, self.met = threading.Barrier(4), threading.local()

        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            self.x[:] = x
            if not read_alone() and not vars(self.met):  # the first item of each thread
                self.met.before = True
                self.filled.wait(240)
            return self.x.copy(), y

    codes = found(ph.examine(Buffer()))
    assert list(codes) == ["thread-unsafe"]
    assert "than when it is read alone" in codes["thread-unsafe"]
    assert found(ph.examine(Items(workers=4))) == {}


def test_keras_repeats_queued_batches_with_workers():
    report = ph.examine(Items(workers=2))
    replay = [str(p) for p in report.warnings if p.code == "worker-replay"]
    expected = (
        "dataset, workers=2: expected workers=1 on JAX and torch, got more, with which Keras repeats queued "
        "batches in epoch 0 of the first fit. Say workers=1, or leave out the first epoch's figures."
    )
    assert replay == ([] if keras.config.backend() == "tensorflow" else [expected])


def test_an_item_that_sets_the_seed_draws_the_same_as_each_other():
    class Seeded(Items):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            np.random.seed(0)  # noqa: NPY002 the mistake
            return x + np.random.normal(size=(1, 4)), y  # noqa: NPY002

    assert found(ph.examine(Seeded()))["same-augmentation"] == (
        "item 0: expected different random draws in each item, got a seed that is set again whenever an item is read: "
        "`np.random.seed`. Draw from np.random.default_rng((seed, epoch, index)) instead."
    )


def test_generators_are_not_for_threads_which_is_no_problem_but_a_note():
    def generator():
        while True:
            yield good(np.random.default_rng().permutation(ROWS)[:SIZE])

    notes = ph.examine(generator, batches=3, steps_per_epoch=3).notes
    assert [note for note in notes if "threads" in note] == [
        'not safe for threads: two that ask at once get "generator already executing"; Keras asks from one'
    ]


def test_the_global_random_states_are_as_before():
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    before = np.random.random(), random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    ph.examine(Flips(from_numpy))
    ph.examine(Flips(from_python, workers=2, use_multiprocessing=True))
    assert (np.random.random(), random.random()) == before  # noqa: NPY002
