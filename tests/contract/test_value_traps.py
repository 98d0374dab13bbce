"""Labels and inputs with wrong values: outside the classes, not finite, not numbers, of another type later."""

import keras
import numpy as np
import pandas as pd
import pytest
from traps import BACKEND, ONES, VERSION, X, column, dense, fitted, plain, still, told, trap

import polyhead as ph

OTHER = {"other": ph.Regression()}


def feed(**changes):
    """A feed of four rows in one batch, with the head `other` beside what is given."""
    heads = {**changes.pop("heads"), **OTHER}
    return ph.Feed({"x": X, "other": [1.0] * 4, **changes}, inputs="x", heads=heads, batch_size=4)


def classes(labels):
    """The loss of plain Keras for class ids of three classes, all logits being 0."""
    loss = [keras.losses.SparseCategoricalCrossentropy(from_logits=True), "mse"]
    return fitted(plain(dense({"kind": 3, "other": 1}), loss=loss), X, (labels, ONES))["kind_loss"]


@trap(
    8,
    "a class id outside the classes, as -1 for no label",
    keras="on JAX the row adds zero to the loss; TensorFlow and PyTorch raise deep inside, without the row (PyTorch: "
    "-1 since Keras 3.14, which takes -100 for no label instead)",
    polyhead="names the row and the classes; `missing=-1` leaves such rows out of the loss",
)
def test_a_class_id_outside_the_classes():
    # Keras 3.14 gave PyTorch its own cross entropy, which finds -1, and takes -100 for no label
    before = BACKEND == "torch" and VERSION < (3, 14)
    if BACKEND == "torch" and not before:
        assert classes(np.array([0, 1, 2, -100])) == np.log(3) * 3 / 4
    for strange in (-1, 3):
        labels = np.array([0, 1, 2, strange])
        # plain Keras
        if BACKEND == "jax" or (before and strange == -1):
            assert classes(labels) == np.log(3) * 3 / 4
        else:
            words = {
                "torch": "Class values must be smaller than num_classes" if before else "out of bounds",
                "tensorflow": f"label value of {strange} which is outside the valid range",
            }
            with pytest.raises(Exception, match=words[BACKEND]):
                classes(labels)
        # polyhead
        with pytest.raises(ph.DataError) as error:
            feed(kind=labels, heads={"kind": ph.Categorical(3)})
        hint = f' If {strange} means "no label", say Categorical(missing={strange}).'
        from_one = (
            " If the ids count from 1, say Categorical([1, 2, 3]); if they count from 0, Categorical(4)."
        )
        hint = f"{from_one}{hint}" if strange == 3 else hint
        assert told(error) == f"head `kind`, row 3: expected an integer in [0, 2], got {strange}.{hint}"
        data = feed(kind=labels, heads={"kind": ph.Categorical(3, missing=strange)})
        model = ph.compile(dense({"kind": 3, "other": 1}), data, optimizer=still())
        assert fitted(model, data)["kind_loss"] == np.log(3)


def sigmoid():
    """Two heads of which the first says 0.5 everywhere."""
    x = keras.Input((2,), name="x")
    mask = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros", name="mask")(x)
    return keras.Model(x, [mask, keras.layers.Dense(1, kernel_initializer="zeros", name="other")(x)])


@trap(
    9,
    "a mask of 0 and 255 for a head of 0 and 1",
    keras="on JAX and TensorFlow the loss is negative and falls for ever; PyTorch raises, without the row",
    polyhead="names the row, and says what to do about 255",
)
def test_masks_of_0_and_255():
    model = plain(sigmoid(), loss=["binary_crossentropy", "mse"])
    # plain Keras
    if BACKEND == "torch":
        with pytest.raises(RuntimeError, match="all elements of target should be between 0 and 1"):
            fitted(model, X, (255 * ONES, ONES))
    else:
        model = plain(
            dense({"mask": 1, "other": 1}, kernel=1.0),
            loss=[keras.losses.BinaryCrossentropy(from_logits=True), "mse"],
        )
        assert fitted(model, X + 1, (255 * ONES, ONES))["mask_loss"] == np.log1p(np.exp(2)) - 255 * 2
    # polyhead
    masks = np.zeros((4, 2, 2), "uint8")
    masks[2, 1, 1] = 255
    with pytest.raises(ph.DataError) as error:
        feed(mask=masks, heads={"mask": ph.Mask()})
    assert told(error) == (
        "head `mask`, row 2: expected 0 or 1 in each pixel, got 255. If 255 is the object, say Mask(values=(0, 255)). "
        'If 255 means "no label", say Mask(missing=255).'
    )
    with pytest.raises(ph.DataError) as error:
        feed(mask=[0, 255, 0, 255], heads={"mask": ph.Binary()})
    assert told(error) == (
        "head `mask`, row 1: expected 0, 1, True or False, got 255. Say Binary(positive=...) to name the value "
        "that means 1. Likewise row 3."
    )
    data = feed(mask=[0, 255, 0, 255], heads={"mask": ph.Binary(positive=255)})
    assert fitted(ph.compile(sigmoid(), data, optimizer=still()), data)["mask_loss"] == np.log(2)


