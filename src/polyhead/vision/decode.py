"""Decoding: bytes or a file into pixels, upright, no larger than needed.

JPEG through libjpeg-turbo, which can decode at 1/2, 1/4 or 1/8 of the size; other formats through OpenCV; palettes
of masks, and what is rare, through Pillow. OpenCV's own reading of orientations differs between versions and
formats, so it is not used but for TIFF, and the header read here says what to turn.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import DataError, PolyheadError, Problem, place
from polyhead.vision._libraries import opencv, pillow, simplejpeg
from polyhead.vision.geometry import orient, scale, turned
from polyhead.vision.headers import Header, Incomplete, parse

MAX_PIXELS = 1 << 27
"""Pixels of an image that are decoded without being asked for: 134 million, 400 MB as RGB."""

HEAD = 1 << 16

Encoded = bytes | bytearray | memoryview | np.ndarray | str | os.PathLike[str]


@dataclass(frozen=True)
class Decoded:
    """A decoded image.

    Attributes:
        pixels: ``(H, W, C)``, RGB, upright; uint8, or the file's own type where it was asked for.
        size: (height, width) of the whole image, upright; larger than the pixels' where it was decoded smaller.
        scale: 1, or 1/2, 1/4, 1/8.
        orientation: how the file stores it, 1 to 8 as Exif numbers it; the pixels are turned already.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    scale: float = 1.0
    orientation: int = 1

    @property
    def exact(self) -> bool:
        """Whether a pixel at the end shows as much as any other: the scale divides the size."""
        return all(n * self.scale == side for n, side in zip(self.size, self.pixels.shape, strict=False))

    @property
    def matrix(self) -> np.ndarray:
        """From coordinates of the whole image to coordinates of the pixels.

        Not a mere scale: where the scale does not divide the size, the pixel at the end covers less, and the
        orientation may have turned that end to the front.
        """
        if self.scale == 1:
            return np.eye(3)
        stored, less = (turned(self.orientation, size) for size in (self.size, self.pixels.shape[:2]))
        back = np.linalg.inv(orient(self.orientation, stored))
        return orient(self.orientation, less) @ scale(self.scale, self.scale) @ back


def decode(
    source: Encoded,
    *,
    channels: int | None = 3,
    at_least: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
    deep: bool = False,
    where: str = "",
) -> Decoded:
    """Decode an image.

    Args:
        source: the encoded bytes, also as an array ``(n,)`` of uint8; or a path.
        channels: 1 for grey, 3 for RGB, 4 for RGB and alpha, None for what the file has.
        at_least: (height, width) that suffice: a JPEG may come at 1/2, 1/4 or 1/8 that is no smaller.
        max_pixels: larger images are refused before they are decoded.
        deep: keep 16 bits a channel where the file has them, rather than scale to 8.
        where: where this image stands, for errors.

    Raises:
        DataError: for a file that is missing, empty, cut off, no image, or too large.
    """
    data, where = _read(source, where)
    header = _checked(data, max_pixels, where)
    if header.format == "JPEG":
        pixels, factor = _jpeg(data, header, channels, at_least, where)
    else:
        pixels, factor = _channels(_other(data, header, where), channels, deep, where), 1.0
    return Decoded(_turned(pixels, header), header.size, factor, header.orientation)


def decode_mask(source: Encoded, *, max_pixels: int = MAX_PIXELS, where: str = "") -> np.ndarray:
    """Decode a mask of class ids, exactly as they are stored: the indices of a palette, or grey values.

    Grey of 1, 2 or 4 bits gives ids from 0 on, not shades of 255.

    Returns:
        ``(H, W)``, uint8, uint16 or int32.

    Raises:
        DataError: as `decode` does; also for colours without a palette, and for lossy formats, whose ids are
            blurred.
    """
    data, where = _read(source, where)
    header = _checked(data, max_pixels, where)
    _require_exact(header, where)
    if header.format == "PNG" and header.kind == 0:
        pixels = _opencv(data, header, where)
        if header.bits < 8:  # unpacked to 0-255: back to what was stored
            pixels = pixels // (255 // ((1 << header.bits) - 1))
    else:
        pixels = _ids(_pillow(data, header, where))
    if pixels.ndim == 3:
        if not all(np.array_equal(pixels[..., 0], pixels[..., k]) for k in (1, 2)):
            fix = "Say the colour of each class: Mask(values=[(r, g, b), ...])."
            raise _error(where, "a mask of ids, one channel", "an image in colours", fix)
        pixels = pixels[..., 0]
    return _turned(np.ascontiguousarray(pixels), header)


