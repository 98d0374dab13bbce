"""What is no integer is refused where an integer is wanted; integers of NumPy are integers."""

import keras
import numpy as np
import pytest

import polyhead as ph

X, Y = np.zeros((6, 2), np.float32), np.arange(6) % 2
NO_INTEGERS = [2.7, "2", True, 10**400, np.float64(2), np.bool_(True), [2]]


def feed(**arguments):
    return ph.Feed({"x": X, "y": Y}, inputs="x", heads={"y": ph.Binary()}, **arguments)


rows = ph.read_table({"x": X, "y": Y})
SIZES = {
    "Feed(batch_size=)": lambda value: feed(batch_size=value),
    "Feed(workers=)": lambda value: feed(workers=value),
    "feed.epoch": lambda value: setattr(feed(), "epoch", value),
    "preview(n=)": lambda value: feed().preview(n=value),
    "profile(steps=)": lambda value: feed().profile(value),
    "Profile(steps=)": lambda value: ph.Profile(steps=value),
    "check(rows=)": lambda value: feed().check(None, rows=value),
    "from_generator(length=)": lambda value: ph.from_generator(lambda: iter([]), length=value),
    "length": lambda value: rows.mix(rows, weights=(1, 1), length=value),
    "pack(workers=)": lambda value: ph.pack({"x": X}, "never.store", workers=value),
    "pack(shard_bytes=)": lambda value: ph.pack({"x": X}, "never.store", shard_bytes=value),
    "pack(quality=)": lambda value: ph.pack(feed(), "never.store", encoding="jpeg", quality=value),
    "examine(batches=)": lambda value: ph.examine((X, Y), batches=value),
    "examine(steps_per_epoch=)": lambda value: ph.examine((X, Y), steps_per_epoch=value),
    "Image(height)": lambda value: ph.Image(value, 8),
    "Image(channels)": lambda value: ph.Image(8, 8, value),
    "Regression(shape)": lambda value: ph.Regression(value),
    "Categorical(classes)": lambda value: ph.Categorical(value),
    "MultiLabel(classes)": lambda value: ph.MultiLabel(value),
    "Mask(classes)": lambda value: ph.Mask(value),
}


@pytest.mark.parametrize("place", SIZES)
@pytest.mark.parametrize("value", NO_INTEGERS, ids=lambda value: str(value)[:6])
def test_what_is_no_integer_is_refused(place, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(value, list) and place in (
        "Regression(shape)",
        "Categorical(classes)",
        "MultiLabel(classes)",
    ):
        value = 2.5
    if place == "Mask(classes)" and isinstance(value, list):
        value = 0
    with pytest.raises(ph.PolyheadError) as error:
        SIZES[place](value)
    assert str(error.value).startswith(f"{place}: expected ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [2.7, "a", None, True, np.float32(1)])
def test_a_seed_is_any_integer(value):
    with pytest.raises(ph.ContractError) as error:
        feed(seed=value)
    assert str(error.value).startswith("Feed(seed=): expected an integer, got ")
    assert feed(seed=np.uint8(3)).seed == feed(seed=3).seed == 3
    assert feed(seed=-1).seed == -1


@pytest.mark.parametrize(
    "shard", [3, "x", None, (0,), (0, 1, 2), (0.5, 2), ("0", "2"), (True, 2), (2, 2), (-1, 2)]
)
def test_a_shard_is_a_rank_and_a_count(shard):
    with pytest.raises(ph.ContractError) as error:
        feed(shard=shard)
    words = 'Feed(shard=): expected "auto" or (rank, count) with 0 <= rank < count, got '
    assert str(error.value) == f"{words}{shard!r}."
    assert feed(shard=[np.int32(1), 2]).shard == (1, 2)


def test_all_of_them_at_once_and_numpy_s_integers():
    with pytest.raises(ph.ContractError) as error:
        feed(batch_size=None, seed="a", workers="3")
    assert str(error.value) == (
        "3 problems:\n"
        "  1. Feed(batch_size=): expected an integer of at least 1, got None.\n"
        "  2. Feed(seed=): expected an integer, got 'a'.\n"
        "  3. Feed(workers=): expected \"auto\" or an integer of at least 0, got '3'."
    )
    good = feed(batch_size=np.int64(4), workers=np.int32(0))
    assert [len(batch.ids) for batch in good.batches()] == [4, 2]
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1, "sigmoid", name="y")])
    assert good.check(model, rows=np.int64(2)).ok
    assert ph.Image(np.int64(8), 8).shape == (8, 8, 0)


@pytest.mark.parametrize(
    ("value", "head", "message"),
    [
        (
            10**400,
            ph.Binary(),
            "head `y`, row 0: expected 0, 1, True or False, got a whole number of 1,329 bits",
        ),
        (10**400, ph.Regression(), "head `y`, row 0: expected "),
        (np.zeros((), [("a", int)]), ph.Categorical(3), "head `y`: expected names or ids of classes, got "),
    ],
)
def test_labels_that_nothing_holds(value, head, message):
    with pytest.raises(ph.DataError) as error:
        ph.Feed({"x": X[:2], "y": [value, value]}, inputs="x", heads={"y": head})
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("value", ["2", None, 0, True, 10**400])
def test_seconds_of_an_examination(value):
    with pytest.raises(ph.ContractError) as error:
        ph.examine((X, Y), seconds=value)
    assert str(error.value).startswith("examine(seconds=): expected a number above 0, got ")
