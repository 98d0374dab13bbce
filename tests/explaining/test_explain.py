"""The famous messages of Keras, each raised by Keras itself, and what `explain` says of them."""

import inspect
import re
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.explaining.known_messages import KNOWN

BACKEND = keras.backend.backend()
ROWS = 12
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 4)).astype("float32")
BOUGHT = (X[:, :1] > 0).astype("float32")
PRICE = X[:, 1:2].copy()
ANSWERS = {"bought": BOUGHT, "price": PRICE}
WORDS = np.array([["cat"], ["dog"]] * (ROWS // 2))
ONES = np.ones(ROWS, "float32")

pytestmark = pytest.mark.filterwarnings("ignore")  # of Keras, about the mistakes that are made here


def two_heads(form=list, units=1, **compiled):
    x = keras.Input((4,), name="x")
    bought = keras.layers.Dense(1, activation="sigmoid", name="bought")(x)
    price = keras.layers.Dense(units, name="price")(x)
    model = keras.Model(x, [bought, price] if form is list else {"bought": bought, "price": price})
    model.compile("sgd", **(compiled or {"loss": {"bought": "binary_crossentropy", "price": "mse"}}))
    return model


def fit(model, x, y=None, **more):
    model.fit(x, y, verbose=0, **({} if y is None else {"batch_size": 6}), **more)


def own_feed():
    heads = {"bought": ph.Binary(), "price": ph.Regression()}
    return ph.Feed({"x": X, "bought": BOUGHT, "price": PRICE}, inputs="x", heads=heads)


def stream(make, batches=4):
    for i in range(batches):
        yield make(slice(i % 2 * 6, i % 2 * 6 + 6))


def in_lists(rows, form=tuple):
    bought, price = BOUGHT[rows].tolist(), PRICE[rows]
    return X[rows], ((bought, price) if form is tuple else {"bought": bought, "price": price})


class Batches(keras.utils.PyDataset):
    def __init__(self, make):
        super().__init__()
        self.make = make

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.make(slice(6 * index, 6 * index + 6))


def three_classes(labels, *metrics):
    losses = ["binary_crossentropy", "sparse_categorical_crossentropy"]
    fit(two_heads(units=3, loss=losses, metrics=[[], [*metrics]]), X, [BOUGHT, labels])


def own_loss(y, p):
    return keras.ops.mean((y - p) ** 2, -1)


def two_inputs():
    inputs = {name: keras.Input((4,), name=name) for name in "xz"}
    return keras.Model(inputs, keras.layers.Add()(list(inputs.values())))


def loaded(folder):
    two_heads(loss=["mse", own_loss]).save(folder / "model.keras")
    keras.saving.load_model(folder / "model.keras")


def good(rows):
    return X[rows], (BOUGHT[rows], PRICE[rows])


FIT = {
    "cardinality": [
        (lambda: fit(two_heads(), X, [BOUGHT, PRICE[:9]]), "row-count", "got 9 in output `price`"),
        (lambda: fit(two_heads(dict), X, {"bought": BOUGHT, "price": PRICE[:9]}), "row-count", "`price`"),
        (
            lambda: fit(two_heads(), X, [BOUGHT, PRICE], validation_data=(X, [BOUGHT, PRICE[:9]])),
            "row-count",
            "validation_data, arrays: expected 12 rows in every array, got 9 in output `price`",
        ),
    ],
    "class-weight": [
        (lambda: fit(two_heads(), X, [BOUGHT, PRICE], class_weight={0: 1.0, 1: 2.0}), "", ""),
        (lambda: fit(two_heads(), stream(good), class_weight={0: 1.0, 1: 2.0}, steps_per_epoch=2), "", ""),
        (lambda: fit(two_heads(), Batches(good), class_weight={0: 1.0, 1: 2.0}), "", ""),
    ],
    "sample-weight": [
        (
            lambda: fit(two_heads(), X, [BOUGHT, PRICE], sample_weight={"bought": ONES, "price": ONES}),
            "weights-structure",
            "expected a tuple of 2 arrays, for `bought`, `price`",
        ),
        (
            lambda: fit(
                two_heads(dict), X, {"bought": BOUGHT, "price": PRICE}, sample_weight={"bought": ONES}
            ),
            "weights-structure",
            "got no `price`",
        ),
        (
            lambda: fit(two_heads(), X, [BOUGHT, PRICE], sample_weight=[ONES]),
            "weights-structure",
            "got 1 array",
        ),
    ],
    "lists": [
        (
            lambda: fit(two_heads(), stream(in_lists), steps_per_epoch=2),
            "list-of-numbers",
            'yield x, (np.asarray(bought, "float32"), price)',
        ),
    ],
    "text": [
        (lambda: fit(two_heads(), X, [WORDS, PRICE]), "not-an-array", "output `bought`"),
        (
            lambda: fit(two_heads(), X, [BOUGHT, PRICE.astype(object)]),
            "not-an-array",
            "output `price`",
        ),
        (
            lambda: fit(two_heads(), Batches(lambda rows: (X[rows], (BOUGHT[rows], WORDS[rows])))),
            "not-an-array",
            "output `price`",
        ),
    ],
    "no-labels": [
        (lambda: fit(two_heads(), X, [BOUGHT, None]), "no-labels", "output `price`, batch 0"),
        (
            lambda: fit(two_heads(dict), X, ANSWERS | {"price": np.where(X[:, :1] > 0, None, PRICE)}),
            "no-labels",
            "price = np.where(known, price, 0)",
        ),
    ],
    "output-names": [
        (
            lambda: fit(two_heads(dict), X, {"bought": BOUGHT, "prize": PRICE}),
            "target-keys",
            "Rename `prize` to `price`.",
        ),
        (lambda: fit(two_heads(dict), X, {"bought": BOUGHT}), "target-keys", "got no `price`"),
        (
            lambda: fit(two_heads(dict), X, ANSWERS, validation_data=(X, {"bought": BOUGHT})),
            "target-keys",
            "validation_data, y: expected the keys `bought`, `price`, got no `price`",
        ),
        (lambda: fit(two_heads(), X, {"bought": BOUGHT, "prize": PRICE}), "target-keys", "`prize`"),
    ],
    "list-batches": [
        (
            lambda: fit(two_heads(), stream(lambda rows: list(good(rows))), steps_per_epoch=2),
            "not-a-tuple",
            "batch 0",
        ),
        (
            lambda: fit(two_heads(), X, [BOUGHT, PRICE], validation_data=(X, BOUGHT, PRICE, PRICE)),
            "not-a-tuple",
            "validation_data, batch 0: expected a tuple (x, y) or (x, y, weights), got a tuple of 4.",
        ),
    ],
    "label-count": [
        (lambda: fit(two_heads(), X, [BOUGHT]), "target-count", "got 1 array"),
        (lambda: fit(two_heads(), X, [BOUGHT, PRICE, PRICE]), "target-count", "got 3 arrays"),
        (lambda: fit(two_heads(), X, BOUGHT), "stacked-targets", "one array"),
        (lambda: fit(two_heads(), X, [[BOUGHT], PRICE]), "structure", "got [[array], array]"),
    ],
    "rank": [
        (
            lambda: fit(two_heads(units=3, loss=["mse", "binary_crossentropy"]), X, [BOUGHT, BOUGHT[:, 0]]),
            "broadcast",
            "output `price`: expected labels of shape (B, 3), as the output has, got (B,)",
        ),
    ],
    "shape": [
        (
            lambda: fit(two_heads(units=3), X, [BOUGHT, X[:, :2]]),
            "target-shape",
            "output `price`: expected labels of shape (B, 3)",
        ),
        (
            lambda: fit(two_heads(units=3, loss=["mse", "categorical_crossentropy"]), X, [BOUGHT, BOUGHT]),
            "ids-for-one-hot",
            "`price`",
        ),
        *(
            # the layer has no softmax, which is an error of its own
            (lambda m=metric: three_classes(np.arange(ROWS) % 3, m()), "logits", "F1Score, AUC, Precision")
            for metric in (keras.metrics.F1Score, keras.metrics.AUC)
        ),
    ],
    "names-in-compile": [
        (
            lambda: fit(two_heads(dict, loss=["mse"]), X, {"bought": BOUGHT, "price": PRICE}),
            "loss-keys",
            "model.compile(loss=): expected one for each of 2 outputs",
        ),
        (
            lambda: fit(two_heads(loss={"bought": "mse", "prize": "mse"}), X, [BOUGHT, PRICE]),
            "loss-keys",
            "model.compile(loss=), `prize`: expected the name of an output (bought, price), got no such output.",
        ),
        (
            lambda: fit(
                two_heads(dict, loss={"bought": "mse", "prize": "mse"}), X, {"bought": BOUGHT, "price": PRICE}
            ),
            "loss-keys",
            "Did you mean `price`?",
        ),
        (
            lambda: fit(two_heads(loss=["mse", "mse"], metrics={"prize": ["mae"]}), X, [BOUGHT, PRICE]),
            "loss-keys",
            "model.compile(metrics=), `prize`",
        ),
        (
            lambda: fit(
                two_heads(dict, loss={"bought": "mse", "price": "mse"}, loss_weights={"price": 2.0}),
                X,
                {"bought": BOUGHT, "price": PRICE},
            ),
            "loss-weights",
            "model.compile(loss_weights=): expected the keys of loss (bought, price), got price.",
        ),
        (
            lambda: fit(
                two_heads(loss={"bought": "mse", "price": "mse"}, loss_weights={"bought": 1.0, "prize": 2.0}),
                X,
                [BOUGHT, PRICE],
            ),
            "loss-weights",
            "Did you mean `price`?",
        ),
        (
            lambda: fit(two_heads(loss=["mse", "mse"], metrics=["mae"] * 3), X, [BOUGHT, PRICE]),
            "loss-keys",
            'loss=("binary_crossentropy", "mse"), metrics=(["accuracy"], ["mae"])',
        ),
    ],
    "validation-split": [
        (lambda: fit(two_heads(), stream(good), validation_split=0.2), "", ""),
        (lambda: fit(two_heads(), Batches(good), validation_split=0.2), "", ""),
    ],
    "feed-itself": [
        (lambda: fit(two_heads(), own_feed().source), "", ""),
        (lambda: fit(two_heads(), own_feed().source.select([0])), "", ""),
        (lambda: fit(two_heads(), own_feed().batches()), "", ""),
    ],
    "data-type": [
        (lambda: fit(two_heads(), zip([X], [(BOUGHT, PRICE)], strict=True)), "not-for-keras", "an iterator"),
        (lambda: fit(two_heads(), zip(X, BOUGHT, strict=True)), "single-rows", "got single rows, (4,)"),
    ],
    "function-itself": [
        (lambda: fit(two_heads(), lambda: stream(good)), "", ""),
    ],
    "labels-beside": [
        (lambda: two_heads().fit(stream(good), [BOUGHT, PRICE], verbose=0), "", ""),
        (lambda: two_heads().fit(stream(good), sample_weight=ONES, verbose=0), "", ""),
    ],
    "inputs": [
        (lambda: fit(two_heads(), X[:, :3], [BOUGHT, PRICE]), "input-shape", "input `x`"),
        (lambda: fit(two_heads(), X[:, 0], [BOUGHT, PRICE]), "input-shape", "model.fit(x, (bought, price))"),
        (lambda: two_inputs().predict({"x": X}, verbose=0), "", ""),
    ],
}
if BACKEND == "tensorflow":
    as_lists = Batches(lambda rows: (X[rows], [BOUGHT[rows], PRICE[rows]]))
    FIT["list-batches"].append(
        (lambda: fit(two_heads(), as_lists), "list-targets", "Yield x, (bought, price).")
    )
if BACKEND != "jax":  # which adds zero to the loss, without a word
    FIT["class-ids"] = [
        (lambda: three_classes(np.full((ROWS, 1), 5)), "id-out-of-range", "output `price`, row 0"),
    ]
    if BACKEND != "torch" or not keras.__version__.startswith("3.10."):  # it does so with ids below 0
        FIT["class-ids"] += [
            (lambda: three_classes(np.where(np.arange(ROWS) == 7, -1, 1)), "id-out-of-range", "row 7"),
        ]
CASES = [(name, *case) for name, cases in FIT.items() for case in cases]


@pytest.mark.once
def test_arrays_as_lists_are_explained():
    with pytest.raises(ValueError, match="Unrecognized data type") as raised:
        fit(two_heads(dict), X, ANSWERS | {"price": PRICE.tolist()})
    found = ph.explain(raised.value)
    assert (found.name, [problem.code for problem in found.problems]) == ("lists", ["list-of-numbers"])
    assert found.keras.startswith('price = np.asarray(price, "float32")')
    with pytest.raises(ValueError, match="Unrecognized data type") as raised:
        fit(two_heads(), X.tolist(), [BOUGHT, PRICE])
    assert ph.explain(raised.value).keras.startswith('x = np.asarray(x, "float32")')


@pytest.mark.once
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Gradients do not exist for variables ['price/kernel'] when minimizing the loss.", "untrained"),
        ("Early stopping conditioned on metric `val_loss` which is not available.", "monitor"),
        ("No loss to compute. Provide a `loss` argument in `compile()`.", "not-compiled"),
        ("You cannot `class_weight` and `sample_weight` at the same time.", "class-weight"),
        (
            "when providing a single `sample_weight` array, it should only have one scalar score",
            "sample-weight",
        ),
    ],
)
def test_a_text_is_explained(text, name):
    assert ph.explain(text).name == name


