"""What becomes of labels when rows are mixed: by head, with their weights; and what is refused, with its remedy."""

import keras
import numpy as np
import pytest
from keras import ops
from kind_checks import encoded, message, refusal, resolved

import polyhead as ph
from polyhead.kinds import Head
from polyhead.kinds.keras_metrics import AUC, BinaryAccuracy
from polyhead.kinds.mixed_labels import BLEND, PATCH, Mixing, choose

QUARTER = Mixing(np.array([[0.25], [0.75]]))
"""One row of two, a quarter of the first."""

FOUR = Mixing(
    np.full((4, 1), 0.25),
    (4, 6),
    np.array([[0, 0, 3, 2], [3, 0, 6, 2], [0, 2, 3, 4], [3, 2, 6, 4]])[:, None],
    np.array([[0, 0], [3, 0], [-3, 0], [1, 1]])[:, None],
)

PASTED = Mixing(
    np.array([[0.75], [0.25]]),
    (8, 8),
    np.array([[0, 0, 8, 8], [4, 0, 8, 4]])[:, None],
    np.zeros((2, 1, 2), int),
)


def mixed(head, mixing, labels, weights=None):
    labels = np.array(labels, "float32")[:, None]
    weights = None if weights is None else np.array(weights, "float32")[:, None]
    found, weight, _ = head.mix(labels, weights, mixing)
    assert found.dtype == np.float32
    assert found.shape == labels.shape[1:]
    return found[0].tolist(), None if weight is None else weight[0].tolist()


# The mean -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "labels", "weights", "expected"),
    [
        (ph.Binary(), [[1], [0]], None, ([0.25], None)),
        (ph.Binary(), [[1], [0]], [1, 1], ([0.25], 1.0)),
        (ph.Binary(), [[1], [0]], [1, 0], ([1.0], 0.25)),  # the second has no label
        (ph.Binary(), [[1], [0]], [3, 1], ([0.5], 1.5)),  # the first counts three times
        (ph.Binary(), [[1], [1]], [0, 0], ([0.0], 0.0)),  # none has one
        (ph.MultiLabel(2), [[1, 0], [1, 1]], None, ([1.0, 0.75], None)),
        (ph.MultiLabel(2, elementwise=True), [[1, 0], [0, 1]], [[1, 0], [1, 1]], ([0.25, 1.0], [1.0, 0.75])),
        (ph.Categorical(3, one_hot=True), [[1, 0, 0], [0, 0, 1]], [1, 1], ([0.25, 0, 0.75], 1.0)),
        (ph.Regression(), [[8], [4]], [1, 1], ([5.0], 1.0)),
        (ph.Regression((2, 2)), [[[8, 8]] * 2, [[0, 4]] * 2], [[1], [1]], ([[2.0, 5.0]] * 2, [1.0])),
        (
            ph.Regression((1, 2), elementwise=True),
            [[[8, 8]], [[0, 4]]],
            [[[1, 0]], [[1, 1]]],
            ([[2.0, 4.0]], [[1, 0.75]]),
        ),
    ],
)
def test_labels_are_means_by_share_and_weight(head, labels, weights, expected):
    assert head.mixable(BLEND) == head.weight_shape
    assert mixed(head, QUARTER, labels, weights) == expected


@pytest.mark.parametrize("head", [ph.Binary(), ph.MultiLabel(1), ph.Categorical(2, one_hot=True)])
def test_labels_of_whole_rows_go_by_the_area(head):
    assert head.mixable(PATCH) == head.weight_shape == ()
    labels = np.zeros((4, *head.shape))
    labels[2] = 1
    found, weight = mixed(head, FOUR, labels, [1, 1, 1, 0])
    np.testing.assert_allclose(found, 1 / 3, rtol=1e-6)
    assert weight == 0.75


def test_a_row_that_is_not_mixed_keeps_its_label_to_the_last_bit():
    rng = np.random.default_rng(0)
    alone = Mixing(np.repeat([[1.0], [0.0]], 50, 1))
    labels, weights = rng.normal(size=(2, 50, 3)).astype("float32"), rng.random((2, 50)).astype("float32")
    found, weight, _ = ph.Regression(3).mix(labels, weights, alone)
    assert np.array_equal(found, labels[0])
    assert np.array_equal(weight, weights[0])
    pixels = rng.integers(0, 256, (2, 50, 3, 3, 3)).astype("uint8")
    assert np.array_equal(alone.image(pixels), pixels[0])
    assert np.array_equal(alone.image(pixels / np.float32(255)), pixels[0] / np.float32(255))


