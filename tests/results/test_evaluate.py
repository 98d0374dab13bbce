"""A model is judged by all rows, once each, as they are: on each backend, with outputs in a dict, a list, or alone."""

import pickle

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

import polyhead as ph
from polyhead.kinds import Head
from polyhead.results.evaluate import labeled_feed

ROWS = 41
RNG = np.random.default_rng(4)
X = RNG.normal(size=(ROWS, 3)).astype("float32")
KIND = np.array(["cat", "dog", "eel"])[np.clip((X[:, 0] * 2 + 1).astype(int), 0, 2)]
SOLD = [None if i % 6 == 5 else bool(x > 0) for i, x in enumerate(X[:, 1])]
DATA = {
    "x": X,
    "kind": KIND,
    "sold": SOLD,
    "price": 5 + X[:, 2],
    "importance": RNG.uniform(0.5, 2, ROWS),
    "image": RNG.random((ROWS, 4, 4, 1)).astype("float32"),
    "mask": [None if i == 3 else (RNG.random((4, 4)) > 0.5).astype(int) for i in range(ROWS)],
    "box": [[[1, 1, 3, 3], [0, 0, 2, 2]][: i % 3] if i % 5 else None for i in range(ROWS)],
    "what": [["a", "b"][: i % 3] if i % 5 else None for i in range(ROWS)],
}
HEADS = {
    "kind": ph.Categorical(class_weight="balanced"),
    "sold": ph.Binary(),
    "price": ph.Regression(given="sold", sample_weight="importance"),
    "mask": ph.Mask(),
    "box": ph.Boxes(2),
    "there": ph.Binary(each="box", column="box"),
    "what": ph.Categorical(["a", "b"], each="box"),
}
INPUTS = {"x": ph.Array(), "image": ph.Image(4, 4, 1)}


def built(feed):
    inputs = {"x": keras.Input((3,), name="x"), "image": keras.Input((4, 4, 1), name="image")}
    outputs = ph.outputs({"mask": inputs["image"], None: inputs["x"]}, feed.heads)
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def feed():
    return ph.Feed(DATA, inputs=INPUTS, heads=HEADS, batch_size=8, shuffle=True, drop_remainder=True)


