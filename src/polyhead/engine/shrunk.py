"""Images decoded to as many pixels as their augmentations ask for, and not yet moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.engine.frame import File
from polyhead.engine.scene import Scene
from polyhead.errors import place
from polyhead.kinds import Image, Input
from polyhead.kinds._missing import plain
from polyhead.sources._fingerprint import of_source
from polyhead.sources._store_columns import Spec
from polyhead.sources._values import Values
from polyhead.sources.base import Source, checked_rows

EPOCHS = 8


class _Still(Scene):
    """A scene whose images are decoded, and not moved yet."""

    def shrunk(self, column: str, values: Any, ids: np.ndarray, epochs: int) -> list[dict[str, Any]]:
        """Images decoded to as many pixels as the augmentations of some epochs ask for; the scene takes them as images.

        Args:
            column: of the images.
            values: of the column.
            ids: the rows, int64 ``(B,)``.
            epochs: how many, from the first on.
        """
        from polyhead.vision import Decoded, decode

        kinds = {n: kind for n, kind in self.images.items() if kind.columns(n)[0] == column}
        (name, kind), values = next(iter(kinds.items())), plain(values)
        opened = [self._opened(name, value, row) for value, row in zip(values, ids.tolist(), strict=True)]
        frames = [self._frame(name, value, row) for value, row in zip(opened, ids.tolist(), strict=True)]
        plans = [self._joint.plan(e, ids, [f.shown for f in frames], self.target) for e in range(epochs)]
        plans.append(self._plain.plan(0, ids, [f.shown for f in frames], self.target))
        found = []
        for i, (value, row) in enumerate(zip(opened, ids.tolist(), strict=True)):
            if isinstance(value, np.ndarray):
                one = Decoded(self._decoded(name, value, row, plans[0], i), frames[i].shown)
            else:
                where = value.where if isinstance(value, File) else place(input=name, row=row)
                sizes = [plan.at_least(i, (k.shape[0], k.shape[1])) for plan in plans for k in kinds.values()]
                least = max(s[0] for s in sizes), max(s[1] for s in sizes)
                data = value.data if isinstance(value, File) else value
                one = decode(data, channels=kind.channels, at_least=least, where=where)
            found.append(
                {"pixels": one.pixels, "size": list(one.size), "scale": one.scale, "turn": one.orientation}
            )
        return found


class Shrunk(Source):
    """A source whose images are decoded, each at 1, 1/2, 1/4 or 1/8 of its size.

    An image has the pixels that the augmentations of its first `EPOCHS` epochs ask for. What they do to it later is
    drawn as they do it to the file, but for the sharpness of what is enlarged more than in all of these.

    Args:
        source: where the rows are.
        inputs: resolved.
        augment: augmentations of single rows.
        seed: of the augmentations.

    Attributes:
        placed: the columns of these images.
    """

    def __init__(
        self, source: Source, inputs: Mapping[str, Input], augment: Sequence[Any], seed: int
    ) -> None:
        self._images = {n: kind for n, kind in inputs.items() if isinstance(kind, Image) and kind.late}
        self.placed = tuple(dict.fromkeys(kind.columns(n)[0] for n, kind in self._images.items()))
        self._source = source.only(self.placed) if self.placed else source
        self.sequential, self._made = (
            source.sequential,
            repr((list(self._images.items()), augment, seed, EPOCHS)),
        )
        self._scene: _Still | None = None
        if self._images:
            from polyhead.vision import Apply

            # what a function of the user's own does is not known before it has the image
            known = [one for one in augment if not isinstance(one, Apply)]
            self._made = repr((list(self._images.items()), known, seed, EPOCHS))
            self._scene = _Still(self._source, self._images, {}, known, seed)

    def __len__(self) -> int:
        return len(self._source)

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        return self._source.ids_of(rows)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.placed

    @property
    def fingerprint(self) -> str:
        """A text that is another one where the rows, or what becomes of them, are others."""
        return of_source(self._source, self.placed, ["shrunk", self._made])

    def specs(self) -> list[Spec]:
        """The columns as a store has them."""
        fields = {
            "pixels": {"is": "array", "dtype": "uint8", "row": None},
            "size": {"is": "list", "of": {"is": "whole"}},
            "scale": {"is": "number"},
            "turn": {"is": "whole"},
        }
        return [{"name": name, "is": "values", "of": {"is": "fields", "of": fields}} for name in self.placed]

    def read(self, ids: np.ndarray) -> dict[str, Values]:
        rows: dict[str, Any] = checked_rows(self._source, self._source.read(ids), len(ids))
        assert self._scene is not None
        return {name: self._scene.shrunk(name, rows[name], ids, EPOCHS) for name in self.placed}
