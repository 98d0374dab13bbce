"""A feed and the store of it give the same batches; what lies in the images is moved along exactly."""

import io
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
from polyhead.columns.mask_values import Rle
from polyhead.errors import ContractError
from polyhead.readers.yolo import read_yolo
from polyhead.store import fingerprint

PIL = pytest.importorskip("PIL.Image")
DATA = Path(__file__).parents[3] / "shared" / "data" / "coco128"
ROWS = 12
RNG = np.random.default_rng(3)


def file_of(folder, i, size, suffix="png"):
    path = folder / f"{i}.{suffix}"
    PIL.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return str(path)


def mask_of(folder, i, size, most):
    path = folder / f"mask{i}.png"
    PIL.fromarray(RNG.integers(0, most, size, dtype=np.uint8)).save(path)
    return str(path)


@pytest.fixture
def scenes(tmp_path):
    """Images of unequal sizes with all that may lie in them, some of it missing."""
    sizes = [(40 + 4 * i, 60 + 2 * i) for i in range(ROWS)]
    corners = [np.sort(RNG.random((i % 4, 2, 2)) * 30, axis=1) for i in range(ROWS)]
    xywh = [np.concatenate([c[:, 0], c[:, 1] - c[:, 0]], 1) for c in corners]
    share = [c.reshape(-1, 4) / np.tile(s[::-1], 2) for c, s in zip(corners, sizes, strict=True)]
    runs = [
        [Rle(s, [s[0] * 3 + k, s[0] * 5, s[0] * (s[1] - 8) - k]) for k in range(len(c))]
        for c, s in zip(corners, sizes, strict=True)
    ]
    return {
        "image": [file_of(tmp_path, i, size, "jpg" if i % 2 else "png") for i, size in enumerate(sizes)],
        "seg": [None if i == 4 else mask_of(tmp_path, i, size, 3) for i, size in enumerate(sizes)],
        "xyxy": [None if i == 3 else c.reshape(-1, 4) for i, c in enumerate(corners)],
        "xywh": xywh,
        "yxyx": [c[..., ::-1].reshape(-1, 4) for c in corners],
        "cxcywh": [np.concatenate([b[:, :2] + b[:, 2:] / 2, b[:, 2:]], 1) for b in xywh],
        "share": share,
        "kind": [[["cat", "dog"][j % 2] for j in range(len(c))] for c in corners],
        "outline": runs,
        "eyes": [[[5.0, 6.0, 2], [20.0, 9.0, i % 3]] for i in range(ROWS)],
        "nose": [None if i == 5 else [[0.25, 0.5]] for i in range(ROWS)],
        "tips": [RNG.random((len(c), 2, 2)) * 30 for c in corners],
        "age": [float(i) if i != 2 else None for i in range(ROWS)],
        "sick": [i % 2 for i in range(ROWS)],
        "trust": [0.5 + i for i in range(ROWS)],
    }


HEADS = {
    "seg": ph.Mask(3),
    "xyxy": ph.Boxes(4),
    "xywh": ph.Boxes(4, format="xywh"),
    "yxyx": ph.Boxes(4, format="yxyx"),
    "cxcywh": ph.Boxes(2, format="cxcywh", overflow="largest"),
    "share": ph.Boxes(4, normalized=True),
    "kind": ph.Categorical(each="xywh"),
    "outline": ph.Mask(each="xywh", size=(16, 16)),
    "eyes": ph.Keypoints(2, pairs=[(0, 1)]),
    "nose": ph.Keypoints(1, normalized=True),
    "tips": ph.Keypoints(2, each="xywh"),
    "age": ph.Regression(given="sick"),
    "sick": ph.Binary(sample_weight="trust", class_weight="balanced"),
}


def declared(rows, **options):
    return ph.Feed(rows, inputs={"image": ph.Image(32, 48)}, heads=HEADS, batch_size=5, **options)


