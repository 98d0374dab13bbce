"""`examine` as a whole: what stops it, what it leaves alone, and what it tells."""

import json
import os
import signal
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
from doctor_checks import (
    KIND,
    MASK,
    ROWS,
    SIZE,
    VALUE,
    YES,
    Items,
    X,
    classes,
    good,
    mask_head,
    stream,
    two_heads,
    with_loss,
)

import polyhead as ph
from polyhead.doctor import examine as examining
from polyhead.doctor.examine import _stopped_early
from polyhead.doctor.reading import Reading, read_batches, row_hashes

HERE = __file__


def errors(report):
    return [(p.code, str(p)) for p in report.errors]


def test_all_mistakes_come_at_once():
    def generator():
        for start in range(0, ROWS, SIZE):
            ids = slice(start, start + SIZE)
            x = X[ids].copy()
            x[start // SIZE, 0] = np.nan
            yield x, [YES[ids] * 255, np.repeat(VALUE[ids], 3, 1)]

    codes = {p.code for p in ph.examine(generator, two_heads()).problems}
    assert codes == {"list-targets", "mask-255", "broadcast", "nan", "exhausted", "not-shuffled"}


def test_a_generator_that_raises_in_the_middle():
    def generator():
        yield good(np.arange(SIZE))
        raise OSError("no file 7.png")

    line = generator.__code__.co_firstlineno + 2
    assert errors(ph.examine(generator)) == [
        (
            "raises",
            f"batch 1: expected a batch, got OSError: no file 7.png. Fix {HERE}, line {line}: training would "
            "stop there, or continue without the batch.",
        )
    ]


def test_a_generator_that_ends_the_program():
    def generator():
        yield good(np.arange(SIZE))
        sys.exit("no more files")

    report = ph.examine(generator)
    assert [(p.code, p.found) for p in report.errors] == [("raises", "SystemExit: no more files")]
    assert report.batches == 1

    def broken():
        sys.exit("no folder")

    assert [p.found for p in ph.examine(broken).errors] == ["SystemExit: no folder"]


def test_a_function_that_raises_and_a_hook_between_epochs_that_raises():
    def broken():
        raise KeyError("folder")

    line = broken.__code__.co_firstlineno + 1
    assert errors(ph.examine(broken)) == [
        (
            "raises",
            f"broken(): expected a generator or a dataset, got KeyError: 'folder'. Fix {HERE}, line {line}.",
        )
    ]

    class Hooked(Items):
        def on_epoch_end(self):
            raise ValueError("no order")

    line = Hooked.on_epoch_end.__code__.co_firstlineno + 1
    assert errors(ph.examine(Hooked())) == [
        (
            "raises",
            f"between two epochs: expected no error, got ValueError: no order. Fix {HERE}, line {line}.",
        )
    ]


def test_what_hangs_is_left_behind(unhurried):
    gate = threading.Event()

    def generator():
        yield good(np.arange(SIZE))
        unhurried.later = 60.0
        gate.wait()

    report = ph.examine(generator)  # it comes back while the generator still hangs
    gate.set()
    assert [problem.code for problem in report.errors] == ["hangs"]
    assert report.batches == 1


def test_time_that_was_spent_on_looking_is_no_hanging(unhurried, monkeypatch):
    def look(batch):
        unhurried.later += 15.0
        return row_hashes(batch)

    monkeypatch.setattr("polyhead.doctor.reading.row_hashes", look)
    report = ph.examine(stream(good), steps_per_epoch=ROWS // SIZE)
    assert report.problems == ()
    assert report.notes[0] == "a generator function: 3 batches read, 30 rows, then time ran out"


def late(seconds, waited):
    """A reading that got a batch in each of these seconds, and waited for another until the time was over."""
    return Reading(late=len(seconds), seconds=seconds, waited=waited)


def test_what_hangs_and_what_is_only_slow():
    (problem,) = _stopped_early(late([0.1], 1.1), 2.0, "")
    assert str(problem) == (
        "batch 1: expected a batch within seconds, got none after 1 s. It may wait forever. If it is only "
        "slow, say examine(seconds=...)."
    )
    assert list(_stopped_early(late([0.2] * 4, 0.1), 1.5, "")) == []


def test_an_interrupt_ends_it_at_once():
    gate = threading.Event()

    def generator():
        yield good(np.arange(SIZE))
        signal.raise_signal(signal.SIGINT)
        gate.wait()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            ph.examine(generator, seconds=100_000)
    finally:
        gate.set()
        signal.signal(signal.SIGINT, before)


def test_what_is_only_slow_is_read_in_part(monkeypatch):
    def read_in_part(subject, limit, worker, seconds, images=None):
        found = read_batches(subject, 3, worker, 60.0, images)
        found.ended, found.late, found.seconds = False, 3, [seconds / 3] * 3
        return found

    def slow():
        while True:
            yield good(np.random.default_rng().permutation(ROWS)[:SIZE])

    monkeypatch.setattr(examining, "read_batches", read_in_part)
    report = ph.examine(slow)
    assert report.errors == ()
    assert any("then time ran out" in note for note in report.notes)


def test_a_batch_of_none_an_empty_one_and_none_at_all():
    def none():
        while True:
            yield good(np.arange(SIZE))
            yield None

    def empty():
        while True:
            yield good(np.arange(SIZE))
            yield good(np.arange(0))

    def nothing():
        yield from ()

    fix = "TensorFlow would wait for it or stop, JAX skip it: leave it out."
    for generator, found in ((none, "None"), (empty, "none")):
        assert errors(ph.examine(generator, steps_per_epoch=2)) == [
            ("empty-batch", f"batch 1: expected a batch of at least 1 row, got {found}. {fix}")
        ]
    assert errors(ph.examine(nothing)) == [
        (
            "empty",
            "generator function: expected at least one batch, got none. Keras needs a first batch: is the data "
            "there, and does the loop run?",
        )
    ]


def test_empty_batches_at_the_end_of_a_dataset_are_a_wrong_length():
    class Longer(Items):
        def __len__(self):
            return super().__len__() + 2

    code, message = errors(ph.examine(Longer()))[0]
    assert code == "empty-batch"
    assert message == (
        f"batch {ROWS // SIZE}: expected a batch of at least 1 row, got none. TensorFlow would wait for it or stop, "
        f"JAX skip it: return {ROWS // SIZE} from __len__."
    )


def test_a_buffer_that_is_used_again():
    buffer = np.empty((SIZE, 4), "float32")

    def generator():
        rng = np.random.default_rng(0)
        while True:
            ids = rng.permutation(ROWS)[:SIZE]
            buffer[:] = X[ids]
            yield buffer, (YES[ids], VALUE[ids])

    assert ("buffer-reused") in [p.code for p in ph.examine(generator, steps_per_epoch=6).errors]
    reused = next(p for p in ph.examine(generator, steps_per_epoch=6).errors if p.code == "buffer-reused")
    assert str(reused) == (
        "input x, batch 0: expected an array that does not change after it was yielded, got one that was "
        "overwritten by the next batch. Make a new array for each batch, or yield array.copy(): Keras holds batches "
        "before it trains on them."
    )


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            None,
            "examine(obj): expected a generator, a function that makes one, a PyDataset, a tf.data, torch or grain "
            "dataset, or arrays, got None. Give what you would give to fit; arrays as a tuple: examine((x, y)).",
        ),
        (
            lambda folder, size=3: None,
            "examine(generator): expected a function that needs no arguments, got one that needs folder. Give "
            "lambda: generator(...), or functools.partial; in a shell, a name in the file for it.",
        ),
        (
            Items,
            "examine(obj): expected an object, got the class Items. Give an object of it: data = Items(...).",
        ),
        (
            lambda: two_heads(list, loss="mse"),
            "examine(obj): expected data to train on, got a Keras model. Give the data, and the model as examine(data, "
            "model=...); in a shell: --model FILE.PY:NAME.",
        ),
    ],
    ids=["None", "arguments", "class", "model"],
)
def test_what_cannot_be_examined(obj, message):
    with pytest.raises(ph.ContractError) as caught:
        ph.examine(obj)
    assert str(caught.value) == message


