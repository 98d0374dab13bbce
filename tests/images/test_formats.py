"""Every format that can be written here, in every depth, number of bands and orientation, as it was written."""

import io
import struct
import zlib

import numpy as np
import pytest
from pillow_features import supports

from polyhead.errors import DataError
from polyhead.images.decode import decode, decode_mask, upright
from polyhead.images.encoded import header_of

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
HIGH, WIDE = 13, 21
RNG = np.random.default_rng(5)
BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def numbers(bands, dtype="uint8"):
    return RNG.integers(0, np.iinfo(dtype).max, (HIGH, WIDE, bands), dtype, endpoint=True)


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels, bits=8, kind=None, before=(), orientation=None, late=False, interlaced=False):
    """A PNG with nothing left to a library."""
    height, width, bands = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[bands] if kind is None else kind
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [pixels]
    lines = b"".join(b"\0" + _line(row, bits) for part in parts if part.size for row in part)
    turn = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 274, 3, 1, orientation or 1, 0, 0)
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)), *before]
    chunks += [chunk(b"eXIf", turn)] * bool(orientation and not late) + [chunk(b"IDAT", zlib.compress(lines))]
    chunks += [chunk(b"eXIf", turn)] * bool(orientation and late) + [chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def _line(row, bits):
    if bits >= 8:
        return row.astype(f">u{bits // 8}").tobytes()
    return np.packbits(
        np.unpackbits(row.reshape(-1, 1).astype(np.uint8), axis=1)[:, 8 - bits :].reshape(-1)
    ).tobytes()


def channels_of(pixels, count):
    """Gray, gray and alpha, RGB or RGBA as 3 or 4 channels."""
    bands = pixels.shape[2]
    colors = np.repeat(pixels[..., :1], 3, 2) if bands < 3 else pixels[..., :3]
    if count == 3:
        return colors
    alpha = pixels[..., -1:] if bands in (2, 4) else np.full_like(pixels[..., :1], np.iinfo(pixels.dtype).max)
    return np.concatenate([colors, alpha], 2)


def is_read(data, pixels, tmp_path, orientation=1):
    """Whether a file gives these numbers in 3 and 4 channels, and its header their size."""
    (tmp_path / "file").write_bytes(data)
    for source in (data, tmp_path / "file"):
        for count in (3, 4):
            found = decode(source, channels=count, deep=True)
            assert found.size == header_of(source).size == pixels.shape[:2]
            assert found.orientation == orientation
            np.testing.assert_array_equal(found.pixels, channels_of(pixels, count))
    assert header_of(tmp_path / "file").size == pixels.shape[:2]
    gray = decode(data, channels=1, deep=True).pixels
    if pixels.shape[2] < 3:
        np.testing.assert_array_equal(gray, pixels[..., :1])
    else:
        luma = pixels[..., :3] @ np.array([0.299, 0.587, 0.114])
        assert np.abs(gray[..., 0] - luma).max() <= (1 if pixels.dtype == np.uint8 else 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("make", ["before", "late", "interlaced"])
def test_png(tmp_path, bits, bands, orientation, make):
    pixels = numbers(bands, f"uint{bits}")
    stored = upright(pixels, BACK[orientation])
    options = {make: True} if make != "before" else {}
    is_read(png(stored, bits, orientation=orientation, **options), pixels, tmp_path, orientation)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png_of_few_bits(tmp_path, bits, interlaced):
    top = (1 << bits) - 1
    ids = RNG.integers(0, top + 1, (HIGH, WIDE, 1), np.uint8)
    data = png(ids, bits, interlaced=interlaced)
    is_read(data, ids * np.uint8(255 // top), tmp_path)
    np.testing.assert_array_equal(decode_mask(data), ids[..., 0])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("alpha", [False, True])
def test_png_with_a_palette(tmp_path, bits, alpha):
    ids = RNG.integers(0, 1 << bits, (HIGH, WIDE, 1), np.uint8)
    colors = RNG.integers(0, 256, (1 << bits, 3), np.uint8)
    clear = RNG.integers(0, 256, 1 << bits, np.uint8)
    before = [chunk(b"PLTE", colors.tobytes())] + [chunk(b"tRNS", clear.tobytes())] * alpha
    pixels = colors[ids[..., 0]]
    pixels = np.dstack([pixels, clear[ids[..., 0]]]) if alpha else pixels
    data = png(ids, bits, 3, before)
    is_read(data, pixels, tmp_path)
    np.testing.assert_array_equal(decode_mask(data), ids[..., 0])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("bands", [1, 3])
def test_png_with_a_color_that_is_transparent(bits, bands):
    pixels = numbers(bands, f"uint{bits}")
    key = struct.pack(f">{bands}H", *pixels[3, 4].tolist())
    data = png(pixels, bits, before=[chunk(b"tRNS", key)])
    np.testing.assert_array_equal(decode(data, deep=True).pixels, channels_of(pixels, 3))
    four = decode(data, channels=4, deep=True).pixels
    np.testing.assert_array_equal(four[..., :3], channels_of(pixels, 3))
    clear = (pixels == pixels[3, 4]).all(-1)
    np.testing.assert_array_equal(four[..., 3] == 0, clear)
    if bands == 1:
        np.testing.assert_array_equal(decode_mask(data), pixels[..., 0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_webp_without_loss(tmp_path, bands, orientation):
    pixels = numbers(bands)
    pixels[..., 3:] |= 1  # colors that nobody sees are not kept
    tags = Image.Exif()
    tags[274] = orientation
    stored = upright(pixels, BACK[orientation])
    image = Image.fromarray(stored if bands > 1 else stored[..., 0])
    data = saved(image, "WEBP", lossless=True, exact=True, exif=tags)
    is_read(data, pixels if bands > 1 else np.repeat(pixels, 3, 2), tmp_path, orientation)


def test_bitmaps(tmp_path):
    for bands in (1, 3):
        pixels = numbers(bands)
        is_read(saved(Image.fromarray(pixels if bands > 1 else pixels[..., 0]), "BMP"), pixels, tmp_path)
    black = numbers(1) // 128 * np.uint8(255)
    is_read(saved(Image.fromarray(black[..., 0] > 0), "BMP"), black, tmp_path)
    for ending in (".bmp", ".dib"):
        colored = cv2.imencode(ending, pixels[..., ::-1])[1].tobytes()
        is_read(colored, pixels, tmp_path)


@pytest.mark.parametrize(("masks", "top"), [((), 31), ((0xF800, 0x7E0, 0x1F), 63)])
def test_bitmaps_of_16_bits_are_spread_over_the_whole_range(masks, top):
    green = np.array([[0, top], [top // 2, 1]])
    levels = green << 5  # blue has the lowest 5 bits, and red is above green
    levels[0, 1] = 0xFFFF if masks else 0x7FFF
    fields = struct.pack(f"<{len(masks)}I", *masks)
    head = struct.pack("<IiiHHIIiiII", 40, 2, -2, 1, 16, 3 if masks else 0, 8, 0, 0, 0, 0)
    at = 14 + len(head) + len(fields)
    data = b"BM" + struct.pack("<IHHI", at + 8, 0, 0, at) + head + fields + levels.astype("<u2").tobytes()
    pixels = decode(data).pixels
    assert pixels[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    np.testing.assert_allclose(pixels[..., 1], green * 255 / top, atol=1)


def test_gif(tmp_path):
    pixels = numbers(1)
    data = saved(Image.fromarray(pixels[..., 0]), "GIF")
    np.testing.assert_array_equal(decode(data).pixels, channels_of(pixels, 3))
    few = pixels // 86
    np.testing.assert_array_equal(decode_mask(saved(Image.fromarray(few[..., 0]), "GIF")), few[..., 0])
    with pytest.raises(DataError) as caught:  # its writer numbers them anew
        decode_mask(saved(Image.fromarray(few[..., 0] * np.uint8(80)), "GIF"))
    assert str(caught.value) == (
        "an encoded image: expected a mask of ids, got a GIF whose palette reorders the grays. Save "
        "masks as PNG."
    )


@pytest.mark.parametrize("text", [False, True], ids=["raw", "text"])
@pytest.mark.parametrize("top", [1, 7, 100, 255, 256, 1000, 4095, 65535])
@pytest.mark.parametrize("bands", [1, 3])
def test_pgm_and_ppm_by_their_largest_number(tmp_path, bands, top, text):
    pixels = RNG.integers(0, top + 1, (HIGH, WIDE, bands), np.uint16)
    magic = {(1, False): 5, (3, False): 6, (1, True): 2, (3, True): 3}[bands, text]
    head = b"P%d # made by hand\n# another\n%d %d\n%d\n" % (magic, WIDE, HIGH, top)
    body = pixels.astype(">u2" if top > 255 else "u1").tobytes()
    if text:
        body = b"# one more\n" + " ".join(map(str, pixels.ravel().tolist())).encode()
    full = 65535 if top > 255 else 255
    wanted = (2 * pixels.astype(int) * full + top) // (2 * top)
    wanted = wanted.astype(np.uint16 if top > 255 else np.uint8)
    is_read(head + body, wanted, tmp_path)
    with Image.open(io.BytesIO(head + body)) as image:
        if bands == 1:
            assert np.abs(np.asarray(image).astype(int) - wanted[..., 0]).max() <= 1
            np.testing.assert_array_equal(decode_mask(head + body), pixels[..., 0])
    for cut in (head, head + body[: len(body) // 2]):
        with pytest.raises(DataError):
            decode(cut)


@pytest.mark.parametrize("text", [False, True], ids=["raw", "text"])
def test_pbm_is_white_where_it_is_0(tmp_path, text):
    bits = RNG.integers(0, 2, (HIGH, WIDE), np.uint8)
    body = (
        b"".join(b"%d" % bit for bit in bits.ravel().tolist())
        if text
        else np.packbits(bits, axis=1).tobytes()
    )
    data = b"P%d\n%d %d\n" % (1 if text else 4, WIDE, HIGH) + body
    is_read(data, ((1 - bits) * 255)[..., None], tmp_path)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("L")), (1 - bits) * 255)
        np.testing.assert_array_equal(decode_mask(data), np.asarray(image))


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_pam(tmp_path, bands, bits):
    pixels = numbers(bands, f"uint{bits}")
    head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE any\nENDHDR\n"
    head %= (WIDE, HIGH, bands, (1 << bits) - 1)
    is_read(head + pixels.astype(f">u{bits // 8}").tobytes(), pixels, tmp_path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bands", [1, 3])
def test_pfm_is_read_from_the_bottom_up(bands, order):
    pixels = RNG.random((HIGH, WIDE, bands)).astype(np.float32)
    head = b"P%s\n%d %d\n%s\n" % (
        b"f" if bands == 1 else b"F",
        WIDE,
        HIGH,
        b"-1.0" if order == "<" else b"1.0",
    )
    data = head + pixels[::-1].astype(order + "f4").tobytes()
    found = decode(data, channels=None, deep=True)
    np.testing.assert_array_equal(found.pixels, pixels)
    np.testing.assert_array_equal(decode(data, channels=bands).pixels, np.rint(pixels * np.float32(255)))
    if bands == 1:
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels[..., 0])
    with pytest.raises(DataError, match="expected a whole PNM, got a file that ends within its pixels"):
        decode(data[:-1])


@pytest.mark.parametrize("format", ["JPEG", "AVIF", "JPEG2000", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(48, 64), (47, 65)])
def test_lossy_formats_as_pillow_shows_them(format, mode, size):
    if format in ("AVIF", "JPEG2000") and not supports({"AVIF": "avif", "JPEG2000": "jpg_2000"}[format]):
        pytest.skip(f"this Pillow has no {format}")
    if format == "JPEG" and mode == "RGBA":
        mode = "CMYK"
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    pixels = np.stack([x * 3, y * 4, np.full_like(x, 60)], 2).astype(np.uint8)
    data = saved(Image.fromarray(pixels).convert(mode), format)
    with Image.open(io.BytesIO(data)) as image:
        shown = np.asarray(image.convert("RGB"))
    found = decode(data)
    assert found.size == header_of(data).size == size
    assert np.abs(found.pixels.astype(int) - shown).max() <= 4
    if mode == "RGBA":
        assert (decode(data, channels=4).pixels[..., 3] == 255).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("bands", [1, 3])
def test_jpeg_2000_without_loss(bands, bits):
    if not supports("jpg_2000"):
        pytest.skip("this Pillow has no JPEG 2000")
    pixels = np.tile(numbers(bands, f"uint{bits}"), (3, 3, 1))
    if bits == 8 or bands == 1:
        data = saved(Image.fromarray(pixels if bands > 1 else pixels[..., 0]), "JPEG2000")
    else:
        parameters = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
        data = cv2.imencode(".jp2", np.ascontiguousarray(pixels[..., ::-1]), parameters)[1].tobytes()
    found = decode(data, channels=bands, deep=True).pixels
    np.testing.assert_array_equal(found, pixels)


def test_a_folder_of_other_formats_is_read_as_one_of_jpeg(tmp_path):
    import polyhead as ph

    pixels = RNG.integers(0, 65536, (HIGH, WIDE), np.uint16)
    for name in ("a/1.pgm", "b/2.PGM"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"P5\n%d %d\n65535\n" % (WIDE, HIGH) + pixels.astype(">u2").tobytes())
    rows = ph.read_folder(tmp_path)
    inputs, heads = {"image": ph.Image(HIGH, WIDE, 1)}, {"kind": ph.Categorical(column="label")}
    x, y = ph.Feed(rows, inputs=inputs, heads=heads, batch_size=2).peek()
    np.testing.assert_allclose(x["image"][..., 0], np.stack([pixels, pixels]) / 65535, atol=1e-6)
    assert y["kind"].tolist() == [0, 1]


def test_jpeg_2000_of_12_bits_in_colors_is_refused():
    if not supports("jpg_2000"):
        pytest.skip("this Pillow has no JPEG 2000")
    data = bytearray(saved(Image.fromarray(np.zeros((30, 30, 3), np.uint8)), "JPEG2000", no_jp2=True))
    data[42] = 11
    with pytest.raises(DataError) as caught:
        decode(bytes(data), where="row 0")
    assert str(caught.value) == (
        "row 0: expected 8 or 16 bits a channel, got a JPEG 2000 of 12 bits. Save it as TIFF or PNG."
    )


# Masks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("WEBP", {}),
        ("WEBP", {"exif": b"Exif\0\0"}),
        ("AVIF", {"quality": 50}),
        ("JPEG2000", {"irreversible": True, "quality_mode": "rates", "quality_layers": [20]}),
        ("JPEG2000", {"quality_mode": "rates", "quality_layers": [20]}),
        ("TIFF", {"compression": "jpeg"}),
    ],
)
def test_masks_in_lossy_formats_are_refused(format, options):
    if format in ("AVIF", "JPEG2000") and not supports({"AVIF": "avif", "JPEG2000": "jpg_2000"}[format]):
        pytest.skip(f"this Pillow has no {format}")
    ids = np.random.default_rng(0).integers(0, 4, (64, 64)).astype(np.uint8)
    with pytest.raises(DataError) as caught:
        decode_mask(saved(Image.fromarray(ids), format, **options), where="row 3")
    name = {"WEBP": "WebP", "JPEG2000": "JPEG 2000"}.get(format, format)
    found = f"{name}, which may be lossy." if format in ("AVIF", "JPEG2000") else f"a lossy {name}."
    assert str(caught.value).startswith(f"row 3: expected a mask in a lossless format, got {found}")


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"lossless": True, "exif": b"Exif\0\0"}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("GIF", {}),
        ("PPM", {}),
        ("TGA", {}),
    ],
)
def test_masks_in_formats_without_loss_are_read(format, options):
    ids = np.random.default_rng(0).integers(0, 4, (64, 64)).astype(np.uint8)
    np.testing.assert_array_equal(decode_mask(saved(Image.fromarray(ids), format, **options)), ids)


# Several in one file --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_are_refused_until_a_frame_is_chosen(format):
    if format == "AVIF" and not supports("avif"):
        pytest.skip("this Pillow has no AVIF")
    frames = [Image.fromarray(np.full((16, 24, 3), 40 * i, np.uint8)) for i in range(4)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=100, **options)
    with pytest.raises(DataError) as caught:
        decode(data)
    words = (
        "expected one image, got an animation. Say ph.Image(page=0) for the first of them, or save each as a"
    )
    assert words in str(caught.value)
    with pytest.raises(DataError, match="expected one mask, got an animation"):
        decode_mask(data)
    for page in range(4):
        assert np.abs(decode(data, page=page).pixels.astype(int) - 40 * page).max() <= 3
    with pytest.raises(DataError):
        decode(data, page=4)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "TGA", "AVIF"])
def test_a_page_that_is_not_there_is_said_with_the_number_of_pages(format):
    if format == "AVIF" and not supports("avif"):
        pytest.skip("Pillow comes without it")
    image = Image.fromarray(numbers(3))
    name = {"WEBP": "WebP", "PPM": "PNM"}.get(format, format)
    article = "an" if format == "AVIF" else "a"
    one = saved(image, format)
    shown = decode(one, page=0).pixels
    assert shown.shape == (HIGH, WIDE, 3)
    for page in (1, 7):
        with pytest.raises(DataError) as caught:
            decode(one, page=page)
        assert str(caught.value) == (
            f"an encoded image: expected page {page}, counted from 0, got {article} {name} that has 1 page. Say "
            "ph.Image(page=0)."
        )
    if format in ("PNG", "GIF", "WEBP", "TIFF", "AVIF"):
        others = [Image.fromarray(numbers(3)), Image.fromarray(numbers(3))]
        three = saved(image, format, save_all=True, append_images=others)
        what = "pages" if format == "TIFF" else "frames"
        with pytest.raises(DataError) as caught:
            decode(three, page=3)
        assert str(caught.value) == (
            f"an encoded image: expected page 3, counted from 0, got {article} {name} that has 3 {what}. Say a page "
            "of 0 to 2."
        )


def test_heic_is_read_or_says_what_to_install():
    brand = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic"
    size = struct.pack(">I4sIII", 20, b"ispe", 0, 40, 30)
    properties = struct.pack(">I4s", 8 + len(size), b"ipco") + size
    of = struct.pack(">I4sIIHBB", 20, b"ipma", 0, 1, 1, 1, 1)
    held = struct.pack(">I4s", 8 + len(properties) + len(of), b"iprp") + properties + of
    first = struct.pack(">I4sIH", 14, b"pitm", 0, 1)
    data = brand + struct.pack(">I4sI", 12 + len(first) + len(held), b"meta", 0) + first + held
    assert header_of(data).size == (30, 40)
    with pytest.raises(DataError) as caught:
        decode(data, where="row 0")
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        assert str(caught.value) == (
            "row 0: expected a format that the installed libraries read, got HEIF. Install pillow-heif: pip install "
            "pillow-heif. polyhead finds it. Or convert them to PNG or JPEG."
        )
