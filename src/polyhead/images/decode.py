"""Decodes images to upright pixels, no larger than needed.

JPEG is decoded by libjpeg-turbo, at 1/2, 1/4 or 1/8 of the size if that suffices; PNG, BMP and WebP by OpenCV; TIFF and
Netpbm by polyhead, with all their bands and bits; palettes of masks and rare formats by Pillow. The libraries treat the
orientation differently, depending on version and format, so it comes from polyhead's own header parser.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from polyhead.images import geometry, pillow_files
from polyhead.images.channels import Samples, Unfit, choose_channels, in_8_bits
from polyhead.images.content import TURNED, Broken, Header, NoPage
from polyhead.images.encoded import Encoded, checked_header, damage, header_in, no_page, read_encoded, refusal
from polyhead.images.libraries import opencv, simplejpeg
from polyhead.images.netpbm import read_pnm
from polyhead.images.npy import read_npy
from polyhead.images.pillow_files import Held
from polyhead.images.tiff import read_tiff


@dataclass(frozen=True)
class Decoded:
    """A decoded image.

    Attributes:
        pixels: ``(H, W, C)``, RGB, upright; uint8, or the file's dtype with ``deep``.
        size: (height, width) of the whole image, upright; larger than ``pixels`` if it was decoded at a smaller scale.
        scale: 1, 1/2, 1/4 or 1/8.
        orientation: the Exif orientation in the file, 1 to 8; the pixels are upright already.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    scale: float = 1.0
    orientation: int = 1

    @property
    def exact(self) -> bool:
        """True if the scale divides the size, so that the last pixels cover as much as the others."""
        return all(n * self.scale == side for n, side in zip(self.size, self.pixels.shape, strict=False))

    @property
    def matrix(self) -> np.ndarray:
        """The matrix from coordinates of the whole image to those of ``pixels``.

        It can include a shift: if the scale does not divide the size, the last pixel covers a smaller area, and turning
        the image upright may make it the first.
        """
        if self.scale == 1:
            return np.eye(3)
        stored, less = (
            geometry.turned(self.orientation, size) for size in (self.size, self.pixels.shape[:2])
        )
        back = np.linalg.inv(geometry.orient(self.orientation, stored))
        scaling = geometry.scale(self.scale, self.scale)
        return geometry.orient(self.orientation, less) @ scaling @ back


def decode(
    source: Encoded,
    *,
    channels: int | None = 3,
    at_least: tuple[int, int] | None = None,
    max_pixels: int | None = None,
    page: int | None = None,
    deep: bool = False,
    layer: str = "image",
    where: str = "",
) -> Decoded:
    """Decode an image.

    Args:
        source: the encoded bytes, also as a uint8 array ``(n,)``; a path; or a Pillow image.
        channels: 1 for gray, 3 for RGB, 4 for RGB and alpha, another number for that many bands, None for the
            channels in the file.
        at_least: a sufficient (height, width); a JPEG may be decoded at 1/2, 1/4 or 1/8 if that is not smaller.
        max_pixels: the largest size to decode; by default 134 million pixels, or fewer if the file has suspiciously few
            bytes for its size in pixels.
        page: the page of a TIFF or frame of an animation, from 0 on; with None, a file with several is an error.
        deep: keep more than 8 bits per channel, instead of scaling to 8.
        layer: the name of the image in errors: ``"image"`` or ``"mask"``.

    Raises:
        DataError: for a file that is missing, empty, truncated, not an image, too large, has several pages, or has
            bands that cannot be converted to the requested channels.
    """
    data, where = read_encoded(source, where)
    header = checked_header(data, max_pixels, page, where, layer)
    scale = 1.0
    with _errors_named(header, page or 0, where):
        if header.format == "JPEG" and isinstance(data, bytes) and channels in (None, 1, 3, 4):
            pixels, scale = _decode_jpeg(data, header, channels, at_least)
        else:
            pixels = choose_channels(_decode_other(data, header, page or 0), channels)
            pixels = pixels if deep else in_8_bits(pixels)
    return Decoded(upright(pixels, header.orientation), header.size, scale, header.orientation)


def decode_mask(
    source: Encoded, *, max_pixels: int | None = None, masks: int = 1, where: str = ""
) -> np.ndarray:
    """Decode a mask of class ids, exactly as stored: palette indices or gray values.

    Gray values of 1, 2 or 4 bits are not scaled to 0–255.

    Returns:
        ``(H, W)``, or ``(H, W, masks)`` of a file with that number of channels; in the dtype of the file.

    Raises:
        DataError: as for `decode`; also for colors without a palette, and for lossy formats, which change ids.
    """
    data, where = read_encoded(source, where)
    header = checked_header(data, max_pixels, None, where, "mask")
    _require_exact(header, where)
    with _errors_named(header, 0, where):
        pixels = _stored_ids(data, header)
        if masks > 1 < pixels.shape[2]:
            if pixels.shape[2] != masks:
                raise Unfit(f"{masks} masks, (H, W, {masks})", f"{pixels.shape[2]} channels")
            return upright(np.ascontiguousarray(pixels), header.orientation)
        bands = [pixels[..., k] for k in range(min(pixels.shape[2], 3))]
        if len(bands) == 2 or not all(np.array_equal(bands[0], band) for band in bands[1:]):
            fix = "Give the color of each class: Mask(values=[(r, g, b), ...])."
            raise Unfit("a mask of ids, one channel", "an image in colors", fix)
    return upright(np.ascontiguousarray(pixels[..., 0]), header.orientation)


