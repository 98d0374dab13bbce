"""Converts the annotations of a COCO file to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import counted, listed, place, shown
from polyhead.readers.annotations import (
    by_image,
    clip_boxes,
    missing_images,
    note_boxes,
    note_corners,
    number_lists,
    sizes_of,
)
from polyhead.readers.coco_json import CocoCategories, Pictures, flag_of, id_of
from polyhead.readers.coco_objects import extras_of, keypoints_of, mask_of
from polyhead.readers.findings import Findings

ROW = "polyhead:row"
"""The key of the row in a segment of a panoptic annotation."""


class Reader:
    """Converts the annotations of one file to columns."""

    def __init__(
        self,
        path: Path,
        pictures: Pictures,
        categories: CocoCategories,
        findings: Findings,
        crowds: str | None,
        unannotated: str | None,
    ) -> None:
        self.file, self.pictures, self.categories, self.findings = str(path), pictures, categories, findings
        self.crowds, self.unannotated = crowds, unannotated
        self.count = len(pictures.rows)
        self.declared_sizes = sizes_of([picture.declared_size for picture in pictures.rows])
        sizes = sizes_of([picture.size for picture in pictures.rows])
        self.scale = (sizes / np.maximum(self.declared_sizes, 1))[:, ::-1].astype(np.float64)
        """The scale of x and y in each image: not 1 if the image was resized after annotation."""

    def where(self, entry: Mapping[str, Any]) -> str:
        """Return the location of an annotation, or of a segment of one, for messages."""
        number = id_of(entry.get("id"))
        which = "an annotation without id" if number is None else f"annotation {number}"
        which = f"segment {number}" if ROW in entry else which
        return f"{place(file=self.file)}, {which} of image {shown(entry.get('image_id'))}"

    def rows(self, entries: Sequence[dict[str, Any]]) -> np.ndarray:
        """Return the row of each annotation, -1 if its image was left out or does not exist."""
        rows, lost = np.full(len(entries), -1, np.int64), 0
        for i, entry in enumerate(entries):
            row = self.pictures.row_of.get(id_of(entry.get("image_id")))
            if row is None:
                lost += 1
                expected, number = "the id of an image of the file", shown(entry.get("image_id"))
                self.findings.add("no-image", self.where(entry), expected, number, warning=True)
            else:
                rows[i] = row
        if lost:
            self.findings.note(f"{counted(lost, 'annotation')} without image left out")
        if lost and lost == len(entries):
            known = list(self.pictures.row_of)
            some = ", ".join(map(shown, known[:4])) + ", …" * (len(known) > 4)
            expected = f"an image_id of an image of the file ({some})"
            found = f"none for any of {lost:,} annotations, {shown(entries[0].get('image_id'))} for the first"
            fix = "Do the annotations belong to other images?"
            self.findings.add("no-match", f"{place(file=self.file)}, image_id", expected, found, fix)
        return rows

    def classes(self, entries: Sequence[dict[str, Any]]) -> np.ndarray:
        """Return the index of each entry's category, -1 for an unknown one."""
        pairs = zip(self.categories.ids, self.categories.names, strict=True)
        ids = listed([f"{number} {name}" for number, name in pairs], 4)
        expected = f"the id of a category of the file ({ids})"
        classes = np.full(len(entries), -1, np.int64)
        for i, entry in enumerate(entries):
            index = self.categories.index_of.get(id_of(entry.get("category_id")))
            if index is None:
                found = shown(entry.get("category_id"))
                self.findings.leave_out("category", self.where(entry), expected, found)
            else:
                classes[i] = index
        return classes

    def crowded(self, entries: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Return masks of the entries that are crowds, and of those with an invalid ``iscrowd``."""
        crowd, unread = np.zeros(len(entries), bool), np.zeros(len(entries), bool)
        for i, entry in enumerate(entries):
            value = entry.get("iscrowd") or 0  # null means absent
            flag = flag_of(value)
            if flag is None:
                self.findings.leave_out("crowd", self.where(entry), "an iscrowd of 0 or 1", shown(value))
            crowd[i], unread[i] = bool(flag), flag is None
        return crowd, unread

    def select(
        self, rows: np.ndarray, classes: np.ndarray, crowd: np.ndarray, keep: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which annotations to keep, and which to skip as crowds, each bool ``(M,)``; report the others.

        Without ``crowds=``, crowds are skipped with a warning.

        Args:
            rows: the row of each annotation, -1 for none.
            classes: the position of its category among the names, -1 for none.
            crowd: whether it is a crowd.
            keep: which categories to keep.
        """
        readable = (rows >= 0) & (classes >= 0)
        wanted = readable & np.append(keep, False)[classes]
        others = int((readable & ~wanted).sum())
        if others:
            self.findings.note(f"{counted(others, 'object')} of other categories left out")
        crowds = int((wanted & crowd).sum())
        if self.crowds != "keep":
            if crowds and crowds == wanted.sum():  # as CVAT exports masks
                found = f"an iscrowd of 1 in {'it' if crowds == 1 else f'all {crowds:,}'}"
                where, fix = place(file=self.file), 'Say crowds="keep" to read them.'
                self.findings.add("all-crowds", where, "at least one object that is no crowd", found, fix)
                self.findings.stop()
            self.findings.note(f"{counted(crowds, 'crowd')} left out")
            if self.crowds is None:
                self.findings.odd('crowds left out unless crowds="keep"', crowds)
            return wanted & ~crowd, wanted & crowd
        self.findings.note(f"{crowds:,} crowds")
        return wanted, np.zeros(len(wanted), bool)

    def objects(self, entries: list[dict[str, Any]], keep: np.ndarray, kind: str) -> dict[str, Any]:
        """Return the columns of instances and keypoints."""
        findings, names = self.findings, self.categories.names
        self._require_unique(entries)
        rows, classes = self.rows(entries), self.classes(entries)
        crowd, unread = self.crowded(entries)
        unread = (rows >= 0) & (unread | (classes < 0))
        wanted, skipped = self.select(np.where(unread, -1, rows), classes, crowd, keep)
        at = np.flatnonzero(wanted)
        objects = [entries[i] for i in at.tolist()]
        pictures = [self.pictures.rows[row] for row in rows[at].tolist()]
        masks = [
            mask_of(entry, picture.declared_size, self.where, findings)
            for entry, picture in zip(objects, pictures, strict=True)
        ]
        boxes, usable = self.boxes(objects, masks, rows[at])
        points = None
        if kind == "keypoints":
            named = [self.categories.entries[i].get("keypoints") for i in range(len(names)) if keep[i]]
            points = keypoints_of(objects, named, self.declared_sizes[rows[at]], self.where, findings)
        findings.stop_if_most(len(entries))
        at, masks = at[usable], [masks[i] for i in np.flatnonzero(usable).tolist()]
        objects, scale = [entries[i] for i in at.tolist()], self.scale[rows[at]]
        missing = missing_images(
            findings,
            self.count,
            annotated=rows,
            wanted=rows[skipped | wanted | unread],
            kept=rows[at],
            unannotated=self.unannotated,
        )
        labels = [names[c] for c in classes[at].tolist()]
        note_boxes(labels, findings)
        ids = [id_of(entry.get("id")) for entry in objects]
        ids = [-1 if number is None else number for number in ids]
        columns: dict[str, Any] = {
            "boxes": boxes[usable] * np.tile(scale, 2).astype(np.float32),
            "labels": labels,
            "ids": np.array(ids, np.int64) if all(type(i) is int for i in ids) else ids,
        }
        if self.crowds == "keep":
            columns["crowd"] = crowd[at]
        if any(entry.get("segmentation") for entry in entries):
            sizes = [self.pictures.rows[row].size for row in rows[at].tolist()]
            columns["masks"] = [
                mask if mask is None or mask.size == size else mask.resized(size)
                for mask, size in zip(masks, sizes, strict=True)
            ]
            without = masks.count(None)
            present, absent = counted(len(masks) - without, "mask"), counted(without, "object")
            findings.note(f"{present}, {absent} without one")
        if points is not None:
            columns["keypoints"] = points[usable] * np.insert(scale, 2, 1, axis=1)[:, None].astype(np.float32)
        columns |= extras_of(objects, scale.prod(axis=1), self.where, findings)
        return by_image(columns, rows[at], missing)

    def _require_unique(self, entries: Sequence[dict[str, Any]]) -> None:
        """Record ids of annotations that are invalid or occur twice."""
        seen = set()
        for entry in entries:
            number = id_of(entry.get("id"))
            if number is None and entry.get("id") is not None:
                self.findings.add("id", self.where(entry), "an id, a whole number", shown(entry["id"]))
            elif number is not None and number in seen:
                expected = "a unique id for each annotation"
                self.findings.add("id-twice", self.where(entry), expected, "the id of one before")
            else:
                seen.add(number)

    def boxes(
        self, objects: Sequence[dict[str, Any]], masks: Sequence[Any], rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes in pixels of the size in the annotation file, and a mask of usable ones."""

        def where(i: int) -> str:
            return self.where(objects[i])

        def area(i: int) -> float:
            mask, number = masks[i], objects[i].get("area")
            if mask is not None:
                left, top, right, bottom = mask.box()
                return float((right - left) * (bottom - top))
            return float(number) if isinstance(number, (int, float)) and abs(number) < 1e30 else np.nan

        given = [entry.get("bbox") for entry in objects]
        bare = [not box and mask is not None for box, mask in zip(given, masks, strict=True)]
        if any(bare):
            self.findings.note(f"{counted(sum(bare), 'box')} taken from masks")
        listed = [[0.0] * 4 if b else box for b, box in zip(bare, given, strict=True)]
        expected = "a bbox of four numbers (x, y, width, height)"
        boxes, unread = number_lists(listed, 4, where, "box", expected, self.findings)
        boxes[:, 2:] += boxes[:, :2]
        for i in np.flatnonzero(bare).tolist():
            boxes[i] = masks[i].box()
        sizes = self.declared_sizes[rows]
        clipped, usable = clip_boxes(boxes, sizes, where, self.findings, unread)
        note_corners(boxes, sizes, [not b for b in bare], 0, self.findings, area)
        return clipped, usable
