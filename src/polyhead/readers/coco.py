"""Reads COCO's JSON: boxes, polygons, run lengths, keypoints, panoptic segments."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from polyhead.errors import place
from polyhead.kinds.source_column import About
from polyhead.readers.annotations import Images, require_choices, wanted_categories
from polyhead.readers.coco_columns import Reader
from polyhead.readers.coco_json import (
    categories_of,
    coco_kind,
    coco_path,
    content_of,
    entries_of,
    pictures_of,
)
from polyhead.readers.coco_objects import named_points
from polyhead.readers.coco_panoptic import panoptic_of
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