def test_a_list_for_one_key_is_told_once_the_batches_are_read():
    with pytest.raises(Exception) as raised:
        fit(two_heads(dict), Batches(lambda rows: in_lists(rows, dict)))
    found = ph.explain(raised.value)
    assert found.name == "lists"
    assert 'yield x, {"bought": np.asarray(bought, "float32"), "price": price}' in str(found)


@pytest.mark.parametrize(("name", "case", "code", "words"), CASES, ids=[case[0] for case in CASES])
def test_an_error_of_fit_is_explained(name, case, code, words):
    with pytest.raises(Exception) as raised:
        case()
    (note,) = [note for note in raised.value.__notes__ if note.startswith("polyhead: ")]  # JAX adds its own
    found = ph.explain(raised.value)
    assert found.name == name
    assert [problem.code for problem in found.problems][:1] == [code] * bool(code)
    assert words in str(found)
    assert note.startswith(f"polyhead: {found.what.partition('.')[0]}")
    assert note.count("\n") >= 5


def test_an_output_and_its_row_are_in_the_note():
    with pytest.raises(ValueError, match="Data cardinality") as raised:
        fit(two_heads(), X, [BOUGHT, PRICE[:9]])
    assert raised.value.__notes__ == [
        "polyhead: The inputs, labels and weights have different numbers of rows.\n"
        "  arrays: expected 12 rows in every array, got 9 in output `price`. "
        "Cut inputs, labels and weights with the same ids.\n"
        "  in Keras:\n"
        "      print([len(array) for array in (x, bought, price)])   # which array lost rows?\n"
        "      known = frame.notna().all(axis=1)               # drop a row from all arrays at once, or from none\n"
        "      x, bought, price = (array[known] for array in (x, bought, price))\n"
        "  with polyhead:\n"
        '      feed = ph.Feed({"x": x, "price": price, ...}, inputs="x", heads={"price": ph.Regression(), ...})\n'
        "      # names the column whose length differs; a row without a label keeps its place: None or NaN\n"
        '  more: the page Questions of the docs, "Data cardinality is ambiguous: make sure all arrays contain the same '
        'number of samples"'
    ]


