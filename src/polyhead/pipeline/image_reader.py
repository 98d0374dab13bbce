"""Opens the images of rows, reads their headers and decodes them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.columns.image_values import is_pillow
from polyhead.errors import DataError, Problem, place, shown, warn
from polyhead.images.encoded import header_of
from polyhead.kinds import Image
from polyhead.kinds.missing import is_missing
from polyhead.pipeline.bit_depth import decoded_image, scale_by_range
from polyhead.pipeline.image_frame import File, Frame, with_remedy

_CHANNELS_FIX: dict[Any, str] = {
    (1, 3): "Take gray three times: np.repeat(image, 3, axis=2).",
    (4, 3): "Leave alpha out: image[..., :3].",
}
"""What to do about an array, by the channels that it has and those of the input."""


class ImageReader:
    """Reads the values of image columns.

    Args:
        rounded_by: the names of users' functions that get only 8 bits per channel; if none, all bits are kept.
    """

    def __init__(self, images: Mapping[str, Image], rounded_by: Sequence[str]) -> None:
        self._images, self._rounded_by = images, rounded_by
        self._warned = False

    @with_remedy
    def open(self, name: str, value: Any, row: int) -> Any:
        """Return the pixels or encoded bytes of an image, reading its file only once."""
        if not isinstance(value, str) and isinstance(value, Mapping):
            if "pixels" in value:  # decoded before, from a cache
                from polyhead.images.decode import Decoded

                return Decoded(value["pixels"], tuple(value["size"]), value["scale"], value["turn"])
            # {"bytes": ..., "path": ...}, as in tables of encoded images
            value = value.get("bytes") or value.get("path")
        if isinstance(value, (str, os.PathLike)) or is_pillow(value):
            return File(value, place(input=name, row=row))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return value
        if isinstance(value, np.ndarray) and value.ndim in (2, 3):
            if not value.size:
                expected, found = "an image of at least one pixel", f"shape {value.shape}"
                raise DataError(Problem(place(input=name, row=row), expected, found))
            return value if value.ndim == 3 else value[..., None]
        expected = "a path, encoded bytes, or an array (H, W) or (H, W, C)"
        fix = "Leave out rows without an image." if is_missing(value) else ""
        raise DataError(Problem(place(input=name, row=row), expected, shown(value), fix))

    @with_remedy
    def frame(self, name: str, value: Any, row: int) -> Frame:
        """Return the size of an image from `open`."""
        kind = self._images[name]
        if isinstance(value, np.ndarray):
            return Frame((int(value.shape[0]), int(value.shape[1])))
        if hasattr(value, "orientation"):
            turned = value.orientation > 4 and kind.exif == "ignored"
            return Frame(value.size, value.size[::-1] if turned else value.size, value.orientation)
        where = value.where if isinstance(value, File) else place(input=name, row=row)
        data = value.data if isinstance(value, File) else value
        header = header_of(data, page=kind.page or 0, where=where)
        self._warn_of_rounding(kind, header, where)
        stored = (header.height, header.width) if kind.exif == "ignored" else None
        return Frame(header.size, stored or header.size, header.orientation)

    def decode(self, name: str, value: Any, row: int, plan: Any, i: int) -> Any:
        """Decode an image from `open`, at least at the resolution that row ``i`` of the plan needs."""
        kind = self._images[name]
        deep = kind.dtype == "float32" and not self._rounded_by
        if not isinstance(value, np.ndarray):
            if not hasattr(value, "orientation"):
                size = plan.at_least(i, (kind.shape[0], kind.shape[1]))
                value = decoded_image(kind, name, value, row, size, deep)
            if kind.range is not None:
                value = replace(value, pixels=scale_by_range(kind, name, value.pixels, row, deep))
            return value
        if value.shape[2] != kind.channels:
            found, fix = f"shape {value.shape}", _CHANNELS_FIX.get((value.shape[2], kind.channels), "")
            if value.shape[0] == kind.channels:
                fix = "If channels come first, give image.transpose(1, 2, 0)."
            raise DataError(Problem(place(input=name, row=row), f"{kind.channels} channels", found, fix))
        if kind.range is not None:
            return scale_by_range(kind, name, value, row, deep)
        if value.dtype != np.uint8 and value.dtype.kind != "f":
            fix = "Say ph.Image(range=(low, high)): the numbers that become 0 and 1."
            raise DataError(Problem(place(input=name, row=row), "uint8 or floats", str(value.dtype), fix))
        return value

    def _warn_of_rounding(self, kind: Image, header: Any, where: str) -> None:
        is_deep = header.bits > 8 and not header.lossy and kind.dtype == "float32"
        if self._rounded_by and is_deep and not self._warned:
            self._warned = True
            fix = (
                "Do it in a pipeline of albumentations, which gets all bits as floats in 0–1, or give float arrays; "
                'say ph.Image(dtype="uint8"), if 8 bits are enough.'
            )
            expected = f"8 bits a channel, as {self._rounded_by[0]} gets them"
            warn(Problem(where, expected, f"{header.bits}, which are rounded", fix, "depth", warning=True))