def test_at_least_one_batch_is_read():
    with pytest.raises(ph.ContractError) as caught:
        ph.examine(stream(good), batches=0)
    assert str(caught.value) == "examine(batches=): expected an integer of at least 1, got 0."


@pytest.mark.parametrize("form", [list, dict])
def test_the_model_is_not_changed(form):
    model = two_heads(form, loss="mse")
    before = [w.copy() for w in model.get_weights()]
    optimizer = model.optimizer
    report = ph.examine((X, {"yes": YES, "value": VALUE} if form is dict else (YES, VALUE)), model)
    assert report.ok
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.optimizer is optimizer
    assert int(keras.ops.convert_to_numpy(optimizer.iterations)) == 0


def test_a_subclassed_model_is_called_symbolically_once_it_is_built():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = keras.layers.Dense(1, activation="sigmoid"), keras.layers.Dense(1)

        def call(self, x):
            return {"yes": self.one(x), "value": self.two(x)}

    model = Net()
    data = (X, {"yes": YES, "worth": VALUE})
    report = ph.examine(data, model)
    assert report.ok
    assert report.unseen == (
        "the model is not built, so nothing was compared with it: call it once, or build it",
    )
    model(X[:2])
    report = ph.examine(data, model)
    assert [p.code for p in report.errors] == ["target-keys"]