def test_the_code_is_in_the_names_and_the_structure_of_the_outputs():
    with pytest.raises(ValueError, match="class_weight") as raised:
        fit(two_heads(dict), X, {"bought": BOUGHT, "price": PRICE}, class_weight={0: 1.0, 1: 2.0})
    found = ph.explain(raised.value)
    assert 'sample_weight={"bought": bought_weight, "price": np.ones(len(x))}' in found.keras
    assert "bought_weight = np.vectorize({0: 1.0, 1: 2.0}.get)(bought.ravel())" in found.keras
    assert 'heads={"bought": ph.Binary(class_weight={0: 1.0, 1: 2.0}), ...}' in found.polyhead
    assert '"price": ph.Regression()' in found.feed


@pytest.mark.once
def test_the_code_has_the_nesting_of_the_outputs():
    x = keras.Input((4,), name="x")
    young, old, price = (keras.layers.Dense(1, name=name)(x) for name in ("young", "old", "price"))
    error = "ValueError: `class_weight` is only supported for Models with a single output."
    found = ph.explain(error, keras.Model(x, {"age": [young, old], "price": [price]}))
    assert 'model.fit(x, {"age": (y0, y1), "price": (price,)}, sample_weight=' in found.keras


def test_the_class_weights_of_an_output_are_in_the_code():
    with pytest.raises(ValueError, match="class_weight") as raised:
        fit(two_heads(), X, [BOUGHT, PRICE], class_weight={"price": {0: 1.0, 1: 3.0}})
    assert (
        "price_weight = np.vectorize({0: 1.0, 1: 3.0}.get)(price.ravel())" in ph.explain(raised.value).keras
    )


