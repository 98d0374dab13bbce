"""Images decoded at the resolution that their augmentations need, before any augmentation is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import ContractError, DataError, Problem, place
from polyhead.kinds import Image, Input
from polyhead.kinds.missing import plain
from polyhead.pipeline.bit_depth import as_type, common_dtype, decoded_image, loses_bits
from polyhead.pipeline.image_pipeline import Scene
from polyhead.pipeline.made_columns import MadeColumns, one_by_one, sample_rows
from polyhead.sources.source import Source, checked_rows
from polyhead.store.column_codec import Spec, like
from polyhead.store.fingerprint import of_source

EPOCHS = 8
_READING = ("channels", "page", "range", "dtype", "max_pixels")


class _DecodingScene(Scene):
    """A scene that decodes images without transforming them."""

    def decoded(
        self, column: str, values: Any, ids: np.ndarray, epochs: int, deep: bool
    ) -> list[dict[str, Any]]:
        """Decode images at the resolution that the augmentations of several epochs need, in a form that a scene reads.

        Args:
            ids: the rows, int64 ``(B,)``.
            deep: whether to keep all bits of a file rather than 8.
        """
        from polyhead.images.decode import Decoded

        kinds = {n: kind for n, kind in self.images.items() if kind.columns(n)[0] == column}
        (name, kind), values = next(iter(kinds.items())), plain(values)
        row_ids = self.source.ids_of(ids).tolist()
        opened = [self.reader.open(name, value, row) for value, row in zip(values, row_ids, strict=True)]
        frames = [self.reader.frame(name, value, row) for value, row in zip(opened, row_ids, strict=True)]
        plans = [self.joint.plan(e, ids, [f.shown for f in frames], self.target) for e in range(epochs)]
        plans.append(self.still.plan(0, ids, [f.shown for f in frames], self.target))
        entries = []
        for i, (value, row) in enumerate(zip(opened, row_ids, strict=True)):
            if isinstance(value, np.ndarray):
                self.reader.decode(name, value, row, plans[0], i)  # raises if the value is no image
                image = Decoded(value, frames[i].shown)
            else:
                sizes = [plan.at_least(i, (k.shape[0], k.shape[1])) for plan in plans for k in kinds.values()]
                least = max(s[0] for s in sizes), max(s[1] for s in sizes)
                image = decoded_image(kind, name, value, row, least, deep)
            pixels, scale, turn = image.pixels, image.scale, image.orientation
            entries.append({"pixels": pixels, "size": list(image.size), "scale": scale, "turn": turn})
        return entries


class DecodedRows(MadeColumns):
    """A source whose images are decoded, each at 1, 1/2, 1/4 or 1/8 of its size.

    Each image has the resolution that the augmentations of its first `EPOCHS` epochs need. Later epochs apply the same
    augmentations as without a cache; only images enlarged more than in those epochs are less sharp.

    Raises:
        ContractError: if two inputs decode one column in different ways.
    """

    def __init__(
        self, source: Source, inputs: Mapping[str, Input], augment: Sequence[Any], seed: int
    ) -> None:
        self._images = {n: kind for n, kind in inputs.items() if isinstance(kind, Image) and kind.late}
        _require_one_reading(self._images)
        self._names = tuple(dict.fromkeys(kind.columns(n)[0] for n, kind in self._images.items()))
        super().__init__(source.only(self._names) if self._names else source)
        self._setup = repr((list(self._images.items()), augment, seed, EPOCHS))
        self._scene: _DecodingScene | None = None
        self._dtypes: dict[str, np.dtype] = {}
        if self._images:
            from polyhead.augment import Apply

            # the effect of a user's function is unknown until it gets the image
            moves = [a for a in augment if not isinstance(a, Apply)]
            self._setup = repr((list(self._images.items()), moves, seed, EPOCHS))
            self._deep = all(a.is_pipeline for a in augment if isinstance(a, Apply))
            self._scene = _DecodingScene(self._source, self._images, {}, moves, seed)
            sample = sample_rows(self._source)
            self._dtypes = {name: self._dtype(name, sample) for name in self.converted}

    def _kind(self, column: str) -> Image:
        return next(kind for name, kind in self._images.items() if kind.columns(name)[0] == column)

    def _dtype(self, column: str, ids: np.ndarray) -> np.dtype:
        """The dtype that can hold the pixels of some rows."""
        dtypes = []
        for row, rows in one_by_one(self._source.only([column]), ids):
            with suppress(DataError):  # reported when the row is read
                dtypes.append(self._decoded(column, rows[column], row)[0]["pixels"].dtype)
        return common_dtype(dtypes, self._kind(column))

    def _decoded(self, column: str, values: Any, ids: np.ndarray) -> list[dict[str, Any]]:
        assert self._scene is not None
        deep = self._deep and self._kind(column).dtype == "float32"
        return self._scene.decoded(column, values, ids, EPOCHS, deep)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    @property
    def converted(self) -> tuple[str, ...]:
        return self._names

    @property
    def fingerprint(self) -> str:
        """A string that identifies the rows and how they are decoded."""
        deep = {name: dtype.name for name, dtype in self._dtypes.items() if dtype != np.uint8}
        return of_source(self._source, self.converted, ["shrunk", self._setup, *([deep] if deep else [])])

    def specs(self) -> list[Spec]:
        """The specifications of the columns in a store."""
        others = {"size": [0, 0], "scale": 1.0, "turn": 0}
        pixels = {name: np.zeros((0, 0), dtype) for name, dtype in self._dtypes.items()}
        return [{"name": name, **like({"pixels": pixels[name], **others})} for name in self.converted]

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        return {name: self._kept(name, self._decoded(name, rows[name], ids), ids) for name in self.converted}

    def _kept(self, column: str, entries: list[dict[str, Any]], ids: np.ndarray) -> list[dict[str, Any]]:
        """Convert the pixels of images to the dtype of the column."""
        kind, dtype = self._kind(column), self._dtypes[column]
        for entry, row in zip(entries, self.ids_of(ids).tolist(), strict=True):
            if loses_bits(entry["pixels"].dtype, dtype):
                self._warn_of_less(column, row, dtype.itemsize * 8)
            entry["pixels"] = as_type(entry["pixels"], dtype, kind)
        return entries


def _require_one_reading(images: Mapping[str, Image]) -> None:
    """Raise if inputs decode one column in different ways, as a cache holds only one."""
    readers: dict[str, list[str]] = {}
    for name, kind in images.items():
        readers.setdefault(kind.columns(name)[0], []).append(name)
    problems = []
    for column, names in readers.items():
        first, *others = (images[name] for name in names)
        other = [w for w in _READING if any(getattr(k, w) != getattr(first, w) for k in others)]
        if other:
            expected = f"the same {', '.join(f'{word}=' for word in other)} in all inputs that read it"
            fix = "Give one of them a column of its own, as the cache holds each image once."
            found = f"`{'`, `'.join(names)}`"
            problems.append(Problem(place(column=column), expected, found, fix))
    if problems:
        raise ContractError(*problems)
