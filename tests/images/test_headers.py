import contextlib
import struct

import numpy as np
import pytest

from outcomes import message
from polyhead import DataError
from polyhead.images.encoded import FORMATS, header_of

Image = pytest.importorskip("PIL.Image")
PIXELS = np.zeros((21, 34, 3), np.uint8)
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 34, 21, 8, 2, 0, 0, 0, 0)
VP8X = b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(10)


def shown(path):
    """(height, width, orientation), as the header has them."""
    header = header_of(path)
    return (*header.size, header.orientation)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {}),
        ("a.jpg", {"progressive": True}),
        ("a.jpg", {"icc_profile": b"x" * 200_000}),
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.gif", {}),
        ("a.webp", {}),
        ("a.webp", {"lossless": True}),
        ("a.webp", {"icc_profile": b"x" * 100}),
        ("a.tif", {}),
        ("a.tif", {"compression": "tiff_lzw", "big_endian": True}),
    ],
)
def test_sizes_are_those_that_pillow_finds(tmp_path, name, options):
    options.pop("big_endian", None)
    Image.fromarray(PIXELS).save(tmp_path / name, **options)
    assert shown(tmp_path / name) == (21, 34, 1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "I;16"])
def test_every_kind_of_png(tmp_path, mode):
    Image.new(mode, (34, 21)).save(tmp_path / "a.png")
    assert header_of(tmp_path / "a.png").size == (21, 34)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png", "a.webp"])
def test_an_image_is_as_large_as_it_is_upright(tmp_path, name, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(tmp_path / name, exif=exif)
    with Image.open(tmp_path / name) as image:
        upright = ImageOps.exif_transpose(image).size
    header = header_of(tmp_path / name)
    assert (*header.size, header.orientation) == (upright[1], upright[0], orientation)
    assert header.stored == PIXELS.shape[:2]


def exif(order, entries, kind=3):
    code = "<" if order == b"II" else ">"
    body = order + struct.pack(code + "HIH", 42, 8, len(entries))
    for tag, value in entries:
        body += struct.pack(code + "HHIHH", tag, kind, 1, value, 0)
    return body


@pytest.mark.parametrize(
    ("block", "orientation"),
    [
        (exif(b"II", [(0x0100, 5), (0x0112, 6)]), 6),
        (exif(b"MM", [(0x0112, 8)]), 8),
        (exif(b"MM", [(0x0112, 9)]), 1),
        (exif(b"MM", [(0x0112, 6)], kind=2), 1),
        (exif(b"MM", [(0x0110, 6)]), 1),
        (b"??" + exif(b"MM", [(0x0112, 6)])[2:], 1),
        (exif(b"II", [(0x0112, 6)])[:13], 1),
        (b"", 1),
    ],
)
def test_orientation_in_jpeg(tmp_path, block, orientation):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + block)
    header = header_of(tmp_path / "a.jpg")
    assert header.orientation == orientation
    assert header.size == ((34, 21) if orientation > 4 else (21, 34))


def test_bitmaps_from_top_to_bottom_and_of_os2(tmp_path):
    (tmp_path / "a.bmp").write_bytes(b"BM" + bytes(12) + struct.pack("<Iii", 40, 34, -21) + bytes(20))
    (tmp_path / "b.bmp").write_bytes(b"BM" + bytes(12) + struct.pack("<IHH", 12, 34, 21) + bytes(20))
    assert shown(tmp_path / "a.bmp") == shown(tmp_path / "b.bmp") == (21, 34, 1)