def test_the_code_for_class_weights_runs():
    with pytest.raises(ValueError, match="class_weight") as raised:
        fit(two_heads(), X, [BOUGHT, PRICE], class_weight={0: 1.0, 1: 2.0})
    model = two_heads()
    model.fit = lambda x, y, sample_weight: type(model).fit(
        model, x, y, sample_weight=sample_weight, verbose=0
    )
    exec(ph.explain(raised.value).keras, {"np": np, "model": model, "x": X, "bought": BOUGHT, "price": PRICE})


def test_the_code_gives_labels_as_the_call_got_them():
    with pytest.raises(ValueError, match="class_weight") as raised:
        fit(two_heads(), stream(good), class_weight={0: 1.0, 1: 2.0}, steps_per_epoch=2)
    assert (
        ph.explain(raised.value)
        .keras.splitlines()[1]
        .startswith("yield x, (bought, price), (bought_weight, np.ones(len(x)))   # an array of ones")
    )
    with pytest.raises((ValueError, KeyError)) as raised:
        fit(two_heads(), stream(lambda rows: (X[rows], (BOUGHT[rows],))), steps_per_epoch=2)
    assert ph.explain(raised.value).keras == "yield x, (bought, price)   # one array for each output"


def test_a_generator_is_read_only_where_it_is_asked_for():
    def words():
        for start in (0, 6):
            drawn.append(start)
            rows = slice(start, start + 6)
            yield X[rows], (WORDS[rows], PRICE[rows])

    drawn = []
    with pytest.raises((ValueError, TypeError)) as raised:
        fit(two_heads(), words(), steps_per_epoch=2)
    seen = len(drawn)
    (note,) = [note for note in raised.value.__notes__ if note.startswith("polyhead: ")]
    assert note.endswith("\n  ph.explain(error) also reads the batches, and names the output and the row.")
    ph.explain(raised.value)
    assert seen <= len(drawn) <= 2


