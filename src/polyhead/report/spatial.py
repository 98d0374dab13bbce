"""Views of heads that are drawn on the image: masks, maps, boxes, keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyhead.kinds import Head
from polyhead.report.marks import (
    ALPHA,
    RGBA,
    STRIPES,
    Box,
    Cover,
    Hatch,
    Layer,
    Mark,
    Point,
    every_nth,
    reduction,
    striped,
)
from polyhead.report.palette import FAINT, RGB, class_color, head_color, is_background
from polyhead.report.per_element_views import EachView
from polyhead.report.samples import MISSING, Label
from polyhead.report.views import VIEWS, Chart, View, bars, histogram, is_shown, name_of, shortly

CLEAR: RGBA = (0, 0, 0, 0)
MOST_COLORS = 250
SHADES = 32


class _DrawnView(View):
    """A head that is drawn on the image."""

    @staticmethod
    def has_color(head: Any) -> bool:
        return True

    @property
    def layers(self) -> tuple[Layer, ...]:
        return (Layer(f"{self.place}", self.name, self.color),)

    def number(self, label: Label) -> float | None:
        return None

    def series(self, label: Label) -> np.ndarray | None:
        return None


class _PixelView(_DrawnView):
    """A head of pixels, drawn over the whole image."""

    def marks(self, label: Label, size: tuple[int, int], texts: Sequence[str], most: int) -> list[Mark]:
        if label.state == MISSING:
            return [Hatch(self.layers[0], f"{self.name}: {label.why}")]
        if not is_shown(label):
            return []
        height, width = self.head.size
        step = reduction(height, width, most)
        return [*self.covers(label, step)]

    def covers(self, label: Label, step: int) -> list[Cover]:
        """The covers of a label, of every ``step``-th pixel."""
        raise NotImplementedError

    def cover(self, layer: Layer, places: np.ndarray, there: np.ndarray, palette: list[RGBA]) -> Cover:
        """A cover with stripes where there is no label."""
        places = places.copy()
        if not there.all():
            striped(places, ~there, len(palette))
            palette = [*palette, *STRIPES]
        return Cover(layer, places.astype(np.uint8), tuple(palette))


class MaskView(_PixelView):
    """A class for each pixel, or several binary masks."""

    def __init__(self, name: str, head: Head, place: int, color: RGB) -> None:
        super().__init__(name, head, place, color)
        self._counts = np.zeros(len(head.names), np.int64)
        self._pixels = 0

    @staticmethod
    def has_color(head: Any) -> bool:
        return len(head.names) == 1

    @property
    def classes(self) -> tuple[str, ...]:
        if len(self.head.names) == 1:
            return (name_of(self.head.names[0]) if not isinstance(self.head.classes, int) else "object",)
        return tuple(name_of(name) for name in self.head.names)

    @property
    def colors(self) -> tuple[RGB, ...]:
        """The color of each class."""
        if len(self.head.names) == 1:
            return (self.color,)
        return tuple(
            FAINT if not self.head.multi and is_background(i, name) else class_color(i)
            for i, name in enumerate(self.head.names)
        )

    @property
    def layers(self) -> tuple[Layer, ...]:
        if not self.head.multi:
            return super().layers
        pairs = zip(self.classes, self.colors, strict=True)
        return tuple(
            Layer(f"{self.place}.{i}", f"{self.name}: {name}", c) for i, (name, c) in enumerate(pairs)
        )

    @property
    def legend(self) -> tuple[tuple[str, RGB], ...]:
        return () if self.head.binary else tuple(zip(self.classes, self.colors, strict=True))

    def words(self, label: Label) -> str:
        shares = self._shares(label)
        held = [f"{self.classes[i]} {shares[i]:.0%}" for i in np.argsort(-shares, kind="stable") if shares[i]]
        text = ", ".join(held[:4]) + (f", … ({len(held)} classes)" if len(held) > 4 else "")
        unknown = 1 - float(np.mean(label.counts))
        return (text or "empty") + (f" ({unknown:.0%} of pixels not labeled)" if unknown else "")

    def _there(self, label: Label) -> np.ndarray:
        """The pixels that count in at least one channel, bool ``(H, W)``."""
        counts = label.counts.any(-1) if self.head.elementwise else label.counts
        return np.broadcast_to(counts, self.head.size)

    def _shares(self, label: Label) -> np.ndarray:
        """The share of each class among the pixels that count."""
        there = self._there(label)
        kept = label.value[there]
        if self.head.binary:
            return kept.mean(axis=0)
        return np.bincount(kept, minlength=len(self.head.names)) / max(1, len(kept))

    def held(self, label: Label) -> Sequence[int]:
        return np.flatnonzero(self._shares(label)).tolist()

    def covers(self, label: Label, step: int) -> list[Cover]:
        there = every_nth(self._there(label), step)
        if self.head.binary:
            value = every_nth(label.value, step)
            return [
                self.cover(
                    layer, (value[..., i] >= 0.5).astype(np.int64), there, [CLEAR, (*layer.color, ALPHA)]
                )
                for i, layer in enumerate(self.layers)
                if value[..., i].any() or (i == 0 and not there.all())
            ]
        # ids beyond the size of a palette share colors
        ids = every_nth(label.value, step).astype(np.int64) % MOST_COLORS
        palette = [
            (*color, 30 if color == FAINT else ALPHA)
            for color in self.colors[: min(MOST_COLORS, len(self.colors))]
        ]
        return [self.cover(self.layers[0], ids, there, palette)]

    def add(self, labels: np.ndarray, counts: np.ndarray) -> None:
        there = np.broadcast_to(counts.any(-1) if self.head.elementwise else counts, labels.shape[:3])
        self._pixels += int(there.sum())
        if self.head.binary:
            self._counts += (labels[there] == 1).sum(axis=0)
        else:
            self._counts += self.head.count(labels, counts)

    def charts(self) -> list[Chart]:
        title = "share of the pixels that are labeled"
        return bars(title, self.classes, self._counts, self._pixels, self.colors)


class MapView(_PixelView):
    """Numbers for each pixel: the larger the number, the stronger the color."""

    def _there(self, label: Label) -> np.ndarray:
        """The numbers that count, bool ``(H, W, C)``."""
        counts = label.counts if label.counts.ndim == 3 else label.counts[..., None]
        return np.broadcast_to(counts, label.value.shape)

    def words(self, label: Label) -> str:
        there = self._there(label)
        kept, unknown = label.value[there], 1 - float(there.mean())
        text = f"{shortly(kept.min())} to {shortly(kept.max())}, mean {shortly(kept.mean())}"
        return text + (f" ({unknown:.0%} of pixels not labeled)" if unknown else "")

    def covers(self, label: Label, step: int) -> list[Cover]:
        value: np.ndarray = np.mean(every_nth(label.value, step), axis=-1)
        there: np.ndarray = np.all(every_nth(self._there(label), step), axis=-1)
        if not there.any():
            return []
        low, high = float(value[there].min()), float(value[there].max())
        shares = np.where(there, value - low, 0) / ((high - low) or 1.0)
        palette = [(*self.color, round(200 * i / (SHADES - 1))) for i in range(SHADES)]
        places = np.rint(shares * (SHADES - 1)).astype(np.int64)
        return [self.cover(self.layers[0], places, there, palette)]


class _CoordinateView(_DrawnView):
    """A head of coordinates, each of which may be missing."""

    def __init__(self, name: str, head: Head, place: int, color: RGB) -> None:
        super().__init__(name, head, place, color)
        self._there = np.zeros(head.places, np.int64)
        self._rows = 0
        self._each: list[np.ndarray] = []

    def _scale(self, size: tuple[int, int]) -> np.ndarray:
        """The divisors of x and y."""
        return np.array([size[1], size[0]], np.float64) if self.head.labels_in_pixels else np.ones(2)

    def add(self, labels: np.ndarray, counts: np.ndarray) -> None:
        self._there += counts.sum(axis=0)
        each = counts.sum(axis=1)
        self._rows += int((each > 0).sum())
        self._each.append(each[each > 0])


class BoxView(_CoordinateView):
    """Boxes."""

    def words(self, label: Label) -> str:
        boxes = label.value[label.counts]
        if self.head.places > 1:
            return f"{len(boxes)} box{'es' * (len(boxes) > 1)}"
        return "(" + ", ".join(f"{v:.3g}" for v in boxes[0]) + ")"

    def marks(self, label: Label, size: tuple[int, int], texts: Sequence[str], most: int) -> list[Mark]:
        if not is_shown(label):
            return []
        scale = np.tile(self._scale(size), 2)
        found = (label.value.astype(np.float64) / scale).tolist()
        one = self.head.places == 1
        marks: list[Mark] = []
        for i in np.flatnonzero(label.counts).tolist():
            left, top, right, bottom = found[i]
            words = (texts[i] if i < len(texts) else "") or (self.name if one else f"{i + 1}")
            marks.append(Box(self.layers[0], left, top, right, bottom, words))
        return marks

    def charts(self) -> list[Chart]:
        if self.head.places == 1 or not self._each:
            return []
        return histogram("boxes in a row", np.concatenate(self._each))


class PointView(_CoordinateView):
    """Keypoints."""

    def words(self, label: Label) -> str:
        return f"{int(label.counts.sum())} of {self.head.places} points"

    def marks(self, label: Label, size: tuple[int, int], texts: Sequence[str], most: int) -> list[Mark]:
        if not is_shown(label):
            return []
        found = (label.value.astype(np.float64) / self._scale(size)).tolist()
        return [Point(self.layers[0], found[i][0], found[i][1], f"{i}") for i in np.flatnonzero(label.counts)]

    def charts(self) -> list[Chart]:
        names = [f"point {i}" for i in range(self.head.places)]
        return bars("labeled, of the rows with any", names, self._there, self._rows)


def views(heads: dict[str, Head]) -> dict[str, View]:
    """The view of each head; those that are drawn get colors in order."""
    found: dict[str, View] = {}
    drawn = 0
    for place, (name, head) in enumerate(heads.items()):
        one = head.inner
        kind = VIEWS[one.layer or one.view]
        view = kind(name, one, place, head_color(drawn))
        found[name] = view if one is head else EachView(view, head)
        drawn += kind.has_color(one)
    return found


VIEWS |= {"mask": MaskView, "map": MapView, "boxes": BoxView, "points": PointView}
