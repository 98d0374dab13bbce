"""All bits of an image, through a feed, a store and a cache; and numbers in a range that is declared."""

import warnings

import numpy as np
import pytest

import polyhead as ph

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
HIGH, WIDE = 24, 32
RAMP = np.linspace(0, 1, HIGH * WIDE).reshape(HIGH, WIDE)
COLUMNS = {
    "16 bits": lambda folder, i: written(
        folder / f"{i}.png", np.rint(RAMP * 65535).astype(np.uint16) // (i + 1)
    ),
    "colors of 16 bits": lambda folder, i: written(
        folder / f"{i}.png", np.dstack([np.rint(RAMP * 65535)] * 3).astype(np.uint16) // (i + 1)
    ),
    "floats": lambda folder, i: written(folder / f"{i}.tif", (RAMP / (i + 1)).astype(np.float32)),
    "8 bits": lambda folder, i: written(folder / f"{i}.png", np.rint(RAMP * 255).astype(np.uint8) // (i + 1)),
}


def written(path, pixels):
    assert cv2.imwrite(str(path), pixels)
    return str(path)


def rows_of(kind, folder, count=4):
    return {"image": [COLUMNS[kind](folder, i) for i in range(count)], "y": np.arange(float(count))}


def feed_of(rows, channels=1, augment=(), cache=None, **options):
    inputs = {"image": ph.Image(HIGH, WIDE, channels, **options)}
    heads = {"y": ph.Regression()}
    return ph.Feed(rows, inputs=inputs, heads=heads, batch_size=4, augment=augment, cache=cache, workers=0)


def images(feed):
    return np.concatenate([batch.inputs["image"] for batch in feed.batches()])


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_store_gives_the_batches_of_the_feed(tmp_path, kind, dtype):
    channels = 3 if kind.startswith("colors") else 1
    feed = feed_of(rows_of(kind, tmp_path), channels, dtype=dtype)
    wanted = images(feed)
    assert len(np.unique(wanted)) > (300 if dtype == "float32" and kind != "8 bits" else 100)
    store = ph.pack(feed, tmp_path / "store", progress=False)
    np.testing.assert_array_equal(images(feed.on(store)), wanted)
    np.testing.assert_array_equal(images(feed_of(store, channels, dtype=dtype)), wanted)
    held = store.column("image").dtype
    assert held == ("float32" if dtype == "float32" and kind != "8 bits" else "uint8")


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)]], ids=["plain", "flipped"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_cache_gives_the_batches_of_the_feed(tmp_path, kind, augment, dtype):
    rows, channels = rows_of(kind, tmp_path), 3 if kind.startswith("colors") else 1
    wanted = images(feed_of(rows, channels, augment, dtype=dtype))
    for _ in range(2):  # while it fills, and from the disk
        feed = feed_of(rows, channels, augment, tmp_path / "cache", dtype=dtype)
        np.testing.assert_array_equal(images(feed), wanted)


def test_png_in_a_store_has_16_bits_and_jpeg_is_refused(tmp_path):
    feed = feed_of(rows_of("16 bits", tmp_path))
    store = ph.pack(feed, tmp_path / "store", encoding="png", progress=False)
    np.testing.assert_array_equal(images(feed.on(store)), images(feed))
    with pytest.raises(ph.ContractError) as caught:
        ph.pack(feed, tmp_path / "other", encoding="jpeg", progress=False)
    assert str(caught.value) == (
        "pack(encoding=), input `image`: JPEG can't store more than 8 bits. Use "
        'encoding="pixels" or "png", or ph.Image(dtype="uint8") if 8 bits are enough.'
    )


@pytest.mark.parametrize(("count", "deep"), [(40, 0), (12, 11)], ids=["first", "last of a few"])
@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)]], ids=["plain", "flipped"])
def test_8_and_16_bits_in_one_column_are_kept_with_16(tmp_path, augment, count, deep):
    rows = rows_of("8 bits", tmp_path, count)
    rows["image"][deep] = written(tmp_path / "deep.png", np.rint(RAMP * 65535).astype(np.uint16))
    wanted = images(feed_of(rows, augment=augment))
    kept = feed_of(rows, augment=augment, cache=tmp_path / "cache")
    np.testing.assert_allclose(images(kept), wanted, atol=1e-7)


