"""Views of heads: labels in words, as marks on a picture, and in charts.

A view contains everything that pages and contact sheets know about one kind of head. A head names its view
(`Head.view`, or `Head.layer` if it is drawn on the image).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyhead.kinds import Head
from polyhead.kinds.missing import spread_over
from polyhead.report.marks import Canvas, Mark
from polyhead.report.palette import RGB, class_color
from polyhead.report.samples import Label, Sample

MOST_NUMBERS = 1_000_000

Scores = Mapping[int, float]
"""The confidences of a prediction, 0 to 1, by index."""

Same = np.ndarray | None
"""True for boxes of label and prediction with the same class, bool ``(places, places)``; None if it is not known."""


@dataclass(frozen=True)
class Bars:
    """A bar chart of how often each class occurs.

    Attributes:
        total: the count that shares are relative to.
    """

    title: str
    names: tuple[str, ...]
    counts: tuple[float, ...]
    total: float
    colors: tuple[RGB, ...] = ()


@dataclass(frozen=True)
class Histogram:
    """A histogram with one more edge than counts. With ``log``, edges are base-2 logarithms."""

    title: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    log: bool = False

    @classmethod
    def of(cls, title: str, numbers: np.ndarray, bins: int = 24, log: bool = False) -> Histogram:
        """Count numbers in bins of equal width; with ``log``, they are logarithms already."""
        counts, edges = np.histogram(numbers, bins)
        return cls(title, tuple(edges.tolist()), tuple(counts.tolist()), log)


@dataclass(frozen=True)
class Heat:
    """A map of counts over the image, ``(rows, columns)``."""

    title: str
    counts: np.ndarray


Chart = Bars | Histogram | Heat


def shortly(value: float) -> str:
    """Format a number with four significant digits.

    >>> shortly(0.123456), shortly(3.0)
    ('0.1235', '3')
    """
    return f"{float(value):.4g}"


def name_of(value: Any, limit: int = 60) -> str:
    """The name of a class, shortened to ``limit`` characters."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def in_part(name: str, share: float) -> str:
    """A class name, with its share if rows are mixed.

    >>> in_part("cat", 1.0), in_part("cat", 0.25)
    ('cat', 'cat (25%)')
    """
    return name if share == 1 else f"{name} ({share:.0%})"


class View:
    """A head of numbers.

    Attributes:
        image_size: (height, width) of the image that the head is drawn on.
        palette: the color index of each class, by its name.
    """

    image_size: tuple[int, int] | None = None
    palette: Mapping[str, int] = {}

    def __init__(self, name: str, head: Any, index: int, color: RGB) -> None:
        self.name, self.head, self.index, self.color = name, head, index, color
        self._numbers: list[np.ndarray] = []
        self._size = 0

    # One row ---------------------------------------------------------------------------------------

    def words(self, label: Label) -> str:
        """The label in a few words."""
        value, valid = label.value.reshape(-1), spread_over(label.valid, label.value).reshape(-1)
        shown = [shortly(v) if c else "–" for v, c in zip(value[:6], valid[:6], strict=True)]
        return ", ".join(shown) + (f", … ({value.size} numbers)" if value.size > 6 else "")

    def series(self, label: Label) -> np.ndarray | None:
        """The numbers to draw as a line beside the words, or None."""
        return label.value.reshape(-1) if 6 < label.value.size <= 4096 else None

    def class_ids(self, label: Label) -> Sequence[int]:
        """The ids of the classes in a label."""
        return ()

    def class_ids_in(self, sample: Sample) -> Sequence[int]:
        """The ids of the classes in a sample's label; empty if it does not count."""
        label = sample.labels[self.name]
        return self.class_ids(label) if label.is_shown else ()

    def number(self, label: Label) -> float | None:
        """The label as a number for range filters, or None."""
        return float(label.value.flat[0]) if label.value.size == 1 else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return ()

    in_units = True
    """True if `difference` is in the unit of the labels, False if it is between 0 and 1."""

    compares_nothing = False
    """True if a prediction of nothing can differ from a label, as one without a box does."""

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        """The distance of a prediction from a label; None if they cannot be compared."""
        both = spread_over(label.valid & guess.valid, label.value)
        return float(np.abs(label.value - guess.value)[both].mean()) if both.any() else None

    # On a picture ----------------------------------------------------------------------------------

    @staticmethod
    def has_color(head: Any) -> bool:
        """Return whether a head is drawn in a single color of its own."""
        return False

    @property
    def legend(self) -> bool:
        """True if its marks have the colors of its classes."""
        return False

    @property
    def colors(self) -> tuple[RGB, ...]:
        """The color of each class; classes with the same name have the same color in all heads."""
        return tuple(class_color(self.palette.get(name, i)) for i, name in enumerate(self.classes))

    @property
    def range(self) -> tuple[float, float] | None:
        """The numbers at both ends of the color scale, if it has one."""
        return None

    def fit_range(self, labels: Sequence[Label]) -> None:
        """Fit the color range to the labels to be drawn."""

    def marks(self, label: Label, canvas: Canvas) -> list[Mark]:
        """The marks of a label on a picture."""
        return []

    # All rows --------------------------------------------------------------------------------------

    def add(self, labels: np.ndarray, valid: np.ndarray) -> None:
        """Add rows to the chart; ``valid`` is bool ``(B, *weight_shape)``."""
        if self._size < MOST_NUMBERS:
            numbers = labels[spread_over(valid, labels)].astype(np.float32)
            self._numbers.append(numbers[: MOST_NUMBERS - self._size])
            self._size += numbers.size

    def charts(self) -> list[Chart]:
        """The charts of all rows added."""
        return histogram("values", np.concatenate(self._numbers)) if self._numbers else []


