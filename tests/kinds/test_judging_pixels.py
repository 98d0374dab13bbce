"""Metrics of masks, maps and keypoints, against scikit-learn and sums written out."""

import numpy as np
import pytest
from sklearn import metrics as sk

import polyhead as ph
from polyhead.kinds.judging import EachJudge, HeadBatch

pytestmark = pytest.mark.once

RNG = np.random.default_rng(5)
ROWS, SIZE = 12, (4, 5)


def judged(head, labels, outputs, weights, size=None, **others):
    heads = {"y": head, **{name: one for name, (one, _) in others.items()}}
    one = head.judge("y", heads, size)
    answers = {"y": HeadBatch.of(head, labels, outputs, weights)}
    answers |= {name: answer for name, (_, answer) in others.items()}
    items = one.items_of(answers)
    found = one.metrics(items, items["weight"][None])
    return {name: values[0] for name, values in found.items()}, items


def test_mask_of_classes():
    labels = RNG.integers(0, 3, (ROWS, *SIZE)).astype(np.int32)
    outputs = RNG.dirichlet(np.ones(3), (ROWS, *SIZE))
    weights = RNG.random((ROWS, *SIZE)) * (RNG.random((ROWS, 1, 1)) > 0.3)
    found, items = judged(ph.Mask(["sky", "road", "car"], size=SIZE, missing=255), labels, outputs, weights)
    flat = labels.ravel(), outputs.argmax(-1).ravel()
    w = {"sample_weight": weights.ravel()}
    iou = sk.jaccard_score(*flat, average=None, **w)
    dice = sk.f1_score(*flat, average=None, **w)
    expected = {"iou": iou.mean(), "dice": dice.mean(), "pixel_accuracy": sk.accuracy_score(*flat, **w)}
    for i, name in enumerate(("sky", "road", "car")):
        expected |= {f"iou[{name}]": iou[i], f"dice[{name}]": dice[i]}
    assert found == pytest.approx(expected)
    assert items["row"].tolist() == np.flatnonzero(weights.any((1, 2))).tolist()


@pytest.mark.parametrize("multi", [False, True])
def test_binary_masks(multi):
    channels = 2 if multi else 1
    head = ph.Mask(channels, multi=multi, size=SIZE)
    labels = (RNG.random((ROWS, *SIZE, channels)) > 0.5).astype(np.float32)
    outputs = RNG.random((ROWS, *SIZE, channels))
    weights = RNG.random((ROWS, 1, 1))
    found, _ = judged(head, labels, outputs, weights)
    w = np.broadcast_to(weights, (ROWS, *SIZE)).ravel()
    both = (
        [labels[..., i].ravel() for i in range(channels)],
        [outputs[..., i].ravel() >= 0.5 for i in range(channels)],
    )
    iou = [sk.jaccard_score(a, b, sample_weight=w) for a, b in zip(*both, strict=True)]
    dice = [sk.f1_score(a, b, sample_weight=w) for a, b in zip(*both, strict=True)]
    assert found["iou"] == pytest.approx(np.mean(iou))
    assert found["dice"] == pytest.approx(np.mean(dice))
    assert ("iou[1]" in found) == multi


def test_map():
    labels, outputs = RNG.random((2, ROWS, *SIZE, 1)) + 0.5
    weights = (RNG.random((ROWS, *SIZE)) > 0.4).astype(float)
    labels[weights == 0] = 0  # as a map has it where no number is known
    found, _ = judged(ph.Map(size=SIZE), labels, outputs, weights)
    there = weights.ravel() > 0
    a, b = labels.ravel()[there], outputs.ravel()[there]
    assert found == pytest.approx(
        {
            "mae": sk.mean_absolute_error(a, b),
            "rmse": sk.root_mean_squared_error(a, b),
            "delta_1": np.mean(np.maximum(a / b, b / a) < 1.25),
        }
    )


def test_a_map_with_zeros_is_no_depth():
    labels = np.zeros((2, *SIZE, 1))
    found, _ = judged(ph.Map(size=SIZE), labels, labels + 1, np.ones((2, 1, 1)))
    assert found == {"mae": 1.0, "rmse": 1.0}


def test_keypoints_of_normalized_coordinates_are_measured_in_pixels():
    labels = np.array([[[0.1, 0.1], [0.3, 0.5]]])  # of an image 100 wide and 50 high: (10, 5), (30, 25)
    outputs = np.array([[[0.11, 0.1], [0.3, 0.7]]])  # 1 pixel to the right, and 10 down
    head = ph.Keypoints(2, normalized=True)
    found, _ = judged(head, labels, outputs, np.ones((1, 2)), (50, 100))
    area = 0.53 * 20 * 20
    oks = np.mean(np.exp(-np.array([1.0, 100]) / (8 * area * 0.05**2)))
    expected = {"distance": 5.5, "pck": 0.5, "pck[0]": 1.0, "pck[1]": 0.0, "oks": oks}
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_keypoints_without_label_do_not_count():
    labels, outputs = RNG.random((2, ROWS, 3, 2)) * 10
    weights = (RNG.random((ROWS, 3)) > 0.3).astype(float)
    found, items = judged(ph.Keypoints(3), labels, outputs, weights, (10, 10))
    distance = np.linalg.norm(labels - outputs, axis=-1)
    assert found["distance"] == pytest.approx(np.average(distance, weights=weights))
    assert items["row"].tolist() == np.flatnonzero(weights.any(1)).tolist()


