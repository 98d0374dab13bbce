"""Images that are decoded, resized and augmented, with all that lies in them, through a feed."""

from pathlib import Path

import keras
import numpy as np
import pytest

import polyhead as ph

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

ROWS, SIDE = 24, 48
RNG = np.random.default_rng(3)
CORNER = RNG.integers(4, 20, (ROWS, 2))
EXTENT = RNG.integers(8, 20, (ROWS, 2))
BOX = np.concatenate([CORNER, CORNER + EXTENT], axis=1).astype("float64")


def drawn():
    """Black images with a white rectangle each, which is also the mask, the box, and two keypoints."""
    at = np.arange(SIDE)
    x0, y0, x1, y1 = BOX.T[:, :, None, None]
    inside = (at >= x0) & (at < x1) & (at[:, None] >= y0) & (at[:, None] < y1)
    images = np.repeat(inside[..., None], 3, axis=3).astype("uint8") * 255
    middle = (BOX[:, 1] + BOX[:, 3]) / 2
    points = np.stack([np.stack([BOX[:, 0], middle], 1), np.stack([BOX[:, 2], middle], 1)], 1)
    return {
        "image": images,
        "mask": inside.astype("uint8"),
        "box": BOX,
        "ends": points,
        "row": np.arange(ROWS),
    }


DATA = drawn()
HEADS = {
    "mask": ph.Mask(),
    "box": ph.Boxes(1),
    "ends": ph.Keypoints(2, pairs=[(0, 1)]),
    "row": ph.Regression(),
}
MOVES = [ph.Flip(), ph.Scale(0.2), ph.Translate(0.1), ph.Color(0.1)]


