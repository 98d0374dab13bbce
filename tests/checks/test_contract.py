"""The check against a model: every mismatch at once, in words."""

import keras
import numpy as np
import pytest

import polyhead as ph


def feed(**heads):
    data = {
        "x": np.zeros((12, 4), "float32"),
        "z": np.zeros((12, 2), "float32"),
        "a": np.arange(12) % 2,
        "b": np.arange(12) % 3,
        "c": np.zeros((12, 2)),
        "d": np.zeros(12),
    }
    kinds = heads or {"a": ph.Binary(), "b": ph.Categorical(3), "c": ph.Regression(2)}
    return ph.Feed(data, inputs=["x", "z"], heads=kinds, batch_size=4)


def model(units=(1, 3, 2), names=("a", "b", "c"), inputs=("x", "z"), wrap=list, widths=(4, 2)):
    tensors = [keras.Input((w,), name=n) for n, w in zip(inputs, widths, strict=True)]
    joined = keras.layers.Concatenate()(tensors)
    outputs = [keras.layers.Dense(u, name=n)(joined) for u, n in zip(units, names, strict=True)]
    return keras.Model(tensors, dict(zip(names, outputs, strict=True)) if wrap is dict else outputs)


@pytest.mark.parametrize("wrap", [list, dict])
def test_what_fits_fits_whatever_the_order(wrap):
    for units, names in (((1, 3, 2), "abc"), ((2, 1, 3), "cab"), ((3, 2, 1), "bca")):
        report = feed().check(model(units, names, wrap=wrap))
        assert report.ok
        assert str(report).startswith("ok\n")
        bound = feed().bind(model(units, names, wrap=wrap))
        _, y = bound.peek()
        parts = y if wrap is dict else dict(zip(names, y, strict=True))
        assert [parts[n].shape for n in "abc"] == [(4, 1), (4,), (4, 2)]


def test_a_tuple_for_list_outputs_and_a_dict_for_dict_outputs():
    x, y = feed().bind(model()).peek()
    assert (type(x), type(y)) == (tuple, tuple)
    x, y = feed().bind(model(wrap=dict)).peek()
    assert (type(x), type(y)) == (tuple, dict)


def test_every_mismatch_comes_at_once():
    report = feed().check(model(units=(2, 4, 1), inputs=("x", "zz"), widths=(4, 3)))
    assert not report.ok
    assert str(report).splitlines() == [
        "5 problems:",
        "  1. input `z`: expected a model with an input `z` (2,), got inputs `x` (4,), `zz` (3,). "
        'Did you mean `zz`? Name the layer: name="z", or give the input the name that the model has.',
        "  2. model, input `zz` (3,): expected an input for it, got inputs `x`, `z`. "
        "Declare it, or name an input after it.",
        "  3. head `a`: expected an output of shape (1,), got `a` of shape (2,). Give the layer 1 unit.",
        "  4. head `b`: expected an output of shape (3,), got `b` of shape (4,). Give the layer 3 units.",
        "  5. head `c`: expected an output of shape (2,), got `c` of shape (1,). Give the layer 2 units.",
        "  input `x` -> input `x` (4,)",
    ]
    with pytest.raises(ph.ContractError) as error:
        feed().bind(model(units=(2, 4, 1), inputs=("x", "zz"), widths=(4, 3)))
    assert error.value.problems == report.problems


def per_batch(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred))


