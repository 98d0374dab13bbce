"""The examples run, learn, and feed what the generators beside them feed, on the backend of this process."""

import importlib
import itertools
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import polyhead as ph

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CASES = {
    "binary_and_value": ("bought", "price"),
    "classes_and_features": ("tree", "mixed"),
    "two_masks": ("disc", "square"),
    "presence_and_box": ("presence", "box"),
}


BACKEND = keras.backend.backend()


def first_steps(bar, *also):
    """An example that is trained to its bar on one backend takes its first steps on others, on all in `test-all`."""
    skip = pytest.mark.skipif(bar == BACKEND, reason=f"trained to its bar on {bar}")
    return skip if BACKEND in also else lambda test: skip(pytest.mark.full(test))


@pytest.fixture(autouse=True)
def _import_from_examples(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])


def example(name):
    return importlib.import_module(name)


def columns_without_holes(name):
    module = example(name)
    if name == "classes_and_features":
        return module.data(90)
    if name == "presence_and_box":
        return module.data(90, missing=0.0, empty=0.0)
    return module.data(90, missing=0.0)


@pytest.mark.parametrize("name", CASES)
def test_batches_are_those_of_the_hand_written_generator_where_nothing_is_missing(name):
    module, heads = example(name), CASES[name]
    columns = columns_without_holes(name)
    plain = {"class_weight": None} if name == "classes_and_features" else {}
    feed = module.feed(columns, batch_size=40, shuffle=False, **plain)
    by_hand = list(itertools.islice(module.by_hand(columns, batch_size=40), len(feed)))
    ours = list(feed)
    assert [len(y[heads[0]]) for _, y, *_ in ours] == [40, 40, 10]
    for (x, y, *weights), (hand_x, hand_y) in zip(ours, by_hand, strict=True):
        (only_input,) = x.values()
        np.testing.assert_array_equal(only_input, hand_x, strict=True)
        for head, hand in zip(heads, hand_y, strict=True):
            np.testing.assert_array_equal(y[head], hand, strict=True)
        for weight in weights:
            assert all((w == 1).all() for w in weight.values())


@pytest.mark.parametrize("name", ["binary_and_value", "two_masks", "presence_and_box"])
def test_what_is_missing_weighs_nothing_and_is_finite(name):
    module, heads = example(name), CASES[name]
    columns = module.data(60)
    feed = module.feed(columns, batch_size=60, shuffle=False)
    ((_, y, weights),) = list(feed)
    for head in heads:
        there = np.array([v is not None and not np.isnan(v).any() for v in columns[head]])
        if head == "box":
            there &= np.array([bool(p) for p in columns["presence"]])
        assert 0 < there.sum() < 60
        np.testing.assert_array_equal(weights[head].reshape(60, -1).any(1), there)
        assert np.isfinite(y[head]).all()


OTHERS = {
    "jax": ("binary_and_value", "two_masks"),
    "tensorflow": ("classes_and_features", "presence_and_box"),
}


@first_steps("torch", "jax", "tensorflow")
@pytest.mark.parametrize(
    "name",
    [n if n in OTHERS.get(BACKEND, ()) else pytest.param(n, marks=pytest.mark.full) for n in CASES],
)
def test_an_example_takes_its_first_steps(name):
    history, found = example(name).main(epochs=1)
    for head in CASES[name]:
        assert np.isfinite(
            [history[f"{head}_loss"], history[f"val_{head}_loss"], [found[f"{head}_loss"]]]
        ).all()


def losses_fall(history, heads):
    for head in heads:
        for name in (f"{head}_loss", f"val_{head}_loss"):
            first, last = history[name][0], history[name][-1]
            assert last < 0.8 * first, f"{name}: {history[name]}"


@pytest.mark.once
def test_binary_and_value_learns_more_than_a_constant():
    module = example("binary_and_value")
    history, found = module.main(epochs=6)
    losses_fall(history, CASES["binary_and_value"])
    price = module.data()["price"][800:]
    assert found["bought_accuracy"] > 0.9  # a constant gets about one half
    assert found["price_mae"] < 0.5 * np.nanmean(abs(price - np.nanmedian(price)))


@pytest.mark.once
def test_classes_and_features_learns_more_than_a_constant():
    module = example("classes_and_features")
    history, found = module.main(epochs=6)
    losses_fall(history, CASES["classes_and_features"])
    mixed = module.data()["mixed"][800:]
    assert found["tree_accuracy"] > 0.8  # weighed by class, a constant gets one fifth
    assert found["mixed_mae"] < 0.5 * np.mean(abs(mixed - np.median(mixed, axis=0)))


@pytest.mark.once
def test_two_masks_learns_more_than_a_constant():
    module = example("two_masks")
    history, found = module.main()
    losses_fall(history, CASES["two_masks"])
    # a mask of ones everywhere gets the share of the mask's pixels, at most 0.11
    assert found["disc_iou"] > 0.5
    assert found["square_iou"] > 0.5