def test_ones_stay_ones():
    shares = np.random.default_rng(0).random(10_000)
    found, *_ = ph.Binary().mix(
        np.ones((2, 10_000, 1), "float32"), None, Mixing(np.stack([shares, 1 - shares]))
    )
    assert np.array_equal(np.unique(found), [1])
    white = Mixing(np.stack([shares, 1 - shares])).image(np.ones((2, 10_000, 1), "float32"))
    assert white.max() <= 1


# Masks ----------------------------------------------------------------------------------------------


def test_masks_are_cut_as_images_are_and_their_weights_with_them():
    ids = np.arange(4 * 4 * 6).reshape(4, 1, 4, 6).astype("int32")
    weights = np.array([1, 2, 0, 1], "float32").reshape(4, 1, 1, 1)
    head = ph.Mask(96, size=(4, 6))
    assert (head.mixable(PATCH), head.weight_shape) == ((4, 6), (1, 1))
    found, weight, _ = head.mix(ids, weights, FOUR)
    assert found.dtype == np.int32
    assert found[0].tolist() == [
        [0, 1, 2, 24, 25, 26],
        [6, 7, 8, 30, 31, 32],
        [63, 64, 65, 80, 81, 82],
        [69, 70, 71, 86, 87, 88],
    ]
    assert weight[0].tolist() == [[1, 1, 1, 2, 2, 2]] * 2 + [[0, 0, 0, 1, 1, 1]] * 2


def test_binary_masks_are_laid_over_each_other():
    labels = np.zeros((2, 1, 2, 2, 1), "float32")
    labels[1] = 1
    weights = np.ones((2, 1, 2, 2), "float32")
    weights[1, 0, 0, 0] = 0  # a pixel without a label
    found, weight, _ = ph.Mask(size=(2, 2), missing=255).mix(labels, weights, QUARTER)
    assert found[0, ..., 0].tolist() == [[0, 0.75], [0.75, 0.75]]
    assert weight[0].tolist() == [[0.25, 1], [1, 1]]
    assert ph.Mask(size=(2, 2)).mixable(BLEND) == (1, 1)


# Boxes ----------------------------------------------------------------------------------------------


def boxes(mixing, *parts, weights=None, room=2, **options):
    head = ph.Boxes(room, **{"overflow": "first", **options})
    labels = np.zeros((len(parts), 1, room, 4), "float32")
    there = np.zeros((len(parts), 1, room), "float32")
    for k, part in enumerate(parts):
        labels[k, 0, : len(part)] = np.reshape(part, (-1, 4))
        there[k, 0, : len(part)] = 1 if weights is None else weights[k]
    found, weight, places = head.mix(labels, there, mixing)
    assert found.dtype == weight.dtype == np.float32
    return found[0].tolist(), weight[0].tolist(), places[0].tolist()


def test_boxes_of_both_rows_stand_beside_each_other():
    found = boxes(QUARTER, [[0, 0, 2, 2]], [[1, 1, 3, 3]], weights=[2, 1], room=3)
    assert found == ([[0, 0, 2, 2], [1, 1, 3, 3], [0] * 4], [0.5, 0.75, 0], [0, 3, -1])


@pytest.mark.parametrize(
    ("box", "seen"),
    [
        ([0, 0, 3, 3], [0, 0, 3, 3]),  # beside the pasted part
        ([2, 1, 6, 3], [2, 1, 4, 3]),  # its right side is hidden
        ([5, 2, 7, 6], [5, 4, 7, 6]),  # its upper side
        ([2, 2, 6, 6], [2, 2, 6, 6]),  # a corner: the box round the rest is the same
        ([4, 0, 8, 8], [4, 4, 8, 8]),
        ([0, 0, 8, 2], [0, 0, 4, 2]),
        ([5, 1, 7, 3], None),  # all of it
        ([4, 0, 8, 4], None),
        ([4, 1, 8, 4.2], None),  # nearly all of it
    ],
)
def test_a_box_behind_a_pasted_part_shrinks_to_what_is_seen(box, seen):
    found, weight, places = boxes(PASTED, [box], [])
    assert (found[0], weight[0], places[0]) == ((seen, 1, 0) if seen else ([0] * 4, 0, -1))