def test_a_wrong_head_hides_no_mistake_in_another():
    """Wrong units, names that do not exist, and losses and metrics that do not suit: from `check` and `compile`."""
    data = {"x": np.zeros((12, 4)), **{name: np.arange(12) % 2 for name in "abcdef"}, "g": [np.nan, 1, 2] * 4}
    heads = {
        "a": ph.Binary(),
        "b": ph.Binary(loss="crossentropi"),
        "c": ph.Categorical(2, loss="categorical_crossentropy"),
        "d": ph.Categorical(2, metrics=["acuracy", keras.metrics.CategoricalAccuracy()]),
        "e": ph.Binary(),
        "g": ph.Regression(loss=per_batch, metrics=["mae", "mae"]),
    }
    broken = ph.Feed(data, inputs="x", heads=heads)
    x = keras.Input((4,), name="x")
    given = {"a": 2, "c": 2, "d": 2, "e": 1, "g": 1}
    outputs = {name: keras.layers.Dense(n, name=name)(x) for name, n in given.items()}
    outputs["e"] = keras.ops.tanh(outputs["e"])
    wanted = {
        "head `a`": ["expected an output of shape (1,), got `a` of shape (2,)"],
        "head `b`": [
            "expected a model with an output `b` (1,), got outputs `a` (2,), `c` (2,), `d` (2,), `e` (1,), `g` (1,)",
            "expected the name of a loss of Keras, got 'crossentropi'",
        ],
        "head `c`": [
            "expected a loss that reads labels of int32 (B,), as SparseCategoricalCrossentropy, got "
            "categorical_crossentropy",
        ],
        "head `d`": [
            "expected the name of a metric of Keras, got 'acuracy'",
            "expected a metric for Categorical, whose labels are class ids, got CategoricalAccuracy",
        ],
        "head `e`": [
            'expected activation="sigmoid", or none for logits, as Binary needs, got tanh: tanh gives no '
            "probabilities"
        ],
        "head `g`": [
            "expected a loss with one value a row, as labels can be missing or are weighted, got one number for the "
            "whole batch",
            'expected metrics with different names, other than "loss", got mae',
        ],
    }
    with pytest.raises(ph.ContractError) as error:
        ph.compile(keras.Model(x, outputs), broken, optimizer="adamm", loss="mse")
    found: dict[str, list[str]] = {}
    for problem in error.value.problems:
        found.setdefault(problem.place, []).append(problem.finding)
    assert [found.pop(f"compile({name}=)") is None for name in ("loss", "optimizer")] == [False, False]
    assert {place: sorted(some) for place, some in found.items()} == {p: sorted(w) for p, w in wanted.items()}
    report = broken.check(keras.Model(x, outputs))
    assert {(p.place, p.finding) for p in report.errors} == {(p, one) for p, w in wanted.items() for one in w}


def test_of_a_model_that_was_compiled_by_hand_losses_are_checked_beside_wrong_outputs():
    wrong = model(units=(2, 3, 2))
    losses = {"a": "binary_crossentropy", "b": "mse", "cc": "mse"}
    wrong.compile("sgd", loss=losses, metrics={"b": ["acuracy"]})
    assert [(p.place, p.found) for p in feed().check(wrong).errors] == [
        ("head `a`", "`a` of shape (2,)"),
        ("model.compile(loss=), `cc`", "no such output"),
        ("head `c`", f"loss={losses}"),
        ("head `b`", "'acuracy'"),
        ("head `b`", "mean_squared_error"),
    ]


@pytest.mark.parametrize(
    ("loss", "finding"),
    [
        (per_batch, "a loss with one value a row, as labels can be missing or are weighted"),
        (lambda y, p: y[:, 0] - p, "a loss that compares each label with its own output"),
    ],
)
def test_check_finds_what_compile_refuses(loss, finding):
    data = {"x": np.zeros((12, 4)), "g": [np.nan, 1, 2] * 4}
    own = ph.Feed(data, inputs="x", heads={"g": ph.Regression(loss=loss)})
    x = keras.Input((4,), name="x")
    (problem,) = own.check(keras.Model(x, keras.layers.Dense(1, name="g")(x))).errors
    assert problem.expected == finding


def test_a_mask_of_another_size_than_the_output_is_told_to_have_its_size():
    data = {"image": np.zeros((2, 8, 12, 3), "uint8"), "mask": np.zeros((2, 8, 12), "uint8")}
    image = keras.Input((8, 12, 3), name="image")
    coarse = keras.Model(image, keras.layers.Conv2D(3, 3, strides=2, padding="same", name="mask")(image))
    whole = ph.Feed(data, inputs={"image": ph.Image()}, heads={"mask": ph.Mask(3)})
    (problem,) = whole.check(coarse).errors
    assert str(problem) == (
        "head `mask`: expected an output of shape (8, 12, 3), got `mask` of shape (4, 6, 3). "
        "ph.Mask and ph.Map with size=(4, 6) have labels of that size."
    )
    sized = ph.Feed(data, inputs={"image": ph.Image()}, heads={"mask": ph.Mask(3, size=(4, 6))})
    assert not sized.check(coarse).errors


