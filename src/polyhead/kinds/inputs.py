"""The input for images."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from polyhead.columns.image_values import ROUNDING, is_pillow, path_in
from polyhead.errors import (
    BadValue,
    ContractError,
    Problem,
    as_list,
    is_number,
    is_size,
    require_choice,
    require_size,
    shown,
)
from polyhead.kinds.conversion import Conversion
from polyhead.kinds.kind import Input, as_dtype
from polyhead.kinds.missing import as_one_array, is_dense, is_missing, plain, require_finite, require_range
from polyhead.kinds.pixels import lists_files
from polyhead.kinds.source_column import Column

Empty = Callable[[tuple[int, ...], Any], np.ndarray]


@dataclass(frozen=True, repr=False)
class Image(Input):
    """Images, RGB or gray, channels last, as float32 in 0–1 or as uint8.

    A column of uint8 ``(N, H, W, C)`` or ``(N, H, W)`` is divided by 255; floats must be in 0–1 already, unless
    ``range`` is given. Paths, encoded bytes, and arrays of other or unequal sizes are decoded and resized batch by
    batch, together with their masks, boxes and keypoints; for files and unequal sizes, height and width are required.
    Pillow images are read like the files that they were opened from. Files with 16 bits per channel keep their
    precision in float32, also in stores and caches.

    Files are JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF, JPEG 2000, PBM, PGM, PPM and PFM, and HEIC if pillow-heif is
    installed. Bands of a TIFF or ``.npy`` file that are not marked as colors are kept unchanged if their number is
    ``channels``; otherwise they are an error.

    Attributes:
        height: rows of pixels as the model gets them; by default as found.
        width: columns of pixels; by default as found.
        channels: 1 for gray, 3 for RGB, 4 for RGB and alpha, or another number of bands; by default 3 for decoded
            images, else as found if that is 1, 3 or 4.
        dtype: ``"float32"``, or ``"uint8"`` for a model that rescales pixels itself.
        fit: how images are resized: ``"stretch"``, ``"contain"`` (the whole image, with borders) or ``"cover"``
            (filled, with sides cut off).
        range: (low, high), the numbers in the data that become 0 and 1, such as ``(0, 4095)`` for 12 bits in 16, or
            ``(-1000, 3000)`` for a float TIFF; by default (0, 255), (0, 65535), and (0, 1) for floats. Numbers outside
            of it are an error.
        page: the page of a TIFF or frame of an animation to read, from 0 on; by default, files with several are an
            error.
        max_pixels: larger images are an error before they are decoded: by default 134 million pixels, and far fewer if
            the file is too small to contain them.
        photometric: whether augmentations of brightness and color change this input; say False for depth and the like.
        exif: how masks, boxes and keypoints were annotated: on the image with its Exif orientation ``"applied"``, as
            viewers show it, or ``"ignored"``, as its pixels are stored; by default as declared to the reader of the
            images, else ``"applied"``. The model always gets image and labels with the Exif orientation applied.

    >>> Image(64, 64, dtype="uint8")
    Image(64, 64, dtype='uint8')
    """

    one_column = (
        "Declare each as a ph.Image of its own, or make them one column: np.stack([r, g, b], axis=-1), "
        "or with a column for each pixel, frame[columns].to_numpy().reshape(-1, height, width)."
    )

    height: int | None = None
    width: int | None = None
    channels: int | None = None
    _: KW_ONLY
    dtype: Any = "float32"
    fit: str = "stretch"
    range: tuple[float, float] | None = None
    page: int | None = None
    max_pixels: int | None = None
    photometric: bool = True
    exif: str | None = None
    # whether the column must be decoded or resized
    late: bool = field(default=False, init=False, repr=False, compare=False)
    # whether the column has files
    files: bool = field(default=False, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width", "channels"):
            if (pixels := getattr(self, name)) is not None:
                require_size(f"Image({name})", pixels, fix=_size_fix(pixels))
        object.__setattr__(self, "dtype", as_dtype(self.dtype))
        require_choice("Image(dtype=)", self.dtype, ("float32", "uint8"), '"float32" or "uint8"')
        require_choice("Image(fit=)", self.fit, _FITS)
        if self.exif is not None:
            require_choice("Image(exif=)", self.exif, ("applied", "ignored"), '"applied" or "ignored"')
        if self.range is not None:
            object.__setattr__(self, "range", _checked_range(self.range))
        if self.page is not None:
            fix = "The first page is 0; pages are not counted from the end."
            require_size("Image(page=)", self.page, 0, fix)
        if self.max_pixels is not None:
            require_size("Image(max_pixels=)", self.max_pixels)

    @property
    def meaning(self) -> dict[str, Any]:
        return {"dtype": self.dtype}

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.size, self.channels or 0)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as the model gets it."""
        return (self.height or 0, self.width or 0)

    def with_facts(self, column: Column) -> Image:
        exif = column.about().exif
        if exif is not None and self.exif not in (None, exif):
            fix = "Say the same to both, or leave it out here."
            expected = f'exif="{exif}", as the reader of the images was told'
            raise BadValue(None, expected, f'exif="{self.exif}"', fix)
        return self.fixed(exif="ignored") if exif == "ignored" else self

    def resolve(self, column: Column) -> Image:
        values = plain(column.probe())
        if _must_be_decoded(values):
            if self.height is None or self.width is None:
                fix = "Say Image(height, width): they are decoded, or resized, to it."
                pillow = any(map(is_pillow, values))
                found = "images of Pillow" if pillow else "files, or arrays of unequal sizes"
                raise BadValue(None, "the size of the images", found, fix)
            files = any(path_in(value) is not None for value in values)
            return self.fixed(channels=self.channels or 3, late=True, files=files)
        height, width, channels = shape = self._pixels(values).shape[1:]
        possible = _CHANNELS if self.channels is None else (*_CHANNELS, self.channels)
        gray = (channels, self.channels) == (1, 3)  # becomes RGB, as in files
        fits = channels in possible and (gray or self.channels in (None, channels))
        if self.height and self.width and fits:
            late = gray or (height, width) != (self.height, self.width)
            return self.fixed(channels=self.channels or channels, late=late)
        found = " x ".join(map(str, shape))
        declared = (self.height, self.width, self.channels)
        if any(side not in (None, pixels) for side, pixels in zip(declared, shape, strict=True)):
            if height in possible and channels not in possible:
                fix = "These are channels first: give images.transpose(0, 2, 3, 1)."
            elif not fits:
                fix = "Declare the channels they have."
                if (channels, self.channels) == (4, 3):
                    fix = "Leave alpha out: images[..., :3]. Or declare the channels they have."
            else:
                fix = "Say both Image(height, width): they are resized to it."
            expected = " x ".join("any" if side is None else str(side) for side in declared)
            raise BadValue(None, f"images of {expected}", found, fix)
        if not fits:
            fix = f"If these are {channels} bands of an image, say Image(channels={channels})."
            fix = "Give images.transpose(0, 2, 3, 1)." if height in _CHANNELS else fix
            raise BadValue(None, "1, 3 or 4 channels last", found, fix)
        return self.fixed(height=height, width=width, channels=channels)

    def conversion(self, column: np.ndarray) -> Conversion | None:
        shape = (*column.shape[1:3], *(column.shape[3:] or (1,)))
        if self.range is not None or column.ndim not in (3, 4) or shape != self.shape:
            return None
        floats = self.dtype == "float32"
        if column.dtype == np.uint8:
            return Conversion(self.dtype, scale=floats)
        if floats and column.dtype.kind == "f":
            return Conversion("float32", low=-ROUNDING, high=1 + ROUNDING)
        return None

    def encode(self, values: Any, check: bool = True, empty: Empty = np.empty) -> np.ndarray:
        """Encode a batch; ``empty`` allocates the memory of new arrays."""
        if isinstance(values, list) and self._as_bytes(values):
            out = empty((len(values), *self.shape), self.dtype)
            for row, encoded in zip(values, out, strict=True):  # row by row, while it is in the cache
                encoded[...] = row
                if self.dtype == "float32":
                    # dividing bytes at once takes half as long again
                    np.divide(encoded, np.float32(255), out=encoded)
            return out
        array = self._pixels(values)
        if array.shape[1:] != self.shape:
            raise BadValue(None, f"images of shape {self.shape}", f"shape {array.shape[1:]}")
        if array.dtype == np.uint8:
            if self.dtype == "uint8":
                return np.ascontiguousarray(array)
            return np.divide(array, np.float32(255), dtype=np.float32)
        if check:
            fix = "Give uint8, or divide by 255; or say ph.Image(range=(low, high)): what becomes 0 and 1."
            require_finite(array, "pixels in 0–1", fix)
            require_range(array, -ROUNDING, 1 + ROUNDING, "pixels in 0–1, as they are floats", fix)
        if self.dtype == "uint8":
            return np.rint(np.multiply(array, np.float32(255), dtype=np.float32)).astype(np.uint8)
        return np.ascontiguousarray(array, np.float32)

    def in_unit_range(self, pixels: np.ndarray) -> np.ndarray:
        """Scale pixels of any number type to float32 in 0–1 by the declared range.

        Raises:
            BadValue: for numbers outside of the range.
        """
        assert self.range is not None
        low, high = self.range
        if pixels.size:
            least, most = float(pixels.min()), float(pixels.max())
            tolerance = ROUNDING * (high - low)  # stores, too, round to float32
            if not (low - tolerance <= least and most <= high + tolerance):
                clip = f"np.clip(images, {low:g}, {high:g})"
                fix = f"Say a wider range; to cut off what is outside, give {clip}."
                expected = f"pixels in [{low:g}, {high:g}], as range= says"
                raise BadValue(None, expected, f"{least:g} to {most:g}", fix)
        exact = pixels.dtype.kind in "iu" or pixels.dtype == np.float64
        numbers: Any = pixels.astype(np.float64 if exact else np.float32)
        return np.clip((numbers - low) / (high - low), 0, 1).astype(np.float32)

    @property
    def stored_dtype(self) -> str:
        """The dtype in which stores and caches keep resized images."""
        if self.range is None:
            return self.dtype
        low, high = self.range
        return "float64" if max(abs(low), abs(high)) > high - low else "float32"

    def unranged(self, pixels: np.ndarray) -> np.ndarray:
        """Undo `in_unit_range`: convert float32 in 0–1, or uint8, to the numbers of the data.

        The result is float32, or float64 if the range is farther from 0 than it is wide, where float32 is too coarse.
        """
        if self.range is None:
            return pixels
        low, high = self.range
        share = pixels / np.float64(255) if pixels.dtype == np.uint8 else pixels.astype(np.float64)
        return (low + share * (high - low)).astype(self.stored_dtype)

    def _pixels(self, values: Any) -> np.ndarray:
        if self.range is None:
            return _image_array(values)
        array = _images_in_one(values)
        if array.ndim not in (3, 4) or array.dtype.kind not in "uif":
            found = f"rows of shape {array.shape[1:]}, {array.dtype}"
            raise BadValue(None, "images (H, W) or (H, W, C) of numbers", found)
        array = array[..., None] if array.ndim == 3 else array
        scaled = np.empty(array.shape, np.float32)
        for i, row in enumerate(array):
            try:
                scaled[i] = self.in_unit_range(row)
            except BadValue as bad:
                bad.index = i
                raise
        return scaled

    def _as_bytes(self, values: list[Any]) -> bool:
        """Return whether rows are arrays of bytes, all of this shape."""
        arrays = all(isinstance(row, np.ndarray) for row in values)
        return arrays and all(row.dtype == np.uint8 and row.shape == self.shape for row in values)


