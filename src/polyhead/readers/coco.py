"""Reads COCO's JSON: boxes, polygons, run lengths, keypoints, panoptic segments."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from polyhead.columns.mask_values import VOID, Panoptic, Segment
from polyhead.errors import place, shown
from polyhead.kinds.source_column import About
from polyhead.progress import shown_each
from polyhead.readers.annotations import Images, by_image, missing_images, require_choices, wanted_categories
from polyhead.readers.coco_columns import ROW, Reader
from polyhead.readers.coco_json import (
    categories_of,
    coco_kind,
    coco_path,
    content_of,
    entries_of,
    flag_of,
    id_of,
    pictures_of,
)
from polyhead.readers.coco_objects import extras_of, named_points
from polyhead.readers.findings import Findings
from polyhead.readers.paths import Files, Root


def read_coco(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    *,
    kind: str | None = None,
    segments: str | os.PathLike[str] | None = None,
    categories: Iterable[str] | None = None,
    crowds: str | None = None,
    unannotated: str | None = None,
    invalid: str | None = None,
    missing_files: str = "raise",
    exif: str | None = None,
    verify: bool = False,
) -> Images:
    """Read the images and annotations of a COCO file, one row per image.

    Columns (those from ``boxes`` to ``keypoints`` hold one entry for each object of the image):

    - ``image``: the path of the image; ``file`` and ``id``: its name and id in the annotation file.
    - ``size``: int32 ``(N, 2)``, height and width of the image file. If the annotation file has another size of the
      same proportions, the image was resized after it was annotated, and its annotations are scaled accordingly.
    - ``annotated``: whether the image was annotated: False if its labels are missing.
    - ``boxes``: float32 ``(k, 4)``, ``xyxy`` in pixels of the image; ``labels``: the names of the categories.
    - ``categories``: each name once, for `MultiLabel`.
    - ``ids``: the ids of the annotations; ``crowd``: bool ``(k,)``, with ``crowds="keep"``.
    - ``area``, ``score``, ``attributes``, if the file has any: float32 ``(k,)`` in square pixels; float32 ``(k,)``; the
      attributes as in the file, and a column ``attributes.NAME`` for each name among them. Objects without a value have
      NaN or None.
    - ``masks``, if the file has any: `Polygons`, `Rle` or None for each object; ``to_mask()`` rasterizes it. For
      panoptic segments, the `Segment` of each thing, with -1 for pixels without a label: ``Mask(missing=-1)``.
    - ``keypoints``, with this kind: float32 ``(k, n, 3)``, x, y, and visibility 0, 1 or 2.
    - ``panoptic``, with this kind: a `Panoptic` per image. Boxes and labels are then those of the things.

    By default ``Categorical``, ``MultiLabel`` and, for ``panoptic``, ``Mask`` use all categories of the file, in its
    order, and ``Keypoints`` uses the names and the skeleton of its keypoints.

    An entry is None if the image has no label, and empty if the image has no objects. If every annotation of an image
    was dropped, the image has no label, as it is not empty.

    Args:
        annotations: the JSON file.
        images: the folder of images, required; file names must not lead out of it.
        kind: ``"instances"``, ``"keypoints"`` or ``"panoptic"``; by default inferred from the file.
        segments: the folder of the panoptic PNGs; by default named like the JSON file without its extension.
        categories: the names to keep; objects of other categories are dropped and counted.
        crowds: ``"skip"`` or ``"keep"`` boxes around many objects (``iscrowd``); by default they are skipped with a
            warning.
        unannotated: whether the label of an image without annotation is ``"missing"`` or ``"empty"``; by default it is
            missing, with a warning.
        invalid: ``"drop"`` objects that cannot be used, with a warning, or ``"raise"``. By default, boxes that are
            negative, empty or outside are dropped, and what cannot be read, such as an unknown category or a broken
            mask, is an error. A file of mostly unreadable objects is always an error.
        missing_files: ``"raise"``, or ``"drop"`` images that do not exist, cannot be read, or have other proportions
            than the annotation file states.
        exif: whether the images were annotated with their Exif orientation ``"applied"``, as viewers show them, or
            ``"ignored"``, as their pixels are stored; by default applied. `polyhead.Image` follows it.
        verify: an unreadable image is an error; by default its size is taken from the annotation file.

    Returns:
        A source with a ``report`` of all irregularities and the names of the ``categories``.

    Raises:
        DataError: with all problems that make the data unusable.

    >>> import json, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.jpg").write_bytes(b"")
    >>> _ = (folder / "a.json").write_text(json.dumps({
    ...     "images": [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 60}],
    ...     "categories": [{"id": 7, "name": "cat"}],
    ...     "annotations": [{"id": 3, "image_id": 1, "category_id": 7, "bbox": [5, 10, 20, 20]}],
    ... }))
    >>> rows = read_coco(folder / "a.json", folder)
    >>> rows.read(np.array([0]))["boxes"][0].tolist()
    [[5.0, 10.0, 25.0, 30.0]]
    """
    require_choices("read_coco", locals())
    findings = Findings(invalid)
    path = coco_path(annotations, images)
    content = content_of(path)
    files = Files(findings, missing_files, exif=exif)
    pictures = pictures_of(content, path, Root(images, "read_coco(images)", findings), files, verify)
    all_categories = categories_of(content, path, findings)
    entries = entries_of(content["annotations"], "annotation", path, findings)
    kind = kind or coco_kind(content)
    reader = Reader(path, pictures, all_categories, findings, crowds, unannotated)
    keep = wanted_categories("read_coco(categories=)", all_categories.names, categories, findings)
    if findings.count("category-form") + findings.count("category-twice"):
        findings.stop()  # otherwise each of their objects would be reported too
    names = tuple(np.array(all_categories.names, object)[keep].tolist())
    about = {"image": About(exif=exif)}
    if kind == "panoptic":
        folder = path.with_suffix("") if segments is None else segments
        root = Root(folder, "read_coco(segments=)", findings)
        columns = panoptic_of(
            reader, entries, root, keep, Files(findings, missing_files, "panoptic masks"), verify
        )
        about["panoptic"] = About(names, tuple(np.array(all_categories.ids)[keep].tolist()))
    else:
        columns = reader.objects(entries, keep, kind)
    if "keypoints" in columns:
        about["keypoints"] = About(None, None, None, *named_points(all_categories, keep, path, findings))
    findings.stop()
    report = findings.warn_and_report(place(file=str(path)))
    return Images({**pictures.columns(), **columns}, report, names, about)


class _Segments(NamedTuple):
    """The segments of all images.

    Attributes:
        masks: the panoptic mask of each image, or None.
        parts: the segments of all readable masks, with ``image_id`` and `ROW`.
        unread: the rows of images whose mask cannot be read.
    """

    masks: list[Panoptic | None]
    parts: list[dict[str, Any]]
    unread: list[int]


def panoptic_of(
    reader: Reader, entries: list[dict[str, Any]], root: Root, keep: np.ndarray, files: Files, verify: bool
) -> dict[str, Any]:
    """Return the columns of panoptic segments."""
    findings, categories = reader.findings, reader.categories
    rows = reader.rows(entries)
    wanted_ids = {number for number, k in zip(categories.ids, keep.tolist(), strict=True) if k}
    masks, parts, lost_rows = _segments_of(reader, entries, rows, root, wanted_ids, files, verify)
    positions = reader.classes(parts)
    findings.note(f"{sum(p is not None for p in masks):,} panoptic masks of {len(parts):,} segments")
    at_row = np.array([part[ROW] for part in parts], np.int64)
    thing = np.array([flag_of(e.get("isthing")) is not False for e in categories.entries], bool)
    stuff = int((~np.append(thing, True)[positions]).sum())
    findings.note(f"{stuff:,} of them stuff, without boxes")
    boxed = np.append(thing, False)[positions]
    crowd, unread = reader.crowded(parts)
    unusable = boxed & unread | (positions < 0)
    wanted, skipped = reader.select(np.where(boxed & ~unusable, at_row, -1), positions, crowd, keep)
    at = np.flatnonzero(wanted)
    boxes, usable = reader.boxes([parts[i] for i in at.tolist()], [None] * len(at), at_row[at])
    findings.stop_if_most(len(parts))
    at = at[usable]
    scale = reader.scale[at_row[at]]
    missing = missing_images(
        findings,
        reader.count,
        annotated=rows,
        wanted=np.append(at_row[skipped | wanted | unusable], np.array(lost_rows, np.int64)),
        kept=at_row[at],
        unannotated=reader.unannotated,
    )
    columns: dict[str, Any] = {
        "boxes": boxes[usable] * np.tile(scale, 2).astype(np.float32),
        "labels": [categories.names[c] for c in positions[at].tolist()],
        "masks": [Segment(masks[parts[i][ROW]], parts[i]["id"]) for i in at.tolist()],
    }
    if reader.crowds == "keep":
        columns["crowd"] = crowd[at]
    columns |= extras_of([parts[i] for i in at.tolist()], scale.prod(axis=1), reader.where, findings)
    return {"panoptic": masks, **by_image(columns, at_row[at], missing)}


def _segments_of(
    reader: Reader,
    entries: list[dict[str, Any]],
    rows: np.ndarray,
    root: Root,
    wanted: set[int],
    files: Files,
    verify: bool,
) -> _Segments:
    """Read the segments of all annotations; ``wanted`` are the ids of the categories to keep."""
    findings, segments = reader.findings, _Segments([None] * reader.count, [], [])
    seen = set()
    pairs = list(zip(entries, rows.tolist(), strict=True))
    for entry, row in shown_each("reading segments", pairs):
        if row < 0:
            continue
        where = reader.where(entry)
        path, infos = root.find(entry.get("file_name"), where), entry.get("segments_info")
        if row in seen:
            findings.add("image-twice", where, "one panoptic annotation an image", "a second one")
            continue
        seen.add(row)
        if not isinstance(infos, list) or not all(_is_segment(s) for s in infos):
            expected = "segments_info, a list of segments with ids from 1 to 16777215"
            findings.add("segments", where, expected, shown(infos))
            continue
        infos = [{**s, "id": id_of(s["id"])} for s in infos]
        classes = {s["id"]: id_of(s.get("category_id")) for s in infos}
        if len(classes) < len(infos):
            findings.add("id-twice", where, "a unique id for each segment", "one that is taken")
        size = None
        if path is not None and files.exists(path, where):
            size = files.sized(path, reader.pictures.rows[row].declared_size, verify)
        if path is None or size is None:
            segments.unread.append(row)
            continue
        segments.parts.extend({**segment, "image_id": entry["image_id"], ROW: row} for segment in infos)
        wanted_classes = {i: c if isinstance(c, int) and c in wanted else VOID for i, c in classes.items()}
        segments.masks[row] = Panoptic(path, size, wanted_classes)
    files.note()
    return segments


def _is_segment(info: Any) -> bool:
    number = id_of(info.get("id")) if isinstance(info, dict) else None
    return isinstance(number, int) and 0 < number < 1 << 24