def make(data=None, size=SIDE, heads=None, augment=MOVES, **more):
    heads = HEADS if heads is None else heads
    return ph.Feed(
        DATA if data is None else data,
        inputs={"image": ph.Image(size, size)},
        heads=heads,
        batch_size=8,
        augment=augment,
        **more,
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same images and masks as files."""
    folder = tmp_path_factory.mktemp("images")
    paths = {"image": [], "mask": []}
    for i in range(ROWS):
        for name in paths:
            path = folder / f"{name}{i}.png"
            PIL.fromarray(DATA[name][i]).save(path)
            paths[name].append(str(path))
    return {**DATA, **paths}


def around(mask):
    """The box round what a mask shows."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], "float64")


def check_together(feed, size):
    seen = 0
    for _ in range(2):
        for batch in feed.batches():
            for i in range(len(batch.ids)):
                mask, image = batch.labels["mask"][i, ..., 0], batch.inputs["image"][i]
                assert ((image.mean(-1) > 0.5) == mask).mean() > 0.98
                if not batch.weights["box"][i, 0]:
                    continue
                box = batch.labels["box"][i, 0]
                assert np.abs(box - around(mask)).max() <= 1.01
                left, right = batch.labels["ends"][i]
                weight = batch.weights["ends"][i]
                if weight.all():
                    assert left[0] < right[0], "the left end is left, whichever way the image is turned"
                    assert np.abs([left[0] - box[0], right[0] - box[2]]).max() < 1e-3
                    seen += 1
        feed.epoch += 1
    assert seen > ROWS


def test_all_that_lies_in_an_image_moves_with_it():
    check_together(make(shuffle=True), SIDE)


def test_files_are_decoded_resized_and_moved_alike(files):
    check_together(make(files, size=32, heads={**HEADS, "mask": ph.Mask(size=(32, 32))}), 32)
    check_together(make(files, size=32), 32)  # a mask has the size of the image where none is said


def test_encoded_bytes_do_as_paths_do(files):
    def encoded(name):
        return [Path(path).read_bytes() for path in files[name]]

    as_bytes = {**files, "image": encoded("image"), "mask": encoded("mask")}
    as_dicts = {**files, "image": [{"bytes": data, "path": None} for data in as_bytes["image"]]}
    for one, two, three in zip(
        make(files).batches(), make(as_bytes).batches(), make(as_dicts).batches(), strict=True
    ):
        for other in (two, three):
            np.testing.assert_array_equal(one.inputs["image"], other.inputs["image"])
            np.testing.assert_array_equal(one.labels["mask"], other.labels["mask"])


def test_files_without_augmentation_are_what_they_hold(files):
    for batch in make(files, augment=()).batches():
        np.testing.assert_array_equal(batch.inputs["image"], DATA["image"][batch.ids] / np.float32(255))
        np.testing.assert_array_equal(batch.labels["mask"][..., 0], DATA["mask"][batch.ids])
        np.testing.assert_array_equal(batch.labels["box"][:, 0], BOX[batch.ids])
        assert (batch.weights["box"] == 1).all()


def test_images_of_unequal_sizes():
    images = [np.full((20 + i, 30, 3), 200, "uint8") for i in range(ROWS)]
    boxes = [[0, 0, 30, 20 + i] for i in range(ROWS)]
    feed = make({"image": images, "box": boxes}, size=16, heads={"box": ph.Boxes(1)}, augment=())
    for batch in feed.batches():
        assert np.allclose(batch.inputs["image"], 200 / 255)
        assert np.allclose(batch.labels["box"][:, 0], [0, 0, 16, 16])


@pytest.mark.parametrize("workers", [1, 3])
def test_chance_is_that_of_seed_epoch_and_row(workers):
    one = make(shuffle=True, workers=0)
    two = make(shuffle=True, workers=workers)
    for _ in range(2):
        for a, b in zip(one.batches(), two.batches(), strict=True):
            np.testing.assert_array_equal(a.inputs["image"], b.inputs["image"])
            np.testing.assert_array_equal(a.labels["box"], b.labels["box"])
        one.epoch, two.epoch = one.epoch + 1, two.epoch + 1
    in_order = {
        int(i): x
        for b in make(shuffle=False).batches()
        for i, x in zip(b.ids, b.inputs["image"], strict=True)
    }
    shuffled = {
        int(i): x for b in make(shuffle=True).batches() for i, x in zip(b.ids, b.inputs["image"], strict=True)
    }
    assert all(np.array_equal(in_order[i], shuffled[i]) for i in range(ROWS))
    other = next(iter(make(seed=1).batches())).inputs["image"]
    first = next(iter(make().batches())).inputs["image"]
    assert not np.array_equal(first, other)
    feed = make()
    list(feed)
    assert not np.array_equal(first, next(iter(feed.batches())).inputs["image"]), "each epoch draws anew"


def test_evaluation_and_prediction_get_the_rows_as_they_are():
    inputs = keras.Input((SIDE, SIDE, 3), name="image")
    total = keras.layers.Lambda(lambda t: keras.ops.mean(t, axis=(1, 2)), output_shape=(3,))(inputs)
    model = keras.Model(inputs, {"row": keras.layers.Dense(1, name="row")(total)})
    feed = make(heads={"row": ph.Regression()}, augment=[ph.Color(1.0)])
    ph.compile(model, feed, optimizer="sgd")
    plain = model.predict(DATA["image"] / np.float32(255), verbose=0)["row"]
    assert np.allclose(model.predict(feed, verbose=0)["row"], plain, atol=1e-5)
    losses = {tuple(np.ravel(model.evaluate(feed, verbose=0))) for _ in range(2)}
    assert len(losses) == 1
    wanted = ((plain[:, 0] - DATA["row"]) ** 2).mean()
    assert np.isclose(next(iter(losses))[0], wanted, rtol=1e-4)


def test_missing_labels_stay_missing_and_given_holds():
    gone = np.arange(ROWS) % 3 == 0
    here = (np.arange(ROWS) % 4 > 0).astype(int)
    data = {
        **DATA,
        "mask": [None if g else m for g, m in zip(gone, DATA["mask"], strict=True)],
        "box": [None if g else b for g, b in zip(gone, BOX, strict=True)],
        "here": here,
    }
    heads = {"mask": ph.Mask(), "box": ph.Boxes(2, given="here"), "here": ph.Binary()}
    for batch in make(data, heads=heads, augment=[ph.Flip()]).batches():
        assert (batch.weights["mask"][:, 0, 0] == ~gone[batch.ids]).all()
        assert (batch.weights["box"][:, 0] == (~gone & (here == 1))[batch.ids]).all()
        assert (batch.weights["box"][:, 1] == 0).all()
        assert np.isfinite(batch.labels["box"]).all()


def test_boxes_that_leave_the_image_are_dropped_and_others_are_cut():
    data = {"image": DATA["image"], "box": [[[0, 0, 4, 4], [10, 10, 46, 46]]] * ROWS}
    feed = make(data, heads={"box": ph.Boxes(2, min_visible=0.3)}, augment=[ph.Crop(0.5)])
    counts = set()
    for batch in feed.batches():
        boxes, weights = batch.labels["box"], batch.weights["box"]
        counts |= set(weights.sum(1).tolist())
        assert boxes.min() >= 0
        assert boxes.max() <= SIDE
        assert (boxes[weights == 0] == 0).all()
    assert counts >= {0.0, 1.0}


def test_normalized_coordinates_come_and_go_normalized(files):
    data = {**files, "box": BOX / SIDE, "ends": DATA["ends"] / SIDE}
    heads = {"box": ph.Boxes(1, normalized=True), "ends": ph.Keypoints(2, pairs=[(0, 1)], normalized=True)}
    pixels = make(files, size=32, heads={"box": ph.Boxes(1), "ends": HEADS["ends"]}, augment=[ph.Flip(p=1)])
    for one, two in zip(
        make(data, size=32, heads=heads, augment=[ph.Flip(p=1)]).batches(), pixels.batches(), strict=True
    ):
        assert np.allclose(one.labels["box"] * 32, two.labels["box"], atol=1e-4)
        assert np.allclose(one.labels["ends"] * 32, two.labels["ends"], atol=1e-4)


def test_the_same_declaration_reads_other_rows_in_their_own_format():
    corner_and_extent = np.concatenate([CORNER, EXTENT], axis=1).astype("float64")
    data = {"image": DATA["image"], "box": corner_and_extent, "mask": DATA["mask"]}
    feed = make(data, heads={"box": ph.Boxes(1, format="xywh", missing=-1), "mask": ph.Mask()})
    other = feed.on({**data, "box": np.where(np.arange(ROWS)[:, None] == 3, -1, corner_and_extent)})
    for rows in (feed.on(data), other, other.on(data)):
        for batch in rows.batches():
            weights = np.ones((len(batch.ids), 1)) if batch.weights is None else batch.weights["box"]
            there = weights[:, 0] == 1
            np.testing.assert_array_equal(batch.labels["box"][there, 0], BOX[batch.ids][there])
            assert np.array_equal(there, (batch.ids != 3) | (rows is not other))


def test_several_images_of_a_row_move_alike_and_depth_keeps_its_values():
    data = {"image": DATA["image"], "depth": DATA["image"][..., :1] // 255 * 7, "mask": DATA["mask"]}
    feed = ph.Feed(
        data,
        inputs={"image": ph.Image(SIDE, SIDE), "depth": ph.Image(dtype="uint8", photometric=False)},
        heads={"mask": ph.Mask()},
        batch_size=8,
        augment=[ph.Flip(), ph.Color(0.5), ph.Noise(0.2, p=1)],
    )
    for batch in feed.batches():
        depth = batch.inputs["depth"][..., 0]
        mask = batch.labels["mask"][..., 0]
        assert np.array_equal(depth, mask * 7)
        assert len(np.unique(batch.inputs["image"])) > 10


def test_a_function_of_one_s_own_sees_the_whole_sample():
    def mirror(image, mask, boxes, points):
        width = image.shape[1]
        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
        points = np.stack([width - points[:, 0], points[:, 1]], 1)
        return {"image": image[:, ::-1], "mask": mask[:, ::-1], "boxes": boxes, "points": points[::-1]}

    ours = make(augment=[ph.Flip(p=1)])
    for one, two in zip(make(augment=[ph.Apply(mirror)]).batches(), ours.batches(), strict=True):
        np.testing.assert_array_equal(one.inputs["image"], two.inputs["image"])
        for name in ("mask", "box", "ends"):
            assert np.allclose(one.labels[name], two.labels[name])


def test_balanced_weights_of_masks_in_files(files):
    heads = {"mask": ph.Mask(2, class_weight="balanced")}
    feed = make(files, heads=heads, augment=())
    share = DATA["mask"].mean()
    assert feed.heads["mask"].class_weight == pytest.approx({0: 0.5 / (1 - share), 1: 0.5 / share})


def test_it_trains_from_files_on_this_backend(files):
    feed = make(files, size=24, heads={"mask": ph.Mask(), "box": ph.Boxes(1)}, shuffle=True)
    inputs = keras.Input((24, 24, 3), name="image")
    features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    model = keras.Model(inputs, ph.outputs(features, feed))
    ph.compile(model, feed, optimizer=keras.optimizers.Adam(0.02))
    losses = model.fit(feed, validation_data=feed.on(files), epochs=4, verbose=0).history
    assert losses["mask_loss"][-1] < losses["mask_loss"][0]
    assert np.isfinite(losses["val_loss"]).all()


# What is wrong ---------------------------------------------------------------------------------------


def said(work):
    with pytest.raises(ph.PolyheadError) as error:
        work()
    return str(error.value)


def test_a_file_that_is_broken_or_missing_is_named_with_its_row(files, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"<html>not found</html>")
    gone = tmp_path / "gone.png"
    for path, words in (
        (
            broken,
            f"input `image`, row 9, file {broken}: expected an image (JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF, "
            "JPEG 2000, PGM, PPM or PFM), got 22 bytes that begin with",
        ),
        (
            gone,
            f"input `image`, row 9, file {gone}: expected a file that can be read, got No such file or directory.",
        ),
    ):
        paths = list(files["image"])
        paths[9] = str(path)
        feed = make({**files, "image": paths}, heads={"row": ph.Regression()})
        assert said(lambda feed=feed: list(feed)).startswith(words)
    masks = list(files["mask"])
    masks[9] = str(gone)
    words = said(lambda: list(make({**files, "mask": masks}, heads={"mask": ph.Mask()})))
    assert words.startswith(f"head `mask`, row 9, file {gone}: expected")


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (
            lambda files: ph.Feed(files, inputs={"image": ph.Image()}, heads={}),
            "input `image`: expected the size of the images, got files, or arrays of unequal sizes. Say Image(height, "
            "width): they are decoded, or resized, to it.",
        ),
        (
            lambda files: ph.Feed(DATA, inputs="row", heads={"box": ph.Boxes(1)}, augment=[ph.Flip()]),
            "Feed(augment=): expected an image among the inputs, got none. Declare an input as ph.Image.",
        ),
        (
            lambda files: make(augment=["flip"]),
            "augmentations: expected augmentations such as Flip(), got 'flip' at position 0. Wrap a function, or an "
            "albumentations pipeline, in Apply(...).",
        ),
        (
            lambda files: make(augment=[ph.Flip]),
            "augmentations: expected augmentations such as Flip(), got <class 'polyhead.augment.geometric.Flip'> at "
            "position 0. Make one of it: ph.Flip(...).",
        ),
        (
            lambda files: make(
                heads={"a": ph.Boxes(1, column="box"), "b": ph.Boxes(1, column="box", min_visible=0.5)}
            ),
            "Boxes(min_visible=): expected the same for all boxes of a feed, got [0.1, 0.5].",
        ),
        (
            lambda files: make({**DATA, "box": BOX[:, [2, 1, 0, 3]]}, heads={"box": ph.Boxes(1)}),
            "head `box`, row 0: expected a box as xyxy with a size of at least 0, got ",
        ),
        (
            lambda files: make({**DATA, "ends": DATA["ends"][:, :1]}),
            "head `ends`, row 0: expected 2 keypoints, got 1. Put None in the place of one that has no label.",
        ),
        (
            lambda files: ph.Keypoints(2, pairs=[(0, 0)]),
            "Keypoints(pairs=): expected pairs of distinct points in [0, 1], got [(0, 0)].",
        ),
        (
            lambda files: ph.Boxes(2, overflow="drop"),
            "Boxes(overflow=): expected one of raise, largest, first, got 'drop'.",
        ),
        (
            lambda files: ph.Image(8, 8, fit="crop"),
            "Image(fit=): expected one of stretch, contain, cover, got 'crop'.",
        ),
    ],
)
def test_wrong_use_is_said_at_once(files, work, words):
    assert said(lambda: work(files)).startswith(words)


