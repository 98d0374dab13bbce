"""COCO's panoptic segments as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.columns.mask_values import VOID, Panoptic, Segment
from polyhead.errors import shown
from polyhead.readers.annotations import by_image, scenes
from polyhead.readers.coco_columns import Reader
from polyhead.readers.coco_json import id_of
from polyhead.readers.coco_objects import extras_of
from polyhead.readers.paths import Files, Root


def panoptic_of(
    reader: Reader, found: list[dict[str, Any]], root: Root, keep: np.ndarray, files: Files, verify: bool
) -> dict[str, Any]:
    """The columns of panoptic segments."""
    findings, known = reader.findings, reader.known
    rows = reader.rows(found)
    panoptic: list[Panoptic | None] = [None] * reader.count
    parts: list[dict[str, Any]] = []
    seen, unread = set(), []
    wanted_ids = {number for number, k in zip(known.ids, keep.tolist(), strict=True) if k}
    for entry, row in zip(found, rows.tolist(), strict=True):
        if row < 0:
            continue
        where = reader.where(entry)
        path, segments = root.find(entry.get("file_name"), where), entry.get("segments_info")
        if row in seen:
            findings.add("image-twice", where, "one panoptic annotation an image", "a second one")
            continue
        seen.add(row)
        if not isinstance(segments, list) or not all(_is_segment(s) for s in segments):
            expected = "segments_info, a list of segments with ids from 1 to 16777215"
            findings.add("segments", where, expected, shown(segments))
            continue
        segments = [{**s, "id": id_of(s["id"])} for s in segments]
        classes = {s["id"]: id_of(s.get("category_id")) for s in segments}
        if len(classes) < len(segments):
            findings.add("id-twice", where, "an id of its own for each segment", "one that is taken")
        if path is None or not files.exists(path, where):
            unread.append(row)
            continue
        size = files.sized(path, reader.pictures.said[row], verify)
        if size is None:
            unread.append(row)
            continue
        parts += [{**segment, "image_id": entry["image_id"], "row": row} for segment in segments]
        kept = {i: c if isinstance(c, int) and c in wanted_ids else VOID for i, c in classes.items()}
        panoptic[row] = Panoptic(path, size, kept)
    files.note()
    positions = reader.classes(parts, reader.segment)
    findings.note(f"{sum(p is not None for p in panoptic):,} panoptic masks of {len(parts):,} segments")
    at_row = np.array([part["row"] for part in parts], np.int64)
    thing = np.array([e.get("isthing") is None or bool(e["isthing"]) for e in known.entries], bool)
    stuff = int((~np.append(thing, True)[positions]).sum())
    findings.note(f"{stuff:,} of them stuff, which has no boxes")
    boxed = np.append(thing, False)[positions]
    crowd, strange = reader.crowded(parts, reader.segment)
    odd = boxed & strange | (positions < 0)
    wanted, skipped = reader.chosen_of(np.where(boxed & ~odd, at_row, -1), positions, crowd, keep)
    at = np.flatnonzero(wanted)
    boxes, fit = reader.boxes([parts[i] for i in at.tolist()], [None] * len(at), at_row[at])
    findings.stop_if_most(len(parts))
    at = at[fit]
    scale = reader.scale[at_row[at]]
    had, left = reader.per_row(rows), reader.per_row(at_row[at])
    lost = reader.per_row(at_row[skipped | wanted | odd]) - left + reader.per_row(np.array(unread, np.int64))
    missing = scenes(findings, had=had, kept=left, lost=lost, unannotated=reader.unannotated)
    columns: dict[str, Any] = {
        "boxes": boxes[fit] * np.tile(scale, 2).astype(np.float32),
        "labels": [known.names[c] for c in positions[at].tolist()],
        "masks": [Segment(panoptic[parts[i]["row"]], parts[i]["id"]) for i in at.tolist()],
    }
    if reader.crowds == "keep":
        columns["crowd"] = crowd[at]
    columns |= extras_of([parts[i] for i in at.tolist()], scale.prod(axis=1), reader.segment, findings)
    return {"panoptic": panoptic, **by_image(columns, at_row[at], missing)}


def _is_segment(given: Any) -> bool:
    number = id_of(given.get("id")) if isinstance(given, dict) else None
    return isinstance(number, int) and 0 < number < 1 << 24
