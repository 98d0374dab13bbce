"""Opens the images of rows, reads their headers and decodes them, and joins their pixels to a column."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np

from polyhead.columns.image_values import content, file_of, is_pillow
from polyhead.columns.values import Values
from polyhead.errors import BadValue, DataError, Problem, place, shown, warn
from polyhead.images.encoded import DAMAGED, header_of, read_file
from polyhead.kinds import Image
from polyhead.kinds.missing import is_missing


class Frame:
    """The (height, width) of an image as shown, and of the image that its labels refer to."""

    __slots__ = ("label_size", "shown", "turn")

    def __init__(
        self, shown: tuple[int, int], label_size: tuple[int, int] | None = None, turn: int = 1
    ) -> None:
        self.shown, self.label_size, self.turn = shown, label_size or shown, turn

    @property
    def turns_sides(self) -> bool:
        """True if the image is shown with height and width exchanged."""
        return self.turn > 4 and self.shown[0] != self.shown[1]


ENCODED = (str, bytes, bytearray, memoryview, os.PathLike)
"""The types of encoded images and of paths to them."""


class EncodedImage:
    """An encoded image, or one of Pillow, and the place that errors name; a file is read at once."""

    def __init__(self, value: Any, where: str) -> None:
        self.data, self.where = value, where
        if is_pillow(value):
            name = file_of(value)
            self.where = f"{where}, {place(file=name)}" if name else where
            self.data = content(value) or value
        elif isinstance(value, (str, os.PathLike)):
            self.where = f"{where}, {place(file=os.fspath(value))}"
            self.data = read_file(value, self.where)


Read = TypeVar("Read", bound=Callable[..., Any])

_REMEDY = "Fix the file, or leave out all rows like this one: data = ph.drop_unreadable(data)."


def with_remedy(read: Read) -> Read:
    """Wrap a function so that its errors for missing and broken images say how to leave those out."""

    @functools.wraps(read)
    def called(*arguments: Any, **options: Any) -> Any:
        try:
            return read(*arguments, **options)
        except DataError as error:
            if not any(problem.code == DAMAGED and not problem.fix for problem in error.problems):
                raise
            problems = [replace(p, fix=p.fix or _REMEDY) if p.code == DAMAGED else p for p in error.problems]
            raise DataError(*problems) from error.__cause__

    return cast(Read, called)


def as_column_of_pixels(images: list[np.ndarray], name: str, ids: np.ndarray) -> Values:
    """Join the pixels of rows: bytes as a list, all others as one float array, in 0–1 for 16 bits and mixed depths."""
    if len({image.dtype for image in images}) == 1 and images[0].dtype.kind == "f":
        return np.stack(images)
    if all(image.dtype == np.uint8 for image in images):
        return images  # `Image.encode` puts each where it belongs
    for image, row in zip(images, ids.tolist(), strict=True):
        if image.dtype not in (np.uint8, np.uint16) and image.dtype.kind != "f":
            expected = "8 or 16 bits a channel, or floats in 0–1"
            fix = "Say ph.Image(range=(low, high)): the numbers that become 0 and 1."
            raise DataError(Problem(place(input=name, row=row), expected, str(image.dtype), fix))
    return np.stack(
        [
            i.astype(np.float32) if i.dtype.kind == "f" else i / np.float32(np.iinfo(i.dtype).max)
            for i in images
        ]
    )


class ImageReader:
    """Reads the values of image columns.

    Args:
        rounded_by: the names of users' functions that get only 8 bits per channel of images without a declared range;
            if none, all bits are kept.
    """

    def __init__(self, images: Mapping[str, Image], rounded_by: Sequence[str]) -> None:
        self._images, self._rounded_by = images, rounded_by
        self._warned = False

    @with_remedy
    def open(self, name: str, value: Any, row: int) -> Any:
        """Return an image as an array, an `EncodedImage` or, from a cache, `Decoded`; its file is read only here."""
        if not isinstance(value, str) and isinstance(value, Mapping):
            if "pixels" in value:  # decoded before, from a cache
                from polyhead.images.decode import Decoded

                return Decoded(value["pixels"], tuple(value["size"]), value["scale"], value["turn"])
            # {"bytes": ..., "path": ...}, as in tables of encoded images
            value = value.get("bytes") or value.get("path")
        if isinstance(value, ENCODED) or is_pillow(value):
            return EncodedImage(value, place(input=name, row=row))
        if isinstance(value, np.ndarray) and value.ndim in (2, 3):
            if not value.size:
                expected, found = "an image of at least one pixel", f"shape {value.shape}"
                raise DataError(Problem(place(input=name, row=row), expected, found))
            return value if value.ndim == 3 else value[..., None]
        expected = "a path, encoded bytes, or an array (H, W) or (H, W, C)"
        fix = "Leave out rows without an image." if is_missing(value) else ""
        raise DataError(Problem(place(input=name, row=row), expected, shown(value), fix))

    @with_remedy
    def frame(self, name: str, value: Any) -> Frame:
        """Return the size of an image from `open`."""
        kind = self._images[name]
        if isinstance(value, np.ndarray):
            return Frame((int(value.shape[0]), int(value.shape[1])))
        if not isinstance(value, EncodedImage):
            turned = value.orientation > 4 and kind.exif == "ignored"
            return Frame(value.size, value.size[::-1] if turned else value.size, value.orientation)
        header = header_of(value.data, page=kind.page or 0, where=value.where)
        self._warn_of_rounding(kind, header, value.where)
        stored = (header.height, header.width) if kind.exif == "ignored" else None
        return Frame(header.size, stored or header.size, header.orientation)

    def decode(self, name: str, value: Any, row: int, plan: Any, i: int) -> Any:
        """Decode an image from `open`, at least at the resolution that row ``i`` of the plan needs."""
        kind = self._images[name]
        deep = kind.dtype == "float32" and (kind.range is not None or not self._rounded_by)
        if isinstance(value, EncodedImage):
            value = self.decode_encoded(name, value, plan.at_least(i, kind.size), deep)
        if not isinstance(value, np.ndarray):
            if kind.range is not None:
                value = replace(value, pixels=_scaled_by_range(kind, name, value.pixels, row, deep))
            return value
        if (value.shape[2], kind.channels) == (1, 3):
            value = np.repeat(value, 3, 2)
        if value.shape[2] != kind.channels:
            alpha = (value.shape[2], kind.channels) == (4, 3)
            found, fix = f"shape {value.shape}", "Leave alpha out: image[..., :3]." if alpha else ""
            if value.shape[0] == kind.channels:
                fix = "If channels come first, give image.transpose(1, 2, 0)."
            raise DataError(Problem(place(input=name, row=row), f"{kind.channels} channels", found, fix))
        if kind.range is not None:
            return _scaled_by_range(kind, name, value, row, deep)
        if value.dtype != np.uint8 and value.dtype.kind != "f":
            fix = "Say ph.Image(range=(low, high)): the numbers that become 0 and 1."
            raise DataError(Problem(place(input=name, row=row), "uint8 or floats", str(value.dtype), fix))
        return value

    @with_remedy
    def decode_encoded(self, name: str, image: EncodedImage, size: tuple[int, int], deep: bool) -> Any:
        """Decode an image no smaller than ``size``; with a declared range, numbers stay unscaled.

        Args:
            deep: whether to keep all bits of a file rather than 8.
        """
        from polyhead.images.decode import decode

        kind = self._images[name]
        return decode(
            image.data,
            channels=kind.channels,
            at_least=size,
            max_pixels=kind.max_pixels,
            page=kind.page,
            deep=deep or kind.range is not None,
            where=image.where,
        )

    def _warn_of_rounding(self, kind: Image, header: Any, where: str) -> None:
        is_deep = header.bits > 8 and not header.lossy and kind.dtype == "float32" and kind.range is None
        if self._rounded_by and is_deep and not self._warned:
            self._warned = True
            fix = (
                f"With ph.Image(range=(0, {1 if header.bits > 16 else 65535})) it gets all bits, as floats in 0–1; say "
                'ph.Image(dtype="uint8"), if 8 bits are enough.'
            )
            expected = f"8 bits a channel, as {self._rounded_by[0]} gets them"
            warn(Problem(where, expected, f"{header.bits}, which are rounded", fix, "depth", warning=True))


def _scaled_by_range(kind: Image, name: str, pixels: np.ndarray, row: int, deep: bool) -> np.ndarray:
    """Scale pixels to 0–1 by the declared range, and convert them to 8 bits unless ``deep``.

    Raises:
        DataError: for numbers outside of the range.
    """
    try:
        scaled = kind.in_unit_range(pixels)
    except BadValue as bad:
        raise bad.located(input=name, row=row) from None
    return scaled if deep else np.rint(scaled * 255).astype(np.uint8)
