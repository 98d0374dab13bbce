"""Views of heads with a label for each box, which show each box by the view of the head itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polyhead.kinds import Head
from polyhead.report.marks import Layer, Mark
from polyhead.report.palette import RGB
from polyhead.report.samples import Label
from polyhead.report.views import Chart, View, is_shown

MOST_BOXES = 6


class EachView(View):
    """The labels of a head for each box."""

    def __init__(self, one: View, head: Head) -> None:
        super().__init__(one.name, head, one.place, one.color)
        self.one = one

    def parts(self, label: Label) -> dict[int, Label]:
        """The labels of the boxes that have one, by index."""
        counts = label.counts.reshape(self.head.places, -1).any(1)
        return {i: Label(label.value[i], label.counts[i]) for i in np.flatnonzero(counts).tolist()}

    def words_of(self, label: Label) -> dict[int, str]:
        """The labels of the boxes in words, by index."""
        return {i: self.one.words(part) for i, part in self.parts(label).items()}

    def words(self, label: Label) -> str:
        found = list(self.words_of(label).items())
        text = "; ".join(f"{i + 1}: {words}" for i, words in found[:MOST_BOXES])
        return text + (f"; … ({len(found)} boxes)" if len(found) > MOST_BOXES else "")

    def series(self, label: Label) -> np.ndarray | None:
        return None

    def held(self, label: Label) -> Sequence[int]:
        return sorted({held for part in self.parts(label).values() for held in self.one.held(part)})

    def number(self, label: Label) -> float | None:
        return None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.one.classes

    @property
    def dot(self) -> bool:
        return self.one.dot

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.one.layers

    @property
    def legend(self) -> tuple[tuple[str, RGB], ...]:
        return self.one.legend

    def marks(self, label: Label, size: tuple[int, int], texts: Sequence[str], most: int) -> list[Mark]:
        if not is_shown(label):
            return []
        return [m for part in self.parts(label).values() for m in self.one.marks(part, size, (), most)]

    def add(self, labels: np.ndarray, counts: np.ndarray) -> None:
        kept = counts.reshape(len(counts) * self.head.places, -1).any(1)
        flat = labels.reshape(-1, *self.one.head.shape)
        self.one.add(flat[kept], counts.reshape(-1, *self.one.head.weight_shape)[kept])

    def charts(self) -> list[Chart]:
        return self.one.charts()
