"""The view of each head, the objects of a row, and the marks of a sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from polyhead.feed import Feed
from polyhead.kinds import Head, Input
from polyhead.report.drawn_views import VIEWS
from polyhead.report.marks import Absent, Area, Box, Canvas, Cover, DrawnObject, Mark
from polyhead.report.palette import FAINT, class_color, head_color
from polyhead.report.per_element_views import EachView
from polyhead.report.pictures import image_size
from polyhead.report.samples import Sample
from polyhead.report.views import View

Size = tuple[int, int]


def views(heads: Mapping[str, Head], size: tuple[int, int] | None = None) -> dict[str, View]:
    """Make the view of each head; heads that are drawn get colors in order.

    Args:
        size: (height, width) of the image that heads are drawn on.
    """
    view_of: dict[str, View] = {}
    drawn = 0
    for index, (name, head) in enumerate(heads.items()):
        inner = head.inner
        kind = VIEWS[inner.layer or inner.view]
        view = kind(name, inner, index, head_color(drawn))
        view.image_size = size
        view_of[name] = view if inner is head else EachView(view, head)
        drawn += kind.has_color(inner)
    return view_of


@dataclass(frozen=True)
class Drawing:
    """Turns labels into marks.

    Attributes:
        longest: the longest side of pictures, in pixels.
    """

    inputs: Mapping[str, Input]
    heads: Mapping[str, Head]
    views: Mapping[str, View]
    longest: int = 512

    @classmethod
    def of(cls, feed: Feed, longest: int = 512, heads: Mapping[str, Head] | None = None) -> Drawing:
        """The drawing of a feed's labels; pass ``heads`` if the labels are in other units than the feed's."""
        heads = feed.labeled if heads is None else heads
        return cls(feed.inputs, heads, views(heads, image_size(feed.inputs)), longest)

    def __post_init__(self) -> None:
        palette: dict[str, int] = {}
        for name in self.coloring():
            view = self.views[name]
            for text, color in zip(view.classes, view.colors, strict=True):
                if color != FAINT:
                    palette.setdefault(text, len(palette))
        for view in self.views.values():
            (view.inner if isinstance(view, EachView) else view).palette = palette

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the image that labels are drawn on."""
        return image_size(self.inputs)

    def on(self, sample: Sample) -> Drawing:
        """The drawing for a sample, whose images may be originals of other sizes."""
        if not sample.sizes:
            return self
        sizes = {
            name: dict(zip(("height", "width"), size, strict=True)) for name, size in sample.sizes.items()
        }
        inputs = {n: kind.fixed(**sizes[n]) if n in sizes else kind for n, kind in self.inputs.items()}
        return replace(self, inputs=inputs)

    def _size_of(self, name: str) -> Size | None:
        """(height, width) of the image that a head belongs to."""
        image = self.heads.get(self.heads[name].each or name, self.heads[name]).of
        if image is None or image not in self.inputs:
            return self.size
        height, width = self.inputs[image].shape[:2]
        return height, width

    def fit_ranges(self, samples: Iterable[Sample]) -> Drawing:
        """Fit the color ranges of numbers to the samples to be drawn."""
        shown = [rows for s in samples for rows in (s, s.original, s.guess) if rows is not None]
        for name, view in self.views.items():
            view.fit_range([rows.labels[name] for rows in shown if name in rows.labels])
        return self

    def marks(self, sample: Sample) -> dict[Size | None, list[Mark]]:
        """The marks of a sample and its prediction, by (height, width) of their image; the key None without one.

        Masks come first, then boxes from large to small, so that each can be pointed at.
        """
        by_size = self._marks(sample, False)
        for size, marks in ({} if sample.guess is None else self._marks(sample.guess, True)).items():
            by_size.setdefault(size, []).extend(marks)
        return by_size

    def _marks(self, sample: Sample, predicted: bool) -> dict[Size | None, list[Mark]]:
        by_size: dict[Size | None, list[Mark]] = {}
        for name, view in self.views.items():
            head, size = self.heads[name], self._size_of(name)
            if name not in sample.labels or (size is None and head.labels_in_pixels):
                continue  # no image to draw these pixels on
            objects = self._objects(head.each or name, sample)
            canvas = Canvas(size or (1, 1), self.longest, objects, None, predicted)
            by_size.setdefault(size, []).extend(view.marks(sample.labels[name], canvas))
        return {size: sorted(marks, key=_drawing_order) for size, marks in by_size.items()}

    def class_head(self, owner: str) -> str | None:
        """The head that classifies the boxes of a head; None without one."""
        each = [n for n, head in self.heads.items() if head.each == owner and self.views[n].classes]
        if each:
            return min(each, key=lambda n: self.heads[n].inner.view != "class")
        if owner not in self.heads or self.heads[owner].weight_shape != (1,):
            return None
        # a single box has the class of the row, preferably of a head with the same ``given``
        rows = [n for n, head in self.heads.items() if head.each is None and head.view == "class"]
        return min(rows, key=lambda n: self.heads[n].given != self.heads[owner].given, default=None)

    def coloring(self) -> list[str]:
        """The heads whose classes color the marks."""
        drawn = [n for n, head in self.heads.items() if head.inner.layer is not None]
        legends = [n for n in drawn if self.views[n].legend]
        owners = dict.fromkeys(self.heads[n].each or n for n in drawn if not self.views[n].legend)
        return list(dict.fromkeys([*legends, *filter(None, map(self.class_head, owners))]))

    def in_one_color(self, name: str) -> bool:
        """Return whether a head is drawn in a single color of its own."""
        view, head = self.views[name], self.heads[name]
        several = head.each is not None or (head.layer == "boxes" and head.places > 1)
        one_color = view.has_color(head.inner) and not (view.legend or several)
        return one_color and self.class_head(head.each or name) is None

    def _objects(self, owner: str, sample: Sample) -> Sequence[DrawnObject]:
        name = self.class_head(owner)
        if name is None or name not in sample.labels:
            return ()
        view, label = self.views[name], sample.labels[name]
        colored = self.heads[name].inner.view == "class"
        if isinstance(view, EachView):
            parts, inner = view.parts(label), view.inner
        else:
            parts, inner = ({0: label} if label.is_shown else {}), view
        objects = []
        for i in range(self.heads[owner].places if owner in self.heads else max(parts, default=-1) + 1):
            class_ids = inner.class_ids(parts[i]) if i in parts else ()
            text = inner.words(parts[i]) if i in parts else ""
            score = sample.scores.get(owner, {}).get(i)
            text += f" {score:.0%}" if score is not None else ""
            classified = colored and len(class_ids) > 0
            color = inner.colors[class_ids[0]] if classified else None
            part = f"{view.index}.{class_ids[0]}" if classified else ""
            objects.append(DrawnObject(text.strip(), color, class_color(i), part))
        return objects


def _drawing_order(mark: Mark) -> tuple[int, float]:
    if isinstance(mark, Cover | Area | Absent):
        return (0, -float(np.mean(mark.mask)) if isinstance(mark, Area) else 0.0)
    if isinstance(mark, Box):
        return (1, -(mark.right - mark.left) * (mark.bottom - mark.top))
    return (2, 0.0)