@trap(
    10,
    "a label of NaN with a weight of 0",
    keras="NaN times 0 is NaN: the loss is NaN",
    polyhead="NaN means that there is no label; the loss is the mean over the others",
)
def test_a_label_of_nan_with_a_weight_of_0():
    labels, weights = column(2, np.nan, 2, 4), np.array([1, 0, 1, 1], "float32")
    # plain Keras
    logs = fitted(plain(dense({"a": 1, "other": 1})), X, (labels, ONES), sample_weight=(weights, np.ones(4)))
    assert np.isnan(logs["a_loss"].expected)
    assert np.isnan(logs["loss"].expected)
    # polyhead
    for values in (labels, labels[:, 0], [2.0, None, 2.0, 4.0]):
        data = feed(a=values, heads={"a": ph.Regression()})
        logs = fitted(ph.compile(dense({"a": 1, "other": 1}), data, optimizer=still()), data)
        assert (logs["a_loss"], logs["a_mae"], logs["loss"]) == (8.0, 8 / 3, 9.0)


class OnDisk(ph.Source):
    """Rows that are not in memory, so that they are looked at as they come."""

    def __init__(self, **columns):
        self.data = columns

    def __len__(self):
        return len(self.data["x"])

    def read(self, ids):
        return {name: values[ids] for name, values in self.data.items()}


@trap(
    11,
    "NaN or infinity in an input or a label",
    keras="the loss is NaN or infinite, the weights of the model are lost, and no row is named",
    polyhead="names the row, before a step is made with it",
)
def test_values_that_are_not_finite():
    bad = X.copy()
    bad[2, 1] = np.nan
    endless = column(1, 1, -np.inf, 1)
    # plain Keras: one step, and every weight that saw the row is NaN
    model = plain(dense({"a": 1, "other": 1}), rate=0.1)
    assert np.isnan(fitted(model, bad, (ONES, ONES))["loss"].expected)
    assert np.isnan(model.get_weights()[0]).any()
    assert np.isinf(fitted(plain(dense({"a": 1, "other": 1})), X, (endless, ONES))["loss"].expected)
    # polyhead: labels in memory when the feed is made
    with pytest.raises(ph.DataError) as error:
        feed(a=endless, heads={"a": ph.Regression()})
    assert told(error) == (
        "head `a`, row 2: expected finite numbers, got -inf. Fix the row, or put NaN where there is no label."
    )
    # the rest as it comes, before its step
    heads = {"a": ph.Regression(), **OTHER}
    for value, shown in ((np.nan, "nan"), (np.inf, "inf")):
        bad[2, 1] = value
        for data in ({"x": bad, "a": ONES, "other": ONES}, OnDisk(x=bad, a=ONES, other=ONES)):
            rows = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
            with pytest.raises(ph.DataError) as error:
                ph.compile(dense({"a": 1, "other": 1}), rows, optimizer=still())
            assert told(error) == (
                f"input `x`, row 2: expected finite numbers, got {shown}. Fix the row, or say Array(fill=0.0) to "
                "fill in for NaN, but not for infinity."
            )
    filled = ph.Feed(
        {"x": np.where(bad == np.inf, np.nan, bad), "a": ONES, "other": ONES},
        inputs={"x": ph.Array(fill=0.0)},
        heads=heads,
        batch_size=4,
    )
    assert fitted(ph.compile(dense({"a": 1, "other": 1}), filled, optimizer=still()), filled)["loss"] == 2.0


