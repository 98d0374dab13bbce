"""Resamples an image through one matrix.

Each output pixel is sampled at the source position of its center. Outside of the source the value is ``fill``, into
which interpolation blends the outermost half pixel; if the output lies wholly inside, only pixels of the source
contribute, up to its edges. OpenCV puts the center of the first pixel at 0, polyhead at 0.5:
matrices are shifted by half a pixel here, and nowhere else.

Linear interpolation samples four pixels, and would skip others when it shrinks an image. So an image that shrinks by
more than 1.5 is first halved, repeatedly if needed, by averaging blocks of four pixels: OpenCV's fastest path, about
15 times faster than averaging over fractions of pixels. The remaining factor, between 0.75 and 1.5, is interpolated.
Only the visible part of the source is halved.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from polyhead.columns.image_values import ROUNDING
from polyhead.images.geometry import EDGE, scale, shift
from polyhead.images.libraries import opencv

SHRINK = 1.5
"""The largest factor by which linear interpolation shrinks an image without aliasing."""

LONGEST = 32_000
"""The largest number of rows or columns passed to OpenCV, somewhat below its limit."""

GROUP = 64
"""The number of channels warped at once; OpenCV 5 takes at most 128."""

_LINEAR = (np.uint8, np.uint16, np.int16, np.float32, np.float64)
_NEAREST = (*_LINEAR, np.int8, np.int32)


def warp(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], *, nearest: bool = False, fill: float = 0
) -> np.ndarray:
    """Warp an image by a matrix.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``, numeric or bool. It is not modified.
        matrix: ``(3, 3)``, from coordinates of the image to coordinates of the output.
        size: (height, width) of the output.
        nearest: take the nearest pixel, as masks of ids need; otherwise interpolate, or average when shrinking.
        fill: the value outside the image.

    Returns:
        A new array of the image's dtype, never the image itself.

    >>> warp(np.array([[1, 2, 3]], np.uint8), shift(1, 0), (1, 3)).tolist()
    [[0, 1, 2]]
    """
    if image.ndim == 3 and image.shape[2] > GROUP:
        parts = [warp(part, matrix, size, nearest=nearest, fill=fill) for part in groups(image)]
        return np.concatenate(parts, 2)
    if tuple(size) == image.shape[:2] and _is_identity(matrix):
        warped = image.copy()
    elif image.dtype == np.bool_:
        warped = _warp_with_opencv(image.view(np.uint8), matrix, size, nearest, bool(fill)).view(np.bool_)
    elif image.dtype in (_NEAREST if nearest else _LINEAR):
        warped = _warp_with_opencv(image, matrix, size, nearest, fill)
    else:
        warped = _warp_in_other_dtype(image, matrix, size, nearest, fill)
    return warped.reshape(*size, *image.shape[2:])  # OpenCV drops a single channel


def resized(image: np.ndarray, size: tuple[int, int], *, nearest: bool = False) -> np.ndarray:
    """Resize the whole image: the result of `warp`, but faster.

    Args:
        image: as for `warp`.
        size: (height, width) of the output.
        nearest: as for `warp`.

    >>> resized(np.array([[1, 2, 3, 4]], np.uint8), (1, 2), nearest=True).tolist()
    [[2, 4]]
    """
    height, width = image.shape[:2]
    rows, columns = size
    if nearest and (height, width) != size:
        return image.take(_nearest_pixels(height, rows), 0).take(_nearest_pixels(width, columns), 1)
    if (
        not nearest
        and (height, width) != size
        and (image.ndim == 2 or image.shape[2] <= GROUP)
        and image.dtype in _LINEAR
        and height <= SHRINK * rows
        and width <= SHRINK * columns
    ):
        pixels = opencv().resize(image, (columns, rows), interpolation=opencv().INTER_LINEAR)
        return pixels.reshape(*size, *image.shape[2:])
    return warp(image, scale(columns / width, rows / height), size, nearest=nearest)


def without_overshoot(pixels: np.ndarray) -> np.ndarray:
    """Clip floats to 0–1 if they leave it by no more than interpolation rounds.

    >>> without_overshoot(np.array([1 + 1e-7, 0])).tolist(), without_overshoot(np.array([1.5, -1e-7])).tolist()
    ([1.0, 0.0], [1.5, -1e-07])
    """
    if pixels.dtype.kind != "f" or not pixels.size:
        return pixels
    least, most = pixels.min(), pixels.max()
    whole = least >= 0 and most <= 1
    return pixels if whole or least < -ROUNDING or most > 1 + ROUNDING else pixels.clip(0, 1)


def groups(image: np.ndarray) -> list[np.ndarray]:
    """Split the channels of an image into groups that OpenCV accepts."""
    return [np.ascontiguousarray(image[..., k : k + GROUP]) for k in range(0, image.shape[2], GROUP)]


@lru_cache(maxsize=256)
def _nearest_pixels(length: int, count: int) -> np.ndarray:
    """Indices of the nearest source pixels when ``length`` pixels are resized to ``count``."""
    return (2 * np.arange(count) + 1) * length // (2 * count)


def _warp_in_other_dtype(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], nearest: bool, fill: float
) -> np.ndarray:
    """Warp in a dtype that OpenCV supports, and convert back."""
    is_integer = image.dtype.kind in "iu"
    dtype = np.int32 if nearest and is_integer else np.float64 if image.dtype.itemsize > 2 else np.float32
    if dtype == np.int32 and image.size:
        bounds = np.iinfo(np.int32)
        if image.max() > bounds.max or image.min() < bounds.min:
            dtype = np.float64  # exact up to 2**53
    warped = _warp_with_opencv(image.astype(dtype), matrix, size, nearest, fill)
    return (np.rint(warped) if is_integer else warped).astype(image.dtype)


def _warp_with_opencv(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], nearest: bool, fill: float
) -> np.ndarray:
    cv2 = opencv()
    part, matrix = _visible_part(image, matrix, size, halve=not nearest)
    if part is None:
        return np.full((*size, *image.shape[2:]), fill, image.dtype)
    a, b, c, d, e, f = _inverse(matrix)
    (rows, columns), (height, width) = size, part.shape[:2]
    # corner pixels have the outermost centers
    x0, y0 = a * 0.5 + b * 0.5 + c, d * 0.5 + e * 0.5 + f
    right_x, right_y, down_x, down_y = a * (columns - 1), d * (columns - 1), b * (rows - 1), e * (rows - 1)
    covered = (
        x0 + min(right_x, 0) + min(down_x, 0) >= -EDGE
        and y0 + min(right_y, 0) + min(down_y, 0) >= -EDGE
        and x0 + max(right_x, 0) + max(down_x, 0) <= width + EDGE
        and y0 + max(right_y, 0) + max(down_y, 0) <= height + EDGE
    )
    if covered and not nearest and abs(b) < 1e-9 and abs(d) < 1e-9:
        warped = _resize_whole_pixels(part, a, c, e, f, size)
        if warped is not None:
            return warped
    # warping four channels takes half the time of three; with the conversions, two thirds
    padded = not nearest and part.dtype == np.uint8 and part.shape[2:] == (3,)
    warped = cv2.warpAffine(
        cv2.cvtColor(part, cv2.COLOR_RGB2RGBA) if padded else part,
        np.array([[a, b, x0 - 0.5], [d, e, y0 - 0.5]]),
        (columns, rows),
        flags=(cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE if covered else cv2.BORDER_CONSTANT,
        borderValue=(fill, fill, fill, fill),
    )
    return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB) if padded else warped


def _resize_whole_pixels(
    image: np.ndarray, a: float, c: float, e: float, f: float, size: tuple[int, int]
) -> np.ndarray | None:
    """Resize whole pixels of the source, possibly mirrored, 3 times faster than a warp; None if that is impossible."""
    cv2 = opencv()
    rows, columns = size
    edges = (*sorted((c, c + a * columns)), *sorted((f, f + e * rows)))
    left, right, top, bottom = map(round, edges)
    deviation = sum(abs(edge - round(edge)) for edge in edges)
    if deviation > EDGE or left < 0 or top < 0 or right > image.shape[1] or bottom > image.shape[0]:
        return None
    part = image[top:bottom, left:right]
    flips = {(False, False): None, (True, False): 1, (False, True): 0, (True, True): -1}[a < 0, e < 0]
    if flips is None:
        return cv2.resize(part, (columns, rows), interpolation=cv2.INTER_LINEAR)
    if part.shape[:2] != (rows, columns):
        part = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return cv2.flip(part, flips)


def _visible_part(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], halve: bool
) -> tuple[np.ndarray | None, np.ndarray]:
    """The visible part of the image, halved as often as needed, and its matrix."""
    if not halve and max(image.shape[:2]) < LONGEST:
        return image, matrix
    cv2 = opencv()
    (xx, xy, _), (yx, yy, _), _ = matrix.tolist()
    shrink_x, shrink_y = 1 / math.hypot(xx, yx), 1 / math.hypot(xy, yy)
    halve = halve and max(shrink_x, shrink_y) > SHRINK
    if not halve and max(image.shape[:2]) < LONGEST:
        return image, matrix
    a, b, c, d, e, f = _inverse(matrix)
    rows, columns = size
    xs = (c, c + a * columns, c + b * rows, c + a * columns + b * rows)  # of the corners
    ys = (f, f + d * columns, f + e * rows, f + d * columns + e * rows)
    margin_x, margin_y = 2 * max(shrink_x, 1), 2 * max(shrink_y, 1)
    left, right = max(0, int(min(xs) - margin_x)), min(image.shape[1], int(max(xs) + margin_x) + 1)
    top, bottom = max(0, int(min(ys) - margin_y)), min(image.shape[0], int(max(ys) + margin_y) + 1)
    if left >= right or top >= bottom:
        return None, matrix
    image, matrix = image[top:bottom, left:right], matrix @ shift(left, top)
    while halve and min(shrink_x, shrink_y) > SHRINK:
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        image = cv2.resize(image, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        matrix, shrink_x, shrink_y = matrix @ scale(2, 2), shrink_x / 2, shrink_y / 2
    if halve and max(shrink_x, shrink_y) > SHRINK:  # only one side shrinks further
        height, width = image.shape[:2]
        columns, rows = max(1, round(width / max(shrink_x, 1))), max(1, round(height / max(shrink_y, 1)))
        image = _averaged(image, (columns, rows))
        matrix = matrix @ scale(width / columns, height / rows)
    return image, matrix


def _averaged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Average over fractions of pixels, for which OpenCV supports at most four channels."""
    cv2 = opencv()
    if image.ndim == 2 or image.shape[2] <= 4:
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    channels = [image[..., k] for k in range(image.shape[2])]
    return np.stack([cv2.resize(channel, size, interpolation=cv2.INTER_AREA) for channel in channels], 2)


def _inverse(matrix: np.ndarray) -> tuple[float, float, float, float, float, float]:
    """The first two rows of the inverse; faster than NumPy, as it runs for each image."""
    (a, b, c), (d, e, f), _ = matrix.tolist()
    determinant = a * e - b * d
    a, b, d, e = e / determinant, -b / determinant, -d / determinant, a / determinant
    return a, b, -(a * c + b * f), d, e, -(d * c + e * f)


def _is_identity(matrix: np.ndarray) -> bool:
    """Return whether a matrix is the identity; faster than NumPy, as it runs for each image."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return all(abs(off) < 1e-9 for off in (a - 1, b, c, d, e - 1, f, g, h, i - 1))
