"""Numbers in units of their own beside other heads, and outputs in half precision."""

import keras
import numpy as np
import pytest
from keras import layers

import polyhead as ph

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3)).astype("float32")
UNIT = RNG.normal(size=64)
DATA = {
    "x": X,
    "sold": (RNG.random(64) < 0.5) * 1,
    "kind": np.arange(64) % 3,
    "price": 250_000 + 60_000 * UNIT,
    "age": 45 + 12 * UNIT,
    "unit": UNIT,
    "share": RNG.random(64),
    "sizes": RNG.normal(size=(64, 2)) * 1000,
}


def said(heads, output=None, data=DATA):
    """What `check` says of the scale of labels."""
    feed = ph.Feed(data, inputs="x", heads=heads, batch_size=16)
    x = keras.Input((3,), name="x")
    made = ph.outputs(x, feed.heads)
    model = keras.Model(x, made if output is None else {**made, **output(x)})
    return [p for p in feed.check(model).problems if p.code == "label-scale"]


@pytest.mark.parametrize("beside", [ph.Binary(column="sold"), ph.Categorical(3, column="kind")])
@pytest.mark.parametrize(
    "head", [ph.Regression(), ph.Regression(loss="mae"), ph.Regression(loss=keras.losses.Huber())]
)
def test_a_price_drowns_a_head_of_classes(head, beside):
    problems = said({"price": head, "other": beside})
    assert [(p.place, p.warning) for p in problems] == [("head `price`", True)]


def test_what_is_said_has_the_line_to_write():
    mean, deviation = DATA["price"].mean(), DATA["price"].std()
    first = (DATA["price"] ** 2).mean() / np.log(2)
    (problem,) = said({"price": ph.Regression(), "sold": ph.Binary()})
    assert str(problem) == (
        "head `price`: expected labels near unit scale, as it is trained together with other heads, got a mean of "
        f"{mean:.4g} and a deviation of {deviation:.4g}, by which its first loss is about {first:.2g} times that of "
        '`sold`. Say ph.Regression(scale="standard"), which metrics and ph.predict undo.'
    )


@pytest.mark.parametrize(
    "heads",
    [
        {"price": ph.Regression()},  # alone it drowns nothing
        {"unit": ph.Regression(), "sold": ph.Binary()},
        {"share": ph.Regression(), "sold": ph.Binary()},
        {"age": ph.Regression(loss="mae"), "sold": ph.Binary()},
        {"price": ph.Regression(weight=1e-11), "sold": ph.Binary()},
        {"price": ph.Regression(), "more": ph.Regression(column="price")},
    ],
    ids=lambda heads: " and ".join(heads),
)
def test_nothing_is_said_where_nothing_is_drowned(heads):
    assert not said(heads)


def test_ages_and_missing_labels_count_as_well():
    assert len(said({"age": ph.Regression(), "sold": ph.Binary()})) == 1
    gaps = {**DATA, "price": np.where(np.arange(64) % 4, np.nan, DATA["price"])}
    assert len(said({"price": ph.Regression(), "sold": ph.Binary()}, data=gaps)) == 1
    holes = DATA["sizes"].copy()
    holes[3, 1] = np.nan
    assert len(said({"sizes": ph.Regression(2), "sold": ph.Binary()}, data={**DATA, "sizes": holes})) == 1


def test_an_output_that_begins_at_its_labels_is_not_warned_of():
    heads = {"price": ph.Regression(), "sold": ph.Binary()}
    bias = keras.initializers.Constant(250_000)
    assert not said(heads, lambda x: {"price": layers.Dense(1, bias_initializer=bias, name="price")(x)})
    assert not said(heads, lambda x: {"price": layers.Rescaling(6e4, 25e4, name="price")(layers.Dense(1)(x))})


def test_compile_warns_once_and_validation_does_not():
    feed = ph.Feed(DATA, inputs="x", heads={"price": ph.Regression(), "sold": ph.Binary()}, batch_size=16)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, ph.outputs(x, feed))
    with pytest.warns(ph.PolyheadWarning, match="head `price`: expected labels near unit scale"):
        ph.compile(model, feed, optimizer="sgd")
    model.fit(feed, validation_data=feed.on(DATA), verbose=0)  # warnings are errors here


