"""Labels, weights and batches in the wrong shape: broadcast without a word, or refused too late."""

import re

import keras
import numpy as np
import pytest
from keras import ops
from traps import (
    BACKEND,
    ONES,
    THREES,
    Steps,
    X,
    column,
    dense,
    fitted,
    in_process,
    no_step,
    plain,
    still,
    told,
    trap,
)

import polyhead as ph

WIDE = np.tile(np.array([[0, 3, 6]], "float32"), (4, 1))


def regression(units, labels):
    """A feed of two heads, `a` with the labels given, `b` with ones, and a model of `units` for `a`."""
    heads = {"a": ph.Regression(labels.shape[1]), "b": ph.Regression()}
    feed = ph.Feed({"x": X, "a": labels, "b": ONES}, inputs="x", heads=heads, batch_size=4)
    return feed, dense({"a": units, "b": 1})


@trap(
    6,
    "labels whose width differs from that of the output, or that lack the last axis",
    keras="MSE and MAE broadcast: (B, 3) against (B, 1), (B, 1) against (B, 3), (B,) against (B, k) where B = k",
    polyhead="the feed is compared with the model; labels given by hand have to have the shape of the output",
)
def test_labels_of_another_width():
    # plain Keras: each of these trains, and the loss is a number that looks like one
    assert fitted(plain(dense({"a": 1, "b": 1})), X, (WIDE, ONES))["a_loss"] == 15.0
    assert fitted(plain(dense({"a": 3, "b": 1})), X, (THREES, ONES))["a_loss"] == 9.0
    rows = np.array([1, 2, 3, 4], "float32")
    assert fitted(plain(dense({"a": 4, "b": 1})), X, (rows, ONES))["a_loss"] == 7.5
    # polyhead
    for units, labels, fix in (
        (1, WIDE, " Give the layer 3 units."),
        (3, THREES, " Give the layer 1 unit."),
    ):
        feed, model = regression(units, labels)
        with pytest.raises(ph.ContractError) as error:
            ph.compile(model, feed, optimizer=still())
        wanted = labels.shape[1]
        assert told(error) == (
            f"head `a`: expected an output of shape ({wanted},), got `a` of shape ({units},).{fix}"
        )
    for units, right, wrong, found in (
        (1, ONES, WIDE, "(B, 3)"),
        (3, WIDE, THREES, "(B, 1)"),
        (4, np.ones((4, 4), "float32"), rows, "(B,)"),
    ):
        feed, model = regression(units, right)
        ph.compile(model, feed, optimizer=still())
        with no_step() as steps, pytest.raises(ph.ContractError) as error:
            model.fit(X, (wrong, ONES), verbose=0, callbacks=[steps])
        ids = ", or class ids of shape (B,)" if units > 1 else ""
        assert told(error) == (
            f"head `a`: expected labels of shape (B, {units}), like the output{ids}, got float32 {found}."
        )


class Squares(keras.losses.Loss):
    """A loss as users write it."""

    def call(self, y_true, y_pred):
        return ops.square(y_true - y_pred)


class Furthest(keras.metrics.Metric):
    """A metric as users write it: the largest error."""

    def __init__(self, name="furthest"):
        super().__init__(name=name)
        self.largest = self.add_weight(shape=(), initializer="zeros", name="largest")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_true - y_pred))))

    def result(self):
        return self.largest + 0.0


@trap(
    7,
    "labels (B,) against an output (B, 1), with a custom loss or metric",
    keras="B x B differences: a perfect model has a loss of 2.5",
    polyhead="a column of numbers is (B, 1); labels (B,) given by hand are refused",
)
def test_labels_without_their_last_axis():
    x = column(0, 1, 2, 3)
    perfect = {"outputs": {"a": 1, "b": 1}, "kernel": 1.0, "width": 1}
    # plain Keras
    model = plain(dense(**perfect), loss=Squares(), metrics=[[Furthest()], []])
    logs = fitted(model, x, (x[:, 0], x))
    assert (logs["a_loss"], logs["a_furthest"], logs["b_loss"]) == (2.5, 3.0, 0.0)
    # polyhead: the columns are (N,)
    heads = {
        "a": ph.Regression(loss=Squares(), metrics=[Furthest()]),
        "b": ph.Regression(loss=Squares(), metrics=[Furthest()]),
    }
    feed = ph.Feed({"x": x[:, 0], "a": x[:, 0], "b": x[:, 0]}, inputs="x", heads=heads, batch_size=4)
    model = ph.compile(dense(**perfect), feed, optimizer=still())
    logs = fitted(model, feed)
    assert [logs[name] for name in ("a_loss", "a_furthest", "b_loss", "b_furthest")] == [0.0] * 4
    model = ph.compile(dense(**perfect), feed, optimizer=still())
    with no_step() as steps, pytest.raises(ph.ContractError) as error:
        model.fit(x, (x[:, 0], x), verbose=0, callbacks=[steps])
    assert told(error) == (
        "head `a`: expected labels of shape (B, 1), like the output, got float32 (B,). Give labels[:, None]."
    )


