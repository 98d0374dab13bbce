"""The orientation that a header says is the one in which Pillow shows the image, however it is written."""

import io
import struct
import zlib

import numpy as np
import pytest
from pillow_features import VERSION, supports

from polyhead.images.decode import decode
from polyhead.images.encoded import header_of
from polyhead.images.headers import parse

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageOps = pytest.importorskip("PIL.ImageOps")

Y, X = np.mgrid[0:20, 0:32]
PIXELS = np.stack([X * 8, Y * 12, np.full_like(X, 60)], 2).astype(np.uint8)
OPTIONS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def saved(format, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, format, **OPTIONS[format], **options)
    return file.getvalue()


def exif(orientation, type_=3, order="<", count=1):
    """A block of Exif with nothing but an orientation."""
    form = {3: "H", 4: "I", 8: "h", 9: "i", 1: "B", 2: "B", 5: "I", 13: "I"}[type_]
    value = struct.pack(order + form, orientation).ljust(4, b"\0")
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return start + struct.pack(order + "HHHI", 1, 274, type_, count) + value + bytes(4)


def segment(body):
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunk(png, new, before):
    at = png.index(before) - 4
    return png[:at] + new + png[at:]


def agrees(data, tmp_path, wanted=None):
    """Whether header, decoder and Pillow show the same."""
    with Image.open(io.BytesIO(data)) as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    (tmp_path / "file").write_bytes(data)
    header, found = header_of(tmp_path / "file"), decode(data)
    assert header == parse(data)
    assert header.size == found.size == shown.shape[:2]
    assert np.abs(found.pixels.astype(int) - shown).max() <= 6
    if wanted is not None:
        assert header.orientation == wanted
    return header.orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", OPTIONS)
def test_in_every_format(tmp_path, format, orientation):
    if format == "AVIF" and not supports("avif"):
        pytest.skip("this Pillow has no AVIF")
    tags = Image.Exif()
    tags[274] = orientation
    agrees(saved(format, exif=tags), tmp_path, orientation)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("type_", "orientation"), [(3, 6), (4, 6), (9, 8), (8, 3), (1, 6), (2, 54), (3, 0), (3, 9), (4, 70000)]
)
def test_in_every_type(tmp_path, order, type_, orientation):
    jpeg = saved("JPEG")
    agrees(jpeg[:2] + segment(b"Exif\0\0" + exif(orientation, type_, order)) + jpeg[2:], tmp_path)


@pytest.mark.parametrize("type_", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_in_webp_and_png_in_every_type(tmp_path, order, type_):
    agrees(saved("WEBP", exif=exif(6, type_, order)), tmp_path, 6)
    agrees(saved("WEBP", exif=b"Exif\0\0" + exif(6, type_, order)), tmp_path, 6)
    agrees(with_chunk(saved("PNG"), chunk(b"eXIf", exif(6, type_, order)), b"IDAT"), tmp_path, 6)


@pytest.mark.parametrize(("first", "second"), [(6, 1), (1, 6), (6, 8)])
def test_in_two_blocks_the_first_counts(tmp_path, first, second):
    jpeg = saved("JPEG")
    blocks = segment(b"Exif\0\0" + exif(first)) + segment(b"Exif\0\0" + exif(second, 4))
    agrees(jpeg[:2] + blocks + jpeg[2:], tmp_path, first)


def test_behind_other_segments_and_behind_the_size(tmp_path):
    jpeg = saved("JPEG")
    at = jpeg.index(b"\xff\xc0")
    for place in (at, at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")):
        agrees(jpeg[:place] + segment(b"Exif\0\0" + exif(6)) + jpeg[place:], tmp_path, 6)


def test_behind_the_pixels_of_a_png(tmp_path):
    png = saved("PNG")
    late = with_chunk(png, chunk(b"eXIf", exif(6)), b"IEND")
    agrees(late, tmp_path, 6)
    agrees(with_chunk(late, chunk(b"eXIf", exif(8)), b"IDAT"), tmp_path)


def test_as_text_in_a_png_as_imagemagick_writes_it(tmp_path):
    digits = (b"Exif\0\0" + exif(6)).hex().encode()
    text = b"\nexif\n%8d\n%s\n" % (len(digits) // 2, digits)
    for place in (b"IDAT", b"IEND"):
        packed = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
        agrees(with_chunk(saved("PNG"), packed, place), tmp_path, 6)
        plain = chunk(b"tEXt", b"Raw profile type exif\0" + text)
        agrees(with_chunk(saved("PNG"), plain, place), tmp_path, 6)


@pytest.mark.skipif(VERSION < (11, 0), reason="older ones do not look for it in all formats")
def test_in_xmp_where_exif_does_not_say_it(tmp_path):
    xmp = XMP % 6
    jpeg, other = saved("JPEG"), Image.Exif()
    other[271] = "maker"
    body = segment(b"http://ns.adobe.com/xap/1.0/\0" + xmp)
    agrees(jpeg[:2] + body + jpeg[2:], tmp_path, 6)
    agrees(jpeg[:2] + segment(b"Exif\0\0" + exif(3)) + body + jpeg[2:], tmp_path, 3)
    agrees(jpeg[:2] + body + segment(other.tobytes()) + jpeg[2:], tmp_path, 6)
    agrees(saved("WEBP", xmp=xmp), tmp_path, 6)
    agrees(
        with_chunk(saved("PNG"), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp), b"IDAT"), tmp_path, 6
    )
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)
    agrees(with_chunk(saved("PNG"), chunk(b"iTXt", packed), b"IDAT"), tmp_path, 6)
    agrees(saved("TIFF", tiffinfo={700: xmp}), tmp_path)


def test_a_gif_is_as_large_as_pillow_shows_it(tmp_path):
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert("P").save(file, "GIF")
    gif = file.getvalue()
    small = gif[:6] + struct.pack("<HH", 9, 7) + gif[10:]
    with Image.open(io.BytesIO(small)) as image:
        shown = image.size
    (tmp_path / "small").write_bytes(small)
    assert header_of(tmp_path / "small").size == decode(small).size == shown[::-1] == (20, 32)
