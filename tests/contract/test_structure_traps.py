"""Labels and inputs in the wrong structure: wrong order, wrong names, wrong containers."""

import re

import keras
import numpy as np
import pytest
from keras import ops
from traps import BACKEND, ONES, THREES, VERSION, Batches, X, dense, fitted, no_step, plain, still, told, trap

import polyhead as ph

# the second output is declared first: its labels are 3, its loss is 9
OUTPUTS = {"second": 1, "first": 1}
RIGHT = {"first_loss": 1.0, "second_loss": 9.0}
SWAPPED = {"first_loss": 9.0, "second_loss": 1.0}
BY_NAME = "`first` at ['first'], `second` at ['second']"


def feed(**columns):
    data = {"x": X, "first": [1.0] * 4, "second": [3.0] * 4, **columns}
    return ph.Feed(
        data, inputs="x", heads={"first": ph.Regression(), "second": ph.Regression()}, batch_size=4
    )


def compiled(kind, outputs=OUTPUTS):
    model = dense(outputs, kind)
    return ph.compile(model, feed(), optimizer=still())


def losses(logs):
    return {name: logs[name] for name in ("first_loss", "second_loss")}


@trap(
    1,
    "a tuple of labels, in the order of declaration, for a model with a dict of outputs",
    keras="assigns them by sorted key: the targets are swapped",
    polyhead="labels are matched by name; a tuple given by hand is refused",
)
def test_a_tuple_for_a_dict():
    # plain Keras
    assert losses(fitted(plain(dense(OUTPUTS, dict)), X, (THREES, ONES))) == SWAPPED
    # polyhead
    model = compiled(dict)
    assert losses(fitted(model, feed())) == RIGHT
    with pytest.raises(ph.ContractError) as error:
        model.train_on_batch(X, (THREES, ONES))
    assert told(error) == (
        f"labels: expected labels for each head, in the model's structure ({BY_NAME}), got tuple with [0], "
        "[1]. A feed does that: model.fit(feed, validation_data=feed.on(rows))."
    )


@trap(
    2,
    "two heads with the same shape, with their labels swapped in the tuple",
    keras="trains each head on the other's labels",
    polyhead="heads are found by name, in whatever order they are declared; without names it refuses to guess",
)
def test_exchanged_labels():
    # plain Keras
    assert losses(fitted(plain(dense(OUTPUTS)), X, (ONES, THREES))) == SWAPPED
    # polyhead: the heads are declared in the other order than the outputs
    assert list(feed().heads) == ["first", "second"]
    assert losses(fitted(compiled(list), feed())) == RIGHT
    with pytest.raises(ph.ContractError) as error:
        feed().bind(dense({"p": 1, "q": 1}))
    assert told(error).splitlines()[1] == (
        "  1. head `first`: expected a model with an output `first` (1,), got outputs `p` (1,), `q` (1,). "
        'Name the layer: name="first", or give the head the name that the model has.'
    )


@trap(
    3,
    "a key of the labels misspelled, missing, or one too many",
    keras="fails with messages about paths, strings that are not numbers, or structures",
    polyhead="names the head and the output that have no partner",
)
def test_a_misspelled_key():
    # plain Keras
    misspelled = {"first": ONES, "secnod": THREES}
    words = {
        "jax": "could not convert string to float: 'first'",
        "torch": "Invalid dtype: str",
        "tensorflow": "Expected float32, but got secnod of type 'str'",
    }
    with pytest.raises((ValueError, TypeError), match=words[BACKEND]):
        fitted(plain(dense(OUTPUTS, dict), run_eagerly=False), X, misspelled)
    with pytest.raises(KeyError, match="in the `loss` argument, can't be found in either the model's output"):
        fitted(plain(dense(OUTPUTS, dict)), X, {"first": ONES})
    with pytest.raises(ValueError, match="y_true and y_pred have different structures"):
        fitted(plain(dense(OUTPUTS, dict)), X, {"first": ONES, "second": THREES, "third": ONES})
    # polyhead
    with pytest.raises(ph.ContractError) as error:
        feed().bind(dense({"secnod": 1, "first": 1}, dict))
    assert told(error) == (
        "2 problems:\n"
        "  1. head `second`: expected a model with an output `second` (1,), got outputs `first` (1,), `secnod` "
        '(1,). Did you mean `secnod`? Name the layer: name="second", or give the head the name that the model has.\n'
        "  2. model, output `secnod` (1,): expected a head for it, got heads `first`, `second`. Declare a head "
        "for it, or leave the output out of the model."
    )
    model = compiled(dict)
    for labels, found in (
        (misspelled, "['first'], ['secnod']. Did you mean `second`?"),
        ({"first": ONES}, "['first']."),
        ({"first": ONES, "second": THREES, "third": ONES}, "['first'], ['second'], ['third']."),
    ):
        with pytest.raises(ph.ContractError) as error:
            model.train_on_batch(X, labels)
        assert told(error) == (
            f"labels: expected labels for each head, in the model's structure ({BY_NAME}), got dict with "
            f"{found} A feed does that: model.fit(feed, validation_data=feed.on(rows))."
        )


