"""Masks in the formats of annotation files, rasterized on request.

Pixel (row i, column j) covers [j, j+1) x [i, i+1); it belongs to a polygon if its center is inside.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.errors import DataError, Problem, counted, place, shown

VOID = -1
"""The class of pixels without a label in the result of `Panoptic.to_mask`."""


@dataclass(frozen=True, eq=False, repr=False)
class Polygons:
    """The mask of one object as the union of polygons.

    Attributes:
        size: ``(height, width)`` of the image.
        rings: float64 ``(n, 2)`` each, corners ``(x, y)`` in pixels, n at least 3. If a ring crosses itself, an area
            that it encloses twice is outside.

    >>> square = Polygons((3, 4), [[[1, 0], [3, 0], [3, 2], [1, 2]]])
    >>> square
    Polygons((3, 4), 1 ring of 4 corners)
    >>> square.to_mask().tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """

    size: tuple[int, int]
    rings: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _mask_size("Polygons(size=)", self.size))
        rings = tuple(np.array(ring, np.float64) for ring in self.rings)
        for ring in rings:
            if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 or not np.isfinite(ring).all():
                expected = "rings of at least three finite corners (x, y)"
                raise DataError(Problem("Polygons(rings=)", expected, shown(ring.tolist())))
            ring.flags.writeable = False
        object.__setattr__(self, "rings", rings)

    def to_mask(self) -> np.ndarray:
        """Return the mask of pixels whose center is inside a ring, uint8 ``(H, W)`` of 0 and 1."""
        mask = np.zeros(self.size, np.uint8)
        for ring in self.rings:
            _fill_ring(mask, ring)
        return mask

    def resized(self, size: tuple[int, int]) -> Polygons:
        """Return the mask for the image resized to ``(height, width)``.

        >>> Polygons((4, 8), [[[2, 0], [6, 0], [6, 4]]]).resized((2, 4)).rings[0].tolist()
        [[1.0, 0.0], [3.0, 0.0], [3.0, 2.0]]
        """
        scale = np.array([size[1] / self.size[1], size[0] / self.size[0]])
        return Polygons(size, tuple(ring * scale for ring in self.rings))

    def box(self) -> np.ndarray:
        """Return the box around all corners, ``xyxy``, float64 ``(4,)``."""
        corners = np.concatenate(self.rings)
        return np.concatenate([corners.min(axis=0), corners.max(axis=0)])

    def __repr__(self) -> str:
        counts = [len(ring) for ring in self.rings]
        return f"Polygons({self.size}, {counted(len(counts), 'ring')} of {sum(counts)} corners)"


def _fill_ring(mask: np.ndarray, ring: np.ndarray) -> None:
    """Set the pixels whose center is inside a ring, by the even-odd rule, for all scan lines at once."""
    height, width = mask.shape
    x0, y0 = ring.T
    x1, y1 = np.roll(ring, -1, axis=0).T
    # an edge crosses the centers of rows [first, last); the first pixel on its right is the first whose center is
    # not left of the crossing
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(np.int64)
    spans = last - first
    total = int(spans.sum())
    if not total:
        return
    edge = np.repeat(np.arange(len(ring)), spans)
    row = np.arange(total) - np.repeat(np.cumsum(spans) - spans, spans) + first[edge]
    slope = (x1 - x0)[edge] / (y1 - y0)[edge]
    x = x0[edge] + (row + 0.5 - y0[edge]) * slope
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    top, left = int(row.min()), int(column.min())
    high, wide = int(row.max()) - top + 1, int(column.max()) - left
    if not wide:
        return
    crossings = np.bincount((row - top) * (wide + 1) + column - left, minlength=high * (wide + 1))
    inside = np.cumsum(crossings.reshape(high, wide + 1)[:, :wide], axis=1, dtype=np.uint8) & 1
    mask[top : top + high, left : left + wide] |= inside


@dataclass(frozen=True, eq=False, repr=False)
class Rle:
    """The mask of one object as COCO's run lengths, column by column.

    Attributes:
        size: ``(height, width)`` of the image.
        counts: the lengths of alternating runs of 0 and 1, starting with 0, as numbers or as COCO's compressed string;
            stored as int64 ``(n,)``.

    Raises:
        DataError: if the string is invalid, or the lengths are negative or don't add up to the size.

    >>> Rle((2, 3), [1, 2, 3])
    Rle((2, 3), 2 pixels)
    >>> Rle((2, 3), "123").to_mask().tolist()
    [[0, 1, 0], [1, 0, 0]]
    """

    size: tuple[int, int]
    counts: np.ndarray

    def __post_init__(self) -> None:
        size = _mask_size("Rle(size=)", self.size)
        raw: Any = self.counts
        counts = _uncompressed(raw) if isinstance(raw, (str, bytes)) else _run_lengths(raw)
        total = int(counts.sum())
        if total != size[0] * size[1] or (len(counts) and int(counts.min()) < 0):
            expected = f"lengths of at least 0 that add up to {size[0]} x {size[1]} = {size[0] * size[1]}"
            found = f"a sum of {total}" if total != size[0] * size[1] else f"the length {counts.min()}"
            raise DataError(Problem("Rle(counts=)", expected, found))
        counts.flags.writeable = False
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "counts", counts)

    def to_mask(self) -> np.ndarray:
        """Return the mask of the object, uint8 ``(H, W)`` of 0 and 1."""
        values = np.zeros(len(self.counts), np.uint8)
        values[1::2] = 1
        return np.ascontiguousarray(np.repeat(values, self.counts).reshape(self.size[1], self.size[0]).T)

    def resized(self, size: tuple[int, int]) -> Rle:
        """Return the mask for the image resized to ``(height, width)``, by the nearest pixel.

        >>> Rle((2, 4), [2, 4, 2]).resized((1, 2))
        Rle((1, 2), 1 pixel)
        """
        rows, columns = (
            np.floor((np.arange(new) + 0.5) * old / new).astype(np.int64)
            for new, old in zip(size, self.size, strict=True)
        )
        # from the runs alone, because the size in a damaged annotation may not fit in memory
        runs = np.searchsorted(np.cumsum(self.counts), columns[:, None] * self.size[0] + rows, side="right")
        down = (runs & 1).reshape(-1)
        changes = np.flatnonzero(np.diff(down, prepend=0))
        return Rle(size, np.diff(changes, prepend=0, append=down.size))

    def area(self) -> int:
        """Return the number of pixels."""
        return int(self.counts[1::2].sum())

    def box(self) -> np.ndarray:
        """Return the box around its pixels, ``xyxy``, float64 ``(4,)``; all zero if there are none."""
        ends = np.cumsum(self.counts)
        first, last = (ends - self.counts)[1::2], ends[1::2] - 1
        first, last = first[last >= first], last[last >= first]
        if not len(first):
            return np.zeros(4)
        height = self.size[0]
        over = first // height != last // height  # a run that continues at the top of the next column
        top = 0 if over.any() else (first % height).min()
        bottom = height if over.any() else (last % height).max() + 1
        return np.array([first[0] // height, top, last[-1] // height + 1, bottom], np.float64)

    def __repr__(self) -> str:
        return f"Rle({self.size}, {counted(self.area(), 'pixel')})"


def _run_lengths(counts: Any) -> np.ndarray:
    try:
        lengths = np.array(counts)
        if lengths.ndim == 1 and (not lengths.size or lengths.dtype.kind in "iu"):
            return lengths.astype(np.int64)
    except (ValueError, OverflowError):  # nested lists, numbers of more than 64 bits
        pass
    raise DataError(Problem("Rle(counts=)", "integers, or COCO's compressed string", shown(counts)))


def _uncompressed(text: str | bytes) -> np.ndarray:
    """Decode COCO's string: base 32, sign in the last digit; from the 4th on, differences to the count two before."""
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    codes = np.frombuffer(raw, np.uint8) - np.int64(48)
    if not len(codes):
        return np.zeros(0, np.int64)
    last = codes & 32 == 0
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    digit = np.arange(len(codes)) - np.repeat(starts, np.diff([*starts, len(codes)]))
    if codes.min() < 0 or codes.max() > 63 or not last[-1] or digit.max() > 11:
        raise DataError(Problem("Rle(counts=)", "COCO's compressed string", shown(text)))
    values = np.add.reduceat((codes & 31) << (5 * digit), starts)
    negative = codes[last] & 16 != 0
    values[negative] -= np.int64(1) << (5 * (digit[last][negative] + 1))
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