@pytest.mark.parametrize(
    ("turn", "how"),
    [
        (lambda a: a[:, :, ::-1], "left to right"),
        (lambda a: a[:, ::-1], "upside down"),
        (lambda a: np.rot90(a, axes=(1, 2)), "by 90 degrees"),
    ],
)
def test_images_that_are_turned_without_their_masks(turn, how):
    images = np.random.default_rng(0).random((ROWS, 8, 8, 3))
    masks = (images[..., :1] > 0.5).astype("float32")
    draw = np.random.default_rng(1)

    def turned(ids, both):
        first = draw.random() < 0.5
        second = first if both else draw.random() < 0.5  # drawn for each array
        return turn(images[ids]) if first else images[ids], turn(masks[ids]) if second else masks[ids]

    assert ph.examine(stream(lambda ids: turned(ids, True)), steps_per_epoch=6).errors == ()
    ((code, message),) = errors(ph.examine(stream(lambda ids: turned(ids, False)), steps_per_epoch=6))
    assert code == "augmented-apart"
    assert (
        ": expected image and masks that are turned together, got an image that was turned by" in message
        or (
            f": expected image and masks that are turned together, got an image that was turned {how} "
            in message
        )
    )
    assert message.endswith(
        " beside the same labels. Draw once, and apply it to both: image[:, ::-1], mask[:, ::-1]."
    )


def test_each_mask_is_turned_with_its_image():
    images = np.random.default_rng(0).random((ROWS, 8, 8, 3))
    masks = (images[..., :1] > 0.5).astype("float32")
    rings = (
        np.abs(np.indices((8, 8)) - 3.5).max(0)[None, ..., None] < np.arange(ROWS)[:, None, None, None] % 4
    )
    draw = np.random.default_rng(1)

    def turned(ids, second):
        if draw.random() < 0.5:
            return images[ids], {"cell": masks[ids], "core": second[ids] * 1.0}
        return images[ids, :, ::-1], {"cell": masks[ids, :, ::-1], "core": second[ids] * 1.0}

    # rings are the same from left to right
    assert ph.examine(stream(lambda ids: turned(ids, rings)), steps_per_epoch=6).errors == ()
    ((code, message),) = errors(ph.examine(stream(lambda ids: turned(ids, 1 - masks)), steps_per_epoch=6))
    assert code == "augmented-apart"
    assert message.startswith("target `core`, batch ")
    assert "an image that was turned left to right beside the same labels" in message


def test_an_output_without_a_loss_needs_no_labels():
    x = keras.Input((X.shape[1],), name="x")
    outputs = {name: keras.layers.Dense(1, name=name)(x) for name in ("value", "hidden")}
    as_dict, as_list = keras.Model(x, outputs), keras.Model(x, list(outputs.values()))
    as_dict.compile("sgd", loss={"value": "mse"})
    as_list.compile("sgd", loss=["mse", None])
    assert (
        ph.examine(stream(lambda ids: (X[ids], {"value": VALUE[ids]})), as_dict, steps_per_epoch=6).problems
        == ()
    )
    report = ph.examine(stream(lambda ids: (X[ids], (VALUE[ids], None))), as_list, steps_per_epoch=6)
    assert [str(problem) for problem in report.problems] == [
        "output `hidden`, batch 0: expected an array of numbers, got None. It has no loss: give zeros, or leave its "
        "key out of a dict."
    ]
    assert report.ok
    assert "names=('x', ('value', None)))" in report.declaration
    as_dict.compile("sgd", loss={"value": "mse", "hidden": "mse"})
    report = ph.examine(stream(lambda ids: (X[ids], {"value": VALUE[ids]})), as_dict, steps_per_epoch=6)
    assert [code for code, _ in errors(report)] == ["target-keys"]


