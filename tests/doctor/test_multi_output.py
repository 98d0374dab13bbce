"""Generators for several outputs: each typical mistake is named, with its head, and a correct one brings nothing."""

import keras
import numpy as np
import pytest
from doctor_checks import KIND, MASK, ROWS, SIZE, VALUE, YES, Items, X, stream, with_loss

import polyhead as ph

LOSSES = {"yes": "binary_crossentropy", "value": "mse", "kind": "sparse_categorical_crossentropy"}
ONE_HOT = np.eye(3, dtype="float32")[KIND]
WORDS = np.array(["cat", "dog", "fox"])[KIND]
PHOTO = np.random.default_rng(1).random((ROWS, 8, 8, 3)).astype("float32")
TOKENS = np.random.default_rng(2).integers(0, 60, (ROWS, 6)).astype("int32")
ones = np.ones(SIZE, "float32")


class Squares(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.square(y_true - y_pred)


def three(form=list, yes="sigmoid", kind="softmax", losses=None):
    x = keras.Input((4,), name="x")
    outputs = {
        "yes": keras.layers.Dense(1, yes, name="yes")(x),
        "value": keras.layers.Dense(1, name="value")(x),
        "kind": keras.layers.Dense(3, kind, name="kind")(x),
    }
    losses = LOSSES | (losses or {})
    if form is list:
        return with_loss(keras.Model(x, list(outputs.values())), list(losses.values()))
    return with_loss(keras.Model(x, outputs), losses)


def photos(first=keras.layers.Identity):
    x = keras.Input((8, 8, 3), name="photo")
    h = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(first()(x))
    kind = keras.layers.Dense(3, "softmax", name="kind")(keras.layers.GlobalAveragePooling2D()(h))
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(h)
    return with_loss(keras.Model(x, [kind, mask]), [LOSSES["kind"], LOSSES["yes"]])


def rescaling():
    return photos(lambda: keras.layers.Rescaling(1 / 255))


def tokens():
    x = keras.Input((6,), name="tokens", dtype="int32")
    h = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 4, name="words")(x))
    outputs = [keras.layers.Dense(1, "sigmoid", name="yes")(h), keras.layers.Dense(1, name="value")(h)]
    return with_loss(keras.Model(x, outputs), [LOSSES["yes"], "mse"])


def nested():
    x = keras.Input((4,), name="x")
    deep = {"yes": keras.layers.Dense(1, "sigmoid")(x), "value": keras.layers.Dense(1)(x)}
    outputs = {"a": deep, "kind": keras.layers.Dense(3, "softmax")(x)}
    losses = {"a": {"yes": LOSSES["yes"], "value": "mse"}, "kind": LOSSES["kind"]}
    return with_loss(keras.Model(x, outputs), losses)


def tuple_in_dict():
    x = keras.Input((4,), name="x")
    deep = [keras.layers.Dense(1, "sigmoid")(x), keras.layers.Dense(1)(x)]
    outputs = {"a": deep, "kind": keras.layers.Dense(3, "softmax")(x)}
    return with_loss(keras.Model(x, outputs), {"a": [LOSSES["yes"], "mse"], "kind": LOSSES["kind"]})


def autoencoder(units, other, loss):
    x = keras.Input((4,), name="x")
    outputs = {"same": keras.layers.Dense(units)(x), "other": other(x)}
    return with_loss(keras.Model(x, outputs), {"same": "mse", "other": loss})


def by_tuple(i):
    return X[i], (YES[i], VALUE[i], KIND[i])


def by_key(i):
    return X[i], {"yes": YES[i], "value": VALUE[i], "kind": KIND[i]}


def in_nests(i):
    return X[i], {"a": {"yes": YES[i], "value": VALUE[i]}, "kind": KIND[i]}