@dataclass(frozen=True, eq=False, repr=False)
class Panoptic:
    """The panoptic annotation of one image: a PNG of segment ids, and the class of each segment.

    Attributes:
        path: the path of the PNG, or its bytes. Its colors encode the ids: red + 256 green + 65536 blue, 0 for no
            segment.
        size: ``(height, width)`` of the image.
        classes: ``{segment id: class id}``.

    >>> segments = Panoptic("a.png", (1, 2), {257: 7})
    >>> segments
    Panoptic('a.png', (1, 2), 1 segment)
    >>> segments.to_mask(np.array([[[1, 1, 0], [0, 0, 0]]], np.uint8)).tolist()
    [[7, -1]]
    """

    path: str | bytes
    size: tuple[int, int]
    classes: Mapping[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))
        object.__setattr__(self, "size", _mask_size("Panoptic(size=)", self.size))
        object.__setattr__(self, "classes", dict(self.classes))

    def segments(self, colors: np.ndarray) -> np.ndarray:
        """Return the segment id of each pixel, int32 ``(H, W)``, 0 for none.

        Args:
            colors: uint8 ``(H, W, 3)``, the decoded PNG as RGB.

        Raises:
            DataError: for another shape or dtype.
        """
        if colors.shape != (*self.size, 3) or colors.dtype != np.uint8:
            expected = f"RGB pixels, uint8 of shape {(*self.size, 3)}, as in the annotation"
            found = f"{colors.dtype} of shape {colors.shape}"
            raise DataError(Problem(place(file=_name(self.path)), expected, found, code="panoptic-size"))
        return colors.astype(np.int32) @ np.array([1, 256, 65536], np.int32)

    def to_mask(self, colors: np.ndarray) -> np.ndarray:
        """Return the class id of each pixel, int32 ``(H, W)``; -1 for no segment, as in ``Mask(missing=-1)``.

        Args:
            colors: uint8 ``(H, W, 3)``, the decoded PNG as RGB.

        Raises:
            DataError: for another shape or dtype, or a segment that the annotation doesn't list.
        """
        ids, positions = np.unique(self.segments(colors), return_inverse=True)
        unknown = [i for i in ids.tolist() if i and i not in self.classes]
        if unknown:
            found = f"the PNG has segments that the annotation doesn't list: {shown(unknown)}"
            raise DataError(Problem(place(file=_name(self.path)), "", found, code="panoptic-segment"))
        table = np.array([self.classes.get(i, VOID) for i in ids.tolist()], np.int32)
        return table[positions.reshape(self.size)]

    def __repr__(self) -> str:
        return f"Panoptic({_name(self.path)!r}, {self.size}, {counted(len(self.classes), 'segment')})"