def test_a_generator_that_ends_is_explained_by_its_warning():
    model = two_heads()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, stream(good, 2), steps_per_epoch=4, epochs=2)
    (warning, *_) = [one.message for one in caught if "ran out of data" in str(one.message)]
    found = ph.explain(warning, model)
    assert (found.name, found.heading) == ("ran-out", "Your input ran out of data")
    assert "yield x[rows], (bought[rows], price[rows])" in found.keras


def test_a_nan_in_the_loss_is_explained_by_the_history():
    price = PRICE.copy()
    price[7] = np.nan
    model = two_heads()
    history = model.fit(X, [BOUGHT, price], batch_size=6, verbose=0)
    found = ph.explain(history, data=(X, [BOUGHT, price]))
    assert found.name == "nan"
    assert [str(problem) for problem in found.problems] == [
        "output `price`, row 7: expected finite numbers, got NaN (1 row in all). NaN times a weight of 0 is NaN: "
        "give 0 and a weight of 0, or declare the data as a ph.Feed, where NaN means that there is no label."
    ]
    assert "known = ~np.isnan(price)" in found.keras
    assert ph.explain("loss: nan - price_loss: nan", model, (X, [BOUGHT, price])) == found


def test_an_output_that_became_nan_is_explained_on_torch():
    """PyTorch's binary cross entropy refuses NaN; Keras clips all other outputs to 0–1."""
    if keras.backend.backend() != "torch":
        error: Exception = RuntimeError("all elements of input should be between 0 and 1")
        assert ph.explain(error).name == "nan"
        return
    feed = ph.Feed({"x": X, "bought": BOUGHT}, inputs="x", heads={"bought": ph.Binary()})
    model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Dense(1, "sigmoid", name="bought")])
    ph.compile(model, feed, optimizer="sgd")
    model.set_weights([np.full_like(one, np.nan) for one in model.get_weights()])
    with pytest.raises(RuntimeError, match="between 0 and 1") as caught:
        model.fit(feed, verbose=0)
    assert caught.value.__notes__[0].startswith("polyhead: The loss is NaN")


