"""Feeds that mix rows, through fit, evaluate and predict, on the backend that is active."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.hashing import stream

ROWS, SIDE = 48, 16
RNG = np.random.default_rng(2)
PRESENT = np.arange(ROWS) % 3 > 0
LEFT, TOP = RNG.integers(0, 8, (2, ROWS))
AT = np.arange(SIDE)


def drawn():
    """White squares on black; a third of the images are empty, and then nothing is said of the square."""
    across, down = (abs(AT - (corner[:, None] + 3.5)) < 4 for corner in (LEFT, TOP))
    mask = across[:, None, :] & down[:, :, None] & PRESENT[:, None, None]
    boxes = np.stack([LEFT, TOP, LEFT + 8, TOP + 8], 1)
    return {
        "image": np.repeat(mask[..., None], 3, -1).astype("uint8") * 255,
        "mean": mask.mean((1, 2))[:, None].repeat(4, 1) + RNG.normal(0, 0.01, (ROWS, 4)),
        "mask": [m.astype(int) if p else None for m, p in zip(mask, PRESENT, strict=True)],
        "box": [[box.tolist()] if p else None for box, p in zip(boxes, PRESENT, strict=True)],
        "present": PRESENT.astype(int),
        "place": [["upper", "lower"][int(y > 3)] for y in TOP],
        "height": TOP.astype("float32"),
    }


DATA = drawn()
VECTORS = {
    "present": ph.Binary(class_weight="balanced"),
    "place": ph.Categorical(one_hot=True, given="present"),
}
SPATIAL = {
    "mask": ph.Mask(2),
    "box": ph.Boxes(2, overflow="largest", given="present"),
}
HEIGHT = {"height": ph.Regression(given="present")}


def images(augment, heads, **more):
    options = {"batch_size": 8, "shuffle": True, "seed": 4, "augment": augment, **more}
    return ph.Feed(DATA, inputs={"image": ph.Image()}, heads=heads, **options)


def numbers(augment, heads, **more):
    return ph.Feed(DATA, inputs="mean", heads=heads, augment=augment, **{"batch_size": 8, "seed": 4, **more})


def build(feed):
    keras.utils.set_random_seed(0)
    (name, kind), *_ = feed.inputs.items()
    x = keras.Input(kind.shape, name=name)
    if len(kind.shape) == 1:
        return keras.Model(x, ph.outputs(keras.layers.Dense(8, activation="tanh")(x), feed.heads))
    features = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    flat = keras.layers.Dense(16, activation="tanh")(keras.layers.Flatten()(features))
    return keras.Model(x, ph.outputs({"mask": features, None: flat}, feed.heads))


@pytest.mark.parametrize(
    ("make", "augment", "heads"),
    [
        pytest.param(numbers, [ph.MixUp(0.4)], VECTORS | HEIGHT, marks=pytest.mark.once),
        pytest.param(
            images,
            [ph.Flip(), ph.MixUp(0.4)],
            VECTORS | HEIGHT | {"box": SPATIAL["box"]},
            marks=pytest.mark.once("jax"),
        ),
        pytest.param(images, [ph.CutMix()], VECTORS | SPATIAL, marks=pytest.mark.full),
        pytest.param(images, [ph.Flip(), ph.Mosaic()], VECTORS | SPATIAL, marks=pytest.mark.full),
        (images, [ph.Mosaic(p=0.3), ph.CutMix(p=0.3)], VECTORS | SPATIAL),
    ],
    ids=["numbers", "mixup", "cutmix", "mosaic", "both"],
)
def test_models_are_trained_validated_and_asked_to_predict(make, augment, heads):
    feed = make(augment, heads)
    model = build(feed)
    report = feed.check(model)
    assert report.ok, str(report)
    ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.01))
    val = feed.on(DATA)
    history = model.fit(feed, validation_data=val, epochs=4, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert history["val_loss"][-1] < history["val_loss"][0]
    # rows of the feed itself are evaluated as they are
    one, other = (model.evaluate(f, return_dict=True, verbose=0) for f in (feed, val))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.isclose(value, other[name], rtol=1e-4, atol=1e-6), name
    predicted = model.predict(feed, verbose=0)
    assert {name: len(array) for name, array in predicted.items()} == dict.fromkeys(heads, ROWS)


def test_the_loss_of_a_step_is_that_of_the_components_by_their_shares():
    """All rows in one batch, at a rate of 0: the logged losses against sums over the labels as they are."""
    feed = numbers([ph.MixUp(1.0)], VECTORS, batch_size=ROWS)
    model = build(feed)
    ph.compile(model, feed, optimizer=keras.optimizers.SGD(0.0))
    ids, mixing = ph.MixUp(1.0).draw(4, 0, np.arange(ROWS), stream("Mixup"), ROWS, (1, 1))
    x = (mixing.shares[..., None] * DATA["mean"][ids]).sum(0).astype("float32")
    predicted = model.predict(x, verbose=0)
    logged = model.fit(feed, epochs=1, verbose=0).history
    weight = {0: ROWS / (2 * (~PRESENT).sum()), 1: ROWS / (2 * PRESENT.sum())}
    weights = mixing.shares * np.where(PRESENT, weight[1], weight[0])[ids]
    chance = predicted["present"][:, 0]
    losses = -np.log(np.where(PRESENT[ids], chance, 1 - chance))
    wanted = {"present_loss": (weights * losses).sum() / weights.sum()}
    counts = mixing.shares * PRESENT[ids]
    place = (np.array(DATA["place"]) == "upper").astype(int)[ids]
    losses = -np.log(np.take_along_axis(predicted["place"][None], place[..., None], 2)[..., 0])
    wanted["place_loss"] = (counts * losses).sum() / counts.sum()
    for name, value in wanted.items():
        assert np.isclose(logged[name][0], value, rtol=1e-4), name


def test_accuracy_in_training_is_no_zero():
    feed = numbers([ph.MixUp(0.4)], {"present": ph.Binary()})
    model = build(feed)
    ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.05))
    history = model.fit(feed, epochs=15, verbose=0).history
    assert history["present_accuracy"][-1] > 0.85


def test_one_hot_labels_are_held_against_the_loss_and_the_output():
    feed = numbers((), {"place": ph.Categorical(one_hot=True)})
    model = build(feed)
    for loss, words in (
        (
            "sparse_categorical_crossentropy",
            "head `place`: expected a loss that reads labels of float32 (B, 2), as CategoricalCrossentropy, got "
            "sparse_categorical_crossentropy. That one reads class ids. "
            "Say loss=CategoricalCrossentropy(), or let ph.compile choose.",
        ),
        (
            "binary_crossentropy",
            "head `place`: expected a loss that reads labels of float32 (B, 2), as CategoricalCrossentropy, got "
            "binary_crossentropy. That one does not read one class of several. "
            "Say loss=CategoricalCrossentropy(), or let ph.compile choose.",
        ),
    ):
        model.compile(loss={"place": loss})
        assert [str(problem) for problem in feed.check(model).errors] == [words]
    model.compile(loss={"place": "categorical_crossentropy"})
    assert feed.check(model).ok
    x = keras.Input((4,), name="mean")
    narrow = keras.Model(x, {"place": keras.layers.Dense(1, name="place")(x)})
    assert str(feed.check(narrow).errors[0]) == (
        "head `place`: expected an output of shape (2,), got `place` of shape (1,). Give the layer 2 units."
    )


def test_whether_one_hot_classes_are_given_as_logits_is_seen():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return {"place": self.dense(x)}

    feed = numbers((), {"place": ph.Categorical(one_hot=True)})
    model = Own()
    ph.compile(model, feed, optimizer="sgd")
    loss = model.fit(feed, epochs=1, verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    assert model._compile_loss.losses["place"].loss.get_config()["from_logits"] is True


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a tf.data.Dataset is what TensorFlow draws from"
)
def test_batches_by_way_of_a_dataset_are_mixed_alike():
    def make():
        return images([ph.Mosaic(p=1.0)], VECTORS | SPATIAL, shuffle=False)

    made, drawn = next(iter(make())), next(iter(make().get_tf_dataset()))
    assert made[2]["mask"].shape == (8, SIDE, SIDE)
    for one, other in zip(made, drawn, strict=True):
        assert set(one) == set(other)
        for name, array in one.items():
            np.testing.assert_array_equal(array, np.asarray(other[name]))
