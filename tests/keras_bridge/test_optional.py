"""Inputs that a model calls optional: the feed leaves them out, and the doctor has nothing against None in them."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import ContractError

ROWS = np.arange(16, dtype="float32").reshape(8, 2)
VERSION = tuple(map(int, keras.__version__.split(".")[:2]))


class Sum(keras.layers.Layer):
    """Twice the first input, or its sum with the others that are there."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, first, *others):
        there = [other for other in others if other is not None]
        return self.scale * (sum(there, first) if there else 2 * first)

    def compute_output_shape(self, first, *others):
        return first


def build(form, names=("first", "second"), optional=(False, True)):
    inputs = {n: keras.Input((2,), name=n, optional=o) for n, o in zip(names, optional, strict=True)}
    nested = {
        "dict": inputs,
        "list": list(inputs.values()),
        "nested": {"a": [inputs[names[0]]], "b": {"c": inputs[names[1]]}},
    }
    return keras.Model(nested[form], {"out": Sum(name="out")(*inputs.values())})


def feed(batch_size=8, columns=("first",), inputs=None, **more):
    data = {**dict.fromkeys(columns, ROWS), "out": ROWS}
    heads = {"out": ph.Regression(2, loss="mse")}
    return ph.Feed(data, inputs=inputs or list(columns), heads=heads, batch_size=batch_size, **more)


@pytest.mark.parametrize("names", [("first", "second"), ("z", "a")])
@pytest.mark.parametrize("form", ["dict", "list", "nested"])
def test_a_feed_leaves_an_optional_input_out(form, names):
    if VERSION < (3, 12) and (form, names[1]) == ("dict", "a"):
        pytest.skip("Keras before 3.12 takes the number of rows from the first input by sorted key")
    model = build(form, names)
    rows = feed(3, names[:1], shuffle=True)
    report = rows.check(model)
    assert report.ok
    name = "c" if form == "nested" else names[1]
    assert f"input `{name}` (2,) is optional and left out: the model gets None" in report.notes
    ph.compile(model, rows, optimizer=keras.optimizers.SGD(0.0))
    want = float((ROWS**2).mean())  # twice the rows against the rows
    history = model.fit(
        rows, validation_data=rows.on({names[0]: ROWS, "out": ROWS}), epochs=2, verbose=0
    ).history
    assert np.allclose(history["loss"], want, rtol=1e-5)
    assert np.allclose(history["val_loss"], want, rtol=1e-5)
    assert model.evaluate(rows, verbose=0, return_dict=True)["loss"] == pytest.approx(want, rel=1e-5)
    assert np.allclose(model.predict(rows, verbose=0)["out"], 2 * ROWS)
    batch = rows.peek()[0]
    assert {"dict": lambda: batch[names[1]], "list": lambda: batch[1], "nested": lambda: batch["b"]["c"]}[
        form
    ]() is None


def test_what_the_feed_declares_is_given():
    model = build("dict")
    both = feed(columns=("first", "second"))
    ph.compile(model, both, optimizer="sgd")
    assert np.allclose(model.predict(both, verbose=0)["out"], 2 * ROWS)
    assert model.evaluate(both, verbose=0, return_dict=True)["loss"] == pytest.approx(
        float((ROWS**2).mean()), rel=1e-5
    )


def test_several_steps_in_one_call():
    model, rows = build("dict"), feed(2)
    steps = 1 if keras.config.backend() == "torch" else 2  # PyTorch makes one step at a time
    ph.compile(model, rows, optimizer=keras.optimizers.SGD(0.0), steps_per_execution=steps)
    assert np.allclose(model.fit(rows, verbose=0).history["loss"], (ROWS**2).mean(), rtol=1e-5)
    assert np.allclose(model.predict(rows, verbose=0)["out"], 2 * ROWS)


def test_a_feed_of_another_name_goes_to_the_input_that_is_needed():
    model = build("list")
    rows = feed(columns=("numbers",))
    ph.compile(model, rows, optimizer="sgd")
    assert np.allclose(model.predict(rows, verbose=0)["out"], 2 * ROWS)


def test_an_input_that_is_not_optional_stays_an_error():
    for optional in ((False, False), (True, False)):
        with pytest.raises(ContractError, match=r"model, input `second` \(2,\): expected an input for it"):
            feed().bind(build("dict", optional=optional))
    three = build("dict", ("first", "second", "third"), (False, False, True))
    with pytest.raises(ContractError) as error:
        feed().bind(three)
    assert len(error.value.problems) == 1
    with pytest.raises(ContractError, match="expected a model with an input `secnd`"):
        feed(columns=("first", "secnd")).bind(build("dict"))


# The doctor ----------------------------------------------------------------------------------------


def generator(x, none_in=lambda step: True):
    def batches():
        rng, step = np.random.default_rng(0), 0
        while True:
            for part in rng.permutation(8).reshape(2, 4):
                yield x(ROWS[part], None if none_in(step) else ROWS[part]), {"out": ROWS[part]}
                step += 1

    return batches


def examined(batches, model=None):
    if model is not None:
        model.compile(optimizer="sgd", loss={"out": "mse"})
    return ph.examine(batches, model, steps_per_epoch=2)


@pytest.mark.parametrize(
    ("form", "x"),
    [
        ("dict", lambda one, two: {"first": one, "second": two}),
        ("list", lambda one, two: (one, two)),
        ("nested", lambda one, two: {"a": (one,), "b": {"c": two}}),
    ],
)
def test_none_for_an_optional_input_is_no_mistake(form, x):
    report = examined(generator(x), build(form))
    assert report.ok
    assert not [problem for problem in report.warnings if problem.code == "not-an-array"]
    name = "b/c" if form == "nested" else "second"
    assert f"input `{name}` is optional, and None in every batch" in report.notes


def test_none_for_another_input_is_one():
    x = lambda one, two: {"first": one, "second": two}  # noqa: E731
    report = examined(generator(x), build("dict", optional=(False, False)))
    assert [str(problem) for problem in report.errors] == [
        "input `second`, batch 0: expected an array, as the input is not optional, got None. "
        "Give an array, or make the input keras.Input(..., optional=True)."
    ]
    alone = examined(generator(x))
    assert [problem.code for problem in alone.problems] == ["not-an-array"]
    assert alone.ok
    assert "keras.Input(..., optional=True)" in alone.problems[0].fix


def test_none_now_and_then():
    x = lambda one, two: {"first": one, "second": two}  # noqa: E731
    report = examined(generator(x, lambda step: step % 2), build("dict"))
    (problem,) = [problem for problem in report.problems if problem.code == "structure-drift"]
    assert str(problem).startswith(
        "input `second`, batch 1: expected the structure of the batches before, got None in some"
    )
    assert problem.warning == (keras.config.backend() != "tensorflow")


def test_arrays_and_feeds_are_examined_too():
    report = examined(({"first": ROWS, "second": None}, {"out": ROWS}), build("dict"))
    assert not report.errors
    assert '"first": ph.Array()' in report.declaration
    assert "second" not in report.declaration
    model = build("dict")
    model.compile(optimizer="sgd", loss={"out": "mse"})
    assert ph.examine(feed(4, shuffle=True), model).ok
