"""What is no integer is refused where an integer is wanted; integers of NumPy are integers."""

import functools
import inspect
import re

import keras
import numpy as np
import pytest

import polyhead as ph

X, Y = np.zeros((6, 2), np.float32), np.arange(6) % 2
NO_INTEGERS = [2.7, "2", True, 10**400, np.float64(2), np.bool_(True), [2]]


def feed(**arguments):
    return ph.Feed({"x": X, "y": Y}, inputs="x", heads={"y": ph.Binary()}, **arguments)


@functools.cache
def model():
    x = keras.Input((2,), name="x")
    return keras.Model(x, keras.layers.Dense(1, activation="sigmoid", name="y")(x))


rows = ph.read_table({"x": X, "y": Y})
images = {"x": np.zeros((6, 8, 8, 3), np.uint8), "y": Y}


def packed(path="never.store", **arguments):
    made = ph.Feed(images, inputs={"x": ph.Image()}, heads={"y": ph.Binary()})
    return ph.pack(made, path, encoding="jpeg", **arguments)


INTEGERS = {
    "Boxes.max_boxes": ("Boxes(max_boxes)", lambda value: ph.Boxes(value)),
    "Evaluate.batch_size": ("Evaluate(batch_size=)", lambda value: ph.Evaluate(feed(), batch_size=value)),
    "Evaluate.every": ("Evaluate(every=)", lambda value: ph.Evaluate(feed(), every=value)),
    "Categorical.classes": ("Categorical(classes)", lambda value: ph.Categorical(value)),
    "Cutout.holes": ("Cutout(holes=)", lambda value: ph.Cutout(0.2, value)),
    "Feed.batch_size": ("Feed(batch_size=)", lambda value: feed(batch_size=value)),
    "Feed.check.rows": ("check(rows=)", lambda value: feed().check(None, rows=value)),
    "Feed.preview.n": ("preview(n=)", lambda value: feed().preview(n=value)),
    "Feed.profile.steps": ("profile(steps=)", lambda value: feed().profile(value)),
    "Feed.seed": ("Feed(seed=)", lambda value: feed(seed=value)),
    "Feed.shard": ("Feed(shard=)", lambda value: feed(shard=(0, value))),
    "Feed.workers": ("Feed(workers=)", lambda value: feed(workers=value)),
    "Image.channels": ("Image(channels)", lambda value: ph.Image(8, 8, value)),
    "Image.height": ("Image(height)", lambda value: ph.Image(value, 8)),
    "Image.max_pixels": ("Image(max_pixels=)", lambda value: ph.Image(8, 8, max_pixels=value)),
    "Image.page": ("Image(page=)", lambda value: ph.Image(8, 8, page=value)),
    "Image.width": ("Image(width)", lambda value: ph.Image(8, value)),
    "Keypoints.points": ("Keypoints(points)", lambda value: ph.Keypoints(value)),
    "Map.channels": ("Map(channels)", lambda value: ph.Map(value)),
    "Map.size": ("Map(size=)", lambda value: ph.Map(size=(value, 8))),
    "Mask.size": ("Mask(size=)", lambda value: ph.Mask(size=(8, value))),
    "MultiLabel.classes": ("MultiLabel(classes)", lambda value: ph.MultiLabel(value)),
    "Profile.steps": ("Profile(steps=)", lambda value: ph.Profile(steps=value)),
    "Profile.verbose": ("Profile(verbose=)", lambda value: ph.Profile(verbose=value)),
    "Source.mix.length": ("length", lambda value: rows.mix(rows, weights=(1, 1), length=value)),
    "Source.split.seed": ("seed", lambda value: rows.split((0.5, 0.5), seed=value)),
    "evaluate.batch_size": (
        "evaluate(batch_size=)",
        lambda value: ph.evaluate(model(), feed(), batch_size=value),
    ),
    "evaluate.resamples": (
        "evaluate(resamples=)",
        lambda value: ph.evaluate(model(), feed(), resamples=value),
    ),
    "evaluate.seed": ("evaluate(seed=)", lambda value: ph.evaluate(model(), feed(), seed=value)),
    "examine.batches": ("examine(batches=)", lambda value: ph.examine((X, Y), batches=value)),
    "examine.steps_per_epoch": (
        "examine(steps_per_epoch=)",
        lambda value: ph.examine((X, Y), steps_per_epoch=value),
    ),
    "from_generator.length": (
        "from_generator(length=)",
        lambda value: ph.from_generator(lambda: iter([]), length=value),
    ),
    "pack.image_size": ("pack(image_size=)", lambda value: packed(image_size=(8, value))),
    "pack.quality": ("pack(quality=)", lambda value: packed(quality=value)),
    "pack.shard_bytes": ("pack(shard_bytes=)", lambda value: packed(shard_bytes=value)),
    "pack.workers": ("pack(workers=)", lambda value: packed(workers=value)),
    "predict.batch_size": (
        "predict(batch_size=)",
        lambda value: ph.predict(model(), feed(), batch_size=value),
    ),
    "predict.tta": ("predict(tta=)", lambda value: ph.predict(model(), feed(), tta=value)),
    "predict.workers": ("Feed(workers=)", lambda value: ph.predict(model(), feed(), workers=value)),
    # what annotations do not say
    "Array.shape": ("Array(shape)", lambda value: ph.Array((value, 2))),
    "Embedding.shape": ("Embedding(shape)", lambda value: ph.Embedding((value,))),
    "Feed.epoch": ("feed.epoch", lambda value: setattr(feed(), "epoch", value)),
    "Feed.on": ("Feed(batch_size=)", lambda value: feed().on({"x": X, "y": Y}, batch_size=value)),
    "Keypoints.pairs": ("Keypoints(pairs=)", lambda value: ph.Keypoints(3, pairs=[(0, value)])),
    "Mask.classes": ("Mask(classes)", lambda value: ph.Mask(value)),
    "Mask.outside": ("Mask(outside=)", lambda value: ph.Mask(3, outside=value)),
    "Mask.values": ("Mask(values=)", lambda value: ph.Mask(values=(0, value))),
    "Regression.shape": ("Regression(shape)", lambda value: ph.Regression((value, 2))),
    "Source.read.ids": ("read(ids)", lambda value: rows.read([value])),
    "Source.select.rows": ("rows", lambda value: rows.select([value])),
    "Source.select.slice": ("rows", lambda value: rows.select(slice(0, value))),
}
"""Where an integer is expected: what an error calls the place, and a call that puts a value there."""