def test_one_point_is_measured_by_the_image():
    labels, outputs = np.array([[[5.0, 5]]]), np.array([[[5.0, 5.9]]])
    found, _ = judged(ph.Keypoints(1), labels, outputs, np.ones((1, 1)), (10, 8))
    assert found["pck"] == 1.0
    assert found["oks"] == pytest.approx(np.exp(-(0.9**2) / (8 * 0.53 * 100 * 0.05**2)))
    found, _ = judged(ph.Keypoints(1), labels, outputs, np.ones((1, 1)))
    assert found == pytest.approx({"distance": 0.9})


@pytest.mark.parametrize("scored", [True, False])
def test_oks_as_pycocotools_has_it(scored):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labels = RNG.random((30, 17, 2)) * 60
    outputs = labels + RNG.normal(size=labels.shape) * RNG.choice([0.5, 3, 8], (30, 1, 1))
    seen = (RNG.random((30, 17)) > 0.3).astype(float)
    there = (np.arange(30) % 5 > 0) | (not scored)  # where there is no object, any that is predicted is wrong
    scores = RNG.permutation(30)[:, None] / 30 if scored else np.ones((30, 1))
    head, given = ph.Keypoints(17, given="there" if scored else None), ph.Binary()
    beside = given, HeadBatch.of(given, there[:, None].astype(float), scores, None)
    found, items = judged(head, labels, outputs, seen * there[:, None], (60, 60), there=beside)

    truth, said = [], []
    for i in range(30):
        some = labels[i][seen[i] > 0]
        low, high = some.min(0), some.max(0)
        full = np.c_[labels[i], 2 * seen[i]].ravel().tolist()
        common = {"image_id": i, "category_id": 1, "id": i + 1, "bbox": [*low, *(high - low)]}
        area = 0.53 * float((high - low).prod())
        one = {"keypoints": full, "num_keypoints": int(seen[i].sum()), "area": area, "iscrowd": 0}
        truth += [{**common, **one}] * int(there[i])
        full = np.c_[outputs[i], np.ones(17)].ravel().tolist()
        said.append({**common, "keypoints": full, "score": scores[i, 0], "area": area})
    tools = []
    for objects in (truth, said):
        one = COCO()
        one.dataset = {
            "images": [{"id": i} for i in range(30)],
            "categories": [{"id": 1}],
            "annotations": objects,
        }
        one.createIndex()
        tools.append(one)
    coco = COCOeval(*tools, "keypoints")
    coco.params.areaRng = [coco.params.areaRng[0]]
    coco.params.areaRngLbl = ["all"]
    coco.evaluate()
    coco.accumulate()
    precision = coco.eval["precision"][:, :, 0, 0, 0]  # levels, recalls
    similar = [coco.ious[i, 1].item() for i in np.flatnonzero(there)]
    expected = {"oks": np.mean(similar), "oks_ap": precision.mean(), "oks_ap_50": precision[0].mean()}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    distance = np.linalg.norm(labels - outputs, axis=-1)
    assert found["distance"] == pytest.approx(np.average(distance, weights=seen * there[:, None]))
    errors = head.judge("y", {"y": head}, None).details(items)["errors"]
    np.testing.assert_allclose(
        errors, np.where(seen * there[:, None] > 0, distance, np.nan)
    )  # those of other points are of no label


def test_each_box_has_a_label_of_its_own():
    heads = ph.Feed(
        {
            "x": np.zeros(2),
            "box": [[[0, 0, 1, 1]], [[0, 0, 1, 1], [1, 1, 2, 2]]],
            "kind": [["a"], ["b", "a"]],
        },
        inputs="x",
        heads={"box": ph.Boxes(2), "kind": ph.Categorical(each="box")},
    ).heads
    one = heads["kind"].judge("kind", heads, None)
    assert isinstance(one, EachJudge)
    labels, weights = np.array([[0, 0], [1, 0]]), np.array([[1.0, 0], [1, 1]])
    outputs = np.array([[[0.9, 0.1], [0.9, 0.1]], [[0.6, 0.4], [0.7, 0.3]]])
    items = one.items_of({"kind": HeadBatch.of(heads["kind"], labels, outputs, weights)})
    assert items["row"].tolist() == [0, 1, 1]
    assert one.metrics(items, items["weight"][None])["accuracy"].tolist() == pytest.approx([2 / 3])
