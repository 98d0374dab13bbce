"""The head for keypoints."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np

from polyhead.errors import ContractError, Problem, as_list, counted, is_integer, shown
from polyhead.kinds.coordinates import Coordinates
from polyhead.kinds.head import Head
from polyhead.kinds.judging_points import KeypointsJudge
from polyhead.kinds.missing import as_float32, both_present
from polyhead.kinds.mixed_labels import unmixable
from polyhead.kinds.predicted_columns import Move, PredictedColumn, Views
from polyhead.kinds.source_column import Column

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+")
"""The words of a name such as ``left_eye`` or ``LShoulder``, and what is between them."""


def left_and_right(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The pairs of points whose names differ only in left and right, or in the letters l and r as words.

    >>> left_and_right(["nose", "left_eye", "right_eye", "Left ear"])
    ((1, 2),)
    >>> left_and_right(["LHip", "RHip", "l elbow", "r elbow", "pelvis", "head"])
    ((0, 1), (2, 3))
    >>> left_and_right(list("abcdefghijklmnopqrstuvwxyz"))
    ()
    """
    places = {name.lower(): i for i, name in enumerate(names)}
    if len(places) < len(names):  # equal names are ambiguous
        return ()
    words = {name.lower(): _WORDS.findall(name) for name in names}
    alike = Counter(_with_letters_as(".", split_name) for split_name in words.values())
    pairs = []
    for name, split_name in words.items():
        lettered = alike[_with_letters_as(".", split_name)] > _SIDES  # numbered by letters, as a to z
        right = (name if lettered else _with_letters_as("r", split_name, "l")).replace("left", "right")
        if right != name and right in places:
            pairs.append((places[name], places[right]))
    return tuple(pairs)


_SIDES = 4
"""The most names that differ in a letter which says the side, such as l, r and c for the center."""


def _with_letters_as(new: str, words: Sequence[str], letters: str = string.ascii_lowercase) -> str:
    """Join the words of a name in lower case, with another letter in place of words of one letter."""
    lower = [word.lower() for word in words]
    return "".join(new if len(word) == 1 and word in letters else word for word in lower)


