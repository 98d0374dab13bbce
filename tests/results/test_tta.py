"""Test-time augmentation: views of an image answer for the image itself."""

import keras
import numpy as np
import pytest
from keras import ops

import polyhead as ph
import programs
from polyhead.results.tta import MOST, ImageMove, merge_views, moves_of

pytest.importorskip("cv2")

SIZE = 32


def picture(x0, y0, x1, y1):
    """An image that is white in a box."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[y0:y1, x0:x1] = 255
    return image


IMAGES = np.stack([picture(4, 6, 14, 20), picture(16, 10, 28, 18), picture(10, 12, 20, 24)])


class Sees(keras.Model):
    """Finds the white box exactly, whatever the view: a model that moves with its image."""

    def call(self, image):
        white = ops.cast(image[..., 0] > 0.5, "float32")
        place = ops.arange(SIZE, dtype="float32") + 0.5
        area = ops.sum(white, (1, 2)) + 1e-6
        rows, columns = ops.max(white, 2), ops.max(white, 1)
        big = 1e6
        low = [ops.min(ops.where(side > 0, place - 0.5, big), 1) for side in (columns, rows)]
        high = [ops.max(ops.where(side > 0, place + 0.5, -big), 1) for side in (columns, rows)]
        box = ops.stack([low[0], low[1], high[0], high[1]], -1)[:, None]
        left = ops.stack([low[0], (low[1] + high[1]) / 2], -1)
        right = ops.stack([high[0], (low[1] + high[1]) / 2], -1)
        share = area / (SIZE * SIZE)
        return {
            "box": box,
            "sides": ops.stack([left, right], 1),
            "mask": white[..., None],
            "depth": white[..., None] * 3,
            "big": ops.stack([1 - share, share], -1),
        }


HEADS = {
    "box": ph.Boxes(1),
    "sides": ph.Keypoints(2, pairs=[(0, 1)]),
    "mask": ph.Mask(),
    "depth": ph.Map(),
    "big": ph.Categorical(["no", "yes"]),
}


@pytest.fixture(scope="module")
def feed():
    count = len(IMAGES)
    data = {
        "image": IMAGES,
        "box": np.zeros((count, 4)),
        "sides": np.zeros((count, 2, 2)),
        "mask": np.zeros((count, SIZE, SIZE), np.uint8),
        "depth": np.zeros((count, SIZE, SIZE), np.float32),
        "big": ["no", "yes", "no"],
    }
    return ph.Feed(data, inputs={"image": ph.Image()}, heads=HEADS, batch_size=2)


def test_a_model_that_moves_with_its_image_says_the_same_in_all_views(feed):
    model = Sees()
    plain = ph.predict(model, feed)
    for count in (2, MOST):
        found = ph.predict(model, feed, tta=count)
        assert np.abs(found["box"] - plain["box"]).max() < (1e-3 if count == 2 else 1)
        assert np.abs(found["sides"] - plain["sides"]).max() < (1e-3 if count == 2 else 1)
        wrong = np.mean([(a != b).mean() for a, b in zip(found["mask"], plain["mask"], strict=True)])
        assert wrong < (1e-6 if count == 2 else 0.03)
        assert found["big"].tolist() == plain["big"].tolist()
    assert (ph.predict(model, feed, tta=2)["box_spread"] < 1e-3).all()
    columns = ("box_spread", "sides_spread", "mask_spread", "depth_spread", "big_spread")
    assert set(columns) <= set(ph.predict(model, feed, tta=2).columns)


def test_one_view_is_the_image_itself(feed):
    model = Sees()
    found, plain = ph.predict(model, feed, tta=1), ph.predict(model, feed)
    assert np.allclose(found["box"], plain["box"])
    assert (found["big_spread"] == 0).all()


class Unsure(keras.Model):
    """Says more of what lies on the left."""

    def call(self, image):
        bright = ops.mean(image[:, :, : SIZE // 2, 0], (1, 2))
        return {"big": ops.stack([-bright, bright], -1) * 8}


def test_probabilities_are_averaged_and_their_spread_told(feed):
    heads = {"big": HEADS["big"]}
    only = ph.Feed({"image": IMAGES, "big": ["no", "yes", "no"]}, inputs={"image": ph.Image()}, heads=heads)
    model = ph.compile(Unsure(), only, optimizer="sgd")
    sides = [IMAGES, IMAGES[:, :, ::-1]]
    yes = []
    for images in sides:
        logits = model.predict(images.astype("float32") / 255, verbose=0)["big"]
        yes.append(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))
    found = ph.predict(model, only, tta=2, probabilities=True)
    mean = np.mean(yes, 0)
    assert [row["big_probabilities"]["yes"] for row in found] == pytest.approx(mean.tolist(), abs=1e-4)
    assert np.allclose(found["big_spread"], np.std(yes, 0), atol=1e-4)


def test_boxes_of_another_order_are_matched_by_their_overlap():
    from polyhead.kinds import for_boxes

    heads = for_boxes({"box": ph.Boxes(3), "there": ph.Binary(each="box", column="box")})
    heads = {"box": heads["box"], "there": heads["there"]}
    base = np.array([[[0, 0, 4, 4], [10, 10, 20, 20], [30, 30, 40, 40]]], np.float32)
    other = np.array([[[11, 10, 21, 20], [0, 0, 4, 4], [50, 50, 60, 60]]], np.float32)
    there = np.array([[[0.9], [0.8], [0.6]]], np.float32)
    means, _ = merge_views(heads, [{"box": base, "there": there}, {"box": other, "there": there[:, ::-1]}])
    assert means["box"][0].tolist() == [[0, 0, 4, 4], [10.5, 10, 20.5, 20], [30, 30, 40, 40]]
    assert np.allclose(means["there"][0, :, 0], [(0.9 + 0.8) / 2, (0.8 + 0.6) / 2, 0.6 / 2])


def test_pixels_that_a_view_does_not_show_do_not_count():
    move = ImageMove((8, 8), False, 0.8)
    back = move.pixels(move.images(np.ones((1, 8, 8, 1), np.float32))[0, ..., 0])
    assert np.isfinite(back).all()
    larger = ImageMove((8, 8), True, 1.25)
    back = larger.pixels(np.ones((8, 8), np.float32))
    assert np.isnan(back[0]).all()
    assert (back[2:-2, 2:-2] == 1).all()


def test_what_cannot_be_seen_otherwise_is_refused(feed):
    for count, said in (
        (0, "predict(tta=): expected an integer of at least 1, got 0."),
        (9, None),
        (True, None),
    ):
        with pytest.raises(ph.ContractError) as error:
            moves_of(count, feed.inputs)
        assert said is None or str(error.value) == said
    x = keras.Input((2,), name="x")
    rows = ph.Feed({"x": np.zeros((3, 2)), "y": [0.0, 1, 2]}, inputs="x", heads={"y": ph.Regression()})
    with pytest.raises(ph.ContractError) as error:
        ph.predict(keras.Model(x, keras.layers.Dense(1, name="y")(x)), rows, tta=2)
    assert str(error.value) == (
        "predict(tta=): expected an image among the inputs, got none. "
        "Leave it out: views are mirrored and scaled images."
    )


SHARED = """
import keras, numpy as np, polyhead as ph
keras.distribution.set_distribution(keras.distribution.DataParallel())
image = np.arange(5 * 4, dtype="float32").reshape(5, 2, 2, 1) / 20
data = {"image": image, "a": np.zeros(5)}
feed = ph.Feed(data, inputs={"image": ph.Image(2, 2, 1)}, heads={"a": ph.Regression()}, batch_size=4)
x = keras.Input((2, 2, 1), name="image")
model = keras.Model(x, {"a": keras.layers.GlobalAveragePooling2D(name="a")(x)})
for rows in (5, 1):
    some = {name: values[:rows] for name, values in data.items()}
    table = ph.predict(model, some, declaration=feed.declaration, batch_size=4, tta=2)
    print(np.allclose(table["a"], image[:rows].mean((1, 2, 3))))
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="a distribution of JAX")
def test_a_last_batch_that_the_devices_cannot_share():
    printed = programs.run(SHARED, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert printed.splitlines()[-2:] == ["True", "True"]