def decode_colours(source: Encoded, *, where: str = "") -> np.ndarray:
    """Decode a mask in colours, exactly as they are stored; those of its palette where it has one.

    Returns:
        RGB, uint8 ``(H, W, 3)``.

    Raises:
        DataError: as `decode` does; also for lossy formats, whose colours are blurred.
    """
    data, where = _read(source, where)
    _require_exact(header_of(data, where=where), where)
    return decode(data, where=where).pixels


def _require_exact(header: Header, where: str) -> None:
    if header.lossy:
        fix = "Save masks as PNG; for a binary mask, decode the image and compare with 127."
        raise _error(where, "a mask in a format without loss", f"a lossy {header.format}", fix)


def size_of(source: Encoded, *, where: str = "") -> tuple[int, int]:
    """(height, width) of an image, upright, from its header alone.

    Raises:
        DataError: for a file that is missing, empty, or no image.
    """
    return header_of(source, where=where).size


def header_of(source: Encoded, *, where: str = "") -> Header:
    """What the header of an image says: its size, and how it is to be turned.

    Raises:
        DataError: for a file that is missing, empty, or no image.
    """
    if isinstance(source, (str, os.PathLike)):
        where = _placed(source, where)
        try:
            with open(source, "rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise _unreadable(error, where) from error
        try:
            header = parse(head)
        except Incomplete:
            header = None
        if header is not None:
            return header
    data, where = _read(source, where)
    return _header(data, where)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as shown, from pixels as stored, for one of Exif's eight orientations."""
    if orientation == 1:
        return pixels
    cv2 = opencv()
    if orientation in (2, 3, 4):
        found = cv2.flip(pixels, {2: 1, 3: -1, 4: 0}[orientation])
    elif orientation in (6, 8):
        found = cv2.rotate(
            pixels, cv2.ROTATE_90_CLOCKWISE if orientation == 6 else cv2.ROTATE_90_COUNTERCLOCKWISE
        )
    else:
        found = cv2.transpose(pixels)
        found = found if orientation == 5 else cv2.flip(found, -1)
    return found.reshape(*found.shape[:2], *pixels.shape[2:])  # OpenCV drops a single channel


def _turned(pixels: np.ndarray, header: Header) -> np.ndarray:
    """Pixels as shown: OpenCV and Pillow both turn a TIFF by themselves, and nothing else."""
    return pixels if header.format == "TIFF" else upright(pixels, header.orientation)


def _read(source: Encoded, where: str) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, (str, os.PathLike)):
        where = _placed(source, where)
        try:
            with open(source, "rb") as file:
                data = file.read()
        except OSError as error:
            raise _unreadable(error, where) from error
    elif isinstance(source, (bytearray, memoryview)):
        data = bytes(source)
    elif isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.ndim == 1:
        data = source.tobytes()
    else:
        raise _error(where, "encoded bytes or a path", type(source).__name__)
    if not data:
        raise _error(where, "an image", "no bytes")
    return data, where


def _placed(path: Any, where: str) -> str:
    file = place(file=os.fspath(path))
    return f"{where}, {file}" if where else file


def _header(data: bytes, where: str) -> Header:
    try:
        header = parse(data)
    except Incomplete:
        raise _error(
            where, "a whole image", f"a header that is cut off or damaged, {len(data)} bytes"
        ) from None
    if header is None:
        try:
            with pillow().open(io.BytesIO(data)) as image:
                orientation = image.getexif().get(274, 1)
                found = orientation if orientation in range(1, 9) else 1
                header = Header(image.format, image.height, image.width, found)
        except PolyheadError:
            raise
        except pillow().DecompressionBombError as error:
            raise _error(where, f"at most {MAX_PIXELS:,} pixels", f"more, in {len(data)} bytes") from error
        except Exception as error:  # of many kinds: a decoder that meets bytes of any sort
            shown_bytes = f"{len(data)} bytes that begin with {data[:8]!r}"
            raise _error(where, "an image: JPEG, PNG, BMP, TIFF or WebP", shown_bytes) from error
    if not header.height or not header.width:
        raise _error(where, "an image", f"a size of {header.width} x {header.height} pixels")
    return header


def _checked(data: bytes, max_pixels: int, where: str) -> Header:
    header = _header(data, where)
    if header.height * header.width > max_pixels:
        found = f"{header.width} x {header.height} in {len(data)} bytes"
        fix = "If this is no mistake, make it smaller first, or call vision.decode with max_pixels."
        raise _error(where, f"at most {max_pixels:,} pixels", found, fix)
    return header