def test_a_history_without_nan_is_not_explained_by_it():
    finite = keras.callbacks.History()
    finite.history = {"loss": [2.0, 1.0]}
    found = ph.explain(finite, two_heads(), (X, [PRICE, BOUGHT]))
    assert (found.name, found.heading) == ("", "")
    assert found.what == "All losses are finite. The data does not fit the model."
    assert [problem.code for problem in found.problems] == ["swapped-targets"]
    assert ph.explain(finite).what == "All losses are finite."
    finite.history["names"] = ["a", None]  # a callback may log anything
    assert ph.explain(finite).what == "All losses are finite."
    finite.history["loss"].append(float("inf"))
    assert ph.explain(finite).name == "nan"
    with pytest.raises(ph.ContractError, match=r"explain\(error\): expected an error, .*, got ''"):
        ph.explain("")


def test_logits_are_explained_by_the_warning_of_tensorflow_or_by_the_model():
    text = "`binary_crossentropy` received `from_logits=True`, but the `output` argument was produced by a Sigmoid "
    text += "activation and thus does not represent logits. Was this intended?"
    model = two_heads(loss=[keras.losses.BinaryCrossentropy(from_logits=True), "mse"])
    if BACKEND == "tensorflow":
        with pytest.warns(UserWarning, match="does not represent logits") as caught:
            fit(model, X, [BOUGHT, PRICE])
        text = caught[0].message
    found = ph.explain(text, model, (X, [BOUGHT, PRICE]))
    assert found.name == "logits"
    assert [problem.place for problem in found.problems] == ["output `bought`"]


def test_a_loss_that_is_not_found_on_load_is_explained(tmp_path):
    with pytest.raises(TypeError, match="Could not locate function") as raised:
        loaded(tmp_path)
    found = ph.explain(raised.value)
    assert found.name == "load"
    assert "@keras.saving.register_keras_serializable()" in found.keras


def test_image_data_generator_is_explained(tmp_path):
    with pytest.raises(ImportError) as raised:
        from keras.preprocessing.image import ImageDataGenerator  # noqa: F401
    assert ph.explain(raised.value).name == "image-data-generator"


def test_words_from_flow_from_dataframe_are_explained(tmp_path):
    pandas, pictures = pytest.importorskip("pandas"), pytest.importorskip("PIL.Image")
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    for i in range(4):
        pictures.new("RGB", (2, 2)).save(tmp_path / f"{i}.png")
    frame = pandas.DataFrame(
        {"file": [f"{i}.png" for i in range(4)], "kind": ["a", "b"] * 2, "age": [1.0, 2, 3, 4]}
    )
    flow = ImageDataGenerator().flow_from_dataframe(
        frame, str(tmp_path), "file", ["kind", "age"], target_size=(2, 2), class_mode="multi_output"
    )
    x = keras.Input((2, 2, 3))
    flat = keras.layers.Flatten()(x)
    model = keras.Model(
        x, [keras.layers.Dense(1, name="kind")(flat), keras.layers.Dense(1, name="age")(flat)]
    )
    model.compile("sgd", ["mse", "mse"])
    with pytest.raises((ValueError, TypeError)) as raised:
        fit(model, flow)
    assert ph.explain(raised.value).name == "image-data-generator"


def test_a_generator_in_several_workers_is_explained():
    assert ph.explain(ValueError("generator already executing")).name == "executing"


def test_a_message_that_the_data_often_causes_says_how_to_look():
    def misnamed():
        while True:
            yield X[:6], {"bought": BOUGHT[:6], "prize": PRICE[:6]}

    with pytest.raises((KeyError, ValueError, TypeError)) as raised:
        fit(two_heads(dict), misnamed(), steps_per_epoch=2)
    (note,) = [note for note in raised.value.__notes__ if note.startswith("polyhead: ")]
    assert "ph.explain(error)" in note
    assert ph.explain(raised.value).name == "output-names"


