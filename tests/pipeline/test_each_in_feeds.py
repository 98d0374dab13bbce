"""Heads for each box through a feed, with images that move and without; on the backend of this process."""

import keras
import numpy as np
import pytest

import polyhead as ph

ROWS, SIDE, ROOM = 40, 48, 3
RNG = np.random.default_rng(5)


def drawn():
    """Rows of up to five squares, each of a gray of its own; the class, size and center of a square follow from it."""
    data = {name: [] for name in ("image", "box", "kind", "gray", "middle", "shape")}
    for _ in range(ROWS):
        image = np.zeros((SIDE, SIDE, 3), "uint8")
        boxes, grays, shapes = [], [], []
        for place in RNG.permutation(9)[: RNG.integers(0, 6)]:
            size = int(RNG.integers(5, 15))
            left, top = (int(16 * c + RNG.integers(0, 17 - size)) for c in (place % 3, place // 3))
            gray = int(RNG.integers(40, 250))
            image[top : top + size, left : left + size] = gray
            shape = np.zeros((SIDE, SIDE), "uint8")
            shape[top : top + size, left : left + size] = 1
            boxes.append([left, top, left + size, top + size])
            grays.append(gray)
            shapes.append(shape)
        boxes = np.array(boxes, float).reshape(-1, 4)
        data["image"].append(image)
        data["box"].append(boxes)
        data["kind"].append(["dark" if gray < 120 else "light" for gray in grays])
        data["gray"].append(np.array(grays) / 255)
        data["middle"].append(((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None])
        data["shape"].append(np.array(shapes).reshape(-1, SIDE, SIDE))
    return {**data, "image": np.array(data["image"])}


DATA = drawn()
HEADS = {
    "kind": ph.Categorical(each="box"),
    "gray": ph.Regression(each="box"),
    "middle": ph.Keypoints(1, each="box"),
    "shape": ph.Mask(each="box", size=(SIDE, SIDE)),
    "box": ph.Boxes(ROOM, overflow="largest", min_visible=0.6),
}
MOVES = [ph.Flip(), ph.Rotate(180), ph.Scale(0.3), ph.Translate(0.3)]


def feed(augment=(), heads=None, **more):
    return ph.Feed(
        DATA, inputs={"image": ph.Image()}, heads=heads or HEADS, augment=augment, batch_size=8, **more
    )


def held(one):
    """Every box of every row: the picture, and what the heads say of it."""
    for batch in one.batches():
        for i in range(len(batch.ids)):
            for k in np.flatnonzero(batch.weights["box"][i]):
                yield (
                    batch.inputs["image"][i],
                    {n: batch.labels[n][i, k] for n in HEADS},
                    {n: batch.weights[n][i, k] for n in HEADS},
                )


@pytest.mark.parametrize("moved", [False, True])
def test_all_that_belongs_to_a_box_goes_where_it_goes(moved):
    count = 0
    for image, label, weight in held(feed(MOVES if moved else [])):
        left, top, right, bottom = label["box"]
        x, y = (left + right) / 2, (top + bottom) / 2
        gray = image[int(np.clip(y, 0, SIDE - 1)), int(np.clip(x, 0, SIDE - 1)), 0]
        assert abs(gray - label["gray"][0]) < 0.02
        assert label["kind"] == (label["gray"][0] * 255 >= 120)
        rows, columns = np.nonzero(label["shape"][..., 0])
        assert abs(columns.min() - left) <= 1
        assert abs(rows.max() + 1 - bottom) <= 1
        assert all((w == 1).all() for name, w in weight.items() if name != "middle")
        if weight["middle"][0]:
            inside = label["middle"][0] - [left, top]
            assert (inside >= -1e-4).all()
            assert (label["middle"][0] <= np.array([right, bottom]) + 1e-4).all()
        count += 1
    assert 60 < count < 5 * ROWS


def test_places_without_a_box_weigh_nothing():
    for batch in feed(MOVES).batches():
        there = batch.weights["box"] > 0
        for name in HEADS:
            counts = batch.weights[name].reshape(len(there), ROOM, -1).any(2)
            assert not (counts & ~there).any()
            if name != "middle":
                np.testing.assert_array_equal(counts, there)


def test_the_same_boxes_whether_images_move_or_not():
    plain = list(feed().batches())
    still = list(feed([ph.Flip(p=0)]).batches())
    for one, other in zip(plain, still, strict=True):
        for name in HEADS:
            np.testing.assert_array_equal(one.labels[name], other.labels[name])
            np.testing.assert_array_equal(one.weights[name], other.weights[name])


def test_with_a_function_of_the_users_too():
    def mirrored(image, masks, boxes, points):
        boxes = np.stack([SIDE - boxes[:, 2], boxes[:, 1], SIDE - boxes[:, 0], boxes[:, 3]], 1)
        points = np.stack([SIDE - points[:, 0], points[:, 1]], 1)
        return {
            "image": np.ascontiguousarray(image[:, ::-1]),
            "masks": [np.ascontiguousarray(m[:, ::-1]) for m in masks],
            "boxes": boxes,
            "points": points,
        }

    rows = [i for i in range(ROWS) if len(DATA["box"][i]) > 1]
    some = {name: [column[i] for i in rows] for name, column in DATA.items()}
    some["image"] = np.array(some["image"])
    one = ph.Feed(
        some, inputs={"image": ph.Image()}, heads=HEADS, augment=[ph.Apply(mirrored)], batch_size=len(rows)
    )
    two = one.on(some, augment=[ph.Flip(p=1)], batch_size=len(rows))
    for name in HEADS:
        np.testing.assert_allclose(one.peek()[1][name], two.peek()[1][name], atol=1e-4)


def test_validation_gets_the_classes_as_learned():
    train = feed(MOVES)
    other = {name: column[:5] for name, column in DATA.items()}
    val = train.on(other)
    assert val.heads["kind"].names == ("dark", "light")
    assert val.peek()[1]["shape"].shape == (5, ROOM, SIDE, SIDE, 1)


def test_a_box_and_its_entries_have_to_agree_in_number():
    wrong = {**DATA, "kind": [*DATA["kind"][:-1], ["dark"] * 7]}
    with pytest.raises(ph.DataError) as caught:
        ph.Feed(wrong, inputs={"image": ph.Image()}, heads=HEADS, augment=MOVES)
    boxes = len(DATA["box"][-1])
    assert (
        str(caught.value)
        == f"head `kind`, row {ROWS - 1}: expected {boxes} entries, one for each box in `box`, got 7. "
        "Put None in the place of a box that has no label."
    )


def test_a_model_with_an_output_for_each_trains_and_predicts():
    keras.utils.set_random_seed(0)
    train = feed(MOVES, shuffle=True)
    x = keras.Input((SIDE, SIDE, 3), name="image")
    pooled = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(x))
    model = keras.Model(x, ph.outputs(keras.layers.Dense(16, activation="relu")(pooled), train.heads))
    ph.compile(model, train, optimizer="adam")
    history = model.fit(train, epochs=2, verbose=0).history
    for name in HEADS:
        assert np.isfinite(history[f"{name}_loss"]).all()
    assert history["gray_loss"][1] < history["gray_loss"][0]
    found = model.predict(train, verbose=0)
    assert {n: p.shape for n, p in found.items()} == {
        "kind": (ROWS, ROOM, 2),
        "gray": (ROWS, ROOM, 1),
        "middle": (ROWS, ROOM, 1, 2),
        "shape": (ROWS, ROOM, SIDE, SIDE, 1),
        "box": (ROWS, ROOM, 4),
    }
    np.testing.assert_allclose(found["kind"].sum(-1), 1, rtol=1e-5)


def test_the_loss_is_the_mean_over_the_boxes_that_are_there():
    plain = feed()
    x = keras.Input((SIDE, SIDE, 3), name="image")
    model = keras.Model(
        x, ph.outputs(keras.layers.Flatten()(keras.layers.AveragePooling2D(16)(x)), plain.heads)
    )
    ph.compile(model, plain, optimizer="sgd")
    logged = model.evaluate(plain, return_dict=True, verbose=0)
    found = model.predict(plain, verbose=0)
    total, count = {"gray": 0.0, "kind": 0.0}, 0
    for batch in plain.batches():
        for row, i in enumerate(batch.ids):
            for k in np.flatnonzero(batch.weights["box"][row]):
                total["gray"] += (found["gray"][i, k, 0] - batch.labels["gray"][row, k, 0]) ** 2
                total["kind"] -= np.log(found["kind"][i, k, batch.labels["kind"][row, k]])
                count += 1
    for name, value in total.items():
        assert logged[f"{name}_loss"] == pytest.approx(value / count, rel=1e-4)


GAPS = {"box": [[i % 3 == k % 3 for k in range(len(row))] for i, row in enumerate(DATA["box"])]}


def without_some(column):
    """The entries of a column, None in place of about a third of them, and of all in some rows."""
    return [
        [None if gone else entry for entry, gone in zip(row, some, strict=True)]
        for row, some in zip(column, GAPS["box"], strict=True)
    ]


def written(folder, data):
    """The same rows with their images in files."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    paths = [str(folder / f"{i}.png") for i in range(ROWS)]
    for path, image in zip(paths, data["image"], strict=True):
        cv2.imwrite(path, image)
    return {**data, "image": paths}


WAYS = {
    "still": {},
    "moved": {"augment": MOVES},
    "by a function": {"augment": [*MOVES, ph.Apply(lambda **sample: sample)]},
    "lit": {"augment": [ph.Color(0.2)]},
    "contained": {"image": ph.Image(40, 48, fit="contain")},
    "cropped": {"image": ph.Image(40, 48, fit="cover")},
    "cached": {"image": ph.Image(40, 48), "cache": True},
    "cached and moved": {"image": ph.Image(40, 48), "cache": True, "augment": MOVES},
}
KINDS = {
    "kind": ph.Categorical(["dark", "light"], each="box"),
    "gray": ph.Regression(each="box"),
    "middle": ph.Keypoints(1, each="box"),
    "shape": ph.Mask(each="box", size=(24, 24)),
    "tags": ph.MultiLabel(["dark", "light"], each="box"),
    "is light": ph.Binary(each="box"),
    "box": ph.Boxes(ROOM, overflow="largest", min_visible=0.6),
}


@pytest.mark.once
@pytest.mark.parametrize("way", WAYS)
def test_a_box_without_a_label_weighs_nothing_and_the_others_are_as_they_were(way, tmp_path):
    options = {"image": ph.Image(), **WAYS[way]}
    image, cache = options.pop("image"), options.pop("cache", None)
    full = {
        **DATA,
        "tags": [[[name] for name in row] for row in DATA["kind"]],
        "is light": [[name == "light" for name in row] for row in DATA["kind"]],
    }
    full = full if image.height is None else written(tmp_path, full)
    gaps = {name: full[name] if name in ("image", "box") else without_some(full[name]) for name in full}
    found = []
    for number, rows in enumerate((full, gaps)):
        folder = tmp_path / f"cache {number}" if cache else None
        one = ph.Feed(
            rows, inputs={"image": image}, heads=KINDS, batch_size=ROWS, workers=0, cache=folder, **options
        )
        batches = [next(one.batches()) for _ in range(2 if cache else 1)]
        if image.height is not None:
            store = ph.pack(one.on(rows), tmp_path / f"store {number}", progress=False)
            batches.append(next(one.on(store).batches()))
            batches.append(next(one.on(rows).batches()))
        found.append(batches)
    lost = 0
    for whole, some in zip(*found, strict=True):
        np.testing.assert_array_equal(some.weights["box"], whole.weights["box"])
        for name in set(KINDS) - {"box"}:
            there = some.weights[name].reshape(ROWS, ROOM, -1).any(2)
            before = whole.weights[name].reshape(ROWS, ROOM, -1).any(2)
            assert not (there & ~before).any(), name
            assert 5 < (before & ~there).sum() < before.sum() / 2, name
            np.testing.assert_array_equal(some.labels[name][there], whole.labels[name][there], err_msg=name)
            np.testing.assert_array_equal(some.weights[name][there], whole.weights[name][there])
            assert not some.weights[name][~there].any()
            lost += (before & ~there).sum()
    assert lost


def test_masks_of_a_row_have_one_size():
    shapes = [*DATA["shape"]]
    row = next(i for i, masks in enumerate(shapes) if len(masks) == 3)
    shapes[row] = [shapes[row][0], None, np.zeros((24, 24), "uint8")]
    one = ph.Feed({**DATA, "shape": shapes}, inputs={"image": ph.Image()}, heads=HEADS, augment=MOVES)
    with pytest.raises(ph.DataError) as caught:
        list(one.batches())
    assert str(caught.value) == (
        f"head `shape`, row {row}: expected masks of one size in a row, got shapes [(24, 24), (48, 48)]. "
        "Draw the masks of a row in one size, and give None for a box without one."
    )


@pytest.mark.parametrize("size", [(), (4, 4)], ids=["its own size", "resized"])
@pytest.mark.parametrize(
    ("kinds", "labels", "known"),
    [
        ([0, 1, 2], [0, 1, 2], [1, 1, 1]),
        (np.array([0, np.nan, 2]), [0, 0, 2], [1, 0, 1]),
        (["cat", None, "dog"], [0, 0, 1], [1, 0, 1]),
    ],
)
def test_the_label_of_the_only_box_need_not_be_in_a_list_whatever_the_size(kinds, labels, known, size):
    names = ["cat", "dog"] if isinstance(kinds[0], str) else 3
    rows = {"image": np.zeros((3, 8, 8, 3), np.uint8), "box": [[1.0, 1, 4, 4]] * 3, "kind": kinds}
    heads = {"box": ph.Boxes(1), "kind": ph.Categorical(names, each="box")}
    batch = next(ph.Feed(rows, inputs={"image": ph.Image(*size)}, heads=heads).batches())
    assert batch.labels["kind"].ravel().tolist() == labels
    weights = np.ones(3) if batch.weights is None else batch.weights["kind"].ravel()
    assert weights.tolist() == known
