"""Views of heads with a label for each pixel: masks and maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.kinds import Head
from polyhead.kinds.missing import spread_over
from polyhead.report.marks import Absent, Area, Canvas, Cover, Mark, every_nth, reduction, stripes
from polyhead.report.palette import FAINT, RGB, is_background, shades
from polyhead.report.samples import MISSING, Label
from polyhead.report.views import VIEWS, Chart, Same, Scores, View, bars, name_of, shortly

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


VIEWS |= {"mask": MaskView, "map": MapView}