def over_time(kernel="zeros"):
    """A model of three rows of three steps: a sequence, and one number."""
    x = keras.Input((3, 2), name="x")
    steps = keras.layers.Dense(1, name="steps", kernel_initializer=kernel)(x)
    return keras.Model(
        x, [steps, keras.layers.Dense(1, name="whole", kernel_initializer=kernel)(keras.layers.Flatten()(x))]
    )


def background():
    """A model of masks that is sure of class 0, and a second output of 0."""
    x = keras.Input((3, 3, 1), name="x")
    logits = keras.initializers.Constant(np.array([9.0, -9.0, -9.0], "float32"))
    mask = keras.layers.Conv2D(3, 1, name="mask", kernel_initializer="zeros", bias_initializer=logits)(x)
    flat = keras.layers.Flatten()(x)
    return keras.Model(x, [mask, keras.layers.Dense(1, name="chosen", kernel_initializer="zeros")(flat)])


@trap(
    13,
    "one weight a row, for an output with axes of space or time",
    keras="broadcasts the weights along the last axis if the sizes agree; otherwise an error about broadcasting",
    polyhead="each weight applies to its row, from the feed and by hand",
)
def test_weights_of_rows_for_sequences_and_masks():
    x, steps, whole = (
        np.zeros((3, 3, 2), "float32"),
        np.zeros((3, 3, 1), "float32"),
        np.ones((3, 1), "float32"),
    )
    steps[0] = 1  # only row 0 is wrong, and wrong in each of its steps
    row0, row1 = np.array([1, 0, 0], "float32"), np.array([0, 1, 0], "float32")
    # plain Keras: with the weight on row 0 alone the sum is 3, of 9 values; with the weight on row 1 it is 0
    for weights in (row0, row1):
        logs = fitted(plain(over_time()), x, (steps, whole), sample_weight=(weights, np.ones(3)))
        assert logs["steps_loss"] == 1 / 9
    with pytest.raises(
        Exception, match=r"(?s)broadcast|must match|Incompatible shapes|required broadcastable"
    ):
        fitted(plain(over_time()), x[:2], (steps[:2], whole[:2]), sample_weight=(row0[:2], np.ones(2)))
    # polyhead: by hand, and by `given` in a feed, for a sequence and for a mask
    data = {"x": x, "steps": steps, "whole": whole[:, 0]}
    heads = {"steps": ph.Regression((3, 1)), "whole": ph.Regression()}
    model = ph.compile(over_time(), ph.Feed(data, inputs="x", heads=heads), optimizer=still())
    for weights, loss in ((row0, 1.0), (row1, 0.0)):
        logs = fitted(model, x, (steps, whole), sample_weight=(weights, np.ones(3, "float32")))
        assert (logs["steps_loss"], logs["steps_mae"]) == (loss, loss)
    given = {"steps": ph.Regression((3, 1), given="chosen"), "chosen": ph.Binary(weight=0.0)}
    feed = ph.Feed({**data, "chosen": row0}, inputs="x", heads=given, batch_size=3)
    inputs = over_time()
    both = keras.Model(inputs.input, {"steps": inputs.output[0], "chosen": inputs.output[1]})
    ph.compile(both, feed, optimizer=still())
    for chosen, loss in ((row0, 1.0), (row1, 0.0)):
        logs = fitted(both, feed.on({**data, "chosen": chosen}))
        assert (logs["steps_loss"], logs["steps_mae"]) == (loss, loss)
    # a mask, where the model says background everywhere: three rows, three classes
    mask = np.zeros((3, 3, 3), "uint8")
    mask[0] = 1
    data = {"x": np.zeros((3, 3, 3, 1), "float32"), "mask": mask}
    heads = {"mask": ph.Mask(3, given="chosen"), "chosen": ph.Binary()}
    feed = ph.Feed({**data, "chosen": row0}, inputs={"x": ph.Array()}, heads=heads, batch_size=3)
    model = ph.compile(background(), feed, optimizer=still())
    for chosen, loss, iou in ((row0, 18.0, 0.0), (row1, 0.0, 1.0)):
        logs = fitted(model, feed.on({**data, "chosen": chosen}))
        assert (logs["mask_loss"], logs["mask_iou"]) == (loss, iou)
        labels = (mask.astype("int32"), chosen[:, None])
        logs = fitted(model, data["x"], labels, sample_weight=(chosen, np.ones(3, "float32")))
        assert (logs["mask_loss"], logs["mask_iou"]) == (loss, iou)


def four_at_a_time(y_true, y_pred):
    """A loss that only takes batches of four rows."""
    weights = ops.convert_to_tensor(np.ones((4, 1), "float32"))
    return ops.mean(ops.square(y_true - y_pred) * weights, axis=-1)


