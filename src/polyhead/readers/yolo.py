"""Reads YOLO data sets: text files with a line for each object, in fractions of the image's size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from polyhead.columns.mask_values import Polygons
from polyhead.errors import DataError, counted, place, shown
from polyhead.kinds.source_column import About
from polyhead.progress import shown_each
from polyhead.readers.annotations import (
    Images,
    by_image,
    clip_boxes,
    missing_images,
    note_boxes,
    note_corners,
    note_keypoints,
    number_of,
    require_choices,
    sizes_of,
    wanted_categories,
)
from polyhead.readers.findings import Findings
from polyhead.readers.paths import Files, lines_of
from polyhead.readers.yolo_layout import Layout, yolo_layout

PIXELS = 2.0
"""Coordinates above this are taken to be in pixels rather than fractions."""


def read_yolo(
    data: str | os.PathLike[str],
    split: str = "train",
    *,
    root: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    names: str | os.PathLike[str] | Sequence[str] | Mapping[int, str] | None = None,
    categories: Iterable[str] | None = None,
    unannotated: str | None = None,
    invalid: str | None = None,
    missing_files: str = "raise",
    exif: str | None = None,
) -> Images:
    """Read the images and labels of a YOLO data set, one row per image.

    A line is a class and a box (center x, center y, width, height), a class and a polygon of at least three
    corners, or, if the data YAML has ``kpt_shape``, a class, a box and keypoints. An empty label file means
    that the image has no objects; ``unannotated`` sets the meaning of an image without a label file.

    Columns (those from ``boxes`` on hold one entry for each object of the image, or None if the image has no label):

    - ``image``: the path of the image; ``file``: its path relative to the root.
    - ``size``: int32 ``(N, 2)``, height and width of the upright image; with ``exif="ignored"``, of its pixels as
      stored.
    - ``annotated``: whether the image was annotated: False if its labels are missing.
    - ``boxes``: float32 ``(k, 4)``, ``xyxy`` in pixels; for a polygon, the box around it.
    - ``labels``: the names of the classes; ``categories``: each of them once, for `MultiLabel`. By default
      ``Categorical`` and ``MultiLabel`` use all classes of the data YAML, in its order.
    - ``masks``, if any line is a polygon: `Polygons` or None.
    - ``keypoints``, with ``kpt_shape``: float32 ``(k, n, 3)``, x, y in pixels and visibility. `Keypoints` exchanges the
      points that ``flip_idx`` exchanges, and has the names of ``kpt_names``.

    Args:
        data: the data YAML, or the folder of the data set, which contains such a file, or images in
            ``images/<split>``, ``<split>/images``, or ``images`` if it has no splits.
        split: the key in the data YAML, or the name of the folder.
        root: the folder that paths are relative to and must not leave; by default the ``path`` in the data YAML, which
            must be inside the folder of that file, or that folder itself. If a path leads out of the root, such as an
            absolute one or Roboflow's ``../train/images``, its last components are looked up in the root.
        images: the folder of images, relative to the working directory or the folder of the data set; by default as in
            the data YAML.
        labels: the folder of the label files, likewise; by default the folder of images with its last ``images``
            replaced by ``labels``.
        names: the names of the classes, a text file with one on each line, or another data YAML; by default those in
            the data YAML, as written there.
        categories: the names to keep; objects of other categories are dropped and counted.
        unannotated: whether the label of an image without a label file is ``"missing"`` or ``"empty"``; by default it
            is missing, with a warning.
        invalid: ``"drop"`` objects that cannot be used, with a warning, or ``"raise"``. By default, boxes that are
            negative, empty or outside are dropped, and unreadable lines, such as those with an unknown class or with
            text other than numbers, are errors. Data with mostly unreadable lines is always an error.
        missing_files: ``"raise"``, or ``"drop"`` images that do not exist or cannot be read.
        exif: whether the images were annotated with their Exif orientation ``"applied"``, as viewers show them, or
            ``"ignored"``, as their pixels are stored; by default applied. `polyhead.Image` follows it.

    Returns:
        A source with a ``report`` of all irregularities and the names of the ``categories``.

    Raises:
        DataError: with all problems that make the data unusable, with file and line.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("images", "labels"):
    ...     (folder / name).mkdir()
    >>> _ = (folder / "images" / "a.gif").write_bytes(b"GIF89a" + bytes([60, 0, 40, 0]))
    >>> _ = (folder / "labels" / "a.txt").write_text("1 0.5 0.5 0.5 0.5")
    >>> rows = read_yolo(folder, names=["cat", "dog"])
    >>> rows.read(np.array([0]))["boxes"][0].tolist(), rows.read(np.array([0]))["labels"]
    ([[15.0, 10.0, 45.0, 30.0]], [['dog']])
    """
    require_choices("read_yolo", locals())
    findings = Findings(invalid)
    layout = yolo_layout(data, split, root, images, labels, names, findings)
    keep = wanted_categories("read_yolo(categories=)", list(layout.names.values()), categories, findings)
    findings.stop()
    wanted = {number for number, is_wanted in zip(layout.names, keep.tolist(), strict=True) if is_wanted}
    paths, sizes, label_files = _readable_images(layout, Files(findings, missing_files, exif=exif), findings)
    lines, unread = _lines_in(label_files, layout, findings)
    findings.stop_if_most(len(lines) + len(unread))
    columns: dict[str, Any] = {
        "image": paths,
        "file": [layout.short(path) for path in paths],
        "size": sizes_of(sizes),
        **_yolo_columns(lines, unread, sizes, label_files, layout, wanted, findings, unannotated),
    }
    findings.stop()
    wanted_names = [name for number, name in layout.names.items() if number in wanted]
    about = {
        "image": About(exif=exif or "applied"),  # the orientation of the size that fractions refer to
        "keypoints": About(points=layout.point_names, pairs=layout.pairs),
    }
    return Images(columns, findings.warn_and_report(layout.where), wanted_names, about)


class _Line(NamedTuple):
    """An object: the row of its image, the number of its line, its class, and the numbers after the class."""

    row: int
    number: int
    class_id: int
    values: np.ndarray


def _readable_images(
    layout: Layout, files: Files, findings: Findings
) -> tuple[list[str], list[tuple[int, int]], list[str | None]]:
    """Return the readable images, their sizes, and their label files or None."""
    paths, sizes, label_files = [], [], []
    pairs = list(zip(layout.images, layout.labels, strict=True))
    none_exists = not any(map(os.path.isfile, layout.images))
    fix = "Say read_yolo(images=...), the folder of the images." if none_exists else ""
    for image, label in shown_each("reading images", pairs):
        if not files.exists(image, layout.where, fix):
            continue
        size = files.size(image)
        if size is not None:
            paths.append(image)
            sizes.append(size)
            label_files.append(label if os.path.isfile(label) else None)
    files.note()
    if paths and not any(label_files):
        fix = "Say read_yolo(labels=...), the folder of the label files."
        expected = "at least one label file"
        folder = os.path.dirname(layout.labels[0])
        findings.add("no-labels", place(file=folder), expected, "none for any image", fix)
    for orphan in layout.orphans:
        findings.add("no-image", place(file=orphan), "an image of this name", "none", warning=True)
    if layout.orphans:
        findings.note(f"{counted(len(layout.orphans), 'label file')} without image")
    return paths, sizes, label_files


def _lines_in(
    label_files: Sequence[str | None], layout: Layout, findings: Findings
) -> tuple[list[_Line], list[int]]:
    """Read the lines of all label files; also return the row of each unusable line, which is recorded."""
    lines: list[_Line] = []
    unread: list[int] = []
    for row, path in enumerate(label_files):
        if path is None:
            continue
        try:
            text = lines_of(path, "a text file of numbers")
        except DataError as error:
            (problem,) = error.problems
            findings.add(problem.code, problem.place, problem.expected, problem.found)
            continue
        seen: set[tuple[str, ...]] = set()
        for number, line in enumerate(text, 1):
            words = tuple(line.split())
            if not words:
                continue
            where = f"{place(file=path)}, line {number}"
            if words in seen:
                findings.add("line-twice", where, "each object once", "the line of one before", warning=True)
                continue
            seen.add(words)
            fields = _numbers_of_line(words, where, layout, findings)
            if fields is None:
                unread.append(row)
            else:
                lines.append(_Line(row, number, int(fields[0]), fields[1:]))
    twice = findings.count("line-twice")
    if twice:
        findings.note(f"{twice:,} duplicate lines left out")
    return lines, unread


def _numbers_of_line(
    words: Sequence[str], where: str, layout: Layout, findings: Findings
) -> np.ndarray | None:
    """Parse the numbers in a line; None, with a problem recorded, if it cannot be used."""
    try:
        numbers = np.array(words, np.float64)
    except ValueError:
        wrong = next(w for w in words if isinstance(number_of(w), str))
        findings.leave_out("number", where, "numbers separated by spaces", shown(wrong))
        return None
    count = len(numbers)
    if layout.points is not None:
        wanted = 5 + layout.points[0] * layout.points[1]
        if count != wanted:
            expected = f"{wanted} numbers: a class, a box and {layout.points[0]} keypoints"
            findings.leave_out("fields", where, expected, counted(count, "number"))
            return None
    elif count != 5 and (count < 7 or count % 2 == 0 or _has_keypoints(numbers)):
        fix = "The sixth may be a confidence, which labels don't have." if count == 6 else ""
        if _has_keypoints(numbers):
            fix = f"These look like keypoints: write kpt_shape: [{(count - 5) // 3}, 3] into the data YAML."
        expected = "5 numbers (a class and a box), or a class and the x, y of at least three corners"
        findings.leave_out("fields", where, expected, counted(count, "number"), fix)
        return None
    if not np.isfinite(numbers).all():
        wrong = words[int(np.argmin(np.isfinite(numbers)))]
        findings.leave_out("not-finite", where, "finite numbers", shown(wrong))
        return None
    if numbers[0] not in layout.names:
        findings.leave_out("category", where, f"a class of the data set ({layout.classes})", words[0])
        return None
    coordinates = numbers[1:5] if layout.points is not None else numbers[1:]
    if np.abs(coordinates).max() > PIXELS:
        worst = words[1 + int(np.abs(coordinates).argmax())]
        fix = "These look like pixels; divide them by the width and height of the image."
        findings.leave_out("pixels", where, "fractions of the image's size, from 0 to 1", worst, fix)
        return None
    return numbers


def _has_keypoints(numbers: np.ndarray) -> bool:
    """Return whether a line of numbers has a visibility of 0, 1 or 2 after every two, and some are 2.

    >>> _has_keypoints(np.array([0, 0.5, 0.5, 0.2, 0.2, 0.4, 0.4, 2])), _has_keypoints(np.zeros(11))
    (True, False)
    """
    seen = numbers[7::3]
    return (len(numbers) - 5) % 3 == 0 and bool(np.isin(seen, (0, 1, 2)).all() and (seen == 2).any())


def _yolo_columns(
    lines: Sequence[_Line],
    unread: Sequence[int],
    sizes: Sequence[tuple[int, int]],
    label_files: Sequence[str | None],
    layout: Layout,
    wanted: set[int],
    findings: Findings,
    unannotated: str | None,
) -> dict[str, Any]:
    """Make the columns of objects; ``wanted`` are the classes to keep."""
    rows_of_lines = [line.row for line in lines]
    objects = [line for line in lines if line.class_id in wanted]
    if len(objects) < len(lines):
        findings.note(f"{counted(len(lines) - len(objects), 'object')} of other categories left out")
    values = [line.values for line in objects]
    rows = np.array([line.row for line in objects], np.int64)
    size = sizes_of(sizes)[rows]
    scale = size[:, ::-1].astype(np.float64)
    boxes, masks = _shapes(values, [sizes[line.row] for line in objects], scale, layout)

    def where(i: int) -> str:
        return f"{place(file=label_files[objects[i].row])}, line {objects[i].number}"

    clipped, usable = clip_boxes(boxes, size, where, findings)
    note_corners(boxes, size, [mask is None for mask in masks], 0.5, findings)
    findings.stop()
    at = np.flatnonzero(usable)
    columns: dict[str, Any] = {
        "boxes": clipped[at],
        "labels": [layout.names[objects[i].class_id] for i in at.tolist()],
    }
    if layout.points is not None:
        columns["keypoints"] = _keypoints(values, layout.points, scale, where, findings)[at]
        findings.stop()
    polygons = any(mask is not None for mask in masks)
    if polygons:
        columns["masks"] = [masks[i] for i in at.tolist()]
    missing = missing_images(
        findings,
        len(sizes),
        annotated=np.array([*rows_of_lines, *unread], np.int64),
        wanted=np.append(rows, np.array(unread, np.int64)),
        kept=rows[at],
        has_file=np.array([file is not None for file in label_files], bool),
        unannotated=unannotated,
    )
    note_boxes(columns["labels"], findings)
    if polygons:
        findings.note(f"{sum(mask is not None for mask in columns['masks']):,} of them around polygons")
    return by_image(columns, rows[at], missing)


def _shapes(
    values: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]], scale: np.ndarray, layout: Layout
) -> tuple[np.ndarray, list[Polygons | None]]:
    """Return boxes in pixels, float64 ``(M, 4)`` of ``xyxy``, and the polygon of each object or None."""
    boxes = np.zeros((len(values), 4))
    masks: list[Polygons | None] = [None] * len(values)
    for i, numbers in enumerate(values):
        if layout.points is None and len(numbers) > 4:
            ring = numbers.reshape(-1, 2) * scale[i]
            masks[i] = Polygons(sizes[i], (ring,))
            boxes[i, :2], boxes[i, 2:] = ring.min(axis=0), ring.max(axis=0)
        else:
            boxes[i] = numbers[:4]
    plain = np.array([mask is None for mask in masks], bool)
    middle, half = boxes[plain, :2] * scale[plain], boxes[plain, 2:] * scale[plain] / 2
    boxes[plain] = np.concatenate([middle - half, middle + half], axis=1)
    return boxes, masks


def _keypoints(
    values: Sequence[np.ndarray], shape: tuple[int, int], scale: np.ndarray, where: Any, findings: Findings
) -> np.ndarray:
    """Return keypoints in pixels, float32 ``(M, n, 3)``.

    If the file has no visibility, (0, 0) and negative numbers mean missing.
    """
    keypoints = np.array([v[4:] for v in values], np.float64).reshape(-1, *shape)
    positions = keypoints[..., :2] * scale[:, None]
    given = (keypoints[..., :2] != 0).any(axis=2) & (keypoints[..., :2] >= 0).all(axis=2)
    seen = keypoints[..., 2] if shape[1] == 3 else np.where(given, 2.0, 0.0)
    for i in np.flatnonzero(~np.isin(seen, (0, 1, 2)).all(axis=1)).tolist():
        findings.leave_out("visibility", where(i), "a visibility of 0, 1 or 2", shown(seen[i].tolist()))
        positions[i] = seen[i] = 0  # treat its keypoints as not labeled
    note_keypoints(keypoints, seen, 1, where, findings)
    return np.concatenate([positions, seen[..., None]], axis=2).astype(np.float32)
