"""Heads and inputs with a scale: trained, evaluated, saved and loaded, with metrics in the units of the data."""

import keras
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

import polyhead as ph
from polyhead.keras_bridge.metrics import UnscaledMetric, ignores_shifts

RNG = np.random.default_rng(0)
ROWS = 96
X = RNG.normal(size=(ROWS, 3)).astype("float32")
PRICE = np.exp(12 + 0.5 * X[:, 0]) + 1000 * X[:, 1]
SIZES = np.stack([5 + X[:, 1] / 100, 40 * X[:, 2]], 1)
SIZES[5, 0] = np.nan
DATA = {
    "x": X * 1000,
    "price": np.where(np.arange(ROWS) % 5 == 0, np.nan, PRICE),
    "sizes": SIZES,
    "sold": (X[:, 0] > 0) * 1.0,
    "w": RNG.uniform(0.5, 2, ROWS),
}


@keras.saving.register_keras_serializable("scaled_fit")
def root(values):
    return np.sqrt(values) / 400


@keras.saving.register_keras_serializable("scaled_fit")
def square(values):
    return np.square(400 * values)


def heads_of(scale, **more):
    return {
        "price": ph.Regression(scale=scale, sample_weight="w", **more),
        "sizes": ph.Regression(2, scale="standard"),
        "sold": ph.Binary(),
    }


def inputs_of():
    return {"x": ph.Array(scale="standard")}


def feed_of(scale, **more):
    return ph.Feed(DATA, inputs=inputs_of(), heads=heads_of(scale, **more), batch_size=32)


def compiled(feed, seed=0):
    keras.utils.set_random_seed(seed)
    x = keras.Input((3,), name="x")
    model = keras.Model(x, ph.outputs(keras.layers.Dense(8, activation="relu")(x), feed))
    return ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.02))


def errors_of(model, feed):
    """Mean absolute and root mean squared errors, in the units of the data, by NumPy."""
    found = model.predict(feed, verbose=0)
    off = feed.heads["price"].unscaled(found["price"])[:, 0] - DATA["price"]
    there = ~np.isnan(off)
    weight = DATA["w"][there]
    sizes = feed.heads["sizes"].unscaled(found["sizes"]) - SIZES
    return {
        "price_mae": np.average(np.abs(off[there]), weights=weight),
        "price_rmse": np.sqrt(np.average(off[there] ** 2, weights=weight)),
        "sizes_mae": np.nanmean(np.abs(sizes)),
        "sizes_rmse": np.sqrt(np.nanmean(sizes**2)),
    }


# the first three are other numbers in the same operations
SCALES = [
    *(pytest.param(name, marks=pytest.mark.once) for name in ("standard", "minmax", "robust")),
    "log",
    (root, square),
]


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_metrics_are_in_the_units_of_the_data_and_losses_are_not(scale, tmp_path):
    feed = feed_of(scale)
    model = compiled(feed)
    model.fit(feed, epochs=2, verbose=0)
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    for name, value in errors_of(model, feed).items():
        assert logs[name] == pytest.approx(value, rel=1e-3), name
    assert logs["price_loss"] < 30
    assert feed.declaration == ph.Declaration.from_dict(feed.declaration.to_dict())
    model.save(tmp_path / "prices.keras")
    loaded = keras.saving.load_model(tmp_path / "prices.keras")
    again = loaded.evaluate(feed, verbose=0, return_dict=True)
    assert again.keys() == logs.keys()
    assert all(again[name] == pytest.approx(logs[name], rel=1e-5) for name in logs)
    assert ph.declaration_of(loaded) == feed.declaration
    new = ph.declaration_of(loaded).feed({"x": DATA["x"][:4]}, batch_size=4)
    unscaled = ph.declaration_of(loaded).heads["price"].unscaled(loaded.predict(new, verbose=0)["price"])
    expected = feed.heads["price"].unscaled(model.predict(feed, verbose=0)["price"])[:4]
    np.testing.assert_allclose(unscaled, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "metrics",
    [pytest.param(["mae"], marks=pytest.mark.once), [keras.metrics.MeanAbsoluteError(name="mae")]],
    ids=str,
)
def test_metrics_that_are_asked_for_are_in_the_units_of_the_data(metrics):
    feed = feed_of("log", metrics=metrics)
    model = compiled(feed)
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    assert logs["price_mae"] == pytest.approx(errors_of(model, feed)["price_mae"], rel=1e-3)
    assert "price_rmse" not in logs


