"""Images decoded to as many pixels as their augmentations ask for, and not yet moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.engine.scene import Scene
from polyhead.kinds import Image, Input
from polyhead.sources._fingerprint import of_source
from polyhead.sources._store_columns import Spec
from polyhead.sources._values import Values
from polyhead.sources.base import Source, checked_rows

EPOCHS = 8


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
        self._scene: Scene | None = None
        if self._images:
            from polyhead.vision import Apply

            # what a function of the user's own does is not known before it has the image
            known = [one for one in augment if not isinstance(one, Apply)]
            self._made = repr((list(self._images.items()), known, seed, EPOCHS))
            self._scene = Scene(self._source, self._images, {}, known, seed)

    def __len__(self) -> int:
        return len(self._source)

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