def same(ours, theirs, close=()):
    """The same batches; a feed without weights has weights of 1."""
    for one, other in zip(ours.batches(), theirs.batches(), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        for name in one.inputs:
            np.testing.assert_array_equal(one.inputs[name], other.inputs[name])
        for name, labels in one.labels.items():
            assert labels.dtype == other.labels[name].dtype
            if name in close:
                np.testing.assert_allclose(labels, other.labels[name], rtol=0, atol=1e-5, err_msg=name)
            else:
                np.testing.assert_array_equal(labels, other.labels[name], err_msg=name)
            weights = [np.float32(1) if b.weights is None else b.weights[name] for b in (one, other)]
            np.testing.assert_array_equal(*np.broadcast_arrays(*weights), err_msg=name)


CLOSE = ("xywh", "cxcywh")  # the sum of x and the width is rounded once more


def test_the_store_of_a_feed_gives_the_same_batches(tmp_path, scenes):
    feed = declared(scenes)
    store = ph.pack(feed, tmp_path / "s", shard_bytes=20_000, workers=3)
    assert len(store.manifest["shards"]) > 2
    assert set(store.columns) == {"image", *HEADS, "trust"}
    assert store.read(np.arange(3))["image"].shape == (3, 32, 48, 3)
    same(feed.on(scenes), feed.on(store), CLOSE)
    same(feed.on(scenes, shuffle=True), feed.on(tmp_path / "s", shuffle=True), CLOSE)


def test_the_declaration_reads_the_store_by_itself(tmp_path, scenes):
    store = ph.pack(declared(scenes), tmp_path / "s")
    same(declared(scenes), declared(store), CLOSE)


@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_images_that_keep_their_proportions(tmp_path, scenes, fit):
    heads = {**HEADS, "seg": HEADS["seg"].fixed(missing=255)}  # what borders hold in the store
    feed = ph.Feed(scenes, inputs={"image": ph.Image(32, 32, fit=fit)}, heads=heads, batch_size=5)
    ph.pack(feed, tmp_path / "s")
    same(feed.on(scenes), feed.on(tmp_path / "s"), CLOSE)


@pytest.mark.parametrize(
    "kinds",
    [[0, 1, 2], np.array([0, 1, 2]), np.array([0, np.nan, 2]), ["a", "b", "c"], [[0], None, [2]]],
    ids=["list", "integers", "floats", "text", "lists"],
)
def test_the_label_of_the_only_box_need_not_be_in_a_list(tmp_path, kinds):
    boxes = np.array([[12.0, 1, 16, 6], [14, 2, 18, 9], [0, 0, 3, 3]])  # the last one is cut off
    rows = {"image": [np.zeros((10, 30, 3), "uint8")] * 3, "box": boxes, "kind": kinds}
    names = ["a", "b", "c"] if kinds[0] == "a" else 3
    heads = {"box": ph.Boxes(1), "kind": ph.Categorical(names, each="box")}
    feed = ph.Feed(rows, inputs={"image": ph.Image(8, 8, fit="cover")}, heads=heads)
    ph.pack(feed, tmp_path / "s")
    same(feed, feed.on(tmp_path / "s"))


@pytest.mark.parametrize("sizes", [np.arange(6).reshape(2, 3), np.arange(12.0).reshape(2, 3, 2)])
def test_labels_in_an_array_follow_the_boxes_that_an_image_keeps(tmp_path, sizes):
    boxes = np.array([[[12.0, 1, 16, 6], [0, 0, 3, 3], [14, 2, 18, 9]]] * 2)  # the second one is cut off
    rows = {"image": [np.zeros((10, 30, 3), "uint8")] * 2, "box": boxes, "size": sizes}
    heads = {"box": ph.Boxes(3), "size": ph.Regression(sizes.shape[2:] or 1, each="box")}
    feed = ph.Feed(rows, inputs={"image": ph.Image(8, 8, fit="cover")}, heads=heads)
    ph.pack(feed, tmp_path / "s")
    same(feed, feed.on(tmp_path / "s"))
    assert next(feed.batches()).weights["size"].tolist() == [[1, 1, 0]] * 2


def test_borders_without_a_label_need_a_value_in_a_store(tmp_path, scenes):
    feed = ph.Feed(scenes, inputs={"image": ph.Image(32, 32, fit="contain")}, heads=HEADS, batch_size=5)
    with pytest.raises(ph.ContractError) as caught:
        ph.pack(feed, tmp_path / "s")
    assert str(caught.value) == (
        "head `seg`: expected a value for pixels from outside of the image, which have no label, got none. "
        "Say missing=255, or outside=0 to make them class 0."
    )


def test_an_augmented_feed_is_stored_without_augmentation(tmp_path, scenes):
    plain, moved = declared(scenes), declared(scenes, augment=[ph.Flip(p=1.0), ph.Rotate(20)])
    for name, feed in (("plain", plain), ("moved", moved)):
        ph.pack(feed, tmp_path / name)
    a, b = (sorted((tmp_path / name).glob("*.arrow")) for name in ("plain", "moved"))
    assert [path.read_bytes() for path in a] == [path.read_bytes() for path in b]


def test_a_store_is_augmented_as_the_images_are(tmp_path):
    """Images of the model's size lose nothing: a flip of the store is the flip of the file."""
    image = RNG.integers(0, 256, (32, 48, 3), dtype=np.uint8)
    PIL.fromarray(image).save(tmp_path / "a.png")
    rows = {"image": [str(tmp_path / "a.png")], "box": [[[4.0, 6.0, 20.0, 12.0]]]}
    options = {
        "inputs": {"image": ph.Image(32, 48)},
        "heads": {"box": ph.Boxes(1)},
        "augment": [ph.Flip(p=1.0)],
    }
    feed = ph.Feed(rows, **options)
    ph.pack(feed, tmp_path / "s")
    for one in (feed, ph.Feed(tmp_path / "s", **options)):
        x, y = one.peek()[:2]
        np.testing.assert_array_equal(x["image"][0], image[:, ::-1] / np.float32(255))
        assert y["box"][0].tolist() == [[28.0, 6.0, 44.0, 12.0]]


def test_boxes_points_and_masks_are_scaled_exactly(tmp_path):
    PIL.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 15:45] = 1
    rows = {
        "image": [str(tmp_path / "a.png")],
        "box": [[[15.0, 10.0, 30.0, 10.0]]],
        "tip": [[[30.0, 20.0]]],
        "mask": [mask],
    }
    heads = {"box": ph.Boxes(1, format="xywh"), "tip": ph.Keypoints(1), "mask": ph.Mask()}
    feed = ph.Feed(rows, inputs={"image": ph.Image(40, 60)}, heads=heads)
    store = ph.pack(feed, tmp_path / "s", image_size=(20, 90))
    found = store.read(np.array([0]))
    assert found["image"].shape == (1, 20, 90, 3)
    assert found["box"][0].tolist() == [[22.5, 5.0, 45.0, 5.0]]
    assert found["tip"].tolist() == [[[45.0, 10.0]]]
    drawn = found["mask"][0]
    assert drawn.dtype == np.uint8
    assert drawn[5:10, 23:67].all()
    assert drawn.sum() == drawn[5:10, 22:68].sum()  # the edge lies in the middle of pixels 22 and 67
    again = ph.Feed(store, inputs={"image": ph.Image()}, heads={**heads, "box": ph.Boxes(1, format="xywh")})
    assert again.peek()[1]["box"].tolist() == [[[22.5, 5.0, 67.5, 10.0]]]