def test_a_batch_of_four_parts():
    report = ph.examine(
        stream(lambda ids: (X[ids], YES[ids], VALUE[ids], KIND[ids])), two_heads(), 12, steps_per_epoch=6
    )
    assert errors(report) == [
        (
            "not-a-tuple",
            "batch 0: expected a tuple (x, y) or (x, y, weights), got a tuple of 4. Nest what belongs together: x, "
            "(yes, value), and weights in the same way.",
        )
    ]


def test_labels_in_the_place_of_weights():
    report = ph.examine(
        stream(lambda ids: (X[ids], YES[ids], VALUE[ids])), two_heads(), 12, steps_per_epoch=6
    )
    ((code, message),) = errors(report)
    assert code == "stacked-targets"
    assert "The third part of a batch is weights, not labels. Yield x, (yes, value)." in message


def test_inputs_that_a_model_wants_by_name():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model({"b": b, "a": a}, keras.layers.Dense(3, activation="softmax")(a + b))
    assert errors(ph.examine(((X, X), KIND), model)) == [
        (
            "input-keys",
            "x: expected a dict with the keys `b`, `a`, got a tuple. Yield the inputs as a dict: Keras "
            "accepts nothing else, as the model was built with one.",
        )
    ]
    assert ph.examine(({"a": X, "b": X}, KIND), model).ok


def test_inputs_in_the_wrong_order():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    both = keras.layers.Concatenate()([a, b])
    model = keras.Model([a, b], keras.layers.Dense(3, activation="softmax")(both))
    assert errors(ph.examine(((X[:, :2], X), KIND), model)) == [
        (
            "input-shape",
            "inputs `a` and `b`: expected each input's own array, got arrays that fit only the other way round (input "
            "`a` got rows of shape (2,)). Exchange x[0] and x[1].",
        ),
    ]
    three = {name: keras.Input((size,), name=name) for name, size in (("a", 4), ("b", 2), ("c", 1))}
    joined = keras.layers.Concatenate()(list(three.values()))
    model = keras.Model(three, keras.layers.Dense(3, activation="softmax")(joined))
    assert errors(ph.examine(({"a": X[:, :1], "b": X, "c": X[:, :2]}, KIND), model)) == [
        (
            "input-shape",
            "inputs `a`, `b` and `c`: expected each input's own array, got arrays that fit only in another order "
            "(input `a` got rows of shape (1,)). `a` is `c`, `b` is `a` and `c` is `b`.",
        ),
    ]


def test_ids_and_numbers_in_the_wrong_order():
    ids, numbers = keras.Input((4,), name="ids", dtype="int32"), keras.Input((4,), name="numbers")
    vectors = keras.layers.Flatten()(keras.layers.Embedding(9, 2)(ids))
    both = keras.layers.Concatenate()([vectors, numbers])
    model = keras.Model([ids, numbers], keras.layers.Dense(3, activation="softmax")(both))
    words = np.arange(4 * ROWS).reshape(ROWS, 4) % 9
    (found,) = errors(ph.examine(((X, words), KIND), model))
    assert found[1].startswith(
        "inputs `ids` and `numbers`: expected each input's own array, got arrays that fit only"
    )
    named = keras.Model({"ids": ids, "numbers": numbers}, model.output)
    (found,) = errors(ph.examine(({"ids": X, "numbers": words}, KIND), named))
    assert found[0] == "input-dtype"  # the names may be right


@pytest.mark.parametrize(
    ("model", "masks", "fix"),
    [
        (
            mask_head(loss="binary_crossentropy"),
            MASK,
            "These are channels first: give labels.transpose(0, 2, 3, 1), in torch labels.permute(0, 2, 3, 1).",
        ),
        (
            mask_head(3, loss="sparse_categorical_crossentropy"),
            MASK.astype(int),
            "The channels are first: give labels[:, 0].",
        ),
        (
            mask_head(3),
            MASK.astype(int),
            "If these are class ids with the channels first, give labels[:, 0].",
        ),
    ],
)
def test_masks_with_their_channels_first(model, masks, fix):
    (found,) = errors(ph.examine((MASK, np.moveaxis(masks, -1, 1)), model))
    assert found[0] == "target-shape"
    assert found[1].endswith(fix)


@pytest.mark.parametrize(("activation", "labels"), [("relu", X[:, :1] - 9), ("sigmoid", VALUE)])
def test_labels_out_of_reach_are_not_taken_for_exchanged_ones(activation, labels):
    x = keras.Input((4,), name="x")
    up = keras.layers.Dense(1, activation=activation, name="up")(x)
    model = with_loss(keras.Model(x, [up, keras.layers.Dense(1, name="down")(x)]), "mse")
    (found,) = errors(ph.examine((X, (labels, np.abs(X[:, 1:2]) / 9)), model))
    assert found[0] == "label-range"
    assert found[1].startswith("output `up`, row ")
    assert found[1].endswith("If `up` and `down` have each other's labels, exchange y[0] and y[1].")