@dataclass(frozen=True, eq=False, repr=False)
class Segment:
    """The mask of one object of a panoptic PNG.

    Attributes:
        of: the annotation of the image.
        number: the id of the segment.

    >>> segments = Panoptic("a.png", (1, 3), {257: 7, 2: 7})
    >>> Segment(segments, 257).to_mask(np.array([[[1, 1, 0], [2, 0, 0], [0, 0, 0]]], np.uint8)).tolist()
    [[1, 0, -1]]
    """

    of: Panoptic
    number: int

    @property
    def path(self) -> str | bytes:
        """The PNG."""
        return self.of.path

    @property
    def size(self) -> tuple[int, int]:
        """``(height, width)`` of the image."""
        return self.of.size

    def segments(self, colors: np.ndarray) -> np.ndarray:
        """Return the segment id of each pixel; see `Panoptic.segments`."""
        return self.of.segments(colors)

    def to_mask(self, colors: np.ndarray) -> np.ndarray:
        """Return 1 in the object, 0 in other segments and -1 elsewhere, as in ``Mask(missing=-1)``; int8 ``(H, W)``.

        Args:
            colors: uint8 ``(H, W, 3)``, the decoded PNG as RGB.

        Raises:
            DataError: for another shape or dtype, or an object without pixels.
        """
        ids = self.segments(colors)
        mask = np.where(ids == 0, VOID, ids == self.number).astype(np.int8)
        if not (mask == 1).any():
            found = f"the PNG has no pixels of segment {self.number}, which the annotation lists"
            raise DataError(Problem(place(file=_name(self.path)), "", found, code="panoptic-segment"))
        return mask

    def __repr__(self) -> str:
        return f"Segment({self.of!r}, {self.number})"


def _mask_size(where: str, size: Any) -> tuple[int, int]:
    sides = list(size) if isinstance(size, (tuple, list, np.ndarray)) else []
    if len(sides) != 2 or not all(isinstance(v, (int, np.integer)) and v > 0 for v in sides):
        raise DataError(Problem(where, "(height, width) in pixels", shown(size)))
    return int(sides[0]), int(sides[1])


def _name(path: str | bytes) -> str:
    return path if isinstance(path, str) else f"of {len(path):,} bytes"