@pytest.mark.parametrize(("encoding", "start"), [("jpeg", b"\xff\xd8\xff"), ("png", b"\x89PNG")])
def test_images_encoded_again_at_a_size(tmp_path, scenes, encoding, start):
    feed = declared(scenes)
    store = ph.pack(feed, tmp_path / "s", encoding=encoding)
    images = store.read(np.arange(ROWS))["image"]
    assert all(image.startswith(start) for image in images)
    assert {PIL.open(io.BytesIO(image)).size for image in images} == {(48, 32)}
    if encoding == "png":
        same(feed.on(scenes), feed.on(store), CLOSE)
    else:
        ours, theirs = feed.on(scenes).peek()[0]["image"], feed.on(store).peek()[0]["image"]
        assert np.abs(ours - theirs).mean() < 0.02


def test_rows_without_a_declaration_keep_their_files(tmp_path, scenes):
    store = ph.pack({name: scenes[name] for name in ("image", "seg", "xyxy")}, tmp_path / "s")
    rows = store.read(np.arange(ROWS))
    assert rows["image"] == [Path(path).read_bytes() for path in scenes["image"]]
    assert rows["seg"] == [None if path is None else Path(path).read_bytes() for path in scenes["seg"]]
    options = {"inputs": {"image": ph.Image(32, 48)}, "heads": {n: HEADS[n] for n in ("seg", "xyxy")}}
    same(ph.Feed(scenes, **options), ph.Feed(store, **options))


