"""Mean average precision against pycocotools, on random boxes with classes, crowds and rows that nobody annotated."""

import contextlib
import io

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds import for_boxes
from polyhead.kinds.judging import HeadBatch

pytestmark = pytest.mark.once

PLACES, CLASSES = 5, 3


def heads(classes=CLASSES, crowd=True, given=None):
    found = {"box": ph.Boxes(PLACES, given=given), "there": ph.Binary(each="box", column="box")}
    if classes:
        found["kind"] = ph.Categorical([f"c{i}" for i in range(classes)], each="box")
    if crowd:
        found["box: crowd"] = ph.Binary(each="box", column="crowd")
    if given:
        found[given] = ph.Binary()
    return for_boxes(found)


def random_boxes(rng, shape):
    corner = rng.integers(0, 12, (*shape, 2))
    return np.concatenate([corner, corner + rng.integers(1, 9, (*shape, 2))], -1).astype(np.float64)


def random_set(rng):
    """Labels and outputs of some rows; scores with ties, boxes near labeled ones, some rows without annotation."""
    rows = int(rng.integers(1, 9))
    count = rng.integers(-1, PLACES + 1, rows)  # -1: nobody looked
    weights = (np.arange(PLACES) < count[:, None]).astype(float)
    labels = random_boxes(rng, (rows, PLACES)) * weights[..., None]
    labels[count < 0] = -1
    near = labels + rng.integers(-1, 2, labels.shape)
    outputs = np.where(rng.random((rows, PLACES, 1)) < 0.7, near, random_boxes(rng, (rows, PLACES)))
    outputs[..., 2:] = np.maximum(outputs[..., 2:], outputs[..., :2] + 0.5)
    known = np.broadcast_to((count >= 0).astype(float)[:, None], weights.shape)
    kind = rng.integers(0, CLASSES, (rows, PLACES))
    said = np.where(rng.random(kind.shape) < 0.8, kind, rng.integers(0, CLASSES, kind.shape))
    shares = np.eye(CLASSES)[said]
    scores = np.round(rng.random((rows, PLACES, 1)), 1)
    crowd = (rng.random((rows, PLACES, 1)) < 0.2) * weights[..., None]
    return {
        "box": (labels, outputs, weights),
        "there": (weights[..., None], scores, known),
        "kind": (kind * weights.astype(int), shares, weights),
        "box: crowd": (crowd, crowd, weights),
    }


