"""COCO's JSON: boxes, polygons, run lengths, keypoints, panoptic segments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import place, shown
from polyhead.sources._annotations import (
    Findings,
    Images,
    by_image,
    chosen,
    clip_boxes,
    numbers,
    require_choice,
    require_choices,
    scenes,
    sizes_of,
)
from polyhead.sources._coco_file import (
    Known,
    Pictures,
    content_of,
    entries_of,
    is_id,
    kind_of,
    known_of,
    pictures_of,
)
from polyhead.sources._coco_objects import keypoints_of, mask_of
from polyhead.sources._masks import VOID, Panoptic, Segment
from polyhead.sources._paths import Files, Root

KINDS = ("instances", "keypoints", "panoptic")


def read_coco(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    kind: str | None = None,
    segments: str | os.PathLike[str] | None = None,
    categories: Iterable[str] | None = None,
    crowds: str | None = None,
    unannotated: str | None = None,
    invalid: str = "drop",
    missing_files: str = "raise",
    annotated: str = "shown",
    verify: bool = False,
) -> Images:
    """The images and annotations of a COCO file, one row an image.

    Columns, of which ``labels`` to ``keypoints`` hold one entry for each object of the image:

    - ``image``: the path of the image; ``file``: its name in the annotation file; ``id``: its number there.
    - ``size``: int32 ``(N, 2)``, height and width as the annotation file has them.
    - ``boxes``: float32 ``(k, 4)``, ``xyxy`` in pixels of the image; ``labels``: the names of the categories.
    - ``categories``: each name once, for `MultiLabel`.
    - ``ids``: the numbers of the annotations; ``crowd``: bool ``(k,)``, with ``crowds="keep"``.
    - ``masks``, where the file has any: for each object `Polygons`, `Rle` or None; ``to_mask()`` draws it. Of panoptic
      segments each thing's `Segment`, -1 where a pixel has no label: ``Mask(missing=-1)``.
    - ``keypoints``, for that kind: float32 ``(k, n, 3)``, x, y, and visibility 0, 1 or 2.
    - ``panoptic``, for that kind: a `Panoptic` an image. Boxes and labels are then those of the things.

    A row is None where the image has no label, and empty where nothing is to be seen. An image of which every
    annotation was left out has no label either: something is there.

    Args:
        annotations: the JSON file.
        images: the folder of the images; no name in the file may lead out of it.
        kind: ``"instances"``, ``"keypoints"`` or ``"panoptic"``; by default as the file looks.
        segments: the folder of the panoptic PNGs; by default named as the JSON file is, without its ending.
        categories: the names to keep; objects of others are left out and counted.
        crowds: ``"skip"`` or ``"keep"`` boxes around many objects (``iscrowd``); not said, they are skipped, and a
            warning counts them.
        unannotated: what an image without annotation is: ``"missing"`` its labels or ``"empty"``; not said, it is
            missing, and a warning counts them.
        invalid: ``"drop"`` boxes that are negative, empty or outside, or ``"raise"``.
        missing_files: ``"raise"``, or ``"drop"`` images that are not there or cannot be read.
        annotated: the pixels that annotations were made for, where the file of an image says that it is to be
            turned (Exif): ``"shown"`` or ``"stored"``. Say the same in `polyhead.Image`.
        verify: open every image, to see that it can be read and is of the size that the file says.

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
    if kind is not None:
        require_choice("read_coco(kind=)", kind, KINDS)
    findings = Findings()
    path = Path(annotations).expanduser()
    content = content_of(path)
    files = Files(findings, missing_files, annotated=annotated)
    pictures = pictures_of(content, path, Root(images, "read_coco(images)", findings), files, verify)
    known = known_of(content, path, findings)
    found = entries_of(content["annotations"], "annotation", path, findings)
    kind = kind or kind_of(content)
    reader = _Reader(path, pictures, known, findings, crowds, unannotated, invalid)
    keep = chosen("read_coco(categories=)", known.names, categories, findings)
    if findings.count("category-form") + findings.count("category-twice"):
        findings.stop()  # else each of their objects would be a mistake as well
    if kind == "panoptic":
        folder = path.with_suffix("") if segments is None else segments
        root, files = (
            Root(folder, "read_coco(segments=)", findings),
            Files(findings, missing_files, "panoptic masks"),
        )
        columns = reader.panoptic(found, root, keep, files, verify)
    else:
        columns = reader.objects(found, keep, kind)
    findings.stop()
    report = findings.told(place(file=str(path)))
    return Images({**pictures.columns(), **columns}, report, np.array(known.names, object)[keep])