def histogram(title: str, numbers: np.ndarray) -> list[Chart]:
    """A histogram of numbers, or bars for at most 12 distinct integers."""
    if not numbers.size:
        return []
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) <= 12 and np.array_equal(values, np.rint(values)):
        names = tuple(shortly(v) for v in values)
        return [Bars(title, names, tuple(counts.tolist()), int(counts.sum()))]
    return [Histogram.of(title, numbers.astype(np.float64))]


def bars(
    title: str, names: Sequence[str], counts: np.ndarray, total: float, colors: Sequence[RGB] = ()
) -> list[Chart]:
    """A chart of classes; empty if nothing is labeled."""
    return [Bars(title, tuple(names), tuple(counts.tolist()), float(total), tuple(colors))] if total else []


class _Counted(View):
    """A head with classes, with a chart of their frequencies."""

    in_units = False

    def __init__(self, name: str, head: Head, index: int, color: RGB) -> None:
        super().__init__(name, head, index, color)
        self._counts = np.zeros(len(self.classes), np.int64)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(name_of(name) for name in self.head.names)

    def number(self, label: Label) -> float | None:
        return None

    def add(self, labels: np.ndarray, valid: np.ndarray) -> None:
        self._counts += self.head.count(labels, valid)

    def charts(self) -> list[Chart]:
        return bars("classes", self.classes, self._counts, self._counts.sum())


class BinaryView(_Counted):
    """Yes or no."""

    @property
    def classes(self) -> tuple[str, ...]:
        if self.head.positive is None:
            return "0", "1"
        return f"0 (not {name_of(self.head.positive)})", f"1 ({name_of(self.head.positive)})"

    def words(self, label: Label) -> str:
        value = float(label.value.flat[0])
        return self.classes[int(value)] if value in (0, 1) else in_part(self.classes[1], value)

    def class_ids(self, label: Label) -> Sequence[int]:
        value = float(label.value.flat[0])
        return (int(value),) if value in (0, 1) else (0, 1)

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        return abs(float(label.value.flat[0]) - scores.get(0, float(guess.value.flat[0])))


class CategoricalView(_Counted):
    """One of several classes."""

    def words(self, label: Label) -> str:
        return ", ".join(self._part(label, i) for i in self.class_ids(label))

    def _part(self, label: Label, i: int) -> str:
        return in_part(name_of(self.head.names[i]), float(label.value[i]) if self.head.shape else 1.0)

    def class_ids(self, label: Label) -> Sequence[int]:
        if not self.head.shape:
            return (int(label.value),)
        order = np.argsort(-label.value, kind="stable").tolist()  # several if rows are mixed
        return [i for i in order if label.value[i] > 0]

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        right = self.class_ids(label)[:1] == self.class_ids(guess)[:1]
        return 1 - scores.get(0, 1.0) if right else scores.get(0, 1.0)


class MultiLabelView(_Counted):
    """Any of several classes."""

    _rows = 0

    def words(self, label: Label) -> str:
        names = [in_part(name_of(self.head.names[i]), float(label.value[i])) for i in self.class_ids(label)]
        unknown = int((~label.valid).sum()) if label.valid.shape else 0
        text = ", ".join(names[:8] or ["none"]) + (f", … ({len(names)})" if len(names) > 8 else "")
        return f"{text} ({unknown} not labeled)" if unknown else text

    def class_ids(self, label: Label) -> Sequence[int]:
        counted = np.broadcast_to(label.valid, label.value.shape)
        return np.flatnonzero((label.value > 0) & counted).tolist()

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        labeled, guessed = set(self.class_ids(label)), set(self.class_ids(guess))
        return len(labeled ^ guessed) / max(1, len(labeled | guessed))

    def add(self, labels: np.ndarray, valid: np.ndarray) -> None:
        counted = valid if valid.ndim == 2 else valid[:, None]
        self._counts += ((labels == 1) & counted).sum(axis=0)
        self._rows += int(counted.any(axis=1).sum())

    def charts(self) -> list[Chart]:
        return bars("classes, in the share of rows that hold them", self.classes, self._counts, self._rows)


class EmbeddingView(View):
    """A vector, described by its size and length."""

    def words(self, label: Label) -> str:
        length = float(np.linalg.norm(label.value.astype(np.float64)))
        return f"{label.value.size} numbers, length {shortly(length)}"

    def series(self, label: Label) -> np.ndarray | None:
        return label.value.reshape(-1) if label.value.size <= 4096 else None

    in_units = False

    def difference(self, label: Label, guess: Label, scores: Scores, same: Same) -> float | None:
        true, guessed = (x.value.reshape(-1).astype(np.float64) for x in (label, guess))
        lengths = float(np.linalg.norm(true)) * float(np.linalg.norm(guessed))
        return 1 - float(true @ guessed) / max(lengths, 1e-12)
