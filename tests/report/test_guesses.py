"""Predictions beside labels: where they lie, and which rows come first."""

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.report.drawn_views import VIEWS

SIDE = 64
TRUE = [[8.0, 8, 24, 24], [30, 10, 60, 50], [5, 5, 40, 60], [20, 20, 50, 50]]
TOLD = [[8.0, 8, 24, 24], [30, 10, 60, 50], [5, 5, 40, 60], [0, 0, 10, 10]]


@pytest.fixture(scope="module")
def feed():
    rng = np.random.default_rng(0)
    # images twice as large as the model gets them, and the answers as an input, for a model that only passes them on
    data = {
        "image": rng.integers(0, 256, (4, 2 * SIDE, 2 * SIDE, 3), dtype=np.uint8),
        "answer": np.hstack([TOLD, [[5], [-5], [5], [5]], [[1], [2], [3], [4]]]),
        "box": [[[2 * v for v in box]] for box in TRUE],
        "kind": ["<dog>", "<dog>", "<dog>", "cat"],
        "age": [1.0, 2.0, 9.0, 4.0],
    }
    heads = {"box": ph.Boxes(1), "kind": ph.Categorical(["cat", "<dog>"]), "age": ph.Regression()}
    inputs = {"image": ph.Image(SIDE, SIDE), "answer": ph.Array()}
    return ph.Feed(data, inputs=inputs, heads=heads, augment=[ph.Flip(p=1.0)], batch_size=2)


@pytest.fixture(scope="module")
def predictions(feed):
    image, answer = keras.Input((SIDE, SIDE, 3), name="image"), keras.Input((6,), name="answer")
    seen = answer + 0 * keras.ops.mean(image, axis=(1, 2, 3))[:, None]  # each input has to lead to an output
    box = keras.layers.Reshape((1, 4), name="box")(seen[:, :4])
    kind = keras.layers.Softmax(name="kind")(keras.ops.concatenate([0 * seen[:, 4:5], seen[:, 4:5]], axis=1))
    age = keras.layers.Identity(name="age")(seen[:, 5:])
    model = keras.Model([image, answer], {"box": box, "kind": kind, "age": age})
    return ph.predict(model, feed)


def test_the_largest_loss_comes_first(feed, predictions):
    seen = feed.preview(predictions=predictions)
    losses = {sample.row: sample.loss for sample in seen.samples}
    assert [sample.row for sample in seen.samples] == sorted(losses, key=losses.get, reverse=True)
    # 0 is right; of 1 the class is wrong, of 2 the number, of 3 box and class
    right = 1 / (1 + np.exp(-5))
    spread = np.std([1, 2, 9, 4])
    expected = [(1 - right) / 3, right / 3, (1 - right + 6 / spread) / 3, (1 + right) / 3]
    np.testing.assert_allclose([losses[i] for i in range(4)], expected, atol=1e-5)
    some = feed.preview(predictions=predictions, rows={"kind": "<dog>"}, n=2)
    assert [sample.row for sample in some.samples] == [2, 1]


def test_predictions_lie_on_the_original_images(feed, predictions):
    seen = feed.preview(predictions=predictions, rows=[3, 1])
    assert [sample.row for sample in seen.samples] == [3, 1]
    for sample in seen.samples:
        assert sample.sizes == {"image": (2 * SIDE, 2 * SIDE)}
        assert np.array_equal(sample.inputs["image"], feed.source.read([sample.row])["image"][0])
        twice = 2 * np.array([TRUE[sample.row], TOLD[sample.row]])
        np.testing.assert_allclose(sample.labels["box"].value[0], twice[0], atol=1e-4)
        np.testing.assert_allclose(sample.guess.labels["box"].value[0], twice[1], atol=1e-4)
    assert seen.html.count('class="mark box guess"') == 2
    assert "predicted: &lt;dog&gt; 99%" in seen.html


def test_a_part_of_the_rows_is_matched_by_their_ids(feed, predictions):
    seen = feed.preview(predictions=predictions[2:], n=9)
    assert sorted(sample.row for sample in seen.samples) == [2, 3]
    part = feed.on(feed.source.select([3, 0]))
    assert [sample.row for sample in part.preview(predictions=predictions).samples] == [3, 0]