@pytest.mark.once
def test_presence_and_box_learns_more_than_a_constant():
    module = example("presence_and_box")
    history, found = module.main(epochs=8)
    losses_fall(history, CASES["presence_and_box"])
    boxes = module.data()["box"]
    mean = np.mean([box for box in boxes[:800] if box is not None], axis=0)
    constant = [iou(mean, box) for box in boxes[800:] if box is not None]
    assert found["presence_accuracy"] > 0.9
    assert found["box_iou"] > 1.2 * np.mean(constant)


def iou(a, b):
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def test_canvases_are_the_same_for_a_seed_and_labeled_as_promised():
    canvases = example("canvases")
    train, test = canvases.draw(400, 80, seed=3)
    again, _ = canvases.draw(400, 80, seed=3)
    other, _ = canvases.draw(400, 80, seed=4)
    np.testing.assert_array_equal(train["image"], again["image"])
    assert not np.array_equal(train["image"], other["image"])
    assert train["present"].mean() == test["present"].mean() == 0.75
    for name in ("digit", "box", "mask"):
        assert all(
            label is None for label, there in zip(train[name], train["present"], strict=True) if not there
        )
        assert [label is not None for label in test[name]] == test["present"].tolist()
    for name in ("box", "mask"):
        missing = np.mean([train[name][i] is None for i in np.flatnonzero(train["present"])])
        assert missing == pytest.approx(0.3, abs=0.07)
    for box, mask in zip(test["box"], test["mask"], strict=True):
        if mask is not None:
            left, top, right, bottom = np.rint(box * 64).astype(int)
            assert mask[top:bottom, left:right].sum() == mask.sum()
            for edge in (mask[top, :], mask[bottom - 1, :], mask[:, left], mask[:, right - 1]):
                assert edge.any()


def test_no_digit_for_testing_is_drawn_for_training(monkeypatch):
    canvases = example("canvases")
    drawn = []
    monkeypatch.setattr(canvases, "_canvases", lambda images, labels, *rest: drawn.append(images) or {})
    canvases.draw(1, 1)
    train, test = ({image.tobytes() for image in images} for images in drawn)
    assert len(drawn[0]) + len(drawn[1]) == 1797
    assert len(train & test) == 0


def digits_demo(capsys, **size):
    """What the demo finds; its table is looked at."""
    found = example("digits").main(**size)
    printed = capsys.readouterr().out
    assert list(found) == ["present_accuracy", "digit_accuracy", "box_iou", "mask_iou"]
    assert all(0 <= value <= 1 for pair in found.values() for value in pair)
    for text in ("75.0% labeled", "-> output `box` (1, 4)", "polyhead", "by hand", "mask_iou"):
        assert text in printed
    return found


@first_steps("torch", "jax")
def test_digits_demo_takes_its_first_steps_and_prints_its_table(capsys):
    digits_demo(capsys, train_canvases=64, test_canvases=32, epochs=1, batch_size=32)  # one shape


@pytest.mark.once
def test_digits_demo_runs_small_and_prints_its_table(capsys):
    found = digits_demo(capsys, train_canvases=480, test_canvases=80, epochs=3, batch_size=32)
    assert found["present_accuracy"][0] >= 0.75  # no less than always saying yes
    assert found["box_iou"][0] > 0.2


def test_metrics_by_hand_agree_with_those_of_the_heads():
    digits, by_hand = example("digits"), example("digits_by_hand")
    train, test = example("canvases").draw(64, 40, seed=1)
    feed = digits.declare(train)
    model = digits.network(feed)
    digits.ph.compile(model, feed, optimizer="sgd")
    ours = model.evaluate(feed.on(test), return_dict=True, verbose=0)
    for name, value in by_hand.scores(model, test).items():
        assert ours[name] == pytest.approx(value, abs=1e-4), name


def test_digits_is_a_short_program():
    assert len((EXAMPLES / "digits.py").read_text().splitlines()) < 80


def test_detection_learns_background_where_somebody_looked():
    """A detection is a mistake in an image with an empty list of boxes; in one with None nobody knows."""
    detection = example("detection")
    side, grid = detection.SIDE, detection.GRID
    rows = {"image": np.zeros((2, side, side, 1), np.uint8), "box": [[], None], "digit": [[], None]}
    _, labels, weights = detection.feed(rows, batch_size=2, shuffle=False).on(rows).peek()
    heat = np.full((2, grid, grid, detection.CLASSES), 0.01, np.float32)
    sides = np.zeros((2, grid, grid, 4), np.float32)

    def loss(row):
        found = heat.copy()
        found[row] = 0.9
        model = detection.network()
        y, outputs, w = keras.tree.map_structure(
            keras.ops.convert_to_tensor, (labels, {"heat": found, "sides": sides}, weights)
        )
        return float(model.compute_loss(None, y, outputs, w))

    assert loss(0) > 1000 * loss(1)


