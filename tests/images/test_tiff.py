"""TIFF: every band, depth and layout with its own numbers, or an error that says what is wrong."""

import io
import itertools

import numpy as np
import pytest
from pillow_features import VERSION
from tiff_writer import CODES, tiff

from polyhead.errors import DataError
from polyhead.images.decode import decode, decode_mask, upright
from polyhead.images.encoded import header_of

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
HIGH, WIDE = 37, 45
BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
LAYOUTS = {
    "one strip": {},
    "strips": {"rows": 8},
    "small tiles": {"tile": (16, 16)},
    "tiles": {"tile": (64, 32)},
}


def numbers(dtype, bands):
    rng = np.random.default_rng(bands)
    if np.dtype(dtype).kind == "f":
        return rng.random((HIGH, WIDE, bands)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, (HIGH, WIDE, bands), dtype, endpoint=True)


@pytest.mark.parametrize("planar", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compression", CODES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_all_bands_come_as_they_are(dtype, compression, layout, planar):
    for bands, order in zip((1, 2, 3, 4, 5, 12), itertools.cycle("<>")):
        pixels = numbers(dtype, bands)
        data = tiff(pixels, order=order, compression=compression, planar=planar, **LAYOUTS[layout])
        found = decode(data, channels=None, deep=True).pixels
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("compression", CODES)
def test_pillow_reads_what_is_written_here_alike(compression):
    for bands, order, layout, predictor in itertools.product((1, 3, 4), "<>", LAYOUTS.values(), (1, 2)):
        if predictor == 2 and compression in ("none", "packbits"):
            continue
        pixels = numbers("uint8", bands)
        data = tiff(
            pixels,
            order=order,
            compression=compression,
            predictor=predictor,
            extra=[2] * (bands == 4),
            **layout,
        )
        with Image.open(io.BytesIO(data)) as image:
            if compression == "zstd" and VERSION < (11, 0):
                pytest.skip("older ones come without it")
            np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)
            np.testing.assert_array_equal(decode(data, channels=None).pixels, pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", ["deflate", "lzw"])
@pytest.mark.parametrize(
    ("dtype", "predictor"),
    [(dtype, 2) for dtype in ("uint8", "uint16", "uint32", "int16", "float16", "float32", "float64")]
    + [(dtype, 3) for dtype in ("float16", "float32", "float64")],
)
def test_differences_are_summed(dtype, compression, predictor, order):
    for bands, layout in itertools.product((1, 3, 5), ("strips", "small tiles")):
        pixels = numbers(dtype, bands)
        data = tiff(pixels, order=order, compression=compression, predictor=predictor, **LAYOUTS[layout])
        np.testing.assert_array_equal(decode(data, channels=None, deep=True).pixels, pixels)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("compression", ["none", "deflate", "packbits", "lzw"])
@pytest.mark.parametrize("photometric", [0, 1])
def test_few_bits_are_spread_for_images_and_kept_for_masks(bits, compression, photometric):
    top = (1 << bits) - 1
    pixels = np.random.default_rng(0).integers(0, top + 1, (HIGH, WIDE, 1), np.uint8)
    shown = top - pixels if photometric == 0 else pixels
    for layout in LAYOUTS.values():
        data = tiff(pixels, bits=bits, photometric=photometric, compression=compression, **layout)
        np.testing.assert_array_equal(decode(data, channels=1).pixels, shown * (255 // top))
        np.testing.assert_array_equal(decode_mask(data), shown[..., 0])
    if compression != "lzw":
        with Image.open(io.BytesIO(tiff(pixels, bits=bits, photometric=photometric, rows=8))) as image:
            np.testing.assert_array_equal(np.asarray(image.convert("L")), (shown * (255 // top))[..., 0])


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("compression", ["none", "deflate", "lzw"])
@pytest.mark.parametrize("order", "<>")
def test_bits_between_8_and_16_are_spread_for_images_and_kept_for_masks(bits, compression, order):
    top = (1 << bits) - 1
    for bands, planar in ((1, False), (3, False), (5, True)):
        pixels = np.random.default_rng(bits).integers(0, top + 1, (HIGH, WIDE, bands), np.uint16)
        pixels[0, 0], pixels[0, 1] = 0, top
        for layout in LAYOUTS.values():
            data = tiff(pixels, bits=bits, compression=compression, order=order, planar=planar, **layout)
            found = decode(data, channels=bands, deep=True).pixels
            assert found.dtype == np.uint16
            np.testing.assert_array_equal(found, np.rint(pixels * (65535 / top)))
            few = decode(data, channels=bands).pixels
            assert np.abs(few - pixels * (255 / top)).max() < 0.51
            if bands == 1:
                np.testing.assert_array_equal(decode_mask(data), pixels[..., 0])
    inverted = tiff(pixels[..., :1], bits=bits, photometric=0)
    np.testing.assert_array_equal(decode_mask(inverted), top - pixels[..., 0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("dtype", "bands"), [("uint8", 3), ("uint16", 1), ("uint16", 4), ("uint8", 5), ("float32", 1)]
)
def test_every_orientation(orientation, dtype, bands):
    pixels = numbers(dtype, bands)
    data = tiff(
        upright(pixels, BACK[orientation]), orientation=orientation, compression="deflate", tile=(16, 16)
    )
    found = decode(data, channels=None, deep=True)
    assert (found.size, found.orientation) == ((HIGH, WIDE), orientation)
    assert header_of(data).size == (HIGH, WIDE)
    np.testing.assert_array_equal(found.pixels, pixels)
    np.testing.assert_array_equal(decode(data, channels=None, deep=True, page=0).pixels, pixels)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        *itertools.product(
            ["RGB", "L", "CMYK", "YCbCr", "P", "1"], ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"]
        ),
        *itertools.product(["RGB", "L", "CMYK", "YCbCr"], ["jpeg"]),
        ("1", "group4"),
    ],
)
def test_what_pillow_writes_comes_as_pillow_shows_it(mode, compression, orientation):
    if mode == "YCbCr" and compression != "jpeg" and VERSION < (11, 0):
        pytest.skip("older ones do not read what they write")
    ImageOps = pytest.importorskip("PIL.ImageOps")
    file = io.BytesIO()
    image = Image.fromarray(numbers("uint8", 3)).convert(mode)
    image.save(file, "TIFF", compression=compression, tiffinfo={274: orientation})
    with Image.open(io.BytesIO(file.getvalue())) as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    found = decode(file.getvalue())
    assert found.size == shown.shape[:2]
    np.testing.assert_array_equal(found.pixels, shown)


def test_big_and_reversed_ones():
    for bands, dtype in itertools.product((1, 3, 5), ("uint8", "uint16")):
        pixels = numbers(dtype, bands)
        for order in "<>":
            for options in ({"big": True}, {"reverse": True}, {"big": True, "rows": 5, "planar": True}):
                data = tiff(pixels, order=order, **options)
                np.testing.assert_array_equal(decode(data, channels=None, deep=True).pixels, pixels)


def test_bands_become_channels_where_the_header_says_what_they_are():
    for dtype in ("uint8", "uint16"):
        colors, four = numbers(dtype, 3), numbers(dtype, 4)
        np.testing.assert_array_equal(decode(tiff(colors), deep=True).pixels, colors)
        np.testing.assert_array_equal(decode(tiff(colors, photometric=1), deep=True).pixels, colors)
        np.testing.assert_array_equal(decode(tiff(four, extra=[2]), deep=True).pixels, four[..., :3])
        np.testing.assert_array_equal(decode(tiff(four), deep=True).pixels, four[..., :3])
        for extra in ([0], [2]):
            np.testing.assert_array_equal(decode(tiff(four, extra=extra), channels=4, deep=True).pixels, four)
        assert (decode(tiff(colors), channels=4, deep=True).pixels[..., 3] == np.iinfo(dtype).max).all()
        gray = numbers(dtype, 2)
        found = decode(tiff(gray, extra=[2]), channels=4, deep=True).pixels
        np.testing.assert_array_equal(found, gray[..., [0, 0, 0, 1]])
        np.testing.assert_array_equal(
            decode(tiff(gray, extra=[2]), channels=1, deep=True).pixels, gray[..., :1]
        )


def test_colors_that_were_multiplied_by_alpha_are_divided_by_it():
    pixels = numbers("uint8", 4)
    pixels[..., :3] = pixels[..., :3].astype(int) * pixels[..., 3:] // 255
    data = tiff(pixels, extra=[1])
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(decode(data, channels=4).pixels, np.asarray(image.convert("RGBA")))


@pytest.mark.parametrize(
    ("bands", "photometric", "channels", "words"),
    [
        (2, 1, 3, "expected an image of 3 channels, got a file of 2 bands, which are not marked as colors. Say ph.I"),
        (2, 1, 1, "expected an image of 1 channel, got a file of 2 bands, which are not marked as colors. Say ph.I"),
        (3, 1, 1, "got a file of 3 bands, which are not marked as colors. Say ph.Image(height, width, 3) to get all"),
        (4, 1, 3, "got a file of 4 bands, which are not marked as colors. Say ph.Image(height, width, 4) to get all"),
        (12, 1, 3, "got a file of 12 bands, which are not marked as colors. Say ph.Image(height, width, 12) to get"),
        (5, 2, 4, "got a file of 5 bands, which are not marked as colors. Say ph.Image(height, width, 5) to get all"),
    ],
)  # fmt: skip
def test_bands_that_are_no_colors_are_refused(bands, photometric, channels, words):
    with pytest.raises(DataError) as caught:
        decode(tiff(numbers("uint8", bands), photometric=photometric), channels=channels)
    assert words in str(caught.value)


def test_several_pages_are_refused_until_one_is_chosen():
    pixels = numbers("uint8", 3) // 2
    data = tiff(pixels, pages=5, compression="deflate")
    with pytest.raises(DataError) as caught:
        decode(data, where="row 3")
    assert str(caught.value) == (
        "row 3: expected one image, got a TIFF of 5 pages. Say ph.Image(page=0) for the first of them, or save each as "
        "a separate file."
    )
    for page in range(5):
        np.testing.assert_array_equal(decode(data, page=page).pixels, pixels + page)
    with pytest.raises(DataError) as caught:
        decode(data, page=5)
    assert str(caught.value) == (
        "an encoded image: expected page 5, counted from 0, got a TIFF that has 5 pages. Say a page of 0 to 4."
    )
    with pytest.raises(DataError) as caught:
        decode_mask(tiff(numbers("uint8", 1) // 2, pages=5), where="row 3")
    assert str(caught.value) == (
        "row 3: expected one mask, got a TIFF of 5 pages. Save the mask as a separate file."
    )


@pytest.mark.parametrize("flag", [1, 4], ids=["smaller copies", "masks of transparency"])
def test_smaller_copies_are_no_pages(flag):
    pixels = numbers("uint8", 3) // 2
    data = tiff(pixels, pages=3, tags=[(254, ("I", [flag]))])
    assert header_of(data).pages == 1
    np.testing.assert_array_equal(decode(data).pixels, pixels)


@pytest.mark.parametrize("dtype", ["int16", "uint32", "int32", "float64", "int8"])
def test_other_numbers_come_whole_or_are_refused(dtype):
    pixels = numbers(dtype, 1)
    data = tiff(pixels)
    np.testing.assert_array_equal(decode(data, channels=1, deep=True).pixels, pixels)
    if dtype != "float64":
        with pytest.raises(DataError) as caught:
            decode(data, channels=1)
        assert str(caught.value) == (
            f"an encoded image: expected 8 or 16 bits a channel, or floats in 0–1, got {dtype}. Say "
            "ph.Image(range=(low, high)): the numbers that become 0 and 1."
        )


def test_masks_of_every_depth():
    for dtype in ("uint8", "uint16", "int32", "uint32"):
        ids = numbers(dtype, 1)
        for options in (
            {},
            {"compression": "lzw", "tile": (16, 16)},
            {"compression": "deflate", "predictor": 2},
        ):
            np.testing.assert_array_equal(decode_mask(tiff(ids, **options)), ids[..., 0])
    same = np.repeat(numbers("uint8", 1), 3, 2)
    np.testing.assert_array_equal(decode_mask(tiff(same)), same[..., 0])
    for other in (tiff(numbers("uint8", 3)), tiff(numbers("uint8", 2)), tiff(numbers("uint8", 5))):
        with pytest.raises(DataError, match="expected a mask of ids, one channel, got an image in colors"):
            decode_mask(other)


@pytest.mark.parametrize("compression", CODES)
def test_one_that_ends_too_early_is_an_error(compression):
    pixels = numbers("uint8", 3)
    whole = tiff(pixels, compression=compression, rows=8)
    at = 8 + 400
    damaged = whole[:at] + bytes(200) + whole[at + 200 :]
    assert decode(whole).size == (HIGH, WIDE)
    with pytest.raises(DataError):
        decode(whole[: len(whole) // 2])
    try:
        found = decode(damaged).pixels
    except DataError:
        return
    assert found.shape == pixels.shape


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ([(278, ("I", [5]))], "got a TIFF with 1 of 8 strips or tiles"),
        ([(322, ("I", [0])), (323, ("I", [0]))], "got a TIFF with strips or tiles of 0 x 0"),
        (
            [(322, ("I", [1 << 30])), (323, ("I", [1 << 30]))],
            "got a TIFF with strips or tiles of 1073741824 x 1073",
        ),
        ([(258, ("H", [8, 8, 16]))], "got a TIFF of 3 bands with 8, 8, 16 bits"),
        ([(258, ("H", [11, 11, 11]))], "got a TIFF with 11 bits a sample of format 1"),
        ([(339, ("H", [6, 6, 6]))], "got a TIFF with 8 bits a sample of format 6"),
        ([(273, ("I", [1 << 31]))], "got a TIFF that ends within its pixels, at 2,147,488,643 of"),
    ],
)
def test_what_is_odd_in_a_header_is_said(tags, words):
    with pytest.raises(DataError) as caught:
        decode(tiff(numbers("uint8", 3), tags=tags))
    assert words in str(caught.value)
