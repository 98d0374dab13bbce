"""Converts the annotations of a COCO file to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import counted, listed, place, shown
from polyhead.readers.annotations import by_image, clip_boxes, missing_images, number_lists, sizes_of
from polyhead.readers.coco_json import CocoCategories, Pictures, id_of
from polyhead.readers.coco_objects import extras_of, keypoints_of, mask_of
from polyhead.readers.findings import Findings


class Reader:
    """Converts the annotations of one file to columns."""

    def __init__(
        self,
        path: Path,
        pictures: Pictures,
        known: CocoCategories,
        findings: Findings,
        crowds: str | None,
        unannotated: str | None,
    ) -> None:
        self.file, self.pictures, self.known, self.findings = str(path), pictures, known, findings
        self.crowds, self.unannotated = crowds, unannotated
        self.count = len(pictures.ids)
        self.declared_sizes, size = sizes_of(pictures.declared_sizes), sizes_of(pictures.sizes)
        self.scale = (size / np.maximum(self.declared_sizes, 1))[:, ::-1].astype(np.float64)
        """The scale of x and y in each image: not 1 if the image was resized after annotation."""

    def where(self, entry: Mapping[str, Any]) -> str:
        """The location of an annotation, for messages."""
        number = id_of(entry.get("id"))
        which = "an annotation without id" if number is None else f"annotation {number}"
        return f"{place(file=self.file)}, {which} of image {shown(entry.get('image_id'))}"

    def rows(self, found: Sequence[dict[str, Any]]) -> np.ndarray:
        """The row of each annotation, -1 if its image was left out or does not exist."""
        rows, lost = np.full(len(found), -1, np.int64), 0
        for i, entry in enumerate(found):
            row = self.pictures.row_of.get(id_of(entry.get("image_id")))
            if row is None:
                lost += 1
                expected, number = "the id of an image of the file", shown(entry.get("image_id"))
                self.findings.add("no-image", self.where(entry), expected, number, warning=True)
            else:
                rows[i] = row
        if lost:
            self.findings.note(f"{counted(lost, 'annotation')} without image left out")
        if lost == len(found) and lost:
            some = ", ".join(shown(number) for number in list(self.pictures.row_of)[:4])
            expected = (
                f"an image_id of an image of the file ({some}{', …' * (len(self.pictures.row_of) > 4)})"
            )
            got = f"none for any of {lost:,} annotations, {shown(found[0].get('image_id'))} for the first"
            fix = "Do the annotations belong to other images?"
            self.findings.add("no-match", f"{place(file=self.file)}, image_id", expected, got, fix)
        return rows

    def classes(self, found: Sequence[dict[str, Any]], where: Any) -> np.ndarray:
        """The index of each entry's category, -1 for an unknown one."""
        known = self.known
        classes = np.full(len(found), -1, np.int64)
        for i, entry in enumerate(found):
            at = known.place.get(id_of(entry.get("category_id")))
            if at is None:
                ids = listed([f"{n} {name}" for n, name in zip(known.ids, known.names, strict=True)], 4)
                expected = f"the id of a category of the file ({ids})"
                self.findings.leave_out("category", where(entry), expected, shown(entry.get("category_id")))
            else:
                classes[i] = at
        return classes

    def crowded(self, found: Sequence[dict[str, Any]], where: Any) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the entries that are crowds, and of those with an invalid ``iscrowd``."""
        crowd, unread = np.zeros(len(found), bool), np.zeros(len(found), bool)
        for i, entry in enumerate(found):
            value = entry.get("iscrowd") or 0  # null means absent
            number = int(value) if isinstance(value, bool) else id_of(value)
            if number not in (0, 1):
                self.findings.leave_out("crowd", where(entry), "an iscrowd of 0 or 1", shown(value))
            crowd[i], unread[i] = number == 1, number not in (0, 1)
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
        there = rows >= 0
        wanted = there & (classes >= 0) & np.append(keep, False)[classes]
        others = int((there & (classes >= 0) & ~wanted).sum())
        if others:
            self.findings.note(f"{counted(others, 'object')} of other categories left out")
        crowds = int((wanted & crowd).sum())
        if self.crowds != "keep":
            self.findings.note(f"{counted(crowds, 'crowd')} left out")
            if self.crowds is None:
                self.findings.odd('crowds left out unless crowds="keep"', crowds)
            return wanted & ~crowd, wanted & crowd
        self.findings.note(f"{crowds:,} crowds")
        return wanted, np.zeros(len(wanted), bool)

    def objects(self, found: list[dict[str, Any]], keep: np.ndarray, kind: str) -> dict[str, Any]:
        """The columns of instances and keypoints."""
        findings, names = self.findings, self.known.names
        self._unique(found)
        rows, classes = self.rows(found), self.classes(found, self.where)
        crowd, unread = self.crowded(found, self.where)
        unread = (rows >= 0) & (unread | (classes < 0))
        wanted, skipped = self.select(np.where(unread, -1, rows), classes, crowd, keep)
        at = np.flatnonzero(wanted)
        some = [found[i] for i in at.tolist()]
        masks = [
            mask_of(a, self.pictures.declared_sizes[rows[i]], self.where, findings)
            for a, i in zip(some, at, strict=True)
        ]
        boxes, kept = self.boxes(some, masks, rows[at])
        points = None
        if kind == "keypoints":
            named = [self.known.entries[i].get("keypoints") for i in range(len(names)) if keep[i]]
            points = keypoints_of(some, named, self.declared_sizes[rows[at]], self.where, findings)
        findings.stop_if_most(len(found))
        at, masks = at[kept], [masks[i] for i in np.flatnonzero(kept).tolist()]
        some, scale = [found[i] for i in at.tolist()], self.scale[rows[at]]
        missing = missing_images(
            findings,
            self.count,
            annotated=rows,
            wanted=rows[skipped | wanted | unread],
            kept=rows[at],
            unannotated=self.unannotated,
        )
        findings.note(
            f"{counted(len(at), 'box')} of {counted(len(set(classes[at].tolist())), 'category', 'categories')}"
        )
        ids = [id_of(entry.get("id")) for entry in some]
        ids = [-1 if number is None else number for number in ids]
        columns: dict[str, Any] = {
            "boxes": boxes[kept] * np.tile(scale, 2).astype(np.float32),
            "labels": [names[c] for c in classes[at].tolist()],
            "ids": np.array(ids, np.int64) if all(type(i) is int for i in ids) else ids,
        }
        if self.crowds == "keep":
            columns["crowd"] = crowd[at]
        if any(entry.get("segmentation") for entry in found):
            columns["masks"] = [
                mask if mask is None or mask.size == size else mask.resized(size)
                for mask, size in zip(masks, [self.pictures.sizes[r] for r in rows[at].tolist()], strict=True)
            ]
            without = sum(mask is None for mask in masks)
            findings.note(
                f"{counted(len(masks) - without, 'mask')}, {counted(without, 'object')} without one"
            )
        if points is not None:
            columns["keypoints"] = points[kept] * np.insert(scale, 2, 1, axis=1)[:, None].astype(np.float32)
        columns |= extras_of(some, scale.prod(axis=1), self.where, findings)
        return by_image(columns, rows[at], missing)

    def _unique(self, found: Sequence[dict[str, Any]]) -> None:
        seen = set()
        for entry in found:
            number = id_of(entry.get("id"))
            if number is None and entry.get("id") is not None:
                self.findings.add("id", self.where(entry), "an id, a whole number", shown(entry["id"]))
            elif number is not None and number in seen:
                expected = "a unique id for each annotation"
                self.findings.add("id-twice", self.where(entry), expected, "the id of one before")
            else:
                seen.add(number)

    def boxes(
        self, some: Sequence[dict[str, Any]], masks: Sequence[Any], rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes in pixels of the size in the annotation file, and a mask of usable ones."""

        def where(i: int) -> str:
            return self.where(some[i])

        given = [entry.get("bbox") for entry in some]
        bare = [not box and mask is not None for box, mask in zip(given, masks, strict=True)]
        if any(bare):
            self.findings.note(f"{counted(sum(bare), 'box')} taken from masks")
        listed = [[0.0] * 4 if b else box for b, box in zip(bare, given, strict=True)]
        expected = "a bbox of four numbers (x, y, width, height)"
        boxes, unread = number_lists(listed, 4, where, "box", expected, self.findings)
        boxes[:, 2:] += boxes[:, :2]
        for i in np.flatnonzero(bare).tolist():
            boxes[i] = masks[i].box()
        return clip_boxes(boxes, self.declared_sizes[rows], where, self.findings, unread)

    def segment(self, part: Mapping[str, Any]) -> str:
        return f"{place(file=self.file)}, segment {part['id']} of image {shown(part['image_id'])}"
