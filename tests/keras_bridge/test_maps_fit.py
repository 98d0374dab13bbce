"""Maps, masks with an outside, and the presence of boxes, trained, evaluated, saved and loaded by Keras."""

import keras
import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2", reason="opencv is not installed")

ROWS, SIDE = 16, 8
RNG = np.random.default_rng(0)
IMAGES = RNG.random((ROWS, SIDE, SIDE, 3)).astype(np.float32)
DEPTH = IMAGES @ np.array([1, 2, 3], np.float32)
GONE = RNG.random(DEPTH.shape) < 0.3
DATA = {
    "image": IMAGES,
    "depth": np.where(GONE, -5, DEPTH).astype(np.float32),
    "shades": np.where(RNG.random((*DEPTH.shape, 2)) < 0.2, np.nan, DEPTH[..., None] * [1, -1]).astype(
        np.float32
    ),
    "mask": (DEPTH > 3).astype(np.uint8),
}
HEADS = {"depth": ph.Map(missing=-5), "shades": ph.Map(2, weight=0.5), "mask": ph.Mask(["sky", "road"])}


MOVES = (ph.Flip(),)


def feed_of(augment=MOVES, heads=HEADS, data=DATA):
    return ph.Feed(data, inputs={"image": ph.Image()}, heads=heads, batch_size=8, augment=list(augment))


def model_of(feed):
    keras.utils.set_random_seed(0)
    x = keras.Input((SIDE, SIDE, 3), name="image")
    return keras.Model(x, ph.outputs(keras.layers.Conv2D(4, 1, activation="relu")(x), feed.heads))


@pytest.fixture(scope="module")
def trained():
    feed = feed_of((ph.Flip(), ph.Rotate(20)))
    model = model_of(feed)
    assert feed.check(model).ok
    ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.02))
    history = model.fit(feed, epochs=12, verbose=0, validation_data=feed.on(DATA)).history
    return model, feed, history


def test_it_learns_what_has_a_label(trained):
    _, _, history = trained
    assert history["val_depth_loss"][-1] < 0.3 * history["val_depth_loss"][0]
    assert "val_depth_mae" in history
    assert history["depth_loss"][-1] < 0.5 * history["depth_loss"][0]


def test_loss_and_metric_are_means_over_the_pixels_that_have_a_label(trained):
    model, feed, _ = trained
    plain = feed.on(DATA)
    found = model.evaluate(plain, verbose=0, return_dict=True)
    predicted = model.predict(plain, verbose=0)
    off = predicted["depth"][..., 0] - DATA["depth"]
    assert found["depth_loss"] == pytest.approx((off[~GONE] ** 2).mean(), rel=1e-4)
    assert found["depth_mae"] == pytest.approx(np.abs(off[~GONE]).mean(), rel=1e-4)
    there = ~np.isnan(DATA["shades"])
    off = (predicted["shades"] - DATA["shades"])[there]
    assert found["shades_loss"] == pytest.approx((off**2).mean(), rel=1e-4)
    assert found["shades_mae"] == pytest.approx(np.abs(off).mean(), rel=1e-4)


def test_pixels_from_outside_are_in_no_loss():
    """A model of constants is at the loss of the pixels inside, whatever is said of those outside."""
    feed = feed_of((ph.Rotate(45),), {"depth": ph.Map(), "mask": HEADS["mask"]}, {**DATA, "depth": DEPTH})
    batch = next(iter(feed.batches()))
    outside = batch.weights["depth"] == 0
    assert outside.any()
    np.testing.assert_array_equal(batch.weights["mask"] == 0, outside)
    model = model_of(feed)
    ph.compile(model, feed, optimizer="sgd", normalize="batch")
    wrong = {name: array.copy() for name, array in batch.labels.items()}
    wrong["depth"][outside], wrong["mask"][outside] = 1e6, 1
    weights = batch.weights
    one = model.test_on_batch(batch.inputs["image"], batch.labels, sample_weight=weights, return_dict=True)
    model.reset_metrics()
    two = model.test_on_batch(batch.inputs["image"], wrong, sample_weight=weights, return_dict=True)
    assert one == pytest.approx(two, rel=1e-5)


def test_a_saved_model_is_loaded_with_its_maps(trained, tmp_path):
    model, feed, _ = trained
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    plain = feed.on(DATA)
    one, two = (m.evaluate(plain, verbose=0, return_dict=True) for m in (model, loaded))
    assert one == pytest.approx(two, rel=1e-5)
    assert loaded.fit(feed, verbose=0).history["loss"][0] > 0


def test_an_output_of_another_size_is_named():
    feed = feed_of()
    x = keras.Input((SIDE, SIDE, 3), name="image")
    heads = {name: head for name, head in feed.heads.items() if name != "depth"}
    outputs = ph.outputs(x, heads)
    small = keras.layers.Conv2D(1, 1, name="depth")(keras.layers.MaxPooling2D(2)(x))
    report = feed.check(keras.Model(x, {**outputs, "depth": small}))
    assert [problem.place for problem in report.errors] == ["head `depth`"]
    with pytest.raises(ph.ContractError, match="a feature map whose size divides the map's, \\(8, 8\\)"):
        ph.outputs(keras.layers.Cropping2D(1)(x), {"depth": feed.heads["depth"]})


def test_the_presence_of_boxes_is_learned_from_what_somebody_looked_at():
    """Bright images have a box; of dark ones somebody looked at half, and at the rest nobody."""
    bright = np.arange(ROWS) % 2 == 0
    images = np.broadcast_to(bright[:, None, None, None], (ROWS, SIDE, SIDE, 3)).astype(np.float32)
    boxes = [[[1.0, 1, 5, 5]] if b else [] if i % 4 == 1 else None for i, b in enumerate(bright)]
    heads = {"box": ph.Boxes(1), "there": ph.Binary(each="box", column="box")}
    feed = feed_of((), heads, {"image": images, "box": boxes})
    x = keras.Input((SIDE, SIDE, 3), name="image")
    model = keras.Model(x, ph.outputs(keras.layers.GlobalAveragePooling2D()(x), feed.heads))
    assert feed.check(model).ok
    ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.3))
    model.fit(feed, epochs=25, verbose=0)
    there = model.predict(feed, verbose=0)["there"].reshape(ROWS)
    assert there[bright].min() > 0.9
    assert there[~bright].max() < 0.1
    found = model.evaluate(feed, verbose=0, return_dict=True)
    known = np.array([box is not None for box in boxes])
    expected = -np.log(np.where(bright, there, 1 - there))[known].mean()
    assert found["there_loss"] == pytest.approx(expected, rel=1e-3, abs=1e-5)