def labels(**changed):
    """Batches with other labels for an output, as functions of the ids."""
    as_they_are = {"yes": YES, "value": VALUE, "kind": KIND}
    return lambda i: (X[i], tuple(changed[n](i) if n in changed else a[i] for n, a in as_they_are.items()))


def holes(i):
    values = VALUE.copy()
    values[17] = np.nan
    return X[i], (YES[i], values[i], KIND[i])


MISTAKES = {
    "exchanged": (
        lambda i: (X[i], (KIND[i], VALUE[i], YES[i])),
        three,
        "swapped-targets",
        "Exchange y[0] and y[2].",
    ),
    "exchanged by three": (
        lambda i: (X[i], (KIND[i], YES[i], VALUE[i])),
        three,
        "swapped-targets",
        "y[0] has the labels of `kind`, y[1] has the labels of `yes` and y[2] has the labels of `value`.",
    ),
    "exchanged by key": (
        lambda i: (X[i], {"yes": VALUE[i], "value": KIND[i], "kind": YES[i]}),
        lambda: three(dict),
        "swapped-targets",
        "`yes` has the labels of `value`, `value` has the labels of `kind` and `kind` has the labels of `yes`.",
    ),
    "tuple for a dict": (
        by_tuple,
        lambda: three(dict),
        "swapped-targets",
        '{"yes": ..., "value": ..., "kind": ...}',
    ),
    "list": (lambda i: (X[i], list(by_tuple(i)[1])), three, "list-targets", "Yield x, (yes, value, kind)."),
    "no kind": (
        lambda i: (X[i], {"yes": YES[i], "value": VALUE[i]}),
        lambda: three(dict),
        "target-keys",
        "no `kind`",
    ),
    "no kind in a tuple": (
        lambda i: (X[i], (YES[i], VALUE[i])),
        three,
        "target-count",
        "`kind` (3,), got 2 arrays",
    ),
    "misspelt": (
        lambda i: (X[i], {"yes": YES[i], "value": VALUE[i], "kinds": KIND[i]}),
        lambda: three(dict),
        "target-keys",
        "Rename `kinds` to `kind`.",
    ),
    "one-hot": (labels(kind=lambda i: ONE_HOT[i]), three, "one-hot-for-sparse", "output `kind`"),
    "ids": (
        by_tuple,
        lambda: three(losses={"kind": "categorical_crossentropy"}),
        "ids-for-one-hot",
        "output `kind`: expected one number for each of 3 classes, as its loss is categorical_crossentropy, got ids.",
    ),
    "words": (labels(kind=lambda i: WORDS[i]), three, "not-an-array", "output `kind`, batch 0"),
    "numbers as text": (
        labels(value=lambda i: VALUE[i].astype(str)),
        three,
        "not-an-array",
        "got an array of numbers as text ('27.953503', ...). Say values.astype(\"float32\").",
    ),
    "numbers as objects": (
        labels(value=lambda i: VALUE[i].astype(object)),
        three,
        "not-an-array",
        "output `value`, batch 0: expected an array of numbers, got an array of numbers as objects",
    ),
    "dates": (
        labels(value=lambda i: np.full((len(i), 1), np.datetime64(1, "D"))),
        three,
        "not-an-array",
        "output `value`, batch 0: expected an array of numbers, got an array of datetime64[D]. Turn times into numbers",
    ),
    "weights of outputs": (
        lambda i: (*by_key(i), {"yes": 1.0, "value": 0.5, "kind": 1.0}),
        lambda: three(dict),
        "weights-structure",
        'say model.compile(loss_weights={"yes": ..., "value": ..., "kind": ...}).',
    ),
    "weights of outputs in a tuple": (
        lambda i: (*by_tuple(i), (1.0, 0.5, 1.0)),
        three,
        "weights-structure",
        "compile",
    ),
    "weights of classes": (
        lambda i: (*by_tuple(i), {0: 1.0, 1: 2.0, 2: 1.0}),
        three,
        "weights-structure",
        "np.vectorize({0: ..., 1: ..., 2: ...}.get)(labels)",
    ),
    "weights of one output": (
        lambda i: (*by_key(i), {"kind": ones}),
        lambda: three(dict),
        "weights-structure",
        "`yes`",
    ),
    "flat weights": (
        lambda i: (*in_nests(i), {"yes": ones, "value": ones, "kind": ones}),
        nested,
        "weights-structure",
        'got {yes: array, value: array, kind: array}. Yield x, y, {"a": {"yes": yes, "value": value}, "kind": kind}',
    ),
    "weights by path": (
        lambda i: (*in_nests(i), {"a/yes": ones, "a/value": ones, "kind": ones}),
        nested,
        "weights-structure",
        "`a/yes`",
    ),
    "flat labels": (by_key, nested, "structure", "`a/yes` (1,)"),
    "(N,) for a loss of one's own": (
        labels(value=lambda i: VALUE[i, 0]),
        lambda: three(losses={"value": Squares()}),
        "broadcast",
        "output `value`",
    ),
    "3 numbers for 1": (labels(value=lambda i: X[i, :3]), three, "broadcast", "output `value`"),
    "photos with channels first": (
        lambda i: (PHOTO[i].transpose(0, 3, 1, 2), (KIND[i], MASK[i])),
        photos,
        "input-shape",
        "These are channels first",
    ),
    "masks with channels first": (
        lambda i: (PHOTO[i], (KIND[i], MASK[i].transpose(0, 3, 1, 2))),
        photos,
        "target-shape",
        "output `mask`: expected labels of shape (B, 8, 8, 1), as the output has, got (B, 1, 8, 8). These are channels",
    ),
    "masks of 255": (lambda i: (PHOTO[i], (KIND[i], 255 * MASK[i])), photos, "mask-255", "output `mask`"),
    "masks in color": (
        lambda i: (PHOTO[i], (KIND[i], np.repeat(MASK[i], 3, 3))),
        photos,
        "broadcast",
        "`mask`",
    ),
    "weights for a mask": (
        lambda i: (PHOTO[i], (KIND[i], MASK[i]), (ones, ones)),
        photos,
        "weights-shape",
        "weights of output `mask`",
    ),
    "fewer rows": (labels(value=lambda i: VALUE[i][:-1]), three, "row-count", "got 9 in output `value`"),
    "NaN": (holes, three, "nan", "output `value`, batch 2, row 8"),
    "ids from 1": (labels(kind=lambda i: KIND[i] + 1), three, "id-out-of-range", "Count classes from 0"),
    "-1": (
        labels(kind=lambda i: KIND[i] - (i % 30 == 0)),
        three,
        "id-out-of-range",
        'If it means "no label"',
    ),
    "1.5": (labels(yes=lambda i: 1.5 * YES[i]), three, "label-range", "output `yes`"),
    "-1 and 1": (labels(yes=lambda i: 2 * YES[i] - 1), three, "label-range", "output `yes`"),
    "tokens beyond the embedding": (
        lambda i: (TOKENS[i], (YES[i], VALUE[i])),
        tokens,
        "token-range",
        "expected ids in [0, 49], as the embedding `words` has 50 rows, got 59.",
    ),
    "tokens with fractions": (
        lambda i: (X[i].repeat(2, 1)[:, :6], (YES[i], VALUE[i])),
        tokens,
        "input-dtype",
        "expected whole numbers, as the model's input is int32, got",
    ),
    "x, y1, y2, y3": (
        lambda i: (X[i], YES[i], VALUE[i], KIND[i]),
        three,
        "not-a-tuple",
        "x, (yes, value, kind)",
    ),
    "x, y1, y2": (lambda i: (X[i], YES[i], VALUE[i]), three, "stacked-targets", "weights, not labels"),
    "one dict": (
        lambda i: {"x": X[i], **by_key(i)[1]},
        lambda: three(dict),
        "not-a-tuple",
        'got a dict. Keras accepts nothing else from a generator: yield x, {"yes": ..., "value": ..., "kind": ...}.',
    ),
    "Python lists": (labels(yes=lambda i: YES[i].tolist()), three, "list-of-numbers", "output `yes`"),
    "None for labels": (
        labels(yes=lambda i: None),
        three,
        "no-labels",
        "Where there is no label, give 0 and a weight of 0.",
    ),
    "tanh": (by_tuple, lambda: three(yes="tanh"), "activation", "tanh gives no probabilities"),
    "relu": (
        by_tuple,
        lambda: three(kind="relu"),
        "activation",
        'expected activation="softmax", or none for logits',
    ),
    "no activation": (by_tuple, lambda: three(yes=None), "logits", "output `yes`"),
    "-1 and 1 beside numbers in 0-1": (
        labels(yes=lambda i: 2 * YES[i] - 1, value=lambda i: VALUE[i] / 100),
        three,
        "label-range",
        "output `yes`",
    ),
    "(N,) for a loss of one's own beside 0 and 1": (
        labels(value=lambda i: VALUE[i, 0] / 100),
        lambda: three(losses={"value": Squares()}),
        "broadcast",
        "output `value`",
    ),
    "exchanged in a tuple in a dict": (
        lambda i: (X[i], {"a": (VALUE[i], YES[i]), "kind": KIND[i]}),
        tuple_in_dict,
        "swapped-targets",
        "outputs `a/0` and `a/1`: expected each output's own labels, got labels that fit only the other way round "
        "(output `a/0`, batch",
    ),
    "Python lists in a tuple in a dict": (
        lambda i: (X[i], {"a": (YES[i].tolist(), VALUE[i]), "kind": KIND[i]}),
        tuple_in_dict,
        "list-of-numbers",
        "Give NumPy arrays: np.asarray(y['a'][0], \"float32\").",
    ),
    "no inputs": (lambda i: ((), by_tuple(i)[1]), three, "input-count", "for `x` (4,), got 0 arrays"),
    "an input in a nesting": (
        lambda i: ({"y": {"left": X[i]}}, by_tuple(i)[1]),
        three,
        "input-keys",
        "input `y`: expected an array, got a dict. Yield one array for each keras.Input.",
    ),
    "weights of one output in a tuple": (
        lambda i: (PHOTO[i], (KIND[i], MASK[i]), (np.ones((SIZE, 8, 8)),)),
        photos,
        "weights-structure",
        "expected a tuple of 2 arrays, for `kind`, `mask`, got 1 array",
    ),
}


