"""Reads files with Pillow: GIF, AVIF, JPEG 2000, palettes of masks, and rare formats.

A file is opened only with the plugin for the format in its header. Plugins that start other programs are not used, and
Pillow's global pixel limit is not changed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from polyhead.columns.image_values import READS, frames
from polyhead.errors import PolyheadError
from polyhead.images.channels import Samples, Unfit
from polyhead.images.content import Broken, Content, Header, NoPage
from polyhead.images.directories import ORIENTATION, valid
from polyhead.images.libraries import pillow

_NAMES = {"WebP": "WEBP", "JPEG 2000": "JPEG2000", "HEIC": "HEIF"}
_RARE = ("TGA", "QOI", "PCX", "DCX", "SGI", "SUN", "PSD", "DDS", "ICO", "ICNS", "DIB", "MSP", "PIXAR", "XPM")
_LOSSY = ("DDS", "ICNS")
_LOSSY_HELD = (*_LOSSY, "JPEG", "MPO", "JPEG2000", "AVIF", "HEIF")
_LOSSY_TIFF = ("jpeg", "webp")
_FIXES = {
    "HEIF": "Install pillow-heif: pip install pillow-heif. polyhead finds it. Or convert them to PNG or JPEG.",
    "AVIF": 'Install a newer Pillow: pip install -U "pillow>=11.3". Or convert them to PNG or JPEG.',
}


@cache
def _readers() -> dict[str, Any]:
    """The plugins by format: those of Pillow, and pillow-heif if it is installed."""
    Image = pillow()
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif  # type: ignore[import-not-found, unused-ignore]

        if "HEIF" not in Image.OPEN:
            pillow_heif.register_heif_opener()
    return dict(Image.OPEN)


def opened(data: bytes, format: str, size: tuple[int, int], page: int = 0) -> Any:
    """Open a file as a Pillow image and decode it.

    Args:
        size: (height, width) in its header; it is an error if Pillow finds a different size.
        page: the page or frame, from 0 on.

    Raises:
        Unfit: for a format that the installed libraries do not read.
        NoPage: if the file has fewer pages.
        Broken: if it cannot be decoded.
    """
    name = _NAMES.get(format, format)
    if name not in _readers():
        fix = _FIXES.get(name, "Convert them to PNG or JPEG.")
        raise Unfit("a format that the installed libraries read", name, fix)
    factory, _ = _readers()[name]
    with _as_broken():
        image = factory(io.BytesIO(data), "")
        if page:
            _seek(image, page, format)
        if (image.height, image.width) != size:
            raise Broken(f"one of {image.height} x {image.width} whose header says {size[0]} x {size[1]}")
        image.load()
    return image


def _seek(image: Any, page: int, format: str) -> None:
    try:
        image.seek(page)
    except EOFError:
        raise NoPage(format, frames(image)) from None


class Held:
    """A Pillow image whose pixels are in memory.

    Raises:
        Broken: if it can no longer be decoded.
    """

    def __init__(self, image: Any) -> None:
        with READS:
            try:
                image.load()
            except Exception as error:
                found = str(error) or type(error).__name__
                raise Broken(f"one that cannot be read any more ({found})") from error
            self._image, self._page = image, image.tell()
            lossy = image.format in _LOSSY_HELD or image.info.get("compression") in _LOSSY_TIFF
            self.header = _header(image, image.format or "image", lossy, frames(image))

    def samples(self, page: int, ids: bool = False) -> Samples:
        """Return the pixels as stored, not turned upright.

        Raises:
            NoPage: if the image has fewer pages.
            Broken: for a frame other than the one in memory, or a mode that cannot be converted.
        """
        if page >= self.header.pages:
            raise NoPage(self.header.format, self.header.pages)
        if page != self._page and self.header.pages > 1:
            raise Broken(f"one of which frame {self._page} is decoded, and whose file is closed")
        samples = samples_of(self._image, ids)
        if self._image.mode == "I" and self._image.format in ("PNG", "PPM") and not ids:
            # older versions of Pillow open 16 bits in this mode
            return samples._replace(pixels=samples.pixels.astype(np.uint16))
        return samples


def rare_header(content: Content) -> Header | None:
    """Read the header of an image in a format that only Pillow supports, or return None."""
    for name in _RARE:
        factory, accept = _readers().get(name, (None, None))
        if factory is None:
            continue
        with contextlib.suppress(Broken), _as_broken():
            if accept is not None and accept(content.peek(0, 16)) is not True:
                continue
            image = factory(content.file(), "")
            return _header(image, name, name in _LOSSY)
    return None


def _header(image: Any, format: str, lossy: bool, pages: int = 1) -> Header:
    orientation = image.getexif().get(ORIENTATION, 1)
    orientation = valid(orientation) if isinstance(orientation, int) else 1
    return Header(format, image.height, image.width, orientation, lossy=lossy, pages=pages)


@contextlib.contextmanager
def _as_broken() -> Iterator[None]:
    """Convert any exception of a decoder to `Broken`, as invalid bytes can raise anything."""
    try:
        yield
    except (PolyheadError, MemoryError, Broken, Unfit):
        raise
    except Exception as error:
        raise Broken(f"one that does not decode ({str(error) or type(error).__name__})") from error


def _are_shades(image: Any) -> bool:
    """Return whether a palette maps indices to other gray values, so that either could be the ids."""
    if image.mode != "P":
        return False
    colors = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    used = np.unique(np.asarray(image))
    if not len(colors) or used.max() >= len(colors):
        return False
    shown = colors[used]
    return bool((shown == shown[:, :1]).all() and (shown[:, 0] != used).any())


@_as_broken()
def samples_of(image: Any, ids: bool = False) -> Samples:
    """The pixels of a Pillow image; with ``ids``, palette indices and bits are not converted."""
    if ids:
        if image.format == "GIF" and _are_shades(image):
            raise Unfit("a mask of ids", "a GIF whose palette reorders the grays", "Save masks as PNG.")
        image = image.getchannel(0) if image.mode in ("LA", "PA", "La") else image
    else:
        mode = _mode_with_all_colors(image)
        image = image if image.mode == mode else image.convert(mode)
    pixels = np.asarray(image)
    pixels = pixels.astype(
        np.uint8 if pixels.dtype == np.bool_ else pixels.dtype.newbyteorder("="), copy=False
    )
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    meaning: Any = "gray" if pixels.shape[2] < 3 else "rgb"
    return Samples(pixels, meaning, not ids and image.mode in ("LA", "RGBA"))


def _mode_with_all_colors(image: Any) -> str:
    """The mode of gray or RGB, with alpha if any, to which an image converts without loss of its colors."""
    mode, transparency = str(image.mode), image.info.get("transparency")
    if mode == "LAB":
        raise Broken("one in mode LAB, which Pillow does not turn into RGB")
    if mode in ("P", "PA"):
        alpha = mode == "PA" or transparency is not None or getattr(image.palette, "mode", "") == "RGBA"
        return "RGBA" if alpha else "RGB"
    if (mode == "L" and isinstance(transparency, int)) or (mode == "RGB" and isinstance(transparency, tuple)):
        return mode + "A"  # one of its values is transparent
    if mode in ("L", "LA", "RGB", "RGBA", "I", "F") or mode.startswith("I;16"):
        return mode
    return {"1": "L", "La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