def test_what_is_not_known_gets_no_note():
    def raising():
        yield good(slice(0, 6))
        raise KeyError("id")

    with pytest.raises(KeyError) as raised:
        fit(two_heads(), raising(), steps_per_epoch=3)
    assert not hasattr(raised.value, "__notes__")
    found = ph.explain(raised.value)
    assert (found.name, found.problems) == ("", ())
    line = inspect.getsourcelines(raising)[1] + 2
    assert found.what == f"Your own code raised this, at {__file__}, line {line}: KeyError: 'id'"
    assert ph.explain("KeyError: 'id'").what == "This message isn't one that polyhead knows: KeyError: 'id'"


class Beyond(Batches):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.make(np.arange(6 * index, 6 * index + 6))


def ends_within():
    inner = iter([slice(0, 6), slice(6, 12)])
    while True:
        yield good(next(inner))


def parses():
    yield good(slice(0, 6))
    yield good(slice(6, 12))
    yield X[:6], (BOUGHT[:6], np.array(["cheap"] * 6).astype("float32"))


@pytest.mark.parametrize(
    ("make", "error", "function", "line"),
    [
        (lambda: Beyond(good), "IndexError: index 12 is out of bounds for axis 0 with size 12", good, 1),
        (ends_within, "RuntimeError: generator raised StopIteration", ends_within, 3),
        (parses, "ValueError: could not convert string to float: ", parses, 3),
    ],
    ids=["index", "stop", "words"],
)
def test_an_error_of_a_generator_is_no_message_of_keras(make, error, function, line):
    with pytest.raises(Exception) as raised:
        fit(two_heads(), make(), steps_per_epoch=4, shuffle=False)
    assert not hasattr(raised.value, "__notes__")
    found = ph.explain(raised.value)
    assert (found.name, {p.code for p in found.problems} - {"raises"}) == ("", set())
    at = inspect.getsourcelines(function)[1] + line
    assert found.what.startswith(f"Your own code raised this, at {__file__}, line {at}: {error}")


def of_another_axis(y, p):
    raise IndexError("index 3 is out of bounds for dimension 1 with size 1")


def test_an_error_of_a_loss_of_ones_own_is_no_message_of_keras():
    with pytest.raises(IndexError) as raised:
        fit(two_heads(loss=[of_another_axis, "mse"]), X, [BOUGHT, PRICE])
    found = ph.explain(raised.value)
    assert (found.name, found.what.startswith(f"Your own code raised this, at {__file__}")) == ("", True)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_the_arguments_of_keras_2_are_explained(method):
    with pytest.raises((TypeError, ValueError)) as raised:  # as `evaluate` says it
        getattr(two_heads(), method)(Batches(good), workers=2)
    assert ph.explain(raised.value).name == "keras-2"
    with pytest.raises(AttributeError) as raised:
        getattr(two_heads(), f"{method}_generator")(Batches(good))
    assert ph.explain(raised.value).name == "keras-2"


def test_train_on_batch_is_a_call_too():
    with pytest.raises(ValueError, match="structure") as raised:
        two_heads(dict).train_on_batch(X, {"bought": BOUGHT})
    found = ph.explain(raised.value)
    assert (found.name, [p.code for p in found.problems]) == ("output-names", ["target-keys"])
    assert '{"bought": bought, "price": price}' in found.keras


def one_by_one():
    yield from ((X[i], (BOUGHT[i], PRICE[i])) for i in range(ROWS))


def test_single_rows_are_told_whatever_the_message():
    with pytest.raises((ValueError, RuntimeError)) as raised:
        fit(two_heads(), one_by_one(), steps_per_epoch=2)
    found = ph.explain(raised.value)
    assert (found.what, [p.code for p in found.problems]) == (
        "The data does not fit the model.",
        ["single-rows"],
    )


@pytest.mark.skipif(BACKEND != "tensorflow", reason="JAX and PyTorch take them for weights of losses")
def test_one_weight_for_each_output():
    words = "at least rank 1|no attribute 'shape'"
    with pytest.raises((ValueError, AttributeError), match=words) as raised:
        fit(two_heads(), stream(lambda rows: (*good(rows), (1.0, 0.5))), steps_per_epoch=2)
    found = ph.explain(raised.value)
    assert (found.name, [p.code for p in found.problems]) == ("sample-weight", ["weights-structure"])


