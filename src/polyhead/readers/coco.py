"""COCO's JSON: boxes, polygons, run lengths, keypoints, panoptic segments."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from polyhead.errors import place
from polyhead.kinds.source_column import About
from polyhead.readers.annotations import Images, require_choices, wanted_categories
from polyhead.readers.coco_columns import Reader
from polyhead.readers.coco_json import coco_kind, coco_path, content_of, entries_of, known_of, pictures_of
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
    """The images and annotations of a COCO file, one row an image.

    Columns, of which ``labels`` to ``keypoints`` hold one entry for each object of the image:

    - ``image``: the path of the image; ``file``: its name in the annotation file; ``id``: its number there.
    - ``size``: int32 ``(N, 2)``, height and width of the file. Where the annotation file says other ones, in the same
      proportions, the image was resized after it was annotated: all that lies in it is scaled along.
    - ``annotated``: whether somebody looked at the image: False where its labels are missing.
    - ``boxes``: float32 ``(k, 4)``, ``xyxy`` in pixels of the image; ``labels``: the names of the categories.
    - ``categories``: each name once, for `MultiLabel`.
    - ``ids``: the numbers of the annotations; ``crowd``: bool ``(k,)``, with ``crowds="keep"``.
    - ``area``, ``score``, ``attributes``, where the file has any: float32 ``(k,)`` in square pixels; float32 ``(k,)``;
      what the file holds, and of objects with named attributes a column ``attributes.NAME`` for each name. NaN or
      None where an object has none.
    - ``masks``, where the file has any: for each object `Polygons`, `Rle` or None; ``to_mask()`` draws it. Of panoptic
      segments each thing's `Segment`, -1 where a pixel has no label: ``Mask(missing=-1)``.
    - ``keypoints``, for that kind: float32 ``(k, n, 3)``, x, y, and visibility 0, 1 or 2.
    - ``panoptic``, for that kind: a `Panoptic` an image. Boxes and labels are then those of the things.

    ``Categorical``, ``MultiLabel`` and, of ``panoptic``, ``Mask`` take the categories of the file, all of them and in
    its order, where they name no classes.

    A row is None where the image has no label, and empty where nothing is to be seen. An image of which every
    annotation was left out has no label either: something is there.

    Args:
        annotations: the JSON file.
        images: the folder of the images, which has to be said; no name in the file may lead out of it.
        kind: ``"instances"``, ``"keypoints"`` or ``"panoptic"``; by default as the file looks.
        segments: the folder of the panoptic PNGs; by default named as the JSON file is, without its ending.
        categories: the names to keep; objects of others are left out and counted.
        crowds: ``"skip"`` or ``"keep"`` boxes around many objects (``iscrowd``); not said, they are skipped, and a
            warning counts them.
        unannotated: what an image without annotation is: ``"missing"`` its labels or ``"empty"``; not said, it is
            missing, and a warning counts them.
        invalid: ``"drop"`` single objects that cannot be used, and count them; or ``"raise"``. Not said, boxes that are
            negative, empty or outside are left out, and what cannot be read, such as a category that the file does not
            have or a mask that is none, is an error. A file of which most objects cannot be read is always one.
        missing_files: ``"raise"``, or ``"drop"`` images that are not there, cannot be read, or have other proportions
            than the file says.
        exif: whether annotations were made on the image with its Exif orientation ``"applied"``, as viewers show it,
            or ``"ignored"``, as its pixels are stored; by default applied. `polyhead.Image` knows it from here.
        verify: an image whose size cannot be read is an error, rather than of the size that the file says.

    Returns:
        A source with a ``report`` of all that was odd, and the names of the ``categories``.

    Raises:
        DataError: for what makes the data unusable, all of it at once.

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
    known = known_of(content, path, findings)
    found = entries_of(content["annotations"], "annotation", path, findings)
    kind = kind or coco_kind(content)
    reader = Reader(path, pictures, known, findings, crowds, unannotated, invalid)
    keep = wanted_categories("read_coco(categories=)", known.names, categories, findings)
    if findings.count("category-form") + findings.count("category-twice"):
        findings.stop()  # else each of their objects would be a mistake as well
    names = tuple(np.array(known.names, object)[keep].tolist())
    about = {"image": About(exif=exif)}
    if kind == "panoptic":
        folder = path.with_suffix("") if segments is None else segments
        root = Root(folder, "read_coco(segments=)", findings)
        columns = panoptic_of(
            reader, found, root, keep, Files(findings, missing_files, "panoptic masks"), verify
        )
        about["panoptic"] = About(names, tuple(np.array(known.ids)[keep].tolist()))
    else:
        columns = reader.objects(found, keep, kind)
    findings.stop()
    report = findings.told(place(file=str(path)))
    return Images({**pictures.columns(), **columns}, report, names, about)