@pytest.mark.parametrize(
    ("box", "seen"),
    [([5, 1, 7, 3], [5, 1, 7, 3]), ([2, 2, 6, 6], [4, 2, 6, 4]), ([0, 0, 4, 4], None), ([0, 5, 8, 8], None)],
)
def test_a_box_of_the_pasted_part_is_cut_to_it(box, seen):
    found, weight, places = boxes(PASTED, [], [box])
    assert (found[0], weight[0], places[0]) == ((seen, 1, 2) if seen else ([0] * 4, 0, -1))


def test_least_shares_of_boxes_that_are_kept():
    half = [[3, 0, 5, 2]]
    assert boxes(PASTED, half, [], min_visible=0.5)[2] == [0, -1]
    assert boxes(PASTED, half, [], min_visible=0.51)[2] == [-1, -1]
    corner = [[2, 2, 6, 6]]  # three quarters are seen
    assert boxes(PASTED, corner, [], min_visible=0.75)[2] == [0, -1]
    assert boxes(PASTED, corner, [], min_visible=0.76)[2] == [-1, -1]


def test_boxes_of_quarters_move_with_them():
    found = boxes(FOUR, [[1, 0, 5, 1]], [[0, 0, 2, 2]], [[3, 2, 6, 4]], [[3, 2, 4, 3]], room=5, min_visible=0)
    assert found[0] == [[1, 0, 3, 1], [3, 0, 5, 2], [0, 2, 3, 4], [4, 3, 5, 4], [0] * 4]
    assert found[2] == [0, 5, 10, 15, -1]


def test_boxes_in_shares_of_the_image():
    found, weight, _ = boxes(PASTED, [[0.25, 0.125, 0.75, 0.375]], [], normalized=True)
    assert (found[0], weight[0]) == ([0.25, 0.125, 0.5, 0.375], 1)
    # float32 rounds 1/3 up, so a sliver of the box is left above the pasted part
    thirds = Mixing(
        np.array([[2 / 3], [1 / 3]]), (9, 9), np.array([[[0, 0, 9, 9]], [[0, 0, 9, 3]]]), PASTED.shifts
    )
    assert boxes(thirds, [[0, 0, 1, 1 / 3]], [], normalized=True, min_visible=0)[2] == [-1, -1]
    side = Mixing(
        np.array([[2 / 3], [1 / 3]]), (9, 9), np.array([[[0, 0, 9, 9]], [[0, 0, 6, 3]]]), PASTED.shifts
    )
    found, _, _ = boxes(side, [[0, 0, 2 / 3, 1]], [], normalized=True)
    assert found[0] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_points_and_lines_as_boxes():
    assert boxes(PASTED, [[2, 2, 2, 2]], [[5, 1, 5, 1]])[2] == [0, 2]
    assert boxes(PASTED, [[5, 1, 5, 1]], [[2, 2, 2, 2]])[2] == [-1, -1]
    assert boxes(PASTED, [[2, 2, 6, 2]], [])[0][0] == [2, 2, 4, 2]


def test_more_boxes_than_there_is_room_for():
    three = [[0, 0, 1, 1], [0, 0, 3, 3]], [[0, 0, 4, 4], [0, 0, 2, 2]]
    whole = Mixing(np.array([[0.5], [0.5]]))
    assert boxes(whole, *three)[2] == [0, 1]
    assert boxes(whole, *three, overflow="largest")[2] == [1, 2]
    assert boxes(Mixing(np.array([[0.9], [0.1]])), *three, overflow="largest")[2] == [1, 2]
    assert boxes(Mixing(np.array([[0.99], [0.01]])), *three, overflow="largest")[2] == [0, 1], (
        "a box that is hardly seen makes no room for itself"
    )


def test_places_are_chosen_in_their_order():
    kept = np.array([[False, True, True, True], [False] * 4, [True, False, False, False]])
    assert choose(kept, 2).tolist() == [[1, 2], [-1, -1], [0, -1]]
    assert choose(kept, 2, np.array([[9, 1, 2, 3]] * 3)).tolist() == [[2, 3], [-1, -1], [0, -1]]
    assert choose(kept, 6).tolist() == [[1, 2, 3, -1, -1, -1], [-1] * 6, [0, *[-1] * 5]]