def test_a_feed_of_arrays_is_stored_as_it_is(tmp_path):
    rows = {"x": np.arange(8.0).reshape(4, 2), "n": np.arange(4), "y": [1, None, 0, 1], "other": ["a"] * 4}
    heads = {"y": ph.Binary(missing=0), "n": ph.Categorical()}
    feed = ph.Feed(rows, inputs="x", heads=heads, batch_size=4)
    store = ph.pack(feed, tmp_path / "s")
    assert store.columns == ("x", "y", "n")
    same(feed, feed.on(store))


def test_an_input_and_a_head_of_one_name_are_both_stored(tmp_path):
    arrays = {"a": RNG.random((4, 2), np.float32), "b": np.arange(4.0)}
    feed = ph.Feed(
        arrays, inputs={"x": ph.Array(column="a")}, heads={"x": ph.Regression(column="b")}, batch_size=2
    )
    same(feed, feed.on(ph.pack(feed, tmp_path / "s")))


def test_a_generator_is_stored(tmp_path):
    def batches():
        for start in range(0, 10, 5):
            ids = np.arange(start, start + 5)
            yield ids[:, None] * 1.0, ids % 2

    rows = ph.from_generator(batches, length=10)
    store = ph.pack(rows, tmp_path / "s", shard_bytes=24, workers=4)
    found = store.read(np.arange(10))
    assert found["x"][:, 0].tolist() == list(range(10))
    assert found["y"].tolist() == [0, 1] * 5


@pytest.mark.parametrize(
    ("column", "whole"),
    [
        (lambda ids: ids % 2, 1),
        (lambda ids: [str(i) for i in ids], 1),
        (lambda ids: [["a"] * (i % 3) for i in ids], 2),
    ],
    ids=["numbers", "text", "lists"],
)
def test_how_often_a_generator_is_read(column, whole, tmp_path, monkeypatch):
    """To its end once for all columns, and once more if a type is told by all rows; else only its first rows."""
    monkeypatch.setattr(fingerprint, "HASHED_BYTES", 800)
    read = []

    def batches():
        read.append(0)
        for start in range(0, 1000, 10):
            read[-1] += 1
            ids = np.arange(start, start + 10)
            yield ids[:, None] * 1.0, (column(ids), column(ids))

    rows = ph.from_generator(batches, length=1000, names=("x", ("y", "z")))
    store = ph.pack(rows, tmp_path / "s", workers=1)
    assert sorted(read)[-whole:] == [100] * whole
    assert sum(read) < 100 * whole + 20
    assert [str(value) for value in store.read([999])["z"]] == [
        str(value) for value in column(np.array([999]))
    ]


def test_each_column_of_a_generator_that_no_store_holds_is_named(tmp_path):
    def batches():
        yield np.zeros((2, 1)), ([["a"], ["b"]], [[1], [object()]], [[object()], [2]])

    rows = ph.from_generator(batches, length=2, names=("x", ("names", "late", "early")))
    with pytest.raises(ph.DataError) as error:
        ph.pack(rows, tmp_path / "s")
    assert [problem.place for problem in error.value.problems] == [
        "column `late`, row 1",
        "column `early`, row 0",
    ]


def yolo_rows(_folder):
    return read_yolo(
        DATA / "instance_segmentation" / "config.yaml",
        images=DATA / "images/train2017",
        labels=DATA / "instance_segmentation" / "labels" / "train2017",
    )


def panoptic_rows(_folder):
    file = DATA / "panoptic_segmentation" / "annotations" / "panoptic_train2017.json"
    return ph.read_coco(file, DATA / "images/train2017")


def voc_rows(folder):
    """The same boxes of every third photograph, written as Pascal VOC has them."""
    for name in ("JPEGImages", "Annotations"):
        (folder / name).mkdir(parents=True)
    rows = yolo_rows(folder)
    read = rows.read(np.arange(0, len(rows), 3))
    for path, boxes, labels, (height, width) in zip(
        read["image"], read["boxes"], read["labels"], read["size"].tolist(), strict=True
    ):
        shutil.copyfile(path, folder / "JPEGImages" / Path(path).name)
        things = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{right}</xmax>"
            f"<ymax>{bottom}</ymax></bndbox></object>"
            for name, (x, y, right, bottom) in zip(labels or [], () if boxes is None else boxes, strict=True)
        )
        size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{Path(path).name}</filename>{size}{things}</annotation>"
        if boxes is not None:
            (folder / "Annotations" / f"{Path(path).stem}.xml").write_text(text)
    return ph.read_voc(folder)