@pytest.fixture(scope="module")
def model(feed):
    keras.utils.set_random_seed(1)
    model = ph.compile(built(feed), feed, optimizer=keras.optimizers.Adam(0.05))
    model.fit(feed, epochs=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def evaluation(feed, model):
    return ph.evaluate(model, feed, resamples=20)


@pytest.fixture(scope="module")
def predicted(model):
    found = model.predict({"x": X, "image": DATA["image"]}, verbose=0, batch_size=ROWS)
    return {name: np.asarray(value) for name, value in found.items()}


def same(one, other):
    assert {name: head.rows for name, head in one.items()} == {
        name: head.rows for name, head in other.items()
    }
    for name, values in one.as_dict().items():
        assert values == pytest.approx(other.as_dict()[name], rel=1e-4, abs=1e-6, nan_ok=True)


def test_all_rows_count_once(evaluation, predicted):
    assert evaluation.ids.tolist() == list(range(ROWS))
    assert {name: head.rows for name, head in evaluation.items()} == {
        "kind": ROWS,
        "sold": sum(value is not None for value in SOLD),
        "price": sum(value is True for value in SOLD),
        "mask": ROWS - 1,
        "box": ROWS - len(range(0, ROWS, 5)),
        "there": ROWS - len(range(0, ROWS, 5)),
        "what": sum(1 for i in range(ROWS) if i % 5 and i % 3),
    }
    said = np.array(["cat", "dog", "eel"])[predicted["kind"].argmax(1)]
    assert evaluation["kind"]["accuracy"].value == pytest.approx(np.mean(said == KIND))  # by no class weight
    assert evaluation["kind"]["f1_macro"].value == pytest.approx(sk.f1_score(KIND, said, average="macro"))


@pytest.mark.once
def test_the_positive_value_in_another_spelling_is_told():
    feed = ph.Feed({"x": X, "kind": KIND}, inputs="x", heads={"kind": ph.Binary(positive="cat")})
    other = {"x": X, "kind": np.char.upper(KIND)}
    with pytest.warns(ph.PolyheadWarning, match="head `kind`: expected values .* got 'CAT' and 'cat'"):
        labeled_feed(keras.Sequential(), other, feed.declaration, None)
    labeled_feed(keras.Sequential(), feed, None, None)


def test_missing_labels_given_and_weights(evaluation, predicted):
    known = np.array([value is not None for value in SOLD])
    sold = np.array([value is True for value in SOLD])
    auc = sk.roc_auc_score(sold[known], predicted["sold"][known, 0])
    assert evaluation["sold"]["roc_auc"].value == pytest.approx(auc)
    weights = {"sample_weight": DATA["importance"][sold]}
    pair = DATA["price"][sold], predicted["price"][sold, 0]
    assert evaluation["price"]["mae"].value == pytest.approx(
        sk.mean_absolute_error(*pair, **weights), rel=1e-5
    )
    assert evaluation["price"]["r2"].value == pytest.approx(sk.r2_score(*pair, **weights), rel=1e-4)


def test_other_rows_of_the_same_number_are_not_compared(feed, model, evaluation):
    other = {name: values[::-1] for name, values in DATA.items()}
    found = ph.evaluate(model, feed.on(other), resamples=20)
    with pytest.raises(ph.ContractError) as error:
        evaluation.compare(found)
    assert str(error.value) == (
        "compare(other): expected an evaluation of the same rows, got other rows, or another order. "
        "Evaluate both models on the same data."
    )


def test_classes_in_another_order_are_not_compared(evaluation):
    heads = {"kind": ph.Categorical(["eel", "dog", "cat"])}
    turned = ph.Feed(DATA, inputs=INPUTS, heads=heads, batch_size=8)
    inputs = {"x": keras.Input((3,), name="x"), "image": keras.Input((4, 4, 1), name="image")}
    seen = keras.layers.Concatenate()([inputs["x"], keras.layers.Flatten()(inputs["image"])])
    other = keras.Model(inputs, ph.outputs(seen, turned.heads))
    found = ph.evaluate(other, turned, resamples=20)
    with pytest.raises(ph.ContractError) as error:
        evaluation.compare(found)
    assert str(error.value) == (
        "compare(other), head `kind`: expected the classes ['cat', 'dog', 'eel'], got ['eel', 'dog', 'cat']. "
        "Declare the same classes in the same order for both models."
    )


def test_rows_with_the_largest_loss(evaluation, predicted):
    of_label = predicted["kind"][np.arange(ROWS), np.searchsorted(["cat", "dog", "eel"], KIND)]
    assert evaluation.worst("kind", 3) == np.argsort(of_label)[:3].tolist()


def test_batches_change_nothing(model, feed, evaluation):
    same(ph.evaluate(model, feed, batch_size=ROWS, resamples=20), evaluation)
    again = ph.evaluate(model, feed, resamples=20)
    assert again.to_pandas().equals(evaluation.to_pandas())


def test_data_with_the_declaration_that_the_model_carries(model, evaluation, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    same(ph.evaluate(loaded, DATA, batch_size=8, resamples=20), evaluation)
    few = ph.evaluate(
        loaded, {name: column[:9] for name, column in DATA.items()}, batch_size=8, intervals=None
    )
    assert few["kind"].rows == 9
    assert np.isnan(few["kind"]["accuracy"].low)


def test_outputs_in_a_list(feed, model, evaluation):
    other = keras.Model(model.input, [model.output[name] for name in HEADS])
    same(ph.evaluate(other, feed, resamples=20), evaluation)  # not compiled


class Slope(keras.Model):
    def call(self, x):
        return {"big": x / 5}


@pytest.mark.once
def test_first_outputs_that_seem_to_be_probabilities_are_no_proof():
    x = np.array([[1.0], [2.0], [-1.0], [-2.0]], "float32")
    data, model = {"x": x, "big": x[:, 0] > 0}, Slope()
    model(x)
    feed = ph.Feed(data, inputs="x", heads={"big": ph.Binary()}, batch_size=2)
    with pytest.raises(ph.ContractError) as error:
        ph.evaluate(model, feed, intervals=None)
    assert str(error.value).startswith(
        "evaluate(), head `big`: expected probabilities, as the first outputs seem to be, got -0.2"
    )
    assert error.value.problems[0].fix == (
        "If they are logits, declare the head with loss=keras.losses.BinaryCrossentropy(from_logits=True)."
    )
    head = ph.Binary(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    for size in (2, 4):
        feed = ph.Feed(data, inputs="x", heads={"big": head}, batch_size=size)
        assert ph.evaluate(model, feed, intervals=None)["big"]["accuracy"].value == 1


def test_one_output_of_logits():
    heads = {"kind": ph.Categorical()}
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=8)
    x = keras.Input((3,), name="x")
    logits = keras.layers.Dense(3)(x)
    model = ph.compile(keras.Model(x, logits), feed, optimizer="sgd")
    shares = keras.Model(x, keras.layers.Softmax()(logits))
    found = ph.evaluate(model, feed, resamples=20)
    same(found, ph.evaluate(shares, feed, resamples=20))
    assert found["kind"]["log_loss"].value == pytest.approx(model.evaluate(feed, verbose=0)[0], rel=1e-4)


@pytest.mark.once
def test_a_tuple_of_columns_needs_names():
    data = {"x": np.eye(4, 3), "y": [0, 1, 0, 1]}
    feed = ph.Feed(data, inputs="x", heads={"y": ph.Binary()})
    x = keras.Input((3,), name="x")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    for given in ((data["x"], data["y"]), [data["x"], {"y": data["y"]}]):
        for call, names in ((ph.evaluate, '{"x": ..., "y": ...}'), (ph.predict, '{"x": ...}')):
            with pytest.raises(ph.DataError) as error:
                call(model, given)
            assert f"Give {names}, or a table with them." in str(error.value)


def test_selected_rows_keep_their_ids(model, feed):
    some = feed.on(feed.source.select([30, 4, 17]))
    found = ph.evaluate(model, some, intervals=None)
    assert found.ids.tolist() == [30, 4, 17]
    assert set(found.worst("kind")) == {30, 4, 17}


def test_rows_without_labels_are_refused(model, feed):
    rows = {name: DATA[name] for name in ("x", "image", "kind", "price", "importance", "mask", "box", "what")}
    with pytest.raises(ph.DataError) as error:
        ph.evaluate(model, rows)
    (problem,) = error.value.problems
    assert (problem.place, problem.found) == ("evaluate(), head `sold`", "no such column")
    assert problem.fix == "Rows without labels can only be predicted: give data with the column."
    with pytest.raises(ph.DataError, match=r"evaluate\(\), head `sold`"):
        ph.evaluate(model, feed.on(rows))


def test_data_without_a_declaration_is_refused():
    x = keras.Input((3,), name="x")
    with pytest.raises(ph.ContractError) as error:
        ph.evaluate(keras.Model(x, keras.layers.Dense(1)(x)), DATA)
    assert str(error.value) == (
        "evaluate(model): expected a model that ph.compile compiled, got 'Functional', which is not compiled. "
        "If you loaded it with compile=False, leave that out. Compile it with ph.compile(model, feed, ...), give a "
        "Feed as data, or declaration=feed.declaration."
    )


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("scale", "output", "found"),
    [
        (
            None,
            "nan",
            "expected finite outputs, got nan. "
            "Look for a loss that became NaN in training, and for inputs without a finite number.",
        ),
        (
            (np.log1p, np.expm1),
            "800",
            "expected finite numbers in the units of the column, got inf. "
            "The model gives far more than in training: look for inputs unlike those that it was trained on.",
        ),
    ],
)
def test_outputs_that_are_not_finite_are_refused(scale, output, found):
    x = keras.Input((3,), name="x")
    feed = ph.Feed(DATA, inputs="x", heads={"price": ph.Regression(scale=scale)}, batch_size=8)
    outputs = keras.ops.where(keras.ops.equal(x[:, :1], X[9, 0]), np.float32(output), x[:, :1])
    model = keras.Model(x, {"price": keras.layers.Identity(name="price")(outputs)})
    with pytest.raises(ph.DataError) as error:
        ph.evaluate(model, feed)
    assert str(error.value) == f"evaluate(), head `price`, row 9: {found}"


def test_an_evaluation_pickles(evaluation, tmp_path):
    other = pickle.loads(pickle.dumps(evaluation))
    assert str(other) == str(evaluation)
    assert other.worst("kind", 3) == evaluation.worst("kind", 3)
    assert not other.compare(evaluation).differing
    assert "Largest losses" not in other.save(tmp_path / "page.html").read_text(encoding="utf-8")


def test_rows_that_come_one_after_the_other(tmp_path):
    def batches():
        for begin in range(0, 40, 10):
            yield {"x": X[begin : begin + 10], "price": DATA["price"][begin : begin + 10]}

    feed = ph.Feed(
        ph.from_generator(batches, length=40), inputs="x", heads={"price": ph.Regression()}, batch_size=8
    )
    x = keras.Input((3,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    found = ph.evaluate(model, feed, resamples=20)
    rows = {"x": X[:40], "price": DATA["price"][:40]}
    same(found, ph.evaluate(model, rows, declaration=feed.declaration, resamples=20))
    assert found.save(tmp_path / "page.html").exists()


def test_other_classes_are_refused(model):
    heads = {**HEADS, "kind": ph.Categorical(["dog", "cat", "eel"])}
    with pytest.raises(ph.ContractError, match="the classes that the model was compiled for"):
        ph.evaluate(model, ph.Feed(DATA, inputs=INPUTS, heads=heads))


def test_a_crowd_is_no_label():
    data = {
        "x": np.zeros((2, 1)),
        "box": [np.array([[0.0, 0, 4, 4]]), np.array([[0.0, 0, 4, 4], [5, 5, 9, 9]])],
        "crowd": [np.array([True]), np.array([False, False])],
    }
    feed = ph.Feed(data, inputs="x", heads={"box": ph.Boxes(2)})
    x = keras.Input((1,), name="x")
    boxes = keras.layers.Reshape((2, 4))(keras.layers.Dense(8, bias_initializer="zeros")(x))
    model = keras.Model(x, {"box": keras.layers.Identity(name="box")(boxes)})
    model.set_weights([np.zeros((1, 8)), np.array([0, 0, 4, 4, 1, 1, 3, 3.0])])
    found = ph.evaluate(model, feed, intervals=None)
    # of the first row nothing counts; in the second, one box is found, one is not, and one is wrong
    assert found["box"]["map_50"].value == pytest.approx(51 / 101)
    without = ph.evaluate(model, {name: data[name] for name in ("x", "box")}, declaration=feed.declaration)
    assert without["box"]["map_50"].value == pytest.approx((34 + 33 * 2 / 3) / 101)


@keras.saving.register_keras_serializable("test_evaluate")
class OwnLoss(keras.Model):
    """Its outputs have other names than the heads, but for one."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return {"sold": self.dense(inputs["x"]), "hidden": inputs["x"]}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(y["sold"] - y_pred["sold"]))


def test_a_model_that_makes_its_loss_itself():
    feed = ph.Feed(DATA, inputs={"x": ph.Array()}, heads={"sold": ph.Binary()}, batch_size=8)
    model = OwnLoss()
    model.compile(optimizer="sgd")
    found = ph.evaluate(model, feed, intervals=None)
    assert found["sold"].rows == sum(value is not None for value in SOLD)
    other = ph.Feed(DATA, inputs={"x": ph.Array()}, heads={"price": ph.Regression()}, batch_size=8)
    with pytest.raises(ph.ContractError) as error:
        ph.evaluate(model, other)
    assert str(error.value) == (
        "evaluate(), head `price`: expected an output of this name, got none. "
        "Let the model return a dict with this name when it predicts."
    )


class Own(ph.Regression):
    """A head of a user's, which does not say how it is judged."""

    def judge(self, name, heads, size):
        return Head.judge(self, name, heads, size)


def test_a_head_of_a_users_own_is_judged_by_its_loss():
    feed = ph.Feed(DATA, inputs="x", heads={"price": Own(given="sold"), "sold": ph.Binary()}, batch_size=8)
    x = keras.Input((3,), name="x")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    found = ph.evaluate(model, feed, resamples=20)
    logged = model.evaluate(feed, verbose=0, return_dict=True)
    assert found["price"]["loss"].value == pytest.approx(logged["price_loss"], rel=1e-4)
    assert found["price"].rows == sum(value is True for value in SOLD)


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"intervals": 95},
            "evaluate(intervals=): expected a number between 0 and 1, such as 0.95, or None, got 95.",
        ),
        ({"resamples": 0}, "evaluate(resamples=): expected an integer of at least 1, got 0."),
        ({"seed": -1}, "evaluate(seed=): expected an integer of at least 0, got -1."),
        ({"batch_size": 0}, "evaluate(batch_size=): expected an integer of at least 1, got 0."),
        (
            {"declaration": 3},
            "evaluate(declaration=): expected a ph.Declaration, as feed.declaration, got 3.",
        ),
    ],
)
def test_arguments(model, feed, arguments, message):
    with pytest.raises(ph.ContractError) as error:
        ph.evaluate(model, feed, **arguments)
    assert str(error.value) == message


def test_rows_as_dicts(model):
    """A row may lack labels, not inputs."""
    names = [name for name in DATA if name != "importance"]
    rows = [{name: DATA[name][i] for name in names if DATA[name][i] is not None} for i in range(10)]
    rows = [{**row, "importance": 1.0} for row in rows]
    found = ph.evaluate(model, rows, intervals=None)
    assert found["sold"].rows == sum(SOLD[i] is not None for i in range(10))
    assert found["mask"].rows == 9