@pytest.mark.once
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_and_no_other(mistake):
    make, model, code, words = MISTAKES[mistake]
    report = ph.examine(stream(make), model(), 12, steps_per_epoch=6)
    assert [problem.code for problem in report.errors] == [code], str(report)
    assert report.warnings == ()
    assert words in str(report.errors[0])


PERHAPS = {
    "floats": (lambda i: (255 * PHOTO[i], (KIND[i], MASK[i])), photos, "unscaled-images"),
    "bytes": (lambda i: ((255 * PHOTO[i]).astype("uint8"), (KIND[i], MASK[i])), photos, "unscaled-images"),
    "divided twice": (lambda i: (PHOTO[i], (KIND[i], MASK[i])), rescaling, "rescaled-twice"),
}
UNSCALED = (
    "input `photo`: expected pixels near 0–1, as layer `first` reads them unscaled, got pixels of 0–255. Divide by "
    "255, or begin the model with keras.layers.Rescaling(1 / 255)."
)
TWICE = (
    "input `photo`: expected pixels of 0–255, as the model has Rescaling(1 / 255), got pixels of 0–1. Give the bytes, "
    "or leave Rescaling out of the model."
)


@pytest.mark.once
@pytest.mark.parametrize("scale", PERHAPS)
def test_a_scale_of_images_that_the_model_does_not_expect(scale):
    make, model, code = PERHAPS[scale]
    report = ph.examine(stream(make), model(), 12, steps_per_epoch=6)
    assert [(p.code, p.warning) for p in report.problems] == [(code, True)]
    assert str(report.problems[0]) == {"unscaled-images": UNSCALED, "rescaled-twice": TWICE}[code]


