"""Reads the masks, keypoints and additional values of objects in COCO's JSON, and the names of keypoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.columns.mask_values import Polygons, Rle
from polyhead.errors import DataError, as_list, counted, is_integer, place, shown
from polyhead.readers.annotations import note_keypoints, number_lists
from polyhead.readers.coco_json import CocoCategories
from polyhead.readers.findings import Findings

MOST_NAMES = 200
"""The maximum number of attributes with a column each; if there are more, they are probably not names."""

Where = Callable[[Mapping[str, Any]], str]


def mask_of(
    entry: Mapping[str, Any], size: tuple[int, int], where: Where, findings: Findings
) -> Polygons | Rle | None:
    """Read the mask of an annotation, or return None.

    Args:
        size: (height, width) of its image.
    """
    segmentation = entry.get("segmentation")
    if not segmentation and isinstance(segmentation, (list, dict, type(None))):
        return None
    if isinstance(segmentation, dict):
        return _rle(segmentation, entry, size, where, findings)
    expected = "polygons as lists of numbers x, y, x, y, … or run lengths with size and counts"
    if not isinstance(segmentation, list):
        findings.leave_out("mask", where(entry), expected, shown(segmentation))
        return None
    if not any(isinstance(flat, (list, dict)) for flat in segmentation):
        segmentation = [segmentation]  # one polygon without a list around it
    elif len(segmentation) > 2 and all(isinstance(flat, list) and len(flat) == 2 for flat in segmentation):
        segmentation = [segmentation]  # one polygon of pairs x, y
    rings = []
    for flat in segmentation:
        ring = _ring(flat)
        if ring is None:
            numbers = isinstance(flat, list) and not any(isinstance(n, (list, str)) for n in flat)
            found = counted(len(flat), "number") if numbers and len(flat) % 2 else shown(flat)
            findings.leave_out("mask", where(entry), expected, found)
            return None
        if not np.isfinite(ring).all():
            findings.leave_out("mask-number", where(entry), "polygons of finite numbers", shown(flat))
            return None
        if len(ring) >= 6:
            rings.append(ring.reshape(-1, 2))
        else:
            found, fix = f"{len(ring) // 2}", "The polygon is left out."
            findings.add("mask-short", where(entry), "at least three corners", found, fix, warning=True)
    return Polygons(size, tuple(rings)) if rings else None


def _ring(flat: Any) -> np.ndarray | None:
    """Convert a polygon to float64 ``(2 n,)``; None if it is invalid."""
    try:
        ring = np.array(flat)
    except (ValueError, OverflowError):
        return None
    if ring.ndim == 2 and ring.shape[1] == 2:  # pairs x, y
        ring = ring.reshape(-1)
    if ring.ndim != 1 or (len(ring) and ring.dtype.kind not in "iuf") or len(ring) % 2:
        return None
    return ring.astype(np.float64)


def _rle(
    rle: Mapping[str, Any], entry: Mapping[str, Any], size: tuple[int, int], where: Where, findings: Findings
) -> Rle | None:
    try:
        mask = Rle(_whole_numbers(rle.get("size", ())), _whole_numbers(rle.get("counts", ())))
    except DataError as error:
        (problem,) = error.problems
        findings.leave_out("mask", where(entry), f"run lengths, {problem.expected}", problem.found)
        return None
    if mask.size != tuple(size):
        expected = "run lengths of the size (height, width) of the image"
        findings.leave_out("mask-size", where(entry), expected, f"{mask.size} in an image of {tuple(size)}")
        return None
    return mask


def _whole_numbers(numbers: Any) -> Any:
    """Convert floats such as 480.0 in a list to integers."""
    if not isinstance(numbers, list):
        return numbers
    return [int(n) if isinstance(n, float) and n.is_integer() and abs(n) < 2**53 else n for n in numbers]


def keypoints_of(
    annotations: Sequence[Mapping[str, Any]],
    names: Sequence[Any],
    sizes: np.ndarray,
    where: Where,
    findings: Findings,
) -> np.ndarray:
    """Read the keypoints of annotations, float32 ``(k, n, 3)``.

    Args:
        names: for each wanted category, the names of its keypoints, or None.
        sizes: ``(k, 2)``, the sizes of their images.
    """
    counts = sorted({len(n) for n in names if isinstance(n, list) and n})
    if len(counts) != 1:
        found = f"categories with {' and '.join(map(str, counts))}" if counts else "categories without any"
        fix = "Choose with read_coco(categories=[...])." if counts else 'Say kind="instances".'
        findings.add("keypoint-count", "the categories", "one number of keypoints", found, fix)
    findings.stop()
    (count,) = counts

    def at(i: int) -> str:
        return where(annotations[i])

    keypoints = [entry.get("keypoints") for entry in annotations]
    bare = [not points for points in keypoints]  # the category has no keypoints, or they are not labeled
    listed = [points or [0] * (3 * count) for points in keypoints]
    expected = f"keypoints, {3 * count} numbers (x, y, visibility of each)"
    flat, unread = number_lists(listed, 3 * count, at, "keypoints", expected, findings)
    points = flat.reshape(-1, count, 3)
    with np.errstate(invalid="ignore"):
        not_finite = ~(np.abs(points) < np.finfo(np.float32).max).all(axis=(1, 2)) & ~unread
    for i in np.flatnonzero(not_finite).tolist():
        findings.leave_out("keypoint-number", at(i), "keypoints of finite numbers", shown(listed[i]))
    odd_visibility = ~not_finite & ~unread & ~np.isin(points[..., 2], (0, 1, 2)).all(axis=1)
    for i in np.flatnonzero(odd_visibility).tolist():
        found = shown(points[i, :, 2].tolist())
        findings.leave_out("visibility", at(i), "a visibility of 0, 1 or 2", found)
    points[not_finite | unread | odd_visibility] = 0  # treat its keypoints as not labeled
    note_keypoints(points, points[..., 2], sizes[:, None, ::-1], at, findings)
    if any(bare):
        findings.note(f"{counted(sum(bare), 'object')} without keypoints")
    return points.astype(np.float32)


def extras_of(
    annotations: Sequence[Mapping[str, Any]], scale: np.ndarray, where: Where, findings: Findings
) -> dict[str, Any]:
    """Make the columns for area, score and attributes, if any object has them.

    Args:
        scale: float64 ``(k,)``, the factor by which the area of their images changed after annotation.
        where: returns the location of an annotation, for the findings.
    """
    columns: dict[str, Any] = {}
    for name in ("area", "score"):
        values = [entry.get(name) for entry in annotations]
        if all(value is None for value in values):
            continue
        numbers = np.full(len(annotations), np.nan)
        for i, value in enumerate(values):
            if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e30:
                numbers[i] = value
            elif value is not None:
                expected, fix = f"{name}, a number", "It is set to missing."
                findings.add("extra", where(annotations[i]), expected, shown(value), fix, warning=True)
        columns[name] = (numbers * scale if name == "area" else numbers).astype(np.float32)
    values = [entry.get("attributes") for entry in annotations]
    if any(value is not None for value in values):
        columns["attributes"] = values
    named = [value if isinstance(value, dict) else {} for value in values]
    keys = dict.fromkeys(key for value in named for key in value)
    if len(keys) > MOST_NAMES:
        findings.note(f"{len(keys):,} names of attributes, too many for separate columns; see `attributes`")
        return columns
    return columns | {f"attributes.{key}": [value.get(key) for value in named] for key in keys}


def named_points(
    categories: CocoCategories, keep: np.ndarray, path: Path, findings: Findings
) -> tuple[tuple[str, ...] | None, tuple[tuple[int, int], ...] | None]:
    """Read the names of the keypoints and the pairs in the skeleton, counted from 0; None if the file has none.

    COCO counts points from 1 in ``skeleton``. An invalid skeleton is left out and recorded. Names or skeletons that
    differ between the wanted categories are left out, as a head has one of each.

    Args:
        keep: bool for each category, whether it is wanted.
        findings: records what is left out.
    """
    names: list[tuple[str, ...]] = []
    lines: list[tuple[tuple[int, int], ...]] = []
    for i in np.flatnonzero(keep).tolist():
        point_names = as_list(categories.entries[i].get("keypoints")) or []
        if not point_names:
            continue
        if all(isinstance(name, str) for name in point_names):
            names.append(tuple(point_names))
        skeleton = categories.entries[i].get("skeleton")
        if skeleton:
            pairs = _joined(skeleton, len(point_names))
            if pairs is None:
                where = f"{place(file=str(path))}, category {categories.names[i]!r}, skeleton"
                expected = f"pairs of distinct points, counted from 1 to {len(point_names)}"
                fix = "It is left out; give skeleton= to the head, counted from 0."
                findings.add("skeleton", where, expected, shown(skeleton), fix, warning=True)
            else:
                lines.append(pairs)
    if len(set(names)) > 1:
        findings.note("keypoints without names: the categories name them differently")
    one_name, one_form = len(set(names)) == 1, len(set(lines)) == 1
    return (names[0] if one_name else None), (lines[0] if one_form and len(set(names)) < 2 else None)


def _joined(skeleton: Any, count: int) -> tuple[tuple[int, int], ...] | None:
    """Return the pairs of a skeleton, counted from 0; None if any is invalid."""
    pairs = [as_list(pair) or [] for pair in as_list(skeleton) or [None]]
    whole = all(len(pair) == 2 and all(map(is_integer, pair)) for pair in pairs)
    if not whole or any(a == b or not 1 <= min(a, b) <= max(a, b) <= count for a, b in pairs):
        return None
    return tuple((int(a) - 1, int(b) - 1) for a, b in pairs)