@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)]], ids=["plain", "flipped"])
def test_bits_that_come_too_late_are_said_to_be_lost(tmp_path, augment):
    rows = rows_of("8 bits", tmp_path, 200)
    rows["image"][151] = written(tmp_path / "deep.png", np.rint(RAMP * 65535).astype(np.uint16))
    feed = feed_of(rows, augment=augment, cache=tmp_path / "cache")
    with pytest.warns(ph.PolyheadWarning) as caught:
        images(feed)
    assert [str(one.message) for one in caught] == [
        "column `image`, row 151: expected 8 bits a channel, as in the first rows, got more, which "
        "are rounded. Put a row with all of its bits first, so that the column keeps them; or say "
        'ph.Image(dtype="uint8"), if 8 are enough.'
    ]
    selected = ph.read_table(rows).select(range(100, 200))
    with pytest.warns(ph.PolyheadWarning, match="^column `image`, row 151: "):
        images(feed_of(selected, augment=augment, cache=tmp_path / "selected"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images(feed_of(rows, augment=augment, cache=tmp_path / "other", dtype="uint8"))


def test_8_bits_are_added_to_a_store_of_16_and_not_the_other_way(tmp_path):
    (tmp_path / "deep").mkdir()
    deep, flat = feed_of(rows_of("16 bits", tmp_path / "deep")), feed_of(rows_of("8 bits", tmp_path))
    ph.pack(deep, tmp_path / "store", progress=False)
    store = ph.pack(flat, tmp_path / "store", append=True, progress=False)
    np.testing.assert_array_equal(images(deep.on(store)), np.concatenate([images(deep), images(flat)]))
    ph.pack(flat, tmp_path / "other", progress=False)
    with pytest.raises(
        ph.StoreError, match=r"column `image`: expected uint8 of shape .* as in the store, got float32"
    ):
        ph.pack(deep, tmp_path / "other", append=True, progress=False)


def test_float_arrays_of_another_size_are_stored_as_floats(tmp_path):
    rows = {"image": np.stack([RAMP, RAMP / 2])[..., None].astype(np.float32), "y": np.arange(2.0)}
    inputs = {"image": ph.Image(8, 8)}
    feed = ph.Feed(rows, inputs=inputs, heads={"y": ph.Regression()}, batch_size=2)
    store = ph.pack(feed, tmp_path / "store", progress=False)
    np.testing.assert_array_equal(images(feed.on(store)), images(feed))
    for augment in ((), [ph.Flip(p=1.0)]):
        options = {"inputs": inputs, "heads": {"y": ph.Regression()}, "batch_size": 2, "augment": augment}
        kept = ph.Feed(rows, cache=tmp_path / f"cache{len(augment)}", **options)
        np.testing.assert_array_equal(images(kept), images(ph.Feed(rows, **options)))


# A range that is declared ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)]], ids=["plain", "flipped"])
@pytest.mark.parametrize(
    ("type_", "low", "high", "ending"),
    [
        ("float32", -1000, 3000, "tif"),
        ("float64", 0, 1e-6, "tif"),
        ("int16", -500, 1500, "tif"),
        ("uint16", 0, 4095, "png"),
        ("uint8", 0, 100, "png"),
    ],
)
def test_numbers_in_a_range_become_0_to_1(tmp_path, type_, low, high, ending, augment, dtype):
    numbers = (low + RAMP * (high - low)).astype(type_)
    share = (numbers.astype(np.float64) - low) / (high - low)
    wanted = share[:, ::-1] if augment else share
    path = written(tmp_path / f"a.{ending}", numbers)
    columns = {"files": [path], "arrays": numbers[None], "a list": [numbers]}
    for rows in columns.values():
        feed = feed_of({"image": rows, "y": [0.0]}, augment=augment, dtype=dtype, range=(low, high))
        found = next(iter(feed))[0]["image"][0, ..., 0]
        assert found.dtype == dtype
        if dtype == "uint8":
            assert np.abs(found - wanted * 255).max() <= 0.502
        else:
            np.testing.assert_allclose(found, wanted, atol=1e-6)
    feed = feed_of({"image": [path], "y": [0.0]}, augment=augment, dtype=dtype, range=(low, high))
    kept = feed_of(
        {"image": [path], "y": [0.0]}, 1, augment, tmp_path / "cache", dtype=dtype, range=(low, high)
    )
    for _ in range(2):
        np.testing.assert_allclose(images(kept), images(feed), atol=1e-6)
    plain = feed_of({"image": [path], "y": [0.0]}, dtype=dtype, range=(low, high))
    store = ph.pack(plain, tmp_path / "store", progress=False)
    np.testing.assert_allclose(images(plain.on(store)), images(plain), atol=1e-6)


@pytest.mark.parametrize("augment", [(), [ph.Flip(p=1.0)]], ids=["plain", "flipped"])
@pytest.mark.parametrize("late", ["16 bits", "floats"])
def test_numbers_in_a_range_are_kept_whatever_the_first_rows_hold(tmp_path, late, augment):
    rows = rows_of("8 bits", tmp_path, 200)
    pixels = RAMP * 4000 if late == "floats" else np.full((HIGH, WIDE), 3000)
    path = tmp_path / ("late.tif" if late == "floats" else "late.png")
    rows["image"][151] = written(path, pixels.astype(np.float32 if late == "floats" else np.uint16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = images(feed_of(rows, augment=augment, cache=tmp_path / "cache", range=(0, 4095)))
    wanted = images(feed_of(rows, augment=augment, range=(0, 4095)))
    np.testing.assert_allclose(kept, wanted, atol=1e-6)
    assert wanted[151].max() > 0.7


@pytest.mark.parametrize("form", ["files", "arrays"])
def test_numbers_outside_of_the_range_are_named_with_their_row(tmp_path, form):
    pixels = [(RAMP * 1000).astype(np.float32), (RAMP * 1000 + 1).astype(np.float32)]
    column = (
        [written(tmp_path / f"{i}.tif", one) for i, one in enumerate(pixels)] if form == "files" else pixels
    )
    with pytest.raises(ph.DataError) as caught:
        images(feed_of({"image": column, "y": [0.0, 1.0]}, range=(0, 1000)))
    assert str(caught.value) == (
        "input `image`, row 1: expected pixels in [0, 1000], as range= says, got 1 to 1001. Say a wider range; to "
        "cut off what is outside, give np.clip(images, 0, 1000)."
    )
    pixels[0][3, 3] = np.nan
    column = [written(tmp_path / "0.tif", pixels[0])] if form == "files" else pixels[:1]
    with pytest.raises(
        ph.DataError, match=r"row 0: expected pixels in \[0, 1000\], as range= says, got nan to nan"
    ):
        images(feed_of({"image": column, "y": [0.0]}, range=(0, 1000)))


def test_a_float_tiff_outside_0_1_says_what_helps(tmp_path):
    path = written(tmp_path / "a.tif", (RAMP * 1000).astype(np.float32))
    for dtype in ("float32", "uint8"):
        with pytest.raises(ph.DataError, match=r"ph\.Image\(range=\(low, high\)\)"):
            images(feed_of({"image": [path], "y": [0.0]}, dtype=dtype))
    path = written(tmp_path / "b.tif", (RAMP * 1000).astype(np.int16))
    with pytest.raises(ph.DataError) as caught:
        images(feed_of({"image": [path], "y": [0.0]}))
    assert str(caught.value) == (
        "input `image`, row 0: expected 8 or 16 bits a channel, or floats in 0–1, got int16. Say "
        "ph.Image(range=(low, high)): the numbers that become 0 and 1."
    )


def test_a_range_is_stored_as_pixels_alone(tmp_path):
    path = written(tmp_path / "a.tif", (RAMP * 1000).astype(np.float32))
    feed = feed_of({"image": [path], "y": [0.0]}, range=(0, 1000))
    with pytest.raises(ph.ContractError) as caught:
        ph.pack(feed, tmp_path / "store", encoding="png", progress=False)
    assert str(caught.value) == (
        "pack(encoding=), input `image`: expected \"pixels\", as range= is declared, got 'png'. Use "
        'encoding="pixels".'
    )


COUNT = "The first page is 0; pages are not counted from the end."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"range": (1, 0)},
            "Image(range=): expected (low, high), the numbers that become 0 and 1, got (1, 0).",
        ),
        ({"range": 5}, "Image(range=): expected (low, high), the numbers that become 0 and 1, got 5."),
        ({"page": -1}, f"Image(page=): expected an integer of at least 0, got -1. {COUNT}"),
        ({"page": True}, f"Image(page=): expected an integer of at least 0, got True. {COUNT}"),
        ({"max_pixels": 0}, "Image(max_pixels=): expected an integer of at least 1, got 0."),
        ({"max_pixels": 2.5}, "Image(max_pixels=): expected an integer of at least 1, got 2.5."),
    ],
)
def test_arguments_that_are_none(options, words):
    with pytest.raises(ph.ContractError) as caught:
        ph.Image(8, 8, **options)
    assert str(caught.value) == words