def test_all_rows_of_arrays_are_looked_at_and_named_by_their_row():
    x = np.random.default_rng(0).random((50_000, 3))
    y = (x[:, :1] > 0.5).astype("float32")
    y[41_234] = np.nan
    report = ph.examine((x, y))
    assert errors(report) == [
        (
            "nan",
            "target y, row 41234: expected finite numbers, got NaN (1 row in all). NaN times a weight of 0 is NaN: "
            "give 0 and a weight of 0, or declare the data as a ph.Feed, where NaN means that there is no label.",
        )
    ]
    assert report.rows == 50_000
    assert "    batch_size=32," in report.declaration


def test_a_feed_is_right_and_stays_where_it_is():
    feed = ph.Feed(
        {"x": X, "yes": YES, "value": (VALUE - VALUE.mean()) / VALUE.std()},
        inputs="x",
        heads={"yes": ph.Binary(class_weight={0: 1, 1: 2}), "value": ph.Regression()},
        shuffle=True,
    )
    before = feed.state()
    for model in (None, two_heads(), two_heads(dict)):
        report = ph.examine(feed, model)
        assert (report.problems, report.declaration, report.rows) == ((), "", ROWS)
    assert feed.state() == before
    assert ph.examine(feed, classes()).errors == feed.check(classes()).errors != ()


def test_the_report_as_json():
    report = ph.examine((X, KIND + 1), classes())
    found = json.loads(json.dumps(report.as_dict()))
    assert found["ok"] is False
    assert found["problems"][0]["code"] == "id-out-of-range"
    assert (found["kind"], found["batches"], found["rows"]) == ("arrays", 2, ROWS)
    assert found["seconds_per_batch"] > 0
    assert found["bytes_per_batch"] == (X.nbytes + KIND.nbytes) // 2
    assert 0 < found["step_share"] < 1
    assert found["declaration"] == report.declaration != ""
    assert found["unseen"] == []


def test_the_report_in_words():
    text = str(ph.examine((X, KIND + 1), batches=2))
    first, *rest = text.splitlines()
    assert first == "ok"
    assert "  arrays: 2 batches read, 60 rows, to the end" in rest
    assert "  not seen: whether it fits a model: none was given" in rest
    assert "the same data as a feed:" in rest


def test_what_a_batch_costs():
    report = ph.examine((X, (YES, VALUE)), two_heads())
    (made,) = [note for note in report.notes if note.startswith("a batch takes")]
    (share,) = [note for note in report.notes if "of a step" in note]
    assert made.endswith("0.72 kB of memory")
    assert "measured on a copy of the model with mean squared errors and random numbers" in share


DATA = {"x": X, "yes": YES[:, 0], "kind": KIND, "value": X[:, 1]}
HEADS = {"yes": ph.Binary(), "kind": ph.Categorical(3), "value": ph.Regression()}


@pytest.mark.parametrize("form", [dict, list])
def test_the_step_of_a_model_that_was_compiled_for_the_feed_is_timed(form):
    feed = ph.Feed(DATA, inputs={"x": ph.Array()}, heads=HEADS, batch_size=10)
    x = keras.Input((4,), name="x")
    outputs = ph.outputs(x, feed)
    model = keras.Model(x, outputs if form is dict else list(outputs.values()))
    ph.compile(model, feed, optimizer="adam")
    before = model._compile_metrics
    report = ph.examine(feed, model)
    assert "not measured" not in str(report)
    assert 0 < report.step_share < 1
    assert model._compile_metrics is before
    assert model.optimizer.iterations == 0


def test_metrics_of_class_ids_do_not_disturb_the_timing_of_a_step():
    model = classes()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert 0 < ph.examine((X, KIND), model).step_share < 1


