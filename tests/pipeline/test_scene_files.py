"""What lies in images that are turned, of 16 bits, of another size or of any format, through a feed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
from polyhead.augment.warp import warp
from polyhead.images.decode import upright
from polyhead.images.geometry import resize
from polyhead.readers.as_source import as_source

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")

HIGH, WIDE = 40, 60
BOX = [8.0, 4, 30, 14]
SHOWN = np.zeros((HIGH, WIDE, 3), np.uint8)
SHOWN[4:14, 8:30] = 255
BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
FORMATS = {"png": {}, "jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}, "tif": {}}


def stored(pixels, orientation):
    """Pixels as a file of this orientation stores them."""
    return np.ascontiguousarray(upright(pixels, BACK[orientation]))


def saved(path, pixels, orientation):
    exif = PIL.Exif()
    exif[274] = orientation
    PIL.fromarray(pixels).save(path, exif=exif, **FORMATS[path.suffix[1:]])
    return str(path)


def around(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def labels_of(pixels, folder):
    """The white rectangle as a mask in a file, as a box, as keypoints at its corners, and in shares of the image."""
    mask = (pixels[..., 0] > 127).astype(np.uint8)
    PIL.fromarray(mask * 255).save(folder / "mask.png")
    box = around(mask)
    shares = box / np.tile(mask.shape[::-1], 2)
    return {
        "mask": [str(folder / "mask.png")],
        "box": [box[None]],
        "corners": [box.reshape(2, 2)],
        "share": [shares[None]],
    }


HEADS = {
    "mask": ph.Mask(values=(0, 255)),
    "box": ph.Boxes(1),
    "corners": ph.Keypoints(2),
    "share": ph.Boxes(1, normalized=True),
}


@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)]], ids=["plain", "flipped"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("exif", ["applied", "ignored"])
def test_all_that_lies_in_a_turned_image_turns_with_it(tmp_path, format, orientation, exif, augment):
    pixels = stored(SHOWN, orientation)
    path = saved(tmp_path / f"a.{format}", pixels, orientation)
    rows = {"image": [path], **labels_of(SHOWN if exif == "applied" else pixels, tmp_path)}
    inputs = {"image": ph.Image(HIGH, WIDE, exif=exif)}
    feed = ph.Feed(rows, inputs=inputs, heads=HEADS, batch_size=1, augment=augment)
    x, y, *_ = next(iter(feed))
    expected = SHOWN[:, ::-1] if augment else SHOWN
    box = around(expected[..., 0])
    assert np.abs(x["image"][0] * 255 - expected).max() < (20 if format == "jpg" else 1)
    np.testing.assert_array_equal(y["mask"][0, ..., 0], expected[..., 0] == 255)
    np.testing.assert_allclose(y["box"][0, 0], box, atol=1e-4)
    np.testing.assert_allclose(y["share"][0, 0], box / [WIDE, HIGH, WIDE, HIGH], atol=1e-6)
    np.testing.assert_allclose(np.sort(y["corners"][0], axis=0), box.reshape(2, 2), atol=1e-4)


def test_a_function_of_one_s_own_gets_them_turned_too(tmp_path):
    pixels = stored(SHOWN, 6)
    rows = {"image": [saved(tmp_path / "a.png", pixels, 6)], **labels_of(pixels, tmp_path)}
    seen = []

    def look(image, mask, boxes, points):
        seen.append((image, mask, boxes, points))
        return {"image": image, "mask": mask, "boxes": boxes, "points": points}

    inputs = {"image": ph.Image(HIGH, WIDE, exif="ignored")}
    heads = {name: HEADS[name] for name in ("mask", "box", "corners")}
    feed = ph.Feed(rows, inputs=inputs, heads=heads, batch_size=1, augment=[ph.Apply(look)], workers=0)
    next(iter(feed))
    image, mask, boxes, points = seen[-1]
    np.testing.assert_array_equal(image, SHOWN)
    np.testing.assert_array_equal(mask, SHOWN[..., 0])
    np.testing.assert_allclose(boxes, [BOX], atol=1e-4)
    np.testing.assert_allclose(np.sort(points, 0), [[8, 4], [30, 14]], atol=1e-4)


@pytest.mark.parametrize("kind", ["file", "bytes", "array"])
@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_function_of_one_s_own_names_the_row_and_the_file(tmp_path, kind, workers):
    def fails(image):
        if image.mean() > 200:
            raise ZeroDivisionError("too light")
        return image

    pixels = np.zeros((4, 8, 8, 3), np.uint8)
    pixels[2] = 255
    paths = [saved(tmp_path / f"{i}.png", one, 1) for i, one in enumerate(pixels)]
    column = {"file": paths, "bytes": [Path(path).read_bytes() for path in paths], "array": pixels}[kind]
    data = {"image": column, "kind": [0, 1, 0, 1]}
    feed = ph.Feed(
        data,
        inputs={"image": ph.Image(8, 8)},
        heads={"kind": ph.Binary()},
        batch_size=2,
        augment=[ph.Apply(fails)],
        workers=workers,
    )
    file = f", file {paths[2]}" if kind == "file" else ""
    words = f"Apply(fails), input `image`, row 2{file}: expected a sample returned, got ZeroDivisionError: too light ("
    with pytest.raises(ph.DataError, match=re.escape(words)):
        list(feed)


@pytest.mark.parametrize(
    ("exif", "words"),
    [
        (
            "applied",
            "head `mask`, row 0: expected a mask of the image with its Exif orientation applied, 40 x 60, got 60 x 40, "
            'the size with it ignored. Say ph.Image(..., exif="ignored"), if all labels are like that.',
        ),
        (
            "ignored",
            "head `mask`, row 0: expected a mask of the image with its Exif orientation ignored, 60 x 40, got 40 x 60, "
            'the size with it applied. Leave out exif="ignored", if all labels are like that.',
        ),
    ],
)
def test_a_mask_of_the_image_turned_by_a_quarter_is_said(tmp_path, exif, words):
    pixels = stored(SHOWN, 8)
    of = pixels if exif == "applied" else SHOWN
    rows = {"image": [saved(tmp_path / "a.jpg", pixels, 8)], "mask": labels_of(of, tmp_path)["mask"]}
    with pytest.raises(ph.DataError) as caught:
        ph.Feed(
            rows,
            inputs={"image": ph.Image(20, 30, exif=exif)},
            heads={"mask": ph.Mask(values=(0, 255))},
        ).peek()
    assert str(caught.value) == words
    (problem,) = caught.value.problems
    assert problem.code == "turned"


@pytest.mark.parametrize("exif", ["applied", "ignored"])
def test_yolo_s_shares_are_of_the_image_as_it_is_shown_or_stored(tmp_path, exif):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    pixels = stored(SHOWN, 6)
    saved(tmp_path / "images" / "a.webp", pixels, 6)
    share = labels_of(SHOWN if exif == "applied" else pixels, tmp_path)["share"][0][0]
    line = [*(share[:2] + share[2:]) / 2, *(share[2:] - share[:2])]
    (tmp_path / "labels" / "a.txt").write_text("0 " + " ".join(map(str, line)))
    rows = ph.read_yolo(tmp_path, names=["box"], exif=exif)
    assert rows.read(np.array([0]))["size"].tolist() == [[HIGH, WIDE] if exif == "applied" else [WIDE, HIGH]]
    for said in (exif, None):
        inputs = {"image": ph.Image(HIGH, WIDE, exif=said)}
        feed = ph.Feed(rows, inputs=inputs, heads={"boxes": ph.Boxes(1)}, batch_size=1)
        np.testing.assert_allclose(feed.peek()[1]["boxes"][0, 0], BOX, atol=1e-3)
    ph.pack(rows, tmp_path / "rows.store", progress=False)  # files as they are, which are still to be turned
    ph.pack(feed, tmp_path / "feed.store", progress=False)
    for store in ("rows.store", "feed.store"):
        found = feed.on(tmp_path / store)
        np.testing.assert_allclose(found.peek()[1]["boxes"][0, 0], BOX, atol=1e-3)
    if exif == "ignored":
        with pytest.raises(
            ph.DataError, match='expected exif="applied", as the reader of the images was told'
        ):
            feed.on(ph.read_yolo(tmp_path, names=["box"]))


def test_coco_s_sizes_tell_on_what_its_annotations_were_made(tmp_path):
    pixels = stored(SHOWN, 6)
    saved(tmp_path / "a.jpg", pixels, 6)
    left, top, right, bottom = around(pixels[..., 0])
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": WIDE, "width": HIGH}],
        "categories": [{"id": 1, "name": "box"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
            }
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ph.DataError) as caught:
        ph.read_coco(tmp_path / "a.json", tmp_path)
    assert str(caught.value) == (
        f"file {tmp_path / 'a.jpg'}: expected the size (height x width) in the annotation, got 40 x 60 in the "
        "image, 60 x 40 in the annotation. It was annotated with its Exif orientation ignored: say "
        'exif="ignored". Say missing_files="drop" to leave such images out.'
    )
    rows = ph.read_coco(tmp_path / "a.json", tmp_path, exif="ignored")
    one = {
        name: [values[0][0]]
        for name, values in rows.read(np.array([0])).items()
        if name in ("boxes", "masks")
    }
    feed = ph.Feed(
        {"image": [str(tmp_path / "a.jpg")], **one},
        inputs={"image": ph.Image(HIGH, WIDE, exif="ignored")},
        heads={"boxes": ph.Boxes(1), "masks": ph.Mask()},
        batch_size=1,
    )
    _, y, *_ = feed.peek()
    np.testing.assert_allclose(y["boxes"][0, 0], BOX, atol=1e-3)
    np.testing.assert_array_equal(y["masks"][0, ..., 0], SHOWN[..., 0] // 255)
    heads = {"boxes": ph.Boxes(1), "masks": ph.Mask(each="boxes")}
    for source in (rows, rows.select([0]), rows.concat(rows)):  # what was said to the reader is known
        known = ph.Feed(source, inputs={"image": ph.Image(HIGH, WIDE)}, heads=heads, batch_size=1)
        _, y, *_ = known.peek()
        np.testing.assert_allclose(y["boxes"][0, 0], BOX, atol=1e-3)
        np.testing.assert_array_equal(y["masks"][0, 0, ..., 0], SHOWN[..., 0] // 255)
    with pytest.raises(ph.DataError) as caught:
        ph.Feed(rows, inputs={"image": ph.Image(HIGH, WIDE, exif="applied")}, heads=heads)
    assert str(caught.value) == (
        'input `image`: expected exif="ignored", as the reader of the images was told, got exif="applied". '
        "Say the same to both, or leave it out here."
    )


def test_exif_is_one_of_two_words():
    with pytest.raises(ph.ContractError) as caught:
        ph.Image(8, 8, exif="shown")
    assert str(caught.value) == 'Image(exif=): expected "applied" or "ignored", got \'shown\'.'


# Formats ---------------------------------------------------------------------------------------------


def image_of(path, channels=None, **options):
    feed = ph.Feed(
        {"image": [str(path)], "y": [0.0]},
        inputs={"image": ph.Image(HIGH, WIDE, channels, **options)},
        heads={"y": ph.Regression()},
        batch_size=1,
    )
    return feed.peek()[0]["image"][0]


def test_16_bits_are_kept(tmp_path):
    gray = np.linspace(0, 65535, HIGH * WIDE).astype(np.uint16).reshape(HIGH, WIDE)
    colors = np.stack([gray, gray.T.reshape(HIGH, WIDE), gray[::-1]], 2)
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    cv2.imwrite(str(tmp_path / "colors.png"), colors[..., ::-1])
    np.testing.assert_allclose(image_of(tmp_path / "gray.png", 1)[..., 0], gray / 65535, atol=1e-6)
    np.testing.assert_allclose(image_of(tmp_path / "colors.png"), colors / 65535, atol=1e-6)
    eight = image_of(tmp_path / "gray.png", 1, dtype="uint8")
    assert eight.dtype == np.uint8
    assert np.abs(eight[..., 0] - gray / 257).max() <= 0.5


def test_images_of_8_and_16_bits_in_one_batch_also_augmented(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((HIGH, WIDE), 0x8000, np.uint16))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((HIGH, WIDE), 64, np.uint8))
    feed = ph.Feed(
        {"image": [str(tmp_path / "a.png"), str(tmp_path / "b.png")], "y": [0.0, 1]},
        inputs={"image": ph.Image(20, 20)},
        heads={"y": ph.Regression()},
        batch_size=2,
        augment=[ph.Flip(), ph.Color(0.01)],
    )
    x, *_ = next(iter(feed))
    assert x["image"].dtype == np.float32
    np.testing.assert_allclose(x["image"].mean((1, 2, 3)), [0x8000 / 65535, 64 / 255], atol=0.01)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_white_stays_white_however_interpolation_rounds(tmp_path, dtype):
    white = np.ones((7, 14, 3), np.float32)
    assert cv2.resize(white, (4, 4), interpolation=cv2.INTER_AREA).max() > 1
    PIL.fromarray(np.full((7, 14, 3), 255, np.uint8)).save(tmp_path / "a.png")
    for value, options in ((str(tmp_path / "a.png"), {"range": (0, 255)}), (white, {})):
        inputs = {"image": ph.Image(4, 4, 3, dtype=dtype, **options)}
        feed = ph.Feed(
            {"image": [value], "y": [0.0]}, inputs=inputs, heads={"y": ph.Regression()}, batch_size=1
        )
        assert (feed.peek()[0]["image"] == (1 if dtype == "float32" else 255)).all()


def test_alpha_is_left_out_or_kept(tmp_path):
    rgba = np.dstack([SHOWN, np.full((HIGH, WIDE), 100, np.uint8)])
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True}), ("a.tif", {})):
        PIL.fromarray(rgba).save(tmp_path / name, **options)
        np.testing.assert_allclose(image_of(tmp_path / name), SHOWN / 255, atol=1e-6)
    np.testing.assert_allclose(image_of(tmp_path / "a.png", 4), rgba / 255, atol=1e-6)


def test_a_float_tiff_in_0_1(tmp_path):
    gray = np.linspace(0, 1, HIGH * WIDE, dtype=np.float32).reshape(HIGH, WIDE)
    cv2.imwrite(str(tmp_path / "a.tif"), gray)
    np.testing.assert_allclose(image_of(tmp_path / "a.tif", 1)[..., 0], gray, atol=1e-6)
    cv2.imwrite(str(tmp_path / "b.tif"), gray * 1000)
    with pytest.raises(
        ph.DataError, match=r"input `image`, row 0, file .*b.tif: expected pixels in 0–1, as they are floats"
    ):
        image_of(tmp_path / "b.tif", 1)
    eight = image_of(tmp_path / "a.tif", 1, dtype="uint8")
    assert eight.dtype == np.uint8
    np.testing.assert_array_equal(eight[..., 0], np.rint(gray * 255))


@pytest.mark.parametrize(
    "name", ["palette.png", "palette.tif", "gray.png", "gray16.png", "alpha.png", "ids.webp"]
)
def test_masks_in_files_keep_their_ids(tmp_path, name):
    ids = np.zeros((HIGH, WIDE), np.uint8)
    ids[10:30, 5:25], ids[:4] = 3, 1
    if name.startswith("palette"):
        mask = PIL.frombytes("P", (WIDE, HIGH), ids.tobytes())
        mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 9, 9, 9])
    elif name == "gray16.png":
        mask = PIL.fromarray(ids.astype(np.uint16))
    elif name == "alpha.png":
        mask = PIL.merge("LA", [PIL.fromarray(ids), PIL.fromarray(255 - ids)])
    else:
        mask = PIL.fromarray(np.dstack([ids] * 3) if name == "ids.webp" else ids)
    mask.save(tmp_path / name, **({"lossless": True} if name == "ids.webp" else {}))
    PIL.fromarray(SHOWN).save(tmp_path / "image.png")
    feed = ph.Feed(
        {"image": [str(tmp_path / "image.png")], "mask": [str(tmp_path / name)]},
        inputs={"image": ph.Image(HIGH, WIDE)},
        heads={"mask": ph.Mask(4)},
        batch_size=1,
    )
    np.testing.assert_array_equal(feed.peek()[1]["mask"][0], ids)


def test_white_of_1_bit_and_of_8_bits_is_the_same_in_black_and_white_masks(tmp_path):
    white = np.random.default_rng(1).random((3, HIGH, WIDE)) < 0.5
    white[2] = False
    masks = [PIL.fromarray(white[0]), PIL.fromarray(white[1] * np.uint8(255)), PIL.fromarray(white[2])]
    for i, mask in enumerate(masks):
        mask.save(tmp_path / f"{i}.png")
    assert [mask.mode for mask in masks] == ["1", "L", "1"]
    PIL.fromarray(SHOWN).save(tmp_path / "image.png")
    data = {
        "image": [str(tmp_path / "image.png")] * 3,
        "mask": [str(tmp_path / f"{i}.png") for i in range(3)],
    }
    feed = ph.Feed(
        data, inputs={"image": ph.Image(HIGH, WIDE)}, heads={"mask": ph.Mask(values=(0, 255))}, batch_size=3
    )
    np.testing.assert_array_equal(feed.peek()[1]["mask"][..., 0], white)


def test_ids_of_8_bits_are_no_white(tmp_path):
    PIL.fromarray(np.eye(HIGH, WIDE, dtype=np.uint8)).save(tmp_path / "mask.png")
    PIL.fromarray(SHOWN).save(tmp_path / "image.png")
    data = {"image": [str(tmp_path / "image.png")], "mask": [str(tmp_path / "mask.png")]}
    with pytest.raises(ph.DataError, match=r"expected one of the values \[0, 255\] in each pixel, got 1\."):
        ph.Feed(data, inputs={"image": ph.Image(HIGH, WIDE)}, heads={"mask": ph.Mask(values=(0, 255))}).peek()


def test_polygons_in_the_place_of_a_mask_are_to_be_drawn(tmp_path):
    PIL.fromarray(SHOWN).save(tmp_path / "image.png")
    data = {"image": [str(tmp_path / "image.png")], "mask": [[[10, 5, 30, 5, 30, 20, 10, 20]]]}
    with (
        pytest.warns(
            ph.PolyheadWarning, match=r"draw them: PIL\.ImageDraw\.Draw\(mask\)\.polygon\(corners, fill=1\)"
        ),
        pytest.raises(ph.DataError, match="expected 0 or 1 in each pixel, got 10"),
    ):
        ph.Feed(data, inputs={"image": ph.Image(HIGH, WIDE)}, heads={"mask": ph.Mask()}).peek()


@pytest.mark.parametrize("views", [["a.png", "b.png"], ("a.png", "b.png")], ids=["list", "tuple"])
def test_several_images_in_one_row_are_several_inputs(views):
    data = {"a": [views], "c": [0]}
    with pytest.raises(ph.DataError) as raised:
        ph.Feed(data, inputs={"a": ph.Image(32, 32)}, heads={"c": ph.Binary()}).peek()
    assert str(raised.value) == (
        f"input `a`, row 0: expected an image, got a list of files, {views}. Give each view a column and an input of "
        "its own: [row[0] for row in column]."
    )


@pytest.mark.parametrize("form", ["npy", "list", "image"])
@pytest.mark.parametrize("augment", [(), [ph.Flip()]], ids=["plain", "flipped"])
def test_several_masks_in_one_file_or_in_one_file_each(tmp_path, form, augment):
    masks = np.random.default_rng(0).integers(0, 2, (2, HIGH, WIDE, 3), dtype=np.uint8)
    column = []
    for i, row in enumerate(masks):
        PIL.fromarray(SHOWN).save(tmp_path / f"image{i}.png")
        np.save(tmp_path / f"{i}.npy", row)
        PIL.fromarray(row).save(tmp_path / f"{i}.png")
        files = [str(tmp_path / f"{i}_{k}.png") for k in range(3)]
        for k, file in enumerate(files):
            PIL.fromarray(row[..., k]).save(file)
        column.append(
            {"npy": str(tmp_path / f"{i}.npy"), "list": files, "image": str(tmp_path / f"{i}.png")}[form]
        )
    images = [str(tmp_path / f"image{i}.png") for i in range(2)]

    def made(column, masks=3):
        heads = {"mask": ph.Mask(masks, multi=True)}
        rows = {"image": images, "mask": column}
        return ph.Feed(
            rows, inputs={"image": ph.Image(HIGH, WIDE)}, heads=heads, augment=augment, batch_size=2
        )

    np.testing.assert_array_equal(made(column).peek()[1]["mask"], made(masks).peek()[1]["mask"])
    named = f", file {column[0]}" if form != "list" else ""
    expected = (
        "4 masks of one size, one of each file, got 3"
        if form == "list"
        else r"4 masks, \(H, W, 4\), got 3 chan"
    )
    with pytest.raises(ph.DataError, match=f"^head `mask`, row 0{named}: expected {expected}"):
        made(column, 4)


@pytest.mark.parametrize("kind", ["paths", "bytes", "arrays"])
@pytest.mark.parametrize("augment", [(), [ph.Flip()]], ids=["plain", "flipped"])
def test_a_mask_that_is_missing_after_others_counts_for_nothing(tmp_path, kind, augment):
    labels_of(SHOWN, tmp_path)
    path = tmp_path / "mask.png"
    mask = {"paths": str(path), "bytes": path.read_bytes(), "arrays": SHOWN[..., 0]}[kind]
    PIL.fromarray(SHOWN).save(tmp_path / "a.png")
    rows = {"image": [str(tmp_path / "a.png")] * 40, "mask": [mask] * 38 + [None] * 2}
    feed = ph.Feed(
        rows, inputs={"image": ph.Image(8, 8)}, heads={"mask": HEADS["mask"]}, batch_size=40, augment=augment
    )
    _, y, w = next(iter(feed))
    assert w["mask"].ravel().tolist() == [1] * 38 + [0] * 2
    assert not y["mask"][38:].any()
    assert str(feed.describe()).splitlines()[-1].split()[:4] == ["head", "mask", "95.0%", "labeled"]


# Sizes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "float16"])
@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)]], ids=["plain", "flipped"])
def test_arrays_of_another_size_are_resized_with_what_lies_in_them(dtype, augment):
    pixels = np.stack([SHOWN, SHOWN[::-1]])
    images = pixels if dtype == "uint8" else (pixels / 255).astype(dtype)
    masks = pixels[..., 0] // 255
    boxes = np.stack([around(mask) for mask in masks])
    rows = {"image": images, "mask": masks, "box": boxes, "corners": boxes.reshape(2, 2, 2)}
    heads = {name: head for name, head in HEADS.items() if name in rows}
    feed = ph.Feed(
        rows,
        inputs={"image": ph.Image(20, 20)},
        heads={**heads, "mask": ph.Mask()},
        batch_size=2,
        augment=augment,
    )
    x, y, *_ = next(iter(feed))
    assert x["image"].shape == (2, 20, 20, 3)
    assert x["image"].dtype == np.float32
    assert y["mask"].shape == (2, 20, 20, 1)
    for i in range(2):
        turned = pixels[i][:, ::-1] if augment else pixels[i]
        expected = warp(np.ascontiguousarray(turned), resize((HIGH, WIDE), (20, 20)), (20, 20)) / 255
        np.testing.assert_allclose(x["image"][i], expected, atol=0.01)
        assert ((x["image"][i].mean(-1) > 0.5) == y["mask"][i, ..., 0]).mean() > 0.97
        box = around(turned[..., 0]) / [3, 2, 3, 2]
        np.testing.assert_allclose(y["box"][i, 0], box, atol=1e-4)
        np.testing.assert_allclose(np.sort(y["corners"][i], 0), box.reshape(2, 2), atol=1e-4)


def test_arrays_on_a_disk_are_resized_too(tmp_path):
    np.save(tmp_path / "images.npy", np.full((5, HIGH, WIDE), 51, np.uint8))
    rows = {"image": np.load(tmp_path / "images.npy", mmap_mode="r"), "y": np.arange(5.0)}
    feed = ph.Feed(rows, inputs={"image": ph.Image(8, 8)}, heads={"y": ph.Regression()}, batch_size=5)
    np.testing.assert_allclose(feed.peek()[0]["image"], np.full((5, 8, 8, 1), 0.2), atol=1e-6)


def test_arrays_of_the_size_declared_are_left_alone_and_gathered_from_memory():
    images = np.zeros((4, HIGH, WIDE, 3), np.uint8)
    same = ph.Feed(
        {"image": images, "y": np.zeros(4)},
        inputs={"image": ph.Image(HIGH, WIDE)},
        heads={"y": ph.Regression()},
    )
    assert same._assembler.in_memory
    assert not same.inputs["image"].late


def test_pixels_that_are_wrong_are_named_with_their_row_after_resizing():
    images = np.full((4, HIGH, WIDE, 3), 0.5)
    images[2] = 7
    feed = ph.Feed(
        {"image": images, "y": np.zeros(4)},
        inputs={"image": ph.Image(8, 8)},
        heads={"y": ph.Regression()},
        batch_size=4,
    )
    with pytest.raises(
        ph.DataError, match=r"input `image`, row 2: expected pixels in 0–1, as they are floats, got 7"
    ):
        feed.peek()


def test_a_file_that_cannot_be_read_can_be_left_out(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 nonsense")
    feed = ph.Feed(
        {"image": [str(tmp_path / "a.jpg")], "y": [1]},
        inputs={"image": ph.Image(8, 8)},
        heads={"y": ph.Binary()},
    )
    with pytest.raises(ph.DataError) as refused:
        feed.peek()
    assert str(refused.value) == (
        f"input `image`, row 0, file {tmp_path / 'a.jpg'}: expected an image with a whole header, got a file that ends "
        "within its header. Fix the file, or leave out all rows like this one: data = ph.drop_unreadable(data)."
    )


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((9, 9, 2), "(9, 9, 2)."),
        ((9, 9, 4), "(9, 9, 4). Leave alpha out: image[..., :3]."),
        ((3, 9, 9), "(3, 9, 9). If channels come first, give image.transpose(1, 2, 0)."),
    ],
)
def test_an_array_of_other_channels_in_a_list(shape, words):
    images = [np.zeros((8, 8, 3), np.uint8), np.zeros(shape, np.uint8)]
    data = {"image": images, "y": [0, 1]}
    with pytest.raises(ph.DataError) as error:
        ph.Feed(data, inputs={"image": ph.Image(8, 8)}, heads={"y": ph.Binary()}).peek()
    assert str(error.value) == f"input `image`, row 1: expected 3 channels, got shape {words}"


@pytest.mark.parametrize("options", [{}, {"range": (0, 255)}, {"dtype": "uint8"}])
@pytest.mark.parametrize(
    "form", [np.asarray, list, lambda gray: gray[..., None], lambda gray: [SHOWN, *gray[1:]]]
)
def test_gray_arrays_become_colors_as_gray_files_do(form, options, tmp_path):
    gray = np.random.default_rng(0).integers(0, 256, (3, HIGH, WIDE), np.uint8)
    data = {"image": form(gray), "y": [0, 1, 1]}
    inputs, heads = {"image": ph.Image(HIGH, WIDE, 3, **options)}, {"y": ph.Binary()}
    feed = ph.Feed(data, inputs=inputs, heads=heads, batch_size=3)
    found = feed.peek()[0]["image"][1:]
    top = 1 if options.get("dtype") == "uint8" else 255
    np.testing.assert_allclose(found * np.float32(top), np.stack([gray[1:]] * 3, 3), atol=1e-4)
    ph.pack(feed, tmp_path / "store")
    stored = ph.Feed(ph.open_store(tmp_path / "store"), inputs=inputs, heads=heads, batch_size=3)
    np.testing.assert_allclose(stored.peek()[0]["image"][1:], found, atol=1e-6)


def test_rows_of_which_no_label_can_be_read_are_named_by_their_ids():
    images = [np.zeros((9 + i, 9, 3), np.uint8) for i in range(8)]
    chosen = as_source({"image": images, "mask": ["nowhere.png"] * 8}).select([5, 6, 7])
    with pytest.raises(ph.DataError) as error:
        ph.Feed(chosen, inputs={"image": ph.Image(8, 8)}, heads={"mask": ph.Mask(3)}, batch_size=2)
    assert [problem.rows for problem in error.value.problems] == [(5, 6, 7)]