def test_unnamed_outputs_are_taken_in_order_only_where_shapes_leave_no_doubt():
    sure = feed().check(model(names=("p", "q", "r")))
    assert sure.ok
    assert "head `a` taken for `p` (1,), by order and shape" in str(sure)
    doubtful = feed(a=ph.Binary(), d=ph.Regression()).check(model(units=(1, 1), names=("p", "q")))
    assert not doubtful.ok
    assert "head `a`: expected a model with an output `a` (1,), got outputs `p` (1,), `q` (1,)." in str(
        doubtful
    )
    crossed = feed(a=ph.Binary(), c=ph.Regression(2)).check(model(units=(2, 1), names=("p", "q")))
    assert not crossed.ok


@pytest.mark.once
@pytest.mark.parametrize("layer", ["p", "a"])
@pytest.mark.parametrize("calls", [1, 2])
def test_outputs_of_one_layer_are_to_be_a_dict(layer, calls):
    heads = {"a": ph.Binary(), "d": ph.Regression()}
    rows = [keras.Input((4,), name="x"), keras.Input((2,), name="z")]
    joined, head = keras.layers.Concatenate()(rows), keras.layers.Dense(1, name=layer)
    outputs = [head(joined) for _ in range(calls)] * (3 - calls)  # of two calls, or one tensor twice
    assert [str(p) for p in feed(**heads).check(keras.Model(rows, outputs)).errors] == [
        f"model: expected outputs by the names of the heads, `a`, `d`, got several of the layer `{layer}`. Name them: "
        'keras.Model(inputs, {"a": ..., "d": ...}).'
    ]
    assert feed(**heads).check(keras.Model(rows, dict(zip("ad", outputs, strict=True)))).ok


def test_a_head_too_many_and_one_too_few():
    report = feed().check(model(units=(1, 3), names="ab"))
    assert [p.place for p in report.problems] == ["head `c`"]
    report = feed(a=ph.Binary()).check(model(units=(1, 3), names="ab"))
    assert str(report.problems[0]) == (
        "model, output `b` (3,): expected a head for it, got heads `a`. "
        "Declare a head for it, or leave the output out of the model."
    )


def test_nested_outputs_are_found_by_key_by_path_and_by_layer():
    a, b = keras.Input((4,), name="x"), keras.Input((2,), name="z")
    joined = keras.layers.Concatenate()([a, b])
    outputs = {
        "a": {
            "value": keras.layers.Dense(2, name="v1")(joined),
            "flag": keras.layers.Dense(1, name="v2")(joined),
        },
        "rest": [keras.layers.Dense(3, name="b")(joined)],
    }
    nested = keras.Model([a, b], outputs)
    heads = {"a/value": ph.Regression(2, column="c"), "v2": ph.Binary(column="a"), "b": ph.Categorical(3)}
    _, y = feed(**heads).bind(nested).peek()
    assert y["a"]["value"].shape == (4, 2)
    assert y["a"]["flag"].shape == (4, 1)
    assert type(y["rest"]) is tuple
    assert y["rest"][0].shape == (4,)


def test_sequential_and_subclassed_models():
    one = ph.Feed({"x": np.zeros((8, 4)), "a": np.arange(8) % 2}, inputs="x", heads={"a": ph.Binary()})
    assert one.check(keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])).ok
    assert one.check(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])).ok
    assert not one.check(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])).ok

    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = keras.layers.Dense(1), keras.layers.Dense(3)

        def call(self, inputs):
            both = keras.ops.concatenate([inputs["x"], inputs["z"]], axis=-1)
            return {"a": self.a(both), "b": self.b(both)}

    report = feed(a=ph.Binary(), b=ph.Categorical(3)).check(Two())
    assert report.ok
    x, y = feed(a=ph.Binary(), b=ph.Categorical(3)).bind(Two()).peek()
    assert set(x) == {"x", "z"}
    assert set(y) == {"a", "b"}