ANY_INTEGER = {"Feed.seed", "Feed.shard", "Mask.values", "Source.select.slice", "Source.split.seed"}
"""Where an integer may be as large as one likes."""

NO_ARGUMENTS = {"Problem.rows", "read_yolo.names"}
"""What the library fills in by itself, and the numbers of classes in a file of YOLO."""


def annotated():
    """All arguments of the public API, and of public methods, that are integers, as `Owner.argument`."""
    for name in (*ph.__all__, "compile"):
        found = getattr(ph, name)
        of_error = isinstance(found, type) and issubclass(found, BaseException)
        methods = {"Feed": dir(feed()), "Source": ("mix", "read", "select", "split")}.get(name, ())
        for owner, call in {
            name: found,
            **{f"{name}.{one}": getattr(found, one, None) for one in methods},
        }.items():
            inner = owner.rpartition(".")[2].startswith("__")
            if of_error or inner or not callable(call):
                continue
            for argument in inspect.signature(call).parameters.values():
                if re.search(r"\bint\b", str(argument.annotation)) and not argument.name.startswith("_"):
                    yield f"{owner}.{argument.name}"


def test_no_argument_is_forgotten():
    found = set(annotated())
    assert {"Feed.batch_size", "Source.split.seed", "Feed.profile.steps"} <= found
    assert found <= INTEGERS.keys() | NO_ARGUMENTS


@pytest.mark.parametrize("argument", INTEGERS)
@pytest.mark.parametrize("value", NO_INTEGERS, ids=lambda value: str(value)[:6])
def test_what_is_no_integer_is_refused(argument, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(value, list) and argument in (
        "Categorical.classes",
        "MultiLabel.classes",
        "Mask.classes",
    ):
        value = 0  # a list is one of names
    if type(value) is int and argument in ANY_INTEGER:
        value = 2.5
    place, call = INTEGERS[argument]
    with pytest.raises(ph.PolyheadError) as error:
        call(value)
    assert str(error.value).startswith(f"{place}: expected ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [True, np.bool_(True), "0.5", float("nan"), float("inf"), 10**400, None])
@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("Image(range=)", lambda value: ph.Image(8, 8, range=(0, value))),
        ("Boxes(min_visible=)", lambda value: ph.Boxes(2, min_visible=value)),
        ("Binary(weight=)", lambda value: ph.Binary(weight=value)),
        ("Binary(class_weight=), class 0", lambda value: ph.Binary(class_weight={0: value})),
        ("Noise(fraction=)", lambda value: ph.Noise(value)),
        ("weights", lambda value: rows.mix(rows, weights=(1, value))),
        ("fractions", lambda value: rows.split((0.3, value))),
        ("fractions", lambda value: rows.split({"a": value})),
    ],
)
def test_what_is_no_number_is_refused(place, call, value):
    with pytest.raises(ph.PolyheadError) as error:
        call(value)
    assert str(error.value).startswith(f"{place}: expected ")
    call(np.float32(0.5))


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
