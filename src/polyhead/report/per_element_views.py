"""Views of heads with a label for each box; each box is shown by the view of the inner head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from polyhead.kinds import Head
from polyhead.kinds.per_element import forwarded
from polyhead.report.drawn_views import DrawnView
from polyhead.report.marks import Canvas, DrawnObject, Mark
from polyhead.report.palette import class_color
from polyhead.report.samples import Label
from polyhead.report.views import Chart, View

MOST_BOXES, MOST_CLASSES = 6, 8


class EachView(View):
    """The labels of a head for each box."""

    classes = forwarded("inner.classes")
    legend = forwarded("inner.legend")
    colors = forwarded("inner.colors")

    def __init__(self, inner: View, head: Head) -> None:
        super().__init__(inner.name, head, inner.index, inner.color)
        self.inner = inner

    def parts(self, label: Label) -> dict[int, Label]:
        """The labels of the boxes that have one, by index."""
        valid = label.valid.reshape(self.head.places, -1).any(1)
        return {i: Label(label.value[i], label.valid[i]) for i in np.flatnonzero(valid).tolist()}

    def words(self, label: Label) -> str:
        if isinstance(self.inner, DrawnView) and self.inner.of_pixels:
            count = len(self.parts(label))
            return f"{count} mask{'s' * (count != 1)}"
        boxes = [(i, self.inner.words(part)) for i, part in self.parts(label).items()]
        if self.inner.classes:
            counts = Counter(words for _, words in boxes).most_common()
            some = [f"{words} ×{count}" if count > 1 else words for words, count in counts[:MOST_CLASSES]]
            return ", ".join(some) + (f", … ({len(counts)} classes)" if len(counts) > MOST_CLASSES else "")
        text = "; ".join(f"{i + 1}: {words}" for i, words in boxes[:MOST_BOXES])
        return text + (f"; … ({len(boxes)} boxes)" if len(boxes) > MOST_BOXES else "")

    def series(self, label: Label) -> np.ndarray | None:
        return None

    def class_ids(self, label: Label) -> Sequence[int]:
        return sorted(
            {class_id for part in self.parts(label).values() for class_id in self.inner.class_ids(part)}
        )

    def number(self, label: Label) -> float | None:
        return None

    def marks(self, label: Label, canvas: Canvas) -> list[Mark]:
        if not label.is_shown:
            return self.inner.missing(label, canvas) if isinstance(self.inner, DrawnView) else []
        marks: list[Mark] = []
        for i, part in self.parts(label).items():
            known = i < len(canvas.objects)
            drawn = canvas.objects[i] if known else DrawnObject("", None, class_color(i))
            marks += self.inner.marks(part, replace(canvas, objects=(), of_object=drawn))
        return marks

    def add(self, labels: np.ndarray, valid: np.ndarray) -> None:
        kept = valid.reshape(len(valid) * self.head.places, -1).any(1)
        flat = labels.reshape(-1, *self.inner.head.shape)
        self.inner.add(flat[kept], valid.reshape(-1, *self.inner.head.weight_shape)[kept])

    def charts(self) -> list[Chart]:
        return self.inner.charts()
