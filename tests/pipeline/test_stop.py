"""StopIteration out of a user's code is an error with its place, never the end of an epoch."""

import dataclasses

import numpy as np
import pytest

import polyhead as ph

ROWS = 600


class Rows(ph.Source):
    columns = ("x", "y", "image")
    dry = False

    def __len__(self):
        return ROWS

    def read(self, ids):
        if self.dry and ids[-1] > ROWS // 2:
            return self.more()
        return {
            "x": ids.astype("float32"),
            "y": ids % 2,
            "image": np.zeros((len(ids), 8, 8, 3), np.uint8),
        }

    def more(self):
        return next(iter(()))


@dataclasses.dataclass(frozen=True, repr=False)
class Numbers(ph.Array):
    """A user's own kind."""

    def encode(self, values, check=True):
        if (np.asarray(values) > ROWS // 2).any():
            next(iter(()))
        return super().encode(values, check)


def feed_of(source, **options):
    arguments = {"inputs": "x", "heads": {"y": ph.Binary()}, "batch_size": 50, **options}
    return ph.Feed(source, **arguments)


WAYS = {
    "iteration": lambda feed: list(feed),
    "batches": lambda feed: list(feed.batches()),
    "evaluation": lambda feed: list(feed._iterator.through("evaluate", feed._own)),
    "prediction": lambda feed: list(feed._iterator.through("predict", feed._own)),
}


@pytest.mark.parametrize("workers", [0, 2, "auto"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("view", [lambda s: s, lambda s: s.select(slice(0, ROWS)), lambda s: s.concat(s)])
def test_a_source_is_named(way, workers, view):
    source = Rows()
    feed = feed_of(view(source), workers=workers)
    source.dry = True
    with pytest.raises(ph.DataError) as error:
        WAYS[way](feed)
    assert (
        str(error.value)
        .removeprefix("source 0, ")
        .startswith(
            "Rows.read: expected rows, or an error that says why there are none, got StopIteration "
            f"({__file__}, line {Rows.more.__code__.co_firstlineno + 1}). "
        )
    )
    assert str(error.value).endswith(
        "An iterator had no more items: call next(iterator, None), or raise another error."
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda s: feed_of(s.select(range(ROWS - 9, ROWS))),
        lambda s: s.select(lambda columns: columns["y"] == 1),
        lambda s: s.split((0.5, 0.5), stratify="y"),
        lambda s: s.read(np.array([ROWS - 1])),
    ],
)
def test_a_source_is_named_where_no_feed_reads_it(call):
    source = Rows()
    source.dry = True
    with pytest.raises(ph.DataError, match=r"^Rows.read: expected rows, or an error .*, got StopIteration"):
        call(source)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_augmentation_is_named(workers):
    def shifted(image):
        return next(iter(()))

    pytest.importorskip("cv2")
    feed = feed_of(Rows(), inputs={"image": ph.Image()}, augment=[ph.Apply(shifted)], workers=workers)
    with pytest.raises(ph.DataError, match=r"shifted: expected rows, or an error .*, got StopIteration"):
        list(feed)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_kind_of_ones_own_is_named(workers):
    feed = feed_of(Rows(), inputs={"x": Numbers()}, workers=workers)
    with pytest.raises(
        ph.DataError, match=r"Numbers.encode: expected rows, or an error .*, got StopIteration"
    ):
        list(feed)


def test_a_check_says_it_as_one_problem():
    keras = pytest.importorskip("keras")
    source = Rows()
    feed = feed_of(source)
    x = keras.Input((1,), name="x")
    model = keras.Model(x, keras.layers.Dense(1, activation="sigmoid", name="y")(x))
    source.dry = True
    report = feed.check(model, rows="all")
    assert [problem.place for problem in report.problems] == ["Rows.read"]