def decode_colors(source: Encoded, *, max_pixels: int | None = None, where: str = "") -> np.ndarray:
    """Decode the colors of a mask, exactly as stored or as in its palette.

    Returns:
        RGB, uint8 ``(H, W, 3)``.

    Raises:
        DataError: as for `decode`; also for lossy formats, which change colors.
    """
    data, where = read_encoded(source, where)
    _require_exact(header_in(data, 0, where), where)
    return decode(data, max_pixels=max_pixels, layer="mask", where=where).pixels


def require_undamaged(source: Encoded, where: str = "") -> None:
    """Decode an image or a mask to detect damage, whatever its channels and pages.

    Args:
        source: as for `decode`.

    Raises:
        DataError: with the code `DAMAGED` if the file is missing, not an image, or cannot be decoded; with another
            code if it cannot be checked, because it is too large or its format is not supported.
    """
    data, where = read_encoded(source, where)
    header = checked_header(data, None, 0, where, "image")
    with _errors_named(header, 0, where):
        if header.format == "JPEG" and isinstance(data, bytes):
            _decode_jpeg(data, header, None, (1, 1))  # the smallest scale also reads the whole file
            return
        _decode_other(data, header, 0)
        if header.format == "PNG" and header.color_type == _PALETTE:  # another library decodes it as a mask
            _stored_ids(data, header)


_PALETTE = 3
"""The PNG color type of images with a palette."""


@contextmanager
def _errors_named(header: Header, page: int, where: str) -> Iterator[None]:
    """Turn the exceptions of decoders into a `DataError` that names the image."""
    try:
        yield
    except Unfit as error:
        raise refusal(where, error.expected, error.found, error.fix) from None
    except NoPage as error:
        raise no_page(error, page, where) from None
    except (Broken, MemoryError) as error:
        found = str(error) or "one too large for memory"
        raise damage(where, f"a whole {header.format}", found) from error