# Pages and limits -----------------------------------------------------------------------------------


def test_a_page_is_chosen_and_its_size_is_its_own(tmp_path):
    PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    path = tmp_path / "pages.tif"
    pages = [PIL.fromarray(np.full((10 + i, 20, 3), 40 * i, np.uint8)) for i in range(5)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    rows = {"image": [str(path)], "box": [[[0.0, 0, 10, 5]]]}

    def feed(page):
        inputs = {"image": ph.Image(26, 40, page=page)}
        return ph.Feed(rows, inputs=inputs, heads={"box": ph.Boxes(1)}, batch_size=1)

    with pytest.raises(ph.DataError) as caught:
        feed(None).peek()
    assert str(caught.value) == (
        f"input `image`, row 0, file {path}: expected one image, got a TIFF of 5 pages. Say ph.Image(page=0) for the "
        "first of them, or save each as a separate file."
    )
    x, y, *_ = feed(3).peek()
    np.testing.assert_allclose(x["image"], 120 / 255, atol=1e-6)
    np.testing.assert_allclose(y["box"][0, 0], [0, 0, 20, 10])  # of 13 rows, not of the 10 of the first


def test_a_larger_image_is_read_where_it_is_said(tmp_path):
    path = written(tmp_path / "a.png", np.full((HIGH, WIDE), 51, np.uint8))
    mask = written(tmp_path / "mask.png", np.ones((HIGH, WIDE), np.uint8))
    rows = {"image": [path], "mask": [mask]}

    def feed(most):
        inputs = {"image": ph.Image(8, 8, max_pixels=most)}
        return ph.Feed(rows, inputs=inputs, heads={"mask": ph.Mask(2)}, batch_size=1)

    x, y, *_ = feed(HIGH * WIDE).peek()
    np.testing.assert_allclose(x["image"], 0.2, atol=1e-6)
    assert (y["mask"] == 1).all()
    with pytest.raises(ph.DataError) as caught:
        feed(HIGH * WIDE - 1).peek()
    assert f"file {mask}: expected at most 767 pixels, got 32 x 24 in" in str(caught.value)
    assert "If the size is right, say ph.Image(max_pixels=...), or shrink the image first." in str(
        caught.value
    )