# how to read them, how many are not annotated, and how many are looked at
REAL = {"yolo": (yolo_rows, 28, 128), "panoptic": (panoptic_rows, 0, 24), "voc": (voc_rows, 9, 43)}


@pytest.mark.skipif(not DATA.is_dir(), reason="coco128 is not beside the project, in ../shared/data")
@pytest.mark.parametrize("layout", ["yolo", pytest.param("panoptic", marks=pytest.mark.slow), "voc"])
def test_real_photographs(tmp_path, layout):
    make, missing, count = REAL[layout]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ph.PolyheadWarning)
        given = make(tmp_path / "given")
    rows = given.select(np.arange(count))
    most = max(0 if boxes is None else len(boxes) for boxes in rows.read(np.arange(len(rows)))["boxes"])
    heads = {
        "boxes": ph.Boxes(most),
        "labels": ph.Categorical(given.categories, each="boxes"),
        "categories": ph.MultiLabel(given.categories),
    }
    if "masks" in rows.columns:
        heads["masks"] = ph.Mask(each="boxes", size=(28, 28), missing=-1 if layout == "panoptic" else None)
    feed = ph.Feed(rows, inputs={"image": ph.Image(96, 96)}, heads=heads, batch_size=32)
    ph.pack(feed, tmp_path / "s")
    same(feed, feed.on(tmp_path / "s"))
    weights = [batch.weights["categories"] for batch in feed.on(tmp_path / "s").batches()]
    assert sum(int((one == 0).sum()) for one in weights) == missing


@pytest.mark.skipif(not DATA.is_dir(), reason="coco128 is not beside the project, in ../shared/data")
def test_real_photographs_with_masks_in_files(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ph.PolyheadWarning)
        rows = ph.read_folder(DATA, images="images/train2017", masks="semantic_segmentation/masks/train2017")
    feed = ph.Feed(rows, inputs={"image": ph.Image(96, 96)}, heads={"mask": ph.Mask(256)}, batch_size=32)
    store = ph.pack(feed, tmp_path / "s")
    same(feed, feed.on(store))
    assert [mask is None for mask in store.read(np.arange(128))["mask"]].count(True) == 28


# What is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"image_size": 64},
            "pack(image_size=): expected a feed, got rows without a declaration. Pack a feed: its declaration "
            "says which columns are images, and which labels are in them.",
        ),
        ({"image_size": (0, 3)}, "pack(image_size=): expected (height, width) in pixels, got (0, 3)."),
        ({"encoding": "gif"}, "pack(encoding=): expected one of pixels, jpeg, png, got 'gif'."),
        ({"quality": 0}, "pack(quality=): expected an integer in [1, 100], got 0."),
        ({"workers": -1}, 'pack(workers=): expected "auto" or an integer of at least 0, got -1.'),
        ({"shard_bytes": 0}, "pack(shard_bytes=): expected a positive integer, got 0."),
    ],
)
def test_wrong_options(tmp_path, options, message):
    with pytest.raises(ContractError) as caught:
        ph.pack({"x": [1]}, tmp_path / "s", **options)
    assert str(caught.value) == message
    assert not (tmp_path / "s").exists()


def test_a_column_at_two_sizes(tmp_path, scenes):
    inputs = {"small": ph.Image(8, 8, column="image"), "large": ph.Image(16, 16, column="image")}
    feed = ph.Feed(scenes, inputs=inputs, heads={"sick": ph.Binary()})
    with pytest.raises(ContractError) as caught:
        ph.pack(feed, tmp_path / "s")
    assert str(caught.value) == (
        "column `image`: expected one input or head that reads it, as it is stored at one size, got `small`, `large`. "
        "Give one of them a column of its own."
    )


def test_an_image_that_does_not_decode_is_named(tmp_path, scenes):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(Path(scenes["image"][9]).read_bytes()[:-40])
    scenes["image"][9] = str(bad)
    with pytest.raises(ph.DataError, match=f"input `image`, row 9, file {bad}: expected a whole JPEG"):
        ph.pack(declared(scenes), tmp_path / "s")