@pytest.mark.once
def test_a_loss_that_takes_the_logarithm_of_outputs_that_can_be_negative():
    report = ph.examine(stream(by_tuple), three(yes=None, losses={"yes": "poisson"}), 12, steps_per_epoch=6)
    assert [(p.code, p.warning) for p in report.problems] == [("negative-outputs", True)]


RNG = np.random.default_rng(5)


def one_apart(i):
    return X[i], (YES[i], RNG.permutation(VALUE[i]), KIND[i])


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "place"),
    [
        (one_apart, "output `value`, batch 0, row "),
        (
            lambda i: (np.roll(X[i], 1, 0), by_tuple(np.random.default_rng(i[0]).permutation(i))[1]),
            "batch 0, row ",
        ),
    ],
    ids=["one", "all"],
)
def test_labels_that_are_shuffled_apart_from_their_inputs(make, place):
    (found,) = ph.examine(stream(make), three(), 12, steps_per_epoch=6).errors
    assert found.code == "labels-move"
    assert found.place.startswith(place)


@pytest.mark.once
def test_an_array_that_is_used_again_is_named():
    values = np.empty((SIZE, 1), "float32")

    def make(i):
        values[:] = VALUE[i]
        return X[i], (YES[i], values, KIND[i])

    (found,) = ph.examine(stream(make), three(), 12, steps_per_epoch=6).errors
    assert (found.code, found.place) == ("buffer-reused", "output `value`, batch 0")


