"""What the doctor says of each mistake in layout, shapes and values, word by word."""

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
    X,
    classes,
    good,
    mask_head,
    stream,
    two_heads,
    with_loss,
)

import polyhead as ph

STEPS = ROWS // SIZE


class Mine(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.square(y_true - y_pred)


def two_masks():
    x = keras.Input((8, 8, 1), name="x")
    return keras.Model(x, [keras.layers.Conv2D(1, 1, name=name)(x) for name in ("one", "two")])


def colors(loss):
    x = keras.Input((8, 8, 3), name="x")
    return with_loss(keras.Model(x, keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x)), loss)


def steps(loss=None):
    x = keras.Input((4,), name="x")
    tag = keras.layers.Softmax(name="tag")(keras.layers.Reshape((2, 3))(keras.layers.Dense(6)(x)))
    return with_loss(keras.Model(x, tag), loss)


def at(array, row, value):
    """The array with another value in one row."""
    array = array.copy()
    array[row] = value
    return array


def flat(*batches):
    """These batches again and again."""

    def generator():
        while True:
            yield from batches

    return generator


HOLED = at(VALUE, 7, np.nan)
ENDLESS = at(VALUE, 7, np.inf)
ones = np.ones(SIZE, "float32")
B0, B1 = good(np.arange(10)), good(np.arange(10, 20))
IN_ORDER = (
    "(perhaps) order of the rows: expected a new order in each epoch, got the same order in two epochs. "
    "For training, shuffle: order = rng.permutation(rows) at the start of each epoch."
)