def pycocotools(arrays):
    """AP at 0.5:0.95 and at 0.5, and by class, of the same boxes."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labels, outputs, weights = arrays["box"]
    truth, said = [], []
    known = arrays["there"][2][:, 0] > 0
    for row in np.flatnonzero(known).tolist():
        for place in range(PLACES):
            boxes = labels[row, place], outputs[row, place]
            kinds = arrays["kind"][0][row, place], arrays["kind"][1][row, place].argmax()
            for objects, box, kind in zip((truth, said), boxes, kinds, strict=True):
                if objects is truth and not weights[row, place]:
                    continue
                sides = (box[2:] - box[:2]).tolist()
                objects.append(
                    {
                        "id": len(objects) + 1,
                        "image_id": row,
                        "category_id": int(kind),
                        "bbox": [*box[:2].tolist(), *sides],
                        "area": sides[0] * sides[1],
                        "iscrowd": int(objects is truth and arrays["box: crowd"][0][row, place, 0]),
                        "score": float(arrays["there"][1][row, place, 0]),
                    }
                )
    tools = []
    for objects in (truth, said):
        one = COCO()
        one.dataset = {
            "images": [{"id": row} for row in np.flatnonzero(known).tolist()],
            "categories": [{"id": i} for i in range(CLASSES)],
            "annotations": objects,
        }
        tools.append(one)
    with contextlib.redirect_stdout(io.StringIO()):
        for one in tools:
            one.createIndex()
        coco = COCOeval(*tools, "bbox")
        coco.params.areaRng, coco.params.areaRngLbl = coco.params.areaRng[:1], ["all"]
        coco.params.maxDets = [100]
        coco.evaluate()
        coco.accumulate()
    found = coco.eval["precision"][..., 0, 0]  # levels, recalls, classes

    def mean(values):
        return values[values > -1].mean() if (values > -1).any() else np.nan

    return [mean(found), mean(found[0]), *(mean(found[..., i]) for i in range(CLASSES))]


def judged(arrays, kinds, counts=None):
    one = kinds["box"].judge("box", kinds, None)
    answers = {name: HeadBatch.of(kinds[name], *some) for name, some in arrays.items() if name in kinds}
    items = one.items_of(answers)
    counts = np.ones((1, len(arrays["box"][0]))) if counts is None else counts
    found = one.metrics(items, counts[:, items["row"]] * items["weight"])
    return {name: values[0] for name, values in found.items()}, items


@pytest.mark.parametrize(
    "seeds",
    [
        range(60),
        pytest.param(range(60, 400), marks=pytest.mark.slow),
        pytest.param(range(400, 1000), marks=pytest.mark.full),
    ],
)
def test_map_is_that_of_pycocotools(seeds):
    kinds = heads()
    met = 0
    for seed in seeds:
        arrays = random_set(np.random.default_rng(seed))
        found, _ = judged(arrays, kinds)
        names = ["map", "map_50", *(f"ap[c{i}]" for i in range(CLASSES))]
        np.testing.assert_allclose(
            [found[name] for name in names], pycocotools(arrays), atol=1e-9, err_msg=str(seed)
        )
        met += found["map"] > 0
    assert met > len(seeds) / 2


def test_rows_that_count_twice_are_two_rows():
    kinds = heads()
    arrays = random_set(np.random.default_rng(7))
    rows = len(arrays["box"][0])
    counts = np.random.default_rng(1).integers(0, 3, rows)
    again = {name: tuple(np.repeat(one, counts, axis=0) for one in some) for name, some in arrays.items()}
    expected, _ = judged(again, kinds)
    found, _ = judged(arrays, kinds, counts[None].astype(float))
    assert found["iou"] == pytest.approx(expected["iou"])
    assert found["map"] == pytest.approx(expected["map"], abs=0.02)  # equal scores come in another order


def test_a_row_without_boxes_counts_as_much_as_its_weight():
    """Rows with integer weights count like so many rows, also those where every predicted box is wrong."""
    weights = np.array([0, 2, 1, 3])
    box = [[], [[0.0, 0, 4, 4]], [], [[2.0, 2, 6, 6]]]
    outputs = np.array([[[0.0, 0, 4, 4]], [[0, 0, 4, 4]], [[1, 1, 3, 3]], [[9, 9, 12, 12]]])
    scores = np.array([0.9, 0.6, 0.8, 0.7]).reshape(-1, 1, 1)

    def evaluated(rows, **more):
        x = {name: keras.Input(one.shape[1:], name=name) for name, one in (("b", outputs), ("s", scores))}
        layers = {"box": keras.layers.Identity(name="box"), "there": keras.layers.Identity(name="there")}
        model = keras.Model(x, {"box": layers["box"](x["b"]), "there": layers["there"](x["s"])})
        heads = {"box": ph.Boxes(1, sample_weight=next(iter(more), None))}
        heads["there"] = ph.Binary(each="box", column="box")
        data = {"b": outputs[rows], "s": scores[rows], "box": [box[row] for row in rows], **more}
        inputs = {name: ph.Array() for name in x}
        found = ph.evaluate(model, ph.Feed(data, inputs=inputs, heads=heads), intervals=None)["box"]
        return found.rows, {name: one.value for name, one in found.items()}

    rows, found = evaluated(np.arange(4), weight=weights.astype(float))
    # of 5 labels, 2 are found, after 1 + 3 wrong boxes
    assert found == pytest.approx({"map": 41 / 101 * 2 / 6, "map_50": 41 / 101 * 2 / 6, "iou": 2 / 5})
    assert rows == 3
    assert found == pytest.approx(evaluated(np.repeat(np.arange(4), weights))[1])
    assert evaluated(np.arange(4), weight=weights[:, None])[1] == pytest.approx(found)


def test_what_is_predicted_at_a_box_of_weight_zero_is_neither_right_nor_wrong():
    kinds = for_boxes({"box": ph.Boxes(2), "there": ph.Binary(each="box", column="box")})
    box, scores = np.array([[[0.0, 0, 2, 2], [4, 4, 6, 6]]]), np.array([[[0.5], [0.9]]])
    for weight in (0.0, 1e-3, 1.0):
        arrays = {"box": (box, box, np.array([[1.0, weight]])), "there": (np.ones((1, 2, 1)), scores, None)}
        assert judged(arrays, kinds)[0] == pytest.approx({"map": 1.0, "map_50": 1.0, "iou": 1.0})


@pytest.mark.parametrize("other", ["pet", "there"])
def test_labels_of_other_heads_that_do_not_count_leave_the_boxes(other):
    kinds = for_boxes(
        {"box": ph.Boxes(1, given="pet"), "pet": ph.Binary(), "there": ph.Binary(each="box", column="box")}
    )
    box = np.array([[[0.0, 0, 2, 2]], [[0, 0, 2, 2]]])
    said, ones = np.array([[[0.0, 0, 2, 2]], [[4, 4, 6, 6]]]), np.ones((2, 1))
    arrays = {
        "box": (box, said, ones),
        "pet": (ones, ones, ones[:, 0]),
        "there": (ones[..., None], ones[..., None], ones),
    }
    expected, _ = judged(arrays, kinds)
    found, _ = judged({**arrays, other: (*arrays[other][:2], 0 * arrays[other][2])}, kinds)
    assert found == expected
    assert found["iou"] == 0.5


def test_without_classes_and_presence():
    kinds = for_boxes({"box": ph.Boxes(2)})
    labels = np.array([[[0.0, 0, 2, 2], [4, 4, 6, 6]], [[0, 0, 2, 2], [0, 0, 0, 0]]])
    outputs = np.array([[[0.0, 0, 2, 2], [4, 4, 6, 6]], [[0, 0, 2, 2], [7, 7, 9, 9]]])
    found, _ = judged({"box": (labels, outputs, np.array([[1.0, 1], [1, 0]]))}, kinds)
    assert found == pytest.approx({"map": 1.0, "map_50": 1.0, "iou": 1.0})


def test_what_is_given_says_where_there_is_nothing():
    kinds = for_boxes({"box": ph.Boxes(1, given="pet"), "pet": ph.Binary()})
    box = np.array([[[0.0, 0, 2, 2]], [[0, 0, 2, 2]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]])
    said = np.broadcast_to(np.array([0.0, 0, 2, 2]), box.shape)
    pet, known = np.array([[1.0], [1], [0], [0]]), np.array([1.0, 1, 1, 0])
    for scores, expected in (([0.9, 0.8, 0.1, 0.95], 1.0), ([0.9, 0.8, 0.95, 0.1], 2 / 3)):
        arrays = {
            "box": (box, said, np.array([[1.0], [1], [0], [0]])),
            "pet": (pet, np.array(scores)[:, None], known),
        }
        found, items = judged(arrays, kinds)
        assert found["map"] == pytest.approx(expected)
        assert found["iou"] == 1.0
    # nothing is there, and the model is sure that there is something
    losses = {
        int(row): float(loss) for row, loss in zip(items["row"], items["loss"], strict=True) if loss == loss
    }
    assert losses == pytest.approx({0: 0.1, 1: 0.2, 2: 0.95})


def test_rows_with_a_box_whose_class_is_missing_do_not_count_for_map():
    arrays = random_set(np.random.default_rng(14))
    rows = len(arrays["box"][0])
    there = arrays["box"][2]
    row = int(np.flatnonzero(there.any(1))[0])
    labels, shares, weights = arrays["kind"]
    weights = weights.copy()
    weights[row] = 0
    found, _ = judged({**arrays, "kind": (labels, shares, weights)}, heads())
    kept = np.delete(np.arange(rows), row)
    expected, _ = judged({name: tuple(one[kept] for one in some) for name, some in arrays.items()}, heads())
    assert found["map"] == pytest.approx(expected["map"])


def test_of_many_boxes_the_surest_hundred_count():
    count = 130
    kinds = for_boxes({"box": ph.Boxes(count), "there": ph.Binary(each="box", column="box")})
    boxes = np.zeros((1, count, 4))
    boxes[0, :, 0] = np.arange(count) * 3
    boxes[0, :, 2:] = boxes[0, :, :2] + 2
    ones = np.ones((1, count))
    arrays = {"box": (boxes, boxes, ones), "there": (ones[..., None], ones[..., None], ones)}
    _, items = judged(arrays, kinds)
    assert (items["sort"] == 0).sum() == 100
