"""Converts COCO's panoptic segments to columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from polyhead.columns.mask_values import VOID, Panoptic, Segment
from polyhead.errors import shown
from polyhead.progress import shown_each
from polyhead.readers.annotations import by_image, missing_images
from polyhead.readers.coco_columns import ROW, Reader
from polyhead.readers.coco_json import id_of
from polyhead.readers.coco_objects import extras_of
from polyhead.readers.paths import Files, Root


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
    thing = np.array([e.get("isthing") is None or bool(e["isthing"]) for e in categories.entries], bool)
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