@trap(
    15,
    "integers in the first batches, fractions later",
    keras="on TensorFlow the type of the first two batches stays: 0.5 becomes 0",
    polyhead="labels have the type of their head, inputs the type of their column; what does not fit is refused",
)
def test_fractions_after_whole_numbers():
    whole, half = np.zeros((4, 1), "int64"), np.full((4, 1), 0.5, "float32")
    batches = [(X, (labels, labels)) for labels in (whole, whole, half)]
    # plain Keras
    model = plain(dense({"a": 1, "other": 1}))
    seen = model.fit((batch for batch in batches), steps_per_epoch=1, epochs=3, verbose=0).history["loss"]
    assert seen == [0.0, 0.0, 0.0 if BACKEND == "tensorflow" else 0.5]

    # polyhead
    class Growing(ph.Source):
        """The first eight rows are whole numbers, whatever column."""

        def __len__(self):
            return 12

        def read(self, ids):
            values = np.where(ids < 8, 0, 0.5)
            values = values.astype("int64") if (ids < 8).all() else values
            return {"x": np.zeros((len(ids), 2), "float32"), "a": values, "other": values}

    rows = ph.Feed(Growing(), inputs="x", heads={"a": ph.Regression(), **OTHER}, batch_size=4)
    model = ph.compile(dense({"a": 1, "other": 1}), rows, optimizer=still())
    assert {batch.labels["a"].dtype.name for batch in rows.batches()} == {"float32"}
    seen = model.fit(rows, steps_per_epoch=1, epochs=3, verbose=0).history["loss"]
    assert seen == [0.0, 0.0, 0.5]
    mixed = ph.Feed(Growing(), inputs={"a": ph.Array(dtype="int32")}, heads=OTHER, batch_size=4)
    with pytest.raises(
        ph.DataError, match=r"input `a`, row 8: expected whole numbers, as the input is int32, got 0\.5"
    ):
        list(mixed)


@trap(
    26,
    "words, a pandas category, or an object array as labels",
    keras="an error about a dtype, far from the column",
    polyhead="classes are learned from names and categories; where numbers are expected, the error names the row",
)
def test_labels_that_are_not_numbers():
    names = ["cat", "dog", "cat", "eel"]
    columns = [np.array(names), np.array(names, object), pd.Series(names, dtype="category"), names]
    # plain Keras
    words = (
        "Invalid dtype: (str|object|category)|Unrecognized data type|Cast string to float is not supported"
    )
    for values in columns:
        with pytest.raises(Exception, match=f"(?s){words}"):
            classes(values)
    with pytest.raises(ValueError, match="Invalid dtype: object"):
        fitted(plain(dense({"a": 1, "other": 1})), X, (np.array([1.0, 2.0, None, 1.0], object), ONES))
    # polyhead
    for values in columns:
        data = feed(kind=values, heads={"kind": ph.Categorical()})
        assert data.heads["kind"].names == ("cat", "dog", "eel")
        assert data.peek()[1]["kind"].tolist() == [0, 1, 0, 2]
    model = ph.compile(dense({"kind": 3, "other": 1}), data, optimizer=still())
    assert fitted(model, data)["kind_loss"] == np.log(3)
    data = feed(a=np.array([1.0, 2.0, None, 1.0], object), heads={"a": ph.Regression()})
    model = ph.compile(dense({"a": 1, "other": 1}), data, optimizer=still())
    assert fitted(model, data)["a_loss"] == 2.0
    for head, found in (
        (
            ph.Regression(),
            "row 0: expected a number, got 'cat'. Give numbers, or None where there is no label.",
        ),
        (
            ph.Binary(),
            "row 0: expected 0, 1, True or False, got 'cat'. Say Binary(positive=...) to name the value that "
            "means 1.",
        ),
        (
            ph.Categorical(["cat", "dog"]),
            "row 3: expected one of ['cat', 'dog'], got 'eel'. Name it among the classes, or say "
            "Categorical(missing='eel') if it means \"no label\".",
        ),
        (ph.Categorical(3), "row 0: expected an integer in [0, 2], got 'cat'."),
    ):
        with pytest.raises(ph.DataError) as error:
            feed(kind=np.array(names, object), heads={"kind": head})
        assert told(error).startswith(f"head `kind`, {found}")
