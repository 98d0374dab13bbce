"""Views of heads with coordinates: boxes and keypoints."""

from __future__ import annotations

import numpy as np

from polyhead.errors import counted
from polyhead.kinds import Head
from polyhead.kinds.judging_boxes import one_to_one, overlaps
from polyhead.report.marks import Bones, Box, Canvas, Mark, Point, Style
from polyhead.report.palette import RGB, class_color
from polyhead.report.samples import Label
from polyhead.report.spatial import DrawnView
from polyhead.report.views import MOST_NUMBERS, VIEWS, Chart, Heat, Histogram, Same, Scores, bars, histogram

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


VIEWS |= {"boxes": BoxView, "points": PointView}
