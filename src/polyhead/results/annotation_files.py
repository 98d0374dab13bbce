"""Writes predictions in file formats for vision: COCO results, YOLO labels, mask images."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polyhead.errors import ContractError, DataError, Problem, place, shown, similar
from polyhead.images.headers import read_header
from polyhead.images.png import png
from polyhead.kinds import Head
from polyhead.results.boxes_kept import classes_of_boxes
from polyhead.whole_file import writing

_SAFE = re.compile(r"[^\w.-]+")
"""Characters of an id that a file name cannot hold, such as folder separators."""


def coco_results(
    rows: Iterator[Mapping[str, Any]],
    heads: Mapping[str, Head],
    name: str,
    category_ids: Mapping[Any, int] | None,
) -> Iterator[dict[str, Any]]:
    """Yield a COCO result for each object of one head of boxes.

    Args:
        category_ids: the id of each class in the annotation file; by default 1, 2, … in the order of the classes.

    Raises:
        ContractError: a class has no id.
    """
    each = _classes_of(name, heads)
    names = heads[each].names if each else ()
    if category_ids is not None and not isinstance(category_ids, Mapping):
        expected = "a dict, {class: id}"
        raise ContractError(Problem("write_coco(category_ids=)", expected, shown(category_ids)))
    ids = dict(category_ids or {one: number for number, one in enumerate(names, 1)})
    lacking = [one for one in names if one not in ids]
    if lacking:
        expected = f"an id of each class, {shown(list(names))}"
        raise ContractError(Problem("write_coco(category_ids=)", expected, f"none of {shown(lacking[0])}"))
    points = next((n for n, h in heads.items() if h.layer == "points" and name in (n, h.each)), None)
    for row in rows:
        for at, corners in enumerate(_boxes(row, heads[name], name)):
            x, y, right, bottom = corners.tolist()
            found = {
                "image_id": _json_id(row.get("row_id", row["id"])),
                "category_id": ids[_entry(row, each, at, heads[name])] if each else 1,
                "bbox": [round(value, 3) for value in (x, y, right - x, bottom - y)],
                "score": round(float(_score(row, name, each, at, heads[name])), 6),
            }
            if points is not None:
                entry = np.asarray(_entry(row, points, at, heads[name]))
                flat = np.column_stack([entry, np.ones(len(entry))]).reshape(-1)
                found["keypoints"] = [round(value, 3) for value in flat.tolist()]
            yield found


def _json_id(value: Any) -> int | str | None:
    """An id for JSON: integers and strings stay, anything else becomes a string, a missing id None."""
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else str(value)


def write_json(path: Path, found: Iterator[Any]) -> None:
    """Write a list as JSON, one entry per line; the file is written completely or not at all."""
    with writing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("[")
        for number, one in enumerate(found):
            file.write(",\n" if number else "\n")
            json.dump(one, file)
        file.write("\n]\n")


def write_yolo_labels(
    rows: Iterator[Mapping[str, Any]],
    heads: Mapping[str, Head],
    name: str,
    folder: Path,
    stored_sides: bool = False,
) -> None:
    """Write a text file for each image, with the class, box and score of each object.

    Boxes are fractions of the image; with ``stored_sides``, of the image as stored, before Exif rotation.

    Raises:
        DataError: an image is not a file, or the folder cannot be written.
    """
    each = _classes_of(name, heads)
    names = list(heads[each].names) if each else []
    for row, stem in _with_stems(rows, folder):
        header = read_header(row["file"])
        height, width = (header.height, header.width) if stored_sides else header.size
        lines = []
        for at, corners in enumerate(_boxes(row, heads[name], name)):
            x, y, right, bottom = (corners / (width, height, width, height)).tolist()
            number = names.index(_entry(row, each, at, heads[name])) if each else 0
            box = ((x + right) / 2, (y + bottom) / 2, right - x, bottom - y)
            parts = [
                str(number),
                *(f"{value:.6f}" for value in (*box, _score(row, name, each, at, heads[name]))),
            ]
            lines.append(" ".join(parts) + "\n")
        (folder / f"{stem}.txt").write_text("".join(lines), encoding="utf-8")


def write_mask_images(
    rows: Iterator[Mapping[str, Any]], heads: Mapping[str, Head], name: str, folder: Path
) -> None:
    """Write a PNG file of class ids for each mask, with a palette for viewing.

    Raises:
        DataError: the folder cannot be written.
        ContractError: the masks have more than 256 classes.
    """
    if len(heads[name].names) > 256:
        found = f"{len(heads[name].names):,}"
        raise ContractError(Problem("write_masks()", "at most 256 classes, as a palette has room for", found))
    colors = palette(256)
    for row, stem in _with_stems(rows, folder):
        mask = row[name]
        if mask is None:
            continue
        if mask.ndim == 2:
            (folder / f"{stem}.png").write_bytes(png(mask, colors))
            continue
        layers = mask if heads[name].each else np.moveaxis(mask, -1, 0)
        for number, layer in enumerate(layers):
            kind = str(number) if heads[name].each else str(heads[name].names[number])
            (folder / f"{stem}_{kind}.png").write_bytes(png(np.ascontiguousarray(layer), colors))


def palette(count: int) -> list[tuple[int, int, int, int]]:
    """The palette of PASCAL VOC: it spreads the bits of a class id over red, green and blue; 0 is black.

    >>> palette(3)
    [(0, 0, 0, 255), (128, 0, 0, 255), (0, 128, 0, 255)]
    """
    ids = np.arange(count)
    colors = np.zeros((count, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= ((ids >> (3 * bit + channel)) & 1) << (7 - bit)
    return [(int(r), int(g), int(b), 255) for r, g, b in colors]


def head_of(layer: str, heads: Mapping[str, Head], given: str | None, method: str) -> str:
    """Return the name of the head to write: the given one, or the only one with this layer.

    Raises:
        ContractError: the name is unknown, or no name was given and there is not exactly one such head.
    """
    known = [name for name, head in heads.items() if head.layer == layer]
    if given in known:
        return str(given)
    if given is None and len(known) == 1:
        return known[0]
    expected = f"a head of {'masks' if layer == 'mask' else layer} ({', '.join(known) or 'there is none'})"
    found = "none" if given is None else shown(given)
    near = similar(given, known) if given is not None else ""
    raise ContractError(
        Problem(f"{method}(head=)", expected, found, near or ("Name one of them." if known else ""))
    )


def _classes_of(name: str, heads: Mapping[str, Head]) -> str | None:
    """The head that predicts the class of each box, or of the only box of a row; None if there is none."""
    each = classes_of_boxes(name, heads)
    if each is not None or heads[name].places > 1:
        return each
    alike = [
        n for n, h in heads.items() if h.layer is None and h.each is None and "softmax" in h.probabilities
    ]
    return alike[0] if len(alike) == 1 else None


def _boxes(row: Mapping[str, Any], head: Head, name: str) -> np.ndarray:
    found = row[name]
    if found is None:
        return np.zeros((0, 4))
    return head.corners_of(np.asarray(found, np.float64).reshape(-1, 4))


def _entry(row: Mapping[str, Any], name: str | None, at: int, head: Head) -> Any:
    value = row[str(name)]
    return value if head.places == 1 else value[at]


def _score(row: Mapping[str, Any], name: str, each: str | None, at: int, head: Head) -> float:
    """The score of a box, or else the probability of the class of its row; 1 if nothing tells."""
    scores = row.get(f"{name}_score", row.get(f"{each}_probability"))
    return 1.0 if scores is None else scores if head.places == 1 else scores[at]


def _with_stems(rows: Iterator[Mapping[str, Any]], folder: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield rows with unique names for their files: the stem of the image file, or else the id."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = error.strerror or str(error)
        raise DataError(Problem(place(file=str(folder)), "a folder that can be written", found)) from error
    taken: dict[str, int] = {}
    for row in rows:
        stem = Path(os.fspath(row["file"])).stem if row.get("file") else _SAFE.sub("_", str(row["id"]))
        stem = stem.lstrip(".") or "row"
        again = taken[stem] = taken.get(stem, 0) + 1
        yield row, stem if again == 1 else f"{stem}_{again}"