def test_what_is_no_prediction_is_an_error(feed, predictions):
    with pytest.raises(ph.ContractError) as error:
        feed.preview(predictions={"kind": []})
    expected = "expected what ph.predict returns, with the heads box, kind, age, got {'kind': []}."
    assert str(error.value) == f"preview(predictions=): {expected}"
    other = feed.on(feed.source.select([0, 1]))
    with pytest.raises(ph.ContractError) as error:
        other.preview(predictions=predictions[2:])
    expected = "expected predictions of rows of this feed, got the ids 2, 3, none of which it has."
    assert str(error.value) == f"preview(predictions=): {expected}"


def difference(head, label, guess, scores=None, same=None):
    from polyhead.report.samples import Label

    view = VIEWS[head.layer or head.view]("name", head, 0, (0, 0, 0))
    view.image_size = (10, 10)
    one, other = (np.asarray(value, head.dtype) for value in (label, guess))
    counts = [np.ones(head.weight_shape, bool)] * 2
    return view.difference(Label(one, counts[0]), Label(other, counts[1]), scores or {}, same)


@pytest.mark.parametrize(
    ("head", "label", "guess", "options", "expected"),
    [
        (ph.Binary(), [1], [0], {"scores": {0: 0.25}}, 0.75),
        (ph.Categorical(["a", "b"]), 1, 1, {"scores": {0: 0.75}}, 0.25),
        (ph.Categorical(["a", "b"]), 1, 0, {"scores": {0: 0.75}}, 0.75),
        (ph.MultiLabel(["a", "b", "c"]), [1, 1, 0], [1, 0, 1], {}, 2 / 3),
        (ph.Regression(), [3], [5], {}, 2.0),
        (ph.Mask(2, size=(1, 4)), [[0, 1, 1, 0]], [[0, 1, 0, 0]], {}, 0.25),
        (ph.Boxes(2), [[0, 0, 4, 4], [6, 6, 8, 8]], [[6, 6, 8, 8], [0, 0, 4, 2]], {}, 0.25),
        (
            ph.Boxes(2),
            [[0, 0, 4, 4], [6, 6, 8, 8]],
            [[6, 6, 8, 8], [0, 0, 4, 4]],
            {"same": np.array([[True, False], [False, False]])},
            1.0,
        ),
        (ph.Keypoints(2), [[0, 0], [5, 5]], [[0, 0], [5, 7]], {}, 0.1),
    ],
)
def test_how_far_a_prediction_is(head, label, guess, options, expected):
    assert difference(head, label, guess, **options) == pytest.approx(expected)


@pytest.mark.parametrize("shares", [{"normalized": True}, {"column_normalized": True}], ids=str)
@pytest.mark.parametrize("kind", ["boxes", "points"])
def test_predictions_of_labels_in_shares_lie_in_the_image(kind, shares):
    image = np.zeros((2, 2 * SIDE, SIDE, 3), np.uint8)
    place, head = ([0.25, 0.5, 0.75, 1.0], ph.Boxes(1, **shares))
    if kind == "points":
        place, head = ([[0.25, 0.5], [0.75, 1.0]], ph.Keypoints(2, **shares))
    data = {"image": image, "place": [place, place]}
    feed = ph.Feed(data, inputs={"image": ph.Image(SIDE, SIDE)}, heads={"place": head}, batch_size=2)
    x = keras.Input((SIDE, SIDE, 3), name="image")
    label = feed.peek()[1]["place"][0]
    right = keras.layers.Dense(label.size, kernel_initializer="zeros")
    model = keras.Model(x, keras.layers.Reshape(label.shape, name="place")(right(keras.layers.Flatten()(x))))
    right.bias.assign(label.reshape(-1))
    seen = feed.preview(predictions=ph.predict(model, feed))
    for sample in seen.samples:
        assert sample.loss < 1e-4
        found, told = (one.labels["place"].value for one in (sample, sample.guess))
        np.testing.assert_allclose(np.asarray(told)[..., :2], np.asarray(found)[..., :2], atol=1e-3)