def test_a_step_of_images_of_any_size_is_timed_at_the_size_of_the_batch():
    sizes = []

    class Seen(keras.layers.Layer):
        def call(self, x):
            sizes.append(tuple(x.shape))
            return x

        def get_config(self):
            return super().get_config()

    x = keras.Input((None, None, 1), name="x")
    model = keras.Model(x, keras.layers.Conv2D(1, 3, strides=2, name="map")(Seen()(x)))
    images, maps = np.zeros((20, 13, 17, 1), "float32"), np.zeros((20, 6, 8, 1), "float32")
    report = ph.examine((images, maps + np.arange(20, dtype="float32").reshape(-1, 1, 1, 1)), model)
    assert 0 < report.step_share < 1
    assert any(shape[1:] == (13, 17, 1) for shape in sizes)
    assert not any(shape[1:] == (8, 8, 1) for shape in sizes)


def test_of_a_model_that_cannot_be_copied_the_step_is_not_measured():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.one = keras.layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.one(x)

    model = Net()
    model(X[:2])
    report = ph.examine((X, KIND), model)
    assert report.step_share is None
    assert (
        "the time of a training step was not measured: only functional and sequential models can be copied for it"
        in report.notes
    )


def test_weights_of_0_are_no_problem_but_what_keras_makes_of_them_is_told():
    weights = (np.arange(SIZE) % 2).astype("float32")
    report = ph.examine(stream(lambda ids: (X[ids], KIND[ids], weights)), classes(), 12, steps_per_epoch=6)
    assert report.problems == ()
    assert (
        "weights of output `kind` are 0 in some rows: Keras's default loss still divides by all rows, and plain "
        "metrics count them; say weighted_metrics=" in report.notes
    )


def test_labels_without_the_last_axis_are_no_problem_for_keras_and_that_is_told():
    report = ph.examine(stream(lambda ids: (X[ids], VALUE[ids, 0])), classes(1, None), 12, steps_per_epoch=6)
    assert report.problems == ()
    assert (
        "the labels of output `kind` lack the last axis: Keras's own losses add it, a loss or metric class of your "
        "own would compare each row with each other row" in report.notes
    )


def test_a_loader_gives_tensors_unless_keras_runs_on_torch():
    data = pytest.importorskip("torch.utils.data")
    rows = list(zip(X, KIND, strict=True))

    def loader(collate):
        return data.DataLoader(rows, SIZE, shuffle=True, collate_fn=collate)

    arrays = loader(lambda some: (np.stack([x for x, _ in some]), np.stack([kind for _, kind in some])))
    found = errors(ph.examine(arrays, classes()))
    assert ph.examine(loader(None), classes()).ok
    if keras.backend.backend() == "torch":
        assert found == []
        return
    fix = "Let collate_fn give torch.as_tensor(array)."
    what = "expected torch tensors, as it is a DataLoader, got NumPy arrays (AttributeError on JAX and TensorFlow)"
    assert found == [("not-an-array", f"batch 0: {what}. {fix}")]
    with pytest.raises(Exception, match="attribute 'cpu'"):
        classes(loss="sparse_categorical_crossentropy").fit(arrays, shuffle=False, verbose=0)


@pytest.mark.once
@pytest.mark.keras
def test_ragged_tensors_are_to_be_padded():
    tf = pytest.importorskip("tensorflow")
    rows = tf.ragged.constant([[1.0, 2.0], [3.0]])
    (found,) = ph.examine(tf.data.Dataset.from_tensor_slices((rows, [0.0, 1.0])).batch(2)).errors
    assert (found.code, found.fix) == (
        "not-an-array",
        "Pad the rows to one length: ragged.to_tensor(), as Keras takes no ragged tensors.",
    )


def test_words_may_go_in_where_a_layer_may_take_them():
    words = np.array(["cat", "dog"])[KIND % 2]
    (problem,) = ph.examine((words, YES), batches=2).problems
    assert (problem.code, problem.warning) == ("not-an-array", True)


@pytest.mark.once
def test_no_framework_is_loaded():
    code = """
import sys
import numpy as np
import polyhead as ph

def generator():
    while True:
        yield np.random.random((4, 2)), np.random.random((4, 1))

assert ph.examine(generator, batches=4, steps_per_epoch=2).ok
print(*(name for name in ("keras", "tensorflow", "torch", "jax", "grain", "numba") if name in sys.modules))
"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("subclassed", [False, True])
def test_labels_of_a_hinge_loss(subclassed):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(1)

        def call(self, x):
            return self.layer(x)

    model = Net() if subclassed else classes(1, activation=None)
    model(X[:2])
    model.compile("sgd", "hinge")
    for labels in (YES, YES * 2 - 1):
        assert not ph.examine((X, labels), model).errors
    (found,) = errors(ph.examine((X, VALUE), model))
    assert "expected labels from -1 to 1, as its loss is hinge, got" in found[1]