@first_steps("jax", "tensorflow", "torch")
def test_detection_takes_its_first_steps():
    assert 0 <= example("detection").main(train=64, test=16, epochs=1) <= 1


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "jax", reason="trained to its bar on jax")
def test_detection_finds_digits_that_it_never_saw():
    assert example("detection").main(train=800, test=128, epochs=4) > 0.2


def test_average_precision_counts_what_is_found_once():
    detection = example("detection")
    true, labels = [np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])], [np.array([1, 2])]
    right = (np.array([0.9, 0.8]), np.array([1, 2]), true[0])
    assert detection.average_precision([right], true, labels) == 1.0
    twice = (np.array([0.9, 0.8]), np.array([1, 1]), true[0][[0, 0]])
    assert detection.average_precision([twice], true, labels) == 0.5
    other = (np.array([0.9, 0.8]), np.array([2, 2]), true[0])
    assert detection.average_precision([other], true, labels) == 0.25


PHOTOGRAPHS = EXAMPLES.parents[1] / "shared" / "data" / "coco128"


on_photographs = pytest.mark.skipif(
    not PHOTOGRAPHS.is_dir(), reason="coco128 is not beside the project, in ../shared/data"
)
KNOWN = {  # photographs with a label, and with a person or an animal; of their masks those that are there
    "yolo": (126, 81, 66),
    "masks": (100, 66, 66),
    "panoptic": (100, 66, 66),
}


# all three on the first backend, one each on the others: a training takes a minute
LAYOUTS = {"torch": ["panoptic"], "tensorflow": ["yolo"]}.get(BACKEND, list(KNOWN))
two_labels_without_image = pytest.mark.filterwarnings(
    r"ignore:.*print\(source.report\):polyhead.PolyheadWarning"
)


@first_steps("jax", "tensorflow", "torch")
@on_photographs
@two_labels_without_image
@pytest.mark.parametrize("layout", LAYOUTS)
def test_largest_object_takes_its_first_steps(layout):
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    learned, constant, _ = example("largest_object").main(PHOTOGRAPHS, layout, epochs=1)
    assert list(learned) == ["present", "kind", "box", "shape"] == list(constant)
    assert np.isfinite([*learned.values(), *constant.values()]).all()


@pytest.mark.slow
@on_photographs
@two_labels_without_image
@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(name, marks=pytest.mark.full if i else pytest.mark.once("jax"))
        for i, name in enumerate(LAYOUTS)
    ],
)
def test_largest_object_learns_more_than_a_constant_in_each_head(layout, tmp_path):
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    module = example("largest_object")
    rows = module.data(PHOTOGRAPHS, layout)
    assert len(rows["image"]) == 128
    known = [present for present in rows["present"] if present is not None and present == present]
    masks = sum(mask is not None for mask in rows["masks"])
    assert (len(known), int(sum(known)), masks) == KNOWN[layout]
    learned, constant, metrics = module.main(PHOTOGRAPHS, layout, epochs=18, cache=tmp_path)
    for name, loss in learned.items():
        print(f"{layout:8} {name:8} loss {loss:8.4f}   best constant {constant[name]:8.4f}")
    assert list(learned) == ["present", "kind", "box", "shape"]
    for head, loss in learned.items():
        assert loss < 0.9 * constant[head], (head, learned, constant)
    assert metrics["present_accuracy"] > 0.9


def test_the_best_constant_is_the_best_of_many():
    rng = np.random.default_rng(0)
    feed = ph.Feed(
        {
            "x": np.zeros(40),
            "yes": (np.arange(40) % 4 == 0).astype(float),
            "kind": np.array(["a", "b", "b", "b", None] * 8, object),
            "box": np.tile(rng.uniform(0, 20, (40, 2)), 2) + np.array([0, 0, 5, 5]),
        },
        inputs="x",
        heads={"yes": ph.Binary(), "kind": ph.Categorical(), "box": ph.Boxes(1)},
        batch_size=16,
    )
    losses = example("best_constant").losses_of_the_best_constant(feed)
    assert losses["yes"] == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), abs=1e-5)
    assert losses["kind"] == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), abs=1e-6)
    y = np.concatenate([batch[1]["box"] for batch in feed])[:, 0]

    def huber(constant):
        size = np.abs(y - constant)
        return np.where(size < 1, size**2 / 2, size - 0.5).mean()

    assert losses["box"] == pytest.approx(huber(np.median(y, axis=0)), abs=1e-5)
    for shift in (-2, -1, 1, 2):
        assert losses["box"] < huber(np.median(y, axis=0) + shift)


def test_largest_object_is_a_short_program():
    assert len((EXAMPLES / "largest_object.py").read_text().splitlines()) < 130