@pytest.mark.parametrize(
    ("head", "held"),
    [
        (ph.Mask(values=(0, 255)), (0, 255)),
        (ph.Mask(["a", "b", "c"], values=(10, 20, 30), missing=0), (10, 20)),
        (
            ph.Mask(["a", "b"], values=[(255, 0, 0), (0, 255, 0)], missing=(0, 0, 0)),
            ((255, 0, 0), (0, 255, 0)),
        ),
    ],
    ids=["black and white", "numbers", "colors"],
)
def test_predicted_masks_are_class_ids_whatever_the_column_holds(head, held):
    inside = np.zeros((2, SIDE, SIDE), bool)
    inside[:, 8:40, 8:40] = True
    mask = np.asarray(held, np.uint8)[inside.astype(int)]
    data = {"image": np.zeros((2, SIDE, SIDE, 3), np.uint8), "mask": mask}
    feed = ph.Feed(data, inputs={"image": ph.Image(SIDE, SIDE)}, heads={"mask": head}, batch_size=2)
    channels = feed.heads["mask"].output_shape[-1]
    bias = keras.initializers.Constant([9.0] if channels == 1 else np.eye(channels)[1] * 9)
    options = {"kernel_initializer": "zeros", "bias_initializer": bias, "name": "mask"}
    x = keras.Input((SIDE, SIDE, 3), name="image")
    activation = "sigmoid" if channels == 1 else "softmax"
    model = keras.Model(x, {"mask": keras.layers.Conv2D(channels, 1, activation=activation, **options)(x)})
    seen = feed.preview(predictions=ph.predict(model, feed))
    for sample in seen.samples:
        assert (sample.guess.labels["mask"].value == 1).all()
        assert sample.loss == pytest.approx(1 - inside.mean())


@pytest.mark.parametrize("fit", ["contain", "stretch"])
@pytest.mark.parametrize(
    "head",
    [ph.Mask(values=(0, 100), missing=255), ph.Mask(2, values=(0, 100), missing=255)],
    ids=["binary", "classes"],
)
def test_predicted_masks_beside_pixels_without_a_label(head, fit):
    """A prediction has a class in each pixel of the original, and none in the bars beside it."""
    mask = np.zeros((1, 8, 16), np.uint8)
    mask[:, :4], mask[:, :, :4] = 100, 255
    data = {"image": np.zeros((1, 8, 16, 3), np.uint8), "mask": mask}
    feed = ph.Feed(data, inputs={"image": ph.Image(16, 16, fit=fit)}, heads={"mask": head})
    bias = keras.initializers.Constant(9.0 if head.binary else [0.0, 9.0])
    channels, activation = (1, "sigmoid") if head.binary else (2, "softmax")
    x = keras.Input((16, 16, 3), name="image")
    options = {"kernel_initializer": "zeros", "bias_initializer": bias, "name": "mask"}
    model = keras.Model(x, keras.layers.Conv2D(channels, 1, activation=activation, **options)(x))
    (sample,) = feed.preview(predictions=ph.predict(model, feed)).samples
    true, guess = sample.labels["mask"], sample.guess.labels["mask"]
    assert guess.value.shape[:2] == true.value.shape[:2] == (8, 16)
    assert guess.valid.all()
    assert (guess.value == 1).all()
    assert true.valid.mean() == 0.75
    assert sample.loss == pytest.approx(0.5)


def test_rows_whose_ids_are_not_distinct_are_paired_by_their_place_or_not_at_all():
    data = {"x": np.arange(4.0), "age": np.arange(4.0), "id": [1, 2, 1, 2]}
    feed = ph.Feed(data, inputs="x", heads={"age": ph.Regression()}, batch_size=4)
    x = keras.Input((1,), name="x")
    predictions = ph.predict(keras.Model(x, {"age": keras.layers.Identity(name="age")(x)}), feed)
    assert [sample.loss for sample in feed.preview(predictions=predictions).samples] == [0, 0, 0, 0]
    with pytest.raises(ph.ContractError) as refused:
        feed.on(feed.source.select([0, 1, 2])).preview(predictions=predictions)
    assert str(refused.value) == (
        "preview(predictions=): expected ids that differ, by which predictions find their rows, got 2 that occur "
        "twice. Predict the rows of this feed, in their order, or give the column `id` other values."
    )