def _checked_range(argument: Any) -> tuple[float, float]:
    pair = as_list(argument) or []
    if len(pair) == 2 and all(map(is_number, pair)) and pair[0] < pair[1]:
        return float(pair[0]), float(pair[1])
    expected = "(low, high), the numbers that become 0 and 1"
    raise ContractError(Problem("Image(range=)", expected, shown(argument)))


def _size_fix(argument: Any) -> str:
    """Return advice on a size given as a single argument."""
    sides = as_list(argument) or []
    return f"Say Image({', '.join(map(str, sides))})." if len(sides) > 1 and all(map(is_size, sides)) else ""


_CHANNELS = (1, 3, 4)

_FITS = ("stretch", "contain", "cover")


def _must_be_decoded(values: Any) -> bool:
    """Return whether a column has paths, encoded bytes, Pillow images, or arrays of unequal sizes."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.dtype.kind in "US"
    rows = [value for value in values if not is_missing(value)]
    encoded = (str, bytes, bytearray, memoryview, os.PathLike, Mapping)
    if any(isinstance(value, encoded) or is_pillow(value) for value in rows):
        return True
    return len({np.shape(value) for value in rows if isinstance(value, np.ndarray)}) > 1


def _images_in_one(values: Any) -> np.ndarray:
    """Stack images into one array."""
    values = plain(values)
    try:
        return as_one_array(values, "an image")
    except BadValue as bad:
        if bad.index is None or not lists_files(values[bad.index]):
            raise
        bad.fix = "Give each view a column and an input of its own: [row[0] for row in column]."
        bad.found = f"a list of files, {bad.found}"
        raise


def _image_array(values: Any) -> np.ndarray:
    values = plain(values)
    bytes_ = [] if is_dense(values) else [getattr(value, "dtype", None) == np.uint8 for value in values]
    if any(bytes_) and not all(bytes_):  # convert each row by its own dtype
        rows = zip(values, bytes_, strict=True)
        values = [np.divide(row, np.float32(255), dtype=np.float32) if byte else row for row, byte in rows]
    array = _images_in_one(values)
    if array.ndim not in (3, 4) or not (array.dtype == np.uint8 or array.dtype.kind == "f"):
        kind = array.dtype.kind if array.ndim in (3, 4) else ""
        fix = "Use ph.Array for other data."
        if kind in ("i", "u"):
            low, high = (array.min(), array.max()) if array.size else (0, 0)
            fix = f"Say ph.Image(range=(low, high)), what becomes 0 and 1; here they are {low} to {high}."
            if low >= 0 and high <= 255:
                fix = 'If they hold 0–255, give images.astype("uint8"); else say ph.Image(range=(low, high)).'
        elif kind == "b":
            fix = 'If True is white, give images.astype("float32").'
        elif array.ndim == 2:
            fix = "If these are pixels, give column.reshape(-1, height, width)."
            if array.dtype == np.uint8:
                fix += " If they are the bytes of files, give [row.tobytes() for row in column]."
        found = f"rows of shape {array.shape[1:]}, {array.dtype}"
        raise BadValue(None, "images (H, W) or (H, W, C), uint8 or float", found, fix)
    return array[..., None] if array.ndim == 3 else array
