"""What COCO's JSON says of single objects: their masks and keypoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from polyhead.errors import DataError, shown
from polyhead.sources._annotations import Findings, numbers
from polyhead.sources._masks import Polygons, Rle

Where = Callable[[Mapping[str, Any]], str]


def mask_of(
    entry: Mapping[str, Any], size: tuple[int, int], where: Where, findings: Findings
) -> Polygons | Rle | None:
    """The mask of an annotation, or None where it has none.

    Args:
        entry: the annotation.
        size: of its image.
        where: its place, for the findings.
        findings: where what is no mask is noted.
    """
    given = entry.get("segmentation")
    if given is None or given == []:
        return None
    if isinstance(given, dict):
        return _rle(given, entry, size, where, findings)
    expected = "polygons as lists of numbers x, y, x, y, … or run lengths with size and counts"
    if not isinstance(given, list):
        findings.add("mask", where(entry), expected, shown(given))
        return None
    rings = []
    for flat in given:
        try:
            ring = np.array(flat)
        except ValueError:
            ring = np.array(None)
        if ring.ndim != 1 or (len(ring) and ring.dtype.kind not in "iuf") or len(ring) % 2:
            odd = ring.ndim == 1 and len(ring) % 2 and ring.dtype.kind in "iuf"
            findings.add("mask", where(entry), expected, f"{len(ring)} numbers" if odd else shown(flat))
        elif not np.isfinite(ring.astype(np.float64)).all():
            findings.add("mask-number", where(entry), "polygons of finite numbers", shown(flat))
        elif len(ring) < 6:
            fix = "The polygon is left out."
            found = f"{len(ring) // 2}"
            findings.add("mask-short", where(entry), "at least three corners", found, fix, warning=True)
        else:
            rings.append(ring.reshape(-1, 2))
    return Polygons(size, tuple(rings)) if rings else None


def _rle(
    given: Mapping[str, Any],
    entry: Mapping[str, Any],
    size: tuple[int, int],
    where: Where,
    findings: Findings,
) -> Rle | None:
    try:
        mask = Rle(given.get("size", ()), given.get("counts", ()))
    except DataError as error:
        (problem,) = error.problems
        findings.add("mask", where(entry), f"run lengths, {problem.expected}", problem.found)
        return None
    if mask.size != tuple(size):
        expected = "run lengths of the size (height, width) of the image"
        findings.add("mask-size", where(entry), expected, f"{mask.size} in an image of {tuple(size)}")
        return None
    return mask


def keypoints_of(
    some: Sequence[Mapping[str, Any]],
    names: Sequence[Any],
    sizes: np.ndarray,
    where: Where,
    findings: Findings,
) -> np.ndarray:
    """The keypoints of annotations, float32 ``(k, n, 3)``.

    Args:
        some: the annotations.
        names: for each category that is wanted the names of its keypoints, or None.
        sizes: ``(k, 2)`` of their images.
        where: the place of an annotation, for the findings.
        findings: where what is no keypoint is noted.
    """
    counts = sorted({len(n) for n in names if isinstance(n, list) and n})
    if len(counts) != 1:
        found = f"categories with {' and '.join(map(str, counts))}" if counts else "categories without any"
        fix = "Choose with read_coco(categories=[...])." if counts else 'Say kind="instances".'
        findings.add("keypoint-count", "the categories", "one number of keypoints", found, fix)
    findings.stop()
    (count,) = counts

    def at(i: int) -> str:
        return where(some[i])

    given = [entry.get("keypoints") for entry in some]
    bare = [points is None for points in given]  # of a category that has none, or not labelled
    listed = [[0] * (3 * count) if points is None else points for points in given]
    expected = f"keypoints, {3 * count} numbers (x, y, visibility of each)"
    points = numbers(listed, 3 * count, at, "keypoints", expected, findings).reshape(-1, count, 3)
    findings.stop()
    wrong = ~np.isfinite(points).all(axis=(1, 2))
    findings.add_all(
        "keypoint-number",
        np.flatnonzero(wrong),
        lambda i: (at(i), "keypoints of finite numbers", shown(listed[i])),
    )
    seen = points[..., 2]
    findings.add_all(
        "visibility",
        np.flatnonzero(~wrong & ~np.isin(seen, (0, 1, 2)).all(axis=1)),
        lambda i: (at(i), "a visibility of 0, 1 or 2", shown(seen[i].tolist())),
    )
    limits = sizes[:, None, ::-1]
    away = (seen > 0) & ((points[..., :2] < 0) | (points[..., :2] > limits)).any(axis=2)
    findings.add_all(
        "keypoint-outside",
        np.flatnonzero(away.any(axis=1)),
        lambda i: (at(i), "keypoints in the image", shown(points[i][away[i]][0].tolist()), "It is kept."),
        warning=True,
    )
    findings.stop()
    findings.note(f"{int((seen > 0).sum()):,} keypoints labelled, {int((seen == 0).sum()):,} not")
    if any(bare):
        findings.note(f"{sum(bare):,} objects without keypoints")
    return points.astype(np.float32)
