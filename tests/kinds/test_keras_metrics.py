"""What heads give to Keras: losses, metrics and output layers, on the backend in use."""

import json

import keras
import numpy as np
import pytest
from kind_checks import refusal

import polyhead as ph
from polyhead.kinds import for_boxes
from polyhead.kinds.keras_metrics import BoxIoU, MaskIoU

RNG = np.random.default_rng(3)


def value(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


# IoU -----------------------------------------------------------------------------------------------


def boxes(count):
    low = RNG.random((count, 3, 2)) * 4
    return np.concatenate([low, low + RNG.random((count, 3, 2)) * 4], axis=2).astype(np.float32)


def one_iou(a, b):
    sides = [max(0.0, min(a[2 + i], b[2 + i]) - max(a[i], b[i])) for i in (0, 1)]
    inter = sides[0] * sides[1]
    union = sum((max(c[2] - c[0], 0) * max(c[3] - c[1], 0)) for c in (a, b)) - inter
    return inter / union if union else 0.0


@pytest.mark.parametrize("weighted", [None, "rows", "boxes"])
def test_box_iou(weighted):
    metric, total, count = BoxIoU(), 0.0, 0.0
    for size in (5, 2):
        true, pred = boxes(size), boxes(size)
        pred[0, 0] = true[0, 0]
        pred[1, 0] = pred[1, 0][[2, 3, 0, 1]]  # turned: its area is none
        true[1, 1] = 0
        weight = RNG.random((size, 3)).astype(np.float32) * (RNG.random((size, 3)) > 0.3)
        weight = {None: np.ones((size, 3)), "rows": np.repeat(weight[:, :1], 3, 1), "boxes": weight}[weighted]
        given = {None: None, "rows": weight[:, 0], "boxes": weight}[weighted]
        metric.update_state(true, pred, given)
        for row, place in np.ndindex(size, 3):
            total += weight[row, place] * one_iou(true[row, place].tolist(), pred[row, place].tolist())
            count += weight[row, place]
    assert value(metric.result()) == pytest.approx(total / count, rel=1e-5)


def test_box_iou_of_right_boxes_is_one_and_of_none_is_zero():
    metric = BoxIoU()
    assert value(metric.result()) == 0
    true = boxes(4)
    metric.update_state(true, true)
    assert value(metric.result()) == pytest.approx(1)


def plain_mask_iou(batches, classes):
    inter, union = np.zeros(classes), np.zeros(classes)
    for true, pred, weight in batches:
        for c in range(classes):
            both = (true[c] & pred[c]) * weight[c]
            either = (true[c] | pred[c]) * weight[c]
            inter[c] += both.sum()
            union[c] += either.sum()
    seen = union > 0
    return (inter[seen] / union[seen]).mean() if seen.any() else 0.0


def weights_of(shape):
    """Weights as they may be, among them 0, or none."""
    return None if shape is None else RNG.choice([0, 0.3, 1, 9], shape).astype(np.float32)


def spread(weight, shape):
    """A weight for each place of a shape, whose first axes the weights have."""
    weight = np.ones(1) if weight is None else weight
    return np.broadcast_to(weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim)), shape)


@pytest.mark.parametrize("weights", [None, (4,), (4, 1, 1), (4, 3, 5)])
@pytest.mark.parametrize("logits", [False, True])
def test_iou_of_masks_of_ids(weights, logits):
    metric, batches = MaskIoU(classes=4, multi=False, from_logits=logits), []
    for _ in range(2):
        true = RNG.integers(0, 3, (4, 3, 5)).astype(np.int32)
        scores = RNG.normal(size=(4, 3, 5, 4)).astype(np.float32)
        scores[..., 3] = -9
        weight = weights_of(weights)
        metric.update_state(true, scores, weight)
        pred = scores.argmax(-1)
        given = spread(weight, true.shape)
        batches.append(([true == c for c in range(4)], [pred == c for c in range(4)], [given] * 4))
    assert value(metric.result()) == pytest.approx(plain_mask_iou(batches, 4), rel=1e-5)


