"""Encoded images and the sizes of images, and the pixels of several rows as one column."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np

from polyhead.columns.image_values import content, file_of, is_pillow
from polyhead.columns.values import Values
from polyhead.errors import DataError, Problem, place
from polyhead.images.encoded import DAMAGED, read_file


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
