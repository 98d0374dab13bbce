"""Decoding: every format and orientation, nothing larger than wanted, nothing damaged let through."""

import contextlib
import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from polyhead.errors import DataError
from polyhead.images import geometry
from polyhead.images.content import Broken
from polyhead.images.decode import decode, decode_mask, require_undamaged, upright
from polyhead.images.encoded import FORMATS, header_of
from polyhead.images.headers import parse

RNG = np.random.default_rng(3)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (5, 7), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (5, 7), dtype=np.uint16)
LOSSLESS = [
    ("PNG", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("WebP", {"lossless": True}),
]


def smooth(height, width):
    """An image whose colors say where a pixel is."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    return np.stack([x * 255 / width, y * 255 / height, np.full_like(x, 128)], 2).astype(np.uint8)


def encoded(pixels, format="PNG", mode=None, **options):
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, format, **options)
    return file.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[274] = orientation
    return tags.tobytes()


def shown(pixels, orientation):
    """What Pillow makes of an orientation, to compare with."""
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    image = Image.fromarray(pixels)
    return np.asarray(image if orientation == 1 else image.transpose(turn[orientation]))


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_colors_come_as_rgb(format, options):
    found = decode(encoded(RGB, format, **options))
    assert found.pixels.dtype == np.uint8
    assert np.array_equal(found.pixels, RGB)
    assert (found.size, found.scale, found.orientation) == ((5, 7), 1.0, 1)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_alpha_is_dropped_kept_or_made(format):
    data = encoded(RGBA, format)
    assert np.array_equal(decode(data).pixels, RGBA[..., :3])
    assert np.array_equal(decode(data, channels=4).pixels, RGBA)
    assert np.array_equal(decode(data, channels=None).pixels, RGBA)
    made = decode(encoded(RGB), channels=4).pixels
    assert np.array_equal(made[..., :3], RGB)
    assert (made[..., 3] == 255).all()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF"])
def test_gray_becomes_what_is_asked_for(format):
    data = encoded(GRAY, format)
    assert np.array_equal(decode(data).pixels, np.repeat(GRAY[..., None], 3, 2))
    assert np.array_equal(decode(data, channels=1).pixels, GRAY[..., None])
    assert np.array_equal(decode(data, channels=4).pixels[..., 1], GRAY)


def test_colors_become_gray_by_their_luma():
    assert np.array_equal(
        decode(encoded(np.full((2, 2, 3), 77, np.uint8)), channels=1).pixels, np.full((2, 2, 1), 77)
    )
    assert decode(encoded(np.array([[[255, 0, 0]]], np.uint8)), channels=1).pixels.item() == 76


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_or_kept(format):
    data = encoded(DEEP, format)
    kept = decode(data, channels=1, deep=True).pixels
    assert kept.dtype == np.uint16
    assert np.array_equal(kept[..., 0], DEEP)
    assert np.array_equal(decode(data, channels=1).pixels[..., 0], np.rint(DEEP / 257).astype(np.uint8))


def test_a_float_tiff_is_read_where_it_is_asked_for():
    depth = RNG.random((4, 3), dtype=np.float32)
    data = encoded(depth, "TIFF")
    assert np.array_equal(decode(data, channels=None, deep=True).pixels[..., 0], depth)
    assert np.array_equal(decode(data, channels=None).pixels[..., 0], np.rint(depth * 255))
    with pytest.raises(
        DataError,
        match=r"expected 8 or 16 bits a channel, or floats in 0–1, got floats from -?[\d.e-]+ to 9\.?\d*\. Say ph\.",
    ):
        decode(encoded(np.where(depth == depth.max(), np.float32(9), depth), "TIFF"))


def test_a_palette_gives_colors_to_images_and_ids_to_masks():
    ids = RNG.integers(0, 4, (5, 7), dtype=np.uint8)
    palette = np.array([[0, 0, 0], [200, 10, 10], [10, 200, 10], [10, 10, 200]], np.uint8)
    image = Image.fromarray(ids).convert("P")
    image = Image.frombytes("P", (7, 5), ids.tobytes())
    image.putpalette(palette.tobytes())
    for format, options in (("PNG", {}), ("PNG", {"bits": 2}), ("BMP", {}), ("TIFF", {}), ("GIF", {})):
        data = encoded(image, format, **options)
        assert np.array_equal(decode(data).pixels, palette[ids]), format
        assert np.array_equal(decode_mask(data), ids), format


def gray_png(ids, bits):
    """A gray PNG of few bits, which Pillow does not write."""
    rows = b"".join(
        b"\0" + np.packbits(np.unpackbits(row[:, None], axis=1)[:, 8 - bits :].reshape(-1)).tobytes()
        for row in ids
    )
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_mask_of_few_bits_keeps_its_ids(bits):
    ids = RNG.integers(0, 1 << bits, (5, 7), dtype=np.uint8)
    assert np.array_equal(decode_mask(gray_png(ids, bits)), ids)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_a_mask_of_16_bits_keeps_its_ids(format):
    found = decode_mask(encoded(DEEP, format))
    assert found.dtype == np.uint16
    assert np.array_equal(found, DEEP)


def test_other_masks():
    wide = RNG.integers(0, 2**31, (5, 7), dtype=np.int32)
    assert np.array_equal(decode_mask(encoded(wide, "TIFF")), wide)
    assert np.array_equal(decode_mask(encoded(GRAY > 127, "TIFF")), GRAY > 127)
    assert np.array_equal(decode_mask(encoded(np.repeat(GRAY[..., None], 3, 2))), GRAY)
    assert np.array_equal(decode_mask(encoded(GRAY, mode="LA")), GRAY)
    assert np.array_equal(decode_mask(encoded(np.repeat(GRAY[..., None], 3, 2), "WebP", lossless=True)), GRAY)
    with pytest.raises(
        DataError, match=r"expected a mask of ids, one channel, got an image in colors\. Give the color of"
    ):
        decode_mask(encoded(RGB))
    for data in (encoded(GRAY, "JPEG"), encoded(RGB, "WebP")):
        with pytest.raises(DataError, match=r"expected a mask in a lossless format, got a lossy (JPEG|WebP)"):
            decode_mask(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WebP"])
def test_every_orientation_in_every_format(format, orientation, tmp_path):
    pixels = smooth(48, 80)
    options = (
        {"lossless": True}
        if format == "WebP"
        else {"quality": 98, "subsampling": 0}
        if format == "JPEG"
        else {}
    )
    if format == "TIFF":
        options["tiffinfo"] = {274: orientation}
    else:
        options["exif"] = exif(orientation)
    data = encoded(pixels, format, **options)
    expected = shown(pixels, orientation)
    found = decode(data)
    assert found.size == expected.shape[:2] == header_of(data).size
    assert found.orientation == orientation
    assert abs(found.pixels.astype(int) - expected).max() <= (4 if format == "JPEG" else 0)
    (tmp_path / "image").write_bytes(data)
    assert header_of(tmp_path / "image").size == found.size
    assert np.array_equal(decode(str(tmp_path / "image")).pixels, found.pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_matrix_of_an_orientation_moves_points_as_the_pixels_move(orientation):
    matrix = geometry.orient(orientation, (5, 7))
    turned = upright(np.arange(35).reshape(5, 7), orientation)
    assert turned.shape == geometry.turned(orientation, (5, 7))
    for row, column in np.ndindex(5, 7):
        x, y = geometry.transform(matrix, np.array([column + 0.5, row + 0.5]))
        assert turned[int(y), int(x)] == row * 7 + column
    one = np.arange(35, dtype=np.uint8).reshape(5, 7, 1)
    assert upright(one, orientation).shape == (*turned.shape, 1)


@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 7])
@pytest.mark.parametrize(
    ("least", "scale"), [((303, 401), 1), ((200, 300), 0.5), ((101, 3), 0.25), ((2, 2), 0.125)]
)
def test_a_jpeg_is_decoded_no_larger_than_needed(least, scale, orientation):
    data = encoded(smooth(603, 801), "JPEG", quality=98, subsampling=0, exif=exif(orientation))
    least = geometry.turned(orientation, least)
    found = decode(data, at_least=least)
    assert found.scale == scale
    assert found.size == geometry.turned(orientation, (603, 801))
    assert found.pixels.shape[0] >= least[0]
    assert found.pixels.shape[1] >= least[1]
    # the color at a point of the whole image is found at the place that the matrix says
    whole = decode(data).pixels
    for y, x in ((100, 100), (400, 500), (550, 60)):
        column, row = geometry.transform(found.matrix, np.array([x, y]))
        near = found.pixels[int(row), int(column)].astype(int)
        assert abs(near - whole[y, x]).max() <= 6
    # and the corners where pixels are whole
    stored = geometry.orient(orientation, (603, 801))
    less = geometry.orient(orientation, geometry.turned(orientation, found.pixels.shape[:2]))
    shown_corner = geometry.transform(stored, np.array([0.0, 0.0]))
    assert np.allclose(
        geometry.transform(found.matrix, shown_corner), geometry.transform(less, np.array([0.0, 0.0]))
    )


def test_gray_and_ink_in_jpeg():
    assert decode(encoded(GRAY, "JPEG")).pixels.shape == (5, 7, 3)
    assert decode(encoded(GRAY, "JPEG"), channels=None).pixels.shape == (5, 7, 1)
    assert decode(encoded(RGB, "JPEG"), channels=1).pixels.shape == (5, 7, 1)
    assert (decode(encoded(RGB, "JPEG"), channels=4).pixels[..., 3] == 255).all()
    ink = decode(encoded(smooth(16, 16), "JPEG", "CMYK", quality=98)).pixels
    assert abs(ink.astype(int) - smooth(16, 16)).mean() < 4
    halved = encoded(smooth(16, 16), "JPEG", "CMYK", quality=98, subsampling=1)  # unnamed in TurboJPEG
    for channels in (1, 3, 4):
        found = decode(halved, channels=channels).pixels[..., :3].astype(int)
        expected = smooth(16, 16) @ [0.299, 0.587, 0.114] if channels == 1 else smooth(16, 16)
        assert abs(found - expected.reshape(16, 16, -1)).mean() < 8
    require_undamaged(halved)


def test_a_truncated_file_in_inks_is_one_error():
    whole = encoded(smooth(64, 64), "JPEG", "CMYK")
    with pytest.raises(DataError, match="expected a whole JPEG") as error:
        decode(whole[:-100])
    assert str(error.value).count("expected") == 1


def test_truncated_files_are_errors(tmp_path):
    for format in ("JPEG", "PNG", "BMP", "TIFF", "WebP", "GIF"):
        data = encoded(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), format)
        for cut in (len(data) - 3, len(data) // 2, 40, 20, 9, 3, 1):
            with pytest.raises(DataError):
                decode(data[:cut])
    jpeg = encoded(smooth(64, 64), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(jpeg[:-40])
    with pytest.raises(
        DataError, match=r"row 3, file .*cut\.jpg: expected a whole JPEG, got one that does not decode"
    ):
        decode(tmp_path / "cut.jpg", where="row 3")
    with pytest.raises(DataError, match="Premature end"):
        decode(jpeg[:-40], at_least=(8, 8))


def test_bytes_too_many_in_a_jpeg_do_no_harm():
    jpeg = encoded(smooth(64, 64), "JPEG")
    longer = jpeg[:-2] + b"abcdefgh" + jpeg[-2:]
    assert np.array_equal(decode(longer).pixels, decode(jpeg).pixels)
    assert np.array_equal(decode(jpeg + b"\0" * 9).pixels, decode(jpeg).pixels)


def test_what_is_no_image(tmp_path):
    with pytest.raises(DataError, match=r"^an encoded image: expected an image, got no bytes\.$"):
        decode(b"")
    with pytest.raises(
        DataError, match=re.escape(f"expected an image ({FORMATS}), got 11 bytes that begin with")
    ):
        decode(b"hello world")
    with pytest.raises(DataError, match=r"nothing\.png: expected a file that can be read, got No such file"):
        decode(tmp_path / "nothing.png")
    with pytest.raises(DataError, match=r"expected a file that can be read"):
        header_of(tmp_path / "nothing.png")
    with pytest.raises(DataError, match=r"column `image`: expected encoded bytes or a path, got int\."):
        decode(3, where="column `image`")
    with pytest.raises(DataError, match="expected an image, got no bytes"):
        header_of(b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            bytes(128) + b"DICM",
            "It is a DICOM file: read it into an array, for example with pydicom, and give arrays.",
        ),
        (
            b"\x1f\x8b\x08",
            "It is a gzip file, such as .nii.gz: read it into an array, for example with nibabel",
        ),
        (b"version https://git-lfs.github.com/spec/v1", "It is a pointer of Git LFS: run git lfs pull."),
        (bytes(344) + b"n+1", "It is a NIfTI file: read it into an array, for example with nibabel"),
        (b'<?xml version="1.0"?>\n<svg width="9">', "It is an SVG drawing: convert it to PNG."),
        (b"\0\0\0\x20ftypisom", "It is a video: read it into an array, for example with cv2.VideoCapture"),
    ],
)
def test_other_formats_are_told_what_reads_them(data, said):
    with pytest.raises(DataError, match=re.escape(said)):
        decode(data + bytes(200))


def test_a_bomb_is_refused_before_it_is_decoded():
    bomb = bytearray(encoded(RGB))
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bytes(bomb[12:29])))
    message = r"expected at most 134,217,728 pixels, got 60000 x 60000 in \d+ bytes\. If the size is right"
    for read in (decode, decode_mask):
        with pytest.raises(DataError, match=message):
            read(bytes(bomb))
    for format in ("JPEG", "PNG", "BMP", "TIFF", "WebP", "GIF"):
        with pytest.raises(DataError, match="expected at most 34 pixels, got 7 x 5"):
            decode(encoded(RGB, format), max_pixels=34)
        assert decode(encoded(RGB, format), max_pixels=35).size == (5, 7)


def test_a_bomb_in_a_rare_format():
    gif = bytearray(encoded(GRAY, "GIF"))
    gif[6:10] = struct.pack("<HH", 60_000, 60_000)
    with pytest.raises(DataError, match="expected at most 134,217,728 pixels, got 60000 x 60000 in"):
        decode(bytes(gif))


def test_bytes_of_any_kind_and_simplejpegs_own():
    data = simplejpeg.encode_jpeg(smooth(32, 48))
    for source in (data, bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        assert decode(source).size == (32, 48)
        assert header_of(source).size == (32, 48)


def test_headers_longer_than_the_first_read(tmp_path):
    comment = b"\xff\xfe\xff\xff" + b"x" * 65533
    jpeg = encoded(smooth(32, 48), "JPEG")
    (tmp_path / "long.jpg").write_bytes(jpeg[:2] + comment * 2 + jpeg[2:])
    assert header_of(tmp_path / "long.jpg").size == (32, 48)
    big = encoded(RNG.integers(0, 256, (200, 300, 3), dtype=np.uint8), "TIFF")
    (tmp_path / "long.tif").write_bytes(big)
    assert header_of(tmp_path / "long.tif").size == (200, 300)


def test_a_damaged_exif_is_none():
    jpeg = encoded(smooth(32, 48), "JPEG", exif=exif(6))
    assert decode(jpeg).size == (48, 32)
    at = jpeg.index(b"Exif\0\0") + 6
    broken = jpeg[: at + 4] + b"\xff\xff\xff\x7f" + jpeg[at + 8 :]
    assert decode(broken).size == (32, 48)


def test_no_bytes_break_the_reading_of_headers():
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBPVP8X", b"II*\0", b"MM\0*", b"BM")
    for start in starts:
        for _ in range(200):
            data = start + RNG.bytes(int(RNG.integers(0, 80)))
            with contextlib.suppress(Broken):
                parse(data)


@pytest.mark.skipif(os.sep == "\\", reason="paths of Windows are those of this computer")
@pytest.mark.parametrize(
    ("path", "fix"),
    [
        (r"pets\1.jpg", 'Turn it into one of this computer: [name.replace("\\\\", "/") for name in column].'),
        (
            r"D:\pets\1.jpg",
            'Turn it into one of this computer: [name.replace("\\\\", "/").replace("D:/old/folder", folder) for name '
            "in column].",
        ),
        ("https://example.com/1.jpg", "Download it: files are read from disk."),
        ("file:///1.jpg", 'Give plain paths: [name.removeprefix("file://") for name in column].'),
        ("~/1.jpg", "Give whole paths: [os.path.expanduser(name) for name in column]."),
        (
            "70 12 255",
            'Numbers as text are not read: make arrays of pixels, np.array(text.split(), "uint8").reshape(height, '
            "width); draw run lengths as arrays (H, W).",
        ),
        ("$PETS/1.jpg", "Give whole paths: [os.path.expandvars(name) for name in column]."),
        (" a.png\n", "Leave out the spaces around it: [name.strip() for name in column]."),
        ("/9j/4AAQSk", "They are in base64; decode them: [base64.b64decode(text) for text in column]."),
        (
            "data:image/png;base64,iVBORw0KGgo=",
            'Decode them: [base64.b64decode(text.partition(",")[2]) for text in column].',
        ),
        ("*.png", "Give the files that the pattern means: sorted(glob.glob(pattern))."),
        ("*.jpg", "[os.path.join(folder, name) for name in column]."),
        ("1.jpg", "[os.path.join(folder, name) for name in column]."),
    ],
)
def test_a_path_that_is_none_of_this_computer_says_what_to_do(tmp_path, monkeypatch, path, fix):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PETS", "pets")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError) as error:
        decode(path)
    assert str(error.value).startswith(f"file {path}: expected a file that can be read, got No such file")
    assert str(error.value).endswith(fix)


@pytest.mark.parametrize(
    ("data", "fix"),
    [
        (b"iVBORw0KGgoAAAANSUhEUg==", "decode them: [base64.b64decode(text) for text in column]."),
        (b"photos/1.jpg", "If they are paths, give text: [name.decode() for name in column]."),
    ],
)
def test_bytes_that_are_text_say_what_to_do(data, fix):
    with pytest.raises(DataError) as error:
        decode(data)
    assert str(error.value).endswith(fix)


def test_a_whole_image_as_a_path_is_not_printed():
    with pytest.raises(DataError) as error:
        decode("iVBORw0KGgo" + "A" * 100_000)
    assert str(error.value).startswith(
        "file iVBORw0KGgo" + "A" * 29 + "...: expected a file that can be read"
    )
    assert len(str(error.value)) < 300