CASES = [
    (
        "list",
        lambda: (stream(lambda i: (X[i], [YES[i], VALUE[i]])), two_heads()),
        ("list-targets",),
        [
            (
                "batch 0, y: expected a tuple or a dict of arrays, got a list (works on JAX and "
                "torch, TypeError on TensorFlow). Yield x, (yes, value)."
            ),
        ],
    ),
    (
        "list of one array",
        lambda: (stream(lambda i: (X[i], [YES[i]])), None),
        ("list-targets",),
        [
            (
                "batch 0, y: expected a tuple or a dict of arrays, got a list (works on JAX and "
                "torch, TypeError on TensorFlow). Yield the array itself: x, y."
            ),
        ],
    ),
    (
        "list of inputs",
        lambda: (stream(lambda i: ([X[i]], (YES[i], VALUE[i]))), two_heads()),
        ("list-structure",),
        [
            (
                "batch 0, x: expected a tuple or a dict of arrays, got a list (works on JAX and "
                "torch, TypeError on TensorFlow). Yield tuples or dicts in its place; rows in a "
                "list: np.stack(rows)."
            ),
        ],
    ),
    (
        "not a tuple",
        lambda: (stream(lambda i: [X[i], KIND[i]]), classes()),
        ("not-a-tuple",),
        [
            (
                "batch 0: expected a tuple (x, y) or (x, y, weights), got a list. Keras accepts nothing else "
                "from a generator: yield x, y."
            ),
        ],
    ),
    (
        "no labels",
        lambda: (stream(lambda i: (X[i],)), two_heads()),
        ("no-targets",),
        [
            (
                "batch 0: expected labels for `yes` (1,), `value` (1,), got inputs alone. Yield x, (yes, value)."
            ),
        ],
    ),
    (
        "stacked",
        lambda: (stream(lambda i: (X[i], np.concatenate([YES[i], VALUE[i]], 1))), two_heads()),
        ("stacked-targets",),
        [
            (
                "y: expected an array for each of `yes` (1,), `value` (1,), got one array of shape "
                "(B, 2). One array for all outputs would be taken apart along the batch, or given to "
                "each output. Take it apart: yield x, (y[:, 0:1], y[:, 1:2])."
            ),
        ],
    ),
    (
        "too many",
        lambda: (stream(lambda i: (X[i], (YES[i], VALUE[i], VALUE[i]))), two_heads()),
        ("target-count",),
        [
            ("y: expected 2 arrays, for `yes` (1,), `value` (1,), got 3 arrays. Yield x, (yes, value)."),
        ],
    ),
    (
        "keys",
        lambda: (stream(lambda i: (X[i], {"yes": YES[i], "valeu": VALUE[i]})), two_heads()),
        ("target-keys",),
        [
            (
                "y: expected the keys `yes`, `value`, got no `value` and `valeu` too many. Rename "
                "`valeu` to `value`."
            ),
        ],
    ),
    (
        "keys more",
        lambda: (
            stream(lambda i: (X[i], {"yes": YES[i], "value": VALUE[i], "more": VALUE[i]})),
            two_heads(dict),
        ),
        ("target-keys",),
        [
            (
                "y: expected the keys `yes`, `value`, got `more` too many. Yield one array for each "
                "output, under its name."
            ),
        ],
    ),
    (
        "dict by tuple",
        lambda: (stream(lambda i: (X[i], (YES[i], VALUE[i]))), two_heads(dict)),
        ("swapped-targets",),
        [
            (
                "y: expected a dict with the keys `yes`, `value`, got a tuple, which Keras assigns in "
                "the order of the sorted keys: the labels of `yes` would train `value`; the labels of "
                '`value` would train `yes`. Yield x, {"yes": ..., "value": ...}.'
            ),
        ],
    ),
    (
        "dict by tuple, in luck",
        lambda: (stream(lambda i: (X[i], (VALUE[i], YES[i]))), two_heads(dict)),
        ("tuple-for-dict",),
        [
            (
                "(perhaps) y: expected a dict with the keys `yes`, `value`, got a tuple, which Keras "
                'assigns in the order of the sorted keys; here the labels have it. Yield x, {"yes": '
                '..., "value": ...}: another name could change the order.'
            ),
        ],
    ),
    (
        "swapped",
        lambda: (stream(lambda i: (X[i], (VALUE[i], YES[i]))), two_heads()),
        ("swapped-targets",),
        [
            (
                "outputs `yes` and `value`: expected each output's own labels, got labels that fit "
                "only the other way round (output `yes`, batch 2, row 5 got 28.4455). Exchange y[0] "
                "and y[1]."
            ),
        ],
    ),
    (
        "swapped by name",
        lambda: (stream(lambda i: (X[i], {"yes": VALUE[i], "value": YES[i]})), two_heads(dict)),
        ("swapped-targets",),
        [
            (
                "outputs `yes` and `value`: expected each output's own labels, got labels that fit "
                "only the other way round (output `yes`, batch 2, row 5 got 28.4455). Exchange `yes` "
                "and `value`."
            ),
        ],
    ),
    (
        "inside another tuple",
        lambda: (stream(lambda i: (X[i], ((YES[i], VALUE[i]),))), two_heads()),
        ("structure",),
        [
            (
                "(perhaps) y: expected an array for each of `yes` (1,), `value` (1,), got these in another tuple, "
                "which Keras takes apart, but only for a list of outputs. Yield x, (yes, value)."
            ),
        ],
    ),
    (
        "inside another tuple, for a dict",
        lambda: (stream(lambda i: (X[i], ((YES[i], VALUE[i]),))), two_heads(dict)),
        ("structure",),
        [
            (
                "y: expected the nesting of the model's outputs, `yes` (1,), `value` (1,), got "
                "((array, array),). Yield the labels nested as the model nests its outputs."
            ),
        ],
    ),
    (
        "nested",
        lambda: (stream(lambda i: (X[i], (YES[i], (VALUE[i],)))), two_heads()),
        ("structure",),
        [
            (
                "y: expected the nesting of the model's outputs, `yes` (1,), `value` (1,), got "
                "(array, (array,)). Yield the labels nested as the model nests its outputs."
            ),
        ],
    ),
    (
        "drift",
        lambda: (flat(B0, (B1[0], B1[1][0])), None),
        ("structure-drift", "not-shuffled"),
        [
            (
                "batch 1: expected the nesting of the batches before, (x, (array, array)), got (x, "
                "array). Yield the same structure each time; Keras learns it from the first batches."
            ),
            IN_ORDER,
        ],
    ),
    (
        "dtype",
        lambda: (flat(B0, (B1[0], (B1[1][0].astype("int32"), B1[1][1]))), None),
        ("dtype-drift", "not-shuffled"),
        [
            (
                "target y[0], batch 1: expected float32, as in batch 0, got int32. Fix the dtype: "
                'values.astype("float32").'
            ),
            IN_ORDER,
        ],
    ),
    (
        "dtype cut",
        lambda: (flat((B0[0], B0[1][0].astype("int32")), (B1[0], B1[1][1])), None),
        ("dtype-drift", "not-shuffled"),
        [
            (
                "target y, batch 1: expected int32, as in batch 0, got float32. TensorFlow would "
                'truncate the fractions. Fix the dtype: values.astype("float32").'
            ),
            IN_ORDER,
        ],
    ),
    (
        "shapes",
        lambda: (flat((X[:10], YES[:10]), (X[10:20], np.zeros((10, 2)))), None),
        ("dtype-drift", "shape-drift", "not-shuffled"),
        [
            (
                "target y, batch 1: expected float32, as in batch 0, got float64. Fix the dtype: "
                'values.astype("float32").'
            ),
            (
                "target y, batch 1: expected rows of shape (1,), as in batch 0, got rows of shape "
                "(2,). Pad or cut the rows to one shape."
            ),
            IN_ORDER,
        ],
    ),
    (
        "lengths",
        lambda: (flat((np.zeros((10, 4)), YES[:10]), (np.ones((10, 5)), YES[10:20])), None),
        ("shape-drift", "not-shuffled"),
        [
            (
                "(perhaps) input x, batch 1: expected rows of shape (4,), as in batch 0, got rows of "
                "shape (5,). Pad or cut the rows to one shape."
            ),
            IN_ORDER,
        ],
    ),
    (
        "text",
        lambda: (stream(lambda i: (X[i], np.array(["a", "b"])[KIND[i] % 2])), None),
        ("not-an-array",),
        [
            (
                "target y, batch 0: expected an array of numbers, got an array of text ('b', ...). "
                "Turn words into ids first, and mixed lists into one array of numbers."
            ),
        ],
    ),
    (
        "numbers",
        lambda: (stream(lambda i: (X[i], KIND[i].tolist())), None),
        ("list-of-numbers",),
        [
            (
                "target y, batch 0: expected an array of numbers, got a list of 10 numbers. Give "
                'NumPy arrays: yield x, np.asarray(y, "float32").'
            ),
        ],
    ),
    (
        "ids in a list",
        lambda: (stream(lambda i: (X[i], KIND[i].tolist())), classes(loss="sparse_categorical_crossentropy")),
        ("list-of-numbers",),
        [
            (
                "output `kind`, batch 0: expected an array of numbers, got a list of 10 numbers. Give "
                'NumPy arrays: yield x, np.asarray(y, "int32").'
            ),
        ],
    ),
    (
        "a list for each output",
        lambda: (stream(lambda i: (X[i], (YES[i].tolist(), VALUE[i].ravel().tolist()))), two_heads()),
        ("list-of-numbers", "list-of-numbers"),
        [
            (
                f"output `{name}`, batch 0: expected an array of numbers, got a list of 10 {held}. Give NumPy arrays: "
                'yield x, (np.asarray(yes, "float32"), np.asarray(value, "float32")[:, None]).'
            )
            for name, held in (("yes", "lists of 1 number"), ("value", "numbers"))
        ],
    ),
    (
        "a list for one key",
        lambda: (
            stream(lambda i: (X[i], {"yes": YES[i].tolist(), "value": VALUE[i]})),
            two_heads(dict),
        ),
        ("list-of-numbers",),
        [
            (
                "output `yes`, batch 0: expected an array of numbers, got a list of 10 lists of 1 number. Give "
                'NumPy arrays: yield x, {"yes": np.asarray(yes, "float32"), "value": value}.'
            ),
        ],
    ),
    (
        "lists in a list",
        lambda: (stream(lambda i: (X[i], [YES[i].tolist(), VALUE[i].tolist()])), two_heads()),
        ("list-targets", "list-of-numbers", "list-of-numbers"),
        [
            (
                "batch 0, y: expected a tuple or a dict of arrays, got a list (works on JAX and torch, TypeError on "
                "TensorFlow). Yield x, (yes, value)."
            ),
            *(
                f"output `{name}`, batch 0: expected an array of numbers, got a list of 10 lists of 1 number. Give "
                'NumPy arrays: yield x, (np.asarray(yes, "float32"), np.asarray(value, "float32")).'
                for name in ("yes", "value")
            ),
        ],
    ),
    (
        "a row for all outputs",
        lambda: (stream(lambda i: (X[i], np.c_[YES[i], VALUE[i]].tolist())), two_heads()),
        ("stacked-targets",),
        [
            (
                "y: expected an array for each of `yes` (1,), `value` (1,), got a list of 10 lists of 2 numbers. "
                'Take the columns apart: y = np.asarray(y, "float32"), then yield x, (y[:, 0:1], y[:, 1:2]).'
            ),
        ],
    ),
    (
        "lists of unequal length",
        lambda: (stream(lambda i: (X[i], [[1] * (k + 1) for k in range(SIZE)])), classes()),
        ("list-of-numbers",),
        [
            (
                "output `kind`, batch 0: expected an array of numbers, got a list of 10 lists of unequal length. Pad "
                "the rows to one length: Keras takes arrays only. A ph.Feed takes lists of labels and boxes."
            ),
        ],
    ),
    (
        "inputs that are a list of rows",
        lambda: (stream(lambda i: (list(X[i]), (YES[i].tolist(), VALUE[i].tolist()))), two_heads()),
        ("single-rows",),
        [
            (
                "input `x`: expected one array, (B, 4), got a list of its rows, 10 arrays of shape (4,). Stack them: "
                "np.stack(rows), for each input and output. To Keras, each array of a list is another input."
            ),
        ],
    ),
    (
        "images of several sizes in a tuple, under a key",
        lambda: (stream(lambda i: ({"x": tuple(MASK[k][: 4 + k % 2] for k in i)}, MASK[i])), mask_head()),
        ("single-rows",),
        [
            (
                "input `x`: expected one array, (B, 8, 8, 1), got a tuple of its rows, 10 arrays of shape (4, 8, 1) "
                "and (5, 8, 1). Bring them to one shape and stack them: np.stack(rows), for each input and output. To "
                "Keras, each array of a list is another input."
            ),
        ],
    ),
    (
        "masks that are a list of rows",
        lambda: (stream(lambda i: (MASK[i], (MASK[i], list(MASK[i])))), two_masks()),
        ("single-rows",),
        [
            (
                "output `two`: expected one array, (B, 8, 8, 1), got a list of its rows, 10 arrays of shape (8, 8, 1). "
                "Stack them: np.stack(rows), for each input and output. To Keras, each array of a list is another "
                "output."
            ),
        ],
    ),
    (
        "batches of batches",
        lambda: (stream(lambda i: (X[i][None], (YES[i][None], VALUE[i][None]))), two_heads()),
        ("input-shape",),
        [
            (
                "input `x`: expected rows of shape (4,), got rows of shape (10, 4), each a batch. Leave out the "
                "additional axis: x[0], or np.concatenate(x)."
            ),
        ],
    ),
    (
        "divided by 255 twice",
        lambda: (
            stream(lambda i: (np.repeat(MASK[i], 3, 3) / 255, (MASK[i] / 255).astype("float32"))),
            colors(loss="binary_crossentropy"),
        ),
        ("mask-255", "rescaled-twice"),
        [
            (
                "output `mask`, batch 0, row 0: expected labels of 0 and 1, as its loss is binary_crossentropy, got at "
                "most 1 / 255. They were 0 and 1 already: leave out the division by 255."
            ),
            (
                "(perhaps) input `x`: expected pixels near 0–1, got pixels of 0–0.0039. They were divided by 255 "
                "twice: do it once."
            ),
        ],
    ),
    (
        "labels of a second output in the place of weights",
        lambda: (stream(lambda i: (X[i], YES[i], at(-VALUE, 7, np.nan)[i])), two_heads()),
        ("stacked-targets",),
        [
            (
                "y: expected an array for each of `yes` (1,), `value` (1,), got one array of shape (B, 1). One array "
                "for all outputs would be taken apart along the batch, or given to each output. The third part of a "
                "batch is weights, not labels. Yield x, (yes, value)."
            ),
        ],
    ),
    (
        "rows",
        lambda: (stream(lambda i: (X[i], (YES[i], VALUE[i][:-1]))), two_heads()),
        ("row-count",),
        [
            (
                "batch 0: expected 10 rows in every array, got 9 in output `value`. Cut inputs, "
                "labels and weights with the same ids."
            ),
        ],
    ),
    (
        "channels",
        lambda: (stream(lambda i: (MASK[i].transpose(0, 3, 1, 2), MASK[i])), mask_head()),
        ("input-shape",),
        [
            (
                "input `x`: expected rows of shape (8, 8, 1), got rows of shape (1, 8, 8). These are "
                "channels first: give images.transpose(0, 2, 3, 1), in torch images.permute(0, 2, 3, 1)."
            ),
        ],
    ),
    (
        "extra input",
        lambda: (stream(lambda i: ({"x": X[i], "age": X[i]}, (YES[i], VALUE[i]))), two_heads()),
        ("extra-input",),
        [
            (
                "(perhaps) x: expected the keys `x` alone, got `age` too. Keras drops it: leave it "
                "out, or add an input."
            ),
        ],
    ),
    (
        "input keys",
        lambda: (stream(lambda i: ({"features": X[i], "age": X[i]}, (YES[i], VALUE[i]))), two_heads()),
        ("input-keys",),
        [
            (
                "x: expected the keys `x`, got `features`, `age`. Yield each input under the name of "
                "its keras.Input."
            ),
        ],
    ),
    (
        "input count",
        lambda: (stream(lambda i: ((X[i], X[i]), (YES[i], VALUE[i]))), two_heads()),
        ("input-count",),
        [
            (
                "x: expected inputs for `x` (4,), got 2 arrays. Yield a tuple or a dict of inputs, "
                "one for each keras.Input."
            ),
        ],
    ),
    (
        "input shape",
        lambda: (stream(lambda i: (X[i, :3], (YES[i], VALUE[i]))), two_heads()),
        ("input-shape",),
        [
            "input `x`: expected rows of shape (4,), got rows of shape (3,).",
        ],
    ),
    (
        "weights dict",
        lambda: (stream(lambda i: (*good(i), {"yes": ones, "value": ones})), two_heads()),
        ("weights-structure",),
        [
            (
                "weights: expected a tuple of 2 arrays, for `yes`, `value`, got a dict (KeyError: 0 "
                "in Keras). Yield x, y, (yes, value); an array of ones where all rows count."
            ),
        ],
    ),
    (
        "weights short",
        lambda: (stream(lambda i: (*good(i), (ones,))), two_heads()),
        ("weights-structure",),
        [
            (
                "weights: expected a tuple of 2 arrays, for `yes`, `value`, got 1 array. Yield x, y, "
                "(yes, value); an array of ones where all rows count."
            ),
        ],
    ),
    (
        "weights one",
        lambda: (stream(lambda i: (*good(i), ones)), two_heads()),
        ("weights-structure",),
        [
            (
                "(perhaps) weights: expected weights for each of `yes`, `value`, got one array, which "
                "counts for every output. Yield x, y, (yes, value); an array of ones where all rows "
                "count."
            ),
        ],
    ),
    (
        "weights partial",
        lambda: (
            stream(lambda i: (X[i], {"yes": YES[i], "value": VALUE[i]}, {"yes": ones})),
            two_heads(dict),
        ),
        ("weights-structure",),
        [
            (
                "weights: expected a dict with the keys `yes`, `value`, got no `value`. Yield x, y, "
                '{"yes": ..., "value": ...}; an array of ones where all rows count.'
            ),
        ],
    ),
    (
        "weights tuple",
        lambda: (stream(lambda i: (X[i], {"yes": YES[i], "value": VALUE[i]}, (ones, ones))), two_heads(dict)),
        ("weights-structure",),
        [
            (
                "weights: expected a dict with the keys `yes`, `value`, got a tuple. Yield x, y, "
                '{"yes": ..., "value": ...}; an array of ones where all rows count.'
            ),
        ],
    ),
    (
        "weights none",
        lambda: (stream(lambda i: (*good(i), (ones, None))), two_heads()),
        ("not-an-array",),
        [
            (
                "(perhaps) weights of output `value`, batch 0: expected an array of numbers, got None. Give an "
                "array of ones for outputs without weights."
            ),
        ],
    ),
    (
        "weights mask",
        lambda: (stream(lambda i: (MASK[i], MASK[i], ones)), mask_head()),
        ("weights-shape",),
        [
            (
                "weights of output `mask`: expected rows of shape (8, 8) or (1, 1), got one number a "
                "row, (B,). It would be spread along the last axis, or refused: give "
                "weights.reshape(-1, 1, 1)."
            ),
        ],
    ),
    (
        "weights wide",
        lambda: (stream(lambda i: (X[i], KIND[i], np.ones((SIZE, 3)))), classes()),
        ("weights-shape",),
        [
            (
                "weights of output `kind`: expected one number a row, (B,) or (B, 1), got rows of "
                "shape (3,). A loss has one value for each row."
            ),
        ],
    ),
    (
        "weights negative",
        lambda: (stream(lambda i: (X[i], KIND[i], -ones)), classes()),
        ("negative-weight",),
        [
            (
                "weights of output `kind`, batch 0, row 0: expected a weight of at least 0, got -1. A "
                "negative weight trains away from the label. The third part of a batch is weights: nest the "
                "labels of several outputs, x, (y0, y1)."
            ),
        ],
    ),
    (
        "weights zero",
        lambda: (stream(lambda i: (X[i], KIND[i], 0 * ones)), classes()),
        ("constant",),
        [
            (
                "(perhaps) weights of output `kind`: expected weights above 0, got 0 in all 120 rows. "
                "Nothing would be learned from it."
            ),
        ],
    ),
    (
        "broadcast 3-1",
        lambda: (stream(lambda i: (X[i], (YES[i], X[i, :3]))), two_heads()),
        ("broadcast",),
        [
            (
                "output `value`: expected labels of shape (B, 1), as the output has, got (B, 3). A "
                "loss would not fail but compare along the axes of size 1. Give the layer or the "
                "labels the same shape."
            ),
        ],
    ),
    (
        "broadcast 1-3",
        lambda: (stream(lambda i: (X[i], VALUE[i])), classes(3, None, loss="mse")),
        ("broadcast",),
        [
            (
                "output `kind`: expected labels of shape (B, 3), as the output has, got (B, 1). A "
                "loss would not fail but compare along the axes of size 1. Give the layer or the "
                "labels the same shape."
            ),
        ],
    ),
    (
        "broadcast B-3",
        lambda: (stream(lambda i: (X[i], VALUE[i, 0])), classes(3, None, loss="mse")),
        ("broadcast",),
        [
            (
                "output `kind`: expected labels of shape (B, 3), as the output has, got (B,). A loss "
                "would not fail but compare each number with each other one. Give the layer or the "
                "labels the same shape."
            ),
        ],
    ),
    (
        "broadcast own",
        lambda: (stream(lambda i: (X[i], VALUE[i, 0])), classes(1, None, loss=Mine())),
        ("broadcast",),
        [
            (
                "output `kind`: expected labels of shape (B, 1), as the output has, got (B,). Mine is "
                "a loss of your own: it would compare each row with each other row. Give labels[..., "
                "None]."
            ),
        ],
    ),
    (
        "units",
        lambda: (stream(lambda i: (X[i], X[i, :2])), classes(3, None, loss="mse")),
        ("target-shape",),
        [
            (
                "output `kind`: expected labels of shape (B, 3), as the output has, got (B, 2). Give "
                "the layer 2 units, or labels with 3 numbers a row."
            ),
        ],
    ),
    (
        "transposed",
        lambda: (
            stream(lambda i: (MASK[i], MASK[i].reshape(-1, 8, 8, 1).transpose(0, 3, 1, 2))),
            mask_head(),
        ),
        ("target-shape",),
        [
            (
                "output `mask`: expected labels of shape (B, 8, 8, 1), as the output has, got (B, 1, "
                "8, 8). These are channels first: give labels.transpose(0, 2, 3, 1), in torch "
                "labels.permute(0, 2, 3, 1)."
            ),
        ],
    ),
    (
        "id",
        lambda: (stream(lambda i: (X[i], KIND[i] + 1)), classes()),
        ("id-out-of-range",),
        [
            (
                "output `kind`, batch 0, row 2: expected a class id in [0, 2], got 3. JAX adds "
                "nothing for such a row, TensorFlow and torch stop. Count classes from 0, or give the "
                "layer more units."
            ),
        ],
    ),
    (
        "id negative",
        lambda: (stream(lambda i: (X[i], KIND[i] - 1)), classes()),
        ("id-out-of-range",),
        [
            (
                "output `kind`, batch 0, row 3: expected a class id in [0, 2], got -1. JAX adds "
                'nothing for such a row, TensorFlow and torch stop. If it means "no label", give 0 '
                "and a weight of 0."
            ),
        ],
    ),
    (
        "id fraction",
        lambda: (stream(lambda i: (X[i], KIND[i] + 0.5)), classes(loss="sparse_categorical_crossentropy")),
        ("label-range",),
        [
            (
                "output `kind`, batch 0, row 0: expected a class id, a whole number, got 1.5. Numbers "
                "that are no ids need another loss."
            ),
        ],
    ),
    (
        "one-hot",
        lambda: (
            stream(lambda i: (X[i], np.eye(3)[KIND[i]])),
            classes(loss="sparse_categorical_crossentropy"),
        ),
        ("one-hot-for-sparse",),
        [
            (
                "output `kind`: expected ids (B,), as its loss is sparse_categorical_crossentropy, "
                "got one-hot labels (B, 3). Give labels.argmax(-1), or compile with "
                '"categorical_crossentropy".'
            ),
        ],
    ),
    (
        "ids",
        lambda: (stream(lambda i: (X[i], KIND[i])), classes(loss="categorical_crossentropy")),
        ("ids-for-one-hot",),
        [
            (
                "output `kind`: expected one number for each of 3 classes, as its loss is "
                'categorical_crossentropy, got ids. Compile with "sparse_categorical_crossentropy", '
                "or give keras.utils.to_categorical(labels, 3)."
            ),
        ],
    ),
    (
        "255",
        lambda: (stream(lambda i: (MASK[i], 255 * MASK[i])), mask_head()),
        ("mask-255",),
        [
            (
                "output `mask`, batch 0, row 0: expected labels of 0 and 1, as its activation is "
                "sigmoid, got 0 and 255. Divide by 255, or give mask > 127."
            ),
        ],
    ),
    (
        "range",
        lambda: (stream(lambda i: (X[i], VALUE[i])), classes(1, "sigmoid")),
        ("label-range",),
        [
            (
                "output `kind`, batch 2, row 5: expected labels in 0–1, as its activation is "
                "sigmoid, got 28.4455. The output cannot reach it, or the loss falls without bound: scale the "
                "labels, or give the output layer no activation and a loss for numbers."
            ),
        ],
    ),
    (
        "range loss",
        lambda: (stream(lambda i: (X[i], VALUE[i])), classes(1, None, loss="binary_crossentropy")),
        ("label-range",),
        [
            (
                "output `kind`, batch 2, row 5: expected labels in 0–1, as its loss is "
                "binary_crossentropy, got 28.4455. The output cannot reach it, or the loss falls without "
                "bound: scale the labels, or give the output layer no activation and a loss for numbers."
            ),
        ],
    ),
    (
        "relu",
        lambda: (stream(lambda i: (X[i], X[i, :1])), classes(1, "relu")),
        ("label-range",),
        [
            (
                "output `kind`, batch 0, row 8: expected labels of at least 0, as its activation is relu, "
                "got -2.32503. The output cannot reach it, or the loss falls without bound: scale the labels, or "
                "give the output layer no activation and a loss for numbers."
            ),
        ],
    ),
    (
        "multi",
        lambda: (stream(lambda i: (X[i], (X[i, :3] > 0).astype("float32"))), classes()),
        ("not-one-class",),
        [
            (
                "(perhaps) output `kind`: expected labels that sum to 1 in each row, as one class is "
                "chosen, got rows with other sums. For any number of classes a row use a sigmoid and "
                '"binary_crossentropy".'
            ),
        ],
    ),
    (
        "nan x",
        lambda: (stream(lambda i: (at(X, 7, np.nan)[i], KIND[i])), classes()),
        ("nan",),
        [
            (
                "input `x`, batch 2, row 4: expected finite numbers, got NaN (2 rows in all). Leave "
                "the row out, or fill it in."
            ),
        ],
    ),
    (
        "nan",
        lambda: (stream(lambda i: (X[i], (YES[i], HOLED[i]))), two_heads()),
        ("nan",),
        [
            (
                "output `value`, batch 2, row 4: expected finite numbers, got NaN (2 rows in all). "
                "NaN times a weight of 0 is NaN: give 0 and a weight of 0, or declare the data as a "
                "ph.Feed, where NaN means that there is no label."
            ),
        ],
    ),
    (
        "inf",
        lambda: (stream(lambda i: (X[i], (YES[i], ENDLESS[i]))), two_heads()),
        ("infinity",),
        [
            (
                "output `value`, batch 2, row 4: expected finite numbers, got infinity (2 rows in "
                "all). Infinity times a weight of 0 is NaN: give 0 and a weight of 0, or declare the "
                "data as a ph.Feed, where NaN means that there is no label."
            ),
        ],
    ),
    (
        "nan w",
        lambda: (stream(lambda i: (X[i], KIND[i], at(ones, 3, np.nan))), classes()),
        ("nan",),
        [
            (
                "weights of output `kind`, batch 0, row 3: expected finite numbers, got NaN (12 rows "
                "in all). Give 0 where a row does not count."
            ),
        ],
    ),
    (
        "constant",
        lambda: (stream(lambda i: (X[i], (0 * YES[i] + 1, VALUE[i]))), two_heads()),
        ("constant",),
        [
            (
                "(perhaps) output `yes`: expected labels that vary, got 1 in all 120 rows read. Is "
                "the right column read, and are the rows in a random order?"
            ),
        ],
    ),
    (
        "constant mask",
        lambda: (stream(lambda i: (MASK[i], 0 * MASK[i])), mask_head()),
        ("constant",),
        [
            (
                "(perhaps) output `mask`: expected labels that vary, got only zeros in all 120 rows "
                "read. Is the right column read, and are the rows in a random order?"
            ),
        ],
    ),
    (
        "constant x",
        lambda: (stream(lambda i: (0 * X[i], YES[i])), None),
        ("constant",),
        [
            (
                "(perhaps) input x: expected inputs that vary, got 0 in all 120 rows read. Is the "
                "right column read, and are the rows in a random order?"
            ),
        ],
    ),
    (
        "one output, a dict",
        lambda: (stream(lambda i: (X[i], {"kind": KIND[i]})), classes()),
        ("target-keys",),
        [
            (
                "y: expected an array, as `kind` is the model's only output, got a dict with the key `kind`, "
                "which Keras takes only where the model returns a dict. Yield x, y['kind']."
            ),
        ],
    ),
    (
        "one output, a dict of several",
        lambda: (stream(lambda i: (X[i], {"a": KIND[i], "b": KIND[i]})), classes()),
        ("target-keys",),
        [
            (
                "y: expected an array, as `kind` is the model's only output, got a dict with the keys `a`, `b`, "
                "which Keras takes only where the model returns a dict. Yield x, y with one array as y."
            ),
        ],
    ),
    (
        "one input, another key",
        lambda: (stream(lambda i: ({"z": X[i]}, KIND[i])), classes()),
        ("input-keys",),
        [("x: expected the keys `x`, got `z`. Rename `z` to `x`, or yield the array alone.")],
    ),
    (
        "one output, weights in a dict",
        lambda: (stream(lambda i: (X[i], KIND[i], {"kind": ones})), classes()),
        ("weights-structure",),
        [
            (
                "weights: expected one array, as the model has one output, got a dict with the key `kind`. "
                "Yield x, y, weights."
            ),
        ],
    ),
    (
        "one array of weights for masks",
        lambda: (stream(lambda i: (MASK[i], (MASK[i], MASK[i]), ones)), two_masks()),
        ("weights-shape",),
        [
            (
                "weights of output `one`: expected rows of shape (8, 8) or (1, 1), got one number a row, (B,), "
                "one array for every output. Give each output weights of its own: yield x, y, (one, two)."
            ),
        ],
    ),
    (
        "masked labels",
        lambda: (stream(lambda i: (X[i], (YES[i], np.ma.masked_less(VALUE[i], 20)))), two_heads()),
        ("not-an-array",),
        [
            (
                "output `value`, batch 0: expected an array of numbers, got a masked array, of which Keras also trains "
                "on what is masked. Give y.filled(0), and weights ~np.ma.getmaskarray(y), or declare the data as a "
                "ph.Feed."
            ),
        ],
    ),
    (
        "ids as weights",
        lambda: (stream(lambda i: (*good(i), (i, ones))), two_heads()),
        ("weights-structure",),
        [
            (
                "(perhaps) weights of output `yes`: expected weights, got whole numbers from 0 to 59, as row ids are. "
                "The third part of a batch is weights: leave the ids out."
            ),
        ],
    ),
    (
        "an axis too many in front",
        lambda: (stream(lambda i: (X[i], {"yes": YES[i], "value": VALUE[i][None]})), None),
        ("row-count",),
        [
            (
                "batch 0: expected 10 rows in every array, got 1 in target `value`. The first axis must be the rows: "
                "give array[0]."
            ),
        ],
    ),
    (
        "the same batch again and again",
        lambda: (stream(lambda i: good(np.arange(10))), two_heads()),
        ("repeated-rows",),
        [
            (
                "(perhaps) batch 1: expected other rows than in batch 0, got the same rows. Move on to the next rows "
                "after each yield; if these are all rows, say steps_per_epoch=1."
            ),
        ],
    ),
    (
        "list for a dict of outputs",
        lambda: (stream(lambda i: (X[i], [VALUE[i], YES[i]])), two_heads(dict)),
        ("list-targets", "tuple-for-dict"),
        [
            (
                "batch 0, y: expected a tuple or a dict of arrays, got a list (works on JAX and torch, TypeError "
                'on TensorFlow). Yield x, {"yes": ..., "value": ...}.'
            ),
            (
                "(perhaps) y: expected a dict with the keys `yes`, `value`, got a tuple, which Keras assigns in "
                "the order of the sorted keys; here the labels have it. "
                'Yield x, {"yes": ..., "value": ...}: another name could change the order.'
            ),
        ],
    ),
    (
        "inputs alone for a dict of outputs",
        lambda: (stream(lambda i: (X[i],)), two_heads(dict)),
        ("no-targets",),
        [
            (
                "batch 0: expected labels for `yes` (1,), `value` (1,), got inputs alone. "
                'Yield x, {"yes": ..., "value": ...}.'
            ),
        ],
    ),
    (
        "four parts",
        lambda: (stream(lambda i: (X[i], YES[i], VALUE[i], VALUE[i])), two_heads(dict)),
        ("not-a-tuple",),
        [
            (
                "batch 0: expected a tuple (x, y) or (x, y, weights), got a tuple of 4. Nest what belongs "
                'together: x, {"yes": ..., "value": ...}, and weights in the same way.'
            ),
        ],
    ),
    (
        "ids of another shape",
        lambda: (stream(lambda i: (X[i], X[i].astype(int))), steps(loss="sparse_categorical_crossentropy")),
        ("target-shape",),
        [
            (
                "output `tag`: expected ids of shape (B, 2), as its loss is sparse_categorical_crossentropy, got "
                "(B, 4). Give one class id for each place."
            ),
        ],
    ),
    (
        "one-hot steps",
        lambda: (
            stream(lambda i: (X[i], np.eye(3)[np.stack([KIND[i], KIND[i]], 1)])),
            steps(loss="sparse_categorical_crossentropy"),
        ),
        ("one-hot-for-sparse",),
        [
            (
                "output `tag`: expected ids (B, 2), as its loss is sparse_categorical_crossentropy, got one-hot "
                'labels (B, 2, 3). Give labels.argmax(-1), or compile with "categorical_crossentropy".'
            ),
        ],
    ),
    (
        "softmax of one unit",
        lambda: (stream(lambda i: (X[i], YES[i])), classes(1)),
        ("one-unit-softmax",),
        [
            (
                'output `kind`: expected activation="sigmoid" for an output of one unit, got softmax, which is 1 '
                'whatever the model learns. Say activation="sigmoid" in the output layer.'
            ),
        ],
    ),
    (
        "logits",
        lambda: (stream(lambda i: (X[i], YES[i])), classes(1, None, loss="binary_crossentropy")),
        ("logits",),
        [
            (
                "output `kind`: expected binary_crossentropy(from_logits=True), as the output has no activation, "
                "got from_logits=False. Say from_logits=True in the loss, or give the layer its activation."
            ),
        ],
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(
    ("given", "codes", "messages"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_message(given, codes, messages):
    generator, model = given()
    report = ph.examine(generator, model, 2 * STEPS, steps_per_epoch=STEPS)
    assert [f"{'(perhaps) ' * p.warning}{p}" for p in report.problems] == messages
    assert tuple(p.code for p in report.problems) == codes