def rows(i=range(ROWS)):
    return ((X[k], (YES[k], VALUE[k], KIND[k])) for k in i)


@pytest.mark.once
def test_single_rows_are_no_batches():
    (found,) = ph.examine(rows, three(), 12).errors
    assert str(found) == (
        "input `x`: expected batches of rows, (B, 4), got single rows, (4,). Yield many rows at once: x[rows], or "
        "np.stack(rows)."
    )
    (number, *_) = [p for p in ph.examine(rows, batches=12).errors if p.code == "not-an-array"]
    assert str(number).startswith(
        "target y[2], batch 0: expected an array of numbers, got a single number, 0. An array"
    )


@pytest.mark.once
@pytest.mark.keras
def test_datasets_of_single_rows():
    tf, data = pytest.importorskip("tensorflow"), pytest.importorskip("torch").utils.data
    dataset = tf.data.Dataset.from_tensor_slices(by_tuple(np.arange(ROWS)))
    (found,) = ph.examine(dataset, three(), 12).errors
    assert (found.code, found.fix) == ("single-rows", "Say dataset.batch(32).")
    (found,) = ph.examine(data.DataLoader(list(rows()), batch_size=None), three(), 12).errors
    assert (found.code, found.fix) == ("single-rows", "Say DataLoader(dataset, batch_size=32).")


@pytest.mark.keras
def test_labels_inside_another_tuple_train_a_list_of_outputs_as_they_should():
    model = three()
    batch = by_tuple(np.arange(SIZE))
    made = (batch[0], (batch[1],))

    def generator():
        while True:
            yield made

    yes, value, kind = model.predict(batch[0], verbose=0)
    history = model.fit(generator(), steps_per_epoch=1, shuffle=False, verbose=0).history
    losses = [
        -np.log(np.where(YES[:SIZE] == 1, yes, 1 - yes)).mean(),
        np.square(value - VALUE[:SIZE]).mean(),
        -np.log(np.take_along_axis(kind, KIND[:SIZE, None], 1)).mean(),
    ]
    assert [history[f"{name}_loss"][0] for name in LOSSES] == pytest.approx(losses, rel=1e-4)
    report = ph.examine(stream(lambda i: (X[i], (by_tuple(i)[1],))), model, 12, steps_per_epoch=6)
    assert [(p.code, p.warning) for p in report.problems] == [("structure", True)]
    assert '"kind": ph.Categorical(3),' in report.declaration