@pytest.mark.parametrize("augment", [(), [ph.Scale(0.1)]])
def test_more_boxes_than_there_is_room_for(augment):
    boxes = [[0, 0, 4, 4], [10, 10, 40, 40], [20, 20, 30, 30]]
    data = {"image": DATA["image"], "box": [boxes] * ROWS}
    assert said(lambda: list(make(data, heads={"box": ph.Boxes(2)}, augment=augment))) == (
        "head `box`, row 0: expected at most 2 boxes, got 3. Say Boxes(3),"
        ' or more if other rows have more, or overflow="largest" or "first". '
        "Likewise all other rows that were checked."
    )
    largest = make(data, heads={"box": ph.Boxes(2, overflow="largest")}, augment=())
    assert largest.peek()[1]["box"][0].tolist() == [boxes[1], boxes[2]]
    first = make(data, heads={"box": ph.Boxes(2, overflow="first")}, augment=())
    assert first.peek()[1]["box"][0].tolist() == boxes[:2]


def test_a_head_with_the_name_of_its_image_is_refused_where_both_are_moved():
    images = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    data = {"a": images, "m": images[..., 0] % 2}

    def feed(augment, *size):
        inputs, heads = {"scan": ph.Image(*size, column="a")}, {"scan": ph.Mask(column="m")}
        return ph.Feed(data, inputs=inputs, heads=heads, augment=augment)

    x, y = feed([]).peek()
    assert (x["scan"].shape, y["scan"].shape) == ((2, 8, 8, 3), (2, 8, 8, 1))
    for arguments in (([ph.Flip()],), ([], 4, 4)):
        with pytest.raises(ph.ContractError) as error:
            feed(*arguments)
        assert str(error.value) == (
            "head `scan`: expected a name that no image input has, as both are transformed together, got the input "
            '`scan`. Rename the head: heads={"scan_mask": ...}.'
        )