def _jpeg(
    data: bytes, header: Header, channels: int | None, at_least: tuple[int, int] | None, where: str
) -> tuple[np.ndarray, float]:
    eighths = 8
    if at_least is not None:
        need = turned(header.orientation, at_least)
        while eighths > 1 and all(
            -(-side * eighths // 16) >= least
            for side, least in zip((header.height, header.width), need, strict=True)
        ):
            eighths //= 2
    try:
        space = simplejpeg().decode_jpeg_header(data)[2]
        if space in ("CMYK", "YCCK"):  # libjpeg does not turn ink into light
            pixels = np.asarray(_pillow(data, header, where).convert("RGB"))
            return _channels(pixels, channels, False, where), 1.0
        grey = channels == 1 or (channels is None and space.upper() == "GRAY")
        color = "GRAY" if grey else "RGBA" if channels == 4 else "RGB"
        smaller = {}
        if eighths < 8:
            smaller = {
                "min_height": -(-header.height * eighths // 8),
                "min_width": -(-header.width * eighths // 8),
            }
        try:
            pixels = simplejpeg().decode_jpeg(data, color, **smaller)
        except ValueError as error:
            if "extraneous" not in str(error):  # bytes too many between segments, which do no harm
                raise
            pixels = simplejpeg().decode_jpeg(data, color, strict=False, **smaller)
    except ValueError as error:
        raise _error(where, "a whole JPEG", f"one that does not decode ({error})") from error
    if eighths < 8 and pixels.shape[:2] != (smaller["min_height"], smaller["min_width"]):
        raise AssertionError(f"decoded to {pixels.shape[:2]} rather than {smaller}")
    return pixels, eighths / 8


def _other(data: bytes, header: Header, where: str) -> np.ndarray:
    """Pixels as stored, ``(H, W)`` or RGB or RGBA last."""
    if header.format in ("PNG", "BMP", "TIFF", "WebP"):
        cv2 = opencv()
        pixels = _opencv(data, header, where)
        if header.format == "TIFF" and pixels.dtype == np.uint8 and pixels.shape[2:] == (4,):
            return np.asarray(_pillow(data, header, where).convert("RGBA"))  # OpenCV darkens colours by alpha
        if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
            code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
            pixels = cv2.cvtColor(pixels, code)
        return pixels
    image = _pillow(data, header, where)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return np.asarray(image.convert("RGB") if image.mode not in ("L", "RGB", "RGBA", "I;16") else image)


def _opencv(data: bytes, header: Header, where: str) -> np.ndarray:
    cv2 = opencv()
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise _error(where, f"a whole {header.format}", f"{len(data)} bytes that do not decode")
    return pixels


def _pillow(data: bytes, header: Header, where: str) -> Any:
    try:
        image = pillow().open(io.BytesIO(data))
        image.load()
    except PolyheadError:
        raise
    except Exception as error:  # of many kinds, as above
        raise _error(where, f"a whole {header.format}", f"one that does not decode ({error})") from error
    return image


def _ids(image: Any) -> np.ndarray:
    if image.mode in ("LA", "PA"):
        image = image.getchannel(0)
    pixels = np.asarray(image)
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _channels(pixels: np.ndarray, channels: int | None, deep: bool, where: str) -> np.ndarray:
    if pixels.dtype != np.uint8 and not deep:
        if pixels.dtype != np.uint16:
            fix = 'Say deep=True, of ph.Image dtype="float32"; or save it with 8 or 16 bits.'
            raise _error(where, "8 or 16 bits a channel", str(pixels.dtype), fix)
        pixels = opencv().convertScaleAbs(pixels, alpha=255 / 65535)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    have = pixels.shape[2]
    if channels is None or channels == have:
        return pixels
    if have == 2:  # grey and alpha
        pixels, have = pixels[..., [0, 0, 0, 1]], 4
    if channels == 1:
        return opencv().cvtColor(np.ascontiguousarray(pixels[..., :3]), opencv().COLOR_RGB2GRAY)[..., None]
    if have == 1:
        pixels = np.repeat(pixels, 3, 2)
    if channels == 3:
        return np.ascontiguousarray(pixels[..., :3])
    if pixels.shape[2] == 4:
        return pixels
    full = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return np.concatenate([pixels, np.full_like(pixels[..., :1], full)], 2)


def _unreadable(error: OSError, where: str) -> DataError:
    return _error(where, "a file that can be read", f"{type(error).__name__}: {error.strerror or error}")


def _error(where: str, expected: str, found: str, fix: str = "") -> DataError:
    return DataError(Problem(where or "an encoded image", expected, found, fix))
