"""Columns of weights that are finer than a row: what they may look like, where they go, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import DataError

RNG = np.random.default_rng(4)
ROWS, SIDE, ROOM = 24, 32, 3


def squares():
    """Rows of up to five squares; the gray of a square is its weight, and so is the number that belongs to it."""
    data = {name: [] for name in ("image", "box", "weight", "gray", "pairs")}
    for _ in range(ROWS):
        image = np.zeros((SIDE, SIDE, 3), "uint8")
        boxes, grays = [], []
        for place in RNG.permutation(4)[: RNG.integers(0, 5)]:
            left, top = (
                16 * (place % 2) + int(RNG.integers(0, 6)),
                16 * (place // 2) + int(RNG.integers(0, 6)),
            )
            size, gray = int(RNG.integers(5, 10)), int(RNG.integers(40, 250))
            image[top : top + size, left : left + size] = gray
            boxes.append([left, top, left + size, top + size])
            grays.append(gray / 255)
        data["image"].append(image)
        data["box"].append(np.array(boxes, float).reshape(-1, 4))
        data["weight"].append(list(grays))
        data["gray"].append(np.array(grays))
        data["pairs"].append([[gray, 1 - gray] for gray in grays])
    return {**data, "image": np.array(data["image"])}


DATA = squares()
HEADS = {
    "box": ph.Boxes(ROOM, overflow="largest", min_visible=0.6, sample_weight="weight"),
    "gray": ph.Regression(each="box", sample_weight="weight"),
    "both": ph.Regression(2, each="box", column="pairs", sample_weight="pairs"),
}


def feed(data=DATA, image=None, heads=None, **more):
    return ph.Feed(data, inputs={"image": image or ph.Image()}, heads=heads or HEADS, batch_size=8, **more)


@pytest.mark.parametrize(
    ("image", "augment"),
    [
        (ph.Image(), ()),
        (ph.Image(), (ph.Flip(), ph.Rotate(180), ph.Scale(0.3), ph.Translate(0.3))),
        (ph.Image(24, 40), ()),
        (ph.Image(24, 40), (ph.Flip(), ph.Mosaic())),
        (ph.Image(), (ph.MixUp(),)),
    ],
)
def test_a_weight_goes_where_its_box_goes(image, augment):
    count = 0
    for batch in feed(image=image, augment=augment).batches():
        box, gray, both = (batch.weights[name] for name in HEADS)
        assert box.shape == (len(batch.ids), ROOM)
        assert both.shape == (len(batch.ids), ROOM, 2)
        there = batch.labels["box"].any(-1)
        assert not box[~there].any()
        if not any(isinstance(one, ph.MixUp) for one in augment):
            assert np.allclose(box[there], batch.labels["gray"][there][:, 0])
            assert np.allclose(both[there], batch.labels["both"][there])
        assert np.allclose(box, gray)
        count += int(there.sum())
    assert count > ROWS // 2


@pytest.mark.parametrize("form", ["lists", "arrays"])
def test_boxes_that_are_missing_need_no_weight(form):
    boxes = np.array([[[0, 0, 2, 2], [1, 1, 3, 3]], [[0, 0, 1, 1], [np.nan] * 4], [[np.nan] * 4] * 2])
    weights = np.array([[0.5, 2.0], [3.0, np.nan], [np.nan, np.nan]])
    if form == "lists":
        boxes = [boxes[0].tolist(), [boxes[1, 0].tolist(), None], None]
        weights = [[0.5, 2.0], [3.0, None], None]
    heads = {"box": ph.Boxes(2, sample_weight="w"), "kind": ph.Categorical(2, each="box", sample_weight="w")}
    kinds = [[0, 1], [1, None], [None, None]]
    rows = ph.Feed({"x": np.arange(3.0), "box": boxes, "w": weights, "kind": kinds}, inputs="x", heads=heads)
    want = [[0.5, 2.0], [3.0, 0.0], [0.0, 0.0]]
    assert rows.peek()[2]["box"].tolist() == want
    assert rows.peek()[2]["kind"].tolist() == want


def test_rows_of_a_source_without_labels_need_no_weights():
    one = ph.read_table(
        {"x": np.arange(2.0), "y": [1, 0], "w": [0.5, 2.0], "v": np.eye(2), "u": np.ones((2, 2))}
    )
    both = one.concat(ph.read_table({"x": [2.0, 3.0]}), join="outer")
    heads = {"y": ph.Binary(sample_weight="w"), "v": ph.Regression(2, sample_weight="u")}
    for source in (both, both.select([0, 1, 2, 3])):
        weights = ph.Feed(source, inputs="x", heads=heads).peek()[2]
        assert weights["y"].tolist() == [0.5, 2.0, 0.0, 0.0]
        assert weights["v"].tolist() == [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    lacking = one.concat(ph.read_table({"x": [2.0], "y": [1]}), join="outer")
    with pytest.raises(
        DataError, match="head `y`, column `w`, row 2: expected a finite weight of at least 0, got None"
    ):
        ph.Feed(lacking, inputs="x", heads={"y": heads["y"]})


@pytest.mark.parametrize("way", ["pack", "cache"])
def test_a_store_keeps_weights_beside_their_boxes(way, tmp_path):
    rows = feed(image=ph.Image(24, 40), heads={name: head for name, head in HEADS.items() if name != "both"})
    stored = rows.on(DATA, cache=tmp_path) if way == "cache" else rows.on(ph.pack(rows, tmp_path / "store"))
    for _ in range(2):
        for one, other in zip(stored.batches(), rows.batches(), strict=True):
            for name in rows.heads:
                assert np.allclose(one.labels[name], other.labels[name], atol=1e-4)
                assert np.allclose(one.weights[name], other.weights[name])


PIXELS = {
    "image": RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8),
    "mask": RNG.integers(0, 2, (6, 8, 8)),
    "masks": RNG.integers(0, 2, (6, 8, 8, 2)),
    "w": RNG.uniform(0.1, 2, (6, 8, 8)),
    "ws": RNG.uniform(0.1, 2, (6, 8, 8, 2)),
    "eyes": RNG.uniform(1, 7, (6, 2, 2)),
    "v": RNG.uniform(0.1, 2, (6, 2)),
}
MASKS = {"mask": ph.Mask(sample_weight="w"), "masks": ph.Mask(2, multi=True, sample_weight="ws")}


def pixels(heads=MASKS, image=None, augment=(), **columns):
    return ph.Feed(
        {**PIXELS, **columns},
        inputs={"image": image or ph.Image()},
        heads=heads,
        augment=augment,
        batch_size=6,
    )


def test_weights_of_pixels_where_no_pixel_moves():
    for augment in ((), (ph.Color(0.3), ph.Noise(0.1)), (ph.Apply(lambda image: image),)):
        weights = pixels(augment=augment).peek()[2]
        assert np.allclose(weights["mask"], PIXELS["w"])
        assert np.allclose(weights["masks"], PIXELS["ws"])


@pytest.mark.parametrize("augment", [(), (ph.Flip(),)])
def test_a_weight_of_a_row_may_have_the_axes_of_its_mask(augment):
    data = {
        "image": DATA["image"],
        "mask": DATA["image"][..., :1] > 0,
        "w": np.arange(ROWS).reshape(ROWS, 1, 1),
    }
    heads = {"mask": ph.Mask(sample_weight="w")}
    for batch in feed(data, heads=heads, augment=augment).batches():
        assert (batch.weights["mask"] == batch.ids.reshape(-1, 1, 1)).all()


def test_weights_of_pixels_are_cut_with_the_image():
    plain = {name: np.concatenate([w[name] for w in [pixels().peek()[2]]]) for name in MASKS}
    for batch in pixels(augment=(ph.CutMix(),)).batches():
        for name, weights in batch.weights.items():
            held = [np.isclose(weights, other[None]).reshape(6, 8, 8, -1).all(-1) for other in plain[name]]
            assert np.any(held, axis=0).all()  # each pixel has the weight that it had in one of the rows


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"augment": (ph.Color(0.2), ph.Flip())}, r"Flip\(\) moves them"),
        ({"augment": (ph.Rotate(5),)}, r"Rotate\(5\) moves them"),
        ({"image": ph.Image(16, 16)}, "images or masks are decoded or resized"),
    ],
)
def test_weights_of_pixels_that_would_have_to_move_are_refused(more, why):
    words = rf"head `mask`, column `w`: expected one weight a row, as {why}, got weights of pixels.*Mask\(missing=255\)"
    with pytest.raises(DataError, match=words) as error:
        pixels(**more)
    assert len(error.value.problems) == 2
    alike = {name: head.fixed(sample_weight="row") for name, head in MASKS.items()}
    assert pixels(alike, row=np.ones(6), **more).peek()[2]["mask"].shape == (6, 1, 1)


def test_weights_of_points():
    heads = {"eyes": ph.Keypoints(2, sample_weight="v")}
    assert np.allclose(pixels(heads).peek()[2]["eyes"], PIXELS["v"])
    moved = next(iter(pixels(heads, augment=(ph.Flip(),)).batches()))
    assert np.allclose(moved.weights["eyes"], PIXELS["v"])
    paired = {"eyes": ph.Keypoints(2, pairs=[(0, 1)], sample_weight="v")}
    assert np.allclose(pixels(paired).peek()[2]["eyes"], PIXELS["v"])
    with pytest.raises(DataError, match=r"head `eyes`, column `v`: .*weights of points that are swapped"):
        pixels(paired, augment=(ph.Flip(),))
    assert pixels(paired, augment=(ph.Flip(),), v=np.ones(6)).peek()[2]["eyes"].shape == (6, 2)


@pytest.mark.parametrize(
    ("head", "labels", "weights", "words"),
    [
        (
            ph.Regression(3),
            np.ones((4, 3)),
            np.ones((4, 2)),
            "one weight a row, or rows of shape (3,), got rows of shape (2,)",
        ),
        (
            ph.Regression((2, 3)),
            np.ones((4, 2, 3)),
            np.ones((4, 3)),
            "or rows of shape (2,) or (2, 3), got rows of shape (3,)",
        ),
        (
            ph.MultiLabel(3),
            np.ones((4, 3)),
            np.ones((4, 3, 2)),
            "or rows of shape (3,), got rows of shape (3, 2)",
        ),
        (ph.Binary(), np.ones(4), np.ones((4, 2)), "one weight a row, got rows of shape (2,)"),
        (ph.Categorical(3), np.zeros(4, int), np.ones((4, 3)), "one weight a row, got rows of shape (3,)"),
        (ph.Embedding(3), np.ones((4, 3)), np.ones((4, 3)), "one weight a row, got rows of shape (3,)"),
        (
            ph.Mask(),
            np.ones((4, 2, 2)),
            np.ones((4, 3, 2)),
            "or rows of shape (2, 2), got rows of shape (3, 2)",
        ),
        (ph.Mask(2), np.ones((4, 2, 2), int), np.ones((4, 2, 2, 2)), "(2, 2), got rows of shape (2, 2, 2)"),
        (
            ph.Boxes(2),
            np.ones((4, 2, 4)),
            np.ones((4, 2, 4)),
            "or rows of shape (2,), got rows of shape (2, 4)",
        ),
        (
            ph.Keypoints(3),
            np.ones((4, 3, 2)),
            np.ones((4, 2)),
            "or rows of shape (3,), got rows of shape (2,)",
        ),
        (
            ph.Regression(3, elementwise=False),
            np.ones((4, 3)),
            np.ones((4, 3)),
            "one weight a row, as elementwise=False says, got rows of shape (3,)",
        ),
    ],
)
def test_a_shape_that_fits_nothing(head, labels, weights, words):
    data = {"x": np.arange(4.0), "y": labels, "w": weights}
    with pytest.raises(DataError) as error:
        ph.Feed(data, inputs="x", heads={"y": head.fixed(sample_weight="w")})
    assert str(error.value).startswith("head `y`, column `w`: expected one weight a row")
    assert words in str(error.value)


@pytest.mark.parametrize("large", [False, True])  # encoded once, or batch by batch
@pytest.mark.parametrize(
    ("bad", "words"),
    [(-1.0, "got -1.0"), (np.nan, "got None"), (np.inf, "got inf"), (1e39, r"got 1e\+39")],
)
def test_a_weight_that_is_none(bad, words, large):
    width = 100 if large else 3
    weights = np.ones((5, width))
    weights[3, 1] = bad
    data = {"x": np.arange(5.0), "y": np.ones((5, width)), "w": weights}
    heads = {"y": ph.Regression(width, sample_weight="w")}
    with pytest.raises(
        DataError, match=f"head `y`, column `w`, row 3: expected finite weights of at least 0, {words}"
    ):
        list(ph.Feed(data, inputs="x", heads=heads).batches())


@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_weights_of_float16_are_finite_numbers(shape):
    data = {"x": np.arange(4.0), "y": np.ones(shape), "w": np.full(shape, 0.5, np.float16)}
    heads = {"y": ph.Regression(*shape[1:], sample_weight="w")}
    assert ph.Feed(data, inputs="x", heads=heads).peek()[2]["y"].tolist() == np.full(shape, 0.5).tolist()
    data["w"][2] = np.inf
    with pytest.raises(DataError, match=r"head `y`, column `w`, row 2: expected .* got inf"):
        ph.Feed(data, inputs="x", heads=heads)


def test_a_box_without_its_weight_is_an_error():
    boxes = [[[0, 0, 1, 1]], [[0, 0, 1, 1], [1, 1, 2, 2]]]
    for weights, words in (
        ([[1.0], [1.0]], r"row 1: expected 2 entries, one for each box in `box`, got 1"),
        ([[1.0], [1.0, None]], r"row 1: expected finite weights of at least 0, got None"),
        ([[1.0], None], r"row 1: expected finite weights of at least 0, got None"),
    ):
        data = {"x": np.arange(2.0), "box": boxes, "w": weights}
        with pytest.raises(DataError, match=f"head `box`, column `w`, {words}"):
            ph.Feed(data, inputs="x", heads={"box": ph.Boxes(2, sample_weight="w")}).peek()


def test_a_feed_of_other_rows_has_weights_at_least_as_fine_as_the_first():
    data = {"x": np.arange(4.0), "y": np.ones((4, 3)), "w": np.arange(12.0).reshape(4, 3)}
    fine = ph.Feed(data, inputs="x", heads={"y": ph.Regression(3, sample_weight="w")})
    assert fine.on(data).peek()[2]["y"].tolist() == data["w"].tolist()
    assert fine.on({**data, "w": np.arange(4.0)}).peek()[2]["y"].tolist() == [[i] * 3 for i in range(4)]
    coarse = ph.Feed({**data, "w": np.ones(4)}, inputs="x", heads={"y": ph.Regression(3, sample_weight="w")})
    assert coarse.on(data).peek()[2]["y"].tolist() == data["w"].tolist()
    coarse = ph.Feed(
        {**data, "w": np.ones(4)},
        inputs="x",
        heads={"y": ph.Regression(3, elementwise=False, sample_weight="w")},
    )
    with pytest.raises(
        DataError, match="head `y`, column `w`: expected one weight a row, as elementwise=False says"
    ):
        coarse.on(data)


def test_it_can_be_looked_at(tmp_path):
    for rows in (feed(), pixels()):
        told = rows.describe()
        assert all(head.labeled > 0 for head in told.heads)
        assert rows.preview(tmp_path / "page.html", n=3).samples
    spread = ph.Feed(
        {"x": np.arange(3.0), "y": RNG.normal(size=(3, 4, 2)), "w": np.ones((3, 4))},
        inputs="x",
        heads={"y": ph.Regression((4, 2), sample_weight="w")},
    )
    assert spread.preview(n=2).html


def test_the_mean_weight_of_boxes_from_a_generator_is_that_of_its_first_rows():
    rows, read = 4096, []

    def batches():
        for start in range(0, rows, 64):
            read.append(start)
            boxes = [[[0.0, 0.0, 4.0, 4.0]]] * 64
            labels = [[1] if start < 1024 else [None]] * 64
            yield {"x": np.zeros((64, 2), np.float32)}, {"box": boxes, "kind": labels}

    heads = {"box": ph.Boxes(1), "kind": ph.Categorical(2, each="box")}
    some = ph.Feed(ph.from_generator(batches, length=rows), inputs="x", heads=heads, batch_size=64)
    read.clear()
    loss = SimpleNamespace(whole_vectors=False, ignored=None, batch_mean=False)
    assert some.mean_weights(dict.fromkeys(heads, loss)) == {"box": 1.0, "kind": 1.0}
    assert max(read) < 1024 + 64