@pytest.mark.parametrize("weights", [None, (4,), (4, 1, 1), (4, 3, 5), (4, 3, 5, 1), "channels"])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
def test_iou_of_binary_masks(weights, logits, channels):
    true = RNG.integers(0, 2, (4, 3, 5, channels)).astype(np.float32)
    pred = RNG.normal(size=true.shape).astype(np.float32)
    pred = pred if logits else 1 / (1 + np.exp(-pred))
    weight = weights_of(true.shape if weights == "channels" else weights)
    metric = MaskIoU(classes=channels, multi=True, from_logits=logits)
    metric.update_state(true, pred, weight)
    cut = pred > (0 if logits else 0.5)
    each = np.moveaxis(spread(weight, true.shape), -1, 0)
    expected = plain_mask_iou(
        [([true[..., c] == 1 for c in range(channels)], [cut[..., c] for c in range(channels)], each)],
        channels,
    )
    assert value(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_mask_iou_starts_again():
    metric = MaskIoU(classes=1)
    assert value(metric.result()) == 0
    metric.update_state(np.ones((1, 2, 2, 1)), np.ones((1, 2, 2, 1)))
    assert value(metric.result()) == 1
    metric.reset_state()
    assert value(metric.result()) == 0


# Every head ----------------------------------------------------------------------------------------

N = 6
IDS = RNG.integers(0, 3, (N, 4, 4))
VECTORS = RNG.normal(size=(N, 3))
CORNERS = boxes(N) / 8
HEADS = {
    "binary": (ph.Binary(), np.arange(N) % 2),
    "categorical": (ph.Categorical(3), np.arange(N) % 3),
    "multilabel": (ph.MultiLabel(3, elementwise=False), np.arange(N * 3).reshape(N, 3) % 2),
    "regression": (ph.Regression(2, elementwise=False), VECTORS[:, :2]),
    "grid": (ph.Regression((2, 3), elementwise=False), RNG.normal(size=(N, 2, 3))),
    "embedding": (ph.Embedding(3), VECTORS),
    "mask": (ph.Mask(size=(4, 4)), IDS % 2),
    "ids": (ph.Mask(3, size=(4, 4)), IDS),
    "channels": (ph.Mask(2, multi=True, size=(4, 4)), np.stack([IDS % 2, IDS // 2], -1)),
    "boxes": (ph.Boxes(3), CORNERS * 8),
    "boxes01": (ph.Boxes(3, normalized=True), CORNERS),
    "points": (ph.Keypoints(3), RNG.random((N, 3, 2)) * 9),
}
every_head = pytest.mark.parametrize(("head", "column"), HEADS.values(), ids=HEADS)


def perfect(head, labels, logits=False):
    """Predictions that could not be better."""
    if head.dtype == "int32":
        labels = np.eye(head.output_shape[-1])[labels]
    classes = bool(head.probabilities)
    return (labels * 40.0 - 20.0 if logits and classes else labels).astype(np.float32)


@pytest.mark.few(6)
@every_head
@pytest.mark.parametrize("logits", [False, True])
def test_the_loss_is_least_for_perfect_predictions(head, column, logits):
    labels, _ = head.encode(column)
    loss = head.default_loss(logits)
    best = value(loss(labels, perfect(head, labels, logits)))
    lowest = -1.0 if isinstance(head, ph.Embedding) else 0.0
    assert best == pytest.approx(lowest, abs=1e-5)
    other, _ = head.encode(
        np.roll(column, 1, axis=0) if not isinstance(head, ph.Regression) else column[::-1]
    )
    assert value(loss(labels, perfect(head, other, logits))) > best + 1e-3


@every_head
def test_the_loss_has_a_value_for_each_weight(head, column):
    labels, _ = head.encode(column)
    values = head.default_loss(False).call(
        keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(perfect(head, labels))
    )
    weights = (N, *head.weight_shape)
    assert len(values.shape) == len(weights)
    np.broadcast_shapes(tuple(values.shape), weights)


@pytest.mark.few(6)
@every_head
@pytest.mark.parametrize("logits", [False, True])
def test_metrics_of_perfect_predictions_heed_weights_and_can_be_saved(head, column, logits):
    labels, _ = head.encode(column)
    right = perfect(head, labels, logits)
    wrong = perfect(head, head.encode(np.roll(column, 1, axis=0))[0], logits)
    half = np.arange(N) < N // 2
    mixed = np.where(half.reshape((-1,) + (1,) * (right.ndim - 1)), right, wrong)
    weight = np.broadcast_to(half.reshape((-1,) + (1,) * len(head.weight_shape)), (N, *head.weight_shape))
    metrics = head.default_metrics(logits)
    assert len({m.name for m in metrics}) == len(metrics) > 0
    for metric in metrics:
        best = 0.0 if metric.name == "mae" else 1.0
        metric.update_state(labels, mixed, weight.astype(np.float32))
        assert value(metric.result()) == pytest.approx(best, abs=1e-5)
        config = keras.saving.serialize_keras_object(metric)
        again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()
        again.update_state(labels, wrong)
        metric.reset_state()
        metric.update_state(labels, wrong)
        assert value(again.result()) == value(metric.result()) != pytest.approx(best, abs=1e-3)


def test_output_layers_fit_their_heads():
    heads = {name: head for name, (head, _) in HEADS.items()}
    image = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(5, 3, strides=4, padding="same")(image)
    outputs = ph.outputs(features, heads)
    assert {name: tuple(out.shape[1:]) for name, out in outputs.items()} == {
        name: head.output_shape for name, head in heads.items()
    }
    model = keras.Model(image, outputs)
    found = {
        n: keras.ops.convert_to_numpy(v) for n, v in model(RNG.random((N, 8, 8, 3)).astype("float32")).items()
    }
    for name in ("binary", "multilabel", "mask", "channels", "boxes01"):
        assert ((found[name] > 0) & (found[name] < 1)).all()
    for name in ("categorical", "ids"):
        np.testing.assert_allclose(found[name].sum(-1), 1, atol=1e-5)
    for name, (head, column) in HEADS.items():
        labels, _ = head.encode(column)
        assert np.isfinite(value(head.default_loss(False)(labels, found[name])))


def test_outputs_are_positive_for_each_head_whose_loss_needs_that():
    declared = {
        "box": ph.Boxes(2),
        "count": ph.Regression(loss="poisson"),
        "map": ph.Map(size=(8, 8), loss="poisson"),
        "parts": ph.Regression(each="box", loss="poisson"),
        "points": ph.Keypoints(3, each="box", normalized=True),
        "plain": ph.Map(size=(8, 8)),
    }
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, ph.outputs(image, for_boxes(declared)))
    found = model.predict(RNG.normal(size=(64, 8, 8, 3)), verbose=0)
    assert {name for name, output in found.items() if output.min() > 0} == {"count", "map", "parts", "points"}
    assert found["points"].max() < 1 < found["parts"].max()


def test_output_layers_on_vectors_and_sequences():
    heads = {name: head for name, (head, _) in HEADS.items() if not isinstance(head, ph.Mask)}
    for shape in ((7,), (5, 7)):
        outputs = ph.outputs(keras.Input(shape), heads)
        assert {n: tuple(o.shape[1:]) for n, o in outputs.items()} == {
            n: h.output_shape for n, h in heads.items()
        }


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((7,), "a feature map (B, h, w, c) of known size, got features of shape (None, 7)."),
        (
            (None, None, 7),
            "a feature map (B, h, w, c) of known size, got features of shape (None, None, None, 7).",
        ),
        ((3, 3, 7), "a feature map whose size divides the mask's, (4, 4), got (3, 3)."),
        ((8, 8, 7), "a feature map whose size divides the mask's, (4, 4), got (8, 8)."),
    ],
)
def test_features_that_cannot_carry_a_mask(shape, words):
    message = refusal(ph.outputs, keras.Input(shape), {"m": ph.Mask(size=(4, 4))})
    assert message == f"outputs(), head `m`: expected {words}"