@trap(
    4,
    "labels as a list, from a generator or a PyDataset",
    keras="JAX and PyTorch take it; on TensorFlow a TypeError about an output signature",
    polyhead="the structure is the model's own, a tuple for a list of outputs, on every backend",
)
def test_a_list_of_labels():
    # plain Keras
    model, data = plain(dense(OUTPUTS)), Batches([(X, [THREES, ONES])] * 2)
    if BACKEND == "tensorflow":
        with pytest.raises(TypeError, match="`output_signature` must contain objects that are subclass of"):
            fitted(model, data)
    else:
        assert losses(fitted(model, data)) == RIGHT
    # polyhead
    model, data = compiled(list), feed()
    assert losses(fitted(model, data)) == RIGHT
    assert isinstance(data.bind(model).peek()[1], tuple)


@trap(
    5,
    "the labels of two outputs stacked into one array",
    keras="JAX and PyTorch split the array along its first axis, so two rows are taken for two heads; "
    "TensorFlow raises a KeyError about a path",
    polyhead="refuses an array that stands for several heads",
)
def test_stacked_labels():
    # plain Keras: two rows, two columns of labels, so the first row goes to one head and the second to the other
    rows = np.array([[3, 1], [3, 1]], "float32")
    if BACKEND == "tensorflow":
        with pytest.raises(KeyError, match="in the `loss` argument, can't be found"):
            fitted(plain(dense(OUTPUTS), run_eagerly=False), X[:2], rows)
    else:
        assert losses(fitted(plain(dense(OUTPUTS)), X[:2], rows)) == {"first_loss": 5.0, "second_loss": 5.0}
    # polyhead
    for labels, shape in (
        (rows, r"\((2|None), 2\)"),
        (np.concatenate([THREES, ONES], 1), r"\((4|None), 2\)"),
    ):
        with no_step() as steps, pytest.raises(ph.ContractError) as error:
            compiled(list).fit(X[: len(labels)], labels, verbose=0, callbacks=[steps])
        assert re.fullmatch(
            r"labels: expected labels for each head, in the model's structure \(`first` at \[1\], `second` at "
            rf"\[0\]\), got one array of shape {shape}\. A feed does that: model\.fit\(feed, "
            r"validation_data=feed\.on\(rows\)\)\.",
            told(error),
        )
    with pytest.raises(ph.ContractError, match=r"got one array of shape \(2, 4, 1\)"):
        compiled(list).train_on_batch(X, np.stack([THREES, ONES]))


@trap(
    16,
    "loss weights in another structure, or under other keys, than the losses",
    keras="assigns them in sorted order of their keys: the weights are permuted",
    polyhead="a head has its own weight; weights whose keys are not those of the losses are refused",
)
def test_loss_weights_keyed_differently():
    # plain Keras: 10 for the second (whose loss is 9), 0 for the first (whose loss is 1), so 90 was meant
    weights = {"second": 10.0, "first": 0.0}
    model = plain(dense(OUTPUTS), loss=["mse", "mse"], loss_weights=weights)
    assert fitted(model, X, (THREES, ONES))["loss"] == 10.0
    misspelled = {"a_second": 10.0, "first": 0.0}
    model = plain(dense(OUTPUTS, dict), loss={"second": "mse", "first": "mse"}, loss_weights=misspelled)
    assert fitted(model, X, {"second": THREES, "first": ONES})["loss"] == 10.0
    # polyhead
    heads = {"first": ph.Regression(weight=0.0), "second": ph.Regression(weight=10.0)}
    data = {"x": X, "first": [1.0] * 4, "second": [3.0] * 4}
    weighted = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
    for kind in (list, dict):
        model = ph.compile(dense(OUTPUTS, kind), weighted, optimizer=still())
        assert fitted(model, weighted)["loss"] == 90.0
    with pytest.raises(ph.ContractError) as error:
        ph.compile(dense(OUTPUTS), weighted, optimizer=still(), loss_weights=weights)
    assert told(error) == (
        "compile(loss_weights=): expected no loss_weights= together with a Feed, whose heads have it, got "
        "{'second': 10.0, 'first': 0.0}. Set it on a head: ph.Regression(weight=...)."
    )
    # a model that was compiled without it
    for losses, given in ((["mse", "mse"], weights), ({"second": "mse", "first": "mse"}, misspelled)):
        model = plain(dense(OUTPUTS, type(losses)), loss=losses, loss_weights=given)
        with (
            no_step() as steps,
            pytest.raises(ph.ContractError, match="Keras would match them with the losses"),
        ):
            model.fit(weighted, verbose=0, callbacks=[steps])


