"""Preserves the bit depth of images: in decoding, in scaling to 0–1 by a declared range, in stores and caches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from polyhead.errors import BadValue, place
from polyhead.kinds import Image
from polyhead.pipeline.image_frame import File, with_remedy


@with_remedy
def decoded_image(kind: Image, name: str, value: Any, row: int, size: tuple[int, int], deep: bool) -> Any:
    """Decode a file or encoded bytes, no smaller than ``size``; with a declared range, numbers stay unscaled."""
    from polyhead.images.decode import decode

    where = value.where if isinstance(value, File) else place(input=name, row=row)
    return decode(
        value.data if isinstance(value, File) else value,
        channels=kind.channels,
        at_least=size,
        max_pixels=kind.max_pixels,
        page=kind.page,
        deep=deep or kind.range is not None,
        where=where,
    )


def scale_by_range(kind: Image, name: str, pixels: np.ndarray, row: int, deep: bool) -> np.ndarray:
    """Scale pixels to 0–1 by the declared range, or convert them to 8 bits.

    Raises:
        DataError: for numbers outside of the range.
    """
    try:
        scaled = kind.in_unit_range(pixels)
    except BadValue as bad:
        raise bad.located(input=name, row=row) from None
    return scaled if deep else np.rint(scaled * 255).astype(np.uint8)


def common_dtype(dtypes: Iterable[np.dtype], kind: Image) -> np.dtype:
    """The smallest dtype that can hold pixels of all these dtypes, as the kind reads them.

    With a declared range it is a float dtype, as later rows may hold any number of the range, whole or not.
    """
    dtype = np.result_type(np.uint8, *dtypes)
    if kind.range is not None:
        return np.result_type(np.float32, dtype)
    return np.dtype(np.float32) if dtype.kind == "f" else dtype


def as_type(pixels: np.ndarray, dtype: np.dtype, kind: Image) -> np.ndarray:
    """Convert pixels to another dtype, keeping their brightness or, with a declared range, their numbers."""
    if pixels.dtype == dtype:
        return pixels
    if kind.range is not None:
        return pixels.astype(dtype)
    share = pixels if pixels.dtype.kind == "f" else pixels / np.float64(np.iinfo(pixels.dtype).max)
    if dtype.kind == "f":
        return share.astype(dtype)
    return np.rint(share * np.float64(np.iinfo(dtype).max)).astype(dtype)


def loses_bits(held: np.dtype, dtype: np.dtype) -> bool:
    """Return whether a conversion loses bits; floats never count, as a feed makes them float32 anyway."""
    return not np.can_cast(held, dtype) and not held.kind == dtype.kind == "f"
