"""Views of heads that are drawn on the image: masks, maps, boxes and keypoints; and the view of each kind of head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.errors import counted
from polyhead.kinds import Head
from polyhead.kinds.judging_boxes import one_to_one, overlaps
from polyhead.kinds.missing import spread_over
from polyhead.report.marks import (
    Absent,
    Area,
    Bones,
    Box,
    Canvas,
    Cover,
    Mark,
    Point,
    Style,
    every_nth,
    reduction,
    stripes,
)
from polyhead.report.palette import FAINT, RGB, class_color, is_background, shades
from polyhead.report.samples import MISSING, Label
from polyhead.report.views import (
    MOST_NUMBERS,
    BinaryView,
    CategoricalView,
    Chart,
    EmbeddingView,
    Heat,
    Histogram,
    MultiLabelView,
    Same,
    Scores,
    View,
    bars,
    histogram,
    name_of,
    shortly,
)

SHADES = 64


class DrawnView(View):
    """A head that is drawn on the image."""

    @staticmethod
    def has_color(head: Any) -> bool:
        return True

    def number(self, label: Label) -> float | None:
        return None

    def series(self, label: Label) -> np.ndarray | None:
        return None

    def missing(self, label: Label, canvas: Canvas) -> list[Mark]:
        """The mark of a missing label."""
        if label.state != MISSING or canvas.predicted or canvas.of_object is not None:
            return []
        return [Absent(canvas.style(self), f"{self.name}: {label.why}", self.of_pixels)]

    of_pixels = False
    """True if the head has a label for each pixel."""


class _PixelView(DrawnView):
    """A head with labels of pixels, drawn over the whole image."""

    of_pixels = True

    def marks(self, label: Label, canvas: Canvas) -> list[Mark]:
        if not label.is_shown:
            return self.missing(label, canvas)
        height, width = label.value.shape[:2]  # which differ from the head's on an original image
        return self.covers(label, canvas, reduction(height, width, canvas.longest))

    def covers(self, label: Label, canvas: Canvas, step: int) -> list[Mark]:
        """The covers of a label, from every ``step``-th pixel."""
        raise NotImplementedError

    def unlabeled(self, labeled: np.ndarray, canvas: Canvas) -> list[Mark]:
        """Stripes where there is no label; none for objects, which have labels on few pixels."""
        return (
            [] if labeled.all() or canvas.of_object is not None else [stripes(~labeled, canvas.style(self))]
        )


class MaskView(_PixelView):
    """A class for each pixel, or several binary masks."""

    def __init__(self, name: str, head: Head, index: int, color: RGB) -> None:
        super().__init__(name, head, index, color)
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
            FAINT if not self.head.multi and is_background(i, name) else color
            for i, (name, color) in enumerate(zip(self.head.names, super().colors, strict=True))
        )

    @property
    def legend(self) -> bool:
        return len(self.classes) > 1

    def words(self, label: Label) -> str:
        shares = self._shares(label)
        parts = [
            f"{self.classes[i]} {shares[i]:.0%}" for i in np.argsort(-shares, kind="stable") if shares[i]
        ]
        text = ", ".join(parts[:4]) + (f", … ({len(parts)} classes)" if len(parts) > 4 else "")
        unknown = 1 - float(np.mean(label.valid))
        return (text or "empty") + (f" ({unknown:.0%} of pixels not labeled)" if unknown else "")

    def _labeled(self, label: Label) -> np.ndarray:
        """The pixels that count in at least one channel, bool ``(H, W)``."""
        valid = label.valid.any(-1) if self.head.elementwise else label.valid
        return np.broadcast_to(valid, label.value.shape[:2])

    def _shares(self, label: Label) -> np.ndarray:
        """The share of each class among the pixels that count."""
        values = label.value[self._labeled(label)]
        if self.head.binary:
            return values.mean(axis=0)
        return np.bincount(values, minlength=len(self.head.names)) / max(1, len(values))

    def class_ids(self, label: Label) -> Sequence[int]:
        return np.flatnonzero(self._shares(label)).tolist()

    def covers(self, label: Label, canvas: Canvas, step: int) -> list[Mark]:
        labeled = every_nth(self._labeled(label), step)
        value = every_nth(label.value, step)
        marks: list[Mark] = []
        for i in self.class_ids(label):
            if self.colors[i] == FAINT:
                continue
            mask = (value[..., i] >= 0.5 if self.head.binary else value == i) & labeled
            color, part = (self.colors[i], f"{self.index}.{i}") if self.legend else (None, "")
            marks += [Area(canvas.style(self, color, part), mask)] if mask.any() else []
        return marks + self.unlabeled(labeled, canvas)

    in_units = False

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        labeled = self._labeled(label) & self._labeled(guess)
        if not labeled.any():
            return None
        return float(
            np.mean((label.value >= 0.5) != (guess.value >= 0.5), where=labeled[..., None])
            if self.head.binary
            else np.mean(label.value != guess.value, where=labeled)
        )

    def add(self, labels: np.ndarray, valid: np.ndarray) -> None:
        labeled = np.broadcast_to(valid.any(-1) if self.head.elementwise else valid, labels.shape[:3])
        self._pixels += int(labeled.sum())
        if self.head.binary:
            self._counts += (labels[labeled] == 1).sum(axis=0)
        else:
            self._counts += self.head.count(labels, valid)

    def charts(self) -> list[Chart]:
        title = "share of the pixels that are labeled"
        return bars(title, self.classes, self._counts, self._pixels, self.colors)


class MapView(_PixelView):
    """Numbers for each pixel, in the color map viridis with one range for all samples."""

    _range: tuple[float, float] | None = None

    @staticmethod
    def has_color(head: Any) -> bool:
        return False

    def fit_range(self, labels: Sequence[Label]) -> None:
        means = [self._mean(label) for label in labels if label.is_shown]
        ends = np.array([np.quantile(mean, (0.01, 0.99)) for mean in means if mean.size])
        if len(ends):
            self._range = float(ends[:, 0].min()), float(ends[:, 1].max())

    @property
    def range(self) -> tuple[float, float] | None:
        return self._range

    def _mean(self, label: Label) -> np.ndarray:
        """The means over the channels of the pixels that count."""
        means: np.ndarray = label.value.mean(axis=-1)[self._labeled(label).all(axis=-1)]
        return means

    def _labeled(self, label: Label) -> np.ndarray:
        """The numbers that count, bool ``(H, W, C)``."""
        return spread_over(label.valid, label.value)

    def words(self, label: Label) -> str:
        labeled = self._labeled(label)
        values, unknown = label.value[labeled], 1 - float(labeled.mean())
        text = f"{shortly(values.min())} to {shortly(values.max())}, mean {shortly(values.mean())}"
        return text + (f" ({unknown:.0%} of pixels not labeled)" if unknown else "")

    def covers(self, label: Label, canvas: Canvas, step: int) -> list[Mark]:
        value: np.ndarray = np.mean(every_nth(label.value, step), axis=-1)
        labeled: np.ndarray = np.all(every_nth(self._labeled(label), step), axis=-1)
        if not labeled.any():
            return self.unlabeled(labeled, canvas)
        if self._range is None:
            self.fit_range([label])
        low, high = self._range or (0.0, 1.0)
        shares = np.clip(np.where(labeled, value - low, 0) / ((high - low) or 1.0), 0, 1)
        palette = [(*color, 255) for color in shades(SHADES)]
        levels = np.where(labeled, 1 + np.rint(shares * (SHADES - 1)), 0).astype(np.uint8)
        drawn = Cover(canvas.style(self), levels, ((0, 0, 0, 0), *palette), opaque=True)
        return [drawn, *self.unlabeled(labeled, canvas)]

    def unlabeled(self, labeled: np.ndarray, canvas: Canvas) -> list[Mark]:
        return [] if labeled.all() else [replace(stripes(~labeled, canvas.style(self)), opaque=True)]


CELLS = 24
"""Rows and columns of the map of where boxes are."""


class _CoordinateView(DrawnView):
    """A head with coordinates, each of which may be missing."""

    def __init__(self, name: str, head: Head, index: int, color: RGB) -> None:
        super().__init__(name, head, index, color)
        self._labeled = np.zeros(head.places, np.int64)
        self._rows = 0
        self._counts: list[np.ndarray] = []

    def _scale(self, size: tuple[int, int]) -> np.ndarray:
        """The divisors of x and y."""
        return np.array([size[1], size[0]], np.float64) if self.head.labels_in_pixels else np.ones(2)

    def add(self, labels: np.ndarray, valid: np.ndarray) -> None:
        self._labeled += valid.sum(axis=0)
        counts = valid.sum(axis=1)
        self._rows += int((counts > 0).sum())
        self._counts.append(counts[counts > 0])


class BoxView(_CoordinateView):
    """Boxes."""

    def __init__(self, name: str, head: Head, index: int, color: RGB) -> None:
        super().__init__(name, head, index, color)
        self._boxes: list[np.ndarray] = []
        self._size = 0

    def words(self, label: Label) -> str:
        boxes = label.value[label.valid]
        if self.head.places > 1:
            return f"{len(boxes)} box{'es' * (len(boxes) != 1)}"
        return "(" + ", ".join(f"{v:.3g}" for v in boxes[0]) + ")" if len(boxes) else "no box"

    def marks(self, label: Label, canvas: Canvas) -> list[Mark]:
        if not label.is_shown:
            return self.missing(label, canvas)
        corners = (label.value.astype(np.float64) / np.tile(self._scale(canvas.size), 2)).tolist()
        single = self.head.places == 1
        marks: list[Mark] = []
        for i in np.flatnonzero(label.valid).tolist():
            drawn = canvas.objects[i] if i < len(canvas.objects) else None
            own_color = self.color if single else class_color(i)
            color, part, text = (drawn.color, drawn.part, drawn.text) if drawn else (None, "", "")
            style = Style(self.index, self.name, color or own_color, own_color, part, canvas.predicted)
            left, top, right, bottom = corners[i]
            marks.append(Box(style, left, top, right, bottom, text or (self.name if single else f"{i + 1}")))
        return marks

    def add(self, labels: np.ndarray, valid: np.ndarray) -> None:
        super().add(labels, valid)
        if self._size < MOST_NUMBERS:
            self._boxes.append(labels[valid].astype(np.float64))
            self._size += len(self._boxes[-1])

    in_units = False
    compares_nothing = True

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        """1 minus the mean IoU of boxes matched one to one, within a class if known; an unmatched box has IoU 0."""
        labeled, guessed = np.flatnonzero(label.valid), np.flatnonzero(guess.valid)
        if not len(labeled) or not len(guessed):
            return float(len(labeled) != len(guessed))
        true, predicted = label.value[labeled].astype(np.float64), guess.value[guessed].astype(np.float64)
        overlap = overlaps(true[:, None], predicted[None], np.array(False))
        if same is not None:
            overlap = np.where(same[np.ix_(labeled, guessed)], overlap, 0)
        total = sum(float(overlap[pair]) for pair in one_to_one(overlap))
        return 1 - total / max(len(labeled), len(guessed))

    def charts(self) -> list[Chart]:
        charts: list[Chart] = []
        if self.head.places > 1 and self._counts:
            charts += histogram("boxes in a row", np.concatenate(self._counts))
        if not self._size or (self.image_size is None and self.head.labels_in_pixels):
            return charts
        height, width = size = self.image_size or (1, 1)
        boxes = np.concatenate(self._boxes) / np.tile(self._scale(size), 2)
        sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-9)
        charts += histogram("size: the root of the share of the image", np.sqrt(sides.prod(axis=1)))
        aspects = np.log2(sides[:, 0] * width / (sides[:, 1] * height))
        charts.append(Histogram.of("width / height, on a log scale", aspects, log=True))
        return [*charts, Heat("where boxes are", _density(boxes))]


def _density(boxes: np.ndarray) -> np.ndarray:
    """The number of boxes that cover each cell of the image, float64 ``(CELLS, CELLS)``."""
    low = np.clip(np.floor(boxes[:, :2] * CELLS), 0, CELLS - 1).astype(int)
    high = np.clip(np.ceil(boxes[:, 2:] * CELLS), low + 1, CELLS).astype(int)
    differences = np.zeros((CELLS + 1, CELLS + 1))  # cumulative sums turn them into counts
    for rows, columns, sign in ((low, low, 1), (low, high, -1), (high, low, -1), (high, high, 1)):
        np.add.at(differences, (rows[:, 1], columns[:, 0]), sign)
    counted: np.ndarray = differences.cumsum(0).cumsum(1)[:CELLS, :CELLS]
    return counted


class PointView(_CoordinateView):
    """Keypoints."""

    @property
    def _names(self) -> list[str]:
        names = [str(name) for name in getattr(self.head, "point_names", ())]
        return names or [f"{i}" for i in range(self.head.places)]

    def words(self, label: Label) -> str:
        return f"{int(label.valid.sum())} of {counted(self.head.places, 'point')}"

    def marks(self, label: Label, canvas: Canvas) -> list[Mark]:
        if not label.is_shown:
            return self.missing(label, canvas)
        xy = (label.value.astype(np.float64) / self._scale(canvas.size)).tolist()
        style, labeled = canvas.style(self), set(np.flatnonzero(label.valid).tolist())
        bones = tuple(
            (*xy[a], *xy[b]) for a, b in getattr(self.head, "skeleton", ()) if a in labeled and b in labeled
        )
        marks: list[Mark] = [Bones(style, bones)] if bones else []
        return marks + [Point(style, xy[i][0], xy[i][1], self._names[i]) for i in sorted(labeled)]

    in_units = False

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        """The mean distance, as a fraction of the image's width and height."""
        both = label.valid & guess.valid
        away = (label.value - guess.value)[both] / self._scale(self.image_size or (1, 1))
        return float(np.linalg.norm(away, axis=1).mean()) if both.any() else None

    def charts(self) -> list[Chart]:
        names = [name if not name.isdigit() else f"point {name}" for name in self._names]
        return bars("labeled, of the rows with any", names, self._labeled, self._rows)


VIEWS: dict[str, type[View]] = {
    "numbers": View,
    "binary": BinaryView,
    "class": CategoricalView,
    "classes": MultiLabelView,
    "vector": EmbeddingView,
    "mask": MaskView,
    "map": MapView,
    "boxes": BoxView,
    "points": PointView,
}
"""The views by `Head.layer`, or by `Head.view` of heads that are not drawn."""