def test_an_error_of_polyhead_says_everything_itself():
    rows = {"x": X, "bought": BOUGHT, "price": PRICE}
    feed = ph.Feed(rows, inputs="x", heads={"bought": ph.Binary(), "price": ph.Regression()})
    with pytest.raises(ph.ContractError) as raised:
        two_heads().fit(feed, class_weight={0: 1.0, 1: 2.0}, verbose=0)
    assert not hasattr(raised.value, "__notes__")
    assert ph.explain(raised.value).problems == raised.value.problems


def test_the_last_error_of_a_session_is_explained(monkeypatch):
    monkeypatch.setattr(sys, "last_exc", ValueError("Data cardinality is ambiguous"), raising=False)
    assert ph.explain().name == "cardinality"
    monkeypatch.delattr(sys, "last_exc")
    monkeypatch.delattr(sys, "last_value", raising=False)
    with pytest.raises(ph.ContractError) as raised:
        ph.explain()
    assert str(raised.value) == (
        "explain(): expected an error, got none, as no error ended a command here. "
        "Pass it: except Exception as error: print(ph.explain(error))."
    )
    with pytest.raises(ph.ContractError) as raised:
        ph.explain(3)
    assert str(raised.value) == (
        "explain(error): expected an error, a warning, the text of either, or the History that fit returned, got 3."
    )


def test_methods_of_keras_stay_what_they_are():
    assert keras.Model.fit.__name__ == "fit"
    assert "validation_data" in inspect.signature(keras.Model.fit).parameters
    assert keras.Sequential.fit is keras.Model.fit
    assert getattr(keras.Model.fit, "explains", False)


def test_each_message_has_its_answer_on_the_page():
    text = (Path(__file__).parents[2] / "docs" / "questions.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (.+)$", text, re.MULTILINE))
    assert {known.heading for known in KNOWN} - headings == set()
    assert len(KNOWN) >= 15
    assert len({known.name for known in KNOWN}) == len(KNOWN)


def test_an_input_and_an_output_of_one_name_are_explained():
    x = keras.Input((4,), name="x")
    with pytest.raises(ValueError, match="2 times") as raised:
        keras.Model(x, keras.layers.Dense(1, name="x")(x))
    found = ph.explain(raised.value)
    assert found.name == "same-name"
    assert 'ph.Binary(column="first")' in found.polyhead or 'ph.Regression(column="first")' in found.polyhead


def test_a_layer_that_was_unfrozen_without_compiling_again_is_explained():
    model = two_heads()
    model.layers[1].trainable = False
    model.compile("sgd", loss=["binary_crossentropy", "mse"])
    fit(model, X, [BOUGHT, PRICE])
    model.layers[1].trainable = True
    if BACKEND == "tensorflow":  # its compiled step goes on as it was
        fit(model, X, [BOUGHT, PRICE])
        return
    with pytest.raises(Exception, match=r"Unknown variable|optimizer was built with") as raised:
        fit(model, X, [BOUGHT, PRICE])
    assert ph.explain(raised.value).name == "unfrozen"


@pytest.mark.skipif(BACKEND != "tensorflow", reason="it keeps a compiled step for labels of several shapes")
def test_labels_that_lacked_their_axis_in_an_earlier_fit_are_explained():
    model = two_heads(dict)
    fit(model, X, {"bought": BOUGHT[:, 0], "price": PRICE[:, 0]})
    with pytest.raises(ValueError, match="unknown rank") as raised:
        fit(model, own_feed())
    found = ph.explain(raised.value)
    assert (found.name, "in an earlier fit" in found.what) == ("rank", True)


def test_a_model_that_was_not_compiled_is_explained():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, [keras.layers.Dense(1, name=name)(x) for name in ("bought", "price")])
    with pytest.raises(ValueError, match="compile") as raised:
        model.fit(X, [BOUGHT, PRICE], verbose=0)
    found = ph.explain(raised.value, model)
    assert found.name == "not-compiled"
    with pytest.raises((ValueError, AttributeError)) as raised:  # on PyTorch, Keras looks for an optimizer
        model.evaluate(X, [BOUGHT, PRICE], verbose=0)
    assert ph.explain(raised.value, model).name == "not-compiled"
    assert found.keras == 'model.compile("adam", loss=("mse", "mse"))'