CORRECT = {
    "tuple": (by_tuple, three),
    "dict": (by_key, lambda: three(dict)),
    "dict in another order": (lambda i: (X[i], dict(reversed(by_key(i)[1].items()))), lambda: three(dict)),
    "dict for a list": (by_key, three),
    "dict of inputs": (lambda i: ({"x": X[i]}, by_tuple(i)[1]), three),
    "soft labels": (labels(yes=lambda i: 0.1 + 0.8 * YES[i]), three),
    "ids (N, 1)": (labels(kind=lambda i: KIND[i, None]), three),
    "ids as floats": (labels(kind=lambda i: KIND[i].astype("float32")), three),
    "ids as bytes": (labels(kind=lambda i: KIND[i].astype("uint8")), three),
    "yes as bool": (labels(yes=lambda i: YES[i] > 0), three),
    "whole values": (labels(value=lambda i: VALUE[i].astype("int32")), three),
    "(N,) for (N, 1)": (labels(yes=lambda i: YES[i, 0], value=lambda i: VALUE[i, 0]), three),
    "float64": (lambda i: (X[i].astype("float64"), by_tuple(i)[1]), three),
    "one-hot": (
        labels(kind=lambda i: 0.9 * ONE_HOT[i] + 0.1 / 3),
        lambda: three(losses={"kind": "categorical_crossentropy"}),
    ),
    "one-hot for a softmax and a binary loss": (
        labels(kind=lambda i: ONE_HOT[i]),
        lambda: three(losses={"kind": "binary_crossentropy"}),
    ),
    "any of three": (
        labels(kind=lambda i: (X[i, :3] > 0).astype("float32")),
        lambda: three(kind="sigmoid", losses={"kind": "binary_crossentropy"}),
    ),
    "hinge": (labels(yes=lambda i: 2 * YES[i] - 1), lambda: three(yes="tanh", losses={"yes": "hinge"})),
    "logits": (
        by_tuple,
        lambda: three(
            yes=None,
            kind=None,
            losses={
                "yes": keras.losses.BinaryCrossentropy(from_logits=True),
                "kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            },
        ),
    ),
    "poisson": (labels(yes=lambda i: YES[i]), lambda: three(yes="exponential", losses={"yes": "poisson"})),
    "weights": (lambda i: (*by_tuple(i), (ones, ones, ones)), three),
    "weights by key": (lambda i: (*by_key(i), dict.fromkeys(LOSSES, ones)), lambda: three(dict)),
    "weights (N, 1)": (lambda i: (*by_tuple(i), (ones[:, None], ones[:, None], ones)), three),
    "no label, weight 0": (
        lambda i: (
            *labels(value=lambda j: VALUE[j] * (j[:, None] % 5 > 0))(i),
            (ones, 1.0 * (i % 5 > 0), ones),
        ),
        three,
    ),
    "nested": (in_nests, nested),
    "nested weights": (lambda i: (*in_nests(i), {"a": {"yes": ones, "value": ones}, "kind": ones}), nested),
    "tuple in a dict": (lambda i: (X[i], {"a": (YES[i, 0], VALUE[i, 0]), "kind": KIND[i]}), tuple_in_dict),
    "the inputs and their kind": (
        lambda i: (X[i], {"same": X[i], "other": KIND[i]}),
        lambda: autoencoder(4, keras.layers.Dense(3, "softmax"), LOSSES["kind"]),
    ),
    "the inputs in two parts": (
        lambda i: (X[i], {"same": X[i, :3], "other": X[i, 3:]}),
        lambda: autoencoder(3, keras.layers.Dense(1), "mse"),
    ),
    "masks": (lambda i: (PHOTO[i], (KIND[i], MASK[i])), photos),
    "masks (N, H, W)": (lambda i: (PHOTO[i], (KIND[i], MASK[i, ..., 0])), photos),
    "masks as bool": (lambda i: (PHOTO[i], (KIND[i], MASK[i] > 0)), photos),
    "masks as bytes": (lambda i: (PHOTO[i], (KIND[i], MASK[i].astype("uint8"))), photos),
    "weights of pixels": (lambda i: (PHOTO[i], (KIND[i], MASK[i]), (ones, np.ones((SIZE, 8, 8)))), photos),
    "weights of masks": (lambda i: (PHOTO[i], (KIND[i], MASK[i]), (ones, np.ones((SIZE, 1, 1)))), photos),
    "bytes and Rescaling": (lambda i: ((255 * PHOTO[i]).astype("uint8"), (KIND[i], MASK[i])), rescaling),
    "bytes and BatchNormalization": (
        lambda i: (255 * PHOTO[i], (KIND[i], MASK[i])),
        lambda: photos(keras.layers.BatchNormalization),
    ),
    "photos in -1 to 1": (lambda i: (2 * PHOTO[i] - 1, (KIND[i], MASK[i])), photos),
    "photos minus their mean": (lambda i: (255 * PHOTO[i] - 110, (KIND[i], MASK[i])), photos),
    "counts in a grid": (lambda i: ((9 * PHOTO[i]).astype("uint8"), (KIND[i], MASK[i])), photos),
    "tokens": (lambda i: (TOKENS[i] % 50, (YES[i], VALUE[i])), tokens),
    "tokens as floats": (lambda i: ((TOKENS[i] % 50).astype("float32"), (YES[i], VALUE[i])), tokens),
}


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda i: (np.c_[X[i, :3], YES[i]], by_tuple(i)[1]),
            "sparse_categorical_crossentropy",
            "output `yes`: expected labels that no input has, got those of input `x`, column 3, in all 120 "
            "rows read. Leave them out of the inputs: the model would only copy them.",
        ),
        (
            lambda i: (np.c_[KIND[i], X[i, :3]], by_tuple(i)[1]),
            "sparse_categorical_crossentropy",
            "output `kind`: expected labels that no input has, got those of input `x`, column 0",
        ),
        (
            lambda i: (np.c_[X[i, :1], ONE_HOT[i]], (YES[i], VALUE[i], ONE_HOT[i])),
            "categorical_crossentropy",
            "output `kind`: expected labels that no input has, got those of input `x`, in all 120",
        ),
    ],
)
def test_a_label_among_the_inputs_is_named(make, kind, message):
    (problem,) = ph.examine(stream(make), three(losses={"kind": kind}), 12, steps_per_epoch=6).problems
    assert (problem.code, problem.warning) == ("label-in-input", True)
    assert str(problem).startswith(message)


