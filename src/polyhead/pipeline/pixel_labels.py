"""Reads the masks and maps of one row from files, and checks their size against their image."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.columns.image_values import is_pillow
from polyhead.errors import DataError, Problem
from polyhead.images.encoded import DAMAGED, header_of
from polyhead.kinds import Head
from polyhead.kinds.pixels import lists_files
from polyhead.pipeline.image_reader import ENCODED, EncodedImage, Frame, with_remedy

_NPY = b"\x93NUMPY"


@with_remedy
def label_pixels(head: Head, value: Any, where: str, max_pixels: int | None = None) -> Any:
    """Return a mask or map as an array if it is a file, encoded bytes or drawn on demand; other values unchanged.

    Args:
        head: the head; for a map, it decides whether gray images are repeated as three channels, or the reverse.
        value: the value of the column, not missing.
        max_pixels: the most pixels that the header of a file may declare.

    Raises:
        DataError: for a file that cannot be read.
    """
    from polyhead.images.decode import decode, decode_colors, decode_mask

    if hasattr(value, "segments"):  # a panoptic PNG: its colors encode the ids of segments
        return value.to_mask(decode(value.path, max_pixels=max_pixels, where=where).pixels)
    if hasattr(value, "to_mask"):
        return value.to_mask()
    if head.layer == "mask" and head.channels > 1 and lists_files(value):
        masks = [file and decode_mask(file, max_pixels=max_pixels, where=where) for file in value]
        return _stacked(masks, head.channels, where)
    if not isinstance(value, ENCODED) and not is_pillow(value):
        return value
    if head.layer == "map":
        return _stored_numbers(value, where, head.channels, max_pixels)
    if head.in_colors:
        return decode_colors(value, max_pixels=max_pixels, where=where)
    pixels = decode_mask(value, max_pixels=max_pixels, masks=head.channels, where=where)
    if set(getattr(head, "values", None) or ()) == {0, 255} and pixels.max(initial=0) == 1:
        header = header_of(value, where=where)
        if (
            header.format == "PNG" and header.bits == 1 and header.color_type == 0
        ):  # white is 1, and 255 in 8 bits
            return pixels * np.uint8(255)
    return pixels


def _stacked(masks: list[Any], count: int, where: str) -> np.ndarray:
    """Put the masks of a row, each from a file of its own, into one array ``(H, W, n)``."""
    shapes = {np.shape(mask) for mask in masks}
    if len(masks) != count or len(shapes) > 1:
        found = f"{len(masks)}" if len(masks) != count else f"shapes {sorted(shapes)}"
        fix = "If a mask may be missing, make a head of each: ph.Mask() with a column of its own."
        raise DataError(Problem(where, f"{count} masks of one size, one of each file", found, fix))
    return np.stack(masks, -1)


def _stored_numbers(value: Any, where: str, channels: int, max_pixels: int | None) -> np.ndarray:
    """Read the numbers of an image file, unscaled, or of an ``.npy`` file; ``(H, W)`` or ``(H, W, C)``."""
    from polyhead.images.decode import decode

    if isinstance(value, (str, os.PathLike)):
        file = EncodedImage(value, where)
        value, where = file.data, file.where
    data = value if is_pillow(value) else bytes(value)
    if is_pillow(data) or not data.startswith(_NPY):
        pixels = decode(
            data, channels=None, max_pixels=max_pixels, deep=True, layer="map", where=where
        ).pixels
        colors = pixels[..., : 1 if pixels.shape[2] < 3 else 3]  # without alpha
        if channels == 3 and colors.shape[2] == 1:
            return np.repeat(colors, 3, axis=2)
        gray = channels == 1 and all(np.array_equal(colors[..., 0], b) for b in np.moveaxis(colors, 2, 0))
        return colors[..., :1] if gray else colors if channels == colors.shape[2] else pixels
    try:
        numbers: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            Problem(where, "a complete .npy file of numbers", str(error), code=DAMAGED)
        ) from error
    return numbers


def require_sides(where: str, layer: str, shape: Sequence[int], frames: Sequence[Frame]) -> None:
    """Raise for a mask or map with the height and width of its image exchanged.

    Args:
        layer: ``"mask"`` or ``"map"``.
        shape: the shape of the mask or map, ``(H, W, ...)``.
        frames: the size of its image; of all images of the row if its image is unknown.
    """
    frame = frames[0]
    size = (shape[0], shape[1])
    if frame.turns_sides and size == frame.label_size[::-1]:
        raise DataError(_turned_by_exif(where, layer, size, frame))
    if all(is_transposed(size, f.label_size) for f in frames):
        raise DataError(Problem(where, *exchanged_sides(layer, size, frame.label_size), "transposed"))


def exchanged_sides(layer: str, size: tuple[int, int], image: tuple[int, int]) -> tuple[str, str, str]:
    """The ``expected``, ``found`` and ``fix`` of a problem with exchanged height and width."""
    return (
        f"a {layer} with the sides of its image, {image[0]} x {image[1]} (height x width)",
        f"{size[0]} x {size[1]}, which has height and width exchanged",
        f"Transpose it: {layer}.T, or {layer}.transpose(1, 0, 2) where it has channels.",
    )


def stretched(where: str, size: tuple[int, int], image: tuple[int, int]) -> Problem:
    """The warning of a mask or map of another aspect ratio than its image."""
    expected = f"the aspect ratio of its image, {image[0]} x {image[1]} (height x width)"
    found = f"{size[0]} x {size[1]}, which is stretched to it"
    fix = "Check that it belongs to this image; if the image was cropped or padded, do the same to the label."
    if size[0] < 3 and image[0] > 8 and size[1] >= 6 and size[1] % 2 == 0:  # x, y, x, y, ...
        fix = "If these are the corners of polygons, draw them: PIL.ImageDraw.Draw(mask).polygon(corners, fill=1); "
        fix += "ph.read_coco does it for a COCO file."
    return Problem(where, expected, found, fix, "stretched", warning=True)


def is_transposed(size: tuple[int, int], image: tuple[int, int]) -> bool:
    """Return whether a size has the aspect ratio of an image only with height and width exchanged.

    >>> is_transposed((40, 80), (80, 40)), is_transposed((20, 40), (80, 40)), is_transposed((64, 64), (80, 40))
    (True, True, False)
    """
    return _of_one_aspect(size, image[::-1]) and not _of_one_aspect(size, image)


def _of_one_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two sizes have the same aspect ratio, up to the rounding of a side."""
    (height, width), (rows, columns) = size, other
    return abs(width - columns * height / rows) < 1 or abs(height - rows * width / columns) < 1


def _turned_by_exif(where: str, layer: str, size: tuple[int, int], frame: Frame) -> Problem:
    """Return the problem of a mask or map drawn on the image with or without its Exif orientation."""
    own, other, fix = ("applied", "ignored", 'Say ph.Image(..., exif="ignored")')
    if frame.label_size != frame.shown:
        own, other, fix = ("ignored", "applied", 'Leave out exif="ignored"')
    height, width = frame.label_size
    expected = f"a {layer} of the image with its Exif orientation {own}, {height} x {width}"
    found = f"{size[0]} x {size[1]}, the size with it {other}"
    return Problem(where, expected, found, f"{fix}, if all labels are like that.", "turned")
