"""Keeps the bits of images: in decoding, in scaling to 0–1 by a declared range, and in stores and caches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from polyhead.errors import BadValue, Problem, place, warn
from polyhead.kinds import Image
from polyhead.pipeline.image_frame import File, with_remedy


@with_remedy
def decoded_image(kind: Image, name: str, value: Any, row: int, size: tuple[int, int], deep: bool) -> Any:
    """A file or encoded bytes, decoded no smaller than a size; all numbers as they are where a range is declared."""
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


def ranged(kind: Image, name: str, pixels: np.ndarray, row: int, deep: bool) -> np.ndarray:
    """Pixels in 0–1 by the declared range, or with 8 bits.

    Raises:
        DataError: for numbers outside of it.
    """
    try:
        found = kind.ranged(pixels)
    except BadValue as bad:
        raise bad.located(input=name, row=row) from None
    return found if deep else np.rint(found * 255).astype(np.uint8)


def common_dtype(dtypes: Iterable[np.dtype], kind: Image) -> np.dtype:
    """The least type that holds the pixels of all these types as the kind takes them.

    Where a range is declared, later rows may hold any of its numbers, whole or not: they are kept as floats.
    """
    found = np.result_type(np.uint8, *dtypes)
    if kind.range is not None:
        return np.result_type(np.float32, found)
    return np.dtype(np.float32) if found.kind == "f" else found


def as_type(pixels: np.ndarray, dtype: np.dtype, kind: Image) -> np.ndarray:
    """Pixels of one type as those of another: the same light, or, where a range is declared, the same numbers."""
    if pixels.dtype == dtype:
        return pixels
    if kind.range is not None:
        return pixels.astype(dtype)
    share = pixels if pixels.dtype.kind == "f" else pixels / np.float64(np.iinfo(pixels.dtype).max)
    if dtype.kind == "f":
        return share.astype(dtype)
    return np.rint(share * np.float64(np.iinfo(dtype).max)).astype(dtype)


def loses(held: np.dtype, dtype: np.dtype) -> bool:
    """Return whether a change of type loses bits; floats are float32 in a feed in any case."""
    return not np.can_cast(held, dtype) and not held.kind == dtype.kind == "f"


def warn_of_less(column: str, row: int, bits: int) -> None:
    """Warn that a row loses bits, as those that were looked at first had fewer."""
    fix = (
        "Put a row with all of its bits first, so that the column is kept with them; or say "
        'ph.Image(dtype="uint8"), if 8 are enough.'
    )
    expected = f"{bits} bits a channel, as in the rows that were looked at first"
    warn(Problem(place(column=column, row=row), expected, "more, which are rounded", fix, "depth"))