def test_markers_may_be_padded(tmp_path):
    frame = b"\xff\xff\xff\xc0" + struct.pack(">HBHH", 11, 8, 21, 34)
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\x01" + frame)
    assert shown(tmp_path / "a.jpg") == (21, 34, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected an image, got no bytes."),
        (b"<html><b>", f"({FORMATS}), got 9 bytes that begin with b'<html><b'."),
        (b"\xff\xd8\xff\xe0\0", "expected an image with a whole header, got a file that ends within its header."),
        (b"\xff\xd8\xff", "got a file that ends within its header."),
        (b"\xff\xd8\xff\xe0\0\0", "got a JPEG with a segment of no length."),
        (b"\xff\xd8\xff\xe0\0\x02\0\0", "got a JPEG with a gap in its header."),
        (b"\xff\xd8\xff\xd9", "got a JPEG without its size."),
        (b"\xff\xd8" + b"\xff\x01" * 5000, "got a JPEG without its size."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "got a file that ends within its header."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIDAT" + bytes(16), "got a PNG that does not begin with its size."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(16), "expected an image, got a size of 0 x 0 pixels."),
        (b"RIFF\0\0\0\0WEBPABCD" + bytes(20), "got a WebP that begins with the part b'ABCD'."),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(20), "got a WebP without a first frame."),
        (b"RIFF\0\0\0\0WEBPVP8X" + bytes(10), "got a file that ends within its header."),
        (b"GIF89a\x01", "got a file that ends within its header."),
        (b"BM\0\0", "got a file that ends within its header."),
        (b"II*\0\x08\0\0\0\0\0", "got a TIFF without its size."),
        (b"II*\0\xff\xff\xff\xff", "got a file that ends within its header."),
        (b"II+\0\x08\0\0\0" + b"\xff" * 8, "got a file that ends within its header."),
        (PNG + b"\0\0\1\0IDAT" + bytes(9), "got a PNG whose part b'IDAT' claims 256 bytes, more than the file has."),
        (PNG + bytes(12) * 140_000, "got a PNG of more than 131,072 parts."),
        (VP8X + b"VP8 \xff\xff\0\0", "got a WebP whose part b'VP8 ' claims 65,535 bytes, more than the file has."),
        (b"P5 3", "got a file that ends within its header."),
        (b"P5 " + b"#" * 100, "got a file that ends within its header."),
        (b"P5 3 x 255 abc", "got a header with b'x' in the place of a number."),
        (b"P5 3 2 70000 abc", "got a header whose largest number is 70000."),
        (b"Pf 3 2 0 abc", "got a header with b'0' in the place of a number."),
        (b"P7\nWIDTH 2\nENDHDR\n", "got a PAM without its size."),
        (b"P7\nWIDTH 2\n", "got a file that ends within its header."),
        (b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 0\nMAXVAL 1\nENDHDR\n", "got a PAM of 0 numbers a pixel."),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "got an AVIF or HEIC without its size."),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\1\0meta",
         "got a part b'meta' that claims 256 bytes, more than the file has."),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "got a JPEG 2000 without pixels."),
        (b"\xff\x4f\xff\x51\0\0", "got a file that ends within its header."),
    ],
)  # fmt: skip
def test_what_is_no_image_is_said(tmp_path, content, words):
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    found = message(lambda: header_of(file))
    assert found.startswith(f"file {file}: expected ")
    assert found.endswith(words)


def test_a_file_that_is_not_there(tmp_path):
    file = tmp_path / "a.jpg"
    assert message(lambda: header_of(file)) == (
        f"file {file}: expected a file that can be read, got No such file or directory."
    )


def test_no_more_than_the_beginning_of_a_file_is_read(tmp_path):
    with open(tmp_path / "a.jpg", "wb") as file:
        file.truncate(1 << 40)  # nothing is written
    assert message(lambda: header_of(tmp_path / "a.jpg")).endswith(
        r"1099511627776 bytes that begin with b'\x00\x00\x00\x00\x00\x00\x00\x00'."
    )


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.gif"])
def test_no_beginning_of_a_file_breaks_the_reader(tmp_path, name):
    Image.fromarray(PIXELS).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for end in range(min(len(content), 400)):
        (tmp_path / "cut").write_bytes(content[:end])
        with contextlib.suppress(DataError):
            assert header_of(tmp_path / "cut").size == (21, 34)