# One-hot --------------------------------------------------------------------------------------------


def test_classes_as_one_hot_labels():
    head = resolved(ph.Categorical(one_hot=True), ["cat", None, "dog", "cat"])
    labels, there = encoded(head, ["cat", None, "dog", "cat"])
    assert labels.tolist() == [[1, 0], [0, 0], [0, 1], [1, 0]]
    assert there.tolist() == [True, False, True, True]
    assert (head.shape, head.output_shape, head.dtype, head.names) == ((2,), (2,), "float32", ("cat", "dog"))
    assert encoded(head, ["dog"])[0].tolist() == [[0, 1]]
    assert head.describe(labels, there) == "cat 66.7%, dog 33.3%"
    assert message(head.encode, ["cow"]) == (
        "head `h`, row 0: expected one of ['cat', 'dog'], got 'cow'. "
        "Name it among the classes, or say Categorical(missing='cow') if it means \"no label\"."
    )
    assert repr(ph.Categorical(3, one_hot=True)) == "Categorical(3, one_hot=True)"


def test_one_hot_classes_weigh_as_ids_do():
    column = [0, 0, 0, 1, None]
    for weights in ("balanced", {1: 3.0}):
        found = []
        for one_hot in (False, True):
            head = ph.Categorical(2, class_weight=weights, one_hot=one_hot)
            feed = ph.Feed({"x": np.zeros(5), "y": column}, inputs="x", heads={"y": head})
            found.append(feed.peek()[2]["y"].tolist())
        assert found[0] == found[1]
        assert found[0][-1] == 0


def test_one_hot_classes_have_a_loss_and_an_accuracy_of_their_own():
    head = ph.Categorical(2, one_hot=True)
    assert isinstance(head.default_loss(False), keras.losses.CategoricalCrossentropy)
    accuracy = head.default_metrics(False)[0]
    accuracy.update_state(np.array([[0.6, 0.4], [0.1, 0.9]]), np.array([[0.8, 0.2], [0.7, 0.3]]))
    assert float(accuracy.result()) == 0.5


def test_accuracy_of_labels_between_0_and_1():
    true, pred = np.array([[0.7], [0.3], [0.0], [1.0]]), np.array([[0.9], [0.2], [0.9], [0.8]])
    own, plain = BinaryAccuracy(name="accuracy"), keras.metrics.BinaryAccuracy()
    own.update_state(true, pred)
    plain.update_state(true, pred)
    assert (float(own.result()), float(plain.result())) == (0.75, 0.25)
    hard = [keras.metrics.BinaryAccuracy(threshold=0.3), BinaryAccuracy(threshold=0.3)]
    for metric in hard:
        metric.update_state(np.round(true), pred, np.array([[1.0], [2.0], [0.0], [1.0]]))
    assert float(hard[0].result()) == float(hard[1].result()) == 1.0
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(own))
    assert isinstance(again, BinaryAccuracy)


@pytest.mark.once  # tests of metrics by name compare it with that of Keras on every backend
def test_auc_of_labels_between_0_and_1():
    true, pred = np.array([[0.7], [0.3], [0.0], [1.0]]), np.array([[0.9], [0.2], [0.4], [0.4]])
    own, plain = AUC(), keras.metrics.AUC()
    own.update_state(true, pred)
    assert float(own.result()) == 0.875  # three pairs are in order, and one is a draw
    own.update_state(true[-1:], pred[-1:] * np.nan)
    assert float(own.result()) == pytest.approx(3.5 / 6)  # NaN counts as the smallest prediction
    rng = np.random.default_rng(5)
    pred, weight = rng.random((60, 1)), rng.random(60)
    pred[:5, 0] = 0, 1, 100 / 199, -0.1, 1.1  # the ends, a threshold of Keras's, and no probabilities
    true = rng.random((60, 1)) < pred
    own = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(AUC(name="area")))
    for metric in (own, plain):
        metric.update_state(true, pred)
        metric.update_state(~true[:9], pred[:9], weight[:9])
    assert float(own.result()) == pytest.approx(float(plain.result()), rel=1e-6)
    assert own.name == "area"


# What it means for a loss ----------------------------------------------------------------------------