@pytest.mark.filterwarnings("error")
def test_the_only_input_is_nested_as_a_model_inside_the_subclassed_one_expects():
    class Wrapped(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

    one = ph.Feed({"x": np.zeros((8, 4)), "a": np.arange(8) % 2}, inputs="x", heads={"a": ph.Binary()})
    x = keras.Input((4,), name="x")
    for given, kind in (({"x": x}, dict), (x, np.ndarray)):
        bound = one.bind(Wrapped(keras.Model(given, {"a": keras.layers.Dense(1)(x)})))
        assert isinstance(bound.peek()[0], kind)


def test_a_model_that_cannot_be_called_says_what_it_was_given():
    class Broken(keras.Model):
        def call(self, inputs):
            raise TypeError("I want a pear")

    report = feed().check(Broken())
    assert len(report.problems) == 1
    assert "I want a pear" in str(report)
    assert "x (4,), z (2,)" in str(report)


@pytest.mark.once
def test_columns_for_a_model_with_one_input_are_told_to_be_joined():
    data = {"age": np.arange(8.0), "fare": np.arange(8.0), "a": np.arange(8) % 2}
    feed = ph.Feed(data, inputs=["age", "fare"], heads={"a": ph.Binary()})
    x = keras.Input((2,), name="facts")
    (problem,) = feed.check(keras.Model(x, keras.layers.Dense(1, name="a")(x))).problems
    assert str(problem) == (
        "model: expected inputs `age`, `fare`, got one input `facts` (2,). For a model with one input, join the "
        'columns: inputs={"facts": ph.Array(column=["age", "fare"])}.'
    )
    (problem,) = feed.check(keras.Sequential([keras.layers.Dense(1)])).problems
    assert problem.fix.endswith('join the columns: inputs={"x": ph.Array(column=["age", "fare"])}.')
    wider = keras.Input((3,), name="facts")
    assert len(feed.check(keras.Model(wider, keras.layers.Dense(1, name="a")(wider))).problems) == 3


class Returns(keras.Model):
    """A subclassed model whose layers have the names of heads, which its outputs do not."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.price = keras.layers.Dense(1, name="price")
        self.age = keras.layers.Dense(1, name="age")

    def call(self, x):
        return self.form(self.price(x), self.age(x))


@pytest.mark.parametrize(
    ("form", "found"),
    [
        (lambda price, age: (price, age), "a tuple of 2"),
        (lambda price, age: [price, age], "a list of 2"),
        (lambda price, age: (price, age, age), "a tuple of 3"),
        (lambda price, age: price, "one without a name"),
    ],
)
def test_outputs_without_names_are_to_be_a_dict(form, found):
    rows = np.zeros((8, 2), "float32")
    heads = {"price": ph.Regression(), "age": ph.Regression()}
    data = {"x": rows, "price": rows[:, :1], "age": rows[:, :1]}
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=4)
    report = feed.check(Returns(form))
    assert [str(p) for p in report.errors] == [
        f"model: expected outputs by the names of the heads, `price`, `age`, got {found}. Return a dict from call(): "
        'return {"price": ..., "age": ...}.'
    ]
    assert feed.check(Returns(lambda price, age: {"price": price, "age": age})).ok


@pytest.mark.parametrize(
    "form",
    [
        lambda price, age: {"A": price, "B": age},
        lambda price, age: {"price": price, "B": age, "C": age},
        lambda price, age: {"prices": {"price": price}, "ages": [age]},
    ],
    ids=["other keys", "one key more", "nested"],
)
def test_outputs_with_other_keys_are_named_in_call_and_not_by_their_layers(form):
    rows = np.zeros((8, 2), "float32")
    data = {"x": rows, "price": rows[:, :1], "age": rows[:, :1]}
    feed = ph.Feed(data, inputs="x", heads={"price": ph.Regression(), "age": ph.Regression()}, batch_size=4)
    report = str(feed.check(Returns(form)))
    assert 'Return it from call() in a dict, with the key "age", or give the head the name' in report
    assert "Name the layer" not in report


@pytest.mark.parametrize(("layer", "told"), [("Dense", True), ("Rescaling", True), ("Embedding", False)])
def test_integers_that_collapse_are_told_where_a_layer_makes_floats_of_them(layer, told):
    offset = 1_700_000_000
    made = {"Dense": lambda: keras.layers.Dense(2), "Rescaling": lambda: keras.layers.Rescaling(1e-9)}
    made["Embedding"] = lambda: keras.layers.Embedding(4, 2)  # the rule looks at layers alone
    x = keras.Input((1,), name="t", dtype="int32")
    h = keras.layers.Flatten()(made[layer]()(x))
    model = keras.Model(x, keras.layers.Dense(1, "sigmoid", name="y")(h))
    rows = {"t": np.arange(8) + offset, "y": np.arange(8) % 2}
    feed = ph.Feed(rows, inputs="t", heads={"y": ph.Binary()})
    problems = [problem for problem in feed.check(model).warnings if problem.code == "collapsed"]
    assert [problem.place for problem in problems] == ["input `t`, column `t`"] * told
    assert not feed.on(rows).check(model).warnings