@dataclass(frozen=True, repr=False)
class Keypoints(Coordinates):
    """``points`` keypoints per row, as ``(x, y)`` in float32 ``(B, points, 2)``, each with a weight.

    The column is ``(N, points, 2)``, or ``(N, points, 3)`` with the visibility last, 0 for points that are not
    labeled, as in COCO; missing points are NaN or None.

    Attributes:
        points: the number of points.
        normalized: the model predicts coordinates in 0–1 of the image's size rather than in pixels.
        column_normalized: the column has coordinates in 0–1 of the image's size; by default as ``normalized``.
        pairs: pairs of left and right points, as ``[(1, 2), (3, 4)]``: they are swapped when the image is flipped
            left-right. By default, those of ``flip_idx`` in the data YAML of YOLO, or points whose names differ only in
            left and right, such as ``left_eye`` and ``right_eye``, or ``LHip`` and ``RHip``.
        point_names: the name of each point, for previews; by default the names in the annotation file: in a COCO file,
            or as ``kpt_names`` in the data YAML of YOLO.
        skeleton: the pairs of points that previews connect by lines, as ``[(0, 1), (1, 2)]``; by default those in the
            annotation file, if it is a COCO file.

    >>> Keypoints(2).encode(np.array([[[1, 2, 2], [0, 0, 0]]]))[1].tolist()
    [[True, False]]
    """

    points: int = 1
    _: KW_ONLY
    pairs: Any = ()
    point_names: Any = ()
    skeleton: Any = ()

    layer = "points"
    _widths = (2, 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs = self._pairs_of_points("pairs")
        flat = [p for pair in pairs for p in pair]
        if len(set(flat)) != len(flat):
            expected = f"pairs of distinct points in [0, {self.points - 1}]"
            raise ContractError(Problem("Keypoints(pairs=)", expected, shown(self.pairs)))
        object.__setattr__(self, "pairs", pairs)
        object.__setattr__(self, "skeleton", self._pairs_of_points("skeleton"))
        names = as_list(self.point_names)
        if names is None or len(names) not in (0, self.points) or not all(isinstance(n, str) for n in names):
            expected = f"a list of {counted(self.points, 'name')}"
            raise ContractError(Problem("Keypoints(point_names=)", expected, shown(self.point_names)))
        object.__setattr__(self, "point_names", tuple(names))

    def _pairs_of_points(self, argument: str) -> tuple[tuple[int, int], ...]:
        listed = as_list(getattr(self, argument))
        rows = [as_list(pair) or [] for pair in listed or []]
        integers = listed is not None and all(len(row) == 2 and all(map(is_integer, row)) for row in rows)
        pairs = tuple((int(a), int(b)) for a, b in rows) if integers else ((-1, -1),)
        if any(a == b or not 0 <= min(a, b) <= max(a, b) < self.points for a, b in pairs):
            expected = f"pairs of distinct points in [0, {self.points - 1}]"
            raise ContractError(Problem(f"Keypoints({argument}=)", expected, shown(getattr(self, argument))))
        return pairs

    @property
    def places(self) -> int:
        return self.points

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.points, 2)

    def with_facts(self, column: Column) -> Self:
        if self.point_names and self.skeleton and self.pairs:
            return self
        about, changes = column.about(), dict[str, Any]()
        if not self.point_names and len(about.points or ()) == self.points:
            changes["point_names"] = about.points
        for argument, pairs in (("skeleton", about.skeleton or ()), ("pairs", about.pairs or ())):
            if not getattr(self, argument) and all(max(pair) < self.points for pair in pairs):
                changes[argument] = pairs
        if not (self.pairs or changes.get("pairs")):
            changes["pairs"] = left_and_right(changes.get("point_names", self.point_names))
        return self.fixed(**changes)

    def to_pixels(self, value: Any, size: tuple[int, int]) -> np.ndarray:
        row = self._present_entries(value, f"keypoints of shape {self.shape}")
        if len(row) != self.points:
            raise self._other_count(0, len(row))
        points = row[:, :2].copy()
        if row.shape[1] == 3:
            points[~(row[:, 2] > 0)] = np.nan
        return self._in_image(points, size, "keypoints")

    def from_pixels(self, label: np.ndarray, visible: np.ndarray | None, size: tuple[int, int]) -> Any:
        points = label if visible is None else np.where(visible[:, None], label, np.nan)
        return points / np.array(size[::-1]) if self.normalized else points

    def for_image(self, size: tuple[int, int], uncovered: bool = False) -> Self:
        return self.fixed(missing=None, column_normalized=None)

    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        array, present = self._entries(values, f"keypoints of shape {self.shape}")
        if array.shape[2] == 3:
            present = both_present(present, array[..., 2] > 0)
            array = array[..., :2]
        if present is not None:
            array = np.where(present[..., None], array, array.dtype.type(0))
        if check:
            self._check(array, "keypoints")
        return as_float32(array, check), present

    def fillers(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        constant: np.ndarray = np.all(labels == 0, axis=2) | np.all(labels == -1, axis=2)
        return constant & valid

    def mixable(self, way: str) -> tuple[int, ...]:
        raise unmixable("one set of points a row, which has no room for another")

    def unmoved(self, outputs: np.ndarray, move: Move) -> np.ndarray:
        points = super().unmoved(outputs, move)
        if not move.mirrors:
            return points
        order = np.arange(self.points)
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return points[:, order]

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        if views is not None:
            rows = zip(views, self._in_pixels(outputs, views), strict=True)
            outputs = np.stack([view.points(points) for view, points in rows])
        return {"": PredictedColumn(outputs)}

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> KeypointsJudge:
        return KeypointsJudge(name, self.points, size, self.normalized, self.given)

    def default_metrics(self, logits: bool) -> list[Any]:
        import keras

        return [keras.metrics.MeanAbsoluteError(name="mae")]