RNG = np.random.default_rng(1)
ROWS, KINDS = 6, 4


def values(loss, labels, pred):
    """The values of a loss, one a row."""
    found = ops.convert_to_numpy(loss.call(ops.convert_to_tensor(labels), ops.convert_to_tensor(pred)))
    return found.reshape(len(labels), -1).mean(-1)


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("components", [2, 4])
@pytest.mark.parametrize("head", [ph.Binary(), ph.MultiLabel(KINDS), ph.Categorical(KINDS, one_hot=True)])
def test_a_cross_entropy_is_that_of_the_components_by_their_shares(head, components, logits):
    shares = RNG.dirichlet(np.ones(components), ROWS).T
    labels = RNG.integers(0, 2, (components, ROWS, *head.shape)).astype("float32")
    if isinstance(head, ph.Categorical):
        labels = np.eye(KINDS, dtype="float32")[RNG.integers(0, KINDS, (components, ROWS))]
    weights = RNG.integers(0, 3, (components, ROWS)).astype("float32")
    found, weight, _ = head.mix(labels, weights, Mixing(shares))
    pred = RNG.normal(size=(ROWS, *head.shape)).astype("float32")
    if not logits:
        pred = (
            np.exp(pred) / np.exp(pred).sum(-1, keepdims=True)
            if pred.shape[-1] > 1
            else 1 / (1 + np.exp(pred))
        )
    loss = head.default_loss(logits)
    apart = sum(s * w * values(loss, part, pred) for s, w, part in zip(shares, weights, labels, strict=True))
    np.testing.assert_allclose(weight * values(loss, found, pred), apart, rtol=2e-5, atol=1e-6)


def test_a_squared_error_is_so_up_to_what_no_prediction_changes():
    head, shares = ph.Regression(3), RNG.dirichlet(np.ones(2), ROWS).T
    labels, weights = RNG.normal(size=(2, ROWS, 3)).astype("float32"), RNG.random((2, ROWS)).astype("float32")
    found, weight, _ = head.mix(labels, weights, Mixing(shares))
    differences = []
    for _ in range(3):
        pred = RNG.normal(size=(ROWS, 3)).astype("float32")
        loss = head.default_loss(False)
        apart = sum(
            s * w * values(loss, part, pred) for s, w, part in zip(shares, weights, labels, strict=True)
        )
        differences.append(apart - weight * values(loss, found, pred))
    np.testing.assert_allclose(differences[1:], [differences[0]] * 2, rtol=1e-4, atol=1e-5)
    assert (differences[0] > 1e-3).any()


# What is refused -------------------------------------------------------------------------------------

DATA = {
    "image": np.zeros((4, 8, 8, 3), "uint8"),
    "facts": np.zeros((4, 2)),
    "counts": np.arange(4),
    "mask": np.zeros((4, 8, 8), "uint8"),
    "box": [[[0, 0, 1, 1]]] * 4,
    "points": np.zeros((4, 2, 2)),
    "vector": np.eye(4),
    "kind": [0, 1, 2, 1],
    "odd": [0, 1, 0, 1],
}


def feed(augment, heads, inputs=None):
    inputs = {"image": ph.Image()} if inputs is None else inputs
    return ph.Feed(DATA, inputs=inputs, heads=heads, augment=augment)


MIX = "expected labels that can be mixed, got"
LEAVE = "Leave the augmentation out, or the head."