def test_numbers_far_from_0_keep_their_digits_in_metrics():
    data = {"x": X, "at": 1.7e9 + 10 * X[:, 0].astype(np.float64)}
    feed = ph.Feed(data, inputs="x", heads={"at": ph.Regression(scale="standard")}, batch_size=32)
    x = keras.Input((3,), name="x")
    model = ph.compile(keras.Model(x, ph.outputs(x, feed)), feed, optimizer="sgd")
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    off = feed.heads["at"].unscaled(model.predict(feed, verbose=0)["at"])[:, 0] - data["at"]
    assert logs["at_mae"] == pytest.approx(np.abs(off).mean(), rel=1e-4)
    assert logs["at_rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-4)


def test_metrics_that_ignore_what_both_sides_have_in_common():
    metrics = keras.metrics
    found = [
        ignores_shifts(metric)
        for metric in (metrics.MeanSquaredError(), metrics.R2Score(), metrics.MeanAbsolutePercentageError())
    ]
    assert found == [True, True, False]


def test_a_table_goes_on_beyond_its_ends():
    metric = UnscaledMetric(
        keras.metrics.MeanAbsoluteError(), {"start": [0.0], "step": [1.0], "values": [[0.0, 10.0, 40.0]]}
    )
    metric.update_state(np.zeros((4, 1)), np.array([[0.5], [1.5], [3.0], [-1.0]]))
    assert float(metric.result()) == pytest.approx((5 + 25 + 70 + 10) / 4)
    copy = UnscaledMetric.from_config(metric.get_config())
    copy.update_state(np.zeros((1, 1)), np.array([[2.0]]))
    assert float(copy.result()) == pytest.approx(40)


def test_maps_and_numbers_of_boxes_are_measured_in_the_units_of_the_data():
    rng = np.random.default_rng(2)
    depth = rng.uniform(1, 80, (12, 4, 4))
    depth[rng.random(depth.shape) < 0.3] = np.nan
    tall = [[1000.0 * (i + 1), 50.0 * i][: 1 + i % 2] for i in range(12)]
    data = {
        "image": rng.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8),
        "depth": depth,
        "box": [[[0, 0, 2, 2], [1, 1, 3, 3]][: len(t)] for t in tall],
        "tall": tall,
    }
    heads = {
        "depth": ph.Map(scale="log"),
        "meters": ph.Map(column="depth", scale=0.01),
        "box": ph.Boxes(2),
        "tall": ph.Regression(each="box", scale="standard"),
    }
    feed = ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, batch_size=5)
    keras.utils.set_random_seed(0)
    x = keras.Input((4, 4, 3), name="image")
    model = ph.compile(keras.Model(x, ph.outputs(keras.layers.Conv2D(2, 1)(x), feed)), feed, optimizer="sgd")
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    found = model.predict(feed, verbose=0)
    off = feed.heads["depth"].unscaled(found["depth"])[..., 0] - depth
    assert logs["depth_mae"] == pytest.approx(np.nanmean(np.abs(off)), rel=1e-3)
    assert logs["depth_rmse"] == pytest.approx(np.sqrt(np.nanmean(off**2)), rel=1e-3)
    off = feed.heads["meters"].unscaled(found["meters"])[..., 0] - depth
    assert logs["meters_mae"] == pytest.approx(np.nanmean(np.abs(off)), rel=1e-3)
    assert logs["meters_rmse"] == pytest.approx(np.sqrt(np.nanmean(off**2)), rel=1e-3)
    given = np.array([[*t, np.nan][:2] for t in tall])
    off = feed.heads["tall"].unscaled(found["tall"])[..., 0] - given
    assert logs["tall_mae"] == pytest.approx(np.nanmean(np.abs(off)), rel=1e-3)
    assert logs["tall_rmse"] == pytest.approx(np.sqrt(np.nanmean(off**2)), rel=1e-3)