def _require_exact(header: Header, where: str) -> None:
    if header.lossy:
        fix = "Save masks as PNG; for a binary mask, decode the image and compare with 127."
        # OpenCV's default of JPEG 2000 drops bits of a reversible wavelet: no header says that nothing was lost
        untold = header.format in ("JPEG 2000", "AVIF")
        found = f"{header.format}, which may be lossy" if untold else f"a lossy {header.format}"
        raise refusal(where, "a mask in a lossless format", found, fix)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels upright, given their Exif orientation (1 to 8)."""
    if orientation == 1:
        return pixels
    rows, columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)  # which to reverse
    if pixels.dtype not in _TURNED_BY_OPENCV or pixels.shape[2:] >= (5,):
        oriented = pixels.swapaxes(0, 1) if orientation in TURNED else pixels
        return np.ascontiguousarray(oriented[:: -1 if rows else 1, :: -1 if columns else 1])
    transposed = opencv().transpose(pixels) if orientation in TURNED else None
    oriented = pixels if transposed is None else transposed
    if rows or columns:
        oriented = opencv().flip(oriented, -1 if rows and columns else int(columns), transposed)
    return oriented.reshape(*oriented.shape[:2], *pixels.shape[2:])  # OpenCV drops a single channel


_TURNED_BY_OPENCV = (np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64)


_SCANNED = 1 << 28
"""The limit on scans times pixels of a JPEG, beyond 32 scans: empty scans take time to decode, but few bytes."""


def _decode_jpeg(
    data: bytes, header: Header, channels: int | None, at_least: tuple[int, int] | None
) -> tuple[np.ndarray, float]:
    if header.scans and data.count(b"\xff\xda") > 32 + _SCANNED // (header.height * header.width):
        raise Broken(f"one of {data.count(bytes([255, 218])):,} scans")
    eighths = 8
    if at_least is not None:
        least = geometry.turned(header.orientation, at_least)
        while eighths > 1 and all(
            -(-side * eighths // 16) >= needed for side, needed in zip(header.stored, least, strict=True)
        ):
            eighths //= 2
    height, width = (-(-side * eighths // 8) for side in header.stored)
    try:
        space = _jpeg_space(data)
        if space is None:
            image = pillow_files.opened(data, header.format, header.stored)
            return choose_channels(Samples(np.asarray(image.convert("RGB")), "rgb"), channels), 1.0
        gray = channels == 1 or (channels is None and space.upper() == "GRAY")
        color = "GRAY" if gray else "RGBA" if channels == 4 else "RGB"
        decoded = partial(simplejpeg().decode_jpeg, data, color, min_height=height, min_width=width)
        try:
            pixels = decoded()
        except ValueError as error:
            if "extraneous" not in str(error):  # harmless extra bytes between segments
                raise
            pixels = decoded(strict=False)
    except ValueError as error:
        raise Broken(f"one that does not decode ({error})") from error
    if pixels.shape[:2] != (height, width):
        raise Broken(f"one of {pixels.shape[0]} x {pixels.shape[1]} at {eighths}/8 of its size")
    return pixels, eighths / 8


def _jpeg_space(data: bytes) -> str | None:
    """The color space of a JPEG; None if only Pillow decodes it."""
    try:
        space = str(simplejpeg().decode_jpeg_header(data)[2])
    except ValueError as error:
        if "subsampling" not in str(error):  # of proportions that TurboJPEG has no name for
            raise
        return None
    return None if space in ("CMYK", "YCCK") else space  # libjpeg does not convert these to RGB


def _decode_other(data: bytes | Held, header: Header, page: int) -> Samples:
    """Decode any image that is not a JPEG file; pixels as stored."""
    samples = _read_here(data, header, page, False)
    if samples is not None:
        return samples
    assert isinstance(data, bytes)
    deep = header.format == "JPEG 2000" and header.bits > 8 and header.bands != 1  # Pillow reduces them to 8
    if deep and (header.bits != 16 or header.bands not in (3, 4)):
        found = f"a JPEG 2000 of {header.bits} bits"
        raise Unfit("8 or 16 bits a channel", found, "Save it as TIFF or PNG.")
    high_color = header.format == "BMP" and data[28:30] == b"\x10\0"  # OpenCV reads white as 248
    by_opencv = header.format in ("PNG", "BMP", "WebP") and not high_color
    if deep or (by_opencv and not page and header.pages == 1):
        cv2 = opencv()
        pixels = _decode_with_opencv(data, header)
        if pixels.ndim == 2:
            return _gray(pixels, header)
        if pixels.shape[2] in (3, 4):
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
        return Samples(pixels, "rgb" if pixels.shape[2] > 2 else "gray", pixels.shape[2] in (2, 4))
    return pillow_files.samples_of(pillow_files.opened(data, header.format, header.stored, page))


def _read_here(data: bytes | Held, header: Header, page: int, ids: bool) -> Samples | None:
    """Read an image in memory, or a file that polyhead decodes itself, as stored; None for other formats."""
    if isinstance(data, Held):
        return data.samples(page, ids)
    if header.format == "NPY":
        pixels = read_npy(data)
        pixels = pixels * np.uint8(1 if ids else 255) if pixels.dtype == np.bool_ else pixels
        # mypy takes words of a dict for any strings
        return Samples(pixels, {1: "gray", 3: "rgb"}.get(pixels.shape[2], "bands"))  # type: ignore[arg-type]
    if header.format == "TIFF":
        return read_tiff(data, page, ids)
    return read_pnm(data, ids) if header.format == "PNM" else None


def _gray(pixels: np.ndarray, header: Header) -> Samples:
    """Wrap gray pixels, and add alpha if one value is transparent."""
    if header.transparent is None:
        return Samples(pixels[..., None], "gray")
    full = np.iinfo(pixels.dtype).max
    transparent = header.transparent * (full // ((1 << header.bits) - 1))
    alpha = np.where(pixels == transparent, 0, full).astype(pixels.dtype)
    return Samples(np.dstack([pixels, alpha]), "gray", True)


def _stored_ids(data: bytes | Held, header: Header) -> np.ndarray:
    """Read the numbers of a mask as stored, ``(H, W, bands)``."""
    samples = _read_here(data, header, 0, True)
    if samples is not None:
        return samples.pixels[..., :1] if samples.meaning == "gray" else samples.pixels
    assert isinstance(data, bytes)
    if header.format == "PNG" and header.color_type == 0 and header.pages == 1:
        pixels = _decode_with_opencv(data, header)
        pixels = pixels if pixels.ndim == 2 else pixels[..., 0]  # OpenCV adds alpha for a transparent value
        if header.bits < 8:  # OpenCV scales them to 0-255
            pixels = pixels // (255 // ((1 << header.bits) - 1))
        return pixels[..., None]
    return pillow_files.samples_of(pillow_files.opened(data, header.format, header.stored), ids=True).pixels


def _decode_with_opencv(data: bytes, header: Header) -> np.ndarray:
    cv2 = opencv()
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape[:2] != header.stored:
        raise Broken(f"{len(data)} bytes that do not decode")
    return pixels