@pytest.mark.once
def test_negative_weights_in_their_place_are_not_taken_for_labels():
    make = stream(lambda i: (*by_tuple(i), (ones, ones, -ones)))
    (problem,) = ph.examine(make, three(), 12, steps_per_epoch=6).errors
    assert str(problem).endswith("got -1. A negative weight trains away from the label.")


@pytest.mark.once
def test_equal_labels_of_two_outputs_are_noted():
    report = ph.examine(
        stream(lambda i: (X[i], (YES[i], YES[i, 0], KIND[i]))), three(), 12, steps_per_epoch=6
    )
    assert report.problems == ()
    assert "output `yes` and output `value` have the same labels in every row" in report.notes


@pytest.mark.once
@pytest.mark.parametrize("way", CORRECT)
def test_a_correct_generator_brings_nothing(way):
    make, model = CORRECT[way]
    report = ph.examine(stream(make), model(), 12, steps_per_epoch=6)
    assert report.problems == (), str(report)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:.*structure of `inputs`")
@pytest.mark.parametrize("way", CORRECT)
def test_keras_trains_on_what_is_called_correct(way):
    make, model = CORRECT[way]
    assert "loss" in model().fit(stream(make)(), steps_per_epoch=2, shuffle=False, verbose=0).history


def uneven():
    order = np.random.default_rng(0)
    while True:
        ids = order.permutation(ROWS)
        yield from (by_tuple(ids[start : start + 11]) for start in range(0, ROWS, 11))