def test_a_model_of_another_scale_is_refused():
    feed = feed_of("standard")
    model = compiled(feed)
    other = {**DATA, "price": DATA["price"] * 2}
    heads = {"price": ph.Regression(scale="standard", sample_weight="w")}
    again = ph.Feed(other, inputs=inputs_of(), heads={**feed.heads, **heads})
    plain = {**feed.heads, "price": ph.Regression(sample_weight="w")}
    without = ph.Feed(DATA, inputs=inputs_of(), heads=plain)
    raw = ph.Feed(DATA, inputs="x", heads=feed.heads)
    assert feed.check(model).ok
    assert feed.on(other).check(model).ok
    known = feed.heads["price"].scale
    for one, found in ((again, repr(again.heads["price"].scale)), (without, "None")):
        with pytest.raises(ph.ContractError) as error:
            model.evaluate(one, verbose=0)
        assert str(error.value) == (
            f"head `price`: expected scale={known!r}, as the model was compiled for, got scale={found}. It was fitted "
            "on other rows: say train.on(rows), or ph.declaration_of(model).feed(rows)."
        )
    with pytest.raises(ph.ContractError, match="input `x`: expected scale=NamedScaling"):
        model.evaluate(raw, verbose=0)
    # the same rows, read in pieces
    rows = Pieces()
    assert ph.Feed(rows, inputs=inputs_of(), heads=heads_of("standard")).check(model).ok


class Pieces(ph.Source):
    """The rows of `DATA`, none of which is in memory."""

    columns = tuple(DATA)

    def __len__(self):
        return ROWS

    def read(self, ids):
        return {name: values[ids] for name, values in DATA.items()}


def test_a_scale_without_a_form_trains_and_cannot_be_saved(tmp_path):
    feed = feed_of(StandardScaler())
    model = compiled(feed)
    model.fit(feed, verbose=0)
    logs = model.evaluate(feed, verbose=0, return_dict=True)
    assert logs["price_mae"] == pytest.approx(errors_of(model, feed)["price_mae"], rel=1e-3)
    assert ph.declaration_of(model).heads["price"].scaling == feed.heads["price"].scaling
    assert feed.check(model).ok
    words = (
        "head `price`, scale=: expected what Keras can save and load, got StandardScaler(). Say "
        'scale="standard", "minmax", "robust" or "log", which files can hold. Decorate its class or function with '
        "@keras.saving.register_keras_serializable()."
    )
    for save in (lambda: model.save(tmp_path / "m.keras"), feed.declaration.to_dict):
        with pytest.raises(ph.ContractError) as error:
            save()
        assert str(error.value) == words


@pytest.mark.slow
@pytest.mark.once("jax")
def test_a_price_and_a_yes_or_no_are_both_learned_once_it_is_scaled():
    """A price of 250,000 beside a yes or no: the plain sum learns neither in some epochs, the scaled one both."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 8)).astype("float32")
    price = 250_000 + 60_000 * (x[:, 0] - x[:, 1]) / np.sqrt(2)
    data = {"x": x, "price": price, "sold": (x[:, 2] * x[:, 3] > 0) * 1.0}

    def learned(head):
        heads = {"price": head, "sold": ph.Binary()}
        feed = ph.Feed(data, inputs="x", heads=heads, batch_size=32, shuffle=True, seed=3)
        keras.utils.set_random_seed(5)
        i = shared = keras.Input((8,), name="x")
        for _ in range(2):
            shared = keras.layers.Dense(32, activation="relu")(shared)
        model = keras.Model(i, ph.outputs(shared, feed))
        ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.005))
        model.fit(feed, epochs=10, verbose=0)
        return model.evaluate(feed, verbose=0, return_dict=True)

    with pytest.warns(ph.PolyheadWarning, match=r'Say ph.Regression\(scale="standard"\)'):
        plain = learned(ph.Regression())
    scaled = learned(ph.Regression(scale="standard"))
    apart = np.abs(price - price.mean()).mean()
    assert plain["price_mae"] > 1.5 * apart
    assert plain["sold_accuracy"] < 0.6
    assert scaled["price_mae"] < 0.15 * apart
    assert scaled["sold_accuracy"] > 0.95
