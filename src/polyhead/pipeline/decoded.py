"""Images decoded at the resolution that their augmentations need, before any augmentation is applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import ContractError, DataError, Problem, place
from polyhead.kinds import Image, columns_read
from polyhead.kinds.missing import plain
from polyhead.pipeline.converted_rows import ConvertedRows, one_by_one, readers_of, sample_rows
from polyhead.pipeline.image_pipeline import Scene
from polyhead.sources.source import Source, checked_rows
from polyhead.store.column_codec import Spec, like
from polyhead.store.fingerprint import of_source

EPOCHS = 8
_DECODING = ("channels", "page", "range", "dtype", "max_pixels")
"""The arguments of `Image` on which its decoded pixels depend."""


class DecodedRows(ConvertedRows):
    """A source whose images are decoded, each at 1, 1/2, 1/4 or 1/8 of its size.

    Each image has the resolution that the augmentations of its first `EPOCHS` epochs need. Later epochs apply the same
    augmentations as without a cache; only images enlarged more than in those epochs are less sharp.

    Args:
        images: the image inputs to decode, at least one.

    Raises:
        ContractError: if two inputs decode one column in different ways.
    """

    def __init__(
        self, source: Source, images: Mapping[str, Image], augment: Sequence[Any], seed: int
    ) -> None:
        from polyhead.augment import Apply

        self._names = readers_of(images)
        _require_one_decoding(images, self._names)
        self.converted = columns_read(images)
        super().__init__(source.only(self.converted))
        # the effect of a user's function is unknown until it gets the image
        moves = [a for a in augment if not isinstance(a, Apply)]
        self._setup = repr((list(images.items()), moves, seed, EPOCHS))
        self._deep = all(a.is_pipeline for a in augment if isinstance(a, Apply))
        self._scene = Scene(self._source, images, {}, moves, seed)
        sample = sample_rows(self._source)
        self._dtypes = {column: self._dtype(column, sample) for column in self.converted}

    def _kind(self, column: str) -> Image:
        return self._scene.images[self._names[column][0]]

    def _dtype(self, column: str, ids: np.ndarray) -> np.dtype:
        """The dtype that can hold the pixels of some rows."""
        dtypes = []
        for row, rows in one_by_one(self._source.only([column]), ids):
            with suppress(DataError):  # reported when the row is read
                dtypes.append(self._decoded(column, rows[column], row)[0]["pixels"].dtype)
        return _smallest_dtype(dtypes, self._kind(column))

    def _decoded(self, column: str, values: Any, ids: np.ndarray) -> list[dict[str, Any]]:
        """Decode the images of a column in the form that `ImageReader.open` reads.

        Args:
            ids: the rows, int64 ``(B,)``.
        """
        from polyhead.images.decode import Decoded

        scene, names = self._scene, self._names[column]
        name, kinds = names[0], [scene.images[name] for name in names]
        deep = self._deep and kinds[0].dtype == "float32"
        values, row_ids = plain(values), self.ids_of(ids).tolist()
        opened = [scene.reader.open(name, value, row) for value, row in zip(values, row_ids, strict=True)]
        sizes = [scene.reader.frame(name, image).shown for image in opened]
        plans = [scene.joint.plan(epoch, ids, sizes, scene.target) for epoch in range(EPOCHS)]
        plans.append(scene.still.plan(0, ids, sizes, scene.target))
        entries = []
        for i, (image, row) in enumerate(zip(opened, row_ids, strict=True)):
            if isinstance(image, np.ndarray):
                scene.reader.decode(name, image, row, plans[0], i)  # raises if the value is no image
                decoded = Decoded(image, sizes[i])
            else:
                needed = [plan.at_least(i, kind.size) for plan in plans for kind in kinds]
                least = max(height for height, _ in needed), max(width for _, width in needed)
                decoded = scene.reader.decode_encoded(name, image, least, deep)
            entries.append(
                {
                    "pixels": decoded.pixels,
                    "size": list(decoded.size),
                    "scale": decoded.scale,
                    "turn": decoded.orientation,
                }
            )
        return entries

    @property
    def columns(self) -> tuple[str, ...]:
        return self.converted

    @property
    def fingerprint(self) -> str:
        deep = {name: dtype.name for name, dtype in self._dtypes.items() if dtype != np.uint8}
        return of_source(self._source, self.converted, ["shrunk", self._setup, *([deep] if deep else [])])

    def spec(self, name: str) -> Spec:
        pixels = np.zeros((0, 0), self._dtypes[name])
        return like({"pixels": pixels, "size": [0, 0], "scale": 1.0, "turn": 0})

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        for column in self.converted:
            kind, dtype = self._kind(column), self._dtypes[column]
            rows[column] = self._decoded(column, rows[column], ids)
            for image, row in zip(rows[column], self.ids_of(ids).tolist(), strict=True):
                if _loses_bits(image["pixels"].dtype, dtype):
                    self._warn_of_lost_bits(column, row, dtype.itemsize * 8)
                image["pixels"] = _as_type(image["pixels"], dtype, kind)
        return rows


def _require_one_decoding(images: Mapping[str, Image], readers: Mapping[str, list[str]]) -> None:
    """Raise if inputs decode one column in different ways, as a cache holds only one."""
    problems = []
    for column, names in readers.items():
        first, *others = (images[name] for name in names)
        different = [w for w in _DECODING if any(getattr(k, w) != getattr(first, w) for k in others)]
        if different:
            expected = f"the same {', '.join(f'{word}=' for word in different)} in all inputs that read it"
            fix = "Give one of them a column of its own, as the cache holds each image once."
            found = f"`{'`, `'.join(names)}`"
            problems.append(Problem(place(column=column), expected, found, fix))
    if problems:
        raise ContractError(*problems)


def _smallest_dtype(dtypes: Iterable[np.dtype], kind: Image) -> np.dtype:
    """The smallest dtype that can hold pixels of all these dtypes, as the kind reads them.

    With a declared range it is a float dtype, as later rows may hold any number of the range, whole or not.
    """
    dtype = np.result_type(np.uint8, *dtypes)
    if kind.range is not None:
        return np.result_type(np.float32, dtype)
    return np.dtype(np.float32) if dtype.kind == "f" else dtype


def _as_type(pixels: np.ndarray, dtype: np.dtype, kind: Image) -> np.ndarray:
    """Convert pixels to another dtype, keeping their brightness or, with a declared range, their numbers."""
    if pixels.dtype == dtype:
        return pixels
    if kind.range is not None:
        return pixels.astype(dtype)
    share = pixels if pixels.dtype.kind == "f" else pixels / np.float64(np.iinfo(pixels.dtype).max)
    if dtype.kind == "f":
        return share.astype(dtype)
    return np.rint(share * np.float64(np.iinfo(dtype).max)).astype(dtype)


def _loses_bits(old: np.dtype, new: np.dtype) -> bool:
    """Return whether a conversion loses bits; floats never count, as a feed makes them float32 anyway."""
    return not np.can_cast(old, new) and not old.kind == new.kind == "f"