class _Reader:
    """The annotations of one file as columns."""

    def __init__(
        self,
        path: Path,
        pictures: Pictures,
        known: Known,
        findings: Findings,
        crowds: str | None,
        unannotated: str | None,
        invalid: str,
    ) -> None:
        self.file, self.pictures, self.known, self.findings = str(path), pictures, known, findings
        self.crowds, self.unannotated, self.invalid = crowds, unannotated, invalid
        self.count = len(pictures.ids)
        self.sizes = sizes_of(pictures.sizes)

    def where(self, entry: Mapping[str, Any]) -> str:
        """The place of an annotation."""
        number = f"annotation {entry['id']}" if is_id(entry.get("id")) else "an annotation without id"
        return f"{place(file=self.file)}, {number} of image {shown(entry.get('image_id'))}"

    def rows(self, found: Sequence[dict[str, Any]]) -> np.ndarray:
        """The row of each annotation, -1 where its image was left out or is not there."""
        rows = np.full(len(found), -1, np.int64)
        for i, entry in enumerate(found):
            number = entry.get("image_id")
            row = self.pictures.row_of.get(number) if is_id(number) else None
            if row is None:
                expected = "the id of an image of the file"
                self.findings.add("no-image", self.where(entry), expected, shown(number), warning=True)
            else:
                rows[i] = row
        if self.findings.count("no-image"):
            self.findings.note(f"{self.findings.count('no-image'):,} annotations left out, without an image")
        return rows

    def classes(self, found: Sequence[dict[str, Any]], where: Any) -> np.ndarray:
        """The category of each entry as its position, -1 and an error noted where there is none."""
        place_of, known = self.known.place, self.known
        classes = np.full(len(found), -1, np.int64)
        for i, entry in enumerate(found):
            number = entry.get("category_id")
            at = place_of.get(number) if type(number) is int else None
            if at is None:
                listed = ", ".join(
                    f"{n} {name}" for n, name in list(zip(known.ids, known.names, strict=True))[:4]
                )
                more = f", … ({len(known.ids)} in all)" if len(known.ids) > 4 else ""
                expected = f"the id of a category of the file ({listed}{more})"
                self.findings.add("category", where(entry), expected, shown(number))
            else:
                classes[i] = at
        return classes

    def crowded(self, found: Sequence[dict[str, Any]], where: Any) -> np.ndarray:
        """Which entries are crowds."""
        given = [entry.get("iscrowd", 0) for entry in found]
        for entry, value in zip(found, given, strict=True):
            if not isinstance(value, int) or value not in (0, 1):
                self.findings.add("crowd", where(entry), "an iscrowd of 0 or 1", shown(value))
        return np.array([value == 1 for value in given], bool)

    def chosen_of(self, rows: np.ndarray, classes: np.ndarray, crowd: np.ndarray, keep: np.ndarray) -> Any:
        """Which annotations are wanted; the others are counted."""
        there = rows >= 0
        wanted = there & (classes >= 0) & np.append(keep, False)[classes]
        others = int((there & (classes >= 0) & ~wanted).sum())
        if others:
            self.findings.note(f"{others:,} objects of other categories left out")
        crowds = int((wanted & crowd).sum())
        if self.crowds != "keep":
            self.findings.note(f"{crowds:,} crowds left out")
            if self.crowds is None:
                self.findings.odd('crowds, left out unless crowds="keep"', crowds)
            return wanted & ~crowd, wanted & crowd
        self.findings.note(f"{crowds:,} crowds")
        return wanted, np.zeros(len(wanted), bool)

    def objects(self, found: list[dict[str, Any]], keep: np.ndarray, kind: str) -> dict[str, Any]:
        """The columns of instances, and of keypoints."""
        findings, names = self.findings, self.known.names
        self._unique(found)
        rows, classes = self.rows(found), self.classes(found, self.where)
        crowd = self.crowded(found, self.where)
        wanted, skipped = self.chosen_of(rows, classes, crowd, keep)
        at = np.flatnonzero(wanted)
        some = [found[i] for i in at.tolist()]
        masks = [mask_of(a, self._size(rows[i]), self.where, findings) for a, i in zip(some, at, strict=True)]
        boxes, kept = self._boxes(some, masks, rows[at])
        findings.stop()
        at, masks = at[kept], [masks[i] for i in np.flatnonzero(kept).tolist()]
        some = [found[i] for i in at.tolist()]
        had, left = self._per_row(rows), self._per_row(rows[at])
        lost = self._per_row(rows[skipped | wanted]) - left
        missing = scenes(findings, had=had, kept=left, lost=lost, unannotated=self.unannotated)
        findings.note(f"{len(at):,} boxes of {len(set(classes[at].tolist())):,} categories")
        ids = [entry.get("id", -1) for entry in some]
        columns: dict[str, Any] = {
            "boxes": boxes[kept],
            "labels": [names[c] for c in classes[at].tolist()],
            "ids": np.array(ids, np.int64) if all(type(i) is int for i in ids) else ids,
        }
        if self.crowds == "keep":
            columns["crowd"] = crowd[at]
        if any("segmentation" in entry for entry in found):
            columns["masks"] = masks
            without = sum(mask is None for mask in masks)
            findings.note(f"{len(masks) - without:,} masks, {without:,} objects without one")
        if kind == "keypoints":
            points = [self.known.entries[i].get("keypoints") for i in range(len(names)) if keep[i]]
            columns["keypoints"] = keypoints_of(some, points, self.sizes[rows[at]], self.where, findings)
        return by_image(columns, rows[at], missing)

    def _size(self, row: Any) -> tuple[int, int]:
        return self.pictures.sizes[int(row)]

    def _per_row(self, rows: np.ndarray) -> np.ndarray:
        return np.bincount(rows[rows >= 0], minlength=self.count)

    def _unique(self, found: Sequence[dict[str, Any]]) -> None:
        seen = set()
        for entry in found:
            number = entry.get("id")
            if number is not None and not is_id(number):
                self.findings.add("id", self.where(entry), "an id, a whole number", shown(number))
            elif number is not None and number in seen:
                expected = "an id of its own for each annotation"
                self.findings.add("id-twice", self.where(entry), expected, "the id of one before")
            else:
                seen.add(number)

    def _boxes(self, some: Sequence[dict[str, Any]], masks: Sequence[Any], rows: np.ndarray) -> Any:
        def where(i: int) -> str:
            return self.where(some[i])

        given = [entry.get("bbox") for entry in some]
        bare = np.array(
            [box is None and mask is not None for box, mask in zip(given, masks, strict=True)], bool
        )
        if bare.any():
            self.findings.note(f"{int(bare.sum()):,} boxes taken from masks")
        listed = [[0.0] * 4 if b else box for b, box in zip(bare.tolist(), given, strict=True)]
        expected = "a bbox of four numbers (x, y, width, height)"
        boxes = numbers(listed, 4, where, "box", expected, self.findings)
        self.findings.stop()
        boxes[:, 2:] += boxes[:, :2]
        for i in np.flatnonzero(bare).tolist():
            boxes[i] = masks[i].box()
        return clip_boxes(boxes, self.sizes[rows], where, self.findings, self.invalid)

    def panoptic(
        self, found: list[dict[str, Any]], root: Root, keep: np.ndarray, files: Files, verify: bool
    ) -> dict[str, Any]:
        """The columns of panoptic segments."""
        findings, known = self.findings, self.known
        rows = self.rows(found)
        panoptic: list[Panoptic | None] = [None] * self.count
        parts: list[dict[str, Any]] = []
        seen, unread = set(), []
        wanted_ids = {number for number, k in zip(known.ids, keep.tolist(), strict=True) if k}
        for entry, row in zip(found, rows.tolist(), strict=True):
            if row < 0:
                continue
            where = self.where(entry)
            path, segments = root.find(entry.get("file_name"), where), entry.get("segments_info")
            if row in seen:
                findings.add("image-twice", where, "one panoptic annotation an image", "a second one")
                continue
            seen.add(row)
            if not isinstance(segments, list) or not all(
                isinstance(s, dict) and type(s.get("id")) is int and 0 < s["id"] < 1 << 24 for s in segments
            ):
                expected = "segments_info, a list of segments with ids from 1 to 16777215"
                findings.add("segments", where, expected, shown(segments))
                continue
            classes = {s["id"]: s.get("category_id") for s in segments}
            if len(classes) < len(segments):
                findings.add("id-twice", where, "an id of its own for each segment", "one that is taken")
            if path is None or not files.exists(path, where):
                unread.append(row)
            elif not verify or files.verified(path, self._size(row)):
                parts += [{**segment, "image_id": entry["image_id"], "row": row} for segment in segments]
                kept = {i: c if type(c) is int and c in wanted_ids else VOID for i, c in classes.items()}
                panoptic[row] = Panoptic(path, self._size(row), kept)
            else:
                unread.append(row)
        files.note()
        positions = self.classes(parts, self._segment)
        findings.stop()
        findings.note(f"{sum(p is not None for p in panoptic):,} panoptic masks of {len(parts):,} segments")
        at_row = np.array([part["row"] for part in parts], np.int64)
        thing = np.array([bool(e.get("isthing", 1)) for e in known.entries], bool)
        stuff = int((~thing[positions]).sum()) if len(parts) else 0
        findings.note(f"{stuff:,} of them stuff, which has no boxes")
        boxed = np.append(thing, False)[positions]
        crowd = self.crowded(parts, self._segment)
        wanted, skipped = self.chosen_of(np.where(boxed, at_row, -1), positions, crowd, keep)
        at = np.flatnonzero(wanted)
        boxes, fit = self._boxes([parts[i] for i in at.tolist()], [None] * len(at), at_row[at])
        findings.stop()
        at = at[fit]
        had, left = self._per_row(rows), self._per_row(at_row[at])
        lost = self._per_row(at_row[skipped | wanted]) - left + self._per_row(np.array(unread, np.int64))
        missing = scenes(findings, had=had, kept=left, lost=lost, unannotated=self.unannotated)
        columns: dict[str, Any] = {
            "boxes": boxes[fit],
            "labels": [known.names[c] for c in positions[at].tolist()],
            "masks": [Segment(panoptic[parts[i]["row"]], parts[i]["id"]) for i in at.tolist()],
        }
        return {"panoptic": panoptic, **by_image(columns, at_row[at], missing)}

    def _segment(self, part: Mapping[str, Any]) -> str:
        return f"{place(file=self.file)}, segment {part['id']} of image {shown(part['image_id'])}"