@pytest.mark.once
@pytest.mark.parametrize(
    "given",
    [
        Items(by_tuple),
        (X, [YES, VALUE, KIND]),
        (X, [YES, VALUE, KIND], [np.ones(ROWS)] * 3),
        uneven,
    ],
    ids=["PyDataset", "arrays", "arrays with weights", "a smaller last batch"],
)
def test_no_false_alarm_for_other_data(given):
    assert ph.examine(given, three(), 12, **{"steps_per_epoch": 6} if given is uneven else {}).problems == ()


# Subclassed models ------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable()
class Two(keras.Model):
    """Reads a dict; with ``numbers``, its call() asks for numbers that symbolic tensors do not have."""

    def __init__(self, numbers=False):
        super().__init__()
        self.numbers = numbers
        self.yes, self.value = keras.layers.Dense(1, "sigmoid"), keras.layers.Dense(1)

    def call(self, inputs):
        x = inputs["x"]
        if self.numbers and not isinstance(x, keras.KerasTensor):
            return {"yes": self.yes(x), "value": self.value(x)}
        if self.numbers:
            raise NotImplementedError
        return {"yes": self.yes(x), "value": self.value(x)}


def subclassed(numbers=False):
    model = Two(numbers)
    model({"x": keras.ops.convert_to_tensor(X[:2])})
    return with_loss(model, {"yes": "binary_crossentropy", "value": "mse"})


def two(i):
    return {"yes": YES[i], "value": VALUE[i]}


@pytest.mark.parametrize("numbers", [False, True])
def test_a_subclassed_model_is_called_on_the_first_batch(numbers):
    def found(make):
        return ph.examine(stream(make), subclassed(numbers), 12, steps_per_epoch=6)

    assert found(lambda i: ({"x": X[i]}, two(i))).problems == ()
    assert found(lambda i: ({"x": X[i], "row": KIND[i]}, two(i))).problems == ()
    (other,) = found(lambda i: ({"features": X[i]}, two(i))).errors
    assert (other.code, other.place, other.expected) == ("input-keys", "x", "what Two.call() takes")
    assert other.found.startswith("dict with the keys `features`: KeyError: ")
    assert "x" in other.found.partition("KeyError: ")[2]
    (narrow,) = found(lambda i: ({"x": X[i, :3]}, two(i))).errors
    assert (narrow.code, narrow.place) == ("input-shape", "x")
    assert found(lambda i: (X[i], two(i))).errors[0].place == "x"
    assert [p.code for p in found(lambda i: ({"x": X[i]}, {"yes": YES[i]})).errors] == ["target-keys"]


def test_a_frame_in_a_batch_is_told_of_where_tensorflow_refuses_it():
    pandas = pytest.importorskip("pandas")
    report = ph.examine(
        stream(lambda i: (pandas.DataFrame(X[i]), by_tuple(i)[1])), three(), 12, steps_per_epoch=6
    )
    (found,) = report.problems
    assert str(found) == (
        "input `x`, batch 0: expected an array, got a DataFrame (works on JAX and torch, AttributeError on "
        'TensorFlow). Say frame.to_numpy("float32").'
    )
    assert found.warning == (keras.backend.backend() != "tensorflow")
    series = ph.examine(
        stream(labels(value=lambda i: pandas.Series(VALUE[i, 0]))), three(), 12, steps_per_epoch=6
    )
    assert series.problems == ()