DEVICES = """
keras.distribution.set_distribution(keras.distribution.DataParallel())
import polyhead as ph
x, y = np.zeros((6, 2), "float32"), np.ones((6, 1), "float32")
steps = Steps()
try:
    plain(dense({"a": 1, "b": 1})).fit(x, (y, y), batch_size=4, verbose=0, shuffle=False, callbacks=[steps])
    print("plain", steps.steps, "no error")
except Exception as error:
    print("plain", steps.steps, type(error).__name__, str(error).replace("\\n", " "))
data = {"x": x[:5], "a": y[:5, 0], "b": y[:5, 0]}
heads = {"a": ph.Regression(), "b": ph.Regression()}
def refused(use, batch_size):
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=batch_size)
    model = ph.compile(dense({"a": 1, "b": 1}), feed, optimizer=still())
    steps = Steps()
    try:
        getattr(model, use)(feed, verbose=0, callbacks=[steps])
    except ph.ContractError as error:
        print(use, steps.steps, error)
refused("fit", 4)
refused("fit", 3)
refused("predict", 4)
feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4, drop_remainder=True)
model = ph.compile(dense({"a": 1, "b": 1}), feed, optimizer=still())
print("polyhead", fitted(model, feed)["loss"] == 2.0)
model.set_weights([np.ones_like(w) for w in model.get_weights()])  # of zeros each output is 1
table = ph.predict(model, feed)
print("polyhead predict", table["id"].tolist(), sorted(set(table["a"].tolist())))
data = {"x": np.zeros((8, 2), "float32"), "a": np.arange(8.0), "b": 900 + np.arange(8.0)}
feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
model = ph.compile(dense({"a": 1, "b": 1}), feed, optimizer=still())
print("validated", fitted(model, feed, validation_data=feed.on(data))["val_a_mae"] == 3.5)
val = feed.on({name: values[:7] for name, values in data.items()})
steps = Steps()
for use, more in (("fit", {"validation_data": val}), ("evaluate", {})):
    try:
        getattr(model, use)(feed if more else val, verbose=0, callbacks=[steps], **more)
    except ph.ContractError as error:
        print(use, steps.steps, error)
print("in part", fitted(model, feed, validation_data=val, validation_steps=1)["val_a_mae"] == 1.5)
print("in part", model.evaluate(val, steps=1, verbose=0, return_dict=True)["a_mae"] == 1.5)
"""


@trap(
    28,
    "a smaller last batch, where all batches must have one size: several devices, a loss with a fixed table",
    keras="raises in the last step of the epoch, after all others have trained",
    polyhead="`drop_remainder=True` gives only full batches, and leaves out other rows in each epoch; a batch "
    "that the devices cannot share is refused",
)
def test_a_smaller_last_batch():
    x, y = np.zeros((6, 2), "float32"), np.ones((6, 1), "float32")
    # plain Keras
    steps = Steps()
    with pytest.raises(Exception, match=r"(?s)broadcast|must match|Broadcast|Incompatible shapes"):
        plain(dense({"a": 1, "b": 1}), loss=[four_at_a_time, "mse"]).fit(
            x, (y, y), batch_size=4, verbose=0, callbacks=[steps]
        )
    assert steps.steps == 1
    # polyhead
    data = {"x": x, "a": y[:, 0], "b": y[:, 0]}
    heads = {"a": ph.Regression(loss=four_at_a_time), "b": ph.Regression()}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4, shuffle=True, drop_remainder=True)
    model = ph.compile(dense({"a": 1, "b": 1}), feed, optimizer=still())
    steps = Steps()
    assert fitted(model, feed, epochs=2, callbacks=[steps])["loss"] == 2.0
    assert steps.steps == 2
    rows = [{i for batch in feed.batches() for i in batch.ids.tolist()} for _ in range(8) if list(feed)]
    assert {len(found) for found in rows} == {4}
    assert set.union(*rows) == set(range(6))
    if BACKEND == "jax":
        printed = in_process(DEVICES, XLA_FLAGS="--xla_force_host_platform_device_count=4").splitlines()
        assert re.match(r"plain 1 \w+Error .*divi", printed[0]), printed[0]
        rows = "expected a number of rows that 4 devices divide, got"
        assert printed[1:4] == [
            f"fit 0 last batch: {rows} 1. Say Feed(drop_remainder=True), or leave out 1 row.",
            f"fit 0 batch_size: {rows} 3. Say batch_size=4.",
            f"predict 0 last batch: {rows} 1. Say ph.predict(model, feed), which takes any number of rows.",
        ]
        assert printed[4:7] == ["polyhead True", "polyhead predict [0, 1, 2, 3, 4] [1.0]", "validated True"]
        any_number = "ph.evaluate(model, feed) takes any number of rows."
        assert printed[7:] == [
            f"fit 0 fit(validation_data=), last batch: {rows} 3. Leave out 3 rows, or say "
            f"feed.on(val, drop_remainder=True). {any_number}",
            f"evaluate 0 last batch: {rows} 3. Leave out 3 rows, or say "
            f"feed.on(rows, drop_remainder=True). {any_number}",
            *["in part True"] * 2,
        ]
