"""Masks in colors: arrays, lists and files, with and without a palette."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import BadValue
from polyhead.kinds.color_classes import Colors

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")

NAMES = ["void", "road", "car"]
COLORS = [(0, 0, 0), (128, 64, 128), (0, 0, 142)]
NONE, OTHER = (255, 255, 255), (70, 70, 70)
RNG = np.random.default_rng(4)
IDS = RNG.integers(0, 3, (6, 8, 10))
PAINTED = np.array(COLORS, np.uint8)[IDS]


def feed_of(masks, head=None, size=(8, 10), **arguments):
    head = head or ph.Mask(NAMES, values=COLORS)
    data = {"image": np.zeros((len(masks), 8, 10, 3), np.uint8), "mask": masks}
    arguments = {"batch_size": len(masks), "workers": 0} | arguments
    return ph.Feed(data, inputs={"image": ph.Image(*size)}, heads={"mask": head}, **arguments)


def labels_of(masks, head=None, **arguments):
    batch = next(iter(feed_of(masks, head, **arguments).batches()))
    weights = None if batch.weights is None else batch.weights["mask"]
    return batch.labels["mask"], weights


def saved(folder, mode, kind="png"):
    paths = []
    for i, mask in enumerate(PAINTED):
        image = PIL.fromarray(mask)
        if mode == "P":
            image = PIL.fromarray(IDS[i].astype(np.uint8) + 3, "P")  # the places in the palette say nothing
            image.putpalette([9] * 9 + [n for color in COLORS for n in color])
        elif mode == "RGBA":
            image.putalpha(200)
        path = folder / f"{mode}{i}.{kind}"
        image.save(path)
        paths.append(str(path))
    return paths


def test_arrays_and_lists():
    for masks in (PAINTED, list(PAINTED), PAINTED.astype(np.int64), [mask.tolist() for mask in PAINTED]):
        labels, weights = labels_of(masks)
        np.testing.assert_array_equal(labels, IDS)
        assert labels.dtype == np.int32
        assert weights is None or (weights == 1).all()


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_files(tmp_path, mode, as_bytes):
    masks = saved(tmp_path, mode)
    if as_bytes:
        masks = [Path(path).read_bytes() for path in masks]
    np.testing.assert_array_equal(labels_of(masks)[0], IDS)
    np.testing.assert_array_equal(labels_of(masks, batch_size=4, workers=2)[0], IDS[:4])


@pytest.mark.parametrize("kind", ["bmp", "tif", "webp"])
def test_files_of_other_formats(tmp_path, kind):
    paths = []
    for i, mask in enumerate(PAINTED):
        path = tmp_path / f"{i}.{kind}"
        PIL.fromarray(mask).save(path, **({"lossless": True, "exact": True} if kind == "webp" else {}))
        paths.append(path)
    np.testing.assert_array_equal(labels_of(paths)[0], IDS)


def test_two_colors_are_a_binary_mask():
    labels, _ = labels_of(
        PAINTED[..., :] * 0 + 7 * (IDS[..., None] > 0), ph.Mask(values=[(0, 0, 0), (7, 7, 7)])
    )
    np.testing.assert_array_equal(labels, (IDS > 0)[..., None])
    assert labels.dtype == np.float32


@pytest.mark.parametrize("missing", [NONE, [NONE, OTHER]])
@pytest.mark.parametrize("files", [False, True])
def test_colors_without_a_label(tmp_path, missing, files):
    painted = PAINTED.copy()
    painted[:, :2] = NONE
    painted[:, 2:4] = OTHER if missing != NONE else NONE
    masks = [*painted[:5], None]
    if files:
        for i, mask in enumerate(painted[:5]):
            PIL.fromarray(mask).save(tmp_path / f"{i}.png")
            masks[i] = tmp_path / f"{i}.png"
    labels, weights = labels_of(masks, ph.Mask(NAMES, values=COLORS, missing=missing))
    np.testing.assert_array_equal(labels[:5, 4:], IDS[:5, 4:])
    assert (weights[:5, :4] == 0).all()
    assert (weights[:5, 4:] == 1).all()
    assert (weights[5] == 0).all()


def test_masks_are_resized_to_the_nearest_pixel(tmp_path):
    blocks = np.kron(IDS, np.ones((1, 6, 6), int))
    paths = []
    for i, ids in enumerate(blocks):
        PIL.fromarray(np.array(COLORS, np.uint8)[ids]).save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    np.testing.assert_array_equal(labels_of(paths)[0], IDS)
    large = labels_of(paths, size=(16, 20))[0]
    np.testing.assert_array_equal(large, np.kron(IDS, np.ones((1, 2, 2), int)))


@pytest.mark.parametrize("files", [False, True])
def test_they_move_with_the_image(tmp_path, files):
    masks = saved(tmp_path, "RGB") if files else PAINTED
    head = ph.Mask(NAMES, values=COLORS, missing=NONE)
    labels, weights = labels_of(masks, head, augment=[ph.Flip(p=1)])
    np.testing.assert_array_equal(labels, IDS[:, :, ::-1])
    assert (weights == 1).all()
    labels, weights = labels_of(masks, head, augment=[ph.Rotate(90)])
    assert 0 < weights.mean() < 1
    assert np.isin(labels, [0, 1, 2]).all()


@pytest.mark.parametrize("kind", ["file", "bytes", "array", "list"])
@pytest.mark.parametrize("missing", [None, NONE])
def test_a_color_of_no_class_is_named_with_its_row_and_file(tmp_path, kind, missing):
    painted = PAINTED.copy()
    painted[4, 3, 2] = (1, 2, 3)
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, mask in zip(paths, painted, strict=True):
        PIL.fromarray(mask).save(path)
    column = {
        "file": paths,
        "bytes": [path.read_bytes() for path in paths],
        "array": painted,
        "list": list(painted),
    }
    with pytest.raises(ph.DataError) as raised:
        labels_of(column[kind], ph.Mask(NAMES, values=COLORS, missing=missing))
    fix = "say Mask(missing=(1, 2, 3))" if missing is None else "add it to Mask(missing=[(1, 2, 3), ...])"
    assert str(raised.value) == (
        f"head `mask`, row 4{f', file {paths[4]}' if kind == 'file' else ''}: expected one of the colors (0, 0, 0), "
        f"(128, 64, 128), (0, 0, 142) in each pixel, got (1, 2, 3). If pixels of this color have no label, {fix}."
    )


def test_a_lossy_file_is_refused(tmp_path):
    paths = saved(tmp_path, "RGB", "jpg")
    with pytest.raises(ph.DataError, match="expected a mask in a lossless format, got a lossy JPEG"):
        labels_of(paths)


def test_a_file_in_colors_without_values_says_what_to_declare(tmp_path):
    with pytest.raises(
        ph.DataError, match=r"Give the color of each class: Mask\(values=\[\(r, g, b\), \.\.\.\]\)\."
    ):
        labels_of(saved(tmp_path, "RGB"), ph.Mask(3))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ({"values": COLORS[:2]}, "Mask(values=): expected 3 distinct colors (r, g, b) of 0 to 255, one for each "
         "class, none of them missing=, got [(0, 0, 0), (128, 64, 128)]."),
        ({"values": [*COLORS[:2], (0, 0, 0)]}, "got [(0, 0, 0), (128, 64, 128), (0, 0, 0)]."),
        ({"values": [*COLORS[:2], (0, 0, 256)]}, "got [(0, 0, 0), (128, 64, 128), (0, 0, 256)]."),
        ({"values": [*COLORS[:2], 7]}, "got [(0, 0, 0), (128, 64, 128), 7]."),
        ({"values": COLORS, "missing": (0, 0, 0)}, "none of them missing=, got"),
        ({"values": COLORS, "missing": 255}, "Mask(missing=): expected the color of pixels without a label, as "
         "(r, g, b), or a list of colors, got 255."),
        ({"values": COLORS[:2], "multi": True}, "Mask(values=): expected one color, and so one class, a pixel, got "
         "multi=True. Leave multi=True out, or give binary masks (H, W, n)."),
    ],
)  # fmt: skip
def test_colors_that_are_none(head, words):
    with pytest.raises(ph.ContractError) as raised:
        ph.Mask(NAMES, **head)
    assert words in str(raised.value)


def test_what_is_no_mask_in_colors():
    with pytest.raises(
        ph.DataError, match=r"a mask in colors, RGB of 0 to 255 \(H, W, 3\), got uint8 of shape"
    ):
        labels_of([mask[..., 0] for mask in PAINTED])
    with pytest.raises(ph.DataError, match="expected colors of 0 to 255, got 0 to 300"):
        labels_of(np.where(PAINTED == 142, 300, PAINTED.astype(int)))
    with pytest.raises(BadValue):
        Colors(((0, 0, 0),)).ids(np.zeros((2, 2, 3)))


def test_many_classes_and_back_again():
    many = np.stack([np.arange(300) // 256, np.arange(300) % 256, np.full(300, 9)], 1)
    colors = Colors(tuple(map(tuple, many.tolist())), ((9, 9, 9),))
    ids = RNG.integers(0, 300, (4, 5))
    assert np.array_equal(colors.ids(many[ids].astype(np.uint8)), ids)
    assert colors.ids(np.full((1, 1, 3), 9, np.uint8)).tolist() == [[colors.missing_id]]
    assert np.array_equal(colors.painted(ids), many[ids])


def test_class_weights_and_the_declaration_that_is_shown():
    head = ph.Mask(NAMES, values=COLORS, class_weight="balanced")
    feed = feed_of(PAINTED, head)
    weights = feed.heads["mask"].class_weight
    counts = np.bincount(IDS.ravel())
    assert [weights[name] for name in NAMES] == pytest.approx((IDS.size / (3 * counts)).tolist())
    assert repr(ph.Mask(NAMES, values=COLORS)).startswith(
        "Mask(['void', 'road', 'car'], values=((0, 0, 0), (128,"
    )
    assert json.dumps(feed.heads["mask"].values)


def test_a_store_holds_colors(tmp_path):
    paths = saved(tmp_path, "P")
    head = ph.Mask(NAMES, values=COLORS, missing=NONE)
    feed = feed_of([*paths[:5], None], head)
    ph.pack(feed, tmp_path / "store")
    stored = feed.on(ph.open_store(tmp_path / "store"))
    one, two = (next(iter(f.batches())) for f in (feed, stored))
    np.testing.assert_array_equal(one.labels["mask"], two.labels["mask"])
    np.testing.assert_array_equal(one.weights["mask"], two.weights["mask"])


def test_a_mask_in_colors_trains():
    feed = feed_of(PAINTED, ph.Mask(NAMES, values=COLORS))
    image = keras.Input((8, 10, 3), name="image")
    model = keras.Model(image, ph.outputs(image, feed.heads))
    ph.compile(model, feed, optimizer="sgd")
    assert np.isfinite(model.fit(feed, epochs=1, verbose=0).history["loss"][0])
