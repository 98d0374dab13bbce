"""Images decoded to as many pixels as their augmentations ask for, and not yet moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from polyhead.columns.values import Values
from polyhead.errors import ContractError, DataError, Problem, place
from polyhead.kinds import Image, Input
from polyhead.kinds.missing import plain
from polyhead.pipeline.bit_depth import as_type, common_dtype, decoded_image, loses
from polyhead.pipeline.image_pipeline import Scene
from polyhead.pipeline.made_columns import MadeColumns, looked_at, one_by_one
from polyhead.sources.source import Source, checked_rows
from polyhead.store.column_codec import Spec, like
from polyhead.store.fingerprint import of_source

EPOCHS = 8
_READING = ("channels", "page", "range", "dtype", "max_pixels")


class _Still(Scene):
    """A scene whose images are decoded, and not moved yet."""

    def shrunk(
        self, column: str, values: Any, ids: np.ndarray, epochs: int, deep: bool
    ) -> list[dict[str, Any]]:
        """Images decoded to as many pixels as the augmentations of some epochs ask for; the scene takes them as images.

        Args:
            column: of the images.
            values: of the column.
            ids: the rows, int64 ``(B,)``.
            epochs: how many, from the first on.
            deep: keep all bits of a file.
        """
        from polyhead.images.decode import Decoded

        kinds = {n: kind for n, kind in self.images.items() if kind.columns(n)[0] == column}
        (name, kind), values = next(iter(kinds.items())), plain(values)
        told = self.source.ids_of(ids).tolist()
        opened = [self.reader.open(name, value, row) for value, row in zip(values, told, strict=True)]
        frames = [self.reader.frame(name, value, row) for value, row in zip(opened, told, strict=True)]
        plans = [self.joint.plan(e, ids, [f.shown for f in frames], self.target) for e in range(epochs)]
        plans.append(self.still.plan(0, ids, [f.shown for f in frames], self.target))
        found = []
        for i, (value, row) in enumerate(zip(opened, told, strict=True)):
            if isinstance(value, np.ndarray):
                self.reader.decode(name, value, row, plans[0], i)  # raises for what is none
                one = Decoded(value, frames[i].shown)
            else:
                sizes = [plan.at_least(i, (k.shape[0], k.shape[1])) for plan in plans for k in kinds.values()]
                least = max(s[0] for s in sizes), max(s[1] for s in sizes)
                one = decoded_image(kind, name, value, row, least, deep)
            found.append(
                {"pixels": one.pixels, "size": list(one.size), "scale": one.scale, "turn": one.orientation}
            )
        return found


class Shrunk(MadeColumns):
    """A source whose images are decoded, each at 1, 1/2, 1/4 or 1/8 of its size.

    An image has the pixels that the augmentations of its first `EPOCHS` epochs ask for. What they do to it later is
    drawn as they do it to the file, but for the sharpness of what is enlarged more than in all of these.

    Args:
        source: where the rows are.
        inputs: resolved.
        augment: augmentations of single rows.
        seed: of the augmentations.

    Raises:
        ContractError: for a column that two inputs decode in two ways.
    """

    def __init__(
        self, source: Source, inputs: Mapping[str, Input], augment: Sequence[Any], seed: int
    ) -> None:
        self._images = {n: kind for n, kind in inputs.items() if isinstance(kind, Image) and kind.late}
        _require_one_reading(self._images)
        self._names = tuple(dict.fromkeys(kind.columns(n)[0] for n, kind in self._images.items()))
        super().__init__(source.only(self._names) if self._names else source)
        self._made = repr((list(self._images.items()), augment, seed, EPOCHS))
        self._scene: _Still | None = None
        self._dtypes: dict[str, np.dtype] = {}
        if self._images:
            from polyhead.augment import Apply

            # what a function of the user's own does is not known before it has the image
            known = [one for one in augment if not isinstance(one, Apply)]
            self._made = repr((list(self._images.items()), known, seed, EPOCHS))
            self._deep = all(one.takes_floats for one in augment if isinstance(one, Apply))
            self._scene = _Still(self._source, self._images, {}, known, seed)
            some = looked_at(self._source)
            self._dtypes = {name: self._dtype(name, some) for name in self.placed}

    def _kind(self, column: str) -> Image:
        return next(kind for name, kind in self._images.items() if kind.columns(name)[0] == column)

    def _keeps(self, column: str) -> bool:
        return self._deep and self._kind(column).dtype == "float32"

    def _dtype(self, column: str, ids: np.ndarray) -> np.dtype:
        """The type that holds the pixels of some rows."""
        found = []
        for row, rows in one_by_one(self._source.only([column]), ids):
            with suppress(DataError):  # said where the row is read
                found.append(self._decoded(column, rows[column], row)[0]["pixels"].dtype)
        return common_dtype(found, self._kind(column))

    def _decoded(self, column: str, values: Any, ids: np.ndarray) -> list[dict[str, Any]]:
        assert self._scene is not None
        return self._scene.shrunk(column, values, ids, EPOCHS, self._keeps(column))

    @property
    def columns(self) -> tuple[str, ...]:
        return self._names

    @property
    def placed(self) -> tuple[str, ...]:
        return self._names

    @property
    def fingerprint(self) -> str:
        """A text that is another one where the rows, or what becomes of them, are others."""
        deep = {name: dtype.name for name, dtype in self._dtypes.items() if dtype != np.uint8}
        return of_source(self._source, self.placed, ["shrunk", self._made, *([deep] if deep else [])])

    def specs(self) -> list[Spec]:
        """The columns as a store has them."""
        one = {"size": [0, 0], "scale": 1.0, "turn": 0}
        pixels = {name: np.zeros((0, 0), dtype) for name, dtype in self._dtypes.items()}
        return [{"name": name, **like({"pixels": pixels[name], **one})} for name in self.placed]

    def coded(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, ids)
        return {name: self._kept(name, self._decoded(name, rows[name], ids), ids) for name in self.placed}

    def _kept(self, column: str, found: list[dict[str, Any]], ids: np.ndarray) -> list[dict[str, Any]]:
        """Images with their pixels as the type that the column has."""
        kind, dtype = self._kind(column), self._dtypes[column]
        for one, row in zip(found, self.ids_of(ids).tolist(), strict=True):
            if loses(one["pixels"].dtype, dtype):
                self._warn_of_less(column, row, dtype.itemsize * 8)
            one["pixels"] = as_type(one["pixels"], dtype, kind)
        return found


def _require_one_reading(images: Mapping[str, Image]) -> None:
    """Raise for a column that inputs decode in several ways, of which a cache keeps one."""
    readers: dict[str, list[str]] = {}
    for name, kind in images.items():
        readers.setdefault(kind.columns(name)[0], []).append(name)
    problems = []
    for column, names in readers.items():
        first, *others = (images[name] for name in names)
        other = [w for w in _READING if any(getattr(one, w) != getattr(first, w) for one in others)]
        if other:
            expected = f"the same {', '.join(f'{word}=' for word in other)} in all inputs that read it"
            fix = "Give one of them a column of its own, as the cache holds each image once."
            found = f"`{'`, `'.join(names)}`"
            problems.append(Problem(place(column=column), expected, found, fix))
    if problems:
        raise ContractError(*problems)
