"""`examine` beside losses of the user's own, ids that a loss ignores, and batches padded to their longest row."""

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
    mask_head,
    stream,
    two_heads,
    with_loss,
)

import polyhead as ph


def of_any_form(y, p):
    return keras.ops.mean(p)


class OwnLoss(keras.losses.Loss):
    def call(self, y, p):
        return keras.ops.mean(p, -1)


def codes(report):
    return [p.code for p in report.problems if p.code != "not-shuffled"]


@pytest.mark.parametrize("loss", [of_any_form, OwnLoss()])
@pytest.mark.parametrize(
    "labels", [KIND, X, np.where(KIND == 2, -1, KIND)], ids=["ids", "numbers", "missing ids"]
)
def test_a_loss_of_ones_own_reads_labels_of_another_shape(loss, labels):
    report = ph.examine((X, labels), classes(loss=loss))
    assert codes(report) == []
    name = getattr(loss, "__name__", "OwnLoss")
    assert report.unseen[0] == (
        f"whether output `kind` fits labels of shape ({'B, 4' if labels is X else 'B,'}): {name} is a loss of your own"
    )


def test_a_mark_that_a_loss_of_ones_own_may_leave_out():
    labels = np.where(np.arange(ROWS)[:, None] % 3 == 0, -1, YES)
    assert codes(ph.examine((X, labels), classes(1, "sigmoid", loss=of_any_form))) == []
    assert codes(ph.examine((X, labels), classes(1, "sigmoid", loss="binary_crossentropy"))) == [
        "label-range"
    ]
    assert codes(ph.examine((X, YES * 255), classes(1, "sigmoid", loss=of_any_form))) == ["mask-255"]


@pytest.mark.parametrize("mark", [-1, 255])
def test_ids_that_the_loss_ignores(mark):
    model = classes(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=mark))
    labels = np.where(np.arange(ROWS) % 5 == 0, mark, KIND)
    assert codes(ph.examine((X, labels), model)) == []
    assert codes(ph.examine((X, np.where(labels == 1, 9, labels)), model)) == ["id-out-of-range"]


@pytest.mark.parametrize("method", ["compute_loss", "train_step"])
def test_a_model_that_computes_its_own_loss(method):
    net = type("Net", (keras.Model,), {method: lambda self, *args, **kwargs: None})
    x = keras.Input((4,), name="x")
    model = net(x, keras.layers.Dense(3)(x))
    model.compile("sgd")
    report = ph.examine((X, {"boxes": X, "kind": KIND}), model)
    assert codes(report) == []
    assert "whether the labels fit the model: it computes its own loss" in report.unseen
    model.compile("sgd", "mse")
    assert codes(ph.examine((X, VALUE), model)) == ["broadcast"]


def test_no_labels_for_a_model_compiled_without_a_loss():
    model = two_heads()
    assert codes(ph.examine((X,), model)) == ["no-targets"]
    model.compile("sgd")
    assert codes(ph.examine((X,), model)) == []


def test_a_dict_of_inputs_and_labels_is_one_problem():
    report = ph.examine(
        stream(lambda ids: {"pixels": X[ids], "label": KIND[ids]}), classes(), steps_per_epoch=6
    )
    assert codes(report) == ["not-a-tuple"]
    report = ph.examine(
        stream(lambda ids: ({"pixels": X[ids], "label": KIND[ids]},)), classes(), steps_per_epoch=6
    )
    assert str(report.problems[0]) == (
        "batch 0: expected labels for `kind` (3,), got inputs alone. To Keras, a batch that is one dict is inputs "
        "alone. Yield x, y."
    )
    assert codes(report) == ["no-targets"]


def padded(rows, fill):
    longest = max(map(len, rows))
    return np.array([[*row, *[fill] * (longest - len(row))] for row in rows])


def test_batches_padded_to_their_longest_row():
    rng = np.random.default_rng(0)
    words = [rng.integers(1, 900, 2 + i % 7) for i in range(ROWS)]
    tags = [row % 3 for row in words]
    x = keras.Input((None,), dtype="int32", name="x")
    tag = keras.layers.Dense(3, activation="softmax", name="tag")(keras.layers.Embedding(900, 2)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-100)
    model = with_loss(keras.Model(x, tag), loss)
    batches = stream(lambda ids: (padded([words[i] for i in ids], 0), padded([tags[i] for i in ids], -100)))
    found = ph.examine(batches, model, batches=2 * ROWS // SIZE, steps_per_epoch=ROWS // SIZE).problems
    jax = keras.config.backend() == "jax"
    assert {(p.code, p.warning) for p in found} == ({("shape-drift", True)} if jax else set())


def test_a_mask_for_a_loss_of_ones_own_is_still_compared():
    assert codes(ph.examine((MASK, MASK * 255), mask_head(loss=of_any_form))) == ["mask-255"]