def test_a_model_with_a_loss_of_its_own_is_not_judged_by_the_losses_of_heads():
    class Own(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(y_pred["price"] - y["price"] / 1e6) ** 2

    feed = ph.Feed(DATA, inputs="x", heads={"price": ph.Regression(), "sold": ph.Binary()}, batch_size=16)
    x = keras.Input((3,), name="x")
    assert not [p for p in feed.check(Own(x, ph.outputs(x, feed))).problems if p.code == "label-scale"]


def test_labels_that_are_small_are_drowned_as_well():
    data = {**DATA, "tiny": UNIT / 1000}
    (problem,) = said({"tiny": ph.Regression(), "sold": ph.Binary()}, data=data)
    first = np.log(2) / (data["tiny"] ** 2).mean()
    assert f"by which the first loss of `sold` is about {first:.2g} times its own." in str(problem)
    assert not said({"tiny": ph.Regression(scale="standard"), "sold": ph.Binary()}, data=data)
    assert not said({"tiny": ph.Regression(weight=1e6), "sold": ph.Binary()}, data=data)
    assert not said({"unit": ph.Regression(), "sold": ph.Binary(weight=1e-3)})  # as the user means it


def test_each_head_far_from_unit_scale_is_named_at_once():
    data = {**DATA, "tiny": UNIT / 1000}
    names = ("price", "age", "tiny", "unit")
    problems = said({name: ph.Regression() for name in names} | {"sold": ph.Binary()}, data=data)
    assert [p.place for p in problems] == ["head `price`", "head `age`", "head `tiny`"]
    scaled = {name: ph.Regression(scale="robust") for name in names}
    assert not said(scaled | {"sold": ph.Binary()}, data=data)


def test_pixels_are_near_unit_scale_as_shares_of_the_image():
    boxes = np.tile([100.0, 100, 300, 300], (64, 1))
    for head, line in (
        (
            ph.Boxes(1),
            "Say ph.Boxes(normalized=True, column_normalized=False): the model then predicts shares",
        ),
        (ph.Keypoints(2), "Say ph.Keypoints(normalized=True, column_normalized=False): the model then"),
    ):
        column = boxes if isinstance(head, ph.Boxes) else boxes.reshape(64, 2, 2)
        (problem,) = said({"place": head, "sold": ph.Binary()}, data={**DATA, "place": column})
        assert line in str(problem)
        shares = type(head)(head.places, normalized=True)
        assert not said({"place": shares, "sold": ph.Binary()}, data={**DATA, "place": column / 400})


def test_a_loss_that_needs_the_numbers_of_the_data_is_told():
    for head, codes in (
        (ph.Regression(loss="mape", scale="standard"), ["scaled-loss"]),
        (ph.Regression(loss="mape"), []),
        (ph.Regression(loss="mse", scale="standard", metrics=["mape"]), []),
    ):
        feed = ph.Feed(DATA, inputs="x", heads={"price": head}, batch_size=16)
        x = keras.Input((3,), name="x")
        problems = feed.check(keras.Model(x, ph.outputs(x, feed))).problems
        assert [p.code for p in problems] == codes
    feed = ph.Feed(
        DATA, inputs="x", heads={"price": ph.Regression(loss="poisson", scale="log")}, batch_size=16
    )
    (problem,) = feed.check(keras.Model(x, ph.outputs(x, feed))).problems
    assert str(problem) == (
        'head `price`: expected a loss for numbers around 0, as scale= makes them, got poisson. Say scale="log" and '
        'loss="mean_squared_error", or leave scale= out. metrics=["poisson"] gets the units of the column.'
    )


# Half precision --------------------------------------------------------------------------------------------


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def mixed(request):
    keras.mixed_precision.set_global_policy(request.param)
    yield
    keras.mixed_precision.set_global_policy("float32")


def test_outputs_are_in_single_precision(mixed):
    image = RNG.integers(0, 256, (4, 8, 8, 3), dtype="uint8")
    data = {
        "image": image,
        "sold": [0, 1, 0, 1],
        "kind": [0, 1, 2, 0],
        "tags": np.eye(4, 3),
        "price": [9e4, 8e4, 7e4, 9e4],
        "grid": np.ones((4, 2, 3)),
        "mask": image[..., 0] % 2,
        "box": np.tile([1.0, 1, 5, 5], (4, 1)),
        "points": np.ones((4, 2, 2)),
        "label": [["a"], ["b"], ["a"], ["b"]],
    }
    heads = {
        "sold": ph.Binary(),
        "kind": ph.Categorical(3),
        "tags": ph.MultiLabel(3),
        "price": ph.Regression(),
        "grid": ph.Regression((2, 3)),
        "mask": ph.Mask(),
        "box": ph.Boxes(1),
        "points": ph.Keypoints(2),
        "label": ph.Categorical(["a", "b"], each="box"),
    }
    feed = ph.Feed(data, inputs="image", heads=heads, batch_size=4)
    x = keras.Input((8, 8, 3), name="image")
    model = keras.Model(x, ph.outputs(layers.Conv2D(4, 3, padding="same")(x), feed.heads))
    assert {name: output.dtype for name, output in model.output.items()} == dict.fromkeys(heads, "float32")
    assert not [p for p in feed.check(model).problems if p.code == "half-precision"]


def test_an_output_of_one_s_own_in_half_precision_is_warned_of(mixed):
    feed = ph.Feed(DATA, inputs="x", heads={"unit": ph.Regression(), "sold": ph.Binary()}, batch_size=16)
    x = keras.Input((3,), name="x")
    own = {"unit": layers.Dense(1, name="unit")(x), "sold": layers.Dense(1, name="sold", dtype="float32")(x)}
    problems = [p for p in feed.check(keras.Model(x, own)).problems if p.code == "half-precision"]
    assert [(p.place, p.warning) for p in problems] == [("head `unit`", True)]


class Two(keras.Model):
    def __init__(self):
        super().__init__()
        self.unit, self.sold = layers.Dense(1), layers.Dense(1, dtype="float32")

    def call(self, x):
        return {"unit": self.unit(x), "sold": self.sold(x)}


def test_an_output_of_a_subclassed_model_in_half_precision_is_warned_of(mixed):
    heads = {"unit": ph.Regression(), "sold": ph.Regression(column="unit")}
    feed = ph.Feed(DATA, inputs="x", heads=heads, batch_size=16)
    with pytest.warns(ph.PolyheadWarning) as caught:
        ph.compile(Two(), feed, optimizer="sgd")
    assert ["head `unit`: expected an output in float32, got" in str(w.message) for w in caught] == [True]