def tenfold(kind):
    """A model of two inputs that predicts a + 10 b."""
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    both = ops.concatenate([a, 10 * b], axis=-1)
    outputs = [
        keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name=name)(both)
        for name in ("sum", "again")
    ]
    return keras.Model({"a": a, "b": b} if kind is dict else [a, b], outputs)


@trap(
    29,
    "an input too many, or the inputs in another order",
    keras="warns about the extra input, then drops it; swaps the inputs of a list silently",
    polyhead="inputs are matched by name; one that the model does not have is refused",
)
def test_inputs_too_many_or_in_another_order():
    a, b = ONES, 2 * ONES
    # plain Keras: 1 + 10 * 2 was meant
    assert tenfold(list).predict([b, a], verbose=0)[0][0, 0] == 12.0
    with pytest.warns(UserWarning, match="The structure of `inputs` doesn't match the expected structure"):
        assert tenfold(dict).predict({"a": a, "b": b, "c": b}, verbose=0)[0][0, 0] == 21.0
    # polyhead
    data = {"a": a, "b": b, "c": b, "sum": [21.0] * 4, "again": [21.0] * 4}
    heads = {"sum": ph.Regression(), "again": ph.Regression()}
    swapped = ph.Feed(data, inputs=["b", "a"], heads=heads)
    for kind in (list, dict):
        model = ph.compile(tenfold(kind), swapped, optimizer=still())
        assert model.predict(swapped, verbose=0)[0][0, 0] == 21.0
        assert fitted(model, swapped)["loss"] == 0.0
    many = ph.Feed(data, inputs=["a", "b", "c"], heads=heads)
    with no_step() as steps, pytest.raises(ph.ContractError) as error:
        model.fit(many, verbose=0, callbacks=[steps])
    assert told(error) == (
        "input `c`: expected a model with an input `c` (1,), got inputs `a` (1,), `b` (1,). The model "
        "has no more inputs: add one, or leave the input out of the declaration."
    )


ERRORS = {"first_mae": 1.0, "second_mae": 3.0}


def errors(logs):
    return {name: logs[name] for name in ERRORS}


@trap(
    31,
    "labels as a dict, for a model with a list of outputs that are not in the order of their names",
    keras="exchanges the metrics, given as a list or a dict: each output's prediction is compared with the labels of "
    "another. Losses are right, so training goes well and its logs are wrong",
    polyhead="labels are matched by name, for losses and for metrics, from the feed and by hand",
    versions="3.14.0 alone",
)
def test_metrics_of_labels_in_a_dict():
    # plain Keras
    labels = {"first": ONES, "second": THREES}
    exchanged = {"first_mae": 3.0, "second_mae": 1.0}
    by_name = {"first": ["mae"], "second": ["mae"]}
    for metrics in (by_name, [["mae"], ["mae"]]):
        for argument in ("metrics", "weighted_metrics"):
            model = plain(dense(OUTPUTS), loss={"first": "mse", "second": "mse"}, **{argument: metrics})
            logs = fitted(model, X, labels)
            assert losses(logs) == RIGHT
            assert errors(logs) == (exchanged if VERSION == (3, 14, 0) else ERRORS)
    # polyhead, from the feed and by hand
    for kind in (list, dict):
        model = compiled(kind)
        for data in ([feed()], [X, labels]):
            logs = fitted(model, *data)
            assert losses(logs) == RIGHT
            assert errors(logs) == ERRORS