@pytest.mark.parametrize(
    ("augment", "name", "head", "words"),
    [
        (
            ph.MixUp(),
            "kind",
            ph.Categorical(3),
            f"{MIX} class ids: between two of them lies another class. Say ph.Categorical(one_hot=True).",
        ),
        (
            ph.Mosaic(),
            "kind",
            ph.Categorical(3),
            f"{MIX} class ids: between two of them lies another class. Say ph.Categorical(one_hot=True).",
        ),
        (
            ph.CutMix(),
            "facts",
            ph.Regression(2),
            f"{MIX} numbers of whole rows, which do not go by the area that is seen. "
            "Use ph.MixUp, or leave the head out.",
        ),
        (
            ph.MixUp(),
            "vector",
            ph.Embedding(4),
            f"{MIX} vectors whose direction counts: between two of them lies another one. {LEAVE}",
        ),
        (
            ph.MixUp(),
            "mask",
            ph.Mask(3),
            f"{MIX} a class id in each pixel: between two ids lies another class. "
            "Use ph.CutMix or ph.Mosaic, which cut masks, or ph.Mask(multi=True).",
        ),
        (
            ph.Mosaic(),
            "box",
            ph.Boxes(7),
            'expected overflow="largest" or "first", as the boxes of several rows come together, got '
            'overflow="raise". Say ph.Boxes(7, overflow="largest").',
        ),
        (
            ph.CutMix(),
            "points",
            ph.Keypoints(2),
            f"{MIX} one set of points a row, which has no room for another. {LEAVE}",
        ),
        (
            ph.MixUp(),
            "odd",
            ph.Binary(loss="hinge"),
            "expected a loss that reads labels between 0 and 1, as mixed ones are, got hinge. "
            "Give a cross-entropy, or leave the loss out.",
        ),
        (
            ph.MixUp(),
            "mask",
            ph.Mask(loss=keras.losses.SquaredHinge()),
            "expected a loss that reads labels between 0 and 1, as mixed ones are, got SquaredHinge. "
            "Give a cross-entropy, or leave the loss out.",
        ),
    ],
)
def test_heads_that_cannot_be_mixed(augment, name, head, words):
    assert refusal(feed, [augment], {name: head}) == f"head `{name}`, augment={augment!r}: {words}"


def test_a_kind_that_does_not_say_how_is_refused():
    class Own(ph.Binary):
        mixable = Head.mixable

    assert refusal(feed, [ph.MixUp()], {"odd": Own()}) == (
        f"head `odd`, augment=MixUp(0.2): {MIX} a Own, which does not say how. {LEAVE}"
    )


@pytest.mark.parametrize(
    ("augment", "inputs", "words"),
    [
        (
            ph.CutMix(),
            {"image": ph.Image(), "facts": ph.Array()},
            "input `facts`, augment=CutMix(1.0): expected an input that can be mixed, got numbers that have no place "
            "in the image. Use ph.MixUp, or ph.Image for what lies in the image as its pixels do.",
        ),
        (
            ph.MixUp(),
            {"counts": ph.Array()},
            "input `counts`, augment=MixUp(0.2): expected an input that can be mixed, got whole numbers, whose mean is "
            'none. Say ph.Array(dtype="float32") if they are quantities.',
        ),
        (
            ph.Mosaic(),
            {"facts": ph.Array()},
            "Feed(augment=), Mosaic(): expected an image among the inputs, got none. "
            "Use ph.MixUp for numbers, or declare an input as ph.Image.",
        ),
    ],
)
def test_inputs_that_cannot_be_mixed(augment, inputs, words):
    assert refusal(feed, [augment], {"odd": ph.Binary()}, inputs) == words


def test_all_that_cannot_be_mixed_is_named_at_once():
    heads = {"kind": ph.Categorical(3), "points": ph.Keypoints(2), "odd": ph.Binary()}
    found = refusal(feed, [ph.MixUp(), ph.Mosaic()], heads).splitlines()
    assert found[0] == "4 problems:"
    assert [line.split(":")[0].split(". ")[1] for line in found[1:]] == [
        "head `kind`, augment=MixUp(0.2)",
        "head `points`, augment=MixUp(0.2)",
        "head `kind`, augment=Mosaic()",
        "head `points`, augment=Mosaic()",
    ]


def test_what_mixes_rows_comes_last():
    assert refusal(feed, [ph.MixUp(), ph.Flip()], {"odd": ph.Binary()}) == (
        "Feed(augment=): expected augmentations that mix rows after all others, got Flip() after MixUp(0.2). "
        "Put MixUp(0.2) last: each row is augmented by itself, and then mixed."
    )


def test_rows_that_come_in_one_order_are_not_mixed():
    def batches():
        yield np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32")

    source = ph.from_generator(batches, length=4, names=("facts", "odd"))
    with pytest.raises(ph.ContractError) as caught:
        ph.Feed(source, inputs="facts", heads={"odd": ph.Binary()}, augment=[ph.MixUp()])
    assert str(caught.value) == (
        "Feed(augment=), MixUp(0.2): expected rows that are read in any order, got rows in one order. "
        "Mix rows in the generator itself, or give arrays, a table or a ph.Source."
    )
